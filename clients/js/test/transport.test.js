/* Requests and responses: redirections, headers, pages, and waits. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { readConflict } from '../lib/answer.js';
import { memoryStorage } from '../node.js';
import { baseUrl, device, event, fakeFetch, gate, networkError, reader, tagged }
    from './helpers.js';

test('an HTML page is known by its body, an answer by its status',
     async t => {
    for (const [headers, body, state] of [
        [{}, '<html>Welcome', 'unknown'],
        [{ 'Content-Type': 'application/xhtml+xml' }, '\n<html>', 'unknown'],
        [{ 'Content-Type': 'text/html', ETag: '"2"' }, '', 'done'],
        [{ 'Content-Type': 'text/html', ETag: '"2"' }, '{"n":1}', 'done']
    ]) {
        const { client } = await reader(t, () => [200, headers, body]);

        assert.equal((await client.save('a', { n: 1 })).state, state,
                     JSON.stringify([headers, body]));
    }
});

test('no redirection is followed: headers stay at their origin', async t => {
    const seen = [];
    const other = createServer((request, response) => {
        seen.push(request.url);
        response.end('{}');
    });
    const own = createServer((request, response) => {
        response.writeHead(307, {
            Location: `http://localhost:${other.address().port}/`
        });
        response.end();
    });

    for (const server of [other, own]) {
        await new Promise(resolve => server.listen(0, resolve));
        t.after(() => { server.close(); server.closeAllConnections?.(); });
    }

    const client = device(t, { baseUrl:
                               `http://localhost:${own.address().port}` });

    await assert.rejects(client.get('a'), { status: 307 });
    await assert.rejects(client.lock('a'), { status: 307 });
    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');
    await event(client, 'unauthorized');
    assert.deepEqual(seen, []);
});

test('a lock lasts for some time, or is none', async t => {
    for (const [expires_in, status] of [[undefined, 200], [null, 200],
                                        [0, 200], [5, undefined]])
    {
        const api = fakeFetch(() => [200, {},
                                     { lock: { token: 'x', expires_in } }]);
        const client = device(t, { baseUrl, fetch: api.fetch });

        assert.equal(await client.lock('a').then(() => undefined,
                                                 e => e.status),
                     status, `${expires_in}`);
    }
});

test('a header counts once, in any case of its name', async t => {
    const api = fakeFetch(() => [204, tagged(2)]);
    const client = device(t, {
        baseUrl, headers: { accept: 'text/x', 'content-type': 'text/y',
                            'if-match': '"0"' },

        /* which must not remove the others */

        fetch: (target, options) => api.fetch(target, {
            ...options, headers: { ...options.headers, 'x-own': '1' }
        })
    });

    await client.save('a', { n: 1 }, { version: 1 });
    assert.deepEqual(['accept', 'content-type', 'if-match', 'x-own'].map(
        name => api.requests[0].headers.get(name)),
                     ['text/x', 'application/json', '"1"', '1']);
});

test('a Retry-After that is not in the future keeps the backoff', async t => {
    for (const after of ['0', '-5', 'Wed, 01 Jan 2020 00:00:00 GMT']) {
        const { client } = await reader(t, () =>
            [503, { 'Retry-After': after }]);
        const now = Date.now();
        const { retryAt } = await client.save('a', { n: 1 });

        assert.ok(retryAt >= now + 500, `${after}: ${retryAt - now}`);
    }
});

test('a clock that was set back does not prolong the wait after 429',
     async t => {
    let busy = true;
    const { client } = await reader(t, () =>
        busy ? [429, { 'Retry-After': '60' }] : [204, tagged(2)]);
    const { now } = Date;

    await client.save('a', { n: 1 });
    busy = false;
    t.mock.method(Date, 'now', () => now() - 86400e3);
    assert.equal((await client.save('b', { n: 1 })).state, 'done');
});

