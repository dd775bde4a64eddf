// Every operation of docs/openapi.yaml against a running desk: what is sent
// and what is answered is held against the document.
import { createHash, createHmac } from 'node:crypto';

import { about, announce, login, request, root, waitFor } from './desk.mjs';
import { Document } from './document.mjs';
import { scenario } from './scenario.mjs';
import { attempt, diag, is, main, ok } from './tap.mjs';

const doc = new Document(`${root}/docs/openapi.yaml`);
const tokens = {};
const seen = new Map(); /* operation -> set of statuses */
const last = new Map(); /* operation -> what succeeded */

/* What answers in no test, and why. */
const UNSEEN = {
    'health 503': 'needs a broken database: t/wacrmd.t',
    'edgeHealth 503': 'needs a full spool: t/webhook_commit.t',
    'webhook 503': 'needs a full spool: t/webhook_commit.t',
    'webhookChallenge 404': 'only where it is off: t/webhook_challenge.t',
    'edgeMetrics 403': 'needs another address: t/hostile_http.t',
    'metrics 403': 'needs another address: t/hostile_http.t',
    'webhook 415': 'only where types are configured: t/webhook_config.t',
};

/* In place of every parameter of a path: what is not there. */
const NOBODY = { integer: '999999999', phone: '6289999999999',
    string: 'nobody' };

/* The gateway is asked of any number: their 404 is that of a session. */
const ANYBODY = ['checkContact', 'contactPicture'];

function url(o, { path = {}, query = {} }) {
    const filled = o.path.replace(/\{(\w+)\}/g, (all, name) =>
        encodeURIComponent(path[name]));
    const q = new URLSearchParams(query).toString();
    return q === '' ? filled : `${filled}?${q}`;
}

function headersOf(o, { as, token, headers = {}, type, body }) {
    const out = { ...headers };
    if (o.bearer && as !== null) {
        out.Authorization = `Bearer ${token || tokens[as]}`;
    }
    if (type !== undefined || body !== undefined) {
        out['Content-Type'] = type || 'application/json';
    }
    return out;
}

/* What a backend adds to its query (the Pusher protocol). */
function signedQuery(o, args) {
    const raw = args.raw !== undefined ? args.raw
        : args.body !== undefined ? JSON.stringify(args.body) : undefined;
    const pairs = { ...args.query, auth_key: 'wacrm', auth_version: '1.0',
        auth_timestamp: String(Math.floor(Date.now() / 1000)),
        ...raw !== undefined && {
            body_md5: createHash('md5').update(raw).digest('hex') } };
    const text = Object.keys(pairs).sort().map((k) => `${k}=${pairs[k]}`)
        .join('&');
    const target = url(o, { path: args.path });
    return { ...pairs, auth_signature: createHmac('sha256', about.appSecret)
        .update(`${o.method}\n${target}\n${text}`).digest('hex') };
}

function sign(o, raw) {
    return o.operationId !== 'webhook' ? {} : { 'X-Webhook-Signature':
        createHmac('sha256', about.secret).update(raw).digest('hex') };
}

/* Sends what is given; body is JSON, raw its bytes, form a FormData. */
async function send(o, given) {
    const raw = given.raw !== undefined ? given.raw
        : given.body !== undefined ? JSON.stringify(given.body) : undefined;
    const headers = headersOf(o, given);
    if (raw !== undefined && given.signed !== false) {
        Object.assign(headers, sign(o, raw));
    }
    const r = await request(o.method, given.url || url(o, given), { headers,
        body: given.form || (raw !== undefined || o.method === 'GET'
            ? raw : '') });
    if (!seen.has(o.operationId)) {
        seen.set(o.operationId, new Set());
    }
    seen.get(o.operationId).add(r.status);
    return r;
}

/* The operation with these arguments answers want, as the document says.
 * later: what the errors are tried with, where what succeeds does so once. */
async function call(id, given = {}) {
    const o = doc.operation(id);
    const { want = 200, name = '' } = given;
    const args = { as: 'cs1', ...given };
    if (o.path.startsWith('/apps/') && given.signed !== false) {
        args.query = signedQuery(o, args);
    }
    const faults = want < 400 ? doc.requestFaults(o, args) : [];
    const r = await send(o, args);
    faults.push(...doc.answerFaults(o, r));
    if (r.status !== want) {
        faults.unshift(`status ${r.status}: ${r.text.slice(0, 500)}`);
    }
    ok(faults.length === 0, `${id} ${want}${name && `: ${name}`}`, ...faults);
    if (want < 300) {
        last.set(id, { as: 'cs1', ...given, ...given.later });
    }
    return r;
}

