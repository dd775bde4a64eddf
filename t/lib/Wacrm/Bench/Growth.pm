package Wacrm::Bench::Growth;

# What an operation costs the daemon's processor with 10,000, 100,000 and a
# million messages (and a tenth of that in donors), at the same number of
# messages a day. Reports over all gifts are in the table, too: they read all.

use strict;
use warnings;

use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);

use Wacrm::Bench;
use Wacrm::Bench::History;

my @SIZES = (10_000, 100_000, 1_000_000);
my $EVENTS = 1000;

my @NAMES = qw(inbox conversation contact contacts search dashboard sessions
    events reminders metrics apply send start rfm lapsed retention);
my %reads_all = map { $_ => 1 } qw(rfm lapsed retention);

sub lines_of {
    my ($file) = @_;

    open my $fh, '<', $file or die "bench: $file: $!\n";
    chomp(my @lines = <$fh>);
    return @lines;
}

# Cursors of pages all over the list, as the list itself gives them.
sub cursors {
    my ($d, $token) = @_;

    my @next = ('');
    while (@next < 200) {
        my $r = $d->api(GET => "/api/crm/inbox?session_id=*&limit=5$next[-1]",
            token => $token);
        my $next = $r->{json}{meta}{next} or last;
        push @next, "&before=$next";
    }
    return @next;
}

sub paths {
    my ($d, $token) = @_;

    my @chats = shuffle map { $_->[0] }
        $d->sql('SELECT id FROM chats ORDER BY random() LIMIT 5000');
    my @phones = map { $_->[0] }
        $d->sql('SELECT phone FROM contacts ORDER BY random() LIMIT 5000');
    my $seq = $d->sql("SELECT value FROM counters WHERE name = 'event_seq'");
    return (
        inbox => [map { "/api/crm/inbox?session_id=*$_" }
            cursors($d, $token)],
        conversation => [map { "/api/crm/inbox/$_" } @chats],
        contact => [map { "/api/crm/contacts/$_" } @phones],
        contacts => [map { "/api/crm/contacts?limit=$_" } 20 .. 50],
        search => [map { "/api/crm/search?q=$_" }
            lines_of("$d->{queries}/medium")],
        dashboard => ['/api/crm/dashboard'],
        sessions => ['/api/crm/whatsapp/sessions'],
        events => [map { '/api/crm/events?since=' . ($seq - $_) } 1 .. 100],
        reminders => ['/api/crm/reminders'],
        metrics => ['/metrics/wacrmd'],
        rfm => ['/api/crm/reports/rfm'],
        lapsed => ['/api/crm/reports/lybunt'],
        retention => ['/api/crm/reports/retention'],
    );
}

sub reading {
    my ($d, $token, $paths) = @_;

    my $file = $d->{nginx}->write('paths',
        join '', map { "$_ $token\n" } @$paths);
    local $SECONDS = 0.3;
    poll($d->{nginx}->port, 1, $file, 'walk');
    $SECONDS = 1;
    my $before = cpu_us($d->{wacrmd_pid});
    my %r = poll($d->{nginx}->port, 1, $file, 'walk');
    return (cpu_us($d->{wacrmd_pid}) - $before) / $r{requests};
}

# The daemon stands still while they gather; then it has all of them to do.
sub applying {
    my ($d, $contacts) = @_;

    kill 'STOP', $d->{wacrmd_pid};
    for my $i (1 .. $EVENTS) {
        $d->event('message.received', { from => phone_of(1 + $i * 613
            % $contacts), message => "pesan baru $i", id => "3EB0G$$-$i",
            timestamp => int(time) });
    }
    my $before = cpu_us($d->{wacrmd_pid});
    kill 'CONT', $d->{wacrmd_pid};
    $d->applied(60) or die "bench: not applied\n";
    return (cpu_us($d->{wacrmd_pid}) - $before) / $EVENTS;
}

# From the request to the gateway's answer.
sub sending {
    my ($d, $token, $contacts) = @_;

    my $n = 25;
    my $before = cpu_us($d->{wacrmd_pid});
    for my $i (1 .. $n) {
        my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
            json => { session_id => 'demo', phone => phone_of($i * 4),
                message => "terima kasih $i" });
        die "bench: send: $r->{status} $r->{body}\n" if $r->{status} >= 300;
    }
    $d->wait_for(sub { !$d->sql('SELECT count(*) FROM outbox WHERE state < 4') },
        60) or die "bench: not all was sent\n";
    return (cpu_us($d->{wacrmd_pid}) - $before) / $n;
}

sub starting {
    my ($d) = @_;

    $d->wacrmd_stop;
    $d->wacrmd_start;
    return cpu_us($d->{wacrmd_pid});
}

sub desk_of {
    my ($n) = @_;

    my $d = history_desk($n, wacrmd => sub {
        s/^per_minute = .*/per_minute = 100000/m or die 'no pacing';
        s/^gap = .*/gap = 0s/m or die 'no gap';
        s/^first_per_minute = .*/first_per_minute = 100000/m or die 'no pacing';
    });
    return $d->start;
}

# name => us of processor time for one
sub costs {
    my ($n) = @_;

    my $d = desk_of($n);
    my $token = $d->login('admin@test.example');
    my %paths = paths($d, $token);
    my %cost = map { $_ => reading($d, $token, $paths{$_}) } keys %paths;
    $cost{apply} = applying($d, $n / 10);
    $cost{send} = sending($d, $token, $n / 10);
    $cost{start} = starting($d);
    shut($d);
    return \%cost;
}

sub run {
    my %all = map { $_ => costs($_) } @SIZES;
    my (%figure, @grows);
    say_(sprintf '%-14s' . '%12s' x @SIZES, 'us of cpu', @SIZES);
    for my $name (@NAMES) {
        my @us = map { $all{$_}{$name} } @SIZES;
        say_(sprintf '%-14s' . '%12.0f' x @us, $name, @us);
        # log n from 10,000 to a million: half as much again; the rest is for
        # caches that no longer hold it all
        push @grows, $name if $us[-1] > 3 * $us[0] && !$reads_all{$name};
        $figure{$name} = sprintf '%.0f', $us[-1];
    }
    return (%figure, grows => join(',', @grows) || 'none');
}

1;
