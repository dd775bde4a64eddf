package Wacrm::Desk;

=head1 NAME

Wacrm::Desk - the whole house for one test: simulator, wacrmd, nginx

=head1 SYNOPSIS

    use Test::More;
    use lib 't/lib';
    use Wacrm::Desk;

    my $d = Wacrm::Desk->new->start;
    my $token = $d->login('admin@test.example');

    $d->sim('/_sim/webhook', { count => 3 });
    $d->wait_for(sub { $d->sql('SELECT count(*) FROM messages') == 3 });
    my $r = $d->api(GET => '/api/crm/inbox', token => $token);
    is($r->{status}, 200);
    is(@{$r->{json}{conversations}}, 3);

    $d->done;

=head1 DESCRIPTION

nginx runs the project's own conf/nginx.conf, wacrmd its conf/wacrmd.conf, with
paths and ports of the test's directory put in; new(nginx => sub { edits $_ },
wacrmd => sub { edits $_ }) changes more; outbox_at_once(gap => '0ms', backoff =>,
timeout =>, welcome => 'off') is such an edit: messages go out without a pace.
Programs come from $WACRM_BUILD
(build/release).

new() makes the agents admin@, supervisor@, cs1@ and cs2@test.example with the
password "rahasia-sekali" (agents => 0: none); donors => CSV text is imported;
web => DIR is served instead of web/dist; wacrmd_env => {NAME => value} is its
environment (t/fault's libraries).

start() starts all three; wacrmd_start, wacrmd_stop($signal), wacrmd_kill,
sim_start, sim_stop one of them; nginx is $d->{nginx}, a Wacrm::Nginx.

api($method => $path, token =>, json =>, headers => {}) and sim($path, $json)
return {status, headers, body, json}; sql($query) the first column of the first
row in scalar context, a list of rows (array references) otherwise; change($sql)
writes; hold() takes the right to write from wacrmd, until let_go() of what it
returned; ctl([args], $stdin) (exit code, output). event($name => {data}) posts a
signed event of the seed's shape and returns the status; sound() asserts what
holds in the database whatever has happened; applied() waits until
wacrmd has taken all that the spool holds; calls(%query) are those that the
simulator got. allow(qr/../) and allow_errors() declare lines in the logs of all
three which done() otherwise counts as failures: error lines of wacrmd, and what
Wacrm::Nginx looks for.

=cut

use strict;
use warnings;
no warnings "exec";

use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

use Wacrm::File;
use Wacrm::Nginx;

our $PASSWORD = 'rahasia-sekali';
our $GATEWAY_PASSWORD = 'gateway-password-of-the-test';
our $APP_SECRET = 'realtime-secret-of-the-test-0001';

my $ROOT = $Wacrm::Nginx::ROOT;
# canonical: a request that is sent again has the same bytes
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub new {
    my ($class, %opt) = @_;

    my $build = $ENV{WACRM_BUILD} || "$ROOT/build/release";
    my $self = bless {
        build => $build, agents => 1, donors => undef,
        session => 'demo', sim_args => [], wacrmd_env => {},
        web => "$ROOT/web/dist", %opt,
    }, $class;
    my $edit = delete $self->{nginx};
    $self->{nginx} = Wacrm::Nginx->new(%{$opt{nginx_options} || {}});
    $self->{dir} = $self->{nginx}->dir;
    $self->{db} ||= "$self->{dir}/wacrm.db";
    $self->{sim_port} = Wacrm::Nginx::free_port();

    my $n = $self->{nginx};
    $n->write('secrets/webhook', 'webhook-secret-of-the-test-00001');
    $n->write('secrets/jwt', 'jwt-secret-of-the-test-0000000001');
    $n->write('secrets/gateway-password', $GATEWAY_PASSWORD);
    $n->write('secrets/realtime', $APP_SECRET);
    $n->conf($self->_nginx_conf($edit));
    $n->write('wacrmd.conf', $self->_wacrmd_conf);
    $self->_fill;

    return $self;
}

sub _paths {
    my ($self, $text) = @_;

    my $dir = $self->{dir};
    $text =~ s{/usr/local/share/wacrm/web}{$self->{web}}g;
    $text =~ s{/etc/wacrm/secrets}{$dir/secrets}g;
    $text =~ s{(?:/var/lib|/etc|/var/log|/run)/wacrm}{$dir}g;
    return $text;
}

sub _nginx_conf {
    my ($self, $edit) = @_;

    local $_ = $self->_paths(slurp("$ROOT/conf/nginx.conf"));
    # the harness writes what stands before http {} itself
    s/\A.*?^http \{/%%FRAME%%\nthread_pool default threads=1;\nhttp {/ms;
    s/^    access_log off;/    access_log off;\n    lingering_close off;/m;
    s/^http \{/http {
    client_body_temp_path %%DIR%%\/tmp\/body;
    proxy_temp_path %%DIR%%\/tmp\/proxy;
    fastcgi_temp_path %%DIR%%\/tmp\/fastcgi;
    scgi_temp_path %%DIR%%\/tmp\/scgi;
    uwsgi_temp_path %%DIR%%\/tmp\/uwsgi;/m;
    s/listen 80;/listen 127.0.0.1:%%PORT%%;/;
    $edit->() if $edit;
    return $_;
}

sub _wacrmd_conf {
    my ($self) = @_;

    local $_ = $self->_paths(slurp("$ROOT/conf/wacrmd.conf"));
    s{^base_url *=.*}{base_url = http://127.0.0.1:$self->{sim_port}/api/v1}m;
    s{^[;#]* *default_session *=.*}{default_session = $self->{session}}m;
    s{^;(email|password_file|secret_file) *=}{$1 =}mg;
    s{^[;#]* *group *=.*}{}m;
    # a test counts what the simulator gets: nobody asks it unbidden
    s{^[;#]* *session_poll *=.*}{session_poll = 0s}m;
    s{^[;#]* *log_level *=.*}{log_level = debug}m;
    $self->{wacrmd}->() if $self->{wacrmd};
    return $_;
}

sub outbox_at_once {
    my %o = (gap => '0ms', welcome => 'off', @_);

    s/^per_minute = 30/per_minute = 0/m or die 'no per_minute';
    s/^first_per_minute = 5/first_per_minute = 0/m or die 'no first';
    s/^gap = 1s/gap = $o{gap}/m or die 'no gap';
    s/^welcome = on/welcome = $o{welcome}/m or die 'no welcome';
    s/^timeout = 30s/timeout = $o{timeout}/m or die 'no timeout'
        if $o{timeout};
    s/^backoff = .*/backoff = $o{backoff}/m or die 'no backoff'
        if $o{backoff};
}

sub _fill {
    my ($self) = @_;

    if ($self->{agents}) {
        for (['admin', 'admin'], ['supervisor', 'supervisor'],
             ['cs', 'cs1'], ['cs', 'cs2']) {
            my ($role, $who) = @$_;
            my ($rc, $out) = $self->ctl(['user', 'add', '--role', $role,
                '--name', ucfirst $who, "$who\@test.example"],
                "$PASSWORD\n");
            die "user add: $out" if $rc;
        }
    }
    if (defined $self->{donors}) {
        my ($rc, $out) = $self->ctl(['import', '-'], $self->{donors});
        die "import: $out" if $rc;
    }
}

# ---- running ----

sub start {
    my ($self) = @_;

    $self->sim_start;
    $self->wacrmd_start;
    $self->{nginx}->start;
    return $self;
}

sub _spawn {
    my ($self, $log, @cmd) = @_;

    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    @ENV{keys %{$self->{wacrmd_env}}} = values %{$self->{wacrmd_env}}
        if $log eq 'wacrmd.log';
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$self->{dir}/$log";
    open STDERR, '>>', "$self->{dir}/$log";
    $SIG{PIPE} = 'DEFAULT';
    exec { $cmd[0] } @cmd;
    print STDERR "$cmd[0]: $!\n";
    POSIX::_exit(127);
}

sub sim_start {
    my ($self) = @_;

    $self->{sim} = $self->_spawn('simulator.log', '/usr/bin/env', 'node',
        "$ROOT/scripts/simulator", '--port', $self->{sim_port},
        '--secret-file', "$self->{dir}/secrets/webhook",
        '--session', $self->{session}, '--retry-ms', '200,400,800',
        '--webhook', 'http://127.0.0.1:' . $self->{nginx}->port
        . '/api/webhook/whatsapp', @{$self->{sim_args}});
    $self->wait_for(sub { $self->{nginx}->read('simulator.log')
        =~ /^listening/m }) or die 'the simulator did not start: '
        . $self->{nginx}->read('simulator.log');
}

sub sim_stop {
    my ($self) = @_;

    my $pid = delete $self->{sim} or return;
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

# Does not wait; may be called by a signal handler.
sub wacrmd_spawn {
    my ($self) = @_;

    $self->{wacrmd_pid} = $self->_spawn('wacrmd.log',
        "$self->{build}/wacrmd", '-c', "$self->{dir}/wacrmd.conf");
}

sub wacrmd_start {
    my ($self) = @_;

    my $mark = length $self->log;
    $self->wacrmd_spawn;
    my $socket = "$self->{dir}/http.sock";
    $self->wait_for(sub {
        return 1 if waitpid($self->{wacrmd_pid}, WNOHANG) > 0;
        substr($self->log, $mark) =~ /msg="?ready/;
    }, 30);
    die 'wacrmd did not start: ' . substr($self->log, $mark)
        unless kill 0, $self->{wacrmd_pid};
    return $self;
}

# true if it ended with 0
sub wacrmd_stop {
    my ($self, $signal) = @_;

    my $pid = delete $self->{wacrmd_pid} or return 1;
    kill $signal || 'TERM', $pid;
    my $end = time + 60;
    while (time < $end) {
        return $? == 0 if waitpid($pid, WNOHANG) > 0;
        sleep 0.01;
    }
    Test::More::diag('wacrmd does not stop');
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 0;
}

sub wacrmd_kill {
    my ($self) = @_;

    my $pid = delete $self->{wacrmd_pid} or return;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub wacrmd_pid { $_[0]{wacrmd_pid} }
sub log { $_[0]{nginx}->read('wacrmd.log') }
sub allow { $_[0]{nginx}->allow($_[1]) }
sub allow_errors { $_[0]{nginx}->allow_errors }

sub wait_for {
    my ($self, @args) = @_;
    return $self->{nginx}->wait_for(@args);
}

sub within {
    my ($self, @args) = @_;
    return $self->{nginx}->within(@args);
}

# ---- talking ----

sub _json {
    my ($r) = @_;

    return { status => 0, headers => {}, body => '' } unless $r;
    $r->{json} = eval { $json->decode($r->{body}) };
    return $r;
}

sub api {
    my ($self, $method, $path, %opt) = @_;

    my %headers = %{$opt{headers} || {}};
    my $body = $opt{body};
    $headers{Authorization} = "Bearer $opt{token}" if defined $opt{token};
    if (exists $opt{json}) {
        $body = $json->encode($opt{json});
        $headers{'Content-Type'} ||= 'application/json';
    }
    $body = '' if !defined $body && $method ne 'GET';
    return _json($self->{nginx}->request($method, $path,
        headers => \%headers, defined $body ? (body => $body) : ()));
}

# the access token
sub login {
    my ($self, $email) = @_;

    my $r = $self->api(POST => '/api/auth/login',
        json => { email => $email, password => $PASSWORD });
    die "login of $email: $r->{status} $r->{body}"
        unless $r->{json} && $r->{json}{token};
    return $r->{json}{token};
}

sub sim {
    my ($self, $path, $data) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{sim_port}, Proto => 'tcp')
        or die "simulator: $!";
    my $body = defined $data ? $json->encode($data) : '';
    print {$s} defined $data ? "POST" : "GET", " $path HTTP/1.0\r\n",
        "Host: sim\r\nContent-Type: application/json\r\nContent-Length: ",
        length $body, "\r\n\r\n", $body;
    local $/;
    my $answer = <$s>;
    my ($head, $text) = split /\r\n\r\n/, defined $answer ? $answer : '', 2;
    my ($status) = ($head || '') =~ m{^HTTP/\S+ (\d+)};
    return { status => $status || 0, body => $text,
        json => eval { $json->decode($text) } };
}

# Posts a signed body to the webhook.
sub webhook {
    my ($self, $body, %headers) = @_;

    $body = $json->encode($body) if ref $body;
    return _json($self->{nginx}->post('/api/webhook/whatsapp', $body,
        'Content-Type' => 'application/json',
        $self->{nginx}->waapi($body, 'webhook-secret-of-the-test-00001'),
        %headers));
}

sub sql {
    my ($self, $query) = @_;

    open my $fh, '-|', 'sqlite3', '-batch', '-readonly', '-separator', "\x1f",
        '-newline', "\x1e", '-cmd', '.timeout 30000',
        $self->{db}, $query or die "sqlite3: $!";
    local $/;
    my $out = <$fh>;
    close $fh or die "sqlite3 failed: $query";
    my @rows = map { [split /\x1f/, $_, -1] }
        split /\x1e/, defined $out ? $out : '';
    return wantarray ? @rows : @rows ? $rows[0][0] : undef;
}

# Changes the database beside wacrmd.
sub change {
    my ($self, $statement) = @_;

    system('sqlite3', '-batch', '-cmd', '.timeout 30000',
        $self->{db}, $statement) == 0 or die "sqlite3: $?";
}

# -bail: what follows a BEGIN that was refused would say that it holds.
sub hold {
    my ($self) = @_;

    my $held = "$self->{dir}/held";
    unlink $held;
    open my $sqlite, '|-', 'sqlite3', '-batch', '-bail', '-cmd',
        '.timeout 30000', $self->{db} or die "sqlite3: $!";
    $sqlite->autoflush(1);
    print {$sqlite} "BEGIN IMMEDIATE;\n.system touch $held\n";
    $self->wait_for(sub { -e $held }) or die 'the database is not held';
    return $sqlite;
}

sub let_go {
    my ($self, $sqlite) = @_;

    # not only EOF: a process forked meanwhile has the pipe as well
    print {$sqlite} "ROLLBACK;\n.quit\n";
    close $sqlite or die "sqlite3: $?";
}

sub event {
    my ($self, $name, $data) = @_;
    return $self->webhook({ event => $name, data => $data })->{status};
}

sub applied {
    my ($self, $seconds) = @_;

    return $self->wait_for(sub {
        my $records = $self->{nginx}->metrics('/metrics/wacrmd')
            ->{wacrm_spool_records};
        defined $records && $records == 0;
    }, $seconds || 20);
}

sub calls {
    my ($self, %query) = @_;

    my $q = join '&', map { "$_=$query{$_}" } sort keys %query;
    return @{$self->sim("/_sim/calls?$q")->{json}{calls}};
}

# Each query finds what must not be.
my %never = (
    'a chat whose count of failed sends is wrong' => 'SELECT c.id FROM chats c'
        . ' WHERE c.failed <> (SELECT count(*) FROM messages m WHERE'
        . ' m.chat_id = c.id AND m.direction = 1 AND m.status IN (1, 6))',
    'a chat that opens nothing though something was said' => 'SELECT c.id FROM'
        . ' chats c WHERE c.live = 0 AND EXISTS (SELECT 1 FROM messages m'
        . ' WHERE m.chat_id = c.id AND (m.direction = 0 OR m.status BETWEEN 2'
        . ' AND 5))',
    'a chat with another last message' => 'SELECT c.id FROM chats c WHERE'
        . ' c.last_message_id IS NOT (SELECT id FROM messages m WHERE'
        . ' m.chat_id = c.id AND m.status < 7 ORDER BY ts DESC, id DESC'
        . ' LIMIT 1)',
    'a scheduled message and its delivery that disagree' => 'SELECT o.id FROM'
        . ' outbox o JOIN messages m ON m.id = o.message_id WHERE (o.state ='
        . ' 7) <> (m.status = 7)',
    'a cancelled message that may leave' => 'SELECT m.id FROM messages m JOIN'
        . ' outbox o ON o.message_id = m.id WHERE m.status = 8',
    'a scheduled message that nothing sends' => 'SELECT m.id FROM messages m'
        . ' WHERE m.status = 7 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE'
        . ' o.message_id = m.id)',
    'a chat with more unread than was received' => 'SELECT c.id FROM chats c'
        . ' WHERE c.unread > (SELECT count(*) FROM messages m WHERE'
        . ' m.chat_id = c.id AND m.direction = 0)',
    'a message of no chat, or of one in another session' => 'SELECT m.id FROM'
        . ' messages m LEFT JOIN chats c ON c.id = m.chat_id'
        . ' WHERE c.session_id IS NOT m.session_id',
    'a delivery to no chat' => 'SELECT id FROM outbox WHERE state < 4 AND'
        . ' chat_id NOT IN (SELECT id FROM chats)',
    'a delivery and its message that disagree' => 'SELECT o.id FROM outbox o'
        . ' JOIN messages m ON m.id = o.message_id WHERE (o.state = 4) <>'
        . ' (m.status BETWEEN 2 AND 5) AND m.status <> 6',
    'a gap in the events' => 'SELECT 1 FROM (SELECT count(*) AS n, max(seq) -'
        . ' min(seq) + 1 AS span FROM events) WHERE n <> span',
    'a counter that is not the last event' => "SELECT 1 FROM counters WHERE"
        . " name = 'event_seq' AND value <> (SELECT coalesce(max(seq), value)"
        . ' FROM events)',
    'a contact without a name' => "SELECT id FROM contacts WHERE name = ''",
    'a reference to nothing' => 'PRAGMA foreign_key_check',
);

sub sound {
    my ($self) = @_;

    Test::More::is($self->sql('PRAGMA integrity_check'), 'ok',
        'the database is sound');
    my @bad = map { my @rows = $self->sql($never{$_});
        @rows ? "$_: " . join ' ', map { "@$_" } @rows : () }
        sort keys %never;
    Test::More::is(join("\n", @bad), '', 'and agrees with itself');
}

# (exit code, output of both streams)
sub ctl {
    my ($self, $args, $stdin) = @_;

    my $in = $self->{nginx}->write('ctl.in', defined $stdin ? $stdin : '');
    my $out = "$self->{dir}/ctl.out";
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', $in;
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        exec "$self->{build}/wacrmctl", '-c', "$self->{dir}/wacrmd.conf",
            @$args;
        POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, $self->{nginx}->read('ctl.out'));
}

# ---- the end ----

sub done {
    my ($self) = @_;

    Test::More::ok($self->wacrmd_stop, 'wacrmd stops cleanly');
    $self->sim_stop;
    my @bad = grep {
        my $line = $_;
        $line =~ /^\S+ error |Sanitizer|runtime error:/
            && !$self->{nginx}->allowed($line)
    } split /\n/, $self->log;
    Test::More::is(join("\n", @bad), '', 'no errors in the log of wacrmd');
    $self->{nginx}->done;
}

sub DESTROY {
    my ($self) = @_;

    return if !$self->{nginx} || $self->{nginx}{owner} != $$;
    local $?;
    $self->wacrmd_kill;
    $self->sim_stop;
}

1;
