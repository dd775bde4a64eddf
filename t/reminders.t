#!/usr/bin/env perl
# Reminders: set, listed, closed; each fires once, also over a restart.

use strict;
use warnings;

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $A = '6281210000001';
my $d = Wacrm::Desk->new(donors => "phone,name\n$A,Bu Ani\n",
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' })
    ->start;
my %token = map { $_ => $d->login("$_\@test.example") } qw(cs1 cs2);

sub as {
    my ($who, $method, $path, %opt) = @_;
    return $d->api($method, "/api/crm/$path", token => $token{$who}, %opt);
}

sub iso { strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($_[0])) }

sub remind {
    my ($at, $note) = @_;
    my $r = as('cs1', POST => "contacts/$A/reminders",
        json => { remind_at => $at, note => $note });
    is($r->{status}, 201, "set: $note");
    return $r->{json}{data}{id};
}

sub fired { $d->sql('SELECT count(*) FROM events WHERE kind = 8') }

# ---- set ----

for (['remind_at', { note => 'x' }],
     ['remind_at', { note => 'x', remind_at => 'besok' }],
     ['remind_at', { note => 'x', remind_at => '2020-01-01T00:00:00Z' }],
     ['note', { remind_at => '2999-01-01T00:00:00Z' }],
     ['assignee_id', { note => 'x', remind_at => '2999-01-01T00:00:00Z',
        assignee_id => 999 }]) {
    my ($field, $body) = @$_;
    my $r = as('cs1', POST => "contacts/$A/reminders", json => $body);
    ok($r->{status} == 422 && $r->{json}{errors}{$field}, "$field is wrong");
}
my $far = remind('2999-01-01T00:00:00Z', 'nanti');
my $soon = remind(int((time + 1.2) * 1000), 'segera');
is(fired(), 0, 'none is due');

# ---- fires, once ----

ok($d->within(20, sub { fired() == 1 }), 'the due one fires in time');
is($d->sql('SELECT ref FROM events WHERE kind = 8'), $soon, 'it is that one');
isnt(as('cs1', GET => 'reminders')->{json}{data}[0]{fired_at}, undef,
    'and says so');

# ---- late ones fire at the start, and not again ----

my $late = remind(int((time + 1.5) * 1000), 'saat mati');
$d->wacrmd_stop;
sleep 2;
is(fired(), 1, 'nothing fires while wacrmd is down');
$d->wacrmd_start;
ok($d->within(20, sub { fired() == 2 }), 'the late one fires at the start');
$d->wacrmd_kill;
$d->wacrmd_start;
sleep 0.5;
is(fired(), 2, 'once');
is($d->sql('SELECT count(DISTINCT ref) FROM events WHERE kind = 8'), 2,
    'each of them');

# ---- list and end ----

my $r = as('cs1', GET => 'reminders?limit=2');
is_deeply([map { $_->{id} } @{$r->{json}{data}}], [$soon, $late],
    'soonest first');
is($r->{json}{data}[0]{contact}{phone}, $A, 'with the contact');
$r = as('cs1', GET => "reminders?before=$r->{json}{meta}{next}");
is_deeply([map { $_->{id} } @{$r->{json}{data}}], [$far], 'and on');
is(as('cs1', GET => 'reminders?state=x')->{status}, 422, 'no such state');
$r = as('cs1', PATCH => "reminders/$soon", json => { state => 'done' });
is($r->{json}{data}{state}, 'done', 'done');
is(as('cs1', PATCH => "reminders/$far", json => { state => 'cancelled' })
    ->{json}{data}{state}, 'cancelled', 'cancelled');
is(as('cs1', PATCH => "reminders/$far", json => { state => $_ })->{status},
    422, "not from there to $_") for 'done', 'open', 'x';
is(as('cs1', PATCH => 'reminders/999', json => { state => 'done' })->{status},
    404, 'no such one');
is_deeply([map { $_->{id} } @{as('cs1', GET => 'reminders?state=done')
    ->{json}{data}}], [$soon], 'the list of those done');
is(scalar @{as('cs1', GET => "contacts/$A")->{json}{donatur}{reminders}}, 3,
    'all in the profile');

# ---- another CS ----

is($d->event('message.received', { sessionId => 'demo', from => $A,
    message => 'salam', id => 'R1', timestamp => int(time) }), 200, 'a chat');
ok($d->applied, 'applied');
$d->change("UPDATE sessions SET everyone = 0, user_id = (SELECT id FROM users "
    . "WHERE email = 'cs1\@test.example')");
is(scalar @{as('cs2', GET => 'reminders')->{json}{data}}, 0,
    'nothing of what is another\'s');
is(as('cs2', PATCH => "reminders/$late", json => { state => 'done' })
    ->{status}, 404, 'nor to close');
is(scalar @{as('cs1', GET => 'reminders')->{json}{data}}, 1, 'but to the owner');

$d->sound;
$d->done;
