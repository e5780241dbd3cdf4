# conflict_events: what a client has missed, does not read, or asks too often.
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

add_block_preprocessor(\&events_config);

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

run_tests();

__DATA__

=== a poll before the first event
--- steps
redis($ENV{TEST_NGINX_REDIS_PORT}, 'DEL', 'conflict:events')
    if $Conflict::Store eq 'redis';

set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $id = json(poll('resource=/plain/1', bob()))->{id};
ok($id, 'has an id');
is(PUT('/plain/1', { n => 2, base_version => $v - 1 }, bob())->{status}, 409,
   'a conflict');

my @events;
until_true {
    @events = map { $_->{event} }
              @{ json(poll('resource=/plain/1', bob(), "Last-Event-ID: $id"))
                 ->{events} };
    grep { $_ eq 'conflict' } @events;
};
is($events[0], 'conflict', 'after which nothing is missed');

# an id that is not known: the state is in the same response

for my $other ('1', '1-1', 'x', '0123456789abcdef-5') {
    @events = map { $_->{event} }
              @{ json(poll('resource=/plain/1', "Last-Event-ID: $other"))
                 ->{events} };
    is("@events", 'reset version', "reset: $other");
}


=== Last-Event-ID
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch('resource=/plain/1', headers => [bob()]);
next_event($w);
my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
next_event($w);
my $id = $w->{id};
ok($id, 'an event has an id');
close $w->{socket};

# while it is away

is(PUT('/plain/1', { n => 3, base_version => $v }, bob())->{status}, 409,
   'a conflict of its own');

my $e;

until_true {
    $w = watch('resource=/plain/1',
               headers => [bob(), "Last-Event-ID: $id"]);
    $e = until_event($w, 'conflict');
    $e->{event} eq 'conflict';
};
is($e->{event}, 'conflict', 'what it has missed');
is(next_event($w)->{version}, version($r), 'and the current version');

# another life of the store, and what never was an id

for my $other ('0123456789abcdef-5', '1-1', '5-', '-', 'x' x 300,
               '99999999999999999999999-1', "$id-1", '18446744073709551615-0')
{
    $w = watch('resource=/plain/1',
               headers => [bob(), "Last-Event-ID: $other"]);
    is(next_event($w)->{event}, 'reset', "reset: " . substr $other, 0, 20);
    is(next_event($w)->{event}, 'version', 'then what is current');
}


=== more events than are kept
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/plain/2', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch('resource=/plain/1', headers => [bob()]);
next_event($w);
PUT('/plain/1', { n => 2, base_version => $v }, ann());
next_event($w);
my $id = $w->{id};
close $w->{socket};

if ($Conflict::Store eq 'shm') {
    my @many = map { "/plain/2/lock" } 1 .. 2100;

    for (@many) {
        http('POST', $_, headers => [ann()]);
        http('DELETE', $_, headers => [ann()]);
    }

} else {
    # Redis removes whole blocks
    redis($ENV{TEST_NGINX_REDIS_PORT}, 'XTRIM', 'conflict:events', 'MAXLEN',
          0);
}

$w = watch('resource=/plain/1', headers => [bob(), "Last-Event-ID: $id"]);
is(next_event($w)->{event}, 'reset', 'the id is not known any more');
is(next_event($w)->{event}, 'version', 'then what is current');


