package Wacrm::Nginx;

=head1 NAME

Wacrm::Nginx - a real nginx with ngx_wacrm_module.so for one test

=head1 SYNOPSIS

    use Test::More;
    use lib 't/lib';
    use Wacrm::Nginx;

    my $t = Wacrm::Nginx->new;

    $t->write('secret', 'a secret of enough bytes');
    $t->http(<<'EOC');
        wacrm_spool %%DIR%%/spool;

        server {
            listen 127.0.0.1:%%PORT%%;
            location /hook {
                wacrm_webhook demo;
                wacrm_webhook_signature waapi;
                wacrm_webhook_secret_file %%DIR%%/secret;
            }
        }
    EOC
    $t->start;

    my $r = $t->post('/hook', '{"a":1}', $t->waapi('{"a":1}'));
    is($r->{status}, 200);

    $t->done;

=head1 DESCRIPTION

Every test has a directory of its own, build/t/NAME.PID, removed when the test
passed. Ports are found by binding to port 0; when another process has taken
one meanwhile, start() takes others, so use port() after start().

nginx is C<$WACRM_NGINX> (/usr/sbin/nginx), the module C<$WACRM_MODULE>
(build/module/ngx_wacrm_module.so; "-" if it is linked in). All state is
below the directory, thus no root is needed; as root the workers run as root
unless C<< new(user => 'nobody') >> says otherwise.

done() stops nginx and adds hidden tests: nginx ended by itself, no [alert],
[emerg] or [crit] in any log and no process that ended with another code than
0, except the lines that match an allow(); and no line of a sanitizer, which
nothing allows. allow_errors() is for a test that harms on purpose: any line but
those of a process that ended.

=head2 Configuration

=over

=item new(%options)

workers (1), user, master ('on'), dir, level ('info': of the error log),
events (text of the events block), env ({}: of a started nginx).

=item write($name, $bytes, $mode = 0600), path($name)

Makes a file in the directory; its path.

=item http($text), conf($text)

Text of the http block, or the whole nginx.conf. %%DIR%%, %%MODULE%%,
%%PORT%%, %%PORT2%% ... %%PORT9%% are replaced; %%FRAME%% in conf() stands for
load_module, pid, error_log, user and worker_processes.

=item hook($size)

The http block of one webhook: /hook, signed as by the preset waapi with the
secret written as 'secret', and a spool of that size.

=item main($text)

Lines for the main context, used by http().

=item test()

Runs nginx -t: (true if it passed, its output).

=back

=head2 Running

start(), stop($signal = 'QUIT') true if it exited with 0, reload() (waits
until new workers are there and, with wait => 1, the old ones are gone),
pid(), workers(), port($n = 1), log() the error log, mark() and log_since($m),
wait_for(sub {...}, $seconds) (a minute at least: for what comes sooner or
later), within($seconds, sub {...}) (no longer: for what is promised to come
soon), wait_log(qr/.../), kill_all (SIGKILL for all of it),
kill_master (only for the master; the pids of those it leaves behind, which go
on until kill_orphans(@pids)).

=head2 Requests

All of these return { status, headers, body, raw } with header names in lower
case, or undef if no answer came:

    get($path, %headers)
    post($path, $body, %headers)
    request($method, $path, headers => {}, body =>, chunked => [pieces],
            socket =>, delay => seconds between pieces)

A header value may be an array reference: one line for each. connect() gives
a socket for keep-alive, send_request(), read_response($socket) the halves of
a request; closing the socket aborts.

=head2 Helpers

hmac($algorithm, $data, $key) in hex ('sha1' 'sha256' 'sha512'), waapi($body,
$secret = that written as 'secret') the header of the preset waapi,
Wacrm::Nginx::free_port() that of a moment ago, deaf_port() one that refuses to
the end, metrics($path = '/metrics') { 'name{labels}' => value }, spool_dump($path)
runs t/tools/spool_dump: a list of records (hashes).
Wacrm::Nginx::shape($answer): all of it but the date and what is left of a rate,
which move with the clock.

=cut

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha1_hex hmac_sha256_hex hmac_sha512_hex);
use File::Basename qw(basename dirname);
use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Scalar::Util qw(weaken);
use Test::More ();
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime sleep time);

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

