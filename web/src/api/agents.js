import { get, patch, post } from './client.js';

export const agents = () => get('/crm/agents');
export const addAgent = (body) => post('/crm/agents', body);
export const changeAgent = (id, body) => patch(`/crm/agents/${id}`, body);
/** Ends every sign-in of theirs. */
export const logoutAgent = (id) => post(`/crm/agents/${id}/logout`);
