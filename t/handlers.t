# Content handlers that read the body of a write themselves, here in Lua: they
# get the bytes that were checked, in memory or in a file.
# On both stores.
# Needs: libnginx-mod-http-lua

BEGIN { push @INC, 't/lib' }
use Conflict;
BEGIN { need_modules(['ndk_http', 'ngx_http_lua']) }
use Test::Nginx::Socket 'no_plan';

# a body in chunks of 1000 bytes

sub chunked {
    my ($method, $path, $body, @headers) = @_;

    return http($method, $path, body => $body, chunked => 1000,
                headers => [@headers]);
}

Conflict::install('Test::Nginx::Socket');

# keeps the documents in a dictionary

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "lua_shared_dict docs 4m;\n");
    $block->set_value('config', ($block->config // '') . <<'END');
        client_body_buffer_size 8k;

        location / {
            default_type application/json;
            content_by_lua_block {
                local docs = ngx.shared.docs

                if ngx.req.get_method() == "GET" then
                    ngx.print(docs:get(ngx.var.uri) or "{}")
                    return
                end

                ngx.req.read_body()

                local body = ngx.req.get_body_data()
                ngx.header["X-From"] = body and "memory" or "file"

                if not body then
                    local file = io.open(ngx.req.get_body_file())
                    body = file:read("*a")
                    file:close()
                end

                docs:set(ngx.var.uri, body)
                ngx.status = 204
            }
        }
END
});

run_tests();

__DATA__

=== any body, of any length
--- config
    conflict version;
--- steps
my $n = 0;

for my $type ('text/markdown', 'image/png') {
    for my $length (10, 100_000) {
        my $text = join '', map { chr(97 + $_ % 26) } 1 .. $length;

        $n++;
        my $r = http('PUT', "/$n", body => $text,
                     headers => ["Content-Type: $type"]);

        is($r->{status}, 204, "$length bytes of $type");
        is(header($r, 'X-From'), $length > 10 ? 'file' : 'memory', 'there');
        ok(GET("/$n")->{body} eq $text, 'all of them');

        $n++;
        $r = chunked('PUT', "/$n", $text, "Content-Type: $type");
        is($r->{status}, 204, 'the same in chunks');
        ok(GET("/$n")->{body} eq $text, 'all of them');
    }
}

my $files = "$ENV{TEST_NGINX_CLIENT_BODY_TEMP}/*";

until_true { join(' ', glob $files) eq '' };
is(join(' ', glob $files), '', 'the files are removed');


=== the base is cut out of the file
--- config
    conflict version;
--- steps
my $pad = 'x' x 50_000;

for my $body ("{\"base_version\":%s,\"n\":2,\"pad\":\"$pad\"}",
              "{\"n\":2,\"pad\":\"$pad\",\"base_version\":%s}",
              "{\"n\":2,\"base_version\":%s,\"pad\":\"$pad\"}")
{
    my $v = version(GET('/1'));
    my $r = chunked('PUT', '/1', sprintf($body, $v),
                    'Content-Type: application/json');

    is($r->{status}, 204, 'a write');
    is(header($r, 'X-From'), 'file', 'whose body is in a file');
    ok(GET('/1')->{body} eq "{\"n\":2,\"pad\":\"$pad\"}",
       'without the base');

    $r = chunked('PUT', '/1', sprintf($body, $v),
                 'Content-Type: application/json', 'X-Client: other');
    is($r->{status}, 409, 'a stale one');
}


=== what was merged is in the file
--- config
    conflict merge;
--- steps
my $pad = 'x' x 50_000;
my @doc = (b => 1, pad => $pad);

for my $more ('', 'y' x 30_000) {
    PUT('/1', { a => 1, @doc });
    my $v = version(GET('/1'));

    is(PUT('/1', { a => "2$more", @doc, base_version => $v })->{status}, 204,
       'one changes a member');

    my $text = JSON::PP->new->encode({ a => 1, b => 2, pad => $pad,
                                       base_version => $v });
    my $r = chunked('PUT', '/1', $text, 'Content-Type: application/json');

    is($r->{status}, 204, 'another one another member');
    like(header($r, 'Conflict'), qr/^merged/, 'which is merged');

    is_deeply(json(GET('/1')), { a => "2$more", b => 2, pad => $pad },
              'both are there');
}


=== a handler that reads the connection
--- config
    location /socket/ {
        conflict version;
        proxy_request_buffering off;
        content_by_lua_block {
            local sock = ngx.req.socket()

            ngx.say(sock and sock:receive(5) or "none")
        }
    }
--- steps
is(http('PUT', '/socket/1', body => 'hello',
        headers => ['Content-Type: text/markdown'])->{body}, "hello\n",
   'needs proxy_request_buffering off');


=== the file of client_body_in_file_only stays
--- config
    location /file/ {
        conflict version;
        client_body_in_file_only on;
        set $api api;
        proxy_set_header X-File $request_body_file;
        rewrite ^/file(/.*) /plain$1 break;
        proxy_pass http://$api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/file/1'));
my $r = PUT('/file/1', { n => 2, base_version => $v });
is($r->{status}, 204, 'a write to an upstream with a variable');

my %headers = map { lc $_->[0] => $_->[1] } @{ (seen())[-1]{headers} };
my $path = $headers{'x-file'};
like($path, qr{^/}, 'which is told the file');
ok(-e $path, 'and can have it');

open my $file, '<', $path or die;
is_deeply(JSON::PP->new->decode(<$file>), { n => 2 }, 'without the base');
unlink $path;
