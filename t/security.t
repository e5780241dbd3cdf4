# Responses and logs disclose nothing of other clients, and a client cannot
# inject anything into them.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

sub reader { 'Authorization: Bearer reader' }
sub eve { 'Authorization: Bearer eve' }

# all that a client can see, but for what differs from answer to answer

sub seen_by {
    my ($r) = @_;

    my $raw = $r->{raw};

    $raw =~ s/^(Date|Content-Length): .*\r\n//mg;
    $raw =~ s/"conflict_id":"\w+"//;
    $raw =~ s!/(auth|plain)/\w+!/PATH!g;

    return $raw;
}

# bytes as they are, to a host of one's own

sub raw {
    my ($head, $body) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());
    my $length = length($body // '');

    $head =~ s/\n/\r\n/g;
    syswrite $s, "${head}Connection: close\r\nContent-Length: $length\r\n\r\n"
                 . ($body // '');

    return finish({ socket => $s, method => 'GET' });
}

run_tests();

__DATA__

=== who is refused by the upstream is told no version, nor when it was made
--- config
    location / {
        conflict version;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/auth/1', { n => 1 });

my $v = version(GET('/auth/1', reader()));
my $tag = qq(If-Match: "$v");

ok($v, 'there is a version');

my %answers = (
    'GET'           => GET('/auth/1', eve()),
    'HEAD'          => HEAD('/auth/1', eve()),
    'GET, 404'      => GET('/auth/1', 'X-Up-Read: status=404'),
    'GET, 302'      => GET('/auth/1', reader(), 'X-Up-Read: status=302'),
    'GET, 500'      => GET('/auth/1', reader(), 'X-Up-Read: status=500'),
    'PUT'           => PUT('/auth/1', { n => 2 }, 'X-Up-Write: status=403'),
    'PUT, 404'      => PUT('/auth/1', { n => 2 }, 'X-Up-Write: status=404'),
    'a good base'   => PUT('/auth/1', { n => 2 }, $tag,
                           'X-Up-Write: status=403'),
    'stale'         => PUT('/auth/1', { base_version => 1 }, eve()),
    'create'        => PUT('/auth/1', { n => 2 }, eve(), 'If-None-Match: *'),
    'a date'        => PUT('/auth/1', { n => 2 }, eve(),
                           'If-Unmodified-Since: 2020-01-01T00:00:00Z'),
    'DELETE'        => DELETE('/auth/1', eve(), 'If-Match: "1"'),
);

# an API that sends who is not logged in somewhere else; one that fails

for my $status (302, 303, 500, 503) {
    $answers{"stale, GET says $status"}
        = PUT('/auth/1', { base_version => 1 }, reader(),
              "X-Up-Read: status=$status");
}

my $w = start('PUT', '/auth/1', body => { n => 3 },
              headers => ['X-Up-Write: hold apply']);

until_true { $answers{busy} = PUT('/auth/1', { base_version => $v });
             $answers{busy}{status} == 409 };
release();
finish($w);

$answers{conditional} = PUT('/auth/2', { n => 2 }, eve(), $tag);

for my $name (sort keys %answers) {
    my $r = $answers{$name};

    # but for what she has said herself

    (my $told = $r->{raw}) =~ s/base(_version"?)?[:=]$v//g;

    ok($r->{status} > 300, "$name: refused");
    unlike($told, qr/$v|ETag|Last-Modified|changed_at|;version/i,
           "$name: and nothing told");
}

=== what a 404 hides is refused like what never was
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /wins/ {
        conflict server_wins;
        proxy_pass http://api/;
    }
    location /merge/ {
        conflict merge;
        conflict_history 10;
        proxy_pass http://api/;
    }
--- steps
my @hidden = ('X-Up-Read: status=404', 'X-Up-Write: status=404');
my $i = 0;

for my $fields ([], ['If-Match: "7"'], ['If-Match: *'], ['If-None-Match: *'],
                ['If-Unmodified-Since: 2020-01-01T00:00:00Z'],
                ['Conflict-Chain: "8f2c91d0";base=7;n=1'])
{
    my $body = { n => 3, @$fields ? () : (base_version => 7) };
    my $what = @$fields ? $fields->[0] : 'base_version';

    for my $policy ('', '/wins', '/merge') {
        my ($made, $gone, $never)
            = map { "$policy/plain/$_" . ++$i } 'made', 'gone', 'never';

        for my $path ($made, $gone) {
            ok(version(PUT($path, { n => 1 })), "$path: it has a version");
        }

        DELETE($gone);

        my ($m, $g, $n) = map { seen_by(PUT($_, $body, @$fields, @hidden)) }
                              $made, $gone, $never;

        is($g, $n, "$what: one that was deleted");
        is($m, $n, 'and one that is there') unless $what =~ /\*/;
        unlike("$m $g", qr/version[=":]+\d{3}|changed_at|ETag/,
               'not when it was written');
    }
}


=== whether it is there, and what was written to it
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
set_doc('/auth/1', { n => 1 });

my $v = version(GET('/auth/1', reader()));
my %write = (n => 2, base_version => $v);

is(PUT('/auth/1', { %write }, reader())->{status}, 204, 'a write');

set_doc('/auth/gone', { n => 1 });

is(DELETE('/auth/gone', reader(),
          'If-Match: "' . version(GET('/auth/gone', reader())) . '"')
   ->{status}, 204, 'deleted');

# what she guesses is right in the first, wrong in the others

for my $headers ([], [eve()]) {
    my $right = seen_by(PUT('/auth/1', { %write }, @$headers));

    is(seen_by(PUT('/auth/1', { %write, n => 3 }, @$headers)), $right,
       'another body');
    is(seen_by(PUT('/auth/none', { %write }, @$headers)), $right,
       'no such resource');
    is(seen_by(PUT('/auth/gone', { %write }, @$headers)), $right,
       'one that is deleted');
}

my @create = (eve(), 'If-None-Match: *', 'X-Up-Write: status=403',
              'X-Up-Read: apply header=Content-Type:application/json');

is(PUT('/auth/1', { n => 2 }, @create)->{status}, 403, 'what is there');
is(PUT('/auth/none', { n => 2 }, @create)->{status}, 403,
   'or not, of which the API is asked');

my $gone = 'If-Match: "5"';
is(seen_by(DELETE('/auth/1', eve(), $gone)),
   seen_by(DELETE('/auth/none', eve(), $gone)), 'to delete it');

lock('/auth/1', reader());
is(seen_by(lock('/auth/1', eve())), seen_by(lock('/auth/none', eve())),
   'to lock it');
is(seen_by(http('GET', '/auth/1/lock', headers => [eve()])),
   seen_by(http('GET', '/auth/none/lock', headers => [eve()])),
   'to look at its lock');


=== two who wait at once: each by his own rights
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/auth/1', { text => 'the secret' });

my $v = version(GET('/auth/1', reader()));
my @who = (reader(), eve(), 'X-Nobody: 1');

PUT('/auth/1', { text => 'the secret', n => 2 }, reader());

my @pending = map { start('PUT', '/auth/1', body => { base_version => $v },
                          headers => [$who[$_ % 3],
                                      'X-Up-Read: hold apply']) } 0 .. 11;

until_true { scalar(grep { $_->{method} eq 'GET' } seen()) == 13 };
release();

for my $i (0 .. 11) {
    my $r = finish($pending[$i]);

    is($r->{status}, (409, 409, 401)[$i % 3], $who[$i % 3]);
    is($r->{raw} =~ /the secret/ ? 1 : 0, $i % 3 ? 0 : 1, 'its body');
}


=== a cache that is warm, and keyed by the path alone
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=c:1m;
--- config
    location / {
        conflict version;
        proxy_cache c;
        proxy_cache_valid 200 1h;
        proxy_cache_key $uri;
        proxy_pass http://api;
    }
--- steps
set_doc('/auth/1', { text => 'the secret' });
GET('/auth/1', reader()) for 1 .. 2;

for my $try ([409, { base_version => 1 }], [403, { n => 1 }]) {
    my $r = PUT('/auth/1', $try->[1], eve(), 'If-None-Match: *');

    is($r->{status}, $try->[0], 'the upstream is asked');
    unlike($r->{raw}, qr/the secret/, 'and no cache');
}


=== rights that are over
--- config
    location / {
        conflict server_wins;
        auth_request /check;
        proxy_pass http://api;
    }
    location = /check {
        internal;
        conflict off;
        if ($http_x_session = over) { return 401; }
        return 204;
    }
    location /redirected/ {
        conflict version;
        proxy_pass http://api/auth/;
    }
--- steps
set_doc('/plain/1', { text => 'the secret' });

my $v = version(GET('/plain/1', 'X-Session: good'));
PUT('/plain/1', { text => 'the secret', n => 2 }, 'X-Session: good');

my $r = PUT('/plain/1', { base_version => $v }, 'X-Session: over');
is($r->{status}, 401, 'dropped before anything is looked at');
unlike($r->{raw}, qr/the secret|$v/, 'with nothing told');

# over between the write and its GET

set_doc('/auth/1', { text => 'the secret' });
GET('/redirected/1', reader());
$r = PUT('/redirected/1', { base_version => 1 }, reader(),
         'X-Up-Read: apply status=302 header=Location:/login');
is($r->{status}, 409, 'sent to log in');
is(json($r)->{server_version_omitted}, 'unavailable', 'no body');
unlike($r->{raw}, qr/the secret|login/, 'not of that answer');


=== a base is shown to nobody of whom nothing is known
--- config
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { salary => 5000, n => 1 });

my $v = version(GET('/plain/1', 'X-Our-Key: boss'));

set_doc('/plain/1', { salary => '***', n => 1 });
PUT('/plain/1', { salary => '***', n => 2, base_version => $v },
    'X-Our-Key: boss');

my $r = PUT('/plain/1', { salary => 1, n => 3, base_version => $v },
            'X-Our-Key: eve');

is($r->{status}, 409, 'a clash');
is(scalar @{ json($r)->{conflicts} }, 2, 'of both fields');
unlike($r->{body}, qr/5000|"base":/, 'whose base she was not shown');


=== nor to another one who has the same cookie
--- config
    location / {
        conflict merge;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
for my $name (qw(X-Api-Key Api-Key X-Auth-Token X-Access-Token Private-Token
                 X-Remote-User X-Forwarded-User Client-Cert
                 X-Forwarded-Client-Cert)) {
    my @boss = ('Cookie: lang=en', "$name: boss");
    my @eve = ('Cookie: lang=en', "$name: eve");

    set_doc("/plain/$name", { salary => 5000, n => 1 });

    my $v = version(GET("/plain/$name", @boss));

    set_doc("/plain/$name", { salary => 6000, n => 1 });
    PUT("/plain/$name", { salary => 6000, n => 2, base_version => $v }, @boss);

    my $r = PUT("/plain/$name", { salary => 1, n => 3, base_version => $v },
                @eve);

    is($r->{status}, 409, "a clash: $name");
    unlike($r->{body}, qr/5000|"base":/, 'whose base she was not shown');

    # nor what somebody else has made by a key that she has guessed

    my $key = 'Idempotency-Key: 1';
    my @post = (body => '{}', headers => [@boss, $key,
                                          'X-Up-Write: status=201 body=9']);

    is(http('POST', "/plain/$name", @post)->{status}, 201, 'made');
    is(header(http('POST', "/plain/$name", @post), 'Idempotent-Replayed'),
       'true', 'once');

    $post[3][1] = $eve[1];
    is(header(http('POST', "/plain/$name", @post), 'Idempotent-Replayed'),
       undef, 'her own');
}


=== one name on two hosts is two people
--- config
    server_name one two;
    location / {
        conflict merge;
        conflict_user $http_x_user;
        proxy_pass http://api/plain/$host$uri;
    }
--- steps
set_doc('/plain/one/1', { salary => 5000, n => 1 });
set_doc('/plain/two/1', { salary => 7, n => 1 });

my $v = version(raw("GET /1 HTTP/1.1\nHost: one\nX-User: admin\n"));

for my $host ('one', 'two') {
    my $head = "PUT /1 HTTP/1.1\nHost: $host\nX-User: admin\n"
               . "Content-Type: application/json\n";

    raw($head, qq({"salary":8,"n":1,"base_version":$v}));

    my $r = raw($head, qq({"salary":9,"n":1,"base_version":$v}));
    my ($clash) = grep { $_->{field} eq '/salary' } @{ json($r)->{conflicts} };

    is($r->{status}, 409, "$host: a clash");
    is($clash->{base}, $host eq 'one' ? 5000 : undef,
       "$host: with what was shown there");
}


=== a name that nobody has checked ends no lock
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock force;
    }
--- steps
# $remote_user is what the client says, where the upstream asks for passwords

set_doc('/auth/1', { n => 1 });
set_doc('/plain/1', { n => 1 });

my $ann = 'Authorization: Basic YW5uOnB3';
my $r = lock('/plain/1', $ann);
my $token = json($r)->{lock}{token};

is(json($r)->{lock}{user}, 'ann', 'ann has a lock');

$r = http('DELETE', '/plain/1/lock',
          headers => ['Authorization: Basic YW5uOng=',
                      'X-Up-Read: status=401']);
is($r->{status}, 401, 'another who says he is ann');
is(json(http('GET', '/plain/1/lock', headers => [$ann]))->{lock}{user}, 'ann',
   'it is still held');
is(http('DELETE', '/plain/1/lock', headers => [$ann])->{status}, 200,
   'she herself releases it');

# the token is proof enough, also when the API cannot be asked

$token = json(lock('/plain/1', $ann))->{lock}{token};
is(http('DELETE', '/plain/1/lock',
        headers => ["Lock-Token: $token", 'X-Up-Read: status=503'])->{status},
   200, 'released by its token');


=== a lock's token is told to its holder, and cannot be guessed
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock get=off;
    }
    location = /status { conflict_status json; }
--- steps
my %tokens = map { json(lock("/plain/$_", 'X-User: ann'))->{lock}{token} => 1 }
             1 .. 200;

is(scalar(grep { /^[0-9a-f]{32}$/ } keys %tokens), 200, 'each is another');

# each bit is set in some and not in others

my @ones = (0) x 128;

for my $token (keys %tokens) {
    my @bits = split //, unpack 'B*', pack 'H*', $token;
    $ones[$_] += $bits[$_] for 0 .. 127;
}

is(scalar(grep { $_ < 50 || $_ > 150 } @ones), 0, 'all of their bits count');

my ($token) = lock('/plain/x', 'X-User: ann')->{body} =~ /"token":"(\w+)"/;

for my $at (0, 1, 15, 30, 31) {
    my $wrong = $token;
    substr($wrong, $at, 1) = sprintf '%x', 15 - hex substr $token, $at, 1;

    is(http('DELETE', '/plain/x/lock', headers => ["Lock-Token: $wrong"])
       ->{status}, 409, "wrong at $at");
}

is(http('DELETE', '/plain/x/lock',
        headers => ['Lock-Token: ' . substr $token, 0, 30])->{status}, 409,
   'a part of it');

my @told = (lock('/plain/x', 'X-User: bob')->{raw},
            http('GET', '/plain/x/lock', headers => ['X-User: ann'])->{raw},
            PUT('/plain/x', { n => 1 }, 'X-User: bob')->{raw},
            until_true { my $s = GET('/status')->{raw}; $s =~ /ann/ && $s });

is(scalar(grep { /$token/ } @told), 0, 'told to nobody else');
unlike(slurp(servroot() . '/logs/conflict.log'), qr/$token/, 'nor logged');


=== what a client says of the module's own is not believed
--- http_config
    map $conflict_fetch $fetch { 1 yes; default no; }
--- config
    location / {
        conflict version;
        proxy_set_header X-Fetch $fetch;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
PUT('/plain/1', { n => 2 });

my @own = ('Conflict: passed;version=1', 'Conflict-Fetch: 1', 'Fetch: 1',
           'X-Conflict-Fetch: 1', 'Conflict-Version: 1', 'X-Fetch: yes',
           'X-Base-Version: 1', 'Conflict-Outcome: merged');

my $r = PUT('/plain/1', { n => 3, base_version => $v }, @own);

is($r->{status}, 409, 'it is stale all the same');
is(PUT('/plain/1', { n => 3 }, @own)->{status}, 204, 'a write');

my ($write) = grep { $_->{method} eq 'PUT' && $_->{body} =~ /3/ } seen();
my %headers = map { @$_ } @{ $write->{headers} };

is($headers{'x-fetch'}, 'no', 'no GET of the module');

# nor what the upstream says

$r = GET('/plain/1', 'X-Up-Read: apply header=Conflict:passed;version=7');

is(scalar @{ $r->{headers}{conflict} }, 1, 'one field');
unlike(header($r, 'Conflict'), qr/=7/, 'which is the module\'s');


=== no line but its own comes of a request, in any log
--- config
    location / {
        conflict version;
        conflict_version json:/version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location ~ ^(?s)/(?<resource>.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
--- steps
my $forged = '%0D%0A2026/01/01%2000:00:00%20[notice]%20forged%1B[31m%C2%9B1m';

set_doc("/plain/1$forged", { n => 1 });

# the answer does not carry a version; the key is no path

is(PUT("/plain/1$forged", { base_version => 1 },
       "X-User: a\x1b[2J\"}\xff")->{status}, 503, 'no version');
is(lock("/plain/1$forged", 'X-User: x')->{status}, 500, 'not a path');

my @lines = grep { /forged/ } split /\n/, error_log();

cmp_ok(scalar(@lines), '>=', 2, 'both are in the error log');
is(scalar(grep { !m!^\d{4}/\d\d/\d\d [\d:]{8} \[error\] ! } @lines), 0,
   'as lines of its own');
unlike(join('', @lines), qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/,
       'without controls');

# a stale one, for the audit log

set_doc("/own/1$forged", { n => 1 });
PUT("/own/1$forged", { n => 2, version => 1, base_version => 7 },
    "X-User: a\x1b[2J\"}\xff", "X-Client: b\xc2\x9b\x01");

my $log = slurp(servroot() . '/logs/conflict.log');
my ($line) = conflicts();

is($log =~ tr/\n//, 1, 'one line in the audit log');
unlike($log, qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'without controls');
like($line->{user_id}, qr/^a\e\[2J"\}\x{fffd}$/, 'a user');
is($line->{client_origin}, "b\x{9b}\x01", 'a client');

if ($Conflict::Store eq 'redis') {
    my $keys = redis($ENV{TEST_NGINX_REDIS_PORT}, 'KEYS', '*');

    is(scalar(grep { !/^conflict:/ } @$keys), 0, 'no key but the module\'s');
}
