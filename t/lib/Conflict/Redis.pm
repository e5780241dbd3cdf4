package Conflict::Redis;

# Redis servers: single ones, clusters, masters with sentinels, and a faulty
# connection to a server.  Each is stopped at the end.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Time::HiRes qw(sleep);

use Conflict::Util;

use base 'Exporter';

our @EXPORT = qw(redis redis_key redis_monitor redis_commands
                 redis_start redis_stop redis_pid redis_info
                 redis_clock_start redis_clock wire_start wire
                 cluster_start cluster_node sentinels_start);

my $Lib = abs_path(dirname(__FILE__) . '/..');
my %Redis;


# starts a redis-server; returns its port.  One that was stopped is restarted
# with its previous files and arguments.

sub redis_start {
    my ($port, @args) = @_;

    $port ||= free_port();

    my $old = $Redis{$port};
    my $dir = $old ? $old->{dir}
                   : tempdir('conflict-redis-XXXXXXXX', TMPDIR => 1,
                             CLEANUP => 1);
    @args = @{ $old->{args} } if $old && !@args;

    return run($port, $dir, \@args, '--port', $port, '--bind', '127.0.0.1',
               '--dir', $dir, '--save', '', '--appendonly', 'no',
               '--enable-debug-command', 'local',
               '--repl-diskless-sync-delay', 0, @args);
}


# starts one whose clock can be set, see clock.c

my %Clock;

sub redis_clock_start {
    my (@args) = @_;

    my $dir = tempdir('conflict-clock-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    system('gcc', '-shared', '-fPIC', '-O1', '-o', "$dir/clock.so",
           "$Lib/clock.c") == 0 or die "gcc: $?";

    local $ENV{LD_PRELOAD} = "$dir/clock.so";
    local $ENV{TEST_CLOCK} = "$dir/clock";

    clock_file("$dir/clock", 0);

    my $port = redis_start(undef, @args);

    $Clock{$port} = "$dir/clock";

    return $port;
}


# so many seconds from the real time, for this server only

sub redis_clock {
    my ($port, $seconds) = @_;

    clock_file($Clock{$port}, $seconds);

    until_true {
        abs(redis($port, 'TIME')->[0] - time() - $seconds) < 60;
    };
}


sub clock_file {
    my ($file, $seconds) = @_;

    open my $out, '>', "$file.new" or die "$file: $!";
    printf $out "%+d\n", $seconds;
    close $out;
    rename "$file.new", $file or die "$file: $!";
}


sub sentinel_start {
    my ($conf, $dir) = @_;

    my $port = free_port();

    return run($port, $dir, [], $conf, '--sentinel', '--port', $port,
               '--bind', '127.0.0.1', '--dir', $dir);
}


sub run {
    my ($port, $dir, $args, @command) = @_;

    my $pid = fork();

    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        # it ends with the test, however that ends
        exec 'setpriv', '--pdeathsig', 'KILL', 'redis-server', @command;
        die "cannot run setpriv: $!";
    }

    $Redis{$port} = { pid => $pid, dir => $dir, args => $args };

    until_true { (redis($port, 'PING') // '') =~ /^(PONG|NOAUTH)/ }
        or die "redis-server did not start: " . slurp("$dir/log");

    return $port;
}


sub redis_stop {
    my ($port, $signal) = @_;

    my $redis = $Redis{$port} or return;
    my $pid = delete $redis->{pid} or return;

    kill 'CONT', $pid;
    kill $signal || 'KILL', $pid;
    waitpid $pid, 0;
}


sub redis_pid { ($Redis{ $_[0] } || {})->{pid} }


# a faulty connection to Redis, see wire.py: wire("cut")

my ($WirePid, $WireIn, $WireOut);

sub wire_start {
    my ($port, $target) = @_;

    pipe my $in, $WireIn or die "pipe: $!";
    pipe $WireOut, my $out or die "pipe: $!";

    $WirePid = fork();
    die "fork: $!" unless defined $WirePid;

    if ($WirePid == 0) {
        close $WireIn;
        open STDIN, '<&', $in or die;
        open STDOUT, '>&', $out or die;
        exec 'python3', "$Lib/wire.py", $port, $target;
        die "cannot run wire.py: $!";
    }

    close $in;
    close $out;
    <$WireOut>;
}


sub wire {
    my ($mode) = @_;

    syswrite $WireIn, "$mode\n";
    my $line = <$WireOut>;
}


# one command; returns an array for an array, undef if there is no server

sub redis {
    my ($port, @command) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
        or return undef;

    print $s '*' . @command . "\r\n",
             map { '$' . length($_) . "\r\n$_\r\n" } @command;
    $s->flush;

    return redis_reply($s);
}


sub redis_reply {
    my ($s) = @_;

    local $/ = "\r\n";
    my $line = <$s>;
    return undef unless defined $line;
    chomp $line;

    my $type = substr $line, 0, 1, '';

    return $line if $type =~ /[-+:]/;
    return undef if $line < 0;
    return [ map { redis_reply($s) } 1 .. $line ] if $type eq '*';

    read $s, my $data, $line + 2;

    return substr $data, 0, $line;
}


# the key of a path's entry

# the commands that a server gets from now on, each a list of words

sub redis_monitor {
    my ($port) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
        or die "redis $port: $!";

    print $s "MONITOR\r\n";
    $s->flush;
    <$s>;

    return { port => $port, socket => $s };
}

sub redis_commands {
    my ($monitor) = @_;

    my ($line, @commands);

    redis($monitor->{port}, 'ECHO', 'end');

    while (defined($line = readline $monitor->{socket}) && $line !~ /"end"/) {
        push @commands, [ $line =~ /"((?:[^"\\]|\\.)*)"/g ];
    }

    return @commands;
}

