#!/usr/bin/env perl
# Clients that hold on to what they have: half a head, half a body, an answer
# that they do not read. wacrmd hears nothing of them, the others notice
# nothing, and they are gone when their time is up; who drips on for ever holds
# no more than one network may.

use strict;
use warnings;

use IO::Socket::INET;
use IO::Select;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $EACH = $ENV{WACRM_SANITIZED} ? 50 : 150;
my $READERS = $EACH / 5;
my $LIMIT = $EACH + 20; # of one network
my $d = Wacrm::Desk->new(nginx => sub {
    s/^    (client_header_timeout) .*;/    $1 3s;/m or die 'no timeout';
    s/^    (client_body_timeout) .*;/    $1 3s;/m or die 'no timeout';
    s/^    (send_timeout) .*;/    $1 3s;/m or die 'no timeout';
    s/keepalive 64;/keepalive 2;/ or die 'no keepalive';
    s/^( *limit_conn clients) \d+;/$1 $LIMIT;/m or die 'no limit';
    # as good as a byte now and then
    s/(location = \/api\/auth\/refresh \{)/$1 client_body_timeout 5m;/
        or die 'no refresh';
    s/(zone=(?:send|login|unsigned):1m +)rate=\d+/$1rate=60000/g;
})->start;
$d->allow(qr/timed out/);
$d->allow(qr/limiting connections by zone "clients"/);
my $token = $d->login('cs1@test.example');
my $auth = "Authorization: Bearer $token\r\n";
my $n = $d->{nginx};

sub descriptors { scalar(() = glob '/proc/' . $d->wacrmd_pid . '/fd/*') }
sub resident {
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/status' or die $!;
    my ($kb) = join('', <$fh>) =~ /^VmRSS:\s+(\d+) kB/m;
    return $kb / 1024;
}
sub asked {
    my $m = $n->metrics('/metrics/wacrmd');
    my $sum = 0;
    $sum += $m->{$_} for grep { /^wacrm_http_requests_total\{/
        && !/"\/metrics"/ } keys %$m;
    return $sum;
}

sub hold {
    my ($bytes, $buffer, $from) = @_;
    my $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $from)
        or die "socket: $!";
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, $buffer if $buffer;
    connect $s, Socket::pack_sockaddr_in($n->port,
        Socket::inet_aton('127.0.0.1')) or die "connect: $!";
    syswrite $s, $bytes;
    return $s;
}

# Ten requests of somebody else; the slowest of them.
sub others {
    my ($what) = @_;
    my $worst = 0;
    for (1 .. 10) {
        my $begun = time;
        my $r = $d->api(GET => '/api/auth/me', token => $token);
        my $took = time - $begun;
        $r->{status} == 200 or fail("$what: others get $r->{status}");
        $worst = $took if $took > $worst;
    }
    my $sent = $d->event('message.received', { from => '6281233300001',
        message => 'x', id => 'SLOW' . ++$d->{count}, timestamp => time });
    is($sent, 200, "$what: the gateway is answered");
    cmp_ok($worst, '<', 5, sprintf '%s: others wait %.0f ms at most', $what,
        $worst * 1000);
}

# All of these have been closed by the other side.
sub all_gone {
    my (@sockets) = @_;
    my %open = map { $_ => $_ } @sockets;
    $d->wait_for(sub {
        for my $s (values %open) {
            while (IO::Select->new($s)->can_read(0)) {
                sysread($s, my $bytes, 1 << 20) and next;
                delete $open{$s};
                last;
            }
        }
        return !%open;
    }, 15);
    return scalar keys %open;
}

# ---- half a head, half a body ----

my %half = (
    'half a head' => "GET /api/crm/inbox HTTP/1.1\r\nHost: x\r\nX-A: ",
    'no byte at all' => '',
    'half a sign-in' => "POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
        . "Content-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"em",
    'half an event' => "POST /api/webhook/whatsapp HTTP/1.1\r\nHost: x\r\n"
        . 'X-Webhook-Signature: ' . '0' x 64 . "\r\nContent-Length: 9000\r\n"
        . "\r\n{\"event\":",
    'half a message' => "POST /api/crm/messages/send HTTP/1.1\r\nHost: x\r\n"
        . "${auth}Content-Type: application/json\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ph",
    'half a file' => "POST /api/crm/media HTTP/1.1\r\nHost: x\r\n$auth"
        . "Content-Type: multipart/form-data; boundary=x\r\n"
        . "Content-Length: 9000000\r\n\r\n--x\r\nContent-Disposition: ",
);
my ($fds, $rss) = (descriptors(), resident());
my $before = asked();
for my $what (sort keys %half) {
    my @held = map { hold($half{$what}) } 1 .. $EACH;
    others($what);
    cmp_ok(descriptors() - $fds, '<', 12, "$what: wacrmd holds none of them");
    is(all_gone(@held), 0, "$what: all gone when their time is up");
}
# nginx may ask twice where a kept connection has just ended
cmp_ok(asked() - $before, '<', 10 * keys(%half) + 5,
    'wacrmd was asked by the others only');

# ---- a byte now and then ----

my @drip = map { hold("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
    . "Content-Length: 200\r\n\r\n") } 1 .. $EACH;
for (1 .. 3) {
    syswrite $_, '{' for @drip;
    sleep 0.3;
}
others('a byte now and then');
is(all_gone(@drip), 0, 'who stops is gone');

# ---- a byte now and then, without end ----

{
    my $there = '127.0.0.2';
    my @all = map { hold("POST /api/auth/refresh HTTP/1.1\r\nHost: x\r\n"
        . "Content-Length: 9000\r\n\r\n{", undef, $there) } 1 .. $LIMIT + 10;
    my %refused;
    $d->wait_for(sub {
        $refused{$_} = $_ for grep { IO::Select->new($_)->can_read(0) } @all;
        keys %refused >= 10;
    });
    is(scalar keys %refused, 10, "one network holds $LIMIT, and no more");
    my $r = $n->read_response((values %refused)[0]);
    is($r->{status}, 503, 'the others are refused');
    is($r->{headers}{'content-type'}, 'application/json', 'in JSON');
    like($r->{body}, qr/^\{"message":"[^"]+"\}$/, 'with a message');
    ok($r->{headers}{'retry-after'}, 'and when to come again');
    is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
    is(all_gone(values %refused), 0, 'and are closed');

    my $ask = sub {
        my ($path, @more) = @_;
        return hold(join("\r\n", "GET $path HTTP/1.1", 'Host: a', @more,
            '', ''), undef, $there);
    };
    my $get = sub { $n->read_response($ask->(@_)) };
    for my $path ('/', '/assets/x.js', '/api/crm/inbox', '/healthz') {
        is($get->($path)->{status}, 503, "$path from there: 503");
    }
    $r = $get->('/api/webhook/whatsapp');
    is($r->{status}, 503, 'a webhook from there: 503');
    like($r->{body}, qr/^\{"message":"[^"]+"\}$/, 'in JSON, too');
    my $socket = $ask->('/app/wacrm?protocol=7', 'Upgrade: websocket',
        'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
    like(scalar <$socket>, qr{^HTTP/1\.1 101 },
        'but for sockets, which are counted by themselves');
    my @drip = grep { !$refused{$_} } @all;
    syswrite $_, '"' for @drip;
    others("$LIMIT who drip");
    is(scalar(grep { IO::Select->new($_)->can_read(0) } @drip), 0,
        'who are there still');
    (@all, @drip, %refused) = ();
    ok($d->wait_for(sub { $get->('/healthz')->{status} == 200 }),
        'when they have gone the network is served again');
}

# ---- answers that nobody reads ----

$d->event('message.received', { from => '6281233300002', message =>
    "\x01" x 30_000, id => "LONG$_", timestamp => time }) for 1 .. 30;
ok($d->applied, 'a chat of long messages');
my $chat = $d->sql("SELECT c.id FROM chats c JOIN contacts k ON k.id ="
    . " c.contact_id WHERE k.phone = '6281233300002'");
my $page = "GET /api/crm/inbox/$chat?shape=native&limit=200 HTTP/1.1\r\n"
    . "Host: x\r\nConnection: close\r\n$auth\r\n";
my $r = $d->api(GET => "/api/crm/inbox/$chat?shape=native&limit=200",
    token => $token);
cmp_ok(length $r->{body}, '>', 500_000, 'a long answer');
($fds, $rss) = (descriptors(), resident());
my @readers = map { hold($page, 4096) } 1 .. $READERS;
others('answers that nobody reads');
SKIP: {
    skip 'sanitizers have memory of their own', 1 if $ENV{WACRM_SANITIZED};
    cmp_ok(resident() - $rss, '<', 64, 'wacrmd keeps no answer for long');
}
is($d->wait_for(sub { descriptors() - $fds < 12 }), 1,
    'nor a connection: nginx has taken them');
is(all_gone(@readers), 0, 'who reads it late has it');

# more than the kernel keeps for them
my $size = 12_000_000;
my $form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename="
    . "\"a.png\"\r\n\r\n\x89PNG\r\n\x1a\n" . 'x' x ($size - 8)
    . "\r\n--x--\r\n";
$r = $d->api(POST => '/api/crm/media', token => $token, body => $form,
    headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
my ($media) = $r->{body} =~ /"media_id":"([0-9a-f]+)"/;
ok($media, 'a large file') or diag $r->{body};
@readers = map { hold("GET /api/crm/media/$media HTTP/1.1\r\nHost: x\r\n"
    . "$auth\r\n", 4096) } 1 .. $READERS;
others('files that nobody reads');
sleep 3.5; # their time
my $whole = 0;
for my $s (@readers) {
    my $got = 0;
    while (IO::Select->new($s)->can_read(5)) {
        my $len = sysread $s, my $bytes, 1 << 20;
        last if !$len;
        $got += $len;
    }
    $whole++ if $got >= $size;
}
is($whole, 0, 'they have been left');
others('afterwards');

$d->done;
