#!/usr/bin/env perl
# What a hostile donor, a hostile client and a gateway gone wrong may put in:
# it harms nobody else, and no page stays shut because of it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new->start;
my $n = $d->{nginx};
my %token = map { $_ => $d->login("$_\@test.example") } qw(admin cs1);
my $count = 0;

sub event {
    my (%data) = @_;
    my $id = 'H' . $count++;
    my $r;
    # a disk that is slow for a moment answers 503: again, as a gateway does
    $d->wait_for(sub {
        $r = $d->webhook({ event => 'message.received', data => {
            from => '6281299990001', message => 'x', id => $id,
            timestamp => int time, %data } });
        $r->{status} != 503;
    });
    is($r->{status}, 200, 'taken') if $r->{status} != 200;
}

sub settled {
    $d->wait_for(sub { ($d->ctl(['spool', 'stat']))[1] =~ /records=0 / });
}

sub inbox { $d->api(GET => '/api/crm/inbox', token => $token{$_[0] || 'cs1'}) }

sub resident {
    my ($what) = @_;
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/status' or die $!;
    my ($kb) = join('', <$fh>) =~ /^$what:\s+(\d+) kB/m;
    return $kb / 1024;
}

# ---- memory: 3 bytes of JSON are 300 of memory ----

my $before = resident('VmHWM');
my $hollow = '{"email":"a","password":"b","x":[' . '{},' x 2_000_000 . '1]}';
my $r = $d->api(POST => '/api/auth/login', body => $hollow,
    headers => { 'Content-Type' => 'application/json' });
is($r->{status}, 413, 'sign-in with a large body');
$r = $d->api(POST => '/api/crm/messages/send', token => $token{cs1},
    body => $hollow, headers => { 'Content-Type' => 'application/json' });
is($r->{status}, 400, 'a request with more values than any needs');
is($d->webhook('{"event":"x","data":[' . '{},' x 2_000_000 . '1]}')->{status},
    200, 'an event of two million values is taken');
settled();
like($d->sql('SELECT reason FROM dead_letters ORDER BY id DESC LIMIT 1'),
    qr/more than \d+ values/, 'and is a dead letter');
SKIP: {
    skip 'sanitizers have memory of their own', 1 if $ENV{WACRM_SANITIZED};
    cmp_ok(resident('VmHWM') - $before, '<', 100, 'without 600 MB of memory');
}

# ---- names ----

event(from => "62812555000$_") for 0 .. 5;
event(from => "62812555000$_", pushName => 'n' x 4000) for 0 .. 5;
event(from => "62812555001$_", pushName => 'n' x 1_000_000) for 0 .. 5;
event(from => '6281255500200', pushName => "\x{1f600}" x 1000);
event(from => '6281255500201', pushName => "\x{202e}\x{200b}\r\n\x01<b>'\"");
settled();
$r = inbox();
is($r->{status}, 200, 'the inbox with long names');
is(scalar(grep { length $_->{name} > 400 } @{$r->{json}{conversations}}), 0,
    'names are cut');
is($d->sql("SELECT count(*) FROM contacts WHERE "
    . "hex(cast(name AS BLOB)) LIKE '%9F98'"), 0, 'not within a character');
is($d->sql("SELECT count(*) FROM dead_letters WHERE reason LIKE '%name too"
    . " long'"), 6, 'names of a megabyte are none');

# ---- texts ----

my $long = "\x01" x 30000;
event(from => '6281255500300', message => $long) for 1 .. 20;
event(from => '6281255500300', message => 'y' x 300_000);
event(from => '6281255500300', message => 'last', id => 'L' x 300);
event(from => '6281255500300', message => 'last');
settled();
my $chat = $d->sql("SELECT c.id FROM chats c JOIN contacts k"
    . " ON k.id = c.contact_id WHERE k.phone = '6281255500300'");
my (%seen, $before_id, $pages);
do {
    $r = $d->api(GET => "/api/crm/inbox/$chat?shape=native&limit=200"
        . ($before_id ? "&before=$before_id" : ''), token => $token{cs1});
    $seen{$_->{id}}++ for grep { $_->{direction} eq 'incoming' }
        @{$r->{json}{messages}};
    $before_id = $r->{json}{meta}{before};
    cmp_ok(length $r->{body}, '<', 2 << 20, 'a page of bounded size')
        if !$pages++;
} while ($r->{status} == 200 && $before_id);
is($r->{status}, 200, 'a chat of long messages can be read');
is(scalar keys %seen, 21, 'whole');
is((grep { $_ > 1 } values %seen), 0, 'each once');
is($d->sql("SELECT count(*) FROM dead_letters WHERE reason LIKE '%text too"
    . " long' OR reason LIKE '%id too long'"), 2, 'what no WhatsApp sends');

# ---- values of every shape ----

