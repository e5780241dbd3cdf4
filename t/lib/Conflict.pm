package Conflict;

# Shared by the tests: the paths of nginx and the module, a real upstream, an
# HTTP client, and the section "steps", whose code runs while the server of
# its block is up.
#
#   --- steps
#   my $v = version(GET("/plain/1"));
#   is(PUT("/plain/1", { base_version => $v })->{status}, 204, "passes");

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::More ();
use Time::HiRes qw(sleep time);

use Conflict::Redis;
use Conflict::Util;

use base 'Exporter';

our @EXPORT = (qw(GET PUT PATCH DELETE HEAD http start finish version header
                 json upstream journal seen release applied begun set_doc
                 conflicts overlapped servroot port error_log log_count
                 master_pid workers_of edit_conf reload store
                 settled patient_put let_in held shown
                 fcgi_start need need_debug need_modules node_start
                 server_start),
               @Conflict::Redis::EXPORT, @Conflict::Util::EXPORT);

our $Top = abs_path(dirname(__FILE__) . '/../..');
our ($UpPid, $UpPort, $Owner);

# of texts that are asked for again and again, see listed()

my %decoded;

# the store under test: shm, or redis

our $Store = $ENV{TEST_CONFLICT_STORE} || 'shm';

$Owner = $$;


# The END blocks end what was started, by a signal as well: SIGPIPE if prove
# has ended, as it does when another file bails out.

sub end_by_signal {
    $SIG{$_} = 'IGNORE' for qw(HUP INT PIPE TERM);
    exit 1;
}

$SIG{$_} = \&end_by_signal for qw(HUP INT PIPE TERM);


# set before Test::Nginx reads them

