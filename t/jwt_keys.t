#!/usr/bin/perl

# Keys: every algorithm, JWKS, kid, rotation, and the reload that does it.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use lib 't/lib';
use Wacrm::Jwt;
use Wacrm::Nginx;

my %secret = (HS256 => 'k' x 32, HS384 => 'l' x 48, HS512 => 'm' x 64);
my %curve = (ES256 => 'P-256', ES384 => 'P-384', ES512 => 'P-521');

my $t = Wacrm::Nginx->new(workers => 2);

$t->write($_, $secret{$_}) for keys %secret;
new_key($t->path($_), $curve{$_}) for keys %curve;
new_key($t->path('RSA'), 'rsa');
new_key($t->path('RSA2'), 'rsa');

$t->write('crlf', $secret{HS256} . "\r\n");
$t->write('newlines', $secret{HS256} . "\n\n");
$t->write('binary', join '', map { chr } 0 .. 255);

my $oct = 'o' x 32;
$t->write('jwks', encode_json({keys => [
    jwk($t->path('RSA.pub'), kid => 'first', use => 'sig'),
    jwk($t->path('RSA2.pub'), kid => 'second', alg => 'RS256'),
    jwk($t->path('RSA2.pub'), kid => 'third', alg => 'RS512'),
    jwk($t->path('RSA2.pub'), kid => 'fourth', use => 'enc'),
    jwk($t->path('ES256.pub'), kid => 'ec'),
    { kty => 'oct', kid => 'oct', k => b64url($oct) },
    { kty => 'unheard-of', kid => 'new' },
]}));

my $rotate = 'old ' x 10;
$t->write('rotate', $rotate);

sub location {
    my ($name, @keys) = @_;
    return "location = /$name { wacrm_jwt desk; empty_gif; "
           . join(' ', map { "wacrm_jwt_key_file $_;" } @keys) . " }\n";
}

my $conf = sub {
    $t->http('server { listen 127.0.0.1:%%PORT%%;'
        . join('', map { location($_, "$_ alg=$_") } keys %secret)
        . join('', map { location($_, "$_.pub alg=$_") } keys %curve)
        . join('', map { location("RS$_", "RSA.pub alg=RS$_") } 256, 384, 512)
        . location('crlf', 'crlf alg=HS256')
        . location('newlines', 'newlines alg=HS256')
        . location('binary', 'binary alg=HS256')
        . location('jwks', 'jwks alg=RS256')
        . location('jwks-ec', 'jwks alg=ES256')
        . location('jwks-oct', 'jwks alg=HS256')
        . location('mixed', 'HS256 alg=HS256', 'ES256.pub alg=ES256',
                   'RSA.pub alg=RS256')
        . location('two', 'HS256 alg=HS256', 'rotate alg=HS256')
        . location('rotate', @_ ? @_ : 'rotate alg=HS256')
        . '}');
};
$conf->();
$t->start;

sub status {
    my ($path, $token) = @_;
    my $r = $t->get($path, Authorization => "Bearer $token");
    return $r ? $r->{status} : 0;
}

# ---- algorithms ----

for my $alg (sort keys %secret) {
    my $token = hs_token($secret{$alg}, claims(), { alg => $alg });
    is(status("/$alg", $token), 200, $alg);
    substr($token, -3, 1) =~ tr/A-Za-z0-9_-/B-ZAb-za1-90A-B/;
    is(status("/$alg", $token), 401, "$alg, a letter changed");
}

for my $alg (sort(keys %curve), 'RS256', 'RS384', 'RS512') {
    my $file = $t->path($alg =~ /^RS/ ? 'RSA' : $alg);
    my $token = pk_token($file, $alg, claims());
    is(status("/$alg", $token), 200, $alg);
    my ($h, $c, $sig) = split /\./, $token;
    $c = b64url(encode_json(claims(sub => 'admin')));
    is(status("/$alg", "$h.$c.$sig"), 401, "$alg, other claims");
}

# ---- files ----

is(status('/crlf', hs_token("$secret{HS256}\r", claims())), 200,
   'only a newline is taken off');
is(status('/newlines', hs_token("$secret{HS256}\n", claims())), 200,
   'and only one');
is(status('/binary', hs_token($t->read('binary'), claims())), 200,
   'a secret with NUL in it');
is(status('/binary', hs_token("\0" x 32, claims())), 401,
   'is not cut at the NUL');
is(status('/binary', hs_token('', claims())), 401, 'nor is it empty');

# ---- several keys ----

my $by = sub { pk_token($t->path($_[0]), 'RS256', claims(), $_[1]) };

is(status('/jwks', $by->('RSA', { kid => 'first' })), 200, 'kid first');
is(status('/jwks', $by->('RSA2', { kid => 'second' })), 200, 'kid second');
is(status('/jwks', $by->('RSA2', { kid => 'first' })), 401,
   'signed by second, said to be by first');
is(status('/jwks', $by->('RSA', { kid => 'fourth' })), 401,
   'a key for encryption is none');
is(status('/jwks', $by->('RSA2', { kid => 'third' })), 401,
   'a key of another algorithm is none');
is(status('/jwks', $by->('RSA', { kid => 'ec' })), 401,
   'a key of another type is none');
is(status('/jwks', $by->('RSA', { kid => 'fifth' })), 401, 'kid unknown');
like($t->log, qr/reason=key/, 'and said so in the log');
is(status('/jwks', $by->('RSA2', {})), 200, 'without kid all are tried');
is(status('/jwks-ec', pk_token($t->path('ES256'), 'ES256', claims(),
                               { kid => 'ec' })), 200, 'an EC key of a JWKS');
is(status('/jwks-oct', hs_token($oct, claims(), { kid => 'oct' })), 200,
   'a secret of a JWKS');
is(status('/mixed', $by->('RSA', {})), 200, 'three algorithms, RS256');
is(status('/mixed', hs_token($secret{HS256}, claims())), 200, 'and HS256');
is(status('/mixed', hs_token($t->read('RSA.pub'), claims())), 401,
   'but no RSA key is a secret');

# ---- rotation ----

my $old = hs_token($rotate, claims());
my $new = hs_token('new ' x 10, claims());
my $kept = hs_token($secret{HS256}, claims());

is(status('/two', $old), 200, 'two secrets, the one');
is(status('/two', $kept), 200, 'and the other');

is(status('/rotate', $old), 200, 'before: the old one');
is(status('/rotate', $new), 401, 'before: not yet the new one');

$t->write('rotate', 'new ' x 10);
is(status('/rotate', $new), 401, 'a file is not read without a reload');
ok($t->reload(wait => 1), 'reload');
is(status('/rotate', $new), 200, 'after: the new one');
is(status('/rotate', $old), 401, 'after: the old one no more');

# a bad file keeps the keys that are there
my $mark = $t->mark;
$t->allow(qr/key file/);
$t->write('rotate', 'short');
kill 'HUP', $t->pid;
ok($t->wait_for(sub { $t->log_since($mark) =~ /key file .*rotate/ }),
   'a reload with a bad file is refused');
is(status('/rotate', $new), 200, 'and the old keys stay');

# under load nothing is refused
$t->write('rotate', 'new ' x 10);
my ($good, $all) = (0, 0);
for my $n (1 .. 60) {
    kill 'HUP', $t->pid if $n % 20 == 0;
    $all++;
    $good++ if status('/rotate', $new) == 200;
}
is($good, $all, 'every token passes while nginx reloads');

$t->done;
