# A page of another origin that may read a GET may also read a refusal.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a response that is sent again
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        conflict_require on;
        proxy_pass http://api;
    }
--- steps
sub from { ("Origin: https://$_[0].example",
            'Idempotency-Key: 8e03978e-40d5-43e8-bc93-6894a57f9324') }

sub says {
    'X-Up-Write: status=201 header=Vary:Origin'
    . " header=Access-Control-Allow-Origin:https://$_[0].example"
    . ' header=Access-Control-Allow-Credentials:true'
}

sub names { header($_[0], 'Access-Control-Allow-Origin') }

my $r = http('POST', '/plain/1', body => { n => 1 },
             headers => [from('a'), says('a')]);
is(names($r), 'https://a.example', 'the first one');

my @again = ('POST', '/plain/1', body => { n => 1 });

$r = http(@again, headers => [from('a')]);
is(header($r, 'Idempotent-Replayed'), 'true', 'again');
is(names($r), 'https://a.example', 'to the same page');

$r = http(@again, headers => [from('b')]);
is(header($r, 'Idempotent-Replayed'), 'true', 'to another page');
is(names($r), undef, 'which the API has not named');
is(header($r, 'Access-Control-Allow-Credentials'), undef, 'in no field');

PUT('/plain/2', { n => 1 }, 'Origin: https://b.example', says('b'),
    'If-None-Match: *');
$r = http(@again, headers => [from('b')]);
is(names($r), 'https://b.example', 'once it has');
is(scalar(() = $r->{raw} =~ /^Vary: /mg), 1, 'no field twice');

# what is said again is not said by the API now

PUT('/plain/3', { n => 1 }, 'Origin: https://a.example',
    'X-Up-Write: status=201', 'If-None-Match: *');
http(@again, headers => [from('a')]);
is(names(PUT('/plain/3', { n => 1 }, 'Origin: https://a.example')), undef,
   'a refusal does not allow what the API has revoked');


=== the fields of the GET
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /off/ {
        conflict version;
        conflict_latest off;
        proxy_pass http://api/plain/;
    }
    location /drop/ {
        conflict server_wins;
        proxy_pass http://api/plain/;
    }
    location ~ ^(?<resource>/plain/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
--- steps
my $cors = 'header=Access-Control-Allow-Origin:https://app.example'
           . ' header=Access-Control-Allow-Credentials:true'
           . ' header=Access-Control-Expose-Headers:ETag,Conflict'
           . ' header=Vary:Origin header=X-Secret:1';
my @ask = ('Origin: https://app.example', "X-Up-Read: apply $cors");

sub has_fields {
    my ($r, $what) = @_;

    my %once = ('Access-Control-Allow-Origin' => 'https://app.example',
                'Access-Control-Allow-Credentials' => 'true',
                'Vary' => 'Origin');

    for my $name (sort keys %once) {
        is_deeply($r->{headers}{lc $name}, [$once{$name}], "$what: $name");
    }

    is(header($r, 'X-Secret'), undef, "$what: others are not for it");
}

set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $r = PUT('/plain/1', { base_version => 77 }, @ask);
is($r->{status}, 409, 'a refusal');
has_fields($r, '409');

$r = http('PATCH', '/plain/1', body => { n => 2 },
          headers => ['If-Match: "77"', @ask]);
has_fields($r, 'by If-Match');

$r = PUT('/plain/1', { base_version => 77 },
         "X-Up-Read: status=401 header=WWW-Authenticate:Basic $cors");
is($r->{status}, 401, 'a GET that is refused');
has_fields($r, '401');

$r = PUT('/plain/none', { base_version => 77 }, @ask);
has_fields($r, 'one that does not exist');

PUT('/drop/1', { n => 2, base_version => version(GET('/drop/1')) });
$r = PUT('/drop/1', { n => 3, base_version => $v }, @ask);
is($r->{status}, 200, 'dropped');
has_fields($r, '200');

$r = http('POST', '/plain/1/lock', headers => ['X-User: a', @ask]);
is($r->{status}, 200, 'a lock');
has_fields($r, 'lock');
$r = http('POST', '/plain/1/lock', headers => ['X-User: b', @ask]);
is($r->{status}, 409, 'which is held');
has_fields($r, 'held');


=== what the API said last, where no GET is made
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        location / {
            return 200;
        }
    }
