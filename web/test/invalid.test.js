import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sayInvalid } from '../src/api/invalid.js';

const t = (key, named) => `${key} ${JSON.stringify(named)}`;
const texts = JSON.parse(readFileSync(
    new URL('../src/i18n/id/common.json', import.meta.url), 'utf8')).invalid;

test('what the server says of a field is told in the reader\'s language', () => {
    const of = {
        'The phone field must be a phone number.': 'phone {}',
        'The name field is required.': 'required {}',
        'The note field must not be greater than 5000 characters.':
            'longest {"n":"5000"}',
        'The password field must be at least 8 characters.':
            'shortest {"n":"8"}',
        'The amount field must be between 1 and 1000000000000.':
            'between {"from":"1","to":"1000000000000"}',
        'The remind_at field must be a date after now.': 'future {}',
        'The email has already been taken.': 'taken {}',
        'The selected role is invalid.': 'choice {}',
    };
    for (const [english, told] of Object.entries(of)) {
        const said = sayInvalid(english, t);
        assert.equal(said, `common.invalid.${told}`);
        assert.ok(texts[told.split(' ')[0]], `a text for ${told}`);
    }
});

test('other words stay', () => {
    assert.equal(sayInvalid('Kata sandi salah.', t), 'Kata sandi salah.');
    assert.equal(sayInvalid('', t), '');
});
