import { router } from './router.js';
import { useSettings } from './stores/settings.js';

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
export function notify({ message, conversation }) {
    if (!useSettings().notify || notifyState() !== 'granted'
        || (document.visibilityState === 'visible' && document.hasFocus())) {
        return;
    }
    const text = conversation?.last_message || message.message;
    const notice = new Notification(
        conversation?.name ?? message.donatur?.name ?? 'WhatsApp',
        { body: text.slice(0, 140), tag: `chat-${message.chat_id}`,
            icon: '/favicon.svg' });
    notice.onclick = () => {
        window.focus();
        router.push(`/inbox/${message.chat_id}`);
        notice.close();
    };
}
