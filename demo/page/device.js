/*
 * A device: a client with its own outbox, a switch to take it offline, and its
 * view of the document: an editor, or both versions after a conflict.
 */

import { createClient, indexedDBStorage, LockedError } from 'conflict-client';
import { asText, control, fromText, rules } from './documents.js';
import { History } from './history.js';
import { html, say } from './html.js';
import { mergeView } from './merge-view.js';
import { Notes } from './notes.js';

const LINES = 3;           /* of requests that are shown */

const outcomes = {
    overwrote: 'Saved. It has overwritten a newer version: see the log.',
    merged: 'Saved, and merged with the changes of the other device.',
    replayed: 'Saved: the server had it already.'
};

export class Device {
    #locks = new Map(); #turn = 0; #told = '';
    #parts = {}; #controls = {}; #shown = null; #history; #notes;
    #unwatch = null;

    /* by path: values that are not saved yet, and the view they change */

    #typed = new Map();

    /* open(id) shows another document of the folder, on both devices */

    constructor(name, user, changed, open) {
        this.name = name;
        this.user = user;
        this.changed = changed;
        this.path = null;
        this.kind = null;
        this.view = null;
        this.conflict = null;
        this.waiting = 0;
        this.client = createClient({
            baseUrl: location.origin, device: name, rules,
            headers: { 'X-User': user }, member: 'base_version',
            edited: 'X-Edited-At', idempotent: true,
            storage: indexedDBStorage('demo-' + name),
            fetch: (url, options) => this.#fetch(url, options)
        });

        this.#history = new History(name, this.client);
        this.#notes = new Notes(this, open);
        this.#listen();
        this.#build();
    }

    get offline() {
        return this.#parts.offline.checked;
    }

    /* the id of the document within its folder */

    get open() {
        return this.path?.replace(/.*\//, '');
    }

    get dirty() {
        return this.#typed.has(this.path);
    }

    #listen() {
        const { client } = this;
        const here = url => url === this.#url();

        client.addEventListener('state', () => this.refresh());
        client.addEventListener('progress', ({ detail }) => {
            this.waiting = detail.total;
            this.refresh();
        });
        client.addEventListener('saved', ({ detail }) => {
            if (here(detail.url)) {
                this.#told = outcomes[detail.outcome] ?? 'Saved.';
                this.#history.refresh();

                if (this.dirty && detail.outcome !== 'merged') {
                    /* what is typed now is an edit of what was saved */
                    this.view = { ...detail, state: null };
                    this.#typed.get(this.path).view = this.view;
                }
            }

            this.refresh();
        });
        client.addEventListener('lock', ({ detail }) => {
            if (here(detail.url) && detail.state === 'lost') {
                this.#told = 'The lock was lost.';
            }

            this.#render();
            this.changed();
        });
        client.addEventListener('error', ({ detail }) => {
            console.error(detail.error);
        });
    }

