#!/usr/bin/env perl
# How nginx serves the desk: what may be kept, what is packed, which paths are
# pages, and what a page may do.

use strict;
use warnings;

use File::Path qw(make_path);
use IO::Socket::INET;
use IO::Uncompress::Gunzip qw(gunzip);
use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Nginx;

# A build of known bytes, beside a file that nobody may see.
my $dir = "$Wacrm::Nginx::ROOT/build/t/web_static.$$.web";
make_path("$dir/web/assets", "$dir/web/.well");
my $page = '<!doctype html><title>desk</title>' . ' ' x 2000;
my $script = 'console.log("desk")' . ' ' x 2000;

sub file {
    my ($name, $bytes) = @_;
    open my $fh, '>', "$dir/$name" or die "$name: $!";
    print {$fh} $bytes;
    close $fh or die $!;
}
file('web/index.html', $page);
file('web/assets/index-a1b2c3.js', $script);
file('web/assets/style-a1b2c3.css', 'body{}');
file('web/assets/plain-a1b2c3.woff2', 'font');
file('web/favicon.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>');
file('web/.hidden', 'hidden');
file('secret.txt', 'nobody may see this');
system('gzip', '-9nk', "$dir/web/index.html",
    "$dir/web/assets/index-a1b2c3.js") == 0 or die 'gzip';
END { local $?; system 'rm', '-rf', $dir if $dir }

my $d = Wacrm::Desk->new(web => "$dir/web");
my $n = $d->{nginx}->start;
my $long = 'public, max-age=31536000, immutable';

# ---- the page ----

my $r = $n->get('/');
is($r->{status}, 200, '/');
is($r->{body}, $page, 'is index.html');
is($r->{headers}{'content-type'}, 'text/html; charset=utf-8', 'as HTML');
is($r->{headers}{'cache-control'}, 'no-cache', 'asked for anew');
my $etag = $r->{headers}{etag};
ok($etag, 'with a validator');
is($n->get('/', 'If-None-Match' => $etag)->{status}, 304,
    'that spares the bytes');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($r->{headers}{'referrer-policy'}, 'no-referrer', 'no referrer');
is($r->{headers}{'cross-origin-opener-policy'}, 'same-origin', 'COOP');
like($r->{headers}{'permissions-policy'}, qr/camera=\(\).*microphone=\(\)/,
    'no camera');
is($n->get('/index.html')->{body}, $page, '/index.html by its name');
for my $path ('/login', '/inbox', '/inbox/628121@s.whatsapp.net.',
              '/chats/12', '/assets', '/admin/agents/', '/apple', '/apiary') {
    my $got = $n->get($path);
    is($got->{body}, $page, "$path is a page");
    is($got->{headers}{'cache-control'}, 'no-cache', 'not to be kept');
    ok($got->{headers}{'content-security-policy'}, 'with the policy');
}
is($n->request('HEAD', '/inbox', headers => {})->{status}, 200, 'HEAD');

# ---- the policy ----

my $host = '127.0.0.1:' . $n->port;
sub policy {
    my $p = $n->get('/', @_)->{headers}{'content-security-policy'} // '';
    return map { my ($name, @v) = split ' '; ($name => "@v") } split /;/, $p;
}
my %p = policy(Host => $host);
is_deeply(\%p, {
    'default-src' => "'none'", 'script-src' => "'self'",
    'style-src' => "'self'", 'img-src' => "'self' data: blob:",
    'media-src' => "'self' blob:", 'font-src' => "'self'",
    'connect-src' => "'self' ws://$host wss://$host",
    'manifest-src' => "'self'", 'base-uri' => "'none'",
    'form-action' => "'self'", 'frame-ancestors' => "'none'",
}, 'the policy, whole');
for my $odd ("a;script-src *", "a'unsafe-inline'", 'a,b', 'a*') {
    my %odd = policy(Host => $odd);
    is($odd{'script-src'} // "'self'", "'self'", "Host: $odd opens nothing");
    is($odd{'connect-src'} // "'self'", "'self'", 'nor a socket elsewhere');
}

# ---- files ----

$r = $n->get('/assets/index-a1b2c3.js');
is($r->{body}, $script, 'a script');
is($r->{headers}{'content-type'}, 'text/javascript; charset=utf-8',
    'as a script');
is($r->{headers}{'cache-control'}, $long, 'may be kept');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($r->{headers}{vary}, 'Accept-Encoding', 'varies');
for my $path ('/assets/index-a1b2c3.js', '/', '/inbox') {
    my $packed = $n->get($path, 'Accept-Encoding' => 'gzip, br');
    is($packed->{headers}{'content-encoding'}, 'gzip', "$path packed");
    my $text;
    gunzip(\$packed->{body}, \$text);
    is($text, $path =~ /js$/ ? $script : $page, 'the same bytes');
}
is($n->get('/assets/style-a1b2c3.css')->{headers}{'content-type'},
    'text/css; charset=utf-8', 'a style');
is($n->get('/assets/plain-a1b2c3.woff2')->{headers}{'content-type'},
    'font/woff2', 'a font');
$r = $n->get('/favicon.svg');
is($r->{headers}{'content-type'}, 'image/svg+xml', 'a picture');
is($r->{headers}{'cache-control'}, 'no-cache', 'without a hash: asked anew');

$r = $n->get('/app-config.json');
is_deeply([$r->{status}, $r->{headers}{'content-type'}, $r->{body}], [200,
    'application/json', '{"realtime":{"key":"wacrm"}}'],
    'which events are the desk\'s');

# ---- what is not there ----

my $json = '{"success":false,"message":"Not Found"}';
for my $path ('/assets/index-old.js', '/assets/', '/favicon.ico',
              '/robots.txt', '/.hidden', '/.well/x', '/inbox/.git/config',
              '/api', '/api/', '/api/nothing', '/app', '/apps',
              '/broadcasting', '/wacrm-media/x', '/wacrm-signed/x',
              '/healthz/x', '/metrics/x', '/wp-login.php') {
    my $got = $n->get($path);
    is($got->{status}, 404, "$path is no page");
    is($got->{body}, $json, 'and says so in JSON');
    isnt($got->{headers}{'cache-control'} // '', $long, 'nor to be kept');
}
for my $method (qw(POST PUT DELETE OPTIONS)) {
    is($n->request($method, '/', headers => {}, body => '')->{status}, 404,
        "$method / has nothing to say");
}

# ---- out of the directory ----

sub raw {
    my ($path) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $host) or die $!;
    print {$s} "GET $path HTTP/1.0\r\nHost: a\r\n\r\n";
    local $/;
    return scalar <$s> // '';
}
for my $path ('/../secret.txt', '/assets/../../secret.txt',
              '/%2e%2e/secret.txt', '/assets/%2e%2e/%2e%2e/secret.txt',
              '/assets/..%2f..%2fsecret.txt', '/assets../secret.txt',
              '/..%5csecret.txt', '//../secret.txt', '/assets/..;/secret.txt',
              '/secret.txt', "/assets/index-a1b2c3.js%00.txt",
              '/%252e%252e/secret.txt') {
    my $got = raw($path);
    unlike($got, qr/nobody may see/, "$path stays inside");
    like($got, qr{\AHTTP/1\.1 (?:400|404) }, 'and is refused');
}

$n->done;
