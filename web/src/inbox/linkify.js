/*
 * Text of strangers in pieces: links and WhatsApp's own marks (*bold*,
 * _italic_, ~struck~, ```code```). Every piece is shown as text; only http
 * and https become links.
 */
const LINK = /\bhttps?:\/\/[^\s<>"'`\u200b]+/gi;
const TRAILING = /[).,;:!?\]}*_~]+$/;
const MARKS = [
    ['code', /```([^`]+)```/],
    ['bold', /(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*\S)\*(?![\p{L}\p{N}*])/u],
    ['italic', /(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*\S)_(?![\p{L}\p{N}_])/u],
    ['struck', /(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*\S)~(?![\p{L}\p{N}~])/u],
];

function safe(href) {
    try {
        const { protocol } = new URL(href);
        return protocol === 'http:' || protocol === 'https:';
    } catch {
        return false;
    }
}

function marked(text, pieces) {
    for (const [mark, form] of MARKS) {
        const match = form.exec(text);
        if (match) {
            marked(text.slice(0, match.index), pieces);
            pieces.push({ text: match[1], mark });
            marked(text.slice(match.index + match[0].length), pieces);
            return;
        }
    }
    if (text) {
        pieces.push({ text });
    }
}

/** @returns {{text: string, href?: string, mark?: string}[]} */
export function textPieces(text) {
    const pieces = [];
    let from = 0;
    for (const match of text.matchAll(LINK)) {
        const href = match[0].replace(TRAILING, '');
        if (!safe(href)) {
            continue;
        }
        marked(text.slice(from, match.index), pieces);
        pieces.push({ text: href, href });
        from = match.index + href.length;
    }
    marked(text.slice(from), pieces);
    return pieces;
}

/**
 * A snippet of the search, cut at its marks.
 *
 * @param {{text: string, marks: [number, number][]}} snippet
 * @returns {{text: string, hit: boolean}[]}
 */
export function hitPieces({ text, marks }) {
    const pieces = [];
    let from = 0;
    for (const [start, length] of marks) {
        if (start > from) {
            pieces.push({ text: text.slice(from, start), hit: false });
        }
        pieces.push({ text: text.slice(start, start + length), hit: true });
        from = start + length;
    }
    if (from < text.length) {
        pieces.push({ text: text.slice(from), hit: false });
    }
    return pieces;
}

/** Every place of `words` in a name, to be marked in lists. */
export function findHits(text, words) {
    const wanted = words.trim().toLowerCase();
    const marks = [];
    if (wanted === '') {
        return { text, marks };
    }
    const lower = text.toLowerCase();
    // Where lower case has another length, places would be wrong.
    if (lower.length === text.length) {
        for (let at = lower.indexOf(wanted); at >= 0;
            at = lower.indexOf(wanted, at + wanted.length)) {
            marks.push([at, wanted.length]);
        }
    }
    return { text, marks };
}
