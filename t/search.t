#!/usr/bin/env perl
# Search end to end: the whole history, people, the inbox; who may see what;
# an index that is lost, made anew, or left behind by a restore.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    donors => "phone,name,date,amount,fund,ref\n"
        . "081210000007,Hj. Siti Aminah,2024-02-03,7500000,Zakat,R-1\n"
        . "081299990001,Aminah Tanpa Obrolan,2024-02-03,10000,Infak,R-2\n",
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' },
)->start;
$d->allow(qr/warn search/);
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);

sub search {
    my ($who, $query) = @_;
    return $d->api(GET => "/api/crm/search?$query", token => $token{$who});
}

sub texts { join '|', map { $_->{message} } @{$_[0]{json}{data}{messages}} }
sub names { join '|', map { $_->{name} } @{$_[0]{json}{data}{contacts}} }

my $n = 0;
sub hears {
    my ($phone, $text, %opt) = @_;
    my $status = $d->event('message.received' => { from => $phone,
        pushName => 'Hamba', message => $text, id => 'SRCH' . ++$n,
        timestamp => int(time) - 3600 + $n, %opt });
    die "webhook: $status" unless $status == 200;
}

sub indexed {
    $d->wait_for(sub {
        my $m = $d->{nginx}->metrics('/metrics/wacrmd');
        return defined $m->{wacrm_search_lag_messages}
            && $m->{wacrm_search_lag_messages} == 0;
    }, 10);
}

# ---- messages ----

hears('6281210000007', 'Assalamualaikum, saya mau bayar zakat maal');
hears('6281210000007', 'berapa nomor rekeningnya?');
hears('6281210000008', "Zakat fitrah sudah saya transfer\nterima kasih");
hears('6281210000008', 'ok');
ok($d->applied, 'applied');
for my $when ('at once', 'indexed') {
    my $r = search('cs1', 'q=zakat');
    is($r->{status}, 200, "$when: found");
    is(scalar @{$r->{json}{data}{messages}}, 2, "$when: both");
    like(texts($r), qr/^Zakat fitrah.*\|Assalam/s, "$when: newest first");
    my $first = $r->{json}{data}{messages}[0];
    is_deeply($first->{snippet}, { text =>
        'Zakat fitrah sudah saya transfer terima kasih',
        marks => [[0, 5]] }, "$when: snippet");
    is($first->{chat_name}, 'Hamba', "$when: name of the chat");
    is($first->{direction}, 'incoming', "$when: a Message");
    is($r->{json}{meta}{hasMore}, JSON::PP::false, "$when: no more");
    is(texts(search('cs1', 'q=maal+zak')), 'Assalamualaikum, saya mau bayar'
        . ' zakat maal', "$when: two words, the second half typed");
    is(texts(search('cs1', 'q=%22terima+kasih%22')) =~ /^Zakat/, 1,
        "$when: a phrase");
    is(texts(search('cs1', 'q=%22kasih+terima%22')), '', "$when: no phrase");
    is(search('cs1', 'q=' . $_)->{status}, 200, "$when: $_")
        for qw(%22 %2A AND%20NOT %27%3B-- NEAR%28a scope%3As1);
    ok(indexed(), 'indexed') if $when eq 'at once';
}

my $page = search('cs1', 'q=zakat&limit=1');
is($page->{json}{meta}{hasMore}, JSON::PP::true, 'there is more');
like($page->{json}{meta}{next}, qr/^\d+$/, 'cursor');
$page = search('cs1', "q=zakat&limit=1&before=$page->{json}{meta}{next}");
like(texts($page), qr/^Assalam/, 'the next page');
is($page->{json}{meta}{next}, undef, 'the last one');

# ---- people ----

is(names(search('cs1', 'q=aminah')),
    'Aminah Tanpa Obrolan|Hj. Siti Aminah', 'by name');
is(names(search('cs1', 'q=aminah+siti')), 'Hj. Siti Aminah', 'in any order');
is(names(search('cs1', "q=$_")), 'Hj. Siti Aminah', "by $_")
    for qw(0812-1000-0007 %2B62+812+1000+0007 081210000007 10000007);
