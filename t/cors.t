# A page of another origin that may read a GET may read a refusal.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the fields of the GET
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /off/ {
        conflict version;
        conflict_latest off;
        proxy_pass http://api/plain/;
    }
    location /drop/ {
        conflict server_wins;
        proxy_pass http://api/plain/;
    }
    location ~ ^(?<resource>/plain/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock;
    }
--- steps
my $cors = 'header=Access-Control-Allow-Origin:https://app.example'
           . ' header=Access-Control-Allow-Credentials:true'
           . ' header=Access-Control-Expose-Headers:ETag,Conflict'
           . ' header=Vary:Origin header=X-Secret:1';
my @ask = ('Origin: https://app.example', "X-Up-Read: apply $cors");

sub has_fields {
    my ($r, $what) = @_;

    my %once = ('Access-Control-Allow-Origin' => 'https://app.example',
                'Access-Control-Allow-Credentials' => 'true',
                'Vary' => 'Origin');

    for my $name (sort keys %once) {
        is_deeply($r->{headers}{lc $name}, [$once{$name}], "$what: $name");
    }

    is(header($r, 'X-Secret'), undef, "$what: others are not for it");
}

set_doc('/plain/1', { n => 1 });
my $v = version(GET('/plain/1'));

my $r = PUT('/plain/1', { base_version => 77 }, @ask);
is($r->{status}, 409, 'a refusal');
has_fields($r, '409');

$r = http('PATCH', '/plain/1', body => { n => 2 },
          headers => ['If-Match: "77"', @ask]);
has_fields($r, 'by If-Match');

$r = PUT('/plain/1', { base_version => 77 },
         "X-Up-Read: status=401 header=WWW-Authenticate:Basic $cors");
is($r->{status}, 401, 'a GET that is refused');
has_fields($r, '401');

$r = PUT('/plain/none', { base_version => 77 }, @ask);
has_fields($r, 'one that does not exist');

PUT('/drop/1', { n => 2, base_version => version(GET('/drop/1')) });
$r = PUT('/drop/1', { n => 3, base_version => $v }, @ask);
is($r->{status}, 200, 'dropped');
has_fields($r, '200');

$r = http('POST', '/plain/1/lock', headers => ['X-User: a', @ask]);
is($r->{status}, 200, 'a lock');
has_fields($r, 'lock');
$r = http('POST', '/plain/1/lock', headers => ['X-User: b', @ask]);
is($r->{status}, 409, 'which is held');
has_fields($r, 'held');

# where no GET was made there is nothing to tell

GET('/off/1');
$r = PUT('/off/1', { base_version => 77 }, @ask);
is($r->{status}, 409, 'no GET');
is(header($r, 'Access-Control-Allow-Origin'), undef, 'no fields');
is(PUT('/plain/1', { base_version => 'x' }, @ask)->{status}, 400,
   'nor was one for what cannot be read');


=== each field once, whatever the configuration adds
--- config
    gzip on;
    gzip_vary on;
    gzip_types application/json;
    location / {
        conflict version;
        add_header Access-Control-Allow-Origin https://mine.example always;
        add_header Access-Control-Expose-Headers "Conflict, X-Mine" always;
        add_header Vary "Accept, Origin" always;
        proxy_pass http://api;
    }
    location /hide/ {
        conflict version;
        proxy_hide_header Access-Control-Allow-Origin;
        add_header Access-Control-Allow-Origin https://mine.example;
        proxy_pass http://api/plain/;
    }
--- steps
my $ask = 'X-Up-Read: apply'
          . ' header=Access-Control-Allow-Origin:https://app.example'
          . ' header=access-control-expose-headers:ETag,conflict'
          . ' header=Vary:Origin header=Vary:Cookie,Accept-Encoding';

set_doc('/plain/1', { n => 1 });
my $r = PUT('/plain/1', { base_version => 77 }, $ask);

is($r->{status}, 409, 'a refusal');
is_deeply($r->{headers}{'access-control-allow-origin'},
          ['https://mine.example'], 'one origin: that of the configuration');
is_deeply($r->{headers}{'access-control-expose-headers'},
          ['ETag,conflict, X-Mine'], 'one list');
is_deeply($r->{headers}{vary}, ['Origin, Cookie, Accept-Encoding, Accept'],
          'one Vary');

$r = PUT('/hide/1', { base_version => 77 }, $ask);
is(header($r, 'Access-Control-Allow-Origin'), undef,
   'what a GET does not show either');
