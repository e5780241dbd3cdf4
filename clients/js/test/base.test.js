/*
 * What an edit is based on, with other tabs, lost responses and answers that
 * come late: no edit of another client may be overwritten.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keepMine, keepTheirs, memoryStorage } from '../node.js';
import { baseUrl, conflict, device, event, fakeFetch, gate, networkError,
         reader, strict, tagged }
    from './helpers.js';

test('the base is what this client was shown, not another tab', async t => {
    const api = strict({ a: 0, b: 0 }), storage = memoryStorage();
    const one = device(t, { baseUrl, fetch: api.fetch, storage });
    const two = device(t, { baseUrl, fetch: api.fetch, storage });

    await one.get('x');
    await two.get('x');
    assert.equal((await one.save('x', { a: 1, b: 0 })).state, 'done');
    assert.equal((await two.save('x', { a: 0, b: 2 })).state, 'conflict');
    assert.deepEqual((await two.conflict('x')).merged, { a: 1, b: 2 });
    await two.resolve('x', { a: 1, b: 2 });

    /* an edit that was sent in the background is what it was shown */

    await one.get('x');
    one.pause();
    assert.equal((await one.save('x', { a: 3, b: 2 })).state, 'queued');
    await one.resume();
    assert.equal((await one.save('x', { a: 4, b: 2 })).state, 'done');
    one.pause();
    await one.save('x', { a: 5, b: 2 });
    await one.resume();
    await two.get('x');
    await two.save('x', { a: 5, b: 6 });
    assert.equal((await one.save('x', { a: 7, b: 2 })).state, 'conflict');
});

test('a stated version is the base of the edit', async t => {
    for (const chained of [true, false]) {
        const api = strict({ n: 0 }, { chained });
        const client = device(t, { baseUrl, fetch: api.fetch });
        const { version } = await client.get('x');

        api.set({ n: 5 });
        await client.get('x');
        assert.equal((await client.save('x', { n: 1 }, { version })).state,
                     'conflict');
        await client.resolve('x', keepTheirs);

        const saved = await client.save('x', { n: 6 }, { version: 2 });

        assert.deepEqual([saved.state, saved.version], ['done', 3]);
        assert.equal((await client.save('x', { n: 7 }, saved)).state, 'done');
    }
});

test('an API with tags: they are the versions', async t => {
    let tag = '"1.a"';
    const { client, requests } = await reader(t, r =>
        r.method === 'GET' ? [200, { ETag: tag }, { n: tag.length }]
        : r.headers.get('if-match') === tag ? [204, { ETag: tag += 'x' }]
                                            : [412], { reads: true });

    for (tag of ['W/"a"', '"a"', '"12345678901234567890"']) {
        const { version } = await client.get('a');
        const { state } = await client.save('a', { n: 0 }, { version });

        assert.deepEqual([version, state], [tag.slice(0, -1), 'done']);
        assert.equal(requests.at(-1).headers.get('if-match'), version);
    }
});

for (const [first, second] of [
    ['"12345678901234567890"', '"12345678901234567891"'],
    ['"1.aaa"', '"1.bbb"']
]) {
    test(`${first} is not ${second}`, async t => {
        let tag = first;
        const { client } = await reader(t, r => r.method === 'GET'
            ? [200, { ETag: tag }, { n: tag }] : [412], { reads: true });

        tag = second;
        assert.equal((await client.save('a', { n: 0 })).state, 'conflict');
    });
}

test('a stated version does not end the chain that has it', async t => {
    const { open, opened } = gate();
    let puts = 0;
    const { client, requests } = await reader(t, async () => {
        switch (++puts) {
        case 1:
            await opened;
            return [204, tagged(2)];
        case 2:
            return [503, { 'Retry-After': '30' },
                    { error: 'store_unavailable' }];
        default:
            return [204, tagged(3)];
        }
    });
    const first = client.save('a', { n: 1 }, { version: 1 });

    await event(client, 'state', e => e.state === 'sending');

    const second = client.save('a', { n: 2 }, { version: 1 });

    await event(client, 'state', e => e.doc?.n === 2);
    open();
    await Promise.all([first, second]);
    await client.save('a', { n: 3 }, { version: 1 });
    await client.flush();
    assert.match(requests.at(-1).headers.get('conflict-chain'),
                 /;base=1;n=2$/);
    assert.deepEqual(await client.entries(), []);
});

