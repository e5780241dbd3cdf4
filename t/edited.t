# conflict lww edited=: of two edits the one that was made later wins, whatever
# arrives last.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use List::Util qw(shuffle);
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);

add_block_preprocessor(sub {
    my $block = shift;

    return if $block->config;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location / {\n"
                      . "conflict lww edited=header:X-Edited-At "
                      . ($block->more || '') . ";\n"
                      . ($block->settings || '')
                      . "proxy_pass http://api;\n}\n"
                      . "location /dated/ {\n"
                      . "conflict lww edited=header:X-Edited-At;\n"
                      . "conflict_mtime json:/at;\n"
                      . "proxy_pass http://api/plain/;\n}\n"
                      . "location /body/ {\n"
                      . "conflict lww edited=json:/meta/edited_at;\n"
                      . "proxy_pass http://api/;\n}\n");
});

# a time in RFC 3339, so many seconds from now

sub at {
    my @t = gmtime(time() + shift);

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1,
                   @t[3, 2, 1, 0];
}

sub edited { 'X-Edited-At: ' . shift }

# an edit of so many seconds ago: its outcome, and the number that is there then

sub edit {
    my ($path, $n, $time, @headers) = @_;

    my $r = PUT($path, { n => $n }, edited($time), @headers);

    return header($r, 'Conflict') =~ /^(\w+)/ ? "$r->{status} $1"
                                              : $r->{status};
}

sub doc { json(upstream("/_doc?path=$_[0]"))->{n} }

run_tests();

__DATA__

=== the later edit wins, whatever arrives last
--- steps
set_doc('/plain/1', { n => 0 });
is(edit('/plain/1', 1, at(-60)), '204 passed', 'the first to arrive');
is(edit('/plain/1', 2, at(-30)), '204 passed', 'a later one');

my $r = PUT('/plain/1', { n => 3 }, edited(at(-90)), 'X-Client: phone');

is($r->{status}, 200, 'an earlier one is dropped');
like(header($r, 'Conflict'), qr/^dropped;version=\d+/, 'the field');
is(json($r)->{n}, 2, 'with the latest body');
is(doc('/plain/1'), 2, 'the later edit is there');
is(scalar(journal()), 2, 'nothing was sent');

my @log = conflicts();

is(scalar(@log), 1, 'logged once');
is($log[0]{action}, 'conflict_lww', 'action');
is($log[0]{policy}, 'lww', 'policy');
is($log[0]{status}, 200, 'status');
is($log[0]{client_origin}, 'phone', 'the device');
cmp_ok($log[0]{client_ts}, 'lt', $log[0]{server_ts}, 'both times');

is(edit('/plain/1', 4, at(-20)), '204 passed', 'and so on');
is(scalar(conflicts()), 1, 'which is no conflict');


=== PATCH and DELETE are edits as well
--- steps
set_doc('/plain/1', { n => 0 });
edit('/plain/1', 1, at(-60));

my $r = PATCH('/plain/1', { n => 2 }, edited(at(-90)));

is($r->{status}, 200, 'an earlier PATCH');
is(json($r)->{n}, 1, 'the latest body');

$r = DELETE('/plain/1', edited(at(-90)));
is($r->{status}, 200, 'an earlier DELETE');
is(json($r)->{n}, 1, 'the latest body');

is(PATCH('/plain/1', { n => 3 }, edited(at(-50)))->{status}, 204,
   'a later PATCH');
is(DELETE('/plain/1', edited(at(-40)))->{status}, 204, 'a later DELETE');

$r = PUT('/plain/1', { n => 4 }, edited(at(-45)));
is($r->{status}, 409, 'an edit made before the deletion');
ok(json($r)->{deleted}, 'deleted');
is((conflicts())[-1]{action}, 'conflict_deleted', 'logged');
is(edit('/plain/1', 5, at(-30)), '201 passed', 'one made after it');


=== all formats, and times that cannot be read
--- steps
my $now = time() * 1000;

set_doc("/plain/$_", { n => 0 }) for 1 .. 4;

for my $time ($now - 60000, '2001-02-03T04:05:06.789012+02:00',
              'Sun, 06 Nov 1994 08:49:37 GMT', '1969-12-31T23:59:59Z')
{
    is(edit('/plain/1', 1, $now - 30000), '204 passed', 'an edit');
    is(edit('/plain/1', 2, $time), '200 dropped', "before it: $time");
}

