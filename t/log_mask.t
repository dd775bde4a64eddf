#!/usr/bin/perl

# wacrm_log_mask: what the error log tells of a request, on, off and by default.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;
my $away = Wacrm::Nginx::deaf_port();

sub servers {
    return join "\n", map { <<"EOT" } @_;
server {
    listen 127.0.0.1:%%PORT%%;
    server_name $_->[0];
    $_->[1]
    location / {
        proxy_pass http://127.0.0.1:$away;
    }
    location /sub {
        mirror "/copy/081234567890/0812 3456\xc2\xa07890/12 34 56";
        empty_gif;
    }
}
EOT
}

# The line that a request leaves.
sub line {
    my ($host, $path, $status) = @_;
    my $before = length $t->log;
    is($t->get($path, Host => $host, Referer => 'http://desk/?q=kartini')
        ->{status}, $status || 502, "$host " . substr $path, 0, 40);
    # that of a subrequest comes after the answer
    $t->wait_for(sub { substr($t->log, $before) =~ /while connecting.*\n/ });
    my ($line) = grep { /while connecting/ } split /\n/, substr $t->log,
        $before;
    return $line =~ s/.*, client: [\d.]+, //r;
}

$t->http(servers(['plain', ''], ['off', 'wacrm_log_mask off;'],
    ['on', 'wacrm_log_mask on;']));
$t->allow(qr/while connecting to upstream/);
$t->start;

my $path = '/c/6281234567890/x?q=kartini';
for my $host (qw(plain off)) {
    is(line($host, $path), "server: $host, request: \"GET $path HTTP/1.1\","
        . " upstream: \"http://127.0.0.1:$away$path\", host: \"$host\","
        . ' referrer: "http://desk/?q=kartini"', 'all of it is told');
}
for (['/c/6281234567890/x?q=kartini', '/c/**********890/x'],
        ['/6281234567890', '/**********890'], ['/123456', '/123456'],
        ['/1234567', '/****567'], ['/a-12/b-34/c-56/7', '/a-12/b-34/c-56/7'],
        ['/%2B62-812-3456-7890?', '/%2B**-***-****-*890'],
        # as encodeURIComponent() writes what a person typed
        ['/0812%2D3456%2D7890/x', '/****%2D****%2D*890/x'],
        ['/%2b62%20812%C2%A03456%E2%80%917890',
            '/%2b**%20***%C2%A0****%E2%80%91*890'],
        ['/(0812)34567890', '/(****)*****890'],
        ['/%28021%29%20345%2E6789', '/%28***%29%20***%2E*789'],
        ['/08%3123%34567', '/******567'], ['/%20%2D123456', '/%20%2D123456'],
        ['/12a%203456', '/12a%203456'],
        ['/', '/'], ['/?', '/'], ['/1?6281234567890', '/1'],
        ['/' . '9' x 3000, '/' . '*' x 1700]) {
    my ($asked, $told) = @$_;
    my $line = line('on', $asked);
    if (length $asked > 1000) {
        # a line of nginx's has 2048 bytes
        like($line, qr{^server: on, request: "GET /\*{1700}\**$},
            'a long path ends with the line');
        next;
    }
    is($line, "server: on, request: \"GET $told HTTP/1.1\","
        . " upstream: \"http://127.0.0.1:$away\", host: \"on\"", $told);
}
is(line('on', '/sub', 200), 'server: on, request: "GET /sub HTTP/1.1",'
    . " subrequest: \"/copy/*********890/**** ****\xc2\xa0*890/12 34 56\","
    . " upstream: \"http://127.0.0.1:$away\","
    . ' host: "on"', 'a subrequest, too');

my ($ok, $out) = do {
    $t->http('wacrm_log_mask maybe; server { listen 127.0.0.1:%%PORT%%; }');
    $t->test;
};
ok(!$ok, 'neither on nor off');
like($out, qr/invalid value "maybe" in "wacrm_log_mask" directive/, 'told');

$t->done;
