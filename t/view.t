# Bodies as evidence: a body is compared only with one of the same view.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

sub doc { JSON::PP->new->decode(upstream("/_doc?path=$_[0]")) }

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a partial view does not prove that a write was not done
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_pass http://api;
    }
--- steps
my @views = (['/view/1?fields=id'], ['/view/1', 'X-Fields: id'],
             ['/view/1', 'Authorization: Bearer clerk'],
             ['/view/1', 'Accept: text/plain'],
             ['/view/1', 'Accept-Language: de'], ['/view/1', 'Cookie: a=b']);

for my $view (@views) {
    my ($uri, @h) = @$view;

    for my $status (202, 303, 500) {
        set_doc('/view/1', { id => 1, title => 'old', salary => 1 });

        my $v = version(GET('/view/1'));
        is(version(GET($uri, @h)), $v, "@$view: a reader gets the version");

        # a change that this view does not show

        PATCH('/view/1', { salary => 2, base_version => $v },
              "X-Up-Write: apply status=$status");
        is(doc('/view/1')->{salary}, 2, "$status, and done");

        my $r = PUT($uri, { id => 1, title => 'B', base_version => $v }, @h);
        is($r->{status}, 409, 'a write on the base of before is refused');
        is(doc('/view/1')->{salary}, 2, 'nothing is lost');
    }
}

# nor a view that the unknown write was not of, though it is the same one as
# that of the read before

set_doc('/view/2', { id => 1, salary => 1 });

my @clerk = ('Authorization: Bearer clerk');
my $v = version(GET('/view/2', @clerk));

PATCH('/view/2', { salary => 2, base_version => $v },
      'X-Up-Write: apply status=202');
is(PUT('/view/2', { id => 2, base_version => $v }, @clerk)->{status}, 409,
   'who sees no salary is not asked about it');


=== nor is a partial view one that proves what a write of its own has changed
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_pass http://api;
    }
--- steps
for my $view (['/view/1?fields=id'], ['/view/1', 'X-Fields: id']) {
    my ($uri, @h) = @$view;

    set_doc('/view/1', { id => 1, salary => 1 });

    my $v = version(GET($uri, @h));

    PATCH($uri, { salary => 2, base_version => $v }, @h,
          'X-Up-Write: apply status=202');
    is(PUT($uri, { id => 2, base_version => $v }, @h)->{status}, 409,
       "@$view: refused");
    is(doc('/view/1')->{salary}, 2, 'nothing is lost');
}


=== the version stays where the same view has the same body
--- config
    location / {
        conflict version;
        conflict_require on;
        conflict_quarantine 100ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
is(PUT('/plain/1', { n => 2, base_version => $v }, 'X-Up-Write: status=500')
   ->{status}, 500, 'not done');

my $r = GET('/plain/1');
is(version($r), $v, 'one GET shows the version, which is that of before');
is(header($r, 'ETag'), qq("$v"), 'as its tag');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204, 'good');

# one that was done

$v = version(GET('/plain/1'));
PUT('/plain/1', { n => 3, base_version => $v }, 'X-Up-Write: apply status=500');
$r = GET('/plain/1');
cmp_ok(version($r), '>', $v, 'another body, another version, by one GET');
is(json($r)->{n}, 3, 'that of the new one');

# somebody else need not wait for the one who knows the body

$v = version($r);
PUT('/plain/1', { n => 4, base_version => $v }, 'X-Up-Write: status=500');
my $w = version(GET('/plain/1', 'Accept: text/html'));
cmp_ok($w, '>', $v, 'a newcomer gets a new one');
is(PUT('/plain/1', { n => 5, base_version => $w })->{status}, 204,
   'which is good');

# after the quarantine of one whose answer was lost, for a HEAD as well

$v = version(GET('/plain/1'));
$r = PUT('/plain/1', { n => 6, base_version => $v }, 'X-Up-Write: close');
is($r->{status}, 502, 'no answer');
until_true { $r = HEAD('/plain/1'); version($r) };
is(version($r), $v, 'the version stays');

