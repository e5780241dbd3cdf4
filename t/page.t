# The dashboard in a browser.
#
# On both stores.
# Needs: chromium build/page/node_modules

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== in a browser
--- config
    location /plain/ {
        conflict version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location /plain/evil/ {
        conflict version;
        conflict_entity $http_x_entity;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
    location /plain/kept/ {
        conflict version hold;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location = /held {
        conflict_inbox all;
    }
    location = /inboxed {
        conflict_status;
        conflict_status_inbox /held;
    }
    location = /dashboard {
        conflict_status;
    }
    location = /framed {
        conflict_status;
        conflict_status_frames http://localhost:$TEST_NGINX_SERVER_PORT;
    }
    location = /frame {
        default_type text/html;
        return 200 '<link rel=icon href=data:,><iframe src="$arg_widget?view=badge" width=320 height=120></iframe>';
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $shots = "$top/build/t/page-$Conflict::Store";

mkdir $_ for "$top/build/t", $shots;
set_doc("/plain/$_", { title => 'first' })
    for 1, 2, 'lww/1', 'lww/2', 'kept/1';

$ENV{NODE_PATH} = "$top/build/page/node_modules";

my @said = split /\n/, `node $top/t/page/check.js http://127.0.0.1:@{[port()]} $shots 2>&1`;

for my $line (@said) {
    my ($bad, $name) = $line =~ /^(not )?ok (.*)/ or do { fail($line); next };

    ok(!$bad, $name);
}

cmp_ok(scalar(@said), '>', 95, 'all was looked at');
