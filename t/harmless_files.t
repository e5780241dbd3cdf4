# A guarded server proxies like an unguarded one: files, rewrites, WebDAV.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Both;
use Test::Nginx::Socket 'no_plan';

Conflict::Both::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== try_files, index, rewrite, return, if
--- config
    root $TEST_NGINX_SERVER_ROOT/html;
    location / {
        try_files $uri $uri/ @api;
    }
    location @api {
        proxy_pass http://origin;
    }
    location /code/ {
        try_files /none =405;
    }
    location /uri/ {
        try_files /none /a.txt?$args;
    }
    location /re/ {
        rewrite ^/re/(\w+)/(\d+)$ /$1.txt?n=$2 last;
        rewrite ^/re/to$ /elsewhere permanent;
        rewrite ^/re/loop /re/loop last;
        rewrite ^/re(/.*)$ $1 break;
        proxy_pass http://origin;
    }
    location /return/ {
        if ($request_method = POST) {
            return 200 posted;
        }
        if ($arg_to) {
            return 307 /to/$arg_to;
        }
        return 204;
    }
    location /if/ {
        if ($http_x_a) {
            add_header X-If yes;
        }
        if ($http_x_b) {
            proxy_pass http://origin;
            break;
        }
        proxy_pass http://origin/else/;
    }
    location /list/ {
        autoindex on;
        autoindex_format json;
    }
--- user_files
>>> a.txt
a file
>>> dir/index.html
an index
>>> list/one
1
--- steps
utime 1700000000, 1700000000, map { servroot() . "/html/$_" }
                              'a.txt', 'dir/index.html', 'list/one';
answer('/api', '', 'api');
answer('/x', '', 'broken off');
answer('/if/a', '', 'if');
answer('/else/a', '', 'else');

is(alike('GET', '/a.txt')->{body}, "a file\n", 'a file');
is(alike('GET', '/dir/')->{body}, "an index\n", 'an index');
is(header(scalar alike('GET', '/dir'), 'Location'),
   "http://localhost:@{[port()]}/dir/", 'a directory');
is(alike($_, '/api')->{body}, 'api', "$_ to the upstream")
    for qw(GET POST PUT DELETE);
is(alike('GET', '/code/')->{status}, 405, 'a code');
is(alike('GET', '/uri/')->{body}, "a file\n", 'another URI');

is(alike('GET', '/re/a/5')->{body}, "a file\n", 'rewrite ... last');
is(alike('GET', '/re/x')->{body}, 'broken off', 'rewrite ... break');
is(alike('GET', '/re/loop', mark => 0)->{status}, 500, 'a cycle');

for my $method (qw(GET POST PUT DELETE)) {
    my $r = alike($method, '/re/to', mark => 0);

    is($r->{status}, 301, "$method: rewrite ... permanent");
    is(header($r, 'Location'), "http://localhost:@{[port()]}/elsewhere",
       'where to');

    $r = alike($method, '/return/?to=b', mark => 0,
               (body => '{}') x ($method eq 'PUT'));
    is($r->{status}, $method eq 'POST' ? 200 : 307, 'return in "if"');
    is($r->{body}, 'posted', 'with a text') if $method eq 'POST';

    is(alike($method, '/if/a')->{body}, 'else', 'no "if"');
    $r = alike($method, '/if/a', headers => ['X-B: 1']);
    is($r->{body}, 'if', 'proxy_pass in "if"');
}

is(alike('GET', '/return/', mark => 0)->{status}, 204, 'return');
is(header(scalar alike('GET', '/if/a', headers => ['X-A: 1']), 'X-If'), 'yes',
   'add_header in "if"');
is(json(scalar alike('GET', '/list/'))->[0]{name}, 'one', 'autoindex');


