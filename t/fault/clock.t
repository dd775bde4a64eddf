#!/usr/bin/env perl
# The clock of the machine jumps by hours, forth and back: no event is lost,
# nothing waits for the hours to pass again, what was done is not done twice,
# and people can sign in.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::Fault;

plan skip_all => 'a sanitizer wants to be the first library'
    if $ENV{WACRM_SANITIZED};

my $HOUR = 3600;
my $clock = Wacrm::Fault->clock("/tmp/wacrm-clock.$$");
my %env = $clock->env;
my $d = Wacrm::Desk->new(
    donors => "phone,name\n6281210000001,Bu Ani\n",
    wacrmd_env => \%env,
    nginx_options => { workers => 2, env => \%env },
    wacrmd => sub {
        Wacrm::Desk::outbox_at_once(timeout => '1s',
            backoff => "20s\njitter = off\nunknown_hold = 5s");
    },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=6000r/ or die 'no zone' }
)->start;
my ($SENT, $SCHEDULED) = (2, 7);
my $n = 0;
my @acked;

sub event {
    my ($text) = @_;
    my $id = sprintf 'CLOCK%05d', ++$n;
    my $status = $d->event('message.received', { id => $id,
        from => sprintf('62812100%05d', $n % 7), timestamp => int time,
        message => defined $text ? $text : "pesan $n" });
    push @acked, $id if $status == 200;
    return $status;
}
sub send_text {
    my ($token, $phone, $text, %more) = @_;
    my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
        json => { phone => $phone, message => $text, %more });
    return $r->{json}{data}{id} || die "send: $r->{status} $r->{body}";
}
sub iso {
    POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($clock->now + $_[0]))
}
sub status { scalar $d->sql("SELECT status FROM messages WHERE id = $_[0]") }
sub sent { my ($id) = @_; $d->wait_for(sub { status($id) == $SENT }) }
sub at_once { my ($id) = @_; $d->within(15, sub { status($id) == $SENT }) }
sub fired {
    my ($id) = @_;
    scalar $d->sql("SELECT count(*) FROM events WHERE kind = 8 AND ref = $id");
}
sub behave {
    my ($phone, %rule) = @_;
    $d->sim('/_sim/behaviour', { route => 'send.text', phone => $phone,
        %rule })->{status} == 200 or die 'behaviour';
}
sub called {
    my ($text) = @_;
    return scalar grep { $_->{body}{message} eq $text }
        $d->calls(route => 'send.text');
}
sub found {
    my ($token, $word) = @_;
    return $d->api(GET => "/api/crm/search?q=$word", token => $token)
        ->{json}{data}{messages}[0];
}

# ---- five hours forth ----

my $token = $d->login('cs1@test.example');
$d->login('cs2@test.example');
my $r = $d->api(POST => '/api/crm/contacts/6281210000001/reminders',
    token => $token, json => { remind_at => iso(4 * $HOUR), note => 'telepon' });
is($r->{status}, 201, 'a reminder in four hours') or diag $r->{body};
my $reminder = $r->{json}{data}{id};
my $later = send_text($token, '6281219000001', 'tiga jam lagi',
    scheduled_at => iso(3 * $HOUR));
my $much_later = send_text($token, '6281219000002', 'besok',
    scheduled_at => iso(24 * $HOUR));
is(event(), 200, 'an event before it');
sleep 0.3;

$clock->jump(5 * $HOUR);
is(event('maju'), 200, 'five hours forth: an event');
ok(at_once($later), 'what was due in three hours has left');
ok($d->within(20, sub { fired($reminder) == 1 }), 'the reminder fired');
is(status($much_later), $SCHEDULED, 'what is due tomorrow has not');
is($d->api(GET => '/api/crm/inbox', token => $token)->{status}, 200,
    'who is signed in, stays so');
my $new = send_text($token, '6281219000003', 'sesudah maju');
ok(at_once($new), 'what is sent now leaves at once');

# What is under way as it jumps back: one waits for its next try, one is
# unknown and holds its lane.
behave('6281219000004', do => 'status', status => 503);
behave('6281219000005', do => 'hang');
my $retried = send_text($token, '6281219000004', 'coba lagi');
my $unknown = send_text($token, '6281219000005', 'entah');
my $behind = send_text($token, '6281219000005', 'di belakangnya');
ok($d->wait_for(sub {
    called('coba lagi') == 1
        && status($unknown) == 1 }, 5), 'a try that failed, and one unknown');
