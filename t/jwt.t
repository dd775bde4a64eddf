#!/usr/bin/perl

# Which tokens open the door, through a real nginx: the test list of RFC 8725.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use lib 't/lib';
use Wacrm::Jwt;
use Wacrm::Nginx;

my $secret = 'a secret of thirty-two bytes, and';

my $t = Wacrm::Nginx->new;

$t->write('secret', "$secret\n");
new_key($t->path('rsa'), 'rsa');
new_key($t->path('ec'), 'P-256');

$t->http(<<'EOC');
    wacrm_jwt_key_file %%DIR%%/secret alg=HS256;
    large_client_header_buffers 4 32k;

    server {
        listen 127.0.0.1:%%PORT%%;

        location / {
            wacrm_jwt "the desk";
            wacrm_jwt_issuer wacrm;
            wacrm_jwt_audience inbox;
            add_header X-Sub $wacrm_jwt_sub;
            empty_gif;
        }

        location /plain {
            wacrm_jwt desk;
            add_header X-Sub $wacrm_jwt_sub;
            empty_gif;
        }

        location /leeway {
            wacrm_jwt desk;
            wacrm_jwt_leeway 1m;
            add_header X-Sub $wacrm_jwt_sub;
            empty_gif;
        }

        location /rsa {
            wacrm_jwt desk;
            wacrm_jwt_key_file %%DIR%%/rsa.pub alg=RS256;
            add_header X-Sub $wacrm_jwt_sub;
            empty_gif;
        }

        location /ec {
            wacrm_jwt desk;
            wacrm_jwt_key_file %%DIR%%/ec.pub alg=ES256;
            add_header X-Sub $wacrm_jwt_sub;
            empty_gif;
        }

        location = /metrics {
            wacrm_metrics;
        }
    }
EOC
$t->start;

sub ask {
    my ($path, $token, %headers) = @_;

    return $t->get($path, defined $token
                          ? (Authorization => "Bearer $token") : (), %headers);
}

sub passes {
    my ($path, $token, $name) = @_;

    my $r = ask($path, $token);
    is($r->{status}, 200, $name);
}

# One answer for every cause; the reason is in the log.
sub refused {
    my ($path, $token, $reason, $name) = @_;

    my $mark = $t->mark;
    my $r = ask($path, $token);
    my $log = $t->log_since($mark);
    my ($logged) = $log =~ /wacrm_jwt: status=401 reason=(\w+)/;

    is_deeply([$r->{status}, $r->{body}, $logged],
              [401, '{"message":"Unauthenticated."}', $reason],
              "$name: refused, $reason");
}

my %mine = (iss => 'wacrm', aud => 'inbox');
my $good = hs_token($secret, claims(%mine));

# ---- the door ----

my $r = ask('/', $good);
is($r->{status}, 200, 'a good token');
is($r->{headers}{'x-sub'}, '7', 'its subject');

$r = ask('/');
is($r->{status}, 401, 'no token');
is($r->{body}, '{"message":"Unauthenticated."}', 'body of a 401');
is($r->{headers}{'content-type'}, 'application/json', 'it is JSON');
is($r->{headers}{'www-authenticate'}, 'Bearer realm="the desk"',
   'challenge without a token');

$r = ask('/', "$good.x");
is($r->{headers}{'www-authenticate'},
   'Bearer realm="the desk", error="invalid_token"',
   'challenge with a bad token');

refused('/', undef, 'missing', 'nothing');
refused('/', '', 'missing', 'an empty token');
refused('/', 'null', 'malformed', 'Bearer null');
is($t->get('/', Authorization => "bearer $good")->{status}, 200,
   'the scheme in lower case');
is($t->get('/', Authorization => "Bearer   $good  ")->{status}, 200,
   'spaces around the token');
is($t->get('/', Authorization => "Basic $good")->{status}, 401,
   'another scheme');
