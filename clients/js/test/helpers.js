/* Functions that the tests share. */

import { get } from 'node:http';

import { createClient, memoryStorage } from '../node.js';

export const url = process.env.CONFLICT_URL;
export const api = process.env.CONFLICT_API;

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
