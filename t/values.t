# conflict_max_values: the limit of a merge, for all documents together.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

fcgi_start();

# text as it is in the upstream, byte by byte

sub doc { upstream("/_doc?path=$_[0]") }

# an object with so many values, itself too

sub object {
    my ($n, $first) = @_;

    return '{' . join(',', map { '"m' . ($first + $_) . '":1' } 1 .. $n - 1)
           . '}';
}

sub on_base {
    my ($text, $v) = @_;

    $text =~ s/^\{/{"base_version":$v,/;
    $text =~ s/,\}$/}/;

    return $text;
}

# a write on the base, once the server's document is there; each is text

sub stale {
    my ($path, $base, $server, $client) = @_;

    set_doc($path, $base);
    my $v = version(GET($path, 'X-User: bob'));

    is(PUT($path, $server, 'X-User: ann')->{status}, 204, 'the first');

    return PUT($path, on_base($client, $v), 'X-User: bob');
}

sub refused {
    my ($r, $status, $error, $detail, $name) = @_;

    is($r->{status}, $status, $name);
    is(json($r)->{error}, $error, "$name: its error");
    is(json($r)->{detail}, $detail, "$name: its detail");
}

Conflict::install('Test::Nginx::Socket');

run_tests();

__DATA__

=== counted over all documents, the base of the client's body too
--- config
    location / {
        conflict merge;
        conflict_max_values 16;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
# 5 and 5 and 6

my $r = stale('/plain/1', object(5, 0), object(5, 10), object(5, 0));
is($r->{status}, 204, 'as many as may be');
like(header($r, 'Conflict'), qr/^merged;/, 'merged');

$r = stale('/plain/2', object(5, 0), object(6, 10), object(5, 0));
refused($r, 409, 'version_conflict', 'the documents to be merged have '
        . 'more values than conflict_max_values, 16', 'the base is too much');
is(doc('/plain/2'), object(6, 10), 'nothing was written');

$r = stale('/plain/3', '{}', object(11, 10), object(5, 0));
refused($r, 409, 'version_conflict', 'the documents to be merged have '
        . 'more values than conflict_max_values, 16',
        'the server\'s is too much');
is(doc('/plain/3'), object(11, 10), 'nothing was written');

$r = stale('/plain/4', '{}', '{}', object(16, 0));
refused($r, 413, 'body_too_large',
        'the body has more values than conflict_max_values, 16',
        'the body is too much');
is(doc('/plain/4'), '{}', 'nothing was written');

# values are counted, not bytes, at each depth, and names are none

$r = stale('/plain/5', '{}', '{}', '{"a":[[1,2,{"b":"' . 'x,' x 1000
           . '"}],[],{}],"c":"[1,2,3]"}');
is($r->{status}, 204, 'few values');

$r = stale('/plain/6', '{}', '{}', '{"a":[[1,2,{"b":"x"}],[],{},[],[],[],[],'
           . '[],[]],"c":"y"}');
is($r->{status}, 413, 'many');


=== writes that need no merge may have any number
--- config
    location / {
        conflict merge;
        conflict_max_values 4;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }

    location /version/ {
        conflict version;
        conflict_max_values 4;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', object(9, 0));
my $v = version(GET('/plain/1', 'X-User: bob'));

my $r = PUT('/plain/1', on_base(object(9, 20), $v), 'X-User: ann');
is($r->{status}, 204, 'on the current version');

$r = PUT('/plain/1', object(9, 30), 'X-User: ann');
is($r->{status}, 204, 'on none');
is(doc('/plain/1'), object(9, 30), 'it is there');

# a refusal names no fields where that would take too long

for my $n (2, 3) {
    my $path = "/version/$n";

    set_doc($path, '{}');
    $v = version(GET($path, 'X-User: bob'));
    PUT($path, object($n, 0), 'X-User: ann');

    $r = PUT($path, on_base('{}', $v), 'X-User: bob');
    is($r->{status}, 409, 'stale');
}

my @c = conflicts();
is_deeply([map { $_->{fields} } @c], [['/m1'], []], 'the fields of both');


=== a body of the API's own that is not the client's to change
--- config
    location / {
        conflict merge;
        conflict_max_values 8;
        conflict_field /updated_at server;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', '{"updated_at":1,"a":[1,2,3]}');
my $v = version(GET('/plain/1'));

my $r = PUT('/plain/1', qq({"updated_at":2,"base_version":$v}));
refused($r, 503, 'store_unavailable',
        'the documents to be merged have more values than '
        . 'conflict_max_values, 8', 'a field of it is needed');
is(doc('/plain/1'), '{"updated_at":1,"a":[1,2,3]}', 'nothing was written');

$r = PUT('/plain/1', '{"a":[1,2,3,4,5,6,7,8,9]}');
refused($r, 413, 'body_too_large',
        'the body has more values than conflict_max_values, 8',
        'the body is too much');


=== inherited
--- http_config
    conflict_max_values 3;
--- config
    location / {
        conflict merge;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }

    location /plain/own/ {
        conflict merge;
        conflict_max_values 30;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
is(stale('/plain/1', '{}', '{}', object(3, 0))->{status}, 413, 'from http');
is(stale('/plain/own/1', '{}', '{}', object(3, 0))->{status}, 204, 'its own');


=== by default a large one is merged, and a hostile one is not
--- config
    location / {
        conflict merge;
        conflict_field /u union;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my $numbers = sub { '{"u":[' . join(',', @_) . ']}' };

my $r = stale('/plain/1', $numbers->(1 .. 16000), $numbers->(2 .. 16001),
              $numbers->(reverse(1 .. 16000), 'true'));
is($r->{status}, 204, 'large');
is(doc('/plain/1') =~ s/,"base_version":\d+|"base_version":\d+,//r,
   $numbers->(2 .. 16001, 'true'), 'merged as a small one is');

$r = stale('/plain/2', '{}', $numbers->(1 .. 30000), $numbers->(1 .. 30000));
is($r->{status}, 409, 'two that are too many together');

$r = stale('/plain/3', '{}', '{}', $numbers->(1 .. 120000));
refused($r, 413, 'body_too_large',
        'the body has more values than conflict_max_values, 50000',
        'one alone');


=== lines of texts count, too
--- config
    location / {
        conflict merge;
        conflict_max_values 200;
        conflict_field /t text;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my $lines = sub { '{"t":"' . join('\n', @_) . '"}' };

my $r = stale('/plain/1', $lines->('a' .. 'f'), $lines->('A', 'b' .. 'f'),
              $lines->('a' .. 'e', 'F'));
is($r->{status}, 204, 'few lines');
is(JSON::PP::decode_json(doc('/plain/1'))->{t}, "A\nb\nc\nd\ne\nF", 'merged');

$r = stale('/plain/2', $lines->('a' .. 'j'), $lines->('A', 'b' .. 'j'),
           $lines->('a' .. 'i', 'J'));
is($r->{status}, 409, 'many lines clash');
is(json($r)->{conflicts}[0]{field}, '/t', 'in that field');


=== no number
--- config
    location / {
        conflict merge;
        conflict_max_values many;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number "many", it must be from 1 to 10000000


=== none at all
--- config
    location / {
        conflict merge;
        conflict_max_values 0;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number "0"


=== too large a number
--- config
    location / {
        conflict merge;
        conflict_max_values 10000001;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number "10000001"


=== a number with a suffix
--- config
    location / {
        conflict merge;
        conflict_max_values 50k;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number "50k"


=== twice
--- config
    location / {
        conflict merge;
        conflict_max_values 1;
        conflict_max_values 2;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_max_values" directive is duplicate
