INSERT INTO former_ids (session_id, wa_id, message_id) VALUES (1, 'OLD2A', 2);
