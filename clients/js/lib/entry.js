/*
 * The states of an outbox entry and their transitions; the README has the
 * table.  Each function takes a record and returns the record that replaces
 * it, without side effects, so that a storage can run it in a transaction.
 *
 * record.known   the last known state of the server: { version, tag, chained,
 *                text }, or { absent: true }; the version may be unknown
 * record.last    the last edit that was acknowledged: its mark, and the state
 *                that an edit of its document is based on
 * record.entry   the edits that the server has not acknowledged:
 *
 *   id, mark   of the entry, and of its last edit
 *   state      queued, sending, unknown, conflict, parked
 *   base       the state that the edits are based on, like "known"
 *   acked      the text of the last link that was acknowledged
 *   chain, n   the id of the chain, and the number of its last link
 *   link       the write that was sent, byte for byte; if it may have been
 *              done ("unsure"), it is sent again unchanged
 *   draft      the edits since then: their text, and when the last was made
 *
 * record.rest    entries that wait for it: edits of clients that had not shown
 *                the document of an earlier one
 */

import { equal, isObject, parse } from './json.js';
import { hasSum, merge } from './merge.js';
import { randomName } from './random.js';

const MOST = 65535;        /* links of a chain */

const REBASES = 3;         /* in a row, without a successful write */

function restart(entry, base) {
    return {
        ...entry, base, acked: null, link: null, n: 0,
        chain: base.chained ? randomName() : null
    };
}

function calm(entry) {
    return { ...entry, tries: 0, retryAt: 0, reason: null };
}

/* the state of a document whose version is not known */

export function stateOf(text) {
    return text === null ? { absent: true }
                         : { version: null, tag: null, chained: false, text };
}

/*
 * The base of an edit is what its own client has shown ("shown": the mark of
 * an edit, and a state), or the version that the application states.
 */

function baseOf({ known, last }, { shown, version }) {
    const own = !shown ? { base: stateOf(null) }
                : last && last.mark === shown.mark
                  ? { base: last.state, chain: last.chain }
                  : { base: placed(shown.state, known) };

    if (version === undefined || (version === null
                                  && own.base.version === null))
    {
        return own;
    }

    return {
        base: version === null ? stateOf(null)
              : [shown?.state, last?.state, known].find(
                  state => state?.version === version) || stated(version)
    };
}

function stated(version) {
    return { version, tag: null, chained: false, text: null };
}

/* a document without a version gets that of the same document */

function placed(state, known) {
    return !state.absent && state.version === null
           && typeof known?.text === 'string'
           && equal(parse(known.text), parse(state.text)) ? known : state;
}

function begin(seq, { text, at, mark }, { base, chain }) {
    return {
        ...calm(restart({
            id: mark, mark, seq, state: 'queued', draft: { text, at },
            conflict: null, rebases: 0, collisions: 0
        }, base)),
        ...chain
    };
}

/* true: a removal of what its client has shown as absent, and still is */

export function isNothing(record, how) {
    return how.text === null && !record?.entry && !!record?.known?.absent
           && !!baseOf(record, how).base.absent;
}

/* the entry has ended: the next one becomes the entry */

function ended(record) {
    const [next, ...rest] = record.rest || [];

    if (!next) {
        return { ...record, entry: null };
    }

    const base = placed(next.base, record.known);

    return {
        ...record, rest,
        entry: base === next.base ? next : restart(next, base)
    };
}

/*
 * An edit of the application: a text, or null to remove the resource.  It
 * continues the edits that its client has shown.  Those of another client must
 * not be lost: it waits until they are acknowledged.
 */

export function edit(record, seq, how) {
    const { entry, rest = [] } = record || {};
    const same = { ...record, url: how.url };
    const made = () => begin(seq, how, baseOf(same, how));
    const shows = one => how.shown && one.mark === how.shown.mark;

    if (!entry) {
        return { ...same, entry: made() };
    }

    if (rest.some(shows)) {
        return {
            ...same,
            rest: rest.map(one => shows(one) ? joined(one, how, made) : one)
                      .filter(one => one !== null)
        };
    }

    const next = shows(entry) ? joined(entry, how, made) : undefined;

    if (next === undefined) {
        return { ...same, rest: [...rest, made()] };
    }

    return next === null ? ended(same) : { ...same, entry: next };
}

/* undefined: it cannot be joined; null: nothing is left to be sent */

function joined(entry, { text, at, mark, version }, made) {
    const { link, state } = entry;
    const other = version !== undefined
                  && version !== (entry.base.version ?? null);

    if (other && link) {
        return undefined;
    }

    if (text === null && !link && entry.n === 0 && entry.base.absent
        && state !== 'conflict')
    {
        /* created and removed before it was sent */
        return null;
    }

    const next = { ...entry, draft: { text, at }, mark };

    if (state === 'conflict' || link) {
        return next;
    }

    return again(other ? restart(next, made().base) : next);
}

