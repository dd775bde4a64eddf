import { defineStore } from 'pinia';

let answer = null;

/** "Are you sure?": `if (await useConfirm().ask({..})) ...` */
export const useConfirm = defineStore('confirm', {
    state: () => ({
        /** @type {{title: string, text: string, ok: string,
         *          danger: boolean}|null} */
        asked: null,
    }),
    actions: {
        /** @returns {Promise<boolean>} */
        ask({ title, text = '', ok = '', danger = false }) {
            answer?.(false);
            this.asked = { title, text, ok, danger };
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
