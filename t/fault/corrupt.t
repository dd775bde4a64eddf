#!/usr/bin/env perl
# A damaged database, spool or search index, lost files: what is wrong is said
# in words, with what to do; nothing is deleted; check finds it.

use strict;
use warnings;

use File::Copy qw(copy);
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(agents => 1,
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' })
    ->start;
$d->allow_errors; # it is said, loudly
my $dir = $d->{dir};
my $db = $d->{db};
my $n = 0;

sub event {
    return $d->event('message.received', { from => '62812000' . ($n % 50),
        id => 'BAD' . ++$n, timestamp => int time,
        message => "isi $n " . 'x' x ($n % 7 * 300) });
}
sub check { my ($rc, $out) = $d->ctl(['check']); return ($rc, $out) }
sub overwrite {
    my ($file, $at, $bytes) = @_;
    open my $fh, '+<:raw', $file or die "$file: $!";
    seek $fh, $at, 0;
    print {$fh} $bytes;
    close $fh or die $!;
}
sub size { -s $_[0] }
sub slurp { my ($f) = @_; open my $fh, '<:raw', $f or return; local $/; <$fh> }
# Starts it, which is to fail: what it says.
sub refused {
    my ($what) = @_;
    my $mark = length $d->log;
    $d->wacrmd_spawn;
    my $pid = $d->wacrmd_pid;
    my $status;
    $d->wait_for(sub { $status = $? if waitpid($pid, WNOHANG) == $pid;
        defined $status || substr($d->log, $mark) =~ /msg="?ready/ }, 15);
    ok(defined $status && $status == 1 << 8, "$what: does not start, exits 1")
        or diag(defined $status ? "status $status" : 'it runs');
    $d->wacrmd_kill unless defined $status;
    delete $d->{wacrmd_pid};
    return substr $d->log, $mark;
}

event() for 1 .. 400;
ok($d->applied, 'something to damage');
my $token = $d->login('cs1@test.example');
my $r = $d->api(POST => '/api/crm/media', body => "--x\r\n"
    . 'Content-Disposition: form-data; name="file"; filename="a.txt"'
    . "\r\n\r\nteks\r\n--x--\r\n", token => $token,
    headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
is($r->{status}, 201, 'and a file');
$d->wait_for(sub { -s "$dir/search.db" }, 5);
my ($rc, $out) = check();
is($rc, 0, 'check, while it runs: nothing wrong') or diag $out;
like($out, qr/^$_/m, "looks at: $_") for 'database', 'spool', 'search', 'media';
ok($d->wacrmd_stop, 'stops');
($rc, $out) = check();
is($rc, 0, 'check, while it is down: nothing wrong') or diag $out;

# ---- files ----

my ($file) = grep { -f } glob "$dir/media/??/*";
rename $file, "$file.away" or die $!;
($rc, $out) = check();
is($rc, 1, 'a file is lost: 1');
like($out, qr/media .*missing/, 'it is named') or diag $out;
{ open my $fh, '>', $file; print {$fh} 'cut' }
($rc, $out) = check();
like($out, qr{media .*another size}, 'a file of another size') or diag $out;
rename "$file.away", $file or die $!;
is((check())[0], 0, 'whole again');

# ---- the search index ----

overwrite("$dir/search.db", 4096 * 3, "\xff" x 8192);
($rc, $out) = check();
is($rc, 1, 'the index is damaged: 1');
like($out, qr/search .*search rebuild/s, 'with what to do') or diag $out;
$d->wacrmd_start;
is(event(), 200, 'wacrmd runs on');
ok($d->wait_for(sub { my $r = $d->api(GET => '/api/crm/search?q=isi',
    token => $token); $r->{status} == 200 && @{$r->{json}{data}{messages}} },
    10), 'and finds, whatever lies there');
($rc, $out) = $d->ctl([qw(search rebuild)]);
is($rc, 0, 'rebuilt') or diag $out;
ok($d->wait_for(sub { (check())[0] == 0 }, 10), 'sound');
truncate "$dir/search.db", 0;
is($d->api(GET => '/api/crm/search?q=isi', token => $token)->{status}, 200,
    'cut to nothing while it is open: search answers all the same');
$d->wacrmd_stop;

# ---- the database ----

copy($db, "$db.good") or die $!;
sub back { copy("$db.good", $db) or die $!; unlink "$db-wal", "$db-shm" }

overwrite($db, 0, 'no database at all');
my $said = refused('header overwritten');
like($said, qr/database.*not a database/i, 'says what');
like($said, qr/restore/, 'and what to do') or diag $said;
is(substr(slurp($db), 0, 18), 'no database at all', 'the file is as it was');
($rc, $out) = check();
is($rc, 1, 'check: 1');
like($out, qr/not a database/, 'says so, too') or diag $out;

# A backup takes its place; the damaged one is kept, whole, with its log.
is(event(), 200, 'the edge takes an event meanwhile');
{ open my $fh, '>', "$db-wal" or die $!; print {$fh} 'what was its log' }
my $damaged = slurp($db);
my %kept;
for my $i (1 .. 3) { # within a second, too
    ($rc, $out) = $d->ctl(['restore', "$db.good"]);
    is($rc, 0, "restored ($i)") or diag $out;
    my ($name) = $out =~ /the old database is (\S+)/;
    ok($name && -e $name && !$kept{$name}++, 'kept under a name of its own');
    is((slurp($name) eq $damaged) + 0, 1, 'as it was') if $i == 1;
    is(slurp("$name-wal"), 'what was its log', 'and its log') if $i == 1;
}
$d->wacrmd_start;
ok($d->applied, 'the event is applied to the restored one');
is($d->sql("SELECT count(*) FROM messages"), $n, 'with all that were before');
$d->wacrmd_stop;
unlink glob("$db.before-*") or die $!;
copy($db, "$db.good") or die $!;
back();

overwrite($db, 4096 * 3, "\xff" x (4096 * 20));
($rc, $out) = check();
is($rc, 1, 'twenty pages overwritten: check finds it') or diag $out;
like($out, qr/database .*restore/s, 'with what to do') or diag $out;
like($out, qr/^spool/m, 'and looks at the rest');
back();

truncate $db, size($db) / 2;
$said = '';
($rc, $out) = check();
is($rc, 1, 'cut in half: check finds it') or diag $out;
back();

truncate $db, 0;
$said = refused('cut to nothing');
like($said, qr/empty.*restore/s, 'says what, and what to do') or diag $said;
is(size($db), 0, 'nothing was begun in its place');
($rc, $out) = check();
is($rc, 1, 'check: 1');
is(event(), 200, 'the edge takes events meanwhile');
is(size($db), 0, 'nothing was begun in its place');
back();
$d->wacrmd_start;
ok($d->applied, 'a good one goes on with the spool');
is((check())[0], 0, 'sound');

# In a running wacrmd: what it cannot read answers 5xx, the rest goes on.
$d->wacrmd_stop;
copy($db, "$db.good") or die $!;
my ($root) = $d->sql("SELECT rootpage FROM sqlite_schema WHERE name ="
    . " 'messages'");
overwrite($db, ($root->[0] - 1) * 4096, "\xff" x 4096);
$d->wacrmd_spawn;
sleep 1;
is(event(), 200, 'a table is damaged: the edge takes events');
my $r2 = $d->api(GET => '/api/crm/inbox/1', token => $token);
cmp_ok($r2->{status}, '>=', 500, 'its rows cannot be had: 5xx');
unlike($r2->{body}, qr/sqlite|malformed|\.db/i, 'without details');
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'no event is given up');
$d->wacrmd_stop;
back();
$d->wacrmd_start;
ok($d->applied, 'restored: they are applied');
is($d->sql("SELECT count(*) FROM messages"), $n, 'all of them');
$d->sound;

# ---- the spool ----

$d->wacrmd_stop;
event() for 1 .. 500;
$d->{nginx}->stop;
system("cp -r $dir/spool $dir/spool.good") == 0 or die;
my $data = "$dir/spool/data.mdb";
sub spool_back {
    system("rm -rf $dir/spool && cp -r $dir/spool.good $dir/spool") == 0 or die;
}

# a record: bytes in the middle of one
my $bytes = slurp($data);
my $at = rindex $bytes, 'BAD' . ($n - 100) . '"';
substr($bytes, $at - 420, 400) = "\0" x 400;
overwrite($data, 0, $bytes);
($rc, $out) = check();
is($rc, 1, 'a record is damaged: check finds it') or diag $out;
spool_back();

# Both are down: whoever comes first puts it aside, whole, and takes events.
sub aside { my @d = sort glob "$dir/spool/corrupt-*"; @d }
my $mark;
sub nginx_says { $d->{nginx}->log_since($mark) }

for my $case (
    ['meta pages overwritten', sub { overwrite($data, 0, "\xee" x 8192) }, 0],
    ['cut in half', sub { truncate $data, size($data) / 2 or die $! }, 1],
    ['of no bytes', sub { truncate $data, 0 or die $! }, 0])
{
    my ($what, $harm, $readable) = @$case;
    spool_back();
    $harm->();
    my $kept = slurp($data);
    ($rc, $out) = check();
    is($rc, 1, "$what: check: 1");
    like($out, qr/^spool \S+: .*damaged.*puts it aside/m,
        'says so, and what will be') or diag $out;
    like($out, qr/^media/m, 'and looks at the rest');
    ok(slurp($data) eq $kept && !aside(), 'and changes nothing');
    $mark = $d->{nginx}->mark;
    $d->{nginx}->start;
    is(event(), 200, 'events are taken, while wacrmd is down');
    my @aside = aside();
    is(@aside, 1, 'the damaged one lies aside');
    ok(slurp("$aside[0]/data.mdb") eq $kept, 'byte for byte');
    like(nginx_says(), qr{\[alert\].*spool put aside: .*damaged.*corrupt-},
        'nginx says so') or diag nginx_says();
    $d->{nginx}->stop;
    ($rc, $out) = check();
    is($rc, 0, 'check: the one in use is whole');
    like($out, qr/^spool .*warning: .*\Q$aside[0]\E, \d+ bytes/m,
        'and the other one is named') or diag $out;
    $d->wacrmd_start;
    ok($d->wait_for(sub { $d->sql("SELECT count(*) FROM messages"
        . " WHERE wa_id = 'BAD$n'") == 1 }), 'wacrmd applies them');
    my $had = $d->sql('SELECT count(*) FROM messages');
    ($rc, $out) = $d->ctl([qw(spool salvage), $aside[0] =~ m{([^/]+)$}]);
    if (!$readable) {
        is($rc, 1, 'salvage: nothing can be read') or diag $out;
        like($out, qr/damaged: .*(?:meta page|empty)/, 'and why') or diag $out;
    } else {
        is($rc, 0, 'salvage') or diag $out;
        my ($taken) = $out =~ /^(\d+) events are in the spool again/m;
        like($out, qr/places of the file cannot be read/, 'not all of it');
        cmp_ok($taken, '>', 0, 'takes what can be read');
        ok($d->wait_for(sub {
            $d->sql('SELECT count(*) FROM messages') == $had + $taken }),
            'which is applied');
        ($rc, $out) = $d->ctl([qw(spool salvage), $aside[0] =~ m{([^/]+)$}]);
        is($rc, 0, 'once more');
        ok($d->wait_for(sub { $d->ctl([qw(spool stat)]) && (($d->ctl(
            [qw(spool stat)]))[1] =~ /records=0 /) }), 'is applied, too');
        is($d->sql('SELECT count(*) FROM messages'), $had + $taken,
            'and doubles nothing');
    }
    $d->wacrmd_stop;
}

# wacrmd comes first; nginx has the old one open: what gets a 200 is not there.
sub aside_whole {
    my ($before) = @_;
    my ($new) = grep { my $a = $_; !grep { $_ eq $a } @$before } aside();
    ok($new, 'it lies aside') or return;
    my $kept = slurp("$new/data.mdb");
    my ($taken, $refused) = (0, 0);
    # first the one that the worker still holds, then whatever it opens
    $d->wait_for(sub {
        my $status = event();
        $status == 200 ? $taken++ : $n--;
        $refused += $status == 503;
        $status == 200 || $status == 503 or die "status $status";
        return $taken >= 10;
    }, 20);
    cmp_ok($taken, '>=', 10, "events are taken ($refused had to come again)");
    ok(slurp("$new/data.mdb") eq $kept, 'none of them into the one aside');
    return 1;
}

spool_back();
$d->wacrmd_start;
$d->{nginx}->start;
ok($d->applied, 'both run');
my @before = aside();
$d->wacrmd_kill;
overwrite($data, 0, "\xee" x 64);
$d->wacrmd_start;
like($d->log, qr/ error .*spool put aside.*nothing of it was deleted/,
    'wacrmd, started again, says what it did');
aside_whole(\@before);
ok($d->applied, 'they are applied');

# nginx comes first, wacrmd has the old one open.
@before = aside();
overwrite($data, 0, "\xee" x 64);
$mark = $d->{nginx}->mark;
$d->{nginx}->reload(wait => 1);
ok($d->wait_for(sub { nginx_says() =~ /spool put aside/ }), 'a reload finds it');
{
    my $r = $d->api(GET => '/api/crm/sessions', token => $token);
    is($r->{status}, 503, 'nobody can tell which tokens are revoked');
    is($r->{body}, '{"message":"Service Unavailable"}', 'which is all it says');
    is(scalar(() = $r->{raw} =~ /^Retry-After: 1\r$/mgi), 1, 'with one time');
}
aside_whole(\@before);
my $pid = $d->wacrmd_pid;
my $status;
ok($d->within(20, sub { $status = $? if waitpid($pid, WNOHANG) == $pid;
    defined $status }), 'wacrmd ends by itself');
is($status >> 8, 1, 'with 1, so that it is started again');
delete $d->{wacrmd_pid};
$d->wacrmd_start;
ok($d->applied, 'they are applied');
isnt($d->api(GET => '/api/crm/sessions', token => $token)->{status}, 503,
    'and tokens are judged');
is($d->sql("SELECT count(*) FROM messages WHERE wa_id = 'BAD$n'"), 1, 'once');

# A page in its midst, which ends the process that meets it. Beside it one event
# of a later version is in quarantine.
open my $hex, '<', 't/data/spool/record-v1.hex' or die $!;
my $record = pack 'H*', join '', map { s/#.*//r =~ s/\s//gr } <$hex>;
substr $record, 3, 1, "\2";
open my $put, '|-', ($ENV{WACRM_TOOLS} || 'build/release/tools') . '/spool_put',
    "$dir/spool" or die $!;
print {$put} $record;
close $put or die 'not put';
sub quarantined { ($d->ctl([qw(spool stat)]))[1] =~ /^quarantined=\d+/mg }
ok($d->wait_for(sub { 1 == (() = quarantined()) }), 'one is in quarantine');
$d->wacrmd_kill;
my $first = $n + 1;
event() for 1 .. 30;
my $last = $n;
$bytes = slurp($data);
while ($bytes =~ /BAD(\d+)"/g) {
    my ($id, $page) = ($1, int((pos $bytes) / 4096) * 4096);
    my ($kind, undef, $upper) = unpack 'v3', substr $bytes, $page + 10, 6;
    # a record in its leaf: other pages may have old bytes in their gaps
    next unless $id > $first + 5 && $id < $last - 5 && $kind == 2
        && pos($bytes) - $page > $upper;
    overwrite($data, $page, "\xff" x 4096);
}
@before = aside();
for my $try (1 .. 3) { # as systemd would
    $d->wacrmd_spawn;
    $d->wait_for(sub { waitpid($d->wacrmd_pid, WNOHANG) != 0
        || aside() > @before }, 20);
    last if aside() > @before;
}
ok($d->wait_for(sub { ($d->api(GET => '/api/health')->{status} || 0) == 200 }),
    'wacrmd, started again, runs');
aside_whole(\@before);
ok($d->applied, 'put aside, too: what comes is applied');
my ($new) = grep { my $a = $_; !grep { $_ eq $a } @before } aside();
($rc, $out) = $d->ctl([qw(spool salvage), $new =~ m{([^/]+)$}]);
is($rc, 0, 'salvage') or diag $out;
like($out, qr/^[1-9]\d* events are in the spool again/m, 'some of the events');
like($out, qr/^[1-9]\d* places of the file cannot be read/m, 'others are lost');
ok($d->applied, 'they are applied');
ok($d->wait_for(sub { 1 == (() = quarantined()) }),
    'and what was in quarantine is there again');
like($out, qr/^1 of what could be read lay in its quarantine/m, 'as it says');
($rc, $out) = $d->ctl([qw(spool salvage), $new =~ m{([^/]+)$}]);
is($rc, 0, 'once more') or diag $out;
like($out, qr/^1 lie in quarantine already/m, 'it is not taken again');
ok($d->wait_for(sub { (($d->ctl([qw(spool stat)]))[1] =~ /records=0 /) }),
    'all are judged');
is(scalar(() = quarantined()), 1, 'and none is there twice');
for my $bad ('corrupt-no', '../spool', '/etc', '') {
    ($rc, $out) = $d->ctl([qw(spool salvage), $bad]);
    isnt($rc, 0, "salvage '$bad': there is none");
}
my $lost = $last - $first + 1 - $d->sql('SELECT count(*) FROM messages WHERE '
    . join ' OR ', map { "wa_id = 'BAD$_'" } $first .. $last);

# And back: what waited in a good copy is not lost.
$d->wacrmd_stop;
$d->{nginx}->stop;
rename "$dir/spool", "$dir/spool.new" or die $!;
spool_back();
$d->wacrmd_start;
$d->{nginx}->start;
ok($d->applied, 'the old one, mended');
is($d->sql('SELECT count(*) FROM messages'), $n - $lost,
    "every event is there, once, but for the $lost that lie aside");
$d->sound;

$d->done;
