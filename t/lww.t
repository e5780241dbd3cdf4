# lww and client_wins: no write is refused, and each overwrite is logged.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== lww lets a stale write pass and logs it once
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 1, base_version => $v })->{status}, 204,
   'the first write');

my $r = PUT('/plain/1', { n => 2, base_version => $v }, 'X-Client: phone');

is($r->{status}, 204, 'the stale one passes');
like(header($r, 'Conflict'), qr/^overwrote;version=\d+;base=$v$/, 'the field');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 2, 'what came last is there');

my @log = conflicts();

is(scalar(@log), 1, 'one line');
is($log[0]{action}, 'conflict_lww', 'action');
is($log[0]{policy}, 'lww', 'policy');
is($log[0]{status}, 204, 'status of the upstream');
is($log[0]{base_version}, $v, 'base');
cmp_ok($log[0]{server_version}, '>', $v, 'the version that was overwritten');
cmp_ok($log[0]{server_version}, '<', version($r), 'not the new one');
is($log[0]{client_origin}, 'phone', 'the device');


=== what a stale part has left as it is the client has not seen
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict client_wins;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /assign/ {
        conflict lww;
        conflict_partial put;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/etag/1', '/assign/quiet/1') {
    set_doc($path, { a => 1, b => 1 });

    my ($tag) = header(GET($path), 'ETag') =~ /^"([^."]+)/;

    is(PUT($path, { a => 2, b => 1, base_version => $tag })->{status} / 100 | 0,
       2, "$path: another client");

    my $r = $path =~ /assign/ ? PUT($path, { b => 2, base_version => $tag })
                              : PATCH($path, { b => 2, base_version => $tag });

    like(header($r, 'Conflict'), qr/^overwrote/, 'a part');
    is(header($r, 'ETag'), undef, 'no tag for what it does not know');

    $r = PUT($path, { a => 1, b => 3, base_version => $tag });
    like(header($r, 'Conflict'), qr/^overwrote/, 'so the next one is stale');

    my $whole = $path !~ /assign/;
    is(defined header($r, 'ETag'), $whole, 'a whole document is known');
}

is(scalar(conflicts()), 6, 'and logged');

my $r = http('PATCH', '/etag/1', body => '{"b":4}',
             headers => ['Content-Type: application/x']);

is(header($r, 'Conflict'), 'unchecked', 'what was not compared with anything');
like(header($r, 'ETag'), qr/^"e/, 'has the tag of the API');


=== client_wins does the same under its own name
--- config
    location / {
        conflict client_wins;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 1, base_version => $v });

is(PUT('/plain/1', { n => 2 }, qq(If-Match: "$v"))->{status}, 204,
   'a stale If-Match passes');
is((conflicts())[0]{action}, 'conflict_client_wins', 'action');


=== writes that only wait their turn are no conflict
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
--- main_config
worker_rlimit_nofile 1024;
--- steps
set_doc('/plain/1', { id => 1 });

my @pending = map { start('PUT', '/plain/1', body => { n => $_ },
                          headers => ['X-Up-Write: sleep=0.02 apply']) } 1 .. 5;

is(join(' ', map { finish($_)->{status} } @pending), '204 204 204 204 204',
   'all pass');
is(scalar(conflicts()), 0, 'nothing is logged');


=== lww passes after conflict_wait, over a write that hangs
--- config
    location / {
        conflict lww;
        conflict_wait 50ms;
        conflict_quarantine 200ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $slow = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 204, 'the second does not wait for ever');
is(header($r, 'Conflict') =~ /^overwrote/ ? 1 : 0, 1, 'and says so');
unlike(header($r, 'Conflict'), qr/version=/,
       'its version is not claimed: the other may land after it');

release();
is(finish($slow)->{status}, 204, 'the first ends');
is((conflicts())[0]{action}, 'conflict_lww', 'a conflict');

my $w;

until_true { $w = version(GET('/plain/1')) };
cmp_ok($w, '>', $v, 'versions go on');
is(version(PUT('/plain/1', { n => 3 })) > $w, 1, 'and on');


=== without a store that can be asked lww passes unchecked, and says so
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
my $r = PUT('/plain/1', { base_version => 1 }, 'X-Up-Read: status=503');

is($r->{status}, 201, 'passes');
like(header($r, 'Conflict'), qr/^unchecked/, 'unchecked');
is((conflicts())[0]{action}, 'conflict_unchecked', 'and logged');


=== a body that cannot be read is left to the upstream
--- config
    location / {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
is(http('PUT', '/plain/1', body => '{"a":', headers => [])->{status}, 201,
   'malformed JSON');
is(PUT('/plain/1', { base_version => 'x' })->{status}, 204, 'a bad base');

my $r = PUT('/plain/1', 'xxx', 'Content-Type: application/json',
            'Content-Encoding: gzip');
is($r->{status}, 204, 'an encoded one');
is(header($r, 'Conflict'), 'unchecked', 'marked');
is(join(' ', map { $_->{action} } conflicts()), join(' ',
   ('conflict_unchecked') x 3), 'and each is logged');


=== a write that cannot be checked is sent once, too
--- http_config
    upstream two {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    conflict_store dead redis://127.0.0.1:1 timeout=100ms;
--- config
    location / {
        conflict lww store=dead;
        proxy_next_upstream error timeout http_500;
        proxy_pass http://two;
    }
--- steps
is(PUT('/plain/1', { n => 1 }, 'X-Up-Write: apply close')->{status}, 502,
   'its answer is lost');
is(scalar(journal()), 1, 'it was sent once');
