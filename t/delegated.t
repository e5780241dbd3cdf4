# Content handlers that do their work by subrequests, here in Lua: what these
# have heard counts, and not only what the handler says.
# On both stores.
# Needs: libnginx-mod-http-echo libnginx-mod-http-lua

BEGIN { push @INC, 't/lib' }
use Conflict;
BEGIN { need_modules(['ndk_http', 'ngx_http_lua', 'ngx_http_echo']) }
use Test::Nginx::Socket 'no_plan';

sub doc { upstream("/_doc?path=$_[0]") }

sub writes { scalar grep { $_->{method} ne 'GET' } seen() }

Conflict::install('Test::Nginx::Socket');

# each sends the request on to one location, or to several until one answers,
# and may call its answer another one

add_block_preprocessor(sub {
    my $block = shift;

    my $up = $ENV{TEST_NGINX_UPSTREAM_PORT};
    my $slow = $ENV{TEST_NGINX_PORT2};

    $block->set_value('http_config', ($block->http_config // '') . <<"END");
    upstream two { server 127.0.0.1:$slow; server 127.0.0.1:$up backup; }
    server {
        listen 127.0.0.1:$slow;
        location / {
            proxy_set_header X-Up-Write "hold apply";
            proxy_pass http://127.0.0.1:$up;
        }
    }
END
    $block->set_value('config', <<'END' . ($block->config // ''));
        conflict_quarantine 1s;
        conflict_wait 50ms;
        proxy_read_timeout 200ms;

        location /once/ { internal; proxy_pass http://api/; }
        location /slow/ {
            internal;
            proxy_set_header X-Up-Write "hold apply";
            proxy_pass http://api/;
        }
        location /two/ { internal; proxy_pass http://two/; }
        location /dead/ { internal; proxy_pass http://127.0.0.1:1/; }
        location /422/ {
            internal;
            proxy_set_header X-Up-Write "status=422";
            proxy_pass http://api/;
        }

        location / {
            conflict version;
            content_by_lua_block {
                local to, say = ngx.var.http_x_to or "/once",
                                tonumber(ngx.var.http_x_say)
                local method = ngx.req.get_method()
                local r

                ngx.req.read_body()

                if method == "GET" then
                    to = ngx.var.http_x_read or "/once"
                end

                for path in string.gmatch(to, "[^,]+") do
                    r = ngx.location.capture(path .. ngx.var.uri,
                        { method = ngx["HTTP_" .. method],
                          always_forward_body = true })

                    if r.status < 500 then
                        break
                    end
                end

                ngx.status = say and method ~= "GET" and say or r.status
                ngx.header["Content-Type"] = "application/json"
                ngx.print(r.body)
            }
        }
END
});

run_tests();

__DATA__

=== a subrequest that was not answered may still be carried out
--- allow: upstream timed out
--- steps
for my $case (['/slow', 409], ['/slow', 422], ['/slow', 500], ['/slow', ''],
              ['/slow,/once', ''], ['/two', ''])
{
    my ($to, $say) = @$case;
    my $name = "$to, told as " . ($say || 'it is');

    upstream('/_reset');
    set_doc('/plain/1', { n => 0 });

    my $v = settled('/plain/1');

    my $r = PUT('/plain/1', { n => 1, base_version => $v }, "X-To: $to",
                "X-Say: $say");

    is($r->{status}, $say || ($to eq '/slow' ? 504 : 204), $name);
    is(header($r, 'ETag'), undef, 'of no known version');

    my $base = version(GET('/plain/1')) || $v;

    $r = PUT('/plain/1', { n => 2, base_version => $base });
    is($r->{status}, 503, 'the next write does not pass before it');
    is(json($r)->{error}, 'outcome_unknown', 'and is told why');

    release();
    until_true { (version(GET('/plain/1')) || $v) ne $v };

    is(doc('/plain/1'), '{"n":1}', 'it has landed');
    is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
       'a base from before it');
    is(PUT('/plain/1', { n => 2,
                         base_version => version(GET('/plain/1')) })
       ->{status}, 204, 'and from after it');
}


=== a subrequest that was refused, or not sent, changes nothing
--- allow: connect\(\) failed|no live upstreams
--- steps
for my $to ('/422', '/dead') {
    set_doc('/plain/1', { n => 0 });

    my $v = version(GET('/plain/1'));

    is(PUT('/plain/1', { n => 1, base_version => $v }, "X-To: $to",
           'X-Say: 422')->{status}, 422, "$to: refused");
    is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204,
       'the version still holds');
}


=== one that was carried out is no refusal, whatever the handler says
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 1, base_version => $v }, 'X-Say: 409')->{status},
   409, 'told as a refusal');
is(doc('/plain/1'), '{"n":1}', 'it was done');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
   'a base from before it');


=== one that may be done later, or was done in part, is not done
--- config
        location /202/ {
            internal;
            proxy_set_header X-Up-Write "status=202";
            proxy_pass http://api/;
        }
        location /500/ {
            internal;
            proxy_set_header X-Up-Write "apply status=500";
            proxy_pass http://api/;
        }
--- steps
for my $to ('/202', '/500,/422') {
    set_doc('/plain/1', { n => 0 });

    my $v = version(GET('/plain/1'));
    my $r = PUT('/plain/1', { n => 1, base_version => $v }, "X-To: $to",
                'X-Say: 200');

    is($r->{status}, 200, "$to: told as done");
    is(header($r, 'ETag'), undef, 'is of no known version');
    set_doc('/plain/1', { n => 1 });
    is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
       'a base from before it');
}


