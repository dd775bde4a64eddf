#!/usr/bin/env perl
# The short one of scripts/soak: kills under load, then every ledger is right.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Soak;

my ($d, %n) = Wacrm::Soak::run(kills => 40, seconds => 60, say => sub { diag(@_) });

cmp_ok($n{kills}, '>=', 10, "killed: $n{worker} workers, $n{master} masters,"
    . " $n{wacrmd} daemons");
cmp_ok($n{acked}, '>=', 500, 'events got their 200');
cmp_ok($n{sent}, '>=', 20, 'messages were taken to be sent');
cmp_ok($n{inflight}, '>=', 1, 'some were in flight when wacrmd was killed');
cmp_ok($n{asked} * 2, '>=', $n{sent}, "the gateway was asked for $n{asked} of"
    . " $n{sent}, $n{unknown} are unknown");
cmp_ok($n{followed}, '>=', 500, 'followers were told of them');
is($n{lost}, 0, 'no event is lost, none told to nobody');
is($n{doubled}, 0, 'no event is there twice, no message was sent twice');
is($n{unsent}, 0, 'every message was sent; only what was in flight is said to'
    . ' be unknown');
is($n{wrong}, 0, 'no answer but 200 and 50x');

$d->done;
