# The clients of the soak test: typical requests of an app, with its errors, on
# persistent connections; and the expected results.

import asyncio
import collections
import json
import random
import time

DOCS = 64
OTHERS = 20000      # names that are written without much thought
JSON = 'Content-Type: application/json'
PATCH = 'Content-Type: application/merge-patch+json'


class Pace:
    def __init__(self):
        self.rate = None            # requests a second, of all clients
        self.next = 0

    async def wait(self):
        if self.rate:
            now = time.monotonic()
            self.next = max(self.next, now - 0.1) + 1 / self.rate
            await asyncio.sleep(self.next - now)


class Log:
    def __init__(self):
        self.answers = collections.Counter()
        self.acked = 0
        self.values = collections.defaultdict(lambda: None)   # in journals
        self.fields = collections.defaultdict(dict)   # path, field: may be
        self.begin()

    def begin(self):
        self.over = False
        self.times = []
        self.requests = 0
        self.refused = 0
        self.written = []           # path and value, acknowledged

    def judge(self, journal):
        """acknowledged writes not applied exactly once, or on another base"""

        seen = collections.Counter()
        wrong = []

        for entry in journal:
            path = entry['path']

            if not path[7:].isdigit():
                continue

            doc = json.loads(entry['body'])
            seen[path, doc['v']] += 1

            if doc['on'] != self.values[path]:
                wrong.append((path, doc['v'], 'is on', doc['on'], 'not on',
                              self.values[path]))

            self.values[path] = doc['v']

        self.acked += len(self.written)

        return wrong + [(path, value, seen[path, value], 'times')
                        for path, value in self.written
                        if seen[path, value] != 1]


class Line:
    """a connection to a host, reopened if it was closed"""

    def __init__(self, port):
        self.port = port
        self.writer = None

    async def ask(self, data, aborted=False):
        """the status, 0 if there is no response; headers, body"""

        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection(
                    '127.0.0.1', self.port)

            self.writer.write(data)

            if aborted:
                raise ConnectionError

            return await asyncio.wait_for(self.answer(), 30)

        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            self.close()
            return 0, {}, b''

    async def answer(self):
        head = (await self.reader.readuntil(b'\r\n\r\n')).decode('latin-1')
        lines = head.split('\r\n')
        headers = {}

        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers[name.lower()] = value.strip()

        status = int(lines[0].split()[1])
        body = b''

        if headers.get('transfer-encoding') == 'chunked':
            while True:
                size = int(await self.reader.readline(), 16)
                body += (await self.reader.readexactly(size + 2))[:size]

                if not size:
                    break

        elif status not in (204, 304):
            body = await self.reader.readexactly(
                int(headers.get('content-length', 0)))

        if headers.get('connection') == 'close':
            self.close()

        return status, headers, body

    def close(self):
        if self.writer:
            self.writer.close()
            self.writer = None


