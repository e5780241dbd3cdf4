# Other modules of nginx in a guarded location.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== mirror and try_files
--- config
    location / {
        conflict version;
        try_files /none @api;
    }
    location @api {
        mirror /mirror;
        proxy_pass http://api;
    }
    location = /mirror {
        internal;
        conflict off;
        proxy_pass http://api/plain/mirrored;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204, 'passes');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409, 'stale');

until_true { grep { $_->{path} eq '/plain/mirrored' } journal() };
is(scalar(grep { $_->{path} eq '/plain/mirrored' } journal()), 1,
   'only what passed is mirrored');
is(scalar(grep { $_->{path} eq '/plain/1' } journal()), 1, 'one write');


=== guarded where try_files leads to
--- config
    location / {
        try_files /none @api;
    }
    location @api {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204, 'passes');

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 409, 'stale');
is(json($r)->{server_version}{n}, 1, 'with the latest body');


=== a subrequest that writes a guarded resource makes bases stale
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /other/ {
        mirror /plain/copied;
        proxy_pass http://api/plain/;
    }
    location /after/ {
        post_action /plain/copied;
        proxy_pass http://api/plain/;
    }
    location = /plain/again {
        conflict version;
        post_action @again;
        proxy_pass http://api;
    }
    location @again {
        conflict version;
        proxy_pass http://api;
    }
    location /same/ {
        conflict version;
        conflict_key same:$http_x_id;
        mirror /copy/;
        proxy_pass http://api/plain/;
    }
    location /copy/ {
        conflict version;
        conflict_key same:$http_x_id;
        proxy_pass http://api/text/;
    }
--- steps
set_doc('/plain/copied', { n => 1 });

my $v = version(GET('/plain/copied'));

is(PUT('/other/1', { n => 2 })->{status}, 201, 'mirrored');

my $now;
until_true { ($now = version(GET('/plain/copied')) || $v) ne $v };
is(PUT('/plain/copied', { n => 3, base_version => $v })->{status}, 409,
   'a base from before it');
is(PUT('/plain/copied', { n => 3, base_version => $now })->{status}, 204,
   'and from after it');

# a post_action, also of a write that was refused

$v = version(GET('/plain/copied'));
PUT('/after/1', { n => 4 });
until_true { ($now = version(GET('/plain/copied')) || $v) ne $v };
is(PUT('/plain/copied', { n => 5, base_version => $v })->{status}, 409,
   'after a post_action');

my $landed = sub { scalar grep { $_->{path} eq '/plain/again' } journal() };

set_doc('/plain/again', { n => 1 });
$v = version(GET('/plain/again'));

for my $n (1, 2) {
    my $r = PUT('/plain/again', { n => $n, base_version => $v });

    is($r->{status}, 204, 'it repeats the write');
    $v = version($r);
    until_true { $landed->() == 2 * $n };
}

is(PUT('/plain/again', { n => 3, base_version => 1 })->{status}, 409,
   'refused');
until_true { ($now = version(GET('/plain/again')) || $v) ne $v };
is($landed->(), 5, 'but repeated');
is(PUT('/plain/again', { n => 4, base_version => $v })->{status}, 409,
   'so what was shown before is stale');

# the mirror of a guarded write, and the write, are one

my @id = 'X-Id: 1';
$v = undef;

for my $n (1 .. 3) {
    my $r = PUT('/same/1', { n => $n, $v ? (base_version => $v) : () }, @id);

    like($r->{status}, qr/^20[14]$/, "write $n");
    ok($v = version($r), 'its version');
    until_true { $n == grep { $_->{path} =~ m!^/text/! } journal() };
}


=== the mirror of a guarded write, in another store
--- http_config
    conflict_store other zone=1m;
--- config
    location /same/ {
        conflict version;
        conflict_key same:1;
        mirror /copy/;
        proxy_pass http://api/plain/;
    }
    location /copy/ {
        conflict version store=other;
        conflict_key same:1;
        proxy_pass http://api/text/;
    }
--- steps
set_doc('/text/', { n => 1 });
my $v = version(GET('/copy/'));

is(PUT('/same/1', { n => 2 })->{status}, 201, 'mirrored');

my $now;
until_true { ($now = version(GET('/copy/')) || $v) ne $v };
is(PUT('/copy/', { n => 3, base_version => $v })->{status}, 409,
   'a base from before it');
is(PUT('/copy/', { n => 3, base_version => $now })->{status}, 204,
   'and from after it');


=== a subrequest that was not sent changes nothing
--- config
    location /plain/ {
        conflict version;
        conflict_quarantine 60s;
        proxy_pass http://api;
    }
    location /other/ {
        mirror /dead;
        proxy_pass http://api/plain/;
    }
    location = /dead {
        internal;
        conflict version;
        conflict_key /plain/1;
        proxy_pass http://127.0.0.1:1;
    }
--- allow: connect\(\) failed|no live upstreams
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

is(PUT('/other/2', { n => 2 })->{status}, 201, 'it passes');
ok(until_true { log_count(qr/connect\(\) failed/) }, 'its mirror does not');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 204,
   'a base from before it holds');


