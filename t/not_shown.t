# A 404 to the module's own GET may be for its caller alone: others are told
# nothing of it.  On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Events;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

add_block_preprocessor(\&events_config);

# a caller that may not see it, and makes the store look for it

sub hidden {
    my ($uri) = @_;

    my $r = PUT($uri, { n => 9, base_version => 1 }, 'X-User: eve',
                'X-Up-Read: status=404');

    is($r->{status}, 409, 'a write of somebody who may not see it');
    is(json($r)->{deleted}, JSON::PP::true, 'to whom it does not exist');
}

run_tests();

__DATA__

=== those who may see it are told that it is there
--- steps
set_doc("/plain/$_", { n => 1 }) for 1 .. 3;

hidden('/plain/1');

my $w = watch('resource=/plain/1', headers => ['X-User: ann']);
my $e = next_event($w);
is($e->{event}, 'version', 'a stream');

my $r = GET('/plain/1');
is($e->{version}, version($r), 'with the version of a read');
is(PUT('/plain/1', { n => 2, base_version => version($r) }, 'X-User: ann')
   ->{status}, 204, 'which is a base');

hidden('/plain/2');
is(PUT('/plain/2', { n => 2 }, 'If-Match: *', 'X-User: ann')->{status}, 204,
   'If-Match: *');

hidden('/plain/3');
is(PUT('/plain/3', { n => 2 }, 'If-None-Match: *', 'X-User: ann')->{status},
   409, 'If-None-Match: *');
is(json(GET('/plain/3'))->{n}, 1, 'it is as before');

is(scalar(grep { $_->{action} eq 'conflict_external' } conflicts()), 0,
   'nor has anything bypassed the module');


=== what does not exist for anybody
--- steps
hidden('/plain/1');

my $r = PUT('/plain/1', { n => 2 }, 'If-Match: *', 'X-User: ann');
is($r->{status}, 409, 'If-Match: *');
is(json($r)->{deleted}, JSON::PP::true, 'it is not there');
is(PUT('/plain/1', { n => 2 }, 'If-None-Match: *', 'X-User: ann')->{status},
   201, 'If-None-Match: *');


=== what was deleted by a write stays deleted
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
is(DELETE('/plain/1', qq(If-Match: "$v"))->{status}, 204, 'deleted');

hidden('/plain/1');
set_doc('/plain/1', { n => 2 });
GET('/plain/1');

my @log;

until_true { @log = grep { $_->{action} eq 'conflict_external' } conflicts() };
is(scalar(@log), 1, 'what is there again has bypassed the module');


=== versions of the upstream's own
--- rules
conflict_version json:/version;
--- steps
set_doc('/own/1', { n => 1 });

hidden('/own/1');

my $r = GET('/own/1', 'X-User: ann');

is(PUT('/own/1', { n => 2, base_version => json($r)->{version} },
       'X-User: ann')->{status}, 200, 'a read is a base');
is(PUT('/own/1', { n => 3, base_version => json($r)->{version} },
       'X-User: ann')->{status}, 409, 'for one write');
is(join(' ', map { $_->{action} } conflicts()),
   'conflict_deleted conflict_version', 'nothing has bypassed the module');
