# Reads concurrent with writes, under "merge": a version is never newer than the
# body that it is shown with, but the body may be newer.  Changes of others in it
# must not count as edits of the client that continues from it.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "location / {\nconflict merge;\n"
                      . "conflict_user \$http_x_user;\n"
                      . "conflict_field /n sum;\nconflict_field /t lww;\n"
                      . ($block->rules || '')
                      . "proxy_pass http://api;\n}\n");
});

use constant { ann => 'X-User: ann', bob => 'X-User: bob' };

sub doc { json(upstream("/_doc?path=$_[0]")) }

# what both have read, and its version

sub both {
    my ($path, $doc) = @_;

    set_doc($path, $doc);

    my $v = version(GET($path, ann));
    is(version(GET($path, bob)), $v, 'both have read it');

    return $v;
}

# a write of ann's that stays at the upstream

sub flight {
    my ($path, $doc, $script) = @_;

    my $n = journal();
    my $request = start('PUT', $path, body => $doc,
                        headers => [ann, "X-Up-Write: $script"]);

    $script =~ /^apply/ ? applied($n + 1) : begun($n + 1);

    return $request;
}

sub asked { grep { lc $_->[0] eq 'x-up-read' } @{ $_[0]{headers} } }

# a read of bob's that is over only after a write of ann's

sub beside {
    my ($path, $doc, $script, @headers) = @_;

    my $read = start('GET', $path,
                     headers => [bob, "X-Up-Read: $script", @headers]);

    until_true { grep { $_->{method} eq 'GET' && asked($_) } seen() };

    is(PUT($path, $doc, ann)->{status}, 204, 'ann');
    release();

    return finish($read);
}

sub refused {
    my ($r, $what) = @_;

    is($r->{status}, 409, $what);
    is(json($r)->{base_held}, JSON::PP::false, 'of a base that is not known');
}

run_tests();

__DATA__

=== while a write is in flight, a sum
--- steps
my $v = both('/plain/1', { n => 10 });
my $one = flight('/plain/1', { n => 11, base_version => $v }, 'apply hold');

my $r = GET('/plain/1', bob);
is(version($r), $v, 'the version is that of before');
is(json($r)->{n}, 11, 'the body is not');

release();
is(finish($one)->{status}, 204, 'ann');

refused(PUT('/plain/1', { n => 12, base_version => $v }, bob),
        'bob, on a version that was two bodies');
is(doc('/plain/1')->{n}, 11, 'nothing is counted twice');

is(PUT('/plain/1', { n => 12, base_version => version(GET('/plain/1', bob)) },
       bob)->{status}, 204, 'bob once more');
is(doc('/plain/1')->{n}, 12, 'adds up');

# ann was shown one body of the version, and hers is held still

is(PUT('/plain/1', { n => 11, base_version => $v, a => 1 }, ann)->{status},
   204, 'ann');
is(doc('/plain/1')->{n}, 13, 'one more than what she had read');


=== while a write is in flight, a field that the client has not touched
--- steps
my $v = both('/plain/1', { t => 'old', a => 1 });
my $one = flight('/plain/1', { t => 'new', a => 1, base_version => $v },
                 'apply hold');

is(json(GET('/plain/1', bob))->{t}, 'new', 'bob sees the new value');
release();
finish($one);

is(PUT('/plain/1', { t => 'newest', a => 1, base_version =>
                     version(GET('/plain/1', ann)) }, ann)->{status}, 204,
   'ann once more');

refused(PUT('/plain/1', { t => 'new', a => 2, base_version => $v }, bob),
        'bob has changed another field');
is(doc('/plain/1')->{t}, 'newest', 'hers stays');


=== a write that begins and ends beside the read
--- steps
my $v = both('/plain/1', { n => 10 });
my $r = beside('/plain/1', { n => 11, base_version => $v }, 'hold apply');

is(version($r), $v, 'the version of before');
is(json($r)->{n}, 11, 'the body of after');
refused(PUT('/plain/1', { n => 12, base_version => $v }, bob), 'bob');
is(doc('/plain/1')->{n}, 11, 'nothing is counted twice');


=== a read that shows what was shown before costs no base
--- steps
for my $script ('apply hold', 'hold apply') {
    my $path = '/plain/' . ($script eq 'apply hold' ? 1 : 2);
    my $v = both($path, { n => 10 });
    my $one = flight($path, { n => 11, base_version => $v }, $script);

    # a write that is sent on, and not done yet; or a replica that lags behind

    my $r = GET($path, bob, $script eq 'apply hold' ? 'X-Up-Read: old' : ());

    is("$r->{status} " . version($r) . ' ' . json($r)->{n}, "200 $v 10",
       "$script: as before");

    # nor does one without a body

    is(http('HEAD', $path, headers => [bob])->{status}, 200, 'HEAD');

    release();
    is(finish($one)->{status}, 204, 'ann');
    is(PUT($path, { n => 11, base_version => $v }, bob)->{status}, 204, 'bob');
    is(doc($path)->{n}, 12, 'both');
}

my $v = both('/plain/3', { n => 10 });

is(json(beside('/plain/3', { n => 11, base_version => $v }, 'apply hold'))->{n},
   10, 'beside a write');
is(PUT('/plain/3', { n => 11, base_version => $v }, bob)->{status}, 204,
   'bob');
