#!/usr/bin/env perl
# Events that nobody can apply: each is answered 200, kept with its reason,
# and holds up nobody. wacrmctl shows, replays and drops them.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(agents => 0,
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' }
)->start;

sub rows { scalar $d->sql("SELECT count(*) FROM $_[0]") }

sub message {
    my ($id, %more) = @_;
    return { event => 'message.received', data => { from => '6281500000001',
        pushName => 'Siti', message => 'Halo', id => $id,
        timestamp => int(time), %more } };
}

# ---- what is odd, and taken ----

my @odd = (
    ['a number as text' => message('ODD1', message => 12345)],
    ['a list as text' => message('ODD2', message => ['a'])],
    ['a name of 3,000 letters' => message('ODD3', pushName => 'N' x 3000)],
    ['a name of control characters' => message('ODD4',
        pushName => "\x01\x02\n\t\x7f")],
    ['a time before 1970' => message('ODD5', timestamp => -5)],
    ['a time in 3000' => message('ODD6', timestamp => 32503680000)],
    ['a time that is a list' => message('ODD7', timestamp => [])],
    ['a text of 200,000 letters' => message('ODD8', message => 'x' x 200_000)],
    ['an id of 200 letters' => message('I' x 200)],
    ['an unknown type' => message('ODD9', type => 'hologram')],
    ['a type of 5,000 letters' => message('ODD10', type => 't' x 5000)],
    ['no id' => message(undef)],
    ['emoji and right-to-left' => message('ODD11',
        message => "\x{1f44b}\x{1f3fd} \x{202e}\x{627}\x{644}")],
    ['a quoted message that is not there' => message('ODD12',
        reply_to => 'NOWHERE')],
);
for (@odd) {
    my ($what, $body) = @$_;
    is($d->webhook($body)->{status}, 200, "$what: 200");
}
ok($d->applied, 'all of these are applied');
is(rows('messages'), scalar @odd, 'as messages')
    or diag(join "\n", map { "@$_" } $d->sql(
        'SELECT code, reason FROM dead_letters'));
is(rows('dead_letters'), 0, 'none is dead');
is(rows('messages WHERE ts <= 0 OR ts > '
    . (time + 600) * 1000), 0, 'with times that can be');
is(rows("messages WHERE wa_id IS NULL OR wa_id = ''"), 0, 'and ids');

# ---- what is dead ----

my @bad = (
    ['a list' => '[1,2]'],
    ['null' => 'null'],
    ['text' => '"message.received"'],
    ['no event' => '{"data":{}}'],
    ['an event that is a number' => '{"event":7,"data":{}}'],
    ['no data' => '{"event":"message.received"}'],
    ['no chat' => '{"event":"message.received","data":{"message":"x"}}'],
    ['a phone that is none' =>
        '{"event":"message.received","data":{"from":"ibu-ibu-ibu-ib",'
        . '"message":"dari ibu","id":"MENDED"}}'],
    ['a status without an id' =>
        '{"event":"message.status","data":{"status":"read"}}'],
    ['a zero byte' => '{"event":"message.received","data":{"message":"\u0000",'
        . '"from":"6281500000001"}}'],
    ['half a pair' => '{"event":"message.received","data":{"message":'
        . '"\ud83d","from":"6281500000001"}}'],
    ['70 bits' => '{"event":"x.y","data":{"n":1180591620717411303424}}'],
    ['1e999' => '{"event":"x.y","data":{"n":1e999}}'],
    ['a session of 1,000 letters' => '{"event":"message.received","data":{'
        . '"from":"6281500000001","message":"x","sessionId":"'
        . 's' x 1000 . '"}}'],
    ['a text of 1 MB' => '{"event":"message.received","data":{"from":'
        . '"6281500000001","message":"' . 'x' x (1 << 20) . '"}}'],
    ['an id of 300 letters' => '{"event":"message.received","data":{"from":'
        . '"6281500000001","message":"x","id":"' . 'I' x 300 . '"}}'],
    ['a name of 5,000 letters' => '{"event":"message.received","data":{"from":'
        . '"6281500000001","message":"x","pushName":"' . 'N' x 5000 . '"}}'],
    ['a key twice, the second no chat' => '{"event":"message.received",'
        . '"data":{"from":"6281500000001","message":"x"},"data":7}'],
);
my $before = rows('messages');
for (@bad) {
    my ($what, $body) = @$_;
    is($d->webhook($body)->{status}, 200, "$what: 200");
    is($d->webhook(message("AFTER $what"))->{status}, 200, 'a good one');
}
ok($d->applied, 'nobody is held up');
is(rows('messages') - $before, scalar @bad, 'the good ones are there');
is(rows("dead_letters WHERE state = 'open'"), scalar @bad,
    'the others are dead letters');
