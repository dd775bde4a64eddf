#!/usr/bin/env perl
# The list of conversations from the thread that reads the request: with the
# real edge before it. Each change of what it shows, and of who may see it, is
# in the very next answer, on whichever connection; whose token is revoked
# gets none; and what is remembered of requests is bounded.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $ROUNDS = 40;
my $STRANGE = 1500;

my $d = Wacrm::Desk->new(
    session => 'satu',
    nginx => sub {
        s/rate=10r\/m/rate=1000r\/m/;    # of sign-ins
        s/(rate=)\d+r\/[ms]/${1}100000r\/m/g;
    },
    wacrmd => sub {
        s/^(default_session *=.*)/$1\ndefault_everyone = off/m
            or die 'no default session';
        s/^welcome = on/welcome = off/m;
        s/^log_level = debug$/log_level = info/m;
    })->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my $PHONE = '6281230000001';
my $event = 0;

sub call {
    my ($who, $method, $path, $json, %headers) = @_;

    return $d->api($method => $path, token => $token{$who},
        headers => \%headers, defined $json ? (json => $json) : ());
}

sub hears {
    my ($phone, $text, $session) = @_;

    $event++;
    is($d->event('message.received', { from => $phone, pushName => 'Donatur',
        message => $text, id => "3EB0A$event", timestamp => int time,
        sessionId => $session }), 200, "taken: $text");
    ok($d->applied, 'applied');
}

sub metric { $d->{nginx}->metrics('/metrics/wacrmd')->{"wacrm_$_[0]"} }

# The lines, by phone; undef: no list.
sub list {
    my ($who, $query, %headers) = @_;

    my $r = call($who, GET => "/api/crm/inbox$query", undef, %headers);
    return if $r->{status} != 200;
    return { map { $_->{phone} => $_ } @{$r->{json}{conversations}} };
}

my @VIEWS = ('', '?session_id=*', '?session_id=*&limit=7');

# All views of all are in the memory of that thread.
sub warm {
    my $before = metric('inbox_cache_at_once_total');
    for my $who (sort keys %token) {
        for my $view (@VIEWS) {
            list($who, $view) for 1 .. 2;
        }
    }
    return metric('inbox_cache_at_once_total') - $before;
}

hears($PHONE, 'kepada satu', 'satu');
hears('6281230000002', 'kepada dua', 'dua');
my %id = map { $_->[0] => 0 + $_->[1] }
    $d->sql('SELECT email, id FROM users');
my ($cs1, $cs2) = @id{qw(cs1@test.example cs2@test.example)};
my $members = '/api/crm/whatsapp/sessions/satu/members';
is(call('admin', PUT => $members, { user_ids => [$cs1] })->{status}, 200,
    'cs1 has the first number');
is(call('admin', PUT => $members =~ s/satu/dua/r, { user_ids => [$cs2] })
    ->{status}, 200, 'cs2 the other');
my ($chat) = map { $_->[0] } $d->sql("SELECT c.id FROM chats c JOIN contacts k"
    . " ON k.id = c.contact_id WHERE k.phone = '$PHONE'");

# ---- by that thread ----

my $all = 2 * keys(%token) * @VIEWS;
# what is done beside it (a number that connects) may end one or the other
ok($d->wait_for(sub { warm() == $all }), 'warm: none needs a worker');
my $before;
ok($d->wait_for(sub {
    my $r = call('cs1', GET => '/api/crm/inbox');
    $before = metric('inbox_cache_at_once_total');
    $r = call('cs1', GET => '/api/crm/inbox', undef,
        'If-None-Match' => $r->{headers}{etag});
    return $r->{status} == 304
        && metric('inbox_cache_at_once_total') == $before + 1;
}), 'not changed: 304, from there, too');

# ---- what it shows ----

sub shows {
    my ($what, $change, $expect, $who) = @_;

    warm();
    my $r = $change->();
    like($r->{status}, qr/^20[0-4]$/, $what) or diag $r->{body};
    for my $view (@VIEWS) {
        my $line = list($who || 'cs1', $view);
        $line &&= $line->{$PHONE};
        ok($line && $expect->($line), "$what: at once in '$view'")
            or diag explain $line;
    }
}

shows('a star', sub { call('cs1', POST => "/api/crm/inbox/$chat/star") },
    sub { $_[0]{is_starred} });
shows('no star', sub { call('cs1', POST => "/api/crm/inbox/$chat/star") },
    sub { !$_[0]{is_starred} });
shows('read', sub { call('cs1', POST => "/api/crm/inbox/$chat/read") },
    sub { $_[0]{unread_count} == 0 });
shows('an answer', sub { call('cs1', POST => '/api/crm/messages/send',
    { phone => $PHONE, message => 'jawaban kami', session_id => 'satu' }) },
    sub { $_[0]{last_message} eq 'jawaban kami' });
