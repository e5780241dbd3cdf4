/*
 * dies.js URL DIRECTORY PATH [create]: kills itself after the response to a
 * write, or to a creation.
 */

import { createClient, fileStorage } from '../node.js';

const [url, dir, path, create] = process.argv.slice(2);
let fatal = false;

const client = createClient({
    baseUrl: url, storage: fileStorage(dir),

    async fetch(...args) {
        const response = await fetch(...args);

        if (fatal) {
            process.kill(process.pid, 'SIGKILL');
        }

        return response;
    }
});

if (create) {
    fatal = true;
    await client.create(path, { n: 1 });
}

await client.save(path, { n: 1 });
fatal = true;
await client.save(path, { n: 2 });
