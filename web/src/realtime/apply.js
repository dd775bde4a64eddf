import { notifyMessage, notifyReminder } from '../notify.js';
import { useAuth } from '../stores/auth.js';
import { useChat } from '../stores/chat.js';
import { useInbox } from '../stores/inbox.js';
import { usePeople } from '../stores/people.js';
import { useSessions } from '../stores/sessions.js';
import { useTyping } from '../stores/typing.js';

/** For pages other than the inbox: tell(name, data). */
const listeners = new Set();

/**
 * Tells of every event once. @returns {() => void} to end it
 * @param {(name: string, data: object) => void} listener
 */
export function onEvent(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

/** Conversations as the events at hand tell them, by id, the last of each. */
let lines = new Map();

function line(conversation) {
    if (conversation) {
        lines.set(conversation.id, conversation);
    } else {
        useInbox().revalidateSoon();
    }
}

/** Into the list, all at once. */
function putLines() {
    const told = [...lines.values()];
    lines = new Map();
    if (told.length > 0) {
        useInbox().put(told);
        told.forEach((row) => useChat().putLine(row));
    }
}

function message(data) {
    if (!data.message) {
        useChat().gone(data.chat_id, data.id);
        useInbox().revalidateSoon();
        return;
    }
    const { donatur: _donatur, media, ...row } = data.message;
    // Everybody gets the same event: its address of a file is signed for
    // nobody.
    useChat().put({ ...row, truncated: data.truncated ?? false,
        media: media ? { ...media, url: null } : null });
    line(data.conversation);
}

const APPLY = {
    NewMessageReceived(data, { late }) {
        message(data);
        useTyping().set(data.message.donatur?.phone, false);
        if (!late) {
            notifyMessage(data);
        }
    },
    MessageSent: message,
    MessageUpdated: message,
    MessageStatusUpdated(data) {
        useChat().status(data);
        if (data.status === 'failed' || data.status === 'unknown') {
            useInbox().revalidateSoon();
        }
    },
    ChatUpdated: (data) => line(data.conversation),
    ChatRead: (data) => line(data.conversation),
    SessionStatusChanged: (data) => useSessions().changed(data),
    DonorUpdated(data) {
        putLines();
        useInbox().donor(data.donatur);
    },
    DonorsImported: () => useInbox().revalidateSoon(),
    AccessChanged() {
        putLines();
        useAuth().reload().catch(() => {});
        useSessions().load().catch(() => {});
        usePeople().reload().catch(() => {});
        useInbox().load();
        useInbox().loadUnread().catch(() => {});
        useChat().forget();
    },
    ReminderDue(data) {
        const whose = data.reminder.assignee_id ?? data.reminder.cs_id;
        if (whose === null || whose === useAuth().user.id) {
            notifyReminder(data);
        }
    },
    DonaturTyping: (data) => useTyping().set(data.phone, data.isTyping),
};

/** One event that cannot be taken is told, and keeps none of the others away. */
function apart(work) {
    try {
        work();
    } catch (error) {
        reportError(error);
    }
}

/**
 * @param {{name: string, data: object, late: boolean}[]} events in their order;
 *        name: without its namespace; late: it was missed, and is told
 *        afterwards
 */
export function applyEvents(events) {
    for (const { name, data, late } of events) {
        apart(() => APPLY[name]?.(data, { late }));
    }
    apart(putLines);
    for (const { name, data } of events) {
        listeners.forEach((listener) => apart(() => listener(name, data)));
    }
}

export const EVENT_NAMES = [...Object.keys(APPLY), 'TemplateUpdated'];

/** Events cannot tell what was missed: the state is loaded anew.
 *  @throws where some of it was not */
export async function reloadAll() {
    useChat().forget();
    await Promise.all([
        useInbox().load(),
        useInbox().loadUnread(),
        useChat().check(),
        useSessions().load(),
        usePeople().reload(),
    ]);
    const { error } = useInbox();
    if (error && !error.missing) {
        throw error;
    }
    listeners.forEach((listener) => listener('Reload', {}));
}
