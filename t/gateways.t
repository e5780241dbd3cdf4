# A write is guarded, and the latest body shown, whichever protocol an
# application is asked in that is not HTTP.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Inbox;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_GRPC_PORT} = free_port();
Conflict::install('Test::Nginx::Socket');
fcgi_start();
Conflict::start_server('grpc.py', $ENV{TEST_NGINX_GRPC_PORT});
$ENV{TEST_NGINX_GRPC_ALONE} = free_port();
Conflict::start_server('grpc.py', $ENV{TEST_NGINX_GRPC_ALONE}, 12);

# the standard parameters; the length of SCGI is nginx's own

sub application {
    my ($name) = @_;
    my @params = qw(request_method content_type request_uri);

    push @params, 'content_length' if $name ne 'scgi';

    return join('', map { "${name}_param \U$_\E \$$_;\n" } @params)
           . "${name}_pass 127.0.0.1:$ENV{TEST_NGINX_FCGI_PORT};\n";
}

# a location for each protocol, and one without buffering

add_block_preprocessor(sub {
    my $block = shift;
    my $rules = $block->rules // "conflict version;\n";

    # of the proxy module alone
    my $config = "proxy_method PUT;\n" . ($block->config // '');

    for my $name ('fastcgi', 'uwsgi', 'scgi') {
        $config .= "location /$name/ { $rules\n" . application($name) . "}\n"
                   . "location /$name/stream/ { $rules\n" . application($name)
                   . "${name}_request_buffering off;\n"
                   . "${name}_buffering off; }\n";
    }

    $block->set_value('config', $config . 'location = /_seen { conflict off;'
                                . application('fastcgi') . '}');
});

our @names = map { ("/$_", "/$_/stream") } 'fastcgi', 'uwsgi', 'scgi';

# an inbox, for rules with "hold"

our $Inbox = '
    location = /inbox {
        conflict_inbox;
        conflict_user $http_x_user;
    }
';

# calls by gRPC, whose documents an application has for GETs; /seed writes one

sub calls {
    my ($rules) = @_;
    my $reads = application('fastcgi');
    my $seed = $reads =~ s/\$request_method/PUT/r
                      =~ s!\$request_uri!/calls/1!r;

    return "location /calls/ {
                $rules
                if (\$request_method = PUT) {
                    grpc_pass grpc://127.0.0.1:$ENV{TEST_NGINX_GRPC_PORT};
                }
                $reads
            }
            location = /seed { conflict off; $seed }
            ";
}

# the response to a stale write of "ann", n 3; the latest is n 2, of "bob"

sub stale {
    my ($path) = @_;

    my $v = version(PUT($path, { n => 1 }, ann()));
    PUT($path, { n => 2, base_version => $v }, bob());

    return PUT($path, { n => 3, base_version => $v }, ann());
}

# what the application was asked

sub requests { @{ json(http('GET', '/_seen')) } }

run_tests();

__DATA__

=== stale writes
--- steps
for my $name (@main::names) {
    my $path = "$name/1";

    my $v = version(PUT($path, { n => 1 }, 'If-None-Match: *'));
    like($v, qr/^\d+$/, "$name: it has a version");

    my $r = GET($path);
    is($r->{body}, '{"n":1}', 'and its body');
    like(header($r, 'ETag'), qr/^"$v[."]/, 'a tag');
    is(header(HEAD($path), 'ETag'), header($r, 'ETag'), 'for HEAD as well');

    my $n = version(PUT($path, { n => 2, base_version => $v }));
    ok($n > $v, 'a write has the next version');
    is(version(GET($path)), $n, 'which stays');

    $r = PUT($path, { n => 3, base_version => $v });
    is($r->{status}, 409, 'a stale one is refused');
    is(json($r)->{server_version}{n}, 2, 'with the latest body');
    is(json($r)->{version}, $n, 'and its version');

    $r = PUT($path, 'x' x 100000, qq(If-Match: "$v"),
             'Content-Type: text/plain');
    is($r->{status}, 409, 'by its field, with a large body');
    is(json($r)->{server_version}{n}, 2, 'which the own GET does not have');

    is(DELETE($path, qq(If-Match: "$v"))->{status}, 409, 'a stale DELETE');
    is(json(GET($path))->{n}, 2, 'is not done');
    is(DELETE($path, qq(If-Match: "$n"))->{status}, 204, 'on the version it is');

    $r = PUT($path, { n => 4, base_version => $n });
    is($r->{status}, 409, 'what is deleted is not written');
    is(json($r)->{server_version}, undef, 'and has no body');

    my @sent = grep { $_->[1] eq $path && $_->[0] !~ /GET|HEAD/ }
               requests();
    is(join(' ', map { $_->[0] } @sent), 'PUT PUT DELETE',
       'what the application was asked');
}


