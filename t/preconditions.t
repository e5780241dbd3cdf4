# Each form of a precondition, alone and combined, for each method.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use POSIX 'strftime';
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the table
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $n = 0;

# V: the current version, O: an old one; the status that is expected is 2xx
# (passed) or 409

my @table = (
    # If-Match          If-None-Match   base   exists  passes
    [ undef,            undef,          undef, 1,      1 ],
    [ undef,            undef,          undef, 0,      1 ],
    [ '"V"',            undef,          undef, 1,      1 ],
    [ '"O"',            undef,          undef, 1,      0 ],
    [ '"V"',            undef,          undef, 0,      0 ],
    [ 'W/"V"',          undef,          undef, 1,      1 ],
    [ '"x", "V"',       undef,          undef, 1,      1 ],
    [ '"x" , ,"O"',     undef,          undef, 1,      0 ],
    [ '*',              undef,          undef, 1,      1 ],
    [ '*',              undef,          undef, 0,      0 ],
    [ undef,            '*',            undef, 1,      0 ],
    [ undef,            '*',            undef, 0,      1 ],
    [ undef,            '"V"',          undef, 1,      0 ],
    [ undef,            '"O"',          undef, 1,      1 ],
    [ undef,            undef,          'V',   1,      1 ],
    [ undef,            undef,          'O',   1,      0 ],
    [ '"V"',            undef,          'V',   1,      1 ],
    [ '"V"',            undef,          'O',   1,      0 ],
    [ '"O"',            undef,          'V',   1,      0 ],
    [ '"V"',            '*',            undef, 1,      0 ],
    [ '"V"',            '"O"',          'V',   1,      1 ],
);

for my $method ('PUT', 'PATCH', 'DELETE') {

    for my $row (@table) {
        my ($match, $none, $base, $exists, $passes) = @$row;

        my $path = '/plain/t' . ++$n;
        my ($v, $o) = (1, 2);

        # a resource with two versions, or the tombstone of one

        http('PUT', $path, body => { id => 1 });
        $o = version(GET($path));
        $v = version(PUT($path, { id => 2 }));

        if (!$exists) {
            $v = version(DELETE($path));
        }

        my $with = sub {
            my $s = shift;
            $s =~ s/V/$v/;
            $s =~ s/O/$o/;
            return $s;
        };

        my @headers;
        push @headers, 'If-Match: ' . $with->($match) if defined $match;
        push @headers, 'If-None-Match: ' . $with->($none) if defined $none;

        my %body = (n => $n);
        $body{base_version} = 0 + $with->($base) if defined $base;

        my $r = http($method, $path, headers => \@headers, body => \%body);

        my $what = join ' ', $method, $exists ? 'existing' : 'deleted',
                   @headers, defined $base ? "base_version: $base" : ();

        # without a resource the upstream says 404 to a DELETE that passes

        my $want = !$passes ? 409
                   : $method eq 'DELETE' && !$exists ? 404
                   : $exists ? 204 : 201;

        is($r->{status}, $want, $what);
    }
}


=== dates
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $mtime = 1700000000;    # Tue, 14 Nov 2023 22:13:20 GMT

my @dates = (
    [ 'Tue, 14 Nov 2023 22:13:20 GMT',          1 ],
    [ 'Tue, 14 Nov 2023 22:13:19 GMT',          0 ],
    [ 'Tue, 14 Nov 2023 22:13:21 GMT',          1 ],
    [ 'Tuesday, 14-Nov-23 22:13:20 GMT',        1 ],
    [ 'Tuesday, 14-Nov-23 22:13:19 GMT',        0 ],
    [ 'Tue Nov 14 22:13:20 2023',               1 ],
    [ 'Tue Nov 14 22:13:19 2023',               0 ],
    [ '2023-11-14T22:13:20Z',                   1 ],
    [ '2023-11-14T22:13:20.000Z',               1 ],
    [ '2023-11-14T22:13:19.999999Z',            0 ],
    [ '2023-11-14T23:13:20+01:00',              1 ],
    [ '2023-11-14T21:13:19-01:00',              0 ],
);

my $n = 0;

