#!/usr/bin/env perl
# Erased is erased: no byte of the database, its log or the logs of the
# programs names the person afterwards, however they were named when it came.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $PHONE = '6281377788899';
my $OTHER = '6281377788800';
my $LID = '103899771998284';
my $WORD = 'ZAKATRAHASIA';
my $NAME = 'NAMARAHASIA';

my $d = Wacrm::Desk->new(
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=6000r/ or die 'no zone' },
    wacrmd => sub {
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s/^(first_per_minute|per_minute) = \d+/$1 = 0/mg or die 'no pace';
    })->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1);
my $count = 0;

sub event {
    my ($name, %data) = @_;
    is($d->event($name, \%data), 200, $name);
}

sub says {
    my ($from, $text) = @_;
    event('message.received', from => $from, pushName => $NAME,
        message => "$WORD $text", type => 'text', timestamp => time,
        id => sprintf 'ERASE%08d', ++$count);
}

sub api {
    my ($who, $method, $path, $body, %headers) = @_;
    my $r = $d->api($method => "/api/crm/$path", token => $token{$who},
        headers => \%headers, defined $body ? (json => $body) : ());
    cmp_ok($r->{status}, '<', 300, "$method $path") or diag $r->{body};
    return $r->{json};
}

# ---- what there is of a person ----

says($PHONE, $_) for qw(satu dua);
event('message.edited', id => 'ERASE00000002', message => "$WORD baru",
    timestamp => time);
event('message.reaction', id => 'ERASE00000001', emoji => 'x',
    from => $PHONE, timestamp => time);
event('lid.mapping.resolved', lid => "$LID\@lid", phone => $PHONE);
says("$LID\@lid", 'lid');
says("$PHONE\@s.whatsapp.net", 'jid');
says('+62 813-7778-8899', 'typed');
says("0$PHONE", 'nobody');
says($PHONE, 'long ' . 'y' x 300_000);
is($d->webhook(qq({"event":"message.received","data":{"from":)
    . qq("\\u00362813777\\u00388899","pushName":"$NAME","message":"$WORD",)
    . qq("type":"text","id":"ERASE00000099","timestamp":) . int(time)
    . '}}')->{status}, 200, 'in other words');
says($OTHER, 'merged later');
ok($d->applied, 'all is applied');

my $contact = "contacts/$PHONE";
api('cs1', POST => "$contact/notes", { note => "$WORD x" });
api('cs1', POST => "$contact/donations", { amount => 5000, ref => 'R',
    note => "$WORD x" });
api('cs1', POST => "$contact/reminders", { note => "$WORD x",
    remind_at => '2999-01-01T00:00:00Z' });
api('cs1', GET => "$contact$_") for '', '/check', '/picture';
api('supervisor', POST => "$contact/consent", { state => $_,
    note => "$WORD x" }) for qw(opt_out opt_in);
api('supervisor', POST => 'contacts/merge', { from => $OTHER,
    into => $PHONE });
api('cs1', POST => 'messages/send', { phone => $PHONE,
    message => "$WORD kirim" }, 'Idempotency-Key' => 'k');
my $template = api('admin', POST => 'templates', { name => 'x',
    content => '{{name}}', gateway_name => 'x' })->{data}{id};
api('cs1', POST => 'messages/template', { phone => $PHONE,
    template_id => $template, variables => { name => $NAME } });
$d->wait_for(sub {
    !$d->sql('SELECT count(*) FROM outbox WHERE state < 4') }, 20);
$d->wait_for(sub { $d->api(GET => "/api/crm/search?q=kirim",
    token => $token{admin})->{body} =~ /<|kirim/ });

# what the gateway called a message before it was retried
$d->change('INSERT INTO former_ids SELECT m.session_id, \'FORMER00000001\', m.id'
    . ' FROM messages m JOIN chats c ON c.id = m.chat_id JOIN contacts k'
    . " ON k.id = c.contact_id WHERE k.phone = '$PHONE' AND m.direction = 1"
    . ' LIMIT 1');
event('message.status', id => 'FORMER00000001', status => 'failed');
ok($d->applied, 'which is told once more');
my $former = 'SELECT count(*) FROM raw_events WHERE'
    . " instr(record, CAST('FORMER00000001' AS BLOB))";
is($d->sql($former), 1, 'and kept for replay');
is($d->sql('SELECT count(*) FROM parked'), 0, 'it is known');

# "file: word ..." of what is found
sub left {
    my ($files, @words) = @_;
    my @found;
    for my $file (grep { -f } map { glob "$d->{dir}/$_" } @$files) {
        open my $fh, '<:raw', $file or next;
        my $bytes = do { local $/; <$fh> };
        next unless defined $bytes;
        push @found, map { "$file: $_" } grep { $bytes =~ /\Q$_\E/ } @words;
    }
    return join "\n", @found;
}

my @words = ($PHONE, substr($PHONE, 2), $OTHER, $LID, $WORD, $NAME,
    '813-7778-8899', '2813777\\u');
isnt(left(['wacrm.db*'], @words), '', 'they can be found');
# the index has words: in lower case, numbers by their digits
my @indexed = map { lc } $PHONE, $OTHER, $LID, $WORD, $NAME;
ok($d->wait_for(sub { left(['search.db*'], lc $NAME) }), 'in the index, too');
is(left(['*.log'], @words), '', 'but in no log');

# ---- erased ----

api('admin', DELETE => $contact, { confirm => $PHONE });
ok($d->wait_for(sub { !left(['wacrm.db-wal'], @words) }),
    'the log of the database has forgotten them')
    or diag left(['wacrm.db-wal'], @words);
$d->wait_for(sub { !$d->sql('SELECT count(*) FROM search_changes'
    . ' WHERE body IS NOT NULL') });
ok($d->wait_for(sub { !left(['search.db*'], @indexed) }),
    'and so has the index') or diag left(['search.db*'], @indexed);
ok($d->wacrmd_stop, 'wacrmd stops');
is(left(['wacrm.db*', 'search.db*'], @words), '',
    'and so have the database and the index');
is(left(['*.log'], @words), '', 'no log knows them now');
is($d->sql($former), 0, 'nor do the raw events');
is($d->sql("SELECT count(*) FROM donations WHERE amount = 5000"), 1,
    'the accounts are whole');
$d->wacrmd_start;
$d->sound;
my $r = $d->api(DELETE => "/api/crm/contacts/$PHONE", token => $token{admin},
    json => { confirm => $PHONE });
is($r->{status}, 404, 'nobody is erased twice');

$d->done;
