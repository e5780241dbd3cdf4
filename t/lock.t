# conflict_lock: a user holds a lock while editing, and writes of others are
# refused.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

# the users are who they say they are

add_block_preprocessor(sub {
    my $block = shift;
    my $lock = $block->lock || '';

    $lock =~ s/\s+\z//;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict version;\n"
                      . ($block->rules || '') . "proxy_pass http://api; }\n"
                      . ($block->more || '') . "location ~ ^(?<resource>/.*)/lock\$ {\n"
                      . "conflict_key \$resource;\n"
                      . "conflict_lock $lock;\n}\n");
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

run_tests();

__DATA__

=== one holds it, the others see who
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $r = lock('/plain/1', ann());

is($r->{status}, 200, 'acquired');
is(header($r, 'Content-Type'), 'application/json', 'JSON');
is(header($r, 'Cache-Control'), 'no-store', 'not to be stored');

my $lock = json($r)->{lock};
like($lock->{token}, qr/^[0-9a-f]{32}$/, 'its token');
is("$lock->{user} $lock->{client}", 'ann laptop', 'whose it is');
like($lock->{acquired_at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'since');
is($lock->{expires_in}, 300, 'for how long');
is(json($r)->{version}, $v, 'on which version to begin');

my $held = lock('/plain/1', bob());
is($held->{status}, 409, 'somebody else does not get it');
is(header($held, 'Conflict'), "locked;version=$v", 'the field');
is(header($held, 'Retry-After'), 5, 'when to come again');

my $answer = json($held);
is($answer->{error}, 'locked', 'why');
is($answer->{resource}, '/plain/1', 'which');
is("$answer->{lock}{user} $answer->{lock}{client}", 'ann laptop', 'who');
is($answer->{lock}{token}, undef, 'but no token');
unlike($held->{raw}, qr/$lock->{token}/, 'anywhere');

is(show('/plain/1', bob())->{mine}, JSON::PP::false, 'GET shows it');
is(show('/plain/1', bob())->{lock}{user}, 'ann', 'and whose it is');
is(show('/plain/1', bob())->{lock}{token}, undef, 'without its token');
is(show('/plain/1', ann())->{mine}, JSON::PP::true, 'ann sees it as hers');

# writes

$r = PUT('/plain/1', { n => 2, base_version => $v }, bob());
is($r->{status}, 409, 'his write is refused');
is(json($r)->{error}, 'locked', 'why');
is(json($r)->{lock}{user}, 'ann', 'by whom');
is(header($r, 'Conflict'), "locked;version=$v;base=$v", 'the field');
is(scalar(journal()), 0, 'before anything reaches the upstream');
is(DELETE('/plain/1', bob())->{status}, 409, 'his DELETE, too');
is(GET('/plain/1', bob())->{status}, 200, 'he may read');

$r = PUT('/plain/1', { n => 2, base_version => $v },
         "Lock-Token: $lock->{token}");
is($r->{status}, 204, 'who has the token writes');
$r = PUT('/plain/1', { n => 3, base_version => version($r) }, 'X-User: ann');
is($r->{status}, 204, 'and so does the user');
is(PUT('/plain/1', { n => 4, base_version => $v }, ann())->{status}, 409,
   'on what is current');

is(unlock('/plain/1', bob())->{status}, 409, 'he cannot release it');
is(show('/plain/1', bob())->{lock}{user}, 'ann', 'so it is there');
$r = unlock('/plain/1', "Lock-Token: $lock->{token}");
is($r->{status}, 200, 'she can');
is(json($r)->{lock}, undef, 'and it is gone');
is(unlock('/plain/1', ann())->{status}, 200, 'once more does no harm');
is(show('/plain/1', bob())->{lock}, undef, 'nobody holds it');
is(lock('/plain/1', bob())->{status}, 200, 'his turn');

my @c = conflicts();
is_deeply([map { "$_->{action} $_->{method} $_->{status}" } @c],
          ['conflict_locked POST 409', 'conflict_locked PUT 409',
           'conflict_locked DELETE 409', 'conflict_version PUT 409'],
          'each refusal is logged once');
is("$c[1]{user_id} $c[1]{client_origin}", 'bob phone', 'with who it was');


=== requests and writes of the holder renew it
--- steps
set_doc('/plain/1', { n => 1 });

my $r = lock('/plain/1', ann());
my $token = token($r);

# how much time is left now: less than before, unless it was renewed

sub left { show('/plain/1', ann())->{lock}{expires_in} }

until_true { left() < 299.9 };
my $left = left();
my $again = json(lock('/plain/1', $token))->{lock};
is($again->{token}, json($r)->{lock}{token}, 'it stays the same');
cmp_ok($again->{expires_in}, '>', $left, 'renewed');

# by a write, too

my ($before, $after);

ok(until_true {
    until_true { left() < 299.9 };
    $before = left();
    $r = PUT('/plain/1', { n => 2 }, $token);
    $after = left();
    $r->{status} == 204 && $after > $before;
}, 'by a write');

# but not by a read, nor by a write that is refused

$before = left();
is(GET('/plain/1', ann())->{status}, 200, 'a read');
is(PUT('/plain/1', { n => 3 }, bob())->{status}, 409, 'a write of another');
cmp_ok(left(), '<=', $before, 'do not renew it');


=== it ends when nobody does anything for a while
--- lock: idle=300ms
--- more
location ~ ^/long(?<long>/.*)/lock$ {
    conflict_key $long;
    conflict_lock get=off idle=10m;
}
--- steps
set_doc('/plain/1', { n => 1 });

my $r = lock('/plain/1', ann());
my $v = json($r)->{version};
my $token = token($r);

cmp_ok(json($r)->{lock}{expires_in}, '<=', 0.3, 'its time');

until_true { GET('/plain/1', ann());
             $r = lock('/long/plain/1', bob());
             $r->{status} == 200 };
is($r->{status}, 200, 'then somebody else has his turn');

# the one who had it before is stopped

is(PUT('/plain/1', { n => 3, base_version => $v }, $token)->{status}, 409,
   'the old token is worth nothing');

is(PUT('/plain/1', { n => 2 }, bob())->{status}, 204, 'bob writes');
is(http('DELETE', '/long/plain/1/lock', headers => [bob()])->{status}, 200,
   'and is done');

is(PUT('/plain/1', { n => 3, base_version => $v }, $token)->{status}, 409,
   'nor does it help with an old version');


=== the same user elsewhere takes it over, and that is logged
--- steps
set_doc('/plain/1', { n => 1 });

my $old = token(lock('/plain/1', ann()));
my $r = lock('/plain/1', 'X-User: ann', 'X-Client: tablet');

is($r->{status}, 200, 'taken over');
is(json($r)->{lock}{client}, 'tablet', 'by the tablet');
is(json($r)->{taken_from}, 'laptop', 'from the laptop');
isnt(token($r), $old, 'with another token');
is((conflicts())[-1]{action}, 'lock_taken', 'which the log says');
is(show('/plain/1', bob())->{lock}{client}, 'tablet', 'for all to see');

is(lock('/plain/1', $old)->{status}, 409, 'the old token holds nothing');
is(unlock('/plain/1', $old)->{status}, 409, 'nor releases');
is(unlock('/plain/1', ann())->{status}, 200, 'the user may');


=== nobody knows who it is: the token alone counts
--- steps
set_doc('/plain/1', { n => 1 });

my $r = lock('/plain/1');
is($r->{status}, 200, 'acquired');
is(json($r)->{lock}{user}, undef, 'by nobody');
is(lock('/plain/1')->{status}, 409, 'another nobody does not get it');
is(PUT('/plain/1', { n => 2 })->{status}, 409, 'nor writes');
is(lock('/plain/1', 'Lock-Token: ' . '0' x 32)->{status}, 409, 'a wrong token');
is(lock('/plain/1', 'Lock-Token: <x>')->{status}, 409, 'one that is none');
is(lock('/plain/1', token($r))->{status}, 200, 'the right one');
is(PUT('/plain/1', { n => 2 }, token($r))->{status}, 204, 'writes');


=== so many locks a user, and no more
--- lock: per_user=2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        server_name other;
        conflict_user $http_x_user;
        location ~ ^(?<resource>/.*)/lock$ {
            conflict_key $resource;
            conflict_lock get=off per_user=3;
        }
    }
--- more
location ~ ^/brief(?<brief>/.*)/lock$ {
    conflict_key $brief;
    conflict_lock get=off per_user=2 idle=200ms;
}
--- steps
set_doc("/plain/$_", { n => 1 }) for 1 .. 4;

is(lock('/plain/1', ann())->{status}, 200, 'one');
is(lock('/plain/2', ann())->{status}, 200, 'two');

my $r = lock('/plain/3', ann());
is($r->{status}, 429, 'three is too many');
is(json($r)->{error}, 'too_many_locks', 'why');
is(show('/plain/3', bob())->{lock}, undef, 'it is not held');

is(lock('/plain/2', ann())->{status}, 200, 'one that is held is renewed');
is(lock('/plain/1', bob())->{status}, 409, 'held by ann');
is(lock('/plain/3', bob())->{status}, 200, 'bob has his own number');
is(unlock('/plain/1', ann())->{status}, 200, 'one less');
is(lock('/brief/plain/1', ann())->{status}, 200, 'so there is room');

until_true { ($r = lock('/plain/4', ann()))->{status} == 200 };
is($r->{status}, 200, 'what has ended does not count');
is(lock('/plain/1', ann())->{status}, 429, 'what has not, does');

# the number is that of the endpoint, the locks are those of the store

sub there {
    return http('POST', "$_[0]/lock", port => $ENV{TEST_NGINX_PORT2},
                headers => [ann()]);
}

is(there('/plain/1')->{status}, 200, 'a third one where three are allowed');
is(there('/plain/2')->{status}, 429, 'not a fourth');


=== an operator may end a lock
--- lock: idle=1m
--- more
    location ~ ^/admin(?<locked>/.*)/lock$ {
        conflict_key $locked;
        conflict_lock force get=off;
    }
--- steps
set_doc('/plain/1', { n => 1 });

is(lock('/plain/1', ann())->{status}, 200, 'held');
is(http('DELETE', '/plain/1/lock?force=1', headers => [bob()])->{status}, 409,
   'not everywhere');
is(http('DELETE', '/admin/plain/1/lock', headers => [bob()])->{status}, 409,
   'nor without saying so');
is(http('DELETE', '/admin/plain/1/lock?force=1', headers => [bob()])->{status},
   200, 'but there');
is((conflicts())[-1]{action}, 'lock_forced', 'which the log says');
is((conflicts())[-1]{user_id}, 'bob', 'with who it was');
is(lock('/plain/1', 'X-User: cid')->{status}, 200, 'it is free');


=== who may not see the resource gets no lock
--- steps
set_doc('/auth/1', { n => 1 });

my $r = lock('/auth/1', ann());
is($r->{status}, 401, 'without credentials');
isnt(header($r, 'WWW-Authenticate'), undef, 'the answer to a GET');
is(http('GET', '/auth/1/lock', headers => [bob()])->{status}, 401,
   'nor does he see who has it');

$r = lock('/auth/1', ann(), 'Authorization: Bearer reader');
is($r->{status}, 200, 'with');

is(lock('/plain/none', ann())->{status}, 200, 'what is still to be made');
$r = lock('/plain/1', ann(), 'X-Up-Read: status=500');
is($r->{status}, 503, 'a GET that fails');
is(show('/plain/1', bob())->{lock}, undef, 'gives none');


=== no GET first
--- lock: get=off
--- steps
set_doc('/auth/1', { n => 1 });

is(lock('/auth/1', ann())->{status}, 200, 'acquired');
is(scalar(grep { $_->{method} eq 'GET' } seen()), 0, 'nothing was asked');


=== an endpoint that is more, or is led to
--- more
    location ~ ^/both(?<both>/plain/.*)/lock$ {
        conflict_key $both;
        conflict_lock get=$both?x=1&y=a%20b;
        proxy_pass http://api;
    }
    location /lm/ {
        conflict version;
        proxy_intercept_errors on;
        error_page 500 /plain/1/lock;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $r = http('POST', '/both/plain/1/lock', headers => [ann()]);
is($r->{status}, 200, 'beside proxy_pass');
like(json($r)->{lock}{token}, qr/^[0-9a-f]{32}$/, 'it is a lock all the same');
is((seen())[-1]{target}, '/plain/1?x=1&y=a%20b', 'asked for with arguments');
is(scalar(journal()), 0, 'and nothing else');

$r = PUT('/lm/1', { n => 1 }, 'X-Up-Write: status=500');
is($r->{status}, 404, 'an error page that leads to one');


=== a key that is no path
--- more
    location ~ ^/edit/(?<id>.*)$ {
        conflict_key note:$id;
        conflict_lock get=/plain/$id;
    }
    location ~ ^/bad/(?<which>.*)$ {
        conflict_key $which;
        conflict_lock;
    }
    location ~ ^/worse/(?<which>.*)$ {
        conflict_key note:$which;
        conflict_lock get=$which;
    }
    location ~ ^/blind/(?<which>.*)$ {
        conflict_key note:$which;
        conflict_lock get=off;
    }
--- steps
set_doc('/plain/1', { n => 1 });

is(http('POST', '/edit/1', headers => [ann()])->{status}, 200, 'asked for');
is((seen())[-1]{target}, '/plain/1', 'where it is');
is(http('POST', '/blind/1', headers => [ann()])->{status}, 200, 'get=off');

for my $path ('/bad/note:1', '/worse/note:1') {

    for my $method ('POST', 'GET') {
        my $r = http($method, $path, headers => [ann()]);

        is($r->{status}, 500, "$path: known at the request");
        is(json($r)->{error}, 'lock_target_unknown', 'and said');
        like(json($r)->{detail}, qr/conflict_lock.* get=/, 'with a cure');
        is(header($r, 'Retry-After'), undef, 'it will not go well later');
    }
}

like(error_log(), qr/not a path: "note:1"/, 'logged');


=== the policies that never refuse, another status, and report
--- more
    location /lm/ {
        conflict lww;
        conflict_lock_status 423;
        proxy_pass http://api;
    }
    location /row/ {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc("/$_/1", { n => 1 }) for 'lm', 'row';

is(lock("/$_/1", ann())->{status}, 200, 'held') for 'lm', 'row';

my $r = PUT('/lm/1', { n => 2 }, bob());
is($r->{status}, 423, 'lww');
like($r->{line}, qr/^HTTP\/1.1 423 Locked/, 'by the status that was asked for');
is(json($r)->{status}, 423, 'in the body as well');
is(PUT('/lm/1', { n => 2 }, ann())->{status}, 204, 'not for the holder');

$r = PUT('/row/1', { n => 2 }, bob());
is($r->{status}, 200, 'report refuses nothing');
like(header($r, 'Conflict'), qr/^locked;version=\d+;report$/, 'and tells');
is((conflicts())[-1]{action}, 'conflict_locked', 'the log as well');


=== other methods, bodies, and rubbish
--- steps
set_doc('/plain/1', { n => 1 });

my $r = http('PUT', '/plain/1/lock', body => '{}', headers => [ann()]);
is($r->{status}, 405, 'PUT');
is(header($r, 'Allow'), 'GET, HEAD, POST, DELETE, OPTIONS', 'what can be');
is(http('HEAD', '/plain/1/lock')->{status}, 200, 'HEAD');
is(http('POST', '/plain/1/lock', body => 'x' x 100000, headers => [ann()])
   ->{status}, 200, 'a body is ignored');

my $long = 'x' x 3000;
$r = http('POST', "/plain/$long/lock",
          headers => ["X-User: $long", "X-Client: $long"]);
is($r->{status}, 200, 'long ones');
is(json($r)->{lock}{user}, 'x' x 112, 'are cut for display');
is(http('POST', "/plain/$long/lock",
        headers => ["X-User: ${long}y"])->{status}, 409, 'and not confused');

$r = lock('/plain/2', "X-User: \"\\\x01\xff</script>", 'X-Client: a"b');
is(json($r)->{lock}{client}, 'a"b', 'escaped');
is(lock('/plain/2', bob())->{status}, 409, 'for others as well');

is(lock('/plain/a%20b', ann())->{status}, 200, 'an encoded path');
is(PUT('/plain/a%20b', { n => 1 }, bob())->{status}, 409, 'is the same one');


=== of 200 that race for one exactly one gets it
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my @pending = map { start('POST', '/plain/1/lock',
                          headers => ["X-User: u$_"]) } 1 .. 200;
my %count;

$count{finish($_)->{status}}++ for @pending;
is_deeply(\%count, { 200 => 1, 409 => 199 }, 'one 200, 199 409');
