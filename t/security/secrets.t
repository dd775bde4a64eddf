#!/usr/bin/env perl
# Where a secret or a donor's word may not turn up: in the list of processes,
# in metrics, in what is answered when something breaks, in a core. And no text
# of a stranger's makes a line of its own in a log. (Logs after a busy day:
# t/sanity_logs.t.)

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;

# else there may be nothing that wacrmd could forgo
system('prlimit', '--pid', $$, '--core=unlimited');
my $cores = bytes("/proc/$$/limits") =~ /^Max core file size +(?!0 )/m;

my $d = Wacrm::Desk->new(nginx_options => { level => 'info' })->start;
$d->allow(qr/ error (?:db|http) /);
$d->allow(qr/client sent invalid/);
my %secret = (
    'secret of the webhook' => 'webhook-secret-of-the-test',
    'secret of the tokens' => 'jwt-secret-of-the-test',
    'password' => $Wacrm::Desk::PASSWORD,
    'gateway password' => $Wacrm::Desk::GATEWAY_PASSWORD,
    'bearer of the gateway' => 'bearer-of-the-simulator',
    'secret of the sockets' => $Wacrm::Desk::APP_SECRET,
    'text' => 'RAHASIA-TEKS', 'name' => 'RAHASIA-NAMA',
    'search' => 'RAHASIA-CARI',
    'phone' => '6281230009999',
);
my $r = $d->api(POST => '/api/auth/login', json => {
    email => 'admin@test.example', password => $Wacrm::Desk::PASSWORD });
my $token = $r->{json}{token};
$secret{'access token'} = (split /\./, $token)[2];
$secret{'refresh token'} = $r->{json}{refresh_token};
$d->event('message.received', { from => $secret{phone}, pushName =>
    'RAHASIA-NAMA', message => 'RAHASIA-TEKS', id => 'SECRET00000001',
    timestamp => time });
ok($d->applied, 'a donor has written');
$d->api(GET => '/api/crm/inbox?search=RAHASIA-CARI', token => $token);
$d->api(POST => '/api/crm/messages/send', token => $token, json => {
    phone => $secret{phone}, message => 'RAHASIA-TEKS' });