--- config
    location / {
        conflict version;
        conflict_latest off;
        conflict_require on;
        proxy_pass http://api;
    }
    location /merge/ {
        conflict merge;
        conflict_field /title server;
        conflict_max_body 1k;
        proxy_pass http://api/plain/;
    }
    location /down/ {
        conflict version;
        conflict_store_error pass;
        error_page 404 = @api;
        proxy_pass http://127.0.0.1:1;
    }
    location @api {
        proxy_pass http://api;
    }
    location /other/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api/plain/;
    }
    location /refuses/ {
        conflict version;
        deny all;
        add_header Access-Control-Allow-Origin https://mine.example always;
        proxy_pass http://api/plain/;
    }
--- steps
my $page = 'Origin: https://app.example';
my $evil = 'Origin: https://evil.example';

my $says = 'header=Access-Control-Allow-Origin:https://app.example'
           . ' header=Access-Control-Allow-Credentials:true'
           . ' header=Access-Control-Expose-Headers:ETag'
           . ' header=Access-Control-Expose-Headers:Conflict'
           . ' header=Vary:Origin header=X-Secret:1';

sub allowed {
    my ($r, $status, $what, @want) = @_;

    is($r->{status}, $status, $what);
    is_deeply([map { header($r, $_) }
               'Access-Control-Allow-Origin',
               'Access-Control-Allow-Credentials',
               'Access-Control-Expose-Headers', 'Vary', 'X-Secret'],
              [@want ? @want : (undef, undef, undef, undef), undef],
              "$what: " . (@want ? 'it may' : 'it may not'));
}

my @app = ('https://app.example', 'true', 'ETag, Conflict', 'Origin');

my %refused = (
    428 => sub { PUT('/plain/1', { n => 1 }, @_) },
    400 => sub { PUT('/plain/1', { base_version => [] }, @_) },
    409 => sub { PUT('/plain/1', { base_version => 77 }, @_) },
);

set_doc('/plain/1', { n => 1 });

for my $status (sort keys %refused) {
    allowed($refused{$status}->($page), $status, "$status, nothing is known");
}

GET('/plain/1', $page, "X-Up-Read: apply $says");

for my $status (sort keys %refused) {
    allowed($refused{$status}->($page), $status, "a $status", @app);
    allowed($refused{$status}->($evil), $status, "$status to another");
    allowed($refused{$status}->(), $status, "$status to no page");
}

allowed(PUT('/other/1', {}, $page), 428, 'another location');

# an error tells nothing, an answer that lets nobody read does

GET('/plain/1', $page, 'X-Up-Read: status=500');
allowed(PUT('/plain/1', {}, $page), 428, 'after an error', @app);

GET('/plain/1', $evil, 'X-Up-Read: apply');
allowed(PUT('/plain/1', {}, $page), 428, 'after one to another', @app);

http('OPTIONS', '/plain/1', headers => [$page, 'X-Up-Read: apply']);
allowed(PUT('/plain/1', {}, $page), 428, 'after an OPTIONS', @app);

my @denies = (
    sub { GET('/plain/1', $page) },
    sub { PUT('/plain/1', { base_version => version(GET('/plain/1')) },
              $page) },
    sub { GET('/plain/1', $page, 'X-Up-Read: status=403') },
    sub { http('OPTIONS', '/plain/1', headers => [$page,
               'Access-Control-Request-Method: PUT',
               'X-Up-Read: status=400']) },
);

for my $n (0 .. $#denies) {
    GET('/plain/1', $page, "X-Up-Read: apply $says");
    allowed(PUT('/plain/1', {}, $page), 428, "said, $n", @app);
    $denies[$n]->();
    allowed(PUT('/plain/1', {}, $page), 428, "taken back, $n");
}

# a preflight is the first to say, a write says it as well

