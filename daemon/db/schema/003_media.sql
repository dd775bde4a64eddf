-- 003: files. A row of media is a file as somebody sent or uploaded it; the
-- bytes lie once below the media directory, by their hash.

CREATE TABLE media (
    id         %ID%,
    public_id  TEXT NOT NULL UNIQUE,              -- on the wire: 32 hex digits
    hash       TEXT NOT NULL,                     -- hex SHA-256 of the bytes
    size       %I64% NOT NULL,
    mime       TEXT NOT NULL,                     -- by the bytes, base/sniff.h
    filename   TEXT,
    user_id    %I64%,                            -- who uploaded it
    used       %FLAG% NOT NULL DEFAULT 0,       -- a message has it
    created_at %I64% NOT NULL
) %STRICT%;
CREATE INDEX media_hash ON media (hash);
CREATE INDEX media_unused ON media (created_at) WHERE used = 0;

-- fetch_state: 0 nothing to do, 1 to be fetched, 2 given up
ALTER TABLE message_media ADD COLUMN media_id %I64%;
ALTER TABLE message_media ADD COLUMN fetch_state %FLAG% NOT NULL DEFAULT 0;
ALTER TABLE message_media ADD COLUMN fetch_tries %I64% NOT NULL DEFAULT 0;
ALTER TABLE message_media ADD COLUMN fetch_at %I64% NOT NULL DEFAULT 0;
ALTER TABLE message_media ADD COLUMN fetch_error TEXT;
CREATE INDEX message_media_file ON message_media (media_id)
    WHERE media_id IS NOT NULL;
CREATE INDEX message_media_fetch ON message_media (fetch_at)
    WHERE fetch_state = 1;
UPDATE message_media SET fetch_state = 1 WHERE remote_url IS NOT NULL;
