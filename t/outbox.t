#!/usr/bin/env perl
# What leaves: order under failures, what each answer of the gateway means,
# and that nothing is sent twice, whatever is killed.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        Wacrm::Desk::outbox_at_once(gap => '200ms', timeout => '2s',
            backoff => "1s 1s 1s\njitter = off\nunknown_hold = 3s");
    },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=600r/ or die 'no zone send' }
)->start;
$d->allow(qr/http\.sock failed .* while connecting to upstream/); # is down
my $token = $d->login('cs1@test.example');
my ($QUEUED, $UNKNOWN, $SENT, $DELIVERED, $READ, $FAILED) = (0, 1, 2, 3, 4, 6);

sub api { $d->api($_[0], "/api/crm/$_[1]", token => $token, @_[2 .. $#_]) }

sub send_text {
    my ($phone, $text, %headers) = @_;
    my $r = api(POST => 'messages/send', headers => \%headers,
        json => { phone => $phone, message => $text });
    return $r->{json}{data}{id} || die "send: $r->{status} $r->{body}";
}

sub behave {
    my ($phone, $do, %more) = @_;
    my $r = $d->sim('/_sim/behaviour', { route => 'send.text',
        phone => $phone, do => $do, %more });
    die $r->{body} unless $r->{status} == 200;
}

sub status { scalar $d->sql("SELECT status FROM messages WHERE id = $_[0]") }
sub attempts {
    scalar $d->sql("SELECT attempts FROM outbox WHERE message_id = $_[0]")
}
sub reaches {
    my ($id, $status, $seconds) = @_;
    return $d->wait_for(sub { status($id) == $status }, $seconds || 15);
}
sub texts { map { $_->{body}{message} } $d->calls(route => 'send.text', @_) }
sub phone { sprintf '62814000000%02d', $_[0] }

# Somebody who has written already: the gateway has a history of them.
sub known {
    my ($phone) = @_;
    $d->sim('/_sim/webhook', { from => $phone, text => 'Halo',
        timestamp => (time - 300) * 1000 });
}

# ---- all that takes its time begins here, each in a chat of its own ----

behave(phone(1), 'status', status => 503, times => 2);
my @fifo = map { send_text(phone(1), "urut $_") } 1 .. 3;
my $free = send_text(phone(2), 'tidak menunggu');

my $stranger = phone(3);
behave($stranger, 'status', status => 500);
my $lost = send_text($stranger, 'entah sampai');
my $behind = send_text($stranger, 'di belakangnya');

known(phone(4));
behave(phone(4), 'status', status => 500);
my $absent = send_text(phone(4), 'belum sampai');

behave(phone(5), 'hang');
my $hung = send_text(phone(5), 'menggantung');

behave(phone(6), 'hang', accept => \1);
my $found = send_text(phone(6), 'sampai juga');

behave(phone(7), 'status', status => 400, body => { success => \0,
    message => 'phone is not on WhatsApp' });
my $refused = send_text(phone(7), 'ditolak');

behave(phone(8), 'status', status => 503, times => 3);
my $gone = send_text(phone(8), 'tiga kali');

behave(phone(9), 'close', when => 'after');
my $closed = send_text(phone(9), 'terputus');

my $pacing = time;
my @paced = map { send_text(phone(10), "cepat $_") } 1 .. 4;

# ---- order ----

ok(reaches($fifo[-1], $SENT), 'a lane goes on after failures');
is(join(',', texts(phone => phone(1))),
    'urut 1,urut 1,urut 1,urut 2,urut 3', 'in order, first things first');
my @first = $d->calls(route => 'send.text', phone => phone(1));
my ($other) = $d->calls(route => 'send.text', phone => phone(2));
cmp_ok($other->{at}, '<', $first[2]{at}, 'another chat does not wait');
is(status($free), $SENT, 'and is sent');
is(attempts($fifo[0]), 3, 'three tries were needed');
cmp_ok($first[1]{at} - $first[0]{at}, '>=', 950, 'a second apart');

# ---- pacing ----

ok(reaches($paced[-1], $SENT), 'paced messages leave');
is(join(',', texts(phone => phone(10))), 'cepat 1,cepat 2,cepat 3,cepat 4',
    'in order');
is(join(',', map { attempts($_) } @paced), '1,1,1,1',
    'pacing counts no attempt');
my @at = map { $_->{at} } $d->calls(phone => phone(10));
# from before the first: when a busy simulator hears of that says nothing
is(scalar(grep { $at[$_] - 1000 * $pacing < 200 * $_ - 50 } 1 .. 3), 0,
    'with gaps between them') or diag "$pacing @at";
cmp_ok($d->{nginx}->metrics('/metrics/wacrmd')->{wacrm_outbox_deferred_total},
    '>', 0, 'as the metrics tell');

# ---- what an answer means ----

ok(reaches($lost, $UNKNOWN), '500 and nothing known: unknown');
is(status($behind), $QUEUED, 'what stands behind waits');

ok(reaches($refused, $FAILED), '400: failed');
is(attempts($refused), 1, '400: after one try');
my @failed = map { $_->{phone} }
    @{api(GET => 'inbox?filter=failed')->{json}{conversations}};
ok((grep { $_ eq phone(7) } @failed), '400: in the filter "failed"');
my $chat = $d->sql("SELECT chat_id FROM messages WHERE id = $refused");
my $m = api(GET => "inbox/$chat")->{json}{messages}[-1];
is($m->{status}, 'failed', '400: the status on the wire');
like($m->{error}{code} . $m->{error}{title}, qr/400.*not on WhatsApp/s,
    '400: and the reason');

ok(reaches($gone, $FAILED), '503 three times: failed');
is(attempts($gone), 3, '503: after three tries');
ok(reaches($absent, $SENT), '500 and shown to be absent: sent again');
is(scalar(texts(phone => phone(4))), 2, '500: with the second call');
ok(reaches($found, $SENT), 'no answer, but found: sent');
is(scalar(texts(phone => phone(6))), 1, 'not called again');
ok(reaches($closed, $SENT), 'connection closed, but found: sent');
is(scalar(texts(phone => phone(9))), 1, 'not called again');
ok(reaches($hung, $UNKNOWN), 'no answer and nothing known: unknown');
@failed = map { $_->{phone} }
    @{api(GET => 'inbox?filter=failed')->{json}{conversations}};
ok((grep { $_ eq $stranger } @failed), 'unknown: in the filter "failed"');

# ---- the unknown ones ----

$d->event('message.status', { id => '3EB0HUNG', status => 'delivered' });
my $echo = $d->sim('/_sim/webhook', { from => phone(5), from_me => \1,
    text => 'menggantung', id => '3EB0HUNG' });
is($echo->{json}{ok}, 1, 'an echo comes');
ok(reaches($hung, $DELIVERED), 'it settles what was unknown, with the status'
    . ' that came before');
is($d->sql("SELECT wa_id FROM messages WHERE id = $hung"), '3EB0HUNG',
    'and tells its id');
is($d->sql("SELECT count(*) FROM messages WHERE body = 'menggantung'"), 1,
    'no second row');
$d->event('message.status', { id => '3EB0HUNG', status => 'read' });
ok(reaches($hung, $READ), 'a status moves it on');
ok(reaches($behind, $SENT), 'after the hold the lane goes on');
is(status($lost), $UNKNOWN, 'the unknown one stays unknown');
is(join(',', texts(phone => $stranger)), 'entah sampai,di belakangnya',
    'and is never sent again by itself');

# ---- again, by hand ----

my $r = api(POST => "messages/$refused/retry");
is($r->{status}, 200, 'retry of a failed one');
is($r->{json}{data}{status}, 'queued', 'queued');
ok(reaches($refused, $SENT), 'and sent');
is(api(POST => "messages/$refused/retry")->{status}, 409,
    'a sent one is not retried');
is(api(POST => 'messages/999999/retry')->{status}, 404, 'nor one unknown');
is(api(POST => 'messages/x/retry')->{status}, 404, 'nor "x"');
is(api(POST => "messages/$lost/retry")->{status}, 200,
    'retry of an unknown one');
ok(reaches($lost, $SENT), 'is sent');
@failed = map { $_->{phone} }
    @{api(GET => 'inbox?filter=failed')->{json}{conversations}};
is(join(',', @failed), phone(8), 'only one is failed now');

# A failed message of somebody who turns out to be somebody else.
known('203899771998284@lid');
known(phone(11));
ok($d->applied, 'two that are one');
behave('203899771998284@lid', 'status', status => 400);
my $moved = send_text('203899771998284@lid', 'pindah');
ok(reaches($moved, $FAILED), 'a message to the LID fails');
$d->event('lid.mapping.resolved', { lid => '203899771998284@lid',
    phone_number => phone(11) });
ok($d->applied, 'they are merged');
is(api(POST => "messages/$moved/retry")->{status}, 200, 'retry');
ok(reaches($moved, $SENT, 5), 'it leaves after the merge');
is(($d->calls(text => 'pindah'))[-1]{body}{phone}, phone(11),
    'to the phone');

# ---- 429, 401, twice ----

behave(phone(12), 'limited', retry_after => 2);
my $limited = send_text(phone(12), 'pelan-pelan');
ok(reaches($limited, $SENT), '429: sent in the end');
my @calls = $d->calls(phone => phone(12));
is(scalar @calls, 2, '429: with the second call');
cmp_ok($calls[1]{at} - $calls[0]{at}, '>=', 1950, '429: after Retry-After');

my $logins = () = $d->calls(route => 'login');
behave(phone(13), 'unauthorised');
my @both = (send_text(phone(13), 'token habis'),
    send_text(phone(14), 'juga'));
ok(reaches($_, $SENT), '401: sent after a new sign-in') for @both;
is(scalar(() = $d->calls(route => 'login')), $logins + 1,
    '401: one sign-in for all');
is(attempts($both[0]), 1, '401: burns no try');

$d->sim('/_sim/config', { statuses => \1, statusMs => [50, 50] });
behave(phone(15), 'twice');
my $twice = send_text(phone(15), 'dua kali');
ok(reaches($twice, $READ), 'statuses that come twice');
ok($d->wait_for(sub { $d->sim('/_sim/state')->{json}{delivering} == 0 }),
    'all of them');
ok($d->applied, 'applied');
is($d->sql("SELECT count(*) FROM events WHERE kind = 3 AND ref = $twice"), 3,
    'one event for sent, delivered, read');
$d->sim('/_sim/config', { statuses => \0 });

# ---- Idempotency-Key ----

my %key = ('Idempotency-Key' => 'kunci-1');
my $id = send_text(phone(16), 'sekali', %key);
$r = api(POST => 'messages/send', headers => \%key,
    json => { phone => phone(16), message => 'sekali' });
is($r->{status}, 200, 'the same key and body: 200');
is($r->{json}{data}{id}, $id, 'the same message');
$r = api(POST => 'messages/send', headers => \%key,
    json => { phone => phone(16), message => 'lain' });
is($r->{status}, 409, 'the same key, another body: 409');
is($r->{json}{code}, 'idempotency_mismatch', 'with its code');
my $colleague = $d->login('cs2@test.example');
$r = $d->api(POST => '/api/crm/messages/send', token => $colleague,
    headers => \%key, json => { phone => phone(17), message => 'cs2' });
is($r->{status}, 200, 'the key of a colleague is another one');
my @racers = map {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $x = eval { send_text(phone(18), 'balapan',
            'Idempotency-Key' => 'kunci-2') };
        POSIX::_exit($x ? 0 : 1);
    }
    $pid;
} 1 .. 8;
my $bad = 0;
for (@racers) {
    waitpid $_, 0;
    $bad++ if $?;
}
is($bad, 0, 'eight at once with one key: all 200');
is($d->sql("SELECT count(*) FROM messages WHERE body = 'balapan'"), 1,
    'one message');
$id = $d->sql("SELECT id FROM messages WHERE body = 'balapan'");
ok(reaches($id, $SENT), 'sent');
is(scalar(texts(phone => phone(18))), 1, 'once');
is(scalar(texts(phone => phone(16))), 1, 'as the first one');

# ---- a colleague was faster, a donor wants no more ----

my $seen = $d->sql('SELECT max(seq) FROM events');
$r = $d->api(POST => '/api/crm/messages/send', token => $colleague,
    json => { phone => phone(16), message => 'rekan lebih cepat' });
$r = api(POST => 'messages/send', json => { phone => phone(16),
    message => 'terlambat', seen_seq => $seen });
is($r->{status}, 409, 'a colleague has answered since: 409');
is($r->{json}{code}, 'stale', 'stale');
is($r->{json}{data}{messages}[0]{message}, 'rekan lebih cepat',
    'with what was said');
$seen = $d->sql('SELECT max(seq) FROM events');
is(api(POST => 'messages/send', json => { phone => phone(16),
    message => 'sudah dibaca', seen_seq => $seen })->{status}, 200,
    'who has seen it may write');
$d->change("UPDATE contacts SET opted_out = 1 WHERE phone = '@{[phone(8)]}'");
$r = api(POST => 'messages/send', json => { phone => phone(8),
    message => 'jangan' });
is("$r->{status} $r->{json}{code}", '409 opted_out', 'opted out: 409');
$r = api(POST => "messages/$gone/retry");
is("$r->{status} $r->{json}{code}", '409 opted_out', 'no retry either');
my $told = send_text(phone(2), 'gagal belakangan');
ok(reaches($told, $SENT), 'sent');
my $wa_id = $d->sql("SELECT wa_id FROM messages WHERE id = $told");
$d->event('message.status', { id => $wa_id, status => 'failed' });
ok(reaches($told, $FAILED), 'and failed by a status');
is(api(POST => "messages/$told/retry")->{status}, 200, 'retry');
ok(reaches($told, $SENT), 'is sent');
my $new_id = $d->sql("SELECT wa_id FROM messages WHERE id = $told");
isnt($new_id, $wa_id, 'with its new id');
$d->event('message.status', { id => $wa_id, status => 'failed' });
$d->sim('/_sim/webhook', { from => phone(2), from_me => \1,
    text => 'gagal belakangan', id => $new_id });
$d->event('message.status', { id => $new_id, status => 'delivered' });
ok(reaches($told, $DELIVERED), 'whose statuses count, and no others');
is($d->sql("SELECT count(*) FROM messages WHERE body = 'gagal belakangan'"), 1,
    'no second row');

# ---- read receipts ----

known(phone(19));
ok($d->applied, 'somebody writes');
$chat = $d->sql("SELECT c.id FROM chats c JOIN contacts k"
    . " ON k.id = c.contact_id WHERE k.phone = '@{[phone(19)]}'");
is(api(POST => "inbox/$chat/read")->{json}{unread_count}, 0, 'is read');
ok($d->wait_for(sub { $d->calls(route => 'chat.read') == 1 }),
    'the gateway hears of it');
like(($d->calls(route => 'chat.read'))[0]{path},
    qr{/sessions/demo/chats/@{[phone(19)]}(?:%40|\@)s\.whatsapp\.net/read$},
    'for that chat');
api(POST => "inbox/$chat/read");

# ---- kill -9 while a call hangs ----

behave(phone(20), 'hang', accept => \1);
my $killed = send_text(phone(20), 'terbunuh');
my $after = send_text(phone(20), 'sesudahnya');
ok($d->wait_for(sub { $d->calls(phone => phone(20)) == 1 }), 'a call hangs');
$d->wacrmd_kill;
$d->wacrmd_start;
is(status($killed), $UNKNOWN, 'kill -9: unknown at the next start');
$logins = () = $d->calls(route => 'login');
ok(reaches($killed, $SENT, 4), 'the history shows that it was sent');
ok(reaches($after, $SENT), 'the next one leaves');
is(join(',', texts(phone => phone(20))), 'terbunuh,sesudahnya',
    'and was called once');
is(scalar(() = $d->calls(route => 'chat.read')), 1,
    'a second read of the same chat is not told');
is(scalar(() = $d->calls(route => 'login')), $logins,
    'the token of the gateway is kept over a restart');
is($d->sql('SELECT count(*) FROM outbox WHERE state = 1'), 0,
    'nothing is left in flight');

# ---- an older database ----

behave(phone(21), 'status', status => 503);
my $again = send_text(phone(21), 'cadangan');
ok($d->wait_for(sub { $d->calls(phone => phone(21)) == 1 }), 'it waits');
my ($rc, $out) = $d->ctl(['backup', "$d->{dir}/older.db"]);
is($rc, 0, 'a backup') or diag($out);
ok(reaches($again, $SENT), 'then it is sent');
ok($d->wacrmd_stop, 'wacrmd stops');
($rc, $out) = $d->ctl(['restore', "$d->{dir}/older.db"]);
is($rc, 0, 'restore') or diag($out);
$d->wacrmd_start;
ok(reaches($again, $UNKNOWN), 'what waited then is unknown now');
my $next = send_text(phone(21), 'sesudah cadangan');
ok(reaches($next, $SENT), 'the lane goes on');
is(join(',', texts(phone => phone(21))),
    'cadangan,cadangan,sesudah cadangan', 'and it was not sent again');

# ---- kill -9, over and over, while calls are under way ----

$d->sim('/_sim/behaviour', { route => 'send.text', do => 'slow', ms => 150,
    times => -1 });
my $writer = fork;
die "fork: $!" unless defined $writer;
if (!$writer) {
    for my $n (1 .. 40) {
        my $sent;
        until ($sent) {
            $sent = eval { send_text(phone(30 + $n % 10), "gugur $n",
                'Idempotency-Key' => "gugur-$n") };
            sleep 0.03;
        }
    }
    POSIX::_exit(0);
}
for (1 .. 6) {
    sleep 0.35;
    $d->wacrmd_kill;
    $d->wacrmd_start;
}
waitpid $writer, 0;
is($d->sql("SELECT count(*) FROM messages WHERE body LIKE 'gugur %'"), 40,
    'each message is there once');
ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM outbox WHERE state = 1')
    == 0 }), 'no call is under way any more');
my %called;
$called{$_}++ for grep { /^gugur/ } texts();
is(join(',', grep { $called{$_} > 1 } keys %called), '',
    'nothing was sent twice');
is(join(',', grep { !$called{$_} } map { $_->[0] } $d->sql("SELECT body FROM"
    . " messages WHERE body LIKE 'gugur %' AND status = $SENT")), '',
    'and what is called sent was');

$d->sound;
$d->done;
