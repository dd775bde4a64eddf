// Debian's chromium, driven by playwright-core, at the desk of Wacrm::Node.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

import { chromium } from 'playwright-core';

import { about, origin, password, request, root, waitFor }
    from '../node/desk.mjs';
import { diag, is, ok } from '../node/tap.mjs';

export * from '../node/desk.mjs';
export * from '../node/tap.mjs';

const axeSource = readFileSync(createRequire(import.meta.url)
    .resolve('axe-core/axe.min.js'), 'utf8');

export const PATIENCE = 20000 * (about.slow ? 4 : 1);

// ---- the harness ----

const answers = createInterface({ input: process.stdin });
const waiting = [];
answers.on('line', (line) => waiting.shift()(JSON.parse(line)));

/* What t/web*.t offers: ask('kill'), ask('sql', 'SELECT ...'). */
export function ask(command, ...args) {
    return new Promise((done) => {
        waiting.push(done);
        process.stdout.write(`! ${command} ${JSON.stringify(args)}\n`);
    });
}

// ---- the API, beside the browser ----

const signedIn = new Map();

/* The answer to a sign-in, once for each person. */
export async function signIn(who) {
    if (!signedIn.has(who)) {
        const r = await request('POST', '/api/auth/login', {
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ email: `${who}@${about.domain || 'test.example'}`,
                password }) });
        if (r.status !== 200) {
            throw new Error(`login of ${who}: ${r.status} ${r.text}`);
        }
        signedIn.set(who, r.json);
    }
    return signedIn.get(who);
}

export async function api(who, method, path, body) {
    const { token } = await signIn(who);
    const r = await request(method, `/api/crm${path}`, {
        headers: { Authorization: `Bearer ${token}`,
            ...(body ? { 'Content-Type': 'application/json' } : {}) },
        body: body === undefined ? undefined : JSON.stringify(body) });
    if (r.status >= 400) {
        throw new Error(`${method} ${path}: ${r.status} ${r.text}`);
    }
    return r.json;
}

// ---- the browser ----

let browser = null;
const complaints = [];
const expected = [];

export async function open() {
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium',
        args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []),
            '--disable-dev-shm-usage', '--force-color-profile=srgb'] });
    return browser;
}

export async function close() {
    await browser.close();
    const left = complaints.filter((c) => !expected.some((e) => e.test(c)));
    is(left, [], 'no page had an error or broke the policy');
}

/* Lines of the consoles that are part of a test. */
export const allow = (pattern) => expected.push(pattern);

function listen(page, name) {
    page.on('pageerror', (e) => complaints.push(
        `${name}: ${e.name}: ${e.message} ${e.stack}`));
    page.on('console', (m) => {
        if (m.type() === 'error' || /Content.Security.Policy/i.test(m.text())
            || /^\[Vue warn\]/.test(m.text())) {
            complaints.push(`${name}: ${m.text()} (${m.location().url})`);
        }
    });
    page.on('crash', () => complaints.push(`${name}: crashed`));
}

/* A browser of one's own: {page, context, tab}; who: signed in already; tab():
 * one more page of it. */
export async function person(who, { path = '/inbox', settings = {},
    ...options } = {}) {
    const context = await browser.newContext({ baseURL: origin,
        locale: 'id-ID', timezoneId: 'Asia/Jakarta', reducedMotion: 'reduce',
        viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    const tokens = who ? await signIn(who) : null;
    // a sign-in of its own: a refresh token is good for one use
    signedIn.delete(who);
    await context.addInitScript(([kept, chosen]) => {
        window.violations = [];
        document.addEventListener('securitypolicyviolation', (e) =>
            window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
        if (kept && !localStorage.getItem('wacrm.auth')
            && !sessionStorage.getItem('test.signedIn')) {
            localStorage.setItem('wacrm.auth', JSON.stringify(kept));
        }
        sessionStorage.setItem('test.signedIn', '1');
        if (!localStorage.getItem('wacrm.settings')) {
            localStorage.setItem('wacrm.settings', JSON.stringify(chosen));
        }
    }, [tokens && { token: tokens.token, refresh: tokens.refresh_token,
        key: randomBytes(16).toString('hex'),
        expires: Date.now() + tokens.expires_in * 1000, user: tokens.user },
    settings]);
    const tab = async () => {
        const opened = await context.newPage();
        listen(opened, who || 'nobody');
        return opened;
    };
    const page = await tab();
    if (path) {
        await page.goto(path);
    }
    return { page, context, tab };
}

// ---- what is expected of a page ----

/* locator.first() is there before long. */
export async function sees(where, what, name) {
    const locator = typeof what === 'string' ? where.getByText(what) : what;
    try {
        await locator.first().waitFor({ state: 'visible' });
        return ok(true, name);
    } catch (e) {
        return ok(false, name, e.message.split('\n')[0]);
    }
}

/* seconds: where it may take longer than the patience of all. */
export async function eventually(what, name, seconds = PATIENCE / 1000) {
    let last;
    const got = await waitFor(async () => {
        try {
            last = await what();
            return last;
        } catch (e) {
            last = e.message;
            return false;
        }
    }, Math.max(seconds, PATIENCE / 1000));
    return ok(got, name, last);
}

/* A part of the desk's state: 'realtime.mode'. */
export const state = (page, path) => page.evaluate((keys) => keys.split('.')
    .reduce((o, k) => o[k], document.querySelector('#app').__vue_app__.config
        .globalProperties.$pinia.state.value), path);

/* The socket is there, which is tried again every few seconds. */
export const live = (page) => page.waitForFunction(() => document
    .querySelector('#app').__vue_app__.config.globalProperties.$pinia.state
    .value.realtime.mode === 'live', null, { timeout: PATIENCE + 20000 });

/* Serious and critical findings of axe, told in a line each. */
export async function axe(page, name) {
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => window.axe.run(document,
        { resultTypes: ['violations'] }));
    const bad = violations.filter((v) =>
        ['serious', 'critical'].includes(v.impact));
    is(bad.map((v) => v.id), [], `axe: ${name}`);
    for (const v of violations) {
        for (const n of v.nodes.slice(0, bad.includes(v) ? 5 : 1)) {
            diag(`axe ${name}: ${v.impact} ${v.id}: ${n.target.join(' ')}: `
                + `${n.failureSummary || ''}`.replace(/\s+/g, ' '));
        }
    }
}

/* Nothing is wider than the window. */
export async function fits(page, name) {
    const wide = await page.evaluate(() => {
        const limit = document.documentElement.clientWidth;
        const out = [];
        if (document.documentElement.scrollWidth > limit) {
            out.push(`page ${document.documentElement.scrollWidth}`);
        }
        for (const e of document.querySelectorAll('main *')) {
            const r = e.getBoundingClientRect();
            const hidden = e.closest('.sr-only, [aria-hidden="true"]');
            if (r.width && r.right > limit + 1 && !hidden) {
                let box = e.parentElement;
                while (box && box !== document.body
                    && !/auto|scroll|hidden|clip/.test(
                        getComputedStyle(box).overflowX)) {
                    box = box.parentElement;
                }
                if (!box || box === document.body) {
                    out.push(`${e.tagName}.${e.className} ${r.right}`);
                }
            }
        }
        return out.slice(0, 5);
    });
    is(wide, [], `fits: ${name}`);
}

const shots = `${root}/build/screenshots`;
mkdirSync(shots, { recursive: true });

export async function shot(page, name, options = {}) {
    await page.screenshot({ path: `${shots}/${name}.png`, ...options });
}
