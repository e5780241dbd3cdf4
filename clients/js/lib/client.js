/*
 * The client: its methods and events.  transport.js sends requests, sender.js
 * empties the outbox, asker.js handles conflicts, entry.js has the states.
 */

import * as entries from './entry.js';
import { isBusy, versionOf } from './answer.js';
import { Asker, keepTheirs, later } from './asker.js';
import { Creations, isCreation, viewCreation } from './creations.js';
import { itemsOf } from './items.js';
import { Lock } from './lock.js';
import { randomName } from './random.js';
import { Sender } from './sender.js';
import { guardedStorage, indexedDBStorage, memoryStorage } from './storage.js';
import { RequestError, Transport } from './transport.js';
import { Versions } from './versions.js';
import { editsOf, view } from './view.js';
import { Watcher } from './watch.js';

export class ClientEvent extends Event {
    constructor(type, detail) {
        super(type);
        this.detail = detail;
    }
}

export class Client extends EventTarget {
    #options; #storage; #transport; #sender; #asker; #creations; #core;
    #versions; #watcher;
    #locks = new Map(); #warned = false; #listening = []; #counting = null;
    #cleared = 0;

    /*
     * By URL, what this client has shown to its user: a state, and the edit
     * whose document it is.  It is the base of the next edit: the storage is
     * shared with other tabs, which may be ahead.
     */

    #shown = new Map();

    constructor(options = {}) {
        super();

        const {
            baseUrl = globalThis.location?.href, storage, member = null,
            timeout = 30000, maxWait = 300000, silence = 60000, rules = {},
            lockUrl = url => url + '/lock',
            versionsUrl = url => url + '/versions'
        } = options;
        const base = new URL(baseUrl, globalThis.location?.href);

        /* another origin may not allow headers that it does not know */

        const keys = [undefined, base.origin].includes(
            globalThis.location?.origin);

        this.#options = { ...options, member, timeout, maxWait, silence,
                          rules, lockUrl, keys };

        this.#transport = new Transport(this.#options, base, this.#locks);
        this.#storage = this.#guarded(storage);

