#!/usr/bin/env perl
# docs/openapi.yaml and the running desk say the same.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Node;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        s/^welcome = on/welcome = off/m or die 'no welcome';
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s{^;public_url = .*}{public_url = https://crm.test.example}m
            or die 'no public_url';
    },
    # room for the errors, and a limit that can be reached
    nginx => sub {
        s/(zone=login:1m +rate)=60r/$1=600r/ or die 'no zone';
        s/(zone=refresh:1m +rate)=1200r/$1=120r/ or die 'no zone';
        s/(zone=send:1m +rate)=30r/$1=300r/ or die 'no zone';
        s/(wacrm_webhook_secret_file .*)/$1
            wacrm_webhook_verify_token_file %%DIR%%\/secrets\/verify;/
            or die 'no webhook';
    },
);
$d->{nginx}->write('secrets/verify', 'verify-token-of-the-test');
$d->start;

Wacrm::Node::run($d, 'openapi.mjs',
    secret => 'webhook-secret-of-the-test-00001',
    appSecret => $Wacrm::Desk::APP_SECRET,
    verifyToken => 'verify-token-of-the-test');

my $token = $d->login('cs1@test.example');
ok($d->wacrmd_stop, 'wacrmd stops');
$d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams/);
Wacrm::Node::run($d, 'openapi.mjs', phase => 'away', token => $token);
$d->wacrmd_start;
$d->done;
