# The store contract: the same cases for every store.  A block is one case.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', store('tested'));
    $block->set_value('config', "location = /op { conflict_test tested; }\n"
                                . "location /guarded {\n"
                                . "    conflict version store=tested;\n"
                                . "    conflict_quarantine 300ms;\n"
                                . "    return 204;\n}\n");
});

# op(NAME, VERB, key => ..., ...): one operation; with a key it is a new one

sub op {
    my ($name, $verb, %args) = @_;

    my $query = join '&', "name=$name", "do=$verb",
                map { "$_=$args{$_}" } sort keys %args;

    return json(GET("/op?$query"));
}

run_tests();

__DATA__

=== a resource that was never seen
--- steps
my $r = op('a', 'begin', key => 'k', base => 5);

is($r->{verdict}, 'fetch', 'with a base: a GET must tell');
is($r->{leased}, 0, 'no lease');

$r = op('b', 'begin', key => 'other');

is($r->{verdict}, 'pass', 'without a base it passes');
is($r->{leased}, 1, 'with a lease');
cmp_ok($r->{fence}, '>', $r->{version}, 'the fence is greater');
cmp_ok($r->{fence}, '<', 2 ** 53, 'a JSON client can hold it');


=== commit, cancel and abandon
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

is(op('q', 'peek', key => 'k')->{version}, $v, 'peek changes nothing');

my $r = op('a', 'begin', key => 'k', base => $v);

is($r->{verdict}, 'pass', 'the base is current');
is(op('p', 'peek', key => 'k')->{version}, $v, 'old until the commit');
is(op('p', 'peek', key => 'k')->{state}, 'leased', 'leased');

my $fence = $r->{fence};

op('a', 'commit');
$r = op('p', 'peek', key => 'k');
is($r->{version}, $fence, 'the fence became the version');
is($r->{state}, 'free', 'free');

op('b', 'begin', key => 'k', base => $fence);
op('b', 'cancel');
$r = op('p', 'peek', key => 'k');
is($r->{version}, $fence, 'cancelled: as before');
is($r->{state}, 'free', 'free');

$r = op('c', 'begin', key => 'k', base => $fence);
cmp_ok($r->{fence}, '>', $fence, 'no fence is handed out twice');
op('c', 'abandon', quarantine => 300);
is(op('p', 'peek', key => 'k')->{state}, 'quarantined', 'abandoned');

$r = op('d', 'begin', key => 'k', base => $fence);
is($r->{verdict}, 'wait', 'a writer waits');
cmp_ok($r->{wait}, '<=', 300, 'for so long');

until_true { $r = op('d', 'begin', key => 'k', base => $fence);
             $r->{verdict} ne 'wait' };
is($r->{verdict}, 'fetch', 'then a GET must tell');


=== the policies, on a resource that is free
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my @want = ('overwrite', 'overwrite', 'drop', 'refuse');

for my $policy (1 .. 3) {
    my $r = op('a', 'begin', key => 'k', policy => $policy, base => 1);

    is($r->{verdict}, $want[$policy], "policy $policy, stale");
    is($r->{leased}, $want[$policy] eq 'overwrite' ? 1 : 0, 'lease');
    op('a', 'cancel') if $r->{leased};
}


=== two writers on one base
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

is(op('a', 'begin', key => 'k', base => $v)->{verdict}, 'pass', 'the first');
is(op('b', 'begin', key => 'k', base => $v)->{verdict}, 'wait', 'the second');
is(op('c', 'begin', key => 'k', base => 1)->{verdict}, 'refuse',
   'one that is stale in any case');
is(op('d', 'begin', key => 'k')->{verdict}, 'wait', 'one without a base');
is(op('e', 'begin', key => 'z')->{verdict}, 'pass', 'another resource');
op('a', 'commit');
is(op('b', 'begin')->{verdict}, 'refuse', 'the second, after it');


=== a lease that runs out becomes a quarantine, never free
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v, lease => 100, quarantine => 200);

my @states;

until_true {
    my $s = op('p', 'peek', key => 'k')->{state};
    push @states, $s unless @states && $states[-1] eq $s;
    $s eq 'unknown';
};

is(join(' ', @states), 'leased quarantined unknown', 'in this order');
is(op('b', 'begin', key => 'k', base => $v)->{verdict}, 'fetch', 'a GET');


=== an unknown state of which no body was seen ends with the next read
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('a', 'begin', key => 'k', base => $v);
op('a', 'commit');
$v = op('p', 'peek', key => 'k')->{version};
op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');

my $r = op('q', 'peek', key => 'k');
is($r->{state}, 'free', 'what is read now is not older than now');
cmp_ok($r->{version}, '>', $v, 'under a new version');
is(op('b', 'begin', key => 'k', base => $v)->{verdict}, 'refuse',
   'the one before is stale');
is(op('b', 'begin', key => 'k', base => $r->{version})->{verdict}, 'pass',
   'the new one is current');


=== renew holds a lease
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my $end = time() + 1;

op('a', 'begin', key => 'k', base => $v, lease => 300);
op('a', 'renew') while time() < $end;
is(op('p', 'peek', key => 'k')->{state}, 'leased', 'still');


=== the commit of a lease that ran out, when nobody came
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
op('p', 'observe', body => 7);

my $fence = op('a', 'begin', key => 'k', base => $v, lease => 100,
               quarantine => 100)->{fence};

until_true { op('p', 'peek', key => 'k')->{state} eq 'unknown' };
op('a', 'commit');

my $r = op('p', 'peek', key => 'k');

is($r->{state}, 'free', 'it counts: no other write was let in');
is($r->{version}, $fence, 'with its fence');


=== the commit of a lease that ran out, when somebody came
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', lease => 100, quarantine => 100);
until_true { op('p', 'peek', key => 'k')->{state} eq 'unknown' };

my $fence = op('b', 'begin', key => 'k', quarantine => 200)->{fence};

op('a', 'commit');
op('b', 'commit');

is(op('p', 'peek', key => 'k')->{state}, 'quarantined',
   'two writes overlapped: nobody knows which came last');

my $r;
until_true { $r = op('c', 'begin', key => 'k', base => $fence);
             $r->{verdict} eq 'fetch' };
op('c', 'observe', latest => 1, body => 7);
isnt(op('p', 'peek', key => 'k')->{version}, $fence, 'so a new version');


=== the same, when the lease of somebody ran out as well
--- steps
op('p', 'peek', key => 'k');
op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', lease => 100, quarantine => 100);
until_true { op('p', 'peek', key => 'k')->{state} eq 'unknown' };
op('b', 'begin', key => 'k', lease => 100, quarantine => 60000);
until_true { op('p', 'peek', key => 'k')->{state} eq 'quarantined' };

op('a', 'commit');
op('b', 'commit');

