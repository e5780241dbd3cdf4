# Redis with TLS: valid and invalid certificates, and stalled handshakes.  A
# build without TLS rejects the configuration.
#
# Needs: openssl redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use File::Temp qw(tempdir);
use Test::More ();

our ($dir, $pid, $port, @client);

sub run {
    my ($command) = @_;

    my $out = `$command 2>&1`;
    die "$command: $out" if $?;

    return $out;
}

# what nginx says to a store

sub configured {
    my ($store) = @_;

    open my $out, '>', "$dir/nginx.conf" or die "nginx.conf: $!";
    print $out map({ "load_module $_;\n" }
                   split ' ', $ENV{TEST_NGINX_LOAD_MODULES}),
               "pid $dir/nginx.pid;\nevents { }\n",
               "http { conflict_store x $store; }\n";
    close $out;

    return scalar `$ENV{TEST_NGINX_BINARY} -t -e $dir/error.log -p $dir/ \\
                   -c $dir/nginx.conf 2>&1`;
}

sub certificate {
    my ($name, $ca, $alt) = @_;

    open my $out, '>', "$dir/$name.ext" or die "$name.ext: $!";
    print $out "subjectAltName=$alt\n";
    close $out;

    run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        . "-nodes -subj /CN=$name -keyout $dir/$name.key "
        . "-out $dir/$name.csr");
    run("openssl x509 -req -in $dir/$name.csr -CA $dir/$ca.crt "
        . "-CAkey $dir/$ca.key -CAcreateserial -days 2 "
        . "-extfile $dir/$name.ext -out $dir/$name.crt");
}

sub cli {
    my ($input) = @_;

    open my $out, '>', "$dir/input" or die "input: $!";
    print $out $input;
    close $out;

    return scalar `redis-cli @client < $dir/input 2>&1`;
}

BEGIN {
    $dir = tempdir('conflict-tls-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    my $said = configured('rediss://127.0.0.1');

    if ($said =~ /requires TLS/) {
        Test::More::plan(tests => 1);
        Test::More::like($said, qr/\[emerg\] store "x" requires TLS, /,
                         'no TLS in this build: an error says so');
        exit;
    }

    for my $ca ('ca', 'other') {
        run("openssl req -x509 -newkey ec -pkeyopt "
            . "ec_paramgen_curve:prime256v1 -nodes -subj /CN=$ca -days 2 "
            . "-keyout $dir/$ca.key -out $dir/$ca.crt");
    }

    certificate('server', 'ca', 'DNS:redis.example,IP:127.0.0.1');
    certificate('client', 'ca', 'DNS:client.example');
    certificate('stranger', 'other', 'DNS:client.example');

    $port = free_port();
    $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/redis.log";
        open STDERR, '>&', \*STDOUT;
        exec 'redis-server', '--port', 0, '--tls-port', $port,
             '--bind', '127.0.0.1', '--tls-auth-clients', 'yes',
             '--tls-ca-cert-file', "$dir/ca.crt",
             '--tls-cert-file', "$dir/server.crt",
             '--tls-key-file', "$dir/server.key", '--dir', $dir,
             '--save', '', '--appendonly', 'no', '--databases', 2000;
        die "cannot run redis-server: $!";
    }

    @client = ('--tls', '--cacert', "$dir/ca.crt", '--cert',
               "$dir/client.crt", '--key', "$dir/client.key", '-p', $port);

    until_true {
        waitpid($pid, 1) == $pid and $pid = 0;
        !$pid || cli("PING\n") =~ /PONG/;
    };

    unless ($pid) {
        Test::More::plan(skip_all => 'a redis-server with TLS is needed');
    }

    $ENV{TEST_NGINX_TLS_PORT} = $port;
    $ENV{TEST_NGINX_TLS_DIR} = $dir;
}

END {
    if ($pid) {
        my $status = $?;
        kill 'KILL', $pid;
        waitpid $pid, 0;
        $? = $status;
    }
}

use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
worker_connections(1024);
master_on();

add_block_preprocessor(sub {
    my $block = shift;

    cli("FLUSHALL\nSET conflict:incarnation \"- 0000000000000000 0 "
        . int(1000 * time()) . "\"\n");

    $block->set_value('config', "location / {\n"
                                . "    conflict version;\n"
                                . "    conflict_wait 10s;\n"
                                . "    proxy_pass http://api;\n}\n");
});

