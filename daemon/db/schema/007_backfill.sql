-- 007: what has been fetched of a gateway's history: one row for the last run
-- of each session, and one for each chat of it, so that a crash resumes.
CREATE TABLE backfills (
    session_id   %I64% NOT NULL PRIMARY KEY REFERENCES sessions (id),
    state        TEXT NOT NULL
                 CHECK (state IN ('chats', 'messages', 'done', 'failed')),
    deep         %FLAG% NOT NULL,         -- none has ended well before
    page         %I64% NOT NULL DEFAULT 0, -- of the list of chats, fetched
    messages     %I64% NOT NULL DEFAULT 0, -- new ones
    left_out     %I64% NOT NULL DEFAULT 0, -- lines that could not be used
    failures     %I64% NOT NULL DEFAULT 0, -- calls in a row
    not_before   %I64% NOT NULL DEFAULT 0,
    error        TEXT,                     -- of the last failure
    requested_at %I64% NOT NULL,
    updated_at   %I64% NOT NULL,
    finished_at  %I64%
) %STRICT%;
CREATE INDEX backfills_open ON backfills (requested_at, session_id)
    WHERE state IN ('chats', 'messages');

CREATE TABLE backfill_chats (
    id         %ID%,
    session_id %I64% NOT NULL REFERENCES sessions (id),
    jid        TEXT NOT NULL,              -- the gateway's id of the chat
    page       %I64% NOT NULL DEFAULT 0,  -- fetched
    oldest     %I64% NOT NULL DEFAULT 0,  -- message of that page
    failures   %I64% NOT NULL DEFAULT 0,
    done       %FLAG% NOT NULL DEFAULT 0,
    UNIQUE (session_id, jid)
) %STRICT%;
CREATE INDEX backfill_chats_open ON backfill_chats (session_id, id)
    WHERE done = 0;