test('a string in Conflict is not searched for the version', () => {
    assert.deepEqual(
        readConflict('merged;fields="x;version=5 \\";version=6";version=7'),
        { outcome: 'merged', version: 7 });
});

test('a device may have any name', async t => {
    const { fetch, requests } = fakeFetch(({ method }) =>
        method === 'GET' ? [200, tagged(1), { n: 0 }] : [204, tagged(2)]);
    const client = device(t, { baseUrl, fetch, device: 'Jürgen’s 📱' });

    await client.get('a');
    assert.equal((await client.save('a', { n: 1 })).state, 'done');

    for (const { headers } of requests) {
        assert.equal(Buffer.from(headers.get('x-client'), 'latin1').toString(),
                     'Jürgen’s 📱');
    }

    assert.throws(() => device(t, { baseUrl, fetch, device: "a\nb" }),
                  { name: 'TypeError', message: /"device".*"a\\nb"/ });
});

test('a page with 404 is no proof that a document was removed', async t => {
    for (const [body, status, state] of [
        ['<html>No such site', 200, 'parked'], ['<html>Not Found', 404, 'done'],
        ['{}', 200, 'done']
    ]) {
        let asked = 0;
        const { client } = await reader(t, ({ method }) =>
            method === 'GET' ? [asked++ ? status : 200, tagged(1), { n: 0 }]
            : [404, {}, body], { reads: true });

        asked = 1;
        assert.equal((await client.remove('a')).state, state, body);
    }
});

test('205 has no body, whatever its type', async t => {
    const client = device(t, { baseUrl, fetch: async (target, { method }) =>
        method === 'GET' ? new Response('{}', { headers: { ETag: '"a"' } })
        : new Response(null, { status: 205,
                               headers: { 'Content-Type': 'text/html' } }) });

    await client.get('x');
    assert.equal((await client.save('x', { n: 1 })).state, 'done');
});

test('edits for another API are not sent with the headers of this one',
     async t => {
    const storage = memoryStorage();
    let up = false;
    const api = fakeFetch(() => up ? [204, tagged(2)] : networkError());
    const of = host => device(t, {
        baseUrl: `https://${host}.test/`, fetch: api.fetch, storage,
        headers: { Authorization: host }, idempotent: true
    });
    const old = of('old');

    await old.save('x', { n: 1 }, { version: null });
    await old.create('y', { n: 1 });
    await old.close();

    up = true;
    api.requests.length = 0;

    const now = of('new');

    await now.flush();
    assert.deepEqual([api.requests, await now.entries()], [[], []]);

    /* but they are not lost */

    const again = of('old');

    await again.flush();
    assert.deepEqual(api.requests.map(r => [
        r.url, r.headers.get('authorization')
    ]), [['https://old.test/x', 'old'], ['https://old.test/y', 'old']]);
});

test('headers() that does not answer ends as a request does', async t => {
    let hangs = true;
    const { fetch, requests } = fakeFetch(() => [204, tagged(2)]);
    const client = device(t, {
        baseUrl, fetch, timeout: 1000,
        headers: () => hangs ? new Promise(() => {}) : { Authorization: 'a' }
    });

    const { state, reason } = await client.save('a', { n: 1 },
                                                { version: null });

    assert.deepEqual([state, reason.kind], ['queued', 'network']);
    hangs = false;
    await client.flush();
    assert.deepEqual([requests.length, await client.entries()], [1, []]);
});

test('fetch() that does not end, also by its signal, holds up nothing',
     async t => {
    const answers = [
        () => new Promise(() => {}),
        async () => new Response(new ReadableStream(),
                                 { headers: tagged(2) }),
        async () => new Response(new ReadableStream(), { status: 409 })
    ];

    for (const [i, state] of ['unknown', 'done', 'unknown'].entries()) {
        const client = device(t, { baseUrl, timeout: 100, fetch: answers[i] });

        /* a timer that is not one of the client keeps the process */

        const wait = setTimeout(() => {}, 10000);
        const saved = await client.save('a', { n: 1 }, { version: null });

        clearTimeout(wait);
        assert.equal(saved.state, state);
        client.pause();
    }
});

