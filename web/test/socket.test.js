import assert from 'node:assert/strict';
import { test } from 'node:test';
import axios from 'axios';
import Pusher from 'pusher-js';
import { browser } from './storage.js';

test('a socket that was given up is kept by nobody', async () => {
    browser();
    globalThis.location = { protocol: 'http:', hostname: '127.0.0.1',
        port: '9' };
    axios.defaults.adapter = async (config) => ({ status: 200, data: {},
        headers: {}, config });
    const { openSocket } = await import('../src/realtime/socket.js');
    for (let i = 0; i < 3; i++) {
        // Echo, as Node.js takes it, is none: the client is there by then.
        await openSocket(() => {}).catch(() => {});
        Pusher.instances.at(-1).disconnect();
    }
    assert.equal(Pusher.instances.length, 1);
});
