# Documents built to keep a worker busy: each as the base, the server's and the
# client's, about "size" bytes long, with about "most" values if the number of
# values is the limit.

import random


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
