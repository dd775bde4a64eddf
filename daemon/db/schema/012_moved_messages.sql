-- 012: the search index knows in which chat a message is, so it has to hear of
-- one that a merge has moved.
DROP TRIGGER search_changes_update;
CREATE TRIGGER search_changes_update
AFTER UPDATE OF body, deleted_at, session_id, chat_id ON messages
WHEN OLD.body <> NEW.body OR OLD.session_id <> NEW.session_id
    OR OLD.chat_id <> NEW.chat_id
    OR coalesce(OLD.deleted_at, 0) <> coalesce(NEW.deleted_at, 0)
BEGIN
    INSERT INTO search_changes (message_id, session_id, body)
    VALUES (OLD.id, OLD.session_id,
            CASE WHEN OLD.deleted_at IS NULL THEN OLD.body END);
END;
