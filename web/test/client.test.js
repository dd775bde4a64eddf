import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import axios, { AxiosError } from 'axios';
import { createPinia, setActivePinia } from 'pinia';
import { browser } from './storage.js';

/* The server: what was asked, and what it answers. */
let asked = [];
let answer = null;
axios.defaults.adapter = async (config) => {
    asked.push({ url: config.url, key: config.headers['Idempotency-Key'],
        token: config.headers.Authorization?.slice(7) });
    const [status, data, headers = {}] = await answer(asked.at(-1));
    const response = { status, data, headers, config };
    if (status === 0 || status >= 400) {
        throw new AxiosError('no', null, config, null,
            status ? response : undefined);
    }
    return response;
};
const { download, get, onExpired } = await import('../src/api/client.js');
const { dropTokens, keepTokens, readTokens } = await import('../src/api/tokens.js');
const { useAuth } = await import('../src/stores/auth.js');

const pair = (n) => ({ token: `t${n}`, refresh_token: `r${n}`,
    expires_in: 3600, user: { id: 7 } });
const old = () => localStorage.setItem('wacrm.auth', JSON.stringify(
    { ...readTokens(), expires: Date.now() - 1 }));

beforeEach(() => {
    browser();
    setActivePinia(createPinia());
    keepTokens(pair(1));
    asked = [];
});

test('an answer of somebody else takes no token away', async () => {
    old();
    answer = () => [200, '<html>Masuk ke Wi-Fi</html>'];
    await assert.rejects(get('/crm/x'), { status: 0 });
    await assert.rejects(useAuth().login('a', 'b'), { status: 0 });
    assert.deepEqual([readTokens().refresh, useAuth().user], ['r1', { id: 7 }]);
    answer = ({ url }) => [200, /refresh/.test(url) ? pair(2) : '<html>'];
    await assert.rejects(get('/crm/x'), { status: 0 }, 'nor is it data');
    assert.equal(readTokens().refresh, 'r2');
});

test('a renewal whose answer is lost is the same exchange again', async () => {
    old();
    answer = () => [0];
    await assert.rejects(get('/crm/x'), { status: 0 });
    answer = ({ url }) => [200, /refresh/.test(url) ? pair(2) : {}];
    await get('/crm/x');
    old();
    await get('/crm/x');
    const keys = asked.filter(({ url }) => /refresh/.test(url))
        .map(({ key }) => key);
    assert.equal(keys.length, 3);
    assert.match(keys[0], /^[0-9a-f]{32}$/);
    assert.equal(keys[1], keys[0]);
    assert.notEqual(keys[2], keys[1], 'the next one is another');
});

test('where the password was just given, it is not asked for', async () => {
    old();
    let refuse;
    answer = ({ url }) => /refresh/.test(url) ? new Promise((done) => {
        refuse = () => done([401, {}]);
    }) : [200, {}];
    let times = 0;
    onExpired(async () => {
        times++;
    });
    const got = get('/crm/x');
    while (!refuse) {
        await new Promise((done) => setTimeout(done, 1));
    }
    keepTokens(pair(2)); // meanwhile
    refuse();
    await got;
    assert.deepEqual([times, asked.at(-1).token], [0, 't2']);
});

test('"Back" does not lead to what was left', () => {
    let loads = 0;
    globalThis.location = { assign() {}, reload: () => loads++ };
    const auth = useAuth();
    auth.listen();
    window.dispatchEvent(new Event('pageshow'));
    assert.equal(loads, 0);
    auth.leave();
    window.dispatchEvent(new Event('pageshow'));
    assert.equal(loads, 1);
});

test('what an older desk has left does not outlast a sign-in or sign-out', () => {
    for (const end of [() => keepTokens(pair(2)), dropTokens]) {
        localStorage.setItem('wacrm.renewal', '{"refresh":"r0"}');
        end();
        assert.equal(localStorage.getItem('wacrm.renewal'), null);
    }
});

test('the page of a proxy is not saved as an export', async () => {
    const saved = [];
    globalThis.document = { createElement: () => ({
        click() {
            saved.push(this.download);
        },
    }) };
    const { setTimeout } = globalThis;
    globalThis.setTimeout = () => {}; // the address is kept for a minute
    answer = () => [200, new Blob(['<html>Masuk ke Wi-Fi</html>'])];
    await assert.rejects(download('/crm/export/donors.csv'), { status: 0 });
    answer = () => [200, new Blob(['phone']), { 'content-disposition':
        'attachment; filename="donors-2026-03-01.csv"' }];
    await download('/crm/export/donors.csv');
    globalThis.setTimeout = setTimeout;
    assert.deepEqual(saved, ['donors-2026-03-01.csv']);
    delete globalThis.document;
});
