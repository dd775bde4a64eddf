#!/usr/bin/env perl
# [alarm]: what needs a person is POSTed to the administrator's web hook,
# signed, tried again, not too often, and once more when it has ended.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use IO::Socket::INET ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $secret = 'alarm-secret-of-the-test-00000001';
my $port = Wacrm::Nginx::free_port();
my $d = Wacrm::Desk->new(
    nginx => sub { s/size=1g/size=2m/ or die 'no size' },
    wacrmd => sub {
        s/^spool_size = 1g/spool_size = 2m/m or die 'no size';
        s/^welcome = on/welcome = off/m or die 'no welcome';
        my ($secrets) = m{^jwt_secret_file = (\S+)/jwt$}m or die 'no jwt';
        open my $fh, '>', "$secrets/alarm" or die $!;
        print {$fh} $secret;
        close $fh;
        s{^\[alarm\]\n}{[alarm]
url = http://127.0.0.1:$port/hook
secret_file = $secrets/alarm
repeat = 1h
session_down = 1s
outbox_age = 3s
disk_free = 0m
}m or die 'no [alarm]';
    });
my $dir = $d->{dir};

# ---- the web hook: keeps what it gets, redirects the alarm in `refused` ----

my $hook = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16,
    LocalPort => $port, ReuseAddr => 1) or die "listen: $!";
$d->{nginx}->write('refused', 'backup_failed');
my $parent = $$;
my $child = fork;
die "fork: $!" unless defined $child;
if (!$child) {
    $SIG{ALRM} = sub { POSIX::_exit(0) unless kill 0, $parent; alarm 2 };
    alarm 2;
    while (1) {
        my $s = $hook->accept or next;
        my $text = '';
        while (sysread $s, $text, 4096, length $text) {
            my ($head, $body) = split /\r\n\r\n/, $text, 2;
            last if defined $body
                && $head =~ /^content-length: (\d+)/mi && length $body >= $1;
        }
        open my $out, '>>', "$dir/hooked";
        print {$out} unpack('H*', $text), "\n";
        close $out;
        open my $in, '<', "$dir/refused";
        my $refused = <$in>;
        my $status = $refused && $text =~ /"alarm":"$refused"/ ? '302 Found'
            : '200 OK';
        print {$s} "HTTP/1.1 $status\r\nContent-Length: 0\r\n"
            . "Connection: close\r\n"
            . "Location: http://127.0.0.1:$port/elsewhere\r\n\r\n";
        close $s;
    }
}
close $hook;
END { kill 'KILL', $child if $child }

# every call: { alarm, state, ..., head }
sub calls {
    my ($alarm, $state) = @_;
    my @calls = map {
        my ($head, $body) = split /\r\n\r\n/, pack('H*', $_), 2;
        +{ %{JSON::PP->new->utf8->decode($body)}, head => $head,
            body => $body };
    } split /\n/, $d->{nginx}->read('hooked') || '';
    return grep { (!$alarm || $_->{alarm} eq $alarm)
        && (!$state || $_->{state} eq $state) } @calls;
}

sub told {
    my ($alarm, $state, $seconds) = @_;
    return $d->wait_for(sub { calls($alarm, $state) > 0 }, $seconds || 60);
}

# wacrmd looks every five seconds: what can be told at one look is set up
# for it together.
$d->start;
is(scalar calls(), 0, 'all is well: nothing is told');
my $token = $d->login('supervisor@test.example');
$d->event('session.connected', { sessionId => 'demo' });
ok($d->applied, 'a number');

sub session {
    my ($up) = @_;
    $d->change('UPDATE sessions SET ' . ($up
        ? "status = 'connected', down_since = NULL"
        : "wanted = 1, status = 'disconnected', down_since = 1")
        . " WHERE session_id = 'demo'");
}

$d->webhook('{"event":"message.received","data":{"message":"rahasia Ibu",'
    . '"from":"bukan-nomor"}}') for 1 .. 3;
$d->applied;
session(0);
my ($rc) = $d->ctl(['backup', "$dir/no/such/directory/copy.db"]);
is($rc, 1, 'a backup that fails');

# ---- dead letters: in one ----