async function document() {
    is(await doc.faults(), '', 'the document is OpenAPI 3.1');
    is(doc.doc.openapi, '3.1.0', 'and says so');
    is(doc.loose(), [], 'no object or list of anything');
    for (const o of doc.operations.values()) {
        const path = [...o.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
        is(o.parameters.filter((p) => p.in === 'path').map((p) => p.name),
            path, `${o.operationId}: the parameters of its path`);
    }
}

/* The operations that declare a status, less those that never succeeded. */
const declaring = (status) => [...doc.operations.values()].filter((o) =>
    String(status) in o.responses && last.has(o.operationId));

async function errors401() {
    for (const o of declaring(401).filter((d) => d.bearer)) {
        await call(o.operationId, { ...last.get(o.operationId), as: null,
            want: 401, name: 'no token' });
    }
}

async function errors403() {
    for (const o of declaring(403).filter((d) => d.bearer)) {
        await call(o.operationId, { ...last.get(o.operationId), as: 'cs2',
            want: 403, name: 'not for a cs' });
    }
}

async function errors404() {
    for (const o of declaring(404)) {
        if (ANYBODY.includes(o.operationId)) {
            continue;
        }
        const path = {};
        for (const p of o.parameters.filter((x) => x.in === 'path')) {
            path[p.name] = NOBODY[p.name]
                || NOBODY[doc.resolve(p.schema).type] || NOBODY.string;
        }
        if (Object.keys(path).length > 0) {
            await call(o.operationId, { ...last.get(o.operationId), path,
                want: 404, name: 'of nothing' });
        }
    }
}

/* Without each required member, and with each member of a wrong type. */
async function errors422() {
    for (const o of declaring(422)) {
        const args = last.get(o.operationId);
        const schema = doc.bodySchema(o);
        if (schema && args.body && schema.properties) {
            for (const field of schema.required || []) {
                const { [field]: gone, ...body } = args.body;
                await invalid(o, { ...args, body }, field, 'missing');
            }
            for (const [field, s] of Object.entries(schema.properties)) {
                const value = JSON.stringify(s).includes('"object"')
                    || s === true ? 7 : { wrong: true };
                await invalid(o, { ...args,
                    body: { ...args.body, [field]: value } }, field, 'wrong');
            }
        }
        if (args.path && args.path.phone) {
            await invalid(o, { ...args, path: { phone: 'nonsense' } },
                'phone', 'wrong');
        }
        for (const p of o.parameters.filter((x) => x.in === 'query'
            && doc.resolve(x.schema).type === 'integer')) {
            await invalid(o, { ...args,
                query: { ...args.query, [p.name]: 'x' } }, p.name, 'wrong');
        }
    }
}

async function invalid(o, args, field, what) {
    const r = await call(o.operationId, { ...args, want: 422,
        name: `${field} ${what}` });
    if (r.status === 422) {
        ok(r.json && r.json.errors && field in r.json.errors,
            `${o.operationId}: errors.${field}`, r.text);
    }
}

async function errors400() {
    for (const o of declaring(400)) {
        const args = last.get(o.operationId);
        await call(o.operationId, doc.bodySchema(o)
            ? { ...args, body: undefined, form: undefined,
                type: 'application/json', raw: '{"a":', want: 400,
                name: 'half of a body' }
            : { ...args, url: `${url(o, args)}${
                args.query ? '&' : '?'}a=%zz`, want: 400,
            name: 'a malformed query' });
    }
}

async function errors413and415() {
    for (const o of declaring(413)) {
        const args = { ...last.get(o.operationId), type: 'text/csv' };
        const r = await announce(o.method, url(o, args),
            { ...headersOf(o, args), 'Content-Length': 2 ** 30 });
        seen.get(o.operationId).add(r.status);
        is([r.status, doc.answerFaults(o, r)], [413, []],
            `${o.operationId} 413: a GiB is announced`);
    }
    for (const o of declaring(415)) {
        if (!(`${o.operationId} 415` in UNSEEN)) {
            await call(o.operationId, { ...last.get(o.operationId),
                body: undefined, form: undefined, type: 'application/x-other',
                raw: 'hello', want: 415, name: 'another type' });
        }
    }
}

async function unchanged() {
    for (const o of declaring(304)) {
        const args = last.get(o.operationId);
        let known;
        await waitFor(async () => { /* messages are leaving meanwhile */
            const first = await send(o, args);
            known = { ...args, headers: { ...args.headers,
                'If-None-Match': first.headers.get('etag') } };
            return (await send(o, known)).status === 304;
        });
        await call(o.operationId, { ...known, want: 304,
            name: 'the same ETag' });
    }
}

/* Another path of the document, with a parameter, is this one, too. */
function covers(path) {
    return [...doc.operations.values()].some((o) => o.path !== path
        && new RegExp(`^${o.path.replace(/\{\w+\}/g, '[^/{}]+')}$`)
            .test(path));
}

/* Nothing answers that is not in the document, but the desk's pages
 * (t/web_static.t). */
async function nothingElse() {
    for (const path of ['/api', '/api/crm', '/api/crm/', '/api/auth',
        '/api/auth/', '/api/auth/nothing', '/api/crm/nothing',
        '/api/crm/inbox/', '/api/crm/inbox/1/nothing', '/api/nothing',
        '/api/webhook', '/api/webhook/nothing',
        '/metrics/', '/metrics/nothing', '/healthz/', '/app']) {
        const r = await request('GET', path, { headers: {
            Authorization: `Bearer ${tokens.admin}` } });
        is([r.status, r.json && r.json.success, doc.misfits(doc.resolve(
            doc.doc.components.responses.NotFound)
            .content['application/json'].schema, r.json)],
        [404, false, []], `404 of ${path}`, r.text);
    }
    const all = [...doc.operations.values()];
    for (const path of new Set(all.filter((o) => last.has(o.operationId)
        && (o['x-served-by'] !== 'nginx' || '405' in o.responses))
        .map((o) => o.path).filter((path) => !covers(path)))) {
        const list = all.filter((o) => o.path === path);
        const known = list.map((o) => o.method);
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
            .filter((m) => !known.includes(m))) {
            const at = url(list[0], last.get(list[0].operationId));
            const r = await request(method, at, { headers: {
                Authorization: `Bearer ${tokens.admin}` },
            body: method === 'GET' ? undefined : '' });
            for (const o of list) {
                seen.get(o.operationId).add(r.status);
            }
            const allow = (r.headers.get('allow') || '').split(/, */)
                .filter((m) => m !== 'HEAD').sort();
            is([r.status, allow], [405, [...known].sort()],
                `405 of ${method} ${path}`, r.text);
        }
    }
}

