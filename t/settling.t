# A new incarnation of a store is settling until earlier writes in flight must
# have landed: in responses, in the error log, on the dashboard.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();

add_block_preprocessor(sub {
    my $block = shift;

    my $policy = $block->policy // 'version';

    $block->set_value('config', <<"END");
        location / {
            conflict $policy;
            conflict_lease 3s;
            conflict_quarantine 1s;
            conflict_wait 20ms;
            proxy_pass http://api;
        }
        location = /status {
            conflict_status;
        }
        location = /metrics {
            conflict_status prometheus;
        }
END
    $block->set_value('allow', 'exited on signal 9|was locked by|'
                               . 'left inconsistent|is a new incarnation');
});

# the store loses its memory: Redis is flushed, a worker is killed while it
# changes the zone

sub forget {

    if (($ENV{TEST_CONFLICT_STORE} // 'shm') eq 'redis') {
        redis($ENV{TEST_NGINX_REDIS_PORT}, 'FLUSHALL');
        return;
    }

    PUT('/plain/torn', { n => 1 }, 'X-Conflict-Failpoint: 1');
    until_true { GET('/status')->{status} == 200 };
}

sub settling {
    my ($r) = @_;

    return header($r, 'Conflict') =~ /;settling=(\d+)/ ? $1 : undef;
}

sub store_status {
    my $r = http('GET', '/status?format=json');
    my ($s) = grep { $_->{name} eq 'default' } @{ json($r)->{stores} };

    return $s;
}

run_tests();

__DATA__

=== reads, writes and refusals say for how long
--- steps
set_doc('/plain/1', { n => 1 });

my $v;
until_true { defined($v = version(GET('/plain/1'))) };
is(settling(GET('/plain/1')), undef, 'a store that knows says nothing');

until_true { !store_status()->{settling} };
is(store_status()->{settling}, 0, 'nor does the dashboard');

forget();

my $r = PUT('/plain/1', { n => 2, base_version => $v });
is($r->{status}, 503, 'a write on a base waits');
is(json($r)->{error}, 'outcome_unknown', 'why');
like(header($r, 'Conflict'), qr/^busy;.*settling=[1-4]$/, 'and for how long');
is(() = $r->{head} =~ /^Retry-After:/mig, 1, 'one Retry-After');

$r = GET('/plain/1');
is($r->{status}, 200, 'a read passes');
like(header($r, 'Conflict'), qr/^passed;settling=[1-4]$/,
     'and says that nobody knows its version yet');
is(header($r, 'Retry-After'), settling($r), 'when to ask again');
is(header($r, 'ETag'), undef, 'no version');

is(PUT('/plain/2', { n => 1 })->{status}, 503, 'and one without a base');

cmp_ok(store_status()->{settling}, '>=', 1, 'the dashboard has it');
like(http('GET', '/metrics')->{body},
     qr/^nginx_conflict_store_settling_seconds\{store="default"\} [1-4]$/m,
     'the metrics');

my @said = error_log() =~ /^.*\[error\].*(?:left inconsistent|is a new incarnation).*$/mg;
is(scalar(@said), 1, 'the error log, once');

until_true { defined version($r = GET('/plain/1')) };
is(settling($r), undef, 'then it is over');
is(header($r, 'Retry-After'), undef, 'and nobody is told to come again');

until_true { !store_status()->{settling} };
is(store_status()->{settling}, 0, 'on the dashboard as well');


=== policies that never refuse say it, too
--- policy: lww
--- steps
set_doc('/plain/1', { n => 1 });
until_true { defined version(GET('/plain/1')) };
until_true { !store_status()->{settling} };

forget();

my $r = PUT('/plain/1', { n => 2, base_version => 1 });
like($r->{status}, qr/^20[14]$/, 'it passes');
like(header($r, 'Conflict'), qr/;settling=[1-4]$/, 'with a word of warning');
like(header($r, 'Retry-After'), qr/^[1-4]$/, 'when the store will know');


=== report mode
--- policy: version report
--- steps
set_doc('/plain/1', { n => 1 });
until_true { defined version(GET('/plain/1')) };
until_true { !store_status()->{settling} };

forget();

my $r = PUT('/plain/1', { n => 2, base_version => 1 });
like($r->{status}, qr/^20[14]$/, 'it passes');
like(header($r, 'Conflict'), qr/;settling=[1-4]/, 'with a word of warning');
