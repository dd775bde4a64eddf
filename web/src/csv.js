/*
 * The rows of a CSV file as the import numbers them: 1 is the line of the
 * names, lines without anything are not counted, a line break within quotes
 * does not end a row.
 */

/** The text of the rows whose numbers are asked for: Map number -> text. */
export function csvRows(text, numbers) {
    const wanted = new Set(numbers);
    const found = new Map();
    let number = 0;
    let from = 0;
    let quoted = false;
    const end = (to) => {
        const row = text.slice(from, to);
        if (row !== '') {
            number++;
            if (wanted.has(number)) {
                found.set(number, row);
            }
        }
        from = to + 1;
    };
    for (let i = 0; i < text.length; i++) {
        const c = text[i];
        if (c === '"') {
            quoted = !quoted;
        } else if (!quoted && (c === '\n' || c === '\r')) {
            end(i);
        }
    }
    end(text.length);
    return found;
}
