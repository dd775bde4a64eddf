import { defineStore } from 'pinia';
import { markRaw } from 'vue';
import { useAuth } from './auth.js';
import { shelf } from './shelf.js';

const MOST = 200;
const SAVE_MS = 300;

/** What is typed and not sent, by chat, kept in this browser; the same in all
 *  of its tabs. */
export const useDrafts = defineStore('drafts', {
    state: () => {
        const kept = shelf('drafts', useAuth().user?.id ?? 0);
        const newest = kept.all().sort(([, a], [, b]) => b.at - a.at);
        newest.splice(MOST).forEach(([id]) => kept.drop(id));
        return {
            /** @type {Object<string, {text: string, at: number}>} */
            all: Object.fromEntries(newest),
            /** what is attached, by chat; it lasts as long as the page */
            files: markRaw(new Map()),
            kept,
            /** chats whose drafts are not saved yet */
            changed: new Set(),
            timer: null,
        };
    },
    actions: {
        listen() {
            this.kept.listen((chatId, draft) => {
                if (!this.changed.has(chatId)) {
                    this.set(chatId, draft);
                }
            });
        },
        /** @returns {number} of chats in which something is not sent */
        count() {
            return new Set([...Object.keys(this.all), ...[...this.files.keys()]
                .filter((id) => this.files.get(id).length > 0)]).size;
        },
        text(chatId) {
            return this.all[chatId]?.text ?? '';
        },
        set(chatId, draft) {
            if (draft) {
                this.all[chatId] = draft;
            } else {
                delete this.all[chatId];
            }
        },
        keep(chatId, text) {
            if (text === this.text(chatId)) {
                return;
            }
            this.set(chatId, text.trim() && { text, at: Date.now() });
            this.changed.add(chatId);
            this.timer ??= setTimeout(() => this.save(), SAVE_MS);
        },
        /** At once: the page is left. */
        save() {
            clearTimeout(this.timer);
            this.timer = null;
            for (const chatId of this.changed) {
                if (this.all[chatId]) {
                    this.kept.put(chatId, this.all[chatId]);
                } else {
                    this.kept.drop(chatId);
                }
            }
            this.changed.clear();
        },
    },
});
