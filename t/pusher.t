#!/usr/bin/env perl
# The vectors and frames of t/data/pusher, each of them brought about at a
# running wacrmd: what the protocol says is signed is taken and nothing else,
# and what it says a server tells is told. WACRM_PUSHER names another place
# with a vectors.json and a frames.json.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Wacrm::Desk;
use Wacrm::WebSocket;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $inner = JSON::PP->new->canonical; # in a string that is decoded already
my $patience = $ENV{WACRM_SANITIZED} ? 40 : 20;

sub given {
    my $path = ($ENV{WACRM_PUSHER} || 't/data/pusher') . "/$_[0].json";
    open my $fh, '<:raw', $path or die "$path: $!";
    local $/;
    return $json->decode(scalar <$fh>);
}

my $vectors = given('vectors');
my $frames = given('frames');
my ($key, $secret) = @$vectors{qw(key secret)};
my ($app) = map { $_->{string} =~ m{/apps/([^/]+)/} }
    @{$vectors->{hmac_sha256_hex}};
my %body = map { $_->{md5} => utf8($_->{body}) } @{$vectors->{bodies} || []},
    $vectors->{rest_body} ? { md5 => $vectors->{rest_body_md5},
        body => $vectors->{rest_body} } : ();

my $d = Wacrm::Desk->new(wacrmd => sub {
    s/^app_key = wacrm/app_key = $key\napp_id = $app\nactivity_timeout = 5s/m
        or die 'no app_key';
    s/^public_inbox = off/public_inbox = on/m or die 'no public_inbox';
    s/^welcome = on/welcome = off/m or die 'no welcome';
});
$d->{nginx}->write('secrets/realtime', $secret);
$d->start;

# ---- sockets ----

sub utf8 { my ($text) = @_; utf8::encode($text); return $text }

sub arrive {
    my ($target) = @_;
    my $ws = Wacrm::WebSocket->connect($d->{nginx}, $target)
        or die "no socket at $target";
    return { ws => $ws, waiting => [], closed => 0 };
}

# The next message; nothing at the end, or within the time. A ping of a socket
# that others were faster than is passed over, unless it is what is waited for.
sub hear {
    my ($c, $wanted) = @_;

    my $end = time + $patience;
    while (1) {
        while (my $m = shift @{$c->{waiting}}) {
            return $m if $m->{event} ne 'pusher:ping' || $wanted;
        }
        my $left = $end - time;
        return if $c->{closed} || $c->{ws}{ended} || $left <= 0;
        for ($c->{ws}->frames($left)) {
            my ($op, $bytes) = @$_;
            push @{$c->{waiting}}, $json->decode($bytes) if $op == 1;
            $c->{closed} = unpack 'n', $bytes if $op == 8;
        }
    }
}

# The same without who comes and goes: a socket may be missed late.
sub told {
    my ($c) = @_;

    while (my $m = hear($c)) {
        return $m if $m->{event} !~ /^pusher_internal:member_/;
    }
    return;
}

sub meet {
    my $c = arrive("/app/$key?protocol=7");
    $c->{hello} = hear($c);
    $c->{id} = $inner->decode($c->{hello}{data})->{socket_id};
    return $c;
}

sub sign { hmac_sha256_hex(utf8(join ':', @_), $secret) }

# channel_data, auth: undef where there is none
sub ask {
    my ($c, $channel, $data, $auth) = @_;

    my $signed = $channel =~ /^(?:private|presence)-/
        ? "$key:" . sign($c->{id}, $channel, defined $data ? $data : ()) : '';
    $c->{ws}->say({ event => 'pusher:subscribe', data => {
        channel => $channel, auth => defined $auth ? $auth : $signed,
        defined $data ? (channel_data => $data) : () } });
    return told($c);
}

sub member {
    my ($id, $info) = @_;
    return $inner->encode({ user_id => $id,
        defined $info ? (user_info => $info) : () });
}

# What was on its way is there.
sub settle {
    my ($c) = @_;

    $c->{ws}->say({ event => 'pusher:ping', data => {} });
    my @before;
    while (my $m = told($c)) {
        last if $m->{event} eq 'pusher:pong';
        push @before, $m->{event};
    }
    return "@before";
}

