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
        signal: config.signal, body: typeof config.data === 'string' ? JSON.parse(config.data)
            : config.data });
    const [status, data] = await answer(asked.at(-1), asked.length);
    const response = { status, data, headers: {}, config };
    if (status >= 400) {
        throw new AxiosError('no', null, config, null, response);
    }
    return response;
};
const { useSending } = await import('../src/stores/sending.js');
const { useDrafts } = await import('../src/stores/drafts.js');
const { useAuth } = await import('../src/stores/auth.js');
const { onExpired } = await import('../src/api/client.js');

const realNow = Date.now;
const sent = (request) => [200, { data: { id: 1, chat_id: 'c1',
    message: request.body.message } }];
/* No answer ever, as on a line that is gone. */
const hang = ({ signal }) => new Promise((done, failed) => {
    signal.addEventListener('abort', () =>
        failed(new AxiosError('canceled', 'ERR_CANCELED')));
});
const asks = () => {
    const event = new Event('beforeunload', { cancelable: true });
    window.dispatchEvent(event);
    return event.defaultPrevented;
};
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
    elsewhere('wacrm.sending.7.baru', entry('baru', { tries: 0 }));
    await quiet();
    assert.deepEqual(asked, [], 'what it has just written is its own');
    sending.hurry();
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

test('a file that was changed since cannot be read: it is told', async () => {
    const sending = useSending();
    const file = new File(['x'], 'a.pdf');
    file.slice = () => ({ arrayBuffer: () =>
        Promise.reject(new Error('NotReadableError')) });
    sending.add(CHAT, [{ text: 'satu', file }]);
    sending.add(CHAT, [{ text: 'dua' }]);
    await quiet();
    assert.deepEqual(sending.entries.map(({ state, error, file: left }) =>
        [state, error.code, left]), [['refused', 'file_gone', null]]);
    assert.deepEqual(texts(), ['dua'], 'and holds up nothing else');
    sending.add(CHAT, [{ text: '', file: new File([], 'kosong.txt') }]);
    answer = ({ url }) => /media/.test(url) ? [415, {}] : sent({ body: {} });
    await quiet();
    assert.match(asked.at(-1).url, /media/, 'an empty one can be read');
});

test('an upload ends when it is thrown away', async () => {
    answer = hang;
    const sending = useSending();
    sending.add(CHAT, [{ text: 'satu', file: new File(['x'], 'a.pdf') }]);
    await quiet();
    const { signal } = asked[0];
    sending.hurry();
    assert.equal(signal.aborted, false, 'not when the line is back');
    sending.discard(sending.entries[0].key);
    await quiet();
    assert.deepEqual([signal.aborted, sending.entries, kept()],
        [true, [], []]);
    answer = sent;
    sending.add(CHAT, [{ text: 'dua' }]);
    await quiet();
    assert.deepEqual(texts().slice(1), ['dua'], 'and the next one goes');
});

test('an upload that gets no further begins anew', async () => {
    const real = setTimeout;
    globalThis.setTimeout = (work, ms) => real(work, ms > 60000 ? 10 : ms);
    try {
        answer = hang;
        const sending = useSending();
        sending.add(CHAT, [{ text: 'satu', file: new File(['x'], 'a.pdf') }]);
        await quiet();
        await quiet();
        assert.deepEqual([states(sending), asked.length], [['waiting'], 1]);
        answer = (request) => /media/.test(request.url)
            ? [200, { data: { media_id: 'm1' } }] : sent(request);
        sending.hurry();
        await quiet();
        assert.deepEqual([asked.at(-1).body.media_id, sending.entries],
            ['m1', []]);
    } finally {
        globalThis.setTimeout = real;
    }
});

