#!/usr/bin/env perl
# Plugs pulled in any order under load: whatever was answered 200 is in the
# database once. And a wacrmd that stands still for a while, sockets that are
# taken away: callers wait or get a 503, events are taken all the same.

use strict;
use warnings;

use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $secret = 'webhook-secret-of-the-test-00001';
my $d = Wacrm::Desk->new(nginx_options => { workers => 2 })->start;
my $n = $d->{nginx};
$d->allow(qr/exited on signal 9|bind\(\) to .* failed \(98:|connect\(\) to unix|open socket/);
# of a worker that a reload has told to end, when SIGTERM comes
$d->allow(qr/\[alert\] \d+#\d+: aborting$/);
my $token = $d->login('cs1@test.example');
my $seed = $ENV{WACRM_SEED} || int rand 1e6;
note "WACRM_SEED=$seed";
srand $seed;

sub body {
    my ($id) = @_;
    return encode_json({ event => 'message.received', data => {
        from => '62812000' . sprintf('%05d', unpack('%32C*', $id) % 97),
        message => $id, id => $id, timestamp => int time } });
}

sub load {
    my ($k) = @_;
    my ($i, $s) = (0);

    open my $ledger, '>', "$d->{dir}/ledger.$k" or die $!;
    $ledger->autoflush(1);
    while (!-e "$d->{dir}/stop") {
        my $id = sprintf 'L%d-%06d', $k, $i++;
        my $body = body($id);
        my $r = ($s ||= $n->connect) && $n->request('POST',
            '/api/webhook/whatsapp', socket => $s, body => $body,
            headers => { $n->waapi($body, $secret) }, timeout => 8);
        print {$ledger} $r ? $r->{status} : 'broken', " $id\n";
        undef $s if !$r || ($r->{headers}{connection} || '') eq 'close';
        sleep $r && $r->{status} == 200 ? 0.003 : 0.05;
    }
    POSIX::_exit(0);
}

my @clients;
for my $k (1 .. 3) {
    defined(my $pid = fork) or die $!;
    load($k) if !$pid;
    push @clients, $pid;
}

my ($ended, $ends) = (0, 0);
my %pull = (
    worker => sub { my @w = $n->workers; kill 'KILL', $w[rand @w] if @w },
    wacrmd => sub { $d->wacrmd_kill; sleep rand 0.3; $d->wacrmd_start },
    stop => sub { $d->wacrmd_stop; $d->wacrmd_start },
    quit => sub { $ended += $n->stop('QUIT'); $ends++; $n->start },
    term => sub { $ended += $n->stop('TERM'); $ends++; $n->start },
    reload => sub { kill 'HUP', $n->pid },
    all => sub { $n->kill_all; $n->start },
    freeze => sub { kill 'STOP', $d->wacrmd_pid; sleep 0.5;
        kill 'CONT', $d->wacrmd_pid },
);
my @plugs = sort keys %pull;
my $end = time + 8;
my @pulled = (@plugs);
$pull{$_}->() for @plugs;
while (time < $end) {
    sleep 0.1 + rand 0.4;
    push @pulled, $plugs[rand @plugs];
    $pull{$pulled[-1]}->();
}
note "pulled: @pulled";
sleep 0.3;
$n->write('stop', '');
waitpid $_, 0 for @clients;

my (@ledger, %status);
for (map { split /\n/, $n->read("ledger.$_") } 1 .. 3) {
    my ($status, $id) = split / /;
    $status{$status}++;
    push @ledger, $id if $status eq '200';
}
note join ', ', map { "$_: $status{$_}" } sort keys %status;
is(join(' ', grep { !/^(?:200|503|broken)$/ } sort keys %status), '',
    'no answer but 200 and 503');
is($ended, $ends, "$ends times nginx was told to end, and did, with 0");
cmp_ok(scalar @ledger, '>', 100, scalar(@ledger) . ' events answered 200');
ok($d->wait_for(sub { ($d->ctl(['spool', 'stat']))[1] =~ /records=0 / }, 20),
    'all is applied');
my %stored = map { $_->[0] => $_->[1] }
    $d->sql('SELECT wa_id, count(*) FROM messages WHERE direction = 0'
        . ' GROUP BY wa_id');
is(join(' ', grep { !$stored{$_} } @ledger), '', 'none is missing');
is(join(' ', grep { $stored{$_} > 1 } keys %stored), '', 'none is there twice');
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'none is a dead letter');
is($d->sql('SELECT sum(unread) FROM chats'), scalar keys %stored,
    'all are counted as unread');
is($d->sql('PRAGMA integrity_check'), 'ok', 'the database is sound');

# ---- wacrmd stands still ----

kill 'STOP', $d->wacrmd_pid;
defined(my $reader = fork) or die $!;
if (!$reader) {
    my $r = $d->api(GET => '/api/crm/inbox', token => $token);
    POSIX::_exit($r->{status} == 200 ? 0 : 1);
}
is($d->webhook(body("still-$_"))->{status}, 200, 'taken meanwhile')
    for 1 .. 5;
is($n->get('/healthz')->{status}, 200, 'the edge is well');
sleep 1.5;
kill 'CONT', $d->wacrmd_pid;
waitpid $reader, 0;
is($?, 0, 'who waited has the inbox');

# ---- sockets taken away ----

unlink "$d->{dir}/notify.sock";
is($d->webhook(body('deaf'))->{status}, 200, 'no socket to notify');
ok($d->within(20, sub { $d->sql(
    "SELECT count(*) FROM messages WHERE wa_id = 'deaf'") }),
    'wacrmd looks by itself');
unlink "$d->{dir}/http.sock";
ok($n->reload(wait => 1), 'new workers, without connections kept from before');
my $r = $d->api(GET => '/api/crm/inbox', token => $token);
is($r->{status}, 503, 'no socket to ask');
ok($r->{headers}{'retry-after'} && $r->{json}{message}, 'and says so');
unlink "$d->{dir}/control.sock";
ok($d->wacrmd_stop, 'it stops all the same');
$d->wacrmd_start;
is($d->api(GET => '/api/crm/inbox', token => $token)->{status}, 200,
    'and is back after a restart');

$d->done;
