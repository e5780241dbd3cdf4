# Which requests are of one resource.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the normalised path
--- config
    location / {
        conflict version;
        proxy_pass http://api/;
    }
--- steps
set_doc('/plain/a', { id => 1 });

my $v = version(GET('/plain/a'));

for my $path ('/plain//a', '/plain/./a', '/plain/x/../a', '/plain/%61',
              '/plain/a?x=1', '/plain/a?x=2&x=1', '//plain/a')
{
    is(version(HEAD($path)), $v, "$path is the same resource");
    is(json(PUT($path, { base_version => 1 }))->{version}, $v,
       'with the same version');
}

for my $path ('/plain/A', '/plain/a/', '/plain/a;p=1', '/plain/a%20',
              '/plain/b')
{
    my $r = PUT($path, { n => 1 });
    is($r->{status}, 201, "$path is another");
    isnt(version($r), $v, 'with its own version');
}

is(version(GET('/plain/a')), $v, 'the first was not touched');


=== an encoded slash: one key, but never one resource for another's
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a/b', { is => 'slash' });
set_doc('/plain/a%2Fb', { is => 'encoded' });

my $r = PUT('/plain/a%2Fb', { base_version => 1 });

is(json($r)->{server_version}{is}, 'encoded', 'the latest body is its own');

my $v = version($r);
my $body = { same => 1, base_version => $v };

is(PUT('/plain/a%2Fb', $body)->{status}, 204, 'a write');

$r = PUT('/plain/a/b', $body);

is($r->{status}, 409, 'the same write to the other is no retry of it');
is(json($r)->{server_version}{is}, 'slash', 'and is shown its own body');


=== Host, scheme and the form of the request line do not matter
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
sub raw {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());
    syswrite $s, shift;
    return finish({ socket => $s, method => 'GET' });
}

set_doc('/plain/a', { id => 1 });

my $v = version(GET('/plain/a'));

for my $head ("GET /plain/a HTTP/1.1\r\nHost: LOCALHOST:80\r\n",
              "GET http://other.example/plain/a HTTP/1.1\r\nHost: x\r\n",
              "GET /plain/a HTTP/1.0\r\n")
{
    is(version(raw($head . "Connection: close\r\n\r\n")), $v,
       (split /\r/, $head)[0]);
}


=== a key of one's own, and none
--- config
    location / {
        conflict version;
        conflict_key $arg_id;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { id => 1 });

my $v = version(GET('/plain/a?id=7'));

is(version(GET('/plain/a?id=7&x=1')), $v, 'the same key');
isnt(version(GET('/plain/a?id=8')), $v, 'another key');

my $r = GET('/plain/a');

is(header($r, 'Conflict'), undef, 'an empty key is not tracked');
is(PUT('/plain/a', { base_version => 1 })->{status}, 204, 'nor checked');


=== a very long key
--- config
    large_client_header_buffers 4 32k;
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $path = '/plain/' . 'x' x 8000;

my $v = version(PUT($path, { id => 1 }));

is(version(GET($path)), $v, 'it has its version');
isnt(version(PUT($path . 'y', { id => 1 })), $v, 'a longer one has its own');

my $r = PUT($path, { base_version => 1 });

is($r->{status}, 409, 'stale');
is(json($r)->{resource}, $path, 'the whole key is in the answer');


=== HTTP methods
--- config
    location / {
        conflict version;
        conflict_methods POST PUT;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { id => 1 });
GET('/plain/a');

is(http('POST', '/plain/a', body => { base_version => 1 })->{status}, 409,
   'POST, as configured');
is(PUT('/plain/a', { base_version => 1 })->{status}, 409, 'PUT');
is(PATCH('/plain/a', { base_version => 1 })->{status}, 204,
   'PATCH is not among them');
is(http('OPTIONS', '/plain/a')->{status} < 500 ? 1 : 0, 1, 'OPTIONS passes');