=== the question to a resolver is not a write
--- config
    conflict merge;
    conflict_methods PUT PATCH DELETE POST;
    conflict_key key:1;
    conflict_quarantine 60s;
    conflict_user $http_x_user;
    location /plain/ {
        conflict_resolver /_resolve;
        proxy_pass http://api;
    }
    location = /_resolve {
        internal;
        proxy_set_header X-Up-Write "status=204";
        proxy_pass http://api/text/resolve;
    }
--- steps
my $v = shown('/plain/1', { a => 1 }, 'ann', 'bob');

is(PUT('/plain/1', { a => 2, base_version => $v }, 'X-User: bob')->{status},
   204, 'bob');
is(PUT('/plain/1', { a => 3, base_version => $v }, 'X-User: ann')->{status},
   409, 'ann, as it does not decide');
is(scalar(grep { $_->{method} eq 'POST' } seen()), 1, 'it was asked');

my $now = version(GET('/plain/1', 'X-User: ann'));
like($now, qr/^\d+$/, 'the resource has a version');
is(PUT('/plain/1', { a => 4, base_version => $now }, 'X-User: ann')->{status},
   204, 'on which ann writes');


=== error_page after the upstream: the settle goes by what the upstream said
--- config
    location / {
        conflict version;
        conflict_quarantine 200ms;
        conflict_wait 10ms;
        proxy_intercept_errors on;
        error_page 404 422 =200 /page;
        error_page 500 502 504 @again;
        proxy_pass http://api;
    }
    location = /page {
        return 200 page;
    }
    location @again {
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { base_version => $v }, 'X-Up-Write: status=422');

is($r->{status}, 200, 'the page');
is($r->{body}, 'page', 'really');
is(version(GET('/plain/1')), $v, 'the write was refused: nothing changed');
is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204,
   'the base is good');

$v = version(GET('/plain/1'));

# a write that may be applied is not sent again by way of error_page

$r = PUT('/plain/1', { n => 2, base_version => $v },
         'X-Up-Write: apply close');

is($r->{status}, 503, 'not sent again');
is(json($r)->{error}, 'outcome_unknown', 'error');
is(scalar(grep { $_->{method} eq 'PUT' && $_->{body} =~ /"n":2/ } seen()), 1,
   'the upstream saw it once');


=== error_page to a fallback that is asked instead
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 404 = @old;
        proxy_pass http://api;
    }
    location @old {
        proxy_pass http://api/own$uri;
    }
--- steps
set_doc('/own/plain/1', { id => 1 });

is(PUT('/plain/1', { n => 1 }, 'X-Up-Write: status=404')->{status}, 404,
   'both say 404');
is(scalar(grep { $_->{method} eq 'PUT' } seen()), 2, 'both were asked');


=== X-Accel-Redirect
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /file/ {
        internal;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> done.txt
done
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 1, base_version => $v },
            'X-Up-Write: apply header=X-Accel-Redirect:/file/done.txt');

is($r->{status}, 200, 'redirected');
like($r->{body}, qr/done/, 'to the file');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
   'the write counts');


=== proxy_request_buffering off: no base in the body is missed
--- config
    location / {
        conflict version;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(http('PUT', '/plain/1', body => '{"big":"' . 'x' x 300000 . '"}',
        headers => [qq(If-Match: "$v")])->{status}, 204, 'a large body');
is(PUT('/plain/1', { n => 1 }, qq(If-Match: "$v"))->{status}, 409, 'stale');
is(PUT('/plain/1', { base_version => $v })->{status}, 409,
   'a base in the body is found all the same');

my $w = version(GET('/plain/1'));

is(PUT('/plain/1', { base_version => $v }, qq(If-Match: "$w"))->{status}, 409,
   'of two bases both must hold');
is(PUT('/plain/1', { n => 2, base_version => $w }, qq(If-Match: "$w"))
   ->{status}, 204, 'as here');
unlike((journal())[-1]{body}, qr/base_version/, 'the API does not see it');

for my $type ('text/plain', 'image/png') {
    $w = version(GET('/plain/1'));
    is(http('PUT', '/plain/1', body => 'x' x 300000,
            headers => [qq(If-Match: "$w"), "Content-Type: $type"])->{status},
       204, "$type: streamed");
}


=== a streamed body over a unix socket, where connect succeeds at once
--- http_config
server {
    listen unix:$TEST_NGINX_SERVER_ROOT/api.sock;
    location / {
        proxy_pass http://api;
    }
}
--- config
    location / {
        conflict version;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/api.sock:;
    }
--- steps
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());
my $text = 'x' x 200000;

syswrite $s, "PUT /plain/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
             . "If-None-Match: *\r\nContent-Length: 400000\r\n\r\n";
syswrite $s, $text;

# nginx has read all there is before the rest comes

until_true { GET('/ping')->{status} == 200 };

for (my $left = $text; length $left; ) {
    my $n = syswrite $s, $left;
    substr $left, 0, $n, '';
}

is(finish({ socket => $s, method => 'PUT' }, timeout => 5)->{status}, 201,
   'it arrives');
is(length((journal())[0]{body}), 400000, 'whole');


