# The validators of GET and HEAD, and conditional reads.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== GET and HEAD
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $r = GET('/plain/1');
my $v = version($r);
my $date = header($r, 'Last-Modified');

ok($date, 'Last-Modified where the upstream sends none');
is(version(HEAD('/plain/1')), $v, 'HEAD has the same version');
is(header(HEAD('/plain/1'), 'ETag'), qq("$v"), 'and ETag');
is(version(GET('/plain/1?x=1')), $v, 'arguments make no other resource');
isnt(version(GET('/plain/2')), $v, 'another path does');
is(GET('/plain/2')->{status}, 404, 'which does not exist');
is(header(GET('/plain/2'), 'ETag'), undef, 'and has no ETag');


=== a conditional GET
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $r = GET('/plain/1');
my $v = version($r);

# a tag that bears none of the upstream's names what the last write has made; a
# list, or what another user sees, may have changed all the same

$r = GET('/plain/1', qq(If-None-Match: "$v"),
         'If-Modified-Since: ' . header($r, 'Last-Modified'));

is($r->{status}, 200, 'is answered with the body');
is(header($r, 'ETag'), qq("$v"), 'and the tag');

set_doc('/plain/1', { id => 2 });
is(json(GET('/plain/1', qq(If-None-Match: "$v")))->{id}, 2,
   'which may have changed without a write to it');

my @seen = grep { $_->{method} eq 'GET' } seen();

is(scalar(grep { my $h = $_; grep { $_->[0] =~ /^if-.*match/ }
                             @{ $h->{headers} } } @seen), 0,
   'the upstream sees no tag that it does not know');

is(GET('/plain/1', qq(If-Match: "$v"))->{status}, 200, 'If-Match');
PUT('/plain/1', { n => 1 });

$r = GET('/plain/1', qq(If-Match: "$v"));
is($r->{status}, 412, 'If-Match on a version before');
like(header($r, 'Conflict'), qr/^passed/, 'has the field, too');


=== a date of ours invites no cache to guess
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
set_doc('/lm/1', { id => 1 }, mtime => 1700000000);
set_doc('/etag/1', { id => 1 });

is(header(GET('/plain/1'), 'Cache-Control'), 'no-cache', 'where it is new');
is(header(GET('/plain/1', 'X-Up-Read: apply header=Cache-Control:max-age=5'),
          'Cache-Control'), 'max-age=5', 'the upstream knows better');
is(header(GET('/lm/1'), 'Cache-Control'), undef,
   'with a date of its own it has had the choice');

my $r = GET('/etag/1');
is(header($r, 'Last-Modified'), undef, 'with a tag of its own it needs none');
is(header($r, 'Cache-Control'), undef, 'and caches may do as before');


=== the upstream's own date is kept, and is the date of the version
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/lm/1', { id => 1 }, mtime => 1700000000);

is(header(GET('/lm/1'), 'Last-Modified'), 'Tue, 14 Nov 2023 22:13:20 GMT',
   'kept');

PUT('/lm/1', { n => 1, base_version => 1 });

my $r = PUT('/lm/1', { n => 1, base_version => 1 });

like(json($r)->{changed_at}, qr/^2023-11-14T22:13:20/, 'changed_at');


=== a date of the application's own
--- config
    location / {
        conflict version;
        conflict_mtime json:/updated_at;
        proxy_pass http://api;
    }
    location /head/ {
        conflict version;
        conflict_mtime header:X-Updated;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/1', { updated_at => '2023-11-14T22:13:20.250Z' });
GET('/plain/1');

is(PUT('/plain/1', { n => 1 },
       'If-Unmodified-Since: 2023-11-14T22:13:20.249Z')->{status}, 409,
   'older by a millisecond');
is(PUT('/plain/1', { n => 1, updated_at => '2023-11-15T00:00:00.5Z' },
       'If-Unmodified-Since: 2023-11-14T22:13:20.250Z')->{status}, 204,
   'the same');
GET('/plain/1');
set_doc('/plain/2', { id => 1 });

my $date = 'X-Up-Read: apply header=X-Updated:2023-11-14T22:13:20Z';

GET('/head/2', $date);
is(PUT('/head/2', { n => 1 }, $date,
       'If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT')->{status}, 409,
   'a header: older');
is(PUT('/head/2', { n => 1 }, $date,
       'If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT')->{status}, 204,
   'a header: the same');


=== a tag that gzip has weakened is good
--- config
    gzip on;
    gzip_types application/json;
    gzip_min_length 1;
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1, text => 'x' x 1000 });

