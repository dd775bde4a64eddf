#!/usr/bin/env perl
# What leaves later: it waits in nobody's way, leaves when it is due, also
# after a restart, can be withdrawn, and is asked again whether it may leave.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        Wacrm::Desk::outbox_at_once(
            backoff => "1s 1s 1s\njitter = off\nunknown_hold = 3s");
    },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=600r/ or die 'no zone send' }
)->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(cs1 cs2 supervisor admin);
my ($QUEUED, $SENT, $FAILED, $SCHEDULED, $CANCELLED) = (0, 2, 6, 7, 8);
my $n = 0;

sub phone { sprintf '62819%08d', ++$n }
sub api {
    my ($method, $path, %opt) = @_;
    return $d->api($method, "/api/crm/$path", token => $token{cs1}, %opt);
}
sub iso {
    my ($at) = @_;
    my $ms = int(($at - int $at) * 1000);
    return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime $at)
        . sprintf '.%03dZ', $ms;
}
sub send_text {
    my ($phone, $text, $in, %headers) = @_;
    my $r = api(POST => 'messages/send', headers => \%headers,
        json => { phone => $phone, message => $text,
            defined $in ? (scheduled_at => iso(time + $in)) : () });
    die "send: $r->{status} $r->{body}" unless $r->{json}{data}{id};
    return $r->{json}{data};
}
sub status { scalar $d->sql("SELECT status FROM messages WHERE id = $_[0]") }
sub reaches {
    my ($id, $status, $seconds) = @_;
    return $d->wait_for(sub { status($id) == $status }, $seconds || 10);
}
sub texts { map { $_->{body}{message} } $d->calls(route => 'send.text', @_) }
sub calls_of {
    my ($text) = @_;
    return grep { $_->{body}{message} eq $text }
        $d->calls(route => 'send.text');
}
sub called { scalar grep { $_ eq $_[0] } texts() }
sub behave {
    my ($phone, $do, %more) = @_;
    $d->sim('/_sim/behaviour', { route => 'send.text', phone => $phone,
        do => $do, %more })->{status} == 200 or die 'behaviour';
}
sub hears {
    my ($phone, $text) = @_;
    $d->event('message.received', { from => $phone, pushName => 'Budi',
        message => $text, id => 'S' . ++$n . 'ABCDEF', timestamp => time });
    $d->applied;
}
sub line { # of the inbox
    my ($phone) = @_;
    my ($c) = grep { $_->{phone} eq $phone }
        @{api(GET => 'inbox')->{json}{conversations}};
    return $c;
}
sub listed {
    return map { $_->{message} }
        @{api(GET => 'messages?state=scheduled')->{json}{data}};
}
sub error_of {
    my ($id) = @_;
    my $chat = $d->sql("SELECT chat_id FROM messages WHERE id = $id");
    my ($m) = grep { $_->{id} == $id }
        @{api(GET => "inbox/$chat")->{json}{messages}};
    return $m->{error} ? $m->{error}{code} : '';
}

# ---- it waits ----

my $phone = phone();
hears($phone, 'kapan acaranya?');
my $seq = $d->sql('SELECT max(seq) FROM events');
my $m = send_text($phone, 'acaranya besok', 3);
is($m->{status}, 'queued', 'a scheduled message is queued');
ok($m->{scheduled_at}, 'for its time');
is($m->{timestamp}, $m->{scheduled_at}, 'where it stands');
is(line($phone)->{last_message}, 'kapan acaranya?',
    'the inbox does not know it yet');
is($d->sql("SELECT count(*) FROM events WHERE kind = 2 AND seq > $seq"), 0,
    'nobody is told that it was sent');
my $chat = line($phone)->{id};
is(api(GET => "inbox/$chat")->{json}{messages}[-1]{id}, $m->{id},
    'the chat shows it, at its end');
is(join(',', listed()), 'acaranya besok', 'the list has it');
my $now = send_text($phone, 'sebentar ya');
ok(reaches($now->{id}, $SENT), 'another one does not wait for it');
is(line($phone)->{last_message}, 'sebentar ya', 'and is the last one');
is(api(GET => "inbox/$chat")->{json}{messages}[-1]{id}, $m->{id},
    'what is to come stands behind it');
