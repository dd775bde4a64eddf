package Wacrm::Bench::Inbox;

# The list of conversations against a static file behind a proxy.

use strict;
use warnings;

use Time::HiRes qw(sleep time);

use Wacrm::Bench;

# Ten events a second from a process of its own, until it is killed.
sub trickle {
    my ($d) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    $0 = 'bench trickle';
    for (my $i = 0; ; $i++) {
        $d->webhook({ event => 'message.received', data => {
            from => sprintf('62812%07d', $i * 13 % $CHATS),
            pushName => 'Donatur', message => "pesan baru $i",
            id => sprintf('3EB0T%d%09d', $$, $i),
            timestamp => int(time) } });
        sleep 0.1;
    }
}

sub run {
    my ($d) = full_desk();
    my $token = $d->login('cs1@test.example');
    my $n = $d->{nginx};
    my $first = $d->api(GET => '/api/crm/inbox', token => $token);
    my $chats = @{$first->{json}{conversations} || []};
    my $donors = grep { $_->{donatur} && $_->{donatur}{donation_count} }
        @{$first->{json}{conversations}};
    die "bench: $chats chats, $donors with gifts in the inbox, not 50\n"
        if $chats != 50 || $donors != 50;
    $n->write('static/inbox', $first->{body}, 0644);
    chmod 0755, $n->path('static');
    my $size = length $first->{body};

    my $trickle = trickle($d);
    my $before = $d->sql('SELECT count(*) FROM messages');
    my $begin = time;
    my (@ratio, @p99, $last);
    for my $round (1 .. $ROUNDS) {
        my $base = wrk('http://127.0.0.1:' . $n->port(2) . '/inbox', 64,
            "$ROOT/t/bench/get.lua");
        my $ours = wrk('http://127.0.0.1:' . $n->port . '/api/crm/inbox', 64,
            "$ROOT/t/bench/get.lua", $token);
        push @ratio, $ours->{rps} / $base->{rps};
        push @p99, $ours->{p99} / 1e3;
        $last = $ours;
        say_(sprintf 'round=%d static=%.0f/s inbox=%.0f/s ratio=%.2f'
            . ' p50=%.2fms p99=%.2fms', $round, $base->{rps}, $ours->{rps},
            $ratio[-1], $ours->{p50} / 1e3, $ours->{p99} / 1e3);
    }
    my $events = ($d->sql('SELECT count(*) FROM messages') - $before)
        / (time - $begin);
    kill 'KILL', $trickle;
    waitpid $trickle, 0;
    die sprintf("bench: only %.1f events/s were applied\n", $events)
        if $events < 5;
    my $memory = memory_of($d);
    shut($d);

    return (ratio => sprintf('%.2f', median(@ratio)),
        rps => sprintf('%.0f', $last->{rps}), bytes => $size,
        p99_ms => sprintf('%.2f', median(@p99)),
        events_per_s => sprintf('%.1f', $events),
        memory_mb => sprintf('%.1f', $memory));
}

1;
