# The outcome of a write: the table of outcomes, and the response to the next
# write.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a refusal of the upstream leaves the version as it was
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for my $status (400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428,
                429)
{
    my $path = "/plain/s$status";
    set_doc($path, { id => 1 });
    my $v = version(GET($path));

    my $r = PUT($path, { base_version => $v }, "X-Up-Write: status=$status");

    is($r->{status}, $status, "the upstream answers $status");
    is(version(GET($path)), $v, 'the version stays');
    is(PUT($path, { base_version => $v })->{status}, 204, 'the base is good');
}


=== after any other answer a GET must tell; an unchanged body keeps its version
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for my $status (202, 302, 408, 425, 500, 501) {
    my $path = "/plain/s$status";
    set_doc($path, { id => 1 });
    my $v = version(GET($path));

    is(PUT($path, { n => 1, base_version => $v },
           "X-Up-Write: status=$status")->{status}, $status,
       "not applied, $status");

    my $r = PUT($path, { n => 2, base_version => $v });
    is($r->{status}, 204, 'the base is good, since nothing changed');

    my $w = version(GET($path));

    is(PUT($path, { n => 3, base_version => $w },
           "X-Up-Write: apply status=$status")->{status}, $status,
       "applied, $status");

    $r = PUT($path, { n => 4, base_version => $w });
    is($r->{status}, 409, 'now it is stale');
    is(json($r)->{server_version}{n}, 3, 'the write is seen');
    cmp_ok(version($r), '>', $w, 'as a new version');
}

is(scalar(grep { $_->{method} eq 'GET' && $_->{target} eq '/plain/s500' }
          seen()), 4, 'no more GETs than that');


=== a write that lands after its time-out is not overwritten
--- config
    location / {
        conflict version;
        conflict_wait 50ms;
        conflict_quarantine 2900ms;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 1, base_version => $v },
            'X-Up-Write: hold apply');

is($r->{status}, 504, 'the first write times out');

$r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 503, 'the next is kept out');
is(json($r)->{error}, 'outcome_unknown', 'error');
is(header($r, 'Retry-After'), 3, 'Retry-After is what is left, rounded up');
is((conflicts())[0]{action}, 'conflict_busy', 'logged');

release();
applied(1);