http('OPTIONS', '/plain/1', headers => [$page, 'X-Up-Read: status=204 '
     . 'header=Access-Control-Allow-Origin:https://app.example '
     . 'header=Access-Control-Allow-Methods:PUT header=Vary:Origin']);
my $r = PUT('/plain/1', {}, $page);
allowed($r, 428, 'a preflight', $app[0], undef, undef, 'Origin');
is(header($r, 'Access-Control-Allow-Methods'), undef, 'and no more of it');

PUT('/plain/1', { base_version => version(GET('/plain/1')) }, $page,
    "X-Up-Write: apply $says");
allowed(PUT('/plain/1', {}, $page), 428, 'a write', @app);

# one origin, whoever asks

GET('/plain/1', $page);
GET('/plain/1', "X-Up-Read: apply $says");
allowed(PUT('/plain/1', {}, $page), 428, 'said to another client', @app);
allowed(PUT('/plain/1', {}, $evil), 428, 'of which this is none');

# any origin, as said to this one, or to whoever has none

my $any = 'X-Up-Read: apply header=Access-Control-Allow-Origin:*';
my @any = ('*', undef, undef, undef);

GET('/plain/1', $evil, $any);
allowed(PUT('/plain/1', {}, $evil), 428, 'any', @any);
allowed(PUT('/plain/1', {}, 'Origin: null'), 428, 'said to that one');

GET('/plain/1', $any);
allowed(PUT('/plain/1', {}, 'Origin: null'), 428, 'any whatever', @any);
allowed(PUT('/plain/1', {}, $page), 428, 'what was said to it', @app);

GET('/plain/1', 'Origin: null');
allowed(PUT('/plain/1', {}, 'Origin: http://x'), 428, 'not to all, then');

# no room for what is too long, nor for all the world

my $long = 'x' x 3000;
GET('/plain/1', 'Origin: http://long', 'X-Up-Read: apply '
    . "header=Access-Control-Allow-Origin:http://long header=Vary:$long");
allowed(PUT('/plain/1', {}, 'Origin: http://long'), 428, 'too long');

for my $n (1 .. 500) {
    GET('/plain/1', "Origin: http://$n", 'X-Up-Read: apply '
        . "header=Access-Control-Allow-Origin:http://$n");
}

my @known = grep {
    header(PUT('/plain/1', {}, "Origin: http://$_"),
           'Access-Control-Allow-Origin');
} 1 .. 500;

is("@known", "@{[437 .. 500]}", 'the last are known');

# bodies that are refused

GET('/merge/1', $page, "X-Up-Read: apply $says");
allowed(http('PUT', '/merge/1', body => '{"n":', headers => [$page]),
        400, 'no JSON', @app);
allowed(PUT('/merge/1', { n => 'x' x 2000 }, $page), 413, 'too large', @app);
allowed(http('PUT', '/merge/1', body => '{}',
             headers => [$page, 'Content-Encoding: gzip']),
        415, 'encoded', @app);

# pages of nginx: of an upstream that is not there, and before the module

http('PUT', '/down/1', headers => [$page]);
allowed(PUT('/down/1', {}, $page), 502, 'nothing known of it');

$r = PUT('/refuses/1', {}, $page);
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'),
   '403 https://mine.example', 'a page, and the configuration says whom');


=== pages of nginx in the place of an answer
--- config
    location / {
        conflict version;
        proxy_read_timeout 200ms;
        auth_request /auth;
        proxy_pass http://api;
    }
    location = /auth {
        internal;
        if ($http_x_bad) {
            return 403;
        }
        return 204;
    }
    location /both/ {
        conflict version;
        proxy_read_timeout 200ms;
        add_header Access-Control-Allow-Origin https://mine.example always;
        add_header Vary Origin always;
        proxy_pass http://api/plain/;
    }
    location /intercepts/ {
        conflict version;
        proxy_intercept_errors on;
        error_page 403 /page.html;
        proxy_pass http://api/plain/;
    }
    location = /page.html {
        internal;
        return 200 page;
    }
--- steps
my $page = 'Origin: https://app.example';
my $evil = 'Origin: https://evil.example';
my $says = 'X-Up-Read: apply header=Vary:Origin'
           . ' header=Access-Control-Allow-Origin:https://app.example';

