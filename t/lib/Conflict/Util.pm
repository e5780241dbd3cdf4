package Conflict::Util;

# Free ports, whole files, and waiting for a condition.

use strict;
use warnings;

use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More ();
use Time::HiRes qw(sleep time);

use base 'Exporter';

our @EXPORT = qw(free_port slurp until_true);


my (%given, $next_port);

# Below the range from which the system takes ports of clients: one of those
# might take it before its server does.  Tests that run at the same time begin
# at different places, and a port is of one of them until that has ended: most
# are not listened on at once.  A name of an abstract socket cannot be taken
# twice, and is free when its process ends.

sub free_port {
    my ($first, $n) = (10000, (slurp('/proc/sys/net/ipv4/ip_local_port_range')
                               =~ /^(\d+)/ ? $1 : 32768) - 10000);

    ($first, $n) = (61000, 4000) if $n < 1000;

    for (1 .. $n) {
        my $port = $first + ($$ * 61 + $next_port++) % $n;

        next if $given{$port};

        my $taken = IO::Socket::UNIX->new(Listen => 1,
                                          Local => "\0conflict-test-$port")
            or next;
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
                                      LocalPort => $port, ReuseAddr => 1)
            or next;
        close $s;

        $given{$port} = $taken;

        return $port;
    }

    die 'no free port';
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;
    my $data = <$in>;

    return defined $data ? $data : '';
}


# waits for a condition, up to some seconds; a wait in vain is a fault of the
# test, unless it has seconds of its own.  The longer it takes, the more rarely
# the condition is tried, since others need the processor.

sub until_true(&;$) {
    my ($code, $seconds) = @_;

    my $start = time();
    my $end = $start + ($seconds || 15);

    while (time() < $end) {
        my $value = $code->();
        return $value if $value;

        my $pause = (time() - $start) / 20;
        sleep($pause < 0.01 ? 0.01 : $pause > 0.1 ? 0.1 : $pause);
    }

    Test::More::diag('waited in vain at ' . join ', ',
                     map { (caller $_)[1] . ':' . (caller $_)[2] } 0 .. 1)
        unless $seconds;

    return 0;
}

1;
