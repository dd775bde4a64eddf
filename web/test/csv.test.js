import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvRows } from '../src/csv.js';

const rows = (text, ...numbers) => [...csvRows(text, numbers)];

test('row 2 is the first below the names', () => {
    assert.deepEqual(rows('phone,name\n0812,Ani\n0813,Budi\n', 2, 3),
        [[2, '0812,Ani'], [3, '0813,Budi']]);
    assert.deepEqual(rows('phone\r\n0812\r\n0813', 3), [[3, '0813']]);
    assert.deepEqual(rows('', 1), []);
});

test('empty lines are not counted', () => {
    assert.deepEqual(rows('phone\n\n\n0812\n', 2), [[2, '0812']]);
});

test('a quoted line break does not end a row', () => {
    assert.deepEqual(rows('phone,note\n0812,"a\nb ""c"""\n0813,d\n', 2, 3),
        [[2, '0812,"a\nb ""c"""'], [3, '0813,d']]);
});
