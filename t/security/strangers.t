#!/usr/bin/env perl
# Whoever tries out numbers, one after the other, is stopped before WhatsApp
# stops the charity's number. Those who are known may be looked up at will.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $KNOWN = '6281230000001';
my $d = Wacrm::Desk->new(
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' },
)->start;
my %token = map { $_ => $d->login("$_\@test.example") } qw(cs1 cs2);
$d->event('message.received', { from => $KNOWN, message => 'halo',
    id => 'STRANGER1', timestamp => time });
ok($d->applied, 'a donor');

sub look {
    my ($who, $phone, $what) = @_;
    return $d->api(GET => "/api/crm/contacts/$phone$what",
        token => $token{$who});
}

sub asked {
    my ($phone) = @_;
    return scalar grep { $_->{route} =~ /^contact/
        && JSON::PP->new->encode($_) =~ /$phone/ } $d->calls;
}

my (%count, @refused);
for my $n (1 .. 30) {
    my $r = look('cs1', sprintf('62813999%05d', $n),
        $n % 2 ? '/check' : '/picture');
    $count{$r->{status}}++;
    push @refused, $r if $r->{status} == 429;
}
ok($count{200} >= 20 && $count{200} < 30, "20 numbers, and one a minute: "
    . "$count{200}") or diag explain \%count;
is($count{200} + ($count{429} || 0), 30, 'the others are put off');
is_deeply($refused[0]{json},
    { message => 'Too many numbers were looked up. Please wait.' }, 'by words');
like($refused[0]{headers}{'retry-after'}, qr/^[1-9]\d?$/, 'and seconds');

my $r = look('cs1', '6281399988888', '');
is($r->{status}, 200, 'a profile is shown');
is($r->{json}{whatsapp}, undef, 'without a word of WhatsApp');
is(asked('6281399988888'), 0, 'which was not asked');
cmp_ok(asked('6281399900001'), '>=', 1, 'as it was of the first');
is(look('cs1', $KNOWN, '/check')->{status}, 200, 'who is known is looked up');
is(look('cs1', '6281399900001', '/check')->{status}, 200,
    'and what is kept is told');
is(look('cs2', '6281399977777', '/check')->{status}, 200,
    'a colleague has a number of their own');

$d->done;