test('an answer resolves only the conflict that it was asked about',
     async t => {
    const answers = [];
    const api = strict({ a: 0, b: 0 });
    const client = device(t, { baseUrl, fetch: api.fetch, onConflict: c =>
        new Promise(resolve => answers.push(() => resolve(c.merged))) });

    await client.get('x');
    api.set({ a: 1, b: 0 });
    client.save('x', { a: 0, b: 9 });
    await event(client, 'conflict');

    /* resolved elsewhere, and another client has written again */

    api.set({ a: 2, b: 0 });
    client.resolve('x', { a: 1, b: 9 });
    await event(client, 'conflict', c => c.server.a === 2);
    answers[0]();

    while (answers.length < 2) {
        await new Promise(resolve => setImmediate(resolve));
    }

    assert.deepEqual(api.doc, { a: 2, b: 0 });
    answers[1]();
    await client.flush();
    assert.deepEqual(api.doc, { a: 2, b: 9 });
});

test('replayed without a chain: an edit since then is compared', async t => {
    const { open, opened } = gate();
    const api = strict({ a: 0 }, { chained: false });
    const client = device(t, { baseUrl, fetch: api.fetch });
    let puts = 0;

    api.hook = async request => {
        if (request.method !== 'PUT') {
            return null;
        }

        if (++puts === 1) {
            api.set({ a: 1 });
            api.set({ a: 1, other: true });
            await opened;

            return networkError();
        }

        return puts > 2 ? null
            : [200, { ETag: '"3"', Conflict: 'replayed;version=3' }, api.doc];
    };

    await client.get('x');

    const first = client.save('x', { a: 1 });

    await event(client, 'state', e => e.state === 'sending');

    const second = client.save('x', { a: 2 });

    await event(client, 'state', e => e.doc?.a === 2);
    open();
    await Promise.all([first, second]);
    await client.flush();
    assert.deepEqual((await client.conflict('x')).merged,
                     { a: 2, other: true });
});

test('sum: equal increments of two devices are two, also with a draft',
     async t => {
    const { open, opened } = gate();
    const api = strict({ n: 1 });
    const client = device(t, { baseUrl, fetch: api.fetch,
                               rules: { '/n': 'sum' },
                               onConflict: c => c.merged });

    api.hook = async request => {
        if (request.method === 'PUT') {
            api.hook = null;
            await opened;
            api.set({ n: 2 });
        }
    };

    await client.get('x');

    const first = client.save('x', { n: 2 });

    await event(client, 'state', e => e.state === 'sending');

    const second = client.save('x', { n: 3 });

    await event(client, 'state', e => e.doc?.n === 3);
    open();
    await Promise.all([first, second]);
    await client.flush();
    assert.deepEqual(api.doc, { n: 4 });
});

test('a parked edit that may have been written is not forgotten', async t => {
    const answers = [[504], [422], [412]];
    const { client, requests } = await reader(t, r =>
        r.path !== '/api/new' ? [200, tagged(1), { n: 0 }]
        : r.method === 'GET' ? [200, tagged(9), { n: 1 }] : answers.shift(),
                                              { reads: true });

    await client.save('new', { n: 1 });
    await client.flush();
    assert.equal((await client.entries())[0].state, 'parked');
    assert.equal((await client.remove('new')).state, 'conflict');
    assert.deepEqual(requests.map(r => r.method),
                     ['PUT', 'PUT', 'DELETE', 'GET']);
});

test('a link that may have been written keeps its number', async t => {
    const { open, opened } = gate();
    const { client, requests } = await reader(t, async (r, n) => {
        await opened;

        return n === 1 ? [504] : n === 2 ? [422] : [204, tagged(2)];
    });
    const first = client.save('a', { n: 1 });

    await event(client, 'state', e => e.state === 'sending');

    const second = client.save('a', { n: 2 });

    await event(client, 'state', e => e.doc?.n === 2);
    open();
    await Promise.all([first, second]);
    await client.flush();
    assert.deepEqual(requests.map(r => r.headers.get('conflict-chain')
                                                .replace(/.*;/, '')),
                     ['n=1', 'n=1', 'n=2']);
});

/* two tabs that have read the document */

