#!/usr/bin/env perl
# A day at the desk, in a real browser: sign-in, what donors write, what is
# sent to them, their gifts, a number's QR.

use strict;
use warnings;

use POSIX qw(strftime);
use Test::More;

use lib 't/lib';
use Wacrm::Browser;

my $day = strftime('%Y-%m-%d', gmtime(time + 7 * 3600 - 40 * 86400));
my $d = Wacrm::Browser::desk(
    donors => "phone,name,date,amount,fund,ref\n"
        . "081210000001,Aminah,$day,9500000,Zakat,R-1\n"
        . "081210000002,Budi,$day,150000,Infak,R-2\n")->start;
Wacrm::Browser::run($d, 'flows.mjs');
$d->sound;
$d->done;
