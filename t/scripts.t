# The words that the module and its scripts in Redis exchange: the module has a
# name for each, in the order of the scripts' header comments.

use strict;
use warnings;

use Test::More;

my $dir = 'src/store/redis';

sub content {
    my $file = shift;

    open my $in, '<', "$dir/$file" or die "$file: $!";
    local $/;

    return <$in>;
}

# what a head says behind "input:" and "output:", in one line

sub head {
    my ($script, $part) = @_;

    my ($text) = content("lua/$script.lua")
        =~ /^-- $part:\s+(.*?)^(?:-- \w+:\s|--\n|\n)/ms;

    $text =~ s/\n--\s*/ /g;

    return $text;
}

my $header = content('ngx_http_conflict_redis_codec.h');
my (@arguments, %answers);

for my $enum ($header =~ /^enum \{\n(.*?)^\};/msg) {
    my @names = $enum =~ /^\s+NGX_HTTP_CONFLICT_REDIS_(\w+)/mg;

    if ($enum =~ /REDIS_ARGV\((\d+)\)/) {
        my $n = $1;

        push @arguments, [$_, $n++] for grep { $_ !~ /^ARGV/ } @names;
        next;
    }

    my ($last) = pop @names;
    $answers{$last} = \@names;
}

# the last word of a name is in what the head says of its number

for (@arguments) {
    my ($name, $n) = @$_;
    my ($script, $word) = $name =~ /^([A-Z]+)_(?:\w+_)?([A-Z]+)$/;

    like(head(lc $script, 'input'),
         qr/(?<![\w.])$n [^,:;]*\b\Q$word\E\b/i, "$n of " . lc($name));
}

# answers: each word is one between commas

my @entry = @{$answers{WORDS}};

is_deeply([map { s/^WORD_//r } @entry[0, 1]], ['TOKEN', 'INCARNATION'],
          'all begin alike');
like(head('entry', 'output'),
     qr/the first the token, the second 1 where the incarnation/,
     'as the head of all says');

for my $script (qw(begin read lock)) {
    my @words = map { s/^WORD_//r }
                (@entry[2 .. $#entry], @{$answers{uc($script) . '_WORDS'}});

    my ($said) = head($script, 'output') =~ /^\.\.\. ([^;:]*)/;
    my @said = split /,\s+/, $said;

    for my $i (0 .. $#words) {
        like($said[$i] // '', qr/\b$words[$i]\b/i,
             "$script answers " . lc($words[$i]));
    }
}

done_testing();
