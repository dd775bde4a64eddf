-- 011: who waits for an answer is counted from the index alone.
DROP INDEX chats_inbox;
CREATE INDEX chats_inbox ON chats (session_id, last_ts, id, last_direction);
