#!/usr/bin/env perl
# What docs/operations.md says of new keys and of the log: each done while
# people work, and nobody is thrown out.

use strict;
use warnings;

use IO::Socket::INET ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new->start;
my $n = $d->{nginx};
my $dir = $d->{dir};
$d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams/);

sub edit {
    my ($file, $code) = @_;
    local $_ = $n->read($file);
    $code->() or die "$file: not as it was thought";
    $n->write($file, $_);
}

sub inbox {
    my ($token) = @_;
    return $d->api(GET => '/api/crm/inbox', token => $token)->{status};
}

# ---- the webhook's secret ----

my %key = (old => 'webhook-secret-of-the-test-00001',
    new => 'webhook-secret-of-the-test-00002');
my $id = 0;

sub signed {
    my ($which) = @_;
    my $body = '{"event":"message.received","data":{"from":"6281210000007",'
        . '"message":"Halo","id":"ROT' . ++$id . '","timestamp":'
        . int(time) . '}}';
    return $n->post('/api/webhook/whatsapp', $body,
        'Content-Type' => 'application/json',
        $n->waapi($body, $key{$which}))->{status};
}

is(signed('old'), 200, 'webhook: the old secret');
is(signed('new'), 401, 'not the new one');
$n->write('secrets/webhook-new', $key{new});
edit('nginx.conf', sub {
    s{(wacrm_webhook_secret_file \S+/webhook);}{$1 $dir/secrets/webhook-new;}
});
$n->reload;
is(signed($_), 200, "both: $_") for qw(old new);
edit('nginx.conf', sub {
    s{(wacrm_webhook_secret_file) \S+/webhook (\S+);}{$1 $2;}
});
$n->reload;
is(signed('new'), 200, 'then the new one');
is(signed('old'), 401, 'alone');
my @selftest = ('selftest', '--url', 'http://127.0.0.1:' . $n->port);
{
    my ($rc, $out) = $d->ctl(\@selftest);
    is($rc, 1, 'a selftest reads the old file');
    like($out, qr{401: not .*: that of $dir/secrets/webhook .*--secret-file},
        'and says which it was, and how to name another');
}
rename "$dir/secrets/webhook-new", "$dir/secrets/webhook" or die $!;
edit('nginx.conf', sub {
    s{(wacrm_webhook_secret_file \S+/webhook)-new;}{$1;}
});
$n->reload;
is(signed('new'), 200, 'it has the name of the old one');

# ---- the key of the tokens, twice: the second finds the names of the first ----

sub restart {
    $d->wacrmd_stop;
    $d->wacrmd_start;
}

my $new;

sub token_key {
    my ($key, $who) = @_;

    my $r = $d->api(POST => '/api/auth/login', json => {
        email => "$who\@test.example", password => 'rahasia-sekali' });
    my ($old, $refresh) = @{$r->{json}}{qw(token refresh_token)};
    ok($old && $refresh, 'signed in') or diag $r->{body};
    is(inbox($old), 200, 'with the old key');
    $n->write('secrets/jwt-new', $key);
    edit('nginx.conf', sub {
        s{(wacrm_jwt_key_file) (\S+)/jwt (alg=HS256;)}
            {$1 $2/jwt $3 $1 $2/jwt-new $3}
    });
    $n->reload;
    is(inbox($old), 200, 'nginx knows both');
    edit('wacrmd.conf', sub { s{^(jwt_secret_file = \S+/jwt)$}{$1-new}m });
    restart();
    $new = $d->login('admin@test.example');
    is(inbox($old), 200,
        'wacrmd signs with the new one: the old token is good');
    is(inbox($new), 200, 'so is a new one');
    $n->write('secrets/jwt', $n->read('secrets/jwt-new'));
    edit('nginx.conf', sub { s{ wacrm_jwt_key_file \S+/jwt-new alg=HS256;}{} });
    $n->reload;
    edit('wacrmd.conf', sub { s{^(jwt_secret_file = \S+/jwt)-new$}{$1}m });
    restart();
    unlink "$dir/secrets/jwt-new" or die $!;
    is(inbox($old), 401, 'without the old key: its tokens end');
    is(inbox($new), 200, 'those of the new one do not');
    $r = $d->api(POST => '/api/auth/refresh', json => {
        refresh_token => $refresh });
    is($r->{status}, 200, 'who has an old one renews it') or diag $r->{body};
    is(inbox($r->{json}{token}), 200, 'without signing in');
}

subtest 'tokens: a new key' =>
    sub { token_key('jwt-secret-of-the-test-0000000002', 'cs1') };
subtest 'and another' =>
    sub { token_key('jwt-secret-of-the-test-0000000003', 'cs2') };

# ---- realtime's secret ----

sub authorise {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $n->port) or die $!;
    print {$s} "GET /app/wacrm?protocol=7 HTTP/1.1\r\nHost: a\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    my $text = '';
    $d->wait_for(sub { sysread $s, $text, 4096, length $text;
        $text =~ /socket_id/ });
    my ($socket) = $text =~ /socket_id\W+([\d.]+)/;
    my $r = $d->api(POST => '/broadcasting/auth', token => $new,
        json => { socket_id => $socket, channel_name => 'private-inbox' });
    my $say = '{"event":"pusher:subscribe","data":{"channel":"private-inbox",'
        . '"auth":"' . ($r->{json}{auth} || '') . '"}}';
    my $mask = "\1\2\3\4";
    my $i = 0;
    print {$s} pack('CCn', 0x81, 0x80 | 126, length $say), $mask,
        join '', map { chr(ord($_) ^ ord substr $mask, $i++ % 4, 1) }
        split //, $say;
    $text = '';
    $d->wait_for(sub { sysread $s, $text, 4096, length $text;
        $text =~ /subscription_\w+/ });
    return $text;
}

like(authorise(), qr/subscription_succeeded/, 'realtime: with its secret');
$n->write('secrets/realtime', 'realtime-secret-of-the-test-0002');
restart();
like(authorise(), qr/subscription_succeeded/, 'with a new one');

# ---- nginx's log, as conf/wacrm.logrotate has it ----

my $rotate = do {
    open my $fh, '<', 'conf/wacrm.logrotate' or die $!;
    local $/;
    <$fh>;
};
$n->write('nginx.pid.here', $n->pid . "\n");
$rotate =~ s{/run/nginx\.pid}{$dir/nginx.pid.here}g;
$rotate =~ s{^/var/log/wacrm/\*\.log}{$dir/error.log}m or die 'no log';
my ($me, $group) = (scalar getpwuid $>, scalar getgrgid $) + 0);
$rotate =~ s{create 0640 www-data adm}{create 0640 $me $group\n    su $me $group}
    or die 'no create';
$n->write('logrotate.conf', $rotate, 0644);
$n->wait_log(qr/./);
my $inode = (stat "$dir/error.log")[1];
is(system("PATH=\$PATH:/usr/sbin logrotate -f -s $dir/logrotate.state"
    . " $dir/logrotate.conf"), 0, 'logrotate');
is((stat "$dir/error.log.1")[1], $inode, 'the old one is kept');
ok($d->wait_for(sub { -e "$dir/error.log" }), 'nginx opens a new one');
isnt((stat "$dir/error.log")[1], $inode, 'not the old one');
$n->reload;
ok($d->wait_for(sub { ($n->read('error.log') || '') =~ /\S/ }),
    'and writes there');
is(signed('new'), 200, 'at work all the time');
is(($d->ctl(\@selftest))[0], 0, 'the whole road, with all that is new');
ok($d->applied, 'all is applied');
$d->done;
