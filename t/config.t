# Directives: each wrong argument stops nginx with an error that quotes it.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== a method that makes a write of each GET
--- config
    location /x/ {
        conflict version;
        proxy_method PUT;
        proxy_pass http://api;
    }
--- steps
is(GET('/ping')->{status}, 200, 'nginx starts');
--- error_log
"proxy_method PUT" in location "/x/" would make a write of the GET


=== the same by a parameter
--- config
    location /x/ {
        conflict version;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param REQUEST_METHOD PUT;
        fastcgi_pass 127.0.0.1:1;
    }
--- steps
is(GET('/ping')->{status}, 200, 'nginx starts');
--- error_log
"fastcgi_param REQUEST_METHOD PUT" in location "/x/" would make a write of the GET


=== the same with an address in a variable
--- config
    location /x/ {
        conflict version;
        set $name 127.0.0.1:1;
        fastcgi_param REQUEST_METHOD PUT;
        fastcgi_pass $name;
    }
--- steps
is(GET('/ping')->{status}, 200, 'nginx starts');
--- error_log
"fastcgi_param REQUEST_METHOD PUT" in location "/x/" would make a write of the GET


=== a method that does not
--- http_config
    proxy_method GET;
--- config
    location /x/ {
        conflict version;
        proxy_method $request_method;
        proxy_pass http://api;
    }
    location /get/ {
        conflict version;
        proxy_pass http://api;
    }
    location /put/ {
        proxy_method PUT;
        proxy_pass http://api;
    }
    location /cgi/ {
        conflict version;
        proxy_method PUT;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param X_METHOD PUT;
        fastcgi_pass 127.0.0.1:1;
    }
    location /name/ {
        conflict version;
        set $name 127.0.0.1:1;
        proxy_method PUT;
        scgi_param REQUEST_METHOD PUT;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_pass $name;
    }
    location /unused/ {
        conflict version;
        fastcgi_param REQUEST_METHOD PUT;
        proxy_pass http://api;
    }
    location /static/ {
        conflict off;
        fastcgi_param REQUEST_METHOD PUT;
    }
--- steps
is(GET('/ping')->{status}, 200, 'nginx starts');


