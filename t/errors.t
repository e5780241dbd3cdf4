# Error messages: of the configuration, with the allowed values; of requests, with
# a type that is documented.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== what is wrong in a configuration is told with what is right
--- config
    location / {
        return 204;
    }
--- steps
my $dir = servroot() . '/../wrong';
mkdir $dir;
mkdir "$dir/logs";

my $load = join '', map { "load_module $_;\n" }
                    split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

# the directives in a location, or of http where they are a store; and what
# nginx says

my @wrong = (
    ['conflict never',
     'invalid policy "never", it must be "off", "lww", "client_wins", "server_wins", "version" or "merge"'],
    ['conflict version always',
     'invalid parameter "always", it must be "report", "hold", "hold=TIME" or "store=NAME", each at most once'],
    ['conflict version report report',
     'invalid parameter "report", it must be "report", "hold", "hold=TIME" or "store=NAME", each at most once'],
    ['conflict version hold=0',
     'invalid time "hold=0", it must be from 1s to 365d'],
    ['conflict version hold report',
     '"hold" and "report" are mutually exclusive, in report mode no body is lost'],
    ['conflict_inbox some', 'invalid parameter "some", it must be "all"'],
    ['conflict_inbox',
     '"conflict_inbox" in location "/x/" requires "conflict_user" with a user that is verified there'],
    ['conflict_status_inbox inbox',
     'invalid path "inbox" in "conflict_status_inbox" directive, it must begin with "/"'],
    ['conflict off report',
     'invalid parameter "report", "off" has no parameters'],
    ['conflict version store=a/b',
     'invalid store name "a/b", only letters, digits, "_" and "-" are allowed'],
    ['conflict version store=none', 'unknown store "none", declare it with "conflict_store"'],
    ['conflict_log logs/$host.log',
     'invalid log "logs/$host.log", it must be a path without variables, such as /dev/stderr, "syslog:..." or "off"'],
    ['conflict_log logs/x.log names',
     'invalid parameter "names", it must be "fields"'],
    ['conflict_methods get', 'invalid method "get", it must be in capital letters'],
    ['conflict_methods PUT,PATCH', 'invalid method "PUT,PATCH", it must be in capital letters, several are separated by spaces'],
    ['conflict_methods GET', 'invalid method "GET", it is not a write'],
    ['conflict_base x',
     'invalid value "x", it must be "json:/POINTER" or "header:NAME", where NAME has only letters, digits, "-" and "_"'],
    ['conflict_base header:a,b',
     'invalid value "header:a,b", it must be "json:/POINTER" or "header:NAME", where NAME has only letters'],
    ['conflict_base json:x',
     'invalid JSON pointer in "json:x", it must be "json:/NAME", with at most 16 names, each after a "/", and at most 256 bytes'],
    ['conflict_strip_base yes',
     'invalid value "yes" in "conflict_strip_base" directive, it must be "on" or "off"'],
    ['conflict_version x',
     'invalid value "x", it must be "counter", "json:/POINTER" or "header:NAME"'],
    ['conflict_mtime x',
     'invalid value "x", it must be "auto", "json:/POINTER" or "header:NAME"'],
    ['conflict_inject x', 'invalid value "x", it must be "off" or "json:/POINTER"'],
    ['conflict_require yes',
     'invalid value "yes" in "conflict_require" directive, it must be "on" or "off"'],
    ['conflict_resolver x',
     'invalid URI "x", it must be "off" or the path of a location, which begins with "/"'],
    ['conflict_resolver @x',
     'invalid URI "@x", it must be "off" or the path of a location, which begins with "/"'],
    ['conflict_resolver /x 5s', 'invalid parameter "5s", it must be "timeout=TIME"'],
    ['conflict_resolver /x timeout=0', 'invalid time "timeout=0", it must be from 1ms to 1h'],
    ['conflict_resolver /x timeout=2h', 'invalid time "timeout=2h", it must be from 1ms to 1h'],
    ['conflict_resolver off timeout=1s',
     'invalid parameter "timeout=1s", "off" has no parameters'],
    ['conflict_latest x', 'invalid value "x", it must be "fetch" or "off"'],
    ['conflict_latest fetch x',
     'invalid parameter "x", "fetch" accepts "root=/POINTER" and "off" has no parameters'],
    ['conflict_latest off root=/x',
     'invalid parameter "root=/x", "fetch" accepts "root=/POINTER" and "off" has no parameters'],
    ['conflict_latest fetch root=x',
     'invalid JSON pointer in "root=x", it must be "root=/NAME", with at most 16 names'],
    ['conflict_field x lww',
     'invalid JSON pointer "x", it must be "/NAME", with at most 16 names, each after a "/", and at most 256 bytes'],
    ['conflict_field /x newest', 'invalid rule "newest", it must be "auto", "lww", "server", "reject", "union", "union(KEY)",'],
    ['conflict_history 0',
     'invalid number of bodies "0", it must be from 1 to 1000'],
    ['conflict_history 8 x',
     'invalid parameter "x", it must be "ttl=TIME", from 1s to 365d, or "versions", each at most once'],
    ['conflict_history 8 versions versions',
     'invalid parameter "versions", it must be "ttl=TIME", from 1s to 365d, or "versions", each at most once'],
    ['conflict_versions open',
     'invalid parameter "open", it must be "get=PATH" or "public", each at most once'],
    ['conflict_versions get=off',
     'invalid target "get=off", it must be a path that begins with "/"'],
    ['conflict_versions', '"conflict_versions" in location "/x/" requires "conflict_key" with the resource that they are of'],
    ['conflict_versions; conflict_key note:$arg_id',
     '"conflict_key note:$arg_id" in location "/x/" is not a path, so "conflict_versions" requires "get=PATH", the path of the resource'],
    ['conflict_versions; conflict_lock; conflict_key $uri',
     '"conflict_lock" and "conflict_versions" are mutually exclusive in location "/x/"'],
    ['conflict_versions get=/a; conflict_lock get=/b; conflict_key $uri',
     '"conflict_lock" and "conflict_versions" are mutually exclusive in location "/x/"'],
    ['conflict_lock get=/a; conflict_versions get=/b; conflict_key $uri',
     '"conflict_lock" and "conflict_versions" are mutually exclusive in location "/x/"'],
    ['conflict_header_status 410',
     'invalid value "410" in "conflict_header_status" directive, it must be "409" or "412"'],
    ['conflict_lock_status 410',
     'invalid value "410" in "conflict_lock_status" directive, it must be "409" or "423"'],
    ['conflict_store_error ignore',
     'invalid value "ignore" in "conflict_store_error" directive, it must be "refuse" or "pass"'],
    ['conflict_store_error pass; conflict_store_error pass',
     '"conflict_store_error" directive is duplicate'],
    ['conflict_lease 1ms', 'invalid time "1ms", it must be from 100ms to 1d'],
    ['conflict_wait x', 'invalid time "x", it must be from 0 to 1d'],
    ['conflict_quarantine 2d', 'invalid time "2d", it must be from 0 to 1d'],
    ['conflict_max_body x', 'invalid size "x", it must be a size such as "64k" or "10m"'],
    ['conflict_max_values x', 'invalid number "x", it must be from 1 to 10000000'],
    ['conflict_lock idle=1ms', 'invalid time "idle=1ms", it must be from 100ms to 1d'],
    ['conflict_lock per_user=x',
     'invalid number of locks "per_user=x", it must be from 1 to 10000'],
    ['conflict_lock get=x',
     'invalid target "get=x", it must be "off" or a path that begins with "/"'],
    ['conflict_lock steal',
     'invalid parameter "steal", it must be "idle=TIME", "per_user=NUMBER", "get=PATH", "get=off" or "force", each at most once'],
    ['conflict_lock; conflict_key note:$arg_id',
     '"conflict_key note:$arg_id" in location "/x/" is not a path, so "conflict_lock" requires "get=PATH", the path of the resource, or "get=off"'],
    ['conflict_lock force; conflict_key ""',
     '"conflict_key " in location "/x/" is not a path'],
    ['conflict_status xml',
     'invalid value "xml" in "conflict_status" directive, it must be "html", "json" or "prometheus"'],
    ['conflict_store a x',
     'invalid store "x", it must be "zone=SIZE", "redis://HOST", "rediss://HOST" or "unix:PATH"'],
    ['conflict_store a zone=x',
     'invalid zone size "zone=x", it must be a size such as "512k" or "10m"'],
    ['conflict_store a zone=1k', 'zone "zone=1k" is too small, it must be at least'],
    ['conflict_store a zone=1m size=2m',
     'invalid parameter "size=" of store "a", it must be "history=SIZE" or "blobs=SIZE", each at most once'],
    ['conflict_store a zone=1m blobs=x',
     'invalid zone size "blobs=x", it must be a size such as "512k" or "10m"'],
    ['conflict_idempotency maybe',
     'invalid value "maybe", it must be "on", "required" or, without "ttl=", "off"'],
    ['conflict_idempotency on ttl=1ms',
     'invalid parameter "ttl=1ms", it must be "ttl=TIME", from 1s to 30d'],
    ['conflict_store a zone=1m history=x',
     'invalid zone size "history=x", it must be a size such as "512k" or "10m"'],
    ['conflict_store a redis://127.0.0.1 retry=1',
     'unknown parameter "retry=" of store "a", it must be an address, "cluster", "sentinel=NAME", "failover=trust", "wait=NUMBER", "timeout=TIME", "ttl=TIME", "db=NUMBER", "prefix=TEXT", "tls_ca=FILE", "tls_cert=FILE", "tls_key=FILE" or "tls_name=NAME"'],
    ['conflict_store a redis://127.0.0.1 failover=never',
     'unknown parameter "failover=" of store "a", it must be an address'],
    ['conflict_store a redis://127.0.0.1 timeout=0',
     'invalid parameter "timeout=0" of store "a", it must be a time from 1ms'],
    ['conflict_store a redis://127.0.0.1 ttl=1s',
     'invalid parameter "ttl=1s" of store "a", it must be a time from 60s to 3650d'],
    ['conflict_store a redis://127.0.0.1 sentinel=',
     'invalid parameter "sentinel=" of store "a", it must be the name of a master'],
    ['conflict_store a redis://127.0.0.1 db=x',
     'invalid parameter "db=x" of store "a", it must be a number, from 0'],
    ['conflict_store a redis://127.0.0.1 wait=200',
     'invalid parameter "wait=200" of store "a", it must be a number of replicas, from 0 to 100'],
    ['conflict_store a redis://127.0.0.1 "prefix={"',
     'invalid parameter "prefix={" of store "a", it must be a string without "{" and "}", of at most 128 bytes'],
    ['conflict_store a rediss://127.0.0.1 tls_ca=',
     'invalid parameter "tls_ca=" of store "a", it must be the name of a file'],
    ['conflict_store a rediss://127.0.0.1 tls_name=',
     'invalid parameter "tls_name=" of store "a", it must be the name in the server\'s certificate'],
    ['conflict_store a rediss://127.0.0.1 tls_ca=/none',
     'invalid parameter "tls_ca=/none" of store "a", it must be a file with certificates in PEM format'],
    ['conflict_store a rediss://127.0.0.1 tls_cert=/none tls_key=/none',
     'invalid parameter "tls_cert=/none" or "tls_key=/none" of store "a", they must be files with a certificate and its key in PEM format'],
    ['conflict_store a redis://127.0.0.1:x',
     'of store "a": invalid port; it must have the form "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]", the same with "rediss://", or "unix:PATH"'],
    ['conflict_store a redis://127.0.0.1/x',
     'of store "a": the database is not a number; it must have the form "redis://'],
);

