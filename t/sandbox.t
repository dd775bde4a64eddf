#!/usr/bin/env perl
# The sandbox of conf/wacrmd.service against what wacrmd does: a whole life
# of it under strace - start, sign-in, webhook, send, file, socket, reload,
# backup, stop - makes no system call and no kind of socket that the unit
# refuses; and it lives without capabilities and new privileges.

use strict;
use warnings;

use Cwd qw(abs_path);
use IO::Socket::INET ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

plan skip_all => 'sanitizers make calls of their own'
    if $ENV{WACRM_SANITIZED};

# ---- what the unit allows ----

my %groups;

# The calls of a group, those of the groups in it too.
sub calls_of {
    my ($name) = @_;
    return ($name) if $name !~ /^@/;
    $groups{$name} ||= do {
        open my $fh, '-|', 'systemd-analyze', 'syscall-filter', $name
            or die "systemd-analyze: $!";
        my @names = map { /^ +([@\w-]+)\s*$/ ? $1 : () } <$fh>;
        close $fh or die "no group $name";
        [map { calls_of($_) } @names];
    };
    return @{$groups{$name}};
}

# (its system calls, its families of sockets), each as a set
sub sandbox {
    my ($unit) = @_;
    open my $fh, '<', "conf/$unit" or die "$unit: $!";
    my (%allowed, %family);
    while (<$fh>) {
        $family{$_} = 1
            for /^RestrictAddressFamilies=(.*)/ ? split ' ', $1 : ();
        next unless s/^SystemCallFilter=//;
        my $not = s/^~//;
        my @calls = map { calls_of($_) } split ' ';
        if ($not) {
            delete @allowed{@calls};
        } else {
            @allowed{@calls} = (1) x @calls;
        }
    }
    return (\%allowed, \%family);
}

# What a trace has of either.
sub trace {
    my ($file) = @_;
    my (%made, %opened);
    for (split /\n/, $file) {
        $made{$1}++ if /^\d+ +(\w+)\(/ || /^\d+ +<\.\.\. (\w+) resumed/;
        $opened{$1}++ if /^\d+ +socket\((AF_\w+)/;
    }
    return (\%made, \%opened);
}

# RestrictSUIDSGID refuses such a mode before it looks whether there is
# anything to be made.
sub set_id {
    my ($file) = @_;
    return grep { s/"[^"]*"//g;
        /^\d+ +(?:mkdir|open|creat|mknod|f?chmod)\w*\(.*\b0[2-7][0-7]{3}\b/ }
        split /\n/, $file;
}

sub holds {
    my ($unit, $made, $opened) = @_;
    my ($allowed, $family) = sandbox($unit);
    is(join(' ', grep { !$allowed->{$_} } sort keys %$made), '',
        "$unit allows every system call that was made");
    is(join(' ', grep { !$family->{$_} } sort keys %$opened), '',
        'and every family of sockets');
}

my ($allowed) = sandbox('wacrmd.service');
cmp_ok(scalar keys %$allowed, '>', 200, 'the filter lets calls through');
ok(!$allowed->{$_}, "not $_")
    for qw(ptrace mount bpf setuid chroot init_module setrlimit kexec_load);

# ---- a life ----

my $src = $Wacrm::Nginx::ROOT;
my $d = Wacrm::Desk->new;
my $dir = $d->{dir};
my $real = abs_path($d->{build});
mkdir "$dir/build";
symlink "$real/wacrmctl", "$dir/build/wacrmctl" or die $!;
my @drop = ('--no-new-privs', $> ? () : qw(--bounding-set=-all
    --inh-caps=-all --ambient-caps=-all));
# -D: the tracer stands aside, signals reach wacrmd itself
# Where it can be: directories that wacrmd sees otherwise than wacrmctl does,
# as the unit's PrivateTmp, ProtectHome and ProtectSystem have it.
mkdir "$dir/$_" or die $! for qw(tmp-own home fixed);
my $mounts = "mount -t tmpfs none $dir/tmp-own"
    . " && mount -t tmpfs -o mode=0 none $dir/home"
    . " && mount -t tmpfs -o ro none $dir/fixed";
my $own = !$> && system("unshare -m sh -c '$mounts' 2>$dir/unshare.out") == 0;
$mounts = $own ? "exec unshare -m sh -c '$mounts && exec \"\$@\"' - " : 'exec';
$d->{nginx}->write('build/wacrmd', <<"SH", 0755);
#!/bin/sh
$mounts setpriv @drop strace -D -f -qq -o $dir/calls $real/wacrmd "\$@"
SH
$d->{build} = "$dir/build";
$d->start;

is($d->event('message.received', { from => '6281210000007', pushName => 'Siti',
    message => 'Halo', id => 'SANDBOX1', timestamp => time }), 200, 'webhook');
ok($d->applied, 'intake');
my $token = $d->login('cs1@test.example');
is($d->api(GET => '/api/crm/inbox', token => $token)->{status}, 200, 'inbox');
my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '6281210000007', message => 'Wa alaikum salam' });
like($r->{status}, qr/^20[01]\z/, 'send') or diag $r->{body};
ok($d->wait_for(sub {
    $d->sql('SELECT count(*) FROM outbox WHERE state = 4') > 0 }), 'sent');
$r = $d->api(POST => '/api/crm/media', token => $token, body => "--x\r\n"
    . 'Content-Disposition: form-data; name="file"; filename="a.txt"'
    . "\r\n\r\nteks\r\n--x--\r\n",
    headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
is($r->{status}, 201, 'a file') or diag $r->{body};
is($d->api(GET => $r->{json}{data}{url} || '/')->{body}, 'teks', 'again');
is($d->api(GET => '/api/crm/search?q=halo', token => $token)->{status}, 200,
    'search');

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $d->{nginx}->port) or die $!;
print {$s} "GET /app/wacrm?protocol=7 HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
my $text = '';
$d->wait_for(sub { sysread $s, $text, 4096, length $text;
    $text =~ /connection_established/ });
