#!/usr/bin/perl

# Rate limits through a real nginx: what passes, what is said, what survives.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use lib 't/lib';
use Time::HiRes qw(sleep time);
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new(workers => 2);

sub conf {
    my (%opt) = (key => '$arg_key', size => '64k', rate => '30r/m', @_);

    $t->http(<<"EOC");
    wacrm_rate_zone $opt{key} zone=send:$opt{size} rate=$opt{rate};
    wacrm_rate_zone \$arg_key zone=hour:64k rate=5r/h;
    wacrm_rate_zone \$arg_key zone=keep:64k rate=5r/h;
    wacrm_rate_zone \$arg_key zone=fast:64k rate=10r/s burst=2;
    wacrm_rate_zone \$arg_key zone=wide:64k rate=3r/h burst=6;
    wacrm_rate_zone \$arg_key zone=tight:64k rate=2r/h;
    wacrm_rate_zone \$arg_key zone=dry:64k rate=1r/h;
    wacrm_rate_zone \$arg_key zone=once:64k rate=4r/h;
    wacrm_rate_zone \$arg_key zone=plain:64k rate=1r/h;
    wacrm_rate_zone \$wacrm_client_net zone=net:64k rate=1r/h;

    add_header X-Status "\$wacrm_rate_status" always;

    server {
        listen 127.0.0.1:%%PORT%%;
        client_max_body_size 1m;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Client;

        location /send {
            wacrm_rate zone=send;
            empty_gif;
        }

        location /proxied {
            wacrm_rate zone=hour;
            proxy_pass http://127.0.0.1:%%PORT2%%/;
        }

        location /keep {
            wacrm_rate zone=keep;
            empty_gif;
        }

        location /fast {
            wacrm_rate zone=fast;
            empty_gif;
        }

        location /two {
            wacrm_rate zone=wide message="Too many";
            wacrm_rate zone=tight "message=Tell \\"them\\": \\\\ enough\tc\xc3\xa9";
            empty_gif;
        }

        location /dry {
            wacrm_rate zone=dry dry_run;
            empty_gif;
        }

        location /both {
            wacrm_rate zone=dry dry_run;
            wacrm_rate zone=wide;
            empty_gif;
        }

        location /free {
            empty_gif;
        }

        location /redirected {
            wacrm_rate zone=once;
            error_page 404 = /again;
            root %%DIR%%/nowhere;
        }

        location /again {
            wacrm_rate zone=once;
            empty_gif;
        }

        location /net {
            wacrm_rate zone=net;
            empty_gif;
        }

        location /paged {
            wacrm_rate zone=plain;
            error_page 429 =200 /free;
            empty_gif;
        }

        location = /metrics {
            wacrm_metrics;
        }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        location / {
            return 200 "upstream";
        }
    }
EOC
}
conf();
$t->start;

sub get { $t->get(@_) }

sub status { get(@_)->{status} }

# how many of n pass
sub passed {
    my ($path, $n) = @_;
    return scalar grep { status($path) == 200 } 1 .. $n;
}

# ---- the quota, and what is said about it ----

my $r = get('/send?key=a');
is($r->{status}, 200, 'the first passes');
is($r->{headers}{'x-ratelimit-limit'}, 30, 'X-RateLimit-Limit');
is($r->{headers}{'x-ratelimit-remaining'}, 29, 'X-RateLimit-Remaining');
is($r->{headers}{'ratelimit-policy'}, '"send";q=30;w=60', 'RateLimit-Policy');
is($r->{headers}{ratelimit}, '"send";r=29;t=2', 'RateLimit');
is($r->{headers}{'retry-after'}, undef, 'no Retry-After');
is($r->{headers}{'x-ratelimit-reset'}, undef, 'no X-RateLimit-Reset');
is($r->{headers}{'x-status'}, 'PASSED', '$wacrm_rate_status');

is(passed('/send?key=a', 29), 29, '30 pass at once');