for my $case (@wrong) {
    my ($text, $want) = @$case;

    my $http = $text =~ /^conflict_store / ? "$text;" : '';
    my $location = $http ? '' : "$text;";

    open my $out, '>', "$dir/nginx.conf" or die;
    print $out $load, <<"END";
        pid $dir/nginx.pid;
        events { }
        http {
            $http
            access_log off;
            server {
                location /x/ {
                    $location
                    @{[ $text =~ /^conflict |_lock;|_lock force|_inbox/ ? '' : 'conflict lww;' ]}
                    proxy_pass http://127.0.0.1:1;
                }
            }
        }
END
    close $out;

    my $said = `$ENV{TEST_NGINX_BINARY} -e $dir/error.log -p $dir -c $dir/nginx.conf -t 2>&1`;

  SKIP: {
        skip 'no TLS in this build', 1
            if $text =~ /=\/none/ && $said =~ /requires TLS, /;

        ok(index($said, $want) >= 0, $text) or diag($said);
    }
}


=== each error has a page
--- config
    location / {
        return 204;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $page = slurp("$top/docs/errors.md");

my %slug = map { $_ => 1 }
           slurp("$top/src/answer/ngx_http_conflict_problem.c")
           =~ /^    \{ \w+,\s+"([a-z_]+)",/mg;
my %section = map { $_ => 1 } $page =~ /^## ([a-z_]+)$/mg;

cmp_ok(scalar(keys %slug), '>', 14, 'there are errors');
is_deeply([sort keys %section], [sort keys %slug], 'and each has a section');

for my $slug (sort keys %section) {
    my ($text) = $page =~ /^## $slug\n(.*?)(?=^## |\z)/ms;

    like($text, qr/^\*\*What happened\.\*\* .*^\*\*A client\*\* .*^\*\*An operator\*\* /ms,
         "$slug says what happened, and what to do");
    like($page, qr/^\| \d+ \| \[`$slug`\]\(#$slug\) \|/m, 'is in the table');
}

# where else they are named

for my $file (glob "$top/docs/*.md") {
    for my $link (slurp($file) =~ /errors\.md#(\w+)/g) {
        ok($section{$link}, "$file: $link");
    }
}


=== the type of a problem is its page
--- http_config
    conflict_store down redis://127.0.0.1:1 timeout=100ms;
--- config
    location / {
        conflict version;
        conflict_max_body 1k;
        proxy_pass http://api;
    }
    location /plain/strict/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
    location /plain/edited/ {
        conflict lww edited=json:/edited_at;
        proxy_pass http://api;
    }
    location /plain/down/ {
        conflict version store=down;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/plain/\d+)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock per_user=1;
    }
    location ~ ^/lock/(?<resource>.*)$ {
        conflict_key $resource;
        conflict_lock;
    }
    location = /inbox {
        conflict_inbox;
        conflict_user $http_x_user;
    }
    location = /one { conflict_events per_client=1; }
    location = /full { conflict_events max=1; }
--- steps
my $page = slurp("$ENV{TEST_NGINX_TOP}/docs/errors.md");

set_doc("/plain/$_", { n => 1 }) for 1, 2;
http('POST', '/plain/1/lock', headers => ['X-User: ann']);

# a stream, which stays open

my $stream = start('GET', '/one?resource=/plain/2');
sysread $stream->{socket}, my $head, 1000;

my @asked = (
    ['version_conflict', 'PUT', '/plain/2', '{"base_version":1}'],
    ['precondition_required', 'PUT', '/plain/strict/1', '{}'],
    ['malformed_base', 'PUT', '/plain/2', '{"base_version":null}'],
    ['malformed_json', 'PUT', '/plain/2', '{'],
    ['body_too_large', 'PUT', '/plain/2', '{"a":"' . 'x' x 2000 . '"}'],
    ['encoded_body', 'PUT', '/plain/strict/1', 'x', 'Content-Encoding: gzip'],
    ['store_unavailable', 'PUT', '/plain/down/2', '{}'],
    ['malformed_destination', 'MOVE', '/plain/2', '', 'Destination: http://elsewhere/x'],
    ['malformed_edit_time', 'PUT', '/plain/edited/1', '{"edited_at":"x"}'],
    ['locked', 'PUT', '/plain/1', '{}'],
    ['too_many_locks', 'POST', '/plain/2/lock', '', 'X-User: ann'],
    ['method_not_allowed', 'PUT', '/plain/2/lock', '{}'],
    ['lock_target_unknown', 'POST', '/lock/2', ''],
    ['malformed_request', 'GET', '/inbox?id=1', ''],
    ['held_not_found', 'GET', '/inbox?id=' . '0' x 32, ''],
    ['malformed_resource', 'GET', '/one?resource=x', ''],
    ['too_many_streams', 'GET', '/one?resource=/plain/2', ''],
    ['streams_exhausted', 'GET', '/full?resource=/plain/2', ''],
);

for my $case (@asked) {
    my ($slug, $method, $path, $body, @headers) = @$case;
    my $type = "urn:ngx-http-conflict-module:docs/errors.md#$slug";

    push @headers, 'Content-Type: application/json' if $body ne '';

    my @body = $body ne "" ? (body => $body) : ();
    my $r = http($method, $path, @body, headers => [@headers]);

    is(json($r)->{error}, $slug, $slug);
    ok(!exists json($r)->{type}, 'JSON has no type');

    $r = http($method, $path, @body,
              headers => [@headers, 'Accept: application/problem+json']);

    is(header($r, 'Content-Type'), 'application/problem+json', 'a problem');
    is(json($r)->{type}, $type, 'has one');
    is(json($r)->{status}, $r->{status}, 'and its status');
    like($page, qr/^## $slug$/m, 'which is a section');

    $page =~ /^\| (\d+) \| \[`$slug`\]/m;
    is($r->{status}, $1, 'the page has the same status');
}
