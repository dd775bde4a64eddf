/*
 * Events come by two ways, the socket and GET /events, and may come by both.
 * Each is let through once; where the socket has been away, what was missed
 * goes first.
 */
const REMEMBERED = 2000;
const MOST_HELD = 2000;

export class EventOrder {
    constructor(cursor = null) {
        /** the last number up to which everything is known, or null */
        this.cursor = cursor;
        this.seen = new Set();
        this.held = null;
    }

    /** More wait than is worth keeping: hold() anew, and ask for them. */
    get full() {
        return (this.held?.length ?? 0) >= MOST_HELD;
    }

    /** From now on events of the socket wait; what waited before is told by
     *  GET /events. */
    hold() {
        this.held = [];
    }

    /** @returns {object[]} the events that waited and are new, by number */
    release() {
        const held = this.held ?? [];
        this.held = null;
        held.sort((a, b) => a.seq - b.seq);
        return held.filter((event) => this.take(event));
    }

    /** From the socket. @returns {object[]} what is to be applied now */
    live(event) {
        if (this.held) {
            this.held.push(event);
            return [];
        }
        return this.take(event) ? [event] : [];
    }

    /** From GET /events. @param {number} next how far that page went */
    page(events, next) {
        const fresh = events.filter((event) => this.take(event));
        this.moveTo(next);
        return fresh;
    }

    /** Everything up to that number is known. */
    moveTo(seq) {
        if (this.cursor === null || seq > this.cursor) {
            this.cursor = seq;
        }
    }

    /** The state was loaded anew as of that number. */
    reset(seq) {
        this.cursor = seq;
        this.seen.clear();
    }

    take(event) {
        // Without a number: typing, which is not kept.
        if (typeof event.seq !== 'number') {
            return true;
        }
        this.moveTo(event.seq);
        if (this.seen.has(event.seq)) {
            return false;
        }
        this.seen.add(event.seq);
        if (this.seen.size > REMEMBERED) {
            this.seen.delete(this.seen.values().next().value);
        }
        return true;
    }
}
