#!/usr/bin/env perl
# Profiles, notes, gifts and figures, what the gateway tells of a number, who
# sees whom, merges and their way back.

use strict;
use warnings;

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $A = '6281210000001';
my $B = '6281210000002';
my $IMPORTED = '6281210000009';

my $d = Wacrm::Desk->new(
    donors => "phone,name,date,amount,ref\n$IMPORTED,Pak Impor,2026-01-05,"
        . "50000,R-1\n",
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=600r/ or die 'no zone' },
)->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my $today = strftime('%Y-%m-%d', gmtime(time + 7 * 3600));
my $n = 0;

sub as {
    my ($who, $method, $path, %opt) = @_;
    return $d->api($method, "/api/crm/$path", token => $token{$who}, %opt);
}

sub hear {
    my ($from, $text, $name) = @_;
    is($d->event('message.received', { sessionId => 'demo', from => $from,
        pushName => $name || 'Hamba', message => $text, id => 'C' . ++$n,
        timestamp => int(time) }), 200, "$text is taken");
    ok($d->applied, 'and applied');
}

hear($A, 'salam', 'Bu Ani');
hear($B, 'halo', 'Bu Bela');

# ---- a profile ----

my $r = as('cs1', GET => "contacts/$A");
is($r->{status}, 200, 'a profile');
is($r->{json}{donatur}{name}, 'Bu Ani', 'its name');
is($r->{json}{donatur}{lifecycle}, 'prospect', 'who never gave');
is($r->{json}{donatur}{segment}, 'New', 'is New');
is($r->{json}{metrics}{lifetime_value}, 0, 'no figures yet');
is($r->{json}{metrics}{avg_donation}, undef, 'and no average');
cmp_ok($r->{json}{metrics}{score_parts}{conversation}, '>', 10,
    'but they wrote');
is(ref $r->{json}{whatsapp}, 'HASH', 'the gateway knows them');
is($r->{json}{whatsapp}{phone}, $A, 'by this number');
ok(!exists $r->{json}{success}, 'no success, as the seed has it');
my $asked = () = $d->calls(kind => 'contact.info');
cmp_ok($asked, '>=', 1, 'it was asked');
as('cs1', GET => 'contacts/0812-1000-0001');
is(scalar(() = $d->calls(kind => 'contact.info')), $asked, 'and not again');
$r = as('cs1', GET => "contacts/$B?whatsapp=0");
is($r->{json}{donatur}{name}, 'Bu Bela', 'a profile at once');
is($r->{json}{whatsapp}, undef, 'without the gateway');
is(scalar(() = $d->calls(kind => 'contact.info')), $asked,
    'which is not asked');

$r = as('cs1', GET => 'contacts/6289999999999');
is($r->{json}{donatur}, undef, 'nobody');
is($r->{json}{metrics}{engagement_score}, 0, 'has no score');
is(as('cs1', GET => 'contacts/bukan')->{status}, 422, 'not a number');

# ---- notes ----

$r = as('cs1', POST => "contacts/$A/notes", json => { note => 'Suka sore' });
is($r->{status}, 201, 'a note');
is($r->{json}{data}{note}, 'Suka sore', 'as written');
is(as('cs1', POST => "contacts/$A/notes", json => {})->{json}{errors}{note}[0],
    'The note field is required.', 'an empty one');
is(as('cs1', POST => 'contacts/6289999999999/notes', json => { note => 'x' })
    ->{status}, 404, 'of nobody');
is(as('cs1', GET => "contacts/$A")->{json}{donatur}{notes}[0]{note},
    'Suka sore', 'in the profile');

# ---- gifts ----

$r = as('cs1', POST => "contacts/$A/donations", json => { amount => 12000000,
    fund => 'Zakat', method => 'QRIS', ref => 'TRX-1' });
