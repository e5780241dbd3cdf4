/* Storages: which data survive a restart, a full disk and an error. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync }
    from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { createClient, fileStorage, indexedDBStorage, memoryStorage }
    from '../node.js';
import { guardedStorage } from '../lib/storage.js';
import { device, fakeFetch, gate, tagged } from './helpers.js';

const baseUrl = 'http://api.test/';

function directory(t) {
    const dir = mkdtempSync(join(tmpdir(), 'outbox-'));

    t.after(() => rmSync(dir, { recursive: true }));

    return dir;
}

function entry(url, seq) {
    return { url, known: null, entry: { seq } };
}

for (const [name, open] of [['memory', () => memoryStorage()],
                            ['files', t => fileStorage(directory(t))]])
{
    test(`${name}: records and their order`, async t => {
        const storage = open(t);

        assert.equal(await storage.read('a'), undefined);

        for (const url of ['b', 'a', 'c']) {
            await storage.update(url, (r, seq) => entry(url, seq));
        }

        assert.deepEqual((await storage.pending()).map(r => r.url),
                         ['b', 'a', 'c']);

        await storage.update('a', r => ({ ...r, entry: null }));
        assert.deepEqual((await storage.pending()).map(r => r.url),
                         ['b', 'c']);
        assert.equal((await storage.read('a')).url, 'a');

        await storage.update('a', r => ({
            ...r, known: { version: 1, text: '{}' },
            last: { mark: 'm', state: { version: 1, text: '{}' } }
        }));
        await storage.evict();

        const { known, last } = await storage.read('a');

        assert.deepEqual([known, last], [{ version: 1, text: null }, null]);
        assert.equal((await storage.read('b')).url, 'b');

        await assert.rejects(storage.update('b', () => {
            throw new Error('no');
        }), { message: 'no' });

        await storage.clear();
        assert.deepEqual(await storage.pending(), []);
        await storage.close();
    });

    test(`${name}: concurrent updates are serialized`, async t => {
        const storage = open(t);

        await Promise.all(Array.from({ length: 50 }, () =>
            storage.update('a', r => ({ url: 'a', n: (r?.n || 0) + 1 }))));
        assert.equal((await storage.read('a')).n, 50);
        await storage.close();
    });
}

test('files: the next session has the records', async t => {
    const dir = directory(t);
    const storage = fileStorage(dir);

    await storage.update('a', (r, seq) => entry('a', seq));
    assert.throws(() => fileStorage(dir), /in use/);
    await storage.close();

    /* a process that was killed has left its pid and half a file */

    writeFileSync(join(dir, 'pid'), '999999999');
    writeFileSync(join(dir, 'x.json.new'), '{"ur');
    writeFileSync(join(dir, 'bad.json'), '{"ur');

    const warned = new Promise(resolve =>
        process.once('warning', resolve));
    const again = fileStorage(dir);

    assert.match((await warned).message, /put aside/);
    assert.equal((await again.read('a')).entry.seq, 1);
    assert.equal(readFileSync(join(dir, 'bad.json.unreadable'), 'utf8'),
                 '{"ur');
    await again.update('a', () => null);
    await again.close();
    assert.deepEqual(readdirSync(dir).filter(n => n.endsWith('.json')), []);
});

function quotaError() {
    return Object.assign(new Error('full'), { name: 'QuotaExceededError' });
}

test('no space: the cache is evicted, then memory is used', async t => {
    const records = new Map();
    let room = 3;
    const size = () => [...records.values()].filter(
        r => r.entry || r.known.text).length;
    const primary = { ...memoryStorage(records, async (url, record) => {
        if (record?.entry && !records.get(url)?.entry && size() >= room) {
            throw quotaError();
        }
    }), durable: true };
    const problems = [];
    const storage = guardedStorage(primary, e => problems.push(e.name));

    for (const url of ['a', 'b', 'c']) {
        await storage.update(url, () => ({ url, entry: null,
                                          known: { text: '1' } }));
    }

    await storage.update('d', (r, seq) => entry('d', seq));
    assert.equal(records.get('a').known.text, null, 'the cache is evicted');
    assert.equal(storage.isDurable('d'), true);
    assert.deepEqual(problems, []);

    room = 1;
    await storage.update('e', (r, seq) => entry('e', seq + 1));
    assert.equal(storage.isDurable('e'), false);
    assert.deepEqual(problems, ['QuotaExceededError']);
    assert.deepEqual((await storage.pending()).map(r => r.url), ['d', 'e']);

    /* as soon as there is room the entry is moved to the storage */

    room = 3;
    await storage.update('f', (r, seq) => entry('f', seq));
    assert.equal(storage.isDurable('e'), true);
    assert.ok(records.get('e').entry && records.get('f').entry);
});

