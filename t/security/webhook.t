#!/usr/bin/env perl
# Forged and repeated events: a good one has one effect however often it comes,
# a bad one is told nothing, and neither door is opened by the other's key.
# (Each scheme's own cases: t/unit/test_signature.c, t/webhook_signature.t.)

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex hmac_sha1_hex hmac_sha512_hex sha256_hex);
use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Jwt;

my $SECRET = 'webhook-secret-of-the-test-00001';
my $JWT = 'jwt-secret-of-the-test-0000000001';
my $hook = '/api/webhook/whatsapp';
my $d = Wacrm::Desk->new(nginx => sub {
    s/(zone=unsigned:1m +)rate=60r/$1rate=60000r/ or die 'no zone';
    s/(location = \Q$hook\E \{)/
        location = \/hook\/other {
            wacrm_webhook other;
            wacrm_webhook_signature waapi;
            wacrm_webhook_secret_file %%DIR%%\/secrets\/other;
        }
        $1/ or die 'no webhook';
});
$d->{nginx}->write('secrets/other', 'secret-of-another-gateway-000001');
$d->start;
my $n = $d->{nginx};
my $token = $d->login('cs1@test.example');

sub body {
    my (%data) = @_;
    return JSON::PP->new->canonical->encode({ event => 'message.received',
        data => { from => '6281233300001', message => 'halo', id => 'REPLAY1',
            timestamp => int time, %data } });
}
sub sent {
    my ($body, $path, %headers) = @_;
    return $n->post($path, $body, 'Content-Type' => 'application/json',
        %headers);
}
sub rows { scalar $d->sql("SELECT count(*) FROM $_[0]") }

# ---- repeated ----

my $body = body();
my @signed = ('X-Webhook-Signature' => hmac_sha256_hex($body, $SECRET));
my %status;
$status{sent($body, $hook, @signed)->{status}}++ for 1 .. 5;
my @pids = map {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $good = grep { sent($body, $hook, @signed)->{status} == 200 } 1 .. 5;
        POSIX::_exit($good == 5 ? 0 : 1);
    }
    $pid;
} 1 .. 8;
for (@pids) {
    waitpid $_, 0;
    $status{$? == 0 ? 200 : 'bad'}++;
}
is_deeply(\%status, { 200 => 13 }, 'the same bytes, 45 times: each time 200');
ok($d->applied, 'applied');
$d->wacrmd_stop;
$d->wacrmd_start;
is(sent($body, $hook, @signed)->{status}, 200, 'and after a start');
ok($d->applied, 'applied');
is(rows("messages WHERE wa_id = 'REPLAY1'"), 1, 'one message');
is(rows("messages WHERE source = 'auto'"), 1, 'one welcome');
is($d->sql('SELECT unread FROM chats'), 1, 'one unread');
is(rows("dead_letters"), 0, 'no dead letter');

$d->event('message.received', { from => '6281233300001', message => 'halo',
    id => 'true_6281233300001@c.us_REPLAY1', timestamp => time });
ok($d->applied, 'the same id in its long form');
is(rows("messages WHERE direction = 0"), 1, 'is the same message');

# ---- forged: nothing is told ----