# ---- backends ----

# The query of the protocol, signed; over: other pairs, or another signature.
sub rest {
    my ($method, $path, $body, %over) = @_;

    my %q = (auth_key => $key, auth_timestamp => int time,
        auth_version => '1.0',
        $method eq 'POST' ? (body_md5 => md5_hex($body)) : (), %over);
    my $signature = delete $q{auth_signature} || hmac_sha256_hex(join("\n",
        $method, $path, join '&', map { "$_=$q{$_}" } sort keys %q), $secret);
    my $query = join '&', (map { my $v = $q{$_};
        $v =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge; "$_=$v" }
        sort keys %q), "auth_signature=$signature";
    return $d->api($method => "$path?$query",
        $method eq 'POST' ? (body => $body,
            headers => { 'Content-Type' => 'application/json' }) : ());
}

sub publish {
    my ($channel, $name, $data) = @_;
    return rest('POST', "/apps/$app/events", $json->encode({
        name => $name, channels => [$channel], data => $data }));
}

# ---- vectors ----

my @kept; # members stay

sub walk_channel {
    my ($hex, $channel, $data) = @_;

    my $c = meet();
    my $m = ask($c, $channel, $data, "$key:$hex");
    is("$m->{event} $m->{data}{status}", 'pusher:subscription_error 401',
        "$channel: a signature for another socket is refused");
    if (defined $data) {
        $m = ask($c, $channel, "$data ",
            "$key:" . sign($c->{id}, $channel, $data));
        is($m->{event}, 'pusher:subscription_error',
            'so is one for another member');
    }
    $m = ask($c, $channel, $data);
    is("$m->{event} $m->{channel}",
        "pusher_internal:subscription_succeeded $channel",
        'its own is taken');
    push @kept, $c;
}

sub walk_post {
    my ($hex, $path, %q) = @_;

    my $body = $body{$q{body_md5}};
    is(md5_hex($body), $q{body_md5}, "$path: body_md5");
    my $event = $json->decode($body);
    my ($one) = $event->{batch} ? @{$event->{batch}} : $event;
    my $channel = $one->{channel} || $one->{channels}[0];
    my $c = meet();
    ask($c, $channel);
    is(rest('POST', $path, $body, %q, auth_signature => $hex)->{status}, 401,
        'an old signature is refused');
    is(rest('POST', $path, $body, auth_signature => $hex)->{status}, 401,
        'also where the time is another');
    is(rest('POST', $path, "$body ", body_md5 => $q{body_md5})->{status}, 401,
        'and another body');
    is(settle($c), '', 'nothing is told of these');
    is(rest('POST', $path, $body)->{status}, 200, 'a new one is taken');
    my $m = hear($c);
    is_deeply([@$m{qw(event channel data)}], [$one->{name}, $channel,
        $one->{data}], 'and told');
}

sub walk_get {
    my ($hex, $path, %q) = @_;

    is(rest('GET', $path, '', %q, auth_signature => $hex)->{status}, 401,
        "$path: an old signature is refused");
    delete @q{grep { /^auth_/ } keys %q};
    my $r = rest('GET', $path, '', %q);
    is($r->{status}, 200, 'a new one is taken') or diag $r->{body};
    is(ref $r->{json}, 'HASH', 'and answered');
}

for (@{$vectors->{hmac_sha256_hex}}) {
    my ($string, $hex) = @$_{qw(string hex)};
    is(hmac_sha256_hex(utf8($string), $secret), $hex,
        'signed: ' . join ' ',
        grep { defined } (split /\n/, utf8($string))[0, 1]);
    if ($string =~ /^(GET|POST)\n(\S+)\n(.*)$/) {
        my ($method, $path, %q) = ($1, $2, map { split /=/, $_, 2 }
            split /&/, $3);
        $method eq 'POST' ? walk_post($hex, $path, %q)
            : walk_get($hex, $path, %q);
    } elsif ($string =~ /^\d+\.\d+:(p[^:]+)(?::(.*))?$/) {
        walk_channel($hex, $1, $2);
    } elsif ($string !~ /^\d+\.\d+::user::/) { # no pusher:signin is served
        fail("what is signed there? $string");
    }
}

