package Wacrm::Bench::Realtime;

# Thousands of sockets: memory, and how soon they are told.

use strict;
use warnings;

use IO::Handle ();
use IPC::Open2 qw(open2);
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime time);

use Wacrm::Bench;
use Wacrm::Desk;

sub listening_desk {
    my $d = Wacrm::Desk->new(
        nginx_options => { workers => 1, level => 'notice',
            events => 'worker_connections 8192;' },
        nginx => sub { s/^ *limit_conn .*\n//mg or die 'no limit' },
        wacrmd => sub {
            s/^log_level = debug$/log_level = info/m;
            s/^welcome = on/welcome = off/m or die 'no welcome';
            s/^public_inbox = off/public_inbox = on/m or die 'no inbox';
        });
    return $d->start;
}

# Idle clients; returns how to tell them something, which returns the ms from
# the webhook's 200 to the last one's frame (negative: the frame came first).
sub clients {
    my ($address, $n) = @_;

    my $pid = open2(my $out, my $in, "$TOOLS/sockets", $address, $n, 'inbox');
    my $line = <$out> || '';
    my ($ms) = $line =~ /^ready .*connect_ms=(\d+)/
        or die "bench: sockets said: $line\n";
    my $tell = sub {
        my ($d, $i) = @_;
        print {$in} "\n";
        $in->flush;
        $d->event('message.received', { from => '6281234567890',
            pushName => 'Donatur', message => "pesan $i",
            id => "3EB0R$$" . "X$i", timestamp => int(time) }) == 200
            or die "bench: the webhook does not take it\n";
        my $sent = clock_gettime(CLOCK_MONOTONIC);
        my ($last) = (<$out> || '') =~ /^told n=$n .*last_us=(\d+)/
            or die "bench: not all were told\n";
        return $last / 1e3 - $sent * 1e3;
    };
    return ($tell, $ms, sub { close $in; waitpid $pid, 0 });
}

# (bytes of wacrmd, of nginx, for each client; ms from the commit to the last
# write, to the last frame)
sub audience {
    my ($n, $through) = @_;

    my $d = listening_desk();
    my @nginx = ($d->{nginx}->pid, $d->{nginx}->workers(qr/^nginx/));
    $d->event('message.received', { from => '6281234567890',
        pushName => 'Donatur', message => 'pertama', id => '3EB0R0',
        timestamp => int(time) });
    $d->applied;
    my @before = (own_kb($d->{wacrmd_pid}), own_kb(@nginx));
    my ($tell, $ms, $end) = clients($through
        ? '127.0.0.1:' . $d->{nginx}->port : "unix:$d->{dir}/http.sock", $n);
    my @each = map { $_ * 1024 / $n } own_kb($d->{wacrmd_pid}) - $before[0],
        own_kb(@nginx) - $before[1];
    my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    my $cpu = cpu_us($d->{wacrmd_pid});
    my @last = map { $tell->($d, $_) } 1 .. 20;
    $cpu = (cpu_us($d->{wacrmd_pid}) - $cpu) / 1e3 / @last;
    my $now = $d->{nginx}->metrics('/metrics/wacrmd');
    my ($count, $s) = map { $now->{$_} - $m->{$_} }
        'wacrm_realtime_fanouts_total', 'wacrm_realtime_fanout_seconds_total';
    my @told = ($s / $count * 1e3, median(@last));
    say_(sprintf 'clients=%d %s connect=%dms wacrmd=%.0fB/client'
        . ' nginx=%.0fB/client commit_to_last_write=%.1fms'
        . ' 200_to_last_frame=%.1fms cpu=%.1fms/event', $n,
        $through ? 'through nginx' : 'on the socket', $ms, @each, @told,
        $cpu);
    $end->();
    shut($d);
    return (@each, @told);
}

sub run {
    my ($own, undef, $write, $frame) = audience(9000, 0);
    my ($ours, $theirs, $write2, $frame2) = audience(2000, 1);
    return (clients => 9000,
        bytes_per_client => sprintf('%.0f', $own),
        commit_to_write_ms => sprintf('%.1f', $write),
        last_frame_ms => sprintf('%.1f', $frame),
        nginx_clients => 2000,
        nginx_bytes_wacrmd => sprintf('%.0f', $ours),
        nginx_bytes_nginx => sprintf('%.0f', $theirs),
        nginx_commit_to_write_ms => sprintf('%.1f', $write2),
        nginx_last_frame_ms => sprintf('%.1f', $frame2));
}

1;
