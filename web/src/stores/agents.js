import { defineStore } from 'pinia';
import { agents } from '../api/agents.js';

/** The people who work here, by their names. */
export const useAgents = defineStore('agents', {
    state: () => ({ list: [], asked: false }),
    getters: {
        names: (state) => new Map(state.list.map((a) => [a.id, a.name])),
    },
    actions: {
        /** '' where it is not known (yet). */
        nameOf(id) {
            if (id !== null && !this.names.has(id) && !this.asked) {
                this.load();
            }
            return this.names.get(id) ?? '';
        },
        async load() {
            this.asked = true;
            try {
                this.list = (await agents()).data;
            } catch {
                this.asked = false;
            }
        },
    },
});
