// The desk that t/lib/Wacrm/Node.pm tells of.
const about = JSON.parse(process.env.WACRM_TEST);

export const { origin, password, root, session, phase } = about;
export { about };

/* {status, headers, text, json} */
export async function request(method, url, { headers = {}, body } = {}) {
    const res = await fetch(new URL(url, origin), { method, headers, body,
        redirect: 'manual' });
    const bytes = Buffer.from(await res.arrayBuffer());
    const text = bytes.toString('utf8');
    let json;
    try {
        json = JSON.parse(text);
    } catch (e) {
        json = undefined;
    }
    return { status: res.status, headers: res.headers, bytes, text, json };
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

/* Until what() gives something true, which is returned. */
export async function waitFor(what, seconds = 10) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
        const value = await what();
        if (value || Date.now() > end) {
            return value;
        }
        await new Promise((go) => setTimeout(go, 50));
    }
}
