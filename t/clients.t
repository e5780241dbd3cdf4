# Existing clients, with an API that knows nothing of the module: PouchDB and
# axios from npm, and curl.
#
# On both stores.
# Needs: openssl build/clients/node_modules

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

my ($api, $couch);

# a certificate for HTTP/2 over TLS, and the servers behind nginx

BEGIN {
    need('node', "$ENV{TEST_NGINX_TOP}/build/clients/node_modules");

    my $dir = "$ENV{TEST_NGINX_TOP}/build/t";

    mkdir $dir;
    $ENV{TEST_NGINX_CERT} = "$dir/clients-$Conflict::Store.pem";
    $ENV{TEST_NGINX_TLS_PORT} = free_port();

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
           . " -nodes -days 2 -subj /CN=localhost"
           . " -addext subjectAltName=DNS:localhost"
           . " -keyout $dir/key.$$ -out $dir/crt.$$ 2>/dev/null"
           . " && cat $dir/key.$$ $dir/crt.$$ > $ENV{TEST_NGINX_CERT}"
           . " && rm $dir/key.$$ $dir/crt.$$") == 0
        or die 'no certificate';

    $ENV{TEST_NGINX_API} = '127.0.0.1:' . ($api = free_port());
    $ENV{TEST_NGINX_COUCH} = '127.0.0.1:' . ($couch = free_port());

    node_start('api.js', $api);
    node_start('couch.js', $couch);
}

# what a script of t/clients says

sub script {
    my ($name, @args) = @_;

    local $ENV{NODE_PATH} = "$ENV{TEST_NGINX_TOP}/build/clients/node_modules";

    return `node $ENV{TEST_NGINX_TOP}/t/clients/$name @args 2>&1`;
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== PouchDB sees what it sees without nginx
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        location / {
            conflict version;
            conflict_version json:/_rev;
            conflict_base json:/_rev;
            proxy_pass http://$TEST_NGINX_COUCH;
        }
    }
--- config
    location / {
        conflict version;
        proxy_pass http://$TEST_NGINX_COUCH;
    }
--- steps
my $here = 'http://127.0.0.1:' . port();
my $want = script('pouch.js', "http://$ENV{TEST_NGINX_COUCH}/$Conflict::Store");

like($want, qr/^attachment: text$/m, 'without nginx');
is(script('pouch.js', "$here/near$Conflict::Store"), $want,
   'with versions of the module');
is(scalar(conflicts()), 0, 'the database itself refused what was stale');
is(script('pouch.js', "http://127.0.0.1:$ENV{TEST_NGINX_PORT2}/far$Conflict::Store"), $want,
   'with its own revisions');
is(join(' ', map { $_->{action} } conflicts()), 'conflict_version',
   'and the module refused what was stale');


=== axios
--- config
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://$TEST_NGINX_API;
    }
    location /all/ {
        conflict version;
        conflict_methods POST PUT PATCH DELETE;
        conflict_strip_base on;
        proxy_pass http://$TEST_NGINX_API/;
    }
--- steps
for my $at ('', '/all') {
    my @said = split /\n/, script('axios.js',
                                  'http://127.0.0.1:' . port() . $at);

    for my $line (@said) {
        my ($bad, $name) = $line =~ /^(not )?ok (.*)/
            or do { fail($line); next };

        ok(!$bad, $name);
    }

    cmp_ok(scalar(@said), '>', 15, 'all was looked at');
}


=== curl, HTTP/2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2 http2;
        location / {
            conflict version;
            proxy_pass http://api;
        }
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl http2;
        ssl_certificate $TEST_NGINX_CERT;
        ssl_certificate_key $TEST_NGINX_CERT;
        location / {
            conflict version;
            proxy_pass http://api;
        }
    }
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $cert = $ENV{TEST_NGINX_CERT};

my %how = (
    'Upgrade' => '--http2 http://localhost:' . port(),
    'cleartext' => "--http2-prior-knowledge"
                   . " http://localhost:$ENV{TEST_NGINX_PORT2}",
    'TLS' => "--http2 --cacert $cert"
             . " https://localhost:$ENV{TEST_NGINX_TLS_PORT}",
);

for my $name (sort keys %how) {
    my $curl = sub {
        my ($path, @args) = @_;

        return scalar `curl -s -m 20 -i @args $how{$name}$path`;
    };

    my $put = sub {
        my ($data, @args) = @_;

        return $curl->("/plain/$name", '-X PUT',
                       "-H 'Content-Type: application/json'", "-d '$data'",
                       @args);
    };

    my $answer = $put->('{"n":1}');
    my ($first) = $answer =~ /^conflict: .*;version=(\d+)/mi;

    like($answer, $name eq 'Upgrade' ? qr!^HTTP/1.1 201! : qr!^HTTP/2 201!,
         "$name: a document");
    like($curl->("/plain/$name"), qr/^etag: "$first"/mi, 'with its tag');

    $answer = $put->('{"n":2}', "-H 'If-Match: \"$first\"'");
    like($answer, qr!^HTTP/\S+ 204!, 'an edit by its tag');
    my ($second) = $answer =~ /^conflict: .*;version=(\d+)/mi;

    $answer = $put->('{"n":3}', "-H 'If-Match: \"$first\"'");
    like($answer, qr!^HTTP/\S+ 409 .*"server_version":\{"n":2\}!s, 'stale');
    $answer = $put->(qq({"n":3,"base_version":$first}));
    like($answer, qr!^HTTP/\S+ 409 !, 'by base_version');
    $answer = $put->(qq({"n":4,"base_version":"$second"}));
    like($answer, qr!^HTTP/\S+ 204 !, 'one that is not');
    my ($third) = $answer =~ /^conflict: .*;version=(\d+)/mi;

    # a body without Content-Length

    my $stream = `printf '{"n":5,"base_version":$third}' | curl -s -m 20 -i -T - -H 'Content-Type: application/json' $how{$name}/plain/$name`;
    like($stream, qr!^HTTP/\S+ 204!m, 'a body of unknown length');
    my ($fourth) = $stream =~ /^conflict: .*;version=(\d+)/mi;

    like($curl->("/plain/$name", '-X DELETE', "-H 'If-Match: \"$third\"'"),
         qr!^HTTP/\S+ 409 !, 'a stale DELETE');

    # two streams of a connection; in cleartext this curl cannot do that

    next if $name ne 'TLS';

    my $n = journal();
    my $one = "-X PUT -H 'Content-Type: application/json'"
              . " -H 'If-Match: \"$fourth\"' -o /dev/null"
              . " -w '%{http_code}\n' $how{$name}/plain/$name";
    my $both = `curl -s -m 20 -Z $one -d '{"n":6}' --next $one -d '{"n":7}' 2>/dev/null`;

    is(join(' ', sort split /\n/, $both), '204 409', 'one of two at once');
    is(scalar(journal()), $n + 1, 'was written');
}
