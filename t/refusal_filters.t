# The same with third-party filters, if they are installed.
# On both stores.
# Needs: libnginx-mod-http-lua libnginx-mod-http-subs-filter

BEGIN { push @INC, 't/lib' }
use Conflict;

# a filter that is loaded first runs last, but not after the module's

BEGIN { need_modules(['ndk_http', 'ngx_http_lua'], ['ngx_http_subs_filter']) }

use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== what they take out of a 200
--- config
    location /plain/ {
        conflict version;
        header_filter_by_lua_block { ngx.header.content_length = nil }
        body_filter_by_lua_block {
            if ngx.status == 200 and ngx.arg[1] then
                ngx.arg[1] = ngx.re.gsub(ngx.arg[1], "SECRET-[0-9]+", "xxxx")
            end
        }
        proxy_pass http://api;
    }
    location /late/ {
        conflict version;
        header_filter_by_lua_block { ngx.header.content_length = nil }
        body_filter_by_lua_block {
            ngx.ctx.text = (ngx.ctx.text or "") .. ngx.arg[1]
            ngx.arg[1] = nil
            if ngx.arg[2] then
                ngx.arg[1] = ngx.re.gsub(ngx.ctx.text, "SECRET-[0-9]+", "xxxx")
            end
        }
        proxy_pass http://api/plain/;
    }
    location /subs/ {
        conflict version;
        subs_filter_types application/json;
        subs_filter 'SECRET-1234' 'xxxx';
        proxy_pass http://api/plain/;
    }
    location /status/ {
        conflict version;
        header_filter_by_lua_block { ngx.status = 418 }
        proxy_pass http://api/plain/;
    }
    location /fails/ {
        conflict version;
        body_filter_by_lua_block { error("not today") }
        proxy_pass http://api/plain/;
    }
    location /refuses/ {
        conflict version;
        header_filter_by_lua_block { ngx.exit(403) }
        proxy_pass http://api/plain/;
    }
    location /cors/ {
        conflict version;
        header_filter_by_lua_block {
            ngx.header["Access-Control-Allow-Origin"] = "https://app.example"
            ngx.header["Vary"] = "Origin"
        }
        proxy_pass http://api/plain/;
    }
--- allow: not today
--- steps
my $pad = 'x' x 40000;

set_doc('/plain/1', { id => 1, token => 'SECRET-1234', pad => $pad });

for my $path (qw(/plain/1 /late/1 /subs/1)) {
    is(json(GET($path))->{token}, 'xxxx', "$path: a GET");

    for my $accept ('*/*', 'application/problem+json') {
        my $r = PUT($path, { base_version => 7 }, "Accept: $accept");

        is($r->{status}, 409, "$accept: a stale write");
        is(json($r)->{server_version}{token}, 'xxxx', 'shows the same');
        is(json($r)->{server_version}{pad}, $pad, 'all of it');
        unlike($r->{raw}, qr/SECRET/, 'and nothing else');
        is(header($r, 'Content-Length'), length $r->{body}, 'its length');
    }
}

# what is no body of the GET is not shown

for my $path (qw(/status/1 /refuses/1)) {
    my $r = PUT($path, { base_version => 7 });

    cmp_ok($r->{status}, '!=', 0, "$path: an answer");
    unlike($r->{raw}, qr/SECRET/, 'without the body');
}

PUT('/fails/1', { base_version => 7 });
is(GET('/ping')->{status}, 200, 'the worker lives');

my $r = PUT('/cors/1', { base_version => 7 });
is_deeply($r->{headers}{'access-control-allow-origin'},
          ['https://app.example'], 'a field of theirs, once');
is_deeply($r->{headers}{vary}, ['Origin'], 'and Vary');


=== who may not GET, by a handler that takes its time
--- config
    location / {
        conflict version;
        access_by_lua_block {
            ngx.sleep(0.01)
            if ngx.var.http_x_user ~= "ann" and ngx.req.get_method() == "GET"
            then
                return ngx.exit(403)
            end
        }
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { t => 'the secret' });

my $r = PUT('/plain/1', { base_version => 7 }, 'X-User: ann');
is(json($r)->{server_version}{t}, 'the secret', 'who may sees it');

$r = PUT('/plain/1', { base_version => 7 }, 'X-User: bob');
is($r->{status}, 409, 'who may not is told that it is stale');
unlike($r->{raw}, qr/secret/, 'and no more');


