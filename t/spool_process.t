#!/usr/bin/perl

# The spool of each process, its health, its metrics.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Nginx;

my $secret = 'a secret of enough bytes';
my $body = '{"event":"message.received"}';

my $server = <<'EOC';
    wacrm_webhook_signature waapi;
    wacrm_webhook_secret_file %%DIR%%/secret;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /hook { wacrm_webhook demo; }
        location /metrics { wacrm_metrics; }
        location /healthz { wacrm_health; }
        %%MORE%%
    }
EOC

sub conf {
    my ($t, $http, $more) = @_;
    my $text = $server;
    $more = '' unless defined $more;
    $text =~ s/%%MORE%%/$more/;
    $t->http("$http\n$text");
}

sub new {
    my ($http, %opt) = @_;
    my $t = Wacrm::Nginx->new(%opt);
    $t->write('secret', $secret);
    conf($t, $http);
    return $t;
}

sub post { $_[0]->post($_[1] || '/hook', $body, $_[0]->waapi($body, $secret)) }

# ---- metrics ----

my $t = new('wacrm_spool %%DIR%%/spool size=16m notify=unix:%%DIR%%/n.sock;',
            workers => 2);
$t->start;

my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM,
                                   Local => $t->path('n.sock')) or die;
is(post($t)->{status}, 200, 'stored');
ok(IO::Select->new($notify)->can_read(2), 'wacrmd is told');
close $notify;
unlink $t->path('n.sock');
is(post($t)->{status}, 200, 'also where nobody listens') for 1 .. 3;

$t->post('/hook', $body);
$t->post('/hook', $body, 'X-Webhook-Signature' => 'f' x 64) for 1 .. 2;
$t->post('/hook', '{', $t->waapi('{', $secret));
$t->request('PUT', '/hook');
$t->post('/hook', '', 'Content-Length' => 17_000_000);

my $m = $t->metrics;
sub events { $m->{qq(wacrm_events_total{source="$_[0]",result="$_[1]"})} }
is(events('demo', 'stored'), 4, 'stored');
is(events('demo', 'signature_missing'), 1, 'signature_missing');
is(events('demo', 'signature_mismatch'), 2, 'signature_mismatch');
is(events('demo', 'not_json'), 1, 'not_json');
is(events('demo', 'method'), 1, 'method');
is(events('demo', 'too_large'), 1, 'too_large');
is($m->{wacrm_spool_batch_records_count}, 4, 'commits');
is($m->{wacrm_spool_batch_records_sum}, 4, 'events in them');
is($m->{wacrm_spool_commit_seconds_count}, 4, 'times of commits');
like($m->{wacrm_spool_commit_seconds_sum}, qr/^\d+\.\d{6}$/, 'their sum');
is($m->{'wacrm_spool_commit_seconds_bucket{le="+Inf"}'}, 4, '+Inf');
is($m->{wacrm_spool_up}, 1, 'spool up');
is($m->{wacrm_spool_records}, 4, 'spool depth');
cmp_ok($m->{wacrm_spool_bytes}, '>', 4 * length $body, 'spool bytes');
cmp_ok($m->{wacrm_spool_limit_bytes}, '<', 16 << 20, 'spool limit');
is($m->{wacrm_spool_quarantine_records}, 0, 'quarantine');
is($m->{'wacrm_jwt_total{result="ok"}'}, 0, 'jwt results');

