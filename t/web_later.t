#!/usr/bin/env perl
# What leaves later, files that did not come, and the way back of a socket: a
# browser at the real thing.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

my $d = Wacrm::Browser::desk->start;
$d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams|upstream prematurely closed|recv\(\) failed|send\(\) failed/);
Wacrm::Browser::run($d, 'later.mjs');
$d->sound;
$d->done;
