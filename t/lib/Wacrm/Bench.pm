package Wacrm::Bench;

# The measurements of scripts/bench; each returns (key => value, ...).

use strict;
use warnings;

use File::Path qw(remove_tree);
use IO::Handle ();
use IPC::Open2 qw(open2);
use POSIX ();
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime sleep time);

use Test::More ();

use Wacrm::Desk;
use Wacrm::Jwt;
use Wacrm::Nginx;

my $ROOT    = $Wacrm::Nginx::ROOT;
# the harness counts what it finds in the logs as tests; here nobody plans any
Test::More->builder->no_ending(1);

our $SECONDS = $ENV{WACRM_BENCH_SECONDS} || 4;
my $ROUNDS  = $ENV{WACRM_BENCH_ROUNDS}  || 5;
my $MESSAGES = $ENV{WACRM_BENCH_MESSAGES} || 1_000_000; # of search
my $TOOLS   = "$ROOT/build/release/tools";
my $SECRET  = 'benchmark-secret-of-32-bytes-....';

sub say_ { printf "  %s\n", join ' ', @_ }

sub median {
    my @v = sort { $a <=> $b } @_;
    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

# One run of wrk: { rps, p50, p99 } (us).
sub wrk {
    my ($url, $connections, @script) = @_;

    my $cmd = "wrk -t1 -c$connections -d${SECONDS}s --timeout 10s"
        . " -s @script";
    $cmd =~ s/ -s (\S+)/ -s $1 $url --/;
    my $out = `$cmd 2>&1`;
    my %r = $out =~ /(\w+)=(\d+)/g;
    die "bench: wrk said: $out" unless $r{requests};
    die "bench: $r{errors} errors, $r{bad} bad answers: $out"
        if $r{errors} || $r{bad};
    return { %r, rps => $r{requests} / ($r{us} / 1e6) };
}

# ---- intake -----------------------------------------------------------------

# Distinct requests: enough for a round at the rate of a fast machine.
sub pool {
    my ($t, $n, $path, $secret) = @_;

    my $file = $t->path('pool');
    my $len = `$TOOLS/requests $n $path '$secret' 2>&1 > $file`;
    die "bench: no pool of requests: $len" unless $len =~ /^(\d+)$/;
    return ("$ROOT/t/bench/pool.lua", $file, $1, $n);
}

sub intake_nginx {
    my $t = Wacrm::Nginx->new(level => "notice",
        events => 'worker_connections 2048;');
    $t->write('secret', $SECRET);
    $t->main('thread_pool default threads=1 max_queue=64;');
    $t->http(<<'EOC');
        wacrm_spool %%DIR%%/spool size=4g;
        client_body_buffer_size 16k;
        keepalive_requests 10000000;

        server {
            listen 127.0.0.1:%%PORT%% backlog=4096;
            location /hook {
                wacrm_webhook bench;
                wacrm_webhook_signature waapi;
                wacrm_webhook_secret_file %%DIR%%/secret;
            }
            location /metrics { wacrm_metrics; }
        }

        server {
            listen 127.0.0.1:%%PORT2%% backlog=4096;
            location / {
                default_type application/json;
                return 200 '{"success":true}';
            }
        }
EOC
    return $t;
}

# What the last round has left shall not be written out during the next, nor
# its blocks be given back.
my $used = 0;
sub fresh_spool {
    my ($t) = @_;

    rename $t->path('spool'), $t->path('spool.' . ++$used);
    system('sync') == 0 or die "bench: sync failed\n";
}

# mean seconds of a commit and records in a batch, from a fresh start
sub commits {
    my ($t) = @_;

    my $m = $t->metrics('/metrics');
    my ($n) = map { $m->{$_} } grep { /commit_seconds_count/ } keys %$m;
    my ($s) = map { $m->{$_} } grep { /commit_seconds_sum/ } keys %$m;
    my ($b) = map { $m->{$_} } grep { /batch_(?:records|size)_sum/ } keys %$m;
    return ($s / ($n || 1), ($b || 0) / ($n || 1));
}

sub intake {
    my $t = intake_nginx();
    my @pool = pool($t, $SECONDS * 70_000, '/hook', $SECRET);
    my (%ratio, %last, %tail);

    for my $c (256, 64) {
        for my $round (1 .. $ROUNDS) {
            fresh_spool($t);
            $t->start;
            my $base = wrk('http://127.0.0.1:' . $t->port(2), $c, @pool);
            my $ours = wrk('http://127.0.0.1:' . $t->port, $c, @pool);
            my ($commit, $batch) = commits($t);
            $t->stop;
            push @{$ratio{$c}}, $ours->{rps} / $base->{rps};
            push @{$tail{$c}}, $ours->{p99} / ($c / $ours->{rps} * 1e6);
            $last{$c} = $ours;
            say_(sprintf 'c=%d round=%d return200=%.0f/s intake=%.0f/s'
                . ' ratio=%.2f p99=%.1fms commit=%.2fms batch=%.0f', $c,
                $round, $base->{rps}, $ours->{rps}, $ratio{$c}[-1],
                $ours->{p99} / 1e3, $commit * 1e3, $batch);
        }
    }

    my (@alone, $commit);
    for my $round (1 .. $ROUNDS) {
        fresh_spool($t);
        $t->start;
        my $one = wrk('http://127.0.0.1:' . $t->port, 1, @pool);
        ($commit) = commits($t);
        $t->stop;
        push @alone, $one->{p99} / 1e6 / $commit;
        say_(sprintf 'c=1 round=%d intake=%.0f/s p50=%.2fms p99=%.2fms'
            . ' commit=%.2fms', $round, $one->{rps}, $one->{p50} / 1e3,
            $one->{p99} / 1e3, $commit * 1e3);
    }
    remove_tree($t->dir);

    return (
        ratio      => sprintf('%.2f', median(@{$ratio{256}})),
        ratio64    => sprintf('%.2f', median(@{$ratio{64}})),
        rps        => sprintf('%.0f', $last{256}{rps}),
        # p99 in units of connections / throughput, demanded <= 3
        p99_turns  => sprintf('%.2f', median(@{$tail{256}})),
        # p99 of a lone connection in commits, demanded <= 4
        p99_alone_commits => sprintf('%.2f', median(@alone)),
        commit_ms  => sprintf('%.2f', $commit * 1e3),
    );
}

# ---- inbox ------------------------------------------------------------------

my $CHATS = 10_000;

# A desk with 10,000 donors and chats, and beside it, in the same nginx, a
# static file behind a unix socket.
sub full_desk {
    my $day = 86400;
    my $csv = "phone,name,date,amount,ref\n";
    for my $i (0 .. $CHATS - 1) {
        my @t = gmtime(time - $day * (1 + $i * 7 % 700));
        $csv .= sprintf "62812%07d,Donatur Nomor %d,%04d-%02d-%02d,%d,B-%d\n",
            $i, $i, $t[5] + 1900, $t[4] + 1, $t[3], 50_000 * (1 + $i % 40),
            $i;
    }
    my $d = Wacrm::Desk->new(donors => $csv,
        nginx_options => { workers => 2, level => 'notice',
            events => 'worker_connections 2048;' },
        wacrmd => sub { s/^log_level = debug$/log_level = info/m },
        nginx => sub { s/^(    server \{\n)/<<'EOC' . $1/me });
    keepalive_requests 10000000;
    upstream file {
        server unix:%%DIR%%/file.sock;
        keepalive 64;
        keepalive_requests 10000000;
    }
    server {
        listen unix:%%DIR%%/file.sock;
        default_type application/json;
        root %%DIR%%/static;
    }
    server {
        listen 127.0.0.1:%%PORT2%%;
        location / {
            proxy_pass http://file;
        }
    }
EOC
    $d->start;

    my @pool = pool($d->{nginx}, $CHATS, '/api/webhook/whatsapp',
        'webhook-secret-of-the-test-00001');
    {
        # wrk goes round the pool: a second is enough for all of them
        local $SECONDS = 2;
        wrk('http://127.0.0.1:' . $d->{nginx}->port, 64, @pool);
    }
    $d->wait_for(sub { $d->sql('SELECT count(*) FROM chats') >= $CHATS }, 60)
        or die "bench: only " . $d->sql('SELECT count(*) FROM chats')
        . " chats\n";
    $d->wait_for(sub { drained($d) }, 60) or die "bench: not drained\n";
    return ($d, @pool);
}

sub drained {
    my ($d) = @_;

    my $m = $d->{nginx}->metrics('/metrics');
    my ($n) = map { $m->{$_} } grep { /^wacrm_spool_records/ } keys %$m;
    return defined $n && $n == 0;
}

# Ten events a second from a process of its own, until it is killed.
sub trickle {
    my ($d) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    $0 = 'bench trickle';
    for (my $i = 0; ; $i++) {
        $d->webhook({ event => 'message.received', data => {
            from => sprintf('62812%07d', $i * 13 % $CHATS),
            pushName => 'Donatur', message => "pesan baru $i",
            id => sprintf('3EB0T%d%09d', $$, $i),
            timestamp => int(time) } });
        sleep 0.1;
    }
}

sub inbox {
    my ($d) = full_desk();
    my $token = $d->login('cs1@test.example');
    my $n = $d->{nginx};
    my $first = $d->api(GET => '/api/crm/inbox', token => $token);
    my $chats = @{$first->{json}{conversations} || []};
    my $donors = grep { $_->{donatur} && $_->{donatur}{donation_count} }
        @{$first->{json}{conversations}};
    die "bench: $chats chats, $donors with gifts in the inbox, not 50\n"
        if $chats != 50 || $donors != 50;
    $n->write('static/inbox', $first->{body}, 0644);
    chmod 0755, $n->path('static');
    my $size = length $first->{body};

    my $trickle = trickle($d);
    my $before = $d->sql('SELECT count(*) FROM messages');
    my $begin = time;
    my (@ratio, @p99, $last);
    for my $round (1 .. $ROUNDS) {
        my $base = wrk('http://127.0.0.1:' . $n->port(2) . '/inbox', 64,
            "$ROOT/t/bench/get.lua");
        my $ours = wrk('http://127.0.0.1:' . $n->port . '/api/crm/inbox', 64,
            "$ROOT/t/bench/get.lua", $token);
        push @ratio, $ours->{rps} / $base->{rps};
        push @p99, $ours->{p99} / 1e3;
        $last = $ours;
        say_(sprintf 'round=%d static=%.0f/s inbox=%.0f/s ratio=%.2f'
            . ' p50=%.2fms p99=%.2fms', $round, $base->{rps}, $ours->{rps},
            $ratio[-1], $ours->{p50} / 1e3, $ours->{p99} / 1e3);
    }
    my $events = ($d->sql('SELECT count(*) FROM messages') - $before)
        / (time - $begin);
    kill 'KILL', $trickle;
    waitpid $trickle, 0;
    die sprintf("bench: only %.1f events/s were applied\n", $events)
        if $events < 5;
    my $memory = memory_of($d);
    shut($d);

    return (ratio => sprintf('%.2f', median(@ratio)),
        rps => sprintf('%.0f', $last->{rps}), bytes => $size,
        p99_ms => sprintf('%.2f', median(@p99)),
        events_per_s => sprintf('%.1f', $events),
        memory_mb => sprintf('%.1f', $memory));
}

sub shut {
    my ($d) = @_;

    $d->wacrmd_stop;
    $d->sim_stop;
    $d->{nginx}->stop;
    remove_tree($d->{dir});
}

# ---- jwt --------------------------------------------------------------------

# Processor time of a process so far.
sub cpu_us {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or die "bench: $pid: $!\n";
    my ($rest) = <$fh> =~ /\) (.*)/;
    my @field = split / /, $rest;
    return ($field[11] + $field[12]) * 1e6 / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}

# What a check of the token, and of the rate, costs a request: the worker's
# processor time of a request with it less that of one without.
sub jwt {
    my $t = Wacrm::Nginx->new(level => 'notice',
        events => 'worker_connections 2048;');
    $t->write('secret', $SECRET);
    new_key($t->path('rsa'), 'rsa');
    mkdir $t->path('spool');
    my $places = '';
    for my $alg (qw(HS256 RS256)) {
        my $file = $alg eq 'RS256' ? 'rsa.pub' : 'secret';
        for my $rate ('', 'wacrm_rate zone=user;') {
            my $path = lc $alg . ($rate ? '-rate' : '');
            $places .= "location /$path { wacrm_jwt_key_file $file alg=$alg;"
                . " wacrm_jwt desk; $rate empty_gif; }\n";
        }
    }
    $t->http(<<"EOC");
        wacrm_spool %%DIR%%/spool size=16m;
        wacrm_rate_zone \$wacrm_jwt_sub zone=user:1m rate=1000000r/s burst=1000000;
        keepalive_requests 10000000;

        server {
            listen 127.0.0.1:%%PORT%% backlog=4096;
            location / { empty_gif; }
            $places
        }
EOC
    $t->start;
    my $url = 'http://127.0.0.1:' . $t->port;
    my $claims = claims(iat => int time, exp => 3600 + int time, role => 'cs', iss => 'wacrm',
        aud => 'wacrm', token_use => 'access');
    my %token = (hs256 => hs_token($SECRET, $claims),
        rs256 => pk_token($t->path('rsa'), 'RS256', $claims));
    my ($worker) = $t->workers(qr/^nginx/);
    my $cpu = sub {
        my ($path, $token) = @_;
        my $before = cpu_us($worker);
        my $run = wrk("$url/$path", 64, "$ROOT/t/bench/get.lua", $token);
        return (cpu_us($worker) - $before) / $run->{requests};
    };
    my %cost;
    for my $round (1 .. $ROUNDS) {
        my $bare = $cpu->('', $token{hs256});
        for my $path (qw(hs256 hs256-rate rs256 rs256-rate)) {
            my ($alg) = split /-/, $path;
            my $us = $cpu->($path, $token{$alg});
            push @{$cost{$path}}, $us - $bare;
            say_(sprintf 'round=%d %s=%.2fus without=%.2fus cost=%.2fus',
                $round, $path, $us, $bare, $cost{$path}[-1]);
        }
    }
    $t->stop;
    remove_tree($t->dir);
    return map { (s/-/_/r . '_us' => sprintf '%.2f', median(@{$cost{$_}})) }
        keys %cost;
}

# ---- drain ------------------------------------------------------------------

sub drain {
    my @ratio;
    my %last;
    for my $round (1 .. $ROUNDS) {
        my $out = `$TOOLS/drain 2>&1`;
        my ($line) = $out =~ /^(drain .*)$/m
            or die "bench: drain said: $out";
        say_("round=$round", $line);
        %last = $line =~ /(\w+)=(\S+)/g;
        push @ratio, $last{ratio};
    }
    return (%last, ratio => sprintf('%.2f', median(@ratio)));
}

# ---- search -----------------------------------------------------------------

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
sub search {
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

# ---- realtime ---------------------------------------------------------------

sub listening_desk {
    my $d = Wacrm::Desk->new(
        nginx_options => { workers => 1, level => 'notice',
            events => 'worker_connections 8192;' },
        nginx => sub { s/^ *limit_conn sockets .*\n//m or die 'no limit' },
        wacrmd => sub {
            s/^log_level = debug$/log_level = info/m;
            s/^welcome = on/welcome = off/m or die 'no welcome';
            s/^public_inbox = off/public_inbox = on/m or die 'no inbox';
        });
    return $d->start;
}

# Idle clients; returns how to tell them something, which returns the ms from
# the webhook's 200 to the last one's frame (negative: the frame came first).
sub clients {
    my ($address, $n) = @_;

    my $pid = open2(my $out, my $in, "$TOOLS/sockets", $address, $n, 'inbox');
    my $line = <$out> || '';
    my ($ms) = $line =~ /^ready .*connect_ms=(\d+)/
        or die "bench: sockets said: $line\n";
    my $tell = sub {
        my ($d, $i) = @_;
        print {$in} "\n";
        $in->flush;
        $d->event('message.received', { from => '6281234567890',
            pushName => 'Donatur', message => "pesan $i",
            id => "3EB0R$$" . "X$i", timestamp => int(time) }) == 200
            or die "bench: the webhook does not take it\n";
        my $sent = clock_gettime(CLOCK_MONOTONIC);
        my ($last) = (<$out> || '') =~ /^told n=$n .*last_us=(\d+)/
            or die "bench: not all were told\n";
        return $last / 1e3 - $sent * 1e3;
    };
    return ($tell, $ms, sub { close $in; waitpid $pid, 0 });
}

sub own_kb {
    my $kb = 0;
    for my $pid (@_) {
        my %kb = pss($pid);
        $kb += $kb{Anon} + $kb{Shmem};
    }
    return $kb;
}

# ms of processor time that all threads of a process have had.
sub cpu_ms {
    my ($pid) = @_;

    my $ns = 0;
    for my $file (glob "/proc/$pid/task/*/schedstat") {
        open my $fh, '<', $file or next;
        $ns += (split ' ', scalar <$fh>)[0];
    }
    return $ns / 1e6;
}

# (bytes of wacrmd, of nginx, for each client; ms from the commit to the last
# write, to the last frame)
sub audience {
    my ($n, $through) = @_;

    my $d = listening_desk();
    my @nginx = ($d->{nginx}->pid, $d->{nginx}->workers(qr/^nginx/));
    $d->event('message.received', { from => '6281234567890',
        pushName => 'Donatur', message => 'pertama', id => '3EB0R0',
        timestamp => int(time) });
    $d->applied;
    my @before = (own_kb($d->{wacrmd_pid}), own_kb(@nginx));
    my ($tell, $ms, $end) = clients($through
        ? '127.0.0.1:' . $d->{nginx}->port : "unix:$d->{dir}/http.sock", $n);
    my @each = map { $_ * 1024 / $n } own_kb($d->{wacrmd_pid}) - $before[0],
        own_kb(@nginx) - $before[1];
    my $m = $d->{nginx}->metrics('/metrics/wacrmd');
    my $cpu = cpu_ms($d->{wacrmd_pid});
    my @last = map { $tell->($d, $_) } 1 .. 20;
    $cpu = (cpu_ms($d->{wacrmd_pid}) - $cpu) / @last;
    my $now = $d->{nginx}->metrics('/metrics/wacrmd');
    my ($count, $s) = map { $now->{$_} - $m->{$_} }
        'wacrm_realtime_fanouts_total', 'wacrm_realtime_fanout_seconds_total';
    my @told = ($s / $count * 1e3, median(@last));
    say_(sprintf 'clients=%d %s connect=%dms wacrmd=%.0fB/client'
        . ' nginx=%.0fB/client commit_to_last_write=%.1fms'
        . ' 200_to_last_frame=%.1fms cpu=%.1fms/event', $n,
        $through ? 'through nginx' : 'on the socket', $ms, @each, @told,
        $cpu);
    $end->();
    shut($d);
    return (@each, @told);
}

sub realtime {
    my ($own, undef, $write, $frame) = audience(9000, 0);
    my ($ours, $theirs, $write2, $frame2) = audience(2000, 1);
    return (clients => 9000,
        bytes_per_client => sprintf('%.0f', $own),
        commit_to_write_ms => sprintf('%.1f', $write),
        last_frame_ms => sprintf('%.1f', $frame),
        nginx_clients => 2000,
        nginx_bytes_wacrmd => sprintf('%.0f', $ours),
        nginx_bytes_nginx => sprintf('%.0f', $theirs),
        nginx_commit_to_write_ms => sprintf('%.1f', $write2),
        nginx_last_frame_ms => sprintf('%.1f', $frame2));
}

# ---- memory -----------------------------------------------------------------

# MB of a process: what is its own, anonymous and shared; mapped files (the
# spool, the database) are the kernel's cache and counted beside it.
sub pss {
    my ($pid) = @_;

    my %kb = (Anon => 0, Shmem => 0, File => 0);
    open my $fh, '<', "/proc/$pid/smaps_rollup" or return %kb;
    while (<$fh>) {
        $kb{$1} = $2 if /^Pss_(Anon|Shmem|File):\s+(\d+)/;
    }
    return %kb;
}

sub memory_of {
    my ($d) = @_;

    my @pids = ($d->{wacrmd_pid}, $d->{nginx}->pid,
        $d->{nginx}->workers(qr/^nginx/));
    my ($own, $file) = (0, 0);
    for my $pid (@pids) {
        my %kb = pss($pid);
        $own += $kb{Anon} + $kb{Shmem};
        $file += $kb{File};
        open my $fh, '<', "/proc/$pid/comm" or next;
        chomp(my $name = <$fh>);
        say_(sprintf 'memory %s pid=%d own=%.1fMB mapped=%.1fMB', $name, $pid,
            ($kb{Anon} + $kb{Shmem}) / 1024, $kb{File} / 1024);
    }
    return $own / 1024;
}

# After intake at full speed with wacrmd behind it, inboxes and sign-ins.
sub memory {
    my ($d, @pool) = full_desk();
    my $token = $d->login('cs1@test.example');
    my $url = 'http://127.0.0.1:' . $d->{nginx}->port;

    for my $round (1 .. 3) {
        wrk($url, 256, @pool);
        wrk("$url/api/crm/inbox", 64, "$ROOT/t/bench/get.lua", $token);
        $d->login("cs$_\@test.example") for 1, 2;
    }
    $d->wait_for(sub { drained($d) }, 120);
    my $memory = memory_of($d);
    shut($d);
    return (memory_mb => sprintf('%.1f', $memory));
}

1;
