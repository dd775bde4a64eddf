package Wacrm::Http2;

=head1 NAME

Wacrm::Http2 - one request over HTTP/2 (RFC 9113), as it may not be sent, too

=head1 SYNOPSIS

    use Wacrm::Http2;

    my $r = h2_call($socket, [':method' => 'GET', ':scheme' => 'http',
        ':authority' => 'x', ':path' => '/', 'x-a' => "b\r\nc"]);
    my $r = h2_call($socket, $headers, data => 'abc', trailers => [...]);
    print "$r->{status} $r->{body}";

The headers go out as they are, uncompressed (HPACK's literals, RFC 7541); the
socket is a new one, to a listener with `http2`. status is '' where the stream
or the connection was ended without an answer.

=cut

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;

our @EXPORT = qw(h2_call);

my $PATIENCE = 20; # seconds for any step
my ($DATA, $HEADERS, $RST_STREAM, $SETTINGS, $GOAWAY) = (0, 1, 3, 4, 7);
my ($END_STREAM, $END_HEADERS) = (1, 4);
# of HPACK's static table
my %STATUS = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
    14 => 500);

# RFC 7541, 5.1 and 5.2: seven bits of length, no Huffman code
sub string {
    my ($text) = @_;
    my $n = length $text;
    my $head = chr($n < 127 ? $n : 127);
    if ($n >= 127) {
        for ($n -= 127; $n > 127; $n >>= 7) {
            $head .= chr($n & 127 | 128);
        }
        $head .= chr($n);
    }
    return $head . $text;
}

sub block {
    my @headers = @_;
    my $block = '';
    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= "\0" . string($name) . string($value);
    }
    return $block;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

# The first header of an answer is its status.
sub status_of {
    my ($block) = @_;
    my $first = ord $block;
    return $STATUS{$first & 127} || '' if $first & 128;
    return $block =~ /^[\x08\x18\x48]\x03(\d{3})/ ? $1 : '';
}

sub h2_call {
    my ($socket, $headers, %opt) = @_;
    my $more = defined $opt{data} || $opt{trailers};
    my $out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame($SETTINGS, 0, 0, '')
        . frame($HEADERS, $END_HEADERS | ($more ? 0 : $END_STREAM), 1,
            block(@$headers));
    $out .= frame($DATA, $opt{trailers} ? 0 : $END_STREAM, 1, $opt{data})
        if defined $opt{data};
    $out .= frame($HEADERS, $END_HEADERS | $END_STREAM, 1,
        block(@{$opt{trailers}})) if $opt{trailers};
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, $out;

    my ($buf, $r) = ('', { status => '', body => '' });
    while (1) {
        while (length $buf >= 9) {
            my $len = unpack 'N', "\0" . substr $buf, 0, 3;
            last if length $buf < 9 + $len;
            my ($type, $flags) = unpack 'CC', substr $buf, 3, 2;
            my $payload = substr $buf, 9, $len;
            substr $buf, 0, 9 + $len, '';
            $r->{body} .= $payload if $type == $DATA;
            $r->{status} ||= status_of($payload) if $type == $HEADERS;
            return $r if $type == $GOAWAY || $type == $RST_STREAM
                || $type <= $HEADERS && $flags & $END_STREAM;
        }
        IO::Select->new($socket)->can_read($PATIENCE)
            && sysread($socket, $buf, 65536, length $buf) or return $r;
    }
}

1;
