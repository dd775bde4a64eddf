#!/usr/bin/env perl
# What an agent sees and may do: filters, search, pages, ETag, stars, figures,
# sessions; and that nobody reaches what is another's.

use strict;
use warnings;

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $CHATS = 120;
my $day = strftime('%Y-%m-%d', gmtime(time + 7 * 3600 - 40 * 86400));
my $d = Wacrm::Desk->new(
    donors => "phone,name,date,amount,fund,ref\n"
        . "081210000007,Hj. Aminah,$day,7500000,Zakat,R-1\n"
        . "081210000007,Hj. Aminah,$day,2500001,Infak,R-2\n"
        . "081210000008,Pak Darma,2020-01-05,50000,,R-3\n",
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=600r/ or die 'no zone' },
)->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);

sub as {
    my ($who, $method, $path, %opt) = @_;
    return $d->api($method, $path, token => $token{$who}, %opt);
}

sub inbox {
    my ($query, %opt) = @_;
    my $r = as('cs1', GET => "/api/crm/inbox?$query", %opt);
    die "inbox: $r->{status} $r->{body}" unless $r->{json};
    return $r->{json};
}

sub hook {
    my $r = $d->sim('/_sim/webhook', { @_ });
    die $r->{body} unless $r->{json} && $r->{json}{ok} == $r->{json}{sent};
}

sub phones { map { $_->{phone} } @{$_[0]{conversations}} }
sub same { join ' ', sort @_ }
sub seconds_ago { int((time - $_[0]) * 1000) }

# ---- 120 chats, the oldest written first ----

hook(from => '6281210000000', name => 'Awal', text => 'yang pertama',
    id => 'FIRST', timestamp => seconds_ago(3000));
hook(count => $CHATS, donors => $CHATS, concurrency => 8, name => 'Hamba',
    text => 'pesan ke-{n}');
ok($d->applied, 'the chats are there');
my $total = $d->sql('SELECT count(*) FROM chats');
is($total, $CHATS, "$CHATS of them");

# ---- a line ----

my $all = inbox('limit=200');
is(scalar @{$all->{conversations}}, $CHATS, 'limit=200 gives all');
is($all->{meta}{hasMore}, JSON::PP::false, 'no more');
is($all->{meta}{next}, undef, 'no cursor');
my %by = map { $_->{phone} => $_ } @{$all->{conversations}};
my $donor = $by{6281210000007}{donatur};
is($donor->{lifetime_value}, 10000001, 'lifetime value');
is($donor->{donation_count}, 2, 'donation count');
is($donor->{avg_donation}, 5000001, 'average, rounded half up')
    or diag(explain($donor));
is($donor->{last_donation}, $day, 'last donation');
is($donor->{segment}, 'VIP', 'VIP by twelve months');
cmp_ok($donor->{engagement_score}, '>', 0, 'a score');
is($by{6281210000008}{donatur}{segment}, 'Lapsed', 'Lapsed after years');
is($by{6281210000009}{donatur}{segment}, 'New', 'New without gifts');
is($by{6281210000009}{donatur}{avg_donation}, undef, 'no average');
is($by{6281210000007}{name}, 'Hj. Aminah', 'the name that a person gave stays');
is(scalar(grep { !length $_->{name} } values %by), 0, 'no empty name');
is(scalar(grep { ref $_->{last_message} || !defined $_->{last_message} }
    values %by), 0, 'last messages are strings');
is(scalar(grep { $_->{timestamp} !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ }
    values %by), 0, 'times are ISO');
is(join(',', map { $_->{timestamp} } @{$all->{conversations}}),
    join(',', reverse sort map { $_->{timestamp} } @{$all->{conversations}}),
    'newest first');
is(scalar @{inbox('')->{conversations}}, 50, '50 by default');

# ---- filters, star, read ----

