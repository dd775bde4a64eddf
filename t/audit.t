#!/usr/bin/perl
# Who did what is kept, and cannot be changed; what is kept of a person is
# told or erased.

use strict;
use warnings;
use Test::More;
use POSIX qw(WNOHANG);
use Time::HiRes qw(time);
use lib 't/lib';
use Wacrm::Agents;
use Wacrm::Desk;

my $d = Wacrm::Desk->new(wacrmd => sub {
    s/^welcome = .*/welcome = off/m or die;
})->start;
my $cs = $d->login('cs1@test.example');
my $lead = $d->login('supervisor@test.example');
my $admin = $d->login('admin@test.example');
my $n = 0;

sub api {
    my ($token, $method, $path, @more) = @_;
    return expect($d, $token, $method => "/api/$path", @more);
}

sub audit { api($admin, GET => "crm/audit?$_[0]", undef, 200, "audit $_[0]") }

# MB of wacrmd's own.
sub anonymous {
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/status' or return 0;
    my ($kb) = join('', <$fh>) =~ /^RssAnon:\s+(\d+) kB/m;
    return $kb / 1024;
}

sub hears {
    my ($phone, $text, %more) = @_;
    is($d->event('message.received', { from => $phone, pushName => 'Budi Rahasia',
        message => $text, id => 'A' . ++$n . 'ABCDEF', timestamp => int(time * 1000),
        %more }), 200, "they write \"$text\"");
    ok($d->applied, 'taken in');
}

# ---- what is noted ----

api($cs, GET => 'crm/audit', undef, 403, 'not for a CS');
api($lead, GET => 'crm/audit', undef, 403, 'nor a supervisor');
my $j = audit('action=user.add');
is(scalar @{$j->{data}}, 4, 'the users that wacrmctl made');
is($j->{data}[0]{who}, 'wacrmctl', 'by it');
api(undef, POST => 'auth/login', { email => 'cs1@test.example',
    password => 'wrong-word' }, 401, 'a wrong password');
is(audit('action=login.failed')->{data}[0]{detail}, 'c***@test.example',
    'noted, the address masked');
is(scalar @{audit('action=login')->{data}}, 3, 'three have signed in');

my $budi = '6281111111111';
hears($budi, 'halo rahasia');
my $id = api($cs, POST => 'crm/messages/send', { phone => $budi,
    message => 'Terima kasih rahasia' }, 200, 'an answer')->{data}{id};
ok($d->wait_for(sub {
    $d->sql("SELECT state FROM outbox WHERE message_id = $id") == 4 }), 'sent');
my $chat = $d->sql("SELECT chat_id FROM messages WHERE id = $id");
api($cs, POST => "crm/inbox/$chat/star", undef, 200, 'a star');
api($cs, POST => "crm/inbox/$chat/read", undef, 200, 'read');
api($cs, POST => "crm/contacts/$budi/donations", { amount => 50000,
    ref => 'TRX-1', note => 'dari Budi rahasia' }, 201, 'a gift');
api($cs, POST => "crm/contacts/$budi/notes", { note => 'catatan rahasia' },
    201, 'a note');
api($cs, POST => "crm/contacts/$budi/reminders", { note => 'ingat rahasia',
    remind_at => '2099-01-01T00:00:00Z' }, 201, 'a reminder');
hears($budi, 'BERHENTI');
$j = audit("contact=$budi");
is(join(' ', map { $_->{action} } @{$j->{data}}),
    'consent.opt_out reminder.add note.add donation.add chat.star'
    . ' message.send', 'all of it');
is($j->{data}[5]{user}, 'Cs1', 'by whom');
is($j->{data}[5]{object_id}, $id, 'which message');
is($j->{data}[5]{session_id}, 'demo', 'where');
is($j->{data}[0]{who}, 'system', 'a STOP is taken down by wacrmd');
is($d->sql("SELECT count(*) FROM audit WHERE detail LIKE '%rahasia%'"), 0,
    'no words of a message');
