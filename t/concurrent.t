# The lease: writes to one resource are serialized, others do not wait.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

run_tests();

__DATA__

=== of 100 parallel writes on one base exactly one passes
--- config
    location / {
        conflict version;
        conflict_wait 20s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

my @pending = map { start('PUT', '/plain/1',
                          body => { n => $_, base_version => $v },
                          headers => ['X-Up-Write: sleep=0.05 apply']) }
              1 .. 100;
my %count;

$count{finish($_)->{status}}++ for @pending;

is_deeply(\%count, { 204 => 1, 409 => 99 }, 'one 204, 99 409');
is(scalar(journal()), 1, 'the upstream applied one');
is(scalar(conflicts()), 99, 'the log has each refusal once');


=== a write waits for the one in flight, then for no longer than it may
--- config
    location / {
        conflict version;
        conflict_wait 100ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
set_doc('/plain/2', { id => 2 });

my $v = version(GET('/plain/1'));
my $slow = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 409, 'the same base: it is not known who wins');
is(json($r)->{error}, 'write_in_progress', 'error');
is(header($r, 'Conflict') =~ /^busy/ ? 1 : 0, 1, 'outcome');
is(header($r, 'Retry-After'), 1, 'Retry-After');
is((conflicts())[0]{action}, 'conflict_busy', 'logged');

is(PUT('/plain/1', { n => 3, base_version => 1 })->{status}, 409,
   'a base that is stale in any case');
is((conflicts())[1]{action}, 'conflict_version', 'is refused at once');

is(PUT('/plain/2', { n => 4 })->{status}, 204,
   'another resource does not wait');
is(version(GET('/plain/1')), $v, 'a read does not wait, its version is old');

release();
is(finish($slow)->{status}, 204, 'the first write ends well');


=== the one that waited passes when the first was refused by the upstream
--- config
    location / {
        conflict version;
        conflict_wait 10s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $bad = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                headers => ['X-Up-Write: hold status=422']);
begun(1);

my $good = start('PUT', '/plain/1', body => { n => 2, base_version => $v });

release();
is(finish($bad)->{status}, 422, 'the upstream refuses the first');
is(finish($good)->{status}, 204, 'the second has its base still');


=== a lease is renewed for as long as the upstream works
--- config
    location / {
        conflict version;
        conflict_lease 1s;
        conflict_quarantine 1s;
        conflict_wait 10s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $slow = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                 headers => ['X-Up-Write: sleep=2.5 apply']);
begun(1);

my $other = start('PUT', '/plain/1', body => { n => 2, base_version => $v });

is(finish($slow)->{status}, 204, 'it took much longer than the lease');
is(finish($other)->{status}, 409, 'and nobody came between');
is(scalar(journal()), 1, 'one write');


=== waiting clients that go away leave nothing behind
--- config
    location / {
        conflict version;
        conflict_wait 10s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $slow = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);

for (1 .. 20) {
    my $r = start('PUT', '/plain/1', body => { n => 2, base_version => $v });
    close $r->{socket};
}

release();
is(finish($slow)->{status}, 204, 'the first');
is(PUT('/plain/1', { n => 3 })->{status}, 204, 'the resource is free');
is(scalar(grep { $_->{body} =~ /"n":2/ } journal()), 0,
   'nobody wrote for those that left');


=== merge: each tag and each step of a counter is there in the end
--- config
    location / {
        conflict merge;
        conflict_field /tags union;
        conflict_field /views sum;
        conflict_field /name lww;
        conflict_history 40;
        conflict_wait 20s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { tags => ['x'], views => 10, name => '' });

my ($n, @tags) = (0, 'x');

for my $round (1 .. 3) {
    my $doc = json(my $r = GET('/plain/1'));
    my $v = version($r);

    # some of this base, some of none that is current by then

    my @pending = map {
        push @tags, my $tag = "t$round-$_";
        start('PUT', '/plain/1',
              body => { tags => [@{ $doc->{tags} }, $tag], name => $tag,
                        views => $doc->{views} + $_, base_version => $v },
              headers => ["X-Client: $tag"])
    } 1 .. 30;

    my %count;
    $count{finish($_)->{status}}++ for @pending;
    is_deeply(\%count, { 204 => 30 }, 'all are merged');
    $n += $_ for 1 .. 30;
}

my $doc = json(GET('/plain/1'));
is_deeply([sort @{ $doc->{tags} }], [sort @tags], 'every tag');
is($doc->{views}, 10 + $n, 'the exact sum');
is(scalar(journal()), 90, 'of as many writes');
is(scalar(grep { $_->{action} eq 'conflict_merge' } conflicts()), 87,
   'of which all but the first of a round were stale');
