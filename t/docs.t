# The examples in the documentation work as documented.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Page;
use MIME::Base64;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# what a script prints

sub said {
    open my $out, '-|', 'bash', '-c', $_[0] or die "bash: $!";
    local $/;

    return scalar <$out>;
}

run_tests();

__DATA__

=== docs/protocol.md
--- config
    location /api/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
    location /api/orders/ {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api/plain/orders/;
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


=== docs/idempotency.md
--- config
    location /api/ {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api/deep/;
    }
--- steps
follow('docs/idempotency.md');


=== docs/clients.md
--- config
    location /api/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/notes/1', '{"text":"milk"}');

follow('docs/clients.md');

# the script with curl, and the same with a tag that is not the latest

my ($script) = page('docs/clients.md') =~ /^```sh\n(.*?)^```/ms;

$script =~ s!http://localhost/!"http://127.0.0.1:" . port() . '/'!ge;

is(said($script), '', 'the script');
like(upstream('/_doc?path=/plain/notes/1'), qr/tea/, 'has written');

$script =~ s/^etag=.*/etag='"7"'/m;

like(said($script), qr/"server_version".*^not written$/ms,
     'or says that it has not');


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


=== docs/merge.md: the same rules in a file
--- user_files eval
main::page('docs/merge.md', 'Rules in a file') =~ /^```json\n(.*?)^```/ms;
">>> products.json\n$1";
--- config eval
my ($config) = main::page('docs/merge.md', 'Rules in a file')
               =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/products/!;
$config =~ s!conflict_fields !$&../html/!;
$config;
--- steps
set_doc('/plain/products/7', '{"name":"lamp","price_cents":1200,'
        . '"updated_at":"mon","tags":["desk"],"views":10}');

follow('docs/merge.md', 'What is merged');


=== docs/resolver.md
--- config eval
my ($config) = main::page('docs/resolver.md') =~ /^```nginx\n(.*?)^```/ms;
my $port = main::free_port();
Conflict::start_server('resolver.py', $port);
$config =~ s!http://127.0.0.1:3000!http://api/plain/stock/!;
$config =~ s!http://127.0.0.1:3001!http://127.0.0.1:$port!;
$config;
--- steps
set_doc('/plain/stock/7', '{"name":"lamp","left":5}');

follow('docs/resolver.md');


=== docs/policies.md
--- config eval
my ($lww, $fields) = main::page('docs/policies.md') =~ /^```nginx\n(.*?)^```/msg;
$lww =~ s!http://127.0.0.1:3000!http://api/plain/notes/!;
$fields =~ s!http://127.0.0.1:3000!http://api/assign/products/!;
"$lww\n$fields";
--- steps
set_doc('/assign/products/7', '{"id":7,"name":"lamp","price_cents":1200,'
        . '"updated_at":"mon","tags":["desk"]}');

set_doc('/plain/notes/1', '{"text":"buy milk"}');

follow('docs/policies.md');

my @lines = grep { $_->{action} eq 'conflict_lww' } conflicts();

is(scalar(@lines), 1, 'the log has one line for the note');
is($lines[0]{client_origin}, 'mobile', 'of the device that has overwritten it');


=== docs/lock.md
--- config eval
my $page = Conflict::Util::slurp("$ENV{TEST_NGINX_TOP}/docs/lock.md");
my ($config) = $page =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/!;
$config;
--- steps
set_doc('/plain/notes/1', '{"id":1,"text":"buy milk"}');

follow('docs/lock.md');


=== docs/versions.md
--- config eval
my ($config) = main::page('docs/versions.md') =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/!;
$config;
--- steps
set_doc('/plain/notes/1', '{"text":"buy milk"}');

follow('docs/versions.md');


=== docs/edited.md
--- config eval
my ($config) = main::page('docs/edited.md') =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/notes/!;
$config;
--- steps
set_doc('/plain/notes/1', '{"text":"buy milk"}');

follow('docs/edited.md');


=== docs/lists.md
--- config eval
my ($config) = main::page('docs/lists.md') =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain!g;
$config =~ s!(location /api/notes/ .*?/plain)!$1/notes/!s;
$config;
--- steps
set_doc('/plain', '{"data":[{"id":1,"text":"buy milk"},'
        . '{"id":2,"text":"call Ann"}]}');
set_doc('/plain/notes/1', '{"id":1,"text":"buy milk"}');

follow('docs/lists.md');


=== docs/inbox.md
--- config eval
my ($config) = main::page('docs/inbox.md') =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/!;
$config =~ s!\busers;!$ENV{TEST_NGINX_SERVROOT}/html/users;!g;
$config;
--- user_files
>>> users
ann:{PLAIN}secret
bob:{PLAIN}secret
--- steps
my %by = map { $_ => 'Authorization: Basic '
                     . encode_base64("$_:secret", '') }
         'ann', 'bob';

set_doc('/plain/notes/1', '{"text":"milk"}');

my $tag = 'If-Match: "' . version(GET('/api/notes/1', $by{ann})) . '"';

PUT('/api/notes/1', { text => 'b' }, $tag, $by{bob});

my $r = PUT('/api/notes/1', { text => 'a' }, $tag, $by{ann},
            'X-Client: laptop');

follow('docs/inbox.md', undef, '5f0c...' => json($r)->{held},
       '6a1b...' => '...', 604799.1 => '...');


=== docs/events.md
--- config eval
my ($config) = main::page('docs/events.md') =~ /^```nginx\n(.*?)^```/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/!;
$config;
--- steps
set_doc('/plain/notes/1', '{"text":"milk"}');
GET('/api/notes/1');

follow('docs/events.md', undef, 'curl -N' => 'curl -N -m 2');


=== docs/directives.md has each directive, at its top and as a section
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $page = slurp("$top/docs/directives.md");
my ($list) = $page =~ /\A(.*?)^## /ms;
my ($commands) = slurp("$top/src/ngx_http_conflict_module.c")
                 =~ /^static ngx_command_t .*?\{\n(.*?)^\};/ms;
my @registered = sort(($commands // '') =~ /^    \{ ngx_string\("(\w+)"\),/mg);
my @listed = map { /^(\w+)\]\(#\1\)/ ? $1 : () } split /\[/, $list;
my @sections = $page =~ /^## (conflict\w*)$/mg;

cmp_ok(scalar(@registered), '>', 20, 'there are some');
is("@listed", "@registered", 'the list at the top');
is("@sections", "@registered", 'the sections, in the same order');


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


=== make t FILES=... installs and builds what these files need
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $make = sub {
    `env -u MAKEFLAGS -u MAKELEVEL -u FILES make -n MAKE=: -C $top @_ 2>&1`
};
my $all = qr/chromium|npm|node_modules|promtool|litmus|clang|broken|objs-fuzz/;

my $said = $make->('t', 'FILES="t/version.t t/lww.t"');
like($said, qr!TEST_FILES='t/version.t t/lww.t' t/run t$!m, 'two files');
like($said, qr!build/test/ngx_http_conflict_module\.so!, 'the test module');
unlike($said, qr/$all|redis-server/, 'nothing else');

like($make->('redis', 'FILES=t/version.t'), qr/redis-server/, 'Redis');

$said = $make->('t', 'FILES=t/page.t');
like($said, qr!chromium!, 'a browser for the page');
like($said, qr!build/page/node_modules!, 'and what drives it');
unlike($said, qr/promtool|litmus|clang|broken/, 'nothing else');

my $tools = $make->('test-tools');

for my $file (glob "$top/t/*.t") {
    for my $need (map { split } slurp($file) =~ /^# Needs: (.+)/m) {
        like($tools, qr/[ \/]\Q$need\E\s/, "all tests need $need");
    }
}


=== make debug
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $make = 'env -u MAKEFLAGS -u MAKELEVEL make -n -B MAKE=:';
my $so = 'build/debug/ngx_http_conflict_module.so';

like(`$make -C $top $top/$so`, qr/-O2 .* -O0 /, 'without optimization');

my $said = `$make -C $top debug`;
like($said, qr!\Q$so\E.*demo/debug!s, 'and with an example');

my $dir = servroot() . '/html';
mkdir "$dir/$_" for 'demo', 'build';
system("cp $top/demo/debug $top/demo/nginx.conf $dir/demo") == 0 or die;
$said = `$dir/demo/debug`;

like($said, qr! -p build/debug -c nginx.conf !, 'says how it is run');
my $conf = slurp("$dir/build/debug/nginx.conf");
like($conf, qr/^error_log debug.log debug;/m, 'with a debug log');
unlike($conf, qr/@\w/, 'and nothing left to be put in');


=== t/style says what is wrong, and where
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $dir = servroot() . '/html';
my $file = sub {
    my ($name, @lines) = @_;
    my $path = $dir;

    for my $part (split m!(?=/)!, "/src/$name") {
        mkdir $path;
        $path .= $part;
    }

    open my $out, '>', $path or die "$path: $!";
    print $out map { "$_\n" } '', '/*', ' * Copyright (C) x', ' */', @lines;
    close $out;
};
my $style = sub { `cd / && $ENV{TEST_NGINX_TOP}/t/style $dir 2>&1` };
my $n = 'ngx_http_conflict';

$file->("answer/${n}_answer.h");
$file->("write/${n}_diff.h");
$file->("http/${n}_header.h");
$file->("write/${n}_diff.c", "#include <ngx_http.h>",
        "#include \"http/${n}_header.h\"",
        "#include \"write/${n}_diff.h\"", 'void', "${n}_diff(void)", '{', '}',
        'void', "${n}_diff_end(void)", '{', '}',
        'static void', 'any(void)', '{', '}');
$file->("write/${n}_diff_first.c", 'void', "${n}_diff_first(void)", '{', '}');

is($style->(), "ok style: 5 files\n", 'all is well');

$file->("write/${n}_pass.c", "#include \"answer/${n}_answer.h\"",
        "#include \"${n}_diff.h\"", '#include <hiredis/async.h>',
        'int', "${n}_passed(void)", '{', '}');
$file->("write/${n}_diff.c", 'int', "${n}_diff_first_of(void)", '{', '}');
$file->('core/text/conflict_text.c', '#include <ngx_core.h>');
$file->('other/x.h');

is($style->(), <<"END", 'or it is not');
src/other: t/style has no rule for this folder
src/core/text/conflict_text.c:5: nginx in the core
src/core/text/conflict_text.c:5: <ngx_core.h> may not be included from core/text/
src/write/${n}_diff.c:6: ${n}_diff_first_of() belongs to src/write/${n}_diff_first.c, by its name
src/write/${n}_pass.c:5: answer/${n}_answer.h may not be included from write/
src/write/${n}_pass.c:6: ${n}_diff.h is not in src/: includes are written from there
src/write/${n}_pass.c:7: <hiredis/async.h> may not be included from write/
src/write/${n}_pass.c:9: ${n}_passed() does not begin with ${n}_pass
not ok style: 8 files
END


=== the map of docs/internals.md is the tree
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my (%tree, %map, @order);

for my $path (split /\n/, `cd $top && find src -type f`) {
    my ($folder, $name) = $path =~ m!^(.*/)(.*)!;

    next if $name =~ /(.*)\.h$/ && -e "$top/$folder$1.c";

    $name =~ s/^(?:ngx_http_)?conflict_//;
    $name =~ s/\.c$//;
    $tree{$folder}{$name} = 1;
}

for (split /^- /m, main::page('docs/internals.md', 'Map')) {
    my ($folder, $files) = /^`(src\/\S*)`: [^`]*\.\n(.*?)(?:\n\n|\z)/s or next;

    push @order, $folder;
    $map{$folder} = { map { $_ => 1 } $files =~ /`(\S+)`/g };
}

is(join(' ', sort keys %map), join(' ', sort keys %tree), 'the folders');

for my $folder (sort keys %tree) {
    is(join(' ', sort keys %{ $map{$folder} }),
       join(' ', sort keys %{ $tree{$folder} }), "the files of $folder");
}

my @floors = map { $_ eq '' ? 'src/' : "src/$_/" }
             slurp("$top/t/style") =~ m!^    \[ '([\w/]*)' +=>!mg;
my %floor = map { $_ => 1 } @floors;

is(join(' ', grep { $floor{$_} } @order), "@floors", 'in the order of t/style');


=== the states of docs/internals.md are all of them
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $headers = `cd $top && cat \$(find src -name '*.h')`;
my ($enum) = $headers
             =~ /^typedef enum \{\n([^{}]*)\} ngx_http_conflict_state_e;/m;
my @states = ($enum // '') =~ /^ +NGX_HTTP_CONFLICT_STATE_(\w+)/mg;
my @listed = main::page('docs/internals.md', 'The path of a request')
             =~ /^    (\S(?: ?\S)*)/mg;

cmp_ok(scalar(@states), '>', 10, 'there are some');
is(join(' ', map { s/\W+/_/gr } map { uc } @listed), "@states",
   'each, in the same order');


=== files that are named in pages for developers are there
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my @files = split /\n/, `cd $top && find . -path ./build -prune -o -type f -print`;
my $tree = join '', map { "$_\n" } @files;
my $named = 0;

# a path from the top or from src/, the name of a file, or the end of one

for my $name ('CONTRIBUTING.md', 'SECURITY.md', 'docs/internals.md') {
    my $page = slurp("$top/$name");
    (my $dir = "$top/$name") =~ s![^/]+$!!;

    for ($page =~ /\]\(([^)#:]+)(?:#[^)]*)?\)/g) {
        ok(-e "$dir$_", "$name links to $_");
        $named++;
    }

    for ($page =~ /`([\w.\/]+)`/g) {
        next unless /^(src|t|docs|conf|demo|bench)\// || /\.(c|h|lua|py|pm|t)$/;

        ok(-e "$top/$_" || $tree =~ m![/_]\Q@{[s/^_//r]}\E$!m,
           "$name names $_");
        $named++;
    }
}

cmp_ok($named, '>', 50, 'all were looked for');


=== README.md
--- config eval
my ($config) = main::page('README.md') =~ /^        (location .*?^        \})/ms;
$config =~ s!http://127.0.0.1:3000!http://api/plain/!;
$config;
--- steps
set_doc('/plain/notes/1', '{"id":1,"text":"buy milk"}');

follow('README.md');

my $top = $ENV{TEST_NGINX_TOP};
my $lines = () = slurp("$top/README.md") =~ /^/mg;

cmp_ok($lines, '<=', 110, 'no more than two screens');
like(`make -nC $top $_ MAKE=: 2>&1`, $_ eq 'demo' ? qr!demo/! : qr!t/run!,
     "make $_") for page('README.md') =~ /^    make (demo|test)\b/mg;


=== links lead to something
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my @files = split /\n/, `cd $top && ls *.md docs/*.md clients/*/*.md`;
my (%anchor, %linked);

# as on GitHub and elsewhere

for my $file (@files) {
    my $text = slurp("$top/$file") =~ s/^```.*?^```//gmsr;

    for my $title ($text =~ /^#+ (.+)/mg) {
        $title =~ s/[^\w\- ]//g;
        $anchor{"$file#" . lc($title =~ tr/ /-/r)} = 1;
    }
}

for my $file (@files) {
    my $text = slurp("$top/$file") =~ s/^```.*?^```//gmsr;
    my ($dir) = $file =~ m!^(.*/)!;

    for my $link ($text =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ /^\w+:/;

        # a page that comes with the packages


        my ($path, $section) = split /#/, $link;
        my $to = $path eq '' ? $file : ($dir // '') . $path;

        1 while $to =~ s![^/]+/\.\./!!;

        ok(-e "$top/$to", "$file links to $link");
        ok($anchor{"$to#$section"}, "$file: $link is a section")
            if defined $section;
        $linked{$to} = 1 if $file eq 'docs/README.md';
    }
}

# the front door leads to all

for my $file (glob("$top/docs/*.*")) {
    my ($name) = $file =~ m!(docs/[^/]+)$!;
    next if $name eq 'docs/README.md';
    ok($linked{$name}, "docs/README.md links to $name");
}


=== docs/troubleshooting.md has all that one may see
--- config
    location / {
        proxy_pass http://api;
    }
--- steps
my $top = $ENV{TEST_NGINX_TOP};
my $page = slurp("$top/docs/troubleshooting.md");
my $names = slurp("$top/src/http/ngx_http_conflict_names.c");

# first words of rows, by section

my $first = sub {
    my ($section) = @_;
    my ($text) = main::page('docs/troubleshooting.md', $section);

    $text =~ s/^.*\n\|---.*//mg;

    return sort map { /`(\w+)`/g } $text =~ /^\| ([^|]*`[^|]*) \|/mg;
};
my $strings = sub {
    my ($array) = @_;
    my ($list) = $names =~ /_$array\[\] = \{(.*?)\}/s;

    return $list =~ /ngx_string\("(\w+)"\)/g;
};

my @errors = slurp("$top/src/answer/ngx_http_conflict_problem.c")
             =~ /^    \{ \w+,\s+"([a-z_]+)",/mg;

is(CORE::join(' ', $first->('The Conflict field')),
   CORE::join(' ', sort $strings->('outcome_names'),
              qw(version base fields held report settling)), 'Conflict');
is(CORE::join(' ', $first->('The audit log')),
   CORE::join(' ', sort $strings->('action_names')), 'actions');
is(CORE::join(' ', $first->('Errors')),
   CORE::join(' ', sort @errors), 'errors');

my $response = `cd $top && cat src/response/*.c`;

for my $name ($response =~ /";(\w+)/g) {
    like($page, qr/^\| `$name` \|/m, "the parameter $name");
}

# lines of the error log: what is constant in each, in its order; errors of
# nginx.conf explain themselves

my ($error_log) = main::page('docs/troubleshooting.md', 'The error log');
my $source = `cd $top && cat \$(find src -name '*.c')`;
my $n = 0;

while ($source =~ /\bngx_(conf_)?log_error\(NGX_LOG_(\w+),[^;]*?,\s*((?:[A-Za-z_]+\s+)?"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*)/g) {
    my ($conf, $level, $text) = ($1, $2, $3);

    next if $conf && $level ne 'WARN';

    $text = CORE::join '', $text =~ /"((?:[^"\\]|\\.)*)"/g;
    $text =~ s/\\"/"/g;
    next if $text !~ /[a-z]{4}.*[a-z]{4}/;

    # with the text of the system's error

    next if $text =~ /^\w+\(\) failed$/;

    my $pattern = CORE::join '.*?', map { quotemeta } split /%\*?(?:ui|[VMsdO])/, $text, -1;
    $pattern =~ s/process\.\*\?/process.*?/;

    like($error_log, qr/`[^`|]*$pattern/, "$level $text");
    $n++;
}

cmp_ok($n, '>', 30, 'all were looked for');

my @fates = $source =~ /fence_log\(ctx, ((?:"[^"]*"\s*)+)/g;

cmp_ok(scalar(@fates), '==', 3, 'what becomes of a write');

for my $fate (map { CORE::join '', /"([^"]*)"/g } @fates) {
    like($error_log, qr/in time, $fate/, $fate);
}
