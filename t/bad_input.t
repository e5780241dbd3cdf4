# A write that cannot be checked is refused with a clear error, and nothing else
# happens.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== bodies that are not JSON, or not well said
--- config
    location / {
        conflict version;
        conflict_max_body 100k;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $deep = '[' x 127 . ']' x 127;

my @bodies = (
    [ ' ',                                    400, 'malformed_json', 'blank' ],
    [ '{',                                    400, 'malformed_json', 'cut' ],
    [ '{"a":1}}',                             400, 'malformed_json', 'more' ],
    [ '{"a":1} x',                            400, 'malformed_json', 'rubbish' ],
    [ "{}\xef\xbb\xbf",                       400, 'malformed_json', 'BOM' ],
    [ "{\0}",                                 400, 'malformed_json', 'NUL' ],
    [ "{\"a\":\"\0\"}",                       400, 'malformed_json',
      'NUL in a string' ],
    [ "{\"a\":\"\n\"}",                       400, 'malformed_json',
      'a line feed in a string' ],
    [ "{\"a\":\"\xc0\xaf\"}",                 400, 'malformed_json',
      'overlong UTF-8' ],
    [ "{\"a\":\"\xed\xa0\x80\"}",             400, 'malformed_json',
      'a surrogate in UTF-8' ],
    [ '{"a":01}',                             400, 'malformed_json',
      'a leading zero' ],
    [ "{'a':1}",                              400, 'malformed_json', 'quotes' ],
    [ '{"a":NaN}',                            400, 'malformed_json', 'NaN' ],
    [ '{"a":' . '[' x 128 . ']' x 128 . '}',  400, 'malformed_json',
      'nested too deep' ],
    [ '[' x 90000,                            400, 'malformed_json', 'a bomb' ],
    [ '{"base_version":1,"base_version":1}',  400, 'malformed_base',
      'a repeated base' ],
    [ '{"base_version":1,"base\u005fversion":2}', 400, 'malformed_base',
      'a repeated base, escaped' ],
    [ '{"base_version":null}',                400, 'malformed_base', 'null' ],
    [ '{"base_version":true}',                400, 'malformed_base', 'true' ],
    [ '{"base_version":1.5}',                 400, 'malformed_base', '1.5' ],
    [ '{"base_version":1e3}',                 400, 'malformed_base', '1e3' ],
    [ '{"base_version":"v1"}',                400, 'malformed_base', 'v1' ],
    [ '{"base_version":""}',                  400, 'malformed_base', '""' ],
    [ '{"base_version":[1]}',                 400, 'malformed_base', 'array' ],
    [ '{"base_version":"' . '1' x 1000 . '"}', 400, 'malformed_base', 'long' ],
    [ '{"a":"' . 'x' x 110000 . '"}',         413, 'body_too_large', 'large' ],
);

for my $method ('PUT', 'PATCH') {
    for my $row (@bodies) {
        my ($body, $status, $error, $name) = @$row;

        for my $chunked (0, 1000) {
            my $r = http($method, '/plain/1', body => $body,
                         chunked => $chunked);

            is($r->{status}, $status, "$method: $name");
            is(json($r)->{error}, $error, 'error');
        }
    }
}

my $r = http('PUT', '/plain/1', body => '{"base_version":1.5}');

is(json($r)->{base_version}, '1.5', 'the base as it was sent');
unlike($r->{headers}{conflict}, qr/base=/, 'and no other one');

is(scalar(journal()), 0, 'nothing was forwarded');
is(version(GET('/plain/1')), $v, 'nothing was changed');
is(scalar(conflicts()), 0, 'these are no conflicts');

my @good = (
    "{\"a\":$deep}", '{"a":1e400}', '{"a":' . '9' x 10000 . '}', '"text"', '12',
    '[{"base_version":1}]', '{"a":{"base_version":1}}', '{"a":1,"a":2}',
    '{"a":"\u0000"}',
    '{' . join(',', map { "\"k$_\":$_" } 1 .. 5000) . '}',
);

for my $body (@good) {
    is(http('PUT', '/plain/1', body => $body)->{status}, 204,
       'good, without a base: ' . substr $body, 0, 30);
}


=== headers
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
GET('/plain/1');

for my $header ('If-Match: x', 'If-Match: 5x', 'If-Match: "5', 'If-Match: "5" "6"',
                'If-Match: *, "5"', 'If-Match: ', 'If-Match: W/5',
                'If-Match: "a b"', "If-Match: \"a\x01\"", 'If-None-Match: x',
                'If-Unmodified-Since: 5', 'If-Unmodified-Since: ',
                'If-Unmodified-Since: Tue, 31 Feb 2023 00:00:00 GMT',
                'If-Unmodified-Since: 2023-02-29T00:00:00Z')
{
    my $r = PUT('/plain/1', { n => 1 }, $header);

    is($r->{status}, 400, $header);
    is(json($r)->{error}, 'malformed_base', 'error');
}

is(scalar(journal()), 0, 'nothing was forwarded');


=== a body that is compressed
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /strict/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = http('PUT', '/plain/1', body => "\x1f\x8b\x08\x00",
             headers => ['Content-Type: application/json',
                         'Content-Encoding: gzip']);

is($r->{status}, 204, 'a base may be in there');
is(header($r, 'Conflict'), 'unchecked', 'and nobody has looked');
is((conflicts())[0]{action}, 'conflict_unchecked', 'which is logged');

$r = http('PUT', '/strict/1', body => "\x1f\x8b\x08\x00",
          headers => ['Content-Type: application/json',
                      'Content-Encoding: gzip']);

is($r->{status}, 415, 'where a base is asked for');
is(json($r)->{error}, 'encoded_body', 'error');
is(header($r, 'Accept-Encoding'), 'identity', 'what can be checked');
is(scalar(journal()), 1, 'nothing was forwarded');

$v = version(GET('/plain/1'));
$r = http('PUT', '/plain/1', body => "\x1f\x8b\x08\x00",
          headers => ['Content-Type: application/json',
                      'Content-Encoding: gzip', qq(If-Match: "$v")]);

is($r->{status}, 204, 'a base in a header can be checked');
is(http('PUT', '/plain/2', body => 'x',
        headers => ['Content-Type: image/png', 'Content-Encoding: gzip'])
   ->{status}, 201, 'what is not JSON has no base in it');


=== types
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for my $type ('application/json', 'Application/JSON; charset=utf-8',
              'application/merge-patch+json', 'text/json')
{
    is(http('PUT', '/plain/1', body => '{', headers => ["Content-Type: $type"])
       ->{status}, 400, "$type is JSON");
}

for my $type ('text/plain', 'application/jsonp', 'application/x-json-not') {
    like(http('PUT', '/plain/1', body => '{',
              headers => ["Content-Type: $type"])->{status}, qr/^20[14]$/,
         "$type is not");
}


=== a connection goes on after a refusal
--- config
    location / {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
--- pipelined_requests eval
["PUT /plain/1\n{\"a\":", "PUT /plain/1\n{\"a\":1}", "GET /plain/none",
 "PUT /plain/1\n{\"base_version\":\"x\"}", "GET /ping"]
--- more_headers
Content-Type: application/json
--- error_code eval
[400, 428, 404, 400, 200]
--- response_body_like eval
["malformed_json", "precondition_required", "none", "malformed_base", "pong"]


=== a refusal before the body was read leaves none of it behind
--- config
    client_body_buffer_size 1k;
    location / {
        conflict version;
        conflict_max_body 1k;
        proxy_pass http://api;
    }
--- pipelined_requests eval
["PUT /plain/1\n" . "x" x 5000, "GET /ping",
 "PUT /plain/1\n" . "y" x 5000, "GET /ping"]
--- more_headers eval
["Content-Type: application/json", "", "If-Match: x", ""]
--- error_code eval
[413, 200, 400, 200]


=== requests whose framing is in doubt never reach the module
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
sub raw {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());
    syswrite $s, shift;
    return finish({ socket => $s, method => 'PUT' }, timeout => 5);
}

my $head = "PUT /plain/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           . "Content-Type: application/json\r\n";

is(raw($head . "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
       . "2\r\n{}\r\n0\r\n\r\n")->{status}, 400, 'a length and chunks');
is(raw($head . "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")->{status},
   400, 'two lengths');
is(raw($head . "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")->{status},
   400, 'a chunk without a size');
is(raw("PUT /plain/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
   ->{status}, 400, 'NUL in the path');
is(scalar(journal()), 0, 'nothing was forwarded');

is(raw($head . "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}")->{raw}
   =~ m!^HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201! ? 1 : 0, 1,
   'Expect: 100-continue');
