# Writes that wait for the same key have it in order of arrival, one after the
# other, and are woken.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

need_debug();
Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);
log_level('debug_http');

add_block_preprocessor(sub {
    my $block = shift;

    return if defined $block->config;

    $block->set_value('config', <<'END');
    location / {
        conflict version;
        conflict_wait 20s;
        conflict_lease 2s;
        conflict_quarantine 200ms;
        proxy_pass http://api;
    }
END
});

# the process of each request that has had to wait, by its number, in order

our $read = 0;

sub waiting {
    my @all = substr(error_log(), $main::read)
              =~ /(\d+)#\d+: \*(\d+) conflict state: wait for write/g;
    my (%pid, @order);

    while (my ($pid, $number) = splice @all, 0, 2) {
        push @order, $number unless $pid{$number};
        $pid{$number} = $pid;
    }

    return (\%pid, @order);
}

# begins to write and does not end, which the others wait for

sub hold {
    set_doc('/plain/1', { n => 0 });
    $main::read = length error_log();

    my $first = start('PUT', '/plain/1', body => { n => 'first' },
                      headers => ['X-Up-Write: hold apply']);
    begun(1);

    return $first;
}

# adds one that waits

sub queue {
    my ($n, %args) = @_;
    my (undef, @before) = waiting();
    my $write = start('PUT', '/plain/1', body => { n => $n }, %args);

    until_true { my (undef, @now) = waiting(); @now > @before }
        or die 'it does not wait';

    my ($pid, @now) = waiting();
    return { %$write, n => $n, id => $now[-1], pid => $pid->{$now[-1]} };
}

# adds some, until each worker has two

sub queue_in_both {
    my @writes;

    for my $n (1 .. 200) {
        push @writes, queue($n);

        my %of;
        $of{ $_->{pid} }++ for @writes;
        return @writes if $n >= 40 && keys %of == 2
                          && !grep { $_ < 2 } values %of;
    }

    die 'one worker has all connections';
}

# what the upstream was sent, in this order

