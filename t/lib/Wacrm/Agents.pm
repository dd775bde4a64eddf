package Wacrm::Agents;

=head1 NAME

Wacrm::Agents - requests in the name of the agents of a Wacrm::Desk

=head1 SYNOPSIS

    use Wacrm::Agents;

    my ($d, $token, $user) = apart(wacrmd => sub { edits $_ });
    my $r = request($d, $token->{cs1}, GET => '/api/crm/inbox');
    my $j = made(note => request($d, $token->{cs1},
        POST => "/api/crm/contacts/$phone/notes", { note => 'x' }));
    $j = expect($d, $token->{cs2}, GET => '/api/crm/audit', undef, 403,
        'not for a CS');

=head1 DESCRIPTION

request($desk, $token, $method, $path, $json, %headers) returns what api() of
Wacrm::Desk does; $json undef: no body. expect($desk, $token, $method, $path,
$json, $status, $what, %headers) asserts the status and returns the JSON;
made($what, $answer) returns it, too, and ends the whole test where the answer
is a refusal: for what the test is to be about.

apart(%options of a Wacrm::Desk) starts a desk on which two agents have a number
each, cs1 "satu" and cs2 "dua", and neither sees what is the other's; it returns
the desk, the tokens of admin, cs1 and cs2, and the ids of all users, both by
what stands before the @.

=cut

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

use Wacrm::Desk;

our @EXPORT = qw(apart expect made request);

sub request {
    my ($d, $token, $method, $path, $json, %headers) = @_;

    return $d->api($method => $path, token => $token, headers => \%headers,
        defined $json ? (json => $json) : ());
}

sub expect {
    my ($d, $token, $method, $path, $json, $status, $what, %headers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r = request($d, $token, $method, $path, $json, %headers);
    Test::More::is($r->{status}, $status, $what)
        or Test::More::diag($r->{body});
    return $r->{json};
}

sub made {
    my ($what, $r) = @_;

    Test::More::BAIL_OUT("$what: $r->{status} $r->{body}")
        if $r->{status} >= 300;
    return $r->{json};
}

sub apart {
    my (%opt) = @_;

    my $edit = delete $opt{wacrmd} || sub { };
    my $d = Wacrm::Desk->new(
        session => 'satu',
        nginx => sub { s/(zone=send:1m +rate)=30r/$1=6000r/ or die 'no zone' },
        wacrmd => sub {
            s/^(default_session *=.*)/$1\ndefault_everyone = off/m
                or die 'no default session';
            s{^;public_url *=.*}{public_url = https://crm.test.example}m;
            $edit->();
        },
        %opt)->start;
    my %token = map { $_ => $d->login("$_\@test.example") }
        qw(admin cs1 cs2);
    my %user = map { $_->[0] => $_->[1] + 0 } $d->sql(
        "SELECT substr(email, 1, instr(email, '\@') - 1), id FROM users");
    made(owner => request($d, $token{admin},
        PATCH => '/api/crm/whatsapp/sessions/satu',
        { user_id => $user{cs1} }));
    made(other => request($d, $token{cs2},
        POST => '/api/crm/whatsapp/sessions', { session_name => 'dua' }));
    return ($d, \%token, \%user);
}

1;
