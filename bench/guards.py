# What is measured: guards of writes in front of the same API, each an nginx of
# its own and, if it has one, a Redis of its own.

import http.client
import os
import subprocess
import sys
import time

from servers import TOP, Nginx, Redis, cpu, free_port, running

TEMP = '\n'.join('    %s_temp_path %s;' % (kind, kind) for kind in
                 ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))

# common to all; bodies of 64 KB and 1 MB are buffered in a file, as by default

COMMON = '''
%(module)s
%(user)s
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log error;
events { worker_connections 16384; }
http {
%(temp)s
    access_log off;
    client_max_body_size 4m;
    keepalive_requests 100000000;
    keepalive_timeout 1h;
'''

PROXY = COMMON + '''
    sendfile on;
    tcp_nopush on;
    %(http)s
    upstream api { server 127.0.0.1:%(api)d; keepalive 8192;
                   keepalive_requests 100000000; keepalive_timeout 1h; }
    server {
        listen 127.0.0.1:%(port)d backlog=4096;
        %(server)s
        location %(path)s {
            %(location)s
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://api%(to)s;
        }
    }
}
'''

API = COMMON + '''
    default_type application/json;
    server {
        listen 127.0.0.1:%(port)d backlog=4096;
        location / {
            root docs;
            dav_methods PUT;
            create_full_put_path on;
        }
        location /many/ {
            return 204;
        }
    }
}
'''

SO = TOP + '/build/ngx_http_conflict_module.so'
LIMIT_SO = TOP + '/build/ngx_http_bench_limit_module.so'


def module(location, store='default zone=256m', server=''):
    return dict(module='load_module %s;' % SO,
                http='conflict_log off; conflict_store %s;' % store,
                server=server, location=location)


def limit(kind, address):
    return dict(module='load_module %s;' % LIMIT_SO,
                http='bench_limit %s %s;' % (kind, address))


def lua(**words):
    return dict(words, module='''
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
''', http='lua_package_path "' + TOP + '''/bench/peer/?.lua;;";
    init_by_lua_block { require("peer").port = %(redis_port)d }''')


# by name: additions to PROXY; %(redis_port)d and %(redis_path)s are those of
# the guard's own Redis.  The limits and the scripts in Lua are no part of the
# module, see bench/limit and bench/peer.

TCP, UNIX = '127.0.0.1:%(redis_port)d', 'unix:%(redis_path)s'

GUARDS = {
    'plain': {},
    'shm': module('conflict version;'),
    'counted': module('conflict version;',
                      server='location = /status { conflict_status; }'),
    'merge': module('conflict merge; conflict_field /n lww; '
                    'conflict_field /m lww;'),
    'redis': module('conflict version store=fleet;', 'fleet redis://' + TCP),
    'list': module('conflict version; conflict_inject '
                   'json:/data/*/version item=/item/$conflict_item;'),
    'list, redis': module('conflict version store=fleet; conflict_inject '
                          'json:/data/*/version item=/item/$conflict_item;',
                          'fleet redis://' + TCP),
    'redis unix': module('conflict version store=fleet;', 'fleet ' + UNIX),
    'limit A': limit('cas', TCP),
    'limit A unix': limit('cas', UNIX),
    'limit B': limit('get', TCP),
    'limit B unix': limit('get', UNIX),
    'Lua usual way': lua(location='''
            access_by_lua_block { require("usual").access() }
            header_filter_by_lua_block { require("usual").header() }'''),
    'Lua right way': lua(server='''
        location / {
            content_by_lua_block { require("right").content() }
        }''', path='/upstream/', location='internal;', to='/'),
}


def configuration(text, **words):
    return text % dict(dict(module='', http='', server='', location='',
                            path='/', to='', temp=TEMP,
                            user='user root;' if os.getuid() == 0 else ''),
                       **words)


class Api(Nginx):
    def __init__(self):
        self.port = free_port()
        super().__init__(configuration(API, port=self.port))

        os.makedirs(self.root + '/docs/doc', exist_ok=True)
        os.makedirs(self.root + '/docs/many', exist_ok=True)

        with open(self.root + '/docs/doc/get.json', 'w') as out:
            out.write('{"text":"%s"}' % ('x' * 1000))

        with open(self.root + '/docs/doc/list.json', 'w') as out:
            out.write('{"data":[%s]}' % ','.join(
                '{"id":%d,"text":"%s"}' % (n, 'x' * 100) for n in range(100)))


class Guard(Nginx):
    def __init__(self, api, words):
        words = dict(words)
        text = ''.join(words.values())
        self.redis = Redis() if '%(redis_' in text else None

        if self.redis:
            words = {name: word % dict(redis_port=self.redis.port,
                                       redis_path=self.redis.path)
                     for name, word in words.items()}

        self.port = free_port()
        super().__init__(configuration(PROXY, api=api.port, port=self.port,
                                       **words))

        if SO in text:
            self.wait_held()

    def wait_held(self):
        """a store that has just been made holds writes on a base for a
        while"""

        while True:
            client = http.client.HTTPConnection('127.0.0.1', self.port)
            client.request('PUT', '/doc/held.json', '{"base_version":1}',
                           {'Content-Type': 'application/json'})
            status = client.getresponse().status
            client.close()

            if status != 503:
                return

            time.sleep(0.1)

    def close(self):
        """before the end of the benchmark"""

        for server in (self, self.redis):
            if server:
                running.remove(server)
                server.stop()

    def used(self):
        """nanoseconds of the worker, of Redis, and of its commands"""

        return (cpu(self.worker),
                cpu(self.redis.pid) if self.redis else 0,
                self.redis.in_commands() if self.redis else 0)


class Guards:
    """those that are needed, each started once"""

    def __init__(self):
        self.api = Api()
        self.started = {}

    def get(self, name):
        if name.startswith('limit') and not os.path.exists(LIMIT_SO):
            raise FileNotFoundError(LIMIT_SO)

        if name not in self.started:
            self.started[name] = Guard(self.api, GUARDS[name])

        return self.started[name]


def build():
    subprocess.run(['gcc', '-O2', '-Wall', '-Wextra', '-o',
                    TOP + '/build/load', TOP + '/bench/load.c'], check=True)

    # what was built with the rule "text" stays so

    text = ['TEXT=yes'] if os.path.exists(TOP + '/build/text-yes') else []
    subprocess.run(['make', '-s', '-C', TOP, SO, LIMIT_SO] + text, check=True,
                   stdout=sys.stderr)
