#!/usr/bin/env perl
# conf/nginx-other-upstream.conf as it is, in front of an application that is
# not wacrmd: who is calling says the edge alone, whatever the client claims
# and by whatever path; webhooks go into the spool, or, as its head has it, to
# the application.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::File;
use Wacrm::Jwt;
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;
my $key = 'jwt-secret-of-the-test-0000000001';
$t->write('secrets/jwt', $key);
$t->write('secrets/webhook', 'webhook-secret-of-the-test-00001');

# ---- the file, with this test's paths; the application is nginx itself ----

my $conf = slurp("$Wacrm::Nginx::ROOT/conf/nginx-other-upstream.conf");
my ($passed_on) = $conf =~ m{^#     (location = /api/webhook/.*)$}m
    or die 'no location in the head';
$conf =~ s/^load_module .*;\n//m or die 'no load_module';
$conf =~ s/^user .*;\n//m or die 'no user';
$conf =~ s/^worker_processes .*;\n//m or die 'no worker_processes';
$conf =~ s/^worker_rlimit_nofile .*;\n//m or die 'no worker_rlimit_nofile';
$conf =~ s/^error_log .*;\n//m or die 'no error_log';
$conf =~ s/^pid .*;\n//m or die 'no pid';
$conf =~ s/^events \{.*?^\}\n//ms or die 'no events';
$conf =~ s{/(?:var/lib|etc)/wacrm}{%%DIR%%}g;
$conf =~ s/listen 80;/listen 127.0.0.1:%%PORT%%;/ or die 'no listen';
$conf =~ s/server 127\.0\.0\.1:8000;/server 127.0.0.1:%%PORT2%%;/
    or die 'no upstream';
my $temps = join '', map { "    ${_}_temp_path %%DIR%%/tmp/$_;\n" }
    qw(client_body proxy fastcgi uwsgi scgi);
$conf =~ s/^http \{\n/http {\n    access_log off;\n$temps/m or die 'no http';
$conf =~ s/\}\s*\z/<<'EOC'/e or die 'no end';
    # HTTP_X_CRM_USER may come of either spelling in PHP
    server {
        listen 127.0.0.1:%%PORT2%%;
        underscores_in_headers on;
        location / {
            default_type text/plain;
            return 200 "$request_uri user=$http_x_crm_user role=$http_x_crm_role host=$host";
        }
    }
}
EOC
$t->conf("%%FRAME%%\n$conf");
my ($ok, $said) = $t->test;
ok($ok, 'nginx takes the file') or BAIL_OUT($said);
$t->start;

my $token = hs_token($key, { iss => 'https://crm.example', sub => '7',
    role => 'cs', iat => time - 5, exp => time + 600 });
my @forged = ('X-Crm-User' => '1', 'x-CRM-role' => 'admin',
    'X_Crm_User' => '1', 'X_Crm_Role' => 'admin');

sub told {
    my ($path, @headers) = @_;
    my $r = $t->get($path, @headers);
    return $r->{status} == 200 ? $r->{body} =~ s/^\S+ //r : $r->{status};
}

# ---- who is calling ----

is(told('/', Host => 'crm.example'), 'user= role= host=crm.example',
    'a page: nobody is calling');
for my $path ('/', '/login', '/API/x', '/apis', '/storage/a.png') {
    is(told($path, @forged), 'user= role= host=localhost',
        "$path: who says they are somebody is nobody");
    is(told($path, @forged, Authorization => "Bearer $token"),
        'user= role= host=localhost', 'also with a token');
}
is(told('/api/x', Authorization => "Bearer $token"),
    'user=7 role=cs host=localhost', 'a token: its subject and role');
is(told('/api/x', @forged, Authorization => "Bearer $token"),
    'user=7 role=cs host=localhost', 'in place of what the client claims');
is(told($_, @forged), 401, "$_: without a token it is not reached")
    for '/api/x', '//api/x', '/%61pi/x', '/x/../api/x', '/api/webhook/x';
is(told('/api/x', Authorization => 'Bearer '
    . hs_token($key, { iss => 'https://elsewhere.example', sub => '7',
        exp => time + 600 })), 401, "nor with another issuer's");
is(told($_, @forged), 404, "$_: no way round it") for '/index.php/api/x',
    '/index.php', '/x/../index.php/api/x', '/INDEX.PHP/api/x',
    '/%69ndex.php/api/x';
my $limit = $t->get('/api/x', Authorization => "Bearer $token");
is($limit->{headers}{'x-ratelimit-limit'}, 120, 'calls are counted by agent');

# ---- the webhook ----

my $body = '{"event":"message.received","data":{"id":"OTHER1"}}';
my %signed = $t->waapi($body, $t->read('secrets/webhook'));
my $r = $t->post('/api/webhook/whatsapp', $body, %signed);
is($r->{status}, 200, 'a webhook') or diag $r->{body};
is($r->{body}, '{"success":true}', 'is taken by the edge');
is($t->post('/api/webhook/whatsapp', $body,
    $t->waapi($body, 'another secret'))->{status}, 401, 'a forged one is not');
my @spool = $t->spool_dump($t->path('spool'));
is(scalar @spool, 1, 'one event waits in the spool');
is($spool[0]{src}, 'main', 'of its gateway');

# ---- passed on, as the head of the file has it ----

$conf =~ s/^    wacrm_spool .*?;//ms or die 'no wacrm_spool';
$conf =~ s/^        location = \/api\/webhook\/.*?^        \}/$passed_on/ms
    or die 'no webhook';
$t->conf("%%FRAME%%\n$conf");
ok($t->reload, 'webhooks to the application: nginx takes it');
$r = $t->post('/api/webhook/whatsapp', $body, %signed, @forged);
is("$r->{status} $r->{body}",
    '200 /api/webhook/whatsapp user= role= host=localhost',
    'it gets them, from nobody');
is(told('/api/x', @forged), 401, 'all else of /api/ wants its token');
is(told('/api/x', Authorization => "Bearer $token"),
    'user=7 role=cs host=localhost', 'which needs no spool');

$t->done;
