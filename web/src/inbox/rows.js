/*
 * The list of conversations as plain arrays, newest first: how pages and
 * events come together. Nothing here knows of Vue or of the server.
 */

/** Newest first; the server breaks ties by the number of the chat. */
export function compareRows(a, b) {
    if (a.timestamp !== b.timestamp) {
        return a.timestamp < b.timestamp ? 1 : -1;
    }
    return Number(b.id) - Number(a.id);
}

/** Where a row belongs: by halves, as lists may be long. */
function placeOf(rows, row) {
    let low = 0;
    let high = rows.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (compareRows(rows[middle], row) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/**
 * Rows as they are now, in their places.
 *
 * @param {object[]} rows
 * @param {{row: object, belongs: boolean}[]} changes each row once; belongs
 *        false: the filter leaves it out
 * @param {boolean} hasMore older ones are not loaded: what comes after the
 *        last one stays with them
 */
export function putRows(rows, changes, hasMore) {
    const changed = new Set(changes.map(({ row }) => row.id));
    const rest = rows.filter((row) => !changed.has(row.id));
    const last = rows[rows.length - 1];
    for (const { row, belongs } of changes) {
        if (belongs && !(hasMore && last && compareRows(last, row) < 0)) {
            rest.splice(placeOf(rest, row), 0, row);
        }
    }
    return rest;
}

/**
 * The first page anew: what it covers is as it says, what is older stays.
 *
 * @param {boolean} pageHasMore whether there is anything behind the page
 * @param {string|null} keep id of a row that stays (the open one)
 */
export function mergeFirstPage(rows, page, pageHasMore, keep = null) {
    if (!pageHasMore) {
        return withKept(page, rows, keep);
    }
    // A search has looked at many and found none: those behind them stay.
    if (page.length === 0) {
        return rows;
    }
    const last = page[page.length - 1];
    const there = new Set(page.map((row) => row.id));
    const older = rows.filter((row) =>
        !there.has(row.id) && compareRows(last, row) < 0);
    return withKept([...page, ...older], rows, keep);
}

function withKept(result, rows, keep) {
    const kept = keep && rows.find((row) => row.id === keep);
    return kept && !result.some((row) => row.id === keep)
        ? putRows(result, [{ row: kept, belongs: true }], false) : result;
}

/** The next page, below; rows that have moved up meanwhile are not doubled. */
export function appendPage(rows, page) {
    const there = new Set(rows.map((row) => row.id));
    return [...rows, ...page.filter((row) => !there.has(row.id))];
}

/** Does the filter show it? null: only the server knows. */
export function belongs(row, filter) {
    switch (filter) {
    case 'all': return true;
    case 'unread': return row.unread_count > 0;
    case 'starred': return row.is_starred;
    default: return null;
    }
}