test('a change stream that is led to a login says so', async t => {
    const client = device(t, { baseUrl, fetch: async () => new Response(null, {
        status: 302, headers: { Location: '/login' }
    }) });

    client.watch('a', () => {});
    await event(client, 'unauthorized');
});

test('a busy API: the document as last read', async t => {
    for (const [status, stale] of [[429, true], [408, true], [503, true],
                                   [403, 'GET http://api.test/api/a: 403']])
    {
        const api = fakeFetch((request, n) => n === 1
            ? [200, tagged(1), { n: 1 }] : [status]);
        const client = device(t, { baseUrl, fetch: api.fetch });

        await client.get('a');
        assert.equal(await client.get('a').then(r => r.stale, e => e.message),
                     stale);
    }
});

test('a lock that is handed over: only the response says so', async t => {
    for (const [answer, expected] of [
        [[200, {}, { lock: null, handed_over: true }], true],
        [[200, {}, { lock: null }], false],
        [[200, { 'Content-Type': 'text/html' }, '<html>Welcome'], 200],
        [[302, { Location: '/login' }], 302],
        [[409, {}, { error: 'locked', lock: { user: 'bob' } }], 409],
        [networkError(), undefined]
    ]) {
        const api = fakeFetch(({ method }) => method === 'DELETE' ? answer
            : [200, {}, { lock: { token: 'x', expires_in: 60 } }]);
        const client = device(t, { baseUrl, fetch: api.fetch });
        const lock = await client.lock('a');

        assert.equal(await lock.handOver().catch(e => e.status), expected);
        assert.equal(lock.held, false);
        assert.equal(await lock.handOver(), false, 'it is released once');
    }
});

test('a document that is watched from headers(), which does not end',
     async t => {
    const { open, opened } = gate();
    let first = true;
    const client = device(t, {
        baseUrl,

        headers() {
            if (!first) {
                return {};
            }

            first = false;
            client.watch('b', () => {});

            return new Promise(() => {});
        },

        async fetch(target) {
            open(new URL(target).searchParams.getAll('resource'));
            throw networkError();
        }
    });

    client.watch('a', () => {});
    assert.deepEqual(await opened, ['/api/a', '/api/b']);
});

for (const [how, fails] of [
    ['throws', what => { throw new Error(what); }],
    ['is rejected', async what => { throw new Error(what); }]
]) {
    test('a function of a lock that ' + how, async t => {
        const waiting = [{ user: 'bob' }];
        const api = fakeFetch((r, n) => n === 1
            ? [200, {}, { lock: { token: 'x', expires_in: 60 }, waiting }]
            : [409, {}, { error: 'locked', lock: { user: 'bob' } }]);
        const client = device(t, { baseUrl, fetch: api.fetch });
        const lock = await client.lock('a', {
            onWaiting: () => fails('waiting'),
            onLost: () => fails('lost')
        });

        assert.deepEqual([lock.held, lock.waiting], [true, waiting]);
        assert.equal(await lock.renew(), false);
        assert.deepEqual(client.seen.filter(e => e.type === 'error').map(
            e => e.error.message), ['waiting', 'lost']);
    });
}

test('a path that is missing is not a resource of that name', async t => {
    const api = fakeFetch(() => [204, tagged(2)]);
    const client = device(t, { baseUrl, fetch: api.fetch });

    for (const path of [undefined, null]) {
        for (const call of [() => client.get(path), () => client.remove(path),
                            () => client.save(path, { n: 1 }),
                            () => client.create(path, { n: 1 }),
                            async () => client.watch(path, () => {})])
        {
            await assert.rejects(call(), TypeError);
        }
    }

    assert.deepEqual([api.requests, await client.entries()], [[], []]);
});