sub bytes {
    my ($path) = @_;
    open my $fh, '<:raw', $path or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

sub none_in {
    my ($what, $text, @but) = @_;
    for my $name (sort keys %secret) {
        next if grep { $_ eq $name } @but;
        is(index($text, $secret{$name}), -1, "$what: no $name");
    }
}

# ---- the list of processes ----

my @pids = ($d->wacrmd_pid, $d->{nginx}->pid, $d->{nginx}->workers);
cmp_ok(scalar @pids, '>=', 3, 'wacrmd, nginx and its worker');
for my $pid (@pids) {
    my $line = bytes("/proc/$pid/cmdline");
    ok(length $line, "$pid: " . $line =~ s/\0/ /gr);
    none_in("command line of $pid", $line);
    my $environ = bytes("/proc/$pid/environ");
    ok(-r "/proc/$pid/environ", "$pid: its environment may be read");
    none_in("environment of $pid", $environ);
}
# of each thread
my @tasks = glob '/proc/' . $d->wacrmd_pid . '/task/*/children';
cmp_ok(scalar @tasks, '>', 3, 'wacrmd has threads');
is(join(' ', map { bytes("/proc/$_/comm") } map { split ' ', bytes($_) }
    @tasks), '', 'and starts no program');
my ($rc, $out) = $d->ctl([qw(user passwd cs2@test.example kata-sandi-baru)],
    '');
isnt($rc, 0, 'wacrmctl takes no password as an argument');

# ---- cores ----

SKIP: {
    skip 'no core could come here', 1 if !$cores;
    like(bytes('/proc/' . $d->wacrmd_pid . '/limits'),
        qr/^Max core file size +0 /m, 'a crash of wacrmd leaves no core');
}
like(bytes('conf/nginx.conf'), qr/^worker_rlimit_core 0;/m,
    'nor does one of a worker');
like(bytes('conf/wacrmd.service'), qr/^LimitCORE=0$/m, 'nor by the unit');

# ---- metrics and health ----

for my $path (qw(/metrics /metrics/wacrmd /healthz /api/health)) {
    $r = $d->{nginx}->get($path);
    is($r->{status}, 200, $path);
    none_in($path, $r->{raw});
    unlike($r->{raw}, qr/\@test\.example|cs1\b/, "$path: no person");
}

# ---- what is said when something breaks ----

my $broken = qr{SELECT|INSERT|sqlite|no such|column|/\w+/\w+\.|\.c:\d|line \d
    |malloc|0x[0-9a-f]{6,}}xi;
$d->change('ALTER TABLE message_templates RENAME TO hidden_templates');
$d->change('ALTER TABLE notes RENAME TO hidden_notes');
for my $call ([GET => '/api/crm/templates'],
        [POST => "/api/crm/contacts/$secret{phone}/notes",
            { note => 'RAHASIA-TEKS' }]) {
    $r = $d->api(@$call[0, 1], token => $token,
        $call->[2] ? (json => $call->[2]) : ());
    is($r->{status}, 500, "$call->[1] is broken") or diag $r->{body};
    unlike($r->{body}, $broken, 'which is no one\'s business outside');
    none_in('the answer', $r->{raw});
    like($r->{headers}{'content-type'}, qr{^application/json}, 'as JSON');
}
$d->change('ALTER TABLE hidden_templates RENAME TO message_templates');
$d->change('ALTER TABLE hidden_notes RENAME TO notes');
for my $call ([GET => '/api/crm/inbox?limit=<script>alert(1)</script>'],
        [GET => '/api/crm/<script>alert(1)</script>'],
        [GET => '/<script>alert(1)</script>'],
        [GET => '/api/crm/inbox/%3Cscript%3E'],
        [POST => '/api/crm/messages/send', '<script>alert(1)</script>'],
        [POST => '/api/auth/login', '{"email":"<script>"}'],
        [POST => '/api/webhook/whatsapp', '<script>alert(1)</script>'],
        [DELETE => '/api/health'], [GET => '/api/crm/media/<svg>'],
        [GET => '/api/crm/search?q=%3Cscript%3E']) {
    $r = $d->api(@$call[0, 1], token => $token, defined $call->[2]
        ? (body => $call->[2], headers => { 'Content-Type' => 'text/html' })
        : ());
    my $shown = "$call->[0] " . substr $call->[1], 0, 30;
    like($r->{headers}{'content-type'}, qr{^application/json},
        "$shown: no page, whatever is in it ($r->{status})")
        if $call->[1] =~ m{^/api/};
    unlike($r->{body}, qr/<script>alert|<svg>/, "$shown: does not come back");
    is($r->{headers}{'x-content-type-options'}, 'nosniff',
        "$shown: nor is one made of it");
    unlike($r->{raw}, qr/^Server: \S*\d/m, "$shown: no version told");
    unlike($r->{body}, $broken, "$shown: no inside told");
}
$r = $d->api(GET => '/api/crm/export/donors.csv', token => $token);
is("$r->{status} $r->{headers}{'x-content-type-options'}", '200 nosniff',
    'a table is a table');

# ---- lines of their own ----

my $forged = '2026-01-01T00:00:00.000Z error forged msg=FORGED';
for my $break ("\n", "\r\n", "\r", "\x1b[2K\x1b[1A", "\x{2028}", "\x{85}",
        "\0", "\x08" x 9, '\\n', "\" ") {
    my $text = "x$break$forged";
    utf8::encode($text);
    my $coded = $text =~ s/([^\w.:-])/sprintf '%%%02X', ord $1/ger;
    my $same = $text =~ s/[\r\n\0]/?/gr;
    $d->api(POST => '/api/auth/login', json => { email => $text,
        password => $text });
    $d->api(POST => '/api/auth/refresh', json => { refresh_token => $text });
    $d->api(GET => "/api/crm/$coded?$coded=$coded", token => $token,
        headers => { 'X-Session-Id' => $same, 'User-Agent' => $same,
            'Idempotency-Key' => $same });
    $d->api(GET => "/api/crm/inbox?session_id=$coded&search=$coded",
        token => $token);
    $d->api(POST => '/api/crm/whatsapp/sessions', token => $token,
        json => { session_name => $text });
    $d->webhook({ event => $text, data => { from => $text, id => $text } });
    $d->event('message.received', { from => '6281230009998', pushName =>
        $text, message => $text, id => $text, type => $text,
        sessionId => $text, timestamp => $text });
    $d->event('message.status', { id => $text, status => $text });
    $d->event('session.status', { sessionId => $text, status => $text });
    $d->api(GET => '/api/crm/inbox', token => $text =~ s/[\r\n]//gr);
}
ok($d->applied, 'all of it is applied');
my @lines = split /\n/, $d->log;
cmp_ok(scalar @lines, '>', 30, 'wacrmd has talked');
my @odd = grep { !/^20\d\d-\d\d-\d\dT[\d:.]+Z (?:error|warn|info|debug) \w+ /
    || /^2026-01-01T00:00:00\.000Z/ } @lines;
is($odd[0], undef, 'each line of wacrmd is its own');
@odd = grep { /[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]/ }
    @lines;
is($odd[0], undef, 'and without control characters');
@lines = split /\n/, $d->{nginx}->log;
cmp_ok(scalar @lines, '>', 5, 'nginx has talked');
@odd = grep { !m{^20\d\d/\d\d/\d\d [\d:]+ \[\w+\] } } @lines;
is($odd[0], undef, 'so is each line of nginx');

$d->done;
