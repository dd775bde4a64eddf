import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dateInput, dueState, nextMorning, timeInput } from '../src/due.js';

const NOW = new Date(2026, 10, 23, 14, 30);
const at = (...parts) => new Date(2026, ...parts).toISOString();

test('how a reminder stands', () => {
    assert.equal(dueState(at(10, 23, 14, 30), NOW), 'overdue');
    assert.equal(dueState(at(10, 22, 23, 59), NOW), 'overdue');
    assert.equal(dueState(at(10, 23, 14, 31), NOW), 'today');
    assert.equal(dueState(at(10, 23, 23, 59), NOW), 'today');
    assert.equal(dueState(at(10, 24, 0, 0), NOW), 'tomorrow');
    assert.equal(dueState(at(10, 25, 0, 0), NOW), 'later');
    assert.equal(dueState(at(11, 1, 9), new Date(2026, 10, 30, 23)),
        'tomorrow');
});

test('what the fields of a form take', () => {
    assert.equal(dateInput(new Date(2026, 0, 5)), '2026-01-05');
    assert.equal(timeInput(new Date(2026, 0, 5, 7, 3)), '2026-01-05T07:03');
    assert.equal(timeInput(nextMorning(NOW)), '2026-11-24T09:00');
    assert.equal(timeInput(nextMorning(new Date(2026, 11, 31, 23))),
        '2027-01-01T09:00');
});
