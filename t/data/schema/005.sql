INSERT INTO message_templates (id, name, content, gateway_name, language,
    created_at, updated_at) VALUES
    (1, 'terima_kasih', 'Terima kasih {{name}}', 'tk', 'id', 1, 1);
INSERT INTO message_template_sends VALUES (2, 'tk', 'id', '["Siti"]');
INSERT INTO consents (contact_id, opted_out, how, user_id, message_id, note,
    since, created_at) VALUES (2, 1, 'message', NULL, 4, NULL, 8, 8);
UPDATE contacts SET opted_out = 1 WHERE id = 2;
INSERT INTO audit (at, user_id, who, action, contact_id, session_id, object_id,
    detail) VALUES (9, 2, 'user', 'message.send', 1, 1, 2, NULL);
