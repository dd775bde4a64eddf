#!/usr/bin/env perl
# What conf/grafana and conf/prometheus ask for is served by the two halves:
# each metric, each label, each label's value; each alert has its row in
# docs/operations.md. Every metric tells its HELP and TYPE.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use Wacrm::Desk;

sub bytes {
    my ($path) = @_;
    open my $fh, '<', $path or die "$path: $!";
    local $/;
    return scalar <$fh>;
}

# ---- what is asked for ----

my $board = eval { JSON::PP->new->decode(bytes('conf/grafana/wacrm.json')) };
ok($board, 'the dashboard is JSON') or BAIL_OUT($@);
my @panels = grep { $_->{type} ne 'row' } @{$board->{panels}};
cmp_ok(scalar @panels, '>', 20, 'with its panels');
my %ids = map { $_->{id} => 1 } @{$board->{panels}};
is(scalar keys %ids, scalar @{$board->{panels}}, 'each with an id of its own');
is(scalar(grep { !$_->{title} || !@{$_->{targets}} } @panels), 0,
    'a title and a query');
my @asked = map { ["panel $_->{title}", map { $_->{expr} } @{$_->{targets}}] }
    @panels;
push @asked, map { ["annotation $_->{name}", $_->{expr}] }
    @{$board->{annotations}{list}};

my $rules = do {
    open my $fh, '-|', 'node', '--input-type=module', '-e', q{
        import { createRequire } from 'node:module';
        import { readFileSync } from 'node:fs';
        const yaml = createRequire(process.cwd() + '/t/node/x.js')('yaml');
        console.log(JSON.stringify(yaml.parse(
            readFileSync('conf/prometheus/wacrm.rules.yml', 'utf8'))));
    } or die "node: $!";
    local $/;
    JSON::PP->new->decode(scalar <$fh>);
};
my @alerts = map { @{$_->{rules}} } @{$rules->{groups}};
cmp_ok(scalar @alerts, '>', 20, 'alerts');
my %names = map { $_->{alert} => 1 } @alerts;
is(scalar keys %names, scalar @alerts, 'each with a name of its own');
for (@alerts) {
    push @asked, ["alert $_->{alert}", $_->{expr}];
    like($_->{labels}{severity}, qr/^(?:warning|critical)\z/,
        "$_->{alert}: a severity");
    like($_->{annotations}{summary}, qr/\w+ .*\.\z/, 'a sentence');
}

# Neither promtool nor Grafana is here: brackets and quotes at least agree.
for (@asked) {
    my ($what, @exprs) = @$_;
    for my $expr (@exprs) {
        (my $bare = $expr) =~ s/"[^"]*"//g;
        1 while $bare =~ s/\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]//;
        unlike($bare, qr/[(){}\[\]"]/, "$what: brackets");
    }
}

# ---- what is served ----

my $d = Wacrm::Desk->new->start;
# something of everything
$d->event('session.connected', { sessionId => 'demo' });
$d->event('message.received', { from => '6281210000007', pushName => 'Siti',
    message => 'Halo', id => 'BOARD1', timestamp => time });
$d->webhook('[]');
ok($d->applied, 'events');
my $token = $d->login('cs1@test.example');
$d->api(GET => '/api/crm/inbox', token => $token);
$d->api(GET => '/api/crm/nothing', token => $token);
$d->change("UPDATE sessions SET wanted = 1, status = 'disconnected',"
    . ' down_since = 1');
$d->change("INSERT INTO backfills (session_id, state, deep, requested_at,"
    . " updated_at) SELECT id, 'failed', 0, 1, 1 FROM sessions WHERE true ON"
    . " CONFLICT (session_id) DO UPDATE SET state = 'failed'");
my %text = (edge => $d->{nginx}->get('/metrics')->{body},
    daemon => $d->{nginx}->get('/metrics/wacrmd')->{body});

