#!/usr/bin/env perl
# System calls and allocations that fail in a running wacrmd and in running
# workers of nginx, under load: callers get 500 or 503, a process may end and is
# started again; whatever got its 200 is there once.

use strict;
use warnings;

use Errno qw(EINTR EIO ENOMEM ENOSPC);
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Fault;
use Wacrm::Soak;

plan skip_all => 'a sanitizer has its own malloc()' if $ENV{WACRM_SANITIZED};

my $seed = $ENV{WACRM_SEED} || int rand 1e6;
note "WACRM_SEED=$seed";
srand $seed;
my %fault = map { $_ => Wacrm::Fault->live("/tmp/wacrm-fault.$_.$$") }
    qw(wacrmd nginx);
END { unlink "/tmp/wacrm-fault.$_.$$" for qw(wacrmd nginx) }
my $d = Wacrm::Soak::desk(
    wacrmd_env => { $fault{wacrmd}->env },
    nginx_options => { env => { $fault{nginx}->env } })->start;
# what a failing call gives to say; a worker may end with it
$d->allow_errors;
$d->allow(qr/exited with (?:fatal )?code [12]\b/);
$Wacrm::Soak::PASSING = qr/^(?:0|50[0234])$/;
my $load = Wacrm::Soak::begin($d);

my %ended = (wacrmd => 0, nginx => 0);
my %hits;

# As systemd would.
sub look_after {
    my $pid = $d->wacrmd_pid;
    if (waitpid($pid, WNOHANG) == $pid) {
        push @{$ended{how}}, $?;
        $ended{wacrmd}++;
        $d->wacrmd_start;
    }
}

sub harm {
    my ($who, %opt) = @_;

    my @before = $d->{nginx}->workers;
    my $f = $fault{$who};
    $f->arm(%opt);
    my $end = time + 0.5;
    sleep 0.01 until $f->hits >= ($opt{run} || 1) || time > $end;
    my $hits = $f->disarm;
    $hits{"$who $opt{calls}"} += $hits;
    sleep 0.1;
    look_after();
    my %now = map { $_ => 1 } $d->{nginx}->workers;
    $ended{nginx} += grep { !$now{$_} } @before;
}

# ---- files ----

for my $errno (EIO, ENOSPC, EINTR) {
    for my $calls (qw(pwrite sync)) {
        for my $run (1, 5) {
            harm('wacrmd', calls => $calls, errno => $errno, run => $run,
                file => 'wacrm.db-wal', skip => int rand 5);
            harm('nginx', calls => $calls, errno => $errno, run => $run,
                file => 'data.mdb', skip => int rand 5);
        }
        harm('wacrmd', calls => $calls, errno => $errno, file => $_,
            skip => int rand 2) for 'data.mdb', 'search.db-wal';
    }
}
harm('wacrmd', calls => 'pwrite sync', errno => EIO, run => 3,
    file => 'wacrm.db');

# ---- memory ----

for my $round (1 .. 15) {
    harm('wacrmd', calls => 'malloc', errno => ENOMEM,
        skip => int rand 800, run => $round % 3 ? 1 : 1 + int rand 40);
    harm('nginx', calls => 'malloc', errno => ENOMEM,
        skip => int rand 100, run => $round % 3 ? 1 : 1 + int rand 10);
}

note join ', ', map { "$_: $hits{$_}" } sort keys %hits;
note "ended: wacrmd $ended{wacrmd}, workers $ended{nginx}";
cmp_ok($hits{$_} || 0, '>=', $_ =~ /malloc/ ? 10 : 5, "failed: $_")
    for map { my $who = $_; map { "$who $_" } 
        qw(pwrite sync malloc) }
    qw(wacrmd nginx);
is(join(' ', map { $_ & 127 } grep { $_ & 127 } @{$ended{how} || []}), '',
    'wacrmd never crashed');
unlike($d->{nginx}->log, qr/exited on signal/, 'nor did a worker');

sleep 0.5;
look_after();
my %n = Wacrm::Soak::finish($d, $load, sub { diag(@_) });
cmp_ok($n{acked}, '>=', 300, "$n{acked} events got their 200");
cmp_ok($n{sent}, '>=', 20, "$n{sent} messages were taken to be sent");
is($n{answers}, 0, 'no answer but 200 and 50x');
is($n{lost}, 0, 'no event is lost');
is($n{doubled}, 0, 'none is there twice, no message was sent twice');
is($n{unsent}, 0, 'every message was sent, or is said to be unknown');
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'no dead letters');
is($d->api(GET => '/healthz')->{status}, 200, 'the edge is well');

$d->done;
