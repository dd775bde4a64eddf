#!/usr/bin/env perl
# HTTPS as conf/nginx-tls.conf and conf/nginx-redirect.conf set it up, with a
# certificate of our own: the webhook and the API by HTTP/2, old protocols
# refused, the clear redirected.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::File;
use Wacrm::Nginx;

my $root = $Wacrm::Nginx::ROOT;

# Where certbot writes what it is asked for: wacrm-setup makes it.
my ($acme) = slurp("$root/conf/wacrm.tmpfiles") =~ m{^d +(\S*acme) }m
    or BAIL_OUT('wacrm-setup makes no directory for certbot');

sub part {
    my ($file, $port) = @_;
    my $text = slurp("$root/conf/$file");
    $text =~ s/^ *listen \[::\].*\n//mg;    # not every machine has IPv6
    $text =~ s/^( *listen) (?:443|80)\b/$1 127.0.0.1:$port/m or die $file;
    $text =~ s{/etc/wacrm/tls}{%%DIR%%/tls}g;
    $text =~ s{\Q$acme\E}{%%DIR%%/acme}g;
    return $text;
}

my $d = Wacrm::Desk->new(nginx => sub {
    s{root \S+-acme;}{root %%DIR%%/acme;} or die 'no challenges';
    my ($tls, $redirect) = (part('nginx-tls.conf', '%%PORT2%%'),
        part('nginx-redirect.conf', '%%PORT3%%'));
    # the harness itself speaks in the clear
    s/^( *listen 127\.0\.0\.1:%%PORT%%;\n)/$1$tls/m or die 'no listen';
    s/\}\s*\z/$redirect}\n/ or die 'no end';
});
my $dir = $d->{dir};
mkdir "$dir/tls";
system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -sha256"
    . " -subj /CN=wacrm-test -addext subjectAltName=IP:127.0.0.1"
    . " -keyout $dir/tls/privkey.pem -out $dir/tls/fullchain.pem 2> /dev/null")
    == 0 or die 'openssl: no certificate';
$d->start;
my $url = 'https://127.0.0.1:' . $d->{nginx}->port(2);

# { code, version, head, body } of curl; code 000: no connection
sub curl {
    my (@args) = @_;
    open my $fh, '-|', 'curl', '-sS', '--max-time', '20', '--cacert',
        "$dir/tls/fullchain.pem", '-D', "$dir/head", '-o', "$dir/body",
        '--stderr', "$dir/said", '-w', '%{http_code} %{http_version}', @args
        or die "curl: $!";
    my ($code, $version) = split ' ', join '', <$fh>;
    close $fh;
    return { code => $code, version => $version,
        head => $d->{nginx}->read('head') || '',
        body => $d->{nginx}->read('body') || '' };
}

my $r = curl("$url/healthz");
is($r->{code}, 200, 'https, and the certificate is the one of the file');
is($r->{version}, 2, 'HTTP/2');
like($r->{head}, qr/^strict-transport-security: max-age=63072000/mi, 'HSTS');
is(curl('--http1.1', "$url/healthz")->{version}, '1.1', 'HTTP/1.1, too');
is(curl('--tls-max', '1.1', '--ciphers', 'DEFAULT@SECLEVEL=0',
    '--tlsv1.0', "$url/healthz")->{code}, '000', 'TLS 1.1 is refused');
is(curl('--tls-max', '1.2', '--ciphers', 'AES128-SHA',
    "$url/healthz")->{code}, '000', 'no cipher without forward secrecy');
is(curl('--tls-max', '1.2', "$url/healthz")->{code}, 200, 'TLS 1.2');

# ---- a webhook, signed ----

my $body = '{"event":"message.received","data":{"from":"6281210000007",'
    . '"pushName":"Siti","message":"lewat https","id":"TLS1","timestamp":'
    . time . '}}';
my %sign = $d->{nginx}->waapi($body, 'webhook-secret-of-the-test-00001');
my @post = ('-H', 'Content-Type: application/json', '--data-raw', $body);
$r = curl(@post, (map { ('-H', "$_: $sign{$_}") } keys %sign),
    "$url/api/webhook/whatsapp");
is($r->{code}, 200, 'a webhook by HTTPS') or diag $r->{body};
is($r->{version}, 2, 'and HTTP/2');
is(curl(@post, '-H', 'X-Webhook-Signature: 00',
    "$url/api/webhook/whatsapp")->{code}, 401, 'a forged one');
ok($d->applied, 'applied');
is($d->sql("SELECT body FROM messages WHERE wa_id = 'TLS1'"), 'lewat https',
    'and stored');

# ---- the API ----

my $token = $d->login('cs1@test.example');
$r = curl('-H', "Authorization: Bearer $token", "$url/api/crm/inbox");
is($r->{code}, 200, 'the inbox');
like($r->{body}, qr/"phone":"6281210000007"/, 'with its chat');
is(curl("$url/api/crm/inbox")->{code}, 401, 'not without a token');

# ---- in the clear ----

my $clear = 'http://127.0.0.1:' . $d->{nginx}->port(3);
$r = curl("$clear/api/crm/inbox?x=1");
is($r->{code}, 308, 'the clear is redirected');
{
    my $clear = 'http://127.0.0.1:' . $d->{nginx}->port(3);
    my ($rc, $out) = $d->ctl(['selftest', '--url', $clear]);
    is($rc, 1, 'no way for a selftest');
    like($out, qr{failed at webhook: \S+: 308: .* https://127\.0\.0\.1.*--url},
        'which tells where it leads');
}
like($r->{head}, qr{^location: https://127\.0\.0\.1/api/crm/inbox\?x=1\r}mi,
    'to the same address');
unlike($r->{body}, qr/conversations/, 'and tells nothing');

# ---- certificates ----

my $asked = '/.well-known/acme-challenge/x';
$d->{nginx}->write("acme$asked", 'answer', 0644);
is(curl("$clear$asked")->{body}, 'answer',
    'but for the challenge of a certificate');
is($d->{nginx}->get($asked)->{body}, 'answer',
    'which nginx.conf answers, too: before there is one');
is($d->{nginx}->get('/.well-known/acme-challenge/')->{status}, 403,
    'without a list of them');
like(slurp("$root/conf/$_"), qr{root \Q$acme\E;}, "$_ reads where")
    for qw(nginx.conf nginx-redirect.conf);
like(slurp("$root/docs/operations.md"),
    qr{certbot certonly --webroot -w \Q$acme\E },
    'certbot writes it');

$d->done;