test('an answer of somebody else is none', async () => {
    for (const strange of ['<html>Masuk ke Wi-Fi</html>', '', {}]) {
        answer = () => [200, strange];
        const sending = useSending();
        sending.add(CHAT, [{ text: 'satu' }]);
        sending.add({ ...CHAT, id: 'c2' },
            [{ text: 'dua', file: new File(['x'], 'a.pdf') }]);
        await quiet();
        assert.deepEqual([states(sending), kept().length],
            [['waiting', 'waiting'], 2]);
        answer = (request) => /media/.test(request.url)
            ? [200, { data: { media_id: 'm1' } }] : sent(request);
        sending.hurry();
        await quiet();
        assert.deepEqual(sending.entries, []);
    }
});

test('a file that the server has forgotten is uploaded anew', async () => {
    const forgotten = [422, { message: 'The selected media_id is invalid.',
        errors: { media_id: ['The selected media_id is invalid.'] } }];
    leave(entry('termuat', { name: 'b.png', mediaId: 'm1',
        body: { phone: '62811', media_id: 'm1' } }));
    answer = () => forgotten;
    const sending = useSending();
    sending.resume();
    await quiet();
    const [it] = sending.entries;
    assert.deepEqual([it.state, it.error.code, it.mediaId, it.body],
        ['refused', 'file_gone', null, { phone: '62811' }]);
    assert.equal(JSON.parse(localStorage.getItem('wacrm.sending.7.termuat'))
        .state, 'refused', 'which all tabs know');
    it.file = new File(['x'], 'b.png'); // as in the tab that has it
    answer = (request) => /media/.test(request.url)
        ? [200, { data: { media_id: 'm2' } }] : sent(request);
    sending.again('termuat');
    await quiet();
    assert.deepEqual([asked.at(-1).body.media_id, sending.entries],
        ['m2', []]);
});

test('who leaves is held back where something would be lost', async () => {
    answer = () => [503, {}];
    const sending = useSending();
    sending.resume();
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
    sending.discard(sending.entries[0].key);
    assert.equal(asks(), false);
    useDrafts().files.set('c1', [{ file: new File(['x'], 'a.pdf') }]);
    assert.equal(asks(), true, 'as is one that is attached');
});

test('whose place another has taken is not held back, and sends no more', async () => {
    answer = () => [503, {}];
    const held = [];
    globalThis.location = { reload: () => held.push(asks()) };
    const sending = useSending();
    useAuth().listen();
    sending.resume();
    sending.add(CHAT, [{ text: 'dari yang lama' }]);
    await quiet();
    useDrafts().files.set('c1', [{ file: new File(['x'], 'a.pdf') }]);
    assert.equal(asks(), true);
    elsewhere('wacrm.auth', { token: 'u', expires: Date.now() + HOUR,
        user: { id: 8 } });
    assert.deepEqual(held, [false], 'the page is loaded anew at once');
    sending.hurry();
    await quiet();
    assert.deepEqual([asked.length, kept().length], [1, 1],
        'nothing goes in the name of the other, or is lost');
    delete globalThis.location;
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

test('a tab that hangs with its file holds nobody up for ever', async () => {
    withLocks();
    let close;
    navigator.locks.request('wacrm.sending.foto', () => new Promise((go) => {
        close = go;
    }));
    const sending = useSending();
    sending.resume();
    elsewhere('wacrm.sending.7.foto', entry('foto',
        { state: 'sending', name: 'a.png' }));
    sending.add(CHAT, [{ text: 'kemudian' }]);
    await late();
    elsewhere('wacrm.sending.7.foto', entry('foto', { state: 'sending',
        name: 'a.png', mediaId: 'm1', body: { media_id: 'm1' } }));
    await late();
    assert.deepEqual(asked, [], 'nor before it has left');
    Date.now = () => realNow() + HOUR;
    signIn(2 * HOUR);
    await late();
    assert.deepEqual([texts(), states(sending)],
        [['kemudian'], ['sending']], 'the file waits for its tab');
    close();
    await late();
    assert.deepEqual(states(sending), []);
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
