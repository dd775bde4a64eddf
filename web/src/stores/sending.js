import { defineStore } from 'pinia';
import { markRaw } from 'vue';
import { newKey } from '../api/client.js';
import { ApiError } from '../api/errors.js';
import * as api from '../api/messages.js';
import { onItsWay } from '../inbox/thread.js';
import { useAuth } from './auth.js';
import { useChat } from './chat.js';
import { useDrafts } from './drafts.js';
import { useInbox } from './inbox.js';
import { shelf } from './shelf.js';

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30000;
/** how much later another tab's word may come than its lock */
const LATE_MS = 250;
const PATIENCE_MS = 60000;
/** so long may the upload of another tab take */
const HANGS_MS = 300000;
/** so long is what another tab has just written that tab's, without locks */
const ITS_OWN_MS = 5000;

/** One chat's messages leave one after another. */
const lanes = new Map();
const timers = new Map();
/** What ends an upload. */
const stops = new Map();

const kept = () => shelf('sending', useAuth().user.id);
const undecided = ({ state }) => state === 'refused' || state === 'stale';
/** Only the page that has a file can upload it. */
const whole = ({ name, mediaId }) => name && !mediaId;
const away = (entry) => whole(entry) && !entry.file && onItsWay(entry);
/** What ours would say: else it is the answer of a proxy. */
function ours(id) {
    if (!id) {
        throw new ApiError({ status: 0 });
    }
    return id;
}
const late = () => new Promise((done) => setTimeout(done, LATE_MS));
/** As long as it waits, but not for ever. */
async function patience(ms, waits) {
    const until = Date.now() + ms;
    while (waits() && Date.now() < until) {
        await late();
    }
}

/** One tab at a time; where a browser has no locks, the server tells by the
 *  key that it is the same message. */
const alone = (key, work) => navigator.locks
    ? navigator.locks.request(`wacrm.sending.${key}`, work) : work();
const atOnce = (key, work) => work();

/**
 * What was sent here and is not told by the server yet. A lost answer is
 * asked for again with the same key, so that nothing goes out twice; all of it
 * but files survives a reload of the page, and is the same in all tabs: each
 * tries to send it, whichever is first, does.
 *
 * An entry: {key, was, batch, part, chatId, who, phone, sessionId,
 * kind: 'message'|'template', body, text, file, name, mediaId, share, after,
 * user, at, tries, error, newer, loose,
 * state: 'sending'|'waiting'|'refused'|'stale'|'held'}
 * was: its key before it was sent again. batch: what was sent by one click;
 * refused and stale ones wait for a decision, and hold what comes behind them
 * in their batch. loose: not kept.
 */