=== a client that reads slowly gets the latest state alone
--- more
        location = /ping { return 200; }
        }
        server {
        listen 127.0.0.1:$TEST_NGINX_PORT2 sndbuf=4k;
        server_name localhost;
        conflict_user $http_x_user;
        location /plain/ { conflict version; proxy_pass http://api; }
--- steps
my $long = '/plain/' . 'x' x 100;
my @names = map { "$long$_" } 1 .. 20;
my %v;

for (@names) {
    set_doc($_, { n => 1 });
    $v{$_} = version(GET($_));
}

my $w = watch(resources(@names), port => $ENV{TEST_NGINX_PORT2},
              room => 4096);
is(until_event($w, 'version', $names[-1])->{version}, $v{$names[-1]},
   'it has all');

# many changes, of which it reads nothing

my $rounds = 40;

for my $n (2 .. $rounds) {
    for (@names) {
        my $r = PUT($_, { n => $n, base_version => $v{$_} }, ann());
        $v{$_} = version($r);
    }
}

my ($told, %last) = (0);

until_true {
    for my $e (@{ events_of($w) }) {
        $last{$e->{resource}} = $e->{version};
        $told++;
    }

    $w->{events} = [];
    @names == grep { $last{$_} && $last{$_} == $v{$_} } @names;
};

is_deeply(\%last, \%v, 'the last version of each');
cmp_ok($told, '<', @names * ($rounds - 1), "not each in between: $told");


=== long poll
--- events: heartbeat=500ms
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $r = poll('resource=/plain/1', bob());
is($r->{status}, 200, 'a poll');
is(header($r, 'Content-Type'), 'application/json', 'JSON');
is(header($r, 'Cache-Control'), 'no-store', 'not to be stored');
is(json($r)->{events}[0]{event}, 'version', 'with the current state');
is(json($r)->{events}[0]{version}, $v, 'at once');

$r = GET("/events?resource=/plain/1&since=$v", bob(),
         'Accept: application/json');
is_deeply(json($r)->{events}, [], 'nothing new, after a heartbeat');

my $w = start('GET', "/events?poll=1&resource=/plain/1&since=$v",
              headers => [bob()]);
my $put = PUT('/plain/1', { n => 2, base_version => $v }, ann());
$r = finish($w);
is(json($r)->{events}[0]{version}, version($put), 'a change') or diag $r->{raw};

$v = version($put);
lock('/plain/1', ann());
$r = poll("resource=/plain/1&since=$v", bob());
is(json($r)->{events}[0]{event}, 'locked', 'a lock');

my $id = json($r)->{id};

if ($id) {
    $r = poll("resource=/plain/1&since=$v", bob(), "Last-Event-ID: $id");
    is_deeply(json($r)->{events}, [], 'which is not told again')
}


=== bounds
--- events: per_client=2 max=3
--- steps
set_doc('/plain/1', { n => 1 });

# each worker counts its own

my @open;
my %status;
my $answer;

until_true {
    my $w = watch('resource=/plain/1', headers => [bob()]);
    $status{$w->{status}}++;
    $answer = $w if $w->{status} == 429;
    push @open, $w if $w->{status} == 200;
    $status{429};
};
ok($status{200} >= 2 && $status{200} <= 4, 'two streams, in each worker');
like($answer->{head}, qr/^Retry-After: 1\r/m, 'then 429');
until_true { Conflict::Events::read_some($answer); $answer->{closed} };
is(json($answer->{data})->{error}, 'too_many_streams', 'why');

my $r;

until_true {
    $r = watch('resource=/plain/1', headers => [ann()]);
    push @open, $r if $r->{status} == 200;
    $r->{status} == 503;
};
is($r->{status}, 503, 'others have some, too, until all are taken');

close $_->{socket} for @open;

until_true { $r = watch('resource=/plain/1', headers => [bob()]);
             $r->{status} == 200 };
is($r->{status}, 200, 'as soon as they are closed there is room');


=== HTTP/2
--- events: recheck=5m heartbeat=200ms
--- more
        location = /ping { return 200; }
        }
        server {
        listen 127.0.0.1:$TEST_NGINX_PORT2 http2;
        server_name localhost;
        conflict_user $http_x_user;
        location /plain/ { conflict version; proxy_pass http://api; }
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch_h2($ENV{TEST_NGINX_PORT2}, 'resource=/plain/1', bob());
is(next_event($w)->{version}, $v, 'the current version');

for my $n (2 .. 5) {
    my $r = PUT('/plain/1', { n => $n, base_version => $v }, ann());
    $v = version($r);
    is(next_event($w)->{version}, $v, 'a change');
}

until_true { events_of($w); $w->{beats} };
ok($w->{beats}, 'heartbeats');

# it is gone without a word

kill 'KILL', $w->{pid};
close $w->{socket};
PUT('/plain/1', { n => 9, base_version => $v }, ann());

$w = watch_h2($ENV{TEST_NGINX_PORT2}, 'resource=/plain/1', bob());
is(next_event($w)->{event}, 'version', 'others go on');
kill 'KILL', $w->{pid};
