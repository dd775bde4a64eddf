#!/usr/bin/env perl
# Whatever the gateway does, and wherever wacrmd dies: nothing is lost, nothing
# is sent twice, a lane keeps its order, and what nobody knows is said to be
# unknown.

use strict;
use warnings;

use IO::Handle;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        Wacrm::Desk::outbox_at_once(timeout => '1s',
            backoff => "1s 1s 1s\njitter = off\nunknown_hold = 3s");
    },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=600r/ or die 'no zone send' }
)->start;
my %token = map { $_ => $d->login("$_\@test.example") } qw(cs1 cs2);
my ($QUEUED, $UNKNOWN, $SENT, $FAILED) = (0, 1, 2, 6);
my $begun = time;

# ---- one lane for each case ----

my $next = 0;
my @all; # every message that was ever queued: {id, text, name}

sub phone { sprintf '62818%08d', ++$next }

sub send_text {
    my ($phone, $text, $who) = @_;
    my $r = $d->api(POST => '/api/crm/messages/send',
        token => $token{$who || 'cs1'},
        json => { phone => $phone, message => $text });
    my $id = $r->{json}{data}{id} or die "send: $r->{status} $r->{body}";
    push @all, { id => $id, text => $text };
    return $id;
}

sub behave {
    my ($phone, %rule) = @_;
    my $r = $d->sim('/_sim/behaviour', { route => 'send.text', %rule,
        defined $phone ? (phone => $phone) : () });
    die $r->{body} unless $r->{status} == 200;
}

# Somebody who has written before: the gateway has a history of them.
sub known {
    my ($phone) = @_;
    $d->sim('/_sim/webhook', { from => $phone, text => 'Halo',
        timestamp => int((time - 300) * 1000) });
}

sub status { scalar $d->sql("SELECT status FROM messages WHERE id = $_[0]") }
sub state {
    scalar $d->sql("SELECT state FROM outbox WHERE message_id = $_[0]")
}
sub settled { # the last of a lane, and so the whole
    my ($id, $seconds) = @_;
    return $d->wait_for(sub { my $s = status($id); $s != $QUEUED
        && state($id) >= 4 }, $seconds || 20);
}
sub sends {
    my ($key, $value) = @_;
    return grep { $_->{body} && $_->{body}{$key} eq $value }
        $d->calls(route => 'send.text');
}
sub calls { map { $_->{body}{message} } sends(phone => $_[0]) }
sub seen { scalar grep { $_->{status} != 401 } sends(message => $_[0]) }
# how often the gateway has taken it
sub taken {
    my %n;
    $n{$_->{text}}++ for grep { $_->{from_me} }
        @{$d->sim('/_sim/messages')->{json}{messages}};
    return \%n;
}
sub config { $d->sim('/_sim/config', $_[0]) }

# A lane: the message of the case, and one behind it.
sub lane {
    my ($name, %case) = @_;
    my $phone = phone();
    known($phone) if $case{known};
    behave($phone, %{$case{rule}}) if $case{rule};
    my $text = "$name " . ++$next;
    return { %case, name => $name, phone => $phone, text => $text,
        id => send_text($phone, $text),
        behind => send_text($phone, "$text, lalu") };
}

my %word = ($UNKNOWN => 'unknown', $SENT => 'sent', $FAILED => 'failed');

sub check {
    my (@lanes) = @_;
    my $ok = 1;
    $ok &= settled($_->{behind}) for @lanes;
    ok($ok, 'every lane goes on');
    my $taken = taken();
    for my $l (@lanes) {
        my $is = status($l->{id});
        $is = $SENT if $is > $SENT && $is < $FAILED;
        is($word{$is} || $is, $word{$l->{is}}, "$l->{name}: $word{$l->{is}}");
        is($taken->{$l->{text}} || 0, $l->{taken},
            "$l->{name}: taken by the gateway");
        is(seen($l->{text}), $l->{calls}, "$l->{name}: calls")
            if defined $l->{calls};
        my @order = calls($l->{phone});
        my ($last) = grep { $order[$_] eq $l->{text} } reverse 0 .. $#order;
        my ($first) = grep { $order[$_] eq "$l->{text}, lalu" } 0 .. $#order;
        ok(defined $first && (!defined $last || $last < $first),
            "$l->{name}: in order");
        is($taken->{"$l->{text}, lalu"}, 1, "$l->{name}: the next one, once");
    }
}