sub redis_key { "conflict:{localhost$_[0]}" }


sub redis_info {
    my ($port, $name) = @_;

    return (redis($port, 'INFO') // '') =~ /^$name:([^\r\n]*)/m ? $1 : '';
}


# three masters with a replica each; returns their ports.  The
# bus has a free port of its own, since the default port + 10000 may be taken.

sub cluster_start {
    my @ports = map {
        my $port = free_port();
        redis_start($port, '--cluster-enabled', 'yes', '--cluster-port',
                    free_port(), '--cluster-node-timeout', 1000,
                    '--cluster-require-full-coverage', 'no');
    } 1 .. 6;

    my $nodes = join ' ', map { "127.0.0.1:$_" } @ports;
    my $out = `redis-cli --cluster create $nodes --cluster-replicas 1 \\
               --cluster-yes 2>&1`;

    until_true {
        !grep { (redis($_, 'CLUSTER', 'INFO') // '') !~ /cluster_state:ok/
                || (redis_info($_, 'role') eq 'slave'
                    && redis_info($_, 'master_link_status') ne 'up') } @ports
    } or die "the cluster did not come up: $out";

    return @ports;
}


# the ports of the master that has a key, and of its replica, as reported by a
# node that is alive

sub cluster_node {
    my ($key, @ports) = @_;

    my ($alive) = grep { defined redis($_, 'PING') } @ports;
    my $slot = redis($alive, 'CLUSTER', 'KEYSLOT', $key);

    for my $range (@{ redis($alive, 'CLUSTER', 'SLOTS') }) {
        my ($first, $last, @nodes) = @$range;

        return map { $_->[1] } @nodes if $slot >= $first && $slot <= $last;
    }

    return;
}


# a master, its replica and three sentinels; returns the ports of the first
# two and of the others

sub sentinels_start {
    my ($name) = @_;

    my $master = redis_start();
    my $replica = redis_start(undef, '--replicaof', "127.0.0.1 $master");

    until_true { redis_info($replica, 'master_link_status') eq 'up' }
        or die 'no replica';

    my @sentinels = map {
        my $dir = tempdir('conflict-sentinel-XXXXXXXX', TMPDIR => 1,
                          CLEANUP => 1);
        open my $out, '>', "$dir/conf" or die "$dir/conf: $!";
        print $out "sentinel monitor $name 127.0.0.1 $master 2\n",
                   "sentinel down-after-milliseconds $name 500\n",
                   "sentinel failover-timeout $name 3000\n";
        close $out;

        sentinel_start("$dir/conf", $dir);
    } 1 .. 3;

    until_true {
        !grep { my $s = redis($_, 'SENTINEL', 'MASTER', $name);
                my %s = ref $s ? @$s : ();
                ($s{'num-other-sentinels'} // 0) != 2
                || ($s{'num-slaves'} // 0) != 1 } @sentinels
    } or die 'the sentinels do not know each other';

    return ($master, $replica, @sentinels);
}


sub stop_all {

    if (defined $WirePid) {
        close $WireIn;
        waitpid $WirePid, 0;
    }

    redis_stop($_) for keys %Redis;
}

1;
