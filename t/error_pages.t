# A page of error_page may have any status, and come from another upstream.  It
# is not the resource: who gets it is told nothing of that.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lock;
use IO::Socket::INET;
use Test::Nginx::Socket 'no_plan';

# accepts, and never answers

our $silent = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1',
                                    Timeout => 15)
              or die "silent: $!";
$ENV{TEST_NGINX_SILENT_PORT} = $silent->sockport;

Conflict::install('Test::Nginx::Socket');

sub ann { ('X-User: ann', 'X-Client: laptop', 'Authorization: Bearer reader') }
sub doc { upstream("/_doc?path=$_[0]") }

sub eve { ('X-User: eve', 'X-Client: phone') }

run_tests();

__DATA__

=== a login page with 200, from another upstream
--- config
    conflict_user $http_x_user;
    location /auth/ {
        conflict version;
        conflict_history 4 versions;
        proxy_intercept_errors on;
        error_page 401 403 = @login;
        proxy_pass http://api;
    }
    location /own/ {
        conflict version;
        conflict_history 4 versions;
        auth_request /check;
        error_page 401 403 = @login;
        proxy_pass http://api;
    }
    location = /check {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Up-Read "";
        proxy_pass http://api/auth/1;
    }
    location @login {
        proxy_method GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        rewrite ^ /plain/login? break;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
    location ~ ^(?<resource>/.*)/versions$ {
        conflict_key $resource;
        conflict_versions;
    }
    location = /events { conflict_events heartbeat=200ms; }
--- steps
set_doc('/auth/1', { n => 1 });
set_doc('/own/1', { n => 1 });
set_doc('/plain/login', { login => 'please' });

for my $path ('/auth/1', '/own/1') {
    my $v = version(GET($path, ann()));
    ok($v, "$path: who may see it is told the version");

    $v = version(PUT($path, { n => 2, base_version => $v }, ann()));
    is(lock($path, ann())->{status}, 200, 'and locks it');

    my %answers = (
        'GET'          => GET($path, eve()),
        'HEAD'         => HEAD($path, eve()),
        'GET lock'     => http('GET', "$path/lock", headers => [eve()]),
        'POST lock'    => lock($path, eve()),
        'DELETE lock'  => unlock($path, eve()),
        'with a token' => unlock($path, eve(), 'Lock-Token: ' . '0' x 32),
        'versions'     => GET("$path/versions", eve()),
        'a poll'       => GET("/events?poll=1&resource=$path", eve()),
        'a stale PUT'  => PUT($path, { base_version => 5 }, eve()),
    );

    for my $name (sort keys %answers) {
        unlike($answers{$name}{raw}, qr/ann|laptop|$v|ETag|changed_at/,
               "$name: nothing of it");
    }

    is($answers{GET}{status}, 200, 'the page has this status');
    like($answers{GET}{body}, qr/please/, 'and is the page');
    is($answers{$_}{status}, $answers{'GET lock'}{status}, "$_: refused")
        for 'POST lock', 'DELETE lock', 'with a token', 'versions', 'a poll';
    like($answers{'GET lock'}{status}, qr/^40[13]$/, 'by the API');
}


=== the same, of a location that is not guarded
--- config
    conflict_user $http_x_user;
    location / {
        conflict version;
        conflict_history 4 versions;
        proxy_pass http://api;
    }
    location /may/ {
        proxy_intercept_errors on;
        error_page 401 403 =200 @login;
        proxy_pass http://api/auth/;
    }
    location @login {
        rewrite ^ /plain/login? break;
        proxy_pass http://api;
    }
    location ~ ^/plain/(?<id>.*)/lock$ {
        conflict_key /plain/$id;
        conflict_lock get=/may/$id;
    }
    location ~ ^/plain/(?<id>.*)/versions$ {
        conflict_key /plain/$id;
        conflict_versions get=/may/$id;
    }
--- steps
set_doc('/auth/1', { n => 1 });
set_doc('/plain/1', { n => 1 });
set_doc('/plain/login', { login => 'please' });

my $v = version(GET('/plain/1', ann()));
$v = version(PUT('/plain/1', { n => 2, base_version => $v }, ann()));
is(lock('/plain/1', ann())->{status}, 200, 'who may see it locks it');
is(GET('/plain/1/versions', ann())->{status}, 200, 'and sees its versions');

is(GET('/may/1', eve())->{status}, 200, 'the page has this status');

for my $r (http('GET', '/plain/1/lock', headers => [eve()]),
           lock('/plain/1', eve()), unlock('/plain/1', eve()),
           GET('/plain/1/versions', eve()))
{
    like($r->{status}, qr/^40[13]$/, 'refused');
    unlike($r->{raw}, qr/ann|laptop|$v|ETag|changed_at/, 'and told nothing');
}


=== a page for who is denied, from a location that is guarded as well
--- http_config
    limit_req_zone $http_x_limit zone=limit:1m rate=1r/m;
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        location / {
            return 200 '{"login":"please"}';
        }
    }