=== auth_request, limit_req and SSI subrequests are left alone
--- http_config
    limit_req_zone $uri zone=req:1m rate=100r/s;
--- config
    location / {
        conflict version;
        auth_request /auth;
        limit_req zone=req burst=50 nodelay;
        ssi on;
        ssi_types application/json;
        proxy_pass http://api;
    }
    location = /auth {
        internal;
        proxy_pass http://api/plain/auth;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
--- steps
set_doc('/plain/auth', { ok => 1 });
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204, 'passes');

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 409, 'stale');
is(json($r)->{server_version}{n}, 1, 'the body');


=== inherited, switched off, and inside "if" and limit_except
--- http_config
    conflict version;
--- config
    location / {
        proxy_pass http://api;
    }
    location /off/ {
        conflict off;
        proxy_pass http://api/plain/;
    }
    location /plain/if/ {
        if ($http_x_any) {
            proxy_pass http://api;
        }
        proxy_pass http://api;
    }
    location /plain/except/ {
        limit_except GET {
            allow all;
        }
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { id => 1 }) for '1', 'if/1', 'except/1';

is(PUT('/plain/1', { base_version => 1 })->{status}, 409, 'inherited');
is(PUT('/plain/if/1', { base_version => 1 }, 'X-Any: 1')->{status}, 409, 'if');
is(PUT('/plain/except/1', { base_version => 1 })->{status}, 409,
   'limit_except');
is(PUT('/off/1', { base_version => 1 })->{status}, 204, 'off');


=== a location without any upstream
--- config
    location / {
        conflict version;
        return 204;
    }
    location /static/ {
        conflict version;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> a.txt
a
--- steps
is(PUT('/x', { n => 1 })->{status}, 204, 'return comes first');
is(PUT('/static/a.txt', { n => 1 })->{status}, 405, 'a file is not written');
is(GET('/static/a.txt')->{body}, "a\n", 'a file is read');
like(version(GET('/static/a.txt')), qr/^\d+$/, 'with a version');
is(PUT('/static/a.txt', { base_version => 1 })->{status}, 409, 'checked');


=== HTTP/2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2 http2;
        server_name localhost;

        location / {
            conflict version;
            conflict_strip_base on;
            conflict_wait 5s;
            proxy_pass http://api;
        }
        location /lm/ {
            conflict merge;
            proxy_pass http://api;
        }
    }
--- config
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
    location /lm/ {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
my $url = "http://127.0.0.1:$ENV{TEST_NGINX_PORT2}";

my $h2 = sub {
    my ($method, $path, $body, @more) = @_;

    my $file = servroot() . '/html/h2.body';
    open my $out, '>', $file;
    print $out $body;
    close $out;

    my $text = `curl -s -i --http2-prior-knowledge -X $method @more \\
                -H 'Content-Type: application/json' \\
                --data-binary \@$file $url$path`;
    $text =~ s/^HTTP\/2 (\d+).*?\r\n/HTTP\/1.1 $1 X\r\n/;
    return Conflict::parse($text, $method);
};

set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = $h2->('PUT', '/plain/1', qq({"a":1,"base_version":$v,"b":2}));

is($r->{status}, 204, 'passes');
is((journal())[0]{body}, '{"a":1,"b":2}', 'stripped');

$r = $h2->('PUT', '/plain/1', qq({"a":2,"base_version":$v}));

is($r->{status}, 409, 'stale');
is(json($r)->{server_version}{a}, 1, 'the body');

# no Content-Length: DATA frames until the end of the stream

$v = version(GET('/plain/1'));
$r = $h2->('PUT', '/plain/1', '{"text":"' . 'x' x 200000
        . qq(","base_version":$v}), "-H 'Transfer-Encoding: chunked'");

is($r->{status}, 204, 'large, without a length');
is(length((journal())[-1]{body}), 200000 + length '{"text":""}',
   'arrived whole');

# a stream that is reset does not cut the write

$v = version(GET('/plain/1'));

my $pid = fork();

if ($pid == 0) {
    exec 'curl', '-s', '-o', '/dev/null', '--http2-prior-knowledge', '-X', 'PUT', '-m', '1',
         '-H', 'Content-Type: application/json', '-H', 'X-Up-Write: hold apply',
         '--data-binary', qq({"n":9,"base_version":$v}), "$url/plain/1";
}

begun(3);
kill 'TERM', $pid;
waitpid $pid, 0;

my $next = start('PUT', '/plain/1', body => { n => 10, base_version => $v });

release();
$r = finish($next);
is($r->{status}, 409, 'it was awaited');
is(json($r)->{server_version}{n}, 9, 'and counts');

# a merged body has another length

set_doc('/lm/1', { a => 1, b => 1 });
$v = version($h2->('GET', '/lm/1', ''));
$h2->('PUT', '/lm/1', qq({"a":2,"b":1,"base_version":$v}));
$r = $h2->('PUT', '/lm/1', qq({"a":1,"b":2222,"base_version":$v}),
           "-H 'Content-Length:'");
is($r->{status}, 204, 'merged');
my $doc = json(GET('/lm/1'));
is("$doc->{a} $doc->{b}", '2 2222', 'both');

