#!/usr/bin/env perl
# A backup made under load, restored on an empty machine whose spool goes on:
# what was there before the backup, and what the spool still holds, is there
# once; the desk is told that its numbers are another's. Then another machine,
# with what docs/operations.md has copied, and nothing else, from one whose
# nginx.conf is not the example: in the middle of "New keys", and with a
# certificate of certbot's. It is the same desk.

use strict;
use warnings;

use File::Path qw(make_path);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::File;

my $d = Wacrm::Desk->new(
    wacrmd => sub { Wacrm::Desk::outbox_at_once(gap => '0s') },
    nginx => sub {
        s{(wacrm_jwt_key_file \S+/jwt) }{$1-new } or die 'no jwt';
        s{(listen [^;]+;)}{$1
            listen 127.0.0.1:%%PORT2%% ssl;
            ssl_certificate     %%DIR%%/letsencrypt/live/crm/fullchain.pem;
            ssl_certificate_key %%DIR%%/letsencrypt/live/crm/privkey.pem;}
            or die 'no listen';
    });
$d->allow(qr/upstream/); # wacrmd is away for a while
my $dir = $d->{dir};
# as no other machine has it
$d->{nginx}->write('secrets/jwt-new', 'jwt-secret-of-one-machine-00000001');
{
    my $conf = $d->{nginx}->read('wacrmd.conf');
    $conf =~ s{^(jwt_secret_file = .*/jwt)$}{$1-new}m or die 'no jwt';
    $d->{nginx}->write('wacrmd.conf', $conf);
}
{
    my $certbot = "$dir/letsencrypt";
    make_path("$certbot/archive/crm", "$certbot/live/crm");
    system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -sha256'
        . ' -subj /CN=wacrm-test -addext subjectAltName=IP:127.0.0.1'
        . " -keyout $certbot/archive/crm/privkey1.pem"
        . " -out $certbot/archive/crm/fullchain1.pem 2> /dev/null") == 0
        or die 'openssl: no certificate';
    symlink "../../archive/crm/${_}1.pem", "$certbot/live/crm/$_.pem" or die $!
        for qw(privkey fullchain);
}
$ENV{WACRM_PUBLIC_URL} = 'http://127.0.0.1:' . $d->{nginx}->port;
$d->start;
my $token = $d->login('supervisor@test.example');

# ---- people at work: what a donor wrote, and a file that was sent ----

