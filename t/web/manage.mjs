// What is kept of a donor, and the pages of supervisors and administrators.
import { allow, api, attempt, axe, close, eventually, is, main, open,
    password, person, request, sees } from './browser.mjs';

const AMINAH = '6281210000001';
const CSV = 'phone,name,date,amount,fund\n'
    + '081210000009,Baru,2026-01-05,250000,Zakat\n'
    + 'bukan nomor,Salah,2026-01-05,250000,Zakat\n'
    + '081210000008,Besok,2999-01-05,250000,Zakat\n';

const row = (page, name) => page.getByTestId('chat-row')
    .filter({ hasText: name }).first();
const dialog = (page) => page.locator('dialog[open]');

async function openPanel(page, name) {
    await row(page, name).click();
    const panel = page.getByTestId('donor-panel');
    await panel.getByTestId('donor-name').getByText(name).waitFor();
    return panel;
}

async function consent({ page }) {
    const panel = await openPanel(page, 'Aminah');
    const part = panel.getByTestId('consent');
    const later = page.getByTestId('message').filter({ hasText: 'Besok ya' });
    await api('cs1', 'POST', '/messages/send', { phone: AMINAH,
        message: 'Besok ya', scheduled_at: new Date(Date.now() + 86400e3)
            .toISOString() });
    await later.locator('[data-status=scheduled]').waitFor();
    await part.getByTestId('add').click();
    await part.getByRole('textbox').fill('lewat telepon');
    await part.getByTestId('consent-save').click();
    await sees(page, part.getByTestId('consent-state').getByText('Tidak mau'),
        'an opt-out is noted');
    await sees(page, later.locator('[data-status=failed]'),
        'what was to leave later is seen to have failed');
    is(await later.getByTestId('retry').count(), 0,
        'and it would fail again: nobody is offered that');
    await sees(page, later.getByText('Donatur meminta untuk tidak dihubungi'),
        'the reason stands beside it');
    const at = async () => Date.parse(await later.locator('time')
        .getAttribute('datetime'));
    is(await at() <= Date.now() + 2000, true, 'not in the future any more');
    await page.reload();
    await later.locator('[data-status=failed]').waitFor();
    is(await at() <= Date.now() + 2000, true, 'also after a reload');
    await part.locator('summary').click();
    await sees(page, part.getByText('lewat telepon'), 'in the ledger');
    await axe(page, 'ledger');
    await part.getByTestId('add').click();
    is(await part.getByTestId('consent-save').isDisabled(), true,
        'an opt-in needs its reason');
    await part.getByRole('textbox').fill('diminta lagi');
    await part.getByTestId('consent-save').click();
    await sees(page, part.getByTestId('consent-state').getByText('Boleh'),
        'with one it is noted');
    is((await api('cs1', 'GET', `/contacts/${AMINAH}/consent`)).data.history
        .map((entry) => entry.note), ['diminta lagi', 'lewat telepon'],
    'as the API says');
}

async function reminders({ page }) {
    const panel = page.getByTestId('donor-panel');
    const part = panel.getByTestId('reminders');
    await part.getByTestId('add').click();
    await panel.getByTestId('reminder-note').fill('Telepon Bu Aminah');
    await panel.getByTestId('reminder-save').click();
    await sees(page, part.getByText('Telepon Bu Aminah'), 'a reminder is set');
    await page.getByTestId('nav-reminders').click();
    const line = page.getByTestId('reminder')
        .filter({ hasText: 'Telepon Bu Aminah' });
    await sees(page, line.getByText('Aminah').first(), 'and is on the page');
    await line.getByTestId('reminder-done').click();
    await eventually(async () => await line.count() === 0, 'done, it goes');
    await page.getByTestId('reminders-state').selectOption('done');
    await sees(page, line, 'to those that are done');
    await page.goto('/inbox');
}

