# The GETs of endpoints pass the access rules of the resource as a GET of a
# client does: also those that look at $request_uri.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(1);

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub eve { ('X-User: eve', 'X-Client: phone') }

run_tests();

__DATA__

=== an access service that is told the original URI
--- http_config
    map "$http_x_user:$request_uri" $may {
        default 204;
        "~^eve:/plain/secret" 403;
    }
--- config
    conflict_user $http_x_user;
    location /plain/ {
        conflict version;
        conflict_history 4 versions;
        auth_request /check;
        proxy_pass http://api;
    }
    location = /check {
        internal;
        if ($may = 403) { return 403; }
        return 204;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
    location ~ ^/versions(?<changed>/.*)$ {
        conflict_key $changed;
        conflict_versions;
    }
    location = /events { conflict_events heartbeat=200ms; }
--- steps
my $path = '/plain/secret%20one';
my $named = '/plain/secret%2520one';

set_doc('/plain/secret one', { n => 1 });
set_doc('/plain/1', { n => 1 });

my $v = version(PUT($path, { n => 2 }, ann()));
ok($v, 'who may write it gets a version');
is(http('POST', "/locks$path", headers => [ann()])->{status}, 200,
   'and a lock');

is(GET($path, eve())->{status}, 403, 'who may not');

my %answers = (
    'GET lock' => GET("/locks$path", eve()),
    'POST lock' => http('POST', "/locks$path", headers => [eve()]),
    'DELETE lock' => DELETE("/locks$path", eve()),
    'versions' => GET("/versions$path", eve()),
    'a version' => GET("/versions$path?conflict_version=$v", eve()),
    'a poll' => GET("/events?poll=1&resource=$named", eve()),
);

for my $name (sort keys %answers) {
    is($answers{$name}{status}, 403, "$name: no more than by a GET");
    unlike($answers{$name}{raw}, qr/ann|laptop|$v/, 'nothing is told');
}

is(GET("/locks$path", ann())->{status}, 200, 'who may: the lock');
is(GET("/versions$path", ann())->{status}, 200, 'the versions');
is(GET("/events?poll=1&resource=$named", ann())->{status}, 200, 'a poll');
is(GET('/locks/plain/1', eve())->{status}, 200, 'another resource');
is(GET('/events?poll=1&resource=/plain/1&resource=' . $named, eve())->{body}
   =~ /"gone"/ ? 1 : 0, 1, 'a stream of both: one is gone');


=== an API that is asked by the original URI
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api$request_uri;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock get=$locked?x=1&y=%20;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $r = GET('/locks/plain/1');

is($r->{status}, 200, 'the lock');
is(json($r)->{version}, $v, 'of the resource');
is((seen())[-1]{target}, '/plain/1?x=1&y=%20', 'with the arguments');


=== a target with what a path has is one line
--- http_config
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/line.sock;
        location / {
            default_type application/json;
            return 200 '{"args":"$args","evil":"$http_x_evil"}';
        }
    }
--- config
    conflict_user $http_x_user;
    location /docs/ {
        conflict version;
        conflict_history 4 versions;
        conflict_key doc:$arg_id;
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/line.sock;
    }
    location ~ ^/locks/(?<id>[^/]+)$ {
        conflict_key doc:$id;
        conflict_lock get=/docs/?id=$id;
    }
    location /plain/ {
        conflict merge;
        conflict_resolver /_resolver?of=$uri;
        proxy_pass http://api;
    }
    location = /_resolver {
        internal;
        add_header X-Args $args;
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/line.sock;
    }
--- steps
my $bad = 'a%0D%0AX-Evil:%201%7F';

is(GET("/locks/$bad", 'X-User: ann')->{status}, 200, 'a lock');

my $path = "/plain/$bad";
my $v = version(PUT($path, { n => 1 }, 'X-User: bob'));
GET($path, 'X-User: ann');
PUT($path, { n => 2, base_version => $v }, 'X-User: bob');

is(PUT($path, { n => 3, base_version => $v }, 'X-User: ann')->{status}, 204,
   'a resolver');

my $made = json(GET($path));
is($made->{args}, 'of=/plain/a%0D%0AX-Evil:%201%7F', 'its arguments');
is($made->{evil}, '', 'and nothing else');