sub written {
    grep { $_ ne 'first' } map { /"n":"?(\w+)/ } map { $_->{body} } journal();
}

run_tests();

__DATA__

=== in each worker they have it in order of arrival
--- steps
my $first = hold();
my @writes = queue_in_both();

release();
is(finish($first)->{status}, 204, 'the first');

my %count;
$count{finish($_)->{status}}++ for @writes;
is_deeply(\%count, { 204 => scalar @writes }, 'nobody is refused');

my %pid = map { $_->{n} => $_->{pid} } @writes;

for my $pid (workers_of(master_pid())) {
    my @order = grep { $pid{$_} == $pid } written();
    is_deeply(\@order, [sort { $a <=> $b } @order], 'in order');
}

cmp_ok(log_count(qr/conflict turn: passed on to write/), '>', @writes / 2,
       'which is passed on');
cmp_ok(log_count(qr/conflict turn: passed on by a worker/), '>', 0,
       'from one worker to the other as well');


=== only the first of a worker asks the store
--- steps
my $first = hold();
my @writes = queue_in_both();

sub asked {
    my %n;

    $n{$_}++ for substr(error_log(), $main::read)
                 =~ /\*(\d+) conflict state: store verdict/g;

    return \%n;
}

# these go on to ask

my $n;
until_true { $n = asked(); 2 == grep { ($n->{ $_->{id} } || 0) > 4 } @writes };

is(scalar(grep { $n->{ $_->{id} } } @writes), 2, 'none of the others does');

release();
finish($_) for $first, @writes;


=== one that comes later does not overtake
--- steps
my $first = hold();
my @writes = map { queue($_) } 1 .. 10;

release();

for my $n (11 .. 60) {
    push @writes, { %{ start('PUT', '/plain/1', body => { n => $n }) },
                    n => $n };
}

is(finish($first)->{status}, 204, 'the first');
is(finish($_)->{status}, 204, "write $_->{n}") for @writes;

my %seen;
my @order = grep { $_ <= 10 && !$seen{$_}++ } written();

for my $pid (workers_of(master_pid())) {
    my %mine = map { $_->{n} => 1 }
               grep { $_->{pid} && $_->{pid} == $pid } @writes;
    my @own = grep { $mine{$_} } @order;
    is_deeply(\@own, [sort { $a <=> $b } @own], 'in order');
}

is(scalar(written()), 60, 'each once');


=== a stale one need not wait
--- steps
set_doc('/plain/1', { n => 0 });
my $old = version(GET('/plain/1'));
PUT('/plain/1', { n => 1 });

my $first = hold();
my @writes = map { queue($_) } 1 .. 8;
my $r = PUT('/plain/1', { n => 'stale', base_version => $old });

is($r->{status}, 409, 'is refused');
is(json($r)->{error}, 'version_conflict', 'as stale');
is(scalar(grep { IO::Select->new($_->{socket})->can_read(0) } @writes), 0,
   'while others wait');

release();
is(finish($_)->{status}, 204, 'and have their turn') for $first, @writes;


=== of those on one base the first passes, and all others are told at once
--- steps
set_doc('/plain/1', { n => 0 });
my $v = version(GET('/plain/1'));
my $first = hold();

my @writes = map { start('PUT', '/plain/1', body => { n => $_,
                                                     base_version => $v }) }
             1 .. 30;
my $last = queue('last');

release();
is(finish($first)->{status}, 204, 'the first');

my %count;
$count{finish($_)->{status}}++ for @writes;
is_deeply(\%count, { 409 => 30 }, 'their base is stale by then');
is(finish($last)->{status}, 204, 'who comes behind them has a turn');


=== clients that leave have no turn
--- steps
my $first = hold();
my @writes = map { queue($_) } 1 .. 12;

# the one who asks for all is among them

for (reverse 0, 3, 4, 11) {
    my ($gone) = splice @writes, $_, 1;
    close $gone->{socket};
}

until_true {
    4 == log_count(qr/client prematurely closed connection/)
};

release();
is(finish($first)->{status}, 204, 'the first');
is(finish($_)->{status}, 204, "write $_->{n}") for @writes;
is_deeply([sort { $a <=> $b } written()], [2, 3, 6 .. 11], 'those that stayed');


=== nobody waits for longer than conflict_wait
--- config
    location / {
        conflict version;
        conflict_wait 300ms;
        proxy_pass http://api;
    }
--- steps
my $first = hold();
my @writes = map { queue($_) } 1 .. 20;
my %count;

$count{finish($_)->{status}}++ for @writes;
is_deeply(\%count, { 409 => 20 }, 'all are refused');
is(scalar(grep { $_->{action} eq 'conflict_busy' } conflicts()), 20,
   'as those who have waited');

release();
is(finish($first)->{status}, 204, 'the first');
is(PUT('/plain/1', { n => 21 })->{status}, 204, 'then the resource is free');


=== a policy that never refuses overwrites after the wait
--- config
    location / {
        conflict lww;
        conflict_wait 200ms;
        proxy_pass http://api;
    }
--- steps
my $first = hold();
my @writes = queue(1);

# once it has overwritten, nothing is in flight that these could wait for

push @writes, map { { %{ start('PUT', '/plain/1', body => { n => $_ }) },
                      n => $_ } } 2 .. 10;

is(finish($_)->{status}, 204, "write $_->{n}") for @writes;
is(scalar(written()), 10, 'all were sent');

release();
is(finish($first)->{status}, 204, 'the first');


=== a worker is killed: its lease expires, and others take over
--- allow: exited on signal 9
--- steps
my $first = hold();
my @writes = queue_in_both();

# the worker of the first

my ($pid) = substr(error_log(), $main::read)
            =~ /(\d+)#\d+: \*\d+ conflict state: forward/;
my @old = workers_of(master_pid());

kill 'KILL', $pid;

my %count;
$count{ finish($_)->{status} }++ for grep { $_->{pid} != $pid } @writes;
is_deeply(\%count, { 204 => scalar grep { $_->{pid} != $pid } @writes },
          'those of the other worker');

release();
until_true { my @now = workers_of(master_pid());
             @now == 2 && !grep { $_ == $pid } @now };

# its successor takes over its place among those that wait

$first = hold();
@writes = queue_in_both();
release();
is(finish($_)->{status}, 204, "write") for $first, @writes;


=== a reload while they wait
--- steps
my $first = hold();
my @writes = queue_in_both();

reload();

push @writes, queue_in_both();

release();
is(finish($first)->{status}, 204, 'the first');

my %count;
$count{finish($_)->{status}}++ for @writes;
is_deeply(\%count, { 204 => scalar @writes }, 'old and new ones');

# the old workers leave, and nothing waits for them

until_true { @{ [workers_of(master_pid(), 1)] } == 2 };

$first = hold();
@writes = queue_in_both();
release();
is(finish($_)->{status}, 204, "write") for $first, @writes;


=== MOVE and COPY wait for either of their resources
--- config
    location / {
        conflict version;
        conflict_wait 20s;
        proxy_pass http://api;
    }
--- steps
my $first = hold();

set_doc("/plain/$_", { n => 1 }) for 'a', 'z';

my @moves = map { my ($from, $to) = @$_;
                  start('COPY', "/plain/$from",
                        headers => ["Destination: /plain/$to",
                                    'If-None-Match: "1"']) }
            (['a', '1'], ['1', 'a'], ['z', '1'], ['1', 'z']) x 5;
my @writes = map { queue($_) } 1 .. 5;

release();
is(finish($first)->{status}, 204, 'the first');

my %count;
$count{ finish($_)->{status} < 500 ? 'ended' : 'failed' }++ for @moves;
is_deeply(\%count, { ended => 20 }, 'none is stuck');
is(finish($_)->{status}, 204, "write $_->{n}") for @writes;
