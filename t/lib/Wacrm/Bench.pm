package Wacrm::Bench;

# The measurements of scripts/bench; each returns (key => value, ...).

use strict;
use warnings;

use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

use Wacrm::Nginx;

my $SECONDS = $ENV{WACRM_BENCH_SECONDS} || 4;
my $ROUNDS  = $ENV{WACRM_BENCH_ROUNDS}  || 5;
my $TOOLS   = "$Wacrm::Nginx::ROOT/build/release/tools";
my $SECRET  = 'benchmark-secret-of-32-bytes-....';

sub say_ { printf "  %s\n", join ' ', @_ }

sub median {
    my @v = sort { $a <=> $b } @_;
    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# One run of wrk: { rps, p50, p99 } (us).
sub wrk {
    my ($url, $connections, @script) = @_;

    my $cmd = "wrk -t1 -c$connections -d${SECONDS}s --timeout 10s"
        . " -s @script";
    $cmd =~ s/ -s (\S+)/ -s $1 $url --/;
    my $out = `$cmd 2>&1`;
    my %r = $out =~ /(\w+)=(\d+)/g;
    die "bench: wrk said: $out" unless $r{requests};
    die "bench: $r{errors} errors, $r{bad} bad answers: $out"
        if $r{errors} || $r{bad};
    return { %r, rps => $r{requests} / ($r{us} / 1e6) };
}

# ---- intake -----------------------------------------------------------------

# Distinct requests: enough for a round at the rate of a fast machine.
sub pool {
    my ($t, $n) = @_;

    my $file = $t->path('pool');
    my $len = `$TOOLS/requests $n /hook '$SECRET' 2>&1 > $file`;
    die "bench: no pool of requests: $len" unless $len =~ /^(\d+)$/;
    return ("$Wacrm::Nginx::ROOT/t/bench/pool.lua", $file, $1, $n);
}

sub intake_nginx {
    my $t = Wacrm::Nginx->new(level => 'notice',
        events => 'worker_connections 2048;');
    $t->write('secret', $SECRET);
    $t->main('thread_pool default threads=1 max_queue=64;');
    $t->http(<<'EOC');
        wacrm_spool %%DIR%%/spool size=4g;
        client_body_buffer_size 16k;
        keepalive_requests 10000000;

        server {
            listen 127.0.0.1:%%PORT%% backlog=4096;
            location /hook {
                wacrm_webhook bench;
                wacrm_webhook_signature waapi;
                wacrm_webhook_secret_file %%DIR%%/secret;
            }
            location /metrics { wacrm_metrics; }
        }

        server {
            listen 127.0.0.1:%%PORT2%% backlog=4096;
            location / {
                default_type application/json;
                return 200 '{"success":true}';
            }
        }
EOC
    return $t;
}

# mean seconds of a commit and records in a batch, from a fresh start
sub commits {
    my ($t) = @_;

    my $m = $t->metrics('/metrics');
    my ($n) = map { $m->{$_} } grep { /commit_seconds_count/ } keys %$m;
    my ($s) = map { $m->{$_} } grep { /commit_seconds_sum/ } keys %$m;
    my ($b) = map { $m->{$_} } grep { /batch_(?:records|size)_sum/ } keys %$m;
    return ($s / ($n || 1), ($b || 0) / ($n || 1));
}

sub intake {
    my $t = intake_nginx();
    my @pool = pool($t, $SECONDS * 70_000);
    my (%ratio, %last, %tail);

    for my $c (256, 64) {
        for my $round (1 .. $ROUNDS) {
            remove_tree($t->path('spool'));
            $t->start;
            my $base = wrk('http://127.0.0.1:' . $t->port(2), $c, @pool);
            my $ours = wrk('http://127.0.0.1:' . $t->port, $c, @pool);
            my ($commit, $batch) = commits($t);
            $t->stop;
            push @{$ratio{$c}}, $ours->{rps} / $base->{rps};
            push @{$tail{$c}}, $ours->{p99} / ($c / $ours->{rps} * 1e6);
            $last{$c} = $ours;
            say_(sprintf 'c=%d round=%d return200=%.0f/s intake=%.0f/s'
                . ' ratio=%.2f p99=%.1fms commit=%.2fms batch=%.0f', $c,
                $round, $base->{rps}, $ours->{rps}, $ratio{$c}[-1],
                $ours->{p99} / 1e3, $commit * 1e3, $batch);
        }
    }

    my (@alone, $commit);
    for my $round (1 .. $ROUNDS) {
        remove_tree($t->path('spool'));
        $t->start;
        my $one = wrk('http://127.0.0.1:' . $t->port, 1, @pool);
        ($commit) = commits($t);
        $t->stop;
        push @alone, $one->{p99} / 1e6 / $commit;
        say_(sprintf 'c=1 round=%d intake=%.0f/s p50=%.2fms p99=%.2fms'
            . ' commit=%.2fms', $round, $one->{rps}, $one->{p50} / 1e3,
            $one->{p99} / 1e3, $commit * 1e3);
    }
    remove_tree($t->dir);

    return (
        ratio      => sprintf('%.2f', median(@{$ratio{256}})),
        ratio64    => sprintf('%.2f', median(@{$ratio{64}})),
        rps        => sprintf('%.0f', $last{256}{rps}),
        # p99 in units of connections / throughput, demanded <= 3
        p99_turns  => sprintf('%.2f', median(@{$tail{256}})),
        # p99 of a lone connection in commits, demanded <= 4
        p99_alone_commits => sprintf('%.2f', median(@alone)),
        commit_ms  => sprintf('%.2f', $commit * 1e3),
    );
}

1;
