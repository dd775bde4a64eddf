#!/usr/bin/env perl
# Every dialog of the desk, and what is no page of its own, on a day of the
# demo: wide and narrow, light and dark. Looks go to build/screenshots.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

plan skip_all => 'pages look the same with sanitizers'
    if $ENV{WACRM_SANITIZED};

my $d = Wacrm::Browser::demo_day(
    "081299900001,Tanpa Percakapan,2026-01-05,500000,Zakat,transfer,LOOK-1\n");
Wacrm::Browser::run($d, 'looks.mjs', domain => 'wacrm.example');
$d->done;
