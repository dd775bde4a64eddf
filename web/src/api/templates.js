import { del, get, post, put } from './client.js';

export const templates = (query) => get('/crm/templates', query);
export const addTemplate = (body) => post('/crm/templates', body);
export const changeTemplate = (id, body) => put(`/crm/templates/${id}`, body);
export const deleteTemplate = (id) => del(`/crm/templates/${id}`);
