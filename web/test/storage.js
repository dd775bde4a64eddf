import { File } from 'node:buffer';
import { webcrypto } from 'node:crypto';

// What Debian's Node.js does not have by itself, and every browser has.
globalThis.crypto ??= webcrypto;
globalThis.File ??= File;

/* A browser's localStorage, and the window that hears of other tabs. */
export class Storage {
    constructor() {
        for (const [name, value] of Object.entries({
            getItem: (key) => Object.hasOwn(this, key) ? this[key] : null,
            setItem: (key, text) => {
                if (this.full) {
                    throw new Error('QuotaExceededError');
                }
                this[key] = `${text}`;
            },
            removeItem: (key) => delete this[key],
            full: false,
        })) {
            Object.defineProperty(this, name,
                { value, writable: true, enumerable: false });
        }
    }
}

export function browser() {
    globalThis.localStorage = new Storage();
    globalThis.window = new EventTarget();
    Object.defineProperty(globalThis, 'navigator', { configurable: true,
        value: {} }); // without locks, as where there is no TLS
    return globalThis.localStorage;
}

/** As where there is TLS; all tabs share them. */
export function withLocks() {
    const last = new Map();
    navigator.locks = { request(name, work) {
        const now = (last.get(name) ?? Promise.resolve()).then(work);
        last.set(name, now.catch(() => {}));
        return now;
    } };
}

/** Another tab has written that; null: it has removed it. */
export function elsewhere(key, value) {
    if (value === null) {
        localStorage.removeItem(key);
    } else {
        localStorage.setItem(key, JSON.stringify(value));
    }
    window.dispatchEvent(Object.assign(new Event('storage'),
        { key, newValue: localStorage.getItem(key) }));
}
