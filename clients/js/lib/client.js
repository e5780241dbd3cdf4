/*
 * The client: reads, the outbox and who empties it, conflicts, events.
 */

import * as entries from './entry.js';
import { judge, reasonOf, retryAfter, versionOf } from './answer.js';
import { parse } from './json.js';
import { Lock } from './lock.js';
import { merge } from './merge.js';
import { guardedStorage, indexedDBStorage, memoryStorage } from './storage.js';

export const keepMine = Symbol.for('conflict-client.keepMine');
export const keepTheirs = Symbol.for('conflict-client.keepTheirs');
export const later = Symbol.for('conflict-client.later');

const FIRST_WAIT = 1000;       /* ms, then twice as long each time */
const STUBBORN = 3;            /* network errors, until others go on */
const COLLISIONS = 4;          /* in a row, without a wait between them */

export class ClientEvent extends Event {
    constructor(type, detail) {
        super(type);
        this.detail = detail;
    }
}

/* what a GET or a lock was answered with, where that is no success */

export class RequestError extends Error {
    constructor(message, { status, body, cause } = {}) {
        super(message, cause ? { cause } : undefined);
        this.name = 'RequestError';
        this.status = status;
        this.body = body;
    }
}

export class Client extends EventTarget {
    #options; #base; #storage; #timer = null;
    #paused = false; #closed = false; #login = false; #until = 0;
    #round = null; #again = null; #asking = new Map(); #locks = new Map();
    #warned = false; #listening = []; #counting = null;

    constructor(options = {}) {
        super();

        const {
            baseUrl = globalThis.location?.href, storage, member = null,
            timeout = 30000, maxWait = 300000, rules = {},
            lockUrl = url => url + '/lock'
        } = options;

        this.#options = { ...options, member, timeout, maxWait, rules,
                          lockUrl };
        const base = new URL(baseUrl, globalThis.location?.href);

        /* another origin may not allow headers that it has not heard of */

