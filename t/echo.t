#!/usr/bin/env perl
# The seed's component listens with the real Echo, on its public channel and
# on the private one; a client that follows events misses and doubles nothing
# while wacrmd is killed.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Node;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        s/^welcome = on/welcome = off/m or die 'no welcome';
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s/^public_inbox = off/public_inbox = on/m or die 'no public_inbox';
    })->start;
$d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams/);
$d->allow(qr/upstream prematurely closed|recv\(\) failed/);

Wacrm::Node::run($d, 'echo.mjs', commands => {
    # returns when it is applied, or stored while wacrmd is dead
    say => sub {
        my ($from, $id, $text) = @_;
        my $status = $d->event('message.received', { from => $from,
            pushName => 'Budi', message => $text, type => 'text', id => $id,
            timestamp => int time * 1000 });
        die "webhook: $status" unless $status == 200;
        return $d->wacrmd_pid ? $d->applied : 1;
    },
    kill => sub { $d->wacrmd_kill; return 1 },
    start => sub { $d->wacrmd_start; return 1 },
});
$d->sound;
$d->done;
