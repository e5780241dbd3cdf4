# The guides work as documented: each of their commands is run, in order.
#
# Needs: redis-server build/docs/node_modules build/ngx_http_conflict_module.so

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Page;
use Test::Nginx::Socket 'no_plan';

BEGIN {
    need('node', 'redis-server',
         "$ENV{TEST_NGINX_TOP}/build/docs/node_modules");
}

# a directory like a clone, with what "make build" and "npm install" have made

sub clone {
    my ($name) = @_;
    my $top = $ENV{TEST_NGINX_TOP};
    my $dir = servroot() . "/../$name";

    mkdir $dir;
    mkdir "$dir/build";
    symlink "$top/build/ngx_http_conflict_module.so",
            "$dir/build/ngx_http_conflict_module.so";

    return $dir;
}

# commands that are not repeated here

sub done {
    return (['sudo apt install', ': apt install'],
            ['make build', ': make build'],
            ['/usr/sbin/nginx', $ENV{TEST_NGINX_BINARY}]);
}

# nginx with the configuration of a section in place of the previous one

sub section_config {
    my ($page, $section) = @_;
    my ($location) = page($page, $section)
                     =~ /^```nginx\n(location .*?^\}\n)/ms;

    return $location =~ s!http://127.0.0.1:3000!http://api/plain/!r;
}

Conflict::install('Test::Nginx::Socket');
master_on();
run_tests();

__DATA__

=== docs/getting-started.md
--- config
    location / {
        return 204;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $page = page('docs/getting-started.md');
my ($version) = $page =~ /npm install json-server\@(\S+)/;
my $have = JSON::PP->new->decode(slurp("$top/t/docs/package.json"));
my ($api, $port) = (free_port(), free_port());

is($version, $have->{dependencies}{'json-server'}, 'the same json-server');

session($page, main::clone('start'),
        serves => { 'json-server' => $api },
        replace => [main::done(),
                    ["npm install json-server\@$version",
                     "ln -s $top/build/docs/node_modules ."],
                    ['8080', $port], ['3000', $api]]);


=== docs/rollout.md
--- http_config eval
my ($log) = main::page('docs/rollout.md', '2. Let clients send a base')
            =~ /^```nginx\n(map .*?)^```/ms;
$log =~ s!/var/log/nginx/!logs/!;
$log;
--- config eval
main::section_config('docs/rollout.md', '1. Report') . <<'END';
location = /metrics { conflict_status prometheus; }
# end
END
--- steps
my $file = 'docs/rollout.md';
my @sections = page($file) =~ /^## (\d\. .*)/mg;

is(scalar(@sections), 4, 'four steps');
like(page($file, $sections[0]), qr/^location = \/metrics \{/m, 'with metrics');

for my $n (1 .. 4) {
    set_doc("/plain/notes/$n", { text => 'milk' });

    if ($n > 1) {
        edit_conf('location /api/ (?s:.*?)\n\}',
                  main::section_config($file, $sections[$n - 1]) =~ s/\n\z//r);
        reload();
    }

    follow($file, $sections[$n - 1]);
}

my $metrics = GET('/metrics')->{body};

for my $name (page($file) =~ /`(\w+_(?:total|up))`/g) {
    like($metrics, qr/^nginx_conflict_$name\b/m, "$name is a metric");
}

my $log = slurp(servroot() . '/logs/no_base.log');

is(scalar(() = $log =~ /PUT/g), 3, 'the log of writes without a base');
unlike($log, qr/GET/, 'and of nothing else');


=== docs/redis.md
--- config
    location / {
        return 204;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my ($api, $redis, $a, $b) = map { free_port() } 1 .. 4;
my $dir = main::clone('fleet');
my ($db) = page('docs/getting-started.md') =~ /db\.json << 'END'\n(.*?)^END$/ms;

mkdir "$dir/build/start";
symlink "$top/build/docs/node_modules", "$dir/build/start/node_modules";

open my $out, '>', "$dir/build/start/db.json" or die;
print $out $db;
close $out;

session(page('docs/redis.md'), $dir,
        serves => { 'json-server' => $api, 'redis-server' => $redis },
        replace => [main::done(),
                    ['lease 10s', 'lease 1500ms; conflict_wait 50ms'],
                    ['quarantine 5s', 'quarantine 500ms'],
                    ['6390', $redis], ['3000', $api], ['8081', $a],
                    ['8082', $b]]);
