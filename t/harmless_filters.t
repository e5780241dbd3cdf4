# A guarded server proxies like an unguarded one: ranges, encodings, filters.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Both;
use IO::Uncompress::Gunzip qw(gunzip);
use IO::Compress::Gzip qw(gzip);
use Test::Nginx::Socket 'no_plan';

Conflict::Both::install('Test::Nginx::Socket');

sub gunzipped {
    my ($data) = @_;

    gunzip(\$data => \my $text) or return 'not gzip';
    return $text;
}

sub gzipped {
    my ($text) = @_;

    gzip(\$text => \my $data);
    return $data;
}

run_tests();

__DATA__

=== ranges that the upstream serves
--- config
    location / {
        proxy_pass http://origin;
    }
--- steps
answer('/a', "Accept-Ranges: bytes\nETag: \"a\"", '0123456789');
answer('/a', "206 Partial Content\nContent-Range: bytes 2-4/10\n"
             . "Accept-Ranges: bytes", '234', 'Range: bytes=2-4');
answer('/a', "206 Partial Content\n"
             . 'Content-Type: multipart/byteranges; boundary=b',
       '--b and so on', 'Range: bytes=0-0,2-2');
answer('/a', "416 Range Not Satisfiable\nContent-Range: bytes */10", '',
       'Range: bytes=20-');

my ($r, $asked) = alike('GET', '/a', headers => ['Range: bytes=2-4']);

is($r->{status}, 206, 'a part');
is(header($r, 'Content-Range'), 'bytes 2-4/10', 'which');
is($r->{body}, '234', 'its bytes');
is(header_of($asked->[0], 'Range'), 'bytes=2-4', 'the upstream is asked');

$r = alike('HEAD', '/a', headers => ['Range: bytes=2-4']);
is(header($r, 'Content-Length'), 3, 'HEAD');

$r = alike('GET', '/a', headers => ['Range: bytes=0-0,2-2']);
is(header($r, 'Content-Type'), 'multipart/byteranges; boundary=b', 'parts');
is($r->{body}, '--b and so on', 'as they are');

$r = alike('GET', '/a', headers => ['Range: bytes=20-']);
is($r->{status}, 416, 'none');
is(header($r, 'Content-Range'), 'bytes */10', 'of how many');

($r, $asked) = alike('GET', '/a', headers => ['Range: bytes=7-8',
                                             'If-Range: "a"']);
is($r->{body}, '0123456789', 'all');
is(header_of($asked->[0], 'If-Range'), '"a"', 'the condition goes along');


