import { defineStore } from 'pinia';
import { describe } from '../api/errors.js';
import { i18n } from '../i18n/index.js';

const LASTS_MS = { info: 4000, success: 4000, error: 8000 };
const WITH_ACTION_MS = 15000;
let last = 0;

/** Short notices at the edge of the screen, read aloud too. */
export const useToasts = defineStore('toasts', {
    state: () => ({
        /** @type {{id: number, kind: string, text: string,
         *          action: {label: string, run: () => void}|null}[]} */
        list: [],
    }),
    actions: {
        /**
         * @param {'info'|'success'|'error'} kind
         * @param {{label: string, run: () => void}} [action]
         */
        show(kind, text, action = null) {
            const id = ++last;
            this.list = [...this.list.slice(-3), { id, kind, text, action }];
            setTimeout(() => this.drop(id),
                action ? WITH_ACTION_MS : LASTS_MS[kind]);
        },
        success(text) {
            this.show('success', text);
        },
        /** What the server said, as people say it. */
        error(error) {
            this.show('error', describe(error, i18n.global.t));
        },
        drop(id) {
            this.list = this.list.filter((toast) => toast.id !== id);
        },
    },
});
