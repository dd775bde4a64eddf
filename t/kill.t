#!/usr/bin/env perl
# 2,000 signed events while nginx's workers and wacrmd are killed with -9 over
# and over: every event that got a 200 is in the database, once.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $EVENTS = 2000;
my $SENDERS = 8;

my $d = Wacrm::Desk->new(agents => 0)->start;
# a killed worker and its peers say so; that is what this test does
$d->allow(qr/worker process \d+ exited on signal 9/);
$d->allow(qr/exited on signal 9/);

# Senders: each on a connection of its own, again until a 200, as a gateway
# does; each acknowledged id is written down.
sub sender {
    my ($n) = @_;

    open my $ledger, '>', "$d->{dir}/ledger.$n" or die $!;
    $ledger->autoflush(1);
    my $socket;
    for (my $i = $n; $i < $EVENTS; $i += $SENDERS) {
        my $id = sprintf 'KILL%05d', $i;
        my $body = encode_json({ event => 'message.received', data => {
            from => sprintf('62812%07d', $i % 97), pushName => "Donatur $i",
            message => "pesan $i", id => $id, timestamp => time * 1000 } });
        my %headers = $d->{nginx}->waapi($body,
            'webhook-secret-of-the-test-00001');
        my $end = time + 60;
        while (time < $end) {
            my $r = eval { $d->{nginx}->post('/api/webhook/whatsapp', $body,
                %headers) };
            if ($r && $r->{status} == 200) {
                print {$ledger} "$id\n";
                sleep 0.01;
                last;
            }
            if ($r && $r->{status} != 503) {
                print {$ledger} "BAD $r->{status}\n";
                last;
            }
            sleep 0.02;
        }
    }
    close $ledger;
}

my @senders;
for my $n (0 .. $SENDERS - 1) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        sender($n);
        POSIX::_exit(0);
    }
    push @senders, $pid;
}

my ($kills, $restarts) = (0, 0);
my %running = map { $_ => 1 } @senders;
my $next = time;
while (%running) {
    for my $pid (keys %running) {
        delete $running{$pid} if waitpid($pid, POSIX::WNOHANG()) == $pid;
    }
    if (time >= $next) {
        my ($worker) = $d->{nginx}->workers;
        $kills += kill 'KILL', $worker if $worker;
        if ($kills % 3 == 0) {
            $d->wacrmd_kill;
            $d->wacrmd_start;
            $restarts++;
        }
        $next = time + 0.1 + rand 0.1;
    }
    sleep 0.02;
}
cmp_ok($kills, '>=', 5, "workers were killed ($kills times)");
cmp_ok($restarts, '>=', 2, "wacrmd was killed ($restarts times)");

my (%acknowledged, @bad);
for my $n (0 .. $SENDERS - 1) {
    open my $fh, '<', "$d->{dir}/ledger.$n" or die $!;
    while (<$fh>) {
        chomp;
        /^BAD/ ? push @bad, $_ : $acknowledged{$_}++;
    }
}
is("@bad", '', 'no answer but 200 and 503');
is(scalar keys %acknowledged, $EVENTS, 'every event got its 200');

my %stored;
ok($d->wait_for(sub {
    %stored = ();
    $stored{$_->[0]} += $_->[1]
        for $d->sql("SELECT wa_id, count(*) FROM messages"
            . " WHERE wa_id LIKE 'KILL%' GROUP BY wa_id");
    keys %stored >= $EVENTS;
}, 60), 'they are all in the database');
is(scalar(grep { !$stored{$_} } keys %acknowledged), 0,
    'nothing that was acknowledged is missing');
is(scalar(grep { $_ != 1 } values %stored), 0, 'each once');
is($d->sql('SELECT sum(unread) FROM chats'), $EVENTS, 'unread adds up');
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'no dead letters');
is($d->sql("SELECT count(*) FROM events WHERE kind = 1"), $EVENTS,
    'one event for each');
is($d->sql('PRAGMA integrity_check'), 'ok', 'the database is sound');

$d->done;
