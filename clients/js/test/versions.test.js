/* The versions of a resource, through nginx with the module. */

import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';

import { RequestError } from '../node.js';
import { device, fresh, journal, url } from './helpers.js';

const test = (name, fn) => nodeTest(name, { skip: !url && 'no nginx' }, fn);

function user(t, name, options = {}) {
    return device(t, { device: name, headers: { 'X-User': name }, ...options });
}

/* the list, once it has a note of each write */

async function listed(client, path, writes) {
    for ( ;; ) {
        const list = await client.history(path);

        if (list.versions.filter(v => !v.unknown).length === writes) {
            return list;
        }
    }
}

test('who has made which version', async t => {
    const path = fresh('/version');
    const ann = user(t, 'ann'), bob = user(t, 'bob');

    await ann.save(path, { n: 1 });
    await bob.get(path);
    await bob.save(path, { n: 2 });

    const { current, versions } = await listed(ann, path, 2);

    assert.equal(current, versions[0].version);
    assert.deepEqual(versions.map(v => [v.user, v.client, v.held]),
                     [['bob', 'bob', false], ['ann', 'ann', true]]);
});

test('undo', async t => {
    const path = fresh('/version');
    const ann = user(t, 'ann'), bob = user(t, 'bob');

    await ann.save(path, { n: 1 });
    await bob.get(path);
    await bob.save(path, { n: 2 });

    const { current, versions } = await listed(ann, path, 2);
    const old = versions.at(-1).version;
    const done = await ann.undo(path, old, { current });

    assert.equal(done.state, 'done');
    assert.deepEqual((await ann.get(path)).doc, { n: 1 });
    assert.deepEqual((await journal(path)).map(w => w.doc.n), [1, 2, 1]);

    /* the list is out of date: a conflict, and nothing is overwritten */

    await bob.get(path);
    await bob.save(path, { n: 3 });

    const again = await ann.undo(path, old, { current });

    assert.equal(again.state, 'conflict');
    assert.equal((await ann.conflict(path)).server.n, 3);

    /* a new list is asked for if none is given */

    await ann.discard(path);
    assert.equal((await ann.undo(path, old)).state, 'done');
    assert.deepEqual((await journal(path)).at(-1).doc, { n: 1 });
});

test('what this user was not shown', async t => {
    const path = fresh('/version');
    const ann = user(t, 'ann'), bob = user(t, 'bob');

    await ann.save(path, { n: 1 });

    const { current } = await listed(ann, path, 1);

    await assert.rejects(bob.undo(path, current), e =>
        e instanceof RequestError && e.status === 404
        && e.body.includes('version_not_held'));
    await assert.rejects(bob.undo(path, current, { current: null }),
                         RequestError);
    await assert.rejects(bob.history(fresh('/version')), e =>
        e.status === 404);
    assert.equal((await journal(path)).length, 1);
});

test('a URL of its own', async t => {
    const path = fresh('/version');
    const ann = user(t, 'ann', { versionsUrl: at => at + '/versions?x=y' });

    await ann.save(path, { n: 1 });

    const { current } = await listed(ann, path, 1);

    assert.equal((await ann.undo(path, current)).state, 'done');
});
