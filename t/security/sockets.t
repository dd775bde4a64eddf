#!/usr/bin/env perl
# Strangers and agents at the sockets of browsers, at the address that signs
# for them and at that of backends, through nginx.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(hmac_sha256_hex);
use IO::Socket::INET ();
use JSON::PP qw(encode_json);
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new->start;
my $port = $d->{nginx}->port;
my $secret = $Wacrm::Desk::APP_SECRET;
my $token = $d->login('cs1@test.example');

sub connection {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
        Timeout => 10) || die "connect: $!";
}

# "200 body"
sub answer {
    my ($method, $target, $body, @headers) = @_;

    my $s = connection();
    print {$s} join "\r\n", "$method $target HTTP/1.1", 'Host: localhost',
        'Connection: close', 'Content-Length: ' . length $body, @headers, '',
        $body;
    local $/;
    my ($code, $text) = <$s> =~ /^HTTP\/1.1 (\d+).*?\r\n\r\n(.*)/s;
    return "$code $text";
}

# ---- sockets ----

sub handshake {
    my $s = connection();
    print {$s} join "\r\n", 'GET /app/wacrm?protocol=7 HTTP/1.1',
        'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', @_, '', '';
    local $/ = "\r\n\r\n";
    my $head = <$s>;
    return ($s, $head, $head =~ /^HTTP\/1.1 (\d+)/);
}

sub frame {
    my ($first, $text) = @_;
    my $n = length $text;
    return pack('C', $first)
        . ($n < 126 ? pack 'C', 0x80 | $n : pack 'Cn', 0xfe, $n)
        . "\0\0\0\0$text";
}

# (opcode, payload); empty at the end
sub hear {
    my ($s) = @_;
    local $SIG{ALRM} = sub { die "nothing came within 10 s\n" };
    alarm 10;
    my $got = read $s, my $head, 2;
    my ($first, $n) = unpack 'CC', $head;
    if ($got && $n == 126) {
        read $s, $n, 2;
        $n = unpack 'n', $n;
    }
    my $text = '';
    read $s, $text, $n if $got && $n;
    alarm 0;
    return $got ? ($first & 15, $text) : ();
}

sub told {
    my ($s, $message) = @_;
    print {$s} frame(0x81, encode_json($message));
    $s->flush;
    return (hear($s))[1];
}

sub close_code {
    my ($bytes) = @_;
    my ($s) = handshake();
    hear($s);
    print {$s} $bytes;
    $s->flush;
    while (my ($op, $text) = hear($s)) {
        return unpack 'n', $text if $op == 8;
    }
    return 'none';
}

for my $origin ('http://evil.example', 'null', 'http://localhost.evil.example',
    'http://evil.example/localhost', 'localhost') {
    is((handshake("Origin: $origin"))[2], 403, "a page of $origin");
}
is((handshake('Origin: http://localhost'))[2], 101, 'our own page');
my ($s, $head) = handshake('Sec-WebSocket-Extensions: permessage-deflate',
    'Sec-WebSocket-Protocol: mqtt');
unlike($head, qr/^Sec-WebSocket-(?:Extensions|Protocol)/mi,
    'no compression, no protocol within');
my ($id) = (hear($s))[1] =~ /"socket_id\\":\\"([\d.]+)/;

my %closed = (
    'a control frame of 126 bytes' => [1002, frame(0x89, 'x' x 126)],
    'a control frame in pieces' => [1002, frame(0x09, 'x')],
    'a reserved bit' => [1002, frame(0xc1, '{}')],
    'a frame without a mask' => [1002, "\x81\x02{}"],
    'a piece of nothing' => [1002, frame(0x80, 'x')],
    'no UTF-8' => [1007, frame(0x81, "\xed\xa0\x80")],
    'binary data' => [1003, frame(0x82, '{}')],
    'a message of 11 KB' => [1009, frame(0x81, 'x' x 11264)],
    'a frame of 2^62 bytes' => [1009,
        pack 'CCQ>NC', 0x81, 0xff, 1 << 62, 0, 0x7b],
    '100 pieces' => [1009, frame(0x01, '{') . frame(0x00, ' ') x 100],
    '300 pings' => [4100, frame(0x89, '') x 300],
);
is(close_code($closed{$_}[1]), $closed{$_}[0], $_) for sort keys %closed;

sub subscribe {
    my ($channel, $auth, $data) = @_;
    return told($s, { event => 'pusher:subscribe', data => {
        channel => $channel, auth => $auth,
        $data ? (channel_data => $data) : () } });
}

sub signature { 'wacrm:' . hmac_sha256_hex(join(':', @_), $secret) }