async function tabs(t, doc, options = {}) {
    const api = strict(doc, options);
    const storage = memoryStorage();
    const [one, two] = [1, 2].map(() => device(t, {
        baseUrl, fetch: api.fetch, storage, ...options
    }));

    await one.get('x');
    await two.get('x');

    return { api, one, two, storage };
}

for (const version of [undefined, 1]) {
    test(`two tabs without network${version ? ', a stated version' : ''}: `
         + 'an edit does not replace that of the other tab', async t => {
        const { api, one, two } = await tabs(t, { a: 0, b: 0 });

        one.pause();
        two.pause();
        await one.save('x', { a: 1, b: 0 });
        assert.equal((await two.save('x', { a: 0, b: 1 }, { version })).state,
                     'queued');
        await two.save('x', { a: 0, b: 2 });
        assert.deepEqual((await one.get('x')).doc, { a: 1, b: 0 });
        assert.deepEqual((await two.get('x')).doc, { a: 0, b: 2 });
        assert.deepEqual((await one.entries()).map(e => e.doc),
                         [{ a: 1, b: 0 }, { a: 0, b: 2 }]);
        await event(two, 'progress', e => e.queued === 2 && e.total === 2);

        await one.resume();
        assert.deepEqual(api.doc, { a: 1, b: 0 });

        const c = await two.conflict('x');

        assert.deepEqual([c.base, c.merged, c.clean],
                         [{ a: 0, b: 0 }, { a: 1, b: 2 }, true]);
    });
}

test('an edit of the document that another tab has edited further',
     async t => {
    const { one, two } = await tabs(t, { a: 0, b: 0 });

    one.pause();
    two.pause();
    await one.save('x', { a: 1, b: 0 });
    await two.get('x');
    await one.save('x', { a: 2, b: 0 });
    await two.save('x', { a: 1, b: 1 });
    await one.resume();

    const c = await two.conflict('x');

    assert.deepEqual([c.base, c.server, c.local],
                     [{ a: 1, b: 0 }, { a: 2, b: 0 }, { a: 1, b: 1 }]);
});

test('a tab continues the edits of another one that it has shown',
     async t => {
    const { api, one, two } = await tabs(t, { a: 0 });

    one.pause();
    two.pause();
    await one.save('x', { a: 1 });
    await two.get('x');
    await two.save('x', { a: 2 });
    await one.resume();
    assert.deepEqual([api.doc, api.version], [{ a: 2 }, 2]);
    await two.resume();
    assert.equal((await two.save('x', { a: 3 })).state, 'done');
    assert.equal((await one.save('x', { a: 4 })).state, 'conflict');
});

test('discard: the edit of another tab stays', async t => {
    const { api, one, two } = await tabs(t, { a: 0, b: 0 });

    one.pause();
    two.pause();
    await one.save('x', { a: 1, b: 0 });
    await two.save('x', { a: 0, b: 1 });
    assert.deepEqual((await two.discard('x')).doc, { a: 0, b: 1 });
    await two.save('x', { a: 0, b: 2 });
    assert.deepEqual((await one.discard('x')).doc, { a: 1, b: 0 });
    await two.resume();
    assert.deepEqual(api.doc, { a: 0, b: 2 });
});

test('a client that has shown nothing has no base', async t => {
    const { api, storage } = await tabs(t, { a: 1 });
    const next = device(t, { baseUrl, fetch: api.fetch, storage });

    assert.equal((await next.save('x', { a: 2 })).state, 'conflict');
    assert.deepEqual(api.doc, { a: 1 });
    await next.discard('x');
    assert.equal((await next.save('x', { a: 2 }, { version: 1 })).state,
                 'done');
});

test('the base is what was shown when save() was called', async t => {
    const api = strict({ a: 0, b: 0 }), memory = memoryStorage();
    let stored = () => {}, saved;
    const client = device(t, { baseUrl, fetch: api.fetch, storage: {
        ...memory,

        update(url, fn) {
            stored();

            return memory.update(url, fn);
        }
    } });

    await client.get('x');
    api.set({ a: 1, b: 0 });

    /* a response that is stored, and has not been returned yet */

    stored = () => {
        stored = () => {};
        saved = client.save('x', { a: 0, b: 1 });
    };

    const read = await client.get('x');

    assert.equal((await saved).state, 'conflict');
    assert.deepEqual(read.doc, { a: 0, b: 1 }, 'the edit is shown');
    await client.resolve('x', { a: 1, b: 1 });

    const [, second] = await Promise.all([
        client.get('x'), client.save('x', { a: 1, b: 2 })
    ]);

    assert.equal(second.state, 'done');
    assert.equal((await client.save('x', { a: 1, b: 3 })).state, 'done');

    /* without network */

    client.pause();

    const [offline] = await Promise.all([
        client.save('x', { a: 1, b: 4 }), client.get('x')
    ]);

    assert.equal(offline.state, 'queued');
    await client.save('x', { a: 1, b: 5 });
    assert.equal((await client.entries()).length, 1);
});

