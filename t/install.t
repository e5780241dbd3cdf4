# What is installed: by make install, as a package, in a container.
#
# Needs: python3-yaml build/install/node_modules
# Needs: build/ngx_http_conflict_module.so

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# make, with an nginx in the path that says what it was built with

sub make {
    my ($options, @arguments) = @_;
    my $dir = servroot() . '/html';
    my $path = $ENV{PATH};

    if (defined $options) {
        open my $out, '>', "$dir/nginx" or die "$dir/nginx: $!";
        print $out "#!/bin/sh\necho 'nginx version: other/1.30.0' >&2\n",
                   "echo 'configure arguments: $options' >&2\n";
        close $out;
        chmod 0755, "$dir/nginx";
        $path = "$dir:$path";
    }

    local $ENV{PATH} = $path;
    return `env -u MAKEFLAGS -u MAKELEVEL make -s -C $ENV{TEST_NGINX_TOP} @arguments 2>&1`;
}

# the documents of a YAML file, or of text

sub yaml {
    my ($file, $text) = @_;

    return pipe_to("$ENV{TEST_NGINX_TOP}/t/install/read $file", $text // '');
}

# what is wrong in a Dockerfile

sub dockerfile_errors {
    my $top = $ENV{TEST_NGINX_TOP};

    return pipe_to("node $top/t/install/dockerfile.js $top/build/install",
                   shift);
}

sub pipe_to {
    my ($command, $text) = @_;
    my $dir = servroot() . '/html';

    open my $out, '>:utf8', "$dir/in" or die "$dir/in: $!";
    print $out $text;
    close $out;

    return `$command < $dir/in 2>&1`;
}

# what nginx says to a configuration whose hosts are elsewhere

sub nginx_test {
    my ($text, @hosts) = @_;
    my $dir = servroot() . '/html';

    $text =~ s!//$_\b!//127.0.0.1!g for @hosts;
    $text =~ s!listen \d+;!'listen 127.0.0.1:' . free_port() . ';'!ge;
    $text =~ s!^include /etc/nginx/modules-enabled.*!load_module $ENV{TEST_NGINX_TOP}/build/ngx_http_conflict_module.so;!m;
    $text =~ s!http \{!$& client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;!;

    open my $out, '>', "$dir/hosts.conf" or die;
    print $out "pid $dir/pid;\n$text";
    close $out;

    return `$ENV{TEST_NGINX_BINARY} -e $dir/error.log -c $dir/hosts.conf -t 2>&1`;
}

run_tests();

__DATA__

=== make install, and back
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $dir = servroot() . '/html';
my $to = "$dir/installed";
my $said = make(undef, 'install', "DESTDIR=$to");

my ($file) = $said =~ /^    load_module (\S+);$/m;
my ($conf) = $said =~ /^At the top of (\S+):$/m;

like($said, qr/^installed \Q$to$file\E$/m, 'says where');
is($conf, '/etc/nginx/nginx.conf', 'and what comes next');
is((stat "$to$file")[2] & 0777, 0644, 'the mode');

open my $out, '>', "$dir/nginx.conf" or die;
print $out "load_module $to$file; pid $dir/pid; events {}\n";
close $out;

$said = `$ENV{TEST_NGINX_BINARY} -e $dir/error.log -c $dir/nginx.conf -t 2>&1`;
like($said, qr/test is successful/, 'nginx loads it');

make(undef, 'uninstall', "DESTDIR=$to");
is(`find $to ! -type d`, '', 'nothing is left');


=== where other builds of nginx look
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $to = servroot() . '/html/other';
my $so = "-o $ENV{TEST_NGINX_TOP}/build/ngx_http_conflict_module.so";
my %built = (
    '' => [ '/usr/local/nginx/modules', '/usr/local/nginx/conf' ],
    '--prefix=/opt/n' => [ '/opt/n/modules', '/opt/n/conf' ],
    '--prefix=/opt/n --modules-path=m --conf-path=c/nginx.conf'
        => [ '/opt/n/m', '/opt/n/c' ],
    '--prefix=/etc/nginx --modules-path=/usr/lib/nginx/modules'
        . ' --conf-path=/etc/nginx/nginx.conf --with-compat'
        => [ '/usr/lib/nginx/modules', '/etc/nginx' ],
);

for my $options (sort keys %built) {
    my ($modules, $conf) = @{ $built{$options} };
    my $said = make($options, $so, 'install', "DESTDIR=$to");

    like($said, qr!^    load_module \Q$modules/ngx_http_conflict_module.so;\E$!m,
         "built with: $options");
    like($said, qr!^At the top of \Q$conf/nginx.conf:\E$!m, 'its configuration');
    ok(-e "$to$modules/ngx_http_conflict_module.so", 'the file is there');
}


=== the source must be that of the installed nginx
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $to = servroot() . '/html/b';
my $said = make('', "B=$to", "$to/objs/Makefile");

like($said, qr!, is the source of nginx/[\d.]+, the installed nginx is other-1\.30\.0$!m,
     'a patched one has another name');
ok(! -e "$to/src", 'nothing was built');


=== a module that was built with the source of a patched nginx
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $dir = servroot() . '/html';
my $object = 'addon/config/ngx_http_conflict_upstream_conf.o';
my $header = slurp("$top/build/src/src/http/ngx_http_upstream.h");

# as OpenResty's patch does

$header =~ s/^ +ngx_http_upstream_headers_in_t +headers_in;/ngx_msec_t timeouts[3]; $&/m
    or die;

mkdir "$dir/patched";
open my $out, '>', "$dir/patched/ngx_http_upstream.h" or die;
print $out $header;
close $out;

my $said = `cp -rp $top/build/objs $dir/objs && cd $dir/objs \\
            && rm -f *.so $object && sed -i 's!$top/build/objs!$dir/objs!g' Makefile \\
            && env -u MAKEFLAGS -u MAKELEVEL make -s -C $top/build/src -f $dir/objs/Makefile \\
                    CC='cc -I$dir/patched' modules 2>&1`;

ok(-e "$dir/objs/ngx_http_conflict_module.so", 'it builds') or diag($said);

my $conf = 'events {} http { server { listen 80; location / {'
           . ' conflict version; proxy_pass http://127.0.0.1:1; } } }';

like(nginx_test("load_module $top/build/ngx_http_conflict_module.so; $conf"),
     qr/test is successful/, 'the one of this nginx');
like(nginx_test("load_module $dir/objs/ngx_http_conflict_module.so; $conf"),
     qr/was built with the source of another nginx/, 'this one is refused');


=== before nginx is installed
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $dir = servroot() . '/html';

open my $out, '>', "$dir/nginx" or die;
print $out "#!/bin/sh\necho '/bin/bash: line 1: nginx: command not found' >&2\n";
close $out;
chmod 0755, "$dir/nginx";

local $ENV{PATH} = "$dir:$ENV{PATH}";
my $said = make(undef, '-n', 'build');

like($said, qr/^t\/lib\/install .* nginx nginx-dev /m, 'make installs it');


=== the package agrees with the project
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my ($version) = slurp("$top/CHANGES") =~ /^(\S+) \(/m;
my ($package) = slurp("$top/debian/changelog") =~ /\A\S+ \((\S+)-\d+\) /;

is($package, $version, 'the version of debian/changelog is that of CHANGES');

my ($text) = slurp("$top/LICENSE") =~ /^(Redistribution.*)/ms;
my ($copy) = slurp("$top/debian/copyright") =~ /^ (Redistribution.*)/ms;

is($copy =~ s/^ \.?//mgr, $text, 'the license');

my $page = `cd $top && debian/man`;
my ($commands) = slurp("$top/src/ngx_http_conflict_module.c")
                 =~ /^static ngx_command_t .*?\{\n(.*?)^\};/ms;
my @registered = sort($commands =~ /^    \{ ngx_string\("(\w+)"\),/mg);
my ($variables) = slurp("$top/docs/variables.md");

is(join(' ', $page =~ /^\.SS (\w+)$/mg), "@registered",
   'the manual page has each directive');

for my $name ($variables =~ /^\| `\$(\w+)`/mg) {
    like($page, qr/^\\fB\$$name\\fR$/m, "and \$$name");
}

unlike($page, qr/^\.?\||`|\]\(/m, 'and no Markdown');

for (slurp("$top/debian/libnginx-mod-http-conflict.docs"),
     slurp("$top/debian/libnginx-mod-http-conflict.examples"),
     readlink("$top/debian/libnginx-mod-http-conflict.logrotate") =~ s!^../!!r)
{
    ok(scalar(() = glob "$top/$_"), "$_ is there") for split;
}


=== Dockerfile, compose.yaml
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};

is(dockerfile_errors(slurp("$top/Dockerfile")), '', 'the Dockerfile');
like(dockerfile_errors("FROM\nRUNS x\n"), qr/^2: .*RUNS/m,
     'which is really read');

my ($compose) = @{ JSON::PP->new->decode(yaml("$top/compose.yaml")) };
my $services = $compose->{services};
my @names = sort keys %$services;

is("@names", 'api proxy redis', 'the services');

for my $name (@names) {
    my $service = $services->{$name};

    for (keys %{ $service->{depends_on} }) {
        ok($services->{$_}{healthcheck}, "$_, before $name, has a check");
    }

    for my $volume (@{ $service->{volumes} }) {
        my ($from, $to) = split /:/, $volume;

        ok($from =~ /^\./ ? -f "$top/$from"
                          : exists $compose->{volumes}{$from}, $volume);
    }
}

my $conf = slurp("$top/conf/compose/nginx.conf");
my @hosts = $conf =~ m!//(\w+)!g;

is(join(' ', grep { !$services->{$_} } @hosts), '', 'its hosts are services');
like(nginx_test($conf, @hosts), qr/test is successful/, 'nginx takes it');
ok(JSON::PP->new->decode(slurp("$top/conf/compose/db.json"))->{notes},
   'the data of the API');


=== Kubernetes
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $all = JSON::PP->new->decode(yaml("$top/conf/kubernetes.yaml"));
my %of = map { $_->{kind} => $_ } @$all;
my ($map, $deployment, $service) = @of{qw(ConfigMap Deployment Service)};
my $labels = $deployment->{spec}{template}{metadata}{labels};
my $pod = $deployment->{spec}{template}{spec};
my $container = $pod->{containers}[0];
my %port = map { $_->{name} => $_->{containerPort} } @{ $container->{ports} };
my $conf = $map->{data}{'nginx.conf'};

is_deeply($deployment->{spec}{selector}{matchLabels}, $labels, 'the pods');
is_deeply($service->{spec}{selector}, $labels, 'those of the service');
like($conf, qr/listen $port{$service->{spec}{ports}[0]{targetPort}};/,
     'its port');
like($conf, qr/listen $port{$container->{readinessProbe}{httpGet}{port}};/,
     'that of the probe');
is($pod->{volumes}[0]{configMap}{name}, $map->{metadata}{name},
   'the configuration is mounted');
like(nginx_test($conf, 'redis', 'api'), qr/test is successful/,
     'and nginx takes it');

my $page = slurp("$top/docs/install.md");
my @blocks = $page =~ /^```yaml\n(.*?)^```/msg;

cmp_ok(scalar(@blocks), '>', 1, 'docs/install.md has YAML');
like(yaml('-', $_), qr/^\[\{/, 'which is valid') for @blocks;

for ($page =~ /^```dockerfile\n(.*?)^```/msg) {
    is(dockerfile_errors($_), '', 'a Dockerfile');
}
