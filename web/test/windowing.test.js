import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrollTo, windowOf } from '../src/inbox/windowing.js';

const view = (top, count = 10000) => windowOf(
    { top, height: 760, row: 76, count, spare: 2 });

test('ten thousand rows, and a handful of them drawn', () => {
    assert.deepEqual(view(0), { first: 0, last: 12, offset: 0, total: 760000 });
    assert.deepEqual(view(7600),
        { first: 98, last: 112, offset: 98 * 76, total: 760000 });
    assert.equal(view(759240).last, 10000);
});

test('every row in view is drawn, wherever it is scrolled', () => {
    for (let top = 0; top <= 759240; top += 977) {
        const { first, last } = view(top);
        assert.ok(first * 76 <= top && last * 76 >= top + 760);
        assert.ok(last - first <= 16);
    }
});

test('a list that has become shorter', () => {
    assert.deepEqual(view(7600, 3), { first: 0, last: 3, offset: 0, total: 228 });
    assert.deepEqual(view(7600, 0), { first: 0, last: 0, offset: 0, total: 0 });
});

test('scrolled only as far as needed', () => {
    const at = { top: 760, height: 760, row: 76 };
    assert.equal(scrollTo(at, 12), null);
    assert.equal(scrollTo(at, 9), 684);
    assert.equal(scrollTo(at, 20), 21 * 76 - 760);
});
