#!/usr/bin/env perl
# After a busy run with all that goes wrong: no secret, no token, no text and
# no whole phone number stands in any log, at the most talkative level.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    sim_args => ['--statuses', '--echo'],
    donors => "phone,name,date,amount,ref\n"
        . "081900000001,Ibu Kartini,2026-01-02,500000,K-1\n",
    wacrmd => sub {
        s/^timeout = 30s/timeout = 1s/m or die 'no timeout';
        s/^backoff = .*/backoff = 1s/m or die 'no backoff';
        s/^first_per_minute = 5/first_per_minute = 0/m or die 'no first';
        s/^gap = 1s/gap = 1ms/m or die 'no gap';
    },
    nginx_options => { level => 'info' })->start;
$d->allow(qr/http\.sock failed .* while connecting to upstream/);
$d->allow(qr/exited on signal 9/);

# What may stand nowhere. Words that are in nothing else of the run.
my %secret = (
    'webhook secret' => 'webhook-secret-of-the-test',
    'JWT secret' => 'jwt-secret-of-the-test',
    'password' => $Wacrm::Desk::PASSWORD,
    'wrong password' => 'salah-kuncinya',
    'new password' => 'sandi-anyar',
    'incoming text' => 'curhatan',
    'outgoing text' => 'jawaban-kami',
    'dead text' => 'isi-surat-mati',
    'caption' => 'takarir-foto',
    'QR code' => '2@QRCODEQRCODE',
    'pairing code' => 'PAIR-7531',
    'name of a donor' => 'Kartini',
    'search' => 'dicari-orang',
    'signature of an address' => 'tanda-tangan',
    'gateway password' => $Wacrm::Desk::GATEWAY_PASSWORD,
    'bearer of the gateway' => 'bearer-of-the-simulator',
    'secret of the sockets' => $Wacrm::Desk::APP_SECRET,
);
my $digits = qr/62819\d{8}|0?819\d{8}/;

sub hook { $d->sim('/_sim/webhook', { @_ })->{json} }
sub phone { sprintf '628190000%04d', $_[0] }

my $r = $d->api(POST => '/api/auth/login', json => {
    email => 'cs1@test.example', password => $Wacrm::Desk::PASSWORD });
my $token = $r->{json}{token};
$secret{'signature of a token'} = (split /\./, $token)[2];
$secret{'refresh token'} = $r->{json}{refresh_token};

sub send_text {
    return $d->api(POST => '/api/crm/messages/send', token => $token,
        headers => { 'Idempotency-Key' => "kunci-$_[0]" },
        json => { phone => $_[0], message => "jawaban-kami $_[0]" });
}

# ---- in, good and bad ----

for my $shape (qw(seed v1doc v1code v2guide v2flat)) {
    hook(shape => $shape, count => 5, donors => 5, from => phone(1),
        name => 'Ibu Kartini', text => 'curhatan {n}');
    hook(shape => $shape, kind => 'typing', from => phone(2));
    hook(shape => $shape, kind => 'session', status => 'connected');
}
hook(from => phone(2), text => 'curhatan', sign => JSON::PP::false,
    retry => JSON::PP::false);
hook(from => phone(2), text => 'curhatan', secret => 'x' x 20,
    retry => JSON::PP::false);
for my $body ('{"event":"message.received","data":{"from":"' . phone(3)
        . '","message":"isi-surat-mati \u0000"}}',
    '{"event":"message.received","data":{"from":"ibu ' . phone(3)
        . '","message":"isi-surat-mati"}}',
    '{"event":"message.status","data":{"status":"isi-surat-mati"}}',
    '{"event":"isi.surat","data":{"from":"' . phone(3) . '"},"x":1e999}',
    '{"event":"qr.generated","data":{"qr":"2@QRCODEQRCODE,abc"}}',
    '{"event":"pairing.code_generated","data":{"code":"PAIR-7531"}}',
    '{"event":"message.received","data":{"from":"' . phone(4) . '","type":'
        . '"image","message":"takarir-foto","id":"L1"}}',
    '{"event":"isi-surat-mati') {
    $d->webhook($body);
}
ok($d->applied, 'what came is applied');
cmp_ok($d->sql('SELECT count(*) FROM dead_letters'), '>=', 3,
    'some of it dead');

# ---- people ----

$d->api(POST => '/api/auth/login', json => { email => 'cs1@test.example',
    password => 'salah-kuncinya' });
$d->api(GET => '/api/crm/inbox', token => 'eyJ.' . 'x' x 40);
$d->api(GET => "/api/crm/inbox?search=dicari-orang", token => $token);
$d->api(GET => '/api/crm/inbox?search=' . phone(1), token => $token);
$d->api(GET => '/api/crm/inbox?limit=x&search=dicari-orang',
    token => $token);
