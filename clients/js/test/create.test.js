/*
 * Creations with an API in the process: which are sent again, in which order,
 * and which wait for the application.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { memoryStorage } from '../node.js';
import { baseUrl, device, event, fakeFetch, gate, networkError, tagged }
    from './helpers.js';

/* a client, and what it sends */

function creator(t, answer, options = {}) {
    const api = fakeFetch(answer);

    return { ...api, client: device(t, { baseUrl, fetch: api.fetch,
                                         idempotent: true, ...options }) };
}

const created = (n, doc = null, headers = {}) =>
    [201, { Location: `/api/notes/${n}`, ...headers }, doc];

test('what was created is the base of the next edit', async t => {
    const { client, requests } = creator(t, ({ method }) =>
        method === 'POST' ? created(7, { id: 7, n: 1 }, { ETag: '"x"' })
        : method === 'GET' ? [200, tagged(3), { id: 7, n: 1 }]
        : [204, tagged(4)]);
    const made = await client.create('notes', { n: 1 });

    assert.deepEqual([made.state, made.url, made.location, made.doc,
                      made.version],
                     ['done', baseUrl + 'notes', baseUrl + 'notes/7',
                      { id: 7, n: 1 }, null]);
    assert.deepEqual(await client.entries(), []);

    const [post] = requests;

    assert.deepEqual([post.method, post.path, post.body],
                     ['POST', '/api/notes', '{"n":1}']);
    assert.ok(post.headers.get('idempotency-key').length >= 20);
    assert.equal(post.headers.get('if-none-match'), null);

    /* the tag of that response may not be one of nginx */

    const saved = await client.save(made.location, { id: 7, n: 2 });

    assert.deepEqual([saved.state, saved.version], ['done', 4]);
    assert.deepEqual(requests.map(r => r.method), ['POST', 'GET', 'PUT']);
    assert.match(requests[2].headers.get('conflict-chain'), /;base=3;n=1$/);
    assert.equal((await event(client, 'saved')).location, made.location);
});

test('202: it may be created later', async t => {
    const { client } = creator(t, () => [202, {}, null]);

    client.create('notes', { n: 1 });
    assert.equal((await event(client, 'saved')).accepted, true);
    assert.deepEqual(await client.entries(), []);
});

test('somebody else has changed it since: a conflict', async t => {
    const { client } = creator(t, ({ method }) =>
        method === 'POST' ? created(7) : [200, tagged(3), { n: 5 }]);
    const made = await client.create('notes', { n: 1 });

    assert.deepEqual(made.doc, { n: 1 });
    assert.equal((await client.save(made.location, { n: 2 })).state,
                 'conflict');
    assert.deepEqual((await client.conflict(made.location)).base, { n: 1 });
});

test('a version that the API counts in its documents', async t => {
    const { client, requests } = creator(t, ({ method }) =>
        method === 'POST' ? created(7, { n: 1, version: 1 })
                          : [200, {}, { n: 2, version: 2 }],
                                         { member: 'version' });
    const made = await client.create('notes', { n: 1 });

    assert.deepEqual([made.doc, made.version], [{ n: 1 }, 1]);
    await client.save(made.location, { n: 2 });
    assert.equal(requests[1].body, '{"n":2,"version":1}');
});

test('the Location of another origin, and none', async t => {
    for (const Location of ['http://other.test/notes/7', 'http://', null]) {
        const { client } = creator(t, () =>
            [201, Location ? { Location } : {}]);
        const made = await client.create('notes', { n: 1 });

        assert.deepEqual([made.state, made.location], ['done', null]);
    }
});

test('offline: several creations, in order', async t => {
    let n = 0;
    const { client, requests } = creator(t, () => created(++n));

    client.pause();

    for (const i of [1, 2, 3]) {
        const made = await client.create(i === 2 ? 'lists' : 'notes', { i });

        assert.deepEqual([made.state, made.location], ['queued', null]);
    }

    const all = await client.entries();

    assert.deepEqual(all.map(e => [e.url, e.state, e.doc.i]), [
        [baseUrl + 'notes', 'queued', 1], [baseUrl + 'lists', 'queued', 2],
        [baseUrl + 'notes', 'queued', 3]
    ]);
    assert.equal(new Set(all.map(e => e.id)).size, 3);
    await event(client, 'progress', e => e.queued === 3 && e.total === 3);

    assert.equal((await client.discard(all[1].id)).doc.i, 2);
    assert.equal(await client.discard(all[1].id), null);
    assert.equal((await client.retry(all[1].id)).state, 'done');
    assert.equal((await client.retry(all[0].id)).state, 'queued');
    await client.resume();
    assert.deepEqual(requests.map(r => JSON.parse(r.body).i), [1, 3]);
    assert.equal(new Set(requests.map(
        r => r.headers.get('idempotency-key'))).size, 2);
    assert.deepEqual(await client.entries(), []);
});