my (%served, %labels);
for my $half (sort keys %text) {
    my (%help, %type, %seen);
    for (split /\n/, $text{$half}) {
        if (/^# HELP (\w+) (\S.*)/) {
            ok(!$help{$1}++, "$half: $1 has one HELP");
        } elsif (/^# TYPE (\w+) (counter|gauge|histogram)\z/) {
            ok(!$type{$1}, "and one TYPE");
            $type{$1} = $2;
        } elsif (/^(\w+)(?:\{(.*)\})? (?:-?[\d.]+(?:e[+-]?\d+)?|NaN)\z/) {
            my ($name, $in) = ($1, $2);
            (my $base = $name) =~ s/_(?:bucket|sum|count)\z//;
            $base = $name unless ($type{$base} || '') eq 'histogram';
            $seen{$base} = 1;
            $served{$name} = 1;
            push @{$labels{$name}{$1}}, $2
                while defined $in && $in =~ /(\w+)="((?:[^"\\]|\\.)*)"/g;
        } else {
            fail("$half: a line of Prometheus: $_");
        }
    }
    is(join(' ', grep { !$help{$_} || !$type{$_} } sort keys %seen), '',
        "$half: every metric has HELP and TYPE");
    is(join(' ', grep { /_total\z/ xor $type{$_} eq 'counter' }
        sort keys %type), '', "$half: counters, and nothing else, are _total");
}
for (qw(wacrm_build_info wacrm_start_time_seconds wacrm_memory_bytes
        wacrm_dead_letters wacrm_alarms wacrm_backup_time_seconds)) {
    ok($served{$_}, "$_ is served");
}

# of the scraper, not of ours
my %scrapers = map { $_ => 1 } qw(job instance le);
for (@asked) {
    my ($what, @exprs) = @$_;
    for my $expr (@exprs) {
        my @metrics = $expr =~ /\b(wacrm_\w+)/g;
        is(join(' ', grep { !$served{$_} } @metrics), '',
            "$what: its metrics are served");
        while ($expr =~ /\b(wacrm_\w+)\{([^}]*)\}/g) {
            my ($metric, $in) = ($1, $2);
            while ($in =~ /(\w+)(=~?)"([^"]*)"/g) {
                my ($label, $is, $value) = ($1, $2, $3);
                next if $scrapers{$label};
                for my $one ($is eq '=' ? $value : split /\|/, $value) {
                    next if $metric eq 'wacrm_http_requests_total'
                        && $one eq '5xx';    # there was none, and that is good
                    ok(scalar(grep { /^(?:$one)\z/ }
                        @{$labels{$metric}{$label} || []}),
                        "$what: $metric has $label=$one");
                }
            }
        }
        my ($by) = $expr =~ /\bby \(([^)]*)\)/;
        for my $label (grep { !$scrapers{$_} } split /, */, $by || '') {
            ok(scalar(grep { $labels{$_}{$label} } @metrics),
                "$what: there is a label $label");
        }
    }
}

# ---- what to do ----

my $manual = bytes('docs/operations.md');
for (sort keys %names) {
    ok($manual =~ /^\| [^\n]*`$_`[^\n]*\|[^\n|]{10,}\|\s*$/m,
        "$_: what to do is told");
}
is(join(' ', grep { !$names{$_} } $manual =~ /`(Wacrm[A-Z]\w+)`/g), '',
    'and of no other alert');
my $states = bytes('daemon/alarm_state.c');
my ($table) = $states =~ /names\[ALARM_END\] = \{(.*?)\};/s;
ok($manual =~ /`$_`/, "the web hook's $_: told, too")
    for $table =~ /"(\w+)"/g;

# each metric that the manual names
is(join(' ', grep { !$served{$_} } grep { !/_$/ && !/^wacrm_(?:spool|webhook|jwt|rate)\w*$/ || /_total$|_records$|_bytes$/ }
    $manual =~ /`(wacrm_\w+)(?:\{[^`]*\})?`/g), '',
    'the metrics of the manual are served');

$d->done;
