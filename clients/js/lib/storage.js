/*
 * Stores the last known state of each resource, and the edits that the server
 * has not acknowledged.  A storage has
 *
 *   read(url)         a record, or undefined
 *   update(url, fn)   fn(record, seq) returns the new record, or null to
 *                     remove it; atomic among all tabs, and on disk when the
 *                     promise resolves.  "seq" is greater than that of every
 *                     other record
 *   pending()         the records that have an entry, by entry.seq
 *   exclusive(fn)     runs fn while no other tab runs one
 *   claim(url, fn, wait)   runs fn while no other tab has claimed the URL; if
 *                     one has, waits for it, or without "wait" does not run
 *                     fn and resolves to false
 *   evict()           removes the documents of records without an entry
 *   clear(), close()
 *   watch(fn)         calls fn(url) when another tab has changed a record, and
 *                     fn(null) when it has called clear()
 *
 * A record is plain data: { url, known, entry }.
 */

const CACHED = 1000;      /* records that may stay for the next session */
const LEASE = 5000;       /* ms, without Web Locks */
const OPEN = 5000;        /* ms that a database may take to open */
const AGAIN = 10000;      /* ms until the next attempt to open it */

const FULL = 'QuotaExceededError';

function clone(record) {
    return record === undefined ? undefined
                                : JSON.parse(JSON.stringify(record));
}

/* without documents, if the record is only a cache; the version stays */

function emptied(record) {
    const { entry, known, last, made } = record;

    return entry || (typeof known?.text !== 'string' && !last && !made)
           ? record : { ...record, known: known && { ...known, text: null },
                        last: null, made: null };
}

function bySeq(a, b) {
    return a.entry.seq - b.entry.seq;
}

/* runs functions one at a time, in this process */

function queueOf() {
    let last = Promise.resolve();

    return fn => {
        const run = last.then(fn);

        last = run.catch(() => {});

        return run;
    };
}

/*
 * In memory only.  A storage that also writes to disk passes "write", which is
 * called with each new record before the Map is changed.
 */

export function memoryStorage(records = new Map(), write = async () => {}) {
    const exclusive = queueOf(), inTurn = queueOf();

    return {
        durable: false,

        async read(url) {
            return clone(records.get(url));
        },

        update(url, fn) {
            return inTurn(async () => {
                let seq = 1;

                for (const { entry } of records.values()) {
                    seq = Math.max(seq, 1 + (entry?.seq || 0));
                }

                const record = fn(clone(records.get(url)), seq);

                await write(url, record);

                if (record) {
                    records.set(url, clone(record));

                } else {
                    records.delete(url);
                }

                return record;
            });
        },

        async pending() {
            return clone([...records.values()].filter(r => r.entry)
                                              .sort(bySeq));
        },

        exclusive,
        claim: async (url, fn) => fn(),

        async evict() {
            for (const [url, record] of records) {
                if (emptied(record) !== record) {
                    await this.update(url, emptied);
                }
            }
        },

        async clear() {
            for (const url of [...records.keys()]) {
                await this.update(url, () => null);
            }
        },

        async close() {},
        watch() {}
    };
}

/* null: there is none, or a browser that denies storage denies it as well */

function channelOf(name) {
    try {
        return new BroadcastChannel(name);

    } catch {
        return null;
    }
}

/* IndexedDB, shared by all tabs of the origin */

