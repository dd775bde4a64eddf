import { get } from './client.js';

/** @param {{user, contact, action, limit, before}} query */
export const audit = (query) => get('/crm/audit', query);