# A wait ends as soon as its condition is there: none is cut off by a machine
# that is slow or busy before so many seconds.
my $PATIENCE = 60;
# and a stop that takes longer is looked into
my $STOPS_IN = 15;

# a client that aborts must not end the test
$SIG{PIPE} = 'IGNORE';

my $count = 0;
my @objects;

sub new {
    my ($class, %opt) = @_;

    my $name = basename($0);
    $name =~ s/\.t$//;
    $count++;

    my $self = bless {
        nginx   => $ENV{WACRM_NGINX}  || '/usr/sbin/nginx',
        module  => $ENV{WACRM_MODULE}
                   || "$ROOT/build/module/ngx_wacrm_module.so",
        workers => 1,
        master  => 'on',
        level   => 'info',
        events  => 'worker_connections 1024;',
        main    => '',
        allowed => [],
        ports   => [],
        env     => {},
        owner   => $$,
        dir     => "$ROOT/build/t/$name.$$" . ($count > 1 ? ".$count" : ''),
        %opt,
    }, $class;

    make_path($self->{dir});
    chmod 0755, $self->{dir};
    push @objects, $self;
    weaken($objects[-1]);

    return $self;
}

# ---- configuration ----

sub dir  { $_[0]{dir} }
sub path { "$_[0]{dir}/$_[1]" }

sub write {
    my ($self, $name, $bytes, $mode) = @_;

    my $path = $self->path($name);
    make_path(dirname($path));
    open my $fh, '>', "$path.new" or die "$path: $!";
    binmode $fh;
    print {$fh} $bytes;
    close $fh or die "$path: $!";
    chmod defined $mode ? $mode : 0600, "$path.new";
    chown $self->_ids, "$path.new" if $> == 0 && $self->{user};
    rename "$path.new", $path or die "$path: $!";

    return $path;
}

sub read {
    my ($self, $name) = @_;

    open my $fh, '<', $self->path($name) or return '';
    binmode $fh;
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

sub main { $_[0]{main} = $_[1]; return $_[0] }

sub http {
    my ($self, $text) = @_;

    return $self->conf(<<"EOF");
%%FRAME%%
$self->{main}
http {
    access_log off;
    client_body_temp_path %%DIR%%/tmp/body;
    proxy_temp_path %%DIR%%/tmp/proxy;
    fastcgi_temp_path %%DIR%%/tmp/fastcgi;
    scgi_temp_path %%DIR%%/tmp/scgi;
    uwsgi_temp_path %%DIR%%/tmp/uwsgi;
$text
}
EOF
}

sub hook {
    my ($self, $size) = @_;

    return $self->http(<<"EOC");
    wacrm_spool %%DIR%%/spool size=$size;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /hook {
            wacrm_webhook demo;
            wacrm_webhook_signature waapi;
            wacrm_webhook_secret_file %%DIR%%/secret;
        }
    }
EOC
}

sub conf {
    my ($self, $text) = @_;

    $self->{text} = $text;
    return $self->_write_conf;
}

sub _ids {
    my ($self) = @_;

    my (undef, undef, $uid, $gid) = getpwnam($self->{user});
    die "no user $self->{user}" unless defined $uid;
    return ($uid, $gid);
}

sub _frame {
    my ($self) = @_;

    my $user = $self->{user} || 'root';
    my ($group) = $user eq 'root' ? 'root' : scalar getgrgid(($self->_ids)[1]);
    my $load = $self->{module} eq '-' ? '' : 'load_module %%MODULE%%;';

    return join "\n", $load, 'daemon off;', "master_process $self->{master};",
        $> == 0 ? "user $user $group;" : '',
        "worker_processes $self->{workers};",
        'pid %%DIR%%/nginx.pid;',
        'lock_file %%DIR%%/nginx.lock;',
        "error_log %%DIR%%/error.log $self->{level};",
        "events { $self->{events} }", '';
}

sub _write_conf {
    my ($self) = @_;

    my $text = $self->{text};
    my $frame = $self->_frame;
    $text =~ s/%%FRAME%%/$frame/;
    $text =~ s/%%PORT(\d?)%%/$self->port($1 || 1)/ge;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%MODULE%%/$self->{module}/g;
    make_path($self->path('tmp'));
    $self->write('nginx.conf', $text, 0644);

    return $self;
}

