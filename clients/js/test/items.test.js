/* Lists whose items have versions: these are the bases of edits. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RequestError } from '../node.js';
import { itemsOf } from '../lib/items.js';
import { baseUrl, conflict, device, fakeFetch, gate, tagged }
    from './helpers.js';

const item = id => `notes/${encodeURIComponent(id)}`;

test('the items of a document', () => {
    assert.deepEqual(itemsOf({ data: [
        { id: 1, n: 2, version: 7 }, { id: 'a', version: null }, { id: 'b' },
        { version: 8 }, 9, null, { id: 2, version: 'x' }
    ] }), [
        { id: 1, doc: { id: 1, n: 2 }, version: 7 },
        { id: 'a', doc: { id: 'a' }, version: null },
        { id: 'b', doc: { id: 'b' }, version: null },
        { id: 2, doc: { id: 2 }, version: null }
    ]);

    assert.deepEqual(itemsOf([{ key: 1, v: 3 }],
                             { items: '', id: 'key', version: 'v' }),
                     [{ id: 1, doc: { key: 1 }, version: 3 }]);
    assert.deepEqual(itemsOf({ 'a/b': [{}, [{ id: 1 }]] },
                             { items: '/a~1b/1' })[0].id, 1);
    assert.throws(() => itemsOf({ data: {} }), TypeError);
    assert.throws(() => itemsOf(null), TypeError);
});

test('an edit from a list', async t => {
    const api = fakeFetch(({ method, path }) =>
        path.endsWith('/notes')
        ? [200, tagged(3), { data: [{ id: 1, n: 0, version: 7 },
                                    { id: 'a b', n: 0, version: null }] }]
        : method === 'GET' ? [200, tagged(9), { id: 'a b', n: 5 }]
        : path.endsWith('/1') ? [204, tagged(8)]
        : conflict(9, { id: 'a b', n: 5 }));
    const client = device(t, { baseUrl, fetch: api.fetch });
    const items = await client.list('notes', { item });

    assert.deepEqual(items.map(({ url, version }) => [url, version]), [
        [`${baseUrl}notes/1`, 7], [`${baseUrl}notes/a%20b`, null]
    ]);

    assert.equal((await client.save(items[0].url, { id: 1, n: 1 })).state,
                 'done');

    const sent = api.requests.find(r => r.method === 'PUT');

    assert.equal(api.requests.filter(r => r.method === 'GET').length, 1);
    assert.match(sent.headers.get('conflict-chain')
                 || sent.headers.get('if-match'), /\b7\b/);
});

test('an older list does not become the base of edits that wait', async t => {
    const api = fakeFetch(({ method, path }) =>
        path.endsWith('/notes')
        ? [200, tagged(3), { data: [{ id: 1, n: 0, version: 7 }] }]
        : method === 'GET' ? [200, tagged(6), { id: 1, n: 0 }]
        : [204, tagged(8)]);
    const client = device(t, { baseUrl, fetch: api.fetch });

    await client.get('notes/1');
    client.pause();
    await client.save('notes/1', { id: 1, n: 1 });
    await client.list('notes', { item });
    await client.save('notes/1', { id: 1, n: 2 });
    await client.resume();

    const sent = api.requests.find(r => r.method === 'PUT');

    assert.match(sent.headers.get('conflict-chain')
                 || sent.headers.get('if-match'), /\b6\b/);
});

test('a list that was asked for earlier is not the base of an edit',
     async t => {
    const asked = gate(), answer = gate();
    const api = fakeFetch(async ({ method, path }) => {
        if (path.endsWith('/notes')) {
            asked.open();
            await answer.opened;

            return [200, tagged(3), { data: [{ id: 1, n: 0, version: 7 }] }];
        }

        return method === 'GET' ? [200, tagged(7), { id: 1, n: 0 }]
               : [204, tagged(api.requests.length)];
    });
    const client = device(t, { baseUrl, fetch: api.fetch });

    await client.get('notes/1');

    const listed = client.list('notes', { item });

    await asked.opened;

    const { version } = await client.save('notes/1', { id: 1, n: 1 });

    answer.open();
    await listed;
    await client.save('notes/1', { id: 1, n: 2 });
    assert.match(api.requests.at(-1).headers.get('conflict-chain'),
                 new RegExp(`;base=${version};`));
});

test('a list does not make the client forget the document', async t => {
    const api = fakeFetch(({ method, path }) =>
        path.endsWith('/notes')
        ? [200, tagged(3), { data: [{ id: 1, version: 7 }] }]
        : method === 'GET' ? [200, tagged(7), { id: 1, n: 0 }]
        : conflict(8, { id: 1, n: 5 }));
    const client = device(t, { baseUrl, fetch: api.fetch });

    await client.get('notes/1');
    await client.list('notes', { item });
    await client.save('notes/1', { id: 1, n: 1 });
    assert.deepEqual((await client.conflict('notes/1')).base,
                     { id: 1, n: 0 });
});

test('no list', async t => {
    for (const answer of [[404, {}, '{}'], [200, {}, 'x']]) {
        const client = device(t, { baseUrl,
                                   fetch: fakeFetch(() => answer).fetch });

        await assert.rejects(client.list('notes', { item }), RequestError);
    }
});
