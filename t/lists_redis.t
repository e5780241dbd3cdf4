# conflict_inject with "*" and Redis: its clock is set while a list is made, and
# it does not answer.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::List;
use Test::Nginx::Socket 'no_plan';

our $Port = redis_clock_start();

# it has long been there

redis($Port, 'SET', 'conflict:incarnation',
      '- 0000000000000000 0 ' . int(1000 * time()));

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the clock is set
--- http_config eval
"conflict_store r redis://127.0.0.1:$::Port timeout=2s failover=trust;"
--- config
    location /list/plain/ {
        conflict version store=r;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version store=r;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/notes/$_", { n => 0 }) for 1, 2;

# back, then on again: what is written in between seems to be old, or new

for my $step ([0, -3600, 'back'], [-3600, 0, 'on'], [0, 3600, 'forward']) {
    my ($from, $to, $name) = @$step;

    redis_clock($::Port, $from);

    my $v = listed('/list/plain/notes', 1, 2);
    my $l = held_list('/list/plain/notes');

    redis_clock($::Port, $to);

    my $r = PUT('/plain/notes/1', { n => 1, base_version => $v->{1} });
    is($r->{status}, 204, "$name - a write in between");
    is(version(GET('/plain/notes/1')), version($r), "$name - it is recorded");

    release();
    release();

    is(versions(finish($l))->{1}, undef, "$name - is not shown");
}

# set during a write, before the list is requested: the time of its commit is
# what the worker thinks that it is, and the server knows better

redis_clock($::Port, 0);

my $v = listed('/list/plain/notes', 1, 2);
my $w = held('/plain/notes/1', { n => 'A', base_version => $v->{1} });

redis_clock($::Port, 3600);

my $l = held_list('/list/plain/notes');

release();

my $r = finish($w);
is($r->{status}, 204, 'a write during which the clock was set');
is(version(GET('/plain/notes/1')), version($r), 'it is recorded');

release();

my $found = versions(finish($l));
is($found->{1}, undef, 'is not shown');
is($found->{2}, $v->{2}, 'the clock was not set since the mark');
redis_clock($::Port, 0);


=== no answer
--- http_config eval
"conflict_store r redis://127.0.0.1:$::Port timeout=200ms failover=trust;"
--- config
    location /list/plain/ {
        conflict version store=r;
        conflict_inject json:/data/*/version
                        item=/plain/notes/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version store=r;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/notes/1', { n => 0, version => 7 });

my $v = listed('/list/plain/notes', 1);
my $l = held_list('/list/plain/notes');

kill 'STOP', redis_pid($::Port);
release();
release();

my $r = finish($l);
is($r->{status}, 200, 'the list comes');
is($r->{body}, '{"data":[{"id":1,"n":0,"version":null}]}', 'without versions');

$r = GET('/list/plain/notes');
is($r->{body}, '{"data":[{"id":1,"n":0,"version":7}]}',
   'or as it is, if the store was down before');

kill 'CONT', redis_pid($::Port);
is(listed('/list/plain/notes', 1)->{1}, $v->{1}, 'it answers again');