my @odd = ('', ' ', "a'b", "'); DROP TABLE messages;--", '"', '\\', "\x7f",
    "\x{202e}\x{200b}", "\x{10ffff}", '../../etc/passwd', '%_!%', '-1', undef,
    \1, 0, -1, 1e308, 9223372036854775807, [], {}, [1, [2]], { a => { b => 1 } });
for my $field (qw(from pushName message type id timestamp sessionId fromMe
        direction reply_to)) {
    event($field => $_) for @odd;
}
for my $ts (0, -1, 10 ** 13, 10 ** 15, 10 ** 18, '9999-12-31T23:59:59Z',
        '0000-00-00T00:00:00Z', time + 1e9, time - 3e9) {
    event(timestamp => $ts, message => "at $ts");
}
for my $odd (@odd) {
    $d->webhook({ event => $_->[0], data => $_->[1] }) for
        ['message.status', { id => $odd, status => 'read' }],
        ['message.status', { id => 'x', status => $odd }],
        ['session.status', { sessionId => $odd, status => $odd }],
        ['typing', { from => $odd, isTyping => $odd }],
        ['message.reaction', { id => $odd, emoji => $odd, from => $odd }],
        ['message.edited', { id => 'H1', message => $odd, from => '628129' }],
        ['lid.mapping.resolved', { lid => $odd, phone => $odd }],
        ['message.received', $odd], [$odd, {}];
}
settled();
$r = $d->api(GET => '/api/crm/inbox?session_id=*&limit=200',
    token => $token{admin});
is($r->{status}, 200, 'the inbox after all that');
my @chats = @{$r->{json}{conversations}};
is(scalar(grep { !length $_->{name} || !length $_->{phone}
    || $_->{timestamp} !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ } @chats), 0,
    'names, phones and times as promised');
is(scalar(grep { $d->api(GET => "/api/crm/inbox/$_->{id}",
    token => $token{admin})->{status} != 200 } @chats), 0, 'every chat opens');

# ---- the same from a client ----

for my $query ('limit=0', 'limit=-1', 'limit=201', 'limit=1e2', 'limit=%205',
        'limit=99999999999999999999', 'before=x', 'before=ffffffffffffffff-1',
        'before=1-1-1', 'search=' . 'a' x 201) {
    is($d->api(GET => "/api/crm/inbox?$query", token => $token{cs1})->{status},
        422, $query);
}
for my $query ('search=%ff', 'search=%00', 'search=%zz', 'limit=5&limit=6') {
    is($d->api(GET => "/api/crm/inbox?$query", token => $token{cs1})->{status},
        400, $query);
}
for my $text ('%', '_', "' OR 1=1--", '\\') {
    (my $hex = $text) =~ s/(.)/sprintf '%%%02x', ord $1/ge;
    is(scalar @{$d->api(GET => "/api/crm/inbox?search=zqx$hex",
        token => $token{cs1})->{json}{conversations}}, 0, "search zqx$text");
}
for my $id (qw(0 -1 1.0 01 +1 1e3 9223372036854775808 18446744073709551617
        %201 1%20 1%27 %ff 1%2fread ..%2f1 x)) {
    is($d->api(@$_, token => $token{admin})->{status}, 404, "@$_") for
        [GET => "/api/crm/inbox/$id"], [POST => "/api/crm/inbox/$id/read"],
        [POST => "/api/crm/messages/$id/retry"];
}

# ---- another's session ----

event(sessionId => 'private', from => '6287770001', message => 'secret');
settled();
my ($row) = $d->sql("SELECT c.id, m.id FROM chats c JOIN messages m"
    . " ON m.chat_id = c.id WHERE m.body = 'secret'");
my ($foreign, $message) = @$row;
for my $try ([GET => '/api/crm/inbox?session_id=private'],
        [GET => "/api/crm/inbox/$foreign"],
        [POST => "/api/crm/inbox/$foreign/read"],
        [POST => "/api/crm/inbox/$foreign/star"],
        [POST => "/api/crm/messages/$message/retry"]) {
    is($d->api(@$try, token => $token{cs1})->{status}, 404, "@$try");
}
is($d->api(GET => "/api/crm/inbox/$chat?before=$message",
    token => $token{cs1})->{status}, 422, 'before a message of another');
is($d->api(POST => '/api/crm/messages/send', token => $token{cs1},
    json => { phone => '6281255500300', message => 'x',
        reply_to => $message })->{status}, 422, 'reply to one');
is($d->api(POST => '/api/crm/messages/send?session_id=private',
    token => $token{cs1}, json => { phone => '0812555003001',
        message => 'x' })->{status}, 404, 'send as another');
$r = $d->api(GET => '/api/crm/inbox?session_id=*&search=secret',
    token => $token{cs1});
is_deeply($r->{json}{conversations}, [], 'nor by a search');

$d->done;
