import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { perFrame } from '../src/realtime/frame.js';

let frames;
let visibilityState;

beforeEach(() => {
    frames = new Map();
    visibilityState = 'visible';
    mock.timers.enable(); // all of them: Node 18 and 20 name them differently
    Object.assign(globalThis, {
        document: { get visibilityState() {
            return visibilityState;
        } },
        requestAnimationFrame(run) {
            const id = frames.size + 1;
            frames.set(id, run);
            return id;
        },
        cancelAnimationFrame: (id) => frames.delete(id),
    });
});
afterEach(() => {
    mock.timers.reset();
    delete globalThis.document;
    delete globalThis.requestAnimationFrame;
    delete globalThis.cancelAnimationFrame;
});

function draw() {
    const due = [...frames.values()];
    frames.clear();
    due.forEach((run) => run());
}

test('all that comes within a frame is one piece of work, in its order', () => {
    const done = [];
    const { push } = perFrame((things) => done.push(things));
    for (let i = 0; i < 200; i++) {
        push([i]);
    }
    assert.deepEqual(done, [], 'not before the frame');
    draw();
    assert.deepEqual(done, [Array.from({ length: 200 }, (_, i) => i)]);
    mock.timers.tick(10000);
    draw();
    assert.equal(done.length, 1, 'and once');
    push(['next']);
    draw();
    assert.deepEqual(done[1], ['next']);
});

test('without frames a timer does it', () => {
    const done = [];
    const { push } = perFrame((things) => done.push(things));
    visibilityState = 'hidden';
    push([1]);
    push([2]);
    assert.equal(frames.size, 0);
    mock.timers.tick(50);
    assert.deepEqual(done, [[1, 2]]);
    // hidden after the frame was asked for: it never comes
    visibilityState = 'visible';
    push([3]);
    visibilityState = 'hidden';
    mock.timers.tick(250);
    assert.deepEqual(done[1], [3]);
    draw();
    assert.equal(done.length, 2);
});

test('nothing is no work, and what waits can be had at once', () => {
    const done = [];
    const { push, flush } = perFrame((things) => done.push(things));
    push([]);
    assert.equal(frames.size, 0);
    flush();
    assert.deepEqual(done, []);
    push([1]);
    flush();
    assert.deepEqual(done, [[1]]);
    draw();
    mock.timers.tick(1000);
    assert.equal(done.length, 1);
});
