# Killed workers, reloads, upgrades: no acknowledged write is lost.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);
worker_connections(512);

# four clients write to a document until N answers have a status; once they
# have sent something CODE is run

my $write = 0;

sub load {
    my ($n, $wanted, $code) = @_;

    my %status;

    until_true {
        my @pending = map {
            my $v = version(GET('/plain/load'));
            start('PUT', '/plain/load', body => { n => ++$write,
                                                  base_version => $v || 1 })
        } 1 .. 4;

        $code->() if $code;
        $code = undef;
        $status{finish($_)->{status}}++ for @pending;
        ($status{$wanted} || 0) >= $n;
    } 30;

    return \%status;
}

# each acknowledged write was applied, once, and on one that it had seen

sub judge {
    my (@status) = @_;

    my %sum;

    for my $status (@status) {
        $sum{$_} += $status->{$_} for keys %$status;
    }

    my @bases = map { json($_->{body})->{base_version} }
                grep { $_->{path} eq '/plain/load' } journal();

    is(scalar(@bases), $sum{204}, 'each acknowledged write, once');
    is(scalar(grep { $bases[$_] <= $bases[$_ - 1] } 1 .. $#bases), 0,
       'each on the one before');
    is(join(' ', grep { !/^(204|409|503)$/ } sort keys %sum), '',
       'no other answers');
}

sub reconfigure {
    my ($from, $to) = @_;

    my $conf = servroot() . '/conf/nginx.conf';
    my $text = slurp($conf);

    $text =~ s/($from)/ref $to ? $to->{$1} : $to/ge or die "no $from";
    open my $out, '>', $conf or die "$conf: $!";
    print $out $text;
    close $out;
    kill 'HUP', master_pid();
}

run_tests();

__DATA__

=== a worker killed while its write is at the upstream
--- config
    location / {
        conflict version;
        conflict_lease 500ms;
        conflict_quarantine 500ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- allow: exited on signal 9
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

# whichever has it

kill 'KILL', workers_of(master_pid());
is(finish($w)->{status}, 0, 'the client has no answer');

until_true { scalar(workers_of(master_pid())) == 2 };

is(PUT('/plain/2', { n => 1 })->{status}, 201, 'other resources go on');

my $r = PUT('/plain/1', { n => 2, base_version => $v });

like($r->{status}, qr/409|503/, 'this one is closed');
unlike(header($r, 'Conflict'), qr/rejected/, 'not decided');

release();
applied(2);

until_true {
    $r = PUT('/plain/1', { n => 2, base_version => $v });
    json($r)->{error} eq 'version_conflict';
};

is($r->{status}, 409, 'then the write is found');
is(json($r)->{server_version}{n}, 1, 'as it landed');
is(scalar(grep { $_->{path} eq '/plain/1' } journal()), 1,
   'nobody wrote over it');


=== a worker killed inside the zone, at every point where it can be torn
--- config
    location / {
        conflict version;
        conflict_lease 100ms;
        conflict_quarantine 100ms;
        conflict_wait 20ms;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock idle=200ms;
    }
--- allow: exited on signal 9|was locked by
--- steps
my ($point, $killed, $bad) = (0, 0, 0);
my $n = 0;

# writes, reads and refusals with the worker killed at the first, second, ...
# point, until none of them reaches that far

while (1) {
    $point++;
    my $hit = 0;

    for my $kind ('create', 'read', 'commit', 'stale', 'dirty', 'lock',
                  'release')
    {
        my $path = '/plain/k' . ++$n;
        my $kill = "X-Conflict-Failpoint: $point";
        my ($v, $r);

        set_doc($path, { id => 1 }) unless $kind eq 'create';

        if ($kind eq 'create') {
            $r = PUT($path, { n => 1 }, $kill);

        } elsif ($kind eq 'read') {
            $r = GET($path, $kill);

        } elsif ($kind eq 'lock') {
            $r = http('POST', "$path/lock", headers => [$kill]);

        } elsif ($kind eq 'release') {
            until_true {
                $r = http('POST', "$path/lock"); $r->{status} == 200;
            };
            $r = http('DELETE', "$path/lock",
                      headers => [$kill, 'Lock-Token: '
                                         . json($r)->{lock}{token}]);

        } else {
            until_true { defined($v = version(GET($path))) };

            if ($kind eq 'commit') {
                $r = PUT($path, { n => 1, base_version => $v }, $kill);

            } elsif ($kind eq 'stale') {
                $r = PUT($path, { n => 1, base_version => 1 }, $kill);

            } else {
                until_true {
                    PUT($path, { base_version => $v },
                        'X-Up-Write: status=500')->{status} == 500;
                };
                $r = PUT($path, { n => 1, base_version => $v }, $kill);
            }
        }

        $hit++ if $r->{status} == 0;

        # the next writers get an answer, and the resource opens again

        my $open = until_true {
            my $s = PUT('/plain/other', { n => $n })->{status};
            my $t = PUT($path, { n => 2 })->{status};
            $s =~ /^20[14]$/ && $t =~ /^20[14]$/;
        } 10;

        $bad++ unless $open;
    }

    $killed += $hit;
    last unless $hit;
}

cmp_ok($point, '>', 5, 'several points');
cmp_ok($killed, '>', 10, 'many kills');
is($bad, 0, 'after each all went on');
is(GET('/plain/other')->{status}, 200, 'still');


=== versions do not come back after a rebuild
--- config
    location / {
        conflict version;
        conflict_lease 100ms;
        conflict_quarantine 100ms;
        conflict_wait 20ms;
        proxy_pass http://api;
    }
--- allow: exited on signal 9|was locked by
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));

