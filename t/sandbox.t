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

my @unit = do {
    open my $fh, '<', 'conf/wacrmd.service' or die $!;
    <$fh>;
};

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

my %allowed;
for (map { /^SystemCallFilter=(.*)/ ? $1 : () } @unit) {
    my ($not, @names) = (s/^~//, split ' ');
    my @calls = map { calls_of($_) } @names;
    if ($not) {
        delete @allowed{@calls};
    } else {
        @allowed{@calls} = (1) x @calls;
    }
}
# the process before the filter, of systemd itself
$allowed{execve} = 1;
cmp_ok(scalar keys %allowed, '>', 200, 'the filter lets calls through');
ok(!$allowed{$_}, "not $_")
    for qw(ptrace mount bpf setuid chroot init_module setrlimit kexec_load);
my %family = map { $_ => 1 } map { /^RestrictAddressFamilies=(.*)/
    ? split ' ', $1 : () } @unit;

# ---- a life ----

my $d = Wacrm::Desk->new;
my $dir = $d->{dir};
my $real = abs_path($d->{build});
mkdir "$dir/build";
symlink "$real/wacrmctl", "$dir/build/wacrmctl" or die $!;
my @drop = ('--no-new-privs', $> ? () : qw(--bounding-set=-all
    --inh-caps=-all --ambient-caps=-all));
# -D: the tracer stands aside, signals reach wacrmd itself
$d->{nginx}->write('build/wacrmd', <<"SH", 0755);
#!/bin/sh
exec setpriv @drop strace -D -f -qq -o $dir/calls $real/wacrmd "\$@"
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
ok($d->wacrmd_stop, 'SIGTERM');

# ---- what it did ----

my (%made, %opened);
for (split /\n/, $d->{nginx}->read('calls')) {
    $made{$1}++ if /^\d+ +(\w+)\(/ || /^\d+ +<\.\.\. (\w+) resumed/;
    $opened{$1}++ if /^\d+ +socket\((AF_\w+)/;
}
cmp_ok($made{$_} || 0, '>', 0, "the trace has $_")
    for qw(fdatasync accept4 sendto epoll_wait clone3);
is(join(' ', sort grep { !$allowed{$_} } keys %made), '',
    'every system call is one that the unit allows');
is_deeply([sort grep { !$family{$_} } keys %opened], [],
    'so is every family of sockets');
is($d->{nginx}->read('calls') =~ /mprotect\([^)]*PROT_WRITE\|PROT_EXEC|mmap\([^)]*PROT_WRITE\|PROT_EXEC/
    ? 1 : 0, 0, 'no memory is written and run');

$d->done;
