/* The steps to try, ticked off as they are done, and played on request. */

import { html, say } from './html.js';

export const policies = {
    lww: {
        says: 'Last write wins. A stale write passes, and the log has it.'
              + ' For drafts and preferences.',
        end: 'The last push shows, and the audit log has one entry.'
    },
    edited: {
        says: 'The later edit wins, whichever arrives last; the other one is'
              + ' logged and kept. For devices that are offline for long.',
        end: 'The edit that was saved last shows, in whichever order the'
             + ' devices come online.'
    },
    client_wins: {
        says: 'The client wins. A stale write passes, and is logged under'
              + ' this name. For clients that have merged already.',
        end: 'The last push shows, and the audit log has one entry.'
    },
    server_wins: {
        says: 'The server wins. A stale write is dropped, and the client gets'
              + ' the latest version. For settings and catalogs.',
        end: 'The first push stays. The second is dropped, logged, and still'
             + ' on its device.'
    },
    version: {
        says: 'A stale write is refused with 409 and the latest version; the'
              + ' user decides. For data that must not be lost.',
        end: 'The second device shows both versions. Choose one, or both.'
    },
    merge: {
        says: 'A stale write is merged field by field: tags are united, views'
              + ' added up; a price or a text that clashes is refused.',
        end: 'Both changes are there, or the second device is asked.'
    },
    resolver: {
        says: 'Merged as well, and a program of yours decides what clashes:'
              + ' here both texts stay, and the lower price. For stock and'
              + ' rules of a business.',
        end: 'Both changes are there, and nobody is asked.'
    }
};

export class Story {
    #done = [];

    constructor(list, done = []) {
        this.list = list;
        this.#done = done;
    }

    get done() {
        return this.#done;
    }

    show(policy, kind) {
        const steps = [
            'Switch both devices offline.',
            `Change the ${kind.title.toLowerCase()} on each, and save it`
            + ' there.',
            'Switch them online, one after the other.',
            policies[policy].end
        ];

        this.list.replaceChildren(...steps.map(text => html('li', {},
            html('span', {}, text), html('span', { class: 'hidden' }))));
        this.#render();
    }

    restart() {
        this.#done = [];
        this.#render();
    }

    /* each step counts after the one before it */

    look(devices, log) {
        const before = this.#done.length;
        const offline = devices.every(d => d.offline);
        const now = [
            offline,
            offline && devices.every(d => d.view?.state === 'queued'),
            devices.every(d => !d.offline && !['queued', 'sending'].includes(
                d.view?.state)),
            log.length > 0
        ];

        while (this.#done.length < now.length && now[this.#done.length]) {
            this.#done.push(true);
        }

        if (this.#done.length !== before) {
            this.#render();
        }
    }

    #render() {
        for (const [i, item] of [...this.list.children].entries()) {
            const next = i === this.#done.length;

            item.className = this.#done[i] ? 'done' : next ? 'next' : '';
            say(item.lastChild, this.#done[i] ? ' (done)' : '');
        }
    }
}

/* plays the steps on two devices; wait() is the time to look */

export async function play([first, second], kind, wait) {
    for (const device of [first, second]) {
        await device.setOffline(true);
        await wait();
    }

    for (const device of [first, second]) {
        device.type(kind.edits[device.name]);
        await wait();
        await device.save();
        await wait();
    }

    for (const device of [first, second]) {
        await device.setOffline(false);
        await device.client.flush();
        await wait();
    }
}
