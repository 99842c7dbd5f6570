// Where the secret of a key slot comes from: a key file, a passphrase, a key service.

import { randomBytes, type ScryptOptions, scrypt } from 'node:crypto';
import { fail } from '../errors/index.ts';
import type { DataKeys } from '../kms/index.ts';
import { KEY_BYTES, SALT_BYTES } from './crypto.ts';
import { readKeyFile } from './key-file.ts';

/** `name` is the slot's. */
export type KeySource =
  | { readonly name: string; readonly kind: 'file'; readonly path: string }
  | { readonly name: string; readonly kind: 'passphrase'; readonly resolve: () => Promise<string> }
  | { readonly name: string; readonly kind: 'kms'; readonly service: DataKeys };

/** What a slot object says in clear about the way to its secret. */
export interface SecretFacts {
  readonly scrypt?: { readonly N: number; readonly r: number; readonly p: number; readonly salt: string };
  readonly kms?: { readonly keyId: string; readonly ciphertext: string };
}

/** RFC 7914; OWASP's first choice of 2023: about 0.4 s and 128 MiB for each guess. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 };

/** The secret for a new slot, and what must be written down to find it again. Throws `SECRET_UNRESOLVED`, `KEY_SERVICE_…`. */
export async function newSecret(
  vaultId: string,
  source: KeySource,
): Promise<{ readonly secret: Buffer; readonly facts: SecretFacts }> {
  if (source.kind === 'file') return { secret: await readKeyFile(source.path), facts: {} };
  if (source.kind === 'passphrase') {
    const params = { ...SCRYPT, salt: randomBytes(SALT_BYTES).toString('hex') };
    return { secret: await scryptKey(await passphraseOf(source), params), facts: { scrypt: params } };
  }
  const { plain, ciphertext, keyId } = await source.service.generate(contextOf(vaultId, source.name));
  return { secret: plain, facts: { kms: { keyId, ciphertext: ciphertext.toString('base64') } } };
}

/** The secret that `source` gives for a slot object; `undefined` when a key service says that it is none of its own. Throws as `newSecret`. */
export async function secretFor(
  vaultId: string,
  slot: { readonly slot: string } & SecretFacts,
  source: KeySource,
): Promise<Buffer | undefined> {
  if (source.kind === 'file') return readKeyFile(source.path);
  if (source.kind === 'passphrase') {
    return scryptKey(await passphraseOf(source), slot.scrypt ?? fail('INTERNAL', 'a passphrase slot without scrypt'));
  }
  const { ciphertext } = slot.kms ?? fail('INTERNAL', 'a KMS slot without ciphertext');
  return source.service.unwrap(Buffer.from(ciphertext, 'base64'), contextOf(vaultId, slot.slot));
}

/** Binds a data key to its vault and slot: a ciphertext that was carried elsewhere does not open there. */
function contextOf(vaultId: string, slot: string) {
  return { 'holdfast-vault': vaultId, 'holdfast-slot': slot };
}

async function passphraseOf(source: KeySource & { kind: 'passphrase' }): Promise<string> {
  const passphrase = (await source.resolve()).normalize('NFC');
  return passphrase || fail('SECRET_UNRESOLVED', `the passphrase of key '${source.name}' is empty`);
}

function scryptKey(passphrase: string, { N, r, p, salt }: NonNullable<SecretFacts['scrypt']>): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase, Buffer.from(salt, 'hex'), KEY_BYTES, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
