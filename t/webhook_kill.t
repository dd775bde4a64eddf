#!/usr/bin/perl

# Workers are killed and nginx is reloaded while events come in: every 200 is
# in the spool, once.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Nginx;

my $clients = 8;
my $each = 250;
my $secret = 'a secret of enough bytes';

my $t = Wacrm::Nginx->new(workers => 2, level => 'notice');
$t->allow(qr/worker process \d+ exited on signal 9/);
$t->write('secret', $secret);
$t->hook('256m');
$t->start;

# One client: sends its events over a kept connection, again until there is a
# 200, as gateways do; tells each 200 and each repetition.
sub client {
    my ($n) = @_;

    open my $out, '>', $t->path("client.$n") or die;
    my $s;
    for my $i (1 .. $each) {
        my $body = sprintf '{"client":%d,"id":"%05d","text":"%s"}', $n, $i,
                           'x' x ($i % 500);
        my $tries = 0;
        while (1) {
            die "client $n: no 200" if ++$tries > 500;
            $s ||= $t->connect;
            my $r = $s && $t->request('POST', '/hook', socket => $s,
                body => $body, timeout => 10, headers => {
                    'X-Webhook-Signature' => hmac_sha256_hex($body, $secret)
                });
            last if $r && $r->{status} == 200;
            undef $s unless $r;
            printf {$out} "%d %d %s\n", $n, $i, $r ? $r->{status} : 'broken';
            sleep 0.01;
        }
        printf {$out} "%d %d 200\n", $n, $i;
        sleep 0.005;
    }
    close $out;
}

my @pids;
for my $n (1 .. $clients) {
    my $pid = fork;
    die unless defined $pid;
    if ($pid == 0) {
        eval { client($n); 1 } or print STDERR "# $@";
        POSIX::_exit($@ ? 1 : 0);
    }
    push @pids, $pid;
}

my ($kills, $reloads, $failed) = (0, 0, 0);
my %alive = map { $_ => 1 } @pids;
while (%alive) {
    for my $pid (keys %alive) {
        next unless waitpid($pid, POSIX::WNOHANG()) == $pid;
        $failed++ if $?;
        delete $alive{$pid};
    }
    my @workers = $t->workers;
    if (@workers && rand() < 0.7) {
        kill 'KILL', $workers[rand @workers];
        $kills++;
    } else {
        kill 'HUP', $t->pid;
        $reloads++;
    }
    sleep 0.05 + rand 0.05;
}

is($failed, 0, 'every client had its 200s');
cmp_ok($kills, '>=', 3, "$kills workers killed, $reloads reloads");

my (%acked, $broken, %other);
for my $n (1 .. $clients) {
    for (split /\n/, $t->read("client.$n")) {
        my ($c, $i, $status) = split / /;
        $acked{"$c.$i"}++ if $status eq '200';
        $other{"$c.$i"}++ if $status ne '200';
    }
}
is(scalar keys %acked, $clients * $each, 'every event has its 200');

$t->wait_for(sub { !$t->workers(qr/shutting down/) }, 20);
my %stored;
for my $rec ($t->spool_dump($t->path('spool'))) {
    my ($c, $i) = $rec->{body} =~ /"client":(\d+),"id":"0*(\d+)"/;
    $stored{"$c.$i"}++;
}
is_deeply([grep { !$stored{$_} } sort keys %acked], [],
          'every 200 is in the spool');

# stored twice only where a client had to send twice
is_deeply([grep { $stored{$_} > 1 + ($other{$_} || 0) } sort keys %stored],
          [], 'once');
diag(sprintf '%d events, %d sent again, %d kills, %d reloads',
     scalar keys %stored, scalar keys %other, $kills, $reloads);

my $r = $t->post('/hook', '{}', $t->waapi('{}', $secret));
is($r->{status}, 200, 'still in service');

$t->done;
