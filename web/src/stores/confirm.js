import { defineStore } from 'pinia';

let answer = null;

/** "Are you sure?": `if (await useConfirm().ask({..})) ...` */
export const useConfirm = defineStore('confirm', {
    state: () => ({
        /** @type {{title: string, text: string, ok: string,
         *          danger: boolean,
         *          key: symbol}|null} key: each time a dialog of its own,
         *          above all others */
        asked: null,
    }),
    actions: {
        /** @returns {Promise<boolean>} */
        ask({ title, text = '', ok = '', danger = false }) {
            answer?.(false);
            this.asked = { title, text, ok, danger, key: Symbol() };
            return new Promise((done) => {
                answer = done;
            });
        },
        settle(yes) {
            this.asked = null;
            answer?.(yes);
            answer = null;
        },
    },
});
