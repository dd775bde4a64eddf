#!/usr/bin/env perl
# Stops, reloads and a full disk while the house is busy: what got a 200 is
# there once, what was sent is sent once, and it goes on by itself.

use strict;
use warnings;

use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub {
        Wacrm::Desk::outbox_at_once(gap => '1ms');
    },
    nginx => sub { s/(zone=send:1m +rate)=30r/$1=6000r/ or die 'no zone' }
)->start;
my $dir = $d->{dir};
$d->allow(qr/http\.sock failed .* while connecting to upstream/); # is down
$d->allow(qr/configuration not reloaded/); # a bad one, on purpose
my $token = $d->login('cs1@test.example');

# Children that write down what was acknowledged, until the file "stop" is.
my @children;

sub worker {
    my ($name, $code) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if ($pid) {
        push @children, $pid;
        return;
    }
    open my $ledger, '>', "$dir/ledger.$name" or die $!;
    my $n = 0;
    until (-e "$dir/stop") {
        my $id = sprintf '%s-%05d', $name, $n++;
        my $r = eval { $code->($id, $n) };
        my $status = $r ? $r->{status} : 0;
        print {$ledger} "$status $id\n";
        sleep($status == 200 ? 0.004 : 0.02);
    }
    close $ledger;
    POSIX::_exit(0);
}

sub work_begins {
    my ($tag) = @_;

    unlink "$dir/stop";
    for my $w (1, 2) {
        worker("in$tag$w", sub {
            my $body = encode_json({ event => 'message.received', data => {
                from => '62817000000' . sprintf('%02d', $_[1] % 50),
                message => "isi $_[0]", id => $_[0], timestamp => int time,
                pushName => 'Ramai' } });
            return $d->webhook($body);
        });
    }
    worker("out$tag", sub {
        return $d->api(POST => '/api/crm/messages/send', token => $token,
            json => { phone => '62817000000' . sprintf('%02d', $_[1] % 50),
                message => "kirim $_[0]" });
    });
    worker("read$tag", sub {
        return $d->api(GET => '/api/crm/inbox', token => $token);
    });
}

# {name => {status => [ids]}}
sub work_ends {
    $d->{nginx}->write('stop', '');
    waitpid $_, 0 for splice @children;
    my %ledger;
    for my $file (glob "$dir/ledger.*") {
        my ($name) = $file =~ /ledger\.(.*)/;
        for (split /\n/, $d->{nginx}->read("ledger.$name")) {
            my ($status, $id) = split / /;
            push @{$ledger{$name}{$status}}, $id;
        }
        unlink $file;
    }
    return \%ledger;
}

# ---- SIGTERM, three times, under load ----

work_begins('a');
my ($slowest, $clean) = (0, 0);
for (1 .. 3) {
    sleep 0.6;
    my $begin = time;
    $clean++ if $d->wacrmd_stop('TERM');
    $slowest = time - $begin if time - $begin > $slowest;
    sleep 0.1;
    $d->wacrmd_start;
}
sleep 0.3;
my $ledger = work_ends();
is($clean, 3, 'SIGTERM: ends with 0');
cmp_ok($slowest, '<', 10, sprintf 'within 10 s (%.2f s)', $slowest);
my @in = map { @{$ledger->{$_}{200} || []} } qw(ina1 ina2);
my @out = @{$ledger->{outa}{200} || []};
cmp_ok(scalar @in, '>', 100, scalar(@in) . ' events were acknowledged');
cmp_ok(scalar @out, '>', 20, scalar(@out) . ' messages were accepted');
is(join(',', grep { $_ != 200 } map { keys %{$ledger->{$_}} } qw(ina1 ina2)),
    '', 'the webhook knows nothing of it');
is(join(',', sort grep { $_ !~ /^(?:200|503)$/ }
    map { keys %{$ledger->{$_}} } qw(outa reada)), '',
    'agents get 200 or 503, nothing else');
ok($d->applied, 'all is applied');
my %stored = map { $_->[0] => $_->[1] } $d->sql("SELECT wa_id, count(*)"
    . " FROM messages WHERE wa_id LIKE 'ina%' GROUP BY wa_id");
