import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import axios, { AxiosError } from 'axios';
import { createPinia, setActivePinia } from 'pinia';
import { browser, elsewhere, withLocks } from './storage.js';

const HOUR = 3600 * 1000;
const CHAT = { id: 'c1', name: 'Aminah', phone: '62811', session_id: 'pusat' };

/* The server: what was asked, and what it answers. */
let asked = [];
let answer = null;
axios.defaults.adapter = async (config) => {
    if (config.method === 'get') {
        throw new AxiosError('away', null, config, null);
    }
    asked.push({ url: config.url, key: config.headers['Idempotency-Key'],
        body: typeof config.data === 'string' ? JSON.parse(config.data)
            : config.data });
    const [status, data] = await answer(asked.at(-1), asked.length);
    const response = { status, data, headers: {}, config };
    if (status >= 400) {
        throw new AxiosError('no', null, config, null, response);
    }
    return response;
};
const { useSending } = await import('../src/stores/sending.js');
const { useAuth } = await import('../src/stores/auth.js');
const { onExpired } = await import('../src/api/client.js');

const realNow = Date.now;
const sent = (request) => [200, { data: { id: 1, chat_id: 'c1',
    message: request.body.message } }];
const quiet = () => new Promise((done) => setTimeout(done, 20));
const kept = () => Object.keys(localStorage)
    .filter((key) => key.startsWith('wacrm.sending.'));
const states = (sending) => sending.entries.map(({ state }) => state);

function signIn(life = HOUR) {
    localStorage.setItem('wacrm.auth', JSON.stringify({ token: 't',
        refresh: 'r', expires: Date.now() + life, user: { id: 7 } }));
}
beforeEach(() => {
    Date.now = realNow;
    browser();
    setActivePinia(createPinia());
    signIn();
    asked = [];
    answer = sent;
});
afterEach(() => {
    const sending = useSending();
    sending.entries.forEach(({ key }) => sending.remove(key));
});
const entry = (key, more = {}) => ({ key, part: 0, chatId: 'c1',
    phone: '62811', sessionId: 'pusat', kind: 'message',
    body: { phone: '62811', message: key }, text: key, name: null,
    mediaId: null, share: 0, after: 0, user: 7, at: Date.now(), tries: 1,
    state: 'waiting', error: null, newer: null, ...more });
function leave(...entries) {
    entries.forEach((one) => localStorage.setItem(
        `wacrm.sending.7.${one.key}`, JSON.stringify(one)));
}

test('it is kept before anything is asked, and not after it has left', async () => {
    const sending = useSending();
    sending.add(CHAT, [{ text: 'satu' }]);
    assert.equal(kept().length, 1);
    assert.equal(asked.length, 0);
    await quiet();
    assert.deepEqual([kept(), sending.entries, asked.length], [[], [], 1]);
});

test('in order, older ones first; those of more than 23 hours not at all', async () => {
    leave(entry('lama', { at: Date.now() - 24 * HOUR }),
        entry('dua', { at: Date.now() - 1000 }),
        entry('satu', { at: Date.now() - 2000 }),
        entry('nanti', { at: Date.now() + 24 * HOUR }));
    const sending = useSending();
    sending.resume();
    await quiet();
    assert.deepEqual(asked.map(({ key }) => key), ['satu', 'dua']);
    assert.deepEqual(sending.entries.map(({ key, state, error }) =>
        [key, state, error.code]), [['lama', 'refused', 'too_old'],
        ['nanti', 'refused', 'too_old']]);
    sending.again('lama');
    await quiet();
    assert.equal(asked.length, 3, 'but when a person says so');
    assert.notEqual(asked[2].key, 'lama', 'as another request');
});

test('the password is given on Monday: what was written on Friday stays', async () => {
    signIn(-1);
    answer = ({ url }) => /refresh/.test(url) ? [401, {}] : sent({ body: {} });
    let given;
    onExpired(() => new Promise((done) => {
        given = done;
    }));
    const sending = useSending();
    sending.add(CHAT, [{ text: 'jumat' }]);
    while (!given) {
        await quiet();
    }
    Date.now = () => realNow() + 60 * HOUR;
    signIn();
    given();
    await quiet();
    assert.deepEqual(asked.map(({ url }) => url), ['/api/auth/refresh']);
    assert.deepEqual(states(sending), ['refused']);
});

