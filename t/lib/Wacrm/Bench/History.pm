package Wacrm::Bench::History;

# A desk that has been at work for long: N messages at 1,440 a day, N/10 donors
# with two gifts each, four sessions, forty agents. It is made once for each
# schema and day, kept below build/bench, and copied.

use strict;
use warnings;

use Digest::MD5 ();
use Exporter qw(import);
use File::Path qw(make_path remove_tree);
use Time::HiRes qw(sleep time);

use Wacrm::Bench;
use Wacrm::Desk;
use Wacrm::Jwt;

our @EXPORT = qw(history_desk agent_tokens trickle phone_of);

my $AGENTS = 40;
my $SESSIONS = 4;
my $JWT_SECRET = 'jwt-secret-of-the-test-0000000001';

sub digest_of {
    my $md5 = Digest::MD5->new;
    for my $file (sort(glob "$ROOT/daemon/db/schema/*.sql"),
        "$ROOT/t/bench/search.c", __FILE__) {
        open my $fh, '<', $file or die "bench: $file: $!\n";
        $md5->addfile($fh);
    }
    return substr $md5->hexdigest, 0, 8;
}

# What the tool has made are words, people and chats; here they become an
# office's.
sub office_sql {
    my ($n) = @_;

    my $now = int(time) * 1000;
    my $today = int((time + 7 * 3600) / 86400);
    my $month = $n > 43_200 ? $n - 43_200 : 0;    # what is kept of events
    return <<"EOC";
PRAGMA synchronous = OFF; PRAGMA cache_size = -64000; BEGIN;
UPDATE accounts SET name = 'main' WHERE name = 'seed';
UPDATE sessions SET status = 'connected';
UPDATE sessions SET remote_id = 'demo', session_id = 'demo' WHERE id = 1;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
    WHERE i < $AGENTS)
INSERT INTO users (name, email, password_hash, role, created_at, updated_at)
    SELECT 'CS ' || i, 'agent' || i || '\@test.example', u.password_hash,
        CASE i % 8 WHEN 0 THEN 'supervisor' ELSE 'cs' END, 0, 0
    FROM n, users u WHERE u.email = 'cs1\@test.example';
INSERT INTO session_members SELECT s.id, u.id FROM users u, sessions s
    WHERE u.email LIKE 'agent%'
    AND (s.id = 1 + u.id % 4 OR s.id = 1 + u.id / 4 % 4);
UPDATE messages SET ts = $now - ($n - id) * 60000,
    created_at = $now - ($n - id) * 60000, direction = (id % 3 = 0),
    status = 3 + (id % 3 = 0),
    source = CASE WHEN id % 3 = 0 THEN 'agent' END;
UPDATE chats SET (last_message_id, last_ts, last_direction) =
    (SELECT id, ts, direction FROM messages WHERE chat_id = chats.id
     ORDER BY ts DESC, id DESC LIMIT 1)
    WHERE id IN (SELECT chat_id FROM messages);
UPDATE chats SET starred = (id % 20 = 0),
    unread = (id % 7 = 0 AND last_direction = 0) * (1 + id % 3);
INSERT INTO donations (contact_id, amount, gift_day, fund, campaign, method,
    ref, status, created_at)
    SELECT k.id, 50000 * (1 + k.id % 40),
        $today - 1 - (k.id * 7 + g.n * 211) % 1400, 'Zakat', 'Ramadan', 'qris',
        'B-' || k.id || '-' || g.n, 'confirmed', 0
    FROM contacts k, (SELECT 1 AS n UNION ALL SELECT 2) g;
UPDATE contacts SET donor = 1,
    (gift_sum, gift_count, gift_max, gift_first, gift_last, gift_best_year) =
    (SELECT sum(amount), count(*), max(amount), min(gift_day), max(gift_day),
        max(amount) FROM donations d WHERE d.contact_id = contacts.id);
DELETE FROM events;
INSERT INTO events (seq, kind, session_id, chat_id, ref, created_at)
    SELECT id - $month, 1 + direction, session_id, chat_id, id, created_at
    FROM messages WHERE id > $month;
UPDATE counters SET value = $n - $month WHERE name = 'event_seq';
INSERT INTO spool_positions (spool_id, position, updated_at)
    VALUES ('bench', $n, 0);
INSERT INTO raw_events (spool, seq, received_at, record)
    SELECT 1, id, created_at, randomblob(700)
    FROM messages WHERE id > $month;