sub port {
    my ($self, $n) = @_;

    $n = ($n || 1) - 1;
    return $self->{ports}[$n] ||= free_port();
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
                                  LocalPort => 0, Proto => 'tcp')
        or die "no free port: $!";
    return $s->sockport;
}

# A port that refuses connections to the end of the test: it is taken, lest
# somebody else listens there, and nobody listens.
my @deaf;

sub deaf_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
                                  Proto => 'tcp')
        or die "no free port: $!";
    push @deaf, $s;
    return $s->sockport;
}

# (true, output) of nginx -t
sub test {
    my ($self) = @_;

    unlink $self->path('test.out');
    my $pid = $self->_spawn($self->path('test.out'), '-t');
    waitpid $pid, 0;
    my $rc = $?;

    return ($rc == 0, $self->read('test.out'));
}

# ---- running ----

sub _spawn {
    my ($self, $out, @args) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;

    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $out;
    open STDERR, '>>', $out;
    $SIG{PIPE} = 'DEFAULT';
    $ENV{ASAN_OPTIONS} ||= 'detect_leaks=0:abort_on_error=1';
    $ENV{UBSAN_OPTIONS} ||= 'print_stacktrace=1';
    @ENV{keys %{$self->{env}}} = values %{$self->{env}} unless @args;
    exec { $self->{nginx} } $self->{nginx}, '-p', "$self->{dir}/",
        '-c', 'nginx.conf',
        '-e', @args ? 'stderr' : $self->path('error.log'), @args
        or print STDERR "$self->{nginx}: $!\n";
    POSIX::_exit(127);
}

sub start {
    my ($self) = @_;

    for my $try (1 .. 5) {
        unlink $self->path('nginx.pid'), $self->path('stderr.log');
        $self->{pid} = $self->_spawn($self->path('stderr.log'));

        return $self if $self->wait_for(sub {
            $self->_reap;
            !$self->{pid} || $self->_listening;
        }, 30) && $self->{pid};

        my $why = $self->read('stderr.log');
        $self->kill_all;
        die "nginx did not start: $why" . $self->log
            unless $why =~ /Address already in use/ && $try < 5;

        # somebody else was faster
        $self->{ports} = [];
        unlink $self->path('error.log');
        $self->_write_conf;
    }
}

sub _listening {
    my ($self) = @_;

    return 0 unless -s $self->path('nginx.pid');
    return 0 if $self->{master} eq 'on' && $self->workers < $self->{workers};
    return 1 unless $self->{text} =~ /%%PORT/;
    return defined $self->connect;
}

sub _reap {
    my ($self) = @_;

    return unless $self->{pid};
    if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
        $self->{exit} = $?;
        delete $self->{pid};
    }
}

sub pid { $_[0]{pid} }

# pids of the workers that accept connections
sub workers {
    my ($self, $pattern) = @_;

    return () unless $self->{pid};
    $pattern ||= qr/^nginx: worker process\s*$/;
    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh>;
        next unless defined $line && $line =~ /^(\d+) \(.*\) \S (\d+) /
            && $2 == $self->{pid};
        my $pid = $1;
        open $fh, '<', "/proc/$pid/cmdline" or next;
        my $cmd = do { local $/; <$fh> };
        next unless defined $cmd;
        $cmd =~ tr/\0/ /;
        push @pids, $pid if $cmd =~ $pattern;
    }

    @pids = sort { $a <=> $b } @pids;
    return @pids;
}

sub stop {
    my ($self, $signal) = @_;

    return 1 unless $self->{pid};
    my $begin = clock_gettime(CLOCK_MONOTONIC);
    my $late;
    kill $signal || 'QUIT', $self->{pid};
    $self->wait_for(sub {
        $self->_reap;
        # one that ends after all has told what it waited for
        if ($self->{pid} && !$late
            && clock_gettime(CLOCK_MONOTONIC) - $begin > $STOPS_IN)
        {
            $late = $self->_what_it_does;
            Test::More::diag("nginx is slow to stop\n$late");
        }
        !$self->{pid};
    });

    if ($self->{pid}) {
        Test::More::diag("nginx does not stop\n" . $self->_what_it_does);
        $self->kill_all;
        return 0;
    }

    return $self->{exit} == 0;
}