# what the GET does not show is not made up

PUT('/plain/1', { n => 7, base_version => $v }, 'X-Up-Write: status=500');

for my $fault ('status=503', 'status=404', 'status=403', 'apply header=Age:7',
               'close')
{
    is(version(GET('/plain/1', "X-Up-Read: $fault")), undef,
       "$fault tells nothing");
}

is(version(GET('/plain/1')), $v, 'the next one does');


=== what comes out of a cache is of no known version
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /hidden/ {
        conflict version;
        proxy_hide_header Cache-Status;
        proxy_hide_header Warning;
        proxy_hide_header X-Cache;
        proxy_hide_header X-Cache-Status;
        proxy_hide_header X-Proxy-Cache;
        proxy_hide_header CF-Cache-Status;
        proxy_hide_header X-Drupal-Cache;
        proxy_pass http://api/plain/;
    }
    location /varnish/ {
        conflict version;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/behind/;
    }
    location /behind/ {
        add_header X-Varnish "32770 3";
        add_header Age 0;
        proxy_pass http://api/plain/;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204, 'a write');

my $r = GET('/plain/1', 'X-Up-Read: old header=Age:60');
is(json($r)->{n}, 1, 'the body of before');
is(header($r, 'ETag'), undef, 'has no tag');
is(header($r, 'Last-Modified'), undef, 'nor a date');
is(header($r, 'Conflict'), 'unchecked', 'and says so');

$r = GET('/plain/1', 'X-Up-Read: apply header=Age:0');
like(header($r, 'ETag'), qr/^"\d+"$/, 'of age 0 it is fresh');

# caches, nginx among them, may send no Age, or 0 in their first second

for my $field ('Cache-Status:cdn;hit;ttl=30', 'Cache-Status:a;fwd=miss,b;hit',
               'Cache-Status:cdn;fwd=uri-miss;collapsed', 'Warning:110',
               'X-Cache:HIT', 'X-Cache:MISS,Hit', 'x-cache:TCP_HIT',
               'X-Cache-Status:STALE', 'X-Proxy-Cache:UPDATING',
               'CF-Cache-Status:HIT', 'X-Drupal-Cache:HIT',
               'cdn-cache:HIT', 'X-Vercel-Cache:STALE',
               'X-Cache:TCP_REMOTE_HIT', 'X-Cache:tcp_ims_hit,x',
               'X-Cache:PARTIAL_HIT', 'X-Rack-Cache:fresh',
               'X-Cached:HIT')
{
    $r = GET('/plain/1', "X-Up-Read: old header=$field");
    is(header($r, 'ETag'), undef, "$field - no tag");
    is(header($r, 'Conflict'), 'unchecked', 'and it says so');

    $r = GET('/hidden/1', "X-Up-Read: old header=$field");
    is(header($r, 'Conflict'), 'unchecked', 'also if clients do not see it');
}

for my $field ('Cache-Status:cdn;fwd=uri-miss', 'Cache-Status:c;fwd=stale',
               'Cache-Status:hit.example;fwd=miss', 'Warning:199',
               'X-Cache:MISS', 'X-Cache-Status:REVALIDATED',
               'X-Cache:RefreshHit', 'CF-Cache-Status:DYNAMIC',
               'X-Varnish:32770', 'X-Drupal-Cache:MISS',
               'X-Cache-Lookup:HIT', 'Cache-Control:stale-if-error=60',
               'X-Cache-Tags:hit', 'X-Cache:TCP_REFRESH_HIT',
               'X-Rack-Cache:miss,store', 'X-Cache:TCP_MISS', 'X-Cache:_hits',
               'X-Cached:MISS')
{
    $r = GET('/plain/1', "X-Up-Read: apply header=$field");
    like(header($r, 'ETag'), qr/^"\d+"$/, "$field - the API has answered");
}

is(header(GET('/varnish/1', 'X-Up-Read: old'), 'Conflict'), 'unchecked',
   'a hit of Varnish has a second number');

# a write of unknown outcome is not undone by the body of before

set_doc('/plain/2', { n => 1 });
my $base = version(GET('/plain/2'));
is(PUT('/plain/2', { n => 2, base_version => $base },
       'X-Up-Write: apply status=500')->{status}, 500, 'it was done');
$r = PUT('/plain/2', { n => 3, base_version => $base },
         'X-Up-Read: old header=X-Cache:HIT');
is($r->{status}, 503, 'the outcome stays unknown');

# the module's own GET is not answered by a cache either

$r = PUT('/plain/1', { n => 3, base_version => $v },
         'X-Up-Read: old header=Age:60');
is($r->{status}, 409, 'stale');
is(json($r)->{server_version}, undef, 'without the body of before');
is(json($r)->{server_version_omitted}, 'unavailable', 'and says so');

my ($get) = grep { $_->{method} eq 'GET' } reverse seen();
my %h = map { @$_ } @{ $get->{headers} };
is($h{'cache-control'}, 'no-cache', 'caches were told');

set_doc('/etag/1', { n => 1 });
$r = PUT('/etag/1', { n => 2 }, 'If-Match: "e1"');
is($r->{status}, 200, 'a write');
$r = GET('/etag/1', 'X-Up-Read: old header=Age:60');
is(header($r, 'ETag'), '"e1"', 'the upstream\'s own tag is its own');
is(header($r, 'Conflict'), 'unchecked', 'of which nothing is known');
is(PUT('/etag/1', { n => 3 }, 'If-Match: "e1"')->{status}, 409, 'stale');
is(PUT('/etag/1', { n => 3 }, 'If-Match: "e2"')->{status}, 200, 'good');


=== a read of the upstream's own versions moves nothing back
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
set_doc('/own/1', { t => 'old' });

is(PUT('/own/1', { t => 'A', base_version => 1 })->{status}, 200, 'A');

for my $uri ('/own/1', '/own/1?rev=1') {
    my $r = GET($uri, 'X-Up-Read: old');
    is(json($r)->{version}, 1, "$uri shows an old one");
    unlike(header($r, 'Conflict'), qr/version/, 'of which nothing is said');
    is(header($r, 'Last-Modified'), undef, 'no date of ours');
    is(PUT('/own/1', { t => 'B', base_version => 1 })->{status}, 409,
       'it is not current');
    is(scalar(grep { $_->{method} eq 'PUT' } journal()), 1, 'and not written');
}

is(scalar(grep { $_->{action} eq 'conflict_external' } conflicts()), 0,
   'nor is anything logged');
is(PUT('/own/1', { t => 'C', base_version => 2 })->{status}, 200, 'good');

# without a read before: what a replica that lags behind has shown first

set_doc('/own/2', { t => 'old' });
set_doc('/own/2', { t => 'new' });
is(json(GET('/own/2', 'X-Up-Read: old'))->{version}, 1, 'the old one');
is(PUT('/own/2', { t => 'B', base_version => 1 })->{status}, 409, 'refused');

# tags have no order

set_doc('/etag/1', { t => 'old' });
is(PUT('/etag/1', { t => 'A' }, 'If-Match: "e1"')->{status}, 200, 'A');

for (1 .. 2) {
    my $r = GET('/etag/1', 'X-Up-Read: old');
    is(header($r, 'ETag'), '"e1"', 'an old tag');
    is(PUT('/etag/1', { t => 'B' }, 'If-Match: "e1"')->{status}, 409,
       'is not current');
}

is(scalar(grep { $_->{action} eq 'conflict_external' } conflicts()), 0,
   'nor is anything logged');

# a change that did not pass through here is found by the GET, and logged

set_doc('/etag/1', { t => 'behind' });
GET('/etag/1');
is(PUT('/etag/1', { t => 'B' }, 'If-Match: "e2"')->{status}, 409, 'found');

my @log = grep { $_->{action} eq 'conflict_external' } conflicts();
is(scalar(@log), 1, 'once');
is(PUT('/etag/1', { t => 'B' }, 'If-Match: "e3"')->{status}, 200, 'good');


=== two servers may have the same paths
--- http_config
    server {
        listen $TEST_NGINX_PORT2;
        server_name other.test;

        location / {
            conflict merge;
            conflict_field /n sum;
            proxy_pass http://api/view/;
        }
    }
--- config
    location / {
        conflict merge;
        conflict_field /n sum;
        proxy_pass http://api;
    }
    location ~ ^(/plain/.+)/lock$ {
        conflict_lock;
        conflict_key $1;
        conflict_user $http_x_user;
    }
--- steps
my @other = (port => $ENV{TEST_NGINX_PORT2});

set_doc('/plain/1', { n => 100 });
set_doc('/view/plain/1', { n => 5 });

my $v = version(GET('/plain/1'));
my $r = http('GET', '/plain/1', @other);
my $w = version($r);

is(http('PUT', '/plain/1', body => { n => 6, base_version => $w }, @other)
   ->{status}, 204, 'one more');
is(version(GET('/plain/1')), $v, 'which is not written here');

$r = http('PUT', '/plain/1', body => { n => 7, base_version => $w }, @other);
is($r->{status}, 204, 'two more, on the same base');
is(doc('/view/plain/1')->{n}, 8, 'are added to its own');

$r = http('PUT', '/plain/1', body => { n => 'x', base_version => $w }, @other);
is(json($r)->{resource}, '/plain/1', 'the path is its name');

# a lock is for the paths of its server, too

http('POST', '/plain/1/lock', headers => ['X-User: ann']);
is(PUT('/plain/1', { n => 1 })->{status}, 409, 'locked');
is(http('PUT', '/plain/1', body => { n => 1 }, @other)->{status}, 204,
   'but not there');


=== the base of a merge is what the writer was shown
--- config
    location / {
        conflict merge;
        conflict_user $http_x_user;
        conflict_field /views sum;
        proxy_pass http://api;
    }
--- steps
my %doc = (title => 't', text => 'x', views => 10);

# a member that each caller has of its own

for my $n (1 .. 2) {
    my ($a, $b, $c) = map { "Authorization: Bearer $_" } 'a', 'b', 'c';

    set_doc("/view/$n", { %doc });
    PUT("/view/$n", { %doc, starred => JSON::PP::true }, $a);

    GET("/view/$n", $a) if $n == 1;
    my $v = version(GET("/view/$n", $b));

    is(PUT("/view/$n", { %doc, title => 't2', base_version => $v }, $c)
       ->{status}, 204, 'c');
    my $r = PUT("/view/$n", { %doc, starred => JSON::PP::true,
                              base_version => $v }, $b);
    is($r->{status}, 204, 'b is merged');
    is(json(GET("/view/$n", $b))->{starred}, JSON::PP::true, 'with its star');
    is(doc("/view/$n")->{title}, 't2', 'and what c has made');
}

# a part that a list screen has read, under each thing that selects it

my $n = 10;

for my $part (['', 'X-Fields: title'], ['?fields=title'],
              ['?fields=title', 'Accept: text/x'])
{
    my ($args, @h) = @$part;
    my ($ann, $bob) = ('X-User: ann', 'X-User: bob');

    $n++;
    set_doc("/view/$n", { %doc, price => 100, z => 'old' });

    GET("/view/$n$args", @h, $ann);
    my $v = version(GET("/view/$n", $ann));

    is(PUT("/view/$n", { %doc, views => 11, price => 150, z => 'old',
                         base_version => $v }, $bob)->{status}, 204, 'bob');

    is(PUT("/view/$n", { title => 'T', text => 'x', views => 12, price => 100,
                         base_version => $v }, $ann)->{status}, 204, 'ann');

    is_deeply(doc("/view/$n"), { title => 'T', text => 'x', views => 13,
                                 price => 150 },
              "@$part: both edits, and what ann has removed");
}

# who was shown nothing has no base

set_doc('/view/30', { %doc });
my $v = version(GET('/view/30', 'X-User: ann'));
PUT('/view/30', { %doc, title => 'a', base_version => $v }, 'X-User: ann');

my $r = PUT('/view/30', { %doc, title => 'b', base_version => $v },
            'X-User: bob');
is($r->{status}, 409, 'not merged');
is(json($r)->{base_held}, JSON::PP::false, 'the base is not held');

# many readers of one body take no room from each other

set_doc('/view/31', { %doc });
$v = version(GET('/view/31', 'X-User: ann'));
GET('/view/31', "X-User: u$_") for 1 .. 12;

PUT('/view/31', { %doc, title => 'c', base_version => $v }, 'X-User: u3');
is(PUT('/view/31', { %doc, text => 'y', base_version => $v }, 'X-User: ann')
   ->{status}, 204, 'the first is still known');


=== Vary: *, or more than can be told, and a part
--- config
    location / {
        conflict merge;
        conflict_quarantine 100ms;
        proxy_pass http://api;
    }
--- steps
for my $header ('Vary:*', 'Vary:x-a,*', 'Content-Range:items',
                'Vary:' . join(',', map { "x-$_" . 'y' x 30 } 1 .. 20))
{
    set_doc('/plain/1', { a => 1, b => 1 });

    my @h = ("X-Up-Read: apply header=$header");
    my $v = version(GET('/plain/1', @h));

    is(PUT('/plain/1', { a => 2, b => 1, base_version => $v })->{status}, 204,
       'a write');
    my $r = PUT('/plain/1', { a => 1, b => 2, base_version => $v }, @h);
    is($r->{status}, 409, 'nothing to merge with');
    is(json($r)->{base_held}, JSON::PP::false, 'no view, no base');

    $v = version(GET('/plain/1', @h));
    PUT('/plain/1', { a => 3, base_version => $v }, @h,
        'X-Up-Write: status=500');
    my $w = version(GET('/plain/1', @h));
    cmp_ok($w, '>', $v, 'nor does it prove a version');
}


=== a retry is one of the same caller's
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/view/1', { t => 1 });

my $v = version(GET('/view/1'));
my %star = (t => 1, starred => JSON::PP::true, base_version => $v);

is(PUT('/view/1', { %star }, 'Authorization: Bearer a')->{status}, 204, 'a');
is(PUT('/view/1', { %star }, 'Authorization: Bearer a')->{status}, 200,
   'a again');
is(PUT('/view/1', { %star }, 'Authorization: Bearer b')->{status}, 409,
   'b has not starred it yet');
is(PUT('/view/1', { %star }, 'Cookie: who=c')->{status}, 409, 'nor has c');


=== the caller may write, and the module's GET is refused
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /lww/ {
        conflict lww;
        proxy_pass http://api/plain/;
    }
    location /merge/ {
        conflict merge;
        conflict_field /at server;
        proxy_pass http://api/plain/;
    }
    location /wins/ {
        conflict server_wins;
        proxy_pass http://api/plain/;
    }
--- steps
my $digest = 'Authorization: Digest username="ann", uri="/plain/1"';
my $n = 0;

for my $get ('status=401 header=WWW-Authenticate:Digest', 'status=403',
             'status=405', 'status=406')
{
    my @h = ($digest, "X-Up-Read: $get");

    # known: the store can tell

    my $path = '/plain/' . ++$n;
    set_doc($path, { n => 1 });
    my $v = version(GET($path));

    my $r = PUT($path, { n => 2, base_version => $v }, @h);
    is($r->{status}, 204, "$get: a good base");
    $r = PUT($path, { n => 2, base_version => $v }, @h);
    like(header($r, 'Conflict'), qr/^replayed/, 'the same again was done');

    $r = PUT($path, { n => 3, base_version => $v }, @h);
    is($r->{status}, 409, 'a stale one');
    is(header($r, 'WWW-Authenticate'), undef, 'nobody is asked who it is');
    is(json($r)->{server_version_omitted}, 'unavailable', 'without a body');
    is(json($r)->{version}, undef, 'or a version');

    # unknown: a base cannot hold; what is new the API can judge

    $path = "/plain/x$n";
    is(PUT($path, { n => 1, base_version => 1 }, @h)->{status}, 409,
       'a base of what nobody knows');
    $r = PUT($path, { n => 1 }, 'If-None-Match: *', @h);
    is($r->{status}, 201, 'what is not there is made');
    is(header($r, 'Conflict'), 'unchecked', 'by the API');
    $r = PUT("/plain/y$n", { n => 1 }, 'If-None-Match: *', @h,
             'X-Up-Write: status=412');
    is($r->{status}, 412, 'or refused by it');

    is(PUT("/lww/z$n", { n => 1, base_version => 1 }, @h)->{status}, 201,
       'lww passes');
    is(PUT("/wins/z$n", { n => 2, base_version => 1 }, @h)->{status}, 409,
       'server_wins has nothing to show');
    is(PUT("/merge/z$n", { n => 2, base_version => 1 }, @h)->{status}, 409,
       'merge nothing to merge with');
}

# who sends no credentials is asked for them, and who asks too often may wait

set_doc('/plain/a', { n => 1 });

my $r = PUT('/plain/a', { base_version => 1 },
            'X-Up-Read: status=401 header=WWW-Authenticate:Digest');
is($r->{status}, 401, 'to log in');
is(header($r, 'WWW-Authenticate'), 'Digest', 'with the challenge');
is(PUT('/plain/a', { base_version => 1 }, $digest, 'X-Up-Read: status=429')
   ->{status}, 429, 'later');


=== a part is not the whole
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_pass http://api;
        proxy_force_ranges on;
    }
    location /file/ {
        conflict version;
        conflict_quarantine 100ms;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
        dav_methods PUT;
    }
