// Every dialog and every state that is no page of its own, wide and narrow,
// light and dark: for eyes (build/screenshots) and for axe. The two that have
// least in common are always walked, all four with WACRM_LOOKS=all.
import { allow, api, ask, attempt, axe, close, eventually, fits, is, main, open,
    person, sees, shot, signIn, sim } from './browser.mjs';

const LOOKS = [
    { tail: '', locale: 'id', theme: 'light', axed: true },
    { tail: '-dark', locale: 'en', theme: 'dark' },
    { tail: '-360', locale: 'en', theme: 'light', narrow: true },
    { tail: '-360-dark', locale: 'id', theme: 'dark', narrow: true,
        axed: true },
];
const LONG = 'Yayasan Pengembangan Masyarakat Berkelanjutan Nusantara Raya '
    + 'Bersama Dompet Sosial Ummat';
const WORD = 'panjangsekalitanpaspasi'.repeat(18);
const HOSTILE = [
    ['6281299000001', LONG, `${WORD} https://contoh.example/${WORD}`],
    ['6281299000002', 'محمد عبد الرحمن', 'السلام عليكم، أريد التبرع 500.000'],
    ['6281299000003', '👨‍👩‍👧‍👦🌙✨ Keluarga 🕌', '🤲🤲🤲 👍🏽'],
    ['6281299000004', WORD.slice(0, 200), 'nama tanpa spasi'],
];
const dialog = (page) => page.locator('dialog[open]').last();
const input = (page) => page.getByTestId('message-input');
const panel = (page) => page.getByTestId('donor-panel');

/* A key of a text where the text should be. */
const untranslated = (page) => page.evaluate(() => document.body.innerText
    .match(/\b(?:common|inbox|donor|login|dashboard|sessions|templates|reports|agents|import|audit|settings|reminders)\.[a-z]\w*/gi)
    || []);

/* Whatever is cut off without saying so: text that is wider than its box. */
const cutOff = (page) => page.evaluate(() => {
    const root = [...document.querySelectorAll('dialog[open]')].at(-1)
        ?? document.body;
    const out = [];
    for (const e of root.querySelectorAll('button, label, th, h1, h2, h3, .chip, .btn, select')) {
        const s = getComputedStyle(e);
        if (e.offsetParent && e.scrollWidth > e.clientWidth + 1
            && s.overflowX !== 'visible' && s.textOverflow !== 'ellipsis'
            && !e.closest('.sr-only')) {
            out.push(`${e.tagName}.${e.className}: ${e.innerText.slice(0, 40)}`);
        }
    }
    const box = root.getBoundingClientRect();
    if (root.matches('dialog') && (box.left < 0 || box.top < 0
        || box.right > innerWidth + 1 || box.bottom > innerHeight + 1)) {
        out.push(`dialog ${JSON.stringify(box)}`);
    }
    return out;
});

async function look(page, name, { tail, axed }) {
    await page.waitForFunction(() => !document.querySelector(
        '.spinner, [aria-busy="true"]'), null, { timeout: 5000 })
        .catch(() => {});
    await page.waitForTimeout(150);
    const what = `${name}${tail}`;
    is(await untranslated(page), [], `${what}: every text is there`);
    is(await cutOff(page), [], `${what}: nothing is cut off`);
    await fits(page, what);
    if (axed) {
        await axe(page, what);
    }
    await shot(page, `look-${what}`);
}

const idOf = async (name) => (await api('admin', 'GET',
    '/inbox?limit=200&session_id=*')).conversations
    .find((c) => c.name.includes(name)).id;

async function openPanel(page) {
    if (!await panel(page).isVisible()) {
        await page.getByTestId('toggle-panel').click();
    }
    await panel(page).getByTestId('donor-name').waitFor();
}
async function shut(page) {
    await page.keyboard.press('Escape');
    const discard = page.getByTestId('confirm-ok');
    await eventually(async () => {
        if (await discard.count() > 0) {
            await discard.click();
        }
        return await page.locator('dialog[open]').count() === 0;
    }, 'Escape closes it');
}

