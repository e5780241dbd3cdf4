"""test_conflict_client.py URL API: nginx at URL, the API behind it at API."""

import http.client
import json
import os
import sys
import threading
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from conflict_client import (KEEP_MINE, KEEP_THEIRS, Client, Conflict,
                             Refused, Unversioned, seconds)

URL, API = sys.argv[1:3]
names = iter(range(1000))


def fresh(location='version'):
    return '%s/py%dx%d' % (location, os.getpid(), next(names))


def journal(path):
    with urllib.request.urlopen(API + '/_journal') as r:
        return [w for w in json.load(r)
                if w['path'] == '/plain/' + path.replace('/', '-')]


class Through(unittest.TestCase):
    """two devices, nginx, and an API"""

    def shared(self, doc, location='version'):
        path = fresh(location)
        Client(URL).save(path, doc)
        one, two = Client(URL, device='phone'), Client(URL, device='laptop')
        one.get(path)
        two.get(path)
        return path, one, two

    def test_save_and_get(self):
        path, client = fresh(), Client(URL)
        self.assertIsNone(client.get(path))
        for n in 1, 2, 3:
            self.assertEqual(client.save(path, {'n': n}), {'n': n})
        self.assertEqual(Client(URL).get(path), {'n': 3})
        self.assertIsNone(client.save(path, None))
        self.assertIsNone(client.save(path, None))
        self.assertIsNone(Client(URL).get(path))
        self.assertEqual([w['method'] for w in journal(path)],
                         ['PUT', 'PUT', 'PUT', 'DELETE'])

    def test_device_of_any_name(self):
        path = fresh()
        client = Client(URL, device='Jürgen’s')
        client.save(path, {'n': 1})
        self.assertEqual(client.save(path, {'n': 2}), {'n': 2})
        name = dict(journal(path)[-1]['headers'])['x-client']
        self.assertEqual(name.encode('latin-1').decode(), 'Jürgen’s')

    def test_conflict_is_raised(self):
        path, one, two = self.shared({'n': 0})
        one.save(path, {'n': 1})
        with self.assertRaises(Conflict) as c:
            two.save(path, {'n': 2})
        c = c.exception
        self.assertEqual((c.base, c.local, c.server, str(c)),
                         ({'n': 0}, {'n': 2}, {'n': 1}, path))
        self.assertEqual(two.save(path, {'n': 3}), {'n': 3},
                         'based on the version that it was shown')

    def test_on_conflict(self):
        for answer, end in (KEEP_MINE, 2), (KEEP_THEIRS, 1), ({'n': 9}, 9):
            path, one, two = self.shared({'n': 0})
            one.save(path, {'n': 1})
            self.assertEqual(two.save(path, {'n': 2}, lambda c: answer),
                             {'n': end})
            self.assertEqual(Client(URL).get(path), {'n': end})

    def test_existing_document_is_not_created(self):
        path = self.shared({'n': 0})[0]
        with self.assertRaises(Conflict) as c:
            Client(URL).save(path, {'n': 1})
        self.assertIsNone(c.exception.base)

    def test_deleted_document(self):
        path, one, two = self.shared({'n': 0})
        one.save(path, None)
        with self.assertRaises(Conflict) as c:
            two.save(path, {'n': 1})
        self.assertIsNone(c.exception.server)
        self.assertEqual(two.save(path, {'n': 1}), {'n': 1})

    def test_lost_response(self):
        path, one, two = self.shared({'n': 0})
        one.headers['X-Up-Write'] = 'apply close'
        one.tries = 1
        with self.assertRaises(Refused) as c:
            one.save(path, {'n': 1})
        self.assertEqual(c.exception.args[0], 502)
        one.headers['X-Up-Write'], one.tries = 'apply', 8
        self.assertEqual(one.save(path, {'n': 1}), {'n': 1})
        self.assertEqual(len(journal(path)), 2)

    def test_create(self):
        path, client = fresh('orders'), Client(URL + '/orders')
        name = path.split('/')[1]
        client.headers['X-Up-Write'] = 'apply header=Location:/' + path
        self.assertEqual(client.create(name, {'n': 1}, key='k' * 20),
                         (name, None))
        self.assertEqual(client.get(name), {'n': 1})
        self.assertEqual(client.save(name, {'n': 2}), {'n': 2})
        self.assertEqual(client.create(name, {'n': 1}, key='k' * 20)[0], name)
        with self.assertRaises(Refused) as c:
            client.create(name, {'n': 3}, key='k' * 20)
        self.assertEqual(c.exception.args[1]['error'],
                         'idempotency_key_reused')
        self.assertEqual([w['method'] for w in journal(path)],
                         ['POST', 'PUT'])

    def test_create_is_not_carried_out_twice(self):
        for key, code in (None, None), ('k' * 20, 'request_outcome_unknown'):
            path, client = fresh('orders'), Client(URL, max_wait=0)
            client.headers['X-Up-Write'] = 'apply close'
            with self.assertRaises(Refused) as c:
                client.create(path, {'n': 1}, key)
            status, said = c.exception.args
            self.assertEqual((status, said['error'] if key else None),
                             (409 if key else 502, code))
            self.assertEqual(len(journal(path)), 1)

    def test_create_without_the_response(self):
        path, client = fresh('orders'), Client(URL)
        client.headers['X-Up-Write'] = 'apply body=5000'
        client.create(path, {'n': 1}, key='k' * 20)
        self.assertEqual(client.create(path, {'n': 1}, key='k' * 20),
                         (None, None))
        self.assertEqual(len(journal(path)), 1)

    def test_versions_in_documents(self):
        path = fresh('own')
        one, two = [Client(URL, member='version') for _ in range(2)]
        one.save(path, {'n': 0})
        two.get(path)
        self.assertEqual(one.save(path, {'n': 1}), {'n': 1, 'version': 2})
        with self.assertRaises(Conflict) as c:
            two.save(path, {'n': 2})
        self.assertEqual(c.exception.server, {'n': 1, 'version': 2})
        self.assertEqual(two.save(path, {'n': 2}), {'n': 2, 'version': 3})
        self.assertEqual(one.save(path, {'n': 3, 'version': 1},
                                  lambda c: KEEP_MINE),
                         {'n': 3, 'version': 4})
        self.assertIsNone(one.save(path, None))
        other = Client(URL)
        two.get(path)
        two.save(path, {'n': 4})
        other.get(path)
        with self.assertRaises(Unversioned):
            other.save(path, {'n': 5})

    def test_edit_after_a_merge(self):
        path, one, two = self.shared({'x': 0, 'y': 0}, 'bodymerge')
        one.save(path, {'x': 1, 'y': 0})
        merged = {'x': 1, 'y': 1}
        self.assertEqual(two.save(path, {'x': 0, 'y': 1},
                                  lambda c: merged), merged)
        with self.assertRaises(Conflict) as c:
            two.save(path, {'x': 0, 'y': 2})
        self.assertEqual((c.exception.base, c.exception.server),
                         ({'x': 0, 'y': 1}, merged))
        self.assertEqual(two.save(path, {'x': 1, 'y': 3}),
                         {'x': 1, 'y': 3})

    def test_counter(self):
        path = self.shared({'n': 0})[0]

        def count():
            client = Client(URL)
            client.save(path, {'n': client.get(path)['n'] + 1},
                        lambda c: {'n': c.server['n'] + 1})

        threads = [threading.Thread(target=count) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(Client(URL).get(path), {'n': 5})

    def test_dropped_write_is_reported(self):
        path, one, two = self.shared({'n': 0}, 'wins')
        one.save(path, {'n': 1})
        with self.assertRaises(Conflict) as c:
            two.save(path, {'n': 2})
        self.assertEqual(c.exception.server, {'n': 1})

    def test_lock(self):
        path, one, two = self.shared({'n': 0})
        two.tries = 1
        with one.lock(path) as lock:
            self.assertEqual(lock['client'], 'phone')
            self.assertEqual(one.save(path, {'n': 1}), {'n': 1})
            for write in (lambda: two.lock(path).__enter__(),
                          lambda: two.save(path, {'n': 2})):
                with self.assertRaises(Refused) as c:
                    write()
                self.assertEqual(c.exception.args[1]['error'], 'locked')
        with two.lock(path):
            pass


class Alone(unittest.TestCase):
    """a server with scripted responses"""

    def setUp(self):
        test = self

        class Handler(BaseHTTPRequestHandler):
            def do(self):
                n = int(self.headers.get('Content-Length', 0))
                test.seen.append((self.command, self.rfile.read(n)))
                status, headers, body = test.answers.pop(0)
                self.send_response(status)
                headers = {'Content-Length': str(len(body)), **headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do

            def log_message(self, *args):
                pass

        self.seen = []
        self.server = HTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        self.client = Client('http://127.0.0.1:%d'
                             % self.server.server_address[1], tries=3)

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def test_retry(self):
        for status in 408, 423, 425, 429, 500, 502, 503, 504:
            self.seen, self.answers = [], [
                (status, {'Retry-After': '0'}, b''),
                (409, {'Retry-After': '0'}, b'{"error":"write_in_progress"}'),
                (201, {'ETag': '"1"'}, b'')]
            self.client.save('a%d' % status, {'n': 1})
            self.assertEqual(self.seen, [('PUT', b'{"n": 1}')] * 3)

    def test_retries_are_limited(self):
        self.answers = [(503, {'Retry-After': '0'}, b'')] * 3
        with self.assertRaises(Refused):
            self.client.save('a', {'n': 1})

    def test_refused(self):
        self.answers = [(422, {}, b'{"error":"no"}')]
        with self.assertRaises(Refused) as c:
            self.client.save('a', {'n': 1})
        self.assertEqual(c.exception.args, (422, {'error': 'no'}))

    def test_page_instead_of_the_api(self):
        html = {'Content-Type': 'text/html'}
        for page in (({}, b'\n<p>Welcome'), (html, b'Welcome'), (html, b'')):
            for doc in {'n': 1}, None:
                self.answers = [(200, {'ETag': '"1"'}, b'{"n":0}'),
                                (200, {'Retry-After': '0', **page[0]}, page[1]),
                                (204, {'ETag': '"2"', **html}, b'')]
                self.client.get('a')
                self.assertEqual(self.client.save('a', doc), doc)
        self.answers = [(200, {'Retry-After': '0'}, b'<p>Welcome')] * 3
        with self.assertRaises(Refused):
            self.client.save('a', {'n': 1})
        self.answers = [(200, {}, b'<p>Welcome')]
        with self.assertRaises(Refused):
            self.client.get('a')

    def test_page_instead_of_a_removal(self):
        read = 200, {'ETag': '"1"'}, b'{"n":0}'
        page = 404, {'Content-Type': 'text/html'}, b'<p>No such site'
        self.answers = [read, page, read]
        self.client.get('a')
        with self.assertRaises(Refused) as c:
            self.client.save('a', None)
        self.assertEqual(c.exception.args[0], 404)
        self.answers = [page, page]
        self.assertIsNone(self.client.save('a', None))

    def test_read_without_a_version(self):
        self.answers = [(200, {}, b'{"n":0}')]
        self.client.get('a')
        for doc in {'n': 1}, None:
            with self.assertRaises(Unversioned):
                self.client.save('a', doc)
        self.assertEqual(len(self.seen), 1)
        self.answers = [(204, {}, b''), (200, {}, b'{"n":1}')]
        self.assertEqual(self.client.save('a', {'n': 1}, unchecked=True),
                         {'n': 1})

    def test_no_redirection_is_followed(self):
        other = 'http://localhost:%d/b' % self.server.server_address[1]
        for status in 301, 302, 303, 307, 308:
            self.seen, self.answers = [], [
                (status, {'Location': other}, b'')] * 3
            for request in (lambda: self.client.get('a'),
                            lambda: self.client.lock('a').__enter__(),
                            lambda: self.client.save('a', {'n': 1})):
                with self.assertRaises(Refused) as c:
                    request()
                self.assertEqual(c.exception.args[0], status)
            self.assertEqual(len(self.seen), 3)
            self.answers = [(412, {}, b''), (200, {'ETag': '"2"'}, b'{"n":1}')]
            self.assertEqual(self.client.save('a', {'n': 1}), {'n': 1},
                             'it was written')

    def test_response_that_is_cut_off(self):
        cut = {'ETag': '"2"', 'Content-Length': '100'}
        self.answers = [(200, {'ETag': '"1"'}, b'{"n":0}'),
                        (200, cut, b'{"n"'), (409, cut, b'{"error"'),
                        (412, {}, b''), (200, {'ETag': '"2"'}, b'{"n":1}')]
        self.client.get('a')
        self.assertEqual(self.client.save('a', {'n': 1}), {'n': 1})
        self.assertEqual([m for m, _ in self.seen],
                         ['GET', 'PUT', 'PUT', 'PUT', 'GET'])

    def test_bodies_that_are_no_objects(self):
        for body in b'["stale"]', b'"x"', b'null', b'1':
            self.answers = [(200, {'ETag': '"1"'}, b'{"n":0}'),
                            (412, {}, body), (200, {'ETag': '"2"'}, b'[1]')]
            self.client.get('a')
            with self.assertRaises(Conflict) as c:
                self.client.save('a', {'n': 1})
            self.assertEqual(c.exception.conflicts, [])
            self.answers = [(200, {}, body)]
            with self.assertRaises(Refused):
                self.client.lock('a').__enter__()

    def test_edits_of_others_in_a_response(self):
        for field in 'merged;version=3', 'replayed;version=3':
            latest = (200, {'ETag': '"3"', 'Conflict': field},
                      b'{"n":1,"x":1}')
            self.answers = [(200, {'ETag': '"1"'}, b'{"n":0,"x":0}'), latest,
                            latest]
            self.client.get('a')
            self.assertEqual(self.client.save('a', {'n': 1, 'x': 0}),
                             {'n': 1, 'x': 1})
            with self.assertRaises(Conflict) as c:
                self.client.save('a', {'n': 2, 'x': 0})
            self.assertEqual((c.exception.base, c.exception.server),
                             ({'n': 1, 'x': 0}, {'n': 1, 'x': 1}))
            self.assertEqual(self.answers, [])

    def test_lock_that_cannot_be_released(self):
        self.answers = [(200, {}, b'{"lock":{"token":"t"}}'), (422, {}, b'')]
        with self.assertRaises(KeyError), self.client.lock('a'):
            raise KeyError('of the application')

    def test_only_accepted(self):
        self.assertFalse(self.client.accepted)
        tag = {'ETag': '"1"'}
        for status, accepted in (202, True), (200, False), (202, True), \
                (204, False):
            self.answers = [(200, tag, b'{"n":0}'), (status, tag, b'')]
            self.client.get('a')
            self.assertEqual(self.client.save('a', {'n': 1}), {'n': 1})
            self.assertEqual(self.client.accepted, accepted)
        self.answers = [(202, tag, b''), (200, tag, b'{"n":1}')]
        self.assertIsNone(self.client.save('a', None))
        self.client.get('a')
        self.assertTrue(self.client.accepted, 'a read is no write')
        self.answers = [(412, {}, b''), (200, {'ETag': '"2"'}, b'{"n":5}')]
        with self.assertRaises(Conflict):
            self.client.save('a', {'n': 2})
        self.assertFalse(self.client.accepted, 'nothing was written')
        self.answers = [(202, {'Location': '/b/1'}, b''), (422, {}, b'')]
        self.assertEqual(self.client.create('b', {'n': 1}), ('b/1', None))
        self.assertTrue(self.client.accepted)
        with self.assertRaises(Refused):
            self.client.create('b', {'n': 1})
        self.assertFalse(self.client.accepted)

    def test_409_of_the_api(self):
        self.answers = [(409, {}, b'{"error":"taken"}'), (404, {}, b'')]
        with self.assertRaises(Refused):
            self.client.save('a', {'n': 1})

    def test_only_404_and_410_say_that_there_is_nothing(self):
        read = 200, {'ETag': '"1"'}, b'{"n":0}'
        for status in 202, 204, 206, 409, 412:
            body = b'' if status == 204 else b'{"n":0}'
            self.answers = [read, (409, {}, b'{"error":"in use"}'),
                            (status, {}, body), (status, {}, body)]
            self.client.get('a')
            for request in (lambda: self.client.save('a', None),
                            lambda: self.client.get('a')):
                with self.assertRaises(Refused) as c:
                    request()
                self.assertEqual(c.exception.args[0], status)
            self.assertEqual(self.answers, [])
        self.answers = [(203, {}, b'{"n":1}'), (410, {}, b'')]
        self.assertEqual(self.client.get('a'), {'n': 1})
        self.assertIsNone(self.client.get('a'))

    def test_response_that_cannot_be_parsed(self):
        # parsed, but not copied; neither
        deep = [b'[' * n + b']' * n for n in (700, 200000)]
        read = 200, {'ETag': '"1"'}, b'{"n":0}'
        for status, headers, body in (200, {}, deep[0]), (200, {}, deep[1]), \
                (205, {'Content-Type': 'text/html'}, b''):
            self.answers = [read, (status, {'ETag': '"2"', **headers}, body)]
            self.client.get('a')
            self.assertEqual(self.client.save('a', {'n': 1}), {'n': 1})
        for body in deep:
            self.answers = [(200, {}, body)]
            with self.assertRaises(Refused):
                self.client.get('a')

    def test_numbers_that_json_does_not_have(self):
        self.answers = [(200, {'ETag': '"1"'}, b'{"n":1e400}')]
        doc = self.client.get('a')
        with self.assertRaises(ValueError):
            self.client.save('a', doc)
        self.assertEqual(len(self.seen), 1)

    def test_path_that_is_no_url(self):
        client = Client(URL)
        with self.assertRaises(http.client.InvalidURL):
            client.get('a b')
        self.assertFalse(client.lost)

    def test_no_network(self):
        client = Client('http://127.0.0.1:1', tries=1)
        with self.assertRaises(OSError):
            client.save('a', {'n': 1})

    def test_waits(self):
        self.assertTrue(20 <= seconds('20', 1) <= 24.25)
        self.assertTrue(seconds('Wed, 01 Jan 2020 00:00:00 GMT', 1) <= 1)
        self.assertTrue(4 <= seconds(None, 4) <= 8)


class Lines(unittest.TextTestResult):
    def startTest(self, test):
        self.bad = False
        super().startTest(test)

    def addFailure(self, test, err):
        self.bad = True
        super().addFailure(test, err)

    addError = addFailure

    def stopTest(self, test):
        print(('not ok ' if self.bad else 'ok ') + 'python: '
              + test._testMethodName, flush=True)
        super().stopTest(test)


unittest.main(argv=sys.argv[:1], testRunner=unittest.TextTestRunner(
    resultclass=Lines, verbosity=0))
