# Judges writes by the upstream's journal: each must be applied to the state that
# its client was shown, whatever the view.
#
# The upstream counts the writes of each document, and sends the count with each
# response.  So no search is necessary: a write with a base must be the next one
# after that count; under "merge" each of its edits must be of a field that no
# other client has changed since, and leave all other fields unchanged.

import collections
import json

# An attempt to write: "seen" is the number of the write whose result the client
# was shown, None: no base; "edits" are fields with their shown and new values,
# None: not a write of fields; "merged": it may be applied to later writes of
# other clients.

Attempt = collections.namedtuple('Attempt', 'op who path seen edits merged')

GONE = object()


def member(state, field, who):
    """the view of a caller of a state of a document"""

    if field == 'starred':
        return state['stars'].get(who, False)

    return (json.loads(state['body']) or {}).get(field, GONE)


class Landed:
    """the applied writes, in order, with their attempts"""

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
        """each edit is present, and no other client's is lost"""

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
