# The clock of the host is set back and forth: versions still grow, and leases
# and quarantines still end.
#
# On both stores.
# Needs: faketime

BEGIN { push @INC, 't/lib' }
use Conflict;

our $Root;

# nginx sees another time, which a file says; not what only counts on

BEGIN {
    my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';

    ($Root) = $ENV{TEST_NGINX_SERVROOT} =~ m!^(.*)/!;

    open my $out, '>', "$Root/nginx" or die;
    print $out "#!/bin/sh\n"
               . "export LD_PRELOAD=$library FAKETIME_NO_CACHE=1\n"
               . "export FAKETIME_DONT_FAKE_MONOTONIC=1\n"
               . "export FAKETIME_TIMESTAMP_FILE=$Root/clock\n"
               . "exec $ENV{TEST_NGINX_BINARY} \"\$@\"\n";
    close $out;
    chmod 0755, "$Root/nginx";

    $ENV{TEST_NGINX_BINARY} = "$Root/nginx";
}

use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    clock(0);
    $block->set_value('main_config', join '', map { "env $_;\n" }
                      qw(FAKETIME_NO_CACHE FAKETIME_DONT_FAKE_MONOTONIC
                         FAKETIME_TIMESTAMP_FILE));
});

# so many seconds from the real time

sub clock {
    my ($seconds) = @_;

    open my $out, '>', "$Root/clock.new" or die;
    printf $out "%+d\n", $seconds;
    close $out;
    rename "$Root/clock.new", "$Root/clock" or die;
}

# nginx has seen it: its date is that of the clock, more or less

sub steps_to {
    my ($seconds) = @_;

    clock($seconds);

    return until_true {
        my ($day, $month, $year, $h, $m, $s) = header(GET('/ping'), 'Date')
            =~ /, (\d+) (\w+) (\d+) (\d+):(\d+):(\d+) GMT/;
        my @now = gmtime(time + $seconds);

        my $off = ($h * 3600 + $m * 60 + $s)
                  - ($now[2] * 3600 + $now[1] * 60 + $now[0]);
        abs($off) < 5;
    };
}

run_tests();

__DATA__

=== versions grow whatever the clock does
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

for my $step (0, -3600, -7200, 3600, 0, -60) {
    is(steps_to($step), 1, "$step s: the clock has stepped");

    my $r = PUT('/plain/1', { n => $step, base_version => $v });
    my $w = version($r);

    is($r->{status}, 204, "$step s: a write on the latest version");
    cmp_ok($w, '>', $v, "$step s: a greater one");
    is(version(GET('/plain/1')), $w, "$step s: which is shown");
    is(PUT('/plain/1', { n => 9, base_version => $v })->{status}, 409,
       "$step s: the one before is stale");
    $v = $w;
}


=== a lock ends, and not before its time
--- config
    location / {
        conflict version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock idle=2s;
    }
--- steps
set_doc('/plain/1', { n => 0 });

for my $step (-3600, 3600, 0) {
    my $r = http('POST', '/plain/1/lock', headers => ['X-User: ann']);

    is($r->{status}, 200, "$step s: a lock");
    is(steps_to($step), 1, "$step s: the clock has stepped");
    is(http('POST', '/plain/1/lock', headers => ['X-User: bob'])->{status},
       409, "$step s: it is held");
    is(until_true { PUT('/plain/1', { n => 1 }, 'X-User: bob')->{status}
                    == 204 }, 1, "$step s: it ends");
}


=== so do leases and quarantines
--- config
    location / {
        conflict version;
        conflict_lease 500ms;
        conflict_quarantine 500ms;
        conflict_wait 100ms;
        proxy_read_timeout 200ms;
        proxy_pass http://api;
    }
--- allow: upstream timed out
--- steps
for my $step (-3600, 3600, 0) {
    set_doc('/plain/1', { n => 0 });
    is(http('PUT', '/plain/1', body => { n => 1 },
            headers => ['X-Up-Write: sleep=0.6'])->{status}, 504,
       "$step s: no answer");
    is(steps_to($step), 1, "$step s: the clock has stepped");
    is(until_true { PUT('/plain/1', { n => 2 })->{status} == 204 }, 1,
       "$step s: the resource opens again");
}