until_true {
    $r = PUT('/plain/1', { n => 2, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'then it is stale');
is(json($r)->{server_version}{n}, 1, 'and sees what landed');
is(scalar(journal()), 1, 'the upstream applied the first alone');


=== the retry of a write that landed after its time-out
--- config
    location / {
        conflict version;
        conflict_wait 5s;
        conflict_quarantine 400ms;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $body = { n => 1, base_version => $v };

is(PUT('/plain/1', $body, 'X-Up-Write: apply hold')->{status}, 504,
   'applied, and timed out');

my $r = PUT('/plain/1', $body);

is($r->{status}, 200, 'the retry is told that it is done');
like(header($r, 'Conflict'), qr/^replayed;/, 'replayed');
is(scalar(journal()), 1, 'once');
is(scalar(conflicts()), 0, 'no conflict');

$v = version($r);
$body = { n => 2, base_version => $v };

is(PUT('/plain/1', $body, 'X-Up-Write: hold')->{status}, 504,
   'timed out, and not applied');

$r = PUT('/plain/1', $body);

is($r->{status}, 204, 'its retry is carried out');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 2, 'really');


=== the retry of a write that is not to be seen is not called done
--- config
    location / {
        conflict version;
        conflict_wait 5s;
        conflict_quarantine 300ms;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- steps
set_doc('/echo/1', { id => 1 });

my $v = version(GET('/echo/1'));
my $body = { n => 1, base_version => $v };

is(PUT('/echo/1', $body, 'X-Up-Write: hold')->{status}, 504,
   'timed out, and not applied');

# the GET shows another body each time, so it cannot tell

my $r = PUT('/echo/1', $body);

is($r->{status}, 409, 'refused');
unlike(header($r, 'Conflict'), qr/replayed/, 'not replayed');
is(scalar(journal()), 0, 'nothing was applied');


=== a cached connection that dies does not make nginx send a write twice
--- http_config
upstream kept {
    server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    keepalive 4;
}
--- config
    location / {
        conflict version;
        conflict_quarantine 2s;
        conflict_wait 10ms;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://kept;
    }
--- steps
for my $method ('PUT', 'DELETE') {
    upstream('/_reset');
    my $path = "/plain/$method";
    set_doc($path, { id => 1 });

    my $v = version(GET($path));

    my $r = http($method, $path,
                 ($method eq 'PUT' ? (body => { n => 1 }) : ()),
                 headers => [qq(If-Match: "$v"), 'X-Up-Write: apply close']);

    is($r->{status}, 502, "$method: bad gateway");
    is(scalar(journal()), 1, 'applied once');
    is(scalar(grep { $_->{method} eq $method } seen()), 1, 'sent once');
    is(PUT($path, { n => 2, base_version => $v })->{status}, 503,
       'the resource is closed');

    until_true {
        $r = PUT($path, { n => 2, base_version => $v });
        $r->{status} != 503;
    };

    is($r->{status}, 409, 'then the write is found to have landed');
    is(scalar(grep { $_->{method} eq 'GET' } seen()), 2,
       'by one GET, beside that of the client');
}


=== a second peer does not get what the first was sent
--- http_config
upstream pair {
    server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT max_fails=0;
    server localhost:$TEST_NGINX_UPSTREAM_PORT max_fails=0;
}
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_next_upstream error timeout http_500 http_503 non_idempotent;
        proxy_read_timeout 1s;
        proxy_pass http://pair;
    }
--- steps
set_doc("/plain/$_", { id => 1 }) for 1 .. 4;

is(PUT('/plain/1', { n => 1 }, 'X-Up-Write: apply close')->{status}, 502,
   'close');
is(PUT('/plain/2', { n => 1 }, 'X-Up-Write: apply hold')->{status}, 504,
   'time-out');
is(PUT('/plain/3', { n => 1 }, 'X-Up-Write: apply status=503')->{status}, 503,
   'status');
is(scalar(journal()), 3, 'each was applied once');
is(scalar(grep { $_->{method} eq 'PUT' } seen()), 3, 'each was sent once');

is(GET('/plain/4', 'X-Up-Read: close')->{status}, 502, 'a read fails');
is(scalar(grep { $_->{target} eq '/plain/4' } seen()), 2,
   'after it was tried at both');


=== nginx buffers a chunked body although it was told not to
--- http_config
upstream pair {
    server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT max_fails=0;
    server localhost:$TEST_NGINX_UPSTREAM_PORT max_fails=0;
}
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_request_buffering off;
        proxy_http_version 1.0;
        proxy_pass http://pair;
    }
--- steps
sub chunked {
    my ($path, @headers) = @_;

    my $s = start('PUT', $path,
                  headers => ['Transfer-Encoding: chunked',
                              'Expect: 100-continue', 'If-None-Match: *',
                              @headers]);
    my $data = '';

    until_true {
        sysread $s->{socket}, $data, 1, length $data;
        $data =~ /\r\n\r\n/;
    };

    syswrite $s->{socket}, "7\r\n{\"n\":1}\r\n0\r\n\r\n";

    return $s;
}

is(finish(chunked('/plain/1', 'X-Up-Write: apply close'))->{status}, 502,
   'the first peer has done the write, and closes');
is(scalar(grep { $_->{method} eq 'PUT' } seen()), 1,
   'the second one gets nothing');

my $s = chunked('/plain/2', 'X-Up-Write: hold alive apply');

until_true { grep { "$_->{method} $_->{target}" eq 'PUT /plain/2' } seen() };

close $s->{socket};
GET('/ping') for 1 .. 20;
upstream('/_release');

ok((until_true { grep { $_->{path} eq '/plain/2' } journal() }),
   'the client leaves, the write is done');


=== a peer that refuses the connection is passed over
--- http_config
upstream pair {
    server 127.0.0.1:$TEST_NGINX_PORT2 max_fails=0;
    server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT max_fails=0;
}
upstream none {
    server 127.0.0.1:$TEST_NGINX_PORT2;
}
--- config
    location / {
        conflict version;
        proxy_pass http://pair;
    }
    location /dead/ {
        conflict version;
        proxy_pass http://none;
    }
--- steps
set_doc('/plain/1', { id => 1 });

for (1 .. 4) {
    my $v = version(GET('/plain/1'));
    is(PUT('/plain/1', { n => $_, base_version => $v })->{status}, 204,
       'a write finds the peer that lives');
}

is(scalar(journal()), 4, 'four writes');

for (1 .. 3) {
    is(PUT('/dead/1', { n => 1 })->{status}, 502,
       'no peer at all: nothing was sent, so nothing is unknown');
}


=== a name that is resolved at run time
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        set $backend 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        proxy_pass http://$backend;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204, 'passes');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409, 'stale');
is(PUT('/plain/1', { n => 3 }, 'X-Up-Write: apply close')->{status}, 502,
   'closes');
is(scalar(grep { $_->{body} =~ /"n":3/ } journal()), 1, 'sent once');


=== a client that goes away does not cut a write
--- config
    location / {
        conflict version;
        conflict_wait 5s;
        proxy_pass http://api;
    }
--- steps
for my $how ('close', 'reset') {
    upstream('/_reset');
    set_doc("/plain/$how", { id => 1 });

    my $v = version(GET("/plain/$how"));
    my $w = start('PUT', "/plain/$how", body => { n => 1, base_version => $v },
                  headers => ['X-Up-Write: hold apply']);
    begun(1);

    if ($how eq 'close') {
        close $w->{socket};

    } else {
        reset_connection($w->{socket});
    }

    my $next = start('PUT', "/plain/$how",
                     body => { n => 2, base_version => $v });

    release();

    my $r = finish($next);

    is($r->{status}, 409, "$how: its write was awaited and counts");
    is(json($r)->{server_version}{n}, 1, 'it landed');
}


=== what is left of an aborted client is not lost either
--- config
    location / {
        conflict version;
        conflict_wait 15s;
        conflict_quarantine 2s;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);
close $w->{socket};

my $next = start('PUT', '/plain/1', body => { n => 2, base_version => $v });

until_true { log_count(qr/upstream timed out/) };
release();

is(finish($next)->{status}, 409, 'client gone, upstream timed out, and then it landed');


=== a body that is not looked into is guarded all the same
--- http_config
upstream kept {
    server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    keepalive 4;
}
--- config
    location / {
        conflict version;
        conflict_wait 5s;
        conflict_quarantine 100ms;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://kept;
    }
--- steps
my $body = 'x' x 300000;
my @type = ('Content-Type: text/plain');

http('PUT', '/text/1', body => $body, headers => [@type]);

my $r = http('PUT', '/text/1', body => $body,
             headers => [@type, 'X-Up-Write: apply close']);

is($r->{status}, 502, 'the connection dies');
is(scalar(grep { $_->{method} eq 'PUT' } seen()), 2, 'it was sent once');

until_true { http('PUT', '/text/1', body => 'y', headers => [@type])->{status}
             == 204 };

my $n = grep { $_->{method} eq 'PUT' } seen();
my $w = start('PUT', '/text/1', body => $body,
              headers => [@type, 'X-Up-Write: hold apply']);
begun($n + 1);
close $w->{socket};

my $next = start('PUT', '/text/1', body => 'z', headers => [@type]);

release();
is(finish($next)->{status}, 204, 'the client went, its write was awaited');
is(length((journal())[-2]{body}), 300000, 'and came before the next');


=== a client that sends slowly holds no lease
--- config
    location / {
        conflict version;
        conflict_wait 10ms;
        proxy_pass http://api;
    }
--- steps
for my $type ('application/json', 'text/plain') {
    my $path = "/plain/$type";
    set_doc($path, { id => 1 });

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());

    syswrite $s, "PUT $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 . "Content-Type: $type\r\nContent-Length: 9\r\n\r\n{\"a\"";

    for (1 .. 3) {
        is(PUT($path, { n => $_ })->{status}, 204, "$type: others pass");
    }

    syswrite $s, ":123}";
    is(finish({ socket => $s, method => 'PUT' })->{status}, 204,
       'then it takes its turn');
}


=== the upstream's own refusal is not the module's
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { base_version => $v }, 'X-Up-Write: status=409');