for (const [name, answer, unknown] of [
    ['no response', networkError(), true],
    ...[500, 502, 503, 504, 408].map(s => [s, [s], true]),
    ['a page', [200, { 'Content-Type': 'text/html' }, '<p>Welcome'], true],
    ['a redirection', [302, { Location: '/login' }], true],
    ['request_in_progress', [409, {}, { error: 'request_in_progress' }], true],
    ['store_unavailable', [503, {}, { error: 'store_unavailable' }], false],
    [429, [429], false], [425, [425], false], [401, [401], false],
    ['locked', [409, {}, { error: 'locked' }], false]
]) {
    test(`${name}: sent again unchanged, if that is safe`, async t => {
        const answers = [answer];
        const { client, requests } = creator(t, () =>
            answers.shift() ?? created(1));
        const first = await client.create('notes', { n: 1 });

        assert.equal(first.state, unknown ? 'unknown' : 'queued');
        await client.flush();
        assert.equal(requests.length, 2);
        assert.equal(requests[1].body, requests[0].body);
        assert.deepEqual([...requests[1].headers], [...requests[0].headers]);
        assert.equal((await event(client, 'saved')).id, first.id);
        assert.deepEqual(await client.entries(), []);
    });

    test(`${name}: and otherwise ${unknown ? 'not ' : ''}sent again`,
         async t => {
        const answers = [answer];
        const { client, requests } = creator(t, () =>
            answers.shift() ?? created(1), { idempotent: () => false });
        const first = await client.create('notes', { n: 1 });

        await client.flush();

        if (!unknown) {
            assert.equal(requests.length, 2);
            return;
        }

        assert.deepEqual([first.state, first.reason.kind],
                         ['parked', 'unknown']);
        assert.equal(requests.length, 1);
        assert.equal((await event(client, 'parked')).id, first.id);

        const again = await client.retry(first.id);

        assert.deepEqual([again.state, again.location],
                         ['done', baseUrl + 'notes/1']);
        assert.equal(requests[1].headers.get('idempotency-key'),
                     requests[0].headers.get('idempotency-key'));
    });
}

for (const status of [400, 402, 403, 404, 405, 409, 410, 412, 413, 415, 422,
                      428])
{
    test(`${status} is parked, and the other creations are sent`, async t => {
        const { client, requests } = creator(t, r =>
            JSON.parse(r.body).n === 1 ? [status, {}, { error: 'no',
                                                        detail: 'because' }]
                                       : created(2));
        const one = await client.create('notes', { n: 1 });

        assert.deepEqual([one.state, one.reason.kind, one.reason.status,
                          one.reason.detail, one.doc],
                         ['parked', 'status', status, 'because', { n: 1 }]);
        assert.equal((await client.create('notes', { n: 2 })).state, 'done');
        await client.flush();
        assert.equal(requests.length, 2, 'it is not sent again');
        assert.equal((await client.retry(one.id)).state, 'parked');
        assert.equal(requests.length, 3);
        assert.equal((await client.discard(one.id)).doc.n, 1);
        assert.deepEqual(await client.entries(), []);
    });
}

for (const [error, status] of [['request_outcome_unknown', 409],
                               ['idempotency_key_reused', 422]])
{
    test(`${error}: another key, if the application says so`, async t => {
        const answers = [networkError(), [status, {}, { error }]];
        const { client, requests } = creator(t, () =>
            answers.shift() ?? created(1));
        const { id } = await client.create('notes', { n: 1 });

        await client.flush();

        const [left] = await client.entries();

        assert.deepEqual([left.id, left.state, left.reason.kind,
                          left.reason.error],
                         [id, 'parked', 'unknown', error]);
        await client.flush();
        assert.equal(requests.length, 2);
        assert.equal((await client.retry(id)).state, 'done');

        const keys = requests.map(r => r.headers.get('idempotency-key'));

        assert.equal(keys[1], keys[0]);
        assert.notEqual(keys[2], keys[0]);
    });
}

test('a refusal after a lost response: it may have been created', async t => {
    const answers = [networkError(), [409, {}, { error: 'duplicate' }]];
    const { client, requests } = creator(t, () =>
        answers.shift() ?? created(1));
    const { id } = await client.create('notes', { n: 1 });

    await client.flush();
    assert.equal((await client.entries())[0].state, 'parked');
    await client.retry(id);

    const keys = requests.map(r => r.headers.get('idempotency-key'));

    assert.deepEqual([keys.length, new Set(keys).size], [3, 1]);
});

test('response_not_kept: it was created, it is not known where', async t => {
    const answers = [networkError(), [409, {}, { error: 'response_not_kept' }]];
    const { client } = creator(t, () => answers.shift());

    await client.create('notes', { n: 1 });
    await client.flush();

    const saved = await event(client, 'saved');

    assert.deepEqual([saved.location, saved.doc], [null, { n: 1 }]);
    assert.deepEqual(await client.entries(), []);
});

