// Records of removed slot objects: what keeps a copy that was away from bringing one back (docs/vault-format.md, section 4).

import { z } from 'zod';
import { momentFromDate } from '../domain/moment.ts';
import { fail } from '../errors/index.ts';
import { sealContext, type VaultCore } from './core.ts';
import { parseSlotName, removalKeyOf } from './layout.ts';
import { sha256Of } from './manifest.ts';
import { objectTypes, seal, unseal } from './sealed.ts';

/** Larger ones are none of ours and are not read. */
export const MOST_REMOVAL_BYTES = 256 * 1024;

const removalSchema = z.object({
  object: z.string(),
  removed: z.string(),
  /** Objects that were opened right before, with the SHA-256 of their bytes: while a copy has one of them, `object` may go there. */
  proven: z.array(z.tuple([z.string(), z.string().regex(/^[0-9a-f]{64}$/)])).min(1),
});
export type SlotRemoval = z.infer<typeof removalSchema>;

/** `proven`: slot objects by their keys that were opened and stay. */
export async function makeRemoval(
  core: Pick<VaultCore, 'keys'>,
  object: string,
  proven: ReadonlyMap<string, Buffer>,
): Promise<{ readonly key: string; readonly bytes: Buffer }> {
  const key = removalKeyOf(object);
  const removal: SlotRemoval = {
    object,
    removed: momentFromDate(new Date()),
    proven: [...proven].map(([name, bytes]) => [name, sha256Of(bytes)]),
  };
  const bytes = await seal(sealContext(core, objectTypes.slotRemoval, key), removal, Buffer.alloc(0));
  return { key, bytes };
}

/** Throws `OBJECT_DAMAGED` for anything that the holder of the vault key did not write for exactly this object. */
export async function openRemoval(core: Pick<VaultCore, 'keys'>, key: string, bytes: Buffer): Promise<SlotRemoval> {
  const { header } = await unseal(sealContext(core, objectTypes.slotRemoval, key), bytes);
  const parsed = removalSchema.safeParse(header);
  const names = parsed.success && parseSlotName(parsed.data.object)?.kind === 'slot';
  if (!parsed.success || !names || removalKeyOf(parsed.data.object) !== key) {
    return fail('OBJECT_DAMAGED', `'${key}' is not the removal that it names`);
  }
  return parsed.data;
}
