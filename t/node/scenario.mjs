// One success of every operation, in an order in which each finds what it
// needs; errors that only their place in the story brings. call(operation,
// {as, path, query, headers, body, form, want}) checks against the document.
import { about, calls, session, sim, waitFor } from './desk.mjs';
import { attempt, is, ok } from './tap.mjs';

const PHONE = '6281210000001';
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'
    + '+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const CSV = 'phone,name,date,amount,ref\n'
    + '081210000050,Pergi,2026-01-05,50000,I-1\n'
    + '081210000051,Satu,2026-01-05,50000,I-2\n'
    + '081210000052,Satu Juga,,,\n';

const picture = () => {
    const form = new FormData();
    form.append('file', new Blob([Buffer.from(PNG, 'base64')],
        { type: 'image/png' }), 'bukti.png');
    return form;
};

async function signIn(call) {
    const body = { email: 'supervisor@test.example',
        password: 'rahasia-sekali' };
    await call('login', { body: { ...body, password: 'wrong' }, want: 401 });
    const first = await call('login', { body });
    const second = await call('refresh', {
        body: { refresh_token: first.json.refresh_token } });
    await call('refresh', {
        body: { refresh_token: 'never given' }, want: 401 });
    await call('me');
    await call('logout', { as: 'leaver' });
    return second;
}

async function operations(call) {
    await call('health');
    await call('edgeHealth');
    await call('edgeMetrics');
    await call('metrics');
    await call('webhook', { body: { event: 'message.received', data: {
        from: PHONE, pushName: 'Aminah', message: 'Assalamualaikum',
        type: 'text', id: 'DOC1', timestamp: Math.floor(Date.now() / 1000),
    } } });
    await call('webhook', { signed: false, body: {}, want: 401 });
    const query = { 'hub.mode': 'subscribe', 'hub.challenge': '1158201444',
        'hub.verify_token': about.verifyToken };
    await call('webhookChallenge', { query });
    await call('webhookChallenge', { query: { ...query,
        'hub.verify_token': 'wrong' }, want: 403 });
}

async function inbox(call) {
    const list = await waitFor(async () => {
        const r = await call('inbox', { query: { filter: 'all', limit: '50' },
            name: 'until the message is there' });
        return r.json.conversations.length > 0 && r;
    });
    const chat = list.json.conversations[0];
    await call('inbox', { query: { session_id: '*', search: 'aminah' } });
    await call('inbox', { headers: { 'X-Session-Id': session } });
    await call('inbox', { query: { session_id: 'nobody' }, want: 404 });
    const path = { chatId: chat.id };
    await call('chat', { path, query: { shape: 'native' } });
    await call('chat', { path });
    await call('readChat', { path });
    await call('starChat', { path });
    await call('starChat', { path });
    return chat;
}

async function sending(call) {
    const body = { phone: PHONE, message: 'Waalaikumsalam' };
    const key = { 'Idempotency-Key': 'once' };
    const sent = await call('send', { body, headers: key });
    await call('send', { body, headers: key });
    await call('send', { body: { ...body, message: 'other' }, headers: key,
        want: 409, name: 'another body' });
    await call('send', { body, query: { session_id: 'nobody' }, want: 404 });
    const path = { id: String(sent.json.data.id) };
    await call('retry', { path, want: 409, name: 'not failed' });

    await sim('/_sim/behaviour', { do: 'status', status: 422,
        route: 'send.text', phone: PHONE });
    const lost = await call('send', { body: { phone: PHONE, type: 'text',
        message: 'will be refused' } });
    const failed = { id: lost.json.data.id };
    await waitFor(async () => {
        const r = await call('inbox', { query: { filter: 'failed' },
            name: 'until it has failed' });
        return r.json.conversations.length > 0;
    });
    await call('retry', { path: { id: String(failed.id) } });
    await waitFor(async () => (await calls({ route: 'send.text',
        text: 'will be refused' })).length === 2);
}

