# Unchecked writes are counted, and the advice reflects them and all other
# counters.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Status;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);
worker_connections(512);

our $Redis = $ENV{TEST_NGINX_REDIS_PORT} // '';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', $block->config . '
        location = /status { conflict_status json; }
        location = /metrics { conflict_status prometheus; }
    ');
});

# how many without a base, unchecked, unguarded

sub gaps {
    my ($of) = @_;

    return join ' ', map { $of->{not_checked}{$_} }
                     qw(without_base unchecked unguarded);
}

# the same of a route, once so many writes were counted, and in the metrics

sub gaps_of {
    my ($location, $writes, $gaps) = @_;
    my $r = route($location, sub { $_[0]{writes} == $writes
                                   && gaps($_[0]) eq $gaps });
    my $m = http('GET', '/metrics')->{body};

    is(gaps($r), $gaps, "$location: counted");
    is(gaps($r->{advice}), $gaps, "$location: in the advice");
    is(join(' ', map { $m =~ /^nginx_conflict_not_checked_total\{(?=[^}]*location="\Q$location\E")[^}]*reason="$_"\} (\d+)$/m ? $1 : '-' }
                 qw(without_base unchecked unguarded)),
       $gaps, "$location: in the metrics");

    for my $bins (map { $r->{$_} } qw(minutes hours days)) {
        is(join(' ', map { sum(@{ $bins->{not_checked}{$_} // [] }) }
                     qw(without_base unchecked unguarded)),
           $gaps, "$location: in bins of $bins->{step} seconds");
    }

    return $r;
}

# writes that no advice has anything against, so many

sub create {
    my ($path, $times) = @_;

    while ($times > 0) {
        my @pending = map {
            start('PUT', "$path-$times-$_", body => { n => 1 },
                  headers => ['If-None-Match: *'])
        } 1 .. ($times > 50 ? 50 : $times);

        finish($_) for @pending;
        $times -= 50;
    }
}

run_tests();

__DATA__

=== twenty writes without any base are not called good
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww;
        proxy_pass http://api;
    }
    location /plain/require/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
    location /plain/report/ {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/plain/lww/1', '/plain/require/1') {
    set_doc($path, { n => 0 });
    PUT($path, { n => 1, base_version => version(GET($path)) // 1 });
    PUT($path, { n => $_ }) for 1 .. 20;
}

# report mode waits for no write in flight: the commit of one by another
# worker may come to a store after the next begin

for my $n (1 .. 20) {
    set_doc("/plain/report/$n", { n => 0 });
    PUT("/plain/report/$n", { n => 1 });
}

my $r = gaps_of('/plain/', 21, '20 0 0');

is($r->{advice}{level}, 'watch', 'never keep');
like($r->{advice}{text}, qr/^Not all writes are checked: 20 of 21 writes sent no base and were not checked; /,
     'the share');
is($r->{advice}{config}, "conflict_require on;  # once clients send a base\n",
   'what would end it');
is($r->{advice}{cost}, "Clients that send no base get 428: 20 of 21 writes would have been refused.\n",
   'and what that costs');
like($r->{advice}{notes}, qr/clients must send If-Match or base_version/,
     'what clients must do');

$r = gaps_of('/plain/lww/', 21, '20 0 0');
is($r->{advice}{level}, 'watch', 'nor under lww');
like($r->{advice}{text}, qr/20 of 21 writes sent no base and were not checked/,
     'lww: the share');

$r = gaps_of('/plain/require/', 21, '0 0 0');
is($r->{outcomes}{required}, 20, 'what is refused has passed nowhere');
is($r->{advice}{level}, 'keep', 'so all was checked');

$r = gaps_of('/plain/report/', 20, '20 0 0');
is($r->{advice}{level}, 'watch', 'report');
like($r->{advice}{text}, qr/^Nothing is enforced: .* 20 of 20 writes sent no base and were not checked\./,
     'report: the share');


=== what has a base, and what has overwritten nothing
--- config
    location /plain/ {
        conflict version;
        conflict_base json:/base;
        proxy_pass http://api;
    }
    location /plain/header/ {
        conflict version;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- steps
my $v = version(PUT('/plain/1', { n => 1 }));

# 201: there was nothing; a header, a member, "create only"

$v = version(PUT('/plain/1', { n => 2 }, qq{If-Match: "$v"}));
PUT('/plain/1', { n => 3, base => $v });
PUT('/plain/2', { n => 1 }, 'If-None-Match: *');
DELETE('/plain/2', 'If-Match: *');

# refused by the API

PUT('/plain/1', { n => 4 }, 'X-Up-Write: status=422');
DELETE('/plain/none');

# a conflict is counted as such

PUT('/plain/1', { n => 5, base => $v });

my $r = gaps_of('/plain/', 8, '0 0 0');
is($r->{advice}{level}, 'keep', 'all of it was checked');

# these are, whatever the method: the last has the base where nobody looks

PUT('/plain/1', { n => 6 });
PATCH('/plain/1', { n => 7 });
PUT('/plain/1', { n => 8, version => $v });
DELETE('/plain/1');
gaps_of('/plain/', 12, '4 0 0');

PUT('/plain/header/1', { n => 1 }, "X-Base: 5");
PUT('/plain/header/2', { n => 1 });
PUT('/plain/header/2', { n => 2 });
gaps_of('/plain/header/', 3, '1 0 0');

# the upstream judges what is of its own tags

set_doc('/own/2', { n => 1 });
$v = header(GET('/own/2'), 'ETag') // '"x"';
http('PUT', '/own/2', body => { n => 2 }, headers => ["If: ([$v])"]);
gaps_of('/own/', 1, '0 0 0');

# nobody knows what became of it

set_doc('/own/1', { n => 1 });
$v = json(GET('/own/1'))->{version};
PUT('/own/1', { n => 2, base_version => $v });
gaps_of('/own/', 2, '0 0 0');
PUT('/own/1', { n => 3 }, 'X-Up-Write: status=500 apply');
PUT('/own/1', { n => 4 });
gaps_of('/own/', 4, '2 0 0');


=== an API that says 201 to each PUT
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
PUT('/plain/1', { n => 1 }, 'X-Up-Write: apply status=201');
PUT('/plain/1', { n => 2 }, 'X-Up-Write: apply status=201');

gaps_of('/plain/', 2, '1 0 0');


=== methods that are not guarded
--- config
    location /plain/ {
        conflict version;
        conflict_methods PUT;
        proxy_pass http://api;
    }
    location /plain/post/ {
        conflict version;
        conflict_methods PUT POST;
        proxy_pass http://api;
    }
    location /gone/ {
        conflict version;
        proxy_pass http://127.0.0.1:1;
    }
--- allow: connect\(\) failed
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
PUT('/plain/1', { n => 2, base_version => $v });
http('OPTIONS', '/plain/1');

is(gaps_of('/plain/', 1, '0 0 0')->{advice}{level}, 'keep', 'checked');

PATCH('/plain/1', { n => 3 });
DELETE('/plain/none');

my $r = gaps_of('/plain/', 3, '0 0 1');

is($r->{advice}{level}, 'watch', 'not any more');
like($r->{advice}{text}, qr/1 request by a method that is not guarded was not checked/,
     'why');
like($r->{advice}{notes}, qr/"conflict_methods"/, 'and what to do');

# a POST that makes something has overwritten nothing; any other one may have

http('POST', '/plain/1', body => { n => 4 },
     headers => ['X-Up-Write: status=201']);
http('POST', '/plain/1', body => { n => 4 },
     headers => ['X-Up-Write: status=400']);
http('POST', '/plain/1', body => { n => 4 },
     headers => ['X-Up-Write: status=200']);
http('POST', '/plain/1', body => { n => 4 },
     headers => ['X-Up-Write: status=201', 'X-HTTP-Method-Override: PUT']);

gaps_of('/plain/', 4, '0 0 2');

# guarded, it is a write as any other

http('POST', '/plain/post/1', body => { n => 4 },
     headers => ['X-Up-Write: status=200']);
gaps_of('/plain/post/', 1, '1 0 0');

# nothing was sent

PATCH('/gone/1', { n => 1 });
http('FOO', '/gone/1', body => { n => 1 });
http('POST', '/gone/1', body => { n => 1 });
gaps_of('/gone/', 2, '0 0 0');


=== writes without a key
--- config
    location /plain/ {
        conflict version;
        conflict_key $arg_id;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });

PUT('/plain/1?id=1', { n => 1 }, 'If-None-Match: *', 'X-Up-Read: status=404');
PUT('/plain/1', { n => 1, base_version => 1 });
http('POST', '/plain/1', body => { n => 4 },
     headers => ['X-Up-Write: status=200']);
PUT('/plain/1', { n => 1 }, 'X-Up-Write: status=403');

my $r = gaps_of('/plain/', 2, '0 1 1');

is($r->{advice}{level}, 'watch', 'the route is not a safe one');
like($r->{advice}{text}, qr/1 of 2 writes passed unchecked/, 'how many');
like($r->{advice}{notes}, qr/"conflict_key" was empty/, 'why');


=== writes that could not be checked
--- http_config
    conflict_store gone redis://127.0.0.1:1;
--- config
    location /plain/ {
        conflict version store=gone;
        conflict_store_error pass;
        proxy_pass http://api;
    }
--- allow: conflict store "gone"
--- steps
PUT('/plain/1', { n => 1 });
PUT('/plain/1', { n => 2, base_version => 5 });

my $r = gaps_of('/plain/', 2, '0 2 0');

is($r->{advice}{level}, 'watch', 'never keep');
like($r->{advice}{text}, qr/: 2 of 2 writes passed unchecked; /, 'the share');


=== MOVE and COPY
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc("/plain/$_", { n => $_ }) for 1 .. 4;

my $v = version(GET('/plain/1'));

http('MOVE', '/plain/1', headers => ['Destination: /plain/a',
     qq{If-Match: "$v"}]);
gaps_of('/plain/', 1, '0 0 0');

# onto what is there, which the base is not about

http('COPY', '/plain/2', headers => ['Destination: /plain/3']);
gaps_of('/plain/', 2, '1 0 0');

$v = version(GET('/plain/a'));
http('MOVE', '/plain/a', headers => ['Destination: /plain/3',
     qq{If-Match: "$v"}]);
gaps_of('/plain/', 3, '2 0 0');

# as a new one

http('MOVE', '/plain/3', headers => ['Destination: /plain/b']);
gaps_of('/plain/', 4, '2 0 0');

# the tag is that of the destination

$v = version(GET('/plain/b'));
http('COPY', '/plain/4', headers => ['Destination: /plain/b',
     qq{If: </plain/b> (["$v"])}]);
gaps_of('/plain/', 5, '2 0 0');


=== counts outlive a reload, and are those of a fleet
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { n => 1 });
PUT('/plain/1', { n => 2 });
http('FOO', '/plain/1', body => { n => 3 });
gaps_of('/plain/', 2, '1 0 1');

reload();

PUT('/plain/1', { n => 4 });
gaps_of('/plain/', 3, '2 0 1');

SKIP: {
    skip 'there is only this host', 1 if $::Redis eq '';

    # what another host would add

    redis($::Redis, 'HINCRBY', 'conflict:{stats}:total', "0:$_", 5)
        for 29 .. 31;

    is(gaps(route('/plain/')), '7 5 6', 'all hosts together');
}


=== the advice follows the numbers
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
stale('/plain/lww/1', 3);

my $a = route('/plain/lww/', sub { $_[0]{actions}{conflict_lww} == 3 })
        ->{advice};

is($a->{level}, 'keep', 'few: keep');
is($a->{text}, 'Keep it: 3 of 4 writes in a day overwrote a change '
               . 'unseen.', 'with the numbers');
is($a->{config}, '', 'nothing to change');
is($a->{cost}, '', 'which costs nothing');
is("$a->{days} $a->{writes} $a->{stale}", '1 4 3', 'numbers');

# many for a day, and no reason yet

stale('/plain/lww/2', 40);
$a = route('/plain/lww/', sub { $_[0]{actions}{conflict_lww} == 43 })
     ->{advice};

is($a->{level}, 'watch', 'many on the first day: watch');
like($a->{text}, qr/^Keep it only if these changes may be lost: 43 of 45 .* That is too little data: wait a week, or 1,000 writes\.$/,
     'why not more');

create('/plain/lww/new', 900);
stale('/plain/lww/3', 60);
$a = route('/plain/lww/', sub { $_[0]{actions}{conflict_lww} == 103 })
     ->{advice};

is($a->{level}, 'change', 'as many as tell: change');
like($a->{text}, qr/^Move to version checks with 409: 103 of 1,006 writes/,
     'to what');
like($a->{config}, qr/^conflict version;/m, 'with the line');
like($a->{cost}, qr/^A stale write gets 409 .*: 103 of 1,006 writes would have been refused\.$/,
     'and the cost');

# refusing was chosen: no field is given to whom comes last

create('/plain/new', 900);
stale('/plain/1', 110);
$a = route('/plain/', sub { $_[0]{actions}{conflict_version} == 110 })
     ->{advice};

like($a->{text}, qr/^Try merge: 110 of 1,011 .* differed in \/title \(110\)\.$/,
     'from refusals to a merge');
is($a->{config}, "conflict merge;\n", 'which refuses all the same');
unlike($a->{config}, qr/lww/, 'no lww');
like($a->{cost}, qr/110 of 1,011 writes might have been merged\.$/, 'the cost');


=== a week of a fleet
--- config
    location /plain/lww/ {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
SKIP: {
    skip 'time does not pass in shared memory', 4 if $::Redis eq '';

    # action number 1 on days 1, 6 and 8 before this one

    my $day = int(time / 86400);
    my $routes = 'conflict:{stats}:routes';

    stale('/plain/lww/1', 1);
    route('/plain/lww/', sub { $_[0]{writes} == 2 });

    redis($::Redis, 'HINCRBY', 'conflict:{stats}:d:' . ($day - $_->[0]),
          '0:11', $_->[1]) for [1, 30], [6, 38], [8, 500];

    is(route('/plain/lww/')->{advice}{level}, 'watch', 'counted since today');

    my ($name, $value) = @{ redis($::Redis, 'HGETALL', $routes) };
    my $since = 1000 * (time - 7 * 86400 + 600);

    $value =~ s/^(\d+) \d+/$1 $since/;
    redis($::Redis, 'HSET', $routes, $name, $value);
    redis($::Redis, 'HINCRBY', 'conflict:{stats}:d:' . ($day - 1), '0:11', 1);
    is(route('/plain/lww/')->{advice}{level}, 'watch', 'not quite a week');

    $since -= 1000 * 1200;
    $value =~ s/^(\d+) \d+/$1 $since/;
    redis($::Redis, 'HSET', $routes, $name, $value);

    my $a = route('/plain/lww/')->{advice};
    is($a->{level}, 'change', '70 in a week');

    # it began 7 days and 10 minutes ago, which may be before midnight

    my $days = int(time / 86400) - int($since / 86400000) + 1;

    like($a->{text},
         qr/570 of 2 writes in $days days .*this week 10 stale/,
         'with the numbers');
}


=== rules that there are
--- config
    location /plain/ {
        conflict merge;
        conflict_field /price reject;
        conflict_field /tags union;
        conflict_field /address/zip auto;
        proxy_pass http://api;
    }
    location = /plain/ {
        conflict merge;
        conflict_field /sort auto;
        proxy_pass http://api;
    }
--- steps
my %doc = (price => 0, title => 'a', sort => 0);

create('/plain/new', 900);
set_doc('/plain/1', { %doc });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { %doc, price => 1, title => 'b', sort => 1,
                  base_version => $v });

# each clashes in three fields

PUT('/plain/1', { price => -$_, title => "c$_", sort => -$_,
                  base_version => $v }) for 1 .. 110;

my $a = route('/plain/', sub { $_[0]{actions}{conflict_version} == 110 })
        ->{advice};

is($a->{level}, 'change', 'many clash');
like($a->{text}, qr!/price \(110, refused by its rule\)!, 'as was chosen');
is($a->{config},
   "# choose for each: text, union (lists), sum (counters), max, min\n"
   . "conflict_field /title text;\n",
   'a rule for the field that has none, and none that loses an edit');
like($a->{cost}, qr/writes that cannot be merged are refused as before: 110 of 1,011 writes clashed\.$/,
     'the cost');
