# A client that exhausts resources: locks, the zone, leases, bodies.  Those of
# others stay, requests over a limit are refused, and no write passes unchecked.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lock;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
worker_connections(1024);
workers(2);
master_on();

# memory of the workers, in KB

sub memory {
    my $sum = 0;

    for my $pid (workers_of(master_pid())) {
        $sum += $1 if slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    }

    return $sum;
}

run_tests();

__DATA__

=== locks, by one user
--- http_config
    conflict_store small zone=256k;
--- config
    location / {
        conflict version store=small;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict version store=small;
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock get=off per_user=300;
    }
--- steps
set_doc("/plain/$_", { n => 1 }) for 'ann', 'free';

my $v = version(GET('/plain/free'));
my $token = json(lock('/plain/ann', 'X-User: ann'))->{lock}{token};
my $w = start('PUT', '/plain/held', body => { n => 1 },
              headers => ['X-Up-Write: hold apply']);
begun(1);

# more than the zone may have, then more than one user may

my $begun = time();
my %count;
$count{lock("/plain/$_", 'X-User: eve')->{status}}++ for 1 .. 400;

is(join(' ', sort keys %count), '200 503', 'granted while there is room');
cmp_ok($count{200}, '<', 130, 'in a quarter of the zone');
cmp_ok($count{503}, '>', 200, 'then refused');

my $lines = () = error_log() =~ /has no room for another lock/g;
cmp_ok($lines, '>=', 1, 'which the error log says');
cmp_ok($lines, '<=', 1 + (time() - $begun) / 10, 'once in ten seconds');

# nobody's callers are not counted, and get no more either

is(lock('/plain/x1')->{status}, 503, 'without a name');
is(lock('/plain/ann', 'X-User: eve')->{status}, 409,
   'what ann has she still has');
is(PUT('/plain/ann', { n => 2 }, 'X-User: eve')->{status}, 409,
   'and eve does not write there');
is(lock('/plain/ann', "Lock-Token: $token")->{status}, 200, 'ann renews it');
is(PUT('/plain/ann', { n => 2 }, 'X-User: ann')->{status}, 204,
   'and writes');
is(PUT('/plain/free', { n => 2, base_version => $v })->{status}, 204,
   'others, too');
is(PUT('/plain/held', { n => 2 }, 'If-Match: "1"')->{status}, 409,
   'a lease is where it was');
release();
is(finish($w)->{status}, 201, 'and ends well');


=== locks, more than a user may have, of long names, and for how long
--- config
    large_client_header_buffers 4 32k;
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock get=off per_user=5 idle=10s;
    }
--- steps
my $long = 'e' x 8000;
my %count;

$count{lock("/$_/$long", "X-User: $long")->{status}}++ for 1 .. 50;

is($count{200}, 5, 'as many as may be');
is($count{429}, 45, 'and no more');
is(lock('/6', "X-User: $long", 'X-Client: ' . 'c' x 8000)->{status}, 429,
   'from elsewhere neither');

# who only begins with the same bytes is another

is(lock("/1/$long", "X-User: ${long}f")->{status}, 409, 'another user');
is(http('DELETE', "/1/$long/lock", headers => ["X-User: ${long}f"])
   ->{status}, 409, 'does not end it');
is(lock("/1/${long}f", "X-User: ${long}f")->{status}, 200,
   'but locks another resource');

my $lock = json(http('GET', "/1/$long/lock"))->{lock};
cmp_ok(length $lock->{user}, '<', 200, 'of a name only so much is shown');

# it lasts as long as the configuration says, whatever is asked for

for my $asked ('/t1/lock?idle=3650d&ttl=3650d', '/t2/lock') {
    my $r = http('POST', $asked, body => '{"idle":315360000,"ttl":315360000}',
                 headers => ['X-User: bob', 'Timeout: Second-315360000',
                             'Content-Type: application/json']);

    cmp_ok(json($r)->{lock}{expires_in}, '<=', 10, $asked);
}


=== room in the zone, by writes that never end well
--- http_config
    conflict_store small zone=32k;
--- config
    location / {
        conflict version store=small;
        conflict_store_error pass;
        conflict_user $http_x_user;
        conflict_wait 10ms;
        conflict_quarantine 30s;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict version store=small;
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock get=off;
    }
--- steps
set_doc("/plain/$_", { n => 1 }) for 'held', 'locked';

lock('/plain/locked', 'X-User: ann');

my $w = start('PUT', '/plain/held', body => { n => 2 },
              headers => ['X-Up-Write: hold apply']);
begun(1);

# each leaves a resource of which nobody knows what it is

my %count;
$count{PUT("/plain/x$_", { n => $_ }, 'X-Up-Write: close')->{status}}++
    for 1 .. 300;

