#!/usr/bin/perl

# Who is calling, as whoever stands behind nginx hears it: X-Wacrm-* headers
# are ours alone, and there is one of each.

use strict;
use warnings;

use IO::Socket::INET;
use Test::More;
use lib 't/lib';
use Wacrm::Http2;
use Wacrm::Jwt;
use Wacrm::Nginx;

my $secret = 'a secret of thirty-two bytes, and';
my $other = 'another secret of thirty-two byte';

my $t = Wacrm::Nginx->new;

$t->write('secret', $secret);
$t->write('other', $other);

# ---- an upstream that answers with the request it got ----

my $listen = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1',
                                   Proto => 'tcp') or die "listen: $!";
my $echo = $listen->sockport;
my $seen = $t->path('seen');

my $child = fork;
die "fork: $!" unless defined $child;
if (!$child) {
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (my $s = $listen->accept) {
        my $text = '';
        while ($text !~ /\r\n\r\n/ && sysread $s, $text, 65536, length $text)
        {}
        my ($path) = $text =~ m{^\S+ (\S+)};
        my $head = 'HTTP/1.0 200 OK';
        $head .= "\r\nX-Accel-Redirect: $1" if $path =~ m{^/accel(/.*)};
        $head = 'HTTP/1.0 404 Not Found' if $path =~ m{^/404};
        if ($path =~ m{^/(?:mirror|auth)$}) {
            open my $fh, '>>', $seen;
            print {$fh} $text;
        }
        print {$s} "$head\r\n\r\n$text";
        close $s;
    }
    POSIX::_exit(0);
}
close $listen;
END { kill 'TERM', $child if $child }

