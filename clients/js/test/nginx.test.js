/* Devices that write through nginx with the module, to an API behind it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as nodeTest } from 'node:test';
import { fileURLToPath } from 'node:url';

import { fileStorage, keepMine, keepTheirs, later, LockedError, merge }
    from '../node.js';
import { api, control, device, event, fresh, journal, url }
    from './helpers.js';

const test = (name, fn) => nodeTest(name, { skip: !url && 'no nginx' }, fn);

/* a document that two devices have read */

async function shared(t, location, doc, options = {}) {
    const path = fresh(location);
    const a = device(t, { device: 'phone', ...options });
    const b = device(t, { device: 'laptop', ...options, ...options.b });

    await device(t).save(path, doc);
    await a.get(path);
    await b.get(path);

    return { path, a, b };
}

test('a document is created, edited and read', async t => {
    const path = fresh('/version');
    const a = device(t);

    assert.deepEqual((await a.get(path)).doc, null);

    const first = await a.save(path, { text: 'milk' });

    assert.equal(first.state, 'done');
    assert.equal(typeof first.version, 'number');

    const second = await a.save(path, { text: 'milk, eggs' });

    assert.equal(second.state, 'done');
    assert.ok(second.version > first.version);

    const writes = await journal(path);

    assert.deepEqual(writes.map(w => w.doc.text), ['milk', 'milk, eggs']);

    const seen = await device(t).get(path);

    assert.deepEqual(seen.doc, { text: 'milk, eggs' });
    assert.equal(seen.version, second.version);
});

test('writes to a route that requires a base version', async t => {
    const path = fresh('/strict');
    const a = device(t);

    for (const text of ['a', 'b', 'c']) {
        assert.equal((await a.save(path, { text })).state, 'done');
    }

    assert.equal((await a.remove(path)).state, 'done');
    assert.equal((await a.save(path, { text: 'd' })).state, 'done');
});

test('two devices: keep mine', async t => {
    const asked = [];
    const { path, a, b } = await shared(t, '/version', { text: 'a' }, { b: {
        onConflict: c => { asked.push(c); return keepMine; }
    } });

    const one = await a.save(path, { text: 'phone' });
    const two = await b.save(path, { text: 'laptop' });

    assert.equal(two.state, 'done');
    assert.equal(asked.length, 1);

    const [c] = asked;

    assert.deepEqual([c.base, c.local, c.server],
                     [{ text: 'a' }, { text: 'laptop' }, { text: 'phone' }]);
    assert.equal(c.versions.server, one.version);
    assert.ok(c.versions.base < one.version);
    assert.deepEqual(c.conflicts.map(f => f.field), ['/text']);
    assert.equal(c.deleted, false);
    assert.deepEqual((await journal(path)).at(-1).doc, { text: 'laptop' });
});

test('two devices: keep theirs', async t => {
    const { path, a, b } = await shared(t, '/version', { text: 'a' },
                                        { b: { onConflict: () => keepTheirs }
                                        });

    await a.save(path, { text: 'phone' });

    const two = await b.save(path, { text: 'laptop' });

    assert.deepEqual([two.state, two.doc], ['done', { text: 'phone' }]);
    assert.equal((await journal(path)).length, 2);
});

test('two devices: a merged document', async t => {
    const { path, a, b } = await shared(t, '/version',
        { title: 'a', tags: ['x'] },
        { rules: { '/tags': 'union' },
          b: { onConflict: c => c.clean ? c.merged : later } });

    await a.save(path, { title: 'A', tags: ['x', 'phone'] });

    const two = await b.save(path, { title: 'a', tags: ['x', 'laptop'] });

    assert.equal(two.state, 'done');
    assert.deepEqual((await journal(path)).at(-1).doc,
                     { title: 'A', tags: ['x', 'phone', 'laptop'] });
});