BEGIN {
    my $top = abs_path(dirname(__FILE__) . '/../..');

    $ENV{TEST_NGINX_BINARY} ||= (grep { -x } map { "$_/nginx" }
                                 split(/:/, $ENV{PATH}),
                                 '/usr/sbin', '/usr/local/sbin')[0];

    $ENV{TEST_NGINX_LOAD_MODULES}
        = "$top/build/test/ngx_http_conflict_module.so"
          . " $top/build/test/ngx_http_conflict_test_module.so"
        unless defined $ENV{TEST_NGINX_LOAD_MODULES};

    my $root = tempdir('conflict-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $root;

    $ENV{TEST_NGINX_SERVROOT} = "$root/servroot";
    $ENV{TEST_NGINX_PORT} = $ENV{TEST_NGINX_SERVER_PORT} = free_port();
    $ENV{TEST_NGINX_UPSTREAM_PORT} = free_port();
    $ENV{TEST_NGINX_PORT2} = free_port();
    $ENV{TEST_NGINX_FCGI_PORT} = free_port();
    $ENV{TEST_NGINX_NO_SHUFFLE} = 1;
    $ENV{TEST_NGINX_LOG_LEVEL} ||= 'info';
    $ENV{TEST_NGINX_CLIENT_BODY_TEMP} = "$root/body";
    $ENV{TEST_NGINX_TOP} = $top;
}


sub import {
    my ($class, @args) = @_;

    $class->export_to_level(1, $class);

    start_upstream() unless $UpPid;

    if ($Store eq 'redis' && !$ENV{TEST_NGINX_REDIS_PORT}) {
        $ENV{TEST_NGINX_REDIS_PORT} = redis_start();
    }
}


# the declaration of a store; its contents look long established

sub store {
    my ($name) = @_;

    return "conflict_store $name zone=1m;\n" if $Store eq 'shm';

    return "conflict_store $name redis://127.0.0.1:"
           . "$ENV{TEST_NGINX_REDIS_PORT} timeout=2s failover=trust;\n";
}


# the custom section, and the defaults of every block

sub install {
    my ($socket) = @_;

    $socket->can('no_root_location')->();

    $socket->can('add_block_preprocessor')->(sub {
        my $block = shift;

        return unless defined $block->config;

        my $up = $ENV{TEST_NGINX_UPSTREAM_PORT};
        my $http = $block->http_config // '';

        my $store = '';

        if ($Store eq 'redis') {
            my $port = $ENV{TEST_NGINX_REDIS_PORT};

            # this incarnation accepts any run of the server

            redis($port, 'FLUSHALL');
            redis($port, 'SET', 'conflict:incarnation',
                  '- 0000000000000000 0 ' . int(1000 * time()));
            $store = store('default')
                     unless $http =~ /conflict_store default/;
        }

        $block->set_value('http_config',
            "conflict_log logs/conflict.log;\n$store"
            . "upstream api { server 127.0.0.1:$up; }\n$http");

        unless ($block->config =~ m!location = /ping!) {
            $block->set_value('config', $block->config
                . "\n        location = /ping {\n"
                . "            conflict off;\n"
                . "            return 200 pong;\n        }\n");
        }

        if (!defined $block->request && !defined $block->raw_request
            && !defined $block->pipelined_requests)
        {
            $block->set_value('request', 'GET /ping');
        }
    });

    $socket->can('add_response_body_check')->(sub {
        my ($block, $body, $req_idx, $repeat_idx, $dry_run) = @_;

        return if $dry_run || $req_idx;

        return unless defined $block->steps;

        my $steps = eval 'package main; use strict; use warnings;'
                         . ' use Test::More; sub {' . $block->steps . "\n}";

        die $block->name . ": $@" unless $steps;

        upstream('/_reset');
        truncate(servroot() . '/logs/conflict.log', 0);

        Test::More::note($block->name);
        $steps->();

        check_log($block);
    });
}


# no block may cause an alert, a crash or a report of a sanitizer

sub check_log {
    my ($block) = @_;

    my @bad = grep { /\[(alert|emerg|crit)\]|Sanitizer|exited on signal/ }
              split /^/, slurp(servroot() . '/logs/error.log');

    my $allow = $block->allow;

    if (defined $allow) {
        $allow =~ s/\s+\z//;
        @bad = grep { !/$allow/ } @bad;
    }

    Test::More::is(join('', @bad), '', $block->name . ' - a quiet error log');
}


sub servroot { $ENV{TEST_NGINX_SERVROOT} }
sub port { $ENV{TEST_NGINX_SERVER_PORT} }


# servers of t/lib; each exits when its standard input is closed

my @servers;

sub start_upstream {
    $UpPort = $ENV{TEST_NGINX_UPSTREAM_PORT};
    $UpPid = start_server('upstream.py', $UpPort);
}


# a FastCGI application, see fcgi.py; its port is TEST_NGINX_FCGI_PORT

sub fcgi_start { start_server('fcgi.py', $ENV{TEST_NGINX_FCGI_PORT}) }


sub start_server {
    my ($name, @args) = @_;

    return start_command('python3', "$Top/t/lib/$name", @args);
}


# skips a test file if a program that it needs is not installed

sub need {
    for my $name (@_) {
        next if grep { -e "$_$name" } '', '/usr/bin/', '/usr/sbin/';

        skip_file("$name is not installed");
    }
}


# the same if it reads the debug log, and nginx has none

sub need_debug {
    skip_file('nginx is built without --with-debug')
        unless `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /--with-debug/;
}


# The same if one of Debian's modules is not installed, which are loaded before
# ours, or after it; they fit Debian's nginx, not one built for the tests.
# Called in BEGIN: Test::Nginx reads the list when it is loaded.

sub need_modules {
    my ($before, $after) = @_;
    my $ours = $ENV{TEST_NGINX_LOAD_MODULES};
    my @files = map { "/usr/lib/nginx/modules/${_}_module.so" } @$before,
                    @{ $after || [] };

    skip_file('no such modules here') if $ours eq '' || grep { !-e } @files;

    splice @files, @$before, 0, $ours;
    $ENV{TEST_NGINX_LOAD_MODULES} = "@files";
}


sub skip_file {
    my ($why) = @_;

    # there may be a plan already

    Test::More->builder->reset;
    Test::More::plan(skip_all => $why);
}


# a server of t/clients, with its arguments

sub node_start {
    my ($name, @args) = @_;

    local $ENV{NODE_PATH} = "$Top/build/clients/node_modules";

    return start_command('node', "$Top/t/clients/$name", @args);
}


# any server that listens on the port; it exits with the test

sub server_start {
    my ($port, @command) = @_;

    return start_command('python3', "$Top/t/lib/keep.py", $port, @command);
}


sub start_command {
    my @command = @_;

    pipe my $in, my $end or die "pipe: $!";
    pipe my $ready, my $out or die "pipe: $!";

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        close $_->{end} for @servers;
        close $end;
        close $ready;
        open STDIN, '<&', $in or die;
        open STDOUT, '>&', $out or die;
        exec @command;
        die "cannot run @command: $!";
    }

    close $in;
    close $out;

    my $line = <$ready>;
    die "@command did not start" unless defined $line;

    push @servers, { pid => $pid, end => $end };

    return $pid;
}


END {
    if (defined $UpPid && $$ == $Owner) {
        my $status = $?;

        Conflict::Redis::stop_all();

        for my $server (@servers) {
            close $server->{end};
            waitpid $server->{pid}, 0;
        }

        $? = $status;
    }
}


# one request on a separate connection; $args: headers => [], body, port,
# timeout, raw; a body that is a hash is sent as JSON

sub http {
    my ($method, $uri, %args) = @_;

    return finish(start($method, $uri, %args), %args);
}


# sends the request and does not wait for the response

sub start {
    my ($method, $uri, %args) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $args{port} || port(),
                                  Proto => 'tcp')
        or die "cannot connect to nginx: $!";

    my $body = $args{body};
    my @headers = @{ $args{headers} || [] };

    if (ref $body) {
        $body = JSON::PP->new->canonical->encode($body);
    }

    if (defined $body && !grep { /^Content-Type:/i } @headers) {
        push @headers, 'Content-Type: application/json';
    }

    my $head = "$method $uri HTTP/1.1\r\nHost: localhost\r\n"
               . "Connection: close\r\n";

    $head .= "$_\r\n" for @headers;

    if ($args{chunked}) {
        my $n = $args{chunked};
        my $chunks = '';

        while (length $body) {
            my $chunk = substr $body, 0, $n, '';
            $chunks .= sprintf("%x\r\n%s\r\n", length $chunk, $chunk);
        }

        $body = $chunks . "0\r\n\r\n";
        $head .= "Transfer-Encoding: chunked\r\n";

    } elsif (defined $body) {
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }

    my $data = "$head\r\n" . (defined $body ? $body : '');
    local $SIG{PIPE} = 'IGNORE';

    while (length $data) {
        my $n = syswrite $s, $data;
        last unless $n;
        substr $data, 0, $n, '';
    }

    return { socket => $s, method => $method };
}


sub finish {
    my ($request, %args) = @_;

    my $s = $request->{socket};
    my $end = time() + ($args{timeout} || 20);
    my $data = '';

    while (1) {
        my $left = $end - time();
        last if $left <= 0 || !IO::Select->new($s)->can_read($left);

        my $n = sysread $s, $data, 65536, length $data;
        last unless $n;
    }

    close $s;

    return parse($data, $request->{method});
}


sub parse {
    my ($data, $method) = @_;

    my %r = (status => 0, headers => {}, body => '', raw => $data);

    # a body announced by "Expect" is sent after this

    $data =~ s/\AHTTP\/1\.1 100 [^\r\n]*\r\n\r\n//;

    return \%r unless $data =~ s/\A(HTTP\/1\.[01] (\d+)[^\r\n]*)\r\n(.*?\r?\n)\r\n//s
                      || $data =~ s/\A(HTTP\/1\.[01] (\d+)[^\r\n]*)\r\n()\r\n//s;

    $r{status} = $2;
    $r{line} = $1;
    $r{head} = $3;

    for (split /\r\n/, $r{head}) {
        my ($name, $value) = split /:\s*/, $_, 2;
        push @{ $r{headers}{lc $name} }, $value;
    }

    if (($r{headers}{'transfer-encoding'}[0] || '') eq 'chunked') {
        my $body = '';

        while ($data =~ s/\A([0-9a-f]+)\r\n//i) {
            my $n = hex $1;
            last unless $n;
            $body .= substr $data, 0, $n, '';
            $data =~ s/\A\r\n//;
        }

        $data = $body;
    }

    $r{body} = $data;

    return \%r;
}


sub GET { http('GET', shift, headers => [@_]) }
sub HEAD { http('HEAD', shift, headers => [@_]) }

sub PUT { with_body('PUT', @_) }
sub PATCH { with_body('PATCH', @_) }

sub with_body {
    my ($method, $uri, $body, @headers) = @_;

    return http($method, $uri, body => $body, headers => \@headers);
}

sub DELETE { http('DELETE', shift, headers => [@_]) }


sub header {
    my ($r, $name) = @_;

    my $values = $r->{headers}{lc $name};

    return defined $values ? join(', ', @$values) : undef;
}


# the version of a response, from the Conflict field

sub version {
    my ($r) = @_;

    return (header($r, 'Conflict') // '') =~ /;version=(\d+)/ ? $1 : undef;
}


sub json {
    my ($r) = @_;

    my $text = ref $r ? $r->{body} : $r;
    my $value = eval { JSON::PP->new->allow_nonref->decode($text) };

    Test::More::diag("not JSON: $text") unless defined $value;

    return $value;
}


sub upstream {
    my ($target, $body) = @_;

    return http($body ? 'PUT' : 'GET', $target, port => $UpPort,
                headers => [], (defined $body ? (body => $body) : ()))
           ->{body};
}


# the writes that were applied, oldest first

sub journal { listed('/_journal?lines') }

# all requests that the upstream received

sub seen { listed('/_seen?lines') }

# each entry is decoded once: most tests ask after each request

sub listed {
    my $text = upstream(shift) // die 'the upstream does not answer';

    return map { $decoded{$_} //= json($_) } split /\n/, $text;
}

sub release { upstream('/_release') }
sub applied { upstream('/_applied?n=' . shift) }
sub begun { upstream('/_begun?n=' . shift) }


# changes a document, bypassing nginx; undef deletes it

sub set_doc {
    my ($path, $body, %args) = @_;

    my $target = "/_set?path=$path";
    $target .= "&mtime=$args{mtime}" if $args{mtime};

    return http('PUT', $target, port => $UpPort,
                body => (defined $body
                         ? (ref $body ? JSON::PP->new->canonical->encode($body)
                                      : $body) : ''))->{body};
}


# the lines of the audit log, each of which must be valid JSON

sub conflicts {
    my ($file) = @_;

    my @lines = split /\n/, slurp(servroot() . '/logs/'
                                  . ($file || 'conflict.log'));

    return map { $decoded{$_} //= json($_) || { invalid => $_ } } @lines;
}


sub overlapped { grep { $_->{action} eq 'conflict_overlapped' } conflicts() }


# a write on what a GET shows, and the version that another GET shows then

sub settled {
    my ($path) = @_;

    my ($r, $v);

    until_true {
        $r = PUT($path, { n => 0, base_version => version(GET($path)) || 1 });
        $r->{status} == 204;
    };

    until_true { $v = version(GET($path)) };

    return $v;
}


# the response once the store has one

sub patient_put {
    my ($path, $body) = @_;

    my $r;

    until_true { $r = PUT($path, $body); $r->{status} != 503 };

    return $r;
}


# a write that is let in after the lease of another one has ended

sub let_in {
    my ($base, $path) = @_;

    my $r;

    until_true {
        $r = PUT($path, { n => 'B', base_version => $base });

        # of another view, so under another version, which is the next base

        $base = json($r)->{version} || $base if $r->{status} == 409;
        $r->{status} == 204;
    };

    Test::More::is($r->{status}, 204, 'another write is let in');

    return $r;
}


# a write that has reached the upstream, which does not respond yet; with a
# unique "n"

sub held {
    my ($path, $body) = @_;

    my $w = start('PUT', $path, body => $body,
                  headers => ['X-Up-Write: hold apply']);

    until_true { grep { $_->{method} eq 'PUT' && $_->{target} eq $path
                        && (json($_->{body})->{n} // '') eq $body->{n} }
                 seen() };
    return $w;
}


# a document, and its version as shown to each of the users

sub shown {
    my ($path, $doc, @users) = @_;

    my $v;

    set_doc($path, $doc);
    $v = version(GET($path, "X-User: $_")) for @users;

    return $v;
}


sub error_log { slurp(servroot() . '/logs/error.log') }

# the number of matches of a pattern

sub log_count {
    my ($re) = @_;

    my @found = error_log() =~ /$re/g;

    return scalar @found;
}


sub edit_conf {
    my ($from, $to) = @_;

    my $file = servroot() . '/conf/nginx.conf';
    my $text = slurp($file);

    $text =~ s/$from/ref $to ? $to->() : $to/e or die "no $from";

    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out;
}


# a reload, until new workers alone listen on the port, or until the old ones
# have exited.  A worker is seen as one a while after it was forked.

sub reload {
    my ($gone) = @_;

    my $n = (slurp(servroot() . '/conf/nginx.conf')
             =~ /^\s*worker_processes\s+(\d+)/m)[0];
    my @old;

    until_true { @old = workers_of(master_pid()); @old == $n }
        || die 'not all workers have started';

    kill 'HUP', master_pid();

    return until_true {
        my %now = map { $_ => 1 } workers_of(master_pid(), $gone);
        keys %now == $n && !grep { $now{$_} } @old;
    } || die 'not reloaded';
}


sub master_pid {
    my $pid = slurp(servroot() . '/logs/nginx.pid');
    $pid =~ s/\s//g;

    return $pid;
}


# the workers of a master, by parent, without those that are shutting down

sub workers_of {
    my ($master, $all) = @_;

    my @pids;

    for my $status (glob '/proc/[0-9]*/status') {
        next unless slurp($status) =~ /^PPid:\s+$master$/m;
        my ($pid) = $status =~ m!/proc/(\d+)/!;

        my $cmd = slurp("/proc/$pid/cmdline");
        next if $cmd =~ /^nginx: (?!worker process)/;
        next if !$all && $cmd =~ /shutting down/;

        push @pids, $pid;
    }

    return @pids;
}

1;
