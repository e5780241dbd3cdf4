/*
 * The versions of a document, read when the list is opened: who has made them,
 * and a button to undo what came later, for those that this user was shown.
 */

import { html } from './html.js';

const SHOWN = 5;           /* versions */

export class History {
    #client; #path = null; #list; #details;

    constructor(name, client) {
        this.#client = client;
        this.#list = html('ol', { class: 'wire',
                                  'aria-label': `Versions for ${name}` });
        this.#details = html('details', { ontoggle: () => this.refresh() },
            html('summary', { class: 'quiet' }, 'Versions'), this.#list);
    }

    get element() {
        return this.#details;
    }

    show(path) {
        this.#path = path;
        this.#details.open = false;
        this.#list.replaceChildren();
    }

    async refresh() {
        const path = this.#path;

        if (!this.#details.open || path === null) {
            return;
        }

        const { current, versions } = await this.#client.history(path)
            .catch(() => ({ current: null, versions: [] }));

        if (path !== this.#path) {
            return;
        }

        this.#list.replaceChildren(...versions.slice(0, SHOWN).map(one =>
            this.#line(one, current)));

        if (versions.length === 0) {
            this.#list.append(html('li', {}, 'not available'));
        }
    }

    #line(one, current) {
        const at = one.changed_at
            ? new Date(one.changed_at).toLocaleTimeString([], { hour12: false })
            : 'before';

        return html('li', {},
            html('b', {}, one.method ?? ''), ' ', at, ' ',
            one.client ?? one.user ?? 'unknown', ' ',
            one.held && current !== null && one.version !== current
                ? html('button', { type: 'button',
                       'aria-label': `Back to the version of ${at}`,
                       onclick: () => this.#undo(one.version, current) },
                       'Undo to here')
                : null);
    }

    async #undo(version, current) {
        await this.#client.undo(this.#path, version, { current })
            .catch(() => {});
        await this.refresh();
    }
}
