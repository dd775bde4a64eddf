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

use JSON::PP ();
use Time::HiRes qw(sleep);

use Wacrm::WebSocket;

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

sub _connect {
    my ($self) = @_;

    my $socket = Wacrm::WebSocket->connect($self->{desk}{nginx},
        '/app/wacrm?protocol=7') or return;
    @$self{qw(socket held)} = ($socket, []);
    $self->{connections}++;
}

sub _drop {
    my ($self) = @_;

    delete @$self{qw(socket held)};
    sleep 0.1;
}

sub _subscribe {
    my ($self, $socket_id) = @_;

    my $r = eval { $self->{desk}->api(POST => '/broadcasting/auth',
        token => $self->{token}, json => { socket_id => $socket_id,
            channel_name => 'private-inbox' }) };
    return $self->_drop unless $r && $r->{status} == 200;
    $self->{socket}->say({ event => 'pusher:subscribe', data => {
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
        $self->{socket}->say({ event => 'pusher:pong', data => {} });
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

sub step {
    my ($self, $seconds) = @_;

    $self->_connect unless $self->{socket};
    my $socket = $self->{socket} or return $self->_drop;
    for ($socket->frames($seconds)) {
        $self->_take(@$_) if $self->{socket};
    }
    $self->_drop if $socket->{ended} && $self->{socket};
}

1;
