/* Functions that the tests share. */

import { get } from 'node:http';

import { createClient, memoryStorage } from '../node.js';

export const url = process.env.CONFLICT_URL;
export const api = process.env.CONFLICT_API;

/* of an API in the process */

export const baseUrl = 'http://api.test/api/';

let n = 0;

/* a name that no other test uses */

export function fresh(location) {
    return `${location}/t${process.pid}x${++n}`;
}

/* a client that is closed at the end of the test */

export function device(t, options = {}) {
    const client = createClient({
        baseUrl: url, storage: memoryStorage(), ...options
    });

    client.seen = [];

    for (const type of ['state', 'saved', 'conflict', 'parked', 'progress',
                        'unauthorized', 'storage', 'lock', 'error'])
    {
        client.addEventListener(type, e => {
            client.seen.push({ type, ...e.detail });
        });
    }

    t.after(() => client.close());

    return client;
}

/* the first event of the type that fits, also an earlier one */

export function event(client, type, fits = () => true) {
    const had = client.seen.find(e => e.type === type && fits(e));

    if (had) {
        return Promise.resolve(had);
    }

    return new Promise(resolve => {
        client.addEventListener(type, function look(e) {
            if (fits(e.detail)) {
                client.removeEventListener(type, look);
                resolve(e.detail);
            }
        });
    });
}

/* the writes that the API has done, oldest first */

export async function journal(path) {
    const all = await control('/_journal');
    const [, location, name] = path.split('/');
    const kind = ['own', 'etag'].includes(location) ? location : 'plain';

    return all.filter(w => w.path === `/${kind}/${location}-${name}`)
              .map(w => ({ ...w, headers: Object.fromEntries(w.headers),
                           doc: w.body ? JSON.parse(w.body) : null }));
}

/* a new connection for each, since the API closes it */

export function control(path) {
    return new Promise((resolve, reject) => {
        get(api + path, { agent: false }, async response => {
            resolve(JSON.parse((await response.toArray()).join('')));
        }).on('error', reject);
    });
}

/* an API in the process: answer(request) returns [status, headers, body] */

export function fakeFetch(answer) {
    const requests = [];

    async function fetch(target, options) {
        const request = {
            url: target, path: new URL(target).pathname,
            method: options.method, body: options.body,
            headers: new Headers(options.headers)
        };

        requests.push(request);

        const got = await answer(request, requests.length);

        if (got instanceof Error) {
            throw got;
        }

        const [status, headers = {}, body = null] = got;

        return new Response(status === 204 ? null
                            : typeof body === 'string' || body === null
                            ? body : JSON.stringify(body),
                            { status, headers });
    }

    return { fetch, requests };
}

export function networkError() {
    return new TypeError('fetch failed');
}

export function tagged(version) {
    return { ETag: `"${version}"`, Conflict: `passed;version=${version}` };
}

export function conflict(version, doc) {
    return [409, { ETag: `"${version}"`,
                   Conflict: `rejected;version=${version};base=1` },
            { error: 'version_conflict', version, server_version: doc }];
}

/* a client that has read version 1 of "a" and "b" */

export async function reader(t, answer, options = {}) {
    const api = fakeFetch((request, n) =>
        request.method === 'GET' && !options.reads
        ? [200, tagged(1), { n: 0 }] : answer(request, n));
    const client = device(t, { baseUrl, fetch: api.fetch, ...options });

    await client.get('a');
    await client.get('b');
    api.requests.length = 0;

    return { client, ...api };
}

/* an API with one document and a version that it checks */

export function strict(doc, { chained = true } = {}) {
    const state = { version: 1, doc, hook: null };
    const fields = () => chained ? tagged(state.version)
                                 : { ETag: `"${state.version}"` };

    state.set = doc => {
        state.doc = doc;
        state.version++;
    };

    const { fetch, requests } = fakeFetch(async request => {
        const hooked = await state.hook?.(request);

        if (hooked) {
            return hooked;
        }

        if (request.method === 'GET') {
            return [200, fields(), state.doc];
        }

        if (request.headers.get('if-match') !== `"${state.version}"`
            && !/n=([2-9])$/.test(request.headers.get('conflict-chain')))
        {
            return conflict(state.version, state.doc);
        }

        state.set(JSON.parse(request.body));

        return [204, fields()];
    });

    return Object.assign(state, { fetch, requests });
}

export function gate() {
    let open;
    const opened = new Promise(resolve => { open = resolve; });

    return { open, opened };
}