INSERT INTO outbox (kind, message_id, session_id, chat_id, state, not_before,
    created_at, updated_at)
    SELECT 'message', id, session_id, chat_id, 4, created_at, created_at,
        created_at FROM messages WHERE id > $month AND direction = 1;
COMMIT;
EOC
}

sub make_history {
    my ($n, $to) = @_;

    my $begin = time;
    my $d = Wacrm::Desk->new(nginx_options => { level => 'notice' },
        wacrmd => sub { s/^log_level = debug$/log_level = info/m });
    make_path("$to.new/queries");
    system("$TOOLS/search", $n, 400, $d->{db}, "$to.new/queries") == 0
        or die "bench: no history\n";
    $d->change(office_sql($n));
    $d->start;
    $d->wait_for(sub {
        my $m = $d->{nginx}->metrics('/metrics/wacrmd');
        return 0 if !defined $m->{wacrm_search_lag_messages}
            || $m->{wacrm_search_lag_messages} > 0;
        return $d->sql('SELECT NOT EXISTS (SELECT 1 FROM contacts WHERE'
            . ' gift_count > 0 AND valid_until = 0)');
    }, 600) or die "bench: the history is not indexed\n";
    sleep 2;    # its parts are put together
    $d->wacrmd_stop;
    $d->sim_stop;
    $d->{nginx}->stop;
    system('cp', "$d->{dir}/wacrm.db", "$d->{dir}/search.db", "$to.new") == 0
        or die "bench: $to cannot be kept\n";
    remove_tree($d->{dir});
    rename "$to.new", $to or die "bench: $to: $!\n";
    say_(sprintf 'history of %d messages made in %.0fs', $n, time - $begin);
}

# Not started yet; $d->{queries} has files of lines to search for.
sub history_desk {
    my ($n, %opt) = @_;

    my $day = int(time / 86400);
    my $kept = "$ROOT/build/bench/" . digest_of() . "-$day-$n";
    for my $old (glob "$ROOT/build/bench/*-*-*") {
        remove_tree($old) if $old !~ /\b@{[digest_of()]}-$day-/;
    }
    make_history($n, $kept) if !-d $kept;
    my ($wacrmd, $nginx) = delete @opt{qw(wacrmd nginx)};
    my $d = Wacrm::Desk->new(agents => 0,
        nginx_options => { workers => 2, level => 'notice',
            events => 'worker_connections 2048;' },
        wacrmd => sub {
            s/^log_level = debug$/log_level = info/m;
            $wacrmd->() if $wacrmd;
        },
        nginx => sub {
            s/^(    server \{\n)/    keepalive_requests 10000000;\n$1/m;
            $nginx->() if $nginx;
        }, %opt);
    system('cp', "$kept/wacrm.db", "$kept/search.db", $d->{dir}) == 0
        or die "bench: no copy of $kept\n";
    $d->{queries} = "$kept/queries";
    return $d;
}

# id => access token, as wacrmd would have issued them: it lets nobody sign in
# so often.
sub agent_tokens {
    my ($d) = @_;

    return map { ($_->[0] => hs_token($JWT_SECRET, claims(sub => "$_->[0]",
        jti => "bench-$_->[0]", iat => int time, exp => 36_000 + int time,
        iss => 'wacrm', aud => 'wacrm', role => $_->[1],
        token_use => 'access'))) }
        $d->sql("SELECT id, role FROM users WHERE email LIKE 'agent%'");
}

# Of the contact with this id, as the tool has numbered them.
sub phone_of { sprintf '628%010d', ($_[0] - 1) * 7919 }

# Messages of people who have written before, to all sessions, from a process
# of its own, until it is killed.
sub trickle {
    my ($d, $per_second, $contacts) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    $0 = 'bench trickle';
    my $begin = time;
    for (my $i = 0; ; $i++) {
        my $id = 1 + $i * 613 % $contacts;
        my $session = $id % $SESSIONS + 1;
        $d->webhook({ event => 'message.received', data => {
            sessionId => $session == 1 ? 'demo' : "cs-$session",
            from => phone_of($id), pushName => 'Donatur',
            message => "pesan baru $i", id => sprintf('3EB0T%d%09d', $$, $i),
            timestamp => int(time) } });
        my $left = $begin + $i / $per_second - time;
        sleep $left if $left > 0;
    }
}

1;
