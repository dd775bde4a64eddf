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

my $root = $Wacrm::Nginx::ROOT;
my $d = Wacrm::Browser::desk(agents => 0, sim_args => ['--demo']);
open my $agents, '<', "$root/scripts/demo/agents" or die $!;
while (<$agents>) {
    my ($role, $mail, $name) = /^(\w+)\|(\S+)\|(.+)$/ or next;
    my ($rc, $out) = $d->ctl(['user', 'add', '--role', $role, '--name', $name,
        $mail], "$Wacrm::Desk::PASSWORD\n");
    is($rc, 0, "the agent $mail") or diag($out);
}
my ($rc, $out) = $d->ctl(['import', '-'], scalar(`$root/scripts/demo/donations`)
    . "081299900001,Tanpa Percakapan,2026-01-05,500000,Zakat,transfer,LOOK-1\n");
is($rc, 0, 'the donors') or diag($out);
$d->start;
$d->sim('/_sim/config', { demo => { quiet => \1 }, scanMs => undef });
open my $day, '|-', "$root/scripts/demo/day",
    'http://127.0.0.1:' . $d->{nginx}->port,
    "http://127.0.0.1:$d->{sim_port}" or die $!;
print {$day} "$Wacrm::Desk::PASSWORD\n";
ok(close $day, 'the day');
ok($d->applied, 'is applied');
Wacrm::Browser::run($d, 'looks.mjs', domain => 'wacrm.example');
$d->done;