is(scalar(grep { ($stored{$_} || 0) != 1 } @in), 0, 'each event once');
my %queued = map { $_->[0] => $_->[1] } $d->sql("SELECT substr(body, 7),"
    . " count(*) FROM messages WHERE body LIKE 'kirim %' GROUP BY body");
is(scalar(grep { ($queued{$_} || 0) != 1 } @out), 0, 'each message once');
ok($d->wait_for(sub { $d->sql('SELECT count(*) FROM outbox WHERE state < 4')
    == 0 }, 30), 'the outbox is empty');
my %sent;
$sent{substr $_->{body}{message}, 6}++ for $d->calls(route => 'send.text');
is(scalar(grep { $_ > 1 } values %sent), 0, 'nothing was sent twice');
is(scalar(grep { !$sent{$_} } @out), 0, 'nothing was forgotten');
is($d->sql("SELECT count(*) FROM messages WHERE direction = 1"
    . " AND status <> 2"), 0, 'all of it has the status "sent"');

# ---- SIGTERM while a call hangs ----

$d->sim('/_sim/behaviour', { route => 'send.text', do => 'hang',
    accept => \1 });
my $r = $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '6281700000099', message => 'menggantung' });
my $id = $r->{json}{data}{id};
ok($d->wait_for(sub { $d->calls(text => 'menggantung') == 1 }),
    'a call hangs');
my $begin = time;
ok($d->wacrmd_stop('TERM'), 'SIGTERM');
cmp_ok(time - $begin, '<', 15, 'in about 10 s, whatever the gateway does');
$d->wacrmd_start;
is($d->sql("SELECT status FROM messages WHERE id = $id"), 1,
    'and the message is unknown');
is(scalar(() = $d->calls(text => 'menggantung')), 1, 'called once');

# ---- SIGTERM while old rows go, more of them than an hour has seen ----

$d->wacrmd_stop;
$d->change('DELETE FROM raw_events'); # the young ones would be the first
$d->change('INSERT INTO raw_events (spool, seq, received_at, record) WITH'
    . ' RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE'
    . " i < 210000) SELECT 1, -i, 0, x'00' FROM n");
my $OLD = 'SELECT count(*) FROM raw_events WHERE received_at = 0';
my $old;
$d->wacrmd_start;
$begin = time;
# held, so that what goes after the signal goes because of it
do {
    kill 'CONT', $d->wacrmd_pid;
    sleep 0.02;
    kill 'STOP', $d->wacrmd_pid;
    $old = $d->sql($OLD);
} while $old == 210_000 && time < $begin + 60;
ok($old > 10_000 && $old < 210_000, "old rows go: $old are left");
kill 'TERM', $d->wacrmd_pid;
$begin = time;
ok($d->wacrmd_stop('CONT'), 'SIGTERM at once');
cmp_ok(time - $begin, '<', 10, 'it does not wait for them');
my $gone = $old - $d->sql($OLD);
cmp_ok($gone, '<', 5_000, "$gone of $old went meanwhile");
$d->wacrmd_start;
ok($d->wait_for(sub { $d->sql($OLD) == 0 }, 60), 'all of them go');

# ---- SIGTERM while a file is imported and a message is on its way ----

my $admin = $d->login('admin@test.example');
my $GIFTS = 20_000;
my $csv = "phone,name,date,amount\n" . join '',
    map { sprintf "62815%08d,Nama %d,2026-03-01,%d\n", $_, $_, 100_000 + $_ }
    1 .. $GIFTS;
sub import_csv {
    return $d->api(POST => '/api/crm/import', token => $admin, body => $csv,
        headers => { 'Content-Type' => 'text/csv' });
}
$d->sim('/_sim/behaviour', { route => 'send.text', do => 'slow', ms => 3000 });
$r = $d->api(POST => '/api/crm/messages/send', token => $token,
    json => { phone => '6281700000098', message => 'perjalanan' });
