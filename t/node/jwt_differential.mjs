// Mutated tokens before jose and before the edge's own judgement
// (t/tools/jwt_judge.c). Each one that only jose takes must break a rule that
// ours has on purpose; one that only ours takes is a hole.
import { spawn } from 'node:child_process';
import { createHash, createHmac, createPrivateKey, createPublicKey, sign }
    from 'node:crypto';
import { readFileSync } from 'node:fs';
import { jwtVerify } from 'jose';
import { diag, is, main, ok } from './tap.mjs';

const test = JSON.parse(process.env.WACRM_TEST);
const NOW = 1_800_000_000;
const BATCH = 2000;

// mulberry32
let state = Number(test.seed) >>> 0;
function random() {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

// ---- keys ----

const secret = readFileSync(`${test.keys}/secret`);
const pem = (name) => readFileSync(`${test.keys}/${name}`);
const rsa = createPrivateKey(pem('rsa'));
const ec = createPrivateKey(pem('ec'));

const hmac = (hash, key) => (text) => createHmac(hash, key).update(text)
    .digest();
const ecdsa = (text) => sign('sha256', Buffer.from(text),
    { key: ec, dsaEncoding: 'ieee-p1363' });
const kinds = [
    { alg: 'HS256', file: 'secret', key: secret, share: 0.8,
        sign: hmac('sha256', secret) },
    { alg: 'RS256', file: 'rsa.pub', key: createPublicKey(pem('rsa.pub')),
        share: 0.1, sign: (text) => sign('sha256', Buffer.from(text), rsa),
        slow: true },
    { alg: 'ES256', file: 'ec.pub', key: createPublicKey(pem('ec.pub')),
        share: 0.1, sign: ecdsa },
];
// what somebody signs with who does not have the key
const strangers = [hmac('sha256', ''), hmac('sha256', 'x'.repeat(32)),
    hmac('sha512', secret), hmac('sha256', pem('rsa.pub')),
    hmac('sha256', pem('ec.pub')), () => Buffer.alloc(64),
    () => Buffer.alloc(0), () => Buffer.alloc(32)];

// ---- tokens ----

const b64 = (data) => Buffer.from(data).toString('base64url');

function join(kind, header, claims, signer = kind.sign) {
    const input = `${b64(header)}.${b64(claims)}`;
    return Buffer.from(`${input}.${b64(signer(input))}`);
}

const goodHeader = (kind) => ({ alg: kind.alg, typ: 'JWT' });
const goodClaims = () => ({ iss: 'wacrm', aud: 'inbox',
    sub: String(below(1e6)), jti: `j${below(1e6)}`, iat: NOW - 5,
    exp: NOW + 600 });

const oddities = [null, true, false, 0, -1, 1, 1.5, NOW + 600.5, 1e20,
    2 ** 53, 2 ** 53 + 2, NOW, NOW - 1, NOW + 1, NOW + 599, -NOW, '', ' ',
    'x', '7', 'wacrm', 'inbox', 'HS256', 'RS256', 'ES256', 'none', 'None',
    'HS512', 'at+jwt', 'JWE', 'access', 'refresh', String(NOW + 600),
    'a\nb', 'a\u0000b', 'a\u007fb', '\u00e9', '\ud83d\ude00', [], ['inbox'],
    ['x', 'inbox'], ['inbox', 7], [null], {}, { inbox: 1 }];
const claimNames = ['iss', 'aud', 'sub', 'jti', 'iat', 'exp', 'nbf',
    'token_use', 'role', '__proto__', 'EXP', 'x'];
const headerNames = ['alg', 'typ', 'kid', 'crit', 'b64', 'jku', 'x5u', 'jwk',
    'x5c', 'enc', 'zip', 'cty', 'ALG', 'x'];

function changeMember(object, names) {
    const name = pick(names);
    if (random() < 0.2) {
        delete object[name];
    } else {
        Object.defineProperty(object, name, { value: pick(oddities),
            enumerable: true, configurable: true, writable: true });
    }
}

// One more of a name that is there, or is not: '{' and '}' are the ends.
function addMember(text, names) {
    const more = `"${pick(names)}":${JSON.stringify(pick(oddities))}`;
    if (text === '{}') {
        return `{${more}}`;
    }
    return random() < 0.5 ? `{${more},${text.slice(1)}`
        : `${text.slice(0, -1)},${more}}`;
}

const wrecks = ['\0', '\\u0000', '\\ud800', '\xff', '\xef\xbb\xbf', ' ', '\n',
    '\t', '\v', '{', '}', '[', ']', ',', ':', '"', '0', '-', '.', 'e', '1e400',
    '99999999999999999999', '-0', '01', 'NaN', 'null', '\\', '/', '//', "'",
    '[[[[[[[[[[[[', '\\u0065', '"exp":9999999999,'];

function wreck(bytes, pieces) {
    const at = below(bytes.length + 1);
    const what = Buffer.from(pick(pieces), 'latin1');
    switch (below(5)) {
    case 0: // in between
        return Buffer.concat([bytes.subarray(0, at), what,
            bytes.subarray(at)]);
    case 1: // in place of
        return Buffer.concat([bytes.subarray(0, at), what,
            bytes.subarray(at + 1 + below(4))]);
    case 2: { // one bit
        const copy = Buffer.from(bytes);
        if (at < copy.length) {
            copy[at] ^= 1 << below(8);
        }
        return copy;
    }
    case 3: // cut out
        return Buffer.concat([bytes.subarray(0, at),
            bytes.subarray(at + 1 + below(8))]);
    default: // twice
        return Buffer.concat([bytes.subarray(0, at),
            bytes.subarray(Math.max(0, at - 1 - below(8)))]);
    }
}

const separators = ['.', '..', '=', '==', '+', '/', '-', '_', ' ', '\t', '\n',
    '\r\n', '\0', '%', ',', 'A', 'Bearer ', '\x80', '\xff', 'AAAA'];

function mutate(kind) {
    const header = goodHeader(kind);
    const claims = goodClaims();
    const plain = () => [JSON.stringify(header), JSON.stringify(claims)];
    switch (below(11)) {
    case 0: // good
        return join(kind, ...plain());
    case 1:
        changeMember(header, headerNames);
        return join(kind, ...plain());
    case 2:
        changeMember(claims, claimNames);
        return join(kind, ...plain());
    case 3:
        changeMember(claims, claimNames);
        changeMember(claims, claimNames);
        changeMember(header, headerNames);
        return join(kind, ...plain());
    case 4:
        return join(kind, addMember(plain()[0], headerNames), plain()[1]);
    case 5:
        return join(kind, plain()[0], addMember(plain()[1], claimNames));
    case 6: { // signed well, but not quite JSON
        const [h, c] = plain().map((text) => Buffer.from(text));
        return random() < 0.5 ? join(kind, wreck(h, wrecks), c)
            : join(kind, h, wreck(c, wrecks));
    }
    case 7: // by a stranger, perhaps with another algorithm
        if (random() < 0.5) {
            header.alg = pick(['none', 'HS256', 'HS384', 'HS512', 'RS256',
                'ES256', 'PS256', '']);
        }
        return join(kind, ...plain(), pick(strangers));
    case 8: { // the parts of another one
        const one = join(kind, ...plain()).toString().split('.');
        claims.sub = '1';
        const two = join(kind, ...plain()).toString().split('.');
        one[below(3)] = two[below(3)];
        return Buffer.from(one.join('.'));
    }
    case 9: { // the last character of a part: bits that no byte has
        const parts = join(kind, ...plain()).toString().split('.');
        const i = below(3);
        parts[i] = parts[i].slice(0, -1) + pick([...'ABCDEFGHQRSTUVWXYZabghw'
            + 'xyz0189-_']);
        return Buffer.from(parts.join('.'));
    }
    default: {
        let token = join(kind, ...plain());
        for (let n = 1 + below(2); n > 0; n -= 1) {
            token = wreck(token, separators);
        }
        return token;
    }
    }
}

/* Signing by RSA takes long: those that are signed well are fewer. */
function makeTokens(kind, count) {
    const tokens = [];
    const good = [];
    while (tokens.length < count) {
        if (kind.slow && good.length >= 1000) {
            const old = pick(good);
            tokens.push(random() < 0.2 ? old : wreck(old, separators));
        } else {
            const token = mutate(kind);
            good.push(token);
            tokens.push(token);
        }
        if (random() < 0.02) {
            tokens.push(pick(tokens)); // comes back later
        }
    }
    return tokens.slice(0, count);
}

// ---- the two judges ----

async function ours(kind, tokens) {
    const judge = spawn(test.judge, [kind.alg, `${test.keys}/${kind.file}`,
        'wacrm', 'inbox', String(NOW)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const head = Buffer.alloc(4);
    const input = [];
    for (const token of tokens) {
        head.writeUInt32BE(token.length);
        input.push(Buffer.from(head), token);
    }
    judge.stdin.end(Buffer.concat(input));
    let text = '';
    judge.stdout.setEncoding('utf8'); // a character may come in two pieces
    for await (const piece of judge.stdout) {
        text += piece;
    }
    return text.split('\n').slice(0, -1);
}

const rules = { issuer: 'wacrm', audience: 'inbox',
    requiredClaims: ['exp'], clockTolerance: 0,
    currentDate: new Date(NOW * 1000) };

async function theirs(kind, token) {
    try {
        const { payload } = await jwtVerify(token.toString('latin1'),
            kind.key, { ...rules, algorithms: [kind.alg] });
        return { payload };
    } catch (e) {
        return { error: e.code || e.message };
    }
}

// ---- why ours refuses what jose takes ----

/* All names of an object's members in JSON text, those of inner ones, too. */
function duplicates(text) {
    const stack = [];
    let found = false;
    for (const m of text.matchAll(/"((?:[^"\\]|\\.)*)"\s*(:)?|[{}[\]]/g)) {
        if (m[0] === '{' || m[0] === '[') {
            stack.push(new Set());
        } else if (m[0] === '}' || m[0] === ']') {
            stack.pop();
        } else if (m[2]) {
            const name = JSON.parse(`"${m[1]}"`);
            found = found || stack.at(-1).has(name);
            stack.at(-1).add(name);
        }
    }
    return found;
}

function depth(value) {
    return value !== null && typeof value === 'object'
        ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0;
}

function strings(value) {
    if (typeof value === 'string') {
        return [value];
    }
    return value !== null && typeof value === 'object'
        ? [...Object.keys(value), ...Object.values(value).flatMap(strings)]
        : [];
}

/* What jansson does not take for JSON though JSON.parse does. */
function narrow(bytes) {
    const text = bytes.toString();
    const value = JSON.parse(text.replace(/^\ufeff/, ''));
    return !Buffer.from(text).equals(bytes) /* not UTF-8 */
        || text.startsWith('\ufeff')
        || strings(value).some((s) => /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(s))
        || /(?<![\w".])-?\d{19,}/.test(text)
        || /\d[eE]\+?\d{3,}/.test(text);
}

const time = (n) => Number.isInteger(n) && n >= 0 && n <= 2 ** 53;
const clean = (s) => s === undefined || (typeof s === 'string' && s !== ''
    /* eslint-disable-next-line no-control-regex */
    && !/[\u0000-\u001f\u007f]/.test(s));

/* A number that JSON.parse takes for an integer and that is written as none,
 * 1e3 or 5.0, is none to us. */
function written(text, name) {
    const m = text.match(new RegExp(`"${name}"\\s*:\\s*(-?[\\d.eE+-]+)`));
    return m !== null && /[.eE]/.test(m[1]);
}

/* The rule that was broken, if it is one of those that this reason is for. */
function broken(token, reason) {
    const text = token.toString('latin1');
    const parts = text.split('.');
    const [head, body] = parts.slice(0, 2).map((p) => Buffer.from(p,
        'base64url'));
    if (parts.some((p) => b64(Buffer.from(p, 'base64url')) !== p)) {
        return reason === 'malformed' ? 'base64url that is not canonical'
            : null;
    }
    const narrowed = [head, body].map(narrow);
    const header = JSON.parse(head.toString().replace(/^\ufeff/, ''));
    const claims = JSON.parse(body.toString().replace(/^\ufeff/, ''));
    const texts = [head, body].map((b) => b.toString());
    switch (reason) {
    case 'malformed':
        return narrowed.includes(true) ? 'JSON that jansson refuses'
            : texts.some(duplicates) ? 'a member twice'
                : Math.max(depth(header), depth(claims)) > 9 ? 'deep JSON'
                    : text.length > 16384 ? 'long' : null;
    case 'alg':
        return 'crit' in header || 'b64' in header ? 'crit or b64' : null;
    case 'key':
        return 'kid' in header && typeof header.kid !== 'string'
            ? 'kid is no string' : null;
    case 'claim':
        if (header.typ !== undefined && (typeof header.typ !== 'string'
            || !/^jwt$/i.test(header.typ))) {
            return 'typ other than JWT';
        }
        if (!clean(claims.sub) || !clean(claims.jti)) {
            return 'sub or jti is no clean text';
        }
        return 'token_use' in claims && claims.token_use !== 'access'
            ? 'token_use' : null;
    case 'expired':
        return !time(claims.exp) || written(texts[1], 'exp')
            ? 'exp is no integer of 0..2^53' : null;
    case 'early':
        return ['iat', 'nbf'].some((n) => n in claims && (!time(claims[n])
            || claims[n] > NOW || written(texts[1], n)))
            ? 'iat or nbf to come, or no integer' : null;
    case 'audience':
        return Array.isArray(claims.aud)
            && claims.aud.some((a) => typeof a !== 'string')
            ? 'aud with what is no text' : null;
    default:
        return null;
    }
}

function explain(token, reason) {
    try {
        return broken(token, reason);
    } catch (e) {
        return null;
    }
}

// ---- the comparison ----

const seen = { both: 0, none: 0, tokens: 0 };
const spoiled = new Set(); // their hashes: each counts once
const why = new Map();
const holes = [];
const others = [];
const riddles = [];

async function compare(kind, tokens) {
    const mine = await ours(kind, tokens);
    if (!is(mine.length, tokens.length, `${kind.alg}: each token is judged`)) {
        return;
    }
    for (let from = 0; from < tokens.length; from += BATCH) {
        const some = tokens.slice(from, from + BATCH);
        const answers = await Promise.all(some.map((t) => theirs(kind, t)));
        answers.forEach((answer, i) => {
            judge(kind, some[i], mine[from + i], answer);
        });
    }
}

const unspoiled = (kind, text) => {
    const [header, claims] = text.split('.').map((p) => String(
        Buffer.from(p, 'base64url')));
    return header === JSON.stringify(goodHeader(kind)) && claims.replace(
        /"sub":"\d+","jti":"j\d+"/, '"sub":"","jti":""') === JSON.stringify({
        ...goodClaims(), sub: '', jti: '' });
};

function count(kind, token, taken) {
    const text = token.toString('latin1');
    seen.tokens += 1;
    if (!taken || !unspoiled(kind, text)) {
        spoiled.add(createHash('sha1').update(text, 'latin1')
            .digest('base64'));
    }
}

/* What a token that both take says: sub, jti and exp as ours has them. */
const said = ({ sub, jti, exp }) => `ok ${JSON.stringify([sub ?? null,
    jti ?? null, exp])}`;

function judge(kind, token, told, answer) {
    const reason = told.split(' ')[0];
    const shown = `${kind.alg} ${reason} ${answer.error || 'jose: ok'} `
        + JSON.stringify(token.toString('latin1'));
    count(kind, token, reason === 'ok' && answer.payload);
    if (reason === 'ok' && answer.payload) {
        seen.both += 1;
        if (told !== said(answer.payload)) {
            others.push(`${told} ${said(answer.payload)} ${shown}`);
        }
    } else if (reason === 'ok' || reason === 'cache' || reason === 'fault') {
        holes.push(shown);
    } else if (answer.payload) {
        const rule = explain(token, reason);
        if (rule === null) {
            riddles.push(shown);
        } else {
            why.set(rule, (why.get(rule) || 0) + 1);
        }
    } else {
        seen.none += 1;
    }
}

async function run() {
    for (const kind of kinds) {
        await compare(kind, makeTokens(kind,
            Math.ceil(test.tokens * kind.share)));
    }
    is(holes.slice(0, 5), [], 'ours takes none that jose refuses');
    is(riddles.slice(0, 5), [], 'and refuses by a rule what jose takes');
    is(others.slice(0, 5), [], 'what both take says the same to both');
    ok(spoiled.size >= test.spoiled,
        `${spoiled.size} spoiled ones of ${seen.tokens} tokens`);
    ok(seen.both > seen.tokens / 20, `${seen.both} that both take`);
    ok(seen.none > seen.tokens / 4, `${seen.none} that both refuse`);
    ok(why.size >= 5, `${why.size} rules that jose does not have`);
    for (const [rule, n] of [...why].sort((a, b) => b[1] - a[1])) {
        diag(`${n} ${rule}`);
    }
}

await main(run);
