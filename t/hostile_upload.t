#!/usr/bin/env perl
# Many files at once: they lie on disk, not in memory, and all of them arrive.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wacrm::Desk;

my $MANY = $ENV{WACRM_UPLOADS} || 8;
my $SIZE = 16 * 1024 * 1024;
my $LIMIT = 64; # MB: docs/operations.md

my $d = Wacrm::Desk->new(nginx => sub {
    s/(zone=upload:1m +rate)=\d+r/$1=6000r/ or die 'no zone upload';
})->start;
my $token = $d->login('cs1@test.example');

sub anonymous {
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/status' or return 0;
    my ($kb) = join('', <$fh>) =~ /^RssAnon:\s+(\d+) kB/m;
    return $kb / 1024;
}

sub file { "\x89PNG\r\n\x1a\n" . chr($_[0]) x ($SIZE - 8) }

sub form {
    return ('multipart/form-data; boundary=x', "--x\r\nContent-Disposition:"
        . " form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" . file($_[0])
        . "\r\n--x--\r\n");
}

# as PHP writes it: each slash escaped
sub json {
    (my $text = encode_base64(file($_[0]), '')) =~ s{/}{\\/}g;
    return ('application/json',
        qq({"file":{"name":"b.png","base64":"data:image\\/png;base64,$text"}}));
}

# The most memory seen, and the answers.
sub at_once {
    my ($make, $first) = @_;
    my (%pid, @status);
    my $peak = 0;
    pipe my $read, my $write or die $!;
    for my $i (1 .. $MANY) {
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            my ($type, $body) = $make->($first + $i);
            my $r = $d->{nginx}->request(POST => '/api/crm/media',
                body => $body, timeout => 120, headers => {
                    'Content-Type' => $type,
                    Authorization => "Bearer $token" });
            syswrite $write, ($r ? $r->{status} : 0) . "\n";
            POSIX::_exit(0);
        }
        $pid{$pid} = 1;
    }
    while (%pid) {
        my $mb = anonymous();
        $peak = $mb if $mb > $peak;
        while ((my $pid = waitpid -1, WNOHANG) > 0) {
            delete $pid{$pid};
        }
        sleep 0.005;
    }
    close $write;
    @status = map { $_ + 0 } <$read>;
    return ($peak, @status);
}

for (['forms', \&form, 0], ['JSON', \&json, 100]) {
    my ($what, $make, $first) = @$_;
    my $before = anonymous();
    my ($peak, @status) = at_once($make, $first);
    is(join(' ', @status), join(' ', (201) x $MANY),
        "$MANY files of 16 MB in $what at once arrive");
    SKIP: {
        skip 'sanitizers have memory of their own', 1
            if $ENV{WACRM_SANITIZED};
        cmp_ok($peak, '<', $LIMIT, sprintf
            '%s: from %.1f to %.1f MB of memory', $what, $before, $peak);
    }
}
is($d->sql("SELECT count(*) FROM media WHERE size = $SIZE"), 2 * $MANY,
    'each in its full length');
is((() = glob "$d->{dir}/media/tmp-*"), 0, 'nothing temporary is left');

# ---- what looks like a file in JSON and is none ----

my $long = 'QUJD' x 30000;
for (['no Base64 at its end', 422, qq({"file":{"base64":"${long}QU=C"}})],
     ['padding in the middle', 422,
         qq({"file":{"base64":"${long}QQ==$long"}})],
     ['another escape', 422, qq({"file":{"base64":"$long\\u0041AAA"}})],
     ['a long string elsewhere', 413,
         qq({"message":"$long","file":{"base64":"QUJD"}})],
     ['two', 413, qq({"file":{"base64":"$long"},"x":"$long$long"})],
     ['one that does not end', 400, qq({"file":{"base64":"$long)],
     ['in an array', 400, qq(["$long"])],
     ['as a key', 413, qq({"$long":1})],
     ['right', 415, qq({"file":{"base64":"AAAA$long"}})]) {
    my ($what, $status, $body) = @$_;
    my $r = $d->api(POST => '/api/crm/media', token => $token, body => $body,
        headers => { 'Content-Type' => 'application/json' });
    is($r->{status}, $status, "$what: $status") or diag $r->{body};
}

$d->done;

