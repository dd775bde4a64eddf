#!/usr/bin/perl

# The GET handshake of the WhatsApp Cloud API.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;

$t->write('secret', 'a secret of enough bytes');
$t->write('verify', "verify-token & more+%\n");
$t->http(<<'EOC');
    wacrm_spool %%DIR%%/spool size=16m;

    server {
        listen 127.0.0.1:%%PORT%%;
        access_log %%DIR%%/access.log;

        location /hook {
            wacrm_webhook cloud;
            wacrm_webhook_signature hub256;
            wacrm_webhook_secret_file %%DIR%%/secret;
            wacrm_webhook_verify_token_file %%DIR%%/verify;
        }
    }
EOC
$t->start;

my $token = 'verify-token%20%26%20more%2B%25';

sub try {
    my ($query) = @_;
    return $t->get("/hook?$query");
}

my $r = try("hub.mode=subscribe&hub.challenge=1158201444"
            . "&hub.verify_token=$token");
is($r->{status}, 200, 'right token');
is($r->{body}, '1158201444', 'the challenge');
is($r->{headers}{'content-type'}, 'text/plain', 'as plain text');

for my $query ('', 'hub.mode=subscribe',
               "hub.mode=subscribe&hub.verify_token=$token",
               "hub.challenge=1&hub.verify_token=$token",
               "hub.mode=unsubscribe&hub.challenge=1"
               . "&hub.verify_token=$token",
               'hub.mode=subscribe&hub.challenge=1&hub.verify_token=',
               'hub.mode=subscribe&hub.challenge=1&hub.verify_token=x',
               "hub.mode=subscribe&hub.challenge=1&hub.verify_token=${token}x",
               'hub.mode=subscribe&hub.challenge=%3Cscript%3E'
               . "&hub.verify_token=$token",
               'hub.mode=subscribe&hub.challenge=' . ('1' x 257)
               . "&hub.verify_token=$token") {
    $r = try($query);
    is($r->{status}, 403, "refused: $query");
    is($r->{body}, '{"message":"Forbidden."}', 'as JSON');
}

my $body = '{"object":"whatsapp_business_account"}';
$r = $t->post('/hook', $body, 'X-Hub-Signature-256' =>
              'sha256=' . $t->hmac('sha256', $body,
                                   'a secret of enough bytes'));
is($r->{status}, 200, 'events come by POST');
$r = $t->request('PUT', '/hook', body => $body);
is($r->{status}, 405, 'PUT');
is($r->{headers}{allow}, 'GET, POST', 'Allow');

unlike($t->log . $t->read('access.log'), qr/\Q$token/, 'no token in a log');
like($t->log, qr/source=cloud status=403 reason=verify_token,/, 'the reason');

$t->done;
