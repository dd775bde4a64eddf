import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { appConfig, authorise } from '../api/realtime.js';

/* Loaded late: the inbox is there before. */

/**
 * Opens the WebSocket, which reconnects by itself.
 *
 * @param {(state: string) => void} onState
 * @returns {Promise<Echo>}
 */
export async function openSocket(onState) {
    const config = await appConfig();
    const secure = location.protocol === 'https:';
    const port = config.port
        ?? (location.port ? Number(location.port) : secure ? 443 : 80);
    const client = new Pusher(config.key ?? 'wacrm', {
        cluster: '',
        wsHost: config.host ?? location.hostname,
        wsPort: port,
        wssPort: port,
        forceTLS: config.tls ?? secure,
        enabledTransports: ['ws', 'wss'],
        enableStats: false,
        activityTimeout: 30000,
        pongTimeout: 10000,
        unavailableTimeout: 5000,
        channelAuthorization: {
            customHandler: ({ socketId, channelName }, answer) =>
                authorise(socketId, channelName).then(
                    (signed) => answer(null, signed),
                    (error) => answer(error, null)),
        },
    });
    client.connection.bind('state_change', ({ current }) => onState(current));
    return new Echo({ broadcaster: 'pusher', client, key: config.key });
}
