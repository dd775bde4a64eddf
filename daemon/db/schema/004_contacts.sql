-- 004: notes, reminders, what gateways tell of a contact, merges and their
-- way back.

CREATE TABLE notes (
    id         %ID%,
    contact_id %I64% NOT NULL REFERENCES contacts (id),
    note       TEXT NOT NULL,
    cs_id      %I64%,
    created_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX notes_contact ON notes (contact_id, id);

-- fired_at: its event is raised, in the same transaction.
CREATE TABLE reminders (
    id         %ID%,
    contact_id %I64% NOT NULL REFERENCES contacts (id),
    remind_at  %I64% NOT NULL,
    note       TEXT NOT NULL,
    assignee_id %I64%,
    cs_id      %I64%,                            -- who set it
    state      TEXT NOT NULL DEFAULT 'open'
               CHECK (state IN ('open', 'done', 'cancelled')),
    fired_at   %I64%,
    created_at %I64% NOT NULL,
    updated_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX reminders_contact ON reminders (contact_id, id);
CREATE INDEX reminders_state ON reminders (state, remind_at, id);
CREATE INDEX reminders_due ON reminders (remind_at, id)
    WHERE state = 'open' AND fired_at IS NULL;

-- What a gateway said of a number, as JSON, for a day.
CREATE TABLE contact_info (
    session_id %I64% NOT NULL,
    phone      TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('info', 'check', 'picture')),
    value      TEXT NOT NULL,
    fetched_at %I64% NOT NULL,
    PRIMARY KEY (session_id, phone, kind)
) %STRICT%;
CREATE INDEX contact_info_fetched ON contact_info (fetched_at);

-- One contact taken into another. user_id: null where a gateway told that
-- both are one.
CREATE TABLE merges (
    id         %ID%,
    into_id    %I64% NOT NULL,
    from_id    %I64% NOT NULL,
    user_id    %I64%,
    created_at %I64% NOT NULL,
    undone_at  %I64%,
    undone_by  %I64%
) %STRICT%;
CREATE INDEX merges_into ON merges (into_id, id);
CREATE INDEX merges_from ON merges (from_id, id);

-- Both contacts as they were before, but what is computed from their rows.
CREATE TABLE merge_contacts (
    merge_id    %I64% NOT NULL REFERENCES merges (id),
    contact_id  %I64% NOT NULL,
    phone       TEXT NOT NULL,
    phone_typed TEXT,
    name        TEXT NOT NULL,
    opted_out   %FLAG% NOT NULL,
    vip         %FLAG% NOT NULL,
    pledge      %FLAG% NOT NULL,
    donor       %FLAG% NOT NULL,
    talk_points %REAL% NOT NULL,
    talk_at     %I64% NOT NULL,
    talk_day    %I64%,
    talk_read_day %I64%,
    segment     TEXT NOT NULL,
    created_at  %I64% NOT NULL,
    PRIMARY KEY (merge_id, contact_id)
) %STRICT%;

-- Chats of the one that went: target_id is the chat that took its messages,
-- null where the chat itself moved.
CREATE TABLE merge_chats (
    merge_id   %I64% NOT NULL REFERENCES merges (id),
    chat_id    %I64% NOT NULL,
    target_id  %I64%,
    session_id %I64% NOT NULL,
    unread     %I64% NOT NULL,
    starred    %FLAG% NOT NULL,
    target_starred %FLAG% NOT NULL,
    PRIMARY KEY (merge_id, chat_id)
) %STRICT%;

CREATE INDEX merge_chats_target ON merge_chats (target_id);

CREATE TABLE merge_rows (
    merge_id %I64% NOT NULL REFERENCES merges (id),
    kind     TEXT NOT NULL CHECK (kind IN ('message', 'donation', 'segment',
                                           'note', 'reminder', 'consent')),
    row_id   %I64% NOT NULL,
    chat_id  %I64%,                              -- messages: where they were
    PRIMARY KEY (merge_id, kind, row_id)
) %STRICT%;

CREATE TABLE merge_aliases (
    merge_id %I64% NOT NULL REFERENCES merges (id),
    alias    TEXT NOT NULL,
    made     %FLAG% NOT NULL,                    -- by the merge: the phone
    PRIMARY KEY (merge_id, alias)
) %STRICT%;