my $one = $by{6281210000011};
my $r = as('cs1', POST => "/api/crm/inbox/$one->{id}/star");
is($r->{json}{is_starred}, JSON::PP::true, 'star');
is(same(phones(inbox('filter=starred'))), $one->{phone}, 'filter=starred');
is(inbox('filter=starred')->{conversations}[0]{is_starred}, JSON::PP::true,
    'on the wire');
is(as('cs1', POST => "/api/crm/inbox/$one->{id}/star")->{json}{is_starred},
    JSON::PP::false, 'toggles');
is(scalar phones(inbox('filter=starred')), 0, 'none is starred');
is(as('cs1', POST => "/api/crm/inbox/$one->{id}/read")->{json}{unread_count},
    0, 'read');
is(scalar(() = phones(inbox('filter=unread&limit=200'))), $CHATS - 1,
    'filter=unread');
is(scalar(() = phones(inbox('filter=nonsense&limit=200'))), $CHATS,
    'an unknown filter is all');
is(scalar phones(inbox('filter=failed')), 0, 'filter=failed');

# ---- search ----

is(same(phones(inbox('search=aminah'))), '6281210000007', 'by name, any case');
is(same(phones(inbox('search=0812-1000-0008'))), '6281210000008',
    'by a phone as people write it');
is(same(phones(inbox('search=62812100000099'))), '', 'by a phone of nobody');
is(same(phones(inbox('search=ke-77'))), '6281210000076',
    'by the last message');
is(same(phones(inbox('search=%25'))), '', '% is no wildcard');
is(same(phones(inbox('search=_'))), '', 'nor is _');
is(same(phones(inbox('search=h_zz'))), '', 'nor between letters');
is(scalar(() = phones(inbox('search=hamba&limit=200'))),
    scalar(grep { $_->{name} =~ /hamba/i } values %by),
    'the whole list is looked through');

# ---- what is refused ----

for my $bad (qw(limit=0 limit=201 limit=-1 limit=x limit=1.5 limit=
        limit=99999999999999999999)) {
    $r = as('cs1', GET => "/api/crm/inbox?$bad");
    is($r->{status}, 422, "$bad: 422");
    is(ref $r->{json}{errors}{limit}, 'ARRAY', "$bad: errors.limit");
}
for my $bad ('before=x', 'before=1', 'search=' . 'a' x 201) {
    is(as('cs1', GET => "/api/crm/inbox?$bad")->{status}, 422,
        substr($bad, 0, 12) . ': 422');
}
is(as('cs1', GET => "/api/crm/inbox/$one->{id}?limit=0")->{status}, 422,
    'a chat: limit=0');
is(as('cs1', GET => "/api/crm/inbox/$one->{id}?before=999999")->{status}, 422,
    'a chat: before of nothing');
is(as('cs1', GET => "/api/crm/inbox/$_")->{status}, 404, "chat $_")
    for '999999', 'x', '-1', '1%2F2', '99999999999999999999';
$r = as('cs1', DELETE => '/api/crm/inbox');
is($r->{status}, 405, 'DELETE: 405');
like($r->{headers}{allow}, qr/GET/, 'with Allow');
is(as('cs1', GET => '/api/crm/nothing')->{status}, 404, 'no route: 404');

# ---- pages, while people go on writing ----

my (%seen, @order, $cursor);
my ($pages, $moved) = (0, 0);
do {
    my $page = inbox('limit=17' . (defined $cursor ? "&before=$cursor" : ''));
    $pages++;
    my @now = phones($page);
    $seen{$_}++ for @now;
    push @order, map { $_->{timestamp} } @{$page->{conversations}};
    # a new chat, and one that was on this page: both go to the top
    hook(from => "62812200000$pages" . '0', text => 'baru');
    hook(from => $now[0], text => 'lagi');
    $d->applied;
    $cursor = $page->{meta}{next};
    is(defined $cursor, !!$page->{meta}{hasMore}, "page $pages: next");
} while (defined $cursor && $pages < 20);
is($pages, 8, 'eight pages of 17');
is(scalar(grep { !$seen{$_} } keys %by), 0, 'no chat is missing');
is(scalar(grep { $seen{$_} > 1 } keys %seen), 0, 'none comes twice');
is(join(',', @order), join(',', reverse sort @order), 'newest first over all');

