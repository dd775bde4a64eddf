package Wacrm::Bench::Search;

# Two words in a million messages.

use strict;
use warnings;

use Time::HiRes qw(sleep time);

use Wacrm::Bench;
use Wacrm::Desk;

my $MESSAGES = $ENV{WACRM_BENCH_MESSAGES} || 1_000_000;

# Two words in a million messages: once, as it takes half a minute.
my @KINDS = qw(top frequent mixed medium same prefix names phone);

# A desk whose history is the one that the tool has made; and how long the
# index took.
sub searched_desk {
    my ($queries) = @_;

    my $d = Wacrm::Desk->new(
        nginx_options => { level => 'notice' },
        wacrmd => sub { s/^log_level = debug$/log_level = info/m },
        nginx => sub { s/^(    server \{\n)/    keepalive_requests 100000000;\n$1/m });
    mkdir $d->{nginx}->path('queries');
    system("$TOOLS/search", $MESSAGES, $queries, $d->{db},
        $d->{nginx}->path('queries')) == 0 or die "bench: no history\n";
    $d->change("INSERT INTO session_members SELECT s.id, u.id FROM sessions s,"
        . " users u WHERE s.id <= 2 AND u.email = 'cs1\@test.example'");
    my $begin = time;
    $d->start;
    $d->wait_for(sub {
        my $m = $d->{nginx}->metrics('/metrics/wacrmd');
        return defined $m->{wacrm_search_lag_messages}
            && $m->{wacrm_search_lag_messages} == 0;
    }, 300) or die "bench: not indexed\n";
    say_(sprintf 'indexed %d messages in %.1fs', $MESSAGES, time - $begin);
    sleep 2;    # its parts are put together
    return $d;
}

# One kind of queries by one connection, each of them some times: ms.
sub asked {
    my ($d, $kind, $path, $token) = @_;

    local $SECONDS = 2;
    my $r = wrk('http://127.0.0.1:' . $d->{nginx}->port, 1,
        "$ROOT/t/bench/search.lua", $token, "'$path'",
        $d->{nginx}->path("queries/$kind"));
    return map { $_ / 1e3 } @$r{qw(p50 p99)};
}

# First what the routes call, then the routes, as a browser asks them: through
# nginx and the daemon's socket, messages and people at once.
sub run {
    my $out = `$TOOLS/search $MESSAGES 2>&1`;
    my ($line) = $out =~ /^(search .*)$/m or die "bench: search said: $out";
    say_($line);
    my %figure = $line =~ /(\w+)=(\S+)/g;

    my $d = searched_desk(400);
    my $token = $d->login('admin@test.example');
    my $cs = $d->login('cs1@test.example');
    my ($http, $inbox) = (0, 0);
    for my $kind (@KINDS) {
        my @all = asked($d, $kind, '/api/crm/search?q=', $token);
        my @some = asked($d, $kind, '/api/crm/search?q=', $cs);
        my @inbox = asked($d, $kind, '/api/crm/inbox?session_id=*&search=',
            $token);
        say_(sprintf 'http %-8s p50=%.2fms p99=%.2fms; of a CS p50=%.2fms'
            . ' p99=%.2fms; inbox p50=%.2fms p99=%.2fms', $kind, @all, @some,
            @inbox);
        for ($all[1], $some[1]) {
            $http = $_ if $_ > $http;
        }
        $inbox = $inbox[1] if $inbox[1] > $inbox;
        $figure{"http_${kind}_p99_ms"} = sprintf '%.2f', $all[1];
    }
    shut($d);
    # the worst of the kinds
    return (%figure, http_p99_ms => sprintf('%.2f', $http),
        http_inbox_p99_ms => sprintf('%.2f', $inbox));
}

1;
