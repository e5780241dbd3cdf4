# Hosts whose writes wait for the same key: one that always has more of them
# lets the others have their turns.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

# two hosts, as far as Redis can tell, since stores share no queue; a worker
# does not wake itself, so they cannot wake each other

our $redis = $ENV{TEST_NGINX_REDIS_PORT};
my $wired = free_port();

wire_start($wired, $redis);
need_debug();
Conflict::install('Test::Nginx::Socket');
workers(1);
master_on();
worker_connections(2048);
log_level('debug_http');

add_block_preprocessor(sub {
    my $block = shift;
    my $common = 'conflict_key $1; conflict_wait 20s; proxy_pass http://api$1;';

    $block->set_value('main_config', 'worker_rlimit_nofile 4096;');
    $block->set_value('http_config', ($block->http_config // '')
        . "conflict_store other redis://127.0.0.1:$redis timeout=2s"
        . " failover=trust;\n"
        . "conflict_store wired redis://127.0.0.1:$wired timeout=20s"
        . " failover=trust;\n");
    $block->set_value('config', <<"END");
        location ~ ^/one(/.*) { conflict version; $common }
        location ~ ^/two(/.*) { conflict version store=other; $common }
        location ~ ^/wired(/.*) { conflict version store=wired; $common
                                  conflict_lease 777777ms; }
        location ~ ^/last(/.*) { conflict lww store=wired; conflict_wait 0;
                                 conflict_lease 777777ms;
                                 conflict_key \$1; proxy_pass http://api\$1; }
END
});

sub waiting {
    my %n = map { $_ => 1 }
            error_log() =~ /\*(\d+) conflict state: wait for write/g;

    return scalar keys %n;
}

sub scripts {
    redis($redis, 'INFO', 'commandstats') =~ /cmdstat_evalsha:calls=(\d+)/;

    return $1;
}

# a write whose begin is answered after "meanwhile", and which asks again then;
# its client leaves before that is answered

sub leaves_while_asked {
    my ($path, $meanwhile) = @_;

    my $before = scripts();

    # the script that is called if the short one finds a lease has the sum of
    # lease and quarantine

    wire('hold 782777');
    my $gone = start('PUT', $path, body => { n => 'gone' });
    until_true { scripts() == $before + 2 };

    $meanwhile->($before + 2);

    my $begun = log_count(qr/conflict state: store begin/);
    my $left = log_count(qr/client prematurely closed/);

    redis($redis, 'CLIENT', 'PAUSE', 20000, 'WRITE');
    wire('pass');
    until_true { log_count(qr/conflict state: store begin/) > $begun };

    close $gone->{socket};
    until_true { log_count(qr/client prematurely closed/) > $left };
    redis($redis, 'CLIENT', 'UNPAUSE');
}

sub written { map { /"n":"?(\w+)/ } map { $_->{body} } journal() }

run_tests();

__DATA__

=== both have all their writes done
--- steps
set_doc('/plain/1', { n => 0 });

my $first = start('PUT', '/one/plain/1', body => { n => 'first' },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

my @writes = map { start('PUT', "/$_/plain/1", body => { n => $_ }) }
             ('one', 'two') x 30;

until_true { waiting() == 60 };
release();
is(finish($first)->{status}, 204, 'the first');

my %count;
$count{finish($_)->{status}}++ for @writes;
is_deeply(\%count, { 204 => 60 }, 'nobody is refused');


=== the one that is never out of work lets the other in
--- steps
set_doc('/plain/1', { n => 0 });

my $before = waiting();
my $first = start('PUT', '/one/plain/1', body => { n => 'first' },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

my @writes = map { start('PUT', '/one/plain/1', body => { n => 'one' },
                         headers => ['X-Up-Write: sleep=0.01 apply']) }
             1 .. 100;
my $other = start('PUT', '/two/plain/1', body => { n => 'two' });

until_true { waiting() == $before + 101 };
release();
is(finish($other)->{status}, 204, 'the other');
is(finish($_)->{status}, 204, 'one') for $first, @writes;

isnt((written())[-1], 'two', 'which was not the last');


=== the turn of a client that has gone meanwhile is passed on
--- steps
set_doc('/plain/1', { n => 0 });

my $first = start('PUT', '/one/plain/1', body => { n => 'first' },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

my $before = waiting();
my $gone = start('PUT', '/one/plain/1', body => { n => 'gone' });
until_true { waiting() == $before + 1 };
my $next = start('PUT', '/one/plain/1', body => { n => 'next' });
until_true { waiting() == $before + 2 };

# it leaves between its begin and the answer

my $left = log_count(qr/client prematurely closed connection/);

redis($::redis, 'CLIENT', 'PAUSE', 20000, 'WRITE');
release();
is(finish($first)->{status}, 204, 'the first');
close $gone->{socket};
until_true { log_count(qr/client prematurely closed connection/) > $left };
redis($::redis, 'CLIENT', 'UNPAUSE');

is(finish($next)->{status}, 204, 'the next one');
is_deeply([written()], ['first', 'next'], 'and the upstream saw no other');
is(PUT('/one/plain/1', { n => 'last' })->{status}, 204, 'the resource is free');


=== a client that leaves while the store is asked again is forgotten
--- steps
set_doc('/plain/1', { n => 0 });

my $first = start('PUT', '/two/plain/1', body => { n => 'first' },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

my $before = waiting();
my $gone = start('PUT', '/one/plain/1', body => { n => 'gone' });
until_true { waiting() == $before + 1 };

redis($::redis, 'CLIENT', 'PAUSE', 20000, 'WRITE');
my $left = log_count(qr/client prematurely closed/);
until_true { (error_log() =~ /conflict state: (.+)/g)[-1] eq 'store verdict' };

close $gone->{socket};
until_true { log_count(qr/client prematurely closed/) > $left };
redis($::redis, 'CLIENT', 'UNPAUSE');

release();
is(finish($first)->{status}, 204, 'the first');
is(PUT('/one/plain/1', { n => 'next' })->{status}, 204, 'the next one');
is_deeply([written()], ['first', 'next'], 'and the upstream saw no other');


=== or while it is asked at once, as the lease was settled meanwhile
--- steps
set_doc('/plain/1', { n => 0 });

my $first = start('PUT', '/wired/plain/1', body => { n => 'first' },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

leaves_while_asked('/wired/plain/1', sub {
    my ($scripts) = @_;

    release();
    is(finish($first)->{status}, 204, 'the first');
    until_true { scripts() == $scripts + 1 };
});

is(PUT('/wired/plain/1', { n => 'next' })->{status}, 204, 'the next one');
is_deeply([written()], ['first', 'next'], 'and the upstream saw no other');


=== or while it is asked for the last time, since it may overwrite then
--- steps
set_doc('/plain/1', { n => 0 });

my $first = start('PUT', '/last/plain/1', body => { n => 'first' },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

leaves_while_asked('/last/plain/1', sub { });

release();
is(finish($first)->{status}, 204, 'the first');
is(PUT('/last/plain/1', { n => 'next' })->{status}, 204, 'the next one');
is_deeply([written()], ['first', 'next'], 'and the upstream saw no other');
