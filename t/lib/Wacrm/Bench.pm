package Wacrm::Bench;

# What the measurements of scripts/bench share: rounds, load, processor time
# and memory of a process, a desk with 10,000 chats. Each of them is a module
# Wacrm::Bench::NAME with a run(), which returns (key => value, ...).

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

use Test::More ();

use Wacrm::Cpu;
use Wacrm::Desk;
use Wacrm::Nginx;

our @EXPORT = qw($ROOT $SECONDS $ROUNDS $TOOLS $SECRET say_ median wrk
    poll pool cpu_us pss own_kb memory_of drained shut);

our $ROOT = $Wacrm::Nginx::ROOT;
# the harness counts what it finds in the logs as tests; here nobody plans any
Test::More->builder->no_ending(1);

our $SECONDS = $ENV{WACRM_BENCH_SECONDS} || 4;
our $ROUNDS  = $ENV{WACRM_BENCH_ROUNDS}  || 5;
our $TOOLS   = "$ROOT/build/release/tools";
our $SECRET  = 'benchmark-secret-of-32-bytes-....';

sub say_ { printf "  %s\n", join ' ', @_ }

sub median {
    my @v = sort { $a <=> $b } @_;
    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# One run of wrk: { rps, p50, p99 } (us).
sub wrk {
    my ($url, $connections, @script) = @_;

    my $cmd = "wrk -t1 -c$connections -d${SECONDS}s --timeout 10s"
        . " -s @script";
    $cmd =~ s/ -s (\S+)/ -s $1 $url --/;
    my $out = `$cmd 2>&1`;
    my %r = $out =~ /(\w+)=(\d+)/g;
    die "bench: wrk said: $out" unless $r{requests};
    die "bench: $r{errors} errors, $r{bad} bad answers: $out"
        if $r{errors} || $r{bad};
    return { %r, rps => $r{requests} / ($r{us} / 1e6) };
}

# One run of agents that ask for the lines of a file (t/bench/poll.c).
sub poll {
    my ($port, $agents, $file, @walk) = @_;

    my $out = `$TOOLS/poll 127.0.0.1:$port $SECONDS $agents $file @walk 2>&1`;
    my %r = $out =~ /(\w+)=(\d+)/g;
    die "bench: poll said: $out" if !$r{requests} || $r{bad};
    return %r;
}

# Distinct requests: enough for a round at the rate of a fast machine.
sub pool {
    my ($t, $n, $path, $secret) = @_;

    my $file = $t->path('pool');
    my $len = `$TOOLS/requests $n $path '$secret' 2>&1 > $file`;
    die "bench: no pool of requests: $len" unless $len =~ /^(\d+)$/;
    return ("$ROOT/t/bench/pool.lua", $file, $1, $n);
}

# MB of a process: what is its own, anonymous and shared; mapped files (the
# spool, the database) are the kernel's cache and counted beside it.
sub pss {
    my ($pid) = @_;

    my %kb = (Anon => 0, Shmem => 0, File => 0);
    open my $fh, '<', "/proc/$pid/smaps_rollup" or return %kb;
    while (<$fh>) {
        $kb{$1} = $2 if /^Pss_(Anon|Shmem|File):\s+(\d+)/;
    }
    return %kb;
}

sub memory_of {
    my ($d) = @_;

    my @pids = ($d->{wacrmd_pid}, $d->{nginx}->pid,
        $d->{nginx}->workers(qr/^nginx/));
    my ($own, $file) = (0, 0);
    for my $pid (@pids) {
        my %kb = pss($pid);
        $own += $kb{Anon} + $kb{Shmem};
        $file += $kb{File};
        open my $fh, '<', "/proc/$pid/comm" or next;
        chomp(my $name = <$fh>);
        say_(sprintf 'memory %s pid=%d own=%.1fMB mapped=%.1fMB', $name, $pid,
            ($kb{Anon} + $kb{Shmem}) / 1024, $kb{File} / 1024);
    }
    return $own / 1024;
}

sub own_kb {
    my $kb = 0;
    for my $pid (@_) {
        my %kb = pss($pid);
        $kb += $kb{Anon} + $kb{Shmem};
    }
    return $kb;
}

sub drained {
    my ($d) = @_;

    my $m = $d->{nginx}->metrics('/metrics');
    my ($n) = map { $m->{$_} } grep { /^wacrm_spool_records/ } keys %$m;
    return defined $n && $n == 0;
}

sub shut {
    my ($d) = @_;

    $d->wacrmd_stop;
    $d->sim_stop;
    $d->{nginx}->stop;
    remove_tree($d->{dir});
}

1;