function again(entry) {
    return entry.state === 'parked'
           ? calm({ ...entry, state: 'queued', rebases: 0 }) : entry;
}

/* "sending" is left by a closed tab: only the tab that sends calls this */

export function isSendable(entry) {
    return ['queued', 'sending', 'unknown'].includes(entry.state);
}

/* true: the base can be stated in a request */

export function hasBase(entry) {
    return !!(entry.link || entry.base.absent
              || entry.base.version !== null && entry.base.version !== undefined
              || entry.base.tag);
}

function draftOf({ text, at }) {
    return { text, at };
}

/* the draft becomes a link, unless there is a link of unknown outcome */

export function send(record, route) {
    const { entry } = record;

    if (entry.link) {
        return {
            ...record,
            entry: { ...entry, state: 'sending',
                     link: { ...entry.link, unsure: true } }
        };
    }

    const n = entry.n + 1;
    const from = n > MOST ? { ...entry, chain: null } : entry;

    return {
        ...record,
        entry: { ...from, state: 'sending', n, draft: null,
                 link: makeLink(from, n, route) }
    };
}

function makeLink(entry, n, { member, keys, edited }) {
    const { base, chain, draft } = entry;
    const headers = {};
    let { text } = draft;

    if (base.absent) {
        headers['If-None-Match'] = '*';

    } else if (member && base.version !== null && text !== null
               && isObject(parse(text)))
    {
        text = JSON.stringify({ ...parse(text), [member]: base.version });

    } else {
        headers['If-Match'] = base.tag
            || (/^(W\/)?"/.test(base.version) ? base.version
                                              : `"${base.version}"`);
    }

    if (chain) {
        headers['Conflict-Chain'] = `"${chain}";base=${base.version};n=${n}`;

    } else if (keys) {
        /* the same bytes from two clients are two writes */
        headers['Idempotency-Key'] = randomName();
    }

    if (text !== null) {
        headers['Content-Type'] = 'application/json';
    }

    if (edited && draft.at) {
        headers[edited] = new Date(draft.at).toISOString();
    }

    return { key: randomName(), n, text: draft.text, at: draft.at, body: text,
             headers };
}

/*
 * The link was written.  answer: { version, tag, chained, text }; with "others"
 * the document may have edits of other clients, which this one has not shown.
 */

export function acknowledge(record, { others, merged, ...answer }) {
    const { entry } = record;
    const { link, draft, chain } = entry;
    const gone = link.text === null;
    const { version, tag, chained } = others ? stateOf('') : answer;
    const made = { version, tag, chained, text: link.text };
    const state = gone ? stateOf(null) : made;
    const known = gone ? stateOf(null)
                       : { ...made, text: others ? null
                                          : answer.text ?? link.text };

    if (!draft || draft.text === link.text) {
        /* after a merge the server compares the next link with this one */

        return ended({
            ...record, known, last: {
                mark: entry.mark, state,
                chain: merged && chain ? {
                    base: entry.base, chain, n: link.n, acked: link.text
                } : null
            }
        });
    }

    const next = calm({
        ...entry, state: 'queued', link: null, acked: link.text, rebases: 0,
        collisions: 0
    });

    /* a chain keeps its base; without a chain the new version is the base */

    if (!chain) {
        Object.assign(next, restart(next, state));
        next.acked = link.text;
    }

    return { ...record, known, entry: next };
}

/* retry later; "unknown": the write may have been done */

export function wait(record, { unknown, retryAt, reason }) {
    const { entry } = record;
    const unsure = unknown || !!entry.link?.unsure;
    const next = {
        ...entry, tries: entry.tries + 1, retryAt, reason,
        state: unsure ? 'unknown' : 'queued'
    };

    if (entry.link) {
        next.link = { ...entry.link, unsure };
    }

    if (!unsure && entry.link) {
        /* nothing was written: the link becomes a draft again */

        next.draft = entry.draft || draftOf(entry.link);
        next.n = entry.link.n - 1;
        next.link = null;
    }

    return { ...record, entry: next };
}

/* it could not be handled, as by rules that throw: others go on meanwhile */

export function putAside(record, { retryAt, reason }) {
    const { entry } = record;
    const lost = entry.state === 'sending' && !!(entry.link || entry.create);

    return {
        ...record,
        entry: { ...entry, tries: entry.tries + 1, retryAt, reason,
                 state: lost ? 'unknown' : entry.state }
    };
}

/*
 * A retry with the same bytes would be refused again.  The number of a link
 * that may have been written earlier is used up.
 */