my $refused = qr/"pusher:subscription_error".*"status":401/;
my $me = '{"user_id":"7"}';
for ([ 'of another socket', 'private-x', signature('1.1', 'private-x') ],
    [ 'of another channel', 'private-x', signature($id, 'private-y') ],
    [ 'in capitals', 'private-x', 'wacrm:'
        . uc hmac_sha256_hex("$id:private-x", $secret) ],
    [ 'of another key', 'private-x',
        signature($id, 'private-x') =~ s/wacrm/WACRM/r ],
    [ 'with more behind it', 'private-x', signature($id, 'private-x') . '0' ],
    [ 'of other channel_data', 'presence-x',
        signature($id, 'presence-x', $me), '{"user_id":"8"}' ],
    [ 'without channel_data', 'presence-x', signature($id, 'presence-x') ],
    [ 'that is right, of nobody', 'private-inbox',
        signature($id, 'private-inbox') ],
    [ 'that is right, for a chat', 'presence-chat.1',
        signature($id, 'presence-chat.1', $me), $me ]) {
    my ($what, @wish) = @$_;
    like(subscribe(@wish), $refused, "a signature $what");
}
like(subscribe('private-x', signature($id, 'private-x')), qr/succeeded/,
    'the right one');
like(told($s, { event => $_, channel => 'private-x', data => {} }),
    qr/"code\\":4200/, "$_ is not for clients to say")
    for 'App\Events\NewMessageReceived', 'pusher_internal:member_added';

# ---- signing ----

sub signing {
    my ($body, $type) = @_;
    return answer('POST', '/broadcasting/auth', $body,
        "Authorization: Bearer $token", 'Content-Type: '
            . ($type || 'application/x-www-form-urlencoded'));
}

like(signing("socket_id=$id&channel_name=private-inbox"),
    qr/^200 \{"auth":"wacrm:[0-9a-f]{64}"\}$/, 'the inbox is signed for');
like(signing("socket_id=$id&channel_name=$_"), qr/^4(?:00|03|22) /,
    "$_ is not")
    for 'private-inbox%00', 'private-inbox%0a', 'PRIVATE-inbox', 'inbox',
    'private-x', 'presence-inbox', 'presence-chat.999', 'presence-chat.%2B1',
    'presence-chat.1%20', 'presence-chat.01', 'presence-chat.1:%7B%7D',
    'presence-chat.99999999999999999999', 'private-inbox%ff';
like(signing("socket_id=$_&channel_name=private-inbox"), qr/^4(?:00|22) /,
    "no socket is \"$_\"")
    for '', '1', '1.', '.1', '1.2.3', '1.2:x', '1.2%00', '%ff', '9' x 50 . '.1',
    "1.1&socket_id=$id";
like(signing('{"socket_id":["1.1"],"channel_name":{}}', 'application/json'),
    qr/^422 /, 'no text');

# ---- backends ----

sub rest {
    my (%o) = @_;
    my $body = exists $o{body} ? $o{body}
        : '{"name":"x","channel":"y","data":"z"}';
    my %query = (auth_key => 'wacrm', auth_version => '1.0',
        auth_timestamp => time, body_md5 => md5_hex($body), %{$o{query} || {}});
    delete $query{$_} for grep { !defined $query{$_} } keys %query;
    my $query = join '&', map { "$_=$query{$_}" } sort keys %query;
    my $path = '/apps/wacrm/events';
    my $sign = hmac_sha256_hex("POST\n$path\n$query", $o{secret} || $secret);
    return answer('POST', "$path?auth_signature=$sign&"
        . join('&', reverse(split /&/, $query), @{$o{more} || []}), $body,
        'Content-Type: application/json');
}

is(rest(), '200 {}', 'a backend, its query in any order');
is(rest(query => { auth_timestamp => time + $_ }), '200 {}', "$_ s off")
    for -590, 590;
like(rest(query => { auth_timestamp => time + $_ }), qr/^401 /, "$_ s off")
    for -620, 620;
my %wrong = (
    'a time with a point' => { query => { auth_timestamp => time . '.0' } },
    'a time before all' => { query => { auth_timestamp => -1 } },
    'no time' => { query => { auth_timestamp => undef } },
    'no body_md5' => { query => { body_md5 => undef } },
    'the body_md5 of another' => { query => { body_md5 => md5_hex('') } },
    'another version' => { query => { auth_version => '2.0' } },
    'another key' => { query => { auth_key => 'WACRM' } },
    'another secret' => { secret => "$secret." },
    'a parameter more' => { more => ['info=x'] },
);
like(rest(%{$wrong{$_}}), qr/^401 /, $_) for sort keys %wrong;
like(rest(more => ["$_=x"]), qr/^40[01] /, "$_ twice")
    for qw(auth_key auth_signature auth_timestamp body_md5);
$d->done;
