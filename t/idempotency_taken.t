# A write with an Idempotency-Key whose outcome is unknown: of those that are
# sent again one at a time takes its claim over.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();

add_block_preprocessor(sub {
    my $block = shift;

    my $quarantine = $block->quarantine // '300ms';

    $block->set_value('config', <<"END");
        location / {
            conflict version;
            conflict_lease 600ms;
            conflict_quarantine $quarantine;
            conflict_wait 5s;
            conflict_idempotency on;
            proxy_read_timeout 20s;
            proxy_pass http://api;
        }
END
});

my $n = 0;

our ($key, $v, @workers);
our $shm = ($ENV{TEST_CONFLICT_STORE} // '') ne 'redis';

sub begin {
    $key = sprintf 'key-%s-%016d', $$, ++$n;

    set_doc('/plain/1', { n => 0 });
    $v = version(GET('/plain/1'));
}

# a write that the API does not do, and does not answer, either

sub lost {
    begin();

    is(finish(again('close'))->{status}, 502, 'a write without an answer');
}

# it is sent again

sub again {
    my ($script, @base) = @_;

    @base = ("If-Match: $v") unless @base;

    return start('PUT', '/plain/1', body => { n => 1 },
                 headers => ["Idempotency-Key: $key", @base,
                             "X-Up-Write: $script"]);
}

sub error_of { return $_[0]{body} =~ /^\{/ ? json($_[0])->{error} : '' }

sub replayed { return header($_[0], 'Idempotent-Replayed') // 'no' }

# and without a base; if it is done, nothing could tell

sub unknown {
    my ($what) = @_;

    my ($before, $r) = scalar journal();

    until_true {
        $r = finish(again('apply', 'If-Match: *'));
        error_of($r) !~ /in_progress/;
    };

    is(error_of($r), 'request_outcome_unknown', $what);
    is(journal() - $before, 0, 'not sent');
}

# one worker takes what $code starts, and is stopped once $begun writes have
# reached the API; the other one serves what comes then

sub stopped {
    my ($code, $begun) = @_;

    until_true { @workers = workers_of(master_pid()); @workers == 2 };
    stop($workers[0]);

    my $request = $code->();
    begun($begun);

    stop($workers[1]);
    kill 'CONT', $workers[0];

    return $request;
}

sub stop {
    my ($pid) = @_;

    kill 'STOP', $pid;
    until_true { slurp("/proc/$pid/stat") =~ /\) T / };
}

# sent until the claim before it has ended

sub taken {
    my ($script) = @_;

    my $r;

    until_true {
        $r = finish(again($script));
        error_of($r) ne 'request_in_progress';
    };

    return $r;
}

run_tests();

__DATA__

=== one that is refused does not release another one's
--- allow: prematurely closed
--- steps
lost();

my $slow = stopped(sub { again('hold apply') }, 2);

is(taken('status=403')->{status}, 403, 'a second one takes over, is refused');
unknown('the first may still be done');

release();
kill 'CONT', $::workers[1];
finish($slow);
unknown('and is done');


=== one that waits for the first in vain does not make its key new
--- quarantine: 10s
--- steps
begin();

my $slow = stopped(sub { again('hold apply') }, 1);

is(taken('apply')->{status}, 503, 'the first may still do it');
unknown('it is not carried out without a base');

release();
kill 'CONT', $::workers[1];

finish($slow);
unknown('nor is it later');
is(scalar journal(), 1, 'done once');


=== two at the same time
--- allow: prematurely closed
--- steps
lost();

sleep 1;

# both find that the outcome is unknown, before one takes over

redis($ENV{TEST_NGINX_REDIS_PORT}, qw(CLIENT PAUSE 300 WRITE)) unless $::shm;

my @two = map { again('hold apply') } 1, 2;

begun(2);
sleep 1;
release();

my ($done, $other) = sort { $a->{status} <=> $b->{status} }
                     map { finish($_) } @two;

is($done->{status}, 204, 'one is done');
is(error_of($other), 'request_in_progress', 'the other does not wait for it');
is(replayed(taken('apply')), 'true', 'the response is kept');
is(scalar journal(), 1, 'done once');


=== one that takes over, and whose worker is killed
--- allow: prematurely closed|exited on signal 9
--- steps
lost();

my $slow = again('hold alive apply');
begun(2);
is(error_of(finish(again('apply'))), 'request_in_progress', 'it holds the key');

kill 'KILL', workers_of(master_pid());
finish($slow);
release();

is(taken('apply')->{status}, 204, 'a third one takes over, and is done');
is(replayed(taken('apply')), 'true', 'and kept');
is(scalar journal(), 1, 'done once');
