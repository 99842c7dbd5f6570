// Key slots: the vault key wrapped once per way to open it; any one is enough (docs/vault-format.md, section 4).

import { createCipheriv, createDecipheriv, randomBytes, type ScryptOptions, scrypt } from 'node:crypto';
import { z } from 'zod';
import { fail } from '../errors/index.ts';
import { derive, KEY_BYTES, SALT_BYTES, TAG_BYTES } from './crypto.ts';
import { readKeyFile } from './key-file.ts';

/** Where a slot's secret comes from; `name` is the slot's. */
export type KeySource =
  | { readonly name: string; readonly kind: 'file'; readonly path: string }
  | { readonly name: string; readonly kind: 'passphrase'; readonly resolve: () => Promise<string> };

/** RFC 7914; OWASP's first choice of 2023: about 0.4 s and 128 MiB for each guess. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 };
const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
/** Bounds keep a forged slot from costing terabytes, or from making a passphrase cheap to guess. */
const scryptSchema = z.object({
  N: z
    .number()
    .int()
    .min(2 ** 15)
    .max(2 ** 20),
  r: z.number().int().min(8).max(16),
  p: z.number().int().min(1).max(4),
  salt: hex(SALT_BYTES),
});
const common = { slot: z.string(), salt: hex(SALT_BYTES), wrapped: hex(KEY_BYTES + TAG_BYTES) };
const slotSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), ...common }),
  z.object({ kind: z.literal('passphrase'), scrypt: scryptSchema, ...common }),
]);
export type KeySlot = z.infer<typeof slotSchema>;

/** Throws `OBJECT_DAMAGED`. */
export function parseSlot(key: string, bytes: Buffer): KeySlot {
  try {
    return slotSchema.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    return fail('OBJECT_DAMAGED', `key slot '${key}' is not one`, { cause });
  }
}

export async function makeSlot(vaultId: string, vaultKey: Buffer, source: KeySource): Promise<Buffer> {
  const params =
    source.kind === 'passphrase' ? { ...SCRYPT, salt: randomBytes(SALT_BYTES).toString('hex') } : undefined;
  const salt = randomBytes(SALT_BYTES);
  const secret = await slotSecret(source, params);
  const cipher = createCipheriv('aes-256-gcm', derive(secret, salt, 'slot'), Buffer.alloc(12));
  cipher.setAAD(slotData(vaultId, source.name, source.kind));
  const wrapped = Buffer.concat([cipher.update(vaultKey), cipher.final(), cipher.getAuthTag()]).toString('hex');
  const slot = { slot: source.name, kind: source.kind, ...(params && { scrypt: params }), salt: salt.toString('hex') };
  return Buffer.from(`${JSON.stringify({ ...slot, wrapped })}\n`);
}

/** The vault key, or `undefined` when this secret does not open this slot. Throws `SECRET_UNRESOLVED`. */
export async function openSlot(vaultId: string, slot: KeySlot, source: KeySource): Promise<Buffer | undefined> {
  if (slot.kind !== source.kind) return undefined;
  const secret = await slotSecret(source, slot.kind === 'passphrase' ? slot.scrypt : undefined);
  const key = derive(secret, Buffer.from(slot.salt, 'hex'), 'slot');
  const wrapped = Buffer.from(slot.wrapped, 'hex');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: TAG_BYTES });
  decipher.setAAD(slotData(vaultId, slot.slot, slot.kind));
  decipher.setAuthTag(wrapped.subarray(KEY_BYTES));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(0, KEY_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function slotData(vaultId: string, slot: string, kind: string): Buffer {
  return Buffer.from(`holdfast/1/slot\n${vaultId}\n${slot}\n${kind}\n`);
}

async function slotSecret(
  source: KeySource,
  params: { N: number; r: number; p: number; salt: string } | undefined,
): Promise<Buffer> {
  if (source.kind === 'file') return readKeyFile(source.path);
  const passphrase = (await source.resolve()).normalize('NFC');
  if (passphrase === '') fail('SECRET_UNRESOLVED', `the passphrase of key '${source.name}' is empty`);
  const { N, r, p, salt } = params ?? fail('INTERNAL', 'a passphrase slot without parameters');
  return scryptKey(passphrase, Buffer.from(salt, 'hex'), { N, r, p, maxmem: 256 * N * r });
}

function scryptKey(passphrase: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
