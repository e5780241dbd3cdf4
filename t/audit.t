# The audit log: each conflict once, each line one JSON object.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== all members
--- config
    server_name api.example;
    location /plain/ {
        conflict version;
        conflict_entity note;
        conflict_user $http_x_user;
        conflict_client $http_x_device;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = version(PUT('/plain/1', { n => 1 }));
my $r = PUT('/plain/1', { n => 2, base_version => $v }, 'X-User: alice',
            'X-Device: phone');
my ($line) = conflicts();

is_deeply([sort keys %$line],
          [sort qw(time conflict_id action policy report entity entity_id
                   user_id client_origin method status base_version
                   server_version client_ts server_ts fields meta remote_addr
                   server_name)], 'members');
is($line->{action}, 'conflict_version', 'action');
is($line->{policy}, 'version', 'policy');
is($line->{report}, JSON::PP::false(), 'report');
is($line->{entity}, 'note', 'entity');
is($line->{entity_id}, '/plain/1', 'entity_id');
is($line->{user_id}, 'alice', 'user_id');
is($line->{client_origin}, 'phone', 'client_origin');
is($line->{method}, 'PUT', 'method');
is($line->{status}, 409, 'status');
is($line->{base_version}, $v, 'base_version');
is($line->{server_version}, $w, 'server_version');
is($line->{client_ts}, undef, 'client_ts');
like($line->{server_ts}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'server_ts');
like($line->{time}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'time');
is_deeply($line->{fields}, ['/n'], 'fields');
is_deeply($line->{meta}, { server_ts => $line->{server_ts},
                           client_ts => undef, client_origin => 'phone' },
          'meta: the same, for a table with such a column');
is($line->{remote_addr}, '127.0.0.1', 'remote_addr');
is($line->{server_name}, 'localhost', 'server_name');
is($line->{conflict_id}, json($r)->{conflict_id}, 'conflict_id');

# two large bodies are not held against each other

PUT('/plain/1', { n => 2, pad => 'x' x 70000, base_version => $v });
is_deeply((conflicts())[1]{fields}, [], 'no fields of a large body');

PUT('/plain/1', { n => 3 }, 'If-Unmodified-Since: 2020-01-01T00:00:00.5Z');
is((conflicts())[2]{client_ts}, '2020-01-01T00:00:00.500000Z', 'client_ts');
is((conflicts())[2]{meta}{client_ts}, '2020-01-01T00:00:00.500000Z',
   'in meta as well');
is((conflicts())[2]{meta}{client_origin}, undef, 'of a client without a name');
PUT('/plain/1', { n => 3 }, 'If-Match: "abc"');
is((conflicts())[3]{base_version}, 'abc', 'a base that is no number');


=== the entity is the location by default
--- config
    location ^~ /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
PUT('/plain/1', { base_version => 1 });
is((conflicts())[0]{entity}, '/plain/', 'its name');


=== each location has an entity that can be read
--- config eval
my @regex = (
    '^/plain/api/notes/(\d+)$', '^/plain/named/(?<id>[^/]+)$',
    '^(?<note>/plain/long/\d+)/text$', '^/plain/(?:a|b)/\w+\.json$',
    '\.xml$', '^/plain/ann?[a-z]+/?$', '(?i)^/plain/flags/(?!x)[0-9]{1,3}',
    '(*UTF8)^/plain/opt(/.*)?$', '^/plain/class/[]()]+/[a[]x$', '^/plain/c/\d+\b',
);

CORE::join('', map { "location ~ \"$_\" {
    conflict version;
    proxy_pass http://api;
}\n" } @regex) . <<'END';
    location = /plain/exact {
        conflict version;
        proxy_pass http://api;
    }
    location /plain/outer/ {
        location ~ ^/plain/outer/(\d+)$ {
            conflict version;
            limit_except GET {
                allow all;
            }
            if ($arg_x) {
                set $x 1;
            }
            proxy_pass http://api;
        }
    }
    location /plain/led/ {
        try_files /none @led;
    }
    location @led {
        conflict version;
        proxy_pass http://api;
    }
END
--- steps
my @paths = (
    ['/plain/api/notes/7',    '/plain/api/notes/*'],
    ['/plain/named/7',        '/plain/named/{id}'],
    ['/plain/long/7/text',    '/plain/long/*/text'],
    ['/plain/b/7.json',       '/plain/(a|b)/*.json'],
    ['/plain/7.xml',          '*.xml'],
    ['/plain/anna/',          '/plain/ann*'],
    ['/plain/flags/7',        '*/plain/flags/*'],
    ['/plain/opt/7',          '*/plain/opt*'],
    ['/plain/class/()/[x',    '/plain/class/*/*x'],
    ['/plain/c/7',            '/plain/c/*'],
    ['/plain/exact',          '/plain/exact'],
    ['/plain/outer/7',        '/plain/outer/*'],
    ['/plain/outer/7?x=1',    '/plain/outer/*'],
    ['/plain/led/7',          '@led'],
);

for my $n (0 .. $#paths) {
    my ($path, $entity) = @{ $paths[$n] };

    (my $doc = $path) =~ s/\?.*//;
    set_doc($doc, { id => 7 });
    is(PUT($path, { base_version => 1 })->{status}, 409, $path);
    is((conflicts())[$n]{entity}, $entity, "is $entity");
}


=== conflicts of a server that has no locations
--- config
    conflict version;
    root html;
--- steps
PUT('/plain/1', { n => 1 }, 'If-Match: "1"');
is((conflicts())[0]{entity}, '/', 'all of it');


=== which one it is, by conflict_entity_id
--- config
    location ~ ^/plain/(?<kind>\w+)/(?<id>\d+)$ {
        conflict version;
        conflict_entity $kind;
        conflict_entity_id $id;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict lww;
        conflict_entity_id $arg_id;
        proxy_pass http://api;
    }
    location ~ ^/hand/(\d+)$ {
        conflict lww;
        conflict_entity_id note-$1;
        proxy_intercept_errors on;
        error_page 400 404 422 = @other;
        proxy_pass http://api/plain/$1;
    }
    location @other {
        rewrite ^/hand/(.)(.*)$ /led/$2;
    }
    location ~ ^/led/(.*)$ {
        return 418;
    }
--- steps
set_doc('/plain/note/12', { id => 1 });

my $r = PUT('/plain/note/12', { base_version => 1 });
my ($line) = conflicts();

is($line->{entity}, 'note', 'entity');
is($line->{entity_id}, '12', 'entity_id');
is(json($r)->{resource}, '/plain/note/12', 'the answer has the path');

PUT('/plain/1?id=a%22b', { base_version => 1 });
is((conflicts())[1]{entity_id}, 'a%22b', 'of an argument');
PUT('/plain/1', { base_version => 1 });
is((conflicts())[2]{entity_id}, '/plain/1', 'of none: the resource');

# what it is called is found out before the request goes elsewhere

set_doc('/plain/34', { n => 1 });
is(PUT('/hand/34', { n => 2, base_version => 1 }, 'X-Up-Write: status=422')
   ->{status}, 418, 'led on');
is((conflicts())[-1]{entity_id}, 'note-34', 'by the captures of its location');


=== whatever bytes a client sends
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my @hostile = ("\"", "\\", "</script>", "a\tb", "\x7f", "\xff\xfe", "\xc3\xa9",
               "\xc3", "\xed\xa0\x80", "a\"}\\n{\"x\":\"", "\e[31m",
               'x' x 5000);

for my $i (0 .. $#hostile) {
    my $path = '/plain/' . join '', map { sprintf '%%%02X', ord }
                                        split //, "$i$hostile[$i]";
    set_doc('/plain/x', {});
    my $v = version(PUT($path, { id => 1 }));

    PUT($path, { n => 2, base_version => 1 }, "X-Client: $hostile[$i]",
        "If-Match: \"$hostile[$i]\"");
}

# those that are no tag were refused, and are no conflict

my @log = conflicts();

cmp_ok(scalar(@log), '>=', 6, 'lines');
is(scalar(grep { $_->{invalid} } @log), 0, 'each is one JSON object');
is(scalar(grep { $_->{action} ne 'conflict_version' } @log), 0,
   'with the action that it should have');


=== bytes of users, clients, entities and keys, each as it was sent
--- config
    location /plain/ {
        conflict lww;
        conflict_user $http_x_user;
        conflict_client $http_x_device;
        conflict_entity $http_x_entity;
        conflict_key $uri;
        proxy_pass http://api;
    }
    location = /status {
        conflict_status json;
    }
--- steps
my $bad = "\x{fffd}";

my @cases = (
    ['a"b\\c/',                 'a"b\\c/',            'quotes'],
    ["a\x01\x1f\x7f\tb",        "a\x01\x1f\x7f\tb",   'control characters'],
    ["a\xc2\x85\xc2\x9bb",      "a\x{85}\x{9b}b",    'those of terminals'],
    ["<b>&amp;\xe2\x80\xa8'",   "<b>&amp;\x{2028}'", 'markup'],
    ["\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80", 'UTF-8'],
    ["a\xff\xfeb",              "a$bad${bad}b",      'bytes that are none'],
    ["a\xc3",                   "a$bad",             'a character cut'],
    ["\xed\xa0\x80.",           "$bad$bad$bad.",     'a surrogate'],
    ["\xc0\xaf\xf4\x90\x80\x80", $bad x 6,            'no characters'],
    ['"},{"action":"x',         '"},{"action":"x',   'JSON'],
    ['x' x 1023 . "\xc3\xa9",   'x' x 1023 . $bad,   'too long'],
);

for my $case (@cases) {
    my ($sent, $shown, $what) = @$case;
    my $path = '/plain/' . join '', map { sprintf '%%%02X', ord }
                                        split //, $sent;

    PUT($path, { n => 1 });
    PUT($path, { n => 2, base_version => 1 }, "X-User: $sent",
        "X-Device: $sent", "X-Entity: $sent");

    my $line = (conflicts())[-1];

    is_deeply([@$line{qw(user_id client_origin entity)}], [($shown) x 3],
              $what);
    is($line->{meta}{client_origin}, $shown, "$what, in meta");
    like($line->{entity_id}, qr/^\Q${\ substr "\/plain\/$shown", 0, 1023}/,
         "$what, in a key");
}

my $log = slurp(servroot() . '/logs/conflict.log');

is($log =~ tr/\n//, scalar(@cases), 'a line each');
unlike($log, qr/[\x00-\x09\x0b-\x1f\x7f<>&]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]/,
       'nothing in them but text');

my $shown;
until_true {
    $shown = json(GET('/status'))->{conflicts};
    @$shown == @cases;
};

is_deeply([map { $_->{conflict_id} } @$shown],
          [reverse map { $_->{conflict_id} } conflicts()],
          'the dashboard has them, the latest first');
is($shown->[1]{user_id}, $cases[-2][1], 'as they are in the log');


=== a log of its own, and none
--- config
    location /own/ {
        conflict version;
        conflict_log logs/own.log;
        proxy_pass http://api/plain/;
    }
    location /off/ {
        conflict version;
        conflict_log off;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/1', { id => 1 });
PUT('/own/1', { base_version => 1 });
PUT('/off/1', { base_version => 1 });

is(scalar(conflicts('own.log')), 1, 'its own');
is(scalar(conflicts()), 0, 'not in the other');


=== syslog
--- config
    location / {
        conflict version;
        conflict_log syslog:server=127.0.0.1:$TEST_NGINX_PORT2,tag=conflict;
        proxy_pass http://api;
    }
--- steps
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp',
                              LocalPort => $ENV{TEST_NGINX_PORT2});

set_doc('/plain/1', { id => 1 });
PUT('/plain/1', { base_version => 1 });

my $data = '';
recv $s, $data, 65536, 0 if IO::Select->new($s)->can_read(5);

like($data, qr/^<\d+>.* conflict: (\{.*\})$/, 'a line of syslog');
$data =~ /(\{.*\})$/;
is(json($1)->{action}, 'conflict_version', 'with the same JSON');


=== a pipe
--- config eval
(my $path = Conflict::servroot()) =~ s!/[^/]+$!/pipe!;
system('mkfifo', $path) == 0 or die unless -p $path;
chmod 0666, $path;

# somebody reads it: else nginx would wait for that

open $main::Pipe, '+<', $path or die "$path: $!";

"location / {
    conflict version;
    conflict_log $path;
    proxy_pass http://api;
}"
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 1 });
PUT('/plain/1', { n => $_, base_version => $v }) for 1 .. 3;