is(names(search('cs1', 'q=%25')), '', 'no wildcard');
my $who = search('cs1', 'q=siti+aminah&in=contacts');
is($who->{json}{data}{contacts}[0]{phone}, '6281210000007', 'phone');
ok($who->{json}{data}{contacts}[0]{segment}, 'segment');
is(texts(search('cs1', 'q=zakat&in=contacts')), '', 'in=contacts');
is(names(search('cs1', 'q=aminah&in=messages')), '', 'in=messages');
$who = search('cs1', 'q=aminah&in=contacts&limit=1');
is(names(search('cs1', 'q=aminah&in=contacts&limit=1&before='
    . $who->{json}{meta}{next})), 'Hj. Siti Aminah', 'pages of people');

# ---- what is refused ----

for my $bad (['', 'q'], ['q=', 'q'], ['q=+', 'q'], ['q=' . 'x' x 201, 'q'],
    ['q=x&in=y', 'in'], ['q=x&limit=0', 'limit'], ['q=x&before=y', 'before']) {
    my $r = search('cs1', $bad->[0]);
    is($r->{status}, 422, substr("$bad->[0] ", 0, 20) . ': 422');
    ok($r->{json}{errors}{$bad->[1]}, "  of $bad->[1]");
}
is(search('cs1', 'q=' . '%C3%A9' x 200)->{status}, 200, '200 letters');
is($d->api(GET => '/api/crm/search?q=x')->{status}, 401, 'without a token');
is(search('cs1', 'q=zakat&session_id=nowhere')->{status}, 404, 'no session');

# ---- the inbox ----

sub inbox {
    my $r = $d->api(GET => "/api/crm/inbox?$_[0]", token => $token{cs1});
    return join '|', map { $_->{phone} } @{$r->{json}{conversations}};
}
is(inbox('search=assalamualaikum'), '6281210000007', 'inbox: an old message');
is(inbox('search=zakat'), '6281210000008|6281210000007', 'inbox: its order');
is(inbox('search=zakat&filter=starred'), '', 'inbox: with a filter');
is(inbox('search=aminah'), '6281210000007', 'inbox: by name, as before');
is(inbox('search=ok'), '6281210000008', 'inbox: by last message, as before');

# ---- who may see it ----

$d->change("INSERT INTO sessions (account_id, remote_id, session_id, user_id,"
    . " name, created_at, updated_at) SELECT 1, 'secret', 'secret', id, 'x',"
    . " 0, 0 FROM users WHERE email = 'cs2\@test.example'");
$d->change("INSERT INTO contacts (phone, name, created_at, updated_at)"
    . " VALUES ('6281277777777', 'Milik Cs2', 0, 0)");
$d->change("INSERT INTO chats (session_id, contact_id) SELECT s.id, k.id"
    . " FROM sessions s, contacts k WHERE s.session_id = 'secret'"
    . " AND k.phone = '6281277777777'");
$d->change("INSERT INTO messages (session_id, chat_id, direction, ts, type,"
    . " body, status, created_at) SELECT session_id, id, 0, 1, 'text',"
    . " 'zakat rahasia', 3, 1 FROM chats ORDER BY id DESC LIMIT 1");
for my $when ('at once', 'indexed') {
    is(texts(search('cs1', 'q=rahasia')), '', "$when: not another's message");
    is(names(search('cs1', 'q=milik')), '', "$when: nor their people");
    is(texts(search('cs2', 'q=rahasia')), 'zakat rahasia', "$when: the owner");
    is(names(search('cs2', 'q=milik')), 'Milik Cs2', "$when: the people, too");
    is(texts(search($_, 'q=rahasia')), 'zakat rahasia', "$when: $_")
        for qw(supervisor admin);
    is(search('cs1', 'q=rahasia&session_id=secret')->{status}, 404,
        "$when: nor by its name");
    is(texts(search('admin', 'q=zakat&session_id=secret')), 'zakat rahasia',
        "$when: one session");
    is(texts(search('cs2', 'q=zakat&session_id=demo')) =~ /rahasia/, '',
        "$when: the other one");
    indexed();
}

# ---- edits and deletions ----

$d->change("UPDATE messages SET body = 'infak subuh' WHERE wa_id = 'SRCH2'");
$d->change("UPDATE messages SET deleted_at = 1 WHERE wa_id = 'SRCH3'");
for my $when ('at once', 'indexed') {
    is(texts(search('cs1', 'q=subuh')), 'infak subuh', "$when: the new words");
    is(texts(search('cs1', 'q=rekeningnya')), '', "$when: not the old ones");
    is(texts(search('cs1', 'q=fitrah')), '', "$when: nor what was deleted");
    $d->wait_for(sub { $d->sql('SELECT count(*) FROM search_changes'
        . ' WHERE body IS NOT NULL') == 0 }, 10);
}