=== what a header filter refuses
--- config
    conflict_user $http_x_user;
    location /plain/ {
        conflict version;
        conflict_history 4 versions;
        header_filter_by_lua_block {
            if ngx.var.http_x_user == "eve" then
                ngx.status = 403
                ngx.header.content_length = nil
            end
        }
        body_filter_by_lua_block {
            if ngx.var.http_x_user == "eve" then
                ngx.arg[1] = nil
            end
        }
        proxy_pass http://api;
    }
    location /exit/ {
        conflict version;
        conflict_history 4 versions;
        header_filter_by_lua_block {
            if ngx.var.http_x_user == "eve" then
                return ngx.exit(403)
            end
        }
        proxy_pass http://api/plain/;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
    location ~ ^/versions(?<changed>/.*)$ {
        conflict_key $changed;
        conflict_versions;
    }
    location = /events { conflict_events heartbeat=200ms; }
--- steps
my @ann = ('X-User: ann', 'X-Client: laptop');
my @eve = ('X-User: eve');

set_doc('/plain/1', { n => 1 });

for my $path ('/plain/1', '/exit/1') {
    my $v = version(PUT($path, { n => 2 }, @ann));
    ok($v, "$path: who may see it");
    is(http('POST', "/locks$path", headers => [@ann])->{status}, 200,
       'may lock it');

    my %answers = (
        'GET' => GET($path, @eve),
        'PUT' => PUT($path, { base_version => 5 }, @eve),
        'GET lock' => GET("/locks$path", @eve),
        'POST lock' => http('POST', "/locks$path", headers => [@eve]),
        'versions' => GET("/versions$path", @eve),
        'a poll' => GET("/events?poll=1&resource=$path", @eve),
    );

    for my $name (sort keys %answers) {
        is($answers{$name}{status}, 403, "$name: refused");
        unlike($answers{$name}{raw}, qr/ann|laptop|$v/, 'and nothing told');
    }
}


=== a body that was refused is not given later
--- config
    conflict_user $http_x_user;
    location /plain/ {
        conflict merge;
        conflict_history 4 versions;
        header_filter_by_lua_block {
            if ngx.var.http_x_deny == "status" then ngx.status = 403 end
            if ngx.var.http_x_deny == "exit" then return ngx.exit(403) end
        }
        proxy_pass http://api;
    }
    location ~ ^/versions(?<changed>/.*)$ {
        conflict_key $changed;
        conflict_versions;
    }
--- steps
for my $deny ('status', 'exit') {
    my $path = "/plain/$deny";
    my @eve = ('X-User: eve');

    set_doc($path, { n => 'draft' });

    my $v = version(GET($path, 'X-User: ann'));
    is(GET($path, @eve, "X-Deny: $deny")->{status}, 403, "$deny: refused");
    is(PUT($path, { n => 1, base_version => $v }, 'X-User: ann')->{status}, 204,
       'another version');

    is(json(GET("/versions$path?conflict_version=$v", 'X-User: ann'))->{n},
       'draft', 'who has seen the draft');
    is(GET("/versions$path?conflict_version=$v", @eve)->{status}, 404,
       'who has not');

    my $r = PUT($path, { n => 2, base_version => $v }, @eve);
    is($r->{status}, 409, 'a clash');
    unlike($r->{raw}, qr/draft/, 'without the draft');
}


=== an access script that trusts what is internal
--- config
    conflict_user $http_x_user;
    location /plain/ {
        conflict version;
        access_by_lua_block {
            if not ngx.req.is_internal() and ngx.var.http_x_user == "eve"
               and ngx.req.get_method() == "GET"
            then
                return ngx.exit(403)
            end
        }
        proxy_pass http://api;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
--- steps
set_doc('/plain/1', { t => 'secret' });

is(GET('/plain/1', 'X-User: ann')->{status}, 200, 'who may');
is(GET('/plain/1', 'X-User: eve')->{status}, 403, 'who may not');
is(GET('/locks/plain/1', 'X-User: eve')->{status}, 403, 'nor lock it');

my $r = PUT('/plain/1', { base_version => 5 }, 'X-User: eve');
is($r->{status}, 409, 'stale');
unlike($r->{raw}, qr/secret|;version/, 'and nothing is shown');
is(json(PUT('/plain/1', { base_version => 5 }, 'X-User: ann'))
   ->{server_version}{t}, 'secret', 'who may sees it');


=== a header filter may remove Conflict
--- config
    location /plain/ {
        conflict version;
        header_filter_by_lua_block { ngx.header.conflict = nil }
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

for my $r (GET('/plain/1'), GET('/plain/none'),
           PUT('/plain/1', { n => 2 }, 'X-Up-Write: status=422'))
{
    is(header($r, 'Conflict'), undef, "status $r->{status}");
}
