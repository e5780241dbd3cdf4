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
