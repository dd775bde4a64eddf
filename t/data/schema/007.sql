INSERT INTO backfills (session_id, state, deep, page, messages, requested_at,
    updated_at, finished_at) VALUES (1, 'done', 1, 3, 5, 1, 2, 3);
INSERT INTO backfill_chats (session_id, jid, page, oldest, done)
    VALUES (1, '6281210000001@s.whatsapp.net', 2, 1, 1);
-- One that the phone has told of, and of which no message is here; and one
-- that has none at all.
INSERT INTO contacts (id, phone, name, created_at, updated_at) VALUES
    (70, '6281210000070', 'Dari telepon', 7, 7),
    (71, '6281210000071', 'Belum disapa', 7, 7);
INSERT INTO chats (id, session_id, contact_id, last_ts) VALUES
    (70, 1, 70, 8), (71, 1, 71, 7);
INSERT INTO backfill_chats (session_id, jid, done)
    VALUES (1, '6281210000070@s.whatsapp.net', 1);
