/*
 * All documents of a folder as a device has them: those of the list, with the
 * versions that nginx has put into it, and those that it has created itself
 * and that are not on the server yet.
 */

import { html, say } from './html.js';

const states = {
    queued: 'queued', sending: 'sending', unknown: 'no answer',
    conflict: 'conflict', parked: 'not taken'
};

export class Notes {
    #device; #client; #open; #busy = null; #again = false;
    #items = null; #kind = null; #folder = null; #shown = '';
    #parts;

    constructor(device, open) {
        const { name, client } = device;
        const id = name + '-new';

        this.#device = device;
        this.#client = client;
        this.#open = open;

        const parts = this.#parts = {
            summary: html('summary', { class: 'quiet' }),
            list: html('ol', { class: 'notes' }),
            text: html('input', { id, type: 'text', autocomplete: 'off',
                                  required: true }),
        };

        parts.form = html('form', { class: 'new', onsubmit: event => {
            event.preventDefault();
            this.#create(parts.text.value);
        } }, html('label', { for: id, class: 'hidden' }, 'A new one'),
             parts.text, html('button', { type: 'submit' }, 'Add'));
        parts.details = html('details', { ontoggle: () => this.refresh() },
            parts.summary, parts.list, parts.form,
            html('p', { class: 'quiet' }, 'nginx puts the version of each into'
                 + ' the list. A new one is created once, however often the'
                 + ' request is sent.'));
    }

    get element() {
        return this.#parts.details;
    }

    show(folder, kind) {
        const { form, list, summary, text } = this.#parts;

        if (folder !== this.#folder) {
            this.#folder = folder;
            this.#items = null;
            text.value = '';
        }

        this.#kind = kind;
        form.hidden = !kind.made;
        text.placeholder = 'Another ' + kind.title.toLowerCase();
        list.setAttribute('aria-label', `${kind.all} of ${this.#device.name}`);
        say(summary, kind.all);
        this.refresh();
    }

    /* one at a time; a call meanwhile leads to one more */

    refresh() {
        if (this.#busy) {
            this.#again = true;

        } else if (this.#parts.details.open && this.#folder) {
            this.#busy = this.#read().catch(() => {}).finally(() => {
                this.#busy = null;

                if (this.#again) {
                    this.#again = false;
                    this.refresh();
                }
            });
        }
    }

    async #read() {
        const folder = this.#folder;

        /*
         * A list states the bases of the next edits, so it is not read while
         * the editor shows something older.
         */

        if (!this.#device.offline && !this.#device.dirty
            && !this.#device.view?.state)
        {
            const items = await this.#client.list(folder, {
                item: id => folder + id
            }).catch(() => null);

            if (folder === this.#folder && items) {
                this.#items = items;
            }
        }

        const entries = await this.#client.entries();

        if (folder === this.#folder) {
            this.#render(entries);
        }
    }

    /* a line for each document and creation; the same lines are not redone */

    #render(entries) {
        const at = new URL(this.#folder, location.origin).href;
        const lines = (this.#items ?? []).map(item => {
            const entry = entries.find(e => e.url === item.url);

            return { ...item, state: entry?.state, removed: entry?.removed,
                     doc: entry?.doc ?? item.doc,
                     now: item.id === this.#device.open };

        }).concat(entries.filter(e => e.id && e.url === at));
        const shown = JSON.stringify([this.#kind.title, this.#items === null,
                                      lines]);

        if (shown !== this.#shown) {
            const { list } = this.#parts;
            const focus = list.contains(document.activeElement)
                          && document.activeElement.dataset.of;

            this.#shown = shown;
            list.replaceChildren(...lines.map(line => this.#line(line)));

            if (this.#items === null) {
                list.append(html('li', { class: 'quiet' },
                                 'Not read yet on this device.'));
            }

            [...list.querySelectorAll('button')].find(
                button => button.dataset.of === focus)?.focus();
        }
    }

    #line({ id, url, doc, version, state, removed, reason, now }) {
        const title = this.#kind.name(doc);
        const made = version === null && url.endsWith('/');
        const button = (text, what, how, disabled = false) => html('button', {
            type: 'button', 'aria-label': `${text} ${title}`, disabled,
            'data-of': `${text} ${id}`, onclick: how
        }, what);

        return html('li', {},
            made ? html('span', { class: 'title' }, title)
                 : html('button', {
                       type: 'button', class: 'title link',
                       'data-of': id, 'aria-current': now ? 'true' : null,
                       onclick: () => this.#open(id)
                   }, title),
            state ? html('span', { class: 'badge watch' },
                         (removed ? 'removal ' : '') + states[state])
            : html('span', { class: 'quiet', title: version ?? '' },
                   version === null ? 'no version yet'
                   : '\u2026' + String(version).slice(-6)),
            made && state === 'parked'
                ? button('Send', 'Send it again',
                         () => this.#client.retry(id)) : null,
            made ? button('Discard', 'Discard', () => this.#discard(id))
                 : button('Remove', 'Remove', () => this.#remove(id, url,
                                                                 version),
                          version === null || !!state),
            reason?.detail && state === 'parked'
                ? html('span', { class: 'quiet' }, reason.detail) : null);
    }

    async #create(text) {
        this.#parts.text.value = '';
        this.#client.create(this.#folder, this.#kind.made(text));
    }

    async #discard(id) {
        await this.#client.discard(id);
        this.refresh();
    }

    /* of the version in the list: if there is a newer one, it is shown */

    async #remove(id, url, version) {
        const { state } = await this.#client.remove(url, { version });

        if (state === 'conflict') {
            this.#open(id);
        }

        this.refresh();
    }
}
