# The guides work as documented: each of their commands is run, in order.
#
# Needs: redis-server build/docs/node_modules build/ngx_http_conflict_module.so

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Page;
use Test::Nginx::Socket 'no_plan';

BEGIN { need('node', "$ENV{TEST_NGINX_TOP}/build/docs/node_modules") }

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

Conflict::install('Test::Nginx::Socket');
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

session($page, clone('start'),
        serves => { 'json-server' => $api },
        replace => [done(),
                    ["npm install json-server\@$version",
                     "ln -s $top/build/docs/node_modules ."],
                    ['8080', $port], ['3000', $api]]);