export function park(record, reason, known = record.known) {
    const { entry } = record;
    const { link, draft } = entry;
    const next = {
        ...entry, link: null,
        n: !link ? entry.n : link.unsure ? link.n : link.n - 1
    };

    if (draft && link && reason.kind !== 'dropped') {
        /* a later edit replaces it, and may be accepted */

        return { ...record, known, entry: calm({ ...next, state: 'queued' }) };
    }

    return {
        ...record, known,
        entry: {
            ...next, state: 'parked', reason, retryAt: 0,
            draft: draft || draftOf(link)
        }
    };
}

/*
 * Another client has changed the resource: server is { version, tag, chained,
 * text, deleted, conflicts }.  It is no conflict if no edit can be lost.
 */

export function collide(record, server, rules) {
    const { entry } = record;
    const local = entry.draft || draftOf(entry.link);
    const now = server.deleted ? { absent: true }
                               : { version: server.version, tag: server.tag,
                                   chained: server.chained,
                                   text: server.text };
    const mine = entry.acked ?? entry.base.text;
    const done = text => holds(server, text)
        && (entry.link?.unsure && entry.link.text === text
            || !isSum(server, text, mine, rules));

    if (done(local.text)) {
        return ended({ ...record, known: now,
                       last: { mark: entry.mark, state: now } });
    }

    const next = { ...restart(entry, now), draft: local, state: 'queued' };

    if (entry.link && entry.draft && done(entry.link.text)) {
        /* the response to the link was lost: it was written */

        return { ...record, known: now, entry: calm(next) };
    }

    if (mine !== null && mine !== undefined && holds(server, mine)
        && entry.rebases < REBASES)
    {
        /* the same document under another version */

        return {
            ...record, known: now,
            entry: { ...next, rebases: entry.rebases + 1 }
        };
    }

    return {
        ...record,
        entry: {
            ...calm(entry), state: 'conflict', link: null, draft: local,
            collisions: entry.collisions + 1,
            conflict: { ...server, id: randomName(), now, base: mine ?? null,
                        version: server.version,
                        baseVersion: entry.base.version ?? null }
        }
    };
}

/* true: the server has this document; null stands for none */

function holds(server, text) {
    return server.deleted ? text === null
                          : text !== null && equal(parse(server.text),
                                                   parse(text));
}

/* true: equal documents are two changes, since a field is a sum */

function isSum(server, text, base, rules) {
    if (text === null || !hasSum(rules)) {
        return false;
    }

    const both = merge({ base: parse(base ?? 'null'), rules,
                         server: parse(server.text), local: parse(text) });

    return !both.clean || !equal(both.doc, parse(text));
}

/* the answer to a conflict: "mine", "theirs", or { text, mark } */

export function resolve(record, how, retryAt = 0) {
    const { entry } = record;
    const { now } = entry.conflict;

    if (how === 'theirs') {
        return ended({ ...record, known: now });
    }

    const mark = how === 'mine' ? entry.mark : how.mark;

    if (how !== 'mine' && !now.absent
        && equal(parse(how.text), parse(now.text)))
    {
        return ended({ ...record, known: now, last: { mark, state: now } });
    }

    return {
        ...record, known: now,
        entry: {
            ...calm(restart(entry, now)), state: 'queued', conflict: null,
            draft: how === 'mine' ? entry.draft : { text: how.text }, mark,
            rebases: 0, retryAt
        }
    };
}

/* the answer to a conflict was "later" */

export function putOff(record) {
    const { entry } = record;

    return {
        ...record,
        entry: { ...entry, conflict: { ...entry.conflict,
                                       putOff: entry.mark } }
    };
}

/*
 * A parked entry again; a dropped edit is then based on the server's version,
 * which this call overwrites.
 */

export function retry(record) {
    const { entry, known } = record;

    return {
        ...record,
        entry: again(entry.reason?.kind === 'dropped' && known
                     ? { ...restart(entry, known), draft: entry.draft }
                     : entry)
    };
}

/* if a link was sent, the version is no longer known */

export function discard(record, id) {
    const { known, entry, rest = [] } = record;

    if (entry.id !== id) {
        return { ...record, rest: rest.filter(one => one.id !== id) };
    }

    return ended({ ...record, known: isSent(entry) ? unsure(known) : known });
}

function isSent(entry) {
    return !!entry.link || entry.n > 0;
}

function unsure(state) {
    return { ...stateOf(''), text: state?.text ?? null };
}

/* what a client shows that has discarded the entry */

export function before(entry) {
    return entry.acked !== null ? stateOf(entry.acked)
           : isSent(entry) && !entry.base.absent ? unsure(entry.base)
           : entry.base;
}
