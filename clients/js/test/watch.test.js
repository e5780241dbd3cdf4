/* watch(): with nginx and its API, as t/client_library.t starts them. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { memoryStorage } from '../node.js';
import { baseUrl, device, event, fresh, gate, networkError, tagged, url }
    from './helpers.js';

const bytes = text => new TextEncoder().encode(text);

/* what a client was told of a path, and a wait for one of it */

function watching(t, client, path) {
    const told = [];
    const waiting = new Set();

    const stop = client.watch(path, change => {
        told.push(change);
        waiting.forEach(look => look());
    });

    t.after(stop);

    return {
        told, stop,
        first: fits => new Promise(resolve => {
            const look = () => {
                const found = told.find(fits);

                if (found) {
                    waiting.delete(look);
                    resolve(found);
                }
            };

            waiting.add(look);
            look();
        })
    };
}

const user = name => ({ headers: { 'X-User': name }, device: `${name}'s` });

/* a document that both have read, and that "b" watches from then on */

async function both(t, make = {}, path = fresh('version')) {
    const a = device(t, user('ann'));
    const b = device(t, { ...user('bob'), ...make });

    await a.save(path, { n: 1 }, { version: null });
    await a.get(path);
    await b.get(path);

    return { path, a, b, w: watching(t, b, path) };
}

for (const name of ['é b', 'a%2Fb', 'a+b&c=d', 'x%20y?q=1', '日本', "'(!)*"]) {
    test(`a change of "${name}" is told`, async t => {
        const { path, a, w } = await both(t, {}, fresh('version') + name);

        assert.equal((await a.save(path, { n: 2 })).state, 'done');
        await w.first(c => c.type === 'changed');
        await a.remove(path);
        await w.first(c => c.type === 'deleted');
    });
}

test('a change by somebody else is told, with its version', async t => {
    const { path, a, w } = await both(t);
    const saved = await a.save(path, { n: 2 });
    const change = await w.first(c => c.type === 'changed');

    assert.equal(String(change.version), String(saved.version));
    assert.equal(change.url, new URL(path, url + '/').href);
});

test('a change of its own is not', async t => {
    for (const name of [{}, { device: undefined }]) {
        const { path, a, b, w } = await both(t, name);

        await b.save(path, { n: 2 });
        await b.save(path, { n: 3 });
        await a.get(path);
        await a.save(path, { n: 4 });

        const change = await w.first(c => c.type === 'changed');
        const now = await b.get(path);

        assert.equal(String(change.version), String(now.version));
        assert.equal(w.told.filter(c => c.type === 'changed').length, 1);
    }
});

test('a write without an answer holds up no other document', {
    timeout: 20000
}, async t => {
    let hold = null;
    const answers = new Promise(resolve => { hold = resolve; });
    const { path, a, b, w } = await both(t, {
        fetch: async (target, options) => {
            const response = await fetch(target, options);

            if (options.method === 'PUT') {
                await answers;
            }

            return response;
        }
    });
    const other = fresh('version');

    await a.save(other, { n: 1 }, { version: null });
    await b.get(other);

    const wo = watching(t, b, other);
    const saving = b.save(path, { n: 2 });

    for (let n = 1; n < 2; ) {
        n = (await a.get(path)).doc.n;
    }

    await a.save(path, { n: 3 });
    await a.save(other, { n: 2 });
    await wo.first(c => c.type === 'changed');
    assert.equal(w.told.filter(c => c.type === 'changed').length, 0);

    hold();
    await saving;
    await w.first(c => c.type === 'changed');
});

test('a change before it began to watch is told', async t => {
    const path = fresh('version');
    const a = device(t, user('ann'));
    const b = device(t, user('bob'));

    await a.save(path, { n: 1 }, { version: null });
    await b.get(path);
    await a.get(path);
    await a.save(path, { n: 2 });

    const w = watching(t, b, path);

    await w.first(c => c.type === 'changed');
});

test('streams that end are connected again', async t => {
    const { path, a, w } = await both(t);

    /* recheck=1s */
    await new Promise(resolve => setTimeout(resolve, 1500));
    await a.save(path, { n: 2 });
    await w.first(c => c.type === 'changed');
});

