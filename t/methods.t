# Methods that write another resource than their target, and methods that are
# not guarded.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

sub to { "Destination: http://localhost$_[0]" }

sub move { http('MOVE', $_[0], headers => [to($_[1]), @_[2 .. $#_]]) }
sub copy { http('COPY', $_[0], headers => [to($_[1]), @_[2 .. $#_]]) }

sub lock { http('POST', "$_[0]/lock", headers => ["X-User: $_[1]"]) }

sub doc { upstream("/_doc?path=$_[0]") }

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== MOVE writes its destination and its source
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { n => 'a' });
set_doc('/plain/b', { n => 'b' });

my $va = version(GET('/plain/a'));
my $vb = version(GET('/plain/b'));

my $r = move('/plain/b', '/plain/a', 'Overwrite: T');
is($r->{status}, 204, 'b over a');
is(header($r, 'Conflict'), 'passed', 'a field without a version');
is(header($r, 'ETag'), undef, 'and no tag');
is(doc('/plain/a'), '{"n":"b"}', 'the text of b');

$r = PUT('/plain/a', { n => 'edited', base_version => $va });
is($r->{status}, 409, 'who has read a before is told');
is(json($r)->{server_version}{n}, 'b', 'what is there now');

my $now = json($r)->{version};
cmp_ok($now, '>', $va, 'under another version');

$r = PUT('/plain/b', { n => 'edited', base_version => $vb });
is($r->{status}, 409, 'b is gone');
is(json($r)->{deleted}, JSON::PP::true, 'which is told');
is(doc('/plain/b'), 'null', 'it does not come back');

is(PUT('/plain/a', { n => 'c', base_version => $now })->{status}, 204,
   'on the version of a refusal');

is(move('/plain/a', '/plain/new')->{status}, 201, 'to where nothing was');
is(version(GET('/plain/new')) > 0 ? 1 : 0, 1, 'it has a version');
is(PUT('/plain/new', { base_version => 7 })->{status}, 409, 'which is checked');


=== COPY writes its destination alone
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { n => 'a' });
set_doc('/plain/b', { n => 'b' });

my $va = version(GET('/plain/a'));
my $vb = version(GET('/plain/b'));

is(copy('/plain/b', '/plain/a')->{status}, 204, 'b over a');
is(version(GET('/plain/b')), $vb, 'b is what it was');
is(PUT('/plain/b', { n => 'b2', base_version => $vb })->{status}, 204,
   'also for a write');
is(PUT('/plain/a', { n => 'edited', base_version => $va })->{status}, 409,
   'a is not');


=== the source of a COPY that may still be carried out
--- config
    location / {
        conflict version;
        conflict_wait 50ms;
        conflict_quarantine 1500ms;
        proxy_read_timeout 200ms;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a', 'b';

my $v = version(GET('/plain/b'));
my $read = qq(If-Match: "$v");

is(copy('/plain/b', '/plain/a', $read, 'X-Up-Write: status=500')->{status},
   500, 'a COPY whose outcome is unknown, but which is over');
is(PUT('/plain/b', { n => 'b', base_version => $v })->{status}, 204,
   'leaves its source open');

$v = version(GET('/plain/b'));
$read = qq(If-Match: "$v");

is(copy('/plain/b', '/plain/a', $read, 'X-Up-Write: sleep=0.7 apply')
   ->{status}, 504, 'one that may still be carried out');

my $r = PUT('/plain/b', { n => 'edited', base_version => $v });
is($r->{status}, 503, 'keeps it closed');
is(json($r)->{error}, 'outcome_unknown', 'why');

applied(2);
is(doc('/plain/a'), '{"n":"b"}', 'it has copied what If-Match named');

until_true {
    $r = copy('/plain/b', '/plain/a', $read);
    $r->{status} != 503;
};

is($r->{status}, 204, 'its retry is carried out');
is(PUT('/plain/b', { n => 'edited', base_version => $v })->{status}, 204,
   'and the source has kept its version');


=== preconditions are about the source
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a', 'b';

for my $method ('COPY', 'MOVE') {
    my $old = version(GET('/plain/b'));
    my $now = version(PUT('/plain/b', { n => 'b2' }));

    is(http($method, '/plain/b', headers => [to('/plain/a'),
            qq(If-Match: "$old")])->{status}, 409, "$method of an old one");
    is(doc('/plain/a'), '{"n":"a"}', 'does nothing');
    is(http($method, '/plain/b', headers => [to("/plain/x$method"),
            qq(If-Match: "$now")])->{status}, 201, "$method of the current");
    is(PUT('/plain/a', { n => 'a' })->{status}, 204, 'no lease is left on a');
}

is(PUT('/plain/b', { n => 'b3' })->{status}, 201, 'nor on b');


=== WebDAV's If: tags are checked here, tokens are the upstream's
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
my $t = '<urn:uuid:1>';
my $host = 'http://localhost';

sub sees {
    my ($write) = (journal())[-1];
    my ($if) = map { $_->[1] } grep { $_->[0] eq 'if' }
               @{ $write->{headers} };

    return $if;
}

# V the current version of a, W that of b, O an old one; what the upstream
# sees, or undef where the write is refused

my @table = (
    [ 'PUT',  '(["V"])',                         '' ],
    [ 'PUT',  '([W/"V"])',                       '' ],
    [ 'PUT',  '(["V.up"])',                      '(["up"])' ],
    [ 'PUT',  "([W/\"V.W/up\"]$t)",              "([W/\"up\"] $t)" ],
    [ 'PUT',  '([V.a][V.b]) ([V.W/c])',          '(["a"] ["b"])([W/"c"])' ],
    [ 'PUT',  '(' . $t x 40 . '["V"])',
      '(' . join(' ', ($t) x 40) . ')' ],
    [ 'PUT',  '(["V.up-gzip"])',                 '' ],
    [ 'PUT',  '(Not ["O.up"])',                  '' ],
    [ 'PUT',  '(["O.up"])',                      undef ],
    [ 'PUT',  qq(<$host/plain/a> (["V.up"])),
      qq(<$host/plain/a>(["up"])) ],
    [ 'PUT',  '(["O"])',                         undef ],
    [ 'PUT',  '(["O"]) (["V"])',                 '' ],
    [ 'PUT',  '(Not ["O"])',                     '' ],
    [ 'PUT',  '(Not ["V"])',                     undef ],
    [ 'PUT',  "($t)",                            "($t)" ],
    [ 'PUT',  qq(($t ["V"])),                    "($t)" ],
    [ 'PUT',  qq((["V"] Not $t) ($t)),           "(Not $t)($t)" ],
    [ 'PUT',  qq(($t ["O"])),                    undef ],
    [ 'PUT',  qq(<$host/plain/a> (["V"])),       '' ],
    [ 'PUT',  qq(<$host/plain/a> (["O"])),       undef ],
    [ 'PUT',  qq(</plain/a> ($t ["V"]) ($t)),    "</plain/a>($t)($t)" ],
    [ 'MOVE', '(["W"])',                         '' ],
    [ 'MOVE', '(["O"])',                         undef ],
    [ 'MOVE', qq(<$host/plain/a> (["V"])),       '' ],
    [ 'MOVE', qq(<$host/plain/a> (["O"])),       undef ],
    [ 'MOVE', qq(<$host/plain/a> (["V"] $t) <$host/plain/b> (["W"])),
      "<$host/plain/a>($t)" ],
    [ 'MOVE', qq(<$host/plain/a> (["O"]) <$host/plain/b> (["W"])), undef ],
    [ 'MOVE', qq(<$host/plain/a> (["V"]) <$host/plain/b> (["O"])), undef ],
    [ 'COPY', qq(<$host/plain/a> (["O"])),       undef ],
    [ 'COPY', qq(<$host/plain/a> (["V"])),       '' ],
    [ 'COPY', '(["O"])',                         undef ],
    [ 'PROPPATCH', '(["O"])',                    undef ],
);

for my $row (@table) {
    my ($method, $if, $passes) = @$row;

    set_doc("/plain/$_", { n => 1 }) for 'a', 'b';
    my $o = version(PUT('/plain/a', { n => 2 }));
    my $v = version(PUT('/plain/a', { n => 3 }));
    my $w = version(PUT('/plain/b', { n => 4 }));

    $if =~ s/(?<=["[])V(?=[".])/$v/g;
    $if =~ s/"W"/"$w"/g;
    $if =~ s/"O(?=[".])/"$o/g;

    my $n = journal();
    my $r = http($method, $method =~ /MOVE|COPY/ ? '/plain/b' : '/plain/a',
                 body => { n => 5 },
                 headers => ["If: $if", to('/plain/a')]);

    is($r->{status}, defined $passes ? 204 : 412, "$method $if");
    is(scalar(journal()), $n + (defined $passes ? 1 : 0), 'and written');
    is(sees() // '', $passes, 'what the upstream sees') if defined $passes;
}

# what cannot be judged is not dropped

my $v = version(PUT('/plain/a', { n => 6 }));

for my $if ('(["1"]', '["1"]', '(["1])', '([x])', '() [', '<x> (["1"])',
            '<http://elsewhere/a> (["1"])', '</plain/c> (["1"])')
{
    my $r = PUT('/plain/a', { n => 7 }, "If: $if");
    is("$r->{status} " . json($r)->{error}, '400 malformed_base', $if);
}

is(PUT('/plain/a', { n => 7 }, qq(If: (["$v"])), qq(If-Match: "$v"))
   ->{status}, 400, 'beside If-Match');

# an upstream's own tags it judges itself

set_doc('/etag/1', { n => 1 });
is(PUT('/etag/1', { n => 2 }, 'If: (["e1"])')->{status}, 200, 'its own');
is(sees(), '(["e1"])', 'as it was sent');


=== both wait for a write in flight, and a lock holds both
--- config
    location ~ ^(?<resource>/plain/.+)/lock$ {
        conflict_lock;
        conflict_key $resource;
        conflict_user $http_x_user;
    }
    location / {
        conflict version;
        conflict_wait 50ms;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a', 'b';
GET("/plain/$_") for 'a', 'b';

for my $busy ('a', 'b') {
    my $s = start('PUT', "/plain/$busy", body => { n => 'slow' },
                  headers => ['X-Up-Write: hold apply']);
    upstream('/_begun?n=' . ($busy eq 'a' ? 1 : 2));

    my $r = move('/plain/b', '/plain/a');
    is("$r->{status} " . json($r)->{error}, '409 write_in_progress',
       "$busy is being written");
    is(json($r)->{resource}, "/plain/$busy", 'and named');

    upstream('/_release');
    is(finish($s)->{status}, 204, 'the write ends');
    is(PUT("/plain/$_", { n => $_ })->{status}, 204, "$_ is free") for 'a', 'b';
}

for my $held ('a', 'b') {
    is(lock("/plain/$held", 'ann')->{status}, 200, "ann edits $held");

    my $r = move('/plain/b', '/plain/a', 'X-User: bob');
    is("$r->{status} " . json($r)->{error}, '409 locked', 'bob may not');
    is(copy('/plain/b', '/plain/a', 'X-User: bob')->{status},
       $held eq 'a' ? 409 : 204, 'a COPY only reads its source');

    is(http('DELETE', "/plain/$held/lock", headers => ['X-User: ann'])
       ->{status}, 200, 'ann is done');
}

is(lock('/plain/a', 'ann')->{status}, 200, 'ann edits a');
is(move('/plain/b', '/plain/a', 'X-User: ann')->{status}, 204, 'and may');


=== what nobody knows the end of is unknown at both ends
--- config
    location / {
        conflict version;
        conflict_quarantine 200ms;
        proxy_read_timeout 300ms;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a', 'b';

my %v = map { $_ => version(GET("/plain/$_")) } 'a', 'b';

my $r = move('/plain/b', '/plain/a', 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');
upstream('/_release');

for my $n ('a', 'b') {
    until_true { $r = PUT("/plain/$n", { n => 'x', base_version => $v{$n} });
                 $r->{status} != 503 };
    is($r->{status}, 409, "$n is found out");
}

is(doc('/plain/a') . doc('/plain/b'), '{"n":"b"}null', 'nothing is lost');

# one that was refused has changed nothing

my $now = version(GET('/plain/a'));
is(move('/plain/a', '/plain/c', 'X-Up-Write: status=412')->{status}, 412,
   'refused by the upstream');
is(version(GET('/plain/a')), $now, 'a is what it was');
is(PUT('/plain/a', { n => 'y', base_version => $now })->{status}, 204,
   'and free');


=== the leases of a MOVE are renewed for as long as the upstream works
--- config
    location / {
        conflict version;
        conflict_lease 3s;
        conflict_quarantine 0;
        conflict_wait 0;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a', 'b';
my %v = map { $_ => version(GET("/plain/$_")) } 'a', 'b';

my $move = start('MOVE', '/plain/a',
                 headers => [to('/plain/b'), 'X-Up-Write: hold apply']);
until_true { grep { $_->{method} eq 'MOVE' } seen() };
sleep 4;

is(PUT("/plain/$_", { n => 'x', base_version => $v{$_} })->{status}, 409,
   "$_ is in use") for 'a', 'b';

release();
is(finish($move)->{status}, 204, 'it ends');
is(doc('/plain/b'), '{"n":"a"}', 'as it would have');


=== MOVEs in a circle end
--- config
    location / {
        conflict version;
        conflict_wait 5s;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 'a', 'b';
GET("/plain/$_") for 'a', 'b';

my @s = map { start('MOVE', "/plain/$_->[0]",
                    headers => [to("/plain/$_->[1]")]) }
        (['a', 'b'], ['b', 'a']) x 5;

# where two go the same way, the second finds nothing to move

my @r = map { finish($_) } @s;

is(scalar(grep { header($_, 'Conflict') =~ /^passed/ } @r), 10,
   'each has taken its turn');
is(scalar(grep { $_->{status} =~ /^(?:20[14]|404)$/ } @r), 10,
   'and has got its answer');
is(scalar(grep { $_->{method} eq 'MOVE' } journal()),
   scalar(grep { $_->{status} < 300 } @r), 'which is what was done');
is(scalar(grep { GET("/plain/$_")->{status} == 200 } 'a', 'b'), 1,
   'and one of both is there');


=== a Destination that cannot be told
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location ~ ^/key/(?<name>[^/]+) {
        conflict version;
        conflict_key id:$name;
        proxy_pass http://api;
    }
    location /lww/ {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
set_doc($_, { n => 1 }) for '/plain/a', '/key/a', '/lww/a';

for my $to ('http://elsewhere/plain/b', 'plain/b', 'http://localhost',
            'http:/plain/b', '/../b', '*', '/plain/b#x',
            'http://localhost/plain/b#')
{
    my $r = http('MOVE', '/plain/a', headers => ["Destination: $to"]);
    is("$r->{status} " . (json($r) || {})->{error}, '400 malformed_destination',
       $to);
}

my $r = move('/key/a', '/key/b');
is("$r->{status} " . json($r)->{error}, '400 malformed_destination',
   'a key that is none of a path');
like(json($r)->{detail}, qr/conflict_key/, 'why');

is(scalar(journal()), 0, 'nothing was done');

$r = http('MOVE', '/lww/a', headers => ['Destination: /../b']);
is(header($r, 'Conflict'), 'unchecked', 'or passes unchecked');

# the same place in other words

set_doc('/plain/b', { n => 2 });
my $v = version(GET('/plain/b'));
is(http('COPY', '/plain/a', headers => ['Destination: '
        . 'https://LOCALHOST:8443/x/../plain/%62?x=1'])->{status}, 201,
   'a copy');
is(PUT('/plain/b', { base_version => $v })->{status}, 409, 'to the same place');

set_doc('/', { n => 3 });

$v = version(GET('/plain/b'));

is(http('COPY', 'http://localhost?x=1',
        headers => ['Destination: /plain/b'])->{status}, 204,
   'a copy of what a target without a path names');
is(PUT('/plain/b', { base_version => $v })->{status}, 409,
   'its destination is known as well');


=== a location's own WebDAV
--- config
    location /dav/ {
        conflict version;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
        dav_methods PUT DELETE MKCOL COPY MOVE;
    }
--- steps
is(PUT("/dav/$_", { n => $_ })->{status}, 201, "made $_") for 'ma', 'mb';

my $v = version(GET('/dav/ma'));
my $r = move('/dav/mb', '/dav/ma', 'Overwrite: T');
is($r->{status}, 204, 'moved');
is(header($r, 'Conflict'), 'passed', 'guarded');
is(PUT('/dav/ma', { n => 'x', base_version => $v })->{status}, 409, 'stale');
is(json(GET('/dav/ma'))->{n}, 'mb', 'nothing is lost');

$r = http('MKCOL', '/dav/mdir/');
is($r->{status}, 201, 'a method that nobody guards');
is(header($r, 'Conflict'), 'unchecked', 'is told so');
DELETE('/dav/ma');
http('DELETE', '/dav/mdir/');


=== any method can be called a write
--- config
    location / {
        conflict version;
        conflict_methods PUT MERGE LINK X-SAVE;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { n => 1 });

my $v = version(GET('/plain/a'));

is(log_count(qr/method "X-SAVE" is none of the registered methods of HTTP/), 1,
   'one that may be misspelled is warned of');
is(log_count(qr/is none of the registered/), 1, 'and no other');

for my $method ('MERGE', 'LINK', 'X-SAVE') {
    my $r = http($method, '/plain/a', body => { n => 2, base_version => 7 });
    is($r->{status}, 409, "$method is checked");

    $r = http($method, '/plain/a', body => { n => 2, base_version => $v });
    is($r->{status}, 204, 'and passes');
    cmp_ok(version($r), '>', $v, 'with a new version');
    $v = version($r);
}


=== what nobody has called a write is told, counted, and not trusted
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_read_timeout 300ms;
        proxy_pass http://api;
    }
    location ~ ^/streamed(?<path>/.*) {
        conflict version;
        conflict_key $path;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://api$path;
    }
    location = /status {
        conflict_status json;
    }
--- steps
set_doc('/plain/a', { n => 1 });

sub unchecked {
    my ($route) = grep { $_->{location} eq '/' } @{ json(GET('/status'))
                                                   ->{routes} };
    return $route ? $route->{outcomes}{unchecked} : 0;
}

my $v = version(GET('/plain/a'));
my $r = http('MERGE', '/plain/a', body => { n => 2 });

is($r->{status}, 204, 'it passes');
is(header($r, 'Conflict'), 'unchecked', 'and says so');
until_true { unchecked() == 1 };
is(unchecked(), 1, 'counted');

$r = PUT('/plain/a', { n => 3, base_version => $v });
is($r->{status}, 409, 'what it has changed is found out');
is(json($r)->{server_version}{n}, 2, 'and shown');

# where it has changed nothing the base is good

$v = json($r)->{version};
GET('/plain/a');
is(http('MERGE', '/plain/a', body => { n => 2 })->{status}, 204, 'the same');
is(PUT('/plain/a', { n => 4, base_version => $v })->{status}, 204,
   'the version stays');

# what was refused has done nothing; of what was not answered nobody knows

$v = version(GET('/plain/a'));
http('MERGE', '/plain/a', body => {}, headers => ['X-Up-Write: status=400']);
is(PUT('/plain/a', { n => 5, base_version => $v })->{status}, 204, 'refused');

$v = version(GET('/plain/a'));
$r = http('MERGE', '/plain/a', body => { n => 6 },
          headers => ['X-Up-Write: apply hold']);
is($r->{status}, 504, 'no answer');
until_true { $r = PUT('/plain/a', { n => 7, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'it was done');
upstream('/_release');

# beside a write in flight

$v = version(GET('/plain/a'));
my $s = start('PUT', '/plain/a', body => { n => 8, base_version => $v },
              headers => ['X-Up-Write: apply hold']);
upstream('/_applied?n=6');
is(http('MERGE', '/plain/a', body => { n => 9 })->{status}, 204, 'meanwhile');
upstream('/_release');
$r = finish($s);
is($r->{status}, 204, 'the write ends');
$v = version($r) || $v;
until_true { $r = PUT('/plain/a', { n => 0, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'but nobody knows which came last');
is(json($r)->{server_version}{n}, 9, 'before a GET');

# a POST that is to be taken for another method

for my $name ('X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override') {
    is(header(http('POST', '/plain/a', body => { n => 1 },
                   headers => ["$name: PUT"]), 'Conflict'), 'unchecked', $name);
}

# by an argument; "?" and what follows is not a part of the resource

until_true { $v = version(GET('/plain/a')) };

for my $args ('_method=PUT', 'a=b&_method=delete&c', '_method=POST&_method=PUT',
              '%5Fmethod=PUT', 'a=b%26&%5f%6de%74hod=PUT',
              '%&_method=PUT', '_m%&_method=PUT', 'a=%2&_method=PUT')
{
    is(header(http('POST', "/plain/a?$args", body => { n => 1 }), 'Conflict'),
       'unchecked', $args);
}

set_doc('/plain/a', { n => 9 });
is(PUT('/plain/a', { n => 0, base_version => $v })->{status}, 409,
   'it may have been done');

for my $args ('_method=POST', '_method=post', 'the_method=PUT', '_method',
              '_metho', 'a=b%26_method=PUT', '_method%3DPUT', '_method%', '%')
{
    is(header(http('POST', "/plain/a?$args", body => { n => 1 }), 'Conflict'),
       undef, $args);
}

until_true { $v = version(GET('/plain/a')) };

like(header(GET("/plain/a$_"), 'Conflict'), qr/^passed;version=$v/, "read $_")
    for '?_method=DELETE', '?_method=PUT', '';

for my $method ('OPTIONS', 'PROPFIND', 'REPORT', 'LOCK', 'UNLOCK', 'POST') {
    is(header(http($method, '/plain/a', body => { n => 1 }), 'Conflict'),
       undef, "$method is left alone");
}

# by a field of a form

sub posted {
    my ($uri, $type, @text) = @_;

    my $s = start('POST', $uri,
                  headers => ["Content-Type: $type",
                              'Content-Length: ' . length join('', @text)]);

    for my $text (@text) {
        $s->{socket}->print($text);
        $s->{socket}->flush;
        sleep(0.1) if @text > 1;
    }

    return finish($s);
}

my $form = 'application/x-www-form-urlencoded';
my $parts = 'multipart/form-data; boundary=b';
my $part = "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\nPUT\r\n";
my $unquoted = "--b\r\nContent-Disposition: form-data; name=_method";
my $file = 'names="_method' x 10000;

for my $uri ('/plain/a', '/streamed/plain/a') {

    for my $case ([ $form, '_method=PUT&n=1' ], [ uc $form, 'n=1&_method=PUT' ],
                  [ "$form;charset=utf-8", 'n=1&%5Fmet', 'hod=PUT' ],
                  [ $form, 'n=1&%', '5', 'fmethod=PUT' ],
                  [ $form, 'n=' . 'x' x 100000, '&_method=PUT' ],
                  [ $parts, sprintf($part, '_method') . '--b--' ],
                  [ $parts, $unquoted . "\r\n\r\nPUT\r\n--b--" ],
                  [ $parts, "$unquoted; filename=a\r\n\r\nPUT\r\n--b--" ],
                  [ $parts, sprintf($part, 'file') . $file,
                    sprintf("\r\n$part", '_method') . '--b--' ])
    {
        my ($type, @text) = @$case;

        until_true { $v = version(GET('/plain/a')) };
        is(header(posted($uri, $type, @text), 'Conflict'), 'unchecked',
           "$uri: $type in " . @text);

        set_doc('/plain/a', { n => $v });
        is(PUT('/plain/a', { n => 0, base_version => $v })->{status}, 409,
           'it may have been done');
    }

    for my $case ([ $form, 'a_method=PUT&_metho=PUT&n=%26_method=' ],
                  [ 'text/plain', '_method=PUT' ],
                  [ $parts, sprintf($part, 'method') . "$file--b--" ],
                  [ $parts, $unquoted . "s\r\n\r\nPUT\r\n--b--" ])
    {
        my ($type, @text) = @$case;

        is(header(posted($uri, $type, @text), 'Conflict'), undef,
           "$uri: no method in $type");
    }
}

# a read that is to be taken for another method

for my $name ('X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override') {

    for my $method ('GET', 'HEAD', 'OPTIONS') {
        my $is = ($method eq 'OPTIONS') ? qr/^$/ : qr/^passed/;

        for my $value ($method, lc $method, 'GET', '') {
            like(header(http($method, '/plain/a', headers => ["$name: $value"]),
                        'Conflict') || '', $is,
                 "$method, $name: $value");
        }

        until_true { $v = version(GET('/plain/a')) };

        is(header(http($method, '/plain/a', headers => ["$name: DELETE"]),
                  'Conflict'), 'unchecked', "$method, $name: DELETE");
        set_doc('/plain/a', { n => $v });

        is(PUT('/plain/a', { n => 0, base_version => $v })->{status}, 409,
           'it may have been done');
    }
}


=== a precondition in a header is checked, whatever the method
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a', { n => 1 });

my $v = version(GET('/plain/a'));

for my $method ('POST', 'LOCK', 'PROPPATCH', 'MERGE') {
    for my $h ('If-Match: "7"', 'If-Unmodified-Since: '
               . 'Thu, 01 Jan 1970 00:00:00 GMT', 'If-None-Match: *',
               qq(If-None-Match: "$v"))
    {
        is(http($method, '/plain/a', body => { n => 2 }, headers => [$h])
           ->{status}, 409, "$method, $h");
    }

    my $r = http($method, '/plain/a', body => { n => 2 },
                 headers => [qq(If-Match: "$v")]);
    is($r->{status}, 204, 'one that holds');
    $v = version(GET('/plain/a'));
}


=== the tag of what a POST has made is not that of the collection
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /g/ {
        conflict version;
        conflict_methods POST PUT;
        proxy_pass http://api/plain/;
    }
--- steps
my @made = ('X-Up-Write: apply status=201 header=ETag:"own-1"'
            . ' header=Location:/plain/7');

my $r = http('POST', '/plain/list', body => { id => 7 }, headers => [@made]);
is($r->{status}, 201, 'not guarded');
is(header($r, 'ETag'), undef, 'no tag of the upstream\'s');

$r = http('POST', '/g/list', body => { id => 7 }, headers => [@made]);
is($r->{status}, 201, 'guarded');
is(header($r, 'ETag'), undef, 'nor one of ours');

# as an API tells of it that does not answer 201

for my $field ('Location:/plain/7', 'Content-Location:/plain/7',
               'Content-Location:http://localhost/plain/7')
{
    my @answered = ("X-Up-Write: apply status=200 header=ETag:\"own-1\""
                    . " header=$field");

    for my $path ('/plain/list', '/g/list') {
        $r = http('POST', $path, body => { id => 7 }, headers => [@answered]);
        is($r->{status}, 200, "$path, $field");
        is(header($r, 'ETag'), undef, 'no tag');
        unlike(header($r, 'Conflict') // '', qr/version/, 'no version');
    }
}

for my $field ('X-Other:/plain/7', 'Content-Location:/g/list',
               'Content-Location:http://localhost/g/list')
{
    $r = http('POST', '/g/list', body => { id => 7 },
              headers => ["X-Up-Write: apply status=200 header=$field"]);
    like(header($r, 'ETag'), qr/^"\d+"$/, "$field - about its target");
}

$r = http('POST', '/g/list', body => { id => 7 });
like(header($r, 'ETag'), qr/^"\d+"$/, 'but of an answer about its target');


=== a destination whose path would be rewritten as that of the target was
--- config
    location /v1/ {
        rewrite ^/v1/(.*) /plain/$1 break;
        conflict version;
        proxy_pass http://api;
    }
    location /v2/ {
        rewrite ^/v2/(.*) /plain/$1 break;
        conflict version;
        conflict_key $request_uri;
        proxy_pass http://api;
    }
    location /v3/ {
        try_files /none /plain$uri;
    }
    location /v4/ {
        rewrite ^/v4/(.*) /plain/$1 break;
        conflict version;
        conflict_key $v4;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- http_config
    map $uri $v4 {
        ~^/(v4|plain)/(?<name>.*) doc:$name;
    }
--- steps
for my $dir (qw(/v1 /v2 /v3)) {
    set_doc($_, { n => $_ }) for '/plain/a', '/plain/b', '/plain/v3/a';

    my $v = version(GET("$dir/b"));

    for my $r (move("$dir/a", "$dir/b"), copy("$dir/a", "$dir/b"),
               move("$dir/a", '/plain/b'))
    {
        is($r->{status}, 400, "$dir: refused");
        is(json($r)->{error}, 'malformed_destination', 'as nobody knows it');
    }
}

is(doc('/plain/b'), '{"n":"/plain/b"}', 'nothing was written');

# a key that is the same before and after

set_doc("/v4/$_", { n => $_ }) for qw(a b);
set_doc("/plain/$_", { n => $_ }) for qw(a b);

my $v = version(GET('/v4/b'));

is(move('/v4/a', '/v4/b')->{status}, 204, 'a key that no rewrite changes');
is(PUT('/v4/b', { n => 1, base_version => $v })->{status}, 409,
   'the destination was written');


=== two destinations
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for qw(a b c);

for my $method (qw(MOVE COPY)) {
    my $r = http($method, '/plain/a', headers => [to('/plain/b'),
                                                  to('/plain/c')]);

    is($r->{status}, 400, "$method: which of them");
    is(json($r)->{error}, 'malformed_destination', 'is not known');
}

is(doc("/plain/$_"), "{\"n\":\"$_\"}", "$_ is as it was") for qw(a b c);


=== a response for several resources does not tell that it was done
--- config
    location / {
        conflict version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
for my $method (qw(DELETE PUT MOVE)) {
    my $path = "/plain/$method";

    set_doc($path, { n => 1 });

    my $v = version(GET($path));
    my @base = ("If-Match: \"$v\"", to('/plain/other'));
    my $body = $method eq 'PUT' ? { n => 2 } : undef;
    my $r;

    for my $done (0, 1) {
        $r = http($method, $path, body => $body,
                  headers => [@base, 'X-Up-Write: '
                                     . ($done ? 'apply' : 'status=207')]);

        is($r->{status}, $done ? $method eq 'MOVE' ? 201 : 204 : 207,
           $done ? 'sent again, it is' : "$method, which is not done");
        like(header($r, 'Conflict'), qr/^passed/, 'passed');
    }
}


=== the destination of a MOVE that is not guarded
--- config
    location / {
        conflict version;
        conflict_methods PUT DELETE;
        proxy_pass http://api;
    }
    location /mirrored/ {
        mirror /copied;
        proxy_pass http://api/plain/;
    }
    location = /copied {
        internal;
        conflict version;
        conflict_methods PUT DELETE;
        proxy_set_header Destination /plain/b;
        proxy_pass http://api/plain/a;
    }
--- steps
for my $method (qw(MOVE COPY)) {
    set_doc("/plain/$_", { n => $_ }) for qw(a b);

    my $v = version(GET('/plain/b'));
    my $r = http($method, '/plain/a', headers => [to('/plain/b')]);

    is($r->{status}, 204, $method);
    is(header($r, 'Conflict'), 'unchecked', 'is not checked');
    is(PUT('/plain/b', { n => 1, base_version => $v })->{status}, 409,
       'a base from before it');

    set_doc('/plain/a', { n => 'a' });
    $v = version(GET('/plain/b'));

    is(http($method, '/plain/a', headers => [to('/plain/b'),
                                             'X-Up-Write: status=412'])
       ->{status}, 412, 'one that the API refuses');
    is(PUT('/plain/b', { n => 2, base_version => $v })->{status}, 204,
       'changes nothing');

    set_doc("/plain/$_", { n => $_ }) for qw(a x);
    $v = version(GET('/plain/b'));

    http($method, '/mirrored/x', headers => [to('/plain/b')]);
    until_true { 2 <= grep { $_->{method} eq $method
                             && $_->{target} eq '/plain/a' } seen() };
    until_true { PUT('/plain/b', { n => 3, base_version => $v })->{status}
                 == 409 };
}


=== a MOVE from a location that is not guarded to one that is
--- http_config
    map $uri $note {
        ~^/keyed/(?<id>.*) note:$id;
    }
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /keyed/ {
        conflict version;
        conflict_key $note;
        proxy_pass http://api/plain/;
    }
    location /upload/ {
        conflict off;
        proxy_pass http://api/plain/;
    }
--- steps
for my $method (qw(MOVE COPY)) {
    set_doc("/plain/$_", { n => $_ }) for qw(a b c);

    my $v = version(GET('/plain/b'));
    my $other = version(GET('/plain/c'));
    my $r = http($method, '/upload/a', headers => [to('/plain/b')]);

    is($r->{status}, 204, $method);
    is(PUT('/plain/b', { n => 1, base_version => $v })->{status}, 409,
       'a base from before it');
    is(PUT('/plain/c', { n => 1, base_version => $other })->{status}, 204,
       'that of another one');

    set_doc('/plain/a', { n => 'a' });
    $v = version(GET('/plain/b'));

    is(http($method, '/upload/a', headers => [to('/plain/b'),
                                              'X-Up-Write: status=412'])
       ->{status}, 412, 'one that the API refuses');
    is(PUT('/plain/b', { n => 2, base_version => $v })->{status}, 204,
       'changes nothing');

    # the key of another location, and what the API makes of the path

    set_doc("/plain/$_", { n => $_ }) for qw(a b);
    set_doc('/keyed/b', { n => 'a' });
    $v = version(GET('/keyed/b'));

    is(http($method, '/upload/a', headers => [to('/keyed/b')])->{status}, 204,
       'to another key');
    set_doc('/plain/b', { n => 'a' });
    is(PUT('/keyed/b', { n => 1, base_version => $v })->{status}, 409,
       'a base from before it');

    # what it does not write, or where nothing is guarded

    for my $to ('/upload/x', 'http://other.example/plain/b', '/plain/b#x') {
        cmp_ok(http($method, '/upload/c', headers => [to($to)])->{status}, '<',
               500, "to $to");
        set_doc('/plain/c', { n => 1 });
    }
}


=== a page in place of the response to a method that is not guarded
--- config
    location /plain/ {
        conflict version;
        conflict_methods PUT;
        proxy_intercept_errors on;
        error_page 500 =404 /page;
        error_page 422 =200 /page;
        proxy_pass http://api;
    }
    location = /page { return 200 page; }
--- steps
for my $case (['apply status=500', 404, 409], ['status=422', 200, 204]) {
    my ($what, $shown, $next) = @$case;

    set_doc('/plain/1', { n => 0 });

    my $v = version(GET('/plain/1'));
    my $r = http('PATCH', '/plain/1', body => { n => 1 },
                 headers => ["X-Up-Write: $what"]);

    is($r->{status}, $shown, $what);
    is(header($r, 'Conflict'), 'unchecked', 'is not checked');
    is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, $next,
       'the next write');
}


=== the own GET for a target whose argument names a method
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location = /events {
        conflict_events;
    }
    location ~ ^(?<path>/.*)/lock$ {
        conflict_lock get=$path?$args;
        conflict_key $path;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));

for my $uri ('/events?poll=1&resource=/plain/1%3F_method=PUT',
             '/plain/1/lock?_method=PUT')
{
    is(GET($uri)->{status}, 200, $uri);

    my $r = PUT('/plain/1', { n => 2, base_version => $v });

    is($r->{status}, 204, 'holds no write off');
    $v = version($r);
}
