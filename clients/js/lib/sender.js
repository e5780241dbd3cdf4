/*
 * Sends the entries of the outbox in rounds, and applies the response to each
 * entry.
 */

import * as entries from './entry.js';
import { holdsBack, inTurn } from './creations.js';
import { isBusy, isSameState, judge, readConflict, reasonOf, retryAfter }
    from './answer.js';
import { equal, parse } from './json.js';
import { isEmpty, isWhole, view } from './view.js';

const FIRST_WAIT = 1000;       /* ms, doubled with each attempt */
const STUBBORN = 3;            /* network errors until others are sent */
const LONGEST = 2 ** 31 - 1;   /* ms, of a timer */

export class Sender {
    #core; #timer = null; #paused = false; #login = false; #until = 0;
    #round = null; #again = null;

    constructor(core) {
        this.#core = core;
    }

    get online() {
        return !this.#paused && globalThis.navigator?.onLine !== false;
    }

    get busy() {
        return this.#round !== null;
    }

    pause() {
        this.#paused = true;
    }

    resume() {
        this.#paused = false;
    }

    /* ends a wait of all entries */

    drainAgain(how) {
        this.#until = 0;
        this.#login = false;

        return this.drain(how);
    }

    /* another user, or another tab has logged in */

    otherLogin() {
        this.#login = false;
    }

