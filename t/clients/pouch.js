'use strict';

/*
 * Two devices that replicate with a database: pouch.js URL.  Prints what they
 * see, with nothing in it that another run would not see.
 */

const PouchDB = require('pouchdb-core')
    .plugin(require('pouchdb-adapter-memory'))
    .plugin(require('pouchdb-adapter-http'))
    .plugin(require('pouchdb-replication'));

const remote = new PouchDB(process.argv[2]);
const phone = new PouchDB('phone', { adapter: 'memory' });
const laptop = new PouchDB('laptop', { adapter: 'memory' });

function tell(what, ...values) {
    console.log(what + ': ' + values.join(' '));
}

(async () => {
    for (let i = 0; i < 5; i++) {
        await phone.put({ _id: 'org:n/' + i + '+é', text: 'a' + i, big: i });
    }

    let done = await phone.replicate.to(remote);
    tell('push', done.ok, done.docs_written, done.doc_write_failures);

    done = await laptop.replicate.from(remote);
    tell('pull', done.ok, done.docs_written);

    const doc = await remote.get('org:n/1+é');

    doc.text = 'direct';
    tell('put', (await remote.put(doc)).rev.slice(0, 2));

    doc.text = 'stale';

    try {
        await remote.put(doc);
        tell('stale put', 'accepted');
    } catch (e) {
        tell('stale put', e.status);
    }

    const mine = await laptop.get('org:n/1+é');

    mine.text = 'offline';
    await laptop.put(mine);
    done = await laptop.sync(remote);
    tell('sync', done.push.ok, done.pull.ok);

    const both = await remote.get('org:n/1+é', { conflicts: true });

    tell('revisions in conflict', (both._conflicts || []).length);

    await remote.remove(await remote.get('org:n/2+é'));
    done = await phone.replicate.from(remote);
    tell('pull after a delete', done.ok, done.docs_written);

    await remote.putAttachment('org:n/3+é', 'x.txt',
                               (await remote.get('org:n/3+é'))._rev,
                               Buffer.from('text'), 'text/plain');
    done = await laptop.replicate.from(remote, { batch_size: 1 });
    tell('resumed', done.ok, done.docs_read);
    tell('attachment',
         (await laptop.getAttachment('org:n/3+é', 'x.txt')).toString());

    const all = await remote.allDocs({ include_docs: true });

    for (const row of all.rows) {
        tell(row.id, row.value.rev.slice(0, 2), row.doc.big);
    }

})().catch(e => tell('failed', e.status, e.name, e.message))
    .finally(() => process.exit());
