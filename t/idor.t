#!/usr/bin/perl

# Nobody reaches what is another's: every operation of docs/openapi.yaml that
# has an id in its path is called by one CS with the ids of another CS's. The
# answer is the one that an id of nothing gets, word for word; nothing changes.
# An operation that is not known here fails the test.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Agents;

my $MARK = 'RAHASIA-CS1';
my $PHONE = '6281230000001';
my ($d, $token, $user) = apart();

sub call {
    my ($who, @request) = @_;
    return request($d, $token->{$who}, @request);
}

# ---- what is cs1's ----

$d->event('message.received', { from => $PHONE, pushName => $MARK,
    message => "$MARK halo", type => 'text', id => 'IDOR0000000001',
    timestamp => time });
ok($d->applied, 'a donor wrote to cs1');
my $chat = $d->sql('SELECT id FROM chats');
my $contact = "/api/crm/contacts/$PHONE";
$d->event('message.received', { from => '6281230000002', message => 'halo',
    id => 'IDOR0000000002', timestamp => time });
ok($d->applied, 'and from another number');
made(merge => call('admin', POST => '/api/crm/contacts/merge',
    { from => '6281230000002', into => $PHONE }));
made(note => call('cs1', POST => "$contact/notes", { note => $MARK }));
my $reminder = made(reminder => call('cs1', POST => "$contact/reminders",
    { note => $MARK, remind_at => '2999-01-01T00:00:00Z' }))->{data}{id};
made(gift => call('cs1', POST => "$contact/donations",
    { amount => 123457, note => $MARK }));
my $message = made(send => call('cs1', POST => '/api/crm/messages/send',
    { phone => $PHONE, message => "$MARK balasan" }))->{data}{id};
$d->wait_for(sub {
    $d->sql("SELECT status FROM messages WHERE id = $message") >= 2;
});
made(later => call('cs1', POST => '/api/crm/messages/send',
    { phone => $PHONE, message => "$MARK nanti", scheduled_at =>
        POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 86400)) }));
$d->change("UPDATE messages SET status = 6 WHERE id = $message;"
    . " UPDATE chats SET failed = 1 WHERE id = $chat");
my $media = $d->{nginx}->request(POST => '/api/crm/media',
    headers => { Authorization => "Bearer $token->{cs1}",
        'Content-Type' => 'multipart/form-data; boundary=x' },
    body => "--x\r\nContent-Disposition: form-data; name=\"file\";"
        . " filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n$MARK\r\n"
        . "--x--\r\n");
my ($media_id) = ($media->{body} || '') =~ /"media_id":"([0-9a-f]+)"/;
ok($media_id, 'a file is kept') or diag $media->{body};
$d->change('INSERT INTO message_media (message_id, media_id)'
    . " SELECT $message, id FROM media WHERE public_id = '$media_id'");

# ---- the operations ----

# by path, up to the parameter: cs1's id, and one of nothing
my %ids = (
    '/api/crm/agents/' => [$user->{cs1}, 99999],
    '/api/crm/contacts/' => [$PHONE, '6281239999999'],
    '/api/crm/inbox/' => [$chat, 99999],
    '/api/crm/media/' => [$media_id, '0' x 32],
    '/api/crm/merges/' => [1, 99999],
    '/api/crm/messages/' => [$message, 99999],
    '/api/crm/reminders/' => [$reminder, 99999],
    '/api/crm/whatsapp/sessions/' => ['satu', 'tiada'],
);
my %exempt = ('/api/crm/templates/' => 'the same for all',
    '/app/' => 'a key, which is public: t/realtime.t',
    '/apps/' => 'signed by a backend, not by a user');

# what is sent, so that it is the id that is refused
my %body = (
    'patch /api/crm/agents/{id}' => { name => 'X' },
    'patch /api/crm/contacts/{phone}' => { name => 'X' },
    'delete /api/crm/contacts/{phone}' => { confirm => $PHONE },
    'post /api/crm/contacts/{phone}/consent' => { state => 'opt_out',
        reason => 'x', note => 'x' },
    'post /api/crm/contacts/{phone}/donations' => { amount => 1000 },
    'post /api/crm/contacts/{phone}/notes' => { note => 'x' },
    'post /api/crm/contacts/{phone}/reminders' => { note => 'x',
        remind_at => '2999-01-01T00:00:00Z' },
    'patch /api/crm/messages/{id}' =>
        { scheduled_at => sprintf '%d-01-01T00:00:00Z', 1 + (gmtime)[5]
            + 1900 },
    'patch /api/crm/reminders/{id}' => { state => 'done' },
    'patch /api/crm/whatsapp/sessions/{sessionId}' => { name => 'X' },
    'put /api/crm/whatsapp/sessions/{sessionId}/members' =>
        { user_ids => [$user->{cs2}] },
    'post /api/crm/whatsapp/sessions/{sessionId}/backfill' => {},
);

