# What an idle listener of a change stream costs: memory, and how it grows.

import http.client
import selectors
import socket
import statistics
import time

import table
from guards import Guard, module
from servers import cpu

LISTENERS = 10000
IDLE = 60          # seconds, four heartbeats
CHANGES = 50

EVENTS = ('location = /events { conflict_events recheck=1d per_client=20000 '
          'max=20000; }')


def memory(pid):
    """bytes that the worker alone has"""

    for line in open('/proc/%d/status' % pid):
        if line.startswith('RssAnon:'):
            return int(line.split()[1]) * 1024


class Listeners:
    def __init__(self, port):
        self.port = port
        self.sockets = []
        self.ready = selectors.DefaultSelector()

    def open(self, first, last):
        """each of another resource, until each has its first event"""

        waiting = {}

        for k in range(first, last):
            s = socket.create_connection(('127.0.0.1', self.port))
            s.sendall(b'GET /events?resource=/many/%d HTTP/1.1\r\n'
                      b'Host: x\r\n\r\n' % k)
            self.sockets.append(s)
            waiting[s] = b''

            if len(waiting) == 100 or k == last - 1:
                for s in waiting:
                    while b'\nevent: ' not in waiting[s]:
                        waiting[s] += s.recv(4096)

                waiting = {}

        for s in self.sockets[first:last]:
            s.setblocking(False)
            self.ready.register(s, selectors.EVENT_READ)

    def idle(self, seconds):
        end = time.time() + seconds

        while time.time() < end:
            for key, _ in self.ready.select(end - time.time()):
                if not key.fileobj.recv(4096):
                    raise RuntimeError('a stream was closed')

    def told(self, k):
        """reads until this one has an event"""

        while True:
            data = b''

            for key, _ in self.ready.select():
                data = key.fileobj.recv(4096)

                if key.fileobj is self.sockets[k] and b'event: ' in data:
                    return

    def close(self):
        for s in self.sockets:
            s.close()


def changes(guard, listeners):
    """milliseconds from the begin of a PUT until it is told"""

    taken = []
    c = http.client.HTTPConnection('127.0.0.1', guard.port)

    for n in range(CHANGES):
        k = n * (LISTENERS // CHANGES)
        start = time.time()
        c.request('PUT', '/many/%d' % k, '{"n":1}',
                  {'Content-Type': 'application/json'})
        c.getresponse().read()
        listeners.told(k)
        taken.append(1000 * (time.time() - start))

    c.close()

    return statistics.median(taken)


def measure(guards, part):
    stores = [(name, store) for name, store in
              (('shm', 'default zone=64m'),
               ('redis', 'default redis://127.0.0.1:%(redis_port)d'))
              if part in 'listeners, %s, 10,000 idle' % name]

    if not stores:
        return

    table.titles('Listeners', ('listeners', 'bytes each',
                               'bytes each after %d s' % IDLE,
                               'worker CPU %', 'ms until a change is told',
                               'bars'))

    for name, store in stores:
        guard = Guard(guards.api, module('conflict version;', store, EVENTS))
        listeners = Listeners(guard.port)
        listeners.open(0, 100)
        before = memory(guard.worker)
        listeners.open(100, LISTENERS)
        opened = memory(guard.worker)

        listeners.idle(IDLE)
        settled = memory(guard.worker)
        used = cpu(guard.worker)
        listeners.idle(IDLE)
        used = cpu(guard.worker) - used
        after = memory(guard.worker)

        each = (opened - before) / (LISTENERS - 100)
        later = (after - before) / (LISTENERS - 100)

        table.cells('listeners, %s, 10,000 idle' % name, '%.0f' % each,
                    '%.0f' % later, '%.1f' % (used / IDLE / 1e7),
                    '%.2f' % changes(guard, listeners),
                    table.verdict('bytes ≤ 32768', later, 32768) + '; '
                    + table.verdict('growth in a minute ≤ 1 %',
                                    100 * (after / settled - 1), 1))
        listeners.close()
        guard.close()
