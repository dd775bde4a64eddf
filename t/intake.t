#!/usr/bin/env perl
# What gateways deliver, through the real edge into the database: shapes,
# repeats, wrong order, people with two ids, what cannot be read, restarts.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub { s/^welcome = on/welcome = off/m
        or die 'no welcome in wacrmd.conf' },
    nginx => sub { s{(        location = /healthz)}
        {        location = /api/webhook/second {
            wacrm_webhook second;
            wacrm_webhook_signature waapi;
            wacrm_webhook_secret_file %%DIR%%/secrets/webhook;
        }

$1} or die 'no healthz in nginx.conf' })->start;

my $SECRET = 'webhook-secret-of-the-test-00001';

sub rows { scalar $d->sql("SELECT count(*) FROM $_[0]") }
sub message { rows("messages WHERE $_[0]") }

sub hook {
    my $r = $d->sim('/_sim/webhook', { @_ });
    die "simulator: $r->{body}" unless $r->{status} == 200;
    return $r->{json};
}

sub text {
    my ($from, $id, $text, %more) = @_;
    return $d->event('message.received', { from => $from, pushName => 'Siti',
        message => $text, id => $id, timestamp => time, %more });
}

# ---- the shapes ----

my $n = 0;
for my $shape (qw(seed v1doc v1code v2guide v2flat)) {
    my $phone = '62813000000' . ++$n;
    is(hook(shape => $shape, from => $phone, name => "Donatur $shape",
        text => "Halo dari $shape", id => "SHAPE$n")->{ok}, 1,
        "$shape: taken");
}
ok($d->applied, 'the shapes are applied');
for my $shape (qw(seed v1doc v1code v2guide v2flat)) {
    my @row = $d->sql("SELECT k.phone, m.wa_id, m.type, m.direction, m.status,"
        . " s.session_id FROM messages m JOIN chats c ON c.id = m.chat_id"
        . " JOIN contacts k ON k.id = c.contact_id"
        . " JOIN sessions s ON s.id = c.session_id"
        . " WHERE m.body = 'Halo dari $shape'");
    is(scalar @row, 1, "$shape: one message");
    like("@{$row[0] || []}", qr/^62813000000\d SHAPE\d text 0 3 demo$/,
        "$shape: of that person, delivered");
}
is(scalar $d->sql("SELECT name FROM contacts WHERE phone = '628130000003'"),
    'Donatur v1code', 'with the push name');

# ---- repeats ----

for my $shape (qw(v2guide seed v1code)) {
    is(hook(shape => $shape, from => '6281300000101', id => '3EB0SAME',
        text => 'sekali saja')->{ok}, 1, "$shape brings an id again");
}
is(hook(shape => 'v1code', from => '6281300000102', id => '3EB0TWENTY',
    text => 'dua puluh kali', repeat => 20, concurrency => 20)->{ok}, 20,
    '20 deliveries of one id at once, all 200');
ok($d->applied, 'the repeats are applied');
is(message("wa_id = '3EB0SAME'"), 1, 'one id in three shapes is one message');
is(message("wa_id = '3EB0TWENTY'"), 1, '20 at once are one message');
is($d->sql("SELECT unread FROM chats c JOIN contacts k ON k.id = c.contact_id"
    . " WHERE k.phone = '6281300000102'"), 1, 'one unread');
is(rows("events e JOIN messages m ON m.id = e.ref AND e.kind = 1"
    . " WHERE m.wa_id = '3EB0TWENTY'"), 1, 'one event');

# ---- order ----

is($d->event('message.status', { id => '3EB0EARLY', status => 'read' }), 200,
    'a status before its message');
ok($d->applied, 'is taken');
is(rows("parked WHERE wa_id = '3EB0EARLY'"), 1, 'and parked');
hook(from => '6281300000103', id => '3EB0EARLY', text => 'dari HP',
    from_me => \1);
ok($d->applied, 'then the message');
is($d->sql("SELECT status FROM messages WHERE wa_id = '3EB0EARLY'"), 4,
    'which is read at once');
is(rows("parked WHERE wa_id = '3EB0EARLY'"), 0, 'nothing stays parked');
$d->event('message.status', { id => '3EB0EARLY', status => $_ })
    for qw(delivered sent failed);
ok($d->applied, 'older statuses');
is($d->sql("SELECT status FROM messages WHERE wa_id = '3EB0EARLY'"), 4,
    'a status never goes back');

# ---- from the phone ----

