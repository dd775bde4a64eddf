// What donors and others write to take over the desk: it is shown, not run.
import { api, ask, attempt, close, eventually, is, main, ok, open, origin,
    password, person, sees, sim } from './browser.mjs';

const RUN = 'window.pwned=1';
const TEXTS = [
    `<img src=x onerror="${RUN}">`,
    `<script>${RUN}</script>`,
    `<svg/onload=${RUN}>`,
    `"><iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
    `<a href="javascript:${RUN}">klik</a>`,
    `javascript:${RUN}`,
    `https://contoh.example/"onmouseover="${RUN}`,
    `{{constructor.constructor('${RUN}')()}}`,
    `data:text/html,<script>${RUN}</script>`,
    `<style>*{display:none}</style>`,
    `<base href="https://contoh.example/">`,
    `<form action="https://contoh.example/"><input name=p></form>`,
];
const NAME = `<b onclick=${RUN}>Nama</b>`;

async function clean(page, where) {
    is(await page.evaluate(() => window.pwned), undefined,
        `${where}: nothing ran`);
    is(await page.evaluate(() => [...document.querySelectorAll(
        'script:not([src]), iframe, base, object, embed, form[action]'
        + ', [onerror], [onload], [onclick], [onmouseover]'
        + ', a[href^="javascript" i], a[href^="data" i]')]
        .map((e) => e.outerHTML)), [], `${where}: nothing came to be`);
    is(await page.evaluate(() => window.violations), [],
        `${where}: the policy had nothing to stop`);
}

async function messages({ page }) {
    for (const [i, text] of TEXTS.entries()) {
        await sim('/_sim/webhook', { from: '6281210000001', name: NAME, text,
            id: `HOSTILE${i}` });
    }
    await sim('/_sim/file', { name: 'x.svg', type: 'image/svg+xml', base64:
        Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg"><script>${RUN
        }</script></svg>`).toString('base64') });
    await sim('/_sim/file', { name: 'x.html', type: 'text/html', base64:
        Buffer.from(`<script>${RUN}</script>`).toString('base64') });
    for (const [type, name, mime] of [['image', 'x.svg', 'image/svg+xml'],
        ['document', 'x.html', 'text/html']]) {
        await sim('/_sim/webhook', { from: '6281210000001', name: NAME, type,
            text: '', media: { url: `${process.env.WACRM_SIM}/media/${name}`,
                mime, name: `<img src=x onerror=${RUN}>.${name}` } });
    }
    await ask('applied');
    await page.getByTestId('chat-row').first().waitFor();
    await sees(page, page.getByTestId('chat-row').getByText(NAME),
        'a name of HTML is that name');
    await page.getByTestId('chat-row').first().click();
    await page.getByTestId('message').first().waitFor();
    for (const text of TEXTS) {
        const found = await page.getByTestId('message').evaluateAll(
            (all, want) => all.some((e) => e.innerText.includes(want)), text);
        ok(found, `as it was written: ${text.slice(0, 30)}`);
    }
    await sees(page, page.getByTestId('document')
        .getByText('onerror').first(), 'a file name of HTML, too');
    await clean(page, 'conversation');
    const links = await page.getByTestId('message').locator('a[href]')
        .evaluateAll((all) => all.map((a) => [a.protocol, a.rel, a.target]));
    ok(links.every(([protocol]) => /^https?:$/.test(protocol)),
        'links lead to the web only', links);
    ok(links.every(([, rel]) => /noopener/.test(rel)),
        'and give nothing away', links);
    ok(await page.evaluate(() => document.title.length > 0
        && getComputedStyle(document.body).display !== 'none'),
    'a style of theirs is none');

    // what was sent, opened by its own address, is downloaded or harmless
    const media = await page.getByTestId('message').locator(
        'a[href*="/media/"], img[src*="/media/"]').evaluateAll((all) =>
        all.map((e) => e.href || e.src));
    for (const url of media) {
        const got = await page.request.get(url);
        const headers = got.headers();
        ok(/nosniff/.test(headers['x-content-type-options']
            || '') && (/default-src 'none'/.test(
            headers['content-security-policy'] || '')
            || /attachment/.test(headers['content-disposition'] || '')),
        'a file of theirs has no rights on our host', headers);
    }
    is(media.length > 0, true, 'there are such files');
}

async function elsewhere({ page }) {
    const text = TEXTS[0];
    await api('supervisor', 'POST', '/templates', { name: text.slice(0, 60),
        content: `${text} {{<i>x</i>}}` });
    await api('cs1', 'POST', '/contacts/6281210000001/notes', { note: text });
    await api('cs1', 'POST', '/contacts/6281210000001/reminders', { note: text,
        remind_at: new Date(Date.now() + 3600000).toISOString() });
    await api('cs1', 'POST', '/contacts/6281210000001/donations',
        { amount: 1000, fund: text, campaign: text, note: text });
    await page.reload();
    await sees(page, page.getByTestId('donor-panel').getByTestId('note')
        .getByText(text), 'a note');
    await page.getByTestId('message-input').press('/');
    await sees(page, page.getByTestId('quick-replies').getByText(text).first(),
        'a template');
    await page.getByTestId('message-input').fill('');
    await clean(page, 'donor panel');
    await page.getByTestId('search').fill('onerror');
    await sees(page, page.getByTestId('search-hit').first(), 'search hits');
    await clean(page, 'search');
    for (const path of ['/templates', '/reminders', '/dashboard']) {
        await page.goto(path);
        await page.waitForLoadState('networkidle');
        await clean(page, path);
    }
    for (const next of ['//contoh.example/', 'https://contoh.example/',
        '/\\contoh.example', `javascript:${RUN}`]) {
        const back = await person(null,
            { path: `/login?next=${encodeURIComponent(next)}` });
        const form = back.page.getByTestId('login');
        await form.getByRole('textbox').first().fill('cs2@test.example');
        await form.locator('[type=password]').fill(password);
        await form.locator('[type=password]').press('Enter');
        await back.page.waitForURL((url) => url.pathname !== '/login');
        is(new URL(back.page.url()).origin, origin,
            `sign-in does not lead to ${next}`);
        await clean(back.page, 'sign-in');
        await back.context.close();
    }
}

await main(async () => {
    await open();
    const me = await person('cs1');
    await attempt(messages, me);
    await attempt(elsewhere, me);
    await close();
});
