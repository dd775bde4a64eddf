-- 002: what is known of a session's health. wanted: it is to be connected; 0
-- where a user has disconnected it. down_since: when it left connected, NULL
-- while it is there, or was never.
ALTER TABLE sessions ADD COLUMN wanted %FLAG% NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN down_since %I64%;
UPDATE sessions SET down_since = updated_at
    WHERE status <> 'connected' AND phone_number IS NOT NULL;