ok(told('dead_letters', 'firing'), 'dead letters are told');
my ($c) = calls('dead_letters');
is($c->{value}, 3, 'together');
like($c->{head}, qr{^POST /hook HTTP/1\.1\r}, 'by POST');
like($c->{head}, qr{^content-type: application/json\r$}mi, 'as JSON');
my ($id) = $c->{head} =~ /^webhook-id: ([0-9a-f]{24})\r$/m;
my ($when) = $c->{head} =~ /^webhook-timestamp: (\d+)\r$/m;
ok($id && abs(time - $when) < 60, 'with an id and a time');
my $mac = encode_base64(hmac_sha256("$id.$when.$c->{body}", $secret), '');
like($c->{head}, qr{^webhook-signature: v1,\Q$mac\E\r$}m, 'signed');
is_deeply([sort grep { !/^(?:head|body)$/ } keys %$c],
    [qw(alarm host since state text value)], 'what is in it');
unlike($c->{body} . $c->{head}, qr/rahasia|bukan-nomor|$secret|Bearer/i,
    'no text, no secret');

# ---- a number that is down, a backup whose hook fails ----

ok(told('session_down', 'firing'), 'a number that is not connected');
($c) = calls('session_down');
like($c->{text}, qr/: 1 \(demo\)/, 'which one');
ok(told('backup_failed', 'firing'), 'the backup is told: a redirect');
$d->{nginx}->write('refused', '');
session(1);

# ---- the database cannot be written, and the spool fills ----

my $lock = $d->hold;
my $filled = 0;

sub fill_to {
    my ($percent) = @_;
    for (1 .. 400) {
        my (undef, $out) = $d->ctl(['spool', 'stat']);
        my ($bytes, $limit) = $out =~ / bytes=(\d+) limit=(\d+)/ or return;
        return 100 * $bytes / $limit if $bytes >= $limit * $percent / 100;
        $filled++;
        my $status = $d->event('message.received', { from => '6281210000007',
            message => 'x' x 3000, id => "FILL$filled", timestamp => time });
        return if $status != 200;
    }
    return;
}

sub looks { scalar(() = $d->log =~ /msg="looked for alarms"/g) }

my $full = fill_to(44);
ok($full && $full < 49, 'a spool that is not half full') or diag $full;
my $looks = looks();
ok($d->wait_for(sub { looks() >= $looks + 2 }, 60), 'is looked at twice');
is(scalar calls('spool_half_full'), 0, 'and nobody is called for it');
ok(told('session_down', 'ended'), 'the end of one');
$full = fill_to(53);
ok($full && $full < 60, 'half full') or diag $full;
ok(told('spool_half_full', 'firing'), 'it is told');
ok(told('database_fault', 'firing'), 'and why');
($c) = calls('spool_half_full');
ok($c->{value} > 50 && $c->{value} < 60, 'how full') or diag $c->{value};
$d->let_go($lock);
ok($d->applied(60), 'it empties');
ok($d->wait_for(sub { calls('backup_failed') >= 2 }, 60),
    'the backup is told again, as the hook did not take it');
is(scalar(grep { $_->{head} !~ m{^POST /hook } } calls()), 0,
    'a redirect is not followed');
my @ids = map { $_->{head} =~ /^webhook-id: (\S+)\r$/m } calls('backup_failed');
is($ids[0], $ids[1], 'with the same id');
is(($d->ctl(['backup', "$dir/copy.db"]))[0], 0, 'one that succeeds');

# ---- messages that the gateway refuses; that do not leave ----

session(0);
$d->sim('/_sim/behaviour', { route => 'send.text', do => 'status',
    status => 400, times => 100 });
for (1 .. 5) {
    my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
        json => { phone => "628121000001$_", message => 'rahasia' });
    like($r->{status}, qr/^20[01]\z/, 'a message') or diag $r->{body};
}
$d->change("INSERT INTO outbox (kind, message_id, session_id, chat_id,"
    . " state, not_before, created_at, updated_at) SELECT 'message', id,"
    . " session_id, chat_id, 0, 99999999999999, 1, 1 FROM messages LIMIT 1");
