import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import axios, { AxiosError } from 'axios';
import { createPinia, setActivePinia } from 'pinia';
import { createRenderer, nextTick } from 'vue';
import { browser } from './storage.js';

/* The server: how often it was asked, and what it answers. */
let asked = 0;
let answer = null;
axios.defaults.adapter = async (config) => {
    if (config.method === 'get') {
        throw new AxiosError('away', null, config, null);
    }
    asked++;
    const [status, headers = {}] = answer();
    const response = { status, data: {}, headers, config };
    if (status >= 400) {
        throw new AxiosError('no', null, config, null, response);
    }
    return response;
};
const { useInbox } = await import('../src/stores/inbox.js');
const { useMarkRead } = await import('../src/useMarkRead.js');

/* A page without elements. */
const { createApp } = createRenderer({ createComment: () => ({}),
    insert() {}, remove() {}, parentNode: () => null, nextSibling: () => null });
const realTimeout = globalThis.setTimeout;
const realClear = globalThis.clearTimeout;
const quiet = () => new Promise((done) => realTimeout(done, 20));
const AGAIN = 5000;

let timers = [];
let app = null;
let shown = [];
const inbox = () => useInbox();
const row = () => inbox().find('c1');
const waits = () => timers.map(({ ms }) => ms).filter((ms) => ms >= AGAIN);
function pass() {
    const { run } = timers.find(({ ms }) => ms >= AGAIN);
    timers = timers.filter((timer) => timer.run !== run);
    run();
    return quiet();
}
function open() {
    inbox().rows = [{ id: 'c1', unread_count: 3 }];
    app = createApp({ setup() {
        useMarkRead(() => {
            const line = row();
            shown.push(line.unread_count);
            return line;
        });
        return () => null;
    } });
    app.mount({});
    return quiet();
}
async function grows(unread) {
    inbox().rows = [{ id: 'c1', unread_count: unread }];
    await nextTick();
    return quiet();
}
function leave() {
    app.unmount();
    app = null;
}
function look() {
    document.dispatchEvent(new Event('visibilitychange'));
    return quiet();
}
beforeEach(() => {
    browser();
    globalThis.document = Object.assign(new EventTarget(),
        { visibilityState: 'visible' });
    localStorage.setItem('wacrm.auth', JSON.stringify({ token: 't',
        refresh: 'r', expires: Date.now() + 3600000, user: { id: 7 } }));
    setActivePinia(createPinia());
    asked = 0;
    shown = [];
    timers = [];
    globalThis.setTimeout = (run, ms) => {
        const timer = { run, ms };
        timers.push(timer);
        return timer;
    };
    globalThis.clearTimeout = (timer) => {
        timers = timers.filter((other) => other !== timer);
    };
});
afterEach(() => {
    app?.unmount();
    app = null;
    globalThis.setTimeout = realTimeout;
    globalThis.clearTimeout = realClear;
});

test('what is looked at is read', async () => {
    answer = () => [200];
    await open();
    assert.deepEqual([asked, row().unread_count, waits()], [1, 0, []]);
});

for (const status of [403, 404, 500]) {
    test(`what is refused with ${status} is not asked for again`, async () => {
        answer = () => [status];
        await open();
        await look();
        assert.deepEqual([asked, row().unread_count, waits()], [1, 3, []]);
        await grows(4);
        assert.equal(asked, 2, 'until there is more to read');
        assert.deepEqual(waits(), []);
    });
}

test('what was lost is told later, and later', async () => {
    answer = () => [503];
    await open();
    assert.deepEqual([asked, row().unread_count, waits()], [1, 3, [AGAIN]]);
    const before = shown.length;
    await look();
    assert.equal(asked, 1, 'not because somebody looks at it');
    const all = [];
    for (let i = 0; i < 5; i++) {
        await pass();
        all.push(...waits());
    }
    assert.deepEqual(all, [10000, 20000, 40000, 60000, 60000]);
    assert.ok(!shown.slice(before).includes(0), 'the list does not flicker');
    answer = () => [200];
    await pass();
    assert.deepEqual([row().unread_count, waits()], [0, []]);
    answer = () => [502];
    await grows(1);
    assert.deepEqual(waits(), [AGAIN], 'from the beginning');
});

test('a limit says how long to wait', async () => {
    answer = () => [429, { 'retry-after': '42' }];
    await open();
    assert.deepEqual([asked, waits()], [1, [42000]]);
});

test('who has left tells nothing', async () => {
    answer = () => [503];
    await open();
    leave();
    assert.deepEqual(waits(), []);
});

test('nor does what is answered afterwards', async () => {
    answer = () => [503];
    const opened = open();
    leave();
    await opened;
    assert.deepEqual([asked, waits()], [1, []]);
});