test('what was refused or overtaken stays, however old', async () => {
    const at = Date.now() - 99 * HOUR;
    leave(entry('a', { at, state: 'refused',
        error: { status: 409, code: 'window_closed', message: 'x' } }),
    entry('b', { at: at + 1, state: 'stale', newer: [{ id: 5 }] }));
    const sending = useSending();
    sending.resume();
    await quiet();
    assert.deepEqual([asked, states(sending), kept().length],
        [[], ['refused', 'stale'], 2]);
    assert.equal(sending.entries[0].error.code, 'window_closed');
});

test('one that is overtaken holds what was sent with it', async () => {
    answer = (request, n) => n === 1
        ? [409, { code: 'stale', data: { messages: [{ id: 9 }] } }]
        : sent(request);
    const sending = useSending();
    const parts = ['satu', 'dua', 'tiga'].map((text) => ({ text }));
    parts[0].seenSeq = 4;
    sending.add(CHAT, parts);
    sending.add(CHAT, [{ text: 'lain' }]);
    await quiet();
    assert.deepEqual(states(sending), ['stale', 'held', 'held']);
    assert.deepEqual(asked.map(({ body }) => body.message), ['satu', 'lain'],
        'and nothing else');
    sending.again(sending.entries[0].key);
    await quiet();
    assert.deepEqual(asked.slice(2).map(({ body }) =>
        [body.message, body.seen_seq]), [['satu', undefined],
        ['dua', undefined], ['tiga', undefined]]);
    assert.equal(new Set(asked.map(({ key }) => key)).size, 5);

    answer = () => [409, { code: 'stale', data: {} }];
    sending.add(CHAT, parts);
    await quiet();
    sending.discard(sending.entries[0].key);
    await quiet();
    assert.deepEqual([sending.entries, kept()], [[], []],
        'thrown away, it takes them along');
});

test('one that is refused does so, too, until it is out of the way', async () => {
    answer = (request, n) => n === 1 ? [422, {}] : sent(request);
    const sending = useSending();
    sending.add(CHAT, [{ text: 'satu', seenSeq: 4 }, { text: 'dua' },
        { text: 'tiga' }]);
    await quiet();
    assert.deepEqual(states(sending), ['refused', 'held', 'held']);
    sending.discard(sending.entries[0].key);
    await quiet();
    assert.deepEqual(asked.slice(1).map(({ body }) =>
        [body.message, body.seen_seq]), [['dua', 4], ['tiga', undefined]]);
});

test('back to the draft, with what it holds', async () => {
    answer = () => [422, {}];
    const sending = useSending();
    const file = new File(['x'], 'a.pdf');
    sending.add(CHAT, [{ text: 'satu' }, { file, text: '' }]);
    await quiet();
    assert.deepEqual(sending.take(sending.entries[0].key).map((one) =>
        [one.text, one.file]), [['satu', null], ['', file]]);
    assert.deepEqual([sending.entries, kept()], [[], []]);
});

test('another tab withdraws one, sends one, and has one refused', async () => {
    answer = () => [503, {}];
    const sending = useSending();
    sending.resume();
    sending.add(CHAT, [{ text: 'satu' }]);
    sending.add({ ...CHAT, id: 'c2' }, [{ text: 'dua' }]);
    await quiet();
    assert.deepEqual(states(sending), ['waiting', 'waiting']);
    const [one, two] = sending.entries.map(({ key }) => key);
    elsewhere(`wacrm.sending.7.${one}`, null);
    elsewhere(`wacrm.sending.7.${two}`, entry(two, { state: 'refused',
        error: { status: 422, code: null, message: 'no' } }));
    asked = [];
    sending.hurry();
    await quiet();
    assert.deepEqual([asked, states(sending)], [[], ['refused']]);
    answer = sent;
    elsewhere('wacrm.sending.7.baru', entry('baru'));
    await quiet();
    assert.deepEqual(asked.map(({ key }) => key), ['baru'],
        'what it wrote leaves, should it be closed');
});