for my $n (1 .. 3) {
    my $line = readline($::Pipe);
    is(json({ body => $line })->{action}, 'conflict_version', "line $n");
}


=== USR1 opens it anew
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
PUT('/plain/1', { base_version => 1 });

rename servroot() . '/logs/conflict.log', servroot() . '/logs/conflict.old';
kill 'USR1', master_pid();
until_true { -e servroot() . '/logs/conflict.log' };
PUT('/plain/1', { base_version => 1 });

is(scalar(conflicts('conflict.old')), 1, 'the old one');
is(scalar(conflicts()), 1, 'the new one');

# mode and owner are those of the access log, also if neither was there

my ($log, $access) = map { servroot() . "/logs/$_.log" } 'conflict', 'access';

rename $_, "$_.old" for $log, $access;
kill 'USR1', master_pid();
until_true { -e $log && -e $access
             && (stat $log)[4] == (stat $access)[4]
             && (stat $access)[4] == (stat "$access.old")[4] };

is_deeply([(stat $log)[2, 4, 5]], [(stat $access)[2, 4, 5]],
          'mode and owner of the access log');


=== a log that nginx creates is like the access log
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
SKIP: {
    skip 'owners need root', 8 if $> != 0;

    my $dir = servroot() . '/../owner';
    my ($uid, $gid) = ((getpwnam 'nobody')[2], (getgrnam 'adm')[2]);
    my $conf = slurp(servroot() . '/conf/nginx.conf');

    mkdir $_ for $dir, "$dir/logs", "$dir/audit";

    for my $name ('access.log', 'there.log') {
        open my $file, '>', "$dir/logs/$name" or die;
        close $file;
    }

    chmod 0640, "$dir/logs/access.log";
    chown $uid, $gid, "$dir/logs/access.log";
    chmod 0600, "$dir/logs/there.log";

    my $look = sub { [map { $_->[2] & 07777, @$_[4, 5] } [stat shift]] };

    my $take = sub {
        my ($log) = @_;

        (my $text = $conf)
            =~ s!(location / \{)!conflict_log $log;\n $1!;

        open my $out, '>', "$dir/nginx.conf" or die;
        print $out $text;
        close $out;

        `$ENV{TEST_NGINX_BINARY} -e $dir/logs/error.log -p $dir -c $dir/nginx.conf -t 2>&1`;
    };

    like($take->('logs/conflict.log'), qr/test is successful/, 'taken');
    is_deeply($look->("$dir/logs/conflict.log"), [0640, $uid, $gid],
              'mode, owner and group of the access log beside it');

    chmod 0644, "$dir/logs/conflict.log";
    chown 0, 0, "$dir/logs/conflict.log";
    like($take->('logs/conflict.log'), qr/test is successful/, 'and again');
    is_deeply($look->("$dir/logs/conflict.log"), [0644, 0, 0],
              'what was there is left as it was');

    like($take->('logs/there.log'), qr/test is successful/, 'one of its own');
    is_deeply($look->("$dir/logs/there.log"), [0600, 0, 0], 'the same');

    like($take->('audit/conflict.log'), qr/test is successful/,
         'another directory');
    my $default = `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /--http-log-path=(\S+)/
                  ? $1 : "$dir/logs/access.log";
    is_deeply($look->("$dir/audit/conflict.log"),
              -e $default ? $look->($default) : [0644, 0, 0],
              "that of nginx's default access log");
}


=== a disk that is full changes nothing but the error log
--- config
    location / {
        conflict version;
        conflict_log /dev/full;
        proxy_pass http://api;
    }
--- allow: conflict log: a line was not written
--- steps
set_doc('/plain/1', { id => 1 });

is(PUT('/plain/1', { base_version => 1 })->{status}, 409, 'refused all the same');
is(PUT('/plain/1', { base_version => 1 })->{status}, 409, 'again');
--- error_log
conflict log: a line was not written, 1 in this process so far (28: No space left on device)
--- no_error_log
2 so far


=== a line that a full disk has cut does not spoil those after it
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- allow: conflict log: a line was not written
--- steps
SKIP: {
    my ($small, $log) = (servroot() . '/html/small',
                         servroot() . '/logs/conflict.log');

    mkdir $small;
    skip 'a disk needs root', 4
        if $> != 0 || system("mount -t tmpfs -o size=4k,mode=777 tmpfs $small"
                             . ' 2> /dev/null');

    unlink $log;
    symlink "$small/conflict.log", $log;
    kill 'USR1', master_pid();
    until_true { -e "$small/conflict.log" };

    set_doc('/plain/1', { id => 1 });

    for (1 .. 30) {
        PUT('/plain/1', { base_version => 1 });
    }

    my $whole = grep { !$_->{invalid} } conflicts();
    isnt($whole, 30, 'there was not room for all');

    system("mount -o remount,size=64k $small");
    my $r = PUT('/plain/1', { base_version => 1 });
    $r = PUT('/plain/1', { base_version => 1 });

    my @lines = conflicts();
    is(scalar(grep { $_->{invalid} } @lines), 1, 'one line was cut');
    is(scalar(grep { !$_->{invalid} } @lines), $whole + 2, 'two are whole');
    is($lines[-1]{conflict_id}, json($r)->{conflict_id}, 'the last as well');

    my $copy = slurp($log);
    unlink $log;
    open my $out, '>', $log;
    print $out $copy;
    close $out;
    system("umount -l $small");
}


=== what the dashboard shows of a long line
--- config
    location /plain/ {
        conflict server_wins;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location = /status {
        conflict_status json;
    }
--- steps
set_doc('/plain/1', { n => 1 });
PUT('/plain/1', { n => 2 });

# each "<" takes six bytes

for my $n (70, 300, 900) {
    PUT('/plain/1', { n => $n, base_version => 1 },
        map { "$_: " . '<' x $n } qw(X-User X-Client));
}

my $shown;
until_true {
    $shown = json(GET('/status'))->{conflicts};
    @$shown == 3;
};

is_deeply([map { [@$_{qw(conflict_id action policy)}] } reverse @$shown],
          [map { [@$_{qw(conflict_id action policy)}] } conflicts()],
          'id, action and policy are those of the log, at any length');


=== no memory for a refusal
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location = /op {
        conflict_test default;
    }
    location = /status {
        conflict_status json;
    }
--- allow: conflict log: a line was not written
--- steps
set_doc('/plain/1', { id => 1 });
PUT('/plain/1', { n => 1 });

my %got;

for (my $times = 0; $times < 150; $times += 3) {
    GET("/op?memory=$times");
    $got{PUT('/plain/1', { n => $times, base_version => 1 })->{status}}++;
}

GET('/op?memory=');

is($got{204}, undef, 'none has passed');
cmp_ok($got{500}, '>', 0, 'some refusals could not be built');

my $lost = json(GET('/status'))->{audit_errors};

is(conflicts() + $lost, 50, 'each has its line, or one that counts as lost');
is(scalar(grep { $_->{status} == 500 } conflicts()) > 0, 1,
   'with the status that the client was sent') if conflicts() > $got{409};


=== no memory for a line
--- config
    location /plain/ {
        conflict lww;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location = /op {
        conflict_test default;
    }
    location = /status {
        conflict_status json;
    }
--- allow: conflict log: a line was not written
--- steps
# jansson gets memory so many times, and then no more

set_doc('/plain/1', { id => 1 });

my ($passed, $puts, $errors) = (0, 0, 0);

for (my $times = 0; $times < 400 && conflicts() < 2; $times += 3) {
    GET("/op?memory=$times");
    $passed++ if PUT('/plain/1', { n => $times, base_version => 1 },
                     "X-User: \xff")->{status} == 204;
    $puts++;
}

is($passed, $puts, 'the write is not the worse for it');
is(scalar(grep { $_->{invalid} } conflicts()), 0, 'no line in part');
cmp_ok($puts, '>', 20, 'and many are missing');

# nor does the status say half of it

for (my $times = 0; $times < 200; $times += 3) {
    GET("/op?memory=$times");
    my $r = GET('/status');
    $errors++ if $r->{status} != 500 && !json($r);
}

is($errors, 0, 'the status: all or nothing');

GET('/op?memory=');
is(json(GET('/status'))->{audit_errors}, $puts - 2, 'those lost are counted');

PUT('/plain/1', { n => 1, base_version => 1 });
is(scalar(conflicts()), 3, 'and then as always');
--- error_log
conflict log: a line was not written, 1 in this process so far (12: Cannot allocate memory)
--- no_error_log
2 so far
