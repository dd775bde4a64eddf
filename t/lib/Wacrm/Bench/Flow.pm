package Wacrm::Bench::Flow;

# Intake and drain together for a minute, at 0.4 of the slower one alone: the
# spool stays small, memory stays as it is, and nothing is left at the end.

use strict;
use warnings;

use Time::HiRes qw(sleep time);

use Wacrm::Bench;
use Wacrm::Bench::History;

my $LENGTH = $ENV{WACRM_BENCH_FLOW} || 60;    # seconds
my $USED = 200_000;    # requests that were sent before
my $PATH = '/api/webhook/whatsapp';
my $SECRET_OF_DESK = 'webhook-secret-of-the-test-00001';

sub spool_of {
    my ($d) = @_;

    my $m = $d->{nginx}->metrics('/metrics');
    my ($records) = map { $m->{$_} } grep { /^wacrm_spool_records/ } keys %$m;
    my ($bytes) = map { $m->{$_} } grep { /^wacrm_spool_bytes/ } keys %$m;
    return ($records || 0, $bytes || 0);
}

# Each alone, in events a second: the daemon stands still, then it has the
# spool to itself.
sub alone {
    my ($d, @pool) = @_;

    kill 'STOP', $d->{wacrmd_pid};
    my $r = wrk('http://127.0.0.1:' . $d->{nginx}->port, 256, @pool);
    my ($before) = spool_of($d);
    my $begin = time;
    kill 'CONT', $d->{wacrmd_pid};
    $d->wait_for(sub { (spool_of($d))[0] == 0 }, 300)
        or die "bench: not drained\n";
    return ($r->{rps}, $before / (time - $begin));
}

# wrk at a rate of its own accord, in a process of its own.
sub pour {
    my ($d, $rate, $seconds, @pool) = @_;

    my $url = 'http://127.0.0.1:' . $d->{nginx}->port;
    open my $out, '-|', "wrk -t1 -c64 -d${seconds}s --timeout 10s"
        . " -s $pool[0] $url -- @pool[1 .. $#pool] $rate $USED 2>&1"
        or die "bench: wrk: $!\n";
    return $out;
}

sub memory_now {
    my ($d) = @_;

    return own_kb($d->{wacrmd_pid}, $d->{nginx}->pid,
        $d->{nginx}->workers(qr/^nginx/)) / 1024;
}

# [records, bytes, MB] for each second
sub watch {
    my ($d, $seconds) = @_;

    my @seen;
    for my $second (1 .. $seconds) {
        sleep 1;
        push @seen, [spool_of($d), memory_now($d)];
        say_(sprintf 'second=%d waiting=%d spool=%.1fMB memory=%.1fMB',
            $second, $seen[-1][0], $seen[-1][1] / 1e6, $seen[-1][2])
            if $second % 10 == 0;
    }
    return @seen;
}

sub run {
    my $d = history_desk(10_000);
    $d->start;
    my @pool = pool($d->{nginx}, $USED, $PATH, $SECRET_OF_DESK);
    my ($intake, $drain) = do { local $SECONDS = 2; alone($d, @pool) };
    my $rate = int(0.4 * ($intake < $drain ? $intake : $drain));
    say_(sprintf 'alone: intake=%.0f/s drain=%.0f/s; together: %d/s for %ds',
        $intake, $drain, $rate, $LENGTH);
    # other ids than those that are in already
    my @fresh = pool($d->{nginx}, $rate * ($LENGTH + 2) + $USED, $PATH,
        $SECRET_OF_DESK);
    my $before = $d->{nginx}->metrics('/metrics/wacrmd')
        ->{wacrm_intake_events_total};
    my $wrk = pour($d, $rate, $LENGTH, @fresh);
    my @seen = watch($d, $LENGTH);
    my $out = join '', <$wrk>;
    close $wrk;
    my %r = $out =~ /(\w+)=(\d+)/g;
    die "bench: wrk said: $out" if !$r{requests} || $r{errors} || $r{bad};
    my $begin = time;
    $d->applied(60) or die "bench: a backlog is left\n";
    my $left = time - $begin;
    my $applied = $d->{nginx}->metrics('/metrics/wacrmd')
        ->{wacrm_intake_events_total} - $before;
    die "bench: $r{requests} taken, $applied applied\n"
        if $applied < $r{requests};
    shut($d);
    my ($worst) = sort { $b <=> $a } map { $_->[0] } @seen;
    my @half = map { $_->[2] } @seen[@seen / 2 .. $#seen];
    my @start = map { $_->[2] } @seen[@seen / 4 .. @seen / 2];
    return (intake => sprintf('%.0f', $intake),
        drain => sprintf('%.0f', $drain), asked => $rate,
        rate => sprintf('%.0f', $r{requests} / $LENGTH), waiting_max => $worst,
        waiting_s => sprintf('%.2f', $worst / $rate),
        spool_mb => sprintf('%.1f', (sort { $b <=> $a }
            map { $_->[1] } @seen)[0] / 1e6),
        memory_mb => sprintf('%.1f', median(@half)),
        memory_growth_mb => sprintf('%.1f', median(@half) - median(@start)),
        left_s => sprintf('%.2f', $left));
}

1;
