#!/usr/bin/perl
# What wacrmd.conf may hold: every mistake is told with file, line and reason,
# by the real program.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::File;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = abs_path($ENV{WACRM_BUILD} // "$root/build/release");
plan skip_all => "no $build/wacrmd" unless -x "$build/wacrmd";

delete $ENV{$_} for grep { /^(WHATSAPP|WACRM)_/ } keys %ENV;

my $dir = tempdir('wacrm-config-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $conf = "$dir/wacrmd.conf";

# status and output of wacrmd -t
sub check {
    my ($text, %env) = @_;

    spew($conf, $text) if defined $text;
    my $pid = open my $fh, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        @ENV{keys %env} = values %env;
        exec("$build/wacrmd", '-c', $conf, '-t') or POSIX::_exit(127);
    }
    local $/;
    my $out = <$fh>;
    close $fh;
    return ($? >> 8, $out);
}

spew("$dir/jwt", "0123456789abcdef0123456789abcdef\n");
spew("$dir/short", "too short\n");
spew("$dir/empty", "\n");
spew("$dir/nul", "a\0b" . 'x' x 40);
spew("$dir/big", 'x' x 5000);

# $good, with lines put after [section] of a name
my $good = <<"EOT";
[wacrmd]
state_dir = $dir/state
[auth]
jwt_secret_file = $dir/jwt
[gateway main]
base_url = http://127.0.0.1:9/api
EOT

my @bad = (
    # lines added at the end, after [gateway main] (6 lines)
    ["[nosuch]\n", 7, 'unknown section [nosuch]'],
    ["[gateway]\n", 7, 'unknown section [gateway]'],
    ["[gateway main]\n", 7, '[gateway main] is there already'],
    ["[gateway a b]\n", 7, 'the name of a gateway is'],
    ["[gateway " . 'x' x 41 . "]\n", 7, 'the name of a gateway is'],
    ["[" . 'x' x 50 . "]\n", 7, 'the name of a section ends at'],
    ["[wacrmd\n", 7, 'expected [section]'],
    ["[wacrmd] trailing\n", 7, 'expected [section]'],
    ["[auth]\nwithout_sign_in = a\@b\n", 8, 'say development = on'],
    ["[wacrmd]\ndevelopment = off\n[auth]\nwithout_sign_in = a\@b\n", 10,
        'without_sign_in: everybody would be a@b'],
    ["[wacrmd]\ndevelopment = on\npublic_url = https://crm.example.org\n", 9,
        'must be on this machine'],
    ["[wacrmd]\ndevelopment = on\npublic_url = http://localhost\@e.org\n", 9,
        'must be on this machine'],
    ["nosuch = 1\n", 7, 'unknown key "nosuch" in [gateway]'],
    ["tries = 1\n", 7, 'unknown key "tries" in [gateway]'],
    ["base_url = http://x\n", 7, 'base_url: is set already in line 6'],
    ["token = a\ntoken_file = $dir/jwt\n", 8, 'token_file: line 7 sets'],
    ["token =\n", 7, 'token: needs a value'],
    ["token\n", 7, 'expected key = value'],
    ["token = a ; comment\n", 7, 'a comment stands on a line of its own'],
    ["[outbox] ; comment\n", 7, 'a comment stands on a line of its own'],
    ["token = a\n  continued\n", 8, 'begins with a space'],
    ["token = " . 'x' x 191 . "\n", 7, 'longer than 198 bytes'],
    ["token = " . 'x' x 5000 . "\n", 7, 'longer than 198 bytes'],
    ["token = a\0b\n", 7, 'a NUL byte'],
    ["token = \xff\n", 7, 'token: not UTF-8'],
    ["token_file = relative\n", 7, 'must be an absolute path'],
    ["token_file = $dir/none\n", 7, 'No such file'],
    ["token_file = $dir/empty\n", 7, 'is empty'],
    ["token_file = $dir/nul\n", 7, 'NUL byte'],
    ["token_file = $dir/big\n", 7, 'longer than'],
    ["token_file = $dir\n", 7, 'Is a directory'],
    ["timeout = 30\n", 7, 'timeout: not a duration'],
    ["timeout = 0s\n", 7, 'timeout: out of range (1 to 300 seconds)'],
    ["timeout = 1h\n", 7, 'out of range'],
    ["timeout = -1s\n", 7, 'not a duration'],
    ["timeout = 99999999999999999999s\n", 7, 'not a duration'],
    ["timeout = 9223372036854775807d\n", 7, 'not a duration'],
    ["read_receipts = yes\n", 7, 'not on or off'],
    ["driver = nosuch\n", 5, '[gateway main]: no driver "nosuch"'],
    ["email = a\@b\n", 5, 'email and password belong together'],
    ["[gateway two]\n", 7, '[gateway two]: base_url is missing'],
    ["[gateway two]\nbase_url = ftp://x\n", 8, 'must begin with http://'],
    ["[gateway two]\nbase_url = http://x y\n", 8, 'must not have spaces'],
    ["[wacrmd]\nworkers = 0\n", 8, 'workers: out of range (1 to 64)'],
    ["[wacrmd]\nworkers = two\n", 8, 'workers: not a number'],
    ["[wacrmd]\nworkers = 2 2\n", 8, 'workers: not a number'],
    ["[wacrmd]\nstate_dir = /x\n", 8, 'state_dir: is set already in line 2'],
    ["[wacrmd]\nspool_size = 4x\n", 8, 'not a size'],
    ["[wacrmd]\nspool_size = 1k\n", 8, 'out of range'],
    ["[wacrmd]\nlog_level = loud\n", 8, 'not error, warn, info or debug'],
    ["[wacrmd]\nhttp_socket = /" . 'x' x 107 . "\n", 8, 'too long for a'],
    ["[organisation]\ntimezone = Europe/Paris\n", 8, 'timezone: not Asia/'],
    ["[organisation]\ntimezone = +15:00\n", 8, 'timezone: not'],
    ["[organisation]\ntimezone = +7:00\n", 8, 'timezone: not'],
    ["[organisation]\nraw_retention = 30\n", 8, 'not a number of days'],
    ["[organisation]\ndefault_gateway = x\n", 8, 'no [gateway x]'],
    ["[realtime]\napp_key = a/b\n", 8, 'app_key: up to 64 letters'],
    ["[realtime]\napp_id = a b\n", 8, 'app_id: up to 64 letters'],
    ["[realtime]\nsecret_file = $dir/short\n", 8, 'fewer than 16 bytes'],
    ["[realtime]\nevent_prefix = " . 'x' x 101 . "\n", 8, 'event_prefix:'],
    ["[realtime]\nmax_queue = 1k\n", 8, 'max_queue: out of range'],
    ["[realtime]\npublic_inbox = yes\n", 8, 'not on or off'],
    ["[outbox]\nbackoff = 10s x\n", 8, 'backoff: not durations'],
    ["[outbox]\nbackoff = " . '1s ' x 9 . "\n", 8, 'backoff: not durations'],
    ["[outbox]\ngap = 2d\n", 8, 'gap: not a duration'],
);

