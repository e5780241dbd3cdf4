# conflict_resolver: a location decides what becomes of clashing fields.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

my $Resolver = $ENV{TEST_NGINX_RESOLVER_PORT} = free_port();

Conflict::start_server('resolver.py', $Resolver);
fcgi_start();

sub resolver { http('GET', shift, port => $Resolver)->{body} }
sub asked { @{ json(resolver('/_asked')) } }

# the next answer of /set

sub answers {
    my ($query, $body) = @_;

    http('PUT', "/_set?$query", port => $Resolver, body => $body);
}

sub doc { upstream("/_doc?path=$_[0]") }

# a document that was shown to ann and bob, and changed by bob

sub changed {
    my ($path, $doc, $change) = @_;

    my $v = shown($path, $doc, 'ann', 'bob');

    like(PUT($path, { %$doc, %$change, base_version => $v }, 'X-User: bob')
         ->{status}, qr/^20[04]$/, 'bob');

    return $v;
}

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "location / {\n"
                      . 'conflict ' . ($block->policy || 'merge') . ";\n"
                      . "conflict_lease 1s;\n"
                      . "conflict_quarantine 300ms;\n"
                      . "conflict_user \$http_x_user;\n"
                      . 'conflict_resolver /_resolver/'
                      . ($block->to || 'sum') . ' '
                      . ($block->within || 'timeout=1m') . ";\n"
                      . ($block->rules || '')
                      . "proxy_pass http://api;\n}\n"
                      . "location /_resolver/ {\ninternal;\n"
                      . "proxy_pass http://127.0.0.1:$Resolver/;\n"
                      . ($block->resolver || '') . "}\n"
                      . ($block->more || ''));

    resolver('/_reset');
});

run_tests();

__DATA__

=== a clash is what the resolver makes of it
--- rules
    conflict_field /tags union;
    conflict_field /at   server;
--- steps
my $v = shown('/plain/1', '{"n":10,"t":"a","tags":["x"],"at":"mon",'
              . '"big":12345678901234567890}', 'ann', 'bob');

my @ann = ('X-User: ann', 'X-Client: phone', 'Authorization: Bearer reader',
           'Cookie: s=1');

GET('/plain/1', @ann);

is(PUT('/plain/1', '{"n":15,"t":"a","tags":["x","y"],"at":"mon",'
       . qq("big":12345678901234567890,"base_version":$v}), 'X-User: bob')
   ->{status}, 204, 'bob');

my $w = version(GET('/plain/1'));
is(scalar asked(), 0, 'a write that is not stale is not asked about');

my $body = '{"n":13,"t":"b","tags":["x","z"],"at":"tue",'
           . qq("big":12345678901234567890,"base_version":$v});
my $r = PUT('/plain/1', $body, @ann, 'X-Key: k', 'X-Request-ID: r1',
            'Accept-Encoding: gzip');

is($r->{status}, 204, 'ann');
is(header($r, 'Conflict'), 'merged;version=' . version($r)
   . qq(;base=$v;fields="n tags at"), 'the fields that are not hers');
is(header($r, 'ETag'), undef, 'she has not seen the result');

my @asked = asked();
is(scalar @asked, 1, 'asked once');

my $q = json($asked[0]{body});
my %h = map { @$_ } @{ $asked[0]{headers} };

is($asked[0]{method}, 'POST', 'its method');
is($h{'content-type'}, 'application/json', 'its type');
is($h{'content-length'}, length $asked[0]{body}, 'its length');
is($h{'x-request-id'}, 'r1', 'the id of the request');
is(join(' ', grep { exists $h{$_} } qw(authorization cookie x-key x-user
                                       x-client accept-encoding)), '',
   'no header of the client but those');

is_deeply([map { $q->{$_} } qw(resource method policy user_id client_origin
                               base_version version)],
          ['/plain/1', 'PUT', 'merge', 'ann', 'phone', $v, $w], 'who and what');
