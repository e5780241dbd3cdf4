# What is asked of the counters: totals, since, entity, action, limit, id; and
# the widget.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Status;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

our $Redis = $ENV{TEST_NGINX_REDIS_PORT} // '';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', $block->config . '
        location = /status { conflict_status json; }
        location = /metrics { conflict_status prometheus; }
        location = /dashboard { conflict_status; }
    ');
});

sub ask { json(http('GET', "/status?$_[0]")) }

sub ids { [map { $_->{conflict_id} } @{ $_[0]{conflicts} }] }

# the text of the widget

sub badge {
    my ($args) = @_;
    my $r = http('GET', "/dashboard?view=badge$args");
    my ($text) = $r->{body} =~ m!<a .*?>(.*)</a>!s;

    $text =~ s/<.*?>//g;
    $text =~ s/\s+/ /g;
    $text =~ s/^ | $//g;

    return $text;
}

run_tests();

__DATA__

=== totals, and what they are of
--- config
    location /plain/ {
        conflict version;
        conflict_entity note;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww;
        conflict_entity 'a "strange" & one';
        proxy_pass http://api;
    }
--- steps
my $none = status()->{totals};

is($none->{writes}, 0, 'none before the first write');
is($none->{conflict_rate}, undef, 'a rate of nothing is unknown');
is($none->{routes}, 0, 'no route');

stale('/plain/1', 3);
stale('/plain/lww/1', 2);
PUT('/plain/1', { title => 'no base' });

route('/plain/', sub { $_[0]{writes} == 5 });
route('/plain/lww/', sub { $_[0]{writes} == 3 });
until_true { @{ status()->{conflicts} } == 5 };

my $s = status();
my $t = $s->{totals};

