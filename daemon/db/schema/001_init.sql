-- 001: the tables of wacrm. One source for every backend: db/migrate.c puts
-- its words for %ID%, %I64%, %FLAG%, %REAL%, %BYTES% and %STRICT%.
-- Times are milliseconds since 1970 UTC, days are days since 1970-01-01,
-- money is integer rupiah, flags are 0 or 1.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) %STRICT%;

-- event_seq: number of the last row in events
CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value %I64% NOT NULL
) %STRICT%;
INSERT INTO counters (name, value) VALUES ('event_seq', 0);

-- How far each spool has been applied, in the transaction of its effects.
CREATE TABLE spool_positions (
    id       %ID%,
    spool_id TEXT NOT NULL UNIQUE,
    position %I64% NOT NULL,
    updated_at %I64% NOT NULL
) %STRICT%;

CREATE TABLE users (
    id            %ID%,
    name          TEXT NOT NULL,
    email         TEXT NOT NULL UNIQUE,           -- lower case
    password_hash TEXT NOT NULL,                  -- crypt(3)
    role          TEXT NOT NULL CHECK (role IN ('cs', 'supervisor', 'admin')),
    active        %FLAG% NOT NULL DEFAULT 1,
    active_session_id %I64%,                     -- sessions.id
    not_before    %I64% NOT NULL DEFAULT 0,      -- s; older tokens: revoked
    created_at    %I64% NOT NULL,
    updated_at    %I64% NOT NULL
) %STRICT%;

-- A family is one sign-in; using a used token revokes the family.
CREATE TABLE refresh_tokens (
    id         %ID%,
    user_id    %I64% NOT NULL REFERENCES users (id),
    family     TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,              -- hex SHA-256
    created_at %I64% NOT NULL,
    expires_at %I64% NOT NULL,
    used_at    %I64%,
    revoked_at %I64%,
    access_jti TEXT NOT NULL,                     -- issued beside it
    access_exp %I64% NOT NULL                    -- s
) %STRICT%;
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at);

-- The truth about revoked access tokens; copied into the local spool.
CREATE TABLE revoked_tokens (
    kind       TEXT NOT NULL CHECK (kind IN ('jti', 'sub')),
    id         TEXT NOT NULL,
    not_before %I64% NOT NULL,                   -- s; kind sub
    expires_at %I64% NOT NULL,                   -- s
    PRIMARY KEY (kind, id)
) %STRICT%;
CREATE INDEX revoked_tokens_expires ON revoked_tokens (expires_at);

-- A gateway account: [gateway NAME] of wacrmd.conf.
CREATE TABLE accounts (
    id         %ID%,
    name       TEXT NOT NULL UNIQUE,
    token      TEXT,                              -- bearer of the gateway
    token_expires_at %I64%
) %STRICT%;

-- A WhatsApp number inside an account.
CREATE TABLE sessions (
    id            %ID%,
    account_id    %I64% NOT NULL REFERENCES accounts (id),
    remote_id     TEXT NOT NULL,                  -- the gateway's name of it
    session_id    TEXT NOT NULL UNIQUE,           -- on the wire
    user_id       %I64% REFERENCES users (id),   -- owner
    everyone      %FLAG% NOT NULL DEFAULT 0,    -- every CS is a member
    name          TEXT NOT NULL,
    status        TEXT NOT NULL DEFAULT 'disconnected'
                  CHECK (status IN ('connected', 'connecting',
                                    'disconnected')),
    raw_status    TEXT,
    phone_number  TEXT,
    last_activity %I64%,
    created_at    %I64% NOT NULL,
    updated_at    %I64% NOT NULL,
    UNIQUE (account_id, remote_id)
) %STRICT%;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE session_members (
    session_id %I64% NOT NULL REFERENCES sessions (id),
    user_id    %I64% NOT NULL REFERENCES users (id),
    PRIMARY KEY (user_id, session_id)
) %STRICT%;
CREATE INDEX session_members_session ON session_members (session_id);

