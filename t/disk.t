# Full disks and missing directories; a full disk of the audit log is tested in
# t/audit.t.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();

# a disk with room for one page instead of what is in a directory of nginx

sub fill {
    my ($name) = @_;

    my $dir = servroot() . "/$name";

    return $dir if $> == 0
                   && system("mount -t tmpfs -o size=4k,mode=777 tmpfs $dir"
                             . ' 2> /dev/null') == 0;
    return;
}

sub empty { system("umount -l $_[0]") }

run_tests();

__DATA__

=== no room for the body of a write
--- config
    client_body_temp_path body_temp;
    client_body_buffer_size 8k;
    location / {
        conflict version;
        conflict_wait 10ms;
        proxy_pass http://api;
    }
    location /lm/ {
        conflict merge;
        conflict_wait 10ms;
        proxy_pass http://api;
    }
--- allow: No space left on device|has written only
--- steps
set_doc('/plain/1', { n => 1 });
set_doc('/lm/1', { a => 1, b => 1 });

SKIP: {
    my $disk = fill('body_temp') or skip 'a disk needs root', 1;

    for my $path ('/plain/1', '/lm/1') {
        my $v = version(GET($path));

        for my $chunked (500, 5000) {
            my $r = http('PUT', $path, chunked => $chunked,
                         body => { n => 'x' x 100000, base_version => $v });

            is($r->{status}, 500, "$path: a body that is not had whole");
            is(header($r, 'Conflict'), undef, 'is not judged');
        }

        is(version(GET($path)), $v, 'nothing has changed');
        is(PUT($path, { a => 2, base_version => $v })->{status}, 204,
           'the next write waits for nobody, and its base is good');
        is(PUT($path, { a => 3, base_version => $v })->{status}, 409,
           'others are judged as ever');
    }

    is(scalar(grep { length $_->{body} > 1000 } seen()), 0,
       'nothing of it came to the upstream');
    empty($disk);

    my $v = version(GET('/plain/1'));
    is(PUT('/plain/1', { n => 'x' x 100000, base_version => $v })->{status},
       204, 'then there is room');
}


=== no room for the answer to a write
--- config
    proxy_temp_path proxy_temp;
    location / {
        conflict version;
        conflict_wait 10ms;
        proxy_buffer_size 4k;
        proxy_buffers 2 4k;
        proxy_busy_buffers_size 4k;
        proxy_pass http://api;
    }
--- allow: No space left on device|has written only
--- steps
set_doc('/plain/1', { n => 1 });

SKIP: {
    my $disk = fill('proxy_temp') or skip 'a disk needs root', 1;
    my $v = version(GET('/plain/1'));

    # its client does not read, so what does not fit into buffers is written

    my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
                  headers => ['X-Up-Write: apply status=200 body=20000000']);

    ok(until_true { error_log()
                    =~ /No space left|has written only/ },
   'there is no room');

    my $r = finish($w);
    is($r->{status}, 200, 'the answer begins');
    cmp_ok(length $r->{body}, '<', 20000000, 'and is cut');

    my $next = PUT('/plain/1', { n => 3, base_version => $v });
    is($next->{status}, 409, 'the write was done, and is known');
    is(json($next)->{server_version}{n}, 2, 'as it is');
    is(version($next), version($r), 'under the version that was told');
    is(PUT('/plain/1', { n => 4, base_version => version($r) })->{status},
       204, 'which is a base');
    empty($disk);
}


=== no room for the latest body
--- config
    proxy_temp_path proxy_temp;
    location / {
        conflict version;
        conflict_wait 10ms;
        proxy_buffer_size 4k;
        proxy_buffers 2 4k;
        proxy_busy_buffers_size 4k;
        proxy_pass http://api;
    }
--- allow: No space left on device|has written only
--- steps
set_doc('/plain/1', { text => 'x' x 300000 });

SKIP: {
    my $disk = fill('proxy_temp') or skip 'a disk needs root', 1;
    my $v = version(GET('/plain/1'));
    my $r = PUT('/plain/1', { n => 2, base_version => 1 });

    is($r->{status}, 409, 'refused');
    is(length json($r)->{server_version}{text}, 300000,
       'with a body that needs no disk');
    is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204,
       'as others are let in');
    empty($disk);
}


=== the directory of the audit log is gone
--- config eval
($main::Audit = Conflict::servroot()) =~ s!/[^/]+$!/audit!;
mkdir $main::Audit or die "$main::Audit: $!";
chmod 0777, $main::Audit;

"location / {
    conflict version;
    conflict_log $main::Audit/conflict.log;
    proxy_pass http://api;
}"
--- allow: audit/conflict.log" failed
--- steps
my $dir = $::Audit;
my $refused = sub { PUT('/plain/1', { n => 1, base_version => 1 }) };

set_doc('/plain/1', { n => 1 });
is($refused->()->{status}, 409, 'a conflict');

rename $dir, "$dir.old" or die;
is($refused->()->{status}, 409, 'another, in what is the old one now');

kill 'USR1', master_pid();
ok(until_true { error_log()
                =~ /audit\/conflict.log" failed/ }, 'it cannot be reopened');
is($refused->()->{status}, 409, 'which changes nothing for clients');

mkdir $dir or die;
chmod 0777, $dir;
kill 'USR1', master_pid();
ok(until_true { -e "$dir/conflict.log" }, 'it is made again');

my $r;
until_true { $r = $refused->(); -s "$dir/conflict.log" };

my @old = split /\n/, slurp("$dir.old/conflict.log");
my @new = split /\n/, slurp("$dir/conflict.log");

cmp_ok(scalar(@old), '>=', 3, 'nothing was lost meanwhile');
is(json($new[-1])->{conflict_id}, json($r)->{conflict_id},
   'and it goes on there');
