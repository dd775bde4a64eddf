#!/usr/bin/perl

# Reloads under load refuse and lose nothing; a spool that somebody keeps locked
# stops its events, nothing else.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Errno qw(EIO);
use Fcntl qw(:flock);
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Fault;
use Wacrm::Nginx;

my $clients = 4;
my $each = 200;
my $secret = 'a secret of enough bytes';

# a sanitizer has its own calls
my $fault = $ENV{WACRM_SANITIZED} ? undef
    : Wacrm::Fault->live("/tmp/wacrm-reload.$$");
my $owner = $$;
END { unlink "/tmp/wacrm-reload.$$" if $owner && $owner == $$ }
my $t = Wacrm::Nginx->new(workers => 2, level => 'notice',
    $fault ? (env => { $fault->env }) : ());
$t->write('secret', $secret);
sub conf {
    my ($source) = @_;

    $t->http(<<"EOC");
    wacrm_spool %%DIR%%/spool size=256m;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /hook {
            wacrm_webhook $source;
            wacrm_webhook_signature waapi;
            wacrm_webhook_secret_file %%DIR%%/secret;
        }
        location /metrics { wacrm_metrics; }
        location /healthz { wacrm_health; }
        location / { return 200; }
    }
EOC
}

conf('demo');
$t->start;

my @pids;
for my $n (1 .. $clients) {
    my $pid = fork;
    die unless defined $pid;
    if ($pid == 0) {
        open my $out, '>', $t->path("client.$n") or POSIX::_exit(1);
        for my $i (1 .. $each) {
            my $body = qq({"id":"$n-$i"});
            my $r = $t->post('/hook', $body, 'X-Webhook-Signature' =>
                             hmac_sha256_hex($body, $secret));
            printf {$out} "%s\n", $r ? $r->{status} : 'broken';
            sleep 0.005;
        }
        close $out;
        POSIX::_exit(0);
    }
    push @pids, $pid;
}

my $reloads = 0;
my %alive = map { $_ => 1 } @pids;
while (%alive) {
    for my $pid (keys %alive) {
        delete $alive{$pid} if waitpid($pid, POSIX::WNOHANG()) == $pid;
    }
    $reloads++ if $t->reload;
    sleep 0.1;
}
cmp_ok($reloads, '>=', 3, "$reloads reloads");

my %status;
for my $n (1 .. $clients) {
    $status{$_}++ for split /\n/, $t->read("client.$n");
}
is_deeply(\%status, { 200 => $clients * $each }, 'every answer is a 200');

my %stored;
$stored{$_->{body}}++ for $t->spool_dump($t->path('spool'));
is(scalar keys %stored, $clients * $each, 'all of them are stored');
is_deeply([grep { $stored{$_} != 1 } keys %stored], [], 'once');
is($t->metrics->{'wacrm_events_total{source="demo",result="stored"}'},
   $clients * $each, 'and counted');

# a source that is gone keeps its counters while there is room for others

sub stored {
    return $t->metrics->{qq(wacrm_events_total{source="$_[0]",result="stored"})};
}

conf('other');
ok($t->reload(wait => 1), 'reload with another source');
is($t->post('/hook', '{}', $t->waapi('{}'))->{status}, 200, 'an event of it');
is(stored('other'), 1, 'is counted');
is(stored('demo'), $clients * $each, 'the other source has lost nothing');

conf('demo');
ok($t->reload(wait => 1), 'reload with the first one');
is(stored('demo'), $clients * $each, 'which counts on');

# ---- a slow disk: the workers open the spool one after the other ----

SKIP: {
    skip 'a sanitizer has its own calls', 5 if !$fault;
    $t->{workers} = 6;
    conf('demo');
    my $from = $t->mark;
    $fault->arm(calls => 'sync', file => '/spool', late => 40, run => 1000);
    ok($t->reload, 'reload while each sync of the directory is late');
    my %got;
    for (1 .. 60) {
        $got{$t->post('/hook', '{}', $t->waapi('{}'))->{status}}++;
        sleep 0.01;
    }
    cmp_ok($fault->disarm, '>=', 6, 'each worker was');
    # one that starts gives it a second, of which these are a quarter
    is_deeply(\%got, { 200 => 60 }, 'nothing is refused')
        or diag explain \%got;
    unlike($t->log_since($from), qr/cannot be opened/, 'nor told');
    $t->{workers} = 2;
    conf('demo');
    ok($t->reload(wait => 1), 'as before');
}

# ---- somebody keeps the lock of those who write ----

