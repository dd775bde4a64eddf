#!/usr/bin/perl

# What nginx -t says to mistakes in wacrm_rate_zone and wacrm_rate.

use strict;
use warnings;

use Test::More;
use lib 't/lib';
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;

sub check {
    my ($http, $location) = @_;

    $t->http("$http\nserver {\nlisten 127.0.0.1:%%PORT%%;\nlocation / {\n"
             . "$location\n}\n}");
    return $t->test;
}

my $zone = 'wacrm_rate_zone $uri zone=a:64k rate=30r/m;';

for ([$zone, ''],
     [$zone, 'wacrm_rate zone=a;'],
     [$zone, 'wacrm_rate zone=a dry_run;'],
     [$zone, 'wacrm_rate zone=a message=Later;'],
     [$zone, 'wacrm_rate zone=a message="Later, please, not now." dry_run;'],
     [$zone, 'wacrm_rate dry_run "message=Later, please." zone=a;'],
     [$zone, 'wacrm_rate zone=a message="";', 'the message is empty'],
     [$zone, 'wacrm_rate zone=a message=;', 'invalid parameter "message="'],
     [$zone, 'wacrm_rate zone=a message="Later on;', 'no closing quote'],
     [$zone, 'wacrm_rate zone=a message=Later on;', 'invalid parameter "on"'],
     [$zone, 'wacrm_rate zone=a message=a message=b;', 'invalid parameter'],
     [$zone, "wacrm_rate zone=a \"message=\xff\xfe\";", 'not UTF-8'],
     ['wacrm_rate_zone rate=30r/m zone=a:64k;', '', 'number of arguments'],
     ['wacrm_rate_zone $uri zone=a:64k;', '', 'number of arguments'],
     ['wacrm_rate_zone $uri zone=a:64k burst=3;', '', 'must have'],
     ['wacrm_rate_zone $uri rate=3r/s burst=3;', '', 'must have'],
     ['wacrm_rate_zone $uri zone=a rate=30r/m;', '', 'invalid zone size'],
     ['wacrm_rate_zone $uri zone=a: rate=30r/m;', '', 'invalid zone size'],
     ['wacrm_rate_zone $uri zone=a:big rate=30r/m;', '', 'invalid zone size'],
     ['wacrm_rate_zone $uri zone=:64k rate=30r/m;', '', 'invalid zone size'],
     ['wacrm_rate_zone $uri zone=a:4k rate=30r/m;', '', 'is too small'],
     ['wacrm_rate_zone $uri "zone=a b:64k" rate=30r/m;', '',
      'invalid zone name'],
     ['wacrm_rate_zone $uri zone=a\\"b:64k rate=30r/m;', '',
      'invalid zone name'],
     (map { ["wacrm_rate_zone \$uri zone=a:64k rate=$_;", '', 'invalid rate'] }
      '', '30', 'r/m', '30r', '30r/', '30r/d', '30r/mm', '0r/m', '-1r/m',
      '1.5r/s', '30R/m', '99999999r/s', '18446744073709551617r/s'),
     ['wacrm_rate_zone $uri zone=a:64k rate=30r/m burst=0;', '',
      'invalid parameter "burst=0"'],
     ['wacrm_rate_zone $uri zone=a:64k rate=30r/m burst=-1;', '',
      'invalid parameter "burst=-1"'],
     ['wacrm_rate_zone $uri zone=a:64k rate=30r/m burst=x;', '',
      'invalid parameter "burst=x"'],
     ['wacrm_rate_zone $uri zone=a:64k rate=30r/m burst=99999999;', '',
      'invalid'],
     ['wacrm_rate_zone $uri zone=a:64k rate=30r/m nodelay;', '',
      'invalid parameter "nodelay"'],
     ['wacrm_rate_zone $uri zone=a:64k zone=b:64k rate=30r/m;', '',
      'invalid parameter "zone=b:64k"'],
     ['wacrm_rate_zone $nonesuch zone=a:64k rate=30r/m;', '',
      'unknown "nonesuch" variable', 0],
     ["$zone\n$zone", '', 'is duplicate'],
     ['limit_req_zone $uri zone=a:64k rate=1r/s;' . "\n$zone", '',
      'is already'],
     [$zone, 'wacrm_rate;', 'number of arguments'],
     [$zone, 'wacrm_rate zone=;', 'invalid parameter "zone="'],
     [$zone, 'wacrm_rate dry_run;', 'must have a "zone" parameter'],
     [$zone, 'wacrm_rate zone=b;', 'unknown wacrm_rate_zone "b"'],
     [$zone, 'wacrm_rate zone=a zone=a;', 'invalid parameter'],
     [$zone, 'wacrm_rate zone=a dry_run dry_run;', 'invalid parameter'],
     [$zone, "wacrm_rate zone=a;\nwacrm_rate zone=a;", 'is duplicate'])
{
    my ($http, $location, $want, $line) = @$_;
    my ($ok, $output) = check($http, $location);
    my $name = ($location || $http) =~ s/\n/ /gr;
    $name =~ s/[^ -~]/?/g;

    if (!defined $want) {
        ok($ok, "passes: $name") or diag($output);
        next;
    }
    ok(!$ok && $output =~ /\[emerg\].*\Q$want\E/, "$name: $want")
        or diag($output);
    like($output, qr{nginx\.conf:\d+}, "$name: file and line")
        unless defined $line;
}

# a zone may be defined after its use, and the line is that of the use
$t->http(<<'EOC');
    server {
        listen 127.0.0.1:%%PORT%%;
        wacrm_rate zone=later;
    }
    wacrm_rate_zone $uri zone=later:64k rate=1r/s;
EOC
my ($ok, $output) = $t->test;
ok($ok, 'a zone that is defined below') or diag($output);

$t->http("server {\nlisten 127.0.0.1:%%PORT%%;\nwacrm_rate zone=b;\n}\n");
($ok, $output) = $t->test;
my $n = 1;
for (split /\n/, $t->read('nginx.conf')) {
    last if /wacrm_rate zone=b/;
    $n++;
}
like($output, qr{nginx\.conf:$n\b}, 'an unknown zone: the line of its use');

# what a message in words comes out as
$t->http(<<'EOC');
    wacrm_rate_zone $uri zone=a:64k rate=1r/h;
    server {
        listen 127.0.0.1:%%PORT%%;
        wacrm_rate zone=a message="Too many attempts. Please wait.";
        location / { empty_gif; }
    }
EOC
$t->start;
$t->get('/');
is($t->get('/')->{body}, '{"message":"Too many attempts. Please wait."}',
   'message="in words"');

$t->done;
