/*
 * Sums of money as people type them: whole rupiah, a dot before every three
 * digits, whatever else they write beside them.
 */

/** What the server takes at most. */
export const MAX_RUPIAH = 1000000000000;

function grouped(digits) {
    return digits.replace(/\B(?=(\d{3})+$)/g, '.');
}

/** Cents, which nobody pays: ",00" or ",-" at the end. */
function withoutCents(text) {
    return text.replace(/,(\d{1,2}|-)?\s*$/, '');
}

/**
 * "Rp1.250.000", "1250000", "1.250.000,00" and "Rp 250.000,-": the sum in
 * rupiah. null where there is none.
 */
export function parseRupiah(text) {
    const digits = withoutCents(String(text ?? '')).replace(/\D/g, '').replace(/^0+(?=\d)/, '');
    return digits === '' || digits.length > 15 ? null : Number(digits);
}

/**
 * The text of a field while it is typed in.
 *
 * @param {string} text as the browser has it
 * @param {number} caret where the caret is in it
 * @returns {{text: string, caret: number}} with dots; the caret stands
 *          before the same digit as it did
 */
export function typeRupiah(text, caret) {
    const whole = withoutCents(text);
    const after = whole.slice(caret).replace(/\D/g, '').length;
    const digits = whole.replace(/\D/g, '').replace(/^0+(?=\d)/, '')
        .slice(0, 13);
    const out = grouped(digits);
    let at = out.length;
    for (let left = Math.min(after, digits.length); left > 0; at--) {
        if (/\d/.test(out[at - 1])) {
            left--;
        }
    }
    if (out[at - 1] === '.') {
        at--;
    }
    return { text: out, caret: at };
}