test('an earlier creation is not overtaken while it waits', async t => {
    let down = true;
    const { client, requests } = creator(t, r =>
        down && JSON.parse(r.body).n === 1 && r.path.endsWith('notes')
        ? [503, { 'Retry-After': '30' }] : created(1));
    const sent = () => requests.map(r => JSON.parse(r.body).n);

    await client.create('notes', { n: 1 });

    const timer = t.mock.method(globalThis, 'setTimeout');

    assert.equal((await client.create('notes', { n: 2 })).state, 'queued');
    assert.deepEqual(timer.mock.calls.filter(c => c.arguments[1] < 20000), [],
                     'nor looked at until then');
    timer.mock.restore();
    assert.equal((await client.create('lists', { n: 3 })).state, 'done');
    assert.deepEqual(sent(), [1, 3]);
    await client.flush();
    assert.deepEqual(sent(), [1, 3, 1]);

    /* one that keeps failing does not delay the others */

    await client.flush();
    assert.deepEqual(sent(), [1, 3, 1, 1, 2]);
    down = false;
    await client.flush();
    assert.deepEqual(sent(), [1, 3, 1, 1, 2, 1]);
    assert.deepEqual(await client.entries(), []);
});

test('a reload while it is sent', async t => {
    for (const idempotent of [true, false]) {
        const storage = memoryStorage(), { open, opened } = gate();
        const { client } = creator(t, () => opened.then(() => created(1)),
                                   { storage, idempotent });
        const making = client.create('notes', { n: 1 });

        await event(client, 'state', e => e.state === 'sending');

        /* the next session, as it finds the storage */

        const [record] = await storage.pending();
        const next = creator(t, () => created(1), {
            storage: memoryStorage(new Map([[record.url, record]])),
            idempotent
        });

        if (idempotent) {
            assert.equal((await event(next.client, 'saved')).location,
                         baseUrl + 'notes/1');

        } else {
            const { reason } = await event(next.client, 'parked');

            assert.deepEqual([reason.kind, next.requests.length],
                             ['unknown', 0]);
        }

        open();
        assert.equal((await making).state, 'done');
    }
});

test('a response that comes after it was discarded', async t => {
    const { open, opened } = gate();
    const { client } = creator(t, () => opened.then(() => created(1)));
    const making = client.create('notes', { n: 1 });
    const { id } = await event(client, 'state', e => e.state === 'sending');

    client.discard(id);
    await event(client, 'state', e => e.id === id && e.state === null);
    open();
    await making;
    assert.ok(!client.seen.some(e => e.type === 'saved'));
    assert.deepEqual(await client.entries(), []);
});

test('two clients that share a storage send it once', async t => {
    const storage = memoryStorage();
    const { client, fetch, requests } = creator(t, async () => {
        await new Promise(resolve => setTimeout(resolve, 20));
        return created(1);
    }, { storage });
    const other = device(t, { baseUrl, fetch, storage });

    client.pause();
    await client.create('notes', { n: 1 });
    await Promise.all([client.resume(), other.flush(), other.flush()]);
    assert.equal(requests.length, 1);
});

/* storages of tabs that share one */

function tabs(n) {
    const storage = memoryStorage(), watching = [];

    return Array.from({ length: n }, (_, i) => ({
        ...storage,

        async update(url, fn) {
            const record = await storage.update(url, fn);

            watching.forEach((tell, at) => at !== i && tell(url));

            return record;
        },

        watch(tell) { watching[i] = tell; }
    }));
}

test('another tab sends it: where it is', async t => {
    const [storage, ...others] = tabs(3);
    const { client, fetch, requests } = creator(t, ({ method }) =>
        method === 'POST' ? created(7, { id: 7, n: 1 })
        : method === 'GET' ? [200, tagged(3), { id: 7, n: 1 }]
        : [204, tagged(4)], { storage });
    const [sender, third] = others.map(
        storage => device(t, { baseUrl, fetch, storage, idempotent: true }));

    client.pause();
    third.pause();

    const { id } = await client.create('notes', { n: 1 });
    const timer = t.mock.method(globalThis, 'setTimeout');

    await sender.flush();

    for (const one of [client, sender, third]) {
        const ended = await event(one, 'state',
                                  e => e.id === id && e.state === null);

        assert.deepEqual([ended.location, ended.doc],
                         [baseUrl + 'notes/7', { id: 7, n: 1 }]);
    }

    assert.equal((await event(sender, 'saved')).id, id);

    /* a minute later nothing of it is left, and no tab is told twice */

    assert.ok((await storage.read(id)).made);
    await Promise.all(timer.mock.calls.filter(c => c.arguments[1] === 60000)
                                      .map(c => c.arguments[0]()));
    timer.mock.restore();
    assert.equal(await storage.read(id), undefined);
    await third.flush();
    assert.deepEqual([client, sender, third].map(one => one.seen.filter(
        e => e.type === 'state' && e.id === id && e.state === null).length),
                     [1, 1, 1]);

    /* the base of an edit is what was created */

    await client.resume();
    assert.equal((await client.save(baseUrl + 'notes/7', { n: 2 })).state,
                 'done');
    assert.deepEqual(requests.map(r => r.method), ['POST', 'GET', 'PUT']);
});

