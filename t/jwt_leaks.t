#!/usr/bin/perl

# Nothing is lost over reloads: keys, JSON, zones, secrets and schemes of
# webhooks, the spool and its commits, in master and workers.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More;
use lib 't/lib';
use Wacrm::Jwt;
use Wacrm::Nginx;

plan skip_all => 'no valgrind'
    unless grep { -x "$_/valgrind" } split /:/, $ENV{PATH};
plan skip_all => 'not with a sanitizer' if $ENV{WACRM_SANITIZED};

my $secret = 'a secret of thirty-two bytes, and';

my $t = Wacrm::Nginx->new;
$t->write('secret', $secret);
new_key($t->path('ec'), 'P-256');
new_key($t->path('rsa'), 'rsa');
$t->write('jwks', encode_json({keys => [jwk($t->path('rsa.pub')),
                                        jwk($t->path('ec.pub'))]}));
$t->write("hook.$_", "a secret of the webhook, number $_") for 1, 2;
my $ed = $t->path('ed');
system("openssl genpkey -algorithm ed25519 -out $ed 2>/dev/null") == 0 or die;
# what stands before the 32 bytes of the key in its DER
my $public = substr `openssl pkey -in $ed -pubout -outform DER`, 12;
$t->write('hook.ed', 'whpk_' . encode_base64($public, ''));
$t->write('verify', 'a token that Meta sends');
$t->http(<<'EOC');
    wacrm_spool %%DIR%%/spool size=16m revocations=off;
    wacrm_rate_zone $wacrm_jwt_sub zone=a:64k rate=1r/h;
    wacrm_jwt_key_file secret alg=HS256;
    wacrm_jwt_key_file ec.pub alg=ES256;
    wacrm_jwt_key_file jwks alg=RS256;

    server {
        listen 127.0.0.1:%%PORT%%;

        location / {
            wacrm_jwt desk;
            wacrm_jwt_require $wacrm_jwt_claim_list;
            wacrm_rate zone=a message="Later, please.";
            empty_gif;
        }

        location /hook {
            wacrm_webhook gateway;
            wacrm_webhook_signature waapi;
            wacrm_webhook_secret_file %%DIR%%/hook.1 %%DIR%%/hook.2;
            wacrm_webhook_verify_token_file %%DIR%%/verify;
        }

        location /ed {
            wacrm_webhook standard;
            wacrm_webhook_signature standard;
            wacrm_webhook_secret_file %%DIR%%/hook.ed;
        }
    }
EOC

# The statuses of events: signed with each key, and with none; the challenge.
sub events {
    my $body = '{"event":"message.received"}';
    my $now = time;
    $t->write('ed.text', "msg_1.$now.$body");
    my $sign = encode_base64(
        scalar `openssl pkeyutl -sign -rawin -inkey $ed -in $ed.text`, '');
    return join ' ', map { $_ ? $_->{status} : '-' }
        (map { $t->post('/hook', $body, $t->waapi($body, $_)) }
            map({ scalar $t->read("hook.$_") } 1, 2), 'x' x 20),
        $t->post('/ed', $body, 'webhook-id' => 'msg_1',
            'webhook-timestamp' => $now, 'webhook-signature' => "v1a,$sign"),
        $t->get('/hook?hub.mode=subscribe&hub.challenge=1'
            . '&hub.verify_token=a%20token%20that%20Meta%20sends');
}

# one nginx under valgrind, reloaded so many times: a list of bytes lost
sub lost {
    my ($reloads) = @_;

    unlink $t->path('error.log'), glob $t->path('valgrind.*');
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        { exec 'valgrind', '--leak-check=full', '--show-leak-kinds=definite',
            '--log-file=' . $t->path('valgrind.%p'), $t->{nginx},
            '-p', $t->dir . '/', '-c', 'nginx.conf', '-e', 'error.log' }
        POSIX::_exit(127);
    }

    my $started = sub { scalar(() = $t->log =~ /start worker process \d/g) };
    my $ended = sub { scalar(() = $t->log =~ /worker process \d+ exited/g) };
    my %answers;
    my %header = (Authorization => 'Bearer '
                  . hs_token($secret, claims(list => ['a', { b => 1 }])));

    for my $n (0 .. $reloads) {
        kill 'HUP', $pid if $n;
        $t->wait_for(sub { $started->() > $n && $ended->() >= $n }, 15)
            or last;
        $t->wait_for(sub { $t->get('/', %header) }, 10) or last;
        $t->get('/', %header) for 1 .. 3;
        $t->get('/', Authorization => "Bearer $_")
            for 'x', hs_token('y' x 32, claims()),
                pk_token($t->path('ec'), 'ES256', claims());
        $answers{events()}++;
    }
    kill 'QUIT', $pid;
    waitpid $pid, 0;
    is($started->(), $reloads + 1, "$reloads reloads under valgrind");
    is_deeply(\%answers, { '200 200 401 200 200' => $reloads + 1 },
        'events are taken, and refused, after each');

    my @lost;
    for my $file (sort glob $t->path('valgrind.*')) {
        my $text = $t->read($file =~ s{.*/}{}r);
        push @lost, $text =~ /definitely lost: ([\d,]+)/ ? $1 =~ tr/,//dr
                    : $text =~ /no leaks are possible/ ? 0 : "none: $text";
        my @ours = $text =~ /\ (?:at|by)\ 0x\w+:\ (\w*(?:wacrm|jwt|json|gcra|sig_|spool|mdb_
                                                         |EVP|BIO)\w*)/gx;
        is("@ours", '', 'nothing of ours is lost or misused')
            or diag($text);
    }
    return sort { $a <=> $b } @lost;
}

my @before = lost(1);
my @after = lost(5);

is(scalar @before, 3, 'a master and two workers');
is(scalar @after, 7, 'a master and six workers');
is($after[-1], $before[-1], "five reloads lose what one does: $after[-1] bytes")
    or diag("before: @before, after: @after");

$t->done;
