// The seed's component as it listens (S82), and a client that follows every
// event: live by Echo, by number where it was away. Both with the real
// laravel-echo and pusher-js.
import { createInterface } from 'node:readline';

import EchoModule from 'laravel-echo';
import Pusher from 'pusher-js';

import { login, origin, request, waitFor } from './desk.mjs';
import { attempt, is, main, ok } from './tap.mjs';

const ECHO = EchoModule.default || EchoModule;
const PHONE = '6281210000001';
const OTHER = '6281210000002';
const at = new URL(origin);
const store = new Map();
const answers = createInterface({ input: process.stdin });
const lines = answers[Symbol.asyncIterator]();

globalThis.localStorage = {
    getItem: (key) => store.has(key) ? store.get(key) : null,
    setItem: (key, value) => store.set(key, value),
};
globalThis.location = { origin };

/* The harness does it: t/echo.t. */
async function ask(command, ...given) {
    process.stdout.write(`! ${command} ${JSON.stringify(given)}\n`);
    return JSON.parse((await lines.next()).value);
}

function connect(token) {
    const client = new Pusher('wacrm', {
        wsHost: at.hostname,
        wsPort: at.port,
        forceTLS: false,
        enabledTransports: ['ws'],
        cluster: '',
        channelAuthorization: {
            endpoint: `${origin}/broadcasting/auth`,
            headers: { Authorization: `Bearer ${token}` },
        },
    });
    return { client, echo: new ECHO({ broadcaster: 'pusher', client }) };
}

const write = (id, text, from = PHONE) => ask('say', from, id, text);

/* ---- the seed's page ---- */

/* setupWebSocket() of the seed's component. */
async function listening(inbox, channel) {
    let ready = false;
    channel.subscription.bind('pusher:subscription_succeeded', () => {
        ready = true;
    });
    channel.listen('NewMessageReceived', (e) => inbox.received(e));
    ok(await waitFor(() => ready), 'subscribed');
}

async function page(token, join) {
    store.set('token', token);
    const { Inbox } = await import('./inbox.mjs');
    const inbox = new Inbox();
    const { client, echo } = connect(token);
    await inbox.loadConversations();
    await listening(inbox, join(echo));
    return { inbox, client };
}

async function conversation(name, token, join) {
    const { inbox, client } = await page(token, join);
    const chat = inbox.conversations.find((c) => c.phone === PHONE);
    const texts = () => inbox.messages.map((m) => m.message);

    await inbox.selectChat(chat);
    const before = texts();
    await write(`${name}-1`, `${name} satu`);
    ok(await waitFor(() => texts().length > before.length),
        `${name}: a message appears in the open chat`);
    is(texts(), [...before, `${name} satu`], `${name}: once`);
    ok(await waitFor(() =>
        inbox.conversations[0].last_message === `${name} satu`),
    `${name}: and on top of the list`);

    await write(`${name}-2`, 'dari yang lain', OTHER);
    ok(await waitFor(() => inbox.conversations[0].phone === OTHER),
        `${name}: another donor's message moves the list`);
    is(texts(), [...before, `${name} satu`], `${name}: but not this chat`);

    inbox.text = `${name} balasan`;
    await inbox.sendMessage();
    await write(`${name}-3`, `${name} dua`);
    await waitFor(() => texts().includes(`${name} dua`));
    is(texts(), [...before, `${name} satu`, `${name} balasan`, `${name} dua`],
        `${name}: what one sends is there once (G20)`);
    is(inbox.render().bubbles.at(-1).class, 'message incoming',
        `${name}: drawn as the template draws it`);
    client.disconnect();
}

/* ---- who follows everything ---- */

/* Keeps the number of the last event; asks for what it has missed whenever a
 * subscription succeeds, and drops by number what came twice. */
class Follower {
    constructor(token) {
        this.token = token;
        this.seen = [];
        this.asked = 0;
        this.busy = Promise.resolve();
    }

