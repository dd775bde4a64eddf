import axios from 'axios';
import { freshToken, setSocketId } from './client.js';

export { setSocketId };

/** The application's key and, where it is elsewhere, the way to it. */
export async function appConfig() {
    try {
        const answer = await axios.get('/app-config.json', { timeout: 5000 });
        return answer.data?.realtime ?? {};
    } catch {
        return {};
    }
}

/** Signs a subscription. */
export async function authorise(socketId, channelName) {
    const answer = await axios.post('/broadcasting/auth',
        new URLSearchParams({ socket_id: socketId, channel_name: channelName }),
        { headers: { Authorization: `Bearer ${await freshToken()}` },
            timeout: 15000 });
    return answer.data;
}
