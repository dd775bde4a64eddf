package Wacrm::Bench::Memory;

# What is in memory after load.

use strict;
use warnings;

use Wacrm::Bench;

# After intake at full speed with wacrmd behind it, inboxes and sign-ins.
sub run {
    my ($d, @pool) = full_desk();
    my $token = $d->login('cs1@test.example');
    my $url = 'http://127.0.0.1:' . $d->{nginx}->port;

    for my $round (1 .. 3) {
        wrk($url, 256, @pool);
        wrk("$url/api/crm/inbox", 64, "$ROOT/t/bench/get.lua", $token);
        $d->login("cs$_\@test.example") for 1, 2;
    }
    $d->wait_for(sub { drained($d) }, 120);
    my $memory = memory_of($d);
    shut($d);
    return (memory_mb => sprintf('%.1f', $memory));
}

1;