class Client:
    def __init__(self, log, pace, hosts, n):
        self.log = log
        self.pace = pace
        self.me = 'c%d' % n
        self.lines = [Line(host.port) for host in hosts]
        self.count = 0
        self.known = {}             # name: version and value
        self.tags = {}              # of documents that are merged
        self.does = [
            (24, self.read), (10, self.read_again), (26, self.write),
            (6, self.write_stale), (10, self.write_merged), (4, self.lock),
            (8, self.write_other), (3, self.delete_other), (2, self.large),
            (2, self.rubbish), (2, self.go_away), (1, self.look)]

    def docs(self):
        return ['%d' % n for n in range(DOCS)]

    async def run(self):
        weights, calls = zip(*self.does)

        while not self.log.over:
            await random.choices(calls, weights)[0]()

    async def ask(self, method, name, body=None, headers=(), aborted=False):
        await self.pace.wait()

        head = ['%s %s HTTP/1.1' % (
            method, name if name.startswith('/') else '/plain/' + name),
                'Host: x', 'X-User: ' + self.me] + list(headers)

        if body is not None:
            head.append('Content-Length: %d' % len(body))

        data = '\r\n'.join(head).encode() + b'\r\n\r\n' + (body or b'')
        sent = time.monotonic()
        got = await random.choice(self.lines).ask(data, aborted)

        self.log.requests += 1
        self.log.answers[got[0]] += 1
        self.log.refused += got[0] == 409

        if not aborted:
            self.log.times.append(time.monotonic() - sent)

        if got[0] == 0 and not aborted:
            await asyncio.sleep(0.01)

        return got

    def value(self):
        self.count += 1
        return '%s-%d' % (self.me, self.count)

    async def read(self):
        name = random.choice(self.docs())
        status, headers, body = await self.ask('GET', name)
        version = headers.get('etag')

        if status == 404:
            self.known[name] = (None, None)
        elif status == 200 and version:
            self.known[name] = (version, json.loads(body)['v'])

    async def read_again(self):
        if self.known:
            name = random.choice(list(self.known))
            await self.ask('GET', name, headers=[
                'If-None-Match: %s' % self.known[name][0]])

    async def write(self, stale=False):
        if not self.known:
            return

        name = random.choice(list(self.known))
        version, on = self.known[name] if stale else self.known.pop(name)
        doc = {'v': self.value(), 'on': on, 'text': 'x' * random.randrange(600)}
        headers = [JSON]

        if version is None:
            headers.append('If-None-Match: *')
        elif self.count % 2:
            headers.append('If-Match: %s' % version)
        else:
            doc['base_version'] = int(version.strip('"'))

        status, got, _ = await self.ask('PUT', name, json.dumps(doc).encode(),
                                        headers)

        if status in (201, 204):
            self.log.written.append(('/plain/' + name, doc['v']))
            version = got['conflict'].partition('version=')[2].split(';')[0]

            if version:
                self.known[name] = ('"%s"' % version, doc['v'])

    async def write_stale(self):
        await self.write(stale=True)

    async def write_merged(self):
        """a separate field, on a base that may be stale"""

        name = 'merge-%d' % random.randrange(DOCS)
        tag = self.tags.get(name)

        if tag is None or random.random() < 0.3:
            status, got, _ = await self.ask('GET', name)
            tag = got.get('etag')

            if status == 200 and tag:
                self.tags[name] = tag
            elif status != 404:
                return

        value = self.value()
        may = self.log.fields['/plain/' + name].setdefault(self.me, [None])
        may.append(value)

        status, got, _ = await self.ask(
            'PATCH', name, json.dumps({self.me: value}).encode(),
            [PATCH, 'If-Match: %s' % tag if tag else 'If-None-Match: *'])

        if status in (200, 201, 204):
            self.log.acked += 1
            del may[:-1]
        elif status in (409, 412):
            may.pop()
            self.tags.pop(name, None)

    async def lock(self):
        name = random.choice(self.docs())
        status, _, body = await self.ask('POST', name + '/lock')

        if status == 200:
            await self.ask('DELETE', name + '/lock', headers=[
                'Lock-Token: ' + json.loads(body)['lock']['token']])

    def other(self):
        return 'wins-%d' % random.randrange(OTHERS)

    async def write_other(self):
        await self.ask('PUT', self.other(), b'{"a":[1,2,3]}', [JSON])

    async def delete_other(self):
        await self.ask('DELETE', self.other())

    async def large(self):
        """through a file"""

        await self.ask('PUT', 'wins-large', b'{"a":"%s"}' % (b'x' * 100000),
                       [JSON])

    async def rubbish(self):
        await self.ask('PUT', random.choice(self.docs()),
                       random.choice([b'', b'{', b'[1', b'{"base_version":{}}',
                                      b'\0']),
                       [JSON, random.choice(['If-Match: "', 'If-Match: 0',
                                             'If-None-Match: W/"x", "y"'])])

    async def go_away(self):
        """before the response"""

        await self.ask('PUT', self.other(), b'{"a":1}', [JSON], aborted=True)

    async def look(self):
        await self.ask('GET', '/conflicts?format=json')