is(status($m->{id}), $SCHEDULED, 'it still waits');
is(called('acaranya besok'), 0, 'nothing has left');
my $due = $d->sql("SELECT scheduled_at FROM messages WHERE id = $m->{id}");
ok(reaches($m->{id}, $SENT), 'then it leaves');
my ($call) = calls_of('acaranya besok');
cmp_ok($call->{at}, '>=', $due, 'not before its time');
cmp_ok($call->{at}, '<', $due + 10_000, 'nor long after');
is(line($phone)->{last_message}, 'acaranya besok', 'and is the last one now');
is($d->sql("SELECT count(*) FROM events WHERE kind = 2 AND ref = $m->{id}"), 1,
    'which is told once');
is($d->sql("SELECT scheduled_at FROM messages WHERE id = $m->{id}"), $due,
    'when it was to leave is still known');
is(scalar listed(), 0, 'the list is empty');
is($d->sql("SELECT group_concat(action) FROM audit WHERE object_id ="
    . " $m->{id} AND action LIKE 'message.%'"), 'message.schedule',
    'the audit tells');

# ---- somebody new ----

$phone = phone();
$m = send_text($phone, 'perkenalkan', 2);
my $c = line($phone);
is($c && $c->{last_message}, '', 'a new chat has no last message yet');
ok(reaches($m->{id}, $SENT), 'it leaves');
is(line($phone)->{last_message}, 'perkenalkan', 'now it has');

# ---- its place ----

$phone = phone();
behave($phone, 'status', status => 503);
my $first = send_text($phone, 'urut 1');
my $third_due = time + 0.7;
$m = send_text($phone, 'urut 3', $third_due - time);
my $second = send_text($phone, 'urut 2');
my $too_late = time >= $third_due; # and the second has queued as the last
sleep 0.1 while time < $third_due + 0.2;
my $last = send_text($phone, 'urut 4');
ok(reaches($last->{id}, $SENT), 'a lane with a failure in it');
my $order = $too_late ? qr/urut 2,urut 3|urut 3,urut 2/ : qr/urut 2,urut 3/;
like(join(',', texts(phone => $phone)), qr/^urut 1,urut 1,(?:$order),urut 4$/,
    'in the order in which they were queued, or due');

# ---- a restart ----

$phone = phone();
my $due_off = time + 4;
my @due = (send_text($phone, 'sesudah 2', $due_off - time),
    send_text($phone, 'sesudah 1', $due_off - 0.4 - time));
ok($d->wacrmd_stop, 'wacrmd is stopped');
sleep 0.1 while time < $due_off + 0.1;
is(called('sesudah 1'), 0, 'and due meanwhile');
$d->wacrmd_start;
ok(reaches($due[0]{id}, $SENT), 'after the start it leaves');
is(join(',', texts(phone => $phone)), 'sesudah 1,sesudah 2', 'in their order');
$m = send_text($phone, 'terbunuh', 1);
$d->wacrmd_kill;
$d->wacrmd_start;
ok(reaches($m->{id}, $SENT), 'a kill -9 before it is due');
$d->wacrmd_kill;
$d->wacrmd_start;
is(called('terbunuh'), 1, 'it leaves once');

# ---- another time, or never ----

$phone = phone();
$m = send_text($phone, 'pindah waktu', 3600);
my $r = api(PATCH => "messages/$m->{id}", json => {
    scheduled_at => iso(time + 1) });
is($r->{status}, 200, 'another time') or diag $r->{body};
isnt($r->{json}{data}{scheduled_at}, $m->{scheduled_at}, 'is told');
ok(reaches($m->{id}, $SENT), 'and kept');
$r = api(PATCH => "messages/$m->{id}", json => {
    scheduled_at => iso(time + 10) });
is("$r->{status} $r->{json}{code}", '409 not_scheduled', 'too late');
is(api(PATCH => "messages/$m->{id}", json => {})->{status}, 422, 'no time');
my $due_then = time + 4;
$m = send_text($phone, 'tidak jadi', $due_then - time);
$r = api(DELETE => "messages/$m->{id}");
is($r->{status}, 200, 'withdrawn') or diag $r->{body};
is($r->{json}{data}{status}, 'cancelled', 'cancelled');
is(scalar listed(), 0, 'gone from the list');
$r = api(DELETE => "messages/$m->{id}");
is("$r->{status} $r->{json}{code}", '409 not_cancellable', 'once');
is(api(POST => "messages/$m->{id}/retry")->{status}, 409, 'not sent again');
is(line($phone)->{last_message}, 'pindah waktu', 'never the last message');
sleep 0.1 while time < $due_then + 0.3;
is(called('tidak jadi'), 0, 'it never leaves');
is(status($m->{id}), $CANCELLED, 'and stays in its chat as what it is');
is($d->sql("SELECT group_concat(action, ' ') FROM (SELECT action FROM audit"
    . " WHERE object_id = $m->{id} AND action LIKE 'message.%' ORDER BY id)"),
    'message.schedule message.cancel', 'the audit tells who did');

