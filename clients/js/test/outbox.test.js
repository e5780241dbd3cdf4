/*
 * The outbox with an API in the process that sends rare responses, and with
 * one that fails at random: no edit may be lost.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { putAside } from '../lib/entry.js';
import { createClient, keepMine, memoryStorage } from '../node.js';
import { baseUrl, conflict, device, event, fakeFetch, networkError, reader,
         tagged } from './helpers.js';

for (const status of [400, 403, 405, 406, 413, 414, 415, 422, 428, 431]) {
    test(`${status} is parked, and the other entries are sent`, async t => {
        const { client, requests } = await reader(t, r =>
            r.path === '/api/a' ? [status, {}, { error: 'no',
                                                 detail: 'because' }]
                                : [204, tagged(2)]);

        const a = await client.save('a', { n: 1 });
        const b = await client.save('b', { n: 1 });

        assert.deepEqual([a.state, a.reason.status, a.reason.detail, a.doc],
                         ['parked', status, 'because', { n: 1 }]);
        assert.equal(b.state, 'done');
        assert.equal((await event(client, 'parked')).url, baseUrl + 'a');

        await client.flush();
        assert.equal(requests.length, 2, 'it is not sent again');

        /* another edit is a new attempt, on the same base version */

        await client.save('a', { n: 2 });
        assert.equal(requests.length, 3);
        assert.equal(requests[2].headers.get('if-match'), '"1"');
        assert.equal((await client.discard('a')).doc.n, 2);
        assert.deepEqual(await client.entries(), []);
    });
}

for (const [status, headers, body, unknown] of [
    [408, {}, null, true], [425, {}, null, false], [429, {}, null, false],
    [423, {}, { error: 'locked', lock: { user: 'ann' } }, false],
    [409, {}, { error: 'locked', lock: { user: 'ann' } }, false],
    [409, {}, { error: 'write_in_progress' }, false],
    [503, {}, { error: 'store_unavailable' }, false],
    [503, {}, { error: 'store_generation' }, false],
    [503, {}, { error: 'outcome_unknown' }, true],
    [500, {}, null, true], [502, {}, null, true], [503, {}, null, true],
    [504, {}, null, true]
]) {
    const name = `${status} ${body ? body.error : ''}`;

    test(`${name} is sent again ${unknown ? 'unchanged' : ''}`, async t => {
        let bad = true;
        const { client, requests } = await reader(t, () =>
            bad ? [status, { 'Retry-After': '0', ...headers }, body]
                : [204, tagged(2)]);

        const first = await client.save('a', { n: 1 });

        assert.equal(first.state, unknown ? 'unknown' : 'queued');
        assert.equal(first.reason.status, status);
        assert.ok(first.retryAt);

        bad = false;
        await client.save('a', { n: 2 });
        await client.flush();
        assert.deepEqual(await client.entries(), []);

        const sent = requests.map(r => JSON.parse(r.body).n);

        assert.deepEqual(sent, unknown ? [1, 1, 2] : [1, 2]);

        if (unknown) {
            assert.deepEqual([...requests[1].headers],
                             [...requests[0].headers]);
        }

        assert.match(requests.at(-1).headers.get('conflict-chain'),
                     unknown ? /;base=1;n=2$/ : /;base=1;n=1$/);
    });
}

for (const [status, accepted] of [[200, false], [202, true], [204, false]]) {
    test(`${status}: ${accepted ? '' : 'not '}only accepted`, async t => {
        const { client } = await reader(t, () => [status, tagged(2)]);

        client.save('a', { n: 1 });

        const saved = await event(client, 'saved');

        assert.deepEqual([saved.accepted, saved.doc], [accepted, { n: 1 }]);
        assert.deepEqual(await client.entries(), []);
    });
}

