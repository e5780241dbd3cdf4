package Conflict::Util;

# Free ports, whole files, and waiting for a condition.

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use base 'Exporter';

our @EXPORT = qw(free_port slurp until_true);


my %given;

sub free_port {
    for (1 .. 100) {
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
                                      LocalPort => 0, ReuseAddr => 1)
            or die "no free port: $!";
        my $port = $s->sockport;
        close $s;

        return $port unless $given{$port}++;
    }
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;
    my $data = <$in>;

    return defined $data ? $data : '';
}


# waits for a condition, up to some seconds

sub until_true(&;$) {
    my ($code, $seconds) = @_;

    my $end = time() + ($seconds || 15);

    while (time() < $end) {
        my $value = $code->();
        return $value if $value;
        sleep 0.01;
    }

    return 0;
}

1;
