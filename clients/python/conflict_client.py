# Copyright (C) the ngx_http_conflict_module authors, BSD-2-Clause

"""Saves JSON documents through an API that checks versions; no edit is lost.

    client = Client('https://api.example.com/api', device='importer')
    note = client.get('notes/1')
    client.save('notes/1', {**note, 'done': True})

    with client.lock('notes/1'):
        ...

save(..., on_conflict=f) calls f with a Conflict (base, local, server,
conflicts, version), and f returns KEEP_MINE, KEEP_THEIRS, or a document.
Without on_conflict the Conflict is raised.  None stands for a document that
does not exist.  A Client is for one thread.  The base version is sent in
If-Match; if an API counts versions in its documents and sends no ETag, it is
in the document.
"""

import contextlib
import copy
import email.utils
import json
import random
import time
import urllib.error
import urllib.request
import uuid

KEEP_MINE, KEEP_THEIRS = object(), object()


class Conflict(Exception):
    """Another client has changed the document, and nothing was written."""


class Refused(Exception):
    """args: the status and the body of a refusal."""


class Client:
    def __init__(self, base_url, headers={}, device=None, tries=8, timeout=30,
                 max_wait=60):
        self.base_url, self.known, self.tokens = base_url.rstrip('/'), {}, {}
        self.lost = set()     # paths whose last write may have been done
        self.tries, self.timeout, self.max_wait = tries, timeout, max_wait
        self.headers = {'Accept': 'application/json', **headers}
        if device:
            self.headers['X-Client'] = device

    def get(self, path):
        status, headers, doc = self.send('GET', path)
        found = status == 200
        if found and doc is None:
            raise Refused(status, 'not JSON')
        self.known[path] = (headers['ETag'], copy.deepcopy(doc)) \
            if found else (None, None)
        return doc if found else None

    def save(self, path, doc, on_conflict=None):
        """Based on the version that was read; without one it must be new."""
        if doc is None and path not in self.known:
            self.get(path)
        while True:
            tag, base = self.known.get(path, (None, None))
            status, headers, said = self.send(
                'PUT' if doc is not None else 'DELETE', path, doc,
                {'If-Match': tag} if tag
                else {'If-None-Match': '*'} if base is None else {})
            field = headers['Conflict'] or ''
            if status < 300 and not field.startswith('dropped') \
                    or doc is None and status in (404, 410):
                self.known[path] = (headers['ETag'], copy.deepcopy(doc)) \
                    if doc is not None else (None, None)
                self.lost.discard(path)
                if doc is None or headers['ETag'] and field[:6] != 'merged':
                    return doc
                return self.get(path)
            server = self.get(path)
            lost = path in self.lost
            self.lost.discard(path)
            if server == doc and lost:          # the lost write was done
                return doc
            if self.known[path] == (tag, base):     # the base is current
                raise Refused(status, said)
            conflict = Conflict(path)
            conflict.base, conflict.local, conflict.server = base, doc, server
            conflict.conflicts = (said or {}).get('conflicts', [])
            conflict.version = self.known[path][0]
            answer = on_conflict(conflict) if on_conflict else None
            if answer is None:
                raise conflict
            if answer is KEEP_THEIRS:
                return server
            doc = doc if answer is KEEP_MINE else answer

    @contextlib.contextmanager
    def lock(self, path):
        """Refused if another client holds it; each save() renews it."""
        lock = self.send('POST', path + '/lock')[2]['lock']
        self.tokens[path] = {'Lock-Token': lock['token']}
        try:
            yield lock
        finally:
            self.send('DELETE', path + '/lock', None, self.tokens.pop(path))

    def send(self, method, path, doc=None, headers={}):
        """Retries with the same bytes and base until there is a response."""
        data = None if doc is None else json.dumps(doc).encode()
        headers = {**self.headers, **self.tokens.get(path, {}), **headers}
        if data:
            headers['Content-Type'] = 'application/json'
        if method != 'GET':         # equal bytes of two clients: two writes
            headers['Idempotency-Key'] = uuid.uuid4().hex
        for attempt in range(1, self.tries + 1):
            request = urllib.request.Request(
                self.base_url + '/' + path.lstrip('/'), data, headers,
                method=method)
            try:
                with urllib.request.urlopen(request, None, self.timeout) as r:
                    return r.status, r.headers, parse(r.read())
            except urllib.error.HTTPError as e:
                said, error = parse(e.read()), e
                busy = isinstance(said, dict) and said.get('error') in (
                    'locked', 'write_in_progress')
                if not busy and e.code in (404, 409, 410, 412):
                    return e.code, e.headers, said
                if not busy and e.code < 500 \
                        and e.code not in (408, 423, 425, 429):
                    raise Refused(e.code, said) from None
                after, unsure = e.headers['Retry-After'], e.code >= 500
            except OSError as e:
                error, said, after, unsure = e, None, None, True
            if unsure and method != 'GET':
                self.lost.add(path)
            if attempt < self.tries:
                time.sleep(min(self.max_wait, seconds(after, attempt)))
        if isinstance(error, urllib.error.HTTPError):
            raise Refused(error.code, said) from None
        raise error


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def seconds(after, attempt):
    if after and after.isdigit():
        return int(after) + random.uniform(0, 0.25 + int(after) / 5)
    if after and email.utils.parsedate(after):
        date = email.utils.parsedate_to_datetime(after)
        return max(0, date.timestamp() - time.time()) + random.random()
    return random.uniform(0.5, 1) * 2 ** (attempt - 1)
