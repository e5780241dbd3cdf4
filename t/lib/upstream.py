#!/usr/bin/env python3

# A real JSON API to put nginx in front of: documents in memory, a journal
# of every write that it applied, in order, and faults on demand.
#
#   upstream.py PORT
#
# It exits when its standard input is closed.  Its behavior by path:
#
#   /plain/...   has no versions
#   /lm/...      sends Last-Modified
#   /own/...     has a "version" member of its own, counted from 1
#   /zero/...    the same, counted from 0
#   /row/...     the document is in {"data": ...}
#   /etag/...    sends ETag, answers 412 to another If-Match
#   /weak/...    sends a weak ETag
#   /coarse/...  sends an ETag made of the second and the size, as a file
#                server does, and Last-Modified
#   /auth/...    GET needs "Authorization: Bearer reader", otherwise 401 or 403
#   /echo/...    GET shows the document with a number that always changes
#   /text/...    is not JSON
#   /list/PATH   has the documents below /PATH/ in {"data": [...]}, each with
#                its last segment as "id", and an ETag made of all
#   /assign/...  replaces single members, by PUT and PATCH; a null is a value
#   /deep/...    the same, but objects are merged member by member; both answer
#                with the document, below quiet/ without a body, and below
#                echo/ with the body of the request
#   /view/...    shows the fields that "fields" or X-Fields name, "starred" by
#                caller (X-Who, or otherwise Authorization), and a salary to
#                all except "Authorization: Bearer clerk"
#
# A GET of a resource with ETag or Last-Modified may be conditional, or have a
# range.
#
# MOVE and COPY to a Destination are supported everywhere, and so is JSON Patch;
# a failed patch is answered with 422.
#
# Faults come with the request, separately for writes and reads:
#
#   X-Up-Write: sleep=0.5 apply sleep=1 status=500
#   X-Up-Read: status=503
#
# "old" shows the document before the last write, "apply" does the work, "hold"
# waits for GET /_release, "alive" continues only if the connection is still
# open, "close" and "reset" end it, "hints" sends a response 103 before the
# response, "noise" sends what is no HTTP and ends it; without "apply" nothing
# is done.
#
# The response to a request with X-Op has the number of writes to its document
# in X-Doc; /_landed has those that were applied, and what each has made.

import asyncio
import copy
import email.utils
import http.client
import json
import socket
import struct
import time
import urllib.parse
import zlib

import serving


class Doc:
    def __init__(self):
        self.body = None
        self.version = 0
        self.mtime = 0
        self.old = None
        self.stars = {}

    def put(self, body):
        self.old = copy.copy(self)
        self.old.old = None
        self.body = body
        self.version += 1
        self.mtime = int(time.time())


docs = {}
journal = []            # applied writes
landed = []             # those with an X-Op
seen = []               # all requests, applied or not
released = None
begun = 0
begun_event = None
tick = 0


