#!/usr/bin/perl

# Every mistake of the spool and webhook directives is told by nginx -t, with
# file and line.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Wacrm::Nginx;

my $t = Wacrm::Nginx->new;

$t->write('secret', 'a secret of enough bytes');
$t->write('short', "fifteen  bytes.\n");
$t->write('empty', '');
POSIX::mkfifo($t->path('fifo'), 0600) or die;
$t->write('default', 'secret');
$t->write('base64', "not base64 at all, really\n");
$t->write('file', 'x');

my $spool = 'wacrm_spool %%DIR%%/spool;';
my $sig = 'wacrm_webhook_signature waapi;';
my $key = 'wacrm_webhook_secret_file %%DIR%%/secret;';
my $hook = "wacrm_webhook demo; $sig $key";

sub check {
    my ($http, $location, $server) = @_;

    $server = '' unless defined $server;
    $t->http("$http\nserver { listen 127.0.0.1:%%PORT%%; $server\n"
             . "location / { $location\n} }");
    return $t->test;
}

sub good {
    my ($name, @args) = @_;
    my ($ok, $out) = check(@args);
    ok($ok, "good: $name") or diag($out);
}

sub bad {
    my ($name, $re, @args) = @_;
    my ($ok, $out) = check(@args);
    ok(!$ok, "bad: $name");
    like($out, $re, "told: $name");
    like($out, qr/\[emerg\].* in \S+nginx\.conf:\d+/, "place: $name");
}

good('the usual', $spool, $hook);
good('inherited from http', "$spool $sig $key", 'wacrm_webhook demo;');
good('inherited from the server', $spool, 'wacrm_webhook demo;',
     "$sig $key");
good('overridden', "$spool $sig $key",
     "wacrm_webhook demo; wacrm_webhook_signature hub256;");
good('two secrets', $spool, "wacrm_webhook demo; $sig wacrm_webhook_secret_file"
     . " %%DIR%%/secret %%DIR%%/secret;");
good('none', $spool,
     'wacrm_webhook demo; wacrm_webhook_signature none allow_unsigned;');
good('spool options',
     'wacrm_spool %%DIR%%/spool size=64m notify=unix:%%DIR%%/n.sock;', $hook);
good('no revocations', 'wacrm_spool %%DIR%%/spool size=64m '
     . 'notify=unix:%%DIR%%/n.sock revocations=off;', $hook);
bad('revocations', qr/invalid parameter "revocations=no"/,
    'wacrm_spool %%DIR%%/spool revocations=no;', $hook);
good('relative spool', 'wacrm_spool spool;', $hook);
good('batch', "$spool wacrm_webhook_batch max=10 bytes=1m queue=100;", $hook);
good('source', $spool, "wacrm_webhook a-B_9.x; $sig $key");
good('spool alone', $spool, 'wacrm_health;');
good('no spool, health', '', 'wacrm_health;');
good('metrics', '', 'wacrm_metrics;');
good('verify token', $spool,
     "$hook wacrm_webhook_verify_token_file %%DIR%%/secret;");
good('if', $spool, "$hook if (\$arg_x) { return 403; }");
good('several locations', $spool, $hook,
     "location /b { wacrm_webhook other; $sig $key }");

bad('unknown preset', qr/wabot/, $spool,
    "wacrm_webhook demo; wacrm_webhook_signature wabot; $key");
bad('unknown option', qr/colour/, $spool,
    "wacrm_webhook demo; wacrm_webhook_signature waapi colour=red; $key");
bad('option without value', qr/invalid parameter "header"/, $spool,
    "wacrm_webhook demo; wacrm_webhook_signature waapi header; $key");
bad('bad value', qr/md5|digest/, $spool,
    "wacrm_webhook demo; wacrm_webhook_signature waapi digest=md5; $key");
bad('unfinished scheme', qr/nginx\.conf/, $spool,
    "wacrm_webhook demo; wacrm_webhook_signature custom; $key");
bad('no signature', qr/needs a "wacrm_webhook_signature"/, $spool,
    "wacrm_webhook demo; $key");
bad('no secret', qr/needs a "wacrm_webhook_secret_file"/, $spool,
    "wacrm_webhook demo; $sig");
bad('no spool', qr/needs a "wacrm_spool"/, '', $hook);
bad('none without consent', qr/allow_unsigned/, $spool,
    'wacrm_webhook demo; wacrm_webhook_signature none;');
