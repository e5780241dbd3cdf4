# On both stores.  A reload may change the meaning of keys: no write passes until
# no predecessor process writes with the old meaning.

BEGIN { push @INC, 't/lib' }
use Conflict;
use IO::Select;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(time);

our $redis = $Conflict::Store eq 'redis' ? $ENV{TEST_NGINX_REDIS_PORT} : undef;

# stores a and b, of which nothing is new

add_block_preprocessor(sub {
    my $block = shift;
    my $http = $block->http_config;

    for my $name ('a', 'b') {
        my $place = $redis ? "redis://127.0.0.1:$redis prefix=$name: timeout=5s"
                             . " failover=trust" : 'zone=1m';

        $http .= "conflict_store $name $place;\n";

        redis($redis, 'SET', "$name:incarnation",
              '- 0000000000000000 0 ' . int(1000 * time())) if $redis;
    }

    # a lease that a worker of a busy machine renews in time

    $block->set_value('http_config', "$http\nproxy_read_timeout 20s;\n"
        . "conflict_lease 3s;\nconflict_quarantine 100ms;\n"
        . "conflict_wait 50ms;\n");
});

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);

our $n = 0;
my $held;

# a write that a worker has at the upstream; it begins again where another
# worker has opened the store before

sub hold {
    my ($path) = @_;

    $n++;
    undef $held;

    until_true {
        return 1 if grep { $_->{method} eq 'PUT' && $_->{target} eq $path
                           && (json($_->{body})->{held} // 0) == $n } seen();

        $held = start('PUT', $path, body => { held => $n },
                      headers => ['X-Up-Write: hold apply'])
            if !$held || IO::Select->new($held->{socket})->can_read(0);
        return 0;
    } or die "not held";
}

sub let_go {
    release();
    return finish($held)->{status};
}

# Redis keeps writes back for a lease after a move; where that is not the
# subject it was long ago

sub open_again {
    my ($path) = @_;

    return until_true {
        return 1 if PUT($path, { n => ++$n })->{status} != 503;
        past() if $redis;
        return 0;
    };
}

sub past {
    for my $key (@{ redis($redis, 'KEYS', '*:incarnation') }) {
        my $text = redis($redis, 'GET', $key);

        redis($redis, 'SET', $key, $text)
            if $text =~ s/^(\S+ \S+) \d+/$1 1/;
    }
}

# what a write gets after a reload, while one of before is in flight

sub after {
    my ($path, $from, $to) = @_;

    open_again('/plain/other');
    hold('/plain/held');
    edit_conf($from, $to) if defined $from;
    reload();

    my $r = PUT($path, { n => ++$n });
    my $error = $r->{status} == 503 ? json($r)->{error} : 'open';

    let_go();
    open_again($path) or return 'closed for ever';

    return $error;
}

sub warned { scalar grep { /guarded writes get 503 until/ }
             split /^/, error_log() }

run_tests();

__DATA__

=== what makes a key mean something else
--- config
    location / {
        conflict version store=a;
        conflict_key $uri;
        conflict_version counter;
        conflict_methods PUT PATCH;
        proxy_pass http://api;
    }
--- steps
my ($path, $closed) = ('/plain/1', 'store_generation');

is(after($path, 'conflict_key \$uri;', 'conflict_key $host$uri;'), $closed,
   'another key');
is(after($path, 'conflict_key \$host\$uri;', ''), $closed, 'the default key');
is(after($path, 'PUT PATCH;', 'PUT PATCH DELETE;'), $closed, 'methods');
is(after($path, 'version counter;', 'version header:x-a;'), $closed,
   'versions of the upstream');
is(after($path, 'header:x-a;', 'header:x-b;'), $closed, 'another header');
is(after($path, 'header:x-b;', 'json:/a/b;'), $closed, 'a member');
is(after($path, 'json:/a/b;', 'json:/a/c;'), $closed, 'another member');
is(after($path, 'json:/a/c;', 'counter;'), $closed, 'minted ones again');
is(after($path, "server_name +'localhost';", "server_name 'b' 'localhost';"),
   $closed, 'the name of the server');
is(after($path, 'store=a;', 'store=b;'), $closed, 'another store');
is(after($path, 'location / ', 'conflict_key $uri; location /plain '),
   $closed, 'another location with another key');
is(after('/plain/new/1', 'location = /ping', 'location /plain/new/ {
              conflict version store=b; conflict_key x$uri;
              conflict_methods PUT PATCH DELETE; proxy_pass http://api; }
          location = /ping'),
   $closed, 'a location in a guarded one, with another key');
is(after('/plain/new/1', 'location /plain/new/ ', 'location /new/ '),
   $closed, 'it is gone');
is(after('/plain/new/1', 'location = /ping', 'location ~ ^/(plain|p)/new/ {
              conflict version store=b; conflict_key y$uri;
              conflict_methods PUT PATCH DELETE; proxy_pass http://api; }
          location = /ping'),
   $closed, 'a regular expression that takes some of its requests');
is(after($path, 'conflict_store b zone=1m|prefix=b:',
         $::redis ? 'prefix=c:' : 'conflict_store b zone=2m'),
   $closed, 'another zone, or prefix');

SKIP: {
    skip 'not this store', 2 unless $::redis;
    is(after($path, ' prefix=c:', '/1 prefix=c:'), $closed, 'a database');

    my $other = redis_start();
    is(after($path, '\d+(?=/1 prefix=c:)', $other), $closed, 'an address');
}

is(after($path, 'conflict_store b ', 'conflict_store c zone=1m;
             conflict_store b '), 'open', 'but not a store beside');
is(after($path, 'store=b;(.*)', sub { "store=c;$1" }), $closed,
   'of another kind');


=== what does not
--- config
    location /plain/ {
        conflict version store=a;
        conflict_key $uri;
        proxy_pass http://api;
    }
    location /plain/b/ {
        conflict off;
        proxy_pass http://api;
    }
--- steps
is(after('/plain/1'), 'open', 'nothing changed');
is(after('/plain/1', 'conflict_lease 3s', 'conflict_lease 2s'), 'open',
   'a lease');
is(after('/plain/1', 'conflict_wait 50ms;', 'conflict_wait 60ms;
             conflict_mtime header:x-date; conflict_base header:x-base;'),
   'open', 'other values');
is(after('/plain/1', 'conflict version store=a', 'conflict server_wins store=a'),
   'open', 'a policy');

SKIP: {
    skip 'not this store', 1 unless $::redis;
    is(after('/plain/1', 'timeout=5s', 'timeout=6s ttl=9d'), 'open',
       'how a store is spoken to');
}

is(after('/plain/b/1', 'conflict off;', 'conflict version store=b;
             conflict_key x$uri;'), 'open', 'a location that was not guarded');
is(after('/other/1', 'location /plain/b/', 'location /other/ {
             conflict version store=b; conflict_key y$uri;
             proxy_pass http://api; } location ~ ^/o {
             conflict version store=b; proxy_pass http://api;
         } location /plain/b/'), 'open', 'locations more');
is(after('/plain/1', 'location /other/', 'location /plain/c/ {
             conflict version store=a; conflict_key $uri;
             proxy_pass http://api; } location /other/'), 'open',
   'one in a guarded one, with its key');
is(after('/plain/1', '(?s)location /plain/c/ .*?\}', ''), 'open', 'it is gone');
is(after('/plain/1', 'location /other/', 'location ~ ^(?<resource>/.*)/lock$ {
             conflict version store=a; conflict_key $resource;
             conflict_lock get=$resource; } location /other/'), 'open', 'a lock endpoint');
is(after('/plain/1', 'conflict_key \$resource', 'conflict_key a$resource'),
   'store_generation', 'but another key of it');


=== a write in flight under the old key is not overtaken
--- config
    location / {
        conflict version store=a;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });
until_true { defined(version(GET('/plain/1'))) };
hold('/plain/1');
edit_conf('conflict version', 'conflict_key $http_host$uri; conflict version');
reload();

my $r = GET('/plain/1');
is($r->{status}, 200, 'reads go on');
is(version($r), undef, 'without a version');
is(let_go(), 204, 'the old worker ends its write');

my $v;
until_true { $r = GET('/plain/1'); defined($v = version($r)) };
is(json($r)->{held}, $::n, 'then a version is that of what was written');
until_true { $r = PUT('/plain/1', { n => 1, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 204, 'and good as a base');
is(warned(), 1, 'the error log said why');


=== what a store knew under a key that meant something else
--- config
    location ~ ^/plain/(?<part>.)/(?<id>.) {
        conflict version store=a;
        conflict_key $part/$id;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a/b', 'b/a';

my ($a, $b);
until_true { defined($a = version(GET('/plain/a/b'))) };
until_true { defined($b = version(GET('/plain/b/a'))) };

edit_conf('\$part/\$id;', '$id/$part;');
reload();

# each has the entry of the other one, and with it a version

my $r;
until_true { $r = PUT('/plain/a/b', { n => 1, base_version => $b });
             $r->{status} != 503 };
is($r->{status}, 409, 'is not believed');
is(json($r)->{server_version}{n}, 'a/b', 'a GET tells');

until_true { defined($b = version(GET('/plain/b/a'))) };
is(PUT('/plain/b/a', { n => 1, base_version => $b })->{status}, 204,
   'a version of now is good');


=== what a store knew of a route before this one left it
--- config
    location / {
        conflict version store=a;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });

my ($v, $r);
until_true { defined($v = version(GET('/plain/1'))) };

edit_conf('store=a', 'store=b');
reload();
until_true { $r = PUT('/plain/1', { n => 1 }); $r->{status} != 503 };
is($r->{status}, 204, 'written elsewhere');

edit_conf('store=b', 'store=a');
reload();
until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'a version of before is stale');
is(json($r)->{server_version}{n}, 1, 'of what was written meanwhile');

# once, whoever comes next, and however many hosts have done so since

until_true { defined($v = version(GET('/plain/1'))) };
my $life = sub { $::redis ? redis($::redis, 'GET', 'a:incarnation') : '' };
my $was = $life->();

if ($::redis) {
    my @words = split / /, $was;

    is(scalar(@words), 5, 'one move, though it has two workers');
    $was = join ' ', @words[0 .. 3], map { sprintf '8%015x', $_ } 1 .. 16;
    redis($::redis, 'SET', 'a:incarnation', $was);
}

kill 'KILL', workers_of(master_pid());
until_true { scalar(workers_of(master_pid())) == 2 };
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204,
   'a worker that comes later believes');
reload();
is(PUT('/plain/1', { n => 3 })->{status}, 204, 'so does the next reload');
is($life->(), $was, 'one incarnation for one move');
--- allow: exited on signal 9


=== what was written while a location was not guarded
--- config
    location /plain/ {
        conflict version store=a;
        proxy_pass http://api;
    }
    location /plain/b/ {
        conflict version store=a;
        proxy_pass http://api;
    }
--- steps
my $part = 'proxy_pass http://api; } location';
my $off = 'conflict off;';
my $guarded = slurp(servroot() . '/conf/nginx.conf');

my %unguarded = (
    'at all' => [ '(/plain/ \{\s+)conflict version', sub { "$1$off #" } ],
    'in part' => [ '(location /plain/b/)',
                   sub { "location = /plain/1 { $off $part /plain/b/" } ],
    'by a regular expression' => [ '(location /plain/b/)',
                   sub { "location ~ /1\$ { $off $part /plain/b/" } ],
);

for my $how (sort keys %unguarded) {
    my ($v, $r);

    set_doc('/plain/1', { n => 0 });
    until_true { PUT('/plain/1', { n => 0 })->{status} == 204
                 && defined($v = version(GET('/plain/1'))) };

    edit_conf(@{ $unguarded{$how} });
    reload();
    is(header(PUT('/plain/1', { n => 1 }), 'Conflict') // '', '',
       "not guarded $how");

    # over one more configuration

    edit_conf('conflict_wait 50ms', 'conflict_wait 60ms');
    reload();

    edit_conf('(?s)^.*$', $guarded);
    reload();

    until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
                 $r->{status} != 503 };
    is($r->{status}, 409, 'a version of before is stale');
    is(json($r)->{server_version}{n}, 1, 'of what was written meanwhile');
}

# one that is a part of another one, and has the same keys

open_again('/plain/b/1');
edit_conf('(?s)location /plain/b/ .*?\}', '');
is(after('/plain/b/1', 'conflict_wait 50ms', 'conflict_wait 60ms'), 'open',
   'it was guarded all the time');
is(after('/plain/b/1', '(?s)^.*$', $guarded), 'open', 'also before');


=== what was written while the module was not loaded
--- config
    location /plain/ {
        conflict version store=a;
        proxy_pass http://api;
    }
--- steps
my $guarded = slurp(servroot() . '/conf/nginx.conf');
my $without = $guarded;
my ($v, $r);

$without =~ s/load_module [^;]*;//g;
$without =~ s/\bconflict\w*\s[^;{}]*;//g;

set_doc('/plain/1', { n => 0 });
until_true { PUT('/plain/1', { n => 0 })->{status} == 204
             && defined($v = version(GET('/plain/1'))) };

edit_conf('(?s)^.*$', $without);
reload();

my $r = PUT('/plain/1', { n => 1 });
is($r->{status}, 204, 'a write');
is(header($r, 'Conflict'), undef, 'not guarded');

edit_conf('(?s)^.*$', $guarded);
reload();

until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'a version of before is stale');
is(json($r)->{server_version}{n}, 1, 'of what was written meanwhile');


=== what was not guarded comes back in another form
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        server_name localhost;
        location /plain/ { return 301 http://localhost; }
    }
--- config
    location /plain/ {
        conflict version store=a;
        proxy_pass http://api;
    }
    location = /plain/ { return 404; }
    location /b/ {
        conflict version store=b;
        proxy_pass http://api/plain/;
    }
    location @named {
        conflict version store=b;
        proxy_pass http://api;
    }
    location ~ \.(css)$ { expires 1d; }
    location ~ \.(png)$ { return 404; }
--- steps
my $guarded = slurp(servroot() . '/conf/nginx.conf');
my $off = 'conflict off; proxy_pass http://api; }';
my $on = 'conflict version store=a;';

for my $again ("$on",
               "$off location /plain/1 { $on",
               "$off location = /plain/1 { $on",
               "$off location ~ ^/plain/ { $on",
               "$off location ~ /1\$ { $on",
               "try_files /none \@again; } location \@again { $on",
               "$off location /plain/2/ { conflict version store=b;"
               . " proxy_pass http://api; } location /plain/1 { $on")
{
    my ($v, $r);

    set_doc('/plain/1', { n => 0 });
    until_true { PUT('/plain/1', { n => 0 })->{status} == 204
                 && defined($v = version(GET('/plain/1'))) };

    edit_conf("(location /plain/ \\{\\s+)$on", sub { "$1conflict off;" });
    reload();
    is(header(PUT('/plain/1', { n => 1 }), 'Conflict') // '', '',
       'not guarded');

    edit_conf('(location /plain/ \{\s+)conflict off;', sub { "$1$again" });
    reload();

    until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
                 $r->{status} != 503 };
    is($r->{status}, 409, "a version of before is stale: $again");

    edit_conf('(?s)^.*$', $guarded);
    reload();
}

# files and "return" change nothing of what is guarded

open_again('/plain/1');
is(after('/plain/1', '\(css\)', '(css|js)'), 'open', 'files');
is(after('/plain/1', '\(css\|js\)', '(css|js|svg)'), 'open', 'also again');
is(after('/plain/1', '\(png\)', '(png|ico)'), 'open', 'an answer');
is(after('/plain/1', '\(png\|ico\)', '(ico)'), 'open', 'also again');


=== a reload that fails changes nothing
--- config
    location /plain/x/ {
        conflict version store=a;
        proxy_pass http://api;
    }
    location /plain/y/ {
        conflict version store=b;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => 0 }) for 'x/1', 'y/1';

my ($x, $y);
until_true { defined($x = version(GET('/plain/x/1'))) };
until_true { defined($y = version(GET('/plain/y/1'))) };

# one that cannot listen, as the upstream does

# both, as one that was just forked is not seen as a worker yet

my @workers;
until_true { (@workers = sort(workers_of(master_pid()))) == 2 };

edit_conf('store=a', 'store=b');
edit_conf('location /plain/x', "listen 127.0.0.1:$ENV{TEST_NGINX_UPSTREAM_PORT};"
                          . 'location /plain/x');
kill 'HUP', master_pid();
until_true { error_log() =~ /still could not bind/ };

is(join(' ', sort(workers_of(master_pid()))), "@workers", 'the same workers');
is(PUT('/plain/y/1', { n => 1, base_version => $y })->{status}, 204,
   'their store is open');
is(PUT('/plain/x/1', { n => 1, base_version => $x })->{status}, 204,
   'and knows its versions');
is(warned(), 0, 'nothing in the log');

# another one that is seen to be wrong earlier; a test of the configuration

edit_conf('listen 127.0.0.1:\d+;location', 'no_directive; location');
kill 'HUP', master_pid();
until_true { error_log() =~ /no_directive/ };
is(PUT('/plain/y/1', { n => 2 })->{status}, 204, 'still');

edit_conf('no_directive;', '');
my $root = servroot();
is(system("$ENV{TEST_NGINX_BINARY} -t -q -p $root/ -c $root/conf/nginx.conf"
          . " 2>/dev/null"), 0, 'nginx -t');
is(PUT('/plain/y/1', { n => 3 })->{status}, 204, 'still');

# and one that works

hold('/plain/x/1');
reload();
is(json(PUT('/plain/x/1', { n => 4 }))->{error}, 'store_generation',
   'a good one closes it');
is(let_go(), 204, 'until the old worker is done');
ok(open_again('/plain/x/1'), 'then it is open');
--- allow: bind\(\) to|still could not bind|no_directive


=== two reloads while a worker of the first configuration has a write
--- config
    location / {
        conflict version store=a;
        conflict_key $uri;
        proxy_pass http://api;
    }
--- steps
open_again('/plain/1');
hold('/plain/1');
edit_conf('conflict_key \$uri', 'conflict_key a$uri');
reload();
reload();
is(json(PUT('/plain/1', { n => 1 }))->{error}, 'store_generation',
   'the second one changes nothing: closed');

# guarded no more, and then by another key

edit_conf('conflict version', 'conflict off; #');
reload();
edit_conf('conflict off; #', 'conflict version');
edit_conf('conflict_key a', 'conflict_key b');
reload();
is(json(PUT('/plain/1', { n => 1 }))->{error}, 'store_generation',
   'an older worker is known over a configuration without the route');
is(let_go(), 204, 'which ends its write');
ok(open_again('/plain/1'), 'then all is open');
reload();
is(PUT('/plain/1', { n => 1 })->{status}, 204, 'and stays so');


=== bodies of another resource are not what a merge goes out from
--- config
    location ~ ^/plain/(?<part>.)/(?<id>.) {
        conflict merge store=a;
        conflict_key $part/$id;
        conflict_version json:/rev;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a/b', { rev => 5, x => 1, y => 1 });
set_doc('/plain/b/a', { rev => 5, x => 2, y => 1 });

my $v;

for my $path ('a/b', 'b/a') {
    until_true { GET("/plain/$path");
                 PUT("/plain/$path", { x => 0, y => 0, base_version => 1 })
                     ->{status} == 409 };
}

edit_conf('\$part/\$id;', '$id/$part;');
reload();
open_again('/plain/c/c');
set_doc('/plain/a/b', { rev => 6, x => 2, y => 1 });

# who has changed "x"?  The base was never seen under this key

my $r;
until_true { $r = PUT('/plain/a/b', { rev => 5, x => 1, y => 3,
                                   base_version => 5 });
             $r->{status} != 503 };
is($r->{status}, 409, 'refused');
is_deeply(json(GET('/plain/a/b')), { rev => 6, x => 2, y => 1 },
          'nothing was merged');


=== what an API responds to writes with is known after it
--- config
    location /plain/ {
        conflict merge store=a;
        conflict_user $http_x_user;
        conflict_field /n sum;
        proxy_pass http://api;
    }
--- steps
open_again('/plain/open');

my $v = shown('/plain/1', { n => 100, a => 1 }, 'ann');

sub add {
    my ($user, $n, $base) = @_;

    return PUT('/plain/1', { n => $n, a => 1, base_version => $base },
               "X-User: $user", 'X-Up-Write: apply old status=200');
}

my $r = add('ann', 101, $v);
is(json($r)->{n}, 100, 'with the document that it has replaced');

reload();

# without a read since

$r = add('ann', 102, version($r));
is($r->{status}, 200, 'the next write of the same client');
$v = version($r);

is(add('bob', 112, version(GET('/plain/1', 'X-User: bob')))->{status}, 200,
   'one of another client');
like(header(add('ann', 103, $v), 'Conflict'), qr/^merged/,
     'one more, from what she has sent');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 113, 'what both have added, once');