test('withdrawn while it is asked for, it does not come back', async () => {
    let go;
    answer = () => new Promise((done) => {
        go = () => done([503, {}]);
    });
    const sending = useSending();
    sending.add(CHAT, [{ text: 'satu' }]);
    await quiet();
    sending.remove(sending.entries[0].key);
    go();
    await quiet();
    assert.deepEqual([sending.entries, kept()], [[], []]);
});

test('a file is only in the page where it was chosen', async () => {
    leave(entry('foto', { name: 'a.png' }),
        entry('termuat', { name: 'b.png', mediaId: 'm1',
            body: { phone: '62811', media_id: 'm1' } }));
    const sending = useSending();
    sending.resume();
    await quiet();
    assert.deepEqual(asked.map(({ key }) => key), ['termuat'],
        'unless the server has it');
    assert.deepEqual(sending.entries.map(({ key, state, error }) =>
        [key, state, error.code]), [['foto', 'refused', 'file_gone']]);
});

test('who leaves is held back where something would be lost', async () => {
    answer = () => [503, {}];
    const sending = useSending();
    sending.resume();
    const asks = () => {
        const event = new Event('beforeunload', { cancelable: true });
        window.dispatchEvent(event);
        return event.defaultPrevented;
    };
    sending.add(CHAT, [{ text: 'disimpan' }]);
    await quiet();
    assert.equal(asks(), false);
    localStorage.full = true;
    sending.add({ ...CHAT, id: 'c2' }, [{ text: 'tidak ada tempat' }]);
    await quiet();
    assert.equal(asks(), true);
    assert.equal(useAuth().user.id, 7);
    localStorage.full = false;
    sending.entries.forEach(({ key }) => sending.remove(key));
    answer = () => [415, {}];
    sending.add(CHAT, [{ text: 'x', file: new File(['x'], 'a.pdf') }]);
    await quiet();
    assert.deepEqual([states(sending), asks()], [['refused'], true],
        'a file that was not taken is only here');
});

test('what was sent before the one that is refused goes on', async () => {
    answer = (request) => request.body.message === 'lain'
        ? [503, {}] : sent(request);
    leave(entry('lain', { at: Date.now() - 5000 }),
        entry('satu', { batch: 'b' }),
        entry('foto', { batch: 'b', part: 1, name: 'a.png' }),
        entry('dua', { batch: 'b', part: 2 }));
    const sending = useSending();
    sending.resume();
    await quiet();
    answer = sent;
    sending.hurry();
    await quiet();
    assert.deepEqual(sending.entries.map(({ key, state }) => [key, state]),
        [['foto', 'refused'], ['dua', 'held']]);
    sending.discard('foto');
    await quiet();
    assert.deepEqual([asked.at(-1).key, kept()], ['dua', []]);
});

test('what is held, and by nothing, goes', async () => {
    leave(entry('satu', { batch: 'b', state: 'held' }),
        entry('dua', { batch: 'b', part: 1, state: 'refused' }),
        entry('tiga', { batch: 'b', part: 2, state: 'held' }));
    const sending = useSending();
    sending.resume();
    await quiet();
    assert.deepEqual([asked.map(({ key }) => key), states(sending)],
        [['satu'], ['refused', 'held']]);
    elsewhere('wacrm.sending.7.dua', null);
    await quiet();
    assert.deepEqual([asked.map(({ key }) => key), kept()],
        [['satu', 'tiga'], []], 'as another tab has decided');
});

test('what another tab throws away is sent by none', async () => {
    answer = () => [409, { code: 'stale', data: {} }];
    const sending = useSending();
    sending.resume();
    sending.add(CHAT, ['satu', 'dua', 'tiga'].map((text) => ({ text })));
    await quiet();
    const gone = [];
    const drop = localStorage.removeItem;
    localStorage.removeItem = (key) => {
        gone.push(key);
        drop(key);
    };
    const keys = sending.entries.map(({ key }) => `wacrm.sending.7.${key}`);
    sending.discard(sending.entries[0].key);
    assert.deepEqual(gone, keys.reverse(), 'the one that holds them last');
});