is($t->get('/', Authorization => "Bearer$good")->{status}, 401, 'no space');
# nginx itself may be the one that refuses these
for (["Bearer $good", "Bearer $good"], ["Bearer x", "Bearer $good"],
     ["Bearer $good", "Basic x"])
{
    like($t->get('/', Authorization => $_)->{status}, qr/^40[01]$/,
         'two Authorization headers');
}
is($t->get("/?access_token=$good&token=$good")->{status}, 401,
   'a token in the query is none');
is($t->request('HEAD', '/')->{status}, 401, 'HEAD');

$r = $t->post('/', 'x' x 100_000);
is($r->{status}, 401, 'a body comes with the request');

my $s = $t->connect;
$t->send_request($s, 'POST', '/', body => 'GET /evil HTTP/1.1');
is($t->read_response($s)->{status}, 401, 'refused on a kept connection');
$t->send_request($s, 'GET', '/', headers => {Authorization =>
                                             "Bearer $good"});
is($t->read_response($s)->{status}, 200, 'next request on that connection');

# ---- algorithm and key ----

passes('/plain', hs_token($secret, claims()), 'neither iss nor aud asked');
refused('/plain', hs_token('another secret of thirty-two bytes', claims()),
        'signature', 'another secret');
refused('/plain', hs_token('the secret of the webhook, 32 byte',
                           claims(app => 'evolution', action => 'webhook')),
        'signature', 'a token of the webhook');
refused('/plain', hs_token("$secret\n", claims()), 'signature',
        'the newline of the file is no part of the secret');
for my $alg (qw(HS384 HS512)) {
    refused('/plain', hs_token($secret, claims(), { alg => $alg }), 'alg',
            "$alg in place of HS256");
}
for my $alg (qw(none None NONE nOnE)) {
    my $text = b64url(qq({"alg":"$alg"})) . '.'
               . b64url(encode_json(claims()));
    isnt(ask('/plain', "$text.")->{status}, 200, "alg $alg, no signature");
    refused('/plain', "$text.AAAA", 'alg', "alg $alg, some signature");
}
refused('/plain', hs_token($secret, claims(), { alg => 'hs256' }), 'alg',
        'alg in lower case');
refused('/plain', hs_token($secret, claims(), '{"typ":"JWT"}'), 'alg',
        'no alg');
refused('/plain', hs_token($secret, claims(), '{"alg":["HS256"]}'), 'alg',
        'alg is an array');

my $pem = $t->read('rsa.pub');
refused('/rsa', hs_token($pem, claims()), 'alg',
        'HS256 by the RSA public key');
refused('/ec', hs_token($t->read('ec.pub'), claims()), 'alg',
        'HS256 by the EC public key');
refused('/rsa', hs_token('', claims()), 'alg', 'HS256 by the empty key');
refused('/rsa', pk_token($t->path('rsa'), 'RS512', claims()), 'alg',
        'RS512 in place of RS256');
refused('/rsa', pk_token($t->path('ec'), 'ES256', claims()), 'alg',
        'ES256 where RS256 is meant');
passes('/rsa', pk_token($t->path('rsa'), 'RS256', claims()), 'RS256');
passes('/ec', pk_token($t->path('ec'), 'ES256', claims()), 'ES256');

for my $kid ('../../../../dev/null', "' OR 1=1 --", "a\\u0000b", 'x' x 4096) {
    my $name = length $kid > 40 ? 'of 4 KB' : $kid;
    my $token = hs_token($secret, claims(), qq({"alg":"HS256","kid":"$kid"}));
    my $r = ask('/plain', $token);
    like($r->{status}, qr/^(200|401)$/, "kid $name chooses among our keys");
}
refused('/plain', hs_token('', claims(), { kid => '/dev/null' }), 'signature',
        'kid names a file that is empty');
for my $name (qw(jku x5u)) {
    refused('/plain', hs_token('evil' x 10, claims(),
                               { $name => 'http://127.0.0.1/keys' }),
            'signature', "$name is not followed");
}
refused('/rsa', pk_token(new_key($t->path('evil'), 'rsa'), 'RS256', claims(),
                         { jwk => jwk($t->path('evil.pub')) }),
        'signature', 'jwk in the header is not believed');