--- config
    conflict version hold=1h;
    conflict_user $http_x_user;
    conflict_idempotency on;
    location / {
        proxy_pass http://api;
    }
    location /own/ {
        auth_request /check;
        error_page 401 403 = @login;
        proxy_pass http://api;
    }
    location /led/ {
        try_files /none /own$uri;
    }
    location /deny/ {
        deny all;
        error_page 403 = @login;
        proxy_pass http://api/own/;
    }
    location /limit/ {
        limit_req zone=limit;
        error_page 503 = @login;
        proxy_pass http://api/own/;
    }
    location = /check {
        internal;
        conflict off;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Up-Read "";
        proxy_pass http://api/auth/1;
    }
    location @login {
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT2;
    }
    location = /inbox { conflict_inbox; }
--- allow: (access forbidden by rule|limiting requests)
--- steps
set_doc('/auth/1', { n => 1 });

sub key { "Idempotency-Key: 8e03978e-40d5-43e8-bc93-$_[0]94a57f9324" }

for my $path ('/own/1', '/limit/1', '/led/1') {
    set_doc($path =~ /led/ ? '/own/led/1' : '/own/1', { n => 1 });

    my $v = version(GET($path, ann()));
    ok($v, "$path: who may see it is told the version");

    my @eve = (eve(), 'X-Limit: eve');
    GET($path, @eve) if $path =~ /limit/;

    my %answers = (
        GET    => GET($path, @eve),
        HEAD   => HEAD($path, @eve),
        PUT    => PUT($path, { n => 2 }, @eve),
        DELETE => DELETE($path, @eve),
        base   => PUT($path, { n => 2, base_version => version(GET($path,
                                                                   ann())) },
                      @eve),
        key    => http('POST', $path, headers => [@eve, key(1)], body => {}),
    );

    for my $name (sort keys %answers) {
        is($answers{$name}{status}, 200, "$name: the page");
        unlike($answers{$name}{raw}, qr/version=|ETag/, 'has no version');
        like($answers{$name}{body}, qr/please/, 'it is the page')
            unless $name eq 'HEAD';
    }

    # nothing of this was done, as far as nginx can know

    my $r = PUT($path, { n => 3, base_version => 7 }, ann());
    is($r->{status}, 409, 'a stale write');
    is(json($r)->{server_version}{n}, 1, 'finds it as it was');
    isnt(header($r, 'ETag'), undef, 'and not deleted');

    $v = version(GET($path, ann()));
    $r = PUT($path, { n => 3, base_version => $v }, ann());
    like($r->{status}, qr/^20/, 'a write on the version of a read');

    $r = http('POST', $path, headers => [@eve, key(1)], body => {});
    is(header($r, 'Idempotent-Replayed'), undef,
       'the page is not the response to a key');
}

is(GET('/deny/1')->{status}, 200, 'a rule without a service');
is(header(GET('/deny/1'), 'Conflict'), undef, 'is the same');

# a held body is written only where its author may write

my $v = version(GET('/own/1', ann()));
PUT('/own/1', { n => 4, base_version => $v }, ann());
is(PUT('/own/1', { n => 5, base_version => $v }, ann())->{status}, 409,
   'a body is held');

my @items = @{ json(GET('/inbox', ann()))->{items} };
my ($item) = map { $_->{id} } grep { $_->{base_version} eq $v } @items;
ok($item, 'which the inbox has');

my @late = ('X-User: ann', 'X-Client: laptop');
my $r = http('POST', "/inbox?id=$item&take=mine",
             headers => [@late, 'If-Match: *']);
is(scalar(@{ json(GET('/inbox', ann()))->{items} }), scalar @items,
   'the page has not resolved it');
