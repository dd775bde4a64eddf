#!/usr/bin/env perl
# Who may come in, and how long: sign-in, refresh, sign-out, passwords, rates,
# and that a token says who somebody is but not what they may.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Jwt;

my $LOGINS = 60; # a minute and network
my $SECRET = 'jwt-secret-of-the-test-0000000001';
my $PASSWORD = $Wacrm::Desk::PASSWORD;

my $d = Wacrm::Desk->new(nginx => sub {
    s/(zone=login:1m +rate)=60r\/m burst=200/$1=${LOGINS}r\/m/
        or die 'no zone login';
    s/(zone=send:1m +rate)=30r/$1=3r/ or die 'no zone send' })->start;

sub login {
    my ($email, $password, %more) = @_;
    return $d->api(POST => '/api/auth/login',
        json => { email => $email, password => $password, %more });
}

sub refresh {
    return $d->api(POST => '/api/auth/refresh',
        json => { refresh_token => $_[0] });
}

sub me { $d->api(GET => '/api/auth/me', token => $_[0]) }
sub inbox { $d->api(GET => '/api/crm/inbox', token => $_[0]) }

# The edge says so by itself, or wacrmd does; there may be no moment between.
sub refused {
    my ($token, $what) = @_;
    my $r = me($token);
    is($r->{status}, 401, $what);
    is_deeply($r->{json}, { message => 'Unauthenticated.' }, "$what: body");
}

# ---- signing in ----

my $r = login('CS1@Test.Example', $PASSWORD);
is($r->{status}, 200, 'sign-in, whatever the case of the address');
my %s = %{$r->{json}};
is($s{success}, JSON::PP::true, 'success');
is($s{token_type}, 'Bearer', 'token_type');
is($s{expires_in}, 12 * 3600, 'a working day');
like($s{refresh_token}, qr/^[\w-]{43,}$/, 'a refresh token of 256 bits');
is_deeply($s{user}, { id => $s{user}{id}, name => 'Cs1', role => 'cs',
    email => 'cs1@test.example', active_session_id => undef }, 'the user');
is($r->{headers}{'cache-control'}, 'no-store', 'no cache keeps it');
my (undef, $payload) = split /\./, $s{token};
my $claims = JSON::PP->new->decode(MIME::Base64::decode_base64url($payload));
is_deeply([sort keys %$claims], [sort qw(iss aud sub iat exp jti role
    token_use)], 'the claims');
is($claims->{sub}, "$s{user}{id}", 'sub is the user id, a string');
is($claims->{token_use}, 'access', 'token_use');
is_deeply(me($s{token})->{json}, { success => JSON::PP::true,
    user => $s{user} }, '/api/auth/me');

for (['cs1@test.example', 'salah-sekali'], ['nobody@test.example', $PASSWORD],
     ['cs1@test.example', "$PASSWORD "], ['', $PASSWORD]) {
    $r = login(@$_);
    next if $_->[0] eq '' && is($r->{status}, 422, 'no address: 422');
    is($r->{status}, 401, "$_->[0], $_->[1]: 401");
    is_deeply($r->{json}, { message => 'Invalid credentials.' },
        'one body for a wrong name and a wrong password');
}

# ---- 422 ----

$r = $d->api(POST => '/api/auth/login', json => {});
is($r->{status}, 422, 'nothing: 422');
is_deeply([sort keys %{$r->{json}}], [qw(errors message)], 'its shape');
is_deeply([sort keys %{$r->{json}{errors}}], [qw(email password)],
    'both fields');
is($r->{json}{message}, $r->{json}{errors}{email}[0], 'the first error');
is($d->api(POST => '/api/auth/login', json => { email => 7, password => [] })
    ->{status}, 422, 'no strings: 422');
for my $bad ('{"email":', '[1]', '"x"', '{"email":"a\u0000b"}') {
    $r = $d->api(POST => '/api/auth/login', body => $bad,
        headers => { 'Content-Type' => 'application/json' });
    is($r->{status}, 400, "no JSON object: 400 ($bad)");
}
is($d->api(GET => '/api/auth/login')->{status}, 405, 'GET: 405');

