# conflict_fields: the rules of a record's fields from a JSON file.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';
use POSIX ();

Conflict::install('Test::Nginx::Socket');
master_on();

our %doc = (name => 'lamp', price => 100, tags => ['a', 'b'], views => 10,
            rows => [{ id => 1, n => 1 }, { id => 2, n => 1 }]);

sub write_file {
    my ($path, $text) = @_;

    open my $out, '>:raw', $path or die "$path: $!";
    print $out $text;
    close $out;
}

# two clients change what they were both shown, one after the other; what the
# second one gets

sub both_change {
    my ($path, $first, $second) = @_;

    set_doc($path, { %doc });
    GET($path, "X-User: $_") for 'ann', 'bob';

    my $v = version(GET($path, 'X-User: ann'));
    my $r = PUT($path, { %doc, %$first, base_version => $v }, 'X-User: ann');

    is($r->{status}, 204, 'the first one');

    return PUT($path, { %doc, %$second, base_version => $v }, 'X-User: bob');
}

# the rule of the only field that clashes

sub rule_of {
    my ($field) = @{ json(shift)->{conflicts} || [] };

    return $field ? "$field->{field} $field->{rule}" : 'none';
}

run_tests();

__DATA__

=== each rule as conflict_field has it
--- user_files
>>> product.json
{
    "/name":  "lww",
    "/price": "reject",
    "/tags":  "union",
    "/views": {"rule": "sum"},
    "/rows":  {"key": "id", "rule": "union"},
    "/other": "union(k)"
}
--- config
    location / {
        conflict merge;
        conflict_user $http_x_user;
        conflict_fields ../html/product.json;
        proxy_pass http://api;
    }
--- steps
my $r = both_change('/plain/1',
    { name => 'Lamp', tags => ['a', 'c'], views => 11,
      rows => [{ id => 1, n => 2 }, { id => 2, n => 1 }] },
    { name => 'LAMP', tags => ['a', 'b', 'd'], views => 12,
      rows => [{ id => 1, n => 1 }, { id => 2, n => 1 }, { id => 3 }] });

is($r->{status}, 204, 'merged');
is_deeply(json(GET('/plain/1')),
          { name => 'LAMP', price => 100, tags => ['a', 'c', 'd'],
            views => 13,
            rows => [{ id => 1, n => 2 }, { id => 2, n => 1 }, { id => 3 }] },
          'field by field');

$r = both_change('/plain/2', { price => 200 }, { name => 'LAMP' });
is($r->{status}, 409, 'one side alone');
is(rule_of($r), '/price reject', 'clashes by its rule');

$r = both_change('/plain/3', { other => [{ k => 'x', a => 1, b => 1 }] },
                 { other => [{ k => 'x', a => 1 }, { k => 'y' }] });
is($r->{status}, 204, 'merged');
is_deeply(json(GET('/plain/3'))->{other},
          [{ k => 'x', a => 1, b => 1 }, { k => 'y' }], 'by its key');


=== files and conflict_field are one list
--- user_files
>>> a.json
{"/name": "lww"}
>>> b.json
{"/views": "sum"}
--- config
    location / {
        conflict merge;
        conflict_user $http_x_user;
        conflict_fields ../html/a.json;
        conflict_field /tags union;
        conflict_fields ../html/b.json;
        proxy_pass http://api;
    }
--- steps
my $r = both_change('/plain/1',
    { name => 'Lamp', tags => ['a', 'b', 'c'], views => 11 },
    { name => 'LAMP', tags => ['a', 'b', 'd'], views => 11 });

is($r->{status}, 204, 'merged');

my $got = json(GET('/plain/1'));
is("$got->{name} @{ $got->{tags} } $got->{views}", 'LAMP a b c d 12',
   'by all of them');


=== they are inherited where a level has neither
--- user_files
>>> a.json
{"/name": "lww"}
>>> b.json
{"/views": "sum"}
>>> none.json
{}
--- http_config
    conflict_user $http_x_user;
    conflict_fields ../html/a.json;
