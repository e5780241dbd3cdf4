# The password of a Redis, credentials and bodies: in no log, at any level, and
# in nothing that is shown.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

# one that takes the password, one that has another, one that knows no AUTH and
# repeats what it was sent, one without a password

BEGIN {
    my @taken = ('--requirepass', 's3cret%word');

    $ENV{TEST_NGINX_GOOD_PORT} = redis_start(0, @taken);
    $ENV{TEST_NGINX_WRONG_PORT} = redis_start(0, '--requirepass', 'other');
    $ENV{TEST_NGINX_NO_AUTH_PORT} = redis_start(0, '--rename-command', 'AUTH',
                                                '');
    $ENV{TEST_NGINX_OPEN_PORT} = redis_start(0);
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the password of a Redis
--- http_config
    conflict_store good redis://:s3cret%25word@127.0.0.1:$TEST_NGINX_GOOD_PORT failover=trust;
    conflict_store wrong redis://:s3cret%25word@127.0.0.1:$TEST_NGINX_WRONG_PORT;
    conflict_store none redis://bob:s3cret%25word@127.0.0.1:$TEST_NGINX_NO_AUTH_PORT;
    conflict_store open redis://bob:s3cret%25word@127.0.0.1:$TEST_NGINX_OPEN_PORT;
    error_log logs/debug.log debug;
--- config
    error_log logs/debug.log debug;
    location /plain/good/ { conflict lww store=good; proxy_pass http://api; }
    location /plain/wrong/ { conflict version store=wrong; proxy_pass http://api; }
    location /plain/none/ { conflict version store=none; proxy_pass http://api; }
    location /plain/open/ { conflict version store=open; proxy_pass http://api; }
    location = /status { conflict_status json; }
    location = /metrics { conflict_status prometheus; }
--- steps
is(PUT('/plain/good/1', { n => 1 })->{status}, 201, 'the right one');

my @told;

for my $name ('wrong', 'none', 'open') {
    my $r = PUT("/plain/$name/1", { n => 1 });

    is($r->{status}, 503, "$name: not let in");
    push @told, $r->{raw};
}

# where a reason is shown, too

my $s = GET('/status')->{raw};
is(scalar(() = $s =~ /"up":false/g), 3, 'the page says so');

my $log = join '', map { slurp(servroot() . "/logs/$_") }
                   'error.log', 'debug.log';

push @told, $s, GET('/metrics')->{raw}, $log,
     slurp(servroot() . '/logs/conflict.log');

is(scalar(grep { /s3cret|bob/ } @told), 0, 'it is nowhere');
like($log, qr/is down: AUTH is refused: WRONGPASS/, 'the log says why');
like($log, qr/is down: AUTH is refused: ERR/, 'of a server without AUTH');

my $root = servroot();
my $said = `$ENV{TEST_NGINX_BINARY} -p $root/ -c $root/conf/nginx.conf -t 2>&1`;
unlike($said, qr/s3cret/, 'nor does nginx -t say it');


=== credentials, tokens and bodies at debug level
--- http_config
    error_log logs/debug.log debug;
--- config
    error_log logs/debug.log debug;
    location / {
        conflict merge;
        conflict_field /at server;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
--- steps
set_doc('/plain/1', { text => 'a secret text', at => 1 });

my @as = ('Authorization: Bearer a-secret-token', 'Cookie: id=a-secret-id');
my $v = version(GET('/plain/1', @as));

PUT('/plain/1', { text => 'a secret new text', at => 1, base_version => $v },
    @as);
PUT('/plain/1', { text => 'a secret other text', at => 1,
                  base_version => $v }, @as);

my $r = http('POST', '/plain/1/lock', headers => [@as, 'X-User: ann']);
my $token = json($r)->{lock}{token};

http('DELETE', '/plain/1/lock', headers => ["Lock-Token: $token"]);

# nginx itself notes each header at this level; the module notes none

my @lines = grep { /conflict/ && !/http (proxy |request |)header|request line/ }
            split /\n/, slurp(servroot() . '/logs/debug.log');

SKIP: {
    skip 'nginx has no debug log', 1 unless @lines;
    cmp_ok(scalar(@lines), '>', 10, 'the module says what it does');
}

is(scalar(grep { /secret|$token/ } @lines), 0, 'and nothing of them');
unlike(slurp(servroot() . '/logs/conflict.log'), qr/secret|$token/,
       'nor does the audit log');
