#!/usr/bin/env perl
# Guessing a password: few tries a minute, one answer and one effort for a
# wrong password, for nobody's address and for one who is switched off, and
# no way to tell them by the time they take.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(nginx => sub {
    s/(zone=login:1m +)rate=10r/$1rate=6000r/ or die 'no zone';
})->start;
my $PASSWORD = $Wacrm::Desk::PASSWORD;
$d->change("UPDATE users SET active = 0 WHERE email = 'cs2\@test.example'");
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());

sub login {
    my ($email, $password) = @_;
    return $d->api(POST => '/api/auth/login',
        json => { email => $email, password => $password });
}

sub effort {
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/stat' or die $!;
    my @f = split ' ', (<$fh> =~ s/^.*\) //r);
    return ($f[11] + $f[12]) / $ticks;
}

my %try = (
    'a wrong password' => ['cs1@test.example', 'salah-sekali-ini'],
    'nobody' => ['nobody@test.example', 'salah-sekali-ini'],
    'who is switched off' => ['cs2@test.example', 'salah-sekali-ini'],
    'who is switched off, by the right one' => ['cs2@test.example', $PASSWORD],
    'no address' => ['x', 'salah-sekali-ini'],
    'an address with SQL' => ["' OR 1=1 --", "' OR 1=1 --"],
    'a password of 2 KB' => ['cs1@test.example', 'x' x 2000],
    'a part of the right one' => ['cs1@test.example', substr $PASSWORD, 0, 8],
    'the right one and more' => ['cs1@test.example', "${PASSWORD}x"],
    'the right one of another' => ['cs1@test.example ', $PASSWORD],
);
my $want = Wacrm::Nginx::shape(login(@{$try{'a wrong password'}}));
like($want, qr/^401\n/, 'a wrong password: 401');
for my $what (sort keys %try) {
    is(Wacrm::Nginx::shape(login(@{$try{$what}})), $want,
        "$what: the very same answer");
}

# ---- effort ----

my $rounds = $ENV{WACRM_SANITIZED} ? 4 : 12;
my %cpu;
login(@{$try{nobody}}); # the first one has more to do
for (1 .. $rounds) {
    for my $what (sort keys %try) {
        my $before = effort();
        login(@{$try{$what}});
        $cpu{$what} += effort() - $before;
    }
}
my $usual = $cpu{'a wrong password'} / $rounds;
SKIP: {
    skip 'the clock of this machine is too coarse', scalar keys %try
        if $usual * $rounds < 10 / $ticks;
    for my $what (sort keys %try) {
        my $ratio = $cpu{$what} / $rounds / $usual;
        ok($ratio > 0.6 && $ratio < 1.6, sprintf
            '%s: %.2f of the effort of a wrong password', $what, $ratio);
    }
}

# ---- how often ----

my $conf = $d->{nginx}->read('nginx.conf');
$conf =~ s/(zone=login:1m +)rate=6000r/$1rate=10r/ or die 'no zone';
$d->{nginx}->write('nginx.conf', $conf);
$d->{nginx}->stop;
$d->{nginx}->start;
my $before = effort();
my %count;
for my $n (1 .. 40) {
    my $r = $d->api(POST => '/api/auth/login', json => {
        email => "cs$n\@test.example", password => "kata-sandi-$n" },
        headers => { 'X-Forwarded-For' => "203.0.113.$n",
            'X-Real-IP' => "203.0.113.$n", Forwarded => "for=203.0.113.$n",
            'User-Agent' => "agent $n" });
    $count{$r->{status}}++;
}
cmp_ok($count{401}, '<=', 12, 'ten tries a minute, whatever a client says'
    . ' of where it is');
is(($count{401} || 0) + ($count{429} || 0), 40, 'the others are refused');
cmp_ok(effort() - $before, '<', 20 * $usual + 0.2, 'without hashing');
is(login('cs1@test.example', $PASSWORD)->{status}, 429,
    'the right one has to wait, too');
cmp_ok($d->sql("SELECT count(*) FROM audit WHERE action = 'login.failed'"),
    '>', 20, 'all that were tried are in the audit');
is($d->sql("SELECT count(*) FROM audit WHERE action = 'login.failed' AND"
    . " (detail LIKE '%cs1\@%' OR detail LIKE '%salah%')"), 0,
    'without the address or the guess');

$d->done;
