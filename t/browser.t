# Pages in a browser: of another origin, with conf/browser.conf, and a frontend
# that knows nothing of nginx.
#
# On both stores.
# Needs: chromium build/page/node_modules build/clients/node_modules

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

my ($own, $plain, $page, $other);

BEGIN {
    need('chromium', 'node', "$ENV{TEST_NGINX_TOP}/build/page/node_modules",
         "$ENV{TEST_NGINX_TOP}/build/clients/node_modules");

    ($own, $plain, $page, $other) = map { free_port() } 1 .. 4;
    $ENV{TEST_NGINX_API} = "127.0.0.1:$plain";

    node_start('api.js', $own, "http://127.0.0.1:$page");
    node_start('api.js', $plain);
}

sub pages { map { "http://127.0.0.1:$_" } $page, $other }

sub browse {
    my ($least, @args) = @_;

    my $top = $ENV{TEST_NGINX_TOP};
    my $n = 0;

    local $ENV{NODE_PATH} = "$top/build/page/node_modules";

    for my $line (split /\n/, `node $top/t/clients/browser.js @args 2>&1`) {
        my ($bad, $name) = $line =~ /^(not )?ok (.*)/
            or do { fail($line); next };

        ok(!$bad, $name);
        $n++;
    }

    cmp_ok($n, '>', $least, 'all was looked at');
}

# the example, with both of its APIs

sub example {
    my $top = $ENV{TEST_NGINX_TOP};
    my $text = slurp("$top/conf/browser.conf");
    my @ports = ($ENV{TEST_NGINX_PORT2}, $ENV{TEST_NGINX_FCGI_PORT});

    my ($http) = $text =~ /^http \{\n(.*)^\}/ms;

    $http =~ s/^\s+(access_log|conflict_log) .*\n//mg;
    $http =~ s/listen 80;/'listen 127.0.0.1:' . shift(@ports) . ';'/ge;
    $http =~ s/127\.0\.0\.1:3000/127.0.0.1:$own/;
    $http =~ s/127\.0\.0\.1:3001/127.0.0.1:$plain/;
    $http =~ s!https://app\.example\.com!"http://127.0.0.1:$page"!;

    return $http;
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== the example conf/browser.conf, from another origin
--- http_config eval
main::example()
--- config
    location / {
        return 404;
    }
--- steps
my @ports = ($ENV{TEST_NGINX_PORT2}, $ENV{TEST_NGINX_FCGI_PORT});
my @pages = main::pages();

for my $n (0, 1) {
    note($n ? 'an API without CORS' : 'an API that does its own');
    browse(25, 'elsewhere', "http://127.0.0.1:$ports[$n]", @pages);
    browse(4, 'library', "http://127.0.0.1:$ports[$n]", @pages);

    # each field once, whoever adds it

    my $made = http('POST', '/api/notes', port => $ports[$n],
                    body => { text => 'x' });
    my $url = '/api/notes/' . json($made)->{id};
    my @ask = ("Origin: $pages[0]");
    my @preflight = (@ask, 'Access-Control-Request-Method: PUT',
                     'Access-Control-Request-Headers: if-match');
    my $stale = version(http('GET', $url, port => $ports[$n]));

    http('PUT', $url, port => $ports[$n], body => { text => 'y' });

    my @answers = (
        http('GET', $url, port => $ports[$n], headers => \@ask),
        http('PUT', $url, port => $ports[$n], headers => \@ask,
             body => { text => 'z', version => 0 + $stale }),
        http('PUT', $url, port => $ports[$n], headers => \@ask,
             body => { version => [] }),
        http('POST', "$url/lock", port => $ports[$n], headers => \@ask),
        http('POST', "$url/lock", port => $ports[$n], headers => \@ask),
        http('OPTIONS', $url, port => $ports[$n], headers => \@preflight),
        http('OPTIONS', "$url/lock", port => $ports[$n],
             headers => \@preflight),
    );

    is(join(' ', map { $_->{status} } @answers),
       '200 409 400 200 409 204 204', 'what was asked');

    for my $r (@answers) {
        my @twice = grep { /^(access-control|vary)/
                           && @{ $r->{headers}{$_} } != 1 }
                    keys %{ $r->{headers} };

        is("@twice", '', "each once, $r->{status}");
        is(header($r, 'Access-Control-Allow-Origin'), $pages[0],
           'and for this origin');
    }

    like(header($answers[0], 'Access-Control-Expose-Headers'),
         $n ? qr/^ETag, Conflict, Retry-After$/
            : qr/^X-Total, ETag, Conflict, Retry-After$/,
         'what the API exposes, and what the module needs');
}


=== a frontend that does not say what its body is
--- config
    location / {
        return 200 page;
    }
    location /api/ {
        conflict version;
        conflict_inject json:/version;
        proxy_pass http://$TEST_NGINX_API;
    }
--- steps
browse(8, 'snippet', 'http://127.0.0.1:' . port());
