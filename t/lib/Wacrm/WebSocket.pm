package Wacrm::WebSocket;

=head1 NAME

Wacrm::WebSocket - one socket of the Pusher protocol, as bytes come and go

=head1 SYNOPSIS

    my $ws = Wacrm::WebSocket->connect($nginx, '/app/wacrm?protocol=7')
        or die 'no socket';
    $ws->say({ event => 'pusher:ping', data => {} });
    for ($ws->frames(10)) {
        my ($op, $bytes) = @$_;
    }
    $ws->{ended}; # there is nothing more to come

=head1 DESCRIPTION

connect() returns nothing where it gets no 101. say() sends a message (a string
as it is, else as JSON) in one masked frame; ping() a ping of the WebSocket
itself. frames() waits up to so many seconds, less where something is there
already, and returns all whole frames that have come, as [opcode, bytes].

=cut

use strict;
use warnings;

use IO::Select;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $HANDSHAKE = 3; # s

sub connect {
    my ($class, $nginx, $target) = @_;

    my $s = eval { $nginx->connect } or return;
    syswrite $s, join "\r\n", "GET $target HTTP/1.1", 'Host: localhost',
        'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', '';
    my $got = '';
    while ($got !~ /\r\n\r\n/) {
        return unless IO::Select->new($s)->can_read($HANDSHAKE)
            && sysread $s, $got, 4096, length $got;
    }
    return unless $got =~ m{^HTTP/1\.1 101 };
    $got =~ s/.*?\r\n\r\n//s;
    return bless { socket => $s, got => $got, ended => 0 }, $class;
}

sub _send {
    my ($self, $op, $bytes) = @_;

    my $n = length $bytes;
    my $mask = pack 'N', int rand 2**32;
    my $head = pack 'C', 0x80 | $op;
    $head .= $n < 126 ? pack 'C', 0x80 | $n : pack 'Cn', 0x80 | 126, $n;
    my $body = $bytes ^ substr $mask x ($n / 4 + 1), 0, $n;
    local $SIG{PIPE} = 'IGNORE';
    return defined syswrite $self->{socket}, $head . $mask . $body;
}

sub say {
    my ($self, $message) = @_;
    return $self->_send(1, ref $message ? $json->encode($message) : $message);
}

sub ping { $_[0]->_send(9, '') }

# The next whole frame of what has come, or nothing.
sub _frame {
    my ($self) = @_;

    my $n = length $self->{got};
    return if $n < 2;
    my ($op, $len) = unpack 'CC', $self->{got};
    my $at = 2;
    if ($len == 126) {
        return if $n < 4;
        $len = unpack 'n', substr $self->{got}, 2, 2;
        $at = 4;
    } elsif ($len == 127) {
        return if $n < 10;
        $len = unpack 'Q>', substr $self->{got}, 2, 8;
        $at = 10;
    }
    return if $n < $at + $len;
    my $bytes = substr $self->{got}, $at, $len;
    substr $self->{got}, 0, $at + $len, '';
    return [$op & 15, $bytes];
}

sub _whole {
    my ($self) = @_;

    my @frames;
    while (my $frame = $self->_frame) {
        push @frames, $frame;
    }
    return @frames;
}

sub frames {
    my ($self, $seconds) = @_;

    my @frames = $self->_whole;
    return @frames if @frames || $self->{ended}
        || !IO::Select->new($self->{socket})->can_read($seconds);
    $self->{ended} = 1
        unless sysread $self->{socket}, $self->{got}, 65536,
            length $self->{got};
    return $self->_whole;
}

1;
