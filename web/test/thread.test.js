import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addMessages, applyStatus, isBehind, linesOf, refreshMessages,
    statusMoves, unseenPending } from '../src/inbox/thread.js';

const message = (id, more = {}) => ({ id, chat_id: '1', message: `m${id}`,
    direction: 'outgoing', status: 'sent', cs_id: 7, media: null, error: null,
    timestamp: `2026-03-01T00:${String(id).padStart(2, '0')}:00Z`, ...more });
const ids = (list) => list.map((m) => m.id).join(' ');

test('a status only moves forward', () => {
    assert.ok(statusMoves('queued', 'sent'));
    assert.ok(statusMoves('sent', 'read'));
    assert.ok(!statusMoves('read', 'delivered'));
    assert.ok(!statusMoves('sent', 'sent'));
    assert.ok(statusMoves('queued', 'unknown'));
    assert.ok(statusMoves('unknown', 'queued'), 'it is sent again');
    assert.ok(statusMoves('sent', 'failed'));
    assert.ok(!statusMoves('delivered', 'failed'));
    assert.ok(statusMoves('failed', 'queued'), 'it is sent again');
    assert.ok(!statusMoves('failed', 'unknown'));
    assert.ok(statusMoves('queued', 'cancelled'));
    assert.ok(!statusMoves('sent', 'cancelled'));
    assert.ok(!statusMoves('cancelled', 'sent'));
    assert.ok(!statusMoves('cancelled', 'failed'));
    assert.ok(statusMoves('cancelled', 'delivered'));
});

test('in whatever order they come, each once and in order', () => {
    const list = addMessages([message(2)], [message(3), message(1), message(2)]);
    assert.equal(ids(list), '1 2 3');
});

test('one whose time has changed moves', () => {
    const list = [message(1), message(2), message(3)];
    const late = message(1, { timestamp: '2026-03-01T00:09:00Z' });
    assert.equal(ids(addMessages(list, [late])), '2 3 1');
    assert.equal(ids(refreshMessages(list, [message(2), message(3), late],
        false)), '2 3 1');
    const same = message(1, { timestamp: message(2).timestamp });
    assert.equal(ids(addMessages([message(2)], [same])), '1 2',
        'of the same time by their numbers, as the server has them');
});

test('what lies behind the last one', () => {
    const list = [message(1), message(2)];
    assert.ok(isBehind(list, message(3)));
    assert.ok(!isBehind(list, message(2)));
    assert.ok(!isBehind(list, message(0)));
    assert.ok(!isBehind([], message(1)));
    assert.ok(!isBehind(list, message(1,
        { timestamp: '2026-03-01T00:09:00Z' })), 'it is there: it moves');
});

test('a late telling takes nothing back', () => {
    const read = message(1, { status: 'read' });
    assert.equal(addMessages([read], [message(1)])[0].status, 'read');
    const seen = message(2, { direction: 'incoming', status: 'delivered',
        media: { url: '/signed', state: 'stored' } });
    const told = { ...seen, media: { url: null, state: 'stored' } };
    assert.equal(addMessages([seen], [told])[0].media.url, '/signed');
    const cut = { ...message(3), message: 'm', truncated: true };
    assert.equal(addMessages([message(3)], [cut])[0].message, 'm3');
});

test('the newest page is the truth within its span', () => {
    const list = [message(1), message(2), message(3), message(4)];
    const page = [message(3, { message: 'edited' })];
    const fresh = refreshMessages([...list, message(5)], [message(2), ...page,
        message(4)], true);
    assert.equal(ids(fresh), '1 2 3 4 5');
    assert.equal(fresh[2].message, 'edited');
    assert.equal(ids(refreshMessages(list, [message(2), message(4)], true)),
        '1 2 4', 'one that is gone');
    assert.equal(ids(refreshMessages(list, [message(4)], false)), '4');
    assert.equal(ids(refreshMessages(list, [], false)), '');
});

test('the status of one message', () => {
    const list = [message(1), message(2)];
    const after = applyStatus(list, { id: 2, status: 'delivered',
        wa_message_id: 'X', error: null });
    assert.equal(after[1].status, 'delivered');
    assert.equal(after[1].wa_message_id, 'X');
    assert.equal(after[0], list[0]);
});

test('what fails before its time stands where it failed', () => {
    const list = [message(1), message(2), message(3, { status: 'queued',
        timestamp: '2026-03-09T00:00:00Z',
        scheduled_at: '2026-03-09T00:00:00Z' })];
    const failed = { id: 3, status: 'failed', wa_message_id: null,
        error: { code: 'opted_out', title: null },
        timestamp: '2026-03-01T00:01:30Z' };
    const after = applyStatus(list, failed);
    assert.equal(ids(after), '1 3 2');
    assert.equal(after[1].timestamp, failed.timestamp);
    assert.equal(after[1].status, 'failed');
    assert.equal(applyStatus([message(1, { status: 'queued' })], { id: 1,
        status: 'failed', timestamp: '2026-02-01T00:00:00Z' })[0].timestamp,
    message(1).timestamp, 'a clock that is late moves nothing');
});

test('days, and who goes on speaking', () => {
    const lines = linesOf([
        message(1, { timestamp: new Date(2026, 2, 1, 9, 0).toISOString() }),
        message(2, { timestamp: new Date(2026, 2, 1, 9, 1).toISOString() }),
        message(3, { timestamp: new Date(2026, 2, 1, 9, 30).toISOString() }),
        message(4, { timestamp: new Date(2026, 2, 1, 9, 31).toISOString(),
            direction: 'incoming' }),
        message(5, { timestamp: new Date(2026, 2, 2, 0, 5).toISOString(),
            direction: 'incoming' }),
    ]);
    assert.deepEqual(lines.map((line) => line.kind === 'day' ? 'day'
        : `${line.message.id}${line.first ? '!' : ''}`),
    ['day', '1!', '2', '3!', '4!', 'day', '5!']);
});

test('what is on its way is not shown beside itself', () => {
    const entry = (text, after = 5, more = {}) =>
        ({ text, mediaId: null, after, user: 7, chatId: '1',
            state: 'sending', ...more });
    const list = [message(5, { message: 'ya' }), message(6, { message: 'ya' })];
    assert.deepEqual(unseenPending([entry('ya')], list), []);
    assert.equal(unseenPending([entry('ya'), entry('ya')], list).length, 1,
        'one message stands for one of them');
    assert.equal(unseenPending([entry('ya', 6)], list).length, 1);
    assert.equal(unseenPending([entry('ya', 5, { user: 8 })], list).length, 1);
    assert.equal(unseenPending([entry('ya', 5, { mediaId: 'x' })],
        list).length, 1);
    assert.equal(unseenPending([entry('ya', 5, { state: 'refused' })],
        list).length, 1, 'nothing stands for what has not left');
});
