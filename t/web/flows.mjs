// What a CS person does all day, in the order in which they do it.
import { createHash, randomBytes } from 'node:crypto';

import { about, allow, api, ask, attempt, axe, calls, close, diag, eventually,
    is, like, live, main, ok, open, origin, password, person, request, sees,
    shot, sim } from './browser.mjs';
import { bars, score } from './figures.mjs';
import { voiceNote } from './voice.mjs';

const AMINAH = '6281210000001';

const at = (path) => (url) => url.pathname === path;

/* A donor writes; the ids that the simulator gave. */
const writes = (text, more = {}) => sim('/_sim/webhook',
    { from: AMINAH, name: 'Aminah', text, ...more });

async function loggingIn() {
    const { page } = await person(null, { path: '/dashboard' });
    await page.waitForURL(at('/login'));
    ok(true, 'a stranger is asked who they are');
    const form = page.getByTestId('login');
    await form.getByRole('textbox').first().fill('cs1@test.example');
    await form.locator('[type=password]').fill('not it');
    allow(/401 \(Unauthorized\).*\/api\/auth\/login/);
    await form.getByRole('button', { name: /Masuk/ }).click();
    await sees(page, page.getByTestId('login-error'),
        'a wrong password is said to be wrong');
    await form.locator('[type=password]').fill(password);
    await form.locator('[type=password]').press('Enter');
    await page.waitForURL(at('/dashboard'));
    ok(true, 'the right one leads to where one was going');
    is(await page.getByTestId('nav-agents').count(), 0,
        'a CS sees nothing of administration');
    await page.goto('/agents');
    await page.waitForURL(at('/inbox'));
    ok(true, 'nor gets there by its address');
    // what was on its way by then
    allow(/401 \(Unauthorized\).*\/api\/crm\/events/);
    await page.getByTestId('logout').click();
    await page.waitForURL(at('/login'));
    is(await page.evaluate(() => localStorage.getItem('wacrm.auth')), null,
        'signed out, nothing is left');
}

async function connecting() {
    await sim('/_sim/config', { qr: 'text', qrMs: 4000, scanMs: null });
    const { page } = await person('supervisor', { path: '/sessions' });
    await page.getByTestId('session-add').click();
    await page.getByTestId('session-name').fill('Layanan Zakat');
    await page.getByTestId('session-id').fill('zakat');
    await page.getByTestId('session-create').click();
    const qr = page.getByTestId('qr');
    await qr.waitFor();
    const drawn = () => qr.locator('path').getAttribute('d');
    const first = await drawn();
    ok(first.length > 500, 'a QR code is drawn');
    const box = await qr.boundingBox();
    ok(box.width >= 200 && Math.abs(box.width - box.height) < 2,
        'large enough for a camera, and square', box);
    await eventually(async () => await drawn() !== first,
        'and drawn anew when it has expired');
    await axe(page, 'QR code');
    await shot(page, 'sessions-qr');
    await sim('/_sim/config', { scanMs: 100 });
    await sees(page, page.getByTestId('linked'),
        'the scan is seen without a reload');
    await page.keyboard.press('Escape');
    await sees(page, page.getByTestId('session-zakat')
        .locator('[data-state=connected]'), 'and the number is connected');
    is((await api('supervisor', 'GET', '/whatsapp/sessions')).data
        .find((s) => s.session_id === 'zakat').status, 'connected',
    'as the API says');

    // away, and back by the same way
    const card = page.getByTestId('session-zakat');
    await card.getByTestId('disconnect').click();
    await page.getByTestId('confirm-ok').click();
    await sees(page, card.locator('[data-state=disconnected]'),
        'it can be disconnected');
    await sim('/_sim/config', { scanMs: null });
    await card.getByTestId('link').click();
    await sees(page, qr, 'and gets another QR code');
    await sim('/_sim/config', { scanMs: 100 });
    await sees(page, page.getByTestId('linked'), 'to be connected again');
}

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlE'
    + 'QVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const PDF = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const row = (page, name) => page.getByTestId('chat-row')
    .filter({ hasText: name });
const bubble = (page, text) => page.getByTestId('message')
    .filter({ hasText: text });
const input = (page) => page.getByTestId('message-input');

async function openChat(page, name) {
    await row(page, name).first().click();
    await input(page).waitFor();
}

async function statusOf(page, text) {
    const mark = bubble(page, text).last().locator('[data-status]');
    return await mark.count() ? mark.getAttribute('data-status') : null;
}

