# Documents built to keep a worker busy, and what they cost: each as the base,
# the server's and the client's, about "size" bytes long, with about "most"
# values if the number of values is the limit.

import http.client
import random
import statistics
import sys
import time

import table
from guards import SO, Guard, module
from servers import cpu


def members(names, value):
    return '{' + ','.join('"%s":%s' % (n, value(n)) for n in names) + '}'


def elements(values, wrap='[%s]'):
    return '{"u":' + wrap % ','.join(values) + '}'


def shuffled(n, side):
    numbers = list(range(n))
    random.Random(side).shuffle(numbers)
    return numbers


def padding(size, n, taken):
    return max(1, size // n - taken)


def numbers(side, size, most):
    return elements('%d' % (100000 + n) for n in shuffled(size // 7, side))


def zeros(side, size, most):
    return elements(['%d' % side] + ['0'] * (size // 2 - 10))


def a_set(side, size, most):
    """as many as allowed; half of them on one side only"""

    n = most // 3 - 2
    pad = '\\/' * (padding(size, n, 12) // 2)
    return elements('"%s%d"' % (pad, k + side * n // 2)
                    for k in shuffled(n, side))


def a_map(side, size, most):
    """each element is merged member by member"""

    n = most // 9 - 1
    pad = '\\u00e9' * (padding(size, n, 24) // 6)
    return '{"m":[' + ','.join(
        '{"k":"%s%d","%s":%d}' % (pad, k, 'abc'[side], side)
        for k in shuffled(n, side)) + ']}'


def wide(side, size, most):
    """every other member changed by each side"""

    n = most // 3 - 1
    pad = 'x' * padding(size, n, 14)
    return members(('%s%d' % (pad, k) for k in shuffled(n, side)),
                   lambda name: '%d' % (side and int(name[-1]) % 2 == side - 1))


def clashes(side, size, most):
    n = most // 3 - 1
    pad = '\\n' * (padding(size, n, 14) // 2)
    return members(('%s%d' % (pad, k) for k in shuffled(n, side)),
                   lambda name: '%d' % side)


def apart(side, size, most):
    """no member on more than one side"""

    n = most // 3 - 1
    pad = '/' * padding(size, n, 14)
    return members(('%s%d' % (pad, k + side * n) for k in shuffled(n, side)),
                   lambda name: '1')


def many_names(side, size, most):
    n = size // 13
    return members(('%x' % k for k in shuffled(n, side)),
                   lambda name: '%d' % side)


def deep(side, size, most):
    levels = 120
    pad = 'x' * (size - 2 * levels - 20)
    return '{"a":%s"%s%d"%s}' % ('[' * levels, pad, side, ']' * levels)


def nested(side, size, most):
    levels = 100
    n = min(most // 3 // levels, size // (2 * levels + 8)) - 1
    return elements('[' * levels + '%d' % (k if k < n - 1 else side)
                    + ']' * levels for k in range(n))


def escapes(side, size, most):
    text = ('\\/', '/', '\\u002f')[side]
    return '{"a":"%s%d"}' % (text * ((size - 20) // len(text)), side)


def runes(side, size, most):
    return '{"a":"%s%d"}' % ('x\u00e9' * ((size - 20) // 3), side)


def digits(side, size, most):
    return '{"n":1%s%d}' % ('3' * (size - 20), side)


def exponent(side, size, most):
    return '{"n":1e%s%d}' % ('0' * (size - 20), side + 1)


def spaces(side, size, most):
    return '{"a":%s%d}' % (' ' * (size - 20), side)


def text(side, size, most):
    """as many lines as allowed, in any order"""

    n = min(most // 24 - 2, 60000 // 6)
    return '{"t":"%s"}' % ''.join('%x\\n' % k for k in shuffled(n, side))


def texts(side, size, most):
    """lines that differ little, changed everywhere"""

    n = min(most // 24 - 2, 60000 // 6)
    pick = random.Random(side)
    return '{"t":"%s"}' % ''.join(pick.choice('aabc') + '\\n'
                                  for _ in range(n))


DOCUMENTS = (numbers, zeros, a_set, a_map, wide, clashes, apart, many_names,
             deep, nested, escapes, runes, digits, exponent, spaces, text,
             texts)


# the base is shown to the client, the server's document replaces it, and then
# the client's is sent

VALUES = 50000      # the default of conflict_max_values
SIZE = 1048576 - 64
TIMES = 7


def worker_cpu(guard, document):
    """milliseconds that one stale write takes the worker, and its answer"""

    texts = [document(side, SIZE, VALUES).encode() for side in range(3)]
    took = []

    for _ in range(TIMES):
        client = http.client.HTTPConnection('127.0.0.1', guard.port)

        def ask(method, body=None):
            client.request(method, '/doc/hostile.json', body,
                           {'Content-Type': 'application/json'})
            answer = client.getresponse()
            answer.read()
            return answer

        ask('DELETE')
        ask('PUT', texts[0])
        base = ask('GET').getheader('Conflict').split('version=')[1]
        ask('PUT', texts[1])

        write = b'{"base_version":%s,' % base.encode()
        before = cpu(guard.worker)
        answer = ask('PUT', write + texts[2][1:])
        time.sleep(0.02)
        took.append((cpu(guard.worker) - before) / 1e6)
        client.close()

        if answer.status == 400 or answer.status >= 500:
            sys.exit('a hostile document is answered by %d' % answer.status)

    return statistics.median(took), answer.status


def measure(guards, part):
    """the worst of them; with part "hostile" also each"""

    if part not in 'hostile':
        return

    with open(SO, 'rb') as so:
        text = b'libgit2' in so.read()

    ways = {
        'version': Guard(guards.api, module('conflict version;')),
        'merge': Guard(guards.api, module(
            'conflict merge; conflict_field /u union; '
            'conflict_field /m union(k); conflict_field /n max; '
            + ('conflict_field /t text;' if text else ''))),
    }

    table.titles('PUT 1 MB, hostile, stale',
                 ('worst of %d documents' % len(DOCUMENTS), 'which',
                  'worker CPU ms', 'bars'))

    for name, guard in ways.items():
        worst = (0,)

        for document in DOCUMENTS:
            took, status = worker_cpu(guard, document)
            what = document.__name__.replace('_', ' ')
            worst = max(worst, (took, what, status))

            if part:
                print('%-12s %-8s %d %6.1f ms' % (what, name, status, took),
                      file=sys.stderr)

        took, what, status = worst
        table.cells(name, '%s, %d' % (what, status), '%.1f' % took,
                    table.verdict('CPU ≤ 30 ms', took, 30))
