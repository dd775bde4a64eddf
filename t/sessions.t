#!/usr/bin/perl

# WhatsApp sessions: made, shown, linked, disconnected and connected again;
# whose they are, and who else sees them; how they fare by themselves.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $PUBLIC = 'https://crm.test.example';
my $BASE = '/api/crm/whatsapp/sessions';
my $d = Wacrm::Desk->new(wacrmd => sub {
    s{^;public_url *=.*}{public_url = $PUBLIC}m;
    s{^session_poll *=.*}{session_poll = 1s}m;
})->start;

my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my %id = map { $_->[0] => $_->[1] + 0 }
    $d->sql("SELECT substr(email, 1, instr(email, '\@') - 1), id FROM users");

sub call {
    my ($who, $method, $path, $json) = @_;
    return $d->api($method => $path, token => $token{$who},
        defined $json ? (json => $json) : ());
}

sub sessions_of {
    my ($who) = @_;
    my $r = call($who, GET => $BASE);
    return map { $_->{session_id} => $_ } @{$r->{json}{data}};
}

sub status_becomes {
    my ($session, $status, $seconds) = @_;
    return $d->wait_for(sub {
        $d->sql("SELECT status FROM sessions WHERE session_id = '$session'")
            eq $status;
    }, $seconds || 10);
}

# ---- the one that is everyone's ----

ok(status_becomes('demo', 'connected'), 'a session is found connected');
my %s = sessions_of('cs1');
is(join(' ', sort keys %s), 'demo', 'every CS sees the default one');
is($s{demo}{status}, 'connected', 'its status');
is($s{demo}{user_id}, undef, 'it is nobody\'s');
ok(exists $s{demo}{$_}, "it has $_") for qw(id name raw_status phone_number
    active_chats last_activity created_at updated_at);

# ---- making one ----

my $r = call('cs1', POST => $BASE,
    { session_name => 'cs-satu', name => 'Nomor Siti' });
is($r->{status}, 200, 'a session is made') or diag $r->{body};
is($r->{json}{success}, JSON::PP::true, 'success');
is($r->{json}{data}{session_id}, 'cs-satu', 'its id');
is($r->{json}{data}{name}, 'Nomor Siti', 'its name');
is($r->{json}{data}{status}, 'connecting', 'it is connecting');
is($r->{json}{data}{user_id}, $id{cs1}, 'it is the caller\'s');
my ($made) = $d->calls(route => 'sessions.create');
is($made->{body}{session_id}, 'cs-satu', 'the gateway is told its name');
is($made->{body}{webhook_url}, "$PUBLIC/api/webhook/whatsapp",
    'and where to send events');

$r = call('cs2', POST => $BASE, { session_name => 'cs-satu' });
is($r->{status}, 422, 'a name is given once');
is_deeply($r->{json}{errors}{session_name},
    ['The session name has already been taken.'], 'in the words of Laravel');
for my $bad (undef, '', 7, 'a/b', 'a b', '..', 'x' x 101) {
    $r = call('cs1', POST => $BASE, { session_name => $bad });
    is($r->{status}, 422, 'refused: ' . (defined $bad ? $bad : 'null'));
}
$r = call('cs1', POST => $BASE, { session_name => 'x', gateway => 'none' });
ok($r->{json}{errors}{gateway}, 'an unknown gateway');

$d->sim('/_sim/behaviour', { do => 'status', status => 422,
    route => 'sessions.create', body => { success => JSON::PP::false,
        message => 'No place left' } });
$r = call('cs1', POST => $BASE, { session_name => 'tiada' });
is($r->{status}, 400, 'the gateway refuses');
is_deeply($r->{json}, { success => JSON::PP::false, data => undef,
    message => 'No place left' }, 'and its words are told');
is($d->sql("SELECT count(*) FROM sessions WHERE session_id = 'tiada'"), 0,
    'nothing of it stays');

# ---- who sees it ----

is(join(' ', sort keys %{{sessions_of('cs1')}}), 'cs-satu demo', 'its owner');
is(join(' ', sort keys %{{sessions_of('cs2')}}), 'demo', 'another CS not');
is(join(' ', sort keys %{{sessions_of('supervisor')}}), 'cs-satu demo',
    'a supervisor');

for my $c ([GET => '/qr'], [GET => '/status'], [POST => '/reconnect'],
           [DELETE => ''], [GET => '/members'],
           [PUT => '/members', { user_ids => [] }],
           [PATCH => '', { name => 'Milik saya' }]) {
    my ($method, $path, $json) = @$c;
    is(call('cs2', $method, "$BASE/cs-satu$path", $json)->{status}, 404,
        "$method $path of another CS's");
    is(call('admin', $method, "$BASE/none$path", $json)->{status}, 404,
        "$method $path of none");
}
is(call('cs2', POST => '/api/crm/switch-session',
    { session_id => 'cs-satu' })->{status}, 422, 'nor switch to it');

