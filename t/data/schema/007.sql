INSERT INTO backfills (session_id, state, deep, page, messages, requested_at,
    updated_at, finished_at) VALUES (1, 'done', 1, 3, 5, 1, 2, 3);
INSERT INTO backfill_chats (session_id, jid, page, oldest, done)
    VALUES (1, '6281210000001@s.whatsapp.net', 2, 1, 1);
