# Conditional reads with minted versions: a tag contains the upstream's own after
# the version, and conditions are forwarded with the upstream's tags.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use IO::Uncompress::Gunzip qw(gunzip);
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(time);

# a condition as the upstream has seen it last

sub saw {
    my ($name) = @_;

    my ($request) = reverse grep { $_->{method} =~ /GET|HEAD/ } seen();

    return join ', ', map { $_->[1] } grep { $_->[0] eq lc $name }
                      @{ $request->{headers} };
}

# not modified, under that tag

sub is_304 {
    my ($r, $tag, $name) = @_;

    is($r->{status}, 304, "$name: 304");
    is($r->{body}, '', "$name: no body");
    is(header($r, 'ETag'), $tag, "$name: its tag");
    is(version($r), defined $tag && $tag =~ /"(\d+)/ ? $1 : undef,
       "$name: its version");
    like(header($r, 'Conflict'), qr/^passed/, "$name: is said to be guarded");
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== If-None-Match goes upstream in its own words
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for (['/etag/1', 'e1', '"e1"'], ['/weak/1', 'W/e1', 'W/"e1"']) {
    my ($path, $own, $upstream) = @$_;

    set_doc($path, { n => 1 });

    my $r = GET($path);
    my $v = version($r);
    my $tag = qq("$v.$own");

    is(header($r, 'ETag'), $tag, "$path: the version, and the upstream's tag");

    for my $method ('GET', 'HEAD') {
        is_304(http($method, $path, headers => ["If-None-Match: $tag"]), $tag,
               "$method $path");
        is(saw('If-None-Match'), $upstream, 'it is asked');
    }

    # whatever else the client has

    is_304(GET($path, qq(If-None-Match: "x", "1.$own" , W/$tag,"$v",*)),
           "W/$tag", "$path, a list");
    is(saw('If-None-Match'), $upstream, 'nothing else goes upstream');

    is_304(GET($path, qq(If-None-Match: "$v.e0", $tag)), $tag,
           "$path, two of the version");

    # what a front has put behind it for its encoding

    for my $coding (qw(-gzip ;br --gzip)) {
        my $front = $tag =~ s/"$/$coding"/r;

        is_304(GET($path, "If-None-Match: $front"), $front, "$path, $coding");
        is(saw('If-None-Match'),
           $upstream =~ s/"$/$coding"/r . ", $upstream", 'it is asked');
    }

    # none of the current version

    for my $none ('"x"', $upstream, qq("1.$own"), qq("$v"), '*', 'bad', '"',
                  qq($v.$own))
    {
        $r = GET($path, "If-None-Match: $none");

        is($r->{status}, 200, "$path, $none: 200");
        is(saw('If-None-Match'), '', 'the upstream is not asked');
    }

    # another body, by whatever way

    set_doc($path, { n => 2 });
    $r = GET($path, "If-None-Match: $tag");

    is($r->{status}, 200, "$path: it changed without a write to it");
    is(json($r)->{n}, 2, 'to this');
    is(version($r), $v, 'under the same version');
    isnt(header($r, 'ETag'), $tag, 'which another tag tells apart');

    $tag = header($r, 'ETag');
    PUT($path, { n => 3 });
    $r = GET($path, "If-None-Match: $tag");

    is($r->{status}, 200, "$path: it was written to");
    is(json($r)->{n}, 3, 'this');
    is(saw('If-None-Match'), '', 'the upstream is not asked');
}


=== a tag of the upstream's that stands for two bodies
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my ($tag, $r, $s);

# two of the same size, in one second

until_true {
    set_doc('/coarse/1', { n => 1 });
    $tag = header(GET('/coarse/1'), 'ETag');
    PUT('/coarse/1', { n => 2 });
    $r = GET('/coarse/1', "If-None-Match: $tag");
    $s = header($r, 'ETag');

    $s =~ s/^"\d+//r eq $tag =~ s/^"\d+//r;
};

is($s =~ s/^"\d+//r, $tag =~ s/^"\d+//r, 'the upstream has one tag for both');
is($r->{status}, 200, 'under another version it is not the same');
is(json($r)->{n}, 2, 'but this one');


=== a tag that cannot be borne
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

for my $own ('e1', '"e1', 'e1"', '"W/e1"', '"a","b"', '"' . 'x' x 511 . '"') {
    my $r = GET('/plain/1', "X-Up-Read: apply header=ETag:$own");

    is(header($r, 'ETag'), '"' . version($r) . '"', "$own is left out");
}

for my $own ('""', '"."', '"1.2"', '"' . 'x' x 510 . '"') {
    my $r = GET('/plain/1', "X-Up-Read: apply header=ETag:$own");
    my $v = version($r);
    my $tag = $own =~ s/^"/"$v./r;

    is(header($r, 'ETag'), $tag, "$own is borne");

    is_304(GET('/plain/1', "If-None-Match: $tag",
               "X-Up-Read: status=304 header=ETag:$own"), $tag, $own);
    is(saw('If-None-Match'), $own, 'and asked for');
}


=== curl, which keeps tags
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { n => 1 });

my $tags = servroot() . '/html/tags';
my $curl = "curl -s -w '%{http_code}' --etag-save $tags --etag-compare $tags "
           . '-o ' . servroot() . '/html/out http://127.0.0.1:' . port() . '/etag/1';

is(`$curl`, 200, 'the first time');
is(`$curl`, 304, 'the second');
PUT('/etag/1', { n => 2 });
is(`$curl`, 200, 'after a write');
is(json(slurp(servroot() . '/html/out'))->{n}, 2, 'of this');
is(`$curl`, 304, 'and again');


=== whose 304 it is
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my ($a, $b) = (qq("$v.a"), qq("$v.b"));

# the upstream should say its tag, and many do not

is_304(GET('/plain/1', "If-None-Match: $a", 'X-Up-Read: status=304'), $a,
       'the only one');
is_304(GET('/plain/1', "If-None-Match: $a, $b", 'X-Up-Read: status=304'),
       undef, 'one of two');
is_304(GET('/plain/1', "If-None-Match: $a, $b",
           'X-Up-Read: status=304 header=ETag:W/"b"'), $b, 'that one');
is_304(GET('/plain/1', qq(If-None-Match: "$v", W/$b, $b),
           'If-Modified-Since: Wed, 01 Jan 2098 00:00:00 GMT',
           'X-Up-Read: status=304 header=ETag:"b"'), "W/$b", 'that one twice');
is_304(GET('/plain/1', "If-None-Match: $a, $b",
           'X-Up-Read: status=304 header=ETag:"c"'), undef, 'none of them');
is_304(GET('/plain/1', 'X-Up-Read: status=304 header=ETag:"c"'), undef,
       'nobody has asked');


=== what is not known is not asked for
--- config
    location / {
        conflict version;
        conflict_quarantine 300ms;
        proxy_read_timeout 100ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { n => 1 });

my $tag = header(GET('/etag/1'), 'ETag');

is(PUT('/etag/1', { n => 2 }, 'X-Up-Write: sleep=0.2 apply')->{status}, 504,
   'a write that may land');

my $r = GET('/etag/1', "If-None-Match: $tag");

is($r->{status}, 200, 'until it has');
is(saw('If-None-Match'), '', 'no tag is good');

until_true { version($r = GET('/etag/1', "If-None-Match: $tag")) };
is($r->{status}, 200, 'it is another version');
is(json($r)->{n}, 2, 'with another body');


=== a write comes between the version and the answer
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for ([1, 'hold apply'], [2, 'hold status=304 header=ETag:"e1"']) {
    my ($n, $how) = @$_;
    my $path = "/etag/$n";

    set_doc($path, { n => 1 });

    my $tag = header(GET($path), 'ETag');
    my ($v) = $tag =~ /(\d+)/;
    my $seen = seen();
    my $read = start('GET', $path, headers => ["If-None-Match: $tag",
                                               "X-Up-Read: $how"]);

    until_true { seen() > $seen };

    my $w = version(PUT($path, { n => 2 }));

    release();

    my $r = finish($read);

    if ($n == 2) {
        # as if it had come before the write
        is_304($r, $tag, $how);

    } else {
        is($r->{status}, 200, "$how: it sees the write");
        is(header($r, 'ETag'), qq("$v.e2"), 'under the version of before');
    }

    is(PUT($path, { n => 3, base_version => version($r) })->{status}, 409,
       'on which no write passes');

    $r = GET($path, 'If-None-Match: ' . header($r, 'ETag'));
    is($r->{status}, 200, 'and which is not asked for any more');
    is(version($r), $w, 'but the new one');
}


=== a 304 proves nothing
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/view/1', { id => 1 });

my $v = version(GET('/view/1'));

# it has left out Vary, by which the view of a write is known

is(GET('/view/1', 'X-Up-Read: status=304')->{status}, 304, 'without Vary');
PUT('/view/1', { id => 2, base_version => $v }, 'X-Up-Write: status=500');
is(PUT('/view/1', { id => 3, base_version => $v })->{status}, 204,
   'what the view has shown tells that nothing was written');


=== the answer to a write bears it, a refusal does not
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /strip/ {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api/etag/;
    }
--- steps
set_doc('/etag/1', { n => 1 });

my $old = version(GET('/etag/1'));
my $r = PUT('/etag/1', { n => 2 });
my $v = version($r);

is(header($r, 'ETag'), qq("$v.e2"), 'of the new version');
is_304(GET('/etag/1', 'If-None-Match: ' . header($r, 'ETag')), qq("$v.e2"),
       'the next read');

# its body is not the resource's

$r = PUT('/etag/1', { n => 3, base_version => $old });
is($r->{status}, 409, 'refused');
is(header($r, 'ETag'), qq("$v"), 'the version alone');
is(GET('/etag/1', qq(If-None-Match: "$v"))->{status}, 200, 'is no 304');

# what was stored is not what was sent

$r = PUT('/strip/1', { n => 3, base_version => version(GET('/strip/1')) });
is($r->{status}, 200, 'without its base');
$v = version($r);
is(header($r, 'ETag'), qq("$v"), 'the version alone');
is(GET('/strip/1', qq(If-None-Match: "$v"))->{status}, 200, 'is no 304');


=== the tag of a read is a base
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
for my $path ('/etag/1', '/weak/1') {
    set_doc($path, { n => 1 });

    my $tag = header(GET($path), 'ETag');
    my ($first) = $tag =~ /(\d+)/;

    is(PUT($path, { n => 2 }, "If-Match: $tag")->{status} =~ /^20/, 1,
       "$path: in If-Match");
    $tag = header(GET($path), 'ETag');
    is(PUT($path, { n => 3 }, "If-Match: W/$tag")->{status} =~ /^20/, 1,
       'weakened');
    $tag = header(GET($path), 'ETag');
    is(PUT($path, { n => 4, base_version => $tag })->{status} =~ /^20/, 1,
       'in a body');
    $tag = header(GET($path), 'ETag');
    is(PUT($path, { n => 5, base_version => $tag =~ s/"//gr })->{status}
       =~ /^20/, 1, 'without its quotes');

    my $r = PUT($path, { n => 6 }, "If-Match: $tag");

    is($r->{status}, 409, 'it is stale');
    is(json($r)->{base_version}, $tag =~ /(\d+)/ ? $1 : '', 'by its version');
    like(header($r, 'Conflict'), qr/;base=\d+/, 'which Conflict says, too');
}


=== dates
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $future = 'Wed, 01 Jan 2098 00:00:00 GMT';

set_doc('/lm/1', { n => 1 }, mtime => 1700000000);

my $r = GET('/lm/1');
my $date = header($r, 'Last-Modified');
my $tag = header($r, 'ETag');

is($tag, '"' . version($r) . '"', 'no tag of the upstream');

# by a date alone it is not known which version the client has

for my $since ($date, $future) {
    $r = GET('/lm/1', "If-Modified-Since: $since");
    is_304($r, undef, $since);
    is(saw('If-Modified-Since'), $since, 'it is asked');
    is(header($r, 'Last-Modified'), $date, 'its date');
}

is_304(GET('/lm/1', "If-None-Match: $tag", "If-Modified-Since: $date"), $tag,
       'a tag of the version, and a date');
is(GET('/lm/1', "If-None-Match: $tag")->{status}, 200, 'the tag alone');
is(GET('/lm/1', 'If-None-Match: "1"', "If-Modified-Since: $date")->{status},
   200, 'another tag: the date is ignored');
is(saw('If-Modified-Since'), '', 'and not asked for');

# with both the upstream has its choice

set_doc('/coarse/1', { n => 1 }, mtime => 1700000000);
$tag = header(GET('/coarse/1'), 'ETag');
is_304(GET('/coarse/1', "If-None-Match: $tag", "If-Modified-Since: $date"),
       $tag, 'both');
is(saw('If-None-Match') =~ s/^"/"x./r, $tag =~ s/^"\d+/"x/r, 'the tag');
is(saw('If-Modified-Since'), $date, 'and the date');

# two versions of one second

my ($lm, $own);

until_true {
    set_doc('/lm/2', { n => 1 });
    $date = header(GET('/lm/2'), 'Last-Modified');
    PUT('/lm/2', { n => 2 });
    GET('/lm/2');
    $r = GET('/lm/2', "If-Modified-Since: $date");
    $own = http('GET', '/lm/2', port => $ENV{TEST_NGINX_UPSTREAM_PORT});

    header($own, 'Last-Modified') eq $date;
};

is(header($own, 'Last-Modified'), $date, 'the upstream has one date for both');
is($r->{status}, 200, 'so none is asked for');
is(json($r)->{n}, 2, 'this one');


=== If-Range
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /inject/ {
        conflict version;
        conflict_inject json:/version;
        proxy_pass http://api/etag/;
    }
--- steps
my @part = ('Range: bytes=5-');
my $text = '{"n":123456789}';

set_doc('/etag/1', $text);

my $r = GET('/etag/1');
my ($tag, $v) = (header($r, 'ETag'), version($r));

$r = GET('/etag/1', @part, "If-Range: $tag");

is($r->{status}, 206, 'goes on');
is($r->{body}, substr($text, 5), 'with the rest');
is(header($r, 'ETag'), $tag, 'of the same body');
is(version($r), $v, 'and version');
is(saw('If-Range'), '"e1"', 'as the upstream says');
is(header($r, 'Content-Range'), 'bytes 5-14/15', 'this part');

# ours, and not of the current version, or too weak

for my $if (qq("$v"), qq(W/$tag), '"1.e1"', qq("$v.W/e1"), '"17"') {
    $r = GET('/etag/1', @part, "If-Range: $if");
    is($r->{status}, 200, "$if: all of it");
    is(saw('Range') . saw('If-Range'), '', 'is asked for');
}

# not ours: the upstream's own words go along, and are of no version

$r = GET('/etag/1', @part, 'If-Range: "e1"');
is($r->{status}, 206, 'of the upstream');
is(header($r, 'ETag'), undef, 'without a tag');
is(version($r), undef, 'or a version');
is(GET('/etag/1', @part, 'If-Range: "e7"')->{status}, 200, 'another');

set_doc('/etag/1', '{"n":987654321}');
$r = GET('/etag/1', @part, "If-Range: $tag");
is($r->{status}, 200, 'it changed without a write');
is($r->{body}, '{"n":987654321}', 'all of the new one');

$tag = header($r, 'ETag');
PUT('/etag/1', '{"n":111111111}');
is(GET('/etag/1', @part, "If-Range: $tag")->{status}, 200, 'it was written');

set_doc('/weak/1', $text);
is(GET('/weak/1', @part, 'If-Range: ' . header(GET('/weak/1'), 'ETag'))
   ->{status}, 200, 'by a weak tag nobody knows');

# what has the version in it has other offsets

$r = PUT('/inject/1', { n => 2 });
is(header($r, 'ETag'), '"' . version($r) . '"',
   'what was sent is not what reads show');

$r = GET('/inject/1');
like($r->{body}, qr/"version":\d+/, 'injected');
$tag = header($r, 'ETag');
is_304(GET('/inject/1', "If-None-Match: $tag"), $tag, 'injected');
is(GET('/inject/1', @part, "If-Range: $tag")->{status}, 200, 'no parts');
is(saw('Range'), '', 'none is asked for');
isnt(header(GET('/inject/1', 'Range: bytes=5-'), 'ETag'), $tag,
     'a part of what was not is no part of it');

# dates

set_doc('/lm/1', $text, mtime => 1700000000);
my $date = header(GET('/lm/1'), 'Last-Modified');
$r = GET('/lm/1', @part, "If-Range: $date");
is($r->{status}, 206, 'a date of the upstream');
is(GET('/lm/1', @part, 'If-Range: Wed, 01 Jan 2098 00:00:00 GMT')->{status},
   200, 'another');


=== If-Match of a read
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', '{"n":123456789}');

my $r = GET('/etag/1');
my ($tag, $v) = (header($r, 'ETag'), version($r));
my @part = ('Range: bytes=0-3');

for ([$tag, 1], [qq("$v"), 1], ['*', 1], [qq("x", "$v.x" , $tag), 1],
     [qq("$v.x"), 0], ['"1.e1"', 0], ['"x"', 0], [qq(W/$tag), 0])
{
    my ($if, $holds) = @$_;

    is(GET('/etag/1', "If-Match: $if")->{status}, $holds ? 200 : 412, $if);
    is(saw('If-Match'), '', 'the upstream does not know it');

    $r = GET('/etag/1', "If-Match: $if", @part);
    is($r->{status}, $holds ? 206 : 412, "$if, a part");
    unlike($r->{body}, qr/\{"n"/, 'nothing of it') unless $holds;
}

is(GET('/etag/2', 'If-Match: "x"')->{status}, 404, 'nothing is there');


=== what nginx serves itself
--- config
    location / {
        conflict version;
        default_type application/json;
        root html;
        dav_methods PUT;
        if_modified_since before;
    }
    location /off/ {
        conflict version;
        etag off;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> 1.json
{"n":123456789}
--- steps
my $r = GET('/1.json');
my ($v, $tag, $date) = (version($r), map { header($r, $_) }
                                     qw(ETag Last-Modified));
my $future = 'Wed, 01 Jan 2098 00:00:00 GMT';

like($tag, qr/^"$v\.[0-9a-f]+-10"$/, "nginx's own tag");
is_304(GET('/1.json', "If-None-Match: $tag"), $tag, 'a tag');
is_304(GET('/1.json', "If-None-Match: $_"), $_, $_)
    for "W/$tag", $tag =~ s/"$/-gzip"/r;
is_304(GET('/1.json', qq(If-None-Match: "a", $tag, "b")), $tag, 'a list');

# the client may have any version

is_304(GET('/1.json', 'If-None-Match: *'), undef, 'any');
is_304(GET('/1.json', "If-Modified-Since: $date"), undef, 'a date');
is_304(GET('/1.json', "If-Modified-Since: $future"), undef, 'a later one');
is(GET('/1.json', 'If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT')
   ->{status}, 200, 'an earlier one');

my ($own) = $tag =~ /\.(.*)"/;

for my $none (qq("$v"), '"x"', qq("$own"), qq("1.$own")) {
    is(GET('/1.json', "If-None-Match: $none")->{status}, 200, $none);
    is(GET('/1.json', "If-None-Match: $none", "If-Modified-Since: $future")
       ->{status}, $none eq qq("$v") ? 304 : 200, "$none and a date");
}

$r = GET('/1.json', 'Range: bytes=5-', "If-Range: $tag");
is($r->{status}, 206, 'If-Range');
is($r->{body}, "123456789}\n", 'the rest');
is(header($r, 'ETag'), $tag, 'of it');

for my $if (qq("$v"), '"x"', qq("1.$own"), qq(W/$tag), qq(W/"$own")) {
    is(GET('/1.json', 'Range: bytes=5-', "If-Range: $if")->{status}, 200,
       "If-Range: $if");
}

$r = GET('/1.json', 'Range: bytes=5-', qq(If-Range: "$own"));
is($r->{status}, 206, "nginx's own words");
is(header($r, 'ETag'), undef, 'of no version');

is(GET('/1.json', 'Range: bytes=5-', "If-Range: $date")->{status}, 206,
   'a date');

# written to

$r = PUT('/1.json', '{"n":1}');
is($r->{status}, 204, 'a write');
is(GET('/1.json', "If-None-Match: $tag")->{status}, 200, 'another version');

# changed by another way

$tag = header(GET('/1.json'), 'ETag');
open my $out, '>', servroot() . '/html/1.json' or die;
print $out '{"n":22}';
close $out;
$r = GET('/1.json', "If-None-Match: $tag");
is($r->{status}, 200, 'the same version, with another body');
is(version($r), $tag =~ /(\d+)/ ? $1 : '', 'this version');
is($r->{body}, '{"n":22}', 'and body');

# a tag that says nothing of the body

$r = GET('/off/1.json');
$v = version($r);
is(header($r, 'ETag'), qq("$v"), 'without a tag of its own');
is(GET('/off/1.json', qq(If-None-Match: "$v"))->{status}, 200, 'no 304');
is(GET('/off/1.json', 'Range: bytes=1-', qq(If-Range: "$v"))->{status}, 200,
   'no part');
is_304(GET('/off/1.json', qq(If-None-Match: "$v"),
           'If-Modified-Since: ' . header($r, 'Last-Modified')), qq("$v"),
       'but for its date');


=== gzip weakens, and the client gets back what it has
--- config
    gzip on;
    gzip_types application/json;
    gzip_min_length 1;
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { text => 'x' x 1000 });

my $r = GET('/etag/1', 'Accept-Encoding: gzip');
my $tag = header($r, 'ETag');

is(header($r, 'Content-Encoding'), 'gzip', 'compressed');
like($tag, qr!^W/"\d+\.e1"$!, 'weak');
is_304(GET('/etag/1', 'Accept-Encoding: gzip', "If-None-Match: $tag"), $tag,
       'weak as it was');
is(saw('If-None-Match'), '"e1"', 'as the upstream has sent it');


=== a cache of nginx
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    location / {
        conflict version;
        proxy_cache one;
        proxy_cache_valid 200 1m;
        proxy_cache_revalidate on;
        add_header X-Cache $upstream_cache_status always;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', '{"n":123456789}');

my $r = GET('/etag/1', 'X-Up-Read: apply header=Accept-Ranges:bytes');
my ($tag, $v) = (header($r, 'ETag'), version($r));

is(header($r, 'X-Cache'), 'MISS', 'from the upstream');
is($tag, qq("$v.e1"), 'with a tag');

# whoever has what the cache has need not get it again

sub cached_304 {
    my ($r, $name) = @_;

    is($r->{status}, 304, "$name: 304");
    is(header($r, 'X-Cache'), 'HIT', "$name: of the cache");
    is(header($r, 'Conflict'), 'unchecked', "$name: of no version");
    is(header($r, 'ETag'), undef, "$name: without a tag");
}

cached_304(GET('/etag/1', "If-None-Match: $tag"), 'a tag');
cached_304(GET('/etag/1', 'If-None-Match: "e1"'), "the upstream's");

$r = GET('/etag/1', 'If-None-Match: "e2"');
is($r->{status}, 200, 'another tag');
is(header($r, 'X-Cache'), 'HIT', 'of the cache');
is(header($r, 'ETag'), undef, 'without a tag');

$r = GET('/etag/1', 'Range: bytes=5-', "If-Range: $tag");
is($r->{status}, 206, 'a part');
is($r->{body}, '123456789}', 'the rest');
is(GET('/etag/1', 'Range: bytes=5-', "If-Range: W/$tag")->{status}, 200,
   'not by a weak tag');

# what it has is old, but the same

my $expire = 'X-Up-Read: apply header=Cache-Control:max-age=1';

set_doc('/etag/2', '{"n":1}');
$tag = header(GET('/etag/2', $expire), 'ETag');
until_true { ($r = GET('/etag/2', $expire))
             and header($r, 'X-Cache') ne 'HIT' };
is(header($r, 'X-Cache'), 'REVALIDATED', 'the cache asks by its own tag');
is($r->{status}, 200, 'the client has not asked');
is($r->{body}, '{"n":1}', 'the body');
is(saw('If-None-Match'), '"e1"', 'in the words of the upstream');
is(header($r, 'Conflict'), 'unchecked', 'nobody knows its version');


=== slices
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    slice 4;
    proxy_set_header Range $slice_range;
    proxy_cache_key $uri$slice_range;
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /kept/ {
        conflict version;
        proxy_cache one;
        proxy_cache_valid 200 206 1m;
        proxy_pass http://api/etag/;
    }
--- steps
my $text = '{"n":123456789}';

set_doc('/etag/1', $text);
set_doc('/etag/2', $text);

for my $path ('/etag/1', '/kept/2') {
    my $r = GET($path);
    my ($tag, $v) = (header($r, 'ETag'), version($r));

    is($r->{body}, $text, "$path: all of it");
    is($tag, qq("$v.e1"), 'under one tag');

    if ($path eq '/etag/1') {
        is_304(GET($path, "If-None-Match: $tag"), $tag, $path);
        $r = GET($path, 'Range: bytes=5-', "If-Range: $tag");
        is(header($r, 'ETag'), $tag, 'its tag');

    } else {
        is(GET($path, "If-None-Match: $tag")->{status}, 304, "$path: 304");
        $r = GET($path, 'Range: bytes=5-', "If-Range: $tag");
    }

    is($r->{status}, 206, "$path: a part");
    is($r->{body}, substr($text, 5), 'the rest');

    is(GET($path, 'Range: bytes=5-', 'If-Range: "x"')->{body}, $text,
       "$path: all of it, by another tag");
}

# one slice is of the cache, the next is of another body

set_doc('/etag/3', $text);
is(GET('/kept/3', 'Range: bytes=0-3')->{body}, substr($text, 0, 4), 'kept');
set_doc('/etag/3', '{"n":987654321}');
unlike(GET('/kept/3')->{body}, qr/987654321/, 'two bodies are not made one');
--- allow
etag mismatch in slice response


=== one resource, shown to two
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my ($a, $b) = map { header(GET('/plain/1', "Authorization: $_",
                               qq(X-Up-Read: apply header=ETag:"$_")), 'ETag')
                  } 'a', 'b';

is($a =~ s/\..*//r, $b =~ s/\..*//r, 'one version');
isnt($a, $b, 'two tags');

GET('/plain/1', 'Authorization: b', "If-None-Match: $a");
is(saw('If-None-Match'), '"a"', 'the upstream sees what was shown');


=== report mode leaves all to the upstream
--- config
    location / {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/etag/1', { n => 1 });

my $r = GET('/etag/1');

is(header($r, 'ETag'), '"e1"', 'its tag');
$r = GET('/etag/1', 'If-None-Match: "e1"');
is($r->{status}, 304, 'its 304');
is(header($r, 'ETag'), '"e1"', 'with its tag');
ok(version($r), 'beside our version');
