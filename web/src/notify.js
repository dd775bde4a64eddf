import { i18n } from './i18n/index.js';
import { router } from './router.js';
import { useSettings } from './stores/settings.js';
import { useToasts } from './stores/toasts.js';

const LONGEST = 140;

/** Is a notice possible in this browser, and allowed? */
export function notifyState() {
    return 'Notification' in window ? Notification.permission : 'unsupported';
}

/** Asks the person, who has switched it on in the settings. */
export async function askToNotify() {
    return 'Notification' in window
        ? Notification.requestPermission() : 'unsupported';
}

/** A notice of the desktop, where nobody is looking at the page. */
function show(title, body, tag, path) {
    if (!useSettings().notify || notifyState() !== 'granted'
        || (document.visibilityState === 'visible' && document.hasFocus())) {
        return;
    }
    const notice = new Notification(title,
        { body: body.slice(0, LONGEST), tag, icon: '/favicon.svg' });
    notice.onclick = () => {
        window.focus();
        router.push(path);
        notice.close();
    };
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
