# The examples of docs/clients.md in other languages: each updates a document
# that another client changes meanwhile.  What is not installed is skipped.
#
# Needs: php-cli php-illuminate-http php-guzzlehttp-guzzle ruby-faraday
# Needs: python3-djangorestframework python3-requests build/docs/node_modules

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Page;
use Test::Nginx::Socket 'no_plan';

# the first block of a section in a language

sub code {
    my ($section, $language) = @_;

    return page('docs/clients.md', $section) =~ /^```$language\n(.*?)^```/ms
           ? $1 : die "no $language in $section";
}

# writes a program, runs it, and returns what it has printed

sub program {
    my ($name, $text, @command) = @_;
    my $file = servroot() . "/../$name";

    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out;

    return scalar `@command $file http://127.0.0.1:@{[port()]} 2>&1`;
}

# it adds one to "n" while another client adds ten

sub counted {
    my ($said, $what) = @_;

    is($said, '', "$what: no error");
    is_deeply(json(GET('/api/n')), { n => 11 }, "$what: both are there");
    is(join(' ', map { $_->{status} } conflicts()), '409', "$what: by a 409");
}

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "location /api/ {\nconflict version;\n"
                      . "proxy_pass http://api/plain/;\n}\n"
                      . ($block->config // ''));
});

run_tests();

__DATA__

=== Ruby
--- config
--- steps
SKIP: {
    skip 'ruby-faraday is not installed', 1
        if system('ruby -e "require %q(faraday)" 2> /dev/null');

    set_doc('/plain/n', { n => 0 });
    main::counted(main::program('update.rb', main::code('Ruby and Rails', 'ruby') . <<'END', 'ruby'), 'Ruby');

conn = Faraday.new(ARGV[0])
other = false

update(conn, "api/n") do |doc|
  unless other
    other = true
    conn.put("api/n", { "n" => 10 }.to_json, "Content-Type" => "application/json")
  end

  { "n" => doc["n"] + 1 }
end
END
}


=== Django
--- config
--- steps
SKIP: {
    skip 'python3-requests is not installed', 1
        if system('/usr/bin/python3 -c "import requests" 2> /dev/null');

    set_doc('/plain/n', { n => 0 });
    main::counted(main::program('update.py', main::code('Django', 'python') . <<'END', '/usr/bin/python3'), 'Python');


import sys

import requests

url = sys.argv[1] + '/api/n'
session = requests.Session()
other = []


def add(doc):
    if not other:
        other.append(session.put(url, json={'n': 10}))

    return {'n': doc['n'] + 1}


update(session, url, add)
END
}


=== Laravel
--- config
--- steps
SKIP: {
    my $load = "require 'Illuminate/Http/autoload.php';\n"
               . "require 'GuzzleHttp/autoload.php';\n";

    skip 'php-illuminate-http is not installed', 1
        if system("php -r \"$load\" > /dev/null 2>&1");

    set_doc('/plain/n', { n => 0 });
    main::counted(main::program('update.php', '<?php ' . main::code('Laravel', 'php') . <<"END", 'php'), 'PHP');
$load
Illuminate\\Support\\Facades\\Facade::setFacadeApplication(new ArrayObject([
    Illuminate\\Http\\Client\\Factory::class => new Illuminate\\Http\\Client\\Factory
]));

\$url = \$argv[1] . '/api/n';
\$other = false;

update(\$url, function (\$doc) use (\$url, &\$other) {
    if (!\$other) {
        \$other = true;
        Http::put(\$url, ['n' => 10]);
    }

    return ['n' => \$doc['n'] + 1];
});
END
}


=== curl
--- config
--- steps
my $code = main::code('curl', 'sh');

set_doc('/plain/notes/1', { text => 'milk' });
$code =~ s!http://localhost!http://127.0.0.1:@{[port()]}!g;
is(main::program('update.sh', $code, 'sh'), '', 'curl');
is(json(GET('/api/notes/1'))->{text}, 'bread, oat milk, tea', 'and it is done');

# another client writes in between

my $other = "curl -s -X PUT http://127.0.0.1:@{[port()]}/api/notes/1"
            . " -H 'Content-Type: application/json' -d '{}'";
$code =~ s/^(?=curl -s --fail)/$other\n/m;
like(main::program('update.sh', $code, 'sh'), qr/version_conflict.*not written/s,
     'or not');


=== Spring: it can be parsed
--- config
--- steps
my $modules = "$ENV{TEST_NGINX_TOP}/build/docs/node_modules";

SKIP: {
    skip 'no java-parser', 1 unless -d $modules;

    my $said = main::program('parse.mjs', <<"END", 'node');
import { parse } from '$modules/java-parser/src/index.js';

const code = \`@{[ main::code('Spring', 'java') ]}\`;

parse('class Client {' + code + '}');

try {
    parse('class Client {' + code);
    console.log('anything can be');

} catch { }
END
    is($said, '', 'Java');
}


=== an API in Django REST framework
--- http_config
    upstream django {
        server 127.0.0.1:$TEST_NGINX_FCGI_PORT;
    }
--- config
    location /notes/ {
        conflict merge;
        conflict_partial patch;
        proxy_pass http://django;
    }
    location /own/ {
        conflict version;
        conflict_strip_base off;
        proxy_pass http://django/notes/;
    }
--- steps
SKIP: {
    skip 'python3-djangorestframework is not installed', 1
        if system('/usr/bin/python3 -c "import rest_framework" 2> /dev/null');

    my $port = $ENV{TEST_NGINX_FCGI_PORT};

    server_start($port, '/usr/bin/python3',
                 "$ENV{TEST_NGINX_TOP}/t/docs/django_api.py", $port);

    my $r = GET('/notes/1/');
    my $v = version($r);

    is_deeply(json($r), { id => 1, text => 'milk', done => JSON::PP::false },
              'a document');
    is(PATCH('/notes/1/', { text => 'bread', base_version => $v })->{status},
       200, 'one member');

    $r = PATCH('/notes/1/', { done => JSON::PP::true, base_version => $v });
    like(header($r, 'Conflict'), qr/^merged;/, 'and another one are merged');
    is_deeply(json($r), { id => 1, text => 'bread', done => JSON::PP::true },
              'both are there');

    $r = PATCH('/notes/1/', { text => 'tea', base_version => $v });
    is($r->{status}, 409, 'what clashes is refused');
    is(json($r)->{server_version}{text}, 'bread', 'with the latest body');

    $r = PUT('/own/1/', { text => 'tea', base_version => version(GET('/own/1/')) });
    is($r->{status}, 200, 'a member that it does not know is ignored');
    is_deeply([sort keys %{ json($r) }], [qw(done id text)], 'and not stored');
}
