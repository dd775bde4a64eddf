import { get, getChanged, post } from './client.js';

const id = encodeURIComponent;

/** @param {{filter, search, limit, before, session_id}} query */
export const conversations = (query) => get('/crm/inbox', query);
export const conversationsChanged = (query, known) =>
    getChanged('/crm/inbox', query, known);
/** The newest conversation with a person, or null. A page of a search may be
 *  short, and not be the last. */
export async function chatOf(phone) {
    let page;
    do {
        page = await get('/crm/inbox', { search: phone, session_id: '*',
            limit: 20, before: page?.meta.next });
        const found = page.conversations.find((row) => row.phone === phone);
        if (found) {
            return found;
        }
    } while (page.meta.hasMore);
    return null;
}
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
