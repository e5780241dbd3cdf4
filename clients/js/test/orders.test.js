/*
 * Creations through nginx with conflict_idempotency: the API carries out each
 * of them once, whatever is lost on the way.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as nodeTest } from 'node:test';
import { fileURLToPath } from 'node:url';

import { fileStorage } from '../node.js';
import { control, device, event, fresh, journal, networkError, url }
    from './helpers.js';

const test = (name, fn) => nodeTest(name, { skip: !url && 'no nginx' }, fn);

/* until nothing is left but what the application decides */

async function settled(client) {
    while ((await client.entries()).some(e => e.state !== 'parked')) {
        await client.flush();
        await new Promise(resolve => setTimeout(resolve, 20));
    }
}

/* a device whose first "lost" responses do not arrive */

function shaky(t, { lost = 0, script = () => 'apply', ...options } = {}) {
    const sent = [];
    const client = device(t, {
        idempotent: true, maxWait: 300,
        headers: () => ({ 'X-User': 'ann', 'X-Up-Write': script() }),

        async fetch(target, init) {
            sent.push({ method: init.method, body: init.body,
                        key: init.headers['idempotency-key'] });

            const response = await fetch(target, init);

            if (init.method === 'POST' && lost-- > 0) {
                throw networkError();
            }

            return response;
        },

        ...options
    });

    return { client, sent };
}

function directory(t) {
    const dir = mkdtempSync(join(tmpdir(), 'outbox-'));

    t.after(() => rmSync(dir, { recursive: true }));

    return dir;
}

const posts = async path => (await journal(path)).filter(
    w => w.method === 'POST');

test('a creation, and an edit of what it has made', async t => {
    const path = fresh('/orders');
    const { client } = shaky(t, {
        script: () => 'apply header=Location:' + path
    });
    const made = await client.create(path, { n: 1 });

    assert.deepEqual([made.state, made.location, made.doc],
                     ['done', url + path, { n: 1 }]);

    const saved = await client.save(made.location, { n: 2 });

    assert.deepEqual([saved.state, saved.doc], ['done', { n: 2 }]);
    assert.deepEqual((await journal(path)).map(w => [w.method, w.doc.n]),
                     [['POST', 1], ['PUT', 2]]);
});

test('a lost response: the same request again, and one order', async t => {
    const path = fresh('/orders');
    const { client, sent } = shaky(t, { lost: 2 });

    assert.equal((await client.create(path, { n: 1 })).state, 'unknown');

    const saved = await event(client, 'saved');

    assert.deepEqual([saved.outcome, saved.doc], ['replayed', { n: 1 }]);
    assert.equal(sent.length, 3);
    assert.equal(new Set(sent.map(r => r.key)).size, 1);
    assert.equal((await posts(path)).length, 1);
    assert.deepEqual(await client.entries(), []);
});

test('a lost response, and another session', async t => {
    const path = fresh('/orders');
    const dir = directory(t);
    const { client, sent } = shaky(t, { lost: 1, maxWait: 60000,
                                        storage: fileStorage(dir) });

    assert.equal((await client.create(path, { n: 1 })).state, 'unknown');
    await client.close();

    const next = shaky(t, { storage: fileStorage(dir) });

    assert.equal((await event(next.client, 'saved')).outcome, 'replayed');
    assert.deepEqual(next.sent, sent);
    assert.equal((await posts(path)).length, 1);
});

test('a process that is killed after the response', async t => {
    const path = fresh('/orders');
    const dir = directory(t);
    const child = spawnSync(process.execPath, [
        fileURLToPath(new URL('dies.js', import.meta.url)), url, dir, path,
        'create'
    ], { encoding: 'utf8' });

    assert.equal(child.signal, 'SIGKILL', child.stderr);

    const { client } = shaky(t, { storage: fileStorage(dir), headers: {} });

    assert.equal((await event(client, 'saved')).outcome, 'replayed');
    assert.equal((await posts(path)).length, 1);
});

test('two creations in order, the first one with a lost response',
     async t => {
    const path = fresh('/orders');
    const { client } = shaky(t, { lost: 1 });

    client.pause();
    await client.create(path, { n: 1 });
    await client.create(path, { n: 2 });
    await client.create(path, { n: 2 });
    await client.resume();
    await settled(client);

    /* equal documents are two creations */

    assert.deepEqual((await posts(path)).map(w => w.doc.n), [1, 2, 2]);
});

test('a request that is still at the API', async t => {
    const path = fresh('/orders');
    const before = await control('/_begun?n=0');
    let n = 0, first;
    const { client } = shaky(t, {
        script: () => 'hold apply',

        async fetch(target, init) {
            if (++n > 1) {
                return fetch(target, init);
            }

            first = fetch(target, init);
            await control('/_begun?n=' + (before + 1));

            throw networkError();
        }
    });

    await client.create(path, { n: 1 });
    await event(client, 'state',
                e => e.reason?.error === 'request_in_progress');
    assert.equal((await client.entries())[0].state, 'unknown');
    await control('/_release');
    assert.equal((await event(client, 'saved')).outcome, 'replayed');
    assert.ok((await first).ok);
    assert.equal((await posts(path)).length, 1);
});

