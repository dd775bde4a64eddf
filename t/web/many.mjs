// An inbox of ten thousand chats: the list stays small and quick.
import { about, attempt, close, diag, eventually, is, main, ok, open, person,
    sees, sim, waitFor } from './browser.mjs';

async function scrolling({ page }) {
    await page.getByTestId('chat-row').first().waitFor();
    const nodes = () => page.evaluate(() =>
        document.querySelectorAll('[data-testid=chat-list] *').length);
    const first = await nodes();
    await page.evaluate(() => {
        window.longest = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) {
                window.longest = Math.max(window.longest, entry.duration);
            }
        }).observe({ type: 'longtask' });
    });
    const began = Date.now();
    let most = first;
    let rows = 0;
    // down to the last row, as fast as it is loaded
    while (Date.now() - began < 60000) {
        rows = await page.evaluate(() => {
            const list = document.querySelector('[data-testid=chat-list]');
            list.scrollTop = list.scrollHeight;
            return document.querySelector('#app').__vue_app__.config
                .globalProperties.$pinia.state.value.inbox.rows.length;
        });
        most = Math.max(most, await nodes());
        if (rows >= about.chats) {
            break;
        }
        await page.waitForTimeout(10);
    }
    diag(`${rows} rows after ${Date.now() - began} ms, at most ${most} nodes, `
        + `longest task ${Math.round(await page.evaluate(() => window.longest))
        } ms`);
    is(rows, about.chats, 'every chat can be scrolled to');
    ok(most < 1500, 'with few nodes of DOM', most);
    await page.getByTestId('chat-list').evaluate((e) => {
        e.scrollTop = e.scrollHeight;
    });
    await sees(page, page.getByTestId('chat-row').filter(
        { hasText: `Donatur ${about.chats}` }), 'the last one is on the screen');
    const seen = await page.getByTestId('chat-row').count();
    ok(seen < 60, 'among few rows', seen);

    await sim('/_sim/webhook', { from: '6281500005000', name: 'Donatur 5000',
        text: 'ini saya' });
    await page.getByTestId('chat-list').evaluate((e) => {
        e.scrollTop = 0;
    });
    await sees(page, page.getByTestId('chat-row').filter(
        { hasText: 'ini saya' }), 'who writes comes to the top');
    is(await page.evaluate(() => document.querySelector('#app').__vue_app__
        .config.globalProperties.$pinia.state.value.inbox.rows.length),
    about.chats, 'and is no second row');
    await page.keyboard.press('/');
    await page.getByTestId('search').fill('Donatur 9876');
    await eventually(async () => await page.getByTestId('chat-row').count()
        === 1, 'one of ten thousand is found');
}

/* Upwards through six hundred messages: none twice, none left out, and what
 * one reads stays where it is. */
async function upwards({ page }) {
    await page.goto('/inbox/1');
    const all = page.getByTestId('message');
    await all.filter({ hasText: 'pesan dari donatur 1' }).waitFor();
    const ids = () => all.evaluateAll((e) => e.map((m) => m.dataset.message));
    let before = await ids();
    ok(before.length < 200, 'a long chat opens at its end', before.length);
    let jumps = 0;
    for (let i = 0; i < 20 && before.length < 601; i++) {
        const top = await all.first().evaluate((e) => {
            e.scrollIntoView();
            window.read = e;
            return e.getBoundingClientRect().top;
        });
        await waitFor(async () => (await ids()).length > before.length);
        const now = await page.evaluate(() =>
            window.read.getBoundingClientRect().top);
        jumps += Math.abs(now - top) > 60 ? 1 : 0;
        before = await ids();
    }
    is([before.length, new Set(before).size], [601, 601],
        'scrolling up brings all of it, each once');
    is(jumps, 0, 'and nothing jumps while one reads');
}

await main(async () => {
    await open();
    const me = await person('cs1');
    await attempt(scrolling, me);
    await attempt(upwards, me);
    await close();
});