for my $row (@dates) {
    my ($date, $passes) = @$row;
    my $path = '/lm/d' . ++$n;

    set_doc($path, { id => 1 }, mtime => $mtime);
    GET($path);

    is(PUT($path, { id => 2 }, "If-Unmodified-Since: $date")->{status},
       $passes ? 204 : 409, $date);
}

set_doc('/lm/x', { id => 1 }, mtime => $mtime);

my $v = version(GET('/lm/x'));

is(PUT('/lm/x', { id => 2 }, 'If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT',
       qq(If-Match: "$v"))->{status}, 204, 'ignored beside If-Match');
is(PUT('/lm/x', { id => 2 }, 'If-Unmodified-Since: yesterday',
       'If-Match: *')->{status}, 204, 'even where it is not a date');

my $r = PUT('/lm/x', { id => 2 }, 'If-Unmodified-Since: yesterday');

is($r->{status}, 400, 'what is no date is refused');
is(json($r)->{error}, 'malformed_base', 'error');


=== a date of the second in which it changed twice is no proof
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my ($path, $first, $second);
my $n = 0;

# two writes in one second, however the clock stands

until_true {
    $path = '/plain/' . ++$n;
    PUT($path, { n => 1 });
    $first = header(GET($path), 'Last-Modified');
    PUT($path, { n => 2 });
    $second = header(GET($path), 'Last-Modified');
    defined $first && !defined $second;
};

is(PUT($path, { n => 3 }, "If-Unmodified-Since: $first")->{status}, 409,
   'the date of the first version is refused for the second');

my $date;

until_true { defined($date = header(GET($path), 'Last-Modified')) };

isnt($date, $first, 'the second version is shown under the next second');
is(PUT($path, { n => 4 }, "If-Unmodified-Since: $date")->{status}, 204,
   'which is a good date');


=== dates of the upstream that go back
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /at/ {
        conflict version;
        conflict_mtime json:/at;
        proxy_pass http://api/plain/;
    }
--- steps
my $now = int time;

sub date { strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime shift) }

# hosts whose clocks differ, or times that clients have set

set_doc('/lm/1', { n => 1 }, mtime => $now - 100);

my $first = header(GET('/lm/1'), 'Last-Modified');
is($first, date($now - 100), 'the first version');

is(PUT('/lm/1', { n => 2 })->{status}, 204, 'a write');
set_doc('/lm/1', { n => 2 }, mtime => $now - 200);
GET('/lm/1');

my $second;
until_true { $second = header(GET('/lm/1'), 'Last-Modified') };
isnt($second, $first, 'the second one has another date');
is(PUT('/lm/1', { n => 3 }, "If-Unmodified-Since: $first")->{status}, 409,
   'a later date is that of the first');
is(PUT('/lm/1', { n => 3 }, "If-Unmodified-Since: $second")->{status}, 204,
   'its own date holds');

# the same in a body

my ($late, $early) = map { strftime('%Y-%m-%dT%H:%M:%S.5Z', gmtime $now - $_) }
                     100, 200;

set_doc('/plain/2', { at => $late });
GET('/at/2');
is(PUT('/at/2', { at => $early })->{status}, 204, 'a write');
GET('/at/2');

is(PUT('/at/2', { n => 3 }, "If-Unmodified-Since: $late")->{status}, 409,
   'a later time is that of the first');
is(PUT('/at/2', { n => 3 }, "If-Unmodified-Since: $early")->{status}, 204,
   'its own time holds');

# a date that is ahead is no date, for nobody could tell it from the next one

set_doc('/lm/3', { n => 1 }, mtime => $now + 1000);
is(header(GET('/lm/3'), 'Last-Modified'), undef, 'not shown') for 1, 2;
is(PUT('/lm/3', { n => 2 })->{status}, 204, 'a write');
set_doc('/lm/3', { n => 2 }, mtime => $now);
GET('/lm/3');
is(PUT('/lm/3', { n => 3 }, 'If-Unmodified-Since: ' . date($now + 1000))
   ->{status}, 409, 'nor does it hold');


=== the status of a stale header base
--- config
    location / {
        conflict version;
        conflict_header_status 412;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 1 });

my $r = PUT('/plain/1', { n => 2 }, qq(If-Match: "$v"));