shows('a name', sub { call('cs1', PATCH => "/api/crm/contacts/$PHONE",
    { name => 'Ibu Sri' }) }, sub { $_[0]{name} eq 'Ibu Sri' });
shows('a gift', sub { call('cs1', POST => "/api/crm/contacts/$PHONE/donations",
    { amount => 250000 }) },
    sub { $_[0]{donatur} && $_[0]{donatur}{lifetime_value} == 250000 });
shows('a note', sub { call('cs1', POST => "/api/crm/contacts/$PHONE/notes",
    { note => 'menelepon besok' }) }, sub { $_[0]{name} eq 'Ibu Sri' });

# ---- who may see it ----

sub phones { join ' ', map { substr $_, -1 } sort keys %{$_[0] || { 0 => 1 }} }

sub sees {
    my ($what, $change, $want, $status) = @_;

    warm();
    my $r = $change->();
    like($r->{status}, qr/^20[0-4]$/, $what) or diag $r->{body};
    is(phones(list('cs2', '?session_id=*')), $want, "$what: the very next list")
        if defined $want;
    is(call('cs2', GET => '/api/crm/inbox?session_id=*')->{status}, $status,
        "$what: $status") if defined $status;
}

sees('a membership', sub { call('admin', PUT => $members,
    { user_ids => [$cs1, $cs2] }) }, '1 2');
list('cs2', '', 'X-Session-Id' => 'satu') for 1 .. 2;
sees('its end', sub { call('admin', PUT => $members, { user_ids => [$cs1] }) },
    '2');
is(list('cs2', '', 'X-Session-Id' => 'satu'), undef, 'nor by a header');
sees('a role', sub { call('admin', PATCH => "/api/crm/agents/$cs2",
    { role => 'supervisor' }) }, '1 2');
# a lesser role may end what was given out: whoever it is signs in again
my $lesser = call('admin', PATCH => "/api/crm/agents/$cs2", { role => 'cs' });
is($lesser->{status}, 200, 'a lesser role');
isnt(phones(list('cs2', '?session_id=*')), '1 2', 'is not seen by any more');
$token{cs2} = $d->login('cs2@test.example');
is(phones(list('cs2', '?session_id=*')), '2', 'but one\'s own');
sees('all tokens revoked', sub { call('admin', POST =>
    "/api/crm/agents/$cs2/logout") }, undef, 401);
$token{cs2} = $d->login('cs2@test.example');
sees('signed out', sub { call('cs2', POST => '/api/auth/logout') }, undef,
    401);
$token{cs2} = $d->login('cs2@test.example');
sees('disabled', sub { call('admin', PATCH => "/api/crm/agents/$cs2",
    { active => JSON::PP::false }) }, undef, 401);
is(call('admin', PATCH => "/api/crm/agents/$cs2", { active => JSON::PP::true })
    ->{status}, 200, 'enabled again');
delete $token{cs2};

# ---- several at once, each reading what they wrote ----

my @writers;
for my $i (1 .. 3) {
    hears("628123000001$i", 'halo', 'satu');
    my ($own) = map { $_->[0] } $d->sql('SELECT max(id) FROM chats');
    my $who = (sort keys %token)[$i % keys %token];
    push @writers, [$own, $who, "628123000001$i"];
}
$before = metric('inbox_cache_at_once_total');
for my $w (@writers) {
    my ($own, $who, $phone) = @$w;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $stale = 0;
        for my $round (1 .. $ROUNDS) {
            my $r = call($who, POST => "/api/crm/inbox/$own/star");
            for my $view ('?session_id=*', '?session_id=*&filter=starred') {
                my $list = list($who, $view);
                my $is = $list && $list->{$phone}
                    && $list->{$phone}{is_starred} ? 1 : 0;
                $stale++ if $r->{status} != 200 || !$list
                    || $is != $round % 2;
            }
        }
        POSIX::_exit($stale > 100 ? 100 : $stale);
    }
    push @$w, $pid;
}
for my $w (@writers) {
    waitpid $w->[3], 0;
    is($? >> 8, 0, "$w->[1] has read all that they wrote");
}
warm();
cmp_ok(metric('inbox_cache_at_once_total'), '>', $before, 'some from there');

# ---- bounds ----

for my $i (1 .. $STRANGE) {
    list('cs1', sprintf '?limit=1&before=%x-1', $i);
}
cmp_ok(metric('inbox_views'), '<=', 1024, 'so many requests are remembered');
cmp_ok(metric('inbox_views'), '>', 200, 'and not fewer');
cmp_ok(metric('inbox_views_bytes'), '<', 300_000, 'in so many bytes');
cmp_ok(metric('inbox_cache_entries'), '<=', 64, 'and so many lists');
is(warm() > 0, 1, 'what is asked for again comes back');

$d->sound;
$d->done;
