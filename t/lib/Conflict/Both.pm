package Conflict::Both;

# The server of each block exists twice: with "conflict off", and with the
# "conflict version" that it inherits from the http level.  Both must give the
# same response to a request, and send the same request to the upstream.
#
#   --- steps
#   answer('/a', 'Content-Type: text/html', '<p>');
#   is(alike('GET', '/a')->{body}, '<p>', 'as it is');
#
# The upstream is origin.py, as "origin" in the configuration.

use strict;
use warnings;

use JSON::PP;
use Test::More ();

use Conflict;

use base 'Exporter';

our @EXPORT = qw(alike both answer raw_answer asked origin plain_port
                 header_of file_of);

my ($Origin, $Plain);
my %alone = map { $_ => 1 } qw(POST OPTIONS TRACE CONNECT PROPFIND REPORT
                               SEARCH QUERY LOCK UNLOCK);


sub install {
    my ($socket) = @_;

    $Origin = $ENV{TEST_NGINX_ORIGIN_PORT} = free_port();
    $Plain = $ENV{TEST_NGINX_PORT2};

    Conflict::start_server('origin.py', $Origin);
    Conflict::install($socket);

    $socket->can('add_block_preprocessor')->(sub {
        my $block = shift;
        my $config = $block->config;
        my $http = $block->http_config // '';

        origin('/_reset');

        $block->set_value('http_config', <<"END");
            conflict version;
            upstream origin { server 127.0.0.1:$Origin; }
            $http
            server {
                listen $Plain;
                listen unix:$ENV{TEST_NGINX_SERVROOT}/$Plain.sock http2;
                server_name localhost;
                client_max_body_size 30M;
                conflict off;
                $config
            }
END
        $block->set_value('config',
            "listen unix:$ENV{TEST_NGINX_SERVROOT}/@{[port()]}.sock http2;\n"
            . $config);
    });
}


sub plain_port { $Plain }


sub origin {
    my ($target, $body) = @_;

    return Conflict::http(defined $body ? 'PUT' : 'GET', $target,
                          port => $Origin,
                          (defined $body ? (body => $body) : ()))->{body};
}


# sets the origin's response to a path, if the head of the request has the text
# $if; $head begins with the status if that is not 200, and a length is added
# unless it says how the body ends

sub answer {
    my ($path, $head, $body, $if) = @_;

    my @lines = grep { /\S/ } split /\n\s*/, $head;
    my $status = @lines && $lines[0] =~ /^\d+ / ? shift @lines : '200 OK';

    $body //= '';

    push @lines, 'Content-Length: ' . length($body =~ s/<hold>//gr)
        unless $status =~ /^(101|204|304)/
               || grep { /^(Transfer-Encoding|Connection):/i } @lines;

    raw_answer($path, join("\r\n", "HTTP/1.1 $status", @lines)
                      . "\r\n\r\n$body", $if);
}


sub raw_answer {
    my ($path, $text, $if) = @_;

    s/([^\w.\/-])/sprintf '%%%02X', ord $1/ge for $path, $if //= '';

    origin("/_answer?path=$path&if=$if", $text);
}


# the requests that the origin received since the last call, once there are N

sub asked { @{ json(origin('/_asked?n=' . (shift || 0))) } }


sub header_of {
    my ($request, $name) = @_;

    return join ', ', map { $_->[1] } grep { $_->[0] eq lc $name }
                      @{ $request->{headers} };
}


# a file of the block, for each server by its port

sub file_of {
    my ($port, $name) = @_;

    return servroot() . "/html/$port/$name";
}


# sends the same request to both.  Returns the response of the guarded server,
# and compares everything that is not documented as added or replaced.
#
#   asked => N      number of requests to the origin, even after the response
#   mark => 0       the guarded one has no Conflict field
#   own => 1        the upstream owns the versions: validators are the same
#   h2 => 1         by HTTP/2

sub alike {
    my ($method, $uri, %args) = @_;

    my $mark = $args{mark} // ($alone{$method} ? 0 : 1);
    my @results;

    asked();

    for my $port ($Plain, port()) {
        my $r = $args{h2} ? by_h2($port, $method, $uri, %args)
                          : http($method, $uri, %args, port => $port);
        my @asked = asked($args{asked});

        delete $_->{conn} for @asked;
        push @results, { r => $r, asked => \@asked };
    }

    my ($plain, $guarded) = map { comparable($_, $args{own} || !$mark) }
                                @results;
    my $p = $plain->{headers};
    my $g = $guarded->{headers};

    if ($mark && !$p->{'last-modified'}) {
        delete $g->{'last-modified'};
        delete $g->{'cache-control'}
            if !$p->{'cache-control'}
               && join(',', @{ $g->{'cache-control'} || [] }) eq 'no-cache';
    }

    my $name = ($args{h2} ? 'HTTP/2 ' : '') . "$method $uri";

    Test::More::is_deeply($guarded, $plain, "$name - alike");
    Test::More::is(join(' ', map { header($_->{r}, 'Conflict') ? 1 : 0 }
                             @results), "0 $mark",
                   "$name - " . ($mark ? 'guarded' : 'not marked'));

    return wantarray ? ($results[1]{r}, $results[1]{asked}, $results[0]{r})
                     : $results[1]{r};
}


sub comparable {
    my ($result, $own) = @_;

    my $r = $result->{r};
    my %headers = map { $_ => [ map { portless($_) } @{ $r->{headers}{$_} } ] }
                  keys %{ $r->{headers} };

    delete @headers{qw(date conflict)};
    s/.* GMT/later/ for grep { !/ 1970 / } @{ $headers{expires} || [] };
    delete $headers{etag} unless $own;

    return { line => $r->{line} // $r->{status}, headers => \%headers,
             body => portless($r->{body}), asked => $result->{asked} };
}


# URLs of the two differ in their ports, boundaries are random

sub portless {
    my ($text) = @_;

    $text =~ s/\b(?:$Plain|\Q@{[port()]}\E)\b/PORT/g;
    $text =~ s/(boundary=|--)\d{20}\b/$1BOUNDARY/g;

    return $text;
}


# runs the code with each of the two ports and compares the results

sub both {
    my ($name, $code, $expected) = @_;

    my @results = map { asked(); $code->($_) } $Plain, port();

    Test::More::is_deeply($results[1], $results[0], "$name - alike");
    Test::More::is_deeply($results[1], $expected, $name) if @_ > 2;

    return $results[1];
}


sub by_h2 {
    my ($port, $method, $uri, %args) = @_;

    my @args = ('-s', '-i', '--http2-prior-knowledge', '--unix-socket',
                servroot() . "/$port.sock", '-H', 'Accept:',
                $method eq 'HEAD' ? '-I' : ('-X', $method));

    push @args, '-H', $_ for @{ $args{headers} || [] };

    if (defined $args{body}) {
        my $file = servroot() . '/html/h2.body';

        open my $out, '>:raw', $file or die "$file: $!";
        print $out $args{body};
        close $out;
        push @args, '--data-binary', "\@$file";
    }

    open my $in, '-|', 'curl', @args, "http://localhost$uri"
        or die "curl: $!";
    binmode $in;
    local $/;
    my $text = <$in> // '';
    close $in;

    $text =~ s/^HTTP\/2 (\d+).*?\r\n/HTTP\/1.1 $1 X\r\n/;

    return Conflict::parse($text, $method);
}

1;