async function receiving({ page }) {
    await page.getByTestId('chat-list').waitFor();
    await eventually(() => page.evaluate(() => performance
        .getEntriesByType('resource').some((e) => /pusher/.test(e.name))),
    'the socket is opened once the inbox is there');
    await live(page);
    await page.evaluate(() => {
        window.notReloaded = true;
    });
    const began = Date.now();
    await writes('Assalamualaikum, saya mau tanya zakat');
    await row(page, 'Aminah').getByText('saya mau tanya zakat').waitFor();
    diag(`webhook sent to row on the screen: ${Date.now() - began} ms`);
    ok(true, 'what a donor writes appears');
    ok(await page.evaluate(() => window.notReloaded), 'without a reload');
    is(await row(page, 'Aminah').getByTestId('unread').innerText()
        .then((t) => t.trim().split(/\s/)[0]), '1', 'counted as unread');
    like(await page.title(), /1/, 'also in the title');
    await sees(page, row(page, 'Aminah').locator('[data-segment]'),
        'with her segment');

    await openChat(page, 'Aminah');
    await sees(page, bubble(page, 'saya mau tanya zakat'),
        'her chat shows it');
    await eventually(async () => await row(page, 'Aminah')
        .getByTestId('unread').count() === 0, 'and then it is read');
    await eventually(async () => (await api('cs1', 'GET',
        '/inbox?filter=unread')).conversations.length === 0,
    'for the API, too');

    await sim('/_sim/webhook', { kind: 'typing', from: AMINAH, on: true });
    await sees(page, page.getByTestId('donor-typing'),
        'that she types is seen');
    await writes('Untuk tahun ini');
    await sees(page, bubble(page, 'Untuk tahun ini'),
        'what she writes comes into the open chat');
    await eventually(async () => (await api('cs1', 'GET',
        '/inbox?filter=unread')).conversations.length === 0,
    'and is read at once, as one looks at it');
}

async function replying({ page }) {
    await sim('/_sim/config', { statuses: true, statusMs: [150, 150] });
    await input(page).fill('Waalaikumsalam Bu Aminah\nsilakan');
    await input(page).press('Control+Enter');
    await sees(page, page.getByText('Waalaikumsalam Bu Aminah'),
        'Ctrl+Enter: what is sent is there at once');
    is(await input(page).inputValue(), '', 'and the field is empty');
    const seen = new Set();
    await eventually(async () => {
        seen.add(await statusOf(page, 'Waalaikumsalam'));
        return seen.has('read');
    }, 'its ticks move until it is read');
    diag(`states seen: ${[...seen].join(' ')}`);
    is(await bubble(page, 'Waalaikumsalam').count(), 1, 'it is there once');
    const [sent] = await calls({ route: 'send.text' });
    is(sent.body.message, 'Waalaikumsalam Bu Aminah\nsilakan',
        'the gateway got it, with its lines');

    await sim('/_sim/webhook', { kind: 'reaction', from: AMINAH, emoji: '🙏',
        to: (await api('cs1', 'GET', '/inbox')).conversations[0]
            && (await lastSent()).wa_message_id });
    await sees(page, bubble(page, 'Waalaikumsalam').getByText('🙏'),
        'her reaction is shown');

    // the answer to a message
    await bubble(page, 'Untuk tahun ini').hover();
    await bubble(page, 'Untuk tahun ini').getByTestId('reply').click();
    await input(page).fill('Tahun ini Rp45.000 per jiwa');
    await page.getByTestId('send').click();
    await sees(page, bubble(page, 'Rp45.000').locator('.quote')
        .getByText('Untuk tahun ini'), 'an answer quotes what it answers');
}

async function lastSent() {
    const chats = (await api('cs1', 'GET', '/inbox')).conversations;
    const chat = chats.find((c) => c.phone === AMINAH);
    const { messages } = await api('cs1', 'GET', `/inbox/${chat.id}`);
    return messages.filter((m) => m.direction === 'outgoing').at(-1);
}

