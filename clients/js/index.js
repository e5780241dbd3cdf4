import { Client } from './lib/client.js';
import { Inbox } from './lib/inbox.js';

export { keepMine, keepTheirs, later } from './lib/asker.js';
export { Client, ClientEvent } from './lib/client.js';
export { Inbox } from './lib/inbox.js';
export { Lock, LockedError } from './lib/lock.js';
export { merge } from './lib/merge.js';
export { indexedDBStorage, memoryStorage } from './lib/storage.js';
export { RequestError } from './lib/transport.js';

export function createClient(options) {
    return new Client(options);
}

export function createInbox(options) {
    return new Inbox(options);
}
