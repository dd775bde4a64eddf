package Wacrm::Soak;

=head1 NAME

Wacrm::Soak - kills under load, and a ledger that knows every 200

=head1 SYNOPSIS

    my ($d, %n) = Wacrm::Soak::run(kills => 40, seconds => 60,
        say => sub { diag(@_) });
    # kills acked sent asked unknown followed lost doubled unsent wrong
    $d->done;

    # the same load and ledgers for another harm
    my $d = Wacrm::Soak::desk(wacrmd_env => \%env);
    my $load = Wacrm::Soak::begin($d);
    ...
    my %n = Wacrm::Soak::finish($d, $load, $say);

=head1 DESCRIPTION

Gateways post events, each again until its 200; agents send messages, each
again under one Idempotency-Key until its 200. Meanwhile workers and master of
nginx, and wacrmd, get SIGKILL at random moments. Followers (Wacrm::Follower)
hear of it by WebSocket, and by number of what they have missed. Then everything
may come to rest, and the ledgers are held against the database and against what
the simulated gateway was asked for.

lost: events with a 200 that are not in the database, and stored ones that a
follower was never told of. doubled: events that are there twice, or were told
twice, and messages that the gateway was asked for twice. unsent:
messages with a 200 that are neither sent nor said to be unknown; in run() only
those may be unknown that were in flight when wacrmd was killed, and none may
have failed. asked: messages with a 200 that the gateway was asked for. wrong:
answers that may not be (answers: only these), and what else the database must
not show.

=cut

use strict;
use warnings;

use IO::Handle;
use JSON::PP ();
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Wacrm::Desk;
use Wacrm::Follower;

my $GATEWAYS  = 6;
my $AGENTS    = 2;
my $FOLLOWERS = 2;
# answers after which one asks again; 0: none came
our $PASSING = qr/^(?:0|50[234])$/;
# of the outbox, at once
my $FLIGHTS = 8;
my ($QUEUED, $UNKNOWN, $FAILED) = (0, 1, 6);
my $SECRET   = 'webhook-secret-of-the-test-00001';

