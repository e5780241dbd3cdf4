# WebDAV and CalDAV: a test suite and a synchronization client get the same from
# a server behind the module as from the server itself.
#
# On both stores.
# Needs: apache2-bin libnginx-mod-http-dav-ext litmus radicale vdirsyncer

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Page ();
use File::Temp qw(tempdir);
use MIME::Base64;
use Test::Nginx::Socket 'no_plan';

my ($apache, $radicale, $dir);

sub put_file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$name: $!";
    print $out $text;
    close $out;
}

# Apache with mod_dav, and Radicale

BEGIN {
    need('apache2', 'litmus', 'radicale', 'vdirsyncer',
         '/usr/lib/nginx/modules/ngx_http_dav_ext_module.so');

    $dir = tempdir(CLEANUP => 1, TMPDIR => 1);
    chmod 0755, $dir;

    $ENV{TEST_NGINX_APACHE} = '127.0.0.1:' . ($apache = free_port());
    $ENV{TEST_NGINX_RADICALE} = '127.0.0.1:' . ($radicale = free_port());
    $ENV{TEST_NGINX_DAV} = "$dir/nginx";

    my $modules = '/usr/lib/apache2/modules';
    my $user = $> ? '' : 'User www-data';

    mkdir "$dir/$_", 0777 for 'apache', 'lock', 'nginx', 'radicale';
    chmod 0777, "$dir/$_" for 'apache', 'lock', 'nginx', 'radicale';

    put_file('httpd.conf', <<"END");
ServerRoot $dir
ServerName localhost
PidFile $dir/httpd.pid
Listen $ENV{TEST_NGINX_APACHE}
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dav_module $modules/mod_dav.so
LoadModule dav_fs_module $modules/mod_dav_fs.so
$user
ErrorLog $dir/httpd.log
DocumentRoot $dir/apache
DavLockDB $dir/lock/db
<Directory />
    Dav On
    Require all granted
</Directory>
END

    put_file('radicale.conf', <<"END");
[server]
hosts = $ENV{TEST_NGINX_RADICALE}
[auth]
type = none
[rights]
type = authenticated
[storage]
filesystem_folder = $dir/radicale
[logging]
level = error
END

    server_start($apache, '/usr/sbin/apache2', '-f', "$dir/httpd.conf",
                 '-D', 'FOREGROUND');
    server_start($radicale, 'radicale', '--config', "$dir/radicale.conf");
}

# what it says of each of its tests

sub litmus {
    my ($url) = @_;

    my $said = `cd $dir && litmus -k $url 2>&1`;

    $said =~ s/^.*\r//mg;

    return [grep { /^\s*\d+\. |^ +\.\.\.|WARNING/ } split /\n/, $said];
}

# an nginx that is none of Debian's has not got all of its methods

sub own {
    my ($text) = @_;

    $text =~ s/^\s*dav_ext.*\n//mg unless $ENV{TEST_NGINX_LOAD_MODULES};

    return $text;
}

my $event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n"
            . "BEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\n"
            . "DTSTART:20260101T100000Z\r\nSUMMARY:%s\r\nEND:VEVENT\r\n"
            . "END:VCALENDAR\r\n";

my $card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nN:%s;;;;\r\n"
           . "END:VCARD\r\n";

# a session as clients of calendars and of address books have it: status, tag
# and body of each answer, but of refusals the status

