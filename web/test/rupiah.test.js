import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRupiah, typeRupiah } from '../src/rupiah.js';

test('sums as people write them', () => {
    const cases = [
        ['250000', 250000], ['250.000', 250000], ['Rp250.000', 250000],
        ['Rp 1.250.000,-', 1250000], ['Rp. 1.250.000,00', 1250000],
        ['1,250,000', 1250000], ['500.104', 500104], ['0', 0], ['007', 7],
        ['', null], ['Rp', null], [null, null], ['1234567890123456', null],
    ];
    for (const [text, sum] of cases) {
        assert.equal(parseRupiah(text), sum, String(text));
    }
});

test('dots come while one types', () => {
    const typed = (text, caret = text.length) => typeRupiah(text, caret);
    assert.deepEqual(typed('1000'), { text: '1.000', caret: 5 });
    assert.deepEqual(typed('1.0000'), { text: '10.000', caret: 6 });
    assert.deepEqual(typed('abc'), { text: '', caret: 0 });
    assert.deepEqual(typed('00050'), { text: '50', caret: 2 });
});

test('the caret stays before the same digit', () => {
    // a 9 typed after the first digit of 1.000.000
    assert.deepEqual(typeRupiah('19.000.000', 2),
        { text: '19.000.000', caret: 2 });
    // the 2 of 1.200.000 deleted
    assert.deepEqual(typeRupiah('1.00.000', 2), { text: '100.000', caret: 1 });
    // at the very beginning
    assert.deepEqual(typeRupiah('5250.000', 1),
        { text: '5.250.000', caret: 1 });
});

test('what is pasted is read as a sum', () => {
    for (const text of ['Rp 1.250.000', '1.250.000,00', 'Rp1.250.000,-']) {
        assert.deepEqual(typeRupiah(text, text.length),
            { text: '1.250.000', caret: 9 });
    }
});
