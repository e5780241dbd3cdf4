/*
 * Changes of documents as they happen (docs/events.md): one stream for all
 * that is watched, which reconnects.  A change by this client is not told.
 */

import { isBusy, isRedirection, retryAfter } from './answer.js';
import { isObject, parse } from './json.js';
import { RequestError } from './transport.js';

const BACK_OFF = 500;          /* milliseconds, after the first failure */
const LONGEST = 60000;
const JITTER = 0.5;
const SEEN = 32;               /* versions of a document */

/* events that say one thing of a document; others are of a kind of their own */

const KIND = {
    version: 'state', deleted: 'state', unknown: 'state', gone: 'state',
    locked: 'lock', unlocked: 'lock'
};

export class Watcher {
    #core; #watched = new Map(); #seen = new Map(); #turns = new Map();
    #abort = null; #running = null; #id = null; #retry = 2000; #failures = 0;
    #wake = null; #restart = false;

    constructor(core) {
        this.#core = core;
    }

    /* returns a function that ends it */

    watch(url, handler) {
        const { pathname, search } = new URL(url);
        const resource = pathname + search;
        const one = { url, handler };

        if (!this.#watched.has(resource)) {
            this.#watched.set(resource, new Set());
            this.#seen.set(url, []);
            this.#again();
        }

        this.#watched.get(resource).add(one);

        return () => {
            const all = this.#watched.get(resource);

            if (all?.delete(one) && all.size === 0) {
                this.#watched.delete(resource);
                this.#seen.delete(url);
                this.#again();
            }
        };
    }

    /* a version that this client has made or read: no change by others */

    seen(url, version) {
        if (version === undefined || version === null) {
            return;
        }

        const all = this.#seen.get(url);

        if (all) {
            all.push(String(version));
            all.splice(0, all.length - SEEN);
        }
    }

    /* the network is back */

    wake() {
        this.#failures = 0;
        this.#wake?.();
    }

    /* what still waits is told to nobody, and reads the storage no more */

