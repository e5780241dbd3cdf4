package Conflict::Versions;

# The versions of a resource, whose endpoint is its path and "/versions": the
# configuration of a block, the list, and the body of a version.

use strict;
use warnings;

use Conflict;

use base 'Exporter';

our @EXPORT = qw(configure ann bob versions list body line lines);


# of the sections of a block: policy, history, rules of the guarded location,
# versions and own of the endpoint, and more

sub configure {
    my ($block) = @_;

    my $rules = $block->rules || '';
    my $policy = $block->policy || 'version';
    my $versions = $block->versions || '';
    my $history = $block->history || '8 versions';

    s/\s+\z// for $policy, $versions, $history;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict $policy;\n"
                      . "conflict_history $history;\n"
                      . "$rules proxy_pass http://api; }\n"
                      . ($block->more || '')
                      . "location ~ ^(?<resource>/.*)/versions\$ {\n"
                      . "conflict_key \$resource;\n"
                      . ($block->own || '')
                      . "conflict_versions $versions;\n}\n");
}


# the users are who they say they are

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }


sub versions { GET("$_[0]/versions", @_[1 .. $#_]) }
sub list { @{ json(versions(@_))->{versions} } }

sub body {
    my ($path, $version, @headers) = @_;

    return GET("$path/versions?conflict_version=$version", @headers);
}


# a version of the list in one text

sub line {
    my ($one) = @_;

    return join ' ', (map { $_ // '-' } @$one{qw(user client method size)}),
                grep { $one->{$_} } qw(held deleted external unknown);
}


# all of them, once "n" writes are noted: Redis may hear of a write later than
# its client of the response

sub lines {
    my ($n, @args) = @_;
    my @list;

    until_true { @list = list(@args);
                 $n == grep { !$_->{unknown} } @list };

    return join ', ', map { line($_) } @list;
}

1;
