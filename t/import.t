#!/usr/bin/env perl
# Donors and gifts in and out as CSV, by route and by wacrmctl.

use strict;
use warnings;
no warnings "exec";

use IO::Socket::UNIX ();
use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' })
    ->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1);
my $csv = <<'END';
phone;name;date;amount;fund;ref;note
0812-1000-0001;=SUM(A1);2026-01-05;50.000;Zakat;R-1;
081210000002;"Siti ""Hamba""";01/02/2026;Rp 75.000;Infak;;@catatan
081210000002;Siti;2026-02-02;-5;Infak;R-3;
nomor;Salah;2026-01-05;1;;;
081210000002;Lagi;2026-02-02;9;;R-1;
END

sub import_csv {
    my ($who, $query, $body, $type) = @_;
    return $d->api(POST => "/api/crm/import$query", token => $token{$who},
        body => $body, headers => { 'Content-Type' => $type || 'text/csv' });
}

sub rows { $d->sql("SELECT count(*) FROM $_[0]") }

# ---- who may ----

is(import_csv($_, '', $csv)->{status}, 403, "not $_") for qw(supervisor cs1);

# ---- dry run, then in earnest, then again ----

my $want = { rows => 5, contacts => 2, donations => 2, known => 1,
    refused => 2, refusals => [
        { row => 4, reason => 'amount is not a sum in rupiah' },
        { row => 5, reason => 'phone is not a number' }] };
my $r = import_csv('admin', '?dry_run=1', $csv);
is($r->{status}, 200, 'a dry run') or diag $r->{body};
is_deeply($r->{json}{data}, { %$want, dry_run => JSON::PP::true },
    'tells what would be');
is(rows('contacts'), 0, 'and stores nothing');
$r = import_csv('admin', '?dry_run=0', $csv);
is_deeply($r->{json}{data}, { %$want, dry_run => JSON::PP::false },
    'and so it is');
is(rows('donations'), 2, 'two gifts');
my $before = join '|', map { @$_ } $d->sql('SELECT * FROM contacts');
$r = import_csv('admin', '', "--x\r\nContent-Disposition: form-data; "
    . "name=\"file\"; filename=\"d.csv\"\r\nContent-Type: text/csv\r\n\r\n"
    . "$csv\r\n--x--\r\n", 'multipart/form-data; boundary=x');
is_deeply($r->{json}{data}, { %$want, dry_run => JSON::PP::false,
    contacts => 0, donations => 0, known => 3 }, 'again, as a form');
is(rows('donations'), 2, 'nothing is doubled');
is(join('|', map { @$_ } $d->sql('SELECT phone, gift_sum FROM contacts '
    . 'ORDER BY id')), '6281210000001|50000|6281210000002|75000', 'figures');

# ---- what is no import ----

is(import_csv('admin', '', "nama,jumlah\nx,1\n")->{status}, 422, 'no phone');
for ("phone,name,Phone\n0812,a,0813\n",
     "phone,date,amount,note,amount\n0812,2026-03-01,1,x,2\n") {
    my $twice = import_csv('admin', '?dry_run=1', $_);
    is($twice->{status}, 422, 'a column named twice') or diag $twice->{body};
    like($twice->{json}{errors}{file}[0], qr/names a column twice/, 'told so');
}
is(import_csv('admin', '?dry_run=1', "phone,x,x\n08121111111,a,b\n")->{status},
    200, 'one that is not read may be there twice');
is(import_csv('admin', '', '')->{status}, 422, 'nothing');
is(import_csv('admin', '', '{}', 'application/json')->{status}, 415, 'JSON');
is(import_csv('admin', '', 'x', 'multipart/form-data; boundary=x')->{status},
    400, 'a broken form');

# ---- export ----

is($d->api(GET => "/api/crm/export/$_.csv", token => $token{cs1})->{status},
    403, "a CS takes no $_ along") for qw(donors donations);
