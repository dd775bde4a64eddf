import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import axios, { AxiosError } from 'axios';
import { createPinia, setActivePinia } from 'pinia';
import { browser } from './storage.js';

/* The server: what it answers. */
let answer = null;
axios.defaults.adapter = async (config) => {
    const [status, data = {}] = await answer(config);
    const response = { status, data, headers: {}, config };
    if (status === 0 || status >= 400) {
        throw new AxiosError('no', null, config, null,
            status ? response : undefined);
    }
    return response;
};
const { useChat } = await import('../src/stores/chat.js');

const page = (...ids) => [200, {
    messages: ids.map((id) => ({ id, chat_id: 'c1', timestamp: id })),
    conversation: { id: 'c1', unread_count: 0 },
    meta: { hasMore: false, before: null } }];
const ids = (chat) => chat.messages.map(({ id }) => id);

beforeEach(() => {
    browser();
    setActivePinia(createPinia());
    localStorage.setItem('wacrm.auth', JSON.stringify({ token: 't',
        refresh: 'r', expires: Date.now() + 3600000, user: { id: 7 } }));
});
async function opened() {
    const chat = useChat();
    answer = () => page(1, 2);
    await chat.open('c1');
    assert.deepEqual(ids(chat), [1, 2]);
    return chat;
}

for (const status of [403, 404]) {
    test(`a conversation that answers ${status} is one no more`, async () => {
        const chat = await opened();
        answer = () => [status];
        await chat.check();
        assert.equal(chat.error.status, status);
        assert.deepEqual([ids(chat), chat.loaded, chat.line],
            [[], false, null], 'and nothing of it is shown');
        answer = () => page(2, 3);
        await chat.check();
        assert.equal(chat.error, null);
        assert.deepEqual([ids(chat), chat.line.id], [[2, 3], 'c1'],
            'until it is there again');
    });
}

for (const status of [0, 429, 500, 503]) {
    test(`${status} is no answer`, async () => {
        const chat = await opened();
        answer = () => [status];
        await assert.rejects(chat.check(), { status });
        assert.deepEqual([ids(chat), chat.error], [[1, 2], null]);
    });
}

test('the next one has nothing of that', async () => {
    const chat = await opened();
    let refuse;
    answer = ({ url }) => /c1/.test(url) ? new Promise((done) => {
        refuse = () => done([404]);
    }) : page(5);
    const checked = chat.check();
    await chat.open('c2');
    refuse();
    await checked;
    assert.deepEqual([ids(chat), chat.error], [[5], null]);
});

test('where one has looked at is gone: the newest ones are shown', async () => {
    const chat = await opened();
    answer = ({ params }) => [200, { ...page(params.around ? 7 : 9)[1],
        meta: { hasMore: true, before: 7, hasNewer: Boolean(params.around),
            after: 7 } }];
    await chat.reach(7);
    assert.deepEqual([ids(chat), chat.hasNewer], [[7], true]);
    const there = answer;
    answer = (config) => config.params.around ? [422] : there(config);
    await chat.check();
    assert.deepEqual([ids(chat), chat.hasNewer], [[9], false]);
});
