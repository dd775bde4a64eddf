#!/usr/bin/env perl
# JSON that is deep or hollow, numbers without end, more parameters than any
# call has: refused at a bounded price, and the desk goes on.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(nginx => sub {
    s/(zone=(?:send|login|unsigned):1m +)rate=\d+/$1rate=60000/g;
})->start;
$d->allow(qr/client sent|too large body|intended to send/);
my $token = $d->login('cs1@test.example');
my $pid = $d->wacrmd_pid;

sub api {
    my ($body) = @_;
    return $d->api(POST => '/api/crm/messages/send', token => $token,
        body => $body, headers => { 'Content-Type' => 'application/json' });
}

my $phone = '"phone":"6281200000001","message":"x"';
my %body = (
    'arrays, 100000 deep' => '{' . $phone . ',"x":' . '[' x 100_000
        . ']' x 100_000 . '}',
    'objects, 100000 deep' => '{' . $phone . ',"x":' . '{"a":' x 100_000 . '1'
        . '}' x 100_000 . '}',
    'arrays that do not end' => '[' x 500_000,
    'objects that do not end' => '{"a":' x 100_000,
    'a number of 100000 digits' => "{$phone,\"x\":" . '9' x 100_000 . '}',
    'an exponent without end' => "{$phone,\"x\":1e" . '9' x 1000 . '}',
    'a name of 500000 letters' => "{$phone,\"" . 'a' x 500_000 . '":1}',
    'the same name 10000 times' => "{$phone" . ',"phone":"6281"' x 10_000
        . '}',
    '10000 names' => "{$phone," . join(',', map { "\"n$_\":1" } 1 .. 10_000)
        . '}',
    'escapes alone' => "{$phone,\"x\":\"" . '\\u0041' x 50_000 . '"}',
    'half a surrogate' => "{$phone,\"x\":\"\\ud800\"}",
    'bytes that are not UTF-8' => "{$phone,\"x\":\"\xff\xfe\"}",
    'a NUL' => "{$phone,\"x\":\"a\0b\"}",
    'not JSON at all' => 'x' x 500_000,
);
for my $what (sort keys %body) {
    my $begun = time;
    my $r = api($body{$what});
    my $took = time - $begun;
    like($r->{status}, qr/^(?:200|400|413|422)$/, "$what: $r->{status}");
    cmp_ok($took, '<', 5, sprintf '%s: %.0f ms', $what, $took * 1000);
    next if $what =~ /names|name of|escapes/;
    isnt($r->{status}, 200, "$what: nothing is sent");
}
my %event = (
    'arrays, 100000 deep' => [400, '[' x 100_000 . ']' x 100_000],
    'objects, 100000 deep' => [400, '{"a":' x 100_000 . '1' . '}' x 100_000],
    'as deep as jansson goes' => [200, '[' x 2048 . ']' x 2048],
    'and one more' => [400, '[' x 2049 . ']' x 2049],
    'arrays that do not end' => [400, '[' x 1_000_000],
    'a number of a megabyte' => [200, '{"event":"x","data":'
        . '9' x 1_000_000 . '}'],
    'a name twice' => [200, '{"event":"message.received","event":"x",'
        . '"data":{}}'],
    'hollow' => [200, '{"event":"x","data":[' . '[],' x 300_000 . '1]}'],
);
for my $what (sort keys %event) {
    my ($status, $bytes) = @{$event{$what}};
    is($d->webhook($bytes)->{status}, $status, "event, $what: $status");
}
ok($d->applied, 'all that was taken is applied, or a dead letter');
for my $query (join('&', map { "n$_=1" } 1 .. 40), 'search=' . '%41' x 3000,
        'a' x 6000, '&' x 6000, '=' x 3000, 'limit=' . '9' x 3000) {
    my $r = $d->api(GET => "/api/crm/inbox?$query", token => $token);
    like($r->{status}, qr/^(?:200|400|414|422)$/, 'a query of '
        . length($query) . " bytes: $r->{status}");
}
for my $n (10, 800, 7000) {
    my $begun = time;
    my $r = $d->api(GET => '/api/health?' . '&' x $n);
    is($r->{status}, 200, "$n times & and nothing between: an answer");
    cmp_ok(time - $begun, '<', 5, 'at once, without a token');
}
my $r = $d->api(GET => '/api/crm/inbox', token => $token,
    headers => { map { ("X-Fill-$_" => 'x' x 20) } 1 .. 300 });
like($r->{status}, qr/^(?:200|400|431)$/, "300 headers: $r->{status}");
is($d->wacrmd_pid, $pid, 'wacrmd is the one it was');
ok(kill(0, $pid), 'and alive');
is($d->sql("SELECT count(*) FROM messages WHERE body = 'x'") <= 3, 1,
    'nothing was sent but what was whole');

$d->done;