# ---- the file ----

my $file = "$d->{dir}/search.db";
my ($rc, $out) = $d->ctl(['search', 'rebuild']);
is($rc, 0, 'wacrmctl search rebuild') or diag($out);
is(texts(search('cs1', 'q=subuh')), 'infak subuh', 'complete meanwhile');
ok($d->wait_for(sub { my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    $m->{wacrm_search_rebuilds_total} == 1
        && $m->{wacrm_search_lag_messages} == 0 }, 10), 'made anew');
unlink $file;
is(texts(search('cs1', 'q=subuh')), 'infak subuh', 'the file is lost');
ok($d->wait_for(sub { -e $file }, 10), 'and there again');

$d->wacrmd_stop;
open my $fh, '+<', $file or die "$file: $!";
print $fh 'x' x 20000;
close $fh;
$d->wacrmd_start;
is(texts(search('cs1', 'q=subuh')), 'infak subuh', 'the file is damaged');
ok(indexed(), 'made anew');
is(texts(search('cs1', 'q=subuh')), 'infak subuh', 'found by the new one');

$d->wacrmd_stop;
($rc, $out) = $d->ctl(['search', 'rebuild']);
is($rc, 0, 'rebuild while wacrmd is down') or diag($out);
ok(!-e $file, 'the file is gone');
($rc, $out) = $d->ctl(['backup', "$d->{dir}/copy.db"]);
is($rc, 0, 'backup') or diag($out);
$d->wacrmd_start;
ok(indexed(), 'indexed');
hears('6281210000009', 'sesudah cadangan');
ok($d->applied, 'a message after the backup');
ok(indexed(), 'indexed');
$d->wacrmd_stop;
($rc, $out) = $d->ctl(['restore', "$d->{dir}/copy.db"]);
is($rc, 0, 'restore') or diag($out);
ok(!-e $file, 'the index of the old database is gone');
$d->wacrmd_start;
is(texts(search('cs1', 'q=subuh')), 'infak subuh', 'restored');
is(texts(search('cs1', 'q=cadangan')), '', 'nothing of later');

# ---- the inbox is exact, however many there are ----

$d->change("INSERT INTO contacts (phone, name, created_at, updated_at) WITH"
    . " RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i <"
    . " 6000) SELECT 628990000000 + i, CASE i WHEN 0 THEN 'Jarum Jerami' ELSE"
    . " 'Banyak Orang' END, 0, 0 FROM n");
$d->change("INSERT INTO chats (session_id, contact_id, last_ts) SELECT s.id,"
    . " k.id, k.id * 1000 FROM sessions s, contacts k WHERE s.session_id ="
    . " 'demo' AND k.phone LIKE '62899%'");
$d->change("INSERT INTO messages (session_id, chat_id, direction, ts, type,"
    . " body, status, created_at) SELECT c.session_id, c.id, 0, 1, 'text',"
    . " CASE k.phone % 10 WHEN 3 THEN 'kata sering' ELSE 'lain' END, 3, 1"
    . " FROM chats c JOIN contacts k ON k.id = c.contact_id"
    . " WHERE k.phone LIKE '62899%'");
for my $when ('at once', 'indexed') {
    is(inbox('search=jarum'), '628990000000', "$when: the oldest of 6,000");
    for (['banyak', 6000], ['kata+sering', 600], ['0899', 6001]) {
        my ($text, $want) = @$_;
        my ($next, $last, $n, $sorted, %seen) = ('', 1e18, 0, 1);
        do {
            my $r = $d->api(GET => "/api/crm/inbox?limit=200&search=$text"
                . ($next ? "&before=$next" : ''), token => $token{cs1})->{json};
            for my $phone (map { $_->{phone} } @{$r->{conversations}}) {
                $sorted &&= $phone < $last;
                $last = $phone;
                $seen{$phone}++;
            }
            $next = $r->{meta}{next};
            $n++;
        } while ($next && $n < 100);
        is(scalar keys %seen, $want, "$when: all of $text");
        is(scalar(grep { $_ > 1 } values %seen), 0, "$when: each once");
        ok($sorted, "$when: the newest first");
    }
    indexed();
}

$d->done;
