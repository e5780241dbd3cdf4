/* What the types of clients/js let through, and what they do not. */

import { createClient, createInbox, keepMine, later, indexedDBStorage, fileStorage, merge,
         LockedError, type Conflict } from '../../clients/js/index.js';

interface Note { text: string; tags: string[] }

const client = createClient({
    baseUrl: new URL('http://localhost/api'), device: 'phone',
    storage: indexedDBStorage('ann'), headers: async () => ({ a: 'b' }),
    rules: { '/tags': 'union', '/rows': { rule: 'union', key: 'id' } },
    member: 'base_version', idempotent: url => url.endsWith('/orders'),
    onConflict: (c: Conflict<Note>) => c.clean ? c.merged! : c.keepTheirs
});

export async function use(): Promise<string | undefined> {
    const { doc, version, stale } = await client.get<Note>('notes/1');
    const saved = await client.save('notes/1', { ...doc!, text: 'x' });

    if (saved.state === 'done' && version !== saved.version && !stale) {
        return saved.doc?.text.trim();
    }

    client.addEventListener('progress', e => e.detail.queued.toFixed());
    client.addEventListener('lock', e => e.detail.holder?.user);
    await client.resolve('notes/1', keepMine);
    await client.resolve('notes/1', later);
    await client.resolve('notes/1', keepMine,
                         await client.conflict('notes/1') ?? undefined);
    await client.save('notes/2', { text: '' }, { version: null });

    /* @ts-expect-error: no such state */
    if (saved.state === 'sent') {
        return;
    }

    /* @ts-expect-error: there is no such option */
    createClient({ baseURL: '/' });

    const made = await client.create<Note>('notes', { text: '', tags: [] });

    if (made.state === 'parked' && made.reason?.kind === 'unknown') {
        await client.retry(made.id);

    } else if (made.location !== null) {
        await client.save(made.location, { ...made.doc!, text: 'y' });
    }

    for (const e of await client.entries()) {
        await client.discard('id' in e ? e.id : e.url);
    }

    client.addEventListener('saved', e =>
        'location' in e.detail ? e.detail.location : null);

    /* @ts-expect-error: it may have no URL */
    made.location.trim();

    try {
        const [one] = await client.list<{ text: string }>('notes', {
            item: id => `notes/${id}`, items: ''
        });
        const from: number | null = one.version;

        await client.save(one.url, one.doc.text);
        void from;

        const lock = await client.lock('notes/1', { onLost: ({ why }) => why });

        lock.touch();

    } catch (e) {
        return e instanceof LockedError ? e.holder?.user ?? '' : '';
    }

    const { current, versions } = await client.history('notes/1');

    await client.undo('notes/1', versions.at(-1)?.version ?? 0, { current });

    /* @ts-expect-error: a version is a number */
    await client.undo('notes/1', '1');

    const inbox = createInbox({ url: '/inbox', headers: { a: 'b' } });
    const { items } = await inbox.list({ route: '/api/' });
    const shown = await inbox.show<Note>(items[0].id);

    if (!await inbox.resolve(shown, shown.deleted ? keepMine : shown.mine)) {
        await inbox.discard(shown.item.id);
    }

    /* @ts-expect-error: what is held is not in a list */
    items[0].mine;

    createClient({ baseUrl: '/', storage: fileStorage('/tmp/x'),
                   versionsUrl: url => url + '/history' });

    return merge<Note>({ server: doc, local: doc }).doc.text;
}