refused('/plain', hs_token($secret, claims(), { crit => ['exp'] }), 'alg',
        'crit');
refused('/plain', hs_token($secret, claims(), { b64 => JSON::PP::false }),
        'alg', 'b64=false');

# ---- claims ----

my $now = time;

refused('/plain', hs_token($secret, claims(token_use => 'refresh')), 'claim',
        'a refresh token');
passes('/plain', hs_token($secret, claims(token_use => 'access')),
       'token_use access');
refused('/', hs_token($secret, claims(%mine, iss => 'Wacrm')), 'issuer',
        'another iss');
refused('/', hs_token($secret, claims(aud => 'inbox')), 'issuer', 'no iss');
refused('/', hs_token($secret, claims(%mine, iss => ['wacrm'])), 'issuer',
        'iss is an array');
refused('/', hs_token($secret, claims(%mine, aud => 'inbox2')), 'audience',
        'another aud');
refused('/', hs_token($secret, claims(iss => 'wacrm')), 'audience', 'no aud');
refused('/', hs_token($secret, claims(%mine, aud => ['a', 'b'])), 'audience',
        'aud is an array without ours');
passes('/', hs_token($secret, claims(%mine, aud => ['a', 'inbox'])),
       'aud is an array with ours');

refused('/plain', hs_token($secret, claims(exp => undef)), 'expired',
        'no exp');
refused('/plain', hs_token($secret, claims(exp => $now - 10)), 'expired',
        'exp is past');
passes('/leeway', hs_token($secret, claims(exp => $now - 10)),
       'exp is past, within the leeway');
refused('/leeway', hs_token($secret, claims(exp => $now - 100)), 'expired',
        'exp is past the leeway');
for my $exp ('"9999999999"', '9999999999.5', '-1', '9223372036854775807',
             'null', 'true', '1e12', '[]')
{
    refused('/plain', hs_token($secret, qq({"sub":"7","exp":$exp})),
            'expired', "exp $exp");
}
isnt(ask('/plain', hs_token($secret, '{"exp":99999999999999999999}'))
         ->{status}, 200, 'exp beyond 64 bits');
refused('/plain', hs_token($secret, claims(nbf => $now + 100)), 'early',
        'nbf to come');
refused('/plain', hs_token($secret, claims(iat => $now + 100)), 'early',
        'iat to come');
passes('/leeway', hs_token($secret, claims(nbf => $now + 30,
                                           iat => $now + 30)),
       'nbf and iat within the leeway');
refused('/leeway', hs_token($secret, claims(nbf => $now + 100)), 'early',
        'nbf beyond the leeway');
refused('/plain', hs_token($secret, '{"sub":"1","sub":"7","exp":9999999999}'),
        'malformed', 'duplicate claims');
refused('/plain', hs_token($secret, claims(),
                           '{"alg":"none","alg":"HS256"}'),
        'malformed', 'duplicate alg');
refused('/plain', hs_token($secret, qq({"sub":"\xff\xfe","exp":9999999999})),
        'malformed', 'not UTF-8');
refused('/plain', hs_token($secret, '{"sub":"7\u000d\u000aX-A: b",'
                                    . '"exp":9999999999}'),
        'claim', 'a subject with a line break');
refused('/plain', hs_token($secret, '{"sub":7,"exp":9999999999}'), 'claim',
        'a subject that is a number');
refused('/plain', hs_token($secret, '{"sub":" 7","exp":9999999999}'), 'claim',
        'a subject that begins with a space');
refused('/plain', hs_token($secret, '{"sub":"","exp":9999999999}'), 'claim',
        'an empty subject');
refused('/plain', hs_token($secret, '{"sub":"7","jti":[],"exp":9999999999}'),
        'claim', 'a token id that is an array');
refused('/plain', hs_token($secret, '[1]'), 'malformed', 'claims, an array');
refused('/plain', hs_token($secret, '{' x 50 . '}' x 50), 'malformed',
        'claims that are not JSON');
refused('/plain', hs_token($secret, '{"exp":9999999999,"a":' . '[' x 50
                                    . ']' x 50 . '}'),
        'malformed', 'claims 50 levels deep');

