#!/usr/bin/env perl
# A flood of large events: what wacrmd takes for it is bounded by bytes, not by
# how many events wait or what is in them, and it gives it back.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

plan skip_all => 'sanitizers have memory of their own'
    if $ENV{WACRM_SANITIZED};

# MB of wacrmd's own. Of them some 15 are what the database and the index keep
# of their pages, 4 the records of two batches, 4 what was read of them.
my $MOST = 40;
my $AFTER = 30;

my $d = Wacrm::Desk->new(agents => 0,
    wacrmd => sub { s/^log_level = debug$/log_level = info/m or die })->start;
my $events = 0;

sub anonymous {
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/smaps_rollup'
        or die "smaps_rollup: $!";
    my ($kb) = join('', <$fh>) =~ /^Pss_Anon:\s+(\d+) kB/m;
    return $kb / 1024;
}

sub waiting {
    my $m = $d->{nginx}->metrics('/metrics');
    my ($records) = map { $m->{$_} } grep { /^wacrm_spool_records/ } keys %$m;
    return $records // -1;
}

# $more: members of its data.
sub event {
    my ($text, $more) = @_;

    $events++;
    return sprintf '{"event":"message.received","data":{"from":"62812%07d",'
        . '"pushName":"Donatur","type":"text","id":"3EB0BE%010d",'
        . '"timestamp":%d,"message":"%s"%s}}', $events % 500, $events, time,
        $text, $more;
}

# They wait in the spool, then all of them come at once.
sub flood {
    my ($n, $make) = @_;

    kill 'STOP', $d->wacrmd_pid;
    my ($socket, $taken) = (undef, 0);
    for my $i (1 .. $n) {
        my $body = $make->($i);
        $socket = $d->{nginx}->connect if $i % 500 == 1;
        my $r = $d->{nginx}->request('POST', '/api/webhook/whatsapp',
            socket => $socket, body => $body, headers => {
                'Content-Type' => 'application/json',
                $d->{nginx}->waapi($body, 'webhook-secret-of-the-test-00001')
            });
        $taken++ if $r && $r->{status} == 200;
    }
    is($taken, $n, "$n events wait");
    my $peak = 0;
    kill 'CONT', $d->wacrmd_pid;
    my ($end, $applied) = (time + 300, 0);
    for (my $i = 0; !$applied && time < $end; $i++) {
        my $now = anonymous();
        $peak = $now if $now > $peak;
        sleep 0.005;
        $applied = $i % 10 == 9 && waiting() == 0;
    }
    ok($applied, 'and are applied');
    return $peak;
}

my %flood = (
    'short texts' => [2000, sub { event("pendek $_[0]", '') }],
    'long texts' => [2000, sub { event("panjang $_[0] " . 'infak ' x 3400, '') }],
    'pictures in the event' => [500, sub {
        event("foto $_[0]", ',"thumbnail":"' . 'QUJD' x 16_000 . '"') }],
    'many small values' => [500, sub {
        event("daftar $_[0]", ',"list":[' . join(',', ('{}') x 6000) . ']') }],
);
for my $what (sort keys %flood) {
    my $peak = flood(@{$flood{$what}});
    note(sprintf '%s: %.1f MB', $what, $peak);
    cmp_ok($peak, '<=', $MOST, "$what: memory is bounded");
    my $left;
    ok($d->wait_for(sub { ($left = anonymous()) <= $AFTER }, 60),
        "$what: and given back") or diag("$left MB are left");
}
is($d->sql('SELECT count(*) FROM messages WHERE direction = 0'), $events,
    'all of them are there');

$d->done;
