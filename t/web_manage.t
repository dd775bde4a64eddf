#!/usr/bin/env perl
# What is kept of a donor, and the pages of supervisors and administrators, in
# a real browser: consent, merging, erasure, import, templates, agents, audit.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Browser;

my $d = Wacrm::Browser::desk(
    donors => "phone,name,date,amount,fund,ref\n"
        . "081210000001,Aminah,2026-01-10,500000,Zakat,R-1\n"
        . "081210000002,Siti Ani,2026-02-10,150000,Infak,R-2\n"
        . "081210000003,Pergi,2025-02-10,250000,Infak,R-3\n")->start;
my %from = (6281210000001 => 'Aminah', 6281210000002 => 'Siti Ani',
    6281210000003 => 'Pergi');
for my $phone (sort keys %from) {
    $d->event('message.received', { from => $phone, pushName => $from{$phone},
        message => 'Assalamualaikum', type => 'text', id => "M$phone",
        timestamp => time });
}
ok($d->applied, 'they have written');
Wacrm::Browser::run($d, 'manage.mjs');
is($d->sql("SELECT count(*) FROM contacts WHERE name = 'Pergi'"), 0,
    'who was erased is gone');
is($d->sql("SELECT count(DISTINCT action) FROM audit WHERE action IN"
    . " ('contact.merge', 'contact.unmerge', 'contact.export',"
    . " 'contact.erase')"), 4, 'and it is noted');
$d->done;
