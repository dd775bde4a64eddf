#!/usr/bin/perl

# A secret in a query goes into no log, whoever refuses the request.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $secret = 'a-secret-of-enough-bytes';

my $t = Wacrm::Nginx->new;
$t->write('secret', $secret);
$t->http(<<'EOC');
    wacrm_spool %%DIR%%/spool size=16m;
    wacrm_webhook_secret_file %%DIR%%/secret;
    wacrm_webhook_signature token query=key;
    limit_req_zone $binary_remote_addr zone=slow:32k rate=1r/m;

    server {
        listen 127.0.0.1:%%PORT%%;
        access_log %%DIR%%/access.log;

        location /open {
            wacrm_webhook open;
            wacrm_webhook_verify_token_file %%DIR%%/secret;
            client_max_body_size 1k;
        }
        location /denied {
            wacrm_webhook denied;
            wacrm_webhook_verify_token_file %%DIR%%/secret;
            deny all;
        }
        location /metrics {
            wacrm_metrics;
        }
        location /limited {
            wacrm_webhook limited;
            limit_req zone=slow;
        }
    }
EOC
$t->start;

my $query = "a=1&key=$secret&z=2";
my $hub = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=$secret";

is($t->post("/open?$query", '{}')->{status}, 200, 'taken');
is($t->get("/open?$hub")->{body}, '1', 'handshake');
is($t->post("/limited?$query", '{}')->{status}, 200, 'within the limit');
is($t->post("/limited?$query", '{}')->{status}, 503, 'over it');
is($t->post("/denied?$query", '{}')->{status}, 403, 'denied');
is($t->get("/denied?$hub")->{status}, 403, 'handshake denied');
like($t->log, qr/limiting requests.*a=1&key=\*+&z=2/, 'blanked for limit_req');
like($t->log, qr/access forbidden.*a=1&key=\*+&z=2/, 'and for deny');
unlike($t->log, qr/\Q$secret/, 'never in the error log');

is($t->post("/open?$query", ' ' x 2048)->{status}, 413, 'too large');
ok($t->wait_for(sub { $t->read('access.log') =~ / 413 / }),
   'the last request is in the access log');
unlike($t->read('access.log'), qr/\Q$secret/, 'and none has its secret there');

is($t->metrics->{'wacrm_events_total{source="denied",result="nginx"}'}, 2,
   'what nginx refuses is counted');
is($t->metrics->{'wacrm_events_total{source="open",result="too_large"}'}, 1,
   'what is too large has a name of its own');

is_deeply([map { $_->{q} } $t->spool_dump($t->path('spool'))],
          [('a=1&key=' . '*' x length($secret) . '&z=2') x 2],
          'nor the spool');

$t->done;
