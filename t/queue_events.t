# What other events do to a write that waits: its client sends something before
# it is resumed, or its worker shuts down.
#
# With versions in shared memory: only there the store answers at once, and the
# event that resumes the write is posted.

BEGIN { push @INC, 't/lib' }
use Conflict;
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::Nginx::Socket 'no_plan';

our $api = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
           || die "listen: $!";

need_debug();
Conflict::install('Test::Nginx::Socket');
master_on();
log_level('debug');

add_block_preprocessor(sub {
    my $block = shift;

    my $port = $::api->sockport();
    my $more = $block->more // '';

    $block->set_value('config', <<"END");
        location / {
            conflict version;
            conflict_wait 60s;
            conflict_latest off;
            $more
            proxy_pass http://127.0.0.1:$port;
        }
        location = /large {
            root html;
        }
END
});

# a request that the API has received, and its answer

sub received {
    my ($method) = @_;

    IO::Select->new($main::api)->can_read(15) or die 'no request';

    my $c = $main::api->accept();
    my $text = '';

    until ($text =~ /\r\n\r\n/) {
        sysread $c, $text, 4096, length $text or die 'no header';
    }

    $text =~ /^$method / or die "not a $method: $text";

    return $c;
}

sub answer {
    my ($c, $status, $body) = @_;

    $body //= '';
    syswrite $c, "HTTP/1.1 $status\r\nContent-Type: application/json\r\n"
                 . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    close $c;
}

# the version of a document

sub current {
    my $r = start('GET', '/1');

    answer(received('GET'), '200 OK', '{}');

    return version(finish($r));
}

# a connection whose events are those of writing as well, since a response has
# filled its buffers

sub full {
    my $size = 16 << 20;

    open my $out, '>', servroot() . '/html/large' or die;
    truncate $out, $size;
    close $out;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port())
            || die "connect: $!";

    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1 or die "TCP_NODELAY: $!";

    syswrite $s, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
    until_true { log_count(qr/writev\(\) not ready/) } or die 'not full';

    my ($text, $length) = ('', $size);

    while (length $text < $length) {
        sysread $s, $text, 1 << 20, length $text or die 'cut off';
        $length = $size + $+[0] if $length == $size && $text =~ /\r\n\r\n/;
    }

    return $s;
}

# a write that waits, on a connection or on a new one

sub waits {
    my ($v, $s) = @_;

    my $body = qq({"n":2,"base_version":$v});
    my $write;

    if ($s) {
        syswrite $s, "PUT /1 HTTP/1.1\r\nHost: localhost\r\n"
                     . "Connection: close\r\n"
                     . "Content-Type: application/json\r\n"
                     . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
        $write = { socket => $s, method => 'PUT' };

    } else {
        $write = start('PUT', '/1', body => $body);
    }

    waits_since(0);

    return $write;
}

# how often a write has begun to wait, and until one does so again

sub waited { log_count(qr/conflict state: wait for write/) }

sub waits_since {
    my ($n) = @_;

    until_true { waited() > $n } or die 'it does not wait';
}

# the first write is answered, and the client of the other one sends a byte,
# before the worker sees either

sub both {
    my ($c, $status, $write) = @_;

    my ($pid) = workers_of(master_pid());

    kill 'STOP', $pid;
    until_true { slurp("/proc/$pid/stat") =~ /\) T / };

    answer($c, $status);
    syswrite $write->{socket}, 'x';

    kill 'CONT', $pid;
}

run_tests();

__DATA__

=== its client sends something: it is resumed once, and reads
--- steps
my $s = full();
my $v = current();
my $first = start('PUT', '/1', body => { n => 1, base_version => $v });
my $c = received('PUT');
my $write = waits($v, $s);

both($c, '500 Internal Server Error', $write);
is(finish($first)->{status}, 500, 'the first');

# the outcome is unknown, so it reads, is overtaken meanwhile, and waits again

$c = received('GET');
my $third = start('PUT', '/1', body => { n => 3 });
my $c3 = received('PUT');
my $n = waited();

answer($c, '200 OK', '{}');
waits_since($n);

answer($c3, '204 No Content');
is(finish($third)->{status}, 204, 'one that has overtaken it');
is(finish($write)->{status}, 409, 'it is stale then');


=== its client sends something: it is refused once
--- more
lingering_close always;
--- steps
my $s = full();
my $v = current();
my $first = start('PUT', '/1', body => { n => 1, base_version => $v });
my $c = received('PUT');
my $write = waits($v, $s);

both($c, '204 No Content', $write);
is(finish($first)->{status}, 204, 'the first');

# the server lingers until the client has left

IO::Select->new($s)->can_read(15) or die 'no answer';
shutdown $s, 1;

my $r = finish($write);
is($r->{status}, 409, 'the other one');
unlike($r->{body}, qr/HTTP/, 'is answered once');


=== its worker shuts down
--- more
lingering_close off;
--- steps
my $v = current();
my $first = start('PUT', '/1', body => { n => 1, base_version => $v });
my $c = received('PUT');
my $write = waits($v);

kill 'QUIT', master_pid();
until_true { log_count(qr/gracefully shutting down/) } or die 'no shutdown';
answer($c, '204 No Content');

is(finish($first)->{status}, 204, 'the first');
is(finish($write)->{status}, 409, 'the other one is answered');
