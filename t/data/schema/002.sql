UPDATE sessions SET wanted = 0, down_since = 1234 WHERE id = 2;
