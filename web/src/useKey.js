import { watch } from 'vue';
import { newKey } from './api/client.js';

/**
 * The Idempotency-Key of what a form makes: the same one at each try, as an
 * answer may have been lost; another one once something else is to be made.
 *
 * @param form what is sent, as watch() takes it
 * @returns {() => string}
 */
export function useKey(form) {
    let key = newKey();
    watch(form, () => {
        key = newKey();
    }, { deep: true, flush: 'sync' });
    return () => key;
}
