# server_wins: a stale write is dropped, and the client gets the latest body.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the latest body instead of the write
--- config
    location / {
        conflict server_wins;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 1, base_version => $v });

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 200, 'answered with 200');
like(header($r, 'Conflict'), qr/^dropped;version=\d+;base=$v$/, 'the field');
is(json($r)->{n}, 1, 'the body is the latest');
is(header($r, 'Content-Type'), 'application/json', 'with its type');
is(header($r, 'Content-Location'), '/plain/1', 'it is that of the resource');
is(header($r, 'ETag'), undef, 'a PUT that was not stored has no ETag');
is(scalar(journal()), 1, 'the write was dropped');
is((conflicts())[0]{action}, 'conflict_server_wins', 'and logged');


=== a stale If-Match is dropped as well, and nginx makes no 412 of it
--- config
    location / {
        conflict server_wins;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 1 });

is(PUT('/plain/1', { n => 2 }, qq(If-Match: "$v"))->{status}, 200, 'answered with 200');


=== where the resource is gone there is no body to answer with
--- config
    location / {
        conflict server_wins;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

DELETE('/plain/1');

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 409, 'refused with 409');
ok(json($r)->{deleted}, 'deleted');


=== where the latest body cannot be had the write is refused, not dropped
--- config
    location / {
        conflict server_wins;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 1 });

my $r = PUT('/plain/1', { n => 2, base_version => $v }, 'X-Up-Read: status=500');

is($r->{status}, 409, 'refused with 409');
is(json($r)->{server_version_omitted}, 'unavailable', 'and why');
