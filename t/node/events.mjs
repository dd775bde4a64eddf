// What is told of each change, against docs/openapi.yaml and the examples of
// docs/events.md.
import { readFileSync } from 'node:fs';

import { about, root } from './desk.mjs';
import { Document } from './document.mjs';
import { is, main, ok } from './tap.mjs';

/* Told, but by no row: realtime alone has it. */
const UNNUMBERED = ['DonaturTyping'];

const doc = new Document(`${root}/docs/openapi.yaml`);
const schema = { $ref: '#/components/schemas/Event' };
const name = (e) => e.event.replace(/^.*\\/, '');
const sorted = (set) => [...set].sort();

/* Every "## `Name`" and the JSON below it. */
function examples() {
    const text = readFileSync(`${root}/docs/events.md`, 'utf8');
    return text.split(/^## /m).slice(1).map((part) => ({
        names: [...part.split('\n')[0].matchAll(/`(\w+)`/g)].map((m) => m[1]),
        json: [...part.matchAll(/^```json\n([^]*?)^```/gm)].map((m) =>
            JSON.parse(m[1])),
    })).filter((e) => e.names.length > 0);
}

/* Where it has members: their names, and those of the members inside. */
function shape(value, path = '') {
    if (Array.isArray(value) || value === null || typeof value !== 'object') {
        return [];
    }
    return Object.entries(value).flatMap(([key, v]) =>
        [`${path}${key}`, ...shape(v, `${path}${key}.`)]);
}

await main(async () => {
    const told = JSON.parse(readFileSync(about.told, 'utf8'));
    const documented = examples();
    const names = new Set(documented.flatMap((e) => e.names));

    for (const e of told) {
        const faults = doc.misfits(schema, e);
        is(faults, [], `${name(e)} ${e.seq} is as the document says`);
        ok(Buffer.byteLength(JSON.stringify(e.data)) <= 10000,
            `${name(e)} ${e.seq} is short`);
    }
    is(sorted(new Set(told.map(name))),
        sorted([...names].filter((n) => !UNNUMBERED.includes(n))),
        'each event of docs/events.md was seen, and no other');
    for (const { names: of, json } of documented) {
        ok(json.length > 0, `${of.join(', ')}: has an example`);
        for (const data of json) {
            if (UNNUMBERED.includes(of[0])) {
                is(sorted(Object.keys(data)), ['isTyping', 'phone'],
                    `${of[0]}: its example`);
                continue;
            }
            const event = told.find((e) => of.includes(name(e))
                && String(shape(e.data).sort()) === String(shape(data).sort()));
            ok(event, `${of.join(', ')}: its example has the members that one `
                + 'had', shape(data).sort().join(' '),
            ...told.filter((e) => of.includes(name(e)))
                .map((e) => shape(e.data).sort().join(' ')));
            is(doc.misfits(schema, { ...(event || {}), data }), [],
                `${of.join(', ')}: its example is as the document says`);
        }
    }
});
