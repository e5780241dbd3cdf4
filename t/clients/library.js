'use strict';

/*
 * clients/js in a browser without a screen: library.js URL API.  URL has the
 * library at /client/ and an empty page at /page, API is what is behind it.
 * Prints "ok" or "not ok" and the name of each check.
 */

const http = require('http');
const { chromium } = require('playwright-core');

const PATIENCE = 30000;        /* ms, on a machine that is slow and busy */

const [url, api] = process.argv.slice(2);

function check(good, what, got) {
    console.log((good ? 'ok ' : 'not ok ') + what
                + (good ? '' : ' ' + JSON.stringify(got)));
}

function is(got, want, what) {
    check(JSON.stringify(got) === JSON.stringify(want), what, got);
}

/* a connection each, since the API ends it */

function control(path) {
    return new Promise((resolve, reject) => {
        http.get(api + path, { agent: false }, async response => {
            resolve(JSON.parse((await response.toArray()).join('')));
        }).on('error', reject);
    });
}

/* what the API has written, by name */

async function journal(name) {
    return (await control('/_journal')).filter(
        w => w.path === '/plain/version-' + name).map(
        w => w.body ? JSON.parse(w.body).n : null);
}

/*
 * Until it is so: "so" is a function here, or with a page one that runs there.
 * The page is asked from here, as a browser need not draw what nobody sees,
 * and a wait in vain says which one it was, and what the page has.
 */

async function until(what, so, page, arg) {
    const over = new Promise(resolve => {
        setTimeout(resolve, PATIENCE, 'over');
    });

    for ( ;; ) {
        const is = await Promise.race([over, page ? page.evaluate(so, arg)
                                                  : so()]);

        if (is === 'over') {
            throw new Error(`waited in vain: ${what}: `
                            + (page ? await state(page) : ''));
        }

        if (is) {
            return;
        }

        await new Promise(resolve => setTimeout(resolve, 20));
    }
}

async function state(page) {
    const late = new Promise(resolve => {
        setTimeout(resolve, 5000, 'the page does not answer');
    });

    return JSON.stringify(await Promise.race([late, page.evaluate(
        async () => ({ online: navigator.onLine, seen, asked, puts,
                       entries: await client.entries() })
    ).catch(e => e.message)]));
}

/* until the API has so many */

async function written(name, n) {
    await until(`${n} writes of ${name}`,
                async () => (await journal(name)).length >= n);

    return journal(name);
}

/* a page with a client: window.client, and window.seen of its events */

async function visit(context, options = {}) {
    const page = await context.newPage();

    page.on('pageerror', e => check(false, 'an error in the page', e.stack));
    await page.goto(url + '/page');
    await ready(page, options);

    return page;
}

function ready(page, options = {}) {
    return page.evaluate(async ({ paused, script, answer }) => {
        const library = await import('/client/index.js');
        const wait = {};

        window.library = library;
        window.seen = [];
        window.asked = [];
        window.puts = 0;
        window.client = library.createClient({
            baseUrl: location.origin + '/version', idempotent: true,
            fetch: (url, options) => {
                window.puts += options.method === 'PUT';

                return fetch(url, options);
            },
            headers: () => window.script ? { 'X-Up-Write': window.script }
                                         : {},
            onConflict: answer && (c => {
                window.asked.push(c.url);

                return new Promise(resolve => {
                    window.answer = () => resolve(c[answer]);
                });
            })
        });
        window.script = script;

        for (const type of ['state', 'saved', 'progress', 'conflict',
                            'storage', 'error'])
        {
            client.addEventListener(type, e => {
                window.seen.push([type, e.detail]);
            });
        }

        if (paused) {
            client.pause();
        }
    }, options);
}

const read = (page, name) => page.evaluate(
    async name => (await client.get(name)).doc, name);
const save = (page, name, n) => page.evaluate(
    ([name, n]) => client.save(name, { n }), [name, n]);
const start = (page, name, n) => page.evaluate(
    ([name, n]) => { client.save(name, { n }); }, [name, n]);