is(op('p', 'peek', key => 'k')->{state}, 'quarantined',
   'nobody knows which came last');


=== a store that has forgotten the second of two writes
--- steps
my $redis = $ENV{TEST_NGINX_REDIS_PORT} or return pass('Redis may');

my $v = op('p', 'peek', key => 'k')->{version};
op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v, lease => 60000);

my ($key) = grep { /k\}$/ } @{ redis($redis, 'KEYS', '*') };
my $old = redis($redis, 'GET', $key);

op('b', 'begin', key => 'k', base => $v, lease => 60000, report => 1);

# as in a replica that was behind, with a life of its own

my ($life) = grep { /incarnation$/ } @{ redis($redis, 'KEYS', '*') };
my @life = split ' ', redis($redis, 'GET', $life);

redis($redis, 'SET', $key, $old);
redis($redis, 'SET', $life, "$life[0] fedcba9876543210 1 $life[3]");

op('b', 'renew');
op('a', 'commit');

isnt(op('p', 'peek', key => 'k')->{state}, 'free', 'it is in flight');


=== a late cancel takes nothing from others
--- steps
op('p', 'peek', key => 'k');
op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', lease => 100, quarantine => 100);
until_true { op('p', 'peek', key => 'k')->{state} eq 'unknown' };
op('b', 'begin', key => 'k');
op('a', 'cancel');
is(op('p', 'peek', key => 'k')->{state}, 'leased', 'the lease of the other');


=== observe settles what is unknown
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');
is(op('b', 'begin', key => 'k', base => $v)->{verdict}, 'fetch', 'unknown');

my $r = op('b', 'observe', existence => 2);
is($r->{applied}, 0, 'a client\'s read that shows nothing settles nothing');

$r = op('b', 'observe', body => 7);
is($r->{applied}, 0, 'nor does one that shows the resource');
$r = op('b', 'observe', latest => 1, body => 7);
is($r->{applied}, 1, 'a GET of our own does');
is($r->{version}, $v, 'an unchanged body keeps the version');

op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');
op('b', 'begin', key => 'k', base => $v);
$r = op('b', 'observe', latest => 1, body => 8);
cmp_ok($r->{version}, '>', $v, 'a changed one gets a new version');
is(op('b', 'begin', fresh => 1)->{verdict}, 'refuse', 'then it is stale');


=== a lease for the GET that determines the version
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');

my $r = op('b', 'begin', key => 'k', base => $v, lookup => 1);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'leased');
cmp_ok($r->{fence}, '>', $v, 'with a fence');
is(op('c', 'begin', key => 'k')->{verdict}, 'wait', 'so no other write begins');
is(op('d', 'begin', key => 'k', base => $v, lookup => 1)->{leased}, 0,
   'nor another lookup');

my $fence = $r->{fence};
$r = op('b', 'observe', latest => 1, body => 7);
is("$r->{applied} $r->{version}", "1 $v", 'the same body: the same version');
cmp_ok($r->{fence}, '>', $fence, 'and a higher fence');
is(op('c', 'begin')->{verdict}, 'wait', 'the lease lasts');

$fence = $r->{fence};
$r = op('b', 'begin', base => $v, lookup => 1, fresh => 1);
is("$r->{verdict} $r->{leased}", 'pass 1', 'it may write');
is($r->{fence}, $fence, 'by this fence');
is(op('b', 'commit')->{version}, $fence, 'which is its version');
is(op('c', 'begin')->{verdict}, 'pass', 'then others may');
op('c', 'abandon');

# stale

$r = op('b', 'begin', key => 'k', base => $v, lookup => 1);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'unknown again');
$r = op('b', 'observe', latest => 1, body => 8);

my $w = $r->{version};

cmp_ok($w, '>', $fence, 'another body: another version');
cmp_ok($r->{fence}, '>', $w, 'which the next write does not have');
$r = op('b', 'begin', base => $v, lookup => 1, fresh => 1);
is("$r->{verdict} $r->{leased}", 'refuse 1', 'refused, with the lease');
op('b', 'cancel');

$r = op('p', 'peek', key => 'k');
is("$r->{state} $r->{version}", "free $w", 'what the GET has shown is known');
is(op('c', 'begin', key => 'k', base => $w)->{verdict}, 'pass', 'a good base');
op('c', 'abandon');

# the GET has failed

$r = op('b', 'begin', key => 'k', base => $w, lookup => 1);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'unknown');
op('b', 'cancel');
is(op('c', 'begin', key => 'k', base => $w)->{verdict}, 'fetch', 'still');

# it is the upstream's version, which a write may leave as it was

op('b', 'begin', key => 'o', base => 5, minted => 0, lookup => 1);
is(op('b', 'observe', latest => 1, version => 5, minted => 0)->{version}, 5,
   'an owned one');
is(op('b', 'begin', base => 5, minted => 0, lookup => 1, fresh => 1)->{verdict},
   'pass', 'is a good base');
op('b', 'abandon', minted => 0);

# of a deleted resource

op('b', 'begin', key => 'o', base => 5, minted => 0, lookup => 1);
$r = op('b', 'observe', latest => 1, existence => 2, minted => 0);
is($r->{applied}, 1, 'deleted');
$v = $r->{version};
$r = op('b', 'begin', base => 5, minted => 0, lookup => 1, fresh => 1);
is($r->{verdict}, 'refuse', 'stale');
op('b', 'cancel');
$r = op('c', 'begin', key => 'o', minted => 0);
isnt(op('c', 'commit', existence => 2, minted => 0)->{version}, $v,
     'a second DELETE has a version of its own');


=== a lookup that does not have the resource for itself proves nothing
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v, lease => 50, quarantine => 50);

my $r;
until_true { $r = op('b', 'begin', key => 'k', base => $v, lookup => 1,
                     lease => 10000);
             $r->{leased} };
is($r->{verdict}, 'fetch', 'a write is forgotten');

# it has not landed before now

op('a', 'abandon');

$r = op('b', 'observe', latest => 1, body => 7);
is($r->{applied}, 0, 'what the GET has shown may be from before');
$r = op('b', 'begin', base => $v, lookup => 1);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'so there has to be another');
op('b', 'cancel');

until_true { op('p', 'peek', key => 'k', view => 3)->{state} eq 'free' };
$v = op('p', 'peek', key => 'k')->{version};
op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');

# a lease that has expired

$r = op('b', 'begin', key => 'k', base => $v, lookup => 1, lease => 50,
        quarantine => 50);
is($r->{leased}, 1, 'another lookup');
until_true { $r = op('c', 'begin', key => 'k', lease => 10000); $r->{leased} };
is($r->{verdict}, 'pass', 'is too late: a write has begun');
is(op('b', 'observe', latest => 1, body => 7)->{applied}, 0, 'so it is void');
$r = op('b', 'begin', base => $v, lookup => 1);
is("$r->{verdict} $r->{leased}", 'wait 0', 'and has no lease');
is(op('c', 'commit')->{applied}, 1, 'the write is not concerned');