# what only waits for its turn, and what is on its way
behave($phone, 'slow', ms => 1200);
my $out = send_text($phone, 'jalan');
my $waits = send_text($phone, 'antre');
ok($d->wait_for(sub { called('jalan') }), 'a call is out');
is(api(DELETE => "messages/$out->{id}")->{status}, 409, 'that is too late');
is(api(DELETE => "messages/$waits->{id}")->{status}, 200,
    'what waits behind it is not');
is(line($phone)->{last_message}, 'jalan', 'the one before it is the last');
ok(reaches($out->{id}, $SENT), 'the call ends');
sleep 0.3;
is(called('antre'), 0, 'and the other one never leaves');
is(api(DELETE => "messages/$out->{id}")->{status}, 409, 'what is sent stays');
is(api(DELETE => 'messages/999999')->{status}, 404, 'nothing there');
is(api(DELETE => 'messages/x')->{status}, 404, 'nor there');

# ---- what is refused ----

for my $at ('besok', '2020-01-01T00:00:00Z', iso(time + 367 * 86400), 5,
        '2026-13-01T00:00:00Z', []) {
    $r = api(POST => 'messages/send', json => { phone => $phone,
        message => 'x', scheduled_at => $at });
    is($r->{status}, 422, '422: ' . (ref $at || $at));
    ok($r->{json}{errors}{scheduled_at}, 'errors.scheduled_at');
}
for my $query ('', '?state=sent', '?state=scheduled&limit=0',
        '?state=scheduled&before=x') {
    is(api(GET => "messages$query")->{status}, 422, "422: messages$query");
}
is(api(GET => 'messages?state=scheduled&session_id=lain')->{status}, 404,
    'a session of nobody');

# ---- templates ----

my $template = $d->api(POST => '/api/crm/templates',
    token => $token{supervisor}, json => { name => 'salam',
        content => 'Selamat Idulfitri, {{name}}' })->{json}{data}{id};
for my $route (qw(template quick-reply)) {
    $r = api(POST => "messages/$route", json => { phone => $phone,
        template_id => $template, variables => { name => $route },
        scheduled_at => iso(time + 1) });
    is($r->{status}, 200, "$route, later") or diag $r->{body};
    is(status($r->{json}{data}{id}), $SCHEDULED, 'waits');
    ok(reaches($r->{json}{data}{id}, $SENT), 'and leaves');
}

# ---- Idempotency-Key ----

my %key = ('Idempotency-Key' => 'lebaran');
my $body = { phone => $phone, message => 'sekali saja',
    scheduled_at => iso(time + 1) };
my @twice = map { api(POST => 'messages/send', headers => \%key,
    json => $body) } 1, 2;
is($twice[1]{body}, $twice[0]{body}, 'the same answer for the same key');
$m = $twice[0]{json}{data};
ok(reaches($m->{id}, $SENT), 'sent');
$r = api(POST => 'messages/send', headers => \%key, json => $body);
is($r->{body}, $twice[0]{body}, 'also when its time has passed');
is(called('sekali saja'), 1, 'once');

# ---- the list in pages ----

my @three = map { send_text(phone(), "daftar $_", 1000 * $_) } 3, 1, 2;
my ($page, @all) = '';
do {
    $r = api(GET => "messages?state=scheduled&limit=2$page");
    push @all, map { $_->{message} } @{$r->{json}{data}};
    $page = '&before=' . ($r->{json}{meta}{next} || '');
} while $r->{json}{meta}{hasMore};
is(join(',', @all), 'daftar 1,daftar 2,daftar 3', 'soonest first, in pages');
is(api(DELETE => "messages/$_->{id}")->{status}, 200) for @three;

# ---- a donor who opts out ----

$phone = phone();
hears($phone, 'halo');
behave($phone, 'status', status => 503);
my $failing = send_text($phone, 'gagal dulu');
my $behind = send_text($phone, 'di belakang');
my $later = send_text($phone, 'nanti', 2);
ok($d->wait_for(sub { called('gagal dulu') == 1 }), 'one waits for its turn');
hears($phone, 'STOP');
for ($failing, $behind, $later) {
    is(status($_->{id}), $FAILED, 'failed with the STOP');
    is(error_of($_->{id}), 'opted_out', 'and why');
}
is(line($phone)->{last_message}, 'STOP', 'their word is the last one');
sleep 2.3;
is(join(',', texts(phone => $phone)), 'gagal dulu', 'nothing left after it');
is($d->sql("SELECT failed FROM chats WHERE id = " . line($phone)->{id}), 3,
    'the inbox counts them');

