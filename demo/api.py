#!/usr/bin/env python3

# What the API of the demo does besides storing files, which nginx does:
#
#   api.py PORT DIRECTORY
#
#   GET /PATH/      lists the documents of a folder
#   POST /PATH/     stores a document under a new name, whenever it is asked
#   POST /_resolve  decides what clashes: docs/resolver.md
#
# It prints its port, which the system chooses if PORT is 0.

import json
import os
import re
import sys
import time
import uuid

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, TOP = int(sys.argv[1]), sys.argv[2]


def documents(folder):
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith('.json'):
            try:
                with open(os.path.join(folder, name)) as file:
                    yield {'id': name, **json.load(file)}
            except FileNotFoundError:       # it was removed just now
                pass


def store(folder, body):
    name = '%x%s.json' % (time.time_ns() // 1000000, uuid.uuid4().hex[:4])
    path = os.path.join(folder, name)

    os.makedirs(folder, exist_ok=True)

    with open(path + '.new', 'wb') as file:
        file.write(body)

    os.rename(path + '.new', path)

    return name


def resolve(question):
    """the lower price, and both texts; a person decides all else"""

    changes = {}

    for clash in question['conflicts']:
        field, mine, theirs = (clash.get(name) for name in
                               ('field', 'client', 'server'))

        if field == '/price' and mine is not None and theirs is not None:
            changes['price'] = min(mine, theirs)
        elif field == '/text' and mine is not None and theirs is not None:
            changes['text'] = theirs + '\n' + mine
        else:
            return 409, {'undecided': field}

    return 200, changes


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def folder(self):
        path = self.path.partition('?')[0]

        return os.path.join(TOP, path[1:]) \
            if re.fullmatch(r'/(\w+/)+', path) else None

    def reply(self, status, body, kind='application/json', **headers):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))

        for name, value in headers.items():
            self.send_header(name, value)

        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if not self.folder():
            return self.reply(404, b'{}')

        self.reply(200, json.dumps(
            {'data': list(documents(self.folder()))}).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))

        if self.path == '/_resolve':
            status, changes = resolve(json.loads(body))

            return self.reply(status, json.dumps(changes).encode(),
                              'application/merge-patch+json')

        if not self.folder():
            return self.reply(404, b'{}')

        name = store(self.folder(), body)
        self.reply(201, body, Location=self.path + name)


ThreadingHTTPServer.request_queue_size = 64
server = ThreadingHTTPServer(('127.0.0.1', PORT), Handler)
print(server.server_port, flush=True)
server.serve_forever()
