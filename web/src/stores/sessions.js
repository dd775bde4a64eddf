import { defineStore } from 'pinia';
import * as api from '../api/sessions.js';
import { useAuth } from './auth.js';

/** The numbers that this user sees. */
export const useSessions = defineStore('sessions', {
    state: () => ({ list: [], loaded: false }),
    getters: {
        byId: (state) => new Map(state.list.map((s) => [s.session_id, s])),
        several: (state) => state.list.length > 1,
    },
    actions: {
        async load() {
            this.list = (await api.sessions()).data;
            this.loaded = true;
        },
        /** SessionStatusChanged */
        changed(data) {
            const known = this.byId.get(data.session_id);
            if (!known) {
                this.load().catch(() => {});
                return;
            }
            this.list = this.list.map((session) => session === known
                ? { ...session, status: data.status,
                    raw_status: data.raw_status ?? session.raw_status }
                : session);
        },
        /** The number that calls mean from now on. */
        async use(sessionId) {
            await api.switchSession(sessionId);
            await useAuth().reload();
        },
    },
});
