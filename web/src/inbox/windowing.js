/*
 * Which rows of a long list are drawn: those in view and a few around them.
 * All rows have the same height.
 *
 * @param {{top: number, height: number, row: number, count: number,
 *          spare?: number}} view top: how far it is scrolled
 * @returns {{first: number, last: number, offset: number, total: number}}
 *          rows first..last-1 are drawn, offset pixels below the top of all
 *          total pixels
 */
export function windowOf({ top, height, row, count, spare = 6 }) {
    const from = Math.max(0, Math.min(top, count * row - height));
    const first = Math.max(0, Math.floor(from / row) - spare);
    const last = Math.min(count, Math.ceil((from + height) / row) + spare);
    return { first, last: Math.max(first, last), offset: first * row,
        total: count * row };
}

/** How to scroll so that row `index` is in view; null: it is. */
export function scrollTo({ top, height, row }, index) {
    if (index * row < top) {
        return index * row;
    }
    if ((index + 1) * row > top + height) {
        return (index + 1) * row - height;
    }
    return null;
}
