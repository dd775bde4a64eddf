/*
 * Templates have places: {{1}} or {{name}}, as the server finds them.
 */
const PLACE = /\{\{[ \t]*([A-Za-z0-9_]{1,64})[ \t]*\}\}/g;

/**
 * A template's text in pieces, to be shown one after another.
 *
 * @param {string} content
 * @param {Object<string, string>} values by the names of places
 * @returns {Array<{text: string, name?: string, filled?: boolean}>} name:
 *          a place; its text is the value, or {{name}} as long as there is
 *          none
 */
export function templatePieces(content, values = {}) {
    const pieces = [];
    let from = 0;
    for (const match of content.matchAll(PLACE)) {
        if (match.index > from) {
            pieces.push({ text: content.slice(from, match.index) });
        }
        const value = values[match[1]];
        const filled = value !== undefined && value !== '';
        pieces.push({ name: match[1], filled,
            text: filled ? value : match[0] });
        from = match.index + match[0].length;
    }
    if (from < content.length) {
        pieces.push({ text: content.slice(from) });
    }
    return pieces;
}

/** The names of the places: numbers first, each once. */
export function templateNames(content) {
    const names = [...new Set([...content.matchAll(PLACE)]
        .map((match) => match[1]))];
    const isNumber = (name) => /^\d+$/.test(name);
    return [
        ...names.filter(isNumber).sort((a, b) => a - b),
        ...names.filter((name) => !isNumber(name)),
    ];
}
