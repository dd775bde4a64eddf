import { onScopeDispose, watch } from 'vue';
import { useAuth } from '../stores/auth.js';
import { useRealtime } from '../stores/realtime.js';

const TYPING_LASTS_MS = 6000;
const TELL_EVERY_MS = 2500;

/**
 * Who else looks at a conversation, or answers it: realtime.members.
 *
 * @param {() => string|null} chatId
 * @returns {{typing: () => void}} to be called at each key
 */
export function usePresence(chatId) {
    const realtime = useRealtime();
    const me = useAuth().user.id;
    const timers = new Map();
    let channel = null;
    let name = null;
    let echo = null;
    let told = 0;

    const note = ({ id, info }) => {
        if (Number(id) !== me) {
            realtime.members = { ...realtime.members,
                [id]: { id, name: info.name, typing: false } };
        }
    };
    const drop = ({ id }) => {
        const { [id]: _gone, ...rest } = realtime.members;
        realtime.members = rest;
    };
    /* The server names the sender; what the sender says is not believed. */
    const typed = (id, typing) => {
        const member = realtime.members[id];
        if (!member) {
            return;
        }
        realtime.members = { ...realtime.members,
            [id]: { ...member, typing } };
        clearTimeout(timers.get(id));
        if (typing) {
            timers.set(id, setTimeout(() => typed(id, false),
                TYPING_LASTS_MS));
        }
    };

    function leave() {
        if (name) {
            echo?.leave(name);
        }
        channel = null;
        name = null;
        realtime.members = {};
    }
    function join(id) {
        name = `chat.${id}`;
        echo = realtime.echo;
        channel = echo.join(name);
        // Echo's here() and joining() leave out whose info it is.
        channel.subscription
            .bind('pusher:subscription_succeeded', (all) => all.each(note))
            .bind('pusher:member_added', note)
            .bind('pusher:member_removed', drop)
            .bind('client-typing', (_data, meta) =>
                typed(meta?.user_id, true));
    }

    watch([chatId, () => realtime.echo], ([id, now]) => {
        leave();
        if (id && now) {
            join(id);
        }
    }, { immediate: true });
    onScopeDispose(leave);

    return {
        typing() {
            if (channel && Date.now() - told > TELL_EVERY_MS) {
                told = Date.now();
                channel.whisper('typing', {});
            }
        },
    };
}