my @phone = $d->sql("SELECT m.direction, m.status, coalesce(m.cs_id, 0),"
    . " c.unread FROM messages m JOIN chats c ON c.id = m.chat_id"
    . " WHERE m.wa_id = '3EB0EARLY'");
is("@{$phone[0]}", '1 4 0 0', 'sent from the phone: outgoing, nothing unread');
is(rows("outbox o JOIN messages m ON m.id = o.message_id"
    . " WHERE m.wa_id = '3EB0EARLY'"), 0, 'and not sent once more');

# ---- echo of what we sent ----

my $token = $d->login('cs1@test.example');
$d->sim('/_sim/config', { echo => \1 });
for my $how ('with id', 'no_id') {
    my $phone = $how eq 'no_id' ? '6281300000105' : '6281300000104';
    $d->sim('/_sim/behaviour', { route => 'send.text', phone => $phone,
        do => 'no_id' }) if $how eq 'no_id';
    my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
        json => { phone => $phone, message => "gema $how" });
    my $id = $r->{json}{data}{id};
    ok($id && $d->wait_for(sub { defined $d->sql("SELECT wa_id FROM messages"
        . " WHERE id = $id AND status >= 2 AND wa_id <> ''") }),
        "$how: the echo's id is bound to what we sent");
    ok($d->wait_for(sub {
        $d->sim('/_sim/state')->{json}{delivering} == 0 }), "$how: echoed");
    ok($d->applied, "$how: applied");
    is(message("body = 'gema $how'"), 1, "$how: no second row");
    is($d->sql("SELECT source FROM messages WHERE id = $id"), 'agent',
        "$how: it stays the agent's");
}
$d->sim('/_sim/config', { echo => \0 });

# ---- one person, two ids ----

my $LID = '103899771998284@lid';
hook(from => $LID, id => 'LID1', text => 'siapa saya', name => 'Bu Rini');
hook(from => '6281300000106', id => 'LID2', text => 'saya juga',
    name => 'Bu Rini');
ok($d->applied, 'LID and phone');
is(rows("contacts WHERE phone IN ('$LID', '6281300000106')"), 2,
    'two contacts at first');
is($d->event('lid.mapping.resolved', { lid => $LID,
    phone_number => '6281300000106' }), 200, 'a mapping');
ok($d->applied, 'is applied');
is(rows("contacts WHERE phone = '$LID'"), 0, 'the alias contact is gone');
my @merged = $d->sql("SELECT c.unread, count(m.id) FROM chats c"
    . " JOIN contacts k ON k.id = c.contact_id"
    . " JOIN messages m ON m.chat_id = c.id"
    . " WHERE k.phone = '6281300000106' GROUP BY c.id");
is(scalar @merged, 1, 'one chat');
is("@{$merged[0]}", '2 2', 'with both messages, both unread');
hook(from => $LID, id => 'LID3', text => 'lagi');
ok($d->applied, 'the LID writes again');
is($d->sql("SELECT k.phone FROM messages m JOIN chats c ON c.id = m.chat_id"
    . " JOIN contacts k ON k.id = c.contact_id WHERE m.wa_id = 'LID3'"),
    '6281300000106', 'into the same chat');

# ---- what makes no chat ----

my ($contacts, $messages) = (rows('contacts'), rows('messages'));
hook(from => '120363041234567890@g.us', id => 'GROUP1', text => 'grup');
hook(from => 'status@broadcast', id => 'STORY1', text => 'cerita');
hook(kind => 'typing', from => '6281300000101');
hook(kind => 'typing', from => '6281300000107', shape => 'seed');
is($d->event('something.new', { a => [1, { b => undef }] }), 200,
    'an unknown event gets 200');
ok($d->applied, 'groups, stories, typing, unknown ones');
is(rows('contacts'), $contacts, 'no contact of any of them');
is(rows('messages'), $messages, 'no message');
is(rows('dead_letters'), 0, 'no dead letter');
is(rows('raw_events'), $d->sql('SELECT sum(position) FROM spool_positions'),
    'and every event is kept as it came');

# ---- sessions ----

hook(kind => 'session', status => 'connected');
hook(kind => 'session', status => 'disconnected') for 1 .. 2;
ok($d->applied, 'session events');
is($d->sql("SELECT status FROM sessions WHERE session_id = 'demo'"),
    'disconnected', 'the session is disconnected');