bad('consent without none', qr/allow_unsigned/, $spool,
    "wacrm_webhook demo; wacrm_webhook_signature waapi allow_unsigned; $key");
bad('short secret', qr/shorter than 16/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%/short;");
$SIG{ALRM} = sub { die "nginx -t waits for a FIFO\n" };
alarm 20;
bad('secret in a FIFO', qr/is not a file/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%/fifo;");
alarm 0;
bad('empty secret', qr/shorter than 16/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%/empty;");
bad('default secret', qr/shorter than 16/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%/default;");
bad('one of two secrets short', qr/shorter than 16/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%/secret "
    . '%%DIR%%/short;');
bad('undecodable secret', qr/secret 1 of/, $spool,
    'wacrm_webhook demo; wacrm_webhook_signature standard; '
    . 'wacrm_webhook_secret_file %%DIR%%/base64;');
bad('missing secret file', qr/No such file/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%/nowhere;");
bad('directory for a secret', qr/not a file/, $spool,
    "wacrm_webhook demo; $sig wacrm_webhook_secret_file %%DIR%%;");
bad('short verify token', qr/shorter than 16/, $spool,
    "$hook wacrm_webhook_verify_token_file %%DIR%%/short;");
bad('empty source', qr/invalid source/, $spool, "wacrm_webhook ''; $sig $key");
bad('source with a slash', qr/invalid source/, $spool,
    "wacrm_webhook a/b; $sig $key");
bad('long source', qr/invalid source/, $spool,
    'wacrm_webhook ' . ('a' x 65) . "; $sig $key");
bad('two handlers', qr/another handler/, $spool,
    "wacrm_health; $hook");
bad('two handlers, health last', qr/another handler/, $spool,
    "$hook wacrm_health;");
bad('two handlers, of another module', qr/another handler/, $spool,
    "$hook proxy_pass http://127.0.0.1:1;");
bad('media type', qr/invalid media type/, $spool,
    "$hook wacrm_webhook_content_type json;");
bad('webhook in the server', qr/not allowed here/, $spool, '', $hook);
bad('batch in a location', qr/not allowed here/, $spool,
    "$hook wacrm_webhook_batch max=1;");

bad("batch $_", qr/invalid parameter "\Q$_\E"/,
    "$spool wacrm_webhook_batch $_;", $hook)
    for qw(max=0 max=x queue=0 queue=-1 bytes=1 bytes=1x size=3 max);

bad("spool size $_", qr/invalid spool size/, "wacrm_spool %%DIR%%/spool "
    . "size=$_;", $hook) for qw(0 -1 x 100k 2000g);
bad('spool notify', qr/invalid or too long notify/,
    'wacrm_spool %%DIR%%/spool notify=unix:;', $hook);
bad('spool notify, long', qr/invalid or too long notify/,
    'wacrm_spool %%DIR%%/spool notify=unix:/' . ('a' x 200) . ';', $hook);
bad('spool parameter', qr/invalid parameter "sync=off"/,
    'wacrm_spool %%DIR%%/spool sync=off;', $hook);
bad('spool is a file', qr/not a directory/, 'wacrm_spool %%DIR%%/file;',
    $hook);
bad('spool in a server', qr/not allowed here/, $spool, $hook,
    'wacrm_spool %%DIR%%/spool2;');

bad("twice: $_->[0]", qr/is duplicate/, @$_[1 .. $#$_]) for
    ['spool', "$spool $spool", $hook],
    ['webhook', $spool, "$hook wacrm_webhook demo;"],
    ['signature', $spool, "$hook $sig"],
    ['secrets', $spool, "$hook $key"],
    ['types', $spool, "$hook " . 'wacrm_webhook_content_type a/b; ' x 2],
    ['verify token', $spool,
     "$hook " . 'wacrm_webhook_verify_token_file %%DIR%%/secret; ' x 2],
    ['batch', $spool . 'wacrm_webhook_batch max=1; ' x 2, $hook],
    ['health', '', 'wacrm_health; wacrm_health;'],
    ['metrics', '', 'wacrm_metrics; wacrm_metrics;'];

ok(!-e $t->path('spool'), 'nothing was made');

$t->conf("%%FRAME%%\n");
my ($ok, $out) = $t->test;
ok($ok, 'no http block') or diag($out);
$t->start;
ok(scalar $t->workers, 'and it runs');

$t->done;
