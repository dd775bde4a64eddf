#!/usr/bin/env perl
# Two who act on one thing at once. The database is held while both requests
# come in, so that each has looked before the other has written; then a mixed
# load, which is of use with the build B=tsan (WACRM_RACE_SECONDS lengthens it).

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wacrm::Desk;

my $LATER = '2999-01-01T00:00:00Z';
my $d = Wacrm::Desk->new(
    nginx => sub {
        s/(zone=(?:send|upload):1m +rate)=\d+r/$1=60000r/g or die 'no zones';
    },
    wacrmd => sub {
        s/^welcome = on/welcome = off/m or die 'no welcome';
        s/^gap = 1s/gap = 0s/m or die 'no gap';
        s/^(first_per_minute|per_minute) = \d+/$1 = 0/mg or die 'no pace';
    })->start;
my %token = map { $_ => $d->login("$_\@test.example") }
    qw(admin supervisor cs1 cs2);
my $json = JSON::PP->new->utf8;
my $made = 0;

sub phone { '62812555' . sprintf '%05d', $_[0] }
sub path { '/api/crm/contacts/' . phone($_[0]) . ($_[1] || '') }
sub id_of { $d->sql("SELECT id FROM contacts WHERE phone = '"
    . phone($_[0]) . "'") }

# ---- requests at once ----

sub begin {
    my ($who, $method, $path, $body) = @_;
    pipe my $read, my $write or die $!;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $r = $d->api($method => $path, token => $token{$who},
            json => $body);
        print {$write} $json->encode({ status => $r->{status},
            json => $r->{json} });
        close $write;
        POSIX::_exit(0);
    }
    close $write;
    return [$pid, $read];
}

sub end {
    my ($pid, $read) = @{$_[0]};
    local $/;
    my $r = $json->decode(scalar <$read>);
    waitpid $pid, 0;
    return $r;
}

# Both have looked before the first of them writes.
sub both {
    my ($first, $second) = @_;
    my $keeper = $d->hold;
    my @running;
    for ($first, $second) {
        push @running, begin(@$_);
        sleep 0.1;
    }
    $d->let_go($keeper);
    return map { end($_) } @running;
}

sub donors {
    my (@numbers) = @_;
    for (@numbers) {
        $d->event('message.received', { from => phone($_),
            pushName => "Donor $_", message => "halo $_", type => 'text',
            id => sprintf('RACE%08d', $made++), timestamp => time });
    }
    $d->applied or die 'not applied';
}

sub merge {
    my ($from, $into) = @_;
    return ['supervisor', POST => '/api/crm/contacts/merge',
        { from => phone($from), into => phone($into) }];
}

sub erase {
    return ['admin', DELETE => path($_[0]), { confirm => phone($_[0]) }];
}

# ---- merges ----

donors(1 .. 12);
my @r = both(merge(1, 2), merge(1, 2));
is($r[0]{status}, 200, 'a merge');
like($r[1]{status}, qr/^4/, 'the same once more is refused');
@r = both(merge(3, 4), merge(4, 3));
is($r[0]{status}, 200, 'a merge');
like($r[1]{status}, qr/^4/, 'its opposite is refused');
is($d->sql('SELECT count(*) FROM merges'), 2, 'two merges in all');

my $into = id_of(6);
@r = both(merge(5, 6), ['cs1', POST => path(5, '/donations'),
    { amount => 5000, ref => 'R1' }]);
is("$r[0]{status} $r[1]{status}", '200 201', 'a gift to who was merged');
is($d->sql("SELECT contact_id FROM donations WHERE ref = 'R1'"), $into,
    'is of who they are now');
is($r[1]{json}{metrics}{lifetime_value}, 5000, 'and counts there');
@r = both(merge(7, 6), ['cs1', POST => path(7, '/notes'),
    { note => 'x' }]);
is("$r[0]{status} $r[1]{status}", '200 201', 'so is a note');
@r = both(merge(8, 6), ['cs1', POST => path(8, '/reminders'),
    { note => 'x', remind_at => $LATER }]);
is("$r[0]{status} $r[1]{status}", '200 201', 'a reminder');
@r = both(merge(9, 6), ['cs1', POST => path(9, '/consent'),
    { state => 'opt_out', note => 'x' }]);
