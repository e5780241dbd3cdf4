/* Requests to the API, and the form of documents in them. */

import { isRedirection, versionOf } from './answer.js';
import { parse } from './json.js';

/* a GET whose response has no document */

export class RequestError extends Error {
    constructor(message, { status, body, redirected = false } = {}) {
        super(message);
        this.name = 'RequestError';
        this.status = status;
        this.body = body;
        this.redirected = redirected;
    }
}

/*
 * A value of a header is bytes: fetch() refuses a "\u2019", which many devices
 * have in their name, and a request that it refuses looks like a network error.
 */

function nameOf(device) {
    if (device === undefined || device === null || device === '') {
        return {};
    }

    const name = String(device);

    if (/[\0-\x1f\x7f]/.test(name)) {
        throw new TypeError('"device" must not have control characters: '
                            + JSON.stringify(name));
    }

    return {
        'X-Client': String.fromCharCode(...new TextEncoder().encode(name))
    };
}

/* a function of the application that never answers must not hold up others */

function within(signal, promise) {
    return new Promise((resolve, reject) => {
        const stop = () => reject(signal.reason);

        signal.addEventListener('abort', stop);
        Promise.resolve(promise).then(resolve, reject);

        if (signal.aborted) {
            stop();
        }
    });
}

export class Transport {
    #options; #base; #locks; #named;

    constructor(options, base, locks) {
        this.#options = options;
        this.#locks = locks;
        this.#named = nameOf(options.device);
        this.#base = base.href.replace(/[?#].*/, '').replace(/\/*$/, '/');
    }

    /* a path relative to baseUrl, or a URL of the same origin */

    url(path) {
        if (path === undefined || path === null) {
            /* an id that is missing, and not the resource "undefined" */
            throw new TypeError(`the path is ${path}`);
        }

        const url = new URL(/^[a-z][a-z0-9+.-]*:/i.test(path) ? path
                            : this.#base + String(path).replace(/^\/+/, ''));

        if (!this.isOwn(url.href)) {
            throw new TypeError(`${url.href} is not at ${this.#base}`);
        }

        url.hash = '';

        return url.href;
    }

    isOwn(url) {
        return new URL(url).origin === new URL(this.#base).origin;
    }

    /* the current document, in the form of record.known */

    async latest(url) {
        const { response, text } = await this.request(url, {
            method: 'GET', cache: 'no-cache'
        });

        if (response.status === 404 || response.status === 410) {
            return { absent: true };
        }

        const { status } = response;

        if (!response.ok) {
            throw new RequestError(`GET ${url}: ${status}`, {
                status, body: text, redirected: isRedirection(response)
            });
        }

        if (parse(text) === undefined) {
            throw new RequestError(`GET ${url}: no JSON`,
                                   { status, body: text });
        }

        return this.document(response, text);
    }

    async list(url) {
        const { response, text } = await this.request(url, {
            method: 'GET', cache: 'no-cache'
        });
        const { status } = response;
        const doc = parse(text);

        if (!response.ok || doc === undefined) {
            throw new RequestError(`GET ${url}: ${response.ok ? 'no JSON'
                                                              : status}`, {
                status, body: text, redirected: isRedirection(response)
            });
        }

        return { response, doc };
    }

    /* the application's documents lack the member of the base version */

    document(response, text) {
        const { member } = this.#options;
        const doc = parse(text);
        const { version, tag, chained } = versionOf(response, doc, member);

        return { version, tag, chained, text: this.plain(text, doc) };
    }

    plain(text, doc = parse(text)) {
        const { member } = this.#options;

        if (member && doc !== null && typeof doc === 'object'
            && Object.hasOwn(doc, member))
        {
            const { [member]: _, ...rest } = doc;

            return JSON.stringify(rest);
        }

        return text;
    }

    /* of the change stream */

    eventsUrl() {
        const { eventsUrl = '/events' } = this.#options;
        const url = new URL(eventsUrl, this.#base);

        if (!this.isOwn(url.href)) {
            throw new TypeError(`${url.href} is not at ${this.#base}`);
        }

        return url.href;
    }

    /* a response whose body is read as it arrives */

    async stream(url, id, signal) {
        const { fetch = globalThis.fetch } = this.#options;
        const headers = await within(signal, this.#headersOf(url, {
            method: 'GET'
        }, {
            Accept: 'text/event-stream', ...id && { 'Last-Event-ID': id }
        }));

        return within(signal, fetch(url, {
            method: 'GET', cache: 'no-store', redirect: 'manual', signal,
            headers
        }));
    }

    /* an object, so that "fetch" can add some by { ...headers } */

    async #headersOf(url, options, headers) {
        const own = typeof this.#options.headers === 'function'
                    ? await this.#options.headers(url, options)
                    : this.#options.headers;
        /* equal for reads and writes: a base is of one view */

        const all = new Headers({ Accept: 'application/json' });

        for (const some of [own, this.#named, this.#locks.get(url)?.headers,
                            headers])
        {
            new Headers(some || {}).forEach((value, name) =>
                all.set(name, value));
        }

        return Object.fromEntries(all);
    }

    /* calls sending() when the request may have been sent from then on */

    async request(url, { headers, timeout, sending, ...options }) {
        const { fetch = globalThis.fetch } = this.#options;
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(),
                                 timeout || this.#options.timeout);

        try {
            const all = await within(abort.signal, this.#headersOf(
                url, options, headers));

            sending?.();

            /* the target of a redirection must not receive the headers */

            const response = await within(abort.signal, fetch(url, {
                ...options, redirect: 'manual', signal: abort.signal,
                headers: all
            }));

            /*
             * The status is valid even if the body is cut off, but that of a
             * 409 says what it means.
             */

            const text = await within(abort.signal, response.text()).catch(
                error => {
                    if (response.status === 409) {
                        throw error;
                    }

                    return '';
                });

            return { response, text };

        } finally {
            clearTimeout(timer);
        }
    }
}
