#!/usr/bin/env perl
# What a role may not do: every operation that docs/openapi.yaml gives a 403 is
# called by each lesser role. A new one that is not known here fails the test,
# and so does one that daemon/http/routes.c keeps for administrators alone, and
# one that writes and is for nobody in particular. Then the ways round it:
# members that nobody asked for, roles in tokens. At the end each is called by
# the least role that may.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::File;
use Wacrm::Jwt;

my $d = Wacrm::Desk->new(wacrmd => sub {
    s{^;public_url *=.*}{public_url = https://crm.test.example}m;
    s/^welcome = on/welcome = off/m or die 'no welcome';
})->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my %user = map { $_->[0] => $_->[1] + 0 }
    $d->sql("SELECT substr(email, 1, instr(email, '\@') - 1), id FROM users");
my $PHONE = '6281230000001';
$d->event('message.received', { from => $PHONE, message => 'halo',
    id => 'ROLES000000001', timestamp => time });
ok($d->applied, 'a donor');

# the least role, its path, what is sent
my %known = (
    'post /api/crm/agents' => ['admin', undef, { name => 'Z', role => 'admin',
        email => 'z@test.example', password => 'sandi-panjang' }],
    'patch /api/crm/agents/{id}' => ['admin', "agents/$user{cs1}",
        { role => 'admin' }],
    'post /api/crm/agents/{id}/logout' => ['admin',
        "agents/$user{cs2}/logout", {}],
    'get /api/crm/audit' => ['admin'],
    'post /api/crm/contacts/merge' => ['supervisor', undef,
        { from => $PHONE, into => '6281230000002' }],
    'delete /api/crm/contacts/{phone}' => ['admin', "contacts/$PHONE",
        { confirm => $PHONE }],
    'post /api/crm/contacts/{phone}/consent' => ['supervisor',
        "contacts/$PHONE/consent", { state => 'opt_in', note => 'x' }],
    'get /api/crm/contacts/{phone}/export' => ['admin',
        "contacts/$PHONE/export"],
    'get /api/crm/export/donations.csv' => ['supervisor'],
    'get /api/crm/export/donors.csv' => ['supervisor'],
    'post /api/crm/import' => ['admin', undef, {}],
    'get /api/crm/merges' => ['supervisor'],
    'post /api/crm/merges/{id}/undo' => ['supervisor', 'merges/1/undo', {}],
    (map { ("get /api/crm/reports/$_" => ['supervisor']) }
        qw(lybunt retention rfm sybunt)),
    'post /api/crm/templates' => ['supervisor', undef, { name => 'z',
        content => 'Halo' }],
    'put /api/crm/templates/{id}' => ['supervisor', 'templates/1',
        { name => 'z', content => 'Halo' }],
    'delete /api/crm/templates/{id}' => ['supervisor', 'templates/1'],
    'post /api/crm/whatsapp/connect' => ['admin', undef,
        { session_name => 'z', gateway => 'main' }],
    'patch /api/crm/contacts/{phone}' => ['supervisor', "contacts/$PHONE",
        { vip => JSON::PP::true }],
    'patch /api/crm/whatsapp/sessions/{sessionId}' => ['supervisor',
        'whatsapp/sessions/demo', { user_id => $user{cs1} }],
    'delete /api/crm/whatsapp/sessions/{sessionId}' => ['supervisor',
        'whatsapp/sessions/demo'],
    'post /api/crm/whatsapp/sessions/{sessionId}/backfill' => ['supervisor',
        'whatsapp/sessions/demo/backfill', {}],
    'put /api/crm/whatsapp/sessions/{sessionId}/members' => ['supervisor',
        'whatsapp/sessions/demo/members', { user_ids => [$user{cs1}] }],
    'post /api/crm/whatsapp/sessions/{sessionId}/reconnect' => ['supervisor',
        'whatsapp/sessions/demo/reconnect', {}],
);
# a 403 that no role is the cause of
my %others = ('get /api/webhook/whatsapp' => 'the word of the handshake',
    'get /app/{key}' => 'where the page comes from',
    'get /metrics' => 'the address: t/hostile_http.t',
    'get /metrics/wacrmd' => 'the address: t/hostile_http.t',
    'post /broadcasting/auth' => 'a channel of another');

# what writes, and asks for no role
my %anybody = map { $_ => 1 }
    (map { "post /api/auth/$_" } qw(login logout password refresh)),
    (map { "post /api/crm/contacts/{phone}/$_" }
        qw(donations notes reminders)),
    (map { "post /api/crm/inbox/{chatId}/$_" } qw(read star)),
    (map { "post /api/crm/messages/$_" } qw(quick-reply send template
        {id}/media/retry {id}/retry)),
    (map { "$_ /api/crm/messages/{id}" } qw(delete patch)),
    'patch /api/crm/reminders/{id}', 'post /api/crm/media',
    'post /api/crm/switch-session', 'post /api/crm/whatsapp/sessions',
    'post /broadcasting/auth';
# what writes, and is signed: no user is behind it
my %signed = map { $_ => 1 } 'post /api/webhook/whatsapp',
    map { "post /apps/{appId}/$_" } qw(batch_events events
        users/{userId}/terminate_connections);

# ---- the list is whole ----

my ($path, $op, %told, %writes) = ('', '');
for (split /\n/, slurp('docs/openapi.yaml')) {
    last if /^components:/;
    $path = $1 if m{^  (/\S+):};
    $op = "$1 $path" if /^    (get|post|put|patch|delete):/;
    $writes{$op} = 1 if $op !~ /^(?:get |$)/;
    $told{$op} = 1 if /^ +"403":/ && !$others{$op};
}
is_deeply([sort keys %told], [sort keys %known],
    'every operation with a 403 is known here, and none besides');
is_deeply([sort grep { !$known{$_} } keys %writes],
    [sort keys %anybody, keys %signed],
    'every operation that writes has a role, or none on purpose');
my $routes = slurp('daemon/http/routes.c');
my @admins;
while ($routes =~ /\{"(\w+)",\s*"([^"]+)",\s*ACCESS_ADMIN/g) {
    push @admins, lc($1) . " $2";
}
cmp_ok(scalar @admins, '>=', 6, 'routes for administrators');
is_deeply([grep { !$known{$_} || $known{$_}[0] ne 'admin' } @admins], [],
    'all of them known as such');

