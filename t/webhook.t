#!/usr/bin/perl

# What a webhook answers, and what of the request lies in the spool.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;

$t->write('secret', "a secret of enough bytes\n");
$t->http(<<'EOC');
    wacrm_spool %%DIR%%/spool size=64m;
    wacrm_webhook_signature waapi;
    wacrm_webhook_secret_file %%DIR%%/secret;

    wacrm_rate_zone $binary_remote_addr zone=tries:1m rate=2r/h;

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT2%% http2;

        location /hook {
            wacrm_webhook demo;
        }
        location /typed {
            wacrm_webhook typed;
            wacrm_webhook_content_type application/json text/json;
        }
        location /small {
            wacrm_webhook small;
            client_max_body_size 1000;
        }
        location /million {
            wacrm_webhook million;
            client_max_body_size 1m;
        }
        location /limited {
            wacrm_webhook limited;
            wacrm_rate zone=tries;
        }
        location /open {
            wacrm_webhook open;
            wacrm_webhook_signature none allow_unsigned;
        }
        location /pieces {
            wacrm_webhook pieces;
            client_body_buffer_size 1k;
        }
        location /token {
            wacrm_webhook token;
            wacrm_webhook_signature token query=key;
        }
        location /plain {
            return 200 plain;
        }
    }
EOC

my ($ok, $out) = $t->test;
ok($ok, 'nginx -t') or diag($out);
ok(!-e $t->path('spool'), 'nginx -t makes no spool');
$t->start;

my $secret = 'a secret of enough bytes';
my $body = '{"event":"message.received","data":{"id":"1"}}';
my $error = '{"message":"Event cannot be stored now, try again."}';

sub post {
    my ($path, $text, %headers) = @_;
    return $t->post($path, $text, $t->waapi($text, $secret), %headers);
}

sub answer {
    my ($r, $status, $text, $name) = @_;
    is($r && $r->{status}, $status, "$name: status");
    is($r && $r->{headers}{'content-type'}, 'application/json',
       "$name: JSON");
    is($r && $r->{body}, $text, "$name: body");
}

# ---- the good ones ----

answer(post('/hook?session=a%20b&x=1', $body,
            'Content-Type' => 'application/json',
            'X-Webhook-Event' => 'message.received',
            'X-Webhook-Id' => 'w-1', Authorization => 'Bearer xyz'),
       200, '{"success":true}', 'stored');

my ($rec) = $t->spool_dump($t->path('spool'));
is($rec->{body}, $body, 'record: body');
is($rec->{src}, 'demo', 'record: source');
is($rec->{path}, '/hook', 'record: path');
is($rec->{q}, 'session=a%20b&x=1', 'record: query');
is($rec->{m}, 'POST', 'record: method');
is($rec->{ct}, 'application/json', 'record: content type');
is($rec->{ip}, '127.0.0.1', 'record: remote address');
is($rec->{sig}, 'waapi', 'record: scheme');
is($rec->{'h.x-webhook-event'}, 'message.received', 'record: event header');
is($rec->{'h.x-webhook-id'}, 'w-1', 'record: id header');
is_deeply([grep { /auth|signature/ } keys %$rec], [],
          'record: no Authorization and no signature');
cmp_ok(abs($rec->{at} / 1e6 - time), '<', 60, 'record: time');

is(post('/open', '[1]')->{status}, 200, 'unsigned where allowed');
is($t->post('/open', '[1]')->{status}, 200, 'unsigned without header');
is(post('/hook', $_)->{status}, 200, "JSON text $_")
    for '0', 'null', '"x"', ' [] ', '{"a":"\u0000"}', '1e400';

# ---- bodies ----

my $mark = $t->spool_dump($t->path('spool'));

my $big = '{"text":"' . ('x' x 300_000) . '"}';
is(post('/hook', $big)->{status}, 200, 'in a temporary file');
is(post('/hook', '"' . ('y' x 3000) . '"')->{status}, 200, 'in a buffer');

