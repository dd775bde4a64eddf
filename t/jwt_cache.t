#!/usr/bin/perl

# wacrm_jwt_cache: a token that was verified once is not verified again, and
# is worth no more for it: its time, its revocation, its location's keys count
# at each request.

use strict;
use warnings;

use Test::More;
use lib 't/lib';
use Time::HiRes qw(sleep);
use Wacrm::Jwt;
use Wacrm::Nginx;

my $secret = 'a secret of thirty-two bytes, and';
my $other = 'another secret of thirty-two byte';
my $tool = ($ENV{WACRM_TOOLS} || "$Wacrm::Nginx::ROOT/build/release/tools")
           . '/spool_revoke';

sub edge {
    my ($directive) = @_;

    my $t = Wacrm::Nginx->new;
    $t->write('secret', $secret);
    $t->write('other', $other);
    new_key($t->path('p256'), 'P-256');
    mkdir $t->path('spool');
    $t->http(<<"EOC");
        $directive
        wacrm_spool %%DIR%%/spool size=16m;
        wacrm_jwt_key_file secret alg=HS256;
        wacrm_jwt desk;
        add_header X-Claim "\$wacrm_jwt_claim_role";

        server {
            listen 127.0.0.1:%%PORT%%;
            location / { empty_gif; }
            location /other {
                wacrm_jwt_key_file other alg=HS256;
                empty_gif;
            }
            location /es {
                wacrm_jwt_key_file p256.pub alg=ES256;
                empty_gif;
            }
            location /late {
                wacrm_jwt_leeway 1h;
                empty_gif;
            }
            location /strict {
                wacrm_jwt_audience crm;
                empty_gif;
            }
            location /metrics {
                wacrm_jwt off;
                wacrm_metrics;
            }
        }
EOC
    return $t;
}

# Revokes a token; without one nobody has told the spool what is revoked.
sub revoke {
    my ($t, $jti) = @_;
    return system($tool, $t->path('spool'), 'jti', $jti, time + 600) == 0;
}

sub start {
    my ($t) = @_;

    $t->start;
    ok($t->wait_for(sub { revoke($t, 'none') }), 'the spool is told');
}

my $t = edge('');
start($t);

sub ask {
    my ($path, $token) = @_;
    return $t->get($path, Authorization => "Bearer $token");
}
sub status { ask(@_)->{status} }
sub looked {
    my $m = $t->metrics('/metrics');
    return join ' ', map { $m->{qq(wacrm_jwt_cache_total{result="$_"})} }
        qw(hit miss);
}

# ---- verified once ----

my $good = hs_token($secret, claims(role => 'cs'));
ok($t->wait_for(sub { status('/', $good) == 200 }), 'a good token');
my ($hit, $miss) = split / /, looked();
is(status('/', $good), 200, 'again');
is(status('/late', $good), 200, 'at another location with the same keys');
is(looked(), ($hit + 2) . " $miss", 'both found among the verified');
is(ask('/', $good)->{headers}{'x-claim'}, 'cs', 'its claims are there');
is(status('/strict', $good), 401, 'the audience is asked for all the same');

my $es = pk_token($t->path('p256'), 'ES256', claims());
is(status('/es', $es), 200, 'ES256') for 1 .. 2;

# ---- other keys, other bytes ----

is(status('/other', $good), 401, 'verified with the keys of another location');
(my $bad = $good) =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/e;
is(status('/', $bad), 401, 'another last byte') for 1 .. 2;
is(status('/', "$good="), 401, 'a byte more');
is(status('/', substr $good, 0, -1), 401, 'a byte less');
my ($head, $claims, $sig) = split /\./, $good;
is(status('/', join '.', $head, b64url('{"sub":"1","exp":9999999999}'), $sig),
   401, 'other claims under a known signature');

# ---- time ----

my $exp = time + 4;
my $short = hs_token($secret, claims(exp => $exp));
is(status('/', $short), 200, 'a token of a few seconds');
is(status('/', $short), 200, 'known');
sleep 0.02 while time < $exp;
is(status('/', $short), 401, 'ends at its exp');
is(status('/late', $short), 200, 'but where the clocks may differ');
is(status('/', $short), 401, 'and not for the others by that');

# ---- revocation ----

my $revoked = hs_token($secret, claims(jti => 'gone'));
is(status('/', $revoked), 200, 'before it is revoked') for 1 .. 2;
ok(revoke($t, 'gone'), 'revoke');
is(status('/', $revoked), 401, 'a known token is revoked at once');
is(status('/', $good), 200, 'another is not');

# ---- many, and a reload with another key ----

my @many = map { hs_token($secret, claims(jti => "t-$_", sub => "u$_")) }
    1 .. 1500;
my $fine = grep { status('/', $_) == 200 } @many;
is($fine, 1500, 'more tokens than there are places');
$fine = grep { status('/', $_) == 200 } @many[0 .. 99];
is($fine, 100, 'those that were pushed out are verified again');

$t->write('secret', $other);
ok($t->reload, 'reload with another secret');
is(status('/', $good), 401, 'the key is gone, and with it its tokens');
is(status('/', hs_token($other, claims())), 200, 'those of the new one count');
is($t->stop, 1, 'stops');
$t->finish;

# ---- off, one place, in a single process ----

for my $directive ('wacrm_jwt_cache off;', 'wacrm_jwt_cache 1;') {
    $t = edge($directive);
    start($t);
    ok($t->wait_for(sub { status('/', $good) == 200 }), $directive);
    is(status('/', $good), 200, 'again');
    is(status('/', $bad), 401, 'a bad one');
    like(looked(), $directive =~ /off/ ? qr/^0 0$/ : qr/^[1-9]\d* /,
         $directive =~ /off/ ? 'nothing is looked up' : 'found');
    is($t->stop, 1, 'stops');
    $t->finish;
}

$t = edge('');
$t->main('master_process off;');
start($t);
ok($t->wait_for(sub { status('/', $good) == 200 }), 'in a single process');
is(status('/', $good), 200, 'again');
is($t->stop, 1, 'stops');
$t->finish;

# ---- mistakes ----

for (['wacrm_jwt_cache 0;', 'takes "off" or a number'],
     ['wacrm_jwt_cache -1;', 'takes "off" or a number'],
     ['wacrm_jwt_cache 65537;', 'takes "off" or a number'],
     ['wacrm_jwt_cache many;', 'takes "off" or a number'],
     ['wacrm_jwt_cache 8; wacrm_jwt_cache 9;', 'is duplicate'],
     ['wacrm_jwt_cache;', 'number of arguments'])
{
    my ($ok, $output) = edge($_->[0])->test;
    ok(!$ok, "refused: $_->[0]");
    like($output, qr/\Q$_->[1]\E.* in \S+:\d+/, 'and says why and where');
}

$t->done;
