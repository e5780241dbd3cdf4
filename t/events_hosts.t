# conflict_events: several workers and hosts, which end, are killed or lose
# their store.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Events;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

need_debug();
Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);
log_level('debug_http');

# with Redis "other" is another host, as far as Redis can tell

add_block_preprocessor(sub {
    my $block = shift;
    my $times = 'heartbeat=' . ($block->heartbeat // '300ms');
    my $common = "conflict_lease 300ms; conflict_quarantine 100ms;\n"
                 . "conflict_wait 2s; proxy_pass http://api";

    $block->set_value('http_config', ($block->http_config // '')
                      . Conflict::store('other')
                      . Conflict::store('silent'));
    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location /plain/ { conflict version; $common; }\n"
                      . "location ~ ^/other(/.*) { conflict_key \$1;\n"
                      . "conflict version store=other; $common\$1; }\n"
                      . "location ~ ^/silent(/.*) { conflict_key \$1;\n"
                      . "conflict version store=silent; $common\$1; }\n"
                      . "location = /events { conflict_events $times; }\n"
                      . "location = /events2 { conflict version store=other;\n"
                      . "conflict_events $times; }\n");
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

# streams in each of the workers

sub of_both {
    my ($query) = @_;
    my (@w, %pids);

    until_true {
        my $w = watch($query, headers => [bob()]);
        push @w, $w;
        $pids{$_} = 1 for error_log() =~ /(\d+)#\d+: \*\d+ conflict state: events: get latest/g;
        keys %pids >= 2;
    };

    return @w;
}

run_tests();

__DATA__

=== listeners of each worker
--- heartbeat: 1m
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my @w = of_both('resource=/plain/1');
next_event($_) for @w;

my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
is_deeply([map { next_event($_)->{version} } @w], [(version($r)) x @w],
          'all are told, long before a heartbeat');


=== a reload ends the streams
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my @w = of_both('resource=/plain/1');
next_event($_) for @w;
my $poll = start('GET', "/events?poll=1&resource=/plain/1&since=$v",
                 headers => [bob()]);

reload('gone');
is(scalar(grep { closed($_) && $_->{whole} } @w), scalar @w,
   'each as a whole response');
is(scalar(grep { $_->{retry} < 2000 } @w), scalar @w, 'to come again');
is(finish($poll)->{status}, 200, 'polls as well');

my $w = watch('resource=/plain/1', headers => [bob(),
              $w[0]{id} ? "Last-Event-ID: $w[0]{id}" : ()]);
is(next_event($w)->{version}, $v, 'the new workers go on');

my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
is(next_event($w)->{version}, version($r), 'with what is new');


=== a worker is killed before it has told a change
--- steps
my $killed = 0;

for my $point (1 .. 20) {
    my $path = "/plain/$point";

    # the store may be settling after the last one
    set_doc($path, { n => 1 });
    my $v;
    until_true { $v = version(GET($path)) };

    my @w = of_both("resource=$path");
    next_event($_) for @w;

    my $r = PUT($path, { n => 2, base_version => $v },
                "X-Conflict-Failpoint: $point", ann());
    $killed++ unless $r->{status};

    my $now;
    until_true { $now = version(GET($path)); $now && $now != $v };

    my @left = grep { !$_->{closed} } map { events_of($_); $_ } @w;

    is(scalar(grep { my $w = $_; my $e;
                     until_true { $e = until_event($w, 'version');
                                  $w->{closed} || $e->{version} == $now } }
              @left), scalar @left, "point $point: no listener is left behind");

    last if $r->{status};
}

cmp_ok($killed, '>=', $Conflict::Store eq 'shm' ? 3 : 0, 'it was killed');
is(log_count(qr/"conflict_events_1:default" was locked/),
   $Conflict::Store eq 'shm' ? 1 : 0, 'once while it told the change');
--- allow: exited on signal 9|was locked by|was killed


=== HTTP/2, and a filter that would hold everything back
--- http_config
    gzip on;
    gzip_types *;
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch('resource=/plain/1', headers => [bob(), 'Accept-Encoding: gzip']);
unlike($w->{head}, qr/^Content-Encoding/m, 'not compressed');
is(next_event($w)->{version}, $v, 'at once');

PUT('/plain/1', { n => 2, base_version => $v }, ann());
is(next_event($w)->{event}, 'version', 'and so is the next one');
until_true { events_of($w); $w->{beats} };
ok($w->{beats}, 'heartbeats');


=== another host
--- heartbeat: 1m
--- steps
SKIP: {
    skip 'a zone belongs to one host', 1 if $Conflict::Store eq 'shm';

    set_doc('/plain/1', { n => 1 });
    my $v = version(GET('/plain/1'));

    my $w = watch('resource=/plain/1', headers => [bob()]);
    my $other = watch('resource=/other/plain/1', path => '/events2',
                      headers => [bob()]);
    is(next_event($w)->{version}, $v, 'one host');
    is(next_event($other)->{version}, $v, 'and another one');

    # both have a place in the stream

    my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
    is(next_event($_)->{version}, version($r), 'a change here') for $w, $other;

    $r = PUT('/other/plain/1', { n => 3, base_version => version($r) }, ann());
    is(next_event($_)->{version}, version($r), 'or there') for $w, $other;
}


=== a change that nobody tells
--- steps
SKIP: {
    skip 'a zone belongs to one host', 1 if $Conflict::Store eq 'shm';

    set_doc('/plain/1', { n => 1 });
    my $v = version(GET('/plain/1'));
    my $w = watch('resource=/plain/1', headers => [bob()]);
    next_event($w);

    my $r = PUT('/silent/plain/1', { n => 2, base_version => $v }, ann());
    is(next_event($w)->{version}, version($r), 'is found');
}


=== the connection to Redis is lost, and nothing has changed
--- steps
SKIP: {
    skip 'this is about Redis', 1 if $Conflict::Store eq 'shm';

    set_doc('/plain/1', { n => 1 });
    GET('/plain/1');
    my $w = watch('resource=/plain/1', headers => [bob()]);
    my $e = next_event($w);
    is($e->{event}, 'version', 'the version');
    until_true { events_of($w); $w->{beats} };

    redis($ENV{TEST_NGINX_REDIS_PORT}, 'CLIENT', 'KILL', 'TYPE', 'normal');

    is(next_event($w)->{event}, 'reset', 'events may be missing');
    is(next_event($w)->{version}, $e->{version}, 'the current version follows');
}


=== Redis is killed and comes back
--- steps
SKIP: {
    skip 'this is about Redis', 1 if $Conflict::Store eq 'shm';

    my $redis = $ENV{TEST_NGINX_REDIS_PORT};

    set_doc('/plain/1', { n => 1 });
    my $v = version(GET('/plain/1'));
    my $w = watch('resource=/plain/1', headers => [bob()]);
    next_event($w);

    my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
    next_event($w);

    redis_stop($redis);
    my $beats = $w->{beats} // 0;
    until_true { events_of($w); ($w->{beats} // 0) > $beats + 2 };
    ok(!$w->{closed}, 'the stream stays open');

    my $poll = poll('resource=/plain/1', bob());
    is($poll->{status}, 503, 'a poll does not say that nothing has changed');
    is(json($poll)->{error}, 'store_unavailable', 'why');

    redis_start($redis);

    is(until_event($w, 'reset')->{event}, 'reset', 'events may be missing');

    my $now;
    until_true { $r = PUT('/plain/1', { n => 3, base_version =>
                                        version(GET('/plain/1')) || 1 },
                          ann()); $r->{status} == 204 };
    my $e;
    until_true { $e = until_event($w, 'version');
                 $w->{closed} || $e->{version} == version($r) };
    is($e->{version}, version($r), 'then changes as before');
}
