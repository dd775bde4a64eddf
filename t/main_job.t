#!/usr/bin/env perl
# The main job, end to end: a signed webhook becomes a line in the inbox with
# the donor's figures, the answer goes out, its status comes back.

use strict;
use warnings;

use POSIX qw(strftime);
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $day = strftime('%Y-%m-%d', gmtime(time - 30 * 86400));
my $d = Wacrm::Desk->new(
    sim_args => ['--statuses'],
    donors => "phone,name,date,amount,fund,ref\n"
        . "0812-3456-7890,Budi Santoso,$day,1500000,Zakat,R-1\n"
        . "081234567890,Budi Santoso,$day,500000,Infak,R-2\n")->start;

# ---- in ----

my $r = $d->sim('/_sim/webhook', { from => '6281234567890',
    name => 'Budi', text => 'Assalamualaikum, mau infak' });
is($r->{json}{ok}, 1, 'the gateway got a 200');

my $token = $d->login('cs1@test.example');
my $chat;
ok($d->wait_for(sub {
    $r = $d->api(GET => '/api/crm/inbox', token => $token);
    $chat = $r->{json}{conversations}[0];
}), 'the chat is in the inbox');
is($r->{status}, 200, 'status of the inbox');
ok($r->{json}{success}, 'success');
is($chat->{phone}, '6281234567890', 'canonical phone');
is($chat->{last_message}, 'Assalamualaikum, mau infak', 'last message');
is($chat->{unread_count}, 1, 'unread');
ok(length $chat->{name}, 'a name');
is($chat->{donatur}{lifetime_value}, 2000000, 'lifetime value');
is($chat->{donatur}{donation_count}, 2, 'donation count');
is($chat->{donatur}{avg_donation}, 1000000, 'average');
is($chat->{donatur}{last_donation}, $day, 'last donation');
is($chat->{donatur}{segment}, 'New', 'segment');
cmp_ok($chat->{donatur}{engagement_score}, '>', 20, 'a score');
like($chat->{id}, qr{^[^/?#%\s]+$}, 'an id that may stand in a path');

# ---- read ----

$r = $d->api(GET => "/api/crm/inbox/$chat->{id}", token => $token);
is($r->{json}{messages}[0]{direction}, 'incoming', 'the message');
is($r->{json}{messages}[0]{message}, 'Assalamualaikum, mau infak', 'its text');
is_deeply($r->{json}{data}, $r->{json}{messages}, 'data is the same');
$r = $d->api(POST => "/api/crm/inbox/$chat->{id}/read", token => $token);
is($r->{json}{unread_count}, 0, 'read');

# ---- out ----

$r = $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '0812 3456 7890', message => 'Waalaikumsalam, Pak' });
is($r->{status}, 200, 'send answers 200');
is($r->{json}{data}{status}, 'queued', 'queued');
my $id = $r->{json}{data}{id};
$r = $d->api(GET => "/api/crm/inbox/$chat->{id}", token => $token);
is($r->{json}{messages}[-1]{id}, $id, 'one reads what one wrote');

my $status = '';
ok($d->wait_for(sub {
    $status = $d->sql("SELECT status FROM messages WHERE id = $id");
    $status == 4;
}, 20), 'delivered and read come back') or diag("status $status");
$r = $d->api(GET => "/api/crm/inbox/$chat->{id}", token => $token);
is($r->{json}{messages}[-1]{status}, 'read', 'status on the wire');
my $calls = $d->sim('/_sim/calls?route=send.text')->{json};
is($calls->{total}, 1, 'the gateway was called once');
is($calls->{calls}[0]{body}{phone}, '6281234567890', 'with the phone');

# ---- the rest of the road: twice is once, and a restart forgets nothing ----

my $body = { event => 'message.received', data => { from => '6281299990001',
    pushName => 'Siti', message => 'Halo', id => '3EB0TWICE',
    timestamp => time } };
is($d->webhook($body)->{status}, 200, 'once') for 1 .. 3;
$d->wait_for(sub { $d->sql("SELECT position FROM spool_positions") >= 6 });
is($d->sql("SELECT count(*) FROM messages WHERE wa_id = '3EB0TWICE'"), 1,
    'three deliveries are one message');

$d->wacrmd_kill;
is($d->webhook({ %$body, data => { %{$body->{data}}, id => '3EB0DOWN' } })
    ->{status}, 200, 'the edge takes events while wacrmd is down');
$r = $d->api(GET => '/api/crm/inbox', token => $token);
is($r->{status}, 503, 'the inbox is away');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
like($r->{headers}{'content-type'}, qr/json/, 'in JSON');
is($d->api(GET => '/healthz')->{status}, 200, 'the edge is well');
$d->wacrmd_start;
ok($d->wait_for(sub {
    $d->sql("SELECT count(*) FROM messages WHERE wa_id = '3EB0DOWN'") == 1
}), 'what came meanwhile is there');
is($d->api(GET => '/api/crm/inbox', token => $token)->{status}, 200,
    'the same token still holds');

# ---- who may ----

is($d->api(GET => '/api/crm/inbox')->{status}, 401, 'no token');
is($d->api(GET => '/api/crm/inbox', token => 'null')->{status}, 401,
    'Bearer null');
$r = $d->api(GET => '/api/crm/inbox', token => 'x', headers =>
    { 'X-Wacrm-User' => '1', 'X-Wacrm-Token-Id' => 'a',
      'X-Wacrm-Token-Exp' => '9999999999' });
is($r->{status}, 401, 'forged identity headers do not help');
is_deeply($r->{json}, { message => 'Unauthenticated.' }, 'the body of 401');

$r = $d->api(POST => '/api/auth/logout', token => $token);
is($r->{status}, 200, 'logout');
ok($d->wait_for(sub {
    $d->api(GET => '/api/crm/inbox', token => $token)->{status} == 401
}), 'the edge refuses the token then');

$d->done;
