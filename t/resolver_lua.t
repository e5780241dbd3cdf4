# conflict_resolver with a location in Lua, as in conf/resolver-lua.conf.
# On both stores.
# Needs: libnginx-mod-http-lua lua-cjson

BEGIN { push @INC, 't/lib' }
use Conflict;
BEGIN { need_modules(['ndk_http', 'ngx_http_lua']) }
use Test::Nginx::Socket 'no_plan';

sub doc { json(upstream("/_doc?path=$_[0]")) }

# a document that ann and bob were shown, and bob has changed

sub changed {
    my ($path, $doc, $change) = @_;

    my $v = shown($path, $doc, 'ann', 'bob');

    is(PUT($path, { %$doc, %$change, base_version => $v }, 'X-User: bob')
       ->{status}, 204, 'bob');

    return $v;
}

my ($Example) = slurp("$ENV{TEST_NGINX_TOP}/conf/resolver-lua.conf")
                =~ /(location = \/_resolve \{\n.*?\n        \}\n)/s;

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "location / {\n"
                      . "conflict merge;\nconflict_quarantine 300ms;\n"
                      . "conflict_user \$http_x_user;\n"
                      . 'conflict_resolver '
                      . ($block->to || '/_resolve') . ";\n"
                      . "proxy_pass http://api;\n}\n$Example"
                      . ($block->more || ''));
});

run_tests();

__DATA__

=== the example
--- steps
my $doc = { notes => 'a', due => '2026-01-02', n => 0.1, list => [] };
my $v = changed('/plain/1', $doc, { notes => 'b', due => '2026-01-03' });

my $r = PUT('/plain/1', { %$doc, notes => 'c', due => '2026-01-04',
                          base_version => $v }, 'X-User: ann');
is($r->{status}, 204, 'resolved');
is_deeply(doc('/plain/1'), { %$doc, notes => "b\n--\nc", due => '2026-01-03' },
          'both notes, the earlier date, and all else');

$v = changed('/plain/2', $doc, { n => 1 });
$r = PUT('/plain/2', { %$doc, n => 2, base_version => $v }, 'X-User: ann');
is($r->{status}, 409, 'not resolved');
is_deeply(json($r)->{resolver}, { undecided => '/n' }, 'why');


=== a question of a megabyte
--- steps
my $doc = { notes => 'a', text => 'x' x 300000 };
my $v = changed('/plain/1', $doc, { notes => 'b' });

is(PUT('/plain/1', { %$doc, notes => 'c', base_version => $v }, 'X-User: ann')
   ->{status}, 204, 'resolved');
is(length doc('/plain/1')->{text}, 300000, 'the text');
is(doc('/plain/1')->{notes}, "b\n--\nc", 'the notes');


=== a handler that does not end holds neither the resource nor the worker
--- to: /_slow timeout=300ms
--- more
    location = /_slow {
        internal;
        content_by_lua_block {
            while not package.loaded.open do ngx.sleep(0.01) end
            ngx.header.content_type = "application/merge-patch+json"
            ngx.say('{"n":42}')
        }
    }
    location = /_open {
        content_by_lua_block { package.loaded.open = true }
    }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });
my $body = qq({"n":3,"base_version":$v});
my $s = IO::Socket::INET->new('127.0.0.1:' . port()) or die;

print $s "PUT /plain/1 HTTP/1.1\r\nHost: localhost\r\nX-User: ann\r\n"
         . "Content-Type: application/json\r\nContent-Length: "
         . length($body) . "\r\n\r\n$body"
         . "GET /ping HTTP/1.1\r\nHost: localhost\r\n"
         . "Connection: close\r\n\r\n";

ok(until_true { log_count(qr/has not answered within its timeout/) }, 'logged');

is((conflicts())[-1]{status}, 409, 'refused');

my $w = version(GET('/plain/1', 'X-User: bob'));

is(PUT('/plain/1', { n => 4, base_version => $w }, 'X-User: bob')->{status},
   204, 'the next write');

is(GET('/_open')->{status}, 200, 'now the handler ends');

like(join('', <$s>), qr/^HTTP.1.1 409 .*"version_conflict".*pong/s,
     'the response, and the next request on the connection');
is(doc('/plain/1')->{n}, 4, 'the late answer is discarded');


=== the same with requests of its own
--- to: /_slow timeout=200ms
--- more
    location = /_data { internal; proxy_pass http://api/plain/data; }
    location = /_slow {
        internal;
        content_by_lua_block {
            ngx.req.set_header("X-Up-Read", "hold apply")
            local first = ngx.location.capture("/_data")
            ngx.req.clear_header("X-Up-Read")
            local second = ngx.location.capture("/_data")
            ngx.log(ngx.NOTICE, "slow: ends, ", first.status, second.status)
            ngx.say('{}')
        }
    }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });

set_doc('/plain/data', { n => 1 });

my $w = start('PUT', '/plain/1', body => { n => 3, base_version => $v },
              headers => ['X-User: ann']);

ok(until_true { log_count(qr/has not answered within its timeout/) }, 'logged');

my $now = version(GET('/plain/1', 'X-User: bob'));
is(PUT('/plain/1', { n => 4, base_version => $now }, 'X-User: bob')->{status},
   204, 'the next write');

release();

is(finish($w)->{status}, 409, 'the response');
is(log_count(qr/slow: ends, 200200/), 1, 'the handler has ended');


=== the client has gone before the handler has ended
--- to: /_slow timeout=200ms
--- more
    location = /_slow {
        internal;
        content_by_lua_block {
            while not package.loaded.open do ngx.sleep(0.01) end
            ngx.log(ngx.NOTICE, "slow: ends")
            ngx.say('{}')
        }
    }
    location = /_open {
        content_by_lua_block { package.loaded.open = true }
    }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });
my $w = start('PUT', '/plain/1', body => { n => 3, base_version => $v },
              headers => ['X-User: ann']);

until_true { log_count(qr/has not answered within its timeout/) };
close $w->{socket};
GET('/_open');

ok(until_true { log_count(qr/slow: ends/) }, 'it has ended');
is(GET('/ping')->{body}, 'pong', 'and the worker lives');


=== a handler that makes requests of its own
--- to: /_asks
--- more
    location = /_data { internal; return 200 40; }
    location = /_asks {
        internal;
        content_by_lua_block {
            local n = tonumber(ngx.location.capture("/_data").body) + 2
            ngx.header.content_type = "application/merge-patch+json"
            ngx.say('{"n":', n, '}')
        }
    }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });

is(PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann')->{status},
   204, 'resolved');
is(doc('/plain/1')->{n}, 42, 'by both');