test('an edit in memory and one of another tab: both stay', async t => {
    const records = new Map(), disk = memoryStorage(records);
    let fails = true;
    const storage = guardedStorage({
        ...disk, durable: true,
        update: (url, fn) => fails ? Promise.reject(new Error('denied'))
                                   : disk.update(url, fn)
    }, () => {});
    const save = (at, text) => at.update('a', (r, seq) => ({
        url: 'a', known: null, entry: { seq, text }
    }));

    await save(storage, 'mine');
    fails = false;
    await save(disk, 'theirs');
    await storage.update('b', (r, seq) => entry('b', seq));
    assert.equal(records.get('a').entry.text, 'theirs');
    assert.equal((await storage.read('a')).entry.text, 'mine');
    assert.equal(storage.isDurable('a'), false);

    await save(storage, 'mine too');
    assert.equal(records.get('a').entry.text, 'theirs');
    assert.equal((await storage.read('a')).entry.text, 'mine too');

    /* the other tab has sent its entry */

    await disk.update('a', r => ({ ...r, entry: null }));
    await storage.update('b', r => r);
    assert.equal(records.get('a').entry.text, 'mine too');
    assert.equal(storage.isDurable('a'), true);

    /* an edit that waits for the same entry */

    fails = true;
    await storage.update('a', r => ({ ...r, rest: ['mine'] }));
    fails = false;
    await disk.update('a', r => ({ ...r, rest: ['theirs'] }));
    await storage.update('b', r => r);
    assert.deepEqual(records.get('a').rest, ['theirs']);
    assert.deepEqual((await storage.read('a')).rest, ['mine']);
});

test('no storage: the edits are sent, and an event reports it',
     async t => {
    const broken = () => Promise.reject(new Error('denied'));
    const { fetch, requests } = fakeFetch((r, n) => n === 1
        ? [409, { ETag: '"1"' }, { error: 'version_conflict', version: 1,
                                   server_version: { n: 0 } }]
        : [204, { ETag: '"2"' }]);
    const client = device(t, { baseUrl, fetch, storage: {
        durable: true, read: broken, update: broken, pending: broken,
        exclusive: broken, claim: broken, evict: broken, clear: broken,
        close() {}, watch() {}
    }, onConflict: c => c.keepMine });

    t.mock.method(console, 'warn', () => {});
    client.pause();

    const first = await client.save('a', { n: 1 });

    assert.deepEqual([first.state, first.durable], ['queued', false]);
    assert.equal((await client.get('a')).doc.n, 1);
    assert.ok(client.seen.some(e => e.type === 'storage'
                                    && e.error.message === 'denied'));
    await client.resume();
    await client.flush();
    assert.equal(requests.length, 2, 'a conflict, and its resolution');
    assert.deepEqual(await client.entries(), []);
    assert.equal(console.warn.mock.callCount(), 1);
});

test('what a storage has is sent once it can be read', async t => {
    const timer = t.mock.method(globalThis, 'setTimeout');
    const { fetch, requests } = fakeFetch(() => [204, tagged(2)]);
    const kept = memoryStorage();
    let broken = true;
    const late = name => (...args) => broken
        ? Promise.reject(new Error('does not open')) : kept[name](...args);
    const again = async () => {
        const due = timer.mock.calls.filter(c => c.arguments[1] === 10000);

        timer.mock.resetCalls();
        await Promise.all(due.map(c => c.arguments[0]()));
    };
    const earlier = device(t, { baseUrl, fetch, storage: kept });

    earlier.pause();
    await earlier.save('a', { n: 1 });

    const client = device(t, { baseUrl, fetch, storage: {
        ...kept, durable: true, read: late('read'), update: late('update'),
        pending: late('pending'), trim: undefined
    } });

    await client.flush();
    await again();
    assert.equal(requests.length, 0);

    broken = false;
    await again();
    assert.deepEqual(requests.map(r => r.body), ['{"n":1}']);
});

test('a document changed after save() is saved as passed', async t => {
    const { fetch, requests } = fakeFetch(() => [204, { ETag: '"2"' }]);
    const client = createClient({ baseUrl, fetch, storage: memoryStorage() });
    const doc = { n: 1 };
    const saving = client.save('a', doc);

    t.after(() => client.close());
    doc.n = 2;
    await saving;
    assert.equal(requests[0].body, '{"n":1}');
    assert.throws(() => client.save('a', undefined), TypeError);
});

