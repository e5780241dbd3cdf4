# conflict_events: changes are told as they happen, to those who may GET.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Events;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

add_block_preprocessor(sub {
    my $block = shift;
    my $events = $block->events || '';

    $events =~ s/\s+\z//;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict version;\n"
                      . ($block->rules || '') . "proxy_pass http://api; }\n"
                      . ($block->more || '')
                      . "location /free/ { proxy_pass http://api; }\n"
                      . "location ~ ^(?<resource>/.*)/lock\$ {\n"
                      . "conflict_key \$resource;\n"
                      . "conflict_lock idle=10m; }\n"
                      . "location = /events { conflict_events $events; }\n");
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

run_tests();

__DATA__

=== the current version comes first, then each change
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
my $w = watch('resource=/plain/1', headers => [bob()]);

is($w->{status}, 200, 'a stream');
like($w->{head}, qr/^Content-Type: text\/event-stream\r/m, 'its type');
like($w->{head}, qr/^Cache-Control: no-store\r/m, 'not to be stored');
like($w->{head}, qr/^X-Accel-Buffering: no\r/m, 'nor buffered');

my $e = next_event($w);
is($e->{event}, 'version', 'the first event');
is($e->{resource}, '/plain/1', 'of the resource');
is($e->{version}, $v, 'is the current version');
is($w->{retry}, 2000, 'when to come again');

my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
is($r->{status}, 204, 'a write');

$e = next_event($w);
is($e->{event}, 'version', 'is told');
is($e->{version}, version($r), 'with its version');
is($e->{mine}, JSON::PP::false, 'somebody else has made it');
like($e->{changed_at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'when');

$r = PUT('/plain/1', { n => 3, base_version => version($r) }, bob());
$e = next_event($w);
is($e->{version}, version($r), 'another one');
is($e->{mine}, JSON::PP::true, 'of this client');

DELETE('/plain/1', "If-Match: \"" . version($r) . '"');
is(next_event($w)->{event}, 'deleted', 'a DELETE');