test('an unknown outcome stays unknown after other refusals', async t => {
    const answers = [networkError(), [429, { 'Retry-After': '0' }],
                     [409, { 'Retry-After': '0' }, { error: 'locked' }],
                     [401], [204, tagged(2)]];
    const { client, requests } = await reader(t, () =>
        answers.shift() || [204, tagged(3)]);

    await client.save('a', { n: 1 });

    for (let i = 0; i < 3; i++) {
        await client.flush();
        assert.equal((await client.entries())[0].state, 'unknown');
    }

    await client.save('a', { n: 2 });
    await client.flush();
    assert.deepEqual(requests.map(r => JSON.parse(r.body).n),
                     [1, 1, 1, 1, 1, 2]);
    assert.deepEqual(await client.entries(), []);
});

test('Retry-After is obeyed, with a bound', async t => {
    for (const [after, least, most] of [['20', 20, 24], ['9999', 60, 60],
                                        [new Date(Date.now() + 30000)
                                             .toUTCString(), 28, 37]])
    {
        const { client } = await reader(t, () =>
            [503, { 'Retry-After': after }], { maxWait: 60000 });
        const now = Date.now();
        const { retryAt } = await client.save('a', { n: 1 });

        assert.ok(retryAt >= now + 1000 * least
                  && retryAt <= Date.now() + 1000 * most,
                  `${after}: ${retryAt - now}`);
    }
});

test('without Retry-After the wait is doubled each time', async t => {
    const { client } = await reader(t, () => [503], { maxWait: 60000 });
    const waits = [];

    for (let i = 0; i < 8; i++) {
        await client.flush();

        const { retryAt } = await client.save('a', { n: i });

        await client.flush();
        waits.push(retryAt - Date.now());
    }

    assert.ok(waits[0] < 4100 && waits.at(-1) > 20000 && waits.every(
        w => w <= 60000), waits.join());
});

test('an HTML page instead of the API is no acknowledgement', async t => {
    const html = [200, { 'Content-Type': 'text/html' }, '<p>Welcome'];
    const { client } = await reader(t, () => html, { reads: false });

    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');

    const other = fakeFetch(() => html);
    const reads = device(t, { baseUrl, fetch: other.fetch });

    await assert.rejects(reads.get('a'), { name: 'RequestError' });
});

test('a redirection to a login page is no acknowledgement', async t => {
    const { client } = await reader(t, () =>
        [302, { Location: 'http://api.test/login' }]);

    /* it may be written: some APIs redirect after a write */

    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');
    await event(client, 'unauthorized');
    assert.equal((await client.save('b', { n: 1 })).state, 'queued',
                 'all entries wait');
    assert.ok((await client.entries())[0].retryAt, 'for some time');
});

test('after 429 all entries wait', async t => {
    const { client, requests } = await reader(t, () =>
        [429, { 'Retry-After': '30' }]);

    await client.save('a', { n: 1 });
    assert.equal((await client.save('b', { n: 1 })).state, 'queued');
    assert.equal(requests.length, 1);
});

test('no network: entries keep their order', async t => {
    let down = true;
    const { client, requests } = await reader(t, () =>
        down ? networkError() : [204, tagged(2)]);

    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');
    client.pause();
    await client.save('b', { n: 1 });
    requests.length = 0;
    await client.resume();
    assert.deepEqual(requests.map(r => r.path), ['/api/a']);

    down = false;
    requests.length = 0;
    await client.flush();
    assert.deepEqual(requests.map(r => r.path), ['/api/a', '/api/b']);
});

test('an address that never responds does not delay the others', async t => {
    const { client } = await reader(t, r =>
        r.path === '/api/a' ? networkError() : [204, tagged(2)]);

    await client.save('a', { n: 1 });
    await client.save('b', { n: 1 });

    for (let i = 0; i < 4; i++) {
        await client.flush();
    }

    assert.deepEqual((await client.entries()).map(e => e.url),
                     [baseUrl + 'a']);
});