is(join(' ', sort keys %count), '502 503', 'let in while there is room');
cmp_ok($count{503}, '>', 50, 'then refused');

my @passed = grep { $_->{method} eq 'PUT' && $_->{target} =~ /x/ } seen();
is(scalar(@passed), $count{502}, 'and what is refused does not pass');

my $r = PUT('/plain/more', { n => 1, base_version => 1 });
is($r->{status}, 503, 'a check that cannot be made');
like(header($r, 'Conflict'), qr/^rejected/, 'is no reason to pass');

is(PUT('/plain/held', { n => 3 })->{status}, 409, 'the lease is there');
is(PUT('/plain/x1', { n => 3 })->{status}, 503,
   'so is what is not known of the first');
is(PUT('/plain/locked', { n => 3 }, 'X-User: eve')->{status}, 409,
   'so is the lock');
release();
is(finish($w)->{status}, 204, 'the write in flight ends well');
is(scalar(grep { ($_->{action} // '') eq 'conflict_unchecked' } conflicts()),
   0, 'nothing was unchecked');


=== room in the zone, by very many resources: only what is free is forgotten
--- http_config
    conflict_store small zone=32k;
    keepalive_requests 100000;
    upstream fast { server 127.0.0.1:$TEST_NGINX_PORT2; keepalive 16; }
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        default_type application/json;
        location / { return 200 '{}'; }
    }
--- config
    location / {
        conflict version store=small;
        conflict_user $http_x_user;
        conflict_wait 10ms;
        conflict_quarantine 1h;
        proxy_read_timeout 60s;
        proxy_pass http://api;
    }
    location /fast/ {
        conflict version store=small;
        proxy_http_version 1.1;
        proxy_set_header Connection '';
        proxy_pass http://fast;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict version store=small;
        conflict_user $http_x_user;
        conflict_lock get=off;
    }
    location = /status { conflict_status json; }
--- steps
set_doc("/plain/$_", { n => 1 }) for 'old', 'held', 'dirty', 'locked';

my $old = version(GET('/plain/old'));
my $token = json(lock('/plain/locked', 'X-User: ann'))->{lock}{token};
my $w = start('PUT', '/plain/held', body => { n => 2 },
              headers => ['X-Up-Write: hold apply']);
begun(1);
is(PUT('/plain/dirty', { n => 2 }, 'X-Up-Write: close')->{status}, 502,
   'one that nobody knows the end of');

# a hundred times as many as there is room for, a fifth of them written

my ($n, %count) = (0);

many(16, sub {
    return if $n++ >= 30000;
    return { method => $n % 5 ? 'GET' : 'PUT', uri => "/fast/$n",
             ($n % 5 ? () : (body => '{"n":1}')) };
}, sub { $count{ $_[1]{status} }++ });

is_deeply(\%count, { 200 => 30000 }, 'all are served');
cmp_ok(json(GET('/status'))->{stores}[0]{evicted}, '>', 29000,
       'and forgotten again');

is(json(PUT('/plain/held', { n => 3 }))->{error}, 'write_in_progress',
   'not the lease');
is(json(PUT('/plain/dirty', { n => 3 }))->{error}, 'outcome_unknown',
   'nor what is not known');
is(json(PUT('/plain/locked', { n => 3 }, 'X-User: eve'))->{error}, 'locked',
   'nor the lock');
is(PUT('/plain/locked', { n => 3 }, "Lock-Token: $token")->{status}, 204,
   'which holds for its holder');
is(PUT('/plain/old', { n => 3, base_version => $old })->{status}, 409,
   'what was forgotten is not believed');
is(scalar(grep { $_->{body} =~ /"n":3/ } journal()), 1, 'one write of all these');
is(error_log() =~ /is full/, '', 'it was never full');
release();
is(finish($w)->{status}, 204, 'the one in flight ends well');


=== turns: very many who wait for one resource
--- main_config
worker_rlimit_nofile 4096;
--- config
    location / {
        conflict version;
        conflict_wait 20s;
        proxy_read_timeout 30s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $first = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                  headers => ['X-Up-Write: hold apply']);
begun(1);

my @waiting = map { start('PUT', '/plain/1',
                          body => { n => $_, base_version => $v }) } 1 .. 200;

# meanwhile

for my $n (1 .. 20) {
    is(PUT("/plain/other$n", { n => $n })->{status}, 201, 'others are served');
}

is(GET('/plain/1')->{status}, 200, 'reads as well');
is(scalar(grep { IO::Select->new($_->{socket})->can_read(0) } @waiting), 0,
   'they still wait');

# half of them go away

close $_->{socket} for splice @waiting, 0, 100;
release();
is(finish($first)->{status}, 204, 'the first is done');

my %count;
$count{finish($_)->{status}}++ for @waiting;

is($count{409}, 100, 'each who has stayed is told');
is(scalar(grep { $_->{method} eq 'PUT' && $_->{target} eq '/plain/1' }
          seen()), 1, 'of all these the upstream saw one write');


=== bodies: what they cost does not stay
--- config
    location / {
        conflict version;
        conflict_max_body 16m;
        proxy_pass http://api;
    }
    location /plain/merge/ {
        conflict merge;
        conflict_field /at server;
        conflict_max_body 16m;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => 1 }) for 1, 'merge/1';

my $keys = join ',', map { qq("k$_":0) } 1 .. 1000000;
my %good = (
    'a million keys'    => "{$keys}",
    'a million digits'  => '{"n":' . '7' x 1000000 . '}',
    'a long exponent'   => '{"n":1e' . '9' x 1000000 . '}',
    'a long name'       => '{"' . 'n' x 1000000 . '":1}',
    'escapes'           => '{"n":"' . '\u0061' x 1000000 . '"}',
    'halves of pairs'   => '{"n":"' . '\udc00\ud800' x 80000 . '"}',
    'a million zeros'   => '[' . join(',', (0) x 1000000) . ']',
);

my %bad = (
    'open brackets'     => '[' x 1000000,
    'deep'              => '[' x 129 . ']' x 129,
    'a name at the end' => "{$keys,\"base_version\":1,\"base\\u005fversion\":1}",
    'UTF-16'            => join('', map { "$_\0" } split //, '{"n":1}'),
    'UTF-16 with BOM'   => "\xff\xfe" . join('', map { "$_\0" } split //, '{}'),
    'UTF-32'            => join('', map { "\0\0\0$_" } split //, '{"n":1}'),
    'overlong'          => "{\"a\xe0\x80\xaf\":1}",
    'beyond Unicode'    => "{\"a\":\"\xf4\x90\x80\x80\"}",
    'half a pair'       => "{\"a\":\"\xed\xb0\x80\"}",
    'two documents'     => '{"n":1}{"n":2}',
    'a comment'         => '{"n":1/*,"base_version":1*/}',
    'a comma'           => '{"n":1,}',
    'hex'               => '{"n":0x1f}',
    'infinity'          => '{"n":Infinity}',
);

# once to have what is needed, then many times

my $send = sub {
    my %sent;

    for my $name (sort keys %good) {
        my $r = http('PUT', '/plain/1', body => $good{$name});

        is($r->{status}, 204, $name);
        ok(upstream('/_doc?path=/plain/1') eq $good{$name},
           "$name: each byte of it");

        # merged, or refused where it has too many values; never past a rule

        $r = http('PUT', '/plain/merge/1', body => $good{$name});
        $sent{$r->{status}}++;
    }

    for my $name (sort keys %bad) {
        for my $path ('/plain/1', '/plain/merge/1') {
            is(http('PUT', $path, body => $bad{$name})->{status}, 400,
               "$name: $path");
        }
    }

    return \%sent;
};

my $sent = $send->();
my $before = memory();
my $writes = applied(0);

$send->() for 1 .. 3;

is(join(' ', sort keys %$sent), '204 413', 'under merge');

SKIP: {
    # t/check: the tools keep what was freed
    skip 'not an nginx as it is', 1 if $ENV{TEST_NGINX_LOAD_MODULES} eq '';
    cmp_ok(memory() - $before, '<', 30000, 'no memory is kept for them');
}

is(applied(0) - $writes, 3 * ((keys %good) + $sent->{204}),
   'nothing but what was good came to the upstream');


=== lines of the audit log have an end, and no body in them
--- config
    large_client_header_buffers 8 32k;
    location / {
        conflict version;
        conflict_entity $http_x_entity;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my $long = "\x01" x 8000;

for my $n (1 .. 3) {
    PUT("/plain/$n" . '%01' x 2500,
        { secret => 'x' x 10000, base_version => 'y' x 200 },
        "X-User: $long", "X-Client: $long", "X-Entity: $long",
        'If-Match: "' . 'z' x 8000 . '"');
}

my @lines = split /\n/, slurp(servroot() . '/logs/conflict.log');

is(scalar(@lines), 0, 'a base that cannot be read is no conflict');

for my $n (1 .. 3) {
    PUT("/plain/$n" . '%01' x 2500, { secret => 'x' x 10000 },
        "X-User: $long", "X-Client: $long", "X-Entity: $long",
        'If-Match: "' . 'z' x 8000 . '"');
}

@lines = split /\n/, slurp(servroot() . '/logs/conflict.log');

is(scalar(@lines), 3, 'a line each');
is(scalar(grep { length > 6 * 6 * 1024 + 1000 } @lines), 0, 'with an end');
is(scalar(grep { $_->{invalid} } conflicts()), 0, 'each is JSON');
is(scalar(grep { /xxxx/ } @lines), 0, 'and has no body');