=== each GET of a lookup has the whole lease
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v, lease => 50, quarantine => 50);

my $r;
until_true { $r = op('b', 'begin', key => 'k', base => $v, lookup => 1,
                     lease => 1000);
             $r->{leased} };

for (1 .. 3) {
    op('a', 'abandon');
    select undef, undef, undef, 0.5;

    $r = op('b', 'begin', base => $v, lookup => 1, lease => 1000);
    is("$r->{verdict} $r->{leased}", 'fetch 1', 'another GET');
}

is(op('p', 'peek', key => 'k', view => 3)->{state}, 'leased', 'is leased');


=== a link of a chain, and an edit with a time, under the lease of a lookup
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my @chain = (chain => 77, began => $v);
my @lookup = (key => 'k', lookup => 1);

op('l', 'begin', key => 'k', base => $v, @chain, n => 1);
op('l', 'commit', @chain, n => 1);
op('p', 'peek', key => 'k');
op('p', 'observe', body => 7);
op('l', 'begin', key => 'k', base => $v, @chain, n => 2);
op('l', 'abandon');

my $r = op('l', 'begin', @lookup, base => $v, @chain, n => 2);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'unknown');
op('l', 'observe', latest => 1, body => 7);
$r = op('l', 'begin', base => $v, @chain, n => 2, lookup => 1, fresh => 1);
is($r->{verdict}, 'pass', 'nothing has changed: the next link');
op('l', 'commit', @chain, n => 2);
is(op('l', 'begin', key => 'k', base => $v, @chain, n => 3)->{verdict}, 'pass',
   'and the one behind it');
op('l', 'cancel');

# edits at 1000 and 3000; that at 2000 is dropped

my $edit = sub {
    my ($name, $time, @more) = @_;
    return op($name, 'begin', policy => 5, edits => 1, edit => $time, tie => 1,
              skew => 1000, @more);
};

op('a', 'begin', key => 'e', policy => 0);
op('a', 'abandon');

$r = $edit->('b', 1000, key => 'e', lookup => 1);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'an edit');
op('b', 'observe', latest => 1, existence => 1, edits => 1, mtime => 500);
$r = $edit->('b', 1000, lookup => 1, fresh => 1);
is("$r->{verdict} $r->{leased}", 'pass 1', 'passes');
op('b', 'commit', edits => 1, mtime => 4000);

$edit->('a', 3000, key => 'e');
op('a', 'abandon', edits => 1);

$r = $edit->('b', 2000, key => 'e', lookup => 1);
is("$r->{verdict} $r->{leased}", 'fetch 1', 'an edit of unknown outcome');
op('b', 'observe', latest => 1, edits => 1);
$r = $edit->('b', 2000, lookup => 1, fresh => 1);
is("$r->{verdict} $r->{leased}", 'drop 1', 'may be later');
op('b', 'cancel', edits => 1);
is($edit->('c', 2500, key => 'e')->{verdict}, 'drop', 'also afterwards');
is($edit->('c', 3500, key => 'e')->{verdict}, 'pass', 'but not than this');


=== a lookup that comes to nothing forgets no write before it
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my @lookup = (key => 'k', base => $v, lookup => 1);

op('p', 'observe', body => 7);
op('a', 'begin', key => 'k', base => $v, fp => 77);
op('a', 'abandon');

is(op('b', 'begin', @lookup, fp => 88)->{leased}, 1, 'another looks it up');
op('b', 'cancel');

is(op('c', 'begin', @lookup)->{verdict}, 'fetch', 'it is still unknown');
op('c', 'observe', latest => 1, body => 8);
is(op('c', 'begin', base => $v, lookup => 1, fresh => 1)->{verdict}, 'refuse',
   'one with another body is stale');
op('c', 'cancel');
is(op('a', 'begin', key => 'k', base => $v, fp => 77)->{verdict}, 'verify',
   'a retry is known as such');

# an edit at 3000

my $edit = sub {
    my ($name, $time, @more) = @_;
    return op($name, 'begin', policy => 5, edits => 1, edit => $time, tie => 1,
              skew => 1000, @more);
};

$edit->('b', 1000, key => 'e', lookup => 1);
op('b', 'observe', latest => 1, existence => 1, edits => 1, mtime => 500);
$edit->('b', 1000, lookup => 1, fresh => 1);
op('b', 'commit', edits => 1, mtime => 4000);

$edit->('a', 3000, key => 'e');
op('a', 'abandon', edits => 1);

is($edit->('b', 2000, key => 'e', lookup => 1)->{leased}, 1,
   'an edit of unknown outcome');
op('b', 'cancel', edits => 1);

is($edit->('c', 2500, key => 'e')->{verdict}, 'fetch', 'it is still unknown');
op('c', 'observe', latest => 1, edits => 1);
is($edit->('c', 2500, fresh => 1)->{verdict}, 'drop', 'and not overwritten');


=== a body proves something only of the view that it was shown in
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
op('q', 'peek', key => 'k', view => 2);
op('q', 'observe', body => 8, view => 2);

op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');
op('b', 'begin', key => 'k', base => $v, view => 2);
my $r = op('b', 'observe', latest => 1, body => 8, view => 2);
cmp_ok($r->{version}, '>', $v, 'not of what another view was shown');

# of the same view as the read, but not as the write

$v = $r->{version};
op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');
op('b', 'begin', key => 'k', base => $v, view => 2);
$r = op('b', 'observe', latest => 1, body => 8, view => 2);
cmp_ok($r->{version}, '>', $v, 'nor of what the write may have changed');

# two writes, the second of another view

$v = $r->{version};
op('a', 'begin', key => 'k', base => $v, view => 2);
op('a', 'abandon', view => 2);
op('c', 'begin', key => 'k', policy => 1, view => 3);
op('c', 'abandon', view => 3);
op('b', 'begin', key => 'k', base => $v, view => 2);
$r = op('b', 'observe', latest => 1, body => 8, view => 2);
cmp_ok($r->{version}, '>', $v, 'nor beside a write of a third one');

# all of one view

$v = $r->{version};
op('a', 'begin', key => 'k', base => $v, view => 2);
op('a', 'abandon', view => 2);
is(op('p', 'peek', key => 'k', view => 2)->{state}, 'unknown',
   'only a GET can tell');
op('b', 'begin', key => 'k', base => $v, view => 2);
$r = op('b', 'observe', latest => 1, body => 8, view => 2);
is($r->{version}, $v, 'the same view, the same body, the same version');

# a read of another view ends it at once, under a new version

