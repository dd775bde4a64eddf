#!/usr/bin/env perl
# A spool that is moved away under both halves: after nginx's reload events go
# into a new one. wacrmd notices, ends, and a restart takes them. A token that is
# revoked is never let in, though the new one was not told of it yet.

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

my $d = Wacrm::Desk->new->start;
$d->allow(qr/the spool was replaced/);
is($d->webhook(body('MOVE1'))->{status}, 200, 'before');
ok($d->wait_for(sub { $d->sql("SELECT count(*) FROM messages") }), 'applied');

my $token = $d->login('admin@test.example');
my %answers;

sub ask {
    my $status = $d->api(GET => '/api/auth/me',
        token => $token)->{status} || 0;
    $answers{$status}++;
    return $status;
}

is(ask(), 200, 'a token');
is($d->api(POST => '/api/auth/logout', token => $token)->{status}, 200,
    'logout');
ok($d->wait_for(sub { ask() == 401 }), 'it is revoked');
%answers = ();

rename "$d->{dir}/spool", "$d->{dir}/spool.old" or die $!;
$d->{nginx}->reload(wait => 1);
ok($d->within(20, sub { ask(); $d->webhook(body('MOVE2'))->{status} == 200 }),
    'events go into a new spool');

my $pid = $d->wacrmd_pid;
my $status;
ok($d->within(20, sub {
    ask();
    $status = $? if waitpid($pid, WNOHANG) == $pid;
    defined $status;
}), 'wacrmd ends by itself');
is($status >> 8, 1, 'with 1, so that its supervisor starts it again');
like($d->log, qr/spool was replaced.* path=\S+spool/, 'and says why');

$d->wacrmd_start;
ok($d->wait_for(sub {
    $d->sql("SELECT count(*) FROM messages WHERE wa_id = 'MOVE2'")
}), 'a restart takes what came meanwhile');
ok($d->wait_for(sub { ask() == 401 }), 'the token is revoked there, too');
ok(!$answers{200}, 'and was not let in for a moment')
    or diag join ' ', %answers;

$d->done;
