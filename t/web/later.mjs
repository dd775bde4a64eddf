// What leaves later, files that did not come, a socket that comes back, and a
// sign-in whose renewal was cut off.
import { about, allow, api, ask, attempt, axe, calls, close, diag, eventually,
    is, like, live, main, ok, open, person, sees, shot, signIn, sim, state }
    from './browser.mjs';

const DONOR = '6281210000001';
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q'
    + 'DwADhgGAWjR9awAAAABJRU5ErkJggg==';

const input = (page) => page.getByTestId('message-input');
const bubble = (page, text) => page.getByTestId('message')
    .filter({ hasText: text });
const statusOf = (page, text) => bubble(page, text).last()
    .locator('[data-status]').getAttribute('data-status');

/* As <input type=datetime-local> has it, in the zone of the browser. */
function local(date) {
    return new Date(date.getTime() + 7 * 3600 * 1000).toISOString()
        .slice(0, 16);
}
const inHours = (n) => new Date(Math.floor(Date.now() / 60000) * 60000
    + n * 3600000);

async function schedule(page, text, at) {
    await input(page).fill(text);
    await page.getByTestId('schedule').click();
    await page.getByTestId('schedule-at').fill(local(at));
    await page.getByTestId('schedule-ok').click();
    await eventually(async () => await statusOf(page, text) === 'scheduled',
        `'${text}' waits for its time`);
}

async function scheduling({ page }) {
    await page.getByTestId('chat-row').filter({ hasText: 'Aminah' }).click();
    await input(page).waitFor();
    await input(page).fill('tidak jadi');
    await page.getByTestId('schedule').click();
    await page.getByTestId('schedule-at').fill(local(inHours(-2)));
    await page.getByTestId('schedule-ok').click();
    is(await page.getByTestId('schedule-at').getAttribute('aria-invalid'),
        'true', 'the past is no time to send');
    await axe(page, 'send later');
    await page.keyboard.press('Escape');

    const at = inHours(26);
    await schedule(page, 'Pengingat zakat besok', at);
    await schedule(page, 'Batalkan saja', inHours(5));
    await schedule(page, 'Segera berangkat', inHours(3));
    is((await calls({ route: 'send.text' })).length, 0, 'nothing has left');
    await shot(page, 'chat-scheduled');

    // moved, in the chat
    const moved = inHours(50);
    await bubble(page, 'Pengingat zakat').getByTestId('reschedule').click();
    is(await page.getByTestId('schedule-at').inputValue(), local(at),
        'its time is in the field');
    await page.getByTestId('schedule-at').fill(local(moved));
    await page.getByTestId('schedule-ok').click();
    const due = async (text) => (await api('cs1', 'GET',
        '/messages?state=scheduled')).data.find((m) => m.message === text);
    await eventually(async () => Date.parse((await due(
        'Pengingat zakat besok')).scheduled_at) === moved.getTime(),
    'another time is kept');
    is(await page.getByTestId('message').last().innerText().then((t) =>
        /Pengingat zakat/.test(t)), true, 'it stands where it will leave');
}

async function listing({ page }) {
    await page.goto('/reminders');
    await page.getByTestId('show-scheduled').click();
    const lines = page.getByTestId('scheduled');
    await sees(page, lines, 'there is a list of them');
    is(await lines.locator('.what').allInnerTexts().then((all) =>
        all.map((t) => t.trim())), ['Segera berangkat', 'Batalkan saja',
        'Pengingat zakat besok'], 'soonest first');
    await axe(page, 'scheduled messages');
    await shot(page, 'scheduled');

    await lines.filter({ hasText: 'Batalkan saja' })
        .getByTestId('cancel-message').click();
    await page.getByTestId('confirm-ok').click();
    await eventually(async () => await lines.count() === 2,
        'one is withdrawn from there');
    // a colleague moves one: it leaves at once, and the list follows
    const { id } = (await api('cs1', 'GET', '/messages?state=scheduled')).data
        .find((m) => m.message === 'Segera berangkat');
    await signIn('cs2');
    await api('cs2', 'PATCH', `/messages/${id}`, { scheduled_at:
        new Date(Date.now() + 5000).toISOString() });
    await eventually(async () => (await calls({ text: 'Segera berangkat' }))
        .length === 1, 'when it is due it leaves', 15);
    await eventually(async () => await lines.count() === 1,
        'and is in the list no more', 15);
    await lines.getByRole('link').click();
    await sees(page, bubble(page, 'Pengingat zakat'), 'a click leads to it');
    is(await statusOf(page, 'Batalkan saja'), 'cancelled',
        'what was withdrawn is kept, as such');
    await eventually(async () => ['sent', 'delivered', 'read']
        .includes(await statusOf(page, 'Segera berangkat')),
    'what has left has its ticks');
}

