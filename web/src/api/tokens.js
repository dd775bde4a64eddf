import { ApiError } from './errors.js';

/*
 * The pair of tokens, shared by all tabs through localStorage. A refresh
 * token is good for one use: two tabs must not use the same one.
 */
const KEY = 'wacrm.auth';
/* An older desk has left a refresh token there. */
const OLD = 'wacrm.renewal';
const LOCK = 'wacrm.refresh';

/** @returns {{token, refresh, key, expires, life, user}|null} key: of the one
 *           exchange of the refresh token, whose answer may be lost, as the
 *           page is left or the line cut: the next try, by whatever page, is
 *           the same; expires: ms since 1970; life: ms that it had */
export function readTokens() {
    try {
        return JSON.parse(localStorage.getItem(KEY));
    } catch {
        return null;
    }
}

/** From the answer of login or refresh. */
export function keepTokens(answer) {
    if (!answer?.token) {
        throw new ApiError({ status: 0 }); // it is a proxy's
    }
    const tokens = {
        token: answer.token,
        refresh: answer.refresh_token,
        key: newKey(),
        expires: Date.now() + answer.expires_in * 1000,
        life: answer.expires_in * 1000,
        user: answer.user,
    };
    localStorage.removeItem(OLD);
    localStorage.setItem(KEY, JSON.stringify(tokens));
    return tokens;
}

export function keepUser(user) {
    const tokens = readTokens();
    if (tokens) {
        localStorage.setItem(KEY, JSON.stringify({ ...tokens, user }));
    }
}

export function dropTokens() {
    localStorage.removeItem(KEY);
    localStorage.removeItem(OLD);
}

/** Tells when another tab has signed in or out. */
export function onTokensChanged(told) {
    window.addEventListener('storage', (event) => {
        if (event.key === KEY || event.key === null) {
            told(readTokens());
        }
    });
}

/** One tab at a time; where a browser has no Web Locks, two of them make the
 *  same exchange, by its key. */
export const alone = (work) => navigator.locks
    ? navigator.locks.request(LOCK, work) : work();

/** For Idempotency-Key: one a message, the same at every try. */
export function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
}
