// The real laravel-echo, pusher-js and pusher against a running desk.
import { createHmac } from 'node:crypto';

import Backend from 'pusher';
import EchoModule from 'laravel-echo';
import Pusher from 'pusher-js';

import { about, login, origin, request, waitFor } from './desk.mjs';
import { attempt, diag, is, like, main, ok } from './tap.mjs';

const Echo = EchoModule.default || EchoModule;
const PHONE = '6281210000001';
const at = new URL(origin);
const users = {};
const open = [];

/* ---- the browser's side, as docs/realtime.md writes it ---- */

function connect(token, more = {}) {
    const { key = 'wacrm', ...options } = more;
    const client = new Pusher(key, {
        wsHost: at.hostname,
        wsPort: at.port,
        forceTLS: false,
        enabledTransports: ['ws'],
        cluster: '',
        channelAuthorization: {
            endpoint: `${origin}/broadcasting/auth`,
            headersProvider: () => ({ Authorization: `Bearer ${token}` }),
        },
        ...options,
    });
    client.faults = [];
    client.connection.bind('error', (e) => client.faults.push(e));
    const echo = new Echo({ broadcaster: 'pusher', client });
    open.push(client);
    return { client, echo };
}

const connected = ({ client }) => waitFor(() =>
    client.connection.state === 'connected');

/* What a channel is told, as [event, data]. */
function record(channel) {
    const told = [];
    channel.subscription.bind_global((event, data) =>
        told.push([event, data, Date.now()]));
    return told;
}

/* The codes of the protocol that a client has been told. */
const codes = ({ client }) => client.faults
    .map((e) => (e.data || (e.error && e.error.data) || {}).code)
    .filter((code) => code);

const named = (told, name) => told.filter(([e]) => e === name);
const app = (name) => `App\\Events\\${name}`;
const succeeded = 'pusher:subscription_succeeded';
const refused = 'pusher:subscription_error';

async function inbox(token) {
    const c = connect(token);
    const channel = c.echo.private('inbox');
    const told = record(channel);
    await waitFor(() => named(told, succeeded).length > 0);
    return { ...c, channel, told };
}

/* ---- what happens ---- */

let serial = 0;

async function webhook(event, data) {
    const body = JSON.stringify({ event, data });
    const r = await request('POST', '/api/webhook/whatsapp', { headers: {
        'Content-Type': 'application/json',
        'X-Webhook-Signature': createHmac('sha256', about.secret)
            .update(body).digest('hex') }, body });
    if (r.status !== 200) {
        throw new Error(`${event}: ${r.status} ${r.text}`);
    }
    return Date.now();
}

async function write(text) {
    serial += 1;
    return webhook('message.received', { from: PHONE, pushName: 'Aminah',
        message: text, type: 'text', id: `RT${about.phase || ''}${serial}`,
        timestamp: Math.floor(Date.now() / 1000) });
}

async function api(who, method, path, json, headers = {}) {
    const r = await request(method, path, { headers: { ...headers,
        Authorization: `Bearer ${users[who].token}`,
        ...json && { 'Content-Type': 'application/json' } },
    body: json && JSON.stringify(json) });
    if (r.status >= 300) {
        throw new Error(`${method} ${path}: ${r.status} ${r.text}`);
    }
    return r.json;
}

const texts = (told) => named(told, app('NewMessageReceived'))
    .map(([, data]) => data.message.message);

/* ---- the parts ---- */

async function strangers() {
    const lost = connect('none', { key: 'nosuch' });
    await waitFor(() => codes(lost).length > 0);
    is(codes(lost), [4001], 'an unknown key is told so', lost.client.faults);
    const bad = connect('not a token');
    await connected(bad);
    like(bad.client.connection.socket_id, /^\d+\.\d+$/, 'a socket id');
    const told = record(bad.echo.private('inbox'));
    await waitFor(() => told.length > 0);
    is(told[0] && [told[0][0], told[0][1].status], [refused, 401],
        'no private channel without a token', told);
    const open = record(bad.echo.channel('inbox'));
    await waitFor(() => open.length > 0);
    is(open.map(([e]) => e), [refused], 'the public inbox is off');
    ok(bad.client.send_event('pusher:subscribe', { channel: 'private-inbox',
        auth: `wacrm:${'0'.repeat(64)}` }), 'a forged signature is sent');
    await waitFor(() => told.length > 1);
    is(told.slice(1).map(([e]) => e), [refused], 'and refused');
}