$r = call('cs1', PUT => "$BASE/cs-satu/members",
    { user_ids => [$id{cs2}, $id{cs2}] });
is($r->{status}, 200, 'its owner lets another in') or diag $r->{body};
is_deeply([map { $_->{email} } @{$r->{json}{data}}], ['cs2@test.example'],
    'the members');
ok({sessions_of('cs2')}->{'cs-satu'}, 'who sees it now');
is(call('cs2', PUT => "$BASE/cs-satu/members", { user_ids => [] })->{status},
    403, 'a member lets nobody in');
is(call('cs2', DELETE => "$BASE/cs-satu")->{status}, 403,
    'nor disconnects it');
is(call('cs2', DELETE => "$BASE/demo")->{status}, 403,
    'nor what is everyone\'s');
is(call('cs1', PUT => "$BASE/cs-satu/members", { user_ids => [9999] })
    ->{status}, 422, 'nobody is no member');
is(call('cs1', PUT => "$BASE/cs-satu/members", { user_ids => 'x' })->{status},
    422, 'a list is wanted');
is(@{call('cs1', GET => "$BASE/cs-satu/members")->{json}{data}}, 1,
    'all or nothing');

is(call('cs1', PATCH => "$BASE/cs-satu", { name => 'Siti' })
    ->{json}{data}{name}, 'Siti', 'its owner renames it');
is(call('cs1', PATCH => "$BASE/cs-satu", { user_id => $id{cs2} })->{status},
    403, 'but gives it to nobody');
is(call('supervisor', PATCH => "$BASE/cs-satu", { user_id => $id{cs2} })
    ->{json}{data}{user_id}, $id{cs2}, 'a supervisor does');
is(call('supervisor', PATCH => "$BASE/cs-satu", { user_id => 9999 })
    ->{status}, 422, 'to somebody');
call('supervisor', PATCH => "$BASE/cs-satu", { user_id => $id{cs1} });

$r = call('cs1', POST => '/api/crm/switch-session',
    { session_id => 'cs-satu' });
is_deeply([$r->{status}, $r->{json}{message}], [200, 'Session switched'],
    'switching');
is(call('cs1', GET => '/api/auth/me')->{json}{user}{active_session_id},
    'cs-satu', 'is kept with the user');
call('supervisor', PATCH => "$BASE/cs-satu", { user_id => $id{cs2} });
is(call('cs1', GET => '/api/auth/me')->{json}{user}{active_session_id}, undef,
    'but meant no longer when it is another\'s');
call('supervisor', PATCH => "$BASE/cs-satu", { user_id => $id{cs1} });
is(call('cs1', POST => '/api/crm/switch-session', {})->{status}, 422,
    'an id is wanted');

# ---- QR, status ----

$r = call('cs1', GET => "$BASE/cs-satu/qr");
is($r->{json}{success}, JSON::PP::true, 'a QR code');
like($r->{json}{data}{qr_code}, qr{^data:image/png;base64,}, 'is a picture');
is($r->{headers}{'cache-control'}, 'no-store', 'in no cache');
$d->sim('/_sim/behaviour', { do => 'hang', route => 'session.qr' });
my $begin = time;
$r = call('cs1', GET => "$BASE/cs-satu/qr");
is_deeply([$r->{status}, $r->{json}{success}, $r->{json}{data}],
    [200, JSON::PP::false, undef], 'none from a gateway that hangs');
cmp_ok(time - $begin, '<', 15, 'after a moment');

$d->sim('/_sim/session', { session => 'cs-satu', status => 'connected' });
$r = call('cs1', GET => "$BASE/cs-satu/status");
is_deeply([@{$r->{json}{data}}{qw(session_id status raw_status)}],
    ['cs-satu', 'connected', 'connected'], 'the status is asked for');
ok(status_becomes('cs-satu', 'connected'), 'and kept');
$d->sim('/_sim/behaviour', { do => 'status', status => 500,
    route => 'session.status', times => 1 });

# ---- health ----

my $events = $d->sql('SELECT max(seq) FROM events');
$d->sim('/_sim/session', { session => 'cs-satu', status => 'disconnected' });
ok(status_becomes('cs-satu', 'disconnected'), 'a fall is seen');
cmp_ok($d->sql("SELECT count(*) FROM events WHERE seq > $events"
    . ' AND kind = 4'), '>', 0, 'and told');
ok($d->sql("SELECT down_since FROM sessions WHERE session_id = 'cs-satu'"),
    'since when');
