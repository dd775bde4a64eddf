import { get, getChanged, post } from './client.js';

const id = encodeURIComponent;

/** @param {{filter, search, limit, before, session_id}} query */
export const conversations = (query) => get('/crm/inbox', query);
export const conversationsChanged = (query, known) =>
    getChanged('/crm/inbox', query, known);
/** The newest conversation with a person: its id, or null. */
export const chatOf = (phone) =>
    get('/crm/inbox', { search: phone, session_id: '*', limit: 20 }).then(
        (page) => page.conversations.find((row) => row.phone === phone)?.id
            ?? null);
export const messages = (chatId, query) =>
    get(`/crm/inbox/${id(chatId)}`, { shape: 'native', ...query });
export const messagesChanged = (chatId, query, known) =>
    getChanged(`/crm/inbox/${id(chatId)}`,
        { shape: 'native', ...query }, known);
export const markRead = (chatId) => post(`/crm/inbox/${id(chatId)}/read`);
export const toggleStar = (chatId) => post(`/crm/inbox/${id(chatId)}/star`);
/** @param {{q, in, limit, before, session_id}} query */
export const search = (query, config) => get('/crm/search', query, config);
export const events = (since, { feed, limit = 200 } = {}) =>
    get('/crm/events', { since, limit, feed });
