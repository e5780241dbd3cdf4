# conflict_inbox: bodies that lost a conflict are held, and their authors see
# and resolve them later.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Inbox;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

add_block_preprocessor(\&configure);

run_tests();

__DATA__

=== a refused body is held, shown to its author alone, and resolved
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann');
is(PUT('/plain/1', { n => 2, base_version => $old }, bob())->{status}, 204,
   'bob is first');

my $r = PUT('/plain/1', { n => 3, base_version => $old }, ann());
is($r->{status}, 409, 'ann is too late');

my $v = json($r)->{version};
my $id = json($r)->{held};
like($id, qr/^[0-9a-f]{32}$/, 'her body is held');
is(header($r, 'Conflict'), "rejected;version=$v;base=$old;held=\"$id\"",
   'as the field says');

# the list

my @items = inbox(ann());
is(scalar @items, 1, 'one item');

my $item = $items[0];
is($item->{id}, $id, 'its id');
is("$item->{kind} $item->{method} $item->{resource} $item->{target}",
   'refused PUT /plain/1 /plain/1', 'what it is');
is("$item->{route} $item->{user} $item->{client}", '/ ann laptop', 'whose');
is("$item->{base_version} $item->{version}", "$old $v", 'on what');
is($item->{content_type}, 'application/json', 'its type');
is($item->{conflict_id}, json($r)->{conflict_id}, 'as in the log');
like($item->{held_at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'since when');
cmp_ok($item->{expires_in}, '<=', 7 * 86400, 'until when');

my $raw = http('GET', '/inbox', headers => [ann()]);
is(header($raw, 'Cache-Control'), 'no-store', 'not to be stored');
unlike($raw->{body}, qr/"n"/, 'no bodies in a list');
is($item->{size}, length JSON::PP->new->canonical->encode(
       { n => 3, base_version => $old }), 'but their size');

is_deeply([inbox(bob())], [], 'not in the list of bob');
is_deeply([inbox()], [], 'nor in that of nobody');

# the item

my $shown = item($id, ann());
is($shown->{mine}{n}, 3, 'mine');
is($shown->{theirs}{n}, 2, 'theirs');
is($shown->{version}, $v, 'its version');
is($shown->{base}, undef, 'no base');
is($shown->{base_omitted}, 'unknown', 'as it is unknown');
is($shown->{item}{id}, $id, 'described');

for my $who ([bob()], []) {
    is(show($id, @$who)->{status}, 404, 'not for others');
    is(take($id, 'mine', "If-Match: \"$v\"", @$who)->{status}, 404, 'no write');
    is(discard($id, @$who)->{status}, 404, 'no removal');
}

is(json(show($id, bob()))->{error}, 'held_not_found', 'as one that is not');
is(json(show('0' x 32, ann()))->{error}, 'held_not_found', 'like this');

# resolved with what was held

my $n = journal();
$r = take($id, 'mine', "If-Match: \"$v\"", ann());
is($r->{status}, 204, 'written');
like(header($r, 'Conflict'), qr/^passed;version=\d+$/, 'checked');

my @w = journal();
is(scalar @w, $n + 1, 'one write');
is("$w[-1]{method} $w[-1]{path}", 'PUT /plain/1', 'of the resource');
is(json($w[-1]{body})->{n}, 3, 'her body');
is(json(GET('/plain/1'))->{n}, 3, 'so it is');

until_true { !inbox(ann()) };
is(scalar(() = inbox(ann())), 0, 'and no longer in the inbox');
is(show($id, ann())->{status}, 404, 'nor anywhere');


=== a newer change makes it a conflict again, and nothing is lost
--- steps
my ($id, $v) = refused('/plain/1', ann());

is(PUT('/plain/1', { n => 4, base_version => $v }, bob())->{status}, 204,
   'bob writes on');

my $r = take($id, 'mine', "If-Match: \"$v\"", ann());
is($r->{status}, 409, 'refused');
is(json($r)->{held}, $id, 'by the 409 it is still held');
is(json($r)->{server_version}{n}, 4, 'with what is there now');
like(header($r, 'Conflict'), qr/;held="$id"/, 'and by the field');
is(scalar(() = inbox(ann())), 1, 'as one item');

my $shown = item($id, ann());
is($shown->{theirs}{n}, 4, 'shown again');
isnt($shown->{version}, $v, 'with another version');

# merged by the person

$r = merged($id, { n => 5, m => 1 }, "If-Match: \"$v\"", ann());
is($r->{status}, 409, 'not on the old version');
$r = merged($id, { n => 5, m => 1 }, "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 204, 'on the one that was shown');
is_deeply(json(GET('/plain/1')), { n => 5, m => 1 }, 'the merged body');
until_true { !inbox(ann()) };
is(scalar(() = inbox(ann())), 0, 'resolved');


=== twice at once: written once
--- steps
my ($id, $v) = refused('/plain/1', ann());
my $n = journal();
my $uri = "/inbox?id=$id&take=mine";
my @match = ("If-Match: \"$v\"", ann());

my $one = start('POST', $uri, headers => [@match, 'X-Up-Write: hold apply']);
until_true { grep { $_->{method} eq 'PUT' && json($_->{body})->{n} == 3 }
             seen() };
my $two = start('POST', $uri, headers => [@match]);

# the second one waits for the first, or finds it done

release();

my ($first, $second) = map { finish($_) } $one, $two;

is($first->{status}, 204, 'written');
like(header($second, 'Conflict') // '', qr/^(replayed|rejected|$)/,
     'the other one is not');
is(scalar(() = journal()), $n + 1, 'once');
until_true { !inbox(ann()) };
is(scalar(() = inbox(ann())), 0, 'and resolved');
is(show($id, ann())->{status}, 404, 'gone');


=== taken theirs, or discarded
--- steps
my ($a) = refused('/plain/1', ann());
my ($b) = refused('/plain/2', ann());
my $n = journal();

is(take($a, 'theirs', ann())->{status}, 204, 'theirs');
is(show($a, ann())->{status}, 404, 'gone');
is(discard($b, ann())->{status}, 204, 'discarded');
is(discard($b, ann())->{status}, 404, 'once');
is(scalar(() = inbox(ann())), 0, 'nothing is left');
is(scalar(() = journal()), $n, 'and nothing was written');


=== a write that fails leaves it
--- steps
my ($id, $v) = refused('/plain/1', ann());
my @match = ("If-Match: \"$v\"", ann());

is(take($id, 'mine', @match, 'X-Up-Write: status=422')->{status}, 422,
   'the API refuses it');
is(scalar(() = inbox(ann())), 1, 'held');
is(take($id, 'mine', @match, 'X-Up-Write: status=202')->{status}, 202,
   'or has only accepted it');
is(scalar(() = inbox(ann())), 1, 'held');

# the state of the resource is unknown then, until a GET

$v = item($id, ann())->{version} || version(GET('/plain/1', ann()));
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'now');
until_true { !inbox(ann()) };
is(scalar(() = inbox(ann())), 0, 'resolved');


=== without a user the id is the key
--- steps
my ($id, $v) = refused('/plain/1');

is(scalar(() = inbox()), 0, 'in no list');
is(scalar(() = inbox(ann())), 0, 'of nobody');
is(item($id)->{mine}{n}, 3, 'who has the id sees it');
is(item($id, ann())->{mine}{n}, 3, 'whoever it is');
is(take($id, 'mine', "If-Match: \"$v\"")->{status}, 204, 'and resolves it');
until_true { show($id)->{status} == 404 };
is(show($id)->{status}, 404, 'once');


=== what the resource shows is for those who may see it
--- steps
my @reader = (ann(), 'Authorization: Bearer reader');

set_doc('/auth/1', { n => 1 });
my $old = version(GET('/auth/1', @reader));
PUT('/auth/1', { n => 2, base_version => $old }, bob(),
    'Authorization: Bearer reader');
my $r = PUT('/auth/1', { n => 3, base_version => $old }, @reader);
my $id = json($r)->{held};

my $shown = item($id, @reader);
is($shown->{theirs}{n}, 2, 'with credentials');

$shown = item($id, ann(), 'Authorization: Bearer other');
is($shown->{mine}{n}, 3, 'her own body is hers');
is($shown->{theirs}, undef, 'with others not theirs');
is($shown->{theirs_omitted}, 'forbidden', 'as a GET is 403');
is($shown->{version}, undef, 'nor its version');

$r = show($id, ann());
is($r->{status}, 401, 'a 401 is passed on');
unlike($r->{body}, qr/"n"/, 'and shows nothing');

is(DELETE('/auth/1', bob(), 'Authorization: Bearer reader')->{status}, 204,
   'a DELETE');
$shown = item($id, @reader);
is($shown->{theirs}, undef, 'deleted');
is($shown->{deleted}, JSON::PP::true, 'as it says');
is($shown->{version}, undef, 'so it has no version');

$r = take($id, 'mine', 'If-None-Match: *', @reader);
is($r->{status}, 201, 'made again');
is(json((journal())[-1]{body})->{n}, 3, 'from what was held');
is(json((journal())[-1]{body})->{base_version}, undef, 'without its base');

my ($other) = refused('/plain/1', ann());
is(item($other, ann(), 'X-Up-Read: status=500')->{theirs_omitted},
   'unavailable', 'a GET that fails');
is(item($other, ann(), 'X-Up-Read: status=500')->{mine}{n}, 3, 'mine is there');


=== administrators see all
--- steps
my ($a) = refused('/plain/1', ann());
my ($b) = refused('/plain/2', bob());
my ($c, $v) = refused('/plain/3');

my @all = map { $_->{id} } inbox_of('/admin');
is_deeply(\@all, [$c, $b, $a], 'newest first');

@all = map { $_->{id} } inbox_of('/admin?resource=/plain/2');
is_deeply(\@all, [$b], 'of a resource');
@all = map { $_->{id} } inbox_of('/admin?resource=%2Fplain%2F2&route=/');
is_deeply(\@all, [$b], 'and a route');
is_deeply([inbox_of('/admin?route=/other')], [], 'of another one');

is(json(http('GET', "/admin?id=$a"))->{mine}{n}, 3, 'with its body');
is(http('DELETE', "/admin?id=$a")->{status}, 204, 'discarded');
is(http('POST', "/admin?id=$c&take=mine", headers => ["If-Match: \"$v\""])
   ->{status}, 204, 'resolved');
until_true { inbox_of('/admin') == 1 };
@all = map { $_->{id} } inbox_of('/admin');
is_deeply(\@all, [$b], 'what is left');

# pages

my @ids = ($b);
unshift @ids, (refused("/plain/$_", ann()))[0] for 4 .. 6;

my ($before, @found) = ('');

do {
    my $page = json(http('GET', "/admin?limit=2$before"));
    push @found, map { $_->{id} } @{ $page->{items} };
    $before = $page->{next} ? "&before=$page->{next}" : undef;
} while ($before);

is_deeply(\@found, \@ids, 'page by page');


=== each server has users of its own
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        server_name other;
        conflict_user $http_x_user;
        location / { conflict version hold; proxy_pass http://api; }
        location = /inbox { conflict_inbox; }
        location = /admin { conflict_inbox all; }
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        server_name localhost;
        conflict_user $http_x_user;
        location / { conflict version hold; proxy_pass http://api; }
        location = /inbox { conflict_inbox; }
    }
--- steps
my ($id, $v) = refused('/plain/1', ann());
my $nobody = refused_by('/plain/2');

my @there = (port => $ENV{TEST_NGINX_PORT2});
my @ann = (headers => [ann(), "If-Match: \"$v\""]);

is_deeply(json(http('GET', '/inbox', @there, @ann))->{items}, [],
          'ann of another server has no items');

for my $item ($id, $nobody) {
    my $uri = "/inbox?id=$item";

    for ('GET', 'HEAD', 'DELETE') {
        is(http($_, $uri, @there, @ann)->{status}, 404, "there is none: $_");
    }

    for ('mine', 'theirs', 'merged') {
        my $r = http('POST', "$uri&take=$_", body => {}, @there, @ann);

        is($r->{status}, 404, "nor is it resolved: $_");
        is(json($r)->{detail}, undef, 'nor told that it exists');
    }
}

# what one has lost does not evict what the other has

for my $port (undef, $ENV{TEST_NGINX_PORT2}) {
    my @here = defined $port ? (port => $port) : ();

    for my $n (1 .. 9) {
        http('PUT', '/plain/3', @here, headers => [ann()],
             body => { n => $n, base_version => 1 });
    }
}

is(scalar(inbox_of('/inbox?resource=/plain/3', ann())), 9,
   'a path is another resource there');

my @all = grep { $_->{resource} eq '/plain/3' }
          @{ json(http('GET', '/admin?limit=100', @there))->{items} };
is(scalar @all, 18, 'administrators see all');

is(http('POST', "/admin?id=$id&take=mine", @there, @ann)->{status}, 404,
   'but resolve those of their server');

# a block with the same name is the same server

my @same = (port => $ENV{TEST_NGINX_FCGI_PORT});

is(json(http('GET', "/inbox?id=$id", @same, @ann))->{theirs}{n}, 2,
   'the same API at another port');
is(http('POST', "/inbox?id=$id&take=mine", @same, @ann)->{status}, 204,
   'which resolves it');


=== hostile requests
--- allow: client sent invalid chunked body
--- steps
my ($id, $v) = refused('/plain/1', ann());
my $n = journal();

for my $bad ('x', "$id$id", uc $id, '..%2f' x 8, "$id%00", '') {
    is(show($bad, ann())->{status}, 400, "id '$bad'");
}

is(json(show('x', ann()))->{error}, 'malformed_request', 'why');
is(json(show('x', ann()))->{detail},
   '"id" must have the 32 digits of "held", or of a list', 'which');
is(json(http('GET', '/inbox?limit=0', headers => [ann()]))->{detail},
   '"limit" must be a number from 1 to 100', 'and what it may be');
is(http('DELETE', '/inbox', headers => [ann()])->{status}, 400, 'no id');
is(http('POST', '/inbox', headers => [ann()])->{status}, 400, 'nor here');
is(http('GET', "/inbox?$_", headers => [ann()])->{status}, 400, $_)
    for qw(limit=0 limit=101 limit=x limit=-1 before=x before=0
           before=99999999999999999999);

is(take($id, $_, "If-Match: \"$v\"", ann())->{status}, 400, "take=$_")
    for 'yours', '', 'mine%00', 'MINE';
is(http('POST', "/inbox?id=$id", headers => [ann()])->{status}, 400, 'none');

is(take($id, 'mine', ann())->{status}, 428, 'no If-Match');
is(take($id, 'mine', "If-Match: $_", ann())->{status}, 428, "If-Match: $_")
    for '*', '""', "\"$v\", \"1\"", 'x y';
is(take($id, 'mine', 'If-None-Match: "1"', ann())->{status}, 428,
   'If-None-Match');
is(take($id, 'mine', "If-Match: \"$v\"", 'If-None-Match: *', ann())->{status},
   428, 'both');
is(merged($id, '', "If-Match: \"$v\"", ann())->{status}, 400, 'no body');
is(merged($id, 'x' x 1100000, "If-Match: \"$v\"", ann())->{status}, 413,
   'too large');
is(http('POST', "/inbox?id=$id&take=merged", body => '"' . 'x' x 1100000 . '"',
        chunked => 65536, headers => ["If-Match: \"$v\"", ann()])->{status},
   413, 'too large, chunked');

for my $method (qw(PUT PATCH MOVE PROPFIND TRACE)) {
    my $r = http($method, "/inbox?id=$id", headers => [ann()]);
    is($r->{status}, 405, $method);
}

my $r = http('PUT', '/inbox', headers => [ann()]);
is(json($r)->{error}, 'method_not_allowed', 'why');
is(header($r, 'Allow'), 'GET, HEAD, POST, DELETE, OPTIONS', 'what is');

$r = http('OPTIONS', '/inbox', headers => [bob()]);
is($r->{status}, 204, 'OPTIONS');
is(header($r, 'Allow'), 'GET, HEAD, POST, DELETE, OPTIONS', 'the same');

$r = HEAD("/inbox?id=$id", ann());
is($r->{status}, 200, 'HEAD');
is($r->{body}, '', 'without a body');
cmp_ok(header($r, 'Content-Length'), '>', 400, 'but its length');
is(HEAD('/inbox', ann())->{status}, 200, 'HEAD of a list');
is(http('GET', '/inbox', headers => [ann(),
        "Transfer-Encoding: chunked\r\n\r\nzz"])->{status}, 400,
   'a GET with a body that is none');

is(scalar(() = journal()), $n, 'nothing was written');
is(scalar(() = inbox(ann())), 1, 'nor lost');

# names with any bytes

$r = refused_by('/plain/2', "X-User: a\xff\"\\<b>", 'X-Client: ' . 'c' x 3000);
my ($item) = inbox("X-User: a\xff\"\\<b>");
is($item->{id}, $r, 'in the list of its user');
is(scalar(() = inbox("X-User: a\xfe\"\\<b>")), 0, 'not of a similar one');


=== the target as it was sent
--- steps
my $path = '/plain/a%2Fb%20c?view=%26x';
my $old = version(GET($path, ann()));

set_doc('/plain/a%2Fb%20c', { n => 1 });
$old = version(GET($path, ann()));
is(PUT($path, { n => 2, base_version => $old })->{status}, 204, 'first');

my $r = PUT($path, { n => 3, base_version => $old }, ann());
my $id = json($r)->{held};
is((inbox(ann()))[0]{target}, $path, 'kept');

my $shown = item($id, ann());
is((grep { $_->{method} eq 'GET' } seen())[-1]{target}, $path, 'for the GET');
is($shown->{theirs}{n}, 2, 'which shows it');

$r = take($id, 'mine', "If-Match: \"$shown->{version}\"", ann(),
          'X-Extra: 1');
is($r->{status}, 204, 'written');
is((grep { $_->{method} eq 'PUT' } seen())[-1]{target}, $path,
   'for the write');


=== an access rule of the location decides again
--- more
    location /closed/ {
        conflict version hold;
        if ($http_x_deny) { return 403; }
        rewrite ^/closed(/.*)$ $1 break;
        proxy_pass http://api;
    }
    location = /copy {
        internal;
        proxy_pass http://api/plain/copied;
    }
--- allow: a held body was not written
--- steps
set_doc('/plain/1', { n => 1 });
my $old = version(GET('/closed/plain/1', ann()));
PUT('/closed/plain/1', { n => 2, base_version => $old });
my $r = PUT('/closed/plain/1', { n => 3, base_version => $old }, ann());
my $v = json($r)->{version};
my $id = json($r)->{held};
my $n = journal();

is(take($id, 'mine', "If-Match: \"$v\"", ann(), 'X-Deny: 1')->{status}, 403,
   'denied');
is(scalar(() = journal()), $n, 'and not written');
is(scalar(() = inbox(ann())), 1, 'held');

# a location that is not guarded any more

edit_conf('location /closed/ \{\s+conflict version hold;',
          'location /closed/ { conflict off; mirror /copy;');
reload();
$r = take($id, 'mine', "If-Match: \"$v\"", ann());
is($r->{status}, 404, 'not written unguarded');
is(scalar(() = journal()), $n, 'indeed');

# nor is it mirrored there, as other writes are

sub copies { grep { $_->{target} eq '/plain/copied' } seen() }

PUT('/closed/plain/2', { n => 'open' }, 'X-Up-Write: status=200');
until_true { copies() };
is(join(' ', map { $_->{body} } copies()), '{"n":"open"}', 'nor mirrored');
is(item($id, ann())->{theirs_omitted}, 'unavailable', 'shown without theirs');
is(item($id, ann())->{mine}{n}, 3, 'but with mine: a reload loses nothing');

edit_conf('location /closed/ \{ conflict off; mirror /copy;',
          'location /closed/ { internal; conflict version hold;');
reload();
until_true { $r = take($id, 'mine', "If-Match: \"$v\"", ann());
             $r->{status} != 503 } 40;
is($r->{status}, 404, 'internal');
is(scalar(() = journal()), $n, 'not written');

edit_conf('internal; conflict version hold;', 'conflict version hold;');
reload();

# what was written meanwhile is not known, so the store is closed for a while

until_true { $v = item($id, ann())->{version}
                  || version(GET('/closed/plain/1', ann())) } 40;
$r = take($id, 'mine', "If-Match: \"$v\"", ann());
is($r->{status}, 204, 'guarded again');


=== a location that leads to the guarded one
--- more
    location /plain/ {
        root html;
        try_files $uri @api;
    }
    location @api {
        conflict version hold;
        proxy_pass http://api;
    }
    location @open {
        proxy_pass http://api;
    }
--- allow: a held body was not written
--- steps
my ($id, $v) = refused('/plain/1', ann());
my $n = journal();

# to one that is not guarded, and to a file

edit_conf('try_files \$uri \@api', 'try_files $uri @open');
reload();
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 404,
   'not written unguarded');

mkdir servroot() . '/html';
open my $file, '>', servroot() . '/html/page' or die $!;
close $file;

edit_conf('try_files \$uri \@open', 'try_files /page @api');
reload();
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 404,
   'nor to a file');
