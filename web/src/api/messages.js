import { del, get, keyed, patch, post } from './client.js';

/** since: when the key was made, ms since 1970; it is not asked by for ever */
const from = (key, sessionId, since) => ({
    ...keyed(key),
    params: sessionId ? { session_id: sessionId } : {},
    since,
});

/** @param {{phone, message, type, media_id, reply_to, seen_seq,
 *           scheduled_at}} body */
export const send = (body, key, sessionId, since) =>
    post('/crm/messages/send', body, from(key, sessionId, since));
/** @param {{phone, template_id, variables, seen_seq}} body */
export const sendTemplate = (body, key, sessionId, since) =>
    post('/crm/messages/template', body, from(key, sessionId, since));
export const retry = (messageId, key) =>
    post(`/crm/messages/${messageId}/retry`, {}, keyed(key));
/** What is to leave later. @param {{limit, before}} query */
export const scheduled = (query) => get('/crm/messages',
    { state: 'scheduled', session_id: '*', ...query });
/** Another time for a message that is to leave later. */
export const reschedule = (messageId, scheduledAt) =>
    patch(`/crm/messages/${messageId}`, { scheduled_at: scheduledAt });
/** Withdraws a message that has not left. */
export const cancel = (messageId) => del(`/crm/messages/${messageId}`);
/** Fetches a file again that the gateway did not give. */
export const retryMedia = (messageId) =>
    post(`/crm/messages/${messageId}/media/retry`);

/* What lies in the buffers of a slow line takes its time. */
const SILENT_MS = 180000;

/**
 * Uploads a file to be sent by its media_id.
 * @param {(share: number) => void} told 0..1
 * @param {AbortController} stop ends it; so does a line that is silent
 */
export function upload(file, told, stop) {
    const form = new FormData();
    form.append('file', file, file.name);
    let timer;
    const moves = () => {
        clearTimeout(timer);
        timer = setTimeout(() => stop.abort(), SILENT_MS);
    };
    moves();
    return post('/crm/media', form, {
        timeout: 0,
        signal: stop.signal,
        onUploadProgress(event) {
            moves();
            told(event.progress ?? 0);
        },
    }).finally(() => clearTimeout(timer));
}
