#!/usr/bin/env perl
# What is another's, named in a body, a query or a header. t/idor.t walks all
# ids in paths; here is every field that docs/openapi.yaml has, and those that
# name a thing are tried with another's. A field that is new fails the test
# until somebody has said which kind it is.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Agents;
use Wacrm::Node;

my $MARK = 'RAHASIA-CS1';
my $PHONE = '6281230000001';
my ($d, $token, $user) = apart(
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' });

# ---- every field is known ----

Wacrm::Node::program('openapi_fields.mjs', root => $Wacrm::Nginx::ROOT,
    # name a thing that may be another's: tried below
    tried => [qw(body:assignee_id body:from body:into body:media_id body:phone
        body:reply_to body:session_id body:session_name body:template_id
        body:user_id body:user_ids header:Idempotency-Key
        header:If-None-Match header:X-Session-Id query:before
        query:session_id query:signature query:after query:around query:since
        body:channel_name body:socket_id)],
    # a backend's, who signs with a key of its own (t/unit/test_pusher_sign.c)
    backends => [qw(body:batch body:channel body:channels body:data
        query:auth_key query:auth_signature query:auth_timestamp
        query:auth_version query:body_md5)],
    # for administrators alone (t/security/roles.t)
    admins => [qw(query:user query:contact query:action query:session
        body:gateway body:gateway_name body:confirm body:active body:role
        body:email)]);

# ---- what is cs1's ----

sub call {
    my ($who, $method, $path, @more) = @_;
    return request($d, $token->{$who}, $method => "/api/crm/$path", @more);
}
sub upload {
    return $d->api(POST => '/api/crm/media', token => $token->{$_[0]},
        headers => { 'Content-Type' => 'multipart/form-data; boundary=x' },
        body => "--x\r\nContent-Disposition: form-data; name=\"file\";"
            . " filename=\"a.txt\"\r\n\r\n$_[1]\r\n--x--\r\n");
}

$d->event('message.received', { from => $PHONE, pushName => $MARK,
    message => "$MARK halo", id => 'FIELD1', timestamp => time });
$d->event('message.received', { from => '6281230000002', sessionId => 'dua',
    message => 'halo', id => 'FIELD2', timestamp => time });
ok($d->applied, 'a donor for each');
my ($mine, $theirs) = map { scalar $d->sql("SELECT id FROM messages WHERE"
    . " wa_id = '$_'") } qw(FIELD2 FIELD1);
my ($media) = upload(cs1 => $MARK)->{body} =~ /"media_id":"([0-9a-f]+)"/;
ok($media, 'a file of cs1');
my @send = (POST => 'messages/send');
my %to = (phone => '6281230000002', session_id => 'dua');
made(send => call('cs1', @send, { phone => $PHONE, message => $MARK },
    'Idempotency-Key' => 'kunci-satu'));
my $etag = call('cs1', GET => 'inbox')->{headers}{etag};

sub tables {
    return join "\n", map { my $t = $_; map { "$t: " . join '|', @$_ }
        $d->sql("SELECT * FROM $t") } qw(sessions session_members contacts
        reminders merges message_media);
}
my $before = tables();

# refused, in the words that are for what does not exist
sub as_nothing {
    my ($what, $theirs, $nothing) = map { $_ } @_;
    like($theirs->{status}, qr/^4/, "$what: refused");
    is("$theirs->{status} $theirs->{body}", "$nothing->{status} "
        . $nothing->{body}, "$what: as if there were none");
    unlike($theirs->{raw}, qr/$MARK/, "$what: tells nothing");
}

as_nothing('media_id', map { call('cs2', @send, { %to, media_id => $_ }) }
    $media, '0' x 32);
as_nothing('reply_to', map { call('cs2', @send, { %to, message => 'x',
    reply_to => $_ }) } $theirs, 99999);
as_nothing('session_id of a send', map { call('cs2', POST =>
    "messages/send?session_id=$_", { phone => $PHONE, message => 'x' }) }
    'satu', 'tiada');
as_nothing('session_id of a switch', map { call('cs2', POST =>
    'switch-session', { session_id => $_ }) } 'satu', 'tiada');
as_nothing('session_id of a query', map { call('cs2', GET =>
    "inbox?session_id=$_") } 'satu', 'tiada');
my $own = $d->sql("SELECT chat_id FROM messages WHERE id = $mine");
as_nothing('before', map { call('cs2', GET => "inbox/$own?before=$_") }
    $theirs, 99999);
as_nothing('after', map { call('cs2', GET => "inbox/$own?after=$_") }
    $theirs, 99999);
as_nothing('around', map { call('cs2', GET => "inbox/$own?around=$_") }
    $theirs, 99999);
my $foreign = $d->sql("SELECT chat_id FROM messages WHERE id = $theirs");
as_nothing('channel_name', map { $d->api(POST => '/broadcasting/auth',
    token => $token->{cs2}, json => { socket_id => '1.1', channel_name =>
        "presence-chat.$_" }) } $foreign, 99999);
unlike(call('cs2', GET => 'events?since=0')->{body}, qr/$MARK|$PHONE/,
    'since: tells nothing of what another has missed');
like(call('cs1', GET => 'events?since=0')->{body}, qr/$MARK|$PHONE/,
    'which there is');
for my $who ('user_id', 'user_ids') {
    my $r = $who eq 'user_id'
        ? call('cs2', PATCH => 'whatsapp/sessions/dua',
            { user_id => $user->{cs1} })
        : call('cs2', PUT => 'whatsapp/sessions/satu/members',
            { user_ids => [$user->{cs2}] });
    like($r->{status}, qr/^40[34]$/, "$who: not by a CS");
}
like(call('cs2', POST => 'contacts/merge', { from => $PHONE,
    into => '6281230000002' })->{status}, qr/^403$/, 'from and into: not by a'
    . ' CS');
my $r = call('cs2', GET => 'inbox', undef, 'X-Session-Id' => 'satu');
unlike($r->{body}, qr/$MARK/, 'X-Session-Id: tells nothing');
$r = call('cs2', GET => 'inbox', undef, 'If-None-Match' => $etag || '"x"');
is($r->{status}, 200, "If-None-Match: another's view is not one's own");
unlike($r->{body}, qr/$MARK/, 'nor is it shown');
$r = call('cs2', @send, { %to, message => 'punya cs2' },
    'Idempotency-Key' => 'kunci-satu');
unlike($r->{body}, qr/$MARK|$PHONE/, "Idempotency-Key: another's answer is not"
    . " one's own");
is($r->{status}, 200, 'the same key serves each user for themselves');
$r = call('cs2', POST => 'whatsapp/sessions', { session_name => 'satu' });
like($r->{status}, qr/^4/, 'session_name: not taken over');
$r = $d->api(GET => "/api/crm/media/$media?user=$user->{cs1}"
    . '&expires=99999999999&signature=' . '0' x 64);
like($r->{status}, qr/^40[134]$/, 'signature: not guessed');
is(call('cs2', GET => "media/$media")->{status}, 404, 'nor by a token');
$r = call('cs2', POST => 'contacts/6281230000002/reminders', { note => 'x',
    remind_at => '2999-01-01T00:00:00Z', assignee_id => 99999 });
is($r->{status}, 422, 'assignee_id: of nobody');
is(tables(), $before, 'nothing has changed');
$r = call('cs2', GET => 'inbox');
unlike($r->{body}, qr/$MARK/, 'and cs2 has seen nothing');

$d->done;