op('a', 'begin', key => 'k', base => $v, view => 2);
op('a', 'abandon', view => 2);
$r = op('p', 'peek', key => 'k', view => 1);
is($r->{state}, 'free', 'it has one read to wait for');
cmp_ok($r->{version}, '>', $v, 'and a new version');

# what ends a write in another way than its begin: a word of somebody

op('p', 'observe', body => 7);
$v = $r->{version};
op('x', 'begin', key => 'k2');
op('x', 'cancel');
op('u', 'peek', key => 'k', view => 5);
op('u', 'abandon', fence => 0, view => 5);
op('b', 'begin', key => 'k', base => $v);
$r = op('b', 'observe', latest => 1, body => 7);
cmp_ok($r->{version}, '>', $v, 'an unchecked write of another view');


=== observe after something else has happened changes nothing
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('a', 'begin', key => 'k', base => $v);
op('a', 'abandon');
op('b', 'begin', key => 'k', base => $v);

# another write comes between the GET and what it shows

my $fence = op('c', 'begin', key => 'k')->{fence};

is(op('b', 'observe', latest => 1, body => 7)->{applied}, 0, 'in flight');
op('c', 'commit');
is(op('b', 'observe', latest => 1, body => 7)->{applied}, 0, 'committed');
is(op('p', 'peek', key => 'k')->{version}, $fence, 'the commit stands');


=== a resource that is deleted
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('a', 'begin', key => 'k', base => $v);
op('a', 'commit', existence => 2);

my $r = op('b', 'begin', key => 'k', base => $v);

is($r->{verdict}, 'refuse', 'stale');
is($r->{existence}, 2, 'deleted');
is(op('c', 'begin', key => 'k', kinds => 0x20)->{verdict}, 'fetch',
   'If-None-Match: * is asked of the upstream');
is(op('c', 'begin', key => 'k', kinds => 0x20, fresh => 1)->{verdict}, 'pass',
   'and then it passes');


=== existence that nobody knows
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

is(op('a', 'begin', key => 'k', kinds => 4)->{verdict}, 'fetch',
   'If-Match: *');
op('a', 'observe', latest => 1, existence => 1, body => 7);
is(op('a', 'begin', key => 'k', kinds => 4)->{verdict}, 'pass', 'it exists');
op('a', 'cancel');
is(op('p', 'peek', key => 'k')->{version}, $v, 'the version did not change');


=== the same write again
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('a', 'begin', key => 'k', base => $v, fp => 77);
op('a', 'commit');
is(op('b', 'begin', key => 'k', base => $v, fp => 77)->{verdict}, 'replay',
   'a replay');
is(op('b', 'begin', key => 'k', base => $v, fp => 78)->{verdict}, 'refuse',
   'another write is none');
op('c', 'begin', key => 'k', fp => 79);
op('c', 'commit');
is(op('b', 'begin', key => 'k', base => $v, fp => 77)->{verdict}, 'refuse',
   'nor is one after which others came');

my $w = op('p', 'peek', key => 'k')->{version};

op('d', 'begin', key => 'k', base => $w, fp => 80);
op('d', 'abandon');
op('e', 'begin', key => 'k', base => $w, fp => 80);
op('e', 'observe', latest => 1, body => 9);
is(op('e', 'begin', fresh => 1)->{verdict}, 'refuse',
   'one of which nobody can tell if it has changed anything is stale');

$w = op('p', 'peek', key => 'k')->{version};

for my $body (9, 10) {
    op('d', 'begin', key => 'k', base => $w, fp => 81);
    op('d', 'abandon');
    op('e', 'begin', key => 'k', base => $w, fp => 81);
    op('e', 'observe', latest => 1, body => $body);
    is(op('e', 'begin', fresh => 1)->{verdict},
       $body == 9 ? 'pass' : 'verify',
       $body == 9 ? 'where nothing has changed it was not done'
                  : 'where something has, it must be looked for');
    op('e', 'cancel') if $body == 9;
}


=== a base from the future
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);
is(op('a', 'begin', key => 'k', base => $v + 1000000)->{verdict}, 'fetch',
   'this store may have forgotten something');
is(op('b', 'begin', key => 'k', base => $v)->{verdict}, 'pass',
   'a word of somebody changes nothing');
op('b', 'cancel');

my $r = op('a', 'begin');
is($r->{verdict}, 'fetch', 'a GET must tell');
op('a', 'observe', latest => 1, body => 7);
is(op('p', 'peek', key => 'k')->{version}, $v, 'what is known stays');
is(op('a', 'begin', fresh => 1)->{verdict}, 'refuse', 'it is not current');

op('c', 'begin', key => 'k', base => $v + 1000000);
op('c', 'observe', latest => 1, body => 8);
cmp_ok(op('p', 'peek', key => 'k')->{version}, '>', $v,
       'or it was forgotten, and is told by the body');


=== versions that the upstream owns
--- steps
my %own = (key => 'k', minted => 0);

is(op('p', 'peek', %own)->{version}, 0, 'none is known');
is(op('p', 'observe', version => 3)->{applied}, 0, 'a read says nothing');

my $r = op('a', 'begin', %own, base => 3);

is($r->{verdict}, 'fetch', 'a GET of our own must');
is(op('a', 'observe', version => 3, latest => 1)->{version}, 3, 'it does');
is(op('a', 'begin', %own, base => 3, fresh => 1)->{verdict}, 'pass',
   'a base on it');
op('a', 'commit', version => 4);
is(op('q', 'peek', %own)->{version}, 4, 'its next');

$r = op('q', 'observe', version => 3);
is($r->{applied}, 0, 'an old one, from a replica that lags behind');
is(op('q', 'peek', %own)->{state}, 'free', 'changes nothing');

$r = op('q', 'observe', version => 6);
is($r->{external}, 1, 'a new one was made behind us');
is(op('q', 'peek', %own)->{version}, 4, 'but is not believed');
is(op('b', 'begin', %own, base => 4)->{verdict}, 'fetch', 'before a GET');
$r = op('b', 'observe', version => 6, latest => 1);
is("$r->{external} $r->{version}", '0 6', 'which is not told twice');
is(op('b', 'begin', %own, base => 4, fresh => 1)->{verdict}, 'refuse',
   'then the old one is stale');

# versions without an order

my $opaque = 9223372036854775808;

op('b', 'begin', %own, base => 6, fresh => 1);
op('b', 'commit', version => $opaque + 5);
op('q', 'peek', %own);
$r = op('q', 'observe', version => $opaque + 4);
is("$r->{applied} $r->{external}", '1 0', 'an older or a newer one');
is(op('c', 'begin', %own, base => $opaque + 5)->{verdict}, 'fetch',
   'a GET must tell');
$r = op('c', 'observe', version => $opaque + 5, latest => 1);
is("$r->{external} $r->{version}", '0 ' . ($opaque + 5), 'it was an older');

