package Conflict::Events;

# A client of a change stream.

use strict;
use warnings;

use Conflict;
use Conflict::Util;
use IO::Select;
use JSON::PP;
use Socket;

use base 'Exporter';

our @EXPORT = qw(events_config watch watch_h2 events_of next_event until_event
                 quiet closed poll resources);


# a location that is guarded, its locks and /events; the sections "rules",
# "more" and "events" of a block are put into it

sub events_config {
    my ($block) = @_;

    my $events = $block->events || '';

    $events =~ s/\s+\z//;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict version;\n"
                      . ($block->rules || '') . "proxy_pass http://api; }\n"
                      . ($block->more || '')
                      . "location /free/ { proxy_pass http://api; }\n"
                      . "location ~ ^(?<resource>/.*)/lock\$ {\n"
                      . "conflict_key \$resource;\n"
                      . "conflict_lock idle=10m; }\n"
                      . "location = /events { conflict_events $events; }\n");
}


sub resources { join '&', map { "resource=$_" } @_ }


# opens a stream; the header has been read.  "room": bytes of its socket

sub watch {
    my ($query, %args) = @_;

    my $path = $args{path} || '/events';

    my $w = $args{room} ? narrow("$path?$query", %args)
            : Conflict::start('GET', "$path?$query",
                              headers => $args{headers} || [],
                              $args{port} ? (port => $args{port}) : ());

    $w->{data} = '';
    $w->{text} = '';
    $w->{body} = '';
    $w->{events} = [];

    until_true { read_some($w); $w->{data} =~ /\r\n\r\n/ };

    ($w->{head}) = $w->{data} =~ /\A(.*?\r\n)\r\n/s;
    $w->{data} =~ s/\A.*?\r\n\r\n//s if defined $w->{head};
    ($w->{status}) = ($w->{head} // '') =~ /\AHTTP\S+ (\d+)/;

    return $w;
}


# the body of a stream by HTTP/2, from curl

sub watch_h2 {
    my ($port, $query, @headers) = @_;

    my $pid = open my $out, '-|', 'curl', '-sN', '--http2-prior-knowledge',
                   (map { ('-H', $_) } @headers),
                   "http://127.0.0.1:$port/events?$query"
        or die "curl: $!";

    return { socket => $out, pid => $pid, plain => 1, data => '', text => '',
             events => [] };
}


sub narrow {
    my ($target, %args) = @_;

    socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, $args{room} or die $!;
    connect $s, pack_sockaddr_in($args{port}, inet_aton('127.0.0.1'))
        or die "connect: $!";
    syswrite $s, "GET $target HTTP/1.1\r\nHost: localhost\r\n\r\n";

    return { socket => $s };
}


sub read_some {
    my ($w) = @_;

    return if $w->{closed};

    while (IO::Select->new($w->{socket})->can_read(0)) {
        my $n = sysread $w->{socket}, $w->{data}, 65536, length $w->{data};

        if (!$n) {
            $w->{closed} = 1;
            last;
        }
    }
}


# the events that have arrived and were not taken yet

sub events_of {
    my ($w) = @_;

    read_some($w);

    if ($w->{plain}) {
        $w->{text} .= $w->{data};
        $w->{data} = '';
    }

    # chunks; the last one is empty

    while ($w->{data} =~ /\A([0-9a-f]+)\r\n/i) {
        my $size = hex $1;
        my $start = length($1) + 2;

        last if length($w->{data}) < $start + $size + 2;

        $w->{whole} = 1 if $size == 0;
        $w->{text} .= substr $w->{data}, $start, $size;
        substr $w->{data}, 0, $start + $size + 2, '';
    }

    while ($w->{text} =~ s/\A(.*?)\n\n//s) {
        my %e;

        $w->{body} .= "$1\n\n";

        for my $line (split /\n/, $1) {
            $w->{beats}++ if $line =~ /^:/;
            my ($name, $value) = $line =~ /^([a-z]+): ?(.*)/ or next;
            $e{$name} = $value;
        }

        $w->{id} = $e{id} if defined $e{id};
        $w->{retry} = $e{retry} if defined $e{retry};

        if (defined $e{event}) {
            my $data = JSON::PP->new->decode($e{data});
            push @{ $w->{events} }, { %$data, event => $e{event} };
        }
    }

    return $w->{events};
}


sub next_event {
    my ($w) = @_;

    until_true { events_of($w); @{ $w->{events} } || $w->{closed} };

    return shift(@{ $w->{events} }) || { event => 'none' };
}


# takes events until one of this name, of this resource if that is given

sub until_event {
    my ($w, $name, $resource) = @_;
    my $found;

    until_true {
        events_of($w);

        while (my $e = shift @{ $w->{events} }) {
            next if $e->{event} ne $name;
            next if defined $resource && $e->{resource} ne $resource;
            $found = $e;
            last;
        }

        $found || $w->{closed};
    };

    return $found || { event => 'none' };
}


sub closed {
    my ($w) = @_;

    return until_true { events_of($w); $w->{closed} };
}


sub poll {
    my ($query, @headers) = @_;

    return Conflict::GET("/events?poll=1&$query", @headers);
}

1;
