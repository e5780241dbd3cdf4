# conflict_events: changes are told as they happen, to those who may GET.
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

=== the current version comes first, then each change
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $w = watch('resource=/plain/1',
              headers => [bob(), 'Accept: text/event-stream']);

is($w->{status}, 200, 'a stream');

my ($get) = grep { grep { /^X-User$/i } map { $_->[0] } @{ $_->{headers} } }
            seen();
my %sent = map { lc $_->[0] => $_->[1] } @{ $get->{headers} };
is("$get->{method} $sent{'x-user'}", 'GET bob', 'after a GET of this caller');
is($sent{accept}, undef, 'of the resource, which is no stream');

like($w->{head}, qr/^Content-Type: text\/event-stream\r/m, 'its type');
like($w->{head}, qr/^Cache-Control: no-store\r/m, 'not to be stored');
like($w->{head}, qr/^X-Accel-Buffering: no\r/m, 'nor buffered');

my $e = next_event($w);
is($e->{event}, 'version', 'the first event');
is($e->{resource}, '/plain/1', 'of the resource');
is($e->{version}, $v, 'is the current version');
is($w->{retry}, 2000, 'when to come again');

my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
is($r->{status}, 204, 'a write');

$e = next_event($w);
is($e->{event}, 'version', 'is told');
is($e->{version}, version($r), 'with its version');
is($e->{mine}, JSON::PP::false, 'somebody else has made it');
like($e->{changed_at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'when');

$r = PUT('/plain/1', { n => 3, base_version => version($r) }, bob());
$e = next_event($w);
is($e->{version}, version($r), 'another one');
is($e->{mine}, JSON::PP::true, 'of this client');

DELETE('/plain/1', "If-Match: \"" . version($r) . '"');
is(next_event($w)->{event}, 'deleted', 'a DELETE');


=== only what the caller may GET
--- rules
        location /secret/ {
            if ($http_x_user != ann) { return 403; }
            conflict version;
            proxy_pass http://api;
        }
--- more
        location = /login { conflict version; auth_basic x;
                            auth_basic_user_file /dev/null;
                            proxy_pass http://api; }
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/secret/1', { n => 1 });
my $v = version(GET('/plain/1'));
my $s = version(GET('/secret/1', ann()));

my $r = GET('/events?resource=/secret/1', bob());
is($r->{status}, 403, 'alone it is refused');
unlike($r->{raw}, qr/$s/, 'without its version');

$r = GET('/events?resource=/login', bob());
is($r->{status}, 401, 'a 401 is passed on');
like(header($r, 'WWW-Authenticate'), qr/Basic/, 'so that the page can log in');

my $w = watch('resource=/secret/1&resource=/plain/1', headers => [bob()]);
my $e = next_event($w);
is("$e->{event} $e->{resource} $e->{status}", 'gone /secret/1 403',
   'with another one it is said');
is(next_event($w)->{version}, $v, 'and the other one is watched');

my $both = watch('resource=/secret/1&resource=/plain/1', headers => [ann()]);
next_event($both) for 1 .. 2;

is(PUT('/secret/1', { n => 2, base_version => $s }, ann())->{status}, 204,
   'a change of what is forbidden');
is(next_event($both)->{resource}, '/secret/1', 'is told to who may see it');

PUT('/plain/1', { n => 2, base_version => $v }, ann());
is(next_event($w)->{resource}, '/plain/1', 'and to nobody else');

# a resource that does not exist may be one that is hidden

$w = watch('resource=/plain/none&resource=/plain/1', headers => [bob()]);
is(next_event($w)->{event}, 'deleted', 'nothing there');
next_event($w);
is(PUT('/plain/none', { n => 1 }, 'If-None-Match: *', ann())->{status}, 201,
   'it is created');
PUT('/plain/1', { n => 3, base_version => version(GET('/plain/1')) }, ann());
is(next_event($w)->{resource}, '/plain/1', 'that is not told');
$w = watch('resource=/plain/none', headers => [bob()]);
is(next_event($w)->{event}, 'version', 'before another GET');

$r = GET('/events?resource=/free/1');
is($r->{status}, 400, 'a location without versions cannot be watched');
is(json($r)->{error}, 'malformed_resource', 'why');
like(json($r)->{detail}, qr/no guarded location/, 'in words');


=== who loses the right hears no more
--- events: recheck=300ms
--- more
        location /turn/ {
            auth_request /may;
            conflict version;
            proxy_pass http://api;
        }
        location = /may {
            internal;
            conflict off;
            proxy_pass http://api/plain/may;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
--- steps
set_doc('/plain/may', { n => 1 });
set_doc('/turn/1', { n => 1 });

GET('/turn/1', bob());
my $w = watch('resource=/turn/1', headers => [bob()]);
is(next_event($w)->{event}, 'version', 'allowed');

ok(closed($w), 'the stream ends');
ok($w->{whole}, 'as a whole response');
is($w->{retry}, 100, 'and says when to come again');

set_doc('/plain/may', undef);
isnt(GET('/events?resource=/turn/1', bob())->{status}, 200, 'refused then');


=== locks
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my $w = watch('resource=/plain/1', headers => [bob()]);
is(next_event($w)->{event}, 'version', 'free');

my $r = lock('/plain/1', ann());
my $e = next_event($w);
is("$e->{event} $e->{lock}{user} $e->{lock}{client}", 'locked ann laptop',
   'acquired');
is($e->{lock}{token}, undef, 'without its token');
unlike($w->{text} . $w->{data}, qr/token/, 'anywhere');
cmp_ok($e->{lock}{expires_in}, '<=', 600, 'for how long');
is($e->{mine}, JSON::PP::false, 'by somebody else');

my $mine = watch('resource=/plain/1', headers => [ann()]);
is(next_event($mine)->{event}, 'version', 'who comes later');
$e = next_event($mine);
is("$e->{event} $e->{mine}", 'locked 1', 'hears of it as well');

is(lock('/plain/1', token($r))->{status}, 200, 'a renewal');
is(unlock('/plain/1', token($r))->{status}, 200, 'a release');
is(next_event($w)->{event}, 'unlocked', 'only the release is told');


=== a lock that somebody waits for, and that is handed over
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my $r = lock('/plain/1', ann());
my $w = watch('resource=/plain/1', headers => [ann()]);
my $b = watch('resource=/plain/1', headers => [bob()]);
my $id;

for my $who ($w, $b) {
    is(next_event($who)->{event}, 'version', 'the version');
    $id = $who->{id};
    is(next_event($who)->{event}, 'locked', 'and the lock');
}

is(lock('/plain/1', bob())->{status}, 409, 'another one asks for it');
my $e = next_event($w);
is("$e->{event} $e->{user} $e->{client}", 'lock_asked bob phone',
   'the holder hears who');

# who was away hears of it if it is the holder

my %asked = map { $_->[0] => scalar grep { $_->{event} eq 'lock_asked' }
                  @{ json(poll('resource=/plain/1', @$_[1, 2],
                               "Last-Event-ID: $id"))->{events} } }
            [ann => ann()], [bob => bob()], [eve => 'X-User: eve', 'X-A: b'];
is_deeply(\%asked, { ann => 1, bob => 0, eve => 0 }, 'the holder alone');

is(http('DELETE', '/plain/1/lock?handover=1', headers => [token($r)])
   ->{status}, 200, 'handed over');

for my $who ($w, $b) {
    $e = next_event($who);
    is("$e->{event} $e->{lock}{user}", 'locked bob', 'for whom, and no name '
       . 'of one that waits');
    is($e->{lock}{reserved}, JSON::PP::true, 'it is reserved');
}

my $new = watch('resource=/plain/1', headers => ['X-User: eve']);
is(until_event($new, 'locked')->{lock}{reserved}, JSON::PP::true,
   'for who comes now as well');

is(lock('/plain/1', 'X-User: eve')->{status}, 409, 'another one asks');
is(next_event($b)->{user}, 'eve', 'which is told to the next holder');

is(lock('/plain/1', bob())->{status}, 200, 'who acquires it');

for my $who ($w, $b, $new) {
    $e = next_event($who);
    is("$e->{event} $e->{lock}{user}", 'locked bob', 'which is told');
    is($e->{lock}{reserved}, undef, 'as held');
}


=== a holder without a user: its client is no secret
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my @laptop = ('X-Client: laptop');
my $r = lock('/plain/1', @laptop);
my $w = watch('resource=/plain/1', headers => [@laptop]);
is(until_event($w, 'locked')->{lock}{client}, 'laptop', 'a stream');

is(lock('/plain/1', bob())->{status}, 409, 'bob waits');
my $e = next_event($w);
is($e->{event}, 'lock_asked', 'it hears that somebody does');
is($e->{user} // $e->{client}, undef, 'and not who');

$w = watch('resource=/plain/1', headers => [@laptop]);
$e = until_event($w, 'lock_asked');
is($e->{user} // $e->{client}, undef, 'another stream hears no more');

is(json(http('GET', '/plain/1/lock', headers => [@laptop, token($r)]))
   ->{waiting}[0]{user}, 'bob', 'the token tells');


=== somebody waits for the lock already when a stream begins
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my $r = lock('/plain/1', ann());
is(lock('/plain/1', bob())->{status}, 409, 'bob waits');
lock('/plain/1', 'X-User: cid', 'X-Client: pad');

# the holder hears of the first, on each of its devices; others do not

for my $client ('laptop', 'phone') {
    my $w = watch('resource=/plain/1', headers => ['X-User: ann',
                                                   "X-Client: $client"]);
    is(next_event($w)->{event}, 'version', 'the version');
    is(next_event($w)->{event}, 'locked', 'the lock');
    my $e = next_event($w);
    is("$e->{event} $e->{user} $e->{client}", 'lock_asked bob phone',
       "who waits, on the $client");
}

my $b = watch('resource=/plain/1', headers => [bob()]);
is(next_event($b)->{event}, 'version', 'the version');
is(next_event($b)->{event}, 'locked', 'the lock');

# a poll that goes on from an id hears only of what is new

my $p = json(poll('resource=/plain/1', ann()));
is(join(' ', map { $_->{event} } @{ $p->{events} }),
   'version locked lock_asked', 'the first poll');

my $v = version(GET('/plain/1'));
my $next = start('GET', "/events?poll=1&resource=/plain/1&since=$v",
                 headers => [ann(), "Last-Event-ID: $p->{id}"]);
PUT('/plain/1', { n => 2, base_version => $v }, token($r));
$p = json(finish($next));
is(join(' ', map { $_->{event} } @{ $p->{events} }), 'version', 'the next');

my $e = next_event($b);
is($e->{event}, 'version', 'others hear nothing else');

# so does a stream, also of what happened in between

my $w = watch('resource=/plain/1', headers => [ann(),
                                               "Last-Event-ID: $p->{id}"]);
is(next_event($w)->{event}, 'version', 'the version');
is(next_event($w)->{event}, 'locked', 'the lock');
lock('/plain/1', 'X-User: dan', 'X-Client: tab');
$e = next_event($w);
is("$e->{event} $e->{user}", 'lock_asked dan', 'the next who asks');


=== one more asks before a stream knows what the store says
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

lock('/plain/1', ann());
lock('/plain/1', bob());
my $id = json(poll('resource=/plain/1', ann()))->{id};

# a write is in flight, so the stream waits for the next answer

my $write = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
                  headers => ['X-Up-Write: hold apply', ann()]);
until_true { grep { $_->{method} eq 'PUT' } seen() };

my $w = watch('resource=/plain/1', headers => [ann(), "Last-Event-ID: $id"]);
is(lock('/plain/1', 'X-User: dan', 'X-Client: tab')->{status}, 409, 'dan');
my $e = until_event($w, 'lock_asked');
is($e->{user}, 'dan', 'is told, and not those before again');

release();
finish($write);


=== a lock that expires
--- events: heartbeat=200ms
--- more
        location ~ ^(?<resource>/.*)/brief$ {
            conflict_key $resource;
            conflict_lock idle=2s;
        }
--- steps
set_doc('/plain/1', { n => 1 });
GET('/plain/1');

my $w = watch('resource=/plain/1', headers => [bob()]);
next_event($w);
http('POST', '/plain/1/brief', headers => [ann()]);
is(next_event($w)->{event}, 'locked', 'locked');
is(next_event($w)->{event}, 'unlocked', 'nobody says so, but it is noticed');


=== conflicts of one's own writes
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch('resource=/plain/1', headers => [bob()]);
my $other = watch('resource=/plain/1', headers => [ann()]);
my $nobody = watch('resource=/plain/1');
next_event($_) for $w, $other, $nobody;

PUT('/plain/1', { n => 2, base_version => $v }, ann());
next_event($_) for $w, $other, $nobody;

my $r = PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: bob',
            'X-Client: tablet');
is($r->{status}, 409, 'a stale write');

my $e = next_event($w);
is("$e->{event} $e->{action}", 'conflict conflict_version', 'is told');
is($e->{conflict_id}, json($r)->{conflict_id}, 'as in the log');
is($e->{mine}, JSON::PP::false, 'of another device');

$v = version($r) || json($r)->{version};
is(PUT('/plain/1', { n => 4, base_version => json($r)->{version} }, ann())
   ->{status}, 204, 'a change after it');
is(next_event($other)->{event}, 'version', 'others hear only that');
is(next_event($nobody)->{event}, 'version', 'and who has no name');

# names are cut: one with the same beginning may be of somebody else

my $long = 'X-User: ' . 'x' x 112;
my ($same, $exact) = map { watch('resource=/plain/1', headers => [$_]) }
                     $long . 2, $long;
next_event($_) for $same, $exact;

is(PUT('/plain/1', { n => 5, base_version => $v }, $long . 1)->{status}, 409,
   'a conflict of a user with a long name');
is(PUT('/plain/1', { n => 5 }, ann())->{status}, 204, 'a change after it');
is(next_event($_)->{event}, 'version', 'others hear only that')
    for $same, $exact;


=== a write whose outcome is not known
--- rules
        conflict_quarantine 100ms;
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch('resource=/plain/1', headers => [bob()]);
next_event($w);

PUT('/plain/1', { n => 2, base_version => $v }, 'X-Up-Write: apply close',
    ann());
is(next_event($w)->{event}, 'unknown', 'read it again');

my $now;
until_true { $now = version(GET('/plain/1', bob())) };
ok($now, 'which resolves it');


=== requests that make no sense
--- steps
set_doc('/plain/1', { n => 1 });

for my $query ('', 'resource=', 'resource=plain/1', 'resource=http://x/',
               'resource=/a%00b', 'resource=/a%0ab', 'resource=/a+b',
               'resource=/../plain/1', 'resource=/%252e%252e/x',
               'since=5&resource=/plain/1', 'resource=/plain/1&since=x',
               'resource=%', 'resource', '&&=&', '=/plain/1',
               resources(('/plain/1') x 65))
{
    my $r = GET("/events?$query", bob());
    is($r->{status}, 400, "'" . substr($query, 0, 30) . "'");
    is(json($r)->{error}, 'malformed_resource', 'its error');
}

for my $method (qw(POST PUT DELETE PATCH)) {
    my $r = http($method, '/events?resource=/plain/1', headers => [bob()],
                 body => '{"x":1}');
    is($r->{status}, 405, $method);
    is(header($r, 'Allow'), 'GET, HEAD, OPTIONS', 'what there is');
}

my $r = http('OPTIONS', '/events?resource=/plain/1');
is($r->{status}, 204, 'OPTIONS');
is(header($r, 'Allow'), 'GET, HEAD, OPTIONS', 'methods');

$r = HEAD('/events?resource=/plain/1', bob());
is("$r->{status} $r->{body}", '200 ', 'HEAD');

# the same resource in other words, with arguments, and twice

GET('/plain/1');
my $w = watch('resource=//plain/./1&resource=/plain/1?x=1%26y=2'
              . '&resource=/plain/%2531', headers => [bob()]);
is(next_event($w)->{resource}, '//plain/./1', 'named as the client does');
is(next_event($w)->{resource}, '/plain/1?x=1&y=2', 'with arguments');
is(next_event($w)->{resource}, '/plain/%31', 'or escaped');

my $v = version(GET('/plain/1'));
PUT('/plain/1', { n => 2, base_version => $v }, ann());
is_deeply([map { next_event($w)->{event} } 1 .. 3], [('version') x 3],
          'it is one resource');


=== pages of other origins
--- steps
set_doc('/plain/1', { n => 1 });
my $cors = 'header=Access-Control-Allow-Origin:https://app.example';
my @page = ('Origin: https://app.example', "X-Up-Read: apply $cors");

my $r = http('OPTIONS', '/events?resource=/plain/1',
             headers => [@page, 'Access-Control-Request-Method: GET',
                         'Access-Control-Request-Headers: last-event-id']);
is($r->{status}, 204, 'a preflight');
like(header($r, 'Access-Control-Allow-Headers'), qr/Last-Event-ID/i,
     'with the fields of a stream');
unlike(header($r, 'Access-Control-Allow-Methods'), qr/DELETE/, 'and methods');

my $w = watch('resource=/plain/1', headers => [@page]);
like($w->{head}, qr/^Access-Control-Allow-Origin: https/m,
     'it may read the stream');
is(next_event($w)->{resource}, '/plain/1', 'which it can');


=== pages of other origins that may read some of the resources
--- more
location ~ ^/plain/(open|keyed)/ {
    conflict version;
    set $credentials 'header=X-Nothing:1';
    if ($uri ~ keyed) {
        set $credentials 'header=Access-Control-Allow-Credentials:true';
    }
    proxy_set_header X-Up-Read "apply $credentials header=Access-Control-Allow-Origin:https://app.example";
    proxy_pass http://api;
}
--- steps
my @doc = map { "/plain/$_" } qw(1 open/1 open/2 keyed/1);
my @none = ('/plain/open/none', '/free/1');

set_doc($_, { n => 1 }) for @doc;

sub allowed {
    my $r = poll(resources(@_), 'Origin: https://app.example');

    is($r->{status}, 200, "a response: @_");

    return header($r, 'Access-Control-Allow-Origin');
}

is(allowed(@doc[1, 2]), 'https://app.example', 'all of them');
is(allowed($doc[1], @none), 'https://app.example',
   'all that it is told of');
is(allowed(@doc[0, 1]), undef, 'not the first one');
is(allowed(@doc[1, 0]), undef, 'not the last one');
is(allowed(@doc[1, 0, 2]), undef, 'not one of them');
is(allowed($doc[0], @none), undef, 'none');
is(allowed(@doc[1, 3]), undef, 'one without credentials');

my $w = watch(resources(@doc[0, 1]),
              headers => ['Origin: https://app.example']);
unlike($w->{head}, qr/^Access-Control/m, 'nor a stream');


=== a change by what nobody has called a write
--- events: heartbeat=1m
--- rules
        conflict_quarantine 0;
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $w = watch('resource=/plain/1', headers => [bob()]);
is(next_event($w)->{version}, $v, 'before it');
is(http('MERGE', '/plain/1', body => { n => 2 })->{status}, 204, 'it passes');
is(next_event($w)->{event}, 'unknown', 'read it again');

is(json(GET('/plain/1', bob()))->{n}, 2, 'and there is the change');


=== versions of the upstream
--- events: heartbeat=500ms
--- more
        location /own/ {
            conflict version;
            conflict_version json:/version;
            conflict_base json:/version;
            proxy_pass http://api;
        }
        location /etag/ {
            conflict version;
            conflict_version header:ETag;
            proxy_pass http://api;
        }
--- steps
set_doc('/own/1', { n => 1 });
set_doc('/etag/1', { n => 1 });

my $w = watch('resource=/own/1&resource=/etag/1', headers => [bob()]);
is(next_event($w)->{event}, 'unknown', 'the store does not know them yet')
    for 1 .. 2;

my $own = json(GET('/own/1'))->{version};
my $r = PUT('/own/1', { version => $own, n => 2 }, ann());
like($r->{status}, qr/^20/, 'a write');

my $e = until_event($w, 'version');
is($e->{version}, json(GET('/own/1'))->{version}, 'its version is a number');
isnt($e->{version}, $own, 'another one');

$r = PUT('/etag/1', { n => 2 }, 'If-Match: ' . header(GET('/etag/1'), 'ETag'),
         ann());
like($r->{status}, qr/^20/, 'a write');
$e = until_event($w, 'version', '/etag/1');
is($e->{event}, 'version', 'a tag that is none');
is($e->{version}, undef, 'is not shown');

# nevertheless a client can say that it has it

my $tag = header(GET('/etag/1'), 'ETag');
my ($now) = $tag =~ /"(.*)"/;
my %told = map { $_ => join ' ', map { $_->{event} }
                 @{ json(poll("resource=/etag/1&since=$_"))->{events} } }
           "%22$now%22", "W/%22$now%22", '%22other%22';
is_deeply(\%told, { "%22$now%22" => '', "W/%22$now%22" => 'version',
                    '%22other%22' => 'version' }, 'by its tag');


=== the target of the stream has no path
--- events: heartbeat=500ms
--- more
        location = / {
            conflict_events heartbeat=500ms;
            conflict_user $http_x_user;
        }
--- steps
set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $r = http('GET', 'http://localhost?poll=1&resource=/x/../plain/1',
             headers => [bob()]);
is(json($r)->{events}[0]{version}, $v, 'the resources have');