$t->http(<<"EOC");
    wacrm_jwt_key_file %%DIR%%/secret alg=HS256;
    wacrm_rate_zone \$wacrm_jwt_sub zone=send:64k rate=2r/h;
    underscores_in_headers on;
    large_client_header_buffers 8 16k;

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT2%% http2;
        error_page 400 = /errors;

        location / {
            wacrm_jwt desk;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /open {
            proxy_pass http://127.0.0.1:$echo;
        }

        location /404 {
            wacrm_jwt desk;
            proxy_intercept_errors on;
            error_page 404 = \@fallback;
            proxy_pass http://127.0.0.1:$echo;
        }

        location \@fallback {
            wacrm_jwt desk;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /inside {
            internal;
            wacrm_jwt desk;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /bare {
            internal;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /elsewhere {
            internal;
            wacrm_jwt desk;
            wacrm_jwt_key_file %%DIR%%/other alg=HS256;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /errors {
            proxy_pass http://127.0.0.1:$echo;
        }

        location /rewritten {
            wacrm_jwt desk;
            rewrite ^ /inside last;
        }

        location /mirrored {
            wacrm_jwt desk;
            mirror /mirror;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /mirror {
            internal;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /asked {
            wacrm_jwt desk;
            auth_request /auth;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /auth {
            internal;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /crm {
            wacrm_jwt desk;
            wacrm_rate zone=send;
            proxy_pass http://127.0.0.1:$echo;
        }

        location /any {
            wacrm_jwt desk;
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:$echo;
        }
    }
EOC
$t->start;

my $exp = time + 600;
my $token = hs_token($secret, claims(exp => $exp));
my @bearer = (Authorization => "Bearer $token");

# names of the identity headers with their values, in order
sub identity {
    my ($text) = @_;
    return [$text =~ /^(x[-_]wacrm[-_][^\r\n]*?)\r?$/gim];
}

my $us = ['X-Wacrm-User: 7', 'X-Wacrm-Token-Id: token-1',
          "X-Wacrm-Token-Exp: $exp"];

my @forged = map { $_ => 'root' }
             qw(X-Wacrm-User x-wacrm-user X-WACRM-ROLE X-Wacrm-Token-Id
                X-Wacrm-Token-Exp X-Wacrm- X_Wacrm_User X-Wacrm_User
                x_wacrm-session);

# ---- set and removed ----

my $r = $t->get('/', @bearer);
is($r->{status}, 200, 'a good token');
is_deeply(identity($r->{body}), $us, 'identity of the token');

$r = $t->get('/', @bearer, @forged);
is_deeply(identity($r->{body}), $us, 'forged headers are replaced');

$r = $t->get('/', @bearer, 'X-Wacrm-User' => ['1', '2', '3']);
is_deeply(identity($r->{body}), $us, 'three forged ones, one comes out');

$r = $t->get('/open', @forged);
is($r->{status}, 200, 'a location without wacrm_jwt');
is_deeply(identity($r->{body}), [], 'forged headers are removed there too');
is_deeply(identity($t->get('/open', @bearer)->{body}), [],
          'nothing is set there, though there is a token');

is($t->get('/', @forged)->{status}, 401, 'forged headers are no token');

$r = $t->get('/', Authorization => 'Bearer '
             . hs_token($secret, claims(jti => undef, exp => $exp)));
is_deeply(identity($r->{body}), [@$us[0, 2]], 'a token without id');
$r = $t->get('/', @forged, Authorization => 'Bearer '
             . hs_token($secret, claims(sub => undef, exp => $exp)));
is_deeply(identity($r->{body}), [@$us[1, 2]],
          'a token without subject, and forged headers: no user');

# ---- the list of headers, in any order and number ----

for my $n (1, 2, 19, 20, 21, 22, 40, 41, 45) {
    for my $where ('first', 'last', 'middle', 'all over') {
        my @names = map { "X-Other-$_" } 1 .. $n;
        my @all = @names;
        my $evil = 'X-Wacrm-User';
        $where eq 'first' ? unshift @all, ($evil) x 2
            : $where eq 'last' ? push @all, ($evil) x 2
            : $where eq 'middle' ? splice @all, $n / 2, 0, ($evil) x 3
            : (@all = map { ($evil, $_, $evil) } @all);

        my $s = $t->connect;
        syswrite $s, join "\r\n", 'GET / HTTP/1.1', 'Host: a',
            (map { "$_: v" } @all), "Authorization: Bearer $token",
            'Connection: close', '', '';
        my $r = $t->read_response($s);
        my @other = $r->{body} =~ /^(X-Other-\d+): v/gm;

        is_deeply([\@other, identity($r->{body})], [\@names, $us],
                  "$n headers, forged ones $where");
    }
}

{
    my $s = $t->connect;
    syswrite $s, "GET /open HTTP/1.0\r\nX-Wacrm-User: 1\r\n\r\n";
    is_deeply(identity($t->read_response($s)->{body}), [],
              'a request of nothing else');

    $s = $t->connect;
    $t->send_request($s, 'GET', '/', headers => {@bearer});
    is_deeply(identity($t->read_response($s)->{body}), $us,
              'first request of a connection');
    $t->send_request($s, 'GET', '/open');
    is_deeply(identity($t->read_response($s)->{body}), [],
              'the next one has no identity');
}

# ---- internal redirects and subrequests ----

$r = $t->get('/accel/inside', @bearer, @forged);
like($r->{body}, qr{^GET /inside}, 'X-Accel-Redirect');
is_deeply(identity($r->{body}), $us, 'one of each after X-Accel-Redirect');

$r = $t->get('/accel/bare', @bearer, @forged);
like($r->{body}, qr{^GET /bare}, 'X-Accel-Redirect to a bare location');
is_deeply(identity($r->{body}), [], 'no identity without wacrm_jwt');

is($t->get('/accel/elsewhere', @bearer)->{status}, 401,
   'a redirect to a location with another key is checked by that key');

$r = $t->get('/404', @bearer, @forged);
is_deeply(identity($r->{body}), $us, 'one of each in a named location');

$r = $t->get('/rewritten', @bearer, @forged);
is_deeply(identity($r->{body}), $us, 'one of each after a rewrite');

# refused before the post-read phase
{
    my $s = $t->connect;
    syswrite $s, "GET / HTTP/1.1\r\nX-Wacrm-User: 1\r\nHost: a\r\nHost: b\r\n"
                 . "X-Wacrm-User: 2\r\n\r\n";
    my $r = $t->read_response($s);
    like($r->{body}, qr/^GET/, 'error_page of a bad request is proxied');
    is_deeply(identity($r->{body}), [], 'without forged headers');
}

for (['/mirrored', 'mirror', $us], ['/asked', 'auth', $us]) {
    my ($path, $name, $want) = @$_;
    unlink $seen;
    my $r = $t->get($path, @bearer, @forged);
    is_deeply(identity($r->{body}), $us, "$path: one of each");
    $t->wait_for(sub { -s $seen });
    my @all = @{identity($t->read('seen'))};
    my %once = map { $_ => 1 } @all;
    ok(@all == keys %once && !grep({ /root/ } @all),
       "subrequest of $path: none twice, none forged");
}

$r = $t->get('/any', @forged);
is($r->{status}, 200, 'let in by address');
is_deeply(identity($r->{body}), [], 'without a token there is no identity');

# ---- in front of another application: all of it in one location ----

$r = $t->post('/crm/send?a=b', 'text=hello', @bearer, @forged);
like($r->{body}, qr{^POST /crm/send\?a=b }, 'the request goes through');
is_deeply(identity($r->{body}), $us, 'with the identity');
is($r->{headers}{'x-ratelimit-remaining'}, 1, 'and a limit by subject');
$t->get('/crm', @bearer);
is($t->get('/crm', @bearer)->{status}, 429, 'which ends at two');
is($t->get('/crm', Authorization => 'Bearer '
           . hs_token($secret, claims(sub => '8')))->{status}, 200,
   'and is not that of another subject');
is($t->get('/crm')->{status}, 401, 'no token');

# ---- HTTP/2 ----

sub h2_get {
    my ($path, @headers) = @_;

    $headers[$_ * 2] = lc $headers[$_ * 2] for 0 .. $#headers / 2;
    return h2_call($t->connect(2), [':method' => 'GET', ':scheme' => 'http',
        ':path' => $path, ':authority' => 'a', @headers])->{body};
}

is_deeply(identity(h2_get('/', @bearer, @forged)), $us,
          'HTTP/2: forged headers are replaced');
is_deeply(identity(h2_get('/open', @forged)), [],
          'HTTP/2: and removed where there is no wacrm_jwt');
is_deeply(identity(h2_get('/', Authorization => 'Bearer '
                          . hs_token($secret, claims(exp => $exp,
                                                     pad => 'x' x 9000)))),
          $us, 'HTTP/2: a token of 12 KB');
unlike(h2_get('/', @bearer, @bearer), qr{^GET / },
   'HTTP/2: two Authorization headers');
is(h2_get('/', @forged), '{"message":"Unauthenticated."}',
   'HTTP/2: refused without a token');

$t->done;
