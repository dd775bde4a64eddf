// An inbox of ten thousand chats: the list stays small and quick.
import { cpus, loadavg } from 'node:os';

import { about, allow, ask, attempt, close, diag, eventually, is, live, main,
    ok, open, person, sees, sim, waitFor } from './browser.mjs';

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

/* A hit of the search thousands of messages back: shown, marked, and what is
 * around it is read on, both ways. */
async function farBack({ page }) {
    await page.goto('/inbox');
    await page.getByTestId('search').fill('Gunungkidul');
    const asked = [];
    page.on('request', (r) => /\/inbox\/2\?/.test(r.url())
        && asked.push(r.url()));
    await page.getByTestId('search-hit').first().click();
    const hit = page.getByTestId('message')
        .filter({ hasText: 'wakaf sumur di Gunungkidul' });
    await sees(page, hit, 'a hit 3,600 messages back is shown');
    ok(await hit.evaluate((e) => {
        const r = e.getBoundingClientRect();
        const list = document.querySelector('[data-testid=messages]')
            .getBoundingClientRect();
        return r.top >= list.top && r.bottom <= list.bottom;
    }), 'in view');
    ok(asked.length <= 3, 'by one question, not by all pages', asked);
    const texts = () => page.getByTestId('message').evaluateAll((all) =>
        all.map((e) => Number(/^\s*catatan (\d+)/.exec(
            e.querySelector('.words').textContent)?.[1])).filter(Boolean));
    const unbroken = (all) => all.every((n, i) => i === 0
        || n - all[i - 1] === 1 || (all[i - 1] === 1399 && n === 1401));
    const first = await texts();
    ok(first.length < 200 && unbroken(first), 'among its neighbours', first);
    const scroll = (where) => page.getByTestId('messages').evaluate((e, end) => {
        e.scrollTop = end ? e.scrollHeight : 0;
    }, where === 'down');
    await scroll('down');
    await eventually(async () => (await texts()).at(-1) > first.at(-1),
        'downwards there is more');
    await scroll('up');
    await eventually(async () => (await texts())[0] < first[0],
        'and upwards');
    ok(unbroken(await texts()), 'with nothing left out');

    await sim('/_sim/webhook', { from: '6281500000002', name: 'Donatur 2',
        text: 'sementara itu' });
    await eventually(async () => await page.getByTestId('chat-row')
        .filter({ hasText: 'sementara itu' }).count() === 1,
    'what comes meanwhile is in the list');
    is(await page.getByTestId('message').filter({ hasText: 'sementara itu' })
        .count(), 0, 'and not behind the past');
    await page.getByTestId('to-end').click();
    await sees(page, page.getByTestId('message')
        .filter({ hasText: 'sementara itu' }), 'a click leads to the newest');
    await page.getByTestId('message-input').fill('terkirim dari masa kini');
    await page.getByTestId('send').click();
    await sees(page, page.getByText('terkirim dari masa kini').last(),
        'and one writes on');
    allow(/422 .*around=999999/);
    await page.goto('/inbox/2?m=999999');
    await sees(page, page.getByText('Pesan itu sudah tidak ada'),
        'a message that is gone is said to be gone');
}

/* Twenty messages a second, of as many chats, for six seconds. */
async function busy({ page }) {
    await page.goto('/inbox');
    await page.getByTestId('chat-row').first().waitFor();
    await live(page);
    const list = page.getByTestId('chat-list');
    let rows = 0;
    while (rows < about.chats) {
        rows = await list.evaluate((e) => {
            e.scrollTop = e.scrollHeight;
            return document.querySelector('#app').__vue_app__.config
                .globalProperties.$pinia.state.value.inbox.rows.length;
        });
        await page.waitForTimeout(10);
    }
    await list.evaluate((e) => {
        e.scrollTop = 0;
    });
    await page.evaluate(() => {
        window.tasks = [];
        new PerformanceObserver((l) => window.tasks.push(...l.getEntries()
            .map((e) => Math.round(e.duration)))).observe({ type: 'longtask' });
    });
    const from = Date.now();
    for (let i = 0; i < 120; i++) {
        await sim('/_sim/webhook', { from: `62815${String(100 + i * 77)
            .padStart(8, '0')}`, text: `ramai ${i}` });
        await page.waitForTimeout(Math.max(0,
            from + (i + 1) * 50 - Date.now()));
    }
    await sees(page, page.getByTestId('chat-row').filter(
        { hasText: 'ramai 119' }), 'twenty messages a second are followed');
    const tasks = await page.evaluate(() => window.tasks);
    diag(`120 events in ${Date.now() - from} ms: ${tasks.length} long tasks, `
        + `the longest ${Math.max(0, ...tasks)} ms`);
    // on a machine that has more to do than it can, every task waits, and on
    // any now and then one
    const most = loadavg()[0] > 2 * cpus().length ? 300 : 100;
    const longer = tasks.filter((ms) => ms > most);
    ok(longer.length <= 6, `of 120 events few take longer than ${most} ms`,
        tasks);
}

/* Two hundred events that wait while the page is busy: they are drawn once a
 * frame, not once each. */
async function burst({ page }) {
    await page.goto('/inbox');
    await page.getByTestId('chat-row').first().waitFor();
    await live(page);
    await page.evaluate(() => {
        window.ticks = 0;
        window.renders = 0;
        (function tick() {
            window.ticks++;
            requestAnimationFrame(tick);
        })();
        new MutationObserver(() => window.renders++).observe(
            document.querySelector('[data-testid=chat-list]'),
            { childList: true, subtree: true, characterData: true });
    });
    // nothing else runs in the page until all of them are there
    let sent = false;
    await page.route('**/until', (route) => route.fulfill(
        { body: sent ? 'now' : 'later' }));
    const blocked = page.evaluate(() => {
        const ask = new XMLHttpRequest();
        do {
            ask.open('GET', '/until', false);
            ask.send();
        } while (ask.responseText !== 'now');
        window.ticks = window.renders = 0;
    });
    const from = (i) => `62815${String(200 + i * 31).padStart(8, '0')}`;
    await Promise.all(Array.from({ length: 200 }, (_, i) =>
        sim('/_sim/webhook', { from: from(i), text: `serentak ${i}` })));
    await ask('applied');
    await new Promise((go) => setTimeout(go, 1000)); // to its socket
    sent = true;
    await blocked;
    await eventually(() => page.evaluate((wanted) => wanted.every((phone) =>
        document.querySelector('#app').__vue_app__.config.globalProperties
            .$pinia.state.value.inbox.rows.slice(0, 210).some((row) =>
                row.phone === phone && /^serentak/.test(row.last_message))),
    Array.from({ length: 200 }, (_, i) => from(i))),
    'two hundred messages at once are all there', 60);
    const { frames, renders } = await page.evaluate(() =>
        ({ frames: window.ticks, renders: window.renders }));
    diag(`200 events: ${renders} drawings in ${frames} frames`);
    // and a few of those who ask the server in between
    ok(renders > 0 && renders <= frames + 5 && renders <= 100,
        'drawn once a frame', { frames, renders });
}

await main(async () => {
    await open();
    const me = await person('cs1');
    await attempt(scrolling, me);
    await attempt(upwards, me);
    await attempt(farBack, me);
    await attempt(busy, me);
    await attempt(burst, me);
    await close();
});
