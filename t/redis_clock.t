# The clock of Redis is set back: nothing stays closed until it is there again.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

our $Port = redis_clock_start();

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    redis($Port, 'FLUSHALL');
    redis_clock($Port, 7200);

    $block->set_value('http_config', <<"END");
        conflict_store default redis://127.0.0.1:$Port timeout=2s;
        conflict version;
        conflict_user \$http_x_user;
        conflict_lease 500ms;
        conflict_quarantine 500ms;
        conflict_wait 200ms;
END
});

run_tests();

__DATA__

=== just after the store was used for the first time
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => 0 }) for 1, 2;

my $v = settled('/plain/1');

redis_clock($::Port, 0);

my $r = PUT('/plain/2', { n => 1, base_version => $v });
is($r->{status}, 503, 'a resource without a version waits once more');
like(header($r, 'Conflict'), qr/;settling=1$/, 'for lease and quarantine');

my $w = settled('/plain/2');
cmp_ok($w, '<', $v, 'then it is open');

$r = PUT('/plain/1', { n => 2, base_version => $v });
is($r->{status}, 204, 'the base of another one still holds');
cmp_ok(version($r), '>', $v, 'and its version grows');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 409,
   'the one before is stale');


=== while there is a lock
--- config
    location / {
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock idle=1s;
    }
--- steps
set_doc('/plain/1', { n => 0 });
settled('/plain/1');

is(http('POST', '/plain/1/lock', headers => ['X-User: ann'])->{status}, 200,
   'a lock');

redis_clock($::Port, 0);

my $r = PUT('/plain/1', { n => 1 }, 'X-User: bob');
is($r->{status}, 409, 'it is held');
cmp_ok(json($r)->{lock}{expires_in}, '<=', 1, 'for as long as it may be');
is(until_true { PUT('/plain/1', { n => 1 }, 'X-User: bob')->{status} == 204 },
   1, 'then it ends');