is($q->{base_held}, JSON::PP::true, 'the base is held');
is($q->{base}{n}, 10, 'the base');
is($q->{server}{n}, 15, 'the server\'s document');
is($q->{client}{n}, 13, 'the client\'s');
is_deeply($q->{conflicts}, [{ field => '/n', rule => 'auto', base => 10,
                              server => 15, client => 13 }], 'the clash');
is_deeply([map { $q->{merged}{$_} } qw(n t tags at)],
          [15, 'b', ['x', 'y', 'z'], 'mon'],
          'merged by the rules, and the server\'s where it clashes');
like($asked[0]{body}, qr/"client":\Q$body\E,/, 'byte for byte');

is_deeply(json(doc('/plain/1')), { n => 18, t => 'b', at => 'mon',
                                   tags => ['x', 'y', 'z'],
                                   big => 12345678901234567890 },
          'it is what the upstream got');

my @c = conflicts();
is(scalar @c, 1, 'one line in the log');
is("$c[0]{action} $c[0]{status} $c[0]{server_version}",
   "conflict_merge 204 $w", 'its action');
is_deeply($c[0]{fields}, ['/n', '/tags', '/at'], 'its fields');

# a retry is not asked about again

$r = PUT('/plain/1', $body, @ann);
like(header($r, 'Conflict'), qr/^replayed;/, 'a retry is recognized');
is(scalar asked(), 1, 'and not asked about');
is(json(doc('/plain/1'))->{n}, 18, 'nor done twice');

# without a clash it is not asked

is(PUT('/plain/1', { %{ json($body) }, n => 10, t => 'a', more => 1 }, @ann)
   ->{status}, 204, 'no clash');
is(scalar asked(), 1, 'no question');


=== a refusal, whose words are the client's
--- to: set
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });
my $write = { n => 3, base_version => $v };

answers('status=409', '{"ask":"the office","html":"<b>"}');

my $r = PUT('/plain/1', $write, 'X-User: ann');
my $answer = json($r);

is($r->{status}, 409, 'refused');
is_deeply($answer->{resolver}, { ask => 'the office', html => '<b>' }, 'why');
unlike($r->{body}, qr/<b>/, 'without markup');
is($answer->{error}, 'version_conflict', 'the refusal that it would have been');
is_deeply($answer->{conflicts}, [{ field => '/n', rule => 'auto', base => 1,
                                   server => 2, client => 3 }], 'the clash');
