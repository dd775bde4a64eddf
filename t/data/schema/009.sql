INSERT INTO messages (id, session_id, chat_id, direction, ts, type, body,
    status, source, cs_id, created_at, scheduled_at) VALUES
    (6, 1, 1, 1, {ms} + 86400000, 'text', 'besok saja', 7, 'agent', 2, {ms},
        {ms} + 86400000);
INSERT INTO outbox (id, kind, message_id, session_id, chat_id, state,
    not_before, created_at, updated_at) VALUES
    (4, 'message', 6, 1, 1, 7, {ms} + 86400000, {ms}, {ms});
