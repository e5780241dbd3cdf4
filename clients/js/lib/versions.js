/*
 * The versions of a resource, and the bodies of those that this user was shown
 * (docs/versions.md).
 */

import { parse } from './json.js';
import { RequestError } from './transport.js';

export class Versions {
    #request; #urlOf;

    constructor({ request, urlOf }) {
        this.#request = request;
        this.#urlOf = urlOf;
    }

    /* newest first; "current" is the base for a write */

    async list(url) {
        return parse(await this.#get(this.#urlOf(url)));
    }

    async body(url, version) {
        const at = new URL(this.#urlOf(url));

        at.searchParams.set('conflict_version', version);

        return parse(await this.#get(at.href));
    }

    /* a body, and the version that a write of it is based on */

    async old(url, version, { current } = {}) {
        const base = current === undefined ? (await this.list(url)).current
                                           : current;

        if (base === null) {
            throw new RequestError('the current version is unknown');
        }

        return { doc: await this.body(url, version), version: base };
    }

    async #get(url) {
        const { response, text } = await this.#request(url, {
            method: 'GET', cache: 'no-store'
        });
        const { status } = response;

        if (status !== 200 || parse(text) === undefined) {
            throw new RequestError(`GET ${url}: ${status}`,
                                   { status, body: text });
        }

        return text;
    }
}
