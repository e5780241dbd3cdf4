# The examples of the pages do what the pages say.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# in a block of a page, each "$ command" and below it lines that its output
# has, in this order; "..." is anything, and a version is that which came the
# first time it stood there

sub follow {
    my $page = page(@_);
    my %number;
    my $commands = 0;

    for my $block ($page =~ /^```console\n(.*?)^```/msg) {

        for my $part (split /^(?=\$ )/m, $block) {
            $part =~ s/\\\n\s+//g;

            my ($command, @want) = split /\n/, $part;

            $command =~ s/^\$ //;
            (my $run = $command) =~ s!http://localhost/!"http://127.0.0.1:" . port() . '/'!ge;
            $run =~ s/\b(\d{13})\b/$number{$1} || $1/ge;

            my $said = `$run 2>/dev/null`;
            my @lines = split /\r?\n/, $said;

            $commands++;

            for my $want (@want) {
                my @seen;
                my $pattern = quotemeta $want;

                $pattern =~ s/\\\.\\\.\\\./.*/g;
                $pattern =~ s/\d{4}\\-\d\d\\-\d\dT[\d\\:]+\\\.\d+Z/[\\d:.TZ-]+/g;
                $pattern =~ s/\b(\d{13})\b/$number{$1} ? $number{$1}
                                           : do { push @seen, $1; '(\d{13})' }/ge;

                my $found = 0;

                while (@lines) {
                    my $line = shift @lines;
                    my @got = $line =~ /^$pattern/ or next;

                    @number{@seen} = @got if @seen;
                    $found = 1;
                    last;
                }

                ok($found, "$command: $want") or diag($said);
            }
        }
    }

    cmp_ok($commands, '>', 3, 'commands were run');
}

# a page, or a section of it

sub page {
    my ($name, $section) = @_;
    my $page = slurp("$ENV{TEST_NGINX_TOP}/$name");

    ($page) = $page =~ /^## $section\n(.*?)^## /ms if $section;

    return $page;
}

run_tests();

__DATA__

=== docs/protocol.md
--- config
    location /api/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
    location /api/articles/ {
        conflict version;
        proxy_pass http://api/etag/;
    }
    location /api/strict/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/notes/1', '{"id":1,"text":"buy milk"}');
set_doc('/etag/1', '{"id":1,"text":"On milk"}');
set_doc('/plain/strict/1', '{"id":1}');

follow('docs/protocol.md');


=== docs/clients.md
--- config
    location /api/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/notes/1', '{"text":"milk"}');

follow('docs/clients.md');


=== docs/merge.md
--- config eval
my $page = Conflict::Util::slurp("$ENV{TEST_NGINX_TOP}/docs/merge.md");
my ($config, @more) = $page =~ /^```nginx\n(.*?)^```/msg;
$config .= CORE::join('', grep { m!/api/recipes/! } @more);
$config =~ s!(/api/(\w+)/ .*?)http://127.0.0.1:3000!$1http://api/plain/$2/!gs;
$config;
--- steps
set_doc('/plain/recipes/1', '{"steps":["chop","fry","serve"]}');
set_doc('/plain/products/7', '{"name":"lamp","price_cents":1200,'
        . '"updated_at":"mon","tags":["desk"],"views":10}');

follow('docs/merge.md');


=== README.md: a policy per field
--- config eval
my ($config) = main::page('README.md', 'Policies') =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/assign/products/!;
$config;
--- steps
set_doc('/assign/products/7', '{"id":7,"name":"lamp","price_cents":1200,'
        . '"updated_at":"mon","tags":["desk"]}');

follow('README.md', 'Policies');


=== docs/lock.md
--- config eval
my $page = Conflict::Util::slurp("$ENV{TEST_NGINX_TOP}/docs/lock.md");
my ($config) = $page =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/!;
$config;
--- steps
set_doc('/plain/notes/1', '{"id":1,"text":"buy milk"}');

follow('docs/lock.md');


=== each promise of docs/operations.md has its test
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my ($promises) = slurp("$top/docs/operations.md")
                 =~ /^## What is promised\n(.*?)^## /ms;
my @rows = $promises =~ /^\| [^|`][^|]* \| (.*) \|$/mg;
my $tests = 0;

for my $row (grep { !/^the test/ } map { split /; (?=`t)/ } @rows) {
    my ($file, $what) = $row =~ /^`(t\/\S+)`: (.+)$/;
    my $text = slurp("$top/$file");

    $what = "=== $what\n" if $file =~ /\.t$/;
    $tests++;

    ok(index($text, $what) >= 0, $row);
}

cmp_ok($tests, '>', 40, 'all were looked for');
