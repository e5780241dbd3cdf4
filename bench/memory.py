# What a resource takes, in a zone and in Redis.

import http.client

import table
from guards import GUARDS, Guard, module
from servers import Load

TRACKED = 50000


def capacity(guards):
    """how many resources a zone of 1 MB holds before it forgets one"""

    def holds(n):
        guard = Guard(guards.api, module('conflict version store=small;',
                                         'small zone=1m'))
        c = http.client.HTTPConnection('127.0.0.1', guard.port)
        first = None

        for k in list(range(n)) + [0]:
            c.request('GET', '/many/%d' % k)
            r = c.getresponse()
            r.read()
            field = r.getheader('Conflict')
            first = first or field

        c.close()
        guard.close()
        return field == first

    low, high = 1000, 20000

    while high - low > 50:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle

    return low


def measure(guards, part):
    names = [name for name in ('redis', 'Lua usual way', 'Lua right way')
             if part in 'memory, ' + name]

    if not names and part not in 'memory, zone':
        return

    table.titles('Memory', ('memory', 'bytes a resource', 'bars'))

    if part in 'memory, zone':
        size = 1048576 / capacity(guards)
        table.cells('memory, zone', '%.0f' % size,
                    table.verdict('bytes ≤ 192', size, 192))

    for name in names:
        guard = Guard(guards.api, GUARDS[name])
        before = guard.redis.used_memory()
        load = Load(guard.port, 16, 'many', 0, 0, TRACKED)
        n = load.run(300)[-1]
        size = (guard.redis.used_memory() - before) / n
        load.stop()
        guard.close()
        table.cells('memory, ' + name, '%.0f' % size, '')
