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
does not exist.  A Client is for one thread.

The base version is the ETag that was read, sent in If-Match.  If an API counts
versions in a member of its documents, Client(..., member='version') sends it
there.  A document that was read without a version is not written: Unversioned
is raised, unless save(..., unchecked=True) asks for it.

client.accepted is true if the last save() or create() was answered with 202: the
API may still not do it, and a document that is read may be that before it.

create('notes', doc) sends a POST and returns the path and the document of what
was created.  It is sent again, with the same key, only if create(..., key=KEY)
says that the API carries out one request for a key (conflict_idempotency); the
same KEY in a later process is the same creation.
"""

import contextlib
import copy
import email.utils
import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

KEEP_MINE, KEEP_THEIRS = object(), object()


class Conflict(Exception):
    """Another client has changed the document, and nothing was written."""


class Refused(Exception):
    """args: the status and the body of a refusal."""


class Unversioned(Exception):
    """The document was read without a version: a write is not checked."""


class NoRedirection(urllib.request.HTTPRedirectHandler):
    """The target of a redirection must not receive the headers."""

    def redirect_request(self, *args):
        return None


class Client:
    def __init__(self, base_url, headers={}, device=None, tries=8, timeout=30,
                 max_wait=60, member=None):
        self.base_url, self.known, self.tokens = base_url.rstrip('/'), {}, {}
        self.lost = set()     # paths whose last write may have been done
        self.given = {}       # what was saved last, if it was merged
        self.accepted = False     # the last write, by 202
        self.member = member
        self.opener = urllib.request.build_opener(NoRedirection)
        self.tries, self.timeout, self.max_wait = tries, timeout, max_wait
        self.headers = {'Accept': 'application/json', **headers}
        if device:
            # http.client takes text to be ISO 8859-1
            self.headers['X-Client'] = device.encode().decode('latin-1')

    def get(self, path):
        status, headers, doc = self.send('GET', path)
        found = status in (200, 203)
        if found and doc is None:
            raise Refused(status, 'not JSON')
        if not found and status not in (404, 410):
            raise Refused(status, doc)
        self.given.pop(path, None)
        self.known[path] = (headers['ETag'], copy.deepcopy(doc)) \
            if found else (None, None)
        return doc if found else None

    def save(self, path, doc, on_conflict=None, unchecked=False):
        """Based on the version that was read; without one it must be new.

        Returns the document, which may have edits of others: go on from it.
        """
        if doc is None and path not in self.known:
            self.get(path)
        self.accepted = False
        given = copy.deepcopy(doc)
        reverted = self.reverts(path, doc)
        while True:
            tag, base = self.known.get(path, (None, None))
            if reverted is None:
                status, headers, said = self.send(
                    'PUT' if doc is not None else 'DELETE', path,
                    *self.based(path, doc, tag, base, unchecked))
                field = headers['Conflict'] or ''
                if status < 300 and not field.startswith('dropped') \
                        or doc is None and status in (404, 410) \
                        and not (said is None and is_html(headers)):
                    self.lost.discard(path)
                    self.accepted = status == 202
                    return self.saved(path, doc, given, headers, said)
                server = self.get(path)
                lost = path in self.lost
                self.lost.discard(path)
                if server == doc and (lost or doc is None):     # it is done
                    return doc
                if self.known[path] == (tag, base):     # the base is current
                    raise Refused(status, said)
            else:
                base, server, said, reverted = reverted, base, None, None
            conflict = Conflict(path)
            conflict.base, conflict.local, conflict.server = base, doc, server
            conflict.conflicts = said.get('conflicts', []) \
                if isinstance(said, dict) else []
            conflict.version = self.known[path][0]
            answer = on_conflict(conflict) if on_conflict else None
            if answer is None:
                raise conflict
            if answer is KEEP_THEIRS:
                self.given[path] = given
                return server
            doc = doc if answer is KEEP_MINE else answer

    def create(self, path, doc, key=None):
        """A POST.  Returns where it is, for get(), and what it is, if known.

        Without a key it is not sent again if it may have been carried out.
        """
        self.accepted = False
        status, headers, said = self.send(
            'POST', path, doc, {'Idempotency-Key': key} if key else {},
            once=not key)
        error = said.get('error') if isinstance(said, dict) else None
        if error == 'response_not_kept':
            return None, None
        if status >= 300:
            raise Refused(status, said)
        self.accepted = status == 202
        base = self.base_url + '/'
        at = urllib.parse.urljoin(base + path.lstrip('/'),
                                  headers['Location'] or 'about:')
        return at[len(base):] if at.startswith(base) else None, said

    def based(self, path, doc, tag, base, unchecked):
        """The document and the headers that state its base version."""
        if base is None:
            return doc, {'If-None-Match': '*'}
        number = base.get(self.member) if isinstance(base, dict) else None
        if number is not None and isinstance(doc, dict):
            return {**doc, self.member: number}, {}
        if number is not None and not tag:
            return doc, {'If-Match': '"%s"' % number}
        if not tag and not unchecked:
            raise Unversioned('%s was read without an ETag' % path)
        return doc, {'If-Match': tag} if tag else {}

    def saved(self, path, doc, given, headers, said):
        """The document after a write, which may have edits of others."""
        field = headers['Conflict'] or ''
        others = field.startswith('merged') \
            or field.startswith('replayed') and said != doc
        self.known[path] = (headers['ETag'], copy.deepcopy(doc)) \
            if doc is not None else (None, None)
        self.given.pop(path, None)
        if doc is not None and (others or self.member or not headers['ETag']):
            doc = self.get(path)
        if doc != given:
            self.given[path] = given
        return doc

    def reverts(self, path, doc):
        """What was saved last, if doc goes on from it, and not from the
        document that save() has returned, and so would revert others."""
        given, (_, base) = self.given.pop(path, None), self.known.get(
            path, (None, None))
        if not all(isinstance(d, dict) for d in (given, base, doc)):
            return None
        return given if any(
            base.get(k) != given.get(k) and doc.get(k) == given.get(k)
            for k in {*base, *given} - {self.member}) else None

    @contextlib.contextmanager
    def lock(self, path):
        """Refused if another client holds it; each save() renews it."""
        status, _, said = self.send('POST', path + '/lock')
        lock = said.get('lock') if isinstance(said, dict) else None
        if not isinstance(lock, dict) or 'token' not in lock:
            raise Refused(status, said)
        self.tokens[path] = {'Lock-Token': lock['token']}
        try:
            yield lock
        finally:
            token = self.tokens.pop(path)
            with contextlib.suppress(Refused, OSError):   # or it expires
                self.send('DELETE', path + '/lock', None, token)

    def send(self, method, path, doc=None, headers={}, once=False):
        """Retries with the same bytes and base until there is a response;
        "once": unless it may have been carried out."""
        data = None if doc is None else \
            json.dumps(doc, allow_nan=False).encode()
        headers = {**self.headers, **self.tokens.get(path, {}), **headers}
        if data:
            headers['Content-Type'] = 'application/json'
        if method != 'GET':         # equal bytes of two clients: two writes
            headers.setdefault('Idempotency-Key', uuid.uuid4().hex)
        for attempt in range(1, self.tries + 1):
            request = urllib.request.Request(
                self.base_url + '/' + path.lstrip('/'), data, headers,
                method=method)
            try:
                status, fields, text = self.request(request)
            except http.client.InvalidURL:      # such as a space in the path
                raise
            except (OSError, http.client.HTTPException) as e:
                error, after, final, unsure = e, None, False, True
            else:
                said = parse(text)
                error, after = Refused(status, said), fields['Retry-After']
                code = said.get('error') if isinstance(said, dict) else None
                busy = code in ('locked', 'write_in_progress',
                                'request_in_progress')
                page = method != 'GET' and is_page(status, fields, text) \
                    and not (method == 'POST' and status == 201)
                if status < 300 and not page \
                        or not busy and status in (404, 409, 410, 412):
                    return status, fields, said
                unsure = page or not 400 <= status < 500 \
                    or method == 'POST' and status == 408
                final = not busy and not page and status < 500 \
                    and status not in (408, 423, 425, 429)
            if unsure and method != 'GET':
                self.lost.add(path)
            if final or once and unsure:
                raise error
            if attempt < self.tries:
                time.sleep(min(self.max_wait, seconds(after, attempt)))
        raise error

    def request(self, request):
        try:
            answer = self.opener.open(request, None, self.timeout)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            return answer.getcode(), answer.headers, answer.read()


def is_page(status, headers, text):
    """A page instead of a response of the API, as of a hotspot or a login."""
    if status >= 300 or status in (204, 205) or headers['Conflict']:
        return False
    text = text.strip()
    return text.startswith(b'<') or is_html(headers) and parse(text) is None \
        and not (text == b'' and headers['ETag'])


def is_html(headers):
    return headers.get_content_type() in ('text/html', 'application/xhtml+xml')


def parse(text):
    try:
        # a copy of each document is kept, which nests less than one is parsed
        return copy.deepcopy(json.loads(text))
    except (ValueError, RecursionError):
        return None


def seconds(after, attempt):
    if after and after.isascii() and after.isdigit():
        after = int(after[:9])
        return after + random.uniform(0, 0.25 + after / 5)
    with contextlib.suppress(TypeError, ValueError):
        date = email.utils.parsedate_to_datetime(after)
        return max(0, date.timestamp() - time.time()) + random.random()
    return random.uniform(0.5, 1) * 2 ** (attempt - 1)