my $now = time;
$r = get('/send?key=a');
is($r->{status}, 429, 'the 31st does not');
is($r->{body}, '{"message":"Too many messages. Please wait."}', 'its body');
is($r->{headers}{'content-type'}, 'application/json', 'is JSON');
like($r->{headers}{'retry-after'}, qr/^[12]$/, 'Retry-After');
is($r->{headers}{'x-ratelimit-limit'}, 30, 'X-RateLimit-Limit');
is($r->{headers}{'x-ratelimit-remaining'}, 0, 'X-RateLimit-Remaining');
ok(abs($r->{headers}{'x-ratelimit-reset'} - $now
       - $r->{headers}{'retry-after'}) <= 2, 'X-RateLimit-Reset');
is($r->{headers}{'ratelimit-policy'}, '"send";q=30;w=60', 'RateLimit-Policy');
like($r->{headers}{ratelimit}, qr/^"send";r=0;t=(59|60)$/, 'RateLimit');
is($r->{headers}{'x-status'}, 'REJECTED', '$wacrm_rate_status');

is(status('/send?key=b'), 200, 'another key has its own budget');
is(passed('/send', 40), 40, 'an empty key is not counted');
is(get('/send')->{headers}{'x-ratelimit-limit'}, undef, 'nor spoken of');
is(get('/free?key=a')->{headers}{'x-status'}, undef,
   'no status without a limit');
is(status('/send?key=' . 'x' x 2000), 200, 'a long key');

$r = $t->post('/send?key=a', 'x' x 200_000);
is($r->{status}, 429, 'a refused request with a body');
is($t->request('HEAD', '/send?key=a')->{status}, 429, 'HEAD');

# three within the tenth of a second that brings the next one
my ($key, $burst, $third);
for my $try (1 .. 100) {
    $key = "burst$try";
    my $begun = time;
    $burst = passed("/fast?key=$key", 2);
    $third = status("/fast?key=$key");
    last if time - $begun < 0.1;
}
is($burst, 2, 'a burst of two');
is($third, 429, 'not of three');
sleep 0.12;
is(status("/fast?key=$key"), 200, 'one more after a tenth of a second');

# ---- in front of an upstream ----

$r = get('/proxied?key=a');
is($r->{body}, 'upstream', 'a proxied answer');
is($r->{headers}{'x-ratelimit-remaining'}, 4, 'bears the headers');
is($r->{headers}{ratelimit}, '"hour";r=4;t=720', 'of both families');

# ---- two zones ----

$r = get('/two?key=a');
is($r->{headers}{'ratelimit-policy'}, '"wide";q=3;w=3600, "tight";q=2;w=3600',
   'two policies');
is($r->{headers}{ratelimit}, '"wide";r=5;t=1200, "tight";r=1;t=1800',
   'two states');
is($r->{headers}{'x-ratelimit-limit'}, 2, 'the nearest limit');
is($r->{headers}{'x-ratelimit-remaining'}, 1, 'and what it leaves');
is(status('/two?key=a'), 200, 'the second passes');
$r = get('/two?key=a');
is($r->{status}, 429, 'one of the two refuses');
is(decode_json($r->{body})->{message}, "Tell \"them\": \\ enough\tc\x{e9}",
   'the message of that one, escaped');
like($r->{headers}{ratelimit}, qr/^"wide";r=4;t=\d+, "tight";r=0;t=\d+$/,
     'the other one was not charged');
is(passed('/two?key=a', 5), 0, 'nor is it by further ones');
like(get('/both?key=a')->{headers}{ratelimit}, qr/^"wide";r=3;/,
     'as another location sees');

# ---- dry run ----

is(get('/dry?key=d')->{headers}{'x-status'}, 'PASSED', 'dry run, first');
$r = get('/dry?key=z');
$r = get('/dry?key=z');
is($r->{status}, 200, 'dry run: more than the quota passes');
is($r->{headers}{'x-status'}, 'REJECTED_DRY_RUN', 'and the status says so');
is($r->{headers}{'x-ratelimit-limit'}, undef, 'the client is told nothing');
$r = get('/both?key=z');
is($r->{status}, 200, 'dry run beside a real limit');
is($r->{headers}{'ratelimit-policy'}, '"wide";q=3;w=3600', 'which is told');

# ---- once in a request ----

is(get('/redirected?key=a')->{headers}{'x-ratelimit-remaining'}, 3,
   'an internal redirect is counted once');