# For a process that should have ended: the state of master and workers, of
# each thread, and where it stands, if gdb is there.
sub _what_it_does {
    my ($self) = @_;

    my $text = '';
    for my $pid ($self->{pid}, $self->workers(qr/./s)) {
        for my $task (glob "/proc/$pid/task/*") {
            my %at = map { $_ => _first_line("$task/$_") }
                qw(stat wchan syscall);
            $text .= "$pid $at{stat}\n  wchan $at{wchan} syscall $at{syscall}\n";
        }
        for my $fd (glob "/proc/$pid/fd/*") {
            my $file = readlink $fd;
            $text .= "  $fd $file\n" if defined $file;
        }
        open my $gdb, '-|', "gdb -p $pid -batch -ex 'thread apply all bt'"
            . ' 2> /dev/null' or next;
        local $/;
        $text .= <$gdb> // '';
        close $gdb;
    }
    my @log = split /\n/, $self->log;
    return join "\n", $text, @log > 40 ? @log[-40 .. -1] : @log;
}

sub _first_line {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    my $line = <$fh> // '';
    chomp $line;
    return $line;
}

sub kill_all {
    my ($self) = @_;

    $self->kill_orphans($self->kill_master);
}

# What they hold is free afterwards.
sub kill_orphans {
    my ($self, @pids) = @_;

    kill 'KILL', @pids;
    for my $pid (@pids) {
        $self->wait_for(sub { _state($pid) =~ /^[XZ]?$/ });
    }
}

# The letter of ps; '' where it is gone.
sub _state {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return '';
    return (<$fh> // '') =~ /^\d+ \(.*\) (\S) / ? $1 : '';
}

sub kill_master {
    my ($self) = @_;

    return unless $self->{pid};
    # a master that stands still starts no worker behind our back
    kill 'STOP', $self->{pid};
    $self->wait_for(sub { _state($self->{pid}) =~ /^[TXZ]?$/ }, 2);
    my @orphans = $self->workers(qr/^nginx/);
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
    return @orphans;
}

sub reload {
    my ($self, %opt) = @_;

    my %old = map { $_ => 1 } $self->workers;
    kill 'HUP', $self->{pid};

    my $ok = $self->wait_for(sub {
        my @now = $self->workers;
        @now >= $self->{workers} && !grep { $old{$_} } @now;
    });

    if ($ok && $opt{wait}) {
        $ok = $self->wait_for(sub { !grep { kill 0, $_ } keys %old });
    }

    return $ok;
}

sub wait_for {
    my ($self, $code, $seconds) = @_;

    $seconds = $PATIENCE if !$seconds || $seconds < $PATIENCE;
    my $end = clock_gettime(CLOCK_MONOTONIC) + $seconds;
    while (clock_gettime(CLOCK_MONOTONIC) < $end) {
        return 1 if $code->();
        sleep 0.02;
    }
    return $code->() ? 1 : 0;
}

# True if the condition was seen to hold before so many seconds were over. They
# have to tell a promise that is kept from one that is not, on a busy machine:
# 20 for what is done each second, where the next best is a minute.
sub within {
    my ($self, $seconds, $code) = @_;

    my $end = clock_gettime(CLOCK_MONOTONIC) + $seconds;
    until ($code->()) {
        return 0 if clock_gettime(CLOCK_MONOTONIC) > $end;
        sleep 0.02;
    }
    return clock_gettime(CLOCK_MONOTONIC) <= $end ? 1 : 0;
}

sub log { $_[0]->read('error.log') }
sub mark { -s $_[0]->path('error.log') || 0 }
sub log_since { substr $_[0]->log, $_[1] }

sub wait_log {
    my ($self, $re, $seconds) = @_;
    return $self->wait_for(sub { $self->log =~ $re }, $seconds);
}

# ---- requests ----

sub connect {
    my ($self, $n) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $self->port($n),
                                  Proto => 'tcp', Timeout => $PATIENCE);
    $s->autoflush(1) if $s;
    return $s;
}