async function later(call) {
    const at = (ms) => new Date(Date.now() + ms).toISOString();
    const body = { phone: PHONE, message: 'later', scheduled_at: at(3600000) };
    const sent = await call('send', { body });
    const path = { id: String(sent.json.data.id) };
    await call('moveMessage', { path, body: { scheduled_at: at(7200000) } });
    await call('moveMessage', { path, body: { scheduled_at: at(-1000) },
        want: 422, name: 'a time that has passed' });
    await call('send', { body });
    await call('scheduled', { query: { state: 'scheduled', limit: '1' } });
    await call('scheduled', { query: { state: 'sent' }, want: 422 });
    await call('scheduled', { query: { state: 'scheduled',
        session_id: 'nobody' }, want: 404 });
    await call('cancelMessage', { path });
    await call('cancelMessage', { path, want: 409, name: 'twice' });
    await call('moveMessage', { path, body: { scheduled_at: at(7200000) },
        want: 409, name: 'of a cancelled one' });
    const chat = { chatId: sent.json.data.chat_id };
    await call('chat', { path: chat, name: 'with what is cancelled' });
}

async function stale(call) {
    const body = { phone: PHONE, message: 'two at once' };
    await call('send', { body, as: 'cs2' });
    await call('send', { body: { ...body, seen_seq: 0 }, want: 409,
        name: 'a colleague was faster' });
}

async function files(call) {
    await call('uploadMedia', { form: picture(), want: 201 });
    const file = { name: 'bukti.png', mime: 'image/png', base64: PNG };
    const kept = await call('uploadMedia', { body: { file }, want: 201 });
    const path = { mediaId: kept.json.data.media_id };
    const range = (text) => ({ Range: text });
    await call('media', { path, headers: range('bytes=0-3'), want: 206 });
    await call('media', { path, headers: range('bytes=9000-'), want: 416 });
    const form = picture();
    form.append('phone', PHONE);
    form.append('message', 'a form');
    await call('send', { form });
    await call('send', { body: { phone: PHONE, type: 'document', file } });
    await call('send', { body: { phone: PHONE, type: 'image',
        media_id: path.mediaId } });
    await call('send', { body: { phone: PHONE, type: 'image',
        message: 'no file' }, want: 422 });
    await call('media', { path });
    await call('send', { body: { phone: PHONE, message: 'text again' } });
}

async function importing(call) {
    const csv = { as: 'admin', raw: CSV, type: 'text/csv' };
    await call('importDonors', { as: 'admin', raw: 'name\nAnon\n',
        type: 'text/csv', want: 422, name: 'no phones' });
    await call('importDonors', { ...csv, query: { dry_run: '1' } });
    await call('importDonors', csv);
    await call('exportDonations', { as: 'supervisor' });
    await call('exportDonors', { as: 'supervisor' });
}

async function contacts(call) {
    const path = { phone: PHONE };
    await call('contacts', { query: { search: 'satu', limit: '10' } });
    await call('contact', { path: { phone: '6289999999999' },
        name: 'of nobody' });
    await call('changeContact', { path, body: { name: 'Hj. Aminah' } });
    await call('changeContact', { path, as: 'supervisor',
        body: { name: 'Hj. Aminah', vip: true } });
    await call('addNote', { path, body: { note: 'Suka pagi hari' },
        want: 201 });
    const gift = { amount: 250000, date: '2026-02-01', fund: 'Zakat',
        campaign: 'Ramadan', method: 'transfer', ref: 'G-1', note: 'tunai' };
    await call('logDonation', { path, body: gift, want: 201 });
    await call('logDonation', { path, body: gift, want: 409 });
    await call('logDonation', { path, body: { ...gift, ref: 'G-2' },
        want: 201 });
    const soon = new Date(Date.now() + 86400000).toISOString();
    const me = await call('me');
    const set = await call('setReminder', { path, want: 201, body: {
        remind_at: soon, note: 'telepon', assignee_id: me.json.user.id } });
    await call('reminders', { query: { state: 'open', limit: '5' } });
    await call('closeReminder', { path: { id: String(set.json.data.id) },
        body: { state: 'done' } });
    await call('contact', { path });
    await call('checkContact', { path });
    await call('contactPicture', { path });
    const query = { session_id: 'nobody' };
    await call('checkContact', { path, query, want: 404 });
    await call('contactPicture', { path, query, want: 404 });
    await call('exportContact', { path, as: 'admin' });
}

