// Key slots: the vault key wrapped once per way to open it; any one is enough (docs/vault-format.md, section 4).

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Moment, momentFromDate } from '../domain/moment.ts';
import { fail } from '../errors/index.ts';
import { derive, KEY_BYTES, SALT_BYTES, TAG_BYTES } from './crypto.ts';
import { type KeySource, newSecret, secretFor } from './key-sources.ts';
import { parseSlotName, slotKey } from './layout.ts';

/** A slot object is a few hundred bytes; what is bigger is none and is not read. */
export const MOST_SLOT_BYTES = 16 * 1024;
/** Memory of one guess. Bounds keep a forged slot from costing gigabytes, or from making a passphrase cheap to guess. */
const MOST_SCRYPT_BYTES = 256 * 1024 * 1024;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const scryptSchema = z
  .strictObject({
    N: z
      .int()
      .min(2 ** 15)
      .max(2 ** 20),
    r: z.int().min(8).max(16),
    p: z.int().min(1).max(4),
    salt: hex(SALT_BYTES),
  })
  .refine(({ N, r }) => Number.isInteger(Math.log2(N)) && 128 * N * r <= MOST_SCRYPT_BYTES);
/** AWS takes ciphertexts up to 6,144 bytes (AWS KMS API, Decrypt). */
const kmsSchema = z.strictObject({ keyId: z.string().min(1).max(2048), ciphertext: z.base64().min(4).max(8192) });
const common = {
  slot: z.string(),
  created: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
  salt: hex(SALT_BYTES),
  wrapped: hex(KEY_BYTES + TAG_BYTES),
};
const slotSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), ...common }),
  z.strictObject({ kind: z.literal('passphrase'), scrypt: scryptSchema, ...common }),
  z.strictObject({ kind: z.literal('kms'), kms: kmsSchema, ...common }),
]);

/** A slot object with the key that it lies under. */
export type KeySlot = z.infer<typeof slotSchema> & { readonly key: string };

/** Throws `OBJECT_DAMAGED` for anything that is no slot object of this name. */
export function parseSlot(key: string, bytes: Buffer): KeySlot {
  if (bytes.length > MOST_SLOT_BYTES) fail('OBJECT_DAMAGED', `key slot '${key}' is too long to be one`);
  let slot: z.infer<typeof slotSchema>;
  try {
    slot = slotSchema.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    return fail('OBJECT_DAMAGED', `key slot '${key}' is not one`, { cause });
  }
  const name = parseSlotName(key);
  if (name?.kind !== 'slot' || name.slot !== slot.slot) fail('OBJECT_DAMAGED', `'${key}' is not the key slot it names`);
  return { ...slot, key };
}

export interface NewSlot {
  readonly key: string;
  readonly bytes: Buffer;
}

/** A slot object under a name of its own. Throws `SECRET_UNRESOLVED`, `KEY_SERVICE_…`; nothing is stored. */
export async function makeSlot(
  vaultId: string,
  vaultKey: Buffer,
  source: KeySource,
  created: Moment = momentFromDate(new Date()),
): Promise<NewSlot> {
  const key = slotKey(source.name, randomBytes(4).toString('hex'));
  const salt = randomBytes(SALT_BYTES);
  const { secret, facts } = await newSecret(vaultId, source);
  const cipher = createCipheriv('aes-256-gcm', derive(secret, salt, 'slot'), Buffer.alloc(12));
  cipher.setAAD(slotData(vaultId, { key, kind: source.kind, created }));
  const wrapped = Buffer.concat([cipher.update(vaultKey), cipher.final(), cipher.getAuthTag()]).toString('hex');
  const slot = { slot: source.name, kind: source.kind, created, ...facts, salt: salt.toString('hex'), wrapped };
  return { key, bytes: Buffer.from(`${JSON.stringify(slot)}\n`) };
}

/** The vault key, or `undefined` when this source does not open this slot. Throws `SECRET_UNRESOLVED`, `KEY_SERVICE_…`. */
export async function openSlot(vaultId: string, slot: KeySlot, source: KeySource): Promise<Buffer | undefined> {
  if (slot.kind !== source.kind) return undefined;
  const secret = await secretFor(vaultId, slot, source);
  if (secret === undefined) return undefined;
  const key = derive(secret, Buffer.from(slot.salt, 'hex'), 'slot');
  const wrapped = Buffer.from(slot.wrapped, 'hex');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: TAG_BYTES });
  decipher.setAAD(slotData(vaultId, slot));
  decipher.setAuthTag(wrapped.subarray(KEY_BYTES));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(0, KEY_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** The object's key is part of it: a removed slot that is stored again under a new name does not open. */
function slotData(vaultId: string, { key, kind, created }: { key: string; kind: string; created: string }): Buffer {
  return Buffer.from(`holdfast/1/slot\n${vaultId}\n${key}\n${kind}\n${created}\n`);
}
