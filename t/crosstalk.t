# No request gets the reply of Redis to another one: 10,000 requests over a
# connection on which replies are late and in pieces, from clients some of which
# have disconnected by then.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

our $wired = free_port();
our (@wrong, %minted);

wire_start($wired, $ENV{TEST_NGINX_REDIS_PORT});
Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);
worker_connections(1024);

add_block_preprocessor(sub {
    my $block = shift;

    wire('pass');

    # each resource tells its version, which is its own

    $block->set_value('http_config', <<"END");
        conflict_store default redis://127.0.0.1:$wired timeout=5s
                               failover=trust;
        conflict version;
        conflict_wait 20s;
        upstream fast { server 127.0.0.1:$ENV{TEST_NGINX_PORT2}; keepalive 64; }
        map \$request_method \$answer {
            GET     '{"version":1000\$number}';
            default '{"version":1000\$number,"done":"\$http_x_id"}';
        }
        server {
            listen 127.0.0.1:$ENV{TEST_NGINX_PORT2};
            default_type application/json;
            location ~ (?<number>[0-9]+)\$ { return 200 \$answer; }
        }
        proxy_http_version 1.1;
        proxy_set_header Connection '';
END
    $block->set_value('config', <<'END');
        location ~ ^(?<resource>/.*)/lock$ {
            conflict_key $resource;
            conflict_user $http_x_user;
            conflict_lock get=off idle=1d;
        }
        location /own/ {
            conflict_version json:/version;
            proxy_pass http://fast;
        }
        location / { proxy_pass http://fast; }
END
});

# what an answer says must be about its own resource and its own request: the
# versions of the upstream, those that were minted for what is only read, the
# holders of locks

sub look {
    my ($request, $r) = @_;

    my ($what, $n) = @$request{'what', 'n'};
    my $body = json($r);
    my $good;

    if ($what eq 'lock') {
        $good = $r->{status} == 200 && $body->{lock}{user} eq "user$n";

    } elsif ($what eq 'read') {
        $good = $r->{status} == 200 && $body->{version} eq "1000$n"
                && version($r) eq $minted{$n};

    } elsif ($what eq 'stale') {
        # a write leaves the version that it had, so it is looked up each time

        $good = $r->{status} == 409 && $body->{version} eq "1000$n"
                && $body->{resource} eq "/own/$n"
                && $body->{base_version} eq $request->{id};

    } else {
        $good = $r->{status} == 200 && $body->{done} eq $request->{id};
    }

    push @wrong, "$what $n: $r->{raw}" unless $good;
}

sub requests {
    my ($left) = @_;

    srand(17);

    return sub {
        return undef unless $left-- > 0;

        my $n = int rand 500;
        my $what = (qw(lock read read stale stale stale), ('write') x 4)
                   [ rand 10 ];
        my %request = (what => $what, n => $n, id => 5000000 + $left,
                       abort => rand() < 0.2, uri => "/own/$n");

        if ($what eq 'lock') {
            @request{qw(method uri)} = ('POST', "/$n/lock");

        } elsif ($what eq 'read') {
            @request{qw(method uri)} = ('GET', "/$n");

        } else {
            my $base = $what eq 'stale' ? $request{id} : "1000$n";

            $request{method} = 'PUT';
            $request{body} = qq({"base_version":$base,"n":$left});
        }

        $request{headers} = ["X-Id: $request{id}", "X-User: user$n"];

        return \%request;
    };
}

run_tests();

__DATA__

=== late, and in pieces
--- steps
my $n = 0;

# nobody writes to these, so their versions stay

many(1, sub { $n < 500 ? { method => 'GET', uri => '/' . $n++ } : undef },
        sub { my ($request, $r) = @_;
              $::minted{substr $request->{uri}, 1} = version($r); });

wire('rough');

my $answers = 0;
many(200, requests(10000), sub { $answers++; look(@_) });

cmp_ok($answers, '>', 7000, 'those who stayed are answered');
is(scalar(@::wrong), 0, 'each what it asked for');
diag($_) for @::wrong[0 .. ($#::wrong > 3 ? 3 : $#::wrong)];

my $log = error_log();
unlike($log, qr/a reply to another call/, 'none came to another');
unlike($log, qr/is down: /, 'and the connection has lasted');
