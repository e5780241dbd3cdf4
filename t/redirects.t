# A write that continues in another location: by an error page, X-Accel-Redirect,
# or a handler without an upstream.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a fallback within the content handler
--- http_config
    upstream dead { server 127.0.0.1:1; server 127.0.0.1:2; }
--- config
    location / {
        conflict version;
        error_page 502 = @old;
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/nothing.sock:;
    }
    location /plain/dead/ {
        conflict version;
        error_page 502 = @old;
        proxy_pass http://dead;
    }
    location @old {
        proxy_pass http://api;
    }
--- allow: No such file
--- steps
for my $path ('/plain/1', map { "/plain/dead/$_" } 1 .. 3) {
    is(http('PUT', $path, body => { n => 1 }, timeout => 5)->{status}, 201,
       "$path");
}

is(http('GET', '/ping', timeout => 5)->{status}, 200, 'the worker lives');


=== an error page that comes from an upstream
--- http_config
    map $http_x_down $port { 1 1; default $TEST_NGINX_UPSTREAM_PORT; }
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 422 502 /errors/page.json;
        proxy_pass http://127.0.0.1:$port;
    }
    location /errors/ {
        conflict off;
        proxy_pass http://api/plain/errors/;
    }
--- steps
set_doc('/plain/errors/page.json', { error => 'a page' });
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $body = { n => 'mine', base_version => $v };

my $r = PUT('/plain/1', $body, 'X-Up-Write: status=422');
is($r->{status}, 422, 'refused by the upstream');
is(json($r)->{error}, 'a page', 'with its page');
is(version(GET('/plain/1')), $v, 'the version stays');

$r = PUT('/plain/1', $body, 'X-Down: 1');
is($r->{status}, 502, 'the upstream is down');
is(version(GET('/plain/1')), $v, 'the version stays');

is(PUT('/plain/1', $body)->{status}, 204, 'sent again');
is(scalar(grep { $_->{body} =~ /mine/ } journal()), 1, 'it is carried out');


=== a page for a write whose answer was lost
--- config
    location / {
        conflict version;
        conflict_quarantine 300ms;
        conflict_wait 10ms;
        error_page 502 /50x.html;
        proxy_pass http://api;
    }
    location = /50x.html {
        root $TEST_NGINX_SERVER_ROOT/html;
    }
--- user_files
>>> 50x.html
sorry
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 2, base_version => $v },
            'X-Up-Write: apply close');

is($r->{status}, 502, 'its author gets the page');
like($r->{body}, qr/sorry/, 'as it is');

$r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 503, 'the next writer waits');
is(json($r)->{error}, 'outcome_unknown', 'why');
is(scalar(conflicts()), 1, 'which is the one conflict');


=== a fallback would send a write again that may have been done
--- config
    location / {
        conflict version;
        conflict_quarantine 3s;
        proxy_intercept_errors on;
        error_page 500 502 = @old;
        proxy_pass http://api;
    }
    location @old {
        proxy_set_header X-Up-Write apply;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $r = PUT('/plain/1', { n => 2 }, 'X-Up-Write: apply close');

is($r->{status}, 503, 'the write is not sent again');
is(json($r)->{error}, 'outcome_unknown', 'why');
like(json($r)->{detail}, qr/outcome of this write itself/, 'whose');
is(header($r, 'Retry-After'), 3, 'until the quarantine is over');
is(scalar(journal()), 1, 'done once');
is(scalar(conflicts()), 0, 'no conflict');

$r = PUT('/plain/2', { n => 2 }, 'X-Up-Write: status=400');
is($r->{status}, 400, 'a refusal is no reason for a fallback');


=== the upstream says no, a fallback says yes
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 404 = @old;
        proxy_pass http://api;
    }
    location @old {
        proxy_set_header X-Up-Write apply;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 2, base_version => $v },
            'X-Up-Write: status=404');

is($r->{status}, 204, 'done by the fallback');
cmp_ok(version($r), '>', $v, 'under a new version');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 409,
   'which counts');


=== X-Accel-Redirect to a named location keeps the method, and the lease
--- config
    location / {
        conflict version;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
    location @storage {
        proxy_set_header X-Up-Write $http_x_then;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $body = { n => 'mine', base_version => $v };
my $on = 'X-Up-Write: status=200 header=X-Accel-Redirect:@storage';

# the first has said 200: nobody knows whether it has done something

my $r = PUT('/plain/1', $body, $on, 'X-Then: status=409');
is($r->{status}, 409, 'the storage refuses');

$r = PUT('/plain/1', $body, $on, 'X-Then: apply');
is(scalar(grep { $_->{body} =~ /mine/ } journal()), 1,
   'sent again, it is carried out');

$v = version(GET('/plain/1'));
my $before = journal();
my $begun = scalar(grep { $_->{method} eq 'PUT' } seen());
my $one = start('PUT', '/plain/1', body => { n => 'one' , base_version => $v },
                headers => [$on, 'X-Then: hold apply']);
begun($begun + 2);

is(version(GET('/plain/1')), $v, 'not done while the storage works');
$r = PUT('/plain/1', { n => 'two' , base_version => $v }, 'X-Then: apply');
is($r->{status}, 409, 'another waits');
is(json($r)->{error}, 'write_in_progress', 'why');

release();
is(finish($one)->{status}, 204, 'done');
is(scalar(journal()), $before + 1, 'once');


=== X-Accel-Redirect to a file
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /file/ {
        internal;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> done.txt
done
--- steps
set_doc('/plain/1', { n => 1 });

my $on = 'X-Up-Write: apply status=200 header=X-Accel-Redirect:/file/done.txt';
my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 2, base_version => $v }, $on);

is($r->{status}, 200, 'a write');
is($r->{body}, "done\n", 'with the file');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 409, 'is done');