    async close() {
        this.#watched.clear();
        this.#again();

        await this.#running;
        await Promise.all([...this.#turns.values()].map(turn => turn.done));
    }

    /* connects once more, with the resources of now */

    #again() {
        this.#restart = true;
        this.#abort?.abort();
        this.#wake?.();

        this.#running ??= this.#run().finally(() => {
            this.#running = null;
        });
    }

    async #run() {
        /* all that is watched in this turn is in the first request */

        await null;

        while (this.#watched.size && !this.#core.closed) {
            this.#restart = false;

            const wait = await this.#connect().catch(() => this.#failed());

            if (!this.#restart) {
                await this.#pause(wait);
            }
        }
    }

    #failed(after = 0) {
        const wait = Math.min(LONGEST, BACK_OFF * 2 ** this.#failures++);

        return Math.max(wait, after);
    }

    /* a timer that is too long for the browser ends at once */

    #pause(wait) {
        const most = Math.min(wait, this.#core.options.maxWait,
                              (2 ** 31 - 1) / (1 + JITTER));

        return new Promise(resolve => {
            const timer = setTimeout(resolve,
                                     most * (1 + JITTER * Math.random()));

            this.#wake = () => {
                clearTimeout(timer);
                resolve();
            };
        }).finally(() => {
            this.#wake = null;
        });
    }

    /* one stream; returns how long to wait before the next */

    async #connect() {
        const { transport, options } = this.#core;
        const resources = [...this.#watched.keys()];
        const url = new URL(transport.eventsUrl());
        const abort = this.#abort = new AbortController();
        let silence = null;

        for (const resource of resources) {
            url.searchParams.append('resource', resource);
        }

        /* a connection that has died says nothing, not even heartbeats */

        const heard = () => {
            clearTimeout(silence);
            silence = setTimeout(() => abort.abort(), options.silence);
            silence.unref?.();
        };

        try {
            heard();

            const response = await transport.stream(url.href, this.#id,
                                                    abort.signal);

            if (!response.ok || !response.body) {
                return await this.#refused(response, resources);
            }

            this.#failures = 0;
            await this.#read(response.body, heard);

            return this.#retry;

        } finally {
            clearTimeout(silence);
            abort.abort();
            this.#abort = null;
        }
    }

    async #refused(response, resources) {
        const { status } = response;

        const text = await response.text().catch(() => '');

        if (status === 401 || isRedirection(response)) {
            this.#core.emit('unauthorized', { url: response.url });
        }

        if ([401, 403, 404, 410].includes(status)) {
            for (const resource of resources) {
                this.#tell(resource, { type: 'gone', status });
            }

        } else if (status >= 400 && status < 500 && !isBusy(status)) {
            /* such as too many resources: none of them is watched */

            this.#core.emit('error', { error: new RequestError(
                `the change stream was answered with ${status}`,
                { status, body: text }) });
        }

        return this.#failed(retryAfter(response) ?? 0);
    }

    async #read(body, heard) {
        const decoder = new TextDecoder();
        const reader = body.getReader();
        let text = '';

        for ( ;; ) {
            const { done, value } = await reader.read();

            if (done) {
                return;
            }

            heard();
            text += decoder.decode(value, { stream: true });

            const blocks = text.split('\n\n');

            text = blocks.pop();

            for (const block of blocks) {
                this.#block(block);
            }
        }
    }

    #block(block) {
        const field = {};

        for (const line of block.split('\n')) {
            const [, name, value] = /^([a-z]+): ?(.*)$/s.exec(line) || [];

            if (name) {
                field[name] = value;
            }
        }

        if (field.id) {
            this.#id = field.id;
        }

        if (/^\d+$/.test(field.retry)) {
            this.#retry = Number(field.retry);
        }

        if (field.event === 'reset') {
            /* the states of all follow */
            this.#id = null;
            return;
        }

        /* an event of another server does not end those that follow */

        const said = parse(field.data);

        if (field.event && isObject(said)) {
            const { resource, ...data } = said;

            this.#inTurn(resource, field.event, data);
        }
    }

    /*
     * In their order for each resource: a write of this client that is not
     * answered holds up what is told of its own document, and no other.  A
     * stream that is connected again says once more, of each kind, what still
     * waits; of a lock only the time that is left has changed.
     */

    #inTurn(resource, event, data) {
        const kind = KIND[event] ?? event;
        const text = JSON.stringify([event, data], (name, value) =>
            name === 'expires_in' ? undefined : value);
        const waits = this.#turns.get(resource);
        const last = waits?.last.get(kind);

        if (last?.text === text) {
            last.data = data;
            return;
        }

        const one = { text, data };
        const turn = { last: new Map(waits?.last).set(kind, one), done: null };

        turn.done = Promise.resolve(waits?.done)
            .then(() => this.#event(resource, event, one.data))
            .catch(error => this.#core.emit('error', { error }))
            .finally(() => {
                if (this.#turns.get(resource) === turn) {
                    this.#turns.delete(resource);
                }
            });

        this.#turns.set(resource, turn);
    }

    async #event(resource, event, data) {
        if (event !== 'version' && event !== 'deleted') {
            this.#tell(resource, { type: event, ...data });
            return;
        }

        const { mine, ...change } = data;

        if (!mine && await this.#isNew(resource, event, change)) {
            this.#tell(resource, {
                type: event === 'version' ? 'changed' : 'deleted', ...change
            });
        }
    }

    /*
     * Whether this client does not have it.  A write of its own in flight may
     * have made it: then its response says so, and the record has it.
     */

    async #isNew(resource, event, { version }) {
        const [one] = this.#watched.get(resource) || [];

        if (!one) {
            return false;
        }

        const { storage } = this.#core;
        let record = await storage.read(one.url);

        while (['sending', 'unknown'].includes(record?.entry?.state)
               && !this.#core.closed && this.#watched.has(resource))
        {
            await this.#core.moved(one.url);
            record = await storage.read(one.url);
        }

        if (event === 'deleted') {
            return !this.#core.has(one.url, record, null);
        }

        /* null: the upstream owns the versions */

        return version === null
               || (!this.#core.has(one.url, record, version)
                   && !this.#seen.get(one.url)?.includes(String(version)));
    }

    #tell(resource, event) {
        for (const { url, handler } of [...this.#watched.get(resource) || []]) {
            try {
                handler({ url, ...event });

            } catch (error) {
                this.#core.emit('error', { url, error });
            }
        }
    }
}