test('an answer of onConflict is not yet shown', async t => {
    const asked = [];
    const { api, one } = await tabs(t, { a: 0, b: 0 }, {
        onConflict: c => { asked.push(c); return c.merged; }
    });

    api.set({ a: 1, b: 0 });
    assert.equal((await one.save('x', { a: 0, b: 1 })).state, 'done');

    /* the editor still has its own document */

    assert.equal((await one.save('x', { a: 0, b: 2 })).state, 'done');
    assert.deepEqual(api.doc, { a: 1, b: 2 });
    assert.deepEqual(asked.map(c => c.base), [{ a: 0, b: 0 },
                                              { a: 0, b: 1 }]);

    await one.get('x');
    assert.equal((await one.save('x', { a: 1, b: 3 })).state, 'done');
    assert.equal(asked.length, 2);
});

test('an answer by resolve() is shown', async t => {
    const { api, one } = await tabs(t, { a: 0 });

    for (const answer of [{ a: 9 }, keepTheirs, keepMine]) {
        api.set({ a: api.version });
        await one.save('x', { a: -api.version });
        assert.equal((await one.resolve('x', answer)).state, 'done');
        assert.equal((await one.save('x', { a: 100 })).state, 'done');
    }
});

test('resolve() of a conflict that has been replaced', async t => {
    const { api, one } = await tabs(t, { a: 0, b: 0 });

    api.set({ a: 1, b: 0 });
    await one.save('x', { a: 0, b: 1 });

    const first = await one.conflict('x');

    api.set({ a: 2, b: 0 });
    assert.equal((await one.resolve('x', { a: 1, b: 1 }, first)).state,
                 'conflict');
    assert.equal((await one.resolve('x', keepMine, first)).state,
                 'conflict');
    assert.deepEqual(api.doc, { a: 2, b: 0 });

    const second = await one.conflict('x');

    await one.save('x', { a: 0, b: 5 });
    assert.equal((await one.resolve('x', { a: 2, b: 1 }, second)).state,
                 'conflict', 'and not of one with another edit');
    await one.resolve('x', { a: 2, b: 5 }, await one.conflict('x'));
    assert.deepEqual(api.doc, { a: 2, b: 5 });
});

for (const chained of [true, false]) {
    test(`an edit after a merge by the server, ${chained ? '' : 'no '}chain`,
         async t => {
        const { api, one } = await tabs(t, { a: 0, b: 0 }, { chained });

        api.hook = request => {
            if (request.method !== 'PUT') {
                return null;
            }

            api.hook = null;
            api.set({ a: 1, b: 1 });

            return [204, { ETag: `"${api.version}"`, Conflict:
                           'merged' + (chained ? ';version=2' : '') }];
        };

        const saved = await one.save('x', { a: 0, b: 1 });

        assert.deepEqual([saved.state, saved.doc], ['done', { a: 1, b: 1 }]);

        /* the editor still has its own document */

        const { state } = await one.save('x', { a: 0, b: 2 });
        const { headers } = api.requests.findLast(r => r.method === 'PUT');

        if (chained) {
            assert.match(headers.get('conflict-chain'), /;base=1;n=2$/);
            return;
        }

        assert.equal(state, 'conflict');
        assert.deepEqual((await one.conflict('x')).merged, { a: 1, b: 2 });
        await one.discard('x');
        await one.get('x');

        const { version } = await one.get('x');

        assert.equal((await one.save('x', { a: 1, b: 3 }, { version })).state,
                     'done');
    });
}