# Guesses are counted by account, be there such an account or not.
sub guess {
    return $d->api(POST => '/api/auth/login', json => {
        email => 'siapa@test.example', password => 'salah-sekali-ini' })
        ->{status};
}
is(guess(), 401, 'a wrong password');
# Who has changed their password has no older tokens.
my $admin = $d->login('admin@test.example');
my ($cs2) = $d->sql("SELECT id FROM users WHERE email LIKE 'cs2@%'");
is($d->api(POST => "/api/crm/agents/$cs2->[0]/logout", token => $admin)
    ->{status}, 200, 'signed out everywhere');

# ---- eight hours back ----

$clock->jump(-8 * $HOUR);
my $back = time;
is(event('mundur'), 200, 'eight hours back: an event');
ok(sent($retried), 'the next try does not wait for eight hours');
ok(sent($behind), 'nor does what stands behind the unknown one');
is(called('tiga jam lagi'), 1,
    'what has left does not leave again');
is(guess(), 401, 'one guess does not count for eight hours');
my $again = $d->login('cs1@test.example');
is($d->api(GET => '/api/crm/inbox', token => $again)->{status}, 200,
    'a new sign-in counts');
my $after = $d->login('cs2@test.example');
is($d->api(GET => '/api/crm/inbox', token => $after)->{status}, 200,
    'also of somebody who has signed out everywhere');
my $last = send_text($again, '6281219000006', 'sesudah mundur');
ok(at_once($last), 'what is sent now leaves at once');
is(event('ketemukah'), 200, 'an event');
ok($d->wait_for(sub { found($again, 'ketemukah') }, 5), 'is found');
sleep 0.1 while time - $back < 6; # as long as the timers may take
is(fired($reminder), 1, 'the reminder has fired once');

# A reminder set by the new time fires by it.
$r = $d->api(POST => '/api/crm/contacts/6281210000001/reminders',
    token => $again, json => { remind_at => int(($clock->now + 1.2) * 1000),
    note => 'segera' });
ok($d->within(20, sub { fired($r->{json}{data}{id}) }),
    'a new one fires in time');

# ---- forth and back under load ----

my @jumps = map { (($_ % 2 ? 1 : -1) * (1 + $_ % 5)) * $HOUR } 1 .. 12;
for my $by (@jumps) {
    $clock->jump($by);
    is(event(), 200, sprintf('%+d h', $by / $HOUR)) for 1 .. 10;
}
ok($d->applied, 'all is applied');
my %stored = map { $_->[0] => $_->[1] } $d->sql("SELECT wa_id, count(*)"
    . " FROM messages WHERE wa_id LIKE 'CLOCK%' GROUP BY wa_id");
is(join(' ', grep { ($stored{$_} || 0) != 1 } @acked), '',
    'each event once: ' . @acked);
is($d->sql('SELECT count(*) FROM dead_letters'), 0, 'no dead letters');

# ---- eight hours back, between two that belong together ----

# What an erasure has emptied once, it empties again half a minute later; so
# does a load, which there is none of by now.
sub checkpoints {
    return $d->{nginx}->metrics('/metrics/wacrmd')
        ->{wacrm_database_checkpoints_total};
}
my $checkpoints = checkpoints();
$admin = $d->login('admin@test.example');
is($d->api(DELETE => '/api/crm/contacts/6281219000003', token => $admin,
    json => { confirm => '6281219000003' })->{status}, 200, 'one is erased');
ok($d->wait_for(sub { checkpoints() > $checkpoints }),
    'the log of the database is emptied');
$checkpoints = checkpoints();
$clock->jump(-8 * $HOUR);
$clock->speed(20);
sleep 1.6; # the half minute, as the daemon sees it
$clock->speed(1);
ok($d->wait_for(sub { checkpoints() > $checkpoints }, 60),
    'the log of the database is emptied again within a minute');
is(status($much_later), $SCHEDULED, 'what is due tomorrow still waits');
my %times;
$times{$_->{body}{message}}++ for grep { $_->{status} && $_->{status} == 200 }
    $d->calls(route => 'send.text');
is(join(' ', grep { $times{$_} > 1 } keys %times), '', 'nothing left twice');
$d->sound;
unlink "/tmp/wacrm-clock.$$";

$d->done;
