import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import axios from 'axios';
import { createPinia, setActivePinia } from 'pinia';

/* The pages that are asked for, to be answered by hand. */
const asked = [];
let list;
let useInbox;

axios.defaults.adapter = (config) => new Promise((done, failed) => {
    asked.push({
        path: config.url,
        etag: config.headers['If-None-Match'],
        answer(conversations) {
            done({ status: 200, config, headers: { etag: '"1"' },
                data: { conversations, meta: { hasMore: false } } });
        },
        fail: () => failed(new axios.AxiosError('no', 'ERR_NETWORK', config)),
    });
});
globalThis.localStorage = { getItem: () => JSON.stringify(
    { token: 'x', expires: Date.now() + 1e9 }) };
({ useInbox } = await import('../src/stores/inbox.js'));

const row = (id, unread) => ({ id, phone: `62812000000${id}`,
    session_id: 'a', unread_count: unread, is_starred: false,
    last_message: { status: 'read' },
    last_message_at: `2026-01-01T00:00:0${unread}.000Z` });
const unread = () => list.rows.map((one) => one.unread_count);
const settled = () => new Promise((done) => setTimeout(done, 5));

beforeEach(async () => {
    asked.length = 0;
    setActivePinia(createPinia());
    list = useInbox();
    list.session = '*';
    list.load();
    await settled();
    asked.shift().answer([row(1, 0)]);
    await settled();
});

test('what is told while a list is loaded stays, whatever else is asked',
    async () => {
        list.revalidate().catch(() => {});
        await settled();
        list.load();
        await settled();
        const [first, second] = asked;
        first.answer([row(1, 0)]);
        await settled();
        list.put([row(1, 3)]);
        second.answer([row(1, 0)]);
        await settled();
        assert.deepEqual(unread(), [3]);
    });

test('and where it is asked for by its tag meanwhile, in vain', async () => {
    list.load();
    await settled();
    list.revalidate().catch(() => {});
    await settled();
    const [first, second] = asked;
    list.put([row(1, 3)]);
    second.fail();
    await settled();
    first.answer([row(1, 0)]);
    await settled();
    assert.deepEqual(unread(), [3]);
});

test('what was changed here is no page known by its tag', async () => {
    list.revalidate();
    await settled();
    const known = asked.shift();
    assert.equal(known.etag, '"1"');
    known.answer([row(1, 2)]);
    await settled();
    list.amend(1, { unread_count: 0 });
    list.revalidate();
    await settled();
    assert.equal(asked[0].etag, undefined);
    asked[0].answer([row(1, 2)]);
    await settled();
    assert.deepEqual(unread(), [2]);
});
