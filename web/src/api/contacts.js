import { del, download, get, patch, post } from './client.js';

const of = (phone) => `/crm/contacts/${encodeURIComponent(phone)}`;

export const contacts = (query) => get('/crm/contacts', query);
/** {whatsapp, donatur, metrics}; the gateway may be waited for, up to 2 s */
export const contact = (phone, query) => get(of(phone), query);
/** The same at once: whatsapp is null. */
export const profile = (phone) => contact(phone, { whatsapp: 0 });
export const changeContact = (phone, body) => patch(of(phone), body);
export const eraseContact = (phone) => del(of(phone), { confirm: phone });
export const exportContact = (phone) => download(`${of(phone)}/export`);
export const addNote = (phone, note) => post(`${of(phone)}/notes`, { note });
export const addReminder = (phone, body) => post(`${of(phone)}/reminders`, body);
export const addDonation = (phone, body) => post(`${of(phone)}/donations`, body);
export const consent = (phone) => get(`${of(phone)}/consent`);
export const setConsent = (phone, body) => post(`${of(phone)}/consent`, body);
export const mergeContacts = (from, into) =>
    post('/crm/contacts/merge', { from, into });
export const merges = (query) => get('/crm/merges', query);
export const undoMerge = (id) => post(`/crm/merges/${id}/undo`);
/** {success, data: {phone, registered}|null} */
export const checkContact = (phone, sessionId) =>
    get(`${of(phone)}/check`, { session_id: sessionId });