is(rows('events WHERE kind = 4'), 2, 'one event for each change');
$d->event('session.status', { sessionId => 'demo', status => 'connected' });
ok($d->applied, "the seed's form");
is($d->sql("SELECT status FROM sessions WHERE session_id = 'demo'"),
    'connected', 'is connected again');

# ---- media without text ----

is($d->webhook({ event => 'message.received', session_id => 'demo', data => {
    message => { session_id => 'demo', message_id => 'MEDIA1', from_me => \0,
        remote_jid => '6281300000108@s.whatsapp.net', timestamp => int(time),
        type => 'image', metadata => { push_name => 'Foto' } },
    raw => { message => { imageMessage => { mimetype => 'image/jpeg' } } }
} })->{status}, 200, 'a picture without text');
is($d->event('message.received', { from => '6281300000109', type => 'image',
    id => 'MEDIA2', timestamp => int time }), 200, "and in the seed's form");
ok($d->applied, 'pictures');
for my $id (qw(MEDIA1 MEDIA2)) {
    my @m = $d->sql("SELECT type, body FROM messages WHERE wa_id = '$id'");
    is_deeply($m[0], ['image', ''], "$id: an image with empty text");
}
is($d->sql("SELECT mime FROM message_media mm JOIN messages m"
    . " ON m.id = mm.message_id WHERE m.wa_id = 'MEDIA1'"), 'image/jpeg',
    'with its media object');
my ($line) = grep { $_->{phone} eq '6281300000108' } @{$d->api(
    GET => '/api/crm/inbox', token => $token)->{json}{conversations}};
is($line->{last_message}, '[Foto]', 'what the inbox says of it');

# ---- what JSON allows and we cannot hold ----

for my $bad ('{"event":"message.received","data":{"from":"6281300000110",'
        . '"message":"a\u0000b","id":"NUL1","timestamp":1}}',
    '{"event":"message.received","data":{"from":"6281300000110","message":'
        . '"a","id":"BIG1","timestamp":1180591620717411303424}}') {
    is($d->webhook($bad)->{status}, 200, 'the edge takes it');
}
is($d->webhook('{"event":')->{status}, 400, 'what is no JSON gets 400');
ok($d->applied, 'both are applied');
is(rows("dead_letters WHERE code = 'parse' AND state = 'open'"), 2,
    'as dead letters');
is(rows("dead_letters WHERE length(reason) < 5"), 0, 'with reasons');
is(text('6281300000111', 'AFTER1', 'sesudahnya'), 200, 'the next one');
ok($d->applied, 'goes');
is(message("wa_id = 'AFTER1'"), 1, 'through');

# ---- a source that wacrmd.conf does not know ----

my $body = '{"event":"message.received","data":{"from":"6281300000112",'
    . '"message":"dari akun kedua","id":"SECOND1","pushName":"Dua",'
    . '"sessionId":"dua","timestamp":' . int(time) . '}}';
is($d->{nginx}->post('/api/webhook/second', $body,
    $d->{nginx}->waapi($body, $SECRET))->{status}, 200, 'an unknown source');
ok($d->applied, 'is applied');
my @letter = $d->sql("SELECT id, code, source FROM dead_letters"
    . " ORDER BY id DESC LIMIT 1");
is("@{$letter[0]}[1, 2]", 'source second', 'a dead letter: source');
my ($rc, $out) = $d->ctl(['dead', 'replay', $letter[0][0]]);
is($rc, 1, 'no replay while wacrmd does not know it');
like($out, qr/still bad: .*source/, 'and why');
ok($d->wacrmd_stop, 'wacrmd stops');
my $conf = $d->{nginx}->read('wacrmd.conf');
$conf =~ s/^welcome = off/welcome = on\nwelcome_per_minute = 3/m;
$d->{nginx}->write('wacrmd.conf', "$conf\n[gateway second]\ndriver = waapi\n"
    . "base_url = http://127.0.0.1:$d->{sim_port}/api/v1\ntoken = x\n");
$d->wacrmd_start;
($rc, $out) = $d->ctl(['dead', 'replay', $letter[0][0]]);
is($rc, 0, 'replay after the configuration knows it') or diag($out);
is(message("wa_id = 'SECOND1'"), 1, 'the message is there');
is($d->sql("SELECT s.session_id FROM messages m JOIN sessions s"
    . " ON s.id = m.session_id WHERE m.wa_id = 'SECOND1'"), 'dua',
    'in the session of that account');
is(rows("messages WHERE source = 'auto'"), 0, 'a replay greets nobody');
($rc) = $d->ctl(['dead', 'replay', $letter[0][0]]);
is(message("wa_id = 'SECOND1'"), 1, 'replayed twice is once');

