#!/usr/bin/env perl
# The seed's own front-end calls, with the real axios, against a desk.

use strict;
use warnings;

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Node;

my $day = strftime('%Y-%m-%d', gmtime(time + 7 * 3600 - 40 * 86400));
my $d = Wacrm::Desk->new(
    donors => "phone,name,date,amount,fund,ref\n"
        . "081210000001,Aminah,$day,7500000,Zakat,R-1\n"
        . "081210000001,Aminah,$day,2500001,Infak,R-2\n",
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome';
        s/^gap = 1s/gap = 0s/m or die 'no gap' },
    sim_args => ['--shape', 'seed'],
)->start;

my $now = int time;
my @letters = (
    ['6281210000001', 'Aminah', 'satu', 'dua', 'tiga'],
    ['6281210000002', 'Budi', 'halo'],
    ['6281210000003', 'Citra', 'pertama', 'kedua'],
);
my $n = 0;
for (@letters) {
    my ($from, $name, @texts) = @$_;
    for my $text (@texts) {
        is($d->event('message.received', { from => $from, pushName => $name,
            message => $text, type => 'text', id => 'SEED' . ++$n,
            timestamp => $now - 600 + $n }), 200, "'$text' is taken");
    }
}
is($d->event('message.received', { from => '6281210000004',
    type => 'image', id => 'SEEDPIC', timestamp => $now - 300 }), 200,
    'a picture without a text and without a name is taken');
ok($d->applied, 'and all are applied');

Wacrm::Node::run($d, 'dropin.mjs');

my $token = $d->login('cs1@test.example');
ok($d->wacrmd_stop, 'wacrmd stops');
$d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams/);
Wacrm::Node::run($d, 'dropin.mjs', phase => 'away', token => $token);
$d->wacrmd_start;
$d->sound;
$d->done;
