# The clients of the history test, and the record of their responses.  Each
# write has a unique value.

import asyncio
import collections
import json
import random
import time

import client
from linear import ANY, FOREVER, read, write

IDLE = 1            # of a lock, seconds

DONE, REFUSED, UNKNOWN = 'done', 'refused', 'unknown'

# how the upstream handles a write; the slow one lands after nginx's timeout

ODD = ['sleep=0.45 apply', 'apply close', 'apply reset', 'reset', 'close',
       'status=500', 'apply status=503', 'sleep=0.45 close']

Written = collections.namedtuple(
    'Written', 'who name invoked returned version replayed')
Held = collections.namedtuple('Held', 'who name since till')


class Log:
    def __init__(self):
        self.ops = collections.defaultdict(list)     # of each resource
        self.written = []
        self.held = []
        self.shown = []             # name, called, answered, version of a GET
        self.tries = collections.defaultdict(list)      # of each new value
        self.odd = collections.Counter()      # answers nobody should see
        self.answers = collections.Counter()
        self.kinds = collections.Counter()    # what clients did with success
        self.faults = collections.Counter()
        self.attempts = {}          # by op, of those that are shown views
        self.acknowledged = []
        self.refused = []
        self.landed = []            # what the upstream says of them
        self.amnesia = []           # when locks may have been forgotten
        self.over = False

    async def request(self, *args, **more):
        status, headers, body = await client.request(*args, **more)
        self.answers[status] += 1

        return status, headers, body

    def fault(self, what, invoked, returned):
        self.faults[what] += 1

        if what not in ('reload', 'worker frozen', 'disk full',
                        'zone flooded', 'upgrade undone'):
            self.amnesia.append((invoked, returned))