# ---- what the gateway does ----

sub rule { my ($do, %more) = @_; return (rule => { do => $do, %more }) }

my @cases = (
    ['answers', is => $SENT, taken => 1, calls => 1],
    ['503', rule('status', status => 503), is => $SENT, taken => 1,
        calls => 2],
    ['500, not done', rule('status', status => 500), known => 1,
        is => $SENT, taken => 1, calls => 2],
    ['500, who knows', rule('status', status => 500), is => $UNKNOWN,
        taken => 0, calls => 1],
    ['500, done', rule('status', status => 500, accept => \1), is => $SENT,
        taken => 1, calls => 1],
    ['502, done', rule('status', status => 502, accept => \1), known => 1,
        is => $SENT, taken => 1, calls => 1],
    ['408, done', rule('status', status => 408, accept => \1), is => $SENT,
        taken => 1, calls => 1],
    ['400', rule('status', status => 400), is => $FAILED, taken => 0,
        calls => 1],
    ['hangs', rule('hang'), known => 1, is => $UNKNOWN, taken => 0,
        calls => 1],
    ['hangs, done', rule('hang', accept => \1), is => $SENT, taken => 1,
        calls => 1],
    ['slow', rule('slow', ms => 600), is => $SENT, taken => 1, calls => 1],
    ['too slow', rule('slow', ms => 2500), is => $SENT, taken => 1,
        calls => 1],
    ['twice', rule('twice'), is => $SENT, taken => 1, calls => 1],
    ['closes before', rule('close', when => 'after', accept => \0),
        known => 1, is => $UNKNOWN, taken => 0, calls => 1],
    ['closes after', rule('close', when => 'after'), is => $SENT, taken => 1,
        calls => 1],
    ['garbage', rule('garbage'), is => $SENT, taken => 1, calls => 1],
    ['garbage, not done', rule('garbage', accept => \0), is => $UNKNOWN,
        taken => 0, calls => 1],
    ['huge', rule('huge'), is => $SENT, taken => 1, calls => 1],
    ['redirect', rule('redirect'), is => $SENT, taken => 1, calls => 2],
    ['unauthorised', rule('unauthorised'), is => $SENT, taken => 1,
        calls => 1],
    ['no id', rule('no_id'), is => $SENT, taken => 1, calls => 1],
);

for my $echo (0, 1) {
    config({ echo => $echo ? \1 : \0 });
    my @lanes = map { my ($name, @case) = @$_;
        lane($echo ? "$name, echo" : $name, @case) } @cases;
    check(@lanes);
    my ($no_id) = grep { $_->{name} =~ /^no id/ } @lanes;
    my $wa_id = $d->sql("SELECT coalesce(wa_id, '') FROM messages WHERE id = $no_id->{id}");
    is(length $wa_id ? 1 : 0, $echo, 'an echo brings the id that was not told');
}

# 429 stops a whole session for a while: by itself.
config({ echo => \0 });
check(lane('429', rule('limited', retry_after => 1), is => $SENT, taken => 1,
    calls => 2));

# ---- where wacrmd dies ----

sub in_flight { $d->sql("SELECT count(*) FROM outbox WHERE state = 1") }

# Kills it once the condition is there, and starts it again.
sub kill_when {
    my ($what, $condition) = @_;
    ok($d->wait_for($condition, 5), $what);
    $d->wacrmd_kill;
    $d->wacrmd_start;
}