is($r->{status}, 201, 'a gift');
is($r->{json}{data}{date}, $today, 'of today');
is($r->{json}{metrics}{lifetime_value}, 12000000, 'and the figures');
is($r->{json}{metrics}{last_donation}, $today, 'of the same moment');
cmp_ok($r->{json}{metrics}{score_parts}{r}, '==', 100, 'recency');
$r = as('cs1', GET => "contacts/$A")->{json}{donatur};
is($r->{segment}, 'VIP', 'the segment moves with it');
is($r->{level}, 'major', 'and the level');
ok(!exists $r->{lifecycle}, 'a prospect no more');
is($r->{donations}[0]{ref}, 'TRX-1', 'the gift in the profile');
is($d->sql("SELECT reason FROM segment_changes ORDER BY id DESC LIMIT 1"),
    'sum of 12 months', 'and why');
my ($row) = grep { $_->{phone} eq $A }
    @{as('cs1', GET => 'inbox')->{json}{conversations}};
is($row->{donatur}{lifetime_value}, 12000000, 'the inbox knows it, too');
$r = as('cs2', POST => "contacts/$A/donations",
    json => { amount => 5, ref => 'TRX-1' });
is($r->{status}, 409, 'the same reference');
is($r->{json}{code}, 'duplicate_ref', 'by its name');
for (['amount', {}], ['amount', { amount => 0 }], ['amount', { amount => -5 }],
     ['amount', { amount => 1.5 }], ['date', { amount => 1, date => 'x' }],
     ['date', { amount => 1, date => '2999-01-01' }]) {
    my ($field, $body) = @$_;
    $r = as('cs1', POST => "contacts/$A/donations", json => $body);
    ok($r->{status} == 422 && $r->{json}{errors}{$field}, "$field is wrong");
}

# ---- VIP by hand, names ----

is(as('cs1', PATCH => "contacts/$B", json => { vip => JSON::PP::true })
    ->{status}, 403, 'a CS makes nobody VIP');
as('cs1', POST => "contacts/$B/donations", json => { amount => 5000 });
$r = as('supervisor', PATCH => "contacts/$B",
    json => { vip => JSON::PP::true, name => 'Ibu Bela' });
is($r->{json}{data}{segment}, 'VIP', 'a supervisor may');
is($r->{json}{data}{name}, 'Ibu Bela', 'with a name');
is($d->sql("SELECT reason FROM segment_changes ORDER BY id DESC LIMIT 1"),
    'set by hand', 'and it is said why');

# ---- the gateway's word ----

$r = as('cs1', GET => "contacts/$A/check");
is($r->{json}{success}, JSON::PP::true, 'check');
is($r->{json}{data}{registered}, JSON::PP::true, 'has WhatsApp');
$r = as('cs1', GET => "contacts/$A/picture");
is($r->{json}{data}{url}, "https://pictures.example/$A.jpg", 'picture');
$d->sim_stop;
$r = as('cs1', GET => "contacts/$B/check");
is($r->{status}, 200, 'no gateway is no failure');
is($r->{json}{success}, JSON::PP::false, 'but no success either');
is(as('cs1', GET => "contacts/$A/check")->{json}{success}, JSON::PP::true,
    'what is kept is told');
my $begin = time;
$r = as('cs1', GET => "contacts/$B");
is($r->{json}{whatsapp}, undef, 'and a profile comes without');
is($r->{json}{donatur}{name}, 'Ibu Bela', 'with all the rest');
cmp_ok(time - $begin, '<', 10, 'soon');
$d->sim_start;

# ---- merge and back ----

is(as('cs1', POST => 'contacts/merge', json => { from => $B, into => $A })
    ->{status}, 403, 'a CS merges nobody');
is(as('supervisor', POST => 'contacts/merge', json => { from => $A,
    into => $A })->{status}, 422, 'one with oneself');
$r = as('supervisor', POST => 'contacts/merge',
    json => { from => $B, into => $A });
is($r->{status}, 200, 'merged');
my $merge = $r->{json}{data}{id};
is($r->{json}{data}{into}{lifetime_value}, 12005000, 'with their gifts');
is(as('cs1', GET => "contacts/$B")->{json}{donatur}{phone}, $A,
    'the other number finds them');
