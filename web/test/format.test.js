import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daysAgo, formatCompact, formatDate, formatDuration, formatMoney,
    formatMonth, formatMonthName, formatPhone, formatSize, formatTime,
    formatWhen, setFormatLocale } from '../src/format.js';

const plain = (text) => text.replace(/\u00a0/g, ' ');

test('rupiah, whole', () => {
    setFormatLocale('id');
    assert.equal(plain(formatMoney(1500000)), 'Rp 1.500.000');
    assert.equal(formatMoney(null), '–');
});

test('a plain date is that day in every zone', () => {
    setFormatLocale('id');
    assert.equal(formatDate('2026-03-01'), '1 Mar 2026');
    assert.equal(formatDate(null), '–');
    assert.equal(formatTime('nonsense'), '–');
});

test('days by the calendar, not by 24 hours', () => {
    const now = new Date(2026, 2, 2, 0, 10);
    assert.equal(daysAgo(new Date(2026, 2, 1, 23, 50), now), 1);
    assert.equal(daysAgo(new Date(2026, 2, 2, 0, 1), now), 0);
});

test('when, as a list tells it', () => {
    setFormatLocale('id');
    const now = new Date(2026, 2, 11, 12, 0);
    const of = (...date) => formatWhen(new Date(...date), 'Kemarin', now);
    assert.equal(of(2026, 2, 11, 9, 5), '09.05');
    assert.equal(of(2026, 2, 10, 9, 5), 'Kemarin');
    assert.equal(of(2026, 2, 8, 9, 5), 'Minggu');
    assert.equal(of(2026, 1, 1, 9, 5), '1 Feb');
    assert.equal(of(2025, 1, 1, 9, 5), '1 Feb 2025');
});

test('phones and aliases, sizes', () => {
    assert.equal(formatPhone('6281234567890'), '+62 812-3456-7890');
    assert.equal(formatPhone('60123456789'), '+60123456789');
    assert.equal(formatPhone('lid:123'), 'lid:123');
    assert.equal(formatPhone(null), '');
    setFormatLocale('id');
    assert.equal(formatSize(1536), '1,5 kB');
    assert.equal(formatSize(0), '0 B');
});

test('how long, in the two greatest units', () => {
    setFormatLocale('id');
    const cases = [[null, '–'], [0, '0 dtk'], [59, '59 dtk'], [60, '1 mnt'],
        [3725, '1 j 2 mnt'], [3600, '1 j'], [176400, '2 hr 1 j'],
        [59.6, '1 mnt']];
    for (const [seconds, text] of cases) {
        assert.equal(plain(formatDuration(seconds)), text, String(seconds));
    }
    setFormatLocale('en');
    assert.equal(plain(formatDuration(3725)), '1 hr 2 mins');
});

test('short, as axes and months have it', () => {
    setFormatLocale('id');
    assert.equal(plain(formatCompact(1500000)), '1,5 jt');
    assert.equal(formatMonth('2026-03-01'), 'Mar 26');
    assert.equal(formatMonthName(12), 'Desember');
});