/* What is opened in a chat, and beside it. */
async function inChat(page, how) {
    await page.goto(`/inbox/${await idOf('Budi Santoso')}`);
    await page.getByTestId('message').first().waitFor();
    await page.getByTestId('emoji').click();
    await page.getByRole('searchbox').or(page.locator('.emoji, .picker'))
        .first().waitFor();
    await look(page, 'emoji', how);
    await page.keyboard.press('Escape');
    await input(page).fill('/');
    await page.getByTestId('quick-replies').getByRole('option').first()
        .waitFor();
    await look(page, 'quick-replies', how);
    await input(page).fill('/rek');
    await input(page).press('Enter');
    await page.getByTestId('template-form').waitFor();
    await look(page, 'template-fill', how);
    await shut(page);
    await input(page).fill('Kami ingatkan besok pagi ya, Pak');
    await page.getByTestId('schedule').click();
    await page.getByTestId('schedule-at').fill('2020-01-01T10:00');
    await page.getByTestId('schedule-ok').click();
    await look(page, 'schedule', how);
    await shut(page);
    await page.getByTestId('file').setInputFiles([
        { name: 'bukti transfer.png', mimeType: 'image/png',
            buffer: Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA'
                + 'DUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64') },
        { name: `Laporan ${LONG} ${WORD}.pdf`, mimeType: 'application/pdf',
            buffer: Buffer.from('%PDF-1.4\n%%EOF\n') }]);
    await page.getByTestId('attachment').nth(1).waitFor();
    await page.getByTestId('message').first().hover();
    await page.getByTestId('reply').first().click();
    await look(page, 'attachments-and-reply', how);
    await page.reload();
    await page.getByTestId('image').first().click();
    await page.getByTestId('lightbox').waitFor();
    await look(page, 'lightbox', how);
    await shut(page);
}

async function aboutDonor(page, how) {
    await page.goto(`/inbox/${await idOf('Budi Santoso')}`);
    await page.getByTestId('message').first().waitFor();
    await openPanel(page);
    await look(page, 'panel', how);
    for (const [part, name] of [['gifts', 'log-gift'], ['notes', 'note'],
        ['reminders', 'reminder'], ['consent', 'consent']]) {
        const add = panel(page).getByTestId(part).getByTestId('add');
        await add.click();
        await panel(page).getByTestId(part).locator('form').waitFor();
        await panel(page).getByTestId(part).evaluate((e) =>
            e.scrollIntoView({ block: 'start' }));
        if (part === 'gifts') {
            await panel(page).getByTestId('gift-save').click();
        }
        await look(page, name, how);
        await add.click();
    }
    await panel(page).getByTestId('identity').evaluate((e) =>
        e.scrollIntoView({ block: 'start' }));
    await look(page, 'identity-privacy', how);
    await panel(page).getByTestId('identity').getByTestId('add').click();
    await page.getByTestId('merge-search').fill('an');
    await page.getByTestId('merge-choose').first().waitFor();
    await look(page, 'merge-find', how);
    await page.getByTestId('merge-choose').first().click();
    await dialog(page).locator('table').waitFor();
    await look(page, 'merge-compare', how);
    await shut(page);
    await panel(page).getByTestId('erase').click();
    await dialog(page).getByRole('textbox').waitFor();
    await look(page, 'erase', how);
    await shut(page);
}

async function hostile(page, how) {
    for (const [i, name] of [[0, 'long'], [1, 'rtl'], [2, 'emoji-name'],
        [3, 'word-name']]) {
        await page.goto(`/inbox/${await idOf(HOSTILE[i][1])}`);
        await page.getByTestId('message').first().waitFor();
        await look(page, `chat-${name}`, how);
        if (i === 0 || i === 3) {
            await openPanel(page);
            await look(page, `panel-${name}`, how);
        }
    }
}

async function inInbox(page, how) {
    await page.goto('/inbox');
    await page.getByTestId('chat-row').first().waitFor();
    await page.getByTestId('new-chat').click();
    await page.getByTestId('new-chat-form').locator('input').fill('12');
    await page.getByTestId('new-chat-form').locator('textarea').fill('halo');
    allow(/422 .*send/);
    await page.getByTestId('new-chat-send').click();
    await page.getByTestId('new-chat-form').locator('[aria-invalid=true]')
        .waitFor();
    await look(page, 'new-chat', how);
    await shut(page);
    await page.keyboard.press('?');
    await page.getByTestId('shortcuts').waitFor();
    await look(page, 'shortcuts', how);
    await shut(page);
    await page.getByTestId('search').fill('sumur');
    await page.getByTestId('search-hit').first().waitFor();
    await look(page, 'search', how);
    await page.getByTestId('search').fill('Tanpa');
    await page.getByTestId('person-hit').first().waitFor();
    await look(page, 'search-people', how);
    await page.getByTestId('search').fill('xyzzyqwert');
    await sees(page, page.getByTestId('chat-list').locator('.empty'),
        'nothing found is said');
    await look(page, 'search-none', how);
    await page.getByTestId('search').fill('');
    await page.getByTestId('filter-failed').click();
    await look(page, 'filter-failed', how);
    await page.route('**/api/crm/inbox?*', (route) => route.fulfill(
        { status: 500, contentType: 'application/json', body: '{}' }));
    allow(/status of 500/);
    await page.getByTestId('filter-starred').click();
    await page.locator('.notice.error').first().waitFor();
    await look(page, 'list-error', how);
    await page.unroute('**/api/crm/inbox?*');
}