async function messages() {
    const mine = await inbox(users.cs1.token);
    const boss = await inbox(users.supervisor.token);
    const other = await inbox(users.cs2.token);
    is(named(other.told, succeeded).length, 1, 'every agent has the inbox');
    const heard = [];
    mine.channel.listen('NewMessageReceived', (e) => heard.push(e));
    await write('Assalamualaikum');
    await waitFor(() => heard.length > 0 && texts(boss.told).length > 0);
    is(heard.map((e) => [e.message.message, e.message.donatur.phone]),
        [['Assalamualaikum', PHONE]], 'Echo hears the seed\'s event');
    ok(heard.every((e) => Number.isInteger(e.seq)), 'with its number');
    is(texts(boss.told), ['Assalamualaikum'], 'a supervisor hears all');

    const delays = [];
    for (let i = 0; i < 20; i += 1) {
        const sent = await write(`pesan ${i}`);
        await waitFor(() => heard.length > i + 1);
        const [, , came] = named(mine.told, app('NewMessageReceived')).at(-1);
        delays.push(came - sent);
    }
    delays.sort((a, b) => a - b);
    diag(`webhook's 200 to the browser's frame: median ${delays[10]} ms,`
        + ` worst ${delays[19]} ms (here the frame may come first)`);
    is(heard.length, 21, 'each of them once');
    is(texts(other.told), [], 'who does not see the session hears nothing');
    return { mine, boss, other };
}

async function typing({ mine, other }) {
    await webhook('typing', { from: PHONE, isTyping: true });
    await waitFor(() => named(mine.told, app('DonaturTyping')).length > 0);
    const [first] = named(mine.told, app('DonaturTyping'));
    is(first && first[1], { phone: PHONE, isTyping: true }, 'a donor types');
    is(named(other.told, app('DonaturTyping')), [], 'not for everybody');
}

async function leftOut({ mine, boss }) {
    const id = mine.client.connection.socket_id;
    await api('cs1', 'POST', '/api/crm/messages/send',
        { phone: PHONE, message: 'balasan', type: 'text' },
        { 'X-Socket-ID': id });
    await waitFor(() => named(boss.told, app('MessageSent')).length > 0
        && named(mine.told, app('MessageStatusUpdated')).length > 0);
    is(named(boss.told, app('MessageSent')).length, 1,
        'others hear of a reply');
    is(named(mine.told, app('MessageSent')), [], 'its own socket does not');
    ok(named(mine.told, app('MessageStatusUpdated')).length > 0,
        'but of what became of it');
}

async function colleagues({ mine, boss, other }) {
    const list = await api('cs1', 'GET', '/api/crm/inbox');
    const chat = `chat.${list.conversations[0].id}`;
    const seen = { here: [], joining: [], leaving: [] };
    const room = mine.echo.join(chat);
    const mineTold = record(room);
    room.here((list2) => seen.here.push(list2))
        .joining((m) => seen.joining.push(m))
        .leaving((m) => seen.leaving.push(m));
    await waitFor(() => seen.here.length > 0);
    is(seen.here, [[{ id: users.cs1.id, name: 'Cs1' }]], 'alone in the chat');
    const theirs = boss.echo.join(chat);
    const bossTold = record(theirs);
    await waitFor(() => seen.joining.length > 0);
    const supervisor = { id: users.supervisor.id, name: 'Supervisor' };
    is(seen.joining, [supervisor], 'a colleague comes');
    const refusal = record(other.echo.join(chat));
    await waitFor(() => refusal.length > 0);
    is(refusal.map(([e, d]) => [e, d.status]), [[refused, 403]],
        'who may not see the chat does not get in');

    const typed = [];
    theirs.listenForWhisper('typing', (e) => typed.push(e));
    room.whisper('typing', { name: 'Cs1' });
    await waitFor(() => typed.length > 0);
    is(typed, [{ name: 'Cs1' }], 'the colleague sees me typing');
    is(named(mineTold, 'client-typing'), [], 'I do not hear myself');
    for (let i = 0; i < 60; i += 1) {
        room.whisper('typing', { i });
    }
    await waitFor(() => codes(mine).length > 0);
    is(codes(mine)[0], 4301, 'too much of it is refused');
    await waitFor(() => named(bossTold, 'client-typing').length > 10);
    const some = named(bossTold, 'client-typing').length;
    ok(some > 10 && some < 45, `and not passed on (${some} of 61)`);
    boss.echo.leave(chat);
    await waitFor(() => seen.leaving.length > 0);
    is(seen.leaving, [supervisor], 'the colleague goes');
}

async function members({ boss, other }) {
    const path = `/api/crm/whatsapp/sessions/${about.session}/members`;
    await api('supervisor', 'PUT', path, { user_ids: [users.cs2.id] });
    await write('untuk cs2 juga');
    await waitFor(() => texts(other.told).length > 0);
    is(texts(other.told), ['untuk cs2 juga'], 'a new member hears');
    const list = await api('cs2', 'GET', '/api/crm/inbox');
    const chat = record(other.echo.join(`chat.${list.conversations[0].id}x`));
    other.echo.leave(`chat.${list.conversations[0].id}`);
    const room = other.echo.join(`chat.${list.conversations[0].id}`);
    const told = record(room);
    await waitFor(() => named(told, succeeded).length > 0 && chat.length > 0);
    is([named(told, succeeded).length, chat.map(([e]) => e)], [1, [refused]],
        'and gets into the chat');
    await api('supervisor', 'PUT', path, { user_ids: [] });
    await waitFor(() => named(told, refused).length > 0);
    is(named(told, refused).map(([, d]) => d.status), [403],
        'who is no member any more is put out of the chat');
    await write('tidak untuk cs2');
    await waitFor(() => texts(boss.told).includes('tidak untuk cs2'));
    is(texts(other.told), ['untuk cs2 juga'], 'and hears nothing more');
}

