package Conflict::Inbox;

# The conflict inbox at /inbox: the configuration of a block, its lists and
# items, with the headers of a caller.

use strict;
use warnings;

use Conflict;

use base 'Exporter';

our @EXPORT = qw(configure ann bob inbox inbox_of show item take merged discard
                 refused refused_by);


# of the sections of a block: the policy of all locations, with rules, and more
# of the server; the users are who they say they are

sub configure {
    my ($block) = @_;
    my $policy = $block->policy || 'version hold';

    $policy =~ s/\s+\z//;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict $policy;\n"
                      . ($block->rules || '') . "proxy_pass http://api; }\n"
                      . ($block->more || '')
                      . "location = /inbox { conflict_inbox; }\n"
                      . "location = /admin { conflict_inbox all; }\n");
}


sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

sub inbox { inbox_of('/inbox', @_) }

sub inbox_of {
    my ($uri, @headers) = @_;

    return @{ json(http('GET', $uri, headers => [@headers]))->{items} };
}

sub show { http('GET', "/inbox?id=$_[0]", headers => [@_[1 .. $#_]]) }
sub item { json(show(@_)) }
sub discard { http('DELETE', "/inbox?id=$_[0]", headers => [@_[1 .. $#_]]) }

sub take {
    my ($id, $what, @headers) = @_;

    return http('POST', "/inbox?id=$id&take=$what", headers => [@headers]);
}

sub merged {
    my ($id, $body, @headers) = @_;

    return http('POST', "/inbox?id=$id&take=merged", body => $body,
                headers => [@headers]);
}


# a write of {"n":3} that is refused, as {"n":2} was written: the id of its
# item, and the current version

sub refused {
    my ($path, @headers) = @_;

    set_doc($path, { n => 1 });
    my $old = version(GET($path, @headers));

    PUT($path, { n => 2, base_version => $old });

    my $r = PUT($path, { n => 3, base_version => $old }, @headers);

    return (json($r)->{held}, json($r)->{version});
}

sub refused_by { (refused(@_))[0] }

1;
