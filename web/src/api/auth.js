import axios from 'axios';
import { get, post } from './client.js';
import { apiError } from './errors.js';

/** Without the client's interceptors: a 401 means the password. */
export async function login(email, password) {
    try {
        return (await axios.post('/api/auth/login', { email, password },
            { timeout: 20000 })).data;
    } catch (error) {
        throw apiError(error);
    }
}

export const logout = () => post('/auth/logout', {}, { timeout: 10000 });
export const me = () => get('/auth/me').then((body) => body.user);

/** Ends every sign-in of the caller; the answer is as that of login. */
export const changePassword = (current, password) =>
    post('/auth/password', { current_password: current, password });