test('memory: as many records as there are documents', async () => {
    const records = new Map(Array.from({ length: 200000 }, (_, n) =>
        [`u${n}`, { url: `u${n}`, known: null, entry: null }]));
    const { entry: made } = await memoryStorage(records).update(
        'a', (r, seq) => entry('a', seq));

    assert.equal(made.seq, 1);
});

for (const [name, clear] of [
    ['clear()', client => client.clear()],
    ['clear() in another tab', async (client, storage, tell) => {
        await storage.clear();
        tell(null);
    }]
]) {
    test(`what is read during ${name} is not kept`, async t => {
        const reading = gate(), answer = gate();
        const { fetch } = fakeFetch(async () => {
            reading.open();
            await answer.opened;

            return [200, tagged(1), { of: 'ann' }];
        });
        let tell;
        const storage = { ...memoryStorage(), watch(fn) { tell = fn; } };
        const client = device(t, { baseUrl, fetch, storage });
        const got = client.get('a');

        await reading.opened;
        await clear(client, storage, tell);
        answer.open();
        await assert.rejects(got, { message: 'clear() was called' });
        assert.equal(await storage.read('http://api.test/a'), undefined);
    });
}

test('clear() also removes an edit that is being stored', async t => {
    const full = memoryStorage(new Map(), async (url, record) => {
        if (record?.entry) {
            throw quotaError();
        }
    });
    const client = device(t, { baseUrl, storage: full, fetch: fakeFetch(() =>
        [204, tagged(2)]).fetch });

    t.mock.method(console, 'warn', () => {});
    client.pause();

    const saved = client.save('a', { of: 'ann' });

    await client.clear();
    await saved;
    assert.deepEqual(await client.entries(), []);
});

test('after clear() another user need not be told to flush()', async t => {
    let user = null;
    const { fetch } = fakeFetch(() => user ? [204, tagged(2)] : [401]);
    const client = device(t, { baseUrl, fetch });

    await client.save('a', { of: 'ann' });
    await client.clear();
    user = 'bob';
    assert.equal((await client.save('b', { of: 'bob' })).state, 'done');
});

test('a storage whose name is not known is refused', () => {
    for (const name of [undefined, null, '', NaN, {}]) {
        assert.throws(() => indexedDBStorage(name), TypeError);
    }
});

test('close() waits for what was saved before', async t => {
    const records = new Map();
    let closed = false;
    const disk = memoryStorage(records, async () => {
        await new Promise(resolve => setTimeout(resolve, 20));

        if (closed) {
            throw new Error('the storage is closed');
        }
    });
    const client = createClient({ baseUrl, storage: {
        ...disk, durable: true, close: async () => { closed = true; }
    } });

    client.pause();

    const saves = ['a', 'b', 'c'].map(path => client.save(path, { n: 1 }));

    await client.close();
    assert.deepEqual((await Promise.all(saves)).map(s => s.durable),
                     [true, true, true]);
    assert.equal([...records.values()].filter(r => r.entry).length, 3);
});

test('an edit for which there is no room keeps no other one in memory',
     async () => {
    const primary = { ...memoryStorage(new Map(), async (url, record) => {
        if (JSON.stringify(record).length > 1000) {
            throw quotaError();
        }
    }), durable: true };
    const problems = [];
    const storage = guardedStorage(primary, e => problems.push(e.name));
    const edit = (url, text) => storage.update(url, (r, seq) => ({
        url, known: null, entry: { seq, text }
    }));

    await edit('large', 'x'.repeat(2000));
    await edit('small', 'x');
    assert.deepEqual([storage.isDurable('large'), storage.isDurable('small')],
                     [false, true]);
    assert.deepEqual(problems, ['QuotaExceededError']);

    /* the next one finds that there is room again */

    await edit('large', 'x');
    await edit('small', 'y');
    assert.equal(storage.isDurable('large'), true);
});

test('a browser that denies messages between tabs', t => {
    const { BroadcastChannel } = globalThis;

    t.after(() => { globalThis.BroadcastChannel = BroadcastChannel; });
    globalThis.BroadcastChannel = function () {
        throw new DOMException('denied', 'SecurityError');
    };
    assert.equal(indexedDBStorage('denied').durable, true);
});
