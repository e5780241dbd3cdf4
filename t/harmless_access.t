# A guarded server proxies like an unguarded one: access and redirects.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Both;
use Test::Nginx::Socket 'no_plan';

Conflict::Both::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== auth_request
--- config
    location / {
        auth_request /auth;
        auth_request_set $user $upstream_http_x_user;
        proxy_set_header X-User $user;
        add_header X-Seen $user;
        proxy_pass http://origin;
    }
    location = /auth {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Uri $request_uri;
        proxy_set_header X-Method $request_method;
        proxy_pass http://origin/check;
    }
--- steps
answer('/a', '', 'text');
answer('/check', "401 Unauthorized\nWWW-Authenticate: Bearer", 'who?');
answer('/check', "204 No Content\nX-User: ann", '', 'Cookie: good');
answer('/check', '403 Forbidden', 'no', 'Cookie: bad');
answer('/check', '500 Oh', 'oh', 'Cookie: ill');

for my $method (qw(GET POST PUT DELETE)) {
    my @body = (body => '{}') x ($method =~ /^P/);
    my ($r, $asked) = alike($method, '/a', @body, headers => ['Cookie: good']);

    is($r->{status}, 200, "$method by one who may");
    is(header($r, 'X-Seen'), 'ann', 'who is known');
    is(header_of($asked->[1], 'X-User'), 'ann', 'to the upstream, too');
    is(header_of($asked->[0], 'X-Method'), $method, 'the method was told');
    is(header_of($asked->[0], 'X-Uri'), '/a', 'and the URI');
    is(join(' ', map { $_->{body} } @$asked) =~ s/ //r, $method =~ /^P/
       ? '{}' : '', 'and the body went to the upstream alone');

    $r = alike($method, '/a', @body, mark => 0);
    is($r->{status}, 401, 'by nobody');
    is(header($r, 'WWW-Authenticate'), 'Bearer', 'with the challenge');

    is(alike($method, '/a', @body, mark => 0, headers => ['Cookie: bad'])
       ->{status}, 403, 'by one who may not');
    is(alike($method, '/a', @body, mark => 0, headers => ['Cookie: ill'])
       ->{status}, 500, 'by one of whom nothing is known');
}


=== auth_basic, allow, deny, satisfy
--- config
    auth_basic notes;
    auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/htpasswd;
    location / {
        proxy_pass http://origin;
    }
    location /any/ {
        satisfy any;
        deny all;
        proxy_pass http://origin;
    }
    location /here/ {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        proxy_pass http://origin;
    }
    location /all/ {
        deny all;
        proxy_pass http://origin;
    }
    location /except/ {
        limit_except GET {
            deny all;
        }
        auth_basic off;
        proxy_pass http://origin;
    }
    location = /free {
        auth_basic off;
        proxy_set_header X-User $remote_user;
        proxy_pass http://origin;
    }
--- user_files
>>> htpasswd
ann:{PLAIN}secret
--- steps
answer($_, '', 'text') for '/a', '/any/a', '/here/a', '/all/a', '/except/a',
                           '/free';

my @ann = ('Authorization: Basic YW5uOnNlY3JldA==');
my @bob = ('Authorization: Basic Ym9iOnNlY3JldA==');

for my $method (qw(GET POST PUT)) {
    my ($r, $asked) = alike($method, '/a', headers => \@ann);
    is($r->{status}, 200, "$method with a password");
    is(header_of($asked->[0], 'Authorization'), $ann[0] =~ s/.*?: //r,
       'which is sent on');

    for my $path ('/a', '/any/a') {
        $r = alike($method, $path, mark => 0, headers => \@bob);
        is($r->{status}, 401, "$path with another one");
        is(header($r, 'WWW-Authenticate'), 'Basic realm="notes"',
           'the challenge');
    }

    is(alike($method, '/any/a', headers => \@ann)->{status}, 200,
       'satisfy any: a password');
    is(alike($method, '/here/a')->{status}, 200, 'or an address');
    is(alike($method, '/all/a', mark => 0, headers => \@ann)->{status}, 403,
       'satisfy all');
    is(alike($method, '/except/a', $method eq 'GET' ? () : (mark => 0))
       ->{status}, $method eq 'GET' ? 200 : 403, 'limit_except');

    ($r, $asked) = alike($method, '/free', headers => \@bob);
    is(header_of($asked->[0], 'X-User'), 'bob', 'the user without a check');
}


=== limits of requests and connections
--- http_config
    limit_req_zone $server_port$uri zone=req:1m rate=1r/m;
    limit_conn_zone $server_port$uri zone=conn:1m;
