-- a change that the index has not taken in yet
UPDATE messages SET body = 'infak rahasia sekali' WHERE id = 5;
