#!/usr/bin/env perl
# Browsers and backends on the sockets of wacrmd, through nginx, with the
# clients they really use. What the bytes are is tested in t/unit.

use strict;
use warnings;

use IO::Socket::INET ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Node;

my %given = (secret => 'webhook-secret-of-the-test-00001',
    appSecret => $Wacrm::Desk::APP_SECRET, perl => $$);

my $d = Wacrm::Desk->new(
    nginx => sub { s/limit_conn sockets 200;/limit_conn sockets 20;/
        or die 'no limit' },
    wacrmd => sub {
        s/^(default_session *=.*)/$1\ndefault_everyone = off/m
            or die 'no default session';
        s/^welcome = on/welcome = off/m or die 'no welcome';
    })->start;
{
    # it asks for a restart while it is connected
    local $SIG{USR1} = sub { $d->wacrmd_stop; $d->wacrmd_spawn };
    $d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams/);
    Wacrm::Node::run($d, 'realtime.mjs', %given);
}
my $m = $d->{nginx}->metrics('/metrics/wacrmd');
cmp_ok($m->{wacrm_realtime_events_total}, '>', 0, 'events are counted');
is($m->{wacrm_realtime_faults_total}, 0, 'no faults');
is($m->{wacrm_realtime_behind_events}, 0, 'nothing is left to tell');
unlike($d->log, qr/public_inbox/, 'no warning');
for my $what ($Wacrm::Desk::APP_SECRET, qr/\d+\.\d+:private-/, 'Assalamu') {
    unlike($d->log, qr/$what/, 'nothing secret in the log');
}
ok($d->wacrmd_stop, 'it stops');

# the seed's public channel
{
    my $conf = $d->{nginx}->read('wacrmd.conf');
    $conf =~ s/^public_inbox = off/public_inbox = on/m or die 'no switch';
    $d->{nginx}->write('wacrmd.conf', $conf);
}
$d->wacrmd_start;
like($d->log, qr/ warn realtime msg="public_inbox is on/,
    'the public inbox is warned of');
Wacrm::Node::run($d, 'realtime.mjs', %given, phase => 'public');

# one address has so many sockets and no more
sub gauge {
    return $d->{nginx}->metrics('/metrics/wacrmd')
        ->{wacrm_realtime_connections};
}

ok($d->wait_for(sub { gauge() == 0 }), 'who leaves is forgotten');
my (@open, %status, $refused);
for (1 .. 25) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $d->{nginx}->port) or die "connect: $!";
    print {$s} join "\r\n", 'GET /app/wacrm?protocol=7 HTTP/1.1', 'Host: a',
        'Upgrade: websocket', 'Connection: Upgrade',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '';
    my ($code) = <$s> =~ /^HTTP\/1.1 (\d+)/;
    $status{$code}++;
    push @open, $s;
    next if $code != 429;
    local $/ = "\r\n\r\n";
    $refused = <$s>;
    read $s, $refused, ($refused =~ /^Content-Length: (\d+)/m)[0],
        length $refused;
}
is_deeply(\%status, { 101 => 20, 429 => 5 }, 'twenty of 25 sockets');
is(gauge(), 20, 'are counted');
like($refused, qr/^Content-Type: application\/json\r$/m,
    'the others are told');
like($refused, qr/\r\n\r\n\{"message":"[^"]+"\}$/, 'in JSON');
@open = ();
ok($d->wait_for(sub { gauge() == 0 }), 'and gone again');
$d->allow(qr/limiting connections by zone "sockets"/);
$d->done;
