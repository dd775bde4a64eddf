import { defineStore } from 'pinia';
import { useAuth } from './auth.js';

const MOST = 200;
const SAVE_MS = 300;

/** What is typed and not sent, by chat, kept in this browser. */
export const useDrafts = defineStore('drafts', {
    state: () => {
        const key = `wacrm.drafts.${useAuth().user?.id ?? 0}`;
        let all = {};
        try {
            all = JSON.parse(localStorage.getItem(key)) ?? {};
        } catch {
            // an unreadable one is no draft
        }
        return {
            key,
            /** @type {Object<string, {text: string, at: number}>} */
            all,
            timer: null,
        };
    },
    actions: {
        text(chatId) {
            return this.all[chatId]?.text ?? '';
        },
        keep(chatId, text) {
            if (text.trim() === '') {
                delete this.all[chatId];
            } else {
                this.all[chatId] = { text, at: Date.now() };
            }
            this.timer ??= setTimeout(() => this.save(), SAVE_MS);
        },
        /** At once: the page is left. */
        save() {
            clearTimeout(this.timer);
            this.timer = null;
            const newest = Object.entries(this.all)
                .sort(([, a], [, b]) => b.at - a.at).slice(0, MOST);
            try {
                localStorage.setItem(this.key,
                    JSON.stringify(Object.fromEntries(newest)));
            } catch {
                // full or forbidden: they last as long as the page
            }
        },
    },
});
