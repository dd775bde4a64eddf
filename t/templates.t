#!/usr/bin/perl
# Templates and quick replies: who writes them, what is filled in, what goes
# out, and what does not.

use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Wacrm::Agents;
use Wacrm::Desk;

my $d = Wacrm::Desk->new->start;
my $cs = $d->login('cs1@test.example');
my $lead = $d->login('supervisor@test.example');

sub call {
    my ($token, $method, $path, @more) = @_;
    return expect($d, $token, $method => "/api/crm/$path", @more);
}

sub errors { join ' ', sort keys %{$_[0]{errors} || {}} }

# ---- writing ----

is_deeply(call($cs, GET => 'templates', undef, 200, 'none yet')->{data}, [],
    'an empty list');
call($cs, POST => 'templates', { name => 'a', content => 'b' }, 403,
    'a CS does not write templates');
my $j = call($lead, POST => 'templates', {}, 422, 'nothing told');
is(errors($j), 'content name', 'both are required');
is($j->{message}, 'The name field is required.', 'in the words of Laravel');
$j = call($lead, POST => 'templates', { name => 'Terima kasih',
    content => 'Halo {{ name }}, donasi {{1}} untuk {{2}}. {{name}} {{x y}}' },
    201, 'a template');
my $id = $j->{data}{id};
is_deeply($j->{data}{variables}, ['1', '2', 'name'],
    'its variables, each once');
$j = call($lead, POST => 'templates', { name => 'Terima kasih',
    content => 'x' }, 422, 'the same name');
is($j->{errors}{name}[0], 'The name has already been taken.', 'is taken');
my $plain = call($lead, POST => 'templates', { name => 'Jam buka',
    content => "Senin\x{2013}Jumat 100%_ok" }, 201, 'another')->{data}{id};
$j = call($cs, GET => 'templates', undef, 200, 'a CS reads');
is(join('|', map { $_->{name} } @{$j->{data}}), 'Jam buka|Terima kasih',
    'by name');
$j = call($cs, GET => 'templates?search=DONASI', undef, 200, 'search');
is(scalar @{$j->{data}}, 1, 'in the content, too');
$j = call($cs, GET => 'templates?search=%25_', undef, 200, 'search of %_');
is($j->{data}[0]{id}, $plain, 'means these characters');
is(scalar @{$j->{data}}, 1, 'and no others');
call($cs, GET => 'templates?limit=0', undef, 422, 'a limit of 0');
is(call($cs, GET => "templates/$plain", undef, 200, 'one')->{data}{name},
    'Jam buka', 'is it');
call($cs, GET => 'templates/99999', undef, 404, 'none');
call($cs, PUT => "templates/$plain", { name => 'x' }, 403, 'no change by a CS');
$j = call($lead, PUT => "templates/$plain", { language => 'id' }, 200,
    'a change');
is($j->{data}{language}, 'id', 'is there');
is($j->{data}{name}, 'Jam buka', 'the rest stays');
$j = call($lead, PUT => "templates/$plain", { language => undef }, 200,
    'null takes it away');
is($j->{data}{language}, undef, 'gone');
call($lead, PUT => "templates/$plain", { name => 'Terima kasih' }, 422,
    'a name that is taken');
call($lead, PUT => "templates/$plain", { content => '' }, 422, 'no content');
call($lead, PUT => 'templates/99999', { name => 'q' }, 404, 'none to change');
call($cs, DELETE => "templates/$plain", undef, 403, 'a CS deletes none');

# ---- sending ----

my %send = (phone => '081234567890', template_id => $id);
$j = call($cs, POST => 'messages/template', {}, 422, 'nothing told');
is(errors($j), 'phone template_id', 'what is missing');
$j = call($cs, POST => 'messages/template', { %send, template_id => 99999 },
    422, 'no such template');
is($j->{errors}{template_id}[0], 'The selected template id is invalid.',
    'says so');
$j = call($cs, POST => 'messages/template', { %send,
    variables => { 1 => 'Rp 50.000', name => ' ' } }, 422, 'two missing');
is($j->{errors}{variables}[0], 'Missing variables: 2, name.', 'by name');
call($cs, POST => 'messages/template', { %send, variables => 'x' }, 422,
    'variables of another type');
