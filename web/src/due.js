/**
 * How a reminder stands: 'overdue', 'today', 'tomorrow' or 'later'.
 *
 * @param {string} at ISO
 */
export function dueState(at, now = new Date()) {
    const time = new Date(at);
    if (time <= now) {
        return 'overdue';
    }
    const midnight = new Date(now.getFullYear(), now.getMonth(),
        now.getDate() + 1);
    if (time < midnight) {
        return 'today';
    }
    midnight.setDate(midnight.getDate() + 1);
    return time < midnight ? 'tomorrow' : 'later';
}

const pad = (n) => String(n).padStart(2, '0');

/** For <input type="date">: the day here. */
export function dateInput(date) {
    return [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())]
        .join('-');
}

/** For <input type="datetime-local">: the time here, to the minute. */
export function timeInput(date) {
    return `${dateInput(date)}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** The next morning; at nine, when most reminders are meant for. */
export function nextMorning(now = new Date(), hour = 9) {
    return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, hour);
}
