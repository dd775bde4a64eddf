#!/usr/bin/env perl
# nginx's workers and wacrmd as two users that share a group, from the first
# start on: the spool, the sockets and the database have the modes they need.

use strict;
use warnings;

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

plan skip_all => 'only root can be two users' if $> != 0;

my ($uid, $gid) = ((getpwnam 'nobody')[2], scalar getgrnam 'www-data');
plan skip_all => 'no users nobody and www-data'
    unless defined $uid && defined $gid;

# Away from the clone, which may lie below a home that only its owner enters.
my $dir = tempdir('wacrm-two-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;

my $d = Wacrm::Desk->new(agents => 0,
    nginx_options => { dir => "$dir/state", user => 'www-data' },
    wacrmd => sub { s{^[;#]* *group *=.*|\A}{}; s{^\[wacrmd\]\n}
        {[wacrmd]\ngroup = www-data\n}m });
mkdir "$dir/bin";
for my $program (qw(wacrmd wacrmctl)) {
    copy("$d->{build}/$program", "$dir/bin/$program") or die $!;
    chmod 0755, "$dir/bin/$program";
}

# wacrmd's own: the state directory, setgid, and its secret
chmod 02770, "$dir/state";
chown $uid, $gid, "$dir/state", "$dir/state/wacrmd.conf",
    "$dir/state/secrets", glob "$dir/state/secrets/{jwt,gateway-password,realtime}";
chmod 0755, "$dir/state/secrets";
chmod 0660, "$dir/state/wacrmd.conf";
{
    my $old = umask 0077;
    open my $fh, '>>', "$dir/state/wacrmd.log";
    chown $uid, $gid, "$dir/state/wacrmd.log";
    umask $old;
}
open my $script, '>', "$dir/bin/as-nobody" or die $!;
print {$script} "#!/bin/sh\numask 077\nexec setpriv --reuid=$uid --regid=$gid",
    " --clear-groups $dir/bin/wacrmd \"\$@\"\n";
close $script;
chmod 0755, "$dir/bin/as-nobody";
rename "$dir/bin/as-nobody", "$dir/bin/start";
{
    # Desk starts BUILD/wacrmd
    mkdir "$dir/build";
    rename "$dir/bin/start", "$dir/build/wacrmd";
    rename "$dir/bin/wacrmctl", "$dir/build/wacrmctl";
}
$d->{build} = "$dir/build";
$d->start;

my ($worker) = $d->{nginx}->workers;
is((stat "/proc/$worker")[4], (getpwnam 'www-data')[2], 'worker: www-data');
is((stat "/proc/$d->{wacrmd_pid}")[4], $uid, 'wacrmd: nobody');

my %modes = (spool => 02770, 'spool/data.mdb' => 0660,
    'spool/lock.mdb' => 0660, 'http.sock' => 0660, 'notify.sock' => 0660);
for my $name (sort keys %modes) {
    my @s = stat "$dir/state/$name";
    is(sprintf('%04o', $s[2] & 07777), sprintf('%04o', $modes{$name}),
        "mode of $name");
    is($s[5], $gid, "group of $name");
}
is(sprintf('%04o', (stat "$dir/state/wacrm.db")[2] & 0077), '0000',
    'nobody else reads the database');

is($d->webhook({ event => 'message.received', data => {
    from => '6281200000001', message => 'halo', id => '3EB0TWO',
    timestamp => time } })->{status}, 200, 'the worker writes the spool');
ok($d->wait_for(sub {
    $d->sql("SELECT count(*) FROM messages WHERE wa_id = '3EB0TWO'") == 1
}), 'wacrmd takes it');
is($d->api(GET => '/api/health')->{status}, 200, 'the worker may call wacrmd');

# files: wacrmd writes them, the worker reads them
my ($rc, $out) = $d->ctl(['user', 'add', '--role', 'cs', '--name', 'Siti',
    'cs1@test.example'], "rahasia-sekali\n");
is($rc, 0, 'an agent') or diag $out;
my $r = $d->api(POST => '/api/crm/media', body => "--x\r\n"
    . 'Content-Disposition: form-data; name="file"; filename="a.txt"'
    . "\r\n\r\nteks\r\n--x--\r\n", token => $d->login('cs1@test.example'),
    headers => { 'Content-Type' => 'multipart/form-data; boundary=x' });
is($r->{status}, 201, 'a file goes up') or diag $r->{body};
is($d->api(GET => $r->{json}{data}{url} || '/')->{body}, 'teks',
    'and comes down');
my ($kept) = glob "$dir/state/media/??/*";
is(sprintf('%04o', (stat $kept)[2] & 07777), '0640', 'its mode');
is((stat $kept)[5], $gid, 'its group');

# a worker that is killed leaves locks behind; the other user goes on
kill 'KILL', $worker;
$d->allow(qr/exited on signal 9/);
ok($d->wait_for(sub {
    my $r = eval { $d->webhook({ event => 'message.received', data => {
        from => '6281200000001', message => 'halo', id => '3EB0TWOB',
        timestamp => time } }) };
    $r && $r->{status} == 200
}), 'a new worker writes it again');
ok($d->wait_for(sub {
    $d->sql("SELECT count(*) FROM messages WHERE wa_id = '3EB0TWOB'") == 1
}), 'wacrmd takes it');

$d->done;
