/*
 * Why a gateway did not take a message: gateways tell it in English, each in
 * its own words, or by a number. The known ones have a sentence of ours
 * (inbox.refusal.*); the original stands beside it.
 */
const KNOWN = [
    ['timeout', /^timeout$|timed?[ -]?out/i],
    ['connection', /^connection$|ECONN|could ?n.t connect|unreachable/i],
    ['window', /\b131047\b|re-?engagement|24[ -]?hours?/i],
    ['blocked', /\bblocked\b/i],
    ['number', /\b131026\b|not (?:registered )?on whatsapp|no(?:t a)? whatsapp|(?:not a valid|invalid|wrong|unknown) (?:whatsapp |phone )?(?:number|phone|jid|recipient)|undeliverable/i],
    ['session', /(?:session|device|client|number|phone).{0,24}(?:not connected|disconnected|not ready|not found|closed|logged out)|not logged in|qr code/i],
    ['rate', /^429$|too many|rate.?limit/i],
    ['size', /^413$|too (?:large|big)|exceeds?.{0,20}size/i],
    ['file', /^415$|unsupported (?:media|file)|mime ?type|media (?:upload|download)/i],
    ['key', /^40[13]$|unauthori[sz]ed|forbidden|api.?key/i],
    ['gateway', /^5\d\d$|internal (?:server )?error|bad gateway/i],
];

/** Codes of wacrm's own: the gateway was never asked. */
export const OURS = ['opted_out', 'not_allowed'];

/**
 * @param {{code: string|null, title: string|null}|null} error of a message
 * @returns {string} key of inbox.refusal; 'refused' where nothing is known
 */
export function refusalOf(error) {
    if (OURS.includes(error?.code)) {
        return error.code;
    }
    const told = [error?.title, error?.code].filter(Boolean).map(String);
    for (const text of told) {
        const known = KNOWN.find(([, form]) => form.test(text.trim()));
        if (known) {
            return known[0];
        }
    }
    return 'refused';
}