--- config
    location /plain/ {
        conflict merge;
        proxy_pass http://api;
    }
    location /plain/field/ {
        conflict merge;
        conflict_field /views sum;
        proxy_pass http://api;
    }
    location /plain/file/ {
        conflict merge;
        conflict_fields ../html/b.json;
        proxy_pass http://api;
    }
    location /plain/none/ {
        conflict merge;
        conflict_fields ../html/none.json;
        proxy_pass http://api;
    }
--- steps
my @change = ({ name => 'Lamp' }, { name => 'LAMP' });

is(both_change('/plain/1', @change)->{status}, 204, 'inherited');

for my $level ('field', 'file', 'none') {
    my $r = both_change("/plain/$level/1", @change);

    is($r->{status}, 409, "not with a $level of its own");
    is(rule_of($r), '/name auto', 'it has no rule there');
}

is(both_change('/plain/field/2', { views => 11 }, { views => 11 })->{status},
   204, 'but those that it has');
is(both_change('/plain/file/2', { views => 11 }, { views => 11 })->{status},
   204, 'from a file, too');


=== a reload reads the file anew, if it can be read
--- user_files
>>> product.json
{"/name": "lww"}
--- config
    location / {
        conflict merge;
        conflict_user $http_x_user;
        conflict_fields ../html/product.json;
        proxy_pass http://api;
    }
--- allow
invalid JSON
--- steps
my $file = servroot() . '/html/product.json';
my $log = servroot() . '/logs/error.log';
my @change = ({ name => 'Lamp' }, { name => 'LAMP' });

is(both_change('/plain/1', @change)->{status}, 204, 'as it was');

my @before = workers_of(master_pid());

write_file($file, "{\n  \"/name\": \"reject\",\n}\n");
kill 'HUP', master_pid();

ok(until_true { slurp($log) =~ /\[emerg\] .*invalid JSON.* in \S+product\.json:3:1$/m },
   'a broken one is in the error log');
is_deeply([workers_of(master_pid())], \@before, 'the workers stay');
is(both_change('/plain/2', @change)->{status}, 204, 'with their rules');

write_file($file, '{"/name": "reject"}');
kill 'HUP', master_pid();

ok(until_true { my %now = map { $_ => 1 } workers_of(master_pid());
                %now && !grep { $now{$_} } @before }, 'other workers');

my $r = both_change('/plain/3', @change);
is($r->{status}, 409, 'by the new rule');
is(rule_of($r), '/name reject', 'which the answer names');


=== what is wrong in a file, and where
--- config
    location / {
        return 204;
    }
--- steps
my $dir = servroot() . '/../wrong';
mkdir $_ for $dir, "$dir/conf", "$dir/logs", "$dir/conf/dir.json";

my $load = join '', map { "load_module $_;\n" }
                    split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

# with these directives before the one of the file

my $try = sub {
    my ($file, $before) = @_;
    my $conf = "$dir/conf/nginx.conf";

    write_file($conf, $load . <<"END");
pid $dir/nginx.pid;
events { }
http {
    access_log off;
    server {
        location /x/ {
            conflict merge; $before
            conflict_fields $file;
            proxy_pass http://127.0.0.1:1;
        }
    }
}
END

    my $said = `$ENV{TEST_NGINX_BINARY} -e $dir/error.log -p $dir -c $conf -t 2>&1`;

    # where the lines of the modules do not count

    my $lines = () = $load =~ /\n/g;
    $said =~ s/(nginx\.conf:)(\d+)/$1 . ($2 - $lines)/ge;
    $said =~ s!\Q$dir\E/conf/!!g;

    return $said;
};

my $pointers = join ', ', map { qq("/f$_": "lww") } 0 .. 126;

