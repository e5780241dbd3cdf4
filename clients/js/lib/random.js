/* Unique names.  Node 18 has no global crypto: see node.js. */

let source = globalThis.crypto;

export function useRandom(crypto) {
    source = crypto;
}

export function randomName() {
    return Array.from(source.getRandomValues(new Uint8Array(12)),
                      n => n.toString(16).padStart(2, '0')).join('');
}
