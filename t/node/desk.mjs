// The desk that t/lib/Wacrm/Node.pm tells of.
import http from 'node:http';

const about = JSON.parse(process.env.WACRM_TEST);

export const { origin, password, root, session, phase } = about;
export { about };

/* {status, headers, bytes, text, json}; a connection for each. */
export async function request(method, url, { headers = {}, body } = {}) {
    const parcel = body instanceof FormData ? new Response(body) : null;
    const bytes = parcel ? Buffer.from(await parcel.arrayBuffer())
        : Buffer.from(body || '');
    const all = { ...headers };
    if (parcel) {
        all['Content-Type'] = parcel.headers.get('content-type');
    }
    if (method !== 'GET' || bytes.length > 0) {
        all['Content-Length'] = bytes.length;
    }
    return new Promise((done, fail) => {
        const req = http.request(new URL(url, origin), { method, headers: all,
            agent: false }, (res) => {
            const parts = [];
            res.on('data', (p) => parts.push(p));
            res.on('error', fail);
            res.on('end', () => done(answer(res, Buffer.concat(parts))));
        });
        req.on('upgrade', (res, socket) => {
            socket.destroy();
            done(answer(res, Buffer.alloc(0)));
        });
        req.on('error', fail);
        req.end(bytes);
    });
}

/* The answer to the head of a request whose body never comes. */
export function announce(method, url, headers) {
    return new Promise((done, fail) => {
        const req = http.request(new URL(url, origin), { method, headers,
            agent: false }, (res) => {
            const parts = [];
            res.on('data', (p) => parts.push(p));
            res.on('end', () => {
                req.removeListener('error', fail);
                req.on('error', () => {});
                req.destroy();
                done(answer(res, Buffer.concat(parts)));
            });
        });
        req.on('error', fail);
        req.flushHeaders();
    });
}

function answer(res, bytes) {
    const text = bytes.toString('utf8');
    const headers = new Headers();
    for (const [name, value] of Object.entries(res.headers)) {
        headers.set(name, [value].flat().join(', '));
    }
    let json;
    try {
        json = JSON.parse(text);
    } catch (e) {
        json = undefined;
    }
    return { status: res.statusCode, headers, bytes, text, json };
}

export async function login(who) {
    const r = await request('POST', '/api/auth/login', {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: `${who}@test.example`, password }) });
    if (r.status !== 200) {
        throw new Error(`login of ${who}: ${r.status} ${r.text}`);
    }
    return r.json.token;
}

export async function sim(path, body = {}) {
    const r = await request('POST', about.sim + path, {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body) });
    if (r.status !== 200) {
        throw new Error(`${path}: ${r.status} ${r.text}`);
    }
    return r.json;
}

export async function calls(query) {
    const r = await request('GET',
        `${about.sim}/_sim/calls?${new URLSearchParams(query)}`);
    return r.json.calls;
}

/* Until what() gives something true, which is returned. None is cut off by a
 * machine that is slow or busy before a minute is over. */
export async function waitFor(what, seconds = 60) {
    const end = Date.now() + Math.max(seconds, 60) * 1000;
    for (;;) {
        const value = await what();
        if (value || Date.now() > end) {
            return value;
        }
        await new Promise((go) => setTimeout(go, 50));
    }
}
