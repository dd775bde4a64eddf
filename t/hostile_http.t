#!/usr/bin/env perl
# Requests as an attacker writes them, byte by byte: nothing gets past the
# signature or the token, and nothing is read as another request than it was.

use strict;
use warnings;
no warnings 'qw';

use IO::Select;
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(nginx => sub {
    s/(zone=(?:send|login|unsigned):1m +)rate=\d+/$1rate=60000/g;
})->start;
$d->allow(qr/client sent|client intended/);
my $n = $d->{nginx};
my $token = $d->login('cs1@test.example');
my $hook = '/api/webhook/whatsapp';
my $secret = 'webhook-secret-of-the-test-00001';
my $count = 0;

# All that comes back for these bytes until the server closes or is silent.
sub raw {
    my ($bytes, %opt) = @_;

    my $s = $n->connect or return '';
    for my $piece ($opt{piece} ? unpack "(a$opt{piece})*", $bytes : $bytes) {
        syswrite $s, $piece;
        sleep 0.005 if $opt{piece};
    }
    shutdown $s, 1 if $opt{shut};
    my $got = '';
    while (IO::Select->new($s)->can_read($opt{wait} || 5)) {
        sysread $s, $got, 65536, length $got or last;
    }
    return $got;
}

sub codes { join ' ', $_[0] =~ m{HTTP/1\.1 (\d+) }g }

sub event {
    return '{"event":"message.received","data":{"from":"6281299990001",'
        . '"message":"x","id":"W' . $count++ . '"}}';
}

sub signature { ($n->waapi($_[0], $secret))[1] }

sub post {
    my ($body, $lines, %opt) = @_;
    my $length = exists $opt{length} ? $opt{length} : length $body;
    return "POST " . ($opt{path} || $hook) . " HTTP/1.1\r\nHost: x\r\n"
        . ($opt{keep} ? '' : "Connection: close\r\n") . $lines
        . (defined $length ? "Content-Length: $length\r\n" : '')
        . "\r\n$body";
}

sub signed {
    my ($body, %opt) = @_;
    return post($body, 'X-Webhook-Signature: ' . signature($body) . "\r\n",
        %opt);
}

# ---- signatures ----

my $body = event();
my $good = signature($body);
my $zeros = '0' x 64;
my %refused = (
    'short' => substr($good, 1), 'long' => "${good}0",
    'no digit' => 'g' . substr($good, 1), 'empty' => '', 'list' =>
    "$zeros,$good", 'spaces' => "$zeros $good", 'v1' => "v1=$good",
    '0x' => "0x$good", 'twice prefixed' => "sha256=sha256=$good",
    'high bytes' => "\xff" x 64, 'huge' => 'a' x 7000,
);
for my $what (sort keys %refused) {
    is(codes(raw(post($body, "X-Webhook-Signature: $refused{$what}\r\n"))),
        401, "signature: $what");
}
for my $two ([$good, $zeros], [$zeros, $good], [$good, $good]) {
    is(codes(raw(post($body, join '', map { "X-Webhook-Signature: $_\r\n" }
        @$two))), 401, 'two signatures');
}
is(codes(raw(post($body, "X_Webhook_Signature: $good\r\n"))), 401,
    'underscores');
is(codes(raw(post($body, "X-Webhook-Signature: $good\0\r\n"))), 400, 'NUL');
is(codes(raw(post($body, "X-Webhook-Signature:\r\n $good\r\n"))), 400,
    'folded');
is(codes(raw(post($body, "x-wEBHOOK-sIGNATURE: $good\r\n"))), 200, 'case');

# ---- bodies ----

$body = event();
is(codes(raw(signed($body, length => length($body) - 5))), 401, 'cut short');
is(codes(raw(signed($body, length => length($body) + 5), shut => 1)), '',
    'a client that ends within its body gets nothing');
is(codes(raw(signed($body), piece => 25)), 200, 'in small pieces');
for my $length ('-1', '99999999999999999999', '+5', '0x10', '5, 5') {
    is(codes(raw(signed($body, length => $length))), 400,
        "Content-Length: $length");
}
is(codes(raw(post($body, "Content-Length: 3\r\n"))), 400, 'two lengths');
my $chunked = sub { post('', 'X-Webhook-Signature: ' . signature($body)
    . "\r\nTransfer-Encoding: $_[0]\r\n", length => undef) };
my $chunks = join '', map { sprintf "%x;a=\"b\"\r\n%s\r\n", length, $_ }
    unpack '(a7)*', $body;
is(codes(raw($chunked->('chunked') . "${chunks}0\r\n\r\n")), 200, 'chunks');
is(codes(raw($chunked->('CHUNKED')
    . "${chunks}0\r\nX-Webhook-Signature: $zeros\r\n\r\n")), 200,
    'a trailer is no header');
for my $te ('gzip, chunked', 'xchunked', 'identity', "\x0bchunked") {
    is(codes(raw($chunked->($te) . "${chunks}0\r\n\r\n")), 501,
        'Transfer-Encoding: ' . ($te =~ s/\x0b/\\v/r));
}
for my $size ('ffffffffffffffff1', '7fffffffffffffff', '-5', '3') {
    is(codes(raw($chunked->('chunked') . "$size\r\nabcd\r\n0\r\n\r\n",
        wait => 1)), 400, "chunk of $size");
}
is(codes(raw(post($body, "Transfer-Encoding: chunked\r\n"))), 400,
    'a length and chunks');

# ---- one connection, several requests ----

my $four = signed(event(), keep => 1)
    . post(event(), "X-Webhook-Signature: $zeros\r\n", keep => 1)
    . signed('{"x":1', keep => 1) . signed(event());