# ---- a chat by pages ----

my ($busy) = map { $_->{id} } grep { $_->{phone} eq '6281210000000' }
    values %by;
hook(from => '6281210000000', text => "seri {n}", count => 60);
ok($d->applied, '60 messages in one chat');
my (@texts, $before);
$pages = 0;
do {
    my $page = as('cs1', GET => "/api/crm/inbox/$busy?limit=25&shape=native"
        . (defined $before ? "&before=$before" : ''))->{json};
    is($page->{data}, undef, 'shape=native has no data') if !$pages++;
    unshift @texts, map { $_->{message} } @{$page->{messages}};
    $before = $page->{meta}{before};
    hook(from => '6281210000000', text => 'sementara itu') and $d->applied;
} while (defined $before && $pages < 9);
is(scalar @texts, $d->sql("SELECT count(*) FROM messages WHERE chat_id = $busy"
    . " AND body <> 'sementara itu'"), 'all messages, each once');
is(join(',', grep { /^seri/ } @texts), join(',', map { "seri $_" } 1 .. 60),
    'oldest first');
# From a message in the midst of it, both ways.
my $at = sub {
    my $page = as('cs1', GET => "/api/crm/inbox/$busy?shape=native&$_[0]")
        ->{json};
    return ([grep { /^seri/ } map { $_->{message} } @{$page->{messages}}],
        $page->{meta}, map { $_->{id} } @{$page->{messages}});
};
my $hit = $d->sql("SELECT id FROM messages WHERE chat_id = $busy"
    . " AND body = 'seri 30'");
my ($found, $meta, @ids) = $at->("around=$hit&limit=5");
is(join(',', @$found), join(',', map { "seri $_" } 28 .. 32),
    'around a message');
is_deeply($meta, { hasMore => JSON::PP::true, before => $ids[0],
    hasNewer => JSON::PP::true, after => $ids[-1] }, 'both ways go on');
my @newer = @$found;
while ($meta->{hasNewer}) {
    (my $more, $meta) = $at->("after=$meta->{after}&limit=7");
    push @newer, @$more;
}
is(join(',', @newer), join(',', map { "seri $_" } 28 .. 60),
    'downwards to the newest, each once');
is($meta->{after}, undef, 'and there it ends');
for my $bad ("around=$hit&before=$hit", "after=$hit&around=$hit", 'after=0',
    'around=x', 'around=999999', 'after=999999') {
    is(as('cs1', GET => "/api/crm/inbox/$busy?$bad")->{status}, 422,
        "a chat: $bad");
}

is_deeply(as('cs1', GET => "/api/crm/inbox/$busy")->{json}{conversation},
    (grep { $_->{id} eq $busy } @{as('cs1', GET =>
        '/api/crm/inbox?limit=200')->{json}{conversations}})[0],
    'with its line, as the inbox has it');

# ---- ETag ----

for my $path ('/api/crm/inbox?limit=200', "/api/crm/inbox/$busy?limit=5") {
    $r = as('cs1', GET => $path);
    my $tag = $r->{headers}{etag};
    like($tag, qr/^(?:W\/)?"[^"]+"$/, 'an ETag');
    is($r->{headers}{'cache-control'}, 'private, no-cache', 'private');
    like($r->{headers}{vary}, qr/Authorization/, 'varies by who asks');
    my %if = ('If-None-Match' => $tag);
    $r = as('cs1', GET => $path, headers => \%if);
    is($r->{status}, 304, 'unchanged: 304');
    is($r->{body}, '', 'without a body');
    hook(from => '6281210000000', text => "perubahan $path");
    ok($d->applied, 'an event');
    $r = as('cs1', GET => $path, headers => \%if);
    is($r->{status}, 200, 'changed: 200');
    isnt($r->{headers}{etag}, $tag, 'another ETag');
}
$r = as('cs1', GET => '/api/crm/inbox?limit=200');
my %if = ('If-None-Match' => $r->{headers}{etag});
as('cs1', POST => "/api/crm/inbox/$busy/star");
is(as('cs1', GET => '/api/crm/inbox?limit=200', headers => \%if)->{status}, 200,
    'one sees what one changed');
