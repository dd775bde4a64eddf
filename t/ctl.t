#!/usr/bin/env perl
# wacrmctl beside a busy house, and without it: each command while wacrmd runs
# and while it does not, wrong usage, restore, a second wacrmd, bad files.

use strict;
use warnings;
no warnings 'exec';

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Fault;
use Wacrm::Nginx;

# not below a sanitizer, which has a malloc() of its own
my $fault = $ENV{WACRM_SANITIZED} ? undef
    : Wacrm::Fault->live("/tmp/wacrm-fault.$$");
END { unlink "/tmp/wacrm-fault.$$" }
my $d = Wacrm::Desk->new(
    $fault ? (wacrmd_env => { $fault->env }) : (),
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' });
my $dir = $d->{dir};
$d->allow(qr/msg="backup failed"/); # tried on purpose

sub rows { scalar $d->sql("SELECT count(*) FROM $_[0]") }

sub event {
    return $d->event('message.received', { from => '6281600000001', id => $_[0],
        pushName => 'Siti', message => "isi $_[0]", timestamp => time });
}

# The commands that work up and down, told by whether wacrmd runs.
sub everywhere {
    my ($how) = @_;
    my $who = "$how\@test.example";
    my ($rc, $out) = $d->ctl([qw(user add --role supervisor --name), 'Bu Tri',
        $who], "sandi-rahasia-$how\n");
    is($rc, 0, "$how: user add") or diag($out);
    is(($d->ctl([qw(user add), $who], "sandi-rahasia\n"))[0], 1,
        "$how: not twice");
    is(($d->ctl([qw(user passwd), $who], "sandi-lain-$how\n"))[0], 0,
        "$how: user passwd");
    is(($d->ctl([qw(user passwd nobody@test.example)], "sandi-lain\n"))[0], 1,
        "$how: not of nobody");
    ($rc, $out) = $d->ctl([qw(user list)]);
    my $line = "email=$who role=supervisor active=true name=\"Bu Tri\"";
    like($out, qr/^id=\d+ $line$/m,
        "$how: user list");
    unlike($out, qr/\$y\$|sandi/, "$how: without hashes");
    ($rc, $out) = $d->ctl([qw(import -)], "phone,name,date,amount,ref\n"
        . "0816 0000 0009,Pak Imron,2026-01-02,50000,I-1\n"
        . "x,Bukan Nomor,,,\n");
    is($rc, 0, "$how: import") or diag($out);
    like($out, qr/^2 rows: \d new contacts, .* 1 left out$/m,
        "$how: import tells");
    is(rows("donations WHERE ref = 'I-1'"), 1, "$how: doubles nothing");
    is(($d->ctl(['import', "$dir/none.csv"]))[0], 1, "$how: no such file");
    is(($d->ctl([qw(import -)], "a,b\n1,2\n"))[0], 1, "$how: no column phone");
    ($rc, $out) = $d->ctl(['check']);
    is($rc, 0, "$how: check") or diag($out);
    ($rc, $out) = $d->ctl(['backup', "$dir/$how.db"]);
    is($rc, 0, "$how: backup") or diag($out);
    is(($d->ctl(['backup', "$dir/$how.db"]))[0], 1, "$how: never over one");
    is(($d->ctl(['backup', "$dir/none/x.db"]))[0], 1, "$how: no directory");
}

# ---- down ----

everywhere('down');
for my $cmd (['token', 'admin@test.example'], [qw(spool stat)],
    [qw(dead list)], [qw(dead show 1)], [qw(dead replay 1)],
    [qw(dead drop 1)], [qw(spool requeue all)], [qw(spool drop 1)]) {
    my ($rc, $out) = $d->ctl($cmd);
    is($rc, 1, "down: @$cmd");
    like($out, qr/^wacrmctl: @$cmd[0] .*start it first$/, 'down: what to do');
}

# ---- up, and busy ----

$d->start;
my $writer = fork;
die "fork: $!" unless defined $writer;
if (!$writer) {
    my $n = 0;
    event('BUSY' . $n++) while $n < 400;
    POSIX::_exit(0);
}
everywhere('up');
my ($rc, $out) = $d->ctl([qw(token up@test.example)]);
is($rc, 0, 'up: token');
chomp $out;
is($d->api(GET => '/api/auth/me', token => $out)->{json}{user}{name}, 'Bu Tri',
    'up: which is good');
is(($d->ctl([qw(token nobody@test.example)]))[0], 1, 'up: not of nobody');
($rc, $out) = $d->ctl([qw(spool stat)]);
is($rc, 0, 'up: spool stat');
like($out, qr/^id=[0-9a-f]{32} records=\d+ bytes=\d+ limit=\d+ size=\d+/,
    'up: in its form');
my $r = $d->api(POST => '/api/auth/login', json => {
    email => 'down@test.example', password => 'sandi-lain-down' });
is($r->{status}, 200, 'up: the password that was set while down');
waitpid $writer, 0;
is($?, 0, 'events meanwhile');
ok($d->applied, 'are applied');
is(rows("messages WHERE wa_id LIKE 'BUSY%'"), 400, 'all of them');
is($d->sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
for my $how (qw(down up)) {
    open my $fh, '-|', 'sqlite3', '-readonly', "$dir/$how.db",
        'PRAGMA integrity_check' or die $!;
    is(scalar <$fh>, "ok\n", "the backup made $how is sound");
    is(sprintf('%04o', (stat "$dir/$how.db")[2] & 07777), '0600',
        'and private');
}

# ---- the quarantine: of a later version, of none ----

my $tools = $ENV{WACRM_TOOLS} || 'build/release/tools';
open my $hex, '<', 't/data/spool/record-v1.hex' or die $!;
my $record = pack 'H*', join '', map { s/#.*//r =~ s/\s//gr } <$hex>;
substr($record, 3, 1) eq "\1" or die 'no version';
substr $record, 3, 1, "\2";

sub spool_put {
    my ($bytes) = @_;
    open my $put, '|-', "$tools/spool_put", "$dir/spool" or die $!;
    print {$put} $bytes;
    return close $put;
}

ok(spool_put($_), 'a record that nobody can read') for $record, 'no record';

# The numbers of what is in quarantine.
sub quarantined { ($d->ctl([qw(spool stat)]))[1] =~ /^quarantined=(\d+)/mg }

ok($d->wait_for(sub { 2 == (() = quarantined()) }), 'is quarantined');
my @first = quarantined();
($rc, $out) = $d->ctl([qw(spool requeue all)]);
is($rc, 0, 'requeue all') or diag $out;
like($out, qr/^2 records are in the spool again$/, 'both, once');
ok($d->wait_for(sub { my @now = quarantined();
    @now == 2 && $now[0] > $first[1] }), 'are judged anew');
my @now = quarantined();
is(($d->ctl(['spool', 'drop', $now[1]]))[0], 0, 'drop');
is_deeply([quarantined()], [$now[0]], 'is for good');
is(($d->ctl(['spool', 'requeue', $now[0]]))[0], 0, 'requeue');
for my $cmd ([qw(spool drop), $now[1]], [qw(spool requeue), $now[1]],
    [qw(spool drop x)], [qw(spool requeue -1)], [qw(spool drop all)]) {
    isnt(($d->ctl($cmd))[0], 0, "@$cmd: there is none");
}
is(rows("audit WHERE action IN ('dead.replay', 'dead.drop')"
    . " AND detail LIKE 'quarantine %'"), 5, 'all of it is in the audit');
ok($d->wait_for(sub { my @left = quarantined();
    @left == 1 && $left[0] > $now[0] }), 'still of a later version');

# more of them, on a slow disk, than wacrmd has time for at its end
if ($fault) {
    my $records = 41;
    spool_put($record) or die 'spool_put' for 2 .. $records;
    ok($d->wait_for(sub { $records == (() = quarantined()) }),
        "$records in quarantine");
    $fault->arm(calls => 'sync', file => 'data.mdb', late => 300, run => 1e6);
    open my $requeue, '-|', "$d->{build}/wacrmctl -c $dir/wacrmd.conf"
        . ' spool requeue all 2>&1' or die $!;
    ok($d->wait_for(sub { $fault->hits >= 4 }), 'requeue all, slowly');
    ok($d->wacrmd_stop, 'SIGTERM in the middle: in time, and 0');
    $fault->disarm;
    like(join('', <$requeue>),
        qr/^wacrmctl: wacrmd ends, after \d+ records: once more/,
        'which says so');
    ok(!close $requeue, 'and fails');
    $d->wacrmd_start;
    ok($d->wait_for(sub { $records == (() = quarantined()) }), 'none is lost');
    ($rc, $out) = $d->ctl([qw(spool requeue all)]);
    is("$rc $out", "0 $records records are in the spool again\n", 'once more');
}

# ---- wrong usage ----

for my $wrong ([], ['frobnicate'], ['user'], [qw(user add)], [qw(user list x)],
    [qw(dead)], [qw(dead show)], [qw(dead replay)], ['token'], ['import'],
    ['backup'], ['restore'], [qw(check x)], [qw(check --deep)],
    [qw(user add --role)], [qw(user add a@b.c d@e.f)], ['--nosuch', 'check'],
    [qw(spool)], [qw(spool stat x)], [qw(spool requeue)], [qw(spool drop)]) {
    my ($status, $text) = $d->ctl($wrong);
    is($status, 2, "usage: wacrmctl @$wrong");
    like($text, qr/usage:|--help/, 'with what would be right');
}
for my $bad (['user add', '--role', 'boss', 'x@test.example'],
    ['user add', 'no-address'], ['user add', 'y@test.example']) {
    my @args = (split(/ /, $bad->[0]), @$bad[1 .. $#$bad]);
    my $password = $args[-1] eq 'y@test.example' ? "short\n"
        : "sandi-rahasia\n";
    is(($d->ctl(\@args, $password))[0], 1, "@args: refused");
}
is(($d->ctl([qw(user add z@test.example)], ''))[0], 2, 'no password');
is(($d->ctl(['--help']))[0], 0, '--help');
is(rows("users WHERE email LIKE '_\@test.example'"), 0, 'nobody was added');

# ---- one wacrmd a state directory ----

my $mark = length $d->log;
my $second = fork;
die "fork: $!" unless defined $second;
if (!$second) {
    open STDERR, '>>', "$dir/second.out";
    open STDOUT, '>&', \*STDERR;
    exec "$d->{build}/wacrmd", '-c', "$dir/wacrmd.conf";
    POSIX::_exit(127);
}
waitpid $second, 0;
is($? >> 8, 1, 'a second wacrmd ends with 1');
my $said = $d->{nginx}->read('second.out');
is(scalar(() = $said =~ /\n/g), 1, 'in one line') or diag($said);
like($said, qr/uses this state directory: \Q$dir\E .*process $d->{wacrmd_pid}/,
    'that says why');
is(event('STILL'), 200, 'the first one');
ok($d->wait_for(sub { rows("messages WHERE wa_id = 'STILL'") == 1 }),
    'goes on: also its sockets are as they were');
is($d->api(GET => '/api/health')->{status}, 200, 'all of them');

# ---- restore ----

($rc, $out) = $d->ctl(['restore', "$dir/down.db"]);
is($rc, 1, 'no restore while wacrmd runs');
like($out, qr/stop it first/, 'and what to do');
ok($d->wacrmd_stop, 'wacrmd stops');
my $messages = rows('messages');
$d->{nginx}->write('broken.db', "SQLite format 3\0" . 'x' x 5000);
for my $file ("$dir/broken.db", "$dir/none.db", "$dir/wacrmd.conf", $dir) {
    ($rc, $out) = $d->ctl(['restore', $file]);
    is($rc, 1, 'no backup: ' . substr $file, length $dir);
    like($out, qr/not restored, the database is as it was: /, 'is told');
    is(rows('messages'), $messages, 'and changes nothing');
}
($rc, $out) = $d->ctl(['restore', "$dir/down.db"]);
is($rc, 0, 'restore') or diag($out);
is(rows('messages'), 0, 'an older state');
my ($kept) = $out =~ /the old database is (\S+)/;
ok($kept && -s $kept, 'the other one is kept');
$d->wacrmd_start;
is($d->api(POST => '/api/auth/login', json => { email => 'down@test.example',
    password => 'sandi-lain-down' })->{status}, 200, 'who was there then');
is($d->api(POST => '/api/auth/login', json => { email => 'up@test.example',
    password => 'sandi-lain-up' })->{status}, 401, 'and who was not');
$d->wacrmd_stop;
is(($d->ctl(['restore', $kept]))[0], 0, 'back again');
is(rows('messages'), $messages, 'all of it');
$d->wacrmd_start;
is($d->sql('PRAGMA integrity_check'), 'ok', 'sound');

# ---- files with errors: one line with file, line, reason, and 1 ----

my $good = $d->{nginx}->read('wacrmd.conf');
my $lines = () = $good =~ /\n/g;
for my $bad (['nosuch = 1' => 'nosuch'], ['[nosuch]' => 'nosuch'],
    ['timeout = soon' => 'timeout'], ['timeout =' => 'timeout'],
    ['read_receipts = maybe' => 'read_receipts'],
    ['base_url = http://a b' => 'base_url|twice'],
    ['token = ' . 'x' x 250 => 'long'],
    ['driver = nosuch' => 'driver "nosuch"'], ['just words' => 'just|=']) {
    my ($line, $reason) = @$bad;
    $d->{nginx}->write('bad.conf', "$good\n[gateway other]\n"
        . "base_url = http://127.0.0.1:9/x\n$line\n");
    # a driver is looked up at the end: for its section
    my $at = $lines + ($line =~ /^driver/ ? 2 : 4);
    for my $program ("$d->{build}/wacrmd", "$d->{build}/wacrmctl") {
        my $pid = open my $fh, '-|';
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            open STDERR, '>&', \*STDOUT;
            exec $program, '-c', "$dir/bad.conf",
                $program =~ /ctl$/ ? 'check' : '-t';
            POSIX::_exit(127);
        }
        my $text = do { local $/; <$fh> };
        close $fh;
        my ($name) = $program =~ /(\w+)$/;
        is($? >> 8, 1, "$name: " . substr $line, 0, 30);
        like($text, qr/bad\.conf:$at: .*(?:$reason)/i, 'file, line, reason');
        is(scalar(() = $text =~ /\n/g), 1, 'in one line');
    }
}

$d->done;
