# conflict_inject with "*": each item of a list has its own version, which is
# never newer than what the list shows of the item.  On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::List;
use Test::Nginx::Socket 'no_plan';

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
set_doc("/plain/notes/$_", { text => "note $_" })
    for 1 .. 3, 'four%20and%20a%20half';

my $v = listed('/list/plain/notes', 1 .. 3, 'four and a half');

is($v->{$_}, version(GET("/plain/notes/$_")), "item $_ has its version")
    for 1 .. 3;
like($v->{'four and a half'}, qr/^\d{13}$/, 'one whose id has spaces as well');
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


=== places and ids
--- config
    location /plain/flat/ {
        conflict version;
        conflict_inject json:/*/version item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/deep/ {
        conflict version;
        conflict_inject json:/a/0/*/meta/v item=/plain/notes/${conflict_item}/x
                        id=json:/meta/id;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my %docs = (
    '[{"id":1},{"id":2}]'       => '[{"id":1,"version":V},{"id":2,"version":V}]',
    ' [ {"id":-3} ] '           => ' [ {"id":-3,"version":V} ] ',
    '[{"version":7,"id":4}]'    => '[{"version":V,"id":4}]',
    '[{"id":5,"version":{"a":[1]},"x":0.10}]'
                                => '[{"id":5,"version":V,"x":0.10}]',
    '[{"id":"\u00e9 6"}]'       => '[{"id":"\u00e9 6","version":V}]',
    '[{"id":"..","version":7},{"id":"a/b"},{"id":"a\u002fb"},{"id":1.5}]'
       => '[{"id":"..","version":null},{"id":"a/b"},{"id":"a\u002fb"},{"id":1.5}]',
    '[{"version":7},{},8,[],{"id":null}]'
       => '[{"version":null},{},8,[],{"id":null}]',
    '[]'                        => '[]',
    '{"version":7}'             => '{"version":7}',
    '"text"'                    => '"text"',
);

my $n = 0;

for my $doc (sort keys %docs) {
    my $path = '/plain/flat/' . ++$n;
    set_doc($path, $doc);

    my $text;

    until_true {
        $text = GET($path)->{body} =~ s/"version":\K\d{13,}/V/gr;
        $text eq $docs{$doc};
    };

    is($text, $docs{$doc}, $doc);
}

set_doc('/plain/deep/1', '{"a":[[{"meta":{"id":"k"}},{"id":"k"}]]}');

my $v;

until_true { ($v) = GET('/plain/deep/1')->{body} =~ /"v":(\d+)/ };

is(GET('/plain/deep/1')->{body},
   qq({"a":[[{"meta":{"id":"k","v":$v}},{"id":"k"}]]}), 'a nested member')
    if listed_text('/plain/deep/1', $v);
set_doc('/plain/notes/k/x', {});
is(version(GET('/plain/notes/k/x')), $v, 'of the path that is configured');

sub listed_text {
    my ($path, $text) = @_;

    return until_true { GET($path)->{body} =~ /$text/ };
}


=== responses that are not changed
--- config
    location / {
        conflict version;
        conflict_inject json:/*/version item=/plain/notes/$conflict_item;
        conflict_max_body 30k;
        conflict_max_values 4000;
        proxy_pass http://api;
    }
--- steps
sub warned { log_count(qr/get no versions: [^,]*\Q$_[0]\E/) }

sub same {
    my ($name, $path, $doc, @headers) = @_;

    set_doc($path, $doc);

    my $r = GET($path, @headers);

    is($r->{body}, $doc, "$name - the body");

    return $r;
}

my $doc = '[{"id":1,"version":7}]';

same('text', '/text/1', $doc);
same('encoded', '/plain/1', $doc, 'X-Up-Read: apply header=Content-Encoding:br');
same('an error', '/plain/1', $doc, 'X-Up-Read: apply status=404');
same('from a cache', '/plain/1', $doc, 'X-Up-Read: apply header=Age:1');
same('perhaps from one', '/plain/1', $doc, 'X-Up-Read: apply header=Age:0');
same('from one that tells it', '/plain/1', $doc,
     'X-Up-Read: apply header=X-Cache:HIT');

set_doc('/lm/1', $doc);
my $r = GET('/lm/1', 'Range: bytes=0-7');
is($r->{status}, 206, 'a part');
is($r->{body}, '[{"id":1', 'as it is');

same('malformed', '/plain/2', '[{"id":1,"version":7}');
same('a repeated member', '/plain/2', '[{"id":1,"version":7,"version":8}]');
same('too deep', '/plain/2', '[' x 200 . ']' x 200);
same('too many items', '/plain/2', '[' . join(',', ('{"id":1}') x 1001) . ']');
same('too many values', '/plain/2', '[[' . join(',', (1) x 4000) . ']]');

$r = same('large', '/plain/2', '[{"id":"' . 'x' x 31000 . '","version":7}]');
is(header($r, 'Content-Length'), length $r->{body}, 'with its length');

for my $size (30700, 40000, 70000) {
    my $large = '[{"id":1,"version":7,"text":"' . 'x' x $size . '"}]';

    same("large by the piece, $size", '/plain/2', $large,
         'X-Up-Read: apply chunked');
}

set_doc('/plain/3', '[' . join(',', map { qq({"id":$_}) } 1 .. 1000) . ']');

my $found;

until_true {
    $found = () = GET('/plain/3')->{body} =~ /"version":\d{13}/g;
    $found == 1000;
};

is($found, 1000, 'as many items as there may be');

is(log_count(qr/get no versions: /), 1, 'the first one was logged');
is(warned('the response is not JSON'), 1, 'with the reason');


=== caches
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=lists:1m;
--- config
    location /list/plain/ {
        conflict version;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_cache lists;
        proxy_cache_valid 200 1h;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/notes/1', { n => 0 });
PUT('/plain/notes/1', { n => 1 });

my $n = 0;
my $v;

# none of these is cached

until_true { $v = versions(GET('/list/plain/notes?' . ++$n))->{1} };
ok($v, 'a list that was not in the cache');

my $asked = grep { $_->{target} =~ /\?$n$/ } seen();
my $r = GET("/list/plain/notes?$n");

is(scalar(grep { $_->{target} =~ /\?$n$/ } seen()), $asked, 'a cached list');
is(versions($r)->{1}, undef, 'has no versions');


=== ways in which a body comes and goes
--- http_config
    gzip_types application/json;
--- config
    location /list/plain/ {
        conflict version;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;

        location /list/plain/gzip/ {
            gzip on;
            gzip_min_length 1;
            proxy_pass http://api/list/plain/;
        }
        location /list/plain/direct/ {
            proxy_buffering off;
            proxy_pass http://api/list/plain/;
        }
        location /list/plain/pieces/ {
            proxy_buffer_size 1k;
            proxy_buffers 4 1k;
            proxy_busy_buffers_size 2k;
            proxy_pass http://api/list/plain/;
        }
        location /list/plain/file/ {
            default_type application/json;
            alias $TEST_NGINX_SERVER_ROOT/html/;
        }
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- user_files
>>> list
{"data":[{"id":1},{"id":2},{"id":3}]}
--- steps
set_doc("/plain/notes/$_", { text => 'x' x 5000 }) for 1 .. 3;

my $v = listed('/list/plain/notes', 1 .. 3);

is_deeply(versions(GET("/list/plain/$_")), $v, $_)
    for qw(direct/notes pieces/notes file/list);

is_deeply(versions(GET('/list/plain/notes', 'X-Up-Read: apply chunked')), $v,
          'chunked');

my $r = GET('/list/plain/gzip/notes', 'Accept-Encoding: gzip');
is(header($r, 'Content-Encoding'), 'gzip', 'compressed on the way out');

open my $out, '>:raw', servroot() . '/html/list.gz';
print $out $r->{body};
close $out;

is_deeply(versions(scalar `gzip -dc @{[servroot()]}/html/list.gz`), $v,
          'with the versions');

# two requests on one connection

my $s = start('GET', '/list/plain/notes', headers => ['Connection: keep-alive'])
        ->{socket};
print $s "GET /list/plain/notes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
$r = finish({ socket => $s, method => 'GET' });
my $known = $v->{3};
is(scalar(() = $r->{raw} =~ /"version":$known\}\]\}/g), 2,
   'one after the other');

# a client that does not wait

my $l = held_list('/list/plain/notes');
close $l->{socket};
release();
release();
is_deeply(versions(GET('/list/plain/notes')), $v, 'a client has gone');


=== lists and items in one location
--- config
    location /list/ {
        conflict version;
        conflict_inject json:/version;
        conflict_inject json:/data/*/version item=/list/notes/$conflict_item;
        proxy_pass http://api;

        location /list/off/ {
            conflict_inject off;
            proxy_pass http://api/list/;
        }
    }
--- steps
set_doc('/list/notes/1', '{"data":[{"id":1}]}');

my $r = GET('/list/notes/1');
my $v = version($r);

is($r->{body}, qq({"data":[{"id":1}],"version":$v}), 'an item is no list');

set_doc('/notes/1', { n => 1 });

my $found;

until_true { $found = json(GET('/list/notes')); $found->{data}[0]{version} };

is($found->{data}[0]{version}, $v, 'the version of the item');
is($found->{version}, version(GET('/list/notes')), 'and of the list');

$r = GET('/list/off/notes');
is($r->{body}, '{"data":[{"id":1,"n":1}]}', 'off');
like(header($r, 'ETag'), qr/^"\d+\.l/, 'with the tag of the upstream');


=== a list among its items
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location = /plain/recent {
        conflict version;
        conflict_inject json:/data/*/version item=/plain/$conflict_item;
        proxy_pass http://api/list/plain;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $found;

until_true {
    $found = json(GET('/plain/recent'))->{data}[0];
    $found->{version};
};

is($found->{version}, $v, 'its path is as that of an item, and it is a list');


=== other keys, and a merge
--- config
    location ~ ^/list/(?<kind>plain)/(?<set>\w+)$ {
        conflict version;
        conflict_inject json:/data/*/version item=$kind:$set:$conflict_item;
        proxy_pass http://api;
    }
    location ~ ^/plain/(?<set>\w+)/(?<id>\w+)$ {
        conflict merge;
        conflict_key plain:$set:$id;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/notes/1', { a => 1, b => 1 });

my $v = listed('/list/plain/notes', 1);

is(PUT('/plain/notes/1', { a => 2, b => 1 })->{status}, 204, 'another write');

my $r = PUT('/plain/notes/1', { a => 1, b => 2, base_version => $v->{1} });

is($r->{status}, 409, 'a list shows no body to merge from');
is(json($r)->{base_held}, JSON::PP::false, 'as the response says');


=== keys that are no paths, and have slashes
--- config
    location ~ ^/list/(?<kind>plain)/(?<set>\w+)$ {
        conflict version;
        conflict_inject json:/data/*/version item=$conflict_item/$kind/$set;
        proxy_pass http://api;
    }
    location ~ ^/plain/(?<set>\w+)/(?<id>\w+)$ {
        conflict version;
        conflict_key $id/plain/$set;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/notes/1', { a => 1 });

my $v = listed('/list/plain/notes', 1);

is(version(GET('/plain/notes/1')), $v->{1}, 'a version');
is(PUT('/plain/notes/1', { a => 2, base_version => $v->{1} })->{status}, 204,
   'which holds');


=== report
--- config
    location /list/plain/ {
        conflict version report;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/notes/1', { n => 0 });

my $v = listed('/list/plain/notes', 1);
my $r = GET('/list/plain/notes');

like(header($r, 'ETag'), qr!^W/"l!, "the upstream's tag is weak");
is(PUT('/plain/notes/1', { n => 1, base_version => $v->{1} })->{status}, 204,
   'the version holds');


=== entries that the store has lost
--- http_config eval
$Conflict::Store eq 'shm' ? 'conflict_store small zone=64k;'
                          : Conflict::store('small')
--- config
    location /list/plain/ {
        conflict version store=small;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version store=small;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/notes/$_", { n => 0 }) for 1, 2;

my $l = held_list('/list/plain/notes');

is(PUT('/plain/notes/1', { n => 1 })->{status}, 204, 'a write in between');

if ($Conflict::Store eq 'shm') {
    GET("/plain/many/$_") for 1 .. 600;

} else {

    # Redis evicts the key that expires next, and then another is gone

    my $port = $ENV{TEST_NGINX_REDIS_PORT};

    redis($port, 'SET', 'large', 'x' x 4000000, 'EX', 1000);
    redis($port, qw(CONFIG SET maxmemory-policy volatile-ttl));
    redis($port, qw(CONFIG SET maxmemory-samples 64));
    redis($port, qw(CONFIG SET maxmemory),
          redis_info($port, 'used_memory') - 1000000);
    redis($port, qw(SET other 1 EX 1000));
    redis($port, qw(CONFIG SET maxmemory 0));

    is(redis($port, qw(EXISTS large)), 0, 'a key was evicted');
    is(redis($port, 'DEL', redis_key('/plain/notes/1')), 1, 'as was this one');
}

release();
release();

my $found = versions(finish($l));

is($found->{1}, undef, 'a version that is newer than the list is not shown');
is($found->{2}, undef, 'nor is one that might be');

ok(listed('/list/plain/notes', 1, 2), 'later there are versions');


=== one that a GET has not shown
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
set_doc("/plain/notes/$_", { n => 0 }) for 1, 2;

# as an index that still has what is gone

is(PUT('/plain/notes/1', { n => 1, base_version => 1 },
       'X-Up-Read: status=404')->{status}, 409, 'a GET says that it is gone');

my $found = listed('/list/plain/notes', 2);

is($found->{1}, undef, 'a list does not say which version it has');
ok($found->{2}, 'it does of another item');

GET('/plain/notes/1');

ok(listed('/list/plain/notes', 1)->{1}, 'it does once it was shown');