/* In the open chat: the row of a message that leaves moves to where it is. */
async function leaving({ page }) {
    await schedule(page, 'Berangkat sekarang', inHours(60));
    is(await page.getByTestId('message').last().innerText().then((t) =>
        /Berangkat sekarang/.test(t)), true, 'the latest of all stands last');
    await bubble(page, 'Berangkat sekarang').scrollIntoViewIfNeeded();
    const { id } = (await api('cs1', 'GET', '/messages?state=scheduled')).data
        .find((m) => m.message === 'Berangkat sekarang');
    await api('cs2', 'PATCH', `/messages/${id}`, { scheduled_at:
        new Date(Date.now() + 5000).toISOString() });
    await eventually(async () => !['scheduled', 'queued'].includes(
        await statusOf(page, 'Berangkat sekarang')), 'it leaves', 15);
    const shown = () => page.getByTestId('message').evaluateAll((all) =>
        all.map((e) => Number(e.dataset.message)));
    const [chat] = (await api('cs1', 'GET', '/inbox')).conversations;
    const kept = async () => (await api('cs1', 'GET', `/inbox/${chat.id}`))
        .messages.map((m) => m.id);
    await eventually(async () => JSON.stringify(await shown())
        === JSON.stringify(await kept()), 'and stands where the API has it');
    is(await bubble(page, 'Berangkat sekarang').getByTestId('cancel-message')
        .count(), 0, 'what has left cannot be withdrawn');
}

async function files({ page }) {
    const url = `${about.sim}/media/kuitansi.png`;
    await sim('/_sim/webhook', { from: DONOR, name: 'Aminah', type: 'image',
        text: 'ini buktinya', media: { url, mime: 'image/png',
            name: 'kuitansi.png' } });
    const it = bubble(page, 'ini buktinya');
    await sees(page, it.getByTestId('fetch-media'),
        'a file that did not come is told, and can be fetched again');
    await axe(page, 'a file that did not come');
    await sim('/_sim/file', { name: 'kuitansi.png', type: 'image/png',
        base64: PNG });
    await it.getByTestId('fetch-media').click();
    await eventually(() => it.locator('img').first().evaluate((i) =>
        i.complete && i.naturalWidth > 0), 'and then it is there', 20);
}

/* A gateway says no, in its own words. */
async function refused({ page }) {
    await sim('/_sim/behaviour', { do: 'status', status: 400,
        route: 'send.text' });
    await input(page).fill('ditolak');
    await input(page).press('Control+Enter');
    await sees(page, bubble(page, 'ditolak').getByText('Gateway menolak'),
        'a refusal is told in the reader\'s language');
    await sees(page, bubble(page, 'ditolak').getByText('Simulated failure'),
        'beside the gateway\'s own words');
}

/* Who has said STOP: whoever looks at the chat sees it, on a phone, too. */
async function optedOut() {
    const { page, context } = await person('cs1',
        { viewport: { width: 360, height: 740 } });
    await page.getByTestId('chat-row').filter({ hasText: 'Aminah' }).click();
    await input(page).waitFor();
    is(await page.getByTestId('opted-out').count(), 0, 'nothing is said');
    is(await page.getByRole('heading', { level: 1 }).count(), 1,
        'the page has a heading');
    await sim('/_sim/webhook', { from: DONOR, name: 'Aminah', text: 'STOP' });
    await sees(page, page.getByTestId('opted-out'),
        'who does not want to be written to is marked at once');
    await axe(page, 'opted out');
    await shot(page, 'chat-opted-out');
    await sim('/_sim/webhook', { from: DONOR, name: 'Aminah', text: 'START' });
    await eventually(async () => await page.getByTestId('opted-out').count()
        === 0, 'until they want it again');
    await context.close();
}

/* Who types faster than the list of texts comes. */
async function quickHand() {
    const { page, context } = await person('cs1');
    await api('supervisor', 'POST', '/templates', { name: 'salam',
        content: 'Waalaikumsalam, ada yang bisa kami bantu?' });
    await page.route('**/api/crm/templates*', async (route) => {
        await new Promise((go) => setTimeout(go, 600));
        await route.continue();
    });
    await page.getByTestId('chat-row').filter({ hasText: 'Aminah' }).click();
    await input(page).fill('/sal');
    await input(page).press('Enter');
    await eventually(async () => await input(page).inputValue()
        === 'Waalaikumsalam, ada yang bisa kami bantu?',
    'Enter before the list is there takes what it will find');
    await context.close();
}

