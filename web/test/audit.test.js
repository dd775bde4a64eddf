import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { detailOf } from '../src/audit.js';

const texts = JSON.parse(readFileSync(
    new URL('../src/i18n/id/audit.json', import.meta.url)));
const find = (key) => key.split('.').slice(1)
    .reduce((node, part) => node?.[part], texts);
const i18n = {
    te: (key) => typeof find(key) === 'string',
    t: (key, named = {}) => find(key).replace(/\{(\w+)\}/g,
        (_, name) => named[name]),
};

test('what an import has brought is told in the language of the desk', () => {
    assert.equal(detailOf('12 gifts, 3 new contacts', i18n),
        '12 donasi, 3 kontak baru');
});

test('words of wacrm are translated, names are not', () => {
    assert.equal(detailOf('name supervisor off password', i18n),
        'nama, supervisor, nonaktif, kata sandi');
    assert.equal(detailOf('template', i18n), 'templat');
    assert.equal(detailOf('b***@yayasan.example', i18n),
        'b***@yayasan.example');
    assert.equal(detailOf('name of Budi', i18n), 'name of Budi');
    assert.equal(detailOf('', i18n), '');
    assert.equal(detailOf(null, i18n), '');
    assert.equal(detailOf('constructor', { ...i18n, te: () => false }),
        'constructor');
});
