#!/usr/bin/env perl
# A file that an agent sends by its address: fetched from listed hosts at
# listed or public addresses only; its message waits for it, or has failed.

use strict;
use warnings;

use MIME::Base64;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $PNG = decode_base64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUl'
    . 'EQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==');
my $PDF = "%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n";
my $host;
my $d = Wacrm::Desk->new(wacrmd => sub {
    Wacrm::Desk::outbox_at_once(timeout => '2s',
        backoff => "1s 1s 1s\njitter = off");
    s/^max_size = 16m/max_size = 1m/m or die 'no max_size';
}, nginx => sub { s/(zone=send:1m +rate)=30r/$1=600r/ or die })->start;
my $token = $d->login('cs1@test.example');
my ($QUEUED, $SENT, $FAILED, $SCHEDULED) = (0, 2, 6, 7);
my $at = "127.0.0.1:$d->{sim_port}";
my $n = 0;

sub phone { sprintf '62817%08d', ++$n }
sub file { $d->sim('/_sim/file', { @_ }) }
sub asked { scalar grep { $_->{path} eq "/media/$_[0]" } $d->calls }
sub send_url {
    my ($url, %more) = @_;
    return $d->api(POST => '/api/crm/messages/send', token => $token,
        json => { phone => phone(), url => $url, %more });
}
sub message {
    my ($id) = @_;
    my $chat = $d->sql("SELECT chat_id FROM messages WHERE id = $id");
    my $r = $d->api(GET => "/api/crm/inbox/$chat", token => $token);
    return (grep { $_->{id} == $id } @{$r->{json}{messages}})[0];
}
sub reaches {
    my ($id, $status, $seconds) = @_;
    return $d->wait_for(sub { $d->sql("SELECT status FROM messages WHERE"
        . " id = $id") == $status }, $seconds || 12);
}
sub hosts {
    my ($hosts, $http) = @_;
    my $conf = $d->{nginx}->read('wacrmd.conf');
    $conf =~ s/^url_h.*\n//mg;
    $conf =~ s/^\[media\]\n/[media]\nurl_hosts = $hosts\nurl_http = $http\n/m
        or die;
    $d->{nginx}->write('wacrmd.conf', $conf);
    $d->wacrmd_stop;
    $d->wacrmd_start;
}
$d->allow(qr/http\.sock failed .* while connecting to upstream/);

# ---- off ----

my $r = send_url("http://$at/media/a.png");
is($r->{status}, 422, 'off by default');
like($r->{json}{errors}{url}[0], qr/switched off/, 'and says so');

# ---- what is no address of ours ----

hosts("$at files.example.org", 'off');
for my $url ("http://$at/media/a.png", 'https://evil.example/a.png',
        'https://files.example.org.evil.example/a.png',
        'https://files.example.org:8443/a.png', 'ftp://files.example.org/a',
        'file:///etc/passwd', 'https://u:p@files.example.org/a.png',
        'https://files.example.org@evil.example/a', '/etc/passwd', 'a.png',
        'https://files.example.org/' . 'x' x 2048, 7) {
    $r = send_url($url);
    is($r->{status}, 422, '422: ' . substr $url, 0, 50) or diag $r->{body};
    ok($r->{json}{errors}{url}, 'errors.url');
}
is($d->sql('SELECT count(*) FROM messages'), 0, 'nothing of that is queued');

# ---- it comes, and leaves ----

hosts("$at localhost:$d->{sim_port}", 'on');
file(name => 'bukti.png', base64 => encode_base64($PNG, ''));
$r = send_url("http://$at/media/bukti.png", message => 'ini buktinya');
is($r->{status}, 200, 'queued') or diag $r->{body};
is($r->{json}{data}{status}, 'queued', 'at once');
is($r->{json}{data}{media}{state}, 'pending', 'its file is on the way');
my $id = $r->{json}{data}{id};
ok(reaches($id, $SENT), 'then it leaves');
my $m = message($id);
is($m->{type}, 'image', 'as what it is');
is("$m->{media}{state} $m->{media}{mime} $m->{media}{filename}",
    'stored image/png bukti.png', 'and is kept here');
is(scalar $d->calls(route => 'send.image'), 1, 'the gateway got an image');
is(scalar(grep { $_->{bearer} ne 'none' && $_->{path} eq
    '/media/bukti.png' } $d->calls), 0, 'its address got no bearer of ours');
file(name => 'kwitansi.pdf', base64 => encode_base64($PDF, ''));
$r = send_url("http://localhost:$d->{sim_port}/media/kwitansi.pdf");
ok(reaches($r->{json}{data}{id}, $SENT), 'a document, by a name');
is(message($r->{json}{data}{id})->{type}, 'document', 'is one');
$r = send_url("http://$at/media/bukti.png?a=1", type => 'document');
ok(reaches($r->{json}{data}{id}, $SENT), 'an image as a document');
is(message($r->{json}{data}{id})->{type}, 'document', 'as was told');

