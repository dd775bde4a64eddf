import { setSocketId } from '../api/client.js';
import * as api from '../api/inbox.js';
import { useAuth } from '../stores/auth.js';
import { useChat } from '../stores/chat.js';
import { useInbox } from '../stores/inbox.js';
import { useRealtime } from '../stores/realtime.js';
import { useSending } from '../stores/sending.js';
import { applyEvents, EVENT_NAMES, reloadAll } from './apply.js';
import { perFrame } from './frame.js';
import { EventOrder } from './order.js';

/*
 * The desk hears of what happens by the WebSocket; by asking, every few
 * seconds, where that is blocked or away. Both go by the numbers of events,
 * so that nothing is missed or told twice.
 */
const ASK_MS = 3000;
const ASK_HIDDEN_MS = 15000;
const ASK_LONGEST_MS = 30000;
const LOOK_AGAIN_MS = 60000;
const SOCKET_AGAIN_MS = 20000;
/* What is older when it is told has been missed: no notice of the desktop. */
const LATE_MS = 60000;
const PAGES_AT_ONCE = 20;

const order = new EventOrder();
/** Which numbering `order` goes by: a restored database has another one. */
let feed;
let echo = null;
let hurry = () => {};
let timer = null;
let failures = 0;
let started = false;
let opening = false;
let catching = null;
/** The server has no feed of events: ETags have to do. */
let feedless = false;

const { push: apply, flush } = perFrame((events) => {
    applyEvents(events.map((event) => ({ ...event,
        late: Date.now() - Date.parse(event.data.timestamp) > LATE_MS })));
    useRealtime().seq = order.cursor;
});

/** What has been told before is older than what is loaded now. */
function loadAnew() {
    flush();
    return reloadAll();
}

function named(event) {
    return {
        seq: event.seq,
        name: event.event.replace(/^.*\\/, ''),
        data: typeof event.data === 'string'
            ? JSON.parse(event.data) : event.data,
    };
}

/** Where the events are now; what is loaded after it, is newer. */
async function findPlace() {
    const answer = await api.events('latest');
    order.reset(answer.next);
    feed = answer.feed;
    useRealtime().seq = order.cursor;
}

async function readFeed() {
    for (let i = 0; i < PAGES_AT_ONCE; i++) {
        const answer = await api.events(order.cursor, { feed });
        feed = answer.feed;
        if (answer.resync) {
            order.reset(answer.next);
            await loadAnew();
            return;
        }
        apply(order.page(answer.events.map(named), answer.next));
        if (!answer.more) {
            return;
        }
    }
    // Away for so long that loading anew is less work.
    await findPlace();
    await loadAnew();
}

async function askByTag() {
    await useInbox().revalidate();
    await useChat().refresh();
}

async function ask() {
    if (feedless) {
        await askByTag();
        return;
    }
    try {
        if (order.cursor === null) {
            await findPlace();
            await loadAnew();
        } else {
            await readFeed();
        }
    } catch (error) {
        if (error.status !== 404) {
            throw error;
        }
        feedless = true;
        await askByTag();
    }
}

/** Everything missed, once; those who ask meanwhile wait for the same. */
function catchUp() {
    if (useAuth().leaving) {
        return Promise.resolve();
    }
    catching ??= ask().then(reached, unreached).finally(() => {
        catching = null;
    });
    return catching;
}

function reached() {
    const realtime = useRealtime();
    failures = 0;
    hurry();
    if (realtime.offline) {
        realtime.offline = false;
        useSending().hurry();
    }
}

function unreached(error) {
    if (error.passing) {
        failures++;
        // One lost answer is no outage.
        useRealtime().offline = failures > 1 || !navigator.onLine;
    } else if (error.status !== 401) {
        failures++;
    }
}

function waitMs() {
    if (useRealtime().mode === 'live') {
        return LOOK_AGAIN_MS;
    }
    const wait = document.visibilityState === 'visible'
        ? ASK_MS : ASK_HIDDEN_MS;
    return Math.min(ASK_LONGEST_MS, wait * 2 ** Math.max(0, failures - 2));
}

function schedule(ms = waitMs()) {
    clearTimeout(timer);
    timer = setTimeout(async () => {
        await catchUp();
        schedule();
    }, ms);
}

async function subscribed() {
    order.hold();
    await catchUp();
    apply(order.release());
    useRealtime().mode = 'live';
    schedule();
}

function onState(state) {
    const realtime = useRealtime();
    if (state === 'connected') {
        setSocketId(echo?.socketId() ?? null);
        return;
    }
    setSocketId(null);
    realtime.members = {};
    if (realtime.mode === 'live') {
        realtime.mode = 'polling';
        schedule(500);
    }
    if (state === 'failed' || state === 'disconnected') {
        closeSocket();
    }
}

/** It is tried again later: the token may have been another's, or old. */
function closeSocket() {
    if (!echo) {
        return;
    }
    const old = echo;
    echo = null;
    hurry = () => {};
    setSocketId(null);
    useRealtime().echo = null;
    old.disconnect();
    setTimeout(openSocketAgain, SOCKET_AGAIN_MS);
}

async function openSocketAgain() {
    if (echo || opening) {
        return;
    }
    if (useAuth().expired) {
        setTimeout(openSocketAgain, SOCKET_AGAIN_MS);
        return;
    }
    opening = true;
    try {
        const { openSocket } = await import('./socket.js');
        ({ echo, hurry } = await openSocket(onState));
    } catch {
        setTimeout(openSocketAgain, SOCKET_AGAIN_MS);
        return;
    } finally {
        opening = false;
    }
    const inbox = echo.private('inbox');
    for (const name of EVENT_NAMES) {
        inbox.listen(name, (data) => apply(order.live(
            { seq: data.seq, name, data })));
    }
    inbox.error(closeSocket);
    inbox.subscribed(() => {
        setSocketId(echo?.socketId() ?? null);
        useRealtime().echo = echo;
        subscribed();
    });
}

/** The page is looked at again, or the network is back. */
function wake() {
    if (document.visibilityState === 'visible') {
        failures = 0;
        schedule(0);
    }
}

/** From sign-in on. Loads nothing by itself: the pages do. */
export async function startRealtime() {
    if (started) {
        return;
    }
    started = true;
    useRealtime().mode = 'polling';
    window.addEventListener('online', wake);
    window.addEventListener('offline', () => {
        useRealtime().offline = true;
    });
    document.addEventListener('visibilitychange', wake);
    try {
        await findPlace();
    } catch (error) {
        feedless = error.status === 404;
    }
    schedule();
    openSocketAgain();
}
