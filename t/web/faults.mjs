// What goes wrong while somebody works, and how the desk comes out of it.
import { allow, api, ask, attempt, axe, calls, close, eventually, is, main, ok,
    open, password, person, sees, shot, sim } from './browser.mjs';

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
    const want = async () => (await kept()).map((m) => m.id);
    await eventually(async () => JSON.stringify(await shown(page))
        === JSON.stringify(await want()), `${name}: all messages, each once`,
    30);
    is(await shown(page), await want(), `${name}: in the order of the API`);
}
const live = (page) => page.waitForFunction(() => document
    .querySelector('#app').__vue_app__.config.globalProperties.$pinia.state
    .value.realtime.mode === 'live', null, { timeout: 30000 });

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
        is((await calls({ text })).length, 1, `'${text}' left once`);
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
    is((await calls({ text: 'ditulis tanpa jaringan' })).length, 1, 'once');
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
    await attempt(stale);
    const me = await person('cs1');
    await attempt(killed, me);
    await attempt(cut, me);
    await attempt(expired, me);
    await attempt(part);
    await close();
});
