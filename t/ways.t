# Ways by which a write reaches the API that do not begin in its location: it is
# guarded there, once, or it does not reach it.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

# requests of this method that the API got

sub sent { my $method = shift; scalar grep { $_->{method} eq $method } seen() }

__DATA__

=== from a location that is not guarded
--- config
    root html;
    error_page 403 = @api;
    location / {
        error_page 404 405 = @api;
    }
    location /plain/try/ {
        try_files /none @api;
    }
    location /plain/return/ {
        error_page 418 = @api;
        return 418;
    }
    location /plain/denied/ {
        deny all;
    }
    location /plain/twice/ {
        recursive_error_pages on;
        error_page 405 = @first;
    }
    location @first {
        recursive_error_pages on;
        error_page 405 = @api;
    }
    location /plain/rewritten/ {
        try_files /none @rewrite;
    }
    location @rewrite {
        rewrite ^ /api$uri last;
    }
    location /api/ {
        conflict version;
        conflict_key $request_uri;
        rewrite ^/api(/.*) $1 break;
        proxy_pass http://api;
    }
    location /plain/front/ {
        proxy_set_header X-Up-Write "status=200 header=X-Accel-Redirect:@api";
        proxy_pass http://api;
    }
    location /plain/dead/ {
        error_page 502 = @api;
        proxy_pass http://127.0.0.1:1;
    }
    location @api {
        conflict version;
        proxy_set_header X-Up-Write $http_x_then;
        proxy_pass http://api;
    }
--- allow: connect\(\) failed|no live upstreams|No such file|forbidden by rule
--- steps
for my $way ('static', 'try', 'return', 'denied', 'twice', 'rewritten',
             'front', 'dead')
{
    my $path = "/plain/$way/1";
    set_doc($path, { n => 1 });

    my $v = version(PUT($path, { n => 2 }));
    like($v, qr/^\d+$/, "$way: it has a version");

    is(PUT($path, { n => 3, base_version => $v })->{status}, 204, 'a write');
    is(PUT($path, { n => 4, base_version => $v })->{status}, 409, 'a stale one');
    is(scalar(grep { $_->{path} eq $path } journal()), 2, 'is not sent');
}


=== with a method that only the location of the API guards
--- config
    conflict version;
    root html;
    location / {
        error_page 404 405 = @api;
    }
    location /plain/try/ {
        try_files /none @api;
    }
    location /plain/front/ {
        proxy_set_header X-Up-Write "status=200 header=X-Accel-Redirect:@api";
        proxy_pass http://api;
    }
    location /plain/dead/ {
        error_page 502 = @api;
        proxy_pass http://127.0.0.1:1;
    }
    location @api {
        conflict_methods PUT PATCH DELETE POST PROPPATCH;
        proxy_set_header X-Up-Write $http_x_then;
        proxy_pass http://api;
    }
    location = /status { conflict off; conflict_status json; }
--- allow: connect\(\) failed|no live upstreams|No such file
--- steps
for my $way ('static', 'try', 'front', 'dead') {
    my $path = "/plain/$way/1";
    set_doc($path, { n => 1 });

    my $v = version(PUT($path, { n => 2 }));
    like($v, qr/^\d+$/, "$way: it has a version");

    for my $method ('POST', 'PROPPATCH') {
        my $before = sent($method);
        my $r = http($method, $path, body => { n => 3, base_version => 7 });
        is($r->{status}, 409, "a $method on another base");
        is(sent($method) - $before, $way eq 'front' ? 1 : 0, 'is not sent');

        $r = http($method, $path, body => { n => 3, base_version => $v },
                  headers => ['X-Then: status=204']);
        is($r->{status}, 204, 'on the current one it is');
        $v = version($r);
        like($v, qr/^\d+$/, 'and has another one');
        is(version(GET($path)), $v, 'which stays') if $way ne 'static';
    }
}

# the first request of two is not guarded, nor told to be

my $n;
until_true {
    $n = json(http('GET', '/status'))->{totals}{not_checked}{unguarded};
    $n == 4;
};
is($n, 4, 'counted');


=== the first location that guards it decides
--- config
    location / {
        conflict lww;
        try_files /none @api;
    }
    location @api {
        conflict version;
        conflict_key $arg_other;
        proxy_pass http://api;
    }
--- steps
my $v = version(PUT('/plain/1', { n => 1 }));
PUT('/plain/1', { n => 2, base_version => $v });

my $r = PUT('/plain/1?other=x', { n => 3, base_version => $v });
is($r->{status}, 204, 'its policy lets a stale write pass');
like(header($r, 'Conflict'), qr/^overwrote;version=\d+;base=$v$/, 'and says so');
is(scalar(conflicts()), 1, 'once');


=== an error before a guarded write is sent
--- config
    location / {
        conflict version;
        client_max_body_size 1000;
        error_page 413 = @api;
        proxy_pass http://api;
    }
    location /plain/more/ {
        conflict version;
        client_max_body_size 1000;
        recursive_error_pages on;
        error_page 413 = @more;
        proxy_pass http://api;
    }
    location /plain/keyed/ {
        conflict version;
        conflict_key $arg_none;
        conflict_idempotency on;
        client_max_body_size 1000;
        error_page 413 = @api;
        proxy_pass http://api;
    }
    location @api {
        proxy_pass http://api;
    }
    location @more {
        recursive_error_pages on;
        error_page 413 = @more;
        conflict version;
        proxy_pass http://api;
    }
--- allow: too large
--- steps
for my $path ('/plain/1', '/plain/more/1', '/plain/keyed/1') {
    my $r = http('PUT', $path, body => { n => 'x' x 5000 }, chunked => 300,
                 headers => ['Idempotency-Key: key-' . 'x' x 20]);

    is($r->{status}, 413, "$path: its body is too large");
    is(sent('PUT'), 0, 'nothing is sent');
}


=== an error while the body is read
--- config
    location / {
        conflict version;
        client_max_body_size 1000;
        error_page 400 413 = @api;
        proxy_pass http://api;
    }
    location /off/ {
        conflict version;
        client_max_body_size 1000;
        error_page 400 413 = @api;
        proxy_request_buffering off;
        proxy_http_version 1.0;
        proxy_pass http://api;
    }
    location /mirrored/ {
        conflict version;
        client_max_body_size 1000;
        error_page 400 413 = @api;
        mirror /mirror;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://api;
    }
    location = /mirror {
        return 204;
    }
    location @api {
        client_max_body_size 1000;
        proxy_pass http://api;
    }
--- allow: too large|invalid chunked body
--- steps
for my $one (['/plain/1', "zz\r\n", 400], ['/plain/1', "fff\r\n{", 413],
             ['/off/1', "zz\r\n", 400], ['/off/1', "fff\r\n{", 413],
             ['/mirrored/1', "zz\r\n", 400], ['/mirrored/1', "fff\r\n{", 413])
{
    my ($path, $rest, $status) = @$one;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());

    syswrite $s, "PUT $path HTTP/1.1\r\nHost: localhost\r\n"
                 . "If-None-Match: *\r\n"
                 . "Content-Type: application/json\r\nConnection: close\r\n"
                 . "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";

    my $data = '';
    until_true { sysread $s, $data, 1, length $data; $data =~ /\r\n\r\n/ };
    like($data, qr/^HTTP\S+ 100/, "$path: the body is read");

    syswrite $s, $rest;

    is(finish({ socket => $s, method => 'PUT' })->{status}, $status,
       "the status $status");
}

is(sent('PUT'), 0, 'nothing is sent');
