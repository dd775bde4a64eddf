#!/usr/bin/env perl
# A hundred thousand spoiled tokens, each another one, and good ones among them
# before our gate with libjwt and before npm's jose: where they differ, a rule
# of ours says why; what both take says the same to both. The same mistake in
# both would have to be made twice.
#
# WACRM_SEED=N repeats a run, WACRM_TOKENS=N changes how many there are.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use lib 't/lib';
use Wacrm::Jwt;
use Wacrm::Node;

my $dir = tempdir(CLEANUP => 1);
my $seed = $ENV{WACRM_SEED} || time ^ $$;
my $tokens = $ENV{WACRM_TOKENS} || 125_000;
my $tools = $ENV{WACRM_TOOLS} || "$Wacrm::Nginx::ROOT/build/release/tools";

note "WACRM_SEED=$seed";
open my $fh, '>', "$dir/secret" or die $!;
print {$fh} 'a secret of thirty-two bytes, and';
close $fh or die $!;
new_key("$dir/rsa", 'rsa');
new_key("$dir/ec", 'P-256');

Wacrm::Node::program('jwt_differential.mjs', seed => $seed,
    tokens => $tokens, spoiled => $tokens * 0.8, judge => "$tools/jwt_judge",
    keys => $dir);

done_testing;
