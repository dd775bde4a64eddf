import assert from 'node:assert/strict';
import { test } from 'node:test';
import { templateNames, templatePieces } from '../src/templateText.js';

test('places are found as the server finds them', () => {
    assert.deepEqual(templateNames('Halo {{ nama }}, {{2}} {{1}} {{nama}}'),
        ['1', '2', 'nama']);
    assert.deepEqual(templateNames('{{}} {{ a b }} { {x} } {{a-b}}'), []);
    assert.deepEqual(templateNames('{{{x}}}'), ['x']);
});

test('a preview fills in what is known', () => {
    const pieces = templatePieces('Halo {{ nama }}! Rp{{1}}', { nama: 'Ani' });
    assert.deepEqual(pieces, [
        { text: 'Halo ' },
        { name: 'nama', filled: true, text: 'Ani' },
        { text: '! Rp' },
        { name: '1', filled: false, text: '{{1}}' },
    ]);
});

test('a value is never read as a template', () => {
    const text = templatePieces('{{a}}', { a: '{{b}}' })
        .map((piece) => piece.text).join('');
    assert.equal(text, '{{b}}');
});
