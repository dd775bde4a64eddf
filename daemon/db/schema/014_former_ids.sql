-- 014: what a gateway called a message of ours before it was retried: told once
-- more it is neither a message of the phone's nor proof of another attempt.
CREATE TABLE former_ids (
    session_id %I64% NOT NULL,
    wa_id      TEXT NOT NULL,
    message_id %I64% NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    PRIMARY KEY (session_id, wa_id)
) %STRICT%;
CREATE INDEX former_ids_message ON former_ids (message_id);
