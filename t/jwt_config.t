#!/usr/bin/perl

# What nginx -t says to mistakes in wacrm_jwt*: each with file and line.

use strict;
use warnings;

use Test::More;
use lib 't/lib';
use Wacrm::Jwt;
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;

$t->write('secret', 's' x 32);
$t->write('short', 's' x 31);
$t->write('empty', '');
$t->write('newline', "\n");
$t->write('large', 'x' x 300_000);
$t->write('text', "no key at all\n");
$t->write('jwks', '{"keys":[]}');
new_key($t->path('rsa'), 'rsa');
new_key($t->path('p256'), 'P-256');
new_key($t->path('p384'), 'P-384');
mkdir $t->path('directory');

sub check {
    my ($text) = @_;

    $t->http("server {\nlisten 127.0.0.1:%%PORT%%;\nlocation / {\n$text\n}\n}");
    return $t->test;
}

my $key = 'wacrm_jwt_key_file secret alg=HS256;';

for ($key,
     "wacrm_jwt desk; $key",
     "wacrm_jwt off;",
     "wacrm_jwt desk token=\$cookie_a; $key",
     "wacrm_jwt desk; $key wacrm_jwt_key_file rsa.pub alg=RS256;",
     "wacrm_jwt desk; wacrm_jwt_key_file rsa.pub alg=RS256; "
         . 'wacrm_jwt_key_file rsa.pub alg=RS512;',
     "wacrm_jwt desk; $key wacrm_jwt_leeway 1h;",
     "wacrm_jwt desk; $key wacrm_jwt_issuer a; wacrm_jwt_audience b; "
         . 'wacrm_jwt_require $wacrm_jwt_sub; wacrm_jwt_require $uri $host;')
{
    my ($ok, $output) = check($_);
    ok($ok, "passes: $_") or diag($output);
}

for (['wacrm_jwt;', 'number of arguments'],
     ['wacrm_jwt "" ;', 'empty realm'],
     ['wacrm_jwt token=$a;', 'no realm'],
     ['wacrm_jwt "a\"b";', 'realm'],
     ["wacrm_jwt 'a\\\\b';", 'realm'],
     ["wacrm_jwt desk;\nwacrm_jwt desk; $key", 'is duplicate'],
     ['wacrm_jwt off token=$cookie_a;', 'off'],
     ["wacrm_jwt desk tokens=\$cookie_a; $key", 'invalid parameter'],
     ["wacrm_jwt desk token=cookie_a; $key", 'invalid parameter'],
     ["wacrm_jwt desk token=\$; $key", 'invalid parameter'],
     ["wacrm_jwt desk token=\$arg_token; $key", 'query string'],
     ["wacrm_jwt desk token=\$nonesuch; $key", 'unknown "nonesuch"', 0],
     ['wacrm_jwt desk;', 'no "wacrm_jwt_key_file" is defined'],
     ['wacrm_jwt_key_file secret;', 'number of arguments'],
     ['wacrm_jwt_key_file secret HS256;', 'invalid parameter'],
     ['wacrm_jwt_key_file secret alg=;', 'unknown algorithm'],
     ['wacrm_jwt_key_file secret alg=none;', 'unknown algorithm'],
     ['wacrm_jwt_key_file secret alg=hs256;', 'unknown algorithm'],
     ['wacrm_jwt_key_file secret alg=PS256;', 'unknown algorithm'],
     ['wacrm_jwt_key_file secret alg=HS2566;', 'unknown algorithm'],
     ['wacrm_jwt_key_file "" alg=HS256;', 'empty path'],
     ['wacrm_jwt_key_file short alg=HS256;', 'the secret has 31 bytes'],
     ['wacrm_jwt_key_file secret alg=HS512;', 'the secret has 32 bytes'],
     ['wacrm_jwt_key_file empty alg=HS256;', '": empty'],
     ['wacrm_jwt_key_file newline alg=HS256;', 'the secret has 0 bytes'],
     ['wacrm_jwt_key_file large alg=HS256;', 'is not a file'],
     ['wacrm_jwt_key_file directory alg=HS256;', 'is not a file'],
     ['wacrm_jwt_key_file /dev/zero alg=HS256;', 'is not a file'],
     ['wacrm_jwt_key_file nonesuch alg=HS256;', 'No such file'],
     ['wacrm_jwt_key_file rsa.pub alg=HS256;', 'PEM'],
     ['wacrm_jwt_key_file secret alg=RS256;', 'key file'],
     ['wacrm_jwt_key_file text alg=ES256;', 'key file'],
     ['wacrm_jwt_key_file jwks alg=RS256;', 'no key of the JWKS'],
     ['wacrm_jwt_key_file rsa alg=RS256;', 'private key'],
     ['wacrm_jwt_key_file p256.pub alg=RS256;', 'not an RSA key'],
     ['wacrm_jwt_key_file rsa.pub alg=ES256;', 'not an EC key'],
     ['wacrm_jwt_key_file p384.pub alg=ES256;', 'curve'],
     ["$key\n$key", 'is duplicate'],
     ['wacrm_jwt_issuer;', 'number of arguments'],
     ['wacrm_jwt_issuer "";', 'is empty'],
     ['wacrm_jwt_audience "";', 'is empty'],
     ["wacrm_jwt_issuer a;\nwacrm_jwt_issuer b;", 'is duplicate'],
     ["wacrm_jwt_audience a;\nwacrm_jwt_audience b;", 'is duplicate'],
     ['wacrm_jwt_leeway soon;', 'invalid value'],
     ['wacrm_jwt_leeway -1;', 'invalid value'],
     ['wacrm_jwt_leeway 61m;', 'must not be over 1h'],
     ["wacrm_jwt_leeway 1;\nwacrm_jwt_leeway 2;", 'is duplicate'],
     ['wacrm_jwt_require;', 'number of arguments'],
     ['wacrm_jwt_require uri;', 'is not a variable'],
     ['wacrm_jwt_require $;', 'is not a variable'])
{
    my ($text, $want, $line) = @$_;

    my ($ok, $output) = check($text);
    my $name = $text =~ s/\n/ /gr;
    ok(!$ok && $output =~ /\[emerg\].*\Q$want\E/, "$name: $want")
        or diag($output);
    like($output, qr{nginx\.conf:\d+}, "$name: file and line")
        unless defined $line;
}

# inherited, the place is that of the directive
$t->http("wacrm_jwt desk;\nserver { listen 127.0.0.1:%%PORT%%; }");
my ($ok, $output) = $t->test;
my $n = 1;
for (split /\n/, $t->read('nginx.conf')) {
    last if /wacrm_jwt desk/;
    $n++;
}
like($output, qr{"wacrm_jwt" directive in \S+/nginx\.conf:$n\b},
     'a key is missing: the line of wacrm_jwt');

# without http{} there is nothing to do
$t->conf("%%FRAME%%\n");
($ok, $output) = $t->test;
ok($ok, 'a configuration without http{}') or diag($output);

$t->done;
