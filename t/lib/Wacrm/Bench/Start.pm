package Wacrm::Bench::Start;

# From exec until the daemon says that it is ready and answers, with a million
# messages: after a clean end, and after a kill.

use strict;
use warnings;

use Time::HiRes qw(time);

use Wacrm::Bench;
use Wacrm::Bench::History;

my $MESSAGES = $ENV{WACRM_BENCH_MESSAGES} || 1_000_000;

# (seconds, ms of processor time)
sub one_start {
    my ($d) = @_;

    my $begin = time;
    $d->wacrmd_start;
    $d->wait_for(sub { $d->{nginx}->get('/api/health')->{status} == 200 }, 30)
        or die "bench: it is ready and does not answer\n";
    return (time - $begin, cpu_us($d->{wacrmd_pid}) / 1e3);
}

sub run {
    my $d = history_desk($MESSAGES);
    $d->start;
    my (@clean, @killed, @cpu);
    for my $round (1 .. $ROUNDS) {
        $d->wacrmd_stop or die "bench: no clean end\n";
        my ($s, $cpu) = one_start($d);
        push @clean, $s;
        push @cpu, $cpu;
        # something for the log that is read back
        $d->event('message.received', { from => phone_of($_),
            message => 'halo', id => "3EB0S$$-$round-$_",
            timestamp => int(time) }) for 1 .. 20;
        $d->applied;
        $d->wacrmd_kill;
        my ($after, $more) = one_start($d);
        push @killed, $after;
        say_(sprintf 'round=%d after a clean end %.2fs (cpu %.0fms), after a'
            . ' kill %.2fs (cpu %.0fms)', $round, $s, $cpu, $after, $more);
    }
    shut($d);
    return (messages => $MESSAGES, s => sprintf('%.2f', median(@clean)),
        killed_s => sprintf('%.2f', median(@killed)),
        cpu_ms => sprintf('%.0f', median(@cpu)));
}

1;
