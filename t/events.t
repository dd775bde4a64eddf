#!/usr/bin/env perl
# What changes is told by number: GET /api/crm/events from a donor's message
# to the page of a client that was away.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Node;

my $d = Wacrm::Desk->new(
    session => 'satu',
    wacrmd => sub {
        s/^welcome = on/welcome = off/m or die 'no welcome';
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s/^(default_session *=.*)/$1\ndefault_everyone = off/m
            or die 'no default session';
        s{^;public_url *=.*}{public_url = https://crm.test.example}m
            or die 'no public_url';
    },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=6000r/ or die 'no zone' },
)->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my %user = map { $_->[0] => $_->[1] + 0 }
    $d->sql("SELECT substr(email, 1, instr(email, '\@') - 1), id FROM users");
my @told; # everything, for the document

sub call {
    my ($who, $method, $path, $json, %headers) = @_;
    my $r = $d->api($method => $path, token => $token{$who},
        headers => \%headers, defined $json ? (json => $json) : ());
    BAIL_OUT("$method $path: $r->{status} $r->{body}") if $r->{status} >= 300;
    return $r->{json};
}

sub page {
    my ($who, $since, $limit) = @_;
    return call($who, GET => "/api/crm/events?since=$since"
        . ($limit ? "&limit=$limit" : ''));
}

sub latest { page('supervisor', 'latest')->{next} }

# all after since, page by page
sub all {
    my ($who, $since, $limit) = @_;
    my @events;
    while (1) {
        my $p = page($who, $since, $limit);
        die 'resync' if $p->{resync};
        push @events, @{$p->{events}};
        $since = $p->{next};
        return \@events unless $p->{more};
    }
}

sub name {
    my ($e) = @_;
    return $e->{event} =~ /^App\\Events\\(\w+)$/ ? $1 : "?$e->{event}";
}

# exactly these names after since, once they have all come; the last's data
sub told {
    my ($since, $names, $what) = @_;
    my $events;
    $d->wait_for(sub {
        $events = all('supervisor', $since);
        @$events >= split / /, $names;
    }, 5);
    is(join(' ', map { name($_) } @$events), $names, $what);
    push @told, @$events;
    return @$events ? $events->[-1]{data} : {};
}

sub said {
    my ($phone, $id, $text, %more) = @_;
    is($d->event('message.received', { from => $phone, pushName => 'Budi',
        message => $text, type => 'text', id => $id, timestamp => time,
        %more }), 200, "$id came");
    ok($d->applied, 'and is applied');
}

# ---- each change, and what it tells ----

my $phone = '6281230000001';
my $at = latest();
said($phone, 'IN1', 'Assalamualaikum');
my ($first) = grep { name($_) eq 'NewMessageReceived' }
    @{all('supervisor', $at)};
push @told, @{all('supervisor', $at)};
my $data = $first->{data};
is($first->{channel}, 'private-inbox', 'on the channel of the inbox');
is($data->{seq}, $first->{seq}, 'its number inside, too');
is($data->{message}{message}, 'Assalamualaikum', 'the message');
is($data->{message}{donatur}{phone}, $phone, 'with its donatur');
my $list = call('supervisor', GET => '/api/crm/inbox?session_id=*');
is($data->{message}{donatur}{phone}, $list->{conversations}[0]{phone},
    'whose phone is that of the conversation, byte for byte');
is_deeply($data->{conversation}, $list->{conversations}[0],
    'and the line of the inbox as the inbox has it');
call('admin', PATCH => '/api/crm/whatsapp/sessions/satu',
    { user_id => $user{cs1} });
my $chat = $data->{message}{chat_id};

$at = latest();
call('cs1', POST => "/api/crm/inbox/$chat/read", undef,
    'X-Socket-ID' => '123.456');
is(told($at, 'ChatRead', 'read')->{conversation}{unread_count}, 0,
    'nothing unread');
is($d->sql("SELECT socket FROM events WHERE seq = $at + 1"),
    "123.456/$user{cs1}",
    'whose socket it was goes through nginx');

$at = latest();
call('cs1', POST => "/api/crm/inbox/$chat/star", undef,
    'X-Socket-ID' => "1.2' OR 1");
ok(told($at, 'ChatUpdated', 'starred')->{conversation}{is_starred},
    'has its star');
is($d->sql("SELECT count(*) FROM events WHERE seq > $at AND socket IS NOT"
    . ' NULL'), 0, 'what is no socket id is none');

$at = latest();
my $sent = call('cs1', POST => '/api/crm/messages/send',
    { phone => $phone, message => 'Waalaikumsalam' })->{data};
$d->wait_for(sub {
    $d->sql("SELECT status FROM messages WHERE id = $sent->{id}") >= 2;
});
my $sends = all('supervisor', $at);
push @told, @$sends;
is(name($sends->[0]), 'MessageSent', 'own sends have another name');
is($sends->[0]{data}{message}{id}, $sent->{id}, 'the message itself');
is(name($sends->[-1]), 'MessageStatusUpdated', 'then its status');
is($sends->[-1]{data}{id}, $sent->{id}, 'of that message');
ok(!grep({ name($_) eq 'NewMessageReceived' } @$sends), 'never as received');
my $wa = $d->sql("SELECT wa_id FROM messages WHERE id = $sent->{id}");
$d->wait_for(sub {
    $d->sql("SELECT status FROM messages WHERE id = $sent->{id}") >= 3 }, 2);
