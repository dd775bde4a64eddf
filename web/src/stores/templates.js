import { defineStore } from 'pinia';
import { templates } from '../api/templates.js';

const KEY = 'wacrm.templates.used';
const MOST = 200;

function usedBefore() {
    try {
        return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
        return {};
    }
}

/** The team's texts, for the composer. */
export const useTemplates = defineStore('templates', {
    state: () => ({ list: [], used: usedBefore(), loaded: false,
        /** the list is here, or could not be had */
        ready: false }),
    getters: {
        /** those used most in this browser first */
        ranked: (state) => [...state.list].sort((a, b) =>
            (state.used[b.id] ?? 0) - (state.used[a.id] ?? 0)
            || a.name.localeCompare(b.name)),
    },
    actions: {
        async load(again = false) {
            if (this.loaded && !again) {
                return;
            }
            this.loaded = true;
            try {
                this.list = (await templates({ limit: MOST })).data;
            } catch {
                this.loaded = false;
            }
            this.ready = true;
        },
        note(id) {
            this.used[id] = (this.used[id] ?? 0) + 1;
            try {
                localStorage.setItem(KEY, JSON.stringify(this.used));
            } catch {
                // full or forbidden: the order is not kept
            }
        },
    },
});
