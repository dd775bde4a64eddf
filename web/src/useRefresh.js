import { onBeforeUnmount, onMounted } from 'vue';
import { useEvents } from './useEvents.js';

/**
 * Calls run now and then while the page is looked at: soon after one of the
 * events, at most once in `least` ms, and every `each` ms without any.
 *
 * @param {string[]} events
 */
export function useRefresh(run, events, { least = 3000, each = 60000 } = {}) {
    let timer = 0;
    let last = Date.now();
    let shown = true;

    function later(ms) {
        clearTimeout(timer);
        if (shown) {
            timer = setTimeout(now, ms);
        }
    }
    async function now() {
        if (!document.hidden) {
            last = Date.now();
            await run();
        }
        later(each);
    }
    function onVisible() {
        if (!document.hidden && Date.now() - last > least) {
            now();
        }
    }
    useEvents([...events, 'Reload'],
        () => later(Math.max(400, last + least - Date.now())));
    onMounted(() => {
        document.addEventListener('visibilitychange', onVisible);
        later(each);
    });
    onBeforeUnmount(() => {
        shown = false;
        clearTimeout(timer);
        document.removeEventListener('visibilitychange', onVisible);
    });
}