async function merging({ page }) {
    const panel = await openPanel(page, 'Aminah');
    const lifetime = async () => (await panel.getByTestId('lifetime')
        .innerText()).replace(/\D/g, '');
    await panel.getByTestId('identity').getByTestId('add').click();
    await page.getByTestId('merge-search').fill('Siti');
    await page.getByTestId('merge-choose').first().click();
    await sees(page, dialog(page).getByText(/650\.000/),
        'what two will have together is shown before');
    await axe(page, 'merge');
    await page.getByTestId('merge-confirm').click();
    await eventually(async () => await lifetime() === '650000', 'merged');
    await sees(page, panel.getByText('+62 812-1000-0002'),
        'the other number is theirs');
    await panel.getByTestId('unmerge').click();
    await dialog(page).locator('footer button').last().click();
    await eventually(async () => await lifetime() === '500000',
        'a merge can be taken back');
}

async function leaving({ page }) {
    const panel = await openPanel(page, 'Pergi');
    const [file] = await Promise.all([page.waitForEvent('download'),
        panel.getByTestId('export').click()]);
    is(/\.json$/.test(file.suggestedFilename()), true,
        'a copy of all that is kept');
    await panel.getByTestId('erase').click();
    const go = dialog(page).locator('.danger');
    await dialog(page).getByRole('textbox').fill('0812');
    is(await go.isDisabled(), true, 'nobody is erased by mistake');
    await dialog(page).getByRole('textbox').fill('+62 812-1000-0003');
    await go.click();
    await eventually(async () => await row(page, 'Pergi').count() === 0,
        'who was erased is no more in the list');
}

/* Who never wrote has no conversation: a name leads to the number. */
async function reachable(page) {
    const [{ name, phone }] = (await api('admin', 'GET',
        '/contacts?search=6281210000009')).data;
    await page.goto('/');
    await page.getByTestId('new-chat').click();
    const form = page.getByTestId('new-chat-form');
    await form.locator('input').fill(name.slice(0, 5).toLowerCase());
    await eventually(async () => await form.locator(
        `option[value="${phone}"][label="${name}"]`).count() === 1,
        'an imported donor is found by name');
    await page.keyboard.press('Escape');
    await page.getByTestId('confirm-ok').click();
    // the search finds them, too, and leads to the first message
    await page.getByTestId('search').fill(name);
    const hit = page.getByTestId('person-hit').filter({ hasText: name });
    await sees(page, hit, 'and by the search');
    await axe(page, 'people found');
    await hit.click();
    await form.waitFor();
    is(await form.locator('input').inputValue(), phone,
        'which begins a conversation with them');
    await form.locator('textarea').fill('Assalamualaikum');
    await page.getByTestId('new-chat-send').click();
    await page.waitForURL(/\/inbox\/\d+/);
    await sees(page, page.getByTestId('message')
        .filter({ hasText: 'Assalamualaikum' }), 'there it is');
    const chat = new URL(page.url()).pathname;
    await page.goto('/inbox');
    await page.goto(`/to/${phone}`);
    await eventually(() => new URL(page.url()).pathname === chat,
        'a person leads to the conversation with them');
    await sees(page, row(page, name), 'which is in the list beside it');
}

async function importing({ page }) {
    await page.goto('/import');
    const file = (name, text) => page.getByTestId('import-file')
        .setInputFiles({ name, mimeType: 'text/csv',
            buffer: Buffer.from(text) });
    await file('donatur.csv', CSV);
    const report = page.getByTestId('import-report');
    await sees(page, report.getByText('bukan nomor,Salah'),
        'the line that is refused');
    await sees(page, report.getByText('Kolom phone bukan nomor telepon'),
        'and why');
    await sees(page, report.getByText('Tanggalnya di masa depan'), 'each');
    await axe(page, 'import report');
    const known = async () => (await api('admin', 'GET',
        '/contacts?search=6281210000009')).data.length;
    is(await known(), 0, 'nothing is stored yet');
    await page.getByTestId('import-apply').click();
    await eventually(async () => await known() === 1, 'then it is');
    await reachable(page);
    await page.goto('/import');
    await file('lain.csv', 'nama\nx\n');
    allow(/422.*import/);
    const why = page.getByTestId('import-error');
    await sees(page, why.getByText('Baris pertama tidak menyebut kolom phone'),
        'why nothing of a file can be taken');
    await file('kosong.csv', '');
    await sees(page, why.getByText('Berkas ini kosong'), 'and of an empty one');
}

