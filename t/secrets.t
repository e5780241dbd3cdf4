# The password of a Redis, credentials and bodies are in no log of any level, and
# in no response.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

use POSIX ();

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

# what others say to AUTH, and what of it is told; they say nothing else

our (@Said, @Port, $Teller);

BEGIN {
    @Said = (
        ['ERR wrong password s3cret of bob', 'ERR wrong password \.\.\.'],
        ['ERR S3CR... is wrong',             'ERR \.\.\.'],
        ['s3cret',                           '\.\.\.'],
        ["DENIED, \e[31m" . 'x' x 300,       'DENIED, \?\[31mx{60,}\.\.\.'],
        ['NOAUTH ask "s3cret" first',        'NOAUTH ask \.\.\.'],
    );

    my @listen = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                             Listen => 9) or die } 1 .. 5;
    @Port = map { $_->sockport } @listen;

    $Teller = fork // die;

    if ($Teller == 0) {
        my $ready = IO::Select->new(@listen);
        my (%n, $asked);

        $n{$listen[$_]} = $_ for 0 .. $#listen;

        while (my @can = $ready->can_read(60)) {
            for my $s (@can) {
                if (exists $n{$s} && (my $c = $s->accept)) {
                    $n{"of $c"} = $n{$s};
                    $ready->add($c);
                    next;
                }

                if (!sysread $s, $asked, 65536) {
                    $ready->remove($s);
                    next;
                }

                syswrite $s, "-$Said[$n{\"of $s\"}][0]\r\n";
            }
        }

        POSIX::_exit(0);
    }
}

END { kill 'KILL', $Teller if $Teller }

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
like($log, qr/is down: AUTH was rejected: WRONGPASS invalid username-password pair or user is disabled\./,
     'the log says why, in the words of the server');
like($log, qr/is down: AUTH was rejected: ERR unknown command \.\.\./,
     'of a server without AUTH: up to what it repeats');

my $root = servroot();
my $said = `$ENV{TEST_NGINX_BINARY} -p $root/ -c $root/conf/nginx.conf -t 2>&1`;
unlike($said, qr/s3cret/, 'nor does nginx -t say it');


=== servers that repeat a password in their own ways
--- http_config eval
CORE::join '', map { "conflict_store s$_ redis://bob:s3cret\@127.0.0.1:$main::Port[$_];" }
         0 .. $#main::Said;
--- config eval
CORE::join '', map { "location /plain/$_/ {
    conflict version store=s$_;
    proxy_pass http://api;
}" } 0 .. $#main::Said;
--- allow: is down: AUTH is refused
--- steps
for my $n (0 .. $#::Said) {
    my ($said, $want) = @{ $::Said[$n] };

    is(PUT("/plain/$n/1", { n => 1 })->{status}, 503, 'refused');
    ok(until_true { error_log()
                    =~ /store "s$n": \S+ is down: AUTH was rejected: $want(,|$)/m },
       "says: $want");
}

unlike(error_log(), qr/s3cr/i, 'and no more');


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
