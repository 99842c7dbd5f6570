// Keys derived from keys, and AES-256-GCM with the nonce that the format gives (docs/vault-format.md, section 3).

import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync } from 'node:crypto';
import { fail } from '../errors/index.ts';

export const KEY_BYTES = 32;
export const SALT_BYTES = 32;
export const TAG_BYTES = 16;

/** HKDF-SHA-256, 32 bytes. */
export function derive(key: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', createSecretKey(key), salt, `holdfast/1/${info}`, KEY_BYTES));
}

export function hmac(key: Uint8Array, ...data: readonly (Uint8Array | string)[]): Buffer {
  const mac = createHmac('sha256', createSecretKey(key));
  for (const part of data) mac.update(part);
  return mac.digest();
}

/** The nonce is where the ciphertext begins in its object: unique under the object's own key, and it binds the place. */
function nonceAt(offset: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(offset, 6, 6);
  return nonce;
}

/** Ciphertext followed by the tag, in two buffers so that nobody copies them twice. */
export function encryptAt(
  key: Uint8Array,
  offset: number,
  associated: Uint8Array,
  plain: Uint8Array,
): [ciphertext: Buffer, tag: Buffer] {
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), nonceAt(offset), { authTagLength: TAG_BYTES });
  cipher.setAAD(associated);
  const ciphertext = cipher.update(plain);
  cipher.final();
  return [ciphertext, cipher.getAuthTag()];
}

/** `sealed`: ciphertext and tag. Throws `OBJECT_DAMAGED` naming `what`. */
export function decryptAt(
  key: Uint8Array,
  offset: number,
  associated: Uint8Array,
  sealed: Uint8Array,
  what: string,
): Buffer {
  if (sealed.length < TAG_BYTES) fail('OBJECT_DAMAGED', `${what} is too short`);
  const secret = createSecretKey(key);
  const decipher = createDecipheriv('aes-256-gcm', secret, nonceAt(offset), { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    fail('OBJECT_DAMAGED', `${what} is not what was written`, { cause });
  }
  return plain;
}

/** The vault key with everything derived from it once. */
export class VaultKeys {
  readonly id: string;
  /** The vault id as 16 bytes; salt of the derivations and part of all associated data. */
  readonly idBytes: Buffer;
  readonly chunkId: Buffer;
  readonly #vaultKey: Buffer;
  /** By purpose. */
  readonly #derived = new Map<string, Buffer>();

  constructor(id: string, vaultKey: Buffer) {
    this.id = id;
    this.idBytes = Buffer.from(id.replaceAll('-', ''), 'hex');
    this.#vaultKey = vaultKey;
    this.chunkId = this.derived('chunk-id');
  }

  derived(purpose: string): Buffer {
    const known = this.#derived.get(purpose);
    if (known !== undefined) return known;
    const key = derive(this.#vaultKey, this.idBytes, purpose);
    this.#derived.set(purpose, key);
    return key;
  }

  /** For wrapping into another slot; goes nowhere else. */
  get vaultKey(): Buffer {
    return this.#vaultKey;
  }
}
