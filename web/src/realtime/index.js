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
/* So long do pages wait for the place that they are followed from. */
const WAITED_MS = 3000;

const order = new EventOrder();
/** Which numbering `order` goes by: a restored database has another one. */
let feed;
let echo = null;
let hurry = () => {};
let timer = null;
let failures = 0;
let starting = null;
let opening = false;
let catching = false;
/** Counts the times that the socket came or went. */
let turns = 0;
let subscribed = false;
/** What is loaded is older than the place that `order` goes on from. */
let behind = false;
/** Do the pages wait for it? What they load afterwards may be older. */
let waited = true;
/** The server has no feed of events: ETags have to do. */
let feedless = false;

const { push: apply, flush } = perFrame((events) => {
    applyEvents(events.map((event) => ({ ...event,
        late: Date.now() - Date.parse(event.data.timestamp) > LATE_MS })));
    tellSeen();
});

/** What is shown is as of there. */
function tellSeen() {
    if (!behind) {
        useRealtime().seq = order.cursor;
    }
}

/** What has been told before is older than what is loaded now. */
async function loadAnew() {
    flush();
    await reloadAll();
    flush();
    behind = false;
    tellSeen();
}

function named(event) {
    return {
        seq: event.seq,
        name: event.event.replace(/^.*\\/, ''),
        data: typeof event.data === 'string'
            ? JSON.parse(event.data) : event.data,
    };
}

/** It goes on from there, and what has been loaded is too old for that. */
function goOnFrom(answer) {
    order.reset(answer.next);
    if (feed !== undefined && feed !== answer.feed) {
        // Seen was what another numbering tells: by this one, nothing.
        useRealtime().seq = 1;
    }
    feed = answer.feed;
    behind = true;
}

async function findPlace() {
    goOnFrom(await api.events('latest'));
}

async function readFeed() {
    for (let i = 0; i < PAGES_AT_ONCE; i++) {
        const answer = await api.events(order.cursor, { feed });
        if (answer.resync) {
            goOnFrom(answer);
            return;
        }
        feed = answer.feed;
        apply(order.page(answer.events.map(named), answer.next));
        if (!answer.more) {
            return;
        }
    }
    // Away for so long that loading anew is less work.
    await findPlace();
}

async function askByTag() {
    try {
        await useInbox().revalidate();
    } catch (error) {
        if (!error.missing) {
            throw error;
        }
        useInbox().error = error;
    }
    await useChat().check();
}

async function ask() {
    try {
        if (order.cursor === null && !feedless) {
            await findPlace();
        } else if (!behind && !feedless) {
            await readFeed();
        }
    } catch (error) {
        if (error.status !== 404) {
            throw error;
        }
        feedless = true;
    }
    if (feedless) {
        await askByTag();
    } else if (behind) {
        await loadAnew();
    }
}

/**
 * Everything missed. The socket is believed when one that began after its
 * subscription has succeeded: until then its events wait, and are asked for.
 */
async function catchUp() {
    if (catching) {
        return; // the next one is due when it ends
    }
    catching = true;
    const mine = turns;
    try {
        if (!useAuth().leaving) {
            await ask();
            reached();
            if (subscribed && mine === turns) {
                apply(order.release());
                useRealtime().mode = 'live';
            }
        }
    } catch (error) {
        unreached(error);
    }
    catching = false;
    schedule(mine === turns ? waitMs() : 0);
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
    timer = setTimeout(catchUp, ms);
}

/** The socket has come, or gone: what it has told since counts. */
function turn(come) {
    turns++;
    subscribed = come;
    order.hold();
    useRealtime().mode = 'polling';
    schedule(come ? 0 : 500);
}

function onState(state) {
    if (state === 'connected') {
        setSocketId(echo?.socketId() ?? null);
        return;
    }
    setSocketId(null);
    useRealtime().members = {};
    if (subscribed) {
        turn(false);
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
        inbox.listen(name, (data) => {
            apply(order.live({ seq: data.seq, name, data }));
            if (order.full) {
                turn(subscribed);
            }
        });
    }
    inbox.error(closeSocket);
    inbox.subscribed(() => {
        setSocketId(echo?.socketId() ?? null);
        useRealtime().echo = echo;
        turn(true);
    });
}

/** The page is looked at again, or the network is back. */
function wake() {
    if (document.visibilityState === 'visible') {
        failures = 0;
        schedule(0);
    }
}

/** The place to go on from, however long that takes; then it is followed. */
async function begin() {
    catching = true;
    try {
        await findPlace();
        if (waited) {
            behind = false; // nothing has been loaded yet
            tellSeen();
        }
    } catch (error) {
        feedless = error.status === 404;
    }
    catching = false;
    schedule(behind ? 0 : waitMs());
    openSocketAgain();
}

async function start() {
    useRealtime().mode = 'polling';
    window.addEventListener('online', wake);
    window.addEventListener('offline', () => {
        useRealtime().offline = true;
    });
    document.addEventListener('visibilitychange', wake);
    await Promise.race([begin(), new Promise((done) => {
        setTimeout(done, WAITED_MS);
    })]);
    waited = false;
}

/**
 * From sign-in on. Loads nothing by itself: the pages do, once it has
 * resolved. What they load is then no older than the first event told, or is
 * loaded anew.
 */
export function startRealtime() {
    starting ??= start();
    return starting;
}