is(doc('/plain/3')->{n}, 12, 'both');


=== a part of a body may be of any
--- steps
my $v = both('/lm/1', { n => 10, pad => 'x' x 100 });
my $one = flight('/lm/1', { n => 11, base_version => $v }, 'hold apply');

is(GET('/lm/1', bob, 'Range: bytes=0-9')->{status}, 206, 'a part');
release();
is(finish($one)->{status}, 204, 'ann');
refused(PUT('/lm/1', { n => 11, base_version => $v }, bob), 'bob');


=== a client that is gone before the end
--- rules
    proxy_limit_rate 200k;
--- steps
my $pad = 'x' x 100000;
my $v = both('/plain/1', { n => 10, pad => $pad });
my $one = flight('/plain/1', { n => 11, pad => $pad, base_version => $v },
                 'hold apply');

my $read = start('GET', '/plain/1', headers => [bob, 'User-Agent: gone']);
sysread $read->{socket}, my $head, 100;
like($head, qr/^HTTP\S+ 200/, 'it has begun');
close $read->{socket};

until_true { slurp(servroot() . '/logs/access.log') =~ /gone/ };
release();
finish($one);
refused(PUT('/plain/1', { n => 11, pad => $pad, base_version => $v }, bob),
        'bob, who has gone');


=== what the writer itself has sent is a base no more
--- steps
set_doc('/plain/1', { n => 10 });

my %write = (n => 11, base_version => version(GET('/plain/1', ann)));
my $r = PUT('/plain/1', { %write }, ann);
is($r->{status}, 204, 'ann');

my $v = version($r);
my $one = start('PUT', '/plain/1', body => { n => 12, base_version => $v },
                headers => [bob, 'X-Up-Write: apply hold']);
applied(2);

is(json(GET('/plain/1', ann))->{n}, 12, 'her other page has read more');
release();
is(finish($one)->{status}, 204, 'bob');

refused(PUT('/plain/1', { n => 13, base_version => $v }, ann), 'ann on that');
like(header(PUT('/plain/1', { %write }, ann), 'Conflict'), qr/^replayed/,
     'but what she has done is known');
is(doc('/plain/1')->{n}, 12, 'all of both');


=== a refusal that shows the latest body
--- steps
my $v = both('/plain/1', { n => 10 });
my $one = flight('/plain/1', { n => 11, base_version => $v }, 'apply hold');

my $r = PUT('/plain/1', { n => 11 }, bob, 'If-Match: "1"');

is($r->{status}, 409, 'bob, on what never was');
is(json($r)->{version}, $v, 'is shown the version of before');
is(json($r)->{server_version}{n}, 11, 'and the body of after');

release();
finish($one);
refused(PUT('/plain/1', { n => 12, base_version => $v }, bob), 'bob on that');
is(doc('/plain/1')->{n}, 11, 'nothing is counted twice');


=== a document in another
--- rules
    conflict_latest fetch root=/data;
--- steps
for my $script ('apply hold', 'hold apply') {
    my $path = '/row/' . ($script eq 'apply hold' ? 1 : 2);
    my $v = both($path, { n => 10 });

    my $one = flight($path, { n => 11, base_version => $v }, $script);
    GET($path, bob);
    release();
    finish($one);

    my $r = PUT($path, { n => 12, base_version => $v }, bob);

    if ($script eq 'apply hold') {
        refused($r, 'bob has seen it done');

    } else {
        is($r->{status}, 200, 'bob has not seen it');
        is(doc($path)->{n}, 13, 'and adds two to it');
    }
}


=== an upstream's own version is that of the body
--- rules
    conflict_version json:/version;
    conflict_base json:/version;
--- steps
set_doc('/own/1', { n => 10 });

my $doc = json(GET('/own/1', ann));
GET('/own/1', bob);

my $one = flight('/own/1', { %$doc, n => 11 }, 'apply hold');
my $new = json(GET('/own/1', bob));
is($new->{n}, 11, 'bob');

release();
finish($one);
is(PUT('/own/1', { %$new, n => 12 }, bob)->{status}, 200, 'bob on what he saw');
is(doc('/own/1')->{n}, 12, 'adds up');
is(PUT('/own/1', { %$doc, n => 11 }, ann, 'Idempotency-Key: 2')->{status}, 200,
   'ann on what she saw');
is(doc('/own/1')->{n}, 13, 'that as well');

# a refusal says the version that the store has, and the body is of another

$doc = json(GET('/own/1', ann));
GET('/own/1', bob);
set_doc('/own/1', { n => 20 });

my $r = PUT('/own/1', { n => 1 }, bob, 'If-Match: "x"');
is($r->{status}, 409, 'bob, on what never was');

my $shown = json($r)->{server_version};
is("$shown->{n} " . json($r)->{version}, "20 $doc->{version}",
   'a body that was changed past the proxy');

is(PUT('/own/1', { %{ json(GET('/own/1', ann)) }, a => 1 }, ann)->{status},
   200, 'ann, another field');
refused(PUT('/own/1', { n => 21, version => $doc->{version} }, bob),
        'bob, on the version of before');
is(PUT('/own/1', { %$shown, n => 21 }, bob)->{status}, 200,
   'bob, on that of the body');
is(doc('/own/1')->{n}, 21, 'is one more');