my $r = $t->get('/metrics');
like($r->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4}, 'type');
my %type = $r->{body} =~ /^# TYPE (\S+) (\S+)$/mg;
my @bad = grep { !/^#/ } split /\n/, $r->{body};
@bad = grep {
    my ($name) = /^([a-z_]+)
                  (?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?
                  \x20[\d.]+$/x;
    my $base = $name || '';
    $base =~ s/_(?:bucket|sum|count)$// unless $type{$base};
    !$name || !$type{$base};
} @bad;
is_deeply(\@bad, [], 'every line is well-formed and has a type');
is($t->post('/metrics', '')->{status}, 405, 'metrics: POST');
is($t->request('HEAD', '/metrics')->{status}, 200, 'metrics: HEAD');

conf($t, 'wacrm_spool %%DIR%%/spool size=16m;',
     'location /a { wacrm_webhook another; }');
ok($t->reload(wait => 1), 'reload');
is(post($t, '/a')->{status}, 200, 'new source');
$m = $t->metrics;
is(events('demo', 'stored'), 4, 'counters are kept on reload');
is(events('another', 'stored'), 1, 'new source counted');

# ---- health ----

$r = $t->get('/healthz');
is($r->{status}, 200, 'healthy');
is($r->{body}, "ok\n", 'says ok');
like($r->{headers}{'content-type'}, qr{^text/plain}, 'in plain text');
is($t->request('HEAD', '/healthz')->{status}, 200, 'HEAD');
$r = $t->request('DELETE', '/healthz');
is($r->{status}, 405, 'other methods');
is($r->{headers}{allow}, 'GET, HEAD', 'Allow');
$t->finish;

# the same as wacrmd's, and what the examples say
my %size = (
    'conf/nginx.conf'  => qr/\bwacrm_spool \S+ size=(\d+)g\s/,
    'conf/wacrmd.conf' => qr/^spool_size = (\d+)g$/m,
    'docs/configuration.md' => qr/^\| `spool_size` \|[^|]*\| `(\d+)g` \|/m,
);
$t = new('wacrm_spool %%DIR%%/spool;');
$t->start;
my $limit = $t->metrics->{wacrm_spool_limit_bytes};
$t->finish;
for my $file (sort keys %size) {
    open my $fh, '<', $file or die "$file: $!";
    my ($g) = do { local $/; <$fh> } =~ $size{$file};
    is($limit, int(($g << 30) / 5) * 4, "default size: $file says so too");
}

$t = new('wacrm_spool %%DIR%%/spool size=1m;');
$t->start;
my $big = '"' . ('x' x 100_000) . '"';
my $last;
for (1 .. 20) {
    $last = $t->post('/hook', $big, $t->waapi($big, $secret))->{status};
    last if $last != 200;
}
is($last, 503, 'full');
is(post($t)->{status}, 200, 'a small event still fits')
    if $t->get('/healthz')->{status} == 200;
for (1 .. 400) {
    last if post($t)->{status} != 200;
}
$r = $t->get('/healthz');
is($r->{status}, 503, 'full: not healthy');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
is($r->{body}, '{"message":"Spool not available"}', 'JSON');
$t->finish;

# ---- a spool that cannot be opened: tried again every second ----

$t = new('wacrm_spool %%DIR%%/later/spool size=16m;');
$t->allow(qr/\[emerg\].*wacrm spool .* cannot be opened/);
$t->start;
ok($t->wait_log(qr/\[emerg\].*cannot be opened/), 'told');
$r = post($t);
is($r->{status}, 503, 'no spool: 503');
is($r->{headers}{'retry-after'}, 1, 'Retry-After');
is($t->post('/hook', $body)->{status}, 401, 'not signed: still 401');
is($t->get('/healthz')->{status}, 503, 'not healthy');
is($t->metrics->{wacrm_spool_up}, 0, 'metrics tell');
is($t->metrics->{'wacrm_events_total{source="demo",result="spool_error"}'}, 1,
   'counted');
mkdir $t->path('later') or die;
ok($t->within(20, sub { $t->get('/healthz')->{status} == 200 }),
   'opened as soon as it can be');
is(post($t)->{status}, 200, 'and used');
like($t->log, qr/is open after \d+ failures/, 'told');
my @lines = $t->log =~ /cannot be opened/g;
is(scalar @lines, 1, 'one line, not one a second');
my @old = $t->workers;
$t->finish;

# ---- a worker without spool ends on reload ----

$t = new('wacrm_spool %%DIR%%/never/spool size=16m;');
$t->allow(qr/\[emerg\].*wacrm spool .* cannot be opened/);
$t->start;
ok($t->reload(wait => 1), 'reload without a spool');
$t->finish;

# ---- the module comes and goes on reload ----

$t = new('wacrm_spool %%DIR%%/spool size=16m;');
my $module = $t->{module};
SKIP: {
    skip 'the module is linked in', 11 if $module eq '-';

    $t->start;
    for (1 .. 2) {
        is(post($t)->{status}, 200, 'with the module');
        $t->{module} = '-';
        $t->http('client_max_body_size 2m; server { listen 127.0.0.1:%%PORT%%;'
                 . 'client_max_body_size 3m; location / { return 204; } }');
        ok($t->reload(wait => 1), 'reload without it');
        is($t->get('/')->{status}, 204, 'serves');
        $t->{module} = $module;
        conf($t, 'wacrm_spool %%DIR%%/spool size=16m;');
        ok($t->reload(wait => 1), 'reload with it');
    }

    # a configuration that fails half-way leaves nothing behind
    $t->allow(qr/invalid number of arguments/);
    conf($t, 'wacrm_spool %%DIR%%/spool size=16m;', 'client_max_body_size;');
    kill 'HUP', $t->pid;
    ok($t->wait_log(qr/invalid number of arguments/), 'a bad reload');
    $t->{module} = '-';
    $t->http('client_max_body_size 2m; server { listen 127.0.0.1:%%PORT%%;'
             . 'location / { return 204; } }');
    ok($t->reload(wait => 1), 'then one without the module');
    is($t->get('/')->{status}, 204, 'serves');
}
$t->finish;

# ---- other ways to run ----

$t = new('wacrm_spool %%DIR%%/spool size=16m;', master => 'off');
$t->start;
is(post($t)->{status}, 200, 'master_process off') for 1 .. 3;
is($t->get('/healthz')->{status}, 200, 'healthy');
is(scalar(() = $t->spool_dump($t->path('spool'))), 3, 'all stored');

# no nginx serves after a reload without a master, but it ends well
kill 'HUP', $t->pid;
ok($t->wait_log(qr/reconfiguring$/m), 'reload');
sleep 0.2;
$t->finish;

SKIP: {
    skip 'needs root and the user nobody', 4
        unless $> == 0 && getpwnam('nobody');
    $t = Wacrm::Nginx->new(user => 'nobody');
    $t->write('secret', $secret);
    conf($t, 'wacrm_spool %%DIR%%/var/spool size=16m;');
    mkdir $t->path('var') or die;
    chown +(getpwnam 'nobody')[2, 3], $t->path('var');
    $t->start;

    my $reach = 0;
    $t->wait_for(sub {
        $reach = $t->get('/healthz')->{status} == 200;
        $reach || $t->log =~ /cannot be opened/;
    });
    SKIP: {
        $t->allow(qr/cannot be opened/) unless $reach;
        skip 'the user nobody cannot reach this directory', 3 unless $reach;
        is(post($t)->{status}, 200, 'workers of another user');
        my @st = stat $t->path('var/spool/data.mdb');
        is($st[4], (getpwnam 'nobody')[2], 'the files are theirs');
        is($st[2] & 0777, 0660, 'and open to the group');
    }
    $t->finish;
}

$t = new('wacrm_spool %%DIR%%/spool size=16m;', workers => 2);
$t->http(<<'EOC');
    wacrm_spool %%DIR%%/spool size=16m;
    proxy_cache_path %%DIR%%/cache keys_zone=c:1m;
    server { listen 127.0.0.1:%%PORT%%; location / { wacrm_health; } }
EOC
$t->start;
is($t->get('/')->{status}, 200, 'with cache processes beside the workers');
$t->finish;

done_testing();
