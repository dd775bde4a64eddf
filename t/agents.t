#!/usr/bin/perl

# Agents: seen by all, added and changed by administrators; a password and an
# end revoke what was given out; the last administrator stays.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(nginx => sub {
    s/rate=10r\/m/rate=1000r\/m/; # of sign-ins
})->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my $PASSWORD = $Wacrm::Desk::PASSWORD;

sub call {
    my ($who, $method, $path, $json) = @_;
    return $d->api($method => "/api/crm/agents$path", token => $token{$who},
        defined $json ? (json => $json) : ());
}

sub sign_in {
    my ($email, $password) = @_;
    return $d->api(POST => '/api/auth/login',
        json => { email => $email, password => $password });
}

my $r = call('cs1', GET => '');
is($r->{status}, 200, 'an agent sees the others');
my %agent = map { $_->{email} => $_ } @{$r->{json}{data}};
is(join(' ', sort keys %agent), join(' ', map { "$_\@test.example" }
    qw(admin cs1 cs2 supervisor)), 'all of them');
is_deeply([sort keys %{$agent{'cs1@test.example'}}],
    [qw(active created_at email id name role)], 'and no hash');

# ---- adding ----

my %new = (name => 'Dewi', email => 'Dewi@Test.example', role => 'cs',
    password => 'kata-sandi-dewi');
is(call($_, POST => '', \%new)->{status}, 403, "$_ adds nobody")
    for qw(cs1 supervisor);
$r = call('admin', POST => '', \%new);
is($r->{status}, 201, 'an administrator does') or diag $r->{body};
is($r->{json}{data}{email}, 'dewi@test.example', 'in lower case');
is($r->{json}{data}{active}, JSON::PP::true, 'active');
my $dewi = $r->{json}{data}{id};
is(sign_in('dewi@test.example', 'kata-sandi-dewi')->{status}, 200,
    'who signs in');
$r = call('admin', POST => '', \%new);
is_deeply($r->{json}{errors}, { email => ['The email has already been taken.'] },
    'an address is taken once');
for my $c ([name => ''], [name => 'x' x 300], [email => 'no address'],
           [email => undef], [role => 'boss'], [role => undef],
           [password => 'short'], [password => 8]) {
    my ($field, $value) = @$c;
    $r = call('admin', POST => '',
        { %new, email => 'lain@test.example', $field => $value });
    is($r->{status}, 422, "$field is refused");
    is_deeply([keys %{$r->{json}{errors}}], [$field], 'by its name');
}

# ---- changing ----

is(call($_, PATCH => "/$dewi", { name => 'X' })->{status}, 403,
    "$_ changes nobody") for qw(cs1 supervisor);
is(call('admin', PATCH => "/$_", { name => 'X' })->{status}, 404,
    "no agent $_") for qw(9999 0 x -1);
$r = call('admin', PATCH => "/$dewi",
    { name => 'Dewi Lestari', role => 'supervisor' });
is_deeply([$r->{status}, @{$r->{json}{data}}{qw(name role)}],
    [200, 'Dewi Lestari', 'supervisor'], 'name and role');
for my $c ([name => ''], [name => 7], [role => 'boss'], [active => 'yes'],
           [password => 'short']) {
    my ($field, $value) = @$c;
    is(call('admin', PATCH => "/$dewi", { $field => $value })->{status}, 422,
        "$field is refused");
}

$r = sign_in('dewi@test.example', 'kata-sandi-dewi');
my ($old, $refresh) = @{$r->{json}}{qw(token refresh_token)};
is($d->api(GET => '/api/auth/me', token => $old)->{status}, 200, 'signed in');
is(call('admin', PATCH => "/$dewi", { password => 'kata-sandi-baru' })
    ->{status}, 200, 'a new password');
ok($d->wait_for(sub {
    $d->api(GET => '/api/auth/me', token => $old)->{status} == 401;
}), 'ends what was given out');
is($d->api(POST => '/api/auth/refresh', json => { refresh_token => $refresh })
    ->{status}, 401, 'and what renews it');
is(sign_in('dewi@test.example', 'kata-sandi-dewi')->{status}, 401,
    'the old one is wrong');
sleep 1; # a token of the second of its revocation is revoked, too
my $again = sign_in('dewi@test.example', 'kata-sandi-baru');
is($again->{status}, 200, 'the new one is right');

is(call('admin', PATCH => "/$dewi", { active => JSON::PP::false })
    ->{json}{data}{active}, JSON::PP::false, 'switched off');
