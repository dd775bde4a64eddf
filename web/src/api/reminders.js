import { get, patch } from './client.js';

export const reminders = (query) => get('/crm/reminders', query);
/** @param {'done'|'cancelled'} state */
export const closeReminder = (id, state) =>
    patch(`/crm/reminders/${id}`, { state });
