import { del, download, get, keyed, patch, post } from './client.js';

const of = (phone) => `/crm/contacts/${encodeURIComponent(phone)}`;

export const contacts = (query) => get('/crm/contacts', query);
/** {whatsapp, donatur, metrics}; the gateway may be waited for, up to 2 s */
export const contact = (phone, query) => get(of(phone), query);
/** The same at once: whatsapp is null. */
export const profile = (phone) => contact(phone, { whatsapp: 0 });
export const changeContact = (phone, body) => patch(of(phone), body);
export const eraseContact = (phone) => del(of(phone), { confirm: phone });
export const exportContact = (phone) => download(`${of(phone)}/export`);
/* An answer may be lost: the same key, and nothing is doubled. */
export const addNote = (phone, note, key) =>
    post(`${of(phone)}/notes`, { note }, keyed(key));
export const addReminder = (phone, body, key) =>
    post(`${of(phone)}/reminders`, body, keyed(key));
export const addDonation = (phone, body, key) =>
    post(`${of(phone)}/donations`, body, keyed(key));
export const consent = (phone) => get(`${of(phone)}/consent`);
export const setConsent = (phone, body) => post(`${of(phone)}/consent`, body);
export const mergeContacts = (from, into) =>
    post('/crm/contacts/merge', { from, into });
export const merges = (query) => get('/crm/merges', query);
export const undoMerge = (id) => post(`/crm/merges/${id}/undo`);
/** {success, data: {phone, registered}|null} */
export const checkContact = (phone, sessionId) =>
    get(`${of(phone)}/check`, { session_id: sessionId });
