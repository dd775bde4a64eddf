-- The socket that caused an event is left out when it is told (X-Socket-ID).
ALTER TABLE events ADD COLUMN socket TEXT;
