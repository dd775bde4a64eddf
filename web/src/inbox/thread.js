/*
 * The messages of a conversation, oldest first, from pages, events and
 * answers, in whatever order those come.
 */

const RANK = { queued: 0, unknown: 0, sent: 1, delivered: 2, read: 3,
    played: 4 };

/** May a status become that one? They only move forward. */
export function statusMoves(from, to) {
    if (from === to) {
        return false;
    }
    // An attempt before its retry had arrived.
    if (from === 'cancelled') {
        return RANK[to] > RANK.sent;
    }
    if (to === 'cancelled') {
        return RANK[from] === RANK.queued;
    }
    if (from === 'failed') {
        return to !== 'unknown';
    }
    if (to === 'failed') {
        return RANK[from] <= RANK.sent;
    }
    return RANK[to] >= RANK[from];
}

function compare(a, b) {
    if (a.timestamp !== b.timestamp) {
        return a.timestamp < b.timestamp ? -1 : 1;
    }
    return a.id - b.id;
}

/** The same message, told twice: the later of the two where they differ. */
function newer(old, message) {
    const merged = { ...old, ...message };
    if (old.direction === 'outgoing'
        && !statusMoves(old.status, message.status)) {
        merged.status = old.status;
        merged.error = old.status === message.status
            ? message.error : old.error;
    }
    // An event knows no address that is signed for us.
    if (merged.media && !merged.media.url && old.media?.url) {
        merged.media = { ...merged.media, url: old.media.url };
    }
    if (message.truncated && !old.truncated) {
        merged.message = old.message;
        merged.truncated = false;
    }
    return merged;
}

/** Does it belong behind the last one of the list? */
export function isBehind(list, message) {
    return list.length > 0 && compare(list[list.length - 1], message) < 0
        && !list.some((other) => other.id === message.id);
}

/** @returns the list with those messages in their places, each once; one whose
 *  time has changed moves */
export function addMessages(list, messages) {
    const byId = new Map(list.map((message) => [message.id, message]));
    for (const message of messages) {
        const old = byId.get(message.id);
        byId.set(message.id, old ? newer(old, message) : message);
    }
    return [...byId.values()].sort(compare);
}

/**
 * The newest page as the server has it now: within its span it is the truth.
 *
 * @param {boolean} pageHasMore whether older ones exist
 */
export function refreshMessages(list, page, pageHasMore) {
    if (page.length === 0) {
        return [];
    }
    const first = page[0];
    const there = new Set(page.map((message) => message.id));
    const kept = list.filter((message) => there.has(message.id)
        || (pageHasMore && compare(message, first) < 0)
        || compare(message, page[page.length - 1]) > 0);
    return addMessages(kept, page);
}

/**
 * @param {{id, status, error, wa_message_id, timestamp}} change timestamp: when
 *        it was. What has failed before its time stands there, not in the
 *        future.
 */
export function applyStatus(list, change) {
    const old = list.find((message) => message.id === change.id);
    if (!old || !statusMoves(old.status, change.status)) {
        return list;
    }
    const early = change.status === 'failed' && old.scheduled_at
        && Date.parse(change.timestamp) < Date.parse(old.timestamp);
    return addMessages(list.filter((message) => message !== old), [{ ...old,
        status: change.status, error: change.error ?? null,
        timestamp: early ? change.timestamp : old.timestamp,
        wa_message_id: change.wa_message_id ?? old.wa_message_id }]);
}

/** The calendar day of a time in the browser's zone, as a key. */
export function dayOf(timestamp) {
    const date = new Date(timestamp);
    return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

const GROUP_MS = 5 * 60 * 1000;

/**
 * What is drawn: separators of days, and messages with what they share with
 * the one before.
 *
 * @returns {({kind: 'day', key, timestamp}
 *           | {kind: 'message', key, message, first: boolean})[]}
 */
export function linesOf(list) {
    const lines = [];
    let before = null;
    for (const message of list) {
        const day = dayOf(message.timestamp);
        const newDay = !before || dayOf(before.timestamp) !== day;
        if (newDay) {
            lines.push({ kind: 'day', key: `day-${day}`,
                timestamp: message.timestamp });
        }
        const first = newDay || before.direction !== message.direction
            || before.cs_id !== message.cs_id
            || new Date(message.timestamp) - new Date(before.timestamp)
                > GROUP_MS;
        lines.push({ kind: 'message', key: message.id, message, first });
        before = message;
    }
    return lines;
}

export const onItsWay = ({ state }) => state === 'sending' || state === 'waiting';

/**
 * A message on its way whose answer is not here yet may be in the list
 * already, told by another way: it is not shown twice.
 *
 * @param {{text: string, mediaId: string|null, after: number, user: number,
 *          chatId: string, state: string}[]} pending oldest first; after: the newest id that
 *          was known when it was written
 */
export function unseenPending(pending, list) {
    const taken = new Set();
    return pending.filter((entry) => {
        const twin = onItsWay(entry) && list.find((message) =>
            message.direction === 'outgoing' && message.id > entry.after
            && message.cs_id === entry.user && !taken.has(message.id)
            && message.message === entry.text
            && Boolean(message.media) === Boolean(entry.mediaId));
        if (twin) {
            taken.add(twin.id);
        }
        return !twin;
    });
}