is("$r[0]{status} $r[1]{status}", '200 201', 'what they have agreed to');
@r = both(merge(10, 6), ['supervisor', PATCH => path(10), { vip => \1 }]);
is("$r[0]{status} $r[1]{status}", '200 200', 'a flag');
is(join(' ', map { scalar $d->sql("SELECT count(*) FROM $_ WHERE contact_id ="
    . " $into") } qw(notes reminders)), '1 1', 'all at who took them in');
is_deeply([$d->sql("SELECT vip, opted_out FROM contacts WHERE id = $into")],
    [[1, 1]]);

@r = both(['cs1', POST => path(6, '/donations'),
    { amount => 7000, ref => 'R2' }], ['cs2', POST => path(6, '/donations'),
    { amount => 7000, ref => 'R2' }]);
is("$r[0]{status} $r[1]{status}", '201 409', 'one reference, one gift');

# ---- erasing ----

for (['a note', POST => '/notes', { note => 'RAHASIA' }],
     ['a gift', POST => '/donations', { amount => 1, note => 'RAHASIA' }],
     ['a reminder', POST => '/reminders',
         { note => 'RAHASIA', remind_at => $LATER }],
     ['a name', PATCH => '', { name => 'RAHASIA' }],
     ['a consent', POST => '/consent',
         { state => 'opt_out', note => 'RAHASIA' }]) {
    my ($what, $method, $end, $body) = @$_;
    my $n = 20 + $made;
    donors($n);
    @r = both(erase($n), ['cs1', $method => path($n, $end), $body]);
    is("$r[0]{status} $r[1]{status}", '200 404',
        "$what for who has been erased");
}
donors(91, 92);
@r = both(merge(91, 92), erase(91));
is("$r[0]{status} $r[1]{status}", '200 200', 'erased while being merged');
is($d->sql("SELECT count(*) FROM contacts WHERE name LIKE 'Donor 9_'"), 0,
    'is erased as the one they are now');
donors(93, 94);
@r = both(merge(93, 94), erase(94));
is("$r[0]{status} $r[1]{status}", '200 200', 'erased while growing');
is($d->sql("SELECT count(*) FROM messages WHERE body LIKE 'halo 9_'"), 0,
    'with what came to them');
is($d->sql('SELECT count(*) FROM raw_events WHERE instr(CAST(record AS TEXT),'
    . " '" . phone(93) . "') > 0"), 0, 'and how it came');
is($d->sql('SELECT count(*) FROM (SELECT name AS t FROM contacts UNION ALL'
    . ' SELECT note FROM notes UNION ALL SELECT note FROM reminders UNION ALL'
    . " SELECT note FROM donations) WHERE t LIKE '%RAHASIA%'"), 0,
    'no word is left');

# ---- ids ----

donors(101);
my $gone = id_of(101);
my $chat = $d->sql("SELECT id FROM chats WHERE contact_id = $gone");
is($d->api(POST => '/api/crm/contacts/merge', token => $token{supervisor},
    json => merge(101, 12)->[3])->{status}, 200, 'the newest goes');
donors(102);
isnt(id_of(102), $gone, 'nobody gets the number of who is gone');
isnt($d->sql('SELECT id FROM chats WHERE contact_id = ' . id_of(102)), $chat,
    'nor the chat');
my @template = map { $d->api(POST => '/api/crm/templates',
    token => $token{admin}, json => { name => $_, content => $_ })
    ->{json}{data}{id} } 'satu';
$d->api(DELETE => "/api/crm/templates/$template[0]", token => $token{admin});
push @template, $d->api(POST => '/api/crm/templates', token => $token{admin},
    json => { name => 'dua', content => 'dua' })->{json}{data}{id};
isnt($template[1], $template[0], 'nor a template the one of another');

# ---- all at once ----