test('a request without a response ends', async t => {
    const { client } = await reader(t, () => [204, tagged(2)], {
        timeout: 50,
        fetch: (target, options) => options.method === 'GET'
            ? new Response('{"n":0}', { headers: tagged(1) })
            : new Promise((resolve, reject) => {
                options.signal.addEventListener('abort', () =>
                    reject(options.signal.reason));
            })
    });

    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');
});

test('a 409 of the API\'s own', async t => {
    let version = 1;
    const { client } = await reader(t, r =>
        r.method === 'GET' ? [200, tagged(version), { n: version }]
                           : [409, {}, { message: 'the name is taken' }],
                                    { reads: true });

    const first = await client.save('a', { n: 5 });

    assert.deepEqual([first.state, first.reason.body],
                     ['parked', '{"message":"the name is taken"}']);

    version = 2;
    assert.equal((await client.save('a', { n: 6 })).state, 'conflict');
});

test('a version_conflict of the API itself', async t => {
    const { client } = await reader(t, () =>
        [409, {}, { error: 'version_conflict',
                    server_version: { n: 9 } }]);

    await client.save('a', { n: 1 });
    assert.deepEqual((await client.conflict('a')).server, { n: 9 });
});

test('a refusal without the document', async t => {
    let reads = 0;
    const { client } = await reader(t, r =>
        r.method === 'GET' ? [200, tagged(++reads > 2 ? 3 : 1), { n: reads }]
        : [409, {}, { error: 'version_conflict', version: 3,
                      server_version: null,
                      server_version_omitted: 'too_large' }],
                                    { reads: true });

    assert.equal((await client.save('a', { n: 7 })).state, 'conflict');
    assert.deepEqual((await client.conflict('a')).server, { n: 3 });
});

test('404 and 410 for a document that was deleted', async t => {
    for (const status of [404, 410]) {
        let gone = false;
        const { client, requests } = await reader(t, () =>
            gone ? [status] : [200, tagged(1), { n: 0 }], { reads: true });

        gone = true;
        assert.equal((await client.save('a', { n: 1 })).state, 'conflict');
        assert.equal((await client.conflict('a')).deleted, true);

        /* created again, which this API refuses */

        const again = await client.resolve('a', keepMine);

        assert.equal(again.state, 'parked');
        assert.equal(requests.findLast(r => r.method === 'PUT').headers
                             .get('if-none-match'), '*');

        assert.equal((await client.remove('b')).state, 'done');
    }
});

test('the same document under another version is no conflict', async t => {
    const { client, requests } = await reader(t, r =>
        r.headers.get('if-match') === '"5"' ? [204, tagged(6)]
                                            : conflict(5, { n: 0 }));

    assert.equal((await client.save('a', { n: 1 })).state, 'done');
    assert.equal(requests.length, 2);
});

test('attempts at a server that refuses every write are limited', async t => {
    const { client, requests } = await reader(t, () =>
        conflict(5, { n: 0 }));

    assert.equal((await client.save('a', { n: 1 })).state, 'conflict');
    assert.ok(requests.length < 6);
});

test('an edit during onConflict leads to another call', async t => {
    const asked = [];
    const { client, requests } = await reader(t, r =>
        r.headers.get('if-match') === '"5"' ? [204, tagged(6)]
                                            : conflict(5, { n: 9 }), {
        async onConflict(c) {
            asked.push(c.local.n);

            if (asked.length === 1) {
                client.save('a', { n: 2 });
                await event(client, 'state', e => e.doc?.n === 2);
            }

            return { n: 100 + c.local.n };
        }
    });

    assert.equal((await client.save('a', { n: 1 })).state, 'done');
    assert.deepEqual(asked, [1, 2]);
    assert.equal(JSON.parse(requests.at(-1).body).n, 102);
});