as('cs1', POST => "/api/crm/inbox/$busy/star");
is(as('cs1', GET => '/api/crm/inbox?limit=200', headers => \%if)->{status}, 304,
    'and what one changed back');

# ---- another session ----

hook(from => '6281999000001', text => 'rahasia kantor lain', id => 'OTHER1',
    session => 'lain', name => 'Orang Lain');
ok($d->applied, 'a second session');
$d->change("UPDATE sessions SET user_id = (SELECT id FROM users WHERE email ="
    . " 'cs2\@test.example') WHERE session_id = 'lain'");
my ($chat, $message) = @{($d->sql("SELECT chat_id, id FROM messages"
    . " WHERE wa_id = 'OTHER1'"))[0]};
is(same(phones(as('cs2', GET => '/api/crm/inbox?session_id=lain')->{json})),
    '6281999000001', 'session_id names it');
is(same(phones(as('cs2', GET => '/api/crm/inbox',
    headers => { 'X-Session-Id' => 'lain' })->{json})), '6281999000001',
    'so does X-Session-Id');
is(same(phones(as('cs2', GET => '/api/crm/inbox?session_id=lain',
    headers => { 'X-Session-Id' => 'demo' })->{json})), '6281999000001',
    'the query goes first');
my %stars = map { $_ => [phones(as($_, GET =>
    '/api/crm/inbox?session_id=*&limit=200')->{json})] } keys %token;
is(scalar(grep { $_ eq '6281999000001' } @{$stars{$_}}), $_ eq 'cs1' ? 0 : 1,
    "session_id=* of $_") for sort keys %stars;
is(scalar(grep { $_ eq '6281999000001' } phones(as('cs2',
    GET => '/api/crm/inbox?limit=200')->{json})), 0,
    'the default session is the one that is meant');
$d->change("UPDATE users SET active_session_id = (SELECT id FROM sessions"
    . " WHERE session_id = 'lain') WHERE email = 'cs2\@test.example'");
is(same(phones(as('cs2', GET => '/api/crm/inbox')->{json})), '6281999000001',
    'unless one has an active session');
is(as('cs2', GET => '/api/auth/me')->{json}{user}{active_session_id}, 'lain',
    'which /api/auth/me tells');

# ---- what is another's, by query and body; by path: t/idor.t ----

my $state = sub { join '|', map { @$_ } $d->sql(
    "SELECT c.unread, c.starred, m.status, (SELECT count(*) FROM messages),"
    . " (SELECT count(*) FROM outbox) FROM chats c JOIN messages m"
    . " ON m.chat_id = c.id WHERE c.id = $chat") };
my $was = $state->();
for my $by (['?session_id=lain'], ['', 'X-Session-Id' => 'lain']) {
    my ($query, %headers) = @$by;
    my $how = $query || 'X-Session-Id';
    is(as('cs1', GET => "/api/crm/inbox$query", headers => \%headers)
        ->{status}, 404, "GET inbox $how: 404");
    is(as('cs1', POST => "/api/crm/messages/send$query",
        headers => \%headers, json => { phone => '6281999000001',
        message => 'x' })->{status}, 404, "POST send $how: 404");
}
$r = as('cs1', POST => '/api/crm/messages/send', json => {
    phone => '6281210000000', message => 'x', reply_to => $message });
is($r->{status}, 422, "reply_to another's message: 422");
is(as('cs1', GET => "/api/crm/inbox/$busy?$_=$message")->{status}, 422,
    "$_ another's message: 422") for qw(before after around);
is(same(phones(inbox('search=rahasia'))), '', 'no search finds it');
is($state->(), $was, 'nothing of it has changed');

$d->done;
