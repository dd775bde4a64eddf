#!/usr/bin/perl
# Who does not want to be written to is not.

use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Wacrm::Agents;
use Wacrm::Desk;

my $d = Wacrm::Desk->new(wacrmd => sub {
    s/^welcome = .*/welcome = on/m or die;
})->start;
my $cs = $d->login('cs1@test.example');
my $lead = $d->login('supervisor@test.example');
my $admin = $d->login('admin@test.example');
my $n = 0;

sub api {
    my ($token, $method, $path, @more) = @_;
    return expect($d, $token, $method => "/api/crm/$path", @more);
}

sub hears {
    my ($phone, $text, $age) = @_;
    is($d->event('message.received', { from => $phone, pushName => 'Budi',
        message => $text, id => 'C' . ++$n . 'ABCDEF',
        timestamp => time - ($age || 0) }), 200, "they write \"$text\"");
    ok($d->applied, 'taken in');
}

sub out {
    return $d->sql("SELECT opted_out FROM contacts WHERE phone = '$_[0]'");
}

sub try_send {
    my ($phone, $status, $what) = @_;
    my $j = api($cs, POST => 'messages/send',
        { phone => $phone, message => 'halo' }, $status, $what);
    is($j->{code}, 'opted_out', 'opted_out') if $status == 409;
    return $j;
}

my $budi = '6281111111111';
my $template = api($lead, POST => 'templates', { name => 't',
    content => 'Ayo' }, 201, 'a template')->{data}{id};

# ---- by a word ----

hears($budi, 'Tolong stop kirim', 0);
is(out($budi), 0, 'a sentence is no word');
api($cs, POST => "contacts/$budi/donations", { amount => 9_000_000 }, 201,
    'who gives much');
hears($budi, " stop.\n", 0);
is(out($budi), 1, 'a lone STOP is');
try_send($budi, 409, 'nothing is sent to them');
my $j = api($cs, GET => "contacts/$budi/consent", undef, 200, 'the ledger');
ok($j->{data}{opted_out}, 'says so');
is(scalar @{$j->{data}{history}}, 1, 'one entry');
is($j->{data}{history}[0]{how}, 'message', 'by a message');
is($d->sql('SELECT body FROM messages WHERE id = '
    . $j->{data}{history}[0]{message_id}), " stop.\n", 'that one');
my $profile = api($cs, GET => "contacts/$budi", undef, 200, 'profile');
cmp_ok($profile->{metrics}{score_parts}{giving} * 0.6, '>', 30,
    'what they gave counts for more');
is($profile->{metrics}{engagement_score}, 30, 'but the score is capped');

# an answer to what they write after it
select undef, undef, undef, 1.1;
hears($budi, 'Kwitansi saya mana?', 0);
try_send($budi, 200, 'they are answered');
api($cs, POST => 'messages/quick-reply', { phone => $budi,
    template_id => $template }, 200, 'also by a quick reply');
$j = api($cs, POST => 'messages/template', { phone => $budi,
    template_id => $template }, 409, 'but by no template');
is($j->{code}, 'opted_out', 'opted_out');
$d->change("UPDATE messages SET ts = ts - 86400000 WHERE direction = 0");
$d->change("UPDATE consents SET since = since - 86400000");
try_send($budi, 409, 'not a day later');

hears($budi, 'MULAI', 0);
is(out($budi), 0, 'and back');
try_send($budi, 200, 'they are written to again');

# what was said before counts as said before
hears($budi, 'BERHENTI', 3600);
is(out($budi), 0, 'an old STOP does not undo a newer START');
$j = api($cs, GET => "contacts/$budi/consent", undef, 200, 'the ledger');
is(join(' ', map { $_->{state} } @{$j->{data}{history}}),
    'opt_in opt_out opt_out', 'has all of it, by time');

# a STOP as the first word: no welcome
hears('6282222222222', 'Unsubscribe', 0);
is(out('6282222222222'), 1, 'somebody new');
is($d->sql("SELECT count(*) FROM messages m JOIN chats c ON c.id = m.chat_id"
    . " JOIN contacts k ON k.id = c.contact_id WHERE m.direction = 1 AND"
    . " k.phone = '6282222222222'"), 0, 'is not greeted');
is($d->sql("SELECT count(*) FROM messages WHERE source = 'auto'"), 1,
    'as the other one was');

# a redelivery says nothing twice
is($d->event('message.received', { from => $budi, message => 'BERHENTI',
    id => "C${\($n - 1)}ABCDEF", timestamp => time }), 200, 'again');
ok($d->applied, 'taken in');
is($d->sql('SELECT count(*) FROM consents'), 4, 'no new entry');

# ---- by an agent ----

my $ani = '6283333333333';
hears($ani, 'halo', 0);
$j = api($cs, POST => "contacts/$ani/consent", { state => 'maybe' }, 422,
    'no such state');
is($j->{errors}{state}[0], 'The selected state is invalid.', 'says so');
$j = api($cs, POST => "contacts/$ani/consent", { state => 'opt_out',
    note => 'by telephone' }, 201, 'a CS opts out');
is($j->{data}{history}[0]{note}, 'by telephone', 'with the note');
try_send($ani, 409, 'nothing is sent: they wrote before it');
api($cs, POST => "contacts/$ani/consent", { state => 'opt_in', note => 'x' },
    403, 'a CS opts nobody in');
api($lead, POST => "contacts/$ani/consent", { state => 'opt_in' }, 422,
    'without a reason a supervisor neither');
api($lead, POST => "contacts/$ani/consent", { state => 'opt_in',
    note => 'asked for it' }, 201, 'with one, yes');
is(out($ani), 0, 'done');
api($cs, GET => 'contacts/6289999999999/consent', undef, 404, 'nobody');

# ---- a failed message is no way round ----

my $id = try_send($ani, 200, 'a message')->{data}{id};
ok($d->wait_for(sub {
    $d->sql("SELECT state FROM outbox WHERE message_id = $id") == 4 }), 'sent');
$d->change("UPDATE messages SET status = 6 WHERE id = $id;"
    . "UPDATE outbox SET state = 5 WHERE message_id = $id;"
    . "UPDATE chats SET failed = 1 WHERE id ="
    . " (SELECT chat_id FROM messages WHERE id = $id)");
api($cs, POST => "contacts/$ani/consent", { state => 'opt_out' }, 201, 'out');
api($cs, POST => "messages/$id/retry", undef, 409, 'no retry');

# ---- words of the configuration ----

my $conf = $d->{nginx}->read('wacrmd.conf');
$conf =~ s/^;?stop_words.*/stop_words = CUKUP SUDAH, selesai/m or die;
$d->{nginx}->write('wacrmd.conf', $conf);
kill 'HUP', $d->wacrmd_pid;
ok($d->wait_for(sub { $d->log =~ /configuration reloaded/ }), 'reloaded');
hears('6284444444444', 'STOP', 0);
is(out('6284444444444'), 0, 'no word any more');
hears('6284444444444', 'cukup sudah!', 0);
is(out('6284444444444'), 1, 'two words are one');

$d->sound;
$d->done;