test('another tab sends it while create() waits', async t => {
    const [storage, another] = tabs(2), { open, opened } = gate();
    const { client, fetch } = creator(t, () => opened.then(() => created(7)),
                                      { storage });
    const sender = device(t, { baseUrl, fetch, storage: another,
                               idempotent: true });
    const { exclusive } = another;

    /* the other one is first */

    storage.exclusive = fn => sender.flush().then(() => exclusive(fn));

    const making = client.create('notes', { n: 1 });

    await event(sender, 'state', e => e.state === 'sending');
    open();

    const made = await making;

    assert.deepEqual([made.state, made.location],
                     ['done', baseUrl + 'notes/7']);
});

test('a storage that fails does not bring it back', async t => {
    const disk = memoryStorage();
    let fails = false;
    const { client, requests } = creator(t, () => {
        fails = true;
        return created(1);
    }, { storage: {
        ...disk, durable: true,
        update: (url, fn) => fails ? Promise.reject(new Error('denied'))
                                   : disk.update(url, fn)
    } });

    t.mock.method(console, 'warn', () => {});
    assert.equal((await client.create('notes', { n: 1 })).state, 'done');
    await client.flush();
    assert.deepEqual(await client.entries(), []);
    assert.equal(requests.length, 1);
});

test('what is not JSON, and another origin', async t => {
    const { client } = creator(t, () => created(1));

    await assert.rejects(client.create('notes', undefined), TypeError);
    await assert.rejects(client.create('http://other.test/notes', {}),
                         TypeError);
});

test('a token that cannot be had: nothing was sent', async t => {
    let broken = true;
    const { client, requests } = creator(t, () => created(7), {
        idempotent: false,
        headers: async () => {
            if (broken) {
                throw new TypeError('no token');
            }
        }
    });
    const { state, reason } = await client.create('notes', { n: 1 });

    assert.deepEqual([state, reason.detail], ['queued', 'no token']);
    assert.equal((await client.save('a', { n: 1 }, { version: null })).state,
                 'queued');
    await assert.rejects(client.get('b'), { message: 'no token' });

    broken = false;
    await client.flush();
    assert.deepEqual([requests.length, await client.entries()], [2, []]);
});

test('what an empty document has become', async t => {
    const { client } = creator(t, () => created(7, { id: 7 }));

    assert.deepEqual((await client.create('notes', {})).doc, { id: 7 });
});

test('it is not sent while the storage does not keep that it is', async t => {
    const disk = memoryStorage();
    let fails = false;
    const { client, requests } = creator(t, () => created(7), {
        idempotent: false,
        storage: { ...disk, durable: true, update: (url, fn) =>
            fails ? Promise.reject(new Error('denied'))
                  : disk.update(url, fn) }
    });

    t.mock.method(console, 'warn', () => {});
    client.pause();
    await client.create('notes', { n: 1 });
    fails = true;
    await client.resume();
    await client.flush();

    const [{ state, reason }] = await client.entries();

    assert.deepEqual([state, reason.kind, requests.length],
                     ['queued', 'storage', 0]);

    /* another tab sends it */

    const other = creator(t, () => created(7), { storage: disk,
                                                 idempotent: false });

    await other.client.flush();
    assert.equal(other.requests.length, 1);

    fails = false;
    await client.flush();
    await client.flush();
    assert.deepEqual([requests.length, await client.entries()], [0, []]);
});

test('a login in another tab is one of this tab', async t => {
    const [storage, another] = tabs(2);
    let token = 'old';
    const { client, fetch, requests } = creator(t, ({ headers }) =>
        headers.get('authorization') === 'new' ? [204, tagged(2)] : [401], {
        storage, headers: () => ({ Authorization: token })
    });
    const other = device(t, { baseUrl, fetch, storage: another,
                              headers: { Authorization: 'new' } });

    other.pause();
    assert.equal((await client.save('a', { n: 1 })).state, 'queued');
    await event(client, 'unauthorized');

    token = 'new';
    await other.resume();
    await event(other, 'saved');
    await other.close();

    /* without a call of flush() */

    assert.equal((await client.save('b', { n: 2 })).state, 'done');
    assert.equal(requests.at(-1).path, '/api/b');
});
