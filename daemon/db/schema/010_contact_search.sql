-- 010: of whom the search index has to look again. It follows contacts by
-- their id; a name, phone or alias that changes, and a chat that comes or
-- goes (who may see them), is below its position. The rows say who, and not
-- what: the index knows what it has.
-- The last row stays, so that ids are never used again.
CREATE TABLE contact_changes (
    id         %ID%,
    contact_id %I64% NOT NULL
) %STRICT%;

CREATE TRIGGER contact_changes_update AFTER UPDATE OF name, phone ON contacts
WHEN OLD.name <> NEW.name OR OLD.phone <> NEW.phone
BEGIN
    INSERT INTO contact_changes (contact_id) VALUES (OLD.id);
END;

CREATE TRIGGER contact_changes_delete AFTER DELETE ON contacts
BEGIN
    INSERT INTO contact_changes (contact_id) VALUES (OLD.id);
END;

CREATE TRIGGER contact_changes_alias AFTER INSERT ON contact_aliases
BEGIN
    INSERT INTO contact_changes (contact_id) VALUES (NEW.contact_id);
END;

CREATE TRIGGER contact_changes_alias_update
AFTER UPDATE OF alias, contact_id ON contact_aliases
BEGIN
    INSERT INTO contact_changes (contact_id)
    VALUES (OLD.contact_id), (NEW.contact_id);
END;

CREATE TRIGGER contact_changes_alias_delete AFTER DELETE ON contact_aliases
BEGIN
    INSERT INTO contact_changes (contact_id) VALUES (OLD.contact_id);
END;

CREATE TRIGGER contact_changes_chat AFTER INSERT ON chats
BEGIN
    INSERT INTO contact_changes (contact_id) VALUES (NEW.contact_id);
END;

CREATE TRIGGER contact_changes_chat_update
AFTER UPDATE OF session_id, contact_id ON chats
BEGIN
    INSERT INTO contact_changes (contact_id)
    VALUES (OLD.contact_id), (NEW.contact_id);
END;

CREATE TRIGGER contact_changes_chat_delete AFTER DELETE ON chats
BEGIN
    INSERT INTO contact_changes (contact_id) VALUES (OLD.contact_id);
END;

-- What is due is looked for by its time, and not lane by lane.
CREATE INDEX outbox_queued ON outbox (state, not_before, id) WHERE state = 0;