op('q', 'peek', %own);
op('q', 'observe', version => $opaque + 6);
op('c', 'begin', %own, base => $opaque + 5);
$r = op('c', 'observe', version => $opaque + 6, latest => 1);
is("$r->{external} $r->{version}", '1 ' . ($opaque + 6), 'or a newer');


=== force and report
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('a', 'begin', key => 'k', base => $v, quarantine => 300);

my $r = op('b', 'begin', key => 'k', policy => 1, base => $v, force => 1,
           quarantine => 300);

is($r->{verdict}, 'overwrite', 'force lets it pass');
op('a', 'commit');
op('b', 'commit');
is(op('p', 'peek', key => 'k')->{state}, 'quarantined', 'they overlapped');

$r = op('c', 'begin', key => 'k2', base => 1, report => 1);
is($r->{verdict}, 'fetch', 'report asks for a GET as well');
is($r->{leased}, 0, 'before it takes the lease');
op('c', 'observe', latest => 1, body => 7);
$r = op('c', 'begin', fresh => 1, report => 1);
is($r->{verdict}, 'refuse', 'it tells the verdict');
is($r->{leased}, 1, 'and takes the lease in any case');


=== 64 keys do not disturb each other
--- steps
my %v = map { $_ => op('p', 'peek', key => "k$_")->{version} } 1 .. 64;

for (grep { $_ % 2 } 1 .. 64) {
    op('a', 'begin', key => "k$_", base => $v{$_});
    op('a', 'commit');
}

is(scalar(grep { my $w = op('p', 'peek', key => "k$_")->{version};
                 $_ % 2 ? $w <= $v{$_} : $w != $v{$_} } 1 .. 64), 0,
   'each has its own version');


=== merge: stale is to be combined, under a lease
--- steps
my $v = op('p', 'peek', key => 'k')->{version};

op('p', 'observe', body => 7);

my $r = op('a', 'begin', key => 'k', policy => 4, base => $v);
is($r->{verdict}, 'pass', 'a current base');
op('a', 'commit');

$r = op('b', 'begin', key => 'k', policy => 4, base => $v, fp => 5);
is($r->{verdict}, 'combine', 'a stale one');
is($r->{leased}, 1, 'nobody writes meanwhile');
is($r->{version}, op('p', 'peek', key => 'k')->{version}, 'its version');
op('b', 'commit');

is(op('c', 'begin', key => 'k', policy => 4, base => $v, fp => 5)->{verdict},
   'replay', 'the same again, which has passed');

op('d', 'begin', key => 'k', policy => 4, base => $v, fp => 6);
op('d', 'abandon');
op('d', 'begin', key => 'k', policy => 4, base => $v, fp => 6);
op('d', 'observe', latest => 1, body => 9);

my $e = op('d', 'begin', policy => 4, fresh => 1);
is($e->{verdict}, 'combine', 'again, of which nobody knows: the history may');
op('d', 'cancel');


=== the history holds what was kept, by version and by write
--- steps
my %on = (rows => 3);
my $v = op('p', 'peek', key => 'k', %on)->{version};

is(op('p', 'peek')->{held}, 0, 'nothing yet');
op('p', 'keep', row => $v, text => 'one', read => 1, shown => 1);

my $r = op('q', 'peek', key => 'k', %on);
is($r->{held}, 1, 'a read has shown it');

op('q', 'keep', row => $v, text => 'two', read => 1, shown => 1);
$r = op('a', 'recall', key => 'k', base => $v, %on);
is($r->{held}, 1, 'it is held');
is($r->{base_body}, 'one', 'the first body of a version stays');
is($r->{repeat}, 0, 'it is of no write');

op('w', 'begin', key => 'k', base => $v, fp => 12, %on);

my $fence = op('w', 'commit')->{fence};

op('w', 'keep', row => $fence, text => 'made', certain => 0);

$r = op('a', 'recall', key => 'k', base => $v, fp => 12, %on);
is("$r->{repeat} $r->{certain} $r->{made_body} $r->{base_body}",
   '1 0 made one', 'by its fingerprint');

op('w', 'keep', row => $fence, text => 'other', certain => 1);
$r = op('a', 'recall', key => 'k', base => 1, fp => 12, %on);
is("$r->{repeat} $r->{certain} $r->{made_body} $r->{held}", '1 1 made 0',
   'now it is certain');

op('w', 'peek', key => 'k', %on);
is(op('w', 'peek')->{held}, 0, 'nobody was shown it');
op('x', 'keep', key => 'k', row => $fence, text => 'shown', shown => 1, %on);
is(op('w', 'peek')->{held}, 1, 'until somebody was');
$r = op('a', 'recall', key => 'k', base => 1, fp => 12, %on);
is("$r->{repeat} $r->{certain} $r->{made_body}", '1 1 shown',
   'which takes the place of what was sent');

op('y', 'keep', key => 'k', row => 7, fp => 14, certain => 1, %on);
op('y', 'keep', key => 'k', row => 7, text => 'answer', %on);
op('y', 'keep', key => 'k', row => 7, text => 'another', %on);
$r = op('a', 'recall', key => 'k', base => 7, fp => 14, %on);
is("$r->{repeat} $r->{certain} $r->{made_body} $r->{base_body}",
   '1 1 answer answer', 'no body gives way to one, and that to none but it');

is(op('a', 'recall', key => 'k', base => $v, fp => 13, %on)->{repeat}, 0,
   'another write is another');
is(op('a', 'recall', key => 'k2', base => $v, %on)->{held}, 0,
   'another resource has its own');


=== a read's body is kept only if nothing has begun since
--- steps
my %on = (rows => 3);
my $v = op('p', 'peek', key => 'k', %on)->{version};

op('a', 'begin', key => 'k', base => $v);
op('p', 'keep', row => $v, text => 'torn', read => 1);
is(op('b', 'recall', key => 'k', base => $v, %on)->{held}, 0, 'in flight');

op('a', 'commit');
op('p', 'keep', row => $v, text => 'late', read => 1);
is(op('b', 'recall', key => 'k', base => $v, %on)->{held}, 0, 'committed');

my $w = op('p', 'peek', key => 'k', %on)->{version};
op('p', 'keep', row => $w, text => 'new', read => 1);
is(op('b', 'recall', key => 'k', base => $w, %on)->{base_body}, 'new', 'calm');


=== a version that a read has shown with another body is no base
--- steps
my %on = (rows => 8);
my %shown = (read => 1, shown => 1);
my $v = op('p', 'peek', key => 'k', %on)->{version};

my $base = sub {
    my $r = op('r', 'recall', key => 'k', base => $v, view => $_[0] || 1, %on);
    return "$r->{held} $r->{base_body}";
};