sub session {
    my ($port, $tags) = @_;

    my @told;
    my %tag;

    my $ask = sub {
        my ($method, $path, $body, @headers) = @_;

        my $r = http($method, "/u/$path", port => $port, body => $body,
                     headers => ['Authorization: Basic dTp1',
                                 $body ? () : 'Content-Length: 0', @headers]);
        my $tag = header($r, 'ETag');

        $tag{$path} = $tag if defined $tag;

        my $text = $r->{body};
        $text =~ s/<getlastmodified>[^<]*//g;
        $text =~ s/<(sync-token|getctag)>[^<]*//g;
        $text = join "\n", sort split /(?=<response>)|(?=<\/multistatus>)/,
                                      $text;

        push @told, "$method $path $r->{status}"
                    . ($tags ? ' ' . ($tag // '-') : '') . " $text"
            if $r->{status} < 400;
        push @told, "$method $path $r->{status}" if $r->{status} >= 400;

        return $r;
    };

    my @xml = ('Content-Type: application/xml');
    my @ics = ('Content-Type: text/calendar');
    my @vcf = ('Content-Type: text/vcard');

    $ask->('MKCALENDAR', 'cal/');
    $ask->('MKCOL', 'book/', '<mkcol xmlns="DAV:"><set><prop><resourcetype>'
           . '<collection/><C:addressbook xmlns:C="urn:ietf:params:xml:ns:'
           . 'carddav"/></resourcetype></prop></set></mkcol>', @xml);

    for my $n (1 .. 3) {
        $ask->('PUT', "cal/$n.ics", sprintf($event, $n, 'one'), @ics,
               'If-None-Match: *');
        $ask->('PUT', "book/$n.vcf", sprintf($card, $n, 'one', 'one'), @vcf,
               'If-None-Match: *');
    }

    for (['cal/1.ics', sprintf($event, 1, '%s'), \@ics],
         ['book/1.vcf', sprintf($card, 1, '%s', 'x'), \@vcf])
    {
        my ($path, $text, $type) = @$_;

        # it is there already, stale, current, and gone

        $ask->('PUT', $path, sprintf($text, 'new'), @$type,
               'If-None-Match: *');

        my $old = $tag{$path};

        $ask->('PUT', $path, sprintf($text, 'two'), @$type,
               "If-Match: $old");
        $ask->('GET', $path);
        $ask->('PUT', $path, sprintf($text, 'stale'), @$type,
               "If-Match: $old");
        $ask->('GET', $path);
        $ask->('DELETE', $path, undef, "If-Match: $old");
        $ask->('GET', $path, undef, "If-None-Match: $tag{$path}");
    }

    # the tags that a client is told by the collection are good for writes

    for (['cal/', '/cal/2.ics', sprintf($event, 2, 'three'), \@ics],
         ['book/', '/book/2.vcf', sprintf($card, 2, 'three', 'x'), \@vcf])
    {
        my ($collection, $path, $text, $type) = @$_;

        my $r = $ask->('PROPFIND', $collection, '<propfind xmlns="DAV:"><prop>'
                       . '<getetag/></prop></propfind>', @xml, 'Depth: 1');
        my ($tag) = $r->{body} =~ m!$path</href>.*?<getetag>(.*?)</getetag>!s;

        $tag =~ s/&quot;/"/g;
        $path =~ s!^/!!;

        $ask->('PUT', $path, $text, @$type, "If-Match: $tag");
        $ask->('PUT', $path, "$text\r\n", @$type, "If-Match: $tag");
    }

    $ask->('REPORT', 'cal/', '<C:calendar-multiget xmlns:C="urn:ietf:params:'
           . 'xml:ns:caldav" xmlns="DAV:"><prop><getetag/><C:calendar-data/>'
           . '</prop><href>/u/cal/2.ics</href></C:calendar-multiget>', @xml);
    $ask->('REPORT', 'cal/', '<sync-collection xmlns="DAV:"><sync-token/>'
           . '<prop><getetag/></prop></sync-collection>', @xml);
    $ask->('MOVE', 'cal/3.ics', undef, "Destination: http://localhost/u/cal/4.ics",
           'Overwrite: F');
    $ask->('GET', 'cal/3.ics');
    $ask->('GET', 'cal/4.ics');
    $ask->('PROPPATCH', 'cal/', '<propertyupdate xmlns="DAV:"><set><prop>'
           . '<displayname>x</displayname></prop></set></propertyupdate>',
           @xml);
    $ask->('DELETE', 'cal/2.ics', undef, "If-Match: $tag{'cal/2.ics'}");
    $ask->('DELETE', 'cal/');
    $ask->('DELETE', 'book/');

    return \@told;
}

# two devices that vdirsyncer keeps the same: their events, and the server's

sub devices {
    my ($name, $port) = @_;

    my $url = "http://127.0.0.1:$port/$name/";
    my $of = "$dir/$name";

    http('MKCALENDAR', "/$name/cal/", port => $port,
         headers => ['Authorization: Basic '
                     . MIME::Base64::encode("$name:x", '')]);

    mkdir $of;
    mkdir "$of/$_" for 'phone', 'laptop', 'status';

    put_file("$name/config", "[general]\nstatus_path = \"$of/status/\"\n"
        . join '', map { <<"END" } 'phone', 'laptop');
[pair $_]
a = "${_}_here"
b = "${_}_there"
collections = null
conflict_resolution = "b wins"
[storage ${_}_here]
type = "filesystem"
path = "$of/$_/"
fileext = ".ics"
[storage ${_}_there]
type = "caldav"
url = "${url}cal/"
username = "$name"
password = "x"
END

    my $said = '';

    my $sync = sub {
        my ($command, @what) = @_;

        my $out = `vdirsyncer -c $of/config $command @what 2>&1 </dev/null`;

        $said .= "$command @what: " . ($? >> 8) . "\n"
                 . join '', map { "$_\n" } grep { /error|warn|conflict/i }
                            split /\n/, $out;
    };

    my $edit = sub {
        my ($device, $uid, $text) = @_;

        my ($file) = grep { slurp($_) =~ /UID:$uid\b/ } glob "$of/$device/*";

        $file ||= "$of/$device/$uid.ics";
        $file =~ s!^\Q$dir/!!;
        put_file($file, sprintf($event, $uid, $text));
    };

    $edit->('phone', $_, 'first') for 'e1' .. 'e4';
    $sync->('discover', 'phone', 'laptop');
    $sync->('sync', 'phone');
    $sync->('sync', 'laptop');

    # each edits one, both the same, and one is gone

    $edit->('phone', 'e1', 'by the phone');
    $edit->('laptop', 'e2', 'by the laptop');
    $edit->($_, 'e3', "by the $_") for 'phone', 'laptop';
    unlink grep { slurp($_) =~ /UID:e4/ } glob "$of/laptop/*";

    $sync->('sync', $_) for 'phone', 'laptop', 'phone';

    for my $device ('phone', 'laptop') {
        my @events = map { slurp($_) =~ /SUMMARY:(.*?)\r?\n/; $1 }
                     sort { slurp($a) cmp slurp($b) } glob "$of/$device/*";

        $said .= "$device: " . join(', ', sort @events) . "\n";
    }

    return $said;
}

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== litmus, with Apache's mod_dav
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        location / {
            conflict version;
            conflict_version header:ETag;
            proxy_set_header Host $http_host;
            proxy_pass http://$TEST_NGINX_APACHE;
        }
    }
--- config
    location / {
        conflict version;
        proxy_set_header Host $http_host;
        proxy_pass http://$TEST_NGINX_APACHE;
    }
--- steps
my $want = litmus("http://$ENV{TEST_NGINX_APACHE}/");

cmp_ok(scalar(grep { / pass/ } @$want), '>', 90, 'without nginx');
is(scalar(grep { /FAIL/ } @$want), 0, 'all of it');

is_deeply(litmus('http://127.0.0.1:' . port() . '/'), $want,
          'with versions of the module');
is_deeply(litmus("http://127.0.0.1:$ENV{TEST_NGINX_PORT2}/"), $want,
          'with its own tags');


=== litmus, with nginx's own handlers
--- allow: /litmus/nonesuch/foo" failed
--- main_config eval
$ENV{TEST_NGINX_LOAD_MODULES}
    ? 'load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;' : ''
--- http_config eval
main::own("dav_ext_lock_zone zone=dav:1m;
server {
    listen 127.0.0.1:$ENV{TEST_NGINX_PORT2};
    location / {
        root $ENV{TEST_NGINX_DAV};
        dav_methods PUT DELETE MKCOL COPY MOVE;
        dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
        dav_ext_lock zone=dav;
    }
}")
--- config eval
main::own("location / {
        conflict version;
        root $ENV{TEST_NGINX_DAV};
        dav_methods PUT DELETE MKCOL COPY MOVE;
        dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
        dav_ext_lock zone=dav;
    }")
--- steps
my $want = litmus("http://127.0.0.1:$ENV{TEST_NGINX_PORT2}/");

cmp_ok(scalar(grep { / pass/ } @$want), '>', 15, 'unguarded');
is_deeply(litmus('http://127.0.0.1:' . port() . '/'), $want, 'guarded');


=== Radicale, and clients of calendars
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        location / {
            conflict version;
            conflict_header_status 412;
            proxy_set_header Host $http_host;
            proxy_pass http://$TEST_NGINX_RADICALE;
        }
    }
--- config
    location / {
        conflict version;
        conflict_version header:ETag;
        conflict_header_status 412;
        proxy_set_header Host $http_host;
        proxy_pass http://$TEST_NGINX_RADICALE;
    }
--- steps
my $radicale = (split /:/, $ENV{TEST_NGINX_RADICALE})[1];
my $want = session($radicale, 'tags');

cmp_ok(scalar(grep { /^PUT .* 412$/ } @$want), '>', 3, 'without nginx');
is_deeply(session(port(), 'tags'), $want, 'the same answers');
is_deeply(session($ENV{TEST_NGINX_PORT2}), session($radicale),
          'with tags of the module, and the server\'s own from its lists');
is(scalar(grep { $_->{action} !~ /^conflict_(version|external)/ } conflicts()),
   0, 'and nothing else is logged');

$want = devices('direct', $radicale);

like($want, qr/^phone: by the laptop, by the phone, by the phone$/m,
     'two devices without nginx');
is(devices('behind', port()), $want, 'the same with it');
is(devices('minted', $ENV{TEST_NGINX_PORT2}), $want,
   'and with versions of the module');


=== docs/webdav.md
--- config eval
my ($first, $files) = Conflict::Page::page('docs/webdav.md') =~ /^```nginx\n(.*?)^```/msg;
$first =~ s!127\.0\.0\.1:5232!$ENV{TEST_NGINX_RADICALE}!;
$files =~ s!/srv/dav!$ENV{TEST_NGINX_DAV}!;
"$first\n$files";
--- steps
my $dir = servroot() . '/../session';

mkdir $dir;
Conflict::Page::session(Conflict::Page::page('docs/webdav.md'), $dir,
        replace => [['http://localhost/', 'http://127.0.0.1:' . port() . '/']]);