test('two devices: later, and then resolved', async t => {
    const { path, a, b } = await shared(t, '/version', { text: 'a' });

    await a.save(path, { text: 'phone' });

    const two = await b.save(path, { text: 'laptop' });

    assert.equal(two.state, 'conflict');
    assert.equal((await b.get(path)).doc.text, 'laptop', 'the local edit');

    await b.save(path, { text: 'laptop, again' });

    const c = await b.conflict(path);

    assert.deepEqual([c.base.text, c.local.text, c.server.text],
                     ['a', 'laptop, again', 'phone']);
    assert.equal((await journal(path)).length, 2, 'nothing was sent');

    const done = await b.resolve(path, { text: 'both' });

    assert.equal(done.state, 'done');
    assert.equal((await journal(path)).at(-1).doc.text, 'both');
    assert.equal(await b.conflict(path), null);
});

test('both devices create the document', async t => {
    const path = fresh('/version');
    const a = device(t), b = device(t);

    await a.save(path, { text: 'phone' });

    const two = await b.save(path, { text: 'laptop' });

    assert.equal(two.state, 'conflict');
    assert.equal((await b.conflict(path)).base, null);

    const same = fresh('/version');

    await a.save(same, { text: 'equal' });
    assert.equal((await b.save(same, { text: 'equal' })).state, 'done',
                 'equal documents are no conflict');
});

test('one device deletes the document', async t => {
    const asked = [];
    const { path, a, b } = await shared(t, '/version', { text: 'a' }, { b: {
        onConflict: c => { asked.push(c); return keepMine; }
    } });

    assert.equal((await a.remove(path)).state, 'done');
    assert.equal((await b.save(path, { text: 'b' })).state, 'done');
    assert.deepEqual([asked[0].deleted, asked[0].server], [true, null]);
    assert.deepEqual((await journal(path)).map(w => w.method),
                     ['PUT', 'DELETE', 'PUT']);

    assert.equal((await b.remove(path)).state, 'done');
    assert.equal((await b.remove(path)).state, 'done', 'twice');

    /* a edits, b deletes */

    const other = await shared(t, '/version', { text: 'a' });

    await other.a.save(other.path, { text: 'b' });
    assert.equal((await other.b.remove(other.path)).state, 'conflict');

    const c = await other.b.conflict(other.path);

    assert.deepEqual([c.removed, c.local, c.server.text], [true, null, 'b']);
    assert.equal((await other.b.resolve(other.path, keepMine)).state, 'done');
    assert.equal((await journal(other.path)).at(-1).method, 'DELETE');

    /* both delete */

    const both = await shared(t, '/version', { text: 'a' });

    await both.a.remove(both.path);
    assert.equal((await both.b.remove(both.path)).state, 'done');
});

test('offline: edits of a resource are joined, resources keep their order',
     async t => {
    const paths = [1, 2, 3].map(() => fresh('/version'));
    const a = device(t);

    await a.save(paths[1], { n: 0 });
    a.pause();

    assert.equal((await a.save(paths[2], { n: 1 })).state, 'queued');

    for (let n = 1; n <= 3; n++) {
        await a.save(paths[1], { n });
    }

    await a.save(paths[0], { n: 1 });
    await a.save(paths[2], { n: 2 });

    assert.deepEqual((await a.get(paths[2])).doc, { n: 2 });
    assert.deepEqual((await a.entries()).map(e => e.state),
                     ['queued', 'queued', 'queued']);

    await a.resume();
    assert.deepEqual(await a.entries(), []);

    const all = await control('/_journal');
    const mine = all.filter(w => paths.some(
        p => w.path === '/plain' + p.replace('/version/', '/version-')));

    assert.deepEqual(mine.slice(1).map(w => JSON.parse(w.body).n), [2, 3, 1]);
    assert.ok(mine[1].path.endsWith(paths[2].split('/')[2]));
    assert.ok(mine[3].path.endsWith(paths[0].split('/')[2]));

    /* created and removed before it was sent */

    const never = fresh('/version');

    a.pause();
    await a.save(never, { n: 1 });
    await a.remove(never);
    assert.deepEqual(await a.entries(), []);
});

