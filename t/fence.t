# A worker that was stopped while others continued: its write is ended, and not
# acknowledged if another one may have been let in.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);
use Test::Nginx::Socket 'no_plan';

our $sink = $ENV{TEST_NGINX_SINK_PORT} = free_port();

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();

# a policy and the locations that all blocks have: one resource, by the API
# and by a server of ours

add_block_preprocessor(sub {
    my $block = shift;

    my $policy = $block->policy // 'version';
    my $common = "conflict $policy; conflict_key \$1;"
                 . 'conflict_wait ' . ($block->patience // '100ms') . ';'
                 . 'conflict_lease ' . ($block->lease // '600ms') . ';'
                 . 'conflict_quarantine '
                 . ($block->quarantine // '300ms') . ';'
                 . 'proxy_read_timeout 20s; client_max_body_size 50m;'
                 . ($block->more // '');

    $block->set_value('config', <<"END");
        location ~ ^/api(/.*) { $common proxy_pass http://api\$1; }
        location ~ ^/sink(/.*) { $common proxy_pass http://127.0.0.1:$sink; }
        location ~ ^/stream(/.*) {
            $common
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://127.0.0.1:$sink;
        }
        location ~ ^/late(/.*) {
            $common
            proxy_request_buffering off;
            error_page 504 = \@late;
            proxy_pass http://api\$1;
        }
        location \@late {
            $common
            rewrite ^/late(/.*) \$1 break;
            proxy_pass http://api;
        }
        location \@fallback {
            rewrite ^/api(/.*) \$1 break;
            proxy_pass http://api;
        }
        location = /status { conflict_status json; }
        location = /metrics { conflict_status prometheus; }
END
});

our @workers;

# what $code starts is taken by one worker, which is stopped once $begun says
# that it is time; the other one serves what comes then

sub stopped {
    my ($code, $begun) = @_;

    until_true { @workers = workers_of(master_pid()); @workers == 2 };
    hold($workers[0]);

    my $request = $code->();
    $begun->();

    hold($workers[1]);
    kill 'CONT', $workers[0];

    return $request;
}

sub hold {
    my ($pid) = @_;

    kill 'STOP', $pid;
    until_true { slurp("/proc/$pid/stat") =~ /\) T / };
}

sub go_on { kill 'CONT', $workers[1] }

# a write that waits for it gives up, and one without a base is no conflict

sub in_flight {
    my ($path) = @_;

    return (json(PUT($path, { n => 'X' }))->{error} // '')
           eq 'write_in_progress';
}

sub waited { my $end = time() + shift; until_true { time() > $end } }

sub sink {
    return IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
                                 LocalAddr => '127.0.0.1',
                                 LocalPort => $main::sink)
           || die "sink: $!";
}

# what a request in a process of its own was answered with

sub status_of {
    my ($name, $status) = @_;

    my $file = servroot() . "/html/$name.status";

    return slurp($file) unless defined $status;

    open my $out, '>', $file or die "$file: $!";
    print $out $status;
    close $out;
}

# all that a connection brings until it ends

sub drain {
    my ($c) = @_;

    my ($data, $n) = ('', 0);

    while (IO::Select->new($c)->can_read(15)) {
        $n = sysread $c, $data, 1 << 20, length $data;
        last unless $n;
    }

    return $data;
}

run_tests();

__DATA__

=== a write that is done after another was let in is not acknowledged
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    start('PUT', '/api/plain/1', body => { n => 'A', base_version => $v },
          headers => ['X-Up-Write: hold apply header=X-Left:over']);
}, sub { begun(1) });

my $b = version(let_in($v, '/api/plain/1'));

release();
applied(2);
go_on();

my $r = finish($slow);

is($r->{status}, 504, 'nobody is told that it is done');
is(header($r, 'X-Left'), undef, 'nothing is left of the answer');
like($r->{body}, qr/504/, "nginx's own page");
is_deeply([map { json($_->{body})->{n} } journal()],
          ['B', 'A'], 'the API has done both');

until_true { overlapped() };

my @log = overlapped();

is(scalar(@log), 1, 'the log has it once');
is($log[0]{status}, 504, 'with the status that was sent');
is($log[0]{entity_id}, '/plain/1', 'the resource');
is($log[0]{base_version}, $v, 'the base');
is($log[0]{method}, 'PUT', 'the method');
like($log[0]{conflict_id}, qr/^[0-9a-f]{32}$/, 'an id of its own');

my $count;
until_true {
    my ($route) = grep { $_->{location} =~ /api/ }
                  @{ json(GET('/status'))->{routes} };
    $count = $route->{actions}{conflict_overlapped};
};

is($count, 1, 'counted');
like(GET('/metrics')->{body},
     qr/conflicts_total\{[^}]*action="conflict_overlapped"[^}]*\} 1/,
     'a metric');

$r = PUT('/api/plain/1', { n => 'C', base_version => $b });

is($r->{status}, 409, 'who was let in is stale now');
is(json($r)->{server_version}{n}, 'A', 'and sees what has come after it');


=== one whose answer has not come is ended
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    start('PUT', '/api/plain/1', body => { n => 'A', base_version => $v },
          headers => ['X-Up-Write: hold']);
}, sub { begun(1) });

let_in($v, '/api/plain/1');
go_on();
is(finish($slow)->{status}, 504, 'ended');
release();

like(error_log(),
     qr/did not renew the lease of a write in time.*the request is aborted/,
     'the error log says why');
is(scalar(overlapped()), 0, 'no conflict, as it was not acknowledged');

is(json(upstream('/_doc?path=/plain/1'))->{n}, 'B', 'the other stands');


