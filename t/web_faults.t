#!/usr/bin/env perl
# The desk when things go wrong: wacrmd killed, the network cut, a colleague
# quicker, signed out from elsewhere.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

my $d = Wacrm::Browser::desk(wacrmd => sub {
    s/^backoff = .*/backoff = 1s 1s 1s\nunknown_hold = 3s/m
        or die 'no backoff';
})->start;
$d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams|upstream prematurely closed|recv\(\) failed|send\(\) failed/);
Wacrm::Browser::run($d, 'faults.mjs');
$d->sound;
$d->done;
