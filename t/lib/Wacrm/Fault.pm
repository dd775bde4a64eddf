package Wacrm::Fault;

=head1 NAME

Wacrm::Fault - another time of day, and system calls that fail, for a program
that runs

=head1 SYNOPSIS

    my $clock = Wacrm::Fault->clock("$dir/clock");
    my $fault = Wacrm::Fault->live("$dir/fault");
    # for Wacrm::Desk->new(wacrmd_env => ..., nginx_options => { env => ... })
    my %env = Wacrm::Fault::env($clock, $fault);

    $clock->jump(-3 * 3600);        # the calendar only
    $clock->speed(120);             # hours pass, for everybody who sleeps too
    $clock->now;                    # what the program takes the time to be

    $fault->arm(calls => 'pwrite sync', file => 'data.mdb', errno => EIO,
        skip => 3, run => 1);
    $fault->arm(calls => 'sync', file => '/spool', late => 60, run => 1000);
    $fault->disarm;                 # how often it has failed, or was late (ms)

=head1 DESCRIPTION

The libraries are t/fault/clock.c and t/fault/live.c, which say what each word
of the files means. Neither is to be had with AddressSanitizer.

=cut

use strict;
use warnings;

use Errno qw(EIO);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC time);

my $TOOLS = ($ENV{WACRM_TOOLS} || 'build/release/tools');
my %ON = (pwrite => 1, sync => 2, write => 4, malloc => 8, open => 16);

sub _make {
    my ($class, $kind, $path, $bytes) = @_;

    open my $fh, '+>:raw', $path or die "$path: $!";
    syswrite $fh, $bytes;
    chmod 0666, $path;
    return bless { kind => $kind, path => $path, fh => $fh }, $class;
}

sub _put {
    my ($self, $at, $bytes) = @_;

    sysseek $self->{fh}, $at, 0;
    syswrite $self->{fh}, $bytes;
}

sub _get {
    my ($self, $at, $n) = @_;

    sysseek $self->{fh}, $at, 0;
    sysread $self->{fh}, my ($bytes), $n;
    return $bytes;
}

# Environment of a program that is to have them; other variables may follow.
sub env {
    my @them = grep { defined } @_;

    require Cwd;
    return map({ $_->{kind} eq 'clock' ? (WACRM_CLOCK_FILE => $_->{path})
            : (WACRM_FAULT_CONTROL => $_->{path}) } @them),
        LD_PRELOAD => join ' ',
            map { Cwd::abs_path("$TOOLS/$_->{kind}.so") } @them;
}

# ---- the clock ----

sub clock {
    my ($class, $path) = @_;

    my $self = $class->_make('clock', $path, pack 'q9', 0, (0, 1, 0, 0) x 2);
    @$self{qw(which ahead speed since gained)} = (0, 0, 1, 0, 0);
    return $self;
}

# The new state is whole before it counts.
sub _state {
    my ($self) = @_;

    $self->{which} = 1 - $self->{which};
    $self->_put(8 + 32 * $self->{which}, pack 'q4',
        map { int } @$self{qw(ahead speed since gained)});
    $self->_put(0, pack 'q', $self->{which});
}

sub jump {
    my ($self, $seconds) = @_;

    $self->{ahead} += $seconds * 1e9;
    $self->_state;
}

sub speed {
    my ($self, $speed) = @_;

    my $mono = clock_gettime(CLOCK_MONOTONIC) * 1e9;
    $self->{gained} += ($mono - $self->{since}) * ($self->{speed} - 1);
    @$self{qw(speed since)} = ($speed, $mono);
    $self->_state;
}

sub now {
    my ($self) = @_;

    my $mono = clock_gettime(CLOCK_MONOTONIC) * 1e9;
    return time + ($self->{gained} + $self->{ahead}
        + ($self->{speed} - 1) * ($mono - $self->{since})) / 1e9;
}

# ---- faults ----

sub live {
    my ($class, $path) = @_;
    return $class->_make('live', $path, pack 'l5a108', (0) x 5, '');
}

sub arm {
    my ($self, %opt) = @_;

    my $calls = 0;
    $calls |= $ON{$_} || die "no call $_" for split ' ', $opt{calls};
    $self->disarm;
    $self->_put(4, pack 'l4a108', $opt{skip} || 0,
        defined $opt{run} ? $opt{run} : 1, 0,
        $opt{late} ? -$opt{late} : $opt{errno} || EIO,
        defined $opt{file} ? $opt{file} : '');
    $self->_put(0, pack 'l', $calls);
}

sub hits { unpack 'l', $_[0]->_get(12, 4) }

sub disarm {
    my ($self) = @_;

    $self->_put(0, pack 'l', 0);
    return $self->hits;
}

1;
