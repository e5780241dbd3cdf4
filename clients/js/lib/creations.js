/*
 * Entries of the outbox that create a resource in a collection by POST: their
 * states, how they are sent, and what a response makes of them.  The README
 * has the table.  A resource that does not exist has no URL, so the record has
 * that of the collection and a fragment, which no resource has:
 *
 *   record.url     also the id of the creation
 *   record.entry
 *     create       the URL of the collection
 *     text, key    the body and the Idempotency-Key of each attempt
 *     state        queued, sending, unknown, parked
 *     sent         the name of the last attempt
 *     unsure       an earlier attempt may have been carried out
 *   record.made    without an entry: { location, state } for the tab that has
 *                  called create(), if another one has sent it
 */

import { isPage, isRedirection, NOT_WRITTEN, readConflict, reasonOf,
         retryAfter } from './answer.js';
import { isSendable } from './entry.js';
import { isObject, parse } from './json.js';
import { randomName } from './random.js';
import { fromText, isWhole } from './view.js';

const STUBBORN = 3;        /* attempts until later ones are sent before it */
const TOLD = 60000;        /* ms that other tabs have to read where it is */

/* a request with this key gets the same refusal as long as the key is kept */

const SPENT = ['request_outcome_unknown', 'idempotency_key_reused'];

export function isCreation(url) {
    return /#[0-9a-f]{24}$/.test(url);
}

/* true: later creations in the same collection wait for it */

export function holdsBack(entry) {
    return !!entry?.create && isSendable(entry) && entry.tries < STUBBORN;
}

/* without creations that wait for an earlier one */

export function inTurn(pending) {
    const first = new Set();

    return pending.filter(({ entry }) => {
        const waits = first.has(entry.create);

        if (holdsBack(entry)) {
            first.add(entry.create);
        }

        return !waits;
    });
}

export function viewCreation({ url, entry }) {
    return {
        id: url, url: entry.create, location: null, doc: fromText(entry.text),
        version: null, state: entry.state, reason: entry.reason,
        tries: entry.tries, retryAt: entry.retryAt || null
    };
}

/* without an answer to the last attempt it is not known what has happened */

function send(entry, safe) {
    const unsure = entry.unsure || entry.state === 'sending';

    if (unsure && !safe) {
        return park(entry, { kind: 'unknown' });
    }

    return { ...entry, state: 'sending', unsure, sent: randomName() };
}

function wait(entry, { unknown, retryAt, reason }) {
    const unsure = unknown || entry.unsure;

    return { ...entry, unsure, state: unsure ? 'unknown' : 'queued',
             tries: entry.tries + 1, retryAt, reason };
}

function park(entry, reason) {
    return { ...entry, state: 'parked', tries: 0, retryAt: 0, reason };
}

/*
 * The application has decided that it may be sent.  The key stays as long as an
 * attempt with it may have been carried out; some APIs keep refusals, too.
 */

function again(entry) {
    const { reason, unsure } = entry;
    const over = SPENT.includes(reason?.error)
                 || (reason?.kind === 'status' && !unsure);

    return {
        ...entry, state: 'queued', tries: 0, retryAt: 0, reason: null,
        unsure: false, key: over ? randomName() : entry.key
    };
}

/* the verdict, as of judge() in answer.js; "spent": the key cannot help */

function judge(response, text) {
    const { status } = response;
    const body = parse(text);
    const error = isObject(body) ? body.error : undefined;

    if (status >= 200 && status < 300) {
        const { outcome } = readConflict(response.headers.get('conflict'));

        return status !== 201 && isPage(response, text)
               ? { then: 'wait', unknown: true }
               : { then: outcome === 'dropped' ? 'park' : 'done' };
    }

    if (isRedirection(response)) {
        return { then: 'wait', unknown: true, all: true, login: true };
    }

    if (error === 'response_not_kept') {
        return { then: 'done' };
    }

    if (SPENT.includes(error)) {
        return { then: 'park', unknown: true };
    }

    if (status === 401) {
        return { then: 'login' };
    }

    if (status === 423 || status === 425 || status === 429
        || ['locked', 'write_in_progress'].includes(error))
    {
        return { then: 'wait', all: status === 429 };
    }

    if (status === 408 || status >= 500 || error === 'request_in_progress') {
        return { then: 'wait', unknown: !NOT_WRITTEN.includes(error) };
    }

    return { then: 'park' };
}

