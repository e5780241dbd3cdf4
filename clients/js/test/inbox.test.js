/* The inbox of nginx: two people, of whom one was too late. */

import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';

import { createInbox, keepMine, keepTheirs, RequestError } from '../node.js';
import { baseUrl, device, fakeFetch, fresh, journal, url } from './helpers.js';

const test = (name, fn) => nodeTest(name, { skip: !url && 'no nginx' }, fn);

/* a write by ann that is refused; the inboxes of both */

async function late(t) {
    const path = fresh('/held');
    const user = name => ({ 'X-User': name });
    const ann = createInbox({ url: url + '/inbox', headers: user('ann'),
                              device: 'laptop' });
    const bob = createInbox({ url: url + '/inbox', headers: user('bob') });

    const a = device(t, { headers: user('ann') });
    const b = device(t, { headers: user('bob') });

    await b.save(path, { text: 'first' });
    await a.get(path);
    await b.save(path, { text: 'bob' });

    const saved = await a.save(path, { text: 'ann' });

    assert.equal(saved.state, 'conflict');
    await a.discard(path);

    const { items: [item] } = await ann.list({ resource: path });

    return { path, ann, bob, b, item };
}

test('a body that is held is written after all', async t => {
    const { path, ann, bob, item } = await late(t);

    assert.equal(item.kind, 'refused');
    assert.equal(item.user, 'ann');
    assert.deepEqual((await bob.list({ resource: path })).items, []);
    await assert.rejects(bob.show(item.id), e => e instanceof RequestError
                                                 && e.status === 404);

    const shown = await ann.show(item.id);

    assert.equal(shown.mine.text, 'ann');
    assert.equal(shown.theirs.text, 'bob');
    assert.equal(await ann.resolve(shown, keepMine), true);
    assert.equal((await journal(path)).at(-1).doc.text, 'ann');
});

test('the resource has changed since: it is shown again', async t => {
    const { path, ann, b, item } = await late(t);
    const shown = await ann.show(item.id);

    await b.save(path, { text: 'bob again' });
    assert.equal(await ann.resolve(shown, { text: 'both' }), false);

    const again = await ann.show(item.id);

    assert.equal(again.theirs.text, 'bob again');
    assert.equal(await ann.resolve(again, { text: 'both' }), true);
    assert.equal((await journal(path)).at(-1).doc.text, 'both');
});

test('theirs, or discarded', async t => {
    const one = await late(t), two = await late(t);

    assert.equal(await one.ann.resolve(await one.ann.show(one.item.id),
                                       keepTheirs), true);
    await two.ann.discard(two.item.id);

    for (const { path, ann, item } of [one, two]) {
        assert.equal((await journal(path)).at(-1).doc.text, 'bob');
        await assert.rejects(ann.show(item.id), { status: 404 });
    }
});

test('a page at a time', async t => {
    const { ann } = await late(t);
    await late(t);

    const one = await ann.list({ limit: 1 });
    const two = await ann.list({ limit: 1, before: one.next });

    assert.equal(one.items.length, 1);
    assert.ok(two.items[0].held_at < one.items[0].held_at);
    await assert.rejects(ann.list({ limit: 0 }), { status: 400 });
});

/* responses of another server, or in another place */

function answered(...answer) {
    return createInbox({ url: baseUrl, ...fakeFetch(() => answer) });
}

const shown = { item: { id: 'a' }, version: 5 };

nodeTest('a page of a login or a hotspot has resolved nothing', async () => {
    const page = answered(200, { 'Content-Type': 'text/html' }, '<html>');

    for (const asked of [page.resolve(shown, keepMine),
                         page.resolve(shown, { text: 'both' }),
                         page.resolve(shown, keepTheirs), page.discard('a')])
    {
        await assert.rejects(asked, { name: 'RequestError', status: 200 });
    }

    const api = answered(200, { 'Content-Type': 'text/html',
                                Conflict: 'passed;version=6' }, '');

    assert.equal(await api.resolve(shown, keepMine), true);
});

nodeTest('false says that the resource has changed, and nothing else',
         async () => {
    for (const error of ['locked', 'write_in_progress']) {
        await assert.rejects(answered(409, {}, { error }).resolve(
            shown, keepMine), { name: 'RequestError', status: 409 });
    }

    for (const [status, body] of [[412, ''],
                                  [409, { error: 'version_conflict' }]])
    {
        assert.equal(await answered(status, {}, body).resolve(
            shown, keepMine), false);
    }
});
