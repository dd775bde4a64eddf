package Wacrm::Bench::Conversation;

# A page of a conversation among a million messages, another one each time:
# alone, and while messages arrive.

use strict;
use warnings;

use List::Util qw(shuffle);

use Wacrm::Bench;
use Wacrm::Bench::History;

my $MESSAGES = $ENV{WACRM_BENCH_MESSAGES} || 1_000_000;

sub one_round {
    my ($d, $file) = @_;

    my $before = cpu_us($d->{wacrmd_pid});
    my %r = poll($d->{nginx}->port, 1, $file, 'walk');
    my $cpu = (cpu_us($d->{wacrmd_pid}) - $before) / $r{requests};
    return ($r{p50} / 1e3, $r{p99} / 1e3, $cpu);
}

sub run {
    my $d = history_desk($MESSAGES);
    $d->start;
    my $admin = $d->login('admin@test.example');
    my @chats = shuffle map { $_->[0] } $d->sql('SELECT id FROM chats');
    my $file = $d->{nginx}->write('chats', join '', map {
        "/api/crm/inbox/$_ $admin\n" } @chats);
    my (%alone, %busy);
    for my $round (1 .. $ROUNDS) {
        my ($p50, $p99, $cpu) = one_round($d, $file);
        push @{$alone{p99}}, $p99;
        push @{$alone{cpu}}, $cpu;
        my @pids = map { trickle($d, 25, $MESSAGES / 10) } 1 .. 4;
        my ($p50b, $p99b, $cpub) = one_round($d, $file);
        kill 'KILL', @pids;
        waitpid $_, 0 for @pids;
        push @{$busy{p99}}, $p99b;
        say_(sprintf 'round=%d alone p50=%.2fms p99=%.2fms cpu=%.0fus;'
            . ' with 100 events/s p50=%.2fms p99=%.2fms cpu=%.0fus', $round,
            $p50, $p99, $cpu, $p50b, $p99b, $cpub);
    }
    shut($d);
    return (messages => $MESSAGES,
        p99_ms => sprintf('%.2f', median(@{$alone{p99}})),
        busy_p99_ms => sprintf('%.2f', median(@{$busy{p99}})),
        cpu_us => sprintf('%.0f', median(@{$alone{cpu}})));
}

1;