$r = $d->api(GET => '/api/crm/export/donors.csv',
    token => $token{supervisor});
is($r->{status}, 200, 'donors');
like($r->{headers}{'content-type'}, qr{^text/csv}, 'as CSV');
like($r->{headers}{'content-disposition'},
    qr/^attachment; filename="donors-\d{4}-\d\d-\d\d\.csv"$/, 'to be kept');
like($r->{body}, qr/^"6281210000001","'=SUM\(A1\)",New,50000,1,50000,/m,
    'a formula is disarmed');
$r = $d->api(GET => '/api/crm/export/donations.csv',
    token => $token{supervisor});
like($r->{body}, qr/^"6281210000002",.*,2026-02-01,75000,"Infak",/m, 'gifts');
like($r->{body}, qr/,"'\@catatan",/, 'formulas there, too');
$r = import_csv('admin', '', $r->{body});
is_deeply([@{$r->{json}{data}}{qw(rows known donations refused)}],
    [2, 2, 0, 0], 'an export is an import that changes nothing');

# ---- wacrmctl ----

my ($rc, $out) = $d->ctl(['import', '--dry-run', '-'],
    "phone,name,date,amount\n081210000003,Baru,2026-03-01,1000\n");
is($rc, 0, 'import --dry-run') or diag $out;
like($out, qr/not stored: 1 rows: 1 new contacts, 1 gifts/, 'tells');
is(rows('contacts'), 2, 'and stores nothing');
my $file = "$d->{dir}/gifts.csv";
($rc, $out) = $d->ctl(['export', 'donations', $file]);
is($rc, 0, 'export donations') or diag $out;
like($out, qr/^2 rows written/, 'says how many');
is((stat $file)[2] & 0777, 0600, 'for nobody else');
($rc, $out) = $d->ctl(['export', 'donations', $file]);
isnt($rc, 0, 'a file that is there stays');
$d->wacrmd_stop;
($rc, $out) = $d->ctl(['export', 'donors', "$d->{dir}/donors.csv"]);
is($rc, 0, 'also while wacrmd is down') or diag $out;
$d->wacrmd_start;

# ---- wacrmctl's socket: what is cut is not taken for whole ----

sub control {
    my $s = IO::Socket::UNIX->new(Peer => "$d->{dir}/control.sock")
        or die "control: $!";
    print {$s} qq({"command":"import file"}\n);
    return $s;
}

sub chunk { pack('N', length $_[0]) . $_[0] }

sub answer {
    my ($s) = @_;
    shutdown $s, 1;
    return join '', <$s>;
}

sub gifts_of {
    return join ' ', map { $_->[0] } $d->sql('SELECT amount FROM donations d '
        . "JOIN contacts c ON c.id = d.contact_id WHERE c.phone = '$_[0]' "
        . 'ORDER BY d.id');
}