test('a PUT that is still at the API, or was done with another token',
     async t => {
    for (const token of [undefined, 'two']) {
        const path = fresh('/orders');
        const before = await control('/_begun?n=0');
        let n = 0, first;
        const { client } = shaky(t, {
            headers: () => ({
                'X-User': 'ann', 'X-Up-Write': n ? 'apply' : 'hold apply',
                Authorization: 'Bearer ' + (n && token || 'one')
            }),

            async fetch(target, init) {
                if (++n > 1) {
                    return fetch(target, init);
                }

                first = fetch(target, init);
                await control('/_begun?n=' + (before + 1));

                if (token) {
                    await control('/_release');
                    await first;
                }

                throw networkError();
            }
        });

        await client.save(path, { n: 1 }, { version: null });

        if (!token) {
            await event(client, 'state',
                        e => e.reason?.error === 'request_in_progress');
            await control('/_release');
        }

        await event(client, 'saved');
        assert.deepEqual(await client.entries(), []);
        assert.ok((await first).ok);
        assert.equal((await journal(path)).length, 1);
        assert.equal(client.seen.some(e => e.state === 'parked'), false);
    }
});

test('an API that does not answer: the application decides', async t => {
    for (const script of ['close', 'apply close']) {
        const path = fresh('/orders');
        let now = script;
        const { client, sent } = shaky(t, { script: () => now });
        const { id } = await client.create(path, { n: 1 });

        now = 'apply';

        const parked = await event(client, 'parked');

        assert.deepEqual([parked.id, parked.reason.kind, parked.reason.error],
                         [id, 'unknown', 'request_outcome_unknown']);
        await client.flush();
        assert.equal(sent.length, 2, 'it is not sent again');

        /* as the application finds it */

        if (script === 'close') {
            assert.equal((await posts(path)).length, 0);
            assert.equal((await client.retry(id)).state, 'done');

        } else {
            await client.discard(id);
        }

        assert.equal((await posts(path)).length, 1);
        assert.deepEqual(await client.entries(), []);
    }
});

test('a response that is too large to be kept', async t => {
    const path = fresh('/orders');
    const { client } = shaky(t, { lost: 1,
                                  script: () => 'apply body=5000' });

    await client.create(path, { n: 1 });

    const saved = await event(client, 'saved');

    assert.deepEqual([saved.doc, saved.location], [{ n: 1 }, null]);
    assert.equal((await posts(path)).length, 1);
});

test('another token after a lost response', async t => {
    const path = fresh('/orders');
    let token = 'one';
    const { client } = shaky(t, { lost: 1, headers: () => ({
        'X-User': 'ann', Authorization: 'Bearer ' + token
    }) });

    await client.create(path, { n: 1 });
    token = 'two';

    const { reason } = await event(client, 'parked');

    assert.deepEqual([reason.kind, reason.error],
                     ['unknown', 'idempotency_key_reused']);
    assert.equal((await posts(path)).length, 1);
});

test('refusals of the API, and of nginx', async t => {
    const paths = [fresh('/orders'), fresh('/orders')];
    let script = 'status=422';
    const { client } = shaky(t, { script: () => script });
    const one = await client.create(paths[0], { n: 1 });

    script = 'apply';

    const two = await client.create(paths[1], { n: 'x'.repeat(5000) });

    assert.deepEqual([one, two].map(e => [e.state, e.reason.status]),
                     [['parked', 422], ['parked', 413]]);
    assert.equal((await client.retry(one.id)).state, 'done');
    assert.equal((await posts(paths[0])).length, 1);
    assert.equal((await posts(paths[1])).length, 0);
});

test('a refusal that is kept: another attempt has another key', async t => {
    const path = fresh('/orders');
    let script = 'status=402';
    const { client, sent } = shaky(t, { script: () => script });
    const { id, state } = await client.create(path, { n: 1 });

    script = 'apply';
    assert.equal(state, 'parked');
    assert.equal((await client.retry(id)).state, 'done');
    assert.notEqual(sent[1].key, sent[0].key);
    assert.equal((await posts(path)).length, 1);
});

test('a login that has expired', async t => {
    const path = fresh('/paid');
    let headers = {};
    const { client } = shaky(t, { headers: () => headers });

    assert.equal((await client.create(path, { n: 1 })).state, 'queued');
    await event(client, 'unauthorized');
    await client.create(path, { n: 2 });
    headers = { Authorization: 'Basic ' + btoa('ann:secret') };
    await client.flush();
    assert.deepEqual(await client.entries(), []);
    assert.deepEqual((await posts(path)).map(w => w.doc.n), [1, 2]);
});

/* an API that fails in many ways: each order is there once, or not at all */

test('no order is carried out twice', async t => {
    const path = fresh('/orders');
    const faults = ['apply', 'apply close', 'apply reset', 'apply status=500',
                    'status=503', 'close', 'status=429'];
    let calm = false, n = 0;
    const { client } = shaky(t, {
        maxWait: 50, script: () => calm ? 'apply' : faults[n++ % 7],

        async fetch(target, init) {
            const response = await fetch(target, init);

            if (!calm && n % 3 === 0) {
                throw networkError();
            }

            return response;
        }
    });

    client.pause();

    for (let i = 0; i < 14; i++) {
        await client.create(path, { i });
    }

    await client.resume();
    await client.flush();
    calm = true;

    await settled(client);

    const left = (await client.entries()).map(e => {
        assert.equal(e.reason.error, 'request_outcome_unknown');
        return e.doc.i;
    });
    const done = (await posts(path)).map(w => w.doc.i);

    assert.equal(new Set(done).size, done.length, done.join());

    for (let i = 0; i < 14; i++) {
        assert.ok(done.includes(i) || left.includes(i), `${i} is lost`);
    }
});
