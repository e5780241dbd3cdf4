export * from './index.js';
export { fileStorage } from './lib/files.js';