ok($d->wait_for(sub {
    $d->api(GET => '/api/auth/me', token => $again->{json}{token})
        ->{status} == 401;
}), 'is out at once');
is(sign_in('dewi@test.example', 'kata-sandi-baru')->{status}, 401,
    'and stays out');
call('admin', PATCH => "/$dewi", { active => JSON::PP::true });
sleep 1;
is(sign_in('dewi@test.example', 'kata-sandi-baru')->{status}, 200,
    'until switched on');

# ---- out everywhere ----

is(call($_, POST => "/$dewi/logout")->{status}, 403, "$_ signs nobody out")
    for qw(cs1 supervisor);
is(call('admin', POST => "/$_/logout")->{status}, 404, "no agent $_")
    for qw(9999 0 x);
my $dewis = sign_in('dewi@test.example', 'kata-sandi-baru')->{json};
is(call('admin', POST => "/$dewi/logout")->{json}{data}{id}, $dewi,
    'an administrator does');
ok($d->wait_for(sub {
    $d->api(GET => '/api/auth/me', token => $dewis->{token})->{status} == 401;
}), 'who is out');
is($d->api(POST => '/api/auth/refresh',
    json => { refresh_token => $dewis->{refresh_token} })->{status}, 401,
    'and cannot go on');
$dewis = sign_in('dewi@test.example', 'kata-sandi-baru')->{json};
is($d->api(POST => "/api/crm/agents/$dewi/logout", token => $dewis->{token})
    ->{status}, 200, 'oneself, too');
ok($d->wait_for(sub {
    $d->api(GET => '/api/auth/me', token => $dewis->{token})->{status} == 401;
}), 'is out');
is($d->sql("SELECT count(*) FROM audit WHERE action = 'user.logout'"
    . " AND object_id = $dewi"), 2, 'noted');

# ---- a password of one's own ----

sub new_password {
    my ($token, $now, $new) = @_;
    return $d->api(POST => '/api/auth/password', token => $token,
        json => { current_password => $now, password => $new });
}

$dewis = sign_in('dewi@test.example', 'kata-sandi-baru')->{json};
is_deeply(new_password($dewis->{token}, @{$_->[0]})->{json}{errors},
    { $_->[1] => [$_->[2]] }, "$_->[1]: $_->[2]")
    for [['kata-sandi-salah', 'kata-sandi-ketiga'], 'current_password',
            'The current password is incorrect.'],
        [['kata-sandi-baru', 'short'], 'password',
            'The password field must be at least 8 characters.'],
        [['kata-sandi-baru', 'x' x 501], 'password',
            'The password field must not be greater than 500 bytes.'],
        [['kata-sandi-baru', undef], 'password',
            'The password field is required.'],
        [[undef, 'kata-sandi-ketiga'], 'current_password',
            'The current_password field is required.'];
is($d->api(GET => '/api/auth/me', token => $dewis->{token})->{status}, 200,
    'nothing has changed');
$r = new_password($dewis->{token}, 'kata-sandi-baru', 'kata-sandi-ketiga');
is($r->{status}, 200, 'changed') or diag $r->{body};
ok($d->wait_for(sub {
    $d->api(GET => '/api/auth/me', token => $dewis->{token})->{status} == 401;
}), 'the old sign-in has ended');
is($d->api(GET => '/api/auth/me', token => $r->{json}{token})->{status}, 200,
    'the one that was given goes on');
is($d->api(POST => '/api/auth/refresh',
    json => { refresh_token => $dewis->{refresh_token} })->{status}, 401,
    'the old refresh token does not');
is(sign_in('dewi@test.example', 'kata-sandi-baru')->{status}, 401,
    'the old password is wrong');
is(sign_in('dewi@test.example', 'kata-sandi-ketiga')->{status}, 200,
    'the new one is right');

# ---- the last administrator ----

my $admin = $agent{'admin@test.example'}{id};
for my $change ({ role => 'cs' }, { active => JSON::PP::false }) {
    $r = call('admin', PATCH => "/$admin", $change);
    is_deeply([$r->{status}, $r->{json}{code}], [409, 'last_admin'],
        'the last administrator stays: ' . join ' ', keys %$change);
}
is($d->sql("SELECT role FROM users WHERE id = $admin"), 'admin', 'unchanged');
call('admin', PATCH => "/$dewi", { role => 'admin' });
is(call('admin', PATCH => "/$admin", { role => 'cs' })->{status}, 200,
    'one of two may go');
is(call('admin', PATCH => "/$admin", { role => 'admin' })->{status}, 403,
    'and may no more');

unlike($d->log, qr/kata-sandi/, 'no password in the log');
$d->done;
