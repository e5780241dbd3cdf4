package Conflict::Many;

# Many requests on persistent connections: the next one is sent on a connection
# as soon as the previous one was answered.
#
#   my $n = 0;
#   many(16, sub { $n++ < 1000 ? { method => 'GET', uri => "/$n" } : undef },
#            sub { my ($request, $r) = @_; ... });
#
# A request may have headers => [], a body, and abort => 1: then its connection
# is reset once it was sent, and no response is reported.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use Conflict;

use base 'Exporter';

our @EXPORT = qw(many reset_connection);


sub many {
    my ($connections, $next, $done) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $select = IO::Select->new;
    my (%of, @free);

    @free = (undef) x $connections;

    for ( ;; ) {
        while (@free) {
            my $s = shift @free;
            my $request = $next->();

            unless ($request) {
                $s->close if $s;
                @free = ();
                last;
            }

            $s ||= connection();
            print $s text($request);
            $s->flush;

            if ($request->{abort}) {
                reset_connection($s);
                push @free, undef;
                next;
            }

            $of{$s} = { request => $request, data => '' };
            $select->add($s);
        }

        last unless $select->count;

        my @ready = $select->can_read(30);

        die $select->count . ' requests are not answered' unless @ready;

        for my $s (@ready) {
            my $at = $of{$s};
            my $n = sysread $s, $at->{data}, 65536, length $at->{data};
            my $whole = whole($at->{data});

            next if $n && !$whole;

            $select->remove($s);
            delete $of{$s};

            my $r = Conflict::parse($at->{data}, $at->{request}{method});

            if (!$whole || lc(header($r, 'Connection') // '') eq 'close') {
                $s->close;
                $s = undef;
            }

            push @free, $s;
            $done->($at->{request}, $r);
        }
    }
}


sub connection {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port(),
                                 Proto => 'tcp')
           || die "cannot connect to nginx: $!";
}


sub text {
    my ($request) = @_;

    my $body = $request->{body} // '';

    return join "\r\n", "$request->{method} $request->{uri} HTTP/1.1",
                'Host: localhost', @{ $request->{headers} || [] },
                (length $body ? ('Content-Type: application/json',
                                 'Content-Length: ' . length $body) : ()),
                '', $body;
}


# is the response complete?

sub whole {
    my ($data) = @_;

    my ($head, $body) = split /\r\n\r\n/, $data, 2;

    return 0 unless defined $body;
    return $body =~ /(?:\A|\r\n)0\r\n\r\n\z/
        if $head =~ /^Transfer-Encoding: chunked/mi;
    return 1 unless $head =~ /^Content-Length: (\d+)/mi;
    return length $body >= $1;
}


# resets the connection, discarding unread data

sub reset_connection {
    my ($s) = @_;

    setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
    close $s;
}

1;
