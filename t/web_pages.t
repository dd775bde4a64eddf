#!/usr/bin/env perl
# Every page of the desk on a day of the demo: looks go to build/screenshots,
# for whoever changes a page to look at.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

plan skip_all => 'pages look the same with sanitizers'
    if $ENV{WACRM_SANITIZED};

my $d = Wacrm::Browser::demo_day();
Wacrm::Browser::run($d, 'pages.mjs', domain => 'wacrm.example');
$d->done;
