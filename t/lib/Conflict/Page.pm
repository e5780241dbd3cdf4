package Conflict::Page;

# Pages of the documentation, whose examples are run.

use strict;
use warnings;

use Conflict::Util;
use Test::More ();

use base 'Exporter';

our @EXPORT = qw(page follow session);


# a page, or a section of it

sub page {
    my ($name, $section) = @_;
    my $page = slurp("$ENV{TEST_NGINX_TOP}/$name");

    ($page) = $page =~ /^## \Q$section\E\n(.*?)(?:^## |\z)/ms if $section;

    return $page;
}


# in a block of a page, each "$ command" and below it lines that its output
# has, in this order; "..." is anything, and a version is that which came the
# first time it stood there; replace: texts and what stands for them here

sub follow {
    my ($name, $section, %replace) = @_;
    my $page = page($name, $section);
    my $n = 0;
    my %number;

    $page =~ s/\Q$_\E/$replace{$_}/g for keys %replace;

    for my $part (commands($page)) {
        my ($command, @want) = @$part;

        (my $run = $command) =~ s!http://localhost/!"http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}/"!ge;
        $run =~ s/\b(\d{13})\b/$number{$1} || $1/ge;

        compare($command, scalar `$run 2>/dev/null`, \%number, @want);
        $n++;
    }

    Test::More::cmp_ok($n, '>', 0, 'commands were run');
}


# all of a page in one shell, blocks of "sh" as well; replace: texts and what
# stands for them here; serves: for a command in the background, its port

sub session {
    my ($page, $dir, %args) = @_;
    my @parts = commands($page, 'sh');
    my $script = "cd $dir\ntrap 'kill \$(jobs -p) \$(cat \$(find $dir -name"
                 . " nginx.pid)) 2> /dev/null' EXIT\n";
    my %number;

    for my $i (0 .. $#parts) {
        my $command = $parts[$i][0];

        for my $pair (@{ $args{replace} || [] }) {
            $command =~ s/\Q$pair->[0]\E/$pair->[1]/g;
        }

        $script .= "printf '\\n\@\@%s\\n' $i\n$command\nprintf '\\n\@\@= %s\\n' \$?\n";

        # it listens a moment later

        for my $word (sort keys %{ $args{serves} || {} }) {
            next unless $command =~ /\Q$word\E.*&$/;

            $script .= "for i in {1..600}; do (exec 3<> /dev/tcp/127.0.0.1/"
                       . "$args{serves}{$word}) 2> /dev/null && break;"
                       . " sleep 0.05; done\n";
        }
    }

    my $file = "$dir/session.sh";

    open my $out, '>', $file or die "$file: $!";
    print $out $script;
    close $out;

    my %said = `bash $file 2>&1 < /dev/null` =~ /^\@\@(\d+)\n(.*?)(?=^\@\@\d|\z)/msg;

    for my $i (0 .. $#parts) {
        my ($command, @want) = @{ $parts[$i] };
        my $said = $said{$i} // '';
        my ($status) = $said =~ /^\@\@= (\d+)$/m;

        Test::More::is($status, 0, (split /\n/, $command)[0])
            or Test::More::diag($said);
        compare($command, $said, \%number, @want);
    }

    Test::More::cmp_ok(scalar(@parts), '>', 3, 'commands were run');
}


# the commands of a page, each with the lines that are wanted; a block of
# another kind is one command

sub commands {
    my ($page, $kind) = @_;
    my @commands;

    while ($page =~ /^```(\w+)\n(.*?)^```/msg) {
        my ($is, $text) = ($1, $2);

        if ($is eq 'console') {
            for my $part (split /^(?=\$ )/m, $text) {
                $part =~ s/\\\n\s+//g;
                $part =~ s/^\$ //;
                push @commands, [split /\n/, $part];
            }

        } elsif (defined $kind && $is eq $kind) {
            chomp $text;
            push @commands, [$text];
        }
    }

    return @commands;
}


sub compare {
    my ($command, $said, $number, @want) = @_;
    my @lines = split /\r?\n/, $said;

    for my $want (@want) {
        my @seen;
        my $pattern = quotemeta $want;

        $pattern =~ s/\\\.\\\.\\\./.*/g;
        $pattern =~ s/\d{4}\\-\d\d\\-\d\dT[\d\\:]+\\\.\d+Z/[\\d:.TZ-]+/g;
        $pattern =~ s/\b(\d{13})\b/$number->{$1} ? $number->{$1}
                                   : do { push @seen, $1; '(\d{13})' }/ge;

        my $found = 0;

        while (@lines) {
            my $line = shift @lines;
            my @got = $line =~ /^$pattern/ or next;

            @$number{@seen} = @got if @seen;
            $found = 1;
            last;
        }

        Test::More::ok($found, "$command: $want") or Test::More::diag($said);
    }
}

1;
