// The descriptor: what tells that a store holds a vault, and which (docs/vault-format.md, section 4).

import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { fail } from '../errors/index.ts';
import { hmac, type VaultKeys } from './crypto.ts';
import { DESCRIPTOR_KEY } from './layout.ts';

const FORMAT = 1;
const formatSchema = z.object({ format: z.number() });
const descriptorSchema = z.object({
  format: z.literal(FORMAT),
  vault: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  estate: z.string(),
  created: z.string(),
  mac: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Descriptor = z.infer<typeof descriptorSchema>;

export function makeDescriptor(keys: VaultKeys, estate: string, created: string): Buffer {
  const mac = macOf(keys, { format: FORMAT, vault: keys.id, estate, created }).toString('hex');
  return Buffer.from(`${JSON.stringify({ format: FORMAT, vault: keys.id, estate, created, mac })}\n`);
}

/** Throws `VAULT_FORMAT` for a later format, `OBJECT_DAMAGED` for anything that is no descriptor. */
export function parseDescriptor(copy: string, bytes: Buffer): Descriptor {
  let data: unknown;
  try {
    data = JSON.parse(bytes.toString());
  } catch (cause) {
    fail('OBJECT_DAMAGED', `'${DESCRIPTOR_KEY}' on '${copy}' is not JSON`, { cause });
  }
  const format = formatSchema.safeParse(data);
  if (format.success && format.data.format !== FORMAT) {
    fail('VAULT_FORMAT', `the vault on '${copy}' has format ${format.data.format}, this version reads ${FORMAT}`);
  }
  const parsed = descriptorSchema.safeParse(data);
  if (!parsed.success) fail('OBJECT_DAMAGED', `'${DESCRIPTOR_KEY}' on '${copy}' is not a descriptor`);
  return parsed.data;
}

/** Throws `OBJECT_DAMAGED` when the descriptor is not what the holder of the vault key wrote. */
export function verifyDescriptor(keys: VaultKeys, copy: string, descriptor: Descriptor): void {
  if (!timingSafeEqual(macOf(keys, descriptor), Buffer.from(descriptor.mac, 'hex'))) {
    fail('OBJECT_DAMAGED', `'${DESCRIPTOR_KEY}' on '${copy}' was changed by somebody without the key`);
  }
}

function macOf(keys: VaultKeys, descriptor: Omit<Descriptor, 'mac'>): Buffer {
  const { format, vault, estate, created } = descriptor;
  return hmac(keys.derived('descriptor'), `holdfast/1/descriptor\n${format}\n${vault}\n${estate}\n${created}\n`);
}
