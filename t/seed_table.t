#!/usr/bin/env perl
# docs/seed.md has every number of the seed once, and names files that exist.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my %rows;

sub slurp {
    open my $fh, '<:encoding(UTF-8)', "$root/$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar <$fh>;
}

for (split /\n/, slurp('docs/seed.md')) {
    my ($nr, @cells) = /^\| ([SG]\d+) \| (.+) \| (.+) \| (.+) \|$/ or next;
    ok(!$rows{$nr}, "$nr stands once");
    $rows{$nr} = \@cells;
}
is(join(' ', grep { !$rows{$_} } map("S$_", 1 .. 99), map("G$_", 1 .. 48)),
    '', 'every number is there');
is(scalar keys %rows, 147, 'and no other');

for my $nr (sort keys %rows) {
    my (undef, $where, $test) = @{$rows{$nr}};
    my $open = $where =~ /\bopen: \w/;
    my @where = $where =~ m{`([\w./-]+/[\w./-]+)`}g;
    my @tests = $test =~ m{`([\w./-]+)`}g;
    my @gone = grep { !-f "$root/$_" } @where, grep { m{/} } @tests;
    is("@gone", '', "$nr: its files are there");
    ok(@where || $open, "$nr: it says where");
    ok($open || $test =~ /^none: \w/ || grep({ m{^t/} } @tests),
        "$nr: a test shows it, or why there is none");
    is(join(' ', grep { m{/} && !m{^t/} } @tests), '',
        "$nr: the tests are tests");
}

like(slurp('daemon/config_table.c'), qr/Halo \{name\}! 👋/,
    'the welcome waves with the real character');

done_testing();
