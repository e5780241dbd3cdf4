# conflict_key: which requests are about the same resource.
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

# two that are first seen in the same millisecond may have the same version

my $w = version(GET('/plain/a?id=8'));
is(PUT('/plain/a?id=7', { id => 1 }, 'X-Up-Write: status=204')->{status}, 204,
   'a write that changes nothing');
isnt(version(GET('/plain/a?id=7')), $v, 'has a version');
is(version(GET('/plain/a?id=8')), $w, 'another key');

my $r = GET('/plain/a');

is(header($r, 'Conflict'), undef, 'an empty key is not tracked');

$r = PUT('/plain/a', { base_version => 1 },
         'X-Up-Write: apply status=204 header=ETag:"e1"');
is($r->{status}, 204, 'nor checked');
is(header($r, 'Conflict'), 'unchecked', 'which is told');
is(header($r, 'ETag'), '"e1"', 'the tag is that of the API');

is(http('LINK', '/plain/a')->{status}, 204, 'another method');
is(http('POST', '/plain/a', body => { n => 1 },
        headers => ['X-Up-Write: status=201'])->{status}, 201, 'a POST');

my @logged = conflicts();
is(scalar(@logged), 2, 'what may have had a base is logged');
is($logged[0]{action}, 'conflict_unchecked', 'as unchecked');
is($logged[0]{entity_id}, '/plain/a', 'with its path');

PUT('/plain/a', { n => 1 }, 'X-Up-Write: status=403');
is(scalar(conflicts()), 2, 'what has overwritten nothing is not');

my $s = held('/plain/a', { n => 'left', base_version => 1 });
close $s->{socket};
ok((until_true { conflicts() == 3 }), 'of a client that has left as well');
release();

is(PUT('/plain/a?id=7', { n => 2, base_version => 1 })->{status}, 409,
   'with a key it is checked');


=== a key that is no path is not the path of a server
--- config
    conflict_user $http_x_user;
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /free/ {
        conflict version;
        conflict_key $arg_id;
        rewrite ^/free(.*) $1 break;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
    location = /free-lock {
        conflict_key $arg_id;
        conflict_lock get=/plain/b;
    }
--- steps
set_doc("/plain/$_", { id => 1 }) for 'a', 'b';

my $id = 'localhost/plain/a';
my $w = version(GET("/free/plain/b?id=$id"));
my $v = version(PUT('/plain/a', { id => 2 }));

is(version(GET("/free/plain/b?id=$id")), $w, 'another version');
is(http('POST', '/plain/a/lock', headers => ['X-User: ann'])->{status}, 200,
   'locked');
is(json(http('GET', "/free-lock?id=$id", headers => ['X-User: eve']))->{lock},
   undef, 'another lock');
is(PUT("/free/plain/b?id=$id", { n => 1 }, 'X-User: eve')->{status}, 204,
   'and another write');
is(PUT('/plain/a', { base_version => $v }, 'X-User: ann')->{status}, 204,
   'its base holds');
is(version(GET("/free/plain/b?id=$id")),
   version(GET("/free/plain/b?id=$id&x=1")), 'as the other is one as well');


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


=== no spelling walks around a lock, and none locks something else
--- config
    location / {
        conflict version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location /with/ {
        conflict version;
        conflict_user $http_x_user;
        proxy_pass http://api/plain/;
    }
    location /rewritten/ {
        conflict version;
        conflict_user $http_x_user;
        rewrite ^/rewritten/(?s)(.*)\z /plain/$1 break;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
--- steps
# what an API makes of a target that takes all spellings of a path for one

sub plain_path {
    my ($path) = $_[0] =~ /^([^?#]*)/;

    $path =~ s!^http://[^/]*!!;
    $path =~ s/%([0-9a-f]{2})/chr hex $1/gie;

    my @names;

    for my $name (grep { $_ ne '' && $_ ne '.' } split m!/!, $path) {
        if ($name eq '..') { pop @names } else { push @names, $name }
    }

    return '/' . join('/', @names) . ($path =~ m!/\.?$! ? '/' : '');
}

my @spellings = (
    '/D/a', '//D/a', '/D//a', '/./D/a', '/D/./a', '/D/x/../a', '/x/../D/a',
    '/D/%61', '/D/%2e/a', '/D/x/%2e%2e/a', '/D%2Fa', '/D/x%2F..%2Fa',
    '/D/a?', '/D/a?x=1', '/D/a?/lock', '/D/a#x', 'http://x/D/a',
    'http://other:8080//D/a', '/../D/a',
    '/D/a/', '/D/A', '/D/a%20', '/D/a%2520', '/D/%2561', '/D/a;p',
    '/D/a%3Fx', '/D/a%23x', '/D/a%00', '/D/a%5C', '/D\\a', '/D/a/.',
    '/D/a/..', '/D/a%2F', '/D/aa', '/D/%C3%A1', '/D/a%0A', '/D/a%0D%0A',
    '/D/a:80', '/D/a%7F',
);

for my $dir ('plain', 'with', 'rewritten') {
    my $locked = "/$dir/a";

    # where a rewrite has made another path of it, that is the key

    my $key = $dir eq 'rewritten' ? '/plain/a' : $locked;

    set_doc('/plain/a', { n => 1 });
    is(http('POST', "$key/lock", headers => ['X-User: ann',
                                             'X-Up-Read: status=404'])
       ->{status}, 200, "$dir: locked");

    for my $spelling (@spellings) {
        (my $target = $spelling) =~ s/D/$dir/g;

        my $before = applied(0);
        my $r = PUT($target, { n => 2 }, 'X-User: eve');
        my $same = plain_path($target) eq $locked;

        if ($r->{status} == 400) {
            is(applied(0), $before, "$target: nobody takes it");

        } else {
            is($r->{status} == 409 ? 1 : 0, $same ? 1 : 0,
               "$target: " . ($same ? 'the same' : 'another'));
        }
    }

    http('DELETE', "$key/lock", headers => ['X-User: ann',
                                            'X-Up-Read: status=404']);
}


=== more tags than anybody has versions
--- config
    large_client_header_buffers 4 64k;
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { n => 1 });

my $v = version(GET('/plain/a'));
my $many = '"1",' x 12000;

is(PUT('/plain/a', { n => 2 }, "If-Match: $many\"2\"")->{status}, 409,
   'none of them');
is(PUT('/plain/a', { n => 2 }, "If-None-Match: $many\"$v\"")->{status}, 409,
   'the last one');
is(PUT('/plain/a', { n => 2 }, "If-Match: $many\"$v\"")->{status}, 204,
   'the last one, again');