ok($d->wait_for(sub {
    my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    exists $m->{'wacrm_session_down_seconds{session="cs-satu"}'};
}), 'and a metric');
ok($d->wait_for(sub { scalar $d->calls(route => 'session.reconnect') }, 20),
    'it is connected again by itself');
ok(status_becomes('cs-satu', 'connected', 20), 'and is connected');
ok(!$d->sql("SELECT down_since FROM sessions WHERE session_id = 'cs-satu'"),
    'down no more');

# ---- the end, and again ----

$d->sim('/_sim/behaviour', { do => 'status', status => 500,
    route => 'session.delete', times => 1 });
is(call('cs1', DELETE => "$BASE/cs-satu")->{status}, 400,
    'a gateway that fails does not disconnect');
$r = call('cs1', DELETE => "$BASE/cs-satu");
is_deeply([$r->{status}, $r->{json}],
    [200, { success => JSON::PP::true, message => 'Session disconnected' }],
    'disconnected');
my $tried = $d->calls(route => 'session.reconnect');
is({sessions_of('cs1')}->{'cs-satu'}{status}, 'disconnected', 'as is shown');
sleep 8;
is(scalar $d->calls(route => 'session.reconnect'), $tried,
    'what was disconnected by hand stays so');

$r = call('cs1', POST => "$BASE/cs-satu/reconnect");
is($r->{status}, 200, 'until it is connected by hand') or diag $r->{body};
is(scalar $d->calls(route => 'sessions.create', session => 'cs-satu') > 0, 1,
    'made anew, as the gateway does not know it');
is($d->sql("SELECT wanted FROM sessions WHERE session_id = 'cs-satu'"), 1,
    'and wanted');

# A gateway that is at it already refuses to begin again.
for my $do ({ route => 'session.reconnect', status => 400 },
            { route => 'session.reconnect', status => 409 },
            { route => 'session.reconnect', status => 405, anew => 409 }) {
    my $what = "$do->{status}" . ($do->{anew} ? ", then $do->{anew}" : '');
    for my $case (['connecting', 200], ['connected', 200],
                  ['disconnected', 400]) {
        my ($is, $status) = @$case;
        $d->sim('/_sim/session', { session => 'cs-satu', status => $is });
        $d->applied;
        $d->sim('/_sim/behaviour', { do => 'status', status => $do->{status},
            route => $do->{route}, times => 1 });
        $d->sim('/_sim/behaviour', { do => 'status', status => $do->{anew},
            route => 'sessions.create', times => 1 }) if $do->{anew};
        $r = call('cs1', POST => "$BASE/cs-satu/reconnect");
        is($r->{status}, $status, "$what, and it is $is: $status")
            or diag $r->{body};
        is($r->{json}{data}{status}, $is, 'as it is') if $status == 200;
        is({sessions_of('cs1')}->{'cs-satu'}{status}, $is, 'and is shown')
            if $status == 200;
    }
}
$d->sim('/_sim/session', { session => 'cs-satu', status => 'connected' });
$d->applied;

# ---- signing in at the gateway ----

is(call('cs1', POST => '/api/crm/whatsapp/connect',
    { email => 'a@b.c', password => 'x' })->{status}, 403, 'not for a CS');
is(call('admin', POST => '/api/crm/whatsapp/connect', {})->{status}, 422,
    'needs an address');
$r = call('admin', POST => '/api/crm/whatsapp/connect',
    { email => 'a@b.c', password => 'x' });
is_deeply([$r->{status}, $r->{json}],
    [200, { message => 'Connected successfully' }], 'an administrator does');
ok($d->sql("SELECT token FROM accounts WHERE name = 'main'"),
    'the token is kept');
$d->sim('/_sim/behaviour', { do => 'status', status => 401,
    route => 'login', times => 1 });
$r = call('admin', POST => '/api/crm/whatsapp/connect',
    { email => 'a@b.c', password => 'y' });
is_deeply([$r->{status}, $r->{json}],
    [400, { message => 'Failed to connect' }], 'a wrong password');

# ---- the dashboard ----

$d->event('message.received', { from => '6281234567890', pushName => 'Budi',
    message => 'Halo', type => 'text', id => 'DASH0000000001',
    timestamp => time });
$d->applied;
$r = call('cs1', GET => '/api/crm/dashboard');
is($r->{status}, 200, 'the dashboard') or diag $r->{body};
is($r->{json}{summary}{total_sessions}, 2, 'sessions of the caller');
is($r->{json}{summary}{total_active_chats}, 1, 'chats with unread messages');
is(call('cs2', GET => '/api/crm/dashboard')->{json}{summary}{total_sessions},
    2, 'a member counts it');
