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
my $dir = servroot() . '/example';

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
    $text =~ s!listen 80;!listen 127.0.0.1:$port;!;
    $text =~ s!http \{!http {\n client_body_temp_path $dir/b;\n proxy_temp_path $dir/p;\n fastcgi_temp_path $dir/f;\n uwsgi_temp_path $dir/u;\n scgi_temp_path $dir/s;!;

    open my $out, '>', "$dir/nginx.conf" or die;
    print $out "pid $dir/nginx.pid;\n$text";
    close $out;

    my $said = `$ENV{TEST_NGINX_BINARY} -e $dir/error.log -p $dir -c $dir/nginx.conf -t 2>&1`;

    like($said, qr/test is successful/, "nginx takes $name");
    unlike($said, qr/\[warn\]/, 'without a warning');
}