op('p', 'keep', row => $v, text => 'one', %shown);
op('p', 'keep', row => $v, text => 'one', view => 2, %shown);

op('p', 'keep', row => $v, hashed => 'two', %shown);
is($base->(), '1 one', 'nothing has changed');

op('a', 'begin', key => 'k', base => $v);
op('p', 'keep', row => $v, hashed => 'one', %shown);
is($base->(), '1 one', 'the same, beside a write');
op('p', 'keep', row => $v, hashed => 'two', view => 3, %shown);
is($base->(), '1 one', 'another, to another view');

op('p', 'keep', row => $v, hashed => 'two', %shown);
is($base->(), '0 ', 'another, beside a write');
is($base->(2), '1 one', 'the other view has its own');
is(op('q', 'peek', key => 'k', %on)->{held}, 0, 'nor is it held');

op('p', 'keep', row => $v, view => 2, %shown);
is($base->(2), '0 ', 'one that is not known');

# what was read while the write was in flight, as to the version

op('a', 'cancel');
op('q', 'peek', key => 'k', %on);
op('q', 'keep', row => $v, text => 'one', %shown);
is($base->(), '1 one', 'a calm read shows it again');
op('q', 'keep', row => $v, hashed => 'two', torn => 1, %shown);
is($base->(), '0 ', 'one that is torn, whatever has changed');

op('q', 'keep', row => $v, text => 'one', %shown);
op('b', 'begin', key => 'k', base => $v);
op('b', 'commit');
op('q', 'keep', row => $v, text => 'two', %shown);
is($base->(), '0 ', 'a body that would have been kept');

# what a write has sent stays, for its retries, and comes twice perhaps

$v = op('p', 'peek', key => 'k', %on)->{version};

my $fence = op('w', 'begin', key => 'k', base => $v, fp => 12, %on)->{fence};
op('w', 'keep', row => $fence, text => 'sent', certain => 1);
op('w', 'commit');

$v = op('p', 'peek', key => 'k', %on)->{version};
is($v, $fence, 'a write');
op('b', 'begin', key => 'k', base => $v);
op('p', 'keep', row => $v, hashed => 'two', %shown);

my $r = op('r', 'recall', key => 'k', base => $v, fp => 12, %on);
is("$r->{held} $r->{repeat} $r->{certain} $r->{made_body}", '0 1 1 sent',
   'as a base it is gone');
op('w', 'keep', row => $fence, text => 'sent', certain => 1);
is($base->(), '0 ', 'and does not come back');
op('w', 'keep', row => $fence, text => 'answer', certain => 1, %shown);
is($base->(), '0 ', 'nor as what it was answered with');
op('b', 'commit');


=== the history has bounds: bodies, bytes, time
--- steps
my %on = (key => 'k', rows => 3, bytes => 10);

op('a', 'keep', %on, row => $_, text => "b$_") for 1 .. 5;

my $held = sub {
    return join ' ', grep { op('r', 'recall', %on, base => $_)->{held} } @_;
};

is($held->(1 .. 5), '3 4 5', 'the newest of them');

op('a', 'keep', %on, row => 6, text => 'sixsix');
is($held->(1 .. 6), '4 5 6', 'by count');
op('a', 'keep', %on, row => 7, text => 'seven77');
is($held->(1 .. 7), '7', 'by bytes');
op('a', 'keep', %on, row => 8, text => 'longer-than-they-all');
is($held->(1 .. 8), '8', 'one that alone is more');

$on{ttl} = 1000;
op('a', 'keep', %on, row => 9, text => 'nine');
until_true { $held->(9) eq '' };
is($held->(8, 9), '', 'by time');


=== the history of many resources is bounded as a whole
--- steps
SKIP: {
    skip 'Redis has a bound of its own', 2 if store('tested') =~ /redis/;

    my $text = 'x' x 3000;
    my %on = (rows => 8, bytes => 1000000);

    op('a', 'keep', %on, key => "k$_", row => 1, text => $text) for 1 .. 300;

    is(op('r', 'recall', %on, key => 'k300', base => 1)->{base_body}, $text,
       'the newest');
    is(op('r', 'recall', %on, key => 'k1', base => 1)->{held}, 0,
       'the oldest made room for it');
}


=== the note of one that waits, and a reservation, expire
--- steps
my %k = (key => 'k');
my ($show, $release) = (0, 2);

is(op('a', 'lock', %k, user => 'ann')->{lock}, 'granted', 'held');
is(op('b', 'lock', %k, user => 'bob', note => 60000)->{lock}, 'held', 'one waits');
is(op('c', 'lock', %k, user => 'eve', note => 200)->{lock}, 'held', 'another');

my $r;

until_true { ($r = op('a', 'lock', %k, user => 'ann',
                      verb => $show))->{waiting} == 1 };
is($r->{waiting}, 1, 'the note of one expires');

$r = op('a', 'lock', %k, user => 'ann', verb => $release, reserve => 300);
is($r->{lock}, 'handed', 'handed over');

until_true { ($r = op('c', 'lock', %k, user => 'eve'))->{lock} ne 'held' };
is($r->{lock}, 'granted', 'and so does the reservation');
is($r->{waiting}, 0, 'with its notes');


=== a lock: one holds it, and what he may
--- steps
my %k = (key => 'k');
my ($show, $release) = (0, 2);

is(op('a', 'lock', %k, verb => $show)->{lock}, 'none', 'nobody');

my $r = op('a', 'lock', %k, user => 'ann', client => 'x', fresh_token => 7);
is("$r->{lock} $r->{holder} $r->{origin}", 'granted ann x', 'ann');
cmp_ok($r->{left}, '<=', 60000, 'for so long');
cmp_ok($r->{left}, '>', 50000, 'indeed');

$r = op('b', 'lock', %k, user => 'bob', fresh_token => 8);
is("$r->{lock} $r->{holder} $r->{origin}", 'held ann x', 'bob does not');
is(op('b', 'lock', %k, user => 'bob', verb => $show)->{lock}, 'held', 'sees');
is(op('b', 'lock', %k, user => 'ann', verb => $show)->{lock}, 'own', 'she, too');
is(op('b', 'lock', %k, verb => $show)->{lock}, 'held', 'nobody is not her');
is(op('b', 'lock', %k, token => 7, verb => $show)->{lock}, 'own', 'her token');
is(op('b', 'lock', %k, token => 9, verb => $show)->{lock}, 'held', 'another');

# it comes before all else that begin looks at

is(op('w', 'begin', %k, user => 'bob')->{verdict}, 'locked', 'a write of his');
is(op('w', 'begin', %k, user => 'bob')->{leased}, 0, 'has no lease');
is(op('w', 'begin', %k, user => 'bob', policy => 0)->{verdict}, 'locked',
   'with lww, too');