async function quickReplies({ page }) {
    for (const [name, content] of [['salam', 'Ada yang bisa kami bantu?'],
        ['rekening', 'Silakan transfer ke BSI 7001, {{nama}}, untuk {{dana}}']]) {
        await api('supervisor', 'POST', '/templates', { name, content });
    }
    await input(page).press('/');
    const list = page.getByTestId('quick-replies');
    await sees(page, list.getByText('/salam'), '/ opens the team\'s texts');
    await axe(page, 'quick replies');
    await input(page).pressSequentially('sal');
    await eventually(async () => await list.getByRole('option').count() === 1,
        'which narrow down as one types');
    await input(page).press('Enter');
    is(await input(page).inputValue(), 'Ada yang bisa kami bantu?',
        'Enter takes one');
    await input(page).press('Control+Enter');
    await eventually(async () => await statusOf(page, 'Ada yang bisa')
        === 'read', 'and it is sent');

    await input(page).fill('/rek');
    await input(page).press('Enter');
    const form = page.getByTestId('template-form');
    await form.waitFor();
    is((await form.getByTestId('template-preview').innerText())
        .includes('{{'), true, 'a template shows what is missing');
    await axe(page, 'template');
    await form.getByLabel('nama').fill('Bu Aminah');
    await form.getByLabel('dana').fill('zakat');
    await form.getByLabel('dana').press('Enter');
    await sees(page, bubble(page,
        'Silakan transfer ke BSI 7001, Bu Aminah, untuk zakat'),
    'filled in, it is sent');
    is((await lastSent()).source, 'template', 'as a template');
}

async function files({ page }) {
    await page.getByTestId('file').setInputFiles({ name: 'bukti.png',
        mimeType: 'image/png', buffer: PNG });
    await sees(page, page.getByTestId('attachment').getByText('bukti.png'),
        'a picture is shown before it is sent');
    await input(page).fill('Ini contohnya');
    await page.getByTestId('send').click();
    const sent = bubble(page, 'Ini contohnya');
    await eventually(() => sent.locator('img').first().evaluate((i) =>
        i.complete && i.naturalWidth > 0), 'and then as a picture');
    await eventually(async () => (await calls({ route: 'send.image' }))
        .some((c) => c.file?.sha256 === sha256(PNG)),
    'the gateway got the very bytes');
    await sent.getByTestId('image').click();
    await sees(page, page.locator('dialog[open] img'), 'a click enlarges it');
    await page.keyboard.press('Escape');
    await eventually(async () => await page.locator('dialog[open]').count()
        === 0, 'Escape closes it');

    // out of the clipboard, and dropped
    const transfer = await page.evaluateHandle(([bytes, pdf]) => {
        const data = new DataTransfer();
        const from = (b64) => Uint8Array.from(atob(b64),
            (c) => c.charCodeAt(0));
        data.items.add(new File([from(pdf)], 'surat.pdf',
            { type: 'application/pdf' }));
        window.pasted = new DataTransfer();
        window.pasted.items.add(new File([from(bytes)], 'tempel.png',
            { type: 'image/png' }));
        return data;
    }, [PNG.toString('base64'), PDF.toString('base64')]);
    await input(page).evaluate((el) => el.dispatchEvent(new ClipboardEvent(
        'paste', { clipboardData: window.pasted, bubbles: true,
            cancelable: true })));
    await sees(page, page.getByTestId('attachment').getByText('tempel.png'),
        'a picture is pasted');
    await page.getByTestId('messages').dispatchEvent('dragenter',
        { dataTransfer: transfer });
    await sees(page, page.getByTestId('drop-zone'),
        'a file over the chat is welcome');
    await page.getByTestId('drop-zone').dispatchEvent('drop',
        { dataTransfer: transfer });
    await sees(page, page.getByTestId('attachment').getByText('surat.pdf'),
        'and dropped');
    await page.getByTestId('send').click();
    await sees(page, page.getByTestId('document').getByText('surat.pdf'),
        'a document is shown by its name');
    await eventually(async () => (await calls({ route: 'send.document' }))
        .some((c) => c.file?.sha256 === sha256(PDF)
            && c.body.filename === 'surat.pdf'),
    'the gateway got that, too');
    is(await page.getByTestId('attachment').count(), 0,
        'nothing is left to send');
}

/* What a donor has said, not written. */
async function listening({ page }) {
    const bytes = voiceNote(2);
    await sim('/_sim/file', { name: 'suara.ogg', base64:
        bytes.toString('base64'), type: 'audio/ogg; codecs=opus' });
    await writes('', { type: 'audio', media: {
        url: `${about.sim}/media/suara.ogg`, mime: 'audio/ogg; codecs=opus' } });
    const audio = page.getByTestId('messages').locator('audio');
    await sees(page, audio, 'a voice note can be played');
    const state = () => audio.last().evaluate((e) => ({ error: e.error?.message,
        seconds: Math.round(e.duration), ready: e.readyState,
        controls: e.controls }));
    await eventually(async () => (await state()).ready >= 1,
        'the browser reads it');
    is(await state().then(({ ready, ...rest }) => rest),
        { error: undefined, seconds: 2, controls: true },
        'and knows how long it is');
    await audio.last().evaluate(async (e) => {
        e.muted = true;
        await e.play();
    });
    await eventually(() => audio.last().evaluate((e) => e.currentTime > 0.2),
        'it plays');
    const at = new URL(await audio.last().getAttribute('src'), origin);
    is(at.origin, origin, 'it comes from the desk itself');
    const whole = await request('GET', at);
    is([whole.status, whole.headers.get('content-type'),
        sha256(whole.bytes)], [200, 'audio/ogg', sha256(bytes)],
    'as it was sent, as sound');
    const part = await request('GET', at, { headers: { Range: 'bytes=0-3' } });
    is([part.status, part.headers.get('content-type'), part.text],
        [206, 'audio/ogg', 'OggS'], 'and in parts, for who jumps ahead');
}

