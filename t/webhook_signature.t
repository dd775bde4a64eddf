#!/usr/bin/perl

# Every preset through nginx, rotation of secrets and reload.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_hex hmac_sha256_hex hmac_sha512_hex
                   hmac_sha256);
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $key = 'key of the gateway, quite long enough';
my $raw = join '', map { chr(($_ * 37) & 0xff) } 1 .. 32;
my $body = '{"event":"message.received","data":{"id":"1"}}';

sub b64 { encode_base64($_[0], '') }

sub jwt {
    my ($claims, $secret) = @_;
    my $text = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.'
               . encode_base64url($claims);
    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

# name => [directive, secret, headers of (body, time, key), has a clock]
my %preset = (
    standard => ['standard', 'whsec_' . b64($raw), sub {
        my ($b, $ts, $k) = @_;
        ('webhook-id' => 'msg_1', 'webhook-timestamp' => $ts,
         'webhook-signature' =>
             'v2,AAAA v1,' . b64(hmac_sha256("msg_1.$ts.$b", $k)))
    }, 1, $raw],
    svix => ['svix', 'whsec_' . b64($raw), sub {
        my ($b, $ts, $k) = @_;
        ('svix-id' => 'msg_1', 'svix-timestamp' => $ts,
         'svix-signature' => 'v1,' . b64(hmac_sha256("msg_1.$ts.$b", $k)))
    }, 1, $raw],
    hub256 => ['hub256', $key, sub {
        ('X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($_[0], $_[2]))
    }],
    hub1 => ['hub1', $key, sub {
        ('X-Hub-Signature' => 'sha1=' . hmac_sha1_hex($_[0], $_[2]))
    }],
    slack => ['slack', $key, sub {
        my ($b, $ts, $k) = @_;
        ('X-Slack-Request-Timestamp' => $ts,
         'X-Slack-Signature' => 'v0=' . hmac_sha256_hex("v0:$ts:$b", $k))
    }, 1],
    stripe => ['stripe', $key, sub {
        my ($b, $ts, $k) = @_;
        ('Stripe-Signature' => "t=$ts,v1=" . hmac_sha256_hex("$ts.$b", $k)
                               . ',v0=00')
    }, 1],
    shopify => ['shopify', $key, sub {
        ('X-Shopify-Hmac-SHA256' => b64(hmac_sha256($_[0], $_[2])))
    }],
    waha => ['waha', $key, sub {
        my ($b, $ts, $k) = @_;
        ('X-Webhook-Hmac' => hmac_sha512_hex($b, $k),
         'X-Webhook-Hmac-Algorithm' => 'sha512',
         'X-Webhook-Request-Id' => 'r1',
         'X-Webhook-Timestamp' => $ts * 1000)
    }],
    waapi => ['waapi', $key, sub {
        ('X-Webhook-Signature' => hmac_sha256_hex($_[0], $_[2]))
    }],
    waapi_prefix => ['waapi', $key, sub {
        ('X-Webhook-Signature' => 'sha256=' . hmac_sha256_hex($_[0], $_[2]))
    }],
    openwa => ['openwa', $key, sub {
        ('X-OpenWA-Signature' => 'sha256=' . hmac_sha256_hex($_[0], $_[2]))
    }],
    generic => ['generic', $key, sub {
        my ($b, $ts, $k) = @_;
        ('X-Webhook-Timestamp' => $ts,
         'X-Webhook-Signature' => 'sha256=' . hmac_sha256_hex("$ts.$b", $k))
    }, 1],
    custom => ['custom header=x-my-sign prefix=s1: digest=sha256 coding=hex'
               . ' template=p{body}', $key, sub {
        ('X-My-Sign' => 's1:' . hmac_sha256_hex("p$_[0]", $_[2]))
    }],
    jwt => ['jwt_hs256', $key, sub {
        my ($b, $ts, $k) = @_;
        (Authorization => 'Bearer ' . jwt('{"iat":' . $ts . ',"exp":'
            . ($ts + 300) . ',"app":"evolution","action":"webhook"}', $k))
    }],
    token => ['token header=apikey', $key, sub { (apikey => $_[2]) }],
);

my $t = Wacrm::Nginx->new;
my $locations = '';

for my $name (sort keys %preset) {
    my ($directive, $secret) = @{$preset{$name}};
    $t->write("secret.$name", $secret);
    $locations .= "location /$name { wacrm_webhook $name; "
        . "wacrm_webhook_signature '" . join("' '", split / /, $directive)
        . "'; wacrm_webhook_secret_file %%DIR%%/secret.$name; }\n";
}

$t->write('old', 'the old secret of the gateway');
$t->write('new', 'the new secret of the gateway');
my $conf = sub {
    my ($secrets) = @_;
    $t->http("wacrm_spool %%DIR%%/spool size=64m;\n"
             . "server { listen 127.0.0.1:%%PORT%%;\n$locations\n"
             . "location /rotate { wacrm_webhook rotate;\n"
             . "wacrm_webhook_signature waapi;\n"
             . "wacrm_webhook_secret_file $secrets; }\n}");
};
$conf->('%%DIR%%/old');
my ($ok, $out) = $t->test;
ok($ok, 'nginx -t') or diag($out);
$t->start;

for my $name (sort keys %preset) {
    my (undef, $secret, $sign, $clock, $bytes) = @{$preset{$name}};
    my $k = defined $bytes ? $bytes : $secret;
    my $now = time;

    my $status = sub {
        my ($b, %h) = @_;
        my $r = $t->post("/$name", $b, %h);
        return $r ? $r->{status} : 0;
    };
    is($status->($body, $sign->($body, $now, $k)), 200, "$name: right");
    is($status->($body, $sign->($body, $now, "${k}x")), 401,
       "$name: other secret");
    is($status->($body), 401, "$name: not signed");

    next if $name eq 'token' || $name eq 'jwt';
    is($status->("$body ", $sign->($body, $now, $k)), 401,
       "$name: other body");
    next unless $clock;
    is($status->($body, $sign->($body, $now - 330, $k)), 401,
       "$name: too old");
    is($status->($body, $sign->($body, $now + 330, $k)), 401,
       "$name: from the future");
}

my %records;
$records{$_->{src}}++ for $t->spool_dump($t->path('spool'));
is_deeply(\%records, { map { $_ => 1 } keys %preset },
          'the right ones are in the spool, nothing else');
my ($standard) = grep { $_->{src} eq 'standard' }
                 $t->spool_dump($t->path('spool'));
is($standard->{'h.webhook-id'}, 'msg_1', 'id header kept');
ok($standard->{'h.webhook-timestamp'}, 'timestamp header kept');
like($t->log, qr/source=slack status=401 reason=signature_stale,/,
     'the log tells a stale one');

# ---- rotation ----

my %by = (old => [$t->waapi($body, 'the old secret of the gateway')],
          new => [$t->waapi($body, 'the new secret of the gateway')]);
my $try = sub {
    join ' ', map { $t->post('/rotate', $body, @{$by{$_}})->{status} }
              qw(old new);
};
is($try->(), '200 401', 'the old secret only');
$conf->('%%DIR%%/old %%DIR%%/new');
ok($t->reload(wait => 1), 'reload');
is($try->(), '200 200', 'both');
$conf->('%%DIR%%/new');
ok($t->reload(wait => 1), 'reload');
is($try->(), '401 200', 'the new secret only');

$t->write('new', 'the old secret of the gateway');
is($try->(), '401 200', 'a changed file waits for the reload');
ok($t->reload(wait => 1), 'reload');
is($try->(), '200 401', 'and is read then');

$t->write('new', 'short');
$t->allow(qr/shorter than 16 bytes/);
my @workers = $t->workers;
kill 'HUP', $t->pid;
ok($t->wait_log(qr/shorter than 16 bytes/), 'a bad secret');
is_deeply([$t->workers], \@workers, 'the workers stay');
is($try->(), '200 401', 'with the secret they have');

$t->done;
