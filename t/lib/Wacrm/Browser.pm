package Wacrm::Browser;

=head1 NAME

Wacrm::Browser - programs of t/web, which drive a browser at a Wacrm::Desk

=head1 SYNOPSIS

    use Wacrm::Browser;

    my $d = Wacrm::Browser::desk(donors => $csv)->start;
    Wacrm::Browser::run($d, 'flows.mjs');
    $d->done;

=head1 DESCRIPTION

desk() makes a Wacrm::Desk of the built desk (web/dist) whose limits a quick
hand does not meet; demo_day(), one with the people of ./scripts/run and a day of
theirs, and with more donations (lines of the import), if given. run() is Wacrm::Node::run for t/web; its programs may
ask('kill') and ask('start') wacrmd, ask('sql', $query), ask('change', $sql)
and ask('applied').

=cut

use strict;
use warnings;

use Test::More ();

use Wacrm::Desk;
use Wacrm::Node;

sub desk {
    my (%opt) = @_;

    my $root = $Wacrm::Nginx::ROOT;
    Test::More::BAIL_OUT('the desk is not built: make web')
        unless -e "$root/web/dist/index.html";
    my ($nginx, $wacrmd) = delete @opt{qw(nginx wacrmd)};
    my $d = Wacrm::Desk->new(
        nginx => sub {
            s/(zone=(?:send|upload|login):1m +rate)=\d+r/$1=6000r/g == 3
                or die 'no rates';
            $nginx->() if $nginx;
        },
        wacrmd => sub {
            Wacrm::Desk::outbox_at_once(gap => '0s');
            $wacrmd->() if $wacrmd;
        }, %opt);
    $ENV{WACRM_PUBLIC_URL} = 'http://127.0.0.1:' . $d->{nginx}->port;
    return $d;
}

sub demo_day {
    my ($more) = @_;

    my $root = $Wacrm::Nginx::ROOT;
    my $d = desk(agents => 0, sim_args => ['--demo']);
    open my $agents, '<', "$root/scripts/demo/agents" or die $!;
    while (<$agents>) {
        my ($role, $mail, $name) = /^(\w+)\|(\S+)\|(.+)$/ or next;
        my ($rc, $out) = $d->ctl(['user', 'add', '--role', $role, '--name',
            $name, $mail], "$Wacrm::Desk::PASSWORD\n");
        Test::More::is($rc, 0, "the agent $mail") or Test::More::diag($out);
    }
    my ($rc, $out) = $d->ctl(['import', '-'],
        scalar(`$root/scripts/demo/donations`) . ($more || ''));
    Test::More::is($rc, 0, 'the donors') or Test::More::diag($out);
    $d->start;
    $d->sim('/_sim/config', { demo => { quiet => \1 }, scanMs => undef });
    open my $day, '|-', "$root/scripts/demo/day",
        'http://127.0.0.1:' . $d->{nginx}->port,
        "http://127.0.0.1:$d->{sim_port}" or die $!;
    print {$day} "$Wacrm::Desk::PASSWORD\n";
    Test::More::ok(close $day, 'the day');
    Test::More::ok($d->applied, 'is applied');
    return $d;
}

sub run {
    my ($d, $program, %more) = @_;

    Wacrm::Node::run($d, $program, dir => 't/web',
        slow => $ENV{WACRM_SANITIZED} ? 1 : 0,
        commands => {
            kill => sub { $d->wacrmd_kill; 1 },
            start => sub { $d->wacrmd_start; 1 },
            sql => sub { [$d->sql($_[0])] },
            change => sub { $d->change($_[0]); 1 },
            # nobody looks at what it gives
            applied => sub {
                $d->applied(60)
                    or Test::More::fail('what has come is applied');
                1;
            },
            %{delete $more{commands} || {}},
        }, %more);
}

1;