# ---- what wacrmd signs ----

is($d->event('message.received', { from => '6281210000001', id => 'V1',
    pushName => 'Siti', message => 'halo', type => 'text',
    timestamp => int time }), 200, 'somebody writes');
ok($d->applied, 'applied');
my $token = $d->login('cs1@test.example');
my $chat = 'presence-chat.' . $d->sql('SELECT id FROM chats');
for my $channel ('private-inbox', $chat) {
    my $c = meet();
    my $r = $d->api(POST => '/broadcasting/auth', token => $token,
        json => { socket_id => $c->{id}, channel_name => $channel });
    my $data = $r->{json}{channel_data};
    is($r->{json}{auth}, "$key:" . sign($c->{id}, $channel,
        defined $data ? $data : ()), "$channel: signed for an agent");
    is(defined $data ? 1 : 0, $channel eq $chat ? 1 : 0,
        'with channel_data where there are members');
    my $m = ask($c, $channel, $data, $r->{json}{auth});
    is($m->{event}, 'pusher_internal:subscription_succeeded', 'and opens it');
}

# ---- frames of the server ----

# As text, without what is another each time.
sub shape {
    my %m = %{$_[0] || { event => 'nothing' }};

    return $json->encode(\%m) unless defined $m{data};
    my $data = ref $m{data} ? $m{data} : eval { $inner->decode($m{data}) };
    if (ref $data eq 'HASH') {
        my %is = %$data;
        $is{socket_id} = 'a socket' if ($is{socket_id} || '') =~ /^\d+\.\d+$/;
        $is{activity_timeout} = 'seconds'
            if ($is{activity_timeout} || '') =~ /^[1-9]\d*$/;
        if ($m{event} =~ /error$/) {
            $_ = 'words' for grep { defined && !ref && /[a-z]/ }
                @is{grep { exists $is{$_} } qw(message error)};
        }
        $is{presence} = { %{$is{presence}},
            ids => [sort @{$is{presence}{ids}}] } if $is{presence};
        $m{data} = ref $m{data} ? \%is : { 'within a string' => \%is };
    }
    return $json->encode(\%m);
}

my $quiet = meet();

sub presence {
    my ($channel, $hash) = @_;

    my ($m, @members);
    for my $id (sort keys %$hash) {
        push @members, meet();
        $m = ask($members[-1], $channel, member($id, $hash->{$id}));
    }
    return $m;
}

# One is in the channel, another one comes or goes.
sub coming {
    my ($want, $goes) = @_;

    my $data = $inner->decode($want->{data});
    my ($watcher, $other) = (meet(), meet());
    ask($watcher, $want->{channel}, member('watcher'));
    ask($other, $want->{channel}, member(@$data{qw(user_id user_info)}));
    my $m = hear($watcher);
    return $m unless $goes;
    $other = undef;
    return hear($watcher);
}

sub terminated {
    my $c = meet();
    my $r = $d->api(POST => '/broadcasting/auth', token => $token,
        json => { socket_id => $c->{id}, channel_name => 'private-inbox' });
    my $user = $d->sql("SELECT id FROM users WHERE email LIKE 'cs1@%'");
    $r = rest('POST', "/apps/$app/users/$user/terminate_connections", '{}');
    is($r->{status}, 200, 'an agent is sent away');
    return $c;
}

sub after {
    my ($c, @messages) = @_;
    for (@messages) {
        $c->{ws}->say($_) or last;
    }
    return $c;
}

my %mistake = (
    4001 => sub { arrive('/app/nosuch?protocol=7') },
    4007 => sub { arrive("/app/$key?protocol=5") },
    4008 => sub { arrive("/app/$key") },
    4009 => \&terminated,
    4100 => sub { after(meet(), ('{"event":"pusher:pong"}') x 400) },
    4200 => sub { after(meet(), 'no JSON') },
    4301 => sub { my $c = meet(); ask($c, 'terbuka'); after($c,
        { event => 'client-x', channel => 'terbuka', data => {} }) },
);
my %stays = map { $_ => 1 } 4200, 4301;