is($answer->{server_version}{n}, 2, 'the latest body');
is((conflicts())[-1]{action}, 'conflict_version', 'its action');
is(log_count(qr/resolver "/), 0, 'it is no error');
is(scalar(journal()), 1, 'nothing was sent');

answers('status=422', '"no"');
is(json(PUT('/plain/1', $write, 'X-User: ann'))->{resolver}, 'no', 'or so');

for (['status=409&type=text/plain', 'no'], ['status=409', '{"a":'],
     ['status=409', '"' . 'x' x 5000 . '"'],
     ['status=409&header=Content-Encoding:x', '"x"'])
{
    answers(@$_);
    $r = PUT('/plain/1', $write, 'X-User: ann');
    is($r->{status}, 409, $_->[0]);
    ok(!exists json($r)->{resolver}, 'nothing that cannot be shown');
}

is(log_count(qr/resolver "/), 0, 'no errors');


=== without a usable answer: the 409 that it is without a resolver
--- to: set
--- rules
    conflict_max_body 2k;
    conflict_max_values 40;
    conflict_field /o/at server;
--- allow: \[alert\]x
--- steps
my $doc = { n => 1, o => { at => 1, b => 1 } };
my $v = changed('/plain/1', $doc, { n => 2 });
my $good = '{"n":9,"o":{"at":1,"b":1}}';
my $deep = '[' x 200 . ']' x 200;

sub n { log_count(qr/the resolver "\/_resolver\/set" $_[0]/) }

for (['status=500', $good, 'has neither'],
     ['status=404', $good, 'has neither'],
     ['status=403', $good, 'has neither'],
     ['status=201', $good, 'has neither'],
     ['status=204', '', 'has neither'],
     ['status=302&header=Location:/x', $good, 'has neither'],
     ['status=200&type=text/html', $good, 'has not sent a JSON type'],
     ['status=200&header=Content-Encoding:gzip', $good, 'has sent an encoded'],
     ['status=200', '', 'has sent an empty body'],
     ['status=200', '{"n":9', 'has not sent a JSON document'],
     ['status=200', "$good$good", 'has not sent a JSON document'],
     ['status=200', "{\"n\":$deep}", 'has not sent a JSON document'],
     ['status=200', '{"n":9,"n":8}', 'has sent a duplicate member'],
     ['status=200', '{"a":{"n":9,"\u006e":8}}', 'has sent a duplicate member'],
     ['status=200', 'null', 'has sent a document of another type'],
     ['status=200', '[]', 'has sent a document of another type'],
     ['status=200', '{"n":9,"o":7}', 'has replaced an object'],
     ['status=200', '{"n":[' . join(',', 1 .. 60) . ']}',
      'has sent more values'],
     ['status=200', '{"n":"' . 'x' x 2100 . '"}', 'has sent more than'],
     ['status=200&chunked=1', '{"n":"' . 'x' x 2100 . '"}',
      'has sent more than'],
     ['status=200&cut=1', $good, 'has not'])
{
    my ($query, $body, $why) = @$_;
    my $n = n($why);

    answers($query, $body);

    my $r = PUT('/plain/1', { %$doc, n => 3, base_version => $v },
                'X-User: ann');

    is($r->{status}, 409, "$query " . substr $body, 0, 30);
    is_deeply([sort keys %{ json($r) }],
              [sort qw(error title status resource base_version version
                       changed_at server_version conflicts base_held
                       conflict_id)], 'the same members');
    is(n($why), $n + 1, $why);
}

is(scalar(journal()), 1, 'nothing was sent');

answers('status=200', " \n$good ");
is(PUT('/plain/1', { %$doc, n => 3, base_version => $v }, 'X-User: ann')
   ->{status}, 204, 'a good one');
is(json(doc('/plain/1'))->{n}, 9, 'is sent');


=== a question may be larger than a body of a client
--- to: client
--- rules
    client_max_body_size 8k;
--- resolver
    client_max_body_size 8k;
--- steps
my $doc = { n => 1, text => 'x' x 4096 };
my $v = changed('/plain/1', $doc, { n => 2 });

is(PUT('/plain/1', { %$doc, n => 3, base_version => $v }, 'X-User: ann')
   ->{status}, 204, 'four documents');
is(json(doc('/plain/1'))->{n}, 3, 'are resolved');
is(PUT('/plain/1', { n => 'x' x 8192 })->{status}, 413,
   'the limit is for clients');


=== a merge patch of what the rules have merged
--- to: set
--- rules
    conflict_field /tags union;
    conflict_field /at   server;
--- steps
my $v = shown('/plain/1', '{"n":10,"e":[],"b":0.10,"tags":["x"],"at":1,"o":1}',
              'ann', 'bob');

is(PUT('/plain/1', '{"n":15,"e":[],"b":0.10,"tags":["x","y"],"at":1,"o":1,'
       . qq("base_version":$v}), 'X-User: bob')->{status}, 204, 'bob');

my $patch = 'type=application/merge-patch%2Bjson;charset=utf-8';
my $body = '{"n":13,"e":[], "b":0.10,"tags":["x","z"],"at":1,"o":1,'
           . qq("base_version":$v});

for ('{"n":1,"n":2}', '{"n":', '7', '') {
    answers("status=200&$patch", $_);
    is(PUT('/plain/1', $body, 'X-User: ann')->{status}, 409, "not $_");
}

answers("status=200&$patch", '{"n":17,"o":null,"at":2}');

my $r = PUT('/plain/1', $body, 'X-User: ann');
is($r->{status}, 204, 'merged');
is(doc('/plain/1'), '{"n":17,"e":[],"b":0.10,"tags":["x","y","z"],"at":1}',
   'all else stays as it was');
like(header($r, 'Conflict'), qr/^merged;.*;fields="n tags o"/, 'the fields');


=== it takes too long
--- to: hold/sum
--- within: timeout=300ms
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });
my $r = PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann');