is($r->{status}, 412, 'a header');
is(json($r)->{status}, 412, 'in the body, too');
is(PUT('/plain/1', { base_version => $v })->{status}, 409, 'a body');
is(PUT('/plain/1', { base_version => $v }, qq(If-Match: "$v"))->{status}, 412,
   'both: the header comes first');


=== a header of the application's own
--- config
    location / {
        conflict version;
        conflict_base header:X-Base-Version;
        conflict_header_status 412;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { base_version => 1 }, "X-Base-Version: $v")->{status}, 204,
   'it is good, and the member is data');
is(PUT('/plain/1', {}, "X-Base-Version: $v")->{status}, 412, 'stale');
is(PUT('/plain/1', {}, 'X-Base-Version: v1')->{status}, 400, 'no integer');


=== what the upstream sees of preconditions that speak of minted versions
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $v = version(PUT('/plain/1', { id => 1 }));

is(PUT('/plain/1', { n => 1 }, qq(If-Match: "$v"),
       'If-None-Match: "1"')->{status}, 204, 'passes');

my %h = map { $_->[0] => $_->[1] } @{ (journal())[1]{headers} };

ok(!exists $h{'if-match'} && !exists $h{'if-none-match'},
   'no If-Match, no list of tags');

my $date = header(GET('/plain/1'), 'Last-Modified');

set_doc('/plain/3', { n => 1 });
GET('/plain/3');

is(PUT('/plain/3', { n => 2 }, 'If-Unmodified-Since: 2099-01-01T00:00:00Z')
   ->{status}, 204, 'passes');
%h = map { $_->[0] => $_->[1] } @{ (journal())[2]{headers} };
ok(!exists $h{'if-unmodified-since'}, 'no If-Unmodified-Since');

is(PUT('/plain/2', { n => 1 }, 'If-None-Match: *')->{status}, 201, 'created');
%h = map { $_->[0] => $_->[1] } @{ (journal())[3]{headers} };
is($h{'if-none-match'}, '*', 'any upstream knows "If-None-Match: *"');


=== a base that this store never gave
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

for my $base (0, 1, -1, $v + 1000000, '9007199254740993',
              '99999999999999999999')
{
    my $r = http('PUT', '/plain/1', body => qq({"base_version":$base}));
    is($r->{status}, 409, "base $base is never current");
}

is(version(GET('/plain/1')), $v, 'and changes nothing');
is(PUT('/plain/1', { base_version => $v })->{status}, 204, 'the base is good');


=== a header of the application's own that is repeated
--- config
    location / {
        conflict version;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 1 }, "X-Base: $v", 'X-Base: 5');

is($r->{status}, 400, 'refused');
is(json($r)->{error}, 'malformed_base', 'error');

$r = PUT('/plain/1', { n => 1 }, 'X-Base: abc');
is($r->{status}, 400, 'one that is no version');
is(json($r)->{base_version}, 'abc', 'is quoted');
is(header($r, 'Conflict'), 'rejected', 'the field');
ok(!exists json($r)->{conflict_id}, 'no id, for there is no line in the log');
is(scalar(journal()), 0, 'nothing was forwarded');


=== methods that are none of the listed ones
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

for my $method ('REPORT', 'FOO', 'POST') {
    my $r = http($method, '/plain/1', body => { base_version => 5 });

    is($r->{status}, 204, "$method passes");
    is(header($r, 'Conflict'), $method eq 'FOO' ? 'unchecked' : undef,
       'and is not guarded');
}


=== what is hidden from one is not free to be created by another
--- config
    location / {
        conflict version;

        # an API that knows no preconditions at all
        proxy_set_header If-None-Match "";
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => 1 }) for 1, 2, 3;

# nothing is known of them, and a GET of his is answered with 404

my $hidden = 'X-Up-Read: status=404';

is(PUT('/plain/1', { base_version => 1 }, $hidden)->{status}, 409, 'a base');
is(DELETE('/plain/2', 'If-Match: *', $hidden)->{status}, 409, 'a DELETE');

for my $n (1, 2) {
    my $r = PUT("/plain/$n", { n => 2 }, 'If-None-Match: *');

    is($r->{status}, 409, 'another sees that it is there');
    is(json($r)->{server_version}{n}, 1, 'with what is there');
}

is(scalar(journal()), 0, 'nothing was overwritten');

# what is really gone can be made again