for (const location of ['/version', '/merge', '/lww']) {
    test(`${location}: edits while a write is in flight form a chain`,
         async t => {
        const path = fresh(location);
        let script = 'apply';
        const a = device(t, { headers: () => ({ 'X-Up-Write': script }) });

        await a.save(path, { n: 0, text: '' });

        const before = (await control('/_begun?n=0'));

        script = 'hold apply';

        const saves = [a.save(path, { n: 1, text: '' })];

        await control('/_begun?n=' + (before + 1));
        script = 'apply';
        saves.push(a.save(path, { n: 2, text: '' }));
        saves.push(a.save(path, { n: 3, text: '' }));
        await new Promise(resolve => setTimeout(resolve, 50));
        await control('/_release');

        for (const save of await Promise.all(saves)) {
            assert.equal(save.state, 'done');
        }

        const writes = await journal(path);

        assert.deepEqual(writes.map(w => w.doc.n), [0, 1, 3]);
        assert.match(writes[1].headers['conflict-chain'],
                     /^"\w{24}";base=\d+;n=1$/);
        assert.match(writes[2].headers['conflict-chain'], /;n=2$/);
        assert.equal(writes[2].headers['conflict-chain'].split(';n=')[0],
                     writes[1].headers['conflict-chain'].split(';n=')[0]);
    });
}

/* a retry is recognized if the device has read the document before */

for (const read of [true, false]) {
    test(`a lost response, document ${read ? '' : 'not '}read before`,
         async t => {
        const path = fresh('/version');
        let script = 'apply';
        const a = device(t, { headers: () => ({ 'X-Up-Write': script }) });

        await a.save(path, { n: 0 });

        if (read) {
            await a.get(path);
        }

        script = 'apply close';

        const first = await a.save(path, { n: 1 });

        assert.equal(first.state, 'unknown');
        assert.ok(first.retryAt > Date.now());
        script = 'apply';

        /* an edit is not joined with a link that may have been written */

        await a.save(path, { n: 2 });
        await event(a, 'saved', e => e.doc?.n === 2 && !e.state);
        assert.deepEqual((await journal(path)).map(w => w.doc.n), [0, 1, 2]);
        assert.ok(!a.seen.some(e => e.type === 'conflict'));
        assert.equal(a.seen.some(e => e.outcome === 'replayed'), read);
    });
}

test('a process is killed after a response, before it is stored', async t => {
    const path = fresh('/version');
    const dir = mkdtempSync(join(tmpdir(), 'outbox-'));

    t.after(() => rmSync(dir, { recursive: true }));

    const child = spawnSync(process.execPath, [
        fileURLToPath(new URL('dies.js', import.meta.url)), url, dir, path
    ], { encoding: 'utf8' });

    assert.equal(child.signal, 'SIGKILL', child.stderr);
    assert.deepEqual((await journal(path)).map(w => w.doc.n), [1, 2]);

    const a = device(t, { storage: fileStorage(dir) });

    await event(a, 'saved', e => e.outcome === 'replayed');
    assert.deepEqual(await a.entries(), []);
    assert.deepEqual((await journal(path)).map(w => w.doc.n), [1, 2]);
    assert.deepEqual((await a.get(path)).doc, { n: 2 });
    assert.equal((await a.save(path, { n: 3 })).state, 'done');
});

test('merge: the server merges, the client reads the result', async t => {
    const { path, a, b } = await shared(t, '/bodymerge',
        { title: 'a', text: 'a' }, { member: 'base_version' });

    await a.save(path, { title: 'A', text: 'a' });

    const two = await b.save(path, { title: 'a', text: 'B' });

    assert.equal(two.state, 'done');
    assert.deepEqual(two.doc, { title: 'A', text: 'B' });

    /* further writes are based on the result */

    assert.equal((await b.save(path, { title: 'A', text: 'C' })).state,
                 'done');
    assert.equal((await a.save(path, { title: 'X', text: 'D' })).state,
                 'conflict', 'but not with a clash');

    const c = await a.conflict(path);

    assert.deepEqual(c.conflicts.map(f => [f.field, f.server, f.client]),
                     [['/text', 'C', 'D']]);
});