is($r->{status}, 409, 'refused');
is(log_count(qr/resolver "\S+" has not answered within its timeout/), 1,
   'logged');
is(header($r, 'Conflict'), 'rejected;version=' . version($r)
   . qq(;base=$v;fields="n"), 'as without a resolver');

# the resource is free

is(PUT('/plain/1', { n => 4, base_version => json($r)->{version} },
       'X-User: ann')->{status}, 204, 'the next write');

resolver('/_release');
is(GET('/ping')->{body}, 'pong', 'it lives');


=== others wait for the answer, and the lease is renewed meanwhile
--- to: hold/sum
--- rules
    conflict_wait 30s;
--- steps
my $v = changed('/plain/1', { n => 10, t => 'a' }, { n => 12 });
my $w = version(GET('/plain/1', 'X-User: bob'));

my $ann = start('PUT', '/plain/1', body => { n => 11, t => 'a',
                                             base_version => $v },
                headers => ['X-User: ann']);

until_true { asked() == 1 };

my $bob = start('PUT', '/plain/1', body => { n => 12, t => 'b',
                                             base_version => $w },
                headers => ['X-User: bob']);

# longer than the lease

sleep 1.5;

is(scalar(journal()), 1, 'nobody has passed');

# other resources are not held

set_doc('/plain/2', { n => 1 });
is(PUT('/plain/2', { n => 2, base_version => version(GET('/plain/2')) })
   ->{status}, 204, 'another resource');

resolver('/_release');

is(finish($ann)->{status}, 204, 'ann');
my $r = finish($bob);
is($r->{status}, 204, 'bob');
like(header($r, 'Conflict'), qr/^merged;.*fields="n"/, 'on top of it');
is_deeply(json(doc('/plain/1')), { n => 13, t => 'b' }, 'nothing is lost');


=== patches and parts: whole documents for the resolver, a patch for the API
--- rules
    conflict_partial patch;
--- steps
my $doc = { n => 10, o => { x => 1, y => 1 }, t => 'a' };
my %type = (json => 'application/json-patch+json',
            merge => 'application/merge-patch+json',
            part => 'application/json');

for my $kind (sort keys %type) {
    my $path = $kind eq 'part' ? '/assign/1' : "/plain/$kind";
    my $v = changed($path, $doc, { n => 15, o => { x => 1, y => 2 } });
    my $n = journal();

    my $body = $kind eq 'json'
               ? [{ op => 'test', path => '/base_version', value => $v },
                  { op => 'replace', path => '/n', value => 13 },
                  { op => 'add', path => '/u', value => 1 }]
               : { n => 13, u => 1, base_version => $v };

    my $r = PATCH($path, $body, "Content-Type: $type{$kind}", 'X-User: ann');

    ok($r->{status} == 204 || $r->{status} == 200, "$kind: merged");
    like(header($r, 'Conflict'), qr/^merged;.*fields="n o\/y"/, 'the fields');

    my $q = json((asked())[-1]{body});
    delete $q->{client}{base_version};

    is_deeply($q->{client}, { %$doc, n => 13, u => 1 }, 'the whole document');
    is($q->{merged}{o}{y}, 2, 'and what is merged');

    my $sent = json((journal())[-1]);

    is_deeply($sent, $kind eq 'json'
              ? [{ op => 'replace', path => '/n', value => 18 },
                 { op => 'add', path => '/u', value => 1 }]
              : { n => 18, u => 1 }, 'what is sent');
    is_deeply(json(doc($path)), { n => 18, o => { x => 1, y => 2 }, t => 'a',
                                  u => 1 }, 'the result');
}


=== what a part cannot say
--- to: set
--- rules
    conflict_partial patch;
--- steps
my $v = changed('/assign/1', { n => 1, t => 'a' }, { n => 2 });

