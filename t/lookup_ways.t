# The lease of a lookup, together with what else a write may meet: an inbox, a
# lock, an Idempotency-Key, a resolver, a client that leaves, a worker that is
# killed, a reload.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Inbox;
use Conflict::Lookup;
use Conflict::Many;
use Conflict::Status;
use Test::Nginx::Socket 'no_plan';

my $Resolver = $ENV{TEST_NGINX_RESOLVER_PORT} = free_port();

Conflict::start_server('resolver.py', $Resolver);
Conflict::install('Test::Nginx::Socket');

master_on();
workers(2);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<"END" . ($block->more // ''));
        location / {
            conflict @{[ $block->policy // 'version' ]};
            conflict_version json:/version;
            conflict_user \$http_x_user;
            conflict_lease @{[ $block->lease // '10s' ]};
            conflict_quarantine @{[ $block->quarantine // '5s' ]};
            proxy_pass http://api;
            @{[ $block->location // '' ]}
        }
        location ~ ^(?<resource>/.*)/lock\$ {
            conflict_key \$resource;
            conflict_user \$http_x_user;
            conflict_lock idle=10s;
        }
        location = /status { conflict_status json; }
END
});

# the latest version is 3

sub in_lookup {
    my ($path, $body, @headers) = @_;

    set_doc($path, { n => 0 });

    return looking_up('PUT', $path, body => $body, headers => \@headers);
}

sub in_flight { status()->{writes_in_flight} }

# nothing of the lease is there any more

sub is_open {
    my ($path) = @_;

    is(in_flight(), 0, 'nothing is in flight');
    is(PUT($path, { n => 9 })->{status}, 200, 'others may write at once');
}

run_tests();

__DATA__

=== a body that is held
--- policy: version hold
--- more
    location = /inbox { conflict_inbox; conflict_user $http_x_user; }
--- steps
my $write = in_lookup('/own/1', { n => 'mine', base_version => 2 }, ann());
release();

my $r = finish($write);
is($r->{status}, 409, 'a stale base');
is(json($r)->{version}, 3, 'by the version that the second GET has shown');

my @items = inbox(ann());
is(scalar(@items), 1, 'its body is held');
is($items[0]{id}, json($r)->{held}, 'under the id that it was told');

is_open('/own/1');


=== a lock that is acquired meanwhile
--- steps
my $write = in_lookup('/own/1', { n => 'mine', base_version => 3 },
                       'X-User: ann');

is(http('POST', '/own/1/lock', headers => ['X-User: bob'])->{status}, 200,
   'another user locks it');
release();

my $r = finish($write);
is($r->{status}, 409, 'the base is good');
is(json($r)->{error}, 'locked', 'but it is locked');
is(json($r)->{lock}{user}, 'bob', 'by whom');
is(in_flight(), 0, 'nothing is in flight');
is(PUT('/own/1', { n => 9 }, 'X-User: bob')->{status}, 200,
   'who may write at once');
is(written(), 'first second 9', 'it was not sent');


=== an Idempotency-Key
--- location: conflict_idempotency on;
--- steps
my @write = ('/own/1', { n => 'mine', base_version => 3 }, 'X-User: ann',
             'Idempotency-Key: "3e6e5f3d-a"');
my $write = in_lookup(@write);

is(json(PUT(@write))->{error}, 'request_in_progress', 'it is in progress');
release();

my $r = finish($write);
is($r->{status}, 200, 'it is done');

my $again = PUT(@write);
is($again->{body}, $r->{body}, 'and its response is replayed');
is(written(), 'first second mine', 'once');
is_open('/own/1');

# a base that is stale

@write = ('/own/2', { n => 'mine', base_version => 2 }, 'X-User: ann',
          'Idempotency-Key: "3e6e5f3d-b"');
$write = in_lookup(@write);
release();
is(finish($write)->{status}, 409, 'a stale base');
is(PUT(@write)->{status}, 409, 'which the key does not keep');
is_open('/own/2');


=== a resolver
--- policy: merge
--- location
    conflict_history 8;
    conflict_resolver /_resolver/sum timeout=1m;
--- more
    location /_resolver/ {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RESOLVER_PORT/;
    }
--- steps
set_doc('/own/1', { n => 0 });
is(json(GET('/own/1', 'X-User: ann'))->{version}, 1, 'what ann has seen');

my @unknown = 'X-Up-Write: apply status=500';
PUT('/own/1', { n => 1 }, @unknown);

my $write = start('PUT', '/own/1',
                  body => { n => 10, version => 1, base_version => 1 },
                  headers => ['X-Up-Read: hold apply', 'X-Id: write',
                              'X-User: ann']);
gets('/own/1', 1);
PUT('/own/1', { n => 2 }, @unknown);
release();
gets('/own/1', 2);
release();

my $r = finish($write);
is($r->{status}, 200, 'merged');
is(json($r)->{n}, 12, 'with what has overtaken its first GET');
is_open('/own/1');


=== a client that leaves
--- steps
for my $how ('closes', 'resets') {
    my $path = "/own/$how";
    my $write = in_lookup($path, { n => 'mine', base_version => 3 });

    is(in_flight(), 1, "$how - its lookup is in flight");

    $how eq 'closes' ? close $write->{socket}
                     : reset_connection($write->{socket});

    is(until_true { in_flight() == 0 }, 1, "$how - and ends");
    is_open($path);
}

release();
is(written(), 'first second 9 first second 9', 'neither was sent');


=== a worker that is killed
--- lease: 1s
--- quarantine: 1s
--- allow: signal 9
--- steps
my $write = in_lookup('/own/1', { n => 'mine', base_version => 3 });

kill 'KILL', workers_of(master_pid());
is(finish($write)->{status}, 0, 'no response');

my $r;
until_true {
    $r = PUT('/own/1', { n => 'next', base_version => 3 });
    $r->{status} != 503 && $r->{status} != 0
    && (json($r)->{error} // '') ne 'write_in_progress';
};
is($r->{status}, 200, 'the resource opens again, under the version it had');
is(written(), 'first second next', 'the other one was not sent');


=== a reload
--- steps
my $write = in_lookup('/own/1', { n => 'mine', base_version => 3 });

reload();

my $r = PUT('/own/1', { n => 'next', base_version => 2 });
is($r->{status}, 409, 'a write to the new workers waits');
is(json($r)->{error}, 'write_in_progress', 'for that of the old ones');

release();
is(finish($write)->{status}, 200, 'which passes');
is(PUT('/own/1', { n => 'next', base_version => 3 })->{status}, 409,
   'then the new ones know its version');
is(written(), 'first second mine', 'nothing else was sent');
