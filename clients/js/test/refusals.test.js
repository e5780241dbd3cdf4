/* Refusals and responses to a write that do not mean what they seem to. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keepMine } from '../node.js';
import { baseUrl, device, fakeFetch, networkError, reader, strict, tagged }
    from './helpers.js';

test('an earlier attempt that is still carried out is no refusal', async t => {
    const { client, requests } = await reader(t, (r, n) =>
        n === 1 ? networkError()
        : n === 2 ? [409, {}, { error: 'request_in_progress' }]
        : [204, tagged(2)]);

    assert.equal((await client.save('a', { n: 1 })).state, 'unknown');
    await client.flush();
    assert.equal((await client.entries())[0].state, 'unknown');
    await client.flush();
    assert.deepEqual(await client.entries(), []);
    assert.deepEqual(requests.map(r => r.method), ['PUT', 'PUT', 'PUT']);
});

test('another token after a lost response: a GET shows what was written',
     async t => {
    for (const [found, state] of [[{ n: 1 }, undefined], [null, 'parked']]) {
        const { fetch } = fakeFetch(({ method }, n) =>
            n === 1 ? networkError()
            : method === 'GET' ? (found ? [200, { ETag: '"1"' }, found] : [404])
            : [422, {}, { error: 'idempotency_key_reused' }]);
        const client = device(t, { baseUrl, fetch });

        await client.save('a', { n: 1 }, { version: null });
        await client.flush();
        assert.equal((await client.entries())[0]?.state, state);
    }
});

test('a status in the response to "{}" is not the document', async t => {
    const { client } = await reader(t, () => [200, tagged(2), { ok: true }]);

    assert.deepEqual((await client.save('a', {})).doc, {});
    assert.deepEqual((await client.save('b', { n: 1 })).doc, { n: 1 });
});

test('a document that is null is no removal', async t => {
    const api = strict({ n: 0 });
    const client = device(t, { baseUrl, fetch: api.fetch });

    await client.get('a');
    api.set({ n: 5 });
    await client.save('a', null);
    assert.equal((await client.conflict('a')).removed, false);

    await client.resolve('a', keepMine);
    assert.equal(api.doc, null);
});
