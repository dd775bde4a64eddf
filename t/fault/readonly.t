#!/usr/bin/env perl
# The database's file system becomes read-only while wacrmd runs, as Linux makes
# it after an error of the disk, and is mended: events wait in the spool, sending
# says why it does not, reading goes on, somebody is told, and all of it goes on
# by itself, once.

use strict;
use warnings;

use Errno qw(EROFS);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Fault;

plan skip_all => 'a sanitizer has its own malloc()' if $ENV{WACRM_SANITIZED};

my $control = "/tmp/wacrm-readonly.$$";
END { unlink $control if $control }
my $fault = Wacrm::Fault->live($control);
my $d = Wacrm::Desk->new(
    wacrmd_env => { $fault->env },
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' });
$d->start;
# what a read-only disk gives to say
$d->allow(qr/disk I\/O error|input\/output error|read-?only|unable to open/i);
my $token = $d->login('cs1@test.example');
my $events = 0;

sub event {
    my $n = ++$events;
    return $d->event('message.received', { from => '62812000' . ($n % 7),
        id => "RO$n", timestamp => int time, message => "kata$n" });
}
sub send_text {
    my ($text, $key) = @_;
    return $d->api(POST => '/api/crm/messages/send', token => $token,
        headers => { 'Idempotency-Key' => $key },
        json => { phone => '628120001', message => $text });
}
sub metric { $d->{nginx}->metrics('/metrics/wacrmd')->{"wacrm_$_[0]"} }
sub inbox { $d->api(GET => '/api/crm/inbox', token => $token)->{status} }
sub count { scalar $d->sql("SELECT count(*) FROM messages WHERE $_[0]") }

event() for 1 .. 5;
is(send_text('sebelum', 'before')->{status}, 200, 'a message');
ok($d->applied, 'all is well');
is(metric('alarms'), 0, 'no alarm');

for my $round (1, 2) {
    my $mark = length $d->log;
    my $stored = count(1);
    $fault->arm(calls => 'pwrite open sync', errno => EROFS, run => 1 << 30,
        file => 'wacrm.db*');

    is(join(' ', grep { $_ != 200 } map { event() } 1 .. 50), '',
        "$round: read-only: events get their 200");
    ok($d->wait_for(sub { substr($d->log, $mark) =~ /batch put back/ }),
        'they are put back');
    for my $try (1, 2) {
        my $r = send_text("baca saja $round", "readonly-$round");
        is($r->{status}, 503, 'sending: 503');
        like($r->{json}{message}, qr/disk.*administrator/, 'that says why');
        cmp_ok($r->{headers}{'retry-after'} || 0, '>', 0, 'and when to try');
    }
    # what a reader needs to begin with
    is(inbox(), 200, 'the inbox can be read') for 1 .. 20;
    is($d->api(GET => '/api/crm/search?q=kata1', token => $token)->{status},
        200, 'and searched');
    is($d->api(GET => '/api/health')->{status}, 200, 'it is alive');
    is(count(1), $stored, 'nothing was written');
    like(substr($d->log, $mark), qr/write failed.* error="disk I\/O error.* do=".*dmesg.*read-only/,
        'the log says what, and what to do');
    cmp_ok(metric('database_faults_total'), '>', 0, 'the metric counts');
    ok($d->wait_for(sub { metric('alarms') > 0 }, 60), 'the alarm fires');
    cmp_ok($fault->disarm, '>', 0, 'it was read-only indeed');

    ok($d->wait_for(sub { send_text("baca saja $round", "readonly-$round")
        ->{status} == 200 }, 20), 'writable again: the same message is taken');
    ok($d->applied(30), 'the spool is drained');
    is(event(), 200, 'an event');
    ok($d->applied(30), 'and so on');
    is(count("wa_id LIKE 'RO%'"), $events, 'every event is there, once');
    is(count("body = 'baca saja $round'"), 1, 'the message is there once');
}
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'no dead letters');
my @texts = ('sebelum', map { "baca saja $_" } 1, 2);
sub left { return map { $_->{body}{message} } $d->calls(route => 'send.text') }
ok($d->wait_for(sub { left() >= @texts }, 60), 'the messages have left');
is(join(', ', map { my $text = $_; scalar grep { /\Q$text\E/ } left() } @texts),
    '1, 1, 1', 'each once');
is(kill(0, $d->wacrmd_pid), 1, 'it is the same process');
$d->sound;

$d->done;