=== an unknown policy
--- config
    location /x/ {
        conflict never;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid policy "never"


=== the time of the edit under another policy
--- config
    location /x/ {
        conflict version edited=header:X-Edited-At;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "edited=header:X-Edited-At"


=== a place that is none
--- config
    location /x/ {
        conflict lww edited=query:at;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "edited=query:at", it must be "edited=json:/POINTER" or "edited=header:NAME"


=== an invalid JSON pointer of it
--- config
    location /x/ {
        conflict lww edited=json:at;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "json:at"


=== a header that nginx drops
--- config
    location /x/ {
        conflict lww edited=header:edited_at;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict lww edited=header:edited_at" in location "/x/" requires "underscores_in_headers on"


=== an invalid skew
--- config
    location /x/ {
        conflict lww edited=json:/at skew=2d;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid time "skew=2d", it must be from 0 to 1d


=== skew alone
--- config
    location /x/ {
        conflict lww skew=1m;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "skew=1m" requires "edited=header:NAME"


=== twice
--- config
    location /x/ {
        conflict lww edited=json:/at edited=json:/at;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "edited=json:/at" is repeated


=== an unknown parameter
--- config
    location /x/ {
        conflict version always;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "always"


=== a policy twice
--- config
    location /x/ {
        conflict version;
        conflict lww;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict" directive is duplicate


=== an unknown store
--- config
    location /x/ {
        conflict version store=nowhere;
        proxy_pass http://api;
    }
--- must_die
--- error_log
unknown store "nowhere"


=== a store name with a space
--- config
    location /x/ {
        conflict version 'store=a b';
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid store name "a b"


=== an empty store name
--- config
    location /x/ {
        conflict version store=;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid store name ""


=== a store that is no zone
--- http_config
    conflict_store one size=1m;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid store "size="


=== a zone without a size
--- http_config
    conflict_store one zone=big;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid zone size "zone=big"


=== a small zone
--- http_config
    conflict_store one zone=8k;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
zone "zone=8k" is too small


=== a store twice
--- http_config
    conflict_store one zone=1m;
    conflict_store one zone=2m;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
duplicate store "one"


=== a bad name of a store
--- http_config
    conflict_store o/e zone=1m;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid store name "o/e"


=== a pointer without a slash
--- config
    location /x/ {
        conflict_base json:base;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "json:base"


=== a pointer with a bad escape
--- config
    location /x/ {
        conflict_base json:/a~2b;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "json:/a~2b"


=== a pointer that is too deep
--- config
    location /x/ {
        conflict_base json:/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "json:/a/a


=== a base that is neither
--- config
    location /x/ {
        conflict_base cookie:x;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "cookie:x", it must be "json:/POINTER" or "header:NAME"


=== a header whose value must not be logged
--- config
    location /x/ {
        conflict_base header:Authorization;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid header in "header:authorization", its value is a secret, and would be in logs and refusals


=== such a header with the time of an edit
--- config
    location /x/ {
        conflict lww edited=header:Cookie;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid header in "header:cookie", its value is a secret


=== a header without a name
--- config
    location /x/ {
        conflict_base header:;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "header:"


=== a header with a space
--- config
    location /x/ {
        conflict_base 'header:a b';
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "header:a b"


=== a base twice
--- config
    location /x/ {
        conflict_base json:/a;
        conflict_base json:/b;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_base" directive is duplicate


=== a bad version
--- config
    location /x/ {
        conflict_version clock;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "clock", it must be "counter", "json:/POINTER" or "header:NAME"


=== a bad mtime
--- config
    location /x/ {
        conflict_mtime never;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "never", it must be "auto",


=== a bad inject
--- config
    location /x/ {
        conflict_inject header:x;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "header:x", it must be "off" or "json:/POINTER"


=== inject without minted versions
--- config
    location /x/ {
        conflict version;
        conflict_version json:/version;
        conflict_inject json:/v;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_inject" in location "/x/" requires "conflict_version counter"


=== a list without items
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"json:/data/*/v" requires the path of an item, as in


=== items without a list
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/v item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "item=/x/$conflict_item", "json:/data/v" has no "*"


=== a list without a member
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/* item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "json:/data/*", it must be "json:/LIST/*/NAME"


=== a list of lists
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/*/*/v item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "json:/*/*/v", it must be


=== items without an id
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v item=/x/;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid path "item=/x/", it must have "$conflict_item" once


=== items with two ids
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v item=/x/$conflict_item/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid path "item=/x/$conflict_item/$conflict_item", it must have


=== items with another id
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v item=/x/$conflict_items;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid path "item=/x/$conflict_items", it must have


=== a bad id of items
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v id=id item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "id=id", it must be "item=PATH" or "id=json:/POINTER"


=== a list that replaces the ids
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/*/id item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"json:/*/id" replaces the id of the items


=== two lists
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v item=/x/$conflict_item;
        conflict_inject json:/data/*/v item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_inject" directive is duplicate


=== a list without minted versions
--- config
    location /x/ {
        conflict version;
        conflict_version json:/version;
        conflict_inject json:/data/*/v item=/x/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_inject" in location "/x/" requires "conflict_version counter"


=== items of no guarded location
--- config
    location /x/ {
        conflict version;
        conflict_inject json:/data/*/v item=/y/$conflict_item;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_inject" in location "/x/": no guarded location of this server has "item=/y/$conflict_item"


=== items of another store
--- http_config
    conflict_store other zone=1m;
--- config
    location = /x {
        conflict version;
        conflict_inject json:/*/v item=/x/$conflict_item;
        proxy_pass http://api;
    }
    location /x/ {
        conflict version store=other;
        proxy_pass http://api;
    }
--- must_die
--- error_log
no guarded location of this server with the same store and with "conflict_version counter" has "item=/x/$conflict_item"


=== strip of a header
--- config
    location /x/ {
        conflict version;
        conflict_base header:X-Base;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_strip_base" in location "/x/" requires "conflict_base json:/POINTER"


=== a flag
--- config
    location /x/ {
        conflict_strip_base yes;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "yes" in "conflict_strip_base"


=== another flag
--- config
    location /x/ {
        conflict_require maybe;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "maybe" in "conflict_require"


=== a method
--- config
    location /x/ {
        conflict_methods PUT Fetch;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid method "Fetch", it must be in capital letters


=== a method twice
--- config
    location /x/ {
        conflict_methods PUT LINK PUT;
        proxy_pass http://api;
    }
--- must_die
--- error_log
method "PUT" is duplicate


=== a method that only reads
--- config
    location /x/ {
        conflict_methods GET;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid method "GET", it is not a write


=== a source of the latest body
--- config
    location /x/ {
        conflict_latest cache;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "cache", it must be "fetch" or "off"


=== its parameter
--- config
    location /x/ {
        conflict_latest fetch path=/a;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "path=/a"


=== its pointer
--- config
    location /x/ {
        conflict_latest fetch root=data;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer in "root=data"


=== a root of nothing
--- config
    location /x/ {
        conflict_latest off root=/data;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "root=/data"


=== a status
--- config
    location /x/ {
        conflict_header_status 410;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "410"


=== a short lease
--- config
    location /x/ {
        conflict_lease 10ms;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid time "10ms", it must be from 100ms


=== no time
--- config
    location /x/ {
        conflict_lease soon;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid time "soon", it must be from 100ms to 1d


=== a long wait
--- config
    location /x/ {
        conflict_wait 2d;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid time "2d", it must be from 0 to 1d


=== a negative quarantine
--- config
    location /x/ {
        conflict_quarantine -1s;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid time "-1s", it must be from 0 to 1d


=== a size
--- config
    location /x/ {
        conflict_max_body much;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid size "much"


=== a store error
--- config
    location /x/ {
        conflict_store_error ignore;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "ignore"


=== a log with a variable
--- config
    location /x/ {
        conflict_log logs/$host.log;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid log "logs/$host.log"


=== a log that cannot be opened
--- config
    location /x/ {
        conflict_log /nonexistent/conflict.log;
        proxy_pass http://api;
    }
--- must_die
--- error_log
/nonexistent/conflict.log" failed


=== a syslog that is none
--- config
    location /x/ {
        conflict_log syslog:severity=info;
        proxy_pass http://api;
    }
--- must_die
--- error_log
no syslog server specified


=== a log twice
--- config
    location /x/ {
        conflict_log a.log;
        conflict_log b.log;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_log" directive is duplicate


=== a key with an unknown variable
--- config
    location /x/ {
        conflict_key $nothing_like_it;
        proxy_pass http://api;
    }
--- must_die
--- error_log
unknown "nothing_like_it" variable


=== a user twice
--- config
    location /x/ {
        conflict_user a;
        conflict_user b;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_user" directive is duplicate


=== no argument
--- config
    location /x/ {
        conflict;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number of arguments in "conflict" directive


=== a store in a location
--- config
    location /x/ {
        conflict_store one zone=1m;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_store" directive is not allowed here


=== a CA without TLS
--- http_config
    conflict_store one redis://127.0.0.1 tls_ca=ca.pem;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "tls_ca=ca.pem" of store "one" requires "rediss://"


=== a certificate without TLS
--- http_config
    conflict_store one redis://127.0.0.1 tls_cert=c.pem tls_key=k.pem;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "tls_cert=c.pem" of store "one" requires "rediss://"


=== a name without TLS
--- http_config
    conflict_store one redis://127.0.0.1 tls_name=a.example;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "tls_name=a.example" of store "one" requires "rediss://"


=== a certificate without its key
--- http_config
    conflict_store one rediss://127.0.0.1 tls_cert=c.pem;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "tls_cert=c.pem" of store "one" requires "tls_key=FILE"


=== a key without its certificate
--- http_config
    conflict_store one rediss://127.0.0.1 tls_key=k.pem;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "tls_key=k.pem" of store "one" requires "tls_cert=FILE"


=== an empty CA
--- http_config
    conflict_store one rediss://127.0.0.1 tls_ca=;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "tls_ca=" of store "one"


=== a socket beside TLS
--- http_config
    conflict_store one rediss://127.0.0.1 unix:/tmp/s cluster;
--- config
    location /x/ {
        conflict off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
store "one" has addresses both with and without TLS


=== no size at all
--- config
    location /x/ {
        conflict_max_body 0;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid size "0"


=== a header that is a base in any case
--- config
    location /x/ {
        conflict version;
        conflict_base header:If-Match;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_base header:if-match" in location "/x/" is unnecessary


=== a header that nginx drops
--- config
    location /x/ {
        conflict version;
        conflict_base header:X_Base;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_base header:x_base" in location "/x/" requires "underscores_in_headers on"


=== a parameter of nothing
--- config
    location /x/ {
        conflict off store=none;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "store=none", "off" has no parameters


=== report twice
--- config
    location /x/ {
        conflict lww report report;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "report"


=== a log in memory
--- config
    location /x/ {
        conflict_log memory:32m;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid log "memory:32m"


=== a parameter of a store twice
--- http_config
    conflict_store x redis://127.0.0.1 timeout=1s timeout=2s;
--- config
    location /x/ {
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "timeout=2s" of store "x" is duplicate


=== a database twice
--- http_config
    conflict_store x redis://127.0.0.1/3 db=4;
--- config
    location /x/ {
        proxy_pass http://api;
    }
--- must_die
--- error_log
the database is specified twice


=== a password without a host
--- http_config
    conflict_store x redis://:s3cret;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid address "redis://:" of store "x"


=== a user and a password without a host
--- http_config
    conflict_store x redis://u:s3cret;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid address "redis://u:" of store "x"


=== a password with an "@" in it, without a host
--- http_config
    conflict_store x redis://:a@b:s3cret;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid address "b:" of store "x"


=== a scheme that is none
--- http_config
    conflict_store x valkey://u:s3cret@h;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid store "valkey:"


=== a scheme in capitals, further on
--- http_config
    conflict_store x redis://127.0.0.1 REDIS://u:s3cret@h;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
unknown parameter "REDIS:" of store "x"


=== a password as a parameter
--- http_config
    conflict_store x redis://127.0.0.1 password=s3cret;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
unknown parameter "password=" of store "x"


=== an address of a zone
--- http_config
    conflict_store x zone=1m redis://:s3cret@h;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid parameter "redis:" of store "x"


=== a percent sign in a password
--- http_config
    conflict_store x redis://:a%s3cret@127.0.0.1;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid address "127.0.0.1" of store "x": "%" in user or password must be written as "%25"


=== a ttl of ages
--- http_config
    conflict_store x redis://127.0.0.1 ttl=4000d;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- no_error_log
s3cret
--- error_log
invalid parameter "ttl=4000d" of store "x"


=== a time-out of a month
--- http_config
    conflict_store x redis://127.0.0.1 timeout=30d;
--- config
    location /x/ {
        conflict version store=x;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "timeout=30d" of store "x", it must be a time from 1ms to 1h


=== a field with an unknown rule
--- config
    location /x/ {
        conflict merge;
        conflict_field /a newest;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid rule "newest"


=== a field without a pointer
--- config
    location /x/ {
        conflict merge;
        conflict_field a lww;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid JSON pointer "a"


=== a union with an empty key
--- config
    location /x/ {
        conflict merge;
        conflict_field /a union();
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid rule "union()"


=== a field twice
--- config
    location /x/ {
        conflict merge;
        conflict_field /a lww;
        conflict_field /a max;
        proxy_pass http://api;
    }
--- must_die
--- error_log
field "/a" is duplicate


=== a field within one that has a rule for all of it
--- config
    location /x/ {
        conflict merge;
        conflict_field /a lww;
        conflict_field /a/b max;
        proxy_pass http://api;
    }
--- must_die
--- error_log
field "/a/b" overlaps with another one: the outer one has the rule "lww"


=== a field around one
--- config
    location /x/ {
        conflict merge;
        conflict_field /a/b max;
        conflict_field /a union;
        proxy_pass http://api;
    }
--- must_die
--- error_log
field "/a" overlaps with another one


=== a field that is the base
--- config
    location /x/ {
        conflict merge;
        conflict_field /base_version lww;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_field" in location "/x/" has the rule "lww" for the member with the base version


=== a field around the base
--- config
    location /x/ {
        conflict merge;
        conflict_base json:/meta/rev;
        conflict_field /meta lww;
        proxy_pass http://api;
    }
--- must_die
--- error_log
has the rule "lww" for the member with the base version


=== a field without a rule
--- config
    location /x/ {
        conflict merge;
        conflict_field /a;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number of arguments in "conflict_field" directive


=== too many fields
--- config
    location /x/ {
        conflict merge;
        conflict_field /a0 lww;
        conflict_field /a1 lww;
        conflict_field /a2 lww;
        conflict_field /a3 lww;
        conflict_field /a4 lww;
        conflict_field /a5 lww;
        conflict_field /a6 lww;
        conflict_field /a7 lww;
        conflict_field /a8 lww;
        conflict_field /a9 lww;
        conflict_field /a10 lww;
        conflict_field /a11 lww;
        conflict_field /a12 lww;
        conflict_field /a13 lww;
        conflict_field /a14 lww;
        conflict_field /a15 lww;
        conflict_field /a16 lww;
        conflict_field /a17 lww;
        conflict_field /a18 lww;
        conflict_field /a19 lww;
        conflict_field /a20 lww;
        conflict_field /a21 lww;
        conflict_field /a22 lww;
        conflict_field /a23 lww;
        conflict_field /a24 lww;
        conflict_field /a25 lww;
        conflict_field /a26 lww;
        conflict_field /a27 lww;
        conflict_field /a28 lww;
        conflict_field /a29 lww;
        conflict_field /a30 lww;
        conflict_field /a31 lww;
        conflict_field /a32 lww;
        conflict_field /a33 lww;
        conflict_field /a34 lww;
        conflict_field /a35 lww;
        conflict_field /a36 lww;
        conflict_field /a37 lww;
        conflict_field /a38 lww;
        conflict_field /a39 lww;
        conflict_field /a40 lww;
        conflict_field /a41 lww;
        conflict_field /a42 lww;
        conflict_field /a43 lww;
        conflict_field /a44 lww;
        conflict_field /a45 lww;
        conflict_field /a46 lww;
        conflict_field /a47 lww;
        conflict_field /a48 lww;
        conflict_field /a49 lww;
        conflict_field /a50 lww;
        conflict_field /a51 lww;
        conflict_field /a52 lww;
        conflict_field /a53 lww;
        conflict_field /a54 lww;
        conflict_field /a55 lww;
        conflict_field /a56 lww;
        conflict_field /a57 lww;
        conflict_field /a58 lww;
        conflict_field /a59 lww;
        conflict_field /a60 lww;
        conflict_field /a61 lww;
        conflict_field /a62 lww;
        conflict_field /a63 lww;
        conflict_field /a64 lww;
        conflict_field /a65 lww;
        conflict_field /a66 lww;
        conflict_field /a67 lww;
        conflict_field /a68 lww;
        conflict_field /a69 lww;
        conflict_field /a70 lww;
        conflict_field /a71 lww;
        conflict_field /a72 lww;
        conflict_field /a73 lww;
        conflict_field /a74 lww;
        conflict_field /a75 lww;
        conflict_field /a76 lww;
        conflict_field /a77 lww;
        conflict_field /a78 lww;
        conflict_field /a79 lww;
        conflict_field /a80 lww;
        conflict_field /a81 lww;
        conflict_field /a82 lww;
        conflict_field /a83 lww;
        conflict_field /a84 lww;
        conflict_field /a85 lww;
        conflict_field /a86 lww;
        conflict_field /a87 lww;
        conflict_field /a88 lww;
        conflict_field /a89 lww;
        conflict_field /a90 lww;
        conflict_field /a91 lww;
        conflict_field /a92 lww;
        conflict_field /a93 lww;
        conflict_field /a94 lww;
        conflict_field /a95 lww;
        conflict_field /a96 lww;
        conflict_field /a97 lww;
        conflict_field /a98 lww;
        conflict_field /a99 lww;
        conflict_field /a100 lww;
        conflict_field /a101 lww;
        conflict_field /a102 lww;
        conflict_field /a103 lww;
        conflict_field /a104 lww;
        conflict_field /a105 lww;
        conflict_field /a106 lww;
        conflict_field /a107 lww;
        conflict_field /a108 lww;
        conflict_field /a109 lww;
        conflict_field /a110 lww;
        conflict_field /a111 lww;
        conflict_field /a112 lww;
        conflict_field /a113 lww;
        conflict_field /a114 lww;
        conflict_field /a115 lww;
        conflict_field /a116 lww;
        conflict_field /a117 lww;
        conflict_field /a118 lww;
        conflict_field /a119 lww;
        conflict_field /a120 lww;
        conflict_field /a121 lww;
        conflict_field /a122 lww;
        conflict_field /a123 lww;
        conflict_field /a124 lww;
        conflict_field /a125 lww;
        conflict_field /a126 lww;
        conflict_field /a127 lww;
        proxy_pass http://api;
    }
--- must_die
--- error_log
too many fields, "/a127" exceeds the limit of 127


=== merge by a base in a header
--- config
    location /x/ {
        conflict merge;
        conflict_base header:X-Base;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict merge" in location "/x/" requires "conflict_base json:/POINTER"


=== a history of nothing
--- config
    location /x/ {
        conflict_history 0;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number of bodies "0"


=== a history that is no number
--- config
    location /x/ {
        conflict_history many;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number of bodies "many"


=== a history of too many
--- config
    location /x/ {
        conflict_history 1001;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid number of bodies "1001"


=== a history for no time
--- config
    location /x/ {
        conflict_history 8 ttl=0;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "ttl=0"


=== a history with something else
--- config
    location /x/ {
        conflict_history 8 size=1m;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "size=1m"


=== a history twice
--- config
    location /x/ {
        conflict_history 8;
        conflict_history 9;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_history" directive is duplicate


=== a history zone that is none
--- http_config
    conflict_store other zone=1m history=x;
--- config
    location /x/ {
        conflict merge;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid zone size "history=x"


=== a history zone that is too small
--- http_config
    conflict_store other zone=1m history=4k;
--- config
    location /x/ {
        conflict merge;
        proxy_pass http://api;
    }
--- must_die
--- error_log
zone "history=4k" is too small


=== a history zone twice
--- http_config
    conflict_store other zone=1m history=1m history=2m;
--- config
    location /x/ {
        conflict merge;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "history=" of store "other"


=== a history zone of Redis
--- http_config
    conflict_store other redis://127.0.0.1 history=1m;
--- config
    location /x/ {
        conflict merge;
        proxy_pass http://api;
    }
--- must_die
--- error_log
unknown parameter "history=" of store "other"


=== a lock for no time
--- config
    location /x/ {
        conflict_lock idle=0;
    }
--- must_die
--- error_log
invalid time "idle=0", it must be from 100ms to 1d


=== a lock for ages
--- config
    location /x/ {
        conflict_lock idle=2d;
    }
--- must_die
--- error_log
invalid time "idle=2d"


=== no locks a user
--- config
    location /x/ {
        conflict_lock per_user=0;
    }
--- must_die
--- error_log
invalid number of locks "per_user=0"


=== a lock of no path
--- config
    location /x/ {
        conflict_lock get=x;
    }
--- must_die
--- error_log
invalid target "get=x", it must be "off" or a path


=== a lock with something else
--- config
    location /x/ {
        conflict_lock for=ever;
    }
--- must_die
--- error_log
invalid parameter "for=ever"


=== a lock with one parameter twice
--- config
    location /x/ {
        conflict_lock force force;
    }
--- must_die
--- error_log
invalid parameter "force"


=== a lock twice
--- config
    location /x/ {
        conflict_lock;
        conflict_lock;
    }
--- must_die
--- error_log
"conflict_lock" directive is duplicate


=== a stream without heartbeats
--- config
    location /x/ {
        conflict_events heartbeat=0;
    }
--- must_die
--- error_log
invalid value "heartbeat=0", it must be from 100ms to 10m


=== a stream that is checked once a week
--- config
    location /x/ {
        conflict_events recheck=1w;
    }
--- must_die
--- error_log
invalid value "recheck=1w", it must be from 100ms to 1d


=== no streams a client
--- config
    location /x/ {
        conflict_events per_client=0;
    }
--- must_die
--- error_log
invalid value "per_client=0", it must be from 1 to 100000


=== no streams at all
--- config
    location /x/ {
        conflict_events max=0;
    }
--- must_die
--- error_log
invalid value "max=0", it must be from 1 to 1000000


=== a stream with something else
--- config
    location /x/ {
        conflict_events get=/x;
    }
--- must_die
--- error_log
invalid parameter "get=/x", it must be "heartbeat=TIME"


=== a stream with one parameter twice
--- config
    location /x/ {
        conflict_events max=1 max=2;
    }
--- must_die
--- error_log
invalid parameter "max=2"


=== a stream twice
--- config
    location /x/ {
        conflict_events;
        conflict_events;
    }
--- must_die
--- error_log
"conflict_events" directive is duplicate


=== a stream of an unknown store
--- config
    location /x/ {
        conflict version store=none;
        conflict_events;
    }
--- must_die
--- error_log
unknown store "none"


=== a status of a lock that is none
--- config
    location /x/ {
        conflict version;
        conflict_lock_status 412;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid value "412"


=== a lock in an unknown store
--- config
    location /x/ {
        conflict version store=nowhere;
        conflict_lock;
    }
--- must_die
--- error_log
unknown store "nowhere"


=== a form of status that is none
--- config
    location = /status {
        conflict_status xml;
    }
--- must_die
--- error_log
invalid value "xml" in "conflict_status" directive, it must be "html", "json" or "prometheus"


=== two forms at once
--- config
    location = /status {
        conflict_status;
        conflict_status json;
    }
--- must_die
--- error_log
"conflict_status" directive is duplicate


=== frames: not an origin
--- config
    location = /status {
        conflict_status_frames https://admin.example.com/page;
        conflict_status;
    }
--- must_die
--- error_log
invalid value "https://admin.example.com/page" in "conflict_status_frames" directive, it must be "self", an origin like "https://admin.example.com", or "none" alone


=== frames: more than an origin
--- config
    location = /status {
        conflict_status_frames "https://admin.example.com; script-src *";
        conflict_status;
    }
--- must_die
--- error_log
invalid value "https://admin.example.com; script-src *" in "conflict_status_frames" directive


=== frames: none, and one
--- config
    location = /status {
        conflict_status_frames https://admin.example.com none;
        conflict_status;
    }
--- must_die
--- error_log
invalid value "none" in "conflict_status_frames" directive


=== frames: all of them
--- config
    location = /status {
        conflict_status_frames *;
        conflict_status;
    }
--- must_die
--- error_log
invalid value "*" in "conflict_status_frames" directive


=== frames: twice
--- config
    location = /status {
        conflict_status_frames self;
        conflict_status_frames none;
        conflict_status;
    }
--- must_die
--- error_log
"conflict_status_frames" directive is duplicate


=== a status that is a lock endpoint as well
--- config
    location = /status {
        conflict_lock;
        conflict_status;
    }
--- must_die
--- error_log
"conflict_status" and "conflict_lock" are mutually exclusive in location "/status"


=== a status that is a proxy as well
--- config
    location /x/ {
        conflict version;
        conflict_status;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_status" and another handler of the content, such as "proxy_pass", are mutually exclusive in location "/x/"


=== a proxy that is a status as well
--- config
    location /x/ {
        conflict version;
        proxy_pass http://api;
        conflict_status;
    }
--- must_die
--- error_log
"conflict_status" and another handler of the content, such as "proxy_pass", are mutually exclusive in location "/x/"


=== a location within a status is guarded as the server is
--- config
    conflict version;

    location /admin/ {
        conflict_status json;

        location /admin/api/ {
            proxy_pass http://api;
        }
    }
--- steps
is(header(PUT('/admin/api/1', { base_version => 1 }), 'Conflict'),
   'rejected;base=1', 'a write');
is(header(GET('/admin/'), 'Conflict'), undef, 'the status is not');


=== a lock in a store that no writes are checked in
--- http_config
    conflict_store a zone=1m;
--- config
    location ~ ^(?<path>/.*)/lock$ {
        conflict_lock;
        conflict_key $path;
    }
    location /x/ {
        conflict version store=a;
        proxy_pass http://api;
    }
--- error_log
"conflict_lock" in location "^(?<path>/.*)/lock$" locks nothing: no location with "conflict" has its store, "default"


=== an inbox in a store in which no body is held
--- http_config
    conflict_store a zone=1m;
--- config
    location = /inbox {
        conflict_inbox;
        conflict_user $remote_user;
    }
    location /x/ {
        conflict version store=a hold;
        proxy_pass http://api;
    }
    location /y/ {
        conflict version;
        proxy_pass http://api;
    }
--- error_log
"conflict_inbox" in location "/inbox" will have nothing: no location with "conflict ... hold" has its store, "default"


=== a change stream of a store that no location has
--- http_config
    conflict_store a zone=1m;
--- config
    location = /events {
        conflict_events;
    }
    location /x/ {
        conflict version store=a;
        proxy_pass http://api;
    }
--- error_log
"conflict_events" in location "/events" can tell nothing: no location with "conflict" has its store, "default"


=== versions in a store in which none are kept
--- http_config
    conflict_store a zone=1m;
--- config
    location ~ ^(?<path>/.*)/versions$ {
        conflict_versions;
        conflict_key $path;
    }
    location /x/ {
        conflict version store=a;
        conflict_history 8 versions;
        proxy_pass http://api;
    }
    location /y/ {
        conflict version;
        proxy_pass http://api;
    }
--- error_log
"conflict_versions" in location "^(?<path>/.*)/versions$" will have nothing: no location with "conflict_history ... versions" has its store, "default"


=== a store that nobody has named
--- http_config
    conflict_store fleet zone=1m;
--- config
    location /x/ {
        conflict version;
        proxy_pass http://api;
    }
--- error_log
"conflict_store fleet" is used by no location, name it as in "conflict version store=fleet"


=== the same without any policy
--- http_config
    conflict_store default zone=1m;
--- config
    location /x/ {
        proxy_pass http://api;
    }
--- error_log
"conflict_store default" is used by no location, name it as in "conflict version store=default"


=== endpoints of stores that are used
--- http_config
    conflict_store a zone=1m;
--- config
    location = /events {
        conflict_events;
    }
    location = /inbox {
        conflict_inbox;
        conflict_user $remote_user;
    }
    location = /all {
        conflict version store=a;
        conflict_inbox all;
    }
    location ~ ^(?<path>/.*)/versions$ {
        conflict_versions;
        conflict_key $path;
    }
    location /x/ {
        conflict version hold;
        conflict_history 8 versions;
        proxy_pass http://api;
    }
--- no_error_log
has its store
is used by no location


=== an inbox in which all clients are one user
--- config
    location = /inbox {
        conflict_inbox;
        conflict_user http_x_user;
    }
--- must_die
--- error_log
"conflict_user" "http_x_user" in location "/inbox" has no variable: all clients are this user


=== locks of one user
--- config
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_lock;
        conflict_key $resource;
        conflict_user http_x_user;
    }
--- error_log
"conflict_user" "http_x_user" in location "^(?<resource>/.*)/lock$" has no variable: all clients are this user


=== users who are told apart, or none
--- config
    location = /inbox {
        conflict_inbox;
        conflict_user user-$remote_user;
    }
    location = /all {
        conflict_inbox all;
        conflict_user admin;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_lock;
        conflict_key $resource;
        conflict_user "";
    }
--- no_error_log
has no variable


=== a key that is always empty
--- config
    location /x/ {
        conflict version;
        conflict_key "";
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_key" in location "/x/" is empty, so nothing would be guarded


=== a key that is always empty, with an Idempotency-Key
--- config
    location /x/ {
        conflict version;
        conflict_key "";
        conflict_idempotency on;
        proxy_pass http://api;
    }
--- no_error_log
[emerg]


=== a base that is required without a policy
--- config
    location /x/ {
        conflict_require on;
        proxy_pass http://api;
    }
    location /y/ {
        conflict version;
        conflict_require on;
        proxy_pass http://api;

        location /y/off/ {
            conflict off;
        }
    }
    location /key/ {
        conflict_key $uri;
        proxy_pass http://api;
    }
    location /methods/ {
        conflict_methods PUT;
        proxy_pass http://api;
    }
    location /base/ {
        conflict_base json:/v;
        proxy_pass http://api;
    }
    location /version/ {
        conflict_version json:/v;
        proxy_pass http://api;
    }
    location /inject/ {
        conflict_inject json:/v;
        proxy_pass http://api;
    }
    location = /y/status {
        conflict_key $uri;
        conflict_status;
    }
--- error_log
"conflict_require" in location "/x/" has no effect without "conflict"
"conflict_key" in location "/key/" has no effect without "conflict"
"conflict_methods" in location "/methods/" has no effect without "conflict"
"conflict_base" in location "/base/" has no effect without "conflict"
"conflict_version" in location "/version/" has no effect without "conflict"
"conflict_inject" in location "/inject/" has no effect without "conflict"
--- no_error_log
in location "/y/


=== a lock endpoint that is a stream as well
--- config
    location = /x {
        conflict_key $uri;
        conflict_lock;
        conflict_events;
    }
--- must_die
--- error_log
are mutually exclusive in location "/x"


=== a lock endpoint that does not say what it locks
--- config
    location /x/lock {
        conflict_lock;
    }
--- must_die
--- error_log
"conflict_lock" in location "/x/lock" requires "conflict_key" with the resource to be locked


=== a policy where nothing writes
--- config
    location /x/ {
        conflict version;
    }
    location /returns/ {
        conflict version;
        return 204;
    }
    location /not/ {
        return 204;
    }
--- error_log
"conflict" in location "/x/" guards nothing: the location has no "proxy_pass" or similar
"conflict" in location "/returns/" guards nothing


=== policies where something does, or may
--- http_config
    conflict_field /price reject;
    upstream elsewhere { server 127.0.0.1:1; }
--- config
    conflict version;

    location /static/ {
    }
    location /dav/ {
        conflict version;
        dav_methods PUT;
    }
    location /proxy/ {
        conflict merge;
        conflict_field /title lww;
        proxy_pass http://elsewhere;
    }
    location /try/ {
        conflict version;
        try_files $uri @proxy;
    }
    location @proxy {
        conflict version;
        proxy_pass http://elsewhere;
    }
    location /if/ {
        conflict version;

        if ($arg_x) {
            proxy_pass http://elsewhere;
        }
    }
    location /around/ {
        conflict version;

        location /around/it/ {
            proxy_pass http://elsewhere;
        }
    }
    location /off/ {
        conflict off;
    }
--- no_error_log
guards nothing
does nothing


=== what keeps or finds nothing, in a location that is guarded
--- http_config
    upstream elsewhere { server 127.0.0.1:1; }
    proxy_hide_header X-Modified;
--- config
    location /history/ {
        conflict version;
        conflict_history 20;
        proxy_pass http://elsewhere;
    }
    location /partial/ {
        conflict_partial put;
        proxy_pass http://elsewhere;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_hide_header etag;
        proxy_pass http://elsewhere;
    }
    location /mtime/ {
        conflict version;
        conflict_mtime header:X-Modified;
        proxy_pass http://elsewhere;
    }
    location /uri/ {
        conflict version;
        conflict_key $host${request_uri};
        proxy_pass http://elsewhere;
    }
    location /method/ {
        conflict version;
        conflict_key $request_method$uri;
        proxy_pass http://elsewhere;
    }
    location /edited/ {
        conflict lww edited=json:/base_version;
        proxy_pass http://elsewhere;
    }
    location /header/ {
        conflict lww edited=header:X-Base;
        conflict_base header:x-base;
        proxy_pass http://elsewhere;
    }
    location /held/ {
        conflict version hold;
        proxy_pass http://elsewhere;
    }
    location /asks/ {
        conflict merge;
        conflict_resolver /nobody?x=1;
        proxy_pass http://elsewhere;
    }
    location = /status {
        conflict_status;
        conflict_status_inbox /asks/inbox;
    }
--- error_log
"conflict_history" in location "/history/" keeps nothing without "conflict merge" or its parameter "versions"
"conflict_partial" in location "/partial/" has no effect without "conflict"
"conflict_version header:etag" in location "/etag/" finds nothing
"conflict_mtime header:x-modified" in location "/mtime/" finds nothing
"conflict_key $host${request_uri}" in location "/uri/" is unsafe, "$request_uri" may differ
"conflict_key $request_method$uri" in location "/method/" is unsafe, "$request_method" may differ
"conflict lww edited=json:/base_version" in location "/edited/" takes the base version for the time of the edit
"conflict lww edited=header:x-base" in location "/header/" takes the base version for the time of the edit
"conflict ... hold" in location "/held/" keeps bodies that nobody sees
"conflict_resolver /nobody" in location "/asks/": no location of this server has this path
"conflict_status_inbox /asks/inbox" in location "/status": no location of this server with "conflict_inbox" has this path


=== the same, where it does
--- http_config
    upstream elsewhere { server 127.0.0.1:1; }
    conflict_history 20;
--- config
    location /history/ {
        conflict version;
        conflict_history 20 versions;
        proxy_pass http://elsewhere;
    }
    location /etag/ {
        conflict merge;
        conflict_version header:ETag;
        conflict_history 30;
        conflict_resolver /app/merge;
        proxy_hide_header X-Other;
        proxy_pass http://elsewhere;
    }
    location /key/ {
        conflict version;
        conflict_key $request_uri_x$uri;
        set $request_uri_x '';
        proxy_pass http://elsewhere;
    }
    location /edited/ {
        conflict lww edited=json:/edited_at hold;
        conflict_user $http_x_user;
        proxy_pass http://elsewhere;
    }
    location /regex/ {
        conflict merge;
        conflict_resolver $http_x_resolver;
        proxy_pass http://elsewhere;
    }
    location ~ ^/app/m {
        return 204;
    }
    location /inbox {
        conflict_user $http_x_user;
        conflict_inbox;
    }
    location = /status {
        conflict_status;
        conflict_status_inbox /inbox;
    }
--- no_error_log
[warn]


=== rules of fields that no merge reads: in a location
--- config
    location /x/ {
        conflict version;
        conflict_field /price reject;
        proxy_pass http://api;
    }
    location /y/ {
        conflict merge;
        proxy_pass http://api;
    }
--- error_log
"conflict_field" in location "/x/" has no effect without "conflict merge"


=== the same, for all of them
--- http_config
    conflict_field /price reject;
--- config
    location /x/ {
        conflict version;
        proxy_pass http://api;
    }
--- error_log
"conflict_field" has no effect, no location has "conflict merge"


=== keys in a location without a policy
--- config
    location /x/ {
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /y/ {
        conflict version;
        proxy_pass http://api;
    }
--- error_log
"conflict_idempotency" in location "/x/" has no effect without "conflict"


=== a status for a whole server
--- config
    conflict_status;
--- must_die
--- error_log
"conflict_status" directive is not allowed here


=== a status of nothing
--- config
    location = /status {
        conflict_status json;
    }
--- steps
is_deeply(json(GET('/status'))->{routes}, [], 'it says that there is nothing');


=== a partial document that is unknown
--- config
    location /x/ {
        conflict merge;
        conflict_partial post;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "post", it must be "put" or "patch", optionally with "=shallow" or "=deep", or only "off"


=== a depth that is unknown
--- config
    location /x/ {
        conflict merge;
        conflict_partial put patch=flat;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "patch=flat"


=== a method whose name goes on
--- config
    location /x/ {
        conflict merge;
        conflict_partial puts;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "puts"


=== a method twice
--- config
    location /x/ {
        conflict merge;
        conflict_partial put put=deep;
        proxy_pass http://api;
    }
--- must_die
--- error_log
parameter "put=deep" is duplicate


=== off, and a method
--- config
    location /x/ {
        conflict merge;
        conflict_partial off put;
        proxy_pass http://api;
    }
--- must_die
--- error_log
invalid parameter "off"


=== partial documents twice
--- config
    location /x/ {
        conflict merge;
        conflict_partial put;
        conflict_partial off;
        proxy_pass http://api;
    }
--- must_die
--- error_log
"conflict_partial" directive is duplicate


=== a date as a version
--- config
    location /x/ {
        conflict version;
        conflict_version header:Last-Modified;
        proxy_pass http://api;
    }
--- error_log
"conflict_version header:last-modified" in location "/x/" is unsafe, two writes of one second have the same date