sub get {
    my ($self, $path, %headers) = @_;
    return $self->request('GET', $path, headers => \%headers);
}

sub post {
    my ($self, $path, $body, %headers) = @_;
    return $self->request('POST', $path, body => $body, headers => \%headers);
}

sub request {
    my ($self, $method, $path, %opt) = @_;

    my $own = !$opt{socket};
    my $s = $opt{socket} || $self->connect($opt{port}) or return undef;
    $self->send_request($s, $method, $path, %opt, close => $own);
    return $self->read_response($s, $method, $opt{timeout});
}

sub send_request {
    my ($self, $s, $method, $path, %opt) = @_;

    my %headers = %{$opt{headers} || {}};
    my $text = "$method $path HTTP/1.1\r\n";
    $headers{Host} = 'localhost' unless exists $headers{Host};
    $headers{Connection} = 'close' if $opt{close};

    if ($opt{chunked}) {
        $headers{'Transfer-Encoding'} = 'chunked';
    } elsif (defined $opt{body} && !exists $headers{'Content-Length'}) {
        $headers{'Content-Length'} = length $opt{body};
    }

    for my $name (sort keys %headers) {
        next unless defined $headers{$name};
        my @values = ref $headers{$name} ? @{$headers{$name}}
                                         : $headers{$name};
        $text .= "$name: $_\r\n" for @values;
    }
    $text .= "\r\n";

    if ($opt{chunked}) {
        my @pieces = map { sprintf("%x\r\n", length) . "$_\r\n" }
                     @{$opt{chunked}};
        return _send($s, $opt{delay}, $text, @pieces, "0\r\n\r\n");
    }

    my $body = defined $opt{body} ? $opt{body} : '';
    return _send($s, 0, $text . $body) unless $opt{delay};
    return _send($s, $opt{delay}, $text, $body =~ /(.{1,1000})/gs);
}

sub _send {
    my ($s, $delay, @pieces) = @_;

    for my $piece ($delay ? @pieces : join '', @pieces) {
        my $at = 0;
        while ($at < length $piece) {
            my $n = syswrite $s, $piece, length($piece) - $at, $at;
            return 0 unless defined $n;
            $at += $n;
        }
        sleep $delay if $delay;
    }
    return 1;
}

# One answer from a socket; what came after it is kept for the next call.
sub read_response {
    my ($self, $s, $method, $timeout) = @_;

    my $end = time + ($timeout || $PATIENCE);
    my $buf = delete ${*$s}{wacrm_rest};
    $buf = '' unless defined $buf;

    my $more = sub {
        my $left = $end - time;
        return 0 if $left <= 0 || !IO::Select->new($s)->can_read($left);
        return sysread($s, $buf, 65536, length $buf) ? 1 : 0;
    };

    my ($status, %headers, $raw);
    while (1) {
        until ($buf =~ /\r\n\r\n/) {
            $more->() or return undef;
        }
        ($raw, $buf) = split /\r\n\r\n/, $buf, 2;
        my ($line, @lines) = split /\r\n/, $raw;
        ($status) = $line =~ m{^HTTP/1\.[01] (\d{3})} or return undef;
        next if $status == 100;
        for (@lines) {
            my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;
            $name = lc $name;
            $headers{$name} = exists $headers{$name}
                ? "$headers{$name}, $value" : $value;
        }
        last;
    }

    my $body = '';
    if (($method || '') eq 'HEAD' || $status == 204 || $status == 304) {
        # no body
    } elsif (defined(my $len = $headers{'content-length'})) {
        while (length $buf < $len) {
            $more->() or return undef;
        }
        $body = substr $buf, 0, $len, '';
    } elsif (($headers{'transfer-encoding'} || '') eq 'chunked') {
        while (1) {
            until ($buf =~ /^[0-9a-f]+\r\n/i) {
                $more->() or return undef;
            }
            my ($digits) = $buf =~ /^([0-9a-f]+)/i;
            my $size = hex $digits;
            my $head = length($digits) + 2;
            while (length $buf < $head + $size + 2) {
                $more->() or return undef;
            }
            $body .= substr $buf, $head, $size;
            substr $buf, 0, $head + $size + 2, '';
            last unless $size;
        }
    } else {
        1 while $more->();
        $body = $buf;
        $buf = '';
    }

    ${*$s}{wacrm_rest} = $buf;
    return { status => $status, headers => \%headers, body => $body,
             raw => "$raw\r\n\r\n$body" };
}