        this.#versions = new Versions({
            request: (...args) => this.#transport.request(...args),
            urlOf: versionsUrl
        });

        this.#core = {
            options: this.#options, storage: this.#storage,
            transport: this.#transport, closed: false,
            emit: (type, detail) => this.#emit(type, detail),
            changed: (url, record) => this.#changed(url, record),
            rulesOf: url => this.#rulesOf(url),
            progress: () => this.#progress(),
            refresh: async url => {
                const { record } = await this.#read(url);

                this.#watcher.seen(url, record?.known?.version);
            },
            has: (...args) => this.#has(...args),
            moved: url => this.#moved(url),
            shown: (url, state) => this.#shownFirst(url, state)
        };

        this.#sender = this.#core.sender = new Sender(this.#core);
        this.#asker = this.#core.asker = new Asker(this.#core);
        this.#creations = this.#core.creations = new Creations(this.#core);
        this.#watcher = new Watcher(this.#core);

        this.#storage.watch(url => this.#changedElsewhere(url));
        this.#storage.trim();
        this.#listen();

        /* entries of the previous session */

        this.#begin();
    }

    /* entries for another origin must not be sent with these headers */

    #guarded(storage) {
        const all = guardedStorage(
            storage || (globalThis.indexedDB ? indexedDBStorage()
                                             : memoryStorage()),
            error => this.#storageFailed(error), () => this.#begin());
        const isOwn = url => url === null || this.#transport.isOwn(url);

        return {
            ...all,
            pending: async () => (await all.pending()).filter(r =>
                isOwn(r.url)),
            watch: fn => all.watch(url => isOwn(url) && fn(url))
        };
    }

    #begin() {
        return this.#start().catch(error => this.#emit('error', { error }));
    }

    #listen() {
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
    }

    async #start() {
        for (const { url, entry } of await this.#storage.pending()) {
            if (entry.state === 'conflict') {
                this.#asker.ask(url, true);
            }
        }

        this.#progress();
        await this.#sender.drain();
    }

    /* the application's merge rules for a resource */

    #rulesOf(url) {
        const { rules } = this.#options;

        return typeof rules === 'function' ? rules(url) : rules;
    }

    get online() {
        return this.#sender.online;
    }

    /*
     * The document with the edits of this device, if there are any; otherwise
     * as the server has it; otherwise as last read ("stale").
     */

    async get(path) {
        const url = this.#transport.url(path);

        for ( ;; ) {
            const shown = this.#shown.get(url);

            await shown?.stored?.catch(() => {});

            const { record, stale } = await this.#read(url);

            if (this.#shown.get(url) === shown) {
                const edit = this.#own(url, record)
                             || editsOf(record).at(-1);

                this.#shown.set(url, edit ? ofEdit(edit)
                                          : { state: record.known });
                this.#watcher.seen(url, record.known?.version);

                return { ...view(url, record, edit), ...stale && { stale } };
            }

            /* an edit of this client in the meantime: it must be shown */
        }
    }

    /*
     * The items of a list.  A version is the base of the next edit of its item,
     * unless this device has edits of it.
     */

    async list(path, { item, ...where }) {
        const url = this.#transport.url(path);
        const cleared = this.#cleared, shown = new Map(this.#shown);
        const { response, doc } = await this.#transport.list(url);
        const { chained } = versionOf(response, doc, null);
        const items = itemsOf(doc, where).map(one => ({
            url: this.#transport.url(item(one.id)), ...one
        }));

        for (const { url: of, version } of items) {
            const record = await this.#storage.read(of);

            /* what was shown since the request is not older than the list */

            if (version !== null && !record?.entry
                && this.#shown.get(of) === shown.get(of)
                && this.#cleared === cleared)
            {
                /* a list may show less than the document */

                const state = [this.#shown.get(of)?.state, record?.known].find(
                    one => one?.version === version);

                this.#shown.set(of, { state: state || {
                    version, tag: null, chained, text: null
                } });
            }
        }

        return items;
    }

    async #read(url) {
        const cleared = this.#cleared;

        for (let attempt = 1; ; attempt++) {
            const before = await this.#storage.read(url);

            if (before?.entry) {
                return { record: before };
            }

            const seen = await this.#latest(url, before);

            this.#mustBe(cleared);

            if (seen === null) {
                return { record: before, stale: true };
            }

            /* a write in the meantime: the response may be older */

            let moved = false, gone = false;

            const record = await this.#storage.update(url, r => {
                gone = this.#cleared !== cleared;
                moved = attempt < 3 && !r?.entry
                        && JSON.stringify(r?.known)
                           !== JSON.stringify(before?.known);

                return r?.entry || moved || gone
                       ? r ?? null : { ...r, url, known: seen, entry: null };
            });

            this.#mustBe(cleared);

            if (!moved) {
                return { record };
            }
        }
    }

    /* the next user of this device must not find what was read before */

    #mustBe(cleared) {
        if (this.#cleared !== cleared) {
            throw new RequestError('clear() was called');
        }
    }

    /* null: the document as last read has to do */

    async #latest(url, before) {
        try {
            if (!this.online) {
                throw new RequestError('offline');
            }

            return await this.#transport.latest(url);

        } catch (e) {
            if ((before?.known?.absent
                 || typeof before?.known?.text === 'string')
                && !(e.status >= 400 && e.status < 500 && !isBusy(e.status)))
            {
                return null;
            }

            throw e;
        }
    }

    /* the edit of this client, if it has not ended */

    #own(url, record) {
        const { id } = this.#shown.get(url) || {};

        return editsOf(record).find(edit => edit.id === id);
    }

    /*
     * Stores the edit, and sends it as soon as possible.  The promise resolves
     * when the edit is written or has to wait: see "state".
     */

    save(path, doc, options = {}) {
        const text = JSON.stringify(doc);

        if (text === undefined) {
            throw new TypeError('the document is not JSON');
        }

        return this.#edit(path, text, options);
    }

    remove(path, options = {}) {
        return this.#edit(path, null, options);
    }

    async #edit(path, text, { version }) {
        const url = this.#transport.url(path);
        const plain = text === null ? null : this.#transport.plain(text);
        const mark = randomName();
        const shown = this.#shown.get(url);
        const mine = { mark, id: null, state: entries.stateOf(plain) };

        /* before anything is awaited: a response may change what is shown */

        this.#shown.set(url, mine);

        mine.stored = this.#storage.update(url, (r, seq) => {
            const how = { url, text: plain, at: Date.now(), mark, shown,
                          version };

            return entries.isNothing(r, how) ? r : entries.edit(r, seq, how);
        });

        const record = await mine.stored;

        mine.id = editsOf(record).find(edit => edit.mark === mark)?.id;
        this.#locks.get(url)?.touch();
        this.#changed(url, record);

        if (record?.entry?.state === 'conflict') {
            this.#asker.ask(url);

        } else {
            await this.#sender.drain();
        }

        await this.#asker.answered(url);

        return this.#result(url, mine.id, mine.state);
    }

    /*
     * Creates a resource in a collection.  The promise resolves when it is
     * created, or has to wait: see "state".
     */

    async create(path, doc) {
        return this.#creations.create(this.#transport.url(path), doc);
    }

    /* what was created is what the application shows, if it shows no other */

    #shownFirst(url, state) {
        const { mark, state: seen } = this.#shown.get(url) || {};

        if (!seen || (seen.absent && !mark)) {
            this.#shown.set(url, { state });
        }
    }

    /* the state of the entry with this id; it has ended: of the document */

    async #result(url, id, saved) {
        const record = await this.#storage.read(url);
        const edit = editsOf(record).find(one => one.id === id);
        const isKnown = record?.known?.absent
                        || typeof record?.known?.text === 'string';
        const seen = view(url, edit ? record
                               : { known: isKnown ? record.known : saved },
                          edit);

        return {
            ...seen, state: seen.state || 'done',
            durable: this.#storage.isDurable(url)
        };
    }

    /* sends the outbox; resolves when nothing is left that can be sent now */

    async flush() {
        await this.#sender.drainAgain({ now: true });
        await this.#asker.allAnswered();
    }

    pause() {
        this.#sender.pause();
        this.#emit('online', { online: this.online });
    }

    resume() {
        this.#sender.resume();
        return this.#wake();
    }

    #wake() {
        this.#watcher.wake();
        this.#emit('online', { online: this.online });
        return this.#sender.drainAgain({ network: true });
    }

    /*
     * Resolves a conflict outside of onConflict: the one with this id, or the
     * current one.
     */

    async resolve(path, answer, { id } = {}) {
        const url = this.#transport.url(path);
        const before = await this.#storage.read(url);

        if (answer !== later && answer !== undefined) {
            const done = await this.#asker.resolve(url, answer, { id });

            if (done) {
                this.#shown.set(url, shownBy(done, answer));
                await this.#sender.drain();
            }

            await this.#asker.answered(url);
        }

        return this.#result(url, before?.entry?.id);
    }

    async conflict(path) {
        const url = this.#transport.url(path);
        const { entry } = await this.#storage.read(url) || {};

        return entry?.state === 'conflict' ? this.#asker.conflictOf(url, entry)
                                           : null;
    }

    async entries() {
        return (await this.#storage.pending()).flatMap(r =>
            r.entry.create ? [viewCreation(r)]
                           : editsOf(r).map(edit => view(r.url, r, edit)));
    }

    async retry(path) {
        if (isCreation(path)) {
            return this.#creations.retry(path);
        }

        const url = this.#transport.url(path);

        const record = await this.#storage.update(url, r =>
            r?.entry?.state === 'parked' ? entries.retry(r) : r);

        this.#changed(url, record);
        await this.#sender.drain();
        await this.#asker.answered(url);

        return this.#result(url, record?.entry?.id);
    }

    /* removes the entry and returns it; of two, this client's is removed */

    async discard(path) {
        if (isCreation(path)) {
            return this.#creations.discard(path);
        }

        const url = this.#transport.url(path);
        let gone = null, seen = null;

        const record = await this.#storage.update(url, r => {
            gone = r?.entry?.state === 'parked' ? r.entry
                   : this.#own(url, r) || r?.entry;
            seen = gone ? view(url, r, gone) : null;

            return gone ? entries.discard(r, gone.id) : r;
        });

        if (gone && gone.id === this.#shown.get(url)?.id) {
            this.#shown.set(url, { state: entries.before(gone) });
        }

        this.#changed(url, record);

        if (record?.entry) {
            await this.#sender.drain();
        }

        return seen;
    }

    /* for a logout: removes all data of this device, including edits */

    async clear() {
        this.#forget();

        try {
            await this.#storage.clear();

        } finally {
            this.#forget();
        }
    }

    #forget() {
        this.#cleared++;
        this.#shown.clear();
        this.#sender.otherLogin();
        this.#progress();
    }

    async close() {
        this.#core.closed = true;

        for (const [type, fn] of this.#listening) {
            window.removeEventListener(type, fn);
        }

        await this.#watcher.close();
        await Promise.all([...this.#locks.values()].map(l => l.release()));
        await this.#sender.close();
        await this.#storage.close();
    }

    /*
     * Tells what others do with a document, as it happens; returns a function
     * that ends it.
     */

    watch(path, handler) {
        return this.#watcher.watch(this.#transport.url(path), handler);
    }

    /*
     * True: this client has shown that version, or null, a deletion, or the
     * outbox has written it.  The storage may have what another tab has read.
     */

    #has(url, { known, last, entry } = {}, version) {
        const shown = this.#shown.get(url)?.state;
        const is = state => version === null ? !!state?.absent
                            : String(state?.version) === String(version);

        return is(shown) || (is(known)
                             && (!shown || !!entry || is(last?.state)));
    }

    /* resolves when the entry of a resource has changed, or a little later */

    #moved(url) {
        return new Promise(resolve => {
            const done = e => {
                if (!e || e.detail.url === url) {
                    clearTimeout(timer);
                    this.removeEventListener('state', done);
                    resolve();
                }
            };
            const timer = setTimeout(done, 250);

            this.addEventListener('state', done);
        });
    }

    async lock(path, options = {}) {
        const url = this.#transport.url(path);
        const lock = new Lock({
            url: this.#options.lockUrl(url), options,
            request: (...args) => this.#transport.request(...args),
            told: detail => this.#emit('lock', { url, ...detail }),
            failed: error => this.#emit('error', { url, error }),
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

    /* who has made which version */

    async history(path) {
        return this.#versions.list(this.#transport.url(path));
    }

    /* writes an old body again, if "current" still is the current version */

    async undo(path, version, options = {}) {
        const url = this.#transport.url(path);
        const old = await this.#versions.old(url, version, options);

        return this.save(path, old.doc, { version: old.version });
    }

    #leave() {
        for (const lock of this.#locks.values()) {
            lock.release({ keepalive: true });
        }
    }

    #emit(type, detail) {
        this.dispatchEvent(new ClientEvent(type, detail));
    }

    #changed(url, record) {
        this.#watcher.seen(url, record?.known?.version);
        this.#told(url, record);
    }

    #told(url, record) {
        this.#emit('state', { ...view(url, record, this.#own(url, record)),
                              durable: this.#storage.isDurable(url) });
        this.#progress();
    }

    /* counts the entries; calls in the meantime lead to one more count */

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
            for (const { state } of (await this.#storage.pending())
                                    .flatMap(editsOf))
            {
                counts[state]++;
                counts.total++;
            }

        } catch {
            return;
        }

        this.#emit('progress', counts);
    }

    /* null: clear() of another tab */

    async #changedElsewhere(url) {
        if (url === null) {
            this.#forget();

        } else if (!this.#core.closed) {
            const record = await this.#storage.read(url);

            if (isCreation(url)) {
                this.#creations.changed(url, record);

            } else {
                const version = record?.known?.version ?? null;

                if (version !== null && this.#has(url, record, version)) {
                    this.#watcher.seen(url, version);
                }

                this.#told(url, record);
            }

            if (!record?.entry) {
                /* what another tab has sent or read */
                this.#sender.otherLogin();
            }

            if (!this.#sender.busy) {
                /* the other tab may close before it has sent the edit */
                await this.#sender.schedule(1000);
            }
        }
    }

    #storageFailed(error) {
        if (!this.#warned) {
            this.#warned = true;
            console.warn('conflict-client: edits are kept in memory only:',
                         error?.message || error?.name);
        }

        this.#emit('storage', { durable: false, error });
    }
}

function ofEdit(edit) {
    return { mark: edit.mark, id: edit.id,
             state: entries.stateOf((edit.draft || edit.link).text) };
}

/* what a client shows that has resolved the conflict */

function shownBy({ record, entry }, answer) {
    const next = editsOf(record).find(edit => edit.id === entry.id);

    return next && answer !== keepTheirs ? ofEdit(next)
                                         : { state: record.known };
}
