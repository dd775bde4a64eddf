package Wacrm::Soak;

=head1 NAME

Wacrm::Soak - kills under load, and a ledger that knows every 200

=head1 SYNOPSIS

    my ($d, %n) = Wacrm::Soak::run(kills => 40, seconds => 60,
        say => sub { diag(@_) });
    # kills acked sent lost doubled unsent wrong
    $d->done;

=head1 DESCRIPTION

Gateways post events, each again until its 200; agents send messages, each
again under one Idempotency-Key until its 200. Meanwhile workers and master of
nginx, and wacrmd, get SIGKILL at random moments. Then everything may come to
rest, and the ledgers are held against the database and against what the
simulated gateway was asked for.

lost: events with a 200 that are not in the database. doubled: events that are
there twice, and messages that the gateway was asked for twice. unsent:
messages with a 200 that are neither sent nor said to be unknown. wrong:
answers that may not be, and what else the database must not show.

=cut

use strict;
use warnings;

use IO::Handle;
use JSON::PP ();
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Wacrm::Desk;

my $GATEWAYS = 6;
my $AGENTS   = 2;
my $SECRET   = 'webhook-secret-of-the-test-00001';

sub _desk {
    my $d = Wacrm::Desk->new(
        nginx_options => { workers => 2 },
        nginx => sub {
            s/(zone=send:1m +rate)=30r\/m/$1=1000r\/s/ or die 'no zone send';
        },
        wacrmd => sub {
            s/^per_minute = 30/per_minute = 0/m or die 'no per_minute';
            s/^gap = 1s/gap = 0ms/m or die 'no gap';
            s/^first_per_minute = 5/first_per_minute = 0/m or die 'no first';
            s/^welcome = on/welcome = off/m or die 'no welcome';
            s/^backoff = .*/backoff = 1s 1s 1s\nunknown_hold = 2s/m
                or die 'no backoff';
            s/^log_level = debug$/log_level = info/m;
        })->start;
    # what a killed process leaves its peers to say
    $d->allow(qr/exited on signal 9|cache manager|open socket #\d+ left/);
    $d->allow(qr/no live upstreams|upstream/);
    # nginx tries again until the killed ones have gone
    $d->allow(qr/bind\(\) to .* failed \(98:/);
    return $d;
}

sub _child {
    my ($code) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    $code->();
    POSIX::_exit(0);
}

# Asks until the answer is a 200; one that may not be goes into the ledger.
sub _insist {
    my ($ledger, $line, $ask) = @_;

    my $end = time + 120;
    while (time < $end) {
        my $r = eval { $ask->() };
        if ($r && $r->{status} == 200) {
            print {$ledger} "$line\n";
            return $r;
        }
        if ($r && $r->{status} && $r->{status} !~ /^50[234]$/) {
            print {$ledger} "BAD $line $r->{status}\n";
            return;
        }
        sleep 0.02;
    }
    print {$ledger} "BAD $line never\n";
    return;
}

sub _ledger {
    my ($d, $name) = @_;

    open my $fh, '>', "$d->{dir}/ledger.$name" or die $!;
    $fh->autoflush(1);
    return $fh;
}

sub _gateway {
    my ($d, $n) = @_;

    my $ledger = _ledger($d, "events.$n");
    for (my $i = 0; !-e "$d->{dir}/enough"; $i++) {
        my $id = sprintf 'SOAK%dX%07d', $n, $i;
        my $body = JSON::PP::encode_json({ event => 'message.received',
            data => { from => sprintf('62812%07d', ($i * 7 + $n) % 997),
                pushName => 'Donatur', message => "pesan $i", id => $id,
                timestamp => int(time * 1000) } });
        _insist($ledger, $id, sub { $d->{nginx}->post('/api/webhook/whatsapp',
            $body, $d->{nginx}->waapi($body, $SECRET)) });
        sleep 0.002;
    }
}

sub _agent {
    my ($d, $n, $token) = @_;

    my $ledger = _ledger($d, "sends.$n");
    for (my $i = 0; !-e "$d->{dir}/enough"; $i++) {
        my $text = sprintf 'balasan-%d-%06d', $n, $i;
        _insist($ledger, $text, sub { $d->api(
            POST => '/api/crm/messages/send', token => $token,
            headers => { 'Idempotency-Key' => $text },
            json => { phone => sprintf('62812%07d', $i % 997),
                message => $text }) });
        sleep 0.05;
    }
}

# One process of the house ends without a word, and what it was comes back.
sub _kill_one {
    my ($d, $count) = @_;

    my $turn = $count->{worker} + $count->{master} + $count->{wacrmd};
    my $n = $d->{nginx};
    if ($turn % 10 < 6) {
        my @workers = $n->workers;
        $count->{worker} += kill 'KILL', $workers[rand @workers] if @workers;
    } elsif ($turn % 10 < 7) {
        $n->kill_all;
        $n->start;
        $count->{master}++;
    } else {
        $d->wacrmd_kill;
        $d->wacrmd_start;
        $count->{wacrmd}++;
    }
}

sub _read {
    my ($d, $name) = @_;

    my (@good, @bad);
    for my $file (glob "$d->{dir}/ledger.$name.*") {
        open my $fh, '<', $file or die "$file: $!";
        while (my $line = <$fh>) {
            chomp $line;
            push @{$line =~ /^BAD / ? \@bad : \@good}, $line;
        }
    }
    return (\@good, \@bad);
}

# Events that came, by id.
sub _count_events {
    my ($d, $acked) = @_;

    my %stored = map { $_->[0] => $_->[1] }
        $d->sql("SELECT wa_id, count(*) FROM messages"
            . " WHERE wa_id LIKE 'SOAK%' GROUP BY wa_id");
    return (lost => scalar(grep { !$stored{$_} } @$acked),
        twice => scalar(grep { $_ > 1 } values %stored));
}

# Messages that left: what the gateway was asked for, and what the row says.
sub _count_sends {
    my ($d, $acked, $say) = @_;

    my %asked;
    # of some only the head came, before the caller was killed
    push @{$asked{$_->{body}{message}}}, $_
        for grep { defined $_->{body}{message} }
        $d->calls(route => 'send.text');
    for my $text (grep { @{$asked{$_}} > 1 } sort keys %asked) {
        $say->("twice: $text: calls "
            . JSON::PP->new->canonical->encode($asked{$text}) . ' rows '
            . join ' ', map { "(@$_)" } $d->sql('SELECT m.id, m.status,'
                . ' m.created_at, o.state, o.attempts FROM messages m'
                . ' LEFT JOIN outbox o ON o.message_id = m.id'
                . " WHERE m.body = '$text'"));
    }
    my %status = map { $_->[0] => $_->[1] }
        $d->sql("SELECT body, status FROM messages WHERE direction = 1");
    return (
        sent => scalar(@$acked),
        doubled => scalar(grep { @$_ > 1 } values %asked),
        unsent => scalar(grep {
            !defined $status{$_} || $status{$_} == 0
                || $status{$_} != 1 && !$asked{$_}
        } @$acked),
        unknown => scalar(grep { $_ == 1 } values %status));
}

sub run {
    my %opt = (kills => 40, seconds => 120, say => sub { }, @_);

    my $d = _desk();
    my @token = map { $d->login("cs$_\@test.example") } 1 .. $AGENTS;
    my @children = (
        (map { my $n = $_; _child(sub { _gateway($d, $n) }) } 1 .. $GATEWAYS),
        (map { my $n = $_; _child(sub { _agent($d, $n, $token[$n - 1]) }) }
            1 .. $AGENTS));

    my %kills = (worker => 0, master => 0, wacrmd => 0);
    my $end = time + $opt{seconds};
    my $told = time;
    my $sum = sub { $kills{worker} + $kills{master} + $kills{wacrmd} };
    while ($sum->() < $opt{kills} && time < $end) {
        sleep 0.03 + rand 0.15;
        _kill_one($d, \%kills);
        if (time - $told > 10) {
            $told = time;
            $opt{say}->(sprintf 'kills=%d of %d', $sum->(), $opt{kills});
        }
    }
    $d->{nginx}->write('enough', '');
    waitpid $_, 0 for @children;

    my ($events, $bad) = _read($d, 'events');
    my ($sends, $bad2) = _read($d, 'sends');
    $d->applied(120) or push @$bad, 'BAD the spool is not drained';
    $d->wait_for(sub { $d->sql('SELECT count(*) FROM outbox'
        . ' WHERE state < 3') == 0 }, 120);
    my %n = (kills => $sum->(), %kills, acked => scalar(@$events));
    my %events = _count_events($d, $events);
    my %sends = _count_sends($d, $sends, $opt{say});
    $n{doubled} = $events{twice} + delete $sends{doubled};
    $n{lost} = $events{lost};
    %n = (%n, %sends, wrong => @$bad + @$bad2);
    $opt{say}->($_) for @$bad, @$bad2;
    $d->sound;
    return ($d, %n);
}

1;
