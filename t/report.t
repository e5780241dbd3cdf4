# report: decide and log, enforce nothing.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== what would have been refused passes
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

my $r = PUT('/plain/1', { n => 1, base_version => $v });
like(header($r, 'Conflict'), qr/^passed;version=\d+;report$/, 'marked');

$r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 204, 'the stale write passes');
like(header($r, 'Conflict'), qr/^rejected;version=\d+;base=$v;report$/,
     'the field says what would have been');

my @log = conflicts();

is(scalar(@log), 1, 'one line');
is($log[0]{action}, 'conflict_version', 'action');
is($log[0]{status}, 204, 'the status that was sent');
ok($log[0]{report}, 'report');


=== nothing waits
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $slow = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 204, 'the second passes beside the first');
like(header($r, 'Conflict'), qr/^busy/, 'it would have waited');
release();
is(finish($slow)->{status}, 204, 'the first ends');
is((conflicts())[0]{action}, 'conflict_busy', 'and is logged');


=== no base, bad JSON and a large body pass
--- config
    location / {
        conflict version report;
        conflict_require on;
        conflict_max_body 100;
        proxy_pass http://api;
    }
--- steps
my $r = PUT('/plain/1', { n => 1 });

is($r->{status}, 201, 'no base');
like(header($r, 'Conflict'), qr/^required.*;report$/, 'would be asked for');
is(http('PUT', '/plain/1', body => '{', headers => [])->{status}, 204,
   'malformed');
is(PUT('/plain/1', { n => 'x' x 200 })->{status}, 204, 'too large');
is(scalar(journal()), 3, 'all were forwarded');
is(join(' ', map { $_->{action} } conflicts()),
   'conflict_required conflict_unchecked conflict_unchecked',
   'and logged');


=== what is not known is looked up, to report what would have been
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $r = PUT('/plain/1', { n => 1, base_version => 5 });
is($r->{status}, 204, 'passes');
like(header($r, 'Conflict'), qr/^rejected/, 'would have been refused');
is((conflicts())[0]{action}, 'conflict_version', 'logged');

is(PUT('/plain/1', { n => 2 }, 'If-None-Match: *')->{status}, 412,
   'the upstream judges what it can');
is(scalar(grep { $_->{action} =~ /version/ } conflicts()), 2, 'logged');


=== the upstream's own tags and dates are left to it
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { id => 1 });

my $r = GET('/etag/1');
my $tag = header($r, 'ETag');

like($tag, qr/^"e\d+"$/, 'its tag is shown');
is(header($r, 'Last-Modified'), undef, 'no date is added');
is(PUT('/etag/1', { n => 1 }, "If-Match: $tag")->{status}, 200,
   'and judged by it');

$r = PUT('/etag/1', { n => 1 }, "If-Match: $tag");
is($r->{status}, 412, 'once it is stale, too');
like(header($r, 'Conflict'), qr/^passed/, 'the module does not know it');
is(scalar(conflicts()), 0, 'and does not log what it cannot know');


=== an API without tags of its own: what clients would get is offered
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $r = GET('/plain/1');
my $tag = header($r, 'ETag');
my $v = version($r);

is($tag, qq("$v"), 'a read bears the version as its tag');
is(header($r, 'Last-Modified'), undef, 'no date is added');

$r = GET('/plain/1', "If-None-Match: $tag");
is($r->{status}, 200, 'nothing is judged by it');

$r = GET('/plain/1', "If-Range: $tag", 'Range: bytes=0-1');
is($r->{status}, 200, 'nor a range');

$r = PUT('/plain/1', { n => 1 }, "If-Match: $tag");
is($r->{status}, 204, 'a client that sends it back writes');
like(header($r, 'Conflict'), qr/^passed;version=\d+;report$/, 'on its base');
isnt(header($r, 'ETag'), $tag, 'and gets the next');
is(header($r, 'ETag'), '"' . version($r) . '"', 'with its version');

$r = PUT('/plain/1', { n => 2 }, "If-Match: $tag");
is($r->{status}, 204, 'a stale one passes');
like(header($r, 'Conflict'), qr/^rejected;.*base=$v;report$/,
     'and is told what would have been');
is(scalar(conflicts()), 1, 'logged');
is(scalar(grep { lc $_->[0] eq 'if-match' } map { @{ $_->{headers} } } seen()),
   0,
   'the API never sees a tag that it does not know');


=== what only the API can know goes to it
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
sub sent_tag {
    my ($put) = grep { $_->{method} eq 'PUT' } reverse(seen());

    return (map { $_->[1] } grep { lc $_->[0] eq 'if-match' }
            @{ $put->{headers} })[0];
}

set_doc('/plain/1', { id => 1 });
GET('/plain/1');

PUT('/plain/1', { n => 1 }, 'If-Match: "abc"');
is(sent_tag(), '"abc"', 'a tag that is none of ours');

set_doc('/etag/1', { id => 1 });
my $tag = header(GET('/etag/1'), 'ETag');
like($tag, qr/^"e\d+"$/, 'an API that has tags shows its own');

is(header(GET('/plain/1'), 'ETag'), undef, 'and no others are offered there');

PUT('/plain/1', { n => 1 }, 'If-Match: "1795000000000"');
is(sent_tag(), '"1795000000000"', 'all tags are its own then');


=== what a location has learned holds in its blocks
--- config
    conflict version report;
    location /plain/ {
        limit_except GET {
            allow all;
        }
        proxy_pass http://api;
    }
    location /if/ {
        if ($request_method = PUT) {
            set $x 1;
        }
        proxy_pass http://api/plain/;
    }
--- steps
for my $path ('/plain/1', '/if/1') {
    upstream('/_reset');
    set_doc('/plain/1', { id => 1 });

    my $tag = header(GET($path), 'ETag');
    like($tag, qr/^"\d+"$/, 'a tag is offered to a GET');

    my $r = PUT($path, { n => 1 }, "If-Match: $tag");
    is($r->{status}, 204, 'a PUT sends it back');
    like(header($r, 'ETag'), qr/^"\d+"$/, 'and gets the next');
    is(scalar(grep { lc $_->[0] eq 'if-match' }
              map { @{ $_->{headers} } } seen()), 0,
       'the API never sees a tag that it does not know');
}


=== no tag is offered for a document that the client does not know
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

GET('/plain/1') for 1 .. 2;

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { a => 2, b => 1, base_version => $v });

isnt(header($r, 'ETag'), undef, 'a write');

$r = PATCH('/plain/1', { b => 2, base_version => $v });
like(header($r, 'Conflict'), qr/^rejected;.*report$/, 'a stale part');
is(header($r, 'ETag'), undef, 'has none: the next write would look current');