    take(data, name) {
        if (data.seq > this.last) {
            this.last = data.seq;
            this.seen.push([data.seq, name, data.message
                && data.message.message]);
        }
    }

    /* What is told live waits until what was missed is there. */
    live(name, data) {
        this.busy = this.busy.then(() => data.seq
            && this.take(data, name.replace(/^.*\\/, '')));
    }

    async get(query) {
        const r = await waitFor(async () => {
            const got = await request('GET', `/api/crm/events?${query}`,
                { headers: { Authorization: `Bearer ${this.token}` } })
                .catch(() => null);
            return got && got.status === 200 && got;
        }, 30);
        return r.json;
    }

    async catchUp() {
        let more = true;
        this.asked += 1;
        while (more) {
            const p = await this.get(`since=${this.last}&limit=50`);
            if (p.resync) {
                throw new Error('resync');
            }
            p.events.forEach((e) => this.take(e.data,
                e.event.replace(/^.*\\/, '')));
            this.last = Math.max(this.last, p.next);
            more = p.more;
        }
    }

    async start() {
        this.last = (await this.get('since=latest')).next;
        this.first = this.last;
        const { client, echo } = connect(this.token);
        const { subscription } = echo.private('inbox');
        subscription.bind('pusher:subscription_succeeded', () => {
            this.busy = this.busy.then(() => this.catchUp());
        });
        subscription.bind_global((name, data) => {
            if (!name.startsWith('pusher:')) {
                this.live(name, data);
            }
        });
        this.client = client;
        await waitFor(() => this.asked > 0);
    }
}

/* Somebody else's request names this one's socket: it hears all the same. */
async function borrowed(f) {
    const sent = () => f.seen.filter(([, name]) => name === 'MessageSent')
        .map(([, , text]) => text);
    const reply = async (token, message) => request('POST',
        '/api/crm/messages/send', { headers: {
            Authorization: `Bearer ${token}`,
            'Content-Type': 'application/json',
            'X-Socket-ID': f.client.connection.socket_id },
        body: JSON.stringify({ phone: PHONE, message }) });

    const own = await reply(f.token, 'sendiri');
    const theirs = await reply(await login('cs1'), 'pinjaman');
    is([own.status, theirs.status], [200, 200], 'two replies');
    ok(await waitFor(() => sent().includes('pinjaman')),
        'a socket hears what somebody else claims it has caused');
    is(sent(), ['pinjaman'], 'and not what it has caused itself');
}

async function follower() {
    const f = new Follower(await login('supervisor'));
    const texts = () => f.seen.filter(([, name]) =>
        name === 'NewMessageReceived').map(([, , text]) => text);
    const wanted = [];

    await f.start();
    for (let i = 0; i < 30; i += 1) {
        wanted.push(`ikut ${i}`);
        await write(`FOLLOW${i}`, `ikut ${i}`);
        if (i === 10 || i === 20) {
            await ask('kill');
        }
        if (i === 13 || i === 23) {
            const { asked } = f;
            await ask('start');
            ok(await waitFor(() => f.asked > asked, 30), 'it is back');
        }
    }
    ok(await waitFor(() => texts().length >= wanted.length, 30),
        'everything arrives, over two kill -9', texts());
    await f.busy;
    is(texts(), wanted, 'each message once, in its order');
    const seqs = f.seen.map(([seq]) => seq);
    is(seqs, seqs.map((_, i) => f.first + 1 + i), 'and each event');
    await borrowed(f);
    f.client.disconnect();
}

await main(async () => {
    await write('A0', 'halo');
    await write('B0', 'halo', OTHER);
    const token = await login('cs1');
    await attempt(() => conversation('publik', token,
        (echo) => echo.channel('inbox')));
    await attempt(() => conversation('pribadi', token,
        (echo) => echo.private('inbox')));
    await attempt(follower);
    answers.close();
});