is(DELETE('/plain/3', 'If-Match: *')->{status}, 204, 'deleted');
is(PUT('/plain/3', { n => 2 }, 'If-None-Match: *')->{status}, 201, 'made');
is(PUT('/plain/3', { n => 3 }, 'If-None-Match: *')->{status}, 409, 'once');


=== the upstream's own tag, known from elsewhere, with versions of the module
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /merge/ {
        conflict merge;
        proxy_pass http://api/etag/;
    }
    location /drop/ {
        conflict server_wins;
        proxy_pass http://api/etag/;
    }
    location /off/ {
        conflict version;
        conflict_latest off;
        proxy_pass http://api/etag/;
    }
--- steps
for my $path ('/etag/', '/merge/', '/drop/') {
    my $at = "/etag/$path" =~ s!/!!gr;
    my $url = "$path$at";

    set_doc("/etag/$at", { n => 1 });
    set_doc("/etag/$at", { n => 2 });

    my $r = PUT($url, { n => 3 }, 'If-Match: "e2"');
    is($r->{status}, 200, "$path it is current");
    like(header($r, 'Conflict'), qr/^passed;version=\d+/, 'and checked');

    my $n = journal();
    my $stale = $path eq '/drop/' ? 200 : 409;

    for my $tag ('"e2"', 'W/"e3"', '"e"', '"e33"', '"e2", W/"e3"') {
        is(PUT($url, { n => 9 }, "If-Match: $tag")->{status}, $stale, $tag);
    }

    is(scalar(journal()), $n, 'nothing was written');

    $r = http('DELETE', $url, headers => ['If-Match: "x", "e3"']);
    is($r->{status}, 204, 'one of a list');
    is(PUT($url, { n => 9 }, 'If-Match: "e4"')->{status}, 409, 'gone');
}

# the same in If of WebDAV, also of a stale one, and of both resources of a COPY

for my $path ('/etag/', '/merge/', '/drop/') {
    my $at = "if$path" =~ s!/!!gr;
    my $url = "$path$at";

    set_doc("/etag/$at", { n => 1 });
    GET($url);

    for my $tags ('(["e2"])', '([W/"e1"])', '(Not ["e2"] ["e3"])',
                  qq(<$url> (["e2"])))
    {
        is(PUT($url, { n => 9 }, "If: $tags")->{status},
           $path eq '/drop/' ? 200 : 412, "$path If: $tags");
    }

    is(scalar(grep { $_->{path} eq "/etag/$at" } journal()), 0,
       'nothing was written');

    my $r = PUT($url, { n => 2 }, 'If: (["x"] ["e1"])');
    is($r->{status}, 200, 'the current one');
    like(header($r, 'Conflict'), qr/^passed;version=\d+/, 'was checked');
    is(http('DELETE', $url, headers => ['If: (["e2"])'])->{status}, 204,
       'by DELETE');
}

set_doc("/etag/$_", { n => 1 }) for 'from', 'to';

for my $to (9, 1) {
    my $r = http('COPY', '/etag/from',
                 headers => ['Destination: /etag/to', 'If: (["e1"]) '
                             . qq(</etag/to> (["e$to"]))]);

    is($r->{status} < 300 ? 'passed' : $r->{status},
       $to == 9 ? 412 : 'passed', "COPY to e$to");
}

set_doc('/etag/off', { n => 1 });
GET('/off/off');
is(PUT('/off/off', { n => 2 }, 'If-Match: "e1"')->{status}, 409,
   'where no GET tells');

# a write between the GET that shows the tag and the begin

set_doc('/etag/race', { n => 1 });
my $v = version(GET('/etag/race'));
my $one = start('PUT', '/etag/race', body => { n => 2 },
                headers => ['If-Match: "e1"', 'X-Up-Read: apply hold']);

my $gets = sub {
    return scalar grep { $_->[0] eq 'x-up-read' }
                  map { @{ $_->{headers} } }
                  grep { $_->{method} eq 'GET' } seen();
};

until_true { $gets->() == 1 };
is(PUT('/etag/race', { n => 3, base_version => $v })->{status}, 200,
   'another one');
release();
until_true { $gets->() == 2 };
release();
is(finish($one)->{status}, 409, 'then it is stale');