answers('status=200', '{"n":3}');

my $r = PATCH('/assign/1', { n => 3, base_version => $v },
              'Content-Type: application/json', 'X-User: ann');
is($r->{status}, 409, 'a member cannot be removed');
like(header($r, 'Conflict'), qr/^rejected;.*;fields="n"$/, 'n has clashed');
like(error_log(), qr/cannot make of the server's/, 'logged');

answers('status=200', '{"n":3,"t":null}');

is(PATCH('/assign/1', { n => 3, base_version => $v },
         'Content-Type: application/merge-patch+json', 'X-User: ann')
   ->{status}, 409, 'a null that is a value');

answers('status=200', '{"n":3}');

$r = PATCH('/plain/1', { n => 3 }, 'X-User: ann');
$v = changed('/plain/1', { n => 1, t => 'a' }, { n => 2 });
is(PATCH('/plain/1', { n => 3, base_version => $v }, 'X-User: ann',
         'Content-Type: application/merge-patch+json')->{status}, 204,
   'a merge patch removes');
is_deeply(json((journal())[-1]), { n => 3, t => undef }, 'by null');


=== the base is not known
--- to: client
--- rules
    conflict_field /at server;
--- steps
set_doc('/plain/1', { n => 1, t => 'a', at => 1 });
my $v = version(GET('/plain/1', 'X-User: bob'));

is(PUT('/plain/1', { n => 2, t => 'a', at => 1, base_version => $v },
       'X-User: bob')->{status}, 204, 'bob');

my $r = PUT('/plain/1', { n => 3, t => 'b', at => 9, base_version => $v },
            'X-User: ann');
is($r->{status}, 204, 'ann, who was not shown it');

my $q = json((asked())[0]{body});
is($q->{base}, undef, 'no base');
is($q->{base_held}, JSON::PP::false, 'it is not held');
is(join(' ', map { $_->{field} } @{ $q->{conflicts} }), '/n /t',
   'all differences clash');
is_deeply(json(doc('/plain/1')), { n => 3, t => 'b', at => 1 },
          'the result, with what is the server\'s');


=== an upstream that checks the base gets the version that was resolved
--- rules
    conflict_version json:/version;
    conflict_strip_base off;
    conflict_field /version server;
--- steps
# what ann and bob are shown, and bob changes

sub bob_writes {
    my $doc = json(GET('/own/1', 'X-User: ann'));

    GET('/own/1', 'X-User: bob');
    is(PUT('/own/1', { %$doc, n => $doc->{n} + 5,
                       base_version => $doc->{version} }, 'X-User: bob')
       ->{status}, 200, 'bob');

    return $doc;
}

set_doc('/own/1', { n => 1 });

my $doc = bob_writes();
my $now = json(GET('/own/1'))->{version};
my $r = PUT('/own/1', { %$doc, n => 3, base_version => $doc->{version} },
            'X-User: ann');

is($r->{status}, 200, 'merged');

my $sent = json((journal())[-1]);
is("$sent->{n} $sent->{base_version} $sent->{version}", "8 $now $now",
   'with that version');

# a question without the member, as of a patch

$doc = bob_writes();
$now = json(GET('/own/1'))->{version};

is(PATCH('/own/1', { n => $doc->{n} + 1, base_version => $doc->{version} },
         'X-User: ann', 'Content-Type: application/merge-patch+json')
   ->{status}, 200, 'a merge patch');
is_deeply(json((journal())[-1]), { n => $doc->{n} + 6, base_version => $now },
          'has it as well');

$doc = bob_writes();
$now = json(GET('/own/1'))->{version};

PATCH('/own/1', [{ op => 'test', path => '/base_version',
                   value => $doc->{version} },
                 { op => 'replace', path => '/n', value => $doc->{n} + 1 }],
      'X-User: ann', 'Content-Type: application/json-patch+json');

is_deeply(json((seen())[-1]),
          [{ op => 'test', path => '/base_version', value => $now },
           { op => 'replace', path => '/n', value => $doc->{n} + 6 }],
          'a JSON Patch tests it');


=== what became of the questions is counted
--- to: set
--- more
    location = /status { conflict_status json; }
    location = /metrics { conflict_status prometheus; }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });

