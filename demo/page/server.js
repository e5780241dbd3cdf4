/*
 * What the server has: the document, its version and lock, and the audit log,
 * as the JSON of the dashboard shows them.
 */

import { asText } from './documents.js';
import { html, say } from './html.js';

const actions = {
    conflict_lww: 'overwrote a newer version',
    conflict_client_wins: 'overwrote a newer version',
    conflict_server_wins: 'was dropped: the server\u2019s version stays',
    conflict_version: 'was refused with 409 and the latest version',
    conflict_merge: 'was merged with a newer version',
    conflict_locked: 'was refused: another user holds the lock',
    conflict_busy: 'met another write and was refused',
    conflict_deleted: 'was refused: the document was deleted',
    lock_taken: 'took its user\u2019s lock over'
};

const element = id => document.getElementById(id);

async function get(path) {
    return fetch(path, { cache: 'no-store' });
}

/* { doc, version, lock, log } of a document; the log is that of its route */

export async function look(path, round) {
    const [answer, status] = await Promise.all([
        get('/' + path), get('/dashboard?format=json')
    ]);
    const { conflicts, locks } = await status.json();
    const [, version] = /;version=(\d+)/.exec(
        answer.headers.get('conflict')) || [];
    const route = path.split('/')[0];

    return {
        doc: answer.ok ? await answer.json() : null,
        version: version ? Number(version) : null,
        lock: locks.find(l => l.resource === '/' + path) || null,
        log: conflicts.filter(c => c.entity_id.startsWith(`/${route}/`)
                                   && c.entity_id.includes(round))
                      .sort((a, b) => a.time < b.time ? 1 : -1)
    };
}

export function show({ doc, version, lock, log }, path, kind) {
    const list = element('server-doc');
    const fields = Object.entries(kind.fields);
    const of = log.filter(c => c.entity_id === '/' + path);

    if (list.dataset.path !== path) {
        list.dataset.path = path;
        list.replaceChildren(...fields.map(([field, { label, type }]) =>
            html('div', { class: type }, html('dt', {}, label),
                 html('dd', { 'data-field': field }))));
    }

    for (const [field, { type }] of fields) {
        const value = list.querySelector(`[data-field=${field}]`);
        const text = doc ? asText(type, doc[field]) : 'deleted';

        if (value.textContent !== text) {
            value.classList.toggle('new', value.textContent !== '');
            value.textContent = text;
            setTimeout(() => value.classList.remove('new'), 1500);
        }
    }

    say(element('server-version'), version === null ? 'unknown'
        : '\u2026' + String(version).slice(-6));
    element('server-version').title = version ?? '';
    say(element('server-lock'), lock
        ? lock.user + (lock.client ? ', ' + lock.client : '') : 'nobody');
    say(element('server-count'), String(of.length));
    element('server-count').classList.toggle('some', of.length > 0);
    showLog(log);
}

/* entries are added and never changed */

function showLog(log) {
    const list = element('log');
    const ids = new Set(log.map(entry => entry.conflict_id));

    for (const item of [...list.children]) {
        if (!ids.has(item.dataset.id)) {
            item.remove();
        }
    }

    for (const entry of [...log].reverse()) {
        if (!list.querySelector(`[data-id="${entry.conflict_id}"]`)) {
            list.prepend(line(entry));
        }
    }

    element('log-empty').hidden = log.length > 0;
}

function line(entry) {
    const who = entry.client_origin || entry.user_id || 'a client';

    return html('li', { 'data-id': entry.conflict_id, class: 'card' },
        html('details', {},
            html('summary', {},
                html('time', { datetime: entry.time },
                     new Date(entry.time).toLocaleTimeString([], {
                         hour12: false })),
                html('span', { class: 'badge action' }, entry.action),
                html('span', { class: 'what' },
                     html('b', {}, `${entry.method} of ${who}`), ' ',
                     actions[entry.action] ?? '',
                     entry.fields?.length > 0
                         ? html('span', { class: 'quiet' },
                                ' ' + entry.fields.join(' ')) : null)),
            html('pre', { tabindex: '0', 'aria-label': 'The line' },
                 JSON.stringify(entry, null, 2))));
}
