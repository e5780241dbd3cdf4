# Clients of the history test that are shown different views of documents, and
# write what they were shown: single fields, the whole view, MOVE and COPY, on
# bases that they keep if the outcome of a write is unknown.  landed.py judges
# the writes.

import asyncio
import json
import random
import time

from history_clients import ODD, UNKNOWN, DONE, REFUSED
from landed import Attempt

WHO = ['Bearer reader', 'Bearer writer', 'Bearer clerk']

# the fields of a view, by its headers or arguments

VIEWS = [('', [], None),
         ('', ['Accept-Language: de'], None),
         ('?fields=title', [], ['title']),
         ('?fields=text,n', [], ['text', 'n']),
         ('', ['X-Fields: text'], ['text']),
         ('', ['X-Fields: title,salary'], ['title', 'salary'])]

DOUBT = ODD + ['apply status=202', 'status=202', 'apply status=500',
               'apply status=303', 'apply close']

LOCKED = ('write_in_progress', 'locked', 'store_unavailable',
          'store_generation', 'none', 'version_conflict', 'outcome_unknown',
          'deleted', 'precondition_failed')


class Seen:
    """
    Of a document: its base, which number of a write it is, the view; with a
    chain, id and number of its last link, it is what the client has made.
    """

    def __init__(self, version, number, view, shown, chain=None):
        self.version = version
        self.number = number
        self.view = view
        self.shown = shown          # None: there is none
        self.chain = chain