async function backend({ mine }) {
    const rest = (secret) => new Backend({ appId: 'wacrm', key: 'wacrm',
        secret, host: at.hostname, port: at.port, useTLS: false });
    const laravel = rest(about.appSecret);
    const news = record(mine.echo.channel('berita'));
    await waitFor(() => named(news, succeeded).length > 0);
    await laravel.trigger('berita', app('Kabar'), { judul: 'Qurban' });
    await waitFor(() => named(news, app('Kabar')).length > 0);
    is(named(news, app('Kabar')).map(([, d]) => d), [{ judul: 'Qurban' }],
        'a backend broadcasts');
    await laravel.trigger('berita', 'Lain', {},
        { socket_id: mine.client.connection.socket_id });
    await laravel.triggerBatch([{ channel: 'berita', name: 'A', data: '1' },
        { channel: 'berita', name: 'B', data: '2' }]);
    await waitFor(() => named(news, 'B').length > 0);
    is(news.slice(2).map(([e]) => e), ['A', 'B'],
        'a batch, and not what the socket itself caused');

    const list = await (await laravel.get({ path: '/channels',
        params: { filter_by_prefix: 'presence-', info: 'user_count' } })).json();
    const [[name, counts]] = Object.entries(list.channels);
    like(name, /^presence-chat\.\d+$/, 'channels are listed');
    is(counts, { user_count: 1 }, 'with their users');
    const who = await (await laravel.get({
        path: `/channels/${name}/users` })).json();
    is(who.users, [{ id: String(users.cs1.id) }], 'who are known');
    const refusal = await rest('another secret of 16 bytes')
        .trigger('berita', 'X', {}).catch((e) => e);
    is(refusal.status, 401, 'another secret is refused');
    const big = await laravel.trigger('berita', 'X', 'x'.repeat(10300))
        .catch((e) => e);
    is(big.status, 422, 'what is too large is refused');
}

async function gone({ other }) {
    const states = [];
    other.client.connection.bind('state_change', (s) => states.push(s.current));
    await request('POST', '/api/auth/logout', { headers: {
        Authorization: `Bearer ${users.cs2.token}` }, body: '' });
    await waitFor(() => states.includes('disconnected'));
    is(codes(other)[0], 4009,
        'who signs out is put out');
    is(states.at(-1), 'disconnected', 'and does not come back', states);
    const token = await login('cs2');
    const again = await inbox(token);
    is(named(again.told, succeeded).length, 1, 'signed in again');
    await api('admin', 'PATCH', `/api/crm/agents/${users.cs2.id}`,
        { active: false });
    await waitFor(() => codes(again).length > 0);
    is(codes(again)[0], 4009,
        'who is switched off is put out');
}

async function restarted({ mine }) {
    const before = named(mine.told, succeeded).length;
    const last = Math.max(...mine.told.map(([, d]) => (d && d.seq) || 0));
    mine.client.faults.length = 0;
    process.kill(about.perl, 'SIGUSR1');
    await waitFor(() => codes(mine).length > 0);
    is(codes(mine)[0], 4200, 'a restart says: come again',
        mine.client.faults);
    await waitFor(() => named(mine.told, succeeded).length > before, 30);
    is(mine.client.connection.state, 'connected', 'the client is back');
    await write('sesudahnya');
    await waitFor(() => texts(mine.told).includes('sesudahnya'));
    const missed = await api('cs1', 'GET', `/api/crm/events?since=${last}`);
    ok(missed.events.some((e) => e.data.message
        && e.data.message.message === 'sesudahnya'),
    'what was missed can be fetched by number');
}

async function private_() {
    for (const who of ['admin', 'supervisor', 'cs1', 'cs2']) {
        users[who] = { token: await login(who) };
        users[who].id = (await api(who, 'GET', '/api/auth/me')).user.id;
    }
    await api('admin', 'PATCH',
        `/api/crm/whatsapp/sessions/${about.session}`,
        { user_id: users.cs1.id });
    await attempt(strangers);
    const three = await messages();
    for (const part of [typing, leftOut, colleagues, members, backend, gone,
        restarted]) {
        await attempt(part, three);
    }
}

/* The seed's own line, where its channel is switched on. */
async function public_() {
    const { echo } = connect('none');
    const heard = [];
    const told = record(echo.channel('inbox')
        .listen('NewMessageReceived', (e) => heard.push(e)));
    await waitFor(() => named(told, succeeded).length > 0);
    await write('terbuka');
    await waitFor(() => heard.length > 0);
    is(heard.map((e) => e.message.donatur.phone), [PHONE],
        'Echo.channel(\'inbox\').listen(\'NewMessageReceived\', ..)');
}

await main(async () => {
    await attempt(about.phase === 'public' ? public_ : private_);
    open.forEach((client) => client.disconnect());
});
