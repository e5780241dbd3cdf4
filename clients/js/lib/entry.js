/*
 * The states of an outbox entry and their transitions; the README has the
 * table.  Each function takes a record and returns the record that replaces
 * it, without side effects, so that a storage can run it in a transaction.
 *
 * record.known   the last known state of the server: { version, tag, chained,
 *                text }, or { absent: true }; the version may be unknown
 * record.entry   the edits that the server has not acknowledged:
 *
 *   state      queued, sending, unknown, conflict, parked
 *   base       the state that the edits are based on, like "known"
 *   acked      the text of the last link that was acknowledged
 *   chain, n   the id of the chain, and the number of its last link
 *   link       the write that was sent, byte for byte; if it may have been
 *              done ("unsure"), it is sent again unchanged
 *   draft      the edits since then
 *   rev        the number of edits
 */

import { equal, isObject, parse } from './json.js';
import { merge } from './merge.js';
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

/* an edit of the application: a text, or null to remove the resource */

export function edit(record, seq, { text, base, url }) {
    const { known, entry } = record || {};

    if (!entry) {
        const first = base || known || { absent: true };

        return {
            url, known,
            entry: calm(restart({
                seq, rev: 1, state: 'queued', draft: { text }, conflict: null,
                rebases: 0, collisions: 0
            }, first))
        };
    }

    if (text === null && !entry.link && entry.n === 0 && entry.base.absent
        && entry.state !== 'conflict')
    {
        /* created and removed before it was sent */
        return { url, known, entry: null };
    }

    const next = { ...entry, draft: { text }, rev: entry.rev + 1 };

    if (entry.state === 'parked') {
        return retry({ url, known, entry: next });
    }

    if (base && !entry.link && entry.state === 'queued') {
        return { url, known, entry: restart(next, base) };
    }

    return { url, known, entry: next };
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

function makeLink(entry, n, { member, keys }) {
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
        headers['If-Match'] = base.tag || `"${base.version}"`;
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

    return { n, text: draft.text, body: text, headers };
}

/* the link was written; answer: { version, tag, chained, text, merged } */

export function acknowledge(record, answer) {
    const { entry } = record;
    const { link, draft } = entry;
    const made = answer.merged
                 ? { version: null, tag: null, chained: false, text: null }
                 : { version: answer.version, tag: answer.tag,
                     chained: answer.chained,
                     text: answer.text ?? link.text };
    const known = link.text === null ? { absent: true } : made;

    if (!draft || draft.text === link.text) {
        return { ...record, known, entry: null };
    }

    const next = calm({
        ...entry, state: 'queued', link: null, acked: link.text, rebases: 0,
        collisions: 0
    });

    /* a chain keeps its base; without a chain the new version is the base */

    if (!entry.chain) {
        Object.assign(next, restart(next, { ...known, text: link.text }));
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

        next.draft = entry.draft || { text: entry.link.text };
        next.n = entry.link.n - 1;
        next.link = null;
    }

    return { ...record, entry: next };
}

/* a retry with the same bytes would be refused again */

export function park(record, reason, known = record.known) {
    const { entry } = record;

    if (entry.draft && entry.link && reason.kind !== 'dropped') {
        /* a later edit replaces it, and may be accepted */

        return {
            ...record, known,
            entry: calm({ ...entry, state: 'queued', link: null,
                          n: entry.link.n - 1 })
        };
    }

    return {
        ...record, known,
        entry: {
            ...entry, state: 'parked', reason, link: null, retryAt: 0,
            n: entry.link ? entry.link.n - 1 : entry.n,
            draft: entry.draft || { text: entry.link.text }
        }
    };
}

/*
 * Another client has changed the resource: server is { version, tag, chained,
 * text, deleted, conflicts }.  It is no conflict if no edit can be lost.
 */

export function collide(record, server, rules) {
    const { entry } = record;
    const local = entry.draft || { text: entry.link.text };
    const now = server.deleted ? { absent: true }
                               : { version: server.version, tag: server.tag,
                                   chained: server.chained,
                                   text: server.text };
    const mine = entry.acked ?? entry.base.text;

    if (holds(server, local.text)
        && (entry.link?.unsure || !isSum(server, local.text, mine, rules)))
    {
        return { ...record, known: now, entry: null };
    }

    const next = { ...restart(entry, now), draft: local, state: 'queued' };

    if (entry.link && entry.draft && holds(server, entry.link.text)) {
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
            conflict: { ...server, now, base: mine ?? null,
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
    if (text === null || !Object.values(rules || {}).includes('sum')) {
        return false;
    }

    const both = merge({ base: parse(base ?? 'null'), rules,
                         server: parse(server.text), local: parse(text) });

    return !both.clean || !equal(both.doc, parse(text));
}

/* the answer to a conflict: "mine", "theirs", or { text } */

export function resolve(record, how, retryAt = 0) {
    const { entry } = record;
    const { now } = entry.conflict;

    if (how === 'theirs' || (how.text !== undefined && !now.absent
                             && equal(parse(how.text), parse(now.text))))
    {
        return { ...record, known: now, entry: null };
    }

    return {
        ...record, known: now,
        entry: {
            ...calm(restart(entry, now)), state: 'queued', conflict: null,
            draft: how === 'mine' ? entry.draft : { text: how.text },
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
                                       putOff: entry.rev } }
    };
}

/* a parked entry again; a dropped edit is based on the server's version */

export function retry(record) {
    const { entry, known } = record;
    const next = calm({ ...entry, state: 'queued', rebases: 0 });

    return {
        ...record,
        entry: entry.reason?.kind === 'dropped' && known
               ? { ...restart(next, known), draft: entry.draft } : next
    };
}

/* if a link was sent, the version is no longer known */

export function discard(record) {
    const { known, entry } = record;

    return {
        ...record, entry: null,
        known: entry.link ? { version: null, tag: null, chained: false,
                              text: known?.text ?? null } : known
    };
}
