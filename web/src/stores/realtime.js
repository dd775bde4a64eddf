import { defineStore } from 'pinia';

/** How the desk hears of what happens. */
export const useRealtime = defineStore('realtime', {
    state: () => ({
        /** 'idle', 'connecting', 'live' (WebSocket) or 'polling' */
        mode: 'idle',
        /** nothing reaches the server */
        offline: false,
    }),
});