class Client:
    def __init__(self, log, hosts, n, names, guarded):
        self.log = log
        self.hosts = hosts
        self.me = 'c%d' % n
        self.names = names
        self.guarded = guarded
        self.count = 0
        self.queues = 0
        self.known = {}             # value and version of what was seen last
        self.tokens = {}            # of locks
        self.chains = {}            # id, base and number of the last link

    async def request(self, method, name, body=None, headers=(), cut=None):
        return await self.log.request(
            random.choice(self.hosts).port, method, '/plain/' + name, body,
            ['X-User: ' + self.me, 'X-Client: ' + self.me] + list(headers),
            cut=cut)

    async def run(self):
        while not self.log.over:
            name = random.choice(self.names)
            dice = random.random()

            if name not in self.known or dice < 0.25:
                if not await self.read(name):
                    await asyncio.sleep(0.01)

            elif dice < 0.29 and self.guarded:
                await self.locked(name)

            else:
                await self.write(name)

    async def read(self, name):
        invoked = time.monotonic()
        status, headers, body = await self.request('GET', name)
        returned = time.monotonic()

        if status == 200:
            value = json.loads(body)['v']
        elif status == 404:
            value = None
        else:
            return False

        self.chains.pop(name, None)
        version = headers.get('etag', '').strip('"')
        self.log.ops[name].append(read(self.me, invoked, returned, value))
        self.log.kinds['read'] += 1

        if version:
            self.log.shown.append((name, invoked, returned, int(version)))

        if version or not self.guarded or value is None:
            self.known[name] = (value, version)

        return True

    def body(self):
        self.count += 1
        value = '%s-%d' % (self.me, self.count)
        doc = {'v': value}

        if random.random() < 0.1:
            # larger than nginx's buffer
            doc['pad'] = 'x' * 8000

        return value, doc

    def choose(self, name):
        """kind, expected value, new value, method, body, headers"""

        base, version = self.known.pop(name)
        value, doc = self.body()
        json_type = 'Content-Type: application/json'
        tag = ['If-Match: "%s"' % version] if self.guarded else []
        chain = self.chains.pop(name, None)
        dice = random.random()

        if chain and dice < 0.8:
            # the edit that was queued after the one that has passed
            return self.link(name, chain, base, value, doc, json_type)

        if dice < 0.08:
            return 'blind', ANY, value, 'PUT', doc, [json_type]

        if base is None:
            return ('create', None, value, 'PUT', doc,
                    [json_type, 'If-None-Match: *'])

        if dice < 0.18:
            return 'delete', base, None, 'DELETE', None, tag

        if dice < 0.3:
            return ('patch', base, value, 'PATCH', doc, tag + [
                'Content-Type: application/merge-patch+json'])

        if dice < 0.5 or not self.guarded:
            return 'put', base, value, 'PUT', doc, tag + [json_type]

        if dice < 0.75:
            self.queues += 1
            return self.link(name, ('%s-queue%d' % (self.me, self.queues),
                                    version, 0),
                             base, value, doc, json_type)

        doc['base_version'] = int(version)

        return 'put', base, value, 'PUT', doc, [json_type]

    def link(self, name, chain, base, value, doc, json_type):
        """the next link of a chain, based on the result of the previous one"""

        who, began, n = chain
        n += random.choice((1, 1, 1, 5))
        self.chains[name] = who, began, n

        if base is not None and random.random() < 0.1:
            value = doc = None

        return ('link' if n > 1 else 'put', base, value,
                'PUT' if doc else 'DELETE', doc,
                [json_type, 'Conflict-Chain: "%s";base=%s;n=%d'
                            % (who, began, n)])

    async def write(self, name, more=()):
        """sends it until the outcome is known, or it gives up"""

        kind, base, value, method, doc, headers = self.choose(name)
        body = None if doc is None else json.dumps(doc).encode()
        headers = list(headers) + list(more)
        first = time.monotonic()
        doubt = False

        # it may take effect each time that it is sent: more than once if the
        # base does not matter

        for _ in range(random.choice((1, 6, 30))):
            script = 'sleep=%.3f apply' % (random.random() / 30)
            cut = None

            if random.random() < 0.05:
                script = random.choice(ODD)
            if random.random() < 0.08:
                cut = random.random() / 30

            invoked = time.monotonic()
            status, got, text = await self.request(
                method, name, body, headers + ['X-Up-Write: ' + script], cut)
            returned = time.monotonic()
            result, seen = self.outcome(method, status, got, text)
            self.log.tries[value].append(
                '%.4f-%.4f %s %s %s' % (invoked, returned, status,
                                        got.get('conflict', ''), result))

            for what in seen:
                self.log.ops[name].append(
                    read(self.me, invoked, returned, what))

            if result != UNKNOWN:
                break

            doubt = True
            self.log.ops[name].append(
                write(self.me, invoked, FOREVER, base, value))

            if self.log.over:
                break

            await asyncio.sleep(random.choice((0.05, 0.5)) * random.random())

        if result == DONE:
            if got.get('conflict', '').startswith('replayed'):
                self.log.kinds['replayed'] += 1
                invoked = first

            self.log.ops[name].append(
                write(self.me, invoked, returned, base, value))
            self.log.kinds[kind] += 1
            self.done(name, first, returned, value, got, doubt)

        else:
            self.chains.pop(name, None)

            if doubt:
                self.log.kinds['in doubt'] += 1

        return result, first, returned

    def done(self, name, first, returned, value, got, doubt):
        words = dict(word.split('=', 1)
                     for word in got.get('conflict', '').split(';')
                     if '=' in word)
        version = words.get('version')
        replayed = got.get('conflict', '').startswith('replayed')

        self.log.written.append(Written(
            self.me, name, first, returned,
            int(version) if version else None, replayed or doubt))

        if version and (name in self.chains or not replayed):
            # the next write needs no GET
            self.known[name] = (value, version)

        if name not in self.known:
            self.chains.pop(name, None)

    def outcome(self, method, status, headers, body):
        """the outcome of a write, and the resource as shown"""

        conflict = headers.get('conflict', '')

        if status is None:
            return REFUSED, []

        if status == 0:
            return UNKNOWN, []

        if status in (200, 201, 204):
            if conflict.startswith('dropped'):
                return REFUSED, [json.loads(body)['v']] if body else []

            if self.guarded and not conflict.startswith(('passed',
                                                         'replayed')):
                self.log.odd[status, conflict] += 1

            return DONE, []

        if status == 404 and method == 'DELETE':
            return REFUSED, [None]

        answer = {}

        if body.startswith(b'{"error":"') and conflict:
            answer = json.loads(body)

        error = answer.get('error')

        if error == 'version_conflict':
            if answer.get('server_version'):
                return REFUSED, [answer['server_version']['v']]

            return REFUSED, [None] if answer.get('deleted') else []

        if error in ('write_in_progress', 'locked', 'store_unavailable',
                     'store_generation', 'none'):
            return REFUSED, []

        if error == 'outcome_unknown':
            return (UNKNOWN if 'detail' in answer else REFUSED), []

        if status not in (500, 502, 503, 504) and self.guarded:
            self.log.odd[status, conflict, body[:80]] += 1

        return UNKNOWN, []

    async def locked(self, name):
        """edits under a lock, until it is released, or left to expire"""

        status, _, body = await self.request('POST', name + '/lock')
        since = time.monotonic()

        if status != 200:
            return

        token = ['Lock-Token: ' + json.loads(body)['lock']['token']]
        self.log.kinds['lock'] += 1
        renewed = since

        for _ in range(random.randrange(4)):
            if await self.read(name) and name in self.known:
                result, first, returned = await self.write(name, token)

                if result == DONE:
                    renewed = first
                else:
                    break

            await asyncio.sleep(random.random() / 10)

        till = min(time.monotonic(), renewed + IDLE)

        if random.random() < 0.8:
            await self.request('DELETE', name + '/lock', headers=token)

        self.log.held.append(Held(self.me, name, since, till))
