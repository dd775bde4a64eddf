#!/usr/bin/env perl
# A backup made under load, restored on an empty machine whose spool goes on:
# what was there before the backup, and what the spool still holds, is there
# once; the desk is told that its numbers are another's.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $d = Wacrm::Desk->new(
    wacrmd => sub { s/^welcome = on/welcome = off/m or die 'no welcome' })
    ->start;
$d->allow(qr/upstream/); # wacrmd is away for a while
my $dir = $d->{dir};
my $token = $d->login('supervisor@test.example');
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

$d->done;
