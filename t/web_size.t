#!/usr/bin/env perl
# The built desk: how much of it there is, that the page holds no script or
# style of its own, and that what comes late is not asked for early.

use strict;
use warnings;

use IO::Compress::Gzip qw(gzip);
use JSON::PP;
use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

plan skip_all => 'the desk is the same with sanitizers'
    if $ENV{WACRM_SANITIZED};

my $dist = "$Wacrm::Nginx::ROOT/web/dist";
sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', "$dist/$file" or BAIL_OUT("$file: $!: make web");
    local $/;
    return scalar <$fh>;
}
my %size;
sub size {
    my ($file) = @_;
    return $size{$file} //= do {
        my $packed;
        gzip(\slurp($file), \$packed, -Level => 9) or die "gzip $file";
        length $packed;
    };
}
my $manifest = decode_json(slurp('.vite/manifest.json'));

# ---- the page ----

my $page = slurp('index.html');
my @scripts = $page =~ /<script\b([^>]*)>(.*?)<\/script>/gs;
ok(@scripts, 'a script');
while (my ($attributes, $text) = splice @scripts, 0, 2) {
    like($attributes, qr/\bsrc="\/assets\//, 'from assets/');
    is($text, '', 'nothing inline');
}
unlike($page, qr/<style|\bstyle=|\bon\w+=|javascript:|https?:/,
    'no style, no handler, no other host');

# ---- what is loaded before the inbox is usable ----

# files of an entry and all that it imports at once
sub files {
    my ($seen, @keys) = @_;
    my %files;
    while (defined(my $key = shift @keys)) {
        next if $seen->{$key}++;
        my $m = $manifest->{$key} or die "$key is not in the manifest";
        $files{$_} = 1 for $m->{file}, @{$m->{css} || []};
        push @keys, @{$m->{imports} || []};
    }
    return keys %files;
}
my %seen;
my ($texts) = grep { ($manifest->{$_}{name} // '') eq 'texts-id' }
    sort keys %$manifest or BAIL_OUT('no texts');
my ($style) = $page =~ m{href="/(assets/[^"]+\.css)"} or BAIL_OUT('no style');
my @early = ('index.html', $style, files(\%seen, 'index.html', $texts));
my ($early, $own) = (0, 0);
$early += size($_) for @early;
diag(sprintf 'until the inbox is usable: %.1f KB gzipped in %d files',
    $early / 1000, scalar @early);
cmp_ok($early, '<=', 170_000, 'within its budget');
is_deeply([grep { m{/vendor-(?:pusher|laravel|uplot|uqr)} } @early], [],
     'charts, sockets and QR come later');

# One language: nobody loads both.
my %own = map { $_ => 1 } grep { /\.(?:js|css)$/ && !m{/vendor-|/\w+-en-} }
    map { ($_->{file}, @{$_->{css} || []}) } values %$manifest;
$own += size($_) for keys %own;
my $first = 0;
$first += size($_) for grep { !m{/vendor-|index\.html$} } @early;
diag(sprintf 'own code until the inbox is usable: %.1f KB gzipped; with all'
    . ' pages and dialogs, loaded as they are opened: %.1f KB', $first / 1000,
    $own / 1000);
cmp_ok($first, '<=', 60_000, 'own code within its budget');
cmp_ok($own, '<=', 100_000, 'all of it within its own');

# ---- nothing that the policy forbids ----

for my $file (grep { /\.js$/ } keys %own) {
    unlike(slurp($file), qr/\beval\(|new Function\(|\.innerHTML\s*=/,
        "$file: no code out of text, no HTML out of text");
}

# ---- as it is installed ----

my $place = "$Wacrm::Nginx::ROOT/build/t/web_size.$$";
END { local $?; system 'rm', '-rf', $place if $place }
system('mkdir', '-p', "$place/assets") == 0 or die;
for my $old (['tab-00000001.js', 1], ['tab-00000002.js', 40]) {
    my ($name, $days) = @$old;
    open my $fh, '>', "$place/assets/$name" or die $!;
    close $fh;
    utime((time - $days * 86400) x 2, "$place/assets/$name") or die $!;
}
is(system("$Wacrm::Nginx::ROOT/scripts/install-web", $place), 0,
    'it is installed');
is(join(' ', grep { !-e "$place/$_" } sort(keys %size), 'index.html'), '',
    'whole');
ok(-e "$place/assets/tab-00000001.js", 'tabs that are open keep their files');
ok(!-e "$place/assets/tab-00000002.js", 'for a month');

done_testing;
