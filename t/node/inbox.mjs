// What the seed's Vue component calls, keeps and shows (S79 to S83), without
// Vue: render() reads what its template reads, and as it reads it.
import { whatsappAPI } from './whatsapp.mjs';

const rupiah = new Intl.NumberFormat('id-ID', { style: 'currency',
    currency: 'IDR', maximumFractionDigits: 0 });

/* The two formatters that the page supplies (G8). */
export function formatTime(value) {
    return new Date(value).toISOString();
}

export function formatCurrency(value) {
    return rupiah.format(value);
}

export class Inbox {
    constructor() {
        this.conversations = [];
        this.selected = null;
        this.messages = [];
        this.text = '';
        this.log = [];
    }

    async loadConversations() {
        const answer = await whatsappAPI.getConversations();
        this.log.push('GET inbox');
        this.conversations = answer.data.conversations;
    }

    async selectChat(chat) {
        this.selected = chat;
        const answer = await whatsappAPI.getMessages(chat.id);
        this.log.push('GET messages');
        this.messages = answer.data.messages;
        await whatsappAPI.markAsRead(chat.id);
        this.log.push('POST read');
    }

    async sendMessage() {
        if (this.text.trim() === '') {
            return;
        }
        await whatsappAPI.sendMessage({ phone: this.selected.phone,
            message: this.text, type: 'text' });
        this.log.push('POST send');
        this.text = '';
        await this.selectChat(this.selected);
    }

    /* NewMessageReceived (S82) */
    async received(event) {
        await this.loadConversations();
        if (this.selected?.phone === event.message.donatur.phone) {
            this.messages.push(event.message);
        }
    }

    render() {
        const lines = this.conversations.map((chat) => ({
            key: chat.id,
            avatar: chat.name.charAt(0),
            name: chat.name,
            last: chat.last_message,
            badge: chat.donatur ? chat.donatur.segment : null,
            time: formatTime(chat.timestamp),
            unread: chat.unread_count ? chat.unread_count : null,
        }));
        const donor = this.selected && this.selected.donatur;
        return {
            lines,
            header: donor ? `${formatCurrency(donor.lifetime_value)} ${
                donor.donation_count}` : null,
            bubbles: this.messages.map((m) => ({ key: m.id,
                class: `message ${m.direction}`, text: m.message,
                time: formatTime(m.timestamp) })),
        };
    }
}
