import { onBeforeUnmount, onMounted, watch } from 'vue';
import { markRead } from './api/inbox.js';
import { useInbox } from './stores/inbox.js';

const AGAIN_MS = 5000;
const LONGEST_MS = 60000;

/**
 * The conversation is read by whoever looks at it. What could not be told is
 * told later; what was refused is not, until there is more to read.
 *
 * @param {() => object} row its line
 */
export function useMarkRead(row) {
    const inbox = useInbox();
    let timer = null;
    let wait = AGAIN_MS;
    /** {id, unread} that the server does not take */
    let refused = null;
    let left = false;

    function again(error) {
        timer = setTimeout(() => {
            timer = null;
            tell(true);
        }, Math.max(wait, (error.retryAfter ?? 0) * 1000));
        wait = Math.min(2 * wait, LONGEST_MS);
    }
    async function tell(late = false) {
        const { id, unread_count: unread } = row();
        if (unread === 0 || timer || document.visibilityState !== 'visible'
            || (refused?.id === id && refused.unread === unread)) {
            return;
        }
        if (!late) {
            inbox.amend(id, { unread_count: 0 });
        }
        try {
            await markRead(id);
            wait = AGAIN_MS;
            if (late) {
                inbox.amend(id, { unread_count: 0 });
            }
        } catch (error) {
            failed(error, { id, unread }, late);
        }
    }
    function failed(error, told, late) {
        clearTimeout(timer);
        timer = null;
        if (!left && (error.passing || error.status === 429)) {
            again(error);
        } else {
            refused = told;
        }
        if (!late) {
            inbox.amend(told.id, { unread_count: told.unread });
            inbox.revalidateSoon();
        }
    }
    const look = () => tell();

    watch(() => row().id, () => {
        refused = null;
    });
    watch(() => [row().id, row().unread_count], look, { immediate: true });
    onMounted(() => document.addEventListener('visibilitychange', look));
    onBeforeUnmount(() => {
        document.removeEventListener('visibilitychange', look);
        clearTimeout(timer);
        left = true;
    });
}