test('the response to a discarded edit does not apply to a later one',
     async t => {
    let release, n = 0;
    const { client, requests } = await reader(t, r =>
        r.method === 'GET' ? [200, tagged(n ? 2 : 1), { n }]
        : new Promise(resolve => {
            release = () => { n = 1; resolve([204, tagged(2)]); };
        }), { reads: true });

    const first = client.save('a', { n: 1 });

    await event(client, 'state', e => e.state === 'sending');
    assert.equal((await client.discard('a')).state, 'sending');

    const second = client.save('a', { n: 2 });

    await event(client, 'state', e => e.doc?.n === 2);
    release();
    await Promise.all([first, second]);

    const c = await client.conflict('a');

    assert.deepEqual([c.base.n, c.local.n, c.server.n], [0, 2, 1]);
    assert.equal(requests.filter(r => r.method === 'PUT').length, 1);
});

test('there is a wait between writes that the server always refuses',
     async t => {
    let n = 100;
    const { client, requests } = await reader(t, () => conflict(++n, { n }),
                                              { onConflict: c => c.merged,
                                                rules: { '/n': 'lww' } });

    assert.equal((await client.save('a', { n: 1 })).state, 'queued');
    assert.ok(requests.length < 6, String(requests.length));
});

test('an invalid answer to a conflict is an error', async t => {
    const { client } = await reader(t, () => conflict(5, { n: 9 }), {
        onConflict: () => 'keepMine'
    });

    assert.equal((await client.save('a', { n: 1 })).state, 'conflict');
    await event(client, 'error', e => e.error instanceof TypeError);
    await assert.rejects(client.resolve('a', true), TypeError);
});

test('an onConflict that throws is "later"', async t => {
    const { client } = await reader(t, () => conflict(5, { n: 9 }), {
        onConflict() { throw new Error('no dialog'); }
    });

    assert.equal((await client.save('a', { n: 1 })).state, 'conflict');
    assert.equal((await event(client, 'error')).error.message, 'no dialog');
});

test('a conflict of the previous session leads to a call', async t => {
    const storage = memoryStorage();
    const answer = () => conflict(5, { n: 9 });
    const first = await reader(t, answer, { storage });

    assert.equal((await first.client.save('a', { n: 1 })).state, 'conflict');

    const asked = await new Promise(resolve => {
        reader(t, answer, { storage, onConflict: resolve });
    });

    assert.deepEqual([asked.base.n, asked.local.n, asked.server.n],
                     [0, 1, 9]);
});

test('two clients that share a storage send an edit once', async t => {
    const storage = memoryStorage();
    const { client, fetch, requests } = await reader(t, async () => {
        await new Promise(resolve => setTimeout(resolve, 20));
        return [204, tagged(2)];
    }, { storage });
    const other = device(t, { baseUrl, fetch, storage });

    client.pause();
    await client.save('a', { n: 1 });
    await client.save('b', { n: 1 });
    await Promise.all([client.resume(), other.flush(), other.flush()]);
    assert.equal(requests.length, 2);
});

test('a clock that was set back does not prolong a wait', async t => {
    const storage = memoryStorage();
    const { client, requests } = await reader(t, () => [204, tagged(2)],
                                              { storage });

    client.pause();
    await client.save('a', { n: 1 });
    await storage.update(baseUrl + 'a', r => ({
        ...r, entry: { ...r.entry, retryAt: Date.now() + 1e9 }
    }));
    await client.resume();
    assert.equal(requests.length, 1);
});

test('headers are not sent to another origin', async t => {
    const { client } = await reader(t, () => [204, tagged(2)]);

    await assert.rejects(client.save('http://other.test/a', {}), TypeError);
    await assert.rejects(client.get('//other.test/a').then(r => {
        throw new Error(r.url);
    }), { message: baseUrl + 'other.test/a' });
    assert.equal((await client.get(baseUrl + 'a')).doc.n, 0);
});

