#!/usr/bin/perl

# Nothing is lost over reloads: keys, JSON, zones, in master and workers.

use strict;
use warnings;

use JSON::PP;
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
$t->http(<<'EOC');
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
    }
EOC

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
    }
    kill 'QUIT', $pid;
    waitpid $pid, 0;
    is($started->(), $reloads + 1, "$reloads reloads under valgrind");

    my @lost;
    for my $file (sort glob $t->path('valgrind.*')) {
        my $text = $t->read($file =~ s{.*/}{}r);
        push @lost, $text =~ /definitely lost: ([\d,]+)/ ? $1 =~ tr/,//dr
                    : $text =~ /no leaks are possible/ ? 0 : "none: $text";
        my @ours = $text =~ /\ (?:at|by)\ 0x\w+:\ (\w*(?:wacrm|jwt|json|gcra
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
