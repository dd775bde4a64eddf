#!/usr/bin/env perl
# scripts/run: a first start makes everything, a second one is quick, a signal
# stops all it started, what stands in the way is said in one line.

use strict;
use warnings;

use File::Path qw(remove_tree);
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Nginx;

plan skip_all => 'the demo runs the release build'
    if $ENV{WACRM_SANITIZED};

my $root = $Wacrm::Nginx::ROOT;
my $state = "$root/build/t/run.$$";
my ($port, $sim) = (Wacrm::Nginx::free_port(), Wacrm::Nginx::free_port());
my $log = "$state.out";

# nothing may outlive a test that failed
my %started;
END {
    local $?;
    kill 'TERM', keys %started;
}

# (pid, seconds until it was ready, its last line)
sub run {
    my (%env) = @_;

    unlink $log;
    my $begin = time;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        %ENV = (%ENV, WACRM_STATE => $state, WACRM_PORT => $port,
            WACRM_SIM_PORT => $sim, %env);
        # what is ignored here could not be trapped there
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec "$root/scripts/run" or POSIX::_exit(127);
    }
    $started{$pid} = 1;
    my $out = '';
    while (time < $begin + 120) {
        $out = do { local $/; open my $fh, '<', $log or next; <$fh> } || '';
        return ($pid, time - $begin, $out) if $out =~ /^ready /m;
        if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
            delete $started{$pid};
            my $rc = $? >> 8;
            $out = do { local $/; open my $fh, '<', $log; <$fh> };
            return (0, $rc, $out);
        }
        sleep 0.02;
    }
    return ($pid, 120, $out);
}

sub stop {
    my ($pid, $signal) = @_;

    kill $signal, $pid;
    my $end = time + 15;
    while (time < $end) {
        if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
            delete $started{$pid};
            return $?;
        }
        sleep 0.02;
    }
    return -1;
}

# processes that belong to this state directory
sub left {
    my @found;
    for my $file (glob '/proc/[0-9]*/cmdline') {
        open my $fh, '<', $file or next;
        my $cmd = do { local $/; <$fh> };
        push @found, $file if defined $cmd && index($cmd, $state) >= 0;
    }
    return scalar @found;
}

sub get {
    my ($path, $body) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return;
    print {$s} defined $body ? 'POST' : 'GET', " $path HTTP/1.0\r\n",
        "Host: a\r\nContent-Type: application/json\r\nContent-Length: ",
        length($body // ''), "\r\n\r\n", $body // '';
    local $/;
    my $answer = <$s>;
    return split /\r\n\r\n/, $answer // '', 2;
}

my ($pid, $took, $out) = run();
ok($pid, "first start (after $took s)") or BAIL_OUT($out);
my ($url, $mail, $password)
    = $out =~ /^ready (\S+) login=(\S+) password=(\S+)\s*\z/m;
is($url, "http://127.0.0.1:$port", 'the last line names the address');
for my $name (qw(webhook jwt)) {
    my $file = "$state/secrets/$name";
    is((stat $file)[2] & 0777, 0600, "$name: mode 0600");
    open my $fh, '<', $file;
    like(scalar <$fh>, qr/^[0-9a-f]{64}\n?\z/, "$name: 32 bytes as hex");
}
my (undef, $body) = get('/api/auth/login',
    encode_json({ email => $mail, password => $password }));
ok(eval { decode_json($body)->{token} }, 'the printed password signs in');
unlike(do { local $/; open my $fh, '<', "$state/log/wacrmd.log"; <$fh> },
    qr/\Q$password/, 'it is in no log');
my $end = time + 20;
my $chats = 0;
while (time < $end && !$chats) {
    $chats = `sqlite3 -readonly -cmd '.timeout 30000' '$state/wacrm.db' 'SELECT count(*) FROM chats'`;
    chomp $chats;
    sleep 0.2;
}
ok($chats, 'simulated donors write');
is(stop($pid, 'TERM'), 0, 'SIGTERM: exit 0');
is(left(), 0, 'nothing is left running');

# the quickest of a few: a machine may stand still for a second, or be busy
my $least;
for my $try (1 .. 3) {
    ($pid, $took, $out) = run();
    ok($pid, 'started again') or BAIL_OUT($out);
    $least = $took if $took < ($least // $took + 1);
    last if $least < 2 || $try == 3;
    is(stop($pid, 'TERM'), 0, "SIGTERM: exit 0 (it took $took s)");
}
cmp_ok($least, '<', 2, "in under 2 s ($least)");
like($out, qr/password=\Q$password\E$/m, 'with the same password');
my ($second, $rc, $why) = run(WACRM_SIM_PORT => Wacrm::Nginx::free_port());
is($second, 0, 'a port in use: ends');
is($rc, 1, 'with 1');
like($why, qr{\Arun: port $port is in use: [^\n]*\n\z},
    'and one line that says so');
is(stop($pid, 'INT'), 0, 'SIGINT: exit 0');
is(left(), 0, 'nothing is left running');

remove_tree($state);
unlink $log;
done_testing;