for my $time ('yesterday', '2026-13-01T00:00:00Z', '-5', '1.5', '12e3', '',
              '9' x 30)
{
    my $r = PUT('/plain/2', { n => 1 }, edited($time));

    next if $time eq '' && $r->{status} == 204;
    is($r->{status}, 400, "malformed: $time");
    is(json($r)->{error}, 'malformed_edit_time', 'why');
}

my $r = PUT('/plain/2', { n => 1 }, edited($now), edited($now));
is($r->{status}, 400, 'repeated');

# in the body

sub in_body {
    my ($path, $text) = @_;

    return PUT("/body$path", qq({"n":1,"meta":{"edited_at":$text}}));
}

is(in_body('/plain/3', $now - 30000)->{status}, 204, 'a number');
is(in_body('/plain/3', '"' . at(-60) . '"')->{status}, 200, 'a string');
is(in_body('/plain/3', $now - 60000)->{status}, 200, 'an earlier number');
is(in_body('/plain/3', 'null')->{status}, 204, 'none');
is(PUT('/body/plain/3', { n => 2 })->{status}, 204, 'no member');
is(in_body('/plain/3', $_)->{status}, 400, "malformed: $_")
    for ('true', '{}', '[]', '""', '"x"', '1.5', '-1', '"' . 'x' x 300 . '"');
is(in_body('/plain/3', '1,"edited_at":2')->{status}, 400, 'repeated');

# a base in a header does not make up for a time that cannot be read