async function inPages(page, how) {
    await page.goto('/templates');
    await page.getByTestId('template-add').click();
    await page.getByTestId('template-name').fill('rekening');
    await page.getByTestId('template-content')
        .fill('Halo {{nama}}, donasi {{dana}} sudah kami terima');
    await look(page, 'template-edit', how);
    await shut(page);
    await page.goto('/agents');
    await page.getByTestId('agent-add').click();
    await page.getByTestId('agent-name').waitFor();
    await look(page, 'agent-edit', how);
    await shut(page);
    await page.goto('/sessions');
    await page.getByTestId('session-add').click();
    await page.getByTestId('session-name').fill(LONG);
    await look(page, 'session-new', how);
    await shut(page);
    await page.getByTestId('edit').first().click();
    await page.getByTestId('session-save').waitFor();
    await look(page, 'session-members', how);
    await shut(page);
    await page.getByTestId('link').first().click();
    await page.getByTestId('qr').waitFor();
    await look(page, 'session-qr', how);
    await shut(page);
    await page.getByTestId('gateway').click();
    await dialog(page).waitFor();
    await look(page, 'gateway', how);
    await shut(page);
    await page.getByTestId('disconnect').first().click();
    await page.getByTestId('confirm-ok').waitFor();
    await look(page, 'confirm', how);
    await shut(page);
    await page.goto('/import');
    await page.getByTestId('import-file').setInputFiles({ name: 'donatur.csv',
        mimeType: 'text/csv', buffer: Buffer.from(
            'phone,name,date,amount,fund\n'
            + '081210000009,Baru,2026-01-05,250000,Zakat\n'
            + `bukan nomor,${WORD},2026-01-05,250000,Zakat\n`
            + '081210000008,Besok,2999-01-05,250000,Zakat\n') });
    await page.getByTestId('import-report').waitFor();
    await look(page, 'import-report', how);
    await page.goto('/audit?action=import');
    await page.locator('tbody tr').first().waitFor();
    await look(page, 'audit-import', how);
    await page.goto('/audit?contact=x');
    await look(page, 'audit-wrong', how);
    for (const tab of ['lybunt', 'sybunt', 'rfm']) {
        await page.goto(`/reports?tab=${tab}`);
        await page.getByTestId(`tab-${tab}`).waitFor();
        await look(page, `report-${tab}`, how);
    }
    await page.goto('/reminders');
    await page.getByTestId('show-scheduled').click();
    await look(page, 'scheduled', how);
    await page.goto('/nowhere');
    await look(page, 'lost', how);
    await page.route('**/api/crm/dashboard*', (route) => route.fulfill(
        { status: 503, contentType: 'application/json', body: '{}' }));
    allow(/status of 503/);
    await page.goto('/dashboard');
    await page.locator('.notice.error').first().waitFor();
    await look(page, 'page-error', how);
}

/* What goes wrong, as cs2: signed out, cut off, a colleague was quicker,
 * refused. */