=== a client that leaves while the subrequest is sent
--- config
        location /free/ {
            conflict version;
            conflict_key /plain/1;
            conflict_methods PATCH;
            lua_check_client_abort on;
            content_by_lua_block {
                ngx.req.read_body()
                ngx.location.capture("/slow/plain/1",
                    { method = ngx.HTTP_PUT, always_forward_body = true })
            }
        }
--- steps
set_doc('/plain/1', { n => 0 });

my $v = settled('/plain/1');
my $write = start('PUT', '/free/1', body => { n => 1 });

# beside that of settled()
begun(2);
close $write->{socket};
until_true { log_count(qr/client prematurely closed connection/) };

is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 503,
   'it may still be carried out');
release();

my $r;
until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'as it was');


=== a method that is not guarded
--- config
        location /free/ {
            conflict version;
            conflict_key /plain/1;
            conflict_methods PATCH;
            content_by_lua_block {
                ngx.req.read_body()
                ngx.location.capture("/slow/plain/1",
                    { method = ngx.HTTP_PUT, always_forward_body = true })
                ngx.exit(409)
            }
        }
--- allow: upstream timed out
--- steps
set_doc('/plain/1', { n => 0 });

my $v = settled('/plain/1');

is(PUT('/free/1', { n => 1 })->{status}, 409, 'told as a refusal');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 503,
   'it may still be carried out');
release();


=== an Idempotency-Key
--- config
        location /orders/ {
            conflict version;
            conflict_idempotency on;
            conflict_key "";
            content_by_lua_block {
                ngx.req.read_body()
                local r = ngx.location.capture(
                    ngx.var.http_x_to .. ngx.var.uri,
                    { method = ngx.HTTP_POST, always_forward_body = true })
                ngx.exit(r.status >= 500 and 409 or r.status)
            }
        }
        location /500/ {
            internal;
            proxy_set_header X-Up-Write "apply status=500";
            proxy_pass http://api/;
        }
--- allow: upstream timed out
--- steps
my @key = ('Idempotency-Key: "0123456789abcdef0123"');

my $r = http('POST', '/orders/plain/1', body => { n => 1 },
             headers => [@key, 'X-To: /slow']);
is($r->{status}, 409, 'a time-out, told as a refusal');

$r = http('POST', '/orders/plain/1', body => { n => 1 },
          headers => [@key, 'X-To: /once']);
is($r->{status}, 409, 'again');
is(json($r)->{error}, 'request_outcome_unknown', 'its outcome is unknown');
is(writes(), 1, 'it was sent once');
release();

$key[0] =~ s/0/2/;

for my $error (undef, 'request_outcome_unknown') {
    $r = http('POST', '/orders/plain/1', body => { n => 1 },
              headers => [@key, 'X-To: /500']);
    is($r->{status}, 409, '500, told as a refusal');
    is(json($r)->{error}, $error, 'is of unknown outcome') if $error;
}

is(writes(), 2, 'and sent once');

$key[0] =~ s/2/1/;