my $seconds = $ENV{WACRM_RACE_SECONDS} || 2;
my $until = time + $seconds;
my @load = (
    sub { donors(1000 + int rand 40) },
    sub { call('cs1', GET => '/api/crm/inbox?search=halo') },
    sub { call('cs2', GET => '/api/crm/search?q=halo+1') },
    sub { call('cs1', GET => '/api/crm/dashboard') },
    sub { call('cs2', POST => '/api/crm/messages/send',
        { phone => phone(1000 + int rand 40), message => 'balasan' }) },
    sub { call('supervisor', @{merge(map { 1000 + int rand 40 } 1, 2)}[1 .. 3])
        },
    sub { call('supervisor', POST => '/api/crm/merges/'
        . (1 + int rand 60) . '/undo', {}) },
    sub { call('admin', @{erase(1000 + int rand 40)}[1 .. 3]) if !int rand 8 },
    sub { call('cs1', POST => path(1000 + int(rand 40), '/donations'),
        { amount => 1000 }) },
    sub { call('cs1', POST => path(1000 + int(rand 40), '/reminders'),
        { note => 'x', remind_at => soon(2) }) },
    sub { call('admin', GET => '/api/crm/export/donations.csv') },
    sub { $d->api(POST => '/api/crm/import', token => $token{admin},
        headers => { 'Content-Type' => 'text/csv' }, body =>
            "phone,name,date,amount\n" . join '', map { phone(1000 + $_)
            . ",N,2026-01-01,5000\n" } 1 .. 40) },
    sub { call('cs1', GET => path(1000 + int(rand 40))) },
    sub { call('cs1', GET => path(1000 + int(rand 40), '/check')) },
    sub { call('admin', GET => "/api/crm/$_") for
        qw(reports/rfm reports/lybunt whatsapp/sessions audit merges) },
    sub { $d->{nginx}->request(GET => '/metrics/wacrmd') },
    sub { call('cs1', POST => '/api/crm/messages/send',
        { phone => phone(1000 + int rand 40), message => 'nanti',
          scheduled_at => soon(1 + rand 2) }) },
    sub { call('cs1', DELETE => '/api/crm/messages/' . (1 + int rand 200)) },
    sub { call('cs1', PATCH => '/api/crm/messages/' . (1 + int rand 200),
        { scheduled_at => soon(1 + rand 2) }) },
    sub { call('admin', POST => '/api/auth/logout') if $token{admin}
        && !int rand 4; $token{admin} = eval { $d->login(
            'admin@test.example') } || $token{admin}; sleep 0.5 },
);

sub soon { POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 1 + $_[0])) }

sub call {
    my ($who, $method, $path, $body) = @_;
    my $r = $d->api($method => $path, token => $token{$who},
        defined $body ? (json => $body) : ());
    return if $r->{status} && $r->{status} != 500;
    print STDERR "# $method $path: $r->{status}\n";
    POSIX::_exit(1);
}

my @children;
for my $job (0 .. $#load) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        srand $job;
        $made = ($job + 1) * 1_000_000;
        while (time < $until) {
            $load[$job]->();
            sleep 0.005;
        }
        POSIX::_exit(0);
    }
    push @children, $pid;
}
my $bad = 0;
for (@children) {
    waitpid $_, 0;
    $bad++ if $?;
}
is($bad, 0, 'nobody met an error');
ok($d->applied(60), 'all is applied');
ok($d->wait_for(sub { !$d->sql('SELECT count(*) FROM outbox WHERE state < 4'
    . ' OR state = 7') }, 60), 'all has left that was to leave');
$d->sound;
my %never = (
    'sums that are not those of the gifts' => 'SELECT k.id FROM contacts k'
        . ' WHERE k.gift_sum <> (SELECT coalesce(sum(amount), 0) FROM'
        . " donations d WHERE d.contact_id = k.id AND status = 'confirmed')",
    'an alias that is the number of another' => 'SELECT a.alias FROM'
        . ' contact_aliases a JOIN contacts k ON k.phone = a.alias'
        . ' WHERE k.id <> a.contact_id',
    'a consent that is not the newest' => 'SELECT k.id FROM contacts k JOIN'
        . ' consents c ON c.contact_id = k.id WHERE k.name <> \'Erased\' AND'
        . ' c.id = (SELECT id FROM consents x WHERE x.contact_id = k.id'
        . ' ORDER BY since DESC, id DESC LIMIT 1)'
        . ' AND c.opted_out <> k.opted_out',
    'a merge without its audit' => 'SELECT id FROM merges m WHERE (SELECT'
        . " count(*) FROM audit WHERE action = 'contact.merge' AND"
        . ' object_id = m.id) <> 2',
    'a gift without its audit' => 'SELECT id FROM donations g WHERE g.cs_id'
        . ' IS NOT NULL AND (SELECT count(*) FROM audit WHERE action ='
        . " 'donation.add' AND object_id = g.id) <> 1",
    'a send without its audit' => 'SELECT id FROM messages m WHERE m.cs_id'
        . ' IS NOT NULL AND (SELECT count(*) FROM audit WHERE action IN'
        . " ('message.send', 'message.schedule') AND object_id = m.id) <> 1",
);
for my $what (sort keys %never) {
    is(join(' ', map { $_->[0] } $d->sql($never{$what})), '', "not $what");
}
$d->done;
