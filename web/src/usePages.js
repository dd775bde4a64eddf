import { onScopeDispose, ref, shallowRef } from 'vue';

/**
 * A list that comes page by page: {data, meta: {hasMore, next}}.
 *
 * @param {(query: object) => Promise} fetch
 */
export function usePages(fetch) {
    const rows = shallowRef([]);
    const error = shallowRef(null);
    const loading = ref(false);
    const loaded = ref(false);
    const hasMore = ref(false);
    let query = {};
    let next = null;
    let asked = 0;

    async function page(first) {
        const mine = ++asked;
        loading.value = true;
        try {
            const got = await fetch({ ...query, before: first ? null : next });
            if (mine !== asked) {
                return;
            }
            rows.value = first ? got.data : [...rows.value, ...got.data];
            next = got.meta?.next ?? null;
            hasMore.value = got.meta?.hasMore ?? false;
            loaded.value = true;
            error.value = null;
        } catch (e) {
            if (mine === asked) {
                error.value = e;
            }
        } finally {
            if (mine === asked) {
                loading.value = false;
            }
        }
    }

    onScopeDispose(() => {
        asked++;
    });
    return {
        rows, error, loading, loaded, hasMore,
        /** From the beginning; with another query, if there is one. */
        load: (changed = query) => {
            query = changed;
            return page(true);
        },
        more: () => page(false),
    };
}
