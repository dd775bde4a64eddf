'use strict';
/*
 * life.js - what the donors of the demo do: a past of some days, then now and
 * then a new question, an answer to what the team has sent, a reaction, a
 * photo of a receipt. Never more than a person reads: a donor who got no
 * answer waits, and all wait while `config.unanswered` chats do.
 *
 *     const life = makeLife({ config, random, between, pick, sleep, tell,
 *         open });
 *
 * tell(what, about) makes the simulator send an event and waits for it:
 * message {who, text, image, quoted}, typing {who, on}, reaction {who, to,
 * emoji}, said {who, text, ts, from_me, image} for the past; with {session}
 * where it is not the donor's own. open(session): is it connected?
 */

const fs = require('fs');
const path = require('path');

const { donors, dialogues, openings, answers } = require('./people');

const RECEIPT = path.join(__dirname, 'receipt.png');

module.exports = function makeLife({ config, between, pick, random, sleep,
    tell, open }) {
    const waiting = new Map(); /* phone -> messages without an answer */
    const people = donors.map(([phone, name, session]) => ({ phone, name,
        session }));
    const pause = (lo, hi) => sleep(between(lo, hi) * config.pace);

    async function write(who, text, more = {}) {
        waiting.set(who.phone, (waiting.get(who.phone) || 0) + 1);
        const { session } = more;
        await tell('typing', { who, session, on: true });
        await pause(800 + text.length * 25, 1600 + text.length * 60);
        await tell('typing', { who, session, on: false });
        return tell('message', { who, text, ...more });
    }

    /* The dialogues as if they had been led until now: first up to the
     * team's last word, then what donors have written after that. */
    async function past(part) {
        const now = Date.now();
        const lines = dialogues.flatMap((d) => {
            const who = people[d.who];
            const step = 2 + d.who % 3;
            const answered = d.lines.findLastIndex((l) => l[0] === '>');
            return d.lines.map((line, i) => ({ who,
                part: i <= answered ? 'answered' : 'new',
                ts: now - (d.ago + (d.lines.length - 1 - i) * step) * 60000,
                from_me: line[0] === '>', image: line[0] === '!',
                text: line.replace(/^[>!] ?/, '') }));
        }).filter((l) => l.part === part).sort((a, b) => a.ts - b.ts);
        for (const line of lines) {
            await tell('said', line);
            if (part === 'new') {
                waiting.set(line.who.phone, 1);
            }
        }
        return { chats: new Set(lines.map((l) => l.who.phone)).size };
    }

    /* The team has written m, and it has been read. */
    async function answer(m) {
        const who = people.find((p) => p.phone === m.phone);
        if (!who || config.quiet) {
            return;
        }
        const { session } = m;
        waiting.delete(who.phone);
        const [, texts, then] = answers.find(([about]) => about.test(m.text))
            || answers[answers.length - 1];
        const mood = random();
        if (mood < config.reactions) {
            await pause(500, 2500);
            await tell('reaction', { who, session, to: m.id,
                emoji: pick(['👍', '🙏', '❤️', '😊']) });
        }
        if (mood > 0.15) {
            await pause(600, 2500);
            await write(who, pick(texts), { session,
                ...(random() < 0.2 ? { quoted: m.id } : {}) });
        }
        if (then === 'receipt' && random() < 0.7) {
            await pause(8000, 15000);
            await write(who, 'Ini bukti transfernya kak',
                { session, image: true });
        }
    }

    /* New questions, until the process ends. */
    async function questions() {
        for (;;) {
            await pause(config.every[0], config.every[1]);
            const free = people.filter((p) => !waiting.has(p.phone)
                && open(p.session));
            if (config.quiet || free.length === 0
                || waiting.size >= config.unanswered) {
                continue;
            }
            await write(pick(free), pick(openings));
        }
    }

    return { past, answer, questions,
        receipt: () => fs.readFileSync(RECEIPT) };
};
module.exports.donors = donors;