for my $base ('If-Match: *', 'If-Match: "1"',
              'If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT',
              'Conflict-Chain: "0123456789ab";base=1;n=1')
{
    my @args = ('PUT', '/body/plain/3', headers => [
                'Content-Type: application/json', $base]);
    my $old = qq({"n":1,"meta":{"edited_at":1});

    is(http(@args, body => "$old}")->{status}, 200, "dropped, $base");

    $r = http(@args, body => $old);
    is(json($r)->{error}, 'malformed_json', 'malformed');

    $r = http(@args, body => $old . ',"x":"' . 'x' x 1048576 . '"}');
    is(json($r)->{error}, 'body_too_large', 'too large');
}

is(json(upstream('/_doc?path=/plain/3'))->{n}, 2, 'nothing of that was sent');


=== equal times: a fixed order of clients, whoever arrives first
--- steps
our $time = at(-60);

sub order {
    my ($path, @clients) = @_;

    set_doc($path, { n => 0 });
    edit($path, $_, $time, "X-Client: $_") for @clients;

    return doc($path);
}

my @names = map { "c$_" } 1 .. 6;
my $first = order('/plain/1', @names);

is(order('/plain/2', reverse @names), $first, 'in the other order');
is(order('/plain/3', @names[2 .. 5], @names[0, 1]), $first, 'in another one');
is(order('/plain/4', 'c1', 'c1') && doc('/plain/4'), 'c1', 'the same client');

# of one client the later arrival: it is the order of the device itself

is(edit('/plain/5', $_, $time, 'X-Client: c1'), $_ == 1 ? '201 passed'
                                                       : '204 passed', "n = $_")
    for 1 .. 3;
is(doc('/plain/5'), 3, 'the last one');

# a user without a device counts as one

is(edit('/plain/6', 'u', $time, 'X-User: ann'), '201 passed', 'a user');
is(edit('/plain/6', 'n', $time), '200 dropped', 'nobody comes before anybody');


=== a write without a time counts as made when it arrives
--- steps
set_doc('/plain/1', { n => 0 });
edit('/plain/1', 1, at(-60));

my $r = PUT('/plain/1', { n => 2 });

is($r->{status}, 204, 'it is not dropped');
is(edit('/plain/1', 3, at(-30)), '200 dropped', 'an edit before its arrival is');
is(edit('/plain/1', 4, at(100)), '204 passed', 'a clock that is ahead');
is(PUT('/plain/1', { n => 5 })->{status}, 204, 'it is not dropped either');
is(edit('/plain/1', 6, at(60)), '200 dropped',
   'but is not earlier than what it has replaced');
is(doc('/plain/1'), 5, 'the last one');


=== a clock that is ahead by more than skew
--- more: skew=10s
--- steps
set_doc('/plain/1', { n => 0 });

is(edit('/plain/1', 1, at(8)), '204 passed', 'within skew');
is(edit('/plain/1', 2, at(-1)), '200 dropped', 'it counts as it is');
unlike(error_log(), qr/ms ahead/, 'nothing is logged');

is(edit('/plain/1', 3, at(3600)), '204 passed', 'far ahead');
like(error_log(), qr/edit of ".*plain\/1" by client "" has a time that is more than 10000 ms ahead/,
     'logged');
is(edit('/plain/1', 4, at(30)), '204 passed', 'it counts as made on arrival');
is(edit('/plain/1', 5, at(9)), '204 passed', 'so another clock may win');


=== an edit made on the current version was made after it
--- steps
set_doc('/plain/1', { n => 0 });
edit('/plain/1', 1, at(-10));

my $v = version(GET('/plain/1'));

is(edit('/plain/1', 2, at(-60), qq(If-Match: "$v")), '204 passed', 'a tag');
is(edit('/plain/1', 3, at(-60)), '200 dropped', 'the later time stays');
is(edit('/plain/1', 3, at(-60), qq(If-Match: "$v")), '200 dropped',
   'a stale tag');

$v = version(GET('/plain/1'));

is(PUT('/plain/1', { n => 4, base_version => $v }, edited(at(-60)))->{status},
   204, 'a base in the body');
is(PUT('/plain/1', { n => 5 }, edited(at(-60)),
       "Conflict-Chain: \"8f2c91d0\";base=$v;n=1")->{status}, 200,
   'a stale chain');

$v = version(GET('/plain/1'));
is(PUT('/plain/1', { n => 6 }, edited(at(-60)),
       "Conflict-Chain: \"8f2c91d0\";base=$v;n=$_")->{status}, 204, "link $_")
    for 1 .. 2;

# which does not show that the client has seen anything

is(edit('/plain/1', 7, at(-60), 'If-Match: *'), '200 dropped', 'If-Match: *');

# a stale base says only what is overwritten

is(PUT('/plain/1', { n => 8, base_version => 5 }, edited(at(-5)))->{status},
   204, 'a later edit with a stale base');
is((conflicts())[-1]{action}, 'conflict_lww', 'logged');
is(doc('/plain/1'), 8, 'it passes');


=== two edits in flight cannot pass each other
--- steps
set_doc('/plain/1', { n => 0 });
edit('/plain/1', 1, at(-60));

my $w = start('PUT', '/plain/1', body => { n => 2 },
              headers => ['X-Up-Write: hold apply', edited(at(-20))]);
begun(2);

is(edit('/plain/1', 3, at(-90)), '200 dropped',
   'an edit before the current one does not wait');

my $earlier = start('PUT', '/plain/1', body => { n => 4 },
                    headers => [edited(at(-30))]);
my $later = start('PUT', '/plain/1', body => { n => 5 },
                  headers => [edited(at(-10))]);

release();
is(finish($w)->{status}, 204, 'the one in flight');
like(finish($earlier)->{status}, qr/^200$/, 'one before it is dropped');
is(finish($later)->{status}, 204, 'one after it passes');
is(doc('/plain/1'), 5, 'the latest is there');


=== a write that hangs: the others are refused, not let pass
--- settings
conflict_wait 50ms;
conflict_quarantine 100ms;
--- steps
set_doc('/plain/1', { n => 0 });
edit('/plain/1', 1, at(-60));

my $w = start('PUT', '/plain/1', body => { n => 2 },
              headers => ['X-Up-Write: hold apply', edited(at(-20))]);
begun(2);

my $r = PUT('/plain/1', { n => 3 }, edited(at(-10)));

is($r->{status}, 409, 'later, but it might land first');
is(json($r)->{error}, 'write_in_progress', 'why');
release();
is(finish($w)->{status}, 204, 'the one that hung');
is(edit('/plain/1', 3, at(-10)), '204 passed', 'again');


=== a write that the API has refused leaves the time as it was
--- steps
set_doc('/plain/1', { n => 0 });
edit('/plain/1', 1, at(-60));

is(edit('/plain/1', 2, at(-10), 'X-Up-Write: status=422'), '422 passed',
   'refused');
is(edit('/plain/1', 3, at(-30)), '204 passed', 'an edit in between');


=== unknown outcome: done, unless a GET shows the same body
--- settings
conflict_quarantine 100ms;
--- steps
for my $applied (1, 0) {
    my $path = "/plain/$applied";

    set_doc($path, { n => 0 });
    edit($path, 1, at(-60));
    GET($path);

    is(edit($path, 2, at(-10),
            'X-Up-Write: ' . ($applied ? 'apply close' : 'close')),
       '502 passed', 'the answer is lost');

    my $r;

    until_true { $r = edit($path, 3, at(-30)); $r !~ /busy/ };

    is($r, $applied ? '200 dropped' : '204 passed',
       $applied ? 'it was done' : 'it was not');
    is(doc($path), $applied ? 2 : 3, 'what is there');
    is(edit($path, 4, at(-5)), '204 passed', 'a later one');
}


=== a retry of the edit that is there is not a conflict
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my @edit = ('/plain/1', { n => 1, base_version => $v }, edited(at(-60)),
            'X-Client: a');

is(PUT(@edit)->{status}, 204, 'the edit');
like(header(PUT(@edit), 'Conflict'), qr/^replayed/, 'again');
is(scalar(conflicts()), 0, 'nothing is logged');
is(scalar(journal()), 1, 'sent once');


=== writes of another route count as edited when they were done
--- config
location /edited/ {
    conflict lww edited=header:X-Edited-At;
    conflict_key one;
    proxy_pass http://api/plain/;
}
location /other/ {
    conflict lww;
    conflict_key one;
    proxy_pass http://api/plain/;
}
--- steps
set_doc('/plain/1', { n => 0 });

is(edit('/edited/1', 1, at(-60)), '204 passed', 'an edit');
is(PUT('/other/1', { n => 2 })->{status}, 204, 'a write without a time');
is(edit('/edited/1', 3, at(-30)), '200 dropped', 'an edit before it');
is(edit('/edited/1', 4, at(30)), '204 passed', 'an edit after it');
is(edit('/edited/1', 5, at(10)), '200 dropped', 'and so on');


=== a resource that the store does not know: by its date, or as lww
--- steps
my $day = 24 * 3600;

set_doc('/lm/1', { n => 0 }, mtime => time() - $day);
is(edit('/lm/1', 1, at(-2 * $day)), '200 dropped', 'before Last-Modified');
is(edit('/lm/1', 2, at(-60)), '204 passed', 'after it');

set_doc('/plain/1', { n => 0 });
is(edit('/plain/1', 1, at(-2 * $day)), '204 passed', 'without a date');
is(edit('/plain/1', 2, at(-3 * $day)), '200 dropped', 'known by now');
is(edit('/plain/2', 1, at(-2 * $day)), '201 passed', 'a new one');


=== a date of the API that is ahead holds back no edit
--- steps
my $day = 24 * 3600;

for my $ahead (120, 3600, 365 * $day) {
    my $passes = $ahead > 300;

    set_doc("/lm/$ahead", { n => 0 }, mtime => time() + $ahead);
    GET("/lm/$ahead");
    set_doc("/lm/not-read-$ahead", { n => 0 }, mtime => time() + $ahead);
    set_doc("/plain/$ahead", { n => 0, at => at($ahead) });
    set_doc("/plain/not-read-$ahead", { n => 0, at => at($ahead) });
    GET("/dated/$ahead");

    for my $path ("/lm/$ahead", "/lm/not-read-$ahead", "/dated/$ahead",
                  "/dated/not-read-$ahead")
    {
        is(edit($path, 1, at(-60)), $passes ? '204 passed' : '200 dropped',
           "$path: " . ($passes ? 'not believed' : 'a clock may be wrong'));
        is(edit($path, 2, at(-120)), '200 dropped', 'an earlier one');
    }
}


=== a caller that may not see the resource
--- steps
set_doc('/auth/1', { n => 0 });

my @reader = ('Authorization: Bearer reader');

is(edit('/auth/1', 1, at(-60), @reader), '204 passed', 'an edit');

my $r = PUT('/auth/1', { n => 2 }, edited(at(-90)), 'Authorization: Bearer x');

is($r->{status}, 409, 'an earlier one, by somebody else');
unlike($r->{body}, qr/"n"/, 'without the body');
is(doc('/auth/1'), 1, 'it was not sent');


=== report: all pass, and the log says what would have been dropped
--- more: report
--- steps
set_doc('/plain/1', { n => 0 });
GET('/plain/1');
edit('/plain/1', 1, at(-60));

is(PUT('/plain/1', { n => 2 }, edited(at(-90)))->{status}, 204, 'an earlier one');
is(doc('/plain/1'), 2, 'passes');
is(PUT('/plain/1', { n => 3 }, edited('x'))->{status}, 204, 'a malformed time');

my @log = conflicts();

is($log[0]{action}, 'conflict_lww', 'logged');
ok($log[0]{report}, 'as a report');
cmp_ok($log[0]{client_ts}, 'lt', $log[0]{server_ts}, 'both times');


=== random edits in a random order, by two workers: the latest is there
--- settings
conflict_wait 5s;
--- steps
srand(7);

for my $path (map { "/plain/$_" } 1 .. 6) {
    my %at = map { $_ => at(-1000 + int(rand(900))) } 1 .. 12;
    my ($latest) = sort { $at{$b} cmp $at{$a} } keys %at;

    # equal times of the latest are another test
    $at{$latest} = at(-50);

    set_doc($path, { n => 0 });

    my @pending = map { start('PUT', $path, body => { n => $_ },
                              headers => [edited($at{$_}),
                                          'X-Up-Write: sleep=0.002 apply']) }
                  shuffle(sort keys %at);

    is(scalar(grep { finish($_)->{status} !~ /^20[04]$/ } @pending), 0,
       'all are answered');
    is(doc($path), $latest, 'the latest one');
}


=== MOVE and COPY: both resources
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/plain/2', { n => 2 });
edit('/plain/1', 1, at(-60));
edit('/plain/2', 2, at(-20));

my @to = ("Destination: http://localhost/plain/2", 'Overwrite: T');

is(http('MOVE', '/plain/1', headers => [@to, edited(at(-40))])->{status}, 200,
   'over a later edit');
is(doc('/plain/2'), 2, 'dropped');
is(http('COPY', '/plain/1', headers => [@to, edited(at(-90))])->{status}, 200,
   'a COPY');
like(http('COPY', '/plain/1', headers => [@to, edited(at(-10))])->{status},
     qr/^20[14]$/, 'after both');
is(doc('/plain/2'), 1, 'done');


=== more resources than the zone holds
--- http_config
    conflict_store small zone=64k;
--- config
    location / {
        conflict lww store=small edited=header:X-Edited-At;
        proxy_pass http://api;
    }
--- steps
my @failed = grep { edit("/plain/$_", 1, at(-60)) ne '201 passed' } 1 .. 600;

is("@failed", '', 'all pass');
is(edit('/plain/600', 2, at(-90)), '200 dropped', 'the last one is known');
is(edit('/plain/1', 2, at(-90)), '204 passed', 'the first one is not');


=== the current version cannot be determined: what passes all the same
--- config
    location /plain/ {
        conflict lww edited=header:X-Edited-At report;
        proxy_pass http://api;
    }
    location /lm/ {
        conflict lww edited=header:X-Edited-At;
        conflict_store_error pass;
        proxy_pass http://api;
    }
    location /own/ {
        conflict lww edited=header:X-Edited-At;
        proxy_pass http://api;
    }
--- steps
for my $status (500, 304, 403) {
    for my $base ({}, { base_version => 1 }) {
        my $at = $status . keys %$base;
        my %doc = (n => 1, %$base);
        my @fails = ("X-Up-Read: status=$status",
                     'X-Edited-At: 2026-01-01T00:00:00Z');

        my $r = PUT("/plain/$at", { %doc }, @fails);
        is($r->{status}, 201, "report: $at");
        like(header($r, 'Conflict'), qr/report/, 'in report mode');

        next if $status == 403;

        is(PUT("/lm/$at", { %doc }, @fails)->{status}, 201, "pass: $at");
        is(PUT("/own/$at", { %doc }, @fails)->{status}, 503,
           "refused: $at");
    }
}