# ---- coding and size ----

my $plain = hs_token($secret, claims());
my ($h, $c, $sig) = split /\./, $plain;

refused('/plain', "$h.$c", 'malformed', 'two segments');
refused('/plain', "$plain.$sig", 'malformed', 'four segments');
isnt(ask('/plain', "$h.$c.")->{status}, 200, 'an empty signature');
refused('/plain', "$h.$c." . substr($sig, 0, 40), 'signature',
        'a truncated signature');
refused('/plain', "$h.$c.$sig" . 'AAAA', 'signature', 'a longer signature');
refused('/plain', "$h.$c." . 'A' x 8192, 'signature',
        'an oversize signature');
refused('/plain', "$h=.$c.$sig", 'malformed', 'padding');
refused('/plain', "$h.$c.$sig=", 'malformed', 'padding at the end');
refused('/plain', "$h. $c.$sig", 'malformed', 'a space in the token');
refused('/plain', "$h.$c.\xc3\xa9$sig", 'malformed', 'bytes over 127');
{
    # a signature with - and _ in it, written in the other alphabet
    my ($n, $token) = (0);
    do {
        $token = hs_token($secret, claims(n => ++$n));
    } until ($token =~ /\.[^.]*[-_][^.]*$/);
    passes('/plain', $token, 'a signature with - or _');
    $token =~ s{([^.]*)$}{$1 =~ tr,-_,+/,r}e;
    refused('/plain', $token, 'malformed', 'the same with + or /');
}
refused('/ec', "$h.$c." . b64url("\0" x 64), 'alg', 'ES, by an HS header');
{
    my $input = b64url('{"alg":"ES256"}') . ".$c.";
    refused('/ec', $input . b64url("\0" x 64), 'signature', 'r = s = 0');
    refused('/ec', $input . b64url("\0" x 32 . "\1" x 32), 'signature',
            'r = 0');
    refused('/ec', $input . b64url("\xff" x 64), 'signature',
            'r and s beyond the order');
    refused('/ec', $input . b64url("\x30\x84\xff\xff\xff\xff" . "\1" x 58),
            'signature', 'DER with a length that overflows');
    refused('/ec', $input . b64url("\1" x 4096), 'signature', 'r, s of 2 KB');
}

passes('/plain', hs_token($secret, claims(pad => 'x' x 3000)),
       'a token of 4 KB');
passes('/plain', hs_token($secret, claims(pad => 'x' x 11000)),
       'a token of 15 KB');
refused('/plain', hs_token($secret, claims(pad => 'x' x 13000)), 'malformed',
        'a token over 16 KB');
refused('/plain', hs_token($secret, claims(), { pad => 'x' x 9000 }),
        'malformed', 'a header over 8 KB');

# its line comes in pieces
{
    my $token = hs_token($secret, claims(pad => 'y' x 3000));
    my $s = $t->connect;
    my $text = "GET /plain HTTP/1.1\r\nHost: a\r\nX-Fill: " . 'f' x 900
               . "\r\nAuthorization: Bearer $token\r\nConnection: close"
               . "\r\n\r\n";
    for (my $at = 0; $at < length $text; $at += 700) {
        syswrite $s, substr $text, $at, 700;
        select undef, undef, undef, 0.005;
    }
    is($t->read_response($s)->{status}, 200,
       'a token over several header buffers');
}

# ---- nothing sticks ----

passes('/plain', $plain, 'a good token after all the bad ones');
refused('/plain', undef, 'missing', 'no token after all the bad ones');

unlike($t->log, qr/\Q$sig\E|\Q$secret\E/, 'neither token nor secret in a log');

my $m = $t->metrics;
my ($ok) = grep { /jwt/ && /result="ok"/ } keys %$m;
my ($alg) = grep { /jwt/ && /result="alg"/ } keys %$m;
cmp_ok($m->{$ok || ''} || 0, '>', 10, 'good tokens are counted');
cmp_ok($m->{$alg || ''} || 0, '>', 10, 'and bad ones by their reason');

$t->done;