for my $n (1, 2) {
    $r = http('POST', '/orders/plain/2', body => { n => 1 },
              headers => [@key, 'X-To: /422']);
    is($r->{status}, 422, 'refused by the API');
}

is(writes(), 4, 'and sent again');


=== a response that is made of a cached one is of no known version
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=c:1m;
--- config
        location /cached/ {
            internal;
            proxy_cache c;
            proxy_cache_key $uri;
            proxy_cache_valid 200 1h;
            proxy_cache_bypass $http_x_bypass;
            proxy_pass http://api/;
        }
--- allow: a cache answered the GET
--- steps
set_doc('/plain/1', { n => 0 });

my $r = GET('/plain/1', 'X-Read: /cached');
my $v = version($r);

like($v, qr/^\d+$/, 'from the API');
is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204, 'written');

$r = GET('/plain/1', 'X-Read: /cached');
is(json($r)->{n}, 0, 'from the cache');
is(header($r, 'Conflict'), 'unchecked', 'is as old as that');
is(header($r, 'ETag'), undef, 'without a tag');

$r = PUT('/plain/1', { n => 2, base_version => $v }, 'X-Read: /cached');
is($r->{status}, 409, 'a stale write');
is(json($r)->{server_version_omitted}, 'unavailable',
   'does not get it for the latest one');
is(log_count(qr/a cache answered the GET/), 1, 'the error log tells why');

$r = PUT('/plain/1', { n => 2, base_version => $v }, 'X-Read: /cached',
         'X-Bypass: 1');
is(json($r)->{server_version}{n}, 1, 'it does if the cache is bypassed');


=== a cached auth_request is no part of the response
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=c:1m;
--- config
        location = /auth {
            internal;
            proxy_cache c;
            proxy_cache_key auth;
            proxy_cache_valid 200 1h;
            proxy_pass http://api/plain/auth;
        }
        location /checked/ {
            conflict version;
            auth_request /auth;
            proxy_pass http://api/plain/;
        }
--- steps
set_doc('/plain/auth', {});
set_doc('/plain/1', { n => 0 });

for my $n (1, 2) {
    like(version(GET('/checked/1')), qr/^\d+$/, 'a read has a version');
}

my $r = PUT('/checked/1', { n => 1, base_version => 7 });
is($r->{status}, 409, 'a stale write');
is(json($r)->{server_version}{n}, 0, 'gets the latest body');
is((grep { $_->{target} eq '/plain/auth' } seen()) + 0, 1, 'it was cached');


=== nor is what a handler of auth_request has asked, or one of mirror
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=c:1m;
--- config
        location = /token {
            internal;
            proxy_cache c;
            proxy_cache_key token;
            proxy_cache_valid 200 1h;
            proxy_pass http://api/plain/auth;
        }
        location = /auth {
            internal;
            content_by_lua_block {
                ngx.exit(ngx.location.capture("/token").status)
            }
        }
        location = /mirror {
            internal;
            content_by_lua_block {
                ngx.location.capture("/slow/plain/copy",
                    { method = ngx.HTTP_PUT, always_forward_body = true })
            }
        }
        location /checked/ {
            conflict version;
            auth_request /auth;
            proxy_pass http://api/plain/;
        }
        location /mirrored/ {
            conflict version;
            mirror /mirror;
            proxy_pass http://api/plain/;
        }
--- allow: upstream timed out
--- steps
set_doc('/plain/auth', {});
set_doc('/plain/1', { n => 0 });

for my $n (1, 2) {
    like(version(GET('/checked/1')), qr/^\d+$/, 'a read has a version');
}

my $r = PUT('/checked/1', { n => 1, base_version => 7 });
is($r->{status}, 409, 'a stale write');
is(json($r)->{server_version}{n}, 0, 'gets the latest body');
is((grep { $_->{target} eq '/plain/auth' } seen()) + 0, 1, 'it was cached');

$r = PUT('/mirrored/1', { n => 1 });
is($r->{status}, 204, 'a write that is mirrored');
like(version($r), qr/^\d+$/, 'has a version');
until_true { writes() == 2 };
release();
is(PUT('/mirrored/1', { n => 2, base_version => version($r) })->{status}, 204,
   'which is a base');
release();