is($r->{status}, 409, 'its status');
like(header($r, 'Conflict'), qr/^passed/, 'passed on');
is(scalar(conflicts()), 0, 'not logged');


=== quarantine 0 is for upstreams that check: the forwarded fence
--- config
    location / {
        conflict version;
        conflict_quarantine 0;
        proxy_set_header X-Fence $conflict_next_version;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- no_error_log
conflict_quarantine 0
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 1, base_version => $v });
my ($fence) = map { $_->[1] } grep { $_->[0] eq 'x-fence' }
              @{ (journal())[0]{headers} };

is($fence, version($r), 'the fence is the version that the write gets');

is(version(GET('/plain/1')), $fence, 'a read shows it');
is(PUT('/plain/1', { n => 2 }, 'X-Up-Write: hold')->{status}, 504,
   'a time-out');
is(PUT('/plain/1', { n => 3, base_version => $fence })->{status}, 204,
   'the next is let in at once');


=== quarantine 0: what comes too late the upstream refuses
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        conflict_quarantine 0;
        conflict_wait 50ms;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { n => 0 });

my $etag = header(GET('/etag/1'), 'ETag');

is(PUT('/etag/1', { n => 1 }, "If-Match: $etag", 'X-Up-Write: hold apply')
   ->{status}, 504, 'the first is given up');
