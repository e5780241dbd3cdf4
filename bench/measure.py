# Rows that are measured side by side, in alternating runs, and the medians of
# their rounds.

import statistics

import table
from servers import Load


class Bar:
    """of 'rate', the throughput, at least "value" times that of "beside"; of
    'cpu', the worker's a request, at most "value" times; of 'redis', its CPU
    a request, at most "value" us"""

    def __init__(self, what, value, beside='plain', connections=None):
        self.what = what
        self.value = value
        self.beside = beside
        self.connections = connections

    def applies(self, connections, rate):
        return not rate and (self.connections is None
                             or connections in self.connections)


class Row:
    """a guard, by its name in guards.py; "beside": others to be shown with it,
    besides those of its bars"""

    def __init__(self, guard, bars=(), beside=()):
        self.guard = guard
        self.bars = bars
        self.beside = list(beside)


class Group:
    """rows of the same work; each is measured with each number of connections
    that send their next request at once, and with each of "rates", pairs of
    connections and requests a second"""

    def __init__(self, name, kind, size, connections, rates, rows):
        self.name = name
        self.kind = kind
        self.size = size
        self.runs = [(c, 0) for c in connections] + list(rates)
        self.rows = rows

    def title(self, row, connections, rate):
        return '%s, %s, %s' % (self.name, row.guard,
                               '%d/s' % rate if rate else 'c=%d' % connections)

    def measure(self, guards, rounds, seconds, part):
        """the rows whose title has "part", and those they are compared with"""

        begun = False

        for connections, rate in self.runs:
            rows = [row for row in self.rows
                    if part in self.title(row, connections, rate)]

            if not rows:
                continue

            for row in rows[:]:
                for name in row.beside + [
                        bar.beside for bar in row.bars
                        if bar.applies(connections, rate) and bar.beside]:
                    if name not in ['plain'] + [other.guard for other in rows]:
                        rows.append(Row(name))

            if not begun:
                table.head(self.name, self.redis())
                begun = True

            taken = measure(guards, [Row('plain')] + rows, self.kind,
                            self.size, connections, rate, rounds, seconds)

            for row in [Row('plain')] + rows:
                table.line(self.title(row, connections, rate), taken,
                           row.guard, self.redis(),
                           [bar for bar in row.bars
                            if bar.applies(connections, rate)])

    def redis(self):
        return any(row.guard.startswith('redis') for row in self.rows)


# of a round: accepted requests a second, p50 and p99 (ms), and us a request of the
# worker, of Redis and of its commands

FIELDS = ('rate', 'p50', 'p99', 'cpu', 'redis', 'commands')


class Taken:
    """the rounds of one row"""

    def __init__(self):
        self.rounds = []
        self.refused = 0

    def add(self, result, before, after):
        count, took, p50, p99, bad, _ = result
        self.refused += bad
        self.rounds.append(dict(zip(FIELDS, [(count - bad) / took, p50, p99] + [
            (b - a) / count / 1000 for a, b in zip(before, after)])))

    def median(self, field):
        return statistics.median(each[field] for each in self.rounds)

    def ratio(self, other, field):
        """to another, which was measured in the same rounds"""

        return statistics.median(a[field] / b[field] for a, b in
                                 zip(self.rounds, other.rounds))


def measure(guards, rows, kind, size, connections, rate, rounds, seconds):
    """Taken of each guard; the first round is not counted"""

    names = [row.guard for row in rows]
    loads = [Load(guards.get(name).port, connections, kind, size)
             for name in names]
    taken = {name: Taken() for name in names}

    for n in range(rounds + 1):
        order = list(zip(names, loads))

        for name, load in order[::-1] if n % 2 else order:
            before = guards.get(name).used()
            result = load.run(seconds, rate, True)
            after = guards.get(name).used()

            if n > 0:
                taken[name].add(result, before, after)

    for load in loads:
        load.stop()

    return taken