is(passed('/redirected?key=a', 9), 3, 'so all of the quota is there');

is(status('/paged?key=a'), 200, 'first');
$r = get('/paged?key=a');
is($r->{headers}{'content-type'}, 'image/gif', 'error_page of a 429');
is($r->{headers}{'x-status'}, 'REJECTED', 'it was one');

# ---- metrics ----

my $m = $t->metrics;
is($m->{'wacrm_rate_total{zone="send",result="passed"}'}, 32,
   'passed, by zone');
is($m->{'wacrm_rate_total{zone="send",result="rejected"}'}, 3,
   'rejected, by zone');
my ($dry) = grep { /zone="dry".*dry_run/ } keys %$m;
cmp_ok($m->{$dry || ''} || 0, '>=', 1, 'rejected in a dry run, by zone');
like($t->log, qr/wacrm_rate: status=429 zone=send retry_after=\d/,
     'a refusal is logged by its zone');
unlike($t->log, qr/wacrm_rate: [^,]*key/, 'without the key');

# ---- what survives ----

is(passed('/keep?key=a', 9), 5, 'a quota used up');
ok($t->reload(wait => 1), 'reload');
is(status('/keep?key=a'), 429, 'survives a reload');
is(status('/keep?key=b'), 200, 'as does the budget of others');

$t->allow(qr/exited on signal 9/);
my @old = $t->workers;
kill 'KILL', @old;
ok($t->wait_for(sub {
    my %old = map { $_ => 1 } @old;
    my @now = grep { !$old{$_} } $t->workers;
    @now == 2;
}), 'kill -9 of all workers');
is(status('/keep?key=a'), 429, 'survives kill -9');
is(passed('/keep?key=b', 9), 4, 'to the last request');

# ---- a reload that changes a zone ----

# ---- whose requests count together ----

for (['2001:db8::1', 200, 'an address of IPv6'],
     ['2001:db8::1', 429, 'the same'],
     ['2001:db8:0:0:ffff:ffff:ffff:ffff', 429, 'another one of its /64'],
     ['2001:DB8:0000:0::2', 429, 'in other letters'],
     ['2001:db8:0:1::1', 200, 'the /64 next to it'],
     ['2001:db8:0:1:8000::', 429, 'and all of that'],
     ['192.0.2.1', 200, 'an address of IPv4'],
     ['192.0.2.2', 200, 'the one next to it'],
     ['::ffff:192.0.2.1', 429, 'the first, mapped into IPv6'],
     ['::ffff:192.0.2.3', 200, 'one that is mapped at once'],
     ['192.0.2.3', 429, 'and then is not'],
     ['::1', 200, 'loopback'],
     ['::2', 429, 'no mapped one, and of the same /64'])
{
    my ($client, $want, $what) = @$_;
    is($t->get('/net', 'X-Client' => $client)->{status}, $want,
       "$what ($client): $want");
}

my ($mark, $ok);

conf(rate => '1r/h');
ok($t->reload(wait => 1), 'reload with a slow rate');
is(passed('/send?key=slow', 3), 1, 'one an hour');

conf(rate => '60r/m');
ok($t->reload(wait => 1), 'reload with another rate');
$r = get('/send?key=new');
is($r->{headers}{'ratelimit-policy'}, '"send";q=60;w=60', 'which counts');
$r = get('/send?key=slow');
is($r->{headers}{'retry-after'}, 1, 'a debt is a minute at most now');
sleep 1.1;
is(status('/send?key=slow'), 200, 'and Retry-After tells the truth');

for ([key => '$arg_other', qr/while previously it used the "\$arg_key" key/],
     [size => '128k', qr/the size 131072 of wacrm_rate_zone "send".*nginx\.conf:\d+/])
{
    my ($what, $value, $re) = @$_;
    $t->allow($re);
    conf($what => $value, rate => '60r/m');
    $mark = $t->mark;
    kill 'HUP', $t->pid;
    ok($t->wait_for(sub { $t->log_since($mark) =~ $re }),
       "a reload with another $what is refused") or diag $t->log_since($mark);
    is(status('/keep?key=a'), 429, 'nothing is forgotten');
}

$t->done;