=== merged
--- rules
    conflict merge;
    conflict_strip_base on;
--- steps
for my $name (@main::names) {
    my $path = "$name/1";
    my %doc = (a => 1, b => 2, pad => 'x' x 40000);

    PUT($path, \%doc);
    my $v = version(GET($path));

    is(PUT($path, { %doc, a => 3, base_version => $v })->{status}, 204,
       "$name: a write");

    my $r = http('PUT', $path, chunked => 1000,
                 body => { %doc, pad => 'y', base_version => $v });
    is($r->{status}, 204, 'another field, in chunks');
    like(header($r, 'Conflict'), qr/^merged;/, 'is merged');
    is_deeply(json(GET($path)), { a => 3, b => 2, pad => 'y' },
              'by the right length');

    $r = PUT($path, { %doc, a => 4, base_version => $v });
    is($r->{status}, 409, 'the same one is refused');
    is(json($r)->{server_version}{a}, 3, 'with the latest body');
}


=== dropped
--- rules
    conflict server_wins hold;
    conflict_user $http_x_user;
--- config eval
$main::Inbox
--- steps
for my $name (@main::names) {
    my $path = "$name/1";
    my $r = stale($path);

    is("$r->{status} $r->{body}", '200 {"n":2}', "$name: the latest body");

    my ($id) = header($r, 'Conflict') =~ /^dropped;.*;held="(\w+)"$/;
    is(item($id, ann())->{mine}{n}, 3, 'its own is held');
}


=== overwritten
--- rules
    conflict lww hold;
    conflict_user $http_x_user;
--- config eval
$main::Inbox
--- steps
for my $name (@main::names) {
    my $path = "$name/1";
    my $r = stale($path);

    is($r->{status}, 204, "$name: written");

    my ($id) = header($r, 'Conflict') =~ /^overwrote;.*;held="(\w+)"$/;
    is(item($id, ann())->{mine}{n}, 2, 'the other is held');
    is(json(GET($path))->{n}, 3, 'it was written with its own body');
}


=== held, and taken from the inbox
--- rules
    conflict version hold;
    conflict_user $http_x_user;
--- config eval
$main::Inbox
--- steps
for my $name (@main::names) {
    my $path = "$name/1";
    my $r = stale($path);

    is($r->{status}, 409, "$name: refused");

    my $id = json($r)->{held};
    like($id, qr/^[0-9a-f]{32}$/, 'and held');
    is(item($id, ann())->{mine}{n}, 3, 'its own body');

    is(item($id, ann())->{theirs}{n}, 2, 'shown with the latest');

    my $match = 'If-Match: "' . json($r)->{version} . '"';
    is(take($id, 'mine', $match, ann())->{status}, 204, 'it is taken');
    is(json(GET($path))->{n}, 3, 'and written');
    until_true { show($id, ann())->{status} == 404 };
}


=== a gRPC service, which answers no GET
--- config
    grpc_read_timeout 500ms;

    location /grpc/ {
        conflict version;
        conflict_store_error pass;
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_GRPC_PORT;
    }
    location /strict/ {
        conflict version;
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_GRPC_PORT;
    }
--- allow: upstream timed out
--- steps
my $call = "\0\0\0\0\2hi";

for my $path ('/grpc/1', '/strict/1') {
    my $r = http('PUT', $path, body => $call,
                 headers => ['Content-Type: application/grpc',
                             'If-Match: "1"']);

    is($r->{status}, $path =~ /strict/ ? 503 : 200, $path);
}

is(log_count(qr/upstream timed out/), 2, 'by grpc_read_timeout');


=== a call by gRPC that fails has status 200
--- config eval
main::calls('conflict version;') . '
    location /keyed/ {
        conflict version;
        conflict_idempotency on;
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_GRPC_PORT;
    }'
--- steps
my $call = sub {
    my ($method, $path, $message, @headers) = @_;

    return http($method, $path, body => pack('xN/a', $message),
                headers => ['Content-Type: application/grpc', @headers]);
};

