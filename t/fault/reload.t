#!/usr/bin/env perl
# Twenty reloads of nginx and of wacrmd, and rotated logs, under load: no event
# is refused or lost.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(agents => 0, nginx_options => { workers => 2 },
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' })
    ->start;
$d->allow(qr/open socket/);
my $dir = $d->{dir};
my @children;
for my $k (1 .. 3) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open my $ledger, '>', "$dir/ledger.$k" or die $!;
        for (my $i = 0; !-e "$dir/stop" && getppid() == $d->{nginx}{owner};
            $i++) {
            my $id = sprintf 'RELOAD%d-%05d', $k, $i;
            my $status = eval { $d->event('message.received', { id => $id,
                from => sprintf('62812000%03d', $i % 90), message => $id,
                timestamp => int time }) };
            print {$ledger} $status || 'broken', " $id\n";
            sleep 0.005;
        }
        close $ledger;
        POSIX::_exit(0);
    }
    push @children, $pid;
}

my ($good, $told) = (0, 0);
for my $n (1 .. 20) {
    $good++ if $d->{nginx}->reload;
    my $mark = length $d->log;
    kill 'HUP', $d->wacrmd_pid;
    $told++ if $d->wait_for(sub { substr($d->log, $mark) =~ /reloaded/ }, 5);
    next if $n % 5;
    # as logrotate does it for nginx
    rename "$dir/error.log", "$dir/error.$n.log" or die $!;
    kill 'USR1', $d->{nginx}->pid;
    $d->wait_for(sub { -e "$dir/error.log" }, 5) or die 'no new log';
}
$d->{nginx}->write('stop', '');
waitpid $_, 0 for @children;
is($good, 20, 'twenty reloads of nginx');
is($told, 20, 'and of wacrmd');
is(scalar(my @logs = glob "$dir/error.*.log"), 4, 'four rotations');

my (@acked, %status);
for my $k (1 .. 3) {
    for (split /\n/, $d->{nginx}->read("ledger.$k")) {
        my ($status, $id) = split / /;
        $status{$status}++;
        push @acked, $id;
    }
}
cmp_ok(scalar @acked, '>', 100, scalar(@acked) . ' events');
is(join(' ', sort keys %status), '200', 'each got its 200');
ok($d->applied, 'applied');
my %stored = map { $_->[0] => $_->[1] } $d->sql('SELECT wa_id, count(*)'
    . ' FROM messages GROUP BY 1');
is(join(' ', grep { ($stored{$_} || 0) != 1 } @acked), '', 'each is there once');
$d->sound;

$d->done;