my ($own) = grep { $_->{session_id} eq 'cs-satu' } @{$r->{json}{sessions}};
is($own->{user}{email}, 'cs1@test.example', 'with its owner');
my $in = 0;
$in += $_->{incoming} for @{$r->{json}{today}{hours}};
is($in, 1, 'a message of today');
is(@{$r->{json}{today}{hours}}, 24, 'by the hour');
cmp_ok($r->{json}{today}{first_response}{count}, '==', 0,
    'a greeting is no answer');
call('cs1', POST => '/api/crm/switch-session', { session_id => 'demo' });
call('cs1', POST => '/api/crm/messages/send',
    { phone => '6281234567890', message => 'Halo Pak Budi' });
$r = call('cs1', GET => '/api/crm/dashboard');
is($r->{json}{today}{first_response}{count}, 1, 'a person\'s is');
cmp_ok($r->{json}{today}{first_response}{median_seconds}, '<', 120,
    'how soon');
is($r->{json}{unanswered}{count}, 0, 'nobody waits');
ok(exists $r->{json}{sending}{$_}, "sending: $_") for qw(queued failed);

# ---- what may have been made ----

# by name: when the connection ends, what is said of its state
for (['dibuat', 'after', undef, 200, 'made, and no answer'],
     ['tidak-dibuat', 'before', undef, 400, 'not made, and no answer'],
     ['entah', 'after', 503, 200, 'made, and nobody tells']) {
    my ($name, $when, $status, $want, $what) = @$_;
    $d->sim('/_sim/behaviour', { do => 'close', when => $when,
        route => 'sessions.create' });
    $d->sim('/_sim/behaviour', { do => 'status', status => $status,
        route => 'session.status' }) if $status;
    $r = call('cs1', POST => $BASE, { session_name => $name });
    is($r->{status}, $want, "$what: $want") or diag $r->{body};
    my %seen = sessions_of('cs1');
    is(exists $seen{$name} ? 1 : 0, $want == 200 ? 1 : 0,
        "$what: in its owner's list, if anywhere");
    $d->event('session.status', { sessionId => $name, status => 'connected',
        timestamp => time }) if $want == 200;
    ok($d->applied, "$what: its events");
    is($d->sql("SELECT group_concat(user_id) FROM sessions WHERE session_id ="
        . " '$name'"), $want == 200 ? $d->sql('SELECT id FROM users WHERE email'
        . " = 'cs1\@test.example'") : undef, "$what: find its owner's");
}
is(call('cs2', POST => $BASE, { session_name => 'tidak-dibuat' })->{status},
    200, 'what was not made is free');

# One who takes the gateway's calls gave up: it may still be at it.
$d->sim('/_sim/behaviour', { do => 'status', status => 504,
    route => 'sessions.create' });
$r = call('cs1', POST => $BASE, { session_name => 'lambat' });
is($r->{status}, 200, 'not made yet: kept') or diag $r->{body};
like($r->{json}{message}, qr/reconnect it/, 'and what to do is told');
ok(exists {sessions_of('cs1')}->{lambat}, 'it is in its owner\'s list');
isnt(call('cs2', POST => $BASE, { session_name => 'lambat' })->{status}, 200,
    'and nobody else\'s');
is(call('cs1', POST => "$BASE/lambat/reconnect")->{status}, 200,
    'a reconnect makes it');
is($d->sim('/_sim/session', { session => 'lambat', status => 'connected' })
    ->{status}, 200, 'the gateway has it');
ok($d->wait_for(sub {
    ({sessions_of('cs1')}->{lambat}{status} // '') eq 'connected';
}), 'and it is its owner\'s');

# ---- what was never made leaves nobody its number ----

$d->sim('/_sim/behaviour', { do => 'status', status => 422,
    route => 'sessions.create', body => { success => JSON::PP::false } });
is(call('cs1', POST => $BASE, { session_name => 'gagal' })->{status}, 400,
    'one is refused');
is(call('cs2', POST => $BASE, { session_name => 'jadi' })->{status}, 200,
    'the next is made');
my $audit = call('admin', GET => '/api/crm/audit?action=session.create&limit=2')
    ->{json}{data};
is_deeply([map { [$_->{user}, $_->{session_id}] } @$audit],
    [['Cs2', 'jadi'], ['Cs1', undef]],
    'the audit does not take one for the other');

# ---- without a public address ----

my $e = Wacrm::Desk->new->start;
$r = $e->api(POST => $BASE, token => $e->login('cs1@test.example'),
    json => { session_name => 'satu' });
is($r->{status}, 400, 'no session is made');
like($r->{json}{message}, qr/public_url/, 'and why');
undef $e;

$d->sound;
$d->done;
