import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEmoji } from '../src/inbox/emoji.js';
import { findHits, hitPieces, textPieces } from '../src/inbox/linkify.js';

test('only http and https become links', () => {
    assert.deepEqual(textPieces('lihat https://a.example/x?y=1&z=2, ya'), [
        { text: 'lihat ' },
        { text: 'https://a.example/x?y=1&z=2',
            href: 'https://a.example/x?y=1&z=2' },
        { text: ', ya' },
    ]);
    for (const text of ['javascript:alert(1)', 'JAVASCRIPT:alert(1)',
        'data:text/html,<b>', 'vbscript:x', 'file:///etc/passwd',
        ' java\tscript:alert(1)', 'https://', 'http://[']) {
        assert.ok(textPieces(text).every((piece) => !piece.href), text);
    }
});

test('markup of a stranger is text', () => {
    const text = '<img src=x onerror=alert(1)> <script>1</script>';
    assert.equal(textPieces(text).map((p) => p.text).join(''), text);
    const [before, link] = textPieces('a https://b.example/"onmouseover=x');
    assert.equal(before.text, 'a ');
    assert.equal(link.href, 'https://b.example/');
});

test('nothing of a text is lost', () => {
    for (const text of ['', 'a\nb', 'x https://a.example) y',
        'https://a.example https://b.example', '👋 https://a.example/👋']) {
        assert.equal(textPieces(text).map((p) => p.text).join(''), text);
    }
});

test('WhatsApp\'s marks', () => {
    assert.deepEqual(textPieces('*tebal* _miring_ ~coret~ ```kode```')
        .filter((p) => p.mark).map((p) => [p.mark, p.text]),
    [['bold', 'tebal'], ['italic', 'miring'], ['struck', 'coret'],
        ['code', 'kode']]);
    assert.deepEqual(textPieces('3*4*5 a_b_c * x *'),
        [{ text: '3*4*5 a_b_c * x *' }]);
});

test('hits of a search are cut at their marks', () => {
    assert.deepEqual(hitPieces({ text: 'donasi zakat', marks: [[7, 5]] }),
        [{ text: 'donasi ', hit: false }, { text: 'zakat', hit: true }]);
    assert.deepEqual(hitPieces({ text: '👋 zakat', marks: [[3, 5]] }),
        [{ text: '👋 ', hit: false }, { text: 'zakat', hit: true }]);
    assert.deepEqual(findHits('Ani Anita', 'ani').marks, [[0, 3], [4, 3]]);
    assert.deepEqual(findHits('Ani', ' ').marks, []);
});

test('emoji by words of both languages', () => {
    assert.ok(findEmoji('doa').some((entry) => entry.emoji === '🤲'));
    assert.ok(findEmoji('Thank').some((entry) => entry.emoji === '🙏'));
    assert.equal(findEmoji('xyz').length, 0);
});
