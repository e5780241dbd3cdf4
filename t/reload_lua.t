# A location that was guarded, and from which Lua then leads writes away.
# On both stores.
# Needs: libnginx-mod-http-lua

BEGIN { push @INC, 't/lib' }
use Conflict;
BEGIN { need_modules(['ndk_http', 'ngx_http_lua']) }
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();

run_tests();

__DATA__

=== by a jump, and to another location
--- http_config
    conflict_lease 500ms;
    conflict_quarantine 100ms;
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /free/ {
        conflict off;
        proxy_pass http://api/plain/;
    }
--- steps
my $guarded = slurp(servroot() . '/conf/nginx.conf');

for my $lua ('rewrite_by_lua_block { ngx.req.set_uri("/free/1", true) }',
             'access_by_lua_block { ngx.exec("/free/1") }')
{
    my ($v, $r);

    set_doc('/plain/1', { n => 0 });
    until_true { PUT('/plain/1', { n => 0 })->{status} == 204
                 && defined($v = version(GET('/plain/1'))) };

    edit_conf('(location /free/)',
              sub { "location = /plain/1 { conflict off; $lua } $1" });
    reload();
    is(PUT('/plain/1', { n => 1 })->{status}, 204, "written by $lua");
    is(json(upstream('/_doc?path=/plain/1'))->{n}, 1, 'it is there');

    edit_conf('(?s)^.*$', $guarded);
    reload();

    until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
                 $r->{status} != 503 };
    is($r->{status}, 409, 'a version of before is stale');
}