sub desk {
    my %opt = @_;
    my $d = Wacrm::Desk->new(%opt,
        nginx_options => { workers => 2, %{$opt{nginx_options} || {}} },
        nginx => sub {
            s/(zone=send:1m +rate)=30r\/m/$1=1000r\/s/ or die 'no zone send';
        },
        wacrmd => sub {
            Wacrm::Desk::outbox_at_once(
                backoff => "1s 1s 1s\nunknown_hold = 2s\n"
                    . "max_inflight = $FLIGHTS");
            s/^log_level = debug$/log_level = info/m;
        });
    # what a killed process leaves its peers to say
    $d->allow(qr/exited on signal 9|cache manager|open socket #\d+ left/);
    $d->allow(qr/no live upstreams|upstream/);
    # nginx tries again until the killed ones have gone
    $d->allow(qr/bind\(\) to .* failed \(98:/);
    return $d;
}

# Whoever waits ends with the test, should that end early.
sub _over {
    my ($d, $file) = @_;
    return -e "$d->{dir}/$file" || getppid() != $d->{nginx}{owner};
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
        my $status = $r && $r->{status} || 0;
        if ($status == 200) {
            print {$ledger} "$line\n";
            return $r;
        }
        if ($status !~ $PASSING) {
            print {$ledger} "BAD $line $status\n";
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
    for (my $i = 0; !_over($d, 'enough'); $i++) {
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
    for (my $i = 0; !_over($d, 'enough'); $i++) {
        my $text = sprintf 'balasan-%d-%06d', $n, $i;
        _insist($ledger, $text, sub { $d->api(
            POST => '/api/crm/messages/send', token => $token,
            headers => { 'Idempotency-Key' => $text },
            # some to the same donor: they wait for each other
            json => { phone => sprintf('62812%07d', ($i >> 2) % 997),
                message => $text }) });
        sleep 0.05;
    }
}

# Writes down each event that it is told of, once or more often.
sub _follower {
    my ($d, $n, $token) = @_;

    my $ledger = _ledger($d, "follow.$n");
    my $f = Wacrm::Follower->new($d, $token, sub {
        my ($event) = @_;
        my $id = $event->{event} =~ /NewMessageReceived$/
            ? $event->{data}{message}{wa_message_id} : '-';
        print {$ledger} "$event->{seq} ", defined $id ? $id : '-', "\n";
    });
    print {$ledger} "BEGIN $f->{cursor}\n";
    $f->step(0.2) until _over($d, 'rest');
    my $end = time + 60;
    until ($f->catch_up || time > $end) {
        sleep 0.1;
    }
    print {$ledger} "BAD $_\n" for @{$f->{wrong}};
    print {$ledger} "TOLD $f->{live} $f->{fetched} $f->{connections}\n";
}

# Kills wacrmd, and keeps in mind what may be unknown from now on.
sub _kill_wacrmd {
    my ($d, $count) = @_;

    $d->wacrmd_kill;
    my @flights = map { $_->[0] }
        $d->sql('SELECT message_id FROM outbox WHERE state = 1');
    $count->{inflight}{$_} = 1 for @flights;
    $count->{crowded}++ if @flights > $FLIGHTS;
    $count->{wacrmd}++;
}

# One process of the house ends without a word, and what it was comes back.
sub _kill_one {
    my ($d, $count) = @_;

    my $turn = $count->{turn}++ % 10;
    my $n = $d->{nginx};
    if ($turn < 5) {
        my @workers = $n->workers;
        $count->{worker} += kill 'KILL', $workers[rand @workers] if @workers;
    } elsif ($turn == 5) {
        $n->kill_all;
        $n->start;
        $count->{master}++;
    } elsif ($turn == 6) {
        # workers without a master go on taking events
        my @orphans = $n->kill_master;
        sleep 0.3;
        $n->kill_orphans(@orphans);
        $n->start;
        $count->{master}++;
    } else {
        _kill_wacrmd($d, $count);
        if ($turn == 7) {
            # and once more while it starts
            $d->wacrmd_spawn;
            sleep rand 0.1;
            _kill_wacrmd($d, $count);
        }
        $d->wacrmd_start;
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
# inflight: ids of those that may be unknown; none: all of them.
sub _count_sends {
    my ($d, $acked, $say, $inflight) = @_;

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
    my %row = map { $_->[0] => { id => $_->[1], status => $_->[2] } }
        $d->sql('SELECT body, id, status FROM messages WHERE direction = 1');
    my @unsent = grep {
        my $m = $row{$_};
        !$m || $m->{status} == $QUEUED || ($m->{status} == $UNKNOWN
            ? $inflight && !$inflight->{$m->{id}}
            : !$asked{$_} || $inflight && $m->{status} == $FAILED)
    } @$acked;
    for my $text (@unsent) {
        $say->("unsent: $text: " . join ' ', map { "(@$_)" }
            $d->sql('SELECT m.id, m.status, m.error_code, m.error_title,'
                . ' o.state, o.attempts, o.reason FROM messages m LEFT JOIN'
                . " outbox o ON o.message_id = m.id WHERE m.body = '$text'"));
    }
    return (
        sent => scalar(@$acked),
        asked => scalar(grep { $asked{$_} } @$acked),
        doubled => scalar(grep { @$_ > 1 } values %asked),
        unsent => scalar(@unsent),
        unknown => scalar(grep { $_->{status} == $UNKNOWN } values %row));
}

# What every follower was told of: each stored message once.
sub _count_followed {
    my ($d, $say) = @_;

    my @stored = map { $_->[0] } $d->sql("SELECT wa_id FROM messages"
        . " WHERE wa_id LIKE 'SOAK%' AND direction = 0");
    my %n = (followed => 0, missed => 0, again => 0, bad => 0, live => 0);
    for my $file (glob "$d->{dir}/ledger.follow.*") {
        my (%told, %seq);
        open my $fh, '<', $file or die "$file: $!";
        while (<$fh>) {
            if (/^(\d+) (\S+)/) {
                $n{followed}++;
                $n{again}++ if $seq{$1}++;
                $told{$2}++;
            } elsif (/^BAD (.*)/) {
                $n{bad}++;
                $say->("follower: $1");
            } elsif (/^TOLD (\d+) (\d+) (\d+)/) {
                $n{live} += $1;
                $n{complete}++;
                $say->("follower: live=$1 fetched=$2 connections=$3");
            }
        }
        $n{missed} += grep { !$told{$_} } @stored;
        $n{again} += grep { $_ ne '-' && $told{$_} > 1 } keys %told;
    }
    $n{bad}++ if ($n{complete} || 0) != $FOLLOWERS || !$n{live};
    return %n;
}

sub begin {
    my ($d) = @_;

    my @token = map { $d->login("cs$_\@test.example") } 1 .. $AGENTS;
    my $watch = $d->login('supervisor@test.example');
    my @followers = map { my $n = $_;
        _child(sub { _follower($d, $n, $watch) }) } 1 .. $FOLLOWERS;
    $d->wait_for(sub { $FOLLOWERS == grep { -s }
        glob "$d->{dir}/ledger.follow.*" }, 10) or die 'nobody follows';
    my @children = (
        (map { my $n = $_; _child(sub { _gateway($d, $n) }) } 1 .. $GATEWAYS),
        (map { my $n = $_; _child(sub { _agent($d, $n, $token[$n - 1]) }) }
            1 .. $AGENTS));
    return { children => \@children, followers => \@followers };
}

# Lets all come to rest, and counts.
sub finish {
    my ($d, $load, $say, $inflight) = @_;

    $d->{nginx}->write('enough', '');
    waitpid $_, 0 for @{$load->{children}};
    my ($events, $bad) = _read($d, 'events');
    my ($sends, $bad2) = _read($d, 'sends');
    $d->applied(120) or push @$bad, 'BAD the spool is not drained';
    $d->wait_for(sub { $d->sql('SELECT count(*) FROM outbox'
        . ' WHERE state < 3') == 0 }, 120);
    $d->{nginx}->write('rest', '');
    waitpid $_, 0 for @{$load->{followers}};
    my %n = (acked => scalar(@$events));
    my %events = _count_events($d, $events);
    my %sends = _count_sends($d, $sends, $say, $inflight);
    my %follow = _count_followed($d, $say);
    $n{doubled} = $events{twice} + $follow{again} + delete $sends{doubled};
    $n{lost} = $events{lost} + $follow{missed};
    %n = (%n, %sends, followed => $follow{followed},
        answers => @$bad + @$bad2, wrong => @$bad + @$bad2 + $follow{bad});
    $say->($_) for @$bad, @$bad2;
    $d->sound;
    return %n;
}

sub run {
    my %opt = (kills => 40, seconds => 120, say => sub { }, @_);

    my $d = desk()->start;
    my $load = begin($d);
    # calls are under way when something is killed
    $d->sim('/_sim/behaviour', { route => 'send.text', do => 'slow', ms => 100,
        times => -1 });
    my %count = (turn => 0, worker => 0, master => 0, wacrmd => 0,
        inflight => {}, crowded => 0);
    my $end = time + $opt{seconds};
    my $told = time;
    my $sum = sub { $count{worker} + $count{master} + $count{wacrmd} };
    while ($sum->() < $opt{kills} && time < $end) {
        sleep 0.03 + rand 0.15;
        _kill_one($d, \%count);
        if (time - $told > 10) {
            $told = time;
            $opt{say}->(sprintf 'kills=%d of %d', $sum->(), $opt{kills});
        }
    }
    sleep 1; # followers hear of some by their sockets
    my %n = (kills => $sum->(), (map { $_ => $count{$_} } qw(worker master wacrmd)),
        inflight => scalar(keys %{$count{inflight}}),
        finish($d, $load, $opt{say}, $count{inflight}));
    $n{wrong} += $count{crowded};
    return ($d, %n);
}

1;
