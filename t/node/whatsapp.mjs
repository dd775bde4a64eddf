// The calls of the seed's axios module (S76 to S78), with its defaults: one
// base URL, the bearer token of localStorage read once, JSON as content type.
import axios from 'axios';

const token = globalThis.localStorage.getItem('token');
const api = axios.create({
    baseURL: `${globalThis.location.origin}/api/crm`,
    headers: { Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json' },
});

export const whatsappAPI = {
    getConversations: (filters) => api.get('/inbox', { params: filters }),
    getMessages: (chatId) => api.get(`/inbox/${chatId}`),
    markAsRead: (chatId) => api.post(`/inbox/${chatId}/read`),

    sendMessage: (data) => api.post('/messages/send', data),
    sendTemplate: (data) => api.post('/messages/template', data),

    getSessions: () => api.get('/whatsapp/sessions'),
    getQR: (sessionId) => api.get(`/whatsapp/sessions/${sessionId}/qr`),
    getStatus: (sessionId) =>
        api.get(`/whatsapp/sessions/${sessionId}/status`),

    getProfile: (phone) => api.get(`/contacts/${phone}`),
    addNote: (phone, note) => api.post(`/contacts/${phone}/notes`, { note }),
};

/* What the module does not have, with the same settings. */
export { api };
