# The module's own output is JSON that any parser accepts, whatever bytes clients
# have sent: names, paths, bases, fields and their values.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Encode ();
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# U+FFFD stands for each byte that is not part of a character

sub bad { "\x{fffd}" x $_[0] }

# bytes as a client sends them, and the text that they are

sub texts {
    return (
        'quotes'            => [ 'say "\\"', 'say "\\"' ],
        'UTF-8'             => [ "\xc3\xa9\xf0\x9f\x98\x80",
                                 "\x{e9}\x{1f600}" ],
        'Latin-1'           => [ "r\xe9sum\xe9", "r\x{fffd}sum\x{fffd}" ],
        'a character cut'   => [ "a\xe2\x82", 'a' . bad(2) ],
        'half a pair'       => [ "\xed\xa0\xbd", bad(3) ],
        'overlong'          => [ "\xc0\xae\xf4\x90\x80\x80", bad(6) ],
        'controls'          => [ "\x01\x1b[0m\x1f", "\x01\x1b[0m\x1f" ],
        'more controls'     => [ "\x7f\xc2\x9b", "\x7f\x{9b}" ],
        'markup'            => [ '</script><!--#&', '</script><!--#&' ],
        'ends of lines'     => [ "\xe2\x80\xa8\xe2\x80\xa9",
                                 "\x{2028}\x{2029}" ],
        'U+FFFD'            => [ "\xef\xbf\xbd", bad(1) ],
        'an escape'         => [ '\u0000\n', '\u0000\n' ],
    );
}

# the answer as text, which it must be from its first byte to its last, with
# nothing in it that a page or a terminal might obey

