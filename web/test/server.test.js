import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ApiError, describe } from '../src/api/errors.js';
import { sayInvalid } from '../src/api/invalid.js';
import { reasonOf } from '../src/components/imports/reasons.js';

/*
 * What wacrmd says in English, as its sources have it: each text is told in
 * the reader's language, or is listed here with why nobody reads it.
 */
const daemon = new URL('../../daemon/', import.meta.url);
const text = (locale, file) => JSON.parse(readFileSync(new URL(
    `../src/i18n/${locale}/${file}.json`, import.meta.url), 'utf8'));
const t = (key, named) => `${key} ${JSON.stringify(named)}`;

/* Whom these answer is no desk: backends, sockets, Prometheus. */
const ELSEWHERE = /\/(?:apps|broadcasting|socket|upgrade|metrics)\.c$/;

/* The desk sends no such request, or tells it by the answer's status, or in
 * the words of the page that it belongs to. */
const UNREAD = [
    // 401, 403, 404, 413, 415, 426, 429 and 503
    /^Too many .* Please wait\.$/,
    /^Invalid credentials\.$/,
    /^[A-Z]\w+ not found\.$/,
    /^The (?:body|file) is too large\.$|^Files of this type are not /,
    /^The content type must be /,
    /^The search is not running\.$|^An import is running\.$/,
    /^The server cannot use its disk just now\. /,
    // the shape of a request
    /^The body (?:is not valid JSON|must be a JSON object)\.$/,
    /^Malformed query string\.$/,
    /^The Idempotency-Key must be /,
    / must be (?:a string|true or false|an array or an object)\.$/,
    / must be strings or numbers\.$/,
    / must be a list of up to \d+ ids\.$| must hold ids\.$/,
    / field is not a cursor\.$| must be the number of an event\.$/,
    / is prohibited when \w+ is present\.$/,
    /^The type field must be image or document /,
    /^The url field must be an? .* address\.$/,
    // SettingsPage, GatewayDialog, NewSession, ImportPage
    /^The current password is incorrect\.$/,
    /^Failed to connect$/,
    /^The session name field must be up to /,
    /^The file cannot be imported: /,
    // of no error: beside {whatsapp: null}, or beside the number
    /^The gateway has not answered\./,
    /^The gateway (?:did not answer|knows numbers only|cannot be asked)\.$/,
];

function sources(dir) {
    return readdirSync(new URL(dir, daemon), { withFileTypes: true })
        .flatMap((entry) => {
            const path = `${dir}${entry.name}`;
            return entry.isDirectory() ? sources(`${path}/`)
                : path.endsWith('.c') && !ELSEWHERE.test(path) ? [path] : [];
        });
}
const STRING = /"((?:[^"\\]|\\.)*)"/g;
/* Without comments and names of headers; string literals in a row are
   one. */
const code = (path) => readFileSync(new URL(path, daemon), 'utf8')
    .replace(/^\s*#\s*include.*$/gm, '')
    .replace(/\/\*.*?\*\/|'(?:[^'\\\n]|\\.)+'|("(?:[^"\\]|\\.)*")/gs,
        (_, string) => string ?? ' ')
    .replace(/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")+/g, (row) =>
        `"${[...row.matchAll(STRING)].map(([, one]) => one).join('')}"`);
/* They, and what they are formatted to. */
function literals(path) {
    return [...code(path).matchAll(STRING)].map(([, literal]) =>
        literal.replace(/%(?:zu|ll?d|d)/g, '5').replace(/%s/g, 'word'));
}
const SENTENCE = /^(?:[A-Z]|public_url ).* .*\.$|^Failed to connect$/s;
const said = [...new Set([...sources('http/'), 'gateway/waapi_session.c']
    .flatMap(literals).filter((one) => SENTENCE.test(one)))];

test('every sentence of the API is told in the reader\'s language', () => {
    assert.ok(said.length > 80, `only ${said.length} are found`);
    const conflicts = new Set(codes().map(([, sentence]) => sentence));
    const left = said.filter((one) => sayInvalid(one, t) === one
        && !conflicts.has(one) && !UNREAD.some((form) => form.test(one)));
    assert.deepEqual(left, []);
});

test('none is listed that nobody says', () => {
    const idle = UNREAD.filter((form) => !said.some((one) => form.test(one)));
    assert.deepEqual(idle, []);
});

/* ("code", "Sentence.") */
function codes() {
    return sources('http/').flatMap((path) => [...code(path).matchAll(
        /(\w+)\(\s*[^;"(]*"(\w+)",\s*"([A-Z][^"]*\.)"/g)]
        .filter(([, name]) => name !== 'invalid_add')
        .map(([, , code, sentence]) => [code, sentence]));
}

test('every code of a conflict has its sentence', () => {
    assert.ok(codes().length >= 9, `only ${codes().length} are found`);
    for (const [code, message] of codes()) {
        assert.equal(describe(new ApiError({ status: 409, code, message }), t),
            t(`common.errors.${code}`));
        for (const locale of ['id', 'en']) {
            assert.ok(text(locale, 'common').errors[code], `${locale}: ${code}`);
        }
    }
});

test('every rule has a text', () => {
    for (const sentence of said) {
        const [, key] = /^common\.invalid\.(\w+) /
            .exec(sayInvalid(sentence, t)) ?? [];
        for (const locale of key ? ['id', 'en'] : []) {
            assert.ok(text(locale, 'common').invalid[key], `${locale}: ${key}`);
        }
    }
});

test('why a row or a file is not imported', () => {
    const reasons = [...['domain/donor_import.c', 'domain/donor_import_row.c',
        'http/routes/transfer.c'].flatMap(literals)]
        .filter((one) => /^(?:a|the|it|phone|amount|date) /.test(one)
            && one !== 'a made reference has room');
    assert.ok(reasons.length >= 12, `only ${reasons.length} are found`);
    for (const reason of reasons) {
        const [, key] = /^import\.why\.(\w+)/.exec(reasonOf(reason, t)) ?? [];
        assert.ok(key, reason);
        for (const locale of ['id', 'en']) {
            assert.ok(text(locale, 'import').why[key], `${locale}: ${key}`);
        }
    }
});

test('words of others stay, and it is told that they are a refusal', () => {
    const of = (status, message) =>
        describe(new ApiError({ status, message }), t);
    assert.equal(of(400, 'Session limit reached'),
        t('common.errors.refused', { text: 'Session limit reached' }));
    assert.equal(of(422, 'The name field is required.'),
        t('common.invalid.required', {}));
    assert.equal(of(500, 'Server Error'), t('common.errors.unexpected'));
});
