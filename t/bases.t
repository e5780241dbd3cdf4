# A base is found whatever the type, encoding and form of the body, and no write
# without a base counts as checked.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# the word of the Conflict field, and the body that the upstream got last, in
# which what is not UTF-8 is replaced

sub word { (header(shift, 'Conflict') // '') =~ /^(\w+)/ ? $1 : '' }
sub sent {
    my $body = (journal())[-1]{body};

    utf8::encode($body);

    return $body;
}

sub typed {
    my ($path, $type, $body, @headers) = @_;

    return http('PUT', $path, body => $body,
                headers => ["Content-Type: $type", @headers]);
}

sub undeclared {
    return ('text/plain;charset=UTF-8', 'Text/Plain', '',
            'application/x-www-form-urlencoded', 'application/octet-stream');
}

run_tests();

__DATA__

=== JSON that is called something else, or nothing
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $n = 0;

for my $type (undeclared()) {
    for my $before ('', " \r\n\t", "\xef\xbb\xbf", "\xef\xbb\xbf\n") {
        for my $chunked (0, 1) {
            my $path = '/plain/' . ++$n;

            set_doc($path, { id => 1 });

            my $v = version(GET($path));
            my $body = qq($before\{"text":"a","base_version":$v});
            my @send = (chunked => $chunked,
                        headers => ["Content-Type: $type"]);

            my $r = http('PUT', $path, body => $body, @send);

            is($r->{status}, 204, "'$type' passes");
            is(word($r), 'passed', 'checked');
            is(sent(), qq($before\{"text":"a"}), 'and the base was cut out');

            $r = http('PUT', $path, body => $body, @send);

            is($r->{status}, 200, 'the same again');
            is(word($r), 'replayed', 'is known');

            $r = http('PUT', $path, body => qq({"base_version":$v}), @send);

            is($r->{status}, 409, 'another one is stale');
            is(json($r)->{server_version}{text}, 'a', 'with the latest body')
                unless $before =~ /^\xef/;
        }
    }
}

set_doc('/plain/a', [1]);
is(word(typed('/plain/a', 'text/plain', '[2]')), 'passed',
   'an array without a base');


=== the same again, in other pieces
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for my $sent ([0, 7], [7, 0], [7, 100]) {
    set_doc('/plain/1', { n => 1 });

    my $v = version(GET('/plain/1'));
    my @results = map {
        http('PUT', '/plain/1', body => qq({"text":"abc","base_version":$v}),
             chunked => $_)
    } @$sent;

    is(join(' ', map { word($_) } @results), 'passed replayed',
       "in pieces of @$sent bytes");
}


=== without any Content-Type
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
sub bare {
    my ($path, $body) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());
    syswrite $s, "PUT $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    return finish({ socket => $s, method => 'PUT' });
}

set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(bare('/plain/1', qq({"base_version":$v}))->{status}, 204, 'passes');
is(bare('/plain/1', qq({"a":1,"base_version":$v}))->{status}, 409, 'is stale');
is(word(bare('/plain/1', 'text')), 'unchecked', 'what is no JSON');


=== what turns out not to be JSON passes, and is not called checked
--- config
    location / {
        conflict version;
        conflict_max_body 10k;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

my @bodies = (
    'text', '{"text":', '{text:1}', '{}{}', '[1,]', '{"a":NaN}', ' ', "\n",
    "\xef\xbb{}", "\xef\xbb\xbftext", '"text"', '12', 'a=1&b=2',
    '{{template}}', "{\"base_version\":$v,", '[' x 200,
    '{"a":"' . 'x' x 11000 . '"}', 'x' x 11000,
);

for my $type (undeclared()) {
    for my $body (@bodies) {
        for my $chunked (0, 3000) {
            my $name = "'$type': " . substr $body, 0, 20;
            my $r = http('PUT', '/plain/1', body => $body,
                         chunked => $chunked,
                         headers => ["Content-Type: $type"]);

            is($r->{status}, 204, $name);
            is(word($r), 'unchecked', 'unchecked');
            is(sent(), $body, 'as it came') unless $body =~ /\xbb\{/;
        }
    }
}

isnt(version(GET('/plain/1')), $v, 'a write is a write');
is(scalar(grep { $_->{action} ne 'conflict_unchecked' } conflicts()), 0,
   'no conflict');
is(scalar(conflicts()), 2 * scalar(my @types = undeclared()), 'the log has those that had a base');

for my $base ('{}', '[1]', 'null', 'true', '1.5', '"x"', '""') {
    my $r = typed('/plain/1', 'text/plain', qq({"a":1,"base_version":$base}));

    is($r->{status}, 400, "JSON with the base $base");
    is(json($r)->{error}, 'malformed_base', 'error');
}

is(typed('/plain/1', 'text/plain', '{"base_version":1,"base_version":1}')
   ->{status}, 400, 'or with two');


=== bodies in which nothing can be found
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /lww/ {
        conflict lww;
        proxy_pass http://api;
    }
    location /server_wins/ {
        conflict server_wins;
        proxy_pass http://api;
    }
    location /report/ {
        conflict version report;
        proxy_pass http://api;
    }
    location /header/ {
        conflict version;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
--- steps
my @bodies = (
    ['multipart/form-data; boundary=x', "--x\r\n\r\n1\r\n--x--"],
    ['image/png', "\x89PNG"],
    ['application/jsonp', '{"base_version":1}'],
    ['text/html', '{"base_version":1}'],
    ['application/json', "\x1f\x8b\x08\0", 'Content-Encoding: gzip'],
    ['text/plain', "\x1f\x8b\x08\0", 'Content-Encoding: br'],
);

for my $row (@bodies) {
    my ($type, $body, @headers) = @$row;

    for my $path ('/plain/1', '/lww/1', '/server_wins/1', '/report/1') {
        set_doc($path, { id => 1 });

        my $v = version(GET($path));
        my $r = typed($path, $type, $body, @headers);

        is($r->{status}, 204, "$path, $type");
        is(word($r), 'unchecked', 'unchecked');
        is(sent(), $body, 'as it came') unless $body =~ /[\x80-\xff]/;
        ok(version(GET($path)) > $v, 'and it has made a version')
            unless $path =~ /report/;
    }

    set_doc('/plain/1', { id => 1 });

    my $v = version(GET('/plain/1'));

    is(word(typed('/plain/1', $type, $body, @headers, qq(If-Match: "$v"))),
       'passed', 'a base in a header is checked');
    is(typed('/plain/1', $type, $body, @headers, qq(If-Match: "$v"), 'X-Y: 1',
             'Idempotency-Key: 2')->{status}, 409, 'or is stale');

    is(word(typed('/header/1', $type, $body, @headers)), 'passed',
       'where bases are in a header none can be in a body');
}


=== such a write has its turn, as others do
--- config
    location / {
        conflict version;
        conflict_wait 100ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $one = start('PUT', '/plain/1', body => 'text',
                headers => ['Content-Type: text/plain',
                            'X-Up-Write: apply hold']);

applied(1);

is(json(PUT('/plain/1', { base_version => $v }))->{error},
   'write_in_progress', 'another one meets it');
release();
is(word(finish($one)), 'unchecked', 'it passes');
is(PUT('/plain/1', { base_version => $v })->{status}, 409, 'and has changed it');


=== conflict_require refuses them, and says what to send
--- config
    location / {
        conflict version;
        conflict_require on;
        conflict_max_body 10k;
        proxy_pass http://api;
    }
    location /at/ {
        conflict lww;
        conflict_base json:/meta/"v";
        conflict_require on;
        proxy_pass http://api;
    }
    location /header/ {
        conflict version;
        conflict_base header:X-Base;
        conflict_require on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $cut = qq({"base_version":$v,"a":);

my @rows = (
    [ 'application/json', '{"a":1}', 428 ],
    [ 'text/plain', '{"a":1}', 428 ],
    [ 'text/plain', '{"a":', 428 ],
    [ 'text/plain', 'text', 428 ],
    [ 'text/plain', 'x' x 11000, 428 ],
    [ 'multipart/form-data; boundary=x', "--x\r\n\r\n1\r\n--x--", 428 ],
    [ 'image/png', "\x89PNG", 428 ],
    [ 'application/json', '', 428 ],

    # who has sent one, or may have, is not told that there is none

    [ 'text/plain', $cut, 400, 'malformed_json' ],
    [ 'text/plain', '[' x 200, 400, 'malformed_json' ],
    [ 'application/json', $cut, 400, 'malformed_json' ],
    [ 'text/plain', '{"base_version":{}}', 400, 'malformed_base' ],
    [ 'text/plain', '{"a":"' . 'x' x 11000 . '"}', 413, 'body_too_large' ],
    [ 'application/json', "\x1f\x8b", 415, 'encoded_body',
      'Content-Encoding: gzip' ],
    [ 'text/plain', "\x1f\x8b", 415, 'encoded_body',
      'Content-Encoding: gzip' ],
);

for my $row (@rows) {
    my ($type, $body, $status, $error, @headers) = @$row;

    for my $chunked (0, 1000) {
        my $r = http('PUT', '/plain/1', body => $body, chunked => $chunked,
                     headers => ["Content-Type: $type", @headers]);
        my $name = "$type: " . substr $body, 0, 30;

        is($r->{status}, $status, $name);
        is(json($r)->{error}, $error || 'precondition_required', 'error');
        is(json($r)->{detail}, 'send If-Match with the ETag of the resource,'
           . ' or a JSON body with its version at /base_version', 'what to send')
            if $status == 428;
        like(json($r)->{detail}, qr/If-Match/, 'what to send')
            if $status == 413 || $status == 415;
    }
}

is(scalar(journal()), 0, 'nothing was forwarded');
is(scalar(grep { $_->{action} ne 'conflict_required' } conflicts()), 0,
   'as it is logged');

for my $row (@rows) {
    my ($type, $body, undef, undef, @headers) = @$row;
    next if $body =~ /base_version/;

    $v = version(GET('/plain/1'));
    is(typed('/plain/1', $type, $body, @headers, qq(If-Match: "$v"))
       ->{status}, 204, "with a base in a header it passes: $type");
    set_doc('/plain/1', { id => 1 });
}

like(json(typed('/at/1', 'image/png', 'x'))->{detail}, qr!at /meta/"v"$!,
     'the member by its name');
is(typed('/at/1', 'application/json', 'x', 'Content-Encoding: gzip')
   ->{status}, 415, 'whatever the policy');
like(json(PUT('/header/1', {}))->{detail}, qr!in the header x-base$!,
     'or the header');


=== a version as a client has it
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /header/ {
        conflict version;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
--- steps
my @forms = ('V', '"V"', 'W/"V"', '"V.abc"', '"V-gzip"', 'W/"V-gzip"',
             '"V--gzip"', '"V;gzip"', '"V-br"', '"V;br"', '"V-zstd"',
             '"V;zstd"', '"V-deflate"', '"V.abc-gzip"', '"V"-gzip', 'V.abc',
             'V-gzip', 'V;br');
my $n = 0;

my $one = sub {
    my ($name, $write) = @_;
    my $path = ($name =~ /own/ ? '/header/' : '/plain/') . ++$n;

    set_doc($path, { id => 1 });

    my $v = version(GET($path));

    for my $form (@forms) {
        (my $base = $form) =~ s/V/$v/;
        my $r = $write->($path, $base, 1);

        is($r->{status}, 204, "$name: $form");
        is(word($r), 'passed', 'passed');

        $r = $write->($path, $base, 2);

        is($r->{status}, $name eq 'in If' ? 412 : 409,
           'and once more it is stale');
        is(json($r)->{base_version}, $v, 'told as the number');

        $v = json($r)->{version};
    }
};

$one->('in the body', sub {
    my ($path, $base, $i) = @_;
    return PUT($path, { i => $i, base_version => $base });
});

$one->('in a header of its own', sub {
    my ($path, $base, $i) = @_;
    return PUT($path, { i => $i }, "X-Base: $base");
});

$one->('in If-Match', sub {
    my ($path, $base, $i) = @_;
    return PUT($path, { i => $i }, "If-Match: $base");
});

$one->('in If-Match, one of several', sub {
    my ($path, $base, $i) = @_;
    my $r = PUT($path, { i => $i }, "If-Match: \"1\" ,$base, 2");

    # several are told as they came
    $r->{body} =~ s/"base_version":"\\"1\\" ,[W\/]*\\*"?(\d+).*?, 2"/"base_version":$1/;
    return $r;
});

$one->('in If', sub {
    my ($path, $base, $i) = @_;
    return PUT($path, { i => $i }, "If: ([$base])");
});

set_doc('/plain/none', { id => 1 });

my $v = version(GET('/plain/none'));

for my $form (@forms) {
    (my $base = $form) =~ s/V/$v/;

    is(PUT('/plain/none', { n => 1 }, "If-None-Match: $base")->{status}, 409,
       "If-None-Match: $form");
}

for my $base ('x', 'x17', '17x', '1.5x-', 'W/17', '"17', '17"', 'v1') {
    my $r = PUT('/plain/none', { n => 1 }, "If-Match: $base");
    is($r->{status}, $base eq '1.5x-' ? 409 : 400, "If-Match: $base");
}

my $long = '"' . $v . '.' . 'x' x 200 . '"';

is(PUT('/plain/none', { base_version => $long })->{status}, 204,
   'with a long tag behind it');
is(PUT('/plain/none', { base_version => '"abc"' })->{status}, 409,
   'a tag that is no version of ours is stale');
is(PUT('/plain/none', { base_version => 'abc' })->{status}, 400,
   'what is no tag is no base');


=== an upstream's own tag behind a front
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /hidden/ {
        conflict version;
        conflict_version header:ETag;
        proxy_set_header If-Match "";
        proxy_pass http://api/etag/;
    }
    location /lww/ {
        conflict lww;
        conflict_version header:ETag;
        proxy_pass http://api/etag/;
    }
    location /merge/ {
        conflict merge;
        conflict_version header:ETag;
        proxy_pass http://api/etag/;
    }
--- steps
sub asked {
    my %h = map { $_->[0] => $_->[1] } @{ (journal())[-1]{headers} };
    return $h{'if-match'};
}

set_doc('/etag/1', { id => 1 });
GET('/etag/1');

my $n = 1;

for my $form ('"eN"', 'W/"eN"', '"eN-gzip"', 'W/"eN-gzip"', '"eN--gzip"',
              '"eN;gzip"', '"eN-br"', '"eN"-gzip')
{
    (my $tag = $form) =~ s/N/$n/;
    my $r = PUT('/etag/1', { n => 1 }, "If-Match: $tag");

    is($r->{status}, 200, "If-Match: $form, and the upstream agrees");
    is(word($r), 'passed', 'passed');
    is(asked(), qq("e$n"), 'it was asked in its own words');
    is(PUT('/etag/1', { n => 2 }, "If-Match: $tag")->{status}, 409, 'stale');

    $n++;
}

is(PUT('/etag/1', { n => 1 }, qq(If-Match: "x-gzip",W/"e$n" , W/"y"))
   ->{status}, 200, 'one of several');
is(asked(), qq("x-gzip", "e$n", W/"y"), 'the others are left alone');
$n++;

is(PUT('/etag/1', { n => 1 }, qq(If-Match: "x-gzip","e$n"))->{status}, 200,
   'nothing to change');
is(asked(), qq("x-gzip","e$n"), 'nothing was');
$n++;

for my $form ('"eN-gzip"', 'W/"eN"', 'eN-gzip', 'eN;br') {
    (my $tag = $form) =~ s/N/$n/;
    my $r = PUT('/etag/1', { n => 1, base_version => $tag });

    is($r->{status}, 200, "in a body: $form");
    is(word($r), 'passed', 'passed');
    is(PUT('/etag/1', { n => 2, base_version => $tag })->{status}, 409,
       'stale');

    $n++;
}

for my $path ('/lww/2', '/merge/3') {
    my ($id) = $path =~ /(\d)/;

    set_doc("/etag/$id", { id => 1 });
    GET($path);

    is(word(PUT($path, { n => 1, base_version => '"e1-gzip"' })), 'passed',
       "$path: no conflict");
    is(word(PUT($path, { n => 3, base_version => '"e1-gzip"' })),
       $path =~ /lww/ ? 'overwrote' : 'rejected', 'but that is one');
}

set_doc('/etag/4', { id => 1 });
GET('/hidden/4');

for my $tag ('"e1"', 'W/"e2"') {
    is(word(PUT('/hidden/4', { n => 1 }, "If-Match: $tag")), 'passed', $tag);
    is(asked(), undef, 'which proxy_set_header has hidden');
}


=== a tag that has such an end by itself
--- config
    location / {
        conflict version;
        conflict_version header:X-Version;
        conflict_base header:X-Base;
        proxy_set_header If-Match "";
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/up/;
    }
    location /up/ {
        conflict off;
        default_type application/json;
        add_header X-Version '"12-br"';
        return 200 '{"id":1}';
    }
--- steps
GET('/a');
is(PUT('/a', { n => 1 }, 'X-Base: "12-br"')->{status}, 200, 'as it is');
is(PUT('/a', { n => 1 }, 'X-Base: "12-br-gzip"')->{status}, 200,
   'or without the suffix');
is(PUT('/a', { n => 1 }, 'X-Base: "12"')->{status}, 409, 'and no further');
is(PUT('/a', { n => 1 }, 'If-Match: W/"12-br"')->{status}, 200, 'by If-Match');
is(PUT('/a', { n => 1 }, 'If-Match: "12"')->{status}, 409, 'the same');


=== a member that is an entity tag
--- config
    location / {
        conflict version;
        conflict_version json:/@odata.etag;
        conflict_base json:/@odata.etag;
        proxy_pass http://api;
    }
--- steps
my $n = 0;

for my $tag ('"v1"', 'W/"v1"') {
    for my $write ('If-Match: "v1"', 'If-Match: W/"v1"', 'If-Match: "v1-gzip"',
                   '"v1"', 'W/"v1"', 'v1')
    {
        my $path = '/doc/' . ++$n;
        my ($header, $base) = $write =~ /^If/ ? ($write, undef) : ('X: y', $write);

        set_doc($path, { '@odata.etag' => $tag, t => 'a' });

        my $r = PUT($path, { t => 'b', $base ? ('@odata.etag' => $base) : () },
                    $header);

        ok($r->{status} < 300, "$tag, $write");

        set_doc($path, { '@odata.etag' => 'W/"v2"', t => 'c' });
        PUT($path, { t => 'd', '@odata.etag' => 'W/"v2"' });

        is(PUT($path, { t => 'e', $base ? ('@odata.etag' => $base) : () },
               $header)->{status}, 409, 'stale');
    }
}

set_doc('/doc/a', { '@odata.etag' => 'W/"v1"' });
PUT('/doc/a', { t => 1 }, 'If-Match: W/"v1-gzip"');

my %h = map { $_->[0] => $_->[1] } @{ (journal())[-1]{headers} };
is($h{'if-match'}, 'W/"v1"', 'the upstream is asked as its member says');

unlike(error_log(), qr/is weak/,
       'nothing to complain of');


=== a tag that this nginx has weakened goes upstream as it was
--- config
    gzip on;
    gzip_min_length 1;
    gzip_types application/json;
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /report/ {
        conflict version report;
        conflict_version header:ETag;
        proxy_pass http://api/etag/;
    }
--- steps
set_doc('/etag/1', { id => 1 });

for my $n (1 .. 3) {
    my $tag = header(GET('/etag/1', 'Accept-Encoding: gzip'), 'ETag');

    is($tag, qq(W/"e$n"), 'weakened');
    is(PUT('/etag/1', { n => $n }, "If-Match: $tag")->{status}, 200,
       'the upstream, which compares as it should, agrees');
}

is(PUT('/report/1', { n => 1 }, 'If-Match: W/"e4"')->{status}, 412,
   'in report mode it sees what the client has sent');


=== a weak tag of the upstream is told of when it is seen, not each time
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/weak/1', { id => 1 });
set_doc('/etag/1', { id => 1 });

sub told {
    return scalar(() = error_log()
                       =~ /the upstream's ETag "W\/"e\d"" is weak/g);
}

GET('/etag/1');
PUT('/etag/1', { n => 1 });
is(told(), 0, 'a strong one');

GET('/weak/1');
is(told(), 1, 'by a read');

GET('/weak/1') for 1 .. 5;
PUT('/weak/1', { n => 1 });
is(told(), 1, 'once');


=== and by a write
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/up/;
    }
    location /up/ {
        conflict off;
        add_header ETag 'W/"e1"';
        return 201;
    }
--- steps
PUT('/1', { n => 1 });
like(error_log(),
     qr!the upstream's ETag "W/"e1"" is weak!, 'the log has it');


=== an empty body has no base
--- http_config
    proxy_temp_path proxy_temp;
--- config
    location /version/ { conflict version; proxy_pass http://api; }
    location /lww/ { conflict lww; proxy_pass http://api; }
    location /client_wins/ { conflict client_wins; proxy_pass http://api; }
    location /server_wins/ { conflict server_wins; proxy_pass http://api; }
    location /report/ { conflict version report; proxy_pass http://api; }
    location /header/ {
        conflict version;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
    location /stream/ {
        conflict version;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://api;
    }
    location /merge/ {
        conflict merge;
        conflict_field /owner server;
        proxy_pass http://api;
    }
    location /require/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
--- steps
my @types = ('application/json', 'text/plain', 'image/png',
             'multipart/form-data; boundary=x', 'application/json'
             . "\r\nContent-Encoding: gzip");

for my $policy (qw(version lww client_wins server_wins report header stream
                   merge))
{
    for my $type (@types) {
        for my $chunked (0, 1) {
            my $r = http('PUT', "/$policy/1", body => '',
                         chunked => $chunked,
                         headers => ["Content-Type: $type"]);

            like($r->{status}, qr/^20[14]$/, "$policy, $type");
            is(word($r), 'passed', 'without a base')
                unless $chunked && $policy eq 'stream'
                       && $type !~ /^(application\/json|text\/plain)$/;
        }

        my $r = DELETE("/$policy/1", "Content-Type: $type");

        is($r->{status}, 204, 'DELETE');
        is(word($r), 'passed', 'the same');
    }
}

is(scalar(grep { $_->{entity_id} ne '/stream/1' } conflicts()), 0,
   'nothing to tell');

my $r = typed('/require/1', 'application/json', '');

is($r->{status}, 428, 'where a base is asked for it is missed');

$r = typed('/version/2', 'application/json', ' ');
is($r->{status}, 400, 'white space is not empty');

# JSON that some servers accept, but in which no base can be found

use Encode ();

my $json = '{"t":"caf\x{e9}"}';

for my $charset ('UTF-16', '"utf-16le"', 'utf-16be', 'UTF-32') {
    (my $name = $charset) =~ s/"//g;

    my $bytes = Encode::encode($name, $json);
    my $type = "application/json; charset=$charset";

    for my $policy (qw(version lww client_wins server_wins report header)) {
        my $r = typed("/$policy/text/$name", $type, $bytes);

        like($r->{status}, qr/^20[14]$/, "$policy, $charset");
        is(word($r), $policy eq 'header' ? 'passed' : 'unchecked', 'its mark');
    }

    is(typed('/require/1', $type, $bytes)->{status}, 415, 'asked for a base');
    is(typed('/merge/1', $type, $bytes)->{status}, 415, 'a protected field');
}

is(typed('/version/3', 'application/json; charset=utf-8', '{"t":')->{status},
   400, 'in UTF-8 it must be JSON');


=== a byte order mark, halves of a pair, and what is found behind them
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /inject/ {
        conflict version;
        conflict_inject json:/base_version;
        proxy_pass http://api/plain/;
    }
--- steps
my $bom = "\xef\xbb\xbf";

for my $text ($bom . '{"a":1}', '{"a":"\\ud83d"}', '{"\\ude00":"\\ud83dx"}',
              $bom . '{"a":"\\ud83d\\ud83d\\ude00"}')
{
    set_doc('/plain/1', $text);

    my $v = version(GET('/plain/1'));
    (my $body = $text) =~ s/\}$/,"base_version":$v}/;

    for my $chunked (0, 1) {
        $v = version(GET('/plain/1'));
        $body =~ s/(base_version":)\d+/$1$v/;

        my $r = http('PUT', '/plain/1', body => $body, chunked => $chunked);

        is($r->{status}, 204, $text);
        is(word($r), 'passed', 'checked');
        is(sent(), $text, 'and cut');
    }

    my $r = http('PUT', '/plain/1', body => '{"b":1,"base_version":1}');
    (my $row = $text) =~ s/^$bom//;

    is($r->{status}, 409, 'stale');
    like($r->{body}, qr/"server_version":\Q$row\E,"conflict_id"/,
         'shown without the mark, which may only be in front of a text');

    set_doc('/plain/2', $text);
    $r = GET('/inject/2');
    $v = version($r);
    (my $shown = $text) =~ s/\}$/,"base_version":$v}/;

    is($r->{body}, $shown, 'injected');
}

is(http('PUT', '/plain/1', body => '{"base_version":"\\ud83d"}')->{status},
   400, 'half a pair is no version');
is(http('PUT', '/plain/1', body => qq({"a":1}$bom))->{status}, 400,
   'a mark at the end');
is(http('PUT', '/plain/1', body => qq( $bom\{"a":1})) ->{status}, 400,
   'or behind a blank');


=== they are merged as they are
--- config
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
my $bom = "\xef\xbb\xbf";

set_doc('/plain/1', $bom . '{"a":"\\ud83d","b":1,"c":"\\ude00"}');

my $v = version(GET('/plain/1'));

is(http('PUT', '/plain/1', body => $bom . qq({"a":"\\ud83d","b":2,)
                                   . qq("c":"\\ude00","base_version":$v}))
   ->{status}, 204, 'one has changed a member');

my $r = http('PUT', '/plain/1', headers => ['Content-Type: text/plain'],
             body => qq({"a":"\\uD83D!","b":1,"c":"\\uDE00",)
                     . qq("base_version":$v}));

is(word($r), 'merged', 'the other, who calls it text, another one');
is(sent(), '{"a":"\\uD83D!","b":2,"c":"\\uDE00"}', 'both are there');

$r = http('PUT', '/plain/1', headers => ['Content-Type: text/plain'],
          body => $bom . qq({"a":"\\ud83d?","b":1,"c":"\\ude00","base_version":$v}));

is($r->{status}, 409, 'both have changed it');
like($r->{body}, qr!"conflicts":\[\{"field":"/a",[^}]*"client":"\\ud83d\?"\}\]!,
     'that is it');


=== beside a base in a header what the API takes passes
--- config
    location / {
        conflict version;
        conflict_max_body 10k;
        proxy_pass http://api;
    }
    location /merge/ {
        conflict merge;
        conflict_max_body 10k;
        proxy_pass http://api/plain/;
    }
    location /server/ {
        conflict merge;
        conflict_max_body 10k;
        conflict_field /owner server;
        proxy_pass http://api/plain/;
    }
--- steps
my @bodies = (
    '{"a":NaN}', '{"a":1,}', "{'a':1}", '{"a":1} // x', '[' x 200, ' ',
    '{"base_version":1,"base_version":1}', '{"base_version":5,"a":NaN}',
    '{"a":"' . 'x' x 11000 . '"}',
);

my $n = 0;

for my $body (@bodies) {
    for my $path ('/plain/', '/merge/', '/server/') {
        for my $chunked (0, 1000) {
            set_doc('/plain/' . ++$n, { id => 1 });

            my $v = version(GET("$path$n"));
            my $w = journal();
            my $r = http('PUT', "$path$n", body => $body,
                         headers => [qq(If-Match: "$v")],
                         chunked => $chunked);
            my $name = $path . ': ' . substr $body, 0, 30;

            if ($path eq '/server/') {
                like($r->{status}, qr/^4(00|13)$/,
                     "$name: a field is the server's");
                next;
            }

            is($r->{status}, 204, $name);
            is(word($r), 'passed', 'checked');
            is(sent(), $body, 'as it came');
            is(http('PUT', "$path$n", body => $body,
                    headers => ['If-Match: "5"'])->{status}, 409, 'or stale');
        }
    }
}

is(PUT('/plain/1', '{"base_version":{}}', 'If-Match: "5"')->{status}, 400,
   'but a base is a base');


=== where the body is no JSON
--- config
    location / {
        conflict version;
        client_body_buffer_size 1k;
        proxy_pass http://api;
    }
--- steps
my @rows = (
    [ '{"a":1,}', 1, 8 ],
    [ "{\n  \"a\": 1,\n  \"text\": NaN\n}", 3, 11 ],
    [ "{\r\n\"a\" 1}", 2, 5 ],
    [ "{\"\xc3\xa9\xe2\x82\xac\": x}", 1, 8 ],
    [ '{"a":1', 1, 7 ],
    [ ' ', 1, 2 ],
    [ "\n" x 3000 . '{"a":"' . 'x' x 3000 . '" "b"}', 3001, 3009 ],
    [ '{"a":"\x"}', 1, 8 ],
    [ "\xef\xbb\xbf{]", 1, 2 ],
);

for my $row (@rows) {
    my ($body, $line, $column) = @$row;

    for my $chunked (0, 1, 700) {
        next if $chunked == 1 && length $body > 100;

        my $r = http('PUT', '/plain/1', body => $body, chunked => $chunked);

        is($r->{status}, 400, 'refused');
        is(json($r)->{detail}, 'the body is not valid JSON: '
           . "line $line, column $column", 'where');
    }
}

is(json(http('PUT', '/plain/1', body => "\n" . '[' x 200))->{detail},
   'the body is nested deeper than 128 levels: line 2, column 129',
   'the same');


=== without buffering
--- config
    location / {
        conflict version;
        conflict_max_body 10k;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $large = '{"a":"' . 'x' x 11000 . '"}';

is(word(typed('/plain/1', 'text/plain', $large)), 'unchecked',
   'too large by its length: streamed');
is(sent(), $large, 'all of it');
is(word(http('PUT', '/plain/1', body => $large, chunked => 3000,
             headers => ['Content-Type: text/plain'])), 'unchecked',
   'by what comes');
is(sent(), $large, 'all of it');
is(word(typed('/plain/1', 'image/png', 'x' x 50000)), 'unchecked',
   'not JSON by its type');

is(typed('/plain/1', 'text/plain', qq({"base_version":$v}))->{status}, 409,
   'else it is looked into');

$v = version(GET('/plain/1'));

is(word(http('PUT', '/plain/1', body => qq({"a":1,"base_version":$v}),
             chunked => 5, headers => ['Content-Type: text/plain'])),
   'passed', 'also in chunks');
is(sent(), '{"a":1}', 'and cut');
