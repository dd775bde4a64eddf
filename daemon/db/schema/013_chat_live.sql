-- 013: whether something was received in a chat, or has left in it: as its
-- messages tell, or the phone, where none of them is here. One that
-- only waits to be sent opens nobody's record (domain/contact_visible.h); who
-- is found by a search follows.
ALTER TABLE chats ADD COLUMN live %FLAG% NOT NULL DEFAULT 0;
UPDATE chats SET live = 1 WHERE EXISTS (SELECT 1 FROM messages m
    WHERE m.chat_id = chats.id
    AND (m.direction = 0 OR m.status BETWEEN 2 AND 5))
OR EXISTS (SELECT 1 FROM backfill_chats b
    WHERE b.session_id = chats.session_id AND b.jid IN (
        SELECT k.phone || '@s.whatsapp.net' FROM contacts k
        WHERE k.id = chats.contact_id
        UNION ALL SELECT k.phone FROM contacts k WHERE k.id = chats.contact_id
        UNION ALL SELECT a.alias FROM contact_aliases a
        WHERE a.contact_id = chats.contact_id));

DROP TRIGGER contact_changes_chat_update;
CREATE TRIGGER contact_changes_chat_update
AFTER UPDATE OF session_id, contact_id, live ON chats
WHEN OLD.session_id <> NEW.session_id OR OLD.contact_id <> NEW.contact_id
    OR OLD.live <> NEW.live
BEGIN
    INSERT INTO contact_changes (contact_id)
    VALUES (OLD.contact_id), (NEW.contact_id);
END;

INSERT INTO contact_changes (contact_id)
SELECT contact_id FROM chats WHERE live = 0;