# ---- helpers ----

my %hmac = (sha1 => \&hmac_sha1_hex, sha256 => \&hmac_sha256_hex,
            sha512 => \&hmac_sha512_hex);

sub hmac {
    my ($self, $algorithm, $data, $key) = @_;
    return $hmac{$algorithm}->($data, $key);
}

sub waapi {
    my ($self, $body, $secret) = @_;

    $secret = $self->read('secret') unless defined $secret;
    return ('X-Webhook-Signature' => hmac_sha256_hex($body, $secret));
}

sub shape {
    my ($r) = @_;

    my %h = %{$r->{headers}};
    delete @h{'date', grep { /rate-?limit/ } keys %h};
    return join "\n", $r->{status}, (map { "$_: $h{$_}" } sort keys %h),
        $r->{body};
}

sub metrics {
    my ($self, $path) = @_;

    my $r = $self->get($path || '/metrics') or return {};
    my %m;
    for (split /\n/, $r->{body}) {
        $m{$1} = $2 if /^([^#\s{]+(?:\{.*\})?) (\S+)$/;
    }
    return \%m;
}

sub spool_dump {
    my ($self, $path, @args) = @_;

    my $tool = $ENV{WACRM_TOOLS} || "$ROOT/build/release/tools";
    open my $fh, '-|', "$tool/spool_dump", @args, $path
        or die "$tool/spool_dump: $!";
    my @records;
    while (<$fh>) {
        chomp;
        push @records, { map { /^([^=]+)=(.*)$/s ? ($1, _unescape($2)) : () }
                         split /\t/ };
    }
    close $fh or die "spool_dump failed: $?";
    return @records;
}

sub _unescape {
    my ($text) = @_;
    $text =~ s/%([0-9a-f]{2})/chr hex $1/gie;
    return $text;
}

# ---- the end ----

sub allow {
    my ($self, @patterns) = @_;
    push @{$self->{allowed}}, @patterns;
    return $self;
}

sub allow_errors { $_[0]{any_error} = 1 }

my $SANITIZER = qr/Sanitizer|runtime error:/;
my $ENDED = qr/exited (?:on signal|with code [1-9]|with fatal code)/;

# Whether a line, of nginx or of wacrmd, was declared.
sub allowed {
    my ($self, $line) = @_;

    return 0 if $line =~ $SANITIZER;
    return 1 if $self->{any_error} && $line !~ $ENDED;
    return scalar grep { $line =~ $_ } @{$self->{allowed}};
}

# Stops nginx, adds the hidden tests and says done_testing().
sub done {
    my ($self) = @_;

    $self->finish;
    Test::More::done_testing();
}

# The same, for a test that has its own plan or further processes.
sub finish {
    my ($self) = @_;

    return if $self->{finished};
    $self->{finished} = 1;
    my $ran = defined $self->{pid};
    my $ended = $self->stop;
    Test::More::ok($ended, 'nginx ended by itself') if $ran;

    my @bad;
    for my $file (glob "$self->{dir}/*.log") {
        open my $fh, '<', $file or next;
        while (my $line = <$fh>) {
            next unless $line =~ /\[(?:alert|emerg|crit)\]|$SANITIZER|$ENDED/;
            push @bad, $line unless $self->allowed($line);
        }
    }
    Test::More::ok(!@bad, 'no alert, Sanitizer line or unexpected end in any log')
        or Test::More::diag(@bad > 10 ? @bad[0 .. 9] : @bad);
}

sub _end {
    my ($self) = @_;

    return if $self->{ended} || $self->{owner} != $$;
    $self->{ended} = 1;
    local ($@, $?, $!);
    $self->finish;
    remove_tree($self->{dir})
        if Test::More->builder->is_passing && !$ENV{WACRM_KEEP};
}

sub DESTROY {
    my ($self) = @_;
    $self->_end if ${^GLOBAL_PHASE} ne 'DESTRUCT';
}

END {
    $_->_end for grep { defined } @objects;
}

1;
