package Wacrm::Cpu;

=head1 NAME

Wacrm::Cpu - processor time of another process

=head1 SYNOPSIS

    use Wacrm::Cpu;

    my $before = cpu_us($d->wacrmd_pid);
    ...
    my $cost = cpu_us($d->wacrmd_pid) - $before;

cpu_us() is what all threads of a process have had since it began, those that
have ended with it, in us: by the scheduler's clock, which counts nanoseconds,
not by the ticks of /proc/PID/stat. It dies where there is no such process.

=cut

use strict;
use warnings;

use Time::HiRes qw(clock_gettime);

use Exporter qw(import);
our @EXPORT = qw(cpu_us);

my $CPUCLOCK_SCHED = 2; # clock_getcpuclockid(3) of Linux

sub cpu_us {
    my ($pid) = @_;
    my $seconds = clock_gettime(-8 * ($pid + 1) + $CPUCLOCK_SCHED);
    die "no processor time of process $pid: $!" if $seconds < 0;
    return $seconds * 1e6;
}

1;
