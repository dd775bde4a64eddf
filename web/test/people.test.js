import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import axios, { AxiosError } from 'axios';
import { createPinia, setActivePinia } from 'pinia';
import { browser } from './storage.js';

/* The server: who works here; null: it is away. */
let people = null;
let asked = 0;
axios.defaults.adapter = async (config) => {
    asked += /agents/.test(config.url) ? 1 : 0;
    if (!people || !/agents/.test(config.url)) {
        throw new AxiosError('away', null, config, null);
    }
    return { status: 200, data: { data: people }, headers: {}, config };
};
const { usePeople } = await import('../src/stores/people.js');
const { nextTick, watchEffect } = await import('vue');

beforeEach(() => {
    browser();
    setActivePinia(createPinia());
    localStorage.setItem('wacrm.auth', JSON.stringify({ token: 't',
        refresh: 'r', expires: Date.now() + 3600000, user: { id: 7 } }));
    people = null;
    asked = 0;
});

test('a name that cannot be had is not asked for in a loop', async () => {
    const store = usePeople();
    let name;
    const end = watchEffect(() => {
        name = store.nameOf(5);
    });
    for (let i = 0; i < 5; i++) {
        await store.need();
        await nextTick();
    }
    assert.deepEqual([name, asked], ['', 5], 'only where somebody needs it');
    people = [{ id: 5, name: 'Rina', active: true }];
    await store.need();
    await store.need();
    await nextTick();
    assert.deepEqual([name, asked], ['Rina', 6], 'and then no more');
    end();
});