$r = op('w', 'begin', %k, user => 'bob', report => 1);
is("$r->{verdict} $r->{leased} $r->{holder}", 'locked 1 ann', 'report');
op('w', 'cancel');

$r = op('w', 'begin', %k, user => 'ann');
is("$r->{verdict} $r->{leased}", 'pass 1', 'a write of hers');
op('w', 'commit');
is(op('w', 'begin', %k, token => 7)->{verdict}, 'pass', 'by the token');
op('w', 'commit');
is(op('w', 'begin', %k, token => 7, base => 5)->{verdict}, 'refuse',
   'a stale one is stale');

# the version with it

my $v = op('p', 'peek', %k)->{version};
$r = op('a', 'lock', %k, token => 7);
is("$r->{lock} $r->{state} $r->{version}", "own free $v", 'renewed');

$r = op('a', 'lock', %k, user => 'ann', client => 'y', fresh_token => 6);
is("$r->{lock} $r->{origin}", 'taken x', 'taken over from x');
$r = op('a', 'lock', %k, verb => $show);
is("$r->{holder} $r->{origin}", 'ann y', 'by y');
is(op('a', 'lock', %k, token => 7)->{lock}, 'held', 'with another token');

is(op('b', 'lock', %k, user => 'bob', verb => $release)->{lock}, 'held',
   'not to be released by him');
is(op('a', 'lock', %k, user => 'ann', verb => $release)->{lock}, 'released',
   'but by her');
is(op('a', 'lock', %k, user => 'ann', verb => $release)->{lock}, 'none',
   'once');
is(op('w', 'begin', %k, user => 'bob')->{verdict}, 'pass', 'his turn');
op('w', 'commit');

op('b', 'lock', %k, user => 'bob');
is(op('a', 'lock', %k, user => 'ann', verb => $release, forced => 1)->{lock},
   'forced', 'by force');
is(op('a', 'lock', %k, verb => $show)->{lock}, 'none', 'gone');


=== a lock ends by time, which writes of its holder begin anew
--- steps
my %k = (key => 'k');

op('a', 'lock', %k, user => 'ann', idle => 600000);

# how much time is left: less than before, unless it was begun anew

my $left = sub { op('a', 'lock', %k, verb => 0)->{left} };

ok(until_true {
    until_true { $left->() < 599900 };
    my $before = $left->();
    op('w', 'begin', %k, user => 'ann');
    op('w', 'commit');
    $left->() > $before;
}, 'after a write');

my $before = $left->();
op('w', 'begin', %k, user => 'bob');
op('p', 'peek', %k);
cmp_ok($left->(), '<=', $before, 'not after a read, or a write of another');

op('a', 'lock', %k, user => 'ann', verb => 2);
op('a', 'lock', %k, user => 'ann', idle => 200);
until_true { op('w', 'begin', %k, user => 'bob')->{verdict} eq 'pass' };
op('w', 'commit');
is(op('b', 'lock', %k, user => 'bob')->{lock}, 'granted', 'then it ends');


=== the locks of a user are counted
--- steps
my %on = (user => 'ann', quota => 2, idle => 600000);

is(op('a', 'lock', key => 'k1', %on)->{lock}, 'granted', 'one');
is(op('a', 'lock', key => 'k2', %on)->{lock}, 'granted', 'two');
is(op('a', 'lock', key => 'k3', %on)->{lock}, 'too_many', 'three');
is(op('a', 'lock', key => 'k3', verb => 0)->{lock}, 'none', 'is not held');
is(op('a', 'lock', key => 'k3', user => 'bob', quota => 2)->{lock}, 'granted',
   'bob has his own');
is(op('a', 'lock', key => 'k3', %on)->{lock}, 'held', 'his');

op('a', 'lock', key => 'k1', %on, verb => 2);
is(op('a', 'lock', key => 'k4', %on, idle => 200)->{lock}, 'granted',
   'one for another');

until_true { op('a', 'lock', key => 'k1', %on)->{lock} eq 'granted' };
is(op('a', 'lock', key => 'k1', verb => 0)->{holder}, 'ann', 'or after its end');


=== locks do not go for entries, nor entries for all of them
--- steps
SKIP: {
    skip 'Redis has a bound of its own', 5 if store('tested') =~ /redis/;

    my ($n, $r) = (0);

    op('a', 'lock', key => 'first', user => 'ann', idle => 600000);
    op('p', 'peek', key => "e$_") for 1 .. 10000;

    is(op('a', 'lock', key => 'first', verb => 0)->{holder}, 'ann',
       'a full zone forgets no lock');
    is(op('w', 'begin', key => 'first', user => 'bob')->{verdict}, 'locked',
       'nor lets anybody past it');

    $n++ while $n < 2000
               && ($r = op('a', 'lock', key => "l$n", user => "u$n",
                           idle => 600000))->{lock} eq 'granted';

    cmp_ok($n, '>', 500, 'as many as a quarter of it holds');
    is("$r->{error} $r->{log}", 'full 1', 'and no more');
    is(op('p', 'peek', key => 'another')->{state}, 'free', 'entries go on');
}



=== report and a lock over a write that nobody knows the end of
--- steps
for my $way ('abandon', 'lease') {
    my %k = (key => $way);
    my $v = op('p', 'peek', %k)->{version};

    is(op("a$way", 'begin', %k, base => $v, lease => 5000)->{leased}, 1,
       "$way: a write");
    op("a$way", 'abandon', quarantine => 5000) if $way eq 'abandon';

    op('l', 'lock', %k, user => 'ann');

    my $r = op('w', 'begin', %k, user => 'bob', report => 1);

    is($r->{verdict}, 'locked', "$way: locked");
    is($r->{leased}, 1, "$way: in report mode it passes");
    isnt($r->{state}, 'free', "$way: over the other");

    op('w', 'cancel');
    isnt(op('p', 'peek', %k)->{version}, $v,
         "$way: nobody can tell whether it is still this version");
}


=== a link of a chain holds on the links before it
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my @chain = (chain => 77, began => $v);

# all on one base: each is current, whatever that is by now

for my $n (1, 2, 5) {
    my $r = op('a', 'begin', key => 'k', base => $v, @chain, n => $n);

    is($r->{verdict}, 'pass', "link $n");
    op('a', 'commit', @chain, n => $n);
}

my $now = op('p', 'peek', key => 'k')->{version};

for my $n (1, 4, 5) {
    my $r = op('b', 'begin', key => 'k', base => $v, @chain, n => $n);

    is($r->{verdict}, 'refuse', "link $n comes late");
    is($r->{header}, 0, 'by no header of HTTP');

    is(op('b', 'begin', key => 'k', base => $v, @chain, n => $n, policy => 4)
       ->{verdict}, 'refuse', 'nor is it merged');
}