$phone = phone();
hears($phone, 'halo');
behave($phone, 'status', status => 503, ms => 800);
$out = send_text($phone, 'sudah jalan');
ok($d->wait_for(sub { called('sudah jalan') == 1 }), 'a call is out');
hears($phone, 'berhenti');
ok(reaches($out->{id}, $FAILED), 'it fails after the STOP');
is(error_of($out->{id}), 'opted_out', 'and is not sent again');
sleep 1.3;
is(called('sudah jalan'), 1, 'not once more');

$phone = phone();
hears($phone, 'halo');
behave($phone, 'slow', ms => 800);
$out = send_text($phone, 'keburu');
ok($d->wait_for(sub { called('keburu') == 1 }), 'a call is out');
hears($phone, 'STOP');
ok(reaches($out->{id}, $SENT), 'what has left has left');
sleep 1.1;
hears($phone, 'kwitansi saya mana?');
$m = send_text($phone, 'ini kwitansinya');
ok(reaches($m->{id}, $SENT), 'what they ask is answered');
$r = api(POST => 'messages/send', json => { phone => $phone,
    message => 'ayo', scheduled_at => iso(time + 1) });
is($r->{status}, 200, 'also later');
my $promised = $r->{json}{data}{id};
hears($phone, 'STOP');
is(status($promised), $FAILED, 'until the next STOP');

# ---- who wrote it, and from where ----

my $leaver = $d->api(POST => '/api/crm/messages/send', token => $token{cs2},
    json => { phone => phone(), message => 'dari cs2',
        scheduled_at => iso(time + 1) })->{json}{data}{id};
$d->change("UPDATE users SET active = 0 WHERE email = 'cs2\@test.example'");
ok(reaches($leaver, $FAILED), 'who has been disabled sends nothing more');
is(error_of($leaver), 'not_allowed', 'and why');
$r = api(POST => "messages/$leaver/retry");
is($r->{status}, 200, 'a colleague may send it');
ok(reaches($leaver, $SENT), 'and does');
$m = send_text(phone(), 'nomor diputus', 1);
$d->change('UPDATE sessions SET wanted = 0');
ok(reaches($m->{id}, $FAILED), 'nor does a number that was disconnected');
is(error_of($m->{id}), 'session_disconnected', 'and why');
$d->change('UPDATE sessions SET wanted = 1');

# ---- a merge, an erasure ----

my ($lid, $number) = ('20389977555000@lid', phone());
hears($_, 'halo') for $lid, $number;
$m = send_text($lid, 'ke yang sama', 1.5);
$d->event('lid.mapping.resolved', { lid => $lid, phone_number => $number });
$d->applied;
ok(reaches($m->{id}, $SENT), 'what waits survives a merge');
is((calls_of('ke yang sama'))[0]{body}{phone}, $number,
    'and goes to the number');
$phone = phone();
hears($phone, 'hapus saya');
my $secret_due = time + 4;
$m = send_text($phone, 'RAHASIA', $secret_due - time, 'Idempotency-Key' => 'hapus 1');
is(api(POST => "contacts/$phone/notes", json => { note => 'RAHASIA' },
    headers => { 'Idempotency-Key' => 'hapus 2' })->{status}, 201,
    'a note under a key');
is($d->sql("SELECT count(*) FROM idempotency WHERE response LIKE"
    . " '%RAHASIA%'"), 2, 'its answer is kept');
$r = $d->api(DELETE => "/api/crm/contacts/$phone", token => $token{admin},
    json => { confirm => $phone });
is($r->{status}, 200, 'a donor is erased') or diag $r->{body};
sleep 0.1 while time < $secret_due + 0.3;
is(called('RAHASIA'), 0, 'nothing is sent to them');
is($d->sql("SELECT count(*) FROM messages WHERE body LIKE '%RAHASIA%'"), 0,
    'and nothing is left of it');
is($d->sql("SELECT count(*) FROM idempotency WHERE response LIKE"
    . " '%RAHASIA%'"), 0, 'nor of the answers');

$d->allow(qr/http\.sock failed .* while connecting to upstream/);
$d->sound;
$d->done;