sub mistaken {
    my ($want) = @_;

    my $code = $inner->decode($want->{data})->{code};
    my $c = $mistake{$code}->();
    my $m = hear($c);
    if ($stays{$code}) {
        is(settle($c), '', "$code: the socket stays");
    } else {
        is(hear($c), undef, "$code: the last word");
        is($c->{closed}, $code, 'and the reason for which it is closed');
    }
    return $m;
}

sub published {
    my ($want) = @_;

    my $c = meet();
    ask($c, $want->{channel});
    is(publish(@$want{qw(channel event data)})->{status}, 200, 'a backend');
    return hear($c);
}

my %scene = (
    'pusher:connection_established' => sub { meet()->{hello} },
    'pusher:ping' => sub { hear($quiet, 1) },
    'pusher:pong' => sub { hear(after(meet(),
        { event => 'pusher:ping', data => {} })) },
    'pusher:error' => \&mistaken,
    'pusher:subscription_error' => sub { ask(meet(), $_[0]{channel},
        $_[0]{channel} =~ /^presence/ ? member('1') : undef,
        "$key:" . '0' x 64) },
    'pusher_internal:member_added' => sub { coming($_[0], 0) },
    'pusher_internal:member_removed' => sub { coming($_[0], 1) },
    'pusher_internal:subscription_succeeded' => sub {
        my $hash = $inner->decode($_[0]{data})->{presence}{hash};
        return $hash ? presence($_[0]{channel}, $hash)
            : ask(meet(), $_[0]{channel});
    },
);

sub words { ref $_[0] ? $_[0] : $json->decode(utf8($_[0])) }

@kept = ();
ok($d->wait_for(sub { $d->{nginx}->metrics('/metrics/wacrmd')
    ->{wacrm_realtime_subscriptions} == 0 }), 'nobody is left');
for my $want (sort { ($a->{event} eq 'pusher:ping')
        <=> ($b->{event} eq 'pusher:ping') } # it takes its time
        map { words($_) } @{$frames->{server}}) {
    my $got = ($scene{$want->{event}} || \&published)->($want);
    is(shape($got), shape($want), "$want->{event}"
        . ($want->{channel} ? " of $want->{channel}" : ''));
    # whoever took part has left before the next one
    $d->wait_for(sub { $d->{nginx}->metrics('/metrics/wacrmd')
        ->{wacrm_realtime_connections} <= 1 });
}

# ---- frames of clients ----

my $c = meet();
my %data; # channel_data by channel

sub says {
    my ($m) = @_;

    my $channel = $m->{channel} || $m->{data}{channel};
    if ($m->{event} eq 'pusher:subscribe') {
        my $data = $data{$channel} = $m->{data}{channel_data};
        is(ask($c, $channel, $data, $channel =~ /^p(?:rivate|resence)-/
            ? undef : $m->{data}{auth})->{event},
            'pusher_internal:subscription_succeeded', "subscribe $channel");
    } elsif ($m->{event} eq 'pusher:ping') {
        $c->{ws}->say($m);
        is(told($c)->{event}, 'pusher:pong', 'ping');
    } elsif ($m->{event} eq 'pusher:unsubscribe') {
        settle($c);
        $c->{ws}->say($m);
        is(settle($c), '', "unsubscribe $channel: nothing is answered");
        publish($channel, 'X', '{}');
        is(settle($c), '', 'and nothing heard any more');
    } else {
        my $other = meet();
        ask($other, $channel, defined $data{$channel} ? member('other')
            : undef);
        $c->{ws}->say($m);
        my $user = $data{$channel} && $inner->decode($data{$channel})->{user_id};
        is_deeply(told($other), { %$m, $user ? (user_id => $user) : () },
            "$m->{event} on $channel reaches the others");
        unlike(settle($c), qr/client-/, 'and not who sent it');
    }
}

says(words($_)) for @{$frames->{client}};

$d->done;
