'use strict';

/*
 * The examples of docs/clients.md, of docs/lock.md and of the README of
 * clients/js, against nginx: pages.js URL.  Prints "ok" or "not ok" and the
 * name of each check.
 */

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');
const axios = require('axios');

const [url] = process.argv.slice(2);
const top = path.join(__dirname, '..', '..');
const page = fs.readFileSync(path.join(top, 'docs/clients.md'), 'utf8');
const readme = fs.readFileSync(path.join(top, 'clients/js/README.md'), 'utf8');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pages-'));
const { fetch } = globalThis;

/* Node 18 has it, but not by that name */

globalThis.crypto ??= require('crypto').webcrypto;

function is(got, want, what) {
    const good = JSON.stringify(got) === JSON.stringify(want);

    console.log((good ? 'ok ' : 'not ok ') + what
                + (good ? '' : ' ' + JSON.stringify(got)));
}

/* the code of a section */

function example(text, section, language) {
    const [, rest] = text.split(`\n## ${section}\n`);
    const [, code] = new RegExp('^```' + language + '\\n(.*?)^```', 'ms')
                     .exec(rest);

    return code.replaceAll('https://api.example.com', url);
}

function load(name, code) {
    fs.writeFileSync(path.join(dir, name), code);

    return import(path.join(dir, name));
}

async function put(name, doc) {
    await fetch(`${url}/api/${name}`, {
        method: 'PUT', body: JSON.stringify(doc),
        headers: { 'Content-Type': 'application/json' }
    });
}

async function get(name) {
    return (await fetch(`${url}/api/${name}`)).json();
}

/* somebody else writes just before this one does, once */

function meddle(name, doc) {
    globalThis.fetch = async (target, options) => {
        if (options?.method === 'PUT') {
            globalThis.fetch = fetch;
            await put(name, doc);
        }

        return fetch(target, options);
    };
}

(async () => {
    fs.mkdirSync(path.join(dir, 'node_modules'));
    fs.symlinkSync(path.join(top, 'clients/js'),
                   path.join(dir, 'node_modules/conflict-client'));

    const said = [], { log } = console;

    await put('notes/1', { text: 'milk', done: false });
    meddle('notes/1', { text: 'bread', done: true });
    console.log = (...args) => said.push(args.join(' '));
    await load('library.mjs', example(page, 'JavaScript', 'js'));
    console.log = log;
    is(await get('notes/1'), { text: 'bread\noat milk', done: true },
       'JavaScript');
    is(said.includes('clash: /text'), true, 'and what it has printed');

    await put('notes/1', { text: 'milk', done: false });
    fs.writeFileSync(path.join(dir, 'example.py'),
                     example(page, 'Python', 'python'));

    const python = spawnSync('python3', [path.join(dir, 'example.py')], {
        encoding: 'utf8',
        env: { ...process.env, PYTHONPATH: path.join(top, 'clients/python'),
               PYTHONDONTWRITEBYTECODE: '1' }
    });

    is([python.stderr, await get('notes/1')],
       ['', { text: 'soy milk', done: false }], 'Python');

    const { update } = await load('fetch.mjs', example(page, 'fetch', 'js'));

    await put('counter', { n: 0 });
    await Promise.all([1, 2, 3, 4, 5].map(() => update(
        url + '/api/counter', doc => ({ ...doc, n: doc.n + 1 }))));
    is(await get('counter'), { n: 5 }, 'fetch');

    globalThis.fetch = async (target, options) => {
        if (options?.method === 'PUT') {
            globalThis.fetch = fetch;

            return new Response('{}', { status: 503,
                                        headers: { 'Retry-After': '0' } });
        }

        return fetch(target, options);
    };

    await update(url + '/api/counter', doc => {
        doc.n--;
        return doc;
    });
    is(await get('counter'), { n: 4 }, 'the same bytes are sent again');

    let puts = 0;

    globalThis.fetch = async (target, options) => {
        if (options?.method === 'PUT' && ++puts < 10) {
            return new Response('{}', { status: 503, headers: {
                'Retry-After': new Date(0).toUTCString()
            } });
        }

        return fetch(target, options);
    };

    await update(url + '/api/counter', doc => doc).catch(() => {});
    globalThis.fetch = fetch;
    is(puts, 1, 'a date in Retry-After does not lead to a loop');

    const { guard } = await load('axios.mjs', example(page, 'axios', 'js'));
    const one = axios.create({ baseURL: url }), two = axios.create({
        baseURL: url
    });

    guard(one);
    guard(two);
    await one.get('/api/counter');
    await two.get('/api/counter');
    await one.put('/api/counter', { n: 6 });

    const error = await two.put('/api/counter', { n: 7 }).catch(e => e);

    is(error.latest, { n: 6 }, 'axios');
    await two.put('/api/counter', { n: 8 });
    is(await get('counter'), { n: 8 }, 'and on what it was shown');

    const large = { text: 'x'.repeat(5000) };

    await put('large', { n: 1 });
    await two.get('/api/large');
    await fetch(url + '/api/large', {
        method: 'PUT', headers: { 'If-Match': '*' },
        body: JSON.stringify(large)
    });

    for (const n of [2, 3]) {
        await two.put('/api/large', { n }).catch(e => e);
    }

    is(await get('large'), large, 'and not on what it was not shown');

    /* a form opens twice, and is closed */

    const locks = fs.readFileSync(path.join(top, 'docs/lock.md'), 'utf8');
    const { edit } = await load('lock.mjs', 'export '
                                + example(locks, 'In a browser', 'js'));
    let close;

    globalThis.addEventListener = (name, f) => { close = f; };

    const held = await edit(url + '/api/counter');
    const other = await edit(url + '/api/counter');

    is(Object.keys(other.by).includes('user'), true, 'a lock that is held');

    const write = headers => fetch(url + '/api/counter', {
        method: 'PUT', headers, body: '{"n":9}'
    });

    is([(await write({})).status, (await write(held.headers)).status],
       [409, 204], 'is for its holder');
    close();

    for ( ;; ) {
        if ((await write({})).status === 204) {
            break;
        }
    }

    is((await edit(url + '/api/counter')).by, undefined, 'and is released');

    /* the merge of the README, beside the comment below it */

    const code = example(readme, 'Merging', 'js').replace(
        'merge({', 'export const merged = merge({');
    const { merged } = await load('merge.mjs', code);
    const comment = code.split('\n').filter(l => l.startsWith('//'))
                        .map(l => l.slice(3)).join('');

    is(merged, (0, eval)(`(${comment})`), 'the merge in the README');

})().catch(e => is(e.stack, '', 'an error')).finally(() => {
    fs.rmSync(dir, { recursive: true });
    process.exit();
});
