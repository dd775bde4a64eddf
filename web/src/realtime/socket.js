import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { appConfig, authorise } from '../api/realtime.js';

/* Loaded late: the inbox is there before. */

const FIRST_WAIT_MS = 1500;
const LONGEST_WAIT_MS = 15000;

/**
 * pusher-js waits 15 s after an attempt that failed, and longer after the
 * next; the desk begins anew after about 2 s, 4 s, ... not all at once.
 *
 * @param {Pusher} client
 * @param {(state: string) => void} onState
 * @returns {() => void} to begin anew now, unless it is connected, or about to
 */
function keepTrying(client, onState) {
    let timer = null;
    let began = 0;
    let tries = 0;
    let anew = false;

    function again() {
        clearTimeout(timer);
        timer = null;
        tries++;
        anew = true;
        client.disconnect();
        anew = false;
        client.connect();
    }
    function watch(current) {
        if (current === 'connecting' || current === 'unavailable') {
            began = current === 'connecting' ? Date.now() : began;
            timer ??= setTimeout(again, Math.min(LONGEST_WAIT_MS,
                FIRST_WAIT_MS * 2 ** tries) * (1 + Math.random() / 2));
        } else if (!anew) {
            clearTimeout(timer);
            timer = null;
            tries = 0;
        }
    }
    // It has begun before anybody could ask to be told.
    watch(client.connection.state);
    client.connection.bind('state_change', ({ current }) => {
        watch(current);
        if (!anew) {
            onState(current);
        }
    });
    return () => {
        if (timer !== null && Date.now() - began > FIRST_WAIT_MS) {
            tries = 0;
            again();
        }
    };
}

/**
 * Opens the WebSocket, which reconnects by itself.
 *
 * @param {(state: string) => void} onState
 * @returns {Promise<{echo: Echo, hurry: () => void}>} hurry: the server can be
 *          reached again
 */
export async function openSocket(onState) {
    const config = await appConfig();
    const secure = location.protocol === 'https:';
    const port = config.port
        ?? (location.port ? Number(location.port) : secure ? 443 : 80);
    Pusher.instances.length = 0; // else none is ever let go
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
    const hurry = keepTrying(client, onState);
    return { hurry,
        echo: new Echo({ broadcaster: 'pusher', client, key: config.key }) };
}