/* wacrmd goes and comes: how soon the socket is there again. */
async function socket({ page }) {
    allow(/status of 50[0-9]|WebSocket connection|ERR_CONNECTION/);
    await live(page);
    const tries = [];
    page.on('websocket', () => tries.push(Date.now()));
    await ask('kill');
    await eventually(async () => await state(page, 'realtime.mode')
        === 'polling', 'the socket is away');
    // pusher-js alone waits 15 s after one that has failed
    await eventually(() => tries.length >= 3, 'it is tried again meanwhile');
    diag(`tried at ${tries.map((at) => at - tries[0])} ms`);
    ok(tries[2] - tries[0] < 14000, 'every few seconds', tries);
    await ask('start');
    const began = Date.now();
    await live(page);
    const took = Date.now() - began;
    diag(`wacrmd is back: live again after ${took} ms`);
    // that of the longest wait, were it just over
    ok(took < 30000, 'the socket is back', took);
}

/* A renewal whose answer is lost: the page was left at that moment. */
async function cutOff() {
    allow(/401 \(Unauthorized\)|ERR_ABORTED|ERR_FAILED/);
    const { page, context } = await person('cs2');
    await page.getByTestId('chat-row').first().waitFor();
    const stale = () => page.evaluate(() => {
        const kept = JSON.parse(localStorage.getItem('wacrm.auth'));
        localStorage.setItem('wacrm.auth',
            JSON.stringify({ ...kept, expires: Date.now() }));
    });
    let answered = 0;
    await page.route('**/api/auth/refresh', async (route) => {
        await route.fetch();
        answered++;
        await route.abort();
    }, { times: 1 });
    await stale();
    await page.goto('/templates');
    await eventually(() => answered === 1, 'a renewal is answered, and lost');
    await page.goto('/reminders');
    await sees(page, page.getByRole('heading', { name: 'Pengingat' }),
        'the next page is there');
    await page.waitForTimeout(500);
    is(await page.getByTestId('relogin').count(), 0,
        'nobody is asked for a password');
    await eventually(async () => await page.evaluate(() => JSON.parse(
        localStorage.getItem('wacrm.auth')).expires > Date.now() + 1000),
    'as the renewal is done again');
    await context.close();
}

/* The page is away: the desktop and the title tell. */
async function notices() {
    const { page, context } = await person('cs1',
        { settings: { notify: true }, path: null });
    await context.grantPermissions(['notifications']);
    await page.addInitScript(() => {
        window.notices = [];
        window.Notification = class {
            static permission = 'granted';

            constructor(title, options) {
                window.notices.push([title, options.body, options.tag]);
                window.last = this;
            }

            close() {}
        };
        document.hasFocus = () => false;
    });
    await page.goto('/templates');
    await live(page);
    const before = await page.title();
    await sim('/_sim/webhook', { from: '6281210000077', name: 'Ibu Sari',
        text: 'Assalamualaikum' });
    await eventually(() => page.evaluate(() => window.notices.length === 1),
        'who is not looking gets a notice');
    is(await page.evaluate(() => window.notices[0].slice(0, 2)),
        ['Ibu Sari', 'Assalamualaikum'], 'who, and what');
    await eventually(async () => await page.title() !== before,
        'and the title counts');
    like(await page.title(), /^\(\d+\) /);
    await page.evaluate(() => window.last.onclick());
    await sees(page, page.getByTestId('message')
        .filter({ hasText: 'Assalamualaikum' }), 'a click leads there');

    // a phone has the name, but a page cannot make one
    await page.addInitScript(() => {
        window.Notification = class {
            static permission = 'default';

            constructor() {
                throw new TypeError('Illegal constructor');
            }
        };
    });
    await page.goto('/settings');
    await sees(page, page.getByText('Chrome di ponsel Android'),
        'where there are none, the settings say so');
    ok(await page.getByTestId('notify').isDisabled()
        && !await page.getByTestId('notify').isChecked(), 'and are off');
    await shot(page, 'settings-no-notices');
    await context.close();
}

await main(async () => {
    await open();
    await sim('/_sim/webhook', { kind: 'session', status: 'connected' });
    await sim('/_sim/webhook', { from: DONOR, name: 'Aminah', text: 'halo' });
    await ask('applied');
    await signIn('cs1');
    const me = await person('cs1');
    for (const part of [scheduling, listing, leaving, files, refused, optedOut, quickHand,
        socket,
        cutOff, notices]) {
        await attempt(part, me);
    }
    is(await state(me.page, 'realtime.offline'), false, 'all is well');
    await close();
});
