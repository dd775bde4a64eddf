#!/usr/bin/perl
# wacrmd by itself: start, lock, reload, stop, kill; wacrmctl with it and
# without it.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::File;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = abs_path($ENV{WACRM_BUILD} // "$root/build/release");
plan skip_all => "no $build/wacrmd" unless -x "$build/wacrmd";
plan skip_all => 'no sqlite3' unless `sqlite3 -version 2>&1`;

delete $ENV{$_} for grep { /^(WHATSAPP|WACRM)_/ } keys %ENV;

my $dir = tempdir('wacrmd-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $conf = "$dir/wacrmd.conf";
my $log = "$dir/log";
my $state = "$dir/state";
spew($log, '');

sub configure {
    my ($workers, $level, $tail) = @_;
    spew($conf, <<"EOT" . ($tail // ''));
[wacrmd]
state_dir = $state
spool_size = 16m
workers = $workers
log_level = $level
[auth]
jwt_secret_file = $dir/jwt
[gateway main]
base_url = http://127.0.0.1:9/api
EOT
}

sub wait_for {
    my ($code, $seconds) = @_;
    my $end = time + ($seconds || 60);
    while (time < $end) {
        return 1 if $code->();
        sleep 0.01;
    }
    return 0;
}

my $pid;

END {
    local $?;
    if ($pid) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
}

sub spawn {
    my $child = fork // die "fork: $!";
    return $child if $child;
    open STDIN, '<', '/dev/null';
    open STDERR, '>>', $log;
    open STDOUT, '>&', \*STDERR;
    exec("$build/wacrmd", '-c', $conf) or POSIX::_exit(127);
}

sub start {
    my $mark = -s $log || 0;
    $pid = spawn();
    return wait_for(sub {
        die 'wacrmd ended: ' . slurp($log) if waitpid($pid, WNOHANG) > 0;
        substr(slurp($log), $mark) =~ /msg=ready /;
    });
}

# status of the process, -1 if it did not end
sub stop {
    my ($signal) = @_;
    kill $signal, $pid;
    my $status = -1;
    wait_for(sub { waitpid($pid, WNOHANG) > 0 && ($status = $?, 1) }, 60);
    $pid = undef if $status >= 0;
    return $status;
}

# status and output of wacrmctl
sub ctl {
    my ($in, @args) = @_;
    spew("$dir/in", $in // '');
    my $child = open my $fh, '-|';
    die "fork: $!" unless defined $child;
    if (!$child) {
        open STDIN, '<', "$dir/in";
        open STDERR, '>&', \*STDOUT;
        chdir $dir;
        exec("$build/wacrmctl", '-c', $conf, @args) or POSIX::_exit(127);
    }
    local $/;
    my $out = <$fh> // '';
    close $fh;
    return ($? >> 8, $out);
}

sub sql {
    my ($sql) = @_;
    open my $fh, '-|', 'sqlite3', '-batch', '-cmd', '.timeout 30000',
        "$state/wacrm.db", $sql
        or die "sqlite3: $!";
    local $/;
    return scalar <$fh> // '';
}

sub mode { sprintf '%04o', (stat $_[0])[2] & 07777 }

spew("$dir/jwt", "0123456789abcdef0123456789abcdef\n");
configure(2, 'info');

# ---- wacrmctl alone ----

my ($rc, $out) = ctl("sandi-rahasia\n", qw(user add --role admin --name),
    'Ratna S', 'Ratna@Charity.example');
is($rc, 0, 'user add') or diag($out);
is($out, "added Ratna\@Charity.example as admin\n", 'user add: told');
is(mode($state), '2770', 'the state directory is shared by the group');
is(mode("$state/wacrm.db"), '0600', 'the database is not');
like((ctl("sandi-rahasia\n", qw(user add ratna@charity.example)))[1],
    qr/is there already: use user passwd/, 'once');
like((ctl("short\n", qw(user add b@charity.example)))[1],
    qr/fewer than 8 bytes/, 'a short password');
like((ctl('', qw(user add b@charity.example)))[1],
    qr/no password on standard input/, 'no password');
like((ctl("sandi-rahasia\n", qw(user add --role boss b@charity.example)))[1],
    qr/no role "boss": cs, supervisor or admin/, 'a bad role');
is((ctl("sandi-rahasia\n", qw(user add b@charity.example)))[0], 0, 'a CS');
($rc, $out) = ctl('', qw(user list));
is($rc, 0, 'user list');
is($out, "id=1 email=ratna\@charity.example role=admin active=true "
    . "name=\"Ratna S\"\nid=2 email=b\@charity.example role=cs active=true "
    . "name=b\@charity.example\n", 'both');
like((ctl("sandi-lebih-baru\n", qw(user passwd b@charity.example)))[1],
    qr/signed out everywhere/, 'user passwd');
like((ctl("sandi-lebih-baru\n", qw(user passwd c@charity.example)))[1],
    qr/there is no c\@charity.example/, 'user passwd of nobody');
($rc, $out) = ctl("phone,name,date,amount\n081234567890,Budi,2026-01-02,5000\n"
    . "x,Y,,\n", qw(import -));
is($rc, 0, 'import') or diag($out);
like($out, qr/^row 3 left out: .*\n2 rows: 1 new contacts, 1 gifts/,
    'import: told');
is((ctl('', 'check'))[0], 0, 'check');
is((ctl('', qw(backup one.db)))[0], 0, 'backup, relative');
is(mode("$dir/one.db"), '0600', 'backup: private');
for my $cmd (['token', 'ratna@charity.example'], [qw(spool stat)],
    [qw(dead list)], [qw(dead replay 1)]) {
    ($rc, $out) = ctl('', @$cmd);
    is($rc, 1, "@$cmd needs wacrmd");
    like($out, qr/which does not run: start it first/, "@$cmd: what to do");
}
for my $wrong (['frobnicate'], ['user'], [qw(user add)], [qw(dead show)],
    [qw(user list x)], ['--nosuch'], [qw(check --deep)], [],
    [qw(dead list --limit)]) {
    is((ctl('', @$wrong))[0], 2, "usage: @$wrong");
}
is((ctl('', '--help'))[0], 0, 'help');
like((ctl('', qw(dead replay --help)))[1], qr/usage: wacrmctl dead replay ID/,
    'help of one');
unlike(slurp("$state/wacrmd.lock"), qr/\D\d+\D\d/, 'the lock has one pid');

# ---- wacrmd ----

ok(start(), 'wacrmd is ready');
is(mode("$state/control.sock"), '0600', 'the control socket is private');
is(mode("$state/http.sock"), '0660', 'the HTTP socket is shared');
is(mode("$state/spool"), '2770', 'so is the spool');

my $mark = -s $log;
my $second = spawn();
waitpid $second, 0;
is($? >> 8, 1, 'a second wacrmd ends');
$out = substr(slurp($log), $mark);
like($out, qr/another wacrmd uses this state directory: \Q$state\E /,
    'and says why');
like($out, qr/\(process $pid\); stop it first/, 'and what to do');

($rc, $out) = ctl('', 'token', 'ratna@charity.example');
is($rc, 0, 'token');
like($out, qr/\A[\w-]+\.[\w-]+\.[\w-]+\n\z/, 'a JWT');
like((ctl('', 'token', 'x@charity.example'))[1], qr/no active/, 'not of x');
like((ctl('', qw(spool stat)))[1], qr/^id=[0-9a-f]{32} records=0 /, 'spool');
is((ctl("sandi-ketiga\n", qw(user passwd b@charity.example)))[0], 0,
    'user passwd through wacrmd');
is((ctl('', qw(backup two.db)))[0], 0, 'backup through wacrmd');
like((ctl('', qw(backup two.db)))[1], qr/there already: choose a new name/,
    'never over another one');
is((ctl('', 'check'))[0], 0, 'check through wacrmd');
($rc, $out) = ctl("phone\n" . join('', map { "6281234$_\n" } 10000 .. 12000),
    qw(import -));
like($out, qr/^2001 rows: 2001 new contacts/, 'a longer import') or diag($rc);
like((ctl('', qw(--json user list)))[1],
    qr/\A\{"id":1,.*\}\n\{"id":2.*\}\n\{"ok":true\}\n\z/, 'JSON lines');
($rc, $out) = ctl('', qw(restore one.db));
is($rc, 1, 'no restore under wacrmd');
like($out, qr/stop it first/, 'restore: what to do');

# ---- dead letters ----

sql("INSERT INTO dead_letters (spool_id, seq, source, received_at, code,"
    . " reason, record, created_at, updated_at) VALUES ('s', 1, 'main', 0,"
    . " 'parse', 'no \"event\"', x'81a17601', 0, 0)");
($rc, $out) = ctl('', qw(dead list));
is($out, "id=1 state=open source=main received=1970-01-01T00:00:00Z "
    . "code=parse reason=\"no \\\"event\\\"\"\n", 'dead list');
($rc, $out) = ctl('', qw(dead show 1));
is($rc, 1, 'dead show of a damaged record');
like($out, qr/dead letter 1: /, 'says so');
($rc, $out) = ctl('', qw(dead replay 1));
is($rc, 1, 'still bad');
like($out, qr/dead letter 1 is still bad: \S/, 'and why');
is((ctl('', qw(dead drop 1)))[0], 0, 'dead drop');
is(sql('SELECT state FROM dead_letters'), "dropped\n", 'dropped');
like((ctl('', qw(dead drop 9)))[1], qr/no dead letter 9/, 'no such one');
like((ctl('', qw(dead show x)))[1], qr/id: a number/, 'no number');

# ---- strangers on the socket ----

for my $line ("not json\n", "{}\n", "{\"command\":\"nosuch\"}\n", "[1]\n",
    "{\"command\":7}\n", 'x' x 70000 . "\n", '') {
    my $s = IO::Socket::UNIX->new(Peer => "$state/control.sock") or die $!;
    local $SIG{PIPE} = 'IGNORE';
    print {$s} $line;
    shutdown $s, 1;
    local $/;
    my $answer = <$s>;
    unlike($answer // '', qr/"ok":true/, 'refused: ' . substr($line, 0, 20));
}
is((ctl('', qw(user list)))[0], 0, 'and it still answers');

# ---- reload ----

configure(3, 'debug', "[organisation]\nvip_amount = 5\n");
$mark = -s $log;
kill 'HUP', $pid;
ok(wait_for(sub { substr(slurp($log), $mark) =~ /configuration reloaded/ }),
    'SIGHUP');
$out = substr(slurp($log), $mark);
like($out, qr/ warn main msg="option needs a restart" section="wacrmd" key=workers/,
    'what needs a restart');
like($out, qr/ info main msg="option changed" section="organisation" key=vip_amount/,
    'what changed');
unlike($out, qr/jwt|secret/i, 'the secret is the same');
configure('x', 'debug');
$mark = -s $log;
kill 'HUP', $pid;
ok(wait_for(sub { substr(slurp($log), $mark) =~ /not reloaded/ }),
    'a bad file');
like(substr(slurp($log), $mark), qr/wacrmd\.conf:4: workers: not a number/,
    'with its place');
configure(2, 'info');

# ---- stop, kill ----

my $begin = time;
is(stop('TERM'), 0, 'SIGTERM');
cmp_ok(time - $begin, '<', 10, 'within 10 s');
ok(!-e "$state/control.sock", 'the control socket is gone');
like(slurp($log), qr/msg=stopped\n\z/, 'told last');
ok(start(), 'again');
stop('KILL');
is((ctl('', qw(user list)))[0], 0, 'wacrmctl after kill -9');
ok(start(), 'and wacrmd');
is(stop('INT'), 0, 'SIGINT');

# A gateway that takes the call and never answers: the stop waits for it, a
# second signal does not.
my $gateway = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "listen: $!";
spew($conf, slurp($conf) =~ s{^base_url.*}{'base_url = http://127.0.0.1:'
    . $gateway->sockport . "/api\ntoken = x"}mer
    . "[organisation]\ndefault_session = desk\n");
ok(start(), 'with a gateway');
is(sql('SELECT session_id, everyone FROM sessions'), "desk|1\n",
    'the default session is there, for everyone');
my $http = IO::Socket::UNIX->new(Peer => "$state/http.sock") or die $!;
my $body = '{"phone":"081234567890","message":"halo"}';
print {$http} "POST /api/crm/messages/send HTTP/1.0\r\nHost: x\r\n",
    "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: t\r\n",
    "X-Wacrm-Token-Exp: 9999999999\r\nContent-Type: application/json\r\n",
    'Content-Length: ', length $body, "\r\n\r\n", $body;
{
    local $/;
    like(scalar <$http>, qr/"status":"queued"/, 'a message is queued');
}
my $call = $gateway->accept;
ok($call, 'the gateway is called');
kill 'TERM', $pid;
sleep 0.3;
is(waitpid($pid, WNOHANG), 0, 'SIGTERM waits for the call');
$begin = time;
is(stop('TERM') >> 8, 128 + 15, 'a second one does not');
cmp_ok(time - $begin, '<', 8, 'it ends at once');
configure(2, 'info');
ok(start(), 'and it starts again');
is(sql('SELECT reason FROM outbox WHERE state = 2'), "interrupted\n",
    'the message may have been sent: unknown');
is(stop('TERM'), 0, 'SIGTERM with nothing in flight');

# ---- restore ----

sql("DELETE FROM users WHERE id = 2");
($rc, $out) = ctl('', qw(restore one.db));
is($rc, 0, 'restore') or diag($out);
is(sql('SELECT count(*) FROM users'), "2\n", 'what was there');
my ($kept) = $out =~ /the old database is (\S+)/;
ok(-s $kept, 'the old one is kept');
spew("$dir/broken.db", 'no database ' x 1000);
($rc, $out) = ctl('', qw(restore broken.db));
is($rc, 1, 'a broken backup');
like($out, qr/not restored, the database is as it was/, 'changes nothing');
is(sql('SELECT count(*) FROM users'), "2\n", 'indeed');
is((ctl('', qw(restore none.db)))[0], 1, 'no backup');
is_deeply([glob "$state/*.restore* $state/*.part"], [], 'nothing left over');

# ---- a later schema ----

sql("INSERT INTO schema_version VALUES (9999, 'later', 0)");
$mark = -s $log;
my $old = spawn();
waitpid $old, 0;
is($? >> 8, 1, 'a later schema is refused');
like(substr(slurp($log), $mark), qr/made by a later version of wacrm/,
    'with its reason');
like((ctl('', 'check'))[1], qr/later version/, 'by wacrmctl, too');

unlike(slurp($log), qr/Sanitizer|runtime error/, 'no sanitizer line');

done_testing;