$d->api(GET => '/api/crm/inbox/' . phone(1), token => $token);
$d->api(GET => '/api/crm/contacts/' . phone(1), token => $token);
$d->api(POST => '/api/auth/refresh', json => { refresh_token => 'x' });

# ---- out, good and bad ----

$d->sim('/_sim/behaviour', { route => 'send.text', do => $_->[0], times => 1,
    phone => phone($_->[1]), %{$_->[2] || {}} }) for ['hang', 11],
    ['status', 12, { status => 400, body => { message =>
        'not on WhatsApp: ' . phone(12) } }],
    ['status', 13, { status => 500 }], ['garbage', 14], ['close', 15],
    ['unauthorised', 16], ['huge', 17], ['limited', 18];
is(send_text(phone($_))->{status}, 200, "a message to $_") for 10 .. 18;
send_text('bukan nomor ' . phone(19));
ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM outbox WHERE state IN'
    . ' (0, 1)') == 0 }, 20), 'all have ended somehow');

# ---- wacrmctl, kills, reloads ----

$d->ctl([qw(user passwd cs2@test.example)], "sandi-anyar-1\n");
$d->ctl([qw(dead replay 1)]);
$d->ctl([qw(token admin@test.example)]);
my ($worker) = $d->{nginx}->workers;
kill 'KILL', $worker;
kill 'HUP', $d->wacrmd_pid;
$d->wacrmd_kill;
for my $path ('inbox?search=dicari-orang', 'contacts/' . phone(1),
        "media/none?expires=9999999999&signature=tanda-tangan") {
    is($d->api(GET => "/api/crm/$path", token => $token)->{status}, 503,
        'nobody answers');
}
hook(from => phone(5), text => 'curhatan', name => 'Ibu Kartini');
send_text(phone(6));
$d->wacrmd_start;
$d->{nginx}->reload;
ok($d->applied, 'what came meanwhile is applied');
ok($d->wacrmd_stop, 'wacrmd stops');

# ---- and now the logs ----

my @logs = grep { -s } glob "$d->{dir}/*.log";
cmp_ok(scalar @logs, '>=', 2, scalar(@logs) . ' logs');
my %text = map { m{([^/]+)$}; ($1 => scalar $d->{nginx}->read($1)) }
    @logs;
cmp_ok(length $text{'wacrmd.log'}, '>', 5000, 'wacrmd has talked');
cmp_ok(length $text{'error.log'}, '>', 1000, 'so has nginx');
for my $log (sort keys %text) {
    for my $what (sort keys %secret) {
        my @lines = grep { index($_, $secret{$what}) >= 0 }
            split /\n/, $text{$log};
        is($lines[0], undef, "$log: no $what");
    }
    my @lines = grep { /$digits/ } split /\n/, $text{$log};
    is($lines[0], undef, "$log: no whole phone number");
    @lines = grep { /eyJ[\w-]{10,}\.[\w-]{10,}/ } split /\n/, $text{$log};
    is($lines[0], undef, "$log: no token");
}
my $masked = 'request: "GET /api/crm/contacts/\*{10}001 HTTP/1.1", '
    . 'upstream: "http://unix:[^":]+", host:';
like($text{'error.log'}, qr/$masked/, 'requests stand masked');
like($text{'wacrmd.log'}, qr/phone=\**\d{3}\b/, 'phones stand masked');

# What a test that harms on purpose still hears of.
my $loud = Wacrm::Nginx->new->allow(qr/upstream/, qr/exited on signal 9/);
$loud->allow_errors;
for (['[alert] 1#1: worker process 2 exited on signal 9', 1],
     ['[alert] 1#1: worker process 2 exited on signal 11', 0],
     ['[notice] 1#1: worker process 2 exited with code 1', 0],
     ['==2==ERROR: AddressSanitizer: heap-use-after-free in upstream', 0],
     ['ngx_wacrm_x.c:1:2: runtime error: upstream', 0],
     ['[crit] 1#1: the disk is full', 1]) {
    my ($line, $allowed) = @$_;
    is($loud->allowed($line) ? 1 : 0, $allowed,
        ($allowed ? 'allowed: ' : 'never: ') . $line);
}
$loud->finish;

# Nor does what is kept for replay hold what opens a session.
is($d->sql("SELECT count(*) FROM raw_events WHERE instr(record,"
    . " CAST('QRCODEQRCODE' AS BLOB)) OR instr(record,"
    . " CAST('PAIR-7531' AS BLOB))"), 0, 'no code in the raw events');

$d->done;