is(op('b', 'begin', key => 'k', base => $v, chain => 78, began => $v, n => 6)
   ->{verdict}, 'refuse', 'of another chain');
is(op('b', 'begin', key => 'k', base => $v)->{verdict}, 'refuse',
   'of no chain');

# what was not done is no link

is(op('a', 'begin', key => 'k', base => $v, @chain, n => 6)->{verdict},
   'pass', 'link 6');
is(op('b', 'begin', key => 'k', base => $v, @chain, n => 7)->{verdict},
   'wait', 'link 7 beside it');
op('a', 'cancel');
is(op('p', 'peek', key => 'k')->{version}, $now, 'which was not done');
is(op('a', 'begin', key => 'k', base => $v, @chain, n => 6)->{verdict},
   'pass', 'link 6, again');
op('a', 'commit', @chain, n => 6);

# with another base beside it both must hold

$now = op('p', 'peek', key => 'k')->{version};
is(op('a', 'begin', key => 'k', base => $now, @chain, n => 7)->{verdict},
   'pass', 'on the version of the link before');
op('a', 'cancel');
is(op('a', 'begin', key => 'k', base => $now - 1, @chain, n => 7)->{verdict},
   'refuse', 'on another one');

# any other write ends it

is(op('c', 'begin', key => 'k', base => $now)->{verdict}, 'pass', 'a write');
op('c', 'commit');
is(op('a', 'begin', key => 'k', base => $v, @chain, n => 7)->{verdict},
   'refuse', 'link 7');


=== a chain that makes its resource
--- steps
my @chain = (chain => 77, kinds => 64);

is(op('a', 'begin', key => 'k', @chain)->{verdict}, 'fetch', 'a GET must tell');
op('a', 'observe', latest => 1, existence => 2);
is(op('a', 'begin', @chain, fresh => 1)->{verdict}, 'pass', 'there is nothing');
op('a', 'commit', @chain);

is(op('a', 'begin', key => 'k', @chain, n => 2)->{verdict}, 'pass', 'link 2');
op('a', 'commit', @chain, n => 2);
is(op('a', 'begin', key => 'k', kinds => 64, chain => 78)->{verdict}, 'refuse',
   'nobody else makes it');


=== what ends a chain: whatever may have changed the resource
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my @chain = (chain => 77, began => $v);

my $link = sub {
    op('l', 'begin', key => 'k', base => $v, @chain, n => $_[0],
       policy => $_[1] || 3, quarantine => 0);
};

my $done = sub { op('l', 'commit', @chain, n => $_[0]) };

$link->(1);
$done->(1);
op('p', 'peek', key => 'k');
op('p', 'observe', body => 7);

# unknown for a while, and as it was

$link->(2);
op('l', 'abandon', quarantine => 0);
is($link->(2)->{verdict}, 'fetch', 'a GET must tell');
op('l', 'observe', body => 7, latest => 1);
is($link->(2)->{verdict}, 'pass', 'nothing was changed: the chain goes on');
$done->(2);
op('p', 'peek', key => 'k');
op('p', 'observe', body => 8);

# unknown for a while, and not as it was

$link->(3);
op('l', 'abandon', quarantine => 0);
$link->(3);
op('l', 'observe', body => 9, latest => 1);
is($link->(3)->{verdict}, 'refuse', 'something was changed, who knows by whom');

# over another write, which may land after it

is(op('m', 'begin', key => 'k')->{verdict}, 'pass', 'another write');
is(op('l', 'begin', key => 'k', base => $v, @chain, n => 4, policy => 1,
      force => 1)->{verdict}, 'overwrite', 'link 4 does not wait for its end');
$done->(4);
op('m', 'commit');
is($link->(5)->{verdict}, 'fetch', 'a GET must tell');
op('l', 'observe', body => 10, latest => 1);
is($link->(5)->{verdict}, 'refuse', 'it does not tell who came last');


=== a link that was merged has others' changes in it
--- steps
my $v = op('p', 'peek', key => 'k')->{version};
my @chain = (chain => 77, began => $v);

op('a', 'begin', key => 'k', base => $v);
op('a', 'commit');

is(op('l', 'begin', key => 'k', base => $v, @chain, policy => 4)->{verdict},
   'combine', 'link 1 is to be merged');
op('l', 'commit', @chain, mixed => 1);

is(op('l', 'begin', key => 'k', base => $v, @chain, n => 2, policy => 4)
   ->{verdict}, 'combine', 'so is link 2');
op('l', 'cancel');
is(op('l', 'begin', key => 'k', base => $v, @chain, n => 2)->{verdict},
   'refuse', 'by "version" it is stale');
is(op('l', 'begin', key => 'k', base => $v, @chain, n => 1, policy => 4)
   ->{verdict}, 'refuse', 'link 1 comes late');


=== the history of a chain: what its last link has made
--- steps
my @key = (key => 'k', rows => 8);
my @chain = (chain => 77, base => 5, began => 5);

my $kept = sub {
    op('w', 'keep', @key, @chain, link => 1, n => $_[0], text => $_[1]);
};

# 5 is a version of the upstream's, say

op('w', 'keep', @key, row => 5, text => 'base', shown => 1);

my $r = op('a', 'recall', @key, @chain, n => 1);
is("$r->{held} $r->{late} $r->{base_body}", '1 0 base', 'link 1 has the base');
$r = op('a', 'recall', @key, @chain, n => 2);
is("$r->{held} $r->{late} $r->{base_body}", '0 0 ', 'link 2 has none');

$kept->(1, 'one');
$r = op('a', 'recall', @key, @chain, n => 2);
is("$r->{held} $r->{late} $r->{base_body}", '1 0 one', 'now it has');
is(op('a', 'recall', @key, @chain, n => 1)->{late}, 1, 'link 1 is late');
is(op('a', 'recall', @key, chain => 78, base => 5, n => 2)->{held}, 0,
   'another chain');

$kept->(3, 'three');
$r = op('a', 'recall', @key, @chain, n => 4);
is("$r->{held} $r->{late} $r->{base_body}", '1 0 three', 'it gives way');
is(op('a', 'recall', @key, @chain, n => 3)->{late}, 1, 'link 3 is late');
is(op('a', 'recall', @key, @chain, n => 2)->{late}, 1, 'and so is link 2');

$kept->(2, 'two');
is(op('a', 'recall', @key, @chain, n => 4)->{base_body}, 'three',
   'not to an older one');

is(op('a', 'recall', @key, @chain, n => 4, view => 2)->{held}, 0,
   'not to another view');

$kept->(4, '');
$r = op('a', 'recall', @key, @chain, n => 5);
is("$r->{held} $r->{late}", '0 0', 'one that is not known is none');

$r = op('a', 'recall', @key, base => 5);
is("$r->{held} $r->{late} $r->{base_body}", '1 0 base',
   'the version has its own');
