import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventOrder } from '../src/realtime/order.js';

const event = (seq) => ({ seq, name: 'X', data: {} });
const seqs = (events) => events.map((e) => e.seq);

test('each event once, whichever way it comes first', () => {
    const order = new EventOrder(10);
    assert.deepEqual(seqs(order.live(event(11))), [11]);
    assert.deepEqual(seqs(order.page([event(11), event(13)], 13)), [13]);
    assert.deepEqual(seqs(order.live(event(13))), []);
    assert.equal(order.cursor, 13);
});

test('what was missed goes before what came meanwhile', () => {
    const order = new EventOrder(10);
    order.hold();
    assert.deepEqual(order.live(event(15)), []);
    assert.deepEqual(order.live(event(14)), []);
    assert.equal(order.cursor, 10, 'a page is asked for from there');
    assert.deepEqual(seqs(order.page([event(11), event(12), event(14)], 14)),
        [11, 12, 14]);
    assert.deepEqual(seqs(order.release()), [15]);
    assert.deepEqual(seqs(order.live(event(16))), [16]);
    assert.equal(order.cursor, 16);
});

test('what waited is asked for where the socket was lost again', () => {
    const order = new EventOrder(10);
    order.hold();
    order.live(event(12));
    order.hold();
    assert.deepEqual(order.live(event(14)), []);
    assert.deepEqual(seqs(order.page([event(11), event(12)], 12)), [11, 12]);
    assert.deepEqual(seqs(order.release()), [14]);
});

test('no more wait than can be asked for as well', () => {
    const order = new EventOrder(10);
    order.hold();
    for (let seq = 11; seq < 2010; seq++) {
        order.live(event(seq));
    }
    assert.equal(order.full, false);
    order.live(event(2010));
    assert.equal(order.full, true);
    order.hold();
    assert.equal(order.full, false);
    assert.equal(order.cursor, 10, 'they are asked for from there');
    assert.deepEqual(seqs(order.page([event(11)], 2010)), [11]);
    assert.deepEqual(order.release(), []);
    assert.equal(order.full, false, 'nothing waits');
});

test('gaps are normal, and an empty page moves on', () => {
    const order = new EventOrder(10);
    assert.deepEqual(order.page([], 400), []);
    assert.equal(order.cursor, 400);
});

test('typing has no number and passes', () => {
    const order = new EventOrder(1);
    assert.equal(order.live({ name: 'DonaturTyping', data: {} }).length, 1);
    assert.equal(order.live({ name: 'DonaturTyping', data: {} }).length, 1);
});

test('another database: it begins anew', () => {
    const order = new EventOrder(1000);
    order.live(event(1001));
    order.reset(5);
    assert.equal(order.cursor, 5);
    assert.deepEqual(seqs(order.live(event(6))), [6]);
});

test('it remembers as much as it needs, not for ever', () => {
    const order = new EventOrder(0);
    for (let seq = 1; seq <= 10000; seq++) {
        order.live(event(seq));
    }
    assert.ok(order.seen.size <= 2000);
    assert.deepEqual(order.live(event(9999)), []);
});
