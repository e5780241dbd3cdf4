import { webcrypto } from 'node:crypto';

import { useRandom } from './lib/random.js';

useRandom(webcrypto);

export * from './index.js';
export { fileStorage } from './lib/files.js';