for my $echo (0, 1) {
    my $with = $echo ? ', echo' : '';
    config({ echo => $echo ? \1 : \0 });

    # before it is in flight
    my $phone = phone();
    my $lock = $d->hold;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        eval { $d->api(POST => '/api/crm/messages/send', token => $token{cs1},
            json => { phone => $phone, message => "ditolak$with" }) };
        POSIX::_exit(0);
    }
    sleep 0.3;
    $d->wacrmd_kill;
    $d->let_go($lock);
    waitpid $pid, 0;
    $d->wacrmd_start;
    is($d->sql("SELECT count(*) FROM messages WHERE body = 'ditolak$with'"),
        0, "no 200, no message$with");

    behave($phone, do => 'slow', ms => 700);
    my $first = send_text($phone, "antre$with 1");
    my $second = send_text($phone, "antre$with 2");
    kill_when("a call is out, the next one is queued$with",
        sub { seen("antre$with 1") == 1 });
    is(status($second), $QUEUED, 'it still is');
    ok(settled($second), 'and leaves');
    is(join(' ', map { taken()->{"antre$with $_"} || 0 } 1, 2), '1 1',
        'once, as the one before it');

    # in flight, before the first byte: the sign-in takes its time
    $d->wacrmd_stop;
    $d->change('UPDATE accounts SET token = NULL');
    behave(undef, route => 'login', do => 'hang');
    $d->wacrmd_start;
    my @lanes = (lane("before the bytes$with", is => $UNKNOWN, taken => 0,
        calls => 0));
    kill_when("in flight, nothing sent$with", sub { in_flight() == 1 });
    is(status($lanes[0]{id}), $UNKNOWN, 'nobody knows, and it says so');
    check(@lanes);
    my $r = $d->api(POST => "/api/crm/messages/$lanes[0]{id}/retry",
        token => $token{cs1});
    is($r->{status}, 200, 'again, by hand');
    ok($d->wait_for(sub { status($lanes[0]{id}) >= $SENT }, 5), 'it is sent');

    # the bytes are there, the answer is not
    @lanes = (
        lane("hung$with", rule('hang'), known => 1, is => $UNKNOWN,
            taken => 0, calls => 1),
        lane("hung, done$with", rule('hang', accept => \1), is => $SENT,
            taken => 1, calls => 1),
        lane("slow$with", rule('slow', ms => 1500), is => $SENT,
            taken => 1, calls => 1),
        lane("slow, without id$with", rule('no_id', ms => 1500), is => $SENT,
            taken => 1, calls => 1),
    );
    kill_when("four calls, no answer$with", sub {
        my $n = 0;
        $n += seen($_->{text}) for @lanes;
        $n == 4;
    });
    check(@lanes);

    # the answer is there, and not yet in the database
    @lanes = (
        lane("answered$with", rule('slow', ms => 800), is => $SENT,
            taken => 1, calls => 1),
        lane("answered without id$with", rule('no_id', ms => 800),
            is => $SENT, taken => 1, calls => 1),
        lane("answered 400$with", rule('status', status => 400, ms => 800),
            known => 1, is => $UNKNOWN, taken => 0, calls => 1),
    );
    $d->wait_for(sub { in_flight() == 3 }, 5);
    $lock = $d->hold;
    ok($d->wait_for(sub { 3 == grep { my ($c) =
        sends(message => $_->{text}); $c && $c->{status} } @lanes }, 5),
        "answered$with");
    sleep 0.05;
    $d->wacrmd_kill;
    $d->let_go($lock);
    is(in_flight(), 3, 'which the database does not know');
    $d->wacrmd_start;
    check(@lanes);
}

# A stop in order takes the answer along.
config({ echo => \0 });
my $calm = lane('stopped', rule('slow', ms => 500), is => $SENT, taken => 1,
    calls => 1);
$d->wait_for(sub { seen($calm->{text}) == 1 }, 5);
ok($d->wacrmd_stop, 'a stop while a call is under way');
is(status($calm->{id}), $SENT, 'waits for its answer');
$d->wacrmd_start;
check($calm);

# ---- two agents, one donor ----

my $donor = phone();
my @agents;
for my $who (qw(cs1 cs2)) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        eval { send_text($donor, "$who bicara $_", $who) for 1 .. 5; 1 }
            or POSIX::_exit(1);
        POSIX::_exit(0);
    }
    push @agents, $pid;
}
my $bad = 0;
for (@agents) {
    waitpid $_, 0;
    $bad++ if $?;
}
is($bad, 0, 'two agents write to one donor');
my @said = map { $_->[0] } $d->sql("SELECT m.body FROM messages m"
    . " JOIN chats c ON c.id = m.chat_id JOIN contacts k ON"
    . " k.id = c.contact_id WHERE k.phone = '$donor' ORDER BY m.id");
is(scalar @said, 10, 'ten messages');
ok($d->wait_for(sub { calls($donor) == 10 }, 10), 'ten calls');
is(join('|', calls($donor)), join('|', @said),
    'in the order in which they were queued');

# ---- a merge during a send ----