like($text, qr/^HTTP\/1.1 101 .*connection_established/s, 'a socket');

kill 'HUP', $d->wacrmd_pid;
ok($d->wait_for(sub { $d->log =~ /configuration reloaded/ }), 'reload');
my ($rc, $out) = $d->ctl(['backup', "$dir/copy.db"]);
is($rc, 0, 'backup') or diag $out;
($rc, $out) = $d->ctl(['check']);
is($rc, 0, 'check') or diag $out;
{
    my ($caps) = do {
        open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/status' or die $!;
        join '', <$fh>;
    } =~ /^CapBnd:\s*(\S+)/m;
    is(hex $caps, 0, 'without a capability') unless $>;
}
SKIP: {
    skip 'no mounts of its own', 22 unless $own;
    $d->allow(qr/msg="backup failed".*(?:Permission denied|Read-only)/);
    for (['tmp-own' => 'another directory of that name'],
        [home => 'Permission denied'], [fixed => 'Read-only file system']) {
        my ($place, $why) = @$_;
        my %file = ("backup" => "$dir/$place/x.db",
            'export donors' => "$dir/$place/x.csv");
        for my $cmd (sort keys %file) {
            ($rc, $out) = $d->ctl([split(/ /, $cmd), $file{$cmd}]);
            is($rc, 1, "$cmd to $place: is told");
            like($out, qr{^wacrmctl: \Q$file{$cmd}\E: .*$why: .*/var/backups/},
                'why, and where to');
            ok(!-e $file{$cmd}, 'no file is there');
        }
    }
    my $there = '/proc/' . $d->wacrmd_pid . "/root$dir/tmp-own";
    opendir my $at, $there or die "$there: $!";
    is(join(' ', grep { !/^\.\.?$/ } readdir $at), '',
        'nor left where nobody looks');
    is(($d->ctl(['export', 'donors', "$dir/donors.csv"]))[0], 0,
        'elsewhere it is');
    ok(-s "$dir/donors.csv", 'there');
    is_deeply([glob "$dir/*.part"], [], 'and no half of it');
}
ok($d->wacrmd_stop, 'SIGTERM');

# ---- what it did ----

my $calls = $d->{nginx}->read('calls');
my ($made, $opened) = trace($calls);
cmp_ok($made->{$_} || 0, '>', 0, "the trace has $_")
    for qw(fdatasync accept4 sendto epoll_wait clone3);
holds('wacrmd.service', $made, $opened);
sub restricts {
    open my $fh, '<', "conf/$_[0]" or die $!;
    return scalar grep { /^RestrictSUIDSGID=yes$/ } <$fh>;
}
ok(restricts('wacrm-backup.service') && !restricts('wacrmd.service'),
    'set-group-id directories are made by wacrmd alone');
cmp_ok(scalar set_id(qq(1 mkdir("/x", 02770) = 0\n)), '==', 1,
    'as a trace tells it');
# The state is the directory of this test; /proc and /dev are writable where
# they are there at all. A name without a path is one in an open directory.
my %written;
for (split /\n/, $calls) {
    next if !m{^\d+ +open(?:at)?\(.*?"(/[^"]*)", \S*O_(?:WRONLY|RDWR|CREAT)}
        && !m{^\d+ +(?:unlink|mkdir|rename|chmod|link)\w*\(.*?"(/[^"]*)"};
    $written{$1}++;
}
cmp_ok(scalar(grep { m{^\Q$dir\E(?:/|\z)} } keys %written), '>', 5,
    'the trace has what it writes');
is(join(' ', grep { !m{^(?:\Q$dir\E(?:\z|/)|/proc/|/dev/)} } sort keys %written), '',
    'and that is the state, which ReadWritePaths names');
unlike($calls, qr/(?:mprotect|mmap)\([^)]*PROT_WRITE\|PROT_EXEC/,
    'no memory is written and run');

# ---- the backup, while wacrmd is down and while it runs ----

symlink "$src/scripts/wacrm-backup", "$dir/build/wacrm-backup" or die $!;
mkdir "$dir/backups";
my %half = ('wacrm-20200101T023000.db.part' => 172_800,
    'wacrm-20200102T023000.db.part' => 0, 'mine.part' => 172_800);
for (keys %half) {
    $d->{nginx}->write("backups/$_", 'half');
    utime time - $half{$_}, time - $half{$_}, "$dir/backups/$_" or die $!;
}
for my $when ('down', 'up') {
    $d->wacrmd_start if $when eq 'up';
    is(system('strace', '-f', '-qq', '-o', "$dir/backup-$when",
        "$dir/build/wacrm-backup", "$dir/wacrmd.conf", "$dir/backups"), 0,
        "a backup, wacrmd being $when");
    my ($calls, $sockets) = trace($d->{nginx}->read("backup-$when"));
    # SQLite, for root alone: the unit's user is wacrm
    delete $calls->{fchown} unless $>;
    holds('wacrm-backup.service', $calls, $sockets);
    is(join("\n", set_id($d->{nginx}->read("backup-$when"))), '',
        'and sets no id by a mode');
    sleep 1;    # a name of its own
}
is(scalar(my @copies = glob "$dir/backups/*.db"), 2, 'two copies');
is(join(' ', map { s{.*/}{}r } glob "$dir/backups/*.part"),
    'mine.part wacrm-20200102T023000.db.part',
    'an old half of one goes; not what may be at work, nor what is not ours');

$d->done;