# ---- refresh: once, and a family ----

$r = refresh($s{refresh_token});
is($r->{status}, 200, 'refresh');
my %next = %{$r->{json}};
isnt($next{refresh_token}, $s{refresh_token}, 'a new refresh token');
is(me($next{token})->{status}, 200, 'the new access token is good');
my %other = %{login('cs1@test.example', $PASSWORD)->{json}};
is(refresh($s{refresh_token})->{status}, 401, 'used twice: 401');
is(refresh($next{refresh_token})->{status}, 401, 'and its family is revoked');
refused($next{token}, 'so are the access tokens of the family');
is(me($other{token})->{status}, 200, 'another sign-in is not concerned');
# An answer that was lost: who asked for it with a key asks again.
my %lost = %{login('cs2@test.example', $PASSWORD)->{json}};
my $keyed = sub {
    $d->api(POST => '/api/auth/refresh', json => { refresh_token => $_[0] },
        headers => { 'Idempotency-Key' => $_[1] });
};
my $key = 'k' x 32;
is($keyed->($lost{refresh_token}, $_)->{status}, 422, 'a key of a wrong length')
    for 'k' x 31, 'k' x 129;
my $first = $keyed->($lost{refresh_token}, $key)->{json};
my $again = $keyed->($lost{refresh_token}, $key)->{json};
is($again->{refresh_token}, $first->{refresh_token},
    'asked again with the same key: the same refresh token');
isnt($again->{token}, $first->{token}, 'with another access token');
refused($first->{token}, 'the lost one is revoked');
is(me($again->{token})->{status}, 200, 'the other one is good');
is(scalar $d->sql("SELECT count(*) FROM refresh_tokens t, users u "
    . "WHERE u.id = t.user_id AND u.email = 'cs2\@test.example' "
    . 'AND used_at IS NULL AND revoked_at IS NULL'), 1, 'there is one pair');
$r = $keyed->($again->{refresh_token}, 'm' x 32);
is($r->{status}, 200, 'it goes on from there');
is($keyed->($lost{refresh_token}, $key)->{status}, 401,
    'once that has been used, the key is worth nothing');
refused($r->{json}{token}, 'and the whole sign-in ends');
%lost = %{login('cs2@test.example', $PASSWORD)->{json}};
$first = $keyed->($lost{refresh_token}, $key)->{json};
is($keyed->($lost{refresh_token}, 'l' x 32)->{status}, 401,
    'another key is another one\'s');
is(refresh($first->{refresh_token})->{status}, 401, 'which ends it, too');
is(refresh($_)->{status}, 401, 'no such token') for 'x', 'A' x 43;
is($d->api(POST => '/api/auth/refresh', json => {})->{status}, 422,
    'none: 422');
is(scalar(grep { $_->[0] eq $other{refresh_token} }
    $d->sql('SELECT token_hash FROM refresh_tokens')), 0,
    'none is stored as it is');
$d->change('UPDATE refresh_tokens SET expires_at = 1 WHERE used_at IS NULL'
    . ' AND revoked_at IS NULL');
is(refresh($other{refresh_token})->{status}, 401, 'an expired one: 401');

my $shared = login('supervisor@test.example', $PASSWORD)->{json}{refresh_token};
my @racers = map {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    POSIX::_exit(refresh($shared)->{status} == 200) if !$pid;
    $pid;
} 1 .. 8;
my $winners = 0;
for (@racers) {
    waitpid $_, 0;
    $winners++ if $?;
}
is($winners, 1, 'eight at once with one refresh token: one is served');

# ---- sign-out ----

%s = %{login('cs1@test.example', $PASSWORD)->{json}};
is($d->api(POST => '/api/auth/logout', token => $s{token})->{json}{message},
    'Logged out', 'sign-out');