$at = latest();
is($d->event('message.status', { id => $wa, status => 'played' }), 200,
    'played');
ok($d->applied, 'and is applied');
my ($played) = grep { $_->{data}{status} eq 'played' }
    @{all('supervisor', $at)};
is($played && $played->{data}{wa_message_id}, $wa, 'the status is told');

$at = latest();
is($d->sim('/_sim/webhook', { kind => 'reaction', from => $phone, to => 'IN1',
    session => 'satu' })->{status}, 200, 'a reaction');
ok($d->applied, 'and is applied');
is(@{told($at, 'MessageUpdated', 'reacted')->{message}{reactions}}, 1,
    'the reaction comes along');

$at = latest();
call('cs1', POST => "/api/crm/contacts/$phone/notes", { note => 'x' });
told($at, 'DonorUpdated', 'note');
$at = latest();
call('cs1', POST => "/api/crm/contacts/$phone/donations",
    { amount => 15000000 });
is(told($at, 'DonorUpdated', 'gift')->{donatur}{segment}, 'VIP',
    'the new segment comes along');
$at = latest();
call('cs1', POST => "/api/crm/contacts/$phone/consent",
    { state => 'opt_out', note => 'x' });
ok(told($at, 'DonorUpdated', 'consent')->{donatur}{opted_out}, 'opted out');
call('supervisor', POST => "/api/crm/contacts/$phone/consent",
    { state => 'opt_in', note => 'x' });

$at = latest();
call('cs1', POST => "/api/crm/contacts/$phone/reminders",
    { note => 'telepon', remind_at => time + 1 });
is(told($at, 'DonorUpdated ReminderDue', 'reminder')->{phone}, $phone,
    'of whom');

$at = latest();
is($d->event('session.status', { sessionId => 'satu', status => 'open' }),
    200, 'connected');
ok($d->applied, 'and is applied');
my ($status) = grep { name($_) eq 'SessionStatusChanged' }
    @{all('supervisor', $at)};
push @told, $status;
is_deeply([@{$status->{data}}{qw(session_id status raw_status)}],
    ['satu', 'connected', 'open'], 'session');

$at = latest();
call('supervisor', POST => '/api/crm/templates',
    { name => 'salam', content => 'Halo' });
told($at, 'TemplateUpdated', 'template');

$at = latest();
said('6281230000002', 'IN2', 'Saya Budi juga');
my $merge = call('supervisor', POST => '/api/crm/contacts/merge',
    { into => $phone, from => '6281230000002' });
my @merged = @{all('supervisor', $at)};
push @told, @merged;
my ($gone) = grep { name($_) eq 'ChatUpdated'
    && !defined $_->{data}{conversation} } @merged;
ok($gone, 'the joined conversation goes');
my ($whole) = grep { name($_) eq 'DonorUpdated' } reverse @merged;
is_deeply($whole->{data}{donatur}{aliases}, ['6281230000002'],
    'whose number is an alias now');
$at = latest();
call('supervisor', POST => '/api/crm/merges/'
    . $d->sql('SELECT max(id) FROM merges') . '/undo');
ok(@{all('supervisor', $at)} >= 2, 'undone');
push @told, @{all('supervisor', $at)};

$at = latest();
is($d->event('typing', { from => $phone, isTyping => JSON::PP::true }), 200,
    'typing');
ok($d->applied, 'and is applied');
is(latest(), $at, 'is not kept');

my $csv = "phone,name,date,amount,ref\n" . join '', map {
    sprintf "62812400%05d,Donatur %d,2026-01-05,50000,R-%d\n", $_, $_, $_
} 1 .. 1200;
$at = latest();
my $import = $d->api(POST => '/api/crm/import', token => $token{admin},
    headers => { 'Content-Type' => 'text/csv' }, body => $csv);
is($import->{status}, 200, 'an import of 1,200') or diag $import->{body};
my $imported = all('supervisor', $at);
push @told, @$imported;
ok(@$imported >= 1 && @$imported <= 3, 'is no flood: ' . @$imported);
is(join(' ', grep { $_ ne 'DonorsImported' } map { name($_) } @$imported), '',
    'but says that there was one');

# ---- who may see what ----

call('cs2', POST => '/api/crm/whatsapp/sessions', { session_name => 'dua' });
$at = latest();
said('6281230000003', 'A1', 'kepada satu', sessionId => 'satu');
said('6281230000004', 'B1', 'kepada dua', sessionId => 'dua');
call('cs1', POST => '/api/crm/contacts/6281230000003/donations',
    { amount => 1000 });
call('cs2', POST => '/api/crm/contacts/6281230000004/donations',
    { amount => 1000 });