ok($d->wait_for(sub { $d->calls(text => 'perjalanan') == 1 }), 'a call is out');
my $importing = fork;
die "fork: $!" unless defined $importing;
if (!$importing) {
    my $answer = import_csv();
    open my $fh, '>', "$dir/imported" or POSIX::_exit(1);
    print {$fh} "$answer->{status} $answer->{body}";
    close $fh;
    POSIX::_exit(0);
}
$begin = time;
# held in the middle of it
my $part;
do {
    kill 'CONT', $d->wacrmd_pid;
    sleep 0.01;
    kill 'STOP', $d->wacrmd_pid;
    $part = $d->sql('SELECT count(*) FROM donations');
} while $part == 0 && time < $begin + 60;
ok($part > 0 && $part < $GIFTS, "an import has begun: $part gifts");
kill 'TERM', $d->wacrmd_pid;
$begin = time;
ok($d->wacrmd_stop('CONT'), 'SIGTERM');
cmp_ok(time - $begin, '<', 10, 'in time');
waitpid $importing, 0;
like($d->{nginx}->read('imported'), qr/^503 .*Import it again/,
    'who imports is told what to do');
$d->wacrmd_start;
is($d->sql("SELECT status FROM messages WHERE id = $r->{json}{data}{id}"), 2,
    'the message is known to be sent');
$part = $d->sql('SELECT count(*) FROM donations');
ok($part > 0 && $part < $GIFTS, "$part gifts are stored");
$r = import_csv();
is($r->{status}, 200, 'the file, again') or diag $r->{body};
is("$r->{json}{data}{known} $r->{json}{data}{donations}",
    "$part " . ($GIFTS - $part), 'brings the rest');
is(join(' ', map { @$_ } $d->sql('SELECT count(*), count(DISTINCT amount) '
    . 'FROM donations')), "$GIFTS $GIFTS", 'each gift is there once');

# ---- SIGHUP, good and bad, under load ----

work_begins('b');
my $conf = $d->{nginx}->read('wacrmd.conf');
my $hup = sub {
    my ($text, $expect) = @_;
    my $mark = length $d->log;
    $d->{nginx}->write('wacrmd.conf', $text);
    kill 'HUP', $d->wacrmd_pid;
    return $d->wait_for(sub { substr($d->log, $mark) =~ $expect }) ?
        substr $d->log, $mark : '';
};
(my $other = $conf) =~ s/^vip_amount = .*/vip_amount = 5/m;
$other =~ s/^workers = 2/workers = 3/m;
my $told = $hup->($other, qr/configuration reloaded/);
like($told, qr/option changed.*vip_amount/, 'SIGHUP: what has changed');
like($told, qr/needs a restart.*workers/, 'SIGHUP: what has not yet');
$told = $hup->("$conf\n[nosuch]\n", qr/not reloaded/);
like($told, qr/wacrmd\.conf:\d+: .*nosuch/, 'a bad file: its line');
$told = $hup->('', qr/not reloaded/);
ok(length $told, 'an empty file is a bad one');
$hup->($conf, qr/configuration reloaded/) for 1 .. 5;
is(kill(0, $d->wacrmd_pid), 1, 'it runs on');
$ledger = work_ends();
is(join(',', sort map { keys %{$ledger->{$_}} } keys %$ledger),
    '200,200,200,200', 'and every request got a 200');
@in = map { @{$ledger->{$_}{200} || []} } qw(inb1 inb2);
ok($d->applied, 'applied');
%stored = map { $_->[0] => $_->[1] } $d->sql("SELECT wa_id, count(*)"
    . " FROM messages WHERE wa_id LIKE 'inb%' GROUP BY wa_id");
is(scalar(grep { ($stored{$_} || 0) != 1 } @in), 0, 'each event once');
$d->sound;
ok($d->wacrmd_stop, 'stops');
$d->sim_stop;
$d->{nginx}->stop;

# ---- a full spool, while wacrmd is away ----

