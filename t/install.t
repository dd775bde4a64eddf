#!/usr/bin/env perl
# `make install` into an empty root: what lies where, whose it is, what the
# units may do; wacrm-setup makes users, directories, configuration, secrets,
# and leaves alone what is there; `make uninstall` keeps the data.

use strict;
use warnings;

use Cwd qw(getcwd);
use File::Temp ();
use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $src = $Wacrm::Nginx::ROOT;
my $root = File::Temp->newdir('wacrm-install-XXXXXX', TMPDIR => 1);
chmod 0755, $root;

# (status, output)
sub run {
    my (@cmd) = @_;
    open my $fh, '-|', 'sh', '-c', 'exec 2>&1; exec "$@"', 'sh', @cmd
        or die "$cmd[0]: $!";
    local $/;
    my $out = <$fh>;
    close $fh;
    return ($? >> 8, defined $out ? $out : '');
}

sub bytes {
    my ($path) = @_;
    open my $fh, '<', "$root/$path" or return undef;
    local $/;
    return scalar <$fh>;
}

sub mode {
    my @s = stat "$root/$_[0]";
    return @s ? sprintf '%04o', $s[2] & 07777 : 'none';
}

my ($rc, $out) = run('make', '-s', '-C', $src, 'install', "DESTDIR=$root");
is($rc, 0, 'make install') or BAIL_OUT($out);
like($out, qr{then, as root: /usr/local/sbin/wacrm-setup}, 'tells the rest');

my %files = (
    (map { ("usr/local/sbin/$_" => '0755') }
        qw(wacrmd wacrmctl wacrm-backup wacrm-setup)),
    (map { ("usr/local/lib/systemd/system/$_" => '0644') }
        qw(wacrmd.service wacrm-backup.service wacrm-backup.timer)),
    (map { ("usr/local/share/wacrm/$_" => '0644') }
        qw(wacrm.sysusers wacrm.tmpfiles wacrm.logrotate example/nginx.conf
           example/nginx-tls.conf example/nginx-redirect.conf
           example/wacrmd.conf)),
    'usr/lib/nginx/modules/ngx_wacrm_module.so' => '0644',
    'usr/local/share/doc/wacrm/operations.md' => '0644',
);
is(mode($_), $files{$_}, $_) for sort keys %files;
is(mode('usr/local/share/wacrm/web/index.html'), '0644', 'the desk')
    if -e "$src/web/dist/index.html";
ok(!-e "$root/etc", 'nothing in /etc yet');

# ---- the units ----

# verify looks for the programs: here they lie below the root
my $units = File::Temp->newdir;
for my $unit (qw(wacrmd.service wacrm-backup.service wacrm-backup.timer)) {
    my $text = bytes("usr/local/lib/systemd/system/$unit");
    $text =~ s{/usr/local/}{$root/usr/local/}g;
    open my $fh, '>', "$units/$unit" or die $!;
    print {$fh} $text;
    close $fh;
}
($rc, $out) = run('env', "SYSTEMD_UNIT_PATH=$units:", 'systemd-analyze',
    'verify', '--man=no', glob "$units/*");
# of other packages' units there may be complaints
$out = join "\n", grep { /wacrm/ } split /\n/, $out;
is($out, '', 'systemd-analyze verify');

my %most = ('wacrmd.service' => 18, 'wacrm-backup.service' => 8);
for my $unit (sort keys %most) {
    ($rc, $out) = run('systemd-analyze', 'security', '--offline=yes',
        "--threshold=$most{$unit}", "$units/$unit");
    is($rc, 0, "$unit: exposed by no more than $most{$unit} of 100")
        or diag $out;
}
($rc, $out) = run('systemd-analyze', 'calendar', map { /OnCalendar=(.*)/ }
    bytes('usr/local/lib/systemd/system/wacrm-backup.timer'));
like($out, qr/Normalized form: \*-\*-\* 02:30:00/, 'the timer: daily');