my %sees = map { my $who = $_; $who => join ' ', map {
    my $x = $_->{data}; ($x->{message} || $x)->{donatur}{phone}
        =~ s/^62812300000//r } @{all($who, $at)} } qw(supervisor cs1 cs2);
is($sees{supervisor}, '03 04 03 04', 'a supervisor sees all');
is($sees{cs1}, '03 03', 'cs1 what is theirs');
is($sees{cs2}, '04 04', 'and cs2');
my $both = call('cs2', GET => "/api/crm/events?since=$at&limit=1");
is($both->{events}[0]{data}{message}{message}, 'kepada dua',
    'a page counts what is seen');
$at = latest();
call('admin', PUT => '/api/crm/whatsapp/sessions/satu/members',
    { user_ids => [$user{cs2}] });
is(join(' ', map { name($_) } @{all('cs2', $at)}), 'AccessChanged',
    'a new member is told');
push @told, @{all('cs2', $at)};
like(join(' ', map { $_->{data}{message}{message} || '' }
    grep { $_->{data}{message} } @{all('cs2', 0)}), qr/kepada satu/,
    'what is theirs now was theirs all along');
call('admin', PUT => '/api/crm/whatsapp/sessions/satu/members',
    { user_ids => [] });

# ---- what cannot be asked ----

for my $bad ('', 'since=', 'since=-1', 'since=x', 'since=1.5', 'since=LATEST',
    'since=99999999999999999999', 'since=0&limit=0', 'since=0&limit=201') {
    is($d->api(GET => "/api/crm/events?$bad", token => $token{cs1})->{status},
        422, "422: $bad");
}
is($d->api(GET => '/api/crm/events?since=0')->{status}, 401, 'no token');
$at = latest();
my $beyond = page('cs1', $at + 1000);
ok($beyond->{resync}, 'a number to come: the database is another');
is_deeply([$beyond->{next}, $beyond->{events}], [$at, []],
    'told where to go on');
ok(!page('cs1', $at)->{resync}, 'at the end nothing is missed');
my $feed = $beyond->{feed};
ok(length $feed, 'which numbering it is');
sub known_as {
    my ($since, $feed) = @_;
    return $d->api(GET => "/api/crm/events?since=$since&feed=$feed",
        token => $token{cs1})->{json};
}
ok(!known_as($at, $feed)->{resync}, 'the same');
ok(known_as($at, 'another')->{resync}, 'another one: all anew');

# ---- a client that was away, while messages come in ----

$at = latest();
my $n = 1000;
is($d->sim('/_sim/webhook', { count => $n, contacts => 40 })->{status}, 200,
    "$n messages");
my (@seqs, @ids, $kills);
my $since = $at;
my $done = $d->wait_for(sub {
    my $r = $d->api(GET => "/api/crm/events?since=$since&limit=37",
        token => $token{supervisor});
    return 0 unless $r->{json} && $r->{status} == 200; # killed just now
    my $p = $r->{json};
    die 'resync' if $p->{resync};
    push @seqs, map { $_->{seq} } @{$p->{events}};
    push @ids, map { $_->{data}{message}{id} }
        grep { name($_) eq 'NewMessageReceived' } @{$p->{events}};
    $since = $p->{next};
    if (@ids > 200 && !$kills++) {
        $d->allow(qr/connect\(\) to unix:\S+ failed|no live upstreams/);
        $d->allow(qr/upstream prematurely closed|recv\(\) failed/);
        $d->wacrmd_kill;
        $d->wacrmd_start;
    }
    return @ids >= $n;
}, 60);
ok($done, 'caught up, page by page, over a kill -9') or diag scalar @ids;
ok($kills, 'there was one');
is(join(',', @seqs), join(',', $at + 1 .. $at + @seqs), 'no gap, none twice');
my @stored = map { $_->[0] } $d->sql("SELECT ref FROM events WHERE kind = 1"
    . " AND seq > $at ORDER BY seq");
is(join(',', @ids), join(',', @stored), 'every message once, in order');
is(scalar @stored, $n, 'and no other');

# who sees little gets on, by next
my ($pages, $quiet) = (0, $at);
while (1) {
    my $p = page('cs2', $quiet);
    $pages++;
    $quiet = $p->{next};
    last unless $p->{more};
    cmp_ok($pages, '<', 10, 'page') or last;
}
is($quiet, latest(), 'who sees nothing of it gets to the end');
cmp_ok($pages, '<=', 3, 'in a few pages');

$d->change("DELETE FROM events WHERE seq <= $at + 10");
my $old = page('supervisor', $at);
ok($old->{resync}, 'what is gone cannot be told');
is($old->{next}, latest(), 'load anew, go on from there');
ok(!page('supervisor', $at + 10)->{resync}, 'the oldest that is left is near');
ok(page('supervisor', 0)->{resync}, 'also for one who knows nothing');

# ---- the document ----

my %names;
my @some = grep { $names{name($_)}++ < 3 } @told;
$d->{nginx}->write('told.json', JSON::PP->new->utf8->canonical
    ->encode(\@some));
Wacrm::Node::run($d, 'events.mjs', told => "$d->{dir}/told.json");

$d->sound;
$d->done;