-- A person. phone: canonical digits, or the alias where no phone is known.
-- The gift_* columns are kept in the transaction of each donation; the cal_*
-- columns move with the calendar and count until valid_until (day). The score
-- moves daily and is computed from them as it is read.
CREATE TABLE contacts (
    id          %ID%,
    phone       TEXT NOT NULL UNIQUE,
    phone_typed TEXT,                             -- as a person typed it
    name        TEXT NOT NULL,                    -- never empty
    opted_out   %FLAG% NOT NULL DEFAULT 0,
    vip         %FLAG% NOT NULL DEFAULT 0,      -- set by hand
    pledge      %FLAG% NOT NULL DEFAULT 0,      -- active recurring pledge
    donor       %FLAG% NOT NULL DEFAULT 0,      -- known as donor on the wire
    gift_sum    %I64% NOT NULL DEFAULT 0,
    gift_count  %I64% NOT NULL DEFAULT 0,
    gift_max    %I64% NOT NULL DEFAULT 0,
    gift_first  %I64%,                           -- day
    gift_last   %I64%,                           -- day
    gift_best_year %I64% NOT NULL DEFAULT 0,     -- highest sum of one year
    talk_points %REAL% NOT NULL DEFAULT 0, -- p of M22, at talk_at
    talk_at     %I64% NOT NULL DEFAULT 0,
    talk_day    %I64%,                           -- last day they wrote
    talk_read_day %I64%,                         -- last day they read
    cal_n24     %I64% NOT NULL DEFAULT 0,
    cal_s24     %I64% NOT NULL DEFAULT 0,
    cal_s12     %I64% NOT NULL DEFAULT 0,
    cal_s12_before %I64% NOT NULL DEFAULT 0,
    cal_older   %FLAG% NOT NULL DEFAULT 0,      -- gave 366-730 days ago
    segment     TEXT NOT NULL DEFAULT 'New',
    valid_until %I64% NOT NULL DEFAULT 0,        -- day
    created_at  %I64% NOT NULL,
    updated_at  %I64% NOT NULL
) %STRICT%;
CREATE INDEX contacts_valid ON contacts (valid_until, id)
    WHERE gift_count > 0;

-- Other ids of the same person: LID, BSUID.
CREATE TABLE contact_aliases (
    alias      TEXT NOT NULL PRIMARY KEY,
    contact_id %I64% NOT NULL REFERENCES contacts (id)
) %STRICT%;
CREATE INDEX contact_aliases_contact ON contact_aliases (contact_id);

CREATE TABLE chats (
    id         %ID%,
    session_id %I64% NOT NULL REFERENCES sessions (id),
    contact_id %I64% NOT NULL REFERENCES contacts (id),
    last_message_id %I64%,
    last_ts    %I64% NOT NULL DEFAULT 0,
    last_direction %FLAG% NOT NULL DEFAULT 0,    -- of the last message
    unread     %I64% NOT NULL DEFAULT 0,
    starred    %FLAG% NOT NULL DEFAULT 0,
    failed     %I64% NOT NULL DEFAULT 0,         -- failed or unknown sends
    UNIQUE (session_id, contact_id)
) %STRICT%;
CREATE INDEX chats_inbox ON chats (session_id, last_ts, id);
CREATE INDEX chats_unread ON chats (session_id, last_ts, id, unread)
    WHERE unread > 0;
CREATE INDEX chats_starred ON chats (session_id, last_ts, id)
    WHERE starred = 1;
CREATE INDEX chats_failed ON chats (session_id, last_ts, id)
    WHERE failed > 0;
CREATE INDEX chats_contact ON chats (contact_id);

-- wa_id: the bare WhatsApp message id; NULL until the gateway has told it.
CREATE TABLE messages (
    id         %ID%,
    session_id %I64% NOT NULL,
    chat_id    %I64% NOT NULL REFERENCES chats (id),
    direction  %FLAG% NOT NULL,                 -- 0 incoming, 1 outgoing
    wa_id      TEXT,
    ts         %I64% NOT NULL,
    type       TEXT NOT NULL,
    body       TEXT NOT NULL,
    status     %FLAG% NOT NULL,                 -- domain/status.h
    source     TEXT,                              -- outgoing: agent auto ...
    cs_id      %I64%,
    reply_to   %I64%,
    error_code TEXT,
    error_title TEXT,
    edited_at  %I64%,
    deleted_at %I64%,
    created_at %I64% NOT NULL
) %STRICT%;
CREATE UNIQUE INDEX messages_wa ON messages (session_id, direction, wa_id)
    WHERE wa_id IS NOT NULL;
CREATE INDEX messages_chat ON messages (chat_id, ts, id);

CREATE TABLE message_media (
    message_id %I64% NOT NULL PRIMARY KEY REFERENCES messages (id),
    remote_url TEXT,
    mime       TEXT,
    filename   TEXT,
    size       %I64%
) %STRICT%;