=== passwords cannot be tried faster
--- config
    location /plain/ {
        auth_basic notes;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
        auth_delay 300ms;
        conflict version;
        proxy_pass http://api;
    }
    location /either/ {
        satisfy any;
        deny all;
        auth_basic notes;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
        auth_delay 300ms;
        conflict version;
        proxy_pass http://api/plain/;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
    location = /events { conflict_events heartbeat=200ms; }
--- user_files
>>> users
ann:{PLAIN}secret
--- steps
use MIME::Base64;
use Time::HiRes 'time';

set_doc('/plain/1', { n => 1 });

sub basic { 'Authorization: Basic ' . encode_base64("ann:$_[0]", '') }

for my $path ('/plain/1', '/locks/plain/1', '/locks/either/1',
              '/events?poll=1&resource=/plain/1')
{
    is(GET($path, basic('secret'))->{status}, 200, "$path: the right one");

    my $start = time;
    my $r = GET($path, basic('guess'));

    is($r->{status}, 401, 'a wrong one');
    is(header($r, 'WWW-Authenticate'), 'Basic realm="notes"', 'its challenge');
    cmp_ok(time - $start, '>=', 0.29, 'after the delay');
}


=== a client that leaves, and a worker that exits, while passwords are delayed
--- user_files
>>> users
ann:{PLAIN}secret
--- config
    location /plain/ {
        auth_basic notes;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
        auth_delay 300ms;
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
    location = /events { conflict_events heartbeat=200ms; }
--- steps
set_doc('/plain/1', { n => 1 });

my @guess = ('Authorization: Basic YW5uOmd1ZXNz');
my @paths = ('/locks/plain/1', '/events?poll=1&resource=/plain/1');

for my $path (@paths) {
    my $before = log_count(qr/password mismatch/);
    my ($gone, $stays) = map { start('GET', $path, headers => \@guess) } 1, 2;

    until_true { log_count(qr/password mismatch/) == $before + 2 };
    close $gone->{socket};
    reload('until they are gone');

    is(finish($stays)->{status}, 401, "$path: the other client is answered");
}

unlike(error_log(), qr/open socket|exited on signal/, 'no request is left');


=== access rules apply again to a page within their location
--- config
    location /plain/ {
        satisfy any;
        deny all;
        auth_basic notes;
        auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/users;
        error_page 401 /plain/secret;
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
--- user_files
>>> users
ann:{PLAIN}secret
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/plain/secret', { n => 'hidden' });

for my $path ('/plain/1', '/locks/plain/1') {
    my $r = GET($path);

    is($r->{status}, 401, "$path: refused");
    unlike($r->{body}, qr/hidden/, 'and so is the page');
}

is((grep { $_->{target} eq '/plain/secret' } seen()) + 0, 0, 'never asked for');


=== the destination of a MOVE
--- http_config
    map "$http_x_user:$request_uri" $may {
        default 204;
        "~^eve:/plain/secret" 403;
    }
--- config
    conflict_user $http_x_user;
    location /plain/ {
        conflict version;
        auth_request /check;
        proxy_pass http://api;
    }
    location = /check {
        internal;
        if ($may = 403) { return 403; }
        return 204;
    }
--- steps
set_doc("/plain/$_", { n => 1 }) for 1, 'secret';

my $v = version(GET('/plain/secret', ann()));
my @to = ('Destination: /plain/secret', 'If: </plain/secret> (["5"])');

my $r = http('COPY', '/plain/1', headers => [@to, ann()]);
is($r->{status}, 412, 'stale');
like($r->{raw}, qr/$v/, 'who may see it');

$r = http('COPY', '/plain/1', headers => [@to, eve()]);
is($r->{status}, 412, 'stale');
unlike($r->{raw}, qr/$v/, 'who may not');


=== a Destination is a target of the client's
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /inside/ {
        internal;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc("/plain/$_", { secret => 1 }) for 1, 2;

is(GET('/inside/2')->{status}, 404, 'what is internal is not there');

for my $method ('COPY', 'MOVE') {
    my $r = http($method, '/plain/1',
                 headers => ['Destination: /inside/2',
                             'If: </inside/2> (["5"])']);

    is($r->{status}, 412, "$method: stale");
    unlike($r->{raw}, qr/secret|;version=|changed_at|^ETag/m, 'nor shown');
}


=== the type of what has led to an endpoint is not its own
--- config
    conflict_user $http_x_user;
    location /plain/ {
        conflict version hold=1h;
        conflict_history 4 versions;
        proxy_pass http://api;
    }
    location ~ ^/locks(?<locked>/.*)$ {
        conflict_key $locked;
        conflict_lock;
    }
    location ~ ^/versions(?<changed>/.*)$ {
        conflict_key $changed;
        conflict_versions;
    }
    location = /inbox { conflict_inbox; }
    location /led/ {
        set $led "status=200 header=Content-Type:text/html";
        proxy_set_header X-Up-Read "$led header=X-Accel-Redirect:$arg_to";
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });
PUT('/plain/1', { n => 2 }, 'X-User: <b>ann</b>');
is(http('POST', '/locks/plain/1',
        headers => ['X-User: <b>ann</b>', 'X-Client: laptop'])->{status}, 200,
   'a lock of somebody with a strange name');

for my $to ('/locks/plain/1', '/versions/plain/1', '/inbox') {
    my $r = GET("/led/1?to=$to", 'X-User: <b>ann</b>');
    is($r->{status}, 200, $to);
    is(header($r, 'Content-Type'), 'application/json', 'is JSON');
}
