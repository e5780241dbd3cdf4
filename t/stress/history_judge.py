# Judges the responses to the clients of the history test.

import bisect
import collections

from landed import Landed
from linear import ANY, FOREVER, KEEP, Search


class Judge:
    def __init__(self, mode, log, names, hosts):
        self.mode = mode
        self.log = log
        self.names = names
        self.hosts = hosts
        self.passed = self.failed = 0

        ops = [op for name in names for op in log.ops[name]]
        doubt = sum(op.returned == FOREVER for op in ops)
        self.story = ('%d resources with %d operations, %d of them in doubt'
                      % (len(names), len(ops), doubt))

        print('# clients %s' % dict(log.kinds))
        print('# faults %s, answers %s' % (dict(log.faults),
                                           dict(log.answers)))

    def check(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1

        print('%s %s: %s' % ('ok' if good else 'not ok', self.mode, what),
              flush=True)

    def all(self, calm):
        kinds = ['view', 'lagging read', 'view put', 'view patch',
                 'merge put', 'merge patch', 'move', 'copy', 'view in doubt']
        log = self.log

        if not calm:
            kinds += ['read', 'put', 'patch', 'create', 'delete', 'blind',
                      'link', 'lock', 'in doubt']
            self.check(sum(log.faults.values()) > 5, 'faults were made')

        self.check(all(log.kinds[kind] for kind in kinds),
                   'clients did all that they can')
        self.check(not log.odd, 'no odd answers %s' % list(log.odd)[:3])

        landed, wrong = self.strayed()
        self.check(not wrong, 'each of %d writes landed on what its client '
                              'had seen, with %d fields as they should be%s'
                              % (landed.count, landed.fields,
                                 ''.join(wrong[:4])))

        errors = [line for host in self.hosts for line in host.errors()]
        self.check(not errors, 'the error log is quiet '
                               + ''.join(errors[:5]))

        if not calm:
            self.ordered()

    def ordered(self):
        """the responses to clients that see whole documents"""

        log = self.log
        broken = self.broken()
        self.check(not broken, 'there is an order for each of %s%s'
                               % (self.story, ''.join(broken[:2])))

        wrong = self.intruders()
        self.check(not wrong, 'nobody wrote under one of %d locks of '
                              'somebody else %s' % (len(log.held), wrong[:2]))

        wrong = self.shrunk()
        self.check(not wrong, 'versions grew with each of %d writes %s'
                              % (len(log.written), wrong[:2]))

        if self.mode == 'shm':
            # a commit may be late in Redis: then the version of a read is older
            # than its body, and a write based on it is refused

            wrong = self.behind()
            self.check(not wrong, 'no read shows a version from before a '
                                  'write that had ended %s' % wrong[:2])

    def found_out(self, orders):
        """of clients that see whole documents only if "orders" """

        if orders:
            broken = self.broken()
            self.check(broken, 'no order for %d of %s: it is found out'
                               % (len(broken), self.story))

        landed, wrong = self.strayed()
        self.check(wrong, '%d of %d writes landed elsewhere: it is found out'
                          '%s' % (len(wrong), landed.count, wrong[:1]))

    def strayed(self):
        """the writes that the upstream has applied, and their errors"""

        log = self.log
        landed = Landed(log.landed, log.attempts, log.acknowledged,
                        log.refused)

        return landed, [
            '\n# %s%s' % (one, ''.join('\n#   it was sent %s' % sent
                                       for sent in log.tries[op]))
            for op, one in landed.wrong]

    def broken(self):
        """for each resource without an order, where the search failed"""

        found = []

        for name in self.names:
            search = Search(self.log.ops[name], None)

            if not search.linear():
                value, ops = search.stuck
                values = set([value] + [op.before for op in ops])
                near = [op for op in self.log.ops[name]
                        if op.after in values
                        or op.after is not KEEP and op.before in values]
                found.append(
                    '\n# %s has %s, then none of these can be:\n'
                    % (name, value) + ''.join('#   %s\n' % show(op)
                                              for op in ops)
                    + '# and it was touched by\n'
                    + ''.join('#   %s\n' % show(op) for op in near)
                    + ''.join('# %s was sent %s\n' % (value, sent)
                              for value in values
                              for sent in self.log.tries[value]))

        return found

    def intruders(self):
        """writes that began and ended during a lock of another user"""

        held = collections.defaultdict(list)
        found = []

        for lock in self.log.held:
            # a store that has lost its data has lost its locks

            if not any(since <= lock.till and till >= lock.since
                       for since, till in self.log.amnesia):
                held[lock.name].append(lock)

        for one in self.log.written:
            found += [(one, lock) for lock in held[one.name]
                      if one.who != lock.who and not one.replayed
                      and lock.since < one.invoked
                      and one.returned < lock.till]

        for name, locks in held.items():
            found += [(a, b) for a in locks for b in locks
                      if a.who != b.who and a.since < b.since < a.till]

        return found

    def newest(self):
        """for each resource, the newest version after each response to a write"""

        ended = collections.defaultdict(list)

        for one in self.log.written:
            if one.version and not one.replayed:
                ended[one.name].append((one.returned, one.version))

        for name in ended:
            ended[name].sort()

            for n in range(1, len(ended[name])):
                if ended[name][n][1] < ended[name][n - 1][1]:
                    ended[name][n] = ended[name][n][0], ended[name][n - 1][1]

        def of(name, moment):
            n = bisect.bisect_left(ended[name], (moment, 0))
            return ended[name][n - 1][1] if n else 0

        return of

    def shrunk(self):
        """writes whose version is not newer than that of one that ended before"""

        newest = self.newest()

        return [one for one in self.log.written
                if one.version and not one.replayed
                and newest(one.name, one.invoked) >= one.version]

    def behind(self):
        """reads that began after a write, with an older version"""

        newest = self.newest()

        return [(name, invoked, version)
                for name, invoked, _, version in self.log.shown
                if version < newest(name, invoked)]


def show(op):
    if op.after is KEEP:
        return '%s %.4f-%.4f reads %s' % (op.who, op.invoked, op.returned,
                                          op.before)

    return '%s %.4f-%.4f %s -> %s' % (
        op.who, op.invoked, op.returned,
        'any' if op.before is ANY else op.before, op.after)