{
    my $s = Wacrm::Desk->new(agents => 0,
        wacrmd => sub { s/^spool_size = 1g/spool_size = 8m/m or die 'size';
            s/^welcome = on/welcome = off/m },
        nginx => sub { s/size=1g/size=8m/ or die 'no size' })->start;
    my $event = sub { $s->webhook({ event => 'message.received', data => {
        from => '6281900000001', id => "SPOOL$_[0]", timestamp => int time,
        message => 'x' x $_[1] } }) };
    $s->wacrmd_kill;
    my ($n, $answer) = (0);
    for my $size (200_000, 20_000, 2_000, 1) { # to the last corner
        for (1 .. 60) {
            $answer = $event->($n, $size);
            last if $answer->{status} != 200;
            $n++;
        }
    }
    is($answer->{status}, 503, "full spool: 503 after $n events");
    cmp_ok($n, '>', 20, 'there was room before');
    ok($answer->{headers}{'retry-after'}, 'with Retry-After');
    like($answer->{headers}{'content-type'}, qr/json/, 'in JSON');
    is($s->api(GET => '/healthz')->{status}, 503, '/healthz tells');
    $s->wacrmd_start;
    ok($s->wait_for(sub { $s->api(GET => '/healthz')->{status} == 200 }),
        'well again as soon as wacrmd has taken them');
    ok($s->wait_for(sub { $event->($n, 200_000)->{status} == 200 }),
        'the gateway tries again: 200');
    ok($s->applied, 'applied');
    is($s->sql("SELECT count(*) FROM messages WHERE wa_id LIKE 'SPOOL%'"),
        $n + 1, 'what got a 200 is there, once');
    is($s->sql('SELECT sum(unread) FROM chats'), $n + 1, 'each');
    $s->sound;
    ok($s->wacrmd_stop, 'full spool: wacrmd stops cleanly');
    $s->sim_stop;
    $s->{nginx}->finish;
}

# ---- a full disk ----

SKIP: {
    my $full = Wacrm::Desk->new(agents => 0, wacrmd => sub {
        s/^welcome = on/welcome = off/m;
        s{^state_dir = (.*)}{state_dir = $1\ndatabase = $1/small/wacrm.db}m });
    my $small = "$full->{dir}/small";
    $full->{db} = "$small/wacrm.db";
    mkdir $small or die "$small: $!";
    skip 'only root can make a small disk', 1 if $> != 0
        || system("mount -t tmpfs -o size=8m tmpfs $small 2>/dev/null") != 0;
    my $lived = eval { full_disk($full, $small); 1 };
    diag($@) unless $lived;
    ok($lived && $full->wacrmd_stop, 'full disk: wacrmd stops cleanly');
    $full->wacrmd_kill;
    $full->sim_stop;
    system('umount', $small) == 0 or diag("umount: $?");
    $full->{nginx}->finish;
}

sub full_disk {
    my ($f, $small) = @_;

    $f->ctl([qw(user add --role admin a@test.example)],
        "$Wacrm::Desk::PASSWORD\n");
    $f->start;
    my $agent = $f->login('a@test.example');
    my $event = sub { $f->event('message.received', { message => 'x' x 900,
        from => '62818' . sprintf('%07d', $_[0] % 20), id => "FULL$_[0]",
        timestamp => time }) };
    is($event->(0), 200, 'full disk: an event before');
    ok($f->applied, 'is applied');
    open my $filler, '>', "$small/filler" or die $!;
    my $block = "\0" x 4096;
    1 while syswrite $filler, $block;
    close $filler;
    is(scalar(grep { $event->($_) != 200 } 1 .. 500), 0,
        'the edge takes 500 events');
    ok($f->wait_for(sub { $f->log =~ /batch put back/ }),
        'wacrmd puts them back');
    like($f->log, qr/full|space/, 'and says why');
    is($f->api(GET => '/api/crm/inbox', token => $agent)->{status}, 200,
        'the inbox can be read');
    my $send = $f->api(POST => '/api/crm/messages/send', token => $agent,
        json => { phone => '628180000001', message => 'penuh' });
    is($send->{status}, 503, 'sending: 503');
    ok($send->{headers}{'retry-after'}, 'with Retry-After');
    is($f->sql('SELECT count(*) FROM dead_letters'), 0, 'no dead letters');
    unlink "$small/filler";
    ok($f->wait_for(sub { $f->sql("SELECT count(*) FROM messages"
        . " WHERE wa_id LIKE 'FULL%'") == 501 }, 20),
        'when there is room it goes on by itself');
    ok($f->applied, 'to the end');
    is($f->sql('SELECT sum(unread) FROM chats'), 501, 'each once');
    $f->sound;
    my @errors = grep { / error / && !/full|put back|status=503/ }
        split /\n/, $f->log;
    is(join("\n", @errors), '', 'no other error in the log');
    is($f->api(POST => '/api/crm/messages/send', token => $agent,
        json => { phone => '628180000001', message => 'lapang' })->{status},
        200, 'sending, too');
    is($f->sql("SELECT count(*) FROM messages WHERE body = 'penuh'"), 0,
        'what was refused was not kept');
}

$d->done;