is(GET('/plain/2', 'X-Conflict-Failpoint: 1')->{status}, 0, 'killed');

my $r = PUT('/plain/1', { n => 1, base_version => $v });

is($r->{status}, 503, 'all resources wait');
is(json($r)->{error}, 'outcome_unknown', 'since nobody knows');

until_true {
    $r = PUT('/plain/1', { n => 1, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'the old base is stale');
cmp_ok(version($r), '>', $v, 'the new version is greater');
is(PUT('/plain/1', { n => 1, base_version => version($r) })->{status}, 204,
   'and good');


=== a reload with the same zone keeps everything
--- config
    location / {
        conflict version;
        conflict_wait 10s;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
set_doc('/plain/1', { id => 1 });
set_doc('/plain/2', { id => 2 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

my $lock = json(http('POST', '/plain/2/lock'))->{lock}{token};

reload();

my $next = start('PUT', '/plain/1', body => { n => 2, base_version => $v });

release();
is(finish($w)->{status}, 204, 'the old worker ends its write');
is(finish($next)->{status}, 409, 'the new worker waited for it');

is(PUT('/plain/2', { n => 1 })->{status}, 409, 'a lock is still held');
is(PUT('/plain/2', { n => 1 }, "Lock-Token: $lock")->{status}, 204,
   'by its token');


=== reloads under load lose nothing
--- config
    location / {
        conflict version;
        conflict_strip_base off;
        conflict_wait 10s;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { ids => [] });

my $end = time() + 3;
my ($acked, $failed, $n) = (0, 0, 0);

while (time() < $end) {
    kill 'HUP', master_pid() if $n++ % 20 == 0;

    my @pending = map {
        my $r = GET('/plain/1');
        start('PUT', '/plain/1', body => { n => "$n-$_",
                                           base_version => version($r) })
    } 1 .. 4;

    for (@pending) {
        my $status = finish($_)->{status};
        $status == 204 ? $acked++ : $status == 409 ? 0 : $failed++;
    }
}

cmp_ok($acked, '>', 10, 'writes passed');
is($failed, 0, 'none failed');
is(scalar(journal()), $acked, 'each acknowledged write was applied, once');

my $base;
my $wrong = 0;

# each was based on its predecessor: bases only grow

for (map { json($_->{body})->{base_version} } journal()) {
    $wrong++ if defined $base && $_ <= $base;
    $base = $_;
}

is($wrong, 0, 'each on the one before');


=== a reload with another zone waits for those that use the old one
--- http_config
    conflict_store default zone=1m;
    proxy_read_timeout 20s;
--- config
    location / {
        conflict version;
        conflict_quarantine 300ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

edit_conf('zone=1m', 'zone=2m');
reload();

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 503, 'the new zone does not know of the write in flight');
is(json($r)->{error}, 'store_generation', 'error');
is(GET('/plain/1')->{status}, 200, 'reads go on');
is(version(GET('/plain/1')), undef, 'without a version');
is(scalar(grep { /a store, the binary or a route was changed/ }
          split /\n/, error_log()), 1,
   'the error log says why');

release();
is(finish($w)->{status}, 204, 'the old worker ends its write');

until_true {
    $r = PUT('/plain/1', { n => 2, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'then the new one knows that it does not know');
is(json($r)->{server_version}{n}, 1, 'and asks');


=== a binary upgrade
--- config
    location / {
        conflict version;
        conflict_quarantine 300ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

my $old = master_pid();

kill 'USR2', $old;
ok(until_true { my $p = master_pid(); $p && $p != $old
                && workers_of($p) == 2 }, 'the new binary runs');

# the old workers stop to listen, so that all that comes is the new ones'

kill 'WINCH', $old;
until_true { !workers_of($old) };

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 503, 'the new one keeps out');
is(json($r)->{error}, 'store_generation', 'error');

release();
is(finish($w)->{status}, 204, 'the old worker ends its write');
kill 'QUIT', $old;

until_true {
    $r = PUT('/plain/1', { n => 2, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'then it asks the upstream');
is(json($r)->{server_version}{n}, 1, 'and sees the write');


=== a worker that may not finish
--- main_config
worker_shutdown_timeout 300ms;
--- config
    location / {
        conflict version;
        conflict_quarantine 500ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

kill 'HUP', master_pid();
is(finish($w)->{status}, 0, 'its client gets no answer');

my $r = PUT('/plain/1', { n => 2, base_version => $v });

is($r->{status}, 503, 'the outcome is unknown');
release();
applied(1);

until_true {
    $r = PUT('/plain/1', { n => 2, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'the write had landed');
is(scalar(journal()), 1, 'nobody wrote over it');


=== a full zone refuses what it cannot hold, and recovers
--- http_config
    conflict_store small zone=32k;
--- config
    location / {
        conflict version store=small;
        conflict_wait 50ms;
        conflict_quarantine 200ms;
        proxy_read_timeout 20s;
        proxy_pass http://api;
    }
--- main_config
worker_rlimit_nofile 4096;
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

# far more resources than the zone has room for: the oldest are forgotten

is(scalar(grep { GET("/plain/r$_")->{status} != 404 } 1 .. 500), 0, 'reads');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 409,
   'the lease was not evicted');

# writes in flight fill it

my @held = map { start('PUT', "/plain/h$_", body => { n => $_ },
                       headers => ['X-Up-Write: hold apply']) } 1 .. 200;
my $full;

until_true { $full = PUT('/plain/more', { n => 1 }); $full->{status} == 503 };

is($full->{status}, 503, 'full');
is(json($full)->{error}, 'store_unavailable', 'error');
is(GET('/plain/1')->{status}, 200, 'reads pass');

my $begun = grep { $_->{method} eq 'PUT' } seen();

release();

my %count;
$count{finish($_)->{status}}++ for $w, @held;

is($count{201} + ($count{204} || 0), $begun, 'what was let in is done');
is($count{201} + ($count{204} || 0) + $count{503}, 201, 'the rest was refused');
is(PUT('/plain/more', { n => 1 })->{status}, 201, 'there is room again');
my $lines = grep { /is full of writes in flight/ }
            split /\n/, error_log();
ok($lines && $lines < $count{503}, 'a line in the error log, not one each');


=== the log says that a zone is full, whatever has met it first
--- http_config
    conflict_store small zone=32k;
--- config
    location / {
        conflict version store=small;
        conflict_wait 1ms;
        conflict_quarantine 1h;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/r$_", { id => $_ }) for 1 .. 400;

for my $n (1 .. 400) {
    PUT("/plain/w$n", { n => 1 }, 'X-Up-Write: close');
    last unless version(GET("/plain/r$n"));
}

is(PUT('/plain/more', { n => 1 })->{status}, 503, 'a write is refused');
is(log_count(qr/"small" is full of writes in flight, enlarge its zone/), 1,
   'the read before it was the first');


=== a reload with another zone after a binary upgrade
--- http_config
    conflict_store default zone=1m;
    proxy_read_timeout 20s;
--- config
    location / {
        conflict version;
        conflict_quarantine 300ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $old = master_pid();

kill 'USR2', $old;
until_true { my $p = master_pid(); $p && $p != $old && workers_of($p) == 2 };
kill 'QUIT', $old;
until_true { !kill 0, $old };
until_true { PUT('/plain/9', { n => 1 })->{status} < 300 };

my $v = version(GET('/plain/1'));
my $w = start('PUT', '/plain/1', body => { n => 1 },
              headers => ['X-Up-Write: hold apply']);
begun(2);

edit_conf('zone=1m', 'zone=2m');
reload();

my $r;
until_true { $r = PUT('/plain/1', { n => 2 }); $r->{status} == 503 };
is(json($r)->{error}, 'store_generation',
   'refused while a worker of before has a write in flight');

release();
is(finish($w)->{status}, 204, 'which ends');
until_true { $r = PUT('/plain/1', { n => 3 }); $r->{status} == 204 };
is($r->{status}, 204, 'then others pass');
kill 'QUIT', master_pid();
until_true { !-e servroot() . '/logs/nginx.pid' };


=== a route is moved after a binary upgrade, beside the old master
--- http_config
    conflict_store one zone=1m;
    conflict_store two zone=1m;
    proxy_read_timeout 20s;
--- config
    location / {
        conflict version store=one;
        conflict_quarantine 100ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $w = held('/plain/1', { n => 1, base_version => $v });
my $old = master_pid();

kill 'USR2', $old;
until_true { my $p = master_pid(); $p && $p != $old && workers_of($p) == 2 };
kill 'WINCH', $old;
until_true { !workers_of($old) };

my %before = map { $_ => 1 } workers_of(master_pid());
reconfigure('store=one', 'store=two');
until_true { my @now = workers_of(master_pid());
             @now && !grep { $before{$_} } @now };
until_true { !grep { $before{$_} } workers_of(master_pid(), 1) };

my $r = PUT('/plain/1', { n => 2 });
is(json($r)->{error}, 'store_generation', 'it waits for that, too');

release();
is(finish($w)->{status}, 204, 'whose worker ends its write');
kill 'QUIT', $old;
until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'then others see it');
kill 'QUIT', master_pid();
until_true { !-e servroot() . '/logs/nginx.pid' };


=== a route is given another store by a reload
--- http_config
    conflict_store one zone=1m;
    conflict_store two zone=1m;
    proxy_read_timeout 20s;
--- config
    location / {
        conflict version store=one;
        conflict_quarantine 300ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
    location /plain/two/ {
        conflict version store=two;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });
set_doc('/plain/two/1', { id => 1 });

my $v = version(GET('/plain/1'));
my $u = version(GET('/plain/two/1'));
my $w = start('PUT', '/plain/1', body => { n => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun(1);

edit_conf('store=one', 'store=two');
reload();

my $r;
until_true { $r = PUT('/plain/1', { n => 2 }); $r->{status} == 503 };
is(json($r)->{error}, 'store_generation',
   'refused while a worker of before has a write in flight');

release();
is(finish($w)->{status}, 204, 'which ends');
until_true { $r = PUT('/plain/1', { n => 3, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'then others see it');
is(json($r)->{server_version}{n}, 1, 'as it is');
is(PUT('/plain/two/1', { n => 1, base_version => $u })->{status}, 204,
   'bases of other routes hold');


=== reloads with another zone under load: another size, another name
--- http_config
    conflict_store default zone=1m;
    conflict_store later zone=1m;
    proxy_read_timeout 20s;
--- config
    location / {
        conflict version store=default;
        conflict_strip_base off;
        conflict_quarantine 300ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/load', { n => 0 });
set_doc('/plain/held', { n => 1 });

my @sum = load(10, 204);
my $n = 0;

for my $change ([ 'default zone=1m' => 'default zone=2m' ],
                [ 'conflict_store later|store=default' =>
                  { 'conflict_store later' => 'conflict_store renamed',
                    'store=default' => 'store=renamed' } ])
{
    my ($from, $to) = @$change;
    my $v;

    until_true { defined($v = version(GET('/plain/held'))) };
    my $w = held('/plain/held', { n => ++$n, base_version => $v });

    push @sum, load(20, 503, sub { reconfigure($from, $to) });
    cmp_ok($sum[-1]{503}, '>=', 20, "$n: the new one waits");

    # for an old worker, which has this

    release();
    is(finish($w)->{status}, 204, 'the old one ends its write');
    push @sum, load(10, 204);
}

judge(@sum);
is(json(GET('/plain/held'))->{n}, 2, 'those in flight are done');


=== a binary upgrade that is taken back, under load
--- http_config
    proxy_read_timeout 20s;
--- config
    location / {
        conflict version;
        conflict_strip_base off;
        conflict_quarantine 300ms;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
set_doc("/plain/$_", { n => 0 }) for 'load', 'held', 'kept', 'locked';

my @sum = load(10, 204);
my %v = map { $_ => version(GET("/plain/$_")) } 'held', 'kept';
my $lock = json(http('POST', '/plain/locked/lock'))->{lock}{token};
my $old = master_pid();
my $w = held('/plain/held', { n => 1, base_version => $v{held} });

# both serve for a while, then the new one alone, which lets nothing in

my $new;

push @sum, load(10, 204, sub {
    kill 'USR2', $old;
    $new = until_true { my $p = master_pid(); $p && $p != $old
                        && workers_of($p) == 2 && $p };
});

kill 'WINCH', $old;
until_true { !workers_of($old) };

my $r = PUT('/plain/kept', { n => 1, base_version => $v{kept} });
is($r->{status}, 503, 'the new one keeps out');
is(json($r)->{error}, 'store_generation', 'error');

# back: the old one starts workers, the new one leaves

kill 'HUP', $old;
until_true { workers_of($old) == 2 };
kill 'QUIT', $new;
push @sum, load(10, 204);
ok(until_true { !kill 0, $new }, 'the new one is gone');

$r = PUT('/plain/held', { n => 2, base_version => $v{held} });
is(json($r)->{error}, 'write_in_progress', 'a lease of before holds');
is(PUT('/plain/locked', { n => 1 })->{status}, 409, 'so does a lock');
release();
is(finish($w)->{status}, 204, 'the write ends');
is(PUT('/plain/held', { n => 2, base_version => $v{held} })->{status}, 409,
   'which makes the other stale');
is(PUT('/plain/kept', { n => 1, base_version => $v{kept} })->{status}, 204,
   'bases are good');
is(PUT('/plain/locked', { n => 1 }, "Lock-Token: $lock")->{status}, 204,
   'by its token');
push @sum, load(10, 204);
judge(@sum);

# the pid file is the old master's again, by the name that it gave it

kill 'QUIT', $old;
until_true { !kill 0, $old };