async function troubles(page, context, how) {
    await page.goto(`/inbox/${await idOf('Siti')}`);
    await page.getByTestId('message').first().waitFor();
    allow(/ERR_INTERNET_DISCONNECTED|401 \(Unauthorized\)|ERR_FAILED|WebSocket/);
    allow(/403 \(Forbidden\).*broadcasting/);
    await context.setOffline(true);
    await page.getByTestId('offline').waitFor();
    await input(page).fill('Ditulis tanpa jaringan');
    await page.getByTestId('send').click();
    await page.getByTestId('pending').waitFor();
    await look(page, 'offline', how);
    await context.setOffline(false);
    await eventually(async () => await page.getByTestId('pending').count()
        === 0, 'and it has left', 40);

    await page.route('**/api/crm/messages/send*', (route) => route.fulfill({
        status: 409, contentType: 'application/json', body: JSON.stringify({
            success: false, code: 'stale', message: 'stale',
            data: { messages: [{ id: 1, direction: 'outgoing', type: 'text',
                cs_id: 1, timestamp: new Date().toISOString(),
                message: `Sudah saya jawab ya, ${WORD}` }] } }) }));
    allow(/409 \(Conflict\)/);
    await input(page).fill('Jawaban kedua');
    await page.getByTestId('file').setInputFiles(['kuitansi.pdf',
        `${WORD}.pdf`].map((name) => ({ name, mimeType: 'application/pdf',
        buffer: Buffer.from('%PDF-1.4\n%%EOF\n') })));
    await page.getByTestId('send').click();
    await page.getByTestId('stale').waitFor();
    await look(page, 'stale', how);
    await shut(page);
    await page.locator('[data-state=held]').waitFor();
    await look(page, 'stale-put-off', how);
    if (how.narrow) {
        await page.getByTestId('back').click();
        await page.getByTestId('unsent').waitFor();
        await look(page, 'unsent', how);
        await page.getByTestId('nav-more').click();
    }
    await page.getByTestId('logout').click();
    await page.getByTestId('confirm-ok').waitFor();
    await look(page, 'leaving', how);
    await shut(page);
    if (how.narrow) {
        await page.getByTestId('nav-more').click();
        await page.getByTestId('unsent').click();
        await page.getByTestId('stale').waitFor();
        await shut(page);
    }
    await page.getByTestId('pending-edit').click();
    while (await page.getByTestId('attachment').count() > 0) {
        await page.getByTestId('attachment').getByRole('button').first()
            .click();
    }
    await page.unroute('**/api/crm/messages/send*');
    let code = 'opted_out';
    await page.route('**/api/crm/messages/send*', (route) => route.fulfill({
        status: 422, contentType: 'application/json', body: JSON.stringify({
            success: false, code, message: 'no' }) }));
    allow(/422 /);
    await page.getByTestId('send').click();
    await page.locator('[data-state=refused]').waitFor();
    is(await page.getByTestId('pending-again').count(), 0,
        'what they do not want is not sent again');
    await look(page, 'refused', how);
    await page.getByTestId('pending-drop').click();
    code = 'too_old';
    await input(page).fill('Dari kemarin');
    await page.getByTestId('send').click();
    await page.getByTestId('pending-again').waitFor();
    await look(page, 'too-old', how);
    await page.getByTestId('pending-drop').click();
    await page.unroute('**/api/crm/messages/send*');

    const [[id]] = await ask('sql',
        "SELECT id FROM users WHERE role = 'cs' ORDER BY id DESC LIMIT 1");
    await new Promise((go) => setTimeout(go, 1100)); // tokens count in seconds
    await api('admin', 'POST', `/agents/${id}/logout`);
    await input(page).fill('Kalimat');
    await page.getByTestId('send').click();
    await page.getByTestId('relogin').waitFor();
    await look(page, 'relogin', how);
}

async function seen(how, who) {
    const options = { path: null, settings: { locale: how.locale,
        theme: how.theme }, colorScheme: how.theme,
    ...(how.narrow ? { viewport: { width: 360, height: 740 },
        hasTouch: true } : {}) };
    const { page, context } = await person('admin', options);
    for (const part of [inChat, aboutDonor, hostile, inInbox, inPages]) {
        await attempt((p) => part(p, how), page);
    }
    await context.close();
    const other = await person(who, options);
    await attempt(() => troubles(other.page, other.context, how));
    await other.context.close();
    const stranger = await person(null, { ...options, path: '/login' });
    await stranger.page.getByTestId('login').waitFor();
    await look(stranger.page, 'login', how);
    await stranger.context.close();
}

await main(async () => {
    await open();
    for (const [from, name, text] of HOSTILE) {
        await sim('/_sim/webhook', { from, name, text });
    }
    await ask('applied');
    const phone = HOSTILE[0][0];
    await api('admin', 'POST', `/contacts/${phone}/notes`, { note: WORD });
    await api('admin', 'POST', `/contacts/${phone}/reminders`, { note: WORD,
        remind_at: new Date(Date.now() + 3600e3).toISOString() });
    await api('admin', 'POST', `/contacts/${phone}/donations`, { amount: 9e8,
        fund: LONG, campaign: LONG, note: WORD });
    await api('admin', 'POST', '/messages/send', { phone, message: WORD,
        scheduled_at: new Date(Date.now() + 86400e3).toISOString() });
    await api('admin', 'POST', '/messages/send', { phone: HOSTILE[1][0],
        message: 'besok', scheduled_at: new Date(Date.now() + 86400e3)
            .toISOString() });
    await api('admin', 'POST', `/contacts/${HOSTILE[1][0]}/consent`,
        { state: 'opt_out', note: 'lewat telepon' });
    await signIn('admin');
    const who = (await ask('sql', "SELECT email FROM users WHERE role = 'cs'"
        + ' ORDER BY id DESC LIMIT 1'))[0][0].split('@')[0];
    for (const how of LOOKS.filter(({ axed }) =>
        axed || process.env.WACRM_LOOKS === 'all')) {
        await seen(how, who);
    }
    await close();
});
