import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const dir = new URL('../src/i18n/', import.meta.url);
const read = (locale, file) => JSON.parse(
    readFileSync(new URL(`${locale}/${file}`, dir), 'utf8'));

/** {'...'} stands for itself. */
const LITERAL = /\{'[^']*'\}/g;

/** Path of each text, with the names that it has places for. */
function texts(node, path = '') {
    return Object.entries(node).flatMap(([key, value]) =>
        typeof value === 'string'
            ? [[`${path}${key}`, [...new Set([...value.replace(LITERAL, '').matchAll(/\{(\w+)\}/g)]
                .map((match) => match[1]))].sort().join()]]
            : texts(value, `${path}${key}.`));
}

const files = readdirSync(new URL('id/', dir)).sort();

test('both languages have the same files', () => {
    assert.deepEqual(readdirSync(new URL('en/', dir)).sort(), files);
    assert.ok(files.length > 5);
});

for (const file of files) {
    test(`${file}: the same keys and places in both languages`, () => {
        const id = Object.fromEntries(texts(read('id', file)));
        const en = Object.fromEntries(texts(read('en', file)));
        assert.deepEqual(Object.keys(en).sort(), Object.keys(id).sort());
        for (const key of Object.keys(id)) {
            assert.equal(en[key], id[key], key);
        }
    });
}