is($s->{version}, (slurp("$ENV{TEST_NGINX_TOP}/CHANGES")
                   =~ /^(\d+\.\d+\.\d+) \(/m)[0], 'the version of the module');
is($t->{writes}, 8, 'writes');
is($t->{conflicts}, 5, 'conflicts');
is($t->{conflict_rate}, 0.625, 'their share');
is($t->{routes}, 2, 'of so many routes');
is($t->{complete}, JSON::PP::true, 'all stores have answered');
is($t->{actions}{conflict_version}, 3, 'by action');
is($t->{outcomes}{overwrote}, 2, 'by outcome');
is($t->{not_checked}{without_base}, 1, 'not checked');
like($t->{since}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'since');

# of an entity

$s = ask('entity=note');
is($s->{totals}{writes}, 5, 'entity: writes');
is($s->{totals}{conflicts}, 3, 'entity: conflicts');
is_deeply([map { $_->{location} } @{ $s->{routes} }], ['/plain/'],
          'entity: its route');
is(scalar(@{ $s->{conflicts} }), 3, 'entity: its conflicts');
is(scalar(grep { $_->{entity} ne 'note' } @{ $s->{conflicts} }), 0,
   'entity: no others');

for my $text ('a+%22strange%22+%26+one', 'a%20%22strange%22%20%26%20one') {
    $s = ask("entity=$text");
    is($s->{totals}{writes}, 3, 'a name with quotes');
    is(scalar(@{ $s->{conflicts} }), 2, 'its conflicts');
}

$s = ask('entity=not');
is($s->{totals}{routes}, 0, 'no part of a name');
is(scalar(@{ $s->{conflicts} }), 0, 'nor a conflict of it');

# an action

$s = ask('action=conflict_lww');
is($s->{totals}{conflicts}, 2, 'action: conflicts');
is($s->{totals}{writes}, 8, 'action: of all writes');
is(scalar(@{ $s->{conflicts} }), 2, 'action: the lines');
is(scalar(@{ $s->{routes} }), 2, 'action: all routes');

# a number of lines, latest first

my $all = ids(status());
my @times = map { $_->{time} } @{ status()->{conflicts} };

is_deeply(\@times, [reverse sort @times], 'the latest first');
is_deeply(ids(ask('limit=2')), [@$all[0, 1]], 'limit: two');
is_deeply(ids(ask('limit=0')), [], 'limit: none');
is_deeply(ids(ask('limit=1000')), $all, 'limit: all');
is_deeply(ids(ask('limit=1&action=conflict_version')), [$all->[2]],
          'limit: of those that are asked for');

# one

is_deeply(ids(ask("id=$all->[3]")), [$all->[3]], 'id: its line');
is_deeply(ids(ask('id=' . '0' x 32)), [], 'id: of nothing');
is(ask("id=$all->[3]")->{totals}{writes}, 8, 'id: totals are of all');

# since a time

is(ask("since=$times[1]")->{totals}{conflicts}, 5, 'since: by minutes');
is(scalar(@{ ask("since=$times[1]")->{conflicts} }), 2,
   'since: lines to the microsecond');
is(scalar(@{ ask("since=$times[1]&action=conflict_version")->{conflicts} }),
   0, 'since: and of an action');

for my $ago ('30m', '24h', '7d', '900d', '1d12h') {
    is(ask("since=$ago")->{totals}{writes}, 8, "since: $ago");
    is(scalar(@{ ask("since=$ago")->{conflicts} }), 5, "since: $ago, lines");
}

for my $date ('0001-01-01T00:00:00Z', '1969-12-31T23:59:59.999999Z',
              '1970-01-01T00:00:00-23:59')
{
    is(ask("since=$date")->{totals}{writes}, 8, "since: $date");
    is(scalar(@{ ask("since=$date")->{conflicts} }), 5, "since: $date, lines");
}

is(ask('since=9999-12-31T23:59:59Z')->{totals}{writes}, 0, 'never');
is(ask('since=2099-01-01T00:00:00Z')->{totals}{writes}, 0, 'not yet');
is(ask('since=2099-01-01T00:00:00%2B01:00')->{totals}{writes}, 0,
   'with an offset');
is(ask('since=2099-01-01T00:00:00+01:00')->{totals}{writes}, 0,
   'that is not escaped');

# a widget needs no more than that

$s = ask('view=badge');
is($s->{totals}{writes}, 8, 'badge: totals');
is($s->{stores}[0]{up}, JSON::PP::true, 'badge: stores');
is_deeply([grep { exists $s->{$_} } 'routes', 'conflicts', 'locks'], [],
          'badge: no more');


=== the time that is covered is as wide as a bin, and no wider
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my $begin = time;

PUT('/plain/1', { n => 1 });
route('/plain/', sub { $_[0]{writes} == 1 });

my $iso = sub { JSON::PP->new->decode(
    `python3 -c "import datetime,json; print(json.dumps(datetime.datetime.utcfromtimestamp($_[0]).strftime('%Y-%m-%dT%H:%M:%S.%fZ')))"`
    =~ s/^/[/r =~ s/$/]/r)->[0] };

my $since = ask('since=30m')->{totals}{since};

SKIP: {
    skip 'the counters of a fleet may be older', 3 if $::Redis ne '';

    cmp_ok($since, 'ge', $iso->($begin - 60), 'not before this host counts');
    cmp_ok(status()->{totals}{since}, 'ge', $iso->($begin - 60),
           'nor if nothing is asked');
    like(badge(''), qr/counted since \d{4}-\d\d-\d\d \d\d:\d\d UTC/,
         'the widget says so');
}

SKIP: {
    skip 'the counters of a host begin with it', 3 if $::Redis eq '';

    cmp_ok($since, 'le', $iso->($begin - 1740), 'by the minute');
    cmp_ok(ask('since=24h')->{totals}{since}, 'le', $iso->($begin - 86400),
           'by the hour');
    cmp_ok(ask('since=900d')->{totals}{since}, 'ge',
           $iso->($begin - 90 * 86400), 'as far as the counters go');
}


=== what is asked badly
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my %bad = (
    'since=yesterday' => '"since" must be a date like 2026-11-29T15:00:00Z '
                         . 'or a time like 24h',
    'since=10' => undef,
    'since=' => undef,
    'since=-1h' => undef,
    'since=2026-11-29' => undef,
    'since=99999999d' => undef,
    'action=conflict' => '"action" must be an action of the audit log, like '
                         . 'conflict_version',
    'action=' => undef,
    'action=CONFLICT_VERSION' => undef,
    'limit=1001' => '"limit" must be a number from 0 to 1000',
    'limit=-1' => undef,
    'limit=' => undef,
    'limit=1x' => undef,
    'limit=99999999999999999999' => undef,
    'entity=' => '"entity" must be the name of an entity',
    'id=abc' => '"id" must be a conflict_id, 32 lower-case hexadecimal digits',
    'id=' . 'g' x 32 => undef,
    'id=' . '0' x 33 => undef,
    'id=' . '%00' x 32 => undef,
    'view=page' => '"view" must be "badge"',
    'format=html' => '"format" must be "json" at this address',
);

for my $args (sort keys %bad) {
    my $r = http('GET', "/status?$args");
    my ($name, $value) = split /=/, $args, 2;

    is($r->{status}, 400, "$args: 400");
    is(header($r, 'Content-Type'), 'application/json', "$args: JSON");

    my $said = json($r);

    is($said->{error}, 'invalid_parameter', "$args: error");
    is($said->{parameter}, $name, "$args: which");
    is($said->{value}, $value, "$args: what") if $value !~ /%/;
    is($said->{title}, $bad{$args}, "$args: why") if $bad{$args};
    is($said->{status}, 400, "$args: status");
}

# markup is text in JSON, too

my $r = http('GET', '/status?action=%3Cscript%3E%22');
unlike($r->{body}, qr/<script>/, 'no markup');
is(json($r)->{value}, '<script>"', 'but what was asked');
is(header($r, 'X-Content-Type-Options'), 'nosniff', 'nor sniffed');
is(http('HEAD', '/status?limit=x')->{status}, 400, 'HEAD');

# the page has parameters of its own, the metrics have none

is(http('GET', '/dashboard?action=x&limit=y&since=z')->{status}, 200, 'page');
is(http('GET', '/dashboard?view=badge&since=z')->{status}, 400, 'widget');
is(http('GET', '/dashboard?view=badges')->{status}, 400, 'another one');
is(http('GET', '/metrics?action=x')->{status}, 200, 'metrics');
is(http('GET', '/metrics?view=badge')->{status}, 400, 'no widget there');
is(http('GET', '/dashboard?format=json&limit=x')->{status}, 400, 'its data');
is(http('GET', '/dashboard?format=xml')->{status}, 400, 'another format');
is(json(http('GET', '/dashboard?format=xml'))->{title},
   '"format" must be "html" or "json" at this address', 'which there are');


=== more conflicts than are shown
--- config
    location /plain/ {
        conflict lww;
        proxy_pass http://api;
    }
    location /plain/rare/ {
        conflict version;
        conflict_entity rare;
        proxy_pass http://api;
    }
--- steps
stale('/plain/rare/1', 1);
stale('/plain/1', 150);

until_true { @{ ask('limit=1000')->{conflicts} } == 151 };

is(scalar(@{ status()->{conflicts} }), 100, 'a hundred');
is(scalar(grep { $_->{entity} eq 'rare' } @{ status()->{conflicts} }), 0,
   'without an earlier one');
is(scalar(@{ ask('entity=rare')->{conflicts} }), 1, 'which can be found');
is(scalar(@{ ask('action=conflict_version')->{conflicts} }), 1,
   'also by its action');

my $id = ask('entity=rare')->{conflicts}[0]{conflict_id};

stale('/plain/2', 600);
until_true { (ask('limit=1')->{conflicts}[0]{entity_id} // '') eq '/plain/2'
             && ask('limit=0')->{totals}{conflicts} == 751 };

is(scalar(@{ ask('limit=1000')->{conflicts} }), $::Redis eq '' ? 500 : 751,
   'not more than are kept');
is(scalar(@{ ask("id=$id")->{conflicts} }), $::Redis eq '' ? 0 : 1,
   'the stream of Redis has it still');


=== the widget
--- config
    location /plain/ {
        conflict version;
        conflict_entity '<b>note</b>';
        proxy_pass http://api;
    }
    location = /framed {
        conflict_status_frames self https://admin.example.com:8443
                               https://*.example.org;
        conflict_status;
    }
--- steps
like(badge(''), qr/^0 write conflicts, last 24h no writes/, 'none yet');

stale('/plain/1', 3);
route('/plain/', sub { $_[0]{writes} == 4 });

like(badge(''), qr/^3 write conflicts, last 24h 75\.0 % of 4 writes/,
     'three');
like(badge('&since=2020-01-01T00:00:00Z'),
     qr/^3 write conflicts, since 2020-01-01 00:00 UTC /, 'since a date');
like(badge('&since=7d&action=conflict_lww'),
     qr/^0 write conflicts \(conflict_lww\), last 7d 0\.0 %/, 'an action');

my $r = http('GET', '/dashboard?view=badge&entity=%3Cb%3Enote%3C/b%3E');

like($r->{body}, qr/of &lt;b&gt;note&lt;\/b&gt;, last 24h/, 'text is text');
unlike($r->{body}, qr/<b>/, 'and no markup');
is(header($r, 'Content-Type'), 'text/html; charset=utf-8', 'type');
is(header($r, 'Cache-Control'), 'no-store', 'not to be kept');
is(length($r->{body}), header($r, 'Content-Length'), 'length');
unlike($r->{body}, qr/<script|\@\w+\@/, 'no script, all in its place');
unlike($r->{body}, qr/(src|href)="(?!data:,|\?")/, 'nothing from elsewhere');

like(badge('&entity=%3Cscript%3Ealert(1)'),
     qr/^unknown .* of &lt;script&gt;alert\(1\), last 24h nothing was counted/,
     'an entity that there is not is unknown');

my $good = qr/class="n none"/;

like(http('GET', '/dashboard?view=badge&action=conflict_merge')->{body}, $good,
     'none is good');
PUT('/plain/1', { title => 'no base' });
route('/plain/', sub { $_[0]{writes} == 5 });
like(badge(''), qr/ 1 not checked/, 'what was not checked');
unlike(http('GET', '/dashboard?view=badge&action=conflict_merge')->{body},
       $good, 'none is not good, if not all was checked');

# which pages may have it in a frame

my $policy = sub { header(http('GET', $_[0]), 'Content-Security-Policy') };

like($policy->('/dashboard?view=badge'), qr/; frame-ancestors 'none'$/,
     'none by default');
like($policy->('/framed?view=badge'),
     qr!; frame-ancestors 'self' https://admin.example.com:8443 https://\*.example.org$!,
     'those that are configured');
like($policy->('/framed'), qr/; frame-ancestors 'none'$/,
     'but not the page');

for my $path ('/dashboard?view=badge', '/framed?view=badge') {
    like($policy->($path), qr/^default-src 'none'; style-src 'nonce-\w{32}'; /,
         'no more than a style');
    unlike($policy->($path), qr/script-src|connect-src|unsafe/, 'no script');
}


=== a store that is down is not a store without conflicts
--- http_config
    conflict_store gone redis://127.0.0.1:1;
--- config
    location /plain/ {
        conflict version store=gone;
        conflict_store_error pass;
        proxy_pass http://api;
    }
--- allow: conflict store "gone"
--- steps
is(PUT('/plain/1', { n => 1 })->{status}, 201, 'passed');
route('/plain/', sub { $_[0]{writes} == 1 });

is(status()->{totals}{complete}, JSON::PP::false, 'the totals are not all');
is(ask('view=badge')->{totals}{complete}, JSON::PP::false, 'nor the widget');
like(badge(''), qr/^unknown write conflicts, last 24h the store gone does not answer at least 1, counted by this host/,
     'which says so');
