# A version that a GET has to determine while others write: the second GET is
# made under a lease, so that no write overtakes it.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lookup;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# the write, and one that comes during its second GET, of unknown outcome

sub overtaken {
    my ($path, $body, @headers) = @_;

    return both($path, looking_up('PUT', $path, body => $body,
                                  headers => \@headers));
}

# the other write comes now

sub both {
    my ($path, $write) = @_;

    my $other = start('PUT', $path, body => { n => 'other' },
                      headers => ['X-Up-Write: apply status=500']);
    GET('/ping') for 1 .. 20;
    release();

    return (finish($write), finish($other));
}

run_tests();

__DATA__

=== a version of the upstream
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });

my ($r) = overtaken('/own/1', { n => 'mine', base_version => 3 });

is($r->{status}, 200, 'a good base');
is(json($r)->{version}, 4, 'passes');
is(written(), 'first second mine other', 'each write in its turn');

$r = GET('/own/1');
is(json($r)->{version}, 5, 'the last one');

set_doc('/own/2', { id => 2 });

($r) = overtaken('/own/2', { n => 'mine', base_version => 1 });

is($r->{status}, 409, 'a stale base');
is(json($r)->{server_version}{n}, 'second', 'with the latest body');
is(json($r)->{version}, 3, 'and its version');
is(written(), 'first second mine other first second other',
   'then others may write');


=== a version of the module
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
my $v = version(GET('/plain/1'));

my ($r) = overtaken('/plain/1', { n => 'mine', base_version => $v });

is($r->{status}, 409, 'a stale base');
is(json($r)->{server_version}{n}, 'second', 'with the latest body');

$v = version($r);
$r = PUT('/plain/1', { n => 'next', base_version => $v });
is($r->{status}, 409, 'stale: another write came next');
is(json($r)->{server_version}{n}, 'other', 'which this shows');
is(PUT('/plain/1', { n => 'next', base_version => version($r) })->{status}, 204,
   'a good base');


=== MOVE, which has a second resource
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_methods PUT MOVE;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });
set_doc('/own/2', { id => 2 });

my $move = looking_up('MOVE', '/own/1',
                      headers => ['Destination: http://localhost/own/2',
                                  'If-Match: "3"']);
my ($r) = both('/own/1', $move);

is($r->{status}, 204, 'moved');
is(json(GET('/own/2'))->{n}, 'second', 'what its client has seen');
is(json(GET('/own/1'))->{n}, 'other', 'before the other write');


=== the upstream's own tag as a base of the module's versions
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { id => 1 });
GET('/etag/1');

my ($r) = overtaken('/etag/1', { n => 'mine' }, 'If-Match: "e3"');

like($r->{status}, qr/^20[04]$/, 'it passes');
is(written(), 'first second mine other', 'each write in its turn');

set_doc('/etag/2', { id => 1 });
GET('/etag/2');

($r) = overtaken('/etag/2', { n => 'mine' }, 'If-Match: "e2"');

is($r->{status}, 409, 'a stale one');
is(json($r)->{server_version}{n}, 'second', 'with the latest body');


=== the GET under the lease does not show the version
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_max_body 4k;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });

my $write = looking_up('PUT', '/own/1',
                       body => { n => 'mine', base_version => 3 });

set_doc('/own/1', { n => 'x' x 8192 });
release();

my $r = finish($write);
is($r->{status}, 503, 'nothing is known');
is(json($r)->{error}, 'store_unavailable', 'so it is refused');
is(written(), 'first second', 'and not sent');
is(PUT('/own/1', { n => 'next' })->{status}, 200, 'others may write at once');


=== policies that let a stale write pass
--- config
    location /plain/ {
        conflict lww;
        proxy_pass http://api;
    }
    location /assign/ {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 'zero' });
my $v = version(GET('/plain/1'));

my ($r) = overtaken('/plain/1', { n => 'mine', base_version => $v });

is($r->{status}, 204, 'lww: it passes');
like(header($r, 'Conflict'), qr/^overwrote;/, 'after a check');
is(written(), 'first second mine other', 'each write in its turn');

upstream('/_reset');
set_doc('/assign/1', { n => 'zero', m => 'zero' });
$v = version(GET('/assign/1'));

($r) = overtaken('/assign/1',
                 { n => 'zero', m => 'mine', base_version => $v });

is($r->{status}, 200, 'merge: it passes');
is(json($r)->{n}, 'second', 'with what has overtaken it');
is(json($r)->{m}, 'mine', 'and its own change');
like(header($r, 'Conflict'), qr/^merged;/, 'as merged');
is(json(GET('/assign/1'))->{n}, 'other', 'then another write');
