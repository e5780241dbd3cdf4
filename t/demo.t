# The demo: its page, played in a browser, and the story for a terminal.
#
# Needs: chromium build/page/node_modules build/ngx_http_conflict_module.so

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

use IPC::Open2;

BEGIN {
    need('chromium', 'node', map { "$ENV{TEST_NGINX_TOP}/build/$_" }
         qw(page/node_modules ngx_http_conflict_module.so));
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== demo/run page
--- config
    location / {
        return 204;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $shots = "$top/build/t/demo";

mkdir $_ for "$top/build/t", $shots;

my $pid = IPC::Open2::open2(my $out, my $in, "$top/demo/run", 'page');
my $said = '';

while (<$out>) {
    $said .= $_;
    last if /^Ctrl-C/;
}

my ($url) = $said =~ m!(http://127\.0\.0\.1:\d+/)$!m;
my ($log) = $said =~ m!audit log +(\S+)!;

ok($url && $log, 'says where it is') or return diag($said);

local $ENV{NODE_PATH} = "$top/build/page/node_modules";

my $n = 0;

for my $line (split /\n/, `node $top/t/page/demo.js $url $log $shots 2>&1`) {
    my ($bad, $name) = $line =~ /^(not )?ok (.*)/ or do { fail($line); next };

    ok(!$bad, $name);
    $n++;
}

cmp_ok($n, '>', 150, 'all was looked at');

my ($dir) = $log =~ m!(.*)/!;

is(join('', grep { !/\[warn\]/ } split /^/, slurp("$dir/error.log")), '',
   'a quiet error log');

close $in;
waitpid $pid, 0;
is($?, 0, 'ends with its input');
ok(!-e $dir, 'and leaves nothing');


=== demo/run and Ctrl-C, which all processes of a terminal get
--- config
    location / {
        return 204;
    }
--- steps
pipe my $in, my $end or die "pipe: $!";

my $pid = open(my $out, '-|') // die "fork: $!";

if ($pid == 0) {
    setpgrp;
    $SIG{INT} = 'DEFAULT';      # a shell ignores it in the background
    open STDIN, '<&', $in;
    open STDERR, '>&', *STDOUT;
    exec "$ENV{TEST_NGINX_TOP}/demo/run", 'page';
}

my $said = '';

while (<$out>) {
    $said .= $_;
    last if /^Ctrl-C/;
}

my ($dir) = $said =~ m!audit log +(.*)/!;

ok(-d $dir, 'is up');
kill INT => -$pid;
is(CORE::join('', <$out>), '', 'nothing more is said');
waitpid $pid, 0;
is($?, 0, 'it ends');
ok(!-e $dir, 'and leaves nothing');


=== demo/run without a terminal
--- config
    location / {
        return 204;
    }
--- steps
my $said = `$ENV{TEST_NGINX_TOP}/demo/run < /dev/null`;

is($?, 0, 'the story works');
like($said, qr/== conflict version ==.* 409 .*== conflict lww ==.*== conflict server_wins ==.*== the audit log ==/s,
     'and is told');
