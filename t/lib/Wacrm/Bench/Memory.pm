package Wacrm::Bench::Memory;

# What nginx and wacrmd have for themselves with 100,000 donors and a million
# messages, at its highest while an office is at work: 200 agents poll, 150
# sockets are open, eight search, one opens conversation after conversation,
# messages go out, 100 a second come in; then files of webhooks at full speed.

use strict;
use warnings;

use IPC::Open2 qw(open2);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Wacrm::Bench;
use Wacrm::Bench::History;
use Wacrm::Bench::Inbox;

my $MESSAGES = $ENV{WACRM_BENCH_MESSAGES} || 1_000_000;
my $SOCKETS = 150;    # nginx takes 200 of one address

sub desk {
    my $d = history_desk($MESSAGES, wacrmd => sub {
        s/^public_inbox = off/public_inbox = on/m or die 'no inbox';
        s/^per_minute = .*/per_minute = 100000/m or die 'no pacing';
        s/^gap = .*/gap = 0s/m or die 'no gap';
    });
    return $d->start;
}

sub at_work {
    my ($code) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    $0 = 'bench agents';
    eval { $code->() while 1 };
    print STDERR $@;
    POSIX::_exit(1);
}

# Processes that work until they are killed.
sub office {
    my ($d) = @_;

    my $n = $d->{nginx};
    my %tokens = agent_tokens($d);
    my $admin = $d->login('admin@test.example');
    my ($inbox) = Wacrm::Bench::Inbox::write_views($d, \%tokens);
    my @words = map { my $kind = $_; open my $fh, '<', "$d->{queries}/$kind"
        or die "bench: $kind: $!\n"; chomp(my @l = <$fh>); @l }
        qw(frequent mixed medium prefix names);
    my $search = $n->write('search.list', join '', map {
        "/api/crm/search?q=$_ $admin\n" } @words);
    my $chats = $n->write('chats.list', join '', map {
        "/api/crm/inbox/$_->[0] $admin\n" }
        $d->sql('SELECT id FROM chats ORDER BY random() LIMIT 20000'));
    my $port = $n->port;
    my $i = 0;
    return (
        (map { trickle($d, 25, $MESSAGES / 10) } 1 .. 4),
        at_work(sub { poll($port, 200, $inbox) }),
        at_work(sub { poll($port, 8, $search, 'walk') }),
        at_work(sub { poll($port, 1, $chats, 'walk') }),
        at_work(sub {
            $i++;
            $d->api(POST => '/api/crm/messages/send', token => $admin,
                json => { session_id => 'demo', phone => phone_of($i * 4),
                    message => "terima kasih $i" });
            sleep 2;    # 30 a minute are let through
        }),
    );
}

sub run {
    my $d = desk();
    my @all = ($d->{wacrmd_pid}, $d->{nginx}->pid,
        $d->{nginx}->workers(qr/^nginx/));
    my $before = own_kb(@all) / 1024;
    my $sockets = open2(my $out, my $in, "$TOOLS/sockets",
        '127.0.0.1:' . $d->{nginx}->port, $SOCKETS, 'inbox');
    (<$out> || '') =~ /^ready/ or die "bench: no sockets\n";
    my @pids = office($d);
    my ($peak, $end) = (0, time + 5 * $SECONDS);
    while (time < $end) {
        my $now = own_kb(@all) / 1024;
        $peak = $now if $now > $peak;
        sleep 0.25;
    }
    my $events = $d->{nginx}->metrics('/metrics/wacrmd');
    memory_of($d);
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
    my @pool = pool($d->{nginx}, 100_000, '/api/webhook/whatsapp',
        'webhook-secret-of-the-test-00001');
    my $flow = at_work(sub {
        wrk('http://127.0.0.1:' . $d->{nginx}->port, 256, @pool);
        POSIX::_exit(0);
    });
    my ($flood, $flowing, $left) = (0, 1, time + 120);
    while ($flowing || !drained($d)) {
        my $now = own_kb(@all) / 1024;
        $flood = $now if $now > $flood;
        die "bench: not drained\n" if time > $left;
        $flowing = 0 if $flowing && waitpid($flow, WNOHANG) == $flow;
        sleep 0.1;
    }
    memory_of($d);
    close $in;
    waitpid $sockets, 0;
    shut($d);
    return (idle_mb => sprintf('%.1f', $before),
        memory_mb => sprintf('%.1f', $peak),
        flood_mb => sprintf('%.1f', $flood), sockets => $SOCKETS,
        sent => $events->{wacrm_outbox_sent_total},
        applied => $events->{wacrm_intake_events_total});
}

1;
