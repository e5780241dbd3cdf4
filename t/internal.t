# A resource in an "internal" location cannot be named by a client, in requests
# to the endpoints either.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== endpoints
--- config
    conflict_user $http_x_user;
    location / {
        conflict version;
        conflict_history 10;
        proxy_pass http://api;
    }
    location /hidden/ {
        internal;
        conflict version;
        conflict_history 10;
        proxy_pass http://api/;
    }
    location /by/ {
        rewrite ^/by(/.*)$ /hidden$1 last;
    }
    location = /events { conflict_events; }
    location ~ ^/own(?<resource>/.*)/versions$ {
        conflict_key $resource;
        conflict_versions get=/hidden$resource;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
    location ~ ^(?<resource>/.*)/versions$ {
        conflict_key $resource;
        conflict_versions;
    }
--- steps
my @ann = ('X-User: ann', 'X-Client: laptop');

set_doc('/plain/1', { n => 1 });
is(GET('/hidden/plain/1', @ann)->{status}, 404, 'it is internal');

my $n = seen();

for (['GET', '/events?poll=1&resource=/hidden/plain/1'],
     ['GET', '/events?resource=/hidden/plain/1'],
     ['GET', '/hidden/plain/1/versions'],
     ['GET', '/hidden/plain/1/lock'],
     ['POST', '/hidden/plain/1/lock'])
{
    my $r = http(@$_, headers => [@ann]);
    like($r->{status}, qr/^4\d\d$/, "@$_");
    unlike($r->{body}, qr/version":/, 'tells no version');
}

is(scalar(() = seen()), $n, 'the API was not asked');

is(GET('/by/plain/1', @ann)->{status}, 200, 'a rewrite leads there');
is(GET('/events?poll=1&resource=/by/plain/1', @ann)->{status}, 200,
   'for an endpoint as well');
is(GET('/own/plain/1/versions', @ann)->{status}, 200,
   'and the configuration may name it');
