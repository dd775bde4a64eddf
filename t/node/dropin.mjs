// The seed's front end against wacrm: its axios module, its component's
// calls, its two tests, and the errors that axios sees.
import axios from 'axios';

import { about, calls, login, origin, session, sim, waitFor } from './desk.mjs';
import { attempt, diag, is, like, main, ok } from './tap.mjs';

const store = new Map();
globalThis.localStorage = {
    getItem: (key) => store.has(key) ? store.get(key) : null,
    setItem: (key, value) => store.set(key, value),
};
globalThis.location = { origin };

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'
    + '+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/* The answer of a call that is to fail. */
async function refused(promise) {
    try {
        const r = await promise;
        return { status: r.status, data: r.data, headers: r.headers };
    } catch (e) {
        if (!axios.isAxiosError(e) || !e.response) {
            throw e;
        }
        return e.response;
    }
}

/* The module again, as a page that was loaded with this token. */
async function page(token) {
    if (token === null) {
        store.delete('token');
    } else {
        store.set('token', token);
    }
    return import(`./whatsapp.mjs?page=${page.count = (page.count || 0) + 1}`);
}

async function functions({ whatsappAPI }) {
    const list = await whatsappAPI.getConversations();
    is(list.status, 200, 'getConversations answers 200');
    is(list.data.success, true, 'with success');
    is(list.data.conversations.length, 4, 'all four chats');
    const unread = await whatsappAPI.getConversations({ filter: 'unread',
        search: 'ami', limit: 10 });
    is(unread.data.conversations.map((c) => c.name), ['Aminah'],
        'getConversations with filters');
    const id = unread.data.conversations[0].id;
    like(id, /^[^/?#%\s]+$/, 'an id that may stand in a path');

    const chat = await whatsappAPI.getMessages(id);
    is(chat.data.success, true, 'getMessages');
    is(chat.data.messages.map((m) => m.message), ['satu', 'dua', 'tiga'],
        'the oldest first (G2)');
    is(chat.data.data, chat.data.messages, 'data repeats messages (G1)');
    const read = await whatsappAPI.markAsRead(id);
    is(read.data, { success: true, unread_count: 0 }, 'markAsRead');

    const sessions = await whatsappAPI.getSessions();
    is(sessions.data.success, true, 'getSessions');
    const mine = sessions.data.data.find((s) => s.session_id === session);
    ok(mine, 'the session is in it', sessions.data);
    const qr = await whatsappAPI.getQR(session);
    is([qr.status, typeof qr.data.success], [200, 'boolean'], 'getQR');
    ok('data' in qr.data && 'message' in qr.data, 'as the gateway gave it');
    const status = await whatsappAPI.getStatus(session);
    is([status.data.success, status.data.data.status], [true, 'connected'],
        'getStatus');

    const profile = await whatsappAPI.getProfile('6281210000001');
    is(Object.keys(profile.data).sort(), ['donatur', 'metrics', 'whatsapp'],
        'getProfile: three keys and no success');
    is(profile.data.metrics.lifetime_value, 10000001, 'its metrics');
    is(profile.data.metrics.donation_count, 2, 'counted');
    ok(Array.isArray(profile.data.donatur.donations)
        && Array.isArray(profile.data.donatur.notes)
        && Array.isArray(profile.data.donatur.reminders),
    'its lists', profile.data.donatur);
    const stranger = await whatsappAPI.getProfile('6281299999999');
    is([stranger.status, stranger.data.donatur], [200, null],
        'an unknown number has no donatur');
    is([stranger.data.metrics.lifetime_value,
        stranger.data.metrics.avg_donation], [0, null],
    'and figures of nothing (G30)');
    const note = await whatsappAPI.addNote('6281210000001', 'Suka pagi hari');
    is([note.status, note.data.data.note], [201, 'Suka pagi hari'],
        'addNote');
    const again = await whatsappAPI.getProfile('0812-1000-0001');
    is(again.data.donatur.notes.map((n) => n.note), ['Suka pagi hari'],
        'getProfile shows it, whatever form the number has (G7)');
}

async function templates({ whatsappAPI, api }) {
    const { api: boss } = await page(await login('supervisor'));
    const made = await boss.post('/templates', { name: 'salam',
        content: 'Halo {{name}}, zakat {{1}}' });
    is(made.status, 201, 'a template');
    const id = made.data.data.id;
    const sent = await whatsappAPI.sendTemplate({ phone: '081210000002',
        template_id: id, variables: { name: 'Budi', 1: 'mal' } });
    is([sent.data.success, sent.data.data.message, sent.data.data.source],
        [true, 'Halo Budi, zakat mal', 'template'], 'sendTemplate');
    const missing = await refused(whatsappAPI.sendTemplate({
        phone: '081210000002', template_id: id, variables: ['Budi'] }));
    is(missing.status, 422, 'a variable is missing');
    ok(Array.isArray(missing.data.errors.variables), 'and named',
        missing.data);
    const plain = await boss.post('/templates', { name: 'terima-kasih',
        content: 'Terima kasih!' });
    const quick = await api.post('/messages/quick-reply', {
        phone: '081210000002', template_id: plain.data.data.id });
    is(quick.data.data.message, 'Terima kasih!', 'a quick reply');
}

async function component() {
    const { Inbox, formatCurrency } = await import('./inbox.mjs');
    const inbox = new Inbox();
    await inbox.loadConversations();
    let view = inbox.render();
    is(view.lines.length, 4, 'the list of conversations');
    ok(view.lines.every((l) => l.name !== '' && l.avatar.length === 1),
        'each with a name and an initial', view.lines);
    ok(inbox.conversations.every((c) => typeof c.last_message === 'string'
        && ISO.test(c.timestamp)), 'texts and times (G6, G8)');
    const media = inbox.conversations.find((c) => c.phone === '6281210000004');
    like(media.last_message, /^\[Foto\]/, 'a picture has a text, too');

    const chat = inbox.conversations.find((c) => c.phone === '6281210000003');
    is(chat.unread_count, 2, 'unread before');
    inbox.log = [];
    await inbox.selectChat(chat);
    is(inbox.log, ['GET messages', 'POST read'], 'a chat is read as it opens');
    view = inbox.render();
    is(view.bubbles.map((b) => [b.class, b.text]),
        [['message incoming', 'pertama'], ['message incoming', 'kedua']],
        'its messages');
    is(view.header, `${formatCurrency(0)} 0`, 'its figures');
    inbox.text = '  \n ';
    await inbox.sendMessage();
    is(inbox.log.length, 2, 'blanks are not sent');
    inbox.text = 'Baik, terima kasih';
    await inbox.sendMessage();
    is(inbox.log.slice(2), ['POST send', 'GET messages', 'POST read'],
        'sent, and loaded anew');
    is(inbox.messages.at(-1).message, 'Baik, terima kasih',
        'what was written is read at once (S81)');
    is(inbox.messages.at(-1).direction, 'outgoing', 'as outgoing');
    is(inbox.text, '', 'the box is empty');
    await inbox.loadConversations();
    const now = inbox.conversations.find((c) => c.id === chat.id);
    is([now.unread_count, now.last_message], [0, 'Baik, terima kasih'],
        'the list shows it');
    is(inbox.conversations[0].id, chat.id, 'on top');
    const arrived = await waitFor(async () => (await calls({
        route: 'send.text', text: 'Baik, terima kasih' })).length);
    is(arrived, 1, 'and the gateway got it once');

    await sim('/_sim/webhook', { from: '6281210000003', name: 'Citra',
        text: 'sama-sama', shape: 'seed', timestamp: Date.now() + 1000 });
    const fresh = await waitFor(async () => {
        await inbox.loadConversations();
        return inbox.conversations[0].last_message === 'sama-sama';
    });
    ok(fresh, 'a new message is on top of the list');
    await inbox.received({ message: { ...inbox.messages[0], id: 0,
        message: 'sama-sama', donatur: { phone: inbox.selected.phone } } });
    is(inbox.render().bubbles.at(-1).text, 'sama-sama',
        'what is pushed is shown');
}

async function forms({ api }) {
    const form = (fields) => {
        const f = new FormData();
        Object.entries(fields).forEach(([k, v]) => f.append(k, v));
        return f;
    };
    const image = () => new Blob([Buffer.from(PNG, 'base64')],
        { type: 'image/png' });

    const text = await api.post('/messages/send', form({ type: 'text',
        phone: '081210000002', message: 'dari formulir' }));
    is([text.status, text.data.data.message], [200, 'dari formulir'],
        'a form that axios turns into JSON (G12)');
    const lost = await refused(api.post('/messages/send', form({
        type: 'image', phone: '081210000002', message: 'x',
        file: image() })));
    is(lost.status, 422, 'in which its file is lost');
    ok(lost.data.errors.file, 'as the answer says', lost.data);

    const multipart = await api.post('/messages/send', form({
        phone: '081210000002', type: 'image', message: 'kuitansi',
        file: image() }),
    { headers: { 'Content-Type': 'multipart/form-data' } });
    is([multipart.status, multipart.data.data.type,
        multipart.data.data.message, multipart.data.data.media.mime],
    [200, 'image', 'kuitansi', 'image/png'], 'a real form brings it');
    const json = await api.post('/messages/send', { phone: '081210000002',
        type: 'document', file: { name: 'laporan.png', mime: 'image/png',
            base64: PNG } });
    is([json.data.data.type, json.data.data.media.filename],
        ['document', 'laporan.png'], 'so does JSON with base64');
    const kept = await api.post('/media', form({ file: image() }),
        { headers: { 'Content-Type': 'multipart/form-data' } });
    is([kept.status, kept.data.data.mime], [201, 'image/png'], 'an upload');
    const byId = await api.post('/messages/send', { phone: '081210000002',
        type: 'image', media_id: kept.data.data.media_id });
    is(byId.data.data.type, 'image', 'is sent by its id');
    const bytes = await axios.get(new URL(byId.data.data.media.url,
        origin).href, { responseType: 'arraybuffer' });
    is(Buffer.from(bytes.data).toString('base64'), PNG,
        'and an <img> may load it, without a bearer');
}

async function seedTests({ api }) {
    const sent = await api.post('/messages/send', { phone: '6281234567890',
        message: 'Test message', type: 'text' });
    is([sent.status, sent.data.success], [200, true],
        'the seed\'s test: can send a message (S86)');
    const list = await api.get('/inbox');
    is([list.status, 'success' in list.data], [200, true],
        'the seed\'s test: can get conversations (S87)');
    ok(list.data.conversations.length > 0 && list.data.conversations.every(
        (c) => ['id', 'name', 'phone', 'last_message']
            .every((k) => k in c)), 'with its structure');
}

async function errors({ whatsappAPI, api }) {
    for (const token of [null, 'nonsense']) {
        const other = await page(token);
        const r = await refused(other.whatsappAPI.getConversations());
        is([r.status, r.data], [401, { message: 'Unauthenticated.' }],
            `401 with Bearer ${token}`);
    }
    const none = await refused(whatsappAPI.getMessages('nobody'));
    is([none.status, none.data.success, typeof none.data.message],
        [404, false, 'string'], '404 of an unknown chat');
    const route = await refused(api.get('/nothing/here'));
    is([route.status, route.data.success], [404, false],
        '404 of an unknown route');
    const bad = await refused(whatsappAPI.sendMessage({ type: 'text' }));
    is(bad.status, 422, 'what is missing: 422');
    is(Object.keys(bad.data.errors).sort(), ['message', 'phone'],
        'with the fields');
    ok(Object.values(bad.data.errors).flat().includes(bad.data.message),
        'and the first of them as message', bad.data);
}

async function rate() {
    const { api } = await page(await login('cs2'));
    const paths = ['/messages/send', '/messages/template',
        '/messages/quick-reply'];
    const began = Date.now();
    let last = { status: 422 };
    let taken = 0;
    while (last.status === 422 && taken < 60) {
        last = await refused(api.post(paths[taken % 3], {}));
        taken += last.status === 422 ? 1 : 0;
    }
    const more = Math.floor((Date.now() - began) / 2000); /* 30 a minute */
    ok(taken >= 30 && taken <= 31 + more,
        '30 of the three kinds of sending go (S54, G47)', `${taken} went`);
    is([last.status, last.data],
        [429, { message: 'Too many messages. Please wait.' }], 'then 429');
    const h = last.headers;
    like(h['retry-after'], /^[1-9]\d*$/, 'Retry-After');
    is([h['x-ratelimit-limit'], h['x-ratelimit-remaining'],
        h['ratelimit-policy']], ['30', '0', '"send";q=30;w=60'],
    'and the headers of both families');
    like(h.ratelimit, /^"send";r=0;t=\d+$/, 'RateLimit');
}

async function gone() {
    const { api } = await page(about.token);
    const r = await refused(api.get('/inbox'));
    is(r.status, 503, '503 while wacrmd is away');
    is(typeof r.data.message, 'string', 'in JSON');
    like(r.headers['retry-after'], /^\d+$/, 'with Retry-After');
}

async function all() {
    diag(`node ${process.version}, axios ${axios.VERSION}`);
    const app = await page(await login('cs1'));
    for (const part of [functions, templates, component, forms,
        seedTests, errors, rate]) {
        await attempt(part, app);
    }
}

await main(about.phase === 'away' ? gone : all);