my $path = '/calls/1';
http('POST', '/seed', body => '{"n":1}');
my $first = header(GET($path), 'ETag');

for my $message ('alone 5', 'alone 9', 'then 7', 'then 9') {
    for my $try (1, 2) {
        my $r = $call->('PUT', $path, $message, "If-Match: $first");
        is($r->{status}, 200, "$message: as the service has said");
        like(header($r, 'Conflict'), qr/^passed/, "$message: try $try");
        is(header(GET($path), 'ETag'), $first, "$message: is no new version");
    }
}

for my $message ('alone 13', 'then 2', 'then 17') {
    my $base = header(GET($path), 'ETag');
    ok($base, "$message: a version");

    $call->('PUT', $path, $message, "If-Match: $base");
    unlike(header($call->('PUT', $path, $message, "If-Match: $base"),
                  'Conflict'),
           qr/^replayed/, "$message: is not known to be done");
}

$first = header(GET($path), 'ETag');
my $r = $call->('PUT', $path, 'then 0', "If-Match: $first");
is(header($r, 'ETag'), undef, 'it is not known yet whether it is done');
isnt(header(GET($path), 'ETag'), $first, 'it is done');
like(header($call->('PUT', $path, 'then 0', "If-Match: $first"), 'Conflict'),
     qr/^replayed/, 'and not done again');

for my $message ('alone 5', 'then 5', 'then 0') {
    my $key = 'key-of-a-call-' . ($message =~ tr/ /-/r) . '-of-gRPC';
    my @r = map { $call->('POST', '/keyed/1', $message,
                          "Idempotency-Key: $key") } 1, 2;

    is($r[0]->{status}, 200, "$message: with a key");
    is($r[1]->{status}, $message eq 'alone 5' ? 200 : 409,
       "$message: carried out again only if the header says that it failed");
}


=== what a call by gRPC has overwritten is held, if it has
--- config eval
$main::Inbox
. main::calls('conflict lww hold; conflict_user $http_x_user;')
--- steps
my $call = sub {
    my ($message, $base) = @_;

    return http('PUT', '/calls/1', body => pack('xN/a', $message),
                headers => ['Content-Type: application/grpc',
                            "If-Match: $base", ann()]);
};

http('POST', '/seed', body => '{"n":1}');
my $old = header(GET('/calls/1', ann()), 'ETag');
$call->('then 0', $old);
until_true { header(GET('/calls/1', ann()), 'ETag') ne $old };

for my $message ('then 5', 'then 7', 'alone 0') {
    my $r = $call->($message, $old);
    like(header($r, 'Conflict'), qr/^overwrote/, "$message: is stale");

    my $n = $message eq 'alone 0' ? 1 : 0;
    ok(until_true { inbox(ann()) == $n }, "$message: $n held");
}


=== a GET that gRPC does not know proves nothing
--- config
    location / {
        conflict version;
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_GRPC_ALONE;
    }
--- steps
my $r = http('PUT', '/1', body => pack('xN/a', 'hi'),
             headers => ['Content-Type: application/grpc', 'If-Match: "1"']);
is($r->{status}, 503, 'there is no version');


=== cached
--- http_config
    fastcgi_cache_path $TEST_NGINX_SERVER_ROOT/fastcgi keys_zone=fastcgi:1m;
    uwsgi_cache_path $TEST_NGINX_SERVER_ROOT/uwsgi keys_zone=uwsgi:1m;
    scgi_cache_path $TEST_NGINX_SERVER_ROOT/scgi keys_zone=scgi:1m;
    fastcgi_cache_key $uri;
    uwsgi_cache_key $uri;
    scgi_cache_key $uri;
    fastcgi_cache_valid 1h;
    uwsgi_cache_valid 1h;
    scgi_cache_valid 1h;
--- config
    fastcgi_cache fastcgi;
    uwsgi_cache uwsgi;
    scgi_cache scgi;
--- steps
for my $name (@main::names) {
    my $path = "$name/1";

    PUT($path, { n => 1 });
    GET($path);
    is(json(GET($path))->{n}, 1, "$name: its body is in the cache");

    my $r = stale($path);

    is($r->{status}, 409, 'a stale write');
    is(json($r)->{server_version}{n}, 2, 'has the latest body all the same');
}
