#!/usr/bin/env perl
# Values of every shape in every field of every route, forms that are none,
# files that pretend, and people who want to be more than they are: no answer
# is a 5xx or no JSON, nothing is in the log, and each change has one row in
# the audit.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $PHONE = '6281377788899';
my ($T, $F) = (JSON::PP::true, JSON::PP::false);
my $d = Wacrm::Desk->new(
    nginx => sub {
        s/(zone=(?:send|upload|login)\S*:1m +rate)=\d+r/$1=60000r/g
            or die 'no zones';
    },
    wacrmd => sub {
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s/^(first_per_minute|per_minute) = \d+/$1 = 0/mg or die 'no pace';
        s/^max_size = 16m/max_size = 1m/m or die 'no max_size';
        s{^;public_url *=.*}{public_url = https://crm.test.example}m;
    })->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
$d->event('message.received', { from => $PHONE, pushName => 'A',
    message => 'zakat fitrah', type => 'text', id => "HOSTILE000$_",
    timestamp => time }) for 1 .. 3;
ok($d->applied, 'a donor');
my $chat = $d->sql('SELECT id FROM chats');

sub ask {
    my ($who, $method, $path, %opt) = @_;
    return $d->api($method => "/api/crm/$path", token => $token{$who}, %opt);
}

# ---- each change, one row ----

my $contact = "contacts/$PHONE";
my $template = ask(admin => POST => 'templates', json =>
    { name => 'n', content => 'Halo {{name}} {{1}}' })->{json}{data}{id};
my @changes = (
    ['contact.change name', PATCH => $contact, { name => 'B' }],
    ['contact.change name vip', PATCH => $contact,
        { name => 'B', vip => $T }],
    ['note.add', POST => "$contact/notes", { note => 'n' }],
    ['reminder.add', POST => "$contact/reminders",
        { note => 'n', remind_at => '2999-01-01T00:00:00Z' }],
    ['reminder.close cancelled', PATCH => 'reminders/1',
        { state => 'cancelled' }],
    ['donation.add', POST => "$contact/donations", { amount => 5 }],
    ['consent.opt_out agent', POST => "$contact/consent",
        { state => 'opt_out' }],
    ['consent.opt_in agent', POST => "$contact/consent",
        { state => 'opt_in', note => 'x' }],
    ['user.add cs', POST => 'agents', { name => 'n', role => 'cs',
        email => 'z@x.example', password => '12345678' }],
    ['user.change supervisor off', PATCH => 'agents/5',
        { role => 'supervisor', active => $F }],
    ['chat.star on', POST => "inbox/$chat/star", {}],
    ['message.send agent', POST => 'messages/send',
        { phone => $PHONE, message => 'x' }],
    ['message.send template', POST => 'messages/template',
        { phone => $PHONE, template_id => $template,
          variables => { name => 'x', 1 => 'y' } }],
    ['message.send template', POST => 'messages/quick-reply',
        { phone => $PHONE, template_id => $template,
          variables => { name => 'x', 1 => 'y' } }],
    ['session.create', POST => 'whatsapp/sessions',
        { session_name => 's2' }],
    ['session.change name owner', PATCH => 'whatsapp/sessions/s2',
        { name => 'x', user_id => 3 }],
    ['session.members', PUT => 'whatsapp/sessions/s2/members',
        { user_ids => [3] }],
    ['session.reconnect', POST => 'whatsapp/sessions/s2/reconnect', {}],
    ['backfill', POST => 'whatsapp/sessions/s2/backfill', {}],
    ['gateway.connect main', POST => 'whatsapp/connect',
        { email => 'a@b.example', password => 'x' }],
    ['template.create', POST => 'templates',
        { name => 'n2', content => 'c' }],
    ['template.update', PUT => "templates/$template", { name => 'n' }],
    ['template.delete', DELETE => 'templates/2'],
    ['export donors', GET => 'export/donors.csv'],
    ['contact.export', GET => "$contact/export"],
);
for (@changes) {
    my ($want, $method, $path, $body) = @$_;
    my $last = $d->sql('SELECT max(id) FROM audit');
    my $r = ask(admin => $method => $path, $body ? (json => $body) : ());
    cmp_ok($r->{status}, '<', 300, "$method $path") or diag $r->{body};
    is(join("\n", map { "$_->[0] $_->[1]" } $d->sql('SELECT action,'
        . " coalesce(trim(detail), ''), user_id FROM audit WHERE id > $last"
        . ' AND user_id = 1')), $want =~ / / ? $want : "$want ",
        "is $want in the audit");
}

# ---- values of every shape ----

my @odd = ('""', '" "', '"x"', 0, -1, 1.5, '1e400', '-1e400', '1e308',
    '9223372036854775807', '9223372036854775808', '99999999999999999999999',
    '"99999999999999999999"', '"-1"', 'null', 'true', 'false', '[]', '{}',
    '[[]]', '[null]', '{"a":{"b":[1]}}', '"\\u0000"', '"\\ud800"',
    "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xff\"",
    '"\\u202e\\u200b\\ufeff"', '"\\r\\nX-Evil: 1"', '"' . 'a' x 5000 . '"',
    '"' . "\xf0\x9f\x98\x80" x 5000 . '"', '"\'; DROP TABLE x;--"',
    '"{{{{1}}}}"', '"9999-12-31T23:59:59Z"', '"0000-00-00"', '"2024-02-30"',
    '"../../../etc/passwd"', '"*"', '"http://169.254.169.254/"',
    '[' . join(',', (1) x 3000) . ']', '[' x 200 . ']' x 200);
my @raw = ('', 'null', '[]', '"x"', '{', '{"a":1,"a":2}', '{' x 300,
    "\xff\xfe", '{"x":' . '[' x 1000 . ']' x 1000 . '}', '{}x', "\0",
    '{"role":"admin","id":1,"user_id":1,"password_hash":"x","opted_out":0,'
    . '"segment":"Major","lifetime_value":1e9,"phone":"628111"}');
my %bad;

sub shoot {
    my ($who, $method, $path, $what, %opt) = @_;
    my $r = ask($who, $method, $path, %opt);
    my $file = ($r->{headers}{'content-type'} || '') =~ /csv/;
    $bad{"$method $path $what"} = "$r->{status} $r->{body}"
        if !$r->{status} || $r->{status} >= 500 && $r->{status} != 503
        || !defined $r->{json} && !$file;
    return $r;
}

my @bodies = grep { $_->[3] && %{$_->[3]} } @changes,
    [merge => POST => 'contacts/merge', { from => $PHONE, into => $PHONE }],
    [media => POST => 'media', { file => { name => 'a', base64 => 'QUJD' } }],
    [send => POST => 'messages/send', { phone => $PHONE, message => 'm',
        type => 'text', reply_to => 1, seen_seq => 999, media_id => undef,
        scheduled_at => undef, url => undef, file => undef }],
    [switch => POST => 'switch-session', { session_id => 'demo' }],
    [erase => DELETE => 'contacts/6280000000001', { confirm => 'x' }];
for (@bodies) {
    my (undef, $method, $path, $body) = @$_;
    for my $field (sort keys %$body) {
        for my $odd (@odd) {
            shoot(admin => $method, $path, "$field " . substr($odd, 0, 40),
                headers => { 'Content-Type' => 'application/json' },
                body => '{' . join(',', map { $json->encode($_) . ':'
                    . ($_ eq $field ? $odd : $json->encode($body->{$_})) }
                    sort keys %$body) . '}');
        }
    }
    shoot(admin => $method, $path, 'raw ' . substr($_, 0, 40), body => $_,
        headers => { 'Content-Type' => 'application/json' }) for @raw;
    shoot(admin => $method, $path, "type $_", body => '{}',
        headers => { 'Content-Type' => $_ }) for 'text/plain',
        'multipart/form-data', 'multipart/form-data; boundary="';
}

my @query = qw{%00 %ff %c0%af %ed%a0%80 %22 %27 %5c * a* %22a NEAR(a%20b)
    body%3Aa scope%3As1 a%20AND%20b a%20OR NOT -a %2Ba %5Ea ( %22%22 %25 _
    0 -1 1e3 9223372036854775808 99999999999999999999 1-1 1-1-1
    7fffffffffffffff-7fffffffffffffff ffffffffffffffff-1 %e2%80%ae};
push @query, 'a' x 200, 'a%20' x 66;
for (['audit', qw(user contact action before limit)],
     ['contacts', qw(search before limit)], ['merges', qw(before)],
     ['reminders', qw(state before)], ['dashboard', 'session_id'],
     ['reports/lybunt', qw(year start_month same_date before limit)],
     ['reports/retention', 'year'], ['reports/rfm', 'x'],
     ['inbox', qw(filter search before limit session_id)],
     ["inbox/$chat", qw(before limit shape session_id)],
     ['search', qw(q in before limit session_id)],
     ['templates', qw(search limit)], [$contact, 'session_id'],
     ["$contact/picture", 'session_id'], ['export/donors.csv', 'x']) {
    my ($path, @names) = @$_;
    for my $name (@names) {
        shoot(admin => GET => "$path?$name=$_", '') for @query;
    }
}
# nginx itself refuses a %00 in a path
for my $value ((grep { $_ ne '%00' } @query), '', '8' x 30, map { '8' x $_ } 1 .. 20) {
    shoot(admin => GET => sprintf($_, $value), '') for 'contacts/%s',
        'contacts/%s/consent', 'inbox/%s', 'templates/%s', 'media/%s',
        'whatsapp/sessions/%s/status', 'whatsapp/sessions/%s/backfill';
    shoot(admin => GET => 'inbox', "X-Session-Id $value",
        headers => { 'X-Session-Id' => $value });
}
is(join("\n", map { "$_: $bad{$_}" } sort keys %bad), '',
    'nothing of it makes a fault');
is($d->sql('SELECT group_concat(role) FROM users WHERE id < 5'),
    'admin,supervisor,cs,cs', 'and all are who they were');

# ---- what a search understands ----

sub hits {
    my $r = ask(cs1 => GET => 'search?in=messages&q=' . join '',
        map { sprintf '%%%02x', ord } split //, $_[0]);
    return scalar @{$r->{json}{data}{messages} || []};
}
ok($d->wait_for(sub { hits('zakat') == 3 }), 'found');
is(hits($_), 3, "found by $_") for 'zak', 'ZAKAT', '"zakat"', 'zakat*';
is(hits($_), 0, "not by $_") for 'body:zakat', 'zakat OR x', 'scope:s1';

# ---- forms ----

sub part {
    my ($name, $value, $file) = @_;
    return "--x\r\nContent-Disposition: form-data; name=\"$name\""
        . (defined $file ? "; filename=\"$file\"" : '')
        . "\r\n\r\n$value\r\n";
}

sub form {
    my ($path, $body, $type) = @_;
    return shoot(cs1 => POST => $path, 'form', body => $body, headers =>
        { 'Content-Type' => $type || 'multipart/form-data; boundary=x' });
}

for (['no boundary', 'x', 'multipart/form-data'], ['nothing', ''],
     ['only an end', "--x--\r\n"],
     ['thousands of parts', join('', map { part("f$_", 1) } 1 .. 3000)
         . "--x--\r\n"],
     ['a header of 70 KB', "--x\r\nX: " . 'a' x 70000 . "\r\n"
         . substr(part('file', 'x', 'a'), 5) . "--x--\r\n"],
     ['two files', part('file', 'A', 'a') . part('file', 'B', 'b')
         . "--x--\r\n"],
     ['a NUL in a name', part('file', 'A', "a\0b") . "--x--\r\n"],
     ['a line end in a name', part('file', 'A', "a\r\nX-Evil: 1")
         . "--x--\r\n"],
     ['a name that is no UTF-8', part('file', 'A', "\xe9") . "--x--\r\n"],
     ['a name of 300 bytes', part('file', 'A', 'a' x 300) . "--x--\r\n"],
     ['a boundary of 71', 'x', 'multipart/form-data; boundary=' . 'x' x 71]) {
    my ($what, $body, $type) = @$_;
    like(form('media', $body, $type)->{status}, qr/^4(?:00|22)$/, $what);
}
for (['../../etc/passwd', 'passwd.txt'], ['..\\..\\x.txt', 'x.txt'],
     ['a\\"b.txt', 'a"b.txt'], ['..', '...txt'],
     ['%0d%0ax.csv', '%0d%0ax.csv']) {
    my $r = form('media', part('file', 'teks', $_->[0]) . "--x--\r\n");
    is($r->{json}{data}{filename}, $_->[1], "the name $_->[0]");
}

# ---- files that pretend, and who may have them ----

for (['a.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'],
     ['a.html', '<html><script>alert(1)</script>']) {
    my $r = form('media', part('file', $_->[1], $_->[0]) . "--x--\r\n");
    my $back = $d->api(GET => $r->{json}{data}{url});
    is($back->{headers}{'content-type'}, 'text/plain', "$_->[0] is text");
    is($back->{headers}{'x-content-type-options'}, 'nosniff', 'and stays it');
    like($back->{headers}{'content-disposition'},
        qr/^attachment; filename="$_->[0]\.txt"/, 'to be saved as text');
}
is(form('media', part('file', 'a' x (1 << 20), 'a.txt') . "--x--\r\n")
    ->{status}, 201, 'a file of exactly the limit');
is(form('media', part('file', 'a' x ((1 << 20) + 1), 'a.txt') . "--x--\r\n")
    ->{status}, 413, 'and a byte more');

my $url = ask(cs1 => POST => 'media', json => { file => {
    name => "a\r\nX-Evil: 1.txt", base64 => 'QUJDRA==' } })
    ->{json}{data}{url};
my $r = $d->api(GET => $url);
is("$r->{status} $r->{body}", '200 ABCD', 'a signed address');
is($r->{headers}{'x-evil'}, undef, 'a name makes no header');
for (['bytes=0-0', 206], ['bytes=-1', 206], ['bytes=5-1', 416],
     ['bytes=99999999999999999999-', 416],
     ['bytes=' . join(',', map { "0-$_" } 1 .. 300), 200]) {
    $r = $d->api(GET => $url, headers => { Range => $_->[0] });
    is($r->{status}, $_->[1], 'Range ' . substr $_->[0], 0, 30);
}
my ($path, %signed) = ($url =~ /^([^?]+)/, $url =~ /[?&](\w+)=([^&]+)/g);
for ({ expires => $signed{expires} + 86400 }, { expires => -1 },
     { user => 1 }, { user => 4 }, { user => 0 }, { user => "0$signed{user}" },
     { signature => '0' x 64 }, { signature => uc $signed{signature} }) {
    my %with = (%signed, %$_);
    is($d->api(GET => "$path?" . join '&', map { "$_=$with{$_}" } sort keys
        %with)->{status}, 404, join ' ', 'another', %$_);
}
(my $id = $path) =~ s{.*/}{};
is(ask(cs2 => GET => "media/$id")->{status}, 404, 'another CS');
is($d->api(POST => '/api/crm/messages/send', token => $token{cs2}, json => {
    phone => $PHONE, type => 'document', media_id => $id })->{status}, 422,
    'who may not send it either');

# ---- who wants to be more ----

for my $who (qw(cs1 supervisor)) {
    is(ask($who, $_->[0] => $_->[1], json => $_->[2])->{status}, 403,
        "$who: $_->[0] $_->[1]") for
        [PATCH => 'agents/3', { role => 'admin' }],
        [PATCH => 'agents/2', { role => 'admin' }],
        [POST => 'agents', { name => 'x', email => 'h@x.example',
            role => 'admin', password => '12345678' }],
        [POST => 'import', {}], [GET => 'audit'],
        [POST => 'whatsapp/connect', { email => 'a', password => 'b' }],
        [DELETE => $contact, { confirm => $PHONE }],
        [GET => "$contact/export"];
}
is(ask(cs1 => $_->[0] => $_->[1], json => $_->[2] || {})->{status}, 403,
    "cs1: $_->[0] $_->[1]") for
    [GET => 'merges'], [GET => 'export/donors.csv'], [GET => 'reports/rfm'],
    [POST => 'templates', { name => 'z', content => 'c' }],
    [PATCH => $contact, { vip => $T }], [DELETE => 'whatsapp/sessions/demo'],
    [PUT => 'whatsapp/sessions/demo/members', { user_ids => [3] }],
    [POST => 'merges/1/undo'];
for ({ active => $F }, { role => 'cs' }) {
    is(ask(admin => PATCH => 'agents/1', json => $_)->{json}{code},
        'last_admin', 'the last administrator stays');
}
is(ask(admin => PATCH => 'agents/4', json => { active => $F })->{status},
    200, 'an agent is switched off');
is(ask(cs2 => GET => 'inbox')->{status}, 401, 'and out at once');

# ---- what is told to others ----

my $log = $d->log . $d->{nginx}->read('error.log')
    . $d->{nginx}->request(GET => '/metrics/wacrmd')->{body};
unlike($log, qr/$_/, 'no log and no metric has it') for $PHONE, 'eyJ',
    'rahasia-sekali', 'secret-of-the-test', 'zakat fitrah';
$d->sound;
$d->done;
