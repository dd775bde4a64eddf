#!/usr/bin/env perl
# The switch that turns sign-in off (G43): what it opens, and what it does not.
# The seed's two tests as they stand in it, without a token.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $open = sub { s/wacrm_jwt wacrm;/wacrm_jwt off;/g or die 'no wacrm_jwt' };
my $send = { phone => '081234567890', type => 'text', message => 'Test' };

# ---- off, whatever nginx lets through ----

my $d = Wacrm::Desk->new(nginx => $open)->start;
for my $call ([GET => 'inbox'], [POST => 'messages/send', json => $send]) {
    my ($method, $path, @body) = @$call;
    is($d->api($method => "/api/crm/$path", @body)->{status}, 401,
        "$path: nobody without a token");
}
unlike($d->log, qr/SIGN-IN IS OFF/, 'and nothing is off');
$d->wacrmd_stop;

# ---- on ----

my $conf = $d->{nginx}->read('wacrmd.conf');
sub configure {
    my ($who) = @_;
    local $_ = $conf;
    s/^\[wacrmd\]$/[wacrmd]\ndevelopment = on/m or die;
    s/^\[auth\]$/[auth]\nwithout_sign_in = $who/m or die;
    $d->{nginx}->write('wacrmd.conf', $_);
}
configure('cs1@test.example');
$d->wacrmd_start;
like($d->log, qr/ warn main .*SIGN-IN IS OFF.*agent="?cs1\@test\.example/,
    'it is said loudly');

my $r = $d->api(POST => '/api/crm/messages/send', json => $send);
is($r->{status}, 200, 'can send a message');
ok($r->{json}{success}, 'success');
$r = $d->api(GET => '/api/crm/inbox');
is($r->{status}, 200, 'can get conversations');
is(ref $r->{json}{conversations}, 'ARRAY', 'they are there');
is($d->sql("SELECT u.email FROM audit a JOIN users u ON u.id = a.user_id"
    . " WHERE a.action LIKE 'message%' LIMIT 1"), 'cs1@test.example',
    'the audit says who');
is($d->api(GET => '/api/crm/audit')->{status}, 403, 'no more than that agent');

# ---- what stays shut ----

for my $host ('crm.example.org', '10.0.0.1', 'localhost.example.org') {
    is($d->api(GET => '/api/crm/inbox', headers => { Host => $host })
        ->{status}, 401, "not by the name $host");
}
is($d->api(GET => '/api/crm/inbox', headers => { Host => 'localhost:80' })
    ->{status}, 200, 'but by localhost');
is($d->api(GET => '/api/crm/inbox', headers => { 'X-Wacrm-User' => 1 })
    ->{json}{conversations} ? 1 : 0, 1, 'a header makes nobody another');
is($d->api(GET => '/api/crm/audit', headers => { 'X-Wacrm-User' => 1 })
    ->{status}, 403, 'nor an admin');
$d->change("UPDATE users SET active = 0 WHERE email = 'cs1\@test.example'");
is($d->api(GET => '/api/crm/inbox')->{status}, 401, 'nor one who was disabled');

$d->wacrmd_stop;
configure('nobody@test.example');
$d->wacrmd_start;
is($d->api(GET => '/api/crm/inbox')->{status}, 401, 'nor one there is not');
$d->allow(qr/warn http .*no such agent/);
$d->done;
