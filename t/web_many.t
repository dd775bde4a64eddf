#!/usr/bin/env perl
# The desk with ten thousand chats, and with a long one.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

plan skip_all => 'says nothing of wacrmd that bench does not'
    if $ENV{WACRM_SANITIZED};

my $chats = 10000;
my $d = Wacrm::Browser::desk->start;
$d->change(<<"EOT");
BEGIN IMMEDIATE;
CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
    SELECT i + 1 FROM n WHERE i < $chats) SELECT i,
    (SELECT max(id) FROM contacts) AS c, (SELECT max(id) FROM chats) AS h,
    (SELECT max(id) FROM messages) AS m,
    (SELECT id FROM sessions WHERE session_id = 'demo') AS s,
    1000 * (strftime('%s', 'now') - i) AS t FROM n;
INSERT INTO contacts (id, phone, name, created_at, updated_at)
    SELECT coalesce(c, 0) + i, '62815' || printf('%08d', i), 'Donatur ' || i,
    t, t FROM n;
INSERT INTO chats (id, session_id, contact_id, last_ts, unread, live)
    SELECT coalesce(h, 0) + i, s, coalesce(c, 0) + i, t, i % 50 = 0, 1 FROM n;
INSERT INTO messages (id, session_id, chat_id, direction, wa_id, ts, type,
    body, status, created_at) SELECT coalesce(m, 0) + i, s, coalesce(h, 0) + i,
    0, 'FILL' || i, t, 'text', 'pesan dari donatur ' || i, 3, t FROM n;
UPDATE chats SET last_message_id = (SELECT id FROM messages
    WHERE chat_id = chats.id) WHERE last_message_id IS NULL;
-- and one long conversation, that of the newest chat
INSERT INTO messages (session_id, chat_id, direction, wa_id, ts, type, body,
    status, created_at) SELECT s, coalesce(h, 0) + 1, i % 2, 'LONG' || i,
    t - 60000, 'text', 'baris ' || (1000 - i), 3, t FROM n WHERE i <= 600;
-- and a very long one, of years, that of the second
INSERT INTO messages (session_id, chat_id, direction, wa_id, ts, type, body,
    status, created_at) SELECT s, coalesce(h, 0) + 2, 0, 'YEARS' || i,
    t - 90000, 'text', CASE i WHEN 3600 THEN 'wakaf sumur di Gunungkidul'
    ELSE 'catatan ' || (5000 - i) END, 3, t FROM n WHERE i <= 4000;
COMMIT;
EOT
is($d->sql('SELECT count(*) FROM chats'), $chats, "$chats chats");
Wacrm::Browser::run($d, 'many.mjs', chats => $chats);
$d->sound;
$d->done;
