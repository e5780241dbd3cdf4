package Conflict::Status;

# The counters, from "location = /status { conflict_status json; }".

use strict;
use warnings;

use Conflict;

use base 'Exporter';

our @EXPORT = qw(status route sum stale);


sub status { json(http('GET', '/status')) }


# the route of a location, once the condition holds for it

sub route {
    my ($location, $condition) = @_;
    my $route;

    until_true {
        ($route) = grep { $_->{location} eq $location } @{ status()->{routes} };
        $route && (!$condition || $condition->($route));
    };

    return $route;
}


sub sum { my $n = 0; $n += $_ for @_; $n }


# a write that passes, and so many stale ones with the same base

sub stale {
    my ($path, $times, @headers) = @_;

    set_doc($path, { title => 'a', done => 1 });
    my $v = version(GET($path));

    PUT($path, { title => 'b', done => 1, base_version => $v });
    PUT($path, { title => "c$_", done => 1, base_version => $v }, @headers)
        for 1 .. $times;
}

1;
