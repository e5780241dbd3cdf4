package Conflict::Lock;

# The locks of a resource, whose endpoint is its path and "/lock": the responses
# to POST, GET and DELETE, with the headers of a caller.

use strict;
use warnings;

use Conflict;

use base 'Exporter';

our @EXPORT = qw(lock show unlock token);


sub lock { http('POST', "$_[0]/lock", headers => [@_[1 .. $#_]]) }
sub show { json(http('GET', "$_[0]/lock", headers => [@_[1 .. $#_]])) }
sub unlock { http('DELETE', "$_[0]/lock", headers => [@_[1 .. $#_]]) }


# the header for the lock that a response has granted

sub token { 'Lock-Token: ' . json($_[0])->{lock}{token} }

1;