/* A large file over a thin line. */
async function uploading({ page, context }) {
    const line = await context.newCDPSession(page);
    const thin = (bytes) => line.send('Network.emulateNetworkConditions', {
        offline: false, latency: 0, downloadThroughput: -1,
        uploadThroughput: bytes });
    await line.send('Network.enable');
    await page.evaluate(() => {
        window.shares = [];
        const look = () => {
            const bar = document.querySelector(
                '[data-testid=pending] progress');
            if (bar && bar.value !== window.shares.at(-1)) {
                window.shares.push(bar.value);
            }
        };
        window.watching = new MutationObserver(look);
        window.watching.observe(document.body, { childList: true,
            subtree: true, attributes: true });
    });
    await thin(200000);
    await page.getByTestId('file').setInputFiles({ name: 'laporan.pdf',
        mimeType: 'application/pdf',
        buffer: Buffer.concat([PDF, randomBytes(500000)]) });
    await page.getByTestId('send').click();
    const bar = page.getByTestId('pending').getByRole('progressbar');
    await sees(page, bar, 'an upload shows how far it is');
    await sees(page, page.getByTestId('document').getByText('laporan.pdf'),
        'the file gets there');
    await thin(-1);
    await eventually(async () => await page.getByRole('progressbar').count()
        === 0, 'and the bar has gone');
    const shares = await page.evaluate(() => {
        window.watching.disconnect();
        return window.shares;
    });
    ok(shares[0] < 1, 'which begins before its end', shares);
    const between = shares.filter((share) => share > 0 && share < 1);
    ok(between.length >= 2, 'it has moved', shares);
    is(shares, [...shares].sort((a, b) => a - b), 'only forwards');
    await line.detach();
}

async function failing({ page }) {
    await sim('/_sim/behaviour', { do: 'status', status: 400,
        route: 'send.text' });
    await input(page).fill('Ini akan gagal');
    await input(page).press('Control+Enter');
    await eventually(async () => await statusOf(page, 'Ini akan gagal')
        === 'failed', 'a refused message is shown as failed');
    await axe(page, 'failed message');
    await page.getByTestId('filter-failed').click();
    await sees(page, row(page, 'Aminah'), 'the filter finds it');
    await page.getByTestId('filter-all').click();
    const gone = (at) => ask('change', `UPDATE messages SET deleted_at = ${at}
        WHERE body = 'Ini akan gagal'`);
    await gone('ts');
    await page.reload();
    await sees(page, page.locator('.gone'), 'it may be deleted on the phone');
    is(await page.getByTestId('retry').count(), 0, 'that is not sent again');
    await gone('NULL');
    await page.reload();
    await bubble(page, 'Ini akan gagal').getByTestId('retry').click();
    await eventually(async () => await statusOf(page, 'Ini akan gagal')
        === 'read', 'and it is sent again by a click');
    is((await calls({ text: 'Ini akan gagal' })).length, 2,
        'so the gateway got it twice, and took it once');
}

/* A part of docs/donor-metrics.md, as it is rounded on the screen. */
const near = (got, want, by = 0.11) => Math.abs(got - want) < by;

