// What goes wrong while somebody works, and how the desk comes out of it.
import { allow, api, ask, attempt, axe, calls, close, diag, eventually, is,
    live, main, ok, open, password, person, sees, shot, sim, state }
    from './browser.mjs';

const DONOR = '6281210000001';

const input = (page) => page.getByTestId('message-input');
const writes = (text, more = {}) => sim('/_sim/webhook',
    { from: DONOR, name: 'Aminah', text, ...more });
const row = (page) => page.getByTestId('chat-row')
    .filter({ hasText: 'Aminah' });

async function openChat(page) {
    await row(page).first().click();
    await input(page).waitFor();
}

/* The messages on the screen, and those of the API, in their order. */
const shown = (page) => page.getByTestId('message').evaluateAll((all) =>
    all.map((e) => Number(e.dataset.message)));
async function kept() {
    const { conversations } = await api('supervisor', 'GET', '/inbox');
    const chat = conversations.find((c) => c.phone === DONOR);
    const { messages } = await api('supervisor', 'GET',
        `/inbox/${chat.id}?limit=200`);
    return messages;
}
async function whole(page, name) {
    let [there, want] = [];
    await eventually(async () => {
        [there, want] = [await shown(page), (await kept()).map((m) => m.id)];
        return JSON.stringify(there) === JSON.stringify(want);
    }, `${name}: all messages, each once, in the order of the API`, 30)
        || diag(`on the screen: ${there}\nin the API: ${want}`);
}

/* wacrmd is killed while messages come and go. */
async function killed({ page }) {
    allow(/status of 50[0-9]|WebSocket connection|ERR_CONNECTION/);
    await openChat(page);
    await live(page);
    await page.evaluate(() => {
        window.notReloaded = true;
    });
    const coming = writes('masuk {n}', { count: 60 });
    await input(page).fill('sebelum mati');
    await input(page).press('Control+Enter');
    await ask('kill');
    const more = await writes('masuk juga {n}', { count: 20 });
    is(more.ok, 20, 'what donors write to a dead wacrmd is taken');
    await input(page).fill('selagi mati');
    await input(page).press('Control+Enter');
    await sees(page, page.getByTestId('pending').getByText('selagi mati'),
        'what is sent meanwhile waits on the screen');
    const sent = await coming;
    is(sent.ok, 60, 'as was what they wrote while it died');
    await sees(page, page.getByTestId('offline'),
        'the desk says that it is cut off');
    await shot(page, 'inbox-offline');
    await axe(page, 'cut off');
    await input(page).fill('draf yang belum dikirim');
    await ask('start');
    await ask('applied');
    await eventually(async () => await page.getByTestId('offline').count()
        === 0, 'and when it is back', 40);
    await eventually(async () => (await kept()).filter((m) =>
        /mati$/.test(m.message)).length === 2,
    'both messages were sent', 40);
    await eventually(async () => await page.getByTestId('pending').count()
        === 0, 'and nothing waits any more', 40);
    await whole(page, 'after kill -9');
    is((await kept()).filter((m) => /^masuk/.test(m.message)).length, 80,
        'with all that donors wrote');
    await eventually(async () => (await kept()).every((m) =>
        m.status !== 'queued'), 'and nothing is left in the queue', 40);
    for (const text of ['sebelum mati', 'selagi mati']) {
        const left = (await calls({ text })).length;
        const { status } = (await kept()).find((m) => m.message === text);
        // It was about to leave when wacrmd died: nobody sends it again.
        ok(left === 1 || (left === 0 && status === 'unknown'),
            `'${text}' left once`, { left, status });
    }
    is(await input(page).inputValue(), 'draf yang belum dikirim',
        'the draft is there');
    ok(await page.evaluate(() => window.notReloaded), 'without a reload');
    await input(page).fill('');
    await live(page);
    await writes('sesudah hidup lagi');
    await sees(page, page.getByTestId('message')
        .filter({ hasText: 'sesudah hidup lagi' }),
    'and the socket works again');
}