--- config
    location / {
        limit_req zone=req;
        proxy_pass http://origin;
    }
    location /burst/ {
        limit_req zone=req burst=2 nodelay;
        limit_req_status 429;
        proxy_pass http://origin;
    }
    location /conn/ {
        limit_conn conn 1;
        proxy_pass http://origin;
    }
--- steps
for my $method (qw(GET POST PUT)) {
    answer($_, '', 'text') for "/$method", "/burst/$method";
    answer("/conn/$method", '', '<hold>text');

    is(alike($method, "/$method")->{status}, 200, "$method: the first");
    is(alike($method, "/$method", mark => 0)->{status}, 503, 'the next');
    is(alike($method, "/burst/$method")->{status}, 200, 'a burst') for 1 .. 3;
    is(alike($method, "/burst/$method", mark => 0)->{status}, 429, 'is over');

    both('limit_conn', sub {
        my $port = shift;
        my $first = start($method, "/conn/$method", port => $port);

        asked(1);

        my $second = http($method, "/conn/$method", port => $port);

        origin('/_release');

        return [ $second->{status}, finish($first)->{status} ];
    }, [ 503, 200 ]);
}


=== error pages
--- config
    error_page 404 /pages/404.html;
    error_page 403 =200 /pages/403.html;
    error_page 500 502 504 @fallback;
    error_page 410 http://elsewhere/gone;
    error_page 503 = /pages/503;
    location / {
        proxy_intercept_errors on;
        proxy_pass http://origin;
    }
    location /plain/ {
        proxy_pass http://origin;
    }
    location /dead/ {
        proxy_pass http://127.0.0.1:1;
    }
    location /recursive/ {
        recursive_error_pages on;
        proxy_intercept_errors on;
        error_page 404 = @second;
        proxy_pass http://origin;
    }
    location @second {
        proxy_intercept_errors on;
        proxy_pass http://origin/second$uri;
    }
    location @fallback {
        add_header X-Fallback "$uri $request_method" always;
        proxy_pass http://origin/fallback$uri;
    }
    location /pages/ {
        internal;
        add_header X-Page $uri always;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location = /pages/503 {
        return 418 teapot;
    }
    location = /denied {
        deny all;
    }
--- user_files
>>> 404.html
not here
>>> 403.html
not for you
--- steps
answer("/$_", "$_ No\nX-Up: 1\nETag: \"a\"", "up $_")
    for 400, 403, 404, 410, 500, 503;
answer('/plain/404', "404 No\nX-Up: 1", 'up 404');
answer('/fallback/500', '', 'from the fallback');
answer('/fallback/dead/a', '', 'from the fallback');
answer('/second/recursive/a', '500 Oh', 'oh');
answer('/fallback/recursive/a', '', 'the third');

my %page = (400 => '400 up 400', 403 => "200 not for you\n",
            404 => "404 not here\n", 500 => '500 from the fallback',
            503 => '418 teapot', 'plain/404' => '404 up 404',
            'dead/a' => '502 from the fallback');

for my $path (sort keys %page) {
    my ($r, $asked) = alike('GET', "/$path");

    is("$r->{status} $r->{body}", $page{$path}, "GET /$path");
    is(header($r, 'X-Up'), $path =~ /400|plain/ ? 1 : undef,
       'with the header of the upstream, or without');
    is(header($r, 'X-Fallback'), "/$path GET", 'by the fallback')
        if $r->{body} =~ /fallback/;
    is(header($r, 'X-Page'), '/pages/404.html', 'by the page')
        if $path eq '404';
}

for my $method (qw(POST PUT HEAD)) {
    for my $path (qw(400 403 404 plain/404)) {
        # what becomes a GET for a page is a read

        my $r = alike($method, "/$path", (body => '{}') x ($method ne 'HEAD'),
                      (mark => 1) x ($method ne 'POST'
                                        && $path =~ /^40[34]/));

        is($r->{status}, $page{$path} =~ s/ .*//sr, "$method $path");
    }
}

my $r = alike('GET', '/410');

is($r->{status}, 302, 'a page elsewhere');
is(header($r, 'Location'), 'http://elsewhere/gone', 'where');
is(alike('GET', '/denied', mark => 0)->{body}, "not for you\n",
   'for those whom nginx refuses');
is(alike('POST', '/denied')->{body}, "not for you\n", 'by POST');
is(alike('GET', '/recursive/a')->{body}, 'the third', 'one after the other');


=== X-Accel-Redirect
--- config
    location / {
        proxy_pass http://origin;
    }
    location /files/ {
        internal;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location @named {
        add_header X-Uri $uri;
        proxy_pass http://origin/named$uri;
    }
    location /ignored/ {
        proxy_ignore_headers X-Accel-Redirect;
        proxy_pass http://origin;
    }
--- user_files
>>> a.txt
0123456789
--- steps
my $head = "X-Accel-Redirect: /files/a.txt\nContent-Type: text/x-a\n"
           . "Content-Disposition: attachment\nSet-Cookie: a=1\nX-Gone: 1\n"
           . "X-Accel-Limit-Rate: 1000000\nX-Accel-Expires: 0";

utime 1700000000, 1700000000, servroot() . '/html/a.txt';
answer('/a', $head, 'ignored');
answer('/ignored/a', $head, 'ignored');
answer('/none', 'X-Accel-Redirect: /files/none');
answer('/404', "404 Not Found\nX-Accel-Redirect: /files/a.txt");

for my $method (qw(GET HEAD POST)) {
    my $r = alike($method, '/a', mark => $method ne 'POST' ? 1 : 0);

    is($r->{status}, 200, $method);
    is($r->{body}, $method eq 'HEAD' ? '' : "0123456789\n", 'the file');
    is(header($r, 'Content-Type'), 'text/x-a', 'the type of the upstream');
    is(header($r, 'Content-Disposition'), 'attachment', 'its disposition');
    is(header($r, 'Set-Cookie'), 'a=1', 'its cookie');
    is(header($r, 'X-Gone'), undef, 'nothing else of it');
    is(header($r, 'Content-Length'), 11, 'the length of the file');
    is(header($r, 'Last-Modified'), 'Tue, 14 Nov 2023 22:13:20 GMT',
       'and its date');
}

my $r = alike('GET', '/a', headers => ['Range: bytes=2-4']);
is($r->{status}, 206, 'a part');
is($r->{body}, '234', 'of the file');
is(alike('GET', '/none')->{status}, 404, 'a file that is not there');
is(alike('GET', '/404')->{body}, "0123456789\n", 'whatever the status');
is(alike('GET', '/files/a.txt', mark => 0)->{status}, 404, 'not by the client');
is(alike('GET', '/ignored/a')->{body}, 'ignored', 'ignored');

for my $method (qw(GET POST)) {
    answer('/to', "X-Accel-Redirect: \@named\nX-First: 1");
    answer('/named/to', '', 'by name');

    my ($r, $asked) = alike($method, '/to', (body => '{}') x ($method eq 'POST'));
    is($r->{body}, 'by name', "$method to a named location");
    is(header($r, 'X-Uri'), '/to', 'with the URI');
    is(join(' ', map { $_->{line} =~ s/ HTTP.*//r } @$asked),
       "$method /to $method /named/to", 'and the method');
}


=== mirror
--- config
    location / {
        mirror /mirror;
        proxy_pass http://origin;
    }
    location = /mirror {
        internal;
        proxy_pass http://origin/mirrored$request_uri;
    }
    location = /bare {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass http://origin/mirrored$request_uri;
    }
    location /bare/ {
        mirror /bare;
        mirror_request_body off;
        proxy_pass http://origin;
    }
--- steps
answer($_, '', 'text') for '/a', '/bare/a';
answer("/mirrored$_", '500 Oh', 'oh') for '/a', '/bare/a';

for my $method (qw(GET POST OPTIONS)) {
    both($method, sub {
        my $r = http($method, '/a?b', port => shift, body => 'text',
                     headers => ['Content-Type: text/plain']);

        return [ $r->{status}, $r->{body}, sort map {
            ($_->{line} =~ s/ HTTP.*//r) . " $_->{body}" } asked(2) ];
    }, [ 200, 'text', "$method /a?b text", "$method /mirrored/a?b text" ]);
}

for my $method (qw(POST PUT)) {
    both("$method without a body", sub {
        http($method, '/bare/a', port => shift, body => '{}');

        return [ sort map { ($_->{line} =~ s/ HTTP.*//r) . " $_->{body}" }
                      asked(2) ];
    }, [ "$method /bare/a {}", "$method /mirrored/bare/a " ]);
}

both('PUT', sub {
    my $r = http('PUT', '/a', port => shift, body => '{"a":1}');

    return [ $r->{status}, sort map { ($_->{line} =~ s/ HTTP.*//r)
                                      . " $_->{body}" } asked(2) ];
}, [ 200, 'PUT /a {"a":1}', 'PUT /mirrored/a {"a":1}' ]);