for my $case (
    ['{', q(invalid JSON: string or '}' expected near end of file in f.json:1:1)],
    ['', q(invalid JSON: '[' or '{' expected near end of file in f.json:1:1)],
    ["\n \n", q(invalid JSON: '[' or '{' expected near end of file in f.json:3:1)],
    ['"lww"', q(invalid JSON: '[' or '{' expected near '"lww"' in f.json:1:5)],
    [qq({\n  "/a": "lww"\n  "/b": "max"\n}),
     q(invalid JSON: '}' expected near '"/b"' in f.json:3:6)],
    [qq({\n  "/a": lww\n}), q(invalid JSON: invalid token near 'lww' in f.json:2:11)],
    [qq(// ours\n{"/a": "lww"}), q(invalid JSON: '[' or '{' expected near '/' in f.json:1:1)],
    [qq({"/a": "lww"} {}), q(invalid JSON: end of file expected near '{' in f.json:1:15)],
    [qq({"/a": "lww",\n"/a": "max"}),
     q(invalid JSON: duplicate object key near '"/a"' in f.json:2:4)],
    [qq({"/a": {"rule": "lww", "rule": "max"}}),
     q(invalid JSON: duplicate object key near '"rule"' in f.json:1:29)],
    [qq({"/caf\xe9": "lww"}), q(invalid JSON: unable to decode byte 0xe9 near '"/caf' in f.json:1:6)],
    ["\xff\xfe{\0}\0", q(invalid JSON: unable to decode byte 0xff in f.json:1:1)],
    ["{\"/a\0\": \"lww\"}", q(invalid JSON: control character 0x0 near '"/a' in f.json:1:4)],
    [' [{"/a": "lww"}]', q(an array, it must be an object of fields and their rules, such as {"/title": "lww"} in f.json:1:2)],
    [qq({"/a": "lww",\n "/b": 5}),
     q(the rule of field "/b" is a number, it must be a string such as "sum", or an object such as {"rule": "union", "key": "id"} in f.json:2:8)],
    ['{"/a": null}', q(the rule of field "/a" is null, it must be)],
    ['{"/a": false}', q(the rule of field "/a" is a boolean, it must be)],
    ['{"/a": ["lww"]}', q(the rule of field "/a" is an array, it must be)],
    [qq({"/a": "lww",\n  "/b": "newest"}),
     q(invalid rule "newest", it must be "auto", "lww", "server", "reject", "union", "union(KEY)", "max", "min", "sum", "text" or "list" in f.json:2:3)],
    ['{"/a": ""}', q(invalid rule "", it must be "auto")],
    ['{"/a": {"rule": "newest"}}', q(invalid rule "newest", it must be "auto")],
    ['{"/a": "union()"}', q(invalid rule "union()", it must be)],
    ['{"/a": {"rule": "union", "key": ""}}', q(invalid rule "union()", it must be)],
    [qq({"/a": {"rule": "union",\n        "keys": "id"}}),
     q(invalid parameter "keys" of field "/a", it must be "rule" or, of a union, "key" in f.json:2:9)],
    ['{"/a": {"rule": "union", "key": 5}}',
     q(parameter "key" of field "/a" is a number, it must be a string in f.json:1:33)],
    ['{"/a": {"rule": {}}}',
     q(parameter "rule" of field "/a" is an object, it must be a string in f.json:1:17)],
    ['{"/a": {"key": "id"}}', q(field "/a" has no "rule", it must be a string such as "sum", or an object such as {"rule": "union", "key": "id"} in f.json:1:8)],
    ['{"/a": {}}', q(field "/a" has no "rule")],
    ['{"/a": {"rule": "max", "key": "id"}}',
     q(parameter "key" of field "/a" requires the rule "union", not "max" in f.json:1:24)],
    ['{"/a": {"rule": "union(id)", "key": "id"}}',
     q(parameter "key" of field "/a" requires the rule "union", not "union(id)")],
    ['{"a": "lww"}', q(invalid JSON pointer "a", it must be "/NAME", with at most 16 names, each after a "/", and at most 256 bytes in f.json:1:2)],
    ['{"": "lww"}', q(invalid JSON pointer "", it must be)],
    ["{$pointers,\n\"/one/more\": \"lww\"}",
     q(too many fields, "/one/more" exceeds the limit of 127 in f.json:2:1)],
    [qq({"/a": "lww",\n "/a/b": "max"}),
     q(field "/a/b" overlaps with another one: the outer one has the rule "lww", which covers everything inside it; the first one is in f.json:1:2, the second one in f.json:2:2)],

    # braces and quotes where they mean nothing

    [qq({"/\\"{[": {"key": "]}\\\\\\"",\n"rule": "union"}, "/b": "lww",\n  "/c": 1}),
     q(the rule of field "/c" is a number, it must be a string such as "sum", or an object such as {"rule": "union", "key": "id"} in f.json:3:9)],

    # characters count, not bytes, and what an editor puts first does not

    [qq(\xef\xbb\xbf{"/\xc3\xa9\xe2\x82\xac": "newest"}), q("list" in f.json:1:2)],
    [qq(\xef\xbb\xbf{"/\xc3\xa9\xe2\x82\xac": 1}), q("key": "id"} in f.json:1:9)],
    [qq(\xef\xbb\xbf{"/\xc3\xa9\xe2\x82\xac": x}), q(near 'x' in f.json:1:9)],
) {
    my ($text, $want) = @$case;

    write_file("$dir/conf/f.json", $text);

    my $said = $try->('f.json', '');

    ok(index($said, $want) >= 0, $want) or diag($said);
}