/* of the same origin, as only these URLs are requested */

function locationOf(response, url) {
    const field = response.headers.get('location');

    try {
        const at = new URL(field, url);

        at.hash = '';

        return field && at.origin === new URL(url).origin ? at.href : null;

    } catch {
        return null;
    }
}

function viewMade(url, { location, state }) {
    return {
        id: url, url: url.split('#')[0], location, doc: fromText(state.text),
        version: state.version, state: null
    };
}

export class Creations {
    #core; #own = new Map(); #ended = new Set();

    constructor(core) {
        this.#core = core;
    }

    /* stores it, and sends it as soon as possible */

    async create(collection, doc) {
        const { storage, transport, sender } = this.#core;
        const text = JSON.stringify(doc);

        if (text === undefined) {
            throw new TypeError('the document is not JSON');
        }

        const url = collection + '#' + randomName();
        const own = { ended: null };

        this.#own.set(url, own);

        const record = await storage.update(url, (r, seq) => ({
            url, known: null, entry: {
                id: url, seq, state: 'queued', create: collection,
                text: transport.plain(text), key: randomName(), sent: null,
                unsure: false, tries: 0, retryAt: 0, reason: null
            }
        }));

        const seen = this.changed(url, record);

        await sender.drain();

        return this.#result(own.ended || seen, url);
    }

    /* "seen": what is known of it if it has ended */

    async #result(seen, url) {
        const record = await this.#core.storage.read(url);

        if (record?.made) {
            seen = this.changed(url, record);
        }

