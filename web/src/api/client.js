import axios from 'axios';
import { ApiError, apiError } from './errors.js';
import { alone, keepTokens, newKey, readTokens } from './tokens.js';

export { newKey };

const EARLY_MS = 30000;
/* The server knows an Idempotency-Key for a day. */
const KEY_LIVES_MS = 23 * 3600 * 1000;

let socketId = null;

function unauthenticated() {
    return new ApiError({ status: 401, message: 'Unauthenticated.' });
}

/** Set by the auth store: asks for the password over the page; resolves
 *  when there are new tokens, rejects when the user leaves. */
let askAgain = () => Promise.reject(unauthenticated());

export function setSocketId(id) {
    socketId = id;
}

export function onExpired(ask) {
    askAgain = ask;
}

const http = axios.create({ baseURL: '/api', timeout: 30000 });

let renewing = null;

/** New tokens by the refresh token. @param {string} stale the one not taken */
export function renew(stale) {
    renewing ??= alone(async () => {
        const kept = readTokens();
        if (!kept) {
            throw unauthenticated();
        }
        if (kept.token !== stale) {
            return kept;
        }
        // An older desk has kept no key.
        const answer = await axios.post('/api/auth/refresh',
            { refresh_token: kept.refresh },
            { timeout: 15000, headers: { 'Idempotency-Key': kept.key ?? newKey() } });
        return keepTokens(answer.data);
    }).finally(() => {
        renewing = null;
    });
    return renewing;
}

/** A token that is good for a while yet. */
export async function freshToken() {
    const kept = readTokens();
    if (kept && kept.expires - Date.now()
        > Math.min(EARLY_MS, (kept.life ?? Infinity) / 4)) {
        return kept.token;
    }
    return kept ? tokenAfter(kept.token) : null;
}

/** After a token was refused: by refresh, else by the person. */
async function tokenAfter(stale) {
    try {
        return (await renew(stale)).token;
    } catch (error) {
        const it = apiError(error);
        if (it.status !== 401 && it.status !== 422) {
            throw it;
        }
    }
    // It may have been given meanwhile.
    const now = readTokens();
    if (!now || now.token === stale) {
        await askAgain();
    }
    return readTokens()?.token ?? null;
}

http.interceptors.request.use(async (config) => {
    const token = config.token ?? await freshToken();
    // Looked at when the token is there: for that, a person may have slept.
    if (Math.abs(Date.now() - config.since) > KEY_LIVES_MS) {
        throw new ApiError({ status: 409, code: 'too_old',
            message: 'Too old to be asked for again.' });
    }
    config.headers.Authorization = `Bearer ${token}`;
    config.token = token;
    if (socketId && config.method !== 'get') {
        config.headers['X-Socket-ID'] = socketId;
    }
    return config;
});

http.interceptors.response.use((answer) => {
    if (answer.status === 200 && typeof answer.data !== 'object') {
        // The page of a proxy that wants to be looked at first.
        throw new ApiError({ status: 0 });
    }
    return answer;
}, async (error) => {
    const { config, response } = error;
    if (response?.status === 401 && config && !config.again) {
        const token = await tokenAfter(config.token);
        return http.request({ ...config, token, again: true });
    }
    throw apiError(error);
});

/** GET; the body. @param {object} [query] left out where null or '' */
export async function get(path, query = {}, config = {}) {
    const params = Object.fromEntries(Object.entries(query).filter(
        ([, value]) => value !== null && value !== undefined && value !== ''));
    return (await http.get(path, { ...config, params })).data;
}

export async function post(path, body = {}, config = {}) {
    return (await http.post(path, body, config)).data;
}

export async function patch(path, body) {
    return (await http.patch(path, body)).data;
}

export async function put(path, body) {
    return (await http.put(path, body)).data;
}

export async function del(path, body) {
    return (await http.delete(path, body ? { data: body } : {})).data;
}

/**
 * GET by ETag.
 *
 * @param {{etag: string|null}} known changed to the new one
 * @returns the body, or null where nothing has changed
 */
export async function getChanged(path, query, known) {
    const answer = await http.get(path, {
        params: query,
        headers: known.etag ? { 'If-None-Match': known.etag } : {},
        validateStatus: (status) => status === 200 || status === 304,
    });
    if (answer.status === 304) {
        return null;
    }
    known.etag = answer.headers.etag ?? null;
    return answer.data;
}

/** A file to be saved, as the server names it. */
export async function download(path, query = {}) {
    const answer = await http.get(path,
        { params: query, responseType: 'blob', timeout: 0 });
    const named = /filename="?([^";]+)/.exec(
        answer.headers['content-disposition']);
    if (!named) {
        throw new ApiError({ status: 0 }); // a proxy's page
    }
    const link = document.createElement('a');
    link.href = URL.createObjectURL(answer.data);
    link.download = named[1];
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** For post(): what carries this key is done once. */
export const keyed = (key) => ({ headers: { 'Idempotency-Key': key } });