is(scalar(() = journal()), $n, 'indeed');

# to one that is guarded where the first has no key

edit_conf('root html;\s+try_files /page \@api',
          'conflict version hold; conflict_key $arg_none; '
          . 'try_files /none @open');
reload();
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 404,
   'nor past an empty key');
is(scalar(() = journal()), $n, 'indeed');

edit_conf('conflict version hold; conflict_key \$arg_none; try_files /none \@open',
          'root html; try_files $uri @api');
reload();

my $lines = log_count('was not written');

$v = item($id, ann())->{version} || version(GET('/plain/1', ann()));
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'guarded');
is(json(GET('/plain/1'))->{n}, 3, 'and written');
is(log_count('was not written'), $lines, 'nothing is logged then');


=== auth_request asks again
--- more
    location /asked/ {
        auth_request /may;
        conflict version hold;
        rewrite ^/asked(/.*)$ $1 break;
        proxy_pass http://api;
    }
    location = /asked-inbox {
        auth_request /may;
        conflict_inbox;
    }
    location = /may {
        internal;
        if ($http_x_may = all) { return 204; }
        if ($http_x_may = $request_uri) { return 204; }
        return 403;
    }
--- steps
my @all = (ann(), 'X-May: all');

set_doc('/plain/1', { n => 1 });
my $old = version(GET('/asked/plain/1', @all));
PUT('/asked/plain/1', { n => 2, base_version => $old }, 'X-May: all');
my $r = PUT('/asked/plain/1', { n => 3, base_version => $old }, @all);
my ($id, $v) = (json($r)->{held}, json($r)->{version});
my $n = journal();
my $uri = "/asked-inbox?id=$id&take=mine";

