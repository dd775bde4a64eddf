#!/usr/bin/perl

# The system calls of one event: the data is synced and the meta page written
# (through a descriptor opened with O_DSYNC) before the 200 goes out.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Nginx;

plan skip_all => 'needs strace' unless `strace -V 2>/dev/null`;

my $secret = 'a secret of enough bytes';

my $t = Wacrm::Nginx->new;
$t->write('secret', $secret);
$t->hook('16m');
$t->start;
is($t->post('/hook', '{}', $t->waapi('{}', $secret))->{status}, 200, 'warm');

my ($worker) = $t->workers;
my @flags = map { /^flags:\s*(\d+)/ ? oct $1 : () }
            map { open my $fh, '<', $_ or (); <$fh> }
            map { my $l = readlink; $l && $l =~ /data\.mdb$/
                  ? s{/fd/}{/fdinfo/}r : () } glob "/proc/$worker/fd/*";
ok(scalar(grep { $_ & 010000 } @flags), 'the meta page is written O_DSYNC');

my $trace = $t->path('trace');
my $strace = fork;
die unless defined $strace;
if ($strace == 0) {
    open STDERR, '>', '/dev/null';
    exec { 'strace' } 'strace', '-f', '-y', '-s', '20', '-o', $trace, '-e',
        'trace=fdatasync,fsync,msync,pwrite64,pwritev,write,writev,sendto',
        '-p', $worker
        or POSIX::_exit(127);
}

my $attached = 0;
$t->wait_for(sub {
    open my $fh, '<', "/proc/$worker/status" or return 0;
    $attached = grep { /^TracerPid:\s*[1-9]/ } <$fh>;
    return $attached || waitpid($strace, POSIX::WNOHANG()) != 0;
});

SKIP: {
    if (!$attached) {
        kill 'INT', $strace;
        waitpid $strace, 0;
        skip 'strace may not attach', 3;
    }
    sleep 0.2;

    is($t->post('/hook', '{}', $t->waapi('{}', $secret))->{status}, 200,
       'traced');
    kill 'INT', $strace;
    waitpid $strace, 0;

    my (%at, $n, %open);
    for (split /\n/, $t->read('trace')) {
        $n++;
        my ($thread) = /^(\d+)/;
        my $line = $_;
        if (/<unfinished/) {
            $open{$thread} = $_;
            next;
        }
        $line = $open{$thread} . $line if /resumed>/ && $open{$thread};
        $at{sync} = $n if $line =~ /fdatasync\(\d+<[^>]*data\.mdb>/;
        $at{meta} = $n if $line =~ /pwrite64\(\d+<[^>]*data\.mdb>/;
        $at{answer} = $n if $line =~ m{HTTP/1\.1 200};
    }
    ok($at{sync} && $at{answer} && $at{sync} < $at{answer},
       'fdatasync has returned before the 200 is written');
    ok($at{meta} && $at{answer} && $at{meta} > $at{sync}
       && $at{meta} < $at{answer}, 'so has the write of the meta page');
}

$t->done;
