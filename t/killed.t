# Workers killed inside the zones of what is kept beside the versions: edits,
# those that wait for a lock, notes of versions, lists, held bodies, stored
# responses and events.  Whatever is lost then, all goes on.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Events;
use Conflict::Inbox;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);

# a request, until it is answered with a status: the zone may be closed

sub again {
    my ($status, $request, @args) = @_;
    my $r;

    until_true { $r = $request->(@args); $r->{status} == $status };

    return $r;
}

sub put { PUT($_[0], { n => $_[1] }, ann(), @_[2 .. $#_]) }
sub edit { put("/edited$_[0]", $_[1], "X-Edited-At: $_[1]", @_[2 .. $#_]) }
sub lock { http('POST', "$_[0]/lock", headers => [@_[1 .. $#_]]) }
sub versions { GET("$_[0]/versions", ann(), @_[1 .. $#_]) }

sub hand_over {
    return http('DELETE', "$_[0]/lock?handover=1", headers => [@_[1 .. $#_]]);
}

sub create {
    my ($path, @headers) = @_;

    return http('POST', $path, body => { n => 1 },
                headers => [ann(), 'X-Up-Write: apply status=201', @headers,
                            'Idempotency-Key: 0123456789-of-the-tests']);
}

# the version of a new document; one that is stale; an item of the inbox

sub fresh {
    my ($path) = @_;
    my $v;

    set_doc($path, { n => 0 });
    until_true { defined($v = version(GET($path, ann()))) };

    return $v;
}

sub stale {
    my ($path) = @_;
    my $v;

    again(204, sub { $v = fresh($path); put($path, 1, qq(If-Match: "$v")) });

    return $v;
}

# an item is listed only if it is there

sub newest_items {
    my @items = inbox_of('/inbox?limit=3', ann());

    return @items;
}

sub late { put($_[0], 2, qq(If-Match: "$_[1]"), @_[2 .. $#_]) }

sub item_of {
    my ($path) = @_;
    my ($v, $r);

    until_true {
        $v = stale($path);
        $r = late($path, $v);
        $r->{status} == 409 && json($r)->{held};
    };

    return json($r)->{held};
}

# a lock that was handed over to bob, or that he waits for

sub waits {
    my ($path) = @_;

    fresh($path);
    again(409, sub { lock($path, ann()); lock($path, bob()) });
}

sub reserved {
    my ($path) = @_;

    until_true { waits($path); hand_over($path, ann())->{status} == 200 };
}

# the id of the last event; what a client is told that has missed some

sub last_event {
    my ($id) = @_;

    until_true { $id = json(poll('resource=/plain/1', ann()))->{id} };

    return $id;
}

sub missed {
    my $r = again(200, \&poll, 'resource=/plain/1', ann(),
                  "Last-Event-ID: $_[0]");

    return join ' ', grep { /^(conflict|reset)$/ }
                     map { $_->{event} } @{ json($r)->{events} };
}

# For each kind: what is done before, with a new path; the request with which
# the worker is killed, given the result of that; and its status otherwise.

sub kinds {
    return (
        [ 'a first edit',
          sub { }, sub { edit($_[0], 2000, @_[2 .. $#_]) }, 201 ],

        [ 'a later edit',
          sub { again(201, \&edit, $_[0], 1000) },
          sub { edit($_[0], 2000, @_[2 .. $#_]) }, 204 ],

        [ 'an earlier edit',
          sub { again(201, \&edit, $_[0], 2000) },
          sub { edit($_[0], 1000, @_[2 .. $#_]) }, 200 ],

        [ 'an edit of unknown outcome',
          sub { again(500, \&edit, $_[0], 1000, 'X-Up-Write: apply status=500') },
          sub { edit($_[0], 2000, @_[2 .. $#_]) }, 204 ],

        [ 'one waits for a lock',
          sub { fresh($_[0]); again(200, \&lock, $_[0], ann()) },
          sub { lock($_[0], bob(), @_[2 .. $#_]) }, 409 ],

        [ 'a lock is handed over',
          \&waits, sub { hand_over($_[0], ann(), @_[2 .. $#_]) }, 200 ],

        [ 'a reserved lock is taken',
          \&reserved, sub { lock($_[0], bob(), @_[2 .. $#_]) }, 200 ],

        [ 'a version is noted',
          \&stale, sub { put($_[0], 2, @_[2 .. $#_]) }, 204 ],

        [ 'versions are listed',
          \&stale, sub { versions($_[0], @_[2 .. $#_]) }, 200 ],

        [ 'items of a list are made',
          sub { set_doc("$_[0]/1", { n => 1 }) },
          sub { GET("/list$_[0]", @_[2 .. $#_]) }, 200 ],

        [ 'items of a list are found',
          sub { fresh("$_[0]/1") },
          sub { GET("/list$_[0]", @_[2 .. $#_]) }, 200 ],

        [ 'a body is held', \&stale, \&late, 409 ],

        [ 'an item is shown', \&item_of, sub { show($_[1], ann(), @_[2 .. $#_]) }, 200 ],

        [ 'an item is removed',
          \&item_of, sub { discard($_[1], ann(), @_[2 .. $#_]) }, 204 ],

        [ 'a request has a key',
          sub { }, sub { create($_[0], @_[2 .. $#_]) }, 201 ],

        [ 'a response is replayed',
          sub { again(201, \&create, $_[0]) },
          sub { create($_[0], @_[2 .. $#_]) }, 201 ],
    );
}

run_tests();

__DATA__

=== at every point where a zone can be torn
--- config
    conflict_user $http_x_user;
    conflict_lease 100ms;
    conflict_quarantine 50ms;
    conflict_wait 20ms;
    location / {
        conflict version hold;
        conflict_history 2 versions;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /edited/ {
        conflict lww edited=header:X-Edited-At;
        proxy_pass http://api/;
    }
    location ~ ^/list(?<path>/.*)$ {
        conflict version;
        conflict_inject json:/data/*/version item=$path/$conflict_item;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock idle=10m;
    }
    location ~ ^(?<resource>/.*)/versions$ {
        conflict_key $resource;
        conflict_versions;
    }
    location = /inbox {
        conflict_inbox;
    }
    location = /events {
        conflict_events;
    }
--- allow: exited on signal 9|was locked by
--- steps
my $n = 0;

for (kinds()) {
    my ($name, $before, $request, $status) = @$_;
    my ($point, $killed, $bad) = (0, 1, 0);

    # killed at the first, second, ... point, until there is no other

    while ($killed) {
        $point++;
        $n++;

        my $state = $before->("/plain/k$n");
        my $r = $request->("/plain/k$n", $state,
                           "X-Conflict-Failpoint: $point");

        $killed = $r->{status} == 0;

        # the resource is usable, and another one is as ever

        my $well = until_true {
            $request->("/plain/k$n", $state)->{status} =~ /^[24]/;
        };

        $well &&= until_true {
            $n++;
            $state = $before->("/plain/k$n");
            $request->("/plain/k$n", $state)->{status} == $status;
        };

        # what is listed is there

        $well &&= until_true {
            !grep { show($_->{id}, ann())->{status} != 200 } newest_items();
        };

        $bad++ unless $well;
    }

    cmp_ok($point, '>', 2, "$name: several points");
    is($bad, 0, 'after each all went on');
}


=== an event that was half-written is not told, nor what it was written over
--- config
    conflict_user $http_x_user;
    conflict_lease 100ms;
    conflict_quarantine 50ms;
    conflict_wait 20ms;
    keepalive_requests 5000;
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /many {
        conflict lww;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT2/;
    }
    location = /events {
        conflict_events;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        keepalive_requests 5000;
        location / {
            return 204;
        }
    }
--- allow: exited on signal 9|was locked by
--- steps
my $v = stale('/plain/1');
my ($life, $n) = last_event() =~ /\A(.*-)(\d+)\z/ or die 'no id';

is(late('/plain/1', $v)->{status}, 409, 'a conflict of ann');

# the ring has room for 4096 events: almost as many as make this the oldest

my $i = 0;
many(4, sub { $i++ < 4000 ? { method => 'PUT', uri => "/many/$i" } : undef },
     sub { });

while (last_event() ne $life . ($n + 4095)) {
    again(204, \&PUT, '/many/last', {});
}

is(missed("$life$n"), 'conflict', 'it is told');

again(204, \&PUT, '/many/last', {});

# now a worker is killed at each point before the next event is complete

my ($bad, $point) = (0, 0);

until (last_event() ne $life . ($n + 4096)) {
    $point++;
    fresh("/plain/k$point");
    PUT("/many/k$point", {}, "X-Conflict-Failpoint: $point");
    $bad++ unless missed("$life$n") =~ /conflict|reset/;
}

cmp_ok($point, '>', 5, 'several points');
is($bad, 0, 'the client is told, or that something was missed');

my $w = watch('resource=/plain/1', headers => [ann()]);
my $seen = next_event($w)->{version};
my $made = version(again(204, sub { PUT('/plain/1', { n => 9 }) }));
until_true { ($seen = until_event($w, 'version')->{version}) == $made };
is($seen, $made, 'then changes are told as ever');
