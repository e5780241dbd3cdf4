# Upstream-owned versions: a member of its JSON, a header, ETag.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a member of the body
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });

my $r = GET('/own/1');

is(json($r)->{version}, 1, 'the upstream shows its version');
is(header($r, 'ETag'), undef, 'no tag of ours');

$r = PUT('/own/1', { n => 1, base_version => 1 });

is($r->{status}, 200, 'the base is the version');
is(json($r)->{version}, 2, 'the next one');

$r = PUT('/own/1', { n => 2, base_version => 1 });

is($r->{status}, 409, 'stale');
is(json($r)->{version}, 2, 'by the version of the answer to the first');
is(json($r)->{server_version}{version}, 2, 'and the body has it');
is(header($r, 'Conflict'), 'rejected;version=2;base=1', 'the field');
is(PUT('/own/1', { n => 3, base_version => 2 })->{status}, 200, 'good');
is(scalar(grep { $_->{method} eq 'GET' } seen()), 3,
   'no GET but the client\'s, the first of our own, and that for the refusal');



=== a version that starts at zero
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/zero/1', { id => 1 });

is(PUT('/zero/1', { n => 1, base_version => 0 })->{status}, 200, 'zero');
is(PUT('/zero/1', { n => 2, base_version => 0 })->{status}, 409, 'stale');


=== a write that was not read before: a GET tells first
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });
set_doc('/own/1', { id => 2 });

is(PUT('/own/1', { base_version => 1 })->{status}, 409, 'stale');
is(PUT('/own/1', { base_version => 2 })->{status}, 200, 'good');
is(PUT('/own/2', { base_version => 2 })->{status}, 409,
   'there is no such resource');


=== changes behind the module are found by the next read
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });
PUT('/own/1', { id => 2 });
set_doc('/own/1', { id => 3 });
GET('/own/1');
GET('/own/1');

my @log;

until_true { @log = conflicts() };

is(scalar(@log), 1, 'logged once');
is($log[0]{action}, 'conflict_external', 'as external');
is($log[0]{server_version}, 2, 'what was known');
is(PUT('/own/1', { base_version => 2 })->{status}, 409, 'it counts');
is(PUT('/own/1', { base_version => 3 })->{status}, 200, 'as the new version');


=== an answer without the version: the next write asks
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });

is(PUT('/own/1', { base_version => 1 }, 'X-Up-Write: apply status=204')
   ->{status}, 204, '204 shows nothing');
is(PUT('/own/1', { n => 2, base_version => 1 })->{status}, 409,
   'a GET has shown');
is(PUT('/own/1', { n => 2, base_version => 2 })->{status}, 200, 'good');


=== DELETE
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });
GET('/own/1');

is(http('DELETE', '/own/1', body => { base_version => 1 })->{status}, 204,
   'deleted');

my $r = PUT('/own/1', { base_version => 1 });

is($r->{status}, 409, 'a write to what is gone');
ok(json($r)->{deleted}, 'deleted');


=== ETag: the upstream checks, too, and is shown the precondition
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { id => 1 });

my $r = GET('/etag/1');

is(header($r, 'ETag'), '"e1"', 'the ETag is the upstream\'s');
is(header($r, 'Conflict'), 'passed', 'it is no number');

$r = PUT('/etag/1', { n => 1 }, 'If-Match: "e1"');

is($r->{status}, 200, 'passes');
is(header($r, 'ETag'), '"e2"', 'with the upstream\'s new tag');

my %h = map { $_->[0] => $_->[1] } @{ (journal())[0]{headers} };

is($h{'if-match'}, '"e1"', 'the upstream saw If-Match');

$r = PUT('/etag/1', { n => 2 }, 'If-Match: "e1"');

is($r->{status}, 409, 'stale: not even sent');
is(json($r)->{version}, 'e2', 'the current version');
is(header($r, 'ETag'), '"e2"', 'as ETag');
is(scalar(journal()), 1, 'one write');
is(PUT('/etag/1', { n => 3 }, 'If-Match: W/"e2"')->{status}, 200,
   'weakened on its way by nginx: the upstream is shown its own');
is(http('PUT', '/etag/1', body => { base_version => 'e3' })->{status}, 200,
   'a base may be a text');


=== a weak tag equals nothing
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/weak/1', { id => 1 });
GET('/weak/1');

is(PUT('/weak/1', { n => 1 }, 'If-Match: W/"e1"')->{status}, 409, 'weak');
is(PUT('/weak/1', { n => 1 }, 'If-Match: "e1"')->{status}, 409, 'strong');


=== an upstream that does not carry the version that it should
--- config
    location / {
        conflict version;
        conflict_version json:/nothing;
        proxy_pass http://api;
    }
    location /pass/ {
        conflict version;
        conflict_version json:/nothing;
        conflict_store_error pass;
        proxy_pass http://api/own/;
    }
--- steps
set_doc('/own/1', { id => 1 });

my $r = PUT('/own/1', { base_version => 1 });

is($r->{status}, 503, 'nothing can be checked');
is(json($r)->{error}, 'store_unavailable', 'error');
is(scalar(journal()), 0, 'nothing was forwarded');
is(PUT('/own/1', { n => 1 })->{status}, 200, 'without a base it passes');

$r = PUT('/pass/1', { base_version => 1 });

