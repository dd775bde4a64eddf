import { defineStore } from 'pinia';
import { setFormatLocale } from '../format.js';
import { setLocale } from '../i18n/index.js';

const KEY = 'wacrm.settings';
const DEFAULTS = {
    /** 'id' or 'en' */
    locale: 'id',
    /** 'auto' (as the system), 'light' or 'dark' */
    theme: 'auto',
    /** desktop notifications, asked for in the settings page */
    notify: false,
    /** 'ctrl' (Ctrl+Enter sends) or 'enter' (Shift+Enter: new line) */
    sendWith: 'ctrl',
    /** is the donor panel open beside the conversation */
    panel: true,
};

const dark = window.matchMedia('(prefers-color-scheme: dark)');

function kept() {
    try {
        return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
        return {};
    }
}

/** What a person has set in this browser. */
export const useSettings = defineStore('settings', {
    state: () => ({ ...DEFAULTS, ...kept() }),
    actions: {
        listen() {
            this.apply();
            dark.addEventListener('change', () => this.apply());
        },
        /** @param {Partial<typeof DEFAULTS>} changes */
        async change(changes) {
            this.$patch(changes);
            localStorage.setItem(KEY, JSON.stringify(this.$state));
            this.apply();
            if (changes.locale) {
                await setLocale(this.locale);
            }
        },
        apply() {
            setFormatLocale(this.locale);
            document.documentElement.dataset.theme = this.theme !== 'auto'
                ? this.theme : dark.matches ? 'dark' : 'light';
        },
    },
});