async function merging(call) {
    const merged = await call('mergeContacts', { as: 'supervisor',
        body: { from: '6281210000052', into: '6281210000051' } });
    await call('merges', { as: 'supervisor' });
    const undo = { as: 'supervisor', path: { id: String(
        merged.json.data.id) } };
    await call('undoMerge', undo);
    await call('undoMerge', { ...undo, want: 409, name: 'twice' });
    await call('eraseContact', { as: 'admin',
        path: { phone: '6281210000050' },
        body: { confirm: '6281210000050' },
        later: { path: { phone: PHONE }, body: { confirm: PHONE } } });
}

async function templates(call) {
    const as = 'supervisor';
    const made = await call('addTemplate', { as, want: 201, body: {
        name: 'salam', content: 'Halo {{name}}, {{1}}', gateway_name: null,
        language: 'id' } });
    const id = made.json.data.id;
    const path = { id: String(id) };
    await call('addTemplate', { as, want: 422, name: 'the name again',
        body: { name: 'salam', content: 'x' } });
    await call('templates', { query: { search: 'halo' } });
    await call('template', { path });
    await call('changeTemplate', { as, path, body: { name: 'salam',
        content: 'Halo {{name}} dan {{1}}', gateway_name: null,
        language: null } });
    const body = { phone: PHONE, template_id: id,
        variables: { name: 'Aminah', 1: 'keluarga' } };
    for (const operation of ['sendTemplate', 'quickReply']) {
        const key = { 'Idempotency-Key': operation };
        await call(operation, { body, query: { session_id: 'nobody' },
            want: 404 });
        await call(operation, { body: { ...body, variables: ['a'] },
            want: 422, name: 'a variable is missing' });
        await call(operation, { body, headers: key });
        await call(operation, { body: { ...body, variables: {
            name: 'Budi', 1: 'y' } }, headers: key, want: 409 });
        await call(operation, { body });
    }
    const other = await call('addTemplate', { as, want: 201,
        body: { name: 'sementara', content: 'x' } });
    await call('deleteTemplate', { as,
        path: { id: String(other.json.data.id) } });
    return body;
}

async function consents(call, message) {
    const path = { phone: PHONE };
    await call('setConsent', { path, body: { state: 'opt_out',
        note: 'by telephone' }, want: 201 });
    await call('sendTemplate', { body: message, want: 409,
        name: 'opted out' });
    await call('setConsent', { path, as: 'supervisor', want: 201,
        body: { state: 'opt_in', note: 'changed her mind' } });
    await call('consent', { path });
}

async function sessions(call) {
    const agents = await call('agents');
    const id = (who) => agents.json.data.find((a) =>
        a.email === `${who}@test.example`).id;
    await call('sessions');
    await call('dashboard');
    await call('switchSession', { body: { session_id: session } });
    for (const name of ['ketiga', 'kedua']) {
        const path = { sessionId: name };
        await call('sessionCreate', { body: { session_name: name,
            name: 'Nomor lain' } });
        await call('sessionQr', { path });
        await call('sessionStatus', { path });
        await call('sessionChange', { path, body: { name: 'Nomor baru' } });
        await call('sessionSetMembers', { path, as: 'supervisor',
            body: { user_ids: [id('cs2')] } });
        await call('sessionMembers', { path });
    }
    await call('sessionCreate', { body: { session_name: 'kedua' },
        want: 422, name: 'the same again' });
    await sim('/_sim/behaviour', { do: 'status', status: 400,
        route: 'sessions.create' });
    await call('sessionCreate', { body: { session_name: 'keempat' },
        want: 400, name: 'the gateway refuses' });
    const path = { sessionId: 'ketiga' };
    await call('sessionDelete', { path });
    await call('sessionReconnect', { path });
    await call('sessionDelete', { path });
    await call('sessionStartBackfill', { as: 'supervisor',
        path: { sessionId: session } });
    await call('sessionBackfill', { path: { sessionId: session } });
    return id;
}