refused($s{token}, 'the token is refused at once');
is(refresh($s{refresh_token})->{status}, 401, 'so is the refresh token');
my $metric = $d->{nginx}->metrics;
my ($revoked) = map { $metric->{$_} } grep { /jwt.*revoked/ } keys %$metric;
cmp_ok($revoked || 0, '>', 0, 'by the edge');
is(me($other{token})->{status}, 200, 'other sign-ins go on');

# ---- a new password ----

my ($rc, $out) = $d->ctl([qw(user passwd cs2@test.example)], "sandi-baru-1\n");
is($rc, 0, 'a new password') or diag($out);
%s = %{login('cs2@test.example', 'sandi-baru-1')->{json}};
sleep 1.1 - (time - int time); # not_before counts whole seconds
($rc) = $d->ctl([qw(user passwd cs2@test.example)], "sandi-baru-2\n");
refused($s{token}, 'it ends what was signed in before');
is(refresh($s{refresh_token})->{status}, 401, 'refresh tokens, too');
is(login('cs2@test.example', 'sandi-baru-1')->{status}, 401,
    'the old one is wrong');
$r = login('cs2@test.example', 'sandi-baru-2');
is($r->{status}, 200, 'the new one is right');
is(me($r->{json}{token})->{status}, 200, 'and gives a good token at once');

# ---- disabled ----

%s = %{login('cs2@test.example', 'sandi-baru-2')->{json}};
$d->change("UPDATE users SET active = 0 WHERE email = 'cs2\@test.example'");
refused($s{token}, 'of one who is disabled');
is(login('cs2@test.example', 'sandi-baru-2')->{status}, 401, 'no sign-in');
is(refresh($s{refresh_token})->{status}, 401, 'no refresh');
($rc, $out) = $d->ctl([qw(token cs2@test.example)]);
is($rc, 1, 'no token by wacrmctl');
$d->change("UPDATE users SET active = 1 WHERE email = 'cs2\@test.example'");

# ---- tokens of other makes ----

my $cs1 = $d->sql("SELECT id FROM users WHERE email = 'cs1\@test.example'");
my @good = (iss => 'wacrm', aud => 'wacrm', sub => "$cs1", role => 'cs',
    token_use => 'access', jti => 'made-by-hand');
my $make = sub { hs_token($_[1] || $SECRET, claims(@good, %{$_[0] || {}})) };
is(me($make->())->{status}, 200, 'a good one');
refused($make->({ exp => time - 120 }), 'expired');
refused($make->({ exp => undef }), 'no exp');
refused($make->({ iss => 'x' }), 'another issuer');
refused($make->({ aud => 'x' }), 'another audience');
refused($make->({}, 'y' x 33), 'another key');
refused($make->({ sub => '999999' }), 'nobody');
refused($make->({ sub => 'x' }), 'no number');
refused($make->({ jti => undef }), 'no jti');
refused('', 'empty');
refused('null', 'Bearer null');

# ---- the role is the database's ----

for my $session (qw(demo kantor)) {
    $d->event('message.received', { from => '6281211111111', message => 'x',
        sessionId => $session, id => "ROLE$session", timestamp => time });
}
ok($d->applied, 'a chat of a session that is not of cs1');
my $chat = $d->sql('SELECT max(id) FROM chats');
my $boss = $make->({ role => 'admin' });
is(me($boss)->{json}{user}{role}, 'cs', 'a token that says admin is a CS');
is($d->api(GET => "/api/crm/inbox/$chat", token => $boss)->{status}, 404,
    'who sees no more than a CS');
$d->change("UPDATE users SET role = 'supervisor' WHERE id = $cs1");
is($d->api(GET => "/api/crm/inbox/$chat", token => $make->())->{status}, 200,
    'a new role counts at the next request');
$d->change("UPDATE users SET role = 'cs' WHERE id = $cs1");
is($d->api(GET => "/api/crm/inbox/$chat", token => $make->())->{status}, 404,
    'and so does losing it');

# ---- the edge alone says who it is ----

