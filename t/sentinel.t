# Redis with sentinels: the master is found, also after a failover.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use IO::Select;
use IO::Socket::INET;
use Test::Nginx::Socket 'no_plan';

our ($liar, $ignored);
our ($master, $replica, @sentinels) = sentinels_start('notes');
our $nobody = free_port();

$Conflict::Store = 'sentinel';
Conflict::install('Test::Nginx::Socket');

master_on();
workers(1);

add_block_preprocessor(sub {
    my $block = shift;

    my $name = $block->master // 'notes';

    # the first of them is not there

    $block->set_value('http_config', join(' ', 'conflict_store default',
                      map({ "redis://127.0.0.1:$_" }
                          $block->sentinel ? eval $block->sentinel
                                           : ($nobody, @sentinels)),
                      "sentinel=$name timeout=2s;\n"));
    $block->set_value('config', "location / {\n"
                      . "conflict version;\n"
                      . 'conflict_lease ' . ($block->lease // '2s') . ";\n"
                      . "conflict_quarantine 300ms;\n"
                      . "conflict_wait 200ms;\n"
                      . "proxy_pass http://api;\n}\n");
});

# it may be refused for some time after the one before

sub failover {
    until_true {
        redis_info($replica, 'role') eq 'master'
        || do { redis($sentinels[0], qw(SENTINEL FAILOVER notes)); 0 };
    };
}

# the replica has what the master has, with the hash of the body that was shown,
# which comes last

sub same_entry {
    my ($there, $here) = map { redis($_, 'GET', 'conflict:{localhost/plain/1}')
                               // '' } $replica, $master;

    return $there eq $here && ((split / /, $there)[9] // '-') ne '-';
}

# a sentinel that gives these answers, and the last one again and again: "true",
# "replica", and "nobody", which is a broadcast address; none from SIGUSR1 on,
# and a byte to be read from $ignored for each question then

sub liar {
    my @answers = @_;
    my $mute = 0;
    my $port = free_port();
    my %say = (
        true => redis($sentinels[0],
                      qw(SENTINEL get-master-addr-by-name notes)),
        replica => ['127.0.0.1', $replica],
        nobody => ['127.255.255.255', 6379]
    );

    my $s = IO::Socket::INET->new(Listen => 5, ReuseAddr => 1,
                                  LocalAddr => "127.0.0.1:$port")
        or die "listen on $port: $!";
    my $select = IO::Select->new($s);

    pipe $ignored, my $tell or die "pipe: $!";

    # set before the fork, since the signal may come at once

    local $SIG{USR1} = sub { $mute = 1 };

    $liar = fork();
    die "fork: $!" unless defined $liar;
    return $port if $liar;

    alarm 20;

    for ( ;; ) {
        for my $c ($select->can_read()) {
            if ($c == $s) {
                $select->add($s->accept());
                next;
            }

            if (!sysread $c, my $question, 4096) {
                $select->remove($c);
                next;
            }

            if ($mute) {
                syswrite $tell, '.';
                next;
            }

            my $answer = @answers > 1 ? shift @answers : $answers[0];
            my ($host, $to) = @{ $say{$answer} };
            syswrite $c, sprintf "*2\r\n\$%d\r\n%s\r\n\$%d\r\n%s\r\n",
                                 length $host, $host, length $to, $to;
        }
    }
}

sub liar_ends {
    kill 'KILL', $liar;
    waitpid $liar, 0;
}

run_tests();

__DATA__

=== the master is found by way of the second address
--- steps
set_doc('/plain/1', { n => 1 });

my $v = settled('/plain/1');
ok($v, 'works');
is(PUT('/plain/1', { n => 2, base_version => 1 })->{status}, 409, 'checks');
is(redis($::master, 'EXISTS', 'conflict:{localhost/plain/1}'), 1, 'it is there');
like(error_log(), qr/sentinel 127.0.0.1:$::nobody: Connection refused/,
     'the log has the address that is dead');


=== a failover while a write is in flight
--- lease: 5s
--- steps
set_doc('/plain/1', { n => 1 });

my $v = settled('/plain/1');
my $before = journal();
my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

failover();

# the sentinels tell the old master after 8 s at the earliest

ok((until_true { GET('/plain/2');
                 error_log() =~ /127.0.0.1:$::replica is up/ } 6),
   'the connection goes to the new one');
like(error_log(), qr/:$::master is down: another server is the master/,
     'as the sentinels say so');

my $r;

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} =~ /^(503|409)$/ && json($r)->{error} ne 'store_unavailable';
};

# the second, once the first has renewed its lease there

like(json($r)->{error}, qr/outcome_unknown|write_in_progress/,
     'another waits');

release();
is(finish($w)->{status}, 204, 'the first is done');

$r = patient_put('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'the other is stale');
is(json($r)->{server_version}{n}, 2, 'and sees the first');

# the write's outcome was recorded under another master: the version of the
# refusal may be replaced once, when the document has been looked at

until_true {
    $r = patient_put('/plain/1',
                     { n => 3, base_version => json($r)->{version} });
    $r->{status} != 409;
};
is($r->{status}, 204, 'from which it goes on');
is(redis($::replica, 'EXISTS', 'conflict:{localhost/plain/1}'), 1,
   'by the new master');

until_true { redis_info($::master, 'master_link_status') eq 'up' };
($::master, $::replica) = ($::replica, $::master);


=== a failover, and the old master refuses what its replicas do not get
--- steps
set_doc('/plain/1', { n => 1 });

my $v = settled('/plain/1');

until_true { same_entry() };

redis($::master, qw(CONFIG SET min-replicas-to-write 1));
failover();

# the sentinels tell the old master after 8 s at the earliest

ok((until_true { GET('/plain/2');
                 error_log() =~ /another server is the master/ } 5),
   'the connection goes to the new one');
isnt(redis_info($::master, 'role'), 'slave', 'nobody has told the old one yet');

my $r = patient_put('/plain/1', { n => 2, base_version => $v });
is($r->{status}, 204, 'a write passes by the new one');
is(redis($::replica, 'EXISTS', 'conflict:{localhost/plain/1}'), 1,
   'which knows of it');

redis($::master, qw(CONFIG SET min-replicas-to-write 0));
until_true { redis_info($::master, 'master_link_status') eq 'up' } 30;
($::master, $::replica) = ($::replica, $::master);


=== a sentinel that is being asked, and does not answer, when the master is lost
--- sentinel: (liar('true'), $sentinels[1])
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

# the question of the next second; then there is none to another one before
# its time is over

kill 'USR1', $::liar;
ok((until_true { GET('/plain/1'); IO::Select->new($::ignored)->can_read(0) }),
   'it is being asked');
redis($::master, qw(CLIENT KILL TYPE normal));

my $r;
until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 204, 'the second one is asked');
liar_ends();


=== a sentinel that names another server than the one that is the master
--- sentinel: (liar('true', 'replica'), $sentinels[1])
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

until_true { GET('/plain/1'); log_count(qr/another server is the master/) };

my $r;
until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 204, 'the second one is asked, and right');
is(log_count(qr/READONLY/), 0, 'the other server is not');
liar_ends();


=== the master dies
--- steps
set_doc('/plain/1', { n => 1 });

my $v = settled('/plain/1');

until_true { same_entry() };

redis_stop($::master);

my $r = patient_put('/plain/1', { n => 2, base_version => $v });
is($r->{status}, 204, 'the other takes over, and nothing was forgotten');
is(redis_info($::replica, 'role'), 'master', 'it is the master now');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 409,
   'the base has changed');


=== nobody knows the master
--- master: others
--- steps
my $r = PUT('/plain/1', { n => 2, base_version => 5 });

is($r->{status}, 503, 'a write is refused');
is(json($r)->{error}, 'store_unavailable', 'why');

until_true { error_log() =~ /is down/ };
like(error_log(), qr/sentinel 127.0.0.1:\d+: (the sentinel does not know|Connection)/,
     'the log tells');


=== a master that cannot even be tried
--- sentinel: liar('nobody', 'true')
--- steps
set_doc('/plain/1', { n => 1 });
ok(settled('/plain/1'), 'a sentinel that told so is asked again');
liar_ends();
