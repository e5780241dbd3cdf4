package Conflict::List;

# Lists whose items get versions, with "*" of conflict_inject.

use strict;
use warnings;

use Conflict;

use base 'Exporter';

our @EXPORT = qw(versions listed held_list);


# the versions of the items, by id

sub versions {
    my ($r) = @_;

    return { map { ($_->{id} => $_->{version}) } @{ json($r)->{data} } };
}


# the versions, once all of these items have one, and keep it: with Redis an
# entry that has just been made is as one that was just written

sub listed {
    my ($path, @ids) = @_;

    my ($found, $before);

    until_true {
        $before = $found || {};
        $found = versions(GET($path));
        !grep { !$found->{$_} || $found->{$_} ne ($before->{$_} // '') } @ids;
    };

    return $found;
}


# a request for a list that the upstream has made up, but not sent

sub held_list {
    my ($path, @headers) = @_;

    my $n = grep { $_->{target} eq $path } seen();

    my $l = start('GET', $path,
                  headers => [@headers, 'X-Up-Read: apply hold hold']);

    until_true { $n < grep { $_->{target} eq $path } seen() };

    return $l;
}


1;