test('merge: another client writes after a link', async t => {
    let puts = 0;
    const { path, a, b } = await shared(t, '/bodymerge', { x: 0, y: 0 }, {
        member: 'base_version', b: { headers: {} },

        async headers(target, { method }) {
            if (method === 'PUT' && ++puts === 1) {
                a.save(path, { x: 2, y: 0 });
                await event(a, 'state', e => e.doc?.x === 2);
            }

            if (method === 'PUT' && puts === 2) {
                assert.equal((await b.save(path, { x: 0, y: 1 })).state,
                             'done');
            }

            return {};
        }
    });

    await a.save(path, { x: 1, y: 0 });
    assert.deepEqual((await a.get(path)).doc, { x: 2, y: 1 });
    assert.equal(a.seen.findLast(e => e.type === 'saved').outcome, 'merged');
    assert.ok(!a.seen.some(e => e.type === 'conflict'));
});

test('base_version in the body', async t => {
    const { path, a, b } = await shared(t, '/body', { text: 'a' },
                                        { member: 'base_version' });

    assert.equal((await a.save(path, { text: 'phone' })).state, 'done');
    assert.equal((await b.save(path, { text: 'laptop' })).state, 'conflict');
    assert.deepEqual((await journal(path)).map(w => w.doc),
                     [{ text: 'a' }, { text: 'phone' }],
                     'the member is stripped');
    assert.equal((await b.resolve(path, keepMine)).state, 'done');
    assert.equal((await b.remove(path)).state, 'done');
});

test('versions of the API\'s own, in the document', async t => {
    const { path, a, b } = await shared(t, '/own', { text: 'a' },
                                        { member: 'version' });

    assert.deepEqual((await a.get(path)).doc, { text: 'a' },
                     'the client removes the member');
    assert.equal((await a.save(path, { text: 'phone' })).state, 'done');
    assert.equal((await a.save(path, { text: 'phone 2' })).state, 'done');
    assert.equal((await b.save(path, { text: 'laptop' })).state, 'conflict');
    assert.equal((await b.conflict(path)).server.text, 'phone 2');
    assert.equal((await b.resolve(path, keepMine)).state, 'done');
});

for (const location of ['/version', '/own', '/etag']) {
    test(`${location}: the same bytes from two devices are two writes`,
         async t => {
        const member = location === '/own' ? 'version' : null;
        const onConflict = c => c.merged;
        const rules = { '/n': 'sum' };
        const { path, a, b } = await shared(t, location, { n: 0 },
                                            { member, onConflict, rules });

        await Promise.all([a, b].map(c => c.save(path, { n: 1 })));
        assert.deepEqual((await device(t, { member }).get(path)).doc,
                         { n: 2 });
    });
}

test('tags of the API\'s own', async t => {
    const { path, a, b } = await shared(t, '/etag', { text: 'a' });

    assert.equal((await a.save(path, { text: 'phone' })).state, 'done');
    assert.equal((await a.save(path, { text: 'phone 2' })).state, 'done');
    assert.equal((await b.save(path, { text: 'laptop' })).state, 'conflict');
    assert.equal((await b.conflict(path)).server.text, 'phone 2');
    assert.equal((await b.resolve(path, keepMine)).state, 'done');
    assert.equal((await journal(path)).at(-1).doc.text, 'laptop');
});

test('without nginx: the API\'s own 412', async t => {
    const path = '/etag/direct' + process.pid;
    const a = device(t, { baseUrl: api }), b = device(t, { baseUrl: api });

    await a.save(path, { text: 'a' });
    await b.get(path);
    await a.save(path, { text: 'b' });

    const two = await b.save(path, { text: 'c' });

    assert.equal(two.state, 'conflict');
    assert.equal((await b.conflict(path)).server.text, 'b');
    assert.equal((await b.resolve(path, keepMine)).state, 'done');
});

test('server_wins: a dropped edit is kept on the device', async t => {
    const { path, a, b } = await shared(t, '/wins', { text: 'a' });

    await a.save(path, { text: 'phone' });

    const two = await b.save(path, { text: 'laptop' });

    assert.deepEqual([two.state, two.reason.kind, two.doc.text],
                     ['parked', 'dropped', 'laptop']);

    const gone = await b.discard(path);

    assert.equal(gone.doc.text, 'laptop');
    assert.equal((await b.get(path)).doc.text, 'phone');
    assert.equal((await b.save(path, { text: 'next' })).state, 'done');
});

