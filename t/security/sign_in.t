#!/usr/bin/env perl
# Guessing a password: few tries a minute, by network and by account, one answer
# and one effort for a wrong password, for nobody's address and for one who is
# switched off, and no way to tell them by the time they take. Who is guessed
# at signs in from where they always do.

use strict;
use warnings;

use IO::Socket::INET;
use Test::More;

use lib 't/lib';
use Wacrm::Cpu;
use Wacrm::Desk;

my $RATE = 'rate=60r/m burst=200'; # of conf/nginx.conf
my $d = Wacrm::Desk->new(
    nginx => sub {
        s/(zone=login:1m +)$RATE/$1rate=60000r\/m/ or die 'no zone';
        # so that one machine can be many networks
        s/^(http \{)/$1\n    set_real_ip_from 127.0.0.1;\n/m or die 'no http';
        s/^(http \{)/$1\n    real_ip_header X-Test-Client;\n/m;
    },
    wacrmd => sub {
        s/^;guesses = 10$/guesses = 60000/m or die 'no guesses';
    })->start;
my $PASSWORD = $Wacrm::Desk::PASSWORD;
$d->change("UPDATE users SET active = 0 WHERE email = 'cs2\@test.example'");

sub login {
    my ($email, $password, $client) = @_;
    return $d->api(POST => '/api/auth/login',
        headers => { 'X-Test-Client' => $client || '198.51.100.1' },
        json => { email => $email, password => $password });
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
is(login('cs1@test.example', $PASSWORD)->{status}, 200, 'the right one');
my $want = Wacrm::Nginx::shape(login(@{$try{'a wrong password'}}));
like($want, qr/^401\n/, 'a wrong password: 401');
for my $what (sort keys %try) {
    is(Wacrm::Nginx::shape(login(@{$try{$what}})), $want,
        "$what: the very same answer");
}

# ---- effort ----

# The least of many rounds, for what else runs on this machine and below it only
# ever adds: as many more as the noise of it asks for.
my %least;
sub ratio { $least{$_[0]} / $least{'a wrong password'} }
sub alike { $_[0] > 0.6 && $_[0] < 1.6 }
login(@{$try{nobody}}); # the first one has more to do
for my $round (1 .. 60) {
    for my $what (sort keys %try) {
        my $before = cpu_us($d->wacrmd_pid);
        login(@{$try{$what}});
        my $us = cpu_us($d->wacrmd_pid) - $before;
        $least{$what} = $us if $us < ($least{$what} // $us + 1);
    }
    last if $round >= 6 && !grep { !alike(ratio($_)) } keys %try;
}
my $usual = $least{'a wrong password'};
ok(alike(ratio($_)), sprintf '%s: %.2f of the effort of a wrong password',
    $_, ratio($_)) for sort keys %try;

# ---- how often, by account ----

my $file = "$d->{dir}/wacrmd.conf";
sub guesses {
    my ($n) = @_;
    open my $in, '<', $file or die "$file: $!";
    my $text = do { local $/; <$in> };
    close $in;
    $text =~ s/^guesses = \d+$/guesses = $n/m or die 'no guesses';
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
    $d->wacrmd_stop;
    $d->wacrmd_start;
}

# how many of n wrong ones were looked at
sub looked_at {
    my ($n, $email, $client) = @_;
    my %count;
    $count{login($email, "salah-sekali-$_", ref $client ? $client->($_)
        : $client)->{status}}++ for 1 .. $n;
    is(($count{401} || 0) + ($count{429} || 0), $n, "$n wrong ones")
        or diag explain \%count;
    return $count{401} || 0;
}

guesses(5); # and one more every 12 s
my %here = (office => '192.0.2.10', home => '2001:db8:7::1');
is(login('supervisor@test.example', $PASSWORD, $here{office})->{status}, 200,
    'a supervisor signs in at the office');
my $n = looked_at(12, 'cs1@test.example', $here{home});
ok($n >= 5 && $n < 12, "five guesses a minute at one account: $n");
$n = looked_at(6, 'CS1@Test.Example', '2001:db8:7:0:ffff::2');
ok($n < 6, "another letter, another address of the same network: $n");
my $refused = login('cs1@test.example', $PASSWORD, $here{home});
is($refused->{status}, 429, 'the right one has to wait, too');
is_deeply($refused->{json}, { message => 'Too many attempts. Please wait.' },
    'is what is said');
like($refused->{headers}{'retry-after'}, qr/^[1-9]\d?$/, 'and how long');
$n = looked_at(12, 'nobody@test.example', $here{home});
ok($n >= 5 && $n < 12, "as many at nobody's: $n");
my $nobody = login('nobody@test.example', $PASSWORD, $here{home});
delete $_->{headers}{'retry-after'} for $refused, $nobody;
is(Wacrm::Nginx::shape($nobody), Wacrm::Nginx::shape($refused),
    'in the same words');
is(login('cs1@test.example', $PASSWORD, $here{office})->{status}, 200,
    'who is guessed at elsewhere signs in here');
is(login('admin@test.example', $PASSWORD, $here{home})->{status}, 200,
    'nor is another account held up');

# many networks, and one account
$n = looked_at(50, 'supervisor@test.example', sub { "203.0.113.$_[0]" });
ok($n >= 30 && $n < 50, "fifty networks guess no faster than one: $n");
is(login('supervisor@test.example', $PASSWORD, '203.0.113.77')->{status}, 429,
    'a network that is new has to wait');
is(login('supervisor@test.example', $PASSWORD, $here{office})->{status}, 200,
    'where they have signed in before they still do');
$n = looked_at(12, 'supervisor@test.example', $here{office});
ok($n < 12, "but guess there no faster than anybody: $n");
guesses(60000);

# ---- how often, by network ----

my $conf = $d->{nginx}->read('nginx.conf');
$conf =~ s/(zone=login:1m +)rate=60000r\/m/$1$RATE/ or die 'no zone';
$d->{nginx}->write('nginx.conf', $conf);
$d->{nginx}->stop;
$d->{nginx}->start;

# As many as may: all are asked for before the first answer is read.
my $begun = time;
my @office = map {
    my $body = qq({"email":"orang$_\@test.example","password":"salah-sekali"});
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $d->{nginx}->port) or die "connect: $@";
    print {$socket} "POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nContent-Type: application/json\r\n"
        . "X-Test-Client: 198.51.100.7\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    $socket->flush;
    $socket;
} 1 .. 400;
my %answered;
for my $socket (@office) {
    my ($status) = (<$socket> // '') =~ m{^HTTP/1.1 (\d+)};
    $answered{$status // 'none'}++;
}
my $looked_at = delete $answered{401};
cmp_ok($looked_at, '>=', 200, 'an office of 200 signs in at once');
cmp_ok($looked_at, '<=', 202 + time - $begun, 'a stranger does no more');
is(join(' ', keys %answered), 429, 'the others are told to wait')
    or diag explain \%answered;

$conf =~ s/(zone=login:1m +)\Q$RATE\E/$1rate=10r\/m/ or die 'no zone';
$d->{nginx}->write('nginx.conf', $conf);
$d->{nginx}->stop;
$d->{nginx}->start;
my (%count, @refused);
$begun = time;
for my $n (1 .. 40) {
    my $before = cpu_us($d->wacrmd_pid);
    my $r = $d->api(POST => '/api/auth/login', json => {
        email => "cs$n\@test.example", password => "kata-sandi-$n" },
        headers => { 'X-Forwarded-For' => "203.0.113.$n",
            'X-Real-IP' => "203.0.113.$n", Forwarded => "for=203.0.113.$n",
            'User-Agent' => "agent $n" });
    $count{$r->{status}}++;
    push @refused, cpu_us($d->wacrmd_pid) - $before if $r->{status} == 429;
}
cmp_ok($count{401}, '<=', 12 + (time - $begun) / 6, 'ten tries a minute,'
    . ' whatever a client says of where it is');
is(($count{401} || 0) + ($count{429} || 0), 40, 'the others are refused');
cmp_ok((sort { $a <=> $b } @refused)[@refused / 2], '<', $usual / 4,
    'without hashing');
is(login('cs1@test.example', $PASSWORD, '127.0.0.1')->{status}, 429,
    'the right one has to wait, too');
cmp_ok($d->sql("SELECT count(*) FROM audit WHERE action = 'login.failed'"),
    '>', 20, 'all that were tried are in the audit');
is($d->sql("SELECT count(*) FROM audit WHERE action = 'login.failed' AND"
    . " (detail LIKE '%cs1\@%' OR detail LIKE '%salah%')"), 0,
    'without the address or the guess');

$d->done;
