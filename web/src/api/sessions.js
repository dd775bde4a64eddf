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
