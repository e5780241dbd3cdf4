# docs/openapi.yaml: it is valid, and describes what the module answers.
#
# On both stores.
# Needs: build/docs/node_modules

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

BEGIN { need('node', "$ENV{TEST_NGINX_TOP}/build/docs/node_modules") }

my @answers;

# remembers an answer of an operation

sub told {
    my ($at, $method, $r) = @_;

    push @answers, [$at, lc $method, {
        status => 0 + $r->{status}, headers => $r->{headers},
        body => $r->{body} =~ /^[\[{]/ ? json($r) : undef
    }];

    return $r;
}

sub on_note { told('/notes/{id}', $_[0], http(@_)) }

sub on_lock { told('/notes/{id}/lock', $_[0], http(@_)) }

sub on_versions { told('/notes/{id}/versions', $_[0], http(@_)) }

sub on_inbox { told('/inbox', $_[0], http(@_)) }

sub on_events { told('/events', $_[0], http(@_)) }

sub checked {
    my $top = $ENV{TEST_NGINX_TOP};
    my $file = servroot() . '/../answers.json';

    open my $out, '>', $file or die "$file: $!";
    print $out JSON::PP->new->encode(\@answers);
    close $out;

    local $ENV{NODE_PATH} = "$top/build/docs/node_modules";

    return `node $top/t/docs/openapi.js < $file 2>&1`;
}

Conflict::install('Test::Nginx::Socket');
master_on();
run_tests();

__DATA__

=== each answer is described
--- http_config
    conflict_store down redis://127.0.0.1:1 timeout=100ms;
    conflict_store zone zone=1m;
    conflict_quarantine 300ms;
    conflict_wait 20ms;
--- config
    location / {
        conflict version;
        conflict_user $http_x_user;
        conflict_max_body 1k;
        proxy_pass http://api;
    }
    location /plain/strict/ {
        conflict version;
        conflict_require on;
        conflict_lock_status 423;
        conflict_header_status 412;
        proxy_pass http://api;
    }
    location /plain/off/ {
        conflict version;
        conflict_latest off;
        proxy_pass http://api;
    }
    location /plain/merge/ {
        conflict merge;
        conflict_user $http_x_user;
        conflict_field /a reject;
        conflict_field /tags union;
        proxy_pass http://api;
    }
    location /plain/edited/ {
        conflict lww edited=json:/edited_at;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location /plain/refused/ {
        conflict merge;
        conflict_user $http_x_user;
        conflict_resolver /refuses;
        proxy_pass http://api;
    }
    location = /refuses {
        internal;
        default_type application/json;
        return 409 '{"ask":"ann"}';
    }
    location /plain/server/ {
        conflict merge;
        conflict_field /a server;
        proxy_pass http://api;
    }
    location /plain/wins/ {
        conflict server_wins;
        proxy_pass http://api;
    }
    location /plain/kept/ {
        conflict version;
        conflict_user $http_x_user;
        conflict_history 8 versions;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/plain/.+)/versions$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_versions;
    }
    location ~ ^/versions/(?<resource>.*)$ {
        conflict_key $resource;
        conflict_versions;
    }
    location /plain/down/ {
        conflict version store=down;
        proxy_pass http://api;
    }
    location /plain/zone/ {
        conflict version store=zone;
        proxy_pass http://api;
    }
    location /plain/keys/ {
        conflict version;
        conflict_idempotency required;
        conflict_max_body 1k;
        proxy_pass http://api;
    }
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/plain/.+)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock per_user=2;
    }
    location /plain/held/ {
        conflict version hold;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location = /inbox {
        conflict_inbox;
        conflict_user $http_x_user;
        conflict_max_body 1k;
    }
    location ~ ^/lock/(?<resource>.*)$ {
        conflict_key $resource;
        conflict_lock;
    }
    location = /one { conflict_events per_client=1; }
    location = /full { conflict_events max=1; }
--- steps
my @json = ('Content-Type: application/json');
my $problem = 'Accept: application/problem+json';
my $put = sub {
    my ($path, $body, @headers) = @_;

    return main::on_note('PUT', $path, body => $body, headers => [@json, @headers]);
};
my $both = sub { $put->(@_); $put->(@_, $problem) };

# what passes

set_doc("/plain/$_", { n => 1 }) for 1, 2, 3, 'off/1', 'wins/1', 'strict/1';
my $read = main::on_note('GET', '/plain/1');
my $v = version($read);
main::on_note('GET', '/plain/1', headers => ["If-None-Match: \"$v\""]);
$put->('/plain/1', qq({"n":2,"base_version":$v}));
$put->('/plain/new', '{}', 'If-None-Match: *');
main::on_note('PATCH', '/plain/1', body => '{"n":3}',
           headers => ['Content-Type: application/merge-patch+json']);

# what is stale

my $stale = '{"n":9,"base_version":1}';

$both->('/plain/1', $stale);
$both->('/plain/1', '{"n":9}', 'If-Match: "1"');
$both->('/plain/strict/1', '{"n":9}', 'If-Match: "1"');
$both->('/plain/off/1', $stale);
$both->('/plain/gone', $stale);
$put->('/plain/wins/1', $stale);
$put->('/plain/wins/gone', $stale);
main::on_note('DELETE', '/plain/1', headers => ['If-Match: "1"']);
main::on_note('PATCH', '/plain/1', body => '{"n":4}',
           headers => ['Content-Type: application/merge-patch+json',
                       'If-Match: "1"']);
set_doc('/plain/big', { n => 'x' x 2000 });
$both->('/plain/big', $stale);
set_doc('/own/1', { n => 1 });
$both->('/own/1', '{"n":9,"base_version":77}');
set_doc('/etag/1', { n => 1 });
$both->('/etag/1', '{"n":9}', 'If-Match: "other"');
$both->('/plain/edited/1', '{"n":9,"edited_at":"soon"}');
set_doc('/auth/1', { n => 1 });
$put->('/auth/1', $stale, 'Authorization: Bearer writer');
set_doc('/text/1', { n => 1 });
$both->('/text/1', $stale);

my $twice = qq({"n":5,"base_version":) . version(GET('/plain/2')) . '}';
$put->('/plain/2', $twice, 'X-Client: a') for 1, 2;

# what clashes

set_doc('/plain/merge/1', { a => 1, b => 1, tags => ['x'] });
my $base = version(GET('/plain/merge/1', 'X-User: ann'));
$put->('/plain/merge/1', qq({"a":2,"b":1,"tags":["x"],"base_version":$base}),
       'X-User: ann');
$put->('/plain/merge/1', qq({"a":1,"b":2,"tags":["y"],"base_version":$base}),
       'X-User: ann');
$both->('/plain/merge/1', qq({"a":3,"b":3,"c":3,"base_version":$base}),
        'X-User: ann');
$both->('/plain/merge/1', '{"a":3,"base_version":1}', 'X-User: bob');

for my $accept ('', $problem) {
    main::on_note('PATCH', '/plain/merge/1', body => '[{"op":"test","path":"/base_version","value":'
               . $base . '},{"op":"test","path":"/a","value":7},{"op":"replace","path":"/b","value":4}]',
               headers => ['X-User: ann', $accept || 'X-A: b',
                           'Content-Type: application/json-patch+json']);
}

set_doc('/plain/refused/1', { a => 1 });
$base = version(GET('/plain/refused/1', 'X-User: ann'));
$put->('/plain/refused/1', qq({"a":2,"base_version":$base}), 'X-User: ann');
$both->('/plain/refused/1', qq({"a":3,"base_version":$base}), 'X-User: ann');

# other refusals

$both->('/plain/strict/1', '{"n":9}');
$both->('/plain/1', '{"base_version":null}');
$both->('/plain/1', '{"base_version"');
$both->('/plain/1', '{"n":"' . 'x' x 2000 . '"}');
$both->('/plain/strict/1', 'x', 'Content-Encoding: gzip');
$both->('/plain/down/1', '{}');
main::on_note('PUT', '/plain/server/1', body => 'x',
           headers => ['Content-Type: text/plain', $_]) for 'X-A: b', $problem;
main::on_note('PATCH', '/plain/server/1', body => 'x',
           headers => ['Content-Type: text/csv', $_]) for 'X-A: b', $problem;

for my $accept ('X-A: b', $problem) {
    main::told('/notes/{id}', 'PUT',
               http('MOVE', '/plain/1', headers => ["Destination: http://elsewhere/x", $accept]));
}

my $w = held('/plain/3', { n => 31 });
$both->('/plain/3', '{"n":32}');
release();
finish($w);
PUT('/plain/3', { n => 33 }, 'X-Up-Write: apply close');
$both->('/plain/3', '{"n":34}');

set_doc('/plain/zone/1', { n => 1 });
$w = held('/plain/zone/1', { n => 35 });
edit_conf('zone zone=1m', 'zone zone=2m');
reload();
$both->('/plain/zone/1', '{"n":36}');
release();
finish($w);

# Idempotency-Key

my $key = sub {
    my ($name, $body, @headers) = @_;

    for my $accept ('X-A: b', $problem) {
        main::on_note('PATCH', '/plain/keys/1', body => $body,
            headers => ['Content-Type: application/merge-patch+json',
                        @headers, $accept,
                        ("Idempotency-Key: $name-of-a-caller-without-a-user")
                        x !!$name]);
    }
};

$key->('', '{}');
$key->(',', '{}');
$key->('done', '{}');
$key->('done', '{"n":1}');
$key->('large', '{}', 'X-Up-Write: apply status=200 body=2000');
http('PATCH', '/plain/keys/1', body => '{}',
     headers => ['Content-Type: application/merge-patch+json',
                 'Idempotency-Key: lost-of-a-caller-without-a-user',
                 'X-Up-Write: apply close']);
$key->('lost', '{}');

$w = start('PATCH', '/plain/keys/2', body => '{}',
           headers => ['Content-Type: application/merge-patch+json',
                       'Idempotency-Key: in-progress-of-a-caller',
                       'X-Up-Write: hold apply']);
until_true { grep { $_->{target} eq '/plain/keys/2' } seen() };
main::on_note('PATCH', '/plain/keys/2', body => '{}',
              headers => ['Content-Type: application/merge-patch+json',
                          'Idempotency-Key: in-progress-of-a-caller']);
release();
finish($w);

# locks

for my $accept ('X-A: b', $problem) {
    my @ann = ('X-User: ann', 'X-Client: laptop', $accept);
    my @bob = ('X-User: bob', $accept);

    main::on_lock('GET', '/plain/1/lock', headers => [@bob]);
    my $got = main::on_lock('POST', '/plain/1/lock', headers => [@ann]);
    main::on_lock('POST', '/plain/1/lock', headers => [@ann]);
    main::on_lock('POST', '/plain/1/lock',
               headers => ["Lock-Token: " . json($got)->{lock}{token}, $accept]);
    main::on_lock('GET', '/plain/1/lock', headers => [@ann]);
    main::on_lock('GET', '/plain/1/lock', headers => [@bob]);
    main::on_lock('POST', '/plain/1/lock', headers => [@bob]);
    main::on_lock('DELETE', '/plain/1/lock', headers => [@bob]);
    $put->('/plain/1', '{"n":8}', @bob);
    http('POST', '/plain/strict/1/lock', headers => [@ann]);
    $put->('/plain/strict/1', '{"n":8}', @bob, 'If-Match: *');
    main::on_lock('POST', '/plain/2/lock', headers => [@ann]);
    main::on_lock('PUT', '/plain/1/lock', headers => [@ann]);
    main::on_lock('POST', '/lock/1', headers => [@ann]);
    main::on_lock('DELETE', '/plain/1/lock', headers => [@ann]);
    http('DELETE', '/plain/strict/1/lock', headers => [@ann]);
}

# versions

for my $accept ('X-A: b', $problem) {
    my @ann = ('X-User: ann', $accept);
    my $at = '/plain/kept/' . length $accept;

    $put->($at, '{"n":1}', @ann);
    $put->($at, '{"n":2}', 'X-User: bob');
    DELETE($at);
    $put->($at, '{"n":3}', @ann);
    main::on_versions('GET', "$at/versions", headers => [@ann]);
    main::on_versions('GET', "$at/versions?conflict_version=$_",
                      headers => [@ann]) for 'x', 17;
    main::on_versions('GET', '/versions/1', headers => [@ann]);
    main::on_versions('GET', "$at/versions",
                      headers => [@ann, 'X-Up-Read: status=503']);
    main::on_versions('PUT', "$at/versions", headers => [@ann]);
}

# the inbox

my @ann = ('X-User: ann');
set_doc('/plain/held/1', { n => 1 });
my $before = version(GET('/plain/held/1', @ann));
PUT('/plain/held/1', { n => 2, base_version => $before });
my $held = $put->('/plain/held/1', qq({"n":3,"base_version":$before}), @ann);
my ($id, $at) = (json($held)->{held}, json($held)->{version});

main::on_inbox('GET', '/inbox', headers => \@ann);
main::on_inbox('GET', "/inbox?id=$id", headers => \@ann);

for my $accept ('X-A: b', $problem) {
    my @who = (@ann, $accept);

    main::on_inbox('GET', '/inbox?id=x', headers => \@who);
    main::on_inbox('GET', "/inbox?id=$id", headers => [$accept]);
    main::on_inbox('POST', "/inbox?id=$id&take=mine", headers => \@who);
    main::on_inbox('POST', "/inbox?id=$id&take=merged",
                   body => 'x' x 2000, headers => [@who, 'If-Match: "1"']);
    main::on_inbox('POST', "/inbox?id=$id&take=mine",
                   headers => [@who, 'If-Match: "1"']);
    main::on_inbox('PUT', '/inbox', headers => \@who);
}

main::on_inbox('POST', "/inbox?id=$id&take=mine",
               headers => [@ann, qq(If-Match: "$at")]);
$held = $put->('/plain/held/1', qq({"n":4,"base_version":$before}), @ann);
main::on_inbox('DELETE', '/inbox?id=' . json($held)->{held},
               headers => \@ann);

# streams

my $open = start('GET', '/one?resource=/plain/1');
sysread $open->{socket}, my $head, 1000;

for my $accept ('X-A: b', $problem) {
    main::on_events('GET', '/full?poll=1&resource=/plain/1',
                    headers => [$accept]);
    main::on_events('GET', '/one?poll=1&resource=/plain/1',
                    headers => [$accept]);
    main::on_events('GET', '/one?resource=x', headers => [$accept]);
    main::on_events('POST', '/one', headers => [$accept]);
}

close $open->{socket};
my $state;
until_true { $state = http('GET', '/one?poll=1&resource=/plain/1');
             $state->{status} == 200 };
main::told('/events', 'GET', $state);

my $said = main::checked();
my ($n, $described) = (0, '');

for (split /\n/, $said) {
    $described = $1 if /^described (.*)/;

    my ($bad, $name) = /^(not )?ok (.*)/ or next;

    ok(!$bad, $name);
    $n++;
}

cmp_ok($n, '>', 200, 'all was looked at') or diag($said);

my @slugs = slurp("$ENV{TEST_NGINX_TOP}/src/answer/ngx_http_conflict_problem.c")
            =~ /^    \{ \w+,\s+"([a-z_]+)",/mg;

is($described, CORE::join(' ', sort @slugs), 'each error is described');
