/* The file that "npm pack" creates can be installed and imported. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('npm pack', t => {
    const dir = mkdtempSync(join(tmpdir(), 'package-'));

    t.after(() => rmSync(dir, { recursive: true }));

    const npm = (...args) => execFileSync('npm', [
        ...args, '--cache', join(dir, 'cache'), '--offline',
        '--no-update-notifier'
    ], { cwd: dir, encoding: 'utf8' });

    const [{ filename, files }] = JSON.parse(npm(
        'pack', '--json', fileURLToPath(new URL('..', import.meta.url))));

    assert.deepEqual(files.map(f => f.path).sort(), [
        'LICENSE', 'README.md', 'index.d.ts', 'index.js', 'lib/answer.js',
        'lib/asker.js', 'lib/client.js', 'lib/creations.js', 'lib/entry.js',
        'lib/files.js', 'lib/inbox.js', 'lib/items.js', 'lib/json.js',
        'lib/list.js', 'lib/lock.js', 'lib/merge.js', 'lib/random.js',
        'lib/sender.js', 'lib/storage.js', 'lib/transport.js',
        'lib/versions.js', 'lib/view.js', 'lib/watch.js', 'node.js',
        'package.json'
    ]);

    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    npm('install', '--no-audit', '--no-fund', join(dir, filename));
    writeFileSync(join(dir, 'use.js'), `
        import * as library from 'conflict-client';
        console.log(Object.keys(library).sort().join(' '));
    `);

    const names = execFileSync(process.execPath, ['use.js'],
                               { cwd: dir, encoding: 'utf8' }).trim();

    assert.equal(names, 'Client ClientEvent Inbox Lock LockedError RequestError '
                        + 'createClient createInbox fileStorage indexedDBStorage '
                        + 'keepMine keepTheirs later memoryStorage merge');

    const types = readFileSync(new URL('../index.d.ts', import.meta.url),
                               'utf8');

    for (const name of names.split(' ')) {
        assert.match(types, new RegExp(
            `^export (class|function|const) ${name}\\b`, 'm'));
    }
});
