/*
 * A client without the library: it states the date of what it has read, in
 * If-Unmodified-Since.  Requests and responses are shown as they are.
 */

import { html } from './html.js';

const SHOWN = ['last-modified', 'etag', 'conflict'];

export class Plain {
    #date = null; #path = null;

    constructor(element, changed) {
        this.changed = changed;
        this.text = html('textarea', { id: 'plain-text', rows: 3 });
        this.output = html('pre', { tabindex: '0', role: 'log',
                                    'aria-label': 'Requests and responses' });
        this.write = html('button', { type: 'button', disabled: true,
                                      onclick: () => this.#write() },
                          'Write');

        element.append(
            html('p', {}, 'A client without the library sends one header'
                 + ' field: If-Unmodified-Since, with the Last-Modified of'
                 + ' its GET. Read, change the document on a device, then'
                 + ' write.'),
            html('div', { class: 'field' },
                 html('label', { for: 'plain-text' }, 'The document'),
                 this.text),
            html('div', { class: 'buttons' },
                 html('button', { type: 'button',
                                  onclick: () => this.#read() }, 'Read'),
                 this.write),
            this.output);
    }

    show(path) {
        this.#path = path;
        this.#date = null;
        this.text.value = '';
        this.output.textContent = '';
        this.write.disabled = true;
    }

    async #request(method, headers = {}, body) {
        const path = this.#path;
        const response = await fetch('/' + path, {
            method, body, cache: 'no-store',
            headers: { 'X-User': 'Cara', 'X-Client': 'script', ...headers }
        });
        const text = await response.text();
        const lines = [
            `${method} /${path}`,
            ...Object.entries(headers).map(([k, v]) => `${k}: ${v}`),
            ...body ? [body] : [], '',
            `${response.status} ${response.statusText}`,
            ...SHOWN.filter(name => response.headers.has(name)).map(
                name => `${name}: ${response.headers.get(name)}`),
            ...text ? [text] : []
        ];

        this.output.textContent = lines.join('\n');
        this.changed();

        return { response, text };
    }

    /* a change of this very second has no date yet */

    async #read() {
        for ( ;; ) {
            const { response, text } = await this.#request('GET');

            this.#date = response.headers.get('last-modified');

            if (!response.ok || this.#date) {
                this.text.value = text;
                this.write.disabled = !response.ok;
                return;
            }

            await new Promise(resolve => setTimeout(resolve, 500));
        }
    }

    async #write() {
        await this.#request('PUT', {
            'Content-Type': 'application/json',
            'If-Unmodified-Since': this.#date
        }, this.text.value);
    }
}
