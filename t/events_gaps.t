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

add_block_preprocessor(sub {
    my $block = shift;
    my $events = $block->events || '';

    $events =~ s/\s+\z//;

    redis($ENV{TEST_NGINX_REDIS_PORT}, qw(ACL SETUSER default +@all))
        if $Conflict::Store eq 'redis';

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict version;\n"
                      . "proxy_pass http://api; }\n"
                      . "location ~ ^(?<resource>/.*)/lock\$ {\n"
                      . "conflict_key \$resource;\n"
                      . "conflict_lock idle=10m; }\n"
                      . "location = /events { conflict_events $events; }\n");
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

# the connections over which workers read events

sub readers {
    return grep { / cmd=xread / }
           split /\n/, redis($ENV{TEST_NGINX_REDIS_PORT}, qw(CLIENT LIST));
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
