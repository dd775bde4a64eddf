#!/usr/bin/perl

# wacrm_jwt in a configuration: inheritance, variables, wacrm_jwt_require,
# token=, error pages, satisfy, revocation.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use lib 't/lib';
use Wacrm::Jwt;
use Wacrm::Nginx;

my $secret = 'a secret of thirty-two bytes, and';
my $other = 'another secret of thirty-two byte';

my $t = Wacrm::Nginx->new;

$t->write('secret', $secret);
$t->write('other', $other);

$t->http(<<'EOC');
    wacrm_jwt_key_file secret alg=HS256;
    wacrm_jwt house;

    map $wacrm_jwt_claim_role $is_admin {
        volatile;
        admin    1;
        default  0;
    }

    wacrm_rate_zone $wacrm_jwt_sub zone=user:64k rate=2r/h;

    add_header X-Sub    "$wacrm_jwt_sub";
    add_header X-Claim  "$wacrm_jwt_claim_value";

    server {
        listen 127.0.0.1:%%PORT%%;

        location / {
            empty_gif;
        }

        location /open {
            wacrm_jwt off;
            empty_gif;

            location /open/closed {
                wacrm_jwt cellar;
                empty_gif;
            }
        }

        location /admin {
            wacrm_jwt_require $is_admin;
            empty_gif;
        }

        location /both {
            wacrm_jwt_require $is_admin $wacrm_jwt_claim_value;
            empty_gif;
        }

        location /cookie {
            wacrm_jwt desk token=$cookie_token;
            empty_gif;
        }

        location /paged {
            error_page 401 = /login;
            error_page 403 /no;
            wacrm_jwt_require $is_admin;
            empty_gif;
        }

        location = /login {
            wacrm_jwt off;
            return 200 "sign in";
        }

        location = /no {
            wacrm_jwt off;
            return 200 "not you";
        }

        location /locked-page {
            error_page 401 /locked;
            empty_gif;
        }

        location /locked {
            empty_gif;
        }

        location /any {
            satisfy any;
            allow all;
            empty_gif;
        }

        location /either {
            satisfy any;
            deny all;
            empty_gif;
        }

        location /limited {
            wacrm_rate zone=user;
            empty_gif;
        }

        location /missing {
            error_page 404 = /;
            root %%DIR%%/nowhere;
        }

        location /rewritten {
            if ($wacrm_jwt_claim_role = admin) {
                rewrite ^ /other last;
            }
            empty_gif;
        }

        location /other {
            wacrm_jwt_key_file other alg=HS256;
            empty_gif;
        }

        location = /metrics {
            wacrm_jwt off;
            wacrm_metrics;
        }
    }
EOC
$t->start;

sub bearer { (Authorization => 'Bearer ' . hs_token($secret, claims(@_))) }

sub status {
    my ($path, @headers) = @_;
    return $t->get($path, @headers)->{status};
}

my @good = bearer();

# ---- inheritance ----

is(status('/', @good), 200, 'inherited from http');
is(status('/'), 401, 'and it matters');
is(status('/open'), 200, 'off');
is($t->get('/open', @good)->{headers}{'x-sub'}, undef,
   'where it is off no token is read');
is(status('/open/closed'), 401, 'on again inside of off');
is($t->get('/open/closed')->{headers}{'www-authenticate'},
   'Bearer realm="cellar"', 'with its own realm');
is(status('/open/closed', @good), 200, 'and the inherited key');

# ---- variables ----

is($t->get('/', @good)->{headers}{'x-sub'}, '7', '$wacrm_jwt_sub');

for (['"text"', 'text'], ['42', '42'], ['-9007199254740993',
     '-9007199254740993'], ['true', 'true'], ['false', 'false'],
     ['[1, "a"]', '[1,"a"]'], ['{"a": {"b": null}}', '{"a":{"b":null}}'],
     ['1.5', '1.5'], ['null', undef], ['""', undef],
     ['"a\u000d\u000aX-Evil: 1"', undef], ['"a\u007fb"', undef],
     ['"caf\u00e9"', "caf\xc3\xa9"])
{
    my ($value, $want) = @$_;
    my $token = hs_token($secret, qq({"exp":9999999999,"value":$value}));
    my $r = $t->get('/', Authorization => "Bearer $token");
    is($r->{headers}{'x-claim'}, $want, "claim $value");
    is($r->{headers}{'x-evil'}, undef, 'no header out of a claim')
        if $value =~ /Evil/;
}
is($t->get('/', @good)->{headers}{'x-claim'}, undef, 'a claim not there');

# ---- wacrm_jwt_require ----

my $r = $t->get('/admin', @good);
is($r->{status}, 403, 'required variable is 0');
is($r->{body}, '{"message":"Forbidden."}', 'body of a 403');
is($r->{headers}{'content-type'}, 'application/json', 'it is JSON');
is(status('/admin', bearer(role => 'admin')), 200, 'required variable is 1');
is(status('/admin'), 401, 'no token: 401, not 403');
is(status('/both', bearer(role => 'admin')), 403, 'the second is empty');
is(status('/both', bearer(role => 'admin', value => '0')), 403, 'or 0');
is(status('/both', bearer(role => 'admin', value => JSON::PP::false)), 403,
   'or false');
is(status('/both', bearer(role => 'admin', value => JSON::PP::true)), 200,
   'true is enough');