/* The network of this browser only. */
async function cut({ page, context }) {
    allow(/ERR_INTERNET_DISCONNECTED/);
    await live(page);
    await context.setOffline(true);
    await sees(page, page.getByTestId('offline'), 'offline is told at once');
    await writes('selagi terputus {n}', { count: 5 });
    await sim('/_sim/webhook', { from: '6281210000009', name: 'Orang Baru',
        text: 'pertama kali' });
    await input(page).fill('ditulis tanpa jaringan');
    await input(page).press('Control+Enter');
    await sees(page, page.getByTestId('pending'),
        'one goes on writing');
    await context.setOffline(false);
    await eventually(async () => await page.getByTestId('offline').count()
        === 0, 'back again, the line goes', 30);
    await sees(page, page.getByTestId('chat-row')
        .filter({ hasText: 'Orang Baru' }), 'who is new is in the list');
    await eventually(async () => await page.getByTestId('pending').count()
        === 0, 'what was written has left', 30);
    await whole(page, 'after a cut');
    await eventually(async () => (await kept()).some((m) =>
        m.message === 'ditulis tanpa jaringan' && m.status !== 'queued'),
    'to the gateway, too');
    is((await calls({ text: 'ditulis tanpa jaringan' })).length, 1, 'once');
}

/* The socket of a page, to be cut and to be let through again. */
async function ownSocket(page) {
    const it = { open: true, subscribed: 0, heard: '', cut() {
        it.open = false;
        it.ws?.close({ code: 1012 });
    } };
    await page.routeWebSocket(/\/app\//, (ws) => {
        if (!it.open) {
            ws.close({ code: 1012 });
            return;
        }
        it.ws = ws;
        const server = ws.connectToServer();
        server.onMessage((text) => {
            ws.send(text);
            it.heard += text;
            if (/subscription_succeeded.*private-inbox/.test(text)) {
                it.subscribed++;
            }
        });
    });
    return it;
}
async function joins(socket) {
    const before = socket.subscribed;
    socket.open = true;
    await eventually(() => socket.subscribed > before,
        'the socket is back', 60);
}
/* Somebody whose open conversation and list are looked at. */
async function watcher() {
    const it = await person('cs1', { path: null });
    const socket = await ownSocket(it.page);
    await it.page.goto('/inbox');
    await openChat(it.page);
    await live(it.page);
    return { ...it, socket };
}
const told = (page, text) => sees(page, page.getByTestId('message')
    .filter({ hasText: text }), `'${text}' is shown`);

/* The socket is back before what was missed can be asked for. */
async function missed() {
    const { page, context, socket } = await watcher();
    let away = true;
    allow(/status of 503.*events|WebSocket connection/);
    await page.route(/\/api\/crm\/events/, (route) => away
        ? route.fulfill({ status: 503, json: { message: 'Away' } })
        : route.continue());
    socket.cut();
    await eventually(async () => await state(page, 'realtime.mode')
        === 'polling', 'the socket is away');
    await writes('saat terputus');
    await ask('applied');
    const refused = page.waitForResponse((r) => /crm\/events/.test(r.url())
        && r.status() === 503);
    await joins(socket);
    await refused;
    await writes('sesudah tersambung');
    await eventually(() => socket.heard.includes('sesudah tersambung'),
        'and tells what is new');
    away = false;
    await told(page, 'saat terputus');
    await told(page, 'sesudah tersambung');
    await whole(page, 'after an answer that failed');
    await live(page);
    await context.close();
}

/* What was missed is asked for just before the socket is back: what happens
   between the two is in neither. */