=== a handler that has failed, and a fallback with a status of its own
--- config
        location /socket/ {
            conflict version;
            conflict_key /plain/1;
            recursive_error_pages on;
            error_page 504 = @fallback;
            content_by_lua_block {
                local s = ngx.socket.tcp()

                ngx.req.read_body()
                s:connect("127.0.0.1", ngx.var.arg_port)
                s:send("PUT /plain/1 HTTP/1.1\r\nHost: a\r\n"
                       .. "Content-Length: 7\r\n\r\n{\"n\":1}")
                s:receive("*l")
                ngx.exit(504)
            }
        }
        location @fallback {
            proxy_set_header X-Up-Write "status=404";
            proxy_pass http://api;
        }
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

is(PUT("/socket/1?port=$ENV{TEST_NGINX_UPSTREAM_PORT}", { n => 1 })->{status},
   404, 'told as a refusal');
is(doc('/plain/1'), '{"n":1}', 'it was done');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
   'a base from before it');


=== a handler that leads on, and has written nothing
--- config
        location /exec/ {
            conflict version;
            conflict_key /plain/1;
            conflict_idempotency on;
            content_by_lua_block { ngx.exec("@api") }
        }
        location @api {
            rewrite ^ /plain/1 break;
            proxy_pass http://api;
        }
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my @key = 'Idempotency-Key: "0123456789abcdef0123"';

for my $n (1, 2) {
    is(PUT('/exec/1', { n => 1, base_version => $v }, @key,
           'X-Up-Write: status=422')->{status}, 422, 'refused by the API');
}

is(writes(), 2, 'and sent again');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204,
   'the version still holds');


=== what a mirrored copy of a write does is no part of it
--- config
        location /mirrored/ {
            conflict version;
            conflict_key /plain/1;
            mirror /copy;
            rewrite ^ /plain/1 break;
            proxy_pass http://api;
        }
        location = /copy {
            internal;
            content_by_lua_block {
                ngx.location.capture("/slow/plain/copy",
                    { method = ngx.HTTP_PUT, always_forward_body = true })
            }
        }
--- allow: upstream timed out
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my $r = PUT('/mirrored/1', { n => 1, base_version => $v });

is($r->{status}, 204, 'written');
like(version($r), qr/^\d+$/, 'with a version');
is(PUT('/plain/1', { n => 2, base_version => version($r) })->{status}, 204,
   'which is a base');
until_true { grep { $_->{target} eq '/plain/copy' } seen() };
release();


=== a client that leaves a handler without an upstream, once it has waited
--- log_level: debug_http
--- config
        location /echo/ {
            conflict version;
            conflict_key /plain/1;
            conflict_wait 5s;
            echo_sleep 0.5;
            echo done;
        }
--- allow: upstream prematurely closed
--- steps
set_doc('/plain/1', { n => 0 });
settled('/plain/1');

for my $wait (0, 1) {
    is(PUT('/plain/1', { n => 1 }, 'X-Up-Write: apply close')->{status}, 502,
       'another write whose outcome is not known yet') if $wait;

    my $before = log_count(qr/conflict state: forwarded/);
    my $settled = log_count(qr/conflict settle/);
    my $write = start('PUT', '/echo/1', body => { n => 1 });

    until_true { log_count(qr/conflict state: forwarded/) > $before };
    close $write->{socket};
    until_true { log_count(qr/conflict settle/) > $settled };
    like((grep { /conflict settle/ } split(/\n/, error_log()))[-1],
         qr/settle: 1,/, 'it is done all the same');
}


=== a subrequest that gets a file of gzip_static
--- config
    location /files/ {
        internal;
        gzip_static always;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /captured/ {
        conflict version;
        content_by_lua_block {
            local res = ngx.location.capture("/files/1.json")

            ngx.header["Content-Type"] = "application/json"
            ngx.header["Content-Encoding"] = res.header["Content-Encoding"]
            ngx.print(res.body)
        }
    }
--- user_files
>>> 1.json
{"n":2}
--- steps
use IO::Compress::Gzip qw(gzip);

gzip(\'{"n":1}' => servroot() . '/html/1.json.gz');

my $r = GET('/captured/1');
is(header($r, 'Content-Encoding'), 'gzip', 'the file of before');
is(header($r, 'Conflict'), 'unchecked', 'says that it is of no version');