ok(told('spool_half_full', 'ended'), 'the end of that');
ok(told('backup_failed', 'ended'), 'and of the backup');
ok(told('outbox_old', 'firing'), 'a message that has waited long')
    or diag join "\n", map { "@$_" } $d->sql('SELECT * FROM outbox');
ok(told('outbox_failing', 'firing'), 'five messages that failed');
$d->change('DELETE FROM outbox WHERE created_at = 1');
$d->sim_stop;

# ---- a number that is down again within the hour is not told again ----

ok($d->wait_for(sub { 2 == (() = $d->log
    =~ /msg="alarm" alarm=session_down/g) }, 60), 'it was down again');
my $m = $d->{nginx}->metrics('/metrics/wacrmd');
cmp_ok($m->{wacrm_alarms}, '>=', 2, 'the metric: it, and the dead letters');
cmp_ok($m->{wacrm_alarm_calls_total}, '>=', 7, 'calls are counted');
cmp_ok($m->{wacrm_alarm_failures_total}, '>=', 1, 'failures, too');
ok($d->wacrmd_stop, 'stop'); # and no call is under way
is(scalar calls('session_down'), 2, 'not told within the hour');
unlike(join(' ', map { $_->{body} } calls()), qr/rahasia|62812/,
    'not a word or a number of a donor is in any of them');
unlike($d->log, qr/$secret/, 'the secret is in no log');

# ---- a disk that is nearly full: as it is, and more is wanted ----

$d->allow(qr/database|locked|busy|batch put back|write failed|backup failed/i);
{
    my $conf = $d->{nginx}->read('wacrmd.conf');
    $conf =~ s/^disk_free = 0m/disk_free = 1000000g/m or die 'no disk_free';
    $d->{nginx}->write('wacrmd.conf', $conf);
}
my $open = calls('dead_letters');
my $three_days = 3 * 86_400 * 1000;
$d->change('UPDATE settings SET value = CAST(value AS INTEGER) - '
    . "$three_days WHERE name = 'backup_at'");
$d->wacrmd_start;
ok(told('disk_low', 'firing'), 'a disk that is nearly full');
ok(told('backup_old', 'firing'), 'no backup for too long, over a restart');
($c) = calls('backup_old');
like($c->{text}, qr/for 72 hours.*wacrm-backup\.timer/, 'and what to do');
cmp_ok(abs($c->{value} - 3 * 86_400), '<', 600, 'how long');
$m = $d->{nginx}->metrics('/metrics/wacrmd');
cmp_ok(abs(time - 3 * 86_400 - $m->{wacrm_backup_time_seconds}), '<', 600,
    'the metric');
is(($d->ctl(['backup', "$dir/copy2.db"]))[0], 0, 'a new one');
ok(told('backup_old', 'ended'), 'is its end');
ok($d->wait_for(sub { calls('dead_letters') > $open }, 60),
    'a new start tells once more what is open');

# ---- without url ----

ok($d->wacrmd_stop, 'stop');
my $n = calls();
{
    my $conf = $d->{nginx}->read('wacrmd.conf');
    $conf =~ s/^url = .*\n//m or die 'no url';
    $d->{nginx}->write('wacrmd.conf', $conf);
}
$d->change("DELETE FROM settings WHERE name = 'backup_at'");
$d->change('UPDATE settings SET value = CAST(value AS INTEGER) - '
    . "$three_days WHERE name = 'backup_since'");
my $mark = length $d->log;
$d->wacrmd_start;
ok($d->wait_for(sub { $d->{nginx}->metrics('/metrics/wacrmd')->{wacrm_alarms}
    >= 1 }, 60), 'without url the metric still tells');
like(substr($d->log, $mark), qr/alarm=backup_old value=2592\d\d$/m,
    'also of no backup at all');
$m = $d->{nginx}->metrics('/metrics/wacrmd');
is($m->{wacrm_backup_time_seconds}, 0, 'which the metric says');
cmp_ok(abs(time - 3 * 86_400 - $m->{wacrm_database_time_seconds}), '<', 600,
    'and since when');
is(scalar calls(), $n, 'and nobody is called');
$d->done;
