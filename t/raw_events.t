#!/usr/bin/env perl
# Events are kept as they came for raw_retention days, and not at all with 0d;
# a reload changes that for the next event.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $n = 0;

# the number of raw events after one more
sub raw {
    my ($d) = @_;

    my $id = 'RAW' . ++$n;
    $d->webhook({ event => 'message.received', data => { id => $id,
        from => '6281234500001', message => 'halo', timestamp => time } });
    $d->wait_for(sub {
        $d->sql("SELECT count(*) FROM messages WHERE wa_id = '$id'")
    });
    return $d->sql('SELECT count(*) FROM raw_events');
}

my $d = Wacrm::Desk->new(agents => 0)->start;
is(raw($d), 1, 'kept');

my $conf = $d->{nginx}->read('wacrmd.conf');
(my $none = $conf) =~ s/^raw_retention = .*/raw_retention = 0d/m;
for (['0d', $none, 1], ['30d', $conf, 2]) {
    my ($name, $text, $want) = @$_;
    my $mark = length $d->log;
    $d->{nginx}->write('wacrmd.conf', $text);
    kill 'HUP', $d->wacrmd_pid;
    ok($d->wait_for(sub { substr($d->log, $mark) =~ /raw_retention/ }),
        "reload with $name");
    is(raw($d), $want, "then: $want");
}

$d->done;