is(JSON::PP->new->decode(doc('/own/1'))->{n}, 4, 'and it was not written');


=== the same, denied before access rules, if the page keeps the status
--- config
    conflict version;
    location /plain/ {
        if ($http_x_deny) { return 401; }
        error_page 401 413 @page;
        error_page 418 @api;
        if ($http_x_api) { return 418; }
        client_max_body_size 100;
        proxy_pass http://api;
    }
    location @page {
        proxy_set_header X-Up-Read "status=200 body=10";
        proxy_set_header X-Up-Write "status=200 body=10";
        proxy_pass http://api;
    }
    location @api {
        proxy_pass http://api;
    }
--- allow: intended to send too large body
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my %answers = (
    PUT => PUT('/plain/1', { n => 2 }, 'X-Deny: 1'),
    base => PUT('/plain/1', { n => 2, base_version => $v }, 'X-Deny: 1'),
    DELETE => DELETE('/plain/1', 'X-Deny: 1'),
    large => PUT('/plain/1', { n => 'x' x 100 }),
);

for my $name (sort keys %answers) {
    is($answers{$name}{status}, $name eq 'large' ? 413 : 401, $name);
    like($answers{$name}{body}, qr/xxx/, 'is the page');
    unlike($answers{$name}{raw}, qr/^ETag/m, 'has no version');
    is(header($answers{$name}, 'Conflict'), 'unchecked', 'and says so');
}

my $r = PUT('/plain/1', { n => 2, base_version => 7 });
is($r->{status}, 409, 'a stale write');
is(json($r)->{deleted}, undef, 'does not find it deleted');

# not a denial, but a way to the API

$v = version(GET('/plain/1'));
$r = PUT('/plain/1', { n => 2, base_version => $v }, 'X-Api: 1');
like(header($r, 'Conflict'), qr/^passed/, 'another status leads on');
is(PUT('/plain/1', { n => 3, base_version => $v }, 'X-Api: 1')->{status}, 409,
   'to what is checked');


