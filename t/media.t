#!/usr/bin/env perl
# Files: up in both forms, down with ranges and for nobody else, out to the
# gateway, and in from it, whatever it answers.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        s/^max_size = 16m/max_size = 1m\nfetch_tries = 2\nfetch_backoff = 1s/m
            or die 'no max_size';
        Wacrm::Desk::outbox_at_once(gap => '0s', timeout => '2s');
    },
    nginx => sub {
        s/(zone=send:1m +rate)=30r/$1=600r/ or die 'no zone send';
    });
$ENV{WACRM_PUBLIC_URL} = 'http://127.0.0.1:' . $d->{nginx}->port;
$d->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(cs1 cs2 supervisor);
our $token = $token{cs1};
my $PNG = "\x89PNG\r\n\x1a\n" . join '', map { chr($_ % 256) } 0 .. 4999;
my $PDF = "%PDF-1.4\nsurat\n";

sub api { $d->api($_[0], "/api/crm/$_[1]", token => $token, @_[2 .. $#_]) }

# A form: name => text, or name => [filename, type, bytes].
sub form {
    my (@fields) = @_;
    my $body = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        $body .= "--b0undary\r\nContent-Disposition: form-data; name=\"$name\"";
        $body .= ref $value ? "; filename=\"$value->[0]\"\r\nContent-Type: "
            . "$value->[1]\r\n\r\n$value->[2]\r\n" : "\r\n\r\n$value\r\n";
    }
    return (body => "$body--b0undary--\r\n",
        headers => { 'Content-Type' =>
            'multipart/form-data; boundary=b0undary' });
}

sub in_json { { name => $_[0], mime => 'image/png',
    base64 => encode_base64($_[1], '') } }
sub fetch {
    my ($path, %headers) = @_;
    return $d->api(GET => $path, headers => \%headers);
}
sub message {
    my ($id) = @_;
    my ($chat) = $d->sql("SELECT chat_id FROM messages WHERE id = $id");
    my $r = api(GET => "inbox/$chat->[0]");
    return (grep { $_->{id} == $id } @{$r->{json}{messages}})[0];
}
sub stored {
    my @files = glob "$d->{dir}/media/??/*";
    return scalar @files;
}

# ---- up ----

my $r = api(POST => 'media', form(file => ['C:\\foto.png', 'text/html', $PNG]));
is($r->{status}, 201, 'a form is taken') or diag $r->{body};
my $first = $r->{json}{data};
is($first->{mime}, 'image/png', 'its bytes tell the type');
is($first->{size}, length $PNG);
is($first->{filename}, 'foto.png', 'a name without its path');
my $hash = sha256_hex($PNG);
my $file = "$d->{dir}/media/" . substr($hash, 0, 2) . '/' . substr $hash, 2;
ok(-f $file, 'the file lies by its hash');
is(sprintf('%o', (stat $file)[2] & 07777), '640');

$r = api(POST => 'media', json => { file => in_json("laporan bulan \x{e9}.png",
    $PNG) });
is($r->{status}, 201, 'so is what axios 1.x makes of it');
my $second = $r->{json}{data};
isnt($second->{media_id}, $first->{media_id});
is(stored(), 1, 'the same bytes are stored once');
is((() = glob "$d->{dir}/media/tmp-*"), 0, 'nothing temporary is left');

for (['no file', 422, form(other => 'x')],
     ['an empty file', 422, form(file => ['a.png', 'image/png', ''])],
     ['a file that is lost in JSON', 422, json => { file => {} }],
     ['what is no Base64', 422, json => { file => { base64 => 'x' } }],
     ['a program called a picture', 415,
         form(file => ['a.png', 'image/png', "\x7fELF\2\1\1\0\0"])],
     ['an archive, which is not on the list', 415,
         form(file => ['a.zip', 'application/zip', "PK\5\6" . "\0" x 18])],
     ['a large file', 413, form(file => ['a.txt', 'text/plain',
         'x' x (1024 * 1024 + 1)])],
     ['a large file in JSON', 413,
         json => { file => in_json('a', 'x' x (1024 * 1024 + 1)) }],
     ['half a form', 400, body => "--b0undary\r\n", headers => {
         'Content-Type' => 'multipart/form-data; boundary=b0undary' }],
     ['another type', 415, body => 'x', headers => {
         'Content-Type' => 'image/png' }]) {
    my ($what, $status, @request) = @$_;
    $r = api(POST => 'media', @request);
    is($r->{status}, $status, "$what: $status") or diag $r->{body};
    ok($r->{json}{message}, 'says why');
    ok($r->{json}{errors}{file}, 'in errors.file') if $status == 422;
}
is(api(POST => 'media', body => 'x' x (25 * 1024 * 1024))->{status}, 413,
    'nginx ends what is far too large');
is($d->api(POST => '/api/crm/media', json => {})->{status}, 401);

# ---- down ----

like($first->{url}, qr{^/api/crm/media/\Q$first->{media_id}\E\?user=\d+
    &expires=\d+&signature=[0-9a-f]{64}$}x, 'the address is signed');
my ($expires) = $first->{url} =~ /expires=(\d+)/;
is($expires % 86400, 0, 'until the end of a day');
$r = fetch($first->{url});
is($r->{status}, 200, 'and needs no bearer');
is($r->{body}, $PNG, 'the bytes');
is($r->{headers}{'content-type'}, 'image/png');
is($r->{headers}{'x-content-type-options'}, 'nosniff');
is($r->{headers}{'content-disposition'}, 'inline; filename="foto.png"');
like($r->{headers}{'cache-control'}, qr/private/);
ok(!exists $r->{headers}{'x-accel-redirect'}, 'where it lies is not told');
my $etag = $r->{headers}{etag};
ok($etag, 'an ETag');
is(fetch($first->{url}, 'If-None-Match' => $etag)->{status}, 304);
$r = fetch($first->{url}, Range => 'bytes=8-11');
is($r->{status}, 206, 'a part');
is($r->{body}, "\0\1\2\3");
is($r->{headers}{'content-range'}, 'bytes 8-11/' . length $PNG);
is(fetch($first->{url}, Range => 'bytes=99999-')->{status}, 416);
is(fetch($second->{url})->{headers}{'content-disposition'},
    'inline; filename="laporan bulan __.png";'
    . " filename*=UTF-8''laporan%20bulan%20%C3%A9.png",
    'a name of many letters');
is(api(GET => "media/$first->{media_id}")->{status}, 200, 'by bearer, too');
is(fetch("/api/crm/media/$first->{media_id}")->{status}, 401);

# nobody else
my $plain = "/api/crm/media/$first->{media_id}";
for my $who (qw(cs2 supervisor)) {
    is($d->api(GET => $plain, token => $token{$who})->{status}, 404,
        "an upload is its writer's, not $who\'s");
}
(my $other_file = $first->{url}) =~ s/$first->{media_id}/$second->{media_id}/;
(my $other_user = $first->{url}) =~ s/user=\d+/user=1/;
(my $longer = $first->{url}) =~ s/expires=\d+/'expires=' . ($expires + 86400)/e;
(my $cut = $first->{url}) =~ s/.$//;
(my $gateway = $first->{url}) =~ s/user=\d+/user=gateway/;
for (['another file', $other_file], ['another user', $other_user],
     ['a longer life', $longer], ['a cut signature', $cut],
     ['a gateway', $gateway], ['nothing signed', "$plain?signature=x"],
     ['twice', "$first->{url}&user=2"]) {
    my $status = fetch($_->[1])->{status};
    ok($status == 404 || $status == 400, "$_->[0]: not with that signature")
        or diag $status;
}
# one that was good yesterday
my $key = hmac_sha256('wacrm media url 1',
    'jwt-secret-of-the-test-0000000001');
for ([86400 * int(time / 86400), 404], [86400 * int(time / 86400 + 1), 200]) {
    my ($end, $status) = @$_;
    my ($user) = $first->{url} =~ /user=(\d+)/;
    my $mac = hmac_sha256_hex("$first->{media_id}\n$user\n$end", $key);
    is(fetch("$plain?user=$user&expires=$end&signature=$mac")->{status},
        $status, $status == 200 ? 'until its end' : 'and no longer');
}
for ('x' x 32, '../../wacrm.db', '..%2f..%2fwacrm.db', substr($hash, 0, 32)) {
    my $status = api(GET => "media/$_")->{status};
    ok($status == 404 || $status == 400, "no file: $_");
}
is(fetch("/wacrm-media/" . substr($hash, 0, 2) . '/' . substr $hash, 2)
    ->{status}, 404, 'the directory is not to be had');
is(fetch("/wacrm-signed/$first->{media_id}")->{status}, 404);

my $id1 = $d->sql("SELECT id FROM users WHERE email = 'cs1\@test.example'");
$d->change("UPDATE users SET active = 0 WHERE id = $id1");
is(fetch($first->{url})->{status}, 401, 'a user who is switched off');
$d->change("UPDATE users SET active = 1 WHERE id = $id1");

# ---- out ----

sub sent {
    my ($id) = @_;
    $d->wait_for(sub {
        $d->sql("SELECT status FROM messages WHERE id = $id") == 2 }, 15)
        or diag explain [$d->sql("SELECT * FROM messages WHERE id = $id")];
    my ($call) = grep { $_->{body}{phone} =~ /^62814/ }
        ($d->calls(route => 'send.image'), $d->calls(route => 'send.document'));
    return $call;
}

$r = api(POST => 'messages/send', form(phone => '081400000001',
    type => 'image', message => 'Laporan', file => ['a.png', 'x/y', $PNG]));
is($r->{status}, 200, 'a form is sent') or diag $r->{body};
my $m = $r->{json}{data};
is($m->{type}, 'image');
is($m->{message}, 'Laporan');
is($m->{media}{mime}, 'image/png');
is($m->{media}{state}, 'stored');
is(fetch($m->{media}{url})->{body}, $PNG, 'and can be looked at');
my $call = sent($m->{id});
is($call->{body}{caption}, 'Laporan');
like($call->{body}{image}, qr{^\Q$ENV{WACRM_PUBLIC_URL}\E/api/crm/media/
    [0-9a-f]{32}\?user=gateway&}x, 'the gateway gets an address');
is($call->{file}{status}, 200, 'which it can fetch');
is($call->{file}{sha256}, $hash);
is(stored(), 1, 'still one file');
$d->sim('/_sim/reset', {});

my %key = ('Idempotency-Key' => 'once');
my %json = (json => { phone => '081400000001', message => 'Surat',
    file => { name => 'surat.pdf', mime => 'image/png',
        base64 => 'data:image/png;base64,' . encode_base64($PDF, '') } },
    headers => \%key);
$r = api(POST => 'messages/send', %json);
is($r->{status}, 200, 'JSON is sent') or diag $r->{body};
is($r->{json}{data}{type}, 'document', 'as what it is');
my $again = api(POST => 'messages/send', %json);
is($again->{json}{data}{id}, $r->{json}{data}{id}, 'once by its key');
$call = sent($r->{json}{data}{id});
is($call->{route}, 'send.document');
is($call->{body}{filename}, 'surat.pdf');
is($call->{file}{type}, 'application/pdf');
is($call->{file}{sha256}, sha256_hex($PDF));
is($d->sql('SELECT count(*) FROM media'), 4, 'a row for each, none for a key');
$d->sim('/_sim/reset', {});

# what is told to be a text has no file: it would be lost without a word
for ([file => { name => 'a.pdf', base64 => encode_base64($PDF, '') }],
     [media_id => $second->{media_id}], [url => 'https://x.example/a.png']) {
    $r = api(POST => 'messages/send', json => { phone => '081400000001',
        type => 'text', message => 'Surat', @$_ });
    is($r->{status}, 422, "a text with $_->[0]") or diag $r->{body};
    ok($r->{json}{errors}{type}, 'is told') or diag $r->{body};
}
$r = api(POST => 'messages/send', form(phone => '081400000001', type => 'text',
    message => 'Surat', file => ['a.pdf', 'application/pdf', $PDF]));
is($r->{status}, 422, 'in a form');
$r = api(POST => 'messages/send', form(phone => '081400000001', type => 'text',
    message => 'Teks', file => '', media_id => ''));
is($r->{status}, 200, 'empty fields of a form are none') or diag $r->{body};
$d->sim('/_sim/reset', {});

$r = api(POST => 'messages/send', json => { phone => '081400000001',
    media_id => $second->{media_id} });
is($r->{status}, 200, 'by the id of an upload') or diag $r->{body};
is($r->{json}{data}{message}, '');
is(sent($r->{json}{data}{id})->{file}{sha256}, $hash);

# a form that is sent again has another boundary
my @ids;
for my $boundary (qw(satu dua)) {
    my %form = form(phone => '081400000001', file => ['', 'x/y', $PDF]);
    $form{body} =~ s/b0undary/$boundary/g;
    $form{headers} = { 'Idempotency-Key' => 'form', 'Content-Type' =>
        "multipart/form-data; boundary=$boundary" };
    $r = api(POST => 'messages/send', %form);
    push @ids, $r->{json}{data}{id} || $r->{body};
}
is($ids[1], $ids[0], 'and is the same by its key');
ok($d->wait_for(sub { $d->sql("SELECT status FROM messages WHERE id ="
    . " $ids[0]") == 2 }), 'sent');
is(($d->calls(route => 'send.document'))[-1]{body}{filename}, 'file.pdf',
    'with a name of its type');
$d->sim('/_sim/reset', {});
my %other = form(phone => '081400000001', file => ['', 'x/y', "$PDF!"]);
$other{headers}{'Idempotency-Key'} = 'form';
is(api(POST => 'messages/send', %other)->{status}, 409, 'another file: 409');

for (['an image that is none', 422, 'file', json => { type => 'image',
         file => in_json('a.png', $PDF) }],
     ['another\'s upload', 422, 'media_id', who => 'cs2', json => {
         media_id => $first->{media_id} }],
     ['no such file', 422, 'media_id', json => { media_id => 'x' }],
     ['an address', 422, 'url', json => { url => 'http://127.0.0.1/' }],
     ['an image without one', 422, 'file', json => { type => 'image' }],
     ['a program', 415, '', json => { file => in_json('a', "MZ\0\1") }],
     ['too large', 413, '', json => {
         file => in_json('a', 'x' x 1100000) }]) {
    my ($what, $status, $field, %request) = @$_;
    $request{json}{phone} = '081400000002';
    local $token = $token{delete $request{who} || 'cs1'};
    $r = api(POST => 'messages/send', %request);
    is($r->{status}, $status, "$what: $status") or diag $r->{body};
    ok($r->{json}{errors}{$field}, "errors.$field") if $status == 422;
}
is($d->sql("SELECT count(*) FROM contacts WHERE phone = '6281400000002'"), 0,
    'nothing of that was kept');

# who sees the chat sees its files, and nobody else
is($d->api(GET => "/api/crm/media/$second->{media_id}",
    token => $token{cs2})->{status}, 200, 'a colleague of the session');
$d->change('UPDATE sessions SET everyone = 0; INSERT INTO session_members'
    . " (session_id, user_id) SELECT id, $id1 FROM sessions");
is($d->api(GET => "/api/crm/media/$second->{media_id}",
    token => $token{cs2})->{status}, 404, 'who does not see the session: 404');
is($d->api(GET => "/api/crm/media/$second->{media_id}",
    token => $token{supervisor})->{status}, 200, 'a supervisor sees all');

# ---- in ----

my $at = "http://127.0.0.1:$d->{sim_port}/media";
my $n = 0;

# The message that says so, once nothing is pending.
sub incoming {
    my ($url, %more) = @_;
    my $text = 'masuk ' . ++$n;
    $d->sim('/_sim/webhook', { from => '6281500000001', type => 'image',
        text => $text, media => { url => $url, mime => 'image/jpeg',
            name => '../../kiriman.jpg' }, %more });
    $d->applied;
    my $id = $d->sql("SELECT id FROM messages WHERE body = '$text'");
    $d->wait_for(sub { $d->sql('SELECT fetch_state FROM message_media'
        . " WHERE message_id = $id") != 1 }, 20) or diag 'still pending';
    return message($id);
}
sub file { $d->sim('/_sim/file', { @_ }) }
sub asked { scalar grep { $_->{path} eq "/media/$_[0]" } $d->calls }

file(name => 'a.jpg', base64 => encode_base64($PNG, ''));
my $seq = $d->sql('SELECT max(seq) FROM events');
$m = incoming("$at/a.jpg");
is($m->{media}{state}, 'stored', 'a donor\'s file is fetched');
is($m->{media}{mime}, 'image/png', 'and is what it is');
is($m->{media}{filename}, 'kiriman.jpg');
is(fetch($m->{media}{url})->{body}, $PNG);
ok($d->sql("SELECT count(*) FROM events WHERE kind = 6 AND ref = $m->{id}"),
    'the message has changed');
is(($d->calls)[-1]{bearer}, 'ok', 'the gateway\'s own server gets our token');

file(name => 'late.jpg', base64 => encode_base64($PNG, ''), do => 'status',
    status => 503, times => 1);
is(incoming("$at/late.jpg")->{media}{state}, 'stored', '503: again');
is(asked('late.jpg'), 2);
file(name => 'never.jpg', do => 'status', status => 500, times => 99);
is(incoming("$at/never.jpg")->{media}{state}, 'failed', '500 for ever');
is(asked('never.jpg'), 2, 'as often as configured');

file(name => 'moved.jpg', do => 'redirect', location => "$at/a.jpg");
file(name => 'huge.jpg', bytes => 1024 * 1024 + 1);
file(name => 'endless.jpg', do => 'endless');
file(name => 'elf.jpg', base64 => encode_base64("\x7fELF\2\1\1", ''));
for (['moved.jpg', 'a redirect'], ['huge.jpg', 'a large one'],
     ['endless.jpg', 'one without an end'], ['elf.jpg', 'a program'],
     ['none.jpg', '404']) {
    $m = incoming("$at/$_->[0]");
    is($m->{media}{state}, 'failed', "$_->[1] is not taken");
    is($m->{media}{url}, undef);
    is(asked($_->[0]), 1, 'and not asked for again');
}
# again, by hand
like($m->{media}{error}, qr/404/, 'why is told');
file(name => 'none.jpg', base64 => encode_base64($PNG, ''));
$r = api(POST => "messages/$m->{id}/media/retry");
is($r->{status}, 200, 'what was given up is fetched again') or diag $r->{body};
is($r->{json}{data}{media}{state}, 'pending', 'it is on the way');
ok($d->wait_for(sub { message($m->{id})->{media}{state} eq 'stored' }),
    'and comes');
is(message($m->{id})->{media}{error}, undef, 'nothing is wrong with it');
is(fetch(message($m->{id})->{media}{url})->{body}, $PNG);
$r = api(POST => "messages/$m->{id}/media/retry");
is("$r->{status} $r->{json}{code}", '409 not_retryable', 'once');
is(api(POST => 'messages/999999/media/retry')->{status}, 404, 'of nothing');
is($d->sql("SELECT count(*) FROM audit WHERE action = 'media.retry'"), 1,
    'the audit tells');
file(name => 'slow.jpg', do => 'hang');
is(incoming("$at/slow.jpg")->{media}{state}, 'failed', 'one that hangs');
is(asked('slow.jpg'), 2);

my $before = () = $d->calls;
for ("http://127.0.0.1:1/a.jpg", "http://localhost:$d->{sim_port}/media/a.jpg",
     "http://a:b\@127.0.0.1:$d->{sim_port}/media/a.jpg",
     "file:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/a",
     "https://127.0.0.1:$d->{sim_port}/media/a.jpg",
     "http://127.0.0.1:$d->{sim_port}\@10.0.0.1/media/a.jpg") {
    is(incoming($_)->{media}{state}, 'failed', "not from $_");
}
is(() = $d->calls, $before, 'nobody was asked');
is((() = glob "$d->{dir}/media/tmp-*"), 0, 'nothing temporary is left');
is(stored(), 3, 'two files, and one that was refused: garbage in a day');
$d->allow(qr/file fetched/);

# over a restart
file(name => 'kept.jpg', base64 => encode_base64("${PNG}x", ''),
    do => 'status', status => 503, times => 1);
$d->sim('/_sim/webhook', { from => '6281500000001', type => 'image',
    text => 'restart', media => { url => "$at/kept.jpg" } });
$d->applied;
$d->wacrmd_kill;
$d->wacrmd_start;
ok($d->wait_for(sub { stored() == 4 }, 15), 'goes on after a crash');

# to a gateway that cannot come to us
$d->wacrmd_stop;
{
    local $ENV{WACRM_GATEWAY_MAIN_MEDIA} = 'base64';
    $d->wacrmd_start;
}
$d->sim('/_sim/reset', {});
$r = api(POST => 'messages/send', json => { phone => '081400000001',
    media_id => $first->{media_id} });
$call = sent($r->{json}{data}{id});
is($call->{file}{from}, 'data', 'the file itself goes out');
is($call->{file}{sha256}, $hash);
is($call->{file}{type}, 'image/png');

# a gateway that loses its answer: nothing is sent twice
$d->sim('/_sim/reset', {});
$d->sim('/_sim/behaviour', { route => 'send.image', do => 'status',
    status => 500, accept => 1 });
$r = api(POST => 'messages/send', json => { phone => '081400000001',
    media_id => $first->{media_id} });
my $lost = $r->{json}{data}{id};
ok($d->wait_for(sub { $d->sql("SELECT status FROM messages WHERE id = $lost")
    == 1 }, 15), 'unknown, where nothing is proved');
is(() = $d->calls(route => 'send.image'), 1);
$d->allow(qr/attempt ended/);

$d->sound;
# ---- what it is called ----

for (['resi.bat', 'resi.bat.txt'], ['foto.hta', 'foto.hta.txt'],
     ["\x{202e}x" . 'y' x 200 . '.js', "\x{202e}x" . 'y' x 112 . '.txt'],
     ['data.csv', 'data.csv'], ['tanpa', 'tanpa.txt']) {
    $r = api(POST => 'media', json => { file => in_json($_->[0], 'isi') });
    is($r->{json}{data}{filename}, $_->[1], 'a name ends as what it names');
}

$d->done;