my $names = "phone,name,date,amount\n";
my $whole = "6281400000001,Siti,2026-03-01,150000\n";
for (['inside a chunk', substr(chunk("$names${whole}6281400000002,Budi,"
        . "2026-03-01,15"), 0, -2)],
    ['between two', chunk("$names${whole}6281400000002,Budi,2026-03-01,15")],
    ['inside a head', chunk("$names${whole}6281400000002,Budi,2026-03-01,15")
        . "\0\0"],
    ['by what is no chunk', chunk("$names$whole")
        . "6281400000002,Budi,2026-03-01,15\n"]) {
    my ($where, $bytes) = @$_;
    my $s = control();
    print {$s} $bytes;
    my $said = answer($s);
    like($said, qr/"ok":false.*did not come to its end.*same file again/,
        "cut $where: told, and what to do");
    like($said, qr/"1 rows: /, 'of the rows that are stored');
    is(gifts_of('6281400000001'), 150000, 'the whole row is there, once');
    is(gifts_of('6281400000002'), '', 'and not the half one');
}
{
    my $s = control();
    print {$s} "$names${whole}6281400000003,Budi,2026-03-01,15\n";
    like(answer($s), qr/"ok":false/, 'without chunks it is no file');
    is(gifts_of('6281400000003'), '', 'of which nothing is stored');
    $s = control();
    print {$s} chunk($names), chunk(substr $whole, 0, 5),
        chunk(substr $whole, 5), chunk('');
    like(answer($s), qr/"1 rows: .* 1 known already.*"ok":true/s,
        'in chunks as they come');
}

# ---- a wacrmctl and a wacrmd that do not belong together ----

{
    my $s = control();
    print {$s} chunk($names), chunk($whole), chunk('');
    like(answer($s), qr/"ok":true/, 'the name of a file in chunks');
    my $had = rows('contacts');
    for ("name,phone\nBudi,6281400000004\n",
        chunk("name,phone\nBudi,6281400000004\n") . chunk('')) {
        $s = IO::Socket::UNIX->new(Peer => "$d->{dir}/control.sock")
            or die "control: $!";
        print {$s} qq({"command":"import"}\n), $_;
        like(answer($s), qr/"ok":false.*wacrmctl is older than wacrmd: .*stored/,
            'what a wacrmctl of before sends: refused, with what to do');
    }
    is(rows('contacts'), $had, 'and nothing is stored');
}

# The control socket of a wacrmd which knows only the commands before.
sub as_of_before {
    my ($code) = @_;

    $d->wacrmd_stop;
    unlink "$d->{dir}/control.sock";
    my $listener = IO::Socket::UNIX->new(Listen => 1,
        Local => "$d->{dir}/control.sock") or die "control: $!";
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        alarm 60;
        my $s = $listener->accept or POSIX::_exit(1);
        my ($name) = <$s> =~ /"command":"([^"]*)"/;
        print {$s} $name eq 'import' ? qq({"ok":true}\n)
            : qq({"ok":false,"error":"no command \\"$name\\""}\n);
        close $s;
        POSIX::_exit(0);
    }
    close $listener;
    my @answer = $code->();
    waitpid $pid, 0;
    $d->wacrmd_start;
    return @answer;
}

($rc, $out) = as_of_before(sub { $d->ctl(['import', '-'], "$names$whole") });
is($rc, 1, 'a wacrmd of before does not take chunks for rows');
like($out, qr/wacrmd that runs is of another version.*restart it/,
    'and wacrmctl says what to do');
($rc, $out) = $d->ctl(['import', $d->{dir}]);
is($rc, 1, 'a file that cannot be read');
like($out, qr/ended early/, 'wacrmd does not take it for an empty one');
like($out, qr/cannot be read to its end: Is a directory/, 'and why');
($rc, $out) = $d->ctl(['import', '-'], $names . "x,y,,\n" x 20_000);
is($rc, 0, 'as many answers as rows') or diag substr $out, 0, 500;
is(scalar(() = $out =~ /^row \d+ left out/mg), 20_000, 'each is told');

# wacrmctl, and wacrmd, ended in the middle of a file
sub rows_of {
    return join '', map { sprintf "62815%08d,Nama %d,2026-03-01,%d\n", $_,
        $_, 100_000 + $_ } $_[0] .. $_[1];
}

# Rows of which some are stored when the rest, and its end, have not come.
sub feed {
    my ($first) = @_;
    my $pid = open my $to, '|-';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDOUT, '>', "$d->{dir}/fed";
        open STDERR, '>&', \*STDOUT;
        exec "$d->{build}/wacrmctl", '-c', "$d->{dir}/wacrmd.conf",
            'import', '-';
        POSIX::_exit(127);
    }
    $to->autoflush(1);
    print {$to} $names, rows_of($first, $first + 3999),
        '6281500009999,Nama,2026-03-01,10';
    ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM donations '
        . 'WHERE amount = 100500 + ' . $first) == 1 }), 'some are stored');
    return ($pid, $to);
}

