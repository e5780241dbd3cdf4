# Both stores give the same results for the same random operations.  Versions
# differ, so they are compared by the order of their first occurrence.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', store('redis')
                                     . "conflict_store shm zone=1m;\n");
    $block->set_value('config', "location = /op/redis { conflict_test redis; }"
                                . "location = /op/shm { conflict_test shm; }\n"
                                . "location /guarded {\n"
                                . "    conflict version store=shm;\n"
                                . "    return 204;\n}\n");
});

my @stores = ('shm', 'redis');

sub pick { $_[rand @_] }

# times of edits, on both sides of the clock; a time taken from the clock is
# the same in both stores

my $future = (time() + 3600) . '000000';
my @times = (5, 6, 7, $future, $future + 1);

sub known { my $time = shift;
            $time < 1000 || $time > $future - 1000 ? $time : 'clock' }

# runs $n operations, returns what the stores differ in, or ''

sub compare {
    my ($seed, $n, $minted, $edits) = @_;

    srand($seed);

    my %seen;           # of a key, by store: numbers in the order they came
    my %key;            # of an operation
    my %leased;
    my @done;

    for my $step (1 .. $n) {
        my $name = pick('a' .. 'd');
        my $verb = $leased{$name}
                   ? pick(qw(commit commit cancel abandon renew))
                   : pick(qw(peek begin begin begin observe observe));
        my %args;

        if ($verb eq 'observe' && !grep { $_->[0] eq $name } @done) {
            $verb = 'peek';
        }

        if ($verb eq 'begin' || $verb eq 'peek') {
            %args = (key => pick("x$seed", "y$seed"), minted => $minted,
                     policy => pick(1, 2, 3, 4), quarantine => pick(0, 90000),
                     lease => 90000, fp => pick(0, 0, 7, 8),
                     fresh => pick(0, 0, 1), force => pick(0, 0, 1),
                     report => pick(0, 0, 0, 1));

            if ($edits && $verb eq 'begin' && rand() < 0.7) {
                @args{qw(policy edits edit tie skew)}
                    = (5, 1, pick(0, @times, @times), pick(0, 1, 2),
                       pick(1, 864e8, 864e8, 864e8));
                $args{force} = 0;
            }

            $key{$name} = $args{key};
        }

        my $seen = $seen{ $key{$name} } ||= [ [ 1 ], [ 1 ] ];
        my $label = int rand @{ $seen->[0] };

        if ($verb eq 'begin') {
            my $how = pick(qw(none base match any none_any base));

            $args{base} = $label if $how eq 'base';
            ($args{kinds}, $args{match}) = (2, $label) if $how eq 'match';
            $args{kinds} = 4 if $how eq 'any';
            $args{kinds} = 32 if $how eq 'none_any';

            # a link of one of two chains

            if (rand() < 0.4) {
                $args{began} = pick(0, $label, int rand @{ $seen->[0] });
                ($args{chain}, $args{n}) = (pick(11, 12), pick(1 .. 9));
            }

        } elsif ($verb eq 'observe' || $verb eq 'commit') {
            $args{existence} = pick(1, 1, 2, 2);
            $args{existence} = 3
                if $args{existence} == 2 && $verb eq 'observe' && rand() < 0.5;
            $args{body} = pick(0, 5, 6);
            $args{latest} = pick(0, 1);
            $args{mixed} = pick(0, 0, 1);

            if ($edits) {
                $args{edits} = pick(0, 1);
                $args{mtime} = pick(@times) if rand() < 0.3;
            }

            $args{version} = $minted || $args{existence} >= 2 ? 0
                             : pick(1001 .. 1004);

        } elsif ($verb eq 'abandon') {
            $args{quarantine} = pick(0, 90000);
        }

        my @r;

        for my $i (0, 1) {
            my %own = %args;

            for ('base', 'match') {
                $own{$_} = $seen->[$i][$own{$_}] if defined $own{$_};
            }

            $own{began} = $seen->[$i][$own{began}] if $own{began};

            my $query = join '&', "name=$i$name", "do=$verb",
                        map { "$_=$own{$_}" } sort keys %own;

            $r[$i] = json(GET("/op/$stores[$i]?$query"));
        }

        push @done, [ $name, $verb, %args ];

        $leased{$name} = 1 if $verb eq 'begin' && $r[0]{leased};
        delete $leased{$name} if $verb =~ /^(commit|cancel|abandon)$/;

        # what has an answer in both stores

        my @fields = $verb eq 'begin'
            ? (qw(rc verdict state header leased present existence version
                  fence body), $args{edits} ? qw(edited ahead) : ())
            : $verb eq 'peek' ? qw(rc state existence version fence body)
            : $verb eq 'observe' && $r[0]{applied}
            ? qw(rc applied external existence version fence body)
            : $verb eq 'observe' ? qw(rc applied external)
            : $verb eq 'commit' && $r[0]{applied} ? qw(version)
            : ();

        for my $field (@fields) {
            my @value = map { $_->{$field} } @r;

            @value = map { known($_) } @value if $field eq 'edited';

            if ($field =~ /version|fence/) {
                next if $field eq 'fence' && $verb eq 'begin'
                        && !$r[0]{present} && !$r[0]{leased};

                for my $i (0, 1) {
                    my ($at) = grep { $seen->[$i][$_] == $value[$i] }
                               0 .. $#{ $seen->[$i] };

                    unless (defined $at) {
                        push @{ $seen->[$i] }, $value[$i];
                        $at = $#{ $seen->[$i] };
                    }

                    $value[$i] = $at;
                }
            }

            next if $value[0] eq $value[1];

            return "seed $seed, step $step: $field: shm $value[0], redis "
                   . "$value[1]\n"
                   . join("\n", map { "@$_" } @done) . "\n"
                   . join("\n", map { JSON::PP->new->canonical->encode($_) } @r);
        }
    }

    return '';
}

run_tests();

__DATA__

=== minted versions
--- steps
is(compare($_, 60, 1), '', "seed $_") for 1 .. 30;


=== the upstream's versions
--- steps
is(compare($_, 60, 0), '', "seed $_") for 101 .. 130;


=== edits with a time, and writes without
--- steps
is(compare($_, 60, 1, 1), '', "seed $_") for 201 .. 240;


=== the same, with the upstream's versions
--- steps
is(compare($_, 60, 0, 1), '', "seed $_") for 301 .. 330;