=== files
--- config
    location /files/ {
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /cached/ {
        open_file_cache max=10;
        expires 1h;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> a.html
<p>text
--- steps
utime 1700000000, 1700000000, servroot() . '/html/a.html';

for my $dir ('files', 'cached') {
    for my $method (qw(GET HEAD)) {
        my $r = alike($method, "/$dir/a.html");

        is($r->{status}, 200, "$method $dir");
        is($r->{body}, $method eq 'GET' ? "<p>text\n" : '', 'the text');
        is(header($r, 'Content-Length'), 8, 'its length');
        is(header($r, 'Last-Modified'), 'Tue, 14 Nov 2023 22:13:20 GMT',
           'its date');
        is(header($r, 'Cache-Control'), $dir eq 'cached' ? 'max-age=3600'
                                                         : undef, 'expires');
    }

    is(alike('GET', "/$dir/none")->{status}, 404, 'none');

    for my $method (qw(POST PUT DELETE)) {
        is(alike($method, "/$dir/a.html", (body => '{}') x ($method ne 'DELETE'))
           ->{status}, 405, "$method is not allowed");
    }
}


=== WebDAV
--- config
    location / {
        root $TEST_NGINX_SERVER_ROOT/html/$server_port;
        dav_methods PUT DELETE MKCOL COPY MOVE;
        create_full_put_path on;
        dav_access group:r all:r;
    }
    location /flat/ {
        root $TEST_NGINX_SERVER_ROOT/html/$server_port;
        dav_methods PUT DELETE;
        min_delete_depth 2;
    }
--- steps
my @text = 'Content-Type: text/plain';
my @json = 'Content-Type: application/json';
my $large = 'x' x 100_000;

my $put = sub {
    my ($path, $body, @more) = @_;

    return alike('PUT', $path, body => $body, headers => [@text],
                 @more)->{status};
};

my $there = sub {
    my ($name) = @_;

    return join '|', map { -e file_of($_, $name) ? slurp(file_of($_, $name))
                                                 : 'none' }
                     plain_port(), port();
};

my $r = alike('PUT', '/a/b.txt', body => 'one', headers => \@text);

is($r->{status}, 201, 'PUT makes a file');
is(header($r, 'Location'), "http://localhost:@{[port()]}/a/b.txt", 'says where');
is($there->('a/b.txt'), 'one|one', 'with its text');
is((stat file_of(port(), 'a/b.txt'))[2] & 0777, 0644, 'and its rights');
is($put->('/a/b.txt', 'two'), 204, 'changes it');
is($there->('a/b.txt'), 'two|two', 'to this');
is($put->('/a/b.txt', ''), 204, 'makes it empty');
is($there->('a/b.txt'), '|', 'really');
is($put->('/a/large', $large, chunked => 3000), 201, 'a large one, chunked');
ok($there->('a/large') eq "$large|$large", 'is whole');
is(alike('PUT', '/a/json', body => '{"a": 1}', headers => \@json)->{status},
   201, 'JSON');
is($there->('a/json'), '{"a": 1}|{"a": 1}', 'as it was');
is($put->('/a/', 'x'), 409, 'no collection');
is($put->('/a', 'x'), 409, 'nor what is one');
is(alike('PUT', '/a/part', body => 'x', headers => [@text,
         'Content-Range: bytes 0-0/2'])->{status}, 501, 'nor a part');

alike('PUT', '/a/dated', body => 'x', headers => [@text,
      'Date: Tue, 14 Nov 2023 22:13:20 GMT']);
is((stat file_of(port(), 'a/dated'))[9], 1700000000, 'PUT with a date');

is(alike('MKCOL', '/c/')->{status}, 201, 'MKCOL');
is(alike('MKCOL', '/c/')->{status}, 405, 'again');
is(alike('COPY', '/a/json', headers => ['Destination: /c/json'])->{status}, 204,
   'COPY');
is($there->('c/json'), '{"a": 1}|{"a": 1}', 'is there');
is(alike('MOVE', '/c/json', headers => ['Destination: /c/moved'])->{status},
   204, 'MOVE');
is($there->('c/json') . $there->('c/moved'), 'none|none{"a": 1}|{"a": 1}',
   'is there');
is(alike('COPY', '/a/json', headers => ['Destination: /c/moved',
                                        'Overwrite: F'])->{status}, 412,
   'COPY over another');

is(alike('DELETE', '/a/json', body => 'x', headers => \@text)->{status}, 415,
   'DELETE with a body');
is($there->('a/json'), '{"a": 1}|{"a": 1}', 'does nothing');
is(alike('DELETE', '/a/json')->{status}, 204, 'DELETE');
is($there->('a/json'), 'none|none', 'is gone');
is(alike('DELETE', '/a/json')->{status}, 404, 'again');
is(alike('DELETE', '/a', headers => ['Depth: 0'])->{status}, 409,
   'DELETE of a directory');
is(alike('DELETE', '/c/')->{status}, 204, 'by its name');
is($there->('c/moved'), 'none|none', 'with all in it');
is(alike('DELETE', '/flat/')->{status}, 409, 'min_delete_depth');