is(PUT('/etag/1', { n => 2 }, "If-Match: $etag")->{status}, 200,
   'the second is let in, on the same base');

release();

# the first is over once the upstream has answered the next of that kind

my $w = start('PUT', '/etag/2', body => { n => 3 });
is(finish($w)->{status}, 201, 'another');
is(join(' ', map { json($_->{body})->{n} } journal()), '2 3',
   'the first comes too late');
is(json(GET('/etag/1'))->{n}, 2, 'and is nowhere');


=== quarantine 0 where nothing checks: nginx warns
--- config
    location / {
        conflict version;
        conflict_quarantine 0;
        proxy_pass http://api;
    }
--- error_log
"conflict_quarantine 0" is unsafe, the upstream checks neither


=== a PUT that removes a member, timed out and never done
--- config
    location / {
        conflict version;
        conflict_quarantine 200ms;
        proxy_read_timeout 1s;
        proxy_pass http://api;
    }
--- steps
for my $read (0, 1) {
    my $path = "/plain/$read";
    my $v = version(PUT($path, { a => 1, b => 2 }));
    my $body = { a => 1, base_version => $v };

    GET($path) if $read;
    is(PUT($path, $body, 'X-Up-Write: hold status=400')->{status}, 504,
       'timed out, not done');

    my $r;
    until_true { $r = PUT($path, $body); $r->{status} != 503 };
    isnt($r->{status}, 200, 'not called done, though all that it has is there');
    is(json(upstream("/_doc?path=$path"))->{b}, undef, 'but done')
        if $r->{status} == 204;
}


=== two hosts with one key: a write to the second is no retry of the first
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        server_name other;
        location / {
            conflict version;
            conflict_key $uri;
            proxy_pass http://api/own$uri;
        }
    }
--- config
    location / {
        conflict version;
        proxy_pass http://api/plain$uri;
    }
--- steps
my $other = $ENV{TEST_NGINX_PORT2};

set_doc('/plain/s', { theme => 'light' });
set_doc('/own/s', { theme => 'light' });

my $v = version(GET('/s'));
my $body = { theme => 'dark', base_version => $v };

is(PUT('/s', $body)->{status}, 204, 'the first');

my $r = http('PUT', '/s', port => $other, body => $body);
is($r->{status}, 409, 'the second is not told that it was done');


=== a base from the future makes nobody else's stale
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $reader = 'Authorization: Bearer reader';
my $v = version(PUT('/auth/1', { n => 1 }, $reader));