export function indexedDBStorage(name = 'default') {

    /* an id of a user that is missing: users would share a storage */

    if (arguments.length && !(arguments[0] && typeof arguments[0] === 'string')
        && !Number.isFinite(arguments[0]))
    {
        throw new TypeError(`the name of the storage is "${arguments[0]}"`);
    }

    const full = 'conflict-client:' + name;
    const channel = channelOf(full);
    let opened = null, closed = false;

    function open() {
        if (closed) {
            throw new Error('the storage is closed');
        }

        opened ??= openDatabase(full).then(db => {
            /* the user may clear the site's data, a tab may delete it */

            db.onversionchange = () => { db.close(); opened = null; };
            db.onclose = () => { opened = null; };

            return db;

        }).catch(e => {
            /* until the next attempt each access fails at once */
            setTimeout(() => { opened = null; }, AGAIN);
            throw e;
        });

        return opened;
    }

    /* the result of "work", when all of its changes are on disk */

    async function transaction(mode, work) {
        const db = await open();

        return new Promise((resolve, reject) => {
            const tx = db.transaction(['records', 'lease'], mode,
                                      { durability: 'strict' });
            let result;

            tx.oncomplete = () => resolve(result);
            tx.onabort = () => reject(
                tx.error || new DOMException('aborted', 'AbortError'));

            work(tx.objectStore('records'), value => { result = value; },
                 tx.objectStore('lease'));
        });
    }

    function eachCached(change) {
        return transaction('readwrite', store => {
            store.openCursor().onsuccess = e => {
                const cursor = e.target.result;

                if (cursor) {
                    if (!cursor.value.entry) {
                        change(cursor, cursor.value);
                    }

                    cursor.continue();
                }
            };
        });
    }

    function told(url) {
        channel?.postMessage(url);
    }

    const storage = {
        durable: true,

        read(url) {
            return transaction('readonly', (store, done) => {
                store.get(url).onsuccess = e => done(e.target.result);
            });
        },

        async update(url, fn) {
            let failed;

            const record = await transaction('readwrite', (store, done) => {
                store.index('seq').openKeyCursor(null, 'prev').onsuccess
                    = last => {
                        const seq = 1 + (last.target.result?.key || 0);

                        store.get(url).onsuccess = e => {
                            try {
                                const made = fn(e.target.result, seq);

                                if (made) {
                                    store.put(made);

                                } else {
                                    store.delete(url);
                                }

                                done(made);

                            } catch (error) {
                                failed = error;
                                e.target.transaction.abort();
                            }
                        };
                    };
            }).catch(e => {
                throw failed || e;
            });

            told(url);

            return record;
        },

        pending() {
            return transaction('readonly', (store, done) => {
                store.index('seq').getAll().onsuccess
                    = e => done(e.target.result);
            });
        },

        exclusive: globalThis.navigator?.locks
            ? fn => navigator.locks.request(full, fn)
            : byLease(transaction),

        /* without Web Locks two tabs may ask about the same conflict */

        claim: globalThis.navigator?.locks
            ? (url, fn, wait) => navigator.locks.request(
                full + ' ' + url, { ifAvailable: !wait },
                lock => lock ? fn() : false)
            : async (url, fn) => fn(),

        evict: () => eachCached((cursor, record) =>
            cursor.update(emptied(record))),

        async clear() {
            await transaction('readwrite', store => { store.clear(); });
            told(null);
        },

        async close() {
            closed = true;
            channel?.close();
            (await opened?.catch(() => null))?.close();
        },

        watch(fn) {
            channel?.addEventListener('message', e => fn(e.data));
        },

        /* a record without an entry is only a cache */

        async trim() {
            const n = await transaction('readonly', (store, done) => {
                store.count().onsuccess = e => done(e.target.result);
            });

            if (n > CACHED) {
                await eachCached(cursor => cursor.delete());
            }
        }
    };

    return storage;
}

function openDatabase(name) {
    return new Promise((resolve, reject) => {
        const request = indexedDB.open(name, 1);
        let late = false;

        /* some browsers report neither success nor an error */

        setTimeout(() => {
            late = true;
            reject(new Error('the database does not open'));
        }, OPEN);

        request.onupgradeneeded = () => {
            const db = request.result;

            db.createObjectStore('records', { keyPath: 'url' })
              .createIndex('seq', 'entry.seq');
            db.createObjectStore('lease');
        };
        request.onsuccess = () => {
            if (late) {
                request.result.close();

            } else {
                resolve(request.result);
            }
        };
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(
            new Error('another tab blocks the database'));
    });
}

/*
 * Without Web Locks (a page that is not secure) a tab takes a lease, and
 * renews it while it sends.  After a tab was frozen for longer than a lease,
 * two tabs may send at once: they send the same bytes, and the server
 * recognizes the second write as a retry.
 */

function byLease(transaction) {
    const me = Math.random().toString(36).slice(2);
    const inTurn = queueOf();

    function take(until) {
        return transaction('readwrite', (store, done, lease) => {
            lease.get(0).onsuccess = e => {
                const now = Date.now(), held = e.target.result;

                /* more than a lease ahead: the clock was set back */

                const free = !held || held.by === me || held.until <= now
                             || held.until > now + 2 * LEASE;

                if (free) {
                    lease.put({ by: me, until: until ? now + until : 0 }, 0);
                }

                done(free);
            };
        });
    }

    return fn => inTurn(async () => {
        while (!await take(LEASE)) {
            await new Promise(resolve => setTimeout(resolve, 500));
        }

        const timer = setInterval(() => take(LEASE).catch(() => {}),
                                  LEASE / 3);

        try {
            return await fn();

        } finally {
            clearInterval(timer);
            await take(0).catch(() => {});
        }
    });
}

