# Locks must not be lost, taken over or disclosed.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();

add_block_preprocessor(sub {
    my $block = shift;
    my $lock = $block->lock || '';

    $lock =~ s/\s+\z//;

    $block->set_value('config', ($block->more || '')
                      . "conflict_user \$http_x_user;\n"
                      . "conflict_wait 1s;\n"
                      . "location / { conflict version;\n"
                      . ($block->rules || '') . "proxy_pass http://api; }\n"
                      . "location ~ ^(?<resource>/.*)/lock\$ {\n"
                      . "conflict_key \$resource;\n"
                      . "conflict_lock $lock;\n}\n");
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

run_tests();

__DATA__

=== what no write would check is not locked
--- more
location /free/ { proxy_pass http://api/plain/; }
location ~ ^/key/(?<id>\d+)$ {
    conflict version;
    conflict_key note:$id;
    proxy_pass http://api/plain/$id;
}
location /try/ {
    try_files /none @try;
}
location @try {
    conflict version;
    rewrite ^/try/(.*)$ /plain/$1 break;
    conflict_key $request_uri;
    proxy_pass http://api;
}
location /404/ {
    proxy_pass http://api;
}
location ~ ^/got(?<got>/.*)/lock$ {
    conflict_key $got;
    conflict_lock get=/free/1;
}
--- steps
set_doc('/plain/1', { n => 1 });

for my $path ('/free/1', '/key/1', '/404/1') {
    my $r = lock($path, ann());

    is($r->{status}, 500, $path);
    is(json($r)->{error}, 'lock_target_unknown', 'error');
    like(json($r)->{detail}, qr/not check the lock/, 'why');
    is(show($path, bob())->{lock}, undef, 'there is none');
}

is(log_count(qr{the lock of "/free/1" would not be checked}), 1, 'in the log');

for my $path ('/plain/1', '/plain/none', '/try/1') {
    is(lock($path, ann())->{status}, 200, $path);
    is(PUT($path, { n => 2 }, bob())->{status}, 409, 'nobody else writes it');
}

is(http('POST', '/got/plain/2/lock', headers => [ann()])->{status}, 200,
   'another target may be anywhere');


=== conditions of the caller are on something else
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));

for my $header ('If-None-Match: *', qq(If-Match: "$v"), 'If-Match: "x"',
                'Range: bytes=0-1',
                'If-Modified-Since: Wed, 25 Nov 2099 08:00:00 GMT',
                'If-Unmodified-Since: Wed, 25 Nov 2009 08:00:00 GMT')
{
    my $r = lock('/plain/1', ann(), $header);

    is($r->{status}, 200, "POST with $header");
    like(json($r)->{lock}{token}, qr/^[0-9a-f]{32}$/, 'and its token');
    is(http('GET', '/plain/1/lock', headers => [ann(), $header])->{status},
       200, "GET with $header");
}


=== where the upstream owns the versions a lock makes none
--- rules
conflict_version header:ETag;
--- steps
set_doc("/etag/$_", { id => 1 }) for 1, 2;
GET('/etag/2');

for my $path ('/etag/1', '/etag/2') {
    is(lock($path, ann())->{status}, 200, "$path: locked");
    is(PUT($path, { n => 1 }, 'If-Match: "e1"', ann())->{status}, 200,
       "$path: the version of the upstream is still current");
}


=== who may not see the resource
--- steps
set_doc('/auth/1', { n => 1 });

is(lock('/auth/1', ann(), 'Authorization: Bearer reader')->{status}, 200,
   'held');
is(http('GET', '/auth/1/lock', headers => [bob()])->{status}, 401,
   'may not see the lock');

for my $header ('X-User: ann', 'Lock-Token: ' . '0' x 32) {
    my $r = unlock('/auth/1', $header);

    is($r->{status}, 401, 'nor release it');
    unlike($r->{raw}, qr/ann|laptop|version=/, 'nor learn whose it is');
}

set_doc('/auth/2', { n => 1 });

for my $path ('/auth/2', '/auth/1') {
    is(unlock($path, bob(), 'Lock-Token: ' . '1' x 32,
              'Authorization: Bearer eve')->{status}, 403,
       "$path: nor whether it is locked");
}

my $r = PUT('/auth/1', { n => 2 }, bob());
is($r->{status}, 401, 'his write is answered as his GET');
unlike($r->{body}, qr/ann|laptop/, 'without a name');

$r = PUT('/auth/1', { n => 2 }, bob(), 'Authorization: Bearer reader');
is($r->{status}, 409, 'one who may is told');
is(json($r)->{lock}{user}, 'ann', 'whose it is');
is(scalar(grep { $_->{path} eq '/auth/1' } journal()), 0,
   'nothing was written');


=== what does not exist, or so the API says
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my @gone = (bob(), 'X-Up-Read: status=404');

is(lock('/plain/1', ann())->{status}, 200, 'held');

my $r = http('GET', '/plain/1/lock', headers => [@gone]);
is($r->{status}, 200, 'it is locked');
unlike($r->{raw}, qr/ann|laptop|$v/, 'without names and a version');

my $shown = json($r);
ok(!$shown->{mine}, 'not for this caller');
is_deeply([@{ $shown->{lock} }{qw(user client)}, $shown->{version}],
          [undef, undef, undef], 'but for nobody knows whom');
cmp_ok($shown->{lock}{expires_in}, '>', 0, 'until then');

$r = lock('/plain/1', @gone);
is(json($r)->{error}, 'locked', 'nor can it be had');
ok(header($r, 'Retry-After'), 'before then');
unlike($r->{raw}, qr/ann|laptop|$v/, 'nothing else');

$r = PUT('/plain/1', { n => 2, base_version => $v - 1 }, @gone);
is(json($r)->{error}, 'locked', 'nor written');
unlike($r->{raw}, qr/ann|laptop|$v/, 'nothing else');

is(json(lock('/plain/1', bob()))->{lock}{user}, 'ann', 'who sees it is told');

# one that is still to be made

$r = lock('/plain/none', ann());
is($r->{status}, 200, 'to be made by her');
is(json($r)->{version}, undef, 'on no version');
lock('/plain/none', bob());

$shown = show('/plain/none', ann());
ok($shown->{mine}, 'it is hers');
is("$shown->{lock}{user} $shown->{lock}{client}", 'ann laptop', 'indeed');
is(scalar @{ $shown->{waiting} }, 1, 'somebody waits');
is_deeply([@{ $shown->{waiting}[0] }{qw(user client)}], [undef, undef],
          'who knows who');

is(PUT('/plain/none', { n => 1 }, ann(), 'If-None-Match: *')->{status}, 201,
   'made');
$shown = show('/plain/none', ann());
is($shown->{waiting}[0]{user}, 'bob', 'then he is seen');
is(show('/plain/none', bob())->{lock}{user}, 'ann', 'as she is');
is($shown->{version}, version(GET('/plain/none')), 'and the version');


=== without a latest body nobody is named
--- rules
conflict_latest off;
--- steps
set_doc('/plain/1', { n => 1 });
lock('/plain/1', ann());

my $r = PUT('/plain/1', { n => 2 }, bob());

is($r->{status}, 409, 'refused');
is(json($r)->{error}, 'locked', 'since it is locked');
unlike($r->{body}, qr/ann/, 'by somebody');


=== a tab that has lost its lock ends no other's
--- steps
set_doc('/plain/1', { n => 1 });

my $old = token(lock('/plain/1', 'X-User: ann', 'X-Client: one'));
my $new = token(lock('/plain/1', 'X-User: ann', 'X-Client: two'));

isnt($new, $old, 'taken over');
is(unlock('/plain/1', 'X-User: ann', $old)->{status}, 409,
   'the former one cannot release it');
is(show('/plain/1', bob())->{lock}{client}, 'two', 'it is still held');

my $r = lock('/plain/1', 'X-User: ann', 'X-Client: one', $old);

is($r->{status}, 409, 'nor renew it');
is(json($r)->{lock}{client}, 'two', 'but is told who has it');
is(show('/plain/1', 'X-User: ann', $old)->{mine}, JSON::PP::false,
   'not mine, by the old token');
is(show('/plain/1', 'X-User: ann', $new)->{mine}, JSON::PP::true,
   'mine, by the new one');
is(lock('/plain/1', 'X-User: ann', 'X-Client: two', $new)->{status}, 200,
   'who has it renews it');
is(unlock('/plain/1', $new)->{status}, 200, 'and releases it');


=== released by the token alone it is not counted any more
--- lock: per_user=1
--- steps
set_doc("/plain/$_", { n => 1 }) for 1, 2;

my $token = token(lock('/plain/1', ann()));

is(unlock('/plain/1', $token)->{status}, 200, 'released');
is(until_true { lock('/plain/2', ann())->{status} == 200 }, 1,
   'there is room for another');


=== nor released by force
--- lock: per_user=1 force
--- steps
set_doc("/plain/$_", { n => 1 }) for 1, 2;
lock('/plain/1', ann());

is(http('DELETE', '/plain/1/lock?force=1', headers => [bob()])->{status},
   200, 'forced');
is(until_true { lock('/plain/2', ann())->{status} == 200 }, 1,
   'there is room for another');


=== it is counted for whose it is, whoever renews it
--- lock: per_user=1
--- steps
set_doc("/plain/$_", { n => 1 }) for 1 .. 3;

my $token = token(lock('/plain/1', ann()));

is(lock('/plain/1', $token, bob())->{status}, 200, 'renewed by another');
is(lock('/plain/2', bob())->{status}, 200, 'who has none of his own');
is(lock('/plain/3', ann())->{status}, 429, 'the owner has one');


=== two at once, one too many
--- lock: per_user=1 get=off
--- steps
is(lock('/plain/0', ann())->{status}, 200, 'the only one');

my ($granted, $held) = (0, 0);

for my $i (1 .. 60) {
    my @pending = map { start('POST', "/plain/$i/lock",
                              headers => ['X-User: ann', "X-Client: t$_"]) }
                  1, 2;

    $granted += grep { finish($_)->{status} == 200 } @pending;
    $held++ unless until_true { !show("/plain/$i", bob())->{lock} };
}

is($granted, 0, 'none is granted');
is($held, 0, 'none is left');
