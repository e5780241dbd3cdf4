# The words that the module and its scripts in Redis exchange: the module has a
# name for each, in the order of the scripts' header comments.  The module
# is built with the scripts of the tree.

use strict;
use warnings;

use File::Temp;
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

        push @arguments, [$_, $n++] for grep { $_ !~ /^ARGV$|_ARGS$/ } @names;
        next;
    }

    my ($last) = pop @names;
    $answers{$last} = \@names;
}

# the last word of a name is in what the head says of its number

for (@arguments) {
    my ($name, $n) = @$_;
    my ($script, $word)
        = $name =~ /^([A-Z]+_FAST|[A-Z]+)_(?:\w+_)?([A-Z]+)$/;

    like(head(lc $script, 'input'),
         qr/(?<![\w.])$n [^,:;]*\b\Q$word\E\b/i, "$n of " . lc($name));
}

# an entry: its words and its flags

my ($words) = content('lua/entry.lua')
    =~ /^-- An entry is one string of words: (.*?)\.  If a link/ms;

$words =~ s/\n--\s*/ /g;

my @words = split /,\s+(?=[^()]*(?:\(|$))/, $words =~ s/\.  The flags.*//r;
my @flags = split /,\s+|\s+and\s+(?=header)/,
            $words =~ s/.*The flags are digits:\s+//r;

my ($names) = content('ngx_http_conflict_redis_entry.c')
    =~ /^enum \{\n(.*?)_ENTRY_WORDS/ms;
my @names = $names =~ /^\s+NGX_HTTP_CONFLICT_REDIS_ENTRY_(\w+)/mg;

is(scalar(@words), scalar(@names), 'words of an entry');
like($words[$_], qr/$names[$_]/i, lc "word $names[$_]") for 0 .. $#names;

for my $i (0 .. $#{ $answers{FLAGS} }) {
    my ($name) = $answers{FLAGS}[$i] =~ /FLAG_(\w+)/;
    like($flags[$i], qr/\b$name\b/i, lc "flag $name");
}

# answers: each word is one between commas

my @entry = @{$answers{WORDS}};

is_deeply([map { s/^WORD_//r } @entry[0, 1]], ['TOKEN', 'INCARNATION'],
          'all begin alike');
like(head('entry', 'output'),
     qr/the first the token, the second 1 if the incarnation/,
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

# headers are made anew by what is in them: those of a build that was copied
# may be newer than all that they should be made of

my $objs = File::Temp->newdir();

system("NGX_MAKEFILE=$objs/Makefile NGX_OBJS=$objs ngx_addon_dir=. "
       . "sh ./config.make") == 0 or die "config.make: $?";

for ([lua => map { "$dir/lua/$_" } 'embed', map { "$_.lua" }
             qw(entry begin begin_fast settle settle_fast read read_fast history
                items lock stats blob)],
     [page => 'src/page/embed'])
{
    my ($name, @command) = @$_;
    my $header = "$objs/ngx_http_conflict_$name.h";

    open my $out, '>', $header or die "$header: $!";
    print $out "/* of other files */\n";
    close $out;

    system(qw(make -s -f), "$objs/Makefile", $header) == 0 or die "make: $?";

    ok(`cat $header` eq `@command`, "$name.h is of the files that are here");

    utime 1, 1, $header;
    system(qw(make -s -f), "$objs/Makefile", $header) == 0 or die "make: $?";

    is((stat $header)[9], 1, "$name.h stays as it is where it is that");
}

done_testing();
