#!/usr/bin/env perl
# Two readings of the same bytes: between nginx and wacrmd none may differ. As
# many requests reach wacrmd as were meant, each with the identity of its own
# token, and who comes next on the kept connection gets their own answer. Then
# the same straight at wacrmd's socket, as one who has come that far, and what
# HTTP/2 can carry that no request line and no header of HTTP/1 can.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Http2;

my $d = Wacrm::Desk->new(nginx => sub {
    s/keepalive 64;/keepalive 1;/ or die 'no keepalive';
    s/^( *listen 127\.0\.0\.1:%%PORT%%;\n)/$1listen 127.0.0.1:%%PORT2%% http2;\n/m
        or die 'no listen';
})->start;
$d->allow(qr/client sent|client intended/);
my %token = map { $_ => $d->login("$_\@test.example") } qw(cs1 cs2);
my $admin = $d->sql("SELECT id FROM users WHERE role = 'admin'");
my ($cs1, $cs2) = map { scalar $d->sql("SELECT id FROM users WHERE email ="
    . " '$_\@test.example'") } qw(cs1 cs2);

# ---- what is sent, and what is counted ----

sub all_of {
    my ($s, $bytes, $wait) = @_;

    local $SIG{PIPE} = 'IGNORE';
    syswrite $s, $bytes;
    my $got = '';
    while (IO::Select->new($s)->can_read($wait)) {
        sysread $s, $got, 65536, length $got or last;
    }
    return $got;
}

sub through_nginx { all_of($d->{nginx}->connect, $_[0], $_[1] || 0.3) }

sub straight {
    my ($bytes, $wait) = @_;
    my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM,
        Peer => "$d->{dir}/http.sock") or die "http.sock: $!";
    return all_of($s, $bytes, $wait || 0.3);
}

sub codes { join ' ', $_[0] =~ m{HTTP/1\.[01] (\d+) }g }