test('more documents by one stream, and fewer', async t => {
    const { path, a, b, w } = await both(t);
    const other = fresh('version');

    await a.save(other, { n: 1 }, { version: null });
    await b.get(other);

    const second = watching(t, b, other);

    await a.get(other);
    await a.save(other, { n: 2 });
    await second.first(c => c.type === 'changed');

    w.stop();
    await a.save(path, { n: 2 });
    await a.save(other, { n: 3 });
    await second.first(c => c.type === 'changed'
                            && c !== second.told[0]);
    assert.deepEqual(w.told, []);
});

test('locks and deletions', async t => {
    const { path, a, w } = await both(t);
    const lock = await a.lock(path);
    const held = await w.first(c => c.type === 'locked');

    assert.equal(held.lock.user, 'ann');
    assert.equal(held.mine, false);

    await lock.release();
    await w.first(c => c.type === 'unlocked');
    await a.remove(path);
    await w.first(c => c.type === 'deleted');
});

test('without rights it is gone', async t => {
    const b = device(t, user('bob'));
    const w = watching(t, b, fresh('auth'));
    const change = await w.first(c => c.type === 'gone');

    assert.equal(change.status, 401);
});

test('more documents than a stream can have', async t => {
    const b = device(t, user('bob'));
    const paths = Array.from({ length: 65 }, () => fresh('version'));
    const all = paths.map(path => watching(t, b, path));
    const { error } = await event(b, 'error');

    assert.equal(error.status, 400);
    assert.match(error.body, /more than 64/);

    /* with fewer it goes on */

    all.pop().stop();
    await all[0].first(c => c.type === 'deleted');
});

/*
 * A client of an API in the process, which watches "x" and has a write of it
 * whose response is put().  What the streams say is of others; each ends at
 * once, but for the last one, which says one thing more.
 */

async function unanswered(t, streams, put, options = {}) {
    const heard = gate();
    let n = 0;

    const stream = signal => new ReadableStream({
        pull(stream) {
            if (n === streams) {
                heard.open();
                return;
            }

            const said = [
                ['version', { version: 3 }],
                ['locked', { lock: { user: 'ann', expires_in: 60 - ++n / 8 } }],
                ['lock_asked', { user: 'eve' }]
            ].map(([name, data]) => `event: ${name}\ndata: ` + JSON.stringify({
                resource: '/api/x', ...data, mine: false }) + '\n\n');

            said.length = n < streams ? 2 : 3;

            stream.enqueue(bytes('retry: 1\n' + said.join('')));

            if (n < streams) {
                stream.close();
                return;
            }

            signal.addEventListener('abort', () => {
                stream.error(new Error('aborted'));
            });
        }
    }, { highWaterMark: 0 });

    const client = device(t, { baseUrl, ...options, fetch: (target, options) =>
        options.method === 'PUT' ? put()
        : new URL(target).pathname === '/events'
        ? new Response(stream(options.signal))
        : new Response('{}', { headers: tagged(1) }) });

    await client.get('x');

    const saving = client.save('x', { n: 1 });

    await event(client, 'state', e => e.state === 'sending');

    const w = watching(t, client, 'x');

    await heard.opened;
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual(w.told, [], 'all waits');

    return { client, saving, w };
}

test('what each stream says again is told once', async t => {
    const { open, opened } = gate();
    const { saving, w } = await unanswered(t, 9, async () => {
        await opened;

        return new Response(null, { status: 204, headers: tagged(2) });
    });

    open();
    assert.equal((await saving).state, 'done');
    await w.first(c => c.type === 'lock_asked');
    assert.deepEqual(w.told.map(c => c.type),
                     ['changed', 'locked', 'lock_asked']);
    assert.equal(w.told[1].lock.expires_in, 60 - 9 / 8, 'as it was said last');
});

