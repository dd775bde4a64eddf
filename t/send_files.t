#!/usr/bin/env perl
# Files that go out as Base64, many at once: they are read as they leave, so
# that memory does not grow by them, and arrive as they are.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $MANY = 10;
my $SIZE = 15 * 1024 * 1024;
my $GROWTH = 16; # MB, by ten connections and what else goes on

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        Wacrm::Desk::outbox_at_once(gap => '0s', welcome => 'on');
    },
    nginx => sub {
        s/(zone=upload:1m +rate)=\d+r/$1=6000r/ or die 'no zone upload';
    });
{
    local $ENV{WACRM_GATEWAY_MAIN_MEDIA} = 'base64';
    $d->start;
}
my $token = $d->login('cs1@test.example');

sub api { $d->api($_[0], "/api/crm/$_[1]", token => $token, @_[2 .. $#_]) }

sub anonymous {
    open my $fh, '<', '/proc/' . $d->wacrmd_pid . '/status' or return 0;
    my ($kb) = join('', <$fh>) =~ /^RssAnon:\s+(\d+) kB/m;
    return $kb / 1024;
}

# Files of ours that wacrmd has open.
sub files_open {
    return scalar grep { (readlink($_) // '') =~ m{/media/} }
        glob '/proc/' . $d->wacrmd_pid . '/fd/*';
}

sub upload {
    my ($bytes) = @_;
    my $r = api(POST => 'media', timeout => 60,
        body => "--x\r\nContent-Disposition: form-data; name=\"file\"; "
            . "filename=\"a.png\"\r\n\r\n$bytes\r\n--x--\r\n",
        headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
    return $r->{json}{data}{media_id};
}

sub send_file {
    my ($n, $media, %more) = @_;
    my $r = api(POST => 'messages/send', json => {
        phone => sprintf('0814000%05d', $n), media_id => $media, %more });
    return $r->{json}{data}{id};
}

sub status { $d->sql("SELECT status FROM messages WHERE id = $_[0]") }

# ---- every length is whole ----

for my $len (8 .. 12, 49150 .. 49154, 65535 .. 65537, 200_000) {
    my $bytes = "\x89PNG\r\n\x1a\n"
        . join '', map { chr($_ * 7 % 256) } 1 .. $len - 8;
    $d->sim('/_sim/reset', {});
    my $id = send_file($len, upload($bytes), message => 'isi "lengkap"');
    my $call;
    # a call is listed when its head has come, before its body
    $d->wait_for(sub {
        ($call) = grep { $_->{file} } $d->calls(route => 'send.image');
    }, 10);
    is($call->{file}{sha256}, sha256_hex($bytes), "$len bytes");
    is($call->{body}{caption}, 'isi "lengkap"') if $len == 8;
}

# ---- many at once ----

my @media = map { upload("\x89PNG\r\n\x1a\n" . chr(64 + $_) x ($SIZE - 8)) }
    1 .. $MANY;
is((grep { defined } @media), $MANY, 'they lie here');
$d->sim('/_sim/reset', {});
$d->sim('/_sim/behaviour', { route => 'send.image', do => 'slow', ms => 2000,
    times => -1 });
my ($before, $peak) = (anonymous(), 0);
my @id = map { send_file($_, $media[$_ - 1]) } 1 .. $MANY;
my $until = time + 60;
while (time < $until) {
    my $mb = anonymous();
    $peak = $mb if $mb > $peak;
    last if $d->sql('SELECT count(*) FROM messages WHERE id IN ('
        . join(',', @id) . ') AND status BETWEEN 2 AND 5') == $MANY;
    sleep 0.02;
}
my @calls = $d->calls(route => 'send.image');
is(@calls, $MANY, 'each leaves once');
is(join(' ', sort map { $_->{file}{sha256} } @calls), join(' ', sort map {
    sha256_hex("\x89PNG\r\n\x1a\n" . chr(64 + $_) x ($SIZE - 8)) }
    1 .. $MANY), 'whole');
SKIP: {
    skip 'sanitizers have memory of their own', 1 if $ENV{WACRM_SANITIZED};
    cmp_ok($peak - $before, '<', $GROWTH, sprintf
        'ten of 15 MB at once: from %.1f to %.1f MB of memory', $before, $peak);
}
is(files_open(), 0, 'all are closed');

# ---- a new login: the file goes once more, from its beginning ----

$d->sim('/_sim/reset', {});
$d->sim('/_sim/behaviour', { route => 'send.image', do => 'unauthorised' });
my $again = send_file(90000, $media[0]);
ok($d->wait_for(sub { status($again) =~ /^[2-5]$/ }, 20), 'after a 401');
is((grep { ($_->{file}{sha256} // '') eq sha256_hex("\x89PNG\r\n\x1a\n"
    . 'A' x ($SIZE - 8)) } $d->calls(route => 'send.image')), 2, 'whole both times');

# ---- a file that is gone ----

my $gone = upload("\x89PNG\r\n\x1a\nhilang");
my $hash = $d->sql("SELECT hash FROM media WHERE public_id = '$gone'");
ok(unlink("$d->{dir}/media/" . substr($hash, 0, 2) . '/' . substr $hash, 2),
    'a file is lost');
$d->sim('/_sim/reset', {});
$gone = send_file(90001, $gone);
ok($d->wait_for(sub { status($gone) == 6 }, 15), 'its message failed')
    or diag status($gone);
is(() = $d->calls(route => 'send.image'), 0, 'and nothing left');
$d->allow(qr/attempt ended/);

$d->done;
