package Wacrm::Bench::Drain;

# Intake against a bare loop of SQLite.

use strict;
use warnings;

use Wacrm::Bench;

sub run {
    my @ratio;
    my %last;
    for my $round (1 .. $ROUNDS) {
        my $out = `$TOOLS/drain 2>&1`;
        my ($line) = $out =~ /^(drain .*)$/m
            or die "bench: drain said: $out";
        say_("round=$round", $line);
        %last = $line =~ /(\w+)=(\S+)/g;
        push @ratio, $last{ratio};
    }
    return (%last, ratio => sprintf('%.2f', median(@ratio)));
}

1;
