# The lease of a lookup that ends before the lookup does, or that the write
# does not need any more: nothing of it stays behind.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lookup;
use Conflict::Status;
use Test::Nginx::Socket 'no_plan';

# in some blocks nginx reaches Redis by a wire that they can cut

our $shm = ($ENV{TEST_CONFLICT_STORE} // '') ne 'redis';
my $wired = free_port();

wire_start($wired, $ENV{TEST_NGINX_REDIS_PORT}) unless $shm;

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', 'conflict_store default redis://127.0.0.1:'
                                     . "$wired timeout=500ms failover=trust;\n")
        if defined $block->wired && !$shm;
});

# a write that has the lease instead, as the entry is lost

sub overtaking {
    my ($path) = @_;

    redis($ENV{TEST_NGINX_REDIS_PORT}, 'DEL', redis_key($path));

    my $n = seen();
    my $other = start('PUT', $path, body => { n => 'other' },
                      headers => ['X-Up-Write: sleep=1 apply']);

    until_true { seen() > $n };

    return $other;
}

# the last begin under the lease of a lookup, whose arguments begin behind two
# keys

sub begin_of {
    my ($monitor) = @_;

    return @{ (grep { lc $_->[0] eq 'evalsha' && @$_ > 20 && $_->[14] eq '3' }
               redis_commands($monitor))[-1] };
}

run_tests();

__DATA__

=== MOVE, whose second resource is being written
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_methods PUT MOVE;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });
set_doc('/own/2', { id => 2 });

my $other = start('PUT', '/own/2', body => { n => 'other' },
                  headers => ['X-Up-Write: sleep=2 apply']);
my $move = looking_up('MOVE', '/own/1',
                      headers => ['Destination: http://localhost/own/2',
                                  'If-Match: "3"']);
release();

is(finish($move)->{status}, 204, 'it waits for that');
is(finish($other)->{status}, 200, 'which is done first');


=== the lease is lost, and another write has the next one
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location = /status { conflict_status json; }
--- steps
SKIP: {
    skip 'shared memory loses no entry', 6 if $::shm;

    set_doc('/own/1', { id => 1 });

    my $write = looking_up('PUT', '/own/1',
                           body => { n => 'mine', base_version => 3 });

    is(status()->{writes_in_flight}, 1, 'a lookup is a write in flight');

    my $other = overtaking('/own/1');

    release();

    is(finish($other)->{status}, 200, 'the other one is done');

    gets('/own/1', 3);
    release();

    my $r = finish($write);

    is($r->{status}, 409, 'for which it waits');
    is(json($r)->{server_version}{n}, 'other', 'and then is stale');
    is(status()->{writes_in_flight}, 0, 'nothing is in flight');
    is(PUT('/own/1', { n => 'next' })->{status}, 200, 'nor leased');
}


=== Redis is gone, so that the write passes unchecked
--- wired
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
SKIP: {
    skip 'without Redis', 6 if $::shm;

    set_doc('/plain/1', { n => 'zero' });

    my $v = version(GET('/plain/1'));
    my @first = ('/plain/1', { n => 'first', base_version => $v });
    my @held = (body => { n => 'mine', base_version => $v },
                headers => ['X-Up-Read: hold apply', 'X-Id: write',
                            'X-Up-Write: sleep=2 apply']);

    PUT(@first, 'X-Up-Write: status=500');

    my $write = start('PUT', '/plain/1', @held);

    gets('/plain/1', 1);
    is(PUT(@first, 'X-Up-Write: status=500')->{status}, 500, 'not done');
    release();
    gets('/plain/1', 2);

    wire('cut');
    until_true { log_count(qr/is down/) };
    release();
    until_true { 3 == grep { $_->{method} eq 'PUT' } seen() };
    wire('pass');

    my $r = finish($write);

    is($r->{status}, 204, 'it passes');
    like(header($r, 'Conflict'), qr/^unchecked/, 'unchecked');

    until_true { version(GET('/plain/1')) };

    $r = PUT(@first);
    is($r->{status}, 204, 'the one that was not done');
    unlike(header($r, 'Conflict') // '', qr/^replayed/,
           'is not told that it was');
    is(json(GET('/plain/1'))->{n}, 'first', 'but done');
}


=== one that has waited for long enough takes it over
--- config
    location / {
        conflict lww;
        conflict_wait 500ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 'zero' });

my $v = version(GET('/plain/1'));
my $write = looking_up('PUT', '/plain/1',
                       body => { n => 'mine', base_version => $v });
my $other = start('PUT', '/plain/1', body => { n => 'other' },
                  headers => ['X-Up-Write: sleep=1 apply']);

until_true { 3 == grep { $_->{method} eq 'PUT' } seen() };
release();

is(finish($write)->{status}, 204, 'the lookup is over');
is(finish($other)->{status}, 204, 'the other one is done');


=== a begin that comes after the end of its request
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
SKIP: {
    skip 'shared memory is not asked late', 3 if $::shm;

    set_doc('/own/1', { id => 1 });

    my $monitor = redis_monitor($ENV{TEST_NGINX_REDIS_PORT});
    my $write = looking_up('PUT', '/own/1',
                           body => { n => 'mine', base_version => 3 },
                           headers => ['X-Up-Write: status=422']);
    release();

    is(finish($write)->{status}, 422, 'the lease was of no use');

    # a connection may have broken, and what was to be sent again is late

    like(redis($ENV{TEST_NGINX_REDIS_PORT}, begin_of($monitor)), qr/^\w/,
         'it is asked under that lease');
    is(PUT('/own/1', { n => 'next' })->{status}, 200, 'and does not get it');
}
