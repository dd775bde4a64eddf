package Wacrm::Bench::Jwt;

# What the check of a token, and of the rate, costs.

use strict;
use warnings;

use File::Path qw(remove_tree);
use Time::HiRes qw(time);

use Wacrm::Bench;
use Wacrm::Jwt;
use Wacrm::Nginx;

# What a check of the token, and of the rate, costs a request: the worker's
# processor time of a request with it less that of one without.
sub run {
    my $t = Wacrm::Nginx->new(level => 'notice',
        events => 'worker_connections 2048;');
    $t->write('secret', $SECRET);
    new_key($t->path('rsa'), 'rsa');
    mkdir $t->path('spool');
    my $places = '';
    for my $alg (qw(HS256 RS256)) {
        my $file = $alg eq 'RS256' ? 'rsa.pub' : 'secret';
        for my $rate ('', 'wacrm_rate zone=user;') {
            my $path = lc $alg . ($rate ? '-rate' : '');
            $places .= "location /$path { wacrm_jwt_key_file $file alg=$alg;"
                . " wacrm_jwt desk; $rate empty_gif; }\n";
        }
    }
    $t->http(<<"EOC");
        wacrm_spool %%DIR%%/spool size=16m;
        wacrm_rate_zone \$wacrm_jwt_sub zone=user:1m rate=1000000r/s burst=1000000;
        keepalive_requests 10000000;

        server {
            listen 127.0.0.1:%%PORT%% backlog=4096;
            location / { empty_gif; }
            $places
        }
EOC
    $t->start;
    # nobody else tells the spool which tokens are revoked
    my $tool = ($ENV{WACRM_TOOLS} || "$ROOT/build/release/tools")
        . '/spool_revoke';
    $t->wait_for(sub { system($tool, $t->path('spool'), 'jti', 'none',
        time + 3600) == 0 }) or die "$tool failed";
    my $url = 'http://127.0.0.1:' . $t->port;
    my $claims = claims(iat => int time, exp => 3600 + int time, role => 'cs', iss => 'wacrm',
        aud => 'wacrm', token_use => 'access');
    my %token = (hs256 => hs_token($SECRET, $claims),
        rs256 => pk_token($t->path('rsa'), 'RS256', $claims));
    my ($worker) = $t->workers(qr/^nginx/);
    my $cpu = sub {
        my ($path, $token) = @_;
        my $before = cpu_us($worker);
        my $run = wrk("$url/$path", 64, "$ROOT/t/bench/get.lua", $token);
        return (cpu_us($worker) - $before) / $run->{requests};
    };
    my %cost;
    for my $round (1 .. $ROUNDS) {
        my $bare = $cpu->('', $token{hs256});
        for my $path (qw(hs256 hs256-rate rs256 rs256-rate)) {
            my ($alg) = split /-/, $path;
            my $us = $cpu->($path, $token{$alg});
            push @{$cost{$path}}, $us - $bare;
            say_(sprintf 'round=%d %s=%.2fus without=%.2fus cost=%.2fus',
                $round, $path, $us, $bare, $cost{$path}[-1]);
        }
    }
    $t->stop;
    remove_tree($t->dir);
    return map { (s/-/_/r . '_us' => sprintf '%.2f', median(@{$cost{$_}})) }
        keys %cost;
}

1;
