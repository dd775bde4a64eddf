#!/usr/bin/env perl
# A gateway's history: fetched once, never unread, greets nobody, and goes on
# after a kill -9; whatever it takes, what is live does not wait for it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        s/^timeout = 30s/timeout = 2s\nbackfill_gap = 5ms/m
            or die 'no timeout';
    },
)->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(supervisor cs1);
my $path = '/api/crm/whatsapp/sessions/demo/backfill';
my $hour = 3600_000;
my $now = int(time * 1000);

sub post { $d->api(POST => $path, token => $token{$_[0] || 'supervisor'}) }
sub progress { $d->api(GET => $path, token => $token{cs1})->{json}{data} }
sub ends {
    my ($state, $seconds) = @_;
    return $d->wait_for(sub { progress()->{state} eq $state },
        $seconds || 20);
}
sub run_to_end {
    my $r = post();
    die "backfill: $r->{status} $r->{body}" unless $r->{status} == 200;
    return ends('done');
}
sub messages { scalar $d->sql('SELECT count(*) FROM messages') }
sub history { $d->sim('/_sim/history', $_[0])->{json}{added} }
sub behave { $d->sim('/_sim/behaviour', { times => 1, %{$_[0]} }) }
sub config { $d->sim('/_sim/config', $_[0]) }

# ---- who may ----

is(progress()->{state}, 'none', 'never asked for');
is(post('cs1')->{status}, 403, 'a CS may not start it');
is($d->api(POST => '/api/crm/whatsapp/sessions/other/backfill',
    token => $token{supervisor})->{status}, 404, 'no such session');
is($d->api(GET => $path)->{status}, 401, 'nobody: 401');

# ---- what comes, and how ----

is(history({ chats => 3, messages => 250, until => $now - $hour }), 750,
    'three chats of 250');
history({ items => [
    { chat => '120363041234567890@g.us', text => 'grup', id => '3EB0GROUP001',
        timestamp => $now - $hour, name => 'Grup' },
    { chat => 'status@broadcast', text => 'status', id => '3EB0STORY001',
        timestamp => $now - $hour },
    { chat => '103899771998284@lid', text => 'tanpa nomor',
        id => '3EB0LID00001', timestamp => $now - $hour, name => 'Tanpa' },
    { chat => '6281500000099', text => 'baru saja', id => '3EB0YOUNG001',
        timestamp => $now, name => 'Baru' },
] });
$d->sim('/_sim/webhook', { from => '6281599990001', name => 'Siti',
    text => 'sudah ada', id => '3EB0LIVE0001', timestamp => $now - 300_000 });
ok($d->applied, 'one has come by webhook');
my $greetings = $d->sql('SELECT count(*) FROM outbox');
my $received = $d->sql('SELECT count(*) FROM events WHERE kind = 1');

my $r = post();
is($r->{status}, 200, 'started');
is($r->{json}{data}{state}, 'running', 'runs');
ok(ends('done'), 'and ends');
my $p = progress();
is($p->{messages}, 751, 'all of them, but the one that was there');
is("$p->{chats} $p->{chats_done}", '6 6', 'no group, no broadcast');
is($p->{error}, undef, 'no error');
is($d->sql("SELECT count(*) FROM messages WHERE wa_id = '3EB0LIVE0001'"), 1,
    'nothing twice');
is($d->sql("SELECT count(*) FROM messages WHERE wa_id IN ('3EB0GROUP001',"
    . "'3EB0STORY001')"), 0, 'groups are left out');
is($d->sql("SELECT count(*) FROM messages WHERE wa_id = '3EB0YOUNG001'"), 0,
    'what is live is left to the webhook');
is($d->sql('SELECT sum(unread) FROM chats'), 1,
    'nothing but the live one is unread');
is($d->sql('SELECT count(*) FROM outbox'), $greetings, 'nobody is greeted');
is($d->sql('SELECT count(*) FROM events WHERE kind = 1'), $received,
    'no NewMessageReceived');
my ($chat) = grep { $_->{phone} eq '6281510000001' }
    @{$d->api(GET => '/api/crm/inbox', token => $token{cs1})
        ->{json}{conversations}};
is($chat->{last_message}, 'riwayat 250', 'the last message is the last');
is($chat->{name}, 'Donatur 2', 'with a name');
is($chat->{unread_count}, 0, 'read');
my $page = $d->api(GET => "/api/crm/inbox/$chat->{id}?limit=200",
    token => $token{cs1})->{json};
is($page->{messages}[0]{message}, 'riwayat 51', 'and those before it');

$d->sim('/_sim/webhook', { from => '6281510000001', text => 'lagi' });
$d->sim('/_sim/webhook', { from => '6281500000099', name => 'Baru',
    text => 'baru saja', id => '3EB0YOUNG001', timestamp => $now });
ok($d->applied, 'two write');
is($d->sql('SELECT count(*) FROM outbox'), $greetings + 1,
    'who is in the history is no newcomer, the other is');
is($d->sql('SELECT sum(unread) FROM chats'), 3, 'both are unread');

my $had = messages();
my $events = $d->sql('SELECT count(*) FROM events');
ok(run_to_end(), 'once more');
is(progress()->{messages}, 0, 'nothing new');
is(messages(), $had, 'nothing twice');
is($d->sql('SELECT count(*) FROM events'), $events, 'nobody is told');

# ---- the other names, other gateways ----