export const useSending = defineStore('sending', {
    state: () => ({ entries: [] }),
    getters: {
        of: (state) => (chatId) =>
            state.entries.filter((entry) => entry.chatId === chatId),
        /** those that wait for a decision */
        undecided: (state) => state.entries.filter(undecided),
    },
    actions: {
        /** Takes up what an earlier page left, and what other tabs do. */
        resume() {
            window.addEventListener('beforeunload', (event) => {
                if (!useAuth().leaving && (this.entries.some((entry) =>
                    entry.loose || (entry.file && !entry.mediaId))
                    || [...useDrafts().files.values()].some(
                        (files) => files.length))) {
                    event.preventDefault();
                }
            });
            kept().all().sort(([, a], [, b]) => a.at - b.at || a.part - b.part)
                .forEach(([key, told]) => this.adopt(key, told, true));
            this.release();
            kept().listen((key, told) =>
                told ? this.adopt(key, told) : this.forget(key));
        },
        /** As it is kept, or as another tab has changed it.
         *  @param {boolean} left by an earlier page */
        adopt(key, told, left = false) {
            const before = this.find(key);
            const entry = { batch: key, ...told, error: told.error
                && markRaw(new ApiError(told.error)),
            file: (before ?? this.find(told.was))?.file ?? null };
            const starts = onItsWay(entry) && !(before && onItsWay(before));
            if (before) {
                Object.assign(before, entry);
            } else {
                this.entries.push(entry);
            }
            if (starts) {
                this.queue(key, left);
            }
        },
        save(entry) {
            const { status, code, message } = entry.error ?? {};
            entry.loose = !kept().put(entry.key, { ...entry, file: undefined,
                error: entry.error && { status, code, message } });
        },
        find(key) {
            return this.entries.find((entry) => entry.key === key) ?? null;
        },
        /** What was sent with this one, behind it, in its order. */
        behind(entry) {
            return this.entries.filter(({ batch, part }) =>
                batch === entry.batch && part > entry.part)
                .sort((a, b) => a.part - b.part);
        },
        /** What waits for the decision about this one. */
        heldBy(entry) {
            const rest = this.behind(entry);
            const next = rest.findIndex(undecided);
            return rest.slice(0, next < 0 ? rest.length : next)
                .filter(({ state }) => state === 'held');
        },
        /** What nothing holds any more goes on. */
        release() {
            const held = new Set(this.entries.filter(undecided)
                .flatMap((entry) => this.behind(entry)));
            this.entries.filter((entry) => entry.state === 'held'
                && !held.has(entry)).forEach((entry) => {
                entry.state = 'sending';
                this.queue(entry.key);
            });
        },
        /**
         * @param {object} chat the conversation's line
         * @param {{text, file, replyTo, seenSeq, scheduledAt, template,
         *          variables}[]} parts of one click, in their order
         */
        add(chat, parts) {
            const known = useChat().messages;
            const batch = newKey();
            parts.forEach((what, part) => {
                const body = what.template
                    ? { template_id: what.template.id,
                        variables: what.variables }
                    : { message: what.text || undefined,
                        reply_to: what.replyTo ?? undefined,
                        scheduled_at: what.scheduledAt ?? undefined };
                const key = newKey();
                this.entries.push({
                    key, batch, part, chatId: chat.id, who: chat.name,
                    phone: chat.phone, sessionId: chat.session_id,
                    kind: what.template ? 'template' : 'message',
                    body: { phone: chat.phone, ...body,
                        seen_seq: what.seenSeq || undefined },
                    text: what.text ?? '', file: what.file
                        ? markRaw(what.file) : null,
                    name: what.file?.name ?? null, mediaId: null, share: 0,
                    after: known.reduce((most, m) => Math.max(most, m.id), 0),
                    user: useAuth().user.id, at: Date.now(), tries: 0,
                    state: 'sending', error: null, newer: null, loose: false,
                });
                this.queue(key);
                this.save(this.find(key));
            });
        },
        /** Behind what this chat sends already. The page that has a file
         *  keeps the others off until it is uploaded, and sent.
         *  @param {boolean} [left] as adopt() has it; not: written here */
        queue(key, left) {
            const entry = this.find(key);
            const { chatId } = entry;
            const before = lanes.get(chatId) ?? Promise.resolve();
            const own = whole(entry) && !away(entry);
            const its = !own && left === false && !navigator.locks
                && this.pause(key, ITS_OWN_MS);
            const run = async () => {
                await before;
                await its;
                if (!own) {
                    await this.settled(key, left);
                }
                await this.attempt(key, own ? atOnce : alone);
            };
            const mine = (own ? alone(key, run) : run()).catch(() => {});
            // A tab that hangs keeps its lock: what lies behind goes on.
            lanes.set(chatId, away(entry)
                ? Promise.race([mine, patience(HANGS_MS, () =>
                    this.find(key))]) : mine);
        },
        /** Waits for the page that has its file: while it holds the lock, or,
         *  where there are none, for a while. */
        async settled(key, left) {
            const waits = () => {
                const entry = this.find(key);
                return entry && away(entry);
            };
            if (!waits() || (left && !navigator.locks)) {
                return;
            }
            if (navigator.locks) {
                await late();
                await alone(key, late);
                return;
            }
            await patience(PATIENCE_MS, waits);
        },
        async attempt(key, guard) {
            for (;;) {
                const wait = await guard(key, () => this.try(key));
                if (wait === null) {
                    return;
                }
                await this.pause(key, wait);
            }
        },
        /** @returns ms to wait before the next try, or null: none */
        async try(key) {
            const entry = this.find(key);
            if (!entry || !onItsWay(entry) || useAuth().leaving) {
                return null;
            }
            entry.state = 'sending';
            try {
                const message = await this.post(entry);
                this.remove(key);
                useChat().put(message);
                useInbox().revalidateSoon();
            } catch (error) {
                // Nobody waits for what was withdrawn meanwhile.
                return this.find(key) ? this.failed(entry, error) : null;
            }
            return null;
        },
        async post(entry) {
            if (whole(entry)) {
                const stop = new AbortController();
                stops.set(entry.key, stop);
                // One that was changed since cannot be read: an upload fails
                // of it as of a line that is cut.
                if (!await entry.file?.slice(0, 1).arrayBuffer()
                    .catch(() => null)) {
                    entry.file = null;
                    throw new ApiError({ status: 422, code: 'file_gone' });
                }
                const answer = await api.upload(entry.file, (share) => {
                    entry.share = share;
                }, stop);
                entry.mediaId = ours(answer.data?.media_id);
                entry.body = { ...entry.body, media_id: entry.mediaId };
                if (!this.find(entry.key)) {
                    throw new ApiError({ code: 'withdrawn' });
                }
                this.save(entry);
            }
            const send = entry.kind === 'template'
                ? api.sendTemplate : api.send;
            const { data } = await send(entry.body, entry.key,
                entry.sessionId, entry.at);
            ours(data?.id);
            return data;
        },
        /** @returns ms to wait before the next try, or null: none */
        failed(entry, error) {
            let wait = null;
            const here = error.code === 'file_gone';
            if (error.of?.('media_id')) {
                // Unused, it is kept for a day.
                entry.mediaId = null;
                delete entry.body.media_id;
                error = new ApiError({ status: 422, code: 'file_gone' });
            }
            entry.error = markRaw(error);
            if (error.status === 409 && error.code === 'stale') {
                entry.state = 'stale';
                entry.newer = error.data?.messages ?? [];
            } else if (error.passing || error.status === 429
                || error.status === 401) {
                // 401: signed out; it goes on with the next sign-in.
                entry.state = 'waiting';
                entry.tries++;
                wait = (error.retryAfter ?? 0) * 1000
                    || Math.min(LONGEST_WAIT_MS,
                        FIRST_WAIT_MS * 2 ** (entry.tries - 1));
            } else {
                entry.state = 'refused';
            }
            // A file may be gone here, and in another tab all the same.
            const held = wait === null
                ? this.behind(entry).filter(onItsWay) : [];
            held.forEach((other) => {
                other.state = 'held';
            });
            if (!here) {
                [entry, ...held].forEach((one) => this.save(one));
            }
            return wait;
        },
        pause(key, ms) {
            return new Promise((done) => {
                const timer = setTimeout(go, ms);
                function go() {
                    clearTimeout(timer);
                    timers.delete(key);
                    done();
                }
                timers.set(key, go);
            });
        },
        /** The way is free again: nobody waits for a timer. */
        hurry() {
            [...timers.values()].forEach((go) => go());
        },
        /** It is in this list no more. */
        forget(key) {
            this.entries = this.entries.filter((entry) => entry.key !== key);
            timers.get(key)?.();
            stops.get(key)?.abort();
            stops.delete(key);
            this.release();
        },
        remove(key) {
            this.forget(key);
            kept().drop(key);
        },
        /** It is not to be sent; nor is what it holds, if a colleague was
         *  quicker. Other tabs hear of each: what is held goes first. */
        discard(key) {
            const entry = this.find(key);
            if (entry.state === 'stale') {
                this.heldBy(entry).reverse().forEach((other) =>
                    this.remove(other.key));
            }
            const [next] = this.behind(entry);
            if (next?.tries === 0 && entry.body.seen_seq) {
                next.body.seen_seq = entry.body.seen_seq;
                this.save(next);
            }
            this.remove(key);
        },
        /** Back to where it was written, with what it holds.
         *  @returns the entries, which are here no more */
        take(key) {
            const entry = this.find(key);
            const taken = [entry, ...this.heldBy(entry)];
            [...taken].reverse().forEach((other) => this.remove(other.key));
            return taken;
        },
        /** Once more, as a request of its own: it was refused, or stale. */
        again(key) {
            const entry = this.find(key);
            const batch = newKey();
            if (entry.state === 'stale') {
                delete entry.body.seen_seq;
            }
            const all = [entry, ...this.heldBy(entry)];
            const old = all.map((other) => other.key);
            all.forEach((other) => {
                Object.assign(other, { was: other.key, key: newKey(), batch, at: Date.now(),
                    tries: 0, error: null, newer: null, state: 'sending' });
                this.queue(other.key);
                this.save(other);
            });
            old.reverse().forEach((one) => kept().drop(one));
        },
    },
});
