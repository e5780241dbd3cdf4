'use strict';

/*
 * Pages in a browser without a screen: browser.js CASE URL [ORIGIN [OTHER]].
 * ORIGIN may use the API at URL, OTHER may not; a page is served there, where
 * none is given by URL itself.  Prints "ok" or "not ok" and the name of each
 * check.
 */

const fs = require('fs');
const http = require('http');
const path = require('path');
const { chromium } = require('playwright-core');

const [name, api, origin, other] = process.argv.slice(2);

function check(good, what, got) {
    console.log((good ? 'ok ' : 'not ok ') + what
                + (good ? '' : ' ' + JSON.stringify(got)));
}

function is(got, want, what) {
    check(JSON.stringify(got) === JSON.stringify(want), what, got);
}

/* in the page: what a script can read of an answer */

async function ask(method, url, headers, body) {
    try {
        const r = await fetch(url, {
            method, headers, body: body && JSON.stringify(body)
        });
        const text = await r.text();

        return {
            status: r.status, etag: r.headers.get('etag'),
            conflict: r.headers.get('conflict'),
            retry: r.headers.get('retry-after'),
            total: r.headers.get('x-total'),
            body: /^[{[]/.test(text) ? JSON.parse(text) : text
        };

    } catch (e) {
        return { threw: e.name };
    }
}

/* a page of another origin: versions, refusals, locks */

async function elsewhere(open) {
    const page = await open(origin);
    const go = (...args) => page.evaluate(
        ([source, args]) => (0, eval)('(' + source + ')')(...args),
        [ask.toString(), args]);
    const json = { 'Content-Type': 'application/json' };

    let r = await go('POST', api + '/api/notes', json, { text: 'new' });
    is(r.status, 201, 'created');

    const url = api + '/api/notes/' + r.body.id;

    r = await go('GET', url);
    is(r.status, 200, 'read');
    check(/^"?/.test(r.etag) && r.etag, 'its tag', r);
    check(/^passed;version=\d+/.test(r.conflict), 'its version', r);

    const first = r.etag, version = r.body.version;

    is(typeof version, 'number', 'which is in the document, too');

    r = await go('PUT', url, json, { text: 'one', version });
    is(r.status, 200, 'edited');
    check(r.etag !== first || /version=/.test(r.conflict), 'another', r);

    const conflict = r.conflict;

    r = await go('PUT', url, json, { text: 'stale', version });
    is([r.status, r.body.error, r.body.server_version
        && r.body.server_version.text],
       [409, 'version_conflict', 'one'], 'a refusal, and its body');
    check(r.etag && r.etag !== first, 'its tag', r);
    check(/^rejected;version=\d+;base=\d+/.test(r.conflict),
          'its field', r);
    is(r.conflict.split(';')[1], conflict.split(';')[1],
       'says the version of the edit');

    const headers = Object.assign({
        'X-Client': 'laptop', 'Idempotency-Key': 'k1',
        'Authorization': 'Bearer x'
    }, json);

    r = await go('PUT', url, Object.assign({ 'If-Match': first }, headers),
                 { text: 'stale' });
    is([r.status, r.body.error], [409, 'version_conflict'], 'by If-Match');

    const tag = r.etag;

    r = await go('PUT', url, Object.assign({ 'If-Match': tag }, headers),
                 { text: 'two' });
    is(r.status, 200, 'edited by the tag of the refusal');

    /* what is refused before the API is asked */

    r = await go('PUT', url, json, { text: 'x', version: [] });
    is([r.status, r.body && r.body.error], [400, 'malformed_base'],
       'a base that is none');

    /* locks */

    r = await go('POST', url + '/lock', { 'X-Client': 'laptop' });
    is([r.status, r.body.mine], [200, true], 'a lock');

    const token = { 'Lock-Token': r.body.lock.token };

    r = await go('GET', url + '/lock');
    is([r.status, r.body.mine, r.body.lock && r.body.lock.client],
       [200, false, 'laptop'], 'seen by others');
    r = await go('POST', url + '/lock', { 'X-Client': 'phone' });
    is([r.status, r.body.error], [409, 'locked'], 'held');
    check(+r.retry > 0, 'for how long', r);
    r = await go('PUT', url, headers, { text: 'mine' });
    is([r.status, r.body.error], [409, 'locked'], 'so is the document');
    r = await go('PUT', url, Object.assign({}, headers, token),
                 { text: 'three' });
    is(r.status, 200, 'whose holder writes');
    r = await go('DELETE', url + '/lock', token);
    is([r.status, r.body.lock], [200, null], 'and ends it');

    r = await go('DELETE', url, { 'If-Match': first });
    is(r.status, 409, 'a stale DELETE');
    r = await go('DELETE', url, { 'If-Match': (await go('GET', url)).etag });
    is(r.status, 204, 'a DELETE');

    /* who is not allowed sees nothing */

    const evil = await open(other);
    const try_ = (...args) => evil.evaluate(
        ([source, args]) => (0, eval)('(' + source + ')')(...args),
        [ask.toString(), args]);

    for (const [method, path] of [['GET', ''], ['PUT', ''],
                                  ['POST', '/lock'], ['DELETE', '/lock']])
    {
        r = await try_(method, url + path, token,
                       method === 'PUT' ? { text: 'x' } : undefined);
        is(r, { threw: 'TypeError' }, 'another origin: ' + method + path);
    }
}

/* the frontend of two devices, which calls its body nothing at all */

async function snippet(open) {
    const devices = [await open(), await open()];

    const [a, b] = devices.map(page => (note, body) => page.evaluate(
        async ([note, body]) => {
            const showMergeUI = (mine, server) => ({ mine, server });

            async function saveNote(note, body) {
                const res = await fetch(`/api/notes/${note.id}`, {
                    method: 'PUT',
                    body: JSON.stringify({ body, base_version: note.version }),
                });
                if (res.status === 409) {
                    const { server_version } = await res.json();
                    return showMergeUI(body, server_version.body);
                }
                return { saved: res.status,
                         conflict: res.headers.get('conflict') };
            }

            return saveNote(note, body);
        }, [note, body]));

    const read = id => devices[0].evaluate(
        async id => (await fetch('/api/notes/' + id)).json(), id);

    const { id } = await devices[0].evaluate(async () => {
        const r = await fetch('/api/notes', {
            method: 'POST', body: JSON.stringify({ body: 'first' })
        });
        return r.json();
    });

    const note = await read(id);

    is(typeof note.version, 'number', 'the version is in the document');

    let said = await a(note, 'of the phone');
    is(said.saved, 200, 'the first device saves');
    check(/^passed;version=/.test(said.conflict), 'and was checked', said);

    said = await b(note, 'of the laptop');
    is(said, { mine: 'of the laptop', server: 'of the phone' },
       'the second is shown both');

    const now = await read(id);

    is(now.body, 'of the phone', 'no edit is gone');
    is(now.base_version, undefined, 'and nothing else is in it');

    said = await b(now, 'of both');
    is(said.saved, 200, 'put together');
    is((await read(id)).body, 'of both', 'and saved');

    const same = await read(id);
    const both = await Promise.all([a(same, 'x'), b(same, 'y')]);

    is(both.filter(one => one.saved).length, 1, 'one of two at once');
}

/* the client library, from another origin */

async function library(open) {
    const page = await open(origin);
    const note = await (await fetch(api + '/api/notes', {
        method: 'POST', body: '{"text":"new"}'
    })).json();

    const got = await page.evaluate(async ([base, id]) => {
        const { createClient, memoryStorage, keepMine }
            = await import('/client/index.js');
        const make = device => createClient({
            baseUrl: base, device, member: 'version',
            storage: memoryStorage(), headers: { Authorization: 'Bearer x' },
            onConflict: c => {
                got.push([c.base.text, c.local.text, c.server.text]);
                return keepMine;
            }
        });
        const got = [], a = make('phone'), b = make('laptop');
        const { doc } = await a.get(id);

        await b.get(id);

        const saves = [1, 2].map(n => a.save(id, { ...doc, text: 'a' + n }));

        got.push((await Promise.all(saves)).map(r => r.state));
        got.push((await b.save(id, { ...doc, text: 'b' })).state);

        const lock = await b.lock(id);

        got.push((await a.save(id, { ...doc, text: 'c' })).reason?.error);
        await lock.release();
        got.push((await a.save('0', { text: 'none' })).reason?.status);

        return got;

    }, [api + '/api/notes', String(note.id)]);

    is(got[0], ['done', 'done'], 'a write, and one beside it');
    is(got[1], ['new', 'b', 'a2'], 'a conflict');
    is(got[2], 'done', 'and its end');
    is(got[3], 'locked', 'a lock');
    is(got[4], 404, 'to make one, which this API does by POST');
}

/* modules of the library, for pages */

function serve(req, res) {
    const [, name] = /^\/client\/([\w/]+\.js)$/.exec(req.url) || [];

    res.setHeader('Content-Type', name ? 'text/javascript' : 'text/html');
    res.end(name ? fs.readFileSync(path.join(__dirname, '../../clients/js',
                                             name))
                 : '<!doctype html><title>page</title>');
}

(async () => {
    const servers = [];

    for (const one of [origin, other].filter(Boolean)) {
        await new Promise(done => servers.push(http.createServer(
            serve).listen(new URL(one).port, '127.0.0.1', done)));
    }

    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu']
    });

    async function open(where) {
        const page = await (await browser.newContext()).newPage();

        await page.goto((where || api) + '/');
        return page;
    }

    try {
        await { elsewhere, library, snippet }[name](open);

    } catch (e) {
        check(false, e.stack);
    }

    await browser.close();
    servers.forEach(server => server.close());
})();