sub counts { json(GET('/status'))->{resolver} }

is_deeply(counts(), { merged => 0, refused => 0, failed => 0 }, 'none yet');

for (['status=500', '{}'], ['status=503', '{}'], ['status=409', '{}'],
     ['status=200', '{"n":3}'])
{
    answers(@$_);
    PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann');
}

is_deeply(counts(), { merged => 1, refused => 1, failed => 2 }, 'JSON');
like(GET('/metrics')->{body}, qr/^nginx_conflict_resolver_total\{result="failed"\} 2$/m,
     'metrics');


=== report mode asks nobody
--- policy: merge report
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });
my $r = PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann');

is($r->{status}, 204, 'passes');
like(header($r, 'Conflict'), qr/^rejected;.*report/, 'with what it would be');
is(scalar asked(), 0, 'nobody is asked');


=== locations of nginx itself, with pages of their own
--- to: $http_x_to
--- more
    location = /_resolver/fixed {
        internal;
        default_type application/json;
        return 200 '{"n":42}';
    }
    location = /_resolver/away {
        internal;
        proxy_pass http://127.0.0.1:1;
        error_page 502 = /_resolver/fixed;
    }
    location = /_resolver/masked {
        internal;
        proxy_pass http://127.0.0.1:1;
        error_page 502 =200 /_resolver/fixed;
    }
    location = /_resolver/down { internal; proxy_pass http://127.0.0.1:1; }
    location = /_resolver/closes { internal; return 444; }
    location = /_resolver/late { internal; return 408; }
    location = /_resolver/gone { internal; return 499; }
    location = /_resolver/empty { internal; return 204; }
    location = /_resolver/missing { internal; return 404; }
    location = /_resolver/moved { internal; return 301 /x; }
    location = /_resolver/guarded {
        internal;
        conflict version;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RESOLVER_PORT/sum;
    }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });

for my $to (qw(down masked closes late gone empty moved missing)) {
    is(PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann',
           "X-To: $to")->{status}, 409, "$to: refused");
    is(log_count(qr!resolver "/_resolver/$to"!), 1, 'logged');
}

is(PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann', 'X-To: away')
   ->{status}, 204, 'error_page');
is(json(doc('/plain/1'))->{n}, 42, 'is taken');

$v = changed('/plain/2', { n => 1 }, { n => 2 });
is(PUT('/plain/2', { n => 3, base_version => $v }, 'X-User: ann',
       'X-To: guarded')->{status}, 204, 'a question is not a write');
is(json(doc('/plain/2'))->{n}, 4, 'done');


=== its name is one line of the log
--- to: none$uri
--- more
    location /_resolver/none/ { internal; return 404; }
--- steps
my $path = '/plain/a%0A2026%20[error]%20forged';
my $v = changed($path, { n => 1 }, { n => 2 });

is(PUT($path, { n => 3, base_version => $v }, 'X-User: ann')->{status}, 409,
   'refused');
is(log_count(qr/resolver "\/_resolver\/none/), 1, 'logged');
is(log_count(qr/^2026 \[error\] forged/m), 0, 'as one line');


=== FastCGI, which reads method and length from variables
--- to: fcgi
--- more
    location = /_resolver/fcgi {
        internal;
        fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param REQUEST_URI $uri;
    }
    location = /_seen {
        fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param REQUEST_URI $uri;
        conflict off;
    }
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });
my $r = PUT('/plain/1', { n => 3, base_version => $v }, 'X-User: ann',
            'X-Up-Write: apply');
is($r->{status}, 409, 'its 204 is no answer');

my ($asked) = grep { $_->[1] eq '/_resolver/fcgi' } @{ json(GET('/_seen')) };

is($asked->[0], 'POST', 'the method');
is($asked->[2], length $asked->[3], 'the length');
is(json($asked->[3])->{method}, 'PUT', 'the question');

