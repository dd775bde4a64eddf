import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rfmSquare } from '../src/rfm.js';

test('codes come into their cells, whatever their m', () => {
    const square = rfmSquare([
        { r: 5, f: 1, m: 1, donors: 3, amount: 300 },
        { r: 5, f: 1, m: 4, donors: 5, amount: 5000 },
        { r: 1, f: 5, m: 2, donors: 1, amount: 10 },
    ]);
    assert.deepEqual(square.map((row) => row.r), [5, 4, 3, 2, 1]);
    assert.deepEqual(square[0].cells[0],
        { f: 1, donors: 8, amount: 5300, heat: 4 });
    assert.deepEqual(square[4].cells[4],
        { f: 5, donors: 1, amount: 10, heat: 1 });
    assert.equal(square[2].cells[2].heat, 0);
});

test('nobody, no heat', () => {
    assert.ok(rfmSquare([]).every((row) =>
        row.cells.every((cell) => cell.donors === 0 && cell.heat === 0)));
});
