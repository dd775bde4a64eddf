#!/usr/bin/env perl
# Databases of every past version, with rows in all their tables: made by the
# migrations of that time, brought to the newest by wacrmd, which then shows
# what they hold. No row and no figure is lost on the way.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::File;
use Wacrm::Nginx;

my $root = $Wacrm::Nginx::ROOT;
my @files = sort glob "$root/daemon/db/schema/*.sql";
my %macro = (ID => 'INTEGER PRIMARY KEY', I64 => 'INTEGER', FLAG => 'INTEGER',
    REAL => 'REAL', BYTES => 'BLOB', STRICT => 'STRICT',
    REFUSE => "BEGIN SELECT RAISE(ABORT, 'append-only'); END");
my $hash = crypt($Wacrm::Desk::PASSWORD, '$y$j9T$WacrmOfTheTests1$');
# not what a running desk keeps: the queue of the index; what is fetched again
my %passing = map { $_ => 1 } qw(search_changes contact_changes
    schema_version);
my %moves = map { $_ => 1 } qw(fetch_state fetch_tries fetch_at fetch_error
    valid_until cal_n24 cal_s24 cal_s12 cal_s12_before cal_older segment);

sub run_sql {
    my ($db, $text) = @_;
    open my $fh, '|-', 'sqlite3', '-batch', '-bail', $db or die "sqlite3: $!";
    print $fh $text;
    close $fh or die "sqlite3 refused it: $text";
}

# A database as version n left it behind.
sub build {
    my ($db, $n) = @_;
    my $now = int(time * 1000);
    # Jakarta's day
    my %value = (ms => $now, day => int(($now / 1000 + 7 * 3600) / 86400),
        hash => $hash);

    run_sql($db, 'CREATE TABLE schema_version'
        . ' (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL,'
        . ' applied_at INTEGER NOT NULL) STRICT;');
    for my $i (1 .. $n) {
        my $text = slurp($files[$i - 1]);
        $text =~ s/%([A-Z0-9]+)%/$macro{$1}/g;
        my ($name) = $files[$i - 1] =~ m{([^/]+)$};
        $text .= "\nINSERT INTO schema_version VALUES ($i, '$name', $now);";
        my $rows = sprintf '%s/t/data/schema/%03d.sql', $root, $i;
        $text .= slurp($rows) if -e $rows;
        $text =~ s/\{(ms|day|hash)\}/$value{$1}/g;
        run_sql($db, "PRAGMA foreign_keys = ON; BEGIN; $text\nCOMMIT;");
    }
    chmod 0600, $db;
}

# table => [columns], of what is to stay
sub tables {
    my ($d) = @_;
    my %table;
    for my $row ($d->sql("SELECT m.name, c.name FROM sqlite_schema m,"
        . " pragma_table_info(m.name) c WHERE m.type = 'table'"
        . " AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid")) {
        my ($name, $column) = @$row;
        push @{$table{$name}}, $column
            if !$passing{$name} && !$moves{$column};
    }
    return %table;
}

# Comments do not come into wacrmd.
sub schema {
    my ($d) = @_;
    return join "\n", map { $_->[0] =~ s/ *--.*//gr } $d->sql('SELECT sql FROM sqlite_schema'
        . " WHERE sql IS NOT NULL AND name <> 'schema_version'"
        . ' ORDER BY type, name');
}

sub rows {
    my ($d, $name, @columns) = @_;
    my $list = join ', ', map { "quote(\"$_\")" } @columns;
    return join "\n", map { join ' ', @$_ }
        $d->sql("SELECT $list FROM $name ORDER BY "
            . join ', ', 1 .. @columns);
}

sub is_newest {
    my ($d) = @_;
    is($d->sql('SELECT max(version) FROM schema_version'), scalar @files,
        'the newest version');
    is($d->sql('PRAGMA integrity_check'), 'ok', 'sound');
    is(scalar(my @bad = $d->sql('PRAGMA foreign_key_check')), 0, 'whole');
}

sub shows_it {
    my ($d, $n) = @_;
    my $token = $d->login('cs1@test.example');
    my $get = sub { $d->api(GET => "/api/crm/$_[0]", token => $token)->{json} };

    my $chats = $get->('inbox?session_id=*')->{conversations};
    is(join('|', map { $_->{name} } @$chats[0 .. 2]),
        'Hj. Siti Aminah|Hj. Siti Aminah|Budi Santoso', 'the inbox');
    is($chats->[1]{donatur}{lifetime_value}, 350000, 'lifetime value');
    is($chats->[1]{donatur}{donation_count}, 2, 'number of gifts');
    is($chats->[1]{unread_count}, 1, 'unread');
    ok($chats->[1]{is_starred}, 'starred');
    my $messages = $get->('inbox/1')->{messages};
    is(join('|', map { $_->{message} } @$messages[0 .. 2]),
        'zakat maal bulan ini|terima kasih|tidak sampai', 'the conversation');
    is($messages->[2]{status}, 'failed', 'a failure');
    is($d->sql('SELECT count(*) FROM chats WHERE live = 1'), 3,
        'chats that something was said in open their contacts')
        if $n < 7;
    is($d->sql('SELECT group_concat(id) FROM chats WHERE live = 1'),
        '1,2,3,70', 'and those that the phone has told of') if $n >= 7;
    my $found = $get->('search?q=zakat')->{data};
    is($found->{messages}[0]{message}, 'zakat maal bulan ini', 'is found');
    is(join('|', map { $_->{name} }
        @{$get->('search?q=987654321')->{data}{contacts}}),
        'Hj. Siti Aminah', 'by an alias');
    my $profile = $d->api(GET => '/api/crm/contacts/6281210000001',
        token => $token)->{body};
    like($profile, qr/minta kuitansi/, 'notes') if $n >= 4;
    like($profile, qr/"R-1"/, 'gifts') if $profile =~ /"ref"/;
}

