/*
 * The pair of tokens, shared by all tabs through localStorage. A refresh
 * token is good for one use: two tabs must not use the same one.
 */
const KEY = 'wacrm.auth';
const RENEWAL = 'wacrm.renewal';
const LOCK = 'wacrm.refresh';

/** @returns {{token, refresh, expires, life, user}|null} expires: ms since
 *           1970; life: ms that it had */
export function readTokens() {
    try {
        return JSON.parse(localStorage.getItem(KEY));
    } catch {
        return null;
    }
}

/** From the answer of login or refresh. */
export function keepTokens(answer) {
    const tokens = {
        token: answer.token,
        refresh: answer.refresh_token,
        expires: Date.now() + answer.expires_in * 1000,
        life: answer.expires_in * 1000,
        user: answer.user,
    };
    localStorage.setItem(KEY, JSON.stringify(tokens));
    localStorage.removeItem(RENEWAL);
    return tokens;
}

/** The key of the exchange of a refresh token: that of an earlier try, whose
 *  answer did not come, or a new one. */
export function keepRenewal(refresh, make) {
    const [key, of] = localStorage.getItem(RENEWAL)?.split(' ') ?? [];
    if (of === refresh) {
        return key;
    }
    const fresh = make();
    localStorage.setItem(RENEWAL, `${fresh} ${refresh}`);
    return fresh;
}

export function keepUser(user) {
    const tokens = readTokens();
    if (tokens) {
        localStorage.setItem(KEY, JSON.stringify({ ...tokens, user }));
    }
}

export function dropTokens() {
    localStorage.removeItem(KEY);
    localStorage.removeItem(RENEWAL);
}

/** Tells when another tab has signed in or out. */
export function onTokensChanged(told) {
    window.addEventListener('storage', (event) => {
        if (event.key === KEY || event.key === null) {
            told(readTokens());
        }
    });
}

/** Web Locks exist in secure contexts only; else a lease of 10 s. */
async function withLease(work) {
    const mine = `${Math.random()}`;
    for (let i = 0; i < 100; i++) {
        const held = localStorage.getItem(LOCK)?.split(' ');
        if (!held || Number(held[0]) < Date.now()) {
            localStorage.setItem(LOCK, `${Date.now() + 10000} ${mine}`);
            await new Promise((done) => setTimeout(done, 50));
            if (localStorage.getItem(LOCK)?.endsWith(mine)) {
                break;
            }
        }
        await new Promise((done) => setTimeout(done, 100));
    }
    try {
        return await work();
    } finally {
        if (localStorage.getItem(LOCK)?.endsWith(mine)) {
            localStorage.removeItem(LOCK);
        }
    }
}

/** One tab at a time. */
export function alone(work) {
    return navigator.locks
        ? navigator.locks.request(LOCK, work) : withLease(work);
}