{
    local $SIG{PIPE} = 'IGNORE';
    my ($pid, $to) = feed(1);
    kill 'KILL', $pid;
    close $to;
    is(($d->ctl(['user', 'list']))[0], 0, 'wacrmctl killed');
    ($pid, $to) = feed(4001);
    ok($d->wacrmd_stop, 'SIGTERM in the middle: in time, and 0');
    close $to;
    isnt($?, 0, 'wacrmctl fails');
    like($d->{nginx}->read('fed'), qr/wacrmd ends: import the same file again/,
        'and says what to do');
    is($d->sql('SELECT count(*) FROM donations WHERE amount < 100'), 0,
        'a row that was cut is not stored, here or there');
    $d->wacrmd_start;
    ($rc, $out) = $d->ctl(['import', '-'], $names . rows_of(1, 8000));
    is($rc, 0, 'the whole file, again') or diag $out;
    is_deeply([$d->sql('SELECT count(*), count(DISTINCT amount) FROM donations '
        . 'WHERE amount > 100000 AND amount <= 108000')], [[8000, 8000]],
        'each gift is there once');
    $token{admin} = $d->login('admin@test.example');
}

$d->sound;
# ---- files as they really are, and as no one should make them ----

my $head = 'phone,name,date,amount';

sub told {
    my ($what, $body, $want) = @_;
    my $r = import_csv('admin', '', $body);
    is($r->{status}, 200, "$what: 200") or diag $r->{body};
    is_deeply([@{$r->{json}{data}}{qw(rows contacts donations refused)},
        map { "$_->{row}: $_->{reason}" } @{$r->{json}{data}{refusals}}],
        $want, $what) or diag $r->{body};
}

told('a byte order mark before quotes',
    "\xef\xbb\xbf\"phone\",\"name\"\r\n\"6281300000001\",\"A\"\r\n", [1, 1, 0, 0]);
told('lines of an old Mac', "phone,name\r6281300000002,B\r", [1, 1, 0, 0]);
told('Latin 1', "$head\n6281300000003,Andr\xe9,,\n", [1, 0, 0, 1,
    '2: a field is not UTF-8: save the file as CSV UTF-8']);
told('a line of a megabyte', "$head\n6281300000004," . 'a' x 1_000_000
    . ",,\n6281300000005,E,,\n", [2, 1, 0, 1,
    '2: a field is longer than 500 bytes']);
told('quotes that do not end', "$head\n6281300000006,F,,\n"
    . "6281300000007,\"G,,\n6281300000008,H,,\n", [2, 1, 0, 1,
    '3: the file ends inside quotes']);
told('for megabytes', "$head\n6281300000009,I,,\n6281300000010,\""
    . 'a' x 5_000_000, [2, 1, 0, 1, '3: the quotes of a field do not end']);
told('sums', "$head\n" . join('', map { "6281300000011,K,2026-01-01,$_\n" }
    '1000000000000', '1000000000001', '9223372036854775808', '1e3', '-1'),
    [5, 1, 1, 4, map { "$_: amount is not a sum in rupiah" } 3 .. 6]);
told('dates', "$head\n" . join('', map { "6281300000012,L,$_,1\n" }
    '2024-02-29', '2023-02-29', '0024-02-29', '1969-12-31', '9999-12-31'),
    [5, 1, 1, 4, '3: date is not like 2026-03-01 or 01/03/2026',
    '4: date is before 1970', '5: date is before 1970',
    '6: date is in the future']);
$r = import_csv('admin', '', "phone,name\n" . "x,y\n" x 5000);
is("$r->{json}{data}{refused} " . @{$r->{json}{data}{refusals}}, '5000 1000',
    'a thousand reasons are enough');
$r = $d->api(POST => '/api/crm/contacts/6281300000012/donations',
    token => $token{admin}, json => { amount => 1, date => '0024-02-29' });
is($r->{status}, 422, 'nor a gift of the year 24');
$d->sound;

$d->done;