    #url() {
        return location.origin + '/' + this.path;
    }

    /*
     * Requests as they are sent; those that only read are not shown.  Two
     * devices have no cache in common, as they would in one browser.
     */

    async #fetch(url, options) {
        const response = await fetch(url, { ...options, cache: 'no-store' });

        if (options.method !== 'GET') {
            const conflict = response.headers.get('conflict');

            this.#parts.wire.prepend(html('li', {},
                html('b', {}, options.method), ' ',
                new URL(url).pathname, ' ',
                html('b', {}, String(response.status)), ' ',
                conflict ? 'Conflict: ' + conflict.replace(/;version.*/, '')
                         : ''));
            this.#parts.wire.children[LINES]?.remove();
        }

        return response;
    }

    #build() {
        const { name } = this;
        const title = name[0].toUpperCase() + name.slice(1);
        const parts = this.#parts = {
            offline: html('input', { type: 'checkbox', role: 'switch',
                onchange: event => this.setOffline(event.target.checked) }),
            badge: html('span', { class: 'badge' }),
            status: html('p', { class: 'status', role: 'status' }),
            actions: html('div', { class: 'buttons' }),
            body: html('div'),
            wire: html('ol', { class: 'wire',
                               'aria-label': `Requests of ${name}` }),
            save: html('button', { type: 'submit', class: 'primary' },
                       'Save'),
            lock: html('button', { type: 'button', 'aria-pressed': 'false',
                                   onclick: () => this.#toggleLock() },
                       'Lock')
        };

        document.getElementById(name).replaceChildren(
            html('div', { class: 'head' },
                html('h2', { id: name + '-title' }, title, ' ',
                     html('span', { class: 'quiet' }, this.user)),
                parts.badge,
                html('label', { class: 'switch' }, parts.offline,
                     html('span', { class: 'track' }), 'Offline',
                     html('span', { class: 'hidden' }, ': ' + name))),
            parts.body, parts.status, parts.actions, parts.wire,
            this.#notes.element, this.#history.element);
    }

    /* shows a document */

    show(path, kind) {
        this.path = path;
        this.kind = kind;
        this.view = this.#typed.get(path)?.view ?? null;
        this.conflict = null;
        this.heard = false;
        this.#told = '';
        this.#shown = null;
        this.#history.show(path);
        this.#notes.show(path.replace(/[^/]*$/, ''), kind);
        this.#unwatch?.();
        this.#unwatch = this.client.watch(path, change => this.#hear(change));

        return this.refresh();
    }

    /* what somebody else has just done with the document */

    #hear({ type }) {
        if (type === 'lock_asked') {
            this.#locks.get(this.path)?.show();
        }

        if (this.offline || !['changed', 'deleted'].includes(type)) {
            return;
        }

        if (this.dirty) {
            this.heard = true;
            this.#render();

        } else {
            this.refresh();
        }
    }

    setOffline(offline) {
        this.#parts.offline.checked = offline;
        this.#told = '';

        if (offline) {
            this.client.pause();

        } else {
            this.client.resume();
        }

        this.changed();

        return this.refresh();
    }

    /*
     * A document that is being edited is not read again: the version of an
     * edit is the one that was shown.
     */

    async refresh() {
        const { path, client } = this;
        const turn = ++this.#turn;

        if (path === null) {
            return;
        }

        const entry = (await client.entries()).find(
            e => e.url === this.#url());
        const conflict = entry?.state === 'conflict'
                         ? await client.conflict(path) : null;
        const view = this.dirty && this.view ? entry || this.view
                     : await client.get(path).catch(() => null);

        if (turn !== this.#turn) {
            return;
        }

        if (entry || !this.dirty || !this.view) {
            this.view = view;
        }

        this.conflict = conflict;

        if (conflict && this.dirty) {
            /* the edit in the conflict is the latest one */
            this.save();
        }

        this.#render();
        this.#notes.refresh();
        this.changed();
    }

    /* the current version of the server, and the holder of its lock */

    seen(version, lock) {
        const { view } = this;

        this.holder = lock && !(lock.user === this.user) ? lock : null;
        this.#notes.refresh();

        if (this.offline) {
            this.#render();

        } else if (!view) {
            this.refresh();

        } else if (view.reason?.lock && view.state === 'queued'
                   && !this.holder)
        {
            this.client.flush();

        } else if (!view.state && version !== null && version !== view.version
                   && !this.dirty)
        {
            this.refresh();

        } else {
            this.newer = !view.state && version !== null
                         && version !== view.version;
            this.#render();
        }
    }

    save() {
        const { path, view } = this;
        const doc = { ...view?.doc, ...this.#typed.get(path)?.values };

        this.#typed.delete(path);
        this.heard = false;
        this.#told = '';

        return this.client.save(path, doc, !view?.state
            && Number.isInteger(view?.version) ? { version: view.version }
                                               : {});
    }

    async #answer(how) {
        this.#told = '';
        await this.client.resolve(this.path, how);
        await this.refresh();
        this.#parts.body.querySelector('textarea, input')?.focus();
    }

    /* what was typed, of the fields that differ from the document shown */

    #edited() {
        const typed = {};

        for (const [field, { type }] of Object.entries(this.kind.fields)) {
            const value = fromText(type, this.#controls[field].value);
            const was = this.view?.doc?.[field];

            if (JSON.stringify(value) !== JSON.stringify(was)) {
                typed[field] = value;
            }
        }

        if (Object.keys(typed).length > 0) {
            this.#typed.set(this.path, { values: typed, view: this.view });

        } else {
            this.#typed.delete(this.path);
        }

        this.#told = '';
        this.#locks.get(this.path)?.touch();
        this.#render();
    }

    /* types into the fields, as a user does */

    type(values) {
        for (const [field, value] of Object.entries(values)) {
            this.#controls[field].value = asText(
                this.kind.fields[field].type, value);
        }

        this.#edited();
    }

    async #toggleLock() {
        const { path } = this;
        const held = this.#locks.get(path);

        this.#told = '';

        try {
            if (held?.held && held.waiting.length) {
                await held.handOver();

            } else if (held?.held) {
                await held.release();

            } else {
                this.#locks.set(path, await this.client.lock(path, {
                    onWaiting: () => this.#render()
                }));
            }

        } catch (error) {
            this.#told = error instanceof LockedError
                ? `${error.holder?.user ?? 'Another device'} is editing it.`
                : 'The lock is not available now.';
        }

        this.#render();
        this.changed();
    }

    /* forgets everything, for a new round */

    async clear() {
        for (const lock of this.#locks.values()) {
            await lock.release();
        }

        this.#typed.clear();
        this.#locks.clear();
        this.#parts.wire.replaceChildren();
        await this.client.clear();
        await this.setOffline(false);
    }

    #editor() {
        const form = html('form', { class: 'editor', onsubmit: event => {
            event.preventDefault();
            this.save();
        } });

        const typed = this.#typed.get(this.path)?.values || {};

        this.#controls = {};

        for (const [field, { label, type }] of
             Object.entries(this.kind.fields))
        {
            const input = this.#controls[field] = control(type, {
                id: `${this.name}-${field}`, oninput: () => this.#edited(),
                onkeydown: event => {
                    if (event.key === 'Enter'
                        && (event.ctrlKey || event.metaKey)
                        && !this.#parts.save.disabled)
                    {
                        form.requestSubmit();
                    }
                }
            });

            input.value = asText(type, typed[field]);
            form.append(html('div', { class: 'field ' + type },
                html('label', { for: input.id }, label), input,
                type === 'count' ? html('button', { type: 'button',
                    'aria-label': 'One view more', onclick: () => {
                        input.value = Number(input.value) + 1;
                        this.#edited();
                    } }, '+1') : null));
        }

        form.append(html('div', { class: 'buttons' }, this.#parts.save,
                         this.#parts.lock));

        return form;
    }

    #render() {
        const { view, conflict, kind } = this;
        const { body, badge, status, save, lock } = this.#parts;

        if (this.path === null) {
            return;
        }

        const what = this.path + (conflict
            ? conflict.versions.server + JSON.stringify(conflict.local) : '');

        if (what !== this.#shown) {
            this.#shown = what;
            body.replaceChildren(conflict
                ? mergeView(conflict, kind, this.name,
                            how => this.#answer(how))
                : this.#editor());
        }

        if (!conflict) {
            this.#fill();
            save.disabled = !this.dirty || !view;
            lock.disabled = this.offline;

            const own = this.#locks.get(this.path);

            lock.setAttribute('aria-pressed', !!own?.held);
            say(lock, !own?.held ? 'Lock' : own.waiting.length
                ? `Hand over to ${own.waiting[0].user}` : 'Unlock');
        }

        const [tone, short, long] = this.#state();

        this.#parts.offline.closest('.device').classList.toggle(
            'is-offline', this.offline);
        badge.className = 'badge ' + tone;
        say(badge, short);
        say(status, long);
        this.#offer();
    }

    #fill() {
        const typed = this.#typed.get(this.path)?.values || {};

        for (const [field, { type }] of Object.entries(this.kind.fields)) {
            const input = this.#controls[field];
            const text = asText(type, this.view?.doc?.[field]);

            input.disabled = !this.view;

            if (!(field in typed) && input.value !== text
                && !(this.dirty && document.activeElement === input))
            {
                input.value = text;
            }
        }
    }

    /* what can be done about an edit that the route has not taken */

    #offer() {
        const { view, client, path } = this;
        const { actions } = this.#parts;
        const parked = view?.state === 'parked';

        if (parked === (actions.children.length > 0)) {
            return;
        }

        actions.replaceChildren(...parked ? [
            html('button', { type: 'button', onclick: () =>
                client.retry(path) }, 'Send it again'),
            html('button', { type: 'button', onclick: () =>
                client.discard(path) }, 'Discard it')
        ] : []);
    }

    /* tone, badge, text */

    #state() {
        const { view, offline } = this;
        const edits = this.waiting === 1 ? '1 edit' : this.waiting + ' edits';

        if (!view) {
            return ['', 'not read', offline
                ? 'This device has not read it yet.' : 'Not read yet.'];
        }

        switch (view.state) {

        case 'conflict':
            return ['bad', 'conflict', 'It was changed elsewhere meanwhile.'
                    + ' Both versions are kept until you choose.'];

        case 'parked':
            return ['watch', 'not taken', view.reason?.kind === 'dropped'
                ? 'This route keeps the version of the server. Your edit is'
                  + ' still here.'
                : view.reason?.detail || 'The server refuses this edit.'];

        case 'unknown':
            return ['watch', 'no answer', 'No answer yet: the same write is'
                    + ' sent again.'];

        case null:
            break;

        default:
            if (view.reason?.lock && !offline) {
                return ['watch', 'waits', 'Waits: '
                        + `${view.reason.lock.user ?? 'another device'} is`
                        + ' editing it.'];
            }

            return offline
                ? ['watch', edits + ' queued', 'Saved on this device. It is'
                   + ' sent when the device is online, also after a reload.']
                : ['watch', 'sending', 'Sending\u2026'];
        }

        if (this.dirty && this.heard && !offline) {
            return ['watch', 'changed', 'Someone else has changed it: there is'
                    + ' a newer version on the server.'];
        }

        if (this.dirty) {
            return ['', 'edited', this.newer && !offline
                ? 'There is a newer version on the server.'
                : 'Not saved yet.'];
        }

        if (this.#locks.get(this.path)?.held && !this.#told) {
            return ['good', 'locked', 'Others cannot save it until you unlock'
                    + ' it, or have not edited it for five minutes.'];
        }

        if (this.holder && !offline && !this.#told) {
            return ['watch', 'locked', `${this.holder.user} is editing it.`];
        }

        return offline ? ['off', 'offline', this.waiting > 0
                          ? edits + ' of other documents to be sent.'
                          : this.#told]
                       : ['good', 'up to date', this.#told];
    }
}
