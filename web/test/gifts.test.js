import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giftsByMonth, scoreParts, segmentReason,
    usedBefore } from '../src/gifts.js';

const NOW = new Date(2026, 10, 23);
const gift = (date, amount, more = {}) =>
    ({ date, amount, status: 'confirmed', fund: null, ...more });

test('no gift, no months', () => {
    assert.deepEqual(giftsByMonth([], NOW), []);
    assert.deepEqual(giftsByMonth([gift('2026-11-01', 5,
        { status: 'pledged' })], NOW), []);
});

test('months from the first gift on, at least six', () => {
    const months = giftsByMonth([gift('2026-11-23', 100),
        gift('2026-11-01', 50), gift('2026-01-31', 7)], NOW);
    assert.equal(months.length, 11);
    assert.deepEqual(months[0],
        { month: 2026 * 12, sum: 7, count: 1, total: 7 });
    assert.deepEqual(months[10],
        { month: 2026 * 12 + 10, sum: 150, count: 2, total: 157 });
    assert.equal(giftsByMonth([gift('2026-11-01', 1)], NOW).length, 6);
});

test('what is older than three years is in the total only', () => {
    const months = giftsByMonth([gift('2019-01-01', 1000),
        gift('2026-11-01', 1)], NOW);
    assert.equal(months.length, 36);
    assert.equal(months[0].sum, 0);
    assert.equal(months[0].total, 1000);
    assert.equal(months[35].total, 1001);
});

test('the parts of a score are the score', () => {
    // the first vector of docs/donor-metrics.md: 63
    const parts = scoreParts({ r: 89.0899, f: 60.4531, m: 74.4073,
        giving: 76.0941, conversation: 44.1220, adjust: 0 });
    const sum = parts.reduce((all, part) => all + part.points, 0);
    assert.equal(Math.round(sum), 63);
    assert.equal(parts.reduce((all, part) => all + part.most, 0), 100);
});

test('funds that were used, the latest first, each once', () => {
    assert.deepEqual(usedBefore([gift('2026-02-01', 1, { fund: 'Zakat' }),
        gift('2026-01-01', 1), gift('2025-01-01', 1, { fund: 'Wakaf' }),
        gift('2024-01-01', 1, { fund: 'Zakat' })], 'fund'),
    ['Zakat', 'Wakaf']);
});

test('why somebody is in a segment', () => {
    const why = (segment, dates, vip = false) => segmentReason({ segment, vip,
        donations: dates.map((date) => gift(date, 1)) }, NOW);
    assert.equal(why('New', []), 'none');
    assert.equal(why('New', ['2026-11-01']), 'recent');
    assert.equal(why('Lapsed', ['2025-01-01']), 'lapsed');
    assert.equal(why('VIP', ['2026-11-01'], true), 'vipByHand');
    assert.equal(why('VIP', ['2026-11-01']), 'vip');
    assert.equal(why('Loyal', ['2026-11-01', '2025-11-01']), 'bothYears');
    assert.equal(why('Loyal', ['2026-11-01', '2026-10-01', '2026-09-01']),
        'threeGifts');
    assert.equal(why('Active', ['2026-11-01', '2025-10-01']), 'again');
    assert.equal(why('Loyal', []), 'loyal');
});
