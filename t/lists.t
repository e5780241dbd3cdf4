# conflict_inject with "*": each item of a list has its own version, which is
# never newer than what the list shows of the item.  On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

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

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a list is enough to edit from
--- config
    location /list/plain/ {
        conflict version;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/notes/$_", { text => "note $_" }) for 1 .. 3, 'four and a half';

my $v = listed('/list/plain/notes', 1 .. 3, 'four and a half');

is($v->{$_}, version(GET("/plain/notes/$_")), "item $_ has its version")
    for 1 .. 3;
is($v->{'four and a half'}, version(GET('/plain/notes/four%20and%20a%20half')),
   'an id that is escaped in the path');

my $r = GET('/list/plain/notes');

is(header($r, 'Content-Length'), undef, 'the length is not claimed');
like(header($r, 'ETag'), qr/^"\d+"$/, "the tag is not the upstream's");
is(scalar(grep { $_ eq 'accept-encoding' } map { $_->[0] }
          @{ (seen())[-1]{headers} }), 0, 'no compressed list is asked for');

$r = GET('/list/plain/notes', 'If-None-Match: ' . header($r, 'ETag'));
is($r->{status}, 200, 'a list is always sent');

$r = PUT('/plain/notes/1', { text => 'mine', base_version => $v->{1} });
is($r->{status}, 204, 'a write with the version of the list passes');

my $v1 = version($r);

$r = PUT('/plain/notes/1', { text => 'late', base_version => $v->{1} });
is($r->{status}, 409, 'and not twice');

$r = PUT('/plain/notes/2', { text => 'mine' }, "If-Match: \"$v->{2}\"");
is($r->{status}, 204, 'If-Match as well');

$v = listed('/list/plain/notes', 1);
is($v->{1}, $v1, 'the next list has the new version');

$r = HEAD('/list/plain/notes');
is(header($r, 'Content-Length'), undef, 'HEAD claims no length');


=== writes while the list is made
--- config
    location /list/plain/ {
        conflict version;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        conflict_wait 100ms;
        conflict_quarantine 200ms;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/notes/$_", { n => 0 }) for 1 .. 6;

my $v = listed('/list/plain/notes', 1 .. 6);

# item 1 is being written before the list is requested, and until after; 2 is
# written in between; 3 is created by another API; 4 has an unknown outcome; 5
# is deleted

my $w = held('/plain/notes/1', { n => 'A', base_version => $v->{1} });
my $l = held_list('/list/plain/notes');

my $r = PUT('/plain/notes/2', { n => 'B', base_version => $v->{2} });
is($r->{status}, 204, 'a write in between');

my $v2 = version($r);

http('PUT', '/plain/notes/4', body => { n => 'D', base_version => $v->{4} },
     headers => ['X-Up-Write: apply reset']);

$r = DELETE('/plain/notes/5', "If-Match: \"$v->{5}\"");
is($r->{status}, 204, 'a deletion in between');

release();
is(finish($w)->{status}, 204, 'the write ends');
release();

my $list = versions(finish($l));

is($list->{1}, undef, 'one that began before and ended after');
is($list->{2}, undef, 'one that began and ended in between');
is($list->{3}, $v->{3}, 'an item that nobody wrote to');
is($list->{4}, undef, 'an unknown outcome');
is($list->{5}, undef, 'a deletion');
is($list->{6}, $v->{6}, 'another one that nobody wrote to');

# nothing in the list was newer than what it showed, so this is a conflict

$r = PUT('/plain/notes/2', { n => 'late', base_version => $v->{2} });
is($r->{status}, 409, 'the version before is stale');

# a write in flight

$w = held('/plain/notes/3', { n => 'C', base_version => $v->{3} });
$list = versions(GET('/list/plain/notes'));
is($list->{3}, undef, 'one in flight');
is($list->{6}, $v->{6}, 'the others are not affected');
release();
finish($w);

is(listed('/list/plain/notes', 2)->{2}, $v2, 'shown once it is certain');