# ---- each is refused to each lesser role ----

sub state_of {
    return join "\n", map { my $t = $_; map { "$t: " . join '|', @$_ }
        $d->sql("SELECT * FROM $t") } qw(users sessions session_members
        contacts chats messages message_templates consents merges audit outbox);
}

my %lesser = (supervisor => ['cs1'], admin => ['cs1', 'supervisor']);
my $before = state_of();
for my $name (sort keys %known) {
    my ($least, $to, $json) = @{$known{$name}};
    my ($method, $path) = split / /, $name;
    $path = "/api/crm/$to" if defined $to;
    for my $who (@{$lesser{$least}}) {
        my $r = $d->api(uc $method, $path, token => $token{$who},
            defined $json ? (json => $json) : ());
        is($r->{status}, 403, "$name: not for $who") or diag $r->{body};
        is_deeply([sort keys %{$r->{json} || {}}], ['message'],
            "$name: and tells nothing");
    }
    is($d->api(uc $method, $path, defined $json ? (json => $json) : ())
        ->{status}, 401, "$name: nor for nobody");
}
is(state_of(), $before, 'nothing has changed');

# ---- what nobody asked for ----

my %extra = (role => 'admin', is_admin => JSON::PP::true, active =>
    JSON::PP::false, user_id => $user{admin}, id => 1, segment => 'VIP',
    lifetime_value => 1e9, donation_count => 99, opted_out => JSON::PP::false,
    status => 'read', direction => 'incoming', fromMe => JSON::PP::false,
    created_at => '2020-01-01T00:00:00Z', not_before => 0,
    password_hash => 'x', owner => $user{cs1}, source => 'system');
