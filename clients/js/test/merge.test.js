/* The cases that test the merge of the server as well. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { merge } from '../index.js';

const file = process.env.CONFLICT_MERGE_CASES
             || new URL('../../../t/merge_cases.json', import.meta.url);
const cases = JSON.parse(readFileSync(file));

for (const [n, c] of cases.entries()) {
    test(`merge ${n}: ${c.of}`, () => {
        const before = JSON.stringify(c);
        const got = merge({
            base: c.base, server: c.server, local: c.client, rules: c.rules,
            ignore: 'base_version'
        });

        assert.equal(JSON.stringify(c), before, 'the arguments are unchanged');
        assert.equal(got.clean, !c.clash, before);

        if (!c.clash) {
            assert.deepEqual(got.doc, c.result, before);
        }

        if (c.fields) {
            assert.deepEqual([...got.fields].sort(), [...c.fields].sort(),
                             before);
        }
    });
}

test('rules as in a file of conflict_fields', () => {
    const documents = {
        base: { images: [{ url: 1, n: 1 }], n: 1 },
        server: { images: [{ url: 1, n: 2 }], n: 2 },
        local: { images: [{ url: 1, n: 1 }, { url: 2 }], n: 3 }
    };
    const doc = { images: [{ url: 1, n: 2 }, { url: 2 }], n: 4 };

    for (const rules of [
        { '/images': 'union(url)', '/n': 'sum' },
        { '/images': { rule: 'union', key: 'url' }, '/n': { rule: 'sum' } }
    ]) {
        assert.deepEqual(merge({ ...documents, rules }).doc, doc);
    }

    for (const rule of [{}, { rule: 'most' }, { rule: 'sum', key: 'url' },
                        { rule: 'union', key: '' }, { key: 'url' },
                        { rule: 'union', key: 1 }, { rule: 'lww', by: 1 },
                        ['lww'], null, 1, 'union()', 'toString'])
    {
        assert.throws(() => merge({ ...documents, rules: { '/n': rule } }),
                      TypeError, JSON.stringify(rule));
    }
});
