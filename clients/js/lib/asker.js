/*
 * Conflicts: the argument of onConflict, its calls, and the effect of its
 * answer.
 */

import * as entries from './entry.js';
import { merge } from './merge.js';
import { randomName } from './random.js';
import { fromText } from './view.js';

export const keepMine = Symbol.for('conflict-client.keepMine');
export const keepTheirs = Symbol.for('conflict-client.keepTheirs');
export const later = Symbol.for('conflict-client.later');

const COLLISIONS = 4;          /* conflicts in a row without a wait */

export class Asker {
    #core; #asking = new Map();

    constructor(core) {
        this.#core = core;
    }

    /* resolves when the call of onConflict in this tab has ended */

    answered(url) {
        return this.#asking.get(url);
    }

    allAnswered() {
        return Promise.all(this.#asking.values());
    }

    conflictOf(url, entry) {
        const { conflict } = entry;
        const base = fromText(conflict.base);
        const server = fromText(conflict.text);
        const local = fromText(entry.draft.text);
        const both = local !== null && server !== null;
        const merged = both ? merge({ base, server, local,
                                      rules: this.#core.rulesOf(url) }) : null;

        return {
            url, id: conflict.id + '.' + entry.mark,
            base, local, server, deleted: !!conflict.deleted,
            removed: entry.draft.text === null,
            conflicts: conflict.conflicts || merged?.conflicts || [],
            merged: merged ? merged.doc : null,
            clean: !!merged?.clean,
            versions: { base: conflict.baseVersion,
                        server: conflict.version ?? null },
            keepMine, keepTheirs, later
        };
    }

    /* once for each conflict, in one tab */

    ask(url, again = false) {
        if (!this.#core.options.onConflict || this.#asking.has(url)
            || this.#core.closed)
        {
            return;
        }

        const { storage, emit } = this.#core;
        const failed = error => emit('error', { url, error });

        const done = storage.claim(url, () => this.#askAll(url, again))
            .then(mine => {
                if (mine === false) {
                    /* another tab asks; if it closes, this one does */

                    storage.claim(url, () => this.#askAll(url), true)
                        .catch(failed);
                }
            })
            .catch(failed)
            .finally(() => this.#asking.delete(url));

        this.#asking.set(url, done);
    }

    async #askAll(url, again) {
        for ( ;; ) {
            const record = await this.#core.storage.read(url);

            if (record?.entry?.state !== 'conflict' || this.#core.closed
                || (record.entry.conflict.putOff === record.entry.mark
                    && !again))
            {
                return;
            }

            const asked = this.conflictOf(url, record.entry);
            const answer = await this.#core.options.onConflict(asked);

            again = false;

            if (answer === undefined || answer === later) {
                await this.#core.storage.update(url, r =>
                    isSame(r?.entry, asked.id) ? entries.putOff(r) : r);

            } else {
                /* an edit made in the meantime leads to another call */

                await this.resolve(url, answer, { id: asked.id });
                await this.#core.sender.drain();
            }
        }
    }

    /*
     * Resolves the conflict with this id, or the current one; undefined: there
     * is no such conflict any more, or it has another edit.
     */

    async resolve(url, answer, { id, mark = randomName() } = {}) {
        if (answer !== keepMine && answer !== keepTheirs
            && (answer === null || typeof answer !== 'object'))
        {
            throw new TypeError('not an answer to a conflict: '
                                + String(answer));
        }

        const how = answer === keepMine ? 'mine'
                    : answer === keepTheirs ? 'theirs'
                    : { mark, text: this.#core.transport.plain(
                        JSON.stringify(answer)) };
        let resolved = null;

        const record = await this.#core.storage.update(url, r => {
            resolved = isSame(r?.entry, id, how === 'mine') ? r.entry : null;

            if (!resolved) {
                return r;
            }

            /* a busy document, or a server that refuses every write */

            const times = r.entry.collisions - COLLISIONS;

            return entries.resolve(r, how, times < 0 ? 0
                : Date.now() + this.#core.sender.wait(times, null));
        });

        if (!resolved) {
            return undefined;
        }

        this.#core.changed(url, record);

        return { record, entry: resolved };
    }
}

/* "mine" is also the answer for later edits of the same conflict */

function isSame(entry, id, mine = false) {
    if (entry?.state !== 'conflict') {
        return false;
    }

    const [conflict, mark] = id?.split('.') || [entry.conflict.id];

    return entry.conflict.id === conflict
           && (mine || mark === undefined || entry.mark === mark);
}
