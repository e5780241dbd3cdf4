# An endpoint of the module with "if" and "limit_except": it is one in these
# blocks as well.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# the endpoints, each with the block

add_block_preprocessor(sub {
    my $block = shift;
    my $in = $block->config;

    $block->set_value('config', <<"END");
        conflict version hold=1h;
        conflict_history 4 versions;
        conflict_user \$http_x_user;

        location / {
            proxy_pass http://api;
        }
        location ~ ^(?<res>/.*)/lock\$ {
            $in
            conflict_lock;
            conflict_key \$res;
        }
        location ~ ^(?<res>/.*)/versions\$ {
            $in
            conflict_versions;
            conflict_key \$res;
        }
        location = /events {
            $in
            conflict_events;
        }
        location = /inbox {
            $in
            conflict_inbox;
        }
        location = /status {
            $in
            conflict_status json;
        }
        location = /page {
            $in
            conflict_status;
        }
END
});

# what each of them says, whatever the block

sub say_all {
    my @ann = ('X-User: ann');

    set_doc('/plain/1', { n => 1 });

    my $v = version(GET('/plain/1', @ann));
    PUT('/plain/1', { n => 2, base_version => $v }, @ann);
    is(PUT('/plain/1', { n => 3, base_version => $v }, @ann)->{status}, 409,
       'a body is held');

    my $r = http('POST', '/plain/1/lock', headers => [@ann]);
    is($r->{status}, 200, 'lock: POST');
    is(json(GET('/plain/1/lock', @ann))->{lock}{user}, 'ann', 'lock: GET');
    is(PUT('/plain/1', { n => 4 }, 'X-User: bob')->{status}, 409, 'it locks');
    is(DELETE('/plain/1/lock', @ann)->{status}, 200, 'lock: DELETE');

    is(json(GET('/plain/1/versions', @ann))->{resource}, '/plain/1',
       'versions');

    ok(json(GET('/events?resource=/plain/1&poll=1', @ann))->{events},
       'events');

    my $items = json(GET('/inbox', @ann))->{items};
    is(scalar(@$items), 1, 'inbox: GET');
    like(DELETE("/inbox?id=$items->[0]{id}", @ann)->{status}, qr/^20[04]$/,
         'inbox: DELETE');
    is(scalar(@{ json(GET('/inbox', @ann))->{items} }), 0, 'it is gone');

    ok(json(GET('/status'))->{version}, 'status: JSON');
    like(GET('/page')->{body}, qr/^<!DOCTYPE html>/, 'status: the page');
}

run_tests();

__DATA__

=== without one
--- config
--- steps
say_all();


=== limit_except
--- config
    limit_except GET {
        allow all;
    }
--- steps
say_all();


=== limit_except, of all methods
--- config
    limit_except OPTIONS {
        allow all;
    }
--- steps
say_all();


=== if
--- config
    if ($request_method ~ .) {
        add_header X-If 1 always;
    }
--- steps
say_all();

is(header(GET('/status'), 'X-If'), 1, 'it was entered');


=== one within the other
--- config
    limit_except OPTIONS {
        allow all;
    }
    if ($request_method ~ .) {
        set $x 1;
    }
--- steps
say_all();


=== what limit_except denies
--- config
    limit_except GET {
        deny all;
    }
--- allow: access forbidden by rule
--- steps
is(http('POST', '/plain/1/lock', headers => ['X-User: ann'])->{status}, 403,
   'is denied');
is(DELETE('/inbox?id=1', 'X-User: ann')->{status}, 403, 'by each endpoint');