my $user = $j->{data}[3]{user_id};
is(scalar @{audit("user=$user&action=chat.star")->{data}}, 1, 'two filters');
$j = audit('limit=2');
is(scalar @{$j->{data}}, 2, 'a page');
ok($j->{meta}{hasMore}, 'not the last');
my $next = audit("limit=2&before=$j->{meta}{next}");
cmp_ok($next->{data}[0]{id}, '<', $j->{data}[1]{id}, 'the next');
is_deeply(audit('contact=6289999999999')->{data}, [], 'of nobody');
api($admin, GET => 'crm/audit?user=x', undef, 422, 'no such user');
my ($rc) = $d->ctl(['user', 'passwd', 'cs2@test.example'], "kata-sandi-baru\n");
is($rc, 0, 'wacrmctl changes a password');
is(audit('action=user.password')->{data}[0]{who}, 'wacrmctl', 'noted');
for my $sql ('UPDATE audit SET who = "x"', 'DELETE FROM audit') {
    my $out = `sqlite3 -batch -cmd '.timeout 30000' $d->{db} '$sql' 2>&1`;
    like($out, qr/append-only/, "$sql: refused");
}

# ---- told ----

api($lead, GET => "crm/contacts/$budi/export", undef, 403, 'for admins');
$j = api($admin, GET => "crm/contacts/$budi/export", undef, 200, 'export');
is($j->{contact}{phone}, $budi, 'the contact');
is(join('|', map { $_->{message} } @{$j->{chats}[0]{messages}}),
    'halo rahasia|Terima kasih rahasia|BERHENTI', 'the messages, in order');
is($j->{donations}[0]{amount}, 50000, 'gifts');
is($j->{notes}[0]{note}, 'catatan rahasia', 'notes');
is(scalar @{$j->{reminders}}, 1, 'reminders');
ok($j->{consent}{opted_out}, 'consent');
is(audit('action=contact.export')->{data}[0]{phone}, $budi, 'noted');

# a long chat is told whole
$d->change("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
    . " WHERE n < 450) INSERT INTO messages (session_id, chat_id, direction,"
    . " ts, type, body, status, created_at) SELECT session_id, id, 0, n * 1000,"
    . " 'text', 'm' || n, 3, 0 FROM i, chats WHERE id = $chat");
$j = api($admin, GET => "crm/contacts/$budi/export", undef, 200, 'export');
my @texts = map { $_->{message} } @{$j->{chats}[0]{messages}};
is(scalar @texts, 453, 'every message');
is("@texts[0, 199, 200, 449]", 'm1 m200 m201 m450', 'oldest first');

# one of any size does not lie in memory: 40 MB
$d->change("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
    . " WHERE n < 10000) INSERT INTO messages (session_id, chat_id, direction,"
    . " ts, type, body, status, created_at) SELECT session_id, id, 0, n * 1000,"
    . " 'text', 'besar' || hex(zeroblob(2000)), 3, 0 FROM i, chats"
    . " WHERE id = $chat");
my ($most, $size) = (0, 0);
{
    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $r = $d->{nginx}->request(GET => "/api/crm/contacts/$budi/export",
            timeout => 60, headers => { Authorization => "Bearer $admin" });
        print length $r->{body};
        POSIX::_exit(0) if close STDOUT;
    }
    my $before = anonymous();
    while (waitpid($pid, WNOHANG) == 0) {
        my $mb = anonymous() - $before;
        $most = $mb if $mb > $most;
        select undef, undef, undef, 0.002;
    }
    $size = <$out> // 0;
}
cmp_ok($size, '>', 40_000_000, 'a long chat is told whole');
SKIP: {
    skip 'sanitizers have memory of their own', 1 if $ENV{WACRM_SANITIZED};
    cmp_ok($most, '<', 12, sprintf 'with %.1f MB of memory', $most);
}
$d->change("DELETE FROM messages WHERE body LIKE 'besar%'");

# ---- erased ----

# whose number holds theirs must stay
my $other = "${budi}2";
hears($other, 'orang lain', pushName => 'Orang');
# what was misread names them, too
$d->change("INSERT INTO dead_letters (spool_id, seq, source, received_at, code,"
    . " reason, record, created_at, updated_at) VALUES ('s', 1, 'main', 0,"
    . " 'parse', 'x', CAST('{\"from\":\"$budi\@c.us\"}' AS BLOB), 0, 0)");
my $raws = $d->sql("SELECT count(*) FROM raw_events WHERE length(record) = 0");
is($raws, 0, 'raw events are there');
api($lead, DELETE => "crm/contacts/$budi", { confirm => $budi }, 403,
    'for admins');
