#!/usr/bin/env perl
# Full disks: of the spool, the database, the files, the search index, each
# alone; a database that another process holds, or that became read-only. What
# is affected says so, the rest goes on, and all of it recovers by itself.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

plan skip_all => 'only root can make small disks' if $> != 0;

my @mounted;
END { local $?; system('umount', '-l', $_) for @mounted }
sub disk {
    my ($path, $size) = @_;
    mkdir $path or die "$path: $!";
    chmod 02770, $path;
    my $ok = system("mount -t tmpfs -o size=$size,mode=2770 tmpfs $path"
        . ' 2>/dev/null') == 0;
    push @mounted, $path if $ok;
    return $ok;
}

my ($d, $ok);
$ok = 1;
$d = Wacrm::Desk->new(
    wacrmd => sub {
        s/^welcome = on/welcome = off/m or die 'no welcome';
        s{^state_dir = (.*)}{state_dir = $1\nsearch_index = $1/index/search.db}m
            or die 'no state_dir';
        my $dir = $1;
        $ok &&= disk("$dir/$_->[0]", $_->[1])
            for ['spool', '3m'], ['media', '2m'], ['index', '3m'];
    });
if (!$ok) {
    plan skip_all => 'no small disks to be had here';
}
$d->start;
$d->allow_errors; # it is said, loudly
my $dir = $d->{dir};
my $n = 0;
my $token = $d->login('cs1@test.example');

sub event {
    my ($size) = @_;
    return $d->event('message.received', { from => '62812000' . ($n % 20),
        id => 'DISK' . ++$n, timestamp => int time,
        message => "kata$n " . 'x' x ($size || 10) });
}
sub fill {
    my ($where) = @_;
    open my $fh, '>', "$dir/$where/filler" or die $!;
    my $block = "\0" x 4096;
    1 while syswrite $fh, $block;
}
sub empty { unlink "$dir/$_[0]/filler" or die $! }
sub inbox { $d->api(GET => '/api/crm/inbox', token => $token)->{status} }
sub upload {
    my ($text) = @_;
    return $d->api(POST => '/api/crm/media', body => "--x\r\n"
        . 'Content-Disposition: form-data; name="file"; filename="a.txt"'
        . "\r\n\r\n$text\r\n--x--\r\n", token => $token,
        headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
}
sub found {
    my $r = $d->api(GET => "/api/crm/search?q=$_[0]", token => $token);
    return $r->{status} == 200 && @{$r->{json}{data}{messages}} == 1;
}
sub stored { scalar $d->sql('SELECT count(*) FROM messages') }

is(event(), 200, 'an event');
is(upload('satu')->{status}, 201, 'a file');
ok($d->applied, 'all is well');

# ---- the spool ----

fill('spool');
my %got;
$got{event(3000)}++ for 1 .. 40;
my $refused = $got{503} || 0;
cmp_ok($refused, '>', 0, 'full disk of the spool: 503');
is(join(' ', grep { $_ != 200 && $_ != 503 } keys %got), '', 'nothing else');
# each failed write shuts the worker's spool, and with it the list of revoked
# tokens, until it is opened again: within a second
ok($d->within(20, sub { inbox() == 200 }), 'the desk works');
empty('spool');
ok($d->within(20, sub { event() == 200 || !++$refused }),
    'when there is room: 200');
ok($d->applied, 'applied');
ok($d->wait_for(sub { stored() == $n - $refused }, 5),
    'whatever got its 200 is there, once')
    or diag(stored() . " of $n, $refused refused");

# ---- the files ----

fill('media');
my $r = upload('dua' x 5000);
cmp_ok($r->{status}, '>=', 500, "full disk of the files: $r->{status}");
ok($r->{json}{message}, 'says so');
is(event(), 200, 'events are taken');
is(inbox(), 200, 'the desk works');
is(scalar(grep { -s } glob "$dir/media/tmp-*"), 0, 'nothing half is left');
empty('media');
is(upload('dua' x 5000)->{status}, 201, 'when there is room: taken');

# ---- the search index ----

fill('index');
event(500) for 1 .. 300;
ok($d->applied, 'full disk of the index: events are applied');
ok($d->wait_for(sub { found("kata$n") }, 5), 'the newest is found all the same');
is(inbox(), 200, 'the desk works');
empty('index');
ok($d->wait_for(sub {
    my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    defined $m->{wacrm_search_lag_messages}
        && $m->{wacrm_search_lag_messages} == 0 }, 20),
    'when there is room it catches up');
ok(found("kata$n"), 'and finds');

# ---- the database, held by another process for ten seconds ----

my $lock = $d->hold;
my $begun = time;
is(event(), 200, 'the database is held: events are taken') for 1 .. 20;
is(inbox(), 200, 'the inbox can be read');
$r = $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '628120001', message => 'tertahan' });
is($r->{status}, 503, 'sending: 503, once five seconds are over');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
sleep 0.1 while time - $begun < 10;
$d->let_go($lock);
is($d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '628120001', message => 'lepas' })->{status}, 200,
    'let go after ten: sending works');
ok($d->applied, 'all is applied');
is($d->sql("SELECT count(*) FROM messages WHERE body = 'tertahan'"), 0,
    'what was refused was not kept');

# ---- the database is read-only ----

SKIP: {
    $d->wacrmd_stop;
    my $small = "$dir/ro";
    skip 'no small disk', 1 unless disk($small, '16m');
    system('cp', $d->{db}, "$small/wacrm.db") == 0 or die;
    my $frozen = system("chattr +i $small/wacrm.db 2>/dev/null") == 0;
    skip 'no file can be made unchangeable here', 1 unless $frozen;
    my $conf = $d->{nginx}->read('wacrmd.conf');
    $conf =~ s{^(state_dir = .*)}{$1\ndatabase = $small/wacrm.db}m;
    $d->{nginx}->write('wacrmd.conf', $conf);
    $d->{db} = "$small/wacrm.db";
    my $mark = length $d->log;
    $d->wacrmd_spawn;
    my $pid = $d->wacrmd_pid;
    ok($d->wait_for(sub { waitpid($pid, 1) == $pid }, 10),
        'the database is read-only: wacrmd does not start');
    delete $d->{wacrmd_pid};
    like(substr($d->log, $mark), qr/wacrm\.db: (?:Operation not permitted|Read-)/,
        'and says why');
    is(event(), 200, 'events are taken');
    system("chattr -i $small/wacrm.db") == 0 or die;
    $d->wacrmd_start;
    ok($d->applied(30), 'writable: they are applied');
    is($d->sql("SELECT count(*) FROM messages WHERE wa_id = 'DISK$n'"), 1,
        'to the last one');
}
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'no dead letters');
is($d->sql("SELECT count(*) FROM (SELECT 1 FROM messages WHERE wa_id IS NOT"
    . ' NULL GROUP BY wa_id HAVING count(*) > 1)'), 0, 'nothing is doubled');
$d->sound;

$d->done;
