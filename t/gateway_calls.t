#!/usr/bin/env perl
# What the seed says of calls to the gateway, seen from the gateway: their
# headers, the token that is kept for a day, the greeting as it arrives; and
# that nobody who looks at the desk makes one.

use strict;
use warnings;
use utf8;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);

my $d = Wacrm::Desk->new->start;
my %token = map { $_ => $d->login("$_\@test.example") } qw(admin cs1);

sub api {
    my ($method, $path, @more) = @_;
    return $d->api($method => "/api/crm/$path", token => $token{cs1}, @more);
}

# ---- a greeting: one login, one call ----

is($d->event('message.received', { from => '6281210000007', id => 'GW1',
    pushName => 'Siti', message => 'assalamualaikum', timestamp => int time }),
    200, 'a donor writes');
ok($d->wait_for(sub { scalar $d->calls(route => 'send.text') }, 20),
    'is greeted');
my ($sent) = $d->calls(route => 'send.text');
is($sent->{body}{text} // $sent->{body}{message}, "Halo Siti! 👋\n\nTerima kasih"
    . ' telah menghubungi kami. Tim kami akan segera membalas pesan Anda.',
    'in the seed\'s words (S62), with the real character (G48)')
    or diag explain $sent->{body};
is($sent->{accept}, 'application/json', 'Accept (S4)');
is($sent->{content_type}, 'application/json', 'Content-Type');
ok($sent->{bearer}, 'Authorization: Bearer');

# ---- the token ----

my @logins = $d->calls(route => 'login');
is(scalar @logins, 1, 'one login (S8)');
my $left = $d->sql('SELECT token_expires_at FROM accounts') / 1000 - time;
cmp_ok(abs($left - 86400), '<', 120, 'whose token is kept for 24 h (S9)');
is(api(POST => 'messages/send', json => { phone => '081210000007',
    message => 'satu' })->{status}, 200, 'a second send');
ok($d->wait_for(sub { $d->calls(route => 'send.text') == 2 }, 20), 'leaves');
is(scalar $d->calls(route => 'login'), 1, 'with the same token');
$d->wacrmd_stop;
$d->change('UPDATE accounts SET token_expires_at = 1');
$d->wacrmd_start;
is(api(POST => 'messages/send', json => { phone => '081210000007',
    message => 'dua' })->{status}, 200, 'a send when the day is over');
ok($d->wait_for(sub { $d->calls(route => 'send.text') == 3 }, 20), 'leaves');
is(scalar $d->calls(route => 'login'), 2, 'after a new login');

# ---- a line in the log for each (S85) ----

my @logged;
$d->wait_for(sub {
    @logged = $d->log =~ /^\S+\ info\ outbox\ msg="attempt\ ended"
        \ kind=message\ message=(\d+)\ .*outcome=sent\ http_status=201/xmg;
    @logged >= 3;
});
is(join(' ', sort @logged), join(' ', sort map { $_->[0] } $d->sql(
    'SELECT id FROM messages WHERE direction = 1')), 'each send has its line');
unlike($d->log, qr/81210000007/, 'and no line has the number');

# ---- what a session shows (S70) ----

my ($session) = @{api(GET => 'whatsapp/sessions')->{json}{data}};
is($session->{active_chats}, 1, 'a chat that waits is active');
like($session->{last_activity}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'the time of its last message');
is(api(POST => "inbox/$_->{id}/read")->{status}, 200, 'read')
    for @{api(GET => 'inbox')->{json}{conversations}};
is(api(GET => 'whatsapp/sessions')->{json}{data}[0]{active_chats}, 0,
    'one that was read is not');

# ---- who looks, asks nobody (G3, G4, G38, S37) ----

$d->sim('/_sim/behaviour', { do => 'status', status => 400, times => 1000 });
# what was asked for before is under way
$d->wait_for(sub { $d->sql('SELECT count(*) FROM outbox WHERE state < 4')
    == 0 });
my $before = () = $d->calls;
my ($chat) = map { $_->{id} } @{api(GET => 'inbox')->{json}{conversations}};
ok($chat, 'there is a chat, while the gateway refuses all');
for my $path ('inbox', 'inbox?filter=unread&search=siti', "inbox/$chat",
    'dashboard', 'search?q=assalamualaikum', 'templates', 'whatsapp/sessions',
    'reminders') {
    is(api(GET => $path)->{status}, 200, "GET $path");
}
is(api(GET => 'inbox/999999')->{status}, 404, 'and 404 of what is not there');
my @new = $d->calls;
is(join(' ', map { "$_->{method} $_->{path}" } @new[$before .. $#new]), '',
    'not one call');

$d->done;
