# conflict_events: what happens between two steps of a stream is told, or the
# stream says that it may have missed something.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Events;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

# replies of Redis that come late

my $wired = free_port();

wire_start($wired, $ENV{TEST_NGINX_REDIS_PORT}) if $Conflict::Store eq 'redis';

add_block_preprocessor(sub {
    my $block = shift;

    events_config($block);

    return if $Conflict::Store eq 'shm';

    wire('pass');
    redis($ENV{TEST_NGINX_REDIS_PORT}, qw(ACL SETUSER default +@all));

    $block->set_value('http_config',
                      "conflict_store default redis://127.0.0.1:$wired"
                      . " timeout=30s failover=trust;\n")
        if $block->wired;
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }
sub carol { ('X-User: carol', 'X-Client: pad') }

sub flat { map { ref ? flat(@$_) : $_ // '' } @_ }
sub names { join ' ', map { $_->{event} } @_ }

# the events that Redis has, behind an id; each is an id, "e" and its text

sub added {
    my ($id) = @_;

    return grep { / =/ } flat(redis($ENV{TEST_NGINX_REDIS_PORT}, 'XRANGE',
                                    'conflict:events', "($id", '+'));
}

sub add {
    return redis($ENV{TEST_NGINX_REDIS_PORT}, qw(XADD conflict:events * e),
                 $_[0]);
}

# the connections over which workers read events; how often a command came

sub readers {
    return grep { / cmd=xread / }
           split /\n/, redis($ENV{TEST_NGINX_REDIS_PORT}, qw(CLIENT LIST));
}

sub calls {
    my $info = redis($ENV{TEST_NGINX_REDIS_PORT}, qw(INFO commandstats));

    return $info =~ /^cmdstat_$_[0]:calls=(\d+)/m ? $1 : 0;
}

run_tests();

__DATA__

=== somebody asks before a worker knows from where it reads
--- steps
SKIP: {
    skip 'a zone is read at once', 1 if $Conflict::Store eq 'shm';

    my $redis = $ENV{TEST_NGINX_REDIS_PORT};

    set_doc('/plain/1', { n => 1 });
    GET('/plain/1');
    lock('/plain/1', ann());

    my $id = add('-');
    redis($redis, qw(ACL SETUSER default -xrevrange));

    my $w = watch('resource=/plain/1',
                  headers => [ann(), "Last-Event-ID: $id"]);
    is($w->{status}, 200, 'the stream is open');
    is(lock('/plain/1', bob())->{status}, 409, 'bob asks');
    ok(until_true { grep { /bob/ } added($id) }, 'Redis has that');

    # one that does not wait for its answer

    my $gone = watch('resource=/plain/1',
                     headers => [ann(), "Last-Event-ID: $id",
                                 'User-Agent: gone']);
    close $gone->{socket};
    ok(until_true { slurp(servroot() . '/logs/access.log') =~ /gone/ },
       'another stream has ended');

    is_deeply(events_of($w), [], 'nothing is told yet');

    redis($redis, qw(ACL SETUSER default +xrevrange));

    is(names(map { next_event($w) } 1 .. 3), 'version locked lock_asked',
       'all is told then');
}


=== a heartbeat while "reset" is still to be told
--- events: heartbeat=200ms
--- steps
SKIP: {
    skip 'a zone does not lose its place', 1 if $Conflict::Store eq 'shm';

    my $redis = $ENV{TEST_NGINX_REDIS_PORT};

    set_doc('/plain/1', { n => 1 });
    GET('/plain/1');

    my $w = watch('resource=/plain/1', headers => [bob()]);
    is(next_event($w)->{event}, 'version', 'the version');
    until_true { events_of($w); $w->{id} };
    ok($w->{id}, 'an id');

    # events are read, but the store does not say what the states are

    redis($redis, qw(ACL SETUSER default -evalsha));

    my $reader;
    until_true { ($reader) = map { /^id=(\d+)/ } readers() };
    redis($redis, qw(CLIENT KILL ID), $reader);
    ok(until_true { grep { !/^id=$reader / } readers() }, 'it is read again');

    events_of($w);
    delete $w->{id};
    my $beats = $w->{beats} // 0;
    until_true { events_of($w); ($w->{beats} // 0) > $beats + 3 };
    is($w->{id}, undef, 'heartbeats have none');

    redis($redis, qw(ACL SETUSER default +evalsha));

    is(next_event($w)->{event}, 'reset', 'events may be missing');
    is(next_event($w)->{event}, 'version', 'the version');
    ok(until_true { events_of($w); $w->{id} }, 'and an id');
}


=== a worker that has fallen behind what is kept
--- steps
SKIP: {
    skip 'see t/events_limits.t', 1 if $Conflict::Store eq 'shm';

    my $redis = $ENV{TEST_NGINX_REDIS_PORT};

    set_doc('/plain/1', { n => 1 });
    GET('/plain/1');

    my $w = watch('resource=/plain/1', headers => [bob()]);
    is(next_event($w)->{event}, 'version', 'the version');
    until_true { grep { / flags=b / } readers() };

    my @workers = workers_of(master_pid());
    kill 'STOP', @workers;
    add('-') for 1 .. 500;
    redis($redis, qw(XTRIM conflict:events MAXLEN 400));
    kill 'CONT', @workers;

    is(next_event($w)->{event}, 'reset', 'events may be missing');
    is(next_event($w)->{event}, 'version', 'the version');
}


=== an id is that of all events before it
--- steps
set_doc($_, { n => 1 }) for '/plain/1', '/plain/2';
GET($_) for '/plain/1', '/plain/2';

my $w = watch('resource=/plain/1&resource=/plain/2', headers => [bob()]);
next_event($w);
is(next_event($w)->{event}, 'version', 'both versions');
until_true { events_of($w); $w->{id} };
ok($w->{id}, 'and an id');
unlike($w->{body}, qr/^id: .*\n(?!\n)/m, 'which is none of an event');


=== an id while the state of one of two is not known yet
--- steps
set_doc($_, { n => 1 }) for '/plain/1', '/plain/2';
my $v = version(GET('/plain/1'));
GET('/plain/2');

lock('/plain/1', ann());
is(lock('/plain/1', bob())->{status}, 409, 'bob waits');

my $write = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
                  headers => ['X-Up-Write: hold apply', ann()]);
until_true { grep { $_->{method} eq 'PUT' } seen() };

my $w = watch('resource=/plain/1&resource=/plain/2', headers => [ann()]);
is(until_event($w, 'version', '/plain/2')->{event}, 'version', 'one is told');
my $told = $w->{body} =~ /lock_asked/;
my $id = $w->{id};
close $w->{socket};

SKIP: {
    skip 'both were known at once', 1 if $told;

    $w = watch('resource=/plain/1&resource=/plain/2',
               headers => [ann(), $id ? "Last-Event-ID: $id" : ()]);
    is(until_event($w, 'lock_asked')->{user}, 'bob',
       'who waits for the other one is told to who comes again');
}

release();
finish($write);


=== a change before the store has said who waits for the lock
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

lock('/plain/1', ann());
is(lock('/plain/1', bob())->{status}, 409, 'bob waits');

my $write = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
                  headers => ['X-Up-Write: hold apply', ann()]);
until_true { grep { $_->{method} eq 'PUT' } seen() };

my $w = watch('resource=/plain/1', headers => [ann()]);
release();
finish($write);

is(until_event($w, 'lock_asked')->{user}, 'bob', 'that is told nevertheless');


=== a poll of two, one of which is not known yet
--- steps
set_doc($_, { n => 1 }) for '/plain/1', '/plain/2';
my $v = version(GET('/plain/1'));
GET('/plain/2');
lock('/plain/1', ann());

my $write = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
                  headers => ['X-Up-Write: hold apply', ann()]);
until_true { grep { $_->{method} eq 'PUT' } seen() };

my %told;
my $id;

until_true {
    my $p = json(poll('resource=/plain/1&resource=/plain/2', bob(),
                      $id ? "Last-Event-ID: $id" : ()));
    $id = $p->{id};
    $told{"$_->{event} $_->{resource}"}++ for @{ $p->{events} };
    $told{'unknown /plain/1'};
};
ok($told{'locked /plain/1'}, 'its lock is told as well');

release();
finish($write);


=== a lock that is released, or changes hands, between two polls
--- events: heartbeat=500ms
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));
my $r = lock('/plain/1', ann());

