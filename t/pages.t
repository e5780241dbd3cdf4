# Pages that nginx puts in the place of a response to a read.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a page with status 200 has no version, a fallback has
--- config
    conflict version;
    proxy_intercept_errors on;
    location = /returned {
        default_type application/json;
        return 200 '{"page":1}';
    }
    location = /file {
        default_type application/json;
        root $TEST_NGINX_SERVER_ROOT/html;
    }
    location @named {
        default_type application/json;
        return 200 '{"page":1}';
    }
    location @other {
        rewrite ^ /plain/other break;
        proxy_set_header X-Up-Read "";
        proxy_pass http://api;
    }
    location /1/ {
        error_page 404 503 =200 /returned;
        proxy_pass http://api/plain/;
    }
    location /2/ {
        error_page 404 503 = /file;
        proxy_pass http://api/plain/;
    }
    location /3/ {
        error_page 404 503 = /file;
        recursive_error_pages on;
        proxy_pass http://api/plain/;
    }
    location /4/ {
        error_page 404 503 =200 @named;
        proxy_pass http://api/plain/;
    }
    location /5/ {
        error_page 502 = /file;
        proxy_pass http://127.0.0.1:1;
    }
    location /6/ {
        error_page 404 = /file;
        dav_methods PUT;
        root $TEST_NGINX_SERVER_ROOT/html;
    }
    location /7/ {
        error_page 404 503 = @other;
        proxy_pass http://api/plain/;
    }
    location /8/ {
        error_page 404 503 =200 @other;
        proxy_pass http://api/plain/;
    }
--- user_files
>>> file
{"page":1}
--- allow: connect\(\) failed|no live upstreams
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/plain/other', { page => 1 });

for my $n (1 .. 8) {
    my @down = $n == 5 || $n == 6 ? () : 'X-Up-Read: status=503';

    for my $target ("/$n/1", "/$n/none") {
        my $r = GET($target, @down);

        is($r->{status}, 200, "$target: a page");
        like($r->{body}, qr/"page":1/, 'which is no representation');
        like(header($r, 'Conflict'),
             $n == 7 ? qr/^passed;version=\d+$/ : qr/^passed$/,
             $n == 7 ? 'but that of another upstream' : 'has no version');
        is(defined header($r, 'ETag') ? 1 : 0, $n == 7 ? 1 : 0,
           $n == 7 ? 'with a tag' : 'nor a tag');
    }

    next unless @down;

    like(version(GET("/$n/1")), qr/^\d+$/, 'the resource has one');
}


=== a page is no base of a merge
--- config
    location / {
        conflict merge;
        proxy_intercept_errors on;
        error_page 503 =200 /page;
        proxy_pass http://api;
    }
    location = /page {
        default_type application/json;
        return 200 '{"a":1}';
    }
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $v = version(GET('/plain/1'));

is(version(GET('/plain/1', 'X-Up-Read: status=503')), undef, 'a page');
is(PUT('/plain/1', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'an edit');

my $r = PUT('/plain/1', { a => 1, b => 2, base_version => $v });
is($r->{status}, 204, 'another one');
is(upstream('/_doc?path=/plain/1'), '{"a":2,"b":2}',
   'merged by what was shown');
