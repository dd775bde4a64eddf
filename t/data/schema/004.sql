INSERT INTO notes (contact_id, note, cs_id, created_at)
    VALUES (1, 'minta kuitansi', 2, 1), (2, 'telepon sore', 2, 2);
INSERT INTO reminders (contact_id, remind_at, note, assignee_id, cs_id, state,
    fired_at, created_at, updated_at) VALUES
    (1, {ms} + 86400000, 'haul', 2, 2, 'open', NULL, 1, 1),
    (2, 5, 'lama', 2, 2, 'done', 5, 1, 1);
INSERT INTO contact_info VALUES (1, '6281210000001', 'info', '{}', {ms});
INSERT INTO merges (id, into_id, from_id, user_id, created_at)
    VALUES (1, 1, 9, 1, {ms});
INSERT INTO merge_contacts VALUES
    (1, 1, '6281210000001', NULL, 'Siti', 0, 0, 0, 1, 0, 0, NULL, NULL, 'New',
        1),
    (1, 9, '6281210000009', NULL, 'Aminah', 0, 0, 0, 0, 0, 0, NULL, NULL,
        'New', 1);
INSERT INTO merge_chats VALUES (1, 9, 1, 1, 0, 0, 0);
INSERT INTO merge_rows VALUES (1, 'message', 1, 9);
INSERT INTO contact_aliases VALUES ('6281210000009', 1);
INSERT INTO merge_aliases VALUES (1, '6281210000009', 1);
