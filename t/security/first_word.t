#!/usr/bin/env perl
# Any number may be written to, also one that a colleague's session talks with.
# What only waits to be sent opens nothing of the donor: no name, no gifts, no
# notes, in no list, answer or event. What was received or has left does.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Agents;

my $MARK = 'RAHASIA-CS1';
my $PHONE = '6281230000001';
my $IMPORTED = '6281230000007';
my $LID = '123456789012345@lid';
my ($d, $token, $user) = apart(
    donors => "phone,name,date,amount\n$IMPORTED,Impor,2026-01-02,50000\n",
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' });

sub call {
    my ($who, $method, $path, @more) = @_;
    return request($d, $token->{$who}, $method => "/api/crm/$path", @more);
}

is($d->sim('/_sim/session', { session => 'dua', status => 'connected' })
    ->{status}, 200, 'a number of their own');
$d->event('message.received', { from => $PHONE, pushName => $MARK,
    message => 'halo', id => 'FIRST1', timestamp => time });
$d->event('message.received', { from => $LID, pushName => "$MARK-LID",
    message => 'halo', id => 'FIRST2', timestamp => time });
ok($d->applied, 'two donors wrote to cs1');
is($d->sql("SELECT phone FROM contacts WHERE name = '$MARK-LID'"), $LID,
    'one of them has no number');
made(note => call('cs1', POST => "contacts/$PHONE/notes", { note => $MARK }));
made(gift => call('cs1', POST => "contacts/$PHONE/donations",
    { amount => 123457 }));
made(reminder => call('cs1', POST => "contacts/$PHONE/reminders",
    { note => $MARK, remind_at => '2999-01-01T00:00:00Z' }));

my $whole = qr/$MARK.*123457|123457.*$MARK/s;

# what a CS can ask for of a donor
sub everything {
    my ($who) = @_;
    my @r = map { call($who, GET => $_) } "contacts/$PHONE?whatsapp=0",
        'inbox', 'inbox?session_id=*', 'contacts', "contacts?search=$PHONE",
        "contacts?search=$MARK", "search?q=$PHONE", "search?q=$MARK",
        'reminders', 'events?since=0', 'messages?state=scheduled';
    push @r, map { call($who, GET => "inbox/$_->[0]") }
        $d->sql('SELECT c.id FROM chats c JOIN contacts k ON k.id ='
            . " c.contact_id WHERE k.phone = '$PHONE'");
    return join "\n", map { "$_->{status} $_->{body}" } @r;
}

sub closed {
    my ($when, @answers) = @_;
    my $all = join "\n", everything('cs2'), @answers;
    unlike($all, qr/$MARK|123457/, "$when: nothing of the donor is told");
    my $r = call('cs2', GET => "contacts/$PHONE?whatsapp=0");
    is($r->{status}, 200, "$when: a number may be looked at");
    ok(exists $r->{json}{donatur} && !defined $r->{json}{donatur},
        "$when: nobody is behind it");
    is($r->{json}{metrics}{lifetime_value}, 0, "$when: without gifts");
    for my $c ([POST => 'notes', { note => 'x' }],
               [POST => 'donations', { amount => 1000 }],
               [PATCH => '', { name => 'X' }]) {
        my ($method, $what, $json) = @$c;
        is(call('cs2', $method => "contacts/$PHONE/$what" =~ s{/$}{}r, $json)
            ->{status}, 404, "$when: $method $what finds nobody");
    }
}

# does the list's search find their chat?
sub found {
    my ($who, $text) = @_;
    return scalar grep { $_->{phone} eq $PHONE }
        @{call($who, GET => "inbox?search=$text")->{json}{conversations}};
}

# in the index, and not only in the rows
sub indexed {
    $d->wait_for(sub {
        my $m = $d->{nginx}->metrics('/metrics/wacrmd');
        return ($m->{wacrm_search_lag_messages} // 1) == 0
            && $d->sql('SELECT count(*) FROM contact_changes') <= 1;
    });
}

$d->change("INSERT INTO contact_aliases (alias, contact_id) SELECT"
    . " '987650001112223\@lid', id FROM contacts WHERE phone = '$PHONE'");
like(everything('cs1'), $whole, 'cs1 sees all of it');
closed('before');

# ---- one that may never leave ----

my $later = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ',
    gmtime(time + 300 * 86400));
my $r = call('cs2', POST => 'messages/send', { phone => $PHONE,
    message => 'nanti', scheduled_at => $later, session_id => 'dua' });
is($r->{status}, 200, 'any number may be written to, later');
my $id = $r->{json}{data}{id};
like(call('cs2', GET => 'messages?state=scheduled')->{body}, qr/nanti/,
    'it is planned');
my ($line) = grep { $_->{phone} eq $PHONE }
    @{call('cs2', GET => 'inbox')->{json}{conversations}};
ok($line, 'the chat is in the list') and do {
    is($line->{name}, '+62 812-3000-0001', 'by its number');
    is($line->{donatur}, undef, 'without a donor');
};
closed('planned', $r->{body});
for my $when ('at once', 'indexed') {
    for my $text ($MARK, substr($MARK, 0, 2), 'CS1', '98765', '0001112',
        '9876500011122', 'lid', "$MARK+$PHONE") {
        is(found('cs2', $text), 0, "$when: $text finds no closed chat");
        is(found('cs1', $text), 1, "$when: it finds an open one")
            if $when eq 'indexed';
    }
    is(found('cs2', $_), 1, "$when: $_ does") for $PHONE, '0812-3000-0001',
        '3000000', 'nanti', 'nant';
    ok(indexed(), 'indexed');
}
$r = call('cs2', DELETE => "messages/$id");
is($r->{status}, 200, 'withdrawn');
closed('withdrawn', $r->{body});
like(everything('cs1'), $whole, 'cs1 sees as much as ever');

# ---- one that did not leave ----

is($d->sim('/_sim/behaviour', { route => 'send.text', phone => $PHONE,
    do => 'status', status => 400 })->{status}, 200, 'the gateway refuses');
$r = call('cs2', POST => 'messages/send', { phone => $PHONE,
    message => 'sekarang', session_id => 'dua' });
is($r->{status}, 200, 'and at once');
$id = $r->{json}{data}{id};
ok($d->wait_for(sub {
    $d->sql("SELECT status FROM messages WHERE id = $id") == 6;
}), 'which fails');
like(call('cs2', GET => 'events?since=0')->{body}, qr/sekarang/,
    'cs2 hears of it');
closed('failed', $r->{body});
made(again => call('cs2', POST => "messages/$id/retry"));
ok($d->wait_for(sub {
    $d->sql("SELECT status FROM messages WHERE id = $id") =~ /^[2345]$/;
}), 'it has left');
like(everything('cs2'), $whole, 'now they talk with each other');
is(found('cs2', $_), 1, "now $_ finds them") for $MARK, '0001112';
like(everything('cs1'), $whole, 'cs1 still sees them');
is(call('cs2', POST => "contacts/$PHONE/notes", { note => 'x' })->{status},
    201, 'and notes are written');

# ---- whom the charity knows, and nobody talks with ----

for my $who ('cs1', 'cs2') {
    like(call($who, GET => "contacts/$IMPORTED?whatsapp=0")->{body}, qr/50000/,
        "$who sees who was imported");
}
made(later => call('cs2', POST => 'messages/send', { phone => $IMPORTED,
    message => 'nanti', scheduled_at => $later, session_id => 'dua' }));
like(call('cs2', GET => "contacts/$IMPORTED?whatsapp=0")->{body}, qr/50000/,
    'who writes first goes on seeing them');

# ---- who writes first, and another one is answered ----

my $new = '6281230000009';
made(new => call('cs2', POST => 'messages/send', { phone => $new,
    message => 'nanti', scheduled_at => $later, session_id => 'dua' }));
my $chat = $d->sql('SELECT c.id FROM chats c JOIN contacts k ON k.id ='
    . " c.contact_id WHERE k.phone = '$new'");
my $last = $d->sql('SELECT max(seq) FROM events');
$d->event('message.received', { from => $new, pushName => $MARK,
    message => 'halo', id => 'FIRST3', timestamp => time });
ok($d->applied, 'they write to cs1');
is($d->sql("SELECT count(*) FROM events WHERE seq > $last AND"
    . " chat_id = $chat"), 1, 'cs2 is told that their line has changed');

# ---- what they are called, where they have no number ----

sub without { my ($r, $what) = @_; $r->{body} =~ s/\Q$what\E/ID/gr }
my ($theirs, $none) = map { my $lid = $_;
    my $r = call('cs2', POST => 'messages/send', { phone => $lid,
        message => 'x', session_id => 'dua' });
    "$r->{status} " . without($r, $lid) } $LID, '999456789012345@lid';
is($theirs, $none, 'an alias tells nobody whether there is somebody');
like($theirs, qr/^422 /, 'it is no number');
is(call('cs1', POST => 'messages/send', { phone => $LID, message => 'x' })
    ->{status}, 200, 'who sees them writes to them');

$d->done;
