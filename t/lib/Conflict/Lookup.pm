package Conflict::Lookup;

# A write whose version a GET has to determine while others write, so that the
# second GET is made under a lease.

use strict;
use warnings;

use Conflict;

use base 'Exporter';

our @EXPORT = qw(looking_up gets written);


# the write, once the upstream holds its second GET; the outcome of the one
# before it, and of one that has overtaken its first GET, is unknown

sub looking_up {
    my ($method, $path, @with) = @_;

    my @unknown = 'X-Up-Write: apply status=500';
    my %with = (headers => [], @with);

    PUT($path, { n => 'first' }, @unknown);

    my $write = start($method, $path, @with,
                      headers => ['X-Up-Read: hold apply', 'X-Id: write',
                                  @{ $with{headers} }]);
    gets($path, 1);

    PUT($path, { n => 'second' }, @unknown);
    release();

    gets($path, 2);

    return $write;
}


# until the upstream has so many GETs of the write

sub gets {
    my ($path, $n) = @_;

    until_true {
        $n == grep { my %h = map { @$_ } @{ $_->{headers} };
                     $_->{method} eq 'GET' && $_->{target} eq $path
                     && ($h{'x-id'} // '') eq 'write' } seen();
    };
}


# what the upstream has done, by the member "n"

sub written { join ' ', map { json($_)->{n} } journal() }

1;
