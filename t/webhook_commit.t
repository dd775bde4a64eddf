#!/usr/bin/perl

# The group commit when the disk is slow, the spool full, the client gone.

use strict;
use warnings;

use IO::Select;
use IPC::Open2;
use Test::More;
use Time::HiRes qw(time sleep);

use lib 't/lib';
use Wacrm::Nginx;

my $tools = $ENV{WACRM_TOOLS} || "$Wacrm::Nginx::ROOT/build/release/tools";
my $secret = 'a secret of enough bytes';

sub new {
    my ($http, %opt) = @_;

    my $t = Wacrm::Nginx->new(%opt);
    $t->write('secret', $secret);
    $t->http(<<"EOC");
    $http
    wacrm_webhook_signature waapi;
    wacrm_webhook_secret_file %%DIR%%/secret;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /hook { wacrm_webhook demo; }
        location /metrics { wacrm_metrics; }
        location /healthz { wacrm_health; }
    }
EOC
    $t->start;
    # it opens its spool on another thread, on a busy machine a little later
    ok($t->wait_for(sub { $t->get('/healthz')->{status} == 200 }), 'healthy');
    return $t;
}

# commits hang until the returned code is called
sub hold {
    my ($t) = @_;

    my $pid = open2(my $out, my $in, "$tools/spool_hold", $t->path('spool'));
    is(scalar <$out>, "held\n", 'commits hang');
    return sub { close $in; waitpid $pid, 0 };
}

# The new worker cannot open the spool yet, and says so.
sub shut_down {
    my ($t) = @_;

    $t->allow(qr/wacrm spool ".*" cannot be opened: busy/);
    kill 'HUP', $t->pid;
    return $t->wait_for(sub { scalar $t->workers(qr/shutting down/) });
}

sub body { sprintf '{"id":"%06d"}', $_[0] }

sub send_event {
    my ($t, $id, $s) = @_;

    $s ||= $t->connect;
    $t->send_request($s, 'POST', '/hook', body => body($id),
                     headers => {$t->waapi(body($id), $secret)});
    return $s;
}

sub post {
    my ($t, $body) = @_;
    return $t->post('/hook', $body, $t->waapi($body, $secret));
}

# The only worker has read what was sent before, and what was closed: it takes
# connections, and reads, in their order.
sub is_read {
    my ($t) = @_;
    $t->get('/healthz');
}

sub stored_in {
    my ($t, $name) = @_;
    return map { $_->{body} } $t->spool_dump($t->path($name));
}

sub stored { stored_in($_[0], 'spool') }

# ---- one batch in flight, the others gather ----

my $t = new('wacrm_spool %%DIR%%/spool size=64m;');
is(post($t, body(0))->{status}, 200, 'first');

my $release = hold($t);
my $first = send_event($t, 1);
is_read($t);
my @waiting = map { send_event($t, $_) } 2 .. 20;
is_read($t);
is(scalar(IO::Select->new($first, @waiting)->can_read(0.2)), undef,
   'no answer before the commit');
$release->();
is($t->read_response($_)->{status}, 200, 'answered after the commit')
    for $first, @waiting;
my $m = $t->metrics;
is($m->{wacrm_spool_batch_records_count}, 3, 'three commits');
is($m->{'wacrm_spool_batch_records_bucket{le="16"}'}, 2, 'two of one event');
is($m->{'wacrm_spool_batch_records_bucket{le="32"}'}, 3, 'one of nineteen');
is_deeply([sort(stored($t))], [map { body($_) } 0 .. 20], 'all stored, once');

# ---- clients that leave ----