=== nothing is sent on a connection that was made meanwhile
--- steps
set_doc('/plain/1', { n => 0 });

# the queue is full: the kernel lets no more in until it is not

my $sink = sink();
my @full = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $main::sink,
                                       Blocking => 0) } 1 .. 6;
my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    start('PUT', '/sink/plain/1', body => { n => 'A', base_version => $v });
}, sub { until_true { in_flight('/api/plain/1') } });

let_in($v, '/api/plain/1');

# connections of ours first, then nginx's

my $c;
until_true {
    IO::Select->new($sink)->can_read(15) or die 'no connection';
    $c = $sink->accept;
    my $mine = grep { $_->sockport == $c->peerport } @full;
    !$mine;
};

go_on();

is(drain($c), '', 'not a byte');
is(finish($slow)->{status}, 504, 'ended');
is(scalar(overlapped()), 0, 'no conflict');


=== nor on one to a page of the refusal
--- steps
set_doc('/plain/1', { n => 0 });

# HTTP/1.0 needs all of the chunks before any is sent

my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    my $s = start('PUT', '/late/plain/1',
                  headers => ['Transfer-Encoding: chunked', qq(If-Match: "$v"),
                              'Content-Type: text/plain']);
    $s;
}, sub { until_true { in_flight('/api/plain/1') } });

let_in($v, '/api/plain/1');
syswrite $slow->{socket}, "1\r\nA\r\n0\r\n\r\n";
go_on();

is(finish($slow)->{status}, 504, 'ended');
like(error_log(), qr/the write is not sent/, 'the error log says why');
is(scalar(overlapped()), 0, 'no conflict');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 'B', 'the other stands');


=== a body that was sent in part is not sent to its end
--- lease: 1s
--- steps
set_doc('/plain/1', { n => 0 });

my $sink = sink();

for my $place ('sink', 'stream') {
    my $v;
    until_true { $v = version(GET('/api/plain/1')) };

    my $body = '{"n":"' . 'A' x 30_000_000 . '"}';
    my ($c, $out);

    my $slow = stopped(sub {
        my $pid = fork();
        die "fork: $!" unless defined $pid;

        if ($pid == 0) {
            my $r = http('PUT', "/$place/plain/1", body => $body,
                         headers => [qq(If-Match: "$v"),
                                     'Content-Type: text/plain']);
            status_of($place, $r->{status});
            require POSIX;
            POSIX::_exit(0);
        }

        return $pid;
    }, sub {
        IO::Select->new($sink)->can_read(15) && ($c = $sink->accept)
            && IO::Select->new($c)->can_read(15);
    });

    let_in($v, '/api/plain/1');
    go_on();

    my $sent = length drain($c);

    cmp_ok($sent, '>', 0, "$place: a part was sent");
    cmp_ok($sent, '<', length $body, "$place: not the rest");

    waitpid $slow, 0;
    is(status_of($place), '504', "$place: ended");
}


=== a merge whose GET took too long is not sent
--- policy: merge
--- more: error_page 504 = @fallback;
--- steps
set_doc('/plain/1', { n => 0 });

my $old = version(GET('/api/plain/1'));
my $v = version(PUT('/api/plain/1', { n => 1, base_version => $old }));
ok($v, 'the base of the other is stale');

my $slow = stopped(sub {
    start('PUT', '/api/plain/1', body => { n => 0, a => 'A',
                                           base_version => $old },
          headers => ['X-Up-Read: hold apply']);
}, sub { until_true { grep { $_->{method} eq 'GET'
                             && grep { /hold/ } map { @$_ }
                                     @{ $_->{headers} } } seen() } });

let_in($v, '/api/plain/1');
release();
go_on();

is(finish($slow)->{status}, 504, 'ended');
is(scalar(journal()), 2, 'the API has not seen it');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 'B', 'the other stands');


=== a worker that comes back in time has what its write has made
--- quarantine: 10s
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    start('PUT', '/api/plain/1', body => { n => 'A', base_version => $v },
          headers => ['X-Up-Write: hold apply']);
}, sub { begun(1) });

release();
applied(1);

ok(until_true {
    (json(PUT('/api/plain/1', { n => 'B', base_version => $v }))->{error}
     // '') eq 'outcome_unknown';
}, 'the lease has run out');

go_on();

my $r = finish($slow);

is($r->{status}, 204, 'nobody was let in, so it counts');
is(version(GET('/api/plain/1')), version($r), 'as the version');
is(scalar(overlapped()), 0, 'no conflict');


=== policies that never refuse are no exception
--- policy: lww
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    start('PUT', '/api/plain/1', body => { n => 'A', base_version => $v },
          headers => ['X-Up-Write: hold']);
}, sub { begun(1) });

waited(0.7);
go_on();

is(finish($slow)->{status}, 504, 'ended');
release();


=== nothing is enforced in report mode
--- policy: version report
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/api/plain/1'));
my $slow = stopped(sub {
    start('PUT', '/api/plain/1', body => { n => 'A', base_version => $v },
          headers => ['X-Up-Write: hold apply']);
}, sub { begun(1) });

waited(1);
go_on();
release();

is(finish($slow)->{status}, 204, 'passes');


=== a write that was passed over is not ended, and that is one conflict
--- policy: lww
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/api/plain/1'));
my $slow = start('PUT', '/api/plain/1',
                 body => { n => 'A', base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);

is(PUT('/api/plain/1', { n => 'B', base_version => $v })->{status}, 204,
   'passes over it');

waited(1.5);
release();

is(finish($slow)->{status}, 204, 'it ends as it would have');
is_deeply([map { $_->{action} } conflicts()], ['conflict_lww'],
          'logged when it was passed over, and not again');