for my $case (['answered', 'slow', ms => 700], ['lost', 'hang',
    accept => \1]) {
    my ($name, $do, %more) = @$case;
    my $phone = phone();
    my $lid = 20389977000000 + $next . '@lid';
    known($_) for $phone, $lid;
    ok($d->applied, 'somebody with two names');
    behave($lid, do => $do, %more);
    my @ids = map { send_text($lid, "$name lid $_") } 1 .. 3;
    my $other = send_text($phone, "$name nomor");
    ok($d->wait_for(sub { seen("$name lid 1") == 1 }, 5), 'a call is out');
    $d->event('lid.mapping.resolved', { lid => $lid,
        phone_number => $phone });
    ok($d->applied, 'and they are merged');
    ok(settled($ids[-1]) && settled($other), "$name: all are settled");
    my $taken = taken();
    is(join(' ', map { $taken->{$_} || 0 } map({ "$name lid $_" } 1 .. 3),
        "$name nomor"), '1 1 1 1', "$name: each was sent once");
    is(join(' ', map { status($_) } @ids, $other), "2 2 2 2",
        "$name: and is known to be");
    my @order = grep { /^$name lid/ } map { $_->{body}{message} }
        $d->calls(route => 'send.text');
    is(join('|', @order), join('|', map { "$name lid $_" } 1 .. 3),
        "$name: in order");
}

# ---- a merge by an agent, and its undoing, during a send ----

{
    my $supervisor = $d->login('supervisor@test.example');
    my ($into, $from) = (phone(), phone());
    known($_) for $into, $from;
    ok($d->applied, 'two donors');
    behave($from, do => 'slow', ms => 900);
    my @ids = (send_text($from, 'satu orang 1'),
        send_text($from, 'satu orang 2'));
    ok($d->wait_for(sub { seen('satu orang 1') == 1 }, 5), 'a call is out');
    my $r = $d->api(POST => '/api/crm/contacts/merge', token => $supervisor,
        json => { from => $from, into => $into });
    is($r->{status}, 200, 'an agent merges them') or diag $r->{body};
    my $during = send_text($into, 'ke keduanya');
    is($d->api(POST => "/api/crm/merges/$r->{json}{data}{id}/undo",
        token => $supervisor)->{status}, 200, 'and takes it back');
    ok(settled($_), 'it is settled') for @ids, $during;
    my $taken = taken();
    is(join(' ', map { $taken->{$_} || 0 } 'satu orang 1', 'satu orang 2',
        'ke keduanya'), '1 1 1', 'each was sent once');
    is(join('|', grep { /^satu orang/ } map { $_->{body}{message} }
        $d->calls(route => 'send.text')), 'satu orang 1|satu orang 2',
        'in order');
}

# ---- two agents, and wacrmd dies between them ----

{
    my $phone = phone();
    my @writers;
    for my $who (qw(cs1 cs2)) {
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            for my $n (1 .. 6) {
                my $ok;
                until ($ok) {
                    my $r = eval { $d->api(POST => '/api/crm/messages/send',
                        token => $token{$who},
                        headers => { 'Idempotency-Key' => "gugur $who $n" },
                        json => { phone => $phone,
                            message => "gugur $who $n" }) };
                    $ok = $r && $r->{status} == 200;
                    sleep 0.05;
                }
            }
            POSIX::_exit(0);
        }
        push @writers, $pid;
    }
    for (1 .. 3) {
        sleep 0.25;
        $d->wacrmd_kill;
        $d->wacrmd_start;
    }
    waitpid $_, 0 for @writers;
    my @rows = $d->sql("SELECT id, body FROM messages WHERE body LIKE"
        . " 'gugur %' ORDER BY id");
    is(scalar @rows, 12, 'each is there once, whoever died');
    # a kill may find one on its way: then nobody knows
    push @all, map { { id => $_->[0], text => $_->[1], cut => 1 } } @rows;
    ok($d->wait_for(sub { $d->sql("SELECT count(*) FROM outbox WHERE state < 4")
        == 0 }, 40), 'all are settled');
    my $taken = taken();
    is(scalar(grep { ($taken->{$_->[1]} || 0) > 1 } @rows), 0, 'none twice');
    my (%place, $n);
    $place{$_} = ++$n for calls($phone);
    for my $who (qw(cs1 cs2)) {
        my @order = grep { defined } map { $place{"gugur $who $_"} } 1 .. 6;
        is("@order", join(' ', sort { $a <=> $b } @order),
            "$who: in the order in which they were written");
    }
}