# A migration that people have run stays as it is: their databases were made by
# it, and the ones here would no longer be like theirs. What they made of it,
# macros and all, has a line of its own.
my %sum = reverse map { split } split /\n/, slurp("$root/t/data/schema/sums");
{
    is(sha256_hex(slurp($_)), $sum{s{.*/}{}r} || 'none',
        s{.*/}{}r . ' is as it was; a change is a migration of its own, whose'
        . ' line in t/data/schema/sums is made by sha256sum') for @files;
}

for my $n (1 .. @files - 1) {
    subtest "from version $n" => sub {
        my $d = Wacrm::Desk->new(agents => 0,
            wacrmd => sub { s/^welcome = on/welcome = off/m });
        unlink $d->{db};
        build($d->{db}, $n);
        is(sha256_hex(schema($d)), $sum{"tables-of-$n"} || 'none',
            'its tables are those that people have');
        my %table = tables($d);
        my %before = map { $_ => rows($d, $_, @{$table{$_}}) } keys %table;
        my @filled = grep { $before{$_} ne '' } keys %before;
        is(join(' ', sort grep { $before{$_} eq '' } keys %before), '',
            'every table of it has rows');
        # migrates as well, and leaves the outbox where it is
        my ($rc, $out) = $d->ctl(['user', 'list']);
        is($rc, 0, 'it is migrated') or diag($out);
        for my $name (sort @filled) {
            my %has = map { $_ => 1 } split /\n/,
                rows($d, $name, @{$table{$name}});
            my @lost = grep { !$has{$_} } split /\n/, $before{$name};
            is(join("\n", @lost), '', "$name is as it was");
        }
        ok(-e "$d->{db}.v$n", 'a copy of the old one is kept');
        $d->start;
        is_newest($d);
        shows_it($d, $n);
        ok($d->wacrmd_stop, 'stops');
        $d->wacrmd_start;
        is_newest($d);
        $d->done;
    };
}

subtest 'a backup of an older version, restored' => sub {
    my $d = Wacrm::Desk->new(agents => 0);
    my $dir = $d->{dir};
    unlink glob "$d->{db}*";
    build("$dir/old.db", 5);
    my ($rc, $out) = $d->ctl(['restore', "$dir/old.db"]);
    is($rc, 0, 'where no database is') or diag $out;
    is($out, "restored $dir/old.db\n", 'of which nothing is said then');
    is_newest($d);
    ($rc, $out) = $d->ctl(['restore', "$dir/old.db"]);
    is($rc, 0, 'where one is') or diag $out;
    my ($kept) = $out =~ /^restored \S+; the old database is (\S+)$/;
    ok($kept && -s $kept, 'which is kept');
    is(join(' ', grep { !/^\Q$d->{db}\E(?:-wal|-shm)?$/
        && !/^\Q$kept\E(?:-wal|-shm)?$/ } glob "$d->{db}*"), '',
        'and there is no other copy of the donors');
    # it needs neither wacrmd nor nginx
};

subtest 'built here and by wacrmd' => sub {
    my $d = Wacrm::Desk->new;
    my $theirs = schema($d);
    unlink $d->{db};
    build($d->{db}, scalar @files);
    is(schema($d), $theirs, 'the newest tables are the same');
};

subtest 'while the spool holds events' => sub {
    my $d = Wacrm::Desk->new(agents => 0,
        wacrmd => sub { s/^welcome = on/welcome = off/m });
    unlink $d->{db};
    build($d->{db}, 1);
    my $old = $d->sql('SELECT count(*) FROM messages');
    $d->{nginx}->start;
    is($d->event('message.received', { id => "UP$_", message => 'halo',
        from => "62812900000$_", timestamp => int time }), 200, 'taken')
        for 1 .. 9;
    $d->sim_start;
    $d->wacrmd_start;
    is_newest($d);
    ok($d->applied, 'applied');
    is($d->sql("SELECT count(DISTINCT wa_id) FROM messages WHERE wa_id LIKE"
        . " 'UP_'"), 9, 'each');
    is($d->sql('SELECT count(*) FROM messages'), $old + 9, 'once');
    $d->done;
};

done_testing;
