import { defineStore } from 'pinia';
import { shallowRef, ref } from 'vue';

/** How the desk hears of what happens. */
export const useRealtime = defineStore('realtime', () => ({
    /** 'idle', 'live' (WebSocket) or 'polling' */
    mode: ref('idle'),
    /** nothing reaches the server */
    offline: ref(false),
    /** number of the newest event known, or null */
    seq: ref(null),
    /** laravel-echo while it is connected */
    echo: shallowRef(null),
    /** who is on the open conversation: by user id {id, name, typing} */
    members: ref({}),
}));
