/* Requests, and what documents look like on both sides of them. */

import { versionOf } from './answer.js';
import { parse } from './json.js';

/* what a GET was answered with, where that is no document */

export class RequestError extends Error {
    constructor(message, { status, body, cause } = {}) {
        super(message, cause ? { cause } : undefined);
        this.name = 'RequestError';
        this.status = status;
        this.body = body;
    }
}

export class Transport {
    #options; #base; #locks;

    constructor(options, base, locks) {
        this.#options = options;
        this.#locks = locks;
        this.#base = base.href.replace(/[?#].*/, '').replace(/\/*$/, '/');
    }

    /* a path below baseUrl, or an URL of the same origin */

    url(path) {
        const url = new URL(/^[a-z][a-z0-9+.-]*:/i.test(path) ? path
                            : this.#base + String(path).replace(/^\/+/, ''));

        if (url.origin !== new URL(this.#base).origin) {
            throw new TypeError(`${url.href} is not at ${this.#base}`);
        }

        url.hash = '';

        return url.href;
    }

    /* what the server has now, as record.known is */

    async latest(url) {
        const { response, text } = await this.request(url, {
            method: 'GET', cache: 'no-cache'
        });

        if (response.status === 404 || response.status === 410) {
            return { absent: true };
        }

        if (!response.ok) {
            throw new RequestError(`GET ${url}: ${response.status}`,
                                   { status: response.status, body: text });
        }

        if (parse(text) === undefined) {
            throw new RequestError(`GET ${url}: no JSON`,
                                   { status: response.status, body: text });
        }

        return this.document(response, text);
    }

    /* the member that has the base is the client's affair, not the user's */

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

    async request(url, { headers, timeout, ...options }) {
        const { fetch = globalThis.fetch, device } = this.#options;
        const own = typeof this.#options.headers === 'function'
                    ? await this.#options.headers(url, options)
                    : this.#options.headers;
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(),
                                 timeout || this.#options.timeout);

        try {
            const response = await fetch(url, {
                ...options, signal: abort.signal,
                headers: {
                    /* the same for reads and writes: a base is of a view */

                    Accept: 'application/json',
                    ...own, ...(device ? { 'X-Client': device } : {}),
                    ...this.#locks.get(url)?.headers, ...headers
                }
            });

            /* the status counts, also where the body is cut off */

            return { response, text: await response.text().catch(() => '') };

        } finally {
            clearTimeout(timer);
        }
    }
}