test('close() while a change waits is no error', async t => {
    const memory = memoryStorage();
    let closed = false;
    const { client, w } = await unanswered(t, 1, async () => {
        throw networkError();
    }, {
        storage: {
            ...memory,

            read(url) {
                assert(!closed, 'the storage is closed');

                return memory.read(url);
            },

            async close() {
                closed = true;
            }
        }
    });

    await event(client, 'state', e => e.state === 'unknown');
    await client.close();
    assert(closed);

    /* longer than a change waits for its document to move */

    await new Promise(resolve => setTimeout(resolve, 500));
    assert.deepEqual(w.told, []);
    assert.deepEqual(client.seen.filter(e => e.type === 'error'), []);
});

/* an API with a version, and streams that stay open */

function streaming(first = ': hello\n\n') {
    const api = { version: 1, streams: [], fetch };

    api.opened = async () => {
        while (api.streams.length === 0) {
            await new Promise(resolve => setTimeout(resolve, 1));
        }
    };

    api.say = (name, data) => api.streams.at(-1).enqueue(bytes(
        `event: ${name}\ndata: ${JSON.stringify({ resource: '/api/x', ...data,
                                                   mine: false })}\n\n`));

    async function fetch(target, { signal }) {
        if (new URL(target).pathname !== '/events') {
            return api.version === null ? new Response('{}', { status: 404 })
                   : new Response('{}', { headers: tagged(api.version) });
        }

        return new Response(new ReadableStream({
            start(stream) {
                api.streams.push(stream);
                stream.enqueue(bytes(first));
                signal.addEventListener('abort', () => {
                    stream.error(new Error('aborted'));
                });
            }
        }));
    }

    return api;
}

test('what another tab has read is told to this one', async t => {
    const api = streaming(), storage = memoryStorage();
    const one = device(t, { baseUrl, fetch: api.fetch, storage });
    const two = device(t, { baseUrl, fetch: api.fetch, storage });

    await one.get('x');
    await two.get('x');

    const w = watching(t, two, 'x');

    await api.opened();
    api.say('version', { version: 1 });
    api.version = 2;
    await one.get('x');
    api.say('version', { version: 2 });
    await w.first(c => c.version === 2);
    assert.deepEqual(w.told.map(c => c.type), ['changed']);

    /* but not what this one has read, whoever was first */

    await two.get('x');
    api.say('version', { version: 2 });
    api.version = null;
    await one.get('x');
    api.say('deleted', {});
    await w.first(c => c.type === 'deleted');
    assert.deepEqual(w.told.map(c => c.type), ['changed', 'deleted']);
});

test('the version below an edit that waits is not told', async t => {
    const api = streaming();
    const client = device(t, { baseUrl, fetch: api.fetch });

    await client.get('x');
    client.pause();
    await client.save('x', { n: 1 });
    await client.get('x');

    const w = watching(t, client, 'x');

    await api.opened();
    api.say('version', { version: 1 });
    api.say('version', { version: 2 });
    await w.first(c => c.type === 'changed');
    assert.deepEqual(w.told.map(c => c.version), [2]);
});

test('an event that cannot be read does not end the others', async t => {
    for (const strange of ['event: news\n\n', 'event: news\ndata: 1 2\n\n',
                           'event: news\ndata: null\n\n'])
    {
        const api = streaming(strange);
        const w = watching(t, device(t, { baseUrl, fetch: api.fetch }), 'x');

        await api.opened();
        api.say('locked', { lock: { user: 'a\u2028b' } });

        const { lock } = await w.first(c => c.type === 'locked');

        assert.deepEqual([lock.user, api.streams.length], ['a\u2028b', 1]);
    }
});

test('a wait that is longer than a timer is one', async t => {
    for (const [maxWait, answer] of [
        [undefined,
         () => new Response('', { status: 503,
                                  headers: { 'Retry-After': '3000000' } })],
        [undefined, () => new Response('retry: 3000000000\n\n')],
        [2 ** 31 - 1, () => new Response('retry: 3000000000\n\n')]
    ]) {
        let n = 0;

        watching(t, device(t, { baseUrl, maxWait, fetch: async () => {
            n++;

            return answer();
        } }), 'x');
        await new Promise(resolve => setTimeout(resolve, 200));
        assert.equal(n, 1);
    }
});
