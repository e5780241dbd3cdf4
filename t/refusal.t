# A refusal shows what a GET through the location shows, without a byte that its
# filters remove.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== sub_filter
--- config
    sub_filter_types application/json;
    sub_filter_once off;
    sub_filter 'SECRET-1234' 'xxxx';
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /in/ {
        conflict version;
        conflict_latest fetch root=/data;
        conflict_inject json:/data/version;
        proxy_pass http://api/row/;
    }
    location /drop/ {
        conflict server_wins;
        proxy_pass http://api/plain/;
    }
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /plain/html {
        conflict version;
        sub_filter '"' '<q>';
        proxy_pass http://api;
    }
--- steps
my $secret = { id => 1, title => 'old', token => 'SECRET-1234' };
my %shown = (%$secret, token => 'xxxx');

for my $path (qw(/plain/1 /in/1 /own/1)) {
    (my $doc = $path) =~ s!^/in/!/row/!;
    set_doc($doc, $secret);

    my $got = json(GET($path));
    $got = $got->{data} if $path =~ m!^/in/!;
    is($got->{token}, 'xxxx', "$path: a GET");

    for my $accept ('*/*', 'application/problem+json', 'text/html') {
        my $r = PUT($path, { id => 1, base_version => 77 },
                    "Accept: $accept");

        is($r->{status}, 409, "a refusal, $accept");
        is(json($r)->{server_version}{token}, 'xxxx', 'as the GET');
        is(json($r)->{server_version}{title}, 'old', 'all of it');
        unlike($r->{raw}, qr/SECRET/, 'and nothing else');
        is(header($r, 'Content-Length'), length $r->{body}, 'its length');
        is(version($r), header($r, 'ETag') =~ s/"//gr, 'its ETag')
            unless $path =~ /own/;
    }
}

is(json(PUT('/in/1', { base_version => 77 }))->{server_version}{version},
   version(GET('/in/1')), 'with its version');

# of what the client says nothing is taken away

my $r = PUT('/plain/1', { base_version => 'SECRET-1234' });
is($r->{status}, 400, 'no version');
is(json($r)->{base_version}, 'SECRET-1234', 'what the client says stays');

set_doc('/plain/2', $secret);
my $v = version(GET('/drop/2'));
PUT('/drop/2', { %$secret, base_version => $v });
$r = PUT('/drop/2', { id => 2, base_version => $v });
is(header($r, 'Conflict'), "dropped;version=@{[version($r)]};base=$v",
   'dropped');
is(json($r)->{token}, 'xxxx', 'with the body, as the GET');
is(header($r, 'Content-Length'), length $r->{body}, 'its length');

set_doc('/plain/html', $secret);
$r = PUT('/plain/html', { base_version => 77 });
is(json($r)->{server_version_omitted}, 'filtered', 'what is not JSON any more');
is(json($r)->{server_version}, undef, 'is left out');
unlike($r->{raw}, qr/SECRET/, 'all of it');

$r = HEAD('/plain/1');
is($r->{status}, 200, 'others are as ever');


=== an upstream that names the type as the client asks
--- config
    location / {
        conflict version;
        sub_filter_types application/json;
        sub_filter 'SECRET-1234' 'xxxx';
        proxy_pass http://api;
    }
    location /now/ {
        conflict version;
        sub_filter_types application/json;
        sub_filter 'SECRET-1234' 'xxxx';
        proxy_buffering off;
        proxy_pass http://api/plain/;
    }
    location /temp/ {
        conflict version;
        sub_filter_types application/json;
        sub_filter 'SECRET-1234' 'xxxx';
        proxy_buffer_size 1k;
        proxy_buffers 2 1k;
        proxy_busy_buffers_size 1k;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/1', { token => 'SECRET-1234', pad => 'x' x 50000 });

for my $path ('/now/1', '/temp/1') {
    my $r = PUT($path, { base_version => 77 });
    is(json($r)->{server_version}{token}, 'xxxx', "$path: however it comes");
    is(length json($r)->{server_version}{pad}, 50000, 'whole');
}

my $r = PUT('/plain/1', { base_version => 77 });
is(json($r)->{server_version}{token}, 'xxxx', 'a body of several buffers');
is(length json($r)->{server_version}{pad}, 50000, 'whole');

$r = PUT('/plain/1', { base_version => 77 }, 'X-Up-Read: apply chunked');
is(json($r)->{server_version}{token}, 'xxxx', 'or of chunks');


=== the fields that clash in a merge
--- config
    location / {
        conflict merge;
        sub_filter_types application/json;
        sub_filter 'SECRET-1234' 'xxxx';
        proxy_pass http://api;
    }
    location /open/ {
        conflict merge;
        proxy_pass http://api/plain/open/;
    }
--- steps
for my $path (qw(/plain/1 /open/1)) {
    (my $doc = $path) =~ s!^/open!/plain/open!;
    set_doc($doc, { n => 1, token => 'a' });

    my $v = version(GET($path, 'Authorization: me'));

    PUT($path, { n => 2, token => 'SECRET-1234', base_version => $v },
        'Authorization: me');

    my $r = PUT($path, { n => 3, token => '<b>', base_version => $v },
                'Authorization: me');

    is($r->{status}, 409, "$path: they clash");

    my %at = map { $_->{field} => $_ } @{ json($r)->{conflicts} };

    is(join(' ', sort keys %at), '/n /token', 'both fields');
    is($at{'/n'}{rule}, 'auto', 'the rule');
    is($at{'/token'}{client}, '<b>', 'what the client wants');
    unlike($r->{body}, qr/[<>]/, 'with no markup');

    if ($path =~ /plain/) {
        is(exists $at{$_}{server}, '', "$_: not the server's value") for keys %at;
        is(exists $at{$_}{base}, '', "$_: nor the base's") for keys %at;
        unlike($r->{raw}, qr/SECRET/, 'nowhere');
        is(json($r)->{server_version}{token}, 'xxxx', 'the body is filtered');

    } else {
        is($at{'/n'}{server}, 2, 'the server\'s value');
        is(exists $at{'/n'}{base}, 1, 'and the base\'s');
    }
}


=== SSI: what the client sends is no directive, an include is not shown
--- config
    location / {
        conflict version;
        ssi on;
        ssi_types application/json;
        proxy_pass http://api;
    }
    location /secret {
        internal;
        return 200 "INTERNAL-ONLY";
    }
    location /slow/ {
        internal;
        proxy_pass http://api;
    }
--- steps
my $do = '<!--# include virtual="/secret" -->';

set_doc('/plain/1', { id => 1 });

for my $r (PUT('/plain/1', { base_version => "7$do" }),
           PUT('/plain/1', { n => 1 }, qq(If-Match: "7", "$do")),
           PUT('/plain/' . ($do =~ s/([^a-z])/sprintf '%%%02x', ord $1/ger),
               { base_version => 7 }))
{
    cmp_ok($r->{status}, '>=', 400, 'refused');
    unlike($r->{body}, qr/INTERNAL|[<>&]/, 'no directive');
    like($r->{body}, qr/\\u003c/, 'but the bytes');
}

# the upstream's own directives act upon a GET

set_doc('/plain/2', '{"id":"<!--# echo var="conflict_fetch" -->"}');
my $r = PUT('/plain/2', { base_version => 77 });
is(json($r)->{server_version}{id}, 1, 'an echo');

set_doc('/plain/5', '{"a":"<!--# set var="a" value="x" --><!--# echo var="a" -->'
                    . '<!--# block name="b" -->y<!--# endblock -->"}');
$r = PUT('/plain/5', { base_version => 77 });
is(json($r)->{server_version}{a}, 'x', 'variables and blocks');

set_doc('/plain/3', qq({"id":"$do"}));
like(GET('/plain/3')->{body}, qr/INTERNAL-ONLY/, 'an include, in a GET');
$r = PUT('/plain/3', { base_version => 77 });
is(json($r)->{server_version_omitted}, 'filtered', 'is not shown in a refusal');
unlike($r->{raw}, qr/INTERNAL/, 'nowhere');

set_doc('/plain/4', '{"a":"<!--# include virtual="/slow/plain/1" -->",'
                    . '"b":"<!--# include virtual="/slow/plain/1" wait="yes" -->"}');
$r = PUT('/plain/4', { base_version => 77 }, 'X-Up-Read: sleep=0.05 apply');
is($r->{status}, 409, 'nor one that takes its time');
is(json($r)->{server_version_omitted}, 'filtered', 'why');
unlike($r->{body}, qr/"id"/, 'not a byte of it');
is(GET('/plain/1')->{status}, 200, 'the worker lives');


=== what is added around a body
--- config
    location / {
        conflict version;
        add_after_body /after;
        addition_types application/json;
        proxy_pass http://api;
    }
    location /text/ {
        conflict version;
        add_after_body /after;
        addition_types text/html;
        proxy_pass http://api/plain/;
    }
    location /after {
        return 200 "[]";
    }
--- steps
set_doc('/plain/1', { id => 1 });

is(GET('/plain/1')->{body}, '{"id":1}[]', 'a GET');

my $r = PUT('/plain/1', { base_version => 77 });
is(json($r)->{server_version_omitted}, 'filtered', 'is not the body');
is(json(PUT('/text/1', { base_version => 77 }))->{server_version}{id}, 1,
   'another type is left alone');


=== what goes on below
--- config
    add_header X-Here yes always;
    gzip on;
    gzip_min_length 0;
    gzip_types application/json;
    gzip_vary on;
    sub_filter_types application/json;
    sub_filter old new;
    location / {
        conflict server_wins;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { t => 'old', pad => 'x' x 1000 });

my $v = version(GET('/plain/1'));
PUT('/plain/1', { t => 'old', base_version => $v });

my $r = PUT('/plain/1', { t => 'my', base_version => $v });
is($r->{status}, 200, 'dropped');
is(header($r, 'X-Here'), 'yes', 'the header has passed the filters');
is(json($r)->{t}, 'new', 'the body did, before');
is(header($r, 'Content-Length'), length $r->{body}, 'its length');

$r = PUT('/plain/1', { t => 'my', base_version => $v },
         'Accept-Encoding: gzip');
is(header($r, 'Content-Encoding'), 'gzip', 'it is encoded where that is asked');
is(header($r, 'Vary'), 'Accept-Encoding', 'and says so');
is(header($r, 'X-Here'), 'yes', 'the header is the same');


=== a recoded body
--- http_config
    charset_map koi8-r utf-8 {
        E1 D090;
    }
--- config
    location / {
        conflict version;
        source_charset utf-8;
        charset koi8-r;
        override_charset on;
        charset_types application/json;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', qq({"id":"\xd0\x90"}));

like(GET('/plain/1')->{body}, qr/"\xe1"/, 'a GET');

my $r = PUT('/plain/1', { base_version => 77 });
like($r->{body}, qr/"id":"\xd0\x90"/, 'JSON stays UTF-8');
is(header($r, 'Content-Type'), 'application/json', 'and says nothing else');


=== the refusal of a GET is filtered, too
--- config
    location / {
        conflict version;
        sub_filter_types application/json;
        sub_filter 'SECRET-1234' 'xxxx';
        proxy_pass http://api;
    }
--- steps
my $r = PUT('/plain/1', { base_version => 77 },
            'X-Up-Read: status=429 body=3 header=X-A:SECRET-1234');
is($r->{status}, 429, 'a GET is refused');
like($r->{body}, qr/"xxx"/, 'its body');
unlike($r->{raw}, qr/SECRET/, 'nothing else');


=== files: directio, aio, sendfile
--- http_config
    upstream files { server unix:$TEST_NGINX_SERVER_ROOT/files.sock; }
--- config
    root $TEST_NGINX_SERVER_ROOT/html;
    default_type application/json;
    location /plain/ {
        conflict version;
        dav_methods PUT DELETE;
        directio 4k;
    }
    location /aio/ {
        conflict version;
        conflict_inject json:/version;
        alias $TEST_NGINX_SERVER_ROOT/html/plain/;
        dav_methods PUT;
        directio 4k;
        aio threads;
        output_buffers 2 8k;
    }
    location /send/ {
        conflict version;
        conflict_inject json:/version;
        alias $TEST_NGINX_SERVER_ROOT/html/plain/;
        dav_methods PUT;
        sendfile on;
        aio threads;
    }
    location /own/ {
        conflict version;
        conflict_version json:/n;
        alias $TEST_NGINX_SERVER_ROOT/html/plain/;
        dav_methods PUT;
        directio 512;
    }
--- steps
my $dir = servroot() . '/html/plain';
mkdir $dir;
chmod 0777, $dir;

open my $out, '>', "$dir/big.json" or die;
print $out '{"id":1,"n":5,"pad":"' . ('x' x 30000) . '"}';
close $out;

for my $path (qw(/plain/ /aio/ /send/ /own/)) {
    my $r = GET("${path}big.json");
    is($r->{status}, 200, "$path: a GET");
    is(length json($r)->{pad}, 30000, 'whole');
    is(json($r)->{version}, version($r), 'with its version')
        if $path =~ /aio|send/;

    for (1, 2) {
        $r = PUT("${path}big.json", { base_version => 77 });
        is($r->{status}, 409, 'a stale write');
        is(length(json($r)->{server_version}{pad} // ''), 30000,
           'with the latest body');
        is(json($r)->{version}, 5, 'and its version') if $path =~ /own/;
    }
}

my $r = http('GET', '/plain/big.json', headers => ['Range: bytes=0-6']);
is($r->{status}, 206, 'a part');
is($r->{body}, '{"id":1', 'its bytes');


=== a file that cannot be read to its end
--- config
    root $TEST_NGINX_SERVER_ROOT/html;
    default_type application/json;
    location /plain/ {
        conflict version;
        dav_methods PUT DELETE;
    }
    location /drop/ {
        conflict server_wins;
        alias $TEST_NGINX_SERVER_ROOT/html/plain/;
        dav_methods PUT;
    }
--- steps
my $dir = servroot() . '/html/plain';
mkdir $dir;
chmod 0777, $dir;

# its size is a page, whatever is in it

my $short = '/sys/class/net/lo/mtu';

SKIP: {
    skip 'no such file', 1 if ((stat $short)[7] // 0) < 100;

    symlink $short, "$dir/a.json" or die;

    my $v = version(HEAD('/drop/a.json'));
    is(HEAD('/plain/a.json')->{status}, 200, 'it is there');

    my $r = PUT('/plain/a.json', { base_version => 77 });
    is($r->{status}, 409, 'a stale write is answered');
    is(json($r)->{server_version_omitted}, 'unavailable', 'without the body');

    $r = PUT('/drop/a.json', { n => 3, base_version => $v - 1 });
    is($r->{status}, 409, 'so is one that would be dropped');
    is(json($r)->{server_version_omitted}, 'unavailable', 'without it');
    is(GET('/ping')->{status}, 200, 'the worker lives');

    unlink "$dir/a.json";
}


=== markup in what the client says: locks, the log
--- config
    conflict_user $http_x_user;
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
        ssi on;
        ssi_types application/json;
    }
    location /secret {
        internal;
        return 200 "INTERNAL-ONLY";
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $user = '<!--# include virtual="/secret" --><a&b>';
my $r = http('POST', '/plain/1/lock', headers => ["X-User: $user"]);

is($r->{status}, 200, 'a lock');
unlike($r->{body}, qr/INTERNAL|[<>&]/, 'whose holder is no directive');
is(json($r)->{lock}{user}, $user, 'but a name');

$r = http('PUT', '/plain/1', body => { n => 2 }, headers => ['X-User: bob']);
is($r->{status}, 409, 'locked');
unlike($r->{body}, qr/[<>&]/, 'nor in a refusal');
is(json($r)->{lock}{user}, $user, 'the same name');

PUT('/plain/2', { base_version => 7 }, "X-User: $user");

my $log = slurp(servroot() . '/logs/conflict.log');

unlike($log, qr/[<>&]/, 'no markup in the log');
is((conflicts())[-1]{user_id}, $user, 'but the name');


=== Content-Location is a path
--- config
    location / {
        conflict server_wins;
        proxy_pass http://api;
    }
--- steps
for my $target ('/plain/1', '//plain/1', '/plain/<1>', '/plain/1?a=b',
                '/plain/1?"x"')
{
    (my $path = $target) =~ s/\?.*//;
    set_doc($path, { id => 1 });

    my $v = version(GET($target));
    PUT($target, { id => 2, base_version => $v });
    my $r = PUT($target, { id => 3, base_version => $v });

    is($r->{status}, 200, "$target: dropped");
    is(header($r, 'Content-Location'),
       ($target =~ m!^//|[<"]! ? undef : $target), 'where that is one');
}
