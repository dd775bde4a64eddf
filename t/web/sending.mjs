// What is written and has not left: never another donor's, never twice, never
// gone without a word.
import { mkdtempSync, rmSync, utimesSync,
    writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { allow, api, ask, attempt, axe, calls, close, eventually, is, main, ok,
    open, person, sees, shot, sim } from './browser.mjs';

const AMINAH = '6281210000001';
const BUDI = '6281210000002';
const SEND = '**/api/crm/messages/send*';
const UPLOAD = '**/api/crm/media';
const HOUR = 3600 * 1000;

const input = (page) => page.getByTestId('message-input');
const pending = (page, text) => page.getByTestId('pending')
    .filter({ hasText: text });
const row = (page, name) => page.getByTestId('chat-row')
    .filter({ hasText: name });
const attachments = (page) => page.getByTestId('attachment');
const writes = (from, name, text, more = {}) => sim('/_sim/webhook',
    { from, name, text, ...more });
const file = (name) => ({ name, mimeType: 'application/pdf',
    buffer: Buffer.from(`%PDF-1.4\n% ${name}\n%%EOF\n`) });
const stateOf = (page, text) => pending(page, text).first()
    .getAttribute('data-state');
const left = async (text) => (await calls({ text })).length;
const kept = (page) => page.evaluate(() => Object.entries(localStorage)
    .filter(([key]) => /^wacrm\.(?:sending|drafts)\./.test(key)));
const userOf = (page) => page.evaluate(() =>
    JSON.parse(localStorage.getItem('wacrm.auth')).user.id);

async function idOf(name) {
    const { conversations } = await api('supervisor', 'GET',
        '/inbox?session_id=*');
    return conversations.find((c) => c.name === name).id;
}
async function openChat(page, name) {
    await row(page, name).first().click();
    await page.waitForFunction((who) => document.querySelector(
        '[data-testid=message-input]')?.ariaLabel.includes(who), name);
}
async function type(page, text) {
    await input(page).fill(text);
    await input(page).press('Control+Enter');
}
/* The desk does not hear what happens. */
async function deaf(page) {
    await page.routeWebSocket(/\/app\//, () => {});
    await page.route(/\/api\/crm\/events/, (route) =>
        /since=latest/.test(route.request().url())
            ? route.continue() : route.abort());
}
/* Requests are held until they are let go. */
async function hold(page, url, wanted = () => true) {
    let go;
    let came = 0;
    const free = new Promise((done) => {
        go = done;
    });
    const handler = async (route) => {
        if (wanted(new URL(route.request().url()))) {
            came += 1;
            await free;
        }
        await route.continue().catch(() => {});
    };
    await page.route(url, handler);
    return { go, came: () => came };
}
const busy = (target, url = SEND) => target.route(url, (route) =>
    route.fulfill({ status: 503, contentType: 'application/json',
        body: '{"success":false,"message":"busy"}' }));

/* A hit of the search is open, far back; then another chat, quickly. */
async function elsewhere() {
    const { page, context } = await person('cs1', { path: null });
    const id = await idOf('Aminah');
    const { messages } = await api('supervisor', 'GET',
        `/inbox/${id}?limit=200`);
    const old = messages.find((m) => m.message === 'lama 1');
    await page.goto(`/inbox/${id}?m=${old.id}`);
    await sees(page, page.getByTestId('message').getByText('lama 1',
        { exact: true }), 'a message of long ago is open');
    const held = await hold(page, `**/api/crm/inbox/${id}?*`, (url) =>
        !['around', 'before', 'after'].some((p) => url.searchParams.has(p)));
    await type(page, 'untuk Aminah saja');
    await openChat(page, 'Budi');
    held.go();
    await eventually(async () => await left('untuk Aminah saja') === 1,
        'what was written leaves');
    is((await calls({ text: 'untuk Aminah saja' })).map((c) =>
        JSON.stringify(c).includes(AMINAH)), [true],
    'to whom it was written, though another chat is open by now');

    // and the page is left before anything is answered
    await page.goto(`/inbox/${id}?m=${old.id}`);
    await page.getByTestId('message').getByText('lama 1', { exact: true })
        .waitFor();
    const again = await hold(page, `**/api/crm/inbox/${id}?*`, (url) =>
        !['around', 'before', 'after'].some((p) => url.searchParams.has(p)));
    const sent = await hold(page, SEND);
    await type(page, 'jangan hilang');
    await page.waitForTimeout(600); // the draft is gone by then
    await page.unroute(SEND);
    await page.reload();
    again.go();
    sent.go();
    await eventually(async () => await left('jangan hilang') > 0,
        'a reload at once loses nothing');
    await eventually(async () => await page.getByTestId('pending').count()
        === 0, 'and nothing waits any more');

    // and what was searched for has not come before another chat is open
    const around = await hold(page, `**/api/crm/inbox/${id}?*`, (url) =>
        url.searchParams.has('around'));
    await page.goto(`/inbox/${id}?m=${old.id}`);
    await eventually(() => around.came() > 0, 'a hit is asked for');
    await openChat(page, 'Budi');
    await page.getByTestId('message').filter({ hasText: 'halo' }).waitFor();
    const came = page.waitForResponse(/around=/);
    around.go();
    await came;
    await page.waitForTimeout(200);
    is(await page.getByTestId('toast').count(), 0,
        'nobody is told that it is gone');
    is(await left('jangan hilang'), 1, 'and what was sent has left once');
    await context.close();
}

/* A colleague was quicker, and by then one is in another chat. */
async function quicker() {
    const { page, context } = await person('cs1', { path: null });
    await deaf(page);
    allow(/ERR_FAILED|409 \(Conflict\).*send/);
    await page.goto('/inbox');
    await openChat(page, 'Aminah');
    await page.getByTestId('message').first().waitFor();
    await api('cs2', 'POST', '/messages/send', { phone: AMINAH,
        message: 'Sudah saya jawab' });
    const held = await hold(page, SEND);
    await type(page, 'Terlambat');
    await openChat(page, 'Budi');
    held.go();
    const toast = page.getByTestId('toast').filter({ hasText: 'Aminah' });
    await sees(page, toast, 'one is told that Aminah\'s waits for a decision');
    await sees(page, row(page, 'Aminah').getByTestId('unsent'),
        'and the list shows it');
    await shot(page, 'sending-elsewhere');
    await page.unroute(SEND);
    await toast.getByRole('button').first().click();
    const dialog = page.getByTestId('stale');
    await sees(page, dialog.getByText('Sudah saya jawab'),
        'the notice leads to the answer of the colleague');

    await page.keyboard.press('Escape');
    await eventually(async () => await dialog.count() === 0,
        'it can be put off');
    is(await stateOf(page, 'Terlambat'), 'stale', 'what was written is there');
    is(await input(page).inputValue(), '', 'where it was');
    await shot(page, 'sending-stale');
    await axe(page, 'stale');
    await page.reload();
    await sees(page, dialog, 'after a reload, too, one is asked');
    await page.keyboard.press('Escape');
    await pending(page, 'Terlambat').getByTestId('pending-look').click();
    await sees(page, dialog, 'the answer can be looked at again');
    is(await left('Terlambat'), 0, 'by now nothing has left');
    await page.keyboard.press('Escape');
    await pending(page, 'Terlambat').getByTestId('pending-edit').click();
    is(await input(page).inputValue(), 'Terlambat', 'it goes back to a draft');
    is(await page.getByTestId('pending').count(), 0, 'and waits no more');
    await api('cs2', 'POST', '/messages/send', { phone: AMINAH,
        message: 'Dan sekali lagi' });
    await input(page).press('Control+Enter');
    await page.getByTestId('stale-send').click();
    await eventually(async () => await left('Terlambat') === 1,
        'or is sent all the same');
    await context.close();
}

/* The same, with files: what is one is decided as one. */
async function together() {
    const { page, context } = await person('cs1', { path: null });
    await deaf(page);
    await page.goto('/inbox');
    await openChat(page, 'Aminah');
    await page.getByTestId('message').first().waitFor();
    await api('cs2', 'POST', '/messages/send', { phone: AMINAH,
        message: 'Saya kirim berkasnya' });
    const before = (await calls({ route: 'send.document' })).length;
    await page.getByTestId('file').setInputFiles(
        ['satu.pdf', 'dua.pdf', 'tiga.pdf'].map(file));
    await eventually(async () => await attachments(page).count() === 3,
        'three files');
    await type(page, 'Berkas terlampir');
    await page.getByTestId('stale').waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => JSON.stringify(await page
        .getByTestId('pending').evaluateAll((all) =>
            all.map((e) => e.dataset.state))) === '["stale","held","held"]',
    'none goes before it is decided');
    await shot(page, 'sending-held');
    await page.getByTestId('pending-edit').first().click();
    is(await input(page).inputValue(), 'Berkas terlampir', 'the text is back');
    is((await attachments(page).allInnerTexts()).map((t) =>
        t.split('\n')[0].trim()), ['satu.pdf', 'dua.pdf', 'tiga.pdf'],
    'and all files');
    await openChat(page, 'Budi');
    is(await attachments(page).count(), 0, 'which are Aminah\'s');
    await openChat(page, 'Aminah');
    is(await attachments(page).count(), 3, 'and wait there');
    is((await calls({ route: 'send.document' })).length, before,
        'nothing has left');
    await input(page).press('Control+Enter');
    await page.getByTestId('stale-send').click();
    await eventually(async () => (await calls({ route: 'send.document' })).length
        === before + 3, 'sent all the same, all three go');
    await eventually(async () => await page.getByTestId('pending').count()
        === 0, 'and none waits');

    // one that the server does not take
    await page.reload(); // it has heard of everything by then
    await input(page).waitFor();
    let uploads = 0;
    allow(/415 /);
    await page.route(UPLOAD, (route) => {
        uploads += 1;
        return uploads === 2 ? route.fulfill({ status: 415,
            contentType: 'application/json',
            body: '{"success":false,"message":"no"}' }) : route.continue();
    });
    await page.getByTestId('file').setInputFiles(
        ['empat.pdf', 'lima.pdf', 'enam.pdf'].map(file));
    await page.getByTestId('send').click();
    await eventually(async () => await stateOf(page, 'lima.pdf')
        === 'refused', 'one is refused');
    is(await stateOf(page, 'enam.pdf'), 'held', 'the next one waits for it');
    await shot(page, 'sending-refused-held');
    await axe(page, 'refused and held');
    await pending(page, 'lima.pdf').getByTestId('pending-drop').click();
    await eventually(async () => (await calls({ route: 'send.document' })).length
        === before + 5, 'without it, the others go');
    await context.close();
}

/* A dialog is about the chat that it was opened in. */
async function dialogs() {
    const { page, context } = await person('cs1');
    const { data } = await api('supervisor', 'POST', '/templates', {
        name: 'terima kasih', content: 'Terima kasih {{jumlah}}' });
    await page.reload(); // it knows of the template by then
    const shut = async (name) => {
        is(await page.locator('dialog[open]').count(), 1, `${name} is open`);
        await page.goBack();
        await eventually(async () => /Budi/.test(await input(page)
            .getAttribute('aria-label')), 'and one goes back to Budi');
        await eventually(async () => await page.locator('dialog[open]')
            .count() === 0, `${name} is not open there`);
        await openChat(page, 'Aminah');
    };
    await openChat(page, 'Budi');
    await openChat(page, 'Aminah');
    await input(page).fill('/terima');
    await eventually(() => page.evaluate(() => {
        const { ariaSelected, textContent, parentElement } = document
            .getElementById(document.activeElement
                .getAttribute('aria-activedescendant'));
        return ariaSelected === 'true' && /terima kasih/.test(textContent)
            && parentElement.id === document.activeElement
                .getAttribute('aria-controls');
    }), 'what Enter takes is told where one types');
    await page.getByTestId('quick-replies').getByText('/terima kasih')
        .click();
    await page.getByTestId('template-form').locator('input').first()
        .fill('dari Aminah');
    await shut('a template that is filled in');

    await input(page).fill('nanti saja');
    await page.getByTestId('schedule').click();
    await page.getByTestId('schedule-at').waitFor();
    await shut('the time of a message');
    is(await input(page).inputValue(), 'nanti saja', 'the draft waits');
    await page.getByTestId('schedule').click();
    await page.getByTestId('schedule-ok').click();
    await page.getByTestId('reschedule').first().click();
    await page.getByTestId('schedule-at').waitFor();
    await shut('another time for it');
    await api('supervisor', 'DELETE', `/templates/${data.id}`);
    await context.close();
}

/* The answer is lost on Friday, and the lid closed until Monday. */
async function asleep() {
    const { page, context } = await person('cs1', { path: null });
    await page.clock.install();
    await page.goto('/inbox');
    await openChat(page, 'Budi');
    let asked = 0;
    allow(/ERR_FAILED|401 \(Unauth|403 \(Forb.*broadcasting|WebSocket/);
    await page.route(SEND, async (route) => {
        asked += 1;
        if (asked === 1) {
            await route.fetch();
        }
        await route.abort();
    });
    await type(page, 'Jumat sore');
    await eventually(async () => await left('Jumat sore') === 1,
        'it has left, but the answer is lost');
    await eventually(async () => asked >= 2, 'it is asked for again', 30);
    await page.clock.fastForward(25 * HOUR);
    await eventually(async () => await stateOf(page, 'Jumat sore')
        === 'refused', 'a day later it is not tried again', 40);
    const tries = asked;
    await sees(page, pending(page, 'Jumat sore').getByRole('alert'),
        'one is to look first');
    await shot(page, 'sending-too-old');
    await page.clock.runFor(60000);
    is(asked, tries, 'nothing was asked for any more');
    await pending(page, 'Jumat sore').getByTestId('pending-drop').click();
    is(await page.getByTestId('pending').count(), 0, 'it can be dropped');
    await context.close();
}

/* What an earlier desk left in its one list. */
async function leftOver() {
    const { page, context } = await person('cs1');
    await page.getByTestId('chat-list').waitFor();
    const [id, user] = [await idOf('Budi'), await userOf(page)];
    await page.route('**/empty', (route) => route.fulfill({
        contentType: 'text/html', body: '<link rel="icon" href="data:,">' }));
    await page.goto('/empty');
    await page.evaluate(([chatId, phone, me, now, hour]) => {
        const entry = (key, text, more) => ({ key, chatId, phone,
            sessionId: null, kind: 'message', body: { phone, message: text },
            text, file: null, name: null, mediaId: null, share: 0, after: 0,
            user: me, at: now - 30 * hour, tries: 3, state: 'waiting',
            error: null, newer: null, ...more });
        localStorage.setItem(`wacrm.sending.${me}`, JSON.stringify([
            entry('a'.repeat(32), 'kemarin menunggu'),
            entry('b'.repeat(32), 'kemarin ditolak', { state: 'refused',
                error: { status: 409, code: 'window_closed', message: 'no' } }),
            entry('c'.repeat(32), 'kemarin didahului', { state: 'stale',
                error: { status: 409, code: 'stale', message: 'no' },
                newer: [] }),
            entry('d'.repeat(32), 'baru saja', { at: now - 60000 }),
        ]));
        localStorage.setItem(`wacrm.drafts.${me}`, JSON.stringify({
            [chatId]: { text: 'draf lama', at: now - 30 * hour } }));
    }, [id, BUDI, user, Date.now(), HOUR]);
    await page.goto(`/inbox/${id}`);
    await page.getByTestId('stale').waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => await left('baru saja') === 1,
        'what is fresh goes');
    is(await stateOf(page, 'kemarin menunggu'), 'refused',
        'what is old does not go by itself');
    is(await stateOf(page, 'kemarin ditolak'), 'refused', 'refused ones stay');
    is(await stateOf(page, 'kemarin didahului'), 'stale',
        'as do those that a colleague was quicker with');
    is(await input(page).inputValue(), 'draf lama', 'and the draft');
    await shot(page, 'sending-left-over');
    is(await page.evaluate((me) => [localStorage.getItem(`wacrm.sending.${me}`),
        localStorage.getItem(`wacrm.drafts.${me}`)], user), [null, null],
    'each is kept by itself from now on');
    await page.reload();
    await page.getByTestId('stale').waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => await page.getByTestId('pending').count()
        === 3, 'all are there again');
    await pending(page, 'kemarin menunggu').getByTestId('pending-edit').click();
    is(await input(page).inputValue(), 'kemarin menunggu\ndraf lama',
        'an old one goes back to the draft');
    await input(page).fill('');
    await pending(page, 'kemarin ditolak').getByTestId('pending-again').click();
    await eventually(async () => await left('kemarin ditolak') === 1,
        'or is sent anew');
    await pending(page, 'kemarin didahului').getByTestId('pending-drop')
        .click();
    is([await left('kemarin menunggu'), await left('kemarin didahului')],
        [0, 0], 'and nothing else has left');
    await context.close();
}

/* Two tabs of one browser. */
async function tabs() {
    const { page: one, context, tab } = await person('cs1');
    allow(/503 \(Service/);
    await busy(context);
    const two = await tab();
    await two.goto('/inbox');
    await openChat(one, 'Aminah');
    await openChat(two, 'Budi');
    await type(one, 'dari tab satu');
    await type(two, 'dari tab dua');
    await type(two, 'juga dari tab dua');
    await sees(one, pending(one, 'dari tab satu'), 'one tab waits');
    await openChat(two, 'Aminah');
    await sees(two, pending(two, 'dari tab satu'), 'and the other knows it');
    await openChat(one, 'Budi');
    await sees(one, pending(one, 'juga dari tab dua'), 'so does the first');
    await one.reload();
    await two.reload();
    await sees(one, pending(one, 'juga dari tab dua'),
        'what was written in the second outlives a reload of both');
    await sees(two, pending(two, 'dari tab satu'), 'as what was in the first');
    await pending(one, /^dari tab dua/).getByTestId('pending-drop').click();
    await openChat(two, 'Budi');
    await sees(two, pending(two, 'juga dari tab dua'), 'what waits, waits');
    await eventually(async () => await pending(two, /^dari tab dua/)
        .count() === 0, 'what is withdrawn in one tab is so in both');

    await openChat(one, 'Aminah');
    await input(one).fill('draf satu');
    await input(two).fill('draf dua');
    await one.waitForTimeout(600);
    await one.reload();
    await two.reload();
    await input(one).waitFor();
    await input(two).waitFor();
    await eventually(async () => await input(one).inputValue() === 'draf satu'
        && await input(two).inputValue() === 'draf dua',
    'drafts of two tabs do not touch each other');
    await openChat(two, 'Aminah');
    is(await input(two).inputValue(), 'draf satu', 'a draft is in both');

    await context.unroute(SEND);
    for (const text of ['dari tab satu', 'juga dari tab dua']) {
        await eventually(async () => await left(text) === 1,
            `'${text}' leaves`, 60);
    }
    await eventually(async () => await one.getByTestId('pending').count()
        + await two.getByTestId('pending').count() === 0,
    'and waits in no tab', 60);
    await input(one).press('Control+Enter');
    await eventually(async () => await left('draf satu') === 1,
        'a draft is sent in one tab');
    await eventually(async () => await input(two).inputValue() === '',
        'and is no draft in the other any more');
    for (const text of ['dari tab satu', 'juga dari tab dua', 'draf satu']) {
        is(await left(text), 1, `'${text}' left once`);
    }
    is(await left('dari tab dua'), 0, 'what was withdrawn, never');

    // a tab that is closed in the middle
    await busy(context);
    await type(one, 'tab ini ditutup');
    await sees(two, pending(two, 'tab ini ditutup'), 'both know it');
    await one.close();
    await context.unroute(SEND);
    await eventually(async () => await left('tab ini ditutup') === 1,
        'the tab that is left sends it', 60);
    await eventually(async () => !(await kept(two))
        .some(([key]) => /sending/.test(key)),
    'and nothing is kept once its answer is there');
    await context.close();
}

/* A file is in the page that it was dropped on, and nowhere else. */
async function fileGone() {
    const { page, context } = await person('cs1');
    await openChat(page, 'Budi');
    allow(/503 \(Service/);
    await busy(page, UPLOAD);
    await page.getByTestId('file').setInputFiles([file('kuitansi.pdf')]);
    await type(page, 'ini kuitansinya');
    await pending(page, 'kuitansi.pdf').waitFor();
    page.on('dialog', (dialog) => dialog.accept());
    await page.reload();
    await eventually(async () => await stateOf(page, 'kuitansi.pdf')
        === 'refused', 'a file that was not uploaded is not there any more');
    is(await page.getByTestId('pending-again').count(), 0,
        'so it cannot be sent anew');
    await shot(page, 'sending-file-gone');
    await page.getByTestId('pending-edit').click();
    is(await input(page).inputValue(), 'ini kuitansinya',
        'but what was written beside it is there');
    await input(page).fill('');
    await context.close();
}

/* A file that is changed after it was attached; one whose upload hangs. */
async function fileChanged() {
    const { page, context } = await person('cs1');
    const dir = mkdtempSync(`${tmpdir()}/wacrm-`);
    allow(/ERR_(?:UPLOAD_FILE_CHANGED|FAILED|ABORTED)/);
    await openChat(page, 'Budi');
    writeFileSync(`${dir}/laporan.pdf`, '%PDF-1.4\n% satu\n%%EOF\n');
    await page.getByTestId('file').setInputFiles(`${dir}/laporan.pdf`);
    await attachments(page).waitFor();
    writeFileSync(`${dir}/laporan.pdf`, '%PDF-1.4\n% dua dua\n%%EOF\n');
    // browsers go by whole seconds
    utimesSync(`${dir}/laporan.pdf`, Date.now() / 1000, Date.now() / 1000 + 60);
    await type(page, 'laporannya');
    await eventually(async () => await stateOf(page, 'laporan.pdf')
        === 'refused', 'a file that was changed is refused');
    await shot(page, 'sending-file-changed');
    await type(page, 'tidak tertahan');
    await eventually(async () => await left('tidak tertahan') === 1,
        'and holds up nothing');
    await pending(page, 'laporan.pdf').getByTestId('pending-drop').click();
    rmSync(dir, { recursive: true });

    const held = await hold(page, UPLOAD);
    await page.getByTestId('file').setInputFiles([file('menggantung.pdf')]);
    await type(page, 'bersama berkas');
    await eventually(() => held.came() > 0, 'an upload that hangs');
    await type(page, 'di belakangnya');
    await sees(page, pending(page, 'menggantung.pdf').getByRole('progressbar'),
        'is seen');
    await shot(page, 'sending-uploading');
    await axe(page, 'uploading');
    await pending(page, 'menggantung.pdf').getByTestId('pending-drop').click();
    await eventually(async () => await left('di belakangnya') === 1,
        'and can be ended: the next one goes');
    is(await left('bersama berkas'), 0, 'without it');
    held.go();
    await context.close();
}

/* While it is tried again, nobody is interrupted. */
async function tried() {
    const { page, context } = await person('cs1');
    await openChat(page, 'Budi');
    allow(/503 \(Service/);
    let tries = 0;
    let free;
    const held = new Promise((go) => {
        free = go;
    });
    await page.route(SEND, async (route) => {
        tries += 1;
        if (tries === 2) {
            await held;
        }
        await route.fulfill({ status: 503, contentType: 'application/json',
            body: '{"success":false,"message":"busy"}' });
    });
    await type(page, 'dicoba lagi');
    const it = pending(page, 'dicoba lagi');
    await it.getByTestId('pending-drop').focus();
    const alert = await it.getByRole('alert').elementHandle();
    const stays = async () => [await alert.evaluate((e) => e.isConnected),
        await page.evaluate(() => document.activeElement.dataset.testid)];
    await eventually(() => tries === 2, 'it is tried again', 30);
    is(await stays(), [true, 'pending-drop'],
        'what is said, and the button, stay meanwhile');
    free();
    await eventually(async () => await it.getAttribute('data-state')
        === 'waiting', 'and it waits again');
    is(await stays(), [true, 'pending-drop'], 'as they do afterwards');
    await page.keyboard.press('Enter');
    await eventually(async () => await it.count() === 0, 'so it can be pressed');
    await context.close();
}

/* Names of colleagues that cannot be had, and that change. */
async function names() {
    const { page, context } = await person('cs1', { path: null });
    const people = /\/api\/crm\/agents/;
    let asked = 0;
    allow(/ERR_FAILED/);
    await page.route(people, (route) => {
        asked += 1;
        return route.abort();
    });
    await page.goto('/inbox');
    await openChat(page, 'Aminah');
    await page.getByTestId('message').filter({ hasText: 'Sudah saya jawab' })
        .waitFor();
    await eventually(() => asked > 0, 'who has answered is asked for');
    await page.waitForTimeout(1000);
    ok(asked < 5, 'a name is not asked for in a loop', asked);
    await page.unroute(people);
    await openChat(page, 'Budi');
    await openChat(page, 'Aminah');
    const { data } = await api('admin', 'GET', '/agents');
    const who = data.find((a) => a.email === 'cs2@test.example');
    const message = page.getByTestId('message')
        .filter({ hasText: 'Sudah saya jawab' });
    await sees(page, message.getByText(who.name), 'it is known later');
    await api('admin', 'PATCH', `/agents/${who.id}`, { name: 'Nama Baru' });
    await sees(page, message.getByText('Nama Baru'), 'as it is changed');
    await api('admin', 'PATCH', `/agents/${who.id}`, { name: who.name });
    await context.close();
}

/* What is needed without a line is there before. */
async function offline() {
    const { page, context } = await person('cs1', { path: null });
    allow(/ERR_(?:INTERNET_DISCONNECTED|FAILED|NAME)|dynamically imported/);
    const dialogs = page.waitForResponse(/assets\/dialogs-/);
    await page.goto('/inbox');
    await openChat(page, 'Budi');
    await (await dialogs).finished();
    await page.getByTestId('file').setInputFiles([file('terlampir.pdf')]);
    await context.setOffline(true);
    await page.getByTestId('nav-templates').click();
    await sees(page, page.getByTestId('toast').filter({
        hasText: 'tidak terjangkau' }), 'a page that cannot be had is told of');
    await shot(page, 'offline-page');
    is(await attachments(page).count(), 1, 'and what is attached stays');
    await page.getByTestId('logout').click();
    await sees(page, page.getByTestId('confirm-ok'),
        'whoever signs out is asked');
    await page.getByTestId('confirm-cancel').click();
    await context.setOffline(false);
    await page.getByTestId('nav-templates').click();
    await sees(page, page.getByRole('heading', { name: 'Templat' }),
        'and back again, the page is there');
    await context.close();
}

/* After an update the files of an open page are gone. */
async function updated() {
    const { page, context } = await person('cs1');
    await openChat(page, 'Aminah');
    allow(/dynamically imported|404 \(/);
    let gone;
    await page.route('**/assets/work-*.js', (route) => gone
        ? route.fulfill({ status: 404, body: '' }) : route.continue());
    page.on('request', (request) => {
        gone = gone && !request.isNavigationRequest();
    });
    for (const which of ['a page', 'and after the next update, again']) {
        gone = true;
        await page.getByTestId('nav-templates').click();
        await sees(page, page.getByRole('heading', { name: 'Templat' }),
            `${which} is loaded anew`);
        ok(!gone, 'from the server');
        await page.goto('/inbox');
        await openChat(page, 'Aminah');
    }
    gone = true;
    const held = await hold(page, (url) => url.pathname === '/');
    await page.getByTestId('nav-templates').click();
    await eventually(() => held.came() > 0, 'the server is asked for');
    await openChat(page, 'Budi');
    await page.evaluate(() => {
        window.same = true;
    });
    const came = page.waitForResponse((answer) =>
        new URL(answer.url()).pathname === '/');
    held.go();
    await came;
    await page.waitForTimeout(200);
    ok(await page.evaluate(() => window.same), 'whoever has gone on stays');
    await context.close();
}

/* The session ends where no more files come: some browsers never ask again for
   one that has failed. */
async function badLine() {
    const { page, context } = await person('cs1', { path: null });
    allow(/ERR_FAILED|401 \(Unauth|403 \(Forb|dynamically imported|WebSocket/);
    await page.route('**/assets/dialogs-*.js', (route) => route.abort());
    await page.route(/\/api\/(?:auth|crm)\//, (route) => route.fulfill(
        { status: 401, json: { message: 'Unauthenticated.' } }));
    await page.goto('/inbox');
    await sees(page, page.getByTestId('relogin'),
        'the password is asked for all the same');
    await context.close();
}

/* What is attached, or has its time, is not gone without a word. */
async function attached() {
    const { page, context } = await person('cs1');
    await openChat(page, 'Budi');
    await page.getByTestId('file').setInputFiles([file('pertama.pdf')]);
    await page.getByTestId('nav-reminders').click();
    await page.getByTestId('nav-inbox').click();
    await openChat(page, 'Budi');
    await page.getByTestId('file').setInputFiles([file('kedua.pdf')]);
    await attachments(page).filter({ hasText: 'pertama' }).getByRole('button')
        .click();
    is((await attachments(page).allInnerTexts()).map((t) =>
        t.split('\n')[0].trim()), ['kedua.pdf'], 'one is taken off, one stays');
    await page.getByTestId('logout').click();
    await sees(page, page.locator('dialog[open]').getByText(/Draf: 1\b/),
        'whoever signs out is told of what is attached');
    await page.getByTestId('confirm-cancel').click();
    await attachments(page).getByRole('button').click();

    allow(/422 /);
    await page.route(SEND, (route) => route.fulfill({ status: 422,
        contentType: 'application/json',
        body: '{"success":false,"message":"no"}' }));
    await input(page).fill('untuk besok');
    await page.getByTestId('schedule').click();
    await page.getByTestId('schedule-ok').click();
    await pending(page, 'untuk besok').getByTestId('pending-edit').click();
    await sees(page, page.getByTestId('toast').filter({
        hasText: /Dijadwalkan .* Pilih lagi waktunya/ }),
    'a draft has no time any more: one is told');
    await input(page).fill('');

    await page.getByTestId('file').setInputFiles([file('tinggal.pdf')]);
    await attachments(page).waitFor();
    let asked = 0;
    page.on('dialog', (dialog) => {
        asked += 1;
        return dialog.accept();
    });
    await page.getByTestId('logout').click();
    await page.getByTestId('confirm-ok').click();
    await page.waitForURL((url) => url.pathname === '/login');
    is(asked, 0, 'whoever has said yes is not asked again by the browser');
    await context.close();
}

/* A conversation is not there any more, but what was written in it. */
async function chatGone() {
    const { page, context } = await person('cs1');
    await page.getByTestId('chat-list').waitFor();
    allow(/404 /);
    await page.evaluate((me) => localStorage.setItem(
        `wacrm.sending.${me}.${'e'.repeat(32)}`, JSON.stringify({
            key: 'e'.repeat(32), part: 0, chatId: '999999', phone: '62812',
            who: 'Chandra', sessionId: null, kind: 'message', body: {},
            text: 'tidak sampai', name: null, mediaId: null, share: 0,
            after: 0, user: me, at: Date.now(), tries: 0, state: 'refused',
            error: { status: 404, code: null, message: 'no' } })),
    await userOf(page));
    await page.goto('/inbox/999999');
    await sees(page, pending(page, 'tidak sampai'), 'it is to be seen');
    await shot(page, 'sending-chat-gone');
    await axe(page, 'a chat that is gone');
    await page.context().grantPermissions(['clipboard-write',
        'clipboard-read']);
    await pending(page, 'tidak sampai').getByTestId('pending-copy').click();
    await eventually(async () => await page.evaluate(() =>
        navigator.clipboard.readText()) === 'tidak sampai', 'can be copied');
    await page.getByTestId('pending-drop').click();
    await eventually(async () => await page.getByTestId('pending').count()
        === 0, 'and thrown away');
    is(await kept(page), [], 'for good');
    await context.close();
}

/* The next one at this computer is somebody else. */
async function leaving() {
    const { page, context } = await person('cs1');
    allow(/503 \(Service|401 \(Unauthorized\)/);
    await busy(page);
    await openChat(page, 'Budi');
    await type(page, 'belum berangkat');
    await pending(page, 'belum berangkat').waitFor();
    await input(page).fill('masih draf');
    await openChat(page, 'Aminah');
    await page.getByTestId('logout').click();
    const asked = page.locator('dialog[open]');
    await sees(page, asked.getByText(/belum terkirim: 1\b/), 'one is warned');
    await shot(page, 'sending-leaving');
    await axe(page, 'leaving');
    await page.getByTestId('confirm-cancel').click();
    await openChat(page, 'Budi');
    await sees(page, pending(page, 'belum berangkat'),
        'and may stay until it has left');
    const held = await hold(page, '**/api/auth/logout');
    await page.getByTestId('logout').click();
    await page.getByTestId('confirm-ok').click();
    await eventually(async () => held.came() > 0
        && await page.getByTestId('chat-list').count() === 0,
    'while the server is told, nothing is shown');
    await shot(page, 'leaving');
    held.go();
    await page.waitForURL((url) => url.pathname === '/login');
    is(await kept(page), [], 'whoever leaves leaves nothing behind');
    is(await left('belum berangkat'), 0, 'what was discarded has not left');
    await context.close();

    const next = await person('cs1');
    await next.page.getByTestId('chat-list').waitFor();
    await next.page.getByTestId('logout').click();
    await next.page.waitForURL((url) => url.pathname === '/login');
    ok(true, 'with nothing to lose nobody is asked');
    await next.context.close();
}

await main(async () => {
    await open();
    await sim('/_sim/webhook', { kind: 'session', status: 'connected' });
    for (let n = 1; n <= 160; n += 40) {
        await writes(AMINAH, 'Aminah', n === 1 ? 'lama {n}' : `tahap ${n} {n}`,
            { count: 40 });
    }
    await writes(BUDI, 'Budi', 'halo');
    await ask('applied');
    for (const test of [elsewhere, quicker, together, dialogs, asleep,
        leftOver, tabs, fileGone, fileChanged, tried, names, attached,
        offline, updated, badLine, chatGone, leaving]) {
        await attempt(test);
    }
    await close();
});