my $r = GET('/plain/1', 'Accept-Encoding: gzip');

is(header($r, 'Content-Encoding'), 'gzip', 'compressed');
like(header($r, 'ETag'), qr!^W/"\d+"$!, 'the tag is weak');
is(PUT('/plain/1', { id => 2 }, 'If-Match: ' . header($r, 'ETag'))->{status},
   204, 'and good for a write');


=== a body from a cache bears no version
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    location / {
        conflict version;
        proxy_cache one;
        proxy_cache_valid 200 1m;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

like($v, qr/^\d+$/, 'the first read comes from the upstream');
is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204, 'a write');

my $r = GET('/plain/1');

is(json($r)->{n}, 0, 'the cache still has the old body');
is(version($r), undef, 'which is not called the new version');
is(header($r, 'ETag'), undef, 'nor tagged');

$r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 409, 'stale');
is(json($r)->{server_version}{n}, 1,
   'no cache answers the GET for the latest body');


=== an unchanged body keeps its version, even where the store has doubts
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { text => 'x' x 300000 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { base_version => $v }, 'X-Up-Write: status=500');
is(PUT('/plain/1', { base_version => $v })->{status}, 204, 'a large one');


=== a date is not shown before the upstream has told it
--- config
    location / {
        conflict version;
        conflict_mtime json:/updated_at;
        proxy_pass http://api;
    }
    location /head/ {
        conflict version;
        conflict_mtime header:X-Updated;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc("/plain/$_", { updated_at => '2023-11-14T22:13:20Z' }) for 1, 2;

is(header(GET('/plain/1'), 'Last-Modified'), undef, 'by the first read');
is(header(GET('/plain/1'), 'Last-Modified'), 'Tue, 14 Nov 2023 22:13:20 GMT',
   'it is by the next');
is(header(GET('/head/2', 'X-Up-Read: apply header=X-Updated:'
                         . '2023-11-14T22:13:20Z'), 'Last-Modified'),
   'Tue, 14 Nov 2023 22:13:20 GMT', 'a header tells in time');


=== a resource that appears behind the module's back, and a 404
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));

# many APIs say 404 to those who may not see a resource

is(GET('/plain/1', 'X-Up-Read: status=404')->{status}, 404, '404 for one');
is(scalar(conflicts()), 0, 'is no news');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204,
   'and does not make the base of another stale');

$v = version(GET('/plain/1'));
is(DELETE('/plain/1', qq(If-Match: "$v"))->{status}, 204, 'deleted');
set_doc('/plain/1', { n => 3 });
is(GET('/plain/1')->{status}, 200, 'it is there again');

my @log;

until_true { @log = conflicts() };

is(scalar(@log), 1, 'logged');
is($log[0]{action}, 'conflict_external', 'as external');
is(PUT('/plain/1', { n => 4, base_version => $v })->{status}, 409,
   'the old base is stale');
is(PUT('/plain/1', { n => 4, base_version => version(GET('/plain/1')) })
   ->{status}, 204, 'the new one is not');


=== what is read after a write that ended badly
--- config
    location / {
        conflict version;
        conflict_quarantine 200ms;
        proxy_read_timeout 100ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 2, base_version => $v },
       'X-Up-Write: apply sleep=0.2')->{status}, 504, 'timed out');

my $r = GET('/plain/1');
is(json($r)->{n}, 2, 'the new body');
is(version($r), undef, 'is not shown under the old version');
is(header($r, 'ETag'), undef, 'nor tagged with it');

my $w;
until_true { $w = version(GET('/plain/1')) };
isnt($w, $v, 'but under a new one, once all has landed');
is(PUT('/plain/1', { n => 3, base_version => $w })->{status}, 204,
   'on which a write passes');

for my $status (202, 500) {
    $v = version(GET('/plain/1'));
    is(PUT('/plain/1', { n => $status, base_version => $v },
           "X-Up-Write: apply status=$status")->{status}, $status,
       "answered with $status");
    GET('/plain/1');
    $w = version(GET('/plain/1'));
    isnt($w, $v, 'a new version');
    is(PUT('/plain/1', { n => 1, base_version => $w })->{status}, 204,
       'on which a write passes');
}


=== answers that the module must look into are not encoded
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { n => 1 });
set_doc('/plain/1', { n => 1 });

GET('/own/1', 'Accept-Encoding: gzip');
GET('/plain/1', 'Accept-Encoding: gzip');
is(join(' ', map { scalar grep { $_->[0] eq 'accept-encoding' }
                   @{ $_->{headers} } } seen()), '0 1',
   'the upstream is not asked for that, or is');