sub of {
    my ($r) = @_;

    return join ' ', $r->{status},
           map { join ',', @{ $r->{headers}{$_} || ['-'] } }
           'access-control-allow-origin', 'vary';
}

set_doc('/plain/1', { n => 1 });
GET($_, $page, $says) for '/plain/1', '/both/1', '/intercepts/1';

is(of(PUT('/plain/1', { n => 2 }, $page, 'X-Up-Write: hold')),
   '504 https://app.example Origin', 'a time-out');
release();
is(of(GET('/plain/1', $evil, 'X-Up-Read: close')), '502 - -',
   'not to another');
is(of(GET('/plain/1', $page, 'X-Up-Read: close')),
   '502 https://app.example Origin', 'no answer');
is(of(PUT('/plain/1', {}, $page, 'X-Bad: 1')),
   '403 https://app.example Origin', 'before the module');
is(of(GET('/both/1', $page, 'X-Up-Read: close')),
   '502 https://mine.example Origin', 'once');
is(of(GET('/plain/1', $page, 'X-Up-Read: status=502')), '502 - -',
   'an answer of the API says all itself');
is(of(GET('/intercepts/1', $page, 'X-Up-Read: status=403')), '403 - -',
   'also where a page is shown for it');


=== a lock, from another origin
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
    location ~ ^(?<resource>/.*)/blind$ {
        conflict_key $resource;
        conflict_lock get=off;
        add_header Access-Control-Allow-Origin https://mine.example always;
    }
--- steps
my $page = 'Origin: https://app.example';
my $says = 'X-Up-Read: apply header=Vary:Origin'
           . ' header=Access-Control-Allow-Origin:https://app.example';

set_doc('/plain/1', { n => 1 });

my $preflight = sub {
    my ($path, $fields, $script) = @_;

    return http('OPTIONS', $path, headers => [
        $page, 'Access-Control-Request-Method: DELETE',
        ($fields ? "Access-Control-Request-Headers: $fields" : ()),
        ($script ? "X-Up-Read: $script" : ())]);
};

# it is the API's to say who may ask

my $r = $preflight->('/plain/1/lock', 'lock-token, x-user,X-Client', 'status=204'
                  . ' header=Access-Control-Allow-Origin:https://app.example'
                  . ' header=Access-Control-Allow-Credentials:true'
                  . ' header=Access-Control-Allow-Methods:GET,PUT'
                  . ' header=Access-Control-Allow-Headers:X-User'
                  . ' header=Access-Control-Max-Age:7 header=Vary:Origin');

is($r->{status}, 204, 'a preflight');
is($r->{body}, '', 'has no body');
is_deeply([map { $r->{headers}{lc $_} } 'Allow', 'Vary',
           map { "Access-Control-$_" } 'Allow-Origin', 'Allow-Credentials',
           'Allow-Methods', 'Allow-Headers', 'Max-Age'],
          [map { [$_] } 'GET, HEAD, POST, DELETE, OPTIONS', 'Origin',
           'https://app.example', 'true',
           'GET,PUT, HEAD, POST, DELETE, OPTIONS',
           'X-User, Lock-Token, X-Client', '7'],
          'says what the API says, and what the lock needs');

my ($asked) = grep { $_->{method} eq 'OPTIONS' } seen();
my %field = map { @$_ } @{ $asked->{headers} };

is("$asked->{target} $field{'access-control-request-method'}"
   . " $field{'access-control-request-headers'}",
   '/plain/1 GET x-user', 'that is asked of what it knows');
is($field{origin}, 'https://app.example', 'for this origin');

$r = $preflight->('/plain/1/lock', 'lock-token');
%field = map { @$_ } @{ (seen())[-1]{headers} };
is($field{'access-control-request-headers'}, undef, 'or of nothing');

is($r->{status}, 204, 'one that it does not allow');
is_deeply([grep { /^access-control/ } keys %{ $r->{headers} }], [],
          'has no fields');

my $n = seen();
$r = http('OPTIONS', '/plain/1/lock');
is("$r->{status} " . header($r, 'Allow'),
   '204 GET, HEAD, POST, DELETE, OPTIONS', 'one that is no preflight');
