# conflict version: a stale write is refused with 409 and the latest body.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the first of two devices wins, the second sees what it missed
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1, body => 'hello' });

my $r = GET('/plain/1');
my $v = version($r);

is($r->{status}, 200, 'a read passes');
like($v, qr/^\d+$/, 'and tells the version');
is(header($r, 'ETag'), qq("$v"), 'which is its ETag');
is(header($r, 'Conflict'), "passed;version=$v", 'the field is well-formed');
is(version(GET('/plain/1')), $v, 'a read changes nothing');

$r = PUT('/plain/1', { id => 1, body => 'a', base_version => $v });

is($r->{status}, 204, 'the first write passes');
cmp_ok(version($r), '>', $v, 'and gets a greater version');
is(header($r, 'ETag'), '"' . version($r) . '"', 'which is its tag');

my $now = version($r);

$r = PUT('/plain/1', { id => 1, body => 'b', base_version => $v });

is($r->{status}, 409, 'the second is stale');
is(header($r, 'Content-Type'), 'application/json', 'the answer is JSON');
is(header($r, 'Cache-Control'), 'no-store', 'not to be stored');
is(header($r, 'Conflict'), "rejected;version=$now;base=$v", 'the field');
is(header($r, 'ETag'), qq("$now"), 'the current ETag');

my $answer = json($r);

is($answer->{error}, 'version_conflict', 'error');
is($answer->{status}, 409, 'status');
is($answer->{resource}, '/plain/1', 'resource');
is($answer->{base_version}, $v, 'base_version');
is($answer->{version}, $now, 'version');
like($answer->{changed_at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/,
     'changed_at');
is_deeply($answer->{server_version},
          { id => 1, body => 'a' }, 'server_version');
like($answer->{conflict_id}, qr/^[0-9a-f]{32}$/, 'conflict_id');

is(scalar(journal()), 1, 'the upstream saw one write');

my @log = conflicts();

is(scalar(@log), 1, 'one line in the log');
is($log[0]{action}, 'conflict_version', 'its action');
is($log[0]{conflict_id}, $answer->{conflict_id}, 'its id');

$r = PUT('/plain/1', { id => 1, body => 'c', base_version => $now });

is($r->{status}, 204, 'a write on the latest version passes');


=== a base in a string, and one of another member
--- config
    location / {
        conflict version;
        conflict_base json:/meta/rev;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { meta => { rev => 1 } })->{status}, 409, 'stale');
is(PUT('/plain/1', { base_version => 1 })->{status}, 204,
   'base_version is just data here');
$v = version(GET('/plain/1'));
is(PUT('/plain/1', { meta => { rev => "$v" } })->{status}, 204,
   'a string of digits is a base');


=== without a base a write passes, and takes its turn
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $r = PUT('/plain/new', { id => 1 });

is($r->{status}, 201, 'created');

my $v = version($r);

is(version(GET('/plain/new')), $v, 'under the version that a GET shows');
is(PUT('/plain/new', { id => 2 })->{status}, 204, 'changed');
cmp_ok(version(GET('/plain/new')), '>', $v, 'the version moved on');
is(scalar(conflicts()), 0, 'no conflict');


=== DELETE leaves a tombstone
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = DELETE('/plain/1', qq(If-Match: "$v"));

is($r->{status}, 204, 'deleted');
is(header($r, 'ETag'), undef, 'what is gone has no ETag');

$r = PUT('/plain/1', { id => 2, base_version => $v });

is($r->{status}, 409, 'a stale write to it');

my $answer = json($r);

ok(exists $answer->{server_version} && !defined $answer->{server_version},
   'server_version is null');
ok($answer->{deleted}, 'deleted');
is((conflicts())[0]{action}, 'conflict_deleted', 'so it is logged');
is(PUT('/plain/1', { id => 3 })->{status}, 201, 'it can be made again');
cmp_ok(version(GET('/plain/1')), '>', $v, 'under a new version');


=== an absent base is asked for where conflict_require says so
--- config
    location / {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { id => 2 });

is($r->{status}, 428, 'refused with 428');
like($r->{line}, qr/428 Precondition Required/, 'with a reason phrase');
is(json($r)->{error}, 'precondition_required', 'error');
is(header($r, 'Conflict'), 'required', 'outcome');
is(scalar(journal()), 0, 'nothing was forwarded');
is((conflicts())[0]{action}, 'conflict_required', 'so it is logged');
is(PUT('/plain/1', { base_version => $v })->{status}, 204, 'with a base');
