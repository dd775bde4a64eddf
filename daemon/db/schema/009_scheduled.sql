-- 009: messages that leave later, and answers kept under an Idempotency-Key
-- that tell of a contact.
-- scheduled_at: when it was to leave; stays when it has. Until then its outbox
-- row is in state 7 and its status SCHEDULED (domain/status.h).
ALTER TABLE messages ADD COLUMN scheduled_at %I64%;
CREATE INDEX outbox_scheduled ON outbox (state, not_before, id)
    WHERE state = 7;
CREATE INDEX outbox_scheduled_chat ON outbox (session_id, chat_id)
    WHERE state = 7;

-- Whom the answer tells of: it is blanked with the contact.
ALTER TABLE idempotency ADD COLUMN contact_id %I64%;
CREATE INDEX idempotency_contact ON idempotency (contact_id)
    WHERE contact_id IS NOT NULL;
