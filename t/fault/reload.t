#!/usr/bin/env perl
# Twenty reloads of nginx and of wacrmd, and rotated logs, under load: no event
# and no agent is refused, nothing is lost, a follower misses nothing.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Soak;

my $d = Wacrm::Soak::desk()->start;
my $dir = $d->{dir};
$Wacrm::Soak::PASSING = qr/(?!)/; # none: the first answer is a 200
my $token = $d->login('cs1@test.example');
my $load = Wacrm::Soak::begin($d);

# An agent who reads.
defined(my $reader = fork) or die "fork: $!";
if (!$reader) {
    open my $ledger, '>', "$dir/ledger.reader" or die $!;
    while (!-e "$dir/enough" && getppid() == $d->{nginx}{owner}) {
        my $r = eval { $d->api(GET => '/api/crm/inbox', token => $token) };
        print {$ledger} $r && $r->{status} || 'broken', "\n";
        sleep 0.02;
    }
    close $ledger;
    POSIX::_exit(0);
}

my ($good, $told, $logs) = (0, 0, 0);
for my $n (1 .. 20) {
    $good++ if $d->{nginx}->reload;
    my $mark = length $d->log;
    kill 'HUP', $d->wacrmd_pid;
    $told++ if $d->wait_for(sub { substr($d->log, $mark) =~ /reloaded/ });
    next if $n % 5;
    # as logrotate does it for nginx
    rename "$dir/error.log", "$dir/error.$n.log" or die $!;
    kill 'USR1', $d->{nginx}->pid;
    $d->wait_for(sub { -e "$dir/error.log" }) or die 'no new log';
    # what a worker has to say of an event that nobody has signed
    $logs++ if $d->within(20, sub {
        my $r = $d->{nginx}->post('/api/webhook/whatsapp', '{}');
        return $r && $r->{status} == 401
            && $d->{nginx}->log =~ /wacrm webhook refused/;
    });
}
is($good, 20, 'twenty reloads of nginx');
is($told, 20, 'and of wacrmd');
is(scalar(my @old = glob "$dir/error.*.log"), 4, 'four rotations');
is($logs, 4, 'workers write into each new log');

my %n = Wacrm::Soak::finish($d, $load, sub { diag(@_) });
waitpid $reader, 0;
my %read;
$read{$_}++ for split /\n/, $d->{nginx}->read('ledger.reader');
cmp_ok($n{acked}, '>', 100, "$n{acked} events");
cmp_ok($n{sent}, '>', 20, "$n{sent} messages were taken to be sent");
cmp_ok($n{followed}, '>', 100, 'followers were told of them');
cmp_ok($read{200} || 0, '>', 20, 'the inbox was read');
is(join(' ', sort keys %read), '200', 'with a 200 each time');
is($n{wrong}, 0, 'nor did anybody who writes get anything else');
is($n{lost}, 0, 'no event is lost, none told to nobody');
is($n{doubled}, 0, 'none is there twice, no message was sent twice');
is($n{unsent}, 0, 'every message was sent');
is($n{unknown}, 0, 'of none it is unknown');

$d->done;