--- steps
set_doc('/plain/1', { n => 1, pad => 'x' x 100 });

my $v = version(GET('/plain/1'));

for my $read (sub { GET('/plain/1', 'Range: bytes=0-3') },
              sub { HEAD('/plain/1') },
              sub { GET('/plain/1', 'X-Up-Read: status=206 body=5') })
{
    $read->();
    PUT('/plain/1', { n => 2, base_version => $v }, 'X-Up-Write: status=500');
    is(version(GET('/plain/1')), $v, 'what the whole has noted stays');
}


=== a retry is known though a Vary has come between
--- config
    location / {
        conflict merge;
        conflict_field /n sum;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my @h = ('X-User: a', 'X-Fields: n');
my %type = (PUT => 'json', PATCH => 'merge-patch+json');

for my $method (sort keys %type) {
    my $path = "/plain/$method";
    my @sent = (@h, "Content-Type: application/$type{$method}");

    set_doc($path, { n => 1 });

    my $v = version(GET($path, @h));
    my %doc = (n => 3, base_version => $v);

    is(http($method, $path, body => \%doc, headers => \@sent)->{status},
       204, "$method: the first time");

    GET($path, 'X-Up-Read: apply header=Vary:X-Fields');

    my $r = http($method, $path, body => \%doc, headers => \@sent);

    like(header($r, 'Conflict'), qr/^replayed;/, 'the second time');
    is(doc($path)->{n}, 3, 'is added once');
}


=== two callers that a header of Vary tells apart are not one that retries
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/view/1', { t => 1 });

my ($c, $d) = ('X-Who: c', 'X-Who: d');
my $v = version(GET('/view/1', $c));
my %star = (t => 1, starred => JSON::PP::true, base_version => $v);

is(PUT('/view/1', \%star, $c)->{status}, 204, 'c stars it');
is(PUT('/view/1', \%star, $d)->{status}, 409, 'd has not starred it yet');

$v = version(GET('/view/1', $d));
is(PUT('/view/1', { %star, base_version => $v }, $d)->{status}, 204, 'now');

my $r = PUT('/view/1', { %star, base_version => $v }, $d);
like(header($r, 'Conflict'), qr/^replayed;/, 'and again');

$r = PUT('/view/1', { %star, base_version => $v }, 'X-Who: e');
is($r->{status}, 409, 'e has not');
