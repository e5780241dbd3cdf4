#!/usr/bin/env python3

# A resolver: answers the questions of conflict_resolver.
#
#   resolver.py PORT
#
# It exits when its standard input is closed.  Its behavior by path:
#
#   /sum      what the rules have merged, with both sides' steps of each number
#             that clashes
#   /stock    the same; refuses a number below zero
#   /client   the same with the client's values
#   /set      the response of the last PUT /_set?status=N&type=TYPE, whose body
#             it has; "header=NAME:VALUE" adds a header, "chunked=1" omits the
#             length, "cut=1" closes the connection before the end
#   /hold/... waits for GET /_release first
#
# GET /_asked returns the questions so far: path, headers and body.

import json
import threading
import urllib.parse

from http.server import BaseHTTPRequestHandler

import serving

asked = []
answer = {}
released = threading.Event()


def find(value, pointer):
    for token in pointer.split('/')[1:]:
        token = token.replace('~1', '/').replace('~0', '~')
        value = value[int(token) if isinstance(value, list) else token]

    return value


def put(document, pointer, value):
    head, _, token = pointer.rpartition('/')
    find(document, head)[token.replace('~1', '/').replace('~0', '~')] = value


def resolve(question, how):
    merged = question['merged']

    for clash in question['conflicts']:
        field = clash['field']
        value = find(question['client'], field)

        if how in ('sum', 'stock'):
            value += (find(question['server'], field)
                      - find(question['base'], field))

        if how == 'stock' and value < 0:
            return 409, json.dumps({'left': find(merged, field)}).encode()

        put(merged, field, value)

    return 200, json.dumps(merged).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get('Content-Length') or 0))

    def reply(self, status, body, kind='application/json', **args):
        self.send_response(status)
        self.send_header('Content-Type', kind)

        if 'header' in args:
            self.send_header(*args['header'].split(':', 1))

        if 'chunked' in args:
            self.send_header('Transfer-Encoding', 'chunked')
            body = b'%x\r\n%s\r\n0\r\n\r\n' % (len(body), body)
        elif status != 204:
            self.send_header('Content-Length', str(len(body)))

        if 'cut' in args:
            body = body[:len(body) // 2]
            self.close_connection = True

        self.end_headers()
        self.wfile.write(b'' if status == 204 else body)

    def do_GET(self):
        if self.path == '/_release':
            released.set()
        elif self.path == '/_reset':
            released.clear()
            asked.clear()

        self.reply(200, json.dumps(asked).encode())

    def do_PUT(self):
        query = urllib.parse.urlsplit(self.path).query
        answer.clear()
        answer.update(urllib.parse.parse_qsl(query), body=self.body())
        self.reply(200, b'{}')

    def do_POST(self):
        body = self.body()
        path = self.path
        asked.append({'path': path, 'method': self.command,
                      'headers': [[n.lower(), v]
                                  for n, v in self.headers.items()],
                      'body': body.decode()})

        if path.startswith('/hold/'):
            released.wait()
            path = path[len('/hold'):]

        if path == '/set':
            args = dict(answer)
            self.reply(int(args.pop('status', 200)), args.pop('body'),
                       args.pop('type', 'application/json'), **args)
        elif path != '/client' and not json.loads(body)['base_held']:
            self.reply(409, b'{"why":"no base"}')
        else:
            self.reply(*resolve(json.loads(body), path[1:]))


def serve(conn):
    try:
        Handler(conn, ('127.0.0.1', 0), None)
    except ConnectionError:
        pass
    finally:
        conn.close()


serving.by_threads(serve)
