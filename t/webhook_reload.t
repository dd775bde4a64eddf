#!/usr/bin/perl

# Reloads under load refuse and lose nothing.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Nginx;

my $clients = 4;
my $each = 200;
my $secret = 'a secret of enough bytes';

my $t = Wacrm::Nginx->new(workers => 2, level => 'notice');
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

$t->done;
