// Plain TAP on standard output; Wacrm::Node takes it over.
import { inspect, isDeepStrictEqual } from 'node:util';

let count = 0;

function line(text) {
    process.stdout.write(`${text}\n`);
}

export function diag(text) {
    for (const l of String(text).split('\n')) {
        line(`# ${l}`);
    }
}

export function ok(condition, name, ...why) {
    count += 1;
    line(`${condition ? '' : 'not '}ok ${count} - ${name}`);
    if (!condition) {
        for (const w of why) {
            diag(typeof w === 'string' ? w : inspect(w, { depth: 6 }));
        }
    }
    return Boolean(condition);
}

export function is(got, expected, name, ...why) {
    return ok(isDeepStrictEqual(got, expected), name,
        `got:      ${inspect(got, { depth: 6 })}`,
        `expected: ${inspect(expected, { depth: 6 })}`, ...why);
}

export function like(got, pattern, name) {
    return ok(pattern.test(String(got)), name,
        `got: ${inspect(got)}`, `expected: ${pattern}`);
}

/* An exception is a failed test, and not the end of the others. */
export async function attempt(part, ...given) {
    try {
        await part(...given);
    } catch (e) {
        ok(false, `${part.name}: no exception`, e.stack,
            e.response ? e.response.data : '');
    }
}

export async function main(program) {
    await attempt(program);
    line(`1..${count}`);
    process.exit(0); /* also while connections idle */
}
