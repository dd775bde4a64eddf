#!/usr/bin/env perl
# wacrmctl top: figures that are those of the desk, rates of what happens, a
# page each second on a terminal, one with --once.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(agents => 0)->start;

sub once {
    my ($rc, $out) = $d->ctl(['--json', 'top', '--once']);
    is($rc, 0, 'top --once') or diag $out;
    return JSON::PP->new->decode($out);
}

my $t = once();
is($t->{events}, 0, 'nothing yet');
is($t->{$_}, 0, "$_: 0") for qw(spool_records lag_ms dead_open sockets queued
    intake_faults database_faults realtime_faults alarms);
cmp_ok($t->{memory}, '>', 1 << 20, 'memory');
cmp_ok($t->{uptime_ms}, '>', 0, 'up');

$d->event('message.received', { from => "628121000000$_", pushName => 'Siti',
    message => 'Halo', id => "TOP$_", timestamp => time }) for 1 .. 5;
$d->webhook('[]');
$d->event('session.connected', { sessionId => 'demo' });
ok($d->applied, 'events');
$t = once();
is($t->{events}, 7, 'seven events');
is($t->{dead_open}, 1, 'one is dead');
is($t->{sessions}, 1, 'a session');
is($t->{sessions_connected}, $d->sql("SELECT count(*) FROM sessions WHERE"
    . " status = 'connected'"), 'as the database has it');
is($t->{sent} + $t->{queued} + $t->{inflight}, 5,
    'a greeting each, queued or sent');

# ---- the page ----

my $start = time;
my ($rc, $out) = $d->ctl(['top', '--once']);
is($rc, 0, 'the page') or diag $out;
cmp_ok(time - $start, '>=', 1, 'after a second: rates need one');
like($out, qr/^$_ +[\d.]+ /m, $_) for qw(in spool out sessions sockets database
    errors process);
unlike($out, qr/\e/, 'plain text');
like($out, qr/^errors +1 dead/m, 'the dead letter');

# rates: while events come
my $pid = fork;
die "fork: $!" unless defined $pid;
if (!$pid) {
    for (1 .. 60) {
        $d->event('message.received', { from => '6281210000001',
            message => 'lagi', id => "RATE$_", timestamp => time });
        select undef, undef, undef, 0.02;
    }
    require POSIX;
    POSIX::_exit(0);
}
($rc, $out) = $d->ctl(['top', '--once']);
waitpid $pid, 0;
my ($rate) = $out =~ m{^in +([\d.]+) events/s}m;
cmp_ok($rate, '>', 5, "events/s: $rate");
cmp_ok($rate, '<', 61, 'and no more than came');

# a spool that waits
$d->applied;
my $lock = $d->hold;
$d->event('message.received', { from => '6281210000001', message => 'tunggu',
    id => "WAIT", timestamp => time });
sleep 0.3;
$t = once();
is($t->{spool_records}, 1, 'one waits');
cmp_ok($t->{lag_ms}, '>=', 250, 'for how long');
$d->let_go($lock);
ok($d->applied(30), 'no longer');

# again and again, on a terminal
open my $tty, '-|', 'script', '-qec', "timeout 3.5 $d->{build}/wacrmctl"
    . " -c $d->{dir}/wacrmd.conf top 2> /dev/null", '/dev/null' or die "script: $!";
my $pages = do { local $/; <$tty> };
close $tty;
my $n = () = $pages =~ /\e\[H\e\[J/g;
cmp_ok($n, '>=', 2, "a page each second: $n in 3.5 s");

is(($d->ctl(['top', '--twice']))[0], 2, 'another option');
$d->wacrmd_stop;
($rc, $out) = $d->ctl(['top', '--once']);
is($rc, 1, 'without wacrmd');
like($out, qr/^wacrmctl: top: \S+control\.sock: .*does wacrmd run\?/m,
    'it says so');
$d->wacrmd_start;
$d->done;
