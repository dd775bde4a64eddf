#!/usr/bin/env perl
# docs/security.md says for each attack where its test is: the file, and words
# that stand in it. Every test here, every fuzzer and every comparison where
# secrets are handled is in that document.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::File;

sub text { return slurp($_[0], ':encoding(UTF-8)') }

my $doc = text('docs/security.md');
my ($attacks) = $doc =~ /^## Attacks, and their tests\n(.*?)^## /ms
    or BAIL_OUT('no table of attacks');
my ($compared) = $doc =~ /^## Comparisons\n(.*?)^## /ms
    or BAIL_OUT('no table of comparisons');

# ---- attacks ----

my (%seen, %named, $rows);
for my $row (grep { /^\| (?!attack|---)/ } split /\n/, $attacks) {
    my ($attack, $stands, $tests) = $row =~ /^\| (.+?) \| (.+?) \| (.+) \|$/
        or fail("three cells: $row") || next;
    $rows++;
    ok(!$seen{$attack}++, "$attack: once");
    my $n = 0;
    while ($tests =~ m{`(t/[\w./-]+)`(?:: "([^"]+)")?}g) {
        my ($file, $words) = ($1, $2);
        $n++;
        $named{$file} = 1;
        if (!-f $file) {
            fail("$attack: there is no $file");
        } elsif (defined $words) {
            my $text = text($file) =~ s/\s+/ /gr;
            # a name may go on in a second string
            $text =~ s/' ?\. ?'|" ?\. ?"|" "//g;
            ok(index($text, $words) >= 0, "$attack: $file: $words");
        }
    }
    ok($n, "$attack: it names a test");
}
cmp_ok($rows, '>', 40, "$rows attacks");
is(join(' ', grep { !$named{$_} && $_ ne 't/security/table.t' }
    glob 't/security/*.t'), '', 'every test of this directory is named');
is(join(' ', grep { !$named{$_} } glob 't/fuzz/fuzz_*.c'), '',
    'so is every fuzzer');
is(join(' ', grep { my $name = s{t/fuzz/fuzz_(.*)\.c}{$1}r;
    !grep { -f } glob "t/fuzz/corpus/$name/*" } glob 't/fuzz/fuzz_*.c'), '',
    'and has something to begin with');

# ---- comparisons ----

# Where a file compares a secret in constant time, or judges who is calling, a
# comparison that ends at the first difference is one that somebody has looked
# at: so many of them, and of what.
my %looked;
for my $row (grep { /^\| `/ } split /\n/, $compared) {
    my ($file, $n, $of) = $row =~ /^\| `([^`]+)` \| (\d+) \| (.+) \|$/
        or fail("three cells: $row") || next;
    $looked{$file} = $n;
}
my @files = grep { m{^ngx_wacrm_module/edge/(?:sig|jwt)}
    || m{^daemon/http/(?:auth|identity|upgrade|revocation|peer)\.c}
    || m{^daemon/http/routes/(?:auth|socket|broadcasting|apps|media)\.c}
    || text($_) =~ /CRYPTO_memcmp\(/ }
    map { glob } 'ngx_wacrm_module/*.c', 'ngx_wacrm_module/edge/*.c',
    'spool/*.c', 'daemon/*.c', 'daemon/*/*.c', 'daemon/http/routes/*.c';
cmp_ok(scalar @files, '>', 20, scalar(@files) . ' files');
for my $file (@files) {
    my $n = () = text($file) =~ /(?<![A-Z]_)\b(?:ngx_)?
        (?:mem|str|strn|strcase|strncase)cmp\(/gx;
    is($looked{$file} || 0, $n, "$file: so many early comparisons");
    delete $looked{$file};
}
is(join(' ', sort keys %looked), '', 'and no other file');

done_testing();