/* runs fn by "first", or by "second" if "first" fails to run it */

async function unless(first, fn, second) {
    let ran = false;

    try {
        return await first(() => {
            ran = true;

            return fn();
        });

    } catch (e) {
        if (ran) {
            throw e;
        }

        return second(fn);
    }
}

function edits(record) {
    return JSON.stringify([record?.entry, record?.rest]);
}

/*
 * The storage of a client: the configured one, and memory for records that it
 * does not accept (no space, private mode, a database that was deleted).
 * "problem" is called each time a record is kept in memory only, and "back"
 * when the storage, whose entries could not be read, can be read.
 */

export function guardedStorage(primary, problem, back = async () => {}) {
    const records = new Map(), memory = memoryStorage(records);
    const origins = new Map();    /* what the primary storage had then */
    const mine = queueOf();
    let timer = null, closed = false;

    /* nobody else knows that it has entries, so it is tried again */

    function unread() {
        if (!closed) {
            timer ??= setTimeout(async () => {
                timer = null;
                await primary.pending().then(back, unread);
            }, AGAIN);
            timer.unref?.();
        }

        return [];
    }

    /* a record that is removed in memory may still be in the other one */

    const kept = (url, fn) => (record, seq) =>
        fn(record, seq) ?? { url, known: null, entry: null };

    async function spill(url, fn, error) {
        let before;

        try {
            before = await primary.read(url);

        } catch {
            /* it cannot be read either */
        }

        if (!records.has(url)) {
            origins.set(url, edits(before));

            if (before) {
                records.set(url, before);
            }
        }

        const record = await memory.update(url, kept(url, fn));

        problem(error);

        return record;
    }

    /* true: others find an earlier state of its entry */

    function isBehind(url) {
        return records.has(url)
               && JSON.parse(origins.get(url) ?? '[null]')[0] !== null;
    }

    /*
     * Moves a record that is in memory only to the primary storage.  An entry
     * that another tab has written in the meantime must end first; a creation
     * that it has sent, or ended, is the same one.
     */

    async function moveBack(url, record) {
        const create = !!record.entry?.create;
        let blocked;

        await primary.update(url, r => {
            const theirs = edits(r) !== origins.get(url)
                           && (r?.entry || (create && isBehind(url)));

            blocked = theirs && record.entry && !create;

            return theirs ? r ?? null : record;
        });

        if (!blocked) {
            records.delete(url);
            origins.delete(url);
        }
    }

    /* one for which there is no room does not keep others in memory */

    async function refill(wanted) {
        for (const [url, record] of [...records]) {
            try {
                await moveBack(url, record);

            } catch (e) {
                if (url === wanted || e?.name !== FULL) {
                    throw e;
                }
            }
        }
    }

    function forget() {
        records.clear();
        origins.clear();
    }

    async function write(url, fn) {
        await refill(url);

        return records.has(url) ? memory.update(url, kept(url, fn))
                                : primary.update(url, fn);
    }

    return {
        isDurable: url => primary.durable && !records.has(url),

        isBehind,

        async read(url) {
            if (records.has(url)) {
                return memory.read(url);
            }

            return primary.read(url).catch(() => undefined);
        },

        update(url, fn) {
            return mine(async () => {
                try {
                    return await write(url, fn);

                } catch (e) {
                    if (e?.name !== FULL) {
                        return spill(url, fn, e);
                    }
                }

                try {
                    await primary.evict();

                    return await write(url, fn);

                } catch (e) {
                    return spill(url, fn, e);
                }
            });
        },

        async pending() {
            const others = await primary.pending().catch(unread);

            return [...others.filter(r => !records.has(r.url)),
                    ...await memory.pending()].sort(bySeq);
        },

        /* a storage that cannot lock has no entries of other tabs either */

        exclusive: fn => unless(work => primary.exclusive(work), fn,
                                work => memory.exclusive(work)),

        claim: (url, fn, wait) => unless(
            work => primary.claim(url, work, wait), fn, work => work()),

        clear() {
            return mine(async () => {
                forget();
                await primary.clear();
            });
        },

        trim: () => primary.trim?.().catch(() => {}),

        /* what was passed to it before is stored */

        close() {
            closed = true;
            clearTimeout(timer);

            return mine(() => primary.close());
        },

        watch: fn => primary.watch(url => {
            if (url === null) {
                forget();
            }

            fn(url);
        })
    };
}
