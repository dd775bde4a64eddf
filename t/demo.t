#!/usr/bin/env perl
# The donors of the demo: their past, their answers, their rest when asked; and
# a second number whose QR somebody scans.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::WebSocket;

my $d = Wacrm::Desk->new(
    sim_args => ['--demo', '--demo-pace', '0.02', '--seed', '4'],
    wacrmd => sub {
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s/^welcome = on/welcome = off/m or die 'no welcome';
    });
$ENV{WACRM_PUBLIC_URL} = 'http://127.0.0.1:' . $d->{nginx}->port;
$d->sim_start;
is($d->sim('/_sim/config', { demo => { quiet => \1 }, scanMs => 300,
    statusMs => [20, 20], qrMs => 200 })->{status}, 200, 'quiet at first');
$d->wacrmd_start;
$d->{nginx}->start;
my $token = $d->login('admin@test.example');

sub api { $d->api($_[0], "/api/crm/$_[1]", token => $token, @_[2 .. $#_]) }
sub messages { $d->sql("SELECT count(*) FROM messages WHERE $_[0]") }

# ---- the past ----

my $r = $d->sim('/_sim/past', { part => 'answered' });
my $chats = $r->{json}{chats};
cmp_ok($chats, '>', 10, 'a past of many chats');
ok($d->applied, 'applied');
is($d->sql('SELECT count(*) FROM chats'), $chats, 'each is in the inbox');
is($d->sql('SELECT count(*) FROM chats WHERE last_direction = 0'), 0,
    'and was answered');
is(messages('direction = 1 AND status <> 4'), 0, 'the answers were read');
$r = $d->sim('/_sim/past', { part => 'new' });
ok($d->applied, 'applied');
cmp_ok($d->sql('SELECT count(*) FROM chats WHERE last_direction = 0'), '>', 4,
    'then some wrote again');
is(messages("type = 'image'"), 1, 'one of them a picture');
ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM message_media'
    . ' WHERE size > 10000') == 1 }), 'which is a real file');
is(messages("ts > (strftime('%s','now') + 1) * 1000"), 0, 'none tomorrow');

my $before = messages('1');
select undef, undef, undef, 0.5;
is(messages('1'), $before, 'quiet: nobody writes');

# ---- life ----

my $ws = Wacrm::WebSocket->connect($d->{nginx}, '/app/wacrm?protocol=7')
    or die 'no socket';
my %told; # what a page is told, by event

# What is there is taken; a page of the admin's that has just been opened.
sub listen_in {
    for ($ws->frames(0)) {
        my ($op, $bytes) = @$_;
        my $m = $op == 1 ? JSON::PP->new->utf8->decode($bytes) : {};
        push @{$told{$m->{event}}}, JSON::PP->new->decode($m->{data})
            if $m->{event} && $m->{data} && !ref $m->{data};
    }
    if (my $hello = delete $told{'pusher:connection_established'}) {
        my $channel = 'private-inbox';
        my $r = $d->api(POST => '/broadcasting/auth', token => $token,
            json => { socket_id => $hello->[0]{socket_id},
                channel_name => $channel });
        $ws->say({ event => 'pusher:subscribe', data => {
            channel => $channel, auth => $r->{json}{auth} } });
    }
    $ws->say({ event => 'pusher:pong', data => {} })
        if delete $told{'pusher:ping'};
}

ok($d->wait_for(sub { listen_in();
    $told{'pusher_internal:subscription_succeeded'} }), 'a page is open');
is($d->sim('/_sim/config', { demo => { quiet => \0, every => [2000, 4000],
    unanswered => 16, reactions => 1 } })->{status}, 200, 'not quiet');
for my $i (1 .. 6) {
    $r = api(POST => 'messages/send',
        json => { phone => '62812900100' . sprintf('%02d', $i),
            message => 'Boleh kami tahu nama dan alamatnya?' });
    is($r->{status}, 200, "a question to donor $i");
}
my $by = "chat_id IN (SELECT c.id FROM chats c JOIN contacts p"
    . " ON p.id = c.contact_id WHERE p.phone BETWEEN '6281290010001' AND"
    . " '6281290010006')";
ok($d->wait_for(sub { messages("$by AND direction = 1 AND cs_id IS NOT NULL"
    . ' AND status = 4') == 6 }), 'all are read');
ok($d->wait_for(sub { messages("$by AND direction = 0 AND id > $before")
    >= 3 }), 'most are answered');
ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM reactions') }),
    'and get a reaction') or diag(scalar $d->sim('/_sim/state')->{body});

ok($d->wait_for(sub {
    listen_in();
    my @typing = grep { $_->{phone} =~ /^62812900100\d\d$/ }
        @{$told{'App\\Events\\DonaturTyping'} || []};
    my ($first) = grep { $_->{isTyping} } @typing;
    return $first && grep { !$_->{isTyping}
        && $_->{phone} eq $first->{phone} } @typing;
}), 'who is asked is seen typing, and done with it') or diag explain \%told;

my $others = "id > $before AND direction = 0 AND NOT $by";
ok($d->wait_for(sub { messages($others) }), 'others ask by themselves');
select undef, undef, undef, 1;
# as many as are to wait (unanswered), each with one message
cmp_ok(messages($others), '<=', 16,
    'but do not flood a desk that says nothing');

# ---- a second number ----

$r = api(POST => 'whatsapp/sessions', json => { session_name => 'zakat' });
is($r->{status}, 200, 'a session') or diag($r->{body});
$r = api(GET => 'whatsapp/sessions/zakat/qr');
my $first = $r->{json}{data}{qr};
like($first, qr/^2@/, 'its QR is the text of one');
ok($r->{json}{data}{expires_at}, 'that expires');
is(api(GET => 'whatsapp/sessions/zakat/qr')->{json}{data}{qr}, $first,
    'the same for a while');
ok($d->wait_for(sub { $d->sql(
    "SELECT status FROM sessions WHERE session_id = 'zakat'")
    eq 'connected' }), 'somebody scans it');

$d->sim('/_sim/config', { demo => { quiet => \1 } });
$d->wait_for(sub { !$d->sim('/_sim/state')->{json}{delivering} });
$d->applied;
$d->sound;
$d->done;
