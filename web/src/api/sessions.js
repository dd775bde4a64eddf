import { del, get, patch, post, put } from './client.js';

const of = (id) => `/crm/whatsapp/sessions/${encodeURIComponent(id)}`;

export const sessions = () => get('/crm/whatsapp/sessions');
export const createSession = (body) => post('/crm/whatsapp/sessions', body);
export const changeSession = (id, body) => patch(of(id), body);
export const deleteSession = (id) => del(of(id));
export const sessionQr = (id) => get(`${of(id)}/qr`);
export const sessionStatus = (id) => get(`${of(id)}/status`);
export const reconnectSession = (id) => post(`${of(id)}/reconnect`);
export const members = (id) => get(`${of(id)}/members`);
export const setMembers = (id, body) => put(`${of(id)}/members`, body);
export const switchSession = (sessionId) =>
    post('/crm/switch-session', { session_id: sessionId });
/** How far the fetching of its history is. */
export const backfill = (id) => get(`${of(id)}/backfill`);
export const startBackfill = (id) => post(`${of(id)}/backfill`);
/** Signs in at the gateway. @param {{email, password, gateway?}} body */
export const connectGateway = (body) => post('/crm/whatsapp/connect', body);