my ($rc, $out) = check($good);
is($rc, 0, 'a good file');
is($out, "wacrmd: $conf: ok\n", 'and nothing else is said');

for my $case (@bad) {
    my ($add, $line, $reason) = @$case;
    (my $name = $add) =~ s/[^ -~]/./g;
    $name = substr($name, 0, 60) . '...' if length $name > 60;

    ($rc, $out) = check($good . $add);
    is($rc, 1, "exit 1: $name");
    like($out, qr/\Awacrmd: \Q$conf\E:$line: .*\Q$reason\E.*\n\z/,
        "file, line, reason: $name");
}

# ---- other places ----

($rc, $out) = check("workers = 2\n$good");
like($out, qr/:1: stands before the first \[section\]/, 'before a section');

($rc, $out) = check("[wacrmd]\nstate_dir = $dir/state\n[auth]\n"
    . "jwt_secret_file = $dir/jwt\n");
is($rc, 1, 'no gateway');
like($out, qr/no \[gateway NAME\]/, 'no gateway: reason');
($rc, $out) = check(undef, WHATSAPP_API_URL => 'http://127.0.0.1:9/');
is($rc, 0, 'but one from the environment');

(my $short = $good) =~ s{\Q$dir/jwt\E}{$dir/short};
($rc, $out) = check($short);
like($out, qr/:4: jwt_secret_file: .* fewer than 32 bytes/, 'a short secret');
unlike($out, qr/too short/, 'which is not shown');

($rc, $out) = check("\xef\xbb\xbf$good");
is($rc, 0, 'a byte order mark');
(my $crlf = $good) =~ s/\n/\r\n/g;
is((check($crlf))[0], 0, 'lines of Windows');
is((check($good =~ s/\n\z//r))[0], 0, 'no newline at the end');
is((check("; c\n  # c\n\n$good"))[0], 0, 'comments and empty lines');

($rc, $out) = check($good, WACRM_LOG_LEVEL => 'loud');
is($rc, 1, 'a bad variable');
like($out, qr/environment: WACRM_LOG_LEVEL: not error/, 'is named');

unlink $conf;
($rc, $out) = check(undef);
is($rc, 1, 'no file');
like($out, qr/\Q$conf\E: No such file/, 'no file: reason');

# ---- the example ----

open my $fh, '<', "$root/conf/wacrmd.conf" or die "conf/wacrmd.conf: $!";
my $example = do { local $/; <$fh> };
close $fh;
$example =~ s{/etc/wacrm/secrets}{$dir};
is((check($example))[0], 0, 'conf/wacrmd.conf');
$example =~ s/^;(?=\w+ = )//mg;
$example =~ s{/etc/wacrm/secrets/\S+}{$dir/jwt}g;
($rc, $out) = check($example);
is($rc, 0, 'conf/wacrmd.conf with all that is commented out') or diag($out);

for (['--help', 0, qr/^usage: wacrmd /], ['-h', 0, qr/^usage: wacrmd /],
    ['--version', 0, qr/^wacrmd \d/], ['--nosuch', 1, qr/^usage: wacrmd /m]) {
    my ($arg, $status, $words) = @$_;
    my $out = `$build/wacrmd $arg 2>&1`;
    is($? >> 8, $status, "wacrmd $arg");
    like($out, $words, 'says how it is called');
}

done_testing;
