/*
 * A storage for Node: a directory with one file for each resource, used by
 * one process at a time.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, openSync, writeSync, closeSync, readFileSync, readdirSync,
         renameSync, unlinkSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { memoryStorage } from './storage.js';

const held = new Set();      /* directories that this process has open */

export function fileStorage(directory) {
    const dir = resolve(directory);
    const records = new Map();

    mkdirSync(dir, { recursive: true, mode: 0o700 });
    takeDirectory(dir);

    for (const name of readdirSync(dir)) {
        if (name.endsWith('.json')) {
            load(join(dir, name), records);
        }
    }

    /* atomic: the file has the new record or the previous one */

    async function write(url, record) {
        const name = createHash('sha256').update(url).digest('hex') + '.json';
        const path = join(dir, name);

        if (!record) {
            await unlink(path).catch(e => {
                if (e.code !== 'ENOENT') {
                    throw e;
                }
            });

        } else {
            await sync(path + '.new', 'w', JSON.stringify(record));
            await rename(path + '.new', path);
        }

        await sync(dir, 'r');
    }

    return {
        ...memoryStorage(records, write),
        durable: true,

        async close() {
            if (held.delete(dir)) {
                await unlink(join(dir, 'pid')).catch(() => {});
            }
        }
    };
}

async function sync(path, flags, data) {
    const file = await open(path, flags, 0o600);

    try {
        if (data !== undefined) {
            await file.writeFile(data);
        }

        await file.sync();

    } finally {
        await file.close();
    }
}

/* a file that cannot be read is renamed, not removed */

function load(path, records) {
    try {
        const record = JSON.parse(readFileSync(path, 'utf8'));

        records.set(record.url, record);

    } catch {
        renameSync(path, path + '.unreadable');
        process.emitWarning(path + ' cannot be read, and was put aside');
    }
}

function takeDirectory(dir) {
    const path = join(dir, 'pid');

    for (let attempt = 0; attempt < 2; attempt++) {
        try {
            const file = openSync(path, 'wx', 0o600);

            writeSync(file, String(process.pid));
            closeSync(file);
            held.add(dir);

            return;

        } catch (e) {
            if (e.code !== 'EEXIST' || held.has(dir)
                || isAlive(Number(readFileSync(path, 'utf8'))))
            {
                throw new Error(`${dir} is in use`, { cause: e });
            }

            unlinkSync(path);
        }
    }

    throw new Error(`${dir} is in use`);
}

/* the pid of this process itself is left from another boot or container */

function isAlive(pid) {
    if (!pid || pid === process.pid) {
        return false;
    }

    try {
        process.kill(pid, 0);

        return true;

    } catch (e) {
        return e.code === 'EPERM';
    }
}