$r = $preflight->('/plain/1/blind', 'lock-token');
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'),
   '204 https://mine.example', 'without a GET: what is configured');
is(header($r, 'Access-Control-Allow-Methods') . ' '
   . header($r, 'Access-Control-Allow-Headers'),
   'GET, HEAD, POST, DELETE, OPTIONS Lock-Token, X-Client',
   'and what the lock needs');
is(scalar(seen()), $n, 'the API is not asked');

# what is done without a GET

$r = http('POST', '/plain/1/lock', headers => [$page, 'X-User: a', $says]);
my $token = json($r)->{lock}{token};
is(header($r, 'Access-Control-Allow-Origin'), 'https://app.example', 'a lock');

$r = DELETE('/plain/1/lock', 'Origin: https://evil.example', 'X-User: a',
            'Lock-Token: ' . 'f' x 32);
is("$r->{status} " . (header($r, 'Access-Control-Allow-Origin') // '-'),
   '409 -', 'who may not know of it');
$r = DELETE('/plain/1/lock', $page, 'X-User: a', "Lock-Token: $token");
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'),
   '200 https://app.example', 'its end');

$r = http('PUT', '/plain/1/lock', headers => [$page]);
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'),
   '405 https://app.example', 'what a lock is not for');


=== an inbox, from another origin
--- http_config
    map $request_method $realm {
        OPTIONS off;
        default notes;
    }
--- config
    location / {
        conflict version hold;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location = /inbox {
        conflict_inbox;
        conflict_user $http_x_user;
        add_header Access-Control-Allow-Origin https://app.example always;
        add_header Access-Control-Allow-Headers Authorization always;
    }
    location = /basic {
        conflict_inbox;
        conflict_user $remote_user;
        auth_basic $realm;
        auth_basic_user_file users;
        add_header Access-Control-Allow-Origin https://app.example always;
    }
    location = /closed {
        conflict_inbox;
        conflict_user $http_x_user;
    }
--- steps
my $page = 'Origin: https://app.example';

my $preflight = sub {
    return http('OPTIONS', "$_[0]?id=" . 'f' x 32,
                headers => [$page, "Access-Control-Request-Method: DELETE",
                            'Access-Control-Request-Headers: if-match']);
};

my $r = $preflight->('/inbox');
is($r->{status}, 204, 'a preflight');
is_deeply([map { $r->{headers}{lc $_} } 'Allow',
           map { "Access-Control-Allow-$_" } 'Origin', 'Methods', 'Headers'],
          [map { [$_] } 'GET, HEAD, POST, DELETE, OPTIONS',
           'https://app.example', 'GET, HEAD, POST, DELETE, OPTIONS',
           'If-Match, If-None-Match, Content-Type, Lock-Token, X-Client,'
           . ' Authorization'],
          'what an inbox needs, and what is configured');

$r = $preflight->('/basic');
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'),
   '204 https://app.example', 'without credentials');
is(GET('/basic', $page)->{status}, 401, 'which others need');

is(header($preflight->('/closed'), 'Access-Control-Allow-Origin'), undef,
   'no page, unless it is configured');

$r = http('OPTIONS', '/inbox');
is("$r->{status} " . header($r, 'Allow'),
   '204 GET, HEAD, POST, DELETE, OPTIONS', 'one that is no preflight');
is(header($r, 'Access-Control-Allow-Methods'), undef, 'is answered as such');
is(scalar(seen()), 0, 'the API is not asked');

# what follows a preflight

my @ann = ($page, 'X-User: ann');

set_doc('/plain/1', { n => 1 });
my $old = version(GET('/plain/1'));
PUT('/plain/1', { n => 2, base_version => $old });

my %id = map { $_ => json(PUT('/plain/1', { n => $_, base_version => $old },
                              'X-User: ann'))->{held} } 3, 4;

$r = DELETE("/inbox?id=$id{3}", @ann);
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'),
   '204 https://app.example', 'an item is removed');