class Viewer:
    def __init__(self, log, hosts, n, guarded):
        self.log = log
        self.hosts = hosts
        self.me = 'v%d' % n
        self.user = 'u%d' % (n % 3)
        self.who = random.choice(WHO)
        self.guarded = guarded
        self.names = ['/view/v-%d' % n for n in range(10)]
        self.names += ['/view/m-%d' % n for n in range(10)]
        self.names += ['/own/o-%d' % n for n in range(5)]
        self.known = {}
        self.queued = None          # where a chain goes on
        self.count = 0

    async def request(self, op, method, target, body=None, headers=(),
                      cut=None):
        return await self.log.request(
            random.choice(self.hosts).port, method, target, body,
            ['X-User: ' + self.user, 'X-Client: ' + self.me, 'X-Op: ' + op,
             'Authorization: ' + self.who] + list(headers), cut=cut)

    async def run(self):
        while not self.log.over:
            name = self.queued or random.choice(self.names)
            again, self.queued = not self.queued, None

            if name not in self.known or again and random.random() < 0.2:
                if not await self.read(name):
                    await asyncio.sleep(0.01)
            else:
                await self.write(name)

    async def read(self, name):
        args, headers, fields = view = random.choice(VIEWS)
        dice = random.random()
        lag = []

        if dice < 0.1 and not name.startswith('/view/m-'):
            # a replica that lags behind, if the API owns versions, or a
            # cache with its version

            lag = ['X-Up-Read: old'
                   + (' header=Age:9' if dice < 0.05
                      or not name.startswith('/own/') else '')]

        status, got, body = await self.request('read', 'GET', name + args,
                                               headers=headers + lag)

        if status not in (200, 404) or 'x-doc' not in got:
            return False

        number = int(got['x-doc'])
        version = got.get('etag', '').strip('"')
        shown = json.loads(body) if status == 200 else None
        self.log.kinds['lagging read' if lag else 'view'] += 1

        if shown is not None and name.startswith('/own/'):
            version = str(shown['version'])

        if not self.guarded or version or shown is None:
            self.known[name] = Seen(version, number, view, shown)

        return True

    def value(self):
        self.count += 1
        return '%s-%d' % (self.me, self.count)

    def edit(self, seen):
        """some of the fields that it was shown"""

        edits = {}
        fields = [name for name in seen.shown
                  if name in ('title', 'text', 'salary', 'n')]

        for name in random.sample(fields, random.randint(1, len(fields))):
            was = seen.shown[name]
            # none like another, which would be taken for a retry of it
            new = (was + random.randint(1, 100000) if name == 'n'
                   else self.value())
            edits[name] = was, new

        return edits

    def choose(self, name):
        """method, target, body, headers, the attempt for the judge"""

        seen = self.known[name]
        args, headers, fields = seen.view
        op = '%s-op%d' % (self.me, self.count)
        self.count += 1
        merge = name.startswith('/view/m-') and self.guarded
        json_type = ['Content-Type: application/json']
        tag = ['If-Match: "%s"' % seen.version] if self.guarded else []
        dice = 1 if seen.chain else random.random()

        if seen.shown is None:
            doc = {'title': self.value(), 'text': self.value(), 'n': 0,
                   'salary': self.value()}
            return ('created', op, 'PUT', name, doc,
                    json_type + ['If-None-Match: *'],
                    Attempt(op, self.who, name, None, None, False))

        if not seen.shown:
            seen.view = VIEWS[0]

        if dice < 0.05:
            return ('deleted', op, 'DELETE', name, None, tag,
                    Attempt(op, self.who, name, seen.number, None, False))

        if dice < 0.15:
            method = random.choice(('MOVE', 'COPY'))
            to = random.choice([one for one in self.names if one != name
                                and one[:7] == name[:7]])
            to = ['Destination: ' + random.choice(('', 'http://x')) + to]

            if random.random() < 0.5:
                return (method.lower(), op, method, name, None, to,
                        Attempt(op, self.who, name, None, None, False))

            return (method.lower(), op, method, name, None, to + tag,
                    Attempt(op, self.who, name, seen.number, None, False))

        edits = self.edit(seen) if any(
            one in seen.shown for one in ('title', 'text', 'n')) else None

        if edits is None:
            return None

        whole = fields is None
        put = whole and random.random() < (0.7 if merge else 0.5)

        if put and 'starred' in seen.shown and random.random() < 0.3:
            was = seen.shown['starred']
            edits['starred'] = was, not was

        doc = dict(seen.shown) if put else {}
        doc.pop('base_version', None)
        doc.update((field, new) for field, (_, new) in edits.items())

        if put:
            kind, headers = 'put', headers + json_type
        else:
            kind = 'patch'
            headers = headers + ['Content-Type: application/merge-patch+json']

        if whole and merge and (seen.chain or random.random() < 0.5):
            kind = 'link' if seen.chain else kind
            who, n = seen.chain or (op, 0)
            n = n + random.choice((1, 1, 3)) if n else 1
            seen.chain = who, n
            headers = headers + ['Conflict-Chain: "chain %s";base=%s;n=%d'
                                 % (who, seen.version, n)]
        elif not self.guarded:
            pass
        elif merge or name.startswith('/own/') or random.random() < 0.5:
            doc['base_version'] = int(seen.version)
        else:
            headers = headers + tag

        return (('merge ' if merge else 'view ') + kind, op,
                'PUT' if put else 'PATCH', name + args, doc, headers,
                Attempt(op, self.who, name, seen.number, edits, merge))

    async def write(self, name):
        chosen = self.choose(name)

        if chosen is None:
            del self.known[name]
            return

        kind, op, method, target, doc, headers, attempt = chosen
        self.log.attempts[op] = attempt
        body = None if doc is None else json.dumps(doc).encode()
        doubt = False

        for _ in range(random.choice((1, 1, 8))):
            script = 'sleep=%.3f alive apply' % (random.random() / 30)
            cut = None

            if random.random() < 0.1:
                script = random.choice(DOUBT)
            if random.random() < 0.05:
                cut = random.random() / 30

            status, got, text = await self.request(
                op, method, target, body, headers + ['X-Up-Write: ' + script],
                cut)
            result = self.outcome(status, got, text)
            self.log.tries[op].append('%.4f %s %s %s' % (
                time.monotonic(), status, got.get('conflict', ''), result))

            if result != UNKNOWN:
                break

            doubt = True

            if self.log.over:
                break

            await asyncio.sleep(0.3 * random.random())

        if result == DONE:
            self.log.kinds[kind] += 1
            self.log.acknowledged.append(op)

        elif result == REFUSED and not doubt:
            self.log.refused.append(op)

        elif doubt:
            self.log.kinds['view in doubt'] += 1

            if random.random() < 0.7 and not self.known[name].chain:
                # and continues with what it has
                return

        self.learn(name, result, got, attempt, doc, doubt)

    def learn(self, name, result, got, attempt, doc, doubt):
        seen = self.known.pop(name)
        words = dict(word.split('=', 1)
                     for word in got.get('conflict', '').split(';')
                     if '=' in word)

        if seen.chain:
            if result == DONE and not doubt:
                # the next one is based on its own document, whatever was merged
                seen.shown = dict(seen.shown)
                seen.shown.update((field, new) for field, (_, new)
                                  in attempt.edits.items())
                self.known[name] = seen
                self.queued = name if random.random() < 0.8 else None

        elif (result == DONE and got.get('conflict', '').startswith('passed')
                and attempt.edits and 'version' in words
                and 'fields' not in words and 'x-doc' in got
                and not name.startswith('/own/')):
            # the next write needs no GET
            shown = dict(seen.shown)
            shown.update((field, new)
                         for field, (_, new) in attempt.edits.items())
            self.known[name] = Seen(words['version'], int(got['x-doc']),
                                    seen.view, shown)

    def outcome(self, status, headers, body):
        conflict = headers.get('conflict', '')

        if status is None:
            return REFUSED

        if status in (200, 201, 204):
            return DONE

        answer = {}

        if body.startswith(b'{"error":"') and conflict:
            answer = json.loads(body)

        error = answer.get('error')

        if error == 'outcome_unknown':
            return UNKNOWN if 'detail' in answer else REFUSED

        if error in LOCKED or status in (404, 412):
            return REFUSED

        if status not in (0, 202, 303, 500, 502, 503, 504) and self.guarded:
            self.log.odd[status, conflict, body[:80]] += 1

        return UNKNOWN