$j = call($cs, POST => 'messages/template', { %send, variables =>
    { 1 => '{{2}}', 2 => 'b', name => 'c' } }, 422, 'a place in a value');
is(errors($j), 'variables', 'is refused');
$j = call($cs, POST => 'messages/template', { %send, variables =>
    { 1 => 50000, 2 => 'sumur', name => 'Siti' } }, 200, 'all told',
    'Idempotency-Key' => 't1');
is($j->{data}{message}, 'Halo Siti, donasi 50000 untuk sumur. Siti {{x y}}',
    'filled in');
is($j->{data}{source}, 'template', 'source');
is($j->{data}{status}, 'queued', 'queued');
my $again = call($cs, POST => 'messages/template', { %send, variables =>
    { 1 => 50000, 2 => 'sumur', name => 'Siti' } }, 200, 'once more',
    'Idempotency-Key' => 't1');
is($again->{data}{id}, $j->{data}{id}, 'the same message');
call($cs, POST => 'messages/template', { %send, variables => {} }, 422,
    'errors come before the key', 'Idempotency-Key' => 't1');
ok($d->wait_for(sub { $d->calls(route => 'send.text') == 1 }), 'it goes out');
my ($call) = $d->calls(route => 'send.text');
is($call->{body}{message}, $j->{data}{message}, 'as text');

# an array is {{1}} ..
my $numbers = call($lead, POST => 'templates', { name => 'n',
    content => '{{2}}-{{1}}-{{10}}', gateway_name => 'donasi_masuk',
    language => 'id' }, 201, 'a template of the gateway')->{data};
is_deeply($numbers->{variables}, [1, 2, 10], 'numbers in their order');
$j = call($cs, POST => 'messages/template', { phone => '081234567891',
    template_id => $numbers->{id}, variables => ['a', 'b'] }, 422,
    'an array that is short');
is($j->{errors}{variables}[0], 'Missing variables: 10.', 'says what');
$j = call($cs, POST => 'messages/template', { phone => '081234567891',
    template_id => $numbers->{id}, variables => ['a' .. 'j'] }, 200,
    'one that is not');
is($j->{data}{message}, 'b-a-j', 'by position');
ok($d->wait_for(sub { $d->calls(route => 'send.template') == 1 }),
    'by the request for templates');
($call) = $d->calls(route => 'send.template');
is($call->{body}{template_id}, 'donasi_masuk', 'by its name there');
is_deeply($call->{body}{variables}, ['a', 'b', 'j'], 'with the values');

# ---- quick replies ----

$j = call($cs, POST => 'messages/quick-reply', { phone => '081234567890' },
    422, 'no template');
is(errors($j), 'template_id', 'is required');
$j = call($cs, POST => 'messages/quick-reply', { phone => '081234567890',
    template_id => $id }, 422, 'open places');
is(errors($j), 'variables', 'are not sent to anybody');
$j = call($cs, POST => 'messages/quick-reply', { phone => '081234567890',
    template_id => $plain }, 200, 'a quick reply');
is($j->{data}{message}, "Senin\x{2013}Jumat 100%_ok", 'its content');
is($j->{data}{source}, 'template', 'source');

# ---- stale ----

my $seen = $d->sql("SELECT value FROM counters WHERE name = 'event_seq'");
select undef, undef, undef, 0.01;
call($lead, POST => 'messages/send?session_id=demo',
    { phone => '081234567890', message => 'mine' }, 200, 'a colleague');
for my $route ('quick-reply', 'template') {
    $j = call($cs, POST => "messages/$route", { phone => '081234567890',
        template_id => $plain, seen_seq => $seen }, 409, "$route too late");
    is($j->{code}, 'stale', 'stale');
}

# sent messages keep their text
call($lead, DELETE => "templates/$id", undef, 200, 'delete');
call($lead, DELETE => "templates/$id", undef, 404, 'once');
like($d->sql("SELECT body FROM messages WHERE id = $again->{data}{id}"),
    qr/^Halo Siti/, 'the message stays');

$d->sound;
$d->done;