# ---- its lane waits for it ----

file(name => 'lambat.png', base64 => encode_base64($PNG, ''),
    do => 'status', status => 503, times => 1);
my $phone = phone();
my @lane = map { $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => $phone, %$_ })->{json}{data}{id} }
    { url => "http://$at/media/lambat.png" }, { message => 'lalu ini' };
sleep 0.6;
is($d->sql("SELECT status FROM messages WHERE id = $lane[1]"), $QUEUED,
    'what stands behind it waits');
$d->wacrmd_kill;
$d->wacrmd_start;
ok(reaches($lane[1], $SENT), 'and leaves behind it, also after a kill -9');
is(join(' ', map { $_->{route} } $d->calls(phone => $phone)),
    'send.image send.text', 'in order');

# ---- it does not come ----

file(name => 'hilang.png', do => 'status', status => 404, times => 99);
file(name => 'sakit.png', do => 'status', status => 500, times => 99);
file(name => 'pindah.png', do => 'redirect',
    location => "http://$at/media/bukti.png");
file(name => 'besar.png', bytes => 2_000_000);
file(name => 'terus.png', do => 'endless');
file(name => 'diam.png', do => 'hang');
file(name => 'jahat.png', base64 => encode_base64("MZ\0\1" x 20, ''));
my $redirected = asked('bukti.png');
my @bad = map { my ($name, $why, $calls, %more) = @$_;
    [$name, $why, $calls, send_url("http://$at/media/$name.png", %more)
        ->{json}{data}{id}] }
    ['hilang', qr/404/, 1], ['sakit', qr/500/, 3], ['pindah', qr/302/, 1],
    ['besar', qr/too large/, 1], ['terus', qr/too large/, 1],
    ['jahat', qr/type/, 1], ['tiada', qr/404/, 1];
file(name => 'resi.png', base64 => encode_base64($PDF, ''));
push @bad, ['resi', qr/no image/, 1, send_url("http://$at/media/resi.png",
    type => 'image')->{json}{data}{id}];
for (@bad) {
    my ($name, $why, $calls, $id) = @$_;
    ok(reaches($id, $FAILED), "$name: failed");
    my $m = message($id);
    is($m->{error}{code}, 'media_fetch', "$name: with its code");
    like($m->{error}{title}, $why, "$name: and why");
    is($m->{media}{state}, 'failed', "$name: the file, too");
    is(asked("$name.png"), $calls, "$name: asked so often");
}
is(asked('bukti.png'), $redirected, 'no redirect is followed');
file(name => 'hilang.png', base64 => encode_base64($PNG, ''));
($id) = map { $_->[3] } grep { $_->[0] eq 'hilang' } @bad;
is($d->api(POST => "/api/crm/messages/$id/retry", token => $token)->{status},
    200, 'again, by hand');
ok(reaches($id, $SENT), 'fetches it again, and it leaves');
is($d->api(POST => "/api/crm/messages/$id/media/retry", token => $token)
    ->{status}, 409, 'that is for files of donors');

# ---- later, and never ----

file(name => 'nanti.png', base64 => encode_base64($PNG, ''));
$r = send_url("http://$at/media/nanti.png", scheduled_at =>
    POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 2)));
$id = $r->{json}{data}{id};
ok($d->wait_for(sub { message($id)->{media}{state} eq 'stored' }, 2),
    'the file of what leaves later comes at once');
ok(reaches($id, $SENT), 'and it leaves');
$r = send_url("http://$at/media/tiada2.png", scheduled_at =>
    POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 3600)));
ok(reaches($r->{json}{data}{id}, $FAILED), 'what cannot come fails early');
file(name => 'batal.png', do => 'status', status => 503, times => 99);
$r = send_url("http://$at/media/batal.png");
$id = $r->{json}{data}{id};
is($d->api(DELETE => "/api/crm/messages/$id", token => $token)->{status},
    200, 'withdrawn while it waits');
sleep 1.3;
is(message($id)->{status}, 'cancelled', 'it stays so');
cmp_ok(asked('batal.png'), '<=', 1, 'nobody asks for the file any more');

# ---- a name that leads inside ----

hosts("localhost:$d->{sim_port}", 'on');
my $before = asked('bukti.png');
$r = send_url("http://localhost:$d->{sim_port}/media/bukti.png");
is($r->{status}, 200, 'a listed name') or diag $r->{body};
ok(reaches($r->{json}{data}{id}, $FAILED), 'that leads to a private address');
like(message($r->{json}{data}{id})->{error}{title}, qr/not a host/, 'fails');
is(asked('bukti.png'), $before, 'nothing is asked there');
unlike($d->log, qr{/media/\w+\.png}, 'no address is in the log');

$d->sound;
$d->done;
