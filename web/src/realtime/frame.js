/*
 * What comes within a frame is worked off at once: a burst of events is one
 * change of the lists, and one drawing. A tab that is not looked at has no
 * frames, so that a timer does it there; the title and notices need it.
 */
const LATEST_MS = 250;
const HIDDEN_MS = 50;

/**
 * @param {(things: object[]) => void} work
 * @returns {{push: (things: object[]) => void, flush: () => void}}
 *          flush: what has been pushed, now
 */
export function perFrame(work) {
    let waiting = [];
    let frame = null;
    let timer = null;

    function flush() {
        cancelAnimationFrame(frame);
        clearTimeout(timer);
        timer = null;
        const things = waiting;
        waiting = [];
        if (things.length > 0) {
            work(things);
        }
    }
    function push(things) {
        waiting.push(...things);
        if (waiting.length > 0 && timer === null) {
            const shown = document.visibilityState === 'visible';
            frame = shown ? requestAnimationFrame(flush) : null;
            // A window behind others may have no frames either.
            timer = setTimeout(flush, shown ? LATEST_MS : HIDDEN_MS);
        }
    }
    return { push, flush };
}
