# conflict_inject: the version becomes a member of JSON responses.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a new member, a replaced one, a nested one
--- config
    location / {
        conflict version;
        conflict_inject json:/version;
        proxy_pass http://api;
    }
    location /row/ {
        conflict version;
        conflict_inject json:/data/version;
        proxy_pass http://api;
    }
--- steps
my %docs = (
    '{"id":1}'                    => '{"id":1,"version":V}',
    '{}'                          => '{"version":V}',
    ' { } '                       => ' { "version":V} ',
    '{"version":7}'               => '{"version":V}',
    '{"version":"seven","id":1}'  => '{"version":V,"id":1}',
    '{"id":1,"version":{"a":[]}}' => '{"id":1,"version":V}',
    '{"a":{"version":7}}'         => '{"a":{"version":7},"version":V}',
    '{"v\u0065rsion":null}'       => '{"v\u0065rsion":V}',
    '[1,2]'                       => '[1,2]',
    '"text"'                      => '"text"',
    '{"id":1'                     => '{"id":1',
);

my $n = 0;

for my $doc (sort keys %docs) {
    my $path = '/plain/' . ++$n;
    set_doc($path, $doc);

    my $r = GET($path);
    my $v = version($r);
    (my $want = $docs{$doc}) =~ s/V/$v/;

    is($r->{body}, $want, "injected into $doc");
    is(header($r, 'Content-Length'), undef, 'the length is not claimed');
}

for my $sum ('Content-MD5', 'Digest', 'Content-Digest', 'Repr-Digest') {
    my $r = GET('/plain/1', "X-Up-Read: apply header=$sum:x");

    is($r->{status}, 200, 'a body of which the API has sent a sum');
    is(header($r, $sum), undef, 'which is not that of the changed one');
}

set_doc('/row/1', { id => 1 });

my $r = GET('/row/1');

is(json($r)->{data}{version}, version($r), 'in an envelope');

$r = PUT('/row/1', { id => 2, base_version => version($r) });

is($r->{status}, 200, 'a write whose answer has a body');
is(json($r)->{data}{version}, version($r), 'shows the new version');

set_doc('/text/1', { id => 1 });
is(GET('/text/1')->{body}, '{"id":1}', 'what is not JSON stays');

$r = HEAD('/plain/1');
is(header($r, 'Content-Length'), undef, 'HEAD claims no length either');


=== a body that comes in pieces
--- config
    proxy_buffer_size 1k;
    proxy_buffers 4 1k;
    proxy_busy_buffers_size 2k;
    location / {
        conflict version;
        conflict_inject json:/version;
        proxy_pass http://api;
    }
    location /file/ {
        conflict version;
        conflict_inject json:/version;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> a.json
{"id":1,"version":0}
--- steps
for my $size (900 .. 1100, 5000, 70000) {
    my $path = "/plain/s$size";
    set_doc($path, '{"text":"' . 'x' x $size . '","version":123456789}');

    my $r = GET($path);
    my $v = version($r);
    my $want = '{"text":"' . 'x' x $size . qq(","version":$v});

    next if $r->{body} eq $want;

    fail("a value after $size bytes: ..." . substr($r->{body}, -40));
    last;
}

my $r = GET('/file/a.json');

is($r->{body}, '{"id":1,"version":0}' . "\n", 'a text file is not JSON');


=== a client goes on with what it was given
--- config
    location / {
        conflict version;
        conflict_inject json:/base_version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

# reads, changes and sends back the whole document, as clients do

for my $n (1 .. 3) {
    my $doc = json(GET('/plain/1'));

    $doc->{n} = $n;
    is(PUT('/plain/1', $doc)->{status}, 204, "round $n");
}

is_deeply(json(upstream('/_doc?path=/plain/1')), { id => 1, n => 3 },
          'the upstream never saw the member');


=== the latest body has it as well
--- config
    location / {
        conflict version;
        conflict_inject json:/version;
        conflict_base json:/version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
    location /wins/ {
        conflict server_wins;
        conflict_inject json:/version;
        conflict_base json:/version;
        conflict_strip_base on;
        proxy_pass http://api/plain/;
    }
    location /row/ {
        conflict version;
        conflict_latest fetch root=/data;
        conflict_inject json:/data/version;
        conflict_base json:/version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/wins/2', '/row/3') {
    (my $doc = $path) =~ s!/wins/!/plain/!;
    set_doc($doc, { n => 1 });

    my $first = json(GET($path));
    $first = $first->{data} if $path =~ /row/;
    ok($first->{version}, "$path: a read has it");
    like(PUT($path, { %$first, n => 2 })->{status}, qr/^20[04]$/, 'a write');

    my $r = PUT($path, { %$first, n => 3 });
    my $latest = $path =~ /wins/ ? json($r) : json($r)->{server_version};

    is($latest->{n}, 2, 'a stale one shows the latest body');
    is($latest->{version}, version($r), 'with its version');
    like(PUT($path, { %$latest, n => 4 })->{status}, qr/^20[04]$/,
         'on which a write passes');
}


=== a value that goes over what is looked into
--- config
    location / {
        conflict version;
        conflict_max_body 4096;
        conflict_inject json:/version;
        proxy_buffers 8 4k;
        proxy_buffer_size 4k;
        proxy_pass http://api;
    }
--- steps
my $bad = 0;

for my $value ('11112222', '{"a":"' . 'z' x 20 . '"}') {
    for my $pad (3800 .. 4060) {
        my $body = '{"pad":"' . 'x' x $pad . '","version":' . $value
                   . ',"more":"' . 'y' x 3000 . '"}';

        set_doc('/plain/1', $body);

        my $r = GET('/plain/1');
        next if $r->{body} eq $body;

        my $j = eval { JSON::PP->new->decode($r->{body}) };
        $bad++ unless $j && $j->{version} eq version($r);
    }
}

is($bad, 0, 'is replaced whole, or not at all');


=== a value in which the JSON breaks off
--- config
    location / {
        conflict version;
        conflict_inject json:/version;
        proxy_buffer_size 1k;
        proxy_buffers 4 1k;
        proxy_busy_buffers_size 2k;
        proxy_pass http://api;
    }
--- steps
my $bad = 0;

for my $size (600 .. 1100, 3000) {
    my $body = '{"version":"' . 'x' x $size . "\xff" . 'y' x 1500
               . '","more":"' . 'z' x 3000 . '"}';

    set_doc('/plain/1', $body);

    my $r = GET('/plain/1');
    next if $r->{body} eq $body;

    my $v = version($r);

    $bad++ unless $r->{body} =~ s/^\{"version":$v//
                  && length($r->{body}) < length($body)
                  && substr($body, -length($r->{body})) eq $r->{body};
}

is($bad, 0, 'goes on with what the upstream sent');
