# The fields that a write that was not refused has overwritten.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== with conflict_log fields a stale write is held against the latest body
--- config
    location / {
        conflict lww;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /plain/client/ {
        conflict client_wins;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /row/ {
        conflict lww;
        conflict_latest fetch root=/data;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /plain/header/ {
        conflict lww;
        conflict_base header:X-Base;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
--- steps
my %doc = (title => 'a', text => 'b', tags => { x => 1, y => 2 });

for my $path ('/plain/1', '/plain/client/1', '/row/1') {
    my ($action) = $path =~ /client/ ? 'client_wins' : 'lww';
    my $row = $path =~ /row/;

    set_doc($path, \%doc);

    my $v = version(GET($path));
    my $gets = grep { $_->{method} eq 'GET' } seen();

    like(PUT($path, { %doc, text => 'c', base_version => $v })->{status},
         qr/^20[04]$/, "$path: a fresh write");
    is(scalar(grep { $_->{method} eq 'GET' } seen()), $gets, 'makes no GET');

    my $r = PUT($path, { title => 'z', text => 'c', tags => { x => 1, y => 3 },
                         base_version => $v });

    like($r->{status}, qr/^20[04]$/, 'a stale one passes');
    is(scalar(grep { $_->{method} eq 'GET' } seen()), $gets + 1, 'after a GET');
    like(header($r, 'Conflict'), qr/^overwrote;version=\d+;base=$v$/,
         'the client is not told');

    my $line = (conflicts())[-1];

    is($line->{action}, "conflict_$action", 'action');
    is_deeply([sort @{ $line->{fields} }], ['/tags/y', '/title'],
              'what it has changed of the latest');

    PUT($path, { text => 'c', base_version => $v });
    is_deeply([sort @{ (conflicts())[-1]{fields} }], ['/tags', '/title'],
              'what is not there any more');

    $r = PATCH($path, { text => 'd', base_version => $v },
               'Content-Type: application/merge-patch+json');
    is_deeply((conflicts())[-1]{fields}, ['/text'], 'a patch has but this');

    $r = http('PUT', $path, body => '{ "text" : "d" }',
              headers => ["If-Match: \"$v\"",
                          'Content-Type: application/json']);
    like($r->{status}, qr/^20[04]$/, 'what is there already');
    is_deeply((conflicts())[-1]{fields}, [], 'changes nothing');
}

is(scalar(grep { $_->{invalid} } conflicts()), 0, 'each line is whole');

set_doc('/plain/header/1', \%doc);

my $v = version(GET('/plain/header/1'));

PUT('/plain/header/1', { %doc, n => 1 });
PUT('/plain/header/1', { %doc }, "X-Base: $v");
is_deeply((conflicts())[-1]{fields}, ['/n'], 'a base in a header');


=== the version that was put into the body is no field
--- config
    location / {
        conflict lww;
        conflict_inject json:/version;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /plain/base/ {
        conflict lww;
        conflict_inject json:/base_version;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /plain/refuses/ {
        conflict version;
        conflict_inject json:/version;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/plain/base/1', '/plain/refuses/1') {
    set_doc($path, { n => 1, m => 1 });

    my $doc = json(GET($path));
    my $v = $doc->{version} || $doc->{base_version};

    PUT($path, { n => 2, m => 1, base_version => $v });
    PUT($path, { %$doc, n => 3, base_version => $v });

    is_deeply((conflicts())[-1]{fields}, ['/n'], $path);
}


=== a date of the caller: the story of the lesson
--- config
    location / {
        conflict lww;
        conflict_mtime header:Last-Modified;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
--- steps
set_doc('/lm/1', { note => 'a', done => 0 });
GET('/lm/1');

is(PUT('/lm/1', { note => 'b', done => 0 },
       'If-Unmodified-Since: 2020-01-01T00:00:00Z')->{status}, 204, 'passes');

my ($line) = conflicts();

is($line->{action}, 'conflict_lww', 'action');
is_deeply($line->{fields}, ['/note'], 'fields');
is($line->{meta}{client_ts}, '2020-01-01T00:00:00.000000Z', 'meta');


=== without it no GET is made, but one that was is used
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1, m => 1 });

# nobody knows the version, so a GET tells

PUT('/plain/1', { n => 2, m => 1, base_version => 1 });
is_deeply((conflicts())[0]{fields}, ['/n'], 'a GET for the version');

my $gets = grep { $_->{method} eq 'GET' } seen();

PUT('/plain/1', { n => 3, m => 1, base_version => 1 });
is_deeply((conflicts())[1]{fields}, [], 'the latest is not known');
is(scalar(grep { $_->{method} eq 'GET' } seen()), $gets, 'and not asked for');


=== a GET that fails changes nothing but the fields
--- config
    location / {
        conflict lww;
        conflict_wait 300ms;
        conflict_max_body 2k;
        conflict_max_values 50;
        conflict_log logs/conflict.log fields;
        proxy_intercept_errors on;
        error_page 503 /error;
        proxy_pass http://api;
    }
    location = /error {
        return 200 "sorry";
    }
    location /plain/never/ {
        conflict lww;
        conflict_wait 0;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
--- allow: was not answered within|prematurely closed|Connection reset
--- steps
my $n = 1;

set_doc($_, { n => 1 }) for '/plain/1', '/plain/never/1';

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => ++$n, base_version => $v });

for my $fault ('status=503', 'status=404', 'status=401', 'close', 'reset',
               'hold apply')
{
    my $r = PUT('/plain/1', { n => ++$n, base_version => $v },
                "X-Up-Read: $fault");

    is($r->{status}, 204, "$fault: passes");
    like(header($r, 'Conflict'), qr/^overwrote;version=\d+;base=$v$/,
         'as always');

    my $line = (conflicts())[-1];

    is($line->{action}, 'conflict_lww', 'logged');
    is_deeply($line->{fields}, [], 'without fields');
    is(json(upstream('/_doc?path=/plain/1'))->{n}, $n, 'done');
}

release();
like(error_log(),
     qr/GET for what a stale write changes was not answered within "conflict_wait"/,
     'what hangs is ended, and told');

PUT('/plain/1', { n => ++$n, base_version => $v });
is_deeply((conflicts())[-1]{fields}, ['/n'], 'one that does not fail');

# what is too large is not held against each other

for my $doc ({ n => 0, text => 'x' x 3000 }, { map { $_ => 1 } 1 .. 60 }) {
    set_doc('/plain/1', $doc);
    is(PUT('/plain/1', { n => ++$n, base_version => $v })->{status}, 204,
       'a latest body that is too large');
    is_deeply((conflicts())[-1]{fields}, [], 'no fields');
}

# nor what is no object

my $gets = grep { $_->{method} eq 'GET' } seen();

for my $body ('[1]', '"x"', '7') {
    is(http('PUT', '/plain/1', body => $body,
            headers => ['Content-Type: application/json',
                        "If-Match: \"$v\""])->{status}, 204, "body $body");
    is_deeply((conflicts())[-1]{fields}, [], 'no fields');
}

is(http('DELETE', '/plain/1', headers => ["If-Match: \"$v\""])->{status},
   204, 'DELETE');
is_deeply((conflicts())[-1]{fields}, [], 'no fields');
is(scalar(grep { $_->{method} eq 'GET' } seen()), $gets, 'no GET either');

$v = version(GET('/plain/never/1'));
PUT('/plain/never/1', { n => ++$n, base_version => $v }) for 1 .. 2;
is((conflicts())[-1]{action}, 'conflict_lww', 'conflict_wait 0');
is_deeply((conflicts())[-1]{fields}, [], 'is no time for a GET');


=== a GET whose body does not come to its end
--- config
    location / {
        conflict lww;
        conflict_wait 300ms;
        conflict_log logs/conflict.log fields;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT2;
    }
--- allow: was not answered within
--- steps
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 9,
                              LocalPort => $ENV{TEST_NGINX_PORT2},
                              ReuseAddr => 1, Timeout => 10) or die;

my $expect = sub {
    my ($method, $answer) = @_;

    my $c = $s->accept or die;
    my $asked = '';

    sysread $c, $asked, 65536, length $asked
        until $asked =~ /\r\n\r\n(.*)/s && ($method eq 'GET' || $1 ne '');
    like($asked, qr/^$method /, $method);
    syswrite $c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 . $answer;
    return $c;
};

my @write = ('/plain/1', headers => ['Content-Type: application/json']);
my $whole = "Content-Length: 7\r\n\r\n{\"n\":1}";

my $put = start('PUT', @write, body => '{"n":2,"base_version":1}');
$expect->($_, $whole) for 'GET', 'PUT';
is(finish($put)->{status}, 200, 'passes');
is_deeply((conflicts())[0]{fields}, ['/n'], 'it was asked for a version');

my $n = 2;

for my $part ("Content-Length: 70\r\n\r\n{\"n\":",
              "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"n\":\r\n", '')
{
    $n++;
    $put = start('PUT', @write, body => "{\"n\":$n,\"base_version\":1}");
    my $hangs = $expect->('GET', $part);
    $expect->('PUT', $whole);
    is(finish($put)->{status}, 200, 'passes after conflict_wait');
    is_deeply((conflicts())[-1]{fields}, [], 'without fields');
    is(sysread($hangs, my $rest, 1), 0, 'the connection was ended');
}

is(scalar(conflicts()), 4, 'a line each');


=== a client that goes away while the GET is made
--- config
    location / {
        conflict lww;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
PUT('/plain/1', { n => 2, base_version => $v });

my $gone = start('PUT', '/plain/1', body => { n => 3, base_version => $v },
                 headers => ['X-Up-Read: hold apply']);
until_true { (seen())[-1]{method} eq 'GET' };
close $gone->{socket};
release();

my $r = PUT('/plain/1', { n => 4 });
is($r->{status}, 204, 'the next one passes');
like(header($r, 'Conflict'), qr/^passed/, 'and goes over nothing');


=== report mode names the fields as well
--- config
    location / {
        conflict version report;
        conflict_base header:X-Base;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww report;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
    location /plain/off/ {
        conflict server_wins report;
        conflict_latest off;
        conflict_log logs/conflict.log fields;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/plain/lww/1', '/plain/off/1') {
    my @base = $path eq '/plain/1' ? ({}, 'X-Base: 1')
                                   : ({ base_version => 1 });
    my ($body, @headers) = @base;

    set_doc($path, { n => 1 });
    PUT($path, { n => 2 });

    is(PUT($path, { n => 3, %$body }, @headers)->{status}, 204, $path);
    is_deeply((conflicts())[-1]{fields}, ['/n'], 'fields');
    is(json(upstream("/_doc?path=$path"))->{n}, 3, 'it passed');
}
