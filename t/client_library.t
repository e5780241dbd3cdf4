# The client libraries of clients/: without nginx, and with nginx and an API in
# Node, in a browser, and in Python.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

BEGIN {
    need('node', 'npm', 'chromium',
         map { "$ENV{TEST_NGINX_TOP}/build/$_/node_modules" }
             qw(page clients));
    $ENV{TEST_NGINX_USERS} = "$ENV{TEST_NGINX_TOP}/build/t/library-$$.users";
    mkdir "$ENV{TEST_NGINX_TOP}/build/t";
    open my $out, '>', $ENV{TEST_NGINX_USERS} or die;
    print $out "ann:{PLAIN}secret\n";
    close $out;
}

END { unlink $ENV{TEST_NGINX_USERS} }

# runs a command that prints lines "ok" and "not ok", and counts them; the TAP
# of the node tests may be nested

sub told {
    my ($least, $command) = @_;
    my ($n, $said) = (0, scalar `$command 2>&1`);

    for my $line (split /\n/, $said) {
        my ($bad, $name) = $line =~ /^(not )?ok (?:\d+ - )?(.*)/ or next;

        ok(!$bad, $name);
        $n++;
    }

    cmp_ok($n, '>=', $least, 'all checks were run') or diag($said);
    diag($said) if $said =~ /^not ok/m;
}

sub node_tests {
    my ($least, @files) = @_;
    my $top = $ENV{TEST_NGINX_TOP};

    local $ENV{CONFLICT_URL} = 'http://127.0.0.1:' . port();
    local $ENV{CONFLICT_API} = "http://127.0.0.1:$Conflict::UpPort";

    told($least, "node --test --test-reporter=tap "
                 . CORE::join(' ', map { "$top/clients/js/test/$_" } @files));
}

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;
    my $locations = '';

    my %extra = (
        strict => 'conflict_require on;',
        version => 'conflict_history 8 versions;',
        merge => 'conflict_field /tags union; conflict_field /n sum;',
        auth => 'auth_basic "api"; auth_basic_user_file '
                . "$ENV{TEST_NGINX_USERS};",
        small => 'client_max_body_size 1k;',
        own => 'conflict_version json:/version;'
               . ' conflict_base json:/version;',
        etag => 'conflict_version header:ETag;',
        body => 'conflict_strip_base on;',
        orders => 'conflict_idempotency on; conflict_max_body 4k;'
                  . ' client_max_body_size 4k;',
        paid => 'conflict_idempotency required; auth_basic "api";'
                . " auth_basic_user_file $ENV{TEST_NGINX_USERS};",
    );

    $extra{held} = 'conflict_wait 2s;';

    my %policy = (held => 'version hold', merge => 'merge', lww => 'lww',
                  wins => 'server_wins',
                  edited => 'lww edited=header:X-Edited-At');

    for my $name (qw(version strict merge lww edited wins auth small own etag
                     body bodymerge held orders paid))
    {
        my $policy = $policy{$name} || ($name eq 'bodymerge' ? 'merge'
                                                             : 'version');
        my $kind = $name =~ /^(own|etag)$/ ? $name : 'plain';
        my $extra = $extra{$name} // '';

        $locations .= "location /$name/ {\nconflict $policy;\n$extra\n"
                      . "proxy_pass http://api/$kind/$name-;\n}\n";
    }

    $block->set_value('config', <<END . ($block->config // ''));
conflict_user \$http_x_user;
conflict_lease 1s;
conflict_quarantine 300ms;
location ~ ^(?<resource>/version/\\w+)/lock\$ {
    conflict_key \$resource;
    conflict_user \$http_x_user;
    conflict_lock idle=4s;
}
location ~ ^(?<resource>/version/\\w+)/versions\$ {
    conflict_key \$resource;
    conflict_user \$http_x_user;
    conflict_versions;
}
location = /events {
    conflict_events heartbeat=500ms recheck=1s;
}
location = /inbox {
    conflict_inbox;
}
$locations
END
});

run_tests();

__DATA__

=== clients/js in Node
--- config
--- steps
node_tests(25, 'nginx.test.js');
node_tests(4, 'versions.test.js');
node_tests(21, 'watch.test.js');
node_tests(6, 'inbox.test.js');
node_tests(14, 'orders.test.js');


=== clients/js in a browser
--- config
    location = /page {
        default_type text/html;
        return 200 '<!doctype html><title>page</title>';
    }
    location /client/ {
        alias $TEST_NGINX_TOP/clients/js/;
        types { text/javascript js; }
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};

return if $Conflict::Store ne 'shm';

local $ENV{NODE_PATH} = "$top/build/page/node_modules";

told(43, "node $top/t/clients/library.js http://127.0.0.1:" . port()
         . " http://127.0.0.1:$Conflict::UpPort");


=== clients/js without nginx
--- config
--- steps
my $top = $ENV{TEST_NGINX_TOP};

return if $Conflict::Store ne 'shm';

node_tests(304, 'merge.test.js', 'outbox.test.js', 'storage.test.js',
           'package.test.js', 'base.test.js', 'transport.test.js',
           'items.test.js', 'create.test.js', 'refusals.test.js');
is(`$top/build/clients/node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext $top/t/clients/types.mts 2>&1`, '', 'its types');


=== docs/clients.md, docs/lock.md and the README: their examples work
--- config
    location /api/ {
        conflict version;
        conflict_max_body 4k;
        proxy_pass http://api/plain/;
    }
    location ~ ^(?<resource>/api/.+)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
local $ENV{NODE_PATH} = "$ENV{TEST_NGINX_TOP}/build/clients/node_modules";

told(13, "node $ENV{TEST_NGINX_TOP}/t/clients/pages.js http://127.0.0.1:" . port());


=== clients/python
--- config
--- steps
told(31, "python3 $ENV{TEST_NGINX_TOP}/clients/python/test_conflict_client.py http://127.0.0.1:" . port()
         . " http://127.0.0.1:$Conflict::UpPort");
