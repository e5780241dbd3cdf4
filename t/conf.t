# The examples: nginx takes each of them.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== conf/*.conf
--- config
    location / {
        return 204;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $dir = servroot() . '/../example';

mkdir $dir;
mkdir "$dir/modules";
symlink "$top/build/ngx_http_conflict_module.so",
        "$dir/modules/ngx_http_conflict_module.so";

my @examples = glob "$top/conf/*.conf";

cmp_ok(scalar(@examples), '>', 3, 'there are some');

for my $file (@examples) {
    my ($name) = $file =~ m!([^/]+)$!;
    my $text = slurp($file);
    my $port = free_port();

    like($text, qr/^#/, "$name says what it is for");

    # another place for what root alone may write

    $text =~ s!/var/log/nginx/!$dir/!g;
    $text =~ s!listen 80;!listen 127.0.0.1:$port;!g;
    $text =~ s!http \{!http {\n client_body_temp_path $dir/b;\n proxy_temp_path $dir/p;\n fastcgi_temp_path $dir/f;\n uwsgi_temp_path $dir/u;\n scgi_temp_path $dir/s;!;

    open my $out, '>', "$dir/nginx.conf" or die;
    print $out "pid $dir/nginx.pid;\n$text";
    close $out;

    my $said = `$ENV{TEST_NGINX_BINARY} -e $dir/error.log -p $dir -c $dir/nginx.conf -t 2>&1`;

    like($said, qr/test is successful/, "nginx takes $name");
    unlike($said, qr/\[warn\]/, 'without a warning');
}


=== what is beside them: alerts, a dashboard, the rotation of the log
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location = /metrics {
        conflict_status prometheus;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $dir = servroot();

my $said = `$top/build/promtool check rules $top/conf/prometheus-rules.yml 2>&1`;
like($said, qr/SUCCESS: \d+ rules found/, 'promtool takes the rules');

PUT('/plain/1', { n => 1 });
until_true { GET('/metrics')->{body} =~ m!location="/plain/"! };

my %known = map { $_ => 1 } GET('/metrics')->{body} =~ /^# TYPE (\S+)/mg;
my $dashboard = slurp("$top/conf/grafana-dashboard.json");
my $rules = slurp("$top/conf/prometheus-rules.yml");

cmp_ok(scalar(@{ JSON::PP->new->decode($dashboard)->{panels} }), '>', 5,
       'a dashboard with panels');

for my $text ($dashboard, $rules) {
    for my $name ($text =~ /(?<![:\w])(nginx_conflict_\w+)/g) {
        $name =~ s/_bucket$//;
        next if $name eq 'nginx_conflict_' || $known{$name};
        fail("$name is no metric");
    }
}

my ($rotate) = grep { -x } '/usr/sbin/logrotate', '/usr/bin/logrotate';
my $file = slurp("$top/conf/logrotate");
my $pid = master_pid();
my ($user) = map { (getpwuid $_)[0] } $>;
my ($group) = (getgrgid $))[0];

$file =~ s!/var/log/nginx!$dir/logs!;
$file =~ s!/run/nginx\.pid!$dir/logs/nginx.pid!g;
$file =~ s!www-data adm!$user $group!;

open my $out, '>', "$dir/../rotate" or die;
print $out $file;
close $out;
chmod 0644, "$dir/../rotate";
chmod 0755, "$dir/logs";

my $v = version(GET('/plain/1'));
PUT('/plain/1', { n => 2, base_version => $v });
PUT('/plain/1', { n => 3, base_version => $v });

$said = `$rotate -f -s $dir/../rotated $dir/../rotate 2>&1`;
is($said, '', 'logrotate takes it');

my ($old) = until_true { glob("$dir/logs/conflict.log-*") };
like(slurp($old), qr/"conflict_version"/, 'what was written is there');

# the workers open it anew a moment later

until_true {
    PUT('/plain/1', { n => 4, base_version => $v });
    -s "$dir/logs/conflict.log";
};
like(slurp("$dir/logs/conflict.log"), qr/"conflict_version"/,
     'and a new one goes on');
unlink $old;
