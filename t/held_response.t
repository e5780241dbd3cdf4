# The response of a write is held back until its settle was sent, at the end of
# the iteration of the event loop: no response is lost or mixed up by that.
#
# On both stores

BEGIN { push @INC, 't/lib' }
use Conflict;
use IO::Socket::INET;
use Test::Nginx::Socket 'no_plan';

our $cut = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
           || die "listen: $!";

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);

add_block_preprocessor(sub {
    my $block = shift;

    my $cut = $::cut->sockport();

    $block->set_value('config', <<"END");
        location / {
            conflict version;
            proxy_pass http://api;
        }
        location /slow/ {
            conflict version;
            conflict_key \$uri;
            limit_rate 1000;
            proxy_pass http://api/plain/;
        }
        location /stream/ {
            conflict version;
            proxy_buffering off;
            proxy_pass http://api/plain/;
        }
        location /cut/ {
            conflict version;
            proxy_pass http://127.0.0.1:$cut;
        }
END
});

sub request {
    my ($path, $n, $v) = @_;

    my $body = qq({"n":$n,"base_version":$v});

    return "PUT $path HTTP/1.1\r\nHost: localhost\r\n"
           . "Content-Type: application/json\r\n"
           . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

# the heads of $n responses without a body, and of one more, the last

sub responses {
    my ($s, $n) = @_;

    my ($text, @heads) = ('');

    while (@heads < $n && sysread($s, $text, 4096, length $text)) {
        push @heads, $1 while $text =~ s/^(HTTP.*?\r\n\r\n)//s;
    }

    return @heads;
}

sub client {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port())
           || die "connect: $!";
}

run_tests();

__DATA__

=== pipelined writes on one connection
--- steps
my %v;

for (1 .. 8) {
    set_doc("/plain/$_", { n => 0 });
    $v{$_} = version(GET("/plain/$_"));
}

my $s = client();
print $s map { request("/plain/$_", 1, $v{$_}) } 1 .. 8;

my @heads = responses($s, 8);
is(scalar(@heads), 8, 'each has a response');
like($_, qr/^HTTP\/1.1 204 .*^Conflict: passed/ms, 'it has passed') for @heads;

my @tags = map { /^ETag: "(\d+)"/m ? $1 : 0 } @heads;
is($tags[$_ - 1], version(GET("/plain/$_")), "in order: $_") for 1 .. 8;

# on the same connection, based on the response

print $s request('/plain/8', 2, $tags[7]);
like((responses($s, 1))[0], qr/^HTTP\/1.1 204 /, 'the next one');

print $s request('/plain/8', 3, $tags[7]);
like((responses($s, 1))[0], qr/^HTTP\/1.1 409 /, 'and one that is stale');


=== a rate limit, and no buffering
--- steps
for my $path ('/slow/1', '/stream/2') {
    set_doc($path =~ s!^/\w+!/plain!r, { n => 0 });

    my $v = version(GET($path));

    for (1 .. 3) {
        my $r = PUT($path, { n => $_, base_version => $v });
        is($r->{status}, 204, "$path: write $_");
        $v = version($r);
    }

    is(version(GET($path)), $v, "$path: its version");
    is(json(GET($path))->{n}, 3, "$path: its body");
}


=== a client that has gone
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my $s = client();

print $s request('/plain/1', 1, $v);
until_true { grep { $_->{method} eq 'PUT' } seen() };
close $s;

my $r;
until_true { $r = GET('/plain/1'); version($r) && version($r) ne $v };
is(json($r)->{n}, 1, 'its write is done');
is(PUT('/plain/1', { n => 2, base_version => version($r) })->{status}, 204,
   'and settled');


=== a response that the upstream cuts off
--- allow: prematurely closed connection
--- steps
my $w = start('PUT', '/cut/1', body => { n => 1 });
my $s = $::cut->accept();

sysread $s, my $request, 4096;

# at once, so that the response ends in the iteration that it began in

my @workers = workers_of(master_pid());

kill 'STOP', @workers;
syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
close $s;
kill 'CONT', @workers;

my $r = finish($w);
is($r->{status}, 200, 'its header');
ok(version($r), 'its version');
is($r->{body}, '{', 'what there was');


=== a response shows what all workers know
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

for my $n (1 .. 50) {

    # other connections may be those of the other worker

    my $r = PUT('/plain/1', { n => $n, base_version => $v });
    my $seen = GET('/plain/1');

    $v = version($r);
    is(version($seen), $v, "read $n: the version");
    is(json($seen)->{n}, $n, "read $n: the body");
}
