# Decides whether the responses for one resource can be explained by some order
# of the operations, each at one moment between its call and its return (Wing and
# Gong's search, with a record of visited states).
#
# A resource has a value; None: it does not exist.  Each value except None is
# written once.  The result of an operation is known, or it may have taken effect
# at any time after its call, or never: then "returned" is FOREVER.

import collections

FOREVER = float('inf')
ANY = object()

# the value before it, or ANY; the value after it, or KEEP for a read

KEEP = object()

BOUND = 1000000

Op = collections.namedtuple('Op', 'who invoked returned before after')


def read(who, invoked, returned, value):
    return Op(who, invoked, returned, value, KEEP)


def write(who, invoked, returned, base, value):
    """takes effect only on the value "base"; ANY: on each"""

    return Op(who, invoked, returned, base, value)


def useful(ops):
    """without those of unknown outcome whose value was never seen"""

    while True:
        seen = set(op.before for op in ops)
        kept = [op for op in ops
                if op.returned != FOREVER or op.after in seen]

        if len(kept) == len(ops):
            return kept

        ops = kept


class Search:
    def __init__(self, ops, value):
        ops = sorted(useful(ops), key=lambda op: op.invoked)

        self.must = [op for op in ops if op.returned != FOREVER]
        self.may = [op for op in ops if op.returned == FOREVER]
        self.value = value
        self.placed = -1            # of the longest order that was found
        self.stuck = None           # what was there, and what came next

    def next(self, done, first):
        """
        Those of "must" that were called before any of them had to be over,
        and when that is.
        """

        found = []
        end = FOREVER

        for n in range(first, len(self.must)):
            op = self.must[n]

            if op.invoked > end:
                break

            if not done >> n & 1:
                found.append(n)
                end = min(end, op.returned)

        return found, end

    def linear(self):
        """whether there is an order"""

        been = {}
        todo = [(0, 0, 0, self.value)]

        while todo:
            done, maybe, first, value = todo.pop()

            # a read of the present value can be placed at once

            while True:
                while done >> first & 1:
                    first += 1

                found, end = self.next(done, first)
                reads = [n for n in found if self.must[n].after is KEEP
                         and self.must[n].before in (value, ANY)]

                if not reads:
                    break

                for n in reads:
                    done |= 1 << n

            if not found:
                return True

            # visited before with no more of "may" used

            before = been.setdefault((first, done >> first, value), [])

            if any(used & maybe == used for used in before):
                continue

            before.append(maybe)

            if len(been) > BOUND:
                raise RuntimeError('too many orders to try them all')

            if bin(done).count('1') > self.placed:
                self.placed = bin(done).count('1')
                self.stuck = value, [self.must[n] for n in found]

            # tried last to first: operations that end first come first

            tried = set()

            for n, op in enumerate(self.may):
                if (op.invoked <= end and not maybe >> n & 1
                        and op.before in (value, ANY)
                        and op[3:] not in tried):
                    todo.append((done, maybe | 1 << n, first, op.after))
                    tried.add(op[3:])

            for n in sorted(found, key=lambda n: -self.must[n].returned):
                op = self.must[n]

                if op.after is not KEEP and op.before in (value, ANY):
                    todo.append((done | 1 << n, maybe, first, op.after))

        return False
