package Test::Nginx::Socket;

# The part of the Test::Nginx::Socket language that these tests use, for hosts
# where that module is not installed.  It follows its documentation; the real
# module is used where it is installed.

use lib 'lib';
use Test::Base -Base;

use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(:sys_wait_h SIGQUIT SIGKILL SIGTERM);
use Time::HiRes qw(sleep time);

our $VERSION = '0.1';

our @EXPORT = qw(plan run_tests repeat_each workers master_on master_off
                 log_level no_shuffle no_root_location no_long_string timeout
                 server_root server_port add_block_preprocessor
                 add_response_body_check add_cleanup_handler bail_out
                 worker_connections env_to_nginx $ServerPort $ServRoot);

our $ServRoot = $ENV{TEST_NGINX_SERVROOT} || 't/servroot';
our $ServerPort = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;

my $Binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $LogLevel = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';
my $Master = $ENV{TEST_NGINX_MASTER_PROCESS} || 'off';
my $Timeout = $ENV{TEST_NGINX_TIMEOUT} || 3;
my $Workers = 1;
my $Connections = 64;
my $NoRoot = 0;
my $Repeat = 1;
my $Owner = $$;

my (@Preprocessors, @BodyChecks, @Cleanups, @Env);

$ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;


sub repeat_each() { $Repeat = shift if @_; $Repeat }
sub workers() { $Workers = shift if @_; $Workers }
sub worker_connections() { $Connections = shift if @_; $Connections }
sub master_on() { $Master = 'on' }
sub master_off() { $Master = 'off' }
sub log_level() { $LogLevel = shift if @_; $LogLevel }
sub no_shuffle() { }
sub no_long_string() { }
sub no_root_location() { $NoRoot = 1 }
sub timeout() { $Timeout = shift if @_; $Timeout }
sub server_root() { $ServRoot }
sub server_port() { $ServerPort = shift if @_; $ServerPort }
sub add_block_preprocessor() { unshift @Preprocessors, shift }
sub add_response_body_check() { push @BodyChecks, shift }
sub add_cleanup_handler() { push @Cleanups, shift }
sub env_to_nginx() { push @Env, @_ }
sub bail_out() { Test::More::BAIL_OUT(@_) }


sub run_tests() {
    my @blocks = Test::Base::blocks();
    my @only = grep { defined $_->ONLY } @blocks;

    for my $block (@only ? @only : @blocks) {
        next if defined $block->SKIP;

        $_->($block) for @Preprocessors;
        run_block($block);

        last if defined $block->LAST;
    }

    cleanup();
}


sub run_block() {
    my $block = shift;
    my $name = $block->name;

    stop();
    write_root($block);

    my $rc = system("$Binary -e $ServRoot/logs/error.log -p $ServRoot/ "
                    . "-c $ServRoot/conf/nginx.conf > /dev/null"
                    . (defined $block->must_die ? ' 2>&1' : ''));

    if (defined $block->must_die) {
        Test::More::isnt($rc, 0, "$name - die as expected");
        check_error_log($block);
        return;
    }

    if ($rc != 0) {
        bail_out("$name - nginx does not start");
    }

    wait_for_server($name);

    if (defined $block->init) {
        eval $block->init;
        bail_out("$name - init failed: $@") if $@;
    }

    for my $repeat (0 .. $Repeat - 1) {
        run_requests($block, $repeat);
    }
}


sub run_requests() {
    my ($block, $repeat) = @_;

    my $name = $block->name;
    my @requests = requests_of($block);
    my $pipelined = $block->pipelined_requests;
    my $total = $pipelined ? scalar @$pipelined : scalar @requests;
    my $many = $total > 1;
    my $i = 0;

    for my $request (@requests) {
        my $data = send_request($request, $block);

        next if defined $block->ignore_response;

        while (1) {
            my ($response, $left) = parse_response($data,
                                                   $request =~ /\AHEAD /);

            check_response($block, $response, $i, $many);

            for my $check (@BodyChecks) {
                $check->($block, $response->{body}, $i, $repeat, 0);
            }

            $i++;
            last if !$pipelined || $i == $total;
            $data = $left;
        }
    }

    sleep $block->wait if $block->wait;

    check_error_log($block);
}