        return {
            ...seen, state: 'done', ...record?.entry && viewCreation(record),
            durable: this.#core.storage.isDurable(url)
        };
    }

    /* tells of a record that has changed, also in another tab */

    changed(url, record, ended) {
        const made = record?.made;
        const seen = record?.entry ? viewCreation(record)
                     : ended || viewMade(url, made || {
                         location: null, state: { text: null, version: null }
                     });

        if (!record?.entry) {
            if (made && this.#own.has(url)) {
                this.#own.get(url).ended = seen;
                this.#core.shown(made.location, made.state);
                this.#forget(url);
            }

            this.#own.delete(url);

            if (this.#ended.has(url)) {
                return seen;
            }

            this.#ended.add(url);
        }

        this.#core.emit('state', {
            ...seen, durable: this.#core.storage.isDurable(url)
        });
        this.#core.progress();

        return seen;
    }

    #forget(url) {
        const { storage } = this.#core;

        setTimeout(() => storage.update(
            url, r => r?.made ? null : r ?? null).catch(() => {}),
                   TOLD).unref?.();
    }

    async retry(url) {
        const record = await this.#core.storage.update(url, r =>
            r?.entry?.state === 'parked' ? { ...r, entry: again(r.entry) }
                                         : r ?? null);
        const own = { ended: null };

        if (record?.entry) {
            this.#own.set(url, own);
        }

        const seen = this.changed(url, record);

        await this.#core.sender.drain();

        return this.#result(own.ended || seen, url);
    }

    async discard(url) {
        let gone = null;

        await this.#core.storage.update(url, r => {
            gone = r?.entry ? viewCreation(r) : null;

            return null;
        });

        this.changed(url, null);
        await this.#core.sender.drain();

        return gone;
    }

    /*
     * One request, and the effect of its response: { network, login, until }
     * is what the other entries have to know.
     */

    async send(url) {
        const { storage, transport, options } = this.#core;
        const { idempotent } = options;
        const safe = !!(typeof idempotent === 'function'
                        ? idempotent(url.split('#')[0]) : idempotent);

        /* on disk before it is sent */

        const record = await storage.update(url, r =>
            !r?.entry ? r ?? null
            : isSendable(r.entry) ? { ...r, entry: send(r.entry, safe) } : r);

        if (!record?.entry) {
            return {};
        }

        const seen = this.changed(url, record);

        if (record.entry.state !== 'sending') {
            this.#core.emit('parked', seen);
            return {};
        }

        const { create, text, key, sent } = record.entry;

        if (!safe && storage.isBehind(url)) {
            /* another tab, or the next session, would send it, too */

            await this.#later(url, sent, safe, { unknown: false, reason: {
                kind: 'storage', error: null,
                detail: 'the storage does not accept that it is sent'
            } });

            return {};
        }

        let answer, begun = false;

        try {
            answer = await transport.request(create, {
                method: 'POST', body: text, headers: {
                    'Content-Type': 'application/json',
                    'Idempotency-Key': key
                },
                sending: () => { begun = true; }
            });

        } catch (e) {
            const until = await this.#later(url, sent, safe, {
                unknown: begun, reason: { kind: 'network', error: e.name,
                                         detail: e.message }
            });

            return { network: true, until: safe ? undefined : until };
        }

        return this.#answered(url, sent, safe, answer);
    }

    async #answered(url, sent, safe, { response, text }) {
        const verdict = judge(response, text);
        const reason = reasonOf(response, text);
        const { then, unknown, all, login } = verdict;
        const target = { url: url.split('#')[0] };

        if (then === 'done') {
            await this.#done(url, sent, response, text);
            return {};
        }

        if (then === 'login') {
            await this.#apply(url, sent, entry => wait(entry, {
                unknown: false, retryAt: 0, reason
            }));
            this.#core.emit('unauthorized', target);

            return { login: true };
        }

        if (then === 'park') {
            await this.#apply(url, sent, entry => park(entry, {
                ...reason, ...unknown && { kind: 'unknown' }
            }));

            return {};
        }

        const until = await this.#later(url, sent, safe, {
            unknown, reason, after: retryAfter(response)
        });

        if (login) {
            this.#core.emit('unauthorized', target);
        }

        return { until: all ? until : undefined };
    }

    /* an API that may carry it out twice is not asked again */

    async #later(url, sent, safe, { unknown, reason, after }) {
        let retryAt;

        await this.#apply(url, sent, entry => {
            retryAt = Date.now() + this.#core.sender.wait(entry.tries, after);

            return (unknown || entry.unsure) && !safe
                   ? park(entry, { ...reason, kind: 'unknown' })
                   : wait(entry, { unknown, retryAt, reason });
        });

        return retryAt;
    }

    /* applies the change, unless there was another attempt, or it has ended */

    async #apply(url, sent, change) {
        let applied = false;

        const record = await this.#core.storage.update(url, r => {
            applied = !!r?.entry && r.entry.sent === sent;

            return applied ? { ...r, entry: change(r.entry) } : r ?? null;
        });

        if (applied) {
            const seen = this.changed(url, record);

            if (seen.state === 'parked') {
                this.#core.emit('parked', seen);
            }
        }
    }

    /*
     * It was created.  The version of what was created is not known, unless
     * it is in the document: fields of this response may be of the collection,
     * or the API's own, where nginx has others.
     */

    async #done(url, sent, response, text) {
        const { storage, transport, options } = this.#core;
        const [create] = url.split('#');
        const { outcome, version } = readConflict(
            response.headers.get('conflict'));
        const answer = response.ok ? parse(text) : undefined;
        const location = locationOf(response, create);
        const own = this.#own.get(url);
        let state = null;

        await storage.update(url, r => {
            if (r?.entry?.sent !== sent) {
                state = null;
                return r ?? null;
            }

            const whole = isWhole(answer, parse(r.entry.text));
            const counted = options.member && whole && version === undefined
                        ? answer[options.member] : undefined;

            state = {
                version: counted ?? null, tag: null, chained: false,
                text: whole ? transport.plain(text, answer) : r.entry.text
            };

            return own || !location ? null : { url, known: null, entry: null,
                                               made: { location, state } };
        });

        if (!state) {
            return;
        }

        const ended = viewMade(url, { location, state });

        if (location) {
            await this.#made(location, state, !!own);
        }

        if (own) {
            own.ended = ended;

        } else if (location) {
            this.#forget(url);
        }

        this.changed(url, null, ended);
        this.#core.emit('saved', { ...ended, outcome: outcome || null,
                                   accepted: response.status === 202 });
    }

    /* a resource that this client may have created, as last known */

    async #made(location, state, own) {
        await this.#core.storage.update(location, r =>
            r?.entry || (r?.known && !r.known.absent) ? r
                : { ...r, url: location, known: state, entry: null });

        if (own) {
            this.#core.shown(location, state);
        }
    }
}