# beside conflict_field, and beside another file

write_file("$dir/conf/f.json", qq({\n "/a": "lww"\n}));
write_file("$dir/conf/g.json", qq({"/b": "max", "/a": "max"}));

like($try->('f.json', "\nconflict_field /a max;"),
     qr!\Qfield "/a" is duplicate, its first rule is in nginx.conf:8, the second one in f.json:2:2\E$!m,
     'a field that is in the configuration as well');
like($try->("f.json; conflict_field /a max", ''),
     qr!\Qfield "/a" is duplicate, its first rule is in f.json:2:2, the second one in nginx.conf:8\E$!m,
     'the other way round');
like($try->('f.json', 'conflict_fields g.json;'),
     qr!\Qfield "/a" is duplicate, its first rule is in g.json:1:15, the second one in f.json:2:2\E$!m,
     'in two files');

# of the base version

write_file("$dir/conf/f.json", qq({\n "/base_version": "lww"\n}));
like($try->('f.json', ''),
     qr!\Q"conflict_fields" in location "/x/" has the rule "lww" for the member with the base version, which is not merged, see f.json:2:2 in nginx.conf\E!,
     'the base');

# what is no file

like($try->('none.json', ''),
     qr!\Qopen() "none.json" failed (2: No such file or directory) in nginx.conf:8\E$!m,
     'no file');
like($try->('dir.json', ''),
     qr!\Q"dir.json" is not a regular file in nginx.conf:8\E$!m, 'a directory');

POSIX::mkfifo("$dir/conf/pipe.json", 0600) or die;
like($try->('pipe.json', ''),
     qr!\Q"pipe.json" is not a regular file in nginx.conf:8\E$!m,
     'a pipe, which nobody writes');

SKIP: {
    skip 'root may read it', 1 if $> == 0;

    chmod 0, "$dir/conf/g.json";
    like($try->('g.json', ''),
         qr!\Qopen() "g.json" failed (13: Permission denied) in nginx.conf:8\E$!m,
         'one that may not be read');
}

my $large = '{"/a": "lww"' . ' ' x (1024 * 1024 - 13) . '}';

write_file("$dir/conf/f.json", $large);
like($try->('f.json', ''), qr/test is successful/, 'the largest one');
write_file("$dir/conf/f.json", "$large\n");
like($try->('f.json', ''),
     qr!\Q"f.json" has 1048577 bytes, the limit is 1048576 in nginx.conf:8\E$!m,
     'one that is larger');

# what is right

for my $text ('{}', "\xef\xbb\xbf{\"/a\": \"lww\"}", "{$pointers}",
              qq({"/a": {"rule": "auto"}, "/a/b": "max",\r\n"/a~1": "text"}))
{
    write_file("$dir/conf/f.json", $text);

    my $said = $try->('f.json', '');

    like($said, qr/test is successful/, substr($text, 0, 20)) or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning');
}


=== rules of fields that no merge reads: in a location
--- user_files
>>> a.json
{"/name": "lww"}
--- config
    location /x/ {
        conflict version;
        conflict_fields ../html/a.json;
        proxy_pass http://api;
    }
    location /y/ {
        conflict merge;
        proxy_pass http://api;
    }
--- error_log
"conflict_fields" in location "/x/" has no effect without "conflict merge"


=== the same, for all of them
--- user_files
>>> a.json
{"/name": "lww"}
--- http_config
    conflict_fields ../html/a.json;
--- config
    location /x/ {
        conflict version;
        proxy_pass http://api;
    }
--- error_log
"conflict_fields" has no effect, no location has "conflict merge"