test('an API that changes what it stores: no conflict with oneself',
     async t => {
    const api = strict({ a: 0, at: 0 });
    const client = device(t, { baseUrl, fetch: api.fetch });

    await client.get('x');

    for (let a = 1; a <= 3; a++) {
        api.hook = request => {
            if (request.method !== 'PUT' || request.headers.get('if-match')
                                            !== `"${api.version}"`)
            {
                return null;
            }

            api.set({ ...JSON.parse(request.body), at: a });

            return [200, tagged(api.version), api.doc];
        };

        assert.equal((await client.save('x', { a, at: 0 })).state, 'done');
    }

    assert.deepEqual(api.doc, { a: 3, at: 3 });
});

test('a write whose response has no version', async t => {
    const api = strict({ a: 0 });
    const client = device(t, { baseUrl, fetch: api.fetch });

    api.hook = request => {
        if (request.method !== 'PUT'
            || request.headers.get('if-match') !== `"${api.version}"`)
        {
            return null;
        }

        api.set(JSON.parse(request.body));

        return [204];
    };

    let { version } = await client.get('x');

    for (let a = 1; a <= 3; a++) {
        const saved = await client.save('x', { a }, { version });

        assert.deepEqual([saved.state, saved.doc, saved.version],
                         ['done', { a }, null]);
        ({ version } = saved);
    }

    api.set({ a: 9 });
    assert.equal((await client.save('x', { a: 4 }, { version })).state,
                 'conflict');
});

test('a merge whose result cannot be read', async t => {
    let down = false;
    const { client } = await reader(t, r => r.method === 'GET'
        ? down ? [503] : [200, tagged(1), { n: 0 }]
        : [204, { ETag: '"2"', Conflict: 'merged;version=2' }],
                                    { reads: true });

    down = true;

    const { state, doc, version } = await client.save('a', { n: 1 });

    assert.deepEqual([state, doc, version], ['done', { n: 1 }, null]);
});

test('an edit after a dropped one does not overwrite the server\'s document',
     async t => {
    const { client, requests } = await reader(t, () =>
        [200, { ETag: '"2"', Conflict: 'dropped;version=2' }, { n: 9 }]);

    assert.equal((await client.save('a', { n: 1 })).state, 'parked');
    assert.equal((await client.save('a', { n: 2 })).state, 'parked');
    assert.deepEqual(requests.map(r => r.headers.get('if-match')),
                     ['"1"', '"1"']);
    await client.retry('a');
    assert.equal(requests.at(-1).headers.get('if-match'), '"2"');
});

test('sum: an increment after a lost response', async t => {
    const { open, opened } = gate();
    const asked = [];
    const { client } = await reader(t, async (r, n) => {
        await opened;

        return n === 1 ? [504] : conflict(3, { n: 3 });
    }, { rules: { '/n': { rule: 'sum' } }, onConflict: c => {
        asked.push(c);
    } });

    const first = client.save('a', { n: 1 });

    await event(client, 'state', e => e.state === 'sending');

    const second = client.save('a', { n: 3 });

    await event(client, 'state', e => e.doc?.n === 3);
    open();
    await Promise.all([first, second]);
    await client.flush();
    assert.deepEqual(asked.map(c => c.local), [{ n: 3 }]);
});

/* what was read as absent is there now, which only the list has shown */

test('a removal of what an earlier GET did not find is sent', async t => {
    for (const how of ['list', 'version', 'create']) {
        let there = false;
        const { fetch, requests } = fakeFetch(r =>
            r.method === 'POST' ? [201, { Location: '/api/notes/9' }, { n: 1 }]
            : r.method === 'DELETE' ? [204]
            : r.path === '/api/notes'
            ? [200, { Conflict: 'passed' }, { data: [{ id: 9, version: 7 }] }]
            : there ? [200, tagged(7), { n: 1 }] : [404, {}, {}]);
        const client = device(t, { baseUrl, fetch });

        await client.get('notes/9');
        there = true;

        if (how === 'list') {
            await client.list('notes', { item: id => `notes/${id}` });

        } else if (how === 'create') {
            await client.create('notes', { n: 1 });
        }

        const gone = await client.remove('notes/9', how === 'version'
                                                    ? { version: 7 } : {});
        const { method, headers } = requests.at(-1);

        assert.deepEqual([gone.state, method, headers.get('if-match')],
                         ['done', 'DELETE', '"7"'], how);

        const { length } = requests;

        assert.equal((await client.remove('notes/9')).state, 'done');
        assert.equal(requests.length, length, 'it is gone');
    }
});
