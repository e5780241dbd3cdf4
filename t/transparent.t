# The features of a location are unchanged when it is guarded.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== captures of its regex, beside those of a map in the key
--- http_config
    map $uri $resource { ~^(?<path>.*?)/*$ $path; }
    map $uri $who { ~^/(?<first>\w+) $first; }
--- config
    conflict version;
    conflict_key $resource;
    conflict_user $who;
    conflict_client $who;
    conflict_entity $who;

    location ~ ^/re/(.*)$ {
        proxy_pass http://api/plain/$1;
    }
    location ~ ^/t/(.*)$ {
        try_files /none/$1 @t;
    }
    location @t {
        rewrite ^/t/(.*)$ /plain/$1 break;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/x', { n => 1 });

is(GET('/re/x')->{status}, 200, 'a read');
is(PUT('/re/x', { n => 2 })->{status}, 204, 'a write');
is((journal())[-1]{path}, '/plain/x', 'comes where it should');
is(GET('/t/x')->{status}, 200, 'try_files');
is(DELETE('/re/x')->{status}, 204, 'a delete');
is((journal())[-1]{path}, '/plain/x', 'too');


=== slices
--- config
    location /plain/ {
        conflict version;
        slice 4;
        proxy_set_header Range $slice_range;
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT2;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        root html;
    }
--- user_files
>>> plain/a
0123456789
--- steps
my $r = GET('/plain/a');

is($r->{status}, 200, 'one body');
is($r->{body}, "0123456789\n", 'all of it');
like(header($r, 'ETag'), qr/^"@{[ version($r) ]}\./, 'under one tag');


=== If-Range with a tag of ours
--- config
    location /plain/ {
        conflict version;
        root html;
    }
--- user_files
>>> plain/a
0123456789
--- steps
my $file = servroot() . '/html/plain/a';
my $r = GET('/plain/a');
my $tag = header($r, 'ETag');

is(http('GET', '/plain/a', headers => ['Range: bytes=5-'])->{body},
   "56789\n", 'a range without a condition');

# changed, by nobody who asks nginx

open my $out, '>', $file or die "$file: $!";
print $out "ABCDEFGHIJKLM\n";
close $out;

$r = http('GET', '/plain/a', headers => ['Range: bytes=5-',
                                         "If-Range: $tag"]);
is("$r->{status} $r->{body}", "200 ABCDEFGHIJKLM\n",
   'no part of another body');