async def read_request(reader):
    head = await reader.readuntil(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    method, target, _ = lines[0].split(' ', 2)
    headers = []

    for line in lines[1:]:
        if line:
            name, value = line.split(':', 1)
            headers.append((name.lower(), value.strip()))

    get = dict(headers)
    body = b''

    if get.get('transfer-encoding', '').lower() == 'chunked':
        while True:
            size = int((await reader.readline()).split(b';')[0], 16)
            body += await reader.readexactly(size)
            await reader.readline()
            if size == 0:
                break

    elif 'content-length' in get:
        body = await reader.readexactly(int(get['content-length']))

    return method, target, headers, get, body


def reply(status, body=b'', headers=()):
    out = ['HTTP/1.1 %d %s' % (status, http.client.responses.get(status, ''))]
    if status not in (204, 304):
        out.append('Content-Length: %d' % len(body))
    out += ['%s: %s' % h for h in headers]
    return ('\r\n'.join(out) + '\r\n\r\n').encode('latin-1') + body


def kind_of(path):
    return path.split('/')[1]


def star_of(get):
    return get.get('x-who', get.get('authorization'))


def view(doc, target, get):
    """what this caller sees of it"""

    who = get.get('authorization')
    value = json.loads(doc.body)
    value['starred'] = doc.stars.get(star_of(get), False)

    if who == 'Bearer clerk':
        value.pop('salary', None)

    names = get.get('x-fields')

    if 'fields=' in target:
        names = target.split('fields=')[1].split('&')[0]

    if names:
        value = {n: value[n] for n in names.split(',') if n in value}

    return json.dumps(value).encode()


def show(path, doc, target='', get={}):
    """the status, headers and body of a GET"""

    global tick
    kind = kind_of(path)

    if kind == 'list' and doc is None:
        return show_list(path)

    if doc is None or doc.body is None:
        return 404, [('Content-Type', 'application/json')], b'{"error":"none"}'

    headers = [('Content-Type',
                'text/plain' if kind == 'text' else 'application/json')]
    body = doc.body

    if kind in ('own', 'zero'):
        value = json.loads(body)
        value['version'] = doc.version - (1 if kind == 'zero' else 0)
        body = json.dumps(value).encode()

    if kind == 'view':
        body = view(doc, target, get)
        headers.append(('Vary', 'Accept-Encoding, X-Fields, X-Who'))

    if kind == 'row':
        body = b'{"data":' + body + b',"links":[]}'

    if kind == 'echo':
        tick += 1
        body = b'{"tick":%d,"data":' % tick + body + b'}'

    if kind == 'etag':
        headers.append(('ETag', '"e%d"' % doc.version))

    if kind == 'weak':
        headers.append(('ETag', 'W/"e%d"' % doc.version))

    if kind == 'coarse':
        headers.append(('ETag', '"%x-%x"' % (doc.mtime, len(body))))

    if kind in ('lm', 'coarse'):
        headers.append(('Last-Modified',
                        email.utils.formatdate(doc.mtime, usegmt=True)))

    return 200, headers, body


def show_list(path):
    items = []
    below = path.removeprefix('/list') + '/'

    for one in sorted(docs):
        if one.startswith(below) and docs[one].body is not None:
            name = urllib.parse.unquote(one.removeprefix(below))
            items.append({'id': int(name) if name.isdigit() else name}
                         | json.loads(docs[one].body))

    body = json.dumps({'data': items}, separators=(',', ':')).encode()

    return 200, [('Content-Type', 'application/json'),
                 ('ETag', '"l%x"' % zlib.crc32(body))], body


def opaque(tag):
    return tag[2:] if tag.startswith('W/') else tag


def conditional(get, status, headers, body):
    """the same of a request with conditions (RFC 9110, 13.2.2)"""

    said = dict(headers)
    tag, date = said.get('ETag'), said.get('Last-Modified')

    if status != 200 or not (tag or date):
        return status, headers, body

    def tags(name):
        return [t.strip() for t in get.get(name, '').split(',')]

    if get.get('if-match', '*') != '*' and tag not in tags('if-match'):
        return 412, [], b''

    if 'if-none-match' in get:
        same = tag and opaque(tag) in map(opaque, tags('if-none-match'))

    else:
        same = (date and 'if-modified-since' in get
                and when(date) <= when(get['if-modified-since']))

    if same:
        return 304, [h for h in headers if h[0] != 'Content-Type'], b''

    part = get.get('range', '').removeprefix('bytes=').split('-')

    if len(part) == 2 and (get.get('if-range') in (None, date)
                           or get['if-range'] == tag and opaque(tag) == tag):
        first = int(part[0])
        last = min(int(part[1] or len(body)), len(body) - 1)
        headers = headers + [('Content-Range', 'bytes %d-%d/%d'
                              % (first, last, len(body)))]
        return 206, headers, body[first:last + 1]

    return status, headers, body


def when(date):
    return email.utils.parsedate_to_datetime(date)


def merge(old, patch):
    for name, value in patch.items():
        if value is None:
            old.pop(name, None)
        elif isinstance(value, dict) and isinstance(old.get(name), dict):
            merge(old[name], value)
        else:
            old[name] = value


def assign(old, part, deep):
    for name, value in part.items():
        if deep and isinstance(value, dict) \
                and isinstance(old.get(name), dict):
            assign(old[name], value, deep)
        else:
            old[name] = value


class Unprocessable(Exception):
    pass


def step_of(holder, token, last=False):
    """where in a container a token of a pointer leads to"""

    if isinstance(holder, dict):
        if not last and token not in holder:
            raise Unprocessable
        return token

    if not isinstance(holder, list):
        raise Unprocessable

    if last and token == '-':
        return len(holder)

    if not token.isdigit() or token != str(int(token)) \
            or int(token) >= len(holder) + (1 if last else 0):
        raise Unprocessable

    return int(token)


def pointed(value, pointer):
    for token in pointer.split('/')[1:]:
        token = token.replace('~1', '/').replace('~0', '~')
        value = value[step_of(value, token)]

    return value


def json_patch(value, operations):
    """RFC 6902"""

    whole = {'': value}

    def parent(pointer):
        head, _, token = ('/' + pointer).rpartition('/')
        return (pointed(whole, head),
                token.replace('~1', '/').replace('~0', '~'))

    def put(pointer, value, old):
        holder, token = parent(pointer)
        at = step_of(holder, token, not old)

        if isinstance(holder, list) and not old:
            holder.insert(at, value)
        else:
            holder[at] = value

    def take(pointer):
        holder, token = parent(pointer)
        return holder.pop(step_of(holder, token))

    for one in operations:
        op, path = one['op'], one['path']

        if op == 'test':
            if pointed(whole, '/' + path) != one['value']:
                raise Unprocessable
        elif op == 'remove':
            take(path)
        elif op in ('add', 'replace'):
            put(path, copy.deepcopy(one['value']), op == 'replace')
        elif op == 'copy':
            put(path, copy.deepcopy(pointed(whole, '/' + one['from'])), False)
        elif op == 'move':
            put(path, take(one['from']), False)
        else:
            raise Unprocessable

    return whole['']


def write(method, path, headers, get, body):
    """the status, headers and body of a write that is applied"""

    doc = docs.get(path)
    kind = kind_of(path)
    exists = doc is not None and doc.body is not None

    if kind == 'etag' and 'if-match' in get and get['if-match'] != '*':
        tag = '"e%d"' % doc.version if exists else None
        if tag not in [t.strip() for t in get['if-match'].split(',')]:
            return 412, [], b''

    if get.get('if-none-match') == '*' and exists:
        return 412, [], b''

    if kind == 'plain' and ('if-match' in get
                            or 'if-unmodified-since' in get):
        # it has no validators: RFC 9110 allows to refuse all of them
        return 412, [], b''

    if method in ('DELETE', 'MOVE', 'COPY') and not exists:
        return 404, [], b''

    if doc is None:
        doc = docs[path] = Doc()

    before = doc.version
    paths = [path]

    if method in ('MOVE', 'COPY'):
        to = get['destination'].split('://')[-1]
        paths.append('/' + to.partition('/')[2])
        to = docs.setdefault(paths[1], Doc())
        created = to.body is None
        to.put(doc.body)

        if method == 'MOVE':
            doc.put(None)

    elif method == 'DELETE':
        doc.put(None)

    elif get.get('content-type') == 'application/json-patch+json':
        try:
            value = json_patch(json.loads(doc.body) if exists else {},
                               json.loads(body))
        except (Unprocessable, KeyError, TypeError):
            return 422, [('Content-Type', 'application/json')], \
                b'{"error":"patch"}'

        doc.put(json.dumps(value).encode())

    elif kind in ('assign', 'deep'):
        value = json.loads(doc.body) if exists else {}
        assign(value, json.loads(body), kind == 'deep')
        doc.put(json.dumps(value, separators=(',', ':')).encode())

    elif method == 'PATCH':
        value = json.loads(doc.body) if exists else {}
        patch = json.loads(body)

        if not isinstance(value, dict) or not isinstance(patch, dict):
            return 422, [('Content-Type', 'application/json')], \
                b'{"error":"patch"}'

        merge(value, patch)

        if kind == 'view' and 'starred' in value:
            doc.stars[star_of(get)] = value.pop('starred')

        doc.put(json.dumps(value).encode())

    elif kind == 'view':
        value = json.loads(body)
        doc.stars[star_of(get)] = value.pop('starred', False)

        if get.get('authorization') == 'Bearer clerk' and exists:
            value['salary'] = json.loads(doc.body).get('salary')

        doc.put(json.dumps(value).encode())

    else:
        doc.put(body)

    journal.append({'method': method, 'path': path,
                    'body': body.decode('utf-8', 'replace'),
                    'headers': headers, 'n': len(journal) + 1})

    if 'x-op' in get:
        landed.append({'op': get['x-op'], 'method': method, 'path': path,
                       'before': before, 'now': {
                           one: {'at': docs[one].version,
                                 'body': (docs[one].body or b'null').decode(),
                                 'stars': dict(docs[one].stars)}
                           for one in paths}})

    if method == 'DELETE':
        return 204, [], b''

    if method in ('MOVE', 'COPY'):
        return (201 if created else 204), [], b''

    status, out, shown = show(path, doc)

    style = path.split('/')[2]

    if kind in ('assign', 'deep') and style == 'echo':
        shown = body

    if kind in ('own', 'zero', 'etag', 'row') \
            or kind in ('assign', 'deep') and style != 'quiet':
        return (200 if exists else 201), out, shown

    return (204 if exists else 201), [h for h in out if h[0] != 'ETag'], b''


def position(doc, get):
    return [('X-Doc', str(doc.version if doc else 0))] if 'x-op' in get else []


def reset_connection(writer):
    sock = writer.get_extra_info('socket')
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, 0))
    writer.transport.abort()