my $p = json(poll('resource=/plain/1', bob()));
is(names(@{ $p->{events} }), 'version locked', 'it is locked');

unlock('/plain/1', token($r));

my @events;

until_true {
    $p = json(poll("resource=/plain/1&since=$v", bob(),
                   "Last-Event-ID: $p->{id}"));
    push @events, @{ $p->{events} };
};
is(names(@events), 'unlocked', 'the release is told');

lock('/plain/1', ann());
@events = ();

until_true {
    $p = json(poll("resource=/plain/1&since=$v", bob(),
                   "Last-Event-ID: $p->{id}"));
    push @events, @{ $p->{events} };
};
is(names(@events), 'locked', 'and so is the next lock');

# a stream that is resumed says both as well

my $w = watch('resource=/plain/1', headers => [bob(),
                                               "Last-Event-ID: $p->{id}"]);
is(names(map { next_event($w) } 1 .. 2), 'version locked', 'it is locked');
ok(until_true { events_of($w); $w->{id} }, 'an id');
close $w->{socket};


=== a lock that the store shows to a poll before its event comes
--- events: heartbeat=5s
--- steps
SKIP: {
    skip 'an event of a zone comes at once', 1 if $Conflict::Store eq 'shm';

    set_doc('/plain/1', { n => 1 });
    my $v = version(GET('/plain/1'));

    my $first = add('-');
    lock('/plain/1', ann());
    my $locked;
    until_true { ($locked) = added($first) };

    # a client that was told nothing of it, and an event that comes late

    my $id = add('-');
    my $poll = start('GET', "/events?poll=1&resource=/plain/1&since=$v",
                     headers => [bob(), "Last-Event-ID: $id"]);
    until_true { readers() };
    add($locked);

    is(names(@{ json(finish($poll))->{events} }), 'locked', 'it is told');
}


