// Every page, as it looks on a day of the demo: in both languages, light and
// dark, wide and narrow; for eyes, screen readers and keyboards.
import { api, attempt, axe, close, diag, eventually, fits, is, main, ok,
    open, person, sees, shot } from './browser.mjs';

const PAGES = ['inbox', 'dashboard', 'reminders', 'templates', 'sessions',
    'reports', 'agents', 'import', 'audit', 'settings'];
const NARROW = { width: 360, height: 740 };

/* Nothing is loading any more, and charts are drawn. */
async function settled(page) {
    await page.locator('main :is(h1, h2, form, strong):visible').first()
        .waitFor();
    await page.waitForFunction(() => !document.querySelector(
        '.spinner, [aria-busy="true"]'), null, { timeout: 5000 })
        .catch(() => {});
    await page.waitForTimeout(300);
}

/* A key of a text where the text should be. */
async function untranslated(page) {
    return page.evaluate(() => document.body.innerText.match(
        /\b(?:common|inbox|donor|login|dashboard|sessions|templates|reports|agents|import|audit|settings|reminders)\.[a-z]\w*/gi)
        || []);
}

async function visit(page, name, path, { look = name, narrow = false } = {}) {
    await page.goto(path);
    await settled(page);
    is(await untranslated(page), [], `${look}: every text is there`);
    await axe(page, look);
    await fits(page, look);
    await shot(page, look, { fullPage: !narrow });
}

const chatOf = async (who) => (await api('admin', 'GET',
    '/inbox?limit=200&session_id=*')).conversations
    .find((c) => c.name === who).id;

async function wide(locale, theme) {
    const { page, context } = await person('admin', { path: null,
        settings: { locale, theme }, colorScheme: theme });
    const tail = locale === 'id' && theme === 'light' ? ''
        : `-${locale}-${theme}`;
    for (const name of PAGES) {
        await visit(page, name, `/${name}`, { look: `${name}${tail}` });
    }
    await visit(page, 'chat', `/inbox/${await chatOf('Budi Santoso')}`,
        { look: `chat${tail}` });
    is(await page.evaluate(() => document.documentElement.lang), locale,
        `the page says that it is ${locale}`);
    is(await page.evaluate(() => window.violations), [],
        `the policy was never in the way (${locale}, ${theme})`);
    await context.close();
    const stranger = await person(null, { path: '/login',
        settings: { locale, theme }, colorScheme: theme });
    await visit(stranger.page, 'login', '/login', { look: `login${tail}` });
    await stranger.context.close();
}

async function narrow() {
    const { page, context } = await person('admin', { path: null,
        viewport: NARROW, hasTouch: true, isMobile: true });
    for (const name of PAGES) {
        await visit(page, name, `/${name}`,
            { look: `${name}-360`, narrow: true });
    }
    // a whole answer with a thumb
    await page.goto('/inbox');
    await page.getByTestId('chat-row').filter({ hasText: 'Siti' }).tap();
    await sees(page, page.getByTestId('message-input'),
        'a tap on a chat opens it');
    is(await page.getByTestId('chat-list').isVisible(), false,
        'in the place of the list');
    await page.getByTestId('message-input').fill('Bisa Bu, kami ingatkan ya');
    await page.getByTestId('send').tap();
    await sees(page, page.getByText('Bisa Bu, kami ingatkan ya'),
        'it can be answered');
    await settled(page);
    await fits(page, 'chat-360');
    await axe(page, 'chat-360');
    await shot(page, 'chat-360');
    await page.getByTestId('toggle-panel').or(page.getByTestId('chat-head'))
        .first().tap();
    await sees(page, page.getByTestId('donor-panel'),
        'the donor is a tap away');
    await settled(page);
    await fits(page, 'donor-360');
    await axe(page, 'donor-360');
    await shot(page, 'donor-360');
    await page.keyboard.press('Escape');
    await page.getByTestId('back').tap();
    await sees(page, page.getByTestId('chat-row'), 'and the list is, too');
    await page.getByTestId('nav-more').tap();
    await page.getByTestId('nav-sessions').tap();
    await page.waitForURL(/\/sessions/);
    ok(true, 'all pages are behind one button');
    await context.close();
}

