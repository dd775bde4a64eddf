import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import * as api from '../api/inbox.js';
import { addMessages, applyStatus, refreshMessages } from '../inbox/thread.js';
import { useInbox } from './inbox.js';

const PAGE = 50;
const DEEP_PAGE = 200;
const DEEP_PAGES = 15;
const KEPT = 20;
const AGAIN_MS = 150;

/**
 * The conversations that were opened, the last ones kept, so that going back
 * is at once; one of them is open.
 */
export const useChat = defineStore('chat', () => {
    /** @type {Map<string, {messages, hasMore, before, known, loaded}>} */
    const threads = new Map();
    const openId = ref(null);
    const current = shallowRef(null);
    /** the conversation's line, as the inbox has it, or as it told */
    const line = shallowRef(null);
    const loading = ref(false);
    const loadingOlder = ref(false);
    const error = shallowRef(null);
    const messages = computed(() => current.value?.messages ?? []);
    /** counts what events have changed */
    let told = 0;
    let again = null;

    const empty = () => ({ messages: [], hasMore: false, before: null,
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

    /** The newest page, by its ETag. */
    async function refresh(id = openId.value) {
        if (!id) {
            return false;
        }
        const thread = threads.get(id) ?? empty();
        const before = told;
        const page = await api.messagesChanged(id, { limit: PAGE },
            thread.known);
        if (!page) {
            return false;
        }
        if (page.conversation) {
            useInbox().put(page.conversation);
            if (id === openId.value) {
                line.value = page.conversation;
            }
        }
        const now = threads.get(id) ?? thread;
        const deeper = now.loaded && now.messages.length > 0
            && page.messages.length > 0
            && now.messages[0].id !== page.messages[0].id
            && now.messages[0].timestamp <= page.messages[0].timestamp;
        set(id, {
            known: thread.known, loaded: true,
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

    /** Loads back to a message, for a hit of the search; as far as it goes. */
    async function reach(messageId) {
        for (let i = 0; i < DEEP_PAGES; i++) {
            if (messages.value.some((message) => message.id === messageId)) {
                return true;
            }
            if (!await older(DEEP_PAGE)) {
                return false;
            }
        }
        return messages.value.some((message) => message.id === messageId);
    }

    /** A message of an event or an answer. */
    function put(message) {
        const id = message.chat_id;
        const thread = threads.get(id);
        if (!thread?.loaded) {
            return;
        }
        told++;
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

    return { openId, line, messages, loading, loadingOlder, error,
        hasMore: computed(() => current.value?.hasMore ?? false),
        loaded: computed(() => current.value?.loaded ?? false),
        open, refresh, older, reach, put, putLine, status, gone, forget };
});
