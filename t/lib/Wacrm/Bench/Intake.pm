package Wacrm::Bench::Intake;

# Webhooks taken in against return 200.

use strict;
use warnings;

use File::Path qw(remove_tree);

use Wacrm::Bench;
use Wacrm::Nginx;

sub intake_nginx {
    my $t = Wacrm::Nginx->new(level => "notice",
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

# What the last round has left shall not be written out during the next, nor
# its blocks be given back.
my $used = 0;
sub fresh_spool {
    my ($t) = @_;

    rename $t->path('spool'), $t->path('spool.' . ++$used);
    system('sync') == 0 or die "bench: sync failed\n";
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

sub run {
    my $t = intake_nginx();
    my @pool = pool($t, $SECONDS * 70_000, '/hook', $SECRET);
    my (%ratio, %last, %tail);

    for my $c (256, 64) {
        for my $round (1 .. $ROUNDS) {
            fresh_spool($t);
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
        fresh_spool($t);
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
