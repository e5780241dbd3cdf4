# The variables.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== all of them, in an access log
--- http_config
    log_format conflict '$request_method [$conflict_outcome|$conflict_policy|$conflict_version|$conflict_next_version|$conflict_base|$conflict_fields|$conflict_id|$conflict_store_time|$conflict_wait_time|$conflict_fetch]';
--- config
    location / {
        conflict version;
        access_log logs/vars.log conflict;
        proxy_set_header X-Next $conflict_next_version;
        proxy_set_header X-Base $conflict_base;
        proxy_pass http://api;
    }
    location = /off {
        access_log logs/vars.log conflict;
        return 204;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = version(PUT('/plain/1', { base_version => $v }));
my $r = PUT('/plain/1', { n => 1, base_version => $v });

PUT('/plain/1', { n => 2 });
GET('/off');

my %h = map { $_->[0] => $_->[1] } @{ (journal())[0]{headers} };

is($h{'x-next'}, $w, '$conflict_next_version at the upstream');
is($h{'x-base'}, $v, '$conflict_base at the upstream');

%h = map { $_->[0] => $_->[1] } @{ (journal())[1]{headers} };
ok(!exists $h{'x-base'}, 'without a base there is none');

my @lines = split /\n/, slurp(servroot() . '/logs/vars.log');
my $id = json($r)->{conflict_id};
my $x = version(GET('/plain/1'));

s/\b\d\.\d{3}\|\d\.\d{3}\|/T|T|/ for @lines;

is($lines[0], "GET [passed|version|$v|-|-|-|-|T|T|]", 'a read');
is($lines[1], "PUT [passed|version|$w|-|$v|-|-|T|T|]", 'a write');
is($lines[2], "PUT [rejected|version|$w|-|$v|-|$id|T|T|]",
   'a refusal');
is($lines[3], "PUT [passed|version|$x|-|-|-|-|T|T|]", 'without a base');
is($lines[4], 'GET [-|-|-|-|-|-|-|-|-|]', 'a location that is not guarded');


=== a base with control characters is one line
--- config
    location / {
        conflict version;
        conflict_version json:/_rev;
        conflict_base json:/_rev;
        add_header X-Base $conflict_base always;
        proxy_set_header X-Base $conflict_base;
        proxy_pass http://api;
    }
--- steps
my $rev = "a\r\nX-Evil: 1\0\x{7f}%";

set_doc('/plain/1', { _rev => $rev });

my $r = PUT('/plain/1', { _rev => $rev, n => 1 });
is($r->{status}, 204, 'a good base');
is(header($r, 'X-Base'), 'a%0D%0AX-Evil: 1%00%7F%', 'in a response');
is(header($r, 'X-Evil'), undef, 'is one field');

my %h = map { $_->[0] => $_->[1] } @{ (journal())[0]{headers} };

is($h{'x-base'}, 'a%0D%0AX-Evil: 1%00%7F%', 'at the upstream');
ok(!exists $h{'x-evil'}, 'one field as well');


=== in a response: no version for a client that may not see the resource
--- config
    location / {
        conflict version;
        add_header X-Version $conflict_version always;
        add_trailer X-Trailer "v=$conflict_version" always;
        proxy_pass http://api;
    }
--- steps
set_doc('/auth/1', { n => 1 });

my $may = 'Authorization: Bearer reader';
my $v = version(GET('/auth/1', $may));
my $r = PUT('/auth/1', { n => 2, base_version => $v }, $may);

is(header($r, 'X-Version'), version($r), 'of a write');
like(GET('/auth/1', $may)->{raw}, qr/X-Trailer: v=\d/, 'behind a body');
is(header(PUT('/auth/1', { n => 3, base_version => $v }, $may), 'X-Version'),
   version($r), 'of a refusal');

for my $who ('Authorization: Bearer other', 'X-Nobody: 1') {
    for my $r (GET('/auth/1', $who),
               PUT('/auth/1', { n => 3, base_version => $v }, $who))
    {
        like($r->{status}, qr/^40[139]$/, "$who: $r->{status}");
        is(header($r, 'X-Version'), undef, 'nothing');
        unlike($r->{raw}, qr/X-Trailer: v=\d/, 'nor behind the body');
    }
}


=== in a page for such a client, which the own GET has brought
--- config
    location / {
        conflict version;
        proxy_intercept_errors on;
        error_page 401 /page;
        proxy_pass http://api;
    }
    location /other/ {
        conflict version;
        conflict_key $uri;
        proxy_intercept_errors on;
        error_page 401 =200 /page;
        proxy_pass http://api/auth/;
    }
    location /text/ {
        conflict version;
        conflict_key $uri;
        proxy_intercept_errors on;
        error_page 401 /text;
        proxy_pass http://api/auth/;
    }
    location /direct/ {
        conflict version;
        conflict_key $uri;
        sub_filter_types *;
        sub_filter who 'v=$conflict_version';
        proxy_pass http://api/auth/;
    }
    location = /page {
        ssi on;
        ssi_types *;
        sub_filter_types *;
        sub_filter THE_VERSION 'v=$conflict_version';
        alias html/page;
    }
    location = /text {
        return 403 "v=$conflict_version";
    }
--- user_files
>>> page
Page <!--# echo var="conflict_version" --> THE_VERSION
--- steps
set_doc('/auth/1', { n => 1 });

my $may = 'Authorization: Bearer reader';

for my $uri ('/auth/1', '/other/1', '/text/1', '/direct/1') {
    my $v = version(GET($uri, $may));
    my $r = PUT($uri, { n => 2, base_version => 1 });

    is($r->{status}, 401, $uri);
    like($r->{body}, qr/Page|v=|not/, 'a page');
    unlike($r->{raw}, qr/$v|v=\d/, 'without a version');
}