async function giving({ page }) {
    const panel = page.getByTestId('donor-panel');
    await sees(page, panel.getByTestId('donor-name').getByText('Aminah'),
        'her panel');
    const segment = () => panel.locator('[data-segment]').first()
        .getAttribute('data-segment');
    const lifetime = () => panel.getByTestId('lifetime').innerText()
        .then((t) => t.replace(/\D/g, ''));
    await eventually(async () => await lifetime() === '9500000',
        'what she has given');
    is(await segment(), 'New', 'a new donor');
    await eventually(async () => (await bars(panel)).length === 1,
        'the chart of her gifts has one bar');
    const months = panel.getByTestId('gifts')
        .locator('.sr-only tbody tr');
    is(await months.count(), 6, 'among six months');
    const before = await score(panel);
    is(before.most, [24, 18, 18, 40], 'the score has four parts');
    is(new Set(before.names.filter(Boolean)).size, 4, 'each with its name');
    const [r, f, m, talk] = before.points;
    ok(near(r, 24 * 2 ** (-40 / 180)) && near(f, 18 * Math.log(2)
        / Math.log(25)) && near(m, 18 * Math.log(96) / Math.log(101)),
    'those of one gift forty days ago', before);
    ok(talk > 0, 'and of what she has written');
    ok(Math.abs(before.all - r - f - m - talk) < 0.8, 'which make the whole',
        before);
    await panel.getByTestId('gifts').getByTestId('add').click();
    const form = panel.getByTestId('gift-form');
    await form.getByTestId('gift-amount').pressSequentially('1500000');
    await form.getByTestId('gift-ref').fill('UJI-1');
    await axe(page, 'gift form');
    await form.getByTestId('gift-save').click();
    await eventually(async () => await lifetime() === '11000000',
        'a logged gift counts at once');
    await eventually(async () => await segment() === 'VIP',
        'and makes her a VIP');
    await eventually(async () => {
        const [earlier, now] = await bars(panel);
        return near(now / earlier, 1500000 / 9500000, 0.04);
    }, 'its bar stands beside the other one');
    is(await months.count(), 6, 'in the last of the six months');
    let after;
    await eventually(async () => {
        after = await score(panel);
        return near(after.points[0], 24) && after.points[2] === 18
            && near(after.points[1], 18 * Math.log(3) / Math.log(25));
    }, 'the three parts of giving have grown');
    ok(near(after.points[3], talk), 'the one of talking has not');
    ok(after.all > before.all, 'the score has', { before, after });
    await eventually(async () => await row(page, 'Aminah')
        .locator('[data-segment=VIP]').count() === 1, 'in the list, too');
    is((await api('cs1', 'GET', `/contacts/${AMINAH}`)).metrics.lifetime_value,
        11000000, 'as the API says');

    await panel.getByTestId('gifts').getByTestId('add').click();
    await form.getByTestId('gift-amount').pressSequentially('5000');
    await form.getByTestId('gift-ref').fill('UJI-1');
    allow(/409 \(Conflict\).*donations/);
    await form.getByTestId('gift-save').click();
    await eventually(() => form.getByTestId('gift-ref').evaluate((e) =>
        e.getAttribute('aria-invalid') === 'true'),
    'the same reference twice is refused, at its field');

    await panel.getByTestId('notes').getByTestId('add').click()
        .catch(() => {});
    await panel.getByTestId('note-text').fill('Suka <b>pagi</b> hari');
    await panel.getByTestId('note-save').click();
    await sees(page, panel.getByTestId('note').getByText(
        'Suka <b>pagi</b> hari'), 'a note, as it was written');
}

async function finding({ page }) {
    await page.getByTestId('search').fill('jiwa');
    await sees(page, page.getByTestId('search-hit').locator('mark')
        .getByText('jiwa'), 'the search marks what it has found');
    await axe(page, 'search');
    await page.getByTestId('search-hit').first().click();
    await sees(page, bubble(page, 'Rp45.000'), 'and leads there');
    await page.getByTestId('search').fill('');
    await page.keyboard.press('Escape');
}

async function together({ page }) {
    is(await page.getByTestId('presence').count(), 0,
        'alone, nobody is said to be here');
    const other = await person('cs2');
    await openChat(other.page, 'Aminah');
    const presence = page.getByTestId('presence');
    await sees(page, presence.getByText('Cs2'),
        'one sees that a colleague looks at this chat');
    const looks = await presence.innerText();
    await input(other.page).pressSequentially('Saya bantu ya', { delay: 40 });
    await eventually(async () => await presence.innerText() !== looks,
        'and that they write');
    await shot(page, 'inbox-colleague');
    await other.context.close();
    await eventually(async () => await presence.count() === 0,
        'and when they have left');
}

await main(async () => {
    await open();
    await sim('/_sim/webhook', { kind: 'session', status: 'connected' });
    await attempt(loggingIn);
    const me = await person('cs1');
    for (const part of [receiving, replying, quickReplies, files, listening,
        uploading, failing, giving, finding, together]) {
        await attempt(part, me);
    }
    await attempt(connecting);
    is(await me.page.evaluate(() => window.violations), [],
        'the policy was never in the way');
    await close();
});
