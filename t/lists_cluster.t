# conflict_inject with "*" in a Redis Cluster: each item has its entry at another
# node, with a clock of its own.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::List;
use Test::Nginx::Socket 'no_plan';

our @nodes = cluster_start();

$Conflict::Store = 'cluster';
Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', join(' ', 'conflict_store default',
                      map({ "redis://127.0.0.1:$_" } @nodes[0, 4]),
                      "cluster timeout=500ms;\n"));
});

# the items without a version

sub lacking {
    my ($found, @ids) = @_;

    return grep { !$found->{$_} } @ids;
}

run_tests();

__DATA__

=== lists
--- http_config
--- config
    location /list/plain/ {
        conflict version;
        conflict_lease 700ms;
        conflict_quarantine 300ms;
        conflict_inject json:/data/*/version item=/plain/n/$conflict_item;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict version;
        conflict_lease 700ms;
        conflict_quarantine 300ms;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/n/$_", { n => 0 }) for 1 .. 20;

my $v;

until_true { !lacking($v = versions(GET('/list/plain/n')), 1 .. 20) };

is(join(' ', lacking($v, 1 .. 20)), '', 'all items have versions');

my @other = grep { $v->{$_} ne version(GET("/plain/n/$_")) } 1 .. 20;

is("@other", '', 'the right ones');

my $l = start('GET', '/list/plain/n', headers => ['X-Up-Read: apply hold']);

until_true {
    grep { $_->{method} eq 'GET'
           && grep { $_->[0] eq 'x-up-read' } @{ $_->{headers} } } seen();
};

is(PUT("/plain/n/$_", { n => 1 })->{status}, 204, 'a write in between')
    for 1 .. 10;

release();

is(scalar(lacking(versions(finish($l)), 1 .. 10)), 10, 'is not shown');

until_true { !lacking($v = versions(GET('/list/plain/n')), 1 .. 20) };

is(join(' ', lacking($v, 1 .. 20)), '', 'later it is');