my $r = $d->api(POST => '/api/auth/login', json => { %extra,
    email => 'cs1@test.example', password => $Wacrm::Desk::PASSWORD });
is($r->{json}{user}{role}, 'cs', 'a sign-in that says admin');
$r = $d->api(PATCH => "/api/crm/contacts/$PHONE", token => $token{cs1},
    json => { %extra, name => 'Ibu Z' });
is($r->{status}, 200, 'a name that brings more');
my $donor = $d->api(GET => "/api/crm/contacts/$PHONE?whatsapp=0",
    token => $token{cs1})->{json}{donatur};
is($donor->{name}, 'Ibu Z', 'the name is taken');
is($donor->{id}, $d->sql("SELECT id FROM contacts WHERE phone = '$PHONE'"),
    'the contact is who it was');
is($donor->{segment}, 'New', 'no segment by hand');
is($donor->{lifetime_value}, 0, 'no gifts by hand');
is($donor->{donation_count}, 0, 'nor their number');
$r = $d->api(POST => '/api/crm/messages/send', token => $token{cs1},
    json => { %extra, phone => $PHONE, message => 'x' });
is($r->{status}, 200, 'a message that brings more');
my ($row) = $d->sql("SELECT direction, source FROM messages WHERE id ="
    . " $r->{json}{data}{id}");
my $who = $d->sql("SELECT user_id FROM audit WHERE action ="
    . " 'message.send' ORDER BY id DESC LIMIT 1");
is("@$row $who", "1 agent $user{cs1}", 'a message is of who sent it');
is($d->sql("SELECT group_concat(role || active, ' ') FROM (SELECT role,"
    . " active FROM users ORDER BY id)"), 'admin1 supervisor1 cs1 cs1',
    'all are who they were');

# ---- a token says who, the database says what ----

my $secret = 'jwt-secret-of-the-test-0000000001';
my $make = sub { hs_token($secret, claims(iss => 'wacrm', aud => 'wacrm',
    sub => "$user{cs1}", token_use => 'access', jti => 'by-hand', @_)) };
for my $role ('admin', 'supervisor', 'root', '', 7, ['admin']) {
    is($d->api(GET => '/api/crm/audit', token => $make->(role => $role))
        ->{status}, 403, 'a role in a token is nobody\'s')
}
is($d->api(GET => '/api/crm/audit', token => $make->(sub => "$user{admin}"))
    ->{status}, 200, 'its subject counts');

# ---- the last administrator, and who was one ----

is($d->api(PATCH => "/api/crm/agents/$user{admin}", token => $token{admin},
    json => { role => 'cs' })->{status}, 409, 'the last one stays one');
is($d->api(PATCH => "/api/crm/agents/$user{supervisor}", token =>
    $token{admin}, json => { role => 'admin' })->{status}, 200, 'another');
is($d->api(GET => '/api/crm/audit', token => $token{supervisor})->{status},
    200, 'may at once');
is($d->api(PATCH => "/api/crm/agents/$user{supervisor}", token =>
    $token{admin}, json => { role => 'cs' })->{status}, 200, 'and no more');
is($d->api(GET => '/api/crm/audit', token => $token{supervisor})->{status},
    403, 'may not at once');

# ---- and to the least role that may, each is open ----

is($d->api(PATCH => "/api/crm/agents/$user{supervisor}", token =>
    $token{admin}, json => { role => 'supervisor' })->{status}, 200,
    'a supervisor again');
$d->event('message.received', { from => '6281230000002', message => 'halo',
    id => 'ROLES000000002', timestamp => time });
ok($d->applied, 'another donor');
for my $name (sort { $a =~ /^delete/ <=> $b =~ /^delete/ || $a cmp $b }
        keys %known) {
    my ($least, $to, $json) = @{$known{$name}};
    my ($method, $path) = split / /, $name;
    $r = $d->api(uc $method, defined $to ? "/api/crm/$to" : $path,
        token => $token{$least}, defined $json ? (json => $json) : ());
    like($r->{status}, qr/^(?:2..|415|422)$/, "$name: for the $least")
        or diag $r->{body};
}

$d->done;
