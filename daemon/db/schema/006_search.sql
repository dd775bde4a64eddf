-- 006: what the search index has to forget. The index lies in a file of its
-- own and follows messages by their id; an edited or deleted message is below
-- its position, and its words can be taken out only with the old body.
-- body: as it may stand in the index; NULL: it does not stand there.
-- The last row stays (without its body), so that ids are never used again.
CREATE TABLE search_changes (
    id         %ID%,
    message_id %I64% NOT NULL,
    session_id %I64% NOT NULL,
    body       TEXT
) %STRICT%;
CREATE INDEX search_changes_message ON search_changes (message_id, id);

CREATE TRIGGER search_changes_update
AFTER UPDATE OF body, deleted_at, session_id ON messages
WHEN OLD.body <> NEW.body OR OLD.session_id <> NEW.session_id
    OR coalesce(OLD.deleted_at, 0) <> coalesce(NEW.deleted_at, 0)
BEGIN
    INSERT INTO search_changes (message_id, session_id, body)
    VALUES (OLD.id, OLD.session_id,
            CASE WHEN OLD.deleted_at IS NULL THEN OLD.body END);
END;

CREATE TRIGGER search_changes_delete AFTER DELETE ON messages
BEGIN
    INSERT INTO search_changes (message_id, session_id, body)
    VALUES (OLD.id, OLD.session_id,
            CASE WHEN OLD.deleted_at IS NULL THEN OLD.body END);
END;