sub said {
    my ($r, $name) = @_;

    my $text = eval { Encode::decode('UTF-8', $r->{body},
                                     Encode::FB_CROAK|Encode::LEAVE_SRC) };

    ok(defined $text, "$name: UTF-8");
    is(header($r, 'Content-Length'), length $r->{body}, 'its length');

    # the upstream's own, and a value with half a pair, which Perl refuses

    $text =~ s/("server_version":)\{.*?(?="conflict(s|_id)")/$1\{\},/;
    $text =~ s/\\ud83d(?!\\u)/\\ufffd/g;

    unlike($text, qr/[\x00-\x09\x0b-\x1f\x7f-\x9f<>&\x{2028}\x{2029}]/,
           'nothing to be obeyed');

    my $json = eval { JSON::PP->new->decode($text) };
    diag("$@ in $text") unless $json;

    return $json || {};
}

sub escaped { $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

sub utf8 { JSON::PP->new->utf8->encode($_[0]) }

run_tests();

__DATA__

=== names of a lock
--- config
    conflict_user $http_x_user;
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
my %texts = (texts(),
    'longer than shown' => [ 'x' x 111 . "\xc3\xa9", 'x' x 111 . bad(1) ],
    'very long'         => [ "\xff" x 3000, bad(112) ]);

my $i = 0;

for my $name (sort keys %texts) {
    my ($bytes, $text) = @{ $texts{$name} };
    my $path = '/plain/' . ++$i;
    my @ann = ("X-User: $bytes", "X-Client: $bytes");

    set_doc($path, { n => 1 });

    my $r = http('POST', "$path/lock", headers => \@ann);
    my $said = said($r, "$name, granted");

    is($r->{status}, 200, 'it is');
    is($said->{lock}{user}, $text, 'the user');
    is($said->{lock}{client}, $text, 'the client');

    $r = http('GET', "$path/lock", headers => ['X-User: bob']);
    $said = said($r, "$name, shown");
    is($said->{lock}{user}, $text, 'the user');
    is($said->{lock}{client}, $text, 'the client');

    $r = http('POST', "$path/lock", headers => ['X-User: bob']);
    is($r->{status}, 409, 'refused');
    is(said($r, "$name, refused")->{lock}{user}, $text, 'the user');

    $r = PUT($path, { n => 2 }, 'X-User: bob');
    $said = said($r, "$name, a write");
    is($said->{error}, 'locked', 'refused');
    is($said->{lock}{client}, $text, 'the client');

    # the same user, on another device

    $r = http('POST', "$path/lock", headers => [$ann[0], 'X-Client: x']);
    $said = said($r, "$name, on another device");
    is($said->{taken_from}, $text, 'taken from');
    is($said->{lock}{client}, 'x', 'by');

    $r = http('DELETE', "$path/lock",
              headers => [@ann, "Lock-Token: $said->{lock}{token}"]);
    said($r, "$name, released");
}


=== paths
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my %texts = texts();

for my $name (sort keys %texts) {
    my ($bytes, $text) = @{ $texts{$name} };
    my $uri = '/plain/' . escaped($bytes);
    my $r = PUT($uri, { base_version => [] });

    is($r->{status}, 400, "$name: a base that is none");
    is(said($r, $name)->{resource}, "/plain/$text", 'the resource');

    $r = PUT($uri, { base_version => [] }, 'Accept: application/problem+json');
    is(said($r, "$name, a problem")->{resource}, "/plain/$text", 'the same');
}

my $r = PUT('/plain/' . '%FF' x 2000, { base_version => [] });
is(said($r, 'a long one')->{resource}, '/plain/' . bad(2000), 'all of it');

is(PUT('/plain/%00', { base_version => [] })->{status}, 400, 'nginx refuses NUL');


=== bases
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api/plain/;
    }
    location /header/ {
        conflict version;
        conflict_version header:X-Version;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/up/;
    }
    location /up/ {
        conflict off;
        default_type application/json;
        add_header X-Version $http_x_say;
        return 200 '{"id":1}';
    }
--- steps
my %texts = texts();

# numbers that a parser would change, and text that it would refuse

my $rest = '"a":0.10,"b":1e400,"c":"\ud83d","d":9223372036854775808}';

set_doc('/plain/1', qq({"version":"v\xc3\xa9<\\"",$rest));
GET('/own/1');

my $i = 0;

for my $name (sort keys %texts) {
    my ($bytes, $text) = @{ $texts{$name} };
    my $body = utf8({ base_version => $text });

    my $r = http('PUT', '/plain/1', body => $body);
    cmp_ok($r->{status}, '>=', 400, "$name: no minted version");
    is(said($r, 'in a body')->{base_version}, $text, 'the base');

    $r = PUT('/plain/1', { n => 1 }, "If-Match: $bytes");
    said($r, 'in a header');
    cmp_ok($r->{status}, '>=', 400, 'refused');

    $r = http('PUT', '/own/1', body => $body);
    my $said = said($r, 'where versions are text');
    is($r->{status}, 409, 'stale');
    is($said->{base_version}, $text, 'the base');
    like($r->{body}, qr/"server_version":\{"version":"v\xc3\xa9<\\"",\Q$rest\E,/,
         'the latest body, byte by byte');

    $r = PUT('/header/' . ++$i, { base_version => 'x' }, "X-Say: v$bytes");
    is(said($r, 'a header of the upstream')->{version}, "v$text",
       'the current version');
}

my $r = http('PUT', '/own/1',
             body => '{"base_version":"\u0000\ud83d\udc00\ud83dx"}');
is(said($r, 'a NUL and half a pair')->{base_version},
   "\0\x{1f400}" . bad(3) . 'x', 'the base');

for my $base (qw(0 9007199254740991 9007199254740992 "007")) {
    $r = http('PUT', '/own/1', body => qq({"base_version":$base}));
    said($r, $base);
    like($r->{body}, $base eq '9007199254740992'
                     ? qr/"base_version":"$base",/ : qr/"base_version":$base,/,
         'the base');
}


=== fields that clash
--- config
    conflict_user $http_x_user;
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
my %names = (
    'plain'       => 'a',
    'quotes'      => '\"\\\\',
    'a slash'     => '~\/',
    'NUL'         => '\u0000',
    'controls'    => '\u0001\u001b\u007f\u009b',
    'half a pair' => '\ud83d',
    'a pair'      => '\ud83d\ude00',
    'markup'      => '<\/script>&\u2028',
    'empty'       => '',
    'long'        => 'x' x 5000,
);

my %paths = (
    'plain'       => '/a',
    'quotes'      => '/"\\',
    'a slash'     => '/~0~1',
    'NUL'         => "/\0",
    'controls'    => "/\x01\x1b\x7f\x{9b}",
    'half a pair' => '/' . bad(3),
    'a pair'      => "/\x{1f600}",
    'markup'      => "/<~1script>&\x{2028}",
    'empty'       => '/',
    'long'        => '/' . 'x' x 5000,
);

# numbers that a parser would change, and text that it would refuse

my @values = (qw(0.1 0.10 1e400 -0 9223372036854775808 1.0E+2), '"\ud83d"',
              '"\u0000\n"', '{"a": [ 1,2 ] }', '"\u003c"');
my $i = 0;

for my $name (sort keys %names) {
    my $field = $names{$name};

    for my $value (@values) {
        my $path = '/plain/' . ++$i;
        set_doc($path, qq({"$field":"base","n":1}));
        my $v = version(GET($path, 'X-User: ann'));

        is(http('PUT', $path, headers => ['X-User: bob'],
                body => qq({"$field":$value,"n":1,"base_version":$v}))
           ->{status}, 204, "$name, $value: one write");

        my $r = http('PUT', $path, headers => ['X-User: ann'],
                     body => qq({"$field":[$value],"n":1,"base_version":$v}));
        is($r->{status}, 409, 'the other one clashes');

        my $said = said($r, 'what clashed');
        is($said->{conflicts}[0]{field}, $paths{$name}, 'the field');
        is(scalar @{ $said->{conflicts} }, 1, 'no other one');
        is($said->{base_held}, JSON::PP::true, 'its base is known');

        like($r->{body}, qr/,"rule":"auto","base":"base",(?#
             )"server":\Q$value\E,"client":\[\Q$value\E\]\}\],/,
             'the values, byte by byte');
    }
}

# markup in a value is escaped, and nothing else of it

set_doc('/plain/m', '{"a":1}');
my $v = version(GET('/plain/m', 'X-User: ann'));
http('PUT', '/plain/m', headers => ['X-User: bob'],
     body => qq({"a":2,"base_version":$v}));
my $r = http('PUT', '/plain/m', headers => ['X-User: ann'],
             body => qq({"a":["<b>&\xe2\x80\xa8\x7f\xc2\x9b", 0.10],)
                     . qq("base_version":$v}));
like($r->{body}, qr/"client":\["\\u003cb\\u003e\\u0026\\u2028\\u007f\\u009b", (?#
     )0\.10\]\}/, 'markup');


=== many fields that clash
--- config
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
my %doc = map { ("\x{e9}<$_" => 'x' x 100) } 1 .. 2000;

set_doc('/plain/1', utf8(\%doc));
my $v = version(GET('/plain/1'));
my $body = sub {
    my ($text) = @_;
    return utf8({ (map { ($_ => $text x 100) } keys %doc),
                  base_version => $v });
};

is(http('PUT', '/plain/1', body => $body->('y'))->{status}, 204, 'one');
my $r = http('PUT', '/plain/1', body => $body->('z'));
is($r->{status}, 409, 'the other');

my $said = said($r, 'what clashed');
my @shown = @{ $said->{conflicts} };

is(@shown + $said->{conflicts_omitted}, 2000, 'all are counted');
cmp_ok(scalar(grep { $_->{client} } @shown), '>', 100, 'many with values');
ok(exists $doc{ substr $shown[$_]{field}, 1 }, 'a field') for 0, -1;