async function administration(call, id) {
    const as = 'admin';
    await call('connect', { as, body: { email: 'desk@charity.example',
        password: 'at the gateway' } });
    await sim('/_sim/behaviour', { do: 'status', status: 401,
        route: 'login' });
    await call('connect', { as, body: { email: 'desk@charity.example',
        password: 'wrong' }, want: 400, name: 'the gateway refuses' });
    const added = await call('agentAdd', { as, want: 201, body: {
        name: 'Baru', email: 'baru@test.example', role: 'cs',
        password: 'rahasia-sekali' } });
    const theirs = await call('login', { body: {
        email: 'baru@test.example', password: 'rahasia-sekali' } });
    await call('changePassword', { token: theirs.json.token,
        later: { token: undefined }, body: {
            current_password: 'rahasia-sekali', password: 'rahasia-lain' } });
    await call('agentLogout', { as,
        path: { id: String(added.json.data.id) } });
    await call('agentChange', { as, path: { id: String(id('admin')) },
        body: { role: 'cs' }, want: 409 });
    await call('agentChange', { as, path: { id: String(id('cs2')) },
        body: { name: 'Dua' } });
    await call('audit', { as, query: { limit: '5' } });
}

async function events(call) {
    await call('events', { query: { since: 'latest' } });
    let since = 0;
    for (let more = true; more;) {
        const r = await call('events', { query: { since: String(since),
            limit: '200' }, name: `from ${since}` });
        more = r.json.more;
        since = r.json.next;
    }
    await call('events', { query: { since: 'yesterday' }, want: 422 });
    await call('events', { want: 422 });
    await call('events', { query: { since: '0', limit: '1' } });
}

async function searching(call) {
    await waitFor(async () => {
        const r = await call('search', { query: { q: 'assalam*', limit: '5' },
            name: 'until it is found' });
        return r.json.data.messages.length > 0;
    });
    await call('search', { query: { q: 'aminah', in: 'contacts' } });
    await call('search', { query: { q: 'x', session_id: 'nobody' },
        want: 404 });
    await call('search', { query: { q: 'text', in: 'all' } });
}

async function keys(call) {
    const long = { 'Idempotency-Key': 'x'.repeat(300) };
    for (const operation of ['retry', 'cancelMessage', 'retryMedia']) {
        await call(operation, { path: { id: '1' }, headers: long, want: 422 });
    }

    // once for each key, and the key for one request
    const twice = async (operation, one, other, want = 201) => {
        const headers = { 'Idempotency-Key': `keys of ${operation}` };
        const first = await call(operation, { ...one, headers, want });
        const again = await call(operation, { ...one, headers, want });
        is(again.text, first.text, `${operation}: the same answer`);
        await call(operation, { ...one, ...other, headers, want: 409,
            name: 'another body' });
        return first;
    };
    const as = 'supervisor';
    const path = { phone: PHONE };
    const at = new Date(Date.now() + 86400000).toISOString();
    await twice('addNote', { path, body: { note: 'satu' } },
        { body: { note: 'dua' } });
    await twice('setReminder', { path, body: { remind_at: at, note: 'satu' } },
        { body: { remind_at: at, note: 'dua' } });
    await twice('logDonation', { path, body: { amount: 1000, ref: 'K-1' } },
        { body: { amount: 2000, ref: 'K-2' } });
    await twice('setConsent', { as, path, body: { state: 'opt_in',
        note: 'asked' } }, { body: { state: 'opt_in', note: 'once more' } });
    await twice('uploadMedia', { body: { file: { base64: PNG } } },
        { body: { file: { name: 'b.png', base64: PNG } } });
    const made = await twice('addTemplate', { as, body: { name: 'kunci',
        content: 'x' } }, { body: { name: 'kunci lain', content: 'x' } });
    const template = { id: String(made.json.data.id) };
    await twice('changeTemplate', { as, path: template, body: {
        content: 'y' } }, { body: { content: 'z' } }, 200);
    await call('deleteTemplate', { as, path: template });
    await call('importDonors', { as: 'admin', type: 'text/csv',
        raw: 'phone,name\n081210000061,Dua\n081210000062,Dua Juga\n' });
    const both = { from: '6281210000062', into: '6281210000061' };
    await twice('mergeContacts', { as, body: both },
        { body: { from: PHONE, into: both.into } }, 200);
}

