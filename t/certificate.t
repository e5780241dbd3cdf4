# Callers that the API knows by their certificates.
# On both stores.
# Needs: openssl curl

BEGIN { push @INC, 't/lib' }
use Conflict;

my $dir;

BEGIN {
    need('openssl', 'curl');

    $dir = "$ENV{TEST_NGINX_TOP}/build/t";
    mkdir $dir;

    for my $name ('server', 'ann', 'bob', 'cid') {
        my $file = "$dir/certificate-$Conflict::Store-$name";

        system("openssl req -x509 -newkey ec"
               . " -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
               . " -subj /CN=$name -keyout $file.key -out $file.crt"
               . " 2>/dev/null && cat $file.key $file.crt > $file.pem") == 0
            or die 'no certificate';
    }

    $ENV{TEST_NGINX_CERT} = "$dir/certificate-$Conflict::Store-server.pem";
    $ENV{TEST_NGINX_TLS_PORT} = free_port();
    $ENV{TEST_NGINX_PLAIN_PORT} = free_port();
}

use Test::Nginx::Socket 'no_plan';

sub as {
    my ($name, $method, $path, $body, @headers) = @_;

    my $file = "$dir/certificate-$Conflict::Store-$name.pem";
    my $data = '';

    if ($body) {
        $data = " -H 'Content-Type: application/json' -d '"
                . JSON::PP->new->canonical->encode($body) . "'";
    }

    $data .= " -H '$_'" for @headers;

    my $text = `curl -s -k -i -m 20 --cert $file -X $method$data https://127.0.0.1:$ENV{TEST_NGINX_TLS_PORT}$path`;

    return Conflict::parse($text, $method);
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the base of a merge is what the writer was shown
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT;
        ssl_certificate_key $TEST_NGINX_CERT;
        ssl_verify_client optional_no_ca;
        location / {
            conflict merge;
            proxy_set_header X-Who $ssl_client_s_dn;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
    }
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my %doc = (title => 't', text => 'x');
my $star = JSON::PP::true;

set_doc('/view/1', { %doc });
is(as('ann', 'PUT', '/view/1', { %doc, starred => $star })->{status}, 204,
   'ann has starred it');

my $v = version(as('ann', 'GET', '/view/1'));

is(json(as('bob', 'GET', '/view/1'))->{starred}, JSON::PP::false,
   'bob has not');
is(as('cid', 'PUT', '/view/1', { %doc, title => 't2', base_version => $v })
   ->{status}, 204, 'cid has changed the title');

my $r = as('bob', 'PUT', '/view/1', { %doc, starred => $star,
                                      base_version => $v });
is($r->{status}, 204, 'bob stars it');
like(header($r, 'Conflict'), qr/^merged/, 'which is merged');

$r = json(as('bob', 'GET', '/view/1'));
is($r->{starred}, $star, 'it has his star');
is($r->{title}, 't2', 'and the title of cid');


=== what https shows is not seen by http
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
        server_name notes;
        ssl_certificate $TEST_NGINX_CERT;
        ssl_certificate_key $TEST_NGINX_CERT;
        location / {
            conflict version;
            conflict_history 8 versions;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_PLAIN_PORT;
        server_name notes;
        location / {
            conflict version;
            conflict_history 8 versions;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        location ~ ^(?<resource>/.+)/versions$ {
            conflict_key $resource;
            conflict_versions public;
        }
    }
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $get = sub {
    my ($scheme, $path) = @_;

    my $port = $ENV{$scheme eq 'https' ? 'TEST_NGINX_TLS_PORT'
                                       : 'TEST_NGINX_PLAIN_PORT'};

    my $text = `curl -s -k -i -m 20 -H 'Host: notes' '$scheme://127.0.0.1:$port$path'`;
    return Conflict::parse($text, 'GET');
};

set_doc('/plain/1', '{"n":1}');

my $v = version($get->('https', '/plain/1'));
ok($v, 'https shows a version');

my $old = "/plain/1/versions?conflict_version=$v";

is($get->('http', $old)->{status}, 404, 'its body is not seen by http');
is(version($get->('http', '/plain/1')), $v, 'which shows the same version');
is($get->('http', $old)->{body}, '{"n":1}', 'and has its own body of it then');


=== an Idempotency-Key of another certificate is another one
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT;
        ssl_certificate_key $TEST_NGINX_CERT;
        ssl_verify_client optional_no_ca;
        location / {
            conflict version;
            conflict_idempotency on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        location /user/ {
            conflict version;
            conflict_idempotency on;
            conflict_user $http_x_user;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
        }
    }
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $post = sub {
    my ($name, $path, $status, $key) = @_;

    $key //= 'order-2026-00000000001';
    my $r = as($name, 'POST', $path, { item => 'lamp' },
               "Idempotency-Key: $key", 'X-User: x',
               "X-Up-Write: status=$status");

    return $r->{status}
           . (header($r, 'Idempotent-Replayed') ? ' replayed' : '');
};

is($post->('ann', '/plain/orders', 201), '201', 'an order of ann');
is($post->('ann', '/plain/orders', 599), '201 replayed', 'sent again');
is($post->('bob', '/plain/orders', 202), '202', 'and one of bob');
is($post->('ann', '/plain/orders', 201, 'order-2'), '201',
   'as with other credentials, a key may be short');

is($post->('ann', '/user/plain/orders', 201), '201', 'with a user as well');
is($post->('bob', '/user/plain/orders', 202), '422',
   'another certificate does not see it');
