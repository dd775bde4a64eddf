package Wacrm::Bench::Inbox;

# The list of conversations against a static file behind a proxy of the same
# nginx: 200 agents poll it, each with the ETag of their last answer, in 40
# names and with eight ways to ask, while 100 events a second arrive.

use strict;
use warnings;

use Time::HiRes qw(time);

use Wacrm::Bench;
use Wacrm::Bench::History;

my $MESSAGES = $ENV{WACRM_BENCH_HISTORY} || 100_000;
my $AGENTS = 200;
my $EVENTS = 100;    # a second

my @VIEWS = ('', '?session_id=*', '?session_id=*&filter=unread',
    '?filter=unread', '?session_id=*&filter=starred', '?limit=25',
    '?filter=failed', '?session_id=*&limit=100');

# In front of the proxied file, too, stands nothing but nginx.
sub file_server { s/^(    server \{\n)/<<'EOC' . $1/me }
    upstream file {
        server unix:%%DIR%%/file.sock;
        keepalive 64;
        keepalive_requests 10000000;
    }
    server {
        listen unix:%%DIR%%/file.sock;
        default_type application/json;
        root %%DIR%%/static;
    }
    server {
        listen 127.0.0.1:%%PORT2%%;
        location / {
            proxy_pass http://file;
        }
    }
EOC

# What the agents ask for: their list, or (static) a file of its bytes.
sub write_views {
    my ($d, $tokens) = @_;

    my $n = $d->{nginx};
    my ($ours, $static) = ('', '');
    for my $i (0 .. $AGENTS - 1) {
        my $user = (sort { $a <=> $b } keys %$tokens)[$i % keys %$tokens];
        my $view = $i * 3 % @VIEWS;
        my $path = "/api/crm/inbox$VIEWS[$view]";
        my $r = $d->api(GET => $path, token => $tokens->{$user});
        die "bench: $path of user $user: $r->{status} $r->{body}\n"
            if $r->{status} != 200;
        $n->write("static/$user.$view", $r->{body}, 0644);
        $ours .= "$path $tokens->{$user}\n";
        $static .= "/$user.$view $tokens->{$user}\n";
    }
    chmod 0755, $n->path('static');
    return ($n->write('ours', $ours), $n->write('static.list', $static));
}

# us of wacrmd and of nginx for a request, and what poll has measured
sub round_of {
    my ($d, $which, $file, @walk) = @_;

    my @nginx = $d->{nginx}->workers(qr/^nginx/);
    my @before = (cpu_us($d->{wacrmd_pid}), map { cpu_us($_) } @nginx);
    my %r = poll($d->{nginx}->port($which), $AGENTS, $file, @walk);
    my @cpu = (cpu_us($d->{wacrmd_pid}), map { cpu_us($_) } @nginx);
    my ($own, @edge) = map { ($cpu[$_] - $before[$_]) / $r{requests} }
        0 .. $#cpu;
    my $edge = 0;
    $edge += $_ for @edge;
    return { %r, own => $own, edge => $edge,
        rps => $r{requests} / $r{us} * 1e6 };
}

# The file does not change, the lists do: what the proxy would reach with as
# many whole answers, and as many of 304, as ours has given.
sub ceiling {
    my ($r, $whole, $same) = @_;

    my $new = $r->{new} / $r->{requests};
    my $us = sub { $_[0]{own} + $_[0]{edge} };
    return (1 / ($new / $whole->{rps} + (1 - $new) / $same->{rps}),
        $new * $us->($whole) + (1 - $new) * $us->($same));
}

sub run {
    my $d = history_desk($MESSAGES, nginx => \&file_server);
    $d->start;
    my %tokens = agent_tokens($d);
    my ($ours, $static) = write_views($d, \%tokens);
    my @pids = map { trickle($d, $EVENTS / 4, $MESSAGES / 10) } 1 .. 4;
    my $before = $d->sql('SELECT count(*) FROM messages');
    my $begin = time;
    my (%all, $last);
    for my $round (1 .. $ROUNDS) {
        my $same = round_of($d, 2, $static);
        my $whole = round_of($d, 2, $static, 'walk');
        my $m = $d->{nginx}->metrics('/metrics/wacrmd');
        my $r = $last = round_of($d, 1, $ours);
        my $now = $d->{nginx}->metrics('/metrics/wacrmd');
        my ($renders, $at_once, $waits, $followed, $commits) = map {
            ($now->{"wacrm_$_"} - $m->{"wacrm_$_"}) / $r->{us} * 1e6 }
            qw(inbox_cache_renders_total inbox_cache_at_once_total
            inbox_cache_waits_total inbox_cache_followed_total
            database_commits_total);
        my ($rps, $us) = ceiling($r, $whole, $same);
        push @{$all{ratio}}, $r->{rps} / $rps;
        push @{$all{cpu}}, $us / ($r->{own} + $r->{edge});
        push @{$all{own}}, $r->{own};
        push @{$all{p99}}, $r->{p99} / 1e3;
        say_(sprintf 'round=%d static=%.0f/s (%.1fus) inbox=%.0f/s'
            . ' (%.1f+%.1fus) ratio=%.2f cpu_ratio=%.2f new=%d same=%d'
            . ' p99=%.1fms renders=%.0f/s at_once=%.0f/s waits=%.0f/s'
            . ' commits=%.0f/s', $round,
            $rps, $us, $r->{rps}, $r->{edge},
            $r->{own}, $all{ratio}[-1], $all{cpu}[-1], $r->{new}, $r->{same},
            $all{p99}[-1], $renders, $at_once, $waits + $followed, $commits);
    }
    my $events = ($d->sql('SELECT count(*) FROM messages') - $before)
        / (time - $begin);
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
    die sprintf("bench: only %.1f events/s were applied\n", $events)
        if $events < $EVENTS / 2;
    shut($d);

    return (ratio => sprintf('%.2f', median(@{$all{ratio}})),
        cpu_ratio => sprintf('%.2f', median(@{$all{cpu}})),
        wacrmd_us => sprintf('%.1f', median(@{$all{own}})),
        rps => sprintf('%.0f', $last->{rps}), same => $last->{same},
        new => $last->{new}, p99_ms => sprintf('%.2f', median(@{$all{p99}})),
        events_per_s => sprintf('%.1f', $events));
}

1;
