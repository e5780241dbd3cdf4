# The module's own GET: a GET of the same target by the same client in every
# respect, which leaves the write unchanged.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
fcgi_start();

sub value_of {
    my ($request, $name) = @_;

    my %headers = map { @$_ } @{ $request->{headers} };

    return $headers{$name};
}

run_tests();

__DATA__

=== FastCGI with its standard parameters
--- config
    location / {
        conflict version;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
    }
--- steps
my $v = version(PUT('/1', { n => 1 }));
is(PUT('/1', { n => 2, base_version => $v })->{status}, 204, 'a write');

my $r = PUT('/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'a stale one');
is(json($r)->{server_version}{n}, 2, 'with the latest body');
is(DELETE('/1', qq(If-Match: "$v"))->{status}, 409, 'a stale DELETE');
is(json(GET('/1'))->{n}, 2, 'and nothing was written or deleted');

is_deeply([ map { $_->[0] } grep { $_->[1] eq '/1' } @{ json(GET('/_seen')) } ],
          [qw(PUT PUT GET GET GET)], 'what the application was asked');

# a GET first, then the write with all that is its own

is(PUT('/2', { n => 1 }, 'If-None-Match: *')->{status}, 204, 'a new one');
is(GET('/2')->{body}, '{"n":1}', 'its body has arrived');


=== $request_method is GET in what nginx decides for it
--- http_config
    map $request_method $realm { GET "closed"; default off; }
    map $http_x_http_method_override $method {
        default $http_x_http_method_override;
        ''      $request_method;
    }
--- config
    location / {
        conflict version;
        proxy_method $method;
        proxy_pass http://api;
    }
    location /if/ {
        if ($request_method !~ ^(PUT|POST)$) { return 403; }
        conflict version;
        proxy_pass http://api/plain/;
    }
    location /realm/ {
        auth_basic $realm;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/htpasswd;
        conflict version;
        proxy_pass http://api/plain/;
    }
--- user_files
>>> htpasswd
ann:{PLAIN}secret
--- steps
set_doc('/plain/1', { secret => 'the text' });

is(GET('/if/1')->{status}, 403, 'whom "if" keeps from reading');
my $r = PUT('/if/1', { base_version => 1 });
is($r->{status}, 409, 'is told that it is stale');
unlike($r->{raw}, qr/the text/, 'and no body');

is(GET('/realm/1')->{status}, 401, 'whom auth_basic keeps from reading');
$r = PUT('/realm/1', { base_version => 1 });
is($r->{status}, 401, 'gets that');
unlike($r->{raw}, qr/the text/, 'and no body');

my $v = version(PUT('/plain/2', { n => 1 }));
is(PUT('/plain/2', { n => 2, base_version => $v })->{status}, 204, 'a write');
is(PUT('/plain/2', { n => 3, base_version => $v })->{status}, 409, 'stale');
is(json(upstream('/_doc?path=/plain/2'))->{n}, 2,
   'proxy_method was that of a GET');


=== a GET that proxy_method would make a write
--- config
    location / {
        conflict version;
        proxy_method PUT;
        proxy_pass http://api/plain/;
    }
    location /var/ {
        conflict version;
        proxy_method $http_x_method;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/1', { n => 1 });

for my $path ('/1', '/var/1') {
    my $r = PUT($path, { n => 2, base_version => 1 }, 'X-Method: PUT');

    is($r->{status}, 503, "$path: what needs a GET");
    is(json(upstream('/_doc?path=/plain/1'))->{n}, 1, 'has no effect');
}

my @logged = error_log() =~ /no GET [^"]*"proxy_method" would make it "PUT"/g;
is(scalar(@logged), 2, 'and the log says why');

is(PUT('/1', { n => 2 })->{status}, 204, 'others pass');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 2, 'as they are');


=== the same by a parameter, and where nothing is guarded
--- config
    set $name 127.0.0.1:$TEST_NGINX_FCGI_PORT;

    location /fastcgi/ {
        conflict version;

        location /fastcgi/put/ {
            fastcgi_param REQUEST_METHOD PUT;
            fastcgi_param REQUEST_URI /9;
            fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        }
        location /fastcgi/var/ {
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_METHOD $http_x_method;
            fastcgi_param REQUEST_URI /9;
            fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        }
        location /fastcgi/name/ {
            fastcgi_param REQUEST_METHOD PUT;
            fastcgi_param REQUEST_URI /9;
            fastcgi_pass $name;
        }
        location /fastcgi/if/ {
            fastcgi_param REQUEST_METHOD PUT;
            fastcgi_param REQUEST_URI /9;
            fastcgi_pass $name;
            if ($http_x_method) { set $if 1; }
        }
    }

    location /uwsgi/ {
        conflict version;

        location /uwsgi/put/ {
            uwsgi_param REQUEST_METHOD PUT;
            uwsgi_param REQUEST_URI /9;
            uwsgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        }
        location /uwsgi/var/ {
            uwsgi_param REQUEST_METHOD $request_method;
            uwsgi_param REQUEST_METHOD $http_x_method;
            uwsgi_param REQUEST_URI /9;
            uwsgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        }
        location /uwsgi/name/ {
            uwsgi_param REQUEST_METHOD PUT;
            uwsgi_param REQUEST_URI /9;
            uwsgi_pass $name;
        }
        location /uwsgi/if/ {
            uwsgi_param REQUEST_METHOD PUT;
            uwsgi_param REQUEST_URI /9;
            uwsgi_pass $name;
            if ($http_x_method) { set $if 1; }
        }
    }

    location /scgi/ {
        conflict version;

        location /scgi/put/ {
            scgi_param REQUEST_METHOD PUT;
            scgi_param REQUEST_URI /9;
            scgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        }
        location /scgi/var/ {
            scgi_param REQUEST_METHOD $request_method;
            scgi_param REQUEST_METHOD $http_x_method;
            scgi_param REQUEST_URI /9;
            scgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        }
        location /scgi/name/ {
            scgi_param REQUEST_METHOD PUT;
            scgi_param REQUEST_URI /9;
            scgi_pass $name;
        }
        location /scgi/if/ {
            scgi_param REQUEST_METHOD PUT;
            scgi_param REQUEST_URI /9;
            scgi_pass $name;
            if ($http_x_method) { set $if 1; }
        }
    }
    location /elsewhere/ {
        conflict off;
        proxy_method PUT;
        proxy_pass http://api/plain/;
    }
    location /api/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
    location ~ ^/api/(?<n>\d+)/lock$ {
        conflict_key /api/$n;
        conflict_user $http_x_user;
        conflict_lock get=/elsewhere/$n;
    }
    location /seen {
        rewrite ^ /_seen break;
        fastcgi_param REQUEST_METHOD GET;
        fastcgi_param REQUEST_URI $uri;
        fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
    }
--- steps
my @ways = qw(put var name if);

for my $path (map { my $name = $_; map { "/$name/$_/1" } @ways }
              qw(fastcgi uwsgi scgi))
{
    is(PUT($path, { n => 2, base_version => 1 }, 'X-Method: PUT')->{status},
       503, "$path: what needs a GET");
}

set_doc('/plain/1', { n => 1 });

my $r = http('POST', '/api/1/lock', headers => ['X-User: ann']);
isnt($r->{status}, 200, 'no lock without a GET');

is(scalar(grep { $_->[1] eq '/9' } @{ json(GET('/seen')) }), 0,
   'nothing was written');
is(scalar(journal()), 0, 'nor there');

my @logged = error_log() =~ /no GET [^"]*"(\w+_\w+)[^"]*" would make it "PUT"/g;
is("@logged", join(' ', map({ ("${_}_param") x 4 } qw(fastcgi uwsgi scgi)),
                   'proxy_method'), 'the log says why');


=== a "proxy_method" that another module inherits
--- config
    proxy_method PUT;
    set $name 127.0.0.1:$TEST_NGINX_FCGI_PORT;

    location / {
        conflict version;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_pass $name;
        if ($http_x_method) { set $if 1; }
    }
--- steps
for my $field ('X-Method: 1', 'X-None: 1') {
    PUT('/1', { n => 1 }, $field, 'If-None-Match: *');
    is(PUT('/1', { n => 3, base_version => 1 }, $field)->{status}, 409,
       "$field: a GET is sent");
}


=== the same under policies that refuse nothing
--- config
    location / {
        conflict lww;
        proxy_method PUT;
        proxy_pass http://api/plain/;
    }
    location /wins/ {
        conflict client_wins;
        proxy_method PUT;
        proxy_pass http://api/plain/;
    }
--- steps
for my $path ('/1', '/wins/1') {
    set_doc('/plain/1', { n => 1 });

    my $r = PUT($path, { n => 2, base_version => 1 });

    is($r->{status}, 204, "$path: what needs a GET");
    is(header($r, 'Conflict'), 'unchecked;base=1', 'passes without it');
    is(json(upstream('/_doc?path=/plain/1'))->{n}, 2, 'as it is');
}

is(join(' ', map { $_->{method} } seen()), 'PUT PUT', 'each once');

my @logged = error_log() =~ /no GET [^"]*"proxy_method" would make it "PUT"/g;
is(scalar(@logged), 2, 'and the log says why');


=== variables are evaluated for the GET, and for the write
--- http_config
    map $conflict_fetch $who { 1 module; default client; }
    map $http_content_type $kind { default other; application/json json; }
--- config
    location / {
        conflict version;
        auth_request /check;
        proxy_set_header X-Who $who;
        proxy_set_header X-Kind $kind;
        proxy_set_header Cache-Control max-age=0;
        proxy_pass http://api;
    }
    location = /check {
        internal;
        conflict off;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-Method $request_method;
        proxy_pass http://api/plain/allowed;
    }
--- steps
set_doc('/plain/allowed', {});
set_doc('/plain/1', { n => 1 });

is(PUT('/plain/1', { base_version => 1 })->{status}, 409, 'a refusal');
is(join(' ', map { value_of($_, 'x-original-method') }
             grep { $_->{target} eq '/plain/allowed' } seen()),
   'PUT GET', 'what the auth service was asked');

is(PUT('/plain/1', { n => 2 }, 'If-Match: *')->{status}, 204, 'a write');
my ($write) = grep { $_->{method} eq 'PUT' } seen();
is(value_of($write, 'x-who'), 'client', 'after a GET that was the module\'s');
is(value_of($write, 'x-kind'), 'json', 'with the headers of its own');

my ($get) = grep { $_->{method} eq 'GET' && $_->{target} eq '/plain/1' } seen();
is(join(' ', map { $_->[1] } grep { $_->[0] eq 'cache-control' }
             @{ $get->{headers} }),
   'max-age=0', 'and a field is replaced as any of a client');


=== the log has the method of the client
--- http_config
    log_format method '$request_method $status';
--- config
    location / {
        conflict version;
        access_log logs/method.log method;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });
is(PUT('/plain/1', { base_version => 1 })->{status}, 409, 'a refusal');

# one whose client goes away while the GET is on its way

my $w = start('PUT', '/plain/1', body => { base_version => 1 },
              headers => ['X-Up-Read: hold apply']);
until_true { scalar(grep { $_->{method} eq 'GET' } seen()) == 2 };
close $w->{socket};

until_true { slurp(servroot() . '/logs/method.log') =~ /\n.*\n/ };
release();
is(slurp(servroot() . '/logs/method.log'), "PUT 409\nPUT 499\n", 'both');


=== a rewrite
--- config
    location /api/ {
        conflict version;
        rewrite ^/api/(.*)$ /plain/$1 break;
        proxy_pass http://api;
    }
    location /old/ {
        rewrite ^/old/(.*)$ /new/$1 last;
    }
    location /new/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
    location / {
        return 404;
    }
--- steps
for my $path ('/api/1', '/old/2', '/api/a%2Fb?x=1') {
    my $v = version(PUT($path, { n => 1 }));
    is(PUT($path, { n => 2, base_version => $v })->{status}, 204, 'a write');

    my $r = PUT($path, { n => 3, base_version => $v });
    is($r->{status}, 409, "a stale one to $path");
    is(json($r)->{server_version}{n}, 2, 'with what a GET of that shows');
}


=== a fallback that a GET takes is taken
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 404 = @old;
        proxy_pass http://api/zero$uri;
    }
    location @old {
        proxy_pass http://api/plain$uri;
    }
--- steps
set_doc('/plain/1', { n => 2 });

my $r = PUT('/1', { n => 1, base_version => 5 });
is($r->{status}, 409, 'stale');
is(json($r)->{server_version}{n}, 2, 'with what a GET shows');


=== an error page is not the resource
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 401 403 = /login.json;
        error_page 404 /none.json;
        proxy_pass http://api;
    }
    location = /login.json { conflict off; return 200 '{"please":"log in"}'; }
    location = /none.json { conflict off; return 200 '{"page":404}'; }
--- steps
set_doc('/auth/1', { n => 1 });

my $r = PUT('/auth/1', { base_version => 1 });
is($r->{status}, 401, 'who may not read it');
unlike($r->{body}, qr/server_version/, 'is not shown a page in its place');

$r = PUT('/plain/none', { base_version => 1 });
is($r->{status}, 409, 'what does not exist');
ok(json($r)->{deleted}, 'does not for its page');


=== a refusal that is passed on says when to come back
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my @busy = ('X-Up-Read: status=429 header=Retry-After:7');

for my $r (PUT('/plain/1', { base_version => 1 }, @busy),
           http('POST', '/plain/1/lock', headers => [@busy]))
{
    is($r->{status}, 429, 'refused');
    is(header($r, 'Retry-After'), 7, 'until');
}


=== a body from a cache is of no version
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=c:1m;
--- config
    location / {
        conflict version;
        try_files /none @api;
    }
    location @api {
        conflict off;
        proxy_cache c;
        proxy_cache_valid 200 1h;
        proxy_cache_key $uri;
        proxy_pass http://api;
    }
--- steps
my $v = version(PUT('/plain/1', { n => 'old' }));
GET('/plain/1') for 1 .. 2;
is(PUT('/plain/1', { n => 'new', base_version => $v })->{status}, 204,
   'a write');

my $r = PUT('/plain/1', { n => 'x', base_version => $v });
is($r->{status}, 409, 'a stale one');
ok(!defined json($r)->{server_version}, 'has no body of before');
is(json($r)->{server_version_omitted}, 'unavailable', 'why');
like(error_log(),
     qr/a cache answered the GET for the latest body of "\/plain\/1"/,
     'the log tells what to add');
