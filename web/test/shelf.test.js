import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browser, elsewhere } from './storage.js';
import { clearShelves, shelf } from '../src/stores/shelf.js';

test('each thing is an item of its own, of one person', () => {
    const kept = browser();
    const mine = shelf('drafts', 7);
    assert.equal(mine.put('a', { text: 'satu' }), true);
    mine.put('b', { text: 'dua' });
    shelf('drafts', 71).put('a', { text: 'orang lain' });
    mine.drop('b');
    assert.deepEqual(mine.all(), [['a', { text: 'satu' }]]);
    assert.deepEqual(Object.keys(kept),
        ['wacrm.drafts.7.a', 'wacrm.drafts.71.a']);
});

test('what an older desk left in one list is taken over once', () => {
    const kept = browser();
    kept.setItem('wacrm.sending.7', '[{"key":"k1","n":1},{"key":"k2","n":2}]');
    kept.setItem('wacrm.sending.7.k2', '{"key":"k2","n":3}');
    assert.deepEqual(shelf('sending', 7).all().sort(), [
        ['k1', { key: 'k1', n: 1 }], ['k2', { key: 'k2', n: 3 }]]);
    assert.equal(kept.getItem('wacrm.sending.7'), null);

    kept.setItem('wacrm.drafts.7', '{"c":{"text":"lama"}}');
    kept.full = true;
    assert.deepEqual(shelf('drafts', 7).all(), []);
    assert.notEqual(kept.getItem('wacrm.drafts.7'), null,
        'and stays where it is while there is no room');
    kept.full = false;
    assert.deepEqual(shelf('drafts', 7).all(), [['c', { text: 'lama' }]]);
});

test('what nobody can read is not there', () => {
    const kept = browser();
    kept.setItem('wacrm.drafts.7', '{');
    kept.setItem('wacrm.drafts.7.a', 'x');
    kept.setItem('wacrm.drafts.7.b', 'null');
    assert.deepEqual(shelf('drafts', 7).all(), []);
});

test('other tabs are heard', () => {
    browser();
    const heard = [];
    shelf('drafts', 7).listen((...told) => heard.push(told));
    elsewhere('wacrm.drafts.7.a', { text: 'satu' });
    elsewhere('wacrm.drafts.7.a', null);
    elsewhere('wacrm.drafts.71.a', { text: 'orang lain' });
    elsewhere('wacrm.settings', {});
    assert.deepEqual(heard, [['a', { text: 'satu' }], ['a', null]]);
});

test('signed out, all of it goes, and nothing comes after', () => {
    const kept = browser();
    for (const key of ['wacrm.sending.7', 'wacrm.sending.7.k', 'wacrm.drafts.7',
        'wacrm.drafts.7.a', 'wacrm.drafts.71.a', 'wacrm.settings']) {
        kept.setItem(key, '{}');
    }
    clearShelves(7);
    shelf('drafts', 7).put('late', { text: 'masih' });
    assert.deepEqual(Object.keys(kept),
        ['wacrm.drafts.71.a', 'wacrm.settings']);
});
