# Throughput with many resources, with many connections, and with a Redis that
# stalls: beside few of them, and what is refused.

import os
import re
import signal
import statistics
import sys
import threading
import time

import table
from servers import Load

FEW, MANY = 1000, 1000000
CONNECTIONS, MOST = 64, 4096
STALL = 0.1

# copies an entry of a resource to others, under the names that they would have

COPY = '''
    local ttl = redis.call('PTTL', KEYS[1])
    local copy = redis.call('DUMP', KEYS[1])

    for k = 1, ARGV[3] do
        redis.call('RESTORE', ARGV[1] .. string.format('%d', k) .. ARGV[2],
                   ttl > 0 and ttl or 0, copy, 'REPLACE')
    end

    return 1'''


class Case:
    """one side of a comparison: the load, and the Redis that stalls"""

    def __init__(self, load, stalls=None):
        self.load = load
        self.stalls = stalls
        self.rates = []
        self.p99 = []
        self.refused = 0

    def run(self, seconds, counted):
        over = threading.Event()

        if self.stalls:
            thread = threading.Thread(target=stall,
                                      args=(self.stalls, over, seconds))
            thread.start()

        count, took, _, p99, bad, _ = self.load.run(seconds, 0, True)
        over.set()

        if self.stalls:
            thread.join()

        if counted:
            self.rates.append((count - bad) / took)
            self.p99.append(p99)
            self.refused += bad


def stall(redis, over, seconds):
    """once in a run"""

    if not over.wait(seconds / 2):
        os.kill(redis.pid, signal.SIGSTOP)
        time.sleep(STALL)
        os.kill(redis.pid, signal.SIGCONT)


def rounds_of(cases, rounds, seconds):
    for n in range(rounds + 1):
        for case in cases[::-1] if n % 2 else cases:
            case.run(seconds, n > 0)

    for case in cases:
        case.load.stop()


def print_case(title, case, few, plain=None):
    """beside "few", a case with less; "plain" is plain proxy_pass, with both"""

    ratios = [a / b for a, b in zip(case.rates, few.rates)]

    if plain:
        ratios = [r / (a / b) for r, a, b in
                  zip(ratios, plain[0].rates, plain[1].rates)]

    refused = case.refused - (plain[0].refused if plain else 0)

    table.cells(title, '%.0f' % statistics.median(few.rates),
                '%.0f' % statistics.median(case.rates),
                '%.2f' % statistics.median(ratios),
                '%.2f' % statistics.median(few.p99),
                '%.2f' % statistics.median(case.p99), '%d' % case.refused,
                table.verdict('ratio ≥ 0.90', statistics.median(ratios), 0.90,
                              True) + '; '
                + table.verdict('refused more than by plain ≤ 0', refused, 0))


def resources(guards, name, rounds, seconds):
    guard = guards.get(name)

    # of both kinds of case all resources are known

    if guard.redis:
        fill(guard)
    else:
        load = Load(guard.port, CONNECTIONS, 'many', 0, 0, MANY)
        load.run(300)
        load.stop()

    few = Case(Load(guard.port, 4, 'many', FEW))
    many = Case(Load(guard.port, 4, 'many', MANY))
    rounds_of((few, many), rounds, seconds)
    print_case(title_resources(name), many, few)


def fill(guard):
    """a million entries; one is written by a PUT, the others are its copies"""

    redis = guard.redis
    load = Load(guard.port, 1, 'many', 0, 0, 1)
    load.run(10)
    load.stop()

    names = [name for name in redis.ask('KEYS', '*many/0*').split('\r\n')
             if 'many/0' in name]

    for name in names:
        head, tail = re.fullmatch('(.*many/)0(.*)', name).groups()
        reply = redis.ask('EVAL', COPY, '1', name, head, tail,
                          str(MANY - 1))

        if not reply.startswith(':1'):
            sys.exit('the entries cannot be copied: ' + reply)

    size = redis.ask('DBSIZE')
    load = Load(guard.port, CONNECTIONS, 'many', MANY)
    load.run(0.5)
    load.stop()

    if not names or redis.ask('DBSIZE') != size:
        sys.exit('the copies are not the entries of their resources')


def connections(guards, name, rounds, seconds):
    plain, guard = guards.get('plain'), guards.get(name)

    cases = [Case(Load(port, n, 'put', 1024, 10000 + n))
             for port in (plain.port, guard.port)
             for n in (MOST, CONNECTIONS)]
    rounds_of(cases, rounds, seconds)
    print_case(title_connections(name), cases[2], cases[3], cases[:2])


def stalls(guards, name, rounds, seconds):
    guard = guards.get(name)

    few = Case(Load(guard.port, 512, 'put', 1024, 20000))
    many = Case(Load(guard.port, 512, 'put', 1024, 30000), guard.redis)
    rounds_of((few, many), rounds, max(seconds, 2))
    print_case(title_stalls(name), many, few)


def one_resource(guards, name, rounds, seconds):
    """without a base: the limit is one write after the other, as one
    connection does"""

    guard = guards.get(name)

    one = Case(Load(guard.port, 1, 'many', 1))
    many = Case(Load(guard.port, CONNECTIONS, 'many', 1))
    rounds_of((one, many), rounds, seconds)

    bar = 1.2 if guard.redis else 0.95
    ratio = statistics.median(a / b for a, b in zip(many.rates, one.rates))
    late = statistics.median(p99 * rate / 1000 / CONNECTIONS for p99, rate in
                             zip(many.p99, one.rates))

    table.cells(title_one_resource(name),
                '%.0f' % statistics.median(one.rates),
                '%.0f' % statistics.median(many.rates), '%.2f' % ratio,
                '%.2f' % statistics.median(one.p99),
                '%.2f' % statistics.median(many.p99), '%d' % many.refused,
                '; '.join((
                    table.verdict('ratio ≥ %.2f' % bar, ratio, bar, True),
                    table.verdict('p99 ≤ 2 × %d × the time of one'
                                  % CONNECTIONS, late, 2.0),
                    table.verdict('refused ≤ 0', many.refused, 0))))


def title_one_resource(name):
    return 'scale, %s, one resource, c=64 : c=1' % name


def title_resources(name):
    return 'scale, %s, resources 1,000,000 : 1,000' % name


def title_connections(name):
    return 'scale, %s, connections 4,096 : 64, beside plain' % name


def title_stalls(name):
    return ('scale, %s, c=512, Redis stops for 100 ms in 2 s : never' % name)


def measure(guards, rounds, seconds, part):
    todo = [(run, name) for run, title, names in (
                (one_resource, title_one_resource, ('shm', 'redis')),
                (resources, title_resources, ('shm', 'redis')),
                (connections, title_connections, ('shm', 'redis')),
                (stalls, title_stalls, ('redis', 'limit A')))
            for name in names if part in title(name)]

    if todo:
        table.titles('Scale', ('work, more : fewer', 'req/s, fewer', 'more',
                               'ratio', 'p99 ms, fewer', 'more', 'refused',
                               'bars'))

    for run, name in todo:
        run(guards, name, rounds, seconds)