is(http('POST', $uri, headers => ["If-Match: \"$v\"", ann()])->{status}, 403,
   'not for the inbox');
is(http('POST', $uri, headers => ["If-Match: \"$v\"", ann(), "X-May: $uri"])
   ->{status}, 403, 'nor for the resource');
is(scalar(() = journal()), $n, 'nothing is written');
is(http('POST', $uri, headers => ["If-Match: \"$v\"", @all])->{status}, 204,
   'for both');
is(scalar(() = journal()), $n + 1, 'written');


=== so many, and the oldest are evicted, which is logged
--- steps
set_doc('/plain/1', { n => 1 });
my $old = version(GET('/plain/1'));
PUT('/plain/1', { n => 2, base_version => $old });

my @ids = map { json(PUT('/plain/1', { n => "x$_", base_version => $old },
                         $_ % 2 ? ann() : bob()))->{held} } 1 .. 17;

is(show($ids[0], ann())->{status}, 404, 'the first is gone');
is(show($ids[1], bob())->{status}, 200, 'the others are not');
is(scalar(() = inbox_of('/admin')), 16, 'as many as a resource has');
like(error_log(), qr/1 older items of store "default" were evicted/, 'logged');


=== those without a user do not evict all of the others
--- steps
my ($id) = refused('/plain/1', ann());
my @ids = map { json(PUT("/plain/new-$_", { n => 1, base_version => 1 }))
                ->{held} } 1 .. 501;

is(show($ids[0])->{status}, 404, 'the first is gone');
is(show($ids[1])->{status}, 200, 'the others are not');
is(show($id, ann())->{status}, 200, 'nor is that of a user');


=== until its time
--- policy: version hold=1s
--- steps
my ($id) = refused('/plain/1', ann());

cmp_ok((inbox(ann()))[0]{expires_in} // 0, '<=', 1, 'soon');
until_true { show($id, ann())->{status} == 404 };
is(show($id, ann())->{status}, 404, 'over');
is(scalar(() = inbox(ann())), 0, 'in the list as well');


=== a reload, and a worker that is killed
--- allow: exited on signal 9
--- steps
my ($id, $v) = refused('/plain/1', ann());

reload();
is(item($id, ann())->{mine}{n}, 3, 'after a reload');

my @old = workers_of(master_pid());
kill 'KILL', @old;
until_true { my %now = map { $_ => 1 } workers_of(master_pid());
             keys %now == @old && !grep { $now{$_} } @old };

is(item($id, ann())->{mine}{n}, 3, 'after all workers were killed');
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'resolved');