test('an offline get returns the document as last read', async t => {
    let down = false;
    const { client } = await reader(t, () =>
        down ? networkError() : [200, tagged(1), { n: 0 }], { reads: true });

    down = true;
    assert.deepEqual([(await client.get('a')).doc.n,
                      (await client.get('a')).stale], [0, true]);
    await assert.rejects(client.get('c'), TypeError);
});

test('progress', async t => {
    const { client } = await reader(t, () => [422]);

    client.pause();
    await client.save('a', { n: 1 });
    await client.save('b', { n: 1 });
    await event(client, 'progress', e => e.queued === 2 && e.total === 2);
    await client.resume();
    await event(client, 'progress', e => e.parked === 2 && e.total === 2);
});

/*
 * Two devices, one of them with two tabs, a server with versions, and faults:
 * no network, lost responses, 503, devices that restart.  At the end each edit
 * was written, or replaced by one that is based on it, or discarded by
 * onConflict; and no write has replaced one that its client had not shown.
 */

function random(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;

        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);

        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;

        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

/*
 * An API that checks If-Match and chains, and recognizes a retry; if it is
 * "plain", it has tags only.
 */

function model(rand, faults, plain) {
    const docs = new Map(), writes = [];
    let last = 100;

    function write(request) {
        const doc = docs.get(request.path)
                    || { version: 0, text: null, chain: null, retry: null };
        const retry = JSON.stringify([request.method, request.body,
                                      request.headers.get('if-match'),
                                      request.headers.get('if-none-match'),
                                      request.headers.get('conflict-chain')]);
        const [, chain, base, n] = /^"(\w+)";base=(\d+);n=(\d+)$/.exec(
            request.headers.get('conflict-chain') || '') || [];

        if (doc.retry === retry && !plain) {
            return [200, { ETag: `"${doc.version}"`,
                           Conflict: `replayed;version=${doc.version}` },
                    doc.text];
        }

        const holds = chain && doc.chain === chain + base
                      ? Number(n) > doc.n
                      : request.headers.get('if-none-match') === '*'
                        ? doc.text === null
                        : request.headers.get('if-match')
                          === `"${doc.version}"`;

        if (!holds) {
            return doc.text === null
                ? [409, {}, { error: 'version_conflict', deleted: true,
                              server_version: null }]
                : [409, { ETag: `"${doc.version}"`,
                          Conflict: `rejected;version=${doc.version}` },
                   `{"error":"version_conflict","version":${doc.version},`
                   + `"server_version":${doc.text}}`];
        }

        docs.set(request.path, {
            version: ++last, text: request.body ?? null, retry, n: Number(n),
            chain: chain ? chain + base : null
        });
        writes.push({ path: request.path, text: request.body ?? null });

        return [204, tagged(last)];
    }

    return {
        docs, writes, faults,

        async answer(request) {
            if (rand() < faults.rate / 2) {
                return rand() < 0.5 ? networkError()
                                    : [503, {}, '{"error":'
                                                + '"store_unavailable"}'];
            }

            const doc = docs.get(request.path);
            const result = request.method !== 'GET' ? write(request)
                : doc && doc.text !== null
                  ? [200, tagged(doc.version), doc.text] : [404];

            await null;

            if (plain && result[1]) {
                delete result[1].Conflict;
            }

            return rand() < faults.rate / 2
                   ? rand() < 0.5 ? networkError() : [502] : result;
        }
    };
}

/*
 * A storage that outlives its clients; after kill() no call of it resolves.  It
 * records which edits have reached the disk.
 */

function grave(records, kept) {
    const storage = memoryStorage(records);
    const never = new Promise(() => {});
    let dead = false;

    return {
        ...storage,
        kill() { dead = true; },

        read: url => dead ? never : storage.read(url),
        pending: () => dead ? never : storage.pending(),
        exclusive: fn => dead ? never : storage.exclusive(fn),

        update(url, fn) {
            return dead ? never : storage.update(url, (record, seq) => {
                if (dead) {
                    return record;
                }

                const made = fn(record, seq);

                for (const { draft } of [made?.entry, ...made?.rest || []]
                     .filter(Boolean))
                {
                    kept.add(markOf(draft?.text));
                }

                return made;
            });
        }
    };
}

