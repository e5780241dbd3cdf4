import { Client } from './lib/client.js';

export { Client, ClientEvent, RequestError, keepMine, keepTheirs, later }
    from './lib/client.js';
export { Lock, LockedError } from './lib/lock.js';
export { merge } from './lib/merge.js';
export { indexedDBStorage, memoryStorage } from './lib/storage.js';

export function createClient(options) {
    return new Client(options);
}
