#!/usr/bin/env perl
# What donors write to take over the desk is shown, not run.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

my $d = Wacrm::Browser::desk->start;
$ENV{WACRM_SIM} = "http://127.0.0.1:$d->{sim_port}";
Wacrm::Browser::run($d, 'hostile.mjs');
$d->sound;
$d->done;