is(PUT('/auth/1', { base_version => 9007199254740991 })->{status}, 401,
   'of one who may not even read');
is(PUT('/auth/1', { n => 2, base_version => $v }, $reader)->{status}, 204,
   'the owner writes on');


=== early hints before the response
--- config
    location / {
        conflict version;
        proxy_http_version 1.1;
        proxy_pass http://api;
    }
    location /plain/page/ {
        conflict version;
        proxy_http_version 1.1;
        proxy_intercept_errors on;
        error_page 401 =200 @login;
        proxy_pass http://api;
    }
    location @login {
        proxy_set_header X-Up-Read "";
        proxy_pass http://api;
    }
--- steps
SKIP: {
    skip 'this nginx does not know them', 14
        unless `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m!/1\.(\d+)! && $1 >= 29;

    set_doc('/plain/1', { n => 0 });

    my $r = GET('/plain/1', 'X-Up-Read: hints apply');
    my $v = version($r);
    ok($v, 'a read has a version');
    is(header($r, 'ETag'), "\"$v\"", 'and its tag');

    $r = PUT('/plain/1', { n => 1, base_version => $v },
             'X-Up-Write: hints apply');
    is($r->{status}, 204, 'a write is done');
    cmp_ok(version($r), '>', $v, 'and says its version');

    $r = PUT('/plain/1', { n => 2, base_version => $v },
             'X-Up-Read: hints apply');
    is($r->{status}, 409, 'the version before is stale');
    is(json($r)->{server_version}{n}, 1, 'with the latest body');

    $v = version($r);
    is(PUT('/plain/1', { n => 2, base_version => $v },
           'X-Up-Write: hints status=422')->{status}, 422,
       'another one is refused');
    is(PUT('/plain/1', { n => 3, base_version => $v },
           'X-Up-Write: hints apply status=500')->{status}, 500,
       'of which the version is as before, or this would be 409');

    $r = PUT('/plain/1', { n => 4, base_version => $v },
             'X-Up-Read: hints apply');
    is($r->{status}, 409, 'a GET tells what became of that');
    is(json($r)->{server_version}{n}, 3, 'it was done');

    $v = version($r);
    is(PUT('/plain/1', { n => 5, base_version => $v },
           'X-Up-Write: hints close')->{status}, 502, 'nothing follows');
    is(json(PUT('/plain/1', { n => 6, base_version => $v }))->{error},
       'outcome_unknown', 'which is no outcome');

    # a page in place of the resource

    set_doc('/plain/page/1', { n => 0 });

    for my $hints ('', 'hints ') {
        $r = GET('/plain/page/1', "X-Up-Read: ${hints}status=401");
        is(header($r, 'Conflict'), 'passed', "${hints}a page has no version");
    }
}


=== what is no HTTP is no response, though nginx counts it as one with 200
--- config
    location / {
        conflict version;
        conflict_wait 100ms;
        conflict_quarantine 600ms;
        proxy_pass http://api;
    }
    location /plain/keyed/ {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my @edit = ('/plain/1', { n => 1, base_version => $v });

like(PUT(@edit, 'X-Up-Write: noise')->{raw}, qr/^-ERR/,
     'the client gets what the upstream has sent');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 503,
   'no other write is sent before that one must have landed');

my $r;
until_true { ($r = PUT(@edit))->{status} != 503 };
is($r->{status}, 204, 'it is sent again');
like(header($r, 'Conflict'), qr/^passed/, 'and not called done');
is(json(upstream('/plain/1'))->{n}, 1, 'now it is done');

$v = version($r);
$r = PUT('/plain/1', { n => 2, base_version => 1 }, 'X-Up-Read: noise');
is(json($r)->{server_version_omitted}, 'unavailable',
   'nor is it the latest body');

my $key = 'Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"';

http('POST', '/plain/keyed/1', body => { n => 1 },
     headers => [$key, 'X-Up-Write: noise']);
is(json(http('POST', '/plain/keyed/1', body => { n => 1 },
             headers => [$key]))->{error},
   'request_outcome_unknown', 'a keyed request is not called carried out');
