import { defineStore } from 'pinia';
import { agents } from '../api/agents.js';

/** The people who work here, to tell their names. */
export const usePeople = defineStore('people', {
    state: () => ({
        /** @type {{id, name, email, role, active}[]} */
        list: [],
        asked: null,
    }),
    getters: {
        active: (state) => state.list.filter((agent) => agent.active),
        /** The name of an id; '' where it is not known. */
        nameOf: (state) => (id) =>
            state.list.find((agent) => agent.id === id)?.name ?? '',
    },
    actions: {
        /** Once; failing it is asked again by who needs it next. */
        need() {
            this.asked ??= this.reload().catch(() => {
                this.asked = null;
            });
            return this.asked;
        },
        async reload() {
            this.list = (await agents()).data;
        },
    },
});
