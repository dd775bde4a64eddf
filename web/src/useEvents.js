import { onScopeDispose } from 'vue';
import { onEvent } from './realtime/apply.js';

/**
 * Calls run(data, name) for these events, as long as the component lives.
 *
 * @param {string[]} names
 */
export function useEvents(names, run) {
    onScopeDispose(onEvent((name, data) => {
        if (names.includes(name)) {
            run(data, name);
        }
    }));
}
