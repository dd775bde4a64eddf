package Wacrm::Node;

=head1 NAME

Wacrm::Node - programs of t/node against a running Wacrm::Desk

=head1 SYNOPSIS

    use Wacrm::Desk;
    use Wacrm::Node;

    my $d = Wacrm::Desk->new->start;
    Wacrm::Node::run($d, 'dropin.mjs', phase => 'away');
    $d->done;

    Wacrm::Node::program('jwt.mjs', secret => $file);

=head1 DESCRIPTION

run() starts t/node/PROGRAM under Node.js and gives it, as JSON in $WACRM_TEST,
where nginx and the simulator listen, the agents' password, and what else was
passed; program() is for those that need no Desk. The program prints plain TAP;
each of its lines becomes a test here, its end without a plan or with a signal
a failure. npm's packages come from t/node/node_modules, which scripts/test fills; dir => 't/web' is another place.

commands => { name => sub { ... } }: what the program may ask of the harness
("! name [JSON of the arguments]" on its standard output); what the sub returns
goes, as a line of JSON, to its standard input.

=cut

use strict;
use warnings;

use IPC::Open2;
use JSON::PP ();
use Test::More ();

use Wacrm::Desk;

my $json = JSON::PP->new->canonical->allow_nonref;

sub run {
    my ($desk, $program, %more) = @_;

    program($program,
        origin => 'http://127.0.0.1:' . $desk->{nginx}->port,
        sim => "http://127.0.0.1:$desk->{sim_port}",
        password => $Wacrm::Desk::PASSWORD, root => $Wacrm::Nginx::ROOT,
        session => $desk->{session}, %more);
}

sub program {
    my ($program, %given) = @_;

    my $dir = "$Wacrm::Nginx::ROOT/" . (delete $given{dir} || 't/node');
    my $commands = delete $given{commands} || {};
    -d "$dir/node_modules" or die "no packages in $dir/node_modules:"
        . " run scripts/test once, or npm ci there\n";
    local $ENV{WACRM_TEST} = $json->encode(\%given);
    # a mirror or proxy of the machine is none of ours
    local @ENV{qw(http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy)};
    delete @ENV{qw(http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy)};
    my $pid = open2(my $out, my $in, 'node', "$dir/$program");
    my ($seen, $failed, $plan) = (0, 0);
    while (my $line = <$out>) {
        chomp $line;
        if ($line =~ /^(not )?ok \d+(?: - (.*))?$/) {
            my ($bad, $name) = ($1, $2);
            $seen++;
            $failed = $bad;
            Test::More::ok(!$bad, $name);
        } elsif ($line =~ /^1\.\.(\d+)$/) {
            $plan = $1;
        } elsif ($line =~ /^! (\w+) (\[.*\])$/ && $commands->{$1}) {
            my $got = $commands->{$1}->(@{$json->decode($2)});
            print {$in} $json->encode($got), "\n";
            $in->flush;
        } else {
            $line =~ s/^# ?//;
            $failed ? Test::More::diag($line) : Test::More::note($line);
        }
    }
    close $in;
    waitpid $pid, 0;
    Test::More::is($?, 0, "$program ended by itself");
    Test::More::is($seen, $plan, "$program ran all of its tests");
}

1;