        this.#options.keys = [undefined, base.origin].includes(
            globalThis.location?.origin);

        this.#base = base.href
                     .replace(/[?#].*/, '').replace(/\/*$/, '/');

        this.#storage = guardedStorage(
            storage || (globalThis.indexedDB ? indexedDBStorage()
                                             : memoryStorage()),
            error => this.#storageFailed(error));

        this.#storage.watch(url => this.#changedElsewhere(url));
        this.#storage.trim();

        for (const [type, fn] of [
            ['online', () => this.#wake()],
            ['offline', () => this.#emit('online', { online: false })],
            ['pagehide', () => this.#leave()],
            ['pageshow', e => { if (e.persisted) { this.#wake(); } }]
        ]) {
            if (globalThis.window?.addEventListener) {
                window.addEventListener(type, fn);
                this.#listening.push([type, fn]);
            }
        }

        /* what the last visit has left */

        this.#start().catch(error => this.#emit('error', { error }));
    }

    async #start() {
        for (const { url, entry } of await this.#storage.pending()) {
            if (entry.state === 'conflict') {
                this.#ask(url, true);
            }
        }

        this.#progress();
        await this.#drain();
    }

    /* the application's own rules of a resource, for the merge */

    #rulesOf(url) {
        const { rules } = this.#options;

        return typeof rules === 'function' ? rules(url) : rules;
    }

    /* a path below baseUrl, or an URL of the same origin */

    #url(path) {
        const url = new URL(/^[a-z][a-z0-9+.-]*:/i.test(path) ? path
                            : this.#base + String(path).replace(/^\/+/, ''));

        if (url.origin !== new URL(this.#base).origin) {
            throw new TypeError(`${url.href} is not at ${this.#base}`);
        }

        url.hash = '';

        return url.href;
    }

    get online() {
        return !this.#paused && globalThis.navigator?.onLine !== false;
    }

    /* ---- reading ---- */

    /*
     * The document as this device has it: with its own edits where there are
     * any, else from the server, else as it was last seen ("stale").
     */

    async get(path) {
        const url = this.#url(path);
        const before = await this.#storage.read(url);

        if (before?.entry) {
            return view(url, before);
        }

        let seen;

        try {
            if (!this.online) {
                throw new RequestError('offline');
            }

            seen = await this.#fetchLatest(url);

        } catch (e) {
            if ((before?.known?.absent
                 || typeof before?.known?.text === 'string')
                && !(e.status >= 400 && e.status < 500))
            {
                return { ...view(url, before), stale: true };
            }

            throw e;
        }

        const record = await this.#storage.update(url, r =>
            r?.entry ? r : { url, known: seen, entry: null });

        return view(url, record);
    }

    /* what the server has now, as record.known is */

    async #fetchLatest(url) {
        const { response, text } = await this.#request(url, {
            method: 'GET', cache: 'no-cache'
        });

        if (response.status === 404 || response.status === 410) {
            return { absent: true };
        }

        if (!response.ok) {
            throw new RequestError(`GET ${url}: ${response.status}`,
                                   { status: response.status, body: text });
        }

        if (parse(text) === undefined) {
            throw new RequestError(`GET ${url}: no JSON`,
                                   { status: response.status, body: text });
        }

        return this.#document(response, text);
    }

    /* the member that has the base is the client's affair, not the user's */

    #document(response, text) {
        const { member } = this.#options;
        const doc = parse(text);
        const { version, tag, chained } = versionOf(response, doc, member);

        return { version, tag, chained, text: this.#plain(text, doc) };
    }

    #plain(text, doc = parse(text)) {
        const { member } = this.#options;

        if (member && doc !== null && typeof doc === 'object'
            && Object.hasOwn(doc, member))
        {
            const { [member]: _, ...rest } = doc;

            return JSON.stringify(rest);
        }

        return text;
    }

    async #request(url, { headers, timeout, ...options }) {
        const { fetch = globalThis.fetch, device } = this.#options;
        const own = typeof this.#options.headers === 'function'
                    ? await this.#options.headers(url, options)
                    : this.#options.headers;
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(),
                                 timeout || this.#options.timeout);

        try {
            const response = await fetch(url, {
                ...options, signal: abort.signal,
                headers: {
                    /* the same for reads and writes: a base is of a view */

                    Accept: 'application/json',
                    ...own, ...(device ? { 'X-Client': device } : {}),
                    ...this.#locks.get(url)?.headers, ...headers
                }
            });

            /* the status counts, also where the body is cut off */

            return { response, text: await response.text().catch(() => '') };

        } finally {
            clearTimeout(timer);
        }
    }

    /* ---- writing ---- */

    /*
     * Puts the edit where it survives, and sends it as soon as that can be
     * done.  The promise is kept when it is written, or has to wait for
     * something: see "state".
     */

    save(path, doc, options = {}) {
        const text = JSON.stringify(doc);

        if (text === undefined) {
            throw new TypeError('the document is no JSON');
        }

        return this.#edit(path, text, options);
    }

    remove(path, options = {}) {
        return this.#edit(path, null, options);
    }

    async #edit(path, text, { version }) {
        const url = this.#url(path);
        const plain = text === null ? null : this.#plain(text);

        const record = await this.#storage.update(url, (r, seq) => {
            const nothing = plain === null && !r?.entry && r?.known?.absent;

            return nothing ? r : entries.edit(r, seq, {
                text: plain, url,
                base: version === undefined ? undefined
                                            : baseOf(version, r?.known)
            });
        });

        this.#locks.get(url)?.touch();
        this.#changed(url, record);

        if (record?.entry?.state === 'conflict') {
            this.#ask(url);

        } else {
            await this.#drain();
        }

        await this.#asking.get(url);

        return this.#result(url);
    }

    async #result(url) {
        const record = await this.#storage.read(url);
        const seen = view(url, record);

        return {
            ...seen, state: seen.state || 'done',
            durable: this.#storage.isDurable(url)
        };
    }

    /* sends what can be sent; kept when nothing is left to do at once */

    async flush() {
        this.#until = 0;
        this.#login = false;
        await this.#drain({ now: true });
        await Promise.all(this.#asking.values());
    }

    pause() {
        this.#paused = true;
        this.#emit('online', { online: this.online });
    }

    resume() {
        this.#paused = false;
        return this.#wake();
    }

    #wake() {
        this.#emit('online', { online: this.online });
        this.#until = 0;
        this.#login = false;

        return this.#drain({ network: true });
    }

    #soon(ms = 0) {
        if (!this.#closed) {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#drain().catch(e =>
                this.#emit('error', { error: e })), ms);
        }
    }

    /*
     * One round at a time, and of all tabs one alone.  Whoever comes while
     * there is one gets one more round.
     */

    #drain(how = {}) {
        this.#again = { ...this.#again, ...how };
        this.#round ??= this.#rounds();

        return this.#round;
    }

    async #rounds() {
        try {
            await null;

            while (this.#again && this.online && !this.#closed) {
                const how = this.#again;

                this.#again = null;
                await this.#storage.exclusive(() => this.#sendAll(how));
            }

        } finally {
            this.#again = null;
            this.#round = null;
        }

        await this.#schedule();
    }

    async #schedule(least = 50) {
        const now = Date.now();
        const waiting = (await this.#storage.pending()).filter(r =>
            isSendable(r.entry)).map(r => this.#dueIn(r.entry, now));

        if (waiting.length > 0 && this.online && !this.#login) {
            this.#soon(Math.max(least, this.#until - now,
                                Math.min(...waiting)));
        }
    }

    /* a clock that was set back makes nobody wait for longer */

    #dueIn(entry, now) {
        const left = entry.retryAt - now;

        return left > this.#options.maxWait ? 0 : Math.max(0, left);
    }

    async #sendAll({ now, network }) {
        for (const { url, entry } of await this.#storage.pending()) {
            if (!isSendable(entry)
                || !(now || this.#dueIn(entry, Date.now()) === 0
                     || (network && entry.reason?.kind === 'network')))
            {
                continue;
            }

            for (let more = 'more'; more === 'more'; ) {
                if (!this.online || this.#closed || this.#login
                    || Date.now() < this.#until)
                {
                    return;
                }

                more = await this.#sendOne(url);

                if (more === 'network' && !await this.#isStubborn(url)) {
                    return;
                }
            }
        }
    }

    /* is it this entry alone: the others shall not wait for it */

    async #isStubborn(url) {
        const record = await this.#storage.read(url);

        return record?.entry?.tries >= STUBBORN;
    }

    /* one write, and what its answer leads to */

    async #sendOne(url) {
        const before = await this.#storage.read(url);

        if (!before?.entry || !isSendable(before.entry)) {
            return 'other';
        }

        if (!entries.hasBase(before.entry)) {
            return this.#rebase(url);
        }

        /* on disk before it is on its way */

        const record = await this.#storage.update(url, r =>
            r?.entry && isSendable(r.entry)
            ? entries.send(r, this.#options) : r);

        if (record?.entry?.state !== 'sending') {
            return 'other';
        }

        const { link } = record.entry;

        this.#changed(url, record);

        let response, text;

        try {
            ({ response, text } = await this.#request(url, {
                method: link.text === null ? 'DELETE' : 'PUT',
                body: link.body ?? undefined, headers: link.headers,
                redirect: 'manual'
            }));

        } catch (e) {
            await this.#later(url, link, {
                unknown: true, reason: { kind: 'network', error: e.name,
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

            verdict.server.text &&= this.#plain(verdict.server.text);
            await this.#collide(url, link, verdict.server);

            return 'other';

        case 'look':
            return this.#look(url, link, reason);

        case 'login':
            this.#login = true;
            await this.#apply(url, link, r => entries.wait(r, {
                unknown: false, retryAt: 0, reason
            }));
            this.#emit('unauthorized', { url });

            return 'other';

        case 'wait':
            await this.#later(url, link, {
                unknown: verdict.unknown, reason, all: verdict.all,
                after: retryAfter(response)
            });

            return 'other';

        default:
            await this.#park(url, link, reason);

            return 'other';
        }
    }

    /* the change, unless somebody else has ended this link meanwhile */

    async #apply(url, link, change) {
        let applied = false;

        const record = await this.#storage.update(url, r => {
            applied = !!r?.entry && (link ? r.entry.link?.body === link.body
                                            && r.entry.link.n === link.n
                                          : !r.entry.link);

            return applied ? change(r) : r;
        });

        if (applied) {
            this.#changed(url, record);
        }

        return applied ? record : undefined;
    }

    async #written(url, link, response, text, { dropped }) {
        const doc = parse(text);
        const seen = this.#document(response, text);
        const { outcome } = versionOf(response, doc);

        if (dropped) {
            await this.#park(url, link, {
                kind: 'dropped', status: response.status, error: 'dropped',
                detail: 'the policy of the route keeps the server\'s version'
            }, doc === undefined
               ? { version: null, tag: null, chained: false, text: null }
               : seen);

            return 'other';
        }

        const merged = outcome === 'merged';

        const record = await this.#apply(url, link, r => entries.acknowledge(
            r, { ...seen, merged,
                 text: isWhole(doc, parse(link.text)) ? seen.text : null }));

        if (!record) {
            return 'other';
        }

        if (merged && !record.entry) {
            /* it has what others have edited, too */
            await this.get(url).catch(() => {});
        }

        const now = await this.#storage.read(url);

        this.#emit('saved', { ...view(url, now), outcome: outcome || null });

        return record.entry ? 'more' : 'other';
    }

    async #park(url, link, reason, known) {
        const record = await this.#apply(url, link, r =>
            entries.park(r, reason, known));

        if (record?.entry?.state === 'parked') {
            this.#emit('parked', view(url, record));
        }
    }

    async #later(url, link, { unknown, reason, all, after }) {
        await this.#apply(url, link, r => {
            const ms = this.#wait(r.entry.tries, after);

            if (all) {
                this.#until = Date.now() + ms;
            }

            return entries.wait(r, { unknown, reason,
                                     retryAt: Date.now() + ms });
        });
    }

    /* as long as the server says, or twice as long each time; bounded */

    #wait(tries, after) {
        const { maxWait } = this.#options;

        if (after !== null && after !== undefined) {
            return Math.min(maxWait, after + Math.random()
                            * Math.max(after / 5, 250));
        }

        return Math.min(maxWait, FIRST_WAIT * 2 ** Math.min(tries, 20))
               * (0.5 + Math.random() / 2);
    }

    /* ---- conflicts ---- */

    /* a refusal that does not tell what is there */

    async #look(url, link, reason) {
        let latest;

        try {
            latest = await this.#fetchLatest(url);

        } catch (e) {
            return this.#lookFailed(url, link, e, reason);
        }

        const record = await this.#storage.read(url);

        if (!record?.entry) {
            return 'other';
        }

        const { base } = record.entry;
        const same = latest.absent ? base.absent
                     : !base.absent
                       && (base.version === null || base.version === undefined
                           ? base.tag === latest.tag
                           : base.version === latest.version);

        if (same) {
            /* it is not the base that the API does not like */
            await this.#park(url, link, reason);

        } else {
            await this.#collide(url, link, latest.absent
                ? { deleted: true, version: null, tag: null, text: null }
                : { deleted: false, ...latest });
        }

        return 'other';
    }

    async #lookFailed(url, link, error, reason) {
        if (error.status === 401) {
            this.#login = true;
            await this.#apply(url, link, r => entries.wait(r, {
                unknown: false, retryAt: 0,
                reason: { kind: 'status', status: 401 }
            }));
            this.#emit('unauthorized', { url });

        } else if (error.status >= 400 && error.status < 500
                   && error.status !== 429)
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

    /* nobody knows the version that the edits were made on: a GET does */

    async #rebase(url) {
        let latest;

        try {
            latest = await this.#fetchLatest(url);

        } catch (e) {
            return this.#lookFailed(url, null, e);
        }

        const record = await this.#collide(url, null, latest.absent
            ? { deleted: true, version: null, tag: null, text: null }
            : { deleted: false, ...latest });

        return record?.entry?.state === 'queued' ? 'more' : 'other';
    }

    async #collide(url, link, server) {
        const record = await this.#apply(url, link, r =>
            entries.collide(r, server, this.#rulesOf(url)));

        if (!record) {
            return undefined;
        }

        if (record.entry?.state === 'conflict') {
            this.#emit('conflict', this.#conflictOf(url, record.entry));
            this.#ask(url);

        } else if (record.entry) {
            this.#again ??= {};

        } else {
            this.#emit('saved', { ...view(url, record), outcome: null });
        }

        return record;
    }

    #conflictOf(url, entry) {
        const { conflict } = entry;
        const base = fromText(conflict.base);
        const server = fromText(conflict.text);
        const local = fromText(entry.draft.text);
        const both = local !== null && server !== null;
        const merged = both ? merge({ base, server, local,
                                      rules: this.#rulesOf(url) }) : null;

        return {
            url, base, local, server, deleted: !!conflict.deleted,
            removed: local === null,
            conflicts: conflict.conflicts || merged?.conflicts || [],
            merged: merged ? merged.doc : null,
            clean: !!merged?.clean,
            versions: { base: conflict.baseVersion,
                        server: conflict.version ?? null },
            keepMine, keepTheirs, later
        };
    }

    /* once for each conflict, in one tab alone */

    #ask(url, again = false) {
        if (!this.#options.onConflict || this.#asking.has(url)
            || this.#closed)
        {
            return;
        }

        const done = this.#storage.claim(url, () => this.#askAll(url, again))
            .then(mine => {
                if (mine === false) {
                    /* another tab asks; if that one goes, it is for this */

                    this.#storage.claim(url, () => this.#askAll(url), true)
                        .catch(error => this.#emit('error', { url, error }));
                }
            })
            .catch(error => this.#emit('error', { url, error }))
            .finally(() => this.#asking.delete(url));

        this.#asking.set(url, done);
    }

    async #askAll(url, again) {
        for ( ;; ) {
            const record = await this.#storage.read(url);

            if (record?.entry?.state !== 'conflict' || this.#closed
                || (record.entry.conflict.putOff === record.entry.rev
                    && !again))
            {
                return;
            }

            const { rev } = record.entry;
            const answer = await this.#options.onConflict(
                this.#conflictOf(url, record.entry));

            again = false;

            if (answer === undefined || answer === later) {
                await this.#storage.update(url, r =>
                    r?.entry?.state === 'conflict' && r.entry.rev === rev
                    ? entries.putOff(r) : r);

            } else {
                /* an edit that came meanwhile is asked about, too */
                await this.#resolve(url, answer, rev);
            }
        }
    }

    async #resolve(url, answer, rev) {
        if (answer !== keepMine && answer !== keepTheirs
            && (answer === null || typeof answer !== 'object'))
        {
            throw new TypeError('no answer to a conflict: ' + String(answer));
        }

        const how = answer === keepMine ? 'mine'
                    : answer === keepTheirs ? 'theirs'
                    : { text: this.#plain(JSON.stringify(answer)) };
        let resolved = false;

        const record = await this.#storage.update(url, r => {
            resolved = r?.entry?.state === 'conflict'
                       && (rev === undefined || how === 'mine'
                           || r.entry.rev === rev);

            if (!resolved) {
                return r;
            }

            /* a busy document, or a server that refuses whatever comes */

            const times = r.entry.collisions - COLLISIONS;

            return entries.resolve(r, how, times < 0 ? 0
                : Date.now() + this.#wait(times, null));
        });

        if (resolved) {
            this.#changed(url, record);
            await this.#drain();
        }
    }

    /* for an application that asks when it suits its user */

    async resolve(path, answer) {
        const url = this.#url(path);

        if (answer !== later && answer !== undefined) {
            await this.#resolve(url, answer);
            await this.#asking.get(url);
        }

        return this.#result(url);
    }

    async conflict(path) {
        const url = this.#url(path);
        const { entry } = await this.#storage.read(url) || {};

        return entry?.state === 'conflict' ? this.#conflictOf(url, entry)
                                           : null;
    }

    /* ---- the outbox as a user may see it ---- */

    async entries() {
        return (await this.#storage.pending()).map(r => view(r.url, r));
    }

    async retry(path) {
        const url = this.#url(path);

        this.#changed(url, await this.#storage.update(url, r =>
            r?.entry?.state === 'parked' ? entries.retry(r) : r));
        await this.#drain();
        await this.#asking.get(url);

        return this.#result(url);
    }

    /* the edits are given up; they are returned */

    async discard(path) {
        const url = this.#url(path);
        let gone = null;

        this.#changed(url, await this.#storage.update(url, r => {
            gone = r?.entry ? view(url, r) : null;

            return r?.entry ? entries.discard(r) : r;
        }));

        return gone;
    }

    /* for a logout: all that this device knows, edits too */

    async clear() {
        await this.#storage.clear();
        this.#progress();
    }

    async close() {
        this.#closed = true;
        clearTimeout(this.#timer);

        for (const [type, fn] of this.#listening) {
            window.removeEventListener(type, fn);
        }

        await Promise.all([...this.#locks.values()].map(l => l.release()));
        await this.#round?.catch(() => {});
        await this.#storage.close();
    }

    /* ---- locks ---- */

    async lock(path, options = {}) {
        const url = this.#url(path);
        const lock = new Lock({
            url: this.#options.lockUrl(url), options,
            request: (...args) => this.#request(...args),
            told: detail => this.#emit('lock', { url, ...detail }),
            ended: () => {
                if (this.#locks.get(url) === lock) {
                    this.#locks.delete(url);
                }
            }
        });

        await this.#locks.get(url)?.release();
        await lock.acquire();
        this.#locks.set(url, lock);

        return lock;
    }

    #leave() {
        for (const lock of this.#locks.values()) {
            lock.release({ keepalive: true });
        }
    }

    /* ---- events ---- */

    #emit(type, detail) {
        this.dispatchEvent(new ClientEvent(type, detail));
    }

    #changed(url, record) {
        this.#emit('state', { ...view(url, record),
                              durable: this.#storage.isDurable(url) });
        this.#progress();
    }

    /* how many there are; those who ask meanwhile get the next count */

    #progress() {
        if (this.#counting) {
            this.#counting.again = true;
            return;
        }

        const counting = this.#counting = { again: false };

        this.#count().finally(() => {
            this.#counting = null;

            if (counting.again) {
                this.#progress();
            }
        });
    }

    async #count() {
        const counts = { queued: 0, sending: 0, unknown: 0, conflict: 0,
                         parked: 0, total: 0 };

        try {
            for (const { entry } of await this.#storage.pending()) {
                counts[entry.state]++;
                counts.total++;
            }

        } catch {
            return;
        }

        this.#emit('progress', counts);
    }

    async #changedElsewhere(url) {
        if (!this.#closed) {
            const record = await this.#storage.read(url);

            this.#changed(url, record);

            if (!this.#round) {
                /* the other one may be closed before it has sent that */
                await this.#schedule(1000);
            }
        }
    }

    #storageFailed(error) {
        if (!this.#warned) {
            this.#warned = true;
            console.warn('conflict-client: edits are kept in memory alone:',
                         error?.message);
        }

        this.#emit('storage', { durable: false, error });
    }
}

/* sending: a tab that is gone has left it; only who sends comes here */

function isSendable(entry) {
    return ['queued', 'sending', 'unknown'].includes(entry.state);
}

function fromText(text) {
    return text === null || text === undefined ? null : parse(text) ?? null;
}

function baseOf(version, known) {
    if (version === null) {
        return { absent: true };
    }

    if (known && known.version === version) {
        return known;
    }

    return { version, tag: null, chained: false, text: null };
}

/* an answer that has all that was sent is the document */

function isWhole(doc, sent) {
    return doc !== null && typeof doc === 'object' && !Array.isArray(doc)
           && sent !== null && typeof sent === 'object'
           && Object.keys(sent).every(name => Object.hasOwn(doc, name));
}

function view(url, record) {
    const { known, entry } = record || {};

    if (!entry) {
        return {
            url, doc: fromText(known?.text), version: known?.version ?? null,
            state: null
        };
    }

    const local = entry.draft || entry.link;

    return {
        url, doc: fromText(local.text), version: entry.base.version ?? null,
        state: entry.state, removed: local.text === null,
        reason: entry.reason, tries: entry.tries,
        retryAt: entry.retryAt || null
    };
}