is(codes(raw($four)), '200 401 400 200', 'pipelined');
is(codes(raw($four, piece => 100)), '200 401 400 200', 'and in pieces');

my $inner = "GET /api/auth/me HTTP/1.1\r\nHost: x\r\nX-Wacrm-User: 1\r\n"
    . "X-Wacrm-Token-Id: t\r\nX-Wacrm-Token-Exp: 99999999999\r\n\r\n";
for my $lines ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
        "X: y\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length : 0\r\n") {
    is(codes(raw("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n$lines\r\n"
        . "0\r\n\r\n$inner", wait => 1)), 400, 'two readings of one body');
}
for my $method (qw(GET HEAD DELETE POST)) {
    my $got = raw("$method /api/crm/inbox HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $token\r\nContent-Length: "
        . length($inner) . "\r\n\r\n$inner", wait => 0.5);
    unlike(codes($got), qr/ /, "$method with a request as its body: one");
    unlike($got, qr/"user"/, 'which is not answered');
}

# ---- paths without a token, with headers of our own making ----

my $forged = "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: t\r\n"
    . "X-Wacrm-Token-Exp: 99999999999\r\n";
for my $path (qw(/api/health/../crm/inbox /api/crm/../health
        /api/crm/inbox/..%2f..%2fhealth /api/health%2f..%2fcrm%2finbox
        /metrics/wacrmd/../../api/crm/inbox /api/auth/login/..%2fme
        /api/auth/login%2f..%2fme /api/auth/refresh/../me //api//crm//inbox
        /%61pi/crm/inbox /api/crm/inbox%3fx /api/crm%2finbox /API/CRM/inbox
        /api/health;/crm/inbox /api/health%20 /api/health%0a
        /api/health#/../crm/inbox http://x/api/crm/inbox /api/crm%5cinbox
        /@away /.git/config)) {
    my $got = raw("GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "$forged\r\n");
    # what is no address of the API is one of the desk: its page, for all
    ok(codes($got) =~ /^40[14]$/ || $got =~ /^Content-Type: text\/html/m
            && $got !~ /conversations/, $path) or diag($got);
}
for my $path (qw(/api/crm/messages/send/ /api/crm//messages/send
        /api/crm/messages%2fsend /api/crm/messages/%73end
        /api/crm/messages/send; /api/crm/./messages/send
        /api/crm/messages/send%0a /api/crm/messages/send%20)) {
    my $r = $d->api(POST => $path, token => $token,
        json => { phone => '0812000000001', message => 'x' });
    like($r->{status}, qr/^40[45]$/, "no way around the limit of sends: $path");
}

# ---- Authorization ----

for my $value ("Token $token", $token, "Bearer $token,x", "Bearer $token.",
        "Bearer $token=", "Bearer\t$token", 'Bearer null', 'Bearer', 'Bearer ',
        'Bearer ..', "Basic $token", "Bearer " . substr($token, 0, -1)) {
    is($d->api(GET => '/api/auth/me',
        headers => { Authorization => $value })->{status}, 401,
        'Authorization: ' . substr $value, 0, 12);
}
is($d->api(GET => '/api/auth/me', headers => { Authorization =>
    ['Bearer x', "Bearer $token"] })->{status}, 400, 'two of them');
is($d->api(GET => "/api/auth/me?token=$token&access_token=$token")->{status},
    401, 'not in the query');

is($d->wait_for(sub { ($d->ctl(['spool', 'stat']))[1] =~ /records=0 / }), 1,
    'applied');
is($d->sql("SELECT count(*) FROM dead_letters"), 0, 'what was taken was whole');

# ---- what nginx itself refuses ----

my $long = 'x' x 40_000;
my @own = (
    [400, "GET /api/crm/inbox HTTP/1.1\r\n\r\n", 'no host'],
    [400, "nothing like a request\r\n\r\n", 'no request'],
    [400, "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 'two hosts'],
    [403, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 'not from here'],
    [405, "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 'TRACE'],
    [400, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 'CONNECT'],
    [414, "GET /$long HTTP/1.1\r\nHost: x\r\n\r\n", 'a long address'],
    [431, "GET / HTTP/1.1\r\nHost: x\r\nCookie: $long\r\n\r\n",
        'long headers'],
    [501, "POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: gzip\r\n\r\n", 'an unknown encoding'],
    [404, "GET /wacrm-error/400 HTTP/1.1\r\nHost: x\r\n\r\n",
        'the answers themselves'],
);
my $conf = $n->read('nginx.conf');
$conf =~ s/(location = \/metrics \{\s+)allow 127.0.0.1;/$1/ or die 'no metrics';
$n->write('nginx.conf', $conf);
$n->reload;
for (@own) {
    my ($status, $bytes, $what) = @$_;
    my $got = raw($bytes, shut => 1);
    like($got, qr{^HTTP/1\.1 $status }, "$what: $status");
    like($got, qr{^Content-Type: application/json\r$}m, "$what: as JSON");
    my ($body) = $got =~ /\r\n\r\n(.*)/s;
    my $read = eval { JSON::PP->new->utf8->decode($body) } || {};
    like($read->{message} || '', qr/\w/, "$what: with a message")
        or diag $got;
    like($got, qr/^X-Content-Type-Options: nosniff\r$/m, "$what: nosniff");
}
my $bad = '{"event":';
like(raw(post($bad, 'X-Webhook-Signature: ' . signature($bad) . "\r\n")),
    qr/^HTTP\/1\.1 400 .*"message":"(?!The request is not valid)\w/s,
    'the webhook has words of its own');

$d->done;