# [method, path, has a body]
sub operations {
    my ($path, @found);
    open my $fh, '<', 'docs/openapi.yaml' or die "openapi.yaml: $!";
    while (<$fh>) {
        last if /^components:/;
        $path = $1 if m{^  (/\S+):};
        push @found, [$1, $path, 0] if /^    (get|post|put|patch|delete):/;
        $found[-1][2] = 1 if @found && /^      requestBody:/;
    }
    return grep { $_->[1] =~ /\{/ } @found;
}

sub tables {
    return join "\n", map { my $t = $_; map { "$t: " . join '|',
        map { defined $_ ? $_ : '' } @$_ } $d->sql("SELECT * FROM $t") }
        qw(users sessions session_members contacts contact_aliases chats
           messages donations notes reminders outbox);
}

sub with {
    my ($path, $id) = @_;
    $path =~ s/\{\w+\}/$id/;
    return $path;
}

# without the id that was asked for
sub answer {
    my ($r, $id) = @_;
    my $body = $r->{body};
    $body =~ s/\Q$id\E/ID/g;
    return "$r->{status} $body";
}

my $before = tables();
my @all = operations();
cmp_ok(scalar @all, '>', 20, 'operations with an id in their path');
for my $op (@all) {
    my ($method, $path, $has_body) = @$op;
    my ($base) = $path =~ m{^([^\{]+)};
    next if $exempt{$base};
    my $pair = $ids{$base};
    my $json = $body{"$method $path"};
    ok($pair, "$method $path: its ids are known here") or next;
    ok(!$has_body || defined $json, "$method $path: its body is known here");
    my ($theirs, $none) = map {
        [$_, call('cs2', uc $method, with($path, $_), $json)] } @$pair;
    is(answer($theirs->[1], $theirs->[0]), answer($none->[1], $none->[0]),
        "$method $path: as if it were not there");
    unlike($theirs->[1]{body}, qr/$MARK/, "$method $path: tells nothing");
    ok($theirs->[1]{status} =~ /^(?:403|404)$/
        || ($method eq 'get' && $base =~ /contacts/),
        "$method $path: $theirs->[1]{status}") or diag $theirs->[1]{body};
}
is(tables(), $before, 'nothing has changed');

# ---- ids in queries, headers and bodies ----

for my $c ([GET => '/api/crm/inbox?session_id=satu'],
           [GET => '/api/crm/inbox?session_id=*'],
           [GET => '/api/crm/inbox?search=RAHASIA'],
           [GET => '/api/crm/search?q=RAHASIA'],
           [GET => '/api/crm/contacts?search=RAHASIA'],
           [GET => '/api/crm/messages?state=scheduled'],
           [GET => '/api/crm/messages?state=scheduled&session_id=satu'],
           [GET => '/api/crm/messages?state=scheduled&session_id=*'],
           [GET => '/api/crm/reminders'],
           [GET => '/api/crm/dashboard'],
           [GET => '/api/crm/whatsapp/sessions'],
           [GET => '/api/crm/export/donors.csv'],
           [GET => '/api/crm/export/donations.csv']) {
    my $r = call('cs2', @$c);
    unlike($r->{body}, qr/$MARK|$PHONE|123457|"satu"/,
        "$c->[1] ($r->{status}) tells nothing of cs1's");
}
my $r = $d->api(GET => '/api/crm/inbox', token => $token->{cs2},
    headers => { 'X-Session-Id' => 'satu' });
unlike($r->{body}, qr/$MARK/, 'nor by header');
for my $json ({ phone => $PHONE, message => 'x', session_id => 'satu' },
              { phone => $PHONE, message => 'x', reply_to => $message }) {
    $r = $d->api(POST => '/api/crm/messages/send?session_id=satu',
        token => $token->{cs2}, json => $json);
    like($r->{status}, qr/^4/, 'nothing is sent from cs1\'s number');
}
for my $id ($chat, 99999) {
    is(call('cs2', POST => '/broadcasting/auth', { socket_id => '1.1',
        channel_name => "presence-chat.$id" })->{status}, 403,
        "nor does cs2 get into the channel of chat $id");
}
is(call('cs2', POST => '/api/crm/switch-session', { session_id => 'satu' })
    ->{status}, 422, 'nor is it switched to');
is(tables(), $before, 'nothing has changed');

# ---- the ids were right ----

# What takes the others their ids comes last, and who signs cs1 out.
sub rank {
    my ($method, $path) = @{$_[0]};
    return $path =~ /agents/ ? 3 : $method ne 'delete' ? 0
        : $path =~ /contacts/ ? 2 : 1;
}
for my $op (sort { rank($a) <=> rank($b) } @all) {
    my ($method, $path) = @$op;
    my ($base) = $path =~ m{^([^\{]+)};
    next if $exempt{$base};
    for my $who (qw(cs1 admin)) { # some are for administrators alone
        $r = call($who, uc $method, with($path, $ids{$base}[0]),
            $body{"$method $path"});
        last if $r->{status} != 403;
    }
    unlike($r->{status}, qr/^(?:401|403|404|5..)$/, "$method $path is cs1's")
        or diag $r->{body};
}

$d->done;
