import { defineStore } from 'pinia';
import * as api from '../api/auth.js';
import { onExpired } from '../api/client.js';
import { ApiError } from '../api/errors.js';
import { dropTokens, keepTokens, keepUser, onTokensChanged,
    readTokens } from '../api/tokens.js';
import { clearShelves } from './shelf.js';

let waiting = [];

/** Who is signed in. */
export const useAuth = defineStore('auth', {
    state: () => ({
        /** @type {{id, name, email, role, active_session_id}|null} */
        user: readTokens()?.user ?? null,
        /** The session has ended; ReloginDialog asks for the password. */
        expired: false,
        /** Signing out, or another one is signed in: nothing more is asked
         *  for, nor sent. */
        leaving: false,
    }),
    actions: {
        listen() {
            onExpired(() => this.ask());
            // "Back", to a page as it was kept: nobody is signed in any more.
            window.addEventListener('pageshow', () =>
                this.leaving && location.reload());
            onTokensChanged((tokens) => {
                if (tokens && (!this.user || tokens.user.id === this.user.id)) {
                    this.signedIn(tokens.user);
                } else if (tokens?.user.id !== this.user?.id) {
                    this.leaving = true;
                    if (!tokens) {
                        clearShelves(this.user.id);
                    }
                    location.reload();
                }
            });
        },
        /** @returns {Promise<void>} resolves when there is a token again */
        ask() {
            this.expired = true;
            return new Promise((done, failed) => {
                waiting.push({ done, failed });
            });
        },
        signedIn(user) {
            this.user = user;
            this.expired = false;
            waiting.forEach(({ done }) => done());
            waiting = [];
        },
        async login(email, password) {
            const tokens = keepTokens(await api.login(email, password));
            this.signedIn(tokens.user);
        },
        /** The other sign-ins of this user end. */
        async changePassword(current, password) {
            const tokens = keepTokens(
                await api.changePassword(current, password));
            this.signedIn(tokens.user);
        },
        async reload() {
            this.user = await api.me();
            keepUser(this.user);
        },
        /** The server may be away: it is left all the same. */
        async logout() {
            this.leaving = true;
            try {
                if (!this.expired) {
                    await api.logout();
                }
            } finally {
                this.leave();
            }
        },
        /** Messages and drafts go, too: useLeave() asks before. */
        leave() {
            this.leaving = true;
            clearShelves(this.user.id);
            dropTokens();
            waiting.forEach(({ failed }) => failed(new ApiError(
                { status: 401, message: 'Unauthenticated.' })));
            waiting = [];
            location.assign('/login');
        },
    },
});
