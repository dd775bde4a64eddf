// Every field of a request in docs/openapi.yaml is said to name a thing of
// somebody's, to be for administrators or backends, or is in the list of plain
// values.
import { readFileSync } from 'node:fs';
import YAML from 'yaml';
import { is, main, ok } from './tap.mjs';

const test = JSON.parse(process.env.WACRM_TEST);
const doc = YAML.parse(readFileSync(`${test.root}/docs/openapi.yaml`, 'utf8'));

// what is written, not what is meant by it
const plain = ['body:amount', 'body:base64', 'body:campaign', 'body:content',
    'body:date', 'body:file', 'body:fund', 'body:language', 'body:message',
    'body:method', 'body:mime', 'body:name', 'body:note', 'body:password',
    'body:ref', 'body:refresh_token', 'body:remind_at', 'body:scheduled_at',
    'body:seen_seq', 'body:state', 'body:type', 'body:url', 'body:variables',
    'body:vip', 'header:Range', 'query:calendar', 'query:dry_run',
    'query:exclusive', 'query:expires', 'query:feed', 'query:filter',
    'query:hub.challenge',
    'query:hub.mode', 'query:hub.verify_token', 'query:in', 'query:limit',
    'query:q', 'query:same_date', 'query:search', 'query:shape',
    'query:start_month', 'query:state', 'query:year', 'query:whatsapp',
    'query:client',
    'query:protocol', 'query:version', 'query:filter_by_prefix',
    'query:info', 'header:Connection', 'header:Origin',
    'header:Sec-WebSocket-Key', 'header:Sec-WebSocket-Version',
    'header:Upgrade', 'body:current_password'];

function resolve(object) {
    let o = object;
    while (o && o.$ref) {
        o = o.$ref.slice(2).split('/').reduce((at, name) => at[name], doc);
    }
    return o;
}

function members(schema, found) {
    const s = resolve(schema) || {};
    for (const part of [...s.allOf || [], ...s.oneOf || [], ...s.anyOf || []]) {
        members(part, found);
    }
    for (const [name, value] of Object.entries(s.properties || {})) {
        found.add(`body:${name}`);
        members(value, found);
    }
    if (s.items) {
        members(s.items, found);
    }
}

async function fields() {
    const found = new Set();
    for (const item of Object.values(doc.paths)) {
        for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
            const op = item[method] || {};
            for (const p of [...op.parameters || [], ...item.parameters || []]
                .map(resolve)) {
                if (p.in !== 'path') {
                    found.add(`${p.in}:${p.name}`);
                }
            }
            const body = resolve(op.requestBody) || {};
            for (const { schema } of Object.values(body.content || {})) {
                members(schema, found);
            }
        }
    }
    ok(found.size > 50, `${found.size} fields`);
    const known = new Set([...test.tried, ...test.admins,
        ...test.backends, ...plain]);
    is([...found].filter((name) => !known.has(name)).sort(), [],
        'each of them is known');
    is([...known].filter((name) => !found.has(name)).sort(), [],
        'and all that are known are there');
}

await main(fields);
