package Wacrm::Bench::Intake;

# Webhooks taken in against return 200.

use strict;
use warnings;

use File::Path qw(remove_tree);

use Wacrm::Bench;
use Wacrm::Nginx;

sub intake_nginx {
    my ($workers) = @_;

    my $t = Wacrm::Nginx->new(level => "notice", workers => $workers,
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

# us of the workers' processor time for a request
sub cost_of {
    my ($t, $port, $c, @pool) = @_;

    my $before = 0;
    $before += cpu_us($_) for $t->workers(qr/^nginx/);
    my $r = wrk("http://127.0.0.1:$port", $c, @pool);
    my $after = 0;
    $after += cpu_us($_) for $t->workers(qr/^nginx/);
    $r->{cost} = ($after - $before) / $r->{requests};
    return $r;
}

# ratio, p99 in turns, ratio of processor time: of each round; the last round
sub rounds {
    my ($workers, $c, $t, @pool) = @_;

    my (@ratio, @tail, @cpu, $ours);
    for my $round (1 .. $ROUNDS) {
        fresh_spool($t);
        $t->start;
        my $base = cost_of($t, $t->port(2), $c, @pool);
        $ours = cost_of($t, $t->port, $c, @pool);
        my ($commit, $batch) = commits($t);
        $t->stop;
        push @ratio, $ours->{rps} / $base->{rps};
        push @cpu, $base->{cost} / $ours->{cost};
        push @tail, $ours->{p99} / ($c / $ours->{rps} * 1e6);
        say_(sprintf 'workers=%d c=%d round=%d return200=%.0f/s (%.1fus)'
            . ' intake=%.0f/s (%.1fus) ratio=%.2f p99=%.1fms commit=%.2fms'
            . ' batch=%.0f', $workers, $c, $round, $base->{rps},
            $base->{cost}, $ours->{rps}, $ours->{cost}, $ratio[-1],
            $ours->{p99} / 1e3, $commit * 1e3, $batch);
    }
    return (median(@ratio), median(@tail), median(@cpu), $ours);
}

sub run {
    my $t = intake_nginx(1);
    my @pool = pool($t, $SECONDS * 70_000, '/hook', $SECRET);
    my ($ratio, $tail, $cpu, $last) = rounds(1, 256, $t, @pool);
    my ($ratio64) = rounds(1, 64, $t, @pool);
    my $two = intake_nginx(2);
    my ($ratio2, undef, $cpu2, $last2) = rounds(2, 256, $two, @pool);
    remove_tree($two->dir);

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
        ratio      => sprintf('%.2f', $ratio),
        ratio64    => sprintf('%.2f', $ratio64),
        ratio_2workers => sprintf('%.2f', $ratio2),
        cpu_ratio  => sprintf('%.2f', $cpu),
        cpu_ratio_2workers => sprintf('%.2f', $cpu2),
        rps        => sprintf('%.0f', $last->{rps}),
        rps_2workers => sprintf('%.0f', $last2->{rps}),
        us         => sprintf('%.1f', $last->{cost}),
        # p99 in units of connections / throughput, demanded <= 3
        p99_turns  => sprintf('%.2f', $tail),
        # p99 of a lone connection in commits, demanded <= 4
        p99_alone_commits => sprintf('%.2f', median(@alone)),
        commit_ms  => sprintf('%.2f', $commit * 1e3),
    );
}

1;