async function between() {
    const { page, context, socket } = await watcher();
    let answer = null;
    let hold = true;
    let release;
    const released = new Promise((go) => {
        release = go;
    });
    await page.route(/\/api\/crm\/events/, async (route) => {
        if (!hold) {
            await route.continue();
            return;
        }
        hold = false;
        answer = await route.fetch();
        await released;
        await route.fulfill({ response: answer });
    });
    socket.cut();
    await eventually(() => answer, 'one has asked');
    await writes('di antaranya');
    await ask('applied');
    await joins(socket);
    release();
    await live(page);
    await writes('setelahnya');
    await told(page, 'setelahnya');
    await told(page, 'di antaranya');
    await whole(page, 'after an answer from before the socket');
    await context.close();
}

/* A conversation that is opened by its address, while somebody writes. */
async function early() {
    const { page, context } = await person('cs2', { path: null });
    const { conversations } = await api('supervisor', 'GET', '/inbox');
    await page.route(/\/events\?since=latest/, async (route) => {
        // Has the page been quicker?
        await page.waitForResponse(/\/api\/crm\/inbox\//, { timeout: 2000 })
            .catch(() => {});
        await writes('sangat awal');
        await ask('applied');
        await route.continue();
    });
    await page.goto(`/inbox/${conversations
        .find((c) => c.phone === DONOR).id}`);
    await told(page, 'sangat awal');
    await whole(page, 'from the beginning');
    await context.close();
}

/* The place that the events are followed from is long in coming. */
async function slow() {
    const { page, context } = await person('cs2', { path: null });
    let release;
    const released = new Promise((go) => {
        release = go;
    });
    await page.route(/\/events\?since=latest/, async (route) => {
        await released;
        await route.continue();
    });
    const { conversations } = await api('supervisor', 'GET', '/inbox');
    await page.goto(`/inbox/${conversations
        .find((c) => c.phone === DONOR).id}`, { waitUntil: 'commit' });
    await sees(page, page.locator('main .spinner'),
        'that something is to come is seen');
    await page.getByTestId('message').first().waitFor();
    ok(true, 'and that comes without the place');
    await writes('selagi menunggu');
    await ask('applied');
    release();
    await told(page, 'selagi menunggu');
    await whole(page, 'what came before the place');
    await live(page);
    await context.close();
}

/* It cannot be told that somebody has read. */
async function unread() {
    const { page, context } = await person('cs2');
    let away = true;
    allow(/status of 503.*read/);
    await page.route(/\/api\/crm\/inbox\/[^/]+\/read/, (route) => away
        ? route.fulfill({ status: 503, json: { message: 'Away' } })
        : route.continue());
    await writes('belum terbaca');
    await ask('applied');
    const refused = page.waitForResponse((r) => /read$/.test(r.url()));
    await openChat(page);
    await refused;
    await sees(page, row(page).getByTestId('unread'),
        'the list goes on saying what is unread');
    away = false;
    await eventually(async () => (await api('cs2', 'GET', '/inbox'))
        .conversations.find((c) => c.phone === DONOR).unread_count === 0,
    'and it is told later');
    await eventually(async () => await row(page)
        .getByTestId('unread').count() === 0, 'to the list, too');
    await context.close();
}

/* An answer that a colleague was quicker with. */
async function stale() {
    const { page, context } = await person('cs1', { path: null });
    await page.routeWebSocket(/\/app\//, () => {});
    await page.route(/\/api\/crm\/events/, (route) =>
        /since=latest/.test(route.request().url())
            ? route.continue() : route.abort());
    allow(/ERR_FAILED|409 \(Conflict\).*send/);
    await page.goto('/inbox');
    await openChat(page);
    await page.getByTestId('message').first().waitFor();
    await api('cs2', 'POST', '/messages/send', { phone: DONOR,
        message: 'Sudah saya jawab, ya' });
    await input(page).fill('Jawaban kedua');
    await input(page).press('Control+Enter');
    const dialog = page.getByTestId('stale');
    await sees(page, dialog.getByText('Sudah saya jawab, ya'),
        'one sees what the colleague has answered meanwhile');
    await sees(page, dialog.getByText('Jawaban kedua'),
        'beside one\'s own answer');
    is((await calls({ text: 'Jawaban kedua' })).length, 0,
        'which has not been sent');
    await axe(page, 'a colleague was quicker');
    await shot(page, 'inbox-stale');
    await page.getByTestId('stale-edit').click();
    is(await input(page).inputValue(), 'Jawaban kedua',
        'it goes back to the draft');
    await input(page).press('Control+Enter');
    await page.getByTestId('stale-send').click();
    await eventually(async () => (await calls({ text: 'Jawaban kedua' }))
        .length === 1, 'or is sent all the same');
    await context.close();
}

/* After a weekend the feed tells where it goes on, and what lies between cannot
   be had yet: what is on the screen is as old as it was. */
async function asleep(feed) {
    const { page, context } = await person('cs1', { path: null });
    let place = null;
    let asked = false;
    let refused = false;
    allow(/ERR_FAILED|409 \(Conflict\).*send/);
    await page.routeWebSocket(/\/app\//, () => {});
    await page.route(/\/api\/crm\/events/, (route) => {
        if (/since=latest/.test(route.request().url())) {
            return route.continue();
        }
        asked = place !== null;
        return asked ? route.fulfill({ json: place }) : route.abort();
    });
    await page.goto('/inbox');
    await openChat(page);
    await page.getByTestId('message').first().waitFor();
    const lists = /\/api\/crm\/inbox/;
    await page.route(lists, (route) => {
        refused ||= asked && /inbox\/[^/?]+\?/.test(route.request().url());
        return route.abort();
    });
    const text = `Akhir pekan ${feed ?? 'yang sama'}`;
    await api('cs2', 'POST', '/messages/send', { phone: DONOR,
        message: text });
    const latest = await api('cs1', 'GET', '/events?since=latest');
    place = { ...latest, feed: feed ?? latest.feed, resync: true };
    await eventually(() => refused, 'it is to be loaded anew', 60);
    await input(page).fill(`Dari layar Jumat ${text}`);
    await input(page).press('Control+Enter');
    await sees(page, page.getByTestId('stale').getByText(text),
        'what is not loaded yet has not been seen');
    if (feed) {
        is(await state(page, 'realtime.seq'), 1,
            'and numbers of another database say nothing');
    }
    await page.getByTestId('stale-edit').click();
    place = { ...place, resync: false };
    await page.unroute(lists);
    await eventually(async () => await state(page, 'realtime.seq')
        === latest.next, 'it has been seen when it is loaded', 60);
    await told(page, text);
    await input(page).press('Control+Enter');
    await eventually(async () => (await calls(
        { text: `Dari layar Jumat ${text}` })).length === 1,
    'and the answer leaves', 20);
    await context.close();
}
const restored = () => asleep('lain');

/* The open conversation is taken away while the socket is: that is known, and
   the rest goes on. */
async function withdrawn() {
    const { page, context, socket } = await watcher();
    const chat = /\/api\/crm\/inbox\/[^/?]+\?/;
    let place = await api('cs1', 'GET', '/events?since=latest');
    allow(/status of 404.*inbox|WebSocket connection/);
    await page.route(chat, (route) => route.fulfill(
        { status: 404, json: { message: 'Chat not found.' } }));
    await page.route(/\/api\/crm\/events/, (route) => {
        const json = place && { ...place, resync: true };
        place = null;
        return json ? route.fulfill({ json }) : route.continue();
    });
    socket.cut();
    await sees(page, page.getByTestId('messages').locator('.notice.error'),
        'a conversation that is gone is told of');
    is(await shown(page), [], 'and not shown');
    await joins(socket);
    await live(page);
    await page.unroute(chat);
    await writes('sesudah ditarik');
    await sees(page, row(page).getByText('sesudah ditarik'),
        'the list goes on by the socket');
    await page.getByTestId('messages').locator('.notice.error button').click();
    await told(page, 'sesudah ditarik');
    await context.close();
}

/* Signed out from elsewhere, in the middle of a sentence. */
async function expired({ page }) {
    allow(/401 \(Unauthorized\)/);
    allow(/403 \(Forbidden\).*broadcasting/);
    await input(page).fill('Kalimat yang belum');
    const [[id]] = await ask('sql',
        "SELECT id FROM users WHERE email = 'cs1@test.example'");
    await new Promise((go) => setTimeout(go, 1100)); // tokens count in seconds
    await api('admin', 'POST', `/agents/${id}/logout`);
    await input(page).press('Control+Enter');
    const form = page.getByTestId('relogin');
    await sees(page, form, 'the password is asked for, over the page');
    await axe(page, 'signed out elsewhere');
    await shot(page, 'relogin');
    await form.locator('[type=password]').last().fill('salah');
    await form.locator('[type=password]').last().press('Enter');
    await sees(page, form.locator('[aria-invalid=true]'),
        'a wrong one is refused there');
    await form.locator('[type=password]').last().fill(password);
    await form.locator('[type=password]').last().press('Enter');
    await eventually(async () => await form.count() === 0,
        'the right one goes on');
    await eventually(async () => (await calls({ text: 'Kalimat yang belum' }))
        .length === 1, 'and what was to be sent is sent, once', 20);

    // a draft, too, outlives a reload
    await input(page).fill('draf lain');
    await page.waitForTimeout(600);
    await page.reload();
    await input(page).waitFor();
    await eventually(async () => await input(page).inputValue()
        === 'draf lain', 'a draft outlives a reload');
}

/* An answer that is lost on its way: what is saved again is there once. */
async function doubled({ page }) {
    allow(/ERR_FAILED/);
    const lost = new Set();
    await page.route(/\/contacts\/\d+\/(?:donations|notes|reminders)$/,
        async (route) => {
            const { pathname } = new URL(route.request().url());
            if (lost.has(pathname)) {
                await route.continue();
                return;
            }
            lost.add(pathname);
            await route.fetch();
            await route.abort();
        });
    const panel = page.getByTestId('donor-panel');
    async function twice(part, save) {
        await panel.getByTestId(part).locator('.error').first().waitFor(
            { state: 'visible' });
        await panel.getByTestId(save).click();
        await eventually(async () => await panel.getByTestId(save).count()
            === 0, `${part}: saved at the second try`);
    }
    await panel.getByTestId('gifts').getByTestId('add').click();
    await panel.getByTestId('gift-amount').pressSequentially('75000');
    await panel.getByTestId('gift-save').click();
    await twice('gifts', 'gift-save');
    await panel.getByTestId('notes').getByTestId('add').click();
    await panel.getByTestId('note-text').fill('Sekali saja');
    await panel.getByTestId('note-save').click();
    await twice('notes', 'note-save');
    await panel.getByTestId('reminders').getByTestId('add').click();
    await panel.getByTestId('reminder-note').fill('Sekali saja');
    await panel.getByTestId('reminder-save').click();
    await twice('reminders', 'reminder-save');
    const count = async (table, where) => Number((await ask('sql',
        `SELECT count(*) FROM ${table} ${where}`))[0][0]);
    is([await count('donations', 'WHERE amount = 75000'),
        await count('notes', ''), await count('reminders', '')], [1, 1, 1],
    'a gift, a note and a reminder, each once');
    // the same once more, meant so, is another one
    await panel.getByTestId('notes').getByTestId('add').click();
    await panel.getByTestId('note-text').fill('Sekali saja');
    await panel.getByTestId('note-save').click();
    await eventually(async () => await count('notes', '') === 2,
        'and written again, there are two');
}

/* A dialog that something has been written in. */
async function written({ page }) {
    const dialog = page.getByTestId('new-chat-form');
    const text = dialog.locator('textarea');
    const asked = page.getByTestId('confirm-ok');
    const closes = [() => page.mouse.click(5, 5),
        () => page.keyboard.press('Escape'),
        () => page.locator('dialog:has(form) header .icon-btn').click()];
    await page.getByTestId('new-chat').click();
    await dialog.waitFor();
    await page.mouse.click(5, 5);
    await eventually(async () => await dialog.count() === 0,
        'an empty form closes without a question');
    await page.getByTestId('new-chat').click();
    await text.fill('Assalamualaikum');
    for (const [i, way] of closes.entries()) {
        await way();
        await sees(page, asked, `one is asked (${i})`);
        if (i === 0) {
            await axe(page, 'discard?');
            await shot(page, 'discard');
        }
        await page.getByTestId('confirm-cancel').click();
        is(await text.inputValue(), 'Assalamualaikum', 'it is still there');
    }
    // a browser closes a dialog at the second Esc by itself
    for (let i = 0; i < 4; i++) {
        await page.keyboard.press('Escape');
    }
    ok(await dialog.count() === 1, 'nor do many Esc throw it away');
    await eventually(async () => {
        if (await asked.count() === 0) {
            await page.keyboard.press('Escape');
        }
        return asked.isVisible();
    }, 'one is asked again');
    await asked.click();
    await eventually(async () => await dialog.count() === 0,
        'it closes when one says so');
}

/* Too many tries to sign in: told to who cannot see it, and once. */
async function tooMany() {
    const { page, context } = await person(null, { path: null });
    await page.clock.install();
    await page.goto('/login');
    allow(/status of 429/);
    await page.route(/\/api\/auth\/login/, (route) => route.fulfill(
        { status: 429, headers: { 'Retry-After': '4' }, json: {} }));
    await page.locator('[name=email]').fill('cs1@test.example');
    await page.locator('[name=password]').fill('salah');
    await page.clock.pauseAt(Date.now() + 600000);
    await page.locator('[type=submit]').click();
    const alert = page.locator('[role=alert]');
    await page.getByTestId('login-wait').getByText('4 detik').waitFor();
    await page.clock.runFor(1000);
    await sees(page, page.getByTestId('login-wait').getByText('3 detik'),
        'the seconds pass');
    ok(/ 4 detik/.test(await alert.textContent()),
        'what is announced does not change with them');
    is(await page.getByTestId('login-wait').getAttribute('aria-hidden'),
        'true', 'and is told once');
    ok(await page.locator('[type=submit]').isDisabled(), 'one is to wait');
    await page.clock.runFor(3000);
    await eventually(() => page.locator('[type=submit]').isEnabled(),
        'then one may try again');
    is((await alert.textContent()).trim(), '', 'and nothing is in the way');
    await context.close();
}

/* A file of the desk that cannot be had just then is had later. */
async function part() {
    const { page, context } = await person('supervisor');
    let refused = 0;
    allow(/ERR_FAILED/);
    await page.route('**/assets/chart-*.js', (route) => {
        refused += 1;
        return refused > 2 ? route.continue() : route.abort();
    });
    await page.goto('/dashboard');
    await sees(page, page.locator('.uplot canvas').first(),
        'a chart is drawn when its file comes at last');
    ok(refused > 2, 'and was asked for again');
    await context.close();
}

await main(async () => {
    await open();
    await sim('/_sim/webhook', { kind: 'session', status: 'connected' });
    await writes('halo {n}', { count: 3 });
    await ask('applied');
    await attempt(missed);
    await attempt(between);
    await attempt(early);
    await attempt(slow);
    await attempt(unread);
    await attempt(stale);
    await attempt(asleep);
    await attempt(restored);
    await attempt(withdrawn);
    const me = await person('cs1');
    await attempt(killed, me);
    await attempt(cut, me);
    await attempt(doubled, me);
    await attempt(written, me);
    await attempt(expired, me);
    await attempt(tooMany);
    await attempt(part);
    await close();
});
