package Wacrm::Jwt;

=head1 NAME

Wacrm::Jwt - JSON Web Tokens for tests, good ones and bad ones

=head1 SYNOPSIS

    use Wacrm::Jwt;

    my $token = hs_token($secret, { sub => '7', exp => time + 60 });
    my $token = hs_token($secret, $claims, { alg => 'HS512' });
    my $token = hs_token($secret, '{"exp":1,"exp":2}', '{"alg":"HS256"}');
    my $token = pk_token($pem_file, 'ES256', $claims, { kid => 'b' });
    my $token = join '.', b64url($header), b64url($claims), b64url($sig);

Header and claims may be given as JSON text. new_key($file, 'rsa' | 'P-256' ...)
makes FILE (private) and FILE.pub (public) by openssl, jwk($file, %members) is
the JWK of a public key.

=cut

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use Exporter qw(import);
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use POSIX ();

our @EXPORT = qw(b64url claims hs_token pk_token new_key jwk);

my $json = JSON::PP->new->canonical->ascii;

my %hmac = (HS256 => \&hmac_sha256, HS384 => \&hmac_sha384,
            HS512 => \&hmac_sha512);

sub b64url { encode_base64url($_[0]) }

# Those of a good token, some of them changed; undef takes one away.
sub claims {
    my (%change) = @_;

    my %claims = (sub => '7', jti => 'token-1', iat => time - 5,
                  exp => time + 600, %change);
    delete @claims{grep { !defined $claims{$_} } keys %claims};
    return \%claims;
}

sub _text { ref $_[0] ? $json->encode($_[0]) : $_[0] }

sub hs_token {
    my ($secret, $claims, $header) = @_;

    $header = { alg => 'HS256', typ => 'JWT', ref $header ? %$header : () }
        if !defined $header || ref $header;
    my $alg = ref $header && $hmac{$header->{alg}} ? $header->{alg} : 'HS256';
    my $input = b64url(_text($header)) . '.' . b64url(_text($claims));

    return "$input." . b64url($hmac{$alg}->($input, $secret));
}

sub _openssl {
    my ($input, @args) = @_;

    pipe my $in, my $write or die "pipe: $!";
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDIN, '<&', $in;
        open STDERR, '>', '/dev/null';
        close $write;
        { exec 'openssl', @args }
        POSIX::_exit(127);
    }
    close $in;
    print {$write} $input;
    close $write;
    binmode $out;
    local $/;
    my $text = <$out>;
    close $out or die "openssl @args failed";
    return $text;
}

# the two numbers of a DER signature, each of $size bytes
sub _raw_signature {
    my ($der, $size) = @_;

    my $at = 2 + (ord(substr $der, 1, 1) & 0x80 ? 1 : 0);
    my $raw = '';
    for (1 .. 2) {
        my $len = ord substr $der, $at + 1, 1;
        my $n = substr $der, $at + 2, $len;
        $n =~ s/^\0+//;
        $raw .= ("\0" x ($size - length $n)) . $n;
        $at += 2 + $len;
    }
    return $raw;
}

sub pk_token {
    my ($file, $alg, $claims, $header) = @_;

    my $bits = substr $alg, 2;
    my $input = b64url(_text({ alg => $alg, %{$header || {}} })) . '.'
                . b64url(_text($claims));
    my $sig = _openssl($input, 'dgst', "-sha$bits", '-sign', $file);
    $sig = _raw_signature($sig, $bits == 512 ? 66 : $bits / 8)
        if $alg =~ /^ES/;

    return "$input." . b64url($sig);
}

sub new_key {
    my ($file, $type) = @_;

    my @type = $type eq 'rsa' ? qw(-algorithm RSA -pkeyopt
                                   rsa_keygen_bits:2048)
                              : ('-algorithm', 'EC', '-pkeyopt',
                                 "ec_paramgen_curve:$type");
    _openssl('', 'genpkey', @type, '-out', $file);
    _openssl('', 'pkey', '-in', $file, '-pubout', '-out', "$file.pub");
    return $file;
}

sub jwk {
    my ($file, %members) = @_;

    my $text = _openssl('', 'pkey', '-pubin', '-in', $file, '-noout',
                        '-text');
    if ($text =~ /Modulus:\s*([0-9a-f:\s]+)/) {
        my $hex = $1 =~ s/[:\s]//gr;
        my $n = pack 'H*', $hex;
        $n =~ s/^\0//;
        return { kty => 'RSA', n => b64url($n), e => 'AQAB', %members };
    }

    my ($hex) = $text =~ /pub:\s*([0-9a-f:\s]+)/ or die "no key: $text";
    my $point = substr pack('H*', $hex =~ s/[:\s]//gr), 1;
    my $half = length($point) / 2;
    my %curve = (32 => 'P-256', 48 => 'P-384', 66 => 'P-521');
    return { kty => 'EC', crv => $curve{$half},
             x => b64url(substr $point, 0, $half),
             y => b64url(substr $point, $half), %members };
}

1;