/* Bodies that are refused: so many of them that the rate is, too. */
async function tooMany() {
    for (const o of declaring(429)) {
        const strangers = ANYBODY.includes(o.operationId);
        const args = { ...last.get(o.operationId), body: undefined,
            form: undefined, raw: strangers ? undefined : '[]',
            type: 'application/json', as: 'cs2', signed: false };
        let r = { status: 0 };
        for (let i = 0; i < 1000 && r.status !== 429; i++) {
            r = await send(o, strangers
                ? { ...args, path: { phone: `${62819900000000 + i}` } } : args);
        }
        is([r.status, doc.answerFaults(o, r)], [429, []],
            `${o.operationId} 429 in the end`);
    }
}

function covered() {
    for (const o of doc.operations.values()) {
        const got = [...seen.get(o.operationId) || []];
        ok(got.some((s) => s < 300), `${o.operationId} has succeeded`,
            `seen: ${got.join(' ')}`);
        const left = Object.keys(o.responses).filter((s) =>
            !got.includes(Number(s)) && s !== '503'
            && !(`${o.operationId} ${s}` in UNSEEN));
        is(left, [], `${o.operationId}: every status of the document`);
    }
}

async function present() {
    for (const who of ['cs1', 'cs2', 'supervisor', 'admin']) {
        tokens[who] = await login(who);
    }
    tokens.leaver = await login('cs2');
    await attempt(document);
    await attempt(scenario, call);
    for (const part of [unchanged, errors401, errors403, errors404,
        errors422, errors400, errors413and415, nothingElse, tooMany]) {
        await attempt(part);
    }
    covered();
}

/* wacrmd is down: what it serves answers 503, from nginx. */
async function away() {
    tokens.cs1 = about.token;
    for (const o of doc.operations.values()) {
        if (o['x-served-by'] === 'nginx') {
            continue;
        }
        const path = Object.fromEntries(o.parameters.filter((p) =>
            p.in === 'path').map((p) => [p.name, '1']));
        const r = await send(o, { as: 'cs1', path });
        ok('503' in o.responses, `${o.operationId} declares a 503`);
        is([r.status, doc.misfits(
            { $ref: '#/components/schemas/Error' }, r.json),
        r.headers.has('retry-after')], [503, [], true],
        `${o.operationId} 503: wacrmd is away`, r.text);
    }
}

diag(`node ${process.version}`);
await main(about.phase === 'away' ? away : present);
