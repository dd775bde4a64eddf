import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { OURS, refusalOf } from '../src/inbox/refusal.js';

test('what gateways say is known, whoever says it', () => {
    for (const [title, code, want] of [
        ['The number 628123 is not on WhatsApp', '400', 'number'],
        ['Message undeliverable', '131026', 'number'],
        ['Invalid phone number', 'VALIDATION_ERROR', 'number'],
        ['Session demo is not connected', '409', 'session'],
        ['Client not ready', null, 'session'],
        ['Re-engagement message', '131047', 'window'],
        ['Too Many Requests', '429', 'rate'],
        ['File too large', '413', 'size'],
        ['Unsupported media type', '415', 'file'],
        ['Unauthorized', '401', 'key'],
        ['Internal Server Error', '500', 'gateway'],
        ['Operation timed out after 15000 ms', 'timeout', 'timeout'],
        ['Failed to connect', 'connection', 'connection'],
        [null, 'opted_out', 'opted_out'],
        ['Who scheduled it may not send from this number any more.',
            'not_allowed', 'not_allowed'],
        ['Simulated failure', '400', 'refused'],
        ['', '', 'refused'],
    ]) {
        assert.equal(refusalOf({ title, code }), want, `${title} ${code}`);
    }
    assert.equal(refusalOf(null), 'refused');
});

test('each has its sentence in both languages', () => {
    const keys = (locale) => Object.keys(JSON.parse(readFileSync(
        new URL(`../src/i18n/${locale}/inbox.json`, import.meta.url)))
        .refusal).sort();
    assert.deepEqual(keys('id'), keys('en'));
    const source = readFileSync(new URL('../src/inbox/refusal.js',
        import.meta.url), 'utf8');
    const known = [...source.matchAll(/^ {4}\['(\w+)'/gm)].map((m) => m[1]);
    assert.deepEqual([...known, ...OURS, 'refused'].sort(), keys('id'));
});