my $r = $t->request('POST', '/hook', headers => {$t->waapi($body, $secret)},
                    chunked => [split //, $body]);
is($r->{status}, 200, 'chunked');

$r = $t->request('POST', '/pieces', headers => {$t->waapi($big, $secret)},
                 chunked => [$big =~ /(.{1,7000})/gs]);
is($r->{status}, 200, 'chunked, in a temporary file');

$r = $t->request('POST', '/hook', headers => {$t->waapi($body, $secret)},
                 chunked => [$body =~ /(.{1,10})/gs], delay => 0.02);
is($r->{status}, 200, 'chunked, slowly');

$r = $t->request('POST', '/pieces', body => '"' . ('z' x 4000) . '"',
                 headers => {$t->waapi('"' . ('z' x 4000) . '"', $secret)},
                 delay => 0.02);
is($r->{status}, 200, 'slowly');

$r = $t->request('POST', '/hook', body => $body,
                 headers => {$t->waapi($body, $secret),
                             Expect => '100-continue'});
is($r->{status}, 200, 'Expect: 100-continue');

my @new = $t->spool_dump($t->path('spool'));
splice @new, 0, $mark;
is_deeply([map { length $_->{body} } @new],
          [length $big, 3002, length $body, length $big, length $body, 4002,
           length $body], 'all of them whole and in order');
ok($new[0]{body} eq $big && $new[3]{body} eq $big, 'temporary files: bytes');

SKIP: {
    my $version = `curl --version 2>/dev/null` || '';
    skip 'no curl with HTTP/2', 3 unless $version =~ /nghttp2/;

    my $url = 'http://127.0.0.1:' . $t->port(2);
    my %sig = $t->waapi($big, $secret);
    $t->write('big', $big);
    my @cmd = ('curl', '-s', '--http2-prior-knowledge', '-o', '/dev/null',
               '-w', '%{http_code} %{http_version}', '-H',
               "X-Webhook-Signature: $sig{'X-Webhook-Signature'}");
    my $curl = sub {
        open my $fh, '-|', @cmd, @_ or die;
        local $/;
        return scalar <$fh>;
    };
    is($curl->('--data-binary', '@' . $t->path('big'), "$url/hook"), '200 2',
       'HTTP/2');
    is($curl->('-X', 'POST', '-T', '-', '-H', 'Expect:', "$url/hook"),
       '401 2', 'HTTP/2 without a body');

    # curl 7.88 forgets an answer that came before its body was sent
    $curl->('--data-binary', 'x' x 1001, "$url/small");
    like($t->log, qr{status=413 reason=too_large,.*HTTP/2},
         'HTTP/2, too large');
}

# ---- the refusals ----

my $not_json = '{"success":false,"data":null,"message":"Body is not JSON"}';
my $no = '{"message":"Unauthenticated."}';
my $large = '{"message":"Body is too large"}';

answer(post('/hook', '{"a":'), 400, $not_json, 'not JSON');
answer(post('/hook', ''), 400, $not_json, 'empty');
answer(post('/hook', "\xef\xbb\xbf{}"), 400, $not_json, 'byte order mark');

answer($t->post('/hook', $body), 401, $no, 'no signature');
answer($t->post('/hook', '{"a":'), 401, $no, 'no signature, not JSON');
answer($t->post('/hook', $body, 'X-Webhook-Signature' => 'f' x 64), 401, $no,
       'wrong signature');
answer($t->post('/hook', $body, 'X-Webhook-Signature' => 'xyz'), 401, $no,
       'malformed signature');
answer($t->post('/hook', $body, 'X-Webhook-Signature' =>
                [($t->waapi($body, $secret))[1], 'f' x 64]),
       401, $no, 'two signatures');

for my $method (qw(PUT DELETE PATCH OPTIONS)) {
    $r = $t->request($method, '/hook', body => $body);
    answer($r, 405, '{"message":"Method Not Allowed"}', $method);
    is($r->{headers}{allow}, 'POST', "$method: Allow");
}
answer($t->get('/hook'), 404, '{"success":false,"message":"Not Found"}',
       'GET');
is($t->request('HEAD', '/hook')->{status}, 405, 'HEAD');

my $text = '"' . ('x' x 999) . '"';
answer(post('/small', $text), 413, $large, 'too large');
$r = $t->request('PUT', '/small', body => $text);
answer($r, 405, '{"message":"Method Not Allowed"}', 'PUT, too large');
is($r->{headers}{allow}, 'POST', 'PUT, too large: Allow');
answer($t->request('GET', '/small', body => $text), 404,
       '{"success":false,"message":"Not Found"}', 'GET, too large');
$r = $t->request('POST', '/small', headers => {$t->waapi($text, $secret)},
                 chunked => [$text]);
answer($r, 413, $large, 'too large, chunked');
$r = $t->request('POST', '/small', headers => {$t->waapi($text, $secret)},
                 chunked => [$text =~ /(.{1,400})/gs], delay => 0.05);
answer($r, 413, $large, 'too large, chunked and slow');
is(post('/small', '"' . ('x' x 998) . '"')->{status}, 200, 'at the limit');
is(post('/million', '"' . ('x' x 2_000_000) . '"')->{status}, 413,
   'an explicit 1m');
is(post('/hook', '"' . ('x' x 3_000_000) . '"')->{status}, 200,
   '3 MB by default');
is(post('/hook', '"' . ('x' x 16_777_216) . '"')->{status}, 413,
   'over 16 MB by default');

answer(post('/typed', $body, 'Content-Type' => 'text/plain'), 415,
       '{"message":"Content type is not accepted"}', 'wrong type');
is(post('/typed', $body)->{status}, 415, 'no type');
is(post('/typed', $body, 'Content-Type' => $_)->{status}, 200, "type $_")
    for 'application/json', 'Text/JSON; charset=utf-8';

is($t->post('/limited', $body)->{status}, 401, 'first bad signature');
is($t->post('/limited', $body)->{status}, 401, 'second bad signature');
$r = $t->post('/limited', $body);
answer($r, 429, '{"message":"Too many messages. Please wait."}',
       'third bad signature');
ok($r->{headers}{'retry-after'}, 'Retry-After');
is(post('/limited', $body)->{status}, 200, 'a good signature is not limited');

$r = $t->request('POST', '/hook',
                 headers => {$t->waapi($body, $secret),
                             'Transfer-Encoding' => 'chunked',
                             'Content-Length' => undef},
                 body => "zz\r\n");
is($r && $r->{status}, 400, 'malformed chunk');
like($r && $r->{body}, qr/^\{"success":false/, 'malformed chunk: JSON');
is($t->get('/plain')->{body}, 'plain', 'other locations are left alone');
like($t->get('/missing')->{body}, qr/<html>/, 'their errors too');

# ---- keep-alive: a refused body is not taken for a request ----

my $s = $t->connect;
for my $try (1 .. 3) {
    is($t->request('POST', '/hook', socket => $s, body => $body)->{status},
       401, 'keep-alive, refused');
    $r = $t->request('POST', '/hook', socket => $s, body => $body,
                     headers => {$t->waapi($body, $secret)});
    is($r->{status}, 200, 'keep-alive, accepted');
}
close $s;

# two in one packet
$s = $t->connect;
my %sig = $t->waapi($body, $secret);
my $one = "POST /hook HTTP/1.1\r\nHost: a\r\nX-Webhook-Signature: "
          . "$sig{'X-Webhook-Signature'}\r\nContent-Length: "
          . length($body) . "\r\n\r\n$body";
syswrite $s, $one . $one . $one;
is($t->read_response($s)->{status}, 200, 'pipelined') for 1 .. 3;
close $s;

# ---- no secret in a log or record ----

$t->write('secret', 'token-0123456789abcdef');
$secret = 'token-0123456789abcdef';
ok($t->reload(wait => 1), 'reload');
is($t->post("/token?key=$secret&a=b", $body)->{status}, 200, 'query token');
is($t->post("/token?a=b&key=$secret", '{')->{status}, 400,
   'query token, not JSON');
is($t->post("/token?a=b&key=${secret}x", $body)->{status}, 401,
   'wrong query token');
is($t->post('/token?key=', $body)->{status}, 401, 'empty query token');
my @all = $t->spool_dump($t->path('spool'));
is($all[-1]{q}, 'key=' . ('*' x length $secret) . '&a=b',
   'record: token blanked');
unlike($t->log, qr/\Q$secret/, 'no token in the log');
unlike($t->log, qr/$sig{'X-Webhook-Signature'}|message\.received/,
       'no signature and no body in the log');
like($t->log, qr/wacrm webhook refused source=demo status=401 reason=$_,/,
     "reason $_") for qw(signature_missing signature_mismatch);
like($t->log, qr/source=demo status=400 reason=not_json,/, 'reason not_json');
like($t->log, qr/source=small status=413 reason=too_large,/,
     'reason too_large');
like($t->log, qr/source=typed status=415 reason=content_type,/,
     'reason content_type');
like($t->log, qr/source=limited status=429 reason=rate,/, 'reason rate');

$t->done;