/* What a first visit costs until the inbox can be used. */
async function loading() {
    const { page, context } = await person('cs1');
    await page.getByTestId('chat-row').first().waitFor();
    const files = await page.evaluate(() => {
        const shown = performance.now();
        return [performance.getEntriesByType('navigation')[0],
            ...performance.getEntriesByType('resource')]
            .filter((e) => !/\/api\//.test(e.name) && e.startTime < shown)
            .map((e) => [new URL(e.name).pathname, e.encodedBodySize,
                e.contentEncoding ?? '']);
    });
    // those that come once it is there are part of no budget
    const early = files.filter(([name]) =>
        !/vendor-(?:pusher|laravel|uplot|uqr)|donor|more|socket/i.test(name));
    const sum = early.reduce((n, [, size]) => n + size, 0);
    diag(`the inbox is usable after ${early.length} files, `
        + `${(sum / 1000).toFixed(1)} KB over the network`);
    ok(sum > 50000 && sum <= 170000, 'within its budget', early);
    is(files.filter(([name]) => /vendor-(?:uplot|uqr)/.test(name)), [],
        'charts and QR codes are not loaded for it');
    await context.close();
}

/* From the sign-in to a sent answer, and no mouse. */
async function keyboard() {
    const { page, context } = await person('cs1');
    await page.getByTestId('chat-row').first().waitFor();
    await page.keyboard.press('Tab');
    is(await page.evaluate(() => document.activeElement.className), 'skip',
        'the first tab leads past the menu');
    await page.keyboard.press('?');
    await sees(page, page.getByTestId('shortcuts'), '? lists the shortcuts');
    await axe(page, 'shortcuts');
    await shot(page, 'shortcuts');
    await page.keyboard.press('Escape');
    await eventually(async () => await page.getByTestId('shortcuts').count()
        === 0, 'Escape closes them');
    await page.keyboard.press('j');
    await page.waitForURL(/\/inbox\/./);
    const first = page.url();
    await page.keyboard.press('j');
    await page.waitForURL((url) => url.href !== first);
    ok(true, 'j goes down the list');
    await page.keyboard.press('k');
    await page.waitForURL(first);
    ok(true, 'k up');
    await page.keyboard.press('r');
    await eventually(() => page.evaluate(() => document.activeElement
        .dataset.testid === 'message-input'), 'r writes');
    await page.keyboard.type('Dijawab tanpa tetikus');
    await page.keyboard.press('Control+Enter');
    await sees(page, page.getByTestId('message')
        .filter({ hasText: 'tanpa tetikus' }), 'Ctrl+Enter sends');
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    await eventually(() => page.evaluate(() => document.activeElement
        .dataset.testid === 'search'), '/ searches');
    await page.keyboard.type('sumur');
    await sees(page, page.getByTestId('search-hit'), 'and finds');
    await page.keyboard.press('Escape');
    await page.locator('body').focus();
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('2');
    is(await page.getByTestId('filter-unread').getAttribute('aria-pressed'),
        'true', '2 filters the unread');
    await page.keyboard.press('1');

    // wherever the focus is, it is seen
    await page.goto('/inbox');
    await page.getByTestId('chat-row').first().waitFor();
    const unseen = [];
    for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        const bad = await page.evaluate(() => {
            const e = document.activeElement;
            const s = getComputedStyle(e);
            const shown = s.outlineStyle !== 'none' && s.outlineWidth !== '0px'
                || s.boxShadow !== 'none' || e === document.body;
            return shown ? null : `${e.tagName}.${e.className}`;
        });
        if (bad) {
            unseen.push(bad);
        }
    }
    is(unseen, [], 'the focus is always to be seen');
    await context.close();
}

await main(async () => {
    await open();
    await attempt(loading);
    await attempt(wide, 'id', 'light');
    await attempt(narrow);
    await attempt(wide, 'en', 'dark');
    await attempt(keyboard);
    await close();
});
