#!/usr/bin/env perl
# The gateway is away for an hour, which passes in seconds: what waited leaves
# when it is back, each once, in the order of its chat; nothing of it was given
# up, and wacrmd does not hammer at a closed door.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Fault;

plan skip_all => 'a sanitizer wants to be the first library'
    if $ENV{WACRM_SANITIZED};

my $path = "/tmp/wacrm-hour.$$";
my $clock = Wacrm::Fault->clock($path);
END { unlink $path if defined $path }
my %env = $clock->env;
my $d = Wacrm::Desk->new(wacrmd_env => \%env,
    nginx_options => { env => \%env },
    # a minute is a quarter of a second: nobody's patience shall end that soon
    wacrmd => sub { Wacrm::Desk::outbox_at_once(timeout => '300s') },
    nginx => sub {
        s/(zone=send:1m +rate)=30r/$1=6000r/ or die 'no zone';
        s/((?:client_header|client_body|send)_timeout) \d+s;/$1 1d;/g == 3
            or die 'no timeouts';
        s/^http \{/http {\n    proxy_connect_timeout 1d;
    proxy_read_timeout 1d;\n    proxy_send_timeout 1d;/m or die 'no http';
    }
)->start;
$d->allow_errors; # the gateway is away
my $token = $d->login('cs1@test.example');
my $donors = 6;
my ($SENT, $FAILED) = (2, 6);
my @sent;

sub send_text {
    my ($to, $text) = @_;
    my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
        json => { phone => "62812200000$to", message => $text });
    is($r->{status}, 200, "taken: $text") or diag $r->{body};
    push @sent, $text;
}

send_text($_, "sebelum $_") for 1 .. $donors;
ok($d->wait_for(sub { $d->calls(route => 'send.text') == $donors }),
    'the gateway is there');

$d->sim_stop;

# An hour, at 240 times its speed: agents go on writing meanwhile.
my $begun = $clock->now;
$clock->speed(240);
my $n = 0;
while ($clock->now - $begun < 3600) {
    $n++;
    send_text($_, "jam $n-$_") for 1 .. $donors;
    sleep 2.4;
}
$clock->speed(1);
cmp_ok($clock->now - $begun, '>=', 3600, 'an hour later');
is($d->sql("SELECT count(*) FROM messages WHERE status = $FAILED"), 0,
    'nothing was given up');
my $tries = () = $d->log =~ /attempt ended/g;
note "attempts: $tries";
cmp_ok($tries, '>', $donors, 'it was asked for');
cmp_ok($tries, '<', $donors * 3600 / 40, 'without hammering');

$d->sim_start;
$clock->speed(20); # the last pause is a minute
ok($d->wait_for(sub { $d->sql("SELECT count(*) FROM messages WHERE"
    . " direction = 1 AND status <> $SENT") == 0 }, 40), 'all of it leaves')
    or diag(join ' ', map { "@$_" } $d->sql('SELECT status, count(*) FROM'
        . ' messages GROUP BY 1'));
$clock->speed(1);
my %calls;
my %by;
# the gateway that came back knows no token of before: 401, a sign-in
for my $call (grep { $_->{status} != 401 } $d->calls(route => 'send.text')) {
    $calls{$call->{body}{message}}++;
    push @{$by{$call->{body}{phone}}}, $call->{body}{message};
}
my @later = grep { !/^sebelum/ } @sent;
is(join(', ', grep { ($calls{$_} || 0) != 1 } @later), '', 'each once');
for my $to (1 .. $donors) {
    is(join('|', @{$by{"62812200000$to"} || []}),
        join('|', grep { /-$to$/ } @later), "in order: $to");
}
$d->sound;

$d->done;