# the write after it is a PUT again

is(PUT('/plain/1', { n => 4, base_version => json($r)->{version} },
       'X-User: ann')->{status}, 204, 'another write');
is((journal())[-1]{method}, 'PUT', 'its method');


=== without request buffering, in a named location behind it
--- to: streamed
--- more
    location = /_resolver/streamed {
        internal;
        try_files /none @streamed;
    }
    location @streamed {
        rewrite ^ /sum break;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RESOLVER_PORT;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_buffering off;
    }
--- steps
my $doc = { n => 1, t => 'x' x 200000 };
my $v = changed('/plain/1', $doc, { n => 2 });

is(PUT('/plain/1', { %$doc, n => 3, base_version => $v }, 'X-User: ann')
   ->{status}, 204, 'resolved');
is(json(doc('/plain/1'))->{n}, 4, 'done');
is((journal())[-1]{method}, 'PUT', 'by a PUT');


=== a link of an offline queue, and the next one
--- rules
    conflict_strip_base on;
--- steps
my $v = changed('/plain/1', { n => 10, t => 'a' }, { n => 15 });

my $link = sub {
    my ($n) = @_;

    return ('X-User: ann', "Conflict-Chain: \"8f2c91d0\";base=$v;n=$n");
};

my $r = PUT('/plain/1', { n => 11, t => 'a' }, $link->(1));
is($r->{status}, 204, 'the first');
is(json(doc('/plain/1'))->{n}, 16, 'is resolved');

# the second is based on the client's 11, not on the result

$r = PUT('/plain/1', { n => 13, t => 'b' }, $link->(2));
is($r->{status}, 204, 'the second');
is(json((asked())[1]{body})->{base}{n}, 11, 'its base');
is_deeply(json(doc('/plain/1')), { n => 18, t => 'b' }, 'nothing twice');

$r = PUT('/plain/1', { n => 13, t => 'b' }, $link->(2));
like(header($r, 'Conflict'), qr/^replayed;/, 'a retry');


=== a retry of a write of unknown outcome is not asked about
--- steps
my $v = changed('/plain/1', { n => 10, t => 'a' }, { n => 15 });
my $write = { n => 11, t => 'a', base_version => $v };

is(PUT('/plain/1', $write, 'X-User: ann', 'X-Up-Write: apply close')->{status},
   502, 'resolved, sent, and not answered');
is(json(doc('/plain/1'))->{n}, 16, 'but done');

my $r;
until_true {
    $r = PUT('/plain/1', $write, 'X-User: ann');
    $r->{status} != 503;
};

like(header($r, 'Conflict'), qr/^replayed;/, 'the latest body shows it');

# others have written since

my $now = version(GET('/plain/1', 'X-User: bob'));
is(PUT('/plain/1', { n => 20, t => 'a', base_version => $now }, 'X-User: bob')
   ->{status}, 204, 'bob');

$r = PUT('/plain/1', $write, 'X-User: ann');
is($r->{status}, 409, 'it is not known');
like(json($r)->{detail}, qr/unknown whether this write was already done/,
     'why');
is(scalar asked(), 1, 'asked once');
is(json(doc('/plain/1'))->{n}, 20, 'done once');


=== the client has gone
--- to: hold/sum
--- within: timeout=1m
--- steps
my $v = changed('/plain/1', { n => 1 }, { n => 2 });

my $ann = start('PUT', '/plain/1', body => { n => 3, base_version => $v },
                headers => ['X-User: ann']);

until_true { asked() == 1 };
close $ann->{socket};
resolver('/_release');

# whatever has become of it, the resource is free and whole

my $r;
until_true {
    my $now = version(GET('/plain/1', 'X-User: bob'));
    $r = PUT('/plain/1', { n => 7, base_version => $now }, 'X-User: bob');
    $r->{status} == 204;
};
is($r->{status}, 204, 'the next write');
is(json(doc('/plain/1'))->{n}, 7, 'lands');