async function lostFile(call) {
    await sim('/_sim/webhook', { from: PHONE, type: 'image', text: 'lost',
        media: { url: 'https://elsewhere.example/a.jpg',
            mime: 'image/jpeg' } });
    const message = await waitFor(async () => {
        const list = await call('inbox', { query: { search: 'lost' },
            name: 'until the file is given up' });
        const id = list.json.conversations.length > 0
            && list.json.conversations[0].id;
        const r = id && await call('chat', { path: { chatId: id } });
        const m = r && r.json.messages.find((x) => x.message === 'lost');
        return m && m.media && m.media.state === 'failed' && m;
    });
    ok(message.media.error, 'a file that did not come says why');
    const path = { id: String(message.id) };
    await call('retryMedia', { path });
    const text = await call('send', { body: { phone: PHONE, message: 'x' } });
    await call('retryMedia', { path: { id: String(text.json.data.id) },
        want: 409, name: 'of a message of ours' });
}

async function reports(call) {
    const as = 'supervisor';
    const query = { year: '2026', start_month: '1', limit: '5' };
    await call('lybunt', { as, query });
    await call('sybunt', { as, query });
    await call('lybunt', { as, query: { year: '2027', limit: '5' } });
    await call('sybunt', { as, query: { calendar: 'hijri', year: '1447' } });
    await call('sybunt', { as, query: { year: '2028', exclusive: '1',
        limit: '5' } });
    await call('retention', { as, query: { year: '2026' } });
    await call('rfm', { as });
}

async function realtime(call) {
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    const page = { path: { key: 'wacrm' }, query: { protocol: '7' } };
    const { Upgrade, ...less } = headers;
    await call('socket', { ...page, headers: less, want: 400 });
    await call('socket', { ...page, want: 426,
        headers: { ...headers, 'Sec-WebSocket-Version': '8' } });
    await call('socket', { ...page, want: 403,
        headers: { ...headers, Origin: 'https://elsewhere.example' } });
    await call('socket', { ...page, headers, want: 101 });
    const body = { socket_id: '1234.1', channel_name: 'private-inbox' };
    await call('broadcastingAuth', { body,
        later: { body: { ...body, channel_name: 'private-other' } } });
}

async function backends(call) {
    const path = { appId: 'wacrm' };
    const event = { name: 'Berita', channels: ['berita'], data: '{}' };
    await call('appEvents', { path, body: event, signed: false, want: 401 });
    await call('appEvents', { path, body: event });
    await call('appBatch', { path, body: { batch: [event] }, signed: false,
        want: 401 });
    await call('appBatch', { path, body: { batch: [event] } });
    const channel = { ...path, channel: 'presence-chat.1' };
    for (const [id, given] of [
        ['appChannels', { path, query: { info: 'user_count' } }],
        ['appChannel', { path: channel,
            query: { info: 'user_count,subscription_count' } }],
        ['appUsers', { path: channel }],
        ['appTerminate', { path: { ...path, userId: '999' } }]]) {
        await call(id, { ...given, signed: false, want: 401 });
        await call(id, given);
    }
}

export async function scenario(call) {
    await signIn(call);
    await operations(call);
    await inbox(call);
    await sending(call);
    for (const part of [later, stale, keys, files, importing, contacts,
        merging, reports, lostFile, searching]) {
        await attempt(part, call);
    }
    await attempt(async () => consents(call, await templates(call)));
    await attempt(async () => administration(call, await sessions(call)));
    await attempt(events, call);
    await attempt(realtime, call);
    await attempt(backends, call);
}