my $admin = $d->sql("SELECT id FROM users WHERE role = 'admin'");
$r = $d->api(GET => '/api/auth/me', token => $make->(), headers => {
    'X-Wacrm-User' => $admin, 'x-wacrm-token-id' => 'a', 'X-WACRM-Role' =>
    'admin' });
is($r->{json}{user}{id}, $cs1, 'X-Wacrm- headers of a client are taken away');
is($d->api(GET => '/api/auth/me', headers => { 'X-Wacrm-User' => $admin,
    'X-Wacrm-Token-Id' => 'a', 'X-Wacrm-Token-Exp' => '99999999999' })
    ->{status}, 401, 'without a token, too');

# ---- what is revoked stays revoked ----

%s = %{login('cs1@test.example', $PASSWORD)->{json}};
$d->api(POST => '/api/auth/logout', token => $s{token});
refused($s{token}, 'signed out');
$d->wacrmd_kill;
$d->{nginx}->stop;
$d->{nginx}->start;
$d->wacrmd_start;
refused($s{token}, 'after both were started again');
$d->wacrmd_stop;
$d->{nginx}->stop;
rename "$d->{dir}/spool", "$d->{dir}/spool.old" or die $!;
$d->wacrmd_start;
$d->{nginx}->start;
refused($s{token}, 'over a new spool');
($rc) = $d->ctl(['backup', "$d->{dir}/before.db"]);
%s = %{login('cs1@test.example', $PASSWORD)->{json}};
$d->api(POST => '/api/auth/logout', token => $s{token});
$d->wacrmd_stop;
($rc, $out) = $d->ctl(['restore', "$d->{dir}/before.db"]);
is($rc, 0, 'a database of before') or diag($out);
$d->wacrmd_start;
refused($s{token}, 'after it was restored');
$chat = $d->sql("SELECT max(id) FROM chats");

# ---- rates ----

my @sends = map { $d->api(POST => '/api/crm/messages/send', token => $make->(),
    json => { phone => '6281211111111', message => "kirim $_" }) } 1 .. 4;
is(scalar(grep { $_->{status} == 200 } @sends[0 .. 2]), 3, 'three sends');
$r = $sends[3];
is($r->{status}, 429, 'the fourth in a minute: 429');
is_deeply($r->{json}, { message => 'Too many messages. Please wait.' },
    'its body');
is($d->api(POST => '/api/crm/messages/1/retry', token => $make->())->{status},
    429, 'retry has the same bucket');
is(inbox($make->())->{status}, 200, 'reading has none');

for (1 .. $LOGINS + 5) {
    $r = $d->api(POST => '/api/auth/login', json => {});
    last if $r->{status} == 429;
}
is($r->{status}, 429, 'sign-ins from one network are limited');
is(refresh('x')->{status}, 401, 'who refreshes is not held up by that');
my $log = () = $d->log =~ /"?sign-in refused"?/g;
$r = login('cs1@test.example', $PASSWORD);
is($r->{status}, 429, 'also with the right password');
is($log, scalar(() = $d->log =~ /"?sign-in refused"?/g), 'before any hashing');
is_deeply($r->{json}, { message => 'Too many attempts. Please wait.' },
    'its body');
like($r->{headers}{'content-type'}, qr/json/, 'in JSON');
my %h = %{$r->{headers}};
is($h{'x-ratelimit-limit'}, $LOGINS, 'X-RateLimit-Limit');
is($h{'x-ratelimit-remaining'}, 0, 'X-RateLimit-Remaining');
like($h{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After');
cmp_ok($h{'x-ratelimit-reset'} || 0, '>=', int(time), 'X-RateLimit-Reset');
like($h{'ratelimit-policy'}, qr/^"login";q=$LOGINS;w=60$/, 'RateLimit-Policy');
like($h{ratelimit}, qr/^"login";r=0;t=\d+$/, 'RateLimit');
is(me($make->())->{status}, 200, 'who is signed in goes on');

$d->done;
