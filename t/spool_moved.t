#!/usr/bin/env perl
# A spool that is moved away under both halves: after nginx's reload events go
# into a new one. wacrmd notices, ends, and a restart takes them.

use strict;
use warnings;

use POSIX qw(WNOHANG);
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

sub body {
    my ($id) = @_;

    return { event => 'message.received', data => { id => $id,
        from => '6281234500001', message => 'halo', timestamp => time } };
}

my $d = Wacrm::Desk->new(agents => 0)->start;
$d->allow(qr/the spool was replaced/);
is($d->webhook(body('MOVE1'))->{status}, 200, 'before');
ok($d->wait_for(sub { $d->sql("SELECT count(*) FROM messages") }), 'applied');

rename "$d->{dir}/spool", "$d->{dir}/spool.old" or die $!;
$d->{nginx}->reload(wait => 1);
ok($d->within(20, sub { $d->webhook(body('MOVE2'))->{status} == 200 }),
    'events go into a new spool');

my $pid = $d->wacrmd_pid;
my $status;
ok($d->within(20, sub {
    $status = $? if waitpid($pid, WNOHANG) == $pid;
    defined $status;
}), 'wacrmd ends by itself');
is($status >> 8, 1, 'with 1, so that its supervisor starts it again');
like($d->log, qr/spool was replaced.* path=\S+spool/, 'and says why');

$d->wacrmd_start;
ok($d->wait_for(sub {
    $d->sql("SELECT count(*) FROM messages WHERE wa_id = 'MOVE2'")
}), 'a restart takes what came meanwhile');

$d->done;
