# The conflict inbox with a store that cannot keep a body, or does not answer.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Conflict::Inbox;
use Test::Nginx::Socket 'no_plan';

our $redis = $ENV{TEST_NGINX_REDIS_PORT};
my $wired = free_port();

# nginx reaches Redis by a wire that the tests can cut

wire_start($wired, $redis);
Conflict::install('Test::Nginx::Socket');
master_on();
workers(1);

add_block_preprocessor(sub {
    my $block = shift;

    wire('pass');
    redis($redis, 'CONFIG', 'SET', 'maxmemory', 0);

    my $name = $block->store_name || 'default';

    $name =~ s/\s+\z//;

    $block->set_value('http_config',
                      "conflict_store default redis://127.0.0.1:$wired"
                      . " timeout=500ms failover=trust;\n"
                      . "conflict_store zone zone=64k blobs=64k;\n");
    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location / { conflict version hold store=$name;\n"
                      . "proxy_pass http://api; }\n"
                      . "location /numbers { conflict_status json; }\n"
                      . "location /metrics { conflict_status prometheus; }\n"
                      . "location = /inbox { conflict version store=$name;\n"
                      . "conflict_inbox; }\n");
});

# the counts of a store

sub counted {
    my ($name) = @_;
    my $status = json(http('GET', '/numbers'));

    return (grep { $_->{name} eq $name } @{ $status->{stores} })[0];
}

run_tests();

__DATA__

=== Redis has no memory for it: the 409 does not say that it is held
--- steps
my ($kept) = refused('/plain/1', ann());
like($kept, qr/^[0-9a-f]{32}$/, 'kept while it has');

set_doc('/plain/2', { n => 1 });
my $old = version(GET('/plain/2', ann()));
PUT('/plain/2', { n => 2, base_version => $old });

# the wire may hold its commit back, which needs memory as well

until_true { (version(GET('/plain/2', ann())) // $old) ne $old };
redis($main::redis, 'CONFIG', 'SET', 'maxmemory', 1);

my $r = PUT('/plain/2', { n => 3, base_version => $old }, ann());
is($r->{status}, 409, 'refused');
is(json($r)->{held}, undef, 'not held');
unlike(header($r, 'Conflict'), qr/held/, 'nor by the field');
is(json($r)->{server_version}{n}, 2, 'with the latest body');

redis($main::redis, 'CONFIG', 'SET', 'maxmemory', 0);
like(error_log(), qr/a body of "\/plain\/2" is not held: the store has not/,
     'the log says so');

my $store = main::counted('default');
is("$store->{held} $store->{not_held}", '1 1', 'and the counts');
like(http('GET', '/metrics')->{body},
     qr/^nginx_conflict_store_not_held_total\{store="default"\} 1$/m,
     'and the metrics');

is(scalar(() = inbox(ann())), 1, 'the other one is there');


=== Redis does not answer
--- steps
my ($id, $v) = refused('/plain/1', ann());
my $n = journal();

wire('cut');

for my $r (http('GET', '/inbox', headers => [ann()]), show($id, ann()),
           take($id, 'mine', "If-Match: \"$v\"", ann()),
           take($id, 'theirs', ann()), discard($id, ann()))
{
    is($r->{status}, 503, 'no answer');
    is(json($r)->{error}, 'store_unavailable', 'why');
}

is(scalar(() = journal()), $n, 'nothing was written');

wire('pass');
until_true { show($id, ann())->{status} == 200 };
is(item($id, ann())->{mine}{n}, 3, 'and nothing is lost');


=== a zone with little room
--- store_name: zone
--- steps
set_doc('/plain/1', { n => 1 });
my $old = version(GET('/plain/1', ann()));
PUT('/plain/1', { n => 2, base_version => $old });

my $r = PUT('/plain/1', { n => 'x' x 40000, base_version => $old }, ann());
is($r->{status}, 409, 'too large for the zone');
is(json($r)->{held}, undef, 'so it is not held');
like(error_log(), qr/a body of "\/plain\/1" is not held: the store has not/,
     'as the log says');

my @ids = map { json(PUT('/plain/1', { n => "$_" . 'x' x 4000,
                                       base_version => $old }, ann()))->{held} }
              1 .. 12;

is(scalar(grep { defined } @ids), 12, 'each was held when it came');
is(show($ids[-1], ann())->{status}, 200, 'the last one is');
is(show($ids[0], ann())->{status}, 404, 'the first is not');
like(error_log(), qr/older items of store "zone" were evicted/, 'logged');

my $store = main::counted('zone');
is("$store->{held} $store->{not_held}", '12 1', 'counted');
is($store->{held} - $store->{blobs_evicted}, scalar(() = inbox(ann())),
   'and none is missing otherwise');