sub works {
    my ($name) = @_;

    set_doc('/plain/1', { id => 1 });

    my $r;

    # the first connection may still be on its way

    until_true { ($r = GET('/plain/1'))->{status} == 200 && version($r) };

    my $v = version($r);

    is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204,
       "$name: a write");
    is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
       "$name: a conflict");
}

sub refuses {
    my ($why) = @_;

    set_doc('/plain/1', { id => 1 });

    my $start = time();

    is(PUT('/plain/1', { n => 1, base_version => 1 })->{status}, 503,
       'the store is down');
    is(scalar(journal()), 0, 'nothing was written');
    cmp_ok(time() - $start, '<', 5, 'at once');
    ok(until_true { error_log() =~ $why },
       "the log says why: $why")
        or diag(error_log());
}

run_tests();

__DATA__

=== the address is in the certificate
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   failover=trust timeout=2s;
--- steps
works('by address');


=== the name is in the certificate
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   tls_name=redis.example failover=trust timeout=2s;
--- steps
works('by name');


=== an answer of several records
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   failover=trust timeout=2s;
--- steps
cli(join '', map { "SELECT $_\nSET k v\n" } 1 .. 1999);
cmp_ok(length cli("INFO\n"), '>', 65536, 'INFO is long');

# the connection is made anew, and begins with INFO

cli("CLIENT KILL TYPE normal\n");
works('after a long answer');


=== many answers at once
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   failover=trust timeout=5s;
--- steps
works('one');

for my $round (1 .. 3) {
    kill 'STOP', $main::pid;

    my @requests = map { start('PUT', "/plain/r$round-$_",
                               body => { n => $_ }) } 1 .. 200;
    sleep 1;
    kill 'CONT', $main::pid;

    my %status;
    $status{ finish($_)->{status} }++ for @requests;
    is_deeply(\%status, { 201 => 200 }, "round $round: all have passed");
}


=== a reload
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   failover=trust timeout=2s;
--- steps
works('before');

ok(reload('until they are gone'), 'the old workers are gone');
works('after');


=== another CA
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/other.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key failover=trust;
--- steps
refuses(qr/is down: TLS: (unable to get|self.signed).*certificate/);


=== the CAs of the system do not know it
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key failover=trust;
--- steps
refuses(qr/is down: TLS: (unable to get|self.signed).*certificate/);


=== another name
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   tls_name=other.example failover=trust;
--- steps
refuses(qr/is down: TLS: hostname mismatch/i);


=== another address
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/client.crt
                   tls_key=$TEST_NGINX_TLS_DIR/client.key
                   tls_name=127.0.0.2 failover=trust;
--- steps
refuses(qr/is down: TLS: IP address mismatch/i);


=== no certificate of ours
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt failover=trust;
--- steps
refuses(qr/is down: TLS: .*(certificate required|client certificate)/);


=== a certificate of ours that the server does not trust
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_TLS_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt
                   tls_cert=$TEST_NGINX_TLS_DIR/stranger.crt
                   tls_key=$TEST_NGINX_TLS_DIR/stranger.key failover=trust;
--- steps
refuses(qr/is down: TLS: .*(unknown ca|client certificate)/);


=== without TLS to a port with TLS
--- http_config
    conflict_store default redis://127.0.0.1:$TEST_NGINX_TLS_PORT
                   failover=trust;
--- steps
refuses(qr/is down: /);


=== with TLS to a port without
--- http_config
    conflict_store default rediss://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT
                   tls_ca=$TEST_NGINX_TLS_DIR/ca.crt failover=trust;
--- steps
refuses(qr/is down: /);


=== a CA that is not there
--- http_config
    conflict_store one rediss://127.0.0.1 tls_ca=/nonexistent/ca.crt;
--- must_die
--- error_log
invalid parameter "tls_ca=/nonexistent/ca.crt" of store "one"


=== a certificate that is not there
--- http_config
    conflict_store one rediss://127.0.0.1 tls_cert=/nonexistent/a.crt
                   tls_key=/nonexistent/a.key;
--- must_die
--- error_log
invalid parameter "tls_cert=/nonexistent/a.crt" or "tls_key=/nonexistent/a.key" of store "one"


=== names and addresses
--- http_config
    conflict_store one rediss://127.0.0.1 rediss://localhost cluster;
--- must_die
--- error_log
store "one" has both a host name and an address, "127.0.0.1" and "localhost", and requires "tls_name=NAME"
