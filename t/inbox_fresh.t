#!/usr/bin/env perl
# The list of conversations is kept ready and answered by 304, and is never
# older than what has been committed: agents poll it with the ETag of their
# last answer while chats are starred, read and written to, and each change
# that was answered, or that the database shows, is in the next list.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;

my $CHATS = 12;
my $ROUNDS = 60;
my @VIEWS = ('', '?session_id=*', '?filter=starred', '?filter=unread',
    '?limit=5');

my $d = Wacrm::Desk->new(wacrmd => sub {
    s/^welcome = on/welcome = off/m;
    s/^log_level = debug$/log_level = info/m })->start;
my $event = 0;

sub receive {
    my ($chat, $text) = @_;

    $event++;
    return $d->event('message.received', { from => "62812000000$chat",
        pushName => "Donatur $chat", message => $text, id => "3EB0F$event",
        timestamp => int time });
}

receive($_ + 10, 'halo') for 1 .. $CHATS;
ok($d->applied, 'there are chats');
my %token = map { $_ => $d->login("$_\@test.example") } qw(admin cs1 cs2);

# (status, chats by id); remembers the ETag of each who and view
my %tag;
sub look {
    my ($who, $view) = @_;

    my $tag = \$tag{"$who $view"};
    my $r = $d->api(GET => "/api/crm/inbox$view", token => $token{$who},
        headers => { defined $$tag ? ('If-None-Match' => $$tag) : () });
    $$tag = $r->{headers}{etag} if $r->{status} == 200;
    my %chat = map { $_->{id} => $_ } @{$r->{json}{conversations} || []};
    return ($r->{status}, \%chat);
}

# Pollers keep all views warm, so that there is something old to be given.
my @pollers;
for my $who (qw(admin cs1 cs2)) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $end = time + 120;
        while (time < $end && getppid != 1) {
            eval { look($who, $_) for @VIEWS };
        }
        POSIX::_exit(0);
    }
    push @pollers, $pid;
}

my ($id) = map { $_->[0] } $d->sql('SELECT min(id) FROM chats');
my %seen;    # statuses
my @stale;
look('cs1', $_) for @VIEWS;
for my $round (1 .. $ROUNDS) {
    my $starred = $round % 2;
    my $r = $d->api(POST => "/api/crm/inbox/$id/star", token => $token{cs2});
    die "star: $r->{status} $r->{body}" if $r->{status} != 200;
    for my $view ('', '?session_id=*') {
        my ($status, $chats) = look('cs1', $view);
        $seen{$status}++;
        push @stale, "$round: $status of '$view' after a star"
            if $status != 200
            || ($chats->{$id}{is_starred} ? 1 : 0) != $starred;
    }
    my ($status, $chats) = look('cs1', '?filter=starred');
    push @stale, "$round: $status of the starred"
        if $status != 200 || exists $chats->{$id} != ($starred == 1);
    # nothing has changed for them since
    ($status) = look('cs1', '');
    $seen{$status}++;
}
is(join("\n", @stale), '', 'what was answered is in the next list');
ok($seen{304}, 'and what has not changed is 304');

@stale = ();
for my $round (1 .. $ROUNDS) {
    my $text = "pesan nomor $round";
    is(receive(11, $text), 200, 'taken') if $round == 1;
    receive(11, $text) if $round > 1;
    $d->wait_for(sub { $d->sql("SELECT count(*) FROM messages WHERE body ="
        . " '$text'") }) or die 'not applied';
    # The database shows it: so does the list, with or without a tag.
    my ($status, $chats) = look('cs1', '');
    my ($chat) = grep { $_->{name} eq 'Donatur 11' } values %$chats;
    push @stale, "$round: $status"
        if $status != 200 || ($chat->{last_message} || '') ne $text;
}
is(join("\n", @stale), '', 'what the database shows is in the list');

kill 'TERM', @pollers;
waitpid $_, 0 for @pollers;
$d->sound;
$d->done;