is(status('/both', bearer(role => 'admin', value => 'x')), 200, 'both');

# ---- where the token comes from ----

my $token = hs_token($secret, claims());
is(status('/cookie', Cookie => "token=$token"), 200, 'token in a cookie');
is(status('/cookie', @good), 401, 'then not in Authorization');
is(status('/cookie', Cookie => 'token='), 401, 'an empty cookie');

# ---- error pages and satisfy ----

$r = $t->get('/paged');
is("$r->{status} $r->{body}", '200 sign in', 'error_page of a 401');
$r = $t->get('/paged', @good);
is("$r->{status} $r->{body}", '403 not you', 'error_page of a 403');
$r = $t->get('/locked-page');
is("$r->{status} $r->{body}", '401 {"message":"Unauthenticated."}',
   'an error page that is refused itself');
is($r->{headers}{'www-authenticate'}, 'Bearer realm="house"',
   'with one challenge');
$r = $t->get('/any');
is($r->{status}, 200, 'satisfy any: the address is enough');
is($r->{headers}{'www-authenticate'}, undef, 'and no challenge is left');
is(status('/either', @good), 200, 'satisfy any: the token is enough');
is(status('/either'), 401, 'satisfy any: neither');

# ---- once in a request ----

sub counted {
    my $m = $t->metrics;
    my $sum = 0;
    $sum += $m->{$_} for grep { /^wacrm_jwt_total/ } keys %$m;
    return $sum;
}

my $before = counted();
$t->get('/missing', @good);
is(counted(), $before + 1, 'an internal redirect does not verify again');
$before = counted();
is(status('/limited', @good), 200, 'rate key by subject, before access');
is(counted(), $before + 1, 'a rate key and the access phase verify once');
is(status('/limited', @good), 200, 'second of two');
is(status('/limited', @good), 429, 'third: limited');
is(status('/limited', bearer(sub => '8')), 200, 'another subject is not');
is(status('/limited'), 401, 'no token is refused, not limited');
is(status('/limited', bearer(exp => time - 9)), 401, 'nor is a bad one');

# the token was verified by the first location's key
is(status('/rewritten', bearer(role => 'admin')), 401,
   'after a rewrite the key of the new location counts');
is(status('/rewritten', @good), 200, 'without the rewrite the old one');

my $m = $t->metrics;
cmp_ok($m->{qq(wacrm_jwt_total{result="$_"})} || 0, '>', 0, "$_ is counted")
    for qw(ok missing expired require);

is($t->stop, 1, 'stops');

# ---- revocation ----

# A gate that asks this spool what is revoked.
sub revocable {
    my ($spool) = @_;

    return <<"EOC";
        wacrm_spool %%DIR%%/$spool size=16m;
        wacrm_jwt_key_file secret alg=HS256;

        server {
            listen 127.0.0.1:%%PORT%%;
            location / {
                wacrm_jwt desk;
                empty_gif;
            }
            location /healthz { wacrm_health; }
        }
EOC
}

{
    my $tool = ($ENV{WACRM_TOOLS} || "$Wacrm::Nginx::ROOT/build/release/tools")
               . '/spool_revoke';
    my $t = Wacrm::Nginx->new;
    $t->write('secret', $secret);
    $t->http(revocable('spool'));
    mkdir $t->path('spool');
    $t->start;
    ok($t->wait_for(sub { $t->get('/healthz')->{status} == 200 }),
       'the spool is open');

    my $now = time;
    my $revoke = sub { is(system($tool, $t->path('spool'), @_), 0, 'revoke') };
    my $ask = sub {
        $t->get('/', Authorization => 'Bearer '
                . hs_token($secret, claims(@_)))->{status};
    };

    is($ask->(), 503, 'nobody has told yet which tokens are revoked');
    $revoke->('jti', 'token-0', $now + 600);
    is($ask->(), 200, 'good by the spool');
    $revoke->('jti', 'token-1', $now + 600);
    is($ask->(), 401, 'a revoked token');
    like($t->log, qr/reason=revoked/, 'and why');
    is($ask->(jti => 'token-2'), 200, 'another token of the same user');
    $revoke->('sub', '9', $now + 600, $now);
    is($ask->(sub => '9', jti => 'token-3', iat => $now - 50), 401,
       'a token from before the log-out everywhere');
    is($ask->(sub => '9', jti => 'token-4', iat => undef), 401,
       'a token of unknown age');
    is($ask->(sub => '9', jti => 'token-5', iat => $now), 200,
       'a token from after it');
    is($ask->(sub => '7', jti => 'token-6', iat => $now - 50), 200,
       'an older one of another user');
    is($ask->(sub => undef, jti => undef), 200, 'a token of nobody');
    $t->finish;

    # a revocation that cannot be asked is no permission
    $t = Wacrm::Nginx->new;
    $t->allow(qr/spool/);
    $t->write('secret', $secret);
    $t->write('broken/data.mdb', 'x' x 8192);
    $t->http(revocable('broken'));
    $t->start;
    my $r = $t->get('/', Authorization => 'Bearer '
                    . hs_token($secret, claims()));
    is($r->{status}, 503, 'no spool: nobody can tell');
    is($r->{headers}{'retry-after'}, '1', 'try again');
    is($r->{headers}{'content-type'}, 'application/json', 'in JSON');
    is($t->get('/')->{status}, 401, 'without a token: 401 all the same');
    $t->finish;
}

$t->done;
