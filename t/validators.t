# What a GET or HEAD carries, and conditional reads.
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

my $v = version(GET('/plain/1'));
my $r = GET('/plain/1', qq(If-None-Match: "$v"));

is($r->{status}, 304, 'not modified');
is(header($r, 'ETag'), qq("$v"), 'with the tag');
is(GET('/plain/1', qq(If-None-Match: W/"$v"))->{status}, 304, 'weakened');
is(GET('/plain/1', 'If-None-Match: "1"')->{status}, 200, 'another tag');

my @seen = grep { $_->{method} eq 'GET' } seen();

is(scalar(grep { my $h = $_; grep { $_->[0] =~ /^if-/ } @{ $h->{headers} } }
          @seen), 0, 'the upstream sees no tag that it does not know');

PUT('/plain/1', { n => 1 });
is(GET('/plain/1', qq(If-None-Match: "$v"))->{status}, 200, 'modified');
is(GET('/plain/1', qq(If-Match: "$v"))->{status}, 412, 'If-Match');


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
is(GET('/lm/1', 'If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT')->{status},
   304, 'a conditional GET by date');

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


=== a resource that appears or goes behind the module's back
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));

set_doc('/plain/1', undef);
is(GET('/plain/1')->{status}, 404, 'gone');

my @log;

until_true { @log = conflicts() };

is(scalar(@log), 1, 'logged');
is($log[0]{action}, 'conflict_external', 'as external');

my $r = PUT('/plain/1', { base_version => $v });

is($r->{status}, 409, 'a write on what is gone');
ok(json($r)->{deleted}, 'is told so');