async function templates({ page }) {
    await page.goto('/templates');
    await page.getByTestId('template-add').click();
    await page.getByTestId('template-name').fill('rekening');
    await page.getByTestId('template-content')
        .fill('Halo {{nama}}, Rp{{jumlah}} <b>');
    await dialog(page).getByLabel('Contoh untuk nama').fill('{{jumlah}}');
    is(await dialog(page).locator('.bubble').innerText(),
        'Halo {{jumlah}}, Rp{{jumlah}} <b>', 'a preview, word by word');
    await axe(page, 'template');
    await page.getByTestId('template-save').click();
    const card = page.getByTestId('template').filter({ hasText: 'rekening' });
    await sees(page, card, 'a template is made');
    await page.getByTestId('template-search').fill('tiada');
    await eventually(async () => await card.count() === 0, 'looked for');
    await page.getByTestId('template-search').fill('REKEN');
    await sees(page, card, 'and found');
    await card.getByRole('button', { name: 'Hapus rekening' }).click();
    await dialog(page).locator('.danger').click();
    await eventually(async () => await card.count() === 0, 'and deleted');
}

async function agents({ page }) {
    await page.goto('/agents');
    await page.getByTestId('agent-add').click();
    await page.getByTestId('agent-name').fill('Petugas Baru');
    await page.getByTestId('agent-email').fill('baru@test.example');
    await dialog(page).getByRole('button', { name: 'Buatkan' }).click();
    const first = await page.getByTestId('agent-password').inputValue();
    is(/^\w{14}$/.test(first), true, 'a password is made up');
    await page.getByTestId('agent-save').click();
    const line = page.locator('tr').filter({ hasText: 'baru@test.example' });
    await sees(page, line, 'somebody new');
    const signIn = async () => (await request('POST', '/api/auth/login', {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: 'baru@test.example',
            password: first }) })).status;
    is(await signIn(), 200, 'who signs in');
    await line.getByRole('button', { name: /^Nonaktifkan/ }).click();
    await dialog(page).locator('.danger').click();
    await eventually(async () => await signIn() === 401,
        'until switched off');
    await axe(page, 'agents');
}

async function auditing({ page }) {
    await page.goto('/audit');
    await page.getByTestId('audit-action').selectOption('contact.merge');
    const lines = page.locator('tbody tr');
    await eventually(async () => {
        const told = await lines.allInnerTexts();
        return told.length > 0
            && told.every((line) => /Menggabungkan/.test(line));
    }, 'the audit tells of the merge alone');
    await page.getByTestId('audit-contact').fill('0812-1000-0003');
    await eventually(async () => await lines.count() === 0,
        'and not of another');
    await page.reload();
    await eventually(async () => await page.getByTestId('audit-contact')
        .inputValue() === '0812-1000-0003', 'the filter stays in the address');
}

async function ownPassword() {
    const { page, context } = await person('cs2', { path: '/settings' });
    const save = async (now, fresh, again = fresh) => {
        await page.getByTestId('password-current').fill(now);
        await page.getByTestId('password-new').fill(fresh);
        await page.getByTestId('password-again').fill(again);
        await page.getByTestId('password-save').click();
    };
    await save(password, 'kata-sandi-baru', 'kata-sandi-lain');
    await sees(page, page.getByText('Tidak sama'), 'typed twice');
    allow(/422.*auth\/password/);
    await save('salah-sekali', 'kata-sandi-baru');
    await sees(page, page.getByText('Kata sandi sekarang salah'),
        'only with the old one');
    await save(password, 'kata-sandi-baru');
    await sees(page, page.getByText('Kata sandi diganti'), 'then it is new');
    await page.getByTestId('nav-inbox').click();
    await sees(page, page.getByTestId('chat-list'), 'and one is still in');
    await page.goto('/audit');
    await eventually(() => new URL(page.url()).pathname === '/inbox',
        'a CS sees no page of administrators');
    await context.close();
}

await main(async () => {
    await open();
    const lead = await person('supervisor');
    for (const part of [consent, reminders, merging]) {
        await attempt(part, lead);
    }
    const admin = await person('admin');
    for (const part of [leaving, importing, templates, agents, auditing]) {
        await attempt(part, admin);
    }
    await attempt(ownPassword);
    is(await admin.page.evaluate(() => window.violations), [],
        'the policy was never in the way');
    await close();
});