$release = hold($t);
my @gone = map { send_event($t, $_) } 101 .. 110;
my $stays = send_event($t, 111);
is_read($t);
for (@gone) {
    setsockopt $_, 1, 13, pack 'ii', 1, 0 if fileno($_) % 2;
    close $_;
}
is_read($t);
$release->();
is($t->read_response($stays)->{status}, 200, 'others left, one stayed');
is(scalar(grep { /"0001/ } stored($t)), 11, 'all stored, once');

my $s = $t->connect;
syswrite $s, "POST /hook HTTP/1.1\r\nHost: a\r\nX-Webhook-Signature: "
             . ('a' x 64) . "\r\nContent-Length: 1000\r\n\r\n{";
is_read($t);
close $s;
is(post($t, body(112))->{status}, 200, 'one left while sending its body');

# ---- reload with a commit in flight ----

$release = hold($t);
my $flying = send_event($t, 201);
is_read($t);
my $gathered = send_event($t, 202);
is_read($t);
my @old = $t->workers;
ok(shut_down($t), 'the old worker shuts down');
sleep 0.3;
ok(kill(0, $old[0]), 'and waits for its commits');
$release->();
is($t->read_response($flying)->{status}, 200, 'the one in flight');
is($t->read_response($gathered)->{status}, 200, 'the one that gathered');
ok($t->wait_for(sub { !kill 0, $old[0] }), 'then it ends');
$t->wait_for(sub { $t->get('/healthz')->{status} == 200 });
is(post($t, body(203))->{status}, 200, 'the new worker');
is(scalar(grep { /"0002/ } stored($t)), 3, 'all stored, once');

# ---- five seconds ----

$release = hold($t);
my $begin = time;
$flying = send_event($t, 301);
is_read($t);
$gathered = send_event($t, 302);
my $r = $t->read_response($flying);
is($r->{status}, 503, 'a commit that takes too long');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
like($r->{body}, qr/^\{"message":/, 'JSON');
is($t->read_response($gathered)->{status}, 503, 'also those that wait');
cmp_ok(time - $begin, '>', 4.5, 'after 5 s');
cmp_ok(time - $begin, '<', 15, 'and not much more');
$release->();
is(post($t, body(303))->{status}, 200, 'then it goes on');
is($t->metrics->{'wacrm_events_total{source="demo",result="timeout"}'}, 2,
   'counted');
like($t->log, qr/status=503 reason=timeout,/, 'and logged');
is($t->metrics->{'wacrm_events_total{source="demo",result="stored"}'},
   1 + 20 + 11 + 1 + 3 + 1, 'events stored, also over the reload');
$t->finish;

# ---- SIGTERM while a commit hangs: no answer is no 200 ----

$t = new('wacrm_spool %%DIR%%/spool size=64m;');
is(post($t, body(0))->{status}, 200, 'first');
$release = hold($t);
$flying = send_event($t, 1);
is_read($t);
kill 'TERM', $t->pid;
ok($t->wait_log(qr/: exiting$/m), 'the worker has been told');
$release->();
$r = $t->read_response($flying);
ok(!$r || $r->{status} != 200, 'no 200');
$t->wait_for(sub { !kill(0, $t->pid) || !$t->workers }, 5);
$t->finish;

# ---- worker_shutdown_timeout ends requests while their commit hangs ----

$t = Wacrm::Nginx->new;
$t->write('secret', $secret);
$t->main('worker_shutdown_timeout 500ms;');
$t->hook('64m');
$t->start;
is(post($t, body(0))->{status}, 200, 'first');
$release = hold($t);
$flying = send_event($t, 1);
is_read($t);
@old = $t->workers;
ok(shut_down($t), 'the old worker shuts down');
is($t->read_response($flying), undef, 'the connection is closed');
$release->();
ok($t->wait_for(sub { !kill 0, $old[0] }), 'the old worker ends');
is_deeply([stored($t)], [body(0), body(1)], 'the event is stored');
$t->finish;

# ---- a full queue, by number and by bytes ----

$t = new('wacrm_spool %%DIR%%/spool size=64m;'
         . 'wacrm_webhook_batch max=2 queue=5 bytes=4k;');
is(post($t, body(0))->{status}, 200, 'first');
$release = hold($t);
$flying = send_event($t, 1);
is_read($t);
@waiting = map { send_event($t, $_) } 2 .. 6;
is_read($t);
$r = post($t, body(7));
is($r->{status}, 503, 'queue full');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
$release->();
is($t->read_response($_)->{status}, 200, 'those before')
    for $flying, @waiting;
is_deeply([stored($t)], [map { body($_) } 0 .. 6], 'in order');

$release = hold($t);
$flying = send_event($t, 11);
is_read($t);
my $big = '"' . ('x' x 10_000) . '"';
my $one = $t->connect;
$t->send_request($one, 'POST', '/hook', body => $big,
                 headers => {$t->waapi($big, $secret)});
is_read($t);
is(post($t, body(12))->{status}, 503, 'bytes full');
$release->();
is($t->read_response($one)->{status}, 200, 'more than bytes, alone');
is($t->read_response($flying)->{status}, 200, 'in flight');
is(post($t, body(13))->{status}, 200, 'room again');
like($t->log, qr/status=503 reason=queue_full,/, 'logged');
is($t->metrics->{'wacrm_events_total{source="demo",result="queue_full"}'}, 2,
   'counted');
$t->finish;

# ---- a thread pool that takes nothing while its thread is busy ----

# nginx counts a thread that waits as -1; the one that has just committed is
# still at it when the next batch comes.
$t = new('wacrm_spool %%DIR%%/spool size=64m; wacrm_webhook_batch max=2;',
         main => 'thread_pool default threads=1 max_queue=0;');
my @many = map { $t->connect } 1 .. 40;
my ($id, %answers, @taken) = (0);
ok($t->wait_for(sub {
    my @ids = map { ++$id } @many;
    send_event($t, $ids[$_], $many[$_]) for 0 .. $#many;
    for (0 .. $#many) {
        my $got = $t->read_response($many[$_]);
        my $status = $got ? $got->{status} : 'none';
        $status .= ' without Retry-After'
            if $status eq '503' && !$got->{headers}{'retry-after'};
        $answers{$status}++;
        push @taken, body($ids[$_]) if $status eq '200';
        $many[$_] = $t->connect
            if !$got || ($got->{headers}{connection} || '') eq 'close';
    }
    ($answers{503} || 0) >= 400 && ($answers{200} || 0) >= 100;
}), 'some are taken, some are not');
undef @many;
note join ', ', map { "$_: $answers{$_}" } sort keys %answers;
is(join(' ', sort keys %answers), '200 503', 'nothing else is answered');
is($t->metrics->{'wacrm_events_total{source="demo",result="queue_full"}'},
   $answers{503}, 'those refused are counted');
like($t->log, qr/thread pool "default" queue overflow/, 'by the pool');
unlike($t->log, qr/reason=timeout/, 'at once');
is(join(' ', sort(stored($t))), join(' ', sort @taken),
   'what got its 200 is stored, once, and nothing else');
$t->finish;

# ---- the disk is full: nothing is acknowledged, and later it goes on ----

SKIP: {
    $t = Wacrm::Nginx->new;
    mkdir $t->path('disk') or die;
    my @mount = ('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none',
                 $t->path('disk'));
    skip 'needs to mount a small disk', 7
        if $> != 0 || system("@mount >/dev/null 2>&1") != 0;

    $t->write('secret', $secret);
    $t->http(<<'EOC');
        wacrm_spool %%DIR%%/disk/spool size=64m;
        server {
            listen 127.0.0.1:%%PORT%%;
            location /hook {
                wacrm_webhook demo;
                wacrm_webhook_signature waapi;
                wacrm_webhook_secret_file %%DIR%%/secret;
            }
            location /healthz { wacrm_health; }
        }
EOC
    $t->allow(qr/wacrm spool/);
    $t->start;
    my ($stored, $refused) = (0, 0);
    for (1 .. 200) {
        $r = post($t, sprintf '{"id":"%06d","text":"%s"}', $_, 'x' x 10_000);
        $stored++ if $r->{status} == 200;
        $refused++ if $r->{status} == 503;
    }
    cmp_ok($stored, '>', 10, 'some events are stored');
    cmp_ok($refused, '>', 10, 'the others refused');
    is($stored + $refused, 200, 'and nothing else answered');
    is(scalar stored_in($t, 'disk/spool'), $stored, 'each 200 is stored');

    system('mount', '-o', 'remount,size=16m', $t->path('disk'));
    ok($t->within(20, sub { $t->get('/healthz')->{status} == 200 }),
       'healthy when there is room');
    is(post($t, body(1))->{status}, 200, 'and in service');
    is(scalar stored_in($t, 'disk/spool'), $stored + 1, 'stored');
    $t->finish;
    system('umount', $t->path('disk'));
}

# ---- a full spool ----

$t = new('wacrm_spool %%DIR%%/spool size=1m;');
is($t->get('/healthz')->{status}, 200, 'healthy');
my $ok = 0;
for (1 .. 400) {
    $r = post($t, sprintf '{"id":"%06d","text":"%s"}', $_, 'x' x 3000);
    last if $r->{status} != 200;
    $ok++;
}
is($r->{status}, 503, 'spool full');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
cmp_ok($ok, '>', 50, 'there was room before');
is(scalar stored($t), $ok, 'all stored that had a 200');
like($t->log, qr/status=503 reason=spool_full,/, 'logged');
$t->finish;

# ---- every line of the debug log ----

$t = new('wacrm_spool %%DIR%%/spool size=64m;', level => 'debug');
is(post($t, body(1))->{status}, 200, 'an event at level debug');
ok($t->wait_log(qr/event timer del: -1: /),
   'a timer of the module has run out');
is(post($t, body(2))->{status}, 200, 'and another event');
is($t->get('/healthz')->{status}, 200, 'healthy');
$t->finish;

done_testing();