    async close() {
        clearTimeout(this.#timer);
        await this.#round?.catch(() => {});
    }

    #soon(ms = 0) {
        if (!this.#core.closed) {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.drain().catch(e =>
                this.#core.emit('error', { error: e })),
                                     Math.min(ms, LONGEST));
        }
    }

    /*
     * One round at a time, in one of all tabs.  A call during a round leads to
     * one more round.
     */

    drain(how = {}) {
        this.#again = { ...this.#again, ...how };
        this.#round ??= this.#rounds();

        return this.#round;
    }

    async #rounds() {
        try {
            await null;

            while (this.#again && this.online && !this.#core.closed) {
                const how = this.#again;

                this.#again = null;
                await this.#core.storage.exclusive(() => this.#sendAll(how));
            }

        } finally {
            this.#again = null;
            this.#round = null;
        }

        await this.schedule();
    }

    async schedule(least = 50) {
        const now = Date.now();
        const waiting = inTurn(await this.#core.storage.pending())
            .filter(r => entries.isSendable(r.entry))
            .map(r => this.#left(r.entry.retryAt, now));

        if (waiting.length > 0 && this.online && !this.#login) {
            this.#soon(Math.max(least, this.#left(this.#until, now),
                                Math.min(...waiting)));
        }
    }

    /* a clock that was set back does not prolong a wait */

    #left(until, now = Date.now()) {
        const left = until - now;

        return left > this.#core.options.maxWait ? 0 : Math.max(0, left);
    }

    async #sendAll({ now, network }) {
        const waits = new Set();           /* collections */

        for (const { url, entry } of await this.#core.storage.pending()) {
            if (waits.has(entry.create) || !entries.isSendable(entry)) {
                continue;
            }

            const due = now || this.#left(entry.retryAt) === 0
                        || (network && entry.reason?.kind === 'network');

            for (let more = due ? 'more' : ''; more === 'more'; ) {
                if (!this.online || this.#core.closed || this.#login
                    || this.#left(this.#until) > 0)
                {
                    return;
                }

                more = await (entry.create ? this.#create(url)
                                           : this.#sendOne(url))
                    .catch(error => this.#failed(url, error));

                if (more === 'network' && !await this.#isStubborn(url)) {
                    return;
                }
            }

            if (entry.create
                && holdsBack((await this.#core.storage.read(url))?.entry))
            {
                waits.add(entry.create);
            }
        }
    }

    /* an error of one entry must not hold up the others */

    async #failed(url, error) {
        this.#core.emit('error', { url, error });

        const record = await this.#core.storage.update(url, r =>
            r?.entry && entries.isSendable(r.entry)
            ? entries.putAside(r, {
                retryAt: Date.now() + this.wait(r.entry.tries, null),
                reason: { kind: 'error', error: error.name,
                          detail: error.message }
            }) : r ?? null);

        (record?.entry?.create ? this.#core.creations : this.#core)
            .changed(url, record);

        return 'other';
    }

    async #create(url) {
        const { network, login, until }
            = await this.#core.creations.send(url);

        this.#login ||= !!login;
        this.#until = until ?? this.#until;

        return network ? 'network' : 'other';
    }

    /* an entry that keeps failing must not delay the others */

    async #isStubborn(url) {
        const record = await this.#core.storage.read(url);

        return record?.entry?.tries >= STUBBORN;
    }

    /* one write, and the effect of its response */

    async #sendOne(url) {
        const before = await this.#core.storage.read(url);

        if (!before?.entry || !entries.isSendable(before.entry)) {
            return 'other';
        }

        if (!entries.hasBase(before.entry)) {
            return this.#rebase(url);
        }

        /* on disk before it is sent */

        const record = await this.#core.storage.update(url, r =>
            r?.entry && entries.isSendable(r.entry)
            ? entries.send(r, this.#core.options) : r);

        if (record?.entry?.state !== 'sending') {
            return 'other';
        }

        const { link } = record.entry;

        this.#core.changed(url, record);

        let response, text, sent = false;

        try {
            ({ response, text } = await this.#core.transport.request(url, {
                method: link.text === null ? 'DELETE' : 'PUT',
                body: link.body ?? undefined, headers: link.headers,
                sending: () => { sent = true; }
            }));

        } catch (e) {
            await this.#later(url, link, {
                unknown: sent, reason: { kind: 'network', error: e.name,
                                         detail: e.message }
            });

            return 'network';
        }

        return this.#answered(url, link, response, text);
    }

    async #answered(url, link, response, text) {
        const verdict = judge(response, text, link);
        const reason = reasonOf(response, text);

        if (verdict.lock) {
            reason.lock = verdict.lock;
        }

        switch (verdict.then) {

        case 'done':
            return this.#written(url, link, response, text, verdict);

        case 'conflict':

            if (!verdict.server.deleted && verdict.server.text === null) {
                return this.#look(url, link, reason);
            }

            verdict.server.text &&= this.#core.transport.plain(
                verdict.server.text);

            return this.#collide(url, link, verdict.server);

        case 'look':
            return this.#look(url, link, reason);

        case 'login':
            this.#login = true;
            await this.#apply(url, link, r => entries.wait(r, {
                unknown: false, retryAt: 0, reason
            }));
            this.#core.emit('unauthorized', { url });

            return 'other';

        case 'wait':
            await this.#later(url, link, {
                unknown: verdict.unknown, reason, all: verdict.all,
                after: retryAfter(response)
            });

            if (verdict.login) {
                this.#core.emit('unauthorized', { url });
            }

            return 'other';

        default:
            return this.#park(url, link, reason);
        }
    }

    /* applies the change, unless this link has ended in the meantime */

    async #apply(url, link, change) {
        let applied = null;

        const record = await this.#core.storage.update(url, r => {
            applied = r?.entry && (link ? r.entry.link?.key === link.key
                                        : !r.entry.link) ? r.entry : null;

            return applied ? change(r) : r;
        });

        if (!applied) {
            return undefined;
        }

        this.#core.changed(url, record);

        return { record, ended: record.entry?.id !== applied.id };
    }

    async #written(url, link, response, text, { dropped }) {
        const doc = parse(text), sent = parse(link.text);
        const seen = this.#core.transport.document(response, text);
        const { outcome } = readConflict(response.headers.get('conflict'));

        if (dropped) {
            return this.#park(url, link, {
                kind: 'dropped', status: response.status, error: 'dropped',
                detail: 'the policy of the route keeps the server\'s version'
            }, doc === undefined
               ? { version: null, tag: null, chained: false, text: null }
               : seen);
        }

        /* after a lost response others may have written, and it is shown */

        const merged = outcome === 'merged';
        const others = merged || (outcome === 'replayed' && !equal(doc, sent));

        const isKnown = isWhole(doc, sent) && !isEmpty(sent);

        const done = await this.#apply(url, link, r => entries.acknowledge(
            r, { ...seen, merged, others, text: isKnown ? seen.text : null }));

        if (!done) {
            return 'other';
        }

        if (others && !done.record.entry) {
            /* the latest document has edits of other clients */
            await this.#core.refresh(url).catch(() => {});
        }

        const now = await this.#core.storage.read(url);

        this.#core.emit('saved', { ...view(url, now),
                                   outcome: outcome || null,
                                   accepted: response.status === 202 });

        return done.record.entry ? 'more' : 'other';
    }

    async #park(url, link, reason, known) {
        const { record } = await this.#apply(url, link, r =>
            entries.park(r, reason, known)) || {};

        if (record?.entry.state === 'parked') {
            this.#core.emit('parked', view(url, record));

            return 'other';
        }

        return record ? 'more' : 'other';
    }

    async #later(url, link, { unknown, reason, all, after }) {
        await this.#apply(url, link, r => {
            const ms = this.wait(r.entry.tries, after);

            if (all) {
                this.#until = Date.now() + ms;
            }

            return entries.wait(r, { unknown, reason,
                                     retryAt: Date.now() + ms });
        });
    }

    /* in ms: by Retry-After, or doubled with each attempt; at most maxWait */

    wait(tries, after) {
        const { maxWait } = this.#core.options;

        if (after !== null && after !== undefined) {
            return Math.min(maxWait, after + Math.random()
                            * Math.max(after / 5, 250));
        }

        return Math.min(maxWait, FIRST_WAIT * 2 ** Math.min(tries, 20))
               * (0.5 + Math.random() / 2);
    }

    /* a refusal without the current document */

    async #look(url, link, reason) {
        let latest;

        try {
            latest = await this.#core.transport.latest(url);

        } catch (e) {
            return this.#lookFailed(url, link, e, reason);
        }

        const record = await this.#core.storage.read(url);

        if (!record?.entry) {
            return 'other';
        }

        if (isSameState(record.entry.base, latest)) {
            /* the base version is current: the API has another reason */
            return this.#park(url, link, reason);
        }

        return this.#collide(url, link, latest.absent
            ? { deleted: true, version: null, tag: null, text: null }
            : { deleted: false, ...latest });
    }

    async #lookFailed(url, link, error, reason) {
        if (error.redirected) {
            await this.#later(url, link, {
                unknown: false, all: true,
                reason: { kind: 'status', status: error.status }
            });
            this.#core.emit('unauthorized', { url });

        } else if (error.status === 401) {
            this.#login = true;
            await this.#apply(url, link, r => entries.wait(r, {
                unknown: false, retryAt: 0,
                reason: { kind: 'status', status: 401 }
            }));
            this.#core.emit('unauthorized', { url });

        } else if (error.status >= 400 && error.status < 500
                   && !isBusy(error.status) && error.status !== 423)
        {
            await this.#park(url, link, reason || {
                kind: 'status', status: error.status, error: null,
                detail: error.message
            });

        } else {
            await this.#later(url, link, { unknown: false, reason: {
                kind: error.status ? 'status' : 'network',
                status: error.status, detail: error.message
            } });
        }

        return error.status ? 'other' : 'network';
    }

    /* the base version of the edits is not known: a GET determines it */

    async #rebase(url) {
        let latest;

        try {
            latest = await this.#core.transport.latest(url);

        } catch (e) {
            return this.#lookFailed(url, null, e);
        }

        return this.#collide(url, null, latest.absent
            ? { deleted: true, version: null, tag: null, text: null }
            : { deleted: false, ...latest });
    }

    async #collide(url, link, server) {
        const { record, ended } = await this.#apply(url, link, r =>
            entries.collide(r, server, this.#core.rulesOf(url))) || {};

        if (!record) {
            return 'other';
        }

        if (ended) {
            this.#core.emit('saved', { ...view(url, record), outcome: null,
                                       accepted: false });
        }

        if (record.entry?.state === 'conflict') {
            const { asker } = this.#core;

            this.#core.emit('conflict', asker.conflictOf(url, record.entry));
            asker.ask(url);

            return 'other';
        }

        return record.entry ? 'more' : 'other';
    }
}