=== a page with 200 is not the resource, and what was refused has no version
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 403 404 422 500 =200 /page.json;
        proxy_pass http://api;
    }
    location = /page.json {
        default_type application/json;
        return 200 '{"page":1}';
    }
    location /kept/ {
        conflict version;
        proxy_intercept_errors on;
        error_page 403 404 422 500 =200 /files/page.json;
        proxy_pass http://api/plain/;
    }
    location /files/ {
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> page.json
{"page":1}
--- steps
for my $path ('/plain/1', '/kept/1') {
    set_doc('/plain/1', { n => 1 });

    my $v = version(GET($path));
    ok($v, "$path: the resource has a version");

    for my $status (403, 404, 500) {
        my %answers = (
            GET => GET($path, "X-Up-Read: status=$status"),
            HEAD => HEAD($path, "X-Up-Read: status=$status"),
            PUT => PUT($path, { n => 2 }, 'X-Up-Write: status='
                       . ($status == 500 ? 422 : $status)),
            base => PUT($path, { n => 2, base_version => $v },
                        'X-Up-Write: status=422'),
            DELETE => DELETE($path, 'X-Up-Write: status=403'),
        );

        for my $name (sort keys %answers) {
            is($answers{$name}{status}, 200, "$name, $status: the page");
            unlike($answers{$name}{raw}, qr/$v|^ETag/m, 'has no version');
        }

        is($answers{GET}{body} =~ s/\s//gr, '{"page":1}', 'it is the page');
    }

    is(version(GET($path)), $v, 'nothing was written');
}


=== a page of a handler without an upstream
--- config
    root $TEST_NGINX_SERVER_ROOT/html/;
    location /dav/ {
        conflict version;
        dav_methods PUT DELETE;
        create_full_put_path on;
        error_page 404 409 =200 /page;
    }
    location = /page { return 200 page; }
--- allow: No such file
--- steps
chmod 0777, servroot() . '/html';

my $v = version(PUT('/dav/1', { n => 1 }));
ok($v, 'a file has a version');
is(version(GET('/dav/1')) =~ s/\..*//r, $v, 'also for a GET');
is(DELETE('/dav/1')->{status}, 204, 'it is deleted');

for my $r (GET('/dav/1'), DELETE('/dav/1'), DELETE('/dav/2')) {
    is($r->{status}, 200, 'there is none');
    is($r->{body}, 'page', 'but a page');
    unlike($r->{raw}, qr/version=|^ETag/m, 'without a version');
}


=== a page is not the base of a merge
--- config
    conflict_user $http_x_user;
    location / {
        conflict merge;
        proxy_intercept_errors on;
        error_page 500 =200 /page.json;
        proxy_pass http://api;
    }
    location = /page.json {
        default_type application/json;
        return 200 '{"n":5}';
    }
--- steps
set_doc('/plain/1', { n => 1, m => 1 });

my $v = version(PUT('/plain/1', { n => 1, m => 1 }, 'X-User: bob'));
GET('/plain/1', 'X-User: ann', 'X-Up-Read: status=500');
PUT('/plain/1', { n => 2, m => 1, base_version => $v }, 'X-User: bob');

my $r = PUT('/plain/1', { n => 1, m => 2, base_version => $v }, 'X-User: ann');
is($r->{status}, 409, 'a stale write');
ok(!json($r)->{base_held}, 'of somebody who was shown the page alone');


=== a page from another upstream that keeps the status of an error, or gets one
--- config
    conflict_user $http_x_user;
    proxy_intercept_errors on;
    error_page 404 502 503 /sorry.json;
    location /masked/ {
        conflict merge;
        error_page 502 503 =200 /sorry.json;
        proxy_pass http://api/plain/;
    }
    location /merge/ {
        conflict merge;
        proxy_pass http://api/plain/;
    }
    location /version/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
    location = /sorry.json {
        proxy_set_header X-Up-Read "";
        proxy_pass http://api/plain/sorry;
    }
--- allow: upstream prematurely closed connection
--- steps
set_doc('/plain/sorry', { error => 'down' });

for my $where ('merge', 'version', 'masked') {
    my $path = "/$where/1";

    for my $fails ('status=503', 'close') {
        set_doc('/plain/1', { n => 1, m => 1 });

        my $v = version(PUT($path, { n => 1, m => 1 }, 'X-User: bob'));
        ok($v, 'a version');
        GET($path, 'X-User: ann');
        PUT($path, { n => 1, m => 2, base_version => $v }, 'X-User: bob');

        my $r = PUT($path, { n => 1, m => 1, x => 1, base_version => $v },
                    'X-User: ann', "X-Up-Read: $fails");

        like($r->{status}, qr/^(?:409|503)$/,
             "$path: a stale write, the GET: $fails");
        unlike($r->{raw}, qr/down/, 'it is not told the page');
        like(doc('/plain/1'), qr/"m":2/, 'nor is it merged with it');
    }
}


=== another upstream that has the resource is asked, as a GET would
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 404 502 = @old;
        proxy_pass http://api/zero$uri;
    }
    location @old {
        proxy_pass http://api/plain$uri;
    }
    location /front/ {
        error_page 403 = @guarded;
        deny all;
    }
    location @guarded {
        conflict version;
        rewrite ^ /plain/1? break;
        proxy_pass http://api;
    }
--- allow: forbidden by rule
--- steps
set_doc('/plain/1', { n => 1 });

for my $path ('/1', '/front/1') {
    my $v = version(GET($path));
    ok($v, "$path: it has a version");

    my $r = PUT($path, { n => 2, base_version => 5 });
    is($r->{status}, 409, 'a stale write');
    is(json($r)->{version}, $v, 'is told it');
    is(json($r)->{server_version}{n}, 1, 'and the body');
}


=== a page after an upstream that has got a part of a streamed body
--- config
    recursive_error_pages on;
    location = /page { proxy_pass http://api/plain/page; }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /stream/ {
        conflict version;
        conflict_key /plain/1;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        error_page 502 = @other;
        proxy_pass http://127.0.0.1:1;
    }
    location @other {
        conflict version;
        error_page 504 /page;
        proxy_read_timeout 500ms;
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SILENT_PORT;
    }
--- allow: refused|timed out
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my $s = start('PUT', '/stream/1',
              headers => ['Content-Length: 6', 'Content-Type: text/plain',
                          qq(If-Match: "$v")]);

syswrite $s->{socket}, 'abc';

my $c = $main::silent->accept;
ok(sysread($c, my $got, 4096), 'a part is sent');
until_true { error_log() =~ /upstream timed out/ };

is(json(PUT('/plain/1', { n => 1, base_version => $v }))->{error},
   'outcome_unknown', 'it may have been written');
close $s->{socket};