const entries = page => page.evaluate(
    async () => (await client.entries()).map(e => [
        e.url.replace(/.*\//, ''), e.state, e.doc && e.doc.n]));

async function outbox(context, name) {
    let page = await visit(context, { paused: true });

    for (const n of [1, 2, 3]) {
        const r = await save(page, name, n);

        is([r.state, r.durable], ['queued', true], `${name}: edit ${n}`);
    }

    is(await read(page, name), { n: 3 }, 'is read back');
    await page.reload();
    await ready(page);
    is(await written(name, 1), [3], 'a reload, and it is sent, as one');

    /* without network */

    await context.setOffline(true);
    is(await read(page, name), { n: 3 }, 'read from the cache');
    await save(page, name, 4);
    await save(page, name, 5);
    is(await entries(page), [[name, 'queued', 5]], 'offline');
    await context.setOffline(false);
    is(await written(name, 2), [3, 5], 'online again, by its event');

    /* a page that goes while its write is at the API */

    const begun = await control('/_begun?n=0');

    await page.evaluate(() => { window.script = 'hold apply'; });
    await start(page, name, 6);
    await control('/_begun?n=' + (begun + 1));
    await page.close();
    await control('/_release');
    await written(name, 3);

    page = await visit(context);
    await until('the next visit sends it',
                async () => (await client.entries()).length === 0, page);
    await read(page, name);
    is((await save(page, name, 7)).state, 'done', 'the next one is done');
    is(await journal(name), [3, 5, 6, 7], 'what was not answered is there'
       + ' once');
    await page.close();
}

async function tabs(context, prefix) {
    const one = await visit(context, { paused: true });
    const two = await visit(context, { paused: true });
    const names = [1, 2, 3, 4, 5].map(n => prefix + n);

    for (const [i, name] of names.entries()) {
        await save(i % 2 ? one : two, name, i);
    }

    is((await entries(one)).map(e => e[0]), names, `${prefix}: one outbox`);
    await until('it tells of the edits of both', () => seen.some(
        ([type, d]) => type === 'progress' && d.queued === 5), two);
    check(true, 'of which both tabs tell');

    await Promise.all([one, two, one].map(page => page.evaluate(
        () => client.resume())));

    for (const page of [one, two]) {
        await until('the outbox is sent',
                    async () => (await client.entries()).length === 0, page);
    }

    const sent = await Promise.all(names.map(journal));

    is(sent, [[0], [1], [2], [3], [4]], 'each is written once');
    is(await one.evaluate(() => puts) + await two.evaluate(() => puts), 5,
       'and sent by one of them');

    /* both show the same document */

    await read(one, names[0]);
    await read(two, names[0]);
    await save(one, names[0], 8);
    is((await save(two, names[0], 9)).state, 'conflict',
       'a tab does not overwrite the edit of the other');
    await two.evaluate(name => client.discard(name), names[0]);

    /* without network */

    await read(one, names[1]);
    await read(two, names[1]);
    await context.setOffline(true);
    await save(one, names[1], 8);
    await save(two, names[1], 9);
    is((await entries(one)).map(e => e.slice(1)), [['queued', 8],
                                                   ['queued', 9]],
       'nor without network');
    await context.setOffline(false);
    await until('the second edit is refused', async name =>
        await client.conflict(name) !== null, two, names[1]);
    is(await written(names[1], 2), [1, 8], 'the first one is written');
    await two.evaluate(name => client.discard(name), names[1]);
    await one.close();
    await two.close();
}

/* one tab has it, and goes; another one is open */

async function bequest(context, name) {
    const one = await visit(context), two = await visit(context);

    await one.evaluate(() => { window.script = 'close'; });
    await save(one, name, 1);
    await one.close();
    is(await written(name, 1), [1], 'another tab has done it');
    await two.close();
}

async function conflicts(context, name) {
    const other = { method: 'PUT', body: '{"n":1}',
                    headers: { 'Content-Type': 'application/json' } };
    const page = await visit(context, { paused: true, answer: 'keepMine' });

    await fetch(`${url}/version/${name}`, other);
    await save(page, name, 2);

    const tab = await visit(context, { answer: 'keepMine' });

    await until('a tab asks', () => asked.length === 1, tab);
    await page.evaluate(() => client.resume());
    is(await page.evaluate(() => asked), [], 'one tab asks');
    is((await entries(page))[0].slice(1), ['conflict', 2], 'both know');

    await tab.close();
    await page.reload();
    await ready(page, { answer: 'keepMine' });
    await until('the next visit asks', () => asked.length === 1, page);
    check(true, 'the next visit asks again');

    /* two devices in a page, as in a demonstration */

    is(await page.evaluate(name => new Promise(resolve => {
        const other = library.createClient({
            baseUrl: location.origin + '/version',
            storage: library.indexedDBStorage('another'),
            onConflict: c => resolve(c.local)
        });

        other.save(name, { n: 3 });
    }), name), { n: 3 }, 'each device is asked');
    await page.evaluate(() => answer());
    is(await written(name, 2), [1, 2], 'and what is said is done');
    await page.close();
}

/* two creations without network, a reload, and a page that goes meanwhile */

async function creations(context, name) {
    const path = `${url}/orders/${name}`;
    const create = (page, n) => page.evaluate(
        ([path, n]) => client.create(path, { n }), [path, n]);
    const orders = async () => (await control('/_journal')).filter(
        w => w.path === '/plain/orders-' + name).map(
        w => JSON.parse(w.body).n);
    const ordered = async n => {
        await until(`${n} orders`, async () => (await orders()).length >= n);

        return orders();
    };
    let page = await visit(context, { paused: true });

    for (const n of [1, 2]) {
        const r = await create(page, n);

        is([r.state, r.durable], ['queued', true], `a creation: ${n}`);
    }

    await page.reload();
    await ready(page, { paused: true });
    is((await entries(page)).filter(([of]) => of === name),
       [[name, 'queued', 1], [name, 'queued', 2]],
       'after a reload they are there');
    await page.evaluate(() => client.resume());
    is(await ordered(2), [1, 2], 'and are sent, in order');

    const begun = await control('/_begun?n=0');

    await page.evaluate(() => { window.script = 'hold apply'; });
    await page.evaluate(path => { client.create(path, { n: 3 }); }, path);
    await control('/_begun?n=' + (begun + 1));
    await page.close();
    await control('/_release');
    await ordered(3);

    page = await visit(context);
    await until('the next visit has the answer', () => seen.some(
        ([type, d]) => type === 'saved' && d.outcome === 'replayed'), page);
    is(await orders(), [1, 2, 3], 'what was not answered is there once');
    await page.close();
}

async function lock(context, name) {
    const page = await visit(context);

    await save(page, name, 1);
    await page.evaluate(async name => { await client.lock(name); }, name);

    const ask = async method => (await fetch(
        `${url}/version/${name}/lock`, { method })).status;

    is(await ask('POST'), 409, 'a lock');
    is((await save(page, name, 2)).state, 'done', 'its holder writes');
    await page.goto('about:blank');

    await until('the lock is free', async () => await ask('POST') === 200);
    check(true, 'is gone with its page');
    await page.close();
}

async function broken(browser, name) {
    const faults = {
        open() {
            IDBFactory.prototype.open = () => {
                throw new DOMException('denied', 'SecurityError');
            };
        },
        hang() {
            IDBFactory.prototype.open = () => ({});
        },
        put() {
            IDBObjectStore.prototype.put = () => {
                throw new DOMException('full', 'QuotaExceededError');
            };
        }
    };

    for (const how of Object.keys(faults)) {
        const context = await browser.newContext();

        await context.addInitScript({
            content: `({ ${faults[how]} }).${how}()`
        });

        const page = await visit(context, { paused: true });
        const r = await save(page, name + how, 1);

        is([r.state, r.durable], ['queued', false], `${how}: it is told`);
        check(await page.evaluate(() => seen.some(
            ([type, d]) => type === 'storage' && d.durable === false)),
              'by an event, too');
        await page.evaluate(() => client.resume());
        is(await written(name + how, 1), [1], 'and is sent');
        await context.close();
    }

    /* the site's data is cleared while a page is open */

    const context = await browser.newContext();
    const page = await visit(context);

    await save(page, name, 1);
    await page.evaluate(() => new Promise((resolve, reject) => {
        const r = indexedDB.deleteDatabase('conflict-client:default');

        r.onsuccess = resolve;
        r.onerror = r.onblocked = reject;
    }));
    await page.evaluate(n => client.get(n), name);

    const r = await save(page, name, 2);

    is([r.state, r.durable], ['done', true], 'a database that was deleted');
    await context.close();
}

/* clear() in one tab, while another one reads */

async function logout(context, name) {
    const [one, two] = [await visit(context), await visit(context)];
    let asked, answer;
    const reading = new Promise(resolve => { asked = resolve; });
    const held = new Promise(resolve => { answer = resolve; });

    await save(one, name, 1);
    await two.route('**/version/' + name, async route => {
        asked();
        await held;
        await route.continue();
    });

    const got = two.evaluate(n => client.get(n).then(() => 'shown',
                                                     e => e.message), name);

    await reading;
    await one.evaluate(() => client.clear());
    answer();
    is(await got, 'clear() was called', 'a logout ends what other tabs read');
    is(await one.evaluate(() => new Promise((resolve, reject) => {
        const r = indexedDB.open('conflict-client:default');

        r.onerror = reject;
        r.onsuccess = () => {
            r.result.transaction('records').objectStore('records').getAllKeys()
                .onsuccess = e => { r.result.close();
                                    resolve(e.target.result); };
        };
    })), [], 'and leaves nothing');
}

(async () => {
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium', args: ['--no-sandbox']
    });
    const id = 'p' + process.pid;

    for (const locks of [true, false]) {
        const context = await browser.newContext();

        if (!locks) {
            await context.addInitScript(() => Object.defineProperty(
                Navigator.prototype, 'locks', { value: undefined }));
        }

        await outbox(context, `${id}out${locks}`);
        await tabs(context, `${id}tabs${locks}`);
        await context.close();
    }

    const context = await browser.newContext();

    await bequest(context, id + 'bequest');
    await conflicts(context, id + 'asked');
    await creations(context, id + 'orders');
    await lock(context, id + 'lock');
    await logout(context, id + 'logout');
    await context.close();
    await broken(browser, id + 'broken');
    await browser.close();

})().catch(e => check(false, e.stack)).finally(() => process.exit());