{
    my $unit = bytes('usr/local/lib/systemd/system/wacrmd.service');
    my ($head) = $unit =~ /\A(\[Unit\].*?)^\[/ms;
    like($head, qr/^StartLimitIntervalSec=0$/m,
        'wacrmd.service: systemd never gives up');
    like($unit, qr/^Restart=on-failure\nRestartSec=2$/m, 'after a fault');
    like($unit, qr/^$_$/m, "it has $_") for 'ProtectSystem=strict',
        'NoNewPrivileges=yes', 'CapabilityBoundingSet=',
        "SystemCallFilter=\@system-service\n"
        . 'SystemCallFilter=~@privileged @resources',
        'ReadWritePaths=/var/lib/wacrm -/var/backups/wacrm';
}

# ---- another prefix ----

{
    my $other = File::Temp->newdir;
    chmod 0755, $other;
    my @where = ("DESTDIR=$other", 'PREFIX=/usr', 'MODULES=/opt/modules',
        'datadir=/opt/data');
    ($rc, $out) = run('make', '-s', '-C', $src, 'install', @where);
    is($rc, 0, "@where[1, 2, 3]") or diag $out;
    unlike($out, qr/module has changed/, 'the first module');
    open my $fh, '<', "$other/usr/lib/systemd/system/wacrmd.service" or die $!;
    like(join('', <$fh>), qr{^ExecStart=/usr/sbin/wacrmd }m, 'the unit follows');
    open $fh, '<', "$other/opt/data/wacrm/example/nginx.conf" or die $!;
    my $conf = join '', <$fh>;
    like($conf, qr{^load_module /opt/modules/ngx_wacrm}m, 'so do the module');
    like($conf, qr{root /opt/data/wacrm/web;}, 'and the desk');
    SKIP: {
        skip 'wacrm-setup wants root', 1 if $>;
        mkdir "$other/$_" for qw(etc var);
        ($rc, $out) = run("$other/usr/sbin/wacrm-setup", $other);
        is($rc, 0, 'its wacrm-setup finds what it needs') or diag $out;
        ok(-s "$other/etc/nginx/wacrm/nginx.conf", 'and has set it up');
    }

    # an update
    my $module = "$other/opt/modules/ngx_wacrm_module.so";
    ($rc, $out) = run('make', '-s', '-C', $src, 'install', @where);
    is($rc, 0, 'once more') or diag $out;
    unlike($out, qr/module has changed/, 'the same module: nothing to tell');
    open $fh, '>>', $module or die $!;
    print {$fh} 'an older one';
    close $fh;
    ($rc, $out) = run('make', '-s', '-C', $src, 'install', @where);
    like($out, qr/the module has changed.*systemctl restart nginx/s,
        'another one wants a restart of nginx');
    is((run('cmp', "$src/build/module/ngx_wacrm_module.so", $module))[0], 0,
        'and is there');
    ($rc, $out) = run('make', '-s', '-C', $src, 'uninstall', @where);
    is($rc, 0, 'and away again') or diag $out;
    is(join(' ', grep { -e } $module, "$other/usr/sbin/wacrmd",
        "$other/opt/data/wacrm"), '', 'all of it');
}

# ---- wacrm-setup ----

my $setup = "$root/usr/local/sbin/wacrm-setup";
SKIP: {
    skip 'wacrm-setup wants root', 1 if $>;

    mkdir "$root/etc";
    mkdir "$root/var";
    ($rc, $out) = run($setup, $root);
    is($rc, 0, 'wacrm-setup') or diag $out;
    like($out, qr/systemctl enable --now wacrm-backup\.timer/,
        'tells how backups begin');
    my ($uid, $gid) = bytes('etc/passwd') =~ /^wacrm:[^:]*:(\d+):(\d+):/m;
    ok($uid && $uid < 1000 && $gid, 'a system user wacrm');
    like(bytes('etc/passwd'), qr{^wacrm:.*:/var/lib/wacrm:/usr/sbin/nologin$}m,
        'that nobody signs in as');
    like(bytes('etc/group'), qr/^wacrm:[^:]*:$gid:(?:.*,)?www-data(?:,|$)/m,
        'www-data is in its group');

    my $www = 33;
    my %dirs = (
        'var/lib/wacrm' => ['2770', $uid, $gid],
        'var/lib/wacrm-acme' => ['0755', 0, 0],
        'var/backups/wacrm' => ['0700', $uid, $gid],
        'var/log/wacrm' => ['0750', 0, $www],
        'etc/wacrm' => ['0750', 0, $gid],
        'etc/wacrm/secrets' => ['0750', 0, $gid],
        'etc/wacrm/tls' => ['0700', 0, 0],
        'etc/wacrm/wacrmd.conf' => ['0640', 0, $gid],
        (map { ("etc/wacrm/secrets/$_" => ['0640', 0, $gid]) }
            qw(jwt webhook realtime)),
        'etc/nginx/wacrm/nginx.conf' => ['0644', 0, 0],
        'etc/nginx/wacrm/nginx-tls.conf' => ['0644', 0, 0],
    );
    for (sort keys %dirs) {
        is_deeply([mode($_), (stat "$root/$_")[4, 5]], $dirs{$_},
            "$_: @{$dirs{$_}}");
    }
    my %secret = map { ($_ => bytes("etc/wacrm/secrets/$_")) }
        qw(jwt webhook realtime);
    is(scalar(grep { !/^[0-9a-f]{64}\n\z/ } values %secret), 0,
        'secrets of 32 bytes');
    my %different = reverse %secret;
    is(scalar keys %different, 3, 'each its own');
    unlike($out, qr/[0-9a-f]{16}/, 'that are not told');

    # the second time
    my $conf = bytes('etc/wacrm/wacrmd.conf') . "# ours\n";
    open my $fh, '>', "$root/etc/wacrm/wacrmd.conf" or die $!;
    print {$fh} $conf;
    close $fh;
    chmod 0777, "$root/var/lib/wacrm";
    ($rc, $out) = run($setup, $root);
    is($rc, 0, 'wacrm-setup again') or diag $out;
    unlike($out, qr/made/, 'makes nothing');
    is(bytes('etc/wacrm/wacrmd.conf'), $conf, 'the configuration stays');
    is(bytes("etc/wacrm/secrets/$_"), $secret{$_}, "so does $_")
        for sort keys %secret;
    is(mode('var/lib/wacrm'), '2770', 'a mode is mended');

    # what is installed starts with what was made: paths aside
    my $moved = $conf;
    $moved =~ s{/(var/lib|etc)/wacrm}{$root/$1/wacrm}g;
    open $fh, '>', "$root/wacrmd.conf" or die $!;
    print {$fh} $moved;
    close $fh;
    ($rc, $out) = run("$root/usr/local/sbin/wacrmd", '-t', '-c',
        "$root/wacrmd.conf");
    is($rc, 0, 'wacrmd takes the configuration') or diag $out;
    my $nginx = bytes('etc/nginx/wacrm/nginx.conf');
    $nginx =~ s{/(var/lib|etc|var/log)/wacrm}{$root/$1/wacrm}g;
    $nginx =~ s{/usr/(local/share|lib/nginx/modules)}{$root/usr/$1}g;
    $nginx =~ s{listen 80;}{listen unix:$root/nginx.sock;};
    $nginx =~ s{^pid .*}{pid $root/nginx.pid;}m;
    my $tls = bytes('etc/nginx/wacrm/nginx-redirect.conf');
    ok($tls, 'the redirect for HTTPS');
    open $fh, '>', "$root/nginx.conf" or die $!;
    print {$fh} $nginx;
    close $fh;
    # the soft limit of Debian's nginx.service
    ($rc, $out) = run('sh', '-c',
        "ulimit -Sn 1024; exec nginx -t -c $root/nginx.conf");
    is($rc, 0, 'nginx takes its own') or diag $out;
    unlike($out, qr/exceed/, 'and may open as many files as it has clients');
    ok(!-e "$root/var/lib/wacrm/spool", 'and has made no spool by it');

    # ---- backups ----

    my $dir = "$root/var/backups/wacrm";
    system('chown', '-R', "$uid:$gid", "$root/var/lib/wacrm");
    my $own = "$root/wacrmd.conf";
    chmod 0755, $root;
    chown $uid, $gid, $own;
    for my $old (1 .. 4) {
        open my $o, '>', sprintf '%s/wacrm-2020010%dT000000.db', $dir, $old;
        close $o;
    }
    open my $other, '>', "$dir/notes.txt";
    close $other;
    ($rc, $out) = run('env', 'KEEP=3', 'setpriv', "--reuid=$uid",
        "--regid=$gid", '--clear-groups', "$root/usr/local/sbin/wacrm-backup",
        $own, $dir);
    is($rc, 0, 'wacrm-backup, wacrmd being down') or diag $out;
    my @kept = map { m{([^/]+)\z} } sort glob "$dir/*";
    is(scalar @kept, 4, 'KEEP=3, and what is none of ours') or diag "@kept";
    is_deeply([@kept[0, 1, 2]], ['notes.txt', 'wacrm-20200103T000000.db',
        'wacrm-20200104T000000.db'], 'the oldest are gone');
    my $new = "$dir/$kept[3]";
    is(sprintf('%04o', (stat $new)[2] & 077), '0000',
        'nobody else reads the new one');
    is((run('sqlite3', $new, 'PRAGMA integrity_check'))[1], "ok\n", 'sound');
    ($rc, $out) = run('env', 'KEEP=3', 'setpriv', "--reuid=$uid",
        "--regid=$gid", '--clear-groups', "$root/usr/local/sbin/wacrm-backup",
        $own, "$dir/none");
    isnt($rc, 0, 'a backup that fails says so');
    is(scalar(my @still = glob "$dir/wacrm-*"), 3, 'and deletes nothing');
    # ---- on an empty machine ----

    rename "$root/var/lib/wacrm", "$root/var/lost" or die $!;
    is((run($setup, $root))[0], 0, 'the state is lost, and set up again');
    my @as = ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups',
        "$root/usr/local/sbin/wacrmctl", '-c', $own);
    ($rc, $out) = run(@as, 'restore', $new);
    is($rc, 0, 'restore') or diag $out;
    ($rc, $out) = run(@as, 'check');
    is($rc, 0, 'it is whole') or diag $out;
    is(mode('var/lib/wacrm'), '2770', 'in a directory of both');

    is((run('env', 'KEEP=x', "$root/usr/local/sbin/wacrm-backup", $own,
        $dir))[0], 2, 'KEEP=x');
}

