import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import * as api from '../api/inbox.js';
import { addMessages, applyStatus, isBehind,
    refreshMessages } from '../inbox/thread.js';
import { useInbox } from './inbox.js';

const PAGE = 50;
const AROUND = 80;
const KEPT = 20;
const AGAIN_MS = 150;

/**
 * The conversations that were opened, the last ones kept, so that going back
 * is at once; one of them is open. A thread ends with the newest message, or,
 * where a search has led far back, with `after`: newer ones exist that are not
 * loaded (hasNewer), and what events tell is not put behind the gap.
 */
export const useChat = defineStore('chat', () => {
    /** @type {Map<string, {messages, hasMore, before, hasNewer, after, around,
     *                       known, loaded}>} */
    const threads = new Map();
    const openId = ref(null);
    const current = shallowRef(null);
    /** the conversation's line, as the inbox has it, or as it told */
    const line = shallowRef(null);
    const loading = ref(false);
    const loadingOlder = ref(false);
    const loadingNewer = ref(false);
    const error = shallowRef(null);
    const messages = computed(() => current.value?.messages ?? []);
    /** counts what events have changed */
    let told = 0;
    let again = null;

    const empty = () => ({ messages: [], hasMore: false, before: null,
        hasNewer: false, after: null, around: null,
        known: { etag: null }, loaded: false });

    function set(id, thread) {
        threads.delete(id);
        threads.set(id, thread);
        if (threads.size > KEPT) {
            const oldest = threads.keys().next().value;
            if (oldest !== openId.value) {
                threads.delete(oldest);
            }
        }
        if (id === openId.value) {
            current.value = thread;
        }
    }

    function change(id, work) {
        const thread = threads.get(id);
        if (thread) {
            set(id, { ...thread, messages: work(thread.messages) });
        }
    }

    function putTold(id, conversation) {
        if (conversation) {
            useInbox().put([conversation]);
            if (id === openId.value) {
                line.value = conversation;
            }
        }
    }

    /** The newest page, by its ETag; or that of the place in the past. */
    async function refresh(id = openId.value) {
        if (!id) {
            return false;
        }
        const thread = threads.get(id) ?? empty();
        if (thread.hasNewer) {
            try {
                await goTo(id, thread.around);
                return true;
            } catch (failure) {
                if (failure.status !== 422) {
                    throw failure;
                }
                threads.delete(id); // that message is gone
                return refresh(id);
            }
        }
        const before = told;
        const page = await api.messagesChanged(id, { limit: PAGE },
            thread.known);
        if (!page) {
            return false;
        }
        putTold(id, page.conversation);
        const now = threads.get(id) ?? thread;
        if (now.hasNewer) {
            return false;
        }
        const deeper = now.loaded && now.messages.length > 0
            && page.messages.length > 0
            && now.messages[0].id !== page.messages[0].id
            && now.messages[0].timestamp <= page.messages[0].timestamp;
        set(id, {
            ...now, known: thread.known, loaded: true,
            messages: refreshMessages(now.messages, page.messages,
                page.meta.hasMore),
            hasMore: deeper ? now.hasMore : page.meta.hasMore,
            before: deeper ? now.before : page.meta.before,
        });
        // What was told meanwhile may be newer than the page.
        if (told !== before) {
            fetchAgain(id);
        }
        return true;
    }

    /** The open one is asked for anew; that there is none any more, or not for
     *  this person, is an answer. @throws where there was none */
    async function check() {
        const id = openId.value;
        let failure = null;
        try {
            await refresh(id);
        } catch (caught) {
            if (!caught.missing) {
                throw caught;
            }
            failure = caught;
            threads.delete(id);
        }
        if (openId.value === id) {
            error.value = failure;
            current.value = threads.get(id) ?? null;
            line.value = failure ? null : line.value;
        }
    }

    async function open(id) {
        openId.value = id;
        error.value = null;
        current.value = threads.get(id) ?? null;
        line.value = id ? useInbox().find(id) : null;
        if (!id) {
            return;
        }
        loading.value = !current.value;
        try {
            await refresh(id);
        } catch (failure) {
            if (openId.value === id) {
                error.value = failure;
            }
        } finally {
            if (openId.value === id) {
                loading.value = false;
            }
        }
    }

    async function older(limit = PAGE) {
        const id = openId.value;
        const thread = threads.get(id);
        if (!thread?.hasMore || loadingOlder.value) {
            return false;
        }
        loadingOlder.value = true;
        try {
            const page = await api.messages(id,
                { limit, before: thread.before });
            const now = threads.get(id) ?? thread;
            set(id, { ...now, hasMore: page.meta.hasMore,
                before: page.meta.before,
                messages: addMessages(now.messages, page.messages) });
            return true;
        } finally {
            loadingOlder.value = false;
        }
    }

    /** What lies around a message, in the place of what does not touch it. */
    async function goTo(id, messageId) {
        const page = await api.messages(id,
            { limit: AROUND, around: messageId });
        const now = threads.get(id) ?? empty();
        putTold(id, page.conversation);
        const touches = !now.hasNewer && page.messages.some((message) =>
            now.messages.some((other) => other.id === message.id));
        const thread = { ...now, loaded: true, around: messageId,
            messages: touches
                ? addMessages(now.messages, page.messages) : page.messages,
            hasMore: page.meta.hasMore, before: page.meta.before };
        set(id, touches ? thread : { ...thread, known: { etag: null },
            hasNewer: page.meta.hasNewer, after: page.meta.after });
    }

    /** Shows a message, however far back. @returns false: it is gone */
    async function reach(messageId) {
        const id = openId.value;
        const here = () => messages.value.some((message) =>
            message.id === messageId);
        if (!here()) {
            try {
                await goTo(id, messageId);
            } catch (failure) {
                if (failure.status !== 422) {
                    throw failure;
                }
            }
        }
        return id === openId.value && here();
    }

    /** Downwards from a place in the past, until the newest is reached. */
    async function newer() {
        const id = openId.value;
        const thread = threads.get(id);
        if (!thread?.hasNewer || loadingNewer.value) {
            return;
        }
        loadingNewer.value = true;
        try {
            const page = await api.messages(id,
                { limit: PAGE, after: thread.after });
            const now = threads.get(id);
            if (now?.after === thread.after) {
                set(id, { ...now, hasNewer: page.meta.hasNewer,
                    after: page.meta.after,
                    messages: addMessages(now.messages, page.messages) });
                if (!page.meta.hasNewer) {
                    await refresh(id);
                }
            }
        } finally {
            loadingNewer.value = false;
        }
    }

    /** Back from the past, to the newest ones. */
    async function latest() {
        const id = openId.value;
        const thread = threads.get(id);
        if (thread?.hasNewer) {
            const page = await api.messages(id, { limit: PAGE });
            set(id, { ...empty(), loaded: true, messages: page.messages,
                hasMore: page.meta.hasMore, before: page.meta.before });
        }
    }

    /** A message of an event or an answer. */
    function put(message) {
        const id = message.chat_id;
        const thread = threads.get(id);
        if (!thread?.loaded) {
            return;
        }
        told++;
        if (thread.hasNewer && isBehind(thread.messages, message)) {
            return;
        }
        const messages = addMessages(thread.messages, [message]);
        const now = messages.find((other) => other.id === message.id);
        set(id, { ...thread, messages });
        if (now.truncated || (now.media?.state === 'stored'
            && !now.media.url)) {
            fetchAgain(id);
        }
    }

    /** What events leave out, only the open one at once. */
    function fetchAgain(id) {
        const thread = threads.get(id);
        if (thread) {
            thread.known.etag = null;
        }
        again ??= setTimeout(() => {
            again = null;
            refresh().catch(() => {});
        }, AGAIN_MS);
    }

    function status(changed) {
        told++;
        change(changed.chat_id, (list) => applyStatus(list, changed));
    }

    function gone(chatId, messageId) {
        change(chatId, (list) =>
            list.filter((message) => message.id !== messageId));
    }

    /** The open conversation's line, as an event tells it. */
    function putLine(row) {
        if (row.id === openId.value) {
            line.value = row;
        }
    }

    /** All but the open one are loaded anew when they are opened. */
    function forget() {
        for (const id of threads.keys()) {
            if (id !== openId.value) {
                threads.delete(id);
            }
        }
    }

    return { openId, line, messages, loading, loadingOlder, loadingNewer,
        error, hasMore: computed(() => current.value?.hasMore ?? false),
        hasNewer: computed(() => current.value?.hasNewer ?? false),
        loaded: computed(() => current.value?.loaded ?? false),
        open, refresh, check, older, newer, latest, reach, put, putLine, status,
        gone, forget };
});
