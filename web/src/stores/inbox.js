import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import * as api from '../api/inbox.js';
import { appendPage, belongs, mergeFirstPage,
    putRows } from '../inbox/rows.js';

const PAGE = 100;
const SOON_MS = 400;
/* A search looks at some thousand conversations at a time. */
const MOST_LOOKS = 40;

/** The list of conversations, as the filter and the search field say. */
export const useInbox = defineStore('inbox', () => {
    /** 'all', 'unread', 'starred' or 'failed' */
    const filter = ref('all');
    const search = ref('');
    /** '' the acting session, '*' all visible ones, else one's session_id */
    const session = ref('');
    const rows = shallowRef([]);
    const hasMore = ref(false);
    const loading = ref(false);
    const error = shallowRef(null);
    /** id of the open conversation, which no filter takes away */
    const openId = ref(null);
    /** ids of conversations with something unread */
    const unread = shallowRef(new Set());

    /** which list the rows are of, as far as they came */
    let listed = null;
    let next = null;
    let known = { etag: null };
    let wanted = 0;
    let soon = null;
    /** of each page that is asked for: what events have told since, by id */
    const during = new Set();
    let asking = null;

    const query = (more = {}) => ({
        filter: filter.value, search: search.value || undefined,
        session_id: session.value || undefined, limit: PAGE, ...more,
    });
    const find = (id) => rows.value.find((row) => row.id === id) ?? null;

    function listen() {
        const told = new Map();
        during.add(told);
        return told;
    }

    /** Another list: filter, search or session have changed. */
    async function load() {
        const mine = ++wanted;
        known = { etag: null };
        loading.value = true;
        error.value = null;
        const told = listen();
        try {
            const asked = JSON.stringify(query());
            const page = await api.conversationsChanged(query(), known);
            if (mine === wanted) {
                listed = asked;
                rows.value = page.conversations;
                place([...told.values()]);
                hasMore.value = page.meta.hasMore;
                next = page.meta.next;
                await lookFurther(mine);
            }
        } catch (failure) {
            if (mine === wanted) {
                error.value = failure;
                // those of another filter would be taken for what was found
                rows.value = listed === JSON.stringify(query())
                    ? rows.value : [];
            }
        } finally {
            during.delete(told);
            if (mine === wanted) {
                loading.value = false;
            }
        }
    }

    /** A page of a search may be short, or empty, and not be the last. */
    async function lookFurther(mine) {
        for (let i = 0; i < MOST_LOOKS && search.value && hasMore.value
            && rows.value.length < PAGE; i++) {
            const page = await api.conversations(query({ before: next }));
            if (mine !== wanted) {
                return;
            }
            rows.value = appendPage(rows.value, page.conversations);
            hasMore.value = page.meta.hasMore;
            next = page.meta.next;
        }
    }

    async function loadMore() {
        if (!hasMore.value || loading.value) {
            return;
        }
        const mine = wanted;
        loading.value = true;
        try {
            const page = await api.conversations(query({ before: next }));
            if (mine === wanted) {
                rows.value = appendPage(rows.value, page.conversations);
                hasMore.value = page.meta.hasMore;
                next = page.meta.next;
            }
        } catch (failure) {
            if (mine === wanted) {
                error.value = failure;
            }
        } finally {
            if (mine === wanted) {
                loading.value = false;
            }
        }
    }

    /** The first page by its ETag: cheap where nothing has changed. */
    function revalidate() {
        asking ??= askFirstPage().finally(() => {
            asking = null;
        });
        return asking;
    }

    async function askFirstPage() {
        const mine = wanted;
        const told = listen();
        try {
            const page = await api.conversationsChanged(query(), known);
            if (page && mine === wanted) {
                rows.value = mergeFirstPage(rows.value, page.conversations,
                    page.meta.hasMore, openId.value);
                // Rows below the page are loaded as far as they were.
                if (rows.value.length <= page.conversations.length) {
                    hasMore.value = page.meta.hasMore;
                    next = page.meta.next;
                }
                // What was told meanwhile may be newer than the page.
                place([...told.values()]);
                error.value = null;
            }
            return page !== null;
        } finally {
            during.delete(told);
        }
    }

    /** One answer for all that happens within a moment. */
    function revalidateSoon() {
        soon ??= setTimeout(() => {
            soon = null;
            if (asking) {
                revalidateSoon();
            } else {
                revalidate().catch(() => {});
            }
        }, SOON_MS);
    }

    async function loadUnread() {
        const page = await api.conversations(
            { filter: 'unread', limit: 200, session_id: '*' });
        unread.value = new Set(page.conversations.map((row) => row.id));
    }

    function noteUnread(told) {
        const changed = told.filter((row) =>
            unread.value.has(row.id) !== (row.unread_count > 0));
        if (changed.length > 0) {
            const ids = new Set(unread.value);
            changed.forEach(({ id }) => ids.delete(id) || ids.add(id));
            unread.value = ids;
        }
    }

    /** Conversations as events tell them, each once. */
    function put(told) {
        noteUnread(told);
        told.forEach((row) => during.forEach((since) => since.set(row.id, row)));
        place(told);
    }

    function place(told) {
        if (told.length === 0) {
            return;
        }
        const there = new Set(rows.value.map((row) => row.id));
        const changes = [];
        for (const row of told) {
            const its = belongs(row, filter.value);
            const ofSession = session.value === ''
                ? there.has(row.id) || null
                : session.value === '*' || session.value === row.session_id;
            if (its === null || ofSession === null || search.value) {
                revalidateSoon();
                if (there.has(row.id)) {
                    changes.push({ row, belongs: true });
                }
            } else {
                changes.push({ row, belongs: ofSession
                    && (its || row.id === openId.value) });
            }
        }
        rows.value = putRows(rows.value, changes, hasMore.value);
    }

    /** Something of one row, before the server tells it: the page known by
     *  its ETag is no longer what is shown. */
    function amend(id, changes) {
        known.etag = null;
        if (changes.unread_count !== undefined) {
            noteUnread([{ id, ...changes }]);
        }
        const row = find(id);
        if (row) {
            const changed = { ...row, ...changes };
            rows.value = rows.value.map((other) =>
                other.id === id ? changed : other);
        }
    }

    /** DonorUpdated: the figures of the person in every row of theirs. */
    function donor(donatur) {
        const phones = new Set([donatur.phone, ...donatur.aliases ?? []]);
        rows.value = rows.value.map((row) => !phones.has(row.phone) ? row : {
            ...row, name: donatur.name, phone: donatur.phone,
            donatur: row.donatur && {
                ...row.donatur, segment: donatur.segment,
                lifetime_value: donatur.lifetime_value,
                donation_count: donatur.donation_count,
                avg_donation: donatur.avg_donation,
                last_donation: donatur.last_donation_date,
                engagement_score: donatur.engagement_score,
            },
        });
        revalidateSoon();
    }

    return { filter, search, session, rows, hasMore, loading, error, openId,
        unread, unreadCount: computed(() => unread.value.size),
        find, load, loadMore, revalidate, revalidateSoon, loadUnread, put,
        amend, donor };
});
