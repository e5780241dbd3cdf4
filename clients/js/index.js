import { Client } from './lib/client.js';

export { keepMine, keepTheirs, later } from './lib/asker.js';
export { Client, ClientEvent } from './lib/client.js';
export { Lock, LockedError } from './lib/lock.js';
export { merge } from './lib/merge.js';
export { indexedDBStorage, memoryStorage } from './lib/storage.js';
export { RequestError } from './lib/transport.js';

export function createClient(options) {
    return new Client(options);
}
