// Chunk ids: what makes two pieces of data the same chunk, told to nobody without the key (docs/vault-format.md, section 6).

import { hash } from 'node:crypto';

export const CHUNK_ID_BYTES = 32;
const BLOCK_BYTES = 64;

/** HMAC-SHA-256 (RFC 2104) of the SHA-256 of the plain bytes. Two one-shot hashes: an HMAC object for every chunk costs as much as hashing 10 KB. */
export class ChunkIds {
  readonly #inner = Buffer.alloc(BLOCK_BYTES + CHUNK_ID_BYTES);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + CHUNK_ID_BYTES);

  /** `key`: 32 bytes. */
  constructor(key: Uint8Array) {
    for (let at = 0; at < BLOCK_BYTES; at++) {
      this.#inner[at] = (key[at] ?? 0) ^ 0x36;
      this.#outer[at] = (key[at] ?? 0) ^ 0x5c;
    }
  }

  of(plain: Uint8Array): Buffer {
    return this.for(hash('sha256', plain, 'buffer'));
  }

  /** `sha256`: of the chunk's plain bytes. */
  for(sha256: Uint8Array): Buffer {
    this.#inner.set(sha256, BLOCK_BYTES);
    this.#outer.set(hash('sha256', this.#inner, 'buffer'), BLOCK_BYTES);
    return hash('sha256', this.#outer, 'buffer');
  }
}