# ---- uninstall ----

# As on the machine itself, that is without DESTDIR, but in this place: not
# while systemd runs it, nor while nginx loads the module.
{
    mkdir "$root/stub";
    open my $fh, '>', "$root/stub/systemctl" or die $!;
    print {$fh} "#!/bin/sh\n[ \$1 = daemon-reload ] || test -e"
        . " $root/stub/enabled\n";
    close $fh;
    chmod 0755, "$root/stub/systemctl";
}
my @uninstall = ('env', "PATH=$root/stub:$ENV{PATH}", 'make', '-s', '-C', $src,
    'uninstall', "PREFIX=$root/usr/local", "MODULES=$root/usr/lib/nginx/modules",
    "NGINX=$root/nginx");
sub there { scalar grep { -e "$root/$_" } keys %files }
sub put {
    my ($name, $text) = @_;
    open my $fh, '>', "$root/$name" or die "$name: $!";
    print {$fh} $text;
    close $fh;
}
mkdir "$root/$_" for qw(nginx nginx/wacrm nginx/modules-enabled);
my $load = "load_module $root/usr/lib/nginx/modules/ngx_wacrm_module.so;\n";
put('nginx/wacrm/nginx.conf', $load);
put('nginx/nginx.conf', "# $load");
put('nginx/nginx.conf.old', $load);
put('stub/enabled', '');
($rc, $out) = run(@uninstall);
isnt($rc, 0, 'make uninstall, wacrmd being enabled, refuses');
like($out, qr/systemctl disable --now wacrmd wacrm-backup\.timer/,
    'and says what to do');
unlink "$root/stub/enabled";
for my $file ('nginx.conf', 'modules-enabled/50-wacrm.conf') {
    put("nginx/$file", $load);
    ($rc, $out) = run(@uninstall);
    isnt($rc, 0, "it refuses while $file loads the module");
    like($out, qr{\Q$root/nginx/$file\E.*nginx -t}s, 'which it names');
    put("nginx/$file", "# $load");
}
is(there(), scalar keys %files, 'nothing is gone so far');
($rc, $out) = run(@uninstall);
is($rc, 0, 'make uninstall') or diag $out;
is(there(), 0, 'all of it is gone');
SKIP: {
    skip 'wacrm-setup wants root', 1 if $>;
    is(scalar(grep { -e "$root/$_" } qw(etc/wacrm/secrets/jwt
        etc/wacrm/wacrmd.conf var/lib/wacrm/wacrm.db)), 3,
        'configuration, secrets and data stay');
}

done_testing;
