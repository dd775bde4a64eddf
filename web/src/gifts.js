/*
 * What is drawn and told of the gifts of one donor.
 */
const MONTHS_MAX = 36;

const counts = (gift) => gift.status === 'confirmed' && gift.amount > 0;
/** Months since the year 0, of a date like 2026-03-01. */
const monthOf = (date) => Number(date.slice(0, 4)) * 12
    + Number(date.slice(5, 7)) - 1;

/** 24314: the first day of that month here, in seconds since 1970. */
export function monthStart(month) {
    return new Date(Math.floor(month / 12), month % 12, 1).getTime() / 1000;
}

/**
 * Gifts by month, from the first one (at most 36 months ago) to now.
 *
 * @param {Array<{amount: number, date: string, status: string}>} gifts
 * @param {Date} now
 * @returns {Array<{month: number, sum: number, count: number,
 *           total: number}>} total: of all gifts up to that month
 */
export function giftsByMonth(gifts, now = new Date()) {
    const given = gifts.filter(counts);
    if (given.length === 0) {
        return [];
    }
    const last = now.getFullYear() * 12 + now.getMonth();
    const first = Math.max(last - MONTHS_MAX + 1,
        Math.min(last - 5, ...given.map((gift) => monthOf(gift.date))));
    const months = Array.from({ length: last - first + 1 }, (_, i) =>
        ({ month: first + i, sum: 0, count: 0, total: 0 }));
    let before = 0;
    for (const gift of given) {
        const at = Math.min(monthOf(gift.date), last) - first;
        if (at < 0) {
            before += gift.amount;
        } else {
            months[at].sum += gift.amount;
            months[at].count++;
        }
    }
    for (const month of months) {
        before += month.sum;
        month.total = before;
    }
    return months;
}

/*
 * The parts of the engagement score and the most that each can bring:
 * 0.6 * (0.4 R + 0.3 F + 0.3 M) + 0.4 C (docs/donor-metrics.md).
 */
const PARTS = [
    ['r', 0.24], ['f', 0.18], ['m', 0.18], ['conversation', 0.4],
];

/**
 * @param {{r, f, m, conversation, adjust}} parts each 0..100, but adjust
 * @returns {Array<{name: string, points: number, most: number}>}
 */
export function scoreParts(parts) {
    return PARTS.map(([name, weight]) => ({
        name,
        points: Math.round(parts[name] * weight * 10) / 10,
        most: Math.round(weight * 100),
    }));
}

/** Funds and methods that this donor has used, the latest first. */
export function usedBefore(gifts, field) {
    return [...new Set(gifts.map((gift) => gift[field]).filter(Boolean))];
}

const DAY = 86400000;

/** Whole days from a date to another day. */
function days(from, now) {
    const [year, month, day] = from.split('-').map(Number);
    return Math.round((Date.UTC(now.getFullYear(), now.getMonth(),
        now.getDate()) - Date.UTC(year, month - 1, day)) / DAY);
}

/**
 * Why somebody is in a segment: the word of a text, by the rules of
 * docs/donor-metrics.md. The server decides which segment it is.
 *
 * @param {{segment, vip, donations}} donor
 * @returns {string} none, lapsed, vipByHand, vip, bothYears, threeGifts,
 *          loyal, recent or again
 */
export function segmentReason(donor, now = new Date()) {
    const ages = donor.donations.filter(counts)
        .map((gift) => days(gift.date, now));
    switch (donor.segment) {
    case 'Lapsed': return 'lapsed';
    case 'VIP': return donor.vip ? 'vipByHand' : 'vip';
    case 'Loyal':
        if (ages.some((age) => age <= 365)
            && ages.some((age) => age > 365 && age <= 730)) {
            return 'bothYears';
        }
        return ages.filter((age) => age <= 730).length >= 3
            ? 'threeGifts' : 'loyal';
    case 'New': return ages.length === 0 ? 'none' : 'recent';
    default: return 'again';
    }
}
