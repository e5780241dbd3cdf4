// Prints what is wrong in a Dockerfile, from standard input.

const { createRequire } = require('module');
const { validate } = createRequire(process.argv[2] + '/')('dockerfile-utils');
const { readFileSync } = require('fs');

for (const found of validate(readFileSync(0, 'utf8'))) {
    console.log(`${found.range.start.line + 1}: ${found.message}`);
}