$v = version(GET('/plain/1'));
is(DELETE('/plain/1', qq(If-Match: "$v"), $on)->{status}, 200, 'a DELETE');
is(GET('/plain/1')->{status}, 404, 'is done');
is(scalar(grep { $_->{action} eq 'conflict_external' } conflicts()), 0,
   'and is no news');


=== dav as a fallback
--- http_config
    map $request_method $port { PUT 1; default $TEST_NGINX_UPSTREAM_PORT; }
--- config
    root $TEST_NGINX_SERVER_ROOT/html/;
    location / {
        conflict version;
        client_body_in_file_only clean;
        error_page 502 = @dav;
        proxy_pass http://127.0.0.1:$port;
    }
    location @dav {
        create_full_put_path on;
        dav_methods PUT;
    }
--- steps
chmod 0777, servroot() . '/html';
set_doc('/plain/1', 'zero');

my $v = version(GET('/plain/1'));
my @text = (qq(If-Match: "$v"), 'Content-Type: text/plain');

like(PUT('/plain/1', 'first', @text)->{status}, qr/^20[14]$/, 'a write');
is(PUT('/plain/1', 'second', @text)->{status}, 409, 'another on its base');
is(slurp(servroot() . '/html/plain/1'), 'first', 'the first stays');


=== an error before the write has begun
--- config
    error_page 413 /413.json;
    location / {
        client_max_body_size 1000;
        conflict version;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
    location = /413.json {
        return 413 '{"error":"its page"}';
    }
    location /plain/busy/ {
        client_max_body_size 1000;
        conflict version;
        conflict_wait 50ms;
        error_page 413 =503 @busy;
        proxy_pass http://api;
    }
    location @busy {
        return 503;
    }
--- steps
for my $path ('/plain/1', '/plain/busy/1') {
    set_doc($path, { n => 1 });

    my $v = version(GET($path));
    my $r = http('PUT', $path, body => { n => 'x' x 5000 }, chunked => 300);

    is($r->{status}, $path =~ /busy/ ? 503 : 413, 'a body that is too large');
    like($r->{body}, qr/its page/, 'with its page') unless $path =~ /busy/;
    is(PUT($path, { n => 2, base_version => $v })->{status}, 204,
       'others are not kept out');
}


=== post_action: another request, when the first is over
--- http_config
    log_format seen '$request_method $status $conflict_outcome $conflict_version';
--- config
    access_log logs/seen.log seen;
    location / {
        conflict version;
        conflict_quarantine 200ms;
        conflict_wait 10ms;
        post_action /after;
        proxy_pass http://api;
    }
    location /strip/ {
        conflict version;
        conflict_strip_base on;
        post_action @after;
        proxy_pass http://api/plain/;
    }
    location /merge/ {
        conflict merge;
        post_action /after;
        proxy_pass http://api/plain/;
    }
    location = /after {
        conflict version;
        proxy_set_header X-Up-Write status=200;
        proxy_pass http://api/plain/hook;
    }
    location @after {
        proxy_set_header X-Up-Write status=200;
        proxy_pass http://api;
    }
--- steps
our $n = 0;

# what the last one was, once it has come

sub hook {
    my ($path) = @_;

    until_true {
        scalar(grep { $_->{target} eq $path && $_->{method} ne 'GET' } seen())
        > ($path =~ /hook/ ? $n : 1)
    };

    $n++ if $path =~ /hook/;

    return (grep { $_->{target} eq $path } seen())[-1];
}

sub logged {
    my ($n) = @_;

    until_true {
        my @lines = split /\n/, slurp(servroot() . '/logs/seen.log');
        @lines >= $n
    };

    return (split /\n/, slurp(servroot() . '/logs/seen.log'))[$n - 1];
}

truncate(servroot() . '/logs/seen.log', 0);
set_doc('/plain/1', { n => 1 });

my $r = PUT('/plain/1', { n => 2 });
my $v = version($r);

is($r->{status}, 204, 'a write');
is(hook('/plain/hook')->{method}, 'PUT', 'and then another request');
# nginx has the status of the last one

is(logged(1), "PUT 200 passed $v", 'the line of the first');

for my $status (400, 404, 500) {
    $r = PUT('/plain/1', { n => 3 }, "X-Up-Write: status=$status");
    is($r->{status}, $status, "$status: the answer");
    is(hook('/plain/hook')->{body}, '{"n":3}', 'the other');
}

is(logged(2), "PUT 200 passed $v", 'the line of a refusal');

# its lease does not wait for what comes afterwards

until_true { PUT('/plain/1', { n => 4 })->{status} == 204 };
$r = PUT('/plain/1', { n => 4, base_version => 7 });
is($r->{status}, 409, 'a stale write');
like(hook('/plain/hook')->{body}, qr/base_version/, 'the other is not');

# as the client has sent it

$v = version(GET('/merge/1'));
$r = PUT('/merge/1', { n => 5, base_version => $v + 0 }, qq(If-Match: "$v"));
is($r->{status}, 204, 'a write that is merged');

my $hook = hook('/plain/hook');
until_true { ($hook = (grep { $_->{target} eq '/plain/hook' } seen())[-1])
             ->{body} =~ /"n":5/ };

is($hook->{body}, qq({"base_version":$v,"n":5}), 'its body');
is({ map { @$_ } @{ $hook->{headers} } }->{'if-match'}, qq("$v"),
   'its condition');

set_doc('/plain/9', { n => 1 });
$v = version(GET('/strip/9'));
$r = PUT('/strip/9', { n => 6, base_version => $v + 0 });
is($r->{status}, 204, 'the base is cut out of what is written');
is((journal())[-1]{body}, '{"n":6}', 'so');
$hook = until_true { (grep { $_->{target} eq '/strip/9' } seen())[-1] };
is($hook->{body}, qq({"base_version":$v,"n":6}), 'but not here');
is(GET('/ping')->{status}, 200, 'the worker lives');


=== error pages on error pages, of a guarded location and back to it
--- http_config
    log_format seen '$request_method $status $conflict_outcome';
--- config
    access_log logs/seen.log seen;
    recursive_error_pages on;
    proxy_intercept_errors on;
    location / {
        conflict version;
        error_page 422 /plain/page;
        error_page 409 =200 /nothing/a;
        proxy_pass http://api;
    }
    location /nothing/ {
        conflict version;
        error_page 404 @last;
        root $TEST_NGINX_SERVER_ROOT/html;
    }
    location @last {
        return 410 '{"last":1}';
    }
--- allow: No such file
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/plain/page', { a => 'page' });
truncate(servroot() . '/logs/seen.log', 0);

my $v = version(GET('/plain/1'));
my $body = { n => 'mine', base_version => $v };

my $r = PUT('/plain/1', $body, 'X-Up-Write: status=422');
is($r->{status}, 422, 'a page of a guarded location');
is(json($r)->{a}, 'page', 'shown');
like(header($r, 'Conflict') // '', qr/^(passed|$)/, 'with one outcome');

$r = PUT('/plain/1', $body, 'X-Up-Write: status=409');
is($r->{status}, 404, 'a page of a page');
is(json($r)->{last}, 1, 'the last of them');

is(version(GET('/plain/1')), $v, 'nothing was written');
is(PUT('/plain/1', $body)->{status}, 204, 'nobody is kept out');


=== try_files, mirror and auth_request beside a guarded write
--- config
    location / {
        conflict version;
        mirror /copy;
        auth_request /check;
        proxy_pass http://api;
    }
    location /try/ {
        conflict version;
        try_files /none @api;
    }
    location @api {
        rewrite ^/try(/.*) $1 break;
        proxy_pass http://api;
    }
    location = /copy {
        internal;
        conflict version;
        proxy_set_header X-Up-Write status=200;
        proxy_pass http://api/copy;
    }
    location = /check {
        internal;
        conflict version;
        proxy_method GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Up-Read status=200;
        proxy_pass http://api/check;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 204, 'a write');
like(header($r, 'Conflict'), qr/^passed;version=/, 'which passes once');
until_true { grep { $_->{target} =~ /copy/ && $_->{method} eq 'PUT' } seen() };
is(scalar(journal()), 1, 'once');

my $before = grep { $_->{target} =~ /copy/ && $_->{method} eq 'PUT' } seen();

$r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'a stale one');
is(json($r)->{server_version}{n}, 2, 'with the latest body');
is(scalar(grep { $_->{target} =~ /copy/ && $_->{method} eq 'PUT' } seen()),
   $before, 'is not copied');

set_doc('/plain/2', { n => 2 });
$v = version(GET('/try/plain/2'));
$r = PUT('/try/plain/2', { n => 3, base_version => $v });
is($r->{status}, 204, 'where there is no file');
$r = PUT('/try/plain/2', { n => 4, base_version => $v });
is($r->{status}, 409, 'a stale one');
is(json($r)->{server_version}{n}, 3, 'with the latest body');
