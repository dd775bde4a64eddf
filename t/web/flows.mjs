// What a CS person does all day, in the order in which they do it.
import { createHash } from 'node:crypto';

import { allow, api, axe, calls, close, diag, eventually, is, like, main, ok,
    open, person, sees, shot, sim, signIn, password, waitFor, attempt,
    origin } from './browser.mjs';

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
}

await main(async () => {
    await open();
    await attempt(loggingIn);
    await attempt(connecting);
    await close();
});
