package Wacrm::File;

=head1 NAME

Wacrm::File - a whole file at once

=head1 SYNOPSIS

    use Wacrm::File;

    spew("$dir/wacrmd.conf", "[wacrmd]\n");
    my $text = slurp('docs/security.md', ':encoding(UTF-8)');

Both die where it cannot be done. slurp's second argument is a layer.

=cut

use strict;
use warnings;

use Exporter qw(import);
our @EXPORT = qw(slurp spew);

sub slurp {
    my ($path, $layer) = @_;
    open my $fh, '<' . ($layer // ''), $path or die "$path: $!";
    local $/;
    return scalar(<$fh>) // '';
}

sub spew {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!";
    print {$fh} $text;
    close $fh or die "$path: $!";
}

1;