# ---- what leaves later, under the same faults ----

sub later {
    my ($phone, $text, $at) = @_;
    my $r = $d->api(POST => '/api/crm/messages/send', token => $token{cs1},
        json => { phone => $phone, message => $text, scheduled_at =>
            POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime $at)
            . sprintf '.%03dZ', ($at - int $at) * 1000 });
    my $id = $r->{json}{data}{id} or die "send: $r->{status} $r->{body}";
    push @all, { id => $id, text => $text };
    return $id;
}

{
    my $due = time + 5;
    my @lanes = map { my ($name, %case) = @$_;
        my $phone = phone();
        known($phone) if $case{known};
        behave($phone, %{$case{rule}}) if $case{rule};
        my $text = "nanti $name " . ++$next;
        +{ %case, name => "later, $name", phone => $phone, text => $text,
            id => later($phone, $text, $due) } }
        ['answers', is => $SENT, taken => 1, calls => 1],
        ['503', rule('status', status => 503), is => $SENT, taken => 1,
            calls => 2],
        ['400', rule('status', status => 400), is => $FAILED, taken => 0,
            calls => 1],
        ['hangs, done', rule('hang', accept => \1), is => $SENT, taken => 1,
            calls => 1],
        ['twice', rule('twice'), is => $SENT, taken => 1, calls => 1];
    # the database is held as they become due, and wacrmd dies over it; for
    # less than the 5 s after which whoever wants to write gives up and says so
    sleep 0.1 while time < $due - 2;
    my $lock = $d->hold;
    sleep 0.1 while time < $due + 0.3;
    $d->wacrmd_kill;
    $d->let_go($lock);
    is($d->sql('SELECT count(*) FROM outbox WHERE state = 7'), scalar @lanes,
        'died as they were due: all still wait');
    $d->wacrmd_start;
    $_->{behind} = send_text($_->{phone}, "$_->{text}, lalu") for @lanes;
    check(@lanes);
}

# ---- STOP while one is queued behind one that hangs ----

for my $case (['done', accept => \1], ['not done']) {
    my ($name, %more) = @$case;
    my $phone = phone();
    known($phone);
    ok($d->applied, 'somebody');
    behave($phone, do => 'hang', %more);
    my ($out, $behind) = map { send_text($phone, "henti $name $_") } 1, 2;
    ok($d->wait_for(sub { seen("henti $name 1") == 1 }, 5), 'a call hangs');
    $d->event('message.received', { from => $phone, message => 'STOP',
        id => "HENTI$next", timestamp => time });
    ok($d->applied, 'they opt out');
    is(status($behind), $FAILED, "$name: what waits fails at once");
    ok($d->wait_for(sub { state($out) >= 4 }, 20), "$name: it is settled");
    is(status($out), $more{accept} ? $SENT : $UNKNOWN,
        "$name: what is out is what it is");
    is(seen("henti $name 1") . seen("henti $name 2"), '10',
        "$name: nothing leaves after it");
}

# ---- and all of it together ----

is($d->sql("SELECT count(*) FROM outbox WHERE state < 4"), 0,
    'nothing is left to do');
my $taken = taken();
my @double = grep { $_->{text} && ($taken->{$_->{text}} || 0) > 1 } @all;
is(join(', ', map { $_->{text} } @double), '', 'nothing was sent twice');
my %status = map { $_->[0] => $_->[1] }
    $d->sql('SELECT id, status FROM messages WHERE direction = 1');
my @lost = grep { !defined $status{$_->{id}} || ($status{$_->{id}} >= $SENT
    && $status{$_->{id}} < $FAILED) != ($taken->{$_->{text}} ? 1 : 0)
    && !($_->{cut} && $status{$_->{id}} == $UNKNOWN) } @all;
is(join(', ', map { "$_->{text}: "
    . (defined $status{$_->{id}} ? $status{$_->{id}} : 'gone') } @lost), '',
    'what was taken is sent, and nothing else is');
note sprintf 'took %.0f s', time - $begun;

$d->allow(qr/outbox msg="?database"? error=/);
$d->sound;
$d->done;
