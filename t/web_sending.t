#!/usr/bin/env perl
# What is written reaches whom it was written for, once, or whoever wrote it is
# told and has it back: another chat opened meanwhile, a colleague quicker,
# files, a day's sleep, two tabs, signing out.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

my $d = Wacrm::Browser::desk->start;
Wacrm::Browser::run($d, 'sending.mjs');
$d->sound;
$d->done;
