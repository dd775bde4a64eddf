/*
 * What this browser keeps for whoever is signed in: an item of localStorage
 * for each thing, as tabs that write one list write over each other.
 */
let closed = false;

const parse = (text) => {
    try {
        return JSON.parse(text);
    } catch {
        return null; // what nobody can read is not there
    }
};

/** @param {'sending'|'drafts'} kind @param {number} user */
export function shelf(kind, user) {
    const list = `wacrm.${kind}.${user}`;
    const prefix = `${list}.`;
    const it = {
        /** @returns {[string, object][]} with what an older desk has left in
         *           one list, an array by `key` or an object */
        all() {
            const old = parse(localStorage.getItem(list)) ?? {};
            const whole = (Array.isArray(old) ? old.map((e) => [e.key, e])
                : Object.entries(old)).every(([id, value]) =>
                localStorage.getItem(prefix + id) || it.put(id, value));
            if (whole) {
                localStorage.removeItem(list);
            }
            return Object.keys(localStorage)
                .filter((key) => key.startsWith(prefix))
                .map((key) => [key.slice(prefix.length),
                    parse(localStorage.getItem(key))])
                .filter(([, value]) => value);
        },
        /** @returns {boolean} false: full, or forbidden */
        put(id, value) {
            try {
                if (!closed) {
                    localStorage.setItem(prefix + id, JSON.stringify(value));
                }
                return true;
            } catch {
                return false;
            }
        },
        drop(id) {
            localStorage.removeItem(prefix + id);
        },
        /** Tells what other tabs do. @param {(id, value|null) => void} told */
        listen(told) {
            window.addEventListener('storage', ({ key, newValue }) => {
                if (key?.startsWith(prefix)) {
                    told(key.slice(prefix.length), parse(newValue));
                }
            });
        },
    };
    return it;
}

/** The next one here is somebody else: all goes, and nothing comes after. */
export function clearShelves(user) {
    closed = true;
    Object.keys(localStorage).filter((key) => ['sending', 'drafts'].some(
        (kind) => `${key}.`.startsWith(`wacrm.${kind}.${user}.`)))
        .forEach((key) => localStorage.removeItem(key));
}