is(rows("dead_letters WHERE length(reason) < 5 OR code = ''"), 0,
    'each with its reason');
is(rows("sessions WHERE length(session_id) > 200"), 0,
    'and nothing of them is left over');
like($d->log, qr/warn intake msg="dead letters" count=/, 'the log tells');
cmp_ok($d->{nginx}->metrics('/metrics/wacrmd')->{wacrm_intake_dead_total},
    '==', scalar @bad, 'so does the metric');

# In one batch, too: a bad one takes no good one with it.
$d->wacrmd_stop;
for (1 .. 30) {
    $d->webhook($_ % 3 ? message("BATCH$_") : $bad[$_ % @bad][1]);
}
$d->wacrmd_start;
ok($d->applied, 'a batch of good and bad ones');
is(rows("messages WHERE wa_id LIKE 'BATCH%'"), 20, '20 good ones');
is(rows('dead_letters'), @bad + 10, 'ten dead letters');

# ---- wacrmctl ----

my ($rc, $out) = $d->ctl([qw(dead list)]);
is($rc, 0, 'dead list');
my @lines = split /\n/, $out;
is(scalar @lines, @bad + 10, 'one line each');
my $form = 'id=\d+ state=open source=main received=\S+Z code=parse reason=\S';
is(scalar(grep { !/^$form/ } @lines), 0, 'in its form') or diag($out);
($rc, $out) = $d->ctl([qw(dead list --limit 3)]);
is(scalar(split /\n/, $out), 3, '--limit');
is(($d->ctl([qw(dead list --limit), $_]))[0], 1, "--limit $_: refused")
    for 'x', 0, -1;

for (1 .. @bad) {
    my ($what, $body) = @{$bad[$_ - 1]};
    ($rc, $out) = $d->ctl(['--json', 'dead', 'show', $_]);
    my ($shown) = map { JSON::PP->new->utf8->decode($_) }
        (split /\n/, $out)[0];
    is($rc == 0 && $shown->{body}, $body, "dead show: $what");
}
unlike($out, qr/signature":"[0-9a-f]{16}|webhook-secret/,
    'no signature, no secret');

($rc, $out) = $d->ctl([qw(dead replay 1)]);
is($rc, 1, 'replay of one that is still bad');
like($out, qr/^wacrmctl: dead letter 1 is still bad: \S/, 'says why');
is($d->sql('SELECT state FROM dead_letters WHERE id = 1'), 'open',
    'and it stays');
is(($d->ctl([qw(dead drop 1)]))[0], 0, 'drop');
is($d->sql('SELECT state FROM dead_letters WHERE id = 1'), 'dropped',
    'dropped');
is(($d->ctl([qw(dead), $_, 999]))[0], 1, "dead $_ of none")
    for qw(show replay drop);

# One that a mended driver understands: here the record is what is mended.
my $hex = $d->sql("SELECT hex(record) FROM dead_letters WHERE id = 8");
my ($ibu, $phone) = map { uc unpack 'H*', $_ } 'ibu-ibu-ibu-ib',
    '62815000000022';
ok($hex =~ s/$ibu/$phone/, 'a letter is mended');
$d->change("UPDATE dead_letters SET record = x'$hex' WHERE id = 8");
($rc, $out) = $d->ctl([qw(dead replay 8)]);
is($rc, 0, 'replay') or diag($out);
is($d->sql('SELECT state FROM dead_letters WHERE id = 8'), 'replayed',
    'replayed');
is(rows("messages WHERE wa_id = 'MENDED'"), 1, 'the message is there');
$d->ctl([qw(dead replay 8)]);
is(rows("messages WHERE wa_id = 'MENDED'"), 1, 'replayed again: still once');
$d->sound;

$d->done;