is(scalar @{as('cs1', GET => 'inbox')->{json}{conversations}}, 1, 'one chat');
hear($B, 'setelah digabung');
is($d->sql('SELECT count(*) FROM contacts'), 2, 'no new contact');
is(as('supervisor', GET => 'merges')->{json}{data}[0]{from}{phone}, $B,
    'in the list of merges');
is(as('cs2', POST => "merges/$merge/undo")->{status}, 403, 'not by a CS');
$r = as('supervisor', POST => "merges/$merge/undo");
is($r->{status}, 200, 'undone');
is($r->{json}{data}{from}{lifetime_value}, 5000, 'gifts are back');
is($r->{json}{data}{into}{lifetime_value}, 12000000, 'on both sides');
is(scalar @{as('cs1', GET => 'inbox')->{json}{conversations}}, 2, 'two chats');
is(as('supervisor', POST => "merges/$merge/undo")->{status}, 409, 'once only');
is(as('supervisor', POST => 'merges/999/undo')->{status}, 404, 'no such one');

# ---- reports ----

my ($year) = $today =~ /^(\d+)/;
is(as('cs1', GET => "reports/$_")->{status}, 403, "$_ is for leads")
    for qw(lybunt sybunt retention rfm);
is(as('supervisor', GET => 'reports/retention')->{json}{data}{donors}, 2 +
    ($year == 2026), 'donors of this year');
is(scalar @{as('supervisor', GET => 'reports/lybunt?year=2027')
    ->{json}{data}}, $year == 2026 ? 3 : 1, 'who gave in 2026 only');
is(as('supervisor', GET => 'reports/sybunt?year=2029')->{json}{data}[0]
    {is_lybunt}, JSON::PP::false, 'long ago');
is(as('supervisor', GET => 'reports/lybunt?year=x')->{status}, 422, 'no year');
is(as('supervisor', GET => "reports/$_")->{status}, 422, $_)
    for qw(lybunt?calendar=x lybunt?calendar=hijri&year=1200 lybunt?year=1446);
is(as('supervisor', GET => "reports/$_?calendar=hijri")->{status}, 200,
    "$_ by Hijri years") for qw(lybunt sybunt retention);
is(ref as('supervisor', GET => 'reports/rfm')->{json}{data}, 'ARRAY', 'rfm');

# ---- who sees whom ----

is(scalar @{as('cs1', GET => "contacts?search=$_")->{json}{data}}, 0,
    "nobody is called $_") for qw(%25 _ tidakadaorangnya);
is(as('cs1', GET => 'contacts?search=impor')->{json}{data}[0]{phone},
    $IMPORTED, 'who is known by import is everybody\'s');
$r = as('cs1', GET => 'contacts?limit=2');
is($r->{json}{meta}{hasMore}, JSON::PP::true, 'pages');
is(scalar @{as('cs1', GET => "contacts?before=$r->{json}{meta}{next}")
    ->{json}{data}}, 1, 'to the end');
$d->change("UPDATE sessions SET everyone = 0, user_id = (SELECT id FROM users "
    . "WHERE email = 'cs1\@test.example')");
is(as('cs1', GET => "contacts/$A")->{json}{donatur}{phone}, $A,
    'the owner of the session');
is(as('cs2', GET => "contacts/$A")->{json}{donatur}, undef,
    'another CS sees nobody');
is(as('cs2', POST => "contacts/$A/$_->[0]", json => $_->[1])->{status}, 404,
    "and has no $_->[0]") for ['notes', { note => 'x' }],
    ['donations', { amount => 1 }],
    ['reminders', { note => 'x', remind_at => '2999-01-01T00:00:00Z' }];
is(as('cs2', GET => "contacts/$IMPORTED")->{json}{donatur}{phone}, $IMPORTED,
    'but the imported one');
is(scalar @{as('cs2', GET => 'contacts')->{json}{data}}, 1, 'alone');
is(as('supervisor', GET => "contacts/$A")->{json}{donatur}{phone}, $A,
    'a supervisor sees all');

$d->sound;
$d->done;