$r = http('POST', "/inbox?id=$id{4}&take=mine",
          headers => [@ann, 'If-Match: "' . version(GET('/plain/1')) . '"',
                      'X-Up-Write: apply'
                      . ' header=Access-Control-Allow-Origin:*']);
is("$r->{status} " . header($r, 'Access-Control-Allow-Origin'), '204 *',
   'or written, as the API says');


=== OPTIONS is the API's
--- config
    location /plain/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
    location = /status {
        conflict_status json;
    }
--- steps
my $r = http('OPTIONS', '/plain/1', headers => [
    'Origin: https://app.example', 'If-Match: "7"',
    'Access-Control-Request-Method: PUT',
    'X-Up-Read: status=204 header=ETag:"up" header=Allow:GET,PUT'
    . ' header=Access-Control-Allow-Methods:PUT']);

is("$r->{status} " . join(' ', map { header($r, $_) // '-' } 'ETag', 'Allow',
                          'Access-Control-Allow-Methods', 'Conflict'),
   '204 "up" GET,PUT PUT -', 'the answer is as it comes');

my ($seen) = seen();
is("$seen->{method} $seen->{target} " . { map { @$_ } @{ $seen->{headers} } }
   ->{'if-match'}, 'OPTIONS /plain/1 "7"', 'so is the request');

PUT('/plain/1', { n => 1 });
$r = until_true {
    my $json = json(GET('/status'));
    my ($route) = grep { $_->{location} eq '/plain/' } @{ $json->{routes} };
    $route && $route->{outcomes}{required} ? $route : 0;
};

is($r->{outcomes}{unchecked} // 0, 0, 'nobody counts it');
is($r->{writes}, 1, 'for a write');


=== each field once, whatever the configuration adds
--- config
    gzip on;
    gzip_vary on;
    gzip_types application/json;
    location / {
        conflict version;
        add_header Access-Control-Allow-Origin https://mine.example always;
        add_header Access-Control-Expose-Headers "Conflict, X-Mine" always;
        add_header Vary "Accept, Origin" always;
        proxy_pass http://api;
    }
    location /hide/ {
        conflict version;
        proxy_hide_header Access-Control-Allow-Origin;
        add_header Access-Control-Allow-Origin https://mine.example;
        proxy_pass http://api/plain/;
    }
--- steps
my $ask = 'X-Up-Read: apply'
          . ' header=Access-Control-Allow-Origin:https://app.example'
          . ' header=access-control-expose-headers:ETag,conflict'
          . ' header=Vary:Origin header=Vary:Cookie,Accept-Encoding';

set_doc('/plain/1', { n => 1 });
my $r = PUT('/plain/1', { base_version => 77 }, $ask);

is($r->{status}, 409, 'a refusal');
is_deeply($r->{headers}{'access-control-allow-origin'},
          ['https://mine.example'], 'one origin: that of the configuration');
is_deeply($r->{headers}{'access-control-expose-headers'},
          ['ETag,conflict, X-Mine'], 'one list');
is_deeply($r->{headers}{vary}, ['Origin, Cookie, Accept-Encoding, Accept'],
          'one Vary');

$r = PUT('/hide/1', { base_version => 77 }, $ask);
is(header($r, 'Access-Control-Allow-Origin'), undef,
   'what a GET does not show either');


=== what the API said in a location holds in its blocks
--- config
    conflict version;
    conflict_require on;
    location / {
        limit_except GET HEAD OPTIONS {
            allow all;
        }
        proxy_pass http://api;
    }
    location /if/ {
        if ($request_method = PUT) {
            set $x 1;
        }
        proxy_pass http://api/plain/;
    }
--- steps
for my $path ('/plain/1', '/if/1') {
    set_doc('/plain/1', { n => 1 });

    GET($path, 'Origin: https://a.example',
        'X-Up-Read: apply header=Access-Control-Allow-Origin:'
        . 'https://a.example header=Vary:Origin');

    my $r = PUT($path, { n => 2 }, 'Origin: https://a.example');
    is($r->{status}, 428, 'no GET is made for it');
    is(header($r, 'Access-Control-Allow-Origin'), 'https://a.example',
       'and the page may read it');
}