$t->allow(qr/wacrm spool ".*" cannot be opened: busy \(.*write\.lock/);

# Of answers over more than a second, in seconds.
sub slowest {
    my $most = 0;

    for (1 .. 60) {
        my $start = time;
        $t->get('/');
        $most = max($most, time - $start);
        sleep 0.02;
    }
    return $most;
}

# The rest is in service, each worker's event loop has tried in vain.
sub held {
    my ($what, $from) = @_;

    ok($t->wait_for(sub {
        2 <= (() = $t->log_since($from) =~ /cannot be opened: busy/g)
    }), "$what: both workers have tried");
    is(grep({ ($t->request('GET', '/', timeout => 2) // {})->{status} == 200 }
        1 .. 8), 8, 'what needs no spool is answered at once');
    # who stands still does so in each second; a busy machine not in each
    my $slowest;
    for (1 .. 8) {
        $slowest = slowest();
        last if $slowest < 0.1;
    }
    cmp_ok($slowest, '<', 0.1, 'and no worker stands still');
    is($t->post('/hook', '{}', $t->waapi('{}'))->{status}, 503,
       'an event is refused');
    is($t->get('/healthz')->{status}, 503, 'which health says');
}

sub released {
    my ($lock) = @_;

    flock $lock, LOCK_UN;
    ok($t->wait_for(sub {
        8 == grep { $t->post('/hook', '{}', $t->waapi('{}'))->{status} == 200 }
            1 .. 8
    }), 'once it is released they are stored');
}

open my $lock, '+<', $t->path('spool/write.lock') or die $!;
flock $lock, LOCK_EX;
my $from = $t->mark;
ok($t->reload, 'workers start while it is held');
held('reload', $from);

# they end though their openings hang, and leave nothing behind that runs on
my @hanging = $t->workers;
ok($t->reload, 'once more while it is held');
ok($t->wait_for(sub { !grep { kill 0, $_ } @hanging }),
    'who waits for the lock ends');
unlike($t->log_since($from), qr/exited (?:on signal|with code [1-9])/, 'well');
released($lock);

# a commit that waits for it, longer than its request does, keeps no worker
flock $lock, LOCK_EX;
is($t->post('/hook', '{}', $t->waapi('{}'))->{status}, 503,
    'a commit without its lock');
$t->allow(qr/a commit hangs, the worker ends without it/);
$from = $t->mark;
@hanging = $t->workers;
ok($t->reload, 'a reload, while it hangs');
ok($t->wait_for(sub { !grep { kill 0, $_ } @hanging }),
    'the worker ends all the same');
is(() = $t->log_since($from) =~ /a commit hangs/g, 1, 'and says why');
unlike($t->log_since($from), qr/exited (?:on signal|with code [1-9])/, 'well');
released($lock);

SKIP: {
    skip 'a sanitizer has its own calls', 6 if !$fault;
    $t->allow(qr/wacrm spool failed, it is closed and opened again/);
    # each worker loses its own, and opens it a second later
    for (1 .. 20) {
        $from = $t->mark;
        $fault->arm(calls => 'sync', file => 'data.mdb', errno => EIO,
            run => 1000);
        $t->wait_for(sub {
            $t->post('/hook', '{}', $t->waapi('{}'));
            2 <= (() = $t->log_since($from) =~ /spool failed, it is closed/g);
        });
        flock $lock, LOCK_EX;
        $fault->disarm;
        last if 4 == grep { $t->get('/healthz')->{status} == 503 } 1 .. 4;
        flock $lock, LOCK_UN;
    }
    held('an I/O error', $from);
    released($lock);
}

# ---- somebody moves it ----

$t->allow(qr/wacrm spool failed, it is closed and opened again/);
my @answers;
# A worker gives the opening 200 ms, which a busy machine may need for more than
# one: so each finds a spool that is made already, and there are some tries.
for my $try (1 .. 5) {
    system('cp', '-r', $t->path('spool'), $t->path("spool.$try")) == 0
        or die "cp: $?";
    rename $t->path('spool'), $t->path("old.$try") or die $!;
    # one that looks just now has made its own
    rename $t->path("spool.$try"), $t->path('spool');
    @answers = map { $t->post('/hook', '{}', $t->waapi('{}'))->{status} }
        1 .. 12;
    last if 2 >= grep { $_ == 503 } @answers;
    diag "moved: @answers";
    $t->wait_for(sub {
        8 == grep { $t->get('/healthz')->{status} == 200 } 1 .. 8
    });
}
cmp_ok(scalar(grep { $_ == 503 } @answers), '<=', 2,
   'the event of each worker that meets it is refused, no other one');
ok(scalar(grep { $_ == 200 } @answers), 'and others are stored');

$t->done;
