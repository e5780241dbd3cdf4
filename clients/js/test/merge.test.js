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
