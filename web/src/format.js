/*
 * How figures and times are written. The locale comes from the settings;
 * times are told in the zone of the browser.
 */
let locale = 'id-ID';
let forms = {};

const OPTIONS = {
    money: { style: 'currency', currency: 'IDR', maximumFractionDigits: 0 },
    number: {},
    compact: { notation: 'compact' },
    percent: { style: 'percent', maximumFractionDigits: 1 },
    time: { hour: '2-digit', minute: '2-digit' },
    month: { month: 'short', year: '2-digit' },
    monthName: { month: 'long' },
    day: { day: 'numeric', month: 'short' },
    date: { day: 'numeric', month: 'short', year: 'numeric' },
    weekday: { weekday: 'long' },
    full: { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' },
    dateTime: { day: 'numeric', month: 'short', year: 'numeric',
        hour: '2-digit', minute: '2-digit' },
};
const FIGURES = ['money', 'number', 'compact', 'percent'];

/** @param {'id'|'en'} language */
export function setFormatLocale(language) {
    locale = language === 'en' ? 'en-GB' : 'id-ID';
    forms = {};
}

function form(name) {
    forms[name] ??= FIGURES.includes(name)
        ? new Intl.NumberFormat(locale, OPTIONS[name])
        : new Intl.DateTimeFormat(locale, OPTIONS[name]);
    return forms[name];
}

function unitForm(unit) {
    forms[unit] ??= new Intl.NumberFormat(locale,
        { style: 'unit', unit, unitDisplay: 'short' });
    return forms[unit];
}

/** Whole rupiah: Rp 1.500.000; '–' for null. */
export function formatMoney(amount) {
    return amount === null || amount === undefined
        ? '–' : form('money').format(amount);
}

export function formatNumber(n) {
    return n === null || n === undefined ? '–' : form('number').format(n);
}

/** 0.25: 25 %. */
export function formatPercent(share) {
    return share === null || share === undefined
        ? '–' : form('percent').format(share);
}

/** A plain date (2026-03-01) is that day everywhere, not midnight in UTC. */
function toDate(value) {
    return typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value)
        ? new Date(`${value}T00:00:00`) : new Date(value);
}

function formatWith(name) {
    return (value) => {
        const date = value ? toDate(value) : null;
        return date && !Number.isNaN(date.getTime())
            ? form(name).format(date) : '–';
    };
}

export const formatTime = formatWith('time');
export const formatMonth = formatWith('month');
export const formatDate = formatWith('date');
export const formatFullDate = formatWith('full');
export const formatDateTime = formatWith('dateTime');

/** Days between two times by the calendar: 0 today, 1 yesterday. */
export function daysAgo(value, now = new Date()) {
    const day = (date) => Date.UTC(date.getFullYear(), date.getMonth(),
        date.getDate());
    return Math.round((day(now) - day(toDate(value))) / 86400000);
}

/**
 * As lists tell it: the time today, the weekday this week, else the date.
 * @param {string} yesterday the word for it
 */
export function formatWhen(value, yesterday, now = new Date()) {
    const days = daysAgo(value, now);
    if (days <= 0) {
        return form('time').format(toDate(value));
    }
    if (days === 1) {
        return yesterday;
    }
    if (days < 7) {
        return form('weekday').format(toDate(value));
    }
    return toDate(value).getFullYear() === now.getFullYear()
        ? form('day').format(toDate(value))
        : form('date').format(toDate(value));
}

/** 1536: 1,5 kB. */
export function formatSize(bytes) {
    if (bytes === null || bytes === undefined) {
        return '';
    }
    const units = ['B', 'kB', 'MB', 'GB'];
    let n = bytes;
    let unit = 0;
    while (n >= 1000 && unit < units.length - 1) {
        n /= 1000;
        unit++;
    }
    return `${form('number').format(Math.round(n * 10) / 10)} ${units[unit]}`;
}

/** 6281234567890: +62 812-3456-7890; an alias as it is. */
export function formatPhone(phone) {
    if (!/^\d{8,15}$/.test(phone ?? '')) {
        return phone ?? '';
    }
    if (!phone.startsWith('62')) {
        return `+${phone}`;
    }
    const rest = phone.slice(2);
    return `+62 ${rest.slice(0, 3)}-${rest.slice(3, 7)}-${rest.slice(7)}`;
}

/** 1..12: the name of the month. */
export function formatMonthName(month) {
    return form('monthName').format(new Date(2000, month - 1, 1));
}

/** Of a chart's axis: 1,5 jt. */
export function formatCompact(n) {
    return form('compact').format(n);
}

/** 3725 seconds: 1 j 2 mnt; the two greatest units, as the language has them. */
export function formatDuration(seconds) {
    if (seconds === null || seconds === undefined) {
        return '–';
    }
    const units = [['day', 86400], ['hour', 3600], ['minute', 60],
        ['second', 1]];
    let left = Math.round(seconds);
    const at = units.findIndex(([, size]) => left >= size);
    const first = at === -1 ? units.length - 1 : at;
    return units.slice(first, first + 2).map(([unit, size], i) => {
        const n = Math.floor(left / size);
        left -= n * size;
        return i > 0 && n === 0 ? '' : unitForm(unit).format(n);
    }).join(' ').trim();
}
