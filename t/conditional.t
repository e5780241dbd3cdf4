# Each conditional field, for each method and version source: it is evaluated by
# the module or by the upstream, in the order of RFC 9110, 13.2.2.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

my @fields = qw(if-match if-none-match if-modified-since if-unmodified-since
                if-range range);

# the conditional fields of a request as the upstream has seen it

sub fields_of {
    my ($request) = @_;

    my %h = map { $_->[0] => $_->[1] } @{ $request->{headers} };

    return join ' ', grep { exists $h{$_} } @fields;
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== writes
--- config
    location / {
        conflict version;
        conflict_lease 2s;
        proxy_pass http://api;
    }
    location /412/ {
        conflict version;
        conflict_header_status 412;
        proxy_pass http://api/plain/;
    }
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
my ($past, $future) = ('Thu, 01 Jan 1970 00:00:01 GMT',
                       'Wed, 01 Jan 2098 00:00:00 GMT');

# V is the current tag, O an old one; does it hold, for a resource that
# exists; what the upstream sees where versions are minted

my @table = (
    [ [],                                               1, '' ],
    [ ['If-Match: V'],                                  1, '' ],
    [ ['If-Match: O'],                                  0 ],
    [ ['If-Match: *'],                                  1, '' ],
    [ ['If-None-Match: V'],                             0 ],
    [ ['If-None-Match: O'],                             1, '' ],
    [ ['If-None-Match: *'],                             0 ],
    [ ["If-Unmodified-Since: $future"],                 1, '' ],
    [ ["If-Unmodified-Since: $past"],                   0 ],

    # ignored beside If-Match; and for other methods than GET and HEAD

    [ ['If-Match: V', "If-Unmodified-Since: $past"],    1, '' ],
    [ ['If-Match: O', "If-Unmodified-Since: $future"],  0 ],
    [ ["If-Modified-Since: $future"],                   1,
      'if-modified-since' ],
    [ ['If-Match: V', 'If-None-Match: V'],              0 ],
    [ ['If-Match: V', 'If-None-Match: O'],              1, '' ],
    [ ['If-Range: O', 'Range: bytes=0-1'],              1, 'if-range range' ],
    [ ['If-Match: V', 'If-Range: O', 'Range: bytes=0-1'], 1,
      'if-range range' ],
);

my $n = 0;

for my $route ('plain', '412', 'own', 'etag') {
    my $minted = ($route =~ /plain|412/);

    for my $method (qw(PUT PATCH DELETE MOVE COPY POST PROPPATCH)) {
        for my $row (@table) {
            my ($headers, $holds, $seen) = @$row;

            # an upstream's own versions have no dates here

            next if !$minted && "@$headers" =~ /Unmodified-Since: .*1970/
                    && "@$headers" !~ /If-Match/;

            my ($path, $doc) = ("/$route/c" . ++$n, '');
            ($doc = $path) =~ s/^\/412/\/plain/;

            set_doc($doc, { n => 1 });
            my $r = PUT($path, { n => 2 });
            my $v = $minted ? header($r, 'ETag')
                    : $route eq 'own' ? '"' . json($r)->{version} . '"'
                    : '"e2"';
            my $o = $route eq 'etag' ? '"e1"' : '"1"';

            my @h = map { s/: V$/: $v/r =~ s/: O$/: $o/r } @$headers;
            upstream('/_take');

            # what the upstream judges itself it may refuse as well

            $r = http($method, $path, body => { n => 3 },
                      headers => [@h, "Destination: /$route/to$n"]);

            my $name = "$method /$route, @h";
            my @written = journal();

            if ($holds) {
                is(int($r->{status} / 100), 2, "$name: passes");
                is(scalar(@written), 1, "$name: written");

                my $sees = fields_of($written[-1]);
                my $sent = fields_of({ headers => [map { [split /: /, lc] }
                                                   @h] });
                is($sees, $minted ? $seen : $sent, "$name: judged once");

            } else {
                is($r->{status}, $route eq '412' ? 412 : 409,
                   "$name: refused");
                is(scalar(@written), 0, "$name: not written");
            }
        }
    }
}


=== reads
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /file/ {
        conflict version;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> c.json
{"n":123456789}
--- steps
my ($past, $future) = ('Thu, 01 Jan 1970 00:00:01 GMT',
                       'Wed, 01 Jan 2098 00:00:00 GMT');

set_doc('/plain/1', { n => 1 });
set_doc('/etag/1', { n => 1 });

# minted: If-Match and If-Unmodified-Since are judged against what the response
# bears; of a tag of ours only what it bears of the upstream's can tell that the
# body is the same.  The last is the status where nginx has such a tag.

my @table = (
    [ ['If-Match: V'],                              200 ],
    [ ['If-Match: O'],                              412 ],
    [ ['If-Match: *'],                              200 ],
    [ ["If-Unmodified-Since: $future"],             200 ],
    [ ["If-Unmodified-Since: $past"],               412 ],
    [ ['If-None-Match: V'],                         200, 304 ],
    [ ['If-None-Match: O'],                         200 ],
    [ ["If-Modified-Since: $future"],               200 ],
    [ ['If-Range: V', 'Range: bytes=0-3'],          200, 206 ],
    [ ['If-Range: O', 'Range: bytes=0-3'],          200 ],
    [ ["If-Range: $future", 'Range: bytes=0-3'],    200 ],
);

for my $path ('/plain/1', '/file/c.json') {
    my $v = header(GET($path), 'ETag');

    for my $row (@table) {
        my ($headers, @status) = @$row;
        my $status = $status[$path =~ /file/ ? -1 : 0];
        my @h = map { s/: V$/: $v/r =~ s/: O$/: "1"/r } @$headers;

        for my $method ('GET', 'HEAD') {
            my $r = http($method, $path, headers => [@h]);
            is($r->{status}, $status, "$method $path, @h");
        }
    }
}

# a part of a file, without a condition

is(GET('/file/c.json', 'Range: bytes=0-3')->{status}, 206, 'a part');

# owned: all is the upstream's, word by word

for my $field ('If-Match: "e1"', 'If-None-Match: "e1"', 'If-Range: "e1"',
               "If-Modified-Since: $past", "If-Unmodified-Since: $future",
               'Range: bytes=0-3')
{
    GET('/etag/1', $field);
    my ($name) = map { lc } $field =~ /^([^:]+)/;
    is(fields_of((seen())[-1]), $name, "$field is forwarded");
}


=== the module's own GET has none of them
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/etag/1') {
    set_doc($path, { n => 1 });

    my $r = PUT($path, { n => 2 }, 'If-Match: "77"', 'If-None-Match: "78"',
                'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT',
                'If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT',
                'If-Range: "77"', 'Range: bytes=0-0', 'If: (["77"])' x
                ($path =~ /etag/ ? 1 : 0));
    is($r->{status}, 409, 'refused');
    is(json($r)->{server_version}{n}, 1, 'with the whole body');

    for my $get (grep { $_->{method} eq 'GET' } seen()) {
        is(fields_of($get), '', 'it is asked for without a condition');
    }
}