my $png = "\x89PNG\r\n\x1a\n" . join '', map { chr($_ * 7 % 256) } 0 .. 4999;
{
    my $r = $d->api(POST => '/api/crm/media', token => $token,
        body => "--x\r\nContent-Disposition: form-data; name=\"file\"; "
            . "filename=\"kuitansi.png\"\r\n\r\n$png\r\n--x--\r\n",
        headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
    is($r->{status}, 201, 'a file') or diag $r->{body};
    $r = $d->api(POST => '/api/crm/messages/send', token => $token,
        json => { phone => '6281400000001', message => 'Kuitansi zakat Ibu',
            media_id => $r->{json}{data}{media_id} });
    is($r->{status}, 200, 'is sent') or diag $r->{body};
    my $id = $r->{json}{data}{id};
    ok($d->wait_for(sub {
        $d->sql("SELECT status FROM messages WHERE id = $id") == 2 }),
        'by the gateway');
    is($d->event('message.received', { id => 'DONOR1', from => '6281400000001',
        pushName => 'Siti', message => 'Terima kasih, semoga berkah',
        timestamp => int time }), 200, 'and answered');
}
sub feed {
    my ($query) = @_;
    return $d->api(GET => "/api/crm/events?$query", token => $token)->{json};
}

my $writer = fork;
die "fork: $!" unless defined $writer;
if (!$writer) {
    open my $ledger, '>', "$dir/ledger" or die $!;
    $ledger->autoflush(1);
    for (my $i = 0; !-e "$dir/stop" && getppid() == $d->{nginx}{owner}; $i++) {
        my $id = sprintf 'BACK%05d', $i;
        my $at = time;
        my $status = eval { $d->event('message.received', { id => $id,
            from => sprintf('62812000%03d', $i % 90), message => $id,
            timestamp => int time }) } || 0;
        print {$ledger} "$status $at ", time, " $id\n";
        sleep 0.003;
    }
    close $ledger;
    POSIX::_exit(0);
}
sub wait_stored {
    my ($n) = @_;
    $d->wait_for(sub { $d->sql('SELECT count(*) FROM messages') >= $n }, 20);
}
ok(wait_stored(100), 'events come in');
my $old = feed('since=latest');

# Whatever had its 200 well before, is applied and so is in it.
my $begun = time;
ok($d->applied, 'the spool is drained now and then');
my ($rc, $out) = $d->ctl(['backup', "$dir/backup.db"]);
is($rc, 0, 'a backup while it runs') or diag $out;
ok(wait_stored(200), 'events go on');

# The machine is lost but for its spool, which nginx still fills.
$d->wacrmd_kill;
my $killed = time;
sleep 0.5;
for my $file (glob "$dir/wacrm.db* $dir/search.db*") {
    unlink $file or die "$file: $!";
}
($rc, $out) = $d->ctl(['restore', "$dir/backup.db"]);
is($rc, 0, 'restored where nothing is') or diag $out;
($rc, $out) = $d->ctl(['check']);
is($rc, 0, 'whole') or diag $out;
sleep 0.3;
$d->wacrmd_start;
sleep 0.5;
$d->{nginx}->write('stop', '');
waitpid $writer, 0;
ok($d->applied, 'what the spool held is applied');

my (@before, @after, %status);
for (split /\n/, $d->{nginx}->read('ledger')) {
    my ($status, $from, $to, $id) = split / /;
    $status{$status}++;
    push @before, $id if $to < $begun;
    push @after, $id if $from > $killed;
}
is(join(' ', keys %status), '200', 'the webhook knows nothing of it');
cmp_ok(scalar @before, '>=', 50, @before . ' events before the backup');
cmp_ok(scalar @after, '>=', 50, @after . ' since the machine was lost');
my %stored = map { $_->[0] => $_->[1] } $d->sql('SELECT wa_id, count(*)'
    . ' FROM messages GROUP BY 1');
is(join(' ', grep { !$stored{$_} } @before), '', 'none from before is lost');
is(join(' ', grep { !$stored{$_} } @after), '', 'none from after it');
is(join(' ', grep { $stored{$_} > 1 } keys %stored), '', 'none is doubled');
$d->sound;

$token = $d->login('supervisor@test.example');
my $new = feed('since=latest');
isnt($new->{feed}, $old->{feed}, 'its events are another numbering');
cmp_ok($new->{next}, '>', $old->{next}, 'that has grown past the old one');
ok(feed("since=$old->{next}&feed=$old->{feed}")->{resync},
    'who followed the old one is told');
ok(!feed("since=$new->{next}&feed=$new->{feed}")->{resync}, 'others are not');

# Where in this test lies what docs/operations.md names.
my %lies = (
    '/etc/wacrm' => ['wacrmd.conf', 'secrets'],
    '/etc/nginx' => ['nginx.conf'],
    '/etc/letsencrypt' => ['letsencrypt'],
    '/var/lib/wacrm/media' => ['media'],
);

sub documented {
    my ($section, $sentence) = @_;
    my ($text) = slurp('docs/operations.md') =~ /^## $section\n(.*?)^## /ms
        or die "no $section";
    my ($named) = $text =~ $sentence or die "$section: not as it was thought";
    return sort grep { !m{^/var/backups} } $named =~ m{`(/[^`\s]+)`}g;
}

subtest 'another machine' => sub {
    my $e = Wacrm::Desk->new(agents => 0);
    ok(!-e $e->{db}, 'where nothing is');
    my @paths = documented('Backup', qr/Take copies (.*?)\n\n/s);
    is("@paths", join(' ', documented('Restore', qr/put (.*?) back/)),
        'what is copied is what is put back');
    is(join(' ', grep { !$lies{$_} } @paths), '', 'which this test knows');
    for my $name (map { @{$lies{$_} || []} } @paths) {
        is(system('cp', '-a', "$dir/$name", "$e->{dir}/"), 0, $name);
    }
    is(system('cp', '-a', "$dir/backup.db", "$e->{dir}/"), 0, 'the backup');
    # places and ports are this test's, not the machine's
    my $conf = $e->{nginx}->read('wacrmd.conf');
    $conf =~ s/\Q$dir\E(?!\.)/$e->{dir}/g;
    $conf =~ s/127\.0\.0\.1:$d->{sim_port}\b/127.0.0.1:$e->{sim_port}/g;
    $e->{nginx}->write('wacrmd.conf', $conf);
    $conf = $e->{nginx}->read('nginx.conf');
    $conf =~ s/\Q$dir\E(?!\.)/%%DIR%%/g;
    for my $n (1, 2) {
        my $port = $d->{nginx}->port($n);
        $conf =~ s/127\.0\.0\.1:$port\b/127.0.0.1:%%PORT$n%%/g;
    }
    $e->{nginx}->conf($conf);
    $ENV{WACRM_PUBLIC_URL} = 'http://127.0.0.1:' . $e->{nginx}->port;
    ($rc, $out) = $e->ctl(['restore', "$e->{dir}/backup.db"]);
    is($rc, 0, 'restored') or diag $out;
    is($out, "restored $e->{dir}/backup.db\n", 'and nothing was there before');
    ($rc, $out) = $e->ctl(['check']);
    is($rc, 0, 'check, before the start') or diag $out;
    $e->start;
    is($e->api(GET => '/api/crm/inbox', token => $token)->{status}, 200,
        'who was signed in still is');
    is(`curl -sS -o /dev/null -w '%{http_code}' --max-time 20 --cacert @{[
        "$e->{dir}/letsencrypt/live/crm/fullchain.pem https://127.0.0.1:"
        . $e->{nginx}->port(2)]}/healthz`, 200, 'over TLS, too');
    $token = $e->login('supervisor@test.example'); # with the old password
    my $r = $e->api(GET => '/api/crm/inbox?search=Siti', token => $token);
    my ($chat) = grep { $_->{name} eq 'Siti' } @{$r->{json}{conversations}};
    ok($chat, 'the inbox') or diag $r->{body};
    $r = $e->api(GET => "/api/crm/inbox/$chat->{id}", token => $token);
    my ($said) = grep { $_->{message} =~ /semoga berkah/ }
        @{$r->{json}{messages}};
    ok($said, 'what was written');
    my ($sent) = grep { $_->{media} } @{$r->{json}{messages}};
    ok($e->api(GET => $sent->{media}{url})->{body} eq $png,
        'the file, each byte');
    $r = $e->api(GET => '/api/crm/search?q=berkah', token => $token);
    is($r->{json}{data}{messages}[0]{message}, 'Terima kasih, semoga berkah',
        'search finds') or diag $r->{body};
    is($e->event('message.received', { id => 'DONOR2', from => '6281400000001',
        message => 'Sampai di sini?', timestamp => int time }), 200,
        'the gateway goes on');
    ok($e->applied, 'which is applied');
    is($e->sql("SELECT chat_id FROM messages WHERE wa_id = 'DONOR2'"),
        $chat->{id}, 'in the same chat');
    ($rc, $out) = $e->ctl(['check']);
    is($rc, 0, 'check') or diag $out;
    like($out, qr/^media \S+: ok, 1 files$/m, 'of the files, too');
    $e->sound;
    $e->done;
};

$d->done;