function markOf(text) {
    return text ? JSON.parse(text).mark : undefined;
}

async function story(seed) {
    const rand = random(seed), faults = { rate: 0.5 };
    const api = model(rand, faults, seed % 3 === 0);
    const seen = new Map();           /* edits that each edit is based on */
    const kept = new Set();           /* edits that have reached the disk */
    const given = new Set();          /* edits discarded by onConflict */
    const disks = [new Map(), new Map()];
    const clients = [], storages = [], shown = [];
    let count = 0;

    function mark(i, base) {
        const name = `${i}-${++count}`;

        seen.set(name, new Set([base, ...seen.get(base) || []]));

        return name;
    }

    function open(i, storage) {
        shown[i] = new Map();
        clients[i] = createClient({
            baseUrl, storage, fetch: fakeFetch(api.answer).fetch,

            onConflict(c) {
                const dice = rand();

                if (dice < 0.3) {
                    return c.later;
                }

                if (dice < 0.5) {
                    given.add(c.local.mark);
                    return c.keepTheirs;
                }

                given.add(c.server?.mark);

                if (dice < 0.7) {
                    given.add(c.local.mark);
                    return { mark: mark(i) };
                }

                return c.keepMine;
            }
        });
        clients[i].addEventListener('error', e => {
            throw e.detail.error;
        });
    }

    function start(disk) {
        storages[disk]?.kill();
        storages[disk] = grave(disks[disk], kept);

        for (const i of disk ? [2] : [0, 1]) {
            open(i, storages[disk]);
        }
    }

    async function read(i, path) {
        const showing = shown[i];
        const { doc } = await clients[i].get(path).catch(() => ({}));

        if (doc) {
            showing.set(path, doc.mark);
        }
    }

    start(0);
    start(1);

    for (let step = 0; step < 60; step++) {
        const i = Math.floor(rand() * 3);
        const path = rand() < 0.6 ? 'a' : 'b';
        const what = rand();

        if (what < 0.5) {
            const name = mark(i, shown[i].get(path));

            shown[i].set(path, name);
            clients[i].save(path, { mark: name });

        } else if (what < 0.7) {
            read(i, path);

        } else if (what < 0.8) {
            clients[i].flush();

        } else if (what < 0.87) {
            /* save() has not resolved for edits that are not on disk yet */

            const disk = i === 2 ? 1 : 0;

            await storages[disk].pending();
            await new Promise(resolve => setImmediate(resolve));
            start(disk);
        }

        for (let n = Math.floor(rand() * 4); n > 0; n--) {
            await new Promise(resolve => setImmediate(resolve));
        }
    }

    faults.rate = 0;

    for (const client of clients) {
        for (let n = 0; n < 30; n++) {
            await client.flush();

            for (const e of await client.entries()) {
                assert.notEqual(e.state, 'parked');

                const c = await client.conflict(e.url);

                if (c) {
                    given.add(c.server?.mark);
                    await client.resolve(e.url, keepMine, c);
                }
            }
        }

        assert.deepEqual(await client.entries(), []);
    }

    await Promise.all(clients.map(client => client.close()));

    const written = api.writes.map(w => markOf(w.text));

    for (const name of kept) {
        assert.ok(!name || written.includes(name) || given.has(name)
                  || [...kept].some(other => seen.get(other)?.has(name)),
                  `${name} is lost`);
    }

    for (const path of ['a', 'b']) {
        const of = api.writes.filter(w => w.path === '/api/' + path)
                             .map(w => markOf(w.text));

        for (let k = 1; k < of.length; k++) {
            const [before, now] = [of[k - 1], of[k]];

            assert.notEqual(before, now, `${now} was written twice`);

            assert.ok(given.has(before) || seen.get(now)?.has(before),
                      `${now} has overwritten ${before}`);
        }
    }

    return written.length;
}

