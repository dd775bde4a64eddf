-- 005: templates, consent, audit.

CREATE TABLE message_templates (
    id           %ID%,
    name         TEXT NOT NULL UNIQUE,
    content      TEXT NOT NULL,
    gateway_name TEXT,                            -- its id at the gateway
    language     TEXT,
    created_at   %I64% NOT NULL,
    updated_at   %I64% NOT NULL
) %STRICT%;

-- A message that asks the gateway for a template of its own.
CREATE TABLE message_template_sends (
    message_id   %I64% NOT NULL PRIMARY KEY REFERENCES messages (id),
    gateway_name TEXT NOT NULL,
    language     TEXT,
    variables    TEXT NOT NULL                    -- JSON array of strings
) %STRICT%;

-- Who did not want to be written to any more, or did again: since when, told
-- how, taken down by whom. contacts.opted_out is what the newest row says.
CREATE TABLE consents (
    id         %ID%,
    contact_id %I64% NOT NULL REFERENCES contacts (id),
    opted_out  %FLAG% NOT NULL,
    how        TEXT NOT NULL CHECK (how IN ('message', 'agent', 'merge')),
    user_id    %I64%,
    message_id %I64%,
    note       TEXT,
    since      %I64% NOT NULL,
    created_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX consents_contact ON consents (contact_id, since, id);

-- Who did what, to whom, when; no bodies, no names, no numbers. Rows are
-- never changed, so ids stand without references: contact_id outlives its
-- contact.
CREATE TABLE audit (
    id         %ID%,
    at         %I64% NOT NULL,
    user_id    %I64%,
    who        TEXT NOT NULL,                     -- user, wacrmctl, system
    action     TEXT NOT NULL,
    contact_id %I64%,
    session_id %I64%,
    object_id  %I64%,                             -- message, template ...
    detail     TEXT
) %STRICT%;
CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_contact ON audit (contact_id, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW %REFUSE%;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW %REFUSE%;