is($r->{status}, 200, 'conflict_store_error pass');
is(header($r, 'Conflict') =~ /^unchecked/ ? 1 : 0, 1, 'unchecked');
is((conflicts())[-1]{action}, 'conflict_unchecked', 'logged');
--- error_log
does not have the version specified by "conflict_version"


=== the version of a refusal is a base
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { id => 1 });

is(PUT('/etag/1', { n => 1, base_version => 'e1' })->{status}, 200, 'a write');

my $r = PUT('/etag/1', { n => 2, base_version => 'e1' });
is($r->{status}, 409, 'stale');
is(json($r)->{version}, 'e2', 'the version, without the quotes of a tag');
is(PUT('/etag/1', { n => 2, base_version => json($r)->{version} })->{status},
   200, 'and on it');


=== a base that was read while the write that made it was on its way back
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { id => 1 });

my $tag = header(GET('/etag/1'), 'ETag');
my $one = start('PUT', '/etag/1', body => { n => 1 },
                headers => ["If-Match: $tag", 'X-Up-Write: apply hold']);
applied(1);

$tag = header(GET('/etag/1'), 'ETag');

my $two = start('PUT', '/etag/1', body => { n => 2 },
                headers => ["If-Match: $tag", 'X-Up-Write: apply']);
my $three = start('PUT', '/etag/1', body => { n => 3, base_version => 'e2' });

until_true { GET('/ping') && scalar(grep { $_->{method} eq 'PUT' } seen()) };
release();

is(finish($one)->{status}, 200, 'the first');
is(join(' ', sort map { finish($_)->{status} } $two, $three), '200 409',
   'one of two that had seen it');


=== the field of a write whose version is in the body to come
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_base json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { n => 1 });

my $r = GET('/own/1');
my $v = json($r)->{version};

$r = PUT('/own/1', { n => 2, version => $v });
is($r->{status}, 200, 'a write');
is(header($r, 'Conflict'), 'passed', 'does not show the version before');
isnt(json($r)->{version}, $v, 'its body has the new one');


=== a weak tag is complained of
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/weak/1', { n => 1 });
is(PUT('/weak/1', { n => 2 }, 'If-Match: "e1"')->{status}, 409, 'stale');
like(error_log(),
     qr!the upstream's ETag "W/"e1"" is weak!, 'the log tells why');


=== a client that does not read its response does not hold the resource
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_max_body 4m;
        proxy_pass http://api;
    }
    location = /ping { return 200; }
    }
    server {
    listen 127.0.0.1:$TEST_NGINX_PORT2 sndbuf=4k;
    server_name localhost;
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_max_body 4m;
        client_max_body_size 4m;
        proxy_max_temp_file_size 0;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { id => 1 });
GET('/own/1');

my $one = start('PUT', '/own/1', body => { n => 1, text => 'x' x 3_000_000,
                                           base_version => 1 },
                port => $ENV{TEST_NGINX_PORT2});

until_true { journal() == 1 };
my $r;
until_true { $r = PUT('/own/1', { n => 2, base_version => 2 });
             $r->{status} == 200 };
is(json($r)->{version}, 3, 'another write has its turn');
is(PUT('/own/1', { n => 3, base_version => 1 })->{status}, 409,
   'and was checked');
is(json(finish($one))->{version}, 2, 'the first one was done');


=== a response that shows the document before the write
--- config
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
for my $path ('/own/1', '/etag/1') {
    upstream('/_reset');
    set_doc($path, { n => 'older' });
    set_doc($path, { n => 'old' });
    GET($path);

    my @base = $path =~ /etag/ ? 'If-Match: "e2"' : ();
    my %base = @base ? () : (base_version => 2);

    my $r = PUT($path, { n => 'a', %base }, @base,
                'X-Up-Write: apply old status=200');
    is($r->{status}, 200, "$path: written");
    is(json($r)->{n}, 'old', 'with the document that it has replaced');

    $r = PUT($path, { n => 'b', %base }, @base);
    is($r->{status}, 409, 'the next write on the same base');
    is(json($r)->{server_version}{n}, 'a', 'is told of it');
    is(scalar(journal()), 1, 'and did not get to the API');

    @base = 'If-Match: "e3"' if @base;
    %base = (base_version => 3) if %base;

    is(PUT($path, { n => 'c', %base }, @base)->{status}, 200,
       'the version that it has made');
}


=== a response that shows what was sent, and one to a DELETE what was there
--- config
    location / {
        conflict version;
        conflict_version header:X-Version;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });

my @read = 'X-Up-Read: apply header=X-Version:7';

GET('/plain/1', @read);

my $r = PUT('/plain/1', { n => 1 }, 'X-Base: 7', @read,
            'X-Up-Write: apply header=X-Version:7');
is($r->{status}, 204, 'written, with the base as version');

@read = 'X-Up-Read: apply header=X-Version:8';

is(PUT('/plain/1', { n => 2 }, 'X-Base: 7', @read)->{status}, 409,
   'which does not hold again');
is(DELETE('/plain/1', 'X-Base: 8', @read,
          'X-Up-Write: apply header=X-Version:8')->{status}, 204, 'deleted');

$r = PUT('/plain/1', { n => 3 }, 'X-Base: 8', @read);
is($r->{status}, 409, 'what was there');
is(json($r)->{deleted}, JSON::PP::true, 'is gone');