my $new = body(id => 'NEVER1', message => 'palsu');
my $good = hmac_sha256_hex($new, $SECRET);
my %forged = (
    none => [$new],
    empty => [$new, 'X-Webhook-Signature' => ''],
    short => [$new, 'X-Webhook-Signature' => substr $good, 0, 63],
    'short, odd' => [$new, 'X-Webhook-Signature' => substr $good, 0, 1],
    long => [$new, 'X-Webhook-Signature' => "${good}a"],
    'no digit' => [$new, 'X-Webhook-Signature' => 'z' . substr $good, 1],
    'another key' => [$new, 'X-Webhook-Signature' =>
        hmac_sha256_hex($new, 'x' x 32)],
    'the empty key' => [$new, 'X-Webhook-Signature' =>
        hmac_sha256_hex($new, '')],
    'no key' => [$new, 'X-Webhook-Signature' => sha256_hex($new)],
    'key before the body' => [$new, 'X-Webhook-Signature' =>
        sha256_hex("$SECRET$new")],
    'key of the tokens' => [$new, 'X-Webhook-Signature' =>
        hmac_sha256_hex($new, $JWT)],
    'the name of the key' => [$new, 'X-Webhook-Signature' =>
        hmac_sha256_hex($new, 'secret')],
    'SHA-1' => [$new, 'X-Webhook-Signature' =>
        'sha1=' . hmac_sha1_hex($new, $SECRET)],
    'SHA-512' => [$new, 'X-Webhook-Signature' =>
        hmac_sha512_hex($new, $SECRET)],
    'of another body' => [$new, @signed],
    'other bytes, same JSON' => [" $new", 'X-Webhook-Signature' => $good],
    'no body' => ['', 'X-Webhook-Signature' => $good],
    'in another header' => [$new, 'X-Hub-Signature-256' => "sha256=$good"],
    'two' => [$new, 'X-Webhook-Signature' => [$good, $good]],
    'a list' => [$new, 'X-Webhook-Signature' => "$good,$good"],
    'not JSON' => ['{', 'X-Webhook-Signature' => $good],
    'an id that is known' => [$body, 'X-Webhook-Signature' => $good],
    'a source that is unknown' => [$new, 'X-Webhook-Signature' =>
        '0' x 64, 'X-Session-Id' => 'nobody'],
    'a token of an agent' => [$new, Authorization => "Bearer $token"],
);
my $want = Wacrm::Nginx::shape(sent($new, $hook));
like($want, qr/^401\n/, 'not signed: 401');
for my $what (sort keys %forged) {
    my ($bytes, @headers) = @{$forged{$what}};
    is(Wacrm::Nginx::shape(sent($bytes, $hook, @headers)), $want,
        "$what: the same answer");
}
is(sent($new, "$hook?signature=$good&token=$SECRET&apikey=$SECRET")->{status},
    401, 'nor by the query');
ok($d->applied, 'applied');
is(rows("messages WHERE body = 'palsu'"), 0, 'none of that is a message');
is(rows("$_ WHERE instr(record, CAST('NEVER1' AS BLOB))"), 0,
    "nor is it kept in $_") for qw(raw_events dead_letters);
cmp_ok(rows("raw_events WHERE instr(record, CAST('REPLAY1' AS BLOB))"), '>=', 1,
    'as what is signed is');

# ---- two sources, two doors ----

my $theirs = 'secret-of-another-gateway-000001';
my $other = hmac_sha256_hex($new, $theirs);
is(sent($new, '/hook/other', 'X-Webhook-Signature' => $good)->{status}, 401,
    "another source does not take this one's signature");
is(sent($new, $hook, 'X-Webhook-Signature' => $other)->{status}, 401,
    'nor this one the other\'s');
is(sent($new, '/hook/other', 'X-Webhook-Signature' => $other)->{status}, 200,
    'each its own');
for my $key ($SECRET, $theirs) {
    my $made = hs_token($key, claims(iss => 'wacrm', aud => 'wacrm',
        sub => '1', token_use => 'access', jti => 'x'));
    is($d->api(GET => '/api/auth/me', token => $made)->{status}, 401,
        'a secret of a gateway makes no token');
}
is($d->api(GET => '/api/crm/inbox', headers => { @signed })->{status}, 401,
    'a signature of a gateway is no token');

# ---- old news ----

$d->event('message.status', { id => 'REPLAY1', status => 'read' });
my $out = $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '6281233300001', message => 'balasan' })->{json}{data}
    {id};
ok($d->wait_for(sub { $d->sql("SELECT status FROM messages WHERE id = $out")
    >= 2 }), 'an answer has left');
my $wa = $d->sql("SELECT wa_id FROM messages WHERE id = $out");
for my $word (qw(read delivered sent failed read sent)) {
    $d->event('message.status', { id => $wa, status => $word });
}
ok($d->applied, 'its states, in any order');
is($d->sql("SELECT status FROM messages WHERE id = $out"), 4,
    'what was read stays read');

$d->done;