def listed(entries, query):
    """JSON; with "lines" an entry a line, for a caller that knows most"""

    if query == 'lines':
        return b'\n'.join(json.dumps(one).encode() for one in entries)

    return json.dumps(entries).encode()


async def control(target, body):
    global released, begun, tick

    path, _, query = target.partition('?')
    args = dict(a.split('=', 1) for a in query.split('&') if '=' in a)

    if path == '/_reset':
        docs.clear()
        journal.clear()
        landed.clear()
        seen.clear()
        begun = 0
        released.set()
        released = asyncio.Event()
        return b'{}'

    if path == '/_journal':
        return listed(journal, query)

    if path == '/_landed':
        return json.dumps(landed).encode()

    if path == '/_take':
        # returns the journal and empties it
        taken = json.dumps(journal).encode()
        journal.clear()
        seen.clear()
        return taken

    if path == '/_seen':
        return listed(seen, query)

    if path == '/_release':
        released.set()
        released = asyncio.Event()
        return b'{}'

    if path == '/_begun':
        # answers once that many writes have arrived, applied or not
        while begun < int(args['n']):
            begun_event.clear()
            await begun_event.wait()
        return json.dumps(begun).encode()

    if path == '/_applied':
        end = time.time() + 20
        while len(journal) < int(args['n']) and time.time() < end:
            await asyncio.sleep(0.005)
        return json.dumps(len(journal)).encode()

    if path == '/_set':
        # bypasses the proxy
        doc = docs.setdefault(args['path'], Doc())
        doc.put(body or None)
        doc.mtime = int(args.get('mtime', doc.mtime))
        return json.dumps(doc.version).encode()

    if path == '/_doc':
        doc = docs.get(args['path'])
        return doc.body if doc and doc.body else b'null'

    return b'{"error":"no such control"}'


