/* dies.js URL DIRECTORY PATH: kills itself after the response to a write */

import { createClient, fileStorage } from '../node.js';

const [url, dir, path] = process.argv.slice(2);
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

await client.save(path, { n: 1 });
fatal = true;
await client.save(path, { n: 2 });