api($admin, DELETE => "crm/contacts/$budi", {}, 422, 'not by mistake');
api($admin, DELETE => "crm/contacts/$budi", { confirm => $other }, 422,
    'nor somebody else');
api($admin, DELETE => "crm/contacts/$budi", { confirm => $budi }, 200,
    'erased');
api($admin, GET => "crm/contacts/$budi/consent", undef, 404, 'nobody there');
# what the index of words has to forget goes as soon as it has
ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM search_changes WHERE body'
    . ' IS NOT NULL') == 0 }), 'the index has forgotten')
    or diag($d->sql('SELECT count(*) FROM search_changes'));
my $dump = `sqlite3 -readonly -cmd '.timeout 30000' $d->{db} .dump`;
my @left = grep { /rahasia/i || /\Q$budi\E(?!\d)/ } split /\n/, $dump;
is(scalar @left, 0, 'no word, name or number is left') or diag($left[0]);
is($d->sql("SELECT count(*) FROM raw_events WHERE length(record) = 0"), 2,
    'their raw events are blank');
cmp_ok($d->sql("SELECT count(*) FROM raw_events WHERE length(record) > 0"),
    '>=', 1, 'others are not');
is($d->sql("SELECT state FROM dead_letters"), 'dropped', 'a dead letter, too');
is($d->sql("SELECT sum(amount) FROM donations WHERE ref = 'TRX-1'"), 50000,
    'the sums stay');
my $erased = $d->sql("SELECT phone FROM contacts WHERE name = 'Erased'");
like($erased, qr/^erased-\d+$/, 'a tombstone');
$j = audit("contact=$erased");
is(join(' ', map { $_->{action} } @{$j->{data}}[0, 1]),
    'contact.erase contact.export', 'the audit stays');
api($cs, POST => 'crm/messages/send', { phone => $erased, message => 'x' },
    409, 'nothing is sent there');
$j = api($cs, GET => 'crm/inbox', undef, 200, 'the inbox');
is(scalar @{$j->{conversations}}, 2, 'still has the line');
hears($budi, 'halo lagi');
is($d->sql("SELECT count(*) FROM contacts WHERE phone = '$budi'"), 1,
    'who writes again is somebody new');
is($d->sql("SELECT count(*) FROM donations k JOIN contacts c ON c.id ="
    . " k.contact_id WHERE c.phone = '$budi'"), 0, 'without a past');

# ---- what waits is not sent ----

my $ani = '6283333333333';
hears($ani, 'assalamualaikum');
$d->sim_stop;
$id = api($cs, POST => 'crm/messages/send', { phone => $ani,
    message => 'menunggu' }, 200, 'a message waits')->{data}{id};
ok($d->wait_for(sub { $d->sql('SELECT not_before > created_at AND state = 0'
    . " FROM outbox WHERE message_id = $id") }), 'tried in vain');
api($admin, DELETE => "crm/contacts/$ani", { confirm => $ani }, 200, 'erased');
is($d->sql("SELECT status FROM messages WHERE id = $id"), 6, 'it has failed');
is($d->sql("SELECT state FROM outbox WHERE message_id = $id"), 5, 'for good');
# they wrote a moment ago, but nobody is there to be answered
my ($tomb) = $d->sql('SELECT c.phone FROM contacts c JOIN chats h ON'
    . " h.contact_id = c.id JOIN messages m ON m.chat_id = h.id WHERE m.id = $id");
$tomb = $tomb->[0];
is(api($cs, POST => "crm/messages/$id/retry", undef, 409, 'not by hand')
    ->{code}, 'opted_out', 'as they are gone');
is(api($cs, POST => 'crm/messages/send', { phone => $tomb, message => 'x' },
    409, 'nor anything new')->{code}, 'opted_out', 'for the same reason');
for ([$tomb, $other, 'from'], [$other, $tomb, 'into']) {
    my ($from, $into, $field) = @$_;
    my $j = api($lead, POST => 'crm/contacts/merge',
        { from => $from, into => $into }, 422, "no merge: $field is a tombstone");
    is(join(' ', keys %{$j->{errors}}), $field, 'says which');
}

api($cs, POST => 'auth/logout', undef, 200, 'sign out');
is(audit('action=logout')->{data}[0]{user_id}, $user, 'noted');

$d->sound;
$d->done;