CREATE TABLE reactions (
    message_id %I64% NOT NULL REFERENCES messages (id),
    sender     TEXT NOT NULL,                     -- phone or alias
    emoji      TEXT NOT NULL,
    ts         %I64% NOT NULL,
    PRIMARY KEY (message_id, sender)
) %STRICT%;

-- A status, reaction, edit or delete that came before its message.
CREATE TABLE parked (
    id         %ID%,
    session_id %I64% NOT NULL,
    wa_id      TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('status', 'reaction', 'edit',
                                             'delete')),
    payload    TEXT NOT NULL,                     -- JSON, domain/parked.c
    created_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX parked_wa ON parked (session_id, wa_id);
CREATE INDEX parked_created ON parked (created_at);

CREATE TABLE donations (
    id         %ID%,
    contact_id %I64% NOT NULL REFERENCES contacts (id),
    amount     %I64% NOT NULL,
    gift_day   %I64% NOT NULL,
    fund       TEXT,
    campaign   TEXT,
    method     TEXT,
    ref        TEXT UNIQUE,
    note       TEXT,
    status     TEXT NOT NULL,                     -- confirmed pledged void ...
    cs_id      %I64%,
    created_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX donations_contact
    ON donations (contact_id, status, gift_day, amount);

-- A change of segment is an event (M32).
CREATE TABLE segment_changes (
    id         %ID%,
    contact_id %I64% NOT NULL REFERENCES contacts (id),
    from_segment TEXT NOT NULL,
    to_segment TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX segment_changes_contact ON segment_changes (contact_id);

-- What has to leave: domain/delivery.h says what the states mean.
CREATE TABLE outbox (
    id         %ID%,
    kind       TEXT NOT NULL CHECK (kind IN ('message', 'read')),
    message_id %I64%,                            -- kind message
    session_id %I64% NOT NULL,
    chat_id    %I64% NOT NULL,
    state      %FLAG% NOT NULL,
    attempts   %I64% NOT NULL DEFAULT 0,
    attempt_id TEXT,                              -- of the one in flight
    not_before %I64% NOT NULL,
    deadline   %I64%,                            -- unknown holds until then
    first      %FLAG% NOT NULL DEFAULT 0,       -- first message to them
    reason     TEXT,
    created_at %I64% NOT NULL,
    updated_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX outbox_open ON outbox (session_id, chat_id, id)
    WHERE state < 4;
CREATE INDEX outbox_message ON outbox (message_id);
CREATE INDEX outbox_state ON outbox (state, updated_at);

CREATE TABLE idempotency (
    user_id    %I64% NOT NULL,
    key        TEXT NOT NULL,
    request    TEXT NOT NULL,                     -- hex SHA-256
    status     %I64% NOT NULL,
    response   TEXT NOT NULL,
    created_at %I64% NOT NULL,
    PRIMARY KEY (user_id, key)
) %STRICT%;
CREATE INDEX idempotency_created ON idempotency (created_at);

-- The bytes as they came, redacted, for raw_retention days. Written in order
-- and deleted from its oldest end: it needs no index but the key.
CREATE TABLE raw_events (
    id          %ID%,
    spool       %I64% NOT NULL,                  -- spool_positions.id
    seq         %I64% NOT NULL,
    received_at %I64% NOT NULL,
    record      %BYTES% NOT NULL                  -- spool record
) %STRICT%;

CREATE TABLE dead_letters (
    id          %ID%,
    spool_id    TEXT NOT NULL,
    seq         %I64% NOT NULL,
    source      TEXT NOT NULL,
    received_at %I64% NOT NULL,
    code        TEXT NOT NULL,                    -- parse, source, constraint
    reason      TEXT NOT NULL,
    record      %BYTES% NOT NULL,
    state       TEXT NOT NULL DEFAULT 'open'
                CHECK (state IN ('open', 'replayed', 'dropped')),
    created_at  %I64% NOT NULL,
    updated_at  %I64% NOT NULL,
    UNIQUE (spool_id, seq)
) %STRICT%;
CREATE INDEX dead_letters_state ON dead_letters (state, id);

-- Every stored change, in commit order; slim: the reader renders.
CREATE TABLE events (
    seq        %I64% NOT NULL,
    kind       %FLAG% NOT NULL,                 -- domain/event.h
    session_id %I64% NOT NULL,
    chat_id    %I64%,
    ref        %I64%,                            -- message, reminder ...
    created_at %I64% NOT NULL,
    PRIMARY KEY (seq)
) %STRICT%;