=== a request for a lock whose event comes before that of the lock
--- steps
SKIP: {
    skip 'a zone has one order', 1 if $Conflict::Store eq 'shm';

    set_doc('/plain/1', { n => 1 });
    GET('/plain/1');

    my $id = add('-');
    my $r = lock('/plain/1', ann());
    lock('/plain/1', bob());
    my @added;
    until_true { @added = added($id); @added == 2 };
    unlock('/plain/1', token($r));

    my $w = watch('resource=/plain/1', headers => [ann()]);
    is(next_event($w)->{event}, 'version', 'free');

    add($_) for reverse @added;

    is(names(map { next_event($w) } 1 .. 2), 'locked lock_asked',
       'both are told');
}


=== what is read is later than what was asked for
--- wired: 1
--- steps
SKIP: {
    skip 'a zone does not answer late', 1 if $Conflict::Store eq 'shm';

    set_doc('/plain/1', { n => 1 });
    GET('/plain/1');
    lock('/plain/1', ann());

    my $id = add('-');
    lock('/plain/1', bob());
    my ($bob, $later);
    until_true { ($bob) = grep { /bob/ } added($id) };
    ($later = $bob) =~ s/bob/dan/;

    # the answer with what was missed is on its way

    wire('hold XRANGE');
    my $asked = calls('xrange');
    my $w = watch('resource=/plain/1',
                  headers => [ann(), "Last-Event-ID: $id"]);
    ok(until_true { calls('xrange') > $asked }, 'it was asked for');
    add($later);
    ok(until_true { grep { / flags=b / } readers() }, 'more was read');
    wire('pass');

    is(until_event($w, 'lock_asked')->{user}, 'dan', 'the last is told');
}


=== who has asked has the lock by now
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my $r = lock('/plain/1', ann());
my $a = watch('resource=/plain/1', headers => [ann()]);
my $w = watch('resource=/plain/1', headers => [bob()]);
is(until_event($w, 'locked')->{event}, 'locked', 'it is locked');
until_true { events_of($w); $w->{id} };
close $w->{socket};

is(lock('/plain/1', bob())->{status}, 409, 'bob asks');
is(until_event($a, 'lock_asked')->{user}, 'bob', 'which is told');
unlock('/plain/1', token($r));
is(until_event($a, 'unlocked')->{event}, 'unlocked', 'and so is the release');
is(lock('/plain/1', bob())->{status}, 200, 'bob has the lock');
is(until_event($a, 'locked')->{lock}{user}, 'bob', 'which is told');

# on each of the devices

for my $client ('phone', 'laptop') {
    my $p = json(poll('resource=/plain/1', 'X-User: bob', "X-Client: $client",
                      "Last-Event-ID: $w->{id}"));
    is(names(@{ $p->{events} }), 'version locked', 'so nobody asks for it');
}

# but somebody else does

is(lock('/plain/1', carol())->{status}, 409, 'carol asks');
my $e;
until_true {
    $e = json(poll('resource=/plain/1', bob(), "Last-Event-ID: $w->{id}"))
         ->{events}[-1];
    $e->{event} eq 'lock_asked';
};
is("$e->{event} $e->{user}", 'lock_asked carol', 'which is told');


=== who waits on for a lock that was handed over
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my $r = lock('/plain/1', ann());
my $a = watch('resource=/plain/1', headers => [ann()]);
is(names(map { next_event($a) } 1 .. 2), 'version locked', 'it is locked');

for my $who ([bob()], [carol()]) {
    lock('/plain/1', @$who);
    is(next_event($a)->{event}, 'lock_asked', 'two ask');
}

# the next holder was not told of the other one

until_true { events_of($a); $a->{id} };
my $p = json(poll('resource=/plain/1', bob()));
http('DELETE', '/plain/1/lock?handover=1', headers => [token($r)]);
is(next_event($a)->{lock}{user}, 'bob', 'it is handed over');

my $w = watch('resource=/plain/1', headers => [bob(),
                                               "Last-Event-ID: $p->{id}"]);
is(names(map { next_event($w) } 1 .. 2), 'version locked', 'to bob');
my $e = next_event($w);
is("$e->{event} $e->{user}", 'lock_asked carol', 'carol waits on');
