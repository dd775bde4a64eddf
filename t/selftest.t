#!/usr/bin/env perl
# wacrmctl selftest: a marked event through the whole road, the time of each
# hop, the hop that fails; nobody but the tester sees anything of it.

use strict;
use warnings;

use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' }
)->start;
my $dir = $d->{dir};
my $url = 'http://127.0.0.1:' . $d->{nginx}->port;

sub selftest {
    my (@more) = @_;
    return $d->ctl([@more, 'selftest', '--url', $url, '--timeout', 8]);
}

# all that people are shown
sub world {
    return join ' ', map { scalar $d->sql("SELECT count(*) FROM $_") }
        qw(contacts chats messages sessions raw_events dead_letters outbox
           audit parked);
}

$d->event('message.received', { from => '6281210000007', pushName => 'Siti',
    message => 'Halo', id => 'REAL1', timestamp => time });
ok($d->applied, 'a donor');
my $token = $d->login('supervisor@test.example');
my $since = $d->api(GET => '/api/crm/events?since=latest', token => $token)
    ->{json}{next};
my $before = world();
my $inbox = $d->api(GET => '/api/crm/inbox', token => $token)->{body};
my $board = $d->api(GET => '/api/crm/dashboard', token => $token)->{body};

# somebody at the desk, as a browser is
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $d->{nginx}->port) or die $!;
print {$s} "GET /app/wacrm?protocol=7 HTTP/1.1\r\nHost: a\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
my $heard = '';
$d->wait_for(sub { sysread $s, $heard, 4096, length $heard;
    $heard =~ /connection_established/ }) or die 'no socket';

my ($rc, $out) = selftest();
is($rc, 0, 'the whole road') or diag $out;
my @hops = qw(webhook spool database feed socket);
is(join(' ', $out =~ /^(\w+) +[\d.]+ ms/mg), "@hops ok", 'each hop, in order');

# Once more, with a database that is held while the event waits for it: the
# time of that hop is the time for which it is held, and no other's.
my $held = $d->hold;
my $tester = fork;
die "fork: $!" unless defined $tester;
if (!$tester) {
    POSIX::_exit((selftest('--json'))[0]);
}
ok($d->wait_for(sub { $d->{nginx}->metrics('/metrics/wacrmd')
    ->{wacrm_spool_records} == 1 }), 'it waits');
select undef, undef, undef, 1.2;
$d->let_go($held);
waitpid $tester, 0;
is($?, 0, '--json');
my @lines = map { JSON::PP->new->decode($_) }
    split /\n/, $d->{nginx}->read('ctl.out');
is(join(' ', map { $_->{hop} || 'ok' } @lines), "@hops ok", 'the same');
my %ms = map { ($_->{hop} || 'ok') => $_->{ms} } @lines;
cmp_ok($ms{database}, '>=', 1000, "the database: $ms{database} ms");
cmp_ok($ms{$_}, '<', $ms{database}, "$_: $ms{$_} ms")
    for grep { $_ ne 'database' } @hops;
# But for the webhook's answer, which nobody waits for, they follow each other;
# threads note their times when they come to it, which a busy machine delays.
my $sum = $ms{spool} + $ms{database} + $ms{feed} + $ms{socket};
cmp_ok($sum, '<=', $ms{ok} + 1000, "the hops, $sum ms, are in the whole");
cmp_ok($sum, '>=', $ms{ok} - $ms{webhook} - 1, 'and are all of it');

# ---- nobody sees it ----

is(world(), $before, 'no row of any kind that people see');
is($d->sql('SELECT count(*) FROM events WHERE kind = 13'), 2,
    'but a number in the events for each');
my $r = $d->api(GET => "/api/crm/events?since=$since", token => $token);
is(scalar @{$r->{json}{events}}, 0, 'which GET /events does not tell');
ok(!$r->{json}{resync} && $r->{json}{next} > $since, 'and goes past');
is($d->api(GET => '/api/crm/inbox', token => $token)->{body}, $inbox,
    'the same inbox');
# but for how long somebody has waited by now
my $now = $d->api(GET => '/api/crm/dashboard', token => $token)->{body};
s/"oldest_seconds":\d+// for $board, $now;
is($now, $board, 'the same figures');
$s->blocking(0);
sysread $s, $heard, 4096, length $heard;
unlike($heard, qr/SelfTest/, 'no page hears of it');
is(scalar $d->calls, 0, 'the gateway was asked nothing');
unlike($d->log, qr/webhook-secret|wacrm\.selftest/, 'nothing in the log');

# ---- what is no probe is an event as any other ----

my $dead = $d->sql('SELECT count(*) FROM dead_letters');
for ('{"event":"wacrm.selftest","probe":""}',
    '{"event":"wacrm.selftest","probe":"1","x":1}',
    '{"event": "wacrm.selftest","probe":"1"}',
    '{"event":"wacrm.selftest","probe":"-1"}',
    '{"event":"wacrm.selftest","probe":"1234567890123456789"}') {
    is($d->webhook($_)->{status}, 200, $_);
}
ok($d->applied, 'applied');
is($d->sql('SELECT count(*) FROM events WHERE kind = 13'), 2,
    'none of them is one');

# ---- each hop that can fail ----

sub fails {
    my ($hop, $like, $what) = @_;
    my ($rc, $out) = $d->ctl(['selftest', '--url', $url, '--timeout', 2]);
    is($rc, 1, "$what: 1");
    like($out, qr/^wacrmctl: selftest failed at $hop: .*$like/m,
        "it is the $hop") or diag $out;
}

$d->{nginx}->write('secrets/webhook2', 'another-secret-of-the-test-00001');
($rc, $out) = $d->ctl(['selftest', '--url', $url, '--secret-file',
    "$dir/secrets/webhook2"]);
is($rc, 1, 'another secret');
like($out, qr/failed at webhook: .*401: not the secret/, 'is told as that');
{
    my $port = Wacrm::Nginx::deaf_port();
    my $true = $url;
    $url = "http://127.0.0.1:$port";
    fails('webhook', 'refused|connect', 'no nginx');
    $url = $true;
}
is(($d->ctl(['selftest', @$_]))[0], 2, "@$_") for ['--url', 'ftp://x'],
    ['--timeout', 0], ['--secret-file', '/nowhere'];

my $lock = $d->hold;
fails('spool', 'events wait', 'a database that is held');
$d->let_go($lock);
ok($d->applied(30), 'it goes on');
$d->allow(qr/locked|busy|batch put back|write failed/i);

{
    my $conf = $d->{nginx}->read('nginx.conf');
    $conf =~ s{location /app/ \{}{location /app/ \{ return 404;} or die;
    $d->{nginx}->write('nginx.conf', $conf);
    $d->{nginx}->reload;
}
fails('socket', 'no WebSocket but: HTTP/1.1 404', 'no way for sockets');
$d->wacrmd_stop;
fails('wacrmd', 'does wacrmd run', 'no wacrmd');
$d->wacrmd_start;
$d->sound;
$d->done;