# ---- the greeting (welcome is on now, three a minute) ----

my $minute = int(time / 60);
is(text('6281300000120', 'WELCOME1', 'Halo'), 200, 'a new donor');
ok($d->wait_for(sub { $d->calls(route => 'send.text',
    phone => '6281300000120') == 1 }), 'is greeted');
like(($d->calls(phone => '6281300000120'))[0]{body}{message},
    qr/\AHalo Siti!/, 'by name');
text('6281300000120', 'WELCOME2', 'Halo lagi');
text('6281300000101', 'WELCOME3', 'sudah dikenal');
text('6281300000121', 'WELCOME4', 'lama', timestamp => int(time) - 660);
hook(from => '6281300000122', id => 'WELCOME5', from_me => \1,
    text => 'dari HP');
ok($d->applied, 'second message, known, old, our own');
is(rows("messages WHERE source = 'auto'"), 1, 'are not greeted');
text("62813000001$_", "MANY$_", 'Halo') for 30 .. 37;
ok($d->applied, 'eight more');
my $greeted = rows("messages WHERE source = 'auto'");
int(time / 60) == $minute ? is($greeted, 3, 'three a minute')
    : cmp_ok($greeted, '<=', 6, 'three a minute');
is(rows("chats c JOIN contacts k ON k.id = c.contact_id WHERE k.phone"
    . " BETWEEN '6281300000130' AND '6281300000137'"), 8, 'all have chats');

# ---- a notice that is lost ----

unlink "$d->{dir}/notify.sock" or die $!;
my $begin = time;
is(text('6281300000101', 'UNHEARD', 'tanpa kabar'), 200, 'no notify socket');
ok($d->wait_for(sub { message("wa_id = 'UNHEARD'") == 1 }),
    'wacrmd looks by itself');
cmp_ok(time - $begin, '<', 10, 'about once a second');

# ---- wacrmd away ----

$d->wacrmd_stop;
is(hook(count => 500, donors => 50, concurrency => 16,
    text => 'menunggu {n}')->{ok}, 500, '500 events while wacrmd is down');
$d->wacrmd_start;
ok($d->wait_for(sub { message("body LIKE 'menunggu %'") == 500 }, 20),
    'it catches up');
ok($d->applied, 'with all of it');
is($d->sql("SELECT count(DISTINCT wa_id) FROM messages"
    . " WHERE body LIKE 'menunggu %'"), 500, 'each once');

# ---- an older database ----

($rc, $out) = $d->ctl(['backup', "$d->{dir}/older.db"]);
is($rc, 0, 'a backup') or diag($out);
text('6281300000101', 'BETWEEN', 'setelah cadangan');
ok($d->applied, 'an event after it');
my $positions = $d->sql('SELECT max(position) FROM spool_positions');
$d->wacrmd_stop;
is(text('6281300000101', 'WAITS', 'menunggu restore'), 200, 'one that waits');
($rc, $out) = $d->ctl(['restore', "$d->{dir}/older.db"]);
is($rc, 0, 'restore') or diag($out);
cmp_ok($d->sql('SELECT max(position) FROM spool_positions'), '<', $positions,
    'an older position');
$d->wacrmd_start;
is(text('6281300000101', 'LATER', 'sesudah restore'), 200, 'a later one');
ok($d->applied, 'are applied');
is(message("wa_id = 'WAITS'"), 1, 'what waited, once');
is(message("wa_id = 'LATER'"), 1, 'what came later, once');
is(message("wa_id = 'BETWEEN'"), 0, 'what the spool no longer had is gone');

# ---- a new spool ----

$d->wacrmd_stop;
ok($d->{nginx}->stop, 'nginx stops');
rename "$d->{dir}/spool", "$d->{dir}/spool.old" or die $!;
$d->wacrmd_start;
$d->{nginx}->start;
is(text('6281300000101', 'NEWSPOOL1', 'spool baru'), 200, 'a new spool takes');
ok($d->wait_for(sub { message("wa_id = 'NEWSPOOL1'") == 1 }),
    'its first record is applied, whatever the old one had');
is(rows('spool_positions'), 2, 'a position for each spool');
is(text('6281300000101', 'WAITS', 'lagi'), 200, 'a redelivery');
ok($d->applied, 'over the new spool');
is(message("wa_id = 'WAITS'"), 1, 'is known');
$d->sound;

$d->done;
