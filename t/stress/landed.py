# Judges writes by what the upstream has applied: each must have landed on
# what its client had seen, whatever the view was in which it was shown.
#
# The upstream counts the writes of each document, and tells each reader how
# many it has seen.  So there is nothing to search for: a write with a base is
# the next one after that, under "merge" each of its edits is on a field that
# nobody else has changed since, and leaves all others alone.

import collections
import json

# An attempt to write: "seen" is the number of the write whose outcome its
# client was shown, None: it had no base; "edits" are fields with what was
# shown of them and what is wanted, None: not a write of fields; "merged": it
# may land on what others have written since.

Attempt = collections.namedtuple('Attempt', 'op who path seen edits merged')

GONE = object()


def member(state, field, who):
    """what a caller sees of a document in a state of it"""

    if field == 'starred':
        return state['stars'].get(who, False)

    return (json.loads(state['body']) or {}).get(field, GONE)


class Landed:
    """what the upstream has applied, in order, beside who wanted it"""

    def __init__(self, landed, attempts, acknowledged=(), refused=()):
        self.attempts = attempts        # by op
        self.wrong = []                 # op, what is wrong with it
        self.count = 0
        self.fields = 0
        state = {}
        ops = collections.Counter()

        for entry in landed:
            one = attempts[entry['op']]
            was = state.get(one.path)
            state.update(entry['now'])
            ops[one.op] += 1
            self.count += 1

            if ops[one.op] > 1 and one.edits and 'n' in one.edits:
                # one that says what is wanted may be merged once more
                self.says(one, 'landed twice, from %s to %s' % (
                    was['body'], state[one.path]['body']))

            elif one.seen is not None and not one.merged \
                    and one.seen != entry['before']:
                self.says(one, 'landed on number %d, which it had not seen'
                               % entry['before'])

            elif one.edits is not None and was:
                self.edited(one, was, state[one.path])

        for op in acknowledged:
            if not ops[op]:
                self.says(attempts[op], 'was acknowledged and never landed')

        for op in refused:
            if ops[op]:
                self.says(attempts[op], 'was refused and has landed')

    def says(self, one, what):
        self.wrong.append((one.op, '%s %s' % (one, what)))

    def edited(self, one, was, now):
        """each edit is there, and nothing of anybody else's is gone"""

        fields = set(json.loads(was['body']) or {}) | set(one.edits)
        fields |= set(json.loads(now['body']) or {})
        fields -= set(['base_version', 'version'])

        for field in fields | set(['starred']):
            before = member(was, field, one.who)
            after = member(now, field, one.who)
            self.fields += 1

            if field not in one.edits:
                good = after == before
                what = 'was not its own'

            elif field == 'n' and one.merged:
                shown, wanted = one.edits[field]
                good = before is not GONE and after == before + wanted - shown
                what = 'does not add up'

            else:
                good = (one.edits[field][1] == after
                        and before in one.edits[field])
                what = 'was written by somebody else since'

            if not good:
                self.says(one, '%s, from %s to %s, %s' % (
                    field, before, after, what))

        for who in set(was['stars']) | set(now['stars']):
            if who != one.who and (was['stars'].get(who, False)
                                   != now['stars'].get(who, False)):
                self.says(one, 'changed the star of %s' % who)
