import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectScope } from 'vue';
import { useAction, useLoad } from '../src/useLoad.js';
import { usePages } from '../src/usePages.js';

const within = (make) => effectScope().run(make);

/** Questions that are answered by hand, in any order. */
function byHand() {
    const asked = [];
    const ask = (...args) => new Promise((answer, refuse) => {
        asked.push({ args, answer, refuse });
    });
    return { asked, ask };
}

test('an answer that was overtaken is dropped', async () => {
    const { asked, ask } = byHand();
    const { data, loading, load } = within(() => useLoad(ask));
    const first = load('a');
    const second = load('b');
    asked[1].answer('B');
    await second;
    asked[0].answer('A');
    await first;
    assert.equal(data.value, 'B');
    assert.equal(loading.value, false);
});

test('old data stay beside an error, and the error goes', async () => {
    let fails = false;
    const { data, error, load } = within(() => useLoad(async () => {
        if (fails) {
            throw new Error('away');
        }
        return 1;
    }));
    await load();
    fails = true;
    await load();
    assert.equal(data.value, 1);
    assert.equal(error.value.message, 'away');
    fails = false;
    await load();
    assert.equal(error.value, null);
});

test('who has left hears of nothing', async () => {
    const { asked, ask } = byHand();
    const scope = effectScope();
    const { data, load } = scope.run(() => useLoad(ask));
    const waiting = load();
    scope.stop();
    asked[0].answer('late');
    await waiting;
    assert.equal(data.value, null);
});

test('one action at a time; what went wrong is kept', async () => {
    const { asked, ask } = byHand();
    const { busy, error, run } = useAction(ask);
    const first = run('x');
    assert.equal(busy.value, true);
    assert.equal(await run('y'), false);
    assert.equal(asked.length, 1);
    asked[0].refuse(new Error('no'));
    assert.equal(await first, false);
    assert.equal(error.value.message, 'no');
    const again = run('z');
    asked[1].answer();
    assert.equal(await again, true);
    assert.equal(error.value, null);
    assert.equal(busy.value, false);
});

test('pages follow each other by their cursor', async () => {
    const seen = [];
    const { rows, hasMore, load, more } = within(() => usePages(
        async (query) => {
            seen.push(query);
            return query.before === null
                ? { data: [1, 2], meta: { hasMore: true, next: 'c' } }
                : { data: [3], meta: { hasMore: false, next: null } };
        }));
    await load({ state: 'open' });
    assert.deepEqual(rows.value, [1, 2]);
    assert.equal(hasMore.value, true);
    await more();
    assert.deepEqual(rows.value, [1, 2, 3]);
    assert.equal(hasMore.value, false);
    await load();
    assert.deepEqual(rows.value, [1, 2], 'from the beginning');
    assert.deepEqual(seen.map((query) => [query.state, query.before]),
        [['open', null], ['open', 'c'], ['open', null]]);
});

test('another filter wins over a page that is on its way', async () => {
    const { asked, ask } = byHand();
    const { rows, load } = within(() => usePages(ask));
    const old = load({ user: 1 });
    const fresh = load({ user: 2 });
    asked[1].answer({ data: ['two'], meta: {} });
    await fresh;
    asked[0].answer({ data: ['one'], meta: {} });
    await old;
    assert.deepEqual(rows.value, ['two']);
});