test('random faults', async () => {
    let writes = 0;

    const first = Number(process.env.SEED || 1);
    const end = first + Number(process.env.SEEDS || 60);

    for (let seed = first; seed < end; seed++) {
        writes += await story(seed).catch(e => {
            e.message = `seed ${seed}: ${e.message}`;
            throw e;
        });
    }

    assert.ok(writes > 300, `${writes} writes`);
});

test('an error of one entry does not hold up the others', async t => {
    let bad = true;
    const { client } = await reader(t, r =>
        r.path === '/api/a' ? conflict(2, { n: 9 }) : [204, tagged(2)], {
        rules: url => {
            if (bad && url.endsWith('/a')) {
                throw new TypeError('no such rule');
            }

            return {};
        }
    });

    const before = Date.now();
    const a = await client.save('a', { n: 1 });
    const b = await client.save('b', { n: 1 });

    assert.deepEqual([a.state, a.reason.kind, a.reason.detail, b.state],
                     ['unknown', 'error', 'no such rule', 'done']);
    assert.ok(a.retryAt > before);
    assert.equal((await event(client, 'error')).url, baseUrl + 'a');

    bad = false;
    await client.flush();
    assert.equal((await client.entries())[0].state, 'conflict');
});

test('an error of a creation does not hold up the others', async t => {
    let bad = true;
    const { client, requests } = await reader(t, r =>
        r.method === 'POST' ? [201] : [204, tagged(2)], {
        idempotent: () => {
            if (bad) {
                throw new TypeError('unknown');
            }
        }
    });

    assert.equal((await client.create('c', { n: 1 })).state, 'queued');
    assert.equal((await client.save('b', { n: 1 })).state, 'done');
    assert.equal((await event(client, 'error')).error.message, 'unknown');

    bad = false;
    await client.flush();
    assert.deepEqual(await client.entries(), []);
    assert.deepEqual(requests.map(r => r.method), ['PUT', 'POST']);
});

test('what was sent and then throws is unknown', () => {
    const of = entry => putAside({ entry: { tries: 0, ...entry } },
                                 { retryAt: 1, reason: null }).entry.state;

    assert.deepEqual([
        of({ state: 'sending', link: { n: 1 } }),
        of({ state: 'sending', create: baseUrl + 'c' }),
        of({ state: 'queued', create: baseUrl + 'c' })
    ], ['unknown', 'unknown', 'queued']);
});

for (const status of [408, 423, 425, 429]) {
    test(`a GET with ${status} does not park the edit`, async t => {
        let busy = false;
        const { client } = await reader(t, r =>
            r.method === 'GET' ? busy ? [status] : [200, tagged(1), { n: 0 }]
            : r.headers.get('if-match') === '"2"' ? [204, tagged(3)] : [412],
            { reads: true });

        busy = true;
        assert.equal((await client.save('a', { n: 1 })).state, 'queued');

        /* the version is that of the edit: the API has another reason */

        busy = false;
        await client.flush();
        assert.equal((await client.entries())[0].reason.status, 412);
    });
}

test('a 409 that is cut off is sent again', async t => {
    let n = 0;
    const cut = () => new ReadableStream({
        start(stream) {
            stream.enqueue(new TextEncoder().encode('{"error":"lock'));
            stream.error(new TypeError('terminated'));
        }
    });
    const client = device(t, { baseUrl, fetch: async (url, { method }) =>
        method === 'GET' ? new Response('{}', { headers: tagged(1) })
        : ++n === 1 ? new Response(cut(), { status: 409 })
        : new Response(null, { status: 204, headers: tagged(2) }) });

    await client.get('a');
    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');
    await client.flush();
    assert.deepEqual([await client.entries(), n], [[], 2]);
});