# the texts of all requests; pipelined ones are joined

sub requests_of() {
    my $block = shift;

    if (defined $block->raw_request) {
        my $raw = $block->raw_request;
        return ref $raw ? join('', @$raw) : $raw;
    }

    my $list = $block->pipelined_requests || $block->request;
    my @list = ref $list ? @$list : ($list);
    my $more = $block->more_headers || '';
    my @texts;

    for my $i (0 .. $#list) {
        my $text = ref $list[$i] ? join('', @{ $list[$i] }) : $list[$i];

        $text =~ s/\A(?:\s*#[^\n]+\s+|\s+)+//;

        my ($first, $body) = $text =~ /\A([^\n]*)\n?(.*)\z/s;
        my ($method, $url, $version) = split ' ', $first;

        $body =~ s/\A\s+|\s+\z//g;

        my $headers = ref $more ? $more->[$i] : $more;
        $headers = '' unless defined $headers;
        $headers =~ s/\s+\z//;
        $headers .= "\n" if $headers ne '';
        $headers =~ s/\r?\n/\r\n/g;

        my $last = !$block->pipelined_requests || $i == $#list;

        $headers = "Host: localhost\r\n$headers"
            unless $headers =~ /^Host:/mi;
        $headers = 'Connection: ' . ($last ? 'close' : 'keep-alive')
                   . "\r\n$headers"
            unless $headers =~ /^Connection:/mi;
        $headers .= 'Content-Length: ' . length($body) . "\r\n"
            if $body ne '' && $headers !~ /^(Content-Length|Transfer-Encoding):/mi;

        push @texts, "$method " . ($url // '/') . ' '
                     . ($version // 'HTTP/1.1') . "\r\n$headers\r\n$body";
    }

    return $block->pipelined_requests ? join('', @texts) : @texts;
}


sub send_request() {
    my ($text, $block) = @_;

    my $timeout = $block->timeout || $Timeout;
    $timeout =~ s/s\z//;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $ServerPort, Proto => 'tcp')
        or bail_out($block->name . " - cannot connect: $!");

    local $SIG{PIPE} = 'IGNORE';
    my $end = time() + $timeout;
    my $data = '';

    while (length $text) {
        my $n = syswrite $s, $text;
        last unless $n;
        substr $text, 0, $n, '';
    }

    while (1) {
        my $left = $end - time();

        if ($left <= 0 || !IO::Select->new($s)->can_read($left)) {
            Test::More::fail($block->name . ' - timed out');
            last;
        }

        last unless sysread $s, $data, 65536, length $data;
    }

    return $data;
}


sub parse_response() {
    my ($data, $head) = @_;

    my %r = (status => '', raw_headers => '', headers => {}, body => '');

    return (\%r, '')
        unless $data =~ s/\A(HTTP\/\d\.\d (\d+)[^\r\n]*\r\n(.*?))\r\n//s;

    $r{raw_headers} = $1;
    $r{status} = $2;

    # $3 ends before the empty line

    unless ($r{raw_headers} =~ /\r\n\z/) {
        $data =~ s/\A(.*?\r\n)\r\n//s;
        $r{raw_headers} .= "\r\n" . ($1 // '');
    }

    for (split /\r\n/, $r{raw_headers}) {
        my ($name, $value) = /\A([^:\s]+):\s*(.*)\z/ or next;
        $r{headers}{lc $name} = defined $r{headers}{lc $name}
                                ? "$r{headers}{lc $name}, $value" : $value;
    }

    my $length = $r{headers}{'content-length'};

    if ($head || $r{status} == 304 || $r{status} == 204) {
        return (\%r, $data);
    }

    if (($r{headers}{'transfer-encoding'} // '') eq 'chunked') {

        while ($data =~ s/\A([0-9a-fA-F]+)\r\n//) {
            my $n = hex $1;
            $r{body} .= substr $data, 0, $n, '';
            $data =~ s/\A\r\n//;
            last unless $n;
        }

        return (\%r, $data);
    }

    if (defined $length && length $data > $length) {
        $r{body} = substr $data, 0, $length, '';
        return (\%r, $data);
    }

    $r{body} = $data;

    return (\%r, '');
}


# the value of a section of the block for request number $i

sub wanted() {
    my ($value, $i, $many) = @_;

    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}


sub check_response() {
    my ($block, $r, $i, $many) = @_;

    my $name = $block->name . ($many ? " (req $i)" : '');

    my $code = wanted(scalar $block->error_code, $i);

    Test::More::is($r->{status}, defined $code ? $code : 200,
                   "$name - status code ok");

    for my $kind ('response_headers', 'response_headers_like') {
        my $want = wanted(scalar $block->$kind, $i);
        next unless defined $want;

        for (split /\n/, $want) {
            s/\A\s+|\s+\z//g;
            next if $_ eq '';

            if (s/\A!\s*//) {
                Test::More::ok(!defined $r->{headers}{lc $_},
                               "$name - header $_ not present");
                next;
            }

            my ($header, $value) = split /\s*:\s*/, $_, 2;
            my $have = $r->{headers}{lc $header};
            $have = '' unless defined $have;

            if ($kind eq 'response_headers') {
                Test::More::is($have, $value, "$name - header $header ok");

            } else {
                Test::More::like($have, qr/^$value$/,
                                 "$name - header $header like ok");
            }
        }
    }

    my $want = wanted(scalar $block->raw_response_headers_like, $i);
    Test::More::like($r->{raw_headers}, qr/$want/s, "$name - raw headers like")
        if defined $want;

    $want = wanted(scalar $block->raw_response_headers_unlike, $i);
    Test::More::unlike($r->{raw_headers}, qr/$want/s,
                       "$name - raw headers unlike") if defined $want;

    $want = wanted(scalar $block->response_body, $i);
    if (defined $want) {
        $want = expand($want);
        Test::More::is($r->{body}, $want, "$name - response body ok");
    }

    $want = wanted(scalar $block->response_body_like, $i);
    if (defined $want) {
        $want =~ s/\s+\z// unless ref $want;
        Test::More::like($r->{body}, qr/$want/s,
                         "$name - response body like");
    }

    $want = wanted(scalar $block->response_body_unlike, $i);
    if (defined $want) {
        $want =~ s/\s+\z// unless ref $want;
        Test::More::unlike($r->{body}, qr/$want/s,
                           "$name - response body unlike");
    }
}


sub check_error_log() {
    my $block = shift;
    my $name = $block->name;

    my @lines = read_lines("$ServRoot/logs/error.log");

    for my $pattern (patterns(scalar $block->error_log)) {
        Test::More::ok((grep { matches($_, $pattern) } @lines) > 0,
                       "$name - pattern \"$pattern\" matches a line in "
                       . "error.log")
            or Test::More::diag(join '', @lines);
    }

    for my $pattern (patterns(scalar $block->no_error_log)) {
        Test::More::is(join('', grep { matches($_, $pattern) } @lines), '',
                       "$name - pattern \"$pattern\" matches no line in "
                       . "error.log");
    }
}


sub patterns() {
    my $value = shift;

    return () unless defined $value;
    return @$value if ref $value eq 'ARRAY';
    return ($value) if ref $value;

    return grep { $_ ne '' } split /\n+/, $value;
}


sub matches() {
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ /$pattern/ : $line =~ /\Q$pattern\E/;
}


sub read_lines() {
    open my $in, '<', shift or return ();

    return <$in>;
}


sub expand() {
    my $text = shift;

    return '' unless defined $text;

    $text =~ s/\$(TEST_NGINX_[_A-Z0-9]+)/
               defined $ENV{$1} ? $ENV{$1} : bail_out("no $1 is set")/eg;

    return $text;
}


sub write_root() {
    my $block = shift;

    # as the original does: a file anywhere else would keep it from starting

    remove_tree(map { glob "$ServRoot/$_" }
                qw(conf html logs cache *_temp *_cache));
    bail_out("cannot remove $ServRoot: $!") if -d $ServRoot && !rmdir $ServRoot;

    make_path("$ServRoot/logs", "$ServRoot/conf", "$ServRoot/html");

    if (defined $block->user_files) {
        my ($file, $out);

        for (split /^/, $block->user_files) {

            if (/\A>>> (\S+)/) {
                $file = "$ServRoot/html/$1";
                (my $dir = $file) =~ s![^/]+\z!!;
                make_path($dir);
                open $out, '>', $file or bail_out("cannot write $file: $!");
                next;
            }

            print $out $_;
        }

        close $out if $out;
    }

    my $main = expand(scalar $block->main_config);
    my $http = expand(scalar $block->http_config);
    my $config = expand(scalar $block->config);
    my $name = $block->server_name || 'localhost';
    my $modules = join ' ', map { "load_module $_;" }
                       split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';
    my $env = join ' ', map { "env $_;" } @Env;
    my $root = $NoRoot ? '' : "location / { root $ServRoot/html; }";
    my $level = $block->log_level || $LogLevel;
    my $temp = '';

    for my $kind (qw(client_body proxy fastcgi uwsgi scgi)) {
        $temp .= "    ${kind}_temp_path $ServRoot/${kind}_temp;\n"
            unless $http =~ /\b${kind}_temp_path\b/;
    }

    my $conf = "$ServRoot/conf/nginx.conf";
    open my $out, '>', $conf or bail_out("cannot write $conf: $!");

    print $out <<"END";
worker_processes $Workers;
daemon on;
master_process $Master;
error_log $ServRoot/logs/error.log $level;
pid $ServRoot/logs/nginx.pid;
$env
$modules $main

http {
    access_log $ServRoot/logs/access.log;
$temp
    default_type text/plain;
    keepalive_timeout 68;

$http

    server {
        listen $ServerPort;
        server_name '$name';
        client_max_body_size 30M;

$config

        $root
    }
}

events {
    accept_mutex off;
    worker_connections $Connections;
}
END

    close $out;
}


sub wait_for_server() {
    my $name = shift;

    for (1 .. 500) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $ServerPort,
                                      Proto => 'tcp');
        return if $s && -s "$ServRoot/logs/nginx.pid";
        sleep 0.01;
    }

    bail_out("$name - nginx does not listen on port $ServerPort");
}


sub stop() {
    my ($pid) = read_lines("$ServRoot/logs/nginx.pid");

    return unless defined $pid && $pid =~ /\A(\d+)/;
    $pid = $1;

    return unless alive($pid);

    # running requests have time-outs of their own: wait a few seconds only

    for my $signal (SIGQUIT, SIGTERM, SIGKILL) {
        kill $signal, $pid;

        for (1 .. ($signal == SIGQUIT ? 100 : 300)) {
            return unless alive($pid);
            sleep 0.01;
        }
    }
}


# not even as a zombie

sub alive() {
    my $pid = shift;

    return 0 unless kill 0, $pid;

    my ($stat) = read_lines("/proc/$pid/stat");

    return !defined $stat || $stat !~ /\) Z /;
}


sub cleanup() {
    stop();
    $_->() for splice @Cleanups;
}


END {
    if ($$ == $Owner) {
        my $status = $?;
        stop();
        $? = $status;
    }
}

1;