async def serve(reader, writer):
    global begun

    try:
        while True:
            method, target, headers, get, body = await read_request(reader)

            if target.startswith('/_'):
                writer.write(reply(200, await control(target, body)))
                await writer.drain()
                break

            path = target.partition('?')[0]
            reading = method in ('GET', 'HEAD', 'OPTIONS')
            seen.append({'method': method, 'target': target,
                         'headers': headers,
                         'body': body.decode('utf-8', 'replace')})

            if not reading:
                begun += 1
                begun_event.set()

            script = get.get('x-up-read' if reading else 'x-up-write', 'apply')
            status, out, text = 200, [], b''
            forced = None
            gone = False
            chunked = False

            for step in script.split():
                name, _, value = step.partition('=')

                if name == 'sleep':
                    await asyncio.sleep(float(value))

                elif name == 'hold':
                    await released.wait()

                elif name == 'apply':
                    if reading:
                        status, out, text = conditional(
                            get, *show(path, docs.get(path), target, get))
                    else:
                        status, out, text = write(method, path, headers, get,
                                                  body)

                    out += position(docs.get(path), get)

                elif name == 'old':
                    was = docs[path].old if path in docs else None
                    status, out, text = show(path, was, target, get)
                    out += position(was, get)

                elif name == 'alive':
                    if reader.at_eof():
                        return

                elif name == 'status':
                    forced = int(value)

                elif name == 'hints':
                    writer.write(b'HTTP/1.1 103 Early Hints\r\n'
                                 b'Link: </style.css>\r\n\r\n')

                elif name == 'noise':
                    writer.write(b'-ERR unknown command\r\n')
                    await writer.drain()
                    gone = True
                    break

                elif name == 'header':
                    n, _, v = value.partition(':')
                    out.append((n, v))

                elif name == 'body':
                    text = b'{"x":"' + b'x' * int(value) + b'"}'
                    out.append(('Content-Type', 'application/json'))

                elif name == 'chunked':
                    chunked = True

                elif name == 'close':
                    gone = True
                    break

                elif name == 'reset':
                    reset_connection(writer)
                    return

            if gone:
                break

            if reading and kind_of(path) == 'auth':
                who = get.get('authorization', '')
                if who == '':
                    status, text = 401, b'{"error":"who are you"}'
                    out = [('Content-Type', 'application/json'),
                           ('WWW-Authenticate', 'Bearer realm="notes"')]
                elif who != 'Bearer reader':
                    status, text = 403, b'{"error":"not for you"}'
                    out = [('Content-Type', 'application/json')]

            if forced:
                status = forced

            data = reply(status, text, out)

            if chunked:
                data = data.replace(b'Content-Length: %d' % len(text),
                                    b'Transfer-Encoding: chunked', 1)
                data = data[:len(data) - len(text)]

                for i in range(0, len(text), 16384):
                    piece = text[i:i + 16384]
                    data += b'%x\r\n%s\r\n' % (len(piece), piece)

                data += b'0\r\n\r\n'

            if method == 'HEAD':
                data = data[:data.index(b'\r\n\r\n') + 4]

            writer.write(data)
            await writer.drain()

            if get.get('connection', '').lower() == 'close':
                break

    except (asyncio.IncompleteReadError, ConnectionError, ValueError,
            IndexError):
        pass

    finally:
        writer.close()


async def main():
    global released, begun_event

    released = asyncio.Event()
    begun_event = asyncio.Event()

    await serving.by_tasks(serve)


asyncio.run(main())
