# Requests with an Idempotency-Key: carried out once, and answered alike.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();

my $n = 0;

# a new key, long enough for a caller without credentials

sub new_key { return sprintf 'key-%s-%016d', $$, ++$n }

# a POST with a key, and what the upstream is to do with it; without that it
# must not get the request

sub post {
    my ($path, $key, $body, $script, @headers) = @_;

    return finish(post_start(@_));
}

sub post_start {
    my ($path, $key, $body, $script, @headers) = @_;

    push @headers, "Idempotency-Key: $key" if defined $key;
    push @headers, 'X-Up-Write: ' . ($script // 'status=599');

    return start('POST', $path, body => $body, headers => \@headers);
}

# how many POSTs the upstream got, of a target or in all

sub posts {
    my ($target) = @_;

    return scalar grep { $_->{method} eq 'POST'
                         && $_->{target} eq ($target // $_->{target}) } seen();
}

sub replayed { return header($_[0], 'Idempotent-Replayed') // 'no' }

sub error_of { return $_[0]{body} =~ /^\{/ ? json($_[0])->{error} : undef }

run_tests();

__DATA__

=== a response is replayed
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        add_header X-Added $request_id;
        proxy_pass http://api;
    }
--- steps
my ($key, $before) = (new_key(), posts());

my $r = post('/plain/orders', $key, { item => 'lamp' },
             'apply status=201 body=20 header=Location:/plain/orders/1'
             . ' header=ETag:"e1" header=X-Own:a header=Set-Cookie:s=1'
             . ' header=Cache-Control:no-cache');
is($r->{status}, 201, 'created');
is(replayed($r), 'no', 'not replayed');
is(header($r, 'Conflict'), undef, 'nor checked');

my $again = post('/plain/orders', $key, { item => 'lamp' });
is($again->{status}, 201, 'the status');
is(replayed($again), 'true', 'is that of the first');
is(header($again, 'Conflict'), 'replayed', 'which Conflict says, too');
is($again->{body}, $r->{body}, 'so is the body');
is(header($again, $_), header($r, $_), "and $_")
    for 'Location', 'Content-Type', 'Content-Length', 'X-Own', 'ETag',
        'Cache-Control';
is(header($again, 'Set-Cookie'), undef, 'but no cookie');
isnt(header($again, 'X-Added'), header($r, 'X-Added'),
     'it passes the filters again');
is(posts() - $before, 1, 'it was sent once');

$r = post('/plain/orders', qq("$key"), { item => 'lamp' });
is(replayed($r), 'true', 'the key in quotes is the same');

$r = post('/plain/orders', new_key(), { item => 'lamp' }, 'apply status=201');
is(replayed($r), 'no', 'another key');
is(posts() - $before, 2, 'is another request');

$r = post('/plain/orders', undef, { item => 'lamp' }, 'apply status=201');
is($r->{status}, 201, 'without a key');
$r = post('/plain/orders', undef, { item => 'lamp' }, 'apply status=201');
is(posts() - $before, 4, 'each is sent');


=== a response that a later request can read
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        gzip on;
        gzip_min_length 0;
        gzip_types *;
        proxy_pass http://api;
    }
--- steps
for my $method (qw(POST PUT)) {
    my @request = ($method, '/plain/1', body => { n => 1 }, headers =>
        ['Idempotency-Key: ' . new_key(), 'Accept-Encoding: gzip',
         'X-Up-Write: status=200 body=20']);

    my $r = http(@request);
    is(header($r, 'Content-Encoding'), 'gzip', "$method: by nginx");

    my ($got) = grep { $_->{method} eq $method } reverse seen();
    is(scalar(grep { $_->[0] eq 'accept-encoding' } @{ $got->{headers} }), 0,
       'the API is not asked for it');

    $request[5] = [grep { !/^Accept-Encoding/ } @{ $request[5] }];
    $r = http(@request);
    is(replayed($r), 'true', 'replayed');
    is(header($r, 'Content-Encoding'), undef, 'as it is asked for now');
    unlike($r->{body}, qr{^\x1f\x8b}, 'and is not');
}


=== one request, with one body
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        conflict_max_body 1k;
        proxy_pass http://api;
    }
--- steps
my ($key, $before) = (new_key(), posts());

post('/plain/o', $key, { item => 'lamp' }, 'apply status=201');

my $r = post('/plain/o', $key, { item => 'desk' });
is($r->{status}, 422, 'other bytes');
is(error_of($r), 'idempotency_key_reused', 'the error');

is(post('/plain/p', $key, { item => 'desk' }, 'apply status=201')->{status},
   201, 'another target has keys of its own');
is(posts() - $before, 2, 'two requests');

my $big = { item => 'x' x 5000 };
$key = new_key();
post('/plain/o', $key, $big, 'apply status=201');
is(replayed(post('/plain/o', $key, $big)), 'true',
   'a body above conflict_max_body');
is(post('/plain/o', $key, { item => ('x' x 4999) . 'y' })->{status}, 422,
   'of which each byte counts');

$key = new_key();
my $none = http('POST', '/plain/o', headers => ["Idempotency-Key: $key",
                                               'X-Up-Write: apply status=201']);
is($none->{status}, 201, 'no body');
$none = http('POST', '/plain/o', headers => ["Idempotency-Key: $key"]);
is(replayed($none), 'true', 'is a body, too');


=== a field that makes a request one of another method
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
my $key = new_key();

for my $method ('PUT', 'DELETE') {
    my @sent = ('/plain/o', $key, {}, 'apply status=201',
                "X-HTTP-Method-Override: $method");

    is(replayed(post(@sent)), 'no', "$method has keys of its own");
    until_true { replayed(post(@sent)) eq 'true' };
}


=== malformed and missing keys
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /plain/required/ {
        conflict version;
        conflict_idempotency required ttl=1h;
        proxy_pass http://api;
    }
--- steps
my $before = posts();

for my $bad ('""', 'a b-and-more-than-twenty-c', 'a,b-and-more-than-twenty-c',
             'a\\b-and-more-than-twenty-c', '"a"b-and-more-than-twenty-c"',
             '"a\\b-and-more-than-twenty-c"', '"and-more-than-twenty-c\\"',
             'x' x 256, 'short-without-a-user')
{
    my $r = post('/plain/o', substr($bad, 0, 5) eq 'short' ? 'short' : $bad, {});
    is($r->{status}, 400, 'malformed: ' . substr $bad, 0, 12);
    is(error_of($r), 'malformed_idempotency_key', 'the error');
}

my $r = post('/plain/o', new_key(), {}, undef, 'Idempotency-Key: ' . new_key());
is($r->{status}, 400, 'two of them');

my $string = '"a \\"string\\", of RFC 9651 \\\\ ' . new_key() . '"';
is(post('/plain/o', $string, {}, 'apply status=201')->{status}, 201,
   'a string with spaces, a comma and escapes');
is(replayed(post('/plain/o', $string, {}, 'apply status=201')), 'true',
   'is a key');

$r = post('/plain/o', 'short', {}, 'apply status=201', 'Authorization: Bearer a');
is($r->{status}, 201, 'a short one of a known caller');

$r = post('/plain/required/o', undef, {});
is($r->{status}, 400, 'required');
is(error_of($r), 'idempotency_key_required', 'the error');
$r = http('PATCH', '/plain/required/1', body => {});
is($r->{status}, 400, 'of a PATCH as well');
is(PUT('/plain/required/1', { n => 1 })->{status}, 201, 'but not of a PUT');
is(post('/plain/required/o', new_key(), {}, 'apply status=201')->{status}, 201,
   'and given');
is(posts() - $before, 3, 'refused ones are not sent');


=== whose key it is
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /plain/users/ {
        conflict version;
        conflict_user $http_x_user;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
my ($key, $before) = (new_key(), posts());
my @ann = ('Authorization: Bearer ann');

post('/plain/o', $key, {}, 'apply status=201 body=7', @ann);

my $r = post('/plain/o', $key, {}, 'apply status=202', 'Authorization: Bearer bob');
is($r->{status}, 202, "another caller's key");
$r = post('/plain/o', $key, {}, 'apply status=202', 'Cookie: s=ann');
is($r->{status}, 202, 'by its cookie');
$r = post('/plain/o', $key, {}, 'apply status=202');
is($r->{status}, 202, 'or without credentials');
is(replayed(post('/plain/o', $key, {}, undef, @ann)), 'true', 'its own');
is(replayed(post('/plain/o', $key, {}, undef, 'authorization: Bearer ann')),
   'true', 'also as HTTP/2 names it');
is(posts() - $before, 4, 'four callers');

my @user = ('X-User: ann', @ann);
post('/plain/users/o', $key, {}, 'apply status=201 body=7', @user);
is(replayed(post('/plain/users/o', $key, {}, undef, @user)), 'true',
   'of a user');

$r = post('/plain/users/o', $key, {}, undef, 'X-User: ann',
          'Authorization: Bearer new');
is($r->{status}, 422, 'with another token');
unlike($r->{body}, qr/xxx/, 'the response is not shown');

$r = post('/plain/users/o', $key, {}, 'apply status=202', 'X-User: bob', @ann);
is($r->{status}, 202, 'another user');


=== while it is being carried out
--- config
    location / {
        conflict version;
        conflict_lease 1s;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /plain/clock/ {
        conflict version;
        conflict_idempotency on ttl=2s;
        proxy_pass http://api;
    }
--- steps
my ($key, $clock, $before) = (new_key(), new_key(), posts('/plain/o'));
my $first = post_start('/plain/o', $key, {}, 'hold apply status=201');
until_true { posts('/plain/o') > $before };

my $r = post('/plain/o', $key, {});
is($r->{status}, 409, 'the second waits');
is(error_of($r), 'request_in_progress', 'the error');
is(header($r, 'Retry-After'), 1, 'for a second');
is(post('/plain/o', $key, { n => 1 })->{status}, 422, 'with other bytes');

# two seconds later

post('/plain/clock/o', $clock, {}, 'status=201');
until_true { replayed(post('/plain/clock/o', $clock, {}, 'status=201'))
             eq 'no' };
is(error_of(post('/plain/o', $key, {})), 'request_in_progress',
   'the claim outlives its lease');

release();
is(finish($first)->{status}, 201, 'the first is answered');
until_true { replayed(post('/plain/o', $key, {})) eq 'true' };
is(posts('/plain/o') - $before, 1, 'it was sent once');


=== what was not carried out is carried out
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /dead/ {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://127.0.0.1:1;
    }
--- allow: connect\(\) failed|no live upstreams
--- steps
for my $status (400, 401, 403, 409, 422, 425, 429) {
    my ($key, $before) = (new_key(), posts());

    is(post('/plain/o', $key, {}, "status=$status")->{status}, $status,
       "refused with $status");
    until_true { post('/plain/o', $key, {}, 'status=201')->{status} == 201 };
    is(posts() - $before, 2, 'sent again');
}

my $key = new_key();
is(post('/dead/o', $key, {})->{status}, 502, 'nothing was sent');
until_true { error_of(post('/dead/o', $key, {})) // '' ne 'request_in_progress' };
is(post('/dead/o', $key, {})->{status}, 502, 'so it is tried again');

$key = new_key();
is(post('/plain/o', $key, {}, 'status=402')->{status}, 402, 'another 4xx');
my $r = post('/plain/o', $key, {});
is("$r->{status} " . replayed($r), '402 true', 'is a result');


=== what may have been carried out is not carried out again
--- config
    location / {
        conflict version;
        conflict_lease 300ms;
        conflict_idempotency on;
        proxy_read_timeout 300ms;
        proxy_pass http://api;
    }
--- allow: timed out|prematurely closed|reset by peer
--- steps
for my $script ('apply status=500', 'apply status=503', 'apply close',
                'apply reset', 'hold apply')
{
    my ($key, $before) = (new_key(), posts());

    cmp_ok(post('/plain/o', $key, {}, $script)->{status}, '>=', 500,
           "an error: $script");

    my $r;
    until_true {
        $r = post('/plain/o', $key, {});
        error_of($r) ne 'request_in_progress';
    };

    is($r->{status}, 409, 'not again');
    is(error_of($r), 'request_outcome_unknown', 'the error');
    is(header($r, 'Retry-After'), undef, 'final');
    is(posts() - $before, 1, 'it was sent once');
    release() if $script =~ /hold/;
}


=== a response that is not kept
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        conflict_max_body 1k;
        proxy_pass http://api;
    }
--- allow: prematurely closed
--- steps
for my $script ('apply status=201 body=2000',
                'apply status=201 body=2000 chunked')
{
    my ($key, $before) = (new_key(), posts());

    my $r = post('/plain/o', $key, {}, $script);
    is($r->{status}, 201, 'passed');
    cmp_ok(length $r->{body}, '>', 2000, 'whole');

    until_true {
        $r = post('/plain/o', $key, {});
        error_of($r) ne 'request_in_progress';
    };

    is($r->{status}, 409, 'not replayed');
    is(error_of($r), 'response_not_kept', 'the error');
    is(posts() - $before, 1, 'nor sent again');
}

my $key = new_key();
post('/plain/o', $key, {}, 'apply status=204');
my $r = post('/plain/o', $key, {});
is("$r->{status} " . replayed($r), '204 true', 'without a body');

$key = new_key();
post('/plain/o', $key, {}, 'apply status=201 body=500 chunked');
$r = post('/plain/o', $key, {});
is("$r->{status} " . replayed($r), '201 true', 'chunked');
is(length $r->{body}, 508, 'whole');


=== a response for which the zone has no room
--- http_config eval
$Conflict::Store eq 'shm' ? 'conflict_store default zone=1m blobs=256k;' : ''
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
my $key = new_key();
my $r = post('/plain/o', $key, {}, 'apply status=201 body=100000');
is($r->{status}, 201, 'passed');

until_true {
    $r = post('/plain/o', $key, {});
    (error_of($r) // '') ne 'request_in_progress';
};

# in Redis, this is up to its maxmemory

if ($Conflict::Store eq 'shm') {
    is(error_of($r), 'response_not_kept', 'it is known to be done');

} else {
    is(replayed($r), 'true', 'it is kept');
}

is(posts(), 1, 'and not sent again');


=== a page or a fallback in place of the response
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        client_max_body_size 100;
        proxy_intercept_errors on;
        error_page 413 =200 /pages/1;
        error_page 403 =200 /pages/1;
        error_page 500 /missing.html;
        error_page 502 = @next;
        proxy_pass http://api;
    }
    location @next {
        proxy_pass http://api;
    }
    location /dead/ {
        conflict version;
        conflict_idempotency on;
        error_page 502 =200 /pages/1;
        proxy_pass http://127.0.0.1:1;
    }
    location /pages/ {
        proxy_pass http://api;
    }
    location = /missing.html {
    }
--- allow: prematurely closed|No such file|connect\(\) failed|no live|too large
--- steps
set_doc('/pages/1', { page => 1 });

# an answer that is there once the first request has been settled

sub settled_post {
    my (@args) = @_;
    my $r;

    until_true {
        $r = post(@args);
        (error_of($r) // '') ne 'request_in_progress';
    };

    return $r;
}

for (['apply close', 'request_outcome_unknown'],
     ['apply status=500', 'request_outcome_unknown'],
     ['apply status=201 header=X-Accel-Redirect:/missing.html',
      'response_not_kept'])
{
    my ($script, $error) = @$_;
    my ($key, $before) = (new_key(), posts());

    isnt(post('/plain/o', $key, {}, $script)->{status}, 201, $script);
    my $r = settled_post('/plain/o', $key, {}, 'apply status=201');
    is(error_of($r), $error, 'is not carried out again');
    is(posts() - $before, 1, 'it was sent once');
}

my $key = new_key();
is(post('/plain/o', $key, {}, 'status=403')->{status}, 200, 'refused: a page');
is(settled_post('/plain/o', $key, {}, 'apply status=201')->{status}, 201,
   'is not the response to the key');

$key = new_key();
is(post('/dead/o', $key, {})->{status}, 200, 'nothing was sent: a page');
is(replayed(settled_post('/dead/o', $key, {})), 'no', 'nor is that');

$key = new_key();
for (1, 2) {
    my $r = http('POST', '/plain/o', chunked => 500, body => 'x' x 500,
                 headers => ["Idempotency-Key: $key"]);
    is("$r->{status} " . replayed($r), '200 no', 'a body above the limit');
}
is(settled_post('/plain/o', $key, {}, 'apply status=201')->{status}, 201,
   'has claimed no key');

set_doc('/plain/2', { n => 0 });
my @key = ('Idempotency-Key: ' . new_key());
is(PATCH('/plain/2', { n => 1 }, @key, 'X-Up-Write: apply close')->{status},
   503, 'a write, too');
my $r;
until_true {
    $r = PATCH('/plain/2', { n => 1 }, @key);
    error_of($r) ne 'request_in_progress';
};
is(error_of($r), 'request_outcome_unknown', 'is not carried out again');


=== a client that goes away
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
for my $size (9, 600000) {
    my ($key, $before) = (new_key(), posts());
    my $first = post_start('/plain/o', $key, {},
                           "hold apply status=201 body=$size");
    until_true { posts() > $before };
    close $first->{socket};
    release();

    my $r;
    until_true {
        $r = post('/plain/o', $key, {});
        (error_of($r) // '') ne 'request_in_progress';
    };

    is($r->{status}, 201, 'the response was awaited, and kept');
    is(replayed($r), 'true', 'by the module');
    is(length $r->{body}, $size + 8, 'whole');
    is(posts() - $before, 1, 'sent once');
}


=== a worker that is killed
--- config
    location / {
        conflict version;
        conflict_lease 300ms;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- allow: exited on signal 9
--- steps
my ($key, $before) = (new_key(), posts());
my $first = post_start('/plain/o', $key, {}, 'hold apply status=201');
until_true { posts() > $before };
kill 'KILL', workers_of(master_pid());
finish($first);
release();

my $r;
until_true {
    $r = post('/plain/o', $key, {});
    (error_of($r) // '') eq 'request_outcome_unknown';
};

is($r->{status}, 409, 'its outcome is unknown');
is(posts() - $before, 1, 'not sent again');


=== guarded writes
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });

my ($v, $key) = (version(GET('/plain/1')), new_key());
my @key = ("Idempotency-Key: $key");

my $r = PUT('/plain/1', { n => 1, base_version => $v }, @key);
is($r->{status}, 204, 'written');
my $new = header($r, 'ETag');

PUT('/plain/1', { n => 2, base_version => version($r) });

$r = PUT('/plain/1', { n => 1, base_version => $v }, @key);
is($r->{status}, 204, 'its own response');
is(replayed($r), 'true', 'although the base is stale by now');
is(header($r, 'ETag'), $new, 'with the version that it made');
like(header($r, 'Conflict'), qr/^replayed/, 'and not checked again');

$key[0] = 'Idempotency-Key: ' . new_key();
$r = PUT('/plain/1', { n => 3, base_version => $v }, @key);
is($r->{status}, 409, 'a stale write is refused');
is(error_of($r), 'version_conflict', 'by its base');

my $current = json($r)->{version};
$r = PUT('/plain/1', { n => 3, base_version => $current }, @key);
is($r->{status}, 204, 'and may use its key again');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 3, 'written');
is(scalar(grep { $_->{path} eq '/plain/1' } journal()), 3, 'three writes');


=== a guarded write of unknown outcome is checked by its base
--- config
    location / {
        conflict version;
        conflict_quarantine 300ms;
        conflict_wait 20ms;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww;
        conflict_quarantine 300ms;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- allow: prematurely closed
--- steps
set_doc("/plain/$_", { n => 0 }) for 1, 2, 'lww/1';

my $r;

for (['/plain/1', 'apply close', 200], ['/plain/2', 'close', 204]) {
    my ($path, $script, $status) = @$_;
    my $v = version(GET($path));
    my @key = ('Idempotency-Key: ' . main::new_key());

    is(PUT($path, { n => 1, base_version => $v }, @key,
           "X-Up-Write: $script")->{status}, 502, "lost: $script");

    until_true {
        $r = PUT($path, { n => 1, base_version => $v }, @key);
        $r->{status} != 503;
    };

    is($r->{status}, $status, 'it is found out');
    is(json(upstream("/_doc?path=$path"))->{n}, 1, 'and done');
    is(scalar(grep { $_->{path} eq $path } journal()), 1, 'once');
}

my @key = ('Idempotency-Key: ' . new_key());
my $v = version(GET('/plain/lww/1'));
PUT('/plain/lww/1', { n => 1, base_version => $v }, @key,
    'X-Up-Write: apply close');
$r = PUT('/plain/lww/1', { n => 1, base_version => $v }, @key);
is($r->{status}, 409, 'where a stale write passes');
is(error_of($r), 'request_outcome_unknown', 'it is not sent again');


=== a guarded write of unknown outcome without a version
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- allow: prematurely closed
--- steps
set_doc('/plain/1', { n => 0 });

for my $base ('If-Match: *', 'If-None-Match: "other"') {
    my @key = ('Idempotency-Key: ' . new_key(), $base);
    my $before = grep { $_->{path} eq '/plain/1' } journal();
    my $r;

    PATCH('/plain/1', { n => 1 }, @key, 'X-Up-Write: apply status=500');

    until_true {
        $r = PATCH('/plain/1', { n => 1 }, @key);
        (error_of($r) // '') ne 'request_in_progress' && $r->{status} != 503;
    };

    is(error_of($r), 'request_outcome_unknown', "$base does not tell");
    is((grep { $_->{path} eq '/plain/1' } journal()) - $before, 1,
       'it was sent once');
}


=== report mode
--- config
    location / {
        conflict version report;
        conflict_max_body 1k;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });
my @key = ('Idempotency-Key: ' . new_key());
my $r;

is(PUT('/plain/1', { n => 'x' x 2000 }, @key)->{status}, 204, 'a large body');

until_true {
    $r = PUT('/plain/1', { n => 'y' x 2000 }, @key);
    (error_of($r) // '') ne 'request_in_progress';
};
is(error_of($r), 'idempotency_key_reused', 'of which each byte counts');

is(replayed(PUT('/plain/1', { n => 'x' x 2000 }, @key)), 'true', 'replayed');


=== a store that is down
--- http_config
    conflict_store down redis://127.0.0.1:1 timeout=100ms;
--- config
    location / {
        conflict version store=down;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /plain/pass/ {
        conflict version store=down;
        conflict_store_error pass;
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- allow: conflict store
--- steps
my $before = posts();
my $r = post('/plain/o', new_key(), {});
is($r->{status}, 503, 'refused');
is(error_of($r), 'store_unavailable', 'the error');
is(posts() - $before, 0, 'not sent');

my $key = new_key();
is(post('/plain/pass/o', $key, {}, 'apply status=201')->{status}, 201, 'sent');
is(post('/plain/pass/o', $key, {}, 'apply status=201')->{status}, 201,
   'each time');
is(posts() - $before, 2, 'as without a key');


=== after a ttl
--- config
    location / {
        conflict version;
        conflict_idempotency on ttl=1s;
        proxy_pass http://api;
    }
--- steps
my ($key, $before) = (new_key(), posts());
post('/plain/o', $key, {}, 'apply status=201');

until_true { replayed(post('/plain/o', $key, {}, 'status=201')) eq 'no' };
is(posts() - $before, 2, 'it is carried out again');


=== a location without the directive
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my ($key, $before) = (new_key(), posts());
post('/plain/o', $key, {}, 'apply status=201') for 1, 2;
is(posts() - $before, 2, 'sends each');


=== a request without a resource, as conflict_key has none
--- http_config
    map $uri $note {
        ~^/plain/(?<n>\d+)$ note:$n;
        default '';
    }
--- config
    location / {
        conflict version;
        conflict_key $note;
        conflict_idempotency required;
        conflict_lease 300ms;
        proxy_pass http://api;
    }
    location = /status { conflict_status json; }
--- steps
my $made = 'apply status=201 header=ETag:"e1"';

for my $method ('POST', 'PUT', 'PATCH') {
    my ($key, $before) = (new_key(), scalar seen());

    my @r = map { http($method, '/plain/notes', body => { text => 'milk' },
                       headers => ["Idempotency-Key: $key",
                                   "X-Up-Write: $made"]) } 1 .. 3;

    is(seen() - $before, 1, "$method: sent once");
    is(join(' ', map { $_->{status} } @r), '201 201 201', 'and answered');
    is(join(' ', map { replayed($_) } @r), 'no true true', 'alike');
    is(header($r[0], 'Conflict'), $method eq 'POST' ? undef : 'unchecked',
       'it is not guarded');
    is(header($r[$_], 'ETag'), '"e1"', 'so the tag is that of the API')
        for 0, 1;

    is(error_of(http($method, '/plain/notes', body => { text => 'tea' },
                     headers => ["Idempotency-Key: $key"])),
       'idempotency_key_reused', 'other bytes');
}

is(error_of(post('/plain/notes', undef, {})), 'idempotency_key_required',
   'it needs a key');

my ($key, $before) = (new_key(), posts());

is(post('/plain/notes', $key, {}, 'status=422')->{status}, 422, 'refused');
is(post('/plain/notes', $key, {}, 'apply status=500')->{status}, 500,
   'is carried out, with an error');
is(error_of(post('/plain/notes', $key, {})), 'request_outcome_unknown',
   'which is not done again');
is(posts() - $before, 2, 'sent twice');

# the one with an error; the others have created something, or done nothing

my $counted;

until_true {
    $counted = json(http('GET', '/status'))->{totals}{not_checked};
    $counted->{unguarded} > 0;
};
is("$counted->{unguarded} $counted->{unchecked}", '1 0', 'counted');

is(PUT('/plain/1', { n => 1 })->{status}, 201, 'what has a resource');
like(header(GET('/plain/1'), 'Conflict'), qr/^passed;version=\d+$/,
     'is guarded');


=== a resource that is known only where the request is led to
--- config
    conflict_idempotency on;
    conflict_key $note;
    set $note '';

    location / {
        conflict version;
        try_files /none @api;
    }
    location /dead/ {
        conflict version;
        error_page 502 = @api;
        proxy_pass http://127.0.0.1:1;
    }
    location /static/ {
        conflict version;
        error_page 404 405 = @api;
        root html;
    }
    location /front/ {
        conflict version;
        proxy_set_header X-Up-Write "status=200 header=X-Accel-Redirect:@api";
        proxy_pass http://api;
    }
    location /open/ {
        conflict version;
        try_files /none @open;
    }
    location @api {
        conflict version;
        set $note $uri;
        proxy_set_header X-Up-Write $http_x_then;
        proxy_pass http://api;
    }
    location @open {
        conflict off;
        proxy_pass http://api;
    }
--- allow: connect\(\) failed|no live upstreams
--- steps
for my $path (map { "$_/1" } '/plain', '/dead', '/static', '/front') {
    set_doc($path, { n => 1 });

    my ($key, $other, $third) = map { 'Idempotency-Key: ' . new_key() } 1 .. 3;
    my $r = PUT($path, { n => 2 }, 'X-Then: apply');
    my $v = version($r);
    like($v, qr/^\d+$/, "$path: a version");

    my $before = () = journal();
    my @stale = ($path, { n => 3, base_version => $v });
    is(PUT($path, { n => 4, base_version => $v })->{status}, 204, 'changed');
    is(PUT(@stale)->{status}, 409, 'a stale write');
    is(PUT(@stale, $key)->{status}, 409, 'is refused with a key, too');
    is((() = journal()) - $before, 1, 'and not sent');

    $v = json(PUT(@stale))->{version};
    my @write = ($path, { n => 5, base_version => $v }, $other);
    $r = PUT(@write);
    is(replayed($r), 'no', 'with the latest version it passes');
    is(replayed(PUT(@write)), 'true', 'once');
    is((() = journal()) - $before, 2, 'indeed');

    # what the API refuses may have been done by what has led to it

    @write = ($path, { n => 6, base_version => version($r) }, $third);
    is(PUT(@write, 'X-Then: status=422')->{status}, 422, 'refused');
    is(error_of(PUT(@write)) // '',
       $path =~ /static|front/ ? 'request_outcome_unknown' : '', 'sent again');
}

# one that is not guarded there either

my ($key, $before) = (new_key(), posts());
is(replayed(post('/open/o', $key, {}, 'apply status=201')), 'no', 'sent');
is(replayed(post('/open/o', $key, {})), 'true', 'once');
is(posts() - $before, 1, 'indeed');
