import { defineStore } from 'pinia';
import { markRaw } from 'vue';
import { newKey } from '../api/client.js';
import { ApiError } from '../api/errors.js';
import * as api from '../api/messages.js';
import { useAuth } from './auth.js';
import { useChat } from './chat.js';
import { useInbox } from './inbox.js';

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30000;
const OLDEST_MS = 24 * 3600 * 1000;

/** One chat's messages leave one after another. */
const lanes = new Map();
const timers = new Map();

function keptKey() {
    return `wacrm.sending.${useAuth().user?.id ?? 0}`;
}

/**
 * What was sent here and is not told by the server yet. A lost answer is
 * asked for again with the same key, so that nothing goes out twice; texts
 * survive a reload of the page.
 *
 * An entry: {key, chatId, phone, sessionId, kind: 'message'|'template', body,
 * text, file, mediaId, share, after, user, at,
 * state: 'sending'|'waiting'|'refused'|'stale', error, newer}
 */
export const useSending = defineStore('sending', {
    state: () => ({ entries: [] }),
    getters: {
        of: (state) => (chatId) =>
            state.entries.filter((entry) => entry.chatId === chatId),
        /** the first one that waits for a decision */
        stale: (state) =>
            state.entries.find((entry) => entry.state === 'stale') ?? null,
    },
    actions: {
        /** Takes up what an earlier page left; a file would not survive. */
        resume() {
            window.addEventListener('beforeunload', (event) => {
                if (this.entries.some((entry) => entry.file
                    && entry.state !== 'refused')) {
                    event.preventDefault();
                }
            });
            let kept = [];
            try {
                kept = JSON.parse(localStorage.getItem(keptKey())) ?? [];
            } catch {
                // an unreadable list is an empty one
            }
            for (const entry of kept) {
                if (Date.now() - entry.at < OLDEST_MS
                    && !this.entries.some((e) => e.key === entry.key)) {
                    this.entries.push({ ...entry, error: entry.error
                        && markRaw(new ApiError(entry.error)) });
                    if (entry.state !== 'refused' && entry.state !== 'stale') {
                        this.queue(entry.key);
                    }
                }
            }
        },
        save() {
            const kept = this.entries.filter((entry) => !entry.file)
                .map((entry) => ({ ...entry, error: entry.error && {
                    status: entry.error.status, code: entry.error.code,
                    message: entry.error.message } }));
            try {
                localStorage.setItem(keptKey(), JSON.stringify(kept));
            } catch {
                // full or forbidden: they last as long as the page
            }
        },
        find(key) {
            return this.entries.find((entry) => entry.key === key) ?? null;
        },
        /**
         * @param {object} chat the conversation's line
         * @param {{text, file, replyTo, seenSeq, scheduledAt, template,
         *          variables}} what
         */
        add(chat, what) {
            const body = what.template
                ? { phone: chat.phone, template_id: what.template.id,
                    variables: what.variables }
                : { phone: chat.phone, message: what.text || undefined,
                    reply_to: what.replyTo ?? undefined,
                    scheduled_at: what.scheduledAt ?? undefined };
            if (what.seenSeq) {
                body.seen_seq = what.seenSeq;
            }
            const known = useChat().messages;
            this.entries.push({
                key: newKey(), chatId: chat.id, phone: chat.phone,
                sessionId: chat.session_id,
                kind: what.template ? 'template' : 'message', body,
                text: what.text ?? '', file: what.file
                    ? markRaw(what.file) : null,
                name: what.file?.name ?? null, mediaId: null, share: 0,
                after: known.reduce((most, m) => Math.max(most, m.id), 0),
                user: useAuth().user.id, at: Date.now(), tries: 0,
                state: 'sending', error: null, newer: null,
            });
            const entry = this.entries[this.entries.length - 1];
            this.save();
            this.queue(entry.key);
        },
        /** Behind what this chat sends already. */
        queue(key) {
            const entry = this.find(key);
            const before = lanes.get(entry.chatId) ?? Promise.resolve();
            const mine = before.then(() => this.attempt(key));
            lanes.set(entry.chatId, mine);
        },
        async attempt(key) {
            for (;;) {
                const entry = this.find(key);
                if (!entry) {
                    return;
                }
                entry.state = 'sending';
                try {
                    const message = await this.post(entry);
                    this.done(key, message);
                    return;
                } catch (error) {
                    if (!this.find(key)) {
                        return;
                    }
                    const wait = this.failed(entry, error);
                    this.save();
                    if (wait === null) {
                        return;
                    }
                    await this.pause(key, wait);
                }
            }
        },
        async post(entry) {
            if (entry.file && !entry.mediaId) {
                const answer = await api.upload(entry.file, (share) => {
                    entry.share = share;
                }, undefined);
                entry.mediaId = answer.data.media_id;
                entry.body = { ...entry.body, media_id: entry.mediaId };
            }
            const send = entry.kind === 'template'
                ? api.sendTemplate : api.send;
            return (await send(entry.body, entry.key, entry.sessionId)).data;
        },
        /** @returns ms to wait before the next try, or null: none */
        failed(entry, error) {
            entry.error = markRaw(error);
            if (error.status === 409 && error.code === 'stale') {
                entry.state = 'stale';
                entry.newer = error.data?.messages ?? [];
                return null;
            }
            // 401: signed out; it goes on with the next sign-in.
            if (error.passing || error.status === 429
                || error.status === 401) {
                entry.state = 'waiting';
                entry.tries++;
                return (error.retryAfter ?? 0) * 1000
                    || Math.min(LONGEST_WAIT_MS,
                        FIRST_WAIT_MS * 2 ** (entry.tries - 1));
            }
            entry.state = 'refused';
            return null;
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
        done(key, message) {
            useChat().put(message);
            this.drop(key);
            useInbox().revalidateSoon();
        },
        drop(key) {
            this.entries = this.entries.filter((entry) => entry.key !== key);
            this.save();
            timers.get(key)?.();
        },
        /** Once more, as a request of its own: it was refused, or stale. */
        again(key) {
            const entry = this.find(key);
            entry.key = newKey();
            entry.tries = 0;
            entry.error = null;
            entry.newer = null;
            delete entry.body.seen_seq;
            entry.state = 'sending';
            this.save();
            this.queue(entry.key);
        },
    },
});
