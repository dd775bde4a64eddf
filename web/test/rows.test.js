import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPage, belongs, compareRows, mergeFirstPage,
    putRows } from '../src/inbox/rows.js';

const row = (id, time, more = {}) => ({ id: String(id),
    timestamp: `2026-03-01T00:00:${String(time).padStart(2, '0')}Z`,
    unread_count: 0, is_starred: false, ...more });
const putRow = (rows, one, belongs, hasMore) =>
    putRows(rows, [{ row: one, belongs }], hasMore);
const ids = (rows) => rows.map((r) => r.id).join(' ');

test('newest first, then by the number of the chat', () => {
    const rows = [row(2, 5), row(10, 5), row(3, 9)];
    assert.equal(ids(rows.sort(compareRows)), '3 10 2');
});

test('a row goes to its place, and out of its old one', () => {
    const rows = [row(3, 30), row(2, 20), row(1, 10)];
    assert.equal(ids(putRow(rows, row(1, 40), true, false)), '1 3 2');
    assert.equal(ids(putRow(rows, row(9, 15), true, false)), '3 2 9 1');
    assert.equal(ids(putRow(rows, row(2, 20), false, false)), '3 1');
    assert.equal(ids(rows), '3 2 1', 'the old list is as it was');
});

test('what comes after the last loaded row stays with those not loaded', () => {
    const rows = [row(3, 30), row(2, 20)];
    assert.equal(ids(putRow(rows, row(1, 10), true, true)), '3 2');
    assert.equal(ids(putRow(rows, row(1, 10), true, false)), '3 2 1');
    assert.equal(ids(putRow(rows, row(2, 20), true, true)), '3 2',
        'the last one has not moved');
    assert.equal(ids(putRow(rows, row(2, 10), true, true)), '3',
        'the last one has');
    assert.equal(ids(putRow([], row(1, 10), true, true)), '1');
});

test('many rows at once come to where each alone would', () => {
    const rows = [row(4, 40), row(3, 30), row(2, 20), row(1, 10)];
    const changes = [[row(2, 50), true], [row(4, 40), false],
        [row(9, 35), true], [row(8, 5), true]];
    for (const hasMore of [false, true]) {
        assert.equal(ids(putRows(rows, changes.map(([one, is]) =>
            ({ row: one, belongs: is })), hasMore)),
        ids(changes.reduce((list, [one, is]) =>
            putRow(list, one, is, hasMore), rows)));
    }
});

test('the first page is the truth of what it covers', () => {
    const rows = [row(5, 50), row(4, 40), row(3, 30), row(2, 20), row(1, 10)];
    // 4 was read meanwhile (filter unread), 2 has moved up.
    const page = [row(2, 60), row(5, 50), row(3, 30)];
    assert.equal(ids(mergeFirstPage(rows, page, true)), '2 5 3 1');
    assert.equal(ids(mergeFirstPage(rows, page, false)), '2 5 3');
    assert.equal(ids(mergeFirstPage(rows, page, true, '4')), '2 5 4 3 1',
        'the open one stays');
    assert.equal(ids(mergeFirstPage(rows, [], false)), '');
    assert.equal(mergeFirstPage(rows, [], true), rows,
        'a search that has found none yet');
});

test('the next page adds none twice', () => {
    assert.equal(ids(appendPage([row(3, 30), row(2, 20)],
        [row(2, 20), row(1, 10)])), '3 2 1');
});

test('filters that a browser can answer', () => {
    assert.equal(belongs(row(1, 1), 'unread'), false);
    assert.equal(belongs(row(1, 1, { unread_count: 2 }), 'unread'), true);
    assert.equal(belongs(row(1, 1, { is_starred: true }), 'starred'), true);
    assert.equal(belongs(row(1, 1), 'failed'), null);
});
