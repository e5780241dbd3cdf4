# conflict_strip_base: the upstream does not see the base, unless it owns the
# versions or the directive is off.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== wherever the member stands
--- config
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
my %bodies = (
    '{"base_version":V}'               => '{}',
    '{"base_version":V,"a":1}'         => '{"a":1}',
    '{"a":1,"base_version":V}'         => '{"a":1}',
    '{"a":1,"base_version":V,"b":2}'   => '{"a":1,"b":2}',
    '{ "a" : 1 , "base_version" : V }' => '{ "a" : 1  }',
    '{"a":{"base_version":1},"base_version":"V"}'
                                       => '{"a":{"base_version":1}}',
    '{"base\u005fversion":V,"a":0.10}' => '{"a":0.10}',
);

my $n = 0;

for my $body (sort keys %bodies) {
    for my $chunked (0, 1, 7) {
        my $path = '/plain/' . ++$n;
        set_doc($path, { id => 1 });

        my $v = version(GET($path));
        (my $text = $body) =~ s/V/$v/;

        my $r = http('PUT', $path, body => $text, chunked => $chunked);

        is($r->{status}, 204, "$body, " . ($chunked ? 'chunked' : 'length'));
        is(header($r, 'ETag'), '"' . version($r) . '"',
           'the tag is the version of what is left');

        my $w = (journal())[-1];
        my %h = map { $_->[0] => $_->[1] } @{ $w->{headers} };

        is($w->{body}, $bodies{$body}, 'what the upstream got');
        is($h{'content-length'}, length $bodies{$body}, 'its length');
        ok(!exists $h{'transfer-encoding'}, 'not chunked');
    }
}


=== what it is where nothing is said
--- http_config
    conflict version;
--- config
    location /plain/ {
        proxy_pass http://api;
    }
    location /lww/ {
        conflict lww;
        proxy_pass http://api/plain/;
    }
    location /merge/ {
        conflict merge;
        proxy_pass http://api/plain/;
    }
    location /off/ {
        conflict_strip_base off;
        proxy_pass http://api/plain/;
    }
    location /report/ {
        conflict version report;
        proxy_pass http://api/plain/;
    }
    location /header/ {
        conflict_base header:X-Base;
        proxy_pass http://api/plain/;
    }
    location /own/ {
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /etag/on/ {
        conflict_version header:ETag;
        conflict_strip_base on;
        proxy_pass http://api/etag/;
    }
--- steps
my %cut = ('/plain/1' => 1, '/lww/1' => 1, '/merge/1' => 1, '/off/1' => 0,
           '/report/1' => 0, '/header/1' => 0, '/own/1' => 0, '/etag/1' => 0,
           '/etag/on/1' => 1);

for my $path (sort keys %cut) {
    my $doc = $path =~ m!^/(own|etag)/! ? $path : '/plain/1';
    $doc =~ s!/on!!;

    set_doc($doc, { n => 1 });

    my $r = GET($path);
    my $v = $path =~ m!^/own! ? json($r)->{version}
            : $path =~ m!^/etag! ? header($r, 'ETag') : version($r);

    like(PUT($path, { n => 2, base_version => $v })->{status}, qr/^20[04]$/,
         "$path: a write");
    is(exists json((journal())[-1]{body})->{base_version} ? 0 : 1, $cut{$path},
       $cut{$path} ? 'without the base' : 'with the base');
}


=== bodies around the size of the buffer, in memory and in a file
--- config
    client_body_buffer_size 1k;
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $bad = 0;

for my $size (980 .. 1030, 2000, 100000) {
    my $v = version(GET('/plain/1'));
    my $text = 'x' x $size;
    my $r = http('PUT', '/plain/1',
                 body => qq({"a":"$text","base_version":$v,"b":"$text"}),
                 chunked => $size % 3 ? 0 : 500);

    my $w = (journal())[-1];

    $bad++ unless $r->{status} == 204
                  && $w->{body} eq qq({"a":"$text","b":"$text"});
}

is($bad, 0, 'each arrived as it should');


=== a file of which a part in the middle is cut is sent without waiting
--- main_config
    error_log logs/error.log debug;
--- config
    client_body_buffer_size 1k;
    sendfile on;
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $text = 'x' x 50000;

is(http('PUT', '/plain/1', chunked => 10000,
        body => qq({"a":"$text","base_version":$v,"b":"$text"}))->{status},
   204, 'a write');
is((journal())[-1]{body}, qq({"a":"$text","b":"$text"}), 'its body');

# Nagle's algorithm would keep the end of the body until the rest of it is
# acknowledged; a debug log shows whether it is off

SKIP: {
    skip 'nginx is built without --with-debug', 1
        unless `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /--with-debug/;

    ok(error_log() =~ / sendfile: .* tcp_nodelay\n.* process\ header /sx,
       'nothing is kept back');
}


=== what was not read to its end is left alone
--- config
    location / {
        conflict lww;
        conflict_max_body 10k;
        proxy_pass http://api;
    }
--- steps
my $large = '{"base_version":1,"a":"' . 'x' x 11000 . '"}';

# the limit is in the midst of the member

my $within = '{"a":"' . 'x' x 10212 . '","base_version":1234567890123}';

for my $body ($large, $within, '{"base_version":1,"a":NaN}',
              '{"base_version":1')
{
    for my $chunked (0, 1, 17) {
        is(http('PUT', '/plain/1', body => $body, chunked => $chunked,
                headers => ["Content-Type: application/json"])
           ->{status} < 300 ? 1 : 0, 1, 'it passes');
        is((journal())[-1]{body}, $body, 'as it came');
    }
}


=== a DAV location of the same server
--- config
    location /dav/ {
        conflict version;
        conflict_strip_base on;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
        dav_methods PUT DELETE;
    }
    location /keep/ {
        conflict version;
        conflict_strip_base off;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
        dav_methods PUT DELETE;
    }
--- steps
my $file = servroot() . '/html/1';
my $text = 'x' x 50000;

is(PUT('/dav/1', { id => 1 })->{status}, 201, 'created');

my $v = version(GET('/dav/1'));

like($v, qr/^\d+$/, 'a file has a version');
is(http('PUT', '/dav/1',
        body => qq({"a":"$text","base_version":$v,"b":"$text"}))->{status},
   204, 'changed');
is(slurp($file), qq({"a":"$text","b":"$text"}), 'the file is without the base');
is(PUT('/dav/1', { base_version => $v })->{status}, 409, 'stale');

$v = version(GET('/keep/1'));
is(PUT('/keep/1', { base_version => $v })->{status}, 204, 'not stripped');
is(json(slurp($file))->{base_version}, $v, 'as it was sent');
is(DELETE('/keep/1', 'If-Match: "1"')->{status}, 409, 'a stale DELETE');
is(DELETE('/keep/1', 'If-Match: *')->{status}, 204, 'a DELETE');
ok(!-e $file, 'the file is gone');


=== FastCGI is told the right length, too
--- config
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_set_header X-Length $content_length;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

http('PUT', '/plain/1', body => qq({"a":1,"base_version":$v}));

my %h = map { $_->[0] => $_->[1] } @{ (journal())[0]{headers} };

is($h{'x-length'}, length '{"a":1}', '$content_length');