/* Another tab sends a file; then a text is written here. */
async function besideAnother() {
    const sending = useSending();
    sending.resume();
    elsewhere('wacrm.sending.7.foto', entry('foto',
        { state: 'sending', batch: 'b', name: 'a.png' }));
    elsewhere('wacrm.sending.7.dua', entry('dua',
        { state: 'sending', batch: 'b', part: 1, name: 'b.png' }));
    sending.add(CHAT, [{ text: 'kemudian' }]);
    await late();
    assert.deepEqual([asked, states(sending)],
        [[], ['sending', 'sending', 'sending']], 'it waits for that tab');
    return sending;
}
const late = () => new Promise((done) => setTimeout(done, 700));
const texts = () => asked.map(({ body }) => body.message);

test('a file in another tab is that tab\'s', async () => {
    const sending = await besideAnother();
    assert.deepEqual(['foto', 'dua'].map((key) => JSON.parse(
        localStorage.getItem(`wacrm.sending.7.${key}`)).state),
    ['sending', 'sending']);
    elsewhere('wacrm.sending.7.foto', null);
    elsewhere('wacrm.sending.7.dua', null);
    await late();
    assert.deepEqual([texts(), sending.entries, kept()],
        [['kemudian'], [], []], 'and what is sent after it, comes after it');
});

test('so it is where tabs have locks, until that tab is closed', async () => {
    withLocks();
    const close = ['foto', 'dua'].map((key) => {
        let go;
        navigator.locks.request(`wacrm.sending.${key}`, () =>
            new Promise((done) => {
                go = done;
            }));
        return () => go();
    });
    const sending = await besideAnother();
    elsewhere('wacrm.sending.7.foto', null);
    close[0]();
    await late();
    assert.deepEqual([asked, states(sending)], [[], ['sending', 'sending']]);
    close[1]();
    await late();
    assert.deepEqual(texts(), ['kemudian']);
    assert.deepEqual(sending.entries.map(({ key, state, error }) =>
        [key, state, error.code]), [['dua', 'refused', 'file_gone']]);
});

test('the tab that has a file keeps it, whichever sends it again', async () => {
    answer = ({ url }) => /media/.test(url) ? [415, {}] : sent({ body: {} });
    const sending = useSending();
    sending.resume();
    sending.add(CHAT, [{ text: '', file: new File(['x'], 'a.pdf') }]);
    await quiet();
    const { key } = sending.entries[0];
    answer = (request) => /media/.test(request.url)
        ? [200, { data: { media_id: 'm1' } }] : sent(request);
    const told = JSON.parse(localStorage.getItem(`wacrm.sending.7.${key}`));
    elsewhere('wacrm.sending.7.baru', { ...told, key: 'baru', was: key,
        batch: 'c', state: 'sending', error: null });
    elsewhere(`wacrm.sending.7.${key}`, null);
    await quiet();
    assert.deepEqual([asked.at(-1).key, asked.at(-1).body.media_id,
        sending.entries], ['baru', 'm1', []]);
});

test('withdrawn while its file is uploaded, it is not sent', async () => {
    let go;
    answer = () => new Promise((done) => {
        go = () => done([200, { data: { media_id: 'm1' } }]);
    });
    const sending = useSending();
    sending.add(CHAT, [{ text: 'satu', file: new File(['x'], 'a.pdf') }]);
    await quiet();
    sending.remove(sending.entries[0].key);
    go();
    await quiet();
    assert.deepEqual([asked.length, sending.entries, kept()], [1, [], []]);
});

test('without the first one, the next one asks who was quicker', async () => {
    answer = () => [503, {}];
    const sending = useSending();
    sending.add(CHAT, [{ text: 'satu', seenSeq: 4 }, { text: 'dua' }]);
    await quiet();
    assert.deepEqual(states(sending), ['waiting', 'sending']);
    answer = sent;
    sending.discard(sending.entries[0].key);
    await quiet();
    assert.deepEqual(asked.slice(1).map(({ body }) =>
        [body.message, body.seen_seq]), [['dua', 4]]);
});
