/* The inbox of the server: bodies that lost a conflict, resolved later. */

import { isPage } from './answer.js';
import { keepMine, keepTheirs } from './asker.js';
import { isObject, parse } from './json.js';
import { RequestError, Transport } from './transport.js';

/* a lock, or a write that is not answered yet, says nothing of the resource */

function isStale({ status }, body) {
    return status === 412 || (status === 409
        && !['locked', 'write_in_progress'].includes(isObject(body)
                                                     ? body.error : ''));
}

export class Inbox {
    #url; #transport;

    constructor({ url, timeout = 30000, ...options }) {
        const at = new URL(url, globalThis.location?.href);

        this.#url = at.href;
        this.#transport = new Transport({ timeout, ...options }, at,
                                        new Map());
    }

    /* without bodies, newest first; "next" is the "before" of the next page */

    async list(filter = {}) {
        return (await this.#ask('GET', filter)).body;
    }

    /* one item, with mine, theirs and base */

    async show(id) {
        return (await this.#ask('GET', { id })).body;
    }

    async discard(id) {
        await this.#ask('DELETE', { id });
    }

    /*
     * Resolves an item as it was shown, with keepMine, keepTheirs or a merged
     * document.  false: the resource has changed since, show it again.
     */

    async resolve(shown, answer) {
        const { item: { id, content_type: type }, version } = shown;

        if (answer === keepTheirs) {
            await this.discard(id);
            return true;
        }

        if (version === null && !shown.deleted) {
            throw new TypeError('the version is unknown: show it again');
        }

        const mine = answer === keepMine;
        const { response } = await this.#ask('POST', {
            id, take: mine ? 'mine' : 'merged'
        }, {
            headers: {
                ...(shown.deleted ? { 'If-None-Match': '*' }
                                  : { 'If-Match': `"${version}"` }),
                ...(mine ? {} : { 'Content-Type': type || 'application/json' })
            },
            body: mine ? undefined : JSON.stringify(answer)
        }, isStale);

        /* "server_wins" drops a write with 200; 202 is not done yet */

        return response.ok && response.status !== 202
               && !/^dropped/.test(response.headers.get('Conflict') ?? '');
    }

    async #ask(method, query, options = {}, expects = () => false) {
        const url = new URL(this.#url);

        for (const [name, value] of Object.entries(query)) {
            if (value !== undefined && value !== null) {
                url.searchParams.set(name, value);
            }
        }

        const { response, text } = await this.#transport.request(url.href, {
            method, cache: 'no-store', ...options
        });

        const body = parse(text);
        const failed = why => new RequestError(
            `${method} ${url.href}: ${why}`,
            { status: response.status, body: text });

        if (!response.ok && !expects(response, body)) {
            throw failed(response.status);
        }

        if (response.ok && isPage(response, text)) {
            throw failed('a page instead of the response');
        }

        if (method === 'GET' && body === undefined) {
            throw failed('no JSON');
        }

        return { response, body };
    }
}
