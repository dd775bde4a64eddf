import { i18n } from './i18n/index.js';
import { router } from './router.js';
import { useSettings } from './stores/settings.js';
import { useToasts } from './stores/toasts.js';

const LONGEST = 140;

let unsupported = false;

/** @returns {Notification|undefined} Android's Chrome has the name, but throws:
 *           a page has none there */
function notice(title, options) {
    try {
        return new Notification(title, options);
    } catch {
        unsupported = true;
    }
}

/** Is a notice possible in this browser, and allowed? */
export function notifyState() {
    if (window.Notification?.permission !== 'granted') {
        notice(''); // it is not shown, as it is not allowed
    }
    return unsupported ? 'unsupported' : Notification.permission;
}

/** Asks the person, who has switched it on in the settings. */
export async function askToNotify() {
    await Notification.requestPermission();
    return notifyState();
}

/** A notice of the desktop, where nobody is looking at the page. */
function show(title, body, tag, path) {
    if (!useSettings().notify || notifyState() !== 'granted'
        || (document.visibilityState === 'visible' && document.hasFocus())) {
        return;
    }
    const shown = notice(title,
        { body: body.slice(0, LONGEST), tag, icon: '/favicon.svg' });
    if (shown) {
        shown.onclick = () => {
            window.focus();
            router.push(path);
            shown.close();
        };
    }
}

export function notifyMessage({ message, conversation }) {
    show(conversation?.name ?? message.donatur?.name ?? 'WhatsApp',
        conversation?.last_message || message.message,
        `chat-${message.chat_id}`, `/inbox/${message.chat_id}`);
}

/** Told in the page too: it is time now, whatever one is looking at. */
export function notifyReminder({ reminder, name }) {
    const { t } = i18n.global;
    const text = t('common.reminder.due', { name, note: reminder.note });
    useToasts().show('info', text, { label: t('common.reminder.open'),
        run: () => router.push('/reminders') });
    show(name, reminder.note, `reminder-${reminder.id}`, '/reminders');
}
