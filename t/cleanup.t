# However a test file ends, it leaves no server behind.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::More;

use File::Temp qw(tempdir);
use IO::Socket::INET;

need('redis-server');

my $dir = tempdir('conflict-cleanup-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

# a test file that has a server of each kind, and then does what it is told

my $file = "$dir/one.t";
open my $out, '>', $file or die "$file: $!";
print $out <<'END_OF_FILE';
BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== servers
--- config
    location / { proxy_pass http://api; }
--- steps
my $python = free_port();
server_start($python, 'python3', '-m', 'http.server', $python);

print STDERR 'ports: ', join(' ', redis_start(), $Conflict::UpPort, $python,
                             port()), "\n";

Test::Nginx::Socket::bail_out('told so') if <STDIN> =~ /bail/;

sleep 0.01 while print "# at work\n";
END_OF_FILE
close $out;

sub listens {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => shift);
}

$SIG{PIPE} = 'IGNORE';

for my $end (qw(bail PIPE TERM INT HUP KILL)) {
    pipe my $in, my $tell or die "pipe: $!";
    pipe my $shown, my $stdout or die "pipe: $!";
    pipe my $told, my $stderr or die "pipe: $!";

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        close $_ for $tell, $shown, $told;
        open STDIN, '<&', $in or die;
        open STDOUT, '>&', $stdout or die;
        open STDERR, '>&', $stderr or die;
        $ENV{TMPDIR} = $dir;
        $SIG{PIPE} = 'DEFAULT';
        exec $^X, $file;
        die "cannot run $file: $!";
    }

    close $_ for $in, $stdout, $stderr;

    my $ports = '';
    while (<$told>) { last if ($ports) = /^ports: (.*)/; diag($_) }

    my @ports = split / /, $ports;
    is(scalar(grep { listens($_) } @ports), 4, "$end: servers");

    syswrite $tell, "$end\n";

    # SIGPIPE comes as it does: nobody reads what it says

    my $line = <$shown>;
    close $shown if $end eq 'PIPE';
    kill $end, $pid if $end !~ /bail|PIPE/;

    waitpid $pid, 0;

    # nothing can end nginx if the test is killed

    pop @ports if $end eq 'KILL';

    until_true { !grep { listens($_) } @ports };
    is(join(' ', grep { listens($_) } @ports), '', 'none is left');

    if ($end eq 'KILL') {
        my ($master) = map { slurp($_) } glob "$dir/*/servroot/logs/nginx.pid";
        kill 'TERM', $master if $master =~ /^(\d+)/;
    }
}

done_testing();