# how often a route of wacrmd was asked
sub asked {
    my ($route) = @_;
    my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    my $sum = 0;
    $sum += $m->{$_} for grep { /^wacrm_http_requests_total\{/
        && /"\Q$route\E"/ } keys %$m;
    return $sum;
}

my $identity = "X-Wacrm-User: $admin\r\nX-Wacrm-Token-Id: t\r\n"
    . "X-Wacrm-Token-Exp: 99999999999\r\n";
# what shall not be read as a request
my $hidden = "GET /api/crm/agents HTTP/1.1\r\nHost: x\r\n$identity\r\n";
my $inner = length $hidden;
my $chunk = sprintf "%x\r\n%s\r\n0\r\n\r\n", $inner, $hidden;
my $auth = "Authorization: Bearer $token{cs1}\r\n";
my $me = "GET /api/auth/me HTTP/1.1\r\nHost: x\r\n";
my $post = "POST /api/crm/inbox/1/read HTTP/1.1\r\nHost: x\r\n$auth";

cmp_ok(asked('/api/auth/login'), '>=', 2, 'wacrmd counts its requests');

# name, bytes
my @attacks = (
    ['a length and chunks', "${post}Content-Length: 5\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n$hidden"],
    ['chunks and a length', "${post}Transfer-Encoding: chunked\r\n"
        . "Content-Length: $inner\r\n\r\n0\r\n\r\n$hidden"],
    (map { ["Transfer-Encoding:$_" =~ s/[\r\n\t\x0b\0]/./gr,
        "${post}Transfer-Encoding:$_\r\nContent-Length: 5\r\n\r\n"
        . "0\r\n\r\n$hidden"] }
        "\tchunked", " x\r\n chunked", ' chunked, identity', ' chunked;q=1',
        " \x0bchunked", " chunked\0", ' identity', ' "chunked"', ' ,chunked'),
    ['two Transfer-Encodings', "${post}Transfer-Encoding: chunked\r\n"
        . "Transfer-Encoding: identity\r\n\r\n$chunk"],
    (map { ["name of the header: $_" =~ s/[\r\n\t\0]/./gr,
        "$post$_: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n$hidden"] }
        'Transfer-Encoding ', "Transfer-Encoding\t", 'Transfer_Encoding',
        " Transfer-Encoding", "Transfer-Encoding\0", "Content-Length: 0\r\n"
        . "\tTransfer-Encoding"),
    (map { ["Content-Length: $_" =~ s/[\r\n]/./gr,
        "${post}Content-Length: $_\r\n\r\n$hidden"] }
        '0, 5', "0\r\nContent-Length: $inner", '+0', '0x0', "0\0", '-1', '0 1',
        "\r\n 0", "$inner\r\nContent-Length: 0"),
    (map { ["a chunk of $_" =~ s/[\r\n]/./gr,
        "${post}Transfer-Encoding: chunked\r\n\r\n$_\r\n"] }
        "5;\nxx\r\n0", "0x0", "+0", "-1", "0 0", "fffffffffffffffff",
        "1\r\nZZ", "0;a=\"\r\n\r\n$hidden\""),
    ['an extension of a chunk that is long', "${post}Transfer-Encoding: "
        . "chunked\r\n\r\n0;" . 'x' x 9000 . "\r\n\r\n"],
    ['a trailer with an identity', "${post}Transfer-Encoding: chunked\r\n\r\n"
        . "0\r\n$identity\r\n"],
    ['a request as the body of a GET', "$me${auth}Content-Length: $inner\r\n"
        . "\r\n$hidden"],
    ['the same in chunks', "$me${auth}Transfer-Encoding: chunked\r\n\r\n"
        . $chunk],
    ['lines that end in LF alone', "POST /api/crm/inbox/1/read HTTP/1.1\n"
        . "Host: x\n" . $auth =~ s/\r//r . "Content-Length: $inner\n\n$hidden"],
    ['a CR in the middle', "${post}X-A: b\rX-Wacrm-User: $admin\r\n\r\n"],
    ['a NUL in a value', "${post}X-A: b\0\r\n\r\n"],
    ['a NUL in the path', "GET /api/auth/me\0/x HTTP/1.1\r\nHost: x\r\n$auth"
        . "\r\n"],
    ['an upgrade to HTTP/2', "$me${auth}Connection: Upgrade, HTTP2-Settings"
        . "\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"],
    ['an upgrade to a WebSocket', "$me${auth}Connection: Upgrade\r\nUpgrade: "
        . "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        . "AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"],
    ['Expect', "${post}Expect: 100-continue\r\nContent-Length: $inner\r\n\r\n"
        . $hidden],
    ['CONNECT', "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n$auth\r\n"],
    ['TRACE', "TRACE /api/auth/me HTTP/1.1\r\nHost: x\r\n$auth\r\n"],
    ['HTTP/0.9', "GET /api/auth/me\r\n"],
    ['HTTP/1.0 with chunks', "POST /api/crm/inbox/1/read HTTP/1.0\r\n$auth"
        . "Transfer-Encoding: chunked\r\n\r\n$chunk"],
    ['another host in the first line', "GET http://wacrmd/api/crm/agents"
        . " HTTP/1.1\r\nHost: x\r\n$identity\r\n"],
    ['a space in the first line', "GET /api/auth/me HTTP/1.1 HTTP/1.1\r\n"
        . "Host: x\r\n$auth\r\n"],
);

my $listed = asked('/api/crm/agents');
is(codes(straight($hidden, 5)), 200, 'what is hidden would be answered');
is(asked('/api/crm/agents'), $listed + 1, 'and counted');

for (@attacks) {
    my ($name, $bytes) = @$_;
    my $agents = asked('/api/crm/agents');
    my $got = through_nginx($bytes);
    unlike($got, qr/admin\@test\.example/, "$name: nobody's answer but ours");
    my ($mine) = map { $_->{json}{user}{id} } $d->api(GET => '/api/auth/me',
        token => $token{cs2});
    is($mine, $cs2, "$name: the next one is answered as themselves");
    is(asked('/api/crm/agents'), $agents, "$name: the hidden one is not read");
}

# ---- headers that one hop may take away ----

for my $connection ('X-Wacrm-User', 'close, X-Wacrm-Token-Id',
        'Authorization', 'keep-alive, X-Wacrm-User, X-Wacrm-Token-Exp',
        'Content-Length', 'X-Wacrm-User, X-Wacrm-User') {
    my $got = through_nginx($me . $auth . $identity
        . "Connection: $connection\r\n\r\n");
    like($got, qr/"id":\s*$cs1\b/, "Connection: $connection is not passed on");
    $got = through_nginx("$me${identity}Connection: $connection\r\n\r\n");
    is(codes($got), 401, 'and opens nothing');
}
for my $header ('Proxy-Connection: X-Wacrm-User', 'Keep-Alive: X-Wacrm-User',
        'TE: trailers, X-Wacrm-User', 'X-Forwarded-User: 1',
        "X-Forwarded-For: 127.0.0.1", 'X-Real-IP: 127.0.0.1',
        'Forwarded: for=127.0.0.1', 'X-Original-URL: /api/crm/agents',
        'X-Rewrite-URL: /api/crm/agents', 'X-HTTP-Method-Override: DELETE',
        'X-Accel-Redirect: /wacrm-media/', 'X-User-Id: 1', 'Remote-User: 1') {
    my $got = through_nginx("$me$auth$header\r\nConnection: close\r\n\r\n", 5);
    like($got, qr/"id":\s*$cs1\b/, "$header: changes nobody");
    is(codes(through_nginx("$me$header\r\nConnection: close\r\n\r\n", 5)), 401,
        "$header: is nobody");
}
for my $name ("X-Wacrm-User ", "X-Wacrm-User\t", " X-Wacrm-User",
        "X-Wacrm-User\0", 'X_Wacrm_User', 'x-wacrm-user', 'X-WACRM-USER',
        "X-A: b\r\n X-Wacrm-User", "X-A: b\rX-Wacrm-User", "\rX-Wacrm-User",
        "X-A: b\nX-Wacrm-User") {
    my $shown = $name =~ s/[\r\n\t\0]/./gr;
    my $got = through_nginx("$me$auth$name: $admin\r\n"
        . "Connection: close\r\n\r\n", 5);
    unlike($got, qr/admin\@test/, "$shown: is not heard");
    like(codes(through_nginx("$me$name: $admin\r\n"
        . ($identity =~ s/^\S+ \S+\r\n//r)
        . "Connection: close\r\n\r\n", 5)), qr/^40[01]$/, "$shown: nobody");
}

# ---- over HTTP/2 ----

# all that wacrmd was asked, but for its counters
sub asked_at_all {
    my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    my $sum = 0;
    $sum += $m->{$_} for grep { /^wacrm_http_requests_total\{/
        && !/"\/metrics"/ } keys %$m;
    return $sum;
}

sub h2 {
    my ($headers, %opt) = @_;
    return h2_call($d->{nginx}->connect(2), [':scheme' => 'http',
        ':authority' => 'x', @$headers,
        authorization => "Bearer $token{cs1}"], %opt);
}

my @me = (':method' => 'GET', ':path' => '/api/auth/me');
my @read = (':method' => 'POST', ':path' => '/api/crm/inbox/1/read');
my $line = "/api/auth/me HTTP/1.1\r\nHost: x\r\n\r\n$hidden";
my $whole = h2([@me, 'x-a' => 'b']);
is($whole->{status}, 200, 'HTTP/2: what is whole is answered');
like($whole->{body}, qr/"id":\s*$cs1\b/, 'HTTP/2: as who they are');

# how many requests it is (a trailer: up to nginx), name, headers, what else
for ([1, 'a length and the same data', [@read, 'content-length' => $inner],
        data => $hidden],
     [0, 'a length below the data', [@read, 'content-length' => 0],
        data => $hidden],
     [0, 'a length above the data', [@read, 'content-length' => $inner + 9],
        data => $hidden],
     [0, 'a length and no data', [@read, 'content-length' => $inner]],
     [0, 'two lengths', [@read, 'content-length' => 0,
        'content-length' => $inner], data => $hidden],
     [1, 'chunks', [@read, 'transfer-encoding' => 'chunked'],
        data => "0\r\n\r\n$hidden"],
     [0, 'chunks and a length', [@read, 'transfer-encoding' => 'chunked',
        'content-length' => 5], data => "0\r\n\r\n$hidden"],
     (map { [0, 'in a value: ' . s/[\r\n\0]/./gr, [@me, 'x-a' => $_]] }
        "b\r\nX-Wacrm-User: $admin", "b\nX-Wacrm-User: $admin",
        "b\rX-Wacrm-User: $admin", "b\0", "b\r\n\r\n$hidden"),
     (map { [0, 'in a name: ' . s/[\r\n\0]/./gr, [@me, $_ => 'b']] }
        "x-a: b\r\nx-wacrm-user", "x-a\0", "x-a\nb"),
     (map { [0, 'in the path: ' . s/[\r\n\0]/./gr, [':method' => 'GET',
        ':path' => $_]] } $line, "/api/auth/me\0", "/api/auth/me\n", ''),
     [0, 'in the method', [':method' => "GET $line", ':path' => '/']],
     [0, 'two paths', [@me, ':path' => '/api/crm/agents']],
     [0, 'two methods', [@me, ':method' => 'POST']],
     [0, 'no path', [':method' => 'GET']],
     [undef, 'a trailer with an identity', [@read], data => 'x',
        trailers => ['x-wacrm-user' => $admin]]) {
    my ($passes, $name, $headers, @opt) = @$_;
    my ($all, $agents) = (asked_at_all(), asked('/api/crm/agents'));
    my $got = h2($headers, @opt);
    unlike($got->{status}, qr/^(?:2|5)/, "HTTP/2, $name: $got->{status}");
    unlike($got->{body}, qr/admin\@test\.example/,
        "HTTP/2, $name: nobody's answer but ours");
    is(asked_at_all(), $all + $passes, "HTTP/2, $name: "
        . ($passes ? 'one request' : 'nothing comes to wacrmd'))
        if defined $passes;
    is(asked('/api/crm/agents'), $agents,
        "HTTP/2, $name: the hidden one is not read");
    my ($mine) = map { $_->{json}{user}{id} } $d->api(GET => '/api/auth/me',
        token => $token{cs2});
    is($mine, $cs2, "HTTP/2, $name: the next one is answered as themselves");
}

# ---- straight at the socket ----

my $own = $identity =~ s/(User: )\d+/$1$cs1/r;
like(straight("${me}${own}Connection: close\r\n\r\n", 5), qr/"id":\s*$cs1\b/,
    'the socket takes what the edge says');
is(codes(straight("$me$own\r\n${me}Connection: close\r\n\r\n", 5)), '200 401',
    'who came before on a connection is not who comes next');
for my $odd (map { my $make = $_; $own =~ s/(User:) (\d+)/$1 . $make->($2)/er }
        sub { " $_[0], $admin" }, sub { " +$_[0]" }, sub { " 0x1" },
        sub { " $_[0]\r\n $admin" }, sub { '' }, sub { " $_[0].0" },
        sub { " $_[0]e0" }, sub { ' 18446744073709551617' },
        sub { " $_[0]\r\nX-Wacrm-User: $admin" },
        sub { " $_[0]\r\nx-WACRM-uSER: $_[0]" },
        sub { " $_[0]\r\nX-Wacrm-Admin: 1" }) {
    my $shown = $odd =~ s/\r?\n/|/gr;
    my $got = straight("$me${odd}Connection: close\r\n\r\n", 5);
    like(codes($got), qr/^40[01]$/, "the identity $shown")
        or diag $got;
}
for (@attacks) {
    my ($name, $bytes) = @$_;
    my $got = straight($bytes =~ s/\Q$auth\E/$own/r);
    # what stands hidden carries an identity of its own: whoever speaks to
    # the socket may claim one; but no attack may bring the server down
    unlike(codes($got), qr/50[0-24-9]/, "$name: at the socket");
}
is(codes(straight("GET /api/auth/me HTTP/1.1\r\nHost: x\r\nX-Fill: "
    . 'x' x 40_000 . "\r\n$own\r\n", 1)) =~ /^(?:4\d\d)?$/, 1,
    'a head that is too long');
is(codes(straight("GET /" . 'a' x 40_000 . " HTTP/1.1\r\nHost: x\r\n\r\n", 1))
    =~ /^(?:4\d\d)?$/, 1, 'a path that is too long');
is(codes(straight("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
    . "application/json\r\nContent-Length: 8000000\r\n\r\n" . 'x' x 8_000_000,
    2)), 413, 'a body that is too long');
is($d->api(GET => '/api/auth/me', token => $token{cs1})->{json}{user}{id},
    $cs1, 'and all goes on');
is($d->sql("SELECT count(*) FROM users WHERE role = 'admin'"), 1,
    'nobody has become an administrator');

$d->done;
