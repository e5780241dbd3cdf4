# No update is lost while a resolver merges: numbers that it sums are exact.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

my $Resolver = $ENV{TEST_NGINX_RESOLVER_PORT} = free_port();

Conflict::start_server('resolver.py', $Resolver);
Conflict::install('Test::Nginx::Socket');

workers(2);
master_on();
worker_connections(1024);

run_tests();

__DATA__

=== all of them at once, and each of them again
--- config
    location / {
        conflict merge;
        conflict_wait 60s;
        conflict_history 64;
        conflict_user $http_x_user;
        conflict_resolver /_resolver timeout=1m;
        proxy_pass http://api;
    }
    location = /_resolver {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RESOLVER_PORT/sum;
    }
--- steps
my @users = map { "user$_" } 1 .. 12;
my $path = '/plain/1';
my $sum = 100;

set_doc($path, { n => $sum });

# the writes of a round are based on one version, which each user was shown;
# no sum of other steps is equal to one, which would be no clash

for my $round (1 .. 3) {
    my $v;

    $v = version(GET($path, "X-User: $_")) for @users;

    my $n = json(GET($path))->{n};
    is($n, $sum, "round $round: nothing is missing, nothing is there twice");

    my $write = sub {
        my ($i) = @_;

        return start('PUT', $path, headers => ["X-User: $users[$i]"],
                     body => { n => $n + 2 ** $i, base_version => $v });
    };

    my @r = map { finish($_, timeout => 60) } map { $write->($_) } 0 .. $#users;
    my $merged = grep { (header($_, 'Conflict') // '') =~ /^merged;/ } @r;

    is(scalar(grep { $_->{status} == 204 } @r), @users, 'all are done');
    is($merged, @users - 1, 'all but the first by the resolver');

    # as clients do that have not received the response

    @r = map { finish($_, timeout => 60) } map { $write->($_) } 0 .. $#users;

    is(scalar(grep { (header($_, 'Conflict') // '') =~ /^replayed;/ } @r),
       @users, 'and all again, which is recognized');

    $sum += 2 ** @users - 1;
}

is(json(upstream("/_doc?path=$path"))->{n}, $sum, 'the sum at the end');


=== a resolver that fails for some: what was acknowledged is there
--- http_config
    split_clients $http_x_user $failing {
        40%  1;
        *    0;
    }
    map $failing $to {
        1        /_resolver/failing;
        default  /_resolver/sum;
    }
--- config
    location / {
        conflict merge;
        conflict_wait 60s;
        conflict_history 64;
        conflict_user $http_x_user;
        conflict_resolver $to timeout=1m;
        proxy_pass http://api;
    }
    location = /_resolver/failing {
        internal;
        return 503;
    }
    location = /_resolver/sum {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RESOLVER_PORT/sum;
    }
--- steps
my @users = map { "user$_" } 1 .. 12;
my $path = '/plain/1';
my ($sum, $refused, $v) = (0, 0);

set_doc($path, { n => 0 });
$v = version(GET($path, "X-User: $_")) for @users;

my @writes = map { start('PUT', $path, headers => ["X-User: $users[$_]"],
                         body => { n => 2 ** $_, base_version => $v }) }
             0 .. $#users;

for my $i (0 .. $#users) {
    my $status = finish($writes[$i], timeout => 60)->{status};

    like($status, qr/^(204|409)$/, "user$i: $status");
    $sum += 2 ** $i if $status == 204;
    $refused++ if $status == 409;
}

cmp_ok($refused, '>', 0, 'some were refused');
cmp_ok($refused, '<', @users - 1, 'some were not');
is(json(upstream("/_doc?path=$path"))->{n}, $sum,
   'exactly what was acknowledged');