=== ranges that nginx makes
--- config
    location / {
        proxy_force_ranges on;
        proxy_pass http://origin;
    }
    location /one/ {
        max_ranges 1;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /files/ {
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> a.txt
0123456789
--- steps
my $date = 'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT';

answer('/a', "Content-Type: text/plain\n$date", "0123456789\n");
utime 1700000000, 1700000000, servroot() . '/html/a.txt';

for my $path ('/a', '/files/a.txt') {
    my %parts = ('0-0' => '0', '3-' => "3456789\n", '-2' => "9\n",
                 '2-100' => "23456789\n");

    is(header(scalar alike('GET', $path), 'Accept-Ranges'), 'bytes',
       "$path: ranges are offered");

    for my $range (sort keys %parts) {
        for my $method (qw(GET HEAD)) {
            my $r = alike($method, $path, headers => ["Range: bytes=$range"]);

            is($r->{status}, 206, $range);
            is($r->{body}, $method eq 'GET' ? $parts{$range} : '', 'its bytes');
            is(header($r, 'Content-Length'), length $parts{$range}, 'so many');
            like(header($r, 'Content-Range'), qr!^bytes \d+-\d+/11$!, 'which');
        }
    }

    my $r = alike('GET', $path, headers => ['Range: bytes=50-']);
    is($r->{status}, 416, 'beyond the end');
    is(header($r, 'Content-Range'), 'bytes */11', 'which is there');

    is(alike('GET', $path, headers => ['Range: lines=1'])->{status}, 200,
       'another unit');

    $r = alike('GET', $path, headers => ['Range: bytes=1-1',
               'If-Range: Tue, 14 Nov 2023 22:13:20 GMT']);
    is($r->{body}, '1', 'the date is right');
    is($r->{status}, 206, 'a part');

    for my $if ('Tue, 14 Nov 2023 22:13:19 GMT', '"none"', 'W/"none"') {
        $r = alike('GET', $path, headers => ['Range: bytes=1-1',
                                             "If-Range: $if"]);
        is($r->{status}, 200, "$if is not: all");
    }
}

my @parts = (headers => ['Range: bytes=0-0,5-6']);
my $r = alike('GET', '/files/a.txt', @parts);

is($r->{status}, 206, 'parts of a file');
like($r->{body}, qr!bytes 0-0/11\r\n\r\n0\r\n--.*bytes 5-6/11\r\n\r\n56\r\n!s,
     'their bytes');
like(header($r, 'Content-Type'), qr!^multipart/byteranges; boundary=!,
     'their type');
is(alike('GET', '/a', @parts)->{status}, 200, 'not of what passes by');
is(alike('GET', '/one/a.txt', @parts)->{status}, 200, 'max_ranges');


=== gzip
--- config
    gzip on;
    gzip_vary on;
    gzip_proxied any;
    gzip_types text/plain application/json;
    gzip_min_length 100;
    location / {
        proxy_pass http://origin;
    }
    location /static/ {
        gzip_static on;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /via/ {
        gzip_proxied off;
        proxy_pass http://origin;
    }
--- user_files
>>> a.txt
it is plain
--- steps
my $text = '{"text":"' . 'x' x 10_000 . '"}';
my $accept = 'Accept-Encoding: gzip';
my $tag = 'ETag: "a"';

answer('/json', "Content-Type: application/json\n$tag", $text);
answer('/weak', "Content-Type: text/plain\nETag: W/\"a\"", $text);
answer('/none', 'Content-Type: text/plain', $text);
answer('/png', "Content-Type: image/png\n$tag", $text);
answer('/short', "Content-Type: text/plain\n$tag", 'x' x 50);
answer('/encoded', "Content-Type: text/plain\nContent-Encoding: gzip\n$tag",
       gzipped($text));
answer('/via/a', "Content-Type: text/plain", $text);

for my $path (qw(/json /weak /none)) {
    my ($r, $asked, $plain) = alike('GET', $path, headers => [$accept]);

    is(header($r, 'Content-Encoding'), 'gzip', "$path is compressed");
    is(header($r, 'Vary'), 'Accept-Encoding', 'which varies');
    is(gunzipped($r->{body}), $text, 'the same text');
    is(header($r, 'Content-Length'), undef, 'without a length');
    like(header($r, 'ETag'), qr!^W/"\d+(\.(W/)?a)?"$!, 'the tag is weak');
    is(header($plain, 'ETag'), $path eq '/none' ? undef : 'W/"a"',
       'as it is without');
    is(header_of($asked->[0], 'Accept-Encoding'), 'gzip',
       'the upstream may do it');

    $r = alike('GET', $path);
    is(header($r, 'Content-Encoding'), undef, 'or not');
    is(header($r, 'Vary'), 'Accept-Encoding', 'which varies');
    is(header($r, 'Content-Length'), length $text, 'with a length');
    is($r->{body}, $text, 'the same text');
}

for my $path (qw(/png /short)) {
    my $r = alike('GET', $path, headers => [$accept]);

    is(header($r, 'Content-Encoding'), undef, "$path is not");
    is(header($r, 'Vary'), undef, 'and does not vary');
}

my $r = alike('GET', '/encoded', headers => [$accept]);
is(gunzipped($r->{body}), $text, 'not twice');

for my $method (qw(POST PUT)) {
    $r = alike($method, '/json', headers => [$accept]);
    is(gunzipped($r->{body}), $text, "the answer to $method");
    is(header($r, 'Content-Encoding'), 'gzip', 'is compressed, too');
}

is(header(scalar alike('GET', '/json', h2 => 1, headers => [$accept]),
          'Content-Encoding'), 'gzip', 'by HTTP/2');

for my $via ('Via: 1.1 x', 'X-None: 1') {
    $r = alike('GET', '/via/a', headers => [$accept, $via]);
    is(header($r, 'Content-Encoding'), $via =~ /^Via/ ? undef : 'gzip',
       "gzip_proxied off, $via");

    $r = alike('GET', '/json', headers => [$accept, $via]);
    is(header($r, 'Content-Encoding'), 'gzip', "gzip_proxied any, $via");
}

gzip(\'it was compressed' => servroot() . '/html/a.txt.gz');
$r = alike('GET', '/static/a.txt', headers => [$accept]);
is(gunzipped($r->{body}), 'it was compressed', 'gzip_static');
is(header($r, 'Content-Encoding'), 'gzip', 'says so');
is(alike('GET', '/static/a.txt')->{body}, "it is plain\n", 'or is plain');


=== gunzip
--- config
    gunzip on;
    location / {
        proxy_pass http://origin;
    }
--- steps
my $text = 'some text ' x 1000;

answer('/a', "Content-Type: text/plain\nContent-Encoding: gzip\nETag: \"a\"",
       gzipped($text));

my ($r, undef, $plain) = alike('GET', '/a');

is($r->{body}, $text, 'for a client that cannot');
is(header($r, 'Content-Encoding'), undef, 'not encoded');
is(header($r, 'Content-Length'), undef, 'nor has it a length');
like(header($r, 'ETag'), qr!^W/"\d+\.a"$!, 'the tag is weak');
is(header($plain, 'ETag'), 'W/"a"', 'as it is without');

$r = alike('GET', '/a', headers => ['Accept-Encoding: gzip']);
is(header($r, 'Content-Encoding'), 'gzip', 'for one that can');
is(gunzipped($r->{body}), $text, 'it is left');
is(alike('PUT', '/a')->{body}, $text, 'an answer to PUT');
is(alike('HEAD', '/a')->{status}, 200, 'HEAD');


=== SSI
--- config
    location / {
        ssi on;
        ssi_last_modified on;
        proxy_pass http://origin;
    }
    location /plain/ {
        proxy_pass http://api;
    }
    location /static/ {
        ssi on;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> page.html
<!--# set var="a" value="1" --><!--# if expr="$a = 1" -->yes<!--# endif -->
<!--# include file="part.html" --><!--# include virtual="/inner?x" -->
>>> part.html
part
--- steps
my $html = "Content-Type: text/html\nETag: \"a\"\n"
           . 'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT';

set_doc('/plain/1', { id => 1 });
answer('/inner', $html, '[<!--# include virtual="/deep" -->]');
answer('/deep', '', 'deep');
answer('/slow', '', 'slow');
answer('/page', $html,
       '1<!--# include virtual="/inner" wait="yes" -->2'
       . '<!--# include virtual="/plain/1" -->3<!--# include virtual="/slow" -->'
       . '4<!--# include virtual="/none" -->5'
       . '<!--# include virtual="/slow" set="s" --><!--# echo var="s" -->'
       . '<!--# echo var="arg_q" default="none" -->');

answer('/put', 'Content-Type: text/html',
       '1<!--# include virtual="/inner" -->2');

for my $method (qw(GET POST)) {
    my ($r, $asked) = alike($method, '/page?q=6');

    like($r->{body}, qr/^1\[deep\]2\{"id":1\}3slow4none5slow6$/,
         "$method: each part in its place");
    is(header($r, 'Content-Length'), undef, 'no length');
    is(scalar(@$asked), 6, 'each is asked for once');
}

is(alike('PUT', '/put')->{body}, '1[deep]2', 'in the answer to a PUT');
is(header(scalar alike('GET', '/page'), 'Last-Modified'),
   'Tue, 14 Nov 2023 22:13:20 GMT', 'ssi_last_modified');
is(alike('HEAD', '/page')->{body}, '', 'HEAD');
is(alike('GET', '/static/page.html')->{body}, "yes\npart\n[deep]\n", 'a file');
is(header(scalar alike('GET', '/static/page.html'), 'Last-Modified'), undef,
   'without a date');


=== sub_filter, addition, charset
--- config
    sub_filter foo bar;
    sub_filter_once off;
    sub_filter_types application/json;
    location / {
        proxy_pass http://origin;
    }
    location /more/ {
        add_before_body /before;
        add_after_body /after;
        proxy_pass http://origin;
    }
    location /latin/ {
        charset utf-8;
        source_charset windows-1252;
        proxy_pass http://origin;
    }
    location /dated/ {
        sub_filter_last_modified on;
        proxy_pass http://origin;
    }
--- http_config
    charset_map windows-1252 utf-8 { E4 C3A4; }
--- steps
my $tags = "ETag: \"a\"\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT";

answer('/a', "Content-Type: text/html\n$tags", 'foo' x 1000);
answer('/json', "Content-Type: application/json\n$tags", '{"a":"foo"}');
answer('/plain', 'Content-Type: text/plain', 'foo');
answer('/before', 'Content-Type: text/html', 'before foo ');
answer('/after', '', ' after');
answer('/more/a', "Content-Type: text/html\n$tags", 'text');
answer('/latin/a', "Content-Type: text/html\n$tags", "a\xe4");
answer('/dated/a', "Content-Type: text/html\n$tags", 'foo');

for my $method (qw(GET POST PUT)) {
    my ($r, undef, $plain) = alike($method, '/a');

    is($r->{body}, 'bar' x 1000, "$method: the text is replaced");
    is(header($r, 'Last-Modified'), undef, 'the date is gone');
    is(header($r, 'ETag'), undef, 'the tag is');
    is(header($plain, 'ETag'), undef, 'as without');

    is(alike($method, '/json')->{body}, '{"a":"bar"}', 'in JSON, too');
    is(alike($method, '/plain')->{body}, 'foo', 'and not in text');

    $r = alike($method, '/more/a');
    is($r->{body}, 'before bar text after', 'more is added');

    $r = alike($method, '/latin/a');
    is($r->{body}, "a\xc3\xa4", 'recoded');
    is(header($r, 'Content-Type'), 'text/html; charset=utf-8', 'as it says');
}

is(header(scalar alike('GET', '/dated/a'), 'Last-Modified'),
   'Tue, 14 Nov 2023 22:13:20 GMT', 'sub_filter_last_modified');
is(alike('HEAD', '/a')->{body}, '', 'HEAD');


=== headers that nginx adds
--- config
    location / {
        expires 1h;
        proxy_pass http://origin;
    }
    location /never/ {
        expires epoch;
        proxy_pass http://origin;
    }
    location /added/ {
        add_header Vary X-A;
        add_header Link "</a>; rel=preload";
        add_header X-Type $sent_http_content_type;
        add_header X-Length $sent_http_content_length;
        proxy_pass http://origin;
    }
    location /ours/ {
        add_header Last-Modified "Tue, 14 Nov 2023 22:13:19 GMT";
        proxy_pass http://origin;
    }
    location /bare/ {
        types { }
        default_type application/x-a;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> a.txt
text
--- steps
my $date = 'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT';

answer("$_/a", "Content-Type: text/plain\nCache-Control: private\n$date",
       'text') for '', '/never', '/added', '/ours';

is(header(scalar alike('GET', '/a'), 'Cache-Control'), 'max-age=3600',
   'expires');
is(header(scalar alike('GET', '/never/a'), 'Cache-Control'), 'no-cache',
   'in the past');
is(header(scalar alike('GET', '/ours/a'), 'Last-Modified'),
   'Tue, 14 Nov 2023 22:13:19 GMT', 'add_header of a date');

my $r = alike('GET', '/added/a');

is(header($r, 'Cache-Control'), 'private', 'what the upstream said');
is(header($r, 'Vary'), 'X-A', 'Vary');
is(header($r, 'X-Type'), 'text/plain', 'a variable of the type');
is(header($r, 'X-Length'), '4', 'and of the length');
is(header($r, 'Link'), '</a>; rel=preload', 'Link');

is(header(scalar alike('GET', '/bare/a.txt'), 'Content-Type'),
   'application/x-a', 'a type of files');


=== limit_rate, output buffers, postponed output
--- config
    location / {
        limit_rate 10m;
        limit_rate_after 1k;
        proxy_limit_rate 10m;
        proxy_pass http://origin;
    }
    location /files/ {
        limit_rate 10m;
        sendfile on;
        sendfile_max_chunk 4k;
        tcp_nopush on;
        output_buffers 1 1k;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /aio/ {
        aio threads;
        directio 1k;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /spool/ {
        proxy_buffers 2 1k;
        proxy_buffer_size 1k;
        proxy_busy_buffers_size 1k;
        proxy_max_temp_file_size 50k;
        proxy_temp_file_write_size 2k;
        proxy_pass http://origin;
    }
--- steps
my $text = join '', map { "line $_\n" } 1 .. 20_000;
my $file = servroot() . '/html/a';

open my $out, '>', $file or die "$file: $!";
print $out $text;
close $out;

answer($_, 'Content-Type: text/plain', $text) for '/a', '/spool/a';
answer('/slow', 'X-Accel-Limit-Rate: 10000000', $text);

for my $path ('/a', '/slow', '/files/a', '/aio/a', '/spool/a') {
    ok(alike('GET', $path)->{body} eq $text, "$path: the whole text");
    ok(alike('GET', $path, h2 => 1)->{body} eq $text, 'by HTTP/2');
}
