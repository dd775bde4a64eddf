import { onScopeDispose, ref, shallowRef } from 'vue';

/**
 * Something that is fetched, and fetched again. An answer that was overtaken
 * by a later question is dropped. While it is fetched again the old data
 * stays; an error beside data means that the data is old.
 *
 * @param {(...args) => Promise<T>} fetch
 */
export function useLoad(fetch) {
    const data = shallowRef(null);
    const error = shallowRef(null);
    const loading = ref(false);
    let asked = 0;

    async function load(...args) {
        const mine = ++asked;
        loading.value = true;
        try {
            const got = await fetch(...args);
            if (mine === asked) {
                data.value = got;
                error.value = null;
            }
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

    /** Forgets what was there. */
    function clear() {
        asked++;
        data.value = null;
        error.value = null;
        loading.value = false;
    }

    onScopeDispose(clear);
    return { data, error, loading, load, clear };
}

/**
 * Something that a person does: one at a time.
 *
 * @param {(...args) => Promise} run
 * @returns run(): true where it went well; else error says why
 */
export function useAction(run) {
    const busy = ref(false);
    const error = shallowRef(null);

    async function act(...args) {
        if (busy.value) {
            return false;
        }
        busy.value = true;
        error.value = null;
        try {
            await run(...args);
            return true;
        } catch (e) {
            error.value = e;
            return false;
        } finally {
            busy.value = false;
        }
    }

    return { busy, error, run: act };
}
