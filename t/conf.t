# The examples of conf/: nginx accepts each of them.
#
# Needs: logrotate build/promtool build/ngx_http_conflict_module.so
# Needs: build/grafana/node_modules libnginx-mod-http-lua

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

# of Debian's nginx, and not for one that was built for the tests

my $more = '/usr/lib/nginx/modules';
my @more = map { "${_}_module.so" } qw(ndk_http ngx_http_lua);

symlink "$more/$_", "$dir/modules/$_" for @more;

my @examples = glob "$top/conf/*.conf";

cmp_ok(scalar(@examples), '>', 3, 'there are some');

for my $file (@examples) {
    my ($name) = $file =~ m!([^/]+)$!;
    my $text = slurp($file);
    my $port = free_port();

    next if $text =~ /_lua_module/ && ($ENV{TEST_NGINX_LOAD_MODULES} eq ''
                                       || grep { !-e "$more/$_" } @more);

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


=== what is beside them: alerts, a dashboard
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

# an incident that is over before the next scrape is told as well

my %fires = (
    ConflictWritesUnchecked =>
        'not_checked_total{location="/", entity="/", reason="unchecked"}',
    ConflictStoreErrors => 'store_errors_total{store="x", reason="down"}',
    ConflictGetsFail => 'store_errors_total{store="x", reason="get"}',
    ConflictStoreFull => 'store_errors_total{store="x", reason="full"}',
    ConflictOutcomesLost => 'store_unsettled_total{store="x"}',
    ConflictResolverFails => 'resolver_total{result="failed"}'
);

open my $test, '>', "$dir/../rules.yml" or die;
print $test "rule_files: [ $top/conf/prometheus-rules.yml ]\n"
            . "evaluation_interval: 15s\ntests:\n  - interval: 15s\n"
            . "    input_series:\n",
            map({ "      - { series: 'nginx_conflict_$fires{$_}',"
                  . " values: 0x20 9x40 }\n" } sort keys %fires),
            "    promql_expr_test:\n      - eval_time: 7m\n"
            . "        expr: sum by (alertname) (ALERTS{alertstate='firing'})\n"
            . "        exp_samples:\n",
            map({ "          - { labels: '{alertname=\"$_\"}', value: 1 }\n" }
                sort keys %fires);
close $test;

is(`$top/build/promtool test rules $dir/../rules.yml 2>&1`
   =~ s/^Unit Testing: .*\n//r, "  SUCCESS\n\n", 'each alert fires');

PUT('/plain/1', { n => 1 });
until_true { GET('/metrics')->{body} =~ m!location="/plain/"! };

my %known = map { $_ => 1 } GET('/metrics')->{body} =~ /^# TYPE (\S+)/mg;
my $dashboard = slurp("$top/conf/grafana-dashboard.json");
my $rules = slurp("$top/conf/prometheus-rules.yml");

my $grafana = JSON::PP->new->decode($dashboard);
my @panels = grep { $_->{type} ne 'row' } @{ $grafana->{panels} };
my @notes = grep { $_->{expr} } @{ $grafana->{annotations}{list} };

cmp_ok(scalar(@panels), '>', 5, 'a dashboard with panels');
cmp_ok(scalar(@notes), '>', 1, 'and annotations');

# by Grafana's own schema

$ENV{NODE_PATH} = "$top/build/grafana/node_modules";
is(`node $top/t/grafana/check.js $top/conf/grafana-dashboard.json 2>&1`, '',
   'it is of the type that Grafana has for it');

# by Prometheus, with values in place of Grafana's variables

my @exprs = map { $_->{expr} } @notes, map { @{ $_->{targets} } } @panels;
my $yaml = "groups:\n  - name: dashboard\n    rules:\n";

for my $i (0 .. $#exprs) {
    (my $expr = $exprs[$i]) =~ s/\$__rate_interval/5m/g;

    $expr =~ s/\$location/.*/g;
    $expr =~ s/'/''/g;
    $yaml .= "      - record: panel:$i\n        expr: '$expr'\n";
}

open my $out, '>', "$dir/../dashboard.yml" or die;
print $out $yaml;
close $out;

$said = `$top/build/promtool check rules $dir/../dashboard.yml 2>&1`;
like($said, qr/SUCCESS: ${\ scalar(@exprs)} rules found/, 'what it asks');

# labels that there are

my %label = map { $_ => 1 } GET('/metrics')->{body} =~ /[{,](\w+)="/g;

$label{$_} = 1 for 'instance', 'le';

for my $name (map { /\bby \(([\w, ]+)\)/g } @exprs) {
    $label{$_} or fail("$_ is no label") for split /, /, $name;
}

for my $text (map { ($_->{titleFormat} // '', $_->{legendFormat} // '') }
              @notes, map { @{ $_->{targets} } } @panels)
{
    $label{$_} or fail("$_ is no label") for $text =~ /\{\{(\w+)\}\}/g;
}

# each says what it shows, has limits to color it, and a place of its own

my %place;

for my $panel (@{ $grafana->{panels} }) {
    my $p = $panel->{gridPos};

    for my $x ($p->{x} .. $p->{x} + $p->{w} - 1) {
        $place{"$x $_"}++ && fail("$panel->{title}: on another panel")
            for $p->{y} .. $p->{y} + $p->{h} - 1;
    }

    next if $panel->{type} eq 'row';

    my $defaults = $panel->{fieldConfig}{defaults};

    like($panel->{description}, qr/[.?]$/, "$panel->{title}: description");
    is(ref($defaults->{thresholds}{steps}), 'ARRAY',
       "$panel->{title}: thresholds");
    is($defaults->{noValue}, 'unknown', "$panel->{title}: unknown is not 0")
        if $panel->{type} eq 'stat';
}

for my $text ($dashboard, $rules) {
    for my $name ($text =~ /(?<![:\w])(nginx_conflict_\w+)/g) {
        $name =~ s/_bucket$//;
        next if $name eq 'nginx_conflict_' || $known{$name};
        fail("$name is no metric");
    }
}


=== the rotation of the log, beside that of the distribution
--- config
    location /plain/ {
        conflict version;
        conflict_log logs/conflict.jsonl;
        proxy_pass http://api;
    }
    location /plain/short/ {
        conflict version;
        conflict_log logs/conflict.log;
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $dir = servroot();

my ($rotate) = grep { -x } '/usr/sbin/logrotate', '/usr/bin/logrotate';
my $pid = master_pid();
my ($user) = map { (getpwuid $_)[0] } $>;
my ($group) = (getgrgid $))[0];

# what Debian's package of nginx has there, and the others have as well

my $real = '/etc/logrotate.d/nginx';
my $theirs = -e $real ? slurp($real) : <<'END';
/var/log/nginx/*.log {
	daily
	missingok
	rotate 14
	compress
	delaycompress
	notifempty
	create 0640 www-data adm
	sharedscripts
	prerotate
		if [ -d /etc/logrotate.d/httpd-prerotate ]; then \
			run-parts /etc/logrotate.d/httpd-prerotate; \
		fi \
	endscript
	postrotate
		invoke-rc.d nginx rotate >/dev/null 2>&1
	endscript
}
END

my $ours = slurp("$top/conf/logrotate");

# the examples write where this one looks

my ($file) = $ours =~ m!^(/\S+) \{!m;

for my $example (glob "$top/conf/*.conf") {
    for my $log (slurp($example) =~ /^\s*conflict_log (\S+?)[; ]/mg) {
        is($log, $file, "$example logs to $file");
    }
}

for ($theirs, $ours) {
    s!/var/log/nginx!$dir/logs!g;
    s!/run/nginx\.pid!$dir/logs/nginx.pid!g;
    s!invoke-rc.d nginx rotate!kill -USR1 $pid!;
    s!www-data adm!$user $group!;
}

my $conf = "$dir/../rotate.d";
mkdir $conf;

my $write = sub {
    my ($name, $text) = @_;

    open my $out, '>', "$conf/$name" or die;
    print $out $text;
    close $out;
    chmod 0644, "$conf/$name";
};

$write->('nginx', $theirs);

chmod 0755, "$dir/logs";

for my $path ('/plain/1', '/plain/short/1') {
    set_doc($path, { n => 1 });
    PUT($path, { n => 2, base_version => 1 }) for 1, 2;
}

# whichever of the two is read first

for my $name ('conflict', 'zconflict') {
    unlink "$conf/conflict";
    $write->($name, $ours);

    my $said = `$rotate -d -s $dir/../rotated $conf 2>&1`;
    unlike($said, qr/^error|duplicate/mi, "as $name: no file is taken twice");
    like($said, qr/considering log \S+conflict\.log$/m, 'the short one');
    like($said, qr/considering log \S+conflict\.jsonl$/m, 'the long one');
}

chmod 0600, "$dir/logs/conflict.jsonl";

my @mode = (stat "$dir/logs/conflict.jsonl")[2, 4, 5];
my $said = `$rotate -f -s $dir/../rotated $conf 2>&1`;
is($said, '', 'logrotate takes them');

my ($old) = until_true { glob("$dir/logs/conflict.jsonl-*") };
like(slurp($old), qr/"conflict_version"/, 'what was written is there');
until_true { -e "$dir/logs/conflict.log.1" };
like(slurp("$dir/logs/conflict.log.1"), qr/"conflict_version"/,
     'in the other one too');

# the workers open them anew a moment later

for my $log ('conflict.jsonl', 'conflict.log') {
    my $path = $log =~ /json/ ? '/plain/1' : '/plain/short/1';

    until_true {
        PUT($path, { n => 4, base_version => 1 });
        -s "$dir/logs/$log";
    };
    like(slurp("$dir/logs/$log"), qr/"conflict_version"/,
         'and a new one goes on');
}

is(((stat "$dir/logs/conflict.jsonl")[2] & 0777), $mode[0] & 0777,
   'with the mode that it had');
unlink $old;
