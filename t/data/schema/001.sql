-- A small desk as version 1 has it. {ms} is now, {day} today, {hash} a
-- password.
INSERT INTO settings VALUES ('kept', 'as it is');
INSERT INTO users (id, name, email, password_hash, role, active_session_id,
    created_at, updated_at) VALUES
    (1, 'Admin', 'admin@test.example', '{hash}', 'admin', NULL, 1, 1),
    (2, 'Siti', 'cs1@test.example', '{hash}', 'cs', 1, 2, 2);
INSERT INTO refresh_tokens (user_id, family, token_hash, created_at,
    expires_at, access_jti, access_exp)
    VALUES (2, 'f', 'h', {ms}, {ms} + 86400000, 'j', {ms} / 1000 + 600);
INSERT INTO revoked_tokens VALUES ('jti', 'gone', 0, {ms} / 1000 + 86400);
INSERT INTO accounts (id, name) VALUES (1, 'main');
INSERT INTO sessions (id, account_id, remote_id, session_id, user_id, everyone,
    name, status, phone_number, created_at, updated_at) VALUES
    (1, 1, 'demo', 'demo', NULL, 1, 'Utama', 'connected', '62811', 3, 3),
    (2, 1, 'lama', 'lama', 2, 0, 'Lama', 'disconnected', '62812', 4, 4);
INSERT INTO session_members VALUES (2, 2);
INSERT INTO contacts (id, phone, phone_typed, name, donor, gift_sum,
    gift_count, gift_max, gift_first, gift_last, gift_best_year, talk_points,
    talk_at, created_at, updated_at) VALUES
    (1, '6281210000001', '0812-1000-0001', 'Hj. Siti Aminah', 1, 350000, 2,
        250000, {day} - 40, {day} - 10, 350000, 4.5, {ms} - 1000, 5, 5),
    (2, '6281210000002', NULL, 'Budi Santoso', 1, 0, 0, 0, NULL, NULL, 0, 0,
        0, 6, 6),
    (3, '123456789@lid', NULL, 'Tanpa Nomor', 0, 0, 0, 0, NULL, NULL, 0, 0, 0,
        7, 7);
INSERT INTO contact_aliases VALUES ('987654321@lid', 1);
INSERT INTO chats (id, session_id, contact_id, last_message_id, last_ts,
    last_direction, unread, starred, failed) VALUES
    (1, 1, 1, 3, {ms} - 1000, 1, 1, 1, 1),
    (2, 1, 2, 4, {ms} - 9000, 0, 1, 0, 0),
    (3, 2, 1, 5, {ms} - 500, 0, 0, 0, 0);
INSERT INTO messages (id, session_id, chat_id, direction, wa_id, ts, type,
    body, status, source, cs_id, reply_to, error_code, error_title, edited_at,
    deleted_at, created_at) VALUES
    (1, 1, 1, 0, 'OLD1', {ms} - 5000, 'text', 'zakat maal bulan ini', 2, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, {ms} - 5000),
    (2, 1, 1, 1, 'OLD2', {ms} - 4000, 'image', 'terima kasih', 4, 'agent', 2,
        1, NULL, NULL, NULL, NULL, {ms} - 4000),
    (3, 1, 1, 1, NULL, {ms} - 1000, 'text', 'tidak sampai', 6, 'agent', 2,
        NULL, '131', 'not on WhatsApp', NULL, NULL, {ms} - 1000),
    (4, 1, 2, 0, 'OLD4', {ms} - 9000, 'text', 'dihapus', 2, NULL, NULL, NULL,
        NULL, NULL, NULL, {ms} - 8000, {ms} - 9000),
    (5, 2, 3, 0, 'OLD5', {ms} - 500, 'text', 'infak rahasia', 2, NULL, NULL,
        NULL, NULL, NULL, {ms} - 400, NULL, {ms} - 500);
INSERT INTO message_media VALUES (2, NULL, 'image/png', 'struk.png', 123);
INSERT INTO reactions VALUES (2, '6281210000001', 'x', {ms} - 3000);
INSERT INTO parked (session_id, wa_id, kind, payload, created_at)
    VALUES (1, 'NEVER', 'status', '{}', {ms});
INSERT INTO donations (contact_id, amount, gift_day, fund, method, ref, note,
    status, cs_id, created_at) VALUES
    (1, 250000, {day} - 40, 'Zakat', 'transfer', 'R-1', 'a', 'confirmed', 2, 1),
    (1, 100000, {day} - 10, 'Infak', 'qris', 'R-2', NULL, 'confirmed', 2, 2),
    (2, 70000, {day}, NULL, NULL, NULL, NULL, 'pledged', NULL, 3);
INSERT INTO segment_changes (contact_id, from_segment, to_segment, reason,
    changed_at) VALUES (1, 'New', 'Loyal', 'gift', 9);
INSERT INTO outbox (id, kind, message_id, session_id, chat_id, state, attempts,
    not_before, reason, created_at, updated_at) VALUES
    (1, 'message', 2, 1, 1, 4, 1, {ms} - 4000, NULL, {ms}, {ms}),
    (2, 'message', 3, 1, 1, 5, 3, {ms} - 1000, 'not on WhatsApp', {ms}, {ms}),
    (3, 'read', NULL, 1, 2, 0, 0, {ms} + 600000, NULL, {ms}, {ms});
INSERT INTO idempotency VALUES (2, 'key', 'sha', 200, '{"success":true}', {ms});
INSERT INTO spool_positions (spool_id, position, updated_at)
    VALUES ('0123456789abcdef0123456789abcdef', 77, {ms});
INSERT INTO raw_events (spool, seq, received_at, record)
    VALUES (1, 70, {ms}, x'93010203');
INSERT INTO dead_letters (spool_id, seq, source, received_at, code, reason,
    record, created_at, updated_at) VALUES
    ('0123456789abcdef0123456789abcdef', 71, 'main', {ms}, 'parse', 'no JSON',
        x'93040506', {ms}, {ms});
INSERT INTO events (seq, kind, session_id, chat_id, ref, created_at) VALUES
    (1, 1, 1, 1, 1, {ms}), (2, 2, 1, 1, 2, {ms}), (3, 3, 1, 1, 3, {ms});
UPDATE counters SET value = 3 WHERE name = 'event_seq';