test('lww by edit time: the later edit stays, though it arrives first',
     async t => {
    const { path, a, b } = await shared(t, '/edited', { text: 'a' },
                                        { edited: 'X-Edited-At' });
    const later = async () => {
        const now = Date.now();

        while (Date.now() < now + 5) {
            await new Promise(resolve => setTimeout(resolve, 1));
        }
    };

    await later();
    a.pause();
    await a.save(path, { text: 'phone' });
    await later();
    assert.equal((await b.save(path, { text: 'laptop' })).state, 'done');
    await a.resume();

    const [left] = await a.entries();

    assert.deepEqual([left.state, left.reason.kind], ['parked', 'dropped']);
    assert.equal((await b.get(path)).doc.text, 'laptop');

    /* an edit made after that */

    await a.discard(path);
    await later();
    assert.equal((await a.save(path, { text: 'next' })).state, 'done');
});

test('a permanent refusal is parked, and the others are sent', async t => {
    const paths = [fresh('/small'), fresh('/small'), fresh('/small')];
    const a = device(t);

    a.pause();
    await a.save(paths[0], { n: 1 });
    await a.save(paths[1], { n: 'x'.repeat(2000) });
    await a.save(paths[2], { n: 3 });
    await a.resume();

    const left = await a.entries();

    assert.deepEqual(left.map(e => [e.state, e.reason.status]),
                     [['parked', 413]]);
    assert.equal((await journal(paths[2])).length, 1);
    assert.equal((await event(a, 'parked')).doc.n.length, 2000);

    assert.equal((await a.retry(paths[1])).state, 'parked');
    assert.equal((await a.save(paths[1], { n: 'y' })).state, 'done');
});

test('a login that has expired', async t => {
    const path = fresh('/auth');
    let headers = {};
    const a = device(t, { headers: () => headers });

    assert.equal((await a.save(path, { n: 1 })).state, 'queued');
    await event(a, 'unauthorized');
    await a.save(path, { n: 2 });

    headers = { Authorization: 'Basic ' + btoa('ann:secret') };
    await a.flush();
    assert.deepEqual(await a.entries(), []);
    assert.deepEqual((await journal(path)).map(w => w.doc.n), [2]);
});

test('a lock', async t => {
    const { path, a, b } = await shared(t, '/version', { n: 0 });
    const lock = await a.lock(path);

    assert.equal(lock.held, true);
    assert.equal(lock.version, (await a.get(path)).version);
    await assert.rejects(b.lock(path), e => e instanceof LockedError
                                            && e.holder.client === 'phone');

    assert.equal((await a.save(path, { n: 1 })).state, 'done');

    const other = await b.save(path, { n: 2 });

    assert.deepEqual([other.state, other.reason.error, other.reason.lock
                      .client], ['queued', 'locked', 'phone']);

    /* after touch() it is renewed and outlasts its idle time */

    const since = Date.now();

    while (Date.now() < since + 5000) {
        lock.touch();
        await new Promise(resolve => setTimeout(resolve, 250));
    }

    assert.equal(lock.held, true);
    await assert.rejects(b.lock(path), LockedError);

    /* a renewal in flight does not acquire it again */

    lock.renew();
    await lock.release();
    assert.equal(lock.held, false);

    const mine = await b.lock(path);

    await b.flush();
    assert.equal((await b.conflict(path)).server.n, 1);
    await mine.release();
});

test('a lock is handed over to the one that waits', async t => {
    const { path, a, b } = await shared(t, '/version', { n: 0 });
    const third = device(t, { device: 'tablet' });
    const seen = [];
    const lock = await a.lock(path, { onWaiting: w => seen.push(w) });

    assert.deepEqual([lock.waiting, seen], [[], []]);
    await assert.rejects(b.lock(path), LockedError);
    await lock.show();
    assert.equal(seen.length, 1);
    assert.equal(seen[0].length, 1);
    assert.equal(typeof seen[0][0].since, 'string');

    await lock.renew();
    await lock.show();
    assert.equal(seen.length, 1);               /* nothing new */

    assert.equal(await lock.handOver(), true);
    assert.equal(lock.held, false);
    await assert.rejects(third.lock(path), e => e instanceof LockedError
                                                && e.holder.reserved);

    const mine = await b.lock(path);

    assert.equal(mine.waiting.length, 1);       /* the third one */
    await mine.release();

    assert.equal(await (await b.lock(path)).handOver(), false);
});

