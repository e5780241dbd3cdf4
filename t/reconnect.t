# Workers reconnect to a Redis that is down: not too often, not all at once, and
# with one log line each.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Conflict::Many;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_PEERCRED SOMAXCONN);
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(time);

our $socket = $ENV{TEST_NGINX_SERVROOT} . '.redis';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(4);
worker_connections(512);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "conflict_store default unix:$socket;\n"
                      . "conflict version;\n"
                      . "conflict_lease 700ms;\nconflict_quarantine 300ms;\n");
    $block->set_value('config', <<'END');
        location / {
            proxy_pass http://api;
        }
        location /pass/ {
            conflict_store_error pass;
            conflict_log off;
            proxy_pass http://api/plain/;
        }
END
});

# a server that hangs up on whoever comes, and tells who and when

sub hang_up {
    pipe my $told, my $tell or die "pipe: $!";

    my $server = IO::Socket::UNIX->new(Local => $socket, Listen => SOMAXCONN)
                 or die "$socket: $!";
    chmod 0777, $socket;

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        alarm 60;

        while (my $s = $server->accept) {
            my ($peer) = unpack 'l', getsockopt $s, SOL_SOCKET, SO_PEERCRED;
            close $s;
            syswrite $tell, "$peer " . time() . "\n";
        }
    }

    return { pid => $pid, told => $told };
}

sub hung_up {
    my ($server) = @_;

    kill 'KILL', $server->{pid};
    waitpid $server->{pid}, 0;
    unlink $socket;

    my %times;
    my $told = $server->{told};

    while (<$told>) {
        my ($peer, $time) = split;
        push @{ $times{$peer} }, $time;
    }

    return \%times;
}

run_tests();

__DATA__

=== away from the start, for eight seconds, under load
--- steps
set_doc('/plain/1', { n => 1 });
my @workers = workers_of(master_pid());

# there is nothing at all, and then somebody who hangs up

until_true { log_count(qr/is down: /) == 4 };
is(log_count(qr/is down: No such file/), 4, 'a line by each worker');

my $server = hang_up();
my $end = time() + 8;
my ($n, %got) = (0);

many(8, sub {
    return if time() > $end;
    $n++;
    return { method => $n % 5 ? 'PUT' : 'GET',
             uri => $n % 5 == 1 ? '/pass/1' : '/plain/1',
             ($n % 5 ? (body => qq({"n":$n,"base_version":5})) : ()) };
}, sub {
    my ($request, $r) = @_;
    $got{"$request->{method} $request->{uri} $r->{status} "
         . (header($r, 'Conflict') // '')}++;
});

my $times = hung_up($server);

is(join(', ', sort keys %got),
   'GET /plain/1 200 unchecked, PUT /pass/1 204 unchecked;base=5, '
   . 'PUT /plain/1 503 rejected;base=5',
   'reads pass, writes are refused or pass as it is configured');
cmp_ok($n, '>', 200, 'all of them, at once');
is(log_count(qr/is down: /), 4, 'no other line of it');
is(log_count(qr/is up/), 0, 'nor of the contrary');

# each comes at the latest every two and a half seconds, but not much earlier

is(join(' ', sort keys %$times), join(' ', sort @workers), 'each comes again');
is(join(' ', grep { @$_ > 15 } values %$times), '', 'not for each request');

my @gaps;

for my $t (values %$times) {
    push @gaps, map { $t->[$_] - $t->[$_ - 1] } 2 .. $#$t;
}

@gaps = sort { $a <=> $b } grep { $_ > 1.4 } @gaps;
cmp_ok(scalar(@gaps), '>=', 4, 'after longer and longer');
cmp_ok($gaps[-1], '>', $gaps[0] * 1.1, 'and not all after the same time');

# then it is there

my $redis = redis_start(undef, '--unixsocket', $::socket,
                        '--unixsocketperm', 777);

ok((until_true {
       my $left = 64;
       many(32, sub { $left-- > 0 ? { method => 'GET', uri => '/plain/1' }
                                  : undef }, sub { });
       log_count(qr/is up/) == 4;
   } 30),
   'each finds it, without a reload');
is(log_count(qr/is down: /), 4, 'and says no more');

my ($v, $r);
until_true { $v = version(GET('/plain/1'));
             $r = PUT('/plain/1', { n => 2, base_version => $v || 1 });
             $r->{status} == 204 } 30;
is($r->{status}, 204, 'guarded again');
redis_stop($redis);
unlink $::socket;