$d->sim('/_sim/reset', {});
config({ lists => 'code' });
history({ chats => 2, messages => 120, prefix => '62816' });
ok(run_to_end(), 'lists as the code writes them');
is(progress()->{messages}, 240, 'all');
is($d->sql('SELECT count(*) FROM messages m JOIN chats c ON c.id = m.chat_id'
    . " JOIN contacts k ON k.id = c.contact_id WHERE k.phone LIKE '62816%'"
    . ' AND m.direction = 1 AND m.status = 4'), 80, 'with their ticks');
config({ lists => 'seed', paging => \0 });
$d->sim('/_sim/reset', {});
history({ chats => 1, messages => 130, prefix => '62817' });
ok(run_to_end(), 'a gateway that knows no pages');
is(progress()->{messages}, 100, 'its newest, and an end');
config({ paging => \1 });

# ---- kill -9 ----

$d->sim('/_sim/reset', {});
history({ chats => 30, messages => 130, prefix => '62818' });
behave({ route => 'messages.list', do => 'slow', ms => 30, times => -1 });
post();
for my $n (4, 12, 22) {
    ok($d->wait_for(sub { progress()->{chats_done} >= $n }), "$n chats");
    $d->wacrmd_kill;
    $d->wacrmd_start;
}
ok(ends('done'), 'killed three times, it ends');
is(progress()->{messages}, 30 * 130, 'all messages');
is($d->sql("SELECT count(*) FROM messages m JOIN chats c ON c.id = m.chat_id"
    . " JOIN contacts k ON k.id = c.contact_id WHERE k.phone LIKE '62818%'"),
    30 * 130, 'each once');
my $calls = () = $d->calls(route => 'messages.list');
cmp_ok($calls, '<=', 60 + 3 * 2, "went on where it was ($calls calls)");
is(scalar(() = $d->calls(route => 'chats.list')), 1,
    'the list was not asked for again');

# ---- what goes wrong ----

$d->sim('/_sim/reset', {});
history({ chats => 3, messages => 5, prefix => '62819' });
behave({ route => 'messages.list', do => 'hang', times => 2 });
post();
ok($d->wait_for(sub { $d->calls(route => 'messages.list') == 2 }),
    'two calls hang');
$r = $d->api(POST => '/api/crm/messages/send', token => $token{cs1},
    json => { phone => '6281510000001', message => 'tidak menunggu' });
ok($d->wait_for(sub {
    $d->sql("SELECT status FROM messages WHERE id = $r->{json}{data}{id}")
        == 2 }, 1.5), 'a message leaves meanwhile');
$d->sim('/_sim/webhook', { from => '6281510000001', text => 'juga tidak',
    id => '3EB0MEANTIME' });
ok($d->wait_for(sub { $d->sql("SELECT count(*) FROM messages WHERE wa_id ="
    . " '3EB0MEANTIME'") }, 1.5), 'and one comes in');
is(scalar(() = $d->calls(route => 'messages.list')), 2,
    'before the time-out');
ok(ends('done'), 'it tries again, and ends');
is(progress()->{messages}, 15, 'with all messages');

$d->sim('/_sim/reset', {});
history({ chats => 2, messages => 5, prefix => '62821' });
behave({ route => 'messages.list', do => 'limited', retry_after => 1 });
behave({ route => 'messages.list', do => 'garbage' });
behave({ route => 'messages.list', do => 'status', status => 404,
    chat => '6282110000001' });
ok(run_to_end(), '429, garbage, 404 for one chat');
is(progress()->{messages}, 5, 'the other has all');
cmp_ok(progress()->{left_out}, '>=', 1, 'the one is left out');
behave({ route => 'chats.list', do => 'status', status => 400 });
post();
ok(ends('failed'), 'no list of chats: failed');
like(progress()->{error}, qr/400/, 'and why');
ok(run_to_end(), 'once more, and well');
is(progress()->{messages}, 5, 'with the chat that was left out');

# ---- by itself ----

sub connects { $d->event('session.status', { sessionId => 'demo',
    status => $_[0] }); $d->applied }
sub requested { $d->sql('SELECT requested_at FROM backfills') }

connects('disconnected');
connects('connected');
my $last = requested();
connects('disconnected');
connects('connected');
is(requested(), $last, 'a moment without a connection: no new one')
    if $d->sql("SELECT state FROM backfills") eq 'chats';
post();
ok(ends('done'), 'a person hurries one that waits');
$last = requested();
connects('disconnected');
connects('connected');
is(requested(), $last, 'down for a moment: nothing');
connects('disconnected');
$d->change('UPDATE sessions SET down_since = down_since - 360000');
connects('connected');
cmp_ok(requested(), '>', $last, 'down for six minutes: a new one');
cmp_ok($d->sql('SELECT not_before - requested_at FROM backfills'), '>=',
    60_000, 'after what the gateway has kept has come');

my ($rc, $out) = $d->ctl(['backfill', 'demo']);
is($rc, 0, 'wacrmctl backfill') or diag $out;
like($out, qr/state=(?:running|done)/, 'tells how far it is');
ok(ends('done'), 'and hurries it');
($rc, $out) = $d->ctl(['backfill', 'nobody']);
isnt($rc, 0, 'no such session');
like($out, qr/no session "nobody"/, 'is told');
my $m = $d->{nginx}->metrics('/metrics/wacrmd');
cmp_ok($m->{wacrm_backfill_calls_total}, '>', 0, 'metrics');
is($m->{'wacrm_backfills{state="done"}'}, 1, 'of runs, too');

$d->sound;
$d->done;
