import { defineStore } from 'pinia';

const LASTS_MS = 8000;
const timers = new Map();

/** Which donors are typing, by phone. */
export const useTyping = defineStore('typing', {
    state: () => ({ phones: {} }),
    actions: {
        set(phone, isTyping) {
            clearTimeout(timers.get(phone));
            if (isTyping) {
                this.phones[phone] = true;
                timers.set(phone, setTimeout(() => {
                    delete this.phones[phone];
                }, LASTS_MS));
            } else {
                delete this.phones[phone];
            }
        },
    },
});
