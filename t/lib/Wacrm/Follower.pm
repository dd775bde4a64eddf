package Wacrm::Follower;

=head1 NAME

Wacrm::Follower - a client of realtime that misses nothing

=head1 SYNOPSIS

    my $f = Wacrm::Follower->new($desk, $token, sub { my ($event) = @_; ... });
    $f->step(0.2) until $enough;
    $f->catch_up;
    $f->{live}, $f->{fetched}, $f->{connections}, $f->{wrong}

=head1 DESCRIPTION

A WebSocket on private-inbox, and GET /api/crm/events for what the socket has
missed, as docs/events.md tells clients to do it. Each event is handed on once.
When the socket breaks it comes again. step() waits so long for something;
{wrong} is a list of what may never be.

=cut

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->utf8->canonical;
my $text = JSON::PP->new; # of a frame that is decoded already

sub new {
    my ($class, $desk, $token, $take) = @_;

    my $self = bless { desk => $desk, token => $token, take => $take,
        live => 0, fetched => 0, connections => 0, wrong => [], seen => {} },
        $class;
    my $page = $self->_ask('latest') or die 'no place to begin at';
    @$self{qw(cursor feed)} = @$page{qw(next feed)};
    return $self;
}

sub _ask {
    my ($self, $since) = @_;

    my $r = eval { $self->{desk}->api(
        GET => "/api/crm/events?since=$since&limit=200"
            . (defined $self->{feed} ? "&feed=$self->{feed}" : ''),
        token => $self->{token}) };
    return $r && $r->{status} == 200 ? $r->{json} : undef;
}

sub _give {
    my ($self, $event, $how) = @_;

    return if $self->{seen}{$event->{seq}}++;
    $self->{cursor} = $event->{seq} if $event->{seq} > $self->{cursor};
    $self->{$how}++;
    $self->{take}->($event);
}

# All that is there by now; false while it cannot be had.
sub catch_up {
    my ($self) = @_;

    while (1) {
        my $page = $self->_ask($self->{cursor}) or return 0;
        if ($page->{resync}) {
            push @{$self->{wrong}}, "resync at $self->{cursor}";
            $self->{cursor} = $page->{next};
            return 1;
        }
        $self->_give($_, 'fetched') for @{$page->{events}};
        $self->{cursor} = $page->{next} if $page->{next} > $self->{cursor};
        return 1 unless $page->{more};
    }
}

# ---- the socket ----

sub _send {
    my ($self, $message) = @_;

    my $bytes = $json->encode($message);
    my $n = length $bytes;
    my $mask = pack 'N', int rand 2**32;
    my $head = pack 'C', 0x81;
    $head .= $n < 126 ? pack 'C', 0x80 | $n : pack 'Cn', 0x80 | 126, $n;
    my $body = $bytes ^ substr $mask x ($n / 4 + 1), 0, $n;
    return defined syswrite $self->{socket}, $head . $mask . $body;
}

# The next whole frame of what has come: (opcode, bytes), or nothing.
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
    return ($op & 15, $bytes);
}

sub _connect {
    my ($self) = @_;

    my $n = $self->{desk}{nginx};
    my $s = eval { $n->connect } or return;
    syswrite $s, join "\r\n", 'GET /app/wacrm?protocol=7 HTTP/1.1',
        'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: ' . 'AAAAAAAAAAAAAAAAAAAAAA==', '', '';
    my $got = '';
    while ($got !~ /\r\n\r\n/) {
        return unless IO::Select->new($s)->can_read(3)
            && sysread $s, $got, 4096, length $got;
    }
    return unless $got =~ m{^HTTP/1\.1 101 };
    $got =~ s/.*?\r\n\r\n//s;
    @$self{qw(socket got held)} = ($s, $got, []);
    $self->{connections}++;
}

sub _drop {
    my ($self) = @_;

    close delete $self->{socket} if $self->{socket};
    delete $self->{held};
    sleep 0.1;
}

sub _subscribe {
    my ($self, $socket_id) = @_;

    my $r = eval { $self->{desk}->api(POST => '/broadcasting/auth',
        token => $self->{token}, json => { socket_id => $socket_id,
            channel_name => 'private-inbox' }) };
    return $self->_drop unless $r && $r->{status} == 200;
    $self->_send({ event => 'pusher:subscribe', data => {
        channel => 'private-inbox', auth => $r->{json}{auth} } })
        or $self->_drop;
}

# What came before the subscription is fetched; what comes meanwhile waits.
sub _subscribed {
    my ($self) = @_;

    return $self->_drop unless $self->catch_up;
    my $held = delete $self->{held};
    $self->_give($_, 'live') for @$held;
}

sub _take {
    my ($self, $op, $bytes) = @_;

    return $self->_drop if $op == 8;
    return if $op != 1;
    my $m = $json->decode($bytes);
    my $data = ref $m->{data} ? $m->{data}
        : defined $m->{data} ? $text->decode($m->{data}) : {};
    if ($m->{event} eq 'pusher:connection_established') {
        $self->_subscribe($data->{socket_id});
    } elsif ($m->{event} eq 'pusher_internal:subscription_succeeded') {
        $self->_subscribed;
    } elsif ($m->{event} eq 'pusher:ping') {
        $self->_send({ event => 'pusher:pong', data => {} });
    } elsif (defined $data->{seq}) {
        my $event = { seq => $data->{seq}, event => $m->{event},
            data => $data };
        if ($self->{held}) {
            push @{$self->{held}}, $event;
        } else {
            $self->_give($event, 'live');
        }
    }
}

sub _frames {
    my ($self) = @_;

    while ($self->{socket} && (my ($op, $bytes) = $self->_frame)) {
        $self->_take($op, $bytes);
    }
}

sub step {
    my ($self, $seconds) = @_;

    if (!$self->{socket}) {
        $self->_connect;
        return $self->_drop unless $self->{socket};
        $self->_frames; # those that came with the handshake
    }
    return unless $self->{socket}
        && IO::Select->new($self->{socket})->can_read($seconds);
    return $self->_drop
        unless sysread $self->{socket}, $self->{got}, 65536,
            length $self->{got};
    $self->_frames;
}

1;
