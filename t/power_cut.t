#!/usr/bin/perl

# What a power cut may leave of the spool and of the database, by
# t/fault/crash/log.h: in every state it opens, and what was acknowledged is
# there.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

my $tools = $ENV{WACRM_TOOLS} || 'build/release/tools';
my $unit = $tools =~ s/tools$/unit/r;
# thousands of small states: in memory, where there is such a place
my $dir = tempdir('wacrm-crash-XXXXXX', CLEANUP => 1,
    -d '/dev/shm' && -w _ ? (DIR => '/dev/shm') : (TMPDIR => 1));

# run NAME => VALUE ..., [COMMAND]: status and output
sub run {
    my $command = pop;
    my %env = @_;

    local @ENV{keys %env} = values %env;
    my $out = `@$command 2>&1`;
    return ($? >> 8, $out);
}

# Records commits to something new, then checks every state.
sub check {
    my ($what, $commits, %env) = @_;

    my $at = "$dir/$what";
    mkdir $at or die "$at: $!";
    my ($rc, $out) = run(["$tools/crash_$what", 'make', "$at/it"]);
    return (1, $out) if $rc;
    for my $copy (qw(before work)) {
        system('cp', '-r', "$at/it", "$at/$copy") == 0 or die 'cp';
    }
    ($rc, $out) = run(WACRM_RECORD_LOG => "$at/log",
        WACRM_RECORD_DIR => "$at/it", LD_PRELOAD => "$tools/record.so",
        %env, ["$tools/crash_$what", 'record', "$at/it", $commits]);
    return (1, $out) if $rc;
    ($rc, $out) = run(["$tools/crash_$what", 'check', "$at/log",
        "$at/before", "$at/work"]);
    system('rm', '-rf', $at);
    return ($rc, $out);
}

my ($rc, $out);
for (['spool', 300, 14_000], ['store', 60, 4_000]) {
    my ($what, $commits, $least) = @$_;
    ($rc, $out) = check($what, $commits);
    is($rc, 0, "$what: every state has what was acknowledged")
        or diag($out);
    my %n = $out =~ /(\w+)=(\d+)/g;
    diag("$what: $out" =~ s/\n//r);
    cmp_ok($n{states} || 0, '>', $least, "of $commits commits");

    # That it can fail: syncs that never reach the disk lose something.
    for my $lie (1, 50) {
        ($rc, $out) = check($what, $commits, WACRM_RECORD_LOSE_SYNC => $lie);
        isnt($rc, 0, "$what: sync $lie and what follows it are lost: found");
        like($out, qr/at state \d+ \(operation \d+, [a-z ]+\)/, 'and where');
    }
}

# The spool has no name before its first pages are on disk.
($rc, $out) = run(LD_PRELOAD => "$unit/shim.so", WACRM_FAULT_CALL => 'fsync',
    WACRM_FAULT_NTH => 1, WACRM_FAULT_FILE => 'data.mdb.new',
    ["$tools/crash_spool", 'make', "$dir/new"]);
is($rc, 1, 'the first sync fails');
like($out, qr/cannot be opened: Input\/output error/, 'and is told');
ok(!-e "$dir/new/data.mdb", 'there is no spool yet');
($rc, $out) = run(["$tools/crash_spool", 'make', "$dir/new"]);
is($rc, 0, 'the next start makes it') or diag($out);
ok(-e "$dir/new/data.mdb" && !-e "$dir/new/data.mdb.new", 'whole');

# Nor is it open before the names are: that of the file in the directory, at
# each start, as who made it may have died before; and that of the directory in
# its parent.
mkdir "$dir/parent" or die "$dir/parent: $!";
for my $case (['its parent', 'parent', qr{cannot be opened: I/O error}],
    ['itself', 'parent/named', qr/sync the directory: Input/])
{
    my ($what, $file, $says) = @$case;
    for my $start ('first', 'second') {
        ($rc, $out) = run(LD_PRELOAD => "$unit/shim.so",
            WACRM_FAULT_CALL => 'fsync', WACRM_FAULT_NTH => 1,
            WACRM_FAULT_FILE => "$dir/$file",
            ["$tools/crash_spool", 'make', "$dir/parent/named"]);
        is($rc, 1, "a sync of the directory, $what, fails: the $start start");
        like($out, $says, 'and is told');
    }
}
($rc, $out) = run(["$tools/crash_spool", 'make', "$dir/parent/named"]);
is($rc, 0, 'then it opens') or diag($out);

done_testing();