test('an idle lock expires, and a lock that was taken is reported',
     async t => {
    const path = fresh('/version');
    const a = device(t, { device: 'phone', headers: { 'X-User': 'ann' } });
    const b = device(t, { device: 'laptop', headers: { 'X-User': 'ann' } });

    await a.save(path, { n: 0 });

    const lost = [];
    const lock = await a.lock(path, { onLost: e => lost.push(e) });

    await b.lock(path);                    /* the same user, another device */
    lock.touch();
    assert.equal(await lock.renew(), false);
    assert.equal(lost[0].why, 'taken');

    const idle = fresh('/version');
    const alive = setInterval(() => {}, 1000);

    t.after(() => clearInterval(alive));

    await a.save(idle, { n: 0 });
    await a.lock(idle);
    assert.equal((await event(a, 'lock', e => e.state === 'lost'
                                              && e.why === 'expired')).url,
                 url + idle);
    await (await b.lock(idle)).release();
});

test('client and server merge alike', async t => {
    const rules = { '/tags': 'union', '/n': 'sum' };
    const base = { tags: ['a', 'b'], n: 10, text: 'x', o: { p: 1, q: 1 } };
    const one = { tags: ['a', 'c'], n: 12, text: 'x', o: { p: 2, q: 1 } };
    const two = { tags: ['a', 'b', 'd'], n: 11, text: 'y', o: { p: 1, q: 3 } };
    const path = fresh('/merge');
    const write = (doc, version) => fetch(url + path, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json',
                   Accept: 'application/json', 'X-Client': 'x' },
        body: JSON.stringify({ ...doc, base_version: version })
    });

    await device(t).save(path, base);

    const version = (await device(t).get(path)).version;

    assert.equal((await write(one, version)).status, 204);
    assert.match((await write(two, version)).headers.get('conflict'),
                 /^merged/);

    const { base_version: _, ...doc } = (await journal(path)).at(-1).doc;

    assert.deepEqual(merge({ base, server: one, local: two, rules }).doc,
                     doc);
});

/*
 * Three devices add to the same document while the API fails in many ways: at
 * the end the document has all additions.
 */

for (const [location, member] of [['/version', null], ['/own', 'version'],
                                  ['/bodymerge', 'base_version'],
                                  ['/etag', null]])
{
    test(`${location}: no addition of three devices is lost`, async t => {
        const path = fresh(location);
        const faults = ['apply', 'apply', 'apply', 'apply', 'apply close',
                        'close', 'apply status=500', 'status=500',
                        'status=503', 'apply reset'];
        let calm = false;

        await device(t, { member }).save(path, { tags: [] });

        const devices = ['phone', 'laptop', 'desktop'].map(name => device(t, {
            device: name, member, maxWait: 700, rules: { '/tags': 'union' },
            onConflict: c => c.merged,
            headers: () => ({
                'X-User': name,
                'X-Up-Write': calm ? 'apply' : faults[Math.floor(
                    Math.random() * faults.length)]
            })
        }));
        const added = [];

        await Promise.all(devices.map(async (one, i) => {
            for (let n = 0; n < 6; n++) {
                const { doc } = await one.get(path);
                const tag = `${i}-${n}`;

                added.push(tag);
                await one.save(path, { ...doc, tags: [...doc.tags, tag] });
            }
        }));

        calm = true;

        for (const one of devices) {
            while ((await one.entries()).length > 0) {
                for (const e of await one.entries()) {
                    assert.ok(!['parked', 'conflict'].includes(e.state),
                              JSON.stringify(e));
                }

                await one.flush();
                await new Promise(resolve => setTimeout(resolve, 100));
            }
        }

        const { doc } = await device(t, { member }).get(path);

        assert.deepEqual([...doc.tags].sort(), added.sort());
    });
}
